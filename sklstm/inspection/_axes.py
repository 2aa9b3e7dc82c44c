"""Axes, row labels, styles and legends, for all displays.

matplotlib is imported in this room alone, and only when something is drawn.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sklstm._sklearn_compat import check_matplotlib_support, validate_style_kwargs
from sklstm._types import Keywords

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    AxesLike = Axes | Sequence[Axes] | NDArray[np.object_]

Style = Keywords  # keywords of matplotlib
Corner = Literal["upper left", "upper right"]

# Series of up to this many points get a marker at each.
FEW_POINTS = 60
# Series of more points than this are drawn by thinner lines.
MANY_POINTS = 1000
INCHES_OF_DATE = 0.5
LEGEND_STYLE: Style = {"frameon": False, "fontsize": "small", "columnspacing": 1.4}


def make_axes(
    ax: "AxesLike | None",
    n_axes: int,
    *,
    caller: str,
    n_columns: int = 1,
    height: float | None = None,
) -> NDArray[np.object_]:
    """Return the given Axes, or make a figure of `n_axes`, `height` inches a row."""
    check_matplotlib_support(caller)
    import matplotlib.pyplot as plt

    if ax is not None:
        axes = np.ravel(np.asarray(ax, dtype=object))
        if len(axes) != n_axes:
            raise ValueError(
                f"{caller} draws on {n_axes} Axes, got {len(axes)}. Pass an array of "
                f"{n_axes}, for example from plt.subplots({n_axes}), or ax=None."
            )
        return axes
    n_rows = -(-n_axes // n_columns)
    width, default_height = plt.rcParams["figure.figsize"]
    _, axes = plt.subplots(
        n_rows,
        n_columns,
        sharex=True,
        squeeze=False,
        figsize=(width, max(default_height, (height or 0) * n_rows)),
        layout="constrained",
    )
    for unused in axes.ravel()[n_axes:]:
        unused.remove()
    return axes.ravel()[:n_axes]


def merged_style(defaults: Style, user_style: Style | None) -> Style:
    """Merge keywords for matplotlib; the user's take precedence."""
    user_style = validate_style_kwargs({}, user_style or {})
    style = {**defaults}
    for name, other in (("color", "facecolor"), ("facecolor", "color")):
        if name in user_style:  # matplotlib warns of both
            style.pop(other, None)
    return style | user_style


def text_color() -> str:
    """Return the colour of text in the current style, which stands out on its ground."""
    import matplotlib.pyplot as plt

    return plt.rcParams["text.color"]


def row_positions(index: pd.Index | None, n_rows: int) -> tuple[NDArray, str]:
    """Return the rows' positions on the time axis, and the name of the axis.

    Positions are the times or numbers of the index, or else row numbers.
    """
    name = None if index is None or index.name is None else str(index.name)
    if isinstance(index, pd.PeriodIndex):
        index = index.to_timestamp()
    if isinstance(index, pd.DatetimeIndex):
        zone = "" if index.tz is None else f" ({index.tz})"
        return index.tz_localize(None).to_numpy(), f"{name or 'time'}{zone}"
    if isinstance(index, pd.TimedeltaIndex):
        return index.total_seconds().to_numpy(), f"{name or 'time'} (seconds)"
    if index is not None and pd.api.types.is_numeric_dtype(index.dtype):
        return index.to_numpy(), name or "row"
    return np.arange(n_rows), "row"


def runs(mask: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return the first and last position of each run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]])))
    return [(int(first), int(end) - 1) for first, end in edges.reshape(-1, 2)]


def label_positions(ax: "Axes", positions: NDArray) -> None:
    """Label the time axis: short dates, as many as fit; whole numbers stay whole."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
    from matplotlib.ticker import MaxNLocator

    if np.issubdtype(positions.dtype, np.datetime64):
        n_labels = max(int(_inches(ax)[0] / INCHES_OF_DATE), 2)
        locator = AutoDateLocator(minticks=2, maxticks=n_labels)
        ax.xaxis.set_major_locator(locator)
        ax.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    elif np.issubdtype(positions.dtype, np.integer):
        ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        if len(positions) == 1:
            ax.set_xlim(positions[0] - 0.5, positions[0] + 0.5)


def add_legend(
    ax: "Axes",
    *,
    is_own_figure: bool,
    loc: Corner = "upper left",
) -> None:
    """Add a legend that covers nothing: above a figure of ours, else inside the Axes."""
    if is_own_figure:
        handles, labels = ax.get_legend_handles_labels()
        n_columns = _n_legend_columns(labels, ax.figure.bbox.width / ax.figure.dpi)
        ax.figure.legend(
            handles, labels, loc="outside upper center", ncols=n_columns, **LEGEND_STYLE
        )
    else:
        add_legend_inside(ax, loc=loc)


def add_legend_inside(ax: "Axes", *, loc: Corner) -> None:
    """Add a legend above what is drawn, by raising the upper limit of the Axes.

    matplotlib's "best" place covers a series that fills the Axes.
    """
    labels = ax.get_legend_handles_labels()[1]
    width, height = _inches(ax)
    n_columns = _n_legend_columns(labels, width)
    n_lines = -(-len(labels) // n_columns)
    low, high = ax.get_ylim()
    share = max(1 - (0.12 + 0.2 * n_lines) / height, 0.4)
    # auto=None: what is drawn later may still move the limits.
    ax.set_ylim(low, low + (high - low) / share, auto=None)
    # On the ground of the Axes, since shades and marks reach up to their edge.
    style = LEGEND_STYLE | {"frameon": True, "framealpha": 1.0, "edgecolor": "none"}
    ax.legend(loc=loc, ncols=n_columns, borderaxespad=0.2, **style)


def _n_legend_columns(labels: Sequence[str], width: float) -> int:
    """Return how many columns of a legend fit into `width` inches; all if they do."""
    widths = [0.5 + 0.063 * len(label) for label in labels]  # in inches, about
    if sum(widths) <= width or not widths:
        return max(len(widths), 1)
    for n_columns in range(len(widths) - 1, 1, -1):
        # matplotlib splits the entries like this; a column is as wide as its widest.
        columns = np.array_split(widths, n_columns)
        if sum(column.max() for column in columns) <= width:
            return n_columns
    return 1


def _inches(ax: "Axes") -> tuple[float, float]:
    """Return the approximate width and height of the Axes, before any layout."""
    dpi = ax.figure.dpi
    return ax.bbox.width / dpi, ax.bbox.height / dpi
