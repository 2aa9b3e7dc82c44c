"""Bounds around a forecast, in the forms that they come in, as bands to draw."""

from collections.abc import Hashable

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from sklstm._training._quantiles import main_level
from sklstm._types import Passed
from sklstm.inspection._forecast_rows import ForecastRows
from sklstm.windows._labels import table_index


def split_bounds(y_pred: Passed, interval: Passed) -> tuple[Passed, Passed]:
    """Return predictions and bounds, also where `forecast` gives both in one table."""
    if not isinstance(y_pred, pd.DataFrame):
        return y_pred, interval
    columns = y_pred.columns
    levels = [columns.get_level_values(k) for k in range(columns.nlevels)]
    has_bounds = {"lower", "upper"} <= set(levels[-1]) | set(
        levels[min(1, len(levels) - 1)]
    )
    level = next((k for k, names in enumerate(levels) if "y_pred" in names), None)
    if level is None or not has_bounds:
        return y_pred, interval
    is_value = np.asarray(levels[level] == "y_pred")
    table = y_pred.loc[:, is_value]
    values: pd.Series | pd.DataFrame = table.iloc[:, 0].rename(None)  # of one target
    if level > 0:
        values = table.set_axis(levels[0][is_value], axis=1)
    return values, y_pred.loc[:, ~is_value] if interval is None else interval


def read_intervals(
    interval: Passed, y_pred: Passed, rows: ForecastRows
) -> dict[str, NDArray[np.float64]]:
    """Return the bands, widest first: by name, arrays (n_rows, n_outputs, 2)."""
    if interval is None:
        return {}
    n_rows = len(y_pred)
    if not isinstance(interval, dict) and len(interval) != n_rows:
        raise ValueError(
            f"interval has {len(interval)} rows, but y_pred has {n_rows}; it should have "
            "bounds for each row."
        )
    index = table_index(y_pred)
    if isinstance(interval, dict):
        by_name = interval
    elif isinstance(interval, pd.DataFrame):
        if index is not None and not index.equals(interval.index):
            raise ValueError(
                "interval has other labels than y_pred. Pass the bounds of this forecast."
            )
        by_name = _bounds_of_table(interval, rows)
    else:
        by_name = _bounds_of_array(interval, rows)
    place = np.flatnonzero(np.isfinite(rows.pred).any(axis=1))
    if len(place) != n_rows:  # some predictions are unknown themselves
        place = np.arange(len(rows.true) - n_rows, len(rows.true))
    bands = {}
    for name, bounds in by_name.items():
        bands[name] = np.full((*rows.true.shape, 2), np.nan)
        bands[name][place] = bounds
    return dict(sorted(bands.items(), key=lambda band: -_width(band[1])))


def _width(bounds: NDArray[np.float64]) -> float:
    return float(np.nanmean(bounds[..., 1] - bounds[..., 0]))


