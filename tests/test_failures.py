"""What fails, fails plainly, and leaves an earlier fit whole."""

import copy
import pickle
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.exceptions import FitFailedWarning
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit
from sklearn.pipeline import make_pipeline
from skorch.callbacks import Callback, LRScheduler

from sklstm import LSTMRegressor, WindowTransformer

RNG = np.random.default_rng(0)
WINDOWS = RNG.normal(size=(24, 4, 2))
TARGETS = RNG.normal(size=24)
DIVERGING = {"learning_rate": 1e30, "batch_size": 100, "epochs": 5}


def make_regressor(**params):
    defaults = {"units": 3, "epochs": 2, "random_state": 0, "device": "cpu"}
    return LSTMRegressor(**defaults | params)


def fitted_state(regressor):
    return {name: value for name, value in vars(regressor).items() if name.endswith("_")}


@pytest.mark.parametrize("normalize_y", [False, True])
@pytest.mark.parametrize("residual", [False, True])
def test_diverging_loss_names_epoch_and_learning_rate_and_says_what_to_try(
    normalize_y, residual
):
    regressor = make_regressor(**DIVERGING, normalize_y=normalize_y, residual=residual)
    message = (
        r"training loss became (inf|nan) in epoch 2 with learning_rate=1e\+30\. Lower "
        r"learning_rate, set max_grad_norm .*, or scale X\."
    )
    with pytest.raises(ValueError, match=message):
        regressor.fit(WINDOWS, TARGETS)
    assert not hasattr(regressor, "net_")


@pytest.mark.parametrize("learning_rate", [1e38, 1e300])
def test_learning_rate_beyond_float32_is_named(learning_rate):
    # torch would say "value cannot be converted to type float without overflow".
    with pytest.raises(
        ValueError, match=f"learning_rate={learning_rate}".replace("+", ".")
    ):
        make_regressor(learning_rate=learning_rate).fit(WINDOWS, TARGETS)


def test_diverging_validation_loss_is_named():
    # A target of 1e30 is a finite float32, and its square is not.
    y_val = np.full(5, 1e30)
    with pytest.raises(ValueError, match="validation loss became inf in epoch 1"):
        make_regressor(normalize_y=False).fit(
            WINDOWS, TARGETS, X_val=WINDOWS[:5], y_val=y_val
        )


def test_rate_of_a_schedule_is_the_one_named():
    # What the regressor was given is 1e-3; what diverged is ten to the 30 of it.
    schedule = LRScheduler("LambdaLR", lr_lambda=lambda epoch: 1.0 + 1e30 * epoch)
    regressor = make_regressor(
        epochs=9, batch_size=100, skorch_params={"callbacks": [schedule]}
    )
    with pytest.raises(ValueError, match=r"learning_rate=\d(\.\d+)?e\+2\d"):
        regressor.fit(WINDOWS, TARGETS)


@pytest.mark.filterwarnings("ignore:After training, .* Lower learning_rate")
@pytest.mark.parametrize("rate", [1e-3, 1.0, 1e3, 1e6, 1e18, 1e30, 3e37])
@pytest.mark.parametrize("units", [3, 50])
@pytest.mark.parametrize("batch_size", [5, 100])
@pytest.mark.parametrize("residual", [False, True])
def test_fit_that_returns_predicts_finite_numbers(rate, units, batch_size, residual):
    # The loss is known before a step of the optimizer, so that the last one is unseen.
    regressor = make_regressor(
        units=units, learning_rate=rate, batch_size=batch_size, residual=residual, epochs=1
    )
    try:
        regressor.fit(WINDOWS, TARGETS)
    except ValueError as error:
        if "learning_rate" not in str(error):
            raise
        return
    unknown = np.full((1, 4, 2), np.nan)
    assert np.isfinite(regressor.predict(np.concatenate([WINDOWS, unknown]))).all()


def extreme_windows(value):
    X = np.full((4, 4, 2), value) * np.array([1, -1, 1, -1])[:, None, None]
    X[1:, ::2] *= -1
    X[2:, :, 1] *= -1
    return X


@pytest.mark.parametrize(
    ("value", "residual"), [(1e30, False), (1e30, True), (3e38, False)]
)
def test_windows_that_float32_can_hold_are_predicted_by_finite_numbers(value, residual):
    regressor = make_regressor(units=20, residual=residual, epochs=5, learning_rate=0.05)
    regressor.fit(WINDOWS, TARGETS)
    assert np.isfinite(regressor.predict(extreme_windows(value))).all()


