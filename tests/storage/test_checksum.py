"""What is around a saved state: checksum, versions, size, and what loading refuses."""

import copy
import io
import pickle
import pickletools
import re
import tracemalloc
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.exceptions import InconsistentVersionWarning
from skorch.callbacks import LRScheduler

from sklstm import LSTMRegressor, SavedVersionWarning, WindowTransformer
from sklstm._regressor import FITTED as REGRESSOR_FITTED
from sklstm._storage import _checksum as saved_state
from sklstm._storage._checksum import CHECKSUM, verify_checksum, with_checksum
from sklstm._storage._digest import sha256
from sklstm._training._config import Architecture
from tests.versions import ProgressBar, needs_callbacks

RNG = np.random.default_rng(0)
WINDOWS = RNG.normal(size=(30, 4, 2))
TARGETS = RNG.normal(size=30)
SERIES = RNG.normal(size=(50, 2))

FORMS = {
    "plain": {},
    "deep": {"num_layers": 3, "dropout": 0.3},
    "bidirectional": {"bidirectional": True, "num_layers": 2},
    "residual": {"residual": True},
    "one unit": {"units": 1},
    "everything": {"bidirectional": True, "num_layers": 2, "residual": True},
}


def make_regressor(**params):
    defaults = {"units": 3, "epochs": 2, "random_state": 0, "device": "cpu"}
    return LSTMRegressor(**defaults | params)


def fitted(**params):
    return make_regressor(**params).fit(WINDOWS, TARGETS)


def loaded_from(estimator, state):
    """What loading makes of a state: as pickle does it, without calling __init__."""
    instance = type(estimator).__new__(type(estimator))
    instance.__setstate__(state)
    return instance


OF_REGRESSOR = {"base": LSTMRegressor, "fitted": REGRESSOR_FITTED}


def crafted(state):
    """A state that was changed by someone who can compute its checksum."""
    content = {name: value for name, value in state.items() if name != CHECKSUM}
    header = {"format": saved_state.FORMAT, "versions": saved_state.versions()}
    return {**content, CHECKSUM: {**header, "sha256": sha256([header, content])}}


def n_bytes(regressor):
    weights = regressor.net_.module_.state_dict().values()
    return sum(weight.numel() * weight.element_size() for weight in weights)


def types_in(value):
    """Types of all that a nest of dicts, lists and tuples holds."""
    if isinstance(value, dict):
        return {str} | set().union(*(types_in(item) for item in value.values()))
    if isinstance(value, (list, tuple)):
        return set().union(*(types_in(item) for item in value))
    return {type(value)}


# What is saved.


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("warm_start", [False, True])
def test_state_is_arrays_and_plain_values(form, warm_start):
    state = fitted(**FORMS[form], warm_start=warm_start).__getstate__()
    plain = {np.ndarray, bool, int, float, str, type(None)}
    assert types_in(state) <= plain
    assert types_in(WindowTransformer().fit(SERIES).__getstate__()) <= plain


class Recording(pickle.Unpickler):
    """Notes whom it asks for what."""

    def find_class(self, module, name):
        self.found = {*getattr(self, "found", ()), module}
        return super().find_class(module, name)


@pytest.mark.parametrize("warm_start", [False, True])
def test_pickle_asks_nothing_of_torch_or_skorch_and_holds_no_pickle(warm_start):
    dumped = pickle.dumps(fitted(warm_start=warm_start), protocol=4)
    recording = Recording(io.BytesIO(dumped))
    recording.load()
    assert {module.partition(".")[0] for module in recording.found} <= {"numpy", "sklstm"}
    for _, value, _ in pickletools.genops(dumped):
        if isinstance(value, bytes):  # how every pickle starts and ends
            assert not re.match(rb"\x80[\x02-\x05].*\.$", value, re.DOTALL)


@pytest.mark.parametrize("num_layers", [1, 2, 3])
@pytest.mark.parametrize("units", [1, 8, 50, pytest.param(500, marks=pytest.mark.slow)])
def test_pickle_is_little_more_than_the_weights(units, num_layers):
    regressor = make_regressor(units=units, num_layers=num_layers, epochs=1)
    regressor.fit(WINDOWS[:8], TARGETS[:8])
    assert len(pickle.dumps(regressor)) <= 1.3 * n_bytes(regressor) + 3_000


