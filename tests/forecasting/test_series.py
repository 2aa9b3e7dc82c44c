"""Several series: what a forecast of each alone gives, to the bit, with its labels."""

import pickle
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklstm import ForwardFill, LSTMRegressor, WindowTransformer, forecast, steps_ahead

SEQ_LENGTH, STEPS = 4, 5
LENGTHS = {"b": 40, "a": 33, "long name": 50}
RNG = np.random.default_rng(0)


def lstm(**kwargs):
    return LSTMRegressor(**{"units": 3, "epochs": 1, "random_state": 0} | kwargs)


def long_table(*, lengths=LENGTHS, horizon=1, ahead=0, start="2024-01-29"):
    """Rows of all series by date, each with its own end; `ahead` more rows of each."""
    parts = []
    for k, (unit, n) in enumerate(lengths.items()):
        t = np.arange(n + ahead)
        level = (
            3 + k + np.sin(0.4 * t + k) + 0.1 * np.random.default_rng(k).normal(size=len(t))
        )
        if not horizon:
            level = np.append(level[0], level[:-1])
        days = pd.date_range(start, periods=n + ahead) + pd.Timedelta(3 * k, "D")
        part = pd.DataFrame({"day": days, "unit": unit, "level": level})
        parts.append(part.assign(driver=np.cos(0.3 * t + k) + 2, row=t))
    return pd.concat(parts).sort_values(["day", "unit"], ignore_index=True)


def in_form(table, form):
    """The table with its series in a level of the index, in a column, or as an array."""
    columns = ["level", "driver"] if "driver" in table else ["level"]
    if form == "level":
        return table.set_index(["unit", "day"])[columns]
    if form == "inner level":
        return table.set_index(["day", "unit"]).swaplevel()[columns]
    if form == "column and dates":
        return table.set_index("day")[["unit", *columns]]
    if form == "column":
        return table[[*columns, "unit"]]
    codes = table["unit"].map({unit: k for k, unit in enumerate(LENGTHS)})
    array = np.column_stack([codes, table[columns]])
    return array.astype(object) if form == "objects" else array


FORMS = ["level", "column and dates", "column", "array"]
ALONE = list(LENGTHS)


def make_model(form, *before, horizon=1, regressor=None, flatten=False, **kwargs):
    groups = 0 if form in ("array", "objects") else "unit"
    windows = WindowTransformer(
        SEQ_LENGTH, horizon=horizon, groups=groups, flatten=flatten, **kwargs
    )
    return make_pipeline(*before, windows, regressor or lstm())


def of_unit(X, unit):
    """The rows of one series, in the same form."""
    if isinstance(X, pd.DataFrame):
        units = X["unit"] if "unit" in X else X.index.get_level_values("unit")
        return X[np.asarray(units) == unit]
    return X[X[:, 0] == ALONE.index(unit)]


def first_rows(X, table):
    """The rows up to the end of each series, and those ahead."""
    is_known = (table["row"] < table["unit"].map(LENGTHS)).to_numpy()
    return X[is_known], X[~is_known]


def values_of(got, unit):
    if isinstance(got, np.ndarray):
        return got
    is_unit = (
        got["unit"] == unit if "unit" in got else got.index.get_level_values("unit") == unit
    )
    return np.asarray(got[is_unit]["level"] if "unit" in got else got[is_unit])


def assert_same(got, expected):
    """The same values to the bit, and the same labels."""
    np.testing.assert_array_equal(got, expected)
    assert list(got.index) == list(expected.index)


def in_order_of(X):
    units = X["unit"] if "unit" in X else X.index.get_level_values("unit")
    return list(pd.unique(np.asarray(units)))


