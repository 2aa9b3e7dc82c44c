"""How far bounds are from what is forecast: past errors, and the rank among them.

An error has two sides, how far the truth lay below and above the forecast. Of a forecast of
one value they are each other's negative. Of two quantiles, `low` and `high`, they are
``low - y_true`` and ``y_true - high``, which are both negative where the truth lay between.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

# Below this, (n + 1) * coverage is a whole number that rounding has moved.
ROUNDING = 1e-9


class Sample(NamedTuple):
    """Past errors of one kind, such as those of one step ahead."""

    name: str
    below: NDArray[np.float64]
    above: NDArray[np.float64]


def samples(
    index: pd.Index,
    errors: pd.DataFrame,
    low: str,
    high: str,
    by: Callable[[pd.Index], Any] | None,
) -> list[Sample]:
    """Return for each step of a forecast the errors of the same kind.

    `low` and `high` are the columns of `errors` that the truth is compared with.
    """
    y_true = errors["y_true"].to_numpy(dtype=np.float64)
    below = errors[low].to_numpy(dtype=np.float64) - y_true
    above = y_true - errors[high].to_numpy(dtype=np.float64)
    if by is None:
        kinds, asked_for = errors["step"].to_numpy(), np.arange(1, len(index) + 1)
    else:
        if "label" not in errors:
            raise ValueError("errors lacks the column 'label', which by reads.")
        kinds = _values_by(by, pd.Index(errors["label"]))
        asked_for = _values_by(by, index)
    name = "step" if by is None else "by"
    known = np.isfinite(below) & np.isfinite(above)
    chosen = [known & (kinds == kind) for kind in asked_for]
    return [
        Sample(f"{name} {kind}", below[rows], above[rows])
        for kind, rows in zip(asked_for, chosen, strict=True)
    ]


def _values_by(by: Callable[[pd.Index], Any], labels: pd.Index) -> NDArray:
    values = np.asarray(by(labels))
    if values.shape != (len(labels),):
        raise ValueError(
            f"by has to return one value for each of {len(labels)} labels, got an array of "
            f"shape {values.shape}."
        )
    return values


def margins(
    of_steps: list[Sample], coverage: float, *, symmetric: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return how far below the forecast of each step its lower bound is, and above."""
    needed = _n_needed(coverage, symmetric)
    below, above = np.empty(len(of_steps)), np.empty(len(of_steps))
    for k, sample in enumerate(of_steps):
        n = len(sample.below)
        if n < needed:
            raise ValueError(
                f"coverage={coverage:g} needs at least {needed} errors for each step, but "
                f"{sample.name} has {n}: so many origins of the backtest reach it. Give "
                "it more origins (a smaller every, more test rows), or lower coverage."
            )
        if symmetric:
            sizes = np.sort(np.maximum(sample.below, sample.above))
            below[k] = above[k] = sizes[_rank(n, coverage) - 1]
        else:
            rank = _rank(n, (1 + coverage) / 2)
            below[k] = np.sort(sample.below)[rank - 1]
            above[k] = np.sort(sample.above)[rank - 1]
    return below, above


def _rank(n: int, probability: float) -> int:
    """Return the rank, from 1, of the error that bounds a new one with a probability."""
    return int(np.ceil((n + 1) * probability - ROUNDING))


def _n_needed(coverage: float, symmetric: bool) -> int:
    """Return the least number of errors of which one has the rank."""
    probability = coverage if symmetric else (1 + coverage) / 2
    n = max(int(probability / (1 - probability)) - 1, 1)
    while _rank(n, probability) > n:
        n += 1
    return n
