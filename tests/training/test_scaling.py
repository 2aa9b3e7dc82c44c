"""Mean and deviation of targets at any level, and once more of them have come."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import r2_score

from sklstm import LSTMRegressor, make_windows
from sklstm._training._scaling import (
    TargetScaler,
    mean_and_deviation,
    r_squared,
    standardized,
)

RNG = np.random.default_rng(0)
SINE = np.sin(0.2 * np.arange(240))
WINDOWS, TARGETS = make_windows(SINE[:, None], SINE, seq_length=5)


def make_regressor(**params):
    defaults = {"units": 16, "learning_rate": 0.01, "random_state": 0, "device": "cpu"}
    return LSTMRegressor(**defaults | params)


@settings(deadline=None)
@given(
    level=st.sampled_from([0.0, 1.0, -1e6, 1e12, 1e15]),
    spread=st.sampled_from([0.7, 1e3, 1e20]),
    seed=st.integers(0, 999),
    weighted=st.booleans(),
)
def test_deviation_keeps_its_digits_at_any_level(level, spread, seed, weighted):
    rng = np.random.default_rng(seed)
    y = level + spread * rng.normal(size=(40, 1))
    weights = rng.uniform(0.1, 3, size=40) if weighted else None
    mean, deviation = mean_and_deviation(y, weights)
    # Differences of neighbouring numbers are exact.
    differences = y - y[0]
    expected_mean = np.average(differences, axis=0, weights=weights)
    variance = np.average((differences - expected_mean) ** 2, axis=0, weights=weights)
    np.testing.assert_allclose(deviation, np.sqrt(variance), rtol=1e-12)
    tolerance = 1e-15 * np.abs(y).max()
    np.testing.assert_allclose(mean, y[0] + expected_mean, rtol=0, atol=tolerance)


@pytest.mark.parametrize("constant", [0.0, 0.1, -1 / 3, 1e15 + 0.125, 5e-324, -1e308])
def test_constant_target_has_no_deviation_and_exactly_itself_as_mean(constant):
    mean, deviation = mean_and_deviation(np.full((7, 1), constant), RNG.random(7))
    assert (mean[0], deviation[0]) == (constant, 0.0)
    assert standardized(np.full((7, 1), constant), mean, deviation).tolist() == [[0.0]] * 7


def test_constant_but_for_rounding_is_constant():
    y = np.array([[0.3], [0.1 + 0.2], [0.3]])
    assert mean_and_deviation(y, None)[1] == 0.0


@pytest.mark.parametrize("extreme", [1e-300, 1e300])
def test_squares_of_extreme_targets_neither_overflow_nor_vanish(extreme):
    mean, deviation = mean_and_deviation(extreme * np.array([[1.0], [3.0]]), None)
    np.testing.assert_allclose([*mean, *deviation], [2 * extreme, extreme], rtol=1e-12)


def test_scale_of_targets_that_have_varied_stays():
    scaler = TargetScaler(np.array([1.0]), np.array([2.0]), ())
    assert scaler.with_more_targets(np.array([[9.0], [7.0]]), None) is scaler


def test_scale_of_a_constant_target_is_that_of_the_constant_and_the_new_targets():
    # 0, 2, 4: mean 2, variance (4 + 0 + 4) / 3. The second column has varied already.
    scaler = TargetScaler(np.array([0.0, 5.0]), np.array([0.0, 3.0]), (2,))
    later = scaler.with_more_targets(np.array([[2.0, 1.0], [4.0, 1.0]]), None)
    np.testing.assert_allclose(later.mean, [2, 5])
    np.testing.assert_allclose(later.scale, [np.sqrt(8 / 3), 3])


def test_scaled_targets_come_back_in_their_units_and_shape():
    y = RNG.normal(size=(20, 1)) * 3 + 7
    scaler = TargetScaler.fit(y, None, shape=(), normalize=True)
    np.testing.assert_allclose(scaler.scaled(y).std(), 1)
    np.testing.assert_allclose(scaler.predictions(scaler.scaled(y)), y[:, 0])


@pytest.mark.parametrize("factor", [1.0, 1e6, 1e-6])
def test_partial_fit_learns_after_a_first_call_of_one_row(factor):
    # It predicted that row's target for ever: its deviation is 0.
    y = factor * TARGETS
    regressor = make_regressor().partial_fit(WINDOWS[:1], y[:1])
    np.testing.assert_array_equal(regressor.predict(WINDOWS[:3]), y[0])
    for _ in range(30):
        regressor.partial_fit(WINDOWS, y)
    assert regressor.score(WINDOWS, y) > 0.9


def test_warm_start_learns_after_constant_targets():
    regressor = make_regressor(warm_start=True, epochs=20)
    regressor.fit(WINDOWS, np.full(len(WINDOWS), 7.0))
    np.testing.assert_array_equal(regressor.predict(WINDOWS[:3]), 7.0)
    assert regressor.fit(WINDOWS, 100 * TARGETS).score(WINDOWS, 100 * TARGETS) > 0.9


def test_stream_of_single_rows_gets_a_scale_with_the_second_target():
    regressor = make_regressor()
    for row in range(4):
        regressor.partial_fit(WINDOWS[row : row + 1], TARGETS[row : row + 1])
    predictions = regressor.predict(WINDOWS)
    assert len(np.unique(predictions)) == len(np.unique(WINDOWS, axis=0))


def test_output_that_stays_constant_is_predicted_exactly_beside_one_that_varies():
    y = np.column_stack([TARGETS, np.full(len(TARGETS), 0.1)])
    regressor = make_regressor().partial_fit(WINDOWS[:1], y[:1]).partial_fit(WINDOWS, y)
    np.testing.assert_array_equal(regressor.predict(WINDOWS)[:, 1], 0.1)


def test_target_far_from_0_is_learned():
    # 0.7 at 1e15 was taken for constant. float64's numbers are 1/8 apart there.
    y = 1e15 + TARGETS
    assert make_regressor(epochs=20).fit(WINDOWS, y).score(WINDOWS, y) > 0.9


def test_score_does_not_depend_on_the_level():
    y, predictions = RNG.normal(size=50), RNG.normal(size=50)
    expected = r2_score(y, predictions)
    level = 2.0**30  # exact for both
    y, predictions = (np.round(a * 2**20) / 2**20 for a in (y, predictions))
    expected = r2_score(y, predictions)
    assert r_squared(y + level, predictions + level, None) == pytest.approx(
        expected, rel=1e-12
    )
