"""loss="quantile": several levels by one network, through all that is around it."""

import json
import pickle

import numpy as np
import onnx
import onnxruntime
import pandas as pd
import pytest
import skops.io
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import Ridge
from sklearn.metrics import mean_pinball_loss
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import Callback

from sklstm import (
    HistoryDisplay,
    LSTMRegressor,
    WindowTransformer,
    backtest,
    make_windows,
    predict_quantiles,
    to_onnx,
)

RNG = np.random.default_rng(0)
SERIES = np.sin(0.3 * np.arange(200)) + RNG.normal(scale=0.2, size=200)
WINDOWS, TARGETS = make_windows(SERIES, seq_length=6)
LEVELS = (0.1, 0.5, 0.9)
TWO = np.column_stack([TARGETS, 3 * TARGETS + 5])


def make_regressor(**params):
    defaults = {"units": 5, "epochs": 4, "learning_rate": 0.01, "random_state": 0}
    return LSTMRegressor(**defaults | {"loss": "quantile", "device": "cpu"} | params)


def make_model(**params):
    return make_pipeline(WindowTransformer(6), make_regressor(**params))


def mean_of_pinball_losses(y_true, levels, quantiles=LEVELS, weights=None):
    """Mean over levels of scikit-learn's loss, which takes one level at a time."""
    return np.mean(
        [
            mean_pinball_loss(y_true, levels[..., k], alpha=level, sample_weight=weights)
            for k, level in enumerate(quantiles)
        ]
    )


# What is predicted


@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("y", [TARGETS, TWO, TARGETS[:, None]], ids=["one", "two", "2-D"])
def test_median_is_what_predict_returns_and_levels_never_cross(y, residual):
    regressor = make_regressor(residual=residual).fit(WINDOWS, y)
    levels = predict_quantiles(regressor, WINDOWS)
    assert levels.shape == (*y.shape, 3)
    assert (np.diff(levels, axis=-1) >= 0).all()
    np.testing.assert_array_equal(levels[..., 1], regressor.predict(WINDOWS))
    assert regressor.n_outputs_ == np.prod(y.shape[1:], dtype=int)


def test_levels_that_cross_are_sorted():
    # A network that has hardly seen its data, with many levels close to each other.
    quantiles = np.linspace(0.3, 0.7, 21)
    regressor = make_regressor(quantiles=quantiles, epochs=1, learning_rate=0.3)
    regressor.fit(WINDOWS, TARGETS)
    outputs = regressor.net_.predict(WINDOWS.astype(np.float32))
    assert (np.diff(outputs, axis=1) < 0).any()
    levels = predict_quantiles(regressor, WINDOWS)
    assert (np.diff(levels, axis=1) >= 0).all()


def test_single_level_is_what_predict_returns():
    regressor = make_regressor(quantiles=[0.9], epochs=30).fit(WINDOWS, TARGETS)
    y_pred = regressor.predict(WINDOWS)
    np.testing.assert_array_equal(predict_quantiles(regressor, WINDOWS)[:, 0], y_pred)
    assert 0.8 < (y_pred >= TARGETS).mean() < 0.97


# 60 targets of 0, 30 of 10 and 10 of 20: half of them are at most 0, 95 % at most 20.
SKEWED = np.repeat([0.0, 10.0, 20.0], [60, 30, 10])


def test_each_level_finds_its_quantile_of_a_skewed_target():
    X = np.zeros((100, 1))
    quantiles, expected = (0.3, 0.5, 0.8, 0.95), [0, 0, 10, 20]
    regressor = make_regressor(
        units=1, quantiles=quantiles, epochs=200, batch_size=100, learning_rate=0.01
    ).fit(X, SKEWED)
    levels = predict_quantiles(regressor, X[:1])[0]
    np.testing.assert_allclose(levels, expected, atol=0.3)


