"""Times of the week that have labels: nights, weekends, holidays and other closes.

A label is missing only if one is expected: at a time of day and a weekday at which the
table has labels otherwise, and not on a holiday or after an early close. The week is
divided into *places* of equal length, such as hours.
"""

from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from sklstm._types import State

# A time of day, or a place in the week, without labels is closed if chance would leave it
# so with a probability below this, and if the labels have passed over it so many times.
CHANCE = 0.01
N_DAYS = 2
N_WEEKS = 3
# One night or one weekend may be enough; a weekend has at least so many days.
DAYS_OF_A_WEEKEND = 1.5
# Number of whole days that may be missing at once, as holidays, from business days and
# sessions: more than at Easter, at Christmas and in September 2001 in New York, and less
# than a week of business days.
MOST_HOLIDAYS = 4
# Share of the days that may be missing as holidays, and how many may be in any case. No
# country has so many; a shuffled split that leaves out every fifth day does.
HOLIDAY_SHARE = 0.15
FEW_HOLIDAYS = 12
# Share of the nights with the same closing and opening times that makes these times usual.
# Sessions in local time, labelled in UTC, have two of each, for summer and winter.
USUAL_SHARE = 0.1
# Share of a day that is missing after an early close, and how often it has to recur.
EARLY_SHARE = 0.25
N_EARLY = 2
# Largest number of places in a week: one for each second.
MOST_PLACES = 7 * 86_400
# 1970-01-01 was a Thursday. Mondays are 0.
FIRST_WEEKDAY = 3


def _no_closes() -> NDArray[np.int64]:
    return np.empty(0, dtype=np.int64)


