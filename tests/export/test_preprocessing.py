"""The steps before the windows in the ONNX graph: column transformers, PCA, lags."""

import json

import numpy as np
import onnx
import onnxruntime
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.compose import ColumnTransformer, make_column_transformer
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    RobustScaler,
    StandardScaler,
)

from sklstm import LagsToWindows, LSTMRegressor, WindowTransformer, to_onnx
from sklstm._network._known_steps import KnownSteps

N_STEPS, N_FEATURES = 120, 5
# Four units of rounding of float32; at most 1.2 were needed in 1,500 fits drawn at random.
ROUNDING = 4 * 2.0**-24
NAMES = ["load", "heat", "wind", "hour", "flag"]


def make_series(seed=0, n_features=N_FEATURES):
    """Columns of unlike levels and scales, float32 exactly, so that both read the same."""
    rng = np.random.default_rng(seed)
    scale = 2.0 ** rng.integers(-3, 2, size=n_features)
    series = (
        rng.normal(size=(N_STEPS, n_features)) + 3 * rng.normal(size=n_features)
    ) * scale
    return np.float64(np.float32(series))


def make_regressor(**params):
    defaults = {"units": 4, "epochs": 1, "batch_size": 64, "random_state": 0}
    return LSTMRegressor(**{**defaults, "device": "cpu"} | params)


def run(path, rows):
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (given,) = session.get_inputs()
    dtype = {"tensor(float)": np.float32, "tensor(double)": np.float64}[given.type]
    (predictions,) = session.run(None, {given.name: rows.astype(dtype)})
    return predictions


def assert_graph_agrees(model, path, X, rows, y):
    """To 1e-5 of the target's deviation, and to rounding of what a linear map adds up."""
    to_onnx(model, path)
    error = np.abs(run(path, np.asarray(rows)) - model.predict(X)) / np.std(y, axis=0)
    assert error.max() < 1e-5 + ROUNDING * size_of_linear_terms(model, X)


def size_of_linear_terms(model, X):
    """Sum of the sizes of what the linear map of a row adds up, of the row with most.

    `predict` and the graph round products of the same numbers, and add them up in orders of
    their own: each order is wrong by a few units of rounding of this sum, whatever is left
    of it where terms cancel.
    """
    module = model[-1].net_.module_
    if module.linear is None:
        return 0.0
    windows = torch.from_numpy(np.float32(model[:-1].transform(X)))
    _, columns = module.read_windows(windows, KnownSteps.of(None, windows))
    terms = torch.nan_to_num(columns)[:, np.newaxis] * module.linear.weight.detach()
    return float(terms.abs().sum(dim=2).max())


def scalers():
    return st.sampled_from(
        [
            StandardScaler(),
            StandardScaler(with_mean=False),
            MinMaxScaler(clip=True),
            RobustScaler(),
            MaxAbsScaler(),
            "passthrough",
        ]
    ).map(lambda scaler: clone(scaler, safe=False))  # a step is not fitted twice


@st.composite
def column_transformers(draw, parts, n_columns=N_FEATURES):
    """Any columns to any parts, some to several and some to none."""
    some = st.lists(st.integers(0, n_columns - 1), max_size=3, unique=True)
    pairs = draw(st.lists(st.tuples(parts, some), min_size=1, max_size=3))
    named = [(f"part{i}", part, columns) for i, (part, columns) in enumerate(pairs)]
    # One column at least is let through.
    named.append(("last", draw(scalers()), [draw(st.integers(0, n_columns - 1))]))
    weights = draw(st.sampled_from([None, {"part0": 2.5, "last": 0.5}]))
    remainder = draw(st.sampled_from(["drop", "passthrough", StandardScaler()]))
    return ColumnTransformer(named, remainder=remainder, transformer_weights=weights)


def first_steps():
    """Steps that read the series."""
    inner = st.lists(scalers(), min_size=1, max_size=2).map(
        lambda steps: make_pipeline(StandardScaler(), *steps)
    )
    parts = st.one_of(scalers(), st.just("drop"), inner, st.builds(PCA, st.just(1)))
    return st.one_of(
        column_transformers(parts),
        column_transformers(column_transformers(scalers(), n_columns=1)),
        st.builds(PCA, st.integers(1, N_FEATURES), whiten=st.booleans()),
    )


