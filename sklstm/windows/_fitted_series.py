"""What is remembered of several fitted series, to go on from them."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from sklstm._types import State
from sklstm.windows._checks import check_context
from sklstm.windows._first_rows import FirstRowsOfSeries
from sklstm.windows._panel import without_nan
from sklstm.windows._series_labels import FittedSeriesLabels


@dataclass(frozen=True)
class FittedSeries:
    """What is remembered of several series.

    Attributes
    ----------
    names : ndarray of shape (n_series,)
        Names of the series.

    context : ndarray of shape (n_steps, n_features)
        Last steps of all series, one series after another.

    missing : ndarray of int of shape (n_steps,)
        Number of steps that are missing before each of them.

    counts : ndarray of int of shape (n_series,)
        Number of steps of each series in `context`.

    first_rows : FirstRowsOfSeries
        Summaries by which the fitted rows are recognised.

    labels : FittedSeriesLabels or None
        Summary of their labels.
    """

    names: NDArray
    context: NDArray
    missing: NDArray[np.integer]
    counts: NDArray[np.integer]
    first_rows: FirstRowsOfSeries
    labels: FittedSeriesLabels | None

    def state(self) -> State:
        """Return arrays and plain values, without names and context."""
        return {
            "missing": self.missing,
            "counts": self.counts,
            "first_rows": self.first_rows.state(),
            "labels": None if self.labels is None else self.labels.state(),
        }

    @classmethod
    def from_state(cls, names: NDArray, context: NDArray, state: State) -> Self:
        """Rebuild from what `state` returned."""
        labels = state["labels"]
        return cls(
            names,
            context,
            state["missing"],
            state["counts"],
            FirstRowsOfSeries(**state["first_rows"]),
            None if labels is None else FittedSeriesLabels.from_state(labels),
        )

    def check(self, *, allow_nan: bool) -> None:
        """Check that the parts of what was loaded match; ValueError if they do not."""
        first_rows = FirstRowsOfSeries.from_state(self.first_rows.state())
        context = without_nan(self.context) if allow_nan else self.context
        check_context(context, first_rows.low[:1])
        n_series, n_steps = len(self.names), len(self.context)
        if (
            len(self.counts) != n_series
            or len(first_rows.low) != n_series
            or len(self.missing) != n_steps
            or int(self.counts.sum()) != n_steps
            or (self.counts < 0).any()
            or (self.labels is not None and len(self.labels.counts) != n_series)
        ):
            raise ValueError("the numbers of its series and of their steps do not match")
