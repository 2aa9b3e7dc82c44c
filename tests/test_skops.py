"""skops: whole models from files in which nothing can run."""

import copy
import io
import json
import os
import pickle
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
import skops.io
import torch
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skops.io.exceptions import UntrustedTypesFoundException
from skorch.callbacks import EpochScoring, LRScheduler

from sklstm import LSTMRegressor, WindowTransformer
from sklstm._storage._checksum import CHECKSUM
from sklstm._storage._digest import sha256
from tests.test_pickle import (
    FITTED,
    INDEXED,
    LATER,
    MODELS,
    N_FITTED,
    TARGETS,
    make_model,
    make_regressor,
    output,
)

OURS = ["sklstm.LSTMRegressor", "sklstm.WindowTransformer"]
# scikit-learn's own that skops does not trust by itself, or functions that a model names.
OF_OTHERS = {
    "sklearn.metrics._scorer._PassthroughScorer",
    "sklearn.model_selection._split.TimeSeriesSplit",
    "numpy.nan_to_num",
    # What scorers hold before scikit-learn 1.7.
    "sklearn.utils._metadata_requests.MetadataRequest",
    "sklearn.utils._metadata_requests.MethodMetadataRequest",
}
FORMS = {
    "warm start": {"warm_start": True},
    "deep": {"num_layers": 2, "dropout": 0.3, "warm_start": True},
    "residual": {"residual": True},
    "generator": {"random_state": np.random.RandomState(0)},
    "path": {"checkpoint": Path("fit.checkpoint")},
    "NumPy parameters": {"units": np.int64(3), "learning_rate": np.float32(0.01)},
    "early stopping": {"early_stopping": True, "n_iter_no_change": 1, "epochs": 5},
}


def through_skops(model):
    dumped = skops.io.dumps(model)
    return skops.io.loads(dumped, trusted=skops.io.get_untrusted_types(data=dumped))


@pytest.fixture(scope="module")
def fitted():
    return {name: make().fit(FITTED, TARGETS) for name, make in MODELS.items()}


@pytest.mark.parametrize("name", MODELS)
def test_what_is_loaded_predicts_the_same(fitted, name):
    loaded = through_skops(fitted[name])
    np.testing.assert_array_equal(output(loaded), output(fitted[name]))
    again = through_skops(loaded)
    np.testing.assert_array_equal(output(again), output(fitted[name]))


