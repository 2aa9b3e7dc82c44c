"""What comes in through skorch_params: skorch's own callbacks, optimizers, and clashes."""

import copy
import pickle
import threading
import warnings

import cloudpickle
import numpy as np
import onnxruntime
import pytest
import skops.io
import torch
from sklearn.base import clone
from sklearn.metrics import mean_absolute_error
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit
from skorch.callbacks import (
    BatchScoring,
    Callback,
    Checkpoint,
    EarlyStopping,
    EpochScoring,
    Freezer,
    GradientNormClipping,
    LRScheduler,
    ProgressBar,
    TrainEndCheckpoint,
)
from torch.optim.optimizer import register_optimizer_step_post_hook

from sklstm import LSTMRegressor, WindowTransformer, gates, to_onnx
from sklstm._network import _onednn

RNG = np.random.default_rng(0)
WINDOWS = RNG.normal(size=(24, 4, 2))
TARGETS = RNG.normal(size=24)
EPOCHS = 3


def make_regressor(*callbacks, **params):
    defaults = {"units": 3, "epochs": EPOCHS, "random_state": 0, "device": "cpu"}
    if callbacks:
        defaults["skorch_params"] = {"callbacks": list(callbacks)}
    return LSTMRegressor(**defaults | params)


def column(regressor, name):
    return [epoch[name] for epoch in regressor.history_]


def weights(regressor):
    return {name: w.numpy() for name, w in regressor.net_.module_.state_dict().items()}


def test_schedule_lowers_the_learning_rate():
    schedule = LRScheduler("StepLR", step_size=1, gamma=0.5)
    regressor = make_regressor(schedule, learning_rate=0.08).fit(WINDOWS, TARGETS)
    np.testing.assert_allclose(column(regressor, "learning_rate"), [0.08, 0.04, 0.02])


def test_schedule_of_the_validation_loss():
    schedule = LRScheduler("ReduceLROnPlateau", patience=0, threshold=1e9)
    regressor = make_regressor(schedule, learning_rate=0.1)
    regressor.fit(WINDOWS, TARGETS, X_val=WINDOWS[:5], y_val=TARGETS[:5])
    rates = column(regressor, "learning_rate")
    assert rates[0] == 0.1
    assert rates[-1] < 0.1


def test_checkpoint_saves_the_weights_of_the_best_epoch(tmp_path):
    checkpoint = Checkpoint(monitor="train_loss_best", dirname=tmp_path)
    regressor = make_regressor(checkpoint).fit(WINDOWS, TARGETS)
    assert column(regressor, "train_loss") == sorted(
        column(regressor, "train_loss"), reverse=True
    )
    saved = torch.load(tmp_path / "params.pt", weights_only=True)
    for name, weight in weights(regressor).items():
        np.testing.assert_array_equal(saved[name].numpy(), weight)


def test_checkpoint_loads_the_best_weights(tmp_path):
    # The validation targets oppose those of training, so that the first epoch is best.
    best = Checkpoint(dirname=tmp_path, load_best=True)
    regressor = make_regressor(best, learning_rate=0.05, epochs=10)
    regressor.fit(WINDOWS, TARGETS, X_val=WINDOWS, y_val=-TARGETS)
    epoch = int(np.argmin(column(regressor, "valid_loss"))) + 1
    assert epoch < 10
    short = make_regressor(learning_rate=0.05, epochs=epoch).fit(WINDOWS, TARGETS)
    np.testing.assert_array_equal(regressor.predict(WINDOWS), short.predict(WINDOWS))


def test_checkpoint_at_the_end_saves_the_last_weights(tmp_path):
    regressor = make_regressor(TrainEndCheckpoint(dirname=tmp_path))
    regressor.fit(WINDOWS, TARGETS)
    saved = torch.load(tmp_path / "train_end_params.pt", weights_only=True)
    for name, weight in weights(regressor).items():
        np.testing.assert_array_equal(saved[name].numpy(), weight)


@pytest.mark.parametrize("monitor", ["train_loss", "valid_loss"])
def test_early_stopping_of_skorch_stops_and_fit_returns(monitor):
    # skorch asks for it by KeyboardInterrupt, which is let through where it is Ctrl-C.
    # No epoch improves by 100 %: the second and third are one too many, twice.
    stopping = EarlyStopping(monitor=monitor, patience=2, threshold=1.0, sink=lambda _: 0)
    regressor = make_regressor(stopping, epochs=20)
    regressor.fit(WINDOWS, TARGETS, X_val=WINDOWS[:5], y_val=TARGETS[:5])
    assert regressor.n_iter_ == 3
    short = make_regressor(epochs=3).fit(WINDOWS, TARGETS)
    np.testing.assert_array_equal(regressor.predict(WINDOWS), short.predict(WINDOWS))


