"""Every private name of scikit-learn that this package uses, and nothing else."""

from sklearn.base import _fit_context as fit_context
from sklearn.model_selection._search import BaseSearchCV
from sklearn.utils._optional_dependencies import check_matplotlib_support
from sklearn.utils._param_validation import Interval, StrOptions, validate_params
from sklearn.utils._plotting import _validate_style_kwargs as validate_style_kwargs
from sklearn.utils.validation import (
    _check_feature_names_in as check_feature_names_in,
)
from sklearn.utils.validation import (
    _check_sample_weight as check_sample_weight,
)
from sklearn.utils.validation import (
    _get_feature_names as feature_names_of,
)

__all__ = [
    "BaseSearchCV",
    "Interval",
    "StrOptions",
    "check_feature_names_in",
    "check_matplotlib_support",
    "check_sample_weight",
    "feature_names_of",
    "fit_context",
    "validate_params",
    "validate_style_kwargs",
]
