"""Every example runs, draws what it names, and shows what its text says.

They run here and not in CI's build of the site, since each takes up to ten seconds; and in
one process, since another takes three seconds to import torch. Warnings are errors.
"""

import contextlib
import io
import re
import runpy
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn import config_context

DOCS = Path(__file__).parents[1] / "docs"
README = (DOCS.parent / "README.md").read_text(encoding="utf-8")
EXAMPLES = [*(DOCS / "tutorial").glob("*.py"), *(DOCS / "examples").glob("*.py")]


@pytest.fixture
def run(tmp_path, monkeypatch):
    """What an example prints. Its files lie in the working folder afterwards."""
    monkeypatch.chdir(tmp_path)
    plt.switch_backend("agg")

    def run(name):
        # Settings of scikit-learn and matplotlib end with the example that made them.
        with (
            config_context(),
            plt.rc_context(),
            contextlib.redirect_stdout(io.StringIO()) as printed,
        ):
            runpy.run_path(str(DOCS / name), run_name="__main__")
        return printed.getvalue()

    yield run
    plt.close("all")


@pytest.mark.slow
def test_example_measure_context_gives_the_table_of_the_readme(run):
    printed = run("examples/measure_context.py")
    for context in ("never", "auto"):
        told = re.search(rf'^\| `context="{context}"` \|(.*)\|$', README, re.MULTILINE)
        *told_scores, _ = [float(cell) for cell in told[1].split("|")]
        measured = re.search(rf"^{context}((?: +[\d.]+)+)$", printed, re.MULTILINE)
        # Another processor rounds otherwise: not to the last digit.
        assert [float(r2) for r2 in measured[1].split()] == pytest.approx(
            told_scores, abs=0.02
        )
    # Which of the short ones "never" chooses is nearly a tie.
    assert 'context="auto" chooses seq_length=20' in printed
    assert 'context="never" chooses seq_length=20' not in printed


@pytest.mark.slow
def test_example_sunspots_beats_repeating_the_last_value_and_loads_again(run):
    printed = run("examples/plot_sunspots.py")
    mse = dict(re.findall(r"^(last value|Ridge|LSTM) +([\d.]+) ", printed, re.MULTILINE))
    assert set(mse) == {"last value", "Ridge", "LSTM"}
    assert float(mse["LSTM"]) < float(mse["last value"])
    assert "predicts the same: True" in printed
    assert "'windows__seq_length'" in printed
    assert_drawn(printed)


def test_example_tutorial_learns_the_sine_and_loads_again(run):
    printed = run("tutorial/plot_tutorial.py")
    mse = float(re.search(r"test MSE ([\d.]+)", printed)[1])
    # The noise has variance 0.01, and the sine itself 0.5.
    assert mse < 0.05
    epochs = re.findall(r"^ *(\d+)(?: +[\d.]+){4}$", printed, re.MULTILINE)
    # As they pass, and the last three again in the history.
    assert [int(epoch) for epoch in epochs] == [*range(1, 51), 48, 49, 50]
    known = yardsticks(printed, "repeating the last value|Ridge|the noise alone")
    assert known["the noise alone"] < known["Ridge"] < mse
    assert mse < known["repeating the last value"]
    next_step = float(re.search(r"step 100: predicted ([-\d.]+),", printed)[1])
    assert abs(next_step - np.sin(10)) < 0.3
    assert "predicts the same: True" in printed
    assert_drawn(printed)


@pytest.mark.slow
def test_example_co2_is_forecast_best_by_the_residual_form(run):
    printed = run("examples/plot_co2.py")
    names = "last value|Ridge|plain LSTM|residual LSTM"
    scores = re.findall(rf"^({names}) +([\d.]+) +[\d.]+$", printed, re.MULTILINE)
    mse = {name: float(score) for name, score in scores}
    assert list(mse) == names.split("|")
    assert mse["residual LSTM"] < mse["Ridge"] < mse["last value"] < mse["plain LSTM"]
    assert_drawn(printed)


@pytest.mark.slow
def test_example_known_drivers_is_told_best_by_the_lstm(run):
    printed = run("examples/plot_known_drivers.py")
    scores = re.findall(r"^(\w[\w ]*?)  +([\d.]+) +([\d.]+)$", printed, re.MULTILINE)
    r2 = {name: float(value) for name, value, _ in scores}
    assert list(r2) == ["Ridge", "gradient boosting", "LSTM", "truth"]
    assert max(r2["Ridge"], r2["gradient boosting"]) < 0.6 < r2["LSTM"] < r2["truth"]
    assert_drawn(printed)


@pytest.mark.slow
def test_example_compare_candidates_tells_their_order_as_its_text_does(run):
    printed = run("examples/plot_compare_candidates.py")
    rows = re.findall(r"^(\S.*?)((?: +\d\.\d\d){6})$", printed, re.MULTILINE)
    mae = {name: float(scores.split()[-1]) for name, scores in rows}
    assert list(mae) == [
        "3 months ago",
        "a year ago",
        "boosting",
        "LSTM",
        "Ridge",
        "LSTM, residual",
    ]
    trained = [error for name, error in mae.items() if not name.endswith("ago")]
    assert max(trained) < mae["a year ago"] < mae["3 months ago"]
    assert mae["LSTM, residual"] <= mae["Ridge"] < mae["LSTM"]
    assert_drawn(printed)


