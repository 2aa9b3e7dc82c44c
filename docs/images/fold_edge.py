"""Draw the picture of the README and of the site's first page: a test fold and its past.

Takes a minute. Its R² are those of docs/examples/measure_context.py, its windows are drawn
as in docs/figures/windows.py.
"""

import runpy
from pathlib import Path

import matplotlib.pyplot as plt

HERE = Path(__file__).parent
STYLES = {
    "auto": {"color": "C1", "marker": "o", "label": "with the past"},
    "never": {"color": "grey", "marker": "s", "ls": "--", "label": "without it"},
}
CHOSEN = {"marker": "o", "ms": 14, "mfc": "none", "mew": 1.5, "color": "black", "ls": ""}
TITLES = {
    "auto": "A test fold with its past",
    "never": "The same fold without it",
}

drawing = runpy.run_path(str(HERE.parent / "figures" / "windows.py"))
scores = runpy.run_path(str(HERE.parent / "examples" / "measure_context.py"))["table"]

figure = plt.figure(figsize=(6.8, 3.7), layout="constrained")
axes = figure.subplot_mosaic([["auto", "scores"], ["never", "scores"]], width_ratios=[4, 3])
right = axes.pop("scores")
for context, ax in axes.items():
    windows = drawing["windows_of"](slice(8, 12), fitted=slice(0, 8), context=context)
    drawing["panel"](
        ax,
        TITLES[context],
        drawing["lines_of"]([8, 9, 10], windows[:3]),
        parts={"training": (4, 7), "test": (8, 10)},
    )
    ax.set(xlim=(3.4, 10.6), xticks=[])
    r2 = scores.loc[context]
    right.plot(r2.index, r2, lw=2, **STYLES[context])
    right.plot(r2.idxmax(), r2.max(), **CHOSEN)
right.plot([], [], **CHOSEN, label="chosen by the search")
right.set(xlabel="seq_length", ylabel="mean R² of six test folds", ylim=(0, 0.8))
right.set_xticks(scores.columns)
right.set_title("Which length is best?", fontsize=10, fontweight="bold")
right.legend(loc="lower left")
figure.savefig(HERE / "fold_edge.png", dpi=150)