@pytest.mark.slow
def test_pickle_stays_small_after_a_thousand_epochs():
    # 1000 dicts of 5 numbers take about 60 kB, and columns 14.
    regressor = make_regressor(
        units=1, epochs=1000, early_stopping=True, n_iter_no_change=1000, batch_size=4
    ).fit(WINDOWS[:12], TARGETS[:12])
    assert regressor.n_iter_ == 1000
    dumped = pickle.dumps(regressor)
    assert len(dumped) <= 1.3 * n_bytes(regressor) + 20_000
    assert pickle.loads(dumped).history_ == regressor.history_


def test_optimizer_is_saved_only_where_training_goes_on_with_it():
    def has_optimizer(regressor):
        return "optimizer" in regressor.__getstate__()["_fitted_net"]["net"]

    assert not has_optimizer(fitted())
    assert has_optimizer(fitted(warm_start=True))
    assert has_optimizer(fitted().set_params(warm_start=True))
    assert has_optimizer(make_regressor().partial_fit(WINDOWS, TARGETS))
    assert has_optimizer(fitted().partial_fit(WINDOWS, TARGETS))
    by_epoch = make_regressor().partial_fit(WINDOWS, TARGETS)
    assert not has_optimizer(by_epoch.fit(WINDOWS, TARGETS))
    assert has_optimizer(pickle.loads(pickle.dumps(by_epoch.partial_fit(WINDOWS, TARGETS))))
    # One that was lost is not made up later.
    assert not has_optimizer(
        pickle.loads(pickle.dumps(fitted())).set_params(warm_start=True)
    )


OPTIMIZERS = {
    "Adam": None,
    "SGD": {"optimizer": torch.optim.SGD, "optimizer__momentum": 0.9},
    "with a schedule": {"callbacks": [LRScheduler("StepLR", step_size=1)]},
}


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("go_on_with", ["fit", "partial_fit"])
def test_plain_fit_goes_on_after_loading_with_a_new_optimizer(name, go_on_with):
    regressor = fitted(skorch_params=OPTIMIZERS[name])
    ends = []
    for _ in range(2):
        later = pickle.loads(pickle.dumps(regressor)).set_params(warm_start=True)
        getattr(later, go_on_with)(WINDOWS, TARGETS)
        assert later.n_iter_ == (4 if go_on_with == "fit" else 3)
        ends.append(later.predict(WINDOWS))
    np.testing.assert_array_equal(*ends)
    assert (ends[0] != regressor.predict(WINDOWS)).any()


def test_models_that_lost_their_generators_do_not_all_draw_the_same():
    nets = [pickle.loads(pickle.dumps(fitted(random_state=seed))).net_ for seed in (0, 1)]
    states = [net.generator.get_state() for net in nets]
    assert not torch.equal(*states)


@pytest.mark.parametrize(
    "later", [None, {"optimizer": torch.optim.Adam}, {"optimizer__lr": 1}, {"lr": 1}]
)
def test_skorch_params_that_were_changed_after_the_fit_do_not_lose_the_model(later):
    sgd = {"optimizer": torch.optim.SGD}
    for params in ({}, {"warm_start": True}):
        regressor = fitted(skorch_params=sgd, **params).set_params(skorch_params=later)
        loaded = pickle.loads(pickle.dumps(regressor))
        np.testing.assert_array_equal(loaded.predict(WINDOWS), regressor.predict(WINDOWS))


# The checksum.


@pytest.mark.parametrize("form", FORMS)
def test_every_change_of_a_value_is_noticed(form):
    regressor = fitted(**FORMS[form])
    state = regressor.__getstate__()
    for name in sorted(state.keys() - {CHECKSUM, "net_"}):
        changed = {**state, name: "another"}
        with pytest.raises(ValueError, match=r"LSTMRegressor is damaged.*SHA-256"):
            loaded_from(regressor, changed)
    for name, weight in state["_fitted_net"]["net"]["module"].items():
        changed = copy.deepcopy(state)
        flat = changed["_fitted_net"]["net"]["module"][name].reshape(-1).view(np.uint8)
        flat[RNG.integers(flat.size)] ^= 1 << RNG.integers(8)
        assert weight.tobytes() != changed["_fitted_net"]["net"]["module"][name].tobytes()
        with pytest.raises(ValueError, match=r"LSTMRegressor is damaged.*SHA-256"):
            loaded_from(regressor, changed)


