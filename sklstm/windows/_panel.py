"""Rows of several series in one table, and their windows in one buffer.

Each series is laid out with its past in front of it, one series after the other. A window
that would begin before its series does not know those steps, whatever the buffer holds.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sklstm.windows._views import history_reach, row_dtype
from sklstm.windows._windows import Windows


@dataclass(frozen=True)
class Panel:
    """Rows of a table by the series that they belong to.

    Attributes
    ----------
    keys : pandas.Index of length n_series
        Names of the series, in the order of their first rows.

    series : ndarray of int of shape (n_rows,)
        Number of the series of each row.

    position : ndarray of int of shape (n_rows,)
        Place of each row in its series, from 0.

    counts : ndarray of int of shape (n_series,)
        Number of rows of each series.
    """

    keys: pd.Index
    series: NDArray[np.integer]
    position: NDArray[np.integer]
    counts: NDArray[np.integer]

    @classmethod
    def of(cls, keys: pd.Index) -> Self:
        """Number the series and their rows by the name of the series of each row."""
        codes, unique = pd.factorize(keys)
        dtype = row_dtype(len(codes))
        series = codes.astype(dtype)
        counts = np.bincount(series, minlength=len(unique)).astype(dtype)
        position = np.empty(len(series), dtype=dtype)
        order = _stable_order(series)
        in_order = np.arange(len(series), dtype=dtype)
        in_order -= np.repeat(_starts(counts), counts)
        position[order] = in_order
        return cls(unique, series, position, counts)

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def starts(self) -> NDArray[np.integer]:
        """Place of the first row of each series, where series stand one after another."""
        return _starts(self.counts)

    @property
    def places(self) -> NDArray[np.integer]:
        """Place of each row, where series stand one after another."""
        return self.starts[self.series] + self.position

    def by_series(self, rows: NDArray) -> NDArray:
        """Return rows with series one after another: a view if they stand so already."""
        if (self.series[1:] >= self.series[:-1]).all():
            return rows
        sorted_rows = np.empty_like(rows)
        sorted_rows[self.places] = rows
        return sorted_rows

    def first_row(self, number: int) -> int:
        """Return the row of the table that the first row of a series is."""
        return int((self.series == number).argmax())


def _starts(counts: NDArray[np.integer]) -> NDArray[np.integer]:
    return np.cumsum(counts, dtype=counts.dtype) - counts


def _stable_order(series: NDArray[np.integer]) -> NDArray[np.intp] | slice:
    if (series[1:] >= series[:-1]).all():
        return slice(None)
    return np.argsort(series, kind="stable")


def segments(lengths: NDArray[np.integer]) -> NDArray[np.integer]:
    """Return 0, 1, ..., length - 1 for each length in turn."""
    lengths = np.asarray(lengths)
    total = int(lengths.sum())
    return np.arange(total) - np.repeat(np.cumsum(lengths) - lengths, lengths)


def without_nan(rows: NDArray) -> NDArray:
    """Return rows in which 0 stands for NaN, to compare them with others."""
    return np.nan_to_num(rows, nan=0.0) if np.isnan(rows).any() else rows


@dataclass(frozen=True)
class Pasts:
    """Steps that are known before each series of a table.

    Attributes
    ----------
    steps : ndarray of shape (n_steps, n_features)
        Last steps of all series that were fitted, one series after another.

    missing : ndarray of int of shape (n_steps,)
        Number of steps that are missing before each of them.

    starts, counts : ndarray of int of shape (n_series,)
        First of them and their number, for each series of the table.
    """

    steps: NDArray
    missing: NDArray[np.integer]
    starts: NDArray[np.integer]
    counts: NDArray[np.integer]

    @classmethod
    def none(cls, rows: NDArray, panel: Panel) -> Self:
        """Return the pasts of series that have none."""
        nothing = np.zeros(len(panel), dtype=np.int64)
        return cls(rows[:0], nothing[:0], nothing, nothing)

    def places(self, before: NDArray[np.integer]) -> tuple[NDArray, NDArray]:
        """Return where the steps of each past go in a buffer, and which they are."""
        row = segments(self.counts)
        return (
            np.repeat(before, self.counts) + row,
            np.repeat(self.starts, self.counts) + row,
        )


def panel_windows(
    rows: NDArray,
    panel: Panel,
    pasts: Pasts,
    *,
    seq_length: int,
    horizon: int,
    missing: NDArray[np.integer] | None = None,
) -> Windows:
    """Return one window for each row (n_rows, n_features), in the order of the table.

    With `missing`, the number of steps that are missing before each row, windows begin
    after the last missing step that they reach, and rows with NaN count as missing.
    Otherwise steps are counted by rows.
    """
    reach = history_reach(seq_length, horizon)
    n_steps = reach + int(pasts.counts.sum()) + len(rows)
    dtype = row_dtype(n_steps)
    before = reach + np.cumsum(pasts.counts) - pasts.counts + panel.starts  # of each past
    steps = np.empty((n_steps, rows.shape[1]), dtype=rows.dtype)
    steps[:reach] = np.nan
    there, which = pasts.places(before)
    steps[there] = pasts.steps[which]
    known = panel.position + pasts.counts.astype(dtype)[panel.series]
    at = before.astype(dtype)[panel.series] + known
    steps[at] = rows
    starts = at - dtype.type(reach)
    if missing is None:
        known += dtype.type(1 - horizon)
        n_known = np.clip(known, 0, seq_length, out=known)
    else:
        gaps = np.empty(n_steps, dtype=np.int64)
        gaps[at], gaps[there] = missing, pasts.missing[which]
        gaps[before] = reach  # no window reaches from one series into another
        last, n_known = _last_steps(steps[reach:], gaps[reach:], reach, horizon)
        n_known = np.minimum(n_known, seq_length)[at - reach].astype(dtype)
        starts = np.where(n_known, last[at - reach] + horizon, at - reach).astype(dtype)
    return Windows.of_steps(
        steps, starts, seq_length, n_known, panel.series, panel.position
    )


def _last_steps(
    steps: NDArray, gaps: NDArray[np.int64], reach: int, horizon: int
) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
    """Return the step `horizon` steps before each, and the length of the run that it ends.

    `gaps` are the numbers of steps that are missing before each. The length is 0 where the
    step that is asked for is missing.
    """
    is_known = ~np.isnan(steps).any(axis=1)
    numbers = np.arange(len(steps))
    follows = (gaps == 0) & is_known
    follows[1:] &= is_known[:-1]
    run_starts = np.maximum.accumulate(np.where(follows, 0, numbers))
    runs = np.where(is_known, numbers - run_starts + 1, 0)
    # Longer gaps count as one that no window reaches across.
    places = np.cumsum(1 + np.minimum(gaps, reach))
    last = np.searchsorted(places, places - horizon)
    is_there = places[last] == places - horizon
    return last, np.where(is_there, runs[last], 0)
