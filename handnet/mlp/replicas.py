"""Many networks from their seeds, in chunks that stay in the cache, on every core."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import pairwise
from typing import TypeVar

import numpy as np
from threadpoolctl import threadpool_limits

from handnet.contract import TO_THE_BIT, Backend, Fit, Layer, Recipe
from handnet.data import Table
from handnet.draws import PLANS

# Replicas trained together: at most CHUNK, in multiples of STEP, which the compiled backend takes at once.
CHUNK, STEP = 64, 8
T = TypeVar("T")


def train_replicas(
    backend: Backend,
    train: Table,
    val: Table,
    recipe: Recipe,
    seeds: Sequence[int | tuple[int, int, int]],
    draws: str = "seeded",
    threads: int | None = None,
) -> Fit:
    """Train one network per seed, with the plan called `draws`: "seeded" or "counted".

    train, val: scaled tables (n, features). A backend that keeps law 2 to the bit trains them in chunks, on
    `threads` threads, all cores by default. Raises ValueError as the plan and the backend do.
    """
    jobs = _jobs(backend, train, val, recipe, seeds, draws, threads or cores())
    return joined(list(concurrently(jobs, min(threads or cores(), len(jobs)))))


def train_here(
    backend: Backend,
    train: Table,
    val: Table,
    recipe: Recipe,
    seeds: Sequence[int | tuple[int, int, int]],
    draws: str,
) -> Fit:
    """The networks of `train_replicas`, trained in this thread.

    train, val: scaled tables (n, features). The caller sees to it that NumPy's products use one thread, which
    holds for all threads of a process. Raises ValueError as the plan and the backend do.
    """
    return joined([job() for job in _jobs(backend, train, val, recipe, seeds, draws, 1)])


def _jobs(
    backend: Backend,
    train: Table,
    val: Table,
    recipe: Recipe,
    seeds: Sequence[int | tuple[int, int, int]],
    draws: str,
    threads: int,
) -> list[Callable[[], Fit]]:
    """A fit for each chunk of the seeds."""
    plan = PLANS[draws](recipe, train, seeds)  # checks the seeds, all together
    parts = chunks(len(seeds), threads) if backend.name in TO_THE_BIT else [slice(None)]
    plans = [PLANS[draws](recipe, train, seeds[part]) for part in parts] if len(parts) > 1 else [plan]
    return [partial(backend.fit, train, val, recipe, plan) for plan in plans]


def cores() -> int:
    """The number of cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def chunks(replicas: int, threads: int) -> list[slice]:
    """Slices of at most 64 replicas, nearly equal, one or more for each thread with at least 8 in each."""
    steps = -(-replicas // STEP)
    count = min(steps, max(threads, -(-replicas // CHUNK)))
    ends = [STEP * (steps * place // count) for place in range(count + 1)]
    return [slice(low, min(high, replicas)) for low, high in pairwise(ends)]


def concurrently(jobs: Iterable[Callable[[], T]], threads: int | None = None) -> Iterator[T]:
    """The results of the jobs, in their order, computed on `threads` threads, all cores by default.

    When a job raises, so does this, and the jobs that have not begun are dropped.
    """
    threads = threads or cores()
    with threadpool_limits(1, "blas"):  # of nets this small the products are faster on one thread
        if threads == 1:
            yield from (job() for job in jobs)
            return
        with ThreadPoolExecutor(threads) as pool:
            yield from pool.map(lambda job: job(), jobs)


def joined(fits: Sequence[Fit]) -> Fit:
    """The replicas of several fits as one fit, in their order; every array keeps its other axes."""
    if len(fits) == 1:
        return fits[0]
    depths = zip(*(fit.layers for fit in fits), strict=True)
    layers = tuple(Layer(*map(np.concatenate, zip(*layer, strict=True))) for layer in depths)
    return Fit(layers, *map(np.concatenate, zip(*(fit[1:] for fit in fits), strict=True)))
