"""scikit-learn's common checks, and the same for 3-D input, which those do not cover."""

import copy
import pickle
from unittest import SkipTest

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn import config_context
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils._testing import _convert_container
from sklearn.utils.estimator_checks import (
    _NotAnArray,
    _regression_dataset,
    check_dataframe_column_names_consistency,
    check_global_output_transform_pandas,
    check_param_validation,
    check_sample_weight_equivalence_on_dense_data,
    check_set_output_transform,
    check_set_output_transform_pandas,
    check_transformer_get_feature_names_out,
    check_transformer_get_feature_names_out_pandas,
    estimator_checks_generator,
    parametrize_with_checks,
)

from sklstm import (
    ForwardFill,
    LagsToWindows,
    LSTMRegressor,
    WindowTransformer,
    make_windows,
)
from tests.versions import needs_array_api

TRANSFORMERS = [
    WindowTransformer(),
    WindowTransformer(seq_length=3, horizon=0, flatten=True),
    LagsToWindows(2),
    LagsToWindows(2, order="oldest"),
    ForwardFill(),
    ForwardFill(add_indicator=True, limit=3),
]
ESTIMATORS = [
    *TRANSFORMERS,
    LSTMRegressor(),
    LSTMRegressor(epochs=3, incomplete="train"),
]

ROWS_DEPEND = "a window holds the rows above its own, so rows are not independent"
OLDEST_LAG = "the check sets the first column to NaN, here an oldest lag that is not known"
MINI_BATCHES = "repeated rows fall into other mini-batches; see the test with one batch"


def expected_failed_checks(estimator):
    if isinstance(estimator, WindowTransformer):
        return {
            "check_methods_sample_order_invariance": ROWS_DEPEND,
            "check_methods_subset_invariance": ROWS_DEPEND,
        }
    if isinstance(estimator, ForwardFill):
        return {}
    if isinstance(estimator, LagsToWindows):
        oldest_first = estimator.order == "oldest"
        return {"check_estimators_nan_inf": OLDEST_LAG} if oldest_first else {}
    return {"check_sample_weight_equivalence_on_dense_data": MINI_BATCHES}


def run(check, *args):
    """A check of scikit-learn's, where skipping is failing."""
    try:
        check(*args)
    except SkipTest as skipped:
        pytest.fail(f"was skipped: {skipped}")


@parametrize_with_checks(ESTIMATORS, expected_failed_checks=expected_failed_checks)
def test_scikit_learn_common_checks(estimator, check):
    run(check, estimator)


@pytest.mark.parametrize("residual", [False, True])
def test_weights_equal_repeated_rows_where_one_batch_holds_all(residual):
    estimator = LSTMRegressor(batch_size=1000, residual=residual)
    run(check_sample_weight_equivalence_on_dense_data, "LSTMRegressor", estimator)


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=str)
def test_scikit_learn_yields_its_checks(estimator):
    # It yields a single one, in silence, for an estimator that only takes 3-D input.
    checks = [check.func for _, check in estimator_checks_generator(estimator)]
    assert len(checks) > 40


@needs_array_api
@pytest.mark.parametrize(
    "estimator", [WindowTransformer(), LSTMRegressor(units=2, epochs=1)], ids=str
)
def test_array_api_check_runs(estimator):
    # Dispatch can only be switched on where SCIPY_ARRAY_API was set in time.
    with config_context(array_api_dispatch=True):
        pass
    named = {
        getattr(check.func, "__name__", None) or check.func.func.__name__: check
        for _, check in estimator_checks_generator(clone(estimator))
    }
    run(named["check_array_api_input"], estimator)


# What scikit-learn's own test_common.py runs beside the checks that it yields.


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=str)
@pytest.mark.parametrize(
    "check", [check_dataframe_column_names_consistency, check_param_validation]
)
def test_scikit_learn_checks_of_its_own_estimators(estimator, check):
    run(check, type(estimator).__name__, estimator)


