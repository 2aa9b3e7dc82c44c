"""Fits that were interrupted go on to the same bits; other fits do not go on at all."""

import copy
import os
import pickle
import threading
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit
from sklearn.pipeline import make_pipeline
from skorch.callbacks import (
    Callback,
    Checkpoint,
    EarlyStopping,
    EpochScoring,
    Freezer,
    LRScheduler,
)

from sklstm import LSTMRegressor, SavedVersionWarning, WindowTransformer
from sklstm._network._tensors import to_arrays
from sklstm._storage._digest import sha256
from sklstm._storage._files import CheckpointFile
from sklstm._training import _callbacks
from sklstm._training import _resume as resume
from tests.hard.kill_fits import FORMS as KILLED_FORMS
from tests.hard.kill_fits import ending as killed_ending
from tests.hard.kill_fits import fit as killed_fit
from tests.hard.kill_fits import kill_until_through
from tests.versions import ScoringMonitor, needs_callbacks

RNG = np.random.default_rng(0)
WINDOWS = RNG.normal(size=(24, 4, 2))
TARGETS = RNG.normal(size=24)
WEIGHTS = RNG.uniform(0.1, 3, size=24)
EPOCHS = 6


class Interrupting(Callback):
    """Ctrl-C in the epoch that the class names; it keeps nothing."""

    in_epoch = None

    def on_batch_end(self, net, training=True, **kwargs):
        if len(net.history) == type(self).in_epoch:
            raise KeyboardInterrupt

    def state_dict(self):
        return {}

    def load_state_dict(self, state):
        assert state == {}


@pytest.fixture
def interrupting(monkeypatch):
    """Sets the epoch in which fits are interrupted."""
    return lambda epoch: monkeypatch.setattr(Interrupting, "in_epoch", epoch)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "fit.checkpoint"


SCHEDULES = {
    "StepLR": ("StepLR", {"step_size": 2, "gamma": 0.5}),
    "MultiStepLR": ("MultiStepLR", {"milestones": [1, 4], "gamma": 0.5}),
    "CosineAnnealingLR": ("CosineAnnealingLR", {"T_max": 4}),
    "ReduceLROnPlateau": (
        "ReduceLROnPlateau",
        {"monitor": "train_loss", "patience": 0, "threshold": 0.5},
    ),
    "CyclicLR": (
        "CyclicLR",
        {"base_lr": 0.01, "max_lr": 0.05, "step_size_up": 5, "step_every": "batch"},
    ),
    "OneCycleLR": (
        torch.optim.lr_scheduler.OneCycleLR,
        {"max_lr": 0.05, "total_steps": 60, "step_every": "batch"},
    ),
    "WarmRestartLR": ("WarmRestartLR", {"base_period": 2}),
}
FORMS = {
    "plain": {},
    "dropout": {"num_layers": 2, "dropout": 0.5},
    "bidirectional": {"bidirectional": True},
    "residual": {"residual": True},
    "one batch": {"batch_size": 100},
    "huber": {"loss": "huber", "max_grad_norm": 0.1, "normalize_y": False},
    "quantile": {"loss": "quantile", "quantiles": (0.2, 0.5), "residual": True},
    "early stopping": {"early_stopping": True, "validation_fraction": 0.4, "tol": 0.0},
    "stopped early": {"early_stopping": True, "n_iter_no_change": 3, "tol": 0.5},
    "momentum": {
        "skorch_params": {"optimizer": torch.optim.SGD, "optimizer__momentum": 0.9}
    },
    "amsgrad": {"skorch_params": {"optimizer__amsgrad": True}},
    "no seed": {"random_state": None},
    "scored": {"skorch_params": {"callbacks": [EpochScoring("r2", on_train=True)]}},
    "stopped by skorch": {
        "skorch_params": {
            "callbacks": [
                EarlyStopping("train_loss", 2, 0.5, load_best=True, sink=lambda _: 0)
            ]
        }
    },
    **{
        name: {"skorch_params": {"callbacks": [LRScheduler(policy, **params)]}}
        for name, (policy, params) in SCHEDULES.items()
    },
}


