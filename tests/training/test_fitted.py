"""One fit as a whole: replaced at once, free of the data, and no slower with each call."""

import copy
import gc
import pickle
import threading
import weakref

import numpy as np
import pytest
from skorch.callbacks import Callback

from sklstm import HistoryDisplay, LSTMRegressor
from sklstm._training._fitted import FittedNet
from tests.versions import ScoringMonitor, needs_callbacks

RNG = np.random.default_rng(0)
WINDOWS = RNG.normal(size=(60, 4, 2))
TARGETS = WINDOWS[:, -1, 0] + RNG.normal(size=60)


def make_regressor(**params):
    defaults = {"units": 3, "epochs": 2, "random_state": 0, "device": "cpu"}
    return LSTMRegressor(**defaults | params)


def test_thread_that_predicts_while_another_fits_gets_one_of_the_models():
    # 161 of 166 predictions were of neither: attributes were set one by one.
    targets = [TARGETS, 1000 + 50 * TARGETS]
    expected = [make_regressor().fit(WINDOWS, y).predict(WINDOWS) for y in targets]
    regressor = make_regressor().fit(WINDOWS, targets[0])
    is_done, wrong, n_predictions = threading.Event(), [], 0

    def fit_by_turns():
        try:
            for turn in range(12):
                regressor.fit(WINDOWS, targets[(turn + 1) % 2])
        finally:
            is_done.set()

    thread = threading.Thread(target=fit_by_turns)
    thread.start()
    while not is_done.is_set():
        predictions = regressor.predict(WINDOWS)
        n_predictions += 1
        if not any(np.array_equal(predictions, one) for one in expected):
            wrong.append(predictions)
    thread.join()
    assert n_predictions > 0
    assert wrong == []


class ErrorInEpoch2(Callback):
    """Ends a fit in the middle."""

    def on_epoch_end(self, net, **kwargs):
        if len(net.history) == 2:
            raise ZeroDivisionError


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_failed_fit_sets_no_attribute(method):
    failing = {"callbacks": [ErrorInEpoch2()]}
    regressor = make_regressor(skorch_params=failing)
    if method == "partial_fit":
        regressor.partial_fit(WINDOWS, TARGETS)
    before = {name: id(value) for name, value in vars(regressor).items()}
    with pytest.raises(ZeroDivisionError):
        getattr(regressor, method)(WINDOWS, TARGETS)
    after = {
        name: id(value)
        for name, value in vars(regressor).items()
        if not name.startswith(("_callback", "_skl_callbacks"))  # scikit-learn's
    }
    assert after == before


def test_history_of_a_failed_call_of_partial_fit_is_not_seen():
    # Calls share one list of epochs, so that none copies those before it.
    failing = {"callbacks": [ErrorInEpoch2()]}
    regressor = make_regressor(skorch_params=failing).partial_fit(WINDOWS, TARGETS)
    expected = copy.deepcopy(regressor.history_)
    with pytest.raises(ZeroDivisionError):
        regressor.partial_fit(WINDOWS, TARGETS)
    assert regressor.history_ == expected
    assert pickle.loads(pickle.dumps(regressor)).history_ == expected
    regressor.set_params(skorch_params=None).partial_fit(WINDOWS, TARGETS)
    assert [epoch["epoch"] for epoch in regressor.history_] == [1, 2]


def test_call_of_partial_fit_copies_nothing_of_the_epochs_before_it():
    # A call took 3.5 ms at first and 19 ms after 2,400: its history was copied.
    regressor = make_regressor(units=1)
    regressor.partial_fit(WINDOWS[:4], TARGETS[:4])
    first = regressor.net_.history
    for _ in range(3):
        regressor.partial_fit(WINDOWS[:4], TARGETS[:4])
    assert regressor.net_.history is first
    assert len(first) == regressor.n_iter_ == 4


@needs_callbacks
@pytest.mark.parametrize(
    "params",
    [
        {},
        {"early_stopping": True},
        {"residual": True, "num_layers": 2, "dropout": 0.2},
        {"warm_start": True},
    ],
    ids=str,
)
def test_nothing_of_the_data_is_reachable_after_fit(params):
    # net_.callbacks_ kept the training arrays alive.
    X, y, weights = WINDOWS.copy(), TARGETS.copy(), np.ones(60)
    X_val, y_val = X[:9].copy(), y[:9].copy()
    regressor = make_regressor(**params).set_callbacks(ScoringMonitor(scoring="r2"))
    regressor.fit(X, y, weights, X_val=X_val, y_val=y_val)
    references = [weakref.ref(array) for array in (X, y, weights, X_val, y_val)]
    del X, y, weights, X_val, y_val
    regressor.set_callbacks()
    gc.collect()
    assert [reference() for reference in references] == [None] * 5
    assert regressor.predict(WINDOWS).shape == (60,)


def test_nothing_of_the_data_is_reachable_after_partial_fit():
    X, y = WINDOWS.copy(), TARGETS.copy()
    regressor = make_regressor().partial_fit(X, y).partial_fit(X, y)
    references = [weakref.ref(array) for array in (X, y)]
    del X, y
    gc.collect()
    assert [reference() for reference in references] == [None, None]
    assert regressor.n_iter_ == 2


def test_parameters_set_after_the_fit_do_not_change_what_it_is():
    # The axis of HistoryDisplay lost "/ variance of y" by set_params.
    regressor = make_regressor().fit(WINDOWS, TARGETS)
    expected = regressor.predict(WINDOWS)
    regressor.set_params(normalize_y=False, loss="huber", units=7, warm_start=True)
    np.testing.assert_array_equal(regressor.predict(WINDOWS), expected)
    label = HistoryDisplay.from_estimator(regressor).ax_.get_ylabel()
    assert label == "mean squared error / variance of y"


def test_public_attributes_are_those_of_the_last_fit():
    regressor = make_regressor(early_stopping=True).fit(WINDOWS, TARGETS)
    assert regressor.best_epoch_ >= 1
    regressor.set_params(early_stopping=False).fit(WINDOWS[:, :3, :1], TARGETS)
    assert not hasattr(regressor, "best_epoch_")
    assert regressor.window_shape_ == (3, 1)
    assert regressor.n_features_in_ == 1
    assert isinstance(regressor._fitted(), FittedNet)


def test_unfitted_regressor_has_no_fitted_attribute():
    regressor = make_regressor()
    names = ["net_", "history_", "n_iter_", "best_epoch_", "n_features_in_", "device_"]
    assert not any(hasattr(regressor, name) for name in names)
