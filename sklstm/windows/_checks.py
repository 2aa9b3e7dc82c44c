"""Checks of row labels and of windows' lengths, and the warnings about them.

Each check returns what it has checked, or raises an error that says what to change.
"""

from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sklstm.windows._holes import FittedLabels, Holes
from sklstm.windows._labels import (
    Labels,
    are_numbered_names,
    inferred_index,
    is_ordered_kind,
    read_labels,
    table_index,
)
from sklstm.windows._requests import UnknownPastError
from sklstm.windows._spacing import Spacing
from sklstm.windows._views import history_reach
from sklstm.windows._warnings import warn_caller

Parameter = str | int | None

# Most unknown values that are stored before a short series: 128 MiB of float64.
MOST_UNKNOWN = 2**24


def check_labels(
    X: object, *, name: str = "X", like: FittedLabels | None = None, warn: bool = True
) -> Labels | None:
    """Return the row labels of a pandas object, or None if it has none that can be used.

    Warn of labels that have no order in time: they are not used. With `like`, the outer
    levels of a MultiIndex must be those of the fitted series.
    """
    index = table_index(X)
    if index is None:
        return None
    index, series = _one_series(index, name)
    index = inferred_index(index)
    labels = None
    if is_ordered_kind(index):
        _check_time_order(index, name)
        labels = read_labels(index)
    if labels is None and warn and not are_numbered_names(index):
        warn_caller(
            f"The index of {name} holds labels such as {index[0]!r}, which are neither "
            "times nor numbers. It is not used: rows are taken to be consecutive steps in "
            "time order. Convert the index, for example by pandas.to_datetime, or drop it "
            f"by {name}.reset_index(drop=True)."
        )
    if labels is None:
        return None
    expected = None if like is None else like.last.series
    if None not in (expected, series) and expected != series:
        raise ValueError(
            f"{name} holds the series {series!r}, but the transformer was fitted on "
            f"{expected!r}. Name the level that tells series apart by groups, or fit a "
            "transformer for each series."
        )
    return replace(labels, series=series)


def _one_series(index: pd.Index, name: str) -> tuple[pd.Index, str | None]:
    """Return the innermost level of an index, and the label of its outer levels, if any."""
    if not isinstance(index, pd.MultiIndex):
        return index, None
    if index.nlevels == 1:
        return index.get_level_values(0), None
    differs = np.any([codes != codes[0] for codes in index.codes[:-1]], axis=0)
    outer = [
        label.item() if isinstance(label, np.generic) else label for label in index[0][:-1]
    ]
    if differs.any():
        values = [", ".join(map(str, row[:-1])) for row in (index[0], index[differs][0])]
        raise ValueError(
            f"The index of {name} has several values in an outer level, such as "
            f"{values[0]!r} and {values[1]!r}, as a table of several series has. Windows "
            "would reach from one series into another. Name the level that tells series "
            f"apart: groups={_level_of_series(index)}. If the levels label one series "
            "together, as year and month do, make a single level of times or periods."
        )
    return index.get_level_values(-1), ", ".join(map(str, outer))


def _level_of_series(index: pd.MultiIndex) -> str:
    """Return the name of the level that seems to name series: the first without times."""
    names = list(index.names)
    are_times = [is_ordered_kind(inferred_index(level)) for level in index.levels]
    name = names[0] if all(are_times) else names[are_times.index(False)]
    return repr(name) if isinstance(name, str) else "its name, set by rename_axis"


def _check_time_order(index: pd.Index, name: str) -> None:
    if index.hasnans:
        raise ValueError(
            f"The index of {name} holds a missing label in row "
            f"{int(index.isna().argmax())}; every step needs a label. Fill it in, or drop "
            "the row."
        )
    if not index.is_unique:
        label = index[index.duplicated()][0]
        raise ValueError(
            f"The index of {name} holds {str(label)!r} more than once; a series has one "
            "row for each step. Drop or aggregate the repeated rows."
        )
    if not index.is_monotonic_increasing:
        raise ValueError(
            f"The index of {name} is not increasing; rows must be in time order. Sort X "
            "and y by time (sort_index), and split them without shuffling "
            "(TimeSeriesSplit, or train_test_split with shuffle=False). If the rows are in "
            "time order and only their labels are not, drop the index: "
            f"{name}.reset_index(drop=True)."
        )


def check_parameter_of_fit(name: str, value: Parameter, fitted: Parameter) -> None:
    """Check that a parameter has the value that it had in `fit`."""
    if value != fitted:
        raise ValueError(
            f"{name}={value!r}, but the transformer was fitted with {name}={fitted!r}, and "
            "the steps after it were fitted on those windows. Call fit again, or set "
            f"{name} back to {fitted!r}."
        )


def warn_of_other_kind(labels: Labels, fitted: FittedLabels) -> None:
    """Warn that labels cannot be compared with the fitted ones."""
    if labels.is_default or fitted.is_default:  # a default index counts as no index
        return
    warn_caller(
        f"X is labelled by {labels.kind}, but the fitted rows by {fitted.last.kind}. The "
        "index is not used to decide whether X continues the fitted series: its rows are "
        "taken to continue it, unless they are the fitted rows again. Convert one of the "
        "two indexes to the kind of the other."
    )


