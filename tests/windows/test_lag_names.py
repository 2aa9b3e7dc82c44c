"""Names of the columns of a table of lags: what they say, and what they contradict."""

import pandas as pd
import pytest

from sklstm import LagsToWindows
from tests.windows.test_lags import N_SAMPLES, make_series


@pytest.mark.parametrize(
    ("names", "parameters", "expected"),
    [
        (["lag_1", "lag_2"], {}, ["lags"]),
        (["lag1", "lag2", "month"], {}, ["lags", "month"]),
        (["y_lag_1", "y_lag_2"], {}, ["y_lags"]),
        (["y_target_lag-2", "y_target_lag-1"], {"order": "oldest"}, ["y_target_lags"]),
        (["lag_2__y", "lag_1__y"], {"order": "oldest"}, ["y_lags"]),
        (["y(t-2)", "y(t-1)"], {"order": "oldest"}, ["y_lags"]),
        (["t-1", "t-2", "flag_1"], {}, ["lags", "flag_1"]),
        (["y", "y_lag_1"], {}, ["y_lags"]),
        (["a", "b", "c"], {}, ["lags", "c"]),
        (
            ["a_lag_1", "a_lag_2", "b_lag_1", "b_lag_2"],
            {"n_series": 2},
            ["a_lags", "b_lags"],
        ),
        (
            ["a_lag_1", "b_lag_1", "a_lag_2", "b_lag_2", "c"],
            {"n_series": 2, "layout": "interleaved"},
            ["a_lags", "b_lags", "c"],
        ),
        (["u", "v", "w", "x"], {"n_series": 2}, ["lags0", "lags1"]),
        (["id", "promo", "lag1", "lag2"], {"first_lag": 2}, ["lags", "id", "promo"]),
        (["id", "promo", "lag1", "lag2"], {"first_lag": "lag1"}, ["lags", "id", "promo"]),
    ],
)
def test_names_of_the_features_of_each_step(names, parameters, expected):
    table = pd.DataFrame(make_series(len(names)), columns=names)
    transformer = LagsToWindows(2, **parameters).fit(table)
    assert transformer.get_feature_names_out().tolist() == expected
    assert transformer.transform(table).shape == (N_SAMPLES, 2, len(expected))
    assert transformer.feature_names_in_.tolist() == names


def test_names_of_an_array():
    transformer = LagsToWindows(2).fit(make_series(4))
    assert transformer.get_feature_names_out().tolist() == ["lags", "x2", "x3"]
    assert not hasattr(transformer, "feature_names_in_")


@pytest.mark.parametrize(
    ("names", "parameters", "remedy"),
    [
        (["lag_1", "lag_2"], {"order": "oldest"}, 'Set order="newest"'),
        (["lag2", "lag1"], {}, 'Set order="oldest"'),
        (["y_target_lag-2", "y_target_lag-1"], {}, 'Set order="oldest"'),
        (["y_futcov_lag0", "y_futcov_lag1"], {"order": "oldest"}, 'Set order="newest"'),
        (["v(t-2)", "v(t-1)", "v(t)"], {}, 'Set order="oldest"'),
        (["a_lag_1", "b_lag_1", "a_lag_2", "b_lag_2"], {}, 'Set layout="interleaved"'),
        (["a_lag_1", "a_lag_2", "b_lag_1", "b_lag_2"],
         {"layout": "interleaved", "order": "oldest"},
         'Set order="newest" and layout="blocks"'),
    ],
)  # fmt: skip
def test_names_that_contradict_the_parameters_are_an_error(names, parameters, remedy):
    table = pd.DataFrame(make_series(len(names)), columns=names)
    n_series = 2 if "b_lag_1" in names else 1
    transformer = LagsToWindows(len(names) // n_series, n_series=n_series, **parameters)
    with pytest.raises(ValueError, match=remedy):
        transformer.fit(table)
    with pytest.raises(ValueError, match=remedy):
        transformer.transform(table)
    assert transformer.fit_transform(table.to_numpy()).shape[0] == N_SAMPLES


@pytest.mark.parametrize(
    ("names", "parameters", "message"),
    [
        (["promo", "month", "lag1", "lag2"], {}, "set first_lag='lag1'"),
        (["a", "b", "lag1", "lag2"], {"n_lags": 3}, "the first lag by name is 'lag1'"),
        (
            ["a_lag_1", "a_lag_2", "a_mean", "b_lag_1", "b_lag_2"],
            {"n_series": 2},
            "not those of lags in time order",
        ),
        (["lag_1", "mean_7", "month"], {}, "Check n_lags=2, n_series and first_lag; "),
        (["lag_7", "lag_1", "lag_14"], {"n_lags": 3}, "Sort the lags"),
        (["lag_1", "lag_2", "lag_3"], {}, "n_lags=2 leaves out 'lag_3'.* Raise n_lags"),
        (["promo", "lag1", "lag2"], {}, "If 'promo' is no lag, set first_lag='lag1'"),
    ],
)
def test_names_that_are_probably_not_meant_are_a_warning(names, parameters, message):
    table = pd.DataFrame(make_series(len(names)), columns=names)
    with pytest.warns(UserWarning, match=message):
        LagsToWindows(**{"n_lags": 2, **parameters}).fit(table)


@pytest.mark.parametrize(
    ("names", "parameters"),
    [
        (["lag_1", "lag_7", "lag_24"], {"n_lags": 3}),
        (["lag_1", "lag_2", "lag_24", "mean_7", "temp_lag_3"], {"n_lags": 2}),
        (["y", "temp_lag_1"], {"n_lags": 1}),
        (["y_target_lag-2", "y_target_lag-1", "t_futcov_lag0", "t_futcov_lag1"],
         {"n_lags": 2, "order": "oldest"}),
        (["scale__lag_1", "scale__lag_2", "hours__sin"], {"n_lags": 2}),
        (["expanding_mean_lag1", "lag1", "lag2"], {"n_lags": 2, "first_lag": 1}),
    ],
)  # fmt: skip
def test_names_that_fit_are_no_warning(names, parameters):
    table = pd.DataFrame(make_series(len(names)), columns=names)
    assert LagsToWindows(**parameters).fit(table).n_features_in_ == len(names)