@settings(deadline=None, max_examples=25)
@given(
    first=first_steps(),
    later=st.lists(st.one_of(scalers(), st.builds(PCA, st.just(1))), max_size=2),
    residual=st.booleans(),
    n_outputs=st.sampled_from([None, 2]),
    seed=st.integers(0, 99),
    # At 0, a linear map of collinear columns would be the target, as a difference of
    # numbers so large that float32 leaves it fewer digits, in `predict` as well.
    horizon=st.integers(1, 3),
    as_frame=st.booleans(),
)
def test_pipelines_drawn_at_random_agree_with_predict(
    tmp_path_factory, first, later, residual, n_outputs, seed, horizon, as_frame
):
    series = make_series(seed)
    y = series[:, 0] if n_outputs is None else series[:, :n_outputs]
    X = pd.DataFrame(series, columns=NAMES) if as_frame else series
    windows = WindowTransformer(4, horizon=horizon, context="never")
    model = make_pipeline(first, *later, windows, make_regressor(residual=residual))
    model.fit(X, y)
    rows = WindowTransformer(4, horizon=horizon).fit_transform(series)
    path = tmp_path_factory.mktemp("drawn") / "model.onnx"
    assert_graph_agrees(model, path, X, rows, y)


@pytest.mark.parametrize(
    "columns",
    [
        ["heat", "load"],
        slice("heat", "hour"),
        slice(1, 3),
        [-1, 0],
        [False, True, True, False, False],
        lambda X: ["wind"],
    ],
    ids=["names", "slice of names", "slice", "from the end", "mask", "callable"],
)
def test_columns_chosen_in_any_way(columns, tmp_path):
    series = make_series()
    X = pd.DataFrame(series, columns=NAMES)
    scale = make_column_transformer(
        (StandardScaler(), columns), ("passthrough", ["flag"]), remainder=MinMaxScaler()
    )
    model = make_pipeline(scale, WindowTransformer(4, context="never"), make_regressor())
    model.fit(X, series[:, 0])
    rows = WindowTransformer(4).fit_transform(series)
    assert_graph_agrees(model, tmp_path / "model.onnx", X, rows, series[:, 0])


def test_scaled_and_untouched_columns_by_hand(tmp_path):
    # The operators of the graph alone: Concat of (x0 - mean) / scale, and of x2 as it is.
    series = make_series()
    scale = make_column_transformer((StandardScaler(), [0]), ("passthrough", [2]))
    model = make_pipeline(scale, WindowTransformer(3), make_regressor(units=2))
    model.fit(series, series[:, 0])
    to_onnx(model, tmp_path / "model.onnx")
    used = np.column_stack([(series[:, 0] - series[:, 0].mean()) / series[:, 0].std(),
                            series[:, 2]])  # fmt: skip
    windows = np.lib.stride_tricks.sliding_window_view(series, 3, axis=0).transpose(0, 2, 1)
    by_hand = np.lib.stride_tricks.sliding_window_view(used, 3, axis=0).transpose(0, 2, 1)
    np.testing.assert_allclose(
        run(tmp_path / "model.onnx", windows),
        model[-1].predict(by_hand),
        rtol=0,
        atol=1e-5 * series[:, 0].std(),
    )


def test_column_transformer_of_passthrough_pipeline_and_identity(tmp_path):
    series = make_series()
    scale = ColumnTransformer(
        [("inner", make_pipeline("passthrough", MaxAbsScaler()), [1, 2]),
         ("identity", FunctionTransformer(), [0])],
    )  # fmt: skip
    model = make_pipeline(scale, WindowTransformer(4, context="never"), make_regressor())
    model.fit(series, series[:, 0])
    rows = WindowTransformer(4).fit_transform(series)
    assert_graph_agrees(model, tmp_path / "model.onnx", series, rows, series[:, 0])


def test_unknown_part_of_a_column_transformer_is_named(tmp_path):
    log = FunctionTransformer(np.log1p, validate=True)
    scale = ColumnTransformer([("logs", log, [0])], remainder="passthrough")
    model = make_pipeline(scale, WindowTransformer(4), make_regressor())
    series = np.abs(make_series())
    model.fit(series, series[:, 0])
    with pytest.raises(ValueError, match="step 'logs', FunctionTransformer, cannot be exp"):
        to_onnx(model, tmp_path / "model.onnx")


@pytest.mark.parametrize("whiten", [False, True])
def test_projected_steps_that_are_not_known_or_wrong(whiten, tmp_path):
    # A product with a matrix would make one missing feature all of a step's.
    series = make_series()
    pca = make_pipeline(StandardScaler(), PCA(2, whiten=whiten), MinMaxScaler(clip=True))
    model = make_pipeline(pca, WindowTransformer(4, context="never"), make_regressor())
    model.fit(series, series[:, 0])
    to_onnx(model, tmp_path / "model.onnx")
    rows = np.asarray(WindowTransformer(4).fit_transform(series))[:12].copy()
    rows[5, 0, 1] = np.nan
    rows[6, 2] = np.nan
    rows[7, 0, 3] = np.inf
    rows[8, 3, 0] = np.nan
    predictions = run(tmp_path / "model.onnx", rows)
    assert np.flatnonzero(np.isnan(predictions)).tolist() == [5, 6, 7, 8]
    right = [*range(5), *range(9, 12)]
    np.testing.assert_allclose(
        predictions[right], model.predict(series)[right], atol=1e-5 * series[:, 0].std()
    )


