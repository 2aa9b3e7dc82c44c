"""Warnings that point at the line of the user's code that caused them."""

import sys
import warnings
from pathlib import Path

import joblib
import sklearn

# Packages whose frames are skipped, however many wrappers a method has.
PACKAGES = tuple(
    f"{Path(folder).as_posix()}/"
    for folder in (Path(__file__).parents[1], *sklearn.__path__, *joblib.__path__)
)


def warn_caller(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn at the innermost line outside of this package, scikit-learn and joblib."""
    frame, stacklevel = sys._getframe(1), 2  # the frame that called this function
    while frame.f_back is not None and _is_inside(frame.f_code.co_filename):
        frame, stacklevel = frame.f_back, stacklevel + 1
    warnings.warn(message, category, stacklevel=stacklevel)


def _is_inside(filename: str) -> bool:
    return Path(filename).as_posix().startswith(PACKAGES)
