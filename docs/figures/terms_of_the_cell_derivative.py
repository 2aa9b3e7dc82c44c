"""The four terms of the derivative of a cell state by the one before it."""

import matplotlib.pyplot as plt
import numpy as np
from copying import SEQ_LENGTH, UNITS, copying_lstm, test_windows
from matplotlib.figure import Figure
from numpy.typing import NDArray

from sklstm import gates


def terms() -> dict[str, NDArray]:
    """Each term, (n_samples, T - 1, units, units), by its way."""
    parts = gates(copying_lstm(), test_windows())
    i, f, g = (parts[name][:, 1:] for name in ("input_gate", "forget_gate", "candidate"))
    c, o = parts.cell_state[:, :-1], parts.output_gate[:, :-1]
    into_hidden = (o * (1 - np.tanh(c) ** 2))[..., np.newaxis, :]
    weights = copying_lstm().net_.module_.lstm.weight_hh_l0.detach().numpy()
    of_input, of_forget, of_candidate, _ = weights.astype(float).reshape(4, UNITS, UNITS)
    slopes = {
        "through the input gate": (g * i * (1 - i), of_input),
        "through the forget gate": (c * f * (1 - f), of_forget),
        "through the candidate": (i * (1 - g**2), of_candidate),
    }
    return {"direct, forget gate": f[..., np.newaxis] * np.eye(UNITS)} | {
        way: slope[..., np.newaxis] * recurrent * into_hidden
        for way, (slope, recurrent) in slopes.items()
    }


def draw() -> Figure:
    """The spectral norm of each term along the window, the median over windows."""
    figure, ax = plt.subplots(figsize=(6.4, 3.6), layout="constrained")
    styles = ("C0o-", "C1s--", "C2^-.", "C3d:")
    for (way, matrices), style in zip(terms().items(), styles, strict=True):
        norms = np.median(np.linalg.norm(matrices, ord=2, axis=(-2, -1)), axis=0)
        ax.plot(range(2, SEQ_LENGTH + 1), norms, style, markersize=4, label=way)
    ax.set(xlabel="step t of the window", ylabel="spectral norm of the term")
    ax.set_xticks(range(2, SEQ_LENGTH + 1, 2))
    figure.legend(loc="outside upper center", ncols=2, frameon=False, fontsize="small")
    ax.set_ylim(0, None)
    return figure