def test_every_change_of_a_transformer_is_noticed():
    transformer = WindowTransformer().fit(SERIES)
    state = transformer.__getstate__()
    assert {"seq_length", "context_", "_first_rows", "_last_labels"} <= state.keys()
    for name in state.keys() - {CHECKSUM}:
        for changed in ({**state, name: 3}, {k: v for k, v in state.items() if k != name}):
            with pytest.raises(ValueError, match=r"WindowTransformer is damaged.*SHA-256"):
                loaded_from(transformer, changed)


@pytest.mark.parametrize("state", [{}, {CHECKSUM: None}, {CHECKSUM: {}}, None, [], 3])
def test_state_without_a_checksum_is_refused(state):
    with pytest.raises(ValueError, match=r"LSTMRegressor is damaged.*no checksum"):
        loaded_from(LSTMRegressor(), state)


def test_header_is_under_the_checksum():
    state = fitted().__getstate__()
    changed = {
        **state[CHECKSUM],
        "versions": {**state[CHECKSUM]["versions"], "sklstm": "9"},
    }
    with pytest.raises(ValueError, match="SHA-256"):
        loaded_from(LSTMRegressor(), {**state, CHECKSUM: changed})


# What a state claims, by one who can compute its checksum.


def claiming(**architecture):
    """A small state whose network is said to be another, and its regressor."""
    regressor = fitted()
    state = regressor.__getstate__()
    fitted_net = state["_fitted_net"]
    net = fitted_net["net"]
    net = {**net, "architecture": net["architecture"] | architecture}
    return regressor, crafted({**state, "_fitted_net": {**fitted_net, "net": net}})


CLAIMS = [
    {"units": 10**6},
    {"units": 10**18},
    {"num_layers": 10**9},
    {"n_outputs": 10**9},
    {"n_features": 10**9},
    {"units": 4},
    {"units": -1},
    {"units": "3"},
    {"units": None},
    {"bidirectional": True},
    {"residual": True},
    {"surprise": 1},
]


@pytest.mark.parametrize("claim", CLAIMS, ids=str)
def test_claims_that_the_weights_do_not_bear_out_are_refused_before_memory_is_taken(claim):
    regressor, state = claiming(**claim)
    tracemalloc.start()
    with pytest.raises(ValueError, match="is damaged, or was written by something else"):
        loaded_from(regressor, state)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000


def change(name, value):
    def changed(state):
        state["net"]["module"][name] = value

    return changed


def drop(name):
    return lambda state: state["net"]["module"].pop(name)


