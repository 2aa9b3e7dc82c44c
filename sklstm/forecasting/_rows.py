"""The known rows and those ahead, into which predictions are written."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sklstm._types import Passed
from sklstm.forecasting._columns import Columns, Table


@dataclass(frozen=True)
class Rows(ABC):
    """The rows of one forecast, or of one for each of several series.

    The known rows come first, and after them the rows ahead, step by step: row
    ``n_known + k * n_series + i`` is the row `k` steps after the next of series `i`.
    `targets`, of shape (n_known + steps * n_series, n_targets), are the columns of the
    target, into which predictions are written. `n_future` counts the rows ahead whose other
    columns are known, and `labels` are those of the rows ahead, where there is an index.
    `last` is, for each series, the row that stands for values that are not known.
    """

    columns: Columns
    horizon: int
    n_known: int
    n_future: int
    targets: NDArray
    labels: pd.Index | None
    last: NDArray[np.intp]

    @property
    def n_series(self) -> int:
        """Number of series that are forecast."""
        return len(self.last)

    @property
    def steps(self) -> int:
        """Number of rows ahead of each series."""
        return (len(self.targets) - self.n_known) // self.n_series

    @abstractmethod
    def read_by(self, first: int, n_rows: int) -> Table:
        """Return the rows with which to predict `n_rows` rows ahead, from `first` on.

        They end in these rows, step by step, of each series. With ``horizon >= 1`` a window
        ends before the row that it predicts, and `n_rows` is at most the horizon: no values
        of these rows are read, and copies of the last known row stand for them.
        """

    def write(self, first: int, values: NDArray) -> None:
        """Write predictions (n_series, n, n_targets) into the rows that hold them."""
        if self.columns.targets:
            step = first + (0 if self.horizon else 1)
            ahead = self.targets[self.n_known :].reshape(self.steps, self.n_series, -1)
            rows = ahead[step : step + values.shape[1]]
            rows[:] = values.swapaxes(0, 1)[: len(rows)]

    def container(self, values: NDArray) -> NDArray | pd.Series | pd.DataFrame:
        """Return predictions of shape (steps, n_values) with the labels that they have."""
        names = self.columns.target_names
        if values.shape[1] == 1:
            if self.labels is None:
                return values[:, 0]
            return pd.Series(values[:, 0], self.labels, name=names[0] if names else None)
        if self.labels is None:
            return values
        return pd.DataFrame(values, self.labels, columns=names or None)

    def _positions(self, first: int, n_rows: int) -> tuple[NDArray[np.intp], int]:
        """Return which joined rows are read, and from how many the targets are."""
        stop = self.n_known + first * self.n_series
        if not self.horizon:
            stop += n_rows * self.n_series
            return np.arange(stop), stop
        return np.append(np.arange(stop), np.tile(self.last, n_rows)), stop


@dataclass(frozen=True)
class ArrayRows(Rows):
    """Rows of an array; `joined` are the known ones and those ahead."""

    joined: NDArray

    def read_by(self, first: int, n_rows: int) -> NDArray:
        """Return an array of rows."""
        read, n_targets = self._positions(first, n_rows)
        array = self.joined[read]
        array[:n_targets, list(self.columns.targets)] = self.targets[:n_targets]
        return array


@dataclass(frozen=True)
class TableRows(Rows):
    """Rows of a DataFrame; `index` is what the model gets to see."""

    joined: pd.DataFrame
    index: pd.Index | None

    def read_by(self, first: int, n_rows: int) -> pd.DataFrame:
        """Return a DataFrame of rows."""
        read, n_targets = self._positions(first, n_rows)
        table = self.joined.take(read)
        for k, position in enumerate(self.columns.targets):
            values = np.empty(len(read), dtype=self.targets.dtype)
            values[:n_targets] = self.targets[:n_targets, k]
            values[n_targets:] = table.iloc[n_targets:, position].to_numpy(values.dtype)
            table.isetitem(position, values)
        no_labels = pd.RangeIndex(len(read))
        table.index = no_labels if self.index is None else self.index[: len(read)]
        return table


def joined_array(
    known: NDArray, future: NDArray | None, read: list[int], *, steps: int, dtype: np.dtype
) -> NDArray:
    """Return the known rows and those ahead, with the columns `read` of `future`.

    Values that it does not hold are those of the last known row. One row of zeros at the
    end stands for that where none is known.
    """
    last = known[-1:] if len(known) else np.zeros((1, known.shape[1]))
    ahead = np.repeat(last, steps if len(known) else steps + 1, axis=0)
    if future is not None and read:
        dtype = np.result_type(dtype, future.dtype)
        ahead = ahead.astype(dtype)
        ahead[: len(future), read] = future
    return np.concatenate([known, ahead]).astype(dtype, copy=False)


def joined_table(
    known: pd.DataFrame, future: Table | None, read: list[int], *, steps: int
) -> pd.DataFrame:
    """Return the same of tables, whose columns keep their types."""
    n_known = len(known)
    if n_known and (future is None or not read):
        return known.take(np.append(np.arange(n_known), np.full(steps, n_known - 1)))
    if not n_known:
        steps += 1
        zeros = pd.DataFrame(0.0, pd.RangeIndex(1), known.columns)
        ahead = zeros.take(np.zeros(steps, dtype=np.intp))
    else:
        ahead = known.take(np.full(steps, n_known - 1))
    if future is not None and read:
        rows = np.minimum(np.arange(steps), len(future) - 1)
        if not n_known:
            rows[-1] = 0
        for k, position in enumerate(read):
            ahead.isetitem(position, _column(future, k, rows))
    return pd.concat([known, ahead]) if n_known else ahead


def _column(table: Table, k: int, rows: NDArray[np.intp]) -> Passed:
    if isinstance(table, pd.DataFrame):
        return table.iloc[:, k].array.take(rows)
    return table[rows, k]
