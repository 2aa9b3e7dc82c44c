"""The windows and the regressor inside a Pipeline, a search or another wrapper."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

from sklearn.base import BaseEstimator
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.utils.validation import check_is_fitted

from sklstm._regressor import LSTMRegressor
from sklstm._sklearn_compat import BaseSearchCV
from sklstm._types import Passed
from sklstm.windows._fitted_series import FittedSeries
from sklstm.windows._forward_fill import ForwardFill
from sklstm.windows._holes import FittedLabels
from sklstm.windows._transformer import WindowTransformer
from sklstm.windows._views import history_reach

Part = TypeVar("Part", bound=BaseEstimator)

# Where wrappers keep the estimators that they have fitted.
FITTED_PARTS = ("regressor_", "estimator_", "estimators_", "estimator")


def resolve_regressor(
    estimator: BaseEstimator, X: Passed = None
) -> tuple[LSTMRegressor, Passed]:
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


def fitted_steps(
    estimator: BaseEstimator, name: str | None = None
) -> list[tuple[str, BaseEstimator]]:
    """Return the named steps that rows go through, also of inner pipelines and searches.

    An estimator that is neither is the only step, of the given name or that of its type.
    """
    return _fitted_steps(estimator, name or type(estimator).__name__)


def _fitted_steps(estimator: BaseEstimator, name: str) -> list[tuple[str, BaseEstimator]]:
    if isinstance(estimator, BaseSearchCV):
        return _fitted_steps(best_estimator(estimator), name)
    if not isinstance(estimator, Pipeline):
        return [(name, estimator)]
    return [
        inner
        for step_name, step in estimator.steps
        if step is not None and not isinstance(step, str)  # "passthrough"
        for inner in _fitted_steps(step, step_name)
    ] or [(name, estimator)]


def best_estimator(search: BaseSearchCV) -> BaseEstimator:
    """Return the estimator that a search has fitted on all rows."""
    if not search.refit:
        raise ValueError(
            f"This {type(search).__name__} has refit={search.refit!r}, so no estimator is "
            "fitted on all rows. Set refit=True, or pass an estimator fitted with "
            "search.best_params_."
        )
    check_is_fitted(search, "best_estimator_")
    return search.best_estimator_


@dataclass(frozen=True)
class ModelWindows:
    """The fitted window transformers of a model, which have one horizon.

    `read_directly` says that there is one, right before an `LSTMRegressor`, whose
    prediction of a row does not depend on other rows. `fills` says that a step fills
    missing values of a row from the rows before it.
    """

    transformers: tuple[WindowTransformer, ...]
    read_directly: bool
    fills: bool

    @property
    def seq_length(self) -> int:
        """Steps of the longest windows."""
        return max(int(one.seq_length) for one in self.transformers)

    @property
    def horizon(self) -> int:
        """Steps from a window to the row that it predicts."""
        return int(self.transformers[0].horizon)

    @property
    def reach(self) -> int:
        """Steps before a row that its window can reach back to."""
        return history_reach(self.seq_length, self.horizon)

    @property
    def groups(self) -> str | int | None:
        """What tells series apart; None for one series."""
        return self.transformers[0].groups

    @property
    def cuts(self) -> bool:
        """Whether windows are cut at missing steps."""
        return any(one.missing == "cut" for one in self.transformers)

    def fitted_labels(self) -> FittedLabels | None:
        """Return what the labels of the fitted rows say, if they reached the windows."""
        return self.transformers[0]._fitted_labels()

    def fitted_series(self) -> FittedSeries:
        """Return what is remembered of several series."""
        one = self.transformers[0]
        return FittedSeries.from_state(one.series_, one.context_, one._series_state)


def resolve_windows(model: BaseEstimator) -> ModelWindows:
    """Return the windows that a fitted model reads; an error if it reads none."""
    check_is_fitted(model)
    found = tuple(_iter_parts(model, WindowTransformer))
    if not found:
        raise ValueError(
            "Expected a fitted model with a WindowTransformer, such as a Pipeline or a "
            f"search, got {type(model).__name__}. Predictions can only be fed back in "
            "where windows are cut inside the model: make_pipeline(WindowTransformer(), "
            "LSTMRegressor())."
        )
    horizons = sorted({int(transformer.horizon) for transformer in found})
    if len(horizons) > 1:
        raise ValueError(
            f"The model cuts windows with several horizons, {horizons}: their predictions "
            "are of different steps. Use one horizon in all of its WindowTransformers."
        )
    if len({str(transformer.groups) for transformer in found}) > 1:
        raise ValueError(
            "The WindowTransformers of the model tell series apart in several ways: groups="
            f"{[transformer.groups for transformer in found]!r}. Use the same in all."
        )
    for transformer in found:
        check_is_fitted(transformer)
    steps_from = _steps_from_windows(model) if len(found) == 1 else []
    is_direct = len(steps_from) == 2 and _ends_in_lstm(steps_from[1])
    fills = any(True for _ in _iter_parts(model, ForwardFill))
    return ModelWindows(found, read_directly=is_direct, fills=fills)


def unfitted_groups(model: BaseEstimator) -> str | int | None:
    """Return the `groups` of the window transformers of a model, fitted or not."""
    parts = [model, *model.get_params().values()] if hasattr(model, "get_params") else []
    transformers = [part for part in parts if isinstance(part, WindowTransformer)]
    return transformers[0].groups if transformers else None


def moves_columns(model: BaseEstimator) -> bool:
    """Return whether a ColumnTransformer is among the parts of a model."""
    parts = model.get_params().values() if hasattr(model, "get_params") else []
    return any(isinstance(part, ColumnTransformer) for part in parts)


def prediction_horizon(model: BaseEstimator) -> int:
    """Return how many steps ahead a model predicts; 1 if it cuts no windows itself."""
    windows = next(_iter_parts(model, WindowTransformer), None)
    return 1 if windows is None else max(int(windows.horizon), 1)


def _iter_parts(estimator: BaseEstimator, kind: type[Part]) -> Iterator[Part]:
    """Yield the parts of a fitted model that are of one kind, in the order of the steps."""
    if isinstance(estimator, kind):
        yield estimator
    else:
        for part in _fitted_parts(estimator):
            yield from _iter_parts(part, kind)


def _fitted_parts(estimator: BaseEstimator) -> list[BaseEstimator]:
    """Return the estimators inside a fitted one, one level down."""
    if isinstance(estimator, Pipeline):
        return [step for _, step in estimator.steps]
    if isinstance(estimator, BaseSearchCV):
        return [best_estimator(estimator)]
    if isinstance(estimator, ColumnTransformer):
        return list(estimator.named_transformers_.values())
    if isinstance(estimator, FeatureUnion):
        return [part for _, part in estimator.transformer_list]
    for name in FITTED_PARTS:
        parts = getattr(estimator, name, None)
        if parts is not None:
            return list(parts) if isinstance(parts, (list, tuple)) else [parts]
    return []


def _steps_from_windows(model: BaseEstimator) -> list[BaseEstimator]:
    """Return the steps of a Pipeline from the windows on; [] if they are no step of one."""
    while not isinstance(model, Pipeline):
        parts = _fitted_parts(model)
        if len(parts) != 1:
            return []
        (model,) = parts
    steps = [step for _, step in model.steps if step not in (None, "passthrough")]
    for k, step in enumerate(steps):
        if isinstance(step, WindowTransformer):
            return steps[k:]
        if any(True for _ in _iter_parts(step, WindowTransformer)):
            return _steps_from_windows(step)
    return []


def _ends_in_lstm(regressor: BaseEstimator) -> bool:
    while not isinstance(regressor, LSTMRegressor):
        parts = _fitted_parts(regressor)
        if len(parts) != 1:
            return False
        (regressor,) = parts
    return True
