"""The rows of a backtest, series by series: where each begins, and which rows are tested.

A table of one series stays as it is. One of several is sorted by series, so that the steps
before a row are those of its own series, and origins of all series are forecast together.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator

from sklstm._pipelines import unfitted_groups
from sklstm.forecasting._columns import Table
from sklstm.forecasting._series import SeriesTable, locate_groups, with_level
from sklstm.windows._labels import table_index
from sklstm.windows._panel_checks import check_series_labels


@dataclass(frozen=True)
class Layout:
    """A table series by series.

    Attributes
    ----------
    table : DataFrame or ndarray
        The rows, sorted by series.

    order : ndarray of int of shape (n_rows,)
        Row of the passed table that each of these is.

    starts : ndarray of int of shape (n_rows,)
        First row of the series of each row.

    labels : Index
        Labels of the rows, or their positions in the passed table.

    keys : Index or None
        Names of the series of the rows; None for one series.

    name : str
        Name of the column or level that holds them.

    group : int or None
        Position of that column; None if it is no column.
    """

    table: Table
    order: NDArray[np.intp]
    starts: NDArray[np.intp]
    labels: pd.Index
    keys: pd.Index | None
    name: str = ""
    group: int | None = None

    @classmethod
    def of(
        cls, model: BaseEstimator, table: Table, y: ArrayLike, *, has_index: bool
    ) -> "Layout":
        """Sort a table by the series that the windows of a model tell apart."""
        groups = unfitted_groups(model)
        if groups is None:
            rows = np.arange(len(table))
            return cls(table, rows, np.zeros_like(rows), _labels(table, y, has_index), None)
        known = SeriesTable.of(table, locate_groups(model, groups, table))
        order, counts = known.order, known.panel.counts
        keys = known.panel.keys.take(known.panel.series[order])
        index = known.index if has_index else table_index(y)
        if index is None or len(index) != len(table):
            index = pd.RangeIndex(len(table))
        labels = index.to_flat_index().take(order)
        return cls(
            _sorted_table(known, keys),
            order,
            np.repeat(np.cumsum(counts) - counts, counts).astype(np.intp),
            labels,
            keys,
            known.name,
            known.column,
        )

    def places(self, rows: NDArray[np.intp]) -> NDArray[np.intp]:
        """Return where rows of the passed table are, sorted by series."""
        places = np.empty_like(self.order)
        places[self.order] = np.arange(len(self.order))
        return np.sort(places[rows])

    def by_series(self, rows: NDArray[np.intp]) -> Iterator[NDArray[np.intp]]:
        """Yield sorted rows, those of each series."""
        yield from np.split(rows, np.flatnonzero(np.diff(self.starts[rows])) + 1)

    def origins(
        self, test: NDArray[np.intp], *, reach: int, steps: int, every: int
    ) -> NDArray[np.intp]:
        """Return the origins in the test rows, of each series where there are several."""
        if self.keys is None:
            return np.arange(test[0] - 1, test[-1] - steps + 1, every)
        origins = []
        for rows in self.by_series(test):
            # A series that is new begins with rows that have too few before them.
            first = max(rows[0], self.starts[rows[0]] + reach) - 1
            origins.append(np.arange(first, rows[-1] - steps + 1, every))
        found = np.concatenate(origins)
        if not len(found):
            raise ValueError(
                f"No series has test rows for an origin: steps={steps} rows ahead, after "
                f"{reach} rows before them. Lower steps, or pass more rows."
            )
        return found

    def with_past(self, test: NDArray[np.intp], reach: int) -> NDArray[np.intp]:
        """Return the test rows whose windows are complete."""
        found = test[test - self.starts[test] >= reach]
        if not len(found):
            raise ValueError(
                f"No test row has the {reach} rows of its series before it that its window "
                "reads. Pass more rows."
            )
        return found

    def name_of(self, row: int) -> str:
        """Return the series of a row, for messages."""
        return "" if self.keys is None else f" of the series {self.keys[row]!r}"


def _labels(table: Table, y: ArrayLike, has_index: bool) -> pd.Index:
    index = table_index(table) if has_index else table_index(y)
    if index is None or len(index) != len(table):
        return pd.RangeIndex(len(table))
    return index.to_flat_index()


def _sorted_table(known: SeriesTable, keys: pd.Index) -> Table:
    """Return the rows by series; labels that say nothing of time give way to places."""
    table = known.table
    if not isinstance(table, pd.DataFrame):
        return table[known.order]
    rows = table.take(known.order)
    if check_series_labels(known.index, known.panel, warn=False) is None:
        places = pd.Index(known.panel.position[known.order])
        rows.index = places if known.column is not None else with_level(known, keys, places)
    return rows
