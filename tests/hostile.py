"""Input that nobody should pass, drawn by hypothesis, and what may come of it.

`python -m tests.hostile` draws all that CONTRIBUTING promises and prints the counts;
test_hostile.py draws a part. A call either returns finite numbers of the right shape or
raises ValueError or TypeError from a line of this package or of scikit-learn, and warns
of nothing but what scikit-learn tells everyone, and of values that float32 or an LSTM
cannot tell apart.
"""

import argparse
import contextlib
import copy
import io
import tempfile
import traceback
import warnings
from collections import Counter
from decimal import Decimal
from fractions import Fraction
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.base import clone

import sklstm
from sklstm import LSTMRegressor, WindowTransformer, make_windows
from tests import naive

# Of every case that comes up, on any thread: what happened how often.
COUNTS: Counter[str] = Counter()

SEQ_LENGTH = 3

# What scikit-learn says to users of every regressor.
TOLD_BY_SCIKIT_LEARN = (
    "X has feature names, but",
    "X does not have valid feature names",
    "pandas.DataFrame with sparse columns found",
    "R^2 score is not well-defined with less than two samples.",
)
# What this package says of values that a network can read but hardly learn from.
TOLD_OF_INPUTS = (
    "Features? .* of X: values of up to .* float32",
    "y holds values of up to .* float32",
    "After training, .* different windows get",
)


# What is passed as an array


def ordinary(rng, shape):
    return rng.normal(size=shape)


FILLINGS = {
    "ordinary": ordinary,
    "whole": lambda rng, shape: rng.integers(-3, 4, shape).astype(float),
    "zeros": lambda rng, shape: np.zeros(shape),
    "constant": lambda rng, shape: np.full(shape, 7.7),
    "far level": lambda rng, shape: 1e9 + rng.normal(size=shape),
    "large": lambda rng, shape: 1e30 * rng.normal(size=shape),
    "float32's largest": lambda rng, shape: 3.4e38 * rng.choice([-1.0, 1.0], shape),
    "beyond float32": lambda rng, shape: 1e39 * rng.normal(size=shape),
    "float64's largest": lambda rng, shape: 1.7e308 * rng.choice([-1.0, 1.0], shape),
    "small": lambda rng, shape: 1e-30 * rng.normal(size=shape),
    "subnormal of float32": lambda rng, shape: 1e-42 * rng.normal(size=shape),
    "subnormal": lambda rng, shape: 5e-324 * rng.integers(-3, 4, shape),
    "of all sizes": lambda rng, shape: (
        rng.choice([-1.0, 1.0], shape) * 10.0 ** rng.uniform(-320, 308, shape)
    ),
    "one outlier": lambda rng, shape: np.where(
        np.arange(np.prod(shape, dtype=int)).reshape(shape) == 1, 1e300, 1.0
    ),
}


def set_leading(values, rng):
    """The first steps of each row unknown, more and more, as at a series' start."""
    for row in range(len(values)):
        values[row, : max(0, values.shape[1] - row)] = np.nan


def set_leading_at_random(values, rng):
    for row in range(len(values)):
        values[row, : rng.integers(0, values.shape[1] + 1)] = np.nan


def set_one(value):
    def set_it(values, rng):
        if values.size:
            values.flat[rng.integers(values.size)] = value

    return set_it


def set_all(value):
    def set_it(values, rng):
        values[...] = value

    return set_it


def set_last(values, rng):
    values[..., -1:] = np.nan


SPOILINGS = {
    "leading": set_leading,
    "leading at random": set_leading_at_random,
    "one NaN": set_one(np.nan),
    "one inf": set_one(np.inf),
    "one -inf": set_one(-np.inf),
    "all NaN": set_all(np.nan),
    "all inf": set_all(np.inf),
    "last NaN": set_last,
}

RECORD = np.dtype([("a", float), ("b", "i4")])
DTYPES = [
    *("float32", "float16", "longdouble", ">f8", "int8", "int64", "uint64", "bool"),
    *("object", "complex64", "complex128", "U5", "S3", "M8[ns]", "M8[D]", "m8[s]"),
    RECORD,
]


