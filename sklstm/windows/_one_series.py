"""One fitted series, and the windows of later rows.

`WindowTransformer` comes here where a table holds one series; `_by_series` reads several.
"""

from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from sklstm._types import State
from sklstm.windows._checks import (
    check_context,
    check_known_past,
    check_labels,
    check_row_labels,
    warn_of_gap,
    warn_of_holes,
    warn_of_other_kind,
)
from sklstm.windows._continuation import FirstRows
from sklstm.windows._holes import (
    FittedLabels,
    Holes,
    later_holes,
    later_missing,
    n_missing_before,
    own_holes,
    own_spacing,
    spacing_of_both,
)
from sklstm.windows._labels import Labels, table_index
from sklstm.windows._mapped import JoinedWindows, is_mapped
from sklstm.windows._panel import Panel, Pasts, panel_windows, without_nan
from sklstm.windows._requests import LastRows, Request
from sklstm.windows._spacing import Spacing
from sklstm.windows._views import history_reach, history_windows
from sklstm.windows._windows import Windows

Context = Literal["auto", "always", "never"]


@dataclass(frozen=True)
class FittedOneSeries:
    """What is remembered of a series.

    Attributes
    ----------
    context : ndarray of shape (n_steps, n_features)
        Its last steps.

    missing : ndarray of int of shape (n_steps,)
        Number of steps that are missing before each of them.

    first_rows : FirstRows
        Summary by which its rows are recognised.

    labels : FittedLabels or None
        Summary of its labels.
    """

    context: NDArray
    missing: NDArray[np.integer]
    first_rows: FirstRows
    labels: FittedLabels | None

    @classmethod
    def from_state(
        cls,
        context: NDArray,
        missing: NDArray | None,
        first_rows: State,
        labels: State | None,
    ) -> Self:
        """Rebuild from arrays and plain values."""
        if missing is None:
            missing = np.zeros(len(context), dtype=np.int64)
        fitted = None if labels is None else FittedLabels.from_state(labels)
        return cls(context, missing, FirstRows(**first_rows), fitted)

    def check(self, *, allow_nan: bool) -> None:
        """Check that the parts of what was loaded match; ValueError if they do not."""
        context = without_nan(self.context) if allow_nan else self.context
        check_context(context, self.first_rows.low[np.newaxis])
        if np.shape(self.missing) != (len(self.context),):
            raise ValueError("the numbers of its missing steps do not match its rows")


