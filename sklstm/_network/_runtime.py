"""How many threads torch computes with, while it computes for us.

Sums that torch shares among threads have other bits on more of them, and on small networks
its threads wait for each other longer than they compute; beside a busy process, many times
longer. So torch computes with one thread, and what is large is cut into parts, by its shape
alone, that several threads of our own take as they become free: as many as torch had
before. A part has the bits of one thread, and parts are joined in order.
"""

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import chain, islice
from typing import TypeVar

import torch

Item = TypeVar("Item")
Result = TypeVar("Result")

_process = os.getpid()
_lock = threading.Lock()
_n_threads_inside = 0
_n_before = 0
_here = threading.local()
_pools: dict[int, ThreadPoolExecutor] = {}


@contextmanager
def one_thread() -> Iterator[None]:
    """One torch thread, and as many parts of `ordered_map` at a time as torch had threads.

    torch keeps a count for every thread that calls it, and one for threads to come. Fits
    side by side share the change: the first to come remembers the count before it, and each
    takes it back for its own thread.
    """
    _survive_fork()
    if getattr(_here, "is_inside", False):
        yield
        return
    _enter()
    try:
        yield
    finally:
        _leave()


def ordered_map(
    function: Callable[[Item], Result], items: Iterable[Item]
) -> Iterator[Result]:
    """The results in the order of the items, of which several are computed at a time.

    `function` runs in other threads, which have torch's modes (`no_grad`) of their own.
    """
    items = iter(items)
    first_two = list(islice(items, 2))
    is_inside = getattr(_here, "is_inside", False)
    if len(first_two) < 2 or not is_inside or _n_before == 1:
        yield from map(function, chain(first_two, items))
        return
    n_threads, pending = _n_before, deque[Future[Result]]()
    pool = _threads(n_threads)
    try:
        for item in chain(first_two, items):
            pending.append(pool.submit(function, item))
            if len(pending) > 2 * n_threads:  # results that wait to be joined take memory
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        for result in pending:
            result.cancel()


def _threads(n_threads: int) -> ThreadPoolExecutor:
    """So many threads of one torch thread each, kept for the next call."""
    with _lock:
        if n_threads not in _pools:
            _pools[n_threads] = ThreadPoolExecutor(n_threads, "sklstm")
            all_there = threading.Barrier(n_threads)

            def start() -> None:
                torch.set_num_threads(1)
                all_there.wait()

            # All at once: a count set later would be taken for that of threads to come.
            for started in [_pools[n_threads].submit(start) for _ in range(n_threads)]:
                started.result()
        return _pools[n_threads]


def _survive_fork() -> None:
    """A forked child of a process with several torch threads hangs with more than one."""
    global _process, _n_threads_inside, _lock
    if os.getpid() != _process:
        _process, _n_threads_inside, _here.is_inside = os.getpid(), 0, False
        _lock = threading.Lock()  # neither the threads nor those who held it came along
        _pools.clear()
        torch.set_num_threads(1)


def _enter() -> None:
    global _n_threads_inside, _n_before
    with _lock:
        if _n_threads_inside == 0:
            _n_before = torch.get_num_threads()
        _n_threads_inside += 1
    _here.is_inside = True
    torch.set_num_threads(1)


def _leave() -> None:
    global _n_threads_inside
    _here.is_inside = False
    with _lock:
        _n_threads_inside -= 1
        torch.set_num_threads(_n_before)


def resolve_device(device: str) -> str:
    """The name of the torch device; CUDA where there is one for "auto"."""
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
