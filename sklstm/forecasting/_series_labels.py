"""Labels of the rows ahead of each of several series.

Each distinct sequence of labels is read once, since the series of a table often share their
calendar.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import pandas as pd

from sklstm._pipelines import ModelWindows
from sklstm._types import Label
from sklstm.forecasting._labels import known_labels, labels_ahead
from sklstm.forecasting._series import SeriesTable, with_level
from sklstm.forecasting._series_future import FutureTable
from sklstm.windows._fitted_series import FittedSeries
from sklstm.windows._groups import series_names
from sklstm.windows._holes import FittedLabels
from sklstm.windows._labels import inferred_index
from sklstm.windows._next_labels import N_LABELS, index_of
from sklstm.windows._panel_checks import check_series_labels
from sklstm.windows._requests import UnknownPastError


def labels_by_series(
    known: SeriesTable,
    fitted: FittedSeries,
    ahead: FutureTable | None,
    windows: ModelWindows,
    *,
    steps: int,
    is_fitted: bool,
) -> list[pd.Index] | None:
    """Return the labels of the rows ahead of each series; None without an index."""
    has_labels = _have_labels(known, fitted, is_fitted=is_fitted)
    given = ahead is not None and not _numbers_rows(ahead.index, fitted)
    if not has_labels and not given:
        return None
    index = known.index if has_labels and not is_fitted else None
    found: list[pd.Index] = []
    seen: dict[Label, pd.Index] = {}
    sources = _iter_sources(known, fitted, ahead if given else None, index)
    for number, source in enumerate(sources):
        key = number if source.future is not None else source.key
        if key not in seen:
            with _named(known.panel.keys[number]):
                seen[key] = _labels_of_one(
                    source,
                    steps=steps,
                    reach=windows.reach,
                    cuts=windows.cuts,
                    is_fitted=is_fitted,
                )
        found.append(seen[key])
    return found


def _have_labels(known: SeriesTable, fitted: FittedSeries, *, is_fitted: bool) -> bool:
    """Return whether the known rows have labels that say which come next."""
    if is_fitted:
        return fitted.labels is not None and isinstance(known.table, pd.DataFrame)
    usable = check_series_labels(known.index, known.panel, warn=False)
    return usable is not None and not _numbers_rows(known.index, fitted)


class _Source(NamedTuple):
    """What the labels ahead of one series are read from."""

    own: pd.Index  # of its known rows; empty without labels
    summary: FittedLabels | None
    future: pd.DataFrame | None  # with the labels that were passed for the rows ahead

    @property
    def key(self) -> Label:
        """What series have in common whose labels ahead are the same."""
        last = tuple(self.own[-N_LABELS:])
        if self.summary is None:
            return last, len(self.own)
        fitted = self.summary.last.values.tobytes()
        return last, len(self.own), self.summary.n_labels, fitted


def _iter_sources(
    known: SeriesTable,
    fitted: FittedSeries,
    ahead: FutureTable | None,
    index: pd.Index | None,
) -> Iterator[_Source]:
    """Yield the source of each series; `index` are the labels of the known rows."""
    names = series_names(known.panel.keys)
    numbers = pd.Index(fitted.names).get_indexer(pd.Index(names))
    for number, rows in enumerate(known.rows()):
        summary = None
        if fitted.labels is not None and numbers[number] >= 0:
            summary = fitted.labels.of_series(int(numbers[number]))
        future = None
        if ahead is not None:
            assert ahead.index is not None
            future = pd.DataFrame(index=ahead.index[ahead.rows[number]])
        yield _Source(pd.Index([]) if index is None else index[rows], summary, future)


def _numbers_rows(index: pd.Index | None, fitted: FittedSeries) -> bool:
    """Return whether labels are integers that number rows, as those of a part of a table.

    They do where the fitted rows had no labels that say anything of time.
    """
    if index is None or fitted.labels is not None:
        return index is None
    return index.nlevels == 1 and inferred_index(index).dtype.kind in "iu"


def _labels_of_one(
    source: _Source, *, steps: int, reach: int, cuts: bool, is_fitted: bool
) -> pd.Index:
    index, summary, future = source
    known = summary
    if is_fitted:
        own = None if summary is None else index_of(summary.last)
        index = pd.Index([]) if own is None else own
    elif len(index):
        own_table = pd.DataFrame(index=index)
        known = known_labels(own_table, summary, reach=reach, may_miss=cuts)
    return labels_ahead(index, known, steps=steps, future=future)


@contextmanager
def _named(key: Label) -> Iterator[None]:
    """Name the series in errors about its labels."""
    try:
        yield
    except UnknownPastError:
        raise
    except ValueError as error:
        raise ValueError(f"Series {key!r}: {error}") from error


def index_of_all(
    known: SeriesTable, labels: list[pd.Index] | None, *, steps: int, n_known: int
) -> pd.Index | None:
    """Return the labels of all joined rows, as the model sees them."""
    n_series, keys = len(known.panel), known.panel.keys
    inner = None
    if labels is not None:
        step_by_step = np.arange(n_series * steps).reshape(n_series, steps).T.ravel()
        inner = appended(labels).take(step_by_step)
        if n_known:
            before = pd.Index([]) if known.index is None else inferred_index(known.index)
            inner = _of_one_kind(before, inferred_index(inner), n_known)
    if known.column is not None:
        return inner
    all_keys = keys.take(
        np.append(known.panel.series[:n_known], np.tile(np.arange(n_series), steps))
    )
    if inner is None:
        # Numbers that say nothing of time, as the rows' own do not.
        count = np.append(
            known.panel.position[:n_known],
            (known.panel.counts if n_known else np.zeros(n_series, int)).repeat(1)[
                np.tile(np.arange(n_series), steps)
            ]
            + np.repeat(np.arange(steps), n_series),
        )
        inner = pd.Index(count)
    return with_level(known, all_keys, inner)


def _of_one_kind(before: pd.Index, ahead: pd.Index, n_known: int) -> pd.Index | None:
    if len(before) != n_known:
        return None
    joined = before.append(ahead)
    is_kept = joined.dtype.kind == before.dtype.kind or joined.dtype.kind in "iuf"
    return joined if is_kept else None


def appended(labels: list[pd.Index]) -> pd.Index:
    return labels[0].append(labels[1:]) if len(labels) > 1 else labels[0]
