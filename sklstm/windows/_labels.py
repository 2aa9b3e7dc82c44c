"""Row labels: whether the rows of one table are the steps after those of another.

Labels are pandas' time-like and integer ones; what a table's rows hold is never looked
at here. What is kept of an index is a dict of arrays and plain values, so that a fitted
transformer can be saved in any format:

    kind    what the labels are; those of two kinds are not compared
    values  the labels as numbers or times, absolute where there is a time zone
    clock   for times, the same by the local clock, and `zone`, its name
    beyond  the label on the far side of the joint, where the index knows its step, and
            `on`, which of `values` and `clock` it is told in
    told    the label at the joint, for messages
"""

from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api.types import is_bool_dtype, is_integer_dtype, is_numeric_dtype

# Labels kept on either side of the joint, enough to see weekends, holidays and months:
# five months of trading days.
N_LABELS = 100

Labels = dict[str, Any]
Relation = Literal["follows", "overlaps", "gap"]


def table_index(X: Any) -> pd.Index | None:
    """The row labels of a pandas object, None for anything else."""
    return X.index if isinstance(X, (pd.DataFrame, pd.Series)) else None


def is_ordered_kind(index: pd.Index) -> bool:
    """Whether the labels are of a kind that has an order in time: times or numbers."""
    if isinstance(index, (pd.DatetimeIndex, pd.PeriodIndex, pd.TimedeltaIndex)):
        return True
    return is_numeric_dtype(index.dtype) and not is_bool_dtype(index.dtype)


def last_labels(index: pd.Index | None) -> Labels | None:
    """What to keep of the fitted index; None where it can not tell what follows it."""
    return None if index is None else _labels(index, index[-N_LABELS:], joint=-1)


def first_labels(index: pd.Index | None) -> Labels | None:
    """The same of the rows that may follow."""
    return None if index is None else _labels(index, index[:N_LABELS], joint=0)


def _labels(index: pd.Index, kept: pd.Index, *, joint: Literal[0, -1]) -> Labels | None:
    labels: Labels = {"told": str(kept[joint]), "on": "values", "beyond": None}
    if isinstance(kept, pd.DatetimeIndex):
        labels |= _times(kept)
    elif isinstance(kept, pd.PeriodIndex):
        labels |= {"kind": f"period[{kept.freqstr}]", "values": kept.asi8}
    elif isinstance(kept, pd.TimedeltaIndex):
        labels |= {"kind": "timedelta", "values": kept.to_numpy()}
    elif is_integer_dtype(kept.dtype):
        dtype = "uint64" if kept.dtype == "uint64" else "int64"
        labels |= {"kind": "integer", "values": kept.to_numpy(dtype=dtype)}
    else:
        return None
    step = _known_step(index)
    if step is not None:
        labels |= _beyond(labels, kept, step if joint == -1 else -step, joint=joint)
    return labels


def _times(kept: pd.DatetimeIndex) -> Labels:
    clock = kept.tz_localize(None).to_numpy()
    if kept.tz is None:
        return {"kind": "datetime", "values": clock, "clock": clock, "zone": None}
    values = kept.tz_convert(None).to_numpy()
    zone = str(kept.tz)
    return {"kind": "datetime with zone", "values": values, "clock": clock, "zone": zone}


def _known_step(index: pd.Index) -> Any:
    """The step that an index carries with it, whatever its labels are."""
    if isinstance(index, pd.RangeIndex):
        return index.step
    # The freq of periods is their length; only a single one is taken to step by it.
    if isinstance(index, pd.PeriodIndex):
        return index[0].freq.n if len(index) == 1 else None
    return getattr(index, "freq", None)


def _beyond(labels: Labels, kept: pd.Index, step: Any, *, joint: int) -> Labels:
    if labels["kind"] in ("integer", "timedelta") or labels["kind"].startswith("period"):
        step = step if isinstance(step, int) else pd.Timedelta(step).to_timedelta64()
        return {"beyond": labels["values"][joint] + step}
    # Days, weeks and months are even by the local clock, hours by absolute time.
    absolute = isinstance(step, pd.offsets.Tick) and not isinstance(step, pd.offsets.Day)
    on = "values" if absolute else "clock"
    return {"beyond": (pd.Timestamp(labels[on][joint]) + step).to_numpy(), "on": on}


