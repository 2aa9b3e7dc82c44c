"""Two or more things timed in one run, by turns, so that a busy moment meets them all."""

import statistics
import time

# `--cpu-time` sets it to time.thread_time, for one thread on a machine that others use.
CLOCK = time.perf_counter


def times_by_turns(functions, *, n_rounds, clock=None):
    """Seconds of each function in each round, after one round to warm up."""
    clock = clock or CLOCK
    seconds = {name: [] for name in functions}
    for function in functions.values():
        function()
    for _ in range(n_rounds):
        for name, function in functions.items():
            start = clock()
            function()
            seconds[name].append(clock() - start)
    return seconds


def print_ratios(title, seconds, *, per=1, unit="ms", limits=None):
    """A table of the least times, and of their ratios to the first, which is 1.

    `per` divides the times (steps, windows); `limits` are the ratios asked for.
    """
    scale = {"s": 1, "ms": 1e3, "us": 1e6}[unit]
    base = min(next(iter(seconds.values())))
    print(f"\n{title}")
    print(f"{'':<34}{unit:>12}{'ratio':>9}{'median':>9}{'asked':>9}")
    median_base = statistics.median(next(iter(seconds.values())))
    for name, values in seconds.items():
        least, median = min(values), statistics.median(values)
        limit = (limits or {}).get(name, "")
        print(
            f"{name:<34}{least / per * scale:>12.4g}{least / base:>9.3f}"
            f"{median / median_base:>9.3f}{limit:>9}"
        )
    return {name: min(values) / base for name, values in seconds.items()}
