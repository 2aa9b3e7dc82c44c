"""Several series of one table: which rows are theirs, before the steps of a model."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator

from sklstm._pipelines import moves_columns, resolve_windows
from sklstm._types import Label
from sklstm.forecasting._columns import Table, check_table
from sklstm.windows._groups import GroupedTable
from sklstm.windows._panel import Panel


@dataclass(frozen=True)
class SeriesTable:
    """A table of several series.

    `index` are its labels without the level that tells series apart, `column` the position
    of the column that does, `groups` what names either.
    """

    table: Table
    groups: str | int
    panel: Panel
    index: pd.Index | None
    column: int | None

    @classmethod
    def of(cls, table: Table, groups: str | int) -> "SeriesTable":
        """Find the series of each row."""
        found = GroupedTable.of(table, groups)
        return cls(table, groups, Panel.of(found.keys), found.index, found.column)

    @property
    def name(self) -> str:
        """Name of the level or column that tells series apart."""
        if self.column is None or not isinstance(self.table, pd.DataFrame):
            return str(self.groups) if isinstance(self.groups, str) else "series"
        return str(self.table.columns[self.column])

    @property
    def order(self) -> NDArray[np.intp]:
        """Rows series by series, each in time order."""
        return np.argsort(self.panel.series, kind="stable")

    def rows(self) -> list[NDArray[np.intp]]:
        """Rows of each series, in time order."""
        return np.split(self.order, np.cumsum(self.panel.counts)[:-1])


def locate_groups(model: BaseEstimator, groups: str | int, table: Table) -> str | int:
    """Return how the series of a table are named before the steps of a model."""
    if not isinstance(groups, str):
        if moves_columns(model):
            raise ValueError(
                f"groups={groups!r} is a position among the columns that a "
                "ColumnTransformer returns, so that it does not tell which column of X "
                'names the series. Name it: call set_output(transform="pandas") on the '
                "Pipeline, and set groups to the name of the column."
            )
        return groups
    names: list[Label] = []
    if isinstance(table, pd.DataFrame):
        names = [*table.columns, *table.index.names]
    short = groups.rpartition("__")[2]  # the prefix is that of a ColumnTransformer
    return groups if groups in names or short not in names else short


def with_level(known: SeriesTable, keys: pd.Index, inner: pd.Index) -> pd.Index:
    """Return labels with the level that tells series apart, in its place."""
    assert isinstance(known.table, pd.DataFrame)
    names = list(known.table.index.names)
    if known.groups not in names:  # X was not passed
        names = [known.groups, *inner.names]
    at = names.index(known.groups)
    levels = [inner.get_level_values(k) for k in range(inner.nlevels)]
    levels.insert(at, keys)
    names = names if len(names) == len(levels) else [known.groups, *inner.names]
    return pd.MultiIndex.from_arrays(levels, names=names)


def series_of(model: BaseEstimator, X: ArrayLike | None) -> SeriesTable | None:
    """Return the series of a table as a fitted model tells them apart, if it does."""
    groups = resolve_windows(model).groups
    if groups is None or X is None:
        return None
    table, _ = check_table(X, "X")
    return SeriesTable.of(table, locate_groups(model, groups, table))