FAULTS = {
    "not finite": (change("dense.bias", np.array([np.nan], np.float32)), "not finite"),
    "of another type": (change("dense.bias", np.zeros(1)), "array of float32"),
    "no array": (change("dense.bias", [0.0]), "array of float32"),
    "missing": (drop("dense.bias"), "dense.bias should be"),
    "too many": (change("extra", np.zeros(1, np.float32)), "weights were expected"),
    "scale": (lambda s: s.update(scale=np.ones(2)), "damaged"),
    "scale not finite": (lambda s: s.update(mean=np.array([np.inf])), "damaged"),
    "no scale": (lambda s: s.pop("mean"), "mean"),
    "outputs": (lambda s: s.update(target_shape=[2]), "damaged"),
    "target shape": (lambda s: s.update(target_shape=[5]), "damaged"),
    "window shape": (lambda s: s["inputs"].update(n_features=9), "damaged"),
    "no window shape": (lambda s: s.update(inputs=None), "damaged"),
    "history": (lambda s: s["net"]["history"][0].update(n_epochs=10**12), "history is"),
    "no history": (lambda s: s["net"].pop("history"), "history"),
    "training": (lambda s: s["net"]["training"].update(surprise=1), "surprise"),
    "loss": (lambda s: s["net"]["training"].update(loss="none"), "none"),
    "no module": (lambda s: s["net"].pop("module"), "module"),
    "net": (lambda s: s.update(net=[1]), "damaged"),
    "history of no table": (lambda s: s["net"].update(history=[3]), "history is"),
    "history of another type": (lambda s: s["net"].update(history="x"), "history is"),
    "losses as text": (
        lambda s: s["net"]["history"][0]["columns"].update(train_loss=["a", "b"]),
        "train_loss is no column",
    ),
    "epochs in another order": (
        lambda s: s["net"]["history"][0]["columns"].update(epoch=np.array([2, 1])),
        "not numbered from 1",
    ),
    "device": (lambda s: s.update(device=[]), "damaged"),
    "no device": (lambda s: s.pop("device"), "damaged"),
    "shapes of floats": (lambda s: s.update(target_shape=[1.0]), "damaged"),
    "features": (lambda s: s["inputs"].update(n_columns="2"), "damaged"),
    "batch": (lambda s: s["net"]["training"].update(batch_size=None), "batch_size is"),
    "rate": (lambda s: s["net"]["training"].update(learning_rate="x"), "damaged"),
    "no architecture": (lambda s: s["net"].pop("architecture"), "architecture"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_with_a_good_checksum_are_refused_by_name(fault):
    put_in, message = FAULTS[fault]
    regressor = fitted()
    state = copy.deepcopy(regressor.__getstate__())
    put_in(state["_fitted_net"])
    if message is None:  # of no use to predictions
        loaded = loaded_from(regressor, crafted(state))
        np.testing.assert_array_equal(loaded.predict(WINDOWS), regressor.predict(WINDOWS))
        return
    with pytest.raises(ValueError, match=message):
        loaded_from(regressor, crafted(state))


def of_optimizer(change):
    return lambda state: change(state["_fitted_net"]["net"]["optimizer"])


# torch's fused kernel reads moments of another shape beyond their end.
OPTIMIZER_FAULTS = {
    "none": lambda s: s["_fitted_net"]["net"].update(optimizer=None),
    "no groups": of_optimizer(lambda o: o.update(param_groups=[])),
    "group of others": of_optimizer(lambda o: o["param_groups"][0].update(params=[5])),
    "betas": of_optimizer(lambda o: o["param_groups"][0].update(betas="ab")),
    "eps": of_optimizer(lambda o: o["param_groups"][0].update(eps=None)),
    "no decay": of_optimizer(lambda o: o["param_groups"][0].pop("weight_decay")),
    "surprise": of_optimizer(lambda o: o["param_groups"][0].update(surprise="x")),
    "state": of_optimizer(lambda o: o.update(state=[1])),
    "weight": of_optimizer(lambda o: o["state"].update({99: {}})),
    "moment shape": of_optimizer(
        lambda o: o["state"][0].update(exp_avg=np.zeros(1, np.float32))
    ),
    "moment type": of_optimizer(
        lambda o: o["state"][0].update(exp_avg_sq=o["state"][0]["exp_avg_sq"].astype(int))
    ),
    "no moment": of_optimizer(lambda o: o["state"][0].pop("exp_avg")),
    "step": of_optimizer(lambda o: o["state"][0].update(step=np.zeros(3, np.float32))),
    "amsgrad": of_optimizer(lambda o: o["param_groups"][0].update(amsgrad=True)),
    "generator": lambda s: s["_fitted_net"]["net"].update(
        order_generator=np.zeros(3, np.uint8)
    ),
    "no generator": lambda s: s["_fitted_net"]["net"].pop("initial_generator"),
}


@pytest.mark.parametrize("fault", OPTIMIZER_FAULTS)
def test_faults_of_an_optimizer_with_a_good_checksum_are_refused(fault):
    regressor = fitted(warm_start=True)
    state = copy.deepcopy(regressor.__getstate__())
    OPTIMIZER_FAULTS[fault](state)
    with pytest.raises(ValueError, match="is damaged, or was written by something else"):
        loaded_from(regressor, crafted(state))


@pytest.mark.parametrize("n_places", [0, -7, 10**12, 10**30])
def test_a_week_of_no_possible_size_is_refused_before_it_is_allocated(n_places):
    # A count beyond 64 bits was an OverflowError, a large one took all memory.
    transformer = STATES["transformer"]
    state = copy.deepcopy(transformer.__getstate__())
    state["_last_labels"]["spacing"]["week"]["n_places"] = n_places
    with pytest.raises(ValueError, match=r"is damaged.* has .* places"):
        loaded_from(transformer, crafted(state))


def nests(state):
    """Every dict and list in a state, that hypothesis may change anything anywhere."""
    found = [state] if isinstance(state, (dict, list)) else []
    for item in state.values() if isinstance(state, dict) else found and state:
        found += nests(item) if isinstance(item, (dict, list)) else []
    return found


STATES = {
    "regressor": fitted(warm_start=True),
    "transformer": WindowTransformer().fit(
        pd.DataFrame(SERIES, index=pd.date_range("2021", periods=50))
    ),
}
ODD = st.sampled_from(
    [None, -1, 0, 10**30, 0.5, "x", [], {}, (), np.zeros(0), np.zeros((2, 2), int), np.exp]
)


@settings(max_examples=200, deadline=None)
@given(st.data(), st.sampled_from(sorted(STATES)))
def test_any_change_with_a_good_checksum_loads_or_is_a_value_error(data, name):
    estimator = STATES[name]
    state = copy.deepcopy(estimator.__getstate__())
    nest = data.draw(st.sampled_from(nests(state)))
    if isinstance(nest, dict) and nest:
        nest[data.draw(st.sampled_from(sorted(nest, key=str)))] = data.draw(ODD)
    elif nest:
        nest[data.draw(st.integers(0, len(nest) - 1))] = data.draw(ODD)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SavedVersionWarning)
        try:
            loaded_from(estimator, crafted(state))
        except ValueError as error:
            assert re.search("is damaged|in format", str(error))  # noqa: PT017


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("context_", np.zeros(3)),
        ("context_", np.zeros((3, 5))),
        ("context_", np.full((3, 2), np.nan)),
        ("context_", "rows"),
        ("_first_rows", None),
        ("_first_rows", {}),
    ],
)
def test_faults_of_a_transformer_with_a_good_checksum_are_refused(name, value):
    transformer = WindowTransformer().fit(SERIES)
    state = crafted({**transformer.__getstate__(), name: value})
    with pytest.raises(ValueError, match=r"WindowTransformer is damaged.*its series"):
        loaded_from(transformer, state)


