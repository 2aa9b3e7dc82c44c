"""LSTMRegressor: what fit learns from and what predict returns, and what both refuse."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.lib.stride_tricks import sliding_window_view
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.metrics import r2_score
from skorch import NeuralNet

from sklstm import LSTMRegressor, make_windows
from tests import naive


def make_regressor(**kwargs):
    defaults = {"units": 4, "epochs": 2, "random_state": 0, "device": "cpu"}
    return LSTMRegressor(**defaults | kwargs)


def random_windows(n_samples=24, seq_length=5, n_features=2, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n_samples, seq_length, n_features))


def random_targets(*shape, seed=1):
    return np.random.default_rng(seed).normal(size=shape or 24)


def with_warm_up(windows):
    """The windows with 0, 1, 2, … steps known in the first rows."""
    windows = windows.copy()
    for row in range(windows.shape[1]):
        windows[row, : windows.shape[1] - row] = np.nan
    return windows


@pytest.mark.parametrize("shape", [(24,), (24, 1), (24, 3)])
def test_predictions_have_the_shape_of_the_target(shape):
    X, y = random_windows(), random_targets(*shape)
    regressor = make_regressor().fit(X, y)
    predictions = regressor.predict(X[:7])
    assert predictions.shape == (7, *shape[1:])
    assert predictions.dtype == np.float64
    assert regressor.n_outputs_ == (shape[1] if len(shape) > 1 else 1)


def test_column_target_gives_the_bits_of_a_flat_one():
    # An output (B, 1) against a target (B,) would broadcast to (B, B) in silence.
    X, y = random_windows(), random_targets()
    flat, column = make_regressor().fit(X, y), make_regressor().fit(X, y[:, None])
    np.testing.assert_array_equal(flat.predict(X), column.predict(X)[:, 0])


def test_outputs_stand_in_the_order_of_the_targets():
    X, y = random_windows(), np.array([0.0, 100.0, -1e4]) + random_targets(24, 3)
    predictions = make_regressor().fit(X, y).predict(X)
    np.testing.assert_allclose(predictions.mean(axis=0), [0, 100, -1e4], atol=2)


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int64])
def test_table_is_univariate_windows(dtype):
    table = (10 * random_windows(n_features=1)[:, :, 0]).astype(dtype)
    y = random_targets()
    of_table = make_regressor().fit(table, y)
    of_windows = make_regressor().fit(table[:, :, None], y)
    assert (of_table.n_features_in_, of_windows.n_features_in_) == (5, 1)
    np.testing.assert_array_equal(
        of_table.predict(table), of_windows.predict(table[..., None])
    )
    np.testing.assert_array_equal(
        of_table.predict(table), of_table.predict(table[..., None])
    )


@pytest.mark.parametrize(
    ("n_samples", "seq_length", "n_features"),
    [(1, 5, 2), (2, 1, 1), (1, 1, 1), (3, 40, 30)],
)
def test_smallest_shapes(n_samples, seq_length, n_features):
    X, y = random_windows(n_samples, seq_length, n_features), np.arange(float(n_samples))
    regressor = make_regressor(units=1, batch_size=1000).fit(X, y)
    assert regressor.window_shape_ == (seq_length, n_features)
    assert np.isfinite(regressor.predict(X)).all()


WHOLE = np.random.default_rng(0).integers(0, 9, size=(24, 5, 2))

KINDS = {
    "int16": WHOLE.astype(np.int16),
    "uint8": WHOLE.astype(np.uint8),
    "float16": WHOLE.astype(np.float16),
    "float32": WHOLE.astype(np.float32),
    "long double": WHOLE.astype(np.longdouble),
    "big-endian": WHOLE.astype(">f8"),
    "object": WHOLE.astype(object),
    "list": WHOLE.tolist(),
    "tensor": torch.from_numpy(WHOLE),
    "Fortran order": np.asfortranarray(WHOLE.astype(float)),
    "transposed": np.ascontiguousarray(WHOLE.astype(float).T).T,
    "every other row and step": np.repeat(np.repeat(WHOLE * 1.0, 2, 0), 3, 1)[::2, ::3],
    "backwards": np.ascontiguousarray(WHOLE[::-1, ::-1, ::-1] * 1.0)[::-1, ::-1, ::-1],
    "field of a record": np.rec.fromarrays([WHOLE * 1.0, WHOLE])["f0"],
}


@pytest.mark.parametrize("kind", KINDS)
def test_kind_of_array_changes_no_bit(kind):
    X, y = WHOLE.astype(float), random_targets()
    regressor = make_regressor().fit(X, y)
    expected = regressor.predict(X)
    np.testing.assert_array_equal(regressor.predict(KINDS[kind]), expected)
    np.testing.assert_array_equal(make_regressor().fit(KINDS[kind], y).predict(X), expected)


STEPS = np.random.default_rng(0).normal(size=(30, 2))

VIEWS = {
    "sliding": sliding_window_view(STEPS, 7, axis=0).transpose(0, 2, 1),
    "sliding, steps backwards": sliding_window_view(STEPS, 7, axis=0).transpose(0, 2, 1)[
        :, ::-1
    ],
    "sliding, both backwards": sliding_window_view(STEPS, 7, axis=0).transpose(0, 2, 1)[
        ::-1, ::-1
    ],
    "sliding, every third": sliding_window_view(STEPS, 7, axis=0).transpose(0, 2, 1)[::3],
    "of one step": sliding_window_view(STEPS, 1, axis=0).transpose(0, 2, 1),
    "one window for all rows": np.broadcast_to(STEPS[:7], (24, 7, 2)),
    "one step for all": np.broadcast_to(STEPS[0], (24, 7, 2)),
    "one feature for all": np.broadcast_to(STEPS[:24, None, :1], (24, 7, 2)),
    "one value for all": np.broadcast_to(0.5, (24, 7, 2)),
    "one window": STEPS[None, :7],
}


@pytest.mark.filterwarnings("ignore:The windows of X seem to hold the newest step first")
@pytest.mark.parametrize("view", VIEWS)
def test_view_gives_the_bits_of_its_copy(view):
    view = VIEWS[view]
    y = random_targets(len(view))
    copy = np.array(view, order="C")
    expected = make_regressor().fit(copy, y).predict(copy)
    np.testing.assert_array_equal(make_regressor().fit(view, y).predict(view), expected)


@pytest.mark.parametrize("order", ["C", "F"])
def test_input_is_neither_written_nor_needs_to_be_writeable(order):
    X, y = with_warm_up(random_windows()), random_targets(24, 2)
    X, y = np.array(X, order=order), np.array(y, order=order)
    before = X.copy(), y.copy()
    X.flags.writeable = y.flags.writeable = False
    make_regressor().fit(X, y).predict(X)
    np.testing.assert_array_equal(X, before[0])
    np.testing.assert_array_equal(y, before[1])


@pytest.mark.parametrize(
    "dtype", ["int64", "float32", "Int64", "Float64", "boolean", "object"]
)
def test_tables_and_targets_of_pandas(dtype):
    values = np.random.default_rng(0).integers(0, 2, size=(24, 5))
    table = pd.DataFrame(values, columns=list("abcde")).astype(dtype)
    y = random_targets()
    expected = make_regressor().fit(values, y).predict(values)
    regressor = make_regressor().fit(table, pd.Series(y, name="y"))
    assert regressor.feature_names_in_.tolist() == list("abcde")
    np.testing.assert_array_equal(regressor.predict(table), expected)


def test_targets_of_pandas_with_two_columns():
    X, y = random_windows(), random_targets(24, 2)
    expected = make_regressor().fit(X, y).predict(X)
    table = pd.DataFrame(y, columns=["a", "b"])
    np.testing.assert_array_equal(make_regressor().fit(X, table).predict(X), expected)


def test_refit_forgets_the_shapes_before():
    table = pd.DataFrame(random_windows(n_features=1)[:, :, 0], columns=list("abcde"))
    windows = random_windows(20, 3, 4)
    regressor = make_regressor().fit(table, random_targets(24, 2))
    regressor.fit(windows, random_targets(20))
    assert not hasattr(regressor, "feature_names_in_")
    assert (regressor.n_features_in_, regressor.n_outputs_) == (4, 1)
    once = make_regressor().fit(windows, random_targets(20))
    np.testing.assert_array_equal(regressor.predict(windows), once.predict(windows))
    regressor.fit(table, random_targets(24, 2))
    assert regressor.predict(table).shape == (24, 2)
    assert (regressor.n_features_in_, regressor.n_outputs_) == (5, 2)


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("num_layers", [1, 2])
def test_warm_up_rows_are_predicted_from_the_steps_that_they_have(
    num_layers, bidirectional
):
    X, y = with_warm_up(random_windows()), random_targets(24, 2)
    shape = {"num_layers": num_layers, "bidirectional": bidirectional}
    regressor = make_regressor(normalize_y=False, **shape).fit(X, y)
    weights = regressor.net_.module_.state_dict()
    weights = {name: weight.numpy() for name, weight in weights.items()}
    expected = [naive.lstm_regression(window, weights, **shape) for window in X]
    np.testing.assert_allclose(regressor.predict(X), np.array(expected), rtol=0, atol=1e-6)


def test_incomplete_windows_and_their_targets_teach_nothing():
    X, y = with_warm_up(random_windows()), random_targets()
    expected = make_regressor().fit(X, y).predict(X)
    changed_X, changed_y = X.copy(), y.copy()
    changed_X[:5] += 3  # rows 0 to 4 know 0 to 4 of 5 steps
    changed_y[:5] = 1e6
    changed = make_regressor().fit(changed_X, changed_y)
    np.testing.assert_array_equal(changed.predict(X), expected)
    without = make_regressor().fit(X[5:], y[5:])
    np.testing.assert_array_equal(without.predict(X), expected)


def test_rows_of_a_table_may_be_consecutive_windows_with_warm_up():
    series = np.random.default_rng(0).normal(size=29)
    table = sliding_window_view(np.r_[np.full(5, np.nan), series], 5)[:24]
    y = random_targets()
    regressor = make_regressor().fit(table, y)
    predictions = regressor.predict(table)
    assert np.isfinite(predictions).all()
    expected = make_regressor().fit(table[..., None], y).predict(table[..., None])
    np.testing.assert_array_equal(predictions, expected)
    np.testing.assert_array_equal(regressor.predict(table[:1]), predictions[:1])


@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "huber"])
@pytest.mark.parametrize("value", [0.0, 0.1, -1e-6, 1e6, 1e300])
def test_constant_target_is_predicted(value, loss):
    X = with_warm_up(random_windows())
    regressor = make_regressor(loss=loss).fit(X, np.full(24, value))
    np.testing.assert_allclose(regressor.predict(X), np.full(24, value), rtol=1e-12)


def test_one_sample_is_a_constant_target():
    X = random_windows(1)
    assert make_regressor().fit(X, [7.0]).predict(X) == pytest.approx([7.0], rel=1e-12)


def test_constant_output_leaves_the_others_alone():
    X, y = random_windows(), random_targets(24, 3)
    y[:, 1] = -3.0
    predictions = make_regressor(epochs=20).fit(X, y).predict(X)
    np.testing.assert_allclose(predictions[:, 1], np.full(24, -3.0), rtol=1e-12)
    assert (predictions[:, [0, 2]].std(axis=0) > 0.05).all()


SCALES = [
    (1e6, 0.0),
    (1e-6, 0.0),
    (1.0, 1e6),
    (1e-3, 1e6),
    (1e-6, -1e-5),
    (1e160, 0.0),
    (1e300, 0.0),
    (1e-200, 0.0),
    (1e-305, 0.0),
]


@pytest.mark.parametrize(("scale", "shift"), SCALES)
def test_prediction_moves_with_the_target(scale, shift):
    X, y = with_warm_up(random_windows()), random_targets()
    expected = make_regressor().fit(X, y).predict(X)
    predictions = make_regressor().fit(X, scale * y + shift).predict(X)
    # float32 in the network, and float64's digits of y that the shift takes away.
    tolerance = 1e-5 + 1e-15 * abs(shift) / scale
    np.testing.assert_allclose((predictions - shift) / scale, expected, atol=tolerance)


def test_each_output_has_its_own_scale():
    X, y = random_windows(), random_targets(24, 3)
    scale, shift = np.array([1e-6, 1.0, 1e6]), np.array([1e-5, 0.0, -1e8])
    expected = make_regressor().fit(X, y).predict(X)
    predictions = make_regressor().fit(X, scale * y + shift).predict(X)
    np.testing.assert_allclose((predictions - shift) / scale, expected, atol=1e-5)


@pytest.mark.parametrize(("scale", "shift"), [(1.0, 1e6), (1e-6, 0.0), (1e6, 1e6)])
def test_target_far_from_one_is_learned(scale, shift):
    windows, targets = make_windows(np.sin(0.3 * np.arange(120)), seq_length=8)
    targets = scale * targets + shift
    regressor = make_regressor(units=16, epochs=30, learning_rate=0.01)
    assert regressor.fit(windows, targets).score(windows, targets) > 0.9


def test_without_normalize_y_the_net_sees_the_target_as_it_is():
    X, y = random_windows(), 100 + random_targets()
    # Two epochs of two steps move weights by about 0.001 a step: nowhere near 100.
    assert (np.abs(make_regressor(normalize_y=False).fit(X, y).predict(X)) < 5).all()
    assert (np.abs(make_regressor().fit(X, y).predict(X) - 100) < 5).all()


@pytest.mark.parametrize(
    ("units", "threads"),
    [(1, 1), (3, 1), (8, 1), (33, 1), (50, 1), (128, 1), (5, 2), (50, 2)],
)
def test_rows_that_share_the_call_change_no_bit(units, threads):
    X = with_warm_up(random_windows(150, 4, 3))
    regressor = make_regressor(
        units=units,
        epochs=1,
        batch_size=150,
        num_layers=1 + units % 2,
        bidirectional=units % 3 == 0,
    ).fit(X, random_targets(150))

    @settings(deadline=None, max_examples=8)
    @given(st.lists(st.integers(0, 149), min_size=1, max_size=200))
    def check(rows):
        np.testing.assert_array_equal(regressor.predict(X[rows]), predictions[rows])

    threads_before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        predictions = regressor.predict(X)
        check()
        for row in (0, 3, 64, 149):  # alone
            assert regressor.predict(X[[row]]) == predictions[row]
    finally:
        torch.set_num_threads(threads_before)


STATES = {"int": lambda: 3, "NumPy int": lambda: np.int64(3)}
STATES["RandomState"] = lambda: np.random.RandomState(3)


@pytest.mark.parametrize("state", STATES)
def test_same_random_state_gives_the_same_bits(state):
    X, y = random_windows(), random_targets()
    shape = {"num_layers": 2, "dropout": 0.5, "batch_size": 5}
    first, second = (
        make_regressor(random_state=STATES[state](), **shape).fit(X, y) for _ in range(2)
    )
    np.testing.assert_array_equal(first.predict(X), second.predict(X))
    other = make_regressor(random_state=4, **shape).fit(X, y)
    assert (first.predict(X) != other.predict(X)).any()


def test_refit_with_an_int_gives_the_same_bits_and_with_an_instance_others():
    X, y = random_windows(), random_targets()
    regressor = make_regressor(random_state=3)
    np.testing.assert_array_equal(
        regressor.fit(X, y).predict(X), regressor.fit(X, y).predict(X)
    )
    regressor.set_params(random_state=np.random.RandomState(3))
    assert (regressor.fit(X, y).predict(X) != regressor.fit(X, y).predict(X)).any()


@pytest.mark.parametrize("random_state", [None, 0])
def test_global_generators_are_neither_read_nor_moved(random_state):
    X, y = random_windows(), random_targets()
    predictions = []
    for _ in range(2):
        torch.manual_seed(5)
        np.random.seed(5)  # noqa: NPY002
        torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()  # noqa: NPY002
        regressor = make_regressor(num_layers=2, dropout=0.5, random_state=random_state)
        predictions.append(regressor.fit(X, y).predict(X))
        assert torch.equal(torch.get_rng_state(), torch_state)
        after = np.random.get_state()  # noqa: NPY002
        assert after[2:] == numpy_state[2:]
        assert (after[1] == numpy_state[1]).all()
    # None draws anew even where the global generators are seeded alike.
    assert (predictions[0] == predictions[1]).all() == (random_state == 0)


def test_integers_of_numpy_are_parameters():
    X, y = random_windows(), random_targets()
    plain = {
        "units": 3,
        "num_layers": 2,
        "dropout": 0.25,
        "bidirectional": True,
        "epochs": 3,
        "batch_size": 7,
        "learning_rate": 0.5,
        "max_grad_norm": 0.5,
        "normalize_y": False,
        "verbose": 0,
    }
    of_numpy = {name: np.array(value)[()] for name, value in plain.items()}
    assert isinstance(of_numpy["units"], np.int64)
    expected = make_regressor(**plain).fit(X, y).predict(X)
    np.testing.assert_array_equal(make_regressor(**of_numpy).fit(X, y).predict(X), expected)


def test_fit_leaves_parameters_alone_and_clone_takes_them_along():
    regressor = make_regressor(units=np.int64(3), loss="huber", max_grad_norm=1.0)
    before = regressor.get_params()
    regressor.fit(random_windows(), random_targets())
    assert regressor.get_params() == before
    assert clone(regressor).get_params() == before
    assert not hasattr(clone(regressor), "net_")


def test_set_params_takes_effect_in_the_next_fit():
    X, y = random_windows(), random_targets()
    regressor = make_regressor().fit(X, y)
    before = regressor.predict(X)
    regressor.set_params(units=6, num_layers=2, epochs=3, batch_size=3, learning_rate=0.1)
    np.testing.assert_array_equal(regressor.predict(X), before)
    expected = make_regressor(
        units=6, num_layers=2, epochs=3, batch_size=3, learning_rate=0.1
    )
    np.testing.assert_array_equal(
        regressor.fit(X, y).predict(X), expected.fit(X, y).predict(X)
    )


# 60 targets of 0 and 40 of 10: median 0, mean 4, standard deviation sqrt(24). Huber's loss
# is least where 60 small errors e pull as hard as 40 large ones: 60 e = 40 standard
# deviations, e = 2/3, and there the large ones are indeed more than 1.
LOSS_OPTIMA = {"squared_error": 4, "absolute_error": 0, "huber": 2 / 3 * np.sqrt(24)}


@pytest.mark.parametrize("loss", LOSS_OPTIMA)
def test_loss_finds_its_own_middle_of_a_skewed_target(loss):
    X, y = np.zeros((100, 1)), np.repeat([0.0, 10.0], [60, 40])
    regressor = make_regressor(
        units=1, loss=loss, epochs=300, batch_size=100, learning_rate=0.02
    )
    assert regressor.fit(X, y).predict(X[:1])[0] == pytest.approx(
        LOSS_OPTIMA[loss], abs=0.2
    )


def test_max_grad_norm_only_shortens_gradients():
    X, y = random_windows(), random_targets()
    one_step = {"epochs": 1, "batch_size": 100, "learning_rate": 0.1}
    untrained = make_regressor(**one_step | {"learning_rate": 1e-12}).fit(X, y).predict(X)
    free = make_regressor(**one_step).fit(X, y).predict(X)
    wide = make_regressor(max_grad_norm=1e6, **one_step).fit(X, y).predict(X)
    # Adam divides the gradient by its size + 1e-8, so that only tinier ones are felt.
    narrow = make_regressor(max_grad_norm=1e-12, **one_step).fit(X, y).predict(X)
    np.testing.assert_array_equal(wide, free)
    assert np.abs(free - untrained).max() > 0.05
    np.testing.assert_allclose(narrow, untrained, atol=1e-3)


def test_verbose_prints_a_line_an_epoch(capsys):
    X, y = random_windows(), random_targets()
    make_regressor(epochs=7).fit(X, y)
    assert capsys.readouterr().out == ""
    make_regressor(epochs=7, verbose=1).fit(X, y)
    lines = capsys.readouterr().out.splitlines()
    first_words = Counter(line.split()[0] for line in lines if line.strip())
    assert all(first_words[str(epoch)] == 1 for epoch in range(1, 8))


def test_fits_in_threads_beside_each_other_give_the_same_bits():
    X, y = random_windows(), random_targets()

    def predictions(_):
        return make_regressor(num_layers=2, dropout=0.5, epochs=4).fit(X, y).predict(X)

    with ThreadPoolExecutor(4) as threads:
        beside = list(threads.map(predictions, range(8)))
    for each in beside:
        np.testing.assert_array_equal(each, predictions(None))


GLOBAL_DEFAULTS = {
    "dtype": (torch.set_default_dtype, torch.float64, torch.float32),
    "device": (torch.set_default_device, "meta", None),  # stands for "cuda"
}


@pytest.mark.parametrize("default", GLOBAL_DEFAULTS)
def test_defaults_that_a_program_set_in_torch_change_no_bit(default):
    X, y = with_warm_up(random_windows()), random_targets()
    regressor = make_regressor(num_layers=2, dropout=0.5)
    expected = regressor.fit(X, y).predict(X)
    set_default, value, initial = GLOBAL_DEFAULTS[default]
    set_default(value)
    try:
        predictions = regressor.fit(X, y).predict(X)
    finally:
        set_default(initial)
    np.testing.assert_array_equal(predictions, expected)


def test_history_has_one_record_an_epoch():
    X, y = random_windows(), random_targets()
    regressor = make_regressor(epochs=5, learning_rate=0.02).fit(X, y)
    assert regressor.n_iter_ == 5
    history = pd.DataFrame(regressor.history_)
    assert {"epoch", "train_loss", "learning_rate", "duration"} <= set(history.columns)
    assert history["epoch"].tolist() == [1, 2, 3, 4, 5]
    assert history["learning_rate"].tolist() == [0.02] * 5
    assert history["train_loss"].is_monotonic_decreasing
    assert (history["duration"] >= 0).all()


def test_net_is_a_skorch_net():
    regressor = make_regressor().fit(random_windows(), random_targets())
    assert isinstance(regressor.net_, NeuralNet)
    assert isinstance(regressor.net_.module_, torch.nn.Module)
    assert regressor.device_ == "cpu"


@pytest.mark.parametrize("seed", range(4))
def test_reference_job_beats_repeating_the_last_value(seed):
    rng = np.random.default_rng(seed)
    series = np.sin(0.1 * np.arange(100)) + rng.normal(scale=0.1, size=100)
    windows, targets = make_windows(series, seq_length=10)  # of rows 10 to 99
    train, test = slice(0, 70), slice(70, 90)  # rows 10 to 79, and 80 to 99
    regressor = LSTMRegressor(random_state=seed).fit(windows[train], targets[train])
    errors = regressor.predict(windows[test]) - targets[test]
    repeated = windows[test, -1, 0] - targets[test]
    assert np.square(errors).mean() < np.square(repeated).mean()


def test_default_parameters_are_those_of_the_reference_job():
    defaults = LSTMRegressor().get_params()
    names = ("units", "epochs", "batch_size", "learning_rate", "loss", "num_layers")
    assert tuple(defaults[name] for name in names) == (
        50,
        50,
        16,
        0.001,
        "squared_error",
        1,
    )


def changed(array, where, value):
    array = np.array(array, dtype=float)
    array[where] = value
    return array


X, Y = random_windows(), random_targets()
TABLE = X[:, :, 0]

REFUSED = {
    "no complete window": (
        changed(X, np.s_[:, 0], np.nan),
        Y,
        r"None of the 24 windows of seq_length=5 is complete: at most 4 steps are known",
    ),
    "NaN inside a window": (
        changed(X, np.s_[7, 2], np.nan),
        Y,
        r"X holds NaN inside the window of row 7\..* Fill the gaps",
    ),
    "NaN in the last step": (
        changed(X, np.s_[7, 4], np.nan),
        Y,
        "X holds NaN inside the window of row 7",
    ),
    "NaN in one feature of a step": (
        changed(X, np.s_[7, 0, 1], np.nan),
        Y,
        "X holds NaN inside the window of row 7",
    ),
    "NaN in a table": (
        changed(TABLE, np.s_[7, 0], np.nan),
        Y,
        r"X holds NaN in row 7\. In a table",
    ),
    "NaN in the last row of a table": (
        changed(TABLE, np.s_[23, :2], np.nan),
        Y,
        r"X holds NaN in row 23\. In a table",
    ),
    "NA of pandas": (
        pd.DataFrame(changed(TABLE.round(), np.s_[7, 2], np.nan)).astype("Int64"),
        Y,
        "X holds NaN inside the window of row 7",
    ),
    "inf": (changed(X, np.s_[7, 2, 1], np.inf), Y, "X holds inf"),
    "-inf": (changed(X, np.s_[7, 2, 1], -np.inf), Y, "X holds inf"),
    "inf in a table": (changed(TABLE, np.s_[7, 2], np.inf), Y, "X holds inf"),
    "beyond float32": (
        changed(X, np.s_[7, 2, 1], -1e39),
        Y,
        r"X holds -1e\+39, beyond the range of float32.*Scale X",
    ),
    "beyond float32 in a table": (
        changed(TABLE, np.s_[7, 2], 1e300),
        Y,
        r"X holds 1e\+300, beyond the range of float32",
    ),
    "four dimensions": (
        X[None],
        Y[:1],
        r"expects X of shape \(n_samples, seq_length, n_features\).*got \(1, 24, 5, 2\)",
    ),
    "one dimension": (TABLE[:, 0], Y, "Expected 2D array, got 1D array instead"),
    "no rows": (X[:0], Y[:0], r"0 sample\(s\) .* while a minimum of 1 is required"),
    "no steps": (X[:, :0], Y, r"with at least 1 of each, got \(24, 0, 2\)"),
    "no features": (X[:, :, :0], Y, r"with at least 1 of each, got \(24, 5, 0\)"),
    "strings": (np.full((24, 5), "a"), Y, "not compatible with arrays of bytes/strings"),
    "strings as objects": (
        np.full((24, 5), "a", dtype=object),
        Y,
        "could not convert string to float: 'a'",
    ),
    "complex": (X + 1j, Y, "Complex data not supported"),
    "y of NaN": (X, changed(Y, 7, np.nan), r"y holds NaN in row 7; .*finite target"),
    "y of inf": (X, changed(Y, 7, -np.inf), r"y holds inf in row 7; .*finite target"),
    "y of NaN in one output": (
        X,
        changed(random_targets(24, 3), (7, 1), np.nan),
        "y holds NaN in row 7",
    ),
    "y of NA of pandas": (
        X,
        pd.Series(Y).astype("Float64").mask(lambda y: y.index == 7),
        "y holds NaN in row 7",
    ),
    "y shorter": (X, Y[:-1], "X has 24 rows, but y has 23. Pass one target for every row"),
    "y longer": (X[:-1], Y, "X has 23 rows, but y has 24. Pass one target for every row"),
    "y turned": (X, Y[None], "X has 24 rows, but y has 1. Pass one target for every row"),
    "y None": (X, None, "requires y to be passed, but the target y is None"),
    "y of strings": (X, np.full(24, "a"), "not compatible with arrays of bytes/strings"),
    "y of three dimensions": (X, Y[:, None, None], "Found array with dim 3"),
    "y without outputs": (X, np.zeros((24, 0)), r"0 feature\(s\)"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_fit_says_what_is_wrong_with_its_input(case):
    X, y, message = REFUSED[case]
    with pytest.raises(ValueError, match=message):
        make_regressor().fit(X, y)


def test_sparse_input_is_refused():
    with pytest.raises(TypeError, match=r"Sparse data was passed for X.*toarray\(\)"):
        make_regressor().fit(sparse.csr_array(TABLE), Y)


def test_target_beyond_float32_without_normalize_y_is_refused():
    # Cast, it is inf, and no lower learning_rate brings a finite loss back.
    with pytest.raises(ValueError, match=r"y .*beyond the range of float32"):
        make_regressor(normalize_y=False).fit(X, 1e40 * Y)


@pytest.mark.parametrize(
    ("fitted", "later", "message"),
    [
        (
            X,
            X[:, :3],
            "X has windows of 3 steps, but LSTMRegressor is expecting windows of 5",
        ),
        (X, X[:, :, :1], "X has 1 features, but LSTMRegressor is expecting 2 features"),
        (
            TABLE,
            TABLE[:, :3],
            "X has 3 features, but LSTMRegressor is expecting 5 features",
        ),
        (TABLE, X, "X has 2 features, but LSTMRegressor is expecting 1 features"),
        (X, TABLE, "features, but LSTMRegressor is expecting 2 features"),
        # Three features and three columns, which stand for three steps.
        (random_windows(24, 3, 3), TABLE[:, :3], "LSTMRegressor is expecting 3 features"),
        (X, X[:0], "while a minimum of 1 is required"),
        (X, changed(X, np.s_[7, 2], np.nan), "X holds NaN inside the window of row 7"),
        (X, changed(X, np.s_[7, 2], np.inf), "X holds inf"),
        (X, 1e39 * X, "beyond the range of float32"),
        (X, X[None], "expects X of shape"),
    ],
)
def test_predict_says_what_is_wrong_with_its_input(fitted, later, message):
    regressor = make_regressor().fit(fitted, Y)
    with pytest.raises(ValueError, match=message):
        regressor.predict(later)


@pytest.mark.parametrize("fitted", [TABLE, TABLE[..., None]], ids=["table", "windows"])
def test_univariate_windows_may_be_predicted_in_either_shape(fitted):
    regressor = make_regressor().fit(fitted, Y)
    np.testing.assert_array_equal(
        regressor.predict(TABLE), regressor.predict(TABLE[..., None])
    )


def test_fit_that_failed_leaves_nothing_to_predict_with():
    # The half-trained net would predict NaN.
    regressor = make_regressor(learning_rate=1e30, epochs=9)
    with pytest.raises(ValueError, match="training loss became"):
        regressor.fit(X, Y)
    with pytest.raises(NotFittedError):
        regressor.predict(X)


def test_predict_before_fit_is_refused():
    with pytest.raises(
        NotFittedError, match="This LSTMRegressor instance is not fitted yet"
    ):
        LSTMRegressor().predict(X)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("units", 0),
        ("units", 4.0),
        ("num_layers", 0),
        ("dropout", -0.1),
        ("dropout", 1.0),
        ("bidirectional", "yes"),
        ("loss", "mse"),
        ("epochs", 0),
        ("batch_size", 0),
        ("learning_rate", 0.0),
        ("learning_rate", np.nan),
        ("max_grad_norm", 0.0),
        ("normalize_y", "yes"),
        ("random_state", "zero"),
        ("device", None),
        ("verbose", -1),
    ],
)
def test_parameter_out_of_range_is_named(name, value):
    message = f"The '{name}' parameter of LSTMRegressor must be .* Got {value!r} instead"
    with pytest.raises(ValueError, match=message):
        make_regressor(**{name: value}).fit(X, Y)


def test_unknown_device_is_named():
    with pytest.raises(ValueError, match="abacus"):
        make_regressor(device="abacus").fit(X, Y)


# Score


@pytest.mark.parametrize("n_outputs", [None, 1, 2])
def test_score_is_r2_of_scikit_learn(n_outputs):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(30, 4, 2))
    y = rng.normal(size=30 if n_outputs is None else (30, n_outputs))
    weights = rng.uniform(size=30)
    regressor = LSTMRegressor(units=2, epochs=1, random_state=0).fit(X, y)
    predictions = regressor.predict(X)
    assert regressor.score(X, y) == r2_score(y, predictions)
    weighted = r2_score(y, predictions, sample_weight=weights)
    assert regressor.score(X, y, weights) == weighted


@pytest.mark.parametrize("unit", [2.0**-900, 2.0**900])
def test_score_does_not_depend_on_the_unit_of_the_target(unit):
    # Squares of such targets leave float64: R2 was NaN, with a warning, or 0.
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(30, 4, 2)), rng.normal(size=30)
    regressor = LSTMRegressor(units=2, epochs=1, random_state=0).fit(X, y)
    in_unit = LSTMRegressor(units=2, epochs=1, random_state=0).fit(X, unit * y)
    assert in_unit.score(X, unit * y) == pytest.approx(regressor.score(X, y), abs=1e-12)


def test_score_names_what_is_wrong_with_the_target():
    X, y = np.zeros((3, 4, 2)), np.arange(3.0)
    regressor = LSTMRegressor(units=2, epochs=1).fit(X, y)
    with pytest.raises(ValueError, match="y holds NaN in row 1"):
        regressor.score(X, [1.0, np.nan, 2.0])
    with pytest.raises(ValueError, match="X has 3 rows, but y has 2"):
        regressor.score(X, y[:2])
    with pytest.raises(ValueError, match="ample weights must"):
        regressor.score(X, y, np.zeros(3))
