"""Ranks of past errors: the finite-sample bound, and how many errors it needs."""

import numpy as np
import pytest

from sklstm.forecasting._margins import Sample, margins


def sample(errors):
    errors = np.asarray(errors, dtype=float)
    return Sample("step 1", -errors, errors)


@pytest.mark.parametrize("coverage", [0.5, 0.8, 0.9, 0.95])
@pytest.mark.parametrize("symmetric", [True, False])
def test_margin_is_the_error_of_the_finite_sample_rank(coverage, symmetric):
    rng = np.random.default_rng(0)
    errors = rng.normal(size=79)
    below, above = margins([sample(errors)], coverage, symmetric=symmetric)
    if symmetric:
        rank = int(np.ceil(80 * coverage - 1e-9))
        assert below[0] == above[0] == np.sort(np.abs(errors))[rank - 1]
    else:
        rank = int(np.ceil(80 * (1 + coverage) / 2 - 1e-9))
        assert above[0] == np.sort(errors)[rank - 1]
        assert below[0] == np.sort(-errors)[rank - 1]


@pytest.mark.parametrize(
    ("coverage", "symmetric", "needed"),
    [(0.5, True, 1), (0.8, True, 4), (0.9, True, 9), (0.9, False, 19), (0.95, True, 19)],
)
def test_fewest_errors_are_enough_and_one_less_is_an_error(coverage, symmetric, needed):
    errors = np.arange(1.0, needed + 1)
    _, above = margins([sample(errors)], coverage, symmetric=symmetric)
    assert above[0] == needed
    with pytest.raises(ValueError, match=f"needs at least {needed} errors"):
        margins([sample(errors[1:])], coverage, symmetric=symmetric)


def test_new_error_is_within_the_margin_as_often_as_it_says():
    rng = np.random.default_rng(0)
    hits = []
    for _ in range(4000):
        errors = rng.normal(size=20)
        _, above = margins([sample(errors[:-1])], 0.8, symmetric=True)
        hits.append(abs(errors[-1]) <= above[0])
    assert np.mean(hits) == pytest.approx(0.8, abs=0.02)
