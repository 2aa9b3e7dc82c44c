"""Requests for the windows of some rows only, passed to a transformer beside a Pipeline.

A Pipeline passes its steps nothing but `X`. A forecast reads only the predictions of the
last rows: it needs no windows of the rows before them, no warnings about those, and an
error where the steps that it does need are not known. The request is a context variable, so
that it reaches the transformer through any wrapper and never another thread.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sklstm.windows._views import history_reach, history_windows


class UnknownPastError(ValueError):
    """Error of a requested window that needs steps which are not known."""


@dataclass(frozen=True)
class LastRows:
    """Request for the complete windows of the last `n_rows` rows.

    The first `n_series` rows are known; they show whether the rows continue the fitted
    series, and where there are none, the others do. With `only_these`, the output has no
    other rows. Otherwise it has the windows of all rows, of which the others may hold
    anything.
    """

    n_rows: int
    n_series: int
    only_these: bool

    def n_needed(self, n_rows: int, *, seq_length: int, horizon: int) -> int:
        """Return how many steps before the first row the windows reach back to."""
        return max(history_reach(seq_length, horizon) - (n_rows - self.n_rows), 0)

    def windows(
        self, series: NDArray, past: NDArray, *, seq_length: int, horizon: int
    ) -> NDArray:
        """Return the windows, given as many past steps as are needed."""
        if self.only_these:
            first, reach = len(series) - self.n_rows, history_reach(seq_length, horizon)
            before = series[max(first - reach, 0) : first]
            past = np.concatenate([past.astype(series.dtype, copy=False), before])
            series = series[first:]
        return history_windows(series, past, seq_length=seq_length, horizon=horizon)


@dataclass(frozen=True)
class ChosenSteps:
    """Request for windows of given steps, from rows of several forecasts in one table.

    `steps`, of shape (n_windows, seq_length), are rows of the table; negative ones are
    those of the context. The first `n_series` rows are one series in time order.
    """

    steps: NDArray[np.integer]
    n_series: int

    def n_needed(self, n_rows: int, *, seq_length: int, horizon: int) -> int:
        """Return how many steps before the first row the windows reach back to."""
        return max(-int(self.steps.min()), 0)

    def windows(
        self, series: NDArray, past: NDArray, *, seq_length: int, horizon: int
    ) -> NDArray:
        """Return the windows, given as many past steps as are needed."""
        past = past.astype(series.dtype, copy=False)
        return np.concatenate([past, series])[self.steps + len(past)]


Request = LastRows | ChosenSteps

_requests: ContextVar[tuple[tuple[object, ...], Request] | None] = ContextVar(
    "sklstm_requested_windows", default=None
)


@contextmanager
def requested_windows(transformers: Sequence[object], request: Request) -> Iterator[None]:
    """Let these transformers, and no others, answer a request while the context lasts."""
    token = _requests.set((tuple(transformers), request))
    try:
        yield
    finally:
        _requests.reset(token)


def request_for(transformer: object) -> Request | None:
    """Return the request that a transformer has to answer now, if any."""
    current = _requests.get()
    if current is None or not any(transformer is one for one in current[0]):
        return None
    return current[1]
