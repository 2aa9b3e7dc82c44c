"""incomplete="train": windows that know fewer steps are trained on, as rows like others."""

import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from skorch.callbacks import Callback, EpochScoring

from sklstm import LSTMRegressor, WindowTransformer
from sklstm._network import _onednn
from sklstm._training._batches import Batches
from sklstm._training._data import WindowSet, without_repeats
from sklstm.windows._windows import Windows

SEQ_LENGTH = 5
FORMS = {
    "plain": {},
    "two layers of both directions": {"num_layers": 2, "bidirectional": True},
    "dropout": {"num_layers": 2, "dropout": 0.3},
    "residual": {"residual": True},
    "quantile": {"loss": "quantile"},
}


def make_regressor(**params):
    defaults = {"units": 4, "epochs": 3, "learning_rate": 0.01, "random_state": 0}
    return LSTMRegressor(**defaults | {"incomplete": "train"} | params)


def make_runs(n_runs=6, *, seed=0):
    """Windows of short runs, the first rows of which know 0 to 4 steps, and targets."""
    rng = np.random.default_rng(seed)
    transformer = WindowTransformer(SEQ_LENGTH, context="never")
    runs = [rng.normal(size=(n, 2)) for n in rng.integers(4, 13, size=n_runs)]
    windows = [transformer.fit_transform(run) for run in runs]
    return np.concatenate(windows), np.concatenate(runs)[:, 0]


def n_known_of(windows):
    return (~np.isnan(windows[:, :, 0])).sum(axis=1)


WINDOWS, TARGETS = make_runs()
N_KNOWN = n_known_of(WINDOWS)


def predictions(**params):
    return make_regressor(**params).fit(WINDOWS, TARGETS).predict(WINDOWS)


@pytest.mark.parametrize("form", FORMS)
def test_windows_without_unknown_steps_are_trained_on_as_before(form):
    is_complete = N_KNOWN == SEQ_LENGTH
    rows = WINDOWS[is_complete], TARGETS[is_complete]
    with_all = make_regressor(**FORMS[form]).fit(*rows)
    with_complete = make_regressor(**FORMS[form], incomplete="skip").fit(*rows)
    np.testing.assert_array_equal(with_all.predict(WINDOWS), with_complete.predict(WINDOWS))


@pytest.mark.parametrize("form", FORMS)
def test_each_window_is_trained_on_from_the_steps_that_it_has(form):
    # Windows that are cut to their known steps, of which only equal lengths make an array:
    # one batch of all rows against its loss by hand, from the weights of the start.
    params = FORMS[form] | {"batch_size": len(WINDOWS), "dropout": 0.0, "device": "cpu"}
    torch.manual_seed(0)
    fitted = make_regressor(**params, epochs=1, learning_rate=1e-12).fit(WINDOWS, TARGETS)
    known = N_KNOWN > 0
    scaler, net = fitted._fitted_net.scaler, fitted.net_
    targets = torch.tensor(scaler.scaled(TARGETS[known, None], np.float32))
    outputs = torch.cat(
        [
            net.module_(torch.tensor(window[None, SEQ_LENGTH - n :], dtype=torch.float32))
            for window, n in zip(WINDOWS[known], N_KNOWN[known], strict=True)
        ]
    )
    by_hand = net.criterion_(outputs, targets).mean().item()
    assert fitted.history_[0]["train_loss"] == pytest.approx(by_hand, rel=1e-5)


def test_rows_that_know_no_step_are_not_trained_on():
    known = N_KNOWN > 0
    without = make_regressor().fit(WINDOWS[known], TARGETS[known])
    np.testing.assert_array_equal(predictions(), without.predict(WINDOWS))
    targets = np.where(known, TARGETS, 1e6)
    np.testing.assert_array_equal(
        make_regressor().fit(WINDOWS, targets).predict(WINDOWS), predictions()
    )


