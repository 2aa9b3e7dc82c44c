"""The derivative of a plain RNN's last state by each earlier one, and its bound."""

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray

SEQ_LENGTH, UNITS = 20, 50


def norms_of(recurrent: torch.Tensor) -> NDArray:
    """Spectral norm of dh_T / dh_t, (n_samples, T), in an RNN with these weights."""
    torch.manual_seed(0)
    rnn = torch.nn.RNN(1, UNITS, batch_first=True)
    with torch.no_grad():
        rnn.weight_hh_l0.copy_(recurrent)
        hidden, _ = rnn(torch.randn(50, SEQ_LENGTH, 1))
    slopes, matrix = 1 - hidden.numpy().astype(float) ** 2, recurrent.numpy().astype(float)
    jacobian = np.broadcast_to(np.eye(UNITS), (50, UNITS, UNITS))
    norms = np.ones((50, SEQ_LENGTH))
    for t in range(SEQ_LENGTH - 2, -1, -1):
        jacobian = (jacobian * slopes[:, t + 1, np.newaxis]) @ matrix
        norms[:, t] = np.linalg.norm(jacobian, ord=2, axis=(1, 2))
    return norms


def draw() -> Figure:
    """Three networks: below the bound's threshold, as torch starts it, and far above."""
    torch.manual_seed(0)
    start = torch.nn.RNN(1, UNITS).weight_hh_l0.detach()
    largest = float(torch.linalg.matrix_norm(start, 2))
    figure, ax = plt.subplots(figsize=(6.4, 4), layout="constrained")
    steps = np.arange(1, SEQ_LENGTH + 1)
    for singular, name, color, marker in (
        (0.8, "scaled to", "C0", "o"),
        (largest, "as torch starts it,", "C1", "s"),
        (3.0, "scaled to", "C3", "^"),
    ):
        norms = np.median(norms_of(start * singular / largest), axis=0)
        label = f"{name} $\\sigma_1$ = {singular:.2f}"
        ax.plot(steps, norms, color=color, marker=marker, markersize=4, label=label)
        bound = singular ** (SEQ_LENGTH - steps)
        ax.plot(steps, bound, color=color, linestyle=":", label="its bound")
    ax.axhline(1, color="grey", linewidth=0.8)
    ax.set(yscale="log", xlabel="step t of the window")
    ax.set_ylabel("norm of $dh_T\\,/\\,dh_t$")
    ax.set_xticks(range(2, SEQ_LENGTH + 1, 2))
    figure.legend(loc="outside upper center", ncols=3, frameon=False, fontsize="small")
    return figure