@pytest.mark.parametrize(
    "check",
    [
        check_set_output_transform,
        check_set_output_transform_pandas,
        check_global_output_transform_pandas,
        check_transformer_get_feature_names_out,
        check_transformer_get_feature_names_out_pandas,
    ],
)
@pytest.mark.parametrize(
    "transformer",
    [
        *(WindowTransformer(3, horizon=h, flatten=True) for h in (0, 1, 4)),
        ForwardFill(),
        ForwardFill(add_indicator=True),
    ],
    ids=str,
)
# They also pass arrays to what was fitted on a DataFrame.
@pytest.mark.filterwarnings("ignore:X (has|does not have valid) feature names")
def test_scikit_learn_checks_of_its_own_transformers(check, transformer):
    run(check, type(transformer).__name__, transformer)


@pytest.mark.parametrize("transformer", [WindowTransformer(), LagsToWindows(2)], ids=str)
def test_check_of_set_output_passes_for_3d_windows(transformer):
    run(check_set_output_transform, type(transformer).__name__, transformer)


@pytest.mark.slow
def test_poor_score_is_about_the_number_of_epochs():
    X, y = _regression_dataset()
    regressor = LSTMRegressor(epochs=200, random_state=0).fit(X, y)
    assert regressor.score(X, y) > 0.5  # what the common check asks without the tag


# 3-D input. scikit-learn's checks pass tables only; these are their counterparts.


N_SAMPLES, SEQ_LENGTH, N_FEATURES = 40, 4, 2


def make_regressor(**params):
    return LSTMRegressor(**{"units": 3, "epochs": 2, "random_state": 0, **params})


def make_data(dtype=np.float64, n_outputs=None):
    """Independent windows (40, 4, 2), of whole numbers so that they fit any dtype."""
    rng = np.random.default_rng(0)
    X = rng.integers(0, 5, size=(N_SAMPLES, SEQ_LENGTH, N_FEATURES)).astype(dtype)
    shape = (N_SAMPLES,) if n_outputs is None else (N_SAMPLES, n_outputs)
    return X, rng.normal(size=shape)


def make_series_windows():
    """Windows of one series, the first four of them incomplete: a strided view."""
    series = np.random.default_rng(0).normal(size=(N_SAMPLES, N_FEATURES))
    windows = WindowTransformer(seq_length=SEQ_LENGTH).fit_transform(series)
    return windows, series[:, 0]


@pytest.fixture(scope="module")
def fitted():
    return make_regressor().fit(*make_series_windows())


@pytest.mark.parametrize(
    "dtype",
    ["float16", "float32", ">f8", "longdouble", "int8", "uint8", "int32", ">i4", "int64"],
)
def test_dtypes_hold_the_same_numbers(dtype):
    X, y = make_data()
    expected = make_regressor().fit(X, y).predict(X)
    X = X.astype(dtype)
    predictions = make_regressor().fit(X, y.astype(np.float64)).predict(X)
    assert predictions.dtype == np.float64
    np.testing.assert_array_equal(predictions, expected)


def test_booleans_are_zeros_and_ones():
    X, y = make_data()
    X = X > 2
    expected = make_regressor().fit(X.astype(float), y).predict(X.astype(float))
    np.testing.assert_array_equal(make_regressor().fit(X, y).predict(X), expected)


@pytest.mark.parametrize("dtype", ["float32", "int16", "int64", "uint8"])
def test_targets_of_any_dtype(dtype):
    X, _ = make_data()
    y = np.arange(N_SAMPLES) % 7
    expected = make_regressor().fit(X, y.astype(float)).predict(X)
    predictions = make_regressor().fit(X, y.astype(dtype)).predict(X)
    assert predictions.dtype == np.float64
    np.testing.assert_array_equal(predictions, expected)


def as_reversed_view(X):
    return np.ascontiguousarray(X[::-1])[::-1]


def as_every_other_row(X):
    return np.repeat(X, 2, axis=0)[::2]


def as_unaligned(X):
    record = np.zeros(X.size, dtype=[("pad", "u1"), ("x", X.dtype)])
    record["x"] = X.ravel()
    return record["x"].reshape(X.shape)


