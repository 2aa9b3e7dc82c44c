"""gates and cell_gradient: agreement with loops, torch and differences; what they take."""

import itertools
import pickle
import tracemalloc

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV, TimeSeriesSplit
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from sklstm import LSTMRegressor, WindowTransformer, cell_gradient, gates
from sklstm.inspection import _gates as inspection
from tests import naive

PARTS = (
    "input_gate",
    "forget_gate",
    "candidate",
    "output_gate",
    "cell_state",
    "hidden_state",
)
# Layers, both directions, residual.
NETWORKS = list(itertools.product([1, 3], [False, True], [False, True]))


def make_fitted(num_layers=1, bidirectional=False, residual=False, *, units=4, seed=0):
    """A regressor of two features, with weights that are far from their start.

    Large weights, so that gates open and shut and derivatives are not all near 0.
    """
    rng = np.random.default_rng(seed)
    windows = rng.normal(size=(20, 6, 2)).astype(np.float32)
    regressor = LSTMRegressor(
        units,
        num_layers=num_layers,
        bidirectional=bidirectional,
        residual=residual,
        epochs=1,
        random_state=seed,
        device="cpu",
    ).fit(windows, rng.normal(size=20))
    with torch.no_grad():
        for weight in regressor.net_.module_.parameters():
            drawn = rng.normal(scale=0.8, size=tuple(weight.shape))
            weight.copy_(torch.from_numpy(drawn))
    windows[0, :4], windows[1, :5], windows[2] = np.nan, np.nan, np.nan
    return regressor, windows


def arrays(regressor):
    state = regressor.net_.module_.state_dict()
    return {name: weight.numpy() for name, weight in state.items()}


def cells(num_layers, bidirectional):
    directions = ["forward", "backward"] if bidirectional else ["forward"]
    return itertools.product(range(num_layers), directions)


def test_one_step_of_one_unit_by_hand():
    regressor, _ = make_fitted(units=1)
    with torch.no_grad():
        for weight in regressor.net_.module_.lstm.parameters():
            weight.zero_()
        regressor.net_.module_.lstm.weight_ih_l0[2, 0] = 1.0  # candidate = tanh(x)
        regressor.net_.module_.lstm.bias_hh_l0[1] = np.log(3)  # forget = 3 / 4
    parts = gates(regressor, np.ones((1, 6, 2)))
    first = {part: value[0, 0, 0] for part, value in parts.items()}
    assert first["input_gate"] == first["output_gate"] == 0.5
    assert first["forget_gate"] == pytest.approx(0.75, abs=1e-7)
    assert first["candidate"] == pytest.approx(np.tanh(1))
    assert first["cell_state"] == pytest.approx(np.tanh(1) / 2)
    assert first["hidden_state"] == pytest.approx(np.tanh(np.tanh(1) / 2) / 2)
    # Nothing goes through the hidden state, so the forget gates are the derivative.
    for path in ("all", "direct"):
        gradient = cell_gradient(regressor, np.ones((1, 6, 2)), path=path)
        np.testing.assert_allclose(gradient[0], 0.75 ** np.arange(5, -1, -1), rtol=1e-6)


@pytest.mark.parametrize(("num_layers", "bidirectional", "residual"), NETWORKS)
def test_gates_agree_with_loops(num_layers, bidirectional, residual):
    regressor, windows = make_fitted(num_layers, bidirectional, residual)
    weights = arrays(regressor)
    for layer, direction in cells(num_layers, bidirectional):
        parts = gates(regressor, windows, layer=layer, direction=direction)
        assert tuple(parts) == PARTS
        for row in (0, 1, 3, 19):
            expected = naive.network_parts(
                np.float64(windows[row]),
                weights,
                layer=layer,
                backwards=direction == "backward",
                bidirectional=bidirectional,
                residual=residual,
            )
            for part, values in zip(PARTS, expected, strict=True):
                np.testing.assert_allclose(parts[part][row], values, rtol=0, atol=1e-6)