def warn_of_gap(labels: Labels, fitted: FittedLabels, spacing: Spacing | None) -> None:
    """Warn that steps are missing between the fitted rows and later ones."""
    n_missing = fitted.n_missing(labels, spacing)
    first = labels.text(labels.values[0].item())
    last = fitted.last.text(fitted.last.values[-1].item())
    warn_caller(
        f"X starts at {first}, which is not the step after the last fitted one, {last}: "
        f"steps are missing in between{f' ({n_missing})' if n_missing else ''}. The first "
        "rows are given no past. Pass the missing rows too, or set context='never' to do "
        "without it."
    )


def warn_of_holes(
    holes: Holes,
    *,
    n_rows: int,
    n_past: int = 0,
    seq_length: int,
    horizon: int,
    name: str = "X",
) -> None:
    """Warn if the windows of rows reach across missing labels."""
    n_crossing = holes.n_crossing(
        n_rows, n_past=n_past, seq_length=seq_length, horizon=horizon
    )
    if not n_crossing:
        return
    labels = "label" if holes.n_missing == 1 else "labels"
    found = f"leaves out {holes.n_missing} {labels}, the first {holes.first}"
    if not holes.n_missing:
        found = "follows on fitted rows with labels missing near their end"
    warn_caller(
        f"The index of {name} {found}: {n_crossing} of {n_rows} windows reach across a "
        "hole, so that steps before it are taken for later ones. Insert the missing rows "
        "and fill them from earlier ones (for hours, X.asfreq('h').ffill()). If the rows "
        f"are consecutive steps after all, drop the index: {name}.reset_index(drop=True)."
    )


def check_context(*rows: NDArray) -> None:
    """Check that the remembered rows of a series are finite and have the same width."""
    shapes = [np.shape(array) for array in rows]
    if {len(shape) for shape in shapes} != {2} or len({shape[1] for shape in shapes}) > 1:
        raise ValueError(f"the rows of its series are of the shapes {shapes}")
    if not all(np.isfinite(array).all() for array in rows):
        raise ValueError("the rows of its series are not finite")


def check_same_order(
    X: object, labelled: object, *, name: str = "y", like: str = "X"
) -> None:
    """Check that a pandas object does not have the labels of X in another order.

    Different labels are no error: a target may be labelled by the step at which it becomes
    known. `name` and `like` are the names of the two arguments.
    """
    index, labels = table_index(X), table_index(labelled)
    if index is None or labels is None or len(index) != len(labels):
        return
    if index.equals(labels) or index.nlevels != labels.nlevels:
        return
    if index.is_unique and labels.is_unique and labels.isin(index).all():
        raise ValueError(
            f"{name} has the same labels as {like}, in another order: rows are matched by "
            f"position. Pass {name}.loc[{like}.index], or {name}.to_numpy() if the "
            "positions are right."
        )


def check_row_labels(
    X: object, y: object, *, n_rows: int
) -> tuple[Labels | None, Labels | None]:
    """Return the labels of `X`, and those of `y` if `X` has none that can be used.

    If an earlier step of a Pipeline has dropped the index of `X`, the index of `y` still
    shows whether the rows are in time order and which are missing.
    """
    labels = check_labels(X)
    check_same_order(X, y)
    if labels is not None and not labels.is_default:
        return labels, None
    index = table_index(y)
    if index is None or len(index) != n_rows:
        return labels, None
    target_labels = check_labels(y, name="y", warn=False)
    is_usable = target_labels is not None and not target_labels.is_default
    return labels, target_labels if is_usable else None


def check_window_lengths(seq_length: int, horizon: int, *, series: NDArray) -> None:
    """Check that the unknown steps before a series fit into memory."""
    n_unknown = (seq_length + horizon - 1) * series.shape[1]
    if n_unknown > max(MOST_UNKNOWN, series.size):
        raise ValueError(
            f"seq_length={seq_length} with horizon={horizon} reaches back "
            f"{seq_length + horizon - 1} steps, and X has {len(series)} rows. Lower "
            "seq_length or horizon."
        )


def check_known_past(
    n_needed: int, *, n_known: int, context: str, seq_length: int, horizon: int
) -> None:
    """Check that the steps before the first row that a forecast reads are known."""
    if n_known >= n_needed:
        return
    reach = history_reach(seq_length, horizon)
    never = " context='never' keeps the fitted rows from being their past." * (
        context == "never"
    )
    raise UnknownPastError(
        f"A forecast with seq_length={seq_length} and horizon={horizon} reads the {reach} "
        f"steps before it, of which the first {n_needed} are not known: X has too few "
        f"rows, and they are not the steps that follow the fitted ones.{never} Pass at "
        f"least the last {reach} rows, without leaving any out."
    )


def check_enough_rows(n_samples: int, *, seq_length: int, horizon: int) -> None:
    """Check that `n_samples` rows are enough for one complete window and its target."""
    if n_samples < seq_length + horizon:
        raise ValueError(
            f"seq_length={seq_length} with horizon={horizon} needs at least "
            f"{seq_length + horizon} rows to make one complete window, got {n_samples}. "
            "Lower seq_length or pass more rows."
        )
