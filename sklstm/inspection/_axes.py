"""What the displays share: axes, row labels, styles, legends. matplotlib only here."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sklstm._sklearn_compat import check_matplotlib_support, validate_style_kwargs

# Up to so many points, each of them is marked.
FEW_POINTS = 60
INCHES_OF_DATE = 0.5
LEGEND_STYLE = {"frameon": False, "fontsize": "small", "columnspacing": 1.4}


def make_axes(
    ax: Any, n_axes: int, *, caller: str, n_columns: int = 1, height: float | None = None
) -> NDArray[np.object_]:
    """`n_axes` Axes to draw on: those given, or a new figure's, `height` inches a row."""
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


def styled(defaults: dict[str, Any], given: dict[str, Any] | None) -> dict[str, Any]:
    """Keywords for matplotlib, where the user's come before ours."""
    chosen = validate_style_kwargs({}, given or {})
    kept = {**defaults}
    for name, other in (("color", "facecolor"), ("facecolor", "color")):
        if name in chosen:  # matplotlib warns of both
            kept.pop(other, None)
    return kept | chosen


def row_positions(index: pd.Index | None, n_rows: int) -> tuple[NDArray, str]:
    """Where rows stand on the axis of time, and what to call it.

    Times and numbers are taken from the index; rows are numbered without such an index.
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
    """First and last place of each run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]])))
    return [(int(first), int(end) - 1) for first, end in edges.reshape(-1, 2)]


def label_positions(ax: Any, positions: NDArray) -> None:
    """Let dates be short, and as many as there is room for; whole numbers stay whole."""
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


def add_legend(ax: Any, *, loc: str = "upper left", bottom: float | None = None) -> float:
    """A legend with room made for it above what is drawn; the share that this has left."""
    labels = ax.get_legend_handles_labels()[1]
    width, height = _inches(ax)
    widths = [0.45 + 0.058 * len(label) for label in labels]  # in inches, about
    n_columns = len(labels)
    if sum(widths) > width:
        n_columns = max(int(width // max(widths)), 1)
    n_lines = -(-len(labels) // n_columns)
    low, high = ax.get_ylim()
    low = low if bottom is None else bottom
    share = max(1 - (0.12 + 0.2 * n_lines) / height, 0.4)
    # auto=None: what is drawn later may still move the limits.
    ax.set_ylim(low, low + (high - low) / share, auto=None)
    ax.legend(loc=loc, ncols=n_columns, borderaxespad=0.2, **LEGEND_STYLE)
    return share


def _inches(ax: Any) -> tuple[float, float]:
    """Width and height of the Axes, about: before the figure is laid out."""
    place, (width, height) = ax.get_position(), ax.figure.get_size_inches()
    return place.width * width, place.height * height


def add_figure_legend(ax: Any) -> None:
    """A legend of one line above all Axes of a figure of our own."""
    ax.figure.legend(
        handles=ax.get_legend_handles_labels()[0],
        loc="outside upper center",
        ncols=6,
        **LEGEND_STYLE,
    )
