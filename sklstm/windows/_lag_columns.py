"""Columns of a table of lags: where each lag stands, and which lags are known.

Forecasting tools lay out their lags differently. `LagLayout` says which column holds which
step of which series, given the parameters of `LagsToWindows`. `_lag_names` compares that
with the names of the columns.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from sklstm.windows._views import n_known_steps

Order = Literal["newest", "oldest"]
Layout = Literal["blocks", "interleaved"]


@dataclass(frozen=True)
class LagLayout:
    """Parameters of `LagsToWindows` that say where the lags stand in a table."""

    n_lags: int
    groups: tuple[int, ...]  # series in each group of columns
    order: Order
    layout: Layout
    first: int

    @property
    def n_series(self) -> int:
        """Number of series that have lags."""
        return sum(self.groups)

    @property
    def stop(self) -> int:
        """Number of the column after the last lag."""
        return self.first + self.n_lags * self.n_series

    def lag_columns(self) -> NDArray[np.intp]:
        """Return the columns of the lags, (n_lags, n_series), the oldest step first."""
        groups, start = [], self.first
        for size in self.groups:
            columns = np.arange(start, start + self.n_lags * size)
            start += len(columns)
            is_blocks = self.layout == "blocks"
            groups.append(
                columns.reshape(size, -1).T if is_blocks else columns.reshape(-1, size)
            )
        in_order = np.hstack(groups)
        return in_order if self.order == "oldest" else in_order[::-1]

    def window_columns(self, n_columns: int) -> NDArray[np.intp]:
        """Return the columns of windows, (n_lags, n_series + n_other), the lags first."""
        others = self.other_columns(n_columns)
        repeated = np.broadcast_to(others, (self.n_lags, len(others)))
        return np.hstack([self.lag_columns(), repeated])

    def other_columns(self, n_columns: int) -> NDArray[np.intp]:
        """Return the columns that are no lags, in their order."""
        return np.r_[: self.first, self.stop : n_columns]


def take_columns(table: NDArray, columns: NDArray[np.intp]) -> NDArray:
    """Return ``table[:, columns]``, read-only: a view if the columns are evenly spaced."""
    first = columns[0, 0]
    by_step, by_feature = (np.diff(columns[:2, :2], axis=axis) for axis in (0, 1))
    step, feature = (int(by.flat[0]) if by.size else 0 for by in (by_step, by_feature))
    n_steps, n_features = columns.shape
    even = (
        first + step * np.arange(n_steps)[:, np.newaxis] + feature * np.arange(n_features)
    )
    if not (columns == even).all():
        return np.take(table, columns, axis=1)
    by_row, by_column = table.strides
    return as_strided(
        table[:, first:],
        shape=(len(table), n_steps, n_features),
        strides=(by_row, step * by_column, feature * by_column),
        writeable=False,
    )


def check_known_lags(
    table: NDArray, lags: LagLayout, names: Sequence[str] | None
) -> NDArray[np.integer]:
    """Return how many steps of each row are known; only the oldest may be NaN."""
    if np.isfinite(table).all():
        return np.full(len(table), lags.n_lags)
    _raise_if_any(np.isinf(table), "inf", names, "Replace it with a number.")
    missing = np.isnan(table)
    missing[:, lags.first : lags.stop] = False
    _raise_if_any(missing, "NaN", names, "Only lags may be NaN. Fill it in before.")
    windows = take_columns(table, lags.lag_columns())
    n_known = n_known_steps(windows)
    if (n_known < 0).any():
        raise ValueError(_misplaced_nan(windows, int(n_known.argmin()), lags))
    return n_known


def _raise_if_any(
    wrong: NDArray[np.bool_], found: str, names: Sequence[str] | None, remedy: str
) -> None:
    if wrong.any():
        row, column = map(int, np.argwhere(wrong)[0])
        where = column if names is None else repr(str(names[column]))
        raise ValueError(f"X holds {found} in row {row}, column {where}. {remedy}")


def _misplaced_nan(windows: NDArray, row: int, lags: LagLayout) -> str:
    advice = "Fill the gaps before the lags are made, or drop the row."
    if (n_known_steps(windows[:, ::-1]) >= 0).all():
        other = "oldest" if lags.order == "newest" else "newest"
        advice = f'Or, if the table holds the {other} lag first, set order="{other}".'
    of_all = "" if lags.n_series == 1 else ", of all series alike"
    return (
        f"X holds NaN among the lags of row {row}. Only the oldest lags of a row may be "
        f'NaN{of_all}: they are not known yet. With order="{lags.order}", the '
        f"{lags.order} lag stands first. {advice}"
    )