def make_regressor(**params):
    defaults = {"units": 3, "learning_rate": 0.02, "random_state": 0, "device": "cpu"}
    return LSTMRegressor(**{"epochs": EPOCHS} | defaults | params)


def interruptible(**params):
    """The same, with a callback that may interrupt it."""
    skorch_params = dict(params.pop("skorch_params", {}))
    callbacks = [*skorch_params.pop("callbacks", []), Interrupting()]
    return make_regressor(**params, skorch_params={**skorch_params, "callbacks": callbacks})


def ending(regressor):
    """All that a fit ends in, but for the time it took."""
    weights = regressor.net_.module_.state_dict().items()
    return (
        {name: weight.numpy().tobytes() for name, weight in weights},
        [{**epoch, "duration": 0} for epoch in regressor.history_],
        regressor.predict(WINDOWS).tobytes(),
        getattr(regressor, "best_epoch_", None),
    )


def state_after(regressor):
    """What further training would draw on."""
    net = regressor.net_
    optimizer = sha256(to_arrays(net.optimizer_.state_dict()["state"]))
    generators = [net.generator.get_state(), net.module_.generator.get_state()]
    return optimizer, [generator.numpy().tobytes() for generator in generators]


# Going on.


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["equal", "weighted"])
@pytest.mark.parametrize("form", FORMS)
def test_interrupted_fit_ends_in_the_bits_of_one_that_was_not(
    form, weights, path, interrupting
):
    for epoch in (1, 2, 3):
        interrupting(epoch)
        with pytest.raises(KeyboardInterrupt):
            interruptible(**FORMS[form], checkpoint=path).fit(WINDOWS, TARGETS, weights)
        assert CheckpointFile.of(path).read()["n_epochs"] == epoch - 1
    interrupting(None)
    resumed = interruptible(**FORMS[form], checkpoint=path).fit(WINDOWS, TARGETS, weights)
    if form == "no seed":
        reference = fit_with_seed(
            CheckpointFile.of(path).read()["seed"], FORMS[form], weights
        )
    else:
        reference = interruptible(**FORMS[form]).fit(WINDOWS, TARGETS, weights)
    assert ending(resumed) == ending(reference)
    assert state_after(resumed) == state_after(reference)
    assert resumed.net_.max_epochs == reference.net_.max_epochs


