"""Several series through a whole model: training, validation, inspection, files."""

import pickle

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from sklearn.model_selection import GridSearchCV, GroupKFold, TimeSeriesSplit
from sklearn.pipeline import make_pipeline

from sklstm import (
    ForecastDisplay,
    GateDisplay,
    LSTMRegressor,
    WindowTransformer,
    gates,
    make_windows,
    to_onnx,
)
from sklstm._training._data import check_training_data
from tests import naive


def table(n_steps=30, n_series=4, seed=0):
    """Sines of several shops, sorted by time, in a table with a MultiIndex."""
    rng = np.random.default_rng(seed)
    index = pd.MultiIndex.from_product(
        [pd.date_range("2024", periods=n_steps), [f"shop {k}" for k in range(n_series)]],
        names=["day", "shop"],
    )
    values = np.sin(0.5 * np.arange(n_steps)[:, None] + np.arange(n_series))
    values = values + 0.1 * rng.normal(size=values.shape)
    return pd.DataFrame({"sold": values.ravel()}, index=index)


def small(**params):
    return LSTMRegressor(
        **{"units": 4, "epochs": 2, "random_state": 0, "device": "cpu"} | params
    )


def model(**params):
    return make_pipeline(WindowTransformer(5, groups="shop"), small(**params))


X = table()
Y = X["sold"].to_numpy()
WINDOWS = WindowTransformer(5, groups="shop").fit_transform(X)


@pytest.mark.parametrize("params", [{}, {"batch_size": 1000}, {"num_layers": 2}])
def test_windows_of_series_train_to_the_bits_of_their_array(params):
    together = small(**params).fit(WINDOWS, Y)
    as_array = small(**params).fit(np.asarray(WINDOWS), Y)
    assert_array_equal(together.predict(WINDOWS), as_array.predict(np.asarray(WINDOWS)))
    for name, weights in together.net_.module_.state_dict().items():
        assert_array_equal(weights, as_array.net_.module_.state_dict()[name])


def test_each_series_is_predicted_as_if_alone():
    fitted = model().fit(X[:80], Y[:80])
    together = fitted.predict(X[80:])
    for shop in ("shop 0", "shop 3"):
        is_shop = X.index.get_level_values("shop") == shop
        own = X[80:][is_shop[80:]]
        assert_array_equal(fitted.predict(own), together[is_shop[80:]])


def test_last_rows_of_every_series_are_held_out():
    lengths = [40, 20, 10]
    series = np.repeat([0.0, 1.0, 2.0], lengths)
    rows = np.column_stack([series, np.arange(70.0)])
    windows = WindowTransformer(1, groups=0, horizon=0).fit_transform(rows)
    data = check_training_data(small(), windows, rows[:, 1], hold_out=0.2)
    # A fifth of each: the last 8, 4 and 2 rows.
    last = [*range(32, 40), *range(56, 60), *range(68, 70)]
    assert data.valid.rows.tolist() == last
    assert sorted([*data.train.rows, *last]) == list(range(70))


def test_order_of_time_holds_a_like_share_of_each_series():
    rows = np.column_stack([np.tile([0.0, 1.0], 20), np.arange(40.0)])
    windows = WindowTransformer(1, groups=0, horizon=0).fit_transform(rows)
    data = check_training_data(small(), windows, rows[:, 1]).train
    order = data.rows[data.time_order()]
    assert order.tolist() == list(range(40))
    by_series = np.argsort(rows[:, 0], kind="stable")
    windows = WindowTransformer(1, groups=0, horizon=0).fit_transform(rows[by_series])
    data = check_training_data(small(), windows, rows[by_series, 1]).train
    half = by_series[data.rows[data.time_order()][:20]]
    assert sorted(half.tolist()) == list(range(20))


@pytest.mark.parametrize("form", [{"residual": True}, {"early_stopping": True}])
def test_forms_that_know_of_time_learn_several_series(form):
    fitted = model(**form, epochs=3).fit(X, Y)
    assert np.isfinite(fitted.predict(X)).all()
    assert fitted.score(X, Y) > (0.8 if "residual" in form else -1)