@pytest.mark.parametrize(
    "container",
    [
        np.asfortranarray,
        as_reversed_view,
        as_every_other_row,
        as_unaligned,
        np.ndarray.tolist,
        list,
        tuple,
        _NotAnArray,
        lambda X: X.astype(object),
    ],
    ids=[
        "Fortran order",
        "negative strides",
        "every other row",
        "unaligned",
        "nested lists",
        "list of arrays",
        "tuple of arrays",
        "only __array__",
        "numbers as objects",
    ],
)
def test_containers_and_layouts_hold_the_same_numbers(container):
    X, y = make_data()
    expected = make_regressor().fit(X, y).predict(X)
    predictions = make_regressor().fit(container(X), y).predict(container(X))
    np.testing.assert_array_equal(predictions, expected)


@pytest.mark.parametrize("kind", ["list", "series", "dataframe", "memmap"])
def test_containers_of_targets(kind, tmp_path):
    X, y = make_data()
    expected = make_regressor().fit(X, y).predict(X)
    if kind == "memmap":
        np.save(tmp_path / "y.npy", y)
        y = np.load(tmp_path / "y.npy", mmap_mode="r")
    elif kind == "dataframe":
        y, expected = pd.DataFrame({"target": y}), expected[:, np.newaxis]
    else:
        y = _convert_container(y, kind)
    np.testing.assert_array_equal(make_regressor().fit(X, y).predict(X), expected)


def test_read_only_memmap(tmp_path):
    X, y = make_data()
    expected = make_regressor().fit(X, y).predict(X)
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    np.testing.assert_array_equal(make_regressor().fit(mapped, y).predict(mapped), expected)


@pytest.mark.parametrize("make", [make_data, make_series_windows])
def test_input_is_never_written_to(make):
    X, y = make()
    X, y = X.copy(), y.copy()
    X_before, y_before = X.copy(), y.copy()
    make_regressor().fit(X, y).predict(X)
    np.testing.assert_array_equal(X, X_before)
    np.testing.assert_array_equal(y, y_before)


def test_fitted_regressor_keeps_no_view_of_its_input():
    X, y = make_data()
    regressor = make_regressor().fit(X, y)
    expected = regressor.predict(X)
    X_before = X.copy()
    X[:], y[:] = 1e9, 1e9
    np.testing.assert_array_equal(regressor.predict(X_before), expected)


def test_predictions_belong_to_the_caller(fitted):
    X, _ = make_series_windows()
    first = fitted.predict(X)
    expected = first.copy()
    first[:] = 0
    np.testing.assert_array_equal(fitted.predict(X), expected)


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_pickle_predicts_the_same(fitted, protocol):
    X, _ = make_series_windows()
    loaded = pickle.loads(pickle.dumps(fitted, protocol=protocol))
    np.testing.assert_array_equal(loaded.predict(X), fitted.predict(X))


def test_deepcopy_predicts_the_same_and_is_apart(fitted):
    X, y = make_series_windows()
    expected = fitted.predict(X)
    copied = copy.deepcopy(fitted)
    np.testing.assert_array_equal(copied.predict(X), expected)
    copied.fit(X, 10 * y)
    np.testing.assert_array_equal(fitted.predict(X), expected)


def test_refit_is_idempotent():
    X, y = make_series_windows()
    regressor = make_regressor().fit(X, y)
    expected = regressor.predict(X)
    np.testing.assert_array_equal(regressor.fit(X, y).predict(X), expected)


def test_fit_forgets_an_earlier_fit():
    # Fitted on a named table, then on windows of other lengths, features and outputs.
    table = pd.DataFrame(np.random.default_rng(0).normal(size=(20, 3)), columns=list("abc"))
    X, y = make_data(n_outputs=2)
    regressor = make_regressor().fit(table, table["a"])
    np.testing.assert_array_equal(regressor.feature_names_in_, ["a", "b", "c"])
    regressor.fit(X, y)
    assert not hasattr(regressor, "feature_names_in_")
    assert regressor.n_features_in_ == N_FEATURES
    assert regressor.n_outputs_ == 2
    expected = make_regressor().fit(X, y).predict(X)
    np.testing.assert_array_equal(regressor.predict(X), expected)