@pytest.mark.parametrize("steps", [1, STEPS])
@pytest.mark.parametrize("horizon", [0, 1, 3])
@pytest.mark.parametrize("form", FORMS)
def test_forecasts_of_all_series_have_the_bits_of_each_alone(form, horizon, steps):
    table = long_table(horizon=horizon, ahead=STEPS)
    X, later = first_rows(in_form(table, form), table)
    target = 1 if form == "array" else "level"
    y = X[:, 1] if form == "array" else X["level"]
    model = make_model(form, horizon=horizon).fit(X, y)
    got = forecast(model, X, steps=steps, target=target, X_future=later)
    for number, unit in enumerate(ALONE):
        alone = forecast(
            model,
            of_unit(X, unit),
            steps=steps,
            target=target,
            X_future=of_unit(later, unit),
        )
        order = number
        if form == "array":
            order = list(pd.unique(X[:, 0])).index(number)
            np.testing.assert_array_equal(got[order], alone[0])
        else:
            np.testing.assert_array_equal(values_of(got, unit), values_of(alone, unit))


@pytest.mark.parametrize("horizon", [1, 3])
def test_a_series_alone_is_forecast_as_by_a_model_without_groups(horizon):
    table = long_table()
    X = table.set_index("day")[["unit", "level"]]
    model = make_model("column", horizon=horizon).fit(X, X["level"])
    got = forecast(model, X, steps=STEPS)
    for unit in ALONE:
        one = of_unit(X, unit)[["level"]]
        single = make_pipeline(WindowTransformer(SEQ_LENGTH, horizon=horizon), model[-1])
        single[0].fit(one)
        expected = forecast(single, one, steps=STEPS)
        of_one = got[got["unit"] == unit]["level"]
        np.testing.assert_array_equal(of_one, expected)
        assert list(of_one.index) == list(expected.index)


def test_each_series_goes_on_from_its_own_last_date():
    table = long_table()
    X = table.set_index(["unit", "day"])[["level"]]
    model = make_model("level").fit(X, X["level"])
    got = forecast(model, X, steps=3)
    assert got.name == "level"
    assert list(got.index.names) == ["unit", "day"]
    for unit in ALONE:
        last = X.loc[unit].index[-1]
        assert list(got.loc[unit].index) == list(pd.date_range(last, periods=4)[1:])
    assert list(got.index.get_level_values("unit").unique()) == in_order_of(X)
    column = table.set_index("day")[["unit", "level"]]
    as_column = forecast(make_model("column").fit(column, column["level"]), column, steps=3)
    assert list(as_column.columns) == ["unit", "level"]
    np.testing.assert_array_equal(as_column["level"], got)
    assert list(as_column.index) == list(got.index.get_level_values("day"))


def test_rows_may_stand_in_any_order_of_series():
    table = long_table(horizon=1)
    by_unit = table.sort_values(["unit", "day"], kind="stable")
    forms = [one.set_index(["unit", "day"])[["level"]] for one in (table, by_unit)]
    model = make_model("level").fit(forms[0], forms[0]["level"])
    one, other = (forecast(model, X, steps=4) for X in forms)
    pd.testing.assert_series_equal(one.sort_index(), other.sort_index())


@pytest.mark.parametrize("form", FORMS)
def test_without_rows_each_fitted_series_goes_on(form):
    table = long_table().drop(columns="driver")
    X = in_form(table, form)
    y = X[:, 1] if form == "array" else X["level"]
    model = make_model(form).fit(X, y)
    whole, got = forecast(model, X, steps=4), forecast(model, steps=4)
    if form == "array":
        np.testing.assert_array_equal(got, whole)
        return
    for unit in ALONE:
        np.testing.assert_array_equal(values_of(got, unit), values_of(whole, unit))
    if form != "column":
        assert set(got.index) == set(whole.index)


@pytest.mark.parametrize("form", FORMS)
def test_few_new_rows_of_some_series_are_enough(form):
    table = long_table().drop(columns="driver")
    X = in_form(table, form)
    is_later = (table["row"] >= table["unit"].map(LENGTHS) - 2).to_numpy()
    y = X[:, 1] if form == "array" else X["level"].to_numpy()
    model = make_model(form).fit(X[~is_later], y[~is_later])
    whole = forecast(model, X, steps=3)
    some = is_later & (table["unit"] != "a").to_numpy()
    got = forecast(model, X[some], steps=3)
    if form == "array":
        order = [list(pd.unique(X[:, 0])).index(unit) for unit in pd.unique(X[some][:, 0])]
        np.testing.assert_array_equal(got, whole[order])
        return
    for unit in ("b", "long name"):
        np.testing.assert_array_equal(values_of(got, unit), values_of(whole, unit))
    assert len(got) == 6


