"""What the package shows to the outside: names, documentation, examples, dependencies."""

import ast
import inspect
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from packaging.version import Version

import sklstm

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
EXAMPLES = [
    *(ROOT / "docs" / "tutorial").glob("*.py"),
    *(ROOT / "docs" / "examples").glob("*.py"),
]


def public_objects():
    return {name: getattr(sklstm, name) for name in sklstm.__all__ if name[0] != "_"}


def public_classes():
    return {name: obj for name, obj in public_objects().items() if inspect.isclass(obj)}


def public_methods():
    """Methods written in this package, by qualified name; what is inherited is not ours."""
    methods = {}
    for class_name, cls in public_classes().items():
        for name in vars(cls):
            method = getattr(cls, name)
            ours = getattr(method, "__module__", "").startswith("sklstm.")
            if not name.startswith("_") and callable(method) and ours:
                methods[f"{class_name}.{name}"] = method
    return methods


def documented():
    return public_objects() | public_methods()


def sections(obj):
    """Titles of the docstring's numpydoc sections, each with its text."""
    parts = re.split(r"^(\w[\w ]*)\n-{3,}$", inspect.getdoc(obj), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def documented_parameters(obj):
    """Names in the Parameters section, each with its documented default or ``empty``."""
    parameters = {}
    for line in sections(obj).get("Parameters", "").splitlines():
        names, colon, description = line.partition(" : ")
        if not colon or line[0] == " ":
            continue
        _, has_default, default = description.partition("default=")
        value = ast.literal_eval(default) if has_default else inspect.Parameter.empty
        parameters |= dict.fromkeys(names.split(", "), value)
    return parameters


def real_parameters(obj):
    """Names in the signature, each with its default or ``empty``."""
    parameters = inspect.signature(obj).parameters.values()
    return {p.name: p.default for p in parameters if p.name != "self"}


def code_blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def run_python(*arguments, cwd):
    """Standard output of a new interpreter in which warnings are errors."""
    environment = os.environ | {
        "PYTHONPATH": str(ROOT),
        "MPLBACKEND": "Agg",
        "OMP_NUM_THREADS": "1",
    }
    completed = subprocess.run(
        [sys.executable, "-W", "error", *arguments],
        cwd=cwd,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    assert completed.returncode == 0, completed.stderr
    return completed.stdout


def test_public_names_are_those_of_the_design():
    assert sorted(sklstm.__all__) == [
        "ForecastDisplay",
        "GateDisplay",
        "HistoryDisplay",
        "LSTMRegressor",
        "SavedVersionWarning",
        "WindowTransformer",
        "__version__",
        "cell_gradient",
        "gates",
        "make_windows",
        "to_onnx",
    ]


def test_all_names_everything_that_the_package_itself_shows():
    shown = {name for name, obj in vars(sklstm).items() if not inspect.ismodule(obj)}
    assert {name for name in shown if name[0] != "_"} == set(public_objects())


def test_version_is_valid():
    assert str(Version(sklstm.__version__)) == sklstm.__version__


def test_importing_the_package_imports_nothing_of_the_extras(tmp_path):
    extras = {"matplotlib", "onnx", "onnxruntime", "skops", "statsmodels"}
    code = f"import sys, sklstm; print({extras} & set(sys.modules))"
    assert run_python("-c", code, cwd=tmp_path) == "set()\n"


@pytest.mark.parametrize("name", documented())
def test_every_parameter_is_documented_in_order_with_its_real_default(name):
    obj = documented()[name]
    real = real_parameters(obj)
    told = documented_parameters(obj)
    if "y : None\n" in inspect.getdoc(obj):  # by convention without its default
        told["y"] = None
    assert list(told.items()) == list(real.items())


@pytest.mark.parametrize("name", documented())
def test_every_public_name_has_the_sections_that_it_needs(name):
    obj = documented()[name]
    needed = {"Parameters"} if real_parameters(obj) else set()
    if inspect.isclass(obj):
        needed |= {"Attributes", "See Also", "Examples"}
    elif "." in name:
        gives_none = inspect.signature(obj).return_annotation is None
        needed |= set() if gives_none else {"Returns"}
    else:
        needed |= {"Returns", "Raises", "See Also", "Examples"}
    assert needed <= set(sections(obj))


@pytest.mark.parametrize("name", documented())
def test_every_summary_is_one_sentence_on_one_line(name):
    summary, _, _ = inspect.getdoc(documented()[name]).partition("\n\n")
    assert "\n" not in summary
    assert summary.endswith(".")


@pytest.mark.parametrize("name", public_classes())
def test_every_class_shows_the_error_that_a_newcomer_meets(name):
    assert "Traceback" in sections(public_classes()[name])["Examples"]


def test_readme_code_runs(tmp_path):
    assert len(code_blocks("python")) == 2
    shown = "print(len(model.predict(X[80:])), model.score(X[80:], y[80:]) > 0.5)"
    printed = run_python("-c", "".join(code_blocks("python")) + shown, cwd=tmp_path)
    assert printed == "20 True\n"


def test_readme_has_two_set_up_commands_under_the_constraints():
    commands = "".join(code_blocks("sh")).splitlines()
    endings = [command.rpartition("&& ")[2] for command in commands]
    assert endings == [
        ".venv/bin/python docs/examples/plot_sunspots.py",
        ".venv/bin/python -m pytest",
    ]
    for command, extra in zip(commands, ["examples", "test"], strict=True):
        assert command.startswith("python3 -m venv .venv && ")
        assert f'pip install -c constraints.txt -e ".[{extra}]"' in command


def test_readme_is_about_a_hundred_lines():
    assert len(README.splitlines()) <= 105


@pytest.mark.slow
def test_example_measure_context_gives_the_table_of_the_readme(tmp_path):
    printed = run_python(ROOT / "docs/examples/measure_context.py", cwd=tmp_path)
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
def test_example_sunspots_beats_repeating_the_last_value_and_loads_again(tmp_path):
    printed = run_python(ROOT / "docs/examples/plot_sunspots.py", cwd=tmp_path)
    mse = dict(re.findall(r"^(last value|Ridge|LSTM) +([\d.]+) ", printed, re.MULTILINE))
    assert set(mse) == {"last value", "Ridge", "LSTM"}
    assert float(mse["LSTM"]) < float(mse["last value"])
    assert "predicts the same: True" in printed
    assert "'windows__seq_length'" in printed
    assert_drawn(printed, tmp_path)


def test_example_tutorial_learns_the_sine_and_loads_again(tmp_path):
    printed = run_python(ROOT / "docs/tutorial/plot_tutorial.py", cwd=tmp_path)
    mse = float(re.search(r"test MSE ([\d.]+)", printed)[1])
    # The noise has variance 0.01, and the sine itself 0.5.
    assert mse < 0.05
    epochs = re.findall(r"^ *(\d+)(?: +[\d.]+){4}$", printed, re.MULTILINE)
    # As they pass, and the last three again in the history.
    assert [int(epoch) for epoch in epochs] == [*range(1, 51), 48, 49, 50]
    known = yardsticks(printed, "repeating the last value|Ridge|the noise alone")
    assert known["the noise alone"] < known["Ridge"] < mse
    assert mse < known["repeating the last value"]
    next_step = float(re.search(r"step 100: predicted ([-\d.]+)", printed)[1])
    assert abs(next_step - np.sin(10)) < 0.3
    assert "predicts the same: True" in printed
    assert_drawn(printed, tmp_path)


@pytest.mark.slow
def test_example_co2_is_forecast_best_by_the_residual_form(tmp_path):
    printed = run_python(ROOT / "docs/examples/plot_co2.py", cwd=tmp_path)
    names = "last value|Ridge|plain LSTM|residual LSTM"
    scores = re.findall(rf"^({names}) +([\d.]+) +[\d.]+$", printed, re.MULTILINE)
    mse = {name: float(score) for name, score in scores}
    assert list(mse) == names.split("|")
    assert mse["residual LSTM"] < mse["Ridge"] < mse["last value"] < mse["plain LSTM"]
    assert_drawn(printed, tmp_path)


@pytest.mark.slow
def test_example_known_drivers_is_told_best_by_the_lstm(tmp_path):
    printed = run_python(ROOT / "docs/examples/plot_known_drivers.py", cwd=tmp_path)
    scores = re.findall(r"^(\w[\w ]*?)  +([\d.]+) +([\d.]+)$", printed, re.MULTILINE)
    r2 = {name: float(value) for name, value, _ in scores}
    assert list(r2) == ["Ridge", "gradient boosting", "LSTM", "truth"]
    assert max(r2["Ridge"], r2["gradient boosting"]) < 0.6 < r2["LSTM"] < r2["truth"]
    assert_drawn(printed, tmp_path)


@pytest.mark.slow
def test_example_compare_candidates_tells_their_order_as_its_text_does(tmp_path):
    printed = run_python(ROOT / "docs/examples/plot_compare_candidates.py", cwd=tmp_path)
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
    assert_drawn(printed, tmp_path)


def yardsticks(printed, names):
    """Mean squared errors that a script prints as ``name  MSE 0.0123``."""
    return {
        name: float(mse)
        for name, mse in re.findall(rf"^({names}) +MSE ([\d.]+)$", printed, re.MULTILINE)
    }


@pytest.mark.slow
def test_example_gates_shows_what_it_says_of_gradients(tmp_path):
    printed = run_python(ROOT / "docs/examples/plot_gates.py", cwd=tmp_path)
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
    assert_drawn(printed, tmp_path)


def assert_drawn(printed, folder):
    """That standard output names a figure, and that it was written as a PNG."""
    name = re.search(r"^figure: (.+\.png)$", printed, re.MULTILINE)[1]
    assert (folder / name).read_bytes().startswith(b"\x89PNG")


def test_every_example_has_a_test_of_its_own():
    tested = set(
        re.findall(
            r"docs/(?:tutorial|examples)/(\w+\.py)\"", Path(__file__).read_text("utf-8")
        )
    )
    assert {example.name for example in EXAMPLES} == tested


# Each room may import those before it, and its own files.
FLOORS = [
    {"_version", "_arrays", "_sklearn_compat"},
    {"_storage"},
    {"windows"},
    {"_network"},
    {"_training"},
    {"_regressor"},
    {"_pipelines"},
    {"inspection", "export", "forecasting"},
    {"__init__"},
]
# Rooms that may import what only some should know.
ONLY_IN = {
    "skorch": {"_training"},
    "torch": {"_network", "_training"},
    "matplotlib": {"inspection"},
    "onnx": {"export"},
    "skops": set(),
}

SOURCES = {
    str(path.relative_to(ROOT / "sklstm").with_suffix("")): path
    for path in sorted((ROOT / "sklstm").rglob("*.py"))
}


def room(source):
    return source.partition("/")[0]


def floor(source):
    (found,) = [n for n, rooms in enumerate(FLOORS) if room(source) in rooms]
    return found


def imported_modules(path):
    """Dotted names of all that a file imports, also inside functions."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name} has a relative import"
            names.add(node.module)
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


@pytest.mark.parametrize("source", SOURCES)
def test_imports_run_one_way(source):
    for name in imported_modules(SOURCES[source]):
        if name.startswith("sklstm."):
            imported = name.split(".")[1]
            is_own = imported == room(source)
            assert is_own or floor(imported) < floor(source), name


@pytest.mark.parametrize("library", ONLY_IN)
def test_only_the_named_rooms_import(library):
    importing = {
        room(source)
        for source, path in SOURCES.items()
        if library in {name.split(".")[0] for name in imported_modules(path)}
    }
    assert importing <= ONLY_IN[library]


def test_cutting_windows_needs_numpy_alone():
    libraries = {name.split(".")[0] for name in imported_modules(SOURCES["windows/_views"])}
    assert libraries == {"collections", "numpy"}
