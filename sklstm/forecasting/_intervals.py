"""conformal_interval: bounds around a forecast from the errors of a backtest."""

from collections.abc import Callable, Hashable, Sequence
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from sklstm._sklearn_compat import validate_params

COLUMNS = ("step", "y_true", "y_pred")
# Below this, (n + 1) * coverage is a whole number that rounding has moved.
ROUNDING = 1e-9


@validate_params(
    {
        "y_pred": ["array-like"],
        "errors": [pd.DataFrame],
        "coverage": [Real, "array-like"],
        "symmetric": ["boolean"],
        "by": [callable, None],
    },
    prefer_skip_nested_validation=True,
)
def conformal_interval(
    y_pred: ArrayLike,
    errors: pd.DataFrame,
    coverage: float | Sequence[float] = 0.9,
    *,
    symmetric: bool = True,
    by: Callable[[pd.Index], Any] | None = None,
) -> pd.DataFrame:
    """Bounds around a forecast that hold as often as its past errors say.

    Split conformal prediction [1]_, each step ahead by its own errors. With `n` errors
    ``e = y_true - y_pred`` of a step, its bounds are ``y_pred - q`` and ``y_pred + q``,
    where ``q`` is the ``ceil((n + 1) * coverage)``-th smallest absolute error. If the next
    error is exchangeable with these, the true value lies between the bounds with at least
    that probability, whatever the model and the distribution of its errors.

    Parameters
    ----------
    y_pred : array-like of shape (steps,) or (steps, n_targets)
        A forecast, its first row one step ahead, as :func:`forecast` gives it.

    errors : DataFrame
        Table of a :func:`backtest` of the same model and target, with the columns `step`,
        `y_true` and `y_pred` and, if there are several targets, `target`. Rows with NaN are
        left out. More origins make the bounds steadier.

    coverage : float or sequence of float, default=0.9
        Probabilities with which the bounds should hold, between 0 and 1. Higher ones need
        more errors and give wider bounds.

    symmetric : bool, default=True
        Whether both bounds are as far from the forecast. False takes each from its own
        tail, which follows skewed errors and needs twice as many of them.

    by : callable, default=None
        Tells errors apart by their labels instead of by their step: `by` gets the labels of
        rows as an index and returns a value for each, such as ``lambda day: day.month``.
        Bounds then come from the errors of the same value, of all steps.

    Returns
    -------
    bounds : DataFrame of shape (steps, 2)
        Columns `lower` and `upper`, with the index of `y_pred`. With several coverages the
        columns have a level for them before, and with several targets one before that.

    Raises
    ------
    ValueError
        If there are too few errors for the coverage of a step, with the number of origins
        that it needs; if `errors` lacks columns, or steps or targets of `y_pred`; if
        coverage is not between 0 and 1; or if `y_pred` is not finite.

    See Also
    --------
    backtest : Makes the table of errors.
    forecast : Makes the forecast.

    Notes
    -----
    Errors of overlapping forecasts resemble each other, and a series may change: the
    coverage then holds on average only, and no longer where later errors are larger.

    References
    ----------
    .. [1] Vovk, Gammerman & Shafer, "Algorithmic learning in a random world", Springer,
       2005.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from sklstm import conformal_interval
    >>> error = np.random.default_rng(0).normal(size=200)
    >>> errors = pd.DataFrame({"step": np.tile([1, 2], 100), "y_true": error})
    >>> errors["y_pred"] = 0.0
    >>> conformal_interval([5.0, 6.0], errors, coverage=0.8).round(1)
       lower  upper
    0    3.7    6.3
    1    4.7    7.3

    A high coverage needs many errors:

    >>> conformal_interval([5.0, 6.0], errors, coverage=0.999)
    Traceback (most recent call last):
    ...
    ValueError: coverage=0.999 needs at least 999 errors for each step, but step 1 has...
    """
    forecasts = _check_forecast(y_pred)
    levels = _check_coverage(coverage)
    _check_errors(errors, n_targets=forecasts.shape[1])
    is_one = forecasts.shape[1] == 1
    bounds: dict[tuple[Hashable, float], pd.DataFrame] = {}
    for name, values in forecasts.items():
        of_target = errors if is_one else errors[errors["target"] == name]
        samples = _samples(forecasts.index, of_target, by)
        for level in levels:
            lower, upper = _margins(samples, level, symmetric)
            bounds[name, level] = pd.DataFrame(
                {"lower": values + lower, "upper": values + upper}
            )
    table = pd.concat(bounds, axis=1, names=["target", "coverage"])
    if np.ndim(coverage) == 0:
        table = table.droplevel("coverage", axis=1)
    return table.droplevel("target", axis=1) if is_one else table


