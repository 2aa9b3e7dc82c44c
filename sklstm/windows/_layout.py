"""Check of the layout of windows: the axis that is time, and the order of the steps.

Consecutive rows of windows overlap: the window of the next row is the window of this row,
shifted by one step. The direction of the overlap shows the layout. Tables of lags from
other libraries may hold the newest step first, have other columns after the lags, or have
the axes of steps and channels swapped. A network would train on all of them without
complaint.

Only rows that overlap are judged. Independent or shuffled rows, rows with gaps, constants,
and series that are the same in both directions give no evidence, and no warning.
"""

import warnings
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from sklstm.windows._overlap import AGREEMENT, Overlap, agrees, has_forward_shift, overlap
from sklstm.windows._views import n_known_steps

# Largest and smallest number of pairs of consecutive rows, evenly spread, to compare.
MOST_PAIRS, FEWEST_PAIRS = 64, 4
# Largest numbers of values, and of steps or features, to compare across all pairs.
MOST_COMPARED, MOST_LANES = 2**18, 12
# Number of pairs needed to recognise just two lags among other columns.
PAIRS_FOR_TWO_LAGS = 16
# Largest number of features that alternate in a table, and of rows to search for seasonal
# lags.
MOST_INTERLEAVED, ROWS_OF_LAGS = 8, 512


def check_layout(
    windows: NDArray, rows: NDArray[np.integer], targets: NDArray, *, name: str = "X"
) -> None:
    """Warn if windows overlap as those of another layout than (row, step, feature) do.

    Parameters
    ----------
    windows : ndarray of shape (n_samples, seq_length, n_features)
        Windows, which the network reads with the oldest step first. Views of a series in
        this layout, as WindowTransformer returns them, need no check.

    rows : ndarray of int
        Numbers of the complete windows, increasing.

    targets : ndarray of shape (n_samples, n_outputs)
        Targets. If they are the series itself, they show whether the rows or the steps are
        in reverse order.

    name : str
        Name of the array in the advice.
    """
    advice = layout_advice(windows, rows, targets, name=name)
    if advice is not None:
        warnings.warn(advice, UserWarning, stacklevel=2)


def layout_advice(
    windows: NDArray, rows: NDArray[np.integer], targets: NDArray, *, name: str = "X"
) -> str | None:
    """Return the text of a warning about the layout; None if the layout seems right."""
    if _is_view_of_series(windows):
        return None
    earlier = _spread_pairs(rows, windows[0].size)
    n_pairs, this, following = len(earlier), windows[earlier], windows[earlier + 1]
    earlier = earlier[_first_of_equal(this, following)]
    is_right = (this[:, 1:] == following[:, :-1]).all() and windows.shape[1] > 1
    if is_right or len(earlier) < FEWEST_PAIRS:
        return None
    if windows.shape[2] == 1:
        return _advice_on_table(
            windows[:, :, 0], rows, earlier, targets, name, repeats=len(earlier) < n_pairs
        )
    steps, features = map(_spread_places, windows.shape[1:])
    dtype = _float_dtype(windows)
    this, following = (windows[row].astype(dtype) for row in (earlier, earlier + 1))
    sides = this[:, :, features], following[:, :, features]
    found = overlap(*sides)
    if found.has_feature("forward"):
        return None
    if found.is_all("backward"):
        is_right = has_forward_shift(*sides) or _are_rows_reversed(
            windows, earlier, targets
        )
        return None if is_right else _newest_first(name)
    swapped = overlap(*(side[:, steps].transpose(0, 2, 1) for side in (this, following)))
    return _advice_on_swapped(swapped, windows.shape, name)


def layout_of_nan(windows: NDArray) -> str:
    """Return advice for an error about NaN that another layout would explain, or ""."""
    if (n_known_steps(windows[:, ::-1]) >= 0).all():
        return " Or, if the windows hold the newest step first, pass X[:, ::-1]."
    swapped = windows.transpose(0, 2, 1)
    if windows.shape[2] > 1 and (n_known_steps(swapped) >= 0).all():
        return " Or, if time is the last axis of X, pass X.transpose(0, 2, 1)."
    return ""


