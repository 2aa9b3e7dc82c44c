"""Layout of windows: which axis is time, and at which end the newest step stands.

Consecutive rows of windows overlap, and which way they overlap tells their layout: the
window of the next row is that of this row moved by one step. Tables of lags that other
libraries make hold the newest step first, or other columns behind the lags, or have steps
and channels swapped. A network trains on all of them without complaint.

Only rows that overlap are judged. Independent rows, shuffled or thinned ones, constants,
and series that read the same in both directions give no evidence, and no warning.
"""

import warnings
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from sklstm.windows._overlap import AGREEMENT, Overlap, agrees, has_forward_shift, overlap
from sklstm.windows._views import n_known_steps

# Pairs of consecutive rows that are compared, evenly spread; and the fewest that tell.
MOST_PAIRS, FEWEST_PAIRS = 64, 4
# Values of columns that are compared across all pairs, and steps, or features, of them.
MOST_COMPARED, MOST_LANES = 2**18, 12
# Pairs that it takes to believe in two lags among other columns.
PAIRS_FOR_TWO_LAGS = 16
# Features that may alternate in a table, and rows in which seasonal lags are looked for.
MOST_INTERLEAVED, ROWS_OF_LAGS = 8, 512


def check_layout(
    windows: NDArray, rows: NDArray[np.integer], targets: NDArray, *, name: str = "X"
) -> None:
    """Warn of windows whose overlap shows another layout than (row, step, feature).

    Parameters
    ----------
    windows : ndarray of shape (n_samples, seq_length, n_features)
        Read with the oldest step first. Views of a series in this layout, as
        WindowTransformer gives them, are not looked at.

    rows : ndarray of int
        Those that are complete, increasing.

    targets : ndarray of shape (n_samples, n_outputs)
        Tell rows in reverse order from steps in reverse order, where they are the series.

    name : str
        How the array is called in the advice.
    """
    advice = layout_advice(windows, rows, targets, name=name)
    if advice is not None:
        warnings.warn(advice, UserWarning, stacklevel=2)


def layout_advice(
    windows: NDArray, rows: NDArray[np.integer], targets: NDArray, *, name: str = "X"
) -> str | None:
    """What a warning says about the layout; None where nothing seems wrong with it."""
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
    this, following = (windows[some].astype(dtype) for some in (earlier, earlier + 1))
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
    """What to add to an error about NaN that would be right in another layout, or ""."""
    if (n_known_steps(windows[:, ::-1]) >= 0).all():
        return " Or, if the windows hold the newest step first, pass X[:, ::-1]."
    swapped = windows.transpose(0, 2, 1)
    if windows.shape[2] > 1 and (n_known_steps(swapped) >= 0).all():
        return " Or, if time is the last axis of X, pass X.transpose(0, 2, 1)."
    return ""


def _is_view_of_series(windows: NDArray) -> bool:
    """Whether memory proves the layout: the next window begins at the next step."""
    next_window, next_step, _ = windows.strides
    if windows.shape[1] == 1:  # any array looks so; WindowTransformer's are read-only
        return next_window == next_step and not windows.flags.writeable
    # Rows in reverse order, the steps of each in time order, are all right too.
    return next_window == next_step or (next_window == -next_step and next_window < 0)


def _spread_pairs(rows: NDArray[np.integer], n_values: int) -> NDArray[np.integer]:
    """Rows, of `n_values` each, whose next row is there too; evenly spread over all."""
    n_most = max(min(int((MOST_COMPARED / n_values) ** 0.5), MOST_PAIRS), FEWEST_PAIRS)
    n_pairs = min(len(rows) - 1, n_most)
    if n_pairs < 1:
        return rows[:0]
    places = np.linspace(0, len(rows) - 2, n_pairs).astype(np.intp)
    return rows[places[rows[places + 1] - rows[places] == 1]]


def _first_of_equal(this: NDArray, following: NDArray) -> list[int]:
    """Pairs without those that an earlier one equals, which are no further evidence."""
    first: dict[bytes, int] = {}
    for number, (row, next_row) in enumerate(zip(this, following, strict=True)):
        first.setdefault(row.tobytes() + next_row.tobytes(), number)
    return list(first.values())


def _spread_places(n_places: int) -> NDArray[np.intp]:
    return np.linspace(0, n_places - 1, min(n_places, MOST_LANES)).astype(np.intp)


def _are_rows_reversed(
    windows: NDArray, earlier: NDArray[np.integer], targets: NDArray
) -> bool:
    """Whether targets that are the series itself show that it is rows that run backward.

    Then the last step of a window is its newest: the row's own target, or that of the
    next row, which is the earlier one in time.
    """
    last_steps = windows[earlier, -1, :, np.newaxis].astype(np.float64)
    nearest = (targets[earlier, np.newaxis], targets[earlier + 1, np.newaxis])
    return any(agrees(*np.broadcast_arrays(last_steps, y)).any() for y in nearest)


def _newest_first(name: str) -> str:
    return (
        f"The windows of {name} seem to hold the newest step first: each row repeats the "
        "row before it, moved by one step towards the end. The network reads the oldest "
        f"step first. Pass {name}[:, ::-1], here and to predict. (Or the rows are in "
        f"reverse order of time: then pass {name}[::-1] and y[::-1].)"
    )


def _advice_on_swapped(found: Overlap, shape: tuple[int, ...], name: str) -> str | None:
    remedy, order = f"{name}.transpose(0, 2, 1)", ""
    if found.is_all("backward"):
        remedy, order = f"{remedy}[:, ::-1]", ", the newest step first"
    elif not found.is_all("forward"):
        return None
    return (
        f"{name} of shape {shape} seems to be of the layout (n_samples, n_features, "
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
    """The same of a table, whose columns are read as the steps of one feature."""
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
        """Whether there are two lags only, which overlap in a single column."""
        return self.stop - self.start == 2


def lag_blocks(found: Overlap) -> list[LagBlock]:
    """Runs of adjacent columns of a table that overlap, two columns at least."""
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
        "one series, a column a step, the oldest first. Windows of several features are "
        f"of shape (n_samples, seq_length, n_features). Pass {remedy}, here and to predict."
    )


def _are_lags_of(column: NDArray, other: NDArray) -> bool:
    """Whether a column holds the values of another, many rows earlier or later."""
    a_quarter = len(column) // 4
    middle = column[a_quarter : len(column) - a_quarter]
    if len(middle) < 2 * FEWEST_PAIRS or (middle == middle[0]).all():
        return False
    is_same = sliding_window_view(other, len(middle)) == middle
    return bool((is_same.mean(axis=1) >= AGREEMENT).any())


def _advice_on_interleaved(this: NDArray, following: NDArray, name: str) -> str | None:
    """Tables with the features of a step side by side, the newest step first.

    With the oldest first, they look like every other row of right windows.
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
                f"{n_features})[:, ::-1], here and to predict. (Or every {n_features} rows "
                f"of one series: then {name}[:, ::-1].)"
            )
    return None
