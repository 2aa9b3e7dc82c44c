"""Row labels of a table, read into numbers on one axis.

Only the index is read here, never the values of a table. `_spacing` determines the distance
between labels, and `_holes` what it means for windows.
"""

import re
from dataclasses import dataclass, replace
from typing import Literal, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api.types import (
    infer_dtype,
    is_bool_dtype,
    is_complex_dtype,
    is_float_dtype,
    is_numeric_dtype,
    is_unsigned_integer_dtype,
)

from sklstm._types import Step

# Times count one of these units since 1970. Microseconds are for dates before 1677 or after
# 2262, which nanoseconds cannot count in 64 bits.
UNITS = {"ns": 10**9, "us": 10**6}
Unit = Literal["ns", "us"]
SECONDS_OF_A_DAY = 86_400

TIMES = "times without a time zone"
ZONED_TIMES = "times with a time zone"
DURATIONS = "durations"
NUMBERS = "numbers"

Number = int | float


def table_index(X: object) -> pd.Index | None:
    """Return the row labels of a pandas object; None for anything else."""
    return X.index if isinstance(X, (pd.DataFrame, pd.Series)) else None


@dataclass(frozen=True)
class Labels:
    """Labels of a table's rows as increasing numbers.

    Attributes
    ----------
    kind : str
        Kind of the labels, in words for messages. Labels of two kinds are not compared.

    values : ndarray of shape (n_rows,)
        Numbers, ordinals of periods, or times and durations in `unit`.

    clock : ndarray of shape (n_rows,), or None
        Local time of each label, by the clock of `zone`; None for labels without a time of
        day.

    unit : {"ns", "us"}
        Unit of times and durations.

    zone : str or None
        Time zone.

    freq : str or None
        Frequency of periods.

    single_step : int or None
        Step that a single label implies, as one period does.

    carried_step : str or None
        Step that the index itself stores, as text.

    next_label, previous_label : int, float or None
        Labels after the last and before the first one, if the index stores its step.

    next_on_clock : bool
        Whether these two are local times.

    series : str or None
        Name of the series, from the outer levels of the index.
    """

    kind: str
    values: NDArray
    clock: NDArray[np.int64] | None = None
    unit: Unit = "ns"
    zone: str | None = None
    freq: str | None = None
    single_step: int | None = None
    carried_step: str | None = None
    next_label: Number | None = None
    previous_label: Number | None = None
    next_on_clock: bool = False
    series: str | None = None

    def __len__(self) -> int:
        return len(self.values)

    @property
    def day(self) -> int:
        """Length of a day in the unit of the values."""
        return SECONDS_OF_A_DAY * UNITS[self.unit]

    @property
    def begins_at_zero(self) -> bool:
        """True if the first label is the integer 0."""
        return (
            self.kind == NUMBERS and self.values.dtype.kind in "iu" and not self.values[0]
        )

    @property
    def is_default(self) -> bool:
        """True if the labels only number the rows from 0, as pandas does by default."""
        return self.begins_at_zero and int(self.values[-1]) == len(self) - 1

    def __getitem__(self, rows: slice) -> Self:
        """Return the labels of some rows, which no longer know the next label."""
        return replace(
            self,
            values=self.values[rows],
            clock=None if self.clock is None else self.clock[rows],
            next_label=None,
            previous_label=None,
        )

    def text(self, value: Number, *, clock: bool = False) -> str:
        """Return a label as pandas prints it; `value` is local time with `clock`."""
        if self.kind == NUMBERS:
            return str(value)
        if self.freq is not None:
            return str(self._period(int(value)))
        if self.kind == DURATIONS:
            return str(pd.Timedelta(int(value), unit=self.unit))
        time = pd.Timestamp(int(value), unit=self.unit)
        if self.zone is not None and not clock:
            time = time.tz_localize("UTC").tz_convert(self.zone)
        return str(time).removesuffix(" 00:00:00")

    def _period(self, value: int) -> pd.Period:
        if self.clock is None:
            return pd.Period(ordinal=value, freq=self.freq)
        return pd.Period(pd.Timestamp(value, unit=self.unit), freq=self.freq)