def _check_forecast(y_pred: Any) -> pd.DataFrame:
    """Return the forecast as a table of steps and targets."""
    table = y_pred if isinstance(y_pred, pd.DataFrame) else None
    if isinstance(y_pred, pd.Series):
        table = y_pred.to_frame()
    if table is None:
        table = pd.DataFrame(np.asarray(y_pred, dtype=np.float64))
    table = table.astype(np.float64)
    if table.empty or not np.isfinite(table.to_numpy()).all():
        raise ValueError(
            "y_pred has to hold a finite number for each step, as forecast gives it, got "
            f"{y_pred!r}."
        )
    return table


def _check_coverage(coverage: Any) -> list[float]:
    levels = [float(level) for level in np.atleast_1d(np.asarray(coverage, dtype=object))]
    if not levels or not all(0 < level < 1 for level in levels):
        raise ValueError(
            f"coverage={coverage!r} has to be a probability between 0 and 1, or several."
        )
    if len(set(levels)) < len(levels):
        raise ValueError(f"coverage={coverage!r} names a probability more than once.")
    return levels


def _check_errors(errors: pd.DataFrame, *, n_targets: int) -> None:
    needed = [*COLUMNS, *(["target"] if n_targets > 1 else [])]
    missing = [name for name in needed if name not in errors]
    if missing:
        raise ValueError(
            f"errors lacks the columns {missing}. Pass the table of backtest, of the model "
            f"and the {n_targets} targets of y_pred."
        )
    if n_targets == 1 and "target" in errors and errors["target"].nunique() > 1:
        raise ValueError(
            f"errors are of the targets {errors['target'].unique().tolist()}, but y_pred "
            "has one column. Select its rows of errors first."
        )


def _samples(
    index: pd.Index, errors: pd.DataFrame, by: Callable[[pd.Index], Any] | None
) -> list[tuple[str, NDArray[np.float64]]]:
    """Return for each step a name for its kind, and the errors of the same kind, sorted."""
    error = (errors["y_true"] - errors["y_pred"]).to_numpy(dtype=np.float64)
    if by is None:
        kinds, asked_for = errors["step"].to_numpy(), np.arange(1, len(index) + 1)
    else:
        if "label" not in errors:
            raise ValueError("errors lacks the column 'label', which by reads.")
        kinds = _values_by(by, pd.Index(errors["label"]))
        asked_for = _values_by(by, index)
    name = "step" if by is None else "by"
    known = np.isfinite(error)
    return [
        (f"{name} {kind}", np.sort(error[known & (kinds == kind)])) for kind in asked_for
    ]


def _values_by(by: Callable[[pd.Index], Any], labels: pd.Index) -> NDArray:
    values = np.asarray(by(labels))
    if values.shape != (len(labels),):
        raise ValueError(
            f"by has to return one value for each of {len(labels)} labels, got an array of "
            f"shape {values.shape}."
        )
    return values


def _margins(
    samples: list[tuple[str, NDArray[np.float64]]], level: float, symmetric: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return what to add to the forecast of each step for its lower and upper bound."""
    needed = _n_needed(level, symmetric)
    lower, upper = np.empty(len(samples)), np.empty(len(samples))
    for k, (name, error) in enumerate(samples):
        if len(error) < needed:
            raise ValueError(
                f"coverage={level:g} needs at least {needed} errors for each step, but "
                f"{name} has {len(error)}: so many origins of the backtest reach it. Give "
                "it more origins (a smaller every, more test rows), or lower coverage."
            )
        if symmetric:
            upper[k] = np.sort(np.abs(error))[_rank(len(error), level) - 1]
            lower[k] = -upper[k]
        else:
            rank = _rank(len(error), (1 + level) / 2)
            lower[k], upper[k] = error[len(error) - rank], error[rank - 1]
    return lower, upper


def _rank(n: int, probability: float) -> int:
    """Return the rank, from 1, of the error that bounds a new one with a probability."""
    return int(np.ceil((n + 1) * probability - ROUNDING))


def _n_needed(level: float, symmetric: bool) -> int:
    """Return the least number of errors of which one has the rank."""
    probability = level if symmetric else (1 + level) / 2
    n = max(int(probability / (1 - probability)) - 1, 1)
    while _rank(n, probability) > n:
        n += 1
    return n
