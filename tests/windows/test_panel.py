"""Windows of several series in one table, against a loop over rows."""

import numpy as np
import pandas as pd
import pytest

from sklstm.windows._panel import Panel, Pasts, panel_windows, segments

KEYS = pd.Index(["b", "a", "b", "b", "a", "c"])


def loop(rows, keys, pasts, seq_length, horizon):
    """Each row's window: the known steps of its own series, NaN before them."""
    series = {key: list(steps) for key, steps in pasts.items()}
    windows = []
    for row, key in zip(rows, keys, strict=True):
        series.setdefault(key, []).append(row)
    seen = {key: len(pasts.get(key, [])) for key in series}
    for key in keys:
        stop = seen[key] - horizon + 1
        known = series[key][max(0, stop - seq_length) : max(0, stop)]
        seen[key] += 1
        unknown = [np.full(rows.shape[1], np.nan)] * (seq_length - len(known))
        windows.append(np.array(unknown + known))
    return np.array(windows)


def test_panel_numbers_series_in_the_order_of_their_first_rows():
    panel = Panel.of(KEYS)
    assert panel.keys.tolist() == ["b", "a", "c"]
    assert panel.series.tolist() == [0, 1, 0, 0, 1, 2]
    assert panel.position.tolist() == [0, 0, 1, 2, 1, 0]
    assert panel.counts.tolist() == [3, 2, 1]
    assert panel.starts.tolist() == [0, 3, 5]
    assert [panel.first_row(number) for number in range(3)] == [0, 1, 5]


def test_rows_by_series_stand_one_series_after_another():
    panel = Panel.of(KEYS)
    assert panel.by_series(np.arange(6)).tolist() == [0, 2, 3, 1, 4, 5]


def test_rows_that_stand_so_already_are_not_copied():
    rows = np.arange(6)
    assert Panel.of(pd.Index(list("aabbbc"))).by_series(rows) is rows


def test_segments_count_from_0_in_each_length():
    assert segments(np.array([2, 0, 3])).tolist() == [0, 1, 0, 1, 2]


@pytest.mark.parametrize("horizon", [0, 1, 3])
@pytest.mark.parametrize("seq_length", [1, 2, 4])
@pytest.mark.parametrize("with_pasts", [False, True])
def test_windows_are_those_of_a_loop_over_rows(seq_length, horizon, with_pasts):
    rng = np.random.default_rng(0)
    keys = pd.Index(rng.choice(list("abcd"), size=30))
    rows = rng.normal(size=(30, 2))
    panel = Panel.of(keys)
    pasts, by_key = Pasts.none(rows, panel), {}
    if with_pasts:
        # Two steps before the first series, none before the second, one before the others.
        steps = rng.normal(size=(4, 2))
        starts, counts = np.array([0, 0, 2, 3]), np.array([2, 0, 1, 1])
        pasts = Pasts(steps, np.zeros(4, dtype=np.int64), starts, counts)
        by_key = {
            key: steps[start : start + count]
            for key, start, count in zip(panel.keys, starts, counts, strict=True)
        }
    windows = panel_windows(rows, panel, pasts, seq_length=seq_length, horizon=horizon)
    expected = loop(rows, keys, by_key, seq_length, horizon)
    np.testing.assert_array_equal(np.asarray(windows), expected)
    assert windows.series.tolist() == panel.series.tolist()


def test_windows_begin_after_the_last_missing_step_that_they_reach():
    # Two steps are missing before the third row.
    rows = np.arange(1.0, 6.0)[:, None]
    panel = Panel.of(pd.Index(["a"] * 5))
    windows = panel_windows(
        rows,
        panel,
        Pasts.none(rows, panel),
        seq_length=2,
        horizon=1,
        missing=np.array([0, 0, 2, 0, 0]),
    )
    nan = np.nan
    np.testing.assert_array_equal(
        np.asarray(windows)[:, :, 0],
        [[nan, nan], [nan, 1], [nan, nan], [nan, 3], [3, 4]],
    )
