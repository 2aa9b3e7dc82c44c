"""How much each step of the window adds to the gradient of the weights."""

import matplotlib.pyplot as plt
import numpy as np
from copying import SEQ_LENGTH, UNITS, copying_lstm, starting_lstm, test_windows
from matplotlib.figure import Figure
from numpy.typing import NDArray

from sklstm import LSTMRegressor, gates


def terms(regressor: LSTMRegressor) -> NDArray:
    """Norm of each step's term of the gradient of W, (n_samples, T).

    The gradient is that of the output itself; a loss multiplies it by its slope. The loop
    is the page's recursion, line by line.
    """
    windows = test_windows()
    parts = gates(regressor, windows)
    i, f, g, o, c = (
        parts[name].swapaxes(0, 1)
        for name in ("input_gate", "forget_gate", "candidate", "output_gate", "cell_state")
    )
    module = regressor.net_.module_
    of_hidden = module.lstm.weight_hh_l0.detach().numpy().astype(float)
    by_h = np.tile(module.dense.weight.detach().numpy().astype(float), (len(windows), 1))
    from_later_cell = np.zeros((len(windows), UNITS))
    norms = np.empty((len(windows), SEQ_LENGTH))
    for t in range(SEQ_LENGTH - 1, -1, -1):
        before = c[t - 1] if t > 0 else np.zeros_like(c[0])
        by_c = by_h * o[t] * (1 - np.tanh(c[t]) ** 2) + from_later_cell
        by_z = [
            by_c * g[t] * i[t] * (1 - i[t]),
            by_c * before * f[t] * (1 - f[t]),
            by_c * i[t] * (1 - g[t] ** 2),
            by_h * np.tanh(c[t]) * o[t] * (1 - o[t]),
        ]
        by_z = np.concatenate(by_z, axis=1)
        # The term is the outer product of by_z and the step.
        norms[:, t] = np.linalg.norm(by_z, axis=1) * np.linalg.norm(windows[:, t], axis=1)
        by_h, from_later_cell = by_z @ of_hidden, by_c * f[t]
    return norms


def draw() -> Figure:
    """Two curves, before and after training."""
    figure, ax = plt.subplots(figsize=(6.4, 3.4), layout="constrained")
    steps = range(1, SEQ_LENGTH + 1)
    for label, regressor, style in (
        ("before training", starting_lstm(), "C1s--"),
        ("after training", copying_lstm(), "C0o-"),
    ):
        median = np.median(terms(regressor), axis=0)
        ax.plot(steps, median, style, markersize=4, label=label)
    ax.set(yscale="log", xlabel="step t of the window", ylabel="norm of the term")
    ax.set_xticks(range(2, SEQ_LENGTH + 1, 2))
    ax.legend(frameon=False)
    return figure
