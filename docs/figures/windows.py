"""Which steps make the window of a row: inside a series, at its start, at a fold's edge.

Each window is cut by WindowTransformer out of a series whose values are its step numbers,
so that the drawing is what the code does.
"""

import warnings

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from sklstm import WindowTransformer

STEPS = pd.DataFrame({"step": np.arange(12.0)})
FIRST = -3  # as far as a window of 3 steps reaches back from row 0
KNOWN = {"fc": "#7fb2d9", "ec": "none"}
UNKNOWN = {"fill": False, "ls": ":", "ec": "grey"}
OLDER = {"fc": "#f6cfc6", "ec": "#b3331c", "ls": "--", "lw": 1.2}
ROW = {"fc": "#fbd38d", "ec": "black", "lw": 1.5}


def windows_of(rows, *, fitted, index=True, **parameters):
    """Windows of some rows, after a fit on others: (n_rows, 3)."""
    kept = STEPS if index else STEPS.to_numpy()
    transformer = WindowTransformer(seq_length=3, **parameters).fit(kept[fitted])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of the gap; the text explains it
        return transformer.transform(kept[rows])[:, :, 0]


def box(ax: Axes, step: float, line: float, text: str = "", **style):
    """A step as a square with its number."""
    ax.add_patch(Rectangle((step - 0.45, line - 0.42), 0.9, 0.84, **style))
    ax.text(step, line, text, ha="center", va="center", fontsize=8)


def draw_window(ax: Axes, line: float, row: int, window, *, horizon: int, label: str):
    """A window where its steps should stand in time, and the row that it predicts."""
    for place, step in enumerate(window, start=row - horizon - len(window) + 1):
        if np.isnan(step):
            box(ax, place, line, **UNKNOWN)
        else:
            box(ax, place, line, f"{step:.0f}", **(KNOWN if step == place else OLDER))
    box(ax, row, line, f"{row}", **ROW | ({"fill": False} if horizon == 0 else {}))
    left_of_axes = {"x": -0.01, "transform": ax.get_yaxis_transform()}
    ax.text(**left_of_axes, y=line, s=label, ha="right", va="center", fontsize=9)


def panel(ax: Axes, title: str, lines: list[dict], *, parts: dict | None = None):
    """Windows below each other on one axis of steps, and which steps are of which part.

    `parts` has the first and last step of each part, by its name.
    """
    for line, window in enumerate(lines):
        draw_window(ax, line, **window)
    for name, (first, last) in (parts or {}).items():
        ax.axvline(first - 0.5, 0, 0.93, color="black", ls=":", lw=1.2)
        ax.text(first + (last - first) / 2, -0.75, name, ha="center", fontsize=8)
    ax.set(xlim=(FIRST - 0.7, 11.7), ylim=(len(lines) - 0.4, -1.1), yticks=[])
    ax.set_title(title, fontsize=10, loc="left", fontweight="bold")
    ax.set_xticks(range(0, 12, 2))
    ax.tick_params(labelsize=8, length=2)
    ax.spines[["left", "top", "right"]].set_visible(False)


def lines_of(rows, windows, *, horizon=1, label="row {row}"):
    """What `panel` draws, for rows that all have one horizon."""
    return [
        {"row": row, "window": window, "horizon": horizon, "label": label.format(row=row)}
        for row, window in zip(rows, windows, strict=True)
    ]


def draw() -> Figure:
    """Five panels, in the order in which the page tells of them."""
    figure, axes = plt.subplots(
        5, 1, figsize=(5.6, 8.4), height_ratios=[3, 4, 3, 3, 6], layout="constrained"
    )
    whole, train, test = slice(0, 12), slice(0, 8), slice(8, 12)
    by_horizon = [
        line
        for horizon in (0, 1, 2)
        for line in lines_of(
            [7],
            windows_of(whole, fitted=whole, horizon=horizon)[[7]],
            horizon=horizon,
            label=f"horizon={horizon}",
        )
    ]
    panel(axes[0], "Row 7, windows of 3 steps", by_horizon)
    start = windows_of(whole, fitted=whole)[:4]
    panel(axes[1], "The first rows of the fitted series", lines_of(range(4), start))

    known = windows_of(test, fitted=train)[:3]
    panel(
        axes[2],
        'A fold\'s edge, context="auto"',
        lines_of([8, 9, 10], known),
        parts={"fitted": (0, 7), "test": (8, 11)},
    )
    without = windows_of(test, fitted=train, context="never")[:3]
    panel(
        axes[3],
        'The same, context="never"',
        lines_of([8, 9, 10], without),
        parts={"fitted": (0, 7), "test": (8, 11)},
    )
    early = slice(0, 6)
    with_index = windows_of(test, fitted=early)[:3]
    without_index = windows_of(test, fitted=early, index=False)[:3]
    panel(
        axes[4],
        "Two rows left out at the edge (gap=2)",
        lines_of([8, 9, 10], with_index, label="index, row {row}")
        + lines_of([8, 9, 10], without_index, label="array, row {row}"),
        parts={"fitted": (0, 5), "gap": (6, 7), "test": (8, 11)},
    )
    axes[4].set_xlabel("step", fontsize=9)
    legend = [
        Patch(**KNOWN, label="step in the window"),
        Patch(**ROW, label="row to predict"),
        Patch(**UNKNOWN, label="not known (NaN)"),
        Patch(**OLDER, label="an older step in its place"),
    ]
    figure.legend(handles=legend, loc="outside lower center", ncols=2, fontsize=9)
    return figure
