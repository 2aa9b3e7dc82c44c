"""Which fit a checkpoint is of: data is compared by value, whatever it is kept in."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sklstm._training import _identity
from sklstm._training._identity import array_sha256
from sklstm.windows._views import N_WINDOWS_AT_ONCE, sliding_windows
from sklstm.windows._windows import Windows

SERIES = np.random.default_rng(0).normal(size=(30, 2))


def windows_sha256(array):
    return _identity.windows_sha256(Windows.of_array(array))


@pytest.mark.parametrize("seq_length", [1, 4, 30])
def test_windows_count_the_same_however_they_lie_in_memory(seq_length):
    view = sliding_windows(SERIES, seq_length)
    copy = view.copy()
    reversed_twice = copy[::-1].copy()[::-1]
    for same in (copy, np.asfortranarray(copy), reversed_twice, copy.astype(">f8")):
        assert windows_sha256(view) == windows_sha256(same)


def test_windows_with_unknown_steps_count_the_same_however_they_lie_in_memory():
    series = np.vstack([np.full((3, 2), np.nan), SERIES])
    view = sliding_windows(series, 4)
    assert windows_sha256(view) == windows_sha256(view.copy())


@settings(max_examples=60, deadline=None)
@given(
    hnp.arrays(np.float32, (9, 2), elements=st.floats(width=32, allow_nan=False)),
    st.integers(1, 9),
)
def test_windows_count_by_value_in_any_type_that_holds_them(series, seq_length):
    windows = sliding_windows(series, seq_length)
    for same in (windows.astype(np.float64), windows.astype(np.longdouble), windows + 0.0):
        assert windows_sha256(windows) == windows_sha256(same)
    whole = np.floor(np.clip(windows, -100, 100))
    for dtype in (np.int64, np.int8, np.float16):
        assert windows_sha256(whole) == windows_sha256(whole.astype(dtype))


def test_zeros_of_both_signs_and_all_kinds_of_nan_are_the_same():
    windows = np.zeros((3, 2, 1))
    assert windows_sha256(windows) == windows_sha256(-windows)
    unknown = np.full(1, np.nan)
    other = (unknown.view(np.uint64) ^ (1 | 1 << 63)).view(np.float64)
    assert array_sha256(unknown) == array_sha256(other)
    assert array_sha256(np.ones(1)) != array_sha256(unknown)


@pytest.mark.parametrize("n_samples", [N_WINDOWS_AT_ONCE - 1, N_WINDOWS_AT_ONCE + 1])
@pytest.mark.parametrize("is_view", [False, True])
def test_every_value_of_windows_counts(n_samples, is_view):
    series = np.zeros((n_samples + 2, 1))
    before = windows_sha256(sliding_windows(series, 3))
    for step in (0, 1, 2, 3, n_samples - 1, n_samples, n_samples + 1):
        changed = series.copy()
        changed[step] = 1.0
        windows = sliding_windows(changed, 3)
        assert windows_sha256(windows if is_view else windows.copy()) != before


def test_one_value_of_one_window_counts():
    windows = sliding_windows(SERIES, 4).copy()
    before = windows_sha256(windows)
    for index in [(0, 0, 0), (5, 1, 1), (26, 3, 0), (26, 0, 0)]:
        changed = windows.copy()
        changed[index] += 1
        assert windows_sha256(changed) != before


def test_shape_and_the_smallest_difference_count():
    assert windows_sha256(np.zeros((4, 2, 1))) != windows_sha256(np.zeros((2, 4, 1)))
    assert windows_sha256(np.zeros((4, 2, 1))) != windows_sha256(np.zeros((8, 1, 1)))
    assert array_sha256(np.zeros(4)) != array_sha256(np.zeros((4, 1)))
    assert array_sha256(np.full(2, 0.1)) != array_sha256(np.full(2, 0.1, np.float32))
    assert array_sha256(None) is None
