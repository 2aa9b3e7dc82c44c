"""Checks of the labels of several series, and the warnings about them.

What `_checks` says of one series is said here once for all series that it concerns.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sklstm.windows._holes import Holes
from sklstm.windows._labels import (
    Labels,
    are_numbered_names,
    inferred_index,
    is_ordered_kind,
    read_labels,
)
from sklstm.windows._panel import Panel
from sklstm.windows._requests import UnknownPastError
from sklstm.windows._series_labels import SeriesLabels, SeriesRelations
from sklstm.windows._views import history_reach
from sklstm.windows._warnings import warn_caller

NEVER = " context='never' keeps the fitted rows from being their past."


def check_series_labels(
    index: pd.Index | None,
    panel: Panel,
    *,
    name: str = "X",
    warn: bool = True,
    like: Labels | None = None,
) -> SeriesLabels | None:
    """Return the labels of each series; None if there are none that can be used.

    Labels must increase within each series. Integers that number the rows of the table say
    nothing of time, and are not used. With `like`, fitted integers that do, others need
    only number the rows of the table from 0 to be ignored.
    """
    if index is None or not len(index):
        return None
    index = inferred_index(_innermost_level(index, panel, name))
    if not is_ordered_kind(index):
        if warn and not are_numbered_names(index):
            _warn_not_ordered(index, name)
        return None
    _check_labels_known(index, name)
    index = index.take(np.argsort(panel.places))
    _check_increasing(index, panel, name)
    labels = read_labels(index)
    if labels is None:
        _warn_not_ordered(index, name)
        return None
    by_series = SeriesLabels.of(labels, panel.counts.astype(np.int64))
    if like is not None and like.kind == labels.kind:
        return None if by_series.number_rows_from_zero else by_series
    return None if by_series.number_rows else by_series


def _innermost_level(index: pd.Index, panel: Panel, name: str) -> pd.Index:
    if not isinstance(index, pd.MultiIndex):
        return index
    for level in range(index.nlevels - 1):
        codes = np.asarray(index.codes[level])
        first = np.zeros(len(panel), dtype=codes.dtype)
        first[panel.series[::-1]] = codes[::-1]
        differs = codes != first[panel.series]
        if differs.any():
            key = panel.keys[panel.series[int(differs.argmax())]]
            raise ValueError(
                f"The series {key!r} of {name} has several values in the level "
                f"{index.names[level]!r} of the index, outside of its last one. groups has "
                "to tell all series apart: make one column or level of the two, such as "
                "'north, shop 1'. If the levels label one series together, as year and "
                "month do, make a single level of times or periods of them."
            )
    return index.get_level_values(-1)


def _warn_not_ordered(index: pd.Index, name: str) -> None:
    warn_caller(
        f"The index of {name} holds labels such as {index[0]!r}, which are neither times "
        "nor numbers. It is not used: the rows of each series are taken to be consecutive "
        "steps in time order. Convert the index, for example by pandas.to_datetime, or "
        "drop it."
    )


def _check_labels_known(index: pd.Index, name: str) -> None:
    if index.hasnans:
        raise ValueError(
            f"The index of {name} holds a missing label in row "
            f"{int(index.isna().argmax())}; every step needs a label. Fill it in, or drop "
            "the row."
        )


def _check_increasing(index: pd.Index, panel: Panel, name: str) -> None:
    """Check that labels, with series one after another, increase within each of them."""
    values = getattr(index, "asi8", None)
    values = np.asarray(index) if values is None else values
    is_increasing = values[1:] > values[:-1]
    is_increasing[panel.starts[1:] - 1] = True
    if is_increasing.all():
        return
    number = int(np.searchsorted(panel.starts, int(is_increasing.argmin()), "right")) - 1
    start = int(panel.starts[number])
    own = index[start : start + int(panel.counts[number])]
    key = panel.keys[number]
    if not own.is_unique:
        label = own[own.duplicated()][0]
        raise ValueError(
            f"The index of {name} holds {str(label)!r} more than once in the series "
            f"{key!r}; a series has one row for each step. Drop or aggregate the repeated "
            "rows, or let groups tell more series apart."
        )
    raise ValueError(
        f"The index of {name} is not increasing within the series {key!r}; the rows of "
        "each series must be in time order. Sort X and y by time (sort_index), and split "
        "them without shuffling (TimeSeriesSplit, GroupKFold). If the rows are in time "
        f"order and only their labels are not, drop the index: {name}.reset_index("
        "drop=True)."
    )


def check_group_names(keys: NDArray, fitted: NDArray) -> None:
    """Check that series are named by the same kind of values as in `fit`."""
    are_text = [names.dtype.kind == "U" for names in (keys, fitted)]
    if are_text[0] != are_text[1]:
        raise ValueError(
            f"X names its series by values such as {keys[0].item()!r}, but the transformer "
            f"was fitted on series such as {fitted[0].item()!r}. Convert the names to one "
            "type."
        )


def check_known_past_of_series(
    n_known: NDArray[np.integer],
    keys: pd.Index,
    *,
    context: str,
    seq_length: int,
    horizon: int,
) -> None:
    """Check that the windows that a forecast asks for are complete, of every series."""
    is_short = n_known < seq_length
    if not is_short.any():
        return
    reach = history_reach(seq_length, horizon)
    row = int(is_short.argmax())
    others = keys[is_short].nunique() - 1
    raise UnknownPastError(
        f"A forecast with seq_length={seq_length} and horizon={horizon} reads the {reach} "
        f"steps before it, of which {int(seq_length - n_known[row])} are not known in the "
        f"series {keys[row]!r}{f', and some in {others} others' if others else ''}: X has "
        "too few rows of it, and they are not the steps that follow the fitted ones."
        f"{NEVER * (context == 'never')} Pass at least the last {reach} rows of each "
        "series, or leave out those that are shorter."
    )


def warn_of_holes_in_series(
    holes: dict[int, Holes],
    panel: Panel,
    n_past: NDArray[np.integer],
    *,
    seq_length: int,
    horizon: int,
    name: str = "X",
) -> None:
    """Warn if the windows of rows reach across missing labels, once for all series."""
    n_crossing = {
        number: found.n_crossing(
            int(panel.counts[number]),
            n_past=int(n_past[number]),
            seq_length=seq_length,
            horizon=horizon,
        )
        for number, found in holes.items()
    }
    numbers = sorted(number for number, n_rows in n_crossing.items() if n_rows)
    if not numbers:
        return
    n_missing = sum(holes[number].n_missing for number in numbers)
    first, key = holes[numbers[0]], panel.keys[numbers[0]]
    found = "follows on fitted rows with labels missing near their end"
    if n_missing:
        labels = "label" if n_missing == 1 else "labels"
        found = f"leaves out {n_missing} {labels}, the first {first.first}"
    warn_caller(
        f"The index of {name} {found}, in {len(numbers)} of {len(panel)} series, the first "
        f"of which is {key!r}: {sum(n_crossing.values())} of {len(panel.series)} windows "
        "reach across a hole, so that steps before it are taken for later ones. Set "
        "missing='cut' to cut windows there, or insert the missing rows and fill them from "
        "earlier ones. If the rows are consecutive steps after all, drop the index: "
        f"{name}.reset_index(drop=True)."
    )


def warn_of_gaps_before_series(
    relations: SeriesRelations, panel: Panel, follows: NDArray[np.bool_]
) -> None:
    """Warn that steps are missing between fitted series and later rows of them.

    Series that follow nevertheless, because windows are cut at the gap, are no warning.
    """
    gaps = [gap for gap in relations.gaps if not follows[gap[0]]]
    if not gaps:
        return
    number, fitted, labels, spacing = gaps[0]
    n_missing = fitted.n_missing(labels, spacing)
    first = labels.text(labels.values[0].item())
    last = fitted.last.text(fitted.last.values[-1].item())
    n_series = len(gaps)
    others = f" So do {n_series - 1} other series." if n_series > 1 else ""
    warn_caller(
        f"The series {panel.keys[number]!r} of X starts at {first}, which is not the step "
        f"after its last fitted one, {last}: steps are missing in between"
        f"{f' ({n_missing})' if n_missing else ''}.{others} Their first rows are given no "
        "past. Pass the missing rows too, or set context='never' to do without it."
    )


def warn_of_other_kind_of_labels(labels: Labels, fitted: Labels) -> None:
    """Warn that labels of series cannot be compared with the fitted ones."""
    warn_caller(
        f"X is labelled by {labels.kind}, but the fitted rows by {fitted.kind}. The index "
        "is not used to decide which rows continue a fitted series: they are taken to "
        "continue it, unless they are its fitted rows again. Convert one of the two "
        "indexes to the kind of the other."
    )
