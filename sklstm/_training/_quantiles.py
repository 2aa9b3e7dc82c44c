"""Quantiles: their levels, checked, and the outputs that training starts from.

The loss is in `sklstm._network._losses`.
"""

from itertools import pairwise

import numpy as np
import torch

from sklstm._network._losses import QUANTILE
from sklstm._network._module import LSTMModule
from sklstm._network._prediction import predict
from sklstm._training._data import WindowSet
from sklstm._types import Passed

MEDIAN = 0.5
# Digits of a level: those of np.linspace and np.arange come with rounding in the last ones.
DIGITS = 12
# Rows that the start is computed from, enough for the levels that are usual.
MOST_ROWS = 20_000


def check_quantiles(quantiles: Passed, loss: str) -> tuple[float, ...]:
    """Return the levels that are predicted: () with another loss than that of quantiles."""
    levels = _check_levels(quantiles)
    if loss != QUANTILE:
        return ()
    if len(levels) > 1 and MEDIAN not in levels:
        raise ValueError(
            f"quantiles={quantiles!r} lacks 0.5, the median, which predict returns where "
            "there are several levels. Add 0.5, or pass a single level."
        )
    return levels


def _check_levels(quantiles: Passed) -> tuple[float, ...]:
    """Return levels as floats: strictly increasing, between 0 and 1."""
    try:
        levels = tuple(round(float(level), DIGITS) for level in quantiles)
    except (TypeError, ValueError):
        levels = ()
    if (
        not levels
        or not all(0 < level < 1 for level in levels)
        or any(later <= level for level, later in pairwise(levels))
    ):
        one = (
            " Pass one level as a sequence too: (0.9,)." if np.ndim(quantiles) == 0 else ""
        )
        raise ValueError(
            "quantiles should be a sequence of strictly increasing levels between 0 and 1, "
            f"such as (0.1, 0.5, 0.9), got {quantiles!r}.{one}"
        )
    return levels


def main_level(quantiles: tuple[float, ...]) -> int:
    """Return the position of the level that `predict` returns."""
    return 0 if len(quantiles) == 1 else quantiles.index(MEDIAN)


def fault_of_quantiles(loss: object, quantiles: Passed, n_levels: int) -> str | None:
    """Return why saved levels cannot be those of a network, or None."""
    try:
        levels = check_quantiles(quantiles, loss) if loss == QUANTILE else tuple(quantiles)
    except (TypeError, ValueError) as error:
        return str(error)
    if max(len(levels), 1) != n_levels or (levels and loss != QUANTILE):
        return f"quantiles is {quantiles!r:.40}"
    return None


def start_at_quantiles(
    module: LSTMModule, windows: WindowSet, quantiles: tuple[float, ...]
) -> None:
    """Shift each output so that its share of the training targets lies below it.

    So training starts with intervals that cover what they should, as gradient boosting
    does: from 0, the biases of the outer levels would have a long way to go.
    """
    n_rows = min(len(windows), MOST_ROWS)
    rows = windows.rows[np.linspace(0, len(windows) - 1, n_rows).astype(np.intp)]
    outputs = predict(module, windows.windows.rows(rows))
    n_levels = len(quantiles)
    residuals = np.repeat(windows.targets[rows], n_levels, axis=1) - outputs
    weights = None if windows.weights is None else windows.weights[rows]
    shifts = [
        np.quantile(column, level, method="inverted_cdf", weights=weights)
        for column, level in zip(
            residuals.T, quantiles * (len(residuals.T) // n_levels), strict=True
        )
    ]
    with torch.no_grad():
        module.dense.bias.add_(torch.tensor(np.array(shifts)).to(module.dense.bias))