def test_early_stopping_of_skorch_may_load_the_best_weights():
    stopping = EarlyStopping(patience=3, load_best=True, sink=lambda _: 0)
    regressor = make_regressor(stopping, learning_rate=0.05, epochs=20)
    regressor.fit(WINDOWS, TARGETS, X_val=WINDOWS, y_val=-TARGETS)
    epoch = int(np.argmin(column(regressor, "valid_loss"))) + 1
    assert epoch < regressor.n_iter_ < 20
    short = make_regressor(learning_rate=0.05, epochs=epoch).fit(WINDOWS, TARGETS)
    np.testing.assert_array_equal(regressor.predict(WINDOWS), short.predict(WINDOWS))


def test_stopping_inside_a_search_does_not_stop_the_search():
    stopping = EarlyStopping(monitor="train_loss", patience=1, threshold=1.0)
    stopping.sink = print
    search = GridSearchCV(
        make_regressor(stopping), {"units": [2, 3]}, cv=TimeSeriesSplit(2)
    ).fit(WINDOWS, TARGETS)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_epoch_scoring_has_the_error_of_the_validation_rows():
    scoring = EpochScoring("neg_mean_absolute_error", name="mae")
    regressor = make_regressor(scoring, normalize_y=False)
    X_val, y_val = WINDOWS[:7], TARGETS[:7]
    regressor.fit(WINDOWS, TARGETS, X_val=X_val, y_val=y_val)
    by_hand = -mean_absolute_error(y_val, regressor.predict(X_val))
    assert column(regressor, "mae")[-1] == pytest.approx(by_hand, rel=1e-5)


def test_batch_scoring_averages_the_error_of_the_batches():
    # With steps of 1e-30 the training rows keep one error through the epoch.
    scoring = BatchScoring("neg_mean_absolute_error", name="mae", on_train=True)
    regressor = make_regressor(scoring, normalize_y=False, learning_rate=1e-30)
    regressor.fit(WINDOWS, TARGETS)
    by_hand = -mean_absolute_error(TARGETS, regressor.predict(WINDOWS))
    np.testing.assert_allclose(column(regressor, "mae"), by_hand, rtol=1e-5)


def test_gradient_clipping_of_skorch_is_max_grad_norm():
    clipped = make_regressor(GradientNormClipping(0.01)).fit(WINDOWS, TARGETS)
    ours = make_regressor(max_grad_norm=0.01).fit(WINDOWS, TARGETS)
    free = make_regressor().fit(WINDOWS, TARGETS)
    np.testing.assert_array_equal(clipped.predict(WINDOWS), ours.predict(WINDOWS))
    assert (clipped.predict(WINDOWS) != free.predict(WINDOWS)).any()


def test_frozen_layer_stays_as_it_was():
    # Steps of 1e-30 leave the initial weights.
    frozen = make_regressor(Freezer("lstm*")).fit(WINDOWS, TARGETS)
    initial = make_regressor(learning_rate=1e-30).fit(WINDOWS, TARGETS)
    for name, weight in weights(initial).items():
        unmoved = np.abs(weights(frozen)[name] - weight).max() < 1e-20
        assert unmoved == name.startswith("lstm"), name


def test_progress_bar_of_skorch_counts_batches(capfd):
    make_regressor(ProgressBar(), batch_size=4).fit(WINDOWS, TARGETS)
    printed = capfd.readouterr()
    assert "/6 [" in printed.out + printed.err  # 24 rows in batches of 4


def test_weight_decay_pulls_weights_to_0():
    decayed = make_regressor(
        skorch_params={"optimizer__weight_decay": 10.0}, epochs=20, learning_rate=0.05
    ).fit(WINDOWS, TARGETS)
    free = make_regressor(epochs=20, learning_rate=0.05).fit(WINDOWS, TARGETS)
    lengths = [
        sum(np.square(w).sum() for w in weights(r).values()) for r in (decayed, free)
    ]
    assert lengths[0] < lengths[1] / 4