def relation(fitted: Labels, later: Labels) -> Relation:
    """How rows labelled `later` stand to fitted ones with labels of the same kind.

    "follows": the first label is the step after the last fitted one. "overlaps": it lies
    inside the fitted span or before it. "gap": steps are missing in between.

    The step is the one that an index carries with it, or else that its labels are evenly
    spaced by. Labels that are not evenly spaced, as those of trading days, can not show
    whether steps are missing; there, a jump no longer than the others follows.
    """
    later = _on_the_clock_of(fitted, later)
    if _scalar(later["values"][0]) <= _scalar(fitted["values"][-1]):
        return "overlaps"
    if fitted["beyond"] is not None:
        follows = _scalar(fitted["beyond"]) == _scalar(later[fitted["on"]][0])
    elif later["beyond"] is not None:
        follows = _scalar(later["beyond"]) == _scalar(fitted[later["on"]][-1])
    else:
        follows = _follows_evenly(fitted, later)
    return "follows" if follows else "gap"


def _on_the_clock_of(fitted: Labels, later: Labels) -> Labels:
    if fitted.get("zone") == later.get("zone"):
        return later
    times = pd.DatetimeIndex(later["values"], tz="UTC").tz_convert(fitted["zone"])
    return {**later, "clock": times.tz_localize(None).to_numpy(), "beyond": None}


def _scalar(value: Any) -> Any:
    """One that compares across units and signs, where NumPy's would overflow."""
    if isinstance(value, np.datetime64):
        return pd.Timestamp(value)
    return pd.Timedelta(value) if isinstance(value, np.timedelta64) else int(value)


def _follows_evenly(fitted: Labels, later: Labels) -> bool:
    """Whether the jump between two tables is one of the steps inside them."""
    sides, joint = (fitted, later), _joined(fitted, later, n_each=1)
    if len(fitted["values"]) == len(later["values"]) == 1:
        # Times show no step by themselves; numbers and periods count by one.
        return "clock" in joint or joint["kind"] == "timedelta" or _steps(joint)[0] == 1
    if "clock" in joint:
        weekdays = [
            steps
            for labels in (*sides, joint)
            if (steps := _steps_in_weekdays(labels)) is not None
        ]
        if len(weekdays) == 3:
            *seen, jump = np.concatenate(weekdays)
            if len(seen) > 2 and 1 in seen:
                return bool(jump <= max(seen))
        if _calendar_step(_joined(fitted, later)) is not None:
            return True
        months = [step for side in sides if (step := _calendar_step(side)) is not None]
        if months:
            last, first = (pd.Timestamp(label) for label in joint["clock"])
            return any(last + step == first for step in months)
    on = _evenly_on(_joined(fitted, later))
    jump = _steps(joint, on)[0]
    for side in sides:
        steps = _steps(side, on)
        # Two times alone may be a month and a day; a third one on either side would tell.
        enough = (
            len(steps) > 1 or "clock" not in joint or len(_joined(*sides)["values"]) == 3
        )
        even = len(steps) > 0 and enough and (steps == steps[0]).all()
        if even and jump % steps[0] == 0 * jump:
            return bool(jump == steps[0])
    return bool(jump <= np.concatenate([_steps(side, on) for side in sides]).max())


def _joined(fitted: Labels, later: Labels, n_each: int = N_LABELS) -> Labels:
    both: Labels = {
        key: np.concatenate([fitted[key][-n_each:], later[key][:n_each]])
        for key in ("values", "clock")
        if key in fitted
    }
    return {"kind": fitted["kind"], **both}


def _steps(labels: Labels, on: str = "values") -> NDArray:
    return np.diff(labels[on])


def _steps_in_weekdays(labels: Labels) -> NDArray | None:
    """The steps of trading days and the like; None for labels on weekends or by hours."""
    days = labels["clock"].astype("datetime64[D]")
    hours = labels["clock"] - days
    if not np.is_busday(days).all() or (hours != hours[0]).any():
        return None
    return np.busday_count(days[:-1], days[1:])


def _calendar_step(labels: Labels) -> pd.offsets.BaseOffset | None:
    """The step in weeks, months or the like; None for lengths of time and uneven labels."""
    if len(labels["clock"]) < 3:  # pandas infers nothing from fewer
        return None
    step = pd.DatetimeIndex(labels["clock"], freq="infer").freq
    # Trading hours are inferred from any hours of one day.
    lengths = (pd.offsets.Tick, pd.offsets.Day, pd.offsets.BusinessHour)
    return None if isinstance(step, lengths) else step


def _evenly_on(labels: Labels) -> str:
    """Steps of whole days are even by the local clock, others in absolute time."""
    if "clock" not in labels:
        return "values"
    steps, none = _steps(labels, "clock"), np.timedelta64(0, "D")
    days = (steps > none) & (steps % np.timedelta64(1, "D") == none)
    return "clock" if days.all() else "values"
