"""Reads what was passed to a forecast of several series as the rows of one table.

`read_series_rows` does for all series at once what `_reading` does for one.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator

from sklstm._pipelines import ModelWindows
from sklstm._types import Label, Target
from sklstm.forecasting._columns import (
    Columns,
    Table,
    check_columns,
    check_table,
    column_names,
    columns_of,
    float_array,
)
from sklstm.forecasting._rows import ArrayRows, Rows, TableRows
from sklstm.forecasting._series import SeriesTable, locate_groups, with_level
from sklstm.forecasting._series_future import FutureRows, FutureTable, first_values
from sklstm.forecasting._series_labels import appended, index_of_all, labels_by_series
from sklstm.windows._fitted_series import FittedSeries


@dataclass(frozen=True)
class SeriesRows:
    """The rows of a forecast of several series, and how its result is labelled."""

    rows: Rows
    known: SeriesTable
    labels: list[pd.Index] | None

    def container(self, values: NDArray) -> NDArray | pd.Series | pd.DataFrame:
        """Return predictions (n_series, steps, n_values) with the names of their series."""
        columns = self.rows.columns
        if not self.has_names:
            return values[..., 0] if values.shape[2] == 1 else values
        names = columns.target_names if columns.targets else list(range(values.shape[2]))
        table = pd.DataFrame(values.reshape(-1, values.shape[2]), self.index(), names)
        if self.known.column is None and values.shape[2] == 1:
            column = table.iloc[:, 0]
            return column if columns.targets else column.rename(None)
        return self.with_keys(table)

    @property
    def has_names(self) -> bool:
        """Whether the columns have names, so that one can hold those of series."""
        return isinstance(self.known.table, pd.DataFrame)

    def with_keys(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return a table with the names of series in a column, if X has them in one."""
        if self.known.column is None:
            return table
        name: Label = self.known.name
        if table.columns.nlevels > 1:
            name = (name, *[""] * (table.columns.nlevels - 1))
        table = table.copy()
        table.insert(0, name, self.keys())
        return table

    def keys(self) -> pd.Index:
        """Return the name of the series of each row ahead, series by series."""
        return self.known.panel.keys.repeat(self.rows.steps)

    def index(self) -> pd.Index:
        """Return the labels of the rows ahead, series by series."""
        if not self.has_names:
            return pd.RangeIndex(self.rows.steps * self.rows.n_series)
        n_rows = self.rows.steps * self.rows.n_series
        ahead = None
        if self.labels is not None:
            ahead = appended(self.labels)
        if self.known.column is not None:
            return pd.RangeIndex(n_rows) if ahead is None else ahead
        if ahead is None:
            ahead = pd.RangeIndex(self.rows.steps).append(
                [pd.RangeIndex(self.rows.steps)] * (self.rows.n_series - 1)
            )
        return with_level(self.known, self.keys(), ahead)


def read_series_rows(
    model: BaseEstimator,
    windows: ModelWindows,
    X: ArrayLike | None,
    X_future: ArrayLike | None,
    *,
    target: Target,
    steps: int,
) -> SeriesRows:
    """Return the rows of a forecast of each series; every error about what was passed."""
    fitted = windows.fitted_series()
    if X is None:
        table = _fitted_stand_ins(model, windows, fitted)
    else:
        table, _ = check_table(X, "X")
    assert windows.groups is not None
    known = SeriesTable.of(table, locate_groups(model, windows.groups, table))
    columns = check_columns(column_names(table), target, group=known.column)
    ahead = FutureTable.of(X_future, known, columns, with_targets=not windows.horizon)
    labels = labels_by_series(
        known, fitted, ahead, windows, steps=steps, is_fitted=X is None
    )
    rows = _joined_rows(
        known,
        columns,
        ahead,
        labels,
        horizon=windows.horizon,
        steps=steps,
        is_fitted=X is None,
    )
    return SeriesRows(rows, known, labels)


def _fitted_stand_ins(
    model: BaseEstimator, windows: ModelWindows, fitted: FittedSeries
) -> Table:
    """Return a row of zeros for each fitted series, with the fitted columns."""
    groups, n_series = windows.groups, len(fitted.names)
    assert groups is not None
    names = getattr(model, "feature_names_in_", None)
    if names is not None:
        table = pd.DataFrame(0.0, pd.RangeIndex(n_series), list(names))
        groups = locate_groups(model, groups, table)
        if isinstance(groups, str) and groups not in table:
            inner = pd.RangeIndex(n_series)
            index = [pd.Index(fitted.names), inner]
            return table.set_axis(pd.MultiIndex.from_arrays(index, names=[groups, None]))
        position = list(names).index(groups) if isinstance(groups, str) else groups
        table.isetitem(position, fitted.names)
        return table
    n_features = getattr(model, "n_features_in_", None)
    if n_features is None or isinstance(groups, str):
        raise ValueError(
            "The columns of the fitted rows are not known. Pass X, the last known rows of "
            "each series."
        )
    array = np.zeros((n_series, int(n_features)))
    array[:, groups] = fitted.names
    return array


def _joined_rows(
    known: SeriesTable,
    columns: Columns,
    ahead: FutureTable | None,
    labels: list[pd.Index] | None,
    *,
    horizon: int,
    steps: int,
    is_fitted: bool,
) -> Rows:
    """Return the known rows and those ahead in one table."""
    table, n_series = known.table, len(known.panel)
    own = np.array([rows[-1] for rows in known.rows()])
    n_known = 0 if is_fitted else len(table)
    # What stands for values that are not known: the last known row, or one of zeros.
    source = np.append(np.arange(n_known), np.tile(own, steps))
    last = own
    if is_fitted:
        source = np.append(source, own)
        last = n_known + steps * n_series + np.arange(n_series)
    read = list(columns.others if horizon else columns.features)
    future = FutureRows.of(ahead, n_known=n_known, n_series=n_series, steps=steps)
    targets = float_array(columns_of(table, list(columns.targets)))
    targets = np.concatenate(
        [targets[:n_known], np.zeros((steps * n_series, len(columns.targets)))]
    ).astype(targets.dtype)
    if not horizon and columns.targets:
        targets = targets.astype(np.float64)
        targets[n_known : n_known + n_series] = first_values(ahead, columns)
    common = (columns, horizon, n_known, future.n_rows, targets, None, last)
    if not isinstance(table, pd.DataFrame):
        joined = table[source]
        if ahead is not None and read:
            values = np.asarray(ahead.values)
            joined = joined.astype(np.result_type(joined.dtype, values.dtype))
            joined[future.rows[:, np.newaxis], read] = values[future.which]
        return ArrayRows(*common, joined=joined)
    joined = table.take(source)
    if ahead is not None:
        for k, position in enumerate(read):
            parts = [table.iloc[:, position], _column(ahead.values, k)]
            column = pd.concat(parts, ignore_index=True)
            at = source.copy()
            at[future.rows] = len(table) + future.which
            joined.isetitem(position, column.take(at).array)
    index = index_of_all(known, labels, steps=steps, n_known=n_known)
    return TableRows(*common, joined=joined, index=index)


def _column(values: Table, k: int) -> pd.Series:
    return (
        values.iloc[:, k] if isinstance(values, pd.DataFrame) else pd.Series(values[:, k])
    )