def with_holes(values, hole):
    holed = values.astype(object)
    if holed.size:
        holed.flat[0] = hole
    return holed


def masked(values, mask):
    return np.ma.masked_array(values, mask=np.full(values.shape, mask))


def masked_first(values):
    mask = np.zeros(values.shape, bool)
    mask[:1] = True
    return np.ma.masked_array(values, mask=mask)


def read_only(values):
    values = values.copy()
    values.flags.writeable = False
    return values


class Subclass(np.ndarray):
    """An array that is not quite one."""


def frame(values, **kwargs):
    pandas = pd.DataFrame if values.ndim == 2 else pd.Series
    return pandas(values, **kwargs)


def frame_of(dtype):
    return lambda values: frame(values).astype(dtype)


def frame_with_missing(dtype):
    def made(values):
        made = frame(np.round(values)).astype(dtype)
        made.iloc[-1:] = pd.NA
        return made

    return made


CONTAINERS = {
    "list": lambda values: values.tolist(),
    "tuple": tuple,
    "generator": lambda values: (row for row in values),
    "ragged": lambda values: [*values.tolist(), [1.0]],
    "Fortran": np.asfortranarray,
    "strided": lambda values: np.repeat(values, 2, axis=0)[::2],
    "backwards": lambda values: values[::-1],
    "last axis backwards": lambda values: values[..., ::-1],
    "read-only": read_only,
    "broadcast": lambda values: np.broadcast_to(values[:1], values.shape),
    "subclass": lambda values: values.view(Subclass),
    "matrix": np.asmatrix,
    "masked nowhere": lambda values: masked(values, False),
    "masked": lambda values: masked(values, True),
    "masked first": masked_first,
    "with None": lambda values: with_holes(values, None),
    "with NA": lambda values: with_holes(values, pd.NA),
    "with text": lambda values: with_holes(values, "a"),
    "with a number as text": lambda values: with_holes(values, "1.5"),
    "with a list": lambda values: with_holes(values, [1, 2]),
    "with 10**400": lambda values: with_holes(values, 10**400),
    "with a decimal": lambda values: with_holes(values, Decimal("0.1")),
    "with a date": lambda values: with_holes(values, pd.Timestamp(0)),
    "frame": frame,
    "frame by day": lambda values: frame(
        values, index=pd.date_range("2020", periods=len(values))
    ),
    "frame upside down": lambda values: frame(values, index=range(len(values), 0, -1)),
    "frame of names": lambda values: pd.DataFrame(values).rename(columns=str),
    "frame of mixed names": lambda values: pd.DataFrame(values).rename(columns={0: "a"}),
    "frame of equal names": lambda values: pd.DataFrame(values).rename(columns=lambda _: 0),
    "Float64": frame_of("Float64"),
    "Float64 with NA": frame_with_missing("Float64"),
    "Int64 with NA": frame_with_missing("Int64"),
    "boolean with NA": lambda values: frame_with_missing("boolean")(values > 0),
    "string": frame_of("string"),
    "category": frame_of("category"),
    "sparse frame": frame_of(pd.SparseDtype(float)),
    "csr": sparse.csr_array,
    "coo matrix": sparse.coo_matrix,
    "tensor": torch.as_tensor,
    "tensor with a gradient": lambda values: torch.tensor(values, requires_grad=True),
    "tensor without values": lambda values: torch.tensor(values, device="meta"),
    "sparse tensor": lambda values: torch.tensor(values).to_sparse(),
    "memory": memoryview,
    "set": lambda values: set(values.ravel().tolist()),
    "dict": lambda values: dict(enumerate(values)),
}

ITSELF: list = []
ITSELF.append(ITSELF)
NO_ARRAYS = [
    *(None, 3, -1.5, np.nan, True, 10**400, 1j, "text", "", b"bytes", Ellipsis),
    *([], [[]], [[[]]], {}, (), set(), object(), len, LSTMRegressor, NotImplemented),
    *([None], [[None]], [["a"]], [[10**400]], [[1], [1, 2]], [[[1]], [[1, 2]]], ITSELF),
    *(np.array(1.0), np.float64(1), np.array("a"), pd.NA, pd.NaT, pd.Timestamp(0)),
    *(pd.DataFrame(), pd.Series(dtype=float), pd.Index([1, 2]), np.empty((2, 3, 0))),
]


