"""The linear forecast that ``residual=True`` starts from: ridge on the whole window.

With x the last step of a window, r the steps before it relative to x, and y the target,
all centred and in units of their standard deviations, the forecast x A + r B minimises

    |y - x A - r B|² + penalty · |B|²

over the training rows: only how earlier steps differ from the last one is penalised. A is
fitted too. But where the series may be a random walk, a fitted A draws its level back to
the mean of the training rows, which it need not return to. So the slope of the feature
closest to the targets is held at 1, the naive forecast, as in NLinear [1]_, unless the
augmented Dickey-Fuller test [2]_ rejects a unit root; a regression on the last step and on
earlier ones relative to it is the regression of that test.

The penalty is chosen in time order: each candidate is fitted to earlier rows and judged on
those that follow. Penalties are absolute, so that one chosen on some rows fits all of them.

Everything is computed from sums of products, which are added up over parts of the windows;
no copy of all of them is made. Sums and solutions are torch's in float64, inside
`one_thread` and in memory that torch aligns: their bits depend on the numbers alone.

References
----------
.. [1] Zeng, Chen, Zhang & Xu, "Are transformers effective for time series forecasting?",
   AAAI 2023.
.. [2] Dickey & Fuller, "Distribution of the estimators for autoregressive time series with
   a unit root", Journal of the American Statistical Association 74(366), 1979.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sklstm._network._module import MOST_LINEAR_COLUMNS, LSTMModule
from sklstm._training._data import WindowSet
from sklstm.windows._views import iter_chunks

# The first half of the rows is only fitted to; each tenth after it judges those before.
# With many columns, whose systems take longer than an epoch, the last fifth alone judges.
FOLD_ENDS = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
FOLD_ENDS_OF_MANY = (0.8, 1.0)
MANY_COLUMNS = 200
# Rows below which there is nothing to choose by.
FEWEST_ROWS = 20
# Rows that weigh less than this share of all are not fitted to alone.
LEAST_WEIGHT = 1e-6
# Values of windows that are read at a time: some megabytes.
N_VALUES_AT_ONCE = 2**19
# A column that varies by less than this share of its size is constant but for rounding.
ROUNDING = 1e-12
# Features that hardly differ share their slope instead of opposing each other.
LEAST_SHARE = 1e-8
# Scales between which float32 computes with what is divided by them.
LEAST_SCALE, LARGEST_SCALE = 1e-30, 1e38


# Candidates, for each row of the training set.
PENALTIES = [float(penalty) for penalty in 10.0 ** np.arange(-5, 3)]
# Without a choice.
USUAL_PENALTY = 0.1
# The test's 5 % point with a constant, and the small penalty that lets it be solved.
DICKEY_FULLER = -2.86
TEST_PENALTY = 1e-4


class Forecast(NamedTuple):
    """A linear forecast of targets from columns, the last step first."""

    intercept: Tensor  # (n_outputs,)
    slopes: Tensor  # (n_columns, n_outputs)


@dataclass(frozen=True)
class Sums:
    """Weighted sums over rows, of a column of ones, the columns x and r, and targets y."""

    columns: Tensor  # (1 + n_columns, 1 + n_columns), products with each other
    targets: Tensor  # (1 + n_columns, n_outputs), products with targets
    squares: Tensor  # (n_outputs,), of targets

    def __add__(self, other: "Sums") -> "Sums":
        return Sums(
            self.columns + other.columns,
            self.targets + other.targets,
            self.squares + other.squares,
        )

    def squared_error(self, forecast: Forecast) -> float:
        """Return the summed squared error of a forecast of these rows."""
        linear = torch.cat([forecast.intercept[None], forecast.slopes])
        cross = (linear * (self.columns @ linear - 2 * self.targets)).sum()
        return float(cross + self.squares.sum())

    @property
    def weight(self) -> float:
        """Total weight of the rows, their number where weights are equal."""
        return float(self.columns[0, 0])

    @property
    def means(self) -> tuple[Tensor, Tensor]:
        """Means of columns and of targets."""
        return self.columns[0, 1:] / self.weight, self.targets[0] / self.weight

    @property
    def deviations(self) -> Tensor:
        """Standard deviations of the columns; 0 for constant ones."""
        mean, _ = self.means
        mean_squares = self.columns.diagonal()[1:] / self.weight
        variances = mean_squares - mean**2
        is_constant = variances <= ROUNDING * mean_squares
        scale = torch.where(is_constant, 0.0, variances.clamp(min=0).sqrt())
        return torch.where(scale < LEAST_SCALE, 0.0, scale)


def start_at_linear_forecast(module: LSTMModule, windows: WindowSet) -> None:
    """Let the linear map start at the ridge forecast of the training rows.

    Where there are more features than can be solved for, its slopes stay 0.
    """
    n_features = windows.windows.n_features
    if n_features > MOST_LINEAR_COLUMNS:
        return
    columns = _Columns(windows, module.linear_steps)
    sums, penalty = _sums_and_penalty(columns, len(windows), n_features)
    forecast = next(_forecasts(sums, n_features, [penalty]))
    (center, target_mean), scale = sums.means, sums.deviations
    center[:n_features] += columns.level
    n_columns = len(center)
    # In columns that are so much smaller, all of them together move the output in one step
    # of the optimizer as far as one weight of the dense layer does.
    scale = torch.where(scale == 0, 1.0, (scale * n_columns).clamp(max=LARGEST_SCALE))
    slopes = forecast.slopes * scale[:, None]
    module.start_linear(
        _last_step_behind(slopes, n_features).T,
        target_mean + columns.target_level,
        _last_step_behind(center, n_features),
        _last_step_behind(scale, n_features),
    )


def _last_step_behind(values: Tensor, n_features: int) -> Tensor:
    return torch.cat([values[n_features:], values[:n_features]])


class _Columns:
    """Reads a set's rows as columns, and adds up their products.

    Last steps and targets are relative to those of the first row, so that little is lost
    where they lie far from 0.
    """

    def __init__(self, windows: WindowSet, n_steps: int) -> None:
        self.set, self.windows = windows, windows.windows.last_steps(n_steps)
        self.rows = windows.rows[windows.time_order()]
        first = windows.rows[:1]
        self.level = _tensor(self.windows.gather(first)[0, -1])
        self.target_level = _tensor(windows.targets[first][0])
        self.n_columns = int(np.prod(self.windows.shape[1:]))
        self.n_at_once = max(16, N_VALUES_AT_ONCE // self.n_columns)

    def sums(self, start: int, stop: int) -> Sums:
        """Return the sums over rows, by their place among those that are used."""
        n_columns, n_outputs = self.n_columns, self.set.targets.shape[1]
        total = Sums(
            torch.zeros(1 + n_columns, 1 + n_columns, dtype=torch.float64, device="cpu"),
            torch.zeros(1 + n_columns, n_outputs, dtype=torch.float64, device="cpu"),
            torch.zeros(n_outputs, dtype=torch.float64, device="cpu"),
        )
        for part in iter_chunks(stop - start, self.n_at_once):
            total = total + self._sums_of(self.rows[start:stop][part])
        return total

    def _sums_of(self, rows: NDArray[np.integer]) -> Sums:
        steps = _tensor(self.windows.gather(rows))  # (b, n_steps, F)
        targets = _tensor(self.set.targets[rows]) - self.target_level
        last_step = steps[:, -1]
        relative = (steps[:, :-1] - last_step[:, None]).flatten(1)
        ones = torch.ones_like(last_step[:, :1])
        columns = torch.cat([ones, last_step - self.level, relative], dim=1)
        weighted, weighted_targets = columns, targets
        if self.set.weights is not None:
            weights = _tensor(self.set.weights[rows])[:, None]
            weighted, weighted_targets = columns * weights, targets * weights
        return Sums(
            weighted.T @ columns,
            weighted.T @ targets,
            (weighted_targets * targets).sum(dim=0),
        )


def _tensor(array: NDArray) -> Tensor:
    """Return a float64 copy in memory that torch aligns, on which bits may depend."""
    return torch.tensor(array.astype(np.float64), dtype=torch.float64, device="cpu")


def _sums_and_penalty(
    columns: _Columns, n_rows: int, n_features: int
) -> tuple[Sums, float]:
    """Return the sums over all rows, and the penalty that forecasts later rows best."""
    rows = columns.set.rows
    if n_rows < FEWEST_ROWS or not (rows[1:] > rows[:-1]).all():
        return columns.sums(0, n_rows), USUAL_PENALTY * n_rows
    # Columns of y may be steps ahead, of which the last rows know those that are to judge.
    n_ahead = columns.set.targets.shape[1] - 1
    n_between = min(n_ahead * columns.set.n_series, n_rows // 10)
    is_many = columns.n_columns > MANY_COLUMNS
    shares = FOLD_ENDS_OF_MANY if is_many else FOLD_ENDS
    ends = [round(share * n_rows) for share in shares]
    fitted = columns.sums(0, ends[0] - n_between)
    between = columns.sums(ends[0] - n_between, ends[0])
    penalties = [penalty * n_rows for penalty in PENALTIES]
    errors = np.zeros(len(penalties))
    for start, stop in pairwise(ends):
        later = columns.sums(start, stop - n_between)
        later_between = columns.sums(stop - n_between, stop)
        judging = later + later_between
        if fitted.weight > LEAST_WEIGHT * n_rows:
            forecasts = _forecasts(fitted, n_features, penalties)
            errors += [judging.squared_error(forecast) for forecast in forecasts]
        fitted, between = fitted + between + later, later_between
    return fitted + between, penalties[int(errors.argmin())]


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


def _forecasts(sums: Sums, n_features: int, penalties: list[float]) -> Iterator[Forecast]:
    """Yield the forecast of each penalty."""
    products, moments, to_unit = _standardized(sums)
    mean, target_mean = sums.means
    held, anchor = _held_slope(sums, products, moments, n_features)
    free = _features_but(held, n_features)
    rest = moments - products @ anchor
    earlier, across = products[n_features:, n_features:], products[free, n_features:]
    # What the last step tells of the earlier ones, and of the targets.
    solved = _least_squares(products[free][:, free], torch.cat([across, rest[free]], 1))
    shared, level = solved[:, : len(earlier)], solved[:, len(earlier) :]
    system, wanted = earlier - across.T @ shared, rest[n_features:] - across.T @ level
    for penalty in penalties:
        earlier_slopes = _ridge(system, wanted, penalty)
        slopes = anchor.clone()
        slopes[free] += level - shared @ earlier_slopes
        slopes[n_features:] = earlier_slopes
        slopes *= to_unit
        yield Forecast(target_mean - mean @ slopes, slopes)


def _held_slope(
    sums: Sums, products: Tensor, moments: Tensor, n_features: int
) -> tuple[int | None, Tensor]:
    """Return the feature whose slope is held, if any, and slopes of 0 but for it."""
    anchor = torch.zeros_like(moments)
    closest = moments[:n_features].abs().argmax(dim=0).unique()
    if len(closest) > 1:  # each target moves with another feature
        return None, anchor
    feature = int(closest)
    weight, (_, target_mean) = sums.weight, sums.means
    squares = (sums.squares - weight * target_mean**2).clamp(min=0)
    naive = moments[feature].sign() * (squares / weight).sqrt()
    direction = float(moments[feature, 0].sign())
    free = _features_but(feature, len(products))
    solved = _ridge(
        products[free][:, free],
        torch.stack([products[free, feature], moments[free, 0]], dim=1),
        TEST_PENALTY * weight,
    )
    # What the other columns do not tell of the feature, and of the first target.
    own, other = torch.zeros(2, len(products), dtype=torch.float64, device="cpu")
    own[feature], own[free], other[free] = 1.0, -solved[:, 0], solved[:, 1]
    variation = own @ products @ own
    slope = (own @ (moments[:, 0] - products @ other)) / variation
    fitted = other + slope * own
    error = squares[0] - 2 * (fitted @ moments[:, 0]) + fitted @ products @ fitted
    freedom = weight - len(products) - 1
    statistic = (slope - naive[0]) * direction / (error / freedom / variation).sqrt()
    if freedom <= 0 or not float(statistic) > DICKEY_FULLER:
        return None, anchor
    anchor[feature] = naive
    return feature, anchor


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


def _ridge(products: Tensor, moments: Tensor, penalty: float) -> Tensor:
    system = products.clone()
    system.diagonal().add_(penalty)
    return torch.cholesky_solve(moments, torch.linalg.cholesky(system))