@pytest.mark.parametrize("name", MODELS)
def test_only_our_classes_are_to_be_trusted(fitted, name):
    untrusted = skops.io.get_untrusted_types(data=skops.io.dumps(fitted[name]))
    assert set(untrusted) - OF_OTHERS <= set(OURS)


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_regressor_needs_one_trusted_type(form, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = make_model().set_params(
        **{f"lstm__{name}": value for name, value in FORMS[form].items()}
    )
    model.fit(FITTED, TARGETS)
    dumped = skops.io.dumps(model)
    assert skops.io.get_untrusted_types(data=dumped) == OURS
    loaded = skops.io.loads(dumped, trusted=OURS)
    np.testing.assert_array_equal(output(loaded), output(model))
    assert loaded[-1].history_ == model[-1].history_
    again = [m.fit(FITTED, TARGETS) for m in (model, loaded)]
    np.testing.assert_array_equal(*map(output, again))


def test_estimators_that_are_not_fitted_are_saved_as_well():
    loaded = through_skops(make_model())
    expected = output(make_model().fit(FITTED, TARGETS))
    np.testing.assert_array_equal(output(loaded.fit(FITTED, TARGETS)), expected)


@pytest.mark.parametrize("name", INDEXED)
def test_loaded_transformer_continues_the_fitted_series(name):
    rows = INDEXED[name]
    loaded = through_skops(WindowTransformer(seq_length=4).fit(rows[:N_FITTED]))
    whole = WindowTransformer(seq_length=4).fit_transform(rows)
    np.testing.assert_array_equal(loaded.transform(rows[N_FITTED:]), whole[N_FITTED:])
    np.testing.assert_array_equal(loaded.transform(rows[:N_FITTED]), whole[:N_FITTED])


def test_classes_in_skorch_params_are_to_be_trusted_unless_taken_out():
    schedule = LRScheduler("StepLR", step_size=1)
    params = {"optimizer": torch.optim.SGD, "callbacks": [schedule]}
    regressor = make_regressor(skorch_params=params).fit(FITTED, TARGETS)
    untrusted = skops.io.get_untrusted_types(data=skops.io.dumps(regressor))
    assert {name.partition(".")[0] for name in untrusted} == {"sklstm", "skorch", "torch"}
    shared = copy.deepcopy(regressor).set_params(skorch_params=None)
    dumped = skops.io.dumps(shared)
    assert skops.io.get_untrusted_types(data=dumped) == OURS[:1]
    loaded = skops.io.loads(dumped, trusted=OURS)
    np.testing.assert_array_equal(loaded.predict(FITTED), regressor.predict(FITTED))


def test_files_hold_callbacks_as_they_were_made():
    # A schedule holds the optimizer after a fit, and a score holds what it compared.
    callbacks = [("schedule", LRScheduler("StepLR", step_size=1)), EpochScoring("r2")]
    regressor = make_regressor(skorch_params={"callbacks": callbacks})
    regressor.fit(FITTED, TARGETS)
    (_, schedule), scoring = callbacks
    for copied in (copy.deepcopy(regressor), pickle.loads(pickle.dumps(regressor))):
        (name, first), second = copied.skorch_params["callbacks"]
        assert (name, first.step_size, second.scoring) == ("schedule", 1, "r2")
        assert not any(n.endswith("_") for n in {**vars(first), **vars(second)})
        np.testing.assert_array_equal(copied.predict(FITTED), regressor.predict(FITTED))
    assert regressor.skorch_params["callbacks"][0][1] is schedule
    assert regressor.skorch_params["callbacks"][1] is scoring


# Files that someone changed.


def rewritten(dumped, change):
    """The same archive, with good checksums, of a schema that was changed."""
    with zipfile.ZipFile(io.BytesIO(dumped)) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    schema = json.loads(entries["schema.json"])
    change(schema)
    entries["schema.json"] = json.dumps(schema).encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def nodes(schema):
    """Every node of a schema, at any depth."""
    if isinstance(schema, dict):
        if "__loader__" in schema:
            yield schema
        for value in schema.values():
            yield from nodes(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from nodes(value)


def attributes(schema, class_name):
    """The saved attributes of the first object of the class."""
    found = next(n for n in nodes(schema) if n["__class__"] == class_name)
    return found["content"]["content"]


CALLS = {
    "function": {
        "__class__": "function",
        "__module__": "builtins",
        "__loader__": "FunctionNode",
        "content": {"module_path": "os", "function": "mkdir"},
    },
    "type": {"__class__": "Popen", "__module__": "subprocess", "__loader__": "TypeNode"},
    "object": {
        "__class__": "Popen",
        "__module__": "subprocess",
        "__loader__": "ObjectNode",
        "content": None,
    },
    "constructor": {
        "__class__": "Popen",
        "__module__": "subprocess",
        "__loader__": "ConstructorFromReduceNode",
    },
}


def planted_call(kind, folder):
    """A node that would make the folder, were it constructed."""
    node = dict(CALLS[kind])
    if kind == "constructor":
        arguments = skops.io.dumps((["mkdir", str(folder)],))
        with zipfile.ZipFile(io.BytesIO(arguments)) as archive:
            node["content"] = json.loads(archive.read("schema.json"))
    return node


@pytest.mark.parametrize("kind", CALLS)
@pytest.mark.parametrize("place", ["parameter", "state", "weight", "whole net"])
def test_planted_code_is_refused_and_does_not_run(kind, place, tmp_path):
    model = make_pipeline(StandardScaler(), make_regressor()).fit(FITTED, TARGETS)
    node = planted_call(kind, tmp_path / "planted")

    def plant(schema):
        state = attributes(schema, "LSTMRegressor")
        if place == "parameter":
            state["skorch_params"] = node
        elif place == "state":
            state["_fitted_net"]["content"]["mean"] = node
        elif place == "weight":
            net = state["_fitted_net"]["content"]["net"]["content"]
            net["module"]["content"]["dense.bias"] = node
        else:
            state["_fitted_net"] = node

    planted = rewritten(skops.io.dumps(model), plant)
    assert set(skops.io.get_untrusted_types(data=planted)) - set(OURS)
    with pytest.raises(UntrustedTypesFoundException):
        skops.io.loads(planted, trusted=OURS)
    assert not os.listdir(tmp_path)


def test_pickle_planted_for_an_array_is_not_read(tmp_path):
    # numpy reads an .npy of objects by pickle, unless it is told not to.
    class Planted:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "planted"),)

    buffer = io.BytesIO()
    np.save(buffer, np.array([Planted()], dtype=object), allow_pickle=True)
    source = io.BytesIO(skops.io.dumps(make_regressor().fit(FITTED, TARGETS)))
    target = io.BytesIO()
    with zipfile.ZipFile(source) as archive, zipfile.ZipFile(target, "w") as changed:
        for name in archive.namelist():
            planted = name.endswith(".npy")
            content = buffer.getvalue() if planted else archive.read(name)
            changed.writestr(name, content)
    with pytest.raises(ValueError, match="allow_pickle"):
        skops.io.loads(target.getvalue(), trusted=OURS)
    assert not os.listdir(tmp_path)


