"""Every random number of the project. No other file touches numpy.random.

A replica is made by its seed alone. The seed feeds separate streams (first weights, visiting orders, keep
masks), each with a generator of its own, so that one can be varied while the others stand still, and so that
a replica's numbers never depend on its neighbours, on the backend or on how many epochs follow.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np

from handnet.contract import EpochDraws, Layer, Plan, Recipe
from handnet.data import Array, Table

INIT, ORDER, DROPOUT, SEARCH, RESAMPLING, SIMULATION = range(
    6
)  # streams; the numbers are part of the results and never change
LARGEST_SEED = 2**32 - 1
AT_ONCE, TOGETHER = (
    10,
    10**6,
)  # drawn at once: at most so many epochs, and so many visits in all; no value depends on it
Generator = np.random.Generator


class Seed(NamedTuple):
    """One replica's seeds, one for each stream. A plain integer stands for the same seed in all three."""

    init: int
    order: int
    dropout: int


def generator(seed: int, stream: int) -> Generator:
    """The generator of one (seed, stream)."""
    return Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(stream,))))


def sampler_seed(study_seed: int, completed: int) -> int:
    """The seed of the sampler that proposes the configuration after `completed` ones: 32 bits, for Optuna."""
    return int(np.random.SeedSequence([study_seed, completed], spawn_key=(SEARCH,)).generate_state(1)[0])


def ensemble_seeds(random_state: Any, replicas: int) -> list[int]:
    """One seed for each replica, no two alike; fewer replicas get the first of them.

    random_state: as scikit-learn takes it: an int, the same seeds each time; a RandomState instance, or None
    for NumPy's global one, goes on. Raises ValueError for anything else."""
    from sklearn.utils import check_random_state

    numbers, seeds = check_random_state(random_state), dict[int, None]()
    while len(seeds) < replicas:
        seeds[int(numbers.randint(LARGEST_SEED + 1, dtype=np.uint32))] = None
    return list(seeds)


class Resamples(NamedTuple):
    """B bootstrap samples, as counts: how often each replica and each case was drawn."""

    seeds: Array  # (B, R) int, rows sum to R
    cases: Array  # (B, n) int, drawn within each class, so that every sample has the classes of the table


def resamples(seed: int, replicas: int, y: Array, count: int) -> Resamples:
    """`count` bootstrap samples of R replicas and of the cases with labels y (n,). The same arguments, the
    same draws; two sets of cases or replicas of one size get the same, so that what is compared is compared
    on common draws."""
    numbers = generator(seed, RESAMPLING)
    cases = np.zeros((count, len(y)), dtype=np.int64)
    for label in np.unique(y):
        which = np.flatnonzero(np.asarray(y) == label)
        cases[:, which] = recounts(numbers, len(which), count)
    return Resamples(recounts(numbers, replicas, count), cases)


def recounts(numbers: Generator, n: int, count: int) -> Array:
    """(count, n) int: how often each of n things comes up in n draws with replacement."""
    return numbers.multinomial(n, np.full(n, 1 / n), size=count)


def seeded_plan(recipe: Recipe, train: Table, seeds: Sequence[int | tuple[int, int, int]]) -> "SeededPlan":
    """The plan of one replica per seed.

    seeds: whole numbers from 0 to 2^32 - 1, or (init, order, dropout) triples of them, no two alike: a
    replica that ran twice would make every band too narrow. Raises ValueError otherwise.
    """
    replicas = tuple(_seed(entry) for entry in seeds)
    if not replicas:
        raise ValueError("seeds must name at least one replica, but the list is empty.")
    if len(set(replicas)) < len(replicas):
        twice = next(entry for entry in replicas if replicas.count(entry) > 1)
        raise ValueError(
            f"seeds must be unique, but {twice.init if len(set(twice)) == 1 else tuple(twice)} comes twice."
        )
    rows, columns = train.X.shape
    return SeededPlan(recipe, rows, columns, replicas)


def _seed(entry: int | tuple[int, int, int]) -> Seed:
    parts = entry if isinstance(entry, tuple) else (entry,) * 3
    whole = all(isinstance(part, (Integral, np.integer)) and not isinstance(part, bool) for part in parts)
    if len(parts) != 3 or not whole or not all(0 <= part <= LARGEST_SEED for part in parts):
        raise ValueError(
            f"a seed must be a whole number from 0 to {LARGEST_SEED}, or three of them, but got {entry!r}."
        )
    return Seed(*(int(part) for part in parts))


