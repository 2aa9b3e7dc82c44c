"""Windows as NumPy views of a series, and the number of steps that each window knows.

A *series* has shape ``(n_steps, n_features)``, *windows* have shape
``(n_samples, seq_length, n_features)``. Windows are read-only strided views, so that a
series is never copied ``seq_length`` times. The functions here are pure: they check no
user input and use neither scikit-learn nor torch.
"""

from collections.abc import Iterator

import numpy as np
from numpy.lib.stride_tricks import as_strided, sliding_window_view
from numpy.typing import NDArray

# Numbers of windows that are no views of one series, of rows of a series, and of its
# values, to process at a time. They limit the memory used and do not change the result.
N_WINDOWS_AT_ONCE = 4096
N_ROWS_AT_ONCE = 2**16
N_VALUES_AT_ONCE = 2**20


def row_dtype(n_rows: int) -> np.dtype:
    """Return the integer type to number rows: 32 bits, or more for more rows than that."""
    return np.result_type(np.int32, np.min_scalar_type(-n_rows))


def iter_chunks(n_rows: int, n_at_once: int = N_ROWS_AT_ONCE) -> Iterator[slice]:
    """Yield slices that cover all rows in order, `n_at_once` rows at a time."""
    return (slice(start, start + n_at_once) for start in range(0, n_rows, n_at_once))


def iter_rows(array: NDArray) -> Iterator[slice]:
    """Yield slices that cover all rows in order, at most `N_VALUES_AT_ONCE` values each."""
    return iter_chunks(len(array), max(1, N_VALUES_AT_ONCE // max(1, array[:1].size)))


def history_reach(seq_length: int, horizon: int) -> int:
    """Return the number of steps before a row that its window reaches back."""
    return seq_length + horizon - 1


def sliding_windows(series: NDArray, seq_length: int) -> NDArray:
    """Return all runs of `seq_length` steps: (n_steps - seq_length + 1, seq_length, F)."""
    by_feature = sliding_window_view(series, seq_length, axis=0)  # (n, F, seq_length)
    return by_feature.transpose(0, 2, 1)


def history_windows(
    series: NDArray, past: NDArray, *, seq_length: int, horizon: int
) -> NDArray:
    """Return one window for each row of `series`: the steps that predict the row.

    Row ``t`` holds the steps ``t - horizon - seq_length + 1`` to ``t - horizon``. Negative
    steps are the last ones of `past`; steps before those are NaN.
    """
    n_samples, n_features = series.shape
    reach = history_reach(seq_length, horizon)
    known = past[max(len(past) - reach, 0) :]
    unknown = np.full((reach - len(known), n_features), np.nan, dtype=series.dtype)
    steps = np.concatenate([unknown, known.astype(series.dtype, copy=False), series])
    return sliding_windows(steps[: n_samples + seq_length - 1], seq_length)


def flat_windows(windows: NDArray) -> NDArray:
    """Return windows as rows of a table: (n_samples, seq_length * n_features)."""
    # Consecutive steps are adjacent in memory, so that this is a view as well.
    return windows.reshape(len(windows), -1)


def underlying_series(windows: NDArray) -> NDArray | None:
    """Return the series that overlapping windows are a view of, or None if they are not."""
    n_samples, seq_length, n_features = windows.shape
    next_window, next_step, next_feature = windows.strides
    if n_samples > 1 and seq_length > 1 and next_window != next_step:
        return None
    # A single window is its own series, and so are windows of one step.
    stride = next_step if seq_length > 1 else next_window
    return as_strided(
        windows,
        shape=(n_samples + seq_length - 1, n_features),
        strides=(stride, next_feature),
        writeable=False,
    )


def n_known_steps(windows: NDArray) -> NDArray[np.integer]:
    """Return the number of last steps that each window knows; earlier steps are NaN.

    A step is unknown if all its features are NaN. The count is -1 for a window with NaN
    anywhere else: in only some features of a step, or after a known step.
    """
    n_samples, seq_length, _ = windows.shape
    counts = np.full(n_samples, seq_length, dtype=row_dtype(seq_length))
    series = underlying_series(windows)
    n_unknown = None if series is None else _n_unknown_first(series)
    if n_unknown is not None:
        incomplete = counts[:n_unknown]
        last_steps = np.arange(seq_length, len(incomplete) + seq_length)
        incomplete[:] = np.clip(last_steps - n_unknown, 0, seq_length)
        return counts
    for part in iter_chunks(n_samples, N_WINDOWS_AT_ONCE):
        counts[part] = _n_known_steps_of_each(windows[part])
    return counts


def _n_unknown_first(series: NDArray) -> int | None:
    """Return the number of first steps that are NaN; None if there is NaN after them."""
    n_unknown, is_before = 0, True
    for part in iter_rows(series):
        missing = np.isnan(series[part])
        if is_before:
            unknown = missing.all(axis=1)
            n_more = int(unknown.argmin()) if not unknown.all() else len(unknown)
            n_unknown, is_before = n_unknown + n_more, n_more == len(unknown)
            missing = missing[n_more:]
        if missing.any():
            return None
    return n_unknown


def _n_known_steps_of_each(windows: NDArray) -> NDArray[np.intp]:
    missing = np.isnan(windows)  # (n, seq_length, F)
    unknown = missing.all(axis=2)
    n_unknown = np.logical_and.accumulate(unknown, axis=1).sum(axis=1)
    counts = windows.shape[1] - n_unknown
    misplaced = missing.any(axis=2).sum(axis=1) != n_unknown
    return np.where(misplaced, -1, counts)
