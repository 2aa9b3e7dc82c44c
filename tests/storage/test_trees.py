"""A history by columns: the same after loading, and never more than a file holds."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sklstm._storage._trees import MOST_ENTRIES, from_columns, to_columns, training_epochs

HISTORIES = {
    "none": [],
    "one epoch": [{"epoch": 1, "train_loss": 0.25}],
    "constant": [{"epoch": i, "learning_rate": 1e-3} for i in range(300)],
    "all the same": [{"a": 0.5, "b": 1}, {"a": 0.5, "b": 1}],
    "mixed": [{"a": 1, "b": "text", "c": None, "d": [1, 2]}, {"a": 2.5, "b": 1}],
    "flags": [{"a": True}, {"a": False}, {"a": 1}],
    "entries that begin later": [{"a": 1}, {"a": 2, "b": 0.1}, {"a": 3, "b": 0.2}],
    "large numbers": [{"a": 2**70, "b": 1e300}, {"a": -(2**40), "b": float("inf")}],
    "numbers of both signs": [{"a": -1, "b": 2**63 - 1}, {"a": 200, "b": -(2**63)}],
    # Each constant, so that 200 entries an epoch would come from one byte.
    "wide": [{f"entry {j}": j for j in range(200)} for _ in range(300)],
    "widest": [{f"entry {j}": j for j in range(MOST_ENTRIES)} for _ in range(300)],
}


@pytest.mark.parametrize("name", HISTORIES)
def test_columns_are_the_history(name):
    epochs = from_columns(to_columns(HISTORIES[name]))
    assert epochs == HISTORIES[name]
    for epoch, expected in zip(epochs, HISTORIES[name], strict=True):
        kinds = {key: type(value) for key, value in expected.items()}
        assert {key: type(value) for key, value in epoch.items()} == kinds


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.dictionaries(
            st.sampled_from("abc"),
            st.integers()
            | st.floats(allow_nan=False)
            | st.booleans()
            | st.text(max_size=2),
            min_size=1,
        ),
        max_size=8,
    )
)
def test_columns_are_any_history(epochs):
    assert repr(from_columns(to_columns(epochs))) == repr(epochs)


def test_columns_keep_missing_numbers():
    (epoch,) = from_columns(to_columns([{"a": float("nan")}]))
    assert np.isnan(epoch["a"])


def test_more_entries_than_can_be_loaded_are_refused_when_saving():
    with pytest.raises(ValueError, match="257 entries an epoch, and at most 256"):
        to_columns([dict.fromkeys(range(MOST_ENTRIES + 1), 0)])


def table(n_epochs, **columns):
    return [{"n_epochs": n_epochs, "columns": columns}]


N = 10**6
COUNTED = np.arange(1, 11)
ONES, SHORT = np.ones(20_000), np.ones(20_000, "?")
BOMBS = {
    "claimed": table(N, epoch=COUNTED, train_loss=np.zeros(1)),
    "not counted": table(N, epoch=np.zeros(N, "i1"), train_loss=np.zeros(1)),
    "counted by a constant": table(N, epoch=np.ones(1, int), train_loss=np.zeros(N, "i1")),
    "broadcast": table(
        N,
        epoch=np.broadcast_to(np.zeros(1, "i1"), N),
        **{f"c{i}": np.zeros(1) for i in range(200)},
    ),
    "columns": table(
        10,
        epoch=COUNTED,
        train_loss=np.ones(10),
        **{f"c{i}": np.ones(1) for i in range(N // 10)},
    ),
    "wide": table(
        10, epoch=COUNTED.astype("i1"), **{f"c{i}": np.ones(1, "?") for i in range(250)}
    )[:1]
    * 1000,
    "one column many times": table(
        20_000,
        epoch=np.arange(1, 20_001),
        train_loss=ONES,
        **{f"c{i}": SHORT for i in range(250)},
    ),
    "deep": table(10, epoch=COUNTED, train_loss=np.zeros((10, 1000))),
    "empty": [{"n_epochs": N, "columns": {}}],
    "huge": table(10**12, epoch=COUNTED),
    "floats": table(1e6, epoch=COUNTED),
    "negative": table(-1, epoch=COUNTED),
    "objects": table(1, epoch=np.array([None])),
    "no table": [3],
    "no list": "history",
    "no name": [{"n_epochs": 1, "columns": {3: [1]}}],
    "surprise": [{"n_epochs": 1, "columns": {"epoch": [1]}, "surprise": 1}],
    "uncounted list": table(2, epoch=["a", "b"], train_loss=np.zeros(2)),
    "text for losses": table(1, epoch=np.ones(1, int), train_loss=["x"]),
    "best of nothing": table(
        1, epoch=np.ones(1, int), train_loss=np.ones(1), valid_loss_best=np.ones(1, bool)
    ),
}


@pytest.mark.parametrize("name", BOMBS)
def test_histories_that_claim_more_than_they_hold_are_refused_before_they_are_made(name):
    tracemalloc.start()
    with pytest.raises(ValueError, match="The saved history is damaged"):
        training_epochs(BOMBS[name])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20_000_000


@pytest.mark.parametrize("n_epochs", [100, 10_000])
def test_loading_takes_memory_in_proportion_to_what_is_stored(n_epochs):
    columns = {f"c{i}": np.ones(n_epochs, "?") for i in range(MOST_ENTRIES - 2)}
    most = table(
        n_epochs, epoch=np.arange(1, n_epochs + 1), train_loss=np.ones(n_epochs), **columns
    )
    stored = sum(column.nbytes for column in most[0]["columns"].values())
    tracemalloc.start()
    assert len(training_epochs(most)) == n_epochs
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 100 * stored