@dataclass(frozen=True)
class OneSeries:
    """How windows of one series are cut: the parameters of the transformer."""

    seq_length: int
    horizon: int
    context: Context
    cuts: bool
    copies: bool  # also large series in a file

    def fit(
        self, series: NDArray, X: ArrayLike, y: ArrayLike | None
    ) -> tuple[FittedOneSeries, NDArray[np.int64]]:
        """Return what to remember of a series, and how many steps its rows miss before."""
        labels, target_labels = check_row_labels(X, y, n_rows=len(series))
        spacing = own_spacing(labels)
        holes, missing = own_holes(labels, spacing), np.zeros(len(series), dtype=np.int64)
        reach = history_reach(self.seq_length, self.horizon)
        if self.cuts and labels is not None:
            missing = n_missing_before(labels, spacing)
        if not self.cuts:
            self._warn_of_holes(holes, len(series))
        target_holes = own_holes(target_labels, own_spacing(target_labels))
        self._warn_of_holes(target_holes, len(series), name="y")
        kept = slice(max(len(series) - reach, 0), None)
        summary = None
        if labels is not None:
            summary = FittedLabels.of(labels, spacing, holes, reach=reach)
        first_rows = FirstRows.of(without_nan(series) if self.cuts else series)
        return (
            FittedOneSeries(series[kept].copy(), missing[kept].copy(), first_rows, summary),
            missing,
        )

    def _warn_of_holes(
        self, holes: Holes, n_rows: int, n_past: int = 0, *, name: str = "X"
    ) -> None:
        warn_of_holes(
            holes,
            n_rows=n_rows,
            n_past=n_past,
            seq_length=self.seq_length,
            horizon=self.horizon,
            name=name,
        )

    def transform(
        self, fitted: FittedOneSeries, series: NDArray, X: ArrayLike
    ) -> NDArray | Windows:
        """Return the windows of later rows."""
        if self.cuts:
            missing, continues = self.steps_before(fitted, series, X)
            return self.windows(series, missing, fitted if continues else None)
        labels = check_labels(X, like=fitted.labels, warn=self.context == "auto")
        spacing = spacing_of_both(fitted.labels, labels)
        past = fitted.context
        holes = later_holes(fitted.labels, labels, spacing)
        if self._continues(fitted, series, labels, spacing):
            holes = holes.after(fitted.labels)
        else:
            past = past[:0]
        self._warn_of_holes(holes, len(series), len(past))
        return self._uncut(series, past)

    def steps_before(
        self, fitted: FittedOneSeries, series: NDArray, X: ArrayLike
    ) -> tuple[NDArray[np.int64], bool]:
        """Return how many steps are missing before later rows, and whether they continue.

        Where steps are missing between the fitted rows and these, they do.
        """
        labels = check_labels(X, like=fitted.labels, warn=self.context == "auto")
        spacing = spacing_of_both(fitted.labels, labels)
        missing = later_missing(fitted.labels, labels, spacing, n_rows=len(series))
        missing[0] = self._gap(fitted, labels, spacing)
        continues = missing[0] > 0 or self._continues(
            fitted, without_nan(series), labels, spacing
        )
        return missing, continues

    def _uncut(self, series: NDArray, past: NDArray) -> NDArray | Windows:
        """Return windows as a view of the series, with its past in front of it."""
        lengths = {"seq_length": self.seq_length, "horizon": self.horizon}
        is_longer = len(series) > history_reach(**lengths)
        if is_longer and not self.copies and is_mapped(series):
            return Windows.of_joined(JoinedWindows.of_history(series, past, **lengths))
        return history_windows(series, past, **lengths)

    def _gap(
        self, fitted: FittedOneSeries, labels: Labels | None, spacing: Spacing | None
    ) -> int:
        """Return how many steps are missing before later rows, as far as is known."""
        like = fitted.labels
        if self.context == "never" or like is None or labels is None:
            return 0
        if not like.is_comparable(labels) or like.relation(labels, spacing) != "gap":
            return 0
        return like.n_missing(labels, spacing) or 0

    def windows(
        self,
        series: NDArray,
        missing: NDArray[np.integer],
        fitted: FittedOneSeries | None = None,
    ) -> NDArray | Windows:
        """Return windows cut at missing steps: a view of the series if there are none."""
        past = series[:0] if fitted is None else fitted.context
        before = missing[:0] if fitted is None else fitted.missing
        is_whole = not (missing.any() or before.any())
        if not self.cuts or (
            is_whole and not (np.isnan(series).any() or np.isnan(past).any())
        ):
            return self._uncut(series, past)
        panel = Panel.of(pd.Index(np.zeros(len(series), dtype=np.int8)))
        start, count = np.zeros(1, dtype=np.int64), np.array([len(past)])
        return panel_windows(
            series,
            panel,
            Pasts(past, before, start, count),
            seq_length=self.seq_length,
            horizon=self.horizon,
            missing=missing,
        )

    def _continues(
        self,
        fitted: FittedOneSeries,
        series: NDArray,
        labels: Labels | None,
        spacing: Spacing | None,
    ) -> bool:
        """Return whether the rows of `series` are the steps after the fitted ones."""
        if self.context != "auto":
            return self.context == "always"
        like = fitted.labels
        if labels is None or like is None or not like.is_comparable(labels):
            if labels is not None and like is not None:
                warn_of_other_kind(labels, like)
            return not fitted.first_rows.matches(series)
        relation = like.relation(labels, spacing)
        if relation == "gap":
            warn_of_gap(labels, like, spacing)
        return relation == "follows"

    def answer(
        self, fitted: FittedOneSeries, series: NDArray, X: ArrayLike, request: Request
    ) -> NDArray | Windows:
        """Return the windows that a forecast asks for; complete ones, or an error."""
        if self.cuts and isinstance(request, LastRows):
            return self._answer_cut(fitted, series, X, request)
        lengths = {"seq_length": self.seq_length, "horizon": self.horizon}
        n_needed = request.n_needed(len(series), **lengths)
        if n_needed:
            is_next = self._is_next(fitted, series, X, request)
            check_known_past(
                n_needed,
                n_known=len(fitted.context) if is_next else 0,
                context=self.context,
                **lengths,
            )
        return request.windows(series, fitted.context, **lengths)

    def _answer_cut(
        self, fitted: FittedOneSeries, series: NDArray, X: ArrayLike, request: LastRows
    ) -> NDArray | Windows:
        """Return windows that know what is known, complete or not."""
        labels = check_labels(X, like=fitted.labels, warn=False)
        spacing = spacing_of_both(fitted.labels, labels)
        missing = later_missing(fitted.labels, labels, spacing, n_rows=len(series))
        missing[0] = self._gap(fitted, labels, spacing)
        continues = missing[0] > 0 or self._is_next(fitted, series, X, request)
        windows = self.windows(series, missing, fitted if continues else None)
        return windows[len(windows) - request.n_rows :] if request.only_these else windows

    def _is_next(
        self, fitted: FittedOneSeries, series: NDArray, X: ArrayLike, request: Request
    ) -> bool:
        """Return whether the series of a request continues the fitted one; never warn."""
        rows = slice(request.n_series or len(series))
        index, like = table_index(X), fitted.labels
        series = without_nan(series[rows]) if self.cuts else series[rows]
        if self.context != "auto" or index is None:
            return self._continues(fitted, series, None, None)
        labels = check_labels(pd.Series(0, index=index[rows]), like=like, warn=False)
        if labels is None or like is None or not like.is_comparable(labels):
            return self._continues(fitted, series, None, None)
        return like.relation(labels, spacing_of_both(like, labels)) == "follows"