def test_short_windows_are_learned_that_long_ones_do_not_tell_of():
    # The target is the number of known steps: complete windows say nothing of it.
    windows, _ = make_runs(60)
    n_known = n_known_of(windows)
    y, is_trained = n_known.astype(float), n_known > 0
    errors = {}
    for incomplete in ("skip", "train"):
        regressor = make_regressor(incomplete=incomplete, units=16, epochs=60)
        residuals = regressor.fit(windows, y).predict(windows) - y
        errors[incomplete] = np.abs(residuals[is_trained]).mean()
    assert errors["train"] < 0.25 * errors["skip"]


@pytest.mark.parametrize("form", FORMS)
def test_same_seed_gives_the_same_bits_and_another_does_not(form):
    expected = predictions(**FORMS[form])
    np.testing.assert_array_equal(predictions(**FORMS[form]), expected)
    assert (predictions(**FORMS[form], random_state=1) != expected).any()


@pytest.mark.parametrize("form", FORMS)
def test_both_ways_to_a_gradient_agree(form, monkeypatch):
    expected = predictions(**FORMS[form])
    monkeypatch.setattr(_onednn, "is_available", lambda: False)
    np.testing.assert_allclose(predictions(**FORMS[form]), expected, atol=1e-4)


@pytest.mark.parametrize("form", FORMS)
def test_module_with_a_hook_computes_the_same_by_its_own_forward(form):
    params = FORMS[form] | {"dropout": 0.0}  # masks are drawn in another order
    expected = predictions(**params)
    calls = []

    class Hook(Callback):
        def on_train_begin(self, net, **kwargs):
            net.module_.register_forward_hook(
                lambda module, inputs, output: calls.append(inputs[0])
            )

        def on_train_end(self, net, **kwargs):
            net.module_._forward_hooks.clear()

    hooked = predictions(**params, skorch_params={"callbacks": [Hook()]})
    np.testing.assert_allclose(hooked, expected, atol=1e-4)
    assert {len(windows[0]) for windows in calls} == {1, 2, 3, 4, 5}
    assert not any(windows.isnan().any() for windows in calls)


def test_fit_continues_bit_identically_from_its_checkpoint(tmp_path):
    params = {"checkpoint": tmp_path / "fit"}
    make_regressor(**params, epochs=2).fit(WINDOWS, TARGETS)
    resumed = make_regressor(**params, epochs=4).fit(WINDOWS, TARGETS)
    np.testing.assert_array_equal(resumed.predict(WINDOWS), predictions(epochs=4))
    other = make_regressor(**params, incomplete="skip")
    with pytest.raises(ValueError, match="incomplete='train' there and 'skip' here"):
        other.fit(WINDOWS, TARGETS)


def test_partial_fit_and_warm_start_continue_as_one_fit():
    expected = predictions()
    in_parts = make_regressor()
    for _ in range(3):
        in_parts.partial_fit(WINDOWS, TARGETS)
    np.testing.assert_array_equal(in_parts.predict(WINDOWS), expected)
    warm = make_regressor(warm_start=True, epochs=1)
    warm.fit(WINDOWS, TARGETS)
    warm.set_params(epochs=2).fit(WINDOWS, TARGETS)
    np.testing.assert_array_equal(warm.predict(WINDOWS), expected)


def test_saved_regressor_predicts_the_same():
    fitted = make_regressor().fit(WINDOWS, TARGETS)
    loaded = pickle.loads(pickle.dumps(fitted))
    assert loaded.incomplete == "train"
    np.testing.assert_array_equal(loaded.predict(WINDOWS), fitted.predict(WINDOWS))


@pytest.mark.parametrize("form", ["plain", "residual"])
def test_weight_counts_like_repetitions_where_one_batch_holds_all(form):
    params = FORMS[form] | {"batch_size": 1000}
    weights = np.random.default_rng(0).integers(0, 4, size=len(WINDOWS))
    repeated = np.repeat(np.arange(len(WINDOWS)), weights)
    by_weight = make_regressor(**params).fit(WINDOWS, TARGETS, weights)
    by_rows = make_regressor(**params).fit(WINDOWS[repeated], TARGETS[repeated])
    np.testing.assert_allclose(
        by_weight.predict(WINDOWS), by_rows.predict(WINDOWS), atol=1e-5
    )


