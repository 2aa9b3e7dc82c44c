"""What `conformal_interval` gets: a forecast of values or of quantiles, and past errors."""

import re
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sklstm._types import Passed
from sklstm.forecasting._quantiles import level_column
from sklstm.windows._warnings import warn_caller

NEEDED = ("step", "y_true", "y_pred")
OWN_COLUMNS = ("fold", "origin", "step", "label", "target", "y_true")


@dataclass(frozen=True)
class ForecastTable:
    """A forecast: a column for each target, and the same of each level, if there are any.

    With levels, `values` are those of the median, or of the only level. `keys` name the
    series of each row, where there are several, and `key_name` is what they are called.
    """

    values: pd.DataFrame
    levels: dict[float, pd.DataFrame]
    keys: pd.Index | None = None
    key_name: Hashable = None

    @property
    def steps(self) -> NDArray[np.integer]:
        """Step of each row, from 1, in its series."""
        if self.keys is None:
            return np.arange(1, len(self.values) + 1)
        return np.asarray(pd.Series(0, self.keys).groupby(level=0).cumcount()) + 1

    @property
    def labels(self) -> pd.Index:
        """Labels of the rows, without the names of series."""
        index = self.values.index
        if self.keys is not None and isinstance(index, pd.MultiIndex):
            return index.droplevel(self.key_name)
        return index

    @property
    def targets(self) -> list[Hashable]:
        """Names of the targets."""
        return list(self.values.columns)

    def pair(self, coverage: float) -> tuple[float, float] | None:
        """Return the levels closest to both ends of an interval; None without such."""
        low = [level for level in self.levels if level < 0.5]
        high = [level for level in self.levels if level > 0.5]
        if not low or not high:
            return None
        return (
            min(low, key=lambda level: abs(level - (1 - coverage) / 2)),
            min(high, key=lambda level: abs(level - (1 + coverage) / 2)),
        )


def levels_of_errors(errors: pd.DataFrame) -> list[float]:
    """Return the levels that a table of errors has columns of, in order."""
    matches = (re.fullmatch(r"y_pred_(0\.\d+|\de-\d+)", str(name)) for name in errors)
    return sorted(float(match[1]) for match in matches if match)


def check_forecast(y_pred: Passed, errors: pd.DataFrame) -> ForecastTable:
    """Return the forecast as tables; an error if it is none, or `errors` of another one."""
    levels = levels_of_errors(errors)
    values = y_pred.to_frame() if isinstance(y_pred, pd.Series) else y_pred
    if isinstance(values, pd.DataFrame):
        name, keys, values = _series_of(values, errors)
        forecast = replace(_of_table(values), keys=keys, key_name=name)
    else:
        n_targets = errors["target"].nunique() if "target" in errors else 1
        forecast = _of_array(np.asarray(values, dtype=np.float64), levels, n_targets)
    tables = [forecast.values, *forecast.levels.values()]
    if any(t.empty or not np.isfinite(t.to_numpy()).all() for t in tables):
        raise ValueError(
            "y_pred has to hold a finite number for each step, as forecast gives it, got "
            f"{y_pred!r}."
        )
    check_errors(errors, forecast)
    if levels and not forecast.levels:
        warn_caller(
            f"errors has the quantiles {levels}, but y_pred has none, so that the bounds "
            "are as wide at all times. Pass forecast(..., quantiles=True) to correct the "
            "quantiles; or drop these columns of errors, if bounds around the median are "
            "meant."
        )
    return forecast


def _series_of(
    table: pd.DataFrame, errors: pd.DataFrame
) -> tuple[Hashable, pd.Index | None, pd.DataFrame]:
    """Return what tells series apart, their names by row, and the other columns."""
    for name in errors.columns:
        if name in OWN_COLUMNS or str(name).startswith(("y_pred", "y_last")):
            continue
        if name in table.index.names:
            return name, table.index.get_level_values(name), table
        if name in table.columns:  # also where columns have further levels
            keys = table[name]
            keys = keys.iloc[:, 0] if isinstance(keys, pd.DataFrame) else keys
            rest = table.drop(columns=name, level=0) if table.columns.nlevels > 1 else None
            return name, pd.Index(keys), table.drop(columns=name) if rest is None else rest
    return None, None, table


def _of_table(table: pd.DataFrame) -> ForecastTable:
    table = table.astype(np.float64)
    columns = table.columns
    if columns.nlevels == 2:  # targets, and the levels of each
        names = list(columns.get_level_values(0).unique())
        levels = columns.get_level_values(1).unique()
        return _of_levels(
            {
                float(level): table[[(name, level) for name in names]].set_axis(
                    names, axis=1
                )
                for level in levels
            }
        )
    if len(columns) and all(isinstance(name, float) and 0 < name < 1 for name in columns):
        return _of_levels({float(name): table[[name]] for name in columns})
    return ForecastTable(table, {})


def _of_array(values: Passed, levels: list[float], n_targets: int) -> ForecastTable:
    if values.ndim == 3 and values.shape[2] == len(levels):
        parts = [pd.DataFrame(values[..., k]) for k in range(len(levels))]
        return _of_levels(dict(zip(levels, parts, strict=True)))
    if values.ndim == 2 and n_targets == 1 and values.shape[1] == len(levels) > 1:
        return _of_array(values[:, np.newaxis], levels, n_targets)
    return ForecastTable(pd.DataFrame(values), {})


def make_forecast(
    values: NDArray,
    levels: Sequence[NDArray],
    quantiles: Sequence[float],
    *,
    index: pd.Index | None,
    names: list[Hashable],
) -> ForecastTable:
    """Return predictions (steps, n_targets), and those of each level, as tables."""
    tables = [pd.DataFrame(one, index, names or None) for one in (values, *levels)]
    return ForecastTable(tables[0], dict(zip(quantiles, tables[1:], strict=True)))


def _of_levels(levels: dict[float, pd.DataFrame]) -> ForecastTable:
    levels = {
        level: table.set_axis(range(1), axis=1) if table.shape[1] == 1 else table
        for level, table in sorted(levels.items())
    }
    middle = min(levels, key=lambda level: abs(level - 0.5))
    return ForecastTable(levels[middle], levels)


def check_errors(errors: pd.DataFrame, forecast: ForecastTable) -> None:
    """Check that a table of errors has the columns that bounds of the forecast need."""
    n_targets = len(forecast.targets)
    needed = [*NEEDED, *(["target"] if n_targets > 1 else [])]
    needed += [level_column(level) for level in forecast.levels]
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