@pytest.mark.parametrize("value", [None, -1, {}, {"horizon": 1}, np.zeros(0), "x"], ids=str)
def test_lengths_of_a_transformer_that_are_none_are_refused(value):
    transformer = WindowTransformer().fit(SERIES)
    state = crafted({**transformer.__getstate__(), "_fitted_lengths": value})
    with pytest.raises(ValueError, match="WindowTransformer is damaged"):
        loaded_from(transformer, state)


# What a state may add.


NEVER = ["predict", "fit", "score", "__class__", "__dict__", "__init__", "note", "_note", 3]


@pytest.mark.parametrize("name", NEVER, ids=str)
@pytest.mark.parametrize("make", [fitted, lambda: WindowTransformer().fit(SERIES)])
def test_no_state_adds_an_attribute(name, make):
    estimator = make()
    state = crafted({**estimator.__getstate__(), name: np.exp})
    with pytest.raises(ValueError, match=rf"is damaged.*it would add {name!r}"):
        loaded_from(estimator, state)


class Subclass(LSTMRegressor):
    """One of a user's own, with an attribute of the class, a method and a property."""

    flag = False

    def __init__(self, units=3, epochs=2):
        super().__init__(units, epochs=epochs, random_state=0)
        self.origin = "station 3"

    def twice(self, X):
        return 2 * self.predict(X)

    @property
    def half(self):
        return self.origin


def test_subclasses_keep_their_own_attributes_and_parameters():
    regressor = Subclass().fit(WINDOWS, TARGETS)
    regressor.flag, regressor.cache_ = True, [1, 2]
    for loaded in (pickle.loads(pickle.dumps(regressor)), copy.deepcopy(regressor)):
        assert (loaded.origin, loaded.flag, loaded.cache_) == ("station 3", True, [1, 2])
        np.testing.assert_array_equal(loaded.twice(WINDOWS), regressor.twice(WINDOWS))


