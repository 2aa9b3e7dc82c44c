"""Tables as users pass them, and the columns that hold the target."""

import numpy as np
import pandas as pd
import pytest

from sklstm.forecasting._columns import (
    Columns,
    check_columns,
    check_future,
    check_table,
    columns_of,
)

TABLE = pd.DataFrame({"level": [1.0, 2.0], "rain": [0.0, 1.0]}, index=[5, 6])
COLUMNS = Columns(("level", "rain"), (0,))


def test_dataframe_keeps_its_index():
    assert check_table(TABLE, "X")[0] is TABLE
    assert check_table(TABLE, "X")[1]


def test_table_of_another_library_becomes_a_dataframe_without_an_index():
    pl = pytest.importorskip("polars")
    table, has_index = check_table(pl.from_pandas(TABLE), "X")
    assert list(table.columns) == ["level", "rain"]
    assert not has_index


def test_lists_become_an_array():
    table, has_index = check_table([[1, 2]], "X")
    assert isinstance(table, np.ndarray)
    assert not has_index


@pytest.mark.parametrize(
    ("passed", "message"),
    [
        (TABLE["level"], r"X is a Series; .* Pass X\.to_frame\(\)"),
        (TABLE.set_axis(["a", "a"], axis=1), "X has several columns 'a'"),
        (TABLE[:0], "X has no rows"),
    ],
)
def test_what_is_no_table_of_rows_is_an_error(passed, message):
    with pytest.raises(ValueError, match=message):
        check_table(passed, "X")


@pytest.mark.parametrize(
    ("target", "positions"),
    [
        ("rain", (1,)),
        (1, (1,)),
        (-1, (1,)),
        (["rain", "level"], (1, 0)),
        (pd.Index(["level"]), (0,)),
        ([], ()),
    ],
)
def test_target_is_a_name_or_a_position_or_several(target, positions):
    columns = check_columns(["level", "rain"], target)
    assert columns.targets == positions
    assert columns.target_names == [("level", "rain")[j] for j in positions]


def test_name_goes_before_position():
    assert check_columns([1, 0], 0).targets == (1,)


def test_only_feature_is_the_target_by_default():
    columns = check_columns(["shop", "level"], None, group=0)
    assert columns.targets == (1,)
    assert columns.features == (1,)
    assert columns.others == ()


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (None, r"X has the columns \['level', 'rain'\]: name those"),
        ("snow", "target='snow' is not among the columns of X"),
        (2, "target=2 is not among"),
        (True, "neither a name nor a position"),
        (1.5, "has to be a name or position"),
        (["rain", 1], "names a column more than once"),
    ],
)
def test_other_targets_are_an_error(target, message):
    with pytest.raises(ValueError, match=message):
        check_columns(["level", "rain"], target)


def test_column_that_tells_series_apart_is_no_target():
    with pytest.raises(ValueError, match="names the column that tells series apart"):
        check_columns(["shop", "level"], "shop", group=0)


def test_all_columns_in_order_are_the_table_itself():
    assert columns_of(TABLE, [0, 1]) is TABLE
    assert list(columns_of(TABLE, [1, 0]).columns) == ["rain", "level"]


def test_future_columns_are_taken_by_name_and_others_ignored():
    future = pd.DataFrame({"snow": [0.0], "rain": [3.0]})
    assert check_future(future, COLUMNS, with_targets=False).columns.tolist() == ["rain"]


@pytest.mark.parametrize("n_columns", [1, 2])
def test_future_array_has_all_columns_or_those_that_are_read(n_columns):
    future = np.array([[9.0, 3.0]])[:, -n_columns:]
    assert check_future(future, COLUMNS, with_targets=False).tolist() == [[3.0]]


def test_future_that_lacks_columns_is_an_error():
    with pytest.raises(ValueError, match=r"X_future lacks the columns \['rain'\] of X"):
        check_future(pd.DataFrame({"level": [1.0]}), COLUMNS, with_targets=False)
    with pytest.raises(ValueError, match="With horizon=0 a row holds the last known"):
        check_future(pd.DataFrame({"rain": [1.0]}), COLUMNS, with_targets=True)
    with pytest.raises(ValueError, match="X_future has 3 columns; expected 1 or 2"):
        check_future(np.zeros((1, 3)), COLUMNS, with_targets=False)