def fit_with_seed(seed, params, weights):
    """A fit whose drawn seed is known."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sklstm._training._config.draw_seed", lambda random_state: seed)
        return interruptible(**params).fit(WINDOWS, TARGETS, weights)


def test_what_callbacks_keep_matters_to_the_end(path, interrupting, monkeypatch):
    # That the test above can fail: without it, the same epochs end elsewhere.
    monkeypatch.setattr(resume, "load_callback_state", lambda callback, state: None)
    for form in ("stopped early", "ReduceLROnPlateau", "OneCycleLR"):
        path.unlink(missing_ok=True)
        interrupting(2)
        with pytest.raises(KeyboardInterrupt):
            interruptible(**FORMS[form], checkpoint=path).fit(WINDOWS, TARGETS)
        interrupting(None)
        resumed = interruptible(**FORMS[form], checkpoint=path).fit(WINDOWS, TARGETS)
        whole = interruptible(**FORMS[form]).fit(WINDOWS, TARGETS)
        assert ending(resumed) != ending(whole), form


@pytest.mark.parametrize("form", ["plain", "early stopping", "stopped early", "StepLR"])
def test_validation_data_goes_on_too(form, path, interrupting):
    validation = {"X_val": WINDOWS[:9], "y_val": TARGETS[:9]}
    interrupting(3)
    with pytest.raises(KeyboardInterrupt):
        interruptible(**FORMS[form], checkpoint=path).fit(WINDOWS, TARGETS, **validation)
    interrupting(None)
    resumed = interruptible(**FORMS[form], checkpoint=path)
    resumed.fit(WINDOWS, TARGETS, **validation)
    whole = interruptible(**FORMS[form]).fit(WINDOWS, TARGETS, **validation)
    assert ending(resumed) == ending(whole)


@pytest.mark.parametrize("form", FORMS)
def test_finished_fit_is_given_at_once(form, path, monkeypatch):
    first = make_regressor(**FORMS[form], checkpoint=path).fit(WINDOWS, TARGETS)
    written = path.read_bytes()
    monkeypatch.setattr(CheckpointFile, "write", None)  # nothing is written
    monkeypatch.setattr(CheckpointFile, "locked", None)  # nor locked, in a read-only folder
    again = make_regressor(**FORMS[form], checkpoint=path).fit(WINDOWS, TARGETS)
    assert ending(again) == ending(first)
    assert again.history_ == first.history_
    assert path.read_bytes() == written
    assert os.listdir(path.parent) == [path.name]


@pytest.mark.parametrize("form", sorted(FORMS.keys() - {"no seed"}))
def test_more_epochs_go_on_as_in_one_longer_fit(form, path):
    make_regressor(**FORMS[form], checkpoint=path, epochs=2).fit(WINDOWS, TARGETS)
    longer = make_regressor(**FORMS[form], checkpoint=path).fit(WINDOWS, TARGETS)
    assert ending(longer) == ending(make_regressor(**FORMS[form]).fit(WINDOWS, TARGETS))


def test_fewer_epochs_than_were_trained_are_refused(path):
    make_regressor(checkpoint=path).fit(WINDOWS, TARGETS)
    with pytest.raises(ValueError, match="already holds 6 epochs, more than epochs=2"):
        make_regressor(checkpoint=path, epochs=2).fit(WINDOWS, TARGETS)


def test_fit_with_a_checkpoint_is_the_fit_without(path):
    with_file = make_regressor(checkpoint=path).fit(WINDOWS, TARGETS)
    without = make_regressor().fit(WINDOWS, TARGETS)
    assert ending(with_file) == ending(without)
    assert state_after(with_file) == state_after(without)


def test_fit_without_a_checkpoint_writes_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(CheckpointFile, "write", None)
    make_regressor().fit(WINDOWS, TARGETS).partial_fit(WINDOWS, TARGETS)
    assert os.listdir(tmp_path) == []


def test_resumed_regressor_is_saved_trained_on_and_cloned(path):
    make_regressor(checkpoint=path, epochs=2).fit(WINDOWS, TARGETS)
    assert ending(make_regressor(checkpoint=str(path), epochs=2).fit(WINDOWS, TARGETS))
    resumed = make_regressor(checkpoint=path).fit(WINDOWS, TARGETS)
    loaded = pickle.loads(pickle.dumps(resumed))
    assert ending(loaded) == ending(resumed)
    assert loaded.checkpoint == str(path)
    whole = make_regressor().fit(WINDOWS, TARGETS)
    for regressor in (resumed, whole):
        regressor.set_params(checkpoint=None).partial_fit(WINDOWS, TARGETS)
    assert ending(resumed) == ending(whole)
    assert clone(resumed).set_params(checkpoint=path).checkpoint == path


def test_copies_of_the_windows_go_on_as_well(path):
    # As a process of joblib gets them.
    series = RNG.normal(size=(30, 2))
    windows = WindowTransformer(seq_length=4).fit_transform(series)
    make_regressor(checkpoint=path, epochs=2).fit(windows, series[:, 0])
    resumed = make_regressor(checkpoint=path).fit(np.array(windows), series[:, 0])
    assert ending(resumed) == ending(make_regressor().fit(windows, series[:, 0]))


def test_random_state_object_in_the_same_state_goes_on(path):
    def seeded(seed, **params):
        return make_regressor(random_state=np.random.RandomState(seed), **params)

    seeded(3, checkpoint=path, epochs=2).fit(WINDOWS, TARGETS)
    resumed = seeded(3, checkpoint=path).fit(WINDOWS, TARGETS)
    assert ending(resumed) == ending(seeded(3).fit(WINDOWS, TARGETS))
    with pytest.raises(ValueError, match="random_state='a RandomState that draws"):
        seeded(4, checkpoint=path).fit(WINDOWS, TARGETS)


@needs_callbacks
def test_callbacks_of_scikit_learn_are_told_of_the_epochs_that_are_left(path):
    make_regressor(checkpoint=path, epochs=2).fit(WINDOWS, TARGETS)
    monitor = ScoringMonitor(scoring="r2")
    resumed = make_regressor(checkpoint=path).set_callbacks(monitor).fit(WINDOWS, TARGETS)
    assert ending(resumed) == ending(make_regressor().fit(WINDOWS, TARGETS))


# Other fits.


OTHER_PARAMETERS = {
    "units": 4,
    "num_layers": 2,
    "dropout": 0.1,
    "bidirectional": True,
    "residual": True,
    "loss": "huber",
    "multi_step": True,
    "incomplete": "train",
    "batch_size": 5,
    "learning_rate": 0.03,
    "max_grad_norm": 1.0,
    "normalize_y": False,
    "early_stopping": True,
    "validation_fraction": 0.2,
    "n_iter_no_change": 3,
    "tol": 0.1,
    "random_state": 1,
}


@pytest.mark.parametrize("name", OTHER_PARAMETERS)
def test_other_parameters_are_refused_by_name_and_the_file_stays(name, path):
    first = make_regressor(checkpoint=path, epochs=2).fit(WINDOWS, TARGETS)
    written, there = path.read_bytes(), first.get_params()[name]
    other = make_regressor(checkpoint=path, **{name: OTHER_PARAMETERS[name]})
    message = f"of another fit: {name}={there!r} there and {OTHER_PARAMETERS[name]!r} here"
    with pytest.raises(ValueError, match=message.replace(".", r"\.")):
        other.fit(WINDOWS, TARGETS)
    assert path.read_bytes() == written
    assert os.listdir(path.parent) == [path.name]


def test_every_parameter_decides_or_is_known_not_to():
    free = {"checkpoint", "device", "epochs", "verbose", "warm_start", "skorch_params"}
    free |= {"quantiles"}  # decide with their loss alone: tests/test_quantiles.py
    assert set(OTHER_PARAMETERS) | free == set(LSTMRegressor().get_params())


@pytest.mark.parametrize(
    ("before", "now", "name"),
    [
        ({}, {"optimizer": torch.optim.SGD}, "optimizer"),
        ({"optimizer": torch.optim.SGD}, {"optimizer": torch.optim.Adam}, "optimizer"),
        ({"optimizer__eps": 1e-8}, {"optimizer__eps": 1e-7}, "optimizer__eps"),
        (FORMS["StepLR"]["skorch_params"], {}, "callbacks"),
        (
            {"callbacks": [LRScheduler("StepLR", step_size=2)]},
            {"callbacks": [LRScheduler("StepLR", step_size=3)]},
            "callbacks",
        ),
    ],
)
def test_other_skorch_params_are_refused_by_name(before, now, name, path):
    make_regressor(checkpoint=path, skorch_params=before).fit(WINDOWS, TARGETS)
    with pytest.raises(ValueError, match=rf"of another fit: skorch_params\['{name}'\]="):
        make_regressor(checkpoint=path, skorch_params=now).fit(WINDOWS, TARGETS)


def changed(array):
    array = array.copy()
    array.flat[-1] += 1e-9
    return array


ALL_DATA = {
    "X": WINDOWS,
    "y": TARGETS,
    "sample_weight": WEIGHTS,
    "X_val": WINDOWS[:9],
    "y_val": TARGETS[:9],
}


@pytest.mark.parametrize("name", ALL_DATA)
def test_other_data_is_refused_by_name(name, path):
    make_regressor(checkpoint=path).fit(**ALL_DATA)
    make_regressor(checkpoint=path).fit(**copy.deepcopy(ALL_DATA))
    with pytest.raises(ValueError, match=f"of another fit: another {name}. To continue"):
        make_regressor(checkpoint=path).fit(**{**ALL_DATA, name: changed(ALL_DATA[name])})


def test_data_that_is_left_out_is_refused_by_name(path):
    make_regressor(checkpoint=path).fit(**ALL_DATA)
    with pytest.raises(
        ValueError, match="another sample_weight; another X_val; another y_v"
    ):
        make_regressor(checkpoint=path).fit(WINDOWS, TARGETS)


def test_all_differences_are_named_at_once(path):
    make_regressor(checkpoint=path).fit(WINDOWS, TARGETS)
    message = r"tol=0\.0001 there and 0\.1 here; units=3 there and 4 here; another y\. "
    with pytest.raises(ValueError, match=message):
        make_regressor(checkpoint=path, units=4, tol=0.1).fit(WINDOWS, changed(TARGETS))


@pytest.mark.parametrize("callback", [Freezer("lstm*"), Checkpoint()], ids=["freeze", "ck"])
def test_callbacks_whose_state_is_not_known_are_refused_by_name(callback, path):
    params = {"callbacks": [callback]}
    with pytest.raises(ValueError, match=f"the callback {type(callback).__name__} carries"):
        make_regressor(checkpoint=path, skorch_params=params).fit(WINDOWS, TARGETS)
    assert os.listdir(path.parent) == []


class Counting(Callback):
    """Counts epochs, and tells the file so."""

    def __init__(self):
        self.n_epochs = 0

    def on_epoch_end(self, net, **kwargs):
        self.n_epochs += 1
        net.history.record("counted", self.n_epochs)

    def state_dict(self):
        return {"n_epochs": self.n_epochs}

    def load_state_dict(self, state):
        self.n_epochs = state["n_epochs"]


def test_callbacks_may_tell_their_state_themselves(path):
    for epochs in (2, EPOCHS):
        params = {"callbacks": [Counting()]}
        regressor = make_regressor(checkpoint=path, skorch_params=params, epochs=epochs)
        regressor.fit(WINDOWS, TARGETS)
    assert [e["counted"] for e in regressor.history_] == list(range(1, EPOCHS + 1))


def test_warm_start_and_partial_fit_are_refused(path):
    with pytest.raises(ValueError, match="checkpoint does not support warm_start=True"):
        make_regressor(checkpoint=path, warm_start=True).fit(WINDOWS, TARGETS)
    with pytest.raises(ValueError, match="partial_fit does not support checkpoint"):
        make_regressor(checkpoint=path).partial_fit(WINDOWS, TARGETS)
    assert os.listdir(path.parent) == []


@pytest.mark.parametrize("checkpoint", [3, b"file", True, ["file"]])
def test_what_is_no_path_is_refused(checkpoint):
    with pytest.raises(ValueError, match="The 'checkpoint' parameter of LSTMRegressor"):
        make_regressor(checkpoint=checkpoint).fit(WINDOWS, TARGETS)


# Several fits and one file.


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.FitFailedWarning")
@pytest.mark.filterwarnings("ignore:One or more of the test scores")
@pytest.mark.parametrize("n_jobs", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_search_over_one_file_fails_rather_than_mixes_its_fits(n_jobs, path):
    model = make_pipeline(WindowTransformer(4), make_regressor(checkpoint=path))
    series = RNG.normal(size=(60, 1))
    search = GridSearchCV(
        model, {"lstmregressor__units": [2, 3]}, cv=TimeSeriesSplit(3), n_jobs=n_jobs
    )
    with pytest.raises(ValueError, match=r"another fit: .* leave checkpoint=None"):
        search.fit(series, series[:, 0])
    assert CheckpointFile.of(path).read()["n_epochs"] == EPOCHS


def test_fits_at_once_over_one_file_are_kept_apart(path):
    with (
        CheckpointFile.of(path).locked(),
        pytest.raises(ValueError, match="is in use by another fit"),
    ):
        make_regressor(checkpoint=path).fit(WINDOWS, TARGETS)
    failures, regressors = [], [make_regressor(checkpoint=path) for _ in range(4)]

    def fit(regressor):
        try:
            regressor.fit(WINDOWS, TARGETS)
        except ValueError as error:
            failures.append(str(error))

    threads = [threading.Thread(target=fit, args=(regressor,)) for regressor in regressors]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(failures) < len(regressors)
    assert all("in use by another fit" in failure for failure in failures)
    whole = ending(make_regressor().fit(WINDOWS, TARGETS))
    for regressor in regressors:
        assert not hasattr(regressor, "net_") or ending(regressor) == whole
    assert os.listdir(path.parent) == [path.name]


# Files that cannot be written, or read.


def test_full_disk_is_an_error_that_leaves_file_and_earlier_fit(path, monkeypatch):
    regressor = make_regressor().fit(WINDOWS, TARGETS)
    before = ending(regressor)
    regressor.set_params(checkpoint=path)

    write = CheckpointFile.write

    def fail_in_epoch_3(file, content):
        if content["n_epochs"] == 3:
            raise OSError(28, "No space left on device")
        write(file, content)

    monkeypatch.setattr(CheckpointFile, "write", fail_in_epoch_3)
    with pytest.raises(OSError, match=r"after 3 epochs \(No space left on device\)"):
        regressor.fit(WINDOWS, TARGETS)
    assert ending(regressor) == before
    assert CheckpointFile.of(path).read()["n_epochs"] == 2
    monkeypatch.undo()
    assert ending(regressor.fit(WINDOWS, TARGETS)) == before


def test_folder_that_is_not_there_is_an_error_before_training(tmp_path, monkeypatch):
    monkeypatch.setattr("sklstm._training._train.fit_net", None)
    regressor = make_regressor(checkpoint=tmp_path / "nowhere" / "file")
    with pytest.raises(FileNotFoundError, match="cannot be written"):
        regressor.fit(WINDOWS, TARGETS)
    with pytest.raises(IsADirectoryError, match="cannot be read"):
        make_regressor(checkpoint=tmp_path).fit(WINDOWS, TARGETS)


@pytest.mark.parametrize("name", ["", "\0", "a\0b", "\ud800"])
def test_what_no_file_can_be_called_is_an_error(name):
    with pytest.raises(ValueError, match="cannot be used as the path"):
        make_regressor(checkpoint=name).fit(WINDOWS, TARGETS)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_read_only_folder_is_an_error_before_training(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(PermissionError, match="cannot be written"):
        make_regressor(checkpoint=tmp_path / "file").fit(WINDOWS, TARGETS)


def test_files_of_others_are_never_written_over(path):
    path.write_bytes(pickle.dumps(make_regressor()))
    before = path.read_bytes()
    with pytest.raises(ValueError, match="a file that was not written by sklstm"):
        make_regressor(checkpoint=path).fit(WINDOWS, TARGETS)
    assert path.read_bytes() == before


def test_damaged_file_is_refused(path):
    make_regressor(checkpoint=path, epochs=2).fit(WINDOWS, TARGETS)
    damaged = bytearray(path.read_bytes())
    damaged[-1] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(ValueError, match="is damaged: its SHA-256"):
        make_regressor(checkpoint=path).fit(WINDOWS, TARGETS)


def test_file_of_other_versions_is_warned_of_and_continued(path):
    make_regressor(checkpoint=path, epochs=2).fit(WINDOWS, TARGETS)
    content = CheckpointFile.of(path).read()
    content["versions"]["torch"] = "1.0"
    CheckpointFile.of(path).write(content)
    with pytest.warns(SavedVersionWarning, match=r"was saved by torch 1\.0") as caught:
        make_regressor(checkpoint=path).fit(WINDOWS, TARGETS)
    assert len(caught) == 1


# Files by one who can compute the checksum.


def put(*keys, value):
    def change(content):
        for key in keys[:-1]:
            content = content[key]
        content[keys[-1]] = value

    return change


STOPPING = FORMS["early stopping"]
SCHEDULED = FORMS["OneCycleLR"]
MALFORMED = {
    "no dict": (lambda content: content.clear(), {}),
    "no history": (lambda content: content["net"].pop("history"), {}),
    "more than it should hold": (put("surprise", value=1), {}),
    "seed": (put("seed", value=-1), {}),
    "seed of another type": (put("seed", value="0"), {}),
    "count": (put("n_epochs", value=1), {}),
    "count below zero": (put("n_epochs", value=-3), {}),
    "count of another type": (put("n_epochs", value=True), {}),
    "identity": (put("identity", value={}), {}),
    "identity of another type": (put("identity", value={"parameters": 3, "data": []}), {}),
    "versions": (put("versions", value=None), {}),
    "no callbacks": (put("callbacks", value=[]), STOPPING),
    "more callbacks": (put("callbacks", value=[{}, {}]), STOPPING),
    "callback": (put("callbacks", 0, value=3), STOPPING),
    "unknown entry": (put("callbacks", 0, "predict", value=3), STOPPING),
    "count of a callback": (put("callbacks", 0, "n_unimproved_", value="x"), STOPPING),
    "best weights": (
        put("callbacks", 0, "best_weights_", "dense.bias", value=np.zeros(7)),
        STOPPING,
    ),
    "no best weights": (put("callbacks", 0, "best_weights_", value={}), STOPPING),
    "best loss without weights": (
        put("callbacks", 0, value={"best_loss_": -9.0, "best_epoch_": 1}),
        STOPPING,
    ),
    "schedule": (put("callbacks", 0, "lr_scheduler_", value=None), SCHEDULED),
    "entry of a schedule": (
        put("callbacks", 0, "lr_scheduler_", "total_steps", value="x"),
        SCHEDULED,
    ),
    "new entry of a schedule": (
        put("callbacks", 0, "lr_scheduler_", "step", value={"a": 1}),
        SCHEDULED,
    ),
    "architecture": (put("net", "architecture", "units", value=4), {}),
    "weight": (put("net", "module", "dense.bias", value=np.zeros(1)), {}),
    "optimizer": (put("net", "optimizer", "param_groups", value=None), {}),
    "moment": (
        put("net", "optimizer", "state", 0, "exp_avg", value=np.zeros(1, np.float32)),
        {},
    ),
    "generator": (put("net", "order_generator", value=np.zeros(5056, np.uint8)), {}),
    "losses": (put("net", "history", 0, "columns", "train_loss", value=["a", "b"]), {}),
    "training": (put("net", "training", value={"epochs": "x"}), {}),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_file_with_a_good_checksum_is_an_error_of_ours(name, path):
    change, params = MALFORMED[name]
    make_regressor(checkpoint=path, epochs=2, **params).fit(WINDOWS, TARGETS)
    content = CheckpointFile.of(path).read()
    change(content)
    CheckpointFile.of(path).write(content)
    written = path.read_bytes()
    regressor = make_regressor(checkpoint=path, **params)
    with pytest.raises(ValueError, match=r"checkpoint='.*fit\.checkpoint' is damaged: "):
        regressor.fit(WINDOWS, TARGETS)
    assert path.read_bytes() == written
    assert os.listdir(path.parent) == [path.name]
    assert not hasattr(regressor, "net_")


# Data by value.


@pytest.mark.parametrize("form", ["plain", "residual", "early stopping", "one batch"])
def test_same_values_in_another_type_or_layout_continue_to_the_same_bits(form, path):
    whole = np.round(8 * WINDOWS)
    y = np.round(8 * TARGETS)
    ended = ending(make_regressor(**FORMS[form]).fit(whole, y))
    # Reversed twice is a view of negative strides.
    for same in (
        whole.astype(np.float32),
        whole.astype(int),
        np.asfortranarray(whole),
        whole[::-1].copy()[::-1],
        whole.tolist(),
        np.where(whole == 0, -0.0, whole),
    ):
        path.unlink(missing_ok=True)
        make_regressor(checkpoint=path, epochs=2, **FORMS[form]).fit(whole, y)
        resumed = make_regressor(checkpoint=path, **FORMS[form]).fit(same, y.tolist())
        assert ending(resumed)[0] == ended[0]
        assert ending(resumed)[3] == ended[3]


def test_array_in_a_callback_is_compared_by_value(path):
    class Weighted(Counting):
        def __init__(self, weights):
            super().__init__()
            self.weights = weights

    def fit(weights, epochs):
        params = {"callbacks": [Weighted(np.asarray(weights))]}
        regressor = make_regressor(checkpoint=path, skorch_params=params, epochs=epochs)
        return regressor.fit(WINDOWS, TARGETS)

    fit([1.0, 2.0], 2)
    fit([1.0, 2.0], 3)
    with pytest.raises(ValueError, match=r"of another fit: skorch_params\['callbacks'\]="):
        fit([1.0, 3.0], EPOCHS)


def test_printing_may_differ(path, capsys):
    make_regressor(checkpoint=path, epochs=2, **STOPPING, verbose=1).fit(WINDOWS, TARGETS)
    resumed = make_regressor(checkpoint=path, **STOPPING).fit(WINDOWS, TARGETS)
    assert ending(resumed) == ending(make_regressor(**STOPPING).fit(WINDOWS, TARGETS))
    assert "train_loss" in capsys.readouterr().out


# Neighbours and forks.


def test_files_of_others_beside_it_stay(path, tmp_path):
    # Its lock and its temporary file once had names that others have.
    for end in (".lock", ".part", ".tmp"):
        path.with_name(path.name + end).write_text("precious")
    path.with_name(path.name + ".swp").symlink_to(path.with_name(path.name + ".lock"))
    before = set(os.listdir(tmp_path))
    make_regressor(checkpoint=path).fit(WINDOWS, TARGETS)
    assert set(os.listdir(tmp_path)) == before | {path.name}
    for end in (".lock", ".part", ".tmp", ".swp"):
        assert path.with_name(path.name + end).read_text() == "precious"


class Forking(Counting):
    """Forks a child that trains on, in the third epoch."""

    in_child = False

    def on_epoch_begin(self, net, **kwargs):
        if len(net.history) != 3:
            return
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of other threads
            self.child = os.fork()
        type(self).in_child = not self.child


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_copy_that_was_forked_from_a_fit_does_not_write_its_file(path):
    params = {"callbacks": [Forking()]}
    regressor = make_regressor(checkpoint=path, skorch_params=params)
    try:
        regressor.fit(WINDOWS, TARGETS)
    except RuntimeError as error:
        if Forking.in_child:
            os._exit(0 if "forked from it must not write it" in str(error) else 1)
        raise
    finally:
        if Forking.in_child:
            os._exit(2)
    _, status = os.wait()
    assert os.WEXITSTATUS(status) == 0
    assert CheckpointFile.of(path).read()["n_epochs"] == EPOCHS
    assert os.listdir(path.parent) == [path.name]


@pytest.mark.skipif(not os.path.exists("/dev/zero"), reason="needs devices")
def test_devices_are_refused_at_once():
    with pytest.raises(ValueError, match="checkpoint='/dev/zero' is not a regular file"):
        make_regressor(checkpoint="/dev/zero").fit(WINDOWS, TARGETS)


def test_file_can_be_read_without_running_anything(path):
    make_regressor(checkpoint=path).fit(WINDOWS, TARGETS)
    assert not any(line.startswith(b"\x80") for line in path.read_bytes().split(b"\n")[:3])
    assert CheckpointFile.of(path).read()["net"]["module"]["dense.bias"].dtype == np.float32


def test_start_that_is_kept_at_the_end_is_that_of_the_first_call(path, monkeypatch):
    # The best epoch is never clearly better, so all epochs are given up at last.
    monkeypatch.setattr(_callbacks, "is_clearly_positive", lambda differences: False)
    params = {"residual": True, "early_stopping": True, "learning_rate": 0.05}
    whole = make_regressor(**params).fit(WINDOWS, TARGETS)
    assert whole.best_epoch_ == 0
    make_regressor(**params, checkpoint=path, epochs=2).fit(WINDOWS, TARGETS)
    resumed = make_regressor(**params, checkpoint=path).fit(WINDOWS, TARGETS)
    assert ending(resumed) == ending(whole)


# Killed for real.


# A child that was forked after CUDA was used can not use it, and Adam asks for it.
@pytest.mark.skipif(
    not hasattr(os, "fork") or torch.cuda.is_available(), reason="needs fork, without CUDA"
)
@pytest.mark.parametrize("form", KILLED_FORMS)
def test_killed_fits_end_in_the_same_bits(form, tmp_path):
    # All 300: python -m tests.hard.kill_fits
    whole = killed_ending(killed_fit(form))
    rng = np.random.default_rng(0)
    n_kills, ended = kill_until_through(form, Path(tmp_path), 0.2, rng, most=3)
    assert n_kills <= 3
    assert ended == whole
