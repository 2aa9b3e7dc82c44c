"""One seed, one hash of the predictions, wherever a fit runs and beside whatever."""

import hashlib
import pickle
import random
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import joblib
import numpy as np
import pytest
import torch
from joblib import Parallel, delayed
from sklearn.exceptions import FitFailedWarning
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit

from sklstm import LSTMRegressor

RNG = np.random.default_rng(0)
WINDOWS = RNG.normal(size=(40, 4, 2))
TARGETS = RNG.normal(size=40)

FORMS = {
    "plain": {},
    "dropout": {"num_layers": 2, "dropout": 0.5},
    "residual": {"residual": True},
    "bidirectional": {"bidirectional": True},
    "early stopping": {"early_stopping": True},
    "many units": {"units": 300, "epochs": 1},
}
# A fit takes about a second; a backend that hangs would never come back.
SECONDS = 120
BACKENDS = [
    pytest.param("loky", marks=pytest.mark.slow),
    "threading",
    pytest.param("multiprocessing", marks=pytest.mark.slow),
]


def make_regressor(**params):
    defaults = {"units": 4, "epochs": 3, "random_state": 0, "device": "cpu"}
    return LSTMRegressor(**defaults | params)


def hash_of_a_fit(params=None):
    """Of the predictions, and torch's thread counts before and after the fit."""
    before = torch.get_num_threads()
    regressor = make_regressor(**params or {}).fit(WINDOWS, TARGETS)
    predictions = regressor.predict(WINDOWS)
    found = hashlib.sha256(predictions.tobytes()).hexdigest()
    return found, before, torch.get_num_threads()


def global_states():
    return (
        random.getstate(),
        pickle.dumps(np.random.get_state()),  # noqa: NPY002
        torch.random.get_rng_state().numpy().tobytes(),
    )


@pytest.fixture(params=[1, 2])
def n_threads(request):
    """How many threads torch has, put back after the test."""
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


@pytest.mark.parametrize("form", FORMS)
def test_one_seed_gives_one_hash(form):
    found = {hash_of_a_fit(FORMS[form])[0] for _ in range(3)}
    assert len(found) == 1
    assert hash_of_a_fit({**FORMS[form], "random_state": 1})[0] not in found


@pytest.fixture(scope="module")
def fits_in_backend():
    """What two fits of each form find in a backend, all of them in one pool of workers."""

    @cache
    def fits(backend):
        # A forked child waits for the threads that torch has started, which it has not got.
        torch.ones(500, 500) @ torch.ones(500, 500)
        n_threads = torch.get_num_threads()
        parallel = Parallel(n_jobs=2, backend=backend, timeout=SECONDS)
        jobs = [form for form in FORMS for _ in range(2)]
        results = parallel(delayed(hash_of_a_fit)(FORMS[form]) for form in jobs)
        assert torch.get_num_threads() == n_threads
        return list(zip(jobs, results, strict=True))

    return fits


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("n_threads", [2], indirect=True)  # workers have one
def test_every_backend_gives_the_hash_of_a_fit_alone(
    backend, form, n_threads, fits_in_backend
):
    alone, *_ = hash_of_a_fit(FORMS[form])
    results = [result for one, result in fits_in_backend(backend) if one == form]
    assert [found for found, *_ in results] == [alone, alone]


@pytest.mark.slow
@pytest.mark.parametrize("n_threads", [2], indirect=True)
def test_workers_keep_their_thread_count(n_threads, fits_in_backend):
    # Those of loky alone have the same count before and after by themselves.
    for _, (_, before, after) in fits_in_backend("loky"):
        assert before == after


def test_fits_in_threads_beside_others_give_the_hash_of_a_fit_alone(n_threads):
    jobs = [FORMS[form] for form in FORMS] + [{"units": 9}, {"random_state": 5}]
    alone = [hash_of_a_fit(job)[0] for job in jobs]
    with ThreadPoolExecutor(4) as pool:
        beside = [found for found, *_ in pool.map(hash_of_a_fit, 2 * jobs)]
    assert beside == 2 * alone
    assert torch.get_num_threads() == n_threads


def test_predicting_in_threads_gives_the_bits_of_predicting_alone():
    regressor = make_regressor(**FORMS["dropout"]).fit(WINDOWS, TARGETS)
    alone = regressor.predict(WINDOWS)
    with ThreadPoolExecutor(4) as pool:
        for beside in pool.map(regressor.predict, 8 * [WINDOWS]):
            np.testing.assert_array_equal(beside, alone)


