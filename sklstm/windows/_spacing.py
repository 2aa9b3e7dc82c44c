"""The step between row labels, and which labels a table leaves out.

A step is common where at least half of the differences between labels are that step, or
where labels stand once in each calendar month, every third month, every year, and so on.
Without a common step nothing can be said to be missing.

Nights, weekends and other closes are no missing labels: where labels recur by clock time
and weekday, a place in the week that never has a label is closed (`Week`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from sklstm.windows._labels import Labels, Number

# How far a difference may exceed the step, relative to it, before a label counts as
# missing; and by how much floats may differ from the step and still be it.
TOLERANCE = 0.05
# Passes without a label after which a place in the week counts as closed.
N_PASSES = 3
# Whole days that may be missing at once from business days and sessions, as holidays: more
# than Easter, Christmas and September 2001 in New York, less than a week of business days.
MOST_HOLIDAYS = 4
# Places in a week that are told apart, one for each second.
MOST_PLACES = 7 * 86_400
# How far labels may stand from the same day of each month, and of each year.
DAYS_OF_A_MONTH = 10
DAYS_OF_A_YEAR = 45
# 1970-01-01 was a Thursday; Mondays are 0.
FIRST_WEEKDAY = 3


@dataclass(frozen=True)
class Week:
    """Places in a week, each of the length `place`, and which of them have labels.

    Labels belong to the nearest place; one of them is `phase` after midnight. `spans` are
    the position of the first label of each table, and how many places it extends over. With
    `only_labelled`, a place without a label is closed however seldom it was passed over.
    """

    place: int
    phase: int
    has_labels: NDArray[np.bool_]
    spans: tuple[tuple[int, int], ...] = ()
    only_labelled: bool = False

    @property
    def per_day(self) -> int:
        """Number of places in a day."""
        return len(self.has_labels) // 7

    def positions(self, clock: NDArray[np.int64]) -> NDArray[np.int64]:
        """Places passed by since a Monday, for each label."""
        nearest = (clock - self.phase + self.place // 2) // self.place
        return nearest + FIRST_WEEKDAY * self.per_day

    def with_labels(self, clock: NDArray[np.int64]) -> Self:
        """The week as further labels show it too."""
        positions, n_places = self.positions(clock), len(self.has_labels)
        has_labels = self.has_labels.copy()
        has_labels[positions % n_places] = True
        span = int(positions[0]), int(positions[-1] - positions[0]) + 1
        return replace(self, has_labels=has_labels, spans=(*self.spans, span))

    def n_passes(self) -> NDArray[np.int64]:
        """How often the tables pass over each place."""
        n_places = len(self.has_labels)
        n_passes = np.zeros(n_places, dtype=np.int64)
        for first, length in self.spans:
            n_passes += length // n_places
            n_passes[(first + np.arange(length % n_places)) % n_places] += 1
        return n_passes

    def is_open(self) -> NDArray[np.bool_]:
        """Which places are expected to have a label."""
        if self.only_labelled:
            return self.has_labels
        absent = ~self.has_labels.reshape(7, -1)
        never = np.logical_and.reduce(absent, axis=0)
        no_day = np.logical_and.reduce(absent, axis=1)
        n_passes = self.n_passes().reshape(7, -1)
        closed = absent & (n_passes >= N_PASSES)
        closed |= self._closed_times(never, n_passes.sum(axis=0))
        closed |= self._closed_weekdays(no_day, n_passes.max(axis=1))
        return ~closed.ravel()

    def _closed_times(self, absent: NDArray, n_passes: NDArray) -> NDArray[np.bool_]:
        """Times of the day without a label on any day; one night is enough of a night."""
        before = np.minimum.accumulate(absent)
        after = np.minimum.accumulate(absent[::-1])[::-1]
        is_night = (before | after) & absent[0] & absent[-1]
        return absent & (n_passes >= np.where(is_night, 1, N_PASSES))

    def _closed_weekdays(self, absent: NDArray, n_passes: NDArray) -> NDArray[np.bool_]:
        """Weekdays without a label, as a column; one weekend is enough of a weekend."""
        closed = absent & (n_passes >= N_PASSES)
        if absent[5:].all() and n_passes[5:].all():
            closed[5:] = True
        return closed[:, np.newaxis]

    def n_missing(self, clock: NDArray[np.int64]) -> NDArray[np.int64]:
        """How many open places lie between each label and the one before it."""
        positions, is_open = self.positions(clock), self.is_open()
        before = _OpenPlaces(is_open)
        n_missing = before.count(positions[1:]) - before.count(positions[:-1] + 1)
        np.maximum(n_missing, 0, out=n_missing)
        if self._has_closed_days(is_open):
            self._forgive_holidays(n_missing, positions, before)
        return n_missing

    def _has_closed_days(self, is_open: NDArray[np.bool_]) -> bool:
        """Whether nights or weekdays are closed, as in sessions and business days."""
        by_day = is_open.reshape(7, -1)
        return not (by_day.any(axis=0).all() and by_day.any(axis=1).all())

    def _forgive_holidays(
        self, n_missing: NDArray, positions: NDArray, before: "_OpenPlaces"
    ) -> None:
        """Count no labels as missing where whole days are, up to a few at once."""
        rows = np.flatnonzero(n_missing)
        start = (positions[rows] // self.per_day + 1) * self.per_day
        stop = positions[rows + 1] // self.per_day * self.per_day
        on_whole_days = before.count(stop) - before.count(start)
        opens = np.append(0, np.cumsum(before.is_open.reshape(7, -1).any(axis=1)))
        n_days = _count_in_weeks(opens, stop // self.per_day)
        n_days -= _count_in_weeks(opens, start // self.per_day)
        is_holiday = (on_whole_days == n_missing[rows]) & (n_days <= MOST_HOLIDAYS)
        n_missing[rows[is_holiday]] = 0

    def next_open(self, clock: int) -> int:
        """Local time of the first open place after a label."""
        is_open, n_places = self.is_open(), len(self.has_labels)
        after = (int(self.positions(np.array([clock]))[0]) + 1) % n_places
        n_closed = int(np.roll(is_open, -after).argmax())
        return clock + (n_closed + 1) * self.place


class _OpenPlaces:
    """Counts the open places before a position."""

    def __init__(self, is_open: NDArray[np.bool_]) -> None:
        self.is_open = is_open
        self.until = np.append(0, np.cumsum(is_open))

    def count(self, positions: NDArray[np.int64]) -> NDArray[np.int64]:
        return _count_in_weeks(self.until, positions)


def _count_in_weeks(until: NDArray, positions: NDArray[np.int64]) -> NDArray[np.int64]:
    weeks, rest = np.divmod(positions, len(until) - 1)
    return weeks * until[-1] + until[rest]


@dataclass(frozen=True)
class EvenSpacing:
    """Labels one step apart, with nights and weekends left out where there is a `week`.

    `on_clock` says that steps, of whole days, are even by the local clock.
    """

    step: Number
    on_clock: bool = False
    week: Week | None = None

    def n_missing(self, labels: Labels) -> NDArray[np.int64]:
        """How many labels are missing before each one but the first."""
        values = (
            labels.clock if self.on_clock and labels.clock is not None else labels.values
        )
        differences = _differences(values)
        if differences.dtype.kind == "f":
            n_steps = np.ceil(differences / self.step - TOLERANCE)
            return np.maximum(n_steps, 1).astype(np.int64) - 1
        tolerance = np.uint64(1 + int(TOLERANCE * self.step))
        beyond = np.maximum(differences, tolerance) - tolerance
        n_missing = (beyond // np.uint64(self.step)).astype(np.int64)
        if labels.clock is None or not self._has_closes() or not n_missing.any():
            return n_missing
        assert self.week is not None
        return np.where(n_missing, self.week.n_missing(labels.clock), 0)

    def with_labels(self, labels: Labels) -> "EvenSpacing":
        """The spacing as further labels show it, which may know other nights."""
        if self.week is None or labels.clock is None:
            return self
        return replace(self, week=self.week.with_labels(labels.clock))

    def next_text(self, labels: Labels) -> str:
        """The label that follows the first of these, as text."""
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
    """Labels about the same day of every month or year, or of every third month and so on.

    `unit` is "M" for months and "Y" for years; `shift` moves days to the middle of it, so
    that no label is near its edge.
    """

    step: int
    unit: str
    shift: int

    def n_missing(self, labels: Labels) -> NDArray[np.int64]:
        """How many labels are missing before each one but the first."""
        differences = np.diff(self._ordinals(labels))
        return np.maximum((differences - 1) // self.step, 0)

    def with_labels(self, labels: Labels) -> "CalendarSpacing":
        """The same: months have no closes that labels could show."""
        return self

    def next_text(self, labels: Labels) -> str:
        """Month or year of the label that follows the first of these, as text."""
        ordinal = self._ordinals(labels)[:1] + self.step
        first_day = ordinal.astype(f"M8[{self.unit}]").astype("M8[D]")
        middle = 14 if self.unit == "M" else 180
        return str((first_day + middle - self.shift).astype("M8[M]")[0])

    def _ordinals(self, labels: Labels) -> NDArray[np.int64]:
        return (_days(labels) + self.shift).astype(f"M8[{self.unit}]").astype(np.int64)


Spacing = EvenSpacing | CalendarSpacing


def common_spacing(labels: Labels, *, tables: Sequence[Labels] = ()) -> Spacing | None:
    """The spacing that labels have in common, if any.

    `tables` show at which places of the week there are labels; by default `labels` do.
    """
    if len(labels) < 2:
        return None
    even = _even_spacing(labels)
    calendar = _calendar_spacing(labels)
    if calendar is not None and (even is None or _explains_more(calendar, even, labels)):
        return calendar
    return None if even is None else _with_week(even, labels, tables or [labels])


def joined_labels(tables: Sequence[Labels]) -> Labels:
    """Labels of tables of one kind one after the other."""
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
    """Those of increasing numbers; of integers unsigned, so that none overflows."""
    if values.dtype.kind == "f":
        return np.diff(values)
    values = values.view(np.uint64)
    return values[1:] - values[:-1]


def _is_step(differences: NDArray, step: Any) -> NDArray[np.bool_]:
    if differences.dtype.kind == "f":
        return np.abs(differences - step) <= TOLERANCE * step
    return differences == step


def _common_step(differences: NDArray) -> tuple[Any, int]:
    """The step that at least half of the differences are, and how many; 0 if none is.

    A difference that fills half of the sorted places covers one in their middle.
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


