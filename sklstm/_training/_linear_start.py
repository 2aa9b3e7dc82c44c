"""The linear forecast that ``residual=True`` starts from: three ridge forecasts, combined.

Their penalties are chosen in time order: each candidate is fitted to earlier rows and
judged on those that follow. Penalties are absolute, so that one chosen on some rows fits
all of them. The three forecasts (`_linear_forecasts`) are averaged, since each alone is far
behind the usual ridge on some series, and an average rarely is; the weights are inverse
powers of their errors on later rows [1]_. If a random walk cannot be rejected on many rows,
the naive slope is right, and is not averaged with others.

References
----------
.. [1] Bates & Granger, "The combination of forecasts", Journal of the Operational Research
   Society 20(4), 1969.
"""

from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sklstm._network._module import MOST_LINEAR_COLUMNS, LSTMModule
from sklstm._training._data import WindowSet
from sklstm._training._linear_forecasts import (
    MANY_COLUMNS,
    Naive,
    naive_of,
    relative_forecasts,
    whole_forecasts,
)
from sklstm._training._linear_sums import Columns, Forecasts, Sums

# The first half of the rows is only fitted to; each tenth after it judges those before.
# With many columns, whose systems take longer than an epoch, the last fifth alone judges.
FOLD_ENDS = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
FOLD_ENDS_OF_MANY = (0.8, 1.0)
# Rows below which there is nothing to choose by.
FEWEST_ROWS = 20
# Rows that weigh less than this share of all are not fitted to alone.
LEAST_WEIGHT = 1e-6
# Candidates, for each row of the training set.
PENALTIES = [float(penalty) for penalty in 10.0 ** np.arange(-5, 3)]
# Without a choice.
USUAL_PENALTY = 0.1
# Weights of the forecasts are their mean squared errors to this power. Of 1 to 12, 2 to 4
# had the lowest errors of the start on 39 series, real and simulated.
WEIGHT_POWER = -4.0
# Rows from which a test that does not reject a random walk is believed. On fewer it hardly
# ever rejects anything.
ROWS_TO_BELIEVE = 1000
# Scale above which float32 cannot compute with what is divided by it.
LARGEST_SCALE = 1e38

Family = Callable[[Sums, list[float]], Forecasts]


def start_at_linear_forecast(module: LSTMModule, windows: WindowSet) -> None:
    """Let the linear map start at the combined forecast of the training rows.

    Where there are more features than can be solved for, its slopes stay 0.
    """
    n_features = windows.windows.n_features
    if n_features > MOST_LINEAR_COLUMNS:
        return
    columns = Columns(windows, module.linear_steps)
    folds = list(_iter_folds(columns, len(windows)))
    sums = sum_of([part for fold in folds for part in fold])
    slopes = _combined(folds, sums, n_features, len(windows)).slopes[0]
    (center, target_mean), scale = sums.means, sums.deviations
    center[:n_features] += columns.level
    n_columns = len(center)
    # In columns that are so much smaller, all of them together move the output in one step
    # of the optimizer as far as one weight of the dense layer does.
    scale = torch.where(scale == 0, 1.0, (scale * n_columns).clamp(max=LARGEST_SCALE))
    module.start_linear(
        _last_step_behind(slopes * scale[:, None], n_features).T,
        target_mean + columns.target_level,
        _last_step_behind(center, n_features),
        _last_step_behind(scale, n_features),
    )


def _last_step_behind(values: Tensor, n_features: int) -> Tensor:
    return torch.cat([values[n_features:], values[:n_features]])


Fold = tuple[Sums, Sums]


def _iter_folds(columns: Columns, n_rows: int) -> Iterator[Fold]:
    """Yield the sums over consecutive rows, the last few of each fold apart.

    Those are not fitted to when the next fold judges: columns of y may be steps ahead, of
    which the last rows know those that are to judge. A single fold judges nothing.
    """
    rows = columns.set.rows
    in_order = bool((rows[1:] > rows[:-1]).all())
    ends = [1.0]
    if n_rows >= FEWEST_ROWS and in_order:
        is_many = columns.n_columns > MANY_COLUMNS
        ends = list(FOLD_ENDS_OF_MANY if is_many else FOLD_ENDS)
    n_ahead = columns.set.targets.shape[1] - 1
    n_between = min(n_ahead * columns.set.n_series, n_rows // 10)
    for start, stop in pairwise([0, *(round(end * n_rows) for end in ends)]):
        last = max(stop - n_between, start)
        yield columns.sums(start, last), columns.sums(last, stop)


def sum_of(parts: list[Sums]) -> Sums:
    """Add up sums over different rows."""
    total, *others = parts
    for other in others:
        total = total + other
    return total


def _combined(folds: list[Fold], sums: Sums, n_features: int, n_rows: int) -> Forecasts:
    """Return the average of the forecasts of all families."""
    families = _families(naive_of(sums, n_features), n_features, n_rows)
    if len(folds) == 1:
        chosen = [family(sums, [USUAL_PENALTY * n_rows]) for family in families]
        return _average(chosen, np.ones(len(chosen)))
    penalties = [penalty * n_rows for penalty in PENALTIES]
    errors = _later_errors(families, folds, penalties, n_rows)
    chosen = [
        family(sums, [penalties[i]])
        for family, i in zip(families, errors.argmin(axis=1), strict=True)
    ]
    return _average(chosen, errors.min(axis=1))


def _families(naive: Naive | None, n_features: int, n_rows: int) -> list[Family]:
    def relative(held: int | None) -> Family:
        return lambda sums, penalties: relative_forecasts(sums, n_features, penalties, held)

    def whole(sums: Sums, penalties: list[float]) -> Forecasts:
        return whole_forecasts(sums, n_features, penalties)

    if naive is None:
        return [relative(None), whole]
    if naive.may_wander and n_rows >= ROWS_TO_BELIEVE:
        return [relative(naive.feature)]
    return [relative(None), relative(naive.feature), whole]


def _later_errors(
    families: list[Family], folds: list[Fold], penalties: list[float], n_rows: int
) -> NDArray[np.float64]:
    """Return the error of each family and penalty on the rows after those fitted to."""
    errors = np.zeros((len(families), len(penalties)))
    least_weight = LEAST_WEIGHT * n_rows
    (fitted, between), *later_folds = folds
    for later, later_between in later_folds:
        judging = later + later_between
        if fitted.weight > least_weight:
            for of_family, family in zip(errors, families, strict=True):
                of_family += judging.squared_errors(family(fitted, penalties))
        fitted, between = sum_of([fitted, between, later]), later_between
    return errors


def _average(forecasts: list[Forecasts], errors: NDArray[np.float64]) -> Forecasts:
    least = errors.min()
    ratios = errors / least if least > 0 else np.where(errors > 0, np.inf, 1.0)
    weights = ratios**WEIGHT_POWER
    weights /= weights.sum()
    parts = list(zip(weights.tolist(), forecasts, strict=True))
    intercepts = sum((w * f.intercepts for w, f in parts), start=torch.zeros(()))
    slopes = sum((w * f.slopes for w, f in parts), start=torch.zeros(()))
    return Forecasts(intercepts, slopes)