def test_residual_form_starts_alike_in_any_order_of_the_table():
    by_shop = X.sort_index(level="shop", sort_remaining=False, kind="stable")
    starts = []
    for rows in (X, by_shop):
        fitted = model(residual=True, epochs=1, learning_rate=1e-30).fit(rows, rows["sold"])
        starts.append(fitted[-1].net_.module_.linear.weight.detach().numpy())
    np.testing.assert_allclose(*starts, rtol=1e-4)


@pytest.mark.parametrize("cv", [TimeSeriesSplit(3), GroupKFold(2)], ids=["time", "group"])
def test_search_over_series(cv):
    search = GridSearchCV(model(), {"windowtransformer__seq_length": [2, 4]}, cv=cv)
    shops = X.index.get_level_values("shop")
    search.fit(X, Y, groups=shops if isinstance(cv, GroupKFold) else None)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.predict(X).shape == Y.shape


def test_gates_and_displays_read_several_series():
    fitted = model().fit(X, Y)
    parts = gates(fitted, X)
    of_array = gates(fitted[-1], np.asarray(WINDOWS))
    is_known = ~np.isnan(of_array.cell_state)
    later = np.arange(len(X)) >= 20  # rows whose windows are complete in both
    for part in parts:
        assert_array_equal(parts[part][later], of_array[part][later])
    assert is_known[later].all()
    pytest.importorskip("matplotlib")
    with pytest.warns(UserWarning, match="X holds 4 series, whose rows are drawn on one"):
        assert ForecastDisplay.from_estimator(fitted, X, Y).figure_ is not None
    assert GateDisplay.from_estimator(fitted, X).figure_ is not None


@pytest.mark.parametrize("how", ["pickle", "skops"])
def test_saved_model_knows_the_past_of_every_series(how):
    fitted = model().fit(X[:80], Y[:80])
    if how == "pickle":
        again = pickle.loads(pickle.dumps(fitted))
    else:
        skops = pytest.importorskip("skops.io")
        file = skops.dumps(fitted)
        again = skops.loads(file, trusted=skops.get_untrusted_types(data=file))
    assert_array_equal(again.predict(X[80:]), fitted.predict(X[80:]))
    assert_array_equal(again[0].series_, fitted[0].series_)


@pytest.mark.parametrize("name", ["context_", "series_", "_series_state"])
def test_damaged_series_are_an_error(name):
    fitted = WindowTransformer(2, groups="shop").fit(X)
    state = fitted.__getstate__()
    value = state[name]
    if isinstance(value, dict):
        value["counts"][0] += 1
    else:
        value[0] = value[1]
    with pytest.raises(ValueError, match="damaged"):
        WindowTransformer().__setstate__(state)


def test_graph_reads_windows_without_the_column_of_the_series(tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    shops = np.tile(np.arange(4.0), 30)
    rows = np.column_stack([shops, Y])
    fitted = make_pipeline(WindowTransformer(5, groups=0), small()).fit(rows, Y)
    to_onnx(fitted, tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    windows, _ = make_windows(rows, Y, seq_length=5, groups=0)
    name = session.get_inputs()[0].name
    (found,) = session.run(None, {name: np.asarray(windows, dtype=np.float32)})
    expected = fitted[-1].predict(windows)
    np.testing.assert_allclose(found.ravel(), expected, atol=1e-5)


def test_complete_windows_of_every_series():
    rows = np.column_stack([np.repeat([0, 1], [6, 4]), np.arange(10.0)])
    windows, targets = make_windows(rows, rows[:, 1], seq_length=2, groups=0)
    expected = [
        naive.complete_windows(part, part[:, 0], 2, 1)
        for part in (rows[:6, 1:], rows[6:, 1:])
    ]
    assert_array_equal(windows, np.concatenate([found for found, _ in expected]))
    assert_array_equal(targets, np.concatenate([found for _, found in expected]))
    with pytest.raises(ValueError, match=r"needs at least 11 rows .* got 6"):
        make_windows(rows, seq_length=10, groups=0)
