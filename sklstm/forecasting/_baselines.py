"""What repeating the last values would have forecast, to hold a forecast against."""

from collections.abc import Sequence
from numbers import Integral
from typing import Literal

import numpy as np
from numpy.typing import NDArray

# "last", or how many last values are repeated.
Baseline = Literal["last"] | int


def check_season(baseline: Baseline) -> int:
    """Return how many last values a baseline repeats; one for "last"."""
    if isinstance(baseline, str) and baseline == "last":
        return 1
    is_count = isinstance(baseline, Integral) and not isinstance(baseline, bool)
    if not is_count or int(baseline) < 1:
        raise ValueError(
            f"baseline={baseline!r} has to be 'last', or the length of the season in "
            "steps: 1 or more."
        )
    return int(baseline)


def check_baselines(
    baseline: Baseline | Sequence[Baseline] | None,
) -> dict[str, int]:
    """Return the number of values that each baseline repeats, by its column's name."""
    if baseline is None:
        return {}
    columns: dict[str, int] = {}
    for one in np.atleast_1d(np.asarray(baseline, dtype=object)):
        name = column_of(one)
        if name in columns:
            raise ValueError(f"baseline={baseline!r} names {one!r} more than once.")
        columns[name] = check_season(one)
    return columns


def column_of(baseline: Baseline) -> str:
    """Return the column of a backtest's table that holds a baseline."""
    season = check_season(baseline)
    return "y_last" if season == 1 else f"y_last_{season}"


def repeated_values(
    y: NDArray[np.float64],
    origins: NDArray[np.intp],
    steps: NDArray[np.intp],
    season: int,
    *,
    starts: NDArray[np.intp] | int = 0,
) -> NDArray[np.float64]:
    """Return the last `season` values of `y` up to each origin, repeated.

    Of the shape (n_origins, n_steps, …); `steps` count from 1. NaN before the first row of
    the series of an origin, which is among `starts`.
    """
    rows = origins[:, np.newaxis] - season + 1 + (steps - 1) % season
    values = y[np.maximum(rows, 0)]
    values[rows < np.reshape(starts, (-1, 1))] = np.nan
    return values