@pytest.mark.parametrize("name", ["predict", "twice", "half", "__class__"])
def test_no_state_hides_a_method_of_a_subclass(name):
    regressor = Subclass().fit(WINDOWS, TARGETS)
    state = crafted({**regressor.__getstate__(), name: np.exp})
    with pytest.raises(ValueError, match=rf"is damaged.*it would add {name!r}"):
        loaded_from(regressor, state)


def test_what_is_set_from_outside_is_left_out_of_files_with_a_warning():
    regressor = fitted()
    regressor.note = "of Monday"
    with pytest.warns(UserWarning, match=r"LSTMRegressor holds 'note', set from outside"):
        loaded = pickle.loads(pickle.dumps(regressor))
    assert not hasattr(loaded, "note")
    assert regressor.note == "of Monday"
    np.testing.assert_array_equal(loaded.predict(WINDOWS), regressor.predict(WINDOWS))


@needs_callbacks
def test_what_scikit_learn_sets_is_kept():
    from sklearn import config_context

    transformer = WindowTransformer(flatten=True).set_output(transform="pandas")
    loaded = pickle.loads(pickle.dumps(transformer.fit(SERIES)))
    assert type(loaded.transform(SERIES)).__name__ == "DataFrame"
    with config_context(enable_metadata_routing=True):
        regressor = (
            fitted().set_fit_request(sample_weight=True).set_callbacks(ProgressBar())
        )
        loaded = pickle.loads(pickle.dumps(regressor))
        assert loaded.get_metadata_routing().fit.requests["sample_weight"] is True
    assert len(loaded._skl_callbacks) == 1


@pytest.mark.parametrize(
    ("params", "change"),
    [
        (
            {"random_state": np.random.RandomState(0)},
            lambda state: state["random_state"].random_sample(),
        ),
        (
            {"skorch_params": {"callbacks": [LRScheduler("StepLR", step_size=1)]}},
            lambda state: vars(state["skorch_params"]["callbacks"][0]).update(step_size=2),
        ),
    ],
    ids=["generator", "callback"],
)
def test_contents_of_parameters_are_under_the_checksum(params, change):
    regressor = fitted(**params)
    state = copy.deepcopy(regressor.__getstate__())
    loaded_from(regressor, copy.deepcopy(state))
    change(state)
    with pytest.raises(ValueError, match=r"LSTMRegressor is damaged.*SHA-256"):
        loaded_from(regressor, state)


INDEXES = {
    "days": pd.date_range("2021-01-01", periods=50),
    "microseconds": pd.date_range("2021-01-01", periods=50).as_unit("us"),
    "hours with a zone": pd.date_range("2021-03-26", None, 50, "h", "Europe/Paris"),
    "months": pd.period_range("2020-01", None, 50, "M"),
    "durations": pd.timedelta_range("0h", periods=50, freq="15min"),
    "integers": pd.RangeIndex(5, 55),
}


