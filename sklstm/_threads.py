"""How many threads torch computes with, while it computes for us."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch

_process = os.getpid()
_lock = threading.Lock()
_n_threads_inside = 0
_n_before = 0
_here = threading.local()


@contextmanager
def one_thread() -> Iterator[None]:
    """One torch thread: sums on more have other bits, and workers have fewer than others.

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


def _survive_fork() -> None:
    """A forked child of a process with several torch threads hangs with more than one."""
    global _process, _n_threads_inside
    if os.getpid() != _process:
        _process, _n_threads_inside, _here.is_inside = os.getpid(), 0, False
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
