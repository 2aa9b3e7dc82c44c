"""Labels of the rows ahead: the dates that follow, or those of `X_future`, checked."""

import pandas as pd

from sklstm.windows._checks import check_labels
from sklstm.windows._holes import (
    NO_HOLES,
    FittedLabels,
    Holes,
    holes_in,
    later_holes,
    spacing_of_both,
)
from sklstm.windows._labels import Labels, comparable_labels, inferred_index
from sklstm.windows._next_labels import N_LABELS, index_of, next_index
from sklstm.windows._spacing import Spacing, common_spacing, concatenate_labels


def known_labels(
    table: pd.DataFrame,
    earlier: FittedLabels | None,
    *,
    reach: int,
    may_miss: bool = False,
) -> FittedLabels | None:
    """Return what the labels of the known rows say.

    It is an error where recent rows are missing, unless they `may_miss`.

    Those of a few rows that follow the fitted ones, `earlier`, are joined to these, which
    show months, weekends and holidays. None where labels have no order in time.
    """
    labels = check_labels(table, warn=False)
    if labels is None:
        return None
    if labels.carried_step:  # has no holes, and judging them takes time
        return FittedLabels.of(labels, None, NO_HOLES, reach=reach)
    spacing = spacing_of_both(earlier, labels)
    holes = later_holes(earlier, labels, spacing)
    if not may_miss:
        _check_no_recent_holes(holes, labels, reach=reach)
    if len(labels) < N_LABELS and earlier is not None and earlier.is_comparable(labels):
        compared = comparable_labels(labels, earlier.last)
        if compared and earlier.relation(labels, spacing) == "follows":
            labels = concatenate_labels([earlier.last, compared])
    return FittedLabels.of(labels, spacing, holes, reach=reach)


def _check_no_recent_holes(holes: Holes, labels: Labels, *, reach: int) -> None:
    recent = holes.rows[holes.rows > len(labels) - reach]
    if not len(recent):
        return
    before = labels.text(labels.values[recent[0] - 1].item())
    raise ValueError(
        f"Recent rows are missing: the index of X leaves out labels after {before}, among "
        f"the last {reach} steps, which the forecast reads. Insert the missing rows and "
        "fill them from earlier ones (for hours, X.asfreq('h').ffill()), or fit the model "
        "with WindowTransformer(missing='cut') to forecast from what is known. If the rows "
        "are consecutive steps after all, drop the index: X.reset_index(drop=True)."
    )


def labels_ahead(
    index: pd.Index,
    known: FittedLabels | None,
    *,
    steps: int,
    future: pd.DataFrame | None = None,
) -> pd.Index:
    """Return the labels of the `steps` rows after `index`; those of `future` come first.

    `known` is what the labels say, maybe with earlier ones.
    """
    given = None if future is None else _given_labels(future.iloc[:steps], known)
    if given is None:
        return _following_labels(index, steps, known)
    if len(given) == steps:
        return given
    before = inferred_index(index)
    if known is None or type(before) is not type(inferred_index(given)):
        before = given[:0]
    both = before[-N_LABELS:].append(inferred_index(given))
    return given.append(_following_labels(both, steps - len(given), None))


def _given_labels(future: pd.DataFrame, known: FittedLabels | None) -> pd.Index | None:
    """Return the labels of `X_future`, one step after X; None if it has none."""
    labels = check_labels(future, name="X_future", warn=False)
    if labels is not None and labels.is_default and (known is None or not _counts(known)):
        return None
    if labels is None or known is None:
        return future.index
    if labels.kind != known.last.kind:
        if known.is_default:
            return future.index
        raise ValueError(
            f"X_future is labelled by {labels.kind}, X by {known.last.kind}. Give both the "
            "same kind of index, or pass X_future without one, as an array."
        )
    _check_starts_after(labels, known)
    return future.index


def _counts(known: FittedLabels) -> bool:
    """Whether labels are whole numbers that an index from 0 could continue."""
    return known.last.kind == "numbers" and int(known.last.values[-1]) == -1


def _check_starts_after(labels: Labels, known: FittedLabels) -> None:
    spacing = _spacing_of_both(known, labels)
    relation = known.relation(labels, spacing)
    last = known.last.text(known.last.values[-1].item())
    first = labels.text(labels.values[0].item())
    if relation != "follows":
        come = "overlaps with X" if relation == "overlaps" else "leaves steps out"
        raise ValueError(
            f"X_future has to start one step after X, whose last label is {last}, but its "
            f"first label is {first}: it {come}. Pass X up to the step before X_future."
        )
    holes = holes_in(labels, spacing)
    if holes.rows.size:
        raise ValueError(
            f"X_future starts at {first} and leaves out {holes.first}. Pass every step "
            "ahead, one row each."
        )


def _spacing_of_both(known: FittedLabels, labels: Labels) -> Spacing | None:
    """Return the spacing of known labels and later ones, also with a frequency."""
    spacing = known.spacing_with(labels)
    compared = comparable_labels(labels, known.last)
    if spacing is None and compared and known.relation(labels, None) != "overlaps":
        return common_spacing(concatenate_labels([known.last, compared]))
    return spacing


def _following_labels(index: pd.Index, n: int, known: FittedLabels | None) -> pd.Index:
    spacing = None if known is None else known.spacing
    has_freq = getattr(index, "freq", None) is not None or isinstance(index, pd.MultiIndex)
    if known is not None and not has_freq and known.n_labels > len(index):
        joined = index_of(known.last)
        index = index if joined is None else joined.rename(index.name)
    following = next_index(index, n, spacing=spacing) if len(index) else None
    if following is None:
        raise ValueError(
            "The labels that follow those of X are not known, since its index has no "
            "frequency and no even spacing that shows in the rows passed. Pass more rows; "
            "or the labels as X_future=pd.DataFrame(index=...), with the other columns if "
            "there are any; or drop the index: X.reset_index(drop=True)."
            f"{_about_text(index)}"
        )
    return following


def _about_text(index: pd.Index) -> str:
    """Return what to do about dates that are text."""
    is_text = len(index) and index.nlevels == 1 and isinstance(index[-1], str)
    if not is_text:
        return ""
    return f" If labels such as {index[-1]!r} are dates, convert them: pd.to_datetime."
