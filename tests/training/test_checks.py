"""What is warned of before and after training: lost digits, and a network that is blind."""

import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sklstm import LSTMRegressor, WindowTransformer, make_windows
from sklstm._training._checks import check_predictions_vary
from sklstm._training._inputs import InputShape, check_windows
from sklstm._training._resolution import check_target_resolution, check_window_resolution
from sklstm.windows._windows import Windows

RNG = np.random.default_rng(0)
SINE = np.sin(0.2 * np.arange(300))
WINDOWS, TARGETS = make_windows(SINE[:, None], SINE, seq_length=8)


def make_regressor(**params):
    return LSTMRegressor(
        **{"units": 3, "epochs": 2, "random_state": 0, "device": "cpu"} | params
    )


def windows_of(*features, dtype=float):
    return make_windows(np.column_stack(features).astype(dtype), seq_length=8)[0]


# Digits that float32 loses


@pytest.mark.parametrize("copied", [False, True], ids=["view", "copy"])
@pytest.mark.parametrize("level", [1e6, -1e8, 1e15])
def test_feature_whose_differences_float32_loses_is_told(level, copied):
    # float32's numbers are 1/16, 8 and 6.7e7 apart there; the sine's deviation is 0.7.
    windows = windows_of(SINE, level + SINE)
    with pytest.warns(UserWarning, match=r"^Feature 1 of X: .* float32, .*StandardScaler"):
        check_window_resolution(Windows.of_array(windows.copy() if copied else windows))


def test_features_are_named_where_names_are_known():
    windows = windows_of(1e8 + SINE, SINE, 1e8 - SINE)
    with pytest.warns(UserWarning, match="Features 'load', 'heat' of X"):
        check_window_resolution(Windows.of_array(windows), names=["load", "wind", "heat"])
    many = windows_of(*(1e8 + k * SINE for k in range(1, 9)))
    with pytest.warns(UserWarning, match="Features 0, 1, 2, 3, 4, … of X"):
        check_window_resolution(Windows.of_array(many))


def test_numbers_of_the_warning_are_those_of_the_feature():
    with pytest.warns(
        UserWarning, match=r"up to 1e\+08 with .* of 0\.706\. .* are 8 apart"
    ):
        check_window_resolution(Windows.of_array(windows_of(1e8 + SINE)))


def test_values_that_float32_has_already_rounded_are_told():
    with pytest.warns(UserWarning, match="Feature 0"):
        check_window_resolution(Windows.of_array(windows_of(1e6 + SINE, dtype=np.float32)))


