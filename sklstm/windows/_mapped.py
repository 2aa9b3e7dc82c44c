"""Windows of a series in a file that is mapped into memory, which is never copied whole.

The windows of the first rows begin before the series, with steps of the fitted one or with
steps that are not known. All others are views of the file. Two arrays can be joined without
a copy only where they are read.
"""

import mmap
from dataclasses import dataclass
from typing import Self, overload

import numpy as np
from numpy.typing import NDArray

from sklstm._types import Passed
from sklstm.windows._views import (
    history_reach,
    history_windows,
    sliding_windows,
    underlying_series,
)

# Smaller series are copied, such as those that joblib maps into the memory of its workers:
# 64 MiB.
LARGEST_COPY = 2**26


def is_mapped(series: NDArray) -> bool:
    """Return whether a series lies in a file mapped into memory, too large to be copied."""
    base: object = series
    while base is not None and not isinstance(base, (np.memmap, mmap.mmap)):
        base = getattr(base, "base", None)
    return base is not None and series.nbytes > LARGEST_COPY


@dataclass(frozen=True, eq=False)
class JoinedWindows:
    """Array-like of shape (n_samples, seq_length, n_features): one array after another.

    Attributes
    ----------
    head, body : ndarray of shape (n, seq_length, n_features)
        First windows, and all others. A selection of rows is a copy of these.
    """

    head: NDArray
    body: NDArray

    @classmethod
    def of_history(
        cls, series: NDArray, past: NDArray, *, seq_length: int, horizon: int
    ) -> Self:
        """Return what `history_windows` does, for more rows than a window reaches back."""
        reach = history_reach(seq_length, horizon)
        first = history_windows(
            series[: reach + 1], past, seq_length=seq_length, horizon=horizon
        )
        head, later = first[:reach], series[: len(series) - horizon]
        return cls(head, sliding_windows(later, seq_length))

    @property
    def shape(self) -> tuple[int, int, int]:
        """Numbers of rows, of steps per window, and of features per step."""
        return (len(self), *self.body.shape[1:])

    @property
    def dtype(self) -> np.dtype:
        """Type of the values."""
        return self.body.dtype

    def steps_between(self, first: int, last: int) -> NDArray:
        """Return the steps (n_steps, n_features) that rows `first` to `last` share.

        Those before the series, if only some of the rows hold them, are left out.
        """
        n_head = len(self.head)
        if last < n_head:
            return _steps_of(self.head[first : last + 1])
        return _steps_of(self.body[max(first - n_head, 0) : last - n_head + 1])

    def __len__(self) -> int:
        return len(self.head) + len(self.body)

    @overload
    def __getitem__(self, key: tuple[slice, slice]) -> Self: ...

    @overload
    def __getitem__(self, key: slice | NDArray) -> NDArray: ...

    def __getitem__(self, key: Passed) -> Self | NDArray:
        rows, *others = key if isinstance(key, tuple) else (key,)
        if isinstance(rows, slice) and rows == slice(None):
            return type(self)(self.head[key], self.body[key])
        if isinstance(rows, slice):
            rows = np.arange(*rows.indices(len(self)))
        rows = np.asarray(rows)
        selected = np.empty((len(rows), *self.shape[1:]), dtype=self.dtype)
        is_head = rows < len(self.head)
        selected[is_head] = self.head[rows[is_head]]
        selected[~is_head] = self.body[rows[~is_head] - len(self.head)]
        return selected[(slice(None), *others)] if others else selected

    def __reduce__(self) -> tuple[object, ...]:
        # A view would be pickled as a copy of each window.
        return _of_steps, (self.head, _steps_of(self.body), self.shape[1])


def _steps_of(view: NDArray) -> NDArray:
    steps = underlying_series(view)
    assert steps is not None  # both parts are views of a series
    return steps


def _of_steps(head: NDArray, steps: NDArray, seq_length: int) -> JoinedWindows:
    return JoinedWindows(head, sliding_windows(steps, seq_length))
