"""How far bounds are from what is forecast: past errors, and the rank among them.

An error has two sides, how far the truth lay below and above the forecast. Of a forecast of
one value they are each other's negative. Of two quantiles, `low` and `high`, they are
``low - y_true`` and ``y_true - high``, which are both negative where the truth lay between.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from sklstm._types import By, Label, Passed
from sklstm.forecasting._forecast_table import ForecastTable

# Below this, (n + 1) * coverage is a whole number that rounding has moved.
ROUNDING = 1e-9


class Sample(NamedTuple):
    """Past errors of one kind, such as those of one step ahead."""

    name: str
    below: NDArray[np.float64]
    above: NDArray[np.float64]


def samples(
    forecast: ForecastTable,
    errors: pd.DataFrame,
    low: str,
    high: str,
    by: By,
) -> list[Sample]:
    """Return for each row of a forecast the errors of the same kind.

    `low` and `high` are the columns of `errors` that the truth is compared with.
    """
    y_true = errors["y_true"].to_numpy(dtype=np.float64)
    below = errors[low].to_numpy(dtype=np.float64) - y_true
    above = y_true - errors[high].to_numpy(dtype=np.float64)
    kinds, asked_for = _kinds(forecast, errors, by)
    known = np.isfinite(below) & np.isfinite(above)
    codes, unique = pd.factorize(kinds[known])
    below, above = below[known], above[known]
    order = np.argsort(codes, kind="stable")
    ends = np.cumsum(np.bincount(codes, minlength=len(unique)))
    rows = dict(zip(unique, np.split(order, ends[:-1]), strict=True)) if len(unique) else {}
    none = order[:0]
    return [
        Sample(_name_of(kind, by), below[rows.get(kind, none)], above[rows.get(kind, none)])
        for kind in asked_for
    ]


def _kinds(
    forecast: ForecastTable,
    errors: pd.DataFrame,
    by: By,
) -> tuple[pd.Series, list[Label]]:
    """Return the kind of each error, and that of each row of the forecast."""
    if callable(by):
        if "label" not in errors:
            raise ValueError("errors lacks the column 'label', which by reads.")
        kinds = pd.Series(_values_by(by, pd.Index(errors["label"])))
        return kinds, list(_values_by(by, forecast.labels))
    if by is None:
        return errors["step"], list(forecast.steps)
    if forecast.keys is None or by != forecast.key_name or by not in errors:
        raise ValueError(
            f"by={by!r} has to be a function of labels, or the name of what tells series "
            "apart, in a level or column of y_pred and a column of errors."
        )
    # Objects, so that a kind is compared as a whole.
    kinds = pd.Series(list(zip(errors[by], errors["step"], strict=True)), dtype=object)
    return kinds, list(zip(forecast.keys, forecast.steps, strict=True))


def _name_of(kind: Passed, by: By) -> str:
    if by is None:
        return f"step {kind}"
    return f"step {kind[1]} of {kind[0]!r}" if isinstance(by, str) else f"by {kind}"


def _values_by(by: Callable[[pd.Index], ArrayLike], labels: pd.Index) -> NDArray:
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