def iter_values(value, path=()):
    """Every array and plain value of a nest, and how to get there."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from iter_values(item, (*path, key))
    elif isinstance(value, (list, tuple)):
        for i, item in enumerate(value):
            yield from iter_values(item, (*path, i))
    elif isinstance(value, (np.ndarray, np.generic)) and value.nbytes:
        yield path, value


@pytest.mark.parametrize("name", INDEXES)
def test_every_bit_of_the_labels_is_under_the_checksum(name):
    # A scalar of datetimes was once under it by its class only.
    table = pd.DataFrame(SERIES, index=INDEXES[name])
    transformer = WindowTransformer(seq_length=4).fit(table)
    state = transformer.__getstate__()
    del state[CHECKSUM]
    header = {"format": 2, "versions": {}}
    whole, n_values = sha256([header, state]), 0
    for path, value in iter_values(state):
        n_values += 1
        data = bytearray(np.asarray(value).tobytes())
        data[RNG.integers(len(data))] ^= 1 << int(RNG.integers(8))
        array = np.frombuffer(bytes(data), value.dtype).reshape(np.shape(value))
        changed = copy.deepcopy(state)
        inner = changed
        for key in path[:-1]:
            inner = inner[key]
        inner[path[-1]] = array if value.ndim else array[()]
        assert sha256([header, changed]) != whole, path
    assert n_values >= 2


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("n_outputs", [1, 3])
def test_expected_shapes_are_those_of_the_module(form, n_outputs):
    y = TARGETS if n_outputs == 1 else RNG.normal(size=(30, 3))
    net = make_regressor(**FORMS[form]).fit(WINDOWS, y).net_
    shapes = {name: tuple(w.shape) for name, w in net.module_.state_dict().items()}
    assert net.architecture.weight_shapes() == shapes
    assert isinstance(net.architecture, Architecture)


# Versions.


@pytest.fixture
def saved_by(monkeypatch):
    """Pickles made where some packages were of other versions."""

    def pickled(estimator, **versions):
        here = saved_state.versions()
        there = here | {name.replace("_", "-"): v for name, v in versions.items()}
        monkeypatch.setattr(saved_state, "versions", lambda: there)
        dumped = pickle.dumps(estimator)
        monkeypatch.setattr(saved_state, "versions", lambda: here)
        return dumped

    return pickled


@pytest.mark.parametrize("package", ["sklstm", "torch", "scikit_learn"])
def test_other_versions_are_told_and_the_model_predicts(package, saved_by):
    regressor = fitted()
    dumped = saved_by(regressor, **{package: "0.0.1"})
    name = package.replace("_", "-")
    here = saved_state.versions()[name]
    message = rf"LSTMRegressor was saved by {name} 0\.0\.1 and is loaded by {name} {here}"
    with pytest.warns(SavedVersionWarning, match=message) as caught:
        loaded = pickle.loads(dumped)
    assert len(caught) == 1
    np.testing.assert_array_equal(loaded.predict(WINDOWS), regressor.predict(WINDOWS))


def test_all_versions_that_differ_are_told_in_one_warning(saved_by):
    dumped = saved_by(fitted(), sklstm="0.0.1", torch="1.0")
    with pytest.warns(
        SavedVersionWarning, match=r"sklstm 0\.0\.1, torch 1\.0 and"
    ) as caught:
        pickle.loads(dumped)
    assert caught[0].message.saved_by["torch"] == "1.0"


def test_warning_is_under_the_filter_of_scikit_learn(saved_by):
    dumped = saved_by(fitted(), scikit_learn="1.0")
    with warnings.catch_warnings():
        warnings.simplefilter("error", InconsistentVersionWarning)
        with pytest.raises(InconsistentVersionWarning) as caught:
            pickle.loads(dumped)
    assert caught.value.original_sklearn_version == "1.0"
    assert caught.value.estimator_name == "LSTMRegressor"


def test_transformer_does_not_mind_the_version_of_torch(saved_by):
    transformer = WindowTransformer().fit(SERIES)
    pickle.loads(saved_by(transformer, torch="1.0"))
    with pytest.warns(
        SavedVersionWarning, match=r"WindowTransformer was saved by sklstm 1"
    ):
        pickle.loads(saved_by(transformer, sklstm="1"))


def test_local_builds_of_torch_are_one_version():
    assert "+" not in saved_state.versions()["torch"]
    assert torch.__version__.startswith(saved_state.versions()["torch"])


def test_format_of_a_later_version_is_refused_by_its_name(monkeypatch):
    monkeypatch.setattr(saved_state, "FORMAT", 3)
    state = with_checksum({"units": 3}, LSTMRegressor, **OF_REGRESSOR)
    monkeypatch.undo()
    with pytest.raises(ValueError, match=r"in format 3 by sklstm .* reads format 2"):
        verify_checksum(state, LSTMRegressor, **OF_REGRESSOR)


def test_parameters_that_a_state_is_too_old_to_know_have_their_defaults():
    for estimator in (fitted(), WindowTransformer().fit(SERIES)):
        state = dict(estimator.__getstate__())
        for name in estimator.get_params():
            old = crafted({key: value for key, value in state.items() if key != name})
            default = type(estimator)().get_params()[name]
            assert loaded_from(estimator, old).get_params()[name] == default
