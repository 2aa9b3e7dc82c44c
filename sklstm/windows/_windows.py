"""Windows: rows that are read from one buffer of steps, whatever the number of series."""

from dataclasses import dataclass
from types import EllipsisType
from typing import Self, overload

import numpy as np
from numpy.typing import DTypeLike, NDArray

from sklstm._types import Passed
from sklstm.windows._mapped import JoinedWindows
from sklstm.windows._views import (
    N_WINDOWS_AT_ONCE,
    iter_chunks,
    n_known_steps,
    row_dtype,
    sliding_windows,
    underlying_series,
)


@dataclass(frozen=True, eq=False, repr=False)
class Windows:
    """Windows of the rows of one or several series, without a copy of each.

    :class:`WindowTransformer` returns them where no single view of a series holds all rows:
    with `groups`, where missing steps cut windows, and for a large :class:`numpy.memmap`,
    which is not copied. Use them like an array of shape
    (n_samples, seq_length, n_features): :class:`LSTMRegressor` reads them as they are, and
    ``numpy.asarray`` makes an array, which takes `seq_length` times the memory of the
    series. A selection of rows, such as ``windows[:10]`` or ``windows[[2, 5]]``, is again
    `Windows`; any other selection is an array.

    Attributes
    ----------
    every : array-like of shape (n_starts, seq_length, n_features)
        Everything that a row can be: the windows that begin at each step of the buffer, as
        a view; or separate windows, if a user passed such an array; or the windows of a
        file.

    starts : ndarray of int of shape (n_samples,)
        Which of them each row is.

    n_known : ndarray of int of shape (n_samples,)
        Number of last steps that each window knows. Earlier ones count as NaN, whatever the
        buffer holds.

    series : ndarray of int of shape (n_samples,)
        Number of the series that each row belongs to.

    position : ndarray of int of shape (n_samples,)
        Place of each row in its series, in time order.

    hides_steps : bool
        Whether the buffer holds other values than NaN for steps that are not known.

    See Also
    --------
    WindowTransformer : Returns these windows.

    Examples
    --------
    >>> import numpy as np
    >>> from sklstm import WindowTransformer
    >>> X = np.array([[0, 1.0], [0, 2.0], [1, 10.0], [0, 3.0], [1, 20.0]])
    >>> windows = WindowTransformer(seq_length=1, groups=0).fit_transform(X)
    >>> windows
    <Windows of shape (5, 1, 1), 2 series, float64>
    >>> np.asarray(windows)[:, 0, 0]
    array([nan,  1., nan,  2., 10.])
    >>> windows[3:].series
    array([0, 1], dtype=int32)
    """

    every: NDArray | JoinedWindows
    starts: NDArray[np.integer]
    n_known: NDArray[np.integer]
    series: NDArray[np.integer]
    position: NDArray[np.integer]
    hides_steps: bool

    @classmethod
    def of_array(cls, array: NDArray, n_known: NDArray[np.integer] | None = None) -> Self:
        """Return the rows of an array (n_samples, seq_length, n_features) as they are.

        They count as one series in time order. By default NaN shows the unknown steps, and
        `n_known` is -1 for a window with NaN anywhere else.
        """
        if n_known is None:
            n_known = n_known_steps(array)
        rows = np.arange(len(array), dtype=row_dtype(len(array)))
        one_series = np.broadcast_to(rows[:1], rows.shape)
        return cls(array, rows, n_known, one_series, rows, hides_steps=False)

    @classmethod
    def of_steps(
        cls,
        steps: NDArray,
        starts: NDArray[np.integer],
        seq_length: int,
        n_known: NDArray[np.integer],
        series: NDArray[np.integer],
        position: NDArray[np.integer],
    ) -> Self:
        """Return the windows of `seq_length` steps of a buffer (n_steps, n_features)."""
        every = sliding_windows(steps, seq_length)
        return cls(every, starts, n_known, series, position, hides_steps=True)

    @classmethod
    def of_joined(cls, every: JoinedWindows) -> Self:
        """Return the rows of one series in a file."""
        rows = np.arange(len(every), dtype=row_dtype(len(every)))
        n_known = np.full(len(every), every.shape[1], dtype=row_dtype(every.shape[1]))
        n_known[: len(every.head)] = n_known_steps(every.head)
        one_series = np.broadcast_to(rows[:1], rows.shape)
        return cls(every, rows, n_known, one_series, rows, hides_steps=True)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Numbers of rows, of steps per window, and of features per step."""
        return (len(self.starts), *self.every.shape[1:])

    @property
    def ndim(self) -> int:
        """Number of axes: rows, steps and features."""
        return 3

    @property
    def dtype(self) -> np.dtype:
        """Type of the values."""
        return self.every.dtype

    @property
    def seq_length(self) -> int:
        """Number of steps per window."""
        return self.every.shape[1]

    @property
    def n_features(self) -> int:
        """Number of features per step."""
        return self.every.shape[2]

    @property
    def steps(self) -> NDArray | None:
        """Buffer of steps (n_steps, n_features); None if the windows are separate."""
        if isinstance(self.every, JoinedWindows):
            return None
        return underlying_series(self.every)

    @property
    def view(self) -> NDArray | None:
        """Rows as an array that is no copy; None if there is no such array."""
        first, n_rows = int(self.starts[0]), len(self)
        last = int(self.starts[-1])
        if self.hides_steps or last - first + 1 != n_rows:
            return None
        if n_rows > 2 and (self.starts[1:] <= self.starts[:-1]).any():
            return None
        return self.every[first : last + 1]

    @property
    def values(self) -> NDArray:
        """Values that the rows hold, each once if they share steps: (..., n_features)."""
        if isinstance(self.every, JoinedWindows):
            first, last = int(self.starts.min()), int(self.starts.max())
            return self.every.steps_between(first, last)
        steps = self.steps
        if self.view is not None and steps is not None:
            first = int(self.starts[0])
            return steps[first : first + len(self) + self.seq_length - 1]
        if steps is None:
            return self.every if len(self) == len(self.every) else self.every[self.starts]
        return steps[self._is_read(len(steps))]

    def _is_read(self, n_steps: int) -> NDArray[np.bool_]:
        """Return whether each step of the buffer is a known step of some row."""
        stops = self.starts + self.seq_length
        first, stops = (stops - self.n_known)[self.n_known > 0], stops[self.n_known > 0]
        change = np.bincount(first, minlength=n_steps + 1)
        change -= np.bincount(stops, minlength=n_steps + 1)
        return np.cumsum(change[:-1]) > 0

    def gather(self, rows: NDArray[np.integer] | slice) -> NDArray:
        """Return rows as an array; what it holds for unknown steps has no meaning."""
        return self.every[self.starts[rows]]

    def last_steps(self, n_steps: int) -> Self:
        """Return the windows of the last `n_steps` steps only."""
        return type(self)(
            self.every[:, self.seq_length - n_steps :],
            self.starts,
            np.minimum(self.n_known, n_steps),
            self.series,
            self.position,
            self.hides_steps,
        )

    def rows(self, rows: NDArray | list[int] | slice) -> Self:
        """Return some of the rows, by a slice, numbers or booleans."""
        return type(self)(
            self.every,
            self.starts[rows],
            self.n_known[rows],
            self.series[rows],
            self.position[rows],
            self.hides_steps,
        )

    def __len__(self) -> int:
        return len(self.starts)

    @overload
    def __getitem__(self, key: slice | list[int] | NDArray) -> Self: ...

    @overload
    def __getitem__(self, key: int | EllipsisType | tuple | None) -> NDArray: ...

    def __getitem__(self, key: Passed) -> Self | NDArray:
        rows, *others = key if isinstance(key, tuple) else (key,)
        if rows is Ellipsis or rows is None:
            return np.asarray(self)[key]
        if not isinstance(rows, slice):
            rows = np.asarray(rows)
            rows = rows.astype(np.intp) if rows.size == 0 else rows
            if rows.ndim != 1:  # one window, or a grid of them
                return np.asarray(self.rows(np.atleast_1d(rows).ravel())).reshape(
                    *rows.shape, *self.shape[1:]
                )[(*(slice(None),) * rows.ndim, *others)]
        chosen = self.rows(rows)
        if not others or others == [Ellipsis]:
            return chosen
        return np.asarray(chosen)[(slice(None), *others)]

    def __array__(
        self, dtype: DTypeLike | None = None, copy: bool | None = None
    ) -> NDArray:
        if copy is False:
            raise ValueError(
                "Windows are no array: making one copies the steps. Use "
                "numpy.asarray(windows), without copy=False."
            )
        array = np.empty(self.shape, dtype=self.dtype if dtype is None else dtype)
        steps = np.arange(self.seq_length)
        for part in iter_chunks(len(self), N_WINDOWS_AT_ONCE):
            array[part] = self.gather(part)
            if self.hides_steps:
                is_unknown = steps < self.seq_length - self.n_known[part, np.newaxis]
                array[part][is_unknown] = np.nan
        return array

    def __reduce__(self) -> tuple[object, ...]:
        # A view would be pickled as a copy of each window.
        steps = self.steps
        per_row = (self.n_known, self.series, self.position)
        if isinstance(self.every, JoinedWindows) and len(self) * self.seq_length > len(
            self.every
        ):
            return Windows, (self.every, self.starts, *per_row, self.hides_steps)
        if steps is None or not self.hides_steps:
            return _of_rows, (np.asarray(self), *per_row)
        return Windows.of_steps, (steps, self.starts, self.seq_length, *per_row)

    def __repr__(self) -> str:
        n_series = len(np.unique(self.series))
        return f"<Windows of shape {self.shape}, {n_series} series, {self.dtype}>"


def _of_rows(
    array: NDArray,
    n_known: NDArray[np.integer],
    series: NDArray[np.integer],
    position: NDArray[np.integer],
) -> Windows:
    rows = np.arange(len(array), dtype=row_dtype(len(array)))
    return Windows(array, rows, n_known, series, position, hides_steps=False)
