"""What the package shows to the outside: names, documentation, examples, dependencies."""

import ast
import inspect
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.version import Version

import sklstm

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


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
            ours = (getattr(method, "__module__", None) or "").partition(".")[0] == "sklstm"
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
        parameters |= dict.fromkeys(names.replace("*", "").split(", "), value)
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
        "ForwardFill",
        "GateDisplay",
        "HistoryDisplay",
        "LSTMRegressor",
        "LagsToWindows",
        "SavedVersionWarning",
        "WindowTransformer",
        "__version__",
        "backtest",
        "cell_gradient",
        "conformal_interval",
        "forecast",
        "gates",
        "make_forecast_scorer",
        "make_windows",
        "predict_quantiles",
        "skill_score",
        "steps_ahead",
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


def test_methods_are_among_the_names_that_are_checked():
    # Found by the module that they are written in, which is not their class's any more.
    shown = {"LSTMRegressor.fit", "WindowTransformer.transform", "GateDisplay.plot"}
    assert shown <= documented().keys()


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


def test_readme_code_runs():
    assert len(code_blocks("python")) == 2
    names = {}
    exec("".join(code_blocks("python")), names)
    model, X, y = names["model"], names["X"], names["y"]
    assert len(model.predict(X[80:])) == 20
    assert model.score(X[80:], y[80:]) > 0.5


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


# Each room may import those before it, and its own files.
FLOORS = [
    {"_version", "_types"},
    {"_arrays", "_sklearn_compat"},
    {"_storage"},
    {"windows"},
    {"_network"},
    {"_training"},
    {"_regressor"},
    {"_pipelines"},
    {"forecasting", "export"},
    {"inspection"},
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


FOLDERS = {path.parent for path in SOURCES.values()}


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_every_folder_names_its_files(folder):
    named = set(re.findall(r"`(_\w+)`", (folder / "__init__.py").read_text("utf-8")))
    files = {path.stem for path in folder.glob("_*.py")} - {"__init__", "_version"}
    assert named == files


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


@pytest.mark.parametrize("source", SOURCES.keys() - {"_sklearn_compat"})
def test_private_names_of_scikit_learn_are_in_one_file(source):
    private = [
        name
        for name in imported_modules(SOURCES[source])
        if name.startswith("sklearn.") and "._" in name
    ]
    assert private == []
    assert "_skl_" not in SOURCES[source].read_text("utf-8")


WITHOUT_CALLBACKS = """
import sys
import numpy as np
from sklearn.base import clone
# What of scikit-learn 1.9 needs its own callbacks.
import sklearn.compose, sklearn.ensemble, sklearn.linear_model, skorch
from sklearn.pipeline import make_pipeline
sys.modules["sklearn.callback"] = None
from sklstm import LSTMRegressor, WindowTransformer
series = np.sin(np.arange(30.0))
lstm = LSTMRegressor(units=2, epochs=2, random_state=0, device="cpu")
model = clone(make_pipeline(WindowTransformer(4), lstm)).fit(series[:, None], series)
print(len(model[-1].history_), hasattr(lstm, "set_callbacks"))
"""


def test_package_works_without_callbacks_of_scikit_learn(tmp_path):
    # They came with 1.9.
    assert run_python("-c", WITHOUT_CALLBACKS, cwd=tmp_path) == "2 False\n"


def test_cutting_windows_needs_numpy_alone():
    libraries = {name.split(".")[0] for name in imported_modules(SOURCES["windows/_views"])}
    assert libraries == {"collections", "numpy"}
