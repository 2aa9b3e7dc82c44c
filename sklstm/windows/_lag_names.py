"""Names of the columns of a table of lags, such as ``lag_1``, ``y_lag_2`` or ``y_lag-3``.

Each tool writes them in its own way. Names that contradict the parameters of
`LagsToWindows` are an error; names that make them doubtful are a warning.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, product
from typing import Self

import numpy as np
from numpy.typing import NDArray

from sklstm.windows._lag_columns import LagLayout, Layout, Order
from sklstm.windows._warnings import warn_caller

ORDERS: tuple[Order, ...] = ("newest", "oldest")
LAYOUTS: tuple[Layout, ...] = ("blocks", "interleaved")

# `lag_1` (skforecast), `lag1` (mlforecast), `y_target_lag-1` (darts), `x0_lag1` (ours and
# feature-engine's), `y(t-1)` and `y(t)` (by hand), and `lag_1__y` (sktime).
NUMBER_LAST = re.compile(
    r"(?P<series>.*?)[_ (]*(?<![a-z])(?:lag_? ?(?P<lag>-?\d+)|t ?(?P<time>[-+] ?\d+))\)?"
    r"|(?P<row>.*)\(t\)",
    re.IGNORECASE,
)
NUMBER_FIRST = re.compile(r"lag_?(?P<lag>-?\d+)_+(?P<series>.+)", re.IGNORECASE)
NEGATIVE_LAG = re.compile(r"(?<![a-z])lag-\d", re.IGNORECASE)


@dataclass(frozen=True)
class Lag:
    """Meaning of a column's name: how many steps before the row, and of which series."""

    series: str
    steps: int

    @classmethod
    def of_name(cls, name: str, *, counts_forward: bool) -> Self | None:
        """Return what a name means; None if it is not the name of a lag."""
        match = NUMBER_LAST.fullmatch(name) or NUMBER_FIRST.fullmatch(name)
        if match is None:
            return None
        series, lag, time = map(match.groupdict().get, ("series", "lag", "time"))
        if series is None:
            return cls(match["row"], 0)
        forward = time if lag is None else lag if counts_forward else f"-{lag}"
        return cls(str(series), -int(str(forward).replace(" ", "")))


def read_lags(names: Sequence[str]) -> list[Lag | None]:
    """Return the meaning of the names of all columns.

    Most tools count steps back. darts counts forward: its ``lag-1`` is one step back.
    """
    counts_forward = any(NEGATIVE_LAG.search(name) for name in names)
    return [Lag.of_name(name, counts_forward=counts_forward) for name in names]


def series_names(names: Sequence[str], lags: LagLayout) -> list[str]:
    """Return a name for each series, made from the names of its lags where they agree."""
    found, columns = read_lags(names), lags.lag_columns()
    named = []
    for number in range(lags.n_series):
        series = {lag.series for c in columns[:, number] if (lag := found[c]) is not None}
        named.append(
            f"{series.pop()}_lags" if len(series) == 1 and "" not in series else ""
        )
    if lags.n_series == 1:
        return [named[0] or "lags"]
    return [name or f"lags{number}" for number, name in enumerate(named)]


def check_lag_names(names: Sequence[str], lags: LagLayout) -> None:
    """Raise an error if names contradict the parameters; warn if that is not certain.

    Names that do not look like those of lags say nothing. Only the newest lag may have such
    a name among others that do: it may be the row's own value.
    """
    found, columns = read_lags(names), lags.lag_columns()
    named = [found[column] is not None for column in columns.flat]
    behind = [c for c in lags.other_columns(len(names)) if found[c] is not None]
    if not any(named):
        if len(behind) >= len(named) > 1:
            _warn_of_other_place(names, lags, behind[0])
        return
    if _is_in_order(found, columns):
        _warn_of_left_out(names, found, lags, behind)
        return
    others = [
        replace(lags, order=order, layout=layout)
        for order, layout in product(ORDERS, LAYOUTS)
    ]
    fitting = [one for one in others if _is_in_order(found, one.lag_columns())]
    if fitting and all(named):
        raise ValueError(_contradiction(names, lags, fitting[0]))
    first_named = next(str(name) for name, lag in zip(names, found, strict=True) if lag)
    _warn_of_no_order(names, lags, None if all(named) else first_named)


def _is_in_order(found: list[Lag | None], columns: NDArray[np.intp]) -> bool:
    """Return whether each series has one name, and lags that decrease down its column."""
    if all(found[column] is None for column in columns[-1]):  # the row's own values
        columns = columns[:-1]
    for column in columns.T:
        known = [lag for c in column if (lag := found[c]) is not None]
        if len(known) < len(column) or len({lag.series for lag in known}) > 1:
            return False
        if any(a.steps <= b.steps for a, b in pairwise(known)):
            return False
    return True


def _contradiction(names: Sequence[str], lags: LagLayout, fitting: LagLayout) -> str:
    changed = [
        key for key in ("order", "layout") if getattr(lags, key) != getattr(fitting, key)
    ]
    given, right = (
        " and ".join(f'{key}="{getattr(one, key)}"' for key in changed)
        for one in (lags, fitting)
    )
    return (
        f"The names of the lags, {_shown([names[c] for c in lags.read])}, contradict "
        f"{given}. Set {right}, or, if the names are wrong, rename the columns or pass an "
        "array."
    )


def _shown(names: Sequence[str]) -> str:
    few = names if len(names) <= 6 else [*names[:4], "…", names[-1]]
    return ", ".join(name if name == "…" else repr(str(name)) for name in few)


def _warn_of_other_place(names: Sequence[str], lags: LagLayout, place: int) -> None:
    warn_caller(
        f"The columns {_shown([names[c] for c in lags.read])} are read as lags, but "
        f"{str(names[place])!r} and others look like the lags. If they are, set "
        f"first_lag={str(names[place])!r}."
    )


def _warn_of_no_order(
    names: Sequence[str], lags: LagLayout, first_named: str | None
) -> None:
    """Warn of the order; `first_named` is the first lag by name, if some are not lags."""
    read = [names[c] for c in lags.read]
    remedy = "Sort the lags of each series by time, and select as many as you pass."
    if first_named is not None:
        remedy = (
            f"Check n_lags={lags.n_lags}, n_series and first_lag; the first lag by name is "
            f"{first_named!r}."
        )
    warn_caller(
        f"The columns {_shown(read)} are read as lags, {lags.order} first, but their names "
        f"are not those of lags in time order. {remedy}"
    )


def _warn_of_left_out(
    names: Sequence[str],
    found: list[Lag | None],
    lags: LagLayout,
    others: list[int],
) -> None:
    """Warn if a column behind the lags continues them.

    Then `n_lags` is too small or, if the newest lag has no name of a lag, a column before
    the lags is read as one.
    """
    columns = lags.lag_columns()
    oldest = [found[c] for c in columns[0]]
    following = {Lag(lag.series, lag.steps + 1) for lag in oldest if lag is not None}
    left_out = next((column for column in others if found[column] in following), None)
    if left_out is None:
        return
    remedy = "Raise n_lags, or drop the column."
    newest = columns[-1, 0]
    if found[newest] is None and newest == lags.starts[0]:
        remedy = (
            f"If {str(names[newest])!r} is no lag, set "
            f"first_lag={str(names[newest + 1])!r}; else raise n_lags, or drop the column."
        )
    warn_caller(
        f"n_lags={lags.n_lags} leaves out {str(names[left_out])!r}, the next older lag, "
        f"which is repeated at every step like a column that is no lag. {remedy}"
    )