@pytest.mark.parametrize(("num_layers", "bidirectional", "residual"), NETWORKS)
def test_states_of_last_layer_agree_with_those_of_torch(
    num_layers, bidirectional, residual
):
    regressor, windows = make_fitted(num_layers, bidirectional, residual)
    complete = torch.from_numpy(windows[3:])
    if residual:
        complete = complete - complete[:, -1:]
    with torch.no_grad():
        hidden, (_, last_cells) = regressor.net_.module_.lstm(complete)
    parts = gates(regressor, windows)
    np.testing.assert_allclose(parts.hidden_state[3:], hidden[..., :4], rtol=0, atol=1e-6)
    last_forward = -2 if bidirectional else -1
    np.testing.assert_allclose(
        parts.cell_state[3:, -1], last_cells[last_forward], rtol=0, atol=2e-6
    )
    if bidirectional:
        parts = gates(regressor, windows, direction="backward")
        np.testing.assert_allclose(
            parts.hidden_state[3:], hidden[..., 4:], rtol=0, atol=1e-6
        )
        np.testing.assert_allclose(
            parts.cell_state[3:, 0], last_cells[-1], rtol=0, atol=2e-6
        )


@pytest.mark.parametrize(("bidirectional", "residual"), [(False, False), (True, True)])
def test_predictions_are_made_of_the_hidden_states(bidirectional, residual):
    regressor, windows = make_fitted(2, bidirectional, residual)
    hidden = gates(regressor, windows[3:]).hidden_state[:, -1]
    if bidirectional:
        backward = gates(regressor, windows[3:], direction="backward").hidden_state
        hidden = np.hstack([hidden, backward[:, 0]])
    weights = arrays(regressor)
    outputs = hidden @ weights["dense.weight"].T + weights["dense.bias"]
    if residual:
        columns = windows[3:] - windows[3:, -1:]
        columns[:, -1] = windows[3:, -1]
        columns = columns.reshape(len(columns), -1) - weights["center"]
        outputs += (columns / weights["scale"]) @ weights["linear.weight"].T
    scaler = regressor._fitted().scaler
    y_pred = scaler.predictions(outputs)
    np.testing.assert_allclose(regressor.predict(windows[3:]), y_pred, rtol=0, atol=1e-5)


@pytest.mark.parametrize(("num_layers", "bidirectional", "residual"), NETWORKS)
def test_gradient_agrees_with_finite_differences(num_layers, bidirectional, residual):
    regressor, windows = make_fitted(num_layers, bidirectional, residual)
    for layer, direction in cells(num_layers, bidirectional):
        chosen = {"layer": layer, "direction": direction}
        spectral = cell_gradient(regressor, windows, **chosen)
        rms = cell_gradient(regressor, windows, norm="rms", **chosen)
        for row, n_known in ((0, 2), (1, 1), (3, 6)):
            for step in range(n_known):
                jacobian = naive.cell_jacobian(
                    np.float64(windows[row]),
                    arrays(regressor),
                    step,
                    layer=layer,
                    backwards=direction == "backward",
                    bidirectional=bidirectional,
                    residual=residual,
                )
                # Read forwards, known steps are the last ones; backwards, from the end.
                t = 5 - step if direction == "backward" else 6 - n_known + step
                singular = np.linalg.svd(jacobian, compute_uv=False)
                assert spectral[row, t] == pytest.approx(singular[0], abs=1e-6)
                assert rms[row, t] == pytest.approx(np.sqrt(np.mean(singular**2)), abs=1e-6)