def test_series_that_were_not_fitted_are_forecast_from_their_own_rows():
    table = long_table()
    X = table.set_index(["unit", "day"])[["level"]]
    model = make_model("level").fit(
        X[X.index.get_level_values(0) != "a"],
        X["level"][X.index.get_level_values(0) != "a"],
    )
    got = forecast(model, X, steps=3)
    renamed = X.rename(index={"b": "new"})
    new = forecast(model, renamed, steps=3)
    np.testing.assert_array_equal(new.loc["new"], got.loc["b"])
    short = X[X.index.get_level_values(0) == "a"][:3]
    with pytest.raises(ValueError, match=r"of which 1 are not known in the series 'a'"):
        forecast(model, short, steps=3)


def test_scaler_and_columns_before_the_windows():
    table = long_table(ahead=STEPS)
    X, later = first_rows(table.set_index("day")[["unit", "level", "driver"]], table)
    steps = ColumnTransformer(
        [("scaled", StandardScaler(), ["level", "driver"])],
        remainder="passthrough",
        verbose_feature_names_out=False,
    )
    model = make_model("column", steps).set_output(transform="pandas").fit(X, X["level"])
    got = forecast(model, X, steps=STEPS, target="level", X_future=later)
    for unit in ALONE:
        alone = forecast(
            model,
            of_unit(X, unit),
            steps=STEPS,
            target="level",
            X_future=of_unit(later, unit),
        )
        np.testing.assert_array_equal(values_of(got, unit), values_of(alone, unit))
    prefixed = ColumnTransformer(
        [("scaled", StandardScaler(), ["level", "driver"])], remainder="passthrough"
    )
    windows = WindowTransformer(SEQ_LENGTH, groups="remainder__unit")
    other = make_pipeline(prefixed, windows, lstm()).set_output(transform="pandas")
    same = forecast(
        other.fit(X, X["level"]), X, steps=STEPS, target="level", X_future=later
    )
    pd.testing.assert_frame_equal(same, got)
    by_position = make_pipeline(steps, WindowTransformer(SEQ_LENGTH, groups=2), lstm())
    with pytest.raises(ValueError, match="set groups to the name of the column"):
        forecast(by_position.fit(X, X["level"]), X, steps=2, target="level")


def test_polars_and_searches():
    table = long_table()
    X = pl.DataFrame(table[["unit", "level"]].to_dict("list"))
    cv = GroupKFold(n_splits=2)
    search = GridSearchCV(
        make_model("column"),
        {"windowtransformer__seq_length": [3, 4]},
        cv=list(cv.split(table, groups=table["unit"])),
    )
    search.fit(X, X["level"])
    got = forecast(search, X, steps=3)
    assert list(got.columns) == ["unit", "level"]
    expected = forecast(search, table[["unit", "level"]], steps=3)
    pd.testing.assert_frame_equal(got, expected)


def test_any_regressor_is_fed_its_predictions():
    table = long_table()
    X = table.set_index(["unit", "day"])[["level"]]
    windows = WindowTransformer(SEQ_LENGTH, groups="unit", flatten=True)
    model = make_pipeline(windows, SimpleImputer(), Ridge()).fit(X, X["level"])
    got = forecast(model, X, steps=4)
    for unit in ALONE:
        known = list(X.loc[unit]["level"])
        for _ in range(4):
            known.append(float(model[1:].predict([known[-SEQ_LENGTH:]])[0]))
        np.testing.assert_allclose(got.loc[unit], known[-4:], rtol=1e-10)


def test_several_targets_and_direct_models():
    table = long_table()
    X = table.set_index(["unit", "day"])[["level", "driver"]]
    both = make_model("level").fit(X, X)
    got = forecast(both, X, steps=4, target=["level", "driver"])
    assert list(got.columns) == ["level", "driver"]
    for unit in ALONE:
        alone = forecast(
            both, X[X.index.get_level_values(0) == unit], steps=4, target=[0, 1]
        )
        assert_same(got.loc[[unit]], alone)
    one = X[["level"]]
    parts = [steps_ahead(of_unit(one, unit)["level"], 3) for unit in ALONE]
    targets = pd.concat(parts).loc[one.index]
    known = targets.notna().all(axis=1).to_numpy()
    direct = make_model("level").fit(one[known], targets[known])
    got = forecast(direct, one, steps=7)
    for unit in ALONE:
        alone = forecast(direct, of_unit(one, unit), steps=7)
        np.testing.assert_array_equal(got.loc[unit], alone.loc[unit])