@st.composite
def array_likes(draw, shape, *, spoilings=tuple(SPOILINGS)):
    """What looks more or less like an array of this shape."""
    if draw(chances(20)):
        return draw(st.sampled_from(NO_ARRAYS))
    if draw(chances(8)):
        changed = [
            (*shape[:-1], shape[-1] + 1),
            (shape[0] + 1, *shape[1:]),
            (*shape, 1),
            (*shape, 2),
            shape[1:],
            (0, *shape[1:]),
            (*shape[:-1], 0),
            (1,) * len(shape),
            (),
        ]
        shape = draw(st.sampled_from(changed))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    filling = "ordinary" if draw(chances(2)) else draw(st.sampled_from(list(FILLINGS)))
    values = np.asarray(FILLINGS[filling](rng, shape), dtype=float)
    if values.ndim > 1 and draw(chances(4)):
        SPOILINGS[draw(st.sampled_from(spoilings))](values, rng)
    if draw(chances(5)):
        values = draw_cast(draw, values)
    if draw(chances(3)):
        container = draw(st.sampled_from(list(CONTAINERS)))
        with contextlib.suppress(Exception), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return CONTAINERS[container](values)
    return values


def chances(n):
    """One chance in n."""
    return st.integers(1, n).map(lambda drawn: drawn == n)


def draw_cast(draw, values):
    dtype = draw(st.sampled_from(DTYPES))
    if dtype is RECORD:
        return np.zeros(values.shape, RECORD)
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        kind = np.dtype(dtype).kind
        source = np.nan_to_num(values) if kind in "mMiu" else values
        return source.astype("i8").astype(dtype) if kind in "mM" else source.astype(dtype)


# What is passed as a parameter

ODD = [
    *(None, True, False, 0, 1, 2, -1, 0.0, 0.5, -0.5, 1.0, 1.5, np.nan, np.inf, -np.inf),
    *(2**31, 2**63, 10**5, 10**9, 10**30, -(10**30), 10**400, 1e-320, 1e300, 1e38, 1j),
    *("a", "", "1", "cpu", "auto", "squared_error", b"cpu", [], [1], {}, (), (1,), {1: 2}),
    *(object(), len, int, np.int64(2), np.int8(1), np.uint64(2), np.float32(0.5)),
    *(np.float64("nan"), np.bool_(True), np.array(1), np.array([1, 2]), np.str_("huber")),
    *(Fraction(1, 2), Decimal("0.5"), np.datetime64("2020"), pd.NA, Ellipsis),
    *(np.random.RandomState(0), np.random.default_rng(0), torch.Generator()),
]
DEVICES = [
    *("cpu", "cpu:0", "cpu:5", "cuda", "cuda:99", "mps", "meta", "xla", "hpu", "xpu"),
    *("privateuseone", "cpu:-1", "CPU", " cpu", "cpu ", "cpu\0", "🦙", "mkldnn", "ve"),
    *("fpga", "maia", "mtia", "vulkan", "lazy", "ipu", "opengl", "ideep", "opencl"),
]
SKORCH_PARAMS = [
    *({"nonsense": 1}, {"lr": 1}, {"module__units": 3}, {"optimizer": None}, {1: 2}),
    *({"optimizer": "Adam"}, {"optimizer__nonsense": 1}, {"optimizer": torch.optim.SGD}),
    *({"callbacks": 3}, {"callbacks": [3]}, {"callbacks": [None]}, {"callbacks": None}),
    *({"callbacks": ["a"]}, {"callbacks": [("a", 1)]}, {"callbacks__a": 1}, {"": 1}),
    *({"optimizer__weight_decay": -1}, {"optimizer__betas": 3}, {"compile": "yes"}),
    *({"predict_nonlinearity": 3}, {"classes": [1]}, {"X": 1}, {"optimizer": int}),
    *({"optimizer__weight_decay": np.nan}, {"optimizer__eps": 0.0}, {None: None}),
]
OWN = {
    "device": DEVICES,
    "skorch_params": SKORCH_PARAMS,
    "loss": ["absolute_error", "huber", "Huber"],
    "checkpoint": ["\0", Path("a"), Path("b\0"), b"a", "\ud800", "🦙"],
}