def test_gradient_agrees_with_torch_autograd():
    # Another oracle than differences, for a longer window: autograd through cells that are
    # written out, with the cell states as leaves.
    regressor, _ = make_fitted(units=3)
    steps = np.random.default_rng(1).normal(size=(1, 6, 2)).astype(np.float32)
    weights = {k: torch.from_numpy(v).double() for k, v in arrays(regressor).items()}

    def last_cell(change, at):
        h = c = torch.zeros(3, dtype=torch.float64)
        for t in range(6):
            z = weights["lstm.weight_ih_l0"] @ torch.from_numpy(steps[0, t]).double()
            z = z + weights["lstm.weight_hh_l0"] @ h
            z = z + weights["lstm.bias_ih_l0"] + weights["lstm.bias_hh_l0"]
            i, f, g, o = z.chunk(4)
            c = f.sigmoid() * c + i.sigmoid() * g.tanh()
            c = c + change if t == at else c
            h = o.sigmoid() * c.tanh()
        return c

    zero = torch.zeros(3, dtype=torch.float64)
    expected = [
        float(
            torch.linalg.matrix_norm(
                torch.autograd.functional.jacobian(lambda d, t=t: last_cell(d, t), zero), 2
            )
        )
        for t in range(6)
    ]
    np.testing.assert_allclose(cell_gradient(regressor, steps)[0], expected, rtol=1e-10)


@given(seed=st.integers(0, 2**16), units=st.integers(1, 6))
@settings(max_examples=15, deadline=None)
def test_norms_keep_their_order_and_start_at_one(seed, units):
    regressor, windows = make_fitted(units=units, seed=seed)
    for path in ("all", "direct"):
        spectral = cell_gradient(regressor, windows[3:], path=path)
        rms = cell_gradient(regressor, windows[3:], path=path, norm="rms")
        assert (spectral[:, -1] == 1).all()
        np.testing.assert_allclose(rms[:, -1], 1)
        assert (rms <= spectral * (1 + 1e-12)).all()
        assert (spectral <= np.sqrt(units) * rms * (1 + 1e-12)).all()


def test_direct_path_is_the_product_of_the_forget_gates():
    regressor, windows = make_fitted()
    forget = gates(regressor, windows[3:]).forget_gate
    for t in range(6):
        product = forget[:, t + 1 :].prod(axis=1)  # (n, units); 1 where none is left
        spectral = cell_gradient(regressor, windows[3:], path="direct")[:, t]
        rms = cell_gradient(regressor, windows[3:], path="direct", norm="rms")[:, t]
        np.testing.assert_allclose(spectral, product.max(axis=1))
        np.testing.assert_allclose(rms, np.sqrt((product**2).mean(axis=1)))


def test_gradient_can_grow():
    # A forget gate of at most 1 does not bound what goes through the hidden state.
    regressor, windows = make_fitted()
    with torch.no_grad():
        regressor.net_.module_.lstm.weight_hh_l0.mul_(4)
    assert cell_gradient(regressor, windows[3:]).max() > 2
    assert cell_gradient(regressor, windows[3:], path="direct").max() == 1


@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_unknown_steps_are_nan_and_no_others(direction):
    regressor, windows = make_fitted(2, bidirectional=True)
    unknown = np.isnan(windows[:, :, 0])
    parts = gates(regressor, windows, direction=direction)
    gradient = cell_gradient(regressor, windows, direction=direction)
    for values in (*parts.values(), gradient[..., np.newaxis]):
        assert (np.isnan(values) == unknown[..., np.newaxis]).all()
    # Row 0 knows two steps: forwards the last one is read last, backwards the first known.
    assert gradient[0, 5 if direction == "forward" else 4] == 1


def test_unknown_steps_are_left_out_as_predict_leaves_them_out():
    regressor, windows = make_fitted()
    short = gates(regressor, windows[:1]).cell_state[0, 4:]
    with torch.no_grad():
        _, (_, expected) = regressor.net_.module_.lstm(torch.from_numpy(windows[:1, 4:]))
    np.testing.assert_allclose(short[-1], expected[0, 0], rtol=0, atol=2e-6)


def test_steps_are_rounded_as_the_network_rounds_them():
    # Far from 0, float32 keeps little of a step; what the network reads is that little.
    regressor, _ = make_fitted(residual=True)
    windows = 1e6 + np.random.default_rng(0).normal(size=(3, 6, 2))
    rounded = torch.from_numpy(windows.astype(np.float32))
    with torch.no_grad():
        hidden, _ = regressor.net_.module_.lstm(rounded - rounded[:, -1:])
    found = gates(regressor, windows).hidden_state
    np.testing.assert_allclose(found, hidden, rtol=0, atol=1e-6)


