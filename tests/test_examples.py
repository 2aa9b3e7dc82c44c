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
    assert mae["LSTM, residual"] < mae["Ridge"] < mae["LSTM"]
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


def assert_drawn(printed):
    """That standard output names a figure, and that it was written as a PNG."""
    name = re.search(r"^figure: (.+\.png)$", printed, re.MULTILINE)[1]
    assert Path(name).read_bytes().startswith(b"\x89PNG")


def test_every_example_has_a_test_of_its_own():
    source = Path(__file__).read_text("utf-8")
    tested = re.findall(r"run\(\"(?:tutorial|examples)/(\w+\.py)\"\)", source)
    assert {example.name for example in EXAMPLES} == set(tested)
