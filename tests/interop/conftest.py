"""What is collected here, and which warnings of other libraries are let through."""

import importlib
import importlib.util
import warnings
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent
# One library of the extra that no other extra installs. With it, a library that is missing
# is an error, not a test that nobody runs.
HAS_EXTRA = importlib.util.find_spec("optuna_integration") is not None
collect_ignore_glob = [] if HAS_EXTRA else ["*.py"]  # doctests are looked for in all

# What will change in a library's own code is not for us to mend. Every other warning is an
# error here too, so that what sklstm warns of inside a library is seen.
LEFT_TO_THE_LIBRARIES = (
    "ignore::DeprecationWarning",
    "ignore::PendingDeprecationWarning",
    "ignore::FutureWarning",
)
WARN_ON_IMPORT = ("mlflow.pyfunc", "shap")

if HAS_EXTRA:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for library in WARN_ON_IMPORT:
            importlib.import_module(library)


def pytest_collection_modifyitems(items):
    for item in items:
        if FOLDER in item.path.parents:
            for text in LEFT_TO_THE_LIBRARIES:
                item.add_marker(pytest.mark.filterwarnings(text))
