"""What the displays share: positions on the time axis, runs of rows, styles."""

import numpy as np
import pandas as pd
import pytest

from sklstm.inspection._axes import merged_style, row_positions, runs


@pytest.mark.parametrize(
    ("mask", "expected"),
    [
        ([], []),
        ([False, False], []),
        ([True], [(0, 0)]),
        ([True, True, False, True], [(0, 1), (3, 3)]),
        ([False, True, True], [(1, 2)]),
    ],
    ids=str,
)
def test_runs_are_the_first_and_last_positions_of_true(mask, expected):
    assert runs(np.array(mask, dtype=bool)) == expected


def test_user_style_takes_precedence():
    assert merged_style({"color": "C0", "lw": 1}, None) == {"color": "C0", "lw": 1}
    assert merged_style({"color": "C0"}, {"c": "red"}) == {"color": "red"}


@pytest.mark.parametrize(("ours", "user"), [("color", "facecolor"), ("facecolor", "color")])
def test_one_of_two_colours_is_left(ours, user):
    # matplotlib warns of both.
    assert merged_style({ours: "C0"}, {user: "red"}) == {user: "red"}


def test_rows_without_a_usable_index_are_numbered():
    for index in (None, pd.Index(["a", "b", "c"])):
        positions, name = row_positions(index, 3)
        assert positions.tolist() == [0, 1, 2]
        assert name == "row"


def test_times_with_a_zone_are_local_and_name_it():
    index = pd.date_range("2024-03-30", periods=3, freq="D", tz="Europe/Vienna")
    positions, name = row_positions(index, 3)
    assert positions[0] == np.datetime64("2024-03-30T00:00")
    assert name == "time (Europe/Vienna)"