def _is_view_of_series(windows: NDArray) -> bool:
    """Return whether memory proves the layout: the next window begins at the next step."""
    next_window, next_step, _ = windows.strides
    if windows.shape[1] == 1:  # as in any array, but WindowTransformer's are read-only
        return next_window == next_step and not windows.flags.writeable
    # Rows in reverse order are right too, if the steps of each are in time order.
    return next_window == next_step or (next_window == -next_step and next_window < 0)


def _spread_pairs(rows: NDArray[np.integer], n_values: int) -> NDArray[np.integer]:
    """Return rows, of `n_values` each, whose next row is there too, evenly spread."""
    n_most = max(min(int((MOST_COMPARED / n_values) ** 0.5), MOST_PAIRS), FEWEST_PAIRS)
    n_pairs = min(len(rows) - 1, n_most)
    if n_pairs < 1:
        return rows[:0]
    places = np.linspace(0, len(rows) - 2, n_pairs).astype(np.intp)
    return rows[places[rows[places + 1] - rows[places] == 1]]


def _first_of_equal(this: NDArray, following: NDArray) -> list[int]:
    """Return the pairs that equal no earlier pair; repeated pairs are no more evidence."""
    first: dict[bytes, int] = {}
    for number, (row, next_row) in enumerate(zip(this, following, strict=True)):
        first.setdefault(row.tobytes() + next_row.tobytes(), number)
    return list(first.values())


def _spread_places(n_places: int) -> NDArray[np.intp]:
    return np.linspace(0, n_places - 1, min(n_places, MOST_LANES)).astype(np.intp)


def _are_rows_reversed(
    windows: NDArray, earlier: NDArray[np.integer], targets: NDArray
) -> bool:
    """Return whether the targets show that the rows, not the steps, run backward.

    Targets show it if they are the series itself. The last step of a window is then its
    newest one: the target of the same row, or of the next row, which is earlier in time.
    """
    last_steps = windows[earlier, -1, :, np.newaxis].astype(np.float64)
    nearest = (targets[earlier, np.newaxis], targets[earlier + 1, np.newaxis])
    return any(agrees(*np.broadcast_arrays(last_steps, y)).any() for y in nearest)


def _newest_first(name: str) -> str:
    return (
        f"The windows of {name} seem to hold the newest step first: each row repeats the "
        "row before it, moved by one step towards the end. The network reads the oldest "
        f'step first. Pass {name}[:, ::-1], here and to predict, or set order="newest" of '
        "the LagsToWindows before. (If instead the rows are in reverse time order, pass "
        f"{name}[::-1] and y[::-1].)"
    )


def _advice_on_swapped(found: Overlap, shape: tuple[int, ...], name: str) -> str | None:
    remedy, order = f"{name}.transpose(0, 2, 1)", ""
    if found.is_all("backward"):
        remedy, order = f"{remedy}[:, ::-1]", ", the newest step first"
    elif not found.is_all("forward"):
        return None
    return (
        f"{name} of shape {shape} seems to have the layout (n_samples, n_features, "
        f"seq_length){order}: consecutive rows overlap along the last axis. The network "
        f"reads (n_samples, seq_length, n_features), the oldest step first. Pass {remedy}, "
        "here and to predict."
    )


def _advice_on_table(
    table: NDArray,
    rows: NDArray[np.integer],
    earlier: NDArray[np.integer],
    targets: NDArray,
    name: str,
    *,
    repeats: bool,
) -> str | None:
    """Return the advice on a table, whose columns are read as the steps of one feature."""
    if table.shape[1] < 2:
        return None
    this = table[earlier].astype(_float_dtype(table))[:, :, np.newaxis]
    following = table[earlier + 1].astype(_float_dtype(table))[:, :, np.newaxis]
    found = overlap(this, following)
    if found.is_all("forward") or found.is_partly_forward():
        return None
    if found.is_all("backward"):
        is_right = has_forward_shift(this, following) or _are_rows_reversed(
            table[:, :, np.newaxis], earlier, targets
        )
        return None if is_right else _newest_first(name)
    blocks = lag_blocks(found)
    if len(blocks) == 1 and blocks[0].is_pair and len(this) < PAIRS_FOR_TWO_LAGS:
        return None
    if blocks:
        return _advice_on_blocks(table[rows[:ROWS_OF_LAGS]], blocks, name)
    # Every k-th row of a periodic series looks like several features side by side.
    return None if repeats else _advice_on_interleaved(this, following, name)