def test_weights_move_the_levels_as_repeated_rows_do():
    X, weights = np.zeros((100, 1)), np.repeat([1.0, 1.0, 9.0], [60, 30, 10])
    regressor = make_regressor(
        units=1, quantiles=(0.3, 0.5), epochs=200, batch_size=100, learning_rate=0.01
    ).fit(X, SKEWED, sample_weight=weights)
    # Of a weight of 180 in all, 90 lies at most at 10 and 60 at 0: 0.3 is at 54, 0.5 at 90.
    np.testing.assert_allclose(predict_quantiles(regressor, X[:1])[0, :1], [0], atol=0.3)
    assert 9 < predict_quantiles(regressor, X[:1])[0, 1] < 21


@pytest.mark.parametrize("residual", [False, True])
def test_training_starts_with_levels_that_cover_their_share(residual):
    regressor = make_regressor(residual=residual, epochs=1, learning_rate=1e-12)
    levels = predict_quantiles(regressor.fit(WINDOWS, TWO), WINDOWS)
    shares = (levels > TWO[..., None]).mean(axis=0)
    np.testing.assert_allclose(shares, [LEVELS, LEVELS], atol=0.02)


def test_constant_target_is_predicted_at_every_level():
    regressor = make_regressor().fit(WINDOWS, np.full(len(WINDOWS), 3.0))
    assert (predict_quantiles(regressor, WINDOWS) == 3.0).all()


# The loss


@pytest.mark.parametrize("normalize_y", [False, True])
@pytest.mark.parametrize("y", [TARGETS, TWO], ids=["one output", "two outputs"])
def test_validation_loss_is_the_pinball_loss_of_scikit_learn(y, normalize_y):
    train, valid = slice(None, 150), slice(150, None)
    regressor = make_regressor(normalize_y=normalize_y)
    regressor.fit(WINDOWS[train], y[train], X_val=WINDOWS[valid], y_val=y[valid])
    levels, scale = predict_quantiles(regressor, WINDOWS[valid]), 1.0
    if normalize_y:
        scale = y[train].std(axis=0)
    expected = mean_of_pinball_losses(y[valid] / scale, levels / np.expand_dims(scale, -1))
    assert regressor.history_[-1]["valid_loss"] == pytest.approx(expected, rel=1e-5)


def test_training_loss_is_the_weighted_pinball_loss_of_the_start():
    weights = RNG.uniform(size=len(TARGETS))
    batch = {"batch_size": 500, "epochs": 1, "normalize_y": False}
    regressor = make_regressor(learning_rate=1e-12, residual=True, **batch)
    regressor.fit(WINDOWS, TARGETS, sample_weight=weights)
    levels = predict_quantiles(regressor, WINDOWS)
    expected = mean_of_pinball_losses(TARGETS, levels, weights=weights)
    assert regressor.history_[0]["train_loss"] == pytest.approx(expected, rel=1e-5)


class Hook(Callback):
    """A hook of the user, with which the module computes by its own forward."""

    def on_train_begin(self, net, **kwargs):
        net.module_.register_forward_hook(lambda *_: None)


def test_plain_torch_trains_the_same_but_for_rounding():
    by_layers = make_regressor(residual=True).fit(WINDOWS, TWO)
    by_torch = make_regressor(residual=True, skorch_params={"callbacks": [Hook()]})
    by_torch.fit(WINDOWS, TWO)
    np.testing.assert_allclose(
        predict_quantiles(by_torch, WINDOWS),
        predict_quantiles(by_layers, WINDOWS),
        rtol=0,
        atol=1e-3,
    )
    assert by_torch.history_[-1]["train_loss"] == pytest.approx(
        by_layers.history_[-1]["train_loss"], rel=1e-3
    )


