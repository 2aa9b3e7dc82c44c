"""Columns of a table of lags: where each lag stands, and which lags are known.

Forecasting tools lay out their lags differently. `LagLayout` says which column holds which
step of which series, given the parameters of `LagsToWindows`. `_lag_names` compares that
with the names of the columns.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Literal

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from sklstm.windows._views import n_known_steps

Order = Literal["newest", "oldest"]
Layout = Literal["blocks", "interleaved"]


@dataclass(frozen=True)
class LagLayout:
    """Where the lags stand in a table: the parameters of `LagsToWindows`, as numbers."""

    n_lags: int
    groups: tuple[int, ...]  # series in each group of adjacent columns
    starts: tuple[int, ...]  # first column of each group
    order: Order
    layout: Layout

    @property
    def n_series(self) -> int:
        """Number of series that have lags."""
        return sum(self.groups)

    @property
    def read(self) -> NDArray[np.intp]:
        """Columns of the lags, in the order of the table."""
        return np.sort(self.lag_columns(), axis=None)

    def lag_columns(self) -> NDArray[np.intp]:
        """Return the columns of the lags, (n_lags, n_series), the oldest step first."""
        groups = []
        for start, size in zip(self.starts, self.groups, strict=True):
            columns = np.arange(start, start + self.n_lags * size)
            is_blocks = self.layout == "blocks"
            groups.append(
                columns.reshape(size, -1).T if is_blocks else columns.reshape(-1, size)
            )
        in_order = np.hstack(groups)
        return in_order if self.order == "oldest" else in_order[::-1]

    def other_columns(self, n_columns: int) -> NDArray[np.intp]:
        """Return the columns that are no lags, in their order."""
        return np.setdiff1d(np.arange(n_columns), self.read)

    def window_columns(self, n_columns: int) -> NDArray[np.intp]:
        """Return the columns of windows, (n_lags, n_series + n_other), the lags first."""
        others = self.other_columns(n_columns)
        repeated = np.broadcast_to(others, (self.n_lags, len(others)))
        return np.hstack([self.lag_columns(), repeated])


def make_layout(
    *,
    n_lags: int,
    n_series: int | Sequence[int],
    first_lag: int | str | Sequence[int | str],
    order: Order,
    layout: Layout,
    n_columns: int,
    names: Sequence[str] | None,
) -> LagLayout:
    """Check the parameters of `LagsToWindows` against the columns of a table."""
    first = [first_lag] if isinstance(first_lag, (int, str, Integral)) else [*first_lag]
    groups = check_groups(n_series, n_places=len(first))
    starts = [_position(one, names) for one in first]
    if len(starts) == 1:  # the groups are adjacent
        before = np.cumsum([0, *groups[:-1]])
        starts = [int(starts[0] + n_lags * n) for n in before]
    lags = LagLayout(n_lags, groups, tuple(starts), order, layout)
    read = lags.read
    if read[-1] >= n_columns:
        place = f" from column {starts[0]} on" if starts[0] else ""
        raise ValueError(
            f"X has {n_columns} feature(s), but n_lags={n_lags} with n_series={n_series!r} "
            f"needs {len(read)} columns of lags{place}. Set n_lags to the number of lags "
            "of each series in the table."
        )
    if (np.diff(read) == 0).any():
        raise ValueError(
            f"n_lags={n_lags} with first_lag={first_lag!r} reads columns twice: the groups "
            "of lags overlap. Lower n_lags, or move first_lag."
        )
    return lags


def check_groups(n_series: int | Sequence[int], *, n_places: int) -> tuple[int, ...]:
    """Return the number of series in each group of columns, of which each has a place."""
    sizes = [n_series] if isinstance(n_series, (int, Integral)) else [*n_series]
    if not sizes or not all(isinstance(n, Integral) and int(n) > 0 for n in sizes):
        raise ValueError(
            f"n_series must be a positive integer or a tuple of them, got {n_series!r}."
        )
    if len(sizes) == 1 and n_places > 1:  # each series stands somewhere
        sizes = [1] * int(sizes[0])
    if n_places not in (1, len(sizes)):
        raise ValueError(
            f"first_lag has {n_places} places, but n_series={n_series!r} makes "
            f"{len(sizes)} groups of lags. Pass one place, or one for each group."
        )
    return tuple(map(int, sizes))


def _position(first_lag: int | str, names: Sequence[str] | None) -> int:
    if isinstance(first_lag, Integral) and first_lag >= 0:
        return int(first_lag)
    if not isinstance(first_lag, str):
        raise ValueError(
            f"first_lag must be positions from 0 on or names of columns, got {first_lag!r}."
        )
    if names is None:
        raise ValueError(
            f"first_lag={first_lag!r} is a name, but X has no column names. Pass a "
            "DataFrame, or the position of the first lag."
        )
    if first_lag not in list(names):
        raise ValueError(
            f"X has no column {first_lag!r}, the first_lag; its columns are "
            f"{', '.join(names)}."
        )
    return list(names).index(first_lag)


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
    missing[:, lags.read] = False
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
