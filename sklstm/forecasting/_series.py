"""Several series of one table: which rows are theirs, and their rows ahead in one table.

`read_series_rows` does for all series at once what `_reading` does for one. Only labels are
read series by series, each distinct sequence of them once.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sklstm._pipelines import ModelWindows, moves_columns
from sklstm.forecasting._columns import (
    Columns,
    Table,
    check_columns,
    check_future,
    check_table,
    column_names,
    columns_of,
    float_array,
)
from sklstm.forecasting._labels import known_labels, labels_ahead
from sklstm.forecasting._rows import ArrayRows, Rows, TableRows
from sklstm.windows._by_series import FittedSeries
from sklstm.windows._groups import GroupedTable, series_names
from sklstm.windows._holes import FittedLabels
from sklstm.windows._labels import inferred_index
from sklstm.windows._next_labels import N_LABELS, index_of
from sklstm.windows._panel import Panel
from sklstm.windows._panel_checks import check_series_labels
from sklstm.windows._requests import UnknownPastError


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


def locate_groups(model: Any, groups: str | int, table: Table) -> str | int:
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
    names: list[Any] = []
    if isinstance(table, pd.DataFrame):
        names = [*table.columns, *table.index.names]
    short = groups.rpartition("__")[2]  # the prefix is that of a ColumnTransformer
    return groups if groups in names or short not in names else short


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
            return table.iloc[:, 0].rename(names[0] if columns.targets else None)
        return self.with_keys(table)

    @property
    def has_names(self) -> bool:
        """Whether the columns have names, so that one can hold those of series."""
        return isinstance(self.known.table, pd.DataFrame)

    def with_keys(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return a table with the names of series in a column, if X has them in one."""
        if self.known.column is None:
            return table
        name: Any = self.known.name
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
            ahead = _appended(self.labels)
        if self.known.column is not None:
            return pd.RangeIndex(n_rows) if ahead is None else ahead
        if ahead is None:
            ahead = pd.RangeIndex(self.rows.steps).append(
                [pd.RangeIndex(self.rows.steps)] * (self.rows.n_series - 1)
            )
        return with_level(self.known, self.keys(), ahead)


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


def _appended(labels: list[pd.Index]) -> pd.Index:
    return labels[0].append(labels[1:]) if len(labels) > 1 else labels[0]