def read_labels(index: pd.Index) -> Labels | None:
    """Read the labels of an index in time order; None if they have no order."""
    if isinstance(index, pd.DatetimeIndex):
        return _with_carried_step(_read_times(index), index)
    if isinstance(index, pd.PeriodIndex):
        return _read_periods(index)
    if isinstance(index, pd.TimedeltaIndex):
        unit = _unit_for(index)
        values = index.as_unit(unit).asi8
        return _with_carried_step(Labels(DURATIONS, values, unit=unit), index)
    if is_ordered_kind(index):
        return _read_numbers(index)
    return None


def is_ordered_kind(index: pd.Index) -> bool:
    """Return whether labels are of a kind that has an order in time: times or numbers."""
    if isinstance(index, (pd.DatetimeIndex, pd.PeriodIndex, pd.TimedeltaIndex)):
        return True
    dtype = index.dtype
    return is_numeric_dtype(dtype) and not (is_bool_dtype(dtype) or is_complex_dtype(dtype))


def inferred_index(index: pd.Index) -> pd.Index:
    """Return the labels in the type that pandas has for them, such as DatetimeIndex.

    Those of several levels stay as they are.
    """
    if isinstance(index, pd.MultiIndex):
        return index
    if isinstance(index.dtype, pd.CategoricalDtype):
        index = index.astype(index.dtype.categories.dtype)
    if index.dtype == object:
        index = index.infer_objects()
    if is_ordered_kind(index):
        return index
    kind = infer_dtype(index, skipna=True)
    if kind in ("datetime", "datetime64", "date"):
        return _times_of_objects(index)
    if kind in ("timedelta", "timedelta64"):
        return pd.TimedeltaIndex(index)
    if kind in ("decimal", "mixed-integer-float"):
        return pd.Index(pd.to_numeric(index.to_numpy(dtype=object)), dtype="float64")
    return index


def _times_of_objects(index: pd.Index) -> pd.Index:
    try:
        return pd.DatetimeIndex(index)
    except (ValueError, TypeError):
        # One time zone with two offsets, of summer and winter; or some times have no zone.
        aware = [getattr(time, "tzinfo", None) is not None for time in index]
        return pd.to_datetime(index, utc=True) if all(aware) else index


def _unit_for(index: pd.DatetimeIndex | pd.TimedeltaIndex) -> Unit:
    """Return "ns", or "us" if nanoseconds would not fit into 64 bits."""
    if index.unit == "ns":
        return "ns"
    longest = float(np.abs(index.asi8.astype(np.float64)).max())
    per_second = {"s": 1, "ms": 10**3, "us": 10**6}[index.unit]
    return "ns" if longest / per_second < 9e9 else "us"


def _read_times(index: pd.DatetimeIndex) -> Labels:
    unit = _unit_for(index)
    index = index.as_unit(unit)
    clock = index.tz_localize(None).asi8
    if index.tz is None:
        return Labels(TIMES, clock, clock, unit)
    return Labels(ZONED_TIMES, index.asi8, clock, unit, zone=str(index.tz))


def _read_periods(index: pd.PeriodIndex) -> Labels:
    freq: Step = index.freq
    name = str(index.dtype).removeprefix("period[").removesuffix("]")
    kind = f"periods ({name})"
    is_business_day = isinstance(freq, pd.offsets.BusinessDay)
    # Days and shorter periods have a time of day and weekends; longer ones are counted.
    if not isinstance(freq, (pd.offsets.Tick, pd.offsets.Day)) and not is_business_day:
        return Labels(kind, index.asi8, freq=name, single_step=freq.n)
    times = _read_times(_start_times(index))
    single_step = None
    if not is_business_day:
        first_two = _read_times(_start_times(pd.PeriodIndex([index[0], index[0] + 1])))
        single_step = int(np.diff(first_two.values)[0])
    return replace(times, kind=kind, freq=name, single_step=single_step)