def yardsticks(printed, names):
    """Mean squared errors that a script prints as ``name  MSE 0.0123``."""
    return {
        name: float(mse)
        for name, mse in re.findall(rf"^({names}) +MSE ([\d.]+)$", printed, re.MULTILINE)
    }


@pytest.mark.slow
def test_example_gates_shows_what_it_says_of_gradients(run):
    printed = run("examples/plot_gates.py")
    r2 = dict(re.findall(r"^(.+?) +test R2 +(-?[\d.]+)$", printed, re.MULTILINE))
    kept = dict(re.findall(r"^(\w+) +unit +\d+ keeps ([\d.]+)", printed, re.MULTILINE))
    reach = dict(
        re.findall(r"^(.+?) +gradient to the first step (.+)$", printed, re.MULTILINE)
    )
    assert float(r2["LSTM, copy"]) > 0.9
    # Training starts with 0.73 ** 19 = 0.0025.
    assert float(kept["copy"]) > 0.5
    assert float(kept["noise"]) < 0.05
    assert float(reach["LSTM, copy"]) > 1
    assert float(reach["LSTM, noise"]) < 0.5
    assert float(reach["RNN, copy, learning rate 0.03"]) < 1e-3
    assert float(r2["RNN, learning rate 0.01:"]) > 0.9
    assert float(reach["RNN, copy, learning rate 0.01"]) > 1
    assert_drawn(printed)


@pytest.mark.slow
def test_example_remaining_life_is_told_from_the_first_cycles_on(run):
    printed = run("examples/plot_remaining_life.py")
    rows = re.findall(r"^([A-Za-z]\S.*?)  +([\d.]+) +([\d.]+)$", printed, re.MULTILINE)
    early = {name: float(rmse) for name, rmse, _ in rows}
    later = {name: float(rmse) for name, _, rmse in rows}
    skip, train = 'LSTM, "skip"', 'LSTM, "train"'
    assert list(early) == ["Ridge", "gradient boosting", skip, train]
    assert early[train] < 0.75 * early[skip]
    assert early[train] < early["Ridge"]
    assert later[train] < 1.05 * later[skip]
    assert later[train] < later["gradient boosting"] < later["Ridge"]
    assert float(re.search(r"at work: RMSE ([\d.]+) cycles", printed)[1]) < 15
    assert_drawn(printed)


@pytest.mark.slow
def test_example_many_series_is_forecast_best_by_one_model_for_all(run):
    printed = run("examples/plot_many_series.py")
    rows = re.findall(r"^((?!shop).*?)(?:  +([\d.]+))(?: +([\d.]+)){2}$", printed, re.M)
    mae = {name: float(mean) for name, _, mean in rows}
    ridge, lstm = (
        {which: mae[f"{name}, one for {which}"] for which in ("each", "all")}
        for name in ("Ridge", "LSTM")
    )
    assert lstm["all"] < 0.9 * lstm["each"]
    assert ridge["all"] < 0.95 * ridge["each"]
    assert lstm["all"] < ridge["all"]
    assert max(mae.values()) == mae["the last week"]
    assert_drawn(printed)


@pytest.mark.slow
def test_example_holes_shows_what_cutting_costs(run):
    printed = run("examples/plot_holes.py")
    rows = re.findall(r"^(\S.*?)((?:  +\d+\.\d\d){3})$", printed, re.MULTILINE)
    mae = {name: [float(cell) for cell in cells.split()] for name, cells in rows}
    assert [name for name in mae if "filled" in name] == ["filled", "filled, with its age"]
    whole, cut, none = (
        dict(zip(mae, column, strict=True)) for column in zip(*mae.values(), strict=True)
    )
    assert whole["cut"] < 1.1 * whole["filled"] < whole["last value known"]
    assert cut["cut"] < 1.25 * cut["filled"]
    assert cut["cut"] < cut["last value known"]
    assert none["cut"] > 5 * none["filled"]
    assert whole["filled, with its age"] < 0.95 * whole["filled"]
    assert cut["filled, with its age"] < 0.95 * cut["filled"]
    assert_drawn(printed)


@pytest.mark.slow
def test_example_measure_incomplete_shows_lower_errors_on_the_first_cycles_alone(run):
    printed = run("examples/measure_incomplete.py")
    rows = re.findall(r"^(skip|train) +mean +([\d.]+) +([\d.]+)$", printed, re.MULTILINE)
    (_, *skip), (_, *train) = rows
    assert float(train[0]) < 0.75 * float(skip[0])
    assert float(train[1]) < 1.03 * float(skip[1])


def assert_drawn(printed):
    """That standard output names a figure, and that it was written as a PNG."""
    name = re.search(r"^figure: (.+\.png)$", printed, re.MULTILINE)[1]
    assert Path(name).read_bytes().startswith(b"\x89PNG")


def test_every_example_has_a_test_of_its_own():
    source = Path(__file__).read_text("utf-8")
    tested = re.findall(r"run\(\"(?:tutorial|examples)/(\w+\.py)\"\)", source)
    assert {example.name for example in EXAMPLES} == set(tested)
