"""X_future of several series: the rows ahead of each, checked."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from sklstm.forecasting._columns import (
    Columns,
    Table,
    check_future,
    check_table,
    columns_of,
    float_array,
)
from sklstm.forecasting._series import SeriesTable
from sklstm.windows._groups import GroupedTable
from sklstm.windows._panel import Panel


@dataclass(frozen=True)
class FutureTable:
    """The rows of X_future: their values, their labels, and which are those of a series."""

    values: Table
    index: pd.Index | None
    rows: list[NDArray[np.intp]]

    @classmethod
    def of(
        cls,
        X_future: ArrayLike | None,
        known: SeriesTable,
        columns: Columns,
        *,
        with_targets: bool,
    ) -> "FutureTable | None":
        """Read and check X_future; each series of X has rows in it."""
        if X_future is None:
            return None
        table, has_index = check_table(X_future, "X_future")
        groups = known.groups
        if not isinstance(table, pd.DataFrame) and not isinstance(groups, str):
            groups = _group_in_array(table, known, columns)
        found = GroupedTable.of(table, groups)
        rest = table
        if found.column is not None and not isinstance(table, pd.DataFrame):
            rest = np.delete(table, found.column, axis=1)
        panel = Panel.of(found.keys)
        by_series = np.split(
            np.argsort(panel.series, kind="stable"), np.cumsum(panel.counts)[:-1]
        )
        place = panel.keys.get_indexer(known.panel.keys)
        if (place < 0).any():
            missing = known.panel.keys[place < 0]
            raise ValueError(
                f"X_future has no rows of the series {missing[0]!r}, which X has"
                f"{f' (and {len(missing) - 1} others)' if len(missing) > 1 else ''}. Pass "
                "rows ahead for each series, or only those series in X."
            )
        values = check_future(rest, columns, with_targets=with_targets)
        index = found.index if has_index else None
        return cls(values, index, [by_series[k] for k in place])


def _group_in_array(table: NDArray, known: SeriesTable, columns: Columns) -> int:
    """Return the position of the group's column, where those of targets may be left out."""
    assert columns.group is not None
    if table.shape[1] == len(columns.names):
        return columns.group
    others = [j for j in range(len(columns.names)) if j not in columns.targets]
    if table.shape[1] == len(others):
        return others.index(columns.group)
    raise ValueError(
        f"X_future has {table.shape[1]} columns; expected {len(others)} or "
        f"{len(columns.names)}: those of X, with or without the target, and that which "
        "tells series apart."
    )


@dataclass(frozen=True)
class FutureRows:
    """Which joined rows hold which rows of X_future; `n_rows` of each series are known."""

    rows: NDArray[np.intp]
    which: NDArray[np.intp]
    n_rows: int

    @classmethod
    def of_none(cls) -> "FutureRows":
        none = np.empty(0, dtype=np.intp)
        return cls(none, none, 0)

    @classmethod
    def of(
        cls, ahead: FutureTable | None, *, n_known: int, n_series: int, steps: int
    ) -> "FutureRows":
        """Place the first rows of each series."""
        if ahead is None:
            return cls.of_none()
        first = [rows[:steps] for rows in ahead.rows]
        places = [
            n_known + np.arange(len(rows)) * n_series + number
            for number, rows in enumerate(first)
        ]
        n_rows = min(len(rows) for rows in first)
        return cls(np.concatenate(places), np.concatenate(first), n_rows)


def first_values(ahead: FutureTable | None, columns: Columns) -> NDArray:
    """Return the last true values of each series, from the first rows of X_future."""
    first = np.array([np.nan])
    if ahead is not None:
        places = [columns.features.index(j) for j in columns.targets]
        rows = np.array([rows[0] for rows in ahead.rows])
        values = columns_of(ahead.values, places)
        first = float_array(
            values.take(rows) if isinstance(values, pd.DataFrame) else values[rows],
            "X_future",
        )
    if not np.isfinite(first).all():
        raise ValueError(
            "With horizon=0 a row's own values are in its window, and the column of the "
            f"target, {columns.target_names}, holds the value of the step before. Pass it "
            "in X_future, its first value in each series the last true one; the others are "
            "not read."
        )
    return first
