"""Reads what was passed to a forecast as its rows, and checks it."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator

from sklstm._pipelines import ModelWindows
from sklstm._types import Target
from sklstm.forecasting._columns import (
    Columns,
    Table,
    check_columns,
    check_future,
    check_table,
    column_names,
    columns_of,
    float_array,
    rows_of,
)
from sklstm.forecasting._labels import known_labels, labels_ahead
from sklstm.forecasting._rows import ArrayRows, Rows, TableRows, joined_array, joined_table
from sklstm.windows._labels import inferred_index
from sklstm.windows._next_labels import index_of


@dataclass(frozen=True)
class _Input:
    """A table as it was passed, and its index if it has one that counts."""

    table: Table
    index: pd.Index | None


def read_rows(
    model: BaseEstimator,
    windows: ModelWindows,
    X: ArrayLike | None,
    X_future: ArrayLike | None,
    *,
    target: Target,
    steps: int,
) -> Rows:
    """Return the rows of a forecast; every error about what was passed."""
    known = _Input(_no_rows(model), None) if X is None else _input(X, "X")
    columns = check_columns(column_names(known.table), target)
    ahead = None if X_future is None else _input(X_future, "X_future")
    labels = _labels_ahead(windows, known, ahead, steps=steps, is_fitted=X is None)
    future = None
    if ahead is not None:
        future = check_future(ahead.table, columns, with_targets=windows.horizon == 0)
        future = rows_of(future, slice(steps))
    index = _joined_index(known.index, labels, n_known=len(known.table))
    return make_rows(
        known.table,
        future,
        columns,
        horizon=windows.horizon,
        steps=steps,
        labels=labels,
        index=index,
    )


def make_rows(
    known: Table,
    future: Table | None,
    columns: Columns,
    *,
    horizon: int,
    steps: int,
    labels: pd.Index | None = None,
    index: pd.Index | None = None,
) -> Rows:
    """Return the rows of a forecast from known ones, and from checked ones ahead.

    `labels` are those of the result, `index` those of all rows, as the model sees them.
    """
    targets = _targets(known, steps=steps, columns=columns)
    if horizon == 0 and columns.targets:
        first = _first_values(future, columns)
        targets = targets.astype(np.result_type(targets, first), copy=False)
        targets[len(known)] = first
    read = list(columns.others if horizon else columns.features)
    n_future = 0 if future is None else len(future)
    # Without known rows the joined ones end in one that stands for the last of them.
    last = np.array([len(known) - 1 if len(known) else steps])
    common = (columns, horizon, len(known), n_future, targets, labels, last)
    if isinstance(known, pd.DataFrame):
        joined = joined_table(known, future, read, steps=steps)
        return TableRows(*common, joined=joined, index=index)
    array = None if future is None else float_array(future, "X_future")
    return ArrayRows(
        *common, joined=joined_array(known, array, read, steps=steps, dtype=targets.dtype)
    )


def _input(passed: ArrayLike, name: str) -> _Input:
    if isinstance(passed, pd.Series) and name == "X_future":
        passed = passed.to_frame()
    table, has_index = check_table(passed, name)
    index = table.index if has_index and isinstance(table, pd.DataFrame) else None
    return _Input(table, index)


def _no_rows(model: BaseEstimator) -> Table:
    """Return a table without rows that has the columns of the fitted one."""
    names = getattr(model, "feature_names_in_", None)
    if names is not None:
        return pd.DataFrame(columns=list(names), dtype=np.float64)
    n_features = getattr(model, "n_features_in_", None)
    if n_features is None:
        raise ValueError(
            f"The columns of the fitted rows are not known, since {type(model).__name__} "
            "does not record them. Pass X, the last known rows."
        )
    return np.empty((0, int(n_features)))


def _labels_ahead(
    windows: ModelWindows,
    known: _Input,
    ahead: _Input | None,
    *,
    steps: int,
    is_fitted: bool,
) -> pd.Index | None:
    """Return the labels of the rows ahead; None where neither table has an index."""
    fitted = windows.fitted_labels()
    index, labels = known.index, None
    if is_fitted:
        if fitted is not None and isinstance(known.table, pd.DataFrame):
            index, labels = index_of(fitted.last), fitted
    elif isinstance(known.table, pd.DataFrame) and index is not None:
        labels = known_labels(
            known.table, fitted, reach=windows.reach, may_miss=windows.cuts
        )
    future = None if ahead is None or ahead.index is None else ahead.table
    given = None if ahead is None else ahead.index
    if index is None and (given is None or _is_default(given)):
        return None
    return labels_ahead(
        pd.Index([]) if index is None else index,
        labels,
        steps=steps,
        future=future if isinstance(future, pd.DataFrame) else None,
    )


def _is_default(index: pd.Index) -> bool:
    return isinstance(index, pd.RangeIndex) and index.start == 0 and index.step == 1


def _joined_index(
    index: pd.Index | None, ahead: pd.Index | None, *, n_known: int
) -> pd.Index | None:
    """Return the labels of all rows; None where they are not of one kind."""
    if ahead is None or (index is None and n_known):
        return None
    if index is None:
        return ahead
    before, ahead = inferred_index(index), inferred_index(ahead)
    joined = before.append(ahead)
    return joined if joined.dtype.kind == before.dtype.kind or _is_numeric(joined) else None


def _is_numeric(index: pd.Index) -> bool:
    return index.dtype.kind in "iuf"


def _targets(known: Table, *, steps: int, columns: Columns) -> NDArray:
    """Return the known values of the target, with room for predictions."""
    positions = list(columns.targets)
    values = float_array(columns_of(known, positions))
    return np.concatenate([values, np.zeros((steps, len(positions)), dtype=values.dtype)])


def _first_values(future: Table | None, columns: Columns) -> NDArray:
    """Return the last true values, which X_future holds in its first row."""
    first = np.array([np.nan])
    if future is not None:
        places = [columns.features.index(j) for j in columns.targets]
        first = float_array(columns_of(rows_of(future, slice(1)), places), "X_future")[0]
    if not np.isfinite(first).all():
        raise ValueError(
            "With horizon=0 a row's own values are in its window, and the column of the "
            f"target, {columns.target_names}, holds the value of the step before. Pass it "
            "in X_future, its first value the last true one; the others are not read."
        )
    return first