@dataclass(frozen=True)
class Week:
    """Places in a week, and whether each has labels.

    Attributes
    ----------
    place : int
        Length of a place. A label belongs to the nearest one.

    phase : int
        Time from midnight to one of the places.

    has_labels : ndarray of bool, one for each place in a week
        Whether the place has labels.

    only_labelled : bool
        Whether every place without labels is closed, however rarely it was passed over.

    spans : tuple of (int, int)
        For each table, the position of its first label and its length, in places.

    n_steps, n_jumps : int
        Number of differences between labels, and of those longer than one place.

    usual_closes, early_closes : ndarray of int
        Pairs of times of day between which labels are repeatedly missing, each pair as one
        number (`_closes`).
    """

    place: int
    phase: int
    has_labels: NDArray[np.bool_]
    only_labelled: bool = False
    spans: tuple[tuple[int, int], ...] = ()
    n_steps: int = 0
    n_jumps: int = 0
    usual_closes: NDArray[np.int64] = field(default_factory=_no_closes)
    early_closes: NDArray[np.int64] = field(default_factory=_no_closes)

    @property
    def per_day(self) -> int:
        """Number of places in a day."""
        return len(self.has_labels) // 7

    def with_labels(self, clock: NDArray[np.int64]) -> Self:
        """Return the week with further labels."""
        positions, n_places = self._positions(clock), len(self.has_labels)
        has_labels = self.has_labels.copy()
        has_labels[positions % n_places] = True
        span = int(positions[0]), int(positions[-1] - positions[0]) + 1
        jumps = np.flatnonzero(np.diff(positions) > 1)
        closes = self._closes(positions, jumps)
        closes, counts = np.unique(closes[closes >= 0], return_counts=True)
        usual = (counts >= N_WEEKS) & (counts >= USUAL_SHARE * counts.sum())
        return replace(
            self,
            has_labels=has_labels,
            spans=(*self.spans, span),
            n_steps=self.n_steps + len(positions) - 1,
            n_jumps=self.n_jumps + len(jumps),
            usual_closes=np.union1d(self.usual_closes, closes[usual]),
            early_closes=np.union1d(self.early_closes, closes[counts >= N_EARLY]),
        )

    def is_open(self) -> NDArray[np.bool_]:
        """Return whether each place is expected to have a label."""
        if self.only_labelled:
            return self.has_labels
        absent, n_passes = ~self.has_labels, self._n_passes()
        closed = absent & (n_passes >= N_WEEKS) & self._is_no_chance(absent, n_passes)
        closed |= self._weekend(absent) & (n_passes >= 1)
        by_day = closed.reshape(7, -1)
        by_day |= self._closed_times(absent.reshape(7, -1), n_passes.reshape(7, -1))
        return ~closed

    def _closed_times(
        self, absent: NDArray[np.bool_], n_passes: NDArray[np.int64]
    ) -> NDArray[np.bool_]:
        """Return the times of day at which no day has a label."""
        never, n_passes = np.logical_and.reduce(absent, axis=0), n_passes.sum(axis=0)
        runs = _runs(never)
        is_night = (runs == runs[0]) & never[0] & never[-1]
        is_often = n_passes >= np.where(is_night, 1, N_DAYS)
        return never & is_often & self._is_no_chance(never, n_passes)

    def _weekend(self, absent: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return the places from Friday to Monday that form a weekend, if there is one."""
        runs, lengths = _runs(absent), _run_lengths(absent)
        days = np.arange(len(absent)) // self.per_day
        weekend = np.zeros(len(absent), dtype=bool)
        for day in (5, 6):
            run = runs == runs[days == day][0]
            is_whole = [absent[days == other].all() for other in (0, day, 4)]
            is_long = lengths[days == day][0] >= DAYS_OF_A_WEEKEND * self.per_day
            if is_whole == [False, True, False] and is_long:
                weekend |= run & absent
        return weekend

    def _is_no_chance(
        self, absent: NDArray[np.bool_], n_passes: NDArray[np.int64]
    ) -> NDArray[np.bool_]:
        """Return whether labels missing at random would rarely leave such runs empty."""
        share = max(self.n_jumps, 1) / max(self.n_steps, 1)
        likely = np.log(len(absent)) + _run_lengths(absent) * n_passes * np.log(share)
        return likely < np.log(CHANCE)

    def n_missing(self, clock: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the number of labels expected between each label and the next."""
        positions, is_open = self._positions(clock), self.is_open()
        until = np.append(0, np.cumsum(is_open))
        n_missing = _count(until, positions[1:]) - _count(until, positions[:-1] + 1)
        np.maximum(n_missing, 0, out=n_missing)
        by_day = is_open.reshape(7, -1)
        if by_day.any(axis=0).all() and by_day.any(axis=1).all():
            return n_missing  # neither sessions nor business days
        rows = np.flatnonzero(n_missing)
        n_missing[rows[self._are_closes(positions, rows, n_missing[rows], by_day)]] = 0
        return n_missing

    def next_open(self, clock: int) -> int:
        """Return the local time of the first place after a label that should have one."""
        after = int(self._positions(np.array([clock]))[0]) + 1
        after %= len(self.has_labels)
        n_closed = int(np.roll(self.is_open(), -after).argmax())
        return clock + (n_closed + 1) * self.place

    def state(self) -> State:
        """Return the week as arrays and plain values."""
        return {
            **vars(self),
            "n_places": len(self.has_labels),
            "has_labels": np.packbits(self.has_labels),
            "spans": [list(span) for span in self.spans],
        }

    @classmethod
    def from_state(cls, state: State) -> Self:
        """Rebuild the week from what `state` returned."""
        state = dict(state)
        n_places = state.pop("n_places")
        if not 0 < n_places <= MOST_PLACES:  # before anything of this size is allocated
            raise ValueError(f"the week of its series has {n_places} places")
        has_labels = np.unpackbits(state["has_labels"], count=n_places).astype(bool)
        spans = tuple((first, length) for first, length in state["spans"])
        return cls(**{**state, "has_labels": has_labels, "spans": spans})

    def _positions(self, clock: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the position of each label, in places since a Monday."""
        nearest = (clock - self.phase + self.place // 2) // self.place
        return nearest + FIRST_WEEKDAY * self.per_day

    def _n_passes(self) -> NDArray[np.int64]:
        """Return how often the tables pass over each place."""
        n_places = len(self.has_labels)
        n_passes = np.zeros(n_places, dtype=np.int64)
        for first, length in self.spans:
            n_passes += length // n_places
            n_passes[(first + np.arange(length % n_places)) % n_places] += 1
        return n_passes

    def _closes(
        self, positions: NDArray[np.int64], rows: NDArray[np.integer]
    ) -> NDArray[np.int64]:
        """Return the times of day of rows and of the next ones as one number each.

        The number is -1 if both are on the same day.
        """
        (last_day, close), (first_day, opening) = (
            np.divmod(positions[edge], self.per_day) for edge in (rows, rows + 1)
        )
        return np.where(first_day > last_day, close * self.per_day + opening, -1)

    def _are_closes(
        self,
        positions: NDArray[np.int64],
        rows: NDArray[np.integer],
        n_missing: NDArray[np.int64],
        by_day: NDArray[np.bool_],
    ) -> NDArray[np.bool_]:
        """Return whether all labels missing after each row are holidays or usual closes."""
        start, stop = (
            positions[rows] // self.per_day + 1,
            positions[rows + 1] // self.per_day,
        )
        until = np.append(0, np.cumsum(by_day))
        in_whole_days = _count(until, stop * self.per_day)
        in_whole_days -= _count(until, start * self.per_day)
        days_until = np.append(0, np.cumsum(by_day.any(axis=1)))
        n_days = _count(days_until, stop) - _count(days_until, start)
        in_parts = n_missing - in_whole_days
        closes = self._closes(positions, rows)
        is_early = in_parts >= EARLY_SHARE * until[-1] / days_until[-1]
        is_part = is_early & np.isin(closes, self.early_closes)
        if self.usual_closes.size:
            usual = np.divmod(self.usual_closes, self.per_day)
            ends = np.divmod(closes, self.per_day)
            is_part |= np.isin(ends[0], usual[0]) & np.isin(ends[1], usual[1])
        are_closes = (n_days <= MOST_HOLIDAYS) & ((in_parts == 0) | is_part)
        days = positions[[0, -1]] // self.per_day
        n_all = _count(days_until, days[1:] + 1) - _count(days_until, days[:1])
        most = max(FEW_HOLIDAYS, HOLIDAY_SHARE * int(n_all[0]))
        return are_closes & ((n_days == 0) | (n_days[are_closes].sum() <= most))


def _runs(absent: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Return the number of each place's run of equal places; the last joins the first."""
    starts = absent != np.roll(absent, 1)
    runs = np.cumsum(starts)
    return np.where(runs == runs[-1], 0, runs) if not starts[0] else runs


def _run_lengths(absent: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Return the length of the run that each place is in."""
    runs = _runs(absent)
    return np.bincount(runs)[runs]


def _count(until: NDArray, positions: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return how many come before each position, in a pattern that repeats.

    `until` is the cumulative sum of the pattern, from 0.
    """
    rounds, rest = np.divmod(positions, len(until) - 1)
    return rounds * until[-1] + until[rest]


def skipped_hours(clock: NDArray[np.int64], unit: str) -> NDArray[np.int64]:
    """Return a number for each time that local clocks skip in spring; 0 for other times.

    Clocks skip an hour from 1:00 or from 2:00 on the second or last Sunday of March, or on
    the first Sunday of October. Each of these hours has a number of its own.
    """
    times = clock.astype(f"M8[{unit}]")
    days, months = times.astype("M8[D]"), times.astype("M8[M]")
    hour = (times - days) // np.timedelta64(1, "h")
    day = (days - months.astype("M8[D]")).astype(np.int64)
    month = months.astype(np.int64) % 12 + 1
    is_sunday = (days.astype(np.int64) + FIRST_WEEKDAY) % 7 == 6
    date = np.select(
        [
            (month == 3) & (day >= 24),
            (month == 3) & (day // 7 == 1),
            (month == 10) & (day < 7),
        ],
        [1, 2, 3],
    )
    return np.where(
        is_sunday & ((hour == 1) | (hour == 2)), 10 * date + hour * (date > 0), 0
    )
