"""Row labels: whether the rows of one table are the steps after those of another.

Labels are pandas' time-like and integer ones; what a table's rows hold is never looked
at here. What is kept of an index is a dict of arrays and plain values, so that a fitted
transformer can be saved in any format.
"""

from typing import Any, Literal

import numpy as np
import pandas as pd
from pandas.tseries.frequencies import to_offset

# Labels kept on either side of the joint, enough to see weekends, holidays and months:
# five months of trading days.
N_LABELS = 100

Relation = Literal["follows", "overlaps", "gap"]


def table_index(X: Any) -> pd.Index | None:
    """The row labels of a pandas object, None for anything else."""
    return X.index if isinstance(X, (pd.DataFrame, pd.Series)) else None


def is_ordered_kind(index: pd.Index) -> bool:
    """Whether the labels are of a kind that has an order in time: times or numbers."""
    return isinstance(index, (pd.DatetimeIndex, pd.PeriodIndex, pd.TimedeltaIndex)) or bool(
        pd.api.types.is_numeric_dtype(index.dtype)
    )


def last_labels(index: pd.Index | None) -> dict[str, Any] | None:
    """What to keep of the fitted index; None where it can not tell what follows it."""
    return None if index is None else _labels(index, index[-N_LABELS:])


def first_labels(index: pd.Index | None) -> dict[str, Any] | None:
    """The same of the rows that may follow."""
    return None if index is None else _labels(index, index[:N_LABELS])


def _labels(index: pd.Index, kept: pd.Index) -> dict[str, Any] | None:
    """`kept` as sortable `values`, the local `clock` of times, and the known `freq`."""
    freq = getattr(index, "freq", None)
    # The name of a custom offset does not say which days are holidays.
    freq = None if freq is None or freq.freqstr.startswith("C") else freq.freqstr
    if isinstance(kept, pd.DatetimeIndex):
        kind = "datetime" if kept.tz is None else "datetime with time zone"
        clock = kept.tz_localize(None).to_numpy()
        values = kept.tz_convert(None).to_numpy() if kept.tz is not None else clock
        return {"kind": kind, "values": values, "clock": clock, "freq": freq}
    if isinstance(kept, pd.PeriodIndex):
        return {"kind": f"period[{freq}]", "values": kept.asi8, "freq": freq}
    if isinstance(kept, pd.TimedeltaIndex):
        return {"kind": "timedelta", "values": kept.to_numpy(), "freq": freq}
    if pd.api.types.is_integer_dtype(kept.dtype):
        step = str(index.step) if isinstance(index, pd.RangeIndex) else None
        values = kept.to_numpy(dtype=np.int64)
        return {"kind": "integer", "values": values, "freq": step}
    return None


def relation(fitted: dict[str, Any], later: dict[str, Any]) -> Relation:
    """How rows labelled `later` stand to fitted ones with labels of the same kind.

    "follows": the first label is the step after the last fitted one. "overlaps": it lies
    inside the fitted span or before it. "gap": steps are missing in between.

    The step is the one that either side is evenly spaced by. Labels that are not evenly
    spaced, as those of trading days, can not show whether steps are missing; there, a jump
    no longer than the others follows.
    """
    last, first = fitted["values"][-1], later["values"][0]
    if first <= last:
        return "overlaps"
    sides = [step for labels in (fitted, later) if (step := _step(labels)) is not None]
    if sides:
        follows = any(_is_next(fitted, later, step) for step in sides)
    else:
        both = _joined(fitted, later)
        follows = _step(both) is not None or first - last <= _longest_step(fitted, later)
    return "follows" if follows else "gap"


def _step(labels: dict[str, Any]) -> pd.offsets.BaseOffset | Any | None:
    """The even step between labels: an offset of the calendar, else a difference."""
    freq, values = labels["freq"], labels["values"]
    if labels["kind"] == "integer" and freq is not None:
        return int(freq)
    if "clock" in labels:
        # Days, weeks and months are even by the local clock, hours by absolute time.
        if freq is None and len(values) >= 3:  # pandas infers nothing from fewer
            freq = pd.infer_freq(pd.DatetimeIndex(labels["clock"]))
        if freq is not None and not _is_absolute(to_offset(freq)):
            return to_offset(freq)
        if freq is None and len(values) < 3:
            return None
    steps = np.diff(values)
    return steps[0] if len(steps) and (steps == steps[0]).all() else None


def _is_absolute(offset: pd.offsets.BaseOffset) -> bool:
    """Whether the offset is a fixed length of time; a day is not, where clocks change."""
    return isinstance(offset, pd.offsets.Tick) and not isinstance(offset, pd.offsets.Day)


def _is_next(fitted: dict[str, Any], later: dict[str, Any], step: Any) -> bool:
    if not isinstance(step, pd.offsets.BaseOffset):
        return bool(fitted["values"][-1] + step == later["values"][0])
    clock = "values" if _is_absolute(step) else "clock"
    last, first = pd.Timestamp(fitted[clock][-1]), pd.Timestamp(later[clock][0])
    return last + step == first


def _joined(fitted: dict[str, Any], later: dict[str, Any]) -> dict[str, Any]:
    arrays: dict[str, Any] = {
        key: np.concatenate([fitted[key], later[key]])
        for key in ("values", "clock")
        if key in fitted
    }
    return {"kind": fitted["kind"], "freq": None, **arrays}


def _longest_step(fitted: dict[str, Any], later: dict[str, Any]) -> Any:
    steps = np.concatenate([np.diff(fitted["values"]), np.diff(later["values"])])
    if len(steps):
        return steps.max()
    # One row on either side: numbers and periods count by one, times show no step.
    first, last = later["values"][0], fitted["values"][-1]
    return first - last if fitted["kind"][:4] in ("date", "time") else 1