def series_model(**kwargs):
    return make_pipeline(
        StandardScaler(),
        WindowTransformer(seq_length=5),
        LSTMRegressor(units=3, epochs=1, random_state=0, **kwargs),
    )


SERIES = np.sin(0.5 * np.arange(60))
TABLE = pd.DataFrame({"x": SERIES}, index=pd.date_range("2020", periods=60))


@pytest.mark.parametrize("X", [SERIES[:, None], TABLE], ids=["array", "table"])
def test_pipeline_gives_the_gates_of_its_regressor(X):
    model = series_model().fit(X[:40], SERIES[:40])
    windows = model[:-1].transform(X[40:])
    assert not np.isnan(windows).any()  # the context reaches the Pipeline's own rows
    for function in (gates, cell_gradient):
        whole, alone = function(model, X[40:]), function(model[-1], windows)
        if function is cell_gradient:
            whole, alone = {"": whole}, {"": alone}
        for part in whole:
            np.testing.assert_array_equal(whole[part], alone[part])


def test_search_gives_the_gates_of_its_best_estimator():
    X, cv = SERIES[:, None], TimeSeriesSplit(2)
    over_pipeline = GridSearchCV(
        series_model(), {"windowtransformer__seq_length": [3, 4]}, cv=cv
    ).fit(X, SERIES)
    best = over_pipeline.best_estimator_
    np.testing.assert_array_equal(cell_gradient(over_pipeline, X), cell_gradient(best, X))
    windows = best[:-1].transform(X)
    over_regressor = GridSearchCV(LSTMRegressor(epochs=1), {"units": [2, 3]}, cv=cv)
    in_pipeline = Pipeline([("windows", WindowTransformer(5)), ("search", over_regressor)])
    in_pipeline.fit(X, SERIES)
    units = in_pipeline[-1].best_params_["units"]
    assert gates(in_pipeline, X).cell_state.shape == (60, 5, units)
    assert gates(over_pipeline.best_estimator_[-1], windows).cell_state.shape[2] == 3


def test_table_of_windows_is_taken_as_predict_takes_it():
    windows = np.random.default_rng(0).normal(size=(12, 5))
    regressor = LSTMRegressor(units=2, epochs=1).fit(windows, windows[:, 0])
    same = LSTMRegressor(units=2, epochs=1).fit(windows[..., None], windows[:, 0])
    same.net_.module_.load_state_dict(regressor.net_.module_.state_dict())
    np.testing.assert_array_equal(
        gates(regressor, windows).cell_state, gates(same, windows[..., None]).cell_state
    )


def test_passthrough_steps_are_passed_through():
    X = SERIES[:, None]
    steps = [("w", WindowTransformer(5)), ("none", "passthrough")]
    model = Pipeline([*steps, ("lstm", LSTMRegressor(2, epochs=1))]).fit(X, SERIES)
    assert gates(model, X).cell_state.shape == (60, 5, 2)
    windows = model[:-1].transform(X)
    alone = make_pipeline(LSTMRegressor(2, epochs=1)).fit(windows, SERIES)
    assert gates(alone, windows).cell_state.shape == (60, 5, 2)


@pytest.mark.parametrize("size", [1, 10**5, 10**9])
def test_parts_do_not_change_the_result(size, monkeypatch):
    regressor, windows = make_fitted(2)
    whole, gradient = gates(regressor, windows), cell_gradient(regressor, windows)
    monkeypatch.setattr(inspection, "BYTES_AT_ONCE", size)
    for part, values in gates(regressor, windows).items():
        np.testing.assert_allclose(values, whole[part], rtol=0, atol=1e-12)
    np.testing.assert_allclose(cell_gradient(regressor, windows), gradient, atol=1e-12)