def test_difference_of_steps_that_float32_can_not_hold_is_an_error():
    regressor = make_regressor(residual=True).fit(WINDOWS, TARGETS)
    with pytest.raises(ValueError, match=r"row \d is not finite: values of X, or"):
        regressor.predict(extreme_windows(3e38))


def test_prediction_beyond_float64_is_an_error():
    last_step = WINDOWS[:, -1, 0]
    regressor = make_regressor(residual=True)  # which goes on in a straight line
    regressor.fit(WINDOWS, 1e308 * (last_step / np.abs(last_step).max()))
    assert np.isfinite(regressor.predict(WINDOWS)).all()
    with pytest.raises(ValueError, match=r"is not finite: values of X, or of y in fit"):
        regressor.predict(100 * WINDOWS)


@pytest.mark.filterwarnings("ignore:One or more of the test scores are non-finite")
def test_search_scores_a_diverging_fit_as_failed():
    search = GridSearchCV(
        make_regressor(**DIVERGING),
        {"learning_rate": [1e30, 1e-3]},
        cv=TimeSeriesSplit(2),
    )
    with pytest.warns(FitFailedWarning, match="loss became"):
        search.fit(WINDOWS, TARGETS)
    assert search.best_params_ == {"learning_rate": 1e-3}


INTERRUPTED = """
    import signal
    import numpy as np
    from sklearn.model_selection import GridSearchCV
    from sklearn.pipeline import make_pipeline
    from skorch.callbacks import Callback
    from sklstm import LSTMRegressor, WindowTransformer

    class PressCtrlC(Callback):
        def on_batch_end(self, net, **kwargs):
            signal.raise_signal(signal.SIGINT)

    regressor = LSTMRegressor(
        units=2, epochs=2, skorch_params={"callbacks": [PressCtrlC()]}
    )
    pipeline = make_pipeline(WindowTransformer(3), regressor)
    search = GridSearchCV(pipeline, {"lstmregressor__units": [1, 2]}, cv=2)
    X = np.arange(20.0)[:, None]
    # In the background, programs start with it ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for model in (regressor, pipeline, search):
        try:
            model.fit(X, X[:, 0])
        except KeyboardInterrupt:
            print("interrupted", hasattr(regressor, "net_"), hasattr(model, "cv_results_"))
        else:
            print("went on")
"""


@pytest.mark.slow
def test_ctrl_c_leaves_the_fit_of_a_program():
    # skorch returns a half-trained net instead, and a search scores it and goes on.
    ended = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(INTERRUPTED)],
        cwd=Path(__file__).parents[1],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ended.stdout == 3 * "interrupted False False\n", ended.stderr


class PressCtrlC(Callback):
    """Press it at one of the moments of training, once there are enough epochs."""

    def __init__(self, moment, epoch=1):
        self.moment = moment
        self.epoch = epoch

    def _press(self, moment, net):
        if moment == self.moment and len(net.history) >= self.epoch:
            signal.raise_signal(signal.SIGINT)

    def on_train_begin(self, net, **kwargs):
        self._press("train begins", net)

    def on_epoch_begin(self, net, **kwargs):
        self._press("epoch begins", net)

    def on_batch_end(self, net, **kwargs):
        self._press("batch ends", net)

    def on_epoch_end(self, net, **kwargs):
        self._press("epoch ends", net)

    def on_train_end(self, net, **kwargs):
        self._press("train ends", net)


MOMENTS = ["epoch begins", "batch ends", "epoch ends", "train ends"]


@pytest.mark.usefixtures("ctrl_c")
@pytest.mark.parametrize("moment", ["train begins", *MOMENTS])
def test_ctrl_c_at_any_moment_leaves_fit(moment):
    epoch = 0 if moment == "train begins" else 2
    callbacks = [PressCtrlC(moment, epoch)]
    regressor = make_regressor(skorch_params={"callbacks": callbacks})
    with pytest.raises(KeyboardInterrupt):
        regressor.fit(WINDOWS, TARGETS)
    assert not hasattr(regressor, "net_")


@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_leaves_a_search():
    callbacks = [PressCtrlC("batch ends")]
    regressor = make_regressor(skorch_params={"callbacks": callbacks})
    search = GridSearchCV(regressor, {"units": [2, 3]}, cv=TimeSeriesSplit(2))
    with pytest.raises(KeyboardInterrupt):
        search.fit(WINDOWS, TARGETS)
    assert not hasattr(search, "cv_results_")


def interrupt(regressor, method):
    regressor.set_params(skorch_params={"callbacks": [PressCtrlC("batch ends")]})
    with pytest.raises(KeyboardInterrupt):
        getattr(regressor, method)(WINDOWS + 1, TARGETS + 1)


