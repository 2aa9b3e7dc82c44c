"""The rows of a backtest by series: their order, their labels, and which are origins."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline

from sklstm import LSTMRegressor, WindowTransformer
from sklstm.forecasting._layout import Layout

KEYS = list("babba")
DAYS = pd.DatetimeIndex(
    ["2024-01-01", "2024-01-01", "2024-01-02", "2024-01-03", "2024-01-02"]
)


def model(groups=None):
    return make_pipeline(WindowTransformer(2, groups=groups), LSTMRegressor())


def table_of(keys=KEYS, index=DAYS):
    return pd.DataFrame({"shop": keys, "x": np.arange(5.0)}, index=index)


def layout_of(table, groups="shop", y=None, **params):
    y = np.zeros(len(table)) if y is None else y
    has_index = isinstance(table, pd.DataFrame)
    return Layout.of(model(groups), table, y, **{"has_index": has_index} | params)


def test_table_of_one_series_stays_as_it_is():
    table = table_of()[["x"]]
    layout = layout_of(table, None)
    assert layout.table is table
    assert layout.order.tolist() == [0, 1, 2, 3, 4]
    assert layout.starts.tolist() == [0] * 5
    assert layout.labels.equals(table.index)
    assert (layout.keys, layout.group, layout.name_of(2)) == (None, None, "")


def test_model_without_windows_has_one_series():
    layout = Layout.of(Ridge(), np.zeros((3, 1)), np.zeros(3), has_index=False)
    assert layout.keys is None


def test_rows_are_sorted_by_series_in_time_order():
    # "b" comes first, in rows 0, 2 and 3.
    layout = layout_of(table_of())
    assert layout.order.tolist() == [0, 2, 3, 1, 4]
    assert layout.keys.tolist() == list("bbbaa")
    assert layout.starts.tolist() == [0, 0, 0, 3, 3]
    assert layout.table["x"].tolist() == [0, 2, 3, 1, 4]
    assert layout.labels.equals(DAYS.take(layout.order))
    assert layout.table.index.equals(layout.labels)
    assert (layout.name, layout.group) == ("shop", 0)
    assert layout.name_of(3) == " of the series 'a'"


def test_level_of_the_index_tells_series_apart_too():
    index = pd.MultiIndex.from_arrays([KEYS, DAYS], names=["shop", "day"])
    layout = layout_of(pd.DataFrame({"x": np.arange(5.0)}, index=index))
    assert layout.table["x"].tolist() == [0, 2, 3, 1, 4]
    assert layout.table.index.names == ["shop", "day"]
    assert layout.labels.equals(DAYS.take(layout.order))
    assert (layout.name, layout.group) == ("shop", None)


def test_array_has_positions_as_labels():
    array = np.column_stack([[1, 0, 1, 1, 0], np.arange(5)])
    layout = layout_of(array, 0)
    np.testing.assert_array_equal(layout.table, array[[0, 2, 3, 1, 4]])
    assert layout.labels.tolist() == [0, 2, 3, 1, 4]
    assert (layout.name, layout.group) == ("series", 0)


@pytest.mark.parametrize("groups", [None, 0])
def test_labels_of_y_stand_in_for_those_of_an_array(groups):
    array = np.column_stack([[1, 0, 1, 1, 0], np.arange(5)])
    y = pd.Series(np.zeros(5), index=DAYS)
    layout = layout_of(array, groups, y)
    assert layout.labels.equals(DAYS.take(layout.order))


def test_labels_that_say_nothing_of_time_give_way_to_places():
    layout = layout_of(table_of(index=pd.RangeIndex(5)))
    assert layout.table.index.tolist() == [0, 1, 2, 0, 1]  # within each series
    assert layout.labels.tolist() == [0, 2, 3, 1, 4]  # what the user knows


def test_places_of_rows_are_in_the_sorted_table():
    layout = layout_of(table_of())
    assert layout.places(np.array([4, 0, 3])).tolist() == [0, 2, 4]
    assert layout.places(np.arange(5)).tolist() == [0, 1, 2, 3, 4]


def test_sorted_rows_are_split_by_series():
    layout = layout_of(table_of())
    parts = layout.by_series(np.array([1, 2, 4]))
    assert [part.tolist() for part in parts] == [[1, 2], [4]]


def origins(layout, test, *, reach=2, steps=1, every=1):
    return layout.origins(np.array(test), reach=reach, steps=steps, every=every).tolist()


@pytest.mark.parametrize(
    ("steps", "every", "expected"),
    [
        (1, 1, [5, 6, 7, 8]),  # the first known row is the one before the test rows
        (3, 1, [5, 6]),
        (1, 3, [5, 8]),
        (4, 1, [5]),
        (5, 1, []),
    ],
)
def test_origins_of_one_series(steps, every, expected):
    # Test rows 6 to 9: the last origin still has all of its steps among them.
    layout = layout_of(np.zeros((10, 1)), None)
    assert origins(layout, range(6, 10), steps=steps, every=every) == expected


LONG = pd.DataFrame({"shop": ["a"] * 6 + ["b"] * 6, "x": np.arange(12.0)})


@pytest.mark.parametrize(
    ("test", "expected"),
    [
        ([4, 5, 10, 11], [3, 4, 9, 10]),
        # "b" is new, so that its first two rows are no more than a past.
        ([4, 5, *range(6, 12)], [3, 4, 7, 8, 9, 10]),
        ([4, 5, 6, 7], [3, 4]),
    ],
)
def test_origins_of_series_have_the_past_that_windows_reach_back_to(test, expected):
    assert origins(layout_of(LONG), test) == expected


def test_origins_of_every_series_are_counted_from_its_own_first():
    assert origins(layout_of(LONG), [3, 4, 5, 8, 9, 10, 11], every=2) == [2, 4, 7, 9]


def test_no_series_with_an_origin_is_an_error():
    with pytest.raises(ValueError, match="steps=3 rows ahead, after 2 rows"):
        origins(layout_of(LONG), [4, 5, 10, 11], steps=3)


def test_rows_with_a_past_are_those_whose_windows_are_complete():
    layout = layout_of(LONG)
    assert layout.with_past(np.arange(12), 4).tolist() == [4, 5, 10, 11]
    with pytest.raises(ValueError, match="No test row has the 4 rows of its series"):
        layout.with_past(np.arange(3), 4)