@pytest.mark.parametrize("function", [gates, cell_gradient])
def test_memory_beside_the_result_does_not_grow_with_the_rows(function):
    series = np.random.default_rng(0).normal(size=(1200, 1))
    windows = WindowTransformer(100).fit_transform(series)[100:]
    regressor = LSTMRegressor(12, epochs=1, batch_size=1200).fit(windows, series[100:, 0])
    tracemalloc.start()
    result = function(regressor, windows)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    size = result.nbytes if function is cell_gradient else 6 * result.cell_state.nbytes
    assert peak - size < 20e6


def test_training_and_prediction_are_left_as_they_were():
    regressor, windows = make_fitted(2, bidirectional=True)
    before, y_pred = arrays(regressor), regressor.predict(windows)
    before = {name: weight.copy() for name, weight in before.items()}
    gates(regressor, windows)
    cell_gradient(regressor, windows)
    np.testing.assert_array_equal(regressor.predict(windows), y_pred)
    for name, weight in arrays(regressor).items():
        np.testing.assert_array_equal(weight, before[name])


@pytest.mark.parametrize("function", [gates, cell_gradient])
@pytest.mark.parametrize(
    ("estimator", "message"),
    [
        (Ridge(), "ends in one, got Ridge."),
        (make_pipeline(StandardScaler(), Ridge()), r"got Pipeline, which ends in Ridge\("),
        (LSTMRegressor, "got (type|ABCMeta)"),
        (
            GridSearchCV(LSTMRegressor(), {}, refit=False),
            "GridSearchCV has refit=False, .* Set refit=True",
        ),
    ],
)
def test_other_estimators_are_told_what_is_expected(function, estimator, message):
    with pytest.raises(ValueError, match=message):
        function(estimator, SERIES[:, None])


@pytest.mark.parametrize("function", [gates, cell_gradient])
@pytest.mark.parametrize(
    "estimator",
    [
        LSTMRegressor(),
        series_model(),
        GridSearchCV(series_model(), {}),
        RandomizedSearchCV(series_model(), {}),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
def test_estimators_must_be_fitted(function, estimator):
    with pytest.raises(NotFittedError, match="is not fitted yet"):
        function(estimator, SERIES[:, None])


@pytest.mark.parametrize("function", [gates, cell_gradient])
@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.zeros((3, 5, 2)), "windows of 5 steps, but LSTMRegressor is expecting .* 6"),
        (np.zeros((3, 6, 1)), "1 features, but LSTMRegressor is expecting 2"),
        (np.full((3, 6, 2), np.inf), "X holds inf"),
        (None, "'X' parameter .* must be an array-like"),
    ],
)
def test_what_predict_does_not_take_is_not_taken(function, X, message):
    regressor, _ = make_fitted()
    with pytest.raises(ValueError, match=message):
        function(regressor, X)


@pytest.mark.parametrize("function", [gates, cell_gradient])
def test_layers_and_directions_that_are_not_there(function):
    regressor, windows = make_fitted(3)
    with pytest.raises(ValueError, match="layer=3 is not among the 3 layers"):
        function(regressor, windows, layer=3)
    with pytest.raises(ValueError, match="layer=-4 is not among"):
        function(regressor, windows, layer=-4)
    with pytest.raises(ValueError, match="fit with bidirectional=True"):
        function(regressor, windows, direction="backward")
    with pytest.raises(ValueError, match="'direction' parameter"):
        function(regressor, windows, direction="up")


def test_gates_are_those_of_the_fit_whatever_was_set_or_saved_since():
    regressor, windows = make_fitted(2, bidirectional=True)
    parts = gates(regressor, windows, direction="backward")
    loaded = pickle.loads(pickle.dumps(regressor))
    loaded.set_params(units=9, num_layers=1, bidirectional=False, residual=True)
    for part, values in gates(loaded, windows, direction="backward").items():
        np.testing.assert_array_equal(values, parts[part])


def test_layers_count_from_the_end_too():
    regressor, windows = make_fitted(3)
    for layer in range(3):
        np.testing.assert_array_equal(
            cell_gradient(regressor, windows, layer=layer),
            cell_gradient(regressor, windows, layer=layer - 3),
        )