def _float_dtype(array: NDArray) -> np.dtype:
    return np.result_type(array.dtype, np.float32)


@dataclass(frozen=True)
class LagBlock:
    """Columns `start` to `stop - 1` of a table: lags of one series, in one order."""

    start: int
    stop: int
    is_newest_first: bool

    @property
    def is_pair(self) -> bool:
        """True if there are only two lags, which overlap in a single column."""
        return self.stop - self.start == 2


def lag_blocks(found: Overlap) -> list[LagBlock]:
    """Return the runs of at least two adjacent columns of a table that overlap."""
    forward, backward = found.only("forward")[:, 0], found.only("backward")[:, 0]
    if found.is_blurred():
        return []
    links, blocks = backward.astype(int) - forward, []
    edges = [0, *(np.flatnonzero(np.diff(links)) + 1), len(links)]
    for first, end in pairwise(edges):
        if links[first]:
            blocks.append(LagBlock(int(first), int(end) + 1, bool(links[first] > 0)))
    return blocks


def _advice_on_blocks(table: NDArray, blocks: list[LagBlock], name: str) -> str | None:
    n_columns, block = table.shape[1], blocks[0]
    length = block.stop - block.start
    order = "newest" if block.is_newest_first else "oldest"
    others = [c for c in range(n_columns) if not block.start <= c < block.stop]
    if all(_are_lags_of(table[:, c], table[:, block.start]) for c in others):
        return _newest_first(name) if block.is_newest_first else None
    reverse = "[:, ::-1]" if block.is_newest_first else ""
    alike = [
        LagBlock(s, s + length, block.is_newest_first) for s in range(0, n_columns, length)
    ]
    if blocks == alike:
        shape = f"(len({name}), {len(blocks)}, {length})"
        found = f"the lags of {len(blocks)} series, {length} of each, the {order} first"
        remedy = f"{name}.reshape{shape}.transpose(0, 2, 1){reverse}"
    else:
        lags = f"{name}[:, {block.start}:{block.stop}]{reverse}"
        found = (
            f"lags of one series in columns {block.start} to {block.stop - 1}, the {order} "
            "first, and other columns beside them"
        )
        rest = f"np.delete({name}, np.s_[{block.start}:{block.stop}], axis=1)"
        remedy = (
            f"{lags} for the lags alone, or, with the other columns repeated at each step, "
            f"np.dstack([{lags}, np.repeat({rest}[:, None], {length}, axis=1)])"
        )
    return (
        f"{name} seems to be a table of {found}. The network reads a table as windows of "
        "one series, one column per step, the oldest first. Windows of several features "
        "have the shape (n_samples, seq_length, n_features). "
        f"Pass {remedy}, here and to predict."
    )


def _are_lags_of(column: NDArray, other: NDArray) -> bool:
    """Return whether a column holds the values of another, many rows earlier or later."""
    a_quarter = len(column) // 4
    middle = column[a_quarter : len(column) - a_quarter]
    if len(middle) < 2 * FEWEST_PAIRS or (middle == middle[0]).all():
        return False
    is_same = sliding_window_view(other, len(middle)) == middle
    return bool((is_same.mean(axis=1) >= AGREEMENT).any())


def _advice_on_interleaved(this: NDArray, following: NDArray, name: str) -> str | None:
    """Return the advice on tables with the features of each step side by side.

    Only tables with the newest step first are recognised. With the oldest step first, they
    look like every second row of correct windows.
    """
    n_columns = this.shape[1]
    for n_features in range(2, MOST_INTERLEAVED + 1):
        if n_columns % n_features or n_columns == n_features:
            continue
        shape = (len(this), -1, n_features)
        features = overlap(this.reshape(shape), following.reshape(shape))
        if features.is_all("backward") and not has_forward_shift(this, following):
            return (
                f"{name} seems to be a table of the lags of {n_features} features side by "
                "side, the newest step first. The network reads a table as windows of one "
                f"series, the oldest step first. Pass {name}.reshape(len({name}), -1, "
                f"{n_features})[:, ::-1], here and to predict. (If instead they are every "
                f"{n_features}th window of one series, pass {name}[:, ::-1].)"
            )
    return None
