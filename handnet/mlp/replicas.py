"""Many networks from their seeds: in chunks that stay in the cache, on every core."""

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

CHUNK, STEP = (
    64,
    8,
)  # replicas trained together: at most so many, in multiples of what the compiled backend takes at once
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
    """One network per seed, as `backend.fit` trains them with the plan called `draws`.

    A backend that keeps law 2 to the bit may train them in any company: it does so in chunks, on all cores
    unless `threads` says otherwise. Raises ValueError as plan and backend do."""
    whole = PLANS[draws](recipe, train, seeds)
    parts = chunks(len(seeds), threads or cores()) if backend.name in TO_THE_BIT else [slice(None)]
    if len(parts) == 1:
        with threadpool_limits(1, "blas"):  # of nets this small the products are faster on one thread
            return backend.fit(train, val, recipe, whole)
    plans = [PLANS[draws](recipe, train, seeds[part]) for part in parts]
    jobs = [partial(backend.fit, train, val, recipe, plan) for plan in plans]
    return joined(list(concurrently(jobs, threads)))


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def chunks(replicas: int, threads: int) -> list[slice]:
    """Slices of at most CHUNK replicas, nearly equal, at least one for each thread as long as there are STEP
    for it."""
    steps = -(-replicas // STEP)
    count = min(steps, max(threads, -(-replicas // CHUNK)))
    ends = [STEP * (steps * place // count) for place in range(count + 1)]
    return [slice(low, min(high, replicas)) for low, high in pairwise(ends)]


def concurrently(jobs: Iterable[Callable[[], T]], threads: int | None = None) -> Iterator[T]:
    """What the jobs give, in their order, worked on by as many threads as there are cores. When one raises,
    so does this, and those not begun are dropped."""
    threads = threads or cores()
    with threadpool_limits(1, "blas"):
        if threads == 1:
            yield from (job() for job in jobs)
            return
        with ThreadPoolExecutor(threads) as pool:
            yield from pool.map(lambda job: job(), jobs)


def joined(fits: Sequence[Fit]) -> Fit:
    """The replicas of several fits as one fit."""
    layers = tuple(
        Layer(*(np.concatenate(parts) for parts in zip(*same, strict=True)))
        for same in zip(*(fit.layers for fit in fits), strict=True)
    )
    return Fit(layers, *(np.concatenate(parts) for parts in zip(*(fit[1:] for fit in fits), strict=True)))
