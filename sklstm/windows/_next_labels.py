"""Labels that follow those of a table, by its own frequency or by its even spacing."""

from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sklstm._types import Step
from sklstm.windows._labels import (
    DURATIONS,
    TIMES,
    ZONED_TIMES,
    Labels,
    inferred_index,
    read_labels,
)
from sklstm.windows._spacing import CalendarSpacing, EvenSpacing, Spacing, common_spacing

# Last labels from which pandas infers a frequency, or which have to be on a calendar rule.
N_LABELS = 100
# Decimals up to which labels count as rounded.
MOST_DECIMALS = 9
SHORTEST_MONTH = 28

MONTHS: tuple[Callable[..., pd.offsets.BaseOffset], ...] = (
    pd.offsets.MonthEnd,
    pd.offsets.MonthBegin,
    pd.offsets.BusinessMonthEnd,
    pd.offsets.BusinessMonthBegin,
)
HALF_MONTHS = (pd.offsets.SemiMonthBegin(), pd.offsets.SemiMonthEnd())


def next_index(
    index: pd.Index, n: int, *, spacing: Spacing | None = None
) -> pd.Index | None:
    """Return the `n` labels after those of one series; None if its step is not known.

    `spacing` is that of more rows than these, where it is known.
    """
    if isinstance(index, pd.MultiIndex):
        return _next_of_one_series(index, n, spacing)
    index = inferred_index(index)
    labels = read_labels(index)
    if labels is None:
        return None
    if spacing is None and (labels.freq or getattr(index, "freq", None) is None):
        spacing = common_spacing(labels)  # periods have a length, and any distance
    return _next_labels(index, n, labels, spacing)


def _next_of_one_series(
    index: pd.MultiIndex, n: int, spacing: Spacing | None
) -> pd.Index | None:
    inner = next_index(index.get_level_values(-1), n, spacing=spacing)
    if inner is None:
        return None
    outer = [[value] * n for value in index[-1][:-1]]
    return pd.MultiIndex.from_arrays([*outer, inner], names=index.names)


def _next_labels(
    index: pd.Index, n: int, labels: Labels, spacing: Spacing | None
) -> pd.Index | None:
    if isinstance(index, pd.RangeIndex):
        first = int(labels.values[-1]) + index.step
        return pd.RangeIndex(first, first + n * index.step, index.step, name=index.name)
    if isinstance(index, pd.PeriodIndex):
        return _next_periods(index, n, labels, spacing)
    if isinstance(index, pd.DatetimeIndex):
        return _next_times(index, n, labels, spacing)
    if isinstance(index, pd.TimedeltaIndex):
        return _next_durations(index, n, labels, spacing)
    return _next_numbers(index, n, labels, spacing)


def _next_durations(
    index: pd.TimedeltaIndex, n: int, labels: Labels, spacing: Spacing | None
) -> pd.Index | None:
    step: Step = index.freq
    if step is None:
        number = _even_step(labels, spacing)
        if number is None:
            return None
        step = pd.Timedelta(number, unit=labels.unit)
    following = pd.timedelta_range(index[-1], periods=n + 1, freq=step)[1:]
    return following.as_unit(index.unit).rename(index.name)


def _even_step(labels: Labels, spacing: Spacing | None) -> Step:
    """Return the step of evenly spaced labels, or the step that a single label implies."""
    if isinstance(spacing, EvenSpacing):
        return spacing.step
    return labels.single_step if len(labels) == 1 else None


def _next_numbers(
    index: pd.Index, n: int, labels: Labels, spacing: Spacing | None
) -> pd.Index | None:
    step = _even_step(labels, spacing)
    if step is None:
        return None
    values = labels.values
    if values.dtype.kind != "f":
        following = [int(values[-1]) + k * int(step) for k in range(1, n + 1)]
        return pd.Index(following, name=index.name)
    decimals = _n_decimals(values[-N_LABELS:])
    start, n_steps = values[-N_LABELS:][0], len(values[-N_LABELS:]) - 1
    if n_steps and abs((values[-1] - start) / n_steps - step) < 0.01 * step:
        step = (values[-1] - start) / n_steps  # not rounded, where the labels are
    following = values[-1] + step * np.arange(1, n + 1)
    if decimals is not None:
        following = following.round(decimals)
    return pd.Index(following, name=index.name)


def _n_decimals(values: NDArray[np.float64]) -> int | None:
    """Return the number of decimals to which numbers are rounded; None if they are not."""
    rounded = (n for n in range(MOST_DECIMALS + 1) if (values.round(n) == values).all())
    return next(rounded, None)


def _next_periods(
    index: pd.PeriodIndex, n: int, labels: Labels, spacing: Spacing | None
) -> pd.Index | None:
    if labels.clock is None or len(index) == 1:  # longer than days: counted
        step = _even_step(labels, spacing) if labels.clock is None else 1
        if step is None:
            return None
        following = index[-1:].repeat(n) + int(step) * np.arange(1, n + 1)
        return pd.PeriodIndex(following, name=index.name)
    starts = pd.DatetimeIndex(index.to_timestamp().to_numpy())
    times = _next_times(starts, n, labels, spacing)
    return None if times is None else pd.PeriodIndex(times, freq=index.freq)


