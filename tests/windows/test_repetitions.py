"""Chances of repetition: those of many series are those of each alone."""

import numpy as np
import pytest

from sklstm.windows._continuation import chances_of_repetition
from sklstm.windows._repetitions import chances_in_series, series_codes


@pytest.mark.parametrize("n_values", [2, 5, 1000])
def test_chances_of_many_series_are_those_of_each_alone(n_values):
    rng = np.random.default_rng(0)
    counts = np.array([1, 2, 9, 40, 17])
    rows = rng.integers(n_values, size=(counts.sum(), 2)).astype(float)
    low, cells = np.zeros((5, 2)), np.full((5, 2), 0.5)
    codes = series_codes(rows, counts, low, cells)
    alone = [
        chances_of_repetition(part, low[0], cells[0])
        for part in np.split(rows, np.cumsum(counts)[:-1])
    ]
    np.testing.assert_allclose(chances_in_series(codes, counts), np.concatenate(alone))


def test_codes_are_equal_only_for_equal_rows_of_a_series():
    rows = np.array([[1.0], [2.0], [1.0], [1.0]])
    codes = series_codes(rows, np.array([3, 1]), np.zeros((2, 1)), np.full((2, 1), 0.1))
    assert codes[0] == codes[2]
    assert len({*codes[[0, 1, 3]].tolist()}) == 3
