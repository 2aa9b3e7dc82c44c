"""Fitted series of a table of several, and the windows of later rows of them.

`WindowTransformer` comes here where `groups` tells series apart. Each series has its own
past, and its own answer to whether later rows continue it.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sklstm.windows._first_rows import FirstRowsOfSeries
from sklstm.windows._fitted_series import FittedSeries
from sklstm.windows._groups import series_names
from sklstm.windows._one_series import Context
from sklstm.windows._panel import Panel, Pasts, panel_windows, segments, without_nan
from sklstm.windows._panel_checks import (
    check_group_names,
    check_known_past_of_series,
    check_series_labels,
    warn_of_gaps_before_series,
    warn_of_holes_in_series,
    warn_of_other_kind_of_labels,
)
from sklstm.windows._requests import ChosenSteps, Request
from sklstm.windows._series_labels import (
    FittedSeriesLabels,
    SeriesLabels,
    SeriesRelations,
    no_relations,
    series_relations,
)
from sklstm.windows._views import history_reach
from sklstm.windows._windows import Windows


class LaterSeries(NamedTuple):
    """Rows of a later table by series, and how its series stand to the fitted ones."""

    panel: Panel
    numbers: NDArray[np.integer]  # (n_series,), of the fitted series; -1 for new ones
    follows: NDArray[np.bool_]  # (n_series,), whether rows continue the fitted series
    missing: NDArray[np.int64]  # (n_rows,), steps missing before each, series by series
    found: SeriesRelations


@dataclass(frozen=True)
class ManySeries:
    """How windows of several series are cut: the parameters of the transformer."""

    seq_length: int
    horizon: int
    context: Context
    cuts: bool

    @property
    def reach(self) -> int:
        """Number of steps before a row that its window reaches back."""
        return history_reach(self.seq_length, self.horizon)

    def fit(
        self,
        rows: NDArray,
        keys: pd.Index,
        index: pd.Index | None,
        target_index: pd.Index | None,
    ) -> tuple[FittedSeries, Panel, NDArray[np.int64]]:
        """Return what to remember of the series of a table.

        Also its rows by series, and how many steps are missing before each.
        """
        panel, missing, labels = self.read(keys, index, target_index)
        by_series = panel.by_series(rows)
        kept = np.minimum(panel.counts, self.reach).astype(np.int64)
        last = np.repeat(panel.starts + panel.counts - kept, kept) + segments(kept)
        fitted = FittedSeries(
            names=series_names(panel.keys),
            context=by_series[last],
            missing=missing[last],
            counts=kept,
            first_rows=FirstRowsOfSeries.of(without_nan(by_series), panel.counts),
            labels=labels,
        )
        return fitted, panel, missing

    def fitted_windows(
        self, rows: NDArray, panel: Panel, missing: NDArray[np.integer]
    ) -> Windows:
        """Return the windows of the fitted rows, without a past."""
        return self._windows(rows, panel, Pasts.none(rows, panel), missing)

    def read(
        self,
        keys: pd.Index,
        index: pd.Index | None,
        target_index: pd.Index | None,
    ) -> tuple[Panel, NDArray[np.int64], FittedSeriesLabels | None]:
        """Return rows by series, the steps missing before each, and what labels say."""
        panel = Panel.of(keys)
        labels, found = self._fitted_labels(panel, index, target_index)
        return panel, _missing_before(found, panel), labels

    def _fitted_labels(
        self, panel: Panel, index: pd.Index | None, target_index: pd.Index | None
    ) -> tuple[FittedSeriesLabels | None, SeriesRelations]:
        labels = check_series_labels(index, panel)
        if labels is not None:
            fitted, found = FittedSeriesLabels.of(labels, reach=self.reach)
            if not self.cuts:
                self._warn_of_holes(found, panel)
            return fitted, found
        if target_index is not None and len(target_index) == len(panel.series):
            own = check_series_labels(target_index, panel, name="y", warn=False)
            if own is not None:
                found = FittedSeriesLabels.of(own, reach=self.reach)[1]
                self._warn_of_holes(found, panel, name="y")
        return None, no_relations(len(panel))

    def _warn_of_holes(
        self,
        found: SeriesRelations,
        panel: Panel,
        n_past: NDArray[np.integer] | None = None,
        *,
        name: str = "X",
    ) -> None:
        warn_of_holes_in_series(
            found.holes,
            panel,
            np.zeros(len(panel), dtype=np.int64) if n_past is None else n_past,
            seq_length=self.seq_length,
            horizon=self.horizon,
            name=name,
        )

    def transform(
        self,
        fitted: FittedSeries,
        rows: NDArray,
        keys: pd.Index,
        index: pd.Index | None,
        *,
        n_known: int | None = None,
    ) -> Windows:
        """Return the windows of later rows, with the past of series that they continue.

        With `n_known`, the rows after so many are those that a forecast predicts: they
        do not show whether a series continues the fitted one, and there are no warnings.
        """
        later = self.later(fitted, rows, keys, index, n_known=n_known)
        panel, pasts = later.panel, _pasts(fitted, later.numbers, later.follows)
        if not self.cuts and n_known is None:
            self._warn_of_holes(later.found, panel, pasts.counts)
        return self._windows(rows, panel, pasts, later.missing)

    def later(
        self,
        fitted: FittedSeries,
        rows: NDArray,
        keys: pd.Index,
        index: pd.Index | None,
        *,
        n_known: int | None = None,
    ) -> LaterSeries:
        """Return which series of a later table continue fitted ones, and what they miss.

        `n_known` is that of `transform`.
        """
        panel = Panel.of(keys)
        names = series_names(panel.keys)
        check_group_names(names, fitted.names)
        numbers = pd.Index(fitted.names).get_indexer(pd.Index(names))
        warns = self.context == "auto" and n_known is None
        like = None if fitted.labels is None else fitted.labels.like
        labels = check_series_labels(index, panel, warn=warns, like=like)
        found = self._relations(fitted, numbers, labels, warn=warns)
        missing = _missing_before(found, panel)
        follows = (numbers >= 0) & (self.context == "always")
        if self.context == "auto":
            follows = found.relation == "follows"
            known = panel if n_known is None else Panel.of(keys[:n_known])
            follows |= self._follows_by_rows(fitted, numbers, rows, known, found)
            if self.cuts:
                follows |= (found.relation == "gap") & (missing[panel.starts] > 0)
            if warns:
                warn_of_gaps_before_series(found, panel, follows)
        return LaterSeries(panel, numbers, follows, np.maximum(missing, 0), found)

    def answer(
        self,
        fitted: FittedSeries,
        rows: NDArray,
        keys: pd.Index,
        index: pd.Index | None,
        request: Request,
    ) -> NDArray | Windows:
        """Return the windows that a forecast asks for; complete ones, or an error."""
        lengths = {"seq_length": self.seq_length, "horizon": self.horizon}
        if isinstance(request, ChosenSteps):
            return request.windows(rows, rows[:0], **lengths)
        windows = self.transform(fitted, rows, keys, index, n_known=request.n_series)
        first = len(windows) - request.n_rows
        asked = windows[first:]
        if not self.cuts:
            check_known_past_of_series(
                asked.n_known, keys[first:], context=self.context, **lengths
            )
        return asked if request.only_these else windows

    def _relations(
        self,
        fitted: FittedSeries,
        numbers: NDArray[np.integer],
        labels: SeriesLabels | None,
        *,
        warn: bool,
    ) -> SeriesRelations:
        if labels is None:
            return no_relations(len(numbers))
        like = None if fitted.labels is None else fitted.labels.like
        is_comparable = like is not None and like.kind == labels.labels.kind
        is_other = like is not None and not is_comparable and bool((numbers >= 0).any())
        is_default = labels.are_default.all() or _are_default(fitted.labels)
        if like is not None and is_other and warn and not is_default:
            warn_of_other_kind_of_labels(labels.labels, like)
        return series_relations(fitted.labels, numbers, labels, is_comparable=is_comparable)

    def _follows_by_rows(
        self,
        fitted: FittedSeries,
        numbers: NDArray[np.integer],
        rows: NDArray,
        panel: Panel,
        found: SeriesRelations,
    ) -> NDArray[np.bool_]:
        """Return which series of unknown relation do not start with their fitted rows.

        `panel` has the first series, and all rows of theirs that show it; those without
        rows follow.
        """
        follows = (numbers >= 0) & (found.relation == "unknown")
        asked = np.flatnonzero(follows[: len(panel)])
        if asked.size:
            by_series = without_nan(panel.by_series(rows[: len(panel.series)]))
            counts = panel.counts[asked].astype(np.int64)
            if len(asked) < len(panel):
                at = np.repeat(panel.starts[asked], counts) + segments(counts)
                by_series = by_series[at]
            follows[asked] = ~fitted.first_rows.matches(numbers[asked], by_series, counts)
        return follows

    def _windows(
        self, rows: NDArray, panel: Panel, pasts: Pasts, missing: NDArray[np.integer]
    ) -> Windows:
        return panel_windows(
            rows,
            panel,
            pasts,
            seq_length=self.seq_length,
            horizon=self.horizon,
            missing=missing[panel.places] if self.cuts else None,
        )


def _are_default(labels: FittedSeriesLabels | None) -> bool:
    """Return whether the fitted labels only number the rows of each series from 0."""
    if labels is None:
        return True
    is_counted = (labels.steps == 1) | (labels.steps == 0)
    return bool((labels.begin_at_zero & is_counted).all())


def _missing_before(found: SeriesRelations, panel: Panel) -> NDArray[np.int64]:
    """Return the number of missing steps before each row, series one after another."""
    missing = np.zeros(len(panel.series), dtype=np.int64)
    for number, of_series in found.missing.items():
        start = int(panel.starts[number])
        missing[start : start + len(of_series)] = of_series
    return missing


def _pasts(
    fitted: FittedSeries, numbers: NDArray[np.integer], follows: NDArray[np.bool_]
) -> Pasts:
    starts = np.cumsum(fitted.counts) - fitted.counts
    return Pasts(
        fitted.context,
        fitted.missing,
        np.where(follows, starts[numbers], 0),
        np.where(follows, fitted.counts[numbers], 0),
    )
