"""How much the last cell state depends on each earlier one, whole and by its direct way."""

import matplotlib.pyplot as plt
import numpy as np
from copying import SEQ_LENGTH, copying_lstm, starting_lstm, test_windows
from matplotlib.figure import Figure

from sklstm import cell_gradient


def draw() -> Figure:
    """Four curves: before and after training, both ways and the direct one."""
    figure, ax = plt.subplots(figsize=(6.4, 3.8), layout="constrained")
    steps = range(1, SEQ_LENGTH + 1)
    for when, regressor, color, markers in (
        ("after training", copying_lstm(), "C0", "o^"),
        ("before training", starting_lstm(), "C1", "sv"),
    ):
        for path, style, marker in zip(
            ("all", "direct"), ("-", "--"), markers, strict=True
        ):
            norms = cell_gradient(regressor, test_windows(), path=path)
            ax.plot(
                steps,
                np.median(norms, axis=0),
                color=color,
                linestyle=style,
                marker=marker,
                markersize=4,
                label=f"{when}, {'whole' if path == 'all' else 'direct way'}",
            )
    ax.axhline(1, color="grey", linewidth=0.8)
    ax.set(yscale="log", xlabel="step t of the window")
    ax.set_ylabel("norm of $dc_T\\,/\\,dc_t$")
    ax.set_xticks(range(2, SEQ_LENGTH + 1, 2))
    figure.legend(loc="outside upper center", ncols=2, frameon=False, fontsize="small")
    return figure