def diverge(regressor, method):
    # The second of the two batches of an epoch meets the step of the first.
    regressor.set_params(learning_rate=1e30)
    with pytest.raises(ValueError, match="loss became"):
        getattr(regressor, method)(WINDOWS + 1, TARGETS + 1)


def give_bad_targets(regressor, method):
    with pytest.raises(ValueError, match="y holds NaN"):
        getattr(regressor, method)(WINDOWS, np.full(24, np.nan))


def give_bad_windows(regressor, method):
    with pytest.raises(ValueError, match="X holds inf"):
        getattr(regressor, method)(np.full((24, 4, 2), np.inf), TARGETS)


def name_no_device(regressor, method):
    regressor.set_params(device="nowhere")
    with pytest.raises(ValueError, match="device='nowhere' cannot be used"):
        getattr(regressor, method)(WINDOWS, TARGETS)


def raise_in_a_callback(regressor, method):
    class Failing(Callback):
        def on_epoch_end(self, net, **kwargs):
            raise ZeroDivisionError

    regressor.set_params(skorch_params={"callbacks": [Failing()]})
    with pytest.raises(ZeroDivisionError):
        getattr(regressor, method)(WINDOWS, TARGETS)


FAILURES = [
    interrupt,
    diverge,
    give_bad_targets,
    give_bad_windows,
    name_no_device,
    raise_in_a_callback,
]


@pytest.mark.usefixtures("ctrl_c")
@pytest.mark.parametrize("fail", FAILURES, ids=lambda f: f.__name__)
@pytest.mark.parametrize("continued", ["refit", "warm start", "partial_fit"])
def test_failed_fit_leaves_the_earlier_one_whole(continued, fail):
    regressor, twin = (
        make_regressor(warm_start=continued == "warm start", num_layers=2, dropout=0.5).fit(
            WINDOWS, TARGETS
        )
        for _ in range(2)
    )
    params = regressor.get_params()
    before, state = regressor.predict(WINDOWS), fitted_state(regressor)
    history = copy.deepcopy(regressor.history_)
    fail(regressor, "partial_fit" if continued == "partial_fit" else "fit")
    assert fitted_state(regressor).keys() == state.keys()
    assert all(fitted_state(regressor)[name] is state[name] for name in state)
    assert regressor.history_ == history
    np.testing.assert_array_equal(regressor.predict(WINDOWS), before)
    # It goes on as if nothing had happened.
    regressor.set_params(**params)
    for going_on in (regressor, twin):
        going_on.partial_fit(WINDOWS, TARGETS)
    np.testing.assert_array_equal(regressor.predict(WINDOWS), twin.predict(WINDOWS))


def test_failed_fit_in_other_shapes_leaves_the_earlier_shapes():
    regressor = make_regressor().fit(WINDOWS, TARGETS)
    regressor.set_params(**DIVERGING)
    with pytest.raises(ValueError, match="loss became"):
        regressor.fit(np.ones((9, 7)), RNG.normal(size=(9, 2)))
    assert (regressor.n_features_in_, regressor.n_outputs_) == (2, 1)
    assert regressor.window_shape_ == (4, 2)
    assert regressor.predict(WINDOWS).shape == (24,)


def test_failed_first_fit_leaves_nothing():
    regressor = make_regressor(**DIVERGING)
    with pytest.raises(ValueError, match="loss became"):
        regressor.fit(WINDOWS, TARGETS)
    assert fitted_state(regressor) == {}


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_targets_beyond_float32_are_refused(method):
    y = np.r_[1e39, TARGETS[1:]]
    with pytest.raises(ValueError, match=r"y holds 1e\+39, beyond the range of float32"):
        getattr(make_regressor(normalize_y=False), method)(WINDOWS, y)


@pytest.mark.parametrize("units", [10**7, 10**9, 10**30, 10**400])
def test_units_too_large_to_train_are_named(units):
    # 10**7 units take 4 * 10**7 * 10**7 weights of 4 bytes, four times: 6.4 petabytes.
    regressor = make_regressor(units=units)
    message = rf"units={units} .* takes more to train than this machine's [\d.]+ GiB"
    with pytest.raises(ValueError, match=message):
        regressor.fit(WINDOWS, TARGETS)
    with pytest.raises(ValueError, match=message):
        regressor.summary(input_shape=(4, 2))


@pytest.mark.parametrize("num_layers", [1001, 10**9, 10**30])
def test_more_layers_than_can_be_made_are_named(num_layers):
    # torch takes minutes for ten thousand.
    regressor = make_regressor(num_layers=num_layers, units=1)
    with pytest.raises(ValueError, match=f"num_layers={num_layers} is more than the 1000"):
        regressor.fit(WINDOWS, TARGETS)


