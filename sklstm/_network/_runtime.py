"""Where the network computes: the device, one thread of torch's, and torch's modes.

Sums that torch shares among threads have other bits on more of them, and on small networks
its threads wait for each other longer than they compute; beside a busy process, many times
longer. So torch computes with one thread here, and what is large is cut into parts, by its
shape alone, that several threads of our own take as they become free: as many as torch has
in the calling thread. A part has the bits of one thread, and parts are joined in order.

torch keeps a count of threads for each thread that asks for it, and one that new threads
start from. `torch.set_num_threads` sets both; here only the former changes.
"""

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import torch

Item = TypeVar("Item")
Result = TypeVar("Result")

_lock = threading.Lock()
_local = threading.local()  # n_workers: threads of a pool, inside `one_thread`
_pools: dict[int, ThreadPoolExecutor] = {}
_is_forked = False


def resolve_device(device: str) -> str:
    """Return the name of the torch device; for "auto", CUDA if available."""
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.ones(1, device=device).item()
    except (RuntimeError, AssertionError, ImportError) as error:
        raise ValueError(
            f"device={device!r} can not be used here: {error}. Use 'auto', 'cpu', or a "
            "device that this torch has."
        ) from error
    return device


@contextmanager
def training_modes() -> Iterator[None]:
    """Compute gradients in float32, whatever modes of torch are on around the call."""
    with (
        torch.inference_mode(False),
        torch.enable_grad(),
        torch.autocast("cpu", enabled=False),
    ):
        if torch.cuda.is_available():
            with torch.autocast("cuda", enabled=False):
                yield
        else:
            yield


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch compute with one thread, and `ordered_map` with as many as torch had.

    The count of the calling thread is afterwards what it was.
    """
    n_threads = _own_count()
    if n_threads == 1:
        yield
        return
    outer = getattr(_local, "n_workers", 1)
    _set_own_count(1)
    _local.n_workers = n_threads
    try:
        yield
    finally:
        _local.n_workers = outer
        _set_own_count(n_threads)


def ordered_map(
    function: Callable[[Item], Result], items: Iterable[Item]
) -> Iterator[Result]:
    """Yield the results in the order of the items, several of them computed at a time.

    `function` always runs with one torch thread: in this thread where it has no more, else
    in those of a pool, which have torch's modes (`no_grad`) of their own.
    """
    n_threads = max(_own_count(), getattr(_local, "n_workers", 1))
    if n_threads == 1:
        yield from map(function, items)
        return
    pool, pending = _pool(n_threads), deque[Future[Result]]()
    try:
        for item in items:
            pending.append(pool.submit(function, item))
            if len(pending) > 2 * n_threads:  # results that wait to be joined take memory
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        for result in pending:
            result.cancel()


def _pool(n_threads: int) -> ThreadPoolExecutor:
    """Return so many threads of one torch thread each, kept for the next call."""
    with _lock:
        if n_threads not in _pools:
            _pools[n_threads] = ThreadPoolExecutor(
                n_threads, "sklstm", initializer=_set_own_count, initargs=(1,)
            )
        return _pools[n_threads]


def _own_count() -> int:
    """Return how many threads torch has in this thread, which from now on it keeps.

    A thread takes the count of new threads when it first asks, which may be in the middle
    of a parallel operation. Here it asks while no other thread is changing that count.
    """
    _survive_fork()
    with _count_lock:
        return torch.get_num_threads()


# Held while the count of new threads is not what it should be.
_count_lock = threading.RLock()


def _set_own_count(n_threads: int) -> None:
    """Set the count of this thread, and leave that of new threads as it is.

    torch has no such call: a thread of our own reads the latter before and sets it after.
    """
    with _count_lock:
        torch.get_num_threads()  # or the first parallel operation would set it once more
        is_read, is_set = threading.Event(), threading.Event()

        def put_back() -> None:
            count_of_new_threads = torch.get_num_threads()
            is_read.set()
            is_set.wait()
            torch.set_num_threads(count_of_new_threads)

        keeper = threading.Thread(target=put_back, name="sklstm-count", daemon=True)
        keeper.start()
        try:
            is_read.wait()
            torch.set_num_threads(n_threads)
        finally:
            is_set.set()
            keeper.join()


def _survive_fork() -> None:
    """Compute with one thread in a forked child, which would hang with more."""
    global _is_forked
    if _is_forked:
        _is_forked = False
        torch.set_num_threads(1)


def _forget_threads() -> None:
    """Forget what a forked child has not got: threads, and locks that they held."""
    global _lock, _count_lock, _local, _is_forked
    _lock, _count_lock, _local = threading.Lock(), threading.RLock(), threading.local()
    _pools.clear()
    _is_forked = True


if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(after_in_child=_forget_threads)
