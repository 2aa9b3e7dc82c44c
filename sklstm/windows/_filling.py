"""Last known values carried forward, by series; nothing is read from later rows."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class LastKnown:
    """Last known value of each column, at the last row of each series.

    Attributes
    ----------
    values : ndarray of shape (n_series, n_features)
        Values; NaN where none is known.

    ages : ndarray of float of shape (n_series, n_features)
        Number of steps since then, 0 if it stands in the last row itself.
    """

    values: NDArray
    ages: NDArray[np.float64]

    @classmethod
    def nothing(cls, n_series: int, n_features: int) -> Self:
        """Return what is known before the first row."""
        return cls(*np.full((2, n_series, n_features), np.nan))

    def of(self, numbers: NDArray[np.integer], follows: NDArray[np.bool_]) -> "LastKnown":
        """Return what later series know: nothing if they do not follow a fitted one."""
        is_next = follows[:, np.newaxis]
        return LastKnown(
            np.where(is_next, self.values[numbers], np.nan),
            np.where(is_next, self.ages[numbers], np.nan),
        )


@dataclass(frozen=True)
class Filling:
    """Which row each missing value of a table is filled from.

    Attributes
    ----------
    rows : ndarray of shape (n_rows, n_features)
        Rows with NaN, series one after another.

    counts : ndarray of int of shape (n_series,)
        Number of rows of each series.

    missing : ndarray of int of shape (n_rows,)
        Number of steps that are missing before each row.

    past : LastKnown
        What is known before the first row of each series.
    """

    rows: NDArray
    counts: NDArray[np.int64]
    missing: NDArray[np.int64]
    past: LastKnown

    def filled(self, limit: int | None) -> tuple[NDArray, NDArray[np.float64], LastKnown]:
        """Return the filled rows, how old each value is in steps, and the last of both.

        Values older than `limit` steps remain NaN. What is last known has no limit.
        """
        values = np.empty_like(self.rows)
        ages = np.empty(self.rows.shape)
        fill = self._by_column()
        for column in range(self.rows.shape[1]):
            values[:, column], ages[:, column] = fill(column)
        last = np.cumsum(self.counts) - 1
        last_known = LastKnown(values[last], ages[last])
        if limit is not None:
            values[ages > limit] = np.nan
        return values, ages, last_known

    def _by_column(self) -> Callable[[int], tuple[NDArray, NDArray]]:
        """Return a function that returns the last known value of each row, and its age."""
        series = np.repeat(np.arange(len(self.counts)), self.counts)
        first = np.repeat(np.cumsum(self.counts) - self.counts, self.counts)
        step = np.cumsum(1 + self.missing)
        since_past = step - step[first] + 1 + self.missing[first]
        rows = np.arange(len(self.rows))

        def fill(column: int) -> tuple[NDArray, NDArray]:
            found = self.rows[:, column]
            last = np.maximum.accumulate(np.where(np.isnan(found), -1, rows))
            is_own = last >= first
            before = since_past + self.past.ages[series, column]
            return (
                np.where(is_own, found[last], self.past.values[series, column]),
                np.where(is_own, step - step[last], before),
            )

        return fill
