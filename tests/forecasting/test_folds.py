"""Folds that forecasts can be tested in, and those that would know the future."""

import numpy as np
import pytest
from sklearn.model_selection import KFold, ShuffleSplit, TimeSeriesSplit

from sklstm.forecasting._folds import check_folds

X, Y = np.zeros((12, 1)), np.zeros(12)


def folds_of(cv, *, steps=None, refit=True):
    return check_folds(cv, X, Y, None, n_rows=12, steps=steps, refit=refit)


def test_number_is_that_of_splits_in_time():
    expected = list(TimeSeriesSplit(3).split(X))
    for (train, test), (wanted_train, wanted_test) in zip(
        folds_of(3), expected, strict=True
    ):
        np.testing.assert_array_equal(train, wanted_train)
        np.testing.assert_array_equal(test, wanted_test)


def test_masks_and_slices_become_positions():
    is_test = np.arange(12) >= 9
    ((train, test),) = folds_of([(~is_test, is_test)])
    assert train.tolist() == list(range(9))
    assert test.tolist() == [9, 10, 11]


@pytest.mark.parametrize("cv", [KFold(3), [(np.arange(3, 9), np.arange(3))]])
def test_training_on_later_rows_is_an_error_unless_nothing_is_fitted(cv):
    with pytest.raises(ValueError, match="would know the future"):
        folds_of(cv)
    assert folds_of(cv, refit=False)


@pytest.mark.parametrize("cv", [ShuffleSplit(1, random_state=0), [([0, 1], [4, 3])]])
def test_test_rows_that_are_not_consecutive_are_an_error(cv):
    with pytest.raises(ValueError, match="not consecutive rows in time order"):
        folds_of(cv)


def test_fewer_test_rows_than_steps_are_an_error():
    with pytest.raises(ValueError, match="Fold 0 has 3 test rows; steps=4 needs"):
        folds_of(3, steps=4)
    assert len(folds_of(3, steps=3)) == 3


def test_no_folds_are_an_error():
    with pytest.raises(ValueError, match="gives no folds"):
        folds_of([])
