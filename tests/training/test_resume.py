"""The saved fit and its saver; `tests/test_resume.py` interrupts whole fits."""

from dataclasses import asdict, replace

import numpy as np
import pytest
import torch

from sklstm import SavedVersionWarning
from sklstm._storage._checksum import versions
from sklstm._storage._files import CheckpointFile
from sklstm._training._callbacks import KeepBestWeights
from sklstm._training._config import Architecture, Training
from sklstm._training._make_net import make_net
from sklstm._training._resume import EpochSaver, SavedFit, write_error
from tests.training.test_callback_state import Unknown

ARCHITECTURE = Architecture(
    seq_length=2,
    n_features=1,
    n_outputs=1,
    units=2,
    num_layers=1,
    dropout=0.0,
    bidirectional=False,
    residual=False,
)


@pytest.fixture
def file(tmp_path):
    return CheckpointFile.of(tmp_path / "fit.checkpoint")


def make_small_net(*, epochs=5, units=2, **params):
    architecture = replace(ARCHITECTURE, units=units)
    return make_net(architecture, Training(epochs=epochs, **params), device="cpu")


def train_an_epoch(net, number=0):
    """Change what training changes, without any data."""
    for weight in net.module_.parameters():
        weight.grad = torch.full_like(weight, 0.5 + number)
    net.optimizer_.step()
    net.generator.manual_seed(100 + number)
    net.history.new_epoch()
    net.history.record("epoch", number + 1)
    net.history.record("train_loss", 1.0 / (1 + number))


def saved_after(file, n_epochs, **params):
    """A net trained and saved for so many epochs, and the fit in its file."""
    net, saver = make_small_net(**params), EpochSaver(file, {"data": "x"}, 3)
    saver.join(net)
    saver.on_train_begin(net)
    for number in range(n_epochs):
        train_an_epoch(net, number)
        saver.on_epoch_end(net)
    return net, SavedFit.of(file.read(), file)


def weights_of(net):
    return [weight.detach().numpy() for weight in net.module_.parameters()]


@pytest.mark.parametrize("n_epochs", [0, 1, 3])
def test_restored_net_goes_on_with_the_bits_of_the_saved_one(n_epochs, file):
    net, saved = saved_after(file, n_epochs)
    assert (saved.seed, saved.n_epochs, saved.stopped) == (3, n_epochs, False)
    again = make_small_net()
    saver = EpochSaver(file, {"data": "x"}, 0, saved=saved)
    saver.join(again)
    saver.on_train_begin(again)
    assert again.max_epochs == 5 - n_epochs
    assert [epoch["epoch"] for epoch in again.history] == list(range(1, n_epochs + 1))
    for one in (net, again):
        train_an_epoch(one, n_epochs)  # with the moments of Adam
    np.testing.assert_array_equal(
        np.concatenate([w.ravel() for w in weights_of(again)]),
        np.concatenate([w.ravel() for w in weights_of(net)]),
    )
    assert torch.equal(again.generator.get_state(), net.generator.get_state())


def test_seed_of_the_saved_fit_is_used(file):
    _, saved = saved_after(file, 1)
    assert EpochSaver(file, {}, 9).seed == 9
    assert EpochSaver(file, {}, 9, saved=saved).seed == 3


def test_stopped_fit_trains_no_further_epoch(file):
    _, saved = saved_after(file, 2)
    stopped = replace(saved, stopped=True)
    assert stopped.is_finished(5)
    net = make_small_net()
    saver = EpochSaver(file, {}, 0, saved=stopped)
    saver.join(net)
    saver.on_train_begin(net)
    assert net.max_epochs == 0
    assert net.stop_training


def test_fit_is_finished_once_it_has_all_epochs(file):
    _, saved = saved_after(file, 2)
    assert saved.is_finished(2)
    assert not saved.is_finished(3)


def test_saver_leaves_the_net_as_it_was(file):
    net, saver = make_small_net(), EpochSaver(file, {}, 3)
    before = list(net.callbacks_)
    saver.join(net)
    assert net.callbacks_[-1] == ("epoch_saver", saver)
    net.max_epochs = 2
    saver.on_train_end(net)
    assert net.callbacks_ == before
    assert net.max_epochs == 5


def test_saver_without_a_file_does_not_join():
    net = make_small_net()
    net.callbacks_.append(("unknown", Unknown()))
    EpochSaver(None, {}, 3).join(net)
    assert net.callbacks_[-1][0] == "unknown"


