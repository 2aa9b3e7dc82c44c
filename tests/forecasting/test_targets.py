"""steps_ahead: columns of later values, as many rows as before."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sklstm import steps_ahead


@settings(deadline=None)
@given(n=st.integers(1, 30), steps=st.integers(1, 30))
def test_column_j_is_the_value_j_steps_later(n, steps):
    y = np.arange(n) * 1.5
    if steps > n:
        with pytest.raises(ValueError, match=f"steps={steps} needs at least {steps}"):
            steps_ahead(y, steps)
        return
    targets = steps_ahead(y, steps)
    for t in range(n):
        for j in range(steps):
            expected = y[t + j] if t + j < n else np.nan
            np.testing.assert_equal(targets[t, j], expected)


def test_index_is_kept():
    y = pd.Series([1, 2, 3], pd.date_range("2024", periods=3), name="level")
    targets = steps_ahead(y, 2)
    assert targets.index.equals(y.index)
    assert targets.iloc[:-1].to_numpy().tolist() == [[1, 2], [2, 3]]
    pd.testing.assert_frame_equal(steps_ahead(y.to_frame(), 2), targets)


def test_wrong_input_is_an_error_that_says_so():
    with pytest.raises(ValueError, match="expected one series"):
        steps_ahead(np.ones((5, 2)), 2)
    with pytest.raises(ValueError, match="steps"):
        steps_ahead(np.ones(5), 0)
    with pytest.raises(TypeError, match="times"):
        steps_ahead(pd.Series(pd.date_range("2024", periods=3)), 2)
    with pytest.raises(ValueError, match="not increasing"):
        steps_ahead(pd.Series([1.0, 2.0], [1, 0]), 2)
    with pytest.raises(ValueError, match="infinity"):
        steps_ahead([1.0, np.inf], 1)