def test_another_optimizer_takes_its_steps():
    # One batch, one step of plain gradient descent twice as long: twice the change.
    changes = []
    for rate in (1e-2, 2e-2):
        regressor = make_regressor(
            skorch_params={"optimizer": torch.optim.SGD},
            learning_rate=rate,
            batch_size=100,
            epochs=1,
        ).fit(WINDOWS, TARGETS)
        start = make_regressor(learning_rate=1e-30).fit(WINDOWS, TARGETS)
        before, after = weights(start), weights(regressor)
        changes.append(after["dense.weight"] - before["dense.weight"])
    np.testing.assert_allclose(changes[1], 2 * changes[0], rtol=1e-3, atol=1e-7)


class Log(Callback):
    """Appends to the caller's list at each epoch."""

    def __init__(self, losses):
        self.losses = losses

    def on_epoch_end(self, net, **kwargs):
        self.losses.append(net.history[-1, "train_loss"])


def test_another_kernel_of_adam_may_be_asked_for():
    skorch_params = {"optimizer__foreach": True}
    regressor = make_regressor(skorch_params=skorch_params).fit(WINDOWS, TARGETS)
    assert regressor.net_.optimizer_.defaults["foreach"]
    expected = make_regressor().fit(WINDOWS, TARGETS).predict(WINDOWS)
    np.testing.assert_allclose(regressor.predict(WINDOWS), expected, rtol=1e-4)


def test_callbacks_given_are_the_ones_that_are_called():
    # Copies reported to nobody: Optuna never pruned, and the list stayed empty.
    losses = []
    regressor = make_regressor(Log(losses)).fit(WINDOWS, TARGETS)
    assert losses == column(regressor, "train_loss")
    assert len(losses) == EPOCHS


class Writer(Callback):
    """Holds what cannot be copied, as TensorBoard's writer does."""

    def __init__(self):
        self.lock, self.n_epochs = threading.Lock(), 0

    def on_epoch_end(self, net, **kwargs):
        with self.lock:
            self.n_epochs += 1


def test_callback_that_cannot_be_copied_is_called():
    writer = Writer()
    make_regressor(writer).fit(WINDOWS, TARGETS)
    assert writer.n_epochs == EPOCHS


class PrunedError(Exception):
    """Stops a trial of a study."""


class Pruning(Callback):
    """Raises where the caller's trial says so, as Optuna's does."""

    def __init__(self, trial):
        self.trial = trial

    def on_epoch_end(self, net, **kwargs):
        self.trial.append(len(net.history))
        if len(net.history) == 2:
            raise PrunedError


def test_callback_that_raises_ends_the_fit_by_its_error():
    trial = []
    with pytest.raises(PrunedError):
        make_regressor(Pruning(trial)).fit(WINDOWS, TARGETS)
    assert trial == [1, 2]


def test_parameters_are_left_as_they_were():
    schedule = LRScheduler("StepLR", step_size=1)
    regressor = make_regressor(schedule, learning_rate=0.01)
    given = regressor.skorch_params
    regressor.fit(WINDOWS, TARGETS).partial_fit(WINDOWS, TARGETS)
    assert regressor.skorch_params is given == {"callbacks": [schedule]}
    again = clone(regressor).fit(WINDOWS, TARGETS)
    np.testing.assert_allclose(column(again, "learning_rate"), [1e-2, 1e-3, 1e-4])


CLASHES = {
    "lr": (0.1, "learning_rate"),
    "optimizer__lr": (0.1, "learning_rate"),
    "max_epochs": (5, "epochs"),
    "batch_size": (5, "batch_size"),
    "device": ("cpu", "device"),
    "verbose": (1, "verbose"),
    "warm_start": (True, "warm_start"),
    "criterion": (torch.nn.L1Loss, "loss"),
    "criterion__reduction": ("sum", "loss"),
    "module__units": (5, "units, num_layers, dropout, bidirectional and residual"),
    "train_split": (None, "early_stopping, validation_fraction and X_val"),
    "iterator_train__shuffle": (True, "batch_size and random_state"),
    "gradient_clip_value": (1.0, "max_grad_norm"),
}


@pytest.mark.parametrize("name", CLASHES)
def test_what_the_regressor_sets_is_refused_by_name(name):
    value, ours = CLASHES[name]
    message = f"skorch_params sets '{name}', .* own {ours} instead"
    with pytest.raises(ValueError, match=message):
        make_regressor(skorch_params={name: value}).fit(WINDOWS, TARGETS)


@pytest.mark.parametrize("name", ["generator", "architecture", "training", "no_such"])
def test_what_skorch_does_not_know_is_refused_by_name(name):
    with pytest.raises((TypeError, ValueError), match=name):
        make_regressor(skorch_params={name: 1}).fit(WINDOWS, TARGETS)


