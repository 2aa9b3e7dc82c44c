"""Recognition of the fitted series by its first rows, on arrays."""

import io
import pickle
import tracemalloc
import zipfile
from itertools import pairwise

import numpy as np
import pytest
import skops.io
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from sklearn.decomposition import NMF, PCA, FastICA, KernelPCA
from sklearn.model_selection import TimeSeriesSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklstm import WindowTransformer
from sklstm.windows._continuation import (
    MAX_CHANCE,
    FirstRows,
    chances_of_repetition,
    iter_weighted_sums,
    n_occurrences,
    proving_lengths,
)
from tests import naive

PROPERTY = settings(deadline=None, max_examples=60)


def one_hot(numbers, n_values):
    return np.eye(n_values)[numbers]


def hours(n_steps):
    return np.arange(n_steps) % 24


def weekdays(n_steps):
    return np.arange(n_steps) // 24 % 7


def flag(n_steps, share, seed=0):
    return (np.random.default_rng(seed).random(n_steps) < share).astype(float)


def noise(n_steps, n_features=1, dtype="float64", seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n_steps, n_features)).astype(dtype)


def column(values):
    return np.asarray(values, dtype=float)[:, np.newaxis]


# Features whose start comes again, with their period: 1 for constants and chance.
REPEATING = {
    "hour": (24, lambda n: column(hours(n))),
    "hour, one-hot": (24, lambda n: one_hot(hours(n), 24)),
    "hour and weekday": (168, lambda n: np.column_stack([hours(n), weekdays(n)])),
    "weekday, one-hot": (168, lambda n: one_hot(weekdays(n), 7)),
    "sine and cosine of the hour": (
        24,
        lambda n: np.column_stack([f(2 * np.pi * hours(n) / 24) for f in (np.sin, np.cos)]),
    ),
    "sine of the step": (24, lambda n: column(np.sin(2 * np.pi * np.arange(n) / 24))),
    "sine of the step, float32": (
        24,
        lambda n: column(np.sin(2 * np.pi * np.arange(n) / 24)).astype(np.float32),
    ),
    "triangle": (24, lambda n: column(abs(hours(n) - 12))),
    "opening hours": (24, lambda n: column((hours(n) > 8) & (hours(n) < 20))),
    "repeated noise": (24, lambda n: np.tile(noise(24, 2), (n // 24 + 1, 1))[:n]),
    "constant": (1, lambda n: np.full((n, 3), 3.7)),
    "zero": (1, lambda n: np.zeros((n, 1))),
    "flag": (1, lambda n: column(flag(n, 0.3))),
    "rare flag": (1, lambda n: column(flag(n, 0.01))),
    "one flag": (1, lambda n: column(np.arange(n) == 3)),
    "hour and rare flag": (24, lambda n: np.column_stack([hours(n), flag(n, 0.01)])),
    "triangle and flag": (
        24,
        lambda n: np.column_stack([abs(hours(n) - 12), flag(n, 0.02)]),
    ),
    "counts": (1, lambda n: column(np.random.default_rng(0).poisson(0.2, n))),
    "noise": (1, noise),
    "noise and hour": (24, lambda n: np.column_stack([noise(n), hours(n)])),
    "counter": (1, lambda n: column(np.arange(n))),
    "rounded walk": (1, lambda n: np.cumsum(noise(n), axis=0).round()),
}
# Continuous, counted or irregular enough to be nobody else's.
DISTINCT = {
    "noise": noise,
    "noise, float32": lambda n: noise(n, dtype="float32"),
    "many features": lambda n: noise(n, 40),
    "integers": lambda n: np.random.default_rng(0).integers(0, 1000, (n, 1)),
    "random signs": lambda n: column(flag(n, 0.5)),
    "counter": lambda n: column(np.arange(n)),
    "noisy sine": lambda n: column(np.sin(np.arange(n))) + 0.1 * noise(n),
    "walk": lambda n: np.cumsum(noise(n), axis=0),
    "hour and noise": lambda n: np.column_stack([hours(n), noise(n)]),
    "three flags": lambda n: np.column_stack([flag(n, 0.2, seed) for seed in range(3)]),
    "tiny values": lambda n: 1e-300 * noise(n),
    "huge values": lambda n: 1e308 * np.clip(noise(n), -1.7, 1.7),
    "level far from 0": lambda n: 1e9 + noise(n),
}


# Rows that follow


@pytest.mark.parametrize("name", REPEATING)
def test_every_fold_of_features_that_repeat_keeps_its_past(name):
    # Ten rows, or twice what it took to differ from the fitted rows, once made 12 to 24 %
    # of these folds the fitted series, and all whose rows were as many as the fitted ones.
    period, make = REPEATING[name]
    X = np.asarray(make(1680))
    size = 2 * period if period > 1 else 48
    windows = WindowTransformer(3, horizon=2)
    for cv in (
        TimeSeriesSplit(4, test_size=size, max_train_size=size),
        TimeSeriesSplit(4, test_size=size // 2, max_train_size=size),
        TimeSeriesSplit(4),
        TimeSeriesSplit(3, test_size=size, gap=24),
        TimeSeriesSplit(13),
    ):
        for train, test in cv.split(X):
            if len(train) < 2 * period:
                continue
            later = windows.fit(X[train]).transform(X[test])
            expected = naive.windows(X[test].astype(float), 3, 2, X[train])
            assert_array_equal(later, expected)


def test_folds_of_a_sine_as_long_as_the_fitted_rows_keep_their_past():
    X = np.sin(2 * np.pi * np.arange(720) / 24)[:, np.newaxis]
    windows = make_pipeline(StandardScaler(), WindowTransformer(24))
    cv = TimeSeriesSplit(4, max_train_size=144, test_size=144)
    for train, test in cv.split(X):
        assert not np.isnan(windows.fit(X[train]).transform(X[test])).any()


@PROPERTY
@given(
    seed=st.integers(0, 2**32),
    n_steps=st.integers(60, 400),
    period=st.integers(1, 29),
    n_levels=st.integers(1, 4),
    share=st.sampled_from([0.0, 0.01, 0.3]),
    split=st.floats(0, 1),
    n_later=st.integers(1, 400),
)
def test_rows_after_two_repetitions_keep_their_past(
    seed, n_steps, period, n_levels, share, split, n_later
):
    # Any pattern with few values and a flag, cut anywhere after two of its repetitions.
    rng = np.random.default_rng(seed)
    pattern = rng.integers(0, n_levels, (period, 2))
    X = np.tile(pattern, (n_steps // period + 1, 1))[:n_steps].astype(float)
    X = np.column_stack([X, rng.random(n_steps) < share])
    n_fitted = int(2 * period + split * (n_steps - 1 - 2 * period))
    # What a few random rows might repeat by chance is another matter.
    if n_fitted < 1 or (share and n_fitted < 50):
        return
    windows = WindowTransformer(2).fit(X[:n_fitted])
    assert not np.isnan(windows.transform(X[n_fitted:][:n_later])).any()


@pytest.mark.parametrize("n_rows", [1, 2])
@pytest.mark.parametrize("n_fitted", [1, 2, 3, 20])
def test_few_rows_follow(n_fitted, n_rows):
    X = column(np.arange(n_fitted + n_rows))
    later = WindowTransformer(1).fit(X[:n_fitted]).transform(X[n_fitted:])
    assert_array_equal(later[:, 0, 0], np.arange(n_fitted, n_fitted + n_rows) - 1)


def test_one_row_of_integers_may_be_like_the_first_fitted_one():
    X = column(np.random.default_rng(0).permutation(100))
    assert not FirstRows.of(X).matches(X[:1])
    assert FirstRows.of(X).matches(X[:3])


def test_fitted_rows_that_repeat_without_a_seam_follow_themselves():
    # Nothing in the values tells them from the next repetition, and the past that they
    # are given is the one that they would have had.
    X = column(np.tile(np.arange(24), 10))
    windows = WindowTransformer(2, horizon=1).fit(X)
    assert_array_equal(windows.transform(X)[:3, :, 0], [[22, 23], [23, 0], [0, 1]])


# The fitted rows again


@pytest.mark.parametrize("order", ["C", "F", "view", "reversed"])
@pytest.mark.parametrize("name", DISTINCT)
def test_fitted_series_is_recognised_by_itself_and_its_first_rows(name, order):
    X = np.asarray(DISTINCT[name](400))
    X = {
        "C": X,
        "F": np.asfortranarray(X),
        "view": np.repeat(np.repeat(X, 2, axis=0), 2, axis=1)[::2, ::2],
        "reversed": X[::-1].copy()[::-1],
    }[order]
    windows = WindowTransformer(4)
    alone = windows.fit_transform(X)
    for n_rows in (400, 399, 200, 64, 63):
        assert_array_equal(windows.transform(X[:n_rows]), alone[:n_rows])
        assert_array_equal(windows.transform(X[:n_rows].copy()), alone[:n_rows])


@pytest.mark.parametrize(("n_steps", "n_rows"), [(200, 2), (2000, 2), (10, 4)])
def test_few_rows_of_noise_are_enough(n_steps, n_rows):
    # 10 rows make 45 pairs, none equal: 1/46 a row, and 46^-4 is below 1e-6.
    X = noise(n_steps)
    first_rows = FirstRows.of(X)
    assert first_rows.lengths[0] == n_rows
    assert first_rows.matches(X[:n_rows])
    assert not first_rows.matches(noise(n_rows, seed=1))


def test_noisy_sine_is_recognised_by_its_first_nine_rows():
    # It took ten.
    X = column(np.sin(0.1 * np.arange(300))) + 0.1 * noise(300)
    windows = WindowTransformer(5).fit(X[:200])
    assert_array_equal(windows.transform(X[:9]), naive.windows(X[:9], 5, 1))


def test_whole_series_with_later_rows_is_recognised():
    X = noise(300, 2)
    windows = WindowTransformer(5).fit(X[:200])
    assert_array_equal(windows.transform(X), naive.windows(X, 5, 1))


@pytest.mark.parametrize("name", ["hour", "triangle", "sine of the step"])
def test_fitted_hours_that_end_within_a_day_are_recognised(name):
    # The first row does not follow the last one, so that only the fitted rows fit.
    X = np.asarray(REPEATING[name][1](500), dtype=float)
    windows = WindowTransformer(5)
    assert_array_equal(windows.fit_transform(X), windows.transform(X))
    later = windows.fit(X[:499]).transform(X[499:])
    assert_array_equal(later, naive.windows(X, 5, 1)[499:])


def test_rare_flags_are_recognised_by_where_they_are_set():
    X = column(flag(20_000, 0.001))
    windows = WindowTransformer(5)
    assert_array_equal(windows.fit_transform(X), windows.transform(X))
    other = column(flag(20_000, 0.001, seed=1))
    assert not np.isnan(windows.transform(other)).any()


@pytest.mark.parametrize("n_rows", [8, 70, 1000])
@pytest.mark.parametrize("changed", [0, 5, 7])
def test_one_other_value_makes_other_rows(n_rows, changed):
    X = noise(1000, 3)
    other = X[:n_rows].copy()
    other[changed, 1] += 1e-3
    assert FirstRows.of(X).matches(X[:n_rows])
    assert not FirstRows.of(X).matches(other)


def test_two_flags_that_trade_places_make_other_rows():
    # Sums of weights that are only 1 and -1 would often be the same.
    X = column(flag(400, 0.3))
    first_rows = FirstRows.of(X)
    for i in range(0, 200, 7):
        other = X.copy()
        other[[i, i + 1]] = other[[i + 1, i]]
        assert first_rows.matches(other) == np.array_equal(other, X)


@pytest.mark.parametrize(
    "step",
    [
        PCA(2),
        PCA(2, svd_solver="full", whiten=True),
        FastICA(3, random_state=0),
        KernelPCA(3, kernel="rbf"),
    ],
    ids=str,
)
def test_rounding_of_a_step_before_does_not_change_the_answer(step):
    X = noise(300, 5) @ np.diag([9, 5, 3, 1, 1e-3]) + 20
    pipeline = make_pipeline(step, WindowTransformer(4))
    unknown = np.isnan(pipeline.fit_transform(X[:200]))
    assert_array_equal(np.isnan(pipeline.transform(X[:200])), unknown)
    assert not np.isnan(pipeline.transform(X[200:])).any()


def test_step_that_computes_the_fitted_rows_differently_hides_them():
    # NMF solves for them again, and ends 1e-4 to 1e-3 of the spread away. Documented.
    X = np.random.default_rng(0).random((300, 5))
    pipeline = make_pipeline(NMF(2, random_state=0, max_iter=1000), WindowTransformer(4))
    assert np.isnan(pipeline.fit_transform(X[:200])[0]).all()
    assert not np.isnan(pipeline.transform(X[:200])).any()
    assert not np.isnan(pipeline.transform(X[200:])).any()


@pytest.mark.parametrize("n_idle", [50, 40_000])
def test_series_that_begins_with_a_long_constant_is_recognised_as_a_whole(n_idle):
    # Rows are counted at the start of a long series, and at its end if those say nothing.
    X = np.concatenate([np.zeros((n_idle, 1)), noise(50)])
    first_rows = FirstRows.of(X)
    assert first_rows.matches(X)
    assert first_rows.matches(np.concatenate([X, noise(3)]))
    assert not first_rows.matches(X[:n_idle])
    assert not first_rows.matches(np.zeros_like(X))


def test_rows_of_another_precision_are_recognised():
    X = noise(200, 2)
    assert FirstRows.of(X).matches(X.astype(np.float32))
    assert FirstRows.of(X.astype(np.float32)).matches(X)
    assert not FirstRows.of(X).matches(noise(200, 2, "float32", seed=1))


@pytest.mark.parametrize("value", [1e308, -1e308, 1e-320])
def test_values_at_the_edge_of_a_dtype_are_other_rows_without_a_warning(value):
    X = noise(100)
    assert not FirstRows.of(X).matches(np.full((100, 1), value))


# The probability of the first rows


def chances_of(series):
    series = np.asarray(series, dtype=float)
    return chances_of_repetition(series, series.min(axis=0), np.full(series.shape[1], 1e-6))


def test_what_repeats_itself_is_no_evidence():
    assert_array_equal(chances_of(column(hours(72))), np.ones(72))
    assert_array_equal(chances_of(np.zeros((5, 2))), np.ones(5))


def test_values_that_never_repeat_count_by_their_pairs():
    # Four rows are six pairs, none of which is equal: one of seven at most.
    assert_array_equal(chances_of([[3.0], [1], [4], [9]]), np.full(4, 1 / 7))


def naive_chances(values):
    """Largest relative frequency of each value after its last 0, 1, 2, 4, ... ones."""
    n_rows = len(values)
    joined, chances = values + values, []
    for i in range(n_rows):
        options = [values.count(values[i]) / n_rows]
        if len(set(values)) == n_rows:
            options = [1 / (n_rows * (n_rows - 1) // 2 + 1)]
        length = 1
        while length < n_rows:
            past = joined[n_rows + i - length : n_rows + i]
            later = [
                values[start + length]
                for start in range(n_rows - length)
                if values[start : start + length] == past
            ]
            n_same, is_across = later.count(values[i]), i < length
            if length == 1 and i == 0 and later and not n_same:
                steps = list(pairwise(values))
                n_new = sum(steps.count(step) == 1 for step in steps)
                options = [options[0] * (1 + n_new) / n_rows]
            if n_same > (not is_across) or (
                length == 1 and not is_across and len(later) > 1
            ):
                options.append(n_same / len(later))
            length *= 2
        chances.append(max(options))
    return chances


@settings(deadline=None, max_examples=200)
@given(st.lists(st.integers(0, 3), min_size=1, max_size=40) | st.permutations(range(9)))
def test_chances_agree_with_the_loop(values):
    assert chances_of(column(values)) == pytest.approx(naive_chances(values))


def test_first_row_that_never_follows_the_last_is_unlikely():
    # Hours 0 to 23 twice, then 0 to 3: 0 is 3 of 52 rows, and no step is a surprise.
    chances = chances_of(column(hours(52)))
    assert chances[0] == pytest.approx(3 / 52 / 52)
    assert_array_equal(chances[1:], np.ones(51))


def test_chance_of_a_flag_is_its_share_of_the_rows():
    X = flag(20_000, 0.01, seed=3)
    chances = chances_of(column(X))
    assert chances[X == 0].min() > 0.98
    assert np.median(chances[X == 1]) == pytest.approx(X.mean(), rel=0.5)


@pytest.mark.parametrize("name", ["random signs", "noise", "integers", "three flags"])
def test_other_rows_are_rarely_taken_for_the_fitted_ones(name):
    # The proof leaves a chance below 1e-6, so 2,000 cuts of one series show none.
    X = np.asarray(DISTINCT[name](2400), dtype=float)
    first_rows = FirstRows.of(X[:400])
    assert not any(first_rows.matches(X[start:]) for start in range(400, 2390))


def test_proof_is_the_first_row_whose_chance_is_small_enough():
    # 0.1^6 is not below 1e-6 but for rounding, 0.1^7 is.
    assert MAX_CHANCE == 1e-6
    assert proving_lengths(np.full(50, 0.11), 50).tolist() == [7, 14, 28, 50]
    assert proving_lengths(np.full(6, 0.11), 6).tolist() == []
    assert proving_lengths(np.full(7, 0.11), 7).tolist() == [7]


@given(st.lists(st.integers(0, 5)), st.lists(st.integers(0, 5), min_size=1))
def test_occurrences_agree_with_the_count(codes, among):
    counts = n_occurrences(np.array(codes, np.uint64), np.array(among, np.uint64))
    assert counts.tolist() == [among.count(code) for code in codes]


def test_sums_do_not_depend_on_where_they_are_cut():
    X, low, unit = noise(70_000, 2), np.full(2, -5.0), np.ones(2)
    (whole,) = iter_weighted_sums(X, np.array([70_000]), low, unit)
    *_, last = iter_weighted_sums(X, np.array([1, 9, 66_000, 70_000]), low, unit)
    assert last == pytest.approx(whole, rel=1e-9)


# What is kept


def saved_arrays(estimator):
    archive = zipfile.ZipFile(io.BytesIO(skops.io.dumps(estimator)))
    return [
        np.load(io.BytesIO(archive.read(name)))
        for name in archive.namelist()
        if name.endswith(".npy")
    ]


@pytest.mark.parametrize("name", ["rare flag", "zero", "hour", "noise", "counter"])
def test_shared_file_never_holds_the_training_data(name):
    # It held all the rows of flags, calendars and constants.
    X = np.asarray(REPEATING[name][1](20_000), dtype=float)
    windows = WindowTransformer(10).fit(X)
    assert sum(array.size for array in saved_arrays(windows)) < 400
    assert len(pickle.dumps(windows)) < 10_000


@pytest.mark.parametrize("name", ["rare flag", "noise", "zero"])
def test_saved_transformer_recognises_the_same_rows(name):
    X = np.asarray(REPEATING[name][1](3000), dtype=float)
    windows = WindowTransformer(3).fit(X)
    for copied in (
        pickle.loads(pickle.dumps(windows)),
        skops.io.loads(skops.io.dumps(windows), trusted=["sklstm.WindowTransformer"]),
    ):
        for rows in (X, X[:50], X[50:], noise(30)):
            assert_array_equal(copied.transform(rows), windows.transform(rows))


@pytest.mark.parametrize(
    "change",
    [
        {"sums": np.zeros((1, 1))},
        {"sums": np.array([[np.nan] * 4])},
        {"sums": None},
        {"lengths": np.array([0])},
        {"lengths": np.array([1.5])},
        {"low": np.zeros((2, 2))},
        {"high": np.zeros(7)},
        {"eps": 0.0},
        {"eps": "small"},
        {"whole_only": 1},
        {"more": 1},
    ],
    ids=str,
)
def test_state_that_is_no_summary_is_refused(change):
    state = FirstRows.of(noise(50, 2)).state()
    with pytest.raises(ValueError, match="of its series"):
        FirstRows.from_state(state | change)


@pytest.mark.parametrize("name", ["zero", "noise", "rare flag"])
def test_series_is_not_copied(name):
    X = np.asarray(REPEATING[name][1](1_000_000), dtype=float)
    tracemalloc.start()
    first_rows = FirstRows.of(X)
    first_rows.matches(X)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # Bounded by the rows that are looked at together, not by the series.
    assert peak < 12_000_000