@dataclass(frozen=True)
class SeededPlan:
    """A Plan drawn from seeds. Draws are made epoch by epoch, when asked for, and are the same at each
    asking."""

    recipe: Recipe
    rows: int
    columns: int
    seeds: tuple[Seed, ...]

    def start(self) -> tuple[Layer, ...]:
        """Glorot uniform weights (Glorot & Bengio 2010: limit sqrt(6 / (fan_in + fan_out))), zero biases."""
        generators = [generator(seed.init, INIT) for seed in self.seeds]
        widths = (self.columns, *self.recipe.hidden, 1)
        return tuple(_glorot(generators, fan_in, fan_out) for fan_in, fan_out in pairwise(widths))

    def epochs(self) -> Iterator[EpochDraws]:
        """Orders, and keep masks for the first hidden layer; later layers have no dropout and keep every
        unit."""
        orders = [generator(seed.order, ORDER) for seed in self.seeds]
        masks = [generator(seed.dropout, DROPOUT) for seed in self.seeds]
        first, *later = self.recipe.hidden
        everything = tuple(self._all_kept(width) for width in later)
        some = max(1, min(AT_ONCE, TOGETHER // (len(self.seeds) * self.rows)))
        for epoch in range(0, self.recipe.epochs, some):
            count = min(some, self.recipe.epochs - epoch)
            order = np.empty((count, len(orders), self.rows), dtype=np.int64)
            for place, stream in enumerate(
                orders
            ):  # row by row `permuted` gives what as many calls of `permutation` give
                order[:, place] = stream.permuted(
                    np.broadcast_to(np.arange(self.rows), (count, self.rows)), axis=1
                )
            for each, keep in zip(order, self._keep(masks, first, count), strict=True):
                yield EpochDraws(each, (keep, *everything))

    def _keep(self, masks: list[Generator], width: int, count: int) -> Iterable[Array]:
        """A unit is kept when its 16 random bits reach 65536 * dropout. The bits do not depend on the rate,
        so a unit kept at a high rate is kept at every lower one: configurations are compared on common random
        numbers."""
        if self.recipe.dropout == 0:
            return [self._all_kept(width)] * count
        keep = np.empty((count, len(masks), self.rows * width), dtype=bool)
        for place, stream in enumerate(masks):
            np.greater_equal(
                _bits16(stream, self.rows * width, count),
                round(65536 * self.recipe.dropout),
                out=keep[:, place],
            )
        return keep.reshape(count, len(masks), self.rows, width)

    def _all_kept(self, width: int) -> Array:
        return np.broadcast_to(np.True_, (len(self.seeds), self.rows, width))


def _glorot(generators: list[Generator], fan_in: int, fan_out: int) -> Layer:
    limit = np.sqrt(6 / (fan_in + fan_out))
    weight = np.stack([stream.uniform(-limit, limit, (fan_in, fan_out)) for stream in generators])
    return Layer(weight, np.zeros((len(generators), 1, fan_out)))


def _bits16(stream: Generator, numbers: int, epochs: int) -> Array:
    """(epochs, numbers) of 16 random bits, four from each 64-bit word of the stream; each epoch begins a new
    word."""
    words = stream.bit_generator.random_raw(epochs * -(-numbers // 4)).astype("<u8", copy=False)
    return words.view("<u2").reshape(epochs, -1)[:, :numbers]


# Draws that a device can make itself: every number a function of (seed, stream, epoch, counter), nothing
# drawn in turn.


def counted_plan(recipe: Recipe, train: Table, seeds: Sequence[int | tuple[int, int, int]]) -> "CountedPlan":
    """A plan whose orders and masks are computed from counters, by whoever does the arithmetic, all replicas
    at once.

    The laws of `seeded_plan` hold, but the numbers are others, so results name the plan they were made with.
    Worth it from about ten thousand replicas on, where drawing here would keep a device waiting. Raises
    ValueError as seeded_plan does, and beyond 2^20 train rows."""
    plan = seeded_plan(recipe, train, seeds)
    if plan.rows > 2**20:
        raise ValueError(
            f"a counted plan orders at most {2**20} train rows, but there are {plan.rows}; use seeded_plan."
        )
    return CountedPlan(plan)


@dataclass(frozen=True)
class CountedPlan:
    """A DevicePlan. First weights are those of the seeded plan; orders and masks come from a hash of
    counters."""

    seeded: SeededPlan

    def start(self) -> tuple[Layer, ...]:
        """Glorot uniform weights, zero biases."""
        return self.seeded.start()

    def epochs(self) -> Iterator[EpochDraws]:
        """The draws of each epoch, made here."""
        return self.epochs_on(np)

    def epochs_on(self, ops: Any) -> Iterator[EpochDraws]:
        """The same draws, made with the array functions of a device: integer arithmetic, so equal to the
        bit."""
        plan = self.seeded
        first, *later = plan.recipe.hidden
        everything = tuple(plan._all_kept(width) for width in later)
        places = np.arange(plan.rows, dtype=np.int64)
        threshold = np.int64(round(65536 * plan.recipe.dropout))
        for epoch in range(plan.recipe.epochs):
            words = _hashed(ops, [seed.order for seed in plan.seeds], ORDER, epoch, plan.rows)
            # The place breaks ties between words, so that any sort gives the same order.
            order = ops.argsort(ops.add(ops.multiply(words, np.int64(2**20)), places), axis=1)
            words = _hashed(ops, [seed.dropout for seed in plan.seeds], DROPOUT, epoch, plan.rows * first)
            keep = ops.greater_equal(ops.right_shift(words, np.int64(16)), threshold)
            yield EpochDraws(order, (ops.reshape(keep, (len(plan.seeds), plan.rows, first)), *everything))


PLANS: dict[str, Callable[..., Plan]] = {"seeded": seeded_plan, "counted": counted_plan}


def _hashed(ops: Any, seeds: Sequence[int], stream: int, epoch: int, count: int) -> Any:
    """(R, count) int64 words of 32 random bits: a function of seed, stream, epoch and counter alone."""
    counters = np.arange(count, dtype=np.int64)
    replicas = np.array(seeds, dtype=np.int64)[:, None]
    key = _mixed(ops, ops.bitwise_xor(_mixed(ops, replicas), np.int64(stream + 1)))
    key = _mixed(ops, ops.bitwise_xor(key, np.int64(epoch + 1)))
    return _mixed(ops, ops.bitwise_xor(_mixed(ops, ops.add(key, counters)), key))


def _mixed(ops: Any, x: Any) -> Any:
    """A 32-bit integer hash (Wellons 2018, "lowbias32"), on int64 because every engine multiplies those
    alike."""
    low = np.int64(0xFFFFFFFF)
    x = ops.bitwise_and(x, low)
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
        x = ops.bitwise_xor(x, ops.right_shift(x, np.int64(shift)))
        x = ops.bitwise_and(ops.multiply(x, np.int64(factor)), low)
    return ops.bitwise_xor(x, ops.right_shift(x, np.int64(16)))