def test_all_series_are_one_call_of_predict_a_block():
    table = long_table()
    X = table.set_index(["unit", "day"])[["level"]]
    model = make_model("level").fit(X, X["level"])

    class Counting(LSTMRegressor):
        calls = 0

        def predict(self, X):
            type(self).calls += 1
            return super().predict(X)

    model[-1].__class__ = Counting
    forecast(model, X, steps=4)
    assert Counting.calls == 4


def test_forecast_changes_neither_model_nor_rows():
    table = long_table(ahead=STEPS)
    X, later = first_rows(in_form(table, "level"), table)
    model = make_model("level").fit(X, X["level"])
    before, copies = pickle.dumps(model), (X.copy(), later.copy())
    forecast(model, X, steps=STEPS, target="level", X_future=later)
    with pytest.raises(ValueError, match="X_future has"):
        forecast(model, X, steps=STEPS + 9, target="level", X_future=later)
    assert pickle.dumps(model) == before
    for rows, copy in zip((X, later), copies, strict=True):
        pd.testing.assert_frame_equal(rows, copy)


def wrong(name):
    table = long_table(ahead=STEPS)
    X, later = first_rows(in_form(table, "level"), table)
    units = later.index.get_level_values("unit")
    return {
        "rows ahead of some series only": (
            X,
            later[units != "a"],
            "X_future has no rows of the series 'a'",
        ),
        "a gap before the rows of one series": (
            X,
            later.drop(index=[("a", later.loc["a"].index[0])]),
            "Series 'a': X_future has to start one step after X",
        ),
        "missing recent rows of one series": (
            X.drop(index=[("b", X.loc["b"].index[-2])]),
            later,
            "Series 'b': Recent rows are missing",
        ),
        "no level of series": (
            X.droplevel("unit"),
            later,
            "groups='unit' names no level",
        ),
        "no inputs ahead": (X, None, r"X has the columns \['driver'\]"),
        "no driver ahead": (
            X,
            later[["level"]],
            r"X_future lacks the columns \['driver'\]",
        ),
        "too few rows ahead of one series": (
            X,
            later.drop(index=[("a", day) for day in later.loc["a"].index[2:]]),
            "X_future has 2 rows, but step 4",
        ),
        "not in time order": (X[::-1], later, "not increasing within the series"),
    }[name]


@pytest.mark.parametrize(
    "name",
    [
        "rows ahead of some series only",
        "a gap before the rows of one series",
        "missing recent rows of one series",
        "no level of series",
        "no inputs ahead",
        "no driver ahead",
        "too few rows ahead of one series",
        "not in time order",
    ],
)
def test_wrong_input_is_an_error_that_names_the_series(name):
    X, later, message = wrong(name)
    table = long_table()
    fitted = in_form(table, "level")
    model = make_model("level").fit(fitted, fitted["level"])
    with pytest.raises(ValueError, match=message):
        forecast(model, X, steps=STEPS, target="level", X_future=later)


TABLE = long_table(ahead=8)
FITTED = in_form(long_table(), "level")
MODEL = make_model("level").fit(FITTED, FITTED["level"])