def _next_times(
    index: pd.DatetimeIndex, n: int, labels: Labels, spacing: Spacing | None
) -> pd.DatetimeIndex | None:
    offset = index.freq or _inferred_offset(index, labels, spacing)
    offset = offset or _months_offset(index, spacing)
    if offset is not None:
        following = pd.date_range(
            index[-1], periods=n + 1, freq=offset, unit=index.unit, name=index.name
        )
        return following[1:]
    if isinstance(spacing, EvenSpacing):
        return _evenly_spaced_times(index, n, labels, spacing)
    return None


def _inferred_offset(
    index: pd.DatetimeIndex, labels: Labels, spacing: Spacing | None
) -> pd.offsets.BaseOffset | None:
    if len(index) < 3:
        return None
    is_by_clock = not isinstance(spacing, EvenSpacing) or spacing.on_clock
    if labels.zone and not is_by_clock and _even_step(labels, spacing) % labels.day == 0:
        return None  # 24 hours, which differ from a day where the clock changes
    offset = pd.DatetimeIndex(index[-N_LABELS:], freq="infer").freq
    # pandas' business hours are from 9 to 17, whatever the labels are.
    return None if isinstance(offset, pd.offsets.BusinessHour) else offset


def _months_offset(
    index: pd.DatetimeIndex, spacing: Spacing | None
) -> pd.offsets.BaseOffset | None:
    """Return the offset of labels on a date of each month, or so many months or years."""
    last = index[-N_LABELS:]
    if len({time.time() for time in last}) > 1:
        return None
    if isinstance(spacing, CalendarSpacing) and spacing.period == "half month":
        return next((rule for rule in HALF_MONTHS if _are_on(rule, last)), None)
    n_months = _n_months(last, spacing)
    if not n_months:
        return None
    rule = next((rule for rule in MONTHS if _are_on(rule(), last)), None)
    if rule is None and (last.day == last.day[-1]).all():
        rule = _same_date
    return None if rule is None else rule(n_months)


def _are_on(offset: pd.offsets.BaseOffset, index: pd.DatetimeIndex) -> bool:
    return all(offset.is_on_offset(time) for time in index)


def _same_date(n_months: int) -> pd.DateOffset:
    return pd.DateOffset(months=n_months)


def _n_months(last: pd.DatetimeIndex, spacing: Spacing | None) -> int:
    """Return how many months lie between labels; 0 if they are not spaced by months."""
    if isinstance(spacing, CalendarSpacing):
        return {"month": 1, "year": 12}.get(spacing.period, 0) * spacing.step
    # Two labels are no common spacing by months, but a date in two months is one.
    if len(last) != 2 or (last[1] - last[0]).days < SHORTEST_MONTH:
        return 0
    months = 12 * last.year + last.month
    return int(months[1] - months[0])


def _evenly_spaced_times(
    index: pd.DatetimeIndex, n: int, labels: Labels, spacing: EvenSpacing
) -> pd.DatetimeIndex:
    week = spacing.week
    has_closes = week is not None and not week.is_open().all()
    if not (has_closes or spacing.on_clock):
        values = int(labels.values[-1]) + int(spacing.step) * np.arange(1, n + 1)
        return _times(values, labels, index)
    clock = np.empty(n, dtype=np.int64)
    latest = int(np.asarray(labels.clock)[-1])
    for k in range(n):
        if has_closes and week is not None:
            latest = week.next_open(latest)
        else:
            latest += int(spacing.step)
        clock[k] = latest
    times = pd.DatetimeIndex(clock.astype(f"M8[{labels.unit}]"))
    # Local times that a clock change skips or repeats: the later and the first of them.
    local = times.tz_localize(
        index.tz, nonexistent="shift_forward", ambiguous=np.ones(n, dtype=bool)
    )
    return pd.DatetimeIndex(local.as_unit(index.unit), name=index.name)


def _times(values: NDArray, labels: Labels, like: pd.DatetimeIndex) -> pd.DatetimeIndex:
    times = pd.DatetimeIndex(values.astype(f"M8[{labels.unit}]"))
    if like.tz is not None:
        times = times.tz_localize("UTC").tz_convert(like.tz)
    return pd.DatetimeIndex(times.as_unit(like.unit), name=like.name)


def index_of(labels: Labels) -> pd.Index | None:
    """Return the labels as an index; None if pandas has no such labels."""
    if labels.freq is not None:
        return _period_index(labels)
    if labels.kind == TIMES:
        return pd.DatetimeIndex(labels.values.astype(f"M8[{labels.unit}]"))
    if labels.kind == ZONED_TIMES:
        times = pd.DatetimeIndex(labels.values.astype(f"M8[{labels.unit}]"), tz="UTC")
        try:
            return times.tz_convert(labels.zone)
        except (KeyError, ValueError):  # a zone without a name that pandas knows
            return None
    if labels.kind == DURATIONS:
        return pd.TimedeltaIndex(labels.values.astype(f"m8[{labels.unit}]"))
    return pd.Index(labels.values)


def _period_index(labels: Labels) -> pd.Index:
    if labels.clock is None:
        epoch = pd.PeriodIndex([pd.Period(ordinal=0, freq=labels.freq)])
        return epoch.repeat(len(labels)) + labels.values
    times = pd.DatetimeIndex(labels.values.astype(f"M8[{labels.unit}]"))
    return pd.PeriodIndex(times, freq=labels.freq)