@pytest.mark.parametrize("seed", [0, 1])
def test_global_seeds_do_not_matter(seed):
    alone, *_ = hash_of_a_fit(FORMS["dropout"])
    states = np.random.get_state(), torch.random.get_rng_state()  # noqa: NPY002
    try:
        np.random.seed(seed)  # noqa: NPY002
        torch.manual_seed(seed)
        assert hash_of_a_fit(FORMS["dropout"])[0] == alone
    finally:
        np.random.set_state(states[0])  # noqa: NPY002
        torch.random.set_rng_state(states[1])


@pytest.mark.parametrize("random_state", [None, 0])
@pytest.mark.parametrize("form", FORMS)
def test_global_generators_are_left_as_they_were(form, random_state):
    before = global_states()
    regressor = make_regressor(**FORMS[form], random_state=random_state)
    assert global_states() == before
    regressor.fit(WINDOWS, TARGETS)
    assert global_states() == before
    regressor.predict(WINDOWS)
    assert global_states() == before
    loaded = pickle.loads(pickle.dumps(regressor))
    assert global_states() == before
    loaded.set_params(early_stopping=False).partial_fit(WINDOWS, TARGETS)
    assert global_states() == before
    regressor.summary(input_shape=(4, 2))
    assert global_states() == before


def test_global_generators_are_left_as_they_were_by_a_fit_that_fails():
    before = global_states()
    with pytest.raises(ValueError, match="loss became"):
        make_regressor(learning_rate=1e30).fit(WINDOWS, TARGETS)
    assert global_states() == before


@pytest.mark.parametrize("units", [4, 500])
def test_thread_count_is_left_as_it_was(units, n_threads):
    regressor = make_regressor(units=units, epochs=1).fit(WINDOWS, TARGETS)
    assert torch.get_num_threads() == n_threads
    regressor.predict(WINDOWS)
    assert torch.get_num_threads() == n_threads
    regressor.partial_fit(WINDOWS, TARGETS)
    assert torch.get_num_threads() == n_threads
    pickle.loads(pickle.dumps(regressor))
    assert torch.get_num_threads() == n_threads


FAILURES = {
    "loss": ({"learning_rate": 1e30}, TARGETS),
    "device": ({"device": "nowhere"}, TARGETS),
    "targets": ({}, np.full(40, np.nan)),
    "skorch_params": ({"skorch_params": {"lr": 1}}, TARGETS),
}


def fail_to_fit(params, y):
    try:
        make_regressor(**params).fit(WINDOWS, y)
    except ValueError:
        return True
    return False


@pytest.mark.parametrize("failure", FAILURES)
def test_thread_count_is_left_as_it_was_by_a_fit_that_fails(failure, n_threads):
    assert fail_to_fit(*FAILURES[failure])
    assert torch.get_num_threads() == n_threads


def test_thread_count_is_left_as_it_was_by_fits_in_threads_of_which_some_fail(n_threads):
    jobs = [FAILURES["loss"], ({}, TARGETS), FAILURES["skorch_params"], ({}, TARGETS)]
    with ThreadPoolExecutor(4) as pool:
        failed = list(pool.map(fail_to_fit, *zip(*(4 * jobs), strict=True)))
    assert failed == 4 * [True, False, True, False]
    assert torch.get_num_threads() == n_threads


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("n_threads", [2], indirect=True)
@pytest.mark.filterwarnings("ignore:One or more of the test scores are non-finite")
@pytest.mark.filterwarnings("ignore:.* use of fork:DeprecationWarning")  # of Python 3.12
def test_search_in_any_backend_gives_the_same_scores_where_some_fits_fail(
    backend, n_threads
):
    # Loky's workers have one thread, and gave other bits where a second has much to do.
    grid = {"learning_rate": [1e-2, 1e30], "units": [4, 64]}
    search = GridSearchCV(make_regressor(), grid, cv=TimeSeriesSplit(2), n_jobs=2)
    with pytest.warns(FitFailedWarning, match="4 fits failed out of a total of 8"):
        alone = search.set_params(n_jobs=1).fit(WINDOWS, TARGETS)
    expected = alone.cv_results_["mean_test_score"], alone.predict(WINDOWS)
    # Warnings of the fits are given in the calling process only.
    with (
        joblib.parallel_config(backend),
        pytest.warns(FitFailedWarning, match="4 fits failed"),
    ):
        search.set_params(n_jobs=2).fit(WINDOWS, TARGETS)
    np.testing.assert_array_equal(search.cv_results_["mean_test_score"], expected[0])
    np.testing.assert_array_equal(search.predict(WINDOWS), expected[1])
    assert torch.get_num_threads() == n_threads
