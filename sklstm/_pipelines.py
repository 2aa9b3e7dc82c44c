"""The regressor inside a Pipeline or a search, and what of X comes to it."""

from typing import Any

from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from sklstm._regressor import LSTMRegressor
from sklstm._sklearn_compat import BaseSearchCV


def resolve_regressor(estimator: Any, X: Any = None) -> tuple[LSTMRegressor, Any]:
    """The fitted regressor that `estimator` ends in, and `X` as it comes to it."""
    pipelines = []
    whole = estimator
    while not isinstance(estimator, LSTMRegressor):
        if isinstance(estimator, Pipeline):
            pipelines.append(estimator)
            estimator = estimator.steps[-1][1]
        elif isinstance(estimator, BaseSearchCV):
            estimator = _best_estimator(estimator)
        else:
            found = "" if estimator is whole else f", which ends in {estimator!r}"
            raise ValueError(
                "Expected a fitted LSTMRegressor, or a Pipeline or a search that ends in "
                f"one, got {type(whole).__name__}{found}."
            )
    check_is_fitted(estimator, "net_")
    for pipeline in pipelines:
        if X is not None and len(pipeline) > 1:
            X = pipeline[:-1].transform(X)
    return estimator, X


def _best_estimator(search: BaseSearchCV) -> BaseEstimator:
    if not search.refit:
        raise ValueError(
            f"This {type(search).__name__} has refit={search.refit!r}, so that no "
            "estimator is fitted on all rows. Set refit=True, or pass an estimator fitted "
            "with search.best_params_."
        )
    check_is_fitted(search, "best_estimator_")
    return search.best_estimator_
