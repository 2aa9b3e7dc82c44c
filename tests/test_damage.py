"""Damaged files never predict something else in silence.

That holds for whole models in the formats for sharing, and for our own estimators in any.
"""

import os
import pickle

import pytest

from tests.hard.flip_bits import (
    FORMATS,
    MUST_HOLD,
    N_FITTED,
    SERIES,
    flip_each,
    make_model,
    outcome,
    predictions,
)


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="needs Linux")
@pytest.mark.parametrize("name", MUST_HOLD)
def test_flipped_bits_are_errors_or_make_no_difference(name):
    # All 10,000: python -m tests.hard.flip_bits
    counts = flip_each(300, [name], seed=1)
    assert sum(counts.values()) == 300
    assert counts[name, "DIFFERENT"] == 0
    assert counts[name, "an error"] > 200


def flipped(dumped, array):
    """The file with a bit in the first number of an array in another state."""
    start = dumped.index(array.tobytes())
    return dumped[: start + 6] + bytes([dumped[start + 6] ^ 1]) + dumped[start + 7 :]


@pytest.mark.parametrize("name", ["skops", "pickle"])
def test_arrays_of_ours_are_under_the_checksum_in_every_format(name):
    dumps, load = FORMATS[name]
    model = make_model().fit(SERIES[:N_FITTED], SERIES[:N_FITTED, 0])
    dumped, expected = dumps(model), predictions(model)
    weights = model[-1].net_.module_.lstm.weight_hh_l0.detach().numpy()
    for array in (weights, model[1].context_, model[-1]._fitted().scaler.mean):
        assert outcome(load, flipped(dumped, array), expected) == "an error"


def test_pickle_has_no_checksum_of_the_steps_of_others():
    # Why it is not for sharing, and that the tests above can fail.
    model = make_model().fit(SERIES[:N_FITTED], SERIES[:N_FITTED, 0])
    damaged = flipped(pickle.dumps(model), model[0].mean_)
    assert outcome(pickle.loads, damaged, predictions(model)) == "DIFFERENT"