def _bounds_of_array(interval: ArrayLike, rows: ForecastRows) -> dict[str, NDArray]:
    """Return pairs of an array's columns, the first and the last of which are widest."""
    values = np.asarray(interval, dtype=np.float64)
    if values.ndim == 2 and rows.n_outputs == 1:
        values = values[:, np.newaxis]
    if values.ndim != 3 or values.shape[1] != rows.n_outputs or values.shape[2] < 2:
        expected = "(n_samples, 2)"
        if rows.n_outputs > 1:
            expected = f"(n_samples, {rows.n_outputs}, 2)"
        raise ValueError(
            f"interval should be of shape {expected}, the lower and the upper bound, or "
            f"have more such pairs, got {np.shape(interval)}."
        )
    n_bounds = values.shape[2]
    pairs = {k: values[:, :, [k, n_bounds - 1 - k]] for k in range(n_bounds // 2)}
    if len(pairs) == 1:
        return {"interval": pairs[0]}
    return {f"interval {k + 1}": bounds for k, bounds in pairs.items()}


def _bounds_of_table(table: pd.DataFrame, rows: ForecastRows) -> dict[str, NDArray]:
    """Return the bounds of a table of conformal_interval, or of columns of quantiles.

    The forecast that :func:`forecast` puts beside its bounds is left out.
    """
    is_bound = [
        "y_pred" not in (name if isinstance(name, tuple) else (name,)) for name in table
    ]
    table = table.loc[:, is_bound]
    if table.columns.nlevels == 1 and {"lower", "upper"} <= set(table.columns):
        return _bounds_of_array(table[["lower", "upper"]].to_numpy(), rows)
    if table.columns.nlevels == 1 and table.columns.dtype.kind == "f":
        return _bounds_of_quantiles(table, rows)
    if not {"lower", "upper"} <= set(table.columns.get_level_values(-1)):
        raise ValueError(
            "interval needs the columns 'lower' and 'upper', as conformal_interval gives "
            f"them, or quantiles as columns, got {list(table.columns)}."
        )
    if rows.n_outputs == 1:
        return {
            _percent(level): table[level][["lower", "upper"]].to_numpy()[:, np.newaxis]
            for level in table.columns.get_level_values(0).unique()
        }
    return _bounds_of_targets(table, rows)


def _bounds_of_quantiles(table: pd.DataFrame, rows: ForecastRows) -> dict[str, NDArray]:
    levels = sorted(float(level) for level in table.columns)
    pairs = [(low, high) for low, high in zip(levels, levels[::-1], strict=True)]
    return {
        _percent(high - low): _bounds_of_array(table[[low, high]].to_numpy(), rows)[
            "interval"
        ]
        for low, high in pairs[: len(levels) // 2]
    }


def split_levels(
    levels: NDArray | pd.Series | pd.DataFrame, quantiles: tuple[float, ...]
) -> tuple[NDArray | pd.Series | pd.DataFrame, dict[str, NDArray[np.float64]]]:
    """Return what `predict` returns, and the bands around it, from a model's levels.

    A table of them has a column for each level, or one for each level of each output.
    """
    main = main_level(quantiles)
    if isinstance(levels, np.ndarray):
        return levels[..., main], _bounds_of_levels(levels, quantiles)
    table = pd.DataFrame(levels)
    values: pd.Series | pd.DataFrame = table.iloc[:, main :: len(quantiles)]
    if table.shape[1] == len(quantiles):
        values = table.iloc[:, main]
    return values, _bounds_of_levels(table.to_numpy(), quantiles)


def _bounds_of_levels(
    levels: NDArray, quantiles: tuple[float, ...]
) -> dict[str, NDArray[np.float64]]:
    """Return the pairs of a model's levels by name, each (n_rows, n_outputs, 2).

    The first level is paired with the last, the second with the last but one, and so on;
    a pair that is not symmetric is named by its levels. One level alone has no band.
    """
    values = levels.reshape(len(levels), -1, len(quantiles))
    bands = {}
    for k in range(len(quantiles) // 2):
        low, high = quantiles[k], quantiles[-1 - k]
        name = _percent(high - low)
        if not np.isclose(low + high, 1):
            name = f"{low:.4g} to {high:.4g} quantile"
        bands[name] = values[:, :, [k, len(quantiles) - 1 - k]]
    return bands


def _bounds_of_targets(table: pd.DataFrame, rows: ForecastRows) -> dict[str, NDArray]:
    """Return the bounds of several targets, whose names are the outermost columns."""
    targets = list(table.columns.get_level_values(0).unique())
    if len(targets) != rows.n_outputs:
        raise ValueError(
            f"interval has the targets {targets}, but y_pred {rows.n_outputs} outputs."
        )
    names = rows.names or []
    if {str(name) for name in targets} == set(names):
        targets = sorted(targets, key=lambda name: names.index(str(name)))
    levels: list[Hashable] = [None]
    if table.columns.nlevels == 3:
        levels = list(table.columns.get_level_values(1).unique())
    bands = {}
    for level in levels:
        by_target = [
            table[name] if level is None else table[name][level] for name in targets
        ]
        bounds = [one[["lower", "upper"]].to_numpy() for one in by_target]
        bands["interval" if level is None else _percent(level)] = np.stack(bounds, axis=1)
    return bands


def _percent(coverage: Passed) -> str:
    return f"{100 * float(coverage):.4g} % interval"