def _start_times(periods: pd.PeriodIndex) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(periods.to_timestamp())


def _read_numbers(index: pd.Index) -> Labels | None:
    if is_float_dtype(index.dtype):
        values = index.to_numpy(dtype=np.float64)
        if not np.isfinite(values).all():
            return None
        return Labels(NUMBERS, values, single_step=1)
    unsigned = is_unsigned_integer_dtype(index.dtype)
    values = index.to_numpy(dtype=np.uint64 if unsigned else np.int64)
    if unsigned and values.max() <= np.iinfo(np.int64).max:
        values = values.astype(np.int64)
    return _with_carried_step(Labels(NUMBERS, values, single_step=1), index)


def _with_carried_step(labels: Labels, index: pd.Index) -> Labels:
    """Add the labels before and after these, if the index stores its step."""
    step: Step = getattr(index, "freq", None)
    if isinstance(index, pd.RangeIndex) and len(index) > 1:
        step = index.step
    if step is None:
        return labels
    carried_step = repr(step)
    if labels.clock is None:
        if not isinstance(step, int):
            step = int(pd.Timedelta(step).as_unit(labels.unit).asm8.astype(np.int64))
        first, last = int(labels.values[0]), int(labels.values[-1])
        return replace(
            labels,
            carried_step=carried_step,
            next_label=last + step,
            previous_label=first - step,
        )
    # Days, weeks and months have even steps in local time, hours in absolute time.
    absolute = isinstance(step, pd.offsets.Tick) and not isinstance(step, pd.offsets.Day)
    on = labels.values if absolute else labels.clock
    try:
        following = _moved(int(on[-1]), step, labels.unit)
        previous = _moved(int(on[0]), -step, labels.unit)
    except (ValueError, OverflowError):  # outside the range of times in pandas
        return labels
    return replace(
        labels,
        carried_step=carried_step,
        next_label=following,
        previous_label=previous,
        next_on_clock=not absolute,
    )


def _moved(value: int, step: pd.offsets.BaseOffset, unit: Unit) -> int:
    return int((pd.Timestamp(value, unit=unit) + step).as_unit(unit).asm8.astype(np.int64))


def comparable_labels(labels: Labels, like: Labels) -> Labels | None:
    """Convert labels of the same kind to the unit and the time zone of `like`.

    Return None if they do not fit into that unit, as dates centuries later may not.
    """
    if labels.unit != like.unit:
        if like.unit == "ns":  # those in microseconds are out of its range
            return None
        labels = _in_microseconds(labels)
    if labels.zone != like.zone:
        utc = pd.DatetimeIndex(labels.values.astype(f"M8[{labels.unit}]"), tz="UTC")
        clock = utc.tz_convert(like.zone).tz_localize(None).asi8
        known = not labels.next_on_clock
        labels = replace(
            labels,
            clock=clock,
            zone=like.zone,
            next_label=labels.next_label if known else None,
            previous_label=labels.previous_label if known else None,
        )
    return labels


def _in_microseconds(labels: Labels) -> Labels:
    return replace(
        labels,
        values=labels.values // 1000,
        clock=None if labels.clock is None else labels.clock // 1000,
        unit="us",
        next_label=None,
        previous_label=None,
    )


def are_numbered_names(index: pd.Index) -> bool:
    """Return whether labels are a name and a row number each: row0, row1, row2."""
    numbered = re.fullmatch(r"([A-Za-z_ ]+)(\d+)", str(index[0]))
    if numbered is None:
        return False
    name, start = numbered[1], int(numbered[2])
    return all(label == f"{name}{start + row}" for row, label in enumerate(index))
