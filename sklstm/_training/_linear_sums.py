"""Sums of products over the rows of a set, from which linear forecasts are solved.

They are added up over parts of the windows; no copy of all of them is made. Sums and what
is solved from them are torch's in float64, inside `one_thread` and in memory that torch
aligns: their bits depend on the numbers alone.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sklstm._training._data import WindowSet
from sklstm.windows._views import iter_chunks

# Values of windows that are read at a time: some megabytes.
N_VALUES_AT_ONCE = 2**19
# A column that varies by less than this share of its size is constant but for rounding.
ROUNDING = 1e-12
# Deviations below which float32 does not compute with what is divided by them.
LEAST_SCALE = 1e-30


@dataclass(frozen=True)
class Forecasts:
    """Linear forecasts of targets from columns, the last step first: one per penalty."""

    intercepts: Tensor  # (n_penalties, n_outputs)
    slopes: Tensor  # (n_penalties, n_columns, n_outputs)


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

    def squared_errors(self, forecasts: Forecasts) -> NDArray[np.float64]:
        """Return the summed squared error of each forecast of these rows."""
        linear = torch.cat([forecasts.intercepts[:, None], forecasts.slopes], dim=1)
        cross = (linear * (self.columns @ linear - 2 * self.targets)).sum(dim=(1, 2))
        return (cross + self.squares.sum()).clamp(min=0).numpy()

    def of_whole_steps(self, n_features: int) -> "Sums":
        """Return the sums of all steps as they are, not relative to the last one."""
        last, earlier = slice(1, 1 + n_features), slice(1 + n_features, None)
        n_earlier = (len(self.columns) - 1) // n_features - 1
        columns, targets = self.columns.clone(), self.targets.clone()
        columns[earlier] += columns[last].repeat(n_earlier, 1)
        columns[:, earlier] += columns[:, last].repeat(1, n_earlier)
        targets[earlier] += targets[last].repeat(n_earlier, 1)
        return Sums(columns, targets, self.squares)

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


class Columns:
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