COUNTS = RNG.integers(0, 10, 300)
HELD = {
    "scaled": windows_of(SINE),
    "far, but wide": windows_of(1e8 + 1e5 * SINE),
    "Kelvin": windows_of(300 + 10 * SINE),
    "years": windows_of(2000 + np.arange(300) // 12),
    "seconds of days": windows_of(1.6e9 + 86400.0 * np.arange(300)),
    "whole numbers below 2 ** 24": windows_of(16_000_000 + COUNTS),
    "the same in float32": windows_of(16_000_000 + COUNTS, dtype=np.float32),
    "integers": windows_of(16_000_000 + COUNTS, dtype=np.int64),
    "multiples of 4 above": windows_of(2.0**25 + 4 * COUNTS),
    "constant": windows_of(np.full(300, 1e8 + 0.3)),
    "constant but for rounding": windows_of(np.where(COUNTS > 4, 0.1 + 0.2, 0.3) * 1e9),
    "tiny": windows_of(1e-30 * SINE),
    "huge": windows_of(1e37 * SINE),
    "zeros": windows_of(np.zeros(300)),
    "half precision": windows_of(10 * SINE, dtype=np.float16),
    "rows without steps": WindowTransformer(8).fit_transform(SINE[:, None]),
}


@pytest.mark.parametrize("windows", HELD.values(), ids=HELD)
def test_features_that_float32_holds_are_quiet(windows):
    check_window_resolution(Windows.of_array(windows))
    check_window_resolution(Windows.of_array(windows.copy()))


@settings(deadline=None, max_examples=50)
@given(
    level=st.floats(-1e12, 1e12), spread=st.floats(1e-6, 1e12), seed=st.integers(0, 9999)
)
def test_warning_is_where_spacing_exceeds_a_hundredth_of_the_deviation(level, spread, seed):
    series = level + spread * np.random.default_rng(seed).normal(size=(50, 1))
    series = np.vstack([series, series[-1:]])  # no window of length 1 holds the last step
    largest, deviation = np.abs(series).max(), series[:-1].std()
    windows = make_windows(series, seq_length=1)[0]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        check_window_resolution(Windows.of_array(windows))
    is_constant = np.ptp(series) <= 4 * np.spacing(largest)
    exceeds = np.spacing(np.float32(largest)) / (0.01 * deviation) if deviation else 0
    # A deviation of a few of float64's steps has few digits itself.
    if not 0.99 < exceeds < 1.01:
        assert bool(caught) == (exceeds > 1 and not is_constant)


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_regressor_warns_of_lost_digits(method):
    with pytest.warns(UserWarning, match="Feature 0 of X: .* lost or coarse"):
        getattr(make_regressor(residual=True), method)(WINDOWS + 1e7, TARGETS)


def test_unscaled_targets_that_lose_their_digits_are_told():
    targets = 1e8 + TARGETS[:, None]
    with pytest.warns(UserWarning, match="y holds .* Set normalize_y=True"):
        check_target_resolution(targets)
    make_regressor(epochs=1).fit(WINDOWS, targets[:, 0])  # scaled, nothing is lost
    check_target_resolution(TARGETS[:, None])
    check_target_resolution(np.full((9, 1), 1e8 + 0.1))


# A network that does not see its inputs

UNSEEN = {
    "positive values of 1e5": 1e5 * (1.5 + WINDOWS),
    "far from 0": 1e4 + 100 * WINDOWS,
    "both signs": 1e5 * WINDOWS,
    "noise of 1e5": 1e5 * RNG.random(WINDOWS.shape),
    "one scaled, one not": np.dstack([WINDOWS, 1e5 * (1.5 + WINDOWS)]),
    "next to nothing": 1e-12 * WINDOWS,
}


@pytest.mark.parametrize("X", UNSEEN.values(), ids=UNSEEN)
def test_features_that_the_network_does_not_see_are_told_after_training(X):
    with pytest.warns(UserWarning, match=r"different windows get .*StandardScaler") as told:
        make_regressor(units=20).fit(X, TARGETS)
    assert len(told) == 1


def test_weights_that_a_learning_rate_spoilt_are_told_as_such():
    with pytest.warns(UserWarning, match="hardly sees X. Lower learning_rate"):
        make_regressor(learning_rate=1e3, epochs=1, batch_size=300).fit(WINDOWS, TARGETS)


def test_partial_fit_tells_it_too():
    with pytest.warns(UserWarning, match="get the same prediction"):
        make_regressor().partial_fit(1e5 * (1.5 + WINDOWS), TARGETS)


SEEN = {
    "scaled": (WINDOWS, TARGETS),
    "noise from noise": (RNG.normal(size=(200, 8, 2)), RNG.normal(size=200)),
    "noise from flags": (RNG.integers(0, 2, (200, 8, 1)), RNG.normal(size=200)),
    "constant windows": (np.full((50, 8, 1), 1e5), RNG.normal(size=50)),
    "constant targets": (1e5 * WINDOWS, np.full(len(WINDOWS), 3.0)),
    "one row": (1e5 * WINDOWS[:1], TARGETS[:1]),
    "two rows": (WINDOWS[:2], TARGETS[:2]),
    "rare events": (
        make_windows((RNG.random(300) < 0.03) * 1.0, seq_length=8)[0],
        RNG.normal(size=292),
    ),
    "two targets": (WINDOWS, np.column_stack([TARGETS, np.zeros(len(TARGETS))])),
    "tiny targets": (WINDOWS, 1e-12 * TARGETS),
    # These repeat but for rounding, by which float32 tells values near 0 apart.
    "sines of the hour": (
        make_windows(np.sin(2 * np.pi * np.arange(300) / 24), seq_length=8)[0],
        RNG.normal(size=292),
    ),
    "sines and cosines of the month, scaled": (
        make_windows(
            3 * np.sin(np.pi * np.add.outer(np.arange(300), [0, 3]) / 6), seq_length=8
        )[0],
        RNG.normal(size=292),
    ),
}


@pytest.mark.parametrize(
    "params", [{}, {"residual": True}, {"normalize_y": False}], ids=str
)
@pytest.mark.parametrize(("X", "y"), SEEN.values(), ids=SEEN)
def test_networks_that_see_their_inputs_are_quiet_whatever_they_learned(X, y, params):
    make_regressor(units=1, learning_rate=1e-9, **params).fit(X, y)
    make_regressor(units=20, **params).fit(X, y)


def test_linear_forecast_of_large_values_is_quiet():
    # Its gates are saturated, and its linear part sees every step.
    make_regressor(residual=True).fit(1e5 * (1.5 + WINDOWS), TARGETS)


def test_equal_windows_are_one_and_may_get_one_prediction():
    windows = np.repeat([[[0.0]], [[1.0]]], 8, axis=0)
    targets = RNG.normal(size=(16, 1))
    check_predictions_vary(windows, windows[:, 0], targets)
    with pytest.warns(UserWarning, match="2 different windows get the same prediction"):
        check_predictions_vary(windows, np.zeros((16, 1)), targets)
    check_predictions_vary(windows, np.zeros((16, 1)), np.ones((16, 1)))


# Shapes of windows


def test_shape_of_3d_windows_counts_the_features_of_a_step():
    _, shape = check_windows(make_regressor(), np.zeros((5, 4, 3)), like=None)
    assert shape == InputShape(4, 3, n_columns=None, column_names=None)
    assert shape.n_features_in == 3
    assert shape.column_names_array is None


def test_shape_of_a_table_counts_and_names_its_columns():
    table = pd.DataFrame(np.zeros((5, 2)), columns=["lag2", "lag1"])
    windows, shape = check_windows(make_regressor(), table, like=None)
    assert windows.shape == (5, 2, 1)
    assert windows.n_known.tolist() == [2] * 5
    assert shape == InputShape(2, 1, n_columns=2, column_names=("lag2", "lag1"))
    assert shape.n_features_in == 2
    assert shape.column_names_array.tolist() == ["lag2", "lag1"]
