"""The regressor inside a Pipeline or a search, and what of X comes to it."""

from typing import Any

from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from sklstm._regressor import LSTMRegressor
from sklstm._sklearn_compat import BaseSearchCV


def resolve_regressor(estimator: BaseEstimator, X: Any = None) -> tuple[LSTMRegressor, Any]:
    """Return the fitted regressor that a model ends in, and `X` as it reaches it."""
    *before, (_, regressor) = fitted_steps(estimator)
    if not isinstance(regressor, LSTMRegressor):
        found = "" if regressor is estimator else f", which ends in {regressor!r}"
        raise ValueError(
            "Expected a fitted LSTMRegressor, or a Pipeline or a search that ends in "
            f"one, got {type(estimator).__name__}{found}."
        )
    check_is_fitted(regressor, "net_")
    if X is not None:
        for _, step in before:
            X = step.transform(X)
    return regressor, X


def fitted_steps(estimator: BaseEstimator) -> list[tuple[str, BaseEstimator]]:
    """Return the named steps that rows go through, also of inner pipelines and searches.

    An estimator that is neither is the only step, named after its type.
    """
    return _fitted_steps(estimator, type(estimator).__name__)


def _fitted_steps(estimator: BaseEstimator, name: str) -> list[tuple[str, BaseEstimator]]:
    if isinstance(estimator, BaseSearchCV):
        return _fitted_steps(_best_estimator(estimator), name)
    if not isinstance(estimator, Pipeline):
        return [(name, estimator)]
    return [
        inner
        for step_name, step in estimator.steps
        if step is not None and not isinstance(step, str)  # "passthrough"
        for inner in _fitted_steps(step, step_name)
    ] or [(name, estimator)]


def _best_estimator(search: BaseSearchCV) -> BaseEstimator:
    if not search.refit:
        raise ValueError(
            f"This {type(search).__name__} has refit={search.refit!r}, so no estimator is "
            "fitted on all rows. Set refit=True, or pass an estimator fitted with "
            "search.best_params_."
        )
    check_is_fitted(search, "best_estimator_")
    return search.best_estimator_