@pytest.mark.parametrize(
    "skorch_params",
    [
        {"callbacks": ["a"]},
        {"callbacks": [3]},
        {"callbacks": [("a", 1)]},
        {"optimizer": None},
        {"optimizer": "Adam"},
        {"optimizer__betas": 3},
        {"optimizer__weight_decay": -1},
    ],
    ids=str,
)
def test_values_that_skorch_or_torch_refuse_are_errors_of_skorch_params(skorch_params):
    # Among them AttributeError.
    with pytest.raises(
        ValueError, match=f"skorch_params .*{next(iter(skorch_params))[:9]}"
    ):
        make_regressor(skorch_params=skorch_params).fit(WINDOWS, TARGETS)


@pytest.mark.parametrize("name", [1, None, ("lr",)])
def test_names_that_are_no_text_are_refused(name):
    with pytest.raises(ValueError, match="skorch_params should have the names"):
        make_regressor(skorch_params={name: 1}).fit(WINDOWS, TARGETS)


@pytest.mark.parametrize("on_train", [False, True])
def test_scores_without_caching_are_those_of_the_net(on_train):
    # "Input contains NaN", since skorch did not know the data set.
    scoring = EpochScoring(
        "neg_mean_squared_error", on_train=on_train, use_caching=False, name="score"
    )
    series = np.random.default_rng(0).normal(size=(60, 2))
    windows = WindowTransformer(seq_length=4).fit_transform(series)  # with warm-up rows
    regressor = make_regressor(scoring, normalize_y=False)
    regressor.fit(windows, series[:, 0], X_val=WINDOWS, y_val=TARGETS)
    scored = (windows[4:], series[4:, 0]) if on_train else (WINDOWS, TARGETS)
    expected = -np.mean((regressor.predict(scored[0]) - scored[1]) ** 2)
    assert column(regressor, "score")[-1] == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int64])
def test_net_predicts_arrays_as_skorch_does(dtype):
    # AttributeError: the net knew only its own data sets.
    regressor = make_regressor(normalize_y=False).fit(WINDOWS, TARGETS)
    windows = (3 * WINDOWS).astype(dtype)
    outputs = regressor.net_.predict(windows)
    assert outputs.shape == (24, 1)
    np.testing.assert_allclose(outputs[:, 0], regressor.predict(windows), atol=1e-6)


class PredictsInEachEpoch(Callback):
    """Calls the net on an array, as a callback of one's own may."""

    def on_epoch_end(self, net, **kwargs):
        net.history.record("mean", float(net.predict(WINDOWS[:3]).mean()))


def test_callback_may_predict_by_the_net():
    regressor = make_regressor(PredictsInEachEpoch(), normalize_y=False)
    regressor.fit(WINDOWS, TARGETS)
    expected = regressor.predict(WINDOWS[:3]).mean()
    assert column(regressor, "mean")[-1] == pytest.approx(expected, abs=1e-6)


COMPILED = {"compile": True, "compile__backend": "eager"}
SAVED = {
    "pickle": lambda model: pickle.loads(pickle.dumps(model)),
    "cloudpickle": lambda model: pickle.loads(cloudpickle.dumps(model)),
    "skops": lambda model: skops.io.loads(
        skops.io.dumps(model), trusted=["sklstm.LSTMRegressor"]
    ),
    "deepcopy": copy.deepcopy,
}


@pytest.fixture(scope="module")
def compiled():
    # dynamo looks at what an LSTM, which it does not compile, leaves behind.
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The .grad attribute of a Tensor")
        yield make_regressor(skorch_params=COMPILED, residual=True).fit(WINDOWS, TARGETS)


def test_compiled_network_trains_and_predicts(compiled):
    plain = make_regressor(residual=True).fit(WINDOWS, TARGETS)
    assert type(compiled.net_.module_) is not type(plain.net_.module_)
    expected = plain.predict(WINDOWS)
    np.testing.assert_allclose(compiled.predict(WINDOWS), expected, atol=1e-5)


@pytest.mark.parametrize("how", SAVED)
def test_compiled_network_is_saved_in_every_format(how, compiled):
    # torch.compile renames the weights: saved without complaint, it could not be loaded.
    loaded = SAVED[how](compiled)
    np.testing.assert_allclose(
        loaded.predict(WINDOWS), compiled.predict(WINDOWS), atol=1e-6
    )
    loaded.fit(WINDOWS, TARGETS)