def test_table_of_steps_may_be_projected(tmp_path):
    # Without windows in the Pipeline, the columns of a table are the steps of one feature.
    table = np.float64(np.float32(np.random.default_rng(0).normal(size=(100, 6))))
    y = table[:, 0]
    scale = make_column_transformer((StandardScaler(), [0, 1]), remainder="passthrough")
    model = make_pipeline(scale, PCA(4), make_regressor()).fit(table, y)
    path = tmp_path / "model.onnx"
    assert_graph_agrees(model, path, table, table[:, :, np.newaxis], y)


# Tables of lags


def make_lags(n_lags, n_series, layout):
    """A table of lags, the oldest unknown in its first rows, and two other columns."""
    rng = np.random.default_rng(0)
    series = np.float64(np.float32(rng.normal(size=(N_STEPS, n_series))))
    lags = WindowTransformer(n_lags).fit_transform(series)[:, ::-1]
    blocks = lags.transpose(0, 2, 1) if layout == "blocks" else lags
    others = np.float64(np.float32(rng.normal(size=(N_STEPS, 2))))
    return np.hstack([blocks.reshape(N_STEPS, -1), others]), series[:, 0]


@pytest.mark.parametrize("layout", ["blocks", "interleaved"])
@pytest.mark.parametrize("n_series", [1, 2])
@pytest.mark.parametrize("n_others", [0, 2])
def test_tables_of_lags_agree_with_predict(n_series, layout, n_others, tmp_path):
    table, y = make_lags(4, n_series, layout)
    table = table[:, : 4 * n_series + n_others]
    lags = LagsToWindows(4, n_series=n_series, layout=layout)
    model = make_pipeline(StandardScaler(), lags, make_regressor()).fit(table, y)
    path = tmp_path / "model.onnx"
    assert_graph_agrees(model, path, table, table, y)


def test_lags_behind_other_columns_and_a_column_transformer(tmp_path):
    table, y = make_lags(4, 1, "blocks")
    names = ["lag1", "lag2", "lag3", "lag4", "promo", "month"]
    X = pd.DataFrame(table, columns=names)[["promo", *names[:4], "month"]]
    scale = make_column_transformer(
        (MinMaxScaler(), ["promo", "month"]), remainder="passthrough"
    )
    model = make_pipeline(scale, LagsToWindows(4, first_lag=2), make_regressor()).fit(X, y)
    path = tmp_path / "model.onnx"
    assert_graph_agrees(model, path, X, X, y)
    (given,) = onnxruntime.InferenceSession(path).get_inputs()
    assert (given.name, given.shape) == ("lags", ["n", 6])
    metadata = {prop.key: prop.value for prop in onnx.load(path).metadata_props}
    assert json.loads(metadata["feature_names"]) == X.columns.tolist()
    assert (metadata["seq_length"], metadata["n_features"]) == ("4", "6")
    assert "horizon" not in metadata


def test_lags_that_are_not_known_where_they_must_be_get_nan(tmp_path):
    table, y = make_lags(4, 1, "blocks")
    model = make_pipeline(LagsToWindows(4), make_regressor()).fit(table, y)
    to_onnx(model, tmp_path / "model.onnx")
    rows = table[10:15].copy()
    rows[1, 0] = np.nan  # the newest lag
    rows[2, 4] = np.nan  # a column that is no lag
    rows[3, 3] = np.nan  # the oldest lag, which may be NaN
    predictions = run(tmp_path / "model.onnx", rows)
    assert np.isnan(predictions).tolist() == [False, True, True, False, False]
    right = [0, 3, 4]
    np.testing.assert_allclose(predictions[right], model.predict(rows[right]), atol=1e-5)


def test_names_of_a_pipeline_that_begins_with_passthrough(tmp_path):
    X = pd.DataFrame(make_series(), columns=NAMES)
    model = make_pipeline("passthrough", PCA(2), WindowTransformer(4), make_regressor())
    to_onnx(model.fit(X, X["load"]), tmp_path / "model.onnx")
    props = onnx.load(tmp_path / "model.onnx").metadata_props
    metadata = {prop.key: prop.value for prop in props}
    assert json.loads(metadata["feature_names"]) == NAMES
    assert (metadata["horizon"], metadata["n_features"]) == ("1", "5")