def test_fit_returns_self_and_predict_leaves_no_trace():
    X, y = make_series_windows()
    regressor = make_regressor()
    assert regressor.fit(X, y) is regressor
    predictions = regressor.predict(X)
    before, history = copy.deepcopy(vars(regressor)), regressor.history_
    values = dict(vars(regressor))
    regressor.predict(X[5:])
    regressor.score(X, y)
    assert vars(regressor).keys() == before.keys()
    assert all(vars(regressor)[name] is value for name, value in values.items())
    assert regressor.history_ == history
    np.testing.assert_array_equal(regressor.predict(X), predictions)


def test_fit_changes_no_parameter():
    random_state = np.random.RandomState(0)
    regressor = make_regressor(random_state=random_state, units=np.int64(3))
    before = regressor.get_params()
    regressor.fit(*make_data())
    after = regressor.get_params()
    assert all(after[name] is before[name] for name in before)


def test_fit_sets_only_attributes_that_end_or_begin_with_an_underscore():
    regressor = make_regressor()
    parameters = set(vars(regressor))
    regressor.fit(*make_data())
    added = set(vars(regressor)) - parameters
    assert all(name.endswith("_") or name.startswith("_") for name in added)


@settings(deadline=None, max_examples=30)
@given(order=st.permutations(range(N_SAMPLES)), n_rows=st.integers(1, N_SAMPLES))
def test_prediction_of_a_row_does_not_depend_on_the_others(fitted, order, n_rows):
    X, _ = make_series_windows()
    rows = np.array(order[:n_rows])
    np.testing.assert_array_equal(fitted.predict(X[rows]), fitted.predict(X)[rows])


def test_prediction_of_a_row_is_the_same_among_many(fitted):
    X, _ = make_series_windows()
    many = np.concatenate([X] * 10)  # 400 rows, more than are predicted together
    np.testing.assert_array_equal(fitted.predict(many), np.tile(fitted.predict(X), 10))


def test_order_of_rows_decides_only_the_batches():
    # With one batch of all rows, the order of the rows is but the order of a sum.
    X, y = make_data()
    order = np.random.default_rng(1).permutation(N_SAMPLES)
    params = {"batch_size": N_SAMPLES, "epochs": 5}
    regressor = make_regressor(**params).fit(X, y)
    permuted = make_regressor(**params).fit(X[order], y[order])
    np.testing.assert_allclose(permuted.predict(X), regressor.predict(X), atol=1e-4)


@pytest.mark.parametrize("n_outputs", [None, 1, 3])
@pytest.mark.parametrize("n_rows", [1, 2, N_SAMPLES])
def test_predictions_have_the_shape_of_the_targets(n_outputs, n_rows):
    X, y = make_data(n_outputs=n_outputs)
    predictions = make_regressor().fit(X, y).predict(X[:n_rows])
    assert predictions.shape == y[:n_rows].shape
    assert np.isfinite(predictions).all()


def test_one_column_of_targets_is_the_same_as_a_flat_one():
    # A (B, 1) output against a (B,) target would broadcast to (B, B) in silence.
    X, y = make_data()
    flat = make_regressor().fit(X, y).predict(X)
    column = make_regressor().fit(X, y[:, np.newaxis]).predict(X)
    np.testing.assert_array_equal(column[:, 0], flat)


def test_univariate_windows_are_the_same_as_a_table():
    X, y = make_data()
    X = X[:, :, :1]
    regressor = make_regressor().fit(X, y)
    table = make_regressor().fit(X[:, :, 0], y)
    np.testing.assert_array_equal(table.predict(X[:, :, 0]), regressor.predict(X))
    assert regressor.n_features_in_ == 1
    assert table.n_features_in_ == SEQ_LENGTH


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 4, 2), (5, 1, 2), (5, 4, 1)])
def test_smallest_shapes(shape):
    X = np.random.default_rng(0).normal(size=shape)
    predictions = make_regressor().fit(X, np.arange(len(X))).predict(X)
    assert predictions.shape == (len(X),)
    assert np.isfinite(predictions).all()


def test_fitted_attributes():
    X, y = make_data(n_outputs=3)
    regressor = make_regressor(epochs=4).fit(X, y)
    assert regressor.n_features_in_ == N_FEATURES
    assert regressor.n_outputs_ == 3
    assert regressor.n_iter_ == len(regressor.history_) == 4
    assert isinstance(regressor.n_iter_, int)