def is_long(name, value):
    """Whether the value is a valid one that asks for a day's work."""
    is_whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    return name == "epochs" and is_whole and value > 3


@st.composite
def parameters(draw):
    """Of a small network, and up to two that are anything."""
    drawn = {
        "units": draw(st.integers(1, 3)),
        "epochs": 1,
        "batch_size": draw(st.sampled_from([2, 100])),
        "residual": draw(st.booleans()),
        "bidirectional": draw(st.booleans()),
        "normalize_y": draw(st.booleans()),
        "loss": draw(st.sampled_from(["squared_error", "absolute_error", "huber"])),
        "early_stopping": draw(chances(5)),
        "device": "cpu",
        "random_state": 0,
    }
    for _ in range(draw(st.sampled_from([0, 0, 0, 0, 1, 1, 2]))):
        name = draw(st.sampled_from(sorted(LSTMRegressor._parameter_constraints)))
        values = [value for value in ODD + OWN.get(name, []) if not is_long(name, value)]
        drawn[name] = draw(st.sampled_from(values))
    return drawn


# What may come of it


@contextlib.contextmanager
def only_plain_errors(call):
    """Let the errors pass that a user can read, and no warnings but scikit-learn's."""
    COUNTS["calls"] += 1
    COUNTS[call] += 1
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("error")
        for message in TOLD_BY_SCIKIT_LEARN:
            warnings.filterwarnings("ignore", message=message.replace("^", r"\^"))
        for message in TOLD_OF_INPUTS:
            warnings.filterwarnings("ignore", message=message)
        try:
            yield
        except (ValueError, TypeError) as error:
            COUNTS[type(error).__name__] += 1
            assert_tells_something(error)
        else:
            COUNTS["returned"] += 1


OURS = str(Path(sklstm.__file__).parent)
CHECKS = ["_arrays", "windows/_checks", "_training/_checks"]


def assert_tells_something(error):
    """That the message is one, and of a line that checks or converts what was passed."""
    assert len(str(error)) > 10, repr(error)
    sources = [frame.filename for frame in traceback.extract_tb(error.__traceback__)]
    converts = any(f"{OURS}/{name}.py" in sources for name in CHECKS)
    checks = any(OURS in source or "/sklearn/" in source for source in sources[-2:])
    if not (converts or checks):
        raise AssertionError(f"{sources[-1]} raised {error!r}") from error


def assert_finite(values, shape):
    assert isinstance(values, np.ndarray)
    assert values.dtype == np.float64
    assert values.shape == shape
    assert np.isfinite(values).all()


def n_rows(X):
    return X.shape[0] if hasattr(X, "shape") else len(X)


