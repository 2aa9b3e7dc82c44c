"""Series to windows: NumPy views, and which steps of a window are known.

A *series* has shape ``(n_steps, n_features)``, *windows* have shape
``(n_samples, seq_length, n_features)``. Windows are read-only strided views, so that
``seq_length`` copies of a series never exist. Nothing here knows scikit-learn or torch,
checks what a user passed, or keeps state.
"""

from collections.abc import Iterator

import numpy as np
from numpy.lib.stride_tricks import as_strided, sliding_window_view
from numpy.typing import NDArray

# Windows looked at together where they are not views of one series, and rows of a series;
# they bound the memory of the look, not its result.
N_WINDOWS_AT_ONCE = 4096
N_ROWS_AT_ONCE = 2**16


def row_dtype(n_rows: int) -> np.dtype:
    """An integer that numbers so many rows: of half a float64, wherever that is enough."""
    return np.result_type(np.int32, np.min_scalar_type(-n_rows))


def iter_parts(n_rows: int, n_at_once: int = N_ROWS_AT_ONCE) -> Iterator[slice]:
    """All rows in order, so many at a time."""
    return (slice(start, start + n_at_once) for start in range(0, n_rows, n_at_once))


def history_reach(seq_length: int, horizon: int) -> int:
    """Steps before a row that its window can reach back to."""
    return seq_length + horizon - 1


def sliding_windows(series: NDArray, seq_length: int) -> NDArray:
    """Every run of `seq_length` steps: (n_steps - seq_length + 1, seq_length, F)."""
    by_feature = sliding_window_view(series, seq_length, axis=0)  # (n, F, seq_length)
    return by_feature.transpose(0, 2, 1)


def history_windows(
    series: NDArray, past: NDArray, *, seq_length: int, horizon: int
) -> NDArray:
    """One window for each row of `series`: the steps that predict the row.

    Row ``t`` holds the steps ``t - horizon - seq_length + 1`` to ``t - horizon``, where
    negative steps are the last ones of `past`, and NaN before those.
    """
    n_samples, n_features = series.shape
    reach = history_reach(seq_length, horizon)
    known = past[max(len(past) - reach, 0) :]
    unknown = np.full((reach - len(known), n_features), np.nan, dtype=series.dtype)
    steps = np.concatenate([unknown, known.astype(series.dtype, copy=False), series])
    return sliding_windows(steps[: n_samples + seq_length - 1], seq_length)


def flat_windows(windows: NDArray) -> NDArray:
    """The same windows as rows of a table: (n_samples, seq_length * n_features)."""
    # Steps lie one behind the other in memory, so that this is a view again.
    return windows.reshape(len(windows), -1)


def underlying_series(windows: NDArray) -> NDArray | None:
    """The steps that overlapping windows are a view of, or None where they are not."""
    n_samples, seq_length, n_features = windows.shape
    next_window, next_step, next_feature = windows.strides
    if n_samples > 1 and seq_length > 1 and next_window != next_step:
        return None
    # One window is its own series, and so is any number of windows of one step.
    stride = next_step if seq_length > 1 else next_window
    return as_strided(
        windows,
        shape=(n_samples + seq_length - 1, n_features),
        strides=(stride, next_feature),
        writeable=False,
    )


def n_known_steps(windows: NDArray) -> NDArray[np.integer]:
    """How many last steps of each window are known; the steps before those are NaN.

    A step is unknown where all its features are NaN. The count is -1 for a window that
    holds NaN elsewhere: in some features of a step only, or after a known step.
    """
    n_samples, seq_length, _ = windows.shape
    counts = np.full(n_samples, seq_length, dtype=row_dtype(seq_length))
    series = underlying_series(windows)
    if series is not None:
        missing = np.isnan(series)
        unknown = missing.all(axis=1)
        n_unknown = int(unknown.argmin()) if not unknown.all() else len(unknown)
        if not missing[n_unknown:].any():
            incomplete = counts[:n_unknown]
            last_steps = np.arange(seq_length, len(incomplete) + seq_length)
            incomplete[:] = np.clip(last_steps - n_unknown, 0, seq_length)
            return counts
    for part in iter_parts(n_samples, N_WINDOWS_AT_ONCE):
        counts[part] = _n_known_steps_of_each(windows[part])
    return counts


def _n_known_steps_of_each(windows: NDArray) -> NDArray[np.intp]:
    missing = np.isnan(windows)  # (n, seq_length, F)
    unknown = missing.all(axis=2)
    n_unknown = np.logical_and.accumulate(unknown, axis=1).sum(axis=1)
    counts = windows.shape[1] - n_unknown
    misplaced = missing.any(axis=2).sum(axis=1) != n_unknown
    return np.where(misplaced, -1, counts)