@pytest.mark.parametrize("method", ["predict", "score"])
def test_not_fitted(method):
    X, y = make_data()
    args = (X, y) if method == "score" else (X,)
    with pytest.raises(NotFittedError, match="LSTMRegressor instance is not fitted yet"):
        getattr(make_regressor(), method)(*args)


def test_clone_is_not_fitted(fitted):
    with pytest.raises(NotFittedError):
        clone(fitted).predict(make_series_windows()[0])


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (
            np.zeros((2, 4, 3)),
            "X has 3 features, but LSTMRegressor is expecting 2 features",
        ),
        (
            np.zeros((2, 4, 1)),
            "X has 1 features, but LSTMRegressor is expecting 2 features",
        ),
        (np.zeros((2, 5, 2)), "windows of 5 steps, but .* expecting windows of 4 steps"),
        (np.zeros((2, 3, 2)), "windows of 3 steps, but .* expecting windows of 4 steps"),
        # A table holds univariate windows.
        (np.zeros((2, 4)), "X has 1 features, but LSTMRegressor is expecting 2 features"),
    ],
)
def test_windows_of_another_shape_than_in_fit(fitted, X, message):
    with pytest.raises(ValueError, match=message):
        fitted.predict(X)


STRINGS = np.full((N_SAMPLES, SEQ_LENGTH, N_FEATURES), "a")
DATES = np.full(STRINGS.shape, "2020-01-01", dtype="datetime64[D]")
SPARSE = "Sparse data was passed for X, but dense data is required"
SHAPES = r"expects X of shape \(n_samples, seq_length, n_features\) .* got "
MALFORMED = {
    "strings": (STRINGS, "not compatible with arrays of bytes/strings"),
    "objects": (STRINGS.astype(object), "could not convert string to float: 'a'"),
    "dicts": (np.full(STRINGS.shape, {}), "must be a string or a real number"),
    "dates": (DATES, "X holds times"),
    "complex": (np.ones(STRINGS.shape, complex), "Complex data not supported"),
    "sparse array": (sparse.csr_array(np.eye(N_SAMPLES)), SPARSE),
    "sparse matrix": (sparse.csr_matrix(np.eye(N_SAMPLES)), SPARSE),
    "sparse windows": (sparse.coo_array(np.ones(STRINGS.shape)), SPARSE),
    "None": (None, "got scalar array"),
    "a number": (1.0, "got scalar array"),
    "a string": ("windows", "got scalar array"),
    "one axis": (np.zeros(N_SAMPLES), "got 1D array"),
    "four axes": (np.zeros((N_SAMPLES, 4, 2, 1)), SHAPES + r"\(40, 4, 2, 1\)"),
    "no samples": (np.zeros((0, 4, 2)), r"0 sample\(s\) \(shape=\(0, 4, 2\)\)"),
    "no steps": (np.zeros((N_SAMPLES, 0, 2)), SHAPES + r"\(40, 0, 2\)"),
    "no features": (np.zeros((N_SAMPLES, 4, 0)), SHAPES + r"\(40, 4, 0\)"),
    "ragged": ([[[1.0, 2.0]], [[1.0]]] * 20, "inhomogeneous shape"),
}


@pytest.mark.parametrize(("X", "message"), MALFORMED.values(), ids=MALFORMED)
def test_malformed_windows_are_rejected_by_fit(X, message):
    with pytest.raises((ValueError, TypeError), match=message):
        make_regressor().fit(X, np.zeros(N_SAMPLES))


@pytest.mark.parametrize(("X", "message"), MALFORMED.values(), ids=MALFORMED)
def test_malformed_windows_are_rejected_by_predict(fitted, X, message):
    with pytest.raises((ValueError, TypeError), match=message):
        fitted.predict(X)


def windows_with(value, where):
    X, _ = make_data()
    X[where] = value
    return X


