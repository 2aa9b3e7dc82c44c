"""Three linear forecasts of a window, each of which is better where another is worse.

With x the last step of a window, r the steps before it relative to x, and y the target, all
centred and in units of their standard deviations, they minimise

    free    |y - x A - r B|² + penalty · |B|²
    naive   the same, but with the slope of one feature in A held at that of the naive
            forecast, which repeats its last value, as in NLinear [1]_
    whole   |y - w C|² + penalty · |C|², where w are all steps as they are: the usual ridge

A free A draws the level back to the mean of the training rows, and a penalised C still
more. A series that wanders need not return there; one of a fixed level does return, which
the naive slope does not allow for.

References
----------
.. [1] Zeng, Chen, Zhang & Xu, "Are transformers effective for time series forecasting?",
   AAAI 2023.
.. [2] Dickey & Fuller, "Distribution of the estimators for autoregressive time series with
   a unit root", Journal of the American Statistical Association 74(366), 1979.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from sklstm._training._linear_sums import Forecasts, Sums

# Features that hardly differ share their slope instead of opposing each other.
LEAST_SHARE = 1e-8
# The 5 % point of the augmented Dickey-Fuller test with a constant, and the small penalty
# that lets it be solved.
DICKEY_FULLER = -2.86
TEST_PENALTY = 1e-4
# Columns up to which systems are solved for all penalties at once.
MANY_COLUMNS = 200


@dataclass(frozen=True)
class Naive:
    """The feature whose last value is the naive forecast of the targets.

    `may_wander` says that the augmented Dickey-Fuller test [2]_ does not reject a unit
    root: its regression is that on the last step and on earlier ones relative to it.
    """

    feature: int
    may_wander: bool


def naive_of(sums: Sums, n_features: int) -> Naive | None:
    """Return the feature that all targets are closest to, if the first rises with it."""
    products, moments, _ = _standardized(sums)
    closest = moments[:n_features].abs().argmax(dim=0).unique()
    if len(closest) > 1 or not moments[int(closest[0]), 0] > 0:
        return None
    feature = int(closest[0])
    statistic = _dickey_fuller(sums, products, moments, feature)
    return Naive(feature, may_wander=statistic > DICKEY_FULLER)


def _dickey_fuller(sums: Sums, products: Tensor, moments: Tensor, feature: int) -> float:
    """Return by how many standard errors a fitted slope is above the naive one."""
    naive = _naive_slopes(sums)[0]
    freedom = sums.weight - len(products) - 1
    if freedom <= 0:
        return -torch.inf
    free = _features_but(feature, len(products))
    solved = _ridge(
        products[free][:, free],
        torch.stack([products[free, feature], moments[free, 0]], dim=1),
        [TEST_PENALTY * sums.weight],
    )[0]
    # What the other columns do not tell of the feature, and of the first target.
    own, other = torch.zeros(2, len(products), dtype=torch.float64, device="cpu")
    own[feature], own[free], other[free] = 1.0, -solved[:, 0], solved[:, 1]
    variation = own @ products @ own
    slope = (own @ (moments[:, 0] - products @ other)) / variation
    fitted = other + slope * own
    squares = sums.weight * naive**2
    error = squares - 2 * (fitted @ moments[:, 0]) + fitted @ products @ fitted
    return float((slope - naive) / (error / freedom / variation).sqrt())


def _naive_slopes(sums: Sums) -> Tensor:
    """Return the deviations of the targets: slopes of 1, if their unit is a feature's."""
    weight, (_, target_mean) = sums.weight, sums.means
    return ((sums.squares - weight * target_mean**2).clamp(min=0) / weight).sqrt()


def relative_forecasts(
    sums: Sums, n_features: int, penalties: list[float], held: int | None
) -> Forecasts:
    """Return the forecast of each penalty, free or with the slope of a feature held."""
    products, moments, to_unit = _standardized(sums)
    anchor = torch.zeros_like(moments)
    if held is not None:
        anchor[held] = _naive_slopes(sums)
    free = _features_but(held, n_features)
    rest = moments - products @ anchor
    earlier, across = products[n_features:, n_features:], products[free, n_features:]
    # What the last step tells of the earlier ones, and of the targets.
    solved = _least_squares(products[free][:, free], torch.cat([across, rest[free]], 1))
    shared, level = solved[:, : len(earlier)], solved[:, len(earlier) :]
    system, wanted = earlier - across.T @ shared, rest[n_features:] - across.T @ level
    earlier_slopes = _ridge(system, wanted, penalties)
    slopes = anchor.repeat(len(penalties), 1, 1)
    slopes[:, free] += level - shared @ earlier_slopes
    slopes[:, n_features:] = earlier_slopes
    return _with_intercepts(sums, slopes * to_unit)


def whole_forecasts(sums: Sums, n_features: int, penalties: list[float]) -> Forecasts:
    """Return the ridge forecast of each penalty from all steps as they are."""
    products, moments, to_unit = _standardized(sums.of_whole_steps(n_features))
    slopes = _ridge(products, moments, penalties) * to_unit
    by_step = slopes.unflatten(1, (-1, n_features))
    slopes[:, :n_features] = by_step.sum(dim=1)
    return _with_intercepts(sums, slopes)


def _with_intercepts(sums: Sums, slopes: Tensor) -> Forecasts:
    mean, target_mean = sums.means
    return Forecasts(target_mean - mean @ slopes, slopes)


def _standardized(sums: Sums) -> tuple[Tensor, Tensor, Tensor]:
    """Return products and moments of centred columns of deviation 1, and 1 / deviation.

    Those of constant columns are 0.
    """
    (mean, target_mean), scale = sums.means, sums.deviations
    to_unit = torch.where(scale == 0, 0.0, 1 / scale)[:, None]
    weight = sums.weight
    products = sums.columns[1:, 1:] - weight * torch.outer(mean, mean)
    moments = sums.targets[1:] - weight * torch.outer(mean, target_mean)
    return to_unit * products * to_unit.T, to_unit * moments, to_unit


def _features_but(left_out: int | None, n_features: int) -> Tensor:
    kept = [f for f in range(n_features) if f != left_out]
    return torch.tensor(kept, dtype=torch.long, device="cpu")


def _least_squares(products: Tensor, moments: Tensor) -> Tensor:
    """Solve normal equations, in the directions in which the columns do vary."""
    if not len(products):
        return moments
    values, vectors = torch.linalg.eigh(products)
    is_used = values > LEAST_SHARE * values[-1]
    inverse = torch.where(is_used, 1 / values, 0.0)
    return vectors @ (inverse[:, None] * (vectors.T @ moments))


def _ridge(products: Tensor, moments: Tensor, penalties: list[float]) -> Tensor:
    """Solve (products + penalty) slopes = moments: (n_penalties, n_columns, n_outputs)."""
    n_columns = len(products)
    if not n_columns:
        return moments.repeat(len(penalties), 1, 1)
    if n_columns > MANY_COLUMNS and len(penalties) > 1:
        return torch.cat([_ridge(products, moments, [one]) for one in penalties])
    systems = products.repeat(len(penalties), 1, 1)
    added = torch.tensor(penalties, dtype=torch.float64, device="cpu")
    systems.diagonal(dim1=1, dim2=2).add_(added[:, None])
    moments = moments.expand(len(penalties), *moments.shape)
    return torch.cholesky_solve(moments, torch.linalg.cholesky(systems))
