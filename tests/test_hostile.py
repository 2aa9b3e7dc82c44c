"""A part of the hostile input; `python -m tests.hostile` draws all of it."""

import numpy as np
import pytest

from sklstm import WindowTransformer
from tests import hostile, naive

PARTS = {
    "windows": (hostile.window_cases(), hostile.check_windows, 60),
    "regressor": (hostile.regressor_cases(), hostile.check_regressor, 250),
    "parameters": (hostile.parameter_cases(), hostile.check_parameters, 120),
    "transformer": (hostile.transformer_cases(), hostile.check_transformer, 150),
}


@pytest.mark.parametrize("part", PARTS)
def test_hostile_input_ends_in_finite_numbers_or_a_plain_error(part):
    cases, check, n_examples = PARTS[part]
    hostile.COUNTS.clear()
    hostile.draw(cases, check, n_examples=n_examples, derandomize=True)
    # Neither all refused nor all taken: both ends are seen.
    if part == "windows":
        assert hostile.COUNTS["windows"] > 500
    else:
        assert hostile.COUNTS["returned"] > 20
        assert hostile.COUNTS["ValueError"] > 20


def test_loops_catch_a_window_that_is_off_by_one():
    series = np.random.default_rng(0).normal(size=(6, 1))
    windows = WindowTransformer(2).fit_transform(series)
    with pytest.raises(AssertionError):
        hostile.assert_same_windows(windows[1:], naive.windows(series, 2, 1)[:-1])


@pytest.mark.parametrize(
    "error", [RuntimeError("of another kind"), ValueError("?"), IndexError("a" * 20)]
)
def test_other_errors_and_empty_messages_are_caught(error):
    with (
        pytest.raises((AssertionError, type(error))) as caught,
        hostile.only_plain_errors("fit"),
    ):
        raise error
    assert not isinstance(caught.value, ValueError)