@pytest.mark.parametrize("form", [{}, {"residual": True, "bidirectional": True}])
@pytest.mark.parametrize("num_layers", [1, 3])
def test_weights_are_counted_as_torch_makes_them(form, num_layers):
    regressor = make_regressor(units=5, num_layers=num_layers, **form)
    regressor.fit(WINDOWS, np.column_stack([TARGETS, TARGETS]))
    made = {name: w.shape for name, w in regressor.net_.module_.state_dict().items()}
    assert regressor.net_.architecture.weight_shapes() == made


def test_parameters_are_checked_in_every_partial_fit():
    # scikit-learn's decorator passes over them where the regressor is fitted.
    regressor = make_regressor().partial_fit(WINDOWS, TARGETS)
    with pytest.raises(ValueError, match="'loss' parameter of LSTMRegressor"):
        regressor.set_params(loss="nonsense").partial_fit(WINDOWS, TARGETS)


@pytest.mark.parametrize("level", [1e300, 1e-300, 5e-324])
def test_targets_of_rows_that_are_not_trained_on_may_lie_anywhere(level):
    # Their scaled value overflows, which was a warning.
    X, y = WINDOWS.copy(), level * np.r_[0, np.arange(1.0, 24)]
    X[0, 0], y[0] = np.nan, 1.7e308
    predictions = make_regressor().fit(X, y).predict(X)
    np.testing.assert_array_equal(
        predictions, make_regressor().fit(X[1:], y[1:]).predict(X)
    )


@pytest.mark.parametrize("device", ["cuda:99", "hpu", "nowhere", "cpu:x", ""])
def test_device_that_is_not_there_is_named(device):
    with pytest.raises(ValueError, match=f"device='{device}' cannot be used here"):
        make_regressor(device=device).fit(WINDOWS, TARGETS)


needs_no_cuda = pytest.mark.skipif(torch.cuda.is_available(), reason="there is CUDA")


def on_cuda(regressor):
    """The pickle that a fit on CUDA makes: arrays, and the name of the device."""
    there = copy.copy(regressor)
    there.device_ = "cuda"
    return pickle.dumps(there)


@needs_no_cuda
@pytest.mark.parametrize("form", [{}, {"num_layers": 2, "dropout": 0.5}])
def test_model_of_cuda_loads_predicts_and_refits_where_there_is_none(form):
    regressor = make_regressor(**form, device="auto").fit(WINDOWS, TARGETS)
    loaded = pickle.loads(on_cuda(regressor))
    np.testing.assert_array_equal(loaded.predict(WINDOWS), regressor.predict(WINDOWS))
    assert loaded.device_ == "cpu"
    loaded.partial_fit(WINDOWS, TARGETS)
    assert loaded.n_iter_ == 3
    loaded.fit(WINDOWS, TARGETS)
    np.testing.assert_array_equal(loaded.predict(WINDOWS), regressor.predict(WINDOWS))


@needs_no_cuda
def test_model_that_asked_for_cuda_predicts_and_says_why_it_does_not_refit():
    regressor = make_regressor().fit(WINDOWS, TARGETS).set_params(device="cuda")
    loaded = pickle.loads(on_cuda(regressor))
    before = loaded.predict(WINDOWS)
    with pytest.raises(ValueError, match="device='cuda' cannot be used here"):
        loaded.fit(WINDOWS, TARGETS)
    np.testing.assert_array_equal(loaded.predict(WINDOWS), before)
    assert loaded.set_params(device="auto").fit(WINDOWS, TARGETS).device_ == "cpu"


def test_pipeline_of_a_failed_fit_says_which_parameter_to_change():
    model = make_pipeline(WindowTransformer(), make_regressor(**DIVERGING))
    series = RNG.normal(size=(40, 1))
    with pytest.raises(ValueError, match=r"learning_rate=1e\+30"):
        model.fit(series, series[:, 0])


@pytest.mark.parametrize("name", ["tol", "max_grad_norm"])
def test_integers_beyond_the_floats_count_as_infinite(name):
    # They were an OverflowError, which is neither ours nor says what to change.
    X, y = np.zeros((20, 3, 1)), np.arange(20.0)
    fits = [
        LSTMRegressor(2, epochs=1, random_state=0, **{name: value}).fit(X, y).predict(X)
        for value in (10**400, 1e308)
    ]
    np.testing.assert_array_equal(*fits)
    with pytest.raises(ValueError, match="learning_rate=inf is beyond the range"):
        LSTMRegressor(learning_rate=10**400).fit(X, y)