def test_rows_of_weight_0_are_left_out():
    weights = (N_KNOWN != 2).astype(float)
    targets = np.where(weights > 0, TARGETS, np.nan)
    fitted = make_regressor().fit(WINDOWS, targets, weights)
    without = make_regressor().fit(WINDOWS[N_KNOWN != 2], TARGETS[N_KNOWN != 2])
    np.testing.assert_allclose(fitted.predict(WINDOWS), without.predict(WINDOWS), atol=1e-5)


def test_early_stopping_validates_on_short_windows_too():
    order = np.argsort(-N_KNOWN, kind="stable")  # the short ones are the last rows
    windows, targets = WINDOWS[order], TARGETS[order]
    share = np.mean(N_KNOWN > 0)
    n_held_out = int(np.ceil(0.3 * share * len(WINDOWS)))
    fitted = make_regressor(early_stopping=True, validation_fraction=0.3)
    fitted.fit(windows, targets)
    known = np.flatnonzero(n_known_of(windows) > 0)
    train, valid = known[:-n_held_out], known[-n_held_out:]
    given = make_regressor(early_stopping=True).fit(
        windows[train], targets[train], X_val=windows[valid], y_val=targets[valid]
    )
    assert [e["valid_loss"] for e in fitted.history_] == [
        e["valid_loss"] for e in given.history_
    ]


def test_loss_of_an_epoch_is_the_mean_over_rows():
    fitted = make_regressor(epochs=1, learning_rate=1e-12, batch_size=7).fit(
        WINDOWS, TARGETS, X_val=WINDOWS, y_val=TARGETS
    )
    known, scaler = N_KNOWN > 0, fitted._fitted_net.scaler
    residuals = fitted.predict(WINDOWS[known]) - TARGETS[known]
    epoch, mse = fitted.history_[0], np.mean((residuals / scaler.scale) ** 2)
    assert epoch["train_loss"] == pytest.approx(mse, rel=1e-5)
    assert epoch["valid_loss"] == pytest.approx(mse, rel=1e-5)


def test_callbacks_see_batches_and_score_predictions():
    batches = []

    class Watch(Callback):
        def on_batch_end(self, net, batch, training, y_pred, **kwargs):
            batches.append((batch, y_pred))

    mae = EpochScoring("neg_mean_absolute_error", name="mae", use_caching=False)
    fitted = make_regressor(skorch_params={"callbacks": [Watch(), mae]}).fit(
        WINDOWS, TARGETS, X_val=WINDOWS, y_val=TARGETS
    )
    for (windows, targets), y_pred in batches:
        assert len(windows) == len(targets) == len(y_pred)
        assert not windows[:, -1].isnan().any()
    known, scale = N_KNOWN > 0, fitted._fitted_net.scaler.scale
    expected = np.abs(fitted.predict(WINDOWS[known]) - TARGETS[known]).mean() / scale
    assert -fitted.history_[-1]["mae"] == pytest.approx(expected.item(), rel=1e-4)
    by_net = fitted.net_.predict(WINDOWS)[:, 0]
    by_regressor = fitted._fitted_net.scaler.scaled(fitted.predict(WINDOWS)[:, None])[:, 0]
    np.testing.assert_allclose(by_net, by_regressor, atol=1e-5)


def test_batches_hold_every_row_once_in_the_order_of_the_seed():
    rows = np.flatnonzero(N_KNOWN > 0)
    numbers = np.arange(len(WINDOWS), dtype=float)[:, None]
    data = WindowSet(Windows.of_array(WINDOWS), numbers, rows)
    epochs = []
    for seed in (0, 0, 1):
        generator = torch.Generator().manual_seed(seed)
        batches = Batches(
            data, batch_size=7, device=torch.device("cpu"), generator=generator
        )
        epochs.append([row for _, targets in batches for row in targets[:, 0].tolist()])
    assert sorted(epochs[0]) == rows.tolist()
    assert epochs[0] == epochs[1] != epochs[2]


