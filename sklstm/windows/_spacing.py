"""The common step between row labels, and the labels that a table leaves out.

Labels have a common step if at least half of the differences between them are equal, or if
they occur once in each calendar month, every third month, every year, and so on. Without a
common step, no label counts as missing.

Nights, weekends and other closes do not count as missing either: `_week` finds the times of
the week at which a table never has a label.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sklstm._types import State, Step
from sklstm.windows._labels import TIMES, UNITS, Labels, Number, Unit
from sklstm.windows._week import MOST_PLACES, Week, skipped_hours

# Fraction of the step by which a difference may exceed it before a label counts as missing,
# and by which floats may differ from the step and still count as equal to it.
TOLERANCE = 0.05
DAY = np.timedelta64(1, "D")
# Largest number of steps that is counted between two labels.
MOST_STEPS = 2**53
# Periods of the calendar: number of days from their start to their middle, and from there
# to the labels of one series, at most.
PERIODS = {
    "month": (14, 10),
    "half month": (7, 4),
    "year": (181, 45),
    "third of a month": (5, 3),
}
# How many of a period are in a month, and the days of each but the last.
PARTS_OF_MONTHS = {"half month": (2, 15), "third of a month": (3, 10)}


@dataclass(frozen=True)
class EvenSpacing:
    """Spacing of labels that are one step apart, except at night or on weekends.

    Attributes
    ----------
    step : int or float
        Common difference between labels.

    on_clock : bool
        Whether steps of whole days are even in local time, across changes of the clock.

    week : Week or None
        Times of the week that have labels, for steps short enough to have nights or
        weekends.
    """

    step: Number
    on_clock: bool = False
    week: Week | None = None

    def n_missing(self, labels: Labels) -> NDArray[np.int64]:
        """Return the number of labels missing before each label except the first."""
        values = (
            labels.clock if self.on_clock and labels.clock is not None else labels.values
        )
        differences = _differences(values)
        if differences.dtype.kind == "f" or isinstance(self.step, float):
            n_steps = np.ceil(differences.astype(np.float64) / self.step - TOLERANCE)
            return np.clip(n_steps, 1, MOST_STEPS).astype(np.int64) - 1
        tolerance = np.uint64(1 + int(TOLERANCE * self.step))
        excess = np.maximum(differences, tolerance) - tolerance
        n_missing = np.minimum(excess // np.uint64(self.step), np.uint64(MOST_STEPS))
        n_missing = n_missing.astype(np.int64)
        if labels.clock is None or not n_missing.any():
            return n_missing
        if self.week is not None and self._has_closes():
            n_missing = np.where(n_missing, self.week.n_missing(labels.clock), 0)
        if labels.kind == TIMES:
            self._forgive_skipped_hours(n_missing, labels.clock, labels.unit)
        return n_missing

    def _forgive_skipped_hours(
        self, n_missing: NDArray[np.int64], clock: NDArray[np.int64], unit: Unit
    ) -> None:
        """Do not count hours that local clocks skip in spring; the times have no zone."""
        hour = 3600 * UNITS[unit]
        rows = np.flatnonzero(n_missing)
        rows = rows[n_missing[rows] * self.step == hour]
        skipped = skipped_hours(clock[rows + 1] - hour, unit)
        rows, skipped = rows[skipped > 0], skipped[skipped > 0]
        if rows.size:
            is_skipped = ~np.isin(skipped, skipped_hours(clock, unit))
            n_missing[rows[is_skipped]] = 0

    def with_labels(self, labels: Labels) -> "EvenSpacing":
        """Return the spacing with further labels, which may be at other times of a week."""
        if self.week is None or labels.clock is None:
            return self
        return replace(self, week=self.week.with_labels(labels.clock))

    def next_text(self, labels: Labels) -> str:
        """Return the label after the first of these, as text."""
        values = labels.values
        on_clock = self.on_clock or self._has_closes()
        if on_clock and labels.clock is not None:
            values = labels.clock
        value = values[0].item()
        if on_clock and self.week is not None:
            return labels.text(self.week.next_open(value), clock=True)
        return labels.text(value + self.step, clock=on_clock)

    def _has_closes(self) -> bool:
        return self.week is not None and not self.week.is_open().all()


@dataclass(frozen=True)
class CalendarSpacing:
    """Spacing of labels on about the same day of every month, third month, year, and so on.

    Attributes
    ----------
    step : int
        Number of periods between labels.

    period : str
        One of `PERIODS`.

    shift : int
        Number of days that moves labels to the middle of their period, so that none is near
        its edge.
    """

    step: int
    period: str
    shift: int

    def n_missing(self, labels: Labels) -> NDArray[np.int64]:
        """Return the number of labels missing before each label except the first."""
        differences = np.diff(_ordinals(_days(labels) + self.shift * DAY, self.period))
        return np.maximum((differences - 1) // self.step, 0)

    def with_labels(self, labels: Labels) -> "CalendarSpacing":
        """Return the spacing itself: months have no closes that labels could show."""
        return self

    def next_text(self, labels: Labels) -> str:
        """Return the month of the label after the first of these, as text."""
        day = _days(labels)[:1]
        if self.period == "year":  # leap days move the day of the year, not the month
            return str(day.astype("M8[M]")[0] + np.timedelta64(12 * self.step, "M"))
        ordinal = _ordinals(day + self.shift * DAY, self.period) + self.step
        if self.period == "month":  # a 31st is nearer to the next month than a 28th
            return str(ordinal.astype("M8[M]")[0])
        middle = _first_days(ordinal, self.period) + PERIODS[self.period][0] * DAY
        return str((middle - self.shift * DAY).astype("M8[M]")[0])


Spacing = EvenSpacing | CalendarSpacing


def common_spacing(labels: Labels, *, tables: Sequence[Labels] = ()) -> Spacing | None:
    """Return the common spacing of labels, or None.

    `tables` are the labels from which the times of the week are taken; by default `labels`.
    """
    if len(labels) < 2:
        return None
    even = _even_spacing(labels)
    calendar = _calendar_spacing(labels)
    if calendar is not None and (even is None or _explains_more(calendar, even, labels)):
        return calendar
    return None if even is None else _with_week(even, labels, tables or [labels])


def concatenate_labels(tables: Sequence[Labels]) -> Labels:
    """Concatenate the labels of tables, which are of one kind."""
    if len(tables) == 1:
        return tables[0]
    values = [table.values for table in tables]
    if {array.dtype.kind for array in values} == {"i", "u"}:
        values = [array.astype(np.uint64) if array[0] >= 0 else array for array in values]
    clocks = [table.clock for table in tables if table.clock is not None]
    return replace(
        tables[0],
        values=np.concatenate(values),
        clock=np.concatenate(clocks) if clocks else None,
        next_label=None,
        previous_label=None,
    )


def _differences(values: NDArray) -> NDArray:
    """Return the differences of increasing numbers; unsigned for integers: no overflow."""
    if values.dtype.kind == "f":
        return np.diff(values)
    values = values.view(np.uint64)
    return values[1:] - values[:-1]


def _is_step(differences: NDArray, step: Step) -> NDArray[np.bool_]:
    if differences.dtype.kind == "f":
        return np.abs(differences - step) <= TOLERANCE * step
    return differences == step


def _common_step(differences: NDArray) -> tuple[Step, int]:
    """Return the step that at least half of the differences equal, and how many (or 0).

    A value that makes up half of the sorted differences is in the middle of them.
    """
    n = len(differences)
    middle = np.partition(differences, [(n - 1) // 2, n // 2])[[(n - 1) // 2, n // 2]]
    counts = [int(_is_step(differences, step).sum()) for step in middle]
    step, count = (
        (middle[0], counts[0]) if counts[0] >= counts[1] else (middle[1], counts[1])
    )
    if 2 * count < n or (count == 1 and n > 1 and not _divides_all(step, differences)):
        return step, 0
    return step, count


def _divides_all(step: Step, differences: NDArray) -> bool:
    if differences.dtype.kind != "f":
        return not (differences % step).any()
    n_steps = differences / step
    return bool((np.abs(n_steps - np.rint(n_steps)) <= TOLERANCE).all())


def _even_spacing(labels: Labels) -> EvenSpacing | None:
    """Return the step that half of the differences equal, in absolute or local time."""
    differences = _differences(labels.values)
    step, count = _common_step(differences)
    on_clock = False
    if labels.clock is not None and labels.zone is not None:
        by_clock, n_by_clock = _common_step(_differences(labels.clock))
        # A missing hour when the clock goes back is not an even step in local time.
        is_day = n_by_clock >= count and by_clock % labels.day == 0
        if is_day or (n_by_clock > count and not _divides_all(by_clock, differences)):
            step, count, on_clock = by_clock, n_by_clock, True
    return EvenSpacing(step.item(), on_clock) if count else None


def _with_week(even: EvenSpacing, labels: Labels, tables: Sequence[Labels]) -> EvenSpacing:
    """Add the times of the week at which the tables have labels."""
    clock = labels.clock
    if clock is None or even.step > 3 * labels.day:
        return even
    day, place = labels.day, int(even.step)
    if day % place:  # such as Monday, Wednesday and Friday
        place = int(np.gcd.reduce(_differences(clock)))
    if day % place or 7 * day // place > MOST_PLACES:
        return even
    n_places = 7 * day // place
    week = Week(
        place=place,
        phase=int(clock[0]) % place,
        has_labels=np.zeros(n_places, dtype=bool),
        only_labelled=place != even.step,
    )
    # A gap between two tables is what is to be judged, so that it proves no night. Days
    # without labels are a weekend even there.
    if even.step % day == 0:
        tables = [concatenate_labels(tables)]
    for table in tables:
        if table.clock is not None:
            week = week.with_labels(table.clock)
    return replace(even, week=week)


def _calendar_spacing(labels: Labels) -> CalendarSpacing | None:
    """Return the step in months or years, if labels are about equally far into each."""
    if labels.clock is None or len(labels) < 3:
        return None
    days = _days(labels)
    n_days = int((days[-1] - days[0]).astype(np.int64))
    for period, (middle, tolerance) in PERIODS.items():
        if n_days < (len(days) - 1) * (middle - tolerance):
            continue
        first = _first_days(_ordinals(days[:1], period), period)
        shift = middle - int((days[:1] - first).astype(np.int64)[0])
        ordinals = _ordinals(days + shift * DAY, period)
        from_middle = days + shift * DAY - _first_days(ordinals, period)
        distance = np.abs(from_middle.astype(np.int64) - middle)
        differences = np.diff(ordinals)
        if (differences > 0).all() and (distance <= tolerance).all():
            step, count = _common_step(differences.astype(np.uint64))
            if count:
                return CalendarSpacing(int(step), period, shift)
    return None


def _ordinals(days: NDArray, period: str) -> NDArray[np.int64]:
    """Return the number of the part of a month, month or year of each day."""
    if period == "year":
        return days.astype("M8[Y]").astype(np.int64)
    months = days.astype("M8[M]")
    if period == "month":
        return months.astype(np.int64)
    n_parts, n_days = PARTS_OF_MONTHS[period]
    part = (days - months.astype("M8[D]")).astype(np.int64) // n_days
    return n_parts * months.astype(np.int64) + np.minimum(part, n_parts - 1)


def _first_days(ordinals: NDArray[np.int64], period: str) -> NDArray:
    if period in PARTS_OF_MONTHS:
        n_parts, n_days = PARTS_OF_MONTHS[period]
        months = (ordinals // n_parts).astype("M8[M]")
        return months.astype("M8[D]") + n_days * (ordinals % n_parts) * DAY
    return ordinals.astype("M8[Y]" if period == "year" else "M8[M]").astype("M8[D]")


def _days(labels: Labels) -> NDArray:
    days = np.asarray(labels.clock) // labels.day
    return days.astype("M8[D]")


def _explains_more(calendar: CalendarSpacing, even: EvenSpacing, labels: Labels) -> bool:
    """Return whether fewer labels are missing by the calendar than by the even step.

    If both leave out equally many, the calendar is right for labels that are all on the
    same day of the month, or all on the last one.
    """
    on_calendar = int((calendar.n_missing(labels) == 0).sum())
    by_step = int(_is_step(_differences(labels.values), even.step).sum())
    if on_calendar != by_step:
        return on_calendar > by_step
    days = _days(labels)
    of_month = (days - days.astype("M8[M]").astype("M8[D]")).astype(np.int64)
    to_end = ((days + DAY).astype("M8[M]") - days.astype("M8[M]")).astype(np.int64)
    return bool((of_month == of_month[0]).all() or to_end.all())


def spacing_state(spacing: Spacing | None) -> State | None:
    """Return a spacing as arrays and plain values."""
    if spacing is None:
        return None
    if isinstance(spacing, CalendarSpacing):
        return {"step": spacing.step, "period": spacing.period, "shift": spacing.shift}
    week = spacing.week
    return {
        "step": spacing.step,
        "on_clock": spacing.on_clock,
        "week": None if week is None else week.state(),
    }


def spacing_from_state(state: State | None) -> Spacing | None:
    """Rebuild a spacing from what `spacing_state` returned."""
    if state is None:
        return None
    if "shift" in state:
        return CalendarSpacing(**state)
    week = None if state["week"] is None else Week.from_state(state["week"])
    return EvenSpacing(state["step"], state["on_clock"], week)
