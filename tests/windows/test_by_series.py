"""Several fitted series and later rows of them: as each series alone."""

import numpy as np
import pandas as pd
import pytest

from sklstm.windows._by_series import ManySeries
from sklstm.windows._requests import ChosenSteps, LastRows, UnknownPastError

RNG = np.random.default_rng(0)
KEYS = pd.Index(list("abbab" * 6))
ROWS = RNG.normal(size=(len(KEYS), 2))
LATER_KEYS = pd.Index(list("bcab"))
LATER = RNG.normal(size=(len(LATER_KEYS), 2))


def make_series(seq_length=3, horizon=1, context="auto", cuts=False):
    return ManySeries(seq_length, horizon, context, cuts)


def fitted_on(many, rows=ROWS, keys=KEYS, index=None):
    return many.fit(rows, keys, index, None)[0]


def window(steps, seq_length=3, horizon=1):
    """The window of the last step: NaN before the first one that is known."""
    known = steps[: len(steps) - horizon][-seq_length:]
    unknown = np.full((seq_length - len(known), steps.shape[1]), np.nan)
    return np.concatenate([unknown, known])


def windows_alone(rows, keys, pasts):
    """The window of each row, from a past and the rows of its own series up to it."""
    windows = []
    for row, key in enumerate(keys):
        own = rows[: row + 1][keys[: row + 1] == key]
        windows.append(window(np.concatenate([pasts.get(key, rows[:0]), own])))
    return np.array(windows)


def test_context_is_the_last_steps_of_each_series():
    fitted = fitted_on(make_series(seq_length=3, horizon=2))
    # The window of the next row begins 4 rows before it.
    assert fitted.names.tolist() == ["a", "b"]
    assert fitted.counts.tolist() == [4, 4]
    expected = np.concatenate([ROWS[key == KEYS][-4:] for key in "ab"])
    np.testing.assert_array_equal(fitted.context, expected)


def test_short_series_is_remembered_whole():
    fitted = fitted_on(make_series(seq_length=9), ROWS[:3], KEYS[:3])
    assert fitted.counts.tolist() == [1, 2]
    np.testing.assert_array_equal(fitted.context, ROWS[:3])


def test_windows_of_fitted_rows_have_no_past_of_other_series():
    many = make_series()
    _, panel, missing = many.fit(ROWS, KEYS, None, None)
    windows = many.fitted_windows(ROWS, panel, missing)
    np.testing.assert_array_equal(np.asarray(windows), windows_alone(ROWS, KEYS, {}))


@pytest.mark.parametrize("context", ["auto", "always", "never"])
def test_later_rows_have_the_past_of_their_series_unless_never(context):
    many = make_series(context=context)
    windows = many.transform(fitted_on(many), LATER, LATER_KEYS, None)
    pasts = {} if context == "never" else {key: ROWS[key == KEYS] for key in "ab"}
    np.testing.assert_array_equal(
        np.asarray(windows), windows_alone(LATER, LATER_KEYS, pasts)
    )


def test_series_that_are_the_fitted_rows_again_have_no_past():
    # "b" begins again as it was fitted, "a" goes on.
    again = np.concatenate([ROWS[KEYS == "b"], LATER])
    keys = pd.Index(["b"] * 18 + ["a"] * 4)
    later = make_series().later(fitted_on(make_series()), again, keys, None)
    assert later.numbers.tolist() == [1, 0]
    assert later.follows.tolist() == [False, True]


def test_series_before_the_one_that_is_recognised_changes_nothing():
    # "a" has a relation by its rows, "c" is new, and "b" is recognised behind both.
    rows = np.concatenate([LATER[:2], ROWS[KEYS == "b"]])
    keys = pd.Index(["c", "a"] + ["b"] * 18)
    later = make_series().later(fitted_on(make_series()), rows, keys, None)
    assert later.follows.tolist() == [False, True, False]


def dated(n, start="2024-01-01"):
    return pd.date_range(start, periods=n)


def test_labels_tell_series_apart_that_follow_and_that_do_not():
    many = make_series()
    keys, index = pd.Index(["a"] * 9 + ["b"] * 9), dated(9).append(dated(9))
    fitted = fitted_on(many, ROWS[:18], keys, index)
    later = dated(2, "2024-01-10").append(dated(2, "2024-01-13"))
    with pytest.warns(UserWarning, match=r"The series 'b' of X starts at 2024-01-13"):
        found = many.later(fitted, LATER, pd.Index(list("aabb")), later)
    assert found.follows.tolist() == [True, False]
    assert found.missing.tolist() == [0, 0, 3, 0]


def test_cut_windows_begin_after_the_missing_steps_between():
    many = make_series(cuts=True)
    keys, index = pd.Index(["a"] * 9 + ["b"] * 9), dated(9).append(dated(9))
    fitted = fitted_on(many, ROWS[:18], keys, index)
    later = dated(2, "2024-01-10").append(dated(2, "2024-01-11"))
    windows = many.transform(fitted, LATER, pd.Index(list("aabb")), later)
    # One step is missing before the first row of "b": the newest of its window.
    assert windows.n_known.tolist() == [3, 3, 0, 1]


def test_forecast_is_given_complete_windows_or_an_error():
    many = make_series()
    fitted = fitted_on(many)
    asked = LastRows(2, n_series=2, only_these=True)
    windows = many.answer(fitted, LATER[[0, 2, 3, 1]], pd.Index(list("baba")), None, asked)
    assert windows.shape == (2, 3, 2)
    assert np.isfinite(np.asarray(windows)).all()
    with pytest.raises(UnknownPastError, match="series 'c'"):
        many.answer(fitted, LATER[:2], pd.Index(list("bc")), None, asked)


def test_rows_that_a_forecast_predicts_do_not_show_what_continues():
    # The known rows of "b" are its fitted ones again, as far as they go; what the
    # forecast wrote below them is not.
    many = make_series()
    own = ROWS[KEYS == "b"]
    rows = np.concatenate([own, LATER[:1]])
    later = many.later(fitted_on(many), rows, pd.Index(["b"] * 19), None, n_known=18)
    assert not later.follows[0]


def test_chosen_steps_are_taken_from_the_table_as_they_are():
    many = make_series()
    steps = np.array([[0, 2, 1], [3, 3, 0]])
    request = ChosenSteps(steps, n_series=4)
    windows = many.answer(fitted_on(many), LATER, LATER_KEYS, None, request)
    np.testing.assert_array_equal(windows, LATER[steps])


def test_missing_labels_of_y_alone_are_warned_of():
    index = dated(7).delete(3).append(dated(7).delete(3))
    keys = pd.Index(["a"] * 6 + ["b"] * 6)
    with pytest.warns(UserWarning, match="The index of y leaves out 2 labels"):
        make_series().fit(ROWS[:12], keys, None, index)