def crafted(estimator, change, compression=zipfile.ZIP_STORED):
    """A file whose state was changed by someone who can compute the checksum."""
    state = copy.deepcopy(estimator.__getstate__())
    header = state.pop(CHECKSUM)
    del header["sha256"]
    change(state)
    state[CHECKSUM] = {**header, "sha256": sha256([header, state])}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(estimator), "__getstate__", lambda self: state)
        return skops.io.dumps(estimator, compression=compression)


@pytest.mark.parametrize("name", ["predict", "fit", "__class__", "net", "_predict", "note"])
def test_no_file_adds_an_attribute(name):
    # Functions of NumPy are trusted by skops.
    regressor = make_regressor().fit(FITTED, TARGETS)
    dumped = crafted(regressor, lambda state: state.update({name: np.exp}))
    assert set(skops.io.get_untrusted_types(data=dumped)) == set(OURS[:1])
    with pytest.raises(ValueError, match=f"is damaged.*it would add '{name}'"):
        skops.io.loads(dumped, trusted=OURS)


def history_of(n_epochs, **columns):
    def change(state):
        tables = [{"n_epochs": n_epochs, "columns": columns}]
        state["_fitted_net"]["net"].update(history=tables)

    return change


ZEROS = np.zeros(10**6, "i1")
BOMBS = {
    "columns of one value": history_of(
        10**6, epoch=ZEROS, **{f"c{i}": ZEROS[:1] for i in range(200)}
    ),
    "zeros": history_of(10**6, epoch=ZEROS, train_loss=ZEROS.astype("f4")),
    "many columns": history_of(
        2,
        epoch=np.array([1, 2]),
        train_loss=ZEROS[:2],
        **{f"c{i}": ZEROS[:1] for i in range(999)},
    ),
}


@pytest.mark.parametrize("name", BOMBS)
def test_small_files_do_not_expand(name):
    # Such a file of 5 kB once took 0.7 GB and 14 seconds.
    dumped = crafted(
        make_regressor().fit(FITTED, TARGETS), BOMBS[name], zipfile.ZIP_DEFLATED
    )
    tracemalloc.start()
    with pytest.raises(ValueError, match="The saved history is damaged"):
        skops.io.loads(dumped, trusted=OURS)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 50_000_000


@pytest.mark.parametrize("name", MODELS)
def test_files_name_no_private_module_of_ours(fitted, name):
    for dumped in (skops.io.dumps(fitted[name]), pickle.dumps(fitted[name])):
        assert b"sklstm._" not in dumped
        assert b"sklstm.windows" not in dumped


@pytest.mark.parametrize("name", ["seq_length", "horizon", "context", "flatten"])
def test_changed_parameter_of_a_transformer_is_noticed(name):
    # Each decides what windows hold, and has no checksum but ours in a rewritten archive.
    dumped = skops.io.dumps(WindowTransformer(seq_length=4).fit(FITTED))
    other = {"seq_length": "5", "horizon": "2", "context": '"never"', "flatten": "true"}

    def change(schema):
        attributes(schema, "WindowTransformer")[name]["content"] = other[name]

    skops.io.loads(rewritten(dumped, lambda schema: None), trusted=OURS)
    with pytest.raises(ValueError, match="WindowTransformer is damaged"):
        skops.io.loads(rewritten(dumped, change), trusted=OURS)


def test_loaded_pipeline_keeps_its_context(fitted):
    # The first rows that follow are predicted from the last fitted ones.
    loaded = through_skops(fitted["pipeline"])
    alone = copy.deepcopy(loaded).set_params(windows__context="never")
    assert (output(loaded, LATER)[:5] != output(alone, LATER)[:5]).all()


def test_unfitted_and_fitted_regressors_have_one_type_each():
    for regressor in (LSTMRegressor(), make_regressor().fit(FITTED, TARGETS)):
        dumped = skops.io.dumps(regressor)
        assert skops.io.get_untrusted_types(data=dumped) == OURS[:1]
