"""Row labels that a series may carry, for the tests of windows.

Each maker gives `n` labels in time order, one for each step, none missing.
"""

import datetime
import decimal

import numpy as np
import pandas as pd
from pandas.tseries.holiday import USFederalHolidayCalendar


def without_freq(index):
    """The same labels as they come from a file: pandas does not know their step."""
    if not isinstance(index, (pd.DatetimeIndex, pd.TimedeltaIndex)):
        return index
    index = index.copy()
    index.freq = None
    return index


def times(freq, start="2021-01-31", tz=None):
    return lambda n: pd.date_range(start, periods=n, freq=freq, tz=tz)


def periods(freq):
    return lambda n: pd.period_range("2021-01-29", periods=n, freq=freq)


WITH_FREQ = {
    "daily": times("D"),
    "every other day": times("2D"),
    "hourly": times("h"),
    "quarter-hourly": times("15min"),
    "every third hour": times("3h"),
    "milliseconds": times("ms"),
    "business days": times("B"),
    "weekly": times("W-WED"),
    "every other week": times("2W"),
    "month ends": times("ME"),
    "month starts": times("MS"),
    "business month ends": times("BME"),
    "business month starts": times("BMS"),
    "business quarter ends": times("BQE"),
    "every other month": times("2MS"),
    "semi-monthly": times("SMS"),
    "quarter ends": times("QE"),
    "quarter starts": times("QS"),
    "year starts": times("YS"),
    "fiscal years": times("YE-APR"),
    "before 1677": lambda n: pd.date_range("1500", periods=n, freq="YS", unit="s"),
    "seconds as unit": lambda n: times("D")(n).as_unit("s"),
    "hourly, clock forward": times("h", "2021-03-27 20:00", "Europe/Berlin"),
    "hourly, clock back": times("h", "2021-10-30 20:00", "Europe/Berlin"),
    "six-hourly, clock forward": times("6h", "2021-03-26", "Europe/Berlin"),
    "daily, clock forward": times("D", "2021-03-20", "America/New_York"),
    "daily, clock back": times("D", "2021-10-25", "Europe/Berlin"),
    "half-hourly, clock back half an hour": times(
        "30min", "2021-04-03 20:00", "Australia/Lord_Howe"
    ),
    "24 hours, clock forward": times("24h", "2021-03-20", "America/New_York"),
    "24 hours, clock back": times("24h", "2021-10-28 12:00", "Europe/Berlin"),
    "weekly, clock forward": times("W", "2021-03-01", "Europe/Berlin"),
    "timedelta hours": lambda n: pd.timedelta_range("0h", periods=n, freq="h"),
}

EVENLY_SPACED = {
    **WITH_FREQ,
    **{
        f"{name}, no freq": lambda n, make=make: without_freq(make(n))
        for name, make in WITH_FREQ.items()
    },
    "period days": periods("D"),
    "period months": periods("M"),
    "period quarters": periods("Q-NOV"),
    "period weeks": periods("W"),
    "period hours": periods("h"),
    "range": lambda n: pd.RangeIndex(n),
    "range from elsewhere": lambda n: pd.RangeIndex(1700, 1700 + n),
    "range of step 3": lambda n: pd.RangeIndex(-7, -7 + 3 * n, 3),
    "integers": lambda n: pd.Index(np.arange(n)),
    "integers of step 10": lambda n: pd.Index(10 * np.arange(n)),
    "negative integers": lambda n: pd.Index(np.arange(n) - n - 5),
    "small integers": lambda n: pd.Index(np.arange(n), dtype="uint8"),
    "nullable integers": lambda n: pd.Index(np.arange(n), dtype="Int64"),
    "categories of integers": lambda n: pd.CategoricalIndex(np.arange(n)),
    "integers as objects": lambda n: pd.Index(list(range(n)), dtype=object),
    "years as floats": lambda n: pd.Index(np.arange(n) + 1700.0),
    "quarters as floats": lambda n: pd.Index(np.arange(n) / 4),
    "months as rounded floats": lambda n: pd.Index(np.round(1958 + np.arange(n) / 12, 3)),
    "nullable floats": lambda n: pd.Index(np.arange(n) / 10, dtype="Float64"),
    "decimals": lambda n: pd.Index([decimal.Decimal(i) / 10 for i in range(n)]),
    "dates as objects": lambda n: pd.Index([time.date() for time in times("D")(n)]),
    "times as objects": lambda n: pd.Index(times("h")(n).to_pydatetime(), dtype=object),
    "times of NumPy as objects": lambda n: pd.Index(
        list(times("D")(n).to_numpy()), dtype=object
    ),
    "zoned times as objects": lambda n: pd.Index(
        list(times("h", tz="Europe/Berlin")(n)), dtype=object
    ),
    "offsets of summer and winter": lambda n: pd.Index(
        [
            datetime.datetime.fromisoformat(time.isoformat())
            for time in times("h", "2021-03-27 20:00", "Europe/Berlin")(n)
        ],
        dtype=object,
    ),
    "periods as objects": lambda n: pd.Index(list(periods("M")(n)), dtype=object),
    "durations as objects": lambda n: pd.Index(
        [datetime.timedelta(hours=i) for i in range(n)], dtype=object
    ),
    "categories of days": lambda n: pd.CategoricalIndex(times("D")(n)),
    "third Fridays": lambda n: without_freq(times("WOM-3FRI")(n)),
    "the 15th of each month": lambda n: without_freq(times("MS")(n) + pd.Timedelta("14D")),
    "the 1st, 11th and 21st of each month": lambda n: pd.DatetimeIndex(
        [
            start + pd.Timedelta(days, "D")
            for start in pd.date_range("2000", periods=n, freq="MS")
            for days in (0, 10, 20)
        ][:n]
    ),
    "Easter Sundays": lambda n: without_freq(
        pd.date_range("2000", periods=n, freq=pd.offsets.Easter())
    ),
    "six-hourly by the local clock": lambda n: without_freq(
        times("6h", "2021-03-26")(n)
    ).tz_localize("Europe/Berlin"),
}

# Labels that have no order in time.
UNORDERED = {
    "strings": lambda n: pd.Index([f"{n - i}th row" for i in range(n)]),
    "the same string": lambda n: pd.Index(["a"] * n),
}


def trading_days(n):
    """Weekdays without the federal holidays of the United States."""
    weekdays = pd.bdate_range("2018-01-02", periods=2 * n)
    holidays = USFederalHolidayCalendar().holidays(weekdays[0], weekdays[-1])
    return without_freq(weekdays.difference(holidays)[:n])


# Those whose labels to come have no rule that pandas knows.
WITHOUT_RULE = {"Easter Sundays", "the 1st, 11th and 21st of each month"}