BAD_VALUES = [
    (windows_with(np.nan, np.s_[3, 2, :]), "NaN inside the window of row 3"),
    (windows_with(np.nan, np.s_[3, -1, :]), "NaN inside the window of row 3"),
    (windows_with(np.nan, np.s_[3, 0, 1]), "NaN inside the window of row 3"),
    (windows_with(np.inf, np.s_[3, 2, 0]), "inf"),
    (windows_with(-np.inf, np.s_[3, 2, 0]), "inf"),
    (windows_with(1e39, np.s_[3, 2, 0]), "beyond the range of float32"),
    (windows_with(-1e39, np.s_[3, 2, 0]), "beyond the range of float32"),
]


@pytest.mark.parametrize(("X", "message"), BAD_VALUES)
def test_values_that_can_not_be_read_are_rejected(fitted, X, message):
    with pytest.raises(ValueError, match=message):
        make_regressor().fit(X, np.zeros(N_SAMPLES))
    with pytest.raises(ValueError, match=message):
        fitted.predict(X)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (None, "requires y to be passed, but the target y is None"),
        (np.zeros(N_SAMPLES - 1), "X has 40 rows, but y has 39"),
        (np.zeros(N_SAMPLES + 1), "X has 40 rows, but y has 41"),
        (np.zeros((N_SAMPLES, 2, 1)), "dim 3"),
        (np.zeros((N_SAMPLES, 0)), r"0 feature\(s\) \(shape=\(40, 0\)\)"),
        (np.array(0.0), "got scalar"),
        (np.full(N_SAMPLES, np.nan), "y holds NaN in row 0"),
        (np.r_[np.zeros(N_SAMPLES - 1), np.inf], "y holds inf in row 39"),
        (np.full(N_SAMPLES, "a"), "not compatible with arrays of bytes/strings"),
        (np.ones(N_SAMPLES, complex), "Complex data not supported"),
        (sparse.csr_array(np.ones((N_SAMPLES, 1))), "[Ss]parse"),
    ],
)
def test_malformed_targets_are_rejected(y, message):
    X, _ = make_data()
    with pytest.raises((ValueError, TypeError), match=message):
        make_regressor().fit(X, y)


def fit_that_fails_on_targets(regressor):
    with pytest.raises(ValueError, match="y holds NaN"):
        regressor.fit(np.ones((10, 7, 5)), np.full(10, np.nan))


def fit_that_fails_in_training(regressor):
    X, y = make_data()
    learning_rate = regressor.learning_rate
    regressor.set_params(learning_rate=1e30)
    with pytest.raises(ValueError, match="training loss became"):
        regressor.fit(X, 1e6 * y)
    regressor.set_params(learning_rate=learning_rate)


FAILING_FITS = [fit_that_fails_on_targets, fit_that_fails_in_training]


@pytest.mark.parametrize("failing_fit", FAILING_FITS)
def test_a_failed_fit_does_not_pass_for_a_fit(failing_fit):
    # It did: predict raised AttributeError, or gave NaN from the weights that blew up.
    regressor = make_regressor()
    failing_fit(regressor)
    with pytest.raises(NotFittedError):
        regressor.predict(make_data()[0])


@pytest.mark.parametrize("failing_fit", FAILING_FITS)
def test_a_failed_refit_does_not_change_what_is_predicted(failing_fit):
    X, y = make_data()
    regressor = make_regressor().fit(X, y)
    expected = regressor.predict(X)
    failing_fit(regressor)
    np.testing.assert_array_equal(regressor.predict(X), expected)


def test_windows_of_make_windows_are_read():
    windows, targets = make_windows(np.sin(np.arange(30.0)), seq_length=SEQ_LENGTH)
    predictions = make_regressor().fit(windows, targets).predict(windows)
    assert predictions.shape == targets.shape


@needs_array_api
@pytest.mark.parametrize("n_outputs", [None, 2])
def test_numpy_predicts_the_same_under_array_api_dispatch(n_outputs):
    X, y = make_data(n_outputs=n_outputs)
    expected = make_regressor().fit(X, y)
    with config_context(array_api_dispatch=True):
        regressor = make_regressor().fit(X, y)
        np.testing.assert_array_equal(regressor.predict(X), expected.predict(X))
        assert regressor.score(X, y) == expected.score(X, y)