def test_compiled_network_is_exported_and_looked_into(compiled, tmp_path):
    to_onnx(compiled, tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    name = session.get_inputs()[0].name
    (outputs,) = session.run(None, {name: np.float32(WINDOWS)})
    np.testing.assert_allclose(outputs.ravel(), compiled.predict(WINDOWS), atol=1e-5)
    assert gates(compiled, WINDOWS)["cell_state"].shape == (24, 4, 3)
    compiled.summary()


def test_parametrized_network_is_saved_with_the_weights_that_it_uses():
    regressor = make_regressor().fit(WINDOWS, TARGETS)
    module = regressor.net_.module_
    torch.nn.utils.parametrizations.weight_norm(module.lstm, "weight_hh_l0")
    with torch.no_grad():
        module.lstm.parametrizations.weight_hh_l0.original0.mul_(2)
    loaded = pickle.loads(pickle.dumps(regressor))
    expected = regressor.predict(WINDOWS)
    np.testing.assert_allclose(loaded.predict(WINDOWS), expected, atol=1e-6)


def test_network_of_another_class_is_not_saved_as_ours():
    regressor = make_regressor().fit(WINDOWS, TARGETS)
    regressor.net_.module_ = torch.nn.Sequential(regressor.net_.module_)
    with pytest.raises(TypeError, match="Only the network of LSTMRegressor can be saved"):
        pickle.dumps(regressor)


def test_global_hook_of_optimizers_is_called_at_every_step():
    # An own step called it for 1 of 4.
    calls = []
    handle = register_optimizer_step_post_hook(lambda *_: calls.append(1))
    try:
        make_regressor(batch_size=6, epochs=1).fit(WINDOWS, TARGETS)
    finally:
        handle.remove()
    assert len(calls) == 4


MODES = {
    "inference": torch.inference_mode,
    "no grad": torch.no_grad,
    "autocast": lambda: torch.autocast("cpu"),
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("has_onednn", [True, False])
def test_modes_of_torch_around_fit_change_no_bit(mode, has_onednn, monkeypatch):
    # "does not require grad" in inference mode, where autograd computes.
    if not has_onednn:
        monkeypatch.setattr(_onednn, "is_available", lambda: False)
    expected = make_regressor().fit(WINDOWS, TARGETS).predict(WINDOWS)
    with MODES[mode]():
        regressor = make_regressor(warm_start=True).fit(WINDOWS, TARGETS)
        np.testing.assert_array_equal(regressor.predict(WINDOWS), expected)
        loaded = pickle.loads(pickle.dumps(regressor))
    np.testing.assert_array_equal(regressor.predict(WINDOWS), expected)
    for going_on in (regressor, loaded):
        going_on.fit(WINDOWS, TARGETS).partial_fit(WINDOWS, TARGETS)
    np.testing.assert_array_equal(loaded.predict(WINDOWS), regressor.predict(WINDOWS))


def with_hook(module):
    module.dense.register_forward_hook(lambda _, __, outputs: 3 * outputs)


def with_pre_hook(module):
    module.lstm.register_forward_pre_hook(lambda _, inputs: (2 * inputs[0],))


def with_forward(module):
    module.dense.forward = lambda hidden: hidden[:, :1]


def with_layer(module):
    module.lstm = torch.nn.LSTM(2, 3, 2, batch_first=True)


def with_dense(module):
    module.dense = torch.nn.Sequential(module.dense)


COPIES = {
    "pickle": lambda model: pickle.loads(pickle.dumps(model)),
    "deepcopy": copy.deepcopy,
    "partial_fit": lambda model: model.partial_fit(WINDOWS, TARGETS),
}


@pytest.mark.parametrize("how", COPIES)
@pytest.mark.parametrize("change", [with_hook, with_pre_hook])
def test_copy_of_a_hooked_network_is_told_to_be_without_its_hooks(how, change):
    # The copy predicted something else, in silence.
    regressor = make_regressor().fit(WINDOWS, TARGETS)
    change(regressor.net_.module_)
    with pytest.warns(UserWarning, match="Hooks of the network are not saved or copied"):
        COPIES[how](regressor)


@pytest.mark.parametrize("how", COPIES)
@pytest.mark.parametrize("change", [with_forward, with_layer, with_dense])
def test_network_with_other_layers_is_not_copied_as_ours(how, change):
    # It was saved, and could not be loaded or was another one.
    regressor = make_regressor().fit(WINDOWS, TARGETS)
    change(regressor.net_.module_)
    with pytest.raises(TypeError, match="Only the network of LSTMRegressor can be saved"):
        COPIES[how](regressor)
