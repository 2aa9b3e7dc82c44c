"""predict_quantiles: all levels of a quantile model, through the estimators around it."""

import copy
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.compose import TransformedTargetRegressor
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from sklstm._pipelines import best_estimator
from sklstm._regressor import LSTMRegressor
from sklstm._sklearn_compat import BaseSearchCV
from sklstm._training._quantiles import main_level
from sklstm.forecasting._columns import Table

# Relative size of the steps back that rounding may leave in an increasing function.
ROUNDING = 1e-9


def predict_quantiles(model: BaseEstimator, X: ArrayLike) -> NDArray[np.float64]:
    """Predict all levels of a model that was fitted with ``loss="quantile"``.

    Parameters
    ----------
    model : estimator
        Fitted :class:`LSTMRegressor` with ``loss="quantile"``; a
        :class:`~sklearn.pipeline.Pipeline`, a search or a
        :class:`~sklearn.frozen.FrozenEstimator` that ends in one; or a
        :class:`~sklearn.compose.TransformedTargetRegressor` around any of these, whose
        inverse transform is applied to each level and has to be increasing.

    X : array-like
        What ``model.predict`` reads.

    Returns
    -------
    quantiles : ndarray of shape (n_samples, n_levels) or (n_samples, n_outputs, n_levels)
        Predictions of each level, in the order of `quantiles` in `fit` and the units of
        `y`, with an axis for the outputs if `y` had one. They never decrease along the
        levels. The level 0.5 is what ``model.predict`` returns.

    Raises
    ------
    NotFittedError
        If the model is not fitted.

    TypeError
        As in ``model.predict``.

    ValueError
        If the model does not end in an :class:`LSTMRegressor`, or was fitted with another
        loss; if the inverse transform of a TransformedTargetRegressor is not increasing; or
        as in ``model.predict``.

    See Also
    --------
    conformal_interval : Corrects the levels by the errors of a backtest, so that they
        cover what they should.
    backtest : Lists the levels of past forecasts.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklstm import LSTMRegressor, WindowTransformer, predict_quantiles
    >>> noise = np.random.default_rng(0).normal(scale=0.1, size=200)
    >>> y = np.sin(0.3 * np.arange(200)) + noise
    >>> lstm = LSTMRegressor(
    ...     8, loss="quantile", quantiles=(0.1, 0.5, 0.9), residual=True, random_state=0
    ... )
    >>> model = make_pipeline(WindowTransformer(), lstm).fit(y[:150, None], y[:150])
    >>> levels = predict_quantiles(model, y[150:, None])
    >>> levels.shape
    (50, 3)
    >>> np.array_equal(levels[:, 1], model.predict(y[150:, None]))
    True

    Other losses predict one value:

    >>> model.set_params(lstmregressor__loss="squared_error").fit(y[:, None], y)
    Pipeline(...)
    >>> predict_quantiles(model, y[:, None])
    Traceback (most recent call last):
    ...
    ValueError: The model was fitted with loss='squared_error', which predicts one value...
    """
    if isinstance(model, LSTMRegressor):
        return model._predict_quantiles(X)
    check_is_fitted(model)
    if isinstance(model, Pipeline):
        if len(model.steps) > 1:
            X = model[:-1].transform(X)
        return predict_quantiles(model.steps[-1][1], X)
    if isinstance(model, TransformedTargetRegressor):
        return _in_units_of_y(model, predict_quantiles(model.regressor_, X))
    inner = _inner(model)
    if inner is None:
        raise ValueError(
            "Expected a fitted LSTMRegressor with loss='quantile', or a Pipeline, a search "
            "or a TransformedTargetRegressor that ends in one, got "
            f"{type(model).__name__}."
        )
    return predict_quantiles(inner, X)


def _inner(model: BaseEstimator) -> BaseEstimator:
    """Return the fitted estimator that a model leaves its predictions to; None if none."""
    if isinstance(model, BaseSearchCV):
        return best_estimator(model)
    if isinstance(model, FrozenEstimator):
        return model.estimator
    if isinstance(model, Pipeline):
        return model.steps[-1][1]
    return model.regressor_ if isinstance(model, TransformedTargetRegressor) else None


def fitted_quantiles(model: BaseEstimator) -> tuple[float, ...]:
    """Return the levels that a fitted model predicts; () if it is no quantile model."""
    while not isinstance(model, LSTMRegressor):
        model = _inner(model)
        if model is None:
            return ()
    return model._fitted().quantiles


def level_column(quantile: float) -> str:
    """Return the name of a level's column in the table of a backtest."""
    return f"y_pred_{quantile}"


class _OneLevel:
    """Stands for a regressor that has predicted one level."""

    def __init__(self, level: NDArray) -> None:
        self.level = level

    def predict(self, X: ArrayLike) -> NDArray:
        """Return the level, whatever the rows."""
        return self.level


def _in_units_of_y(model: TransformedTargetRegressor, levels: NDArray) -> NDArray:
    """Return levels of a transformed target, each as `model.predict` would convert it."""
    converter = copy.copy(model)
    converted = []
    for level in range(levels.shape[-1]):
        converter.regressor_ = _OneLevel(levels[..., level])
        converted.append(converter.predict(None))
    result = np.stack(converted, axis=-1)
    n_outputs = levels.shape[1] if levels.ndim == 3 else 1
    before = levels.reshape(len(levels), n_outputs, -1)
    after = result.reshape(len(levels), n_outputs, -1)
    for output in range(n_outputs):
        _check_increasing(before[:, output].ravel(), after[:, output].ravel())
    return result


def _check_increasing(before: NDArray, after: NDArray) -> None:
    order = np.argsort(before, kind="stable")
    before, after = before[order], after[order]
    steps = np.diff(after)
    wrong = steps < -ROUNDING * np.maximum(np.abs(after[1:]), np.abs(after[:-1]))
    if wrong.any() or not np.isfinite(after).all():
        k = int(wrong.argmax())
        raise ValueError(
            "The inverse transform of TransformedTargetRegressor is not increasing: it "
            f"maps {before[k]:.6g} to {after[k]:.6g}, and {before[k + 1]:.6g} to "
            f"{after[k + 1]:.6g}. Levels of the transformed target are not those of the "
            "target then. Use an increasing function, such as np.log."
        )


@dataclass(frozen=True)
class Predictor:
    """A fitted model, and the levels that are wanted besides what `predict` returns."""

    model: BaseEstimator
    quantiles: tuple[float, ...] = ()

    def outputs(self, table: Table) -> NDArray[np.float64]:
        """Return predictions (1 + n_levels, n_rows, n_outputs), the levels after the first.

        The first are those of `model.predict`, which are fed back.
        """
        if not self.quantiles:
            outputs = np.asarray(self.model.predict(table), dtype=np.float64)
            return outputs.reshape(1, len(outputs), -1)
        levels = np.moveaxis(predict_quantiles(self.model, table), -1, 0)
        levels = levels.reshape(len(levels), levels.shape[1], -1)
        return np.concatenate([levels[[main_level(self.quantiles)]], levels])
