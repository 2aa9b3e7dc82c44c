"""conformal_interval: bounds around a forecast from the errors of a backtest."""

from collections.abc import Hashable, Sequence
from dataclasses import replace
from numbers import Real

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from sklstm._sklearn_compat import validate_params
from sklstm._types import By, Coverage, Label
from sklstm.forecasting._forecast_table import (
    ForecastTable,
    check_errors,
    check_forecast,
    levels_of_errors,
)
from sklstm.forecasting._margins import margins, samples
from sklstm.forecasting._quantiles import level_column


@validate_params(
    {
        "y_pred": ["array-like"],
        "errors": [pd.DataFrame],
        "coverage": [Real, "array-like"],
        "symmetric": ["boolean"],
        "by": [callable, str, None],
    },
    prefer_skip_nested_validation=True,
)
def conformal_interval(
    y_pred: ArrayLike,
    errors: pd.DataFrame,
    coverage: float | Sequence[float] = 0.9,
    *,
    symmetric: bool = True,
    by: By = None,
) -> pd.DataFrame:
    """Put bounds around a forecast, from past errors of the same model.

    This is split conformal prediction [1]_, with the errors of each step ahead on their
    own. With `n` errors ``e = y_true - y_pred`` of a step, its bounds are ``y_pred - q``
    and ``y_pred + q``, where ``q`` is the ``ceil((n + 1) * coverage)``-th smallest absolute
    error. If the next error is exchangeable with these, the true value lies between the
    bounds with at least that probability, whatever the model and the distribution of its
    errors.

    If the forecast has quantiles, this is conformalized quantile regression [2]_: the two
    levels closest to ``(1 - coverage) / 2`` and ``(1 + coverage) / 2`` are moved outwards
    by the same rank of ``max(low - y_true, y_true - high)``, or inwards if that is
    negative. The bounds then hold equally often, and are wide when the model expects large
    errors and narrow when it does not.

    Parameters
    ----------
    y_pred : array-like of shape (steps,), (steps, n_targets), (steps, n_levels) or \
            (steps, n_targets, n_levels)
        A forecast, its first row one step ahead, as :func:`forecast` gives it. For
        quantiles, the result of ``forecast(..., quantiles=True)``.

    errors : DataFrame
        Table of a :func:`backtest` of the same model and target, with the columns `step`,
        `y_true` and `y_pred` and, if there are several targets, `target`; for quantiles
        also a column for each level, such as `y_pred_0.1`. Rows with NaN are left out. More
        origins make the bounds steadier.

    coverage : float or sequence of float, default=0.9
        Probabilities with which the bounds should hold, between 0 and 1. Higher ones need
        more errors and give wider bounds.

    symmetric : bool, default=True
        Whether both bounds are equally far from the forecast. False takes each from its own
        tail, which suits skewed errors and needs twice as many of them.

    by : callable or str, default=None
        A callable groups errors by their labels instead of by their step: it is passed the
        labels as an index and returns a value for each, such as ``lambda day: day.month``.
        Bounds then come from all errors with the same value, whatever their step. With
        several series, the errors of all are pooled by default; pass the name of the level
        or column that tells them apart to use the errors of each series alone.

    Returns
    -------
    bounds : DataFrame of shape (steps, 2)
        Columns `lower` and `upper`, with the index of `y_pred`. If `y_pred` has a column
        that names series, it comes first. Several coverages make an outer level of the
        columns, and several targets one above it.

    Raises
    ------
    ValueError
        If there are too few errors for the coverage of a step, with the number of origins
        that it needs; if `errors` lacks columns, or steps or targets of `y_pred`; if
        coverage is not between 0 and 1; or if `y_pred` is not finite.

    Warns
    -----
    UserWarning
        If `errors` has quantiles and `y_pred` has none. The bounds are then those around
        the median.

    See Also
    --------
    backtest : Makes the table of errors.
    forecast : Makes the forecast.

    Notes
    -----
    Errors of overlapping forecasts resemble each other, and a series may change: the
    coverage then holds on average only, and not if later errors are larger.

    References
    ----------
    .. [1] Vovk, Gammerman & Shafer, "Algorithmic learning in a random world", Springer,
       2005.
    .. [2] Romano, Patterson & Candes, "Conformalized quantile regression", NeurIPS 2019.

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
    levels = check_coverage(coverage)
    forecast = check_forecast(y_pred, errors)
    table = bounds(forecast, errors, levels, symmetric=symmetric, by=by)
    table = table if np.ndim(coverage) else table.droplevel("coverage", axis=1)
    if forecast.keys is not None and forecast.key_name not in table.index.names:
        rest = [""] * (table.columns.nlevels - 1)
        name: Label = (forecast.key_name, *rest) if rest else forecast.key_name
        table.insert(0, name, forecast.keys)
    return table


def bounds(
    forecast: ForecastTable,
    errors: pd.DataFrame,
    coverages: list[float],
    *,
    symmetric: bool = True,
    by: By = None,
) -> pd.DataFrame:
    """Return the bounds of all coverages, with a level of columns for them.

    With several targets, one for these before that.
    """
    is_one = len(forecast.targets) == 1
    tables = {
        (name, coverage): _bounds_of_target(
            forecast,
            name,
            errors if is_one else errors[errors["target"] == name],
            coverage,
            symmetric=symmetric,
            by=by,
        )
        for name in forecast.targets
        for coverage in coverages
    }
    table = pd.concat(tables, axis=1, names=["target", "coverage"])
    return table.droplevel("target", axis=1) if is_one else table


def with_bounds(
    forecast: ForecastTable, errors: pd.DataFrame, coverage: float | Sequence[float]
) -> pd.DataFrame:
    """Return `y_pred` beside its bounds `lower` and `upper`, in one table."""
    if not forecast.levels and levels_of_errors(errors):
        raise ValueError(
            f"errors has the quantiles {levels_of_errors(errors)}, but the model was "
            "fitted with another loss than 'quantile'. Pass the table of a backtest of "
            "the same model."
        )
    if forecast.levels and not levels_of_errors(errors):
        forecast = replace(forecast, levels={})
    check_errors(errors, forecast)
    table = bounds(forecast, errors, check_coverage(coverage))
    if not np.ndim(coverage):
        table = table.droplevel("coverage", axis=1)
    is_one, n_levels = len(forecast.targets) == 1, table.columns.nlevels
    parts = []
    for name in forecast.targets:
        key = ("y_pred",) if is_one else (name, "y_pred")
        values = forecast.values[[name]]
        padded = key + ("",) * (n_levels - len(key))
        values.columns = pd.MultiIndex.from_tuples([padded]) if n_levels > 1 else list(key)
        of_target = table if is_one else table[[name]]
        parts.append(pd.concat([values, of_target], axis=1))
    result = pd.concat(parts, axis=1)
    result.columns.names = table.columns.names
    return result


def _bounds_of_target(
    forecast: ForecastTable,
    name: Hashable,
    errors: pd.DataFrame,
    coverage: float,
    *,
    symmetric: bool,
    by: By,
) -> pd.DataFrame:
    low = high = forecast.values[name]
    columns, pair = ["y_pred", "y_pred"], forecast.pair(coverage)
    if pair is not None:
        low, high = (forecast.levels[level][name] for level in pair)
        columns = [level_column(level) for level in pair]
    of_steps = samples(forecast, errors, columns[0], columns[1], by)
    below, above = margins(of_steps, coverage, symmetric=symmetric)
    # Quantiles that were too far apart may pass each other when they are moved inwards.
    ends = np.sort([low - below, high + above], axis=0)
    return pd.DataFrame({"lower": ends[0], "upper": ends[1]}, index=low.index)


def check_coverage(coverage: Coverage) -> list[float]:
    """Return one or several coverages as a list, each between 0 and 1."""
    levels = [float(level) for level in np.atleast_1d(np.asarray(coverage, dtype=object))]
    if not levels or not all(0 < level < 1 for level in levels):
        raise ValueError(
            f"coverage={coverage!r} has to be a probability between 0 and 1, or several."
        )
    if len(set(levels)) < len(levels):
        raise ValueError(f"coverage={coverage!r} names a probability more than once.")
    return levels