def test_equal_rows_are_merged_only_if_they_know_as_many_steps():
    windows = np.zeros((4, 3, 1))
    windows[0, 0] = windows[1, :2] = np.nan  # zeros in other places are equal to nothing
    data = WindowSet(Windows.of_array(windows), np.zeros((4, 1)), np.arange(4))
    merged = without_repeats(data)
    assert sorted(merged.rows) == [0, 1, 2]
    assert merged.weights[merged.rows].tolist() == [1, 1, 2]


def test_no_window_needs_to_be_complete():
    series = np.random.default_rng(0).normal(size=(12, 1)).cumsum(axis=0)
    for residual in (False, True):
        regressor = make_regressor(residual=residual)
        model = make_pipeline(WindowTransformer(50), regressor)
        assert np.isfinite(model.fit(series, series[:, 0]).predict(series)).all()
    model.set_params(lstmregressor__incomplete="skip")
    with pytest.raises(ValueError, match="or train on shorter windows too, with incompl"):
        model.fit(series, series[:, 0])


def test_linear_start_is_that_of_the_complete_windows():
    start = {"residual": True, "epochs": 1, "learning_rate": 1e-12, "normalize_y": False}
    fits = [
        make_regressor(incomplete=incomplete, **start).fit(WINDOWS, TARGETS)
        for incomplete in ("skip", "train")
    ]
    slopes = [fit.net_.module_.linear.weight.detach() for fit in fits]
    torch.testing.assert_close(*slopes)


@pytest.mark.parametrize(
    ("windows", "weights", "message"),
    [
        (np.full((4, 3, 1), np.nan), None, "None of the 4 windows knows a step: all their"),
        (WINDOWS, (N_KNOWN == 0) * 1.0, "0 for every window that knows a step"),
    ],
)
def test_nothing_to_train_on_is_an_error(windows, weights, message):
    targets = np.arange(len(windows), dtype=float)
    with pytest.raises(ValueError, match=message):
        make_regressor().fit(windows, targets, weights)


@pytest.mark.parametrize(("incomplete", "n_windows"), [("skip", 3), ("train", 7)])
def test_holding_out_every_window_counts_those_trained_on(incomplete, n_windows):
    # 8 rows: 8 - 5 windows of 5 steps are complete, 8 - 1 know a step.
    stopping = {"early_stopping": True, "validation_fraction": 0.95}
    lstm = make_regressor(incomplete=incomplete, **stopping)
    rows = np.random.default_rng(0).normal(size=(8, 1))
    message = f"validation_fraction=0.95 of {n_windows} windows to train on leaves none"
    with pytest.raises(ValueError, match=message):
        make_pipeline(WindowTransformer(SEQ_LENGTH), lstm).fit(rows, rows[:, 0])


def test_error_of_too_few_rows_for_the_horizon_speaks_of_windows():
    # X itself holds no NaN.
    rows = np.random.default_rng(0).normal(size=(5, 1))
    model = make_pipeline(WindowTransformer(SEQ_LENGTH, horizon=10), make_regressor())
    with pytest.raises(ValueError, match="None of the 5 windows knows a step: all their"):
        model.fit(rows, rows[:, 0])


def test_other_values_are_errors():
    with pytest.raises(ValueError, match="'incomplete' parameter of LSTMRegressor must be"):
        make_regressor(incomplete="pad").fit(WINDOWS, TARGETS)


def test_parameter_is_cloned_and_set():
    regressor = clone(make_regressor())
    assert regressor.get_params()["incomplete"] == "train"
    assert LSTMRegressor().incomplete == "skip"