@cache
def fitted(target_shape, residual, table):
    """A regressor to predict with and to go on from."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(9, SEQ_LENGTH) if table else (9, SEQ_LENGTH, 2))
    y = rng.normal(size=(9, *target_shape))
    regressor = LSTMRegressor(
        units=2, epochs=1, residual=residual, random_state=0, device="cpu"
    )
    return regressor.fit(X, y)


def window_shapes(table):
    rest = (SEQ_LENGTH,) if table else (SEQ_LENGTH, 2)
    return st.integers(1, 9).map(lambda n: (n, *rest))


target_shapes = st.sampled_from([(), (), (1,), (2,)])


@st.composite
def weights(draw, n):
    return draw(array_likes((n,))) if draw(chances(4)) else None


@st.composite
def regressor_cases(draw):
    """A method of the regressor and its arguments."""
    table = draw(st.booleans())
    shape, target = draw(window_shapes(table)), draw(target_shapes)
    case = {
        "call": draw(st.sampled_from(["fit", "fit", "predict", "partial_fit", "score"])),
        "X": draw(array_likes(shape)),
        "y": draw(array_likes((shape[0], *target))),
        "sample_weight": draw(weights(shape[0])),
        "fitted": (target, draw(st.booleans()), table),
        "params": draw(parameters()),
    }
    if case["call"] == "fit" and draw(chances(5)):
        later = draw(window_shapes(table))
        case["X_val"] = draw(array_likes(later))
        case["y_val"] = draw(array_likes((later[0], *target)))
    return case


def check_regressor(case):
    """Make the call, and predict with what was fitted."""
    X, y, weight = case["X"], case["y"], case["sample_weight"]
    call = case["call"]
    if call == "predict":
        with only_plain_errors(call):
            predictions = fitted(*case["fitted"]).predict(X)
            assert_finite(predictions, (n_rows(X), *case["fitted"][0]))
        return
    if call == "score":
        with only_plain_errors(call):
            score = fitted(*case["fitted"]).score(X, y, weight)
            assert isinstance(score, float)
            assert np.isfinite(score) or n_rows(X) < 2
        return
    if call == "partial_fit":
        regressor = copy.deepcopy(fitted(*case["fitted"]))
        regressor.set_params(**case["params"])
    else:
        regressor = LSTMRegressor(**case["params"])
    is_fitted = False
    with only_plain_errors(call):
        if call == "partial_fit":
            assert regressor.partial_fit(X, y, weight) is regressor
        else:
            validation = {name: case[name] for name in ("X_val", "y_val") if name in case}
            assert regressor.fit(X, y, weight, **validation) is regressor
        is_fitted = True
    if is_fitted:
        losses = [epoch["train_loss"] for epoch in regressor.history_]
        assert np.isfinite(losses).all()
        windows = np.zeros((4, *regressor.window_shape_))
        windows[:2, :1] = np.nan
        with only_plain_errors("predict"):
            predictions = regressor.predict(windows)
            assert_finite(predictions, (4, *regressor._fitted().shape.target))


@st.composite
def parameter_cases(draw):
    """Parameters, also of set_params and summary."""
    odd = st.sampled_from(ODD)
    return {
        "call": draw(st.sampled_from(["set_params", "summary", "get_params"])),
        "params": draw(parameters()),
        "name": draw(st.sampled_from(["units", "nonsense", "", "net_", "X"])),
        "value": draw(odd),
        "input_shape": draw(st.sampled_from([(3, 2), (1, 1)]) | odd | st.tuples(odd, odd)),
        "n_outputs": draw(st.sampled_from([1, 3]) | odd),
    }


def check_parameters(case):
    """Set, read and sum up parameters."""
    with only_plain_errors(case["call"]):
        regressor = LSTMRegressor(**case["params"])
        if case["call"] == "set_params":
            changed = regressor.set_params(**{case["name"]: case["value"]})
            assert changed.get_params()[case["name"]] is case["value"]
        elif case["call"] == "get_params":
            repr(regressor)
            assert clone(regressor).get_params().keys() == regressor.get_params().keys()
        else:
            regressor.summary(case["input_shape"], n_outputs=case["n_outputs"])


@st.composite
def transformer_cases(draw):
    """A transformer or make_windows, with anything as series and lengths."""
    shape = (draw(st.integers(1, 9)), draw(st.integers(1, 2)))
    lengths = st.sampled_from(ODD) if draw(chances(4)) else st.integers(1, 4)
    return {
        "X": draw(array_likes(shape)),
        "y": draw(array_likes(shape[:1])) if draw(st.booleans()) else None,
        "later": draw(array_likes(shape)),
        "seq_length": draw(lengths),
        "horizon": draw(lengths),
        "context": draw(st.sampled_from([*3 * ["auto", "always", "never"], None, 1])),
        "flatten": draw(st.sampled_from([*5 * [True, False], "yes", None])),
        "call": draw(st.sampled_from(["fit_transform", "make_windows"])),
    }


def check_transformer(case):
    """Windows of whatever came."""
    lengths = {name: case[name] for name in ("seq_length", "horizon")}
    if case["call"] == "make_windows":
        with only_plain_errors("make_windows"):
            windows, targets = make_windows(case["X"], case["y"], **lengths)
            assert len(windows) == len(targets)
            assert np.isfinite(windows).all()
            assert np.isfinite(targets).all()
        return
    transformer = WindowTransformer(
        **lengths, context=case["context"], flatten=case["flatten"]
    )
    with only_plain_errors("fit_transform"):
        windows = transformer.fit_transform(case["X"], case["y"])
        assert len(windows) == n_rows(case["X"])
        assert not np.isinf(windows).any()
        with only_plain_errors("transform"):
            later = transformer.transform(case["later"])
            assert len(later) == n_rows(case["later"])
            assert not np.isinf(later).any()


# Windows against the loops


@st.composite
def window_cases(draw):
    """A series cut in two, and how its windows are made."""
    seed = draw(st.integers(0, 2**32))
    n_steps, n_features = draw(st.integers(2, 40)), draw(st.integers(1, 3))
    series = np.random.default_rng(seed).normal(size=(n_steps, n_features))
    if draw(chances(5)):
        series = np.round(series)  # values that come again
    return {
        "series": series.astype(draw(st.sampled_from(["f8", "f8", "f4", "f2", ">f8"]))),
        "container": draw(st.sampled_from(["array", "list", "frame", "Fortran", "days"])),
        "split": draw(st.integers(1, n_steps - 1)),
        "seq_length": draw(st.integers(1, 12)),
        "horizon": draw(st.integers(0, 6)),
        "context": draw(st.sampled_from(["always", "never"])),
        "flatten": draw(st.booleans()),
    }


def check_windows(case):
    """WindowTransformer and make_windows, window by window."""
    series, split = case["series"], case["split"]
    lengths = case["seq_length"], case["horizon"]
    contain = {
        "list": np.ndarray.tolist,
        "frame": pd.DataFrame,
        "days": lambda values: pd.DataFrame(
            values, index=pd.date_range("2020", periods=len(values))
        ),
        "Fortran": np.asfortranarray,
    }.get(case["container"], np.asarray)
    transformer = WindowTransformer(
        lengths[0], horizon=lengths[1], context=case["context"], flatten=case["flatten"]
    )
    X = contain(series)
    first, later = (X[:split], X[split:])
    past = series[:split] if case["context"] == "always" else None
    assert_same_windows(
        transformer.fit_transform(first), naive.windows(series[:split], *lengths)
    )
    assert_same_windows(
        transformer.transform(later), naive.windows(series[split:], *lengths, past)
    )
    if len(series) < sum(lengths):
        return
    windows, targets = make_windows(X, seq_length=lengths[0], horizon=lengths[1])
    kept, kept_targets = naive.complete_windows(series, series, *lengths)
    assert_same_windows(windows, kept)
    np.testing.assert_array_equal(targets, kept_targets)


def assert_same_windows(windows, expected):
    COUNTS["windows"] += len(expected)
    np.testing.assert_array_equal(windows.reshape(expected.shape), expected)


def draw(cases, check, *, n_examples, **how):
    """Check so many cases, and shrink the first that fails.

    In a folder of their own, since some take what they draw for the path of a checkpoint.
    """

    @settings(
        max_examples=n_examples,
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
        **how,
    )
    @given(cases)
    def checked(case):
        check(case)

    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        checked()


def n_regressor_calls():
    """How many there were, without those of transformers and make_windows."""
    others = ("fit_transform", "transform", "make_windows")
    return COUNTS["calls"] - sum(COUNTS[name] for name in others)


def main():
    """Draw as many as asked, and tell how many there were."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--windows", type=int, default=100_000)
    parser.add_argument("--calls", type=int, default=50_000)
    asked = parser.parse_args()
    limit_memory()
    while COUNTS["windows"] < asked.windows:
        draw(window_cases(), check_windows, n_examples=500)
    print(f"{COUNTS['windows']} windows agree with the loops", flush=True)
    while n_regressor_calls() < asked.calls:
        draw(regressor_cases(), check_regressor, n_examples=700)
        draw(parameter_cases(), check_parameters, n_examples=100)
        draw(transformer_cases(), check_transformer, n_examples=100)
    print(f"{n_regressor_calls()} calls of the regressor and, counted by name and end:")
    for name, count in COUNTS.most_common():
        print(f"{name:<25}{count:>8}")


def limit_memory(n_bytes=16 * 2**30):
    """Let a call that takes so much more fail, instead of the machine."""
    import resource  # not on Windows

    limit = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss + n_bytes
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


if __name__ == "__main__":
    main()