def test_callback_that_cannot_be_restored_is_refused_before_training(file):
    net = make_small_net()
    net.callbacks_.append(("unknown", Unknown()))
    with pytest.raises(ValueError, match="the callback Unknown"):
        EpochSaver(file, {}, 3).join(net)


def test_net_of_no_epochs_writes_nothing(file):
    net, saver = make_small_net(), EpochSaver(file, {}, 3)
    net.max_epochs = 0
    saver.join(net)
    saver.on_train_begin(net)
    assert file.read() is None


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"seed": -1}, "seed or its count of epochs is out of range"),
        ({"seed": 2**63}, "out of range"),
        ({"n_epochs": -1}, "out of range"),
        ({"n_epochs": 1.0}, "n_epochs is float"),
        ({"stopped": 0}, "stopped is int"),
        ({"callbacks": {}}, "callbacks is dict"),
        ({"more": 1}, "it should hold versions, identity, seed"),
    ],
)
def test_content_of_another_form_is_damage(changes, found, file):
    saved_after(file, 1)
    content = file.read() | changes
    with pytest.raises(ValueError, match=f"is damaged: .*{found}"):
        SavedFit.of(content, file)
    with pytest.raises(ValueError, match="is damaged: it should hold"):
        SavedFit.of(list(content), file)


def restore(file, saved, **params):
    net = make_small_net(**params)
    saver = EpochSaver(file, {}, 0, saved=saved)
    saver.join(net)
    saver.on_train_begin(net)
    return net


def test_state_of_another_network_is_damage(file):
    _, saved = saved_after(file, 1)
    with pytest.raises(ValueError, match="its network is of another architecture"):
        restore(file, saved, units=3)


def test_history_of_another_length_is_damage(file):
    _, saved = saved_after(file, 2)
    with pytest.raises(ValueError, match="its history is not of 1 epochs"):
        restore(file, replace(saved, n_epochs=1))


@pytest.mark.parametrize("n_callbacks", [0, 2])
def test_callbacks_of_another_number_are_damage(n_callbacks, file):
    _, saved = saved_after(file, 1, n_iter_no_change=None)
    wrong = replace(saved, callbacks=[{}] * n_callbacks)
    net = make_small_net()
    net.callbacks_.append(("best", KeepBestWeights(3, 0.0)))
    saver = EpochSaver(file, {}, 0, saved=wrong)
    saver.join(net)
    with pytest.raises(ValueError, match="is damaged"):
        saver.on_train_begin(net)


def test_best_weights_of_another_shape_are_damage(file):
    _, saved = saved_after(file, 1)
    best = {name: np.float32(array) for name, array in saved.net["module"].items()}
    name = next(iter(best))
    state = {"best_loss_": 0.5, "best_weights_": best | {name: best[name][:1]}}
    net = make_small_net()
    net.callbacks_.append(("best", KeepBestWeights(3, 0.0)))
    saver = EpochSaver(file, {}, 0, saved=replace(saved, callbacks=[state]))
    saver.join(net)
    with pytest.raises(ValueError, match=f"is damaged: {name} should be of shape"):
        saver.on_train_begin(net)


def test_fit_of_other_versions_goes_on_with_a_warning(file):
    _, saved = saved_after(file, 1)
    older = replace(saved, versions=versions() | {"torch": "1.0"})
    with pytest.warns(SavedVersionWarning, match="torch"):
        restore(file, older)


def test_saved_rate_of_a_schedule_is_restored(file):
    net, saver = make_small_net(), EpochSaver(file, {}, 3)
    saver.join(net)
    train_an_epoch(net)
    net.optimizer_.param_groups[0]["lr"] = 0.25
    saver.save(net)
    again = restore(file, SavedFit.of(file.read(), file))
    assert again.optimizer_.param_groups[0]["lr"] == 0.25


def test_error_of_writing_keeps_its_kind_and_says_what_is_kept(file):
    error = write_error(file, PermissionError(13, "Permission denied"), 4)
    assert isinstance(error, PermissionError)
    assert "cannot be written after 4 epochs (Permission denied)" in str(error)
    assert "after" not in str(write_error(file, OSError(28, "No space left"))).split("(")[0]


def test_identity_is_saved_as_it_is(file):
    _, saved = saved_after(file, 1)
    assert saved.identity == {"data": "x"}
    assert asdict(saved).keys() == file.read().keys()