def read_series_rows(
    model: Any, windows: ModelWindows, X: Any, X_future: Any, *, target: Any, steps: int
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
    ahead = _Ahead.of(X_future, known, columns, with_targets=not windows.horizon)
    labels = _labels_by_series(
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


@dataclass(frozen=True)
class _Ahead:
    """The rows of X_future: their values, their labels, and which are those of a series."""

    values: Table
    index: pd.Index | None
    rows: list[NDArray[np.intp]]

    @classmethod
    def of(
        cls, X_future: Any, known: SeriesTable, columns: Columns, *, with_targets: bool
    ) -> "_Ahead | None":
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


def _fitted_stand_ins(model: Any, windows: ModelWindows, fitted: FittedSeries) -> Table:
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


def _labels_by_series(
    known: SeriesTable,
    fitted: FittedSeries,
    ahead: _Ahead | None,
    windows: ModelWindows,
    *,
    steps: int,
    is_fitted: bool,
) -> list[pd.Index] | None:
    """Return the labels of the rows ahead of each series; None without an index."""
    panel = known.panel
    names = series_names(panel.keys)
    numbers = pd.Index(fitted.names).get_indexer(pd.Index(names))
    if is_fitted:
        has_labels = fitted.labels is not None and isinstance(known.table, pd.DataFrame)
    else:
        usable = check_series_labels(known.index, panel, warn=False)
        has_labels = usable is not None and not _numbers_rows(known.index, fitted)
    given = ahead is not None and not _numbers_rows(ahead.index, fitted)
    if not has_labels and not given:
        return None
    found: list[pd.Index] = []
    seen: dict[Any, pd.Index] = {}
    for number, rows in enumerate(known.rows()):
        summary = None
        if fitted.labels is not None and numbers[number] >= 0:
            summary = fitted.labels.of_series(int(numbers[number]))
        future = None
        if ahead is not None and given:
            assert ahead.index is not None
            future = pd.DataFrame(index=ahead.index[ahead.rows[number]])
        index = pd.Index([])
        if has_labels and not is_fitted:
            assert known.index is not None
            index = known.index[rows]
        key = _key_of(index, summary) if future is None else number
        if key not in seen:
            with _named(panel.keys[number]):
                seen[key] = _labels_of_one(
                    index,
                    summary,
                    future,
                    steps=steps,
                    reach=windows.reach,
                    cuts=windows.cuts,
                    is_fitted=is_fitted,
                )
        found.append(seen[key])
    return found


def _numbers_rows(index: pd.Index | None, fitted: FittedSeries) -> bool:
    """Return whether labels are integers that number rows, as those of a part of a table.

    They do where the fitted rows had no labels that say anything of time.
    """
    if index is None or fitted.labels is not None:
        return index is None
    return index.nlevels == 1 and inferred_index(index).dtype.kind in "iu"


def _key_of(index: pd.Index, summary: FittedLabels | None) -> Any:
    """Return what series have in common whose labels ahead are the same."""
    own = tuple(index[-N_LABELS:])
    if summary is None:
        return own, len(index)
    return own, len(index), summary.n_labels, summary.last.values.tobytes()


def _labels_of_one(
    index: pd.Index,
    summary: FittedLabels | None,
    future: pd.DataFrame | None,
    *,
    steps: int,
    reach: int,
    cuts: bool,
    is_fitted: bool,
) -> pd.Index:
    known = summary
    if is_fitted:
        own = None if summary is None else index_of(summary.last)
        index = pd.Index([]) if own is None else own
    elif len(index):
        own_table = pd.DataFrame(index=index)
        known = known_labels(own_table, summary, reach=reach, may_miss=cuts)
    return labels_ahead(index, known, steps=steps, future=future)


@contextmanager
def _named(key: Any) -> Iterator[None]:
    """Name the series in errors about its labels."""
    try:
        yield
    except UnknownPastError:
        raise
    except ValueError as error:
        raise ValueError(f"Series {key!r}: {error}") from error


def _joined_rows(
    known: SeriesTable,
    columns: Columns,
    ahead: _Ahead | None,
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
    future = _FutureRows.of(ahead, n_known=n_known, n_series=n_series, steps=steps)
    targets = float_array(columns_of(table, list(columns.targets)))
    targets = np.concatenate(
        [targets[:n_known], np.zeros((steps * n_series, len(columns.targets)))]
    ).astype(targets.dtype)
    if not horizon and columns.targets:
        targets = targets.astype(np.float64)
        targets[n_known : n_known + n_series] = _first_values(ahead, columns)
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
    index = _index_of_all(known, labels, steps=steps, n_known=n_known)
    return TableRows(*common, joined=joined, index=index)


@dataclass(frozen=True)
class _FutureRows:
    """Which joined rows hold which rows of X_future; `n_rows` of each series are known."""

    rows: NDArray[np.intp]
    which: NDArray[np.intp]
    n_rows: int

    @classmethod
    def of_none(cls) -> "_FutureRows":
        none = np.empty(0, dtype=np.intp)
        return cls(none, none, 0)

    @classmethod
    def of(
        cls, ahead: _Ahead | None, *, n_known: int, n_series: int, steps: int
    ) -> "_FutureRows":
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


def _column(values: Table, k: int) -> pd.Series:
    return (
        values.iloc[:, k] if isinstance(values, pd.DataFrame) else pd.Series(values[:, k])
    )


def _first_values(ahead: _Ahead | None, columns: Columns) -> NDArray:
    """Return the last true values of each series, from the first rows of X_future."""
    first = np.array([np.nan])
    if ahead is not None:
        places = [columns.features.index(j) for j in columns.targets]
        rows = np.array([rows[0] for rows in ahead.rows])
        values = columns_of(ahead.values, places)
        first = float_array(
            values.take(rows) if isinstance(values, pd.DataFrame) else values[rows]
        )
    if not np.isfinite(first).all():
        raise ValueError(
            "With horizon=0 a row's own values are in its window, and the column of the "
            f"target, {columns.target_names}, holds the value of the step before. Pass it "
            "in X_future, its first value in each series the last true one; the others are "
            "not read."
        )
    return first


def _index_of_all(
    known: SeriesTable, labels: list[pd.Index] | None, *, steps: int, n_known: int
) -> pd.Index | None:
    """Return the labels of all joined rows, as the model sees them."""
    n_series, keys = len(known.panel), known.panel.keys
    inner = None
    if labels is not None:
        step_by_step = np.arange(n_series * steps).reshape(n_series, steps).T.ravel()
        inner = _appended(labels).take(step_by_step)
        if n_known:
            before = pd.Index([]) if known.index is None else inferred_index_of(known.index)
            inner = _of_one_kind(before, inferred_index_of(inner), n_known)
    if known.column is not None:
        return inner
    all_keys = keys.take(
        np.append(known.panel.series[:n_known], np.tile(np.arange(n_series), steps))
    )
    if inner is None:
        # Numbers that say nothing of time, as the rows' own do not.
        count = np.append(
            known.panel.position[:n_known],
            (known.panel.counts if n_known else np.zeros(n_series, int)).repeat(1)[
                np.tile(np.arange(n_series), steps)
            ]
            + np.repeat(np.arange(steps), n_series),
        )
        inner = pd.Index(count)
    return with_level(known, all_keys, inner)


def inferred_index_of(index: pd.Index) -> pd.Index:
    """Return labels in the type that pandas has for them, also of several levels."""
    return index if isinstance(index, pd.MultiIndex) else inferred_index(index)


def _of_one_kind(before: pd.Index, ahead: pd.Index, n_known: int) -> pd.Index | None:
    if len(before) != n_known:
        return None
    joined = before.append(ahead)
    is_kept = joined.dtype.kind == before.dtype.kind or joined.dtype.kind in "iuf"
    return joined if is_kept else None