@settings(max_examples=50, deadline=None)
@given(
    starts=st.tuples(*[st.integers(-3, 8)] * 3),
    counts=st.tuples(*[st.one_of(st.just(6), st.integers(0, 9))] * 3),
    n_future=st.tuples(*[st.one_of(st.just(4), st.integers(0, 6))] * 3),
    shift=st.sampled_from([0, 0, 0, -1, 1]),
    steps=st.integers(1, 4),
)
def test_a_forecast_is_whole_or_an_error_of_ours(starts, counts, n_future, shift, steps):
    """Whatever rows of whatever series are passed: what each alone gives, or an error."""
    whole = in_form(TABLE, "level")
    known, ahead = [], []
    for unit, start, count, n in zip(ALONE, starts, counts, n_future, strict=True):
        rows = whole.loc[[unit]]
        first = LENGTHS[unit] - start
        known.append(rows[first : first + count])
        ahead.append(rows[first + count + shift : first + count + shift + n])
    X, future = pd.concat(known), pd.concat(ahead)
    arguments = {"steps": steps, "target": "level"}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            got = forecast(MODEL, X, X_future=future, **arguments)
        except ValueError as error:
            told = str(error)
            assert any(word in told for word in ("X", "forecast", "series"))
            return
        event("a forecast")
        for unit in X.index.get_level_values(0).unique():
            alone = forecast(MODEL, X.loc[[unit]], X_future=future.loc[[unit]], **arguments)
            assert_same(got.loc[[unit]], alone)


# Business days, and holes that are filled.


@pytest.mark.parametrize("has_holes", [False, True])
def test_series_of_business_days_go_on_as_by_hand(has_holes):
    days = pd.bdate_range("2024-01-01", periods=58)  # until a Wednesday
    values = np.random.default_rng(0).normal(size=(2, 58)).cumsum(axis=1)
    parts = {
        k: pd.DataFrame({"s": row}, index=days) for k, row in zip("ab", values, strict=True)
    }
    known = pd.concat(parts, names=["shop", "day"])
    table = known.copy()
    if has_holes:
        table.iloc[[20, 30, 57, 100]] = np.nan  # the last row of "a" among them
    model = make_pipeline(
        ForwardFill(groups="shop"),
        WindowTransformer(6, groups="shop"),
        LSTMRegressor(4, epochs=1, random_state=0),
    ).set_output(transform="pandas")
    y_pred = forecast(model.fit(table, known["s"]), table, steps=4)
    assert y_pred.equals(forecast(model, steps=4))
    ahead = pd.to_datetime(["2024-03-21", "2024-03-22", "2024-03-25", "2024-03-26"])
    assert list(y_pred.index) == [(shop, day) for shop in "ab" for day in ahead]
    for shop in "ab":
        rows = table.loc[[shop]]
        for day in ahead:
            rows = pd.concat([rows, pd.DataFrame({"s": np.nan}, index=[(shop, day)])])
            rows.index = pd.MultiIndex.from_tuples(rows.index, names=["shop", "day"])
            rows.iloc[-1] = model.predict(rows)[-1]
            assert rows["s"].iloc[-1] == y_pred[shop, day]


@pytest.mark.parametrize("by_time", [False, True])
@pytest.mark.parametrize("fills", [False, True])
def test_business_days_of_series_in_a_column_follow_each_last_one(fills, by_time):
    # Behind ForwardFill the labels were lost: without X the result was numbered from 0.
    days = pd.bdate_range("2024-01-01", periods=60)  # until a Friday
    values = np.random.default_rng(0).normal(size=(2, 60)).cumsum(axis=1)
    table = pd.concat(
        pd.DataFrame({"shop": shop, "s": row[:n]}, index=days[:n])
        for shop, n, row in zip("ab", (58, 60), values, strict=True)
    )
    table = table.sort_index(kind="stable") if by_time else table
    y = table["s"].copy()
    if fills:
        table.iloc[[25, 80, -1], 1] = np.nan
    model = make_pipeline(
        *[ForwardFill(groups="shop")] * fills,
        WindowTransformer(6, groups="shop"),
        LSTMRegressor(4, epochs=1, random_state=0),
    )
    if fills:
        model.set_output(transform="pandas")
    y_pred = forecast(model.fit(table, y), table, steps=3, target="s")
    assert y_pred.equals(forecast(model, steps=3, target="s"))
    assert list(y_pred["shop"]) == list("aaabbb")
    after_wednesday = ["2024-03-21", "2024-03-22", "2024-03-25"]
    after_friday = ["2024-03-25", "2024-03-26", "2024-03-27"]
    assert list(y_pred.index) == list(pd.to_datetime(after_wednesday + after_friday))
