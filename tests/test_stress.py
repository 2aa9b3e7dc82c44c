"""A part of the stress; `python -m tests.stress` does all of it."""

import sys

import pytest

from tests import stress


@pytest.fixture(scope="module")
def alone():
    return [stress.hash_of_a_fit(number) for number in range(20)]


def test_every_form_and_seed_has_a_hash_of_its_own(alone):
    assert len(set(alone)) == len(alone)


def test_fits_at_once_in_threads_have_the_hashes_of_fits_alone(alone):
    assert stress.hashes_in_threads(list(range(20))) == alone


@pytest.mark.slow
def test_fits_at_once_in_processes_of_threads_have_the_hashes_of_fits_alone(alone):
    assert stress.hashes_in_processes(list(range(20)), 2) == alone


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
def test_predictions_leave_memory_where_it_was():
    # A kilobyte kept for each would be a megabyte.
    assert stress.growth_by_predictions(1000) < 2**20


def test_threads_that_share_a_pipeline_get_their_own_answers():
    assert stress.n_wrong_answers(8, 20) == 0


def test_large_networks_have_the_same_bits_beside_others_that_come_and_go():
    # One seed had other bits in 52 of 933 fits, and threads were left with another count.
    hashes, counts = stress.hashes_of_large_fits(24)
    assert set(hashes) == {stress.hash_of_a_large_fit(0)}
    assert set(counts) == {2}