def test_early_stopping_keeps_the_best_levels():
    regressor = make_regressor(early_stopping=True, epochs=30, n_iter_no_change=3)
    regressor.fit(WINDOWS, TARGETS)
    losses = [epoch["valid_loss"] for epoch in regressor.history_]
    n_held_out = -(-len(WINDOWS) // 10)
    levels = predict_quantiles(regressor, WINDOWS[-n_held_out:])
    scale = TARGETS[:-n_held_out].std()
    kept = mean_of_pinball_losses(TARGETS[-n_held_out:], levels) / scale
    assert kept == pytest.approx(losses[regressor.best_epoch_ - 1], rel=1e-5)
    assert kept <= min(losses) + 1e-6


def test_history_names_its_loss():
    display = HistoryDisplay.from_estimator(make_regressor().fit(WINDOWS, TARGETS))
    label = display.ax_.get_ylabel()
    assert label == "mean pinball loss / standard deviation of y"


# Through other estimators


def wrapped():
    model, grid = make_model(), {"lstmregressor__units": [2, 3]}
    return {
        "Pipeline": make_pipeline(StandardScaler(), *[step for _, step in model.steps]),
        "search": GridSearchCV(model, grid, cv=TimeSeriesSplit(2)),
        "search in a Pipeline": make_pipeline(
            "passthrough", GridSearchCV(model, grid, cv=TimeSeriesSplit(2))
        ),
        "Pipeline in a Pipeline": make_pipeline(StandardScaler(), model),
    }


@pytest.mark.parametrize("name", wrapped())
def test_levels_come_through(name):
    model = wrapped()[name].fit(SERIES[:150, None], SERIES[:150])
    X = SERIES[150:, None]
    levels = predict_quantiles(model, X)
    assert levels.shape == (50, 3)
    np.testing.assert_array_equal(levels[:, 1], model.predict(X))
    frozen = predict_quantiles(FrozenEstimator(model), X)
    np.testing.assert_array_equal(frozen, levels)


@pytest.mark.parametrize("place", ["around", "inside"])
@pytest.mark.parametrize("n_outputs", [1, 2])
def test_levels_of_a_logarithm_are_those_of_the_target(place, n_outputs):
    y = np.exp(SERIES if n_outputs == 1 else np.column_stack([SERIES, SERIES[::-1]]))
    X = y.reshape(len(y), -1)
    logarithm = {"func": np.log, "inverse_func": np.exp}
    plain = make_model().fit(X[:150], np.log(y[:150]))
    if place == "around":
        model = TransformedTargetRegressor(make_model(), **logarithm)
    else:
        inner = TransformedTargetRegressor(make_regressor(), **logarithm)
        model = make_pipeline(WindowTransformer(6), inner)
    levels = predict_quantiles(model.fit(X[:150], y[:150]), X[150:])
    np.testing.assert_allclose(levels, np.exp(predict_quantiles(plain, X[150:])))
    np.testing.assert_array_equal(levels[..., 1], model.predict(X[150:]))


def test_target_transform_that_is_not_increasing_is_an_error():
    model = TransformedTargetRegressor(
        make_model(), func=np.negative, inverse_func=np.negative
    ).fit(SERIES[:, None], SERIES)
    with pytest.raises(ValueError, match=r"inverse transform .* is not increasing"):
        predict_quantiles(model, SERIES[:, None])


def test_table_of_a_backtest_has_a_column_for_each_level():
    X, folds = SERIES[:, None], [(np.arange(150), np.arange(150, 200))]
    model = make_model().fit(X[:150], SERIES[:150])
    one_step = backtest(model, X, SERIES, cv=folds, refit=False)
    levels = one_step[["y_pred_0.1", "y_pred_0.5", "y_pred_0.9"]]
    np.testing.assert_array_equal(levels, predict_quantiles(model, X[150:]))
    assert one_step["y_pred"].equals(one_step["y_pred_0.5"].rename("y_pred"))
    # Recursion feeds the median: the same path as that of predict, step by step.
    errors = backtest(model, X, SERIES, cv=folds, steps=2, every=1, refit=False)
    second = errors[errors["step"] == 2].iloc[0]
    known = np.append(SERIES[:150], errors["y_pred"].iloc[0])
    row = np.append(known, 0.0)[:, None]
    np.testing.assert_array_equal(
        second[["y_pred_0.1", "y_pred_0.5", "y_pred_0.9"]].to_numpy(dtype=float),
        predict_quantiles(model, row)[-1],
    )


def test_backtest_of_several_targets_has_levels_of_each():
    X = np.column_stack([SERIES, SERIES[::-1]])
    folds = [(np.arange(150), np.arange(150, 200))]
    errors = backtest(make_model(), X, X, cv=folds, steps=3, target=[0, 1])
    assert (errors["y_pred_0.1"] <= errors["y_pred_0.9"]).all()
    assert errors.groupby("target").size().tolist() == [48, 48]


def test_folds_are_scored_by_the_median():
    search = GridSearchCV(
        make_model(), {"lstmregressor__quantiles": [(0.5,), (0.2, 0.5)]}, cv=2
    )
    assert np.isfinite(
        search.fit(SERIES[:, None], SERIES).cv_results_["mean_test_score"]
    ).all()


# Saved and continued


@pytest.mark.parametrize("quantiles", [LEVELS, [0.25, 0.5], np.array([0.9])], ids=str)
def test_saved_regressor_predicts_the_same_levels(quantiles):
    regressor = make_regressor(quantiles=quantiles).fit(WINDOWS, TARGETS)
    expected = predict_quantiles(regressor, WINDOWS)
    for loaded in (
        pickle.loads(pickle.dumps(regressor)),
        skops.io.loads(skops.io.dumps(regressor), trusted=["sklstm.LSTMRegressor"]),
    ):
        np.testing.assert_array_equal(predict_quantiles(loaded, WINDOWS), expected)
        assert loaded.history_ == regressor.history_


def test_checkpoint_of_levels_ends_in_the_same_bits(tmp_path):
    path = tmp_path / "fit.checkpoint"
    expected = make_regressor(residual=True, epochs=4).fit(WINDOWS, TARGETS)
    make_regressor(residual=True, epochs=2, checkpoint=path).fit(WINDOWS, TARGETS)
    resumed = make_regressor(residual=True, epochs=4, checkpoint=path)
    resumed.fit(WINDOWS, TARGETS)
    np.testing.assert_array_equal(
        predict_quantiles(resumed, WINDOWS), predict_quantiles(expected, WINDOWS)
    )
    other = make_regressor(
        residual=True, epochs=4, checkpoint=path, quantiles=(0.2, 0.5, 0.8)
    )
    with pytest.raises(ValueError, match="of another fit: quantiles="):
        other.fit(WINDOWS, TARGETS)


def test_levels_do_not_tell_checkpoints_of_other_losses_apart(tmp_path):
    params = {"checkpoint": tmp_path / "fit.checkpoint", "loss": "huber"}
    make_regressor(**params, epochs=2).fit(WINDOWS, TARGETS)
    resumed = make_regressor(**params, quantiles=(0.2,)).fit(WINDOWS, TARGETS)
    assert resumed.n_iter_ == 4


def test_training_continues_with_the_levels_as_they_are():
    once = make_regressor(epochs=6).fit(WINDOWS, TARGETS)
    twice = make_regressor(epochs=3, warm_start=True).fit(WINDOWS, TARGETS)
    twice.fit(WINDOWS, TARGETS)
    np.testing.assert_array_equal(
        predict_quantiles(twice, WINDOWS), predict_quantiles(once, WINDOWS)
    )
    by_parts = make_regressor()
    for _ in range(6):
        by_parts.partial_fit(WINDOWS, TARGETS)
    np.testing.assert_array_equal(by_parts.predict(WINDOWS), once.predict(WINDOWS))
    twice.set_params(quantiles=(0.1, 0.3, 0.5, 0.9))
    with pytest.raises(ValueError, match="number of quantiles=4 cannot continue"):
        twice.fit(WINDOWS, TARGETS)


def test_parameters_set_after_the_fit_change_no_prediction():
    regressor = make_regressor().fit(WINDOWS, TARGETS)
    expected = predict_quantiles(regressor, WINDOWS)
    regressor.set_params(quantiles=(0.4,), loss="huber")
    np.testing.assert_array_equal(predict_quantiles(regressor, WINDOWS), expected)
    assert clone(regressor).quantiles == (0.4,)


@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("y", [TARGETS, TWO, TARGETS[:, None]], ids=["one", "two", "2-D"])
def test_graph_gives_all_levels_and_the_median(y, residual, tmp_path):
    windows = np.float64(np.float32(WINDOWS))
    regressor = make_regressor(residual=residual).fit(windows, y)
    to_onnx(regressor, tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"))
    incomplete = windows.copy()
    incomplete[0, :2], incomplete[1, 3] = np.nan, np.inf
    predictions, levels = session.run(
        ["predictions", "quantiles"], {"windows": incomplete.astype(np.float32)}
    )
    assert np.isnan(levels[1]).all()
    assert np.isnan(predictions[1]).all()
    usable = np.arange(len(windows)) != 1
    expected = predict_quantiles(regressor, incomplete[usable])
    np.testing.assert_allclose(levels[usable], expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(levels[..., 1], predictions)
    properties = onnx.load(tmp_path / "model.onnx").metadata_props
    metadata = {entry.key: entry.value for entry in properties}
    assert json.loads(metadata["quantiles"]) == list(LEVELS)
    assert metadata["n_outputs"] == str(regressor.n_outputs_)


# Wrong input


@pytest.mark.parametrize(
    "quantiles",
    [(), (0.5, 0.1), (0.5, 0.5), (0.0, 0.5), (0.5, 1.0), (np.nan,), ("a",), [[0.1, 0.5]]],
    ids=str,
)
@pytest.mark.parametrize("loss", ["quantile", "squared_error"])
def test_wrong_levels_are_an_error(quantiles, loss):
    regressor = make_regressor(quantiles=quantiles, loss=loss)
    with pytest.raises(ValueError, match="strictly increasing levels between 0 and 1"):
        regressor.fit(WINDOWS, TARGETS)


def test_several_levels_without_the_median_are_an_error_of_fit():
    with pytest.raises(ValueError, match=r"lacks 0\.5, the median"):
        make_regressor(quantiles=(0.1, 0.9)).fit(WINDOWS, TARGETS)
    make_regressor(quantiles=(0.1, 0.9), loss="huber").fit(WINDOWS, TARGETS)
    with pytest.raises(ValueError, match=r"lacks 0\.5, the median"):
        make_regressor(quantiles=(0.1, 0.9)).summary((6, 1))


def test_other_models_have_no_levels():
    regressor = make_regressor(loss="huber").fit(WINDOWS, TARGETS)
    with pytest.raises(ValueError, match="fitted with loss='huber'"):
        predict_quantiles(regressor, WINDOWS)
    with pytest.raises(ValueError, match="Expected a fitted LSTMRegressor with loss="):
        predict_quantiles(Ridge().fit(WINDOWS[..., 0], TARGETS), WINDOWS[..., 0])
    with pytest.raises(ValueError, match="Expected a fitted LSTMRegressor with loss="):
        predict_quantiles(make_pipeline(Ridge()).fit(WINDOWS[..., 0], TARGETS), WINDOWS)


def test_summary_counts_an_output_for_each_level(capsys):
    make_regressor(units=5).summary((6, 1), n_outputs=2)
    assert "(None, 6)" in capsys.readouterr().out


def test_pandas_rows_give_the_same_levels():
    index = pd.date_range("2024-01-01", periods=200)
    X = pd.DataFrame({"level": SERIES}, index=index)
    model = make_model().fit(X[:150], X["level"][:150])
    arrays = make_model().fit(SERIES[:150, None], SERIES[:150])
    np.testing.assert_array_equal(
        predict_quantiles(model, X[150:]), predict_quantiles(arrays, SERIES[150:, None])
    )


@pytest.mark.parametrize("quantiles", [0.9, "0.9"])
def test_one_level_has_to_be_a_sequence_too(quantiles):
    lstm = LSTMRegressor(loss="quantile", quantiles=quantiles)
    message = r"a sequence of strictly increasing levels .* as a sequence too: \(0.9,\)"
    with pytest.raises(ValueError, match=message):
        lstm.fit(np.zeros((20, 5, 1)), np.arange(20.0))