def _divides_all(step: Any, differences: NDArray) -> bool:
    if differences.dtype.kind != "f":
        return not (differences % step).any()
    n_steps = differences / step
    return bool((np.abs(n_steps - np.rint(n_steps)) <= TOLERANCE).all())


def _even_spacing(labels: Labels) -> EvenSpacing | None:
    """The step that half of the differences are, by absolute time or the local clock."""
    differences = _differences(labels.values)
    step, count = _common_step(differences)
    on_clock = labels.clock is not None and count > 0 and step % labels.day == 0
    if labels.clock is not None and labels.zone is not None:
        by_clock, n_by_clock = _common_step(_differences(labels.clock))
        # An hour that is missing where the clock goes back is no even step by the clock.
        is_day = n_by_clock >= count and by_clock % labels.day == 0
        if is_day or (n_by_clock > count and not _divides_all(by_clock, differences)):
            step, count, on_clock = by_clock, n_by_clock, True
    return EvenSpacing(step.item(), on_clock) if count else None


def _with_week(even: EvenSpacing, labels: Labels, tables: Sequence[Labels]) -> EvenSpacing:
    """The spacing with the places of the week at which the tables have labels."""
    clock = labels.clock
    if clock is None or even.step > 3 * labels.day:
        return even
    day, place = labels.day, int(even.step)
    if day % place:  # such as Monday, Wednesday and Friday
        place = int(np.gcd.reduce(_differences(clock)))
    if day % place or 7 * day // place > MOST_PLACES:
        return even
    week = Week(
        place,
        int(clock[0]) % place,
        np.zeros(7 * day // place, dtype=bool),
        only_labelled=place != even.step,
    )
    # What is missing between two tables is to be judged, and shows no night; a weekend is
    # one wherever it is.
    if even.step % day == 0:
        tables = [joined_labels(tables)]
    for table in tables:
        if table.clock is not None:
            week = week.with_labels(table.clock)
    return replace(even, week=week)


def _calendar_spacing(labels: Labels) -> CalendarSpacing | None:
    if labels.clock is None or len(labels) < 3:
        return None
    days = _days(labels)
    shortest = np.timedelta64(31 - 2 * DAYS_OF_A_MONTH, "D")
    if days[-1] - days[0] < (len(days) - 1) * shortest:
        return None
    return _spacing_in(days, "M", 15, DAYS_OF_A_MONTH) or _spacing_in(
        days, "Y", 181, DAYS_OF_A_YEAR
    )


def _spacing_in(
    days: NDArray, unit: str, middle: int, tolerance: int
) -> CalendarSpacing | None:
    """Every so many months or years, if labels stand about as far into each."""
    first = days[0] - days[0].astype(f"M8[{unit}]").astype("M8[D]")
    shift = middle - 1 - int(first.astype(np.int64))
    shifted = days + shift
    ordinals = shifted.astype(f"M8[{unit}]")
    since_start = (shifted - ordinals.astype("M8[D]")).astype(np.int64) + 1
    differences = np.diff(ordinals.astype(np.int64))
    if (differences < 1).any() or (np.abs(since_start - middle) > tolerance).any():
        return None
    step, count = _common_step(differences.astype(np.uint64))
    return CalendarSpacing(int(step), unit, shift) if count else None


def _days(labels: Labels) -> NDArray:
    days = np.asarray(labels.clock) // labels.day
    return days.astype("M8[D]")


def _explains_more(calendar: CalendarSpacing, even: EvenSpacing, labels: Labels) -> bool:
    """Whether fewer labels are missing by the calendar, or as many on the same dates."""
    on_calendar = int((calendar.n_missing(labels) == 0).sum())
    by_step = int(_is_step(_differences(labels.values), even.step).sum())
    if on_calendar != by_step:
        return on_calendar > by_step
    days = _days(labels)
    of_month = (days - days.astype("M8[M]").astype("M8[D]")).astype(np.int64)
    to_end = ((days + 1).astype("M8[M]") - days.astype("M8[M]")).astype(np.int64)
    return bool((of_month == of_month[0]).all() or to_end.all())


def spacing_state(spacing: Spacing | None) -> dict[str, Any] | None:
    """A spacing as arrays and plain values."""
    if spacing is None:
        return None
    if isinstance(spacing, CalendarSpacing):
        return {"step": spacing.step, "unit": spacing.unit, "shift": spacing.shift}
    week = spacing.week
    return {
        "step": spacing.step,
        "on_clock": spacing.on_clock,
        "week": None
        if week is None
        else {
            "place": week.place,
            "phase": week.phase,
            "n_places": len(week.has_labels),
            "has_labels": np.packbits(week.has_labels),
            "spans": [list(span) for span in week.spans],
            "only_labelled": week.only_labelled,
        },
    }


def restored_spacing(state: dict[str, Any] | None) -> Spacing | None:
    """The spacing of a state."""
    if state is None:
        return None
    if "shift" in state:
        return CalendarSpacing(**state)
    week = state["week"]
    if week is not None:
        week = {**week, "spans": tuple((first, length) for first, length in week["spans"])}
        n_places = week.pop("n_places")
        labelled = np.unpackbits(week["has_labels"], count=n_places).astype(bool)
        week = Week(**{**week, "has_labels": labelled})
    return EvenSpacing(state["step"], state["on_clock"], week)
