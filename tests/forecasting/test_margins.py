"""Past errors of each kind, the finite-sample bound, and how many errors it needs."""

import numpy as np
import pandas as pd
import pytest

from sklstm.forecasting._forecast_table import ForecastTable
from sklstm.forecasting._margins import Sample, margins, samples


def sample(errors):
    errors = np.asarray(errors, dtype=float)
    return Sample("step 1", -errors, errors)


@pytest.mark.parametrize("coverage", [0.5, 0.8, 0.9, 0.95])
@pytest.mark.parametrize("symmetric", [True, False])
def test_margin_is_the_error_of_the_finite_sample_rank(coverage, symmetric):
    rng = np.random.default_rng(0)
    errors = rng.normal(size=79)
    below, above = margins([sample(errors)], coverage, symmetric=symmetric)
    if symmetric:
        rank = int(np.ceil(80 * coverage - 1e-9))
        assert below[0] == above[0] == np.sort(np.abs(errors))[rank - 1]
    else:
        rank = int(np.ceil(80 * (1 + coverage) / 2 - 1e-9))
        assert above[0] == np.sort(errors)[rank - 1]
        assert below[0] == np.sort(-errors)[rank - 1]


@pytest.mark.parametrize(
    ("coverage", "symmetric", "needed"),
    [(0.5, True, 1), (0.8, True, 4), (0.9, True, 9), (0.9, False, 19), (0.95, True, 19)],
)
def test_fewest_errors_are_enough_and_one_less_is_an_error(coverage, symmetric, needed):
    errors = np.arange(1.0, needed + 1)
    _, above = margins([sample(errors)], coverage, symmetric=symmetric)
    assert above[0] == needed
    with pytest.raises(ValueError, match=f"needs at least {needed} errors"):
        margins([sample(errors[1:])], coverage, symmetric=symmetric)


def test_new_error_is_within_the_margin_as_often_as_it_says():
    rng = np.random.default_rng(0)
    hits = []
    for _ in range(4000):
        errors = rng.normal(size=20)
        _, above = margins([sample(errors[:-1])], 0.8, symmetric=True)
        hits.append(abs(errors[-1]) <= above[0])
    assert np.mean(hits) == pytest.approx(0.8, abs=0.02)


# Truths that lie 1, 2, ... above the forecast of 0.
ERRORS = pd.DataFrame(
    {
        "shop": list("aabb"),
        "step": [1, 2, 1, 2],
        "label": pd.date_range("2024-01-05", periods=4),  # Friday to Monday
        "y_true": [1.0, 2.0, 3.0, 4.0],
        "low": 0.0,
        "high": 1.0,
    }
)


def forecast_of(n_rows, keys=None):
    index = pd.date_range("2024-01-13", periods=n_rows)  # from a Saturday on
    values = pd.DataFrame({"y": np.zeros(n_rows)}, index=index)
    return ForecastTable(values, {}, None if keys is None else pd.Index(keys), "shop")


def is_weekend(labels):
    return labels.day_of_week >= 5


def above(forecast, errors=ERRORS, by=None):
    found = samples(forecast, errors, "low", "high", by)
    return [(one.name, one.above.tolist()) for one in found]


def test_errors_have_two_sides():
    (sample, _) = samples(forecast_of(2), ERRORS, "low", "high", None)
    assert sample.below.tolist() == [-1, -3]  # low - y_true
    assert sample.above.tolist() == [0, 2]  # y_true - high


def test_errors_of_a_row_are_those_of_its_step():
    assert above(forecast_of(3)) == [("step 1", [0, 2]), ("step 2", [1, 3]), ("step 3", [])]


def test_errors_of_a_row_are_those_of_its_series_and_step():
    found = above(forecast_of(3, ["b", "a", "b"]), by="shop")
    assert found == [
        ("step 1 of 'b'", [2]),
        ("step 1 of 'a'", [0]),
        ("step 2 of 'b'", [3]),
    ]


def test_errors_of_a_row_are_those_of_labels_of_its_kind():
    saturday, _, monday = above(forecast_of(3), by=is_weekend)
    assert saturday == ("by True", [1, 2])
    assert monday == ("by False", [0, 3])


@pytest.mark.parametrize("unknown", [np.nan, np.inf])
def test_errors_that_are_not_finite_are_left_out(unknown):
    errors = ERRORS.assign(y_true=[unknown, 2.0, 3.0, 4.0])
    assert above(forecast_of(1), errors) == [("step 1", [2])]
    assert above(forecast_of(1), errors.assign(y_true=unknown)) == [("step 1", [])]


@pytest.mark.parametrize(
    ("by", "message"),
    [
        ("shop", "by='shop' has to be a function of labels, or the name"),
        (lambda labels: [1], "one value for each of 4 labels, got an array of shape"),
    ],
)
def test_what_tells_no_kinds_apart_is_an_error(by, message):
    with pytest.raises(ValueError, match=message):
        above(forecast_of(2), by=by)


def test_errors_without_labels_cannot_be_told_apart_by_them():
    with pytest.raises(ValueError, match="errors lacks the column 'label'"):
        above(forecast_of(2), ERRORS.drop(columns="label"), by=is_weekend)
