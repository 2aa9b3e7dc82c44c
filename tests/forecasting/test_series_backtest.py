"""backtest over several series: the slow way is a forecast from each origin of each."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Ridge
from sklearn.metrics import mean_absolute_error
from sklearn.model_selection import GroupKFold, TimeSeriesSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklstm import (
    WindowTransformer,
    backtest,
    conformal_interval,
    forecast,
    make_forecast_scorer,
    skill_score,
)
from tests.forecasting.test_series import (
    FORMS,
    SEQ_LENGTH,
    in_form,
    long_table,
    lstm,
    make_model,
)

LENGTHS = {"b": 40, "a": 33, "long name": 50}
CV = TimeSeriesSplit(n_splits=2, test_size=36)


def target_of(X, form):
    return X[:, 1] if form == "array" else X["level"]


def slowly(model, X, y, *, form, steps, every, cv, first=None):
    """The same table, by a forecast of one series at a time."""
    target = 1 if form == "array" else "level"
    horizon, parts = model.get_params()["windowtransformer__horizon"], []
    units = np.asarray(X[:, 0] if form == "array" else long_table()["unit"])
    y = np.asarray(y)
    rows_of = X if form == "array" else X.iloc
    for fold, (train, test) in enumerate(cv):
        y_train = y[train] if form == "array" else pd.Series(y, X.index).iloc[train]
        fitted = clone(model).fit(rows_of[train], y_train)
        reach = SEQ_LENGTH + horizon - 1
        for unit in pd.unique(units):
            own = np.flatnonzero(units == unit)
            tested = np.flatnonzero(np.isin(own, test))
            if not len(tested):
                continue
            start = max(tested[0], reach) - 1
            for origin in range(start, tested[-1] - steps + 1, every):
                ahead = own[origin + 1 : origin + 1 + steps]
                got = forecast(
                    fitted,
                    rows_of[own[: origin + 1]],
                    steps=steps,
                    target=target,
                    X_future=rows_of[ahead],
                )
                values = got[0] if form == "array" else got
                if isinstance(values, pd.DataFrame):
                    values = values["level"]
                parts.append(
                    pd.DataFrame(
                        {
                            "fold": fold,
                            "unit": unit,
                            "origin": own[origin],
                            "step": np.arange(1, steps + 1),
                            "y_true": y[ahead],
                            "y_pred": np.asarray(values),
                        }
                    )
                )
    return pd.concat(parts, ignore_index=True)


@pytest.mark.parametrize("every", [1, 3])
@pytest.mark.parametrize("horizon", [0, 1, 3])
@pytest.mark.parametrize("form", FORMS)
def test_origins_of_all_series_have_the_bits_of_each_alone(form, horizon, every):
    table = long_table(horizon=horizon)
    X = in_form(table, form)
    y = long_table(horizon=1)["level"]
    y = y.to_numpy() if form == "array" else y.set_axis(X.index)
    model = make_model(form, horizon=horizon)
    cv = list(CV.split(table))
    got = backtest(
        model, X, y, cv=cv, steps=3, every=every, target=1 if form == "array" else "level"
    )
    expected = slowly(model, X, y, form=form, steps=3, every=every, cv=cv)
    name = "series" if form == "array" else "unit"
    columns = ["fold", name, "origin", "step", "y_true", "y_pred"]
    keys = ["fold", "origin", "step"]
    pd.testing.assert_frame_equal(
        got[columns].sort_values(keys, ignore_index=True),
        expected.rename(columns={"unit": name}).sort_values(keys, ignore_index=True),
        check_exact=True,
        check_dtype=False,
    )


def test_splits_by_series_test_new_ones_from_their_own_rows():
    table = long_table()
    X = table.set_index(["unit", "day"])[["level"]]
    cv = list(GroupKFold(3).split(table, groups=table["unit"]))
    model = make_model("level", StandardScaler()).set_output(transform="pandas")
    got = backtest(model, X, X["level"], cv=GroupKFold(3), steps=3, every=2)
    expected = slowly(model, X, X["level"], form="level", steps=3, every=2, cv=cv)
    keys = ["fold", "origin", "step"]
    pd.testing.assert_frame_equal(
        got[expected.columns].sort_values(keys, ignore_index=True),
        expected.sort_values(keys, ignore_index=True),
        check_exact=True,
        check_dtype=False,
    )
    assert got.groupby("fold")["unit"].nunique().tolist() == [1, 1, 1]
    first = got.groupby("unit")["origin"].min()
    for unit in LENGTHS:
        assert (
            first[unit]
            == table.index[(table["unit"] == unit) & (table["row"] == SEQ_LENGTH - 1)]
        )


def test_table_has_labels_and_baselines_of_each_series():
    table = long_table()
    X = table.set_index(["unit", "day"])[["level"]]
    errors = backtest(
        make_model("level"), X, X["level"], cv=CV, steps=3, every=1, baseline=["last", 5]
    )
    for _, row in errors.iloc[::7].iterrows():
        own = X.loc[row["unit"]]["level"]
        assert own[row["label"]] == row["y_true"]
        known = own[: X.index[int(row["origin"])][1]]
        assert known.iloc[-1] == row["y_last"]
        assert np.resize(known.to_numpy()[-5:], int(row["step"]))[-1] == row["y_last_5"]
    skill = skill_score(errors, by="unit")
    assert set(skill.index) == set(LENGTHS)


@pytest.mark.parametrize("horizon", [1, 3])
@pytest.mark.parametrize("form", FORMS)
def test_without_steps_each_test_row_is_predicted_from_the_true_ones(form, horizon):
    table = long_table()
    X = in_form(table.drop(columns="driver"), form)
    y = target_of(X, form)
    model = make_model(form, horizon=horizon)
    errors = backtest(model, X, y, cv=CV)
    rows_of = X if form == "array" else X.iloc
    for fold, (train, test) in enumerate(CV.split(table)):
        y_train = y[train] if form == "array" else y.iloc[train]
        fitted = clone(model).fit(rows_of[train], y_train)
        predicted = pd.Series(fitted.predict(rows_of[: test[-1] + 1]))
        of_fold = errors[errors["fold"] == fold]
        names = pd.unique(of_fold["series" if form == "array" else "unit"])
        units = np.asarray(X[:, 0] if form == "array" else table["unit"])
        for name in names:
            own = np.flatnonzero(units == name)
            tested = own[np.isin(own, test)]
            got = of_fold[of_fold["series" if form == "array" else "unit"] == name]
            np.testing.assert_array_equal(got["y_pred"], predicted[tested])
            assert (got["step"] == horizon).all()


def test_other_regressors_agree():
    table = long_table()
    X = table.set_index(["unit", "day"])[["level"]]
    windows = WindowTransformer(SEQ_LENGTH, groups="unit", flatten=True)
    model = make_pipeline(windows, SimpleImputer(), Ridge())
    cv = list(CV.split(table))
    got = backtest(model, X, X["level"], cv=cv, steps=3, every=3)
    expected = slowly(model, X, X["level"], form="level", steps=3, every=3, cv=cv)
    keys = ["fold", "origin", "step"]
    np.testing.assert_allclose(
        got.sort_values(keys)["y_pred"], expected.sort_values(keys)["y_pred"], rtol=1e-12
    )
    backtest(model, X, X["level"], cv=cv)


def test_series_that_the_model_has_seen_are_warned_of():
    table = long_table()
    X = table.set_index(["unit", "day"])[["level"]]
    first = len(X) - 72
    earlier = make_model("level").fit(X[:first], X["level"][:first])
    backtest(earlier, X, X["level"], cv=CV, steps=3, refit=False)
    later = make_model("level").fit(X[: first + 6], X["level"][: first + 6])
    with pytest.warns(UserWarning, match="fitted on 6 of the test rows"):
        backtest(later, X, X["level"], cv=CV, steps=3, refit=False)


WRONG = {
    "training rows after the test rows": (
        {"cv": [(np.arange(20, 100), np.arange(20))]},
        "begin before the last training row of this series",
    ),
    "test rows with holes": (
        {"cv": [(np.arange(60), np.arange(60, 120, 6))]},
        "are not consecutive rows in time order",
    ),
    "more steps than test rows": ({"steps": 30}, "No series has test rows for an origin"),
    "y of another column": ({"y": np.arange(123.0)}, "have to hold the values of y"),
    "the group as target": ({"target": 0}, "names the column that tells series apart"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_input_is_an_error_that_says_so(name):
    change, message = WRONG[name]
    X = in_form(long_table().drop(columns="driver"), "array")
    arguments = {"X": X, "y": X[:, 1], "cv": CV, "steps": 3}
    model = make_pipeline(WindowTransformer(SEQ_LENGTH, groups=0), lstm())
    with pytest.raises(ValueError, match=message):
        backtest(model, **arguments | change)


# Intervals


def enough_rows(form):
    table = long_table(lengths={"b": 140, "a": 120, "long name": 150})
    X = in_form(table.drop(columns="driver"), form)
    return X, target_of(X, form)


@pytest.fixture(scope="module", params=FORMS[:2])
def with_errors(request):
    X, y = enough_rows(request.param)
    model = make_model(request.param).fit(X, y)
    cv = TimeSeriesSplit(n_splits=2, test_size=120)
    return model, X, backtest(model, X, y, cv=cv, steps=3, every=1)


def test_bounds_pool_the_errors_of_all_series_by_step(with_errors):
    model, X, errors = with_errors
    y_pred = forecast(model, X, steps=3)
    bounds = conformal_interval(y_pred, errors, 0.8)
    values = y_pred.get("level", y_pred)
    assert bounds.index.equals(y_pred.index)
    for step in (1, 2, 3):
        size = (errors["y_true"] - errors["y_pred"]).abs()[errors["step"] == step]
        rank = int(np.ceil((len(size) + 1) * 0.8))
        margin = np.sort(size)[rank - 1]
        of_step = np.arange(len(bounds)) % 3 == step - 1
        np.testing.assert_allclose(bounds["upper"][of_step], values[of_step] + margin)
        np.testing.assert_allclose(bounds["lower"][of_step], values[of_step] - margin)
    together = forecast(model, X, steps=3, errors=errors, coverage=0.8)
    np.testing.assert_array_equal(together[["lower", "upper"]], bounds[["lower", "upper"]])
    assert ("unit" in bounds) == ("unit" in y_pred)


def test_bounds_by_series_are_those_of_its_errors_alone(with_errors):
    model, X, errors = with_errors
    y_pred = forecast(model, X, steps=3)
    bounds = conformal_interval(y_pred, errors, 0.8, by="unit")
    for unit in LENGTHS:
        rows = (
            y_pred["unit"] == unit
            if "unit" in y_pred
            else y_pred.index.get_level_values("unit") == unit
        )
        values = y_pred[rows]["level"] if "level" in y_pred else y_pred[rows]
        alone = conformal_interval(values.to_numpy(), errors[errors["unit"] == unit], 0.8)
        np.testing.assert_array_equal(bounds[rows][["lower", "upper"]], alone)
    few = errors[(errors["unit"] != "a") | (errors["origin"] > errors["origin"].max() - 9)]
    with pytest.raises(ValueError, match="step 1 of 'a' has"):
        conformal_interval(y_pred, few, 0.9, by="unit")
    with pytest.raises(ValueError, match="by='shop' has to be a function"):
        conformal_interval(y_pred, errors, 0.8, by="shop")


def test_quantiles_of_all_series_are_those_of_each_alone():
    X, y = enough_rows("level")
    model = make_model("level", regressor=lstm(loss="quantile")).fit(X, y)
    got = forecast(model, X, steps=3, quantiles=True)
    assert list(got.columns) == [0.1, 0.5, 0.9]
    for unit in LENGTHS:
        alone = forecast(model, X.loc[[unit]], steps=3, quantiles=True)
        np.testing.assert_array_equal(got.loc[[unit]], alone)
    array, y = enough_rows("array")
    model = make_model("array", regressor=lstm(loss="quantile")).fit(array, y)
    assert forecast(model, array, steps=2, quantiles=True).shape == (3, 2, 3)


def test_searches_by_forecasts_of_several_series_are_refused():
    X, y = enough_rows("level")
    scorer = make_forecast_scorer(mean_absolute_error, steps=2)
    with pytest.raises(ValueError, match=r"groups='unit'. Call backtest\("):
        scorer(make_model("level").fit(X, y), X, y)
