"""Every random number of the project. No other file touches numpy.random.

A replica depends on its seed alone. The seed feeds separate streams (first weights, visiting orders, keep
masks), each with a generator of its own, so that one can be varied while the others stay the same, and a
replica's numbers never depend on its neighbours, on the backend or on how many epochs follow.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np

from handnet.contract import EpochDraws, Layer, Plan, Recipe
from handnet.data import Array, Table

# The streams. Their numbers are part of the results and never change.
INIT, ORDER, DROPOUT, SEARCH, RESAMPLING, SIMULATION = range(6)
LARGEST_SEED = 2**32 - 1
# How much is drawn at once; no value depends on it.
MOST_EPOCHS, MOST_VISITS = 10, 10**6
Generator = np.random.Generator


class Seed(NamedTuple):
    """The seed of each stream of one replica. A plain integer stands for the same seed in all three."""

    init: int
    order: int
    dropout: int


def generator(seed: int, stream: int) -> Generator:
    """The NumPy generator of one (seed, stream)."""
    return Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(stream,))))


def sampler_seed(study_seed: int, completed: int) -> int:
    """The seed of the sampler that proposes the configuration after `completed` ones: 32 bits, for Optuna."""
    return int(np.random.SeedSequence([study_seed, completed], spawn_key=(SEARCH,)).generate_state(1)[0])


def ensemble_seeds(random_state: Any, replicas: int) -> list[int]:
    """One seed for each replica, no two alike; fewer replicas get the first of them.

    random_state: as in scikit-learn. An int gives the same seeds each time; a RandomState instance, or None
    for NumPy's global one, gives fresh ones. Raises ValueError for anything else.
    """
    from sklearn.utils import check_random_state

    numbers, seeds = check_random_state(random_state), dict[int, None]()
    while len(seeds) < replicas:
        seeds[int(numbers.randint(LARGEST_SEED + 1, dtype=np.uint32))] = None
    return list(seeds)


class Resamples(NamedTuple):
    """B bootstrap samples, as counts: how often each replica and each case was drawn."""

    seeds: Array  # (B, R) int, rows sum to R
    cases: Array  # (B, n) int, drawn within each class, so that every sample has the classes of the table


def resamples(seed: int, replicas: int, y: Array, count: int, groups: Array | None = None) -> Resamples:
    """`count` bootstrap samples of R replicas and of the cases with labels or numbers y (n,).

    Equal arguments give equal draws, and sets of one size share them: comparisons on common random numbers.

    groups: (n,) int; the cases of a group are drawn together, within each mix of classes that groups hold, so
    that every sample has the classes of the table. Many classes have too many mixes: there groups are drawn
    within the rarest class that they hold. Numbers (floats) are drawn among all.
    """
    numbers = generator(seed, RESAMPLING)
    cases = _drawn_cases(numbers, y, count, groups, stages=1)
    return Resamples(bootstrap_counts(numbers, replicas, count), cases)


def further(seed: int, replicas: int, y: Array, count: int, groups: Array | None = None) -> Resamples:
    """`count` samples of what may come next: one of R replicas, and as many cases drawn from drawn ones.

    The cases are drawn twice. The first draw stands for not knowing the law of the cases, the second for the
    luck of the next ones; one draw alone has half of that variance. y, groups: (n,), as in `resamples`.
    """
    numbers = generator(seed, RESAMPLING)
    cases = _drawn_cases(numbers, y, count, groups, stages=2)
    return Resamples(numbers.multinomial(1, np.full(replicas, 1 / replicas), size=count), cases)


def _drawn_cases(numbers: Generator, y: Array, count: int, groups: Array | None, stages: int) -> Array:
    """How often each case is drawn, (count, n) int; stages: how many times over, each from the one before."""
    names, place = np.unique(np.arange(len(y)) if groups is None else groups, return_inverse=True)
    strata = _strata(np.asarray(y), place)
    drawn = np.zeros((count, len(names)), dtype=np.int64)
    for stratum in np.unique(strata):
        members = np.flatnonzero(strata == stratum)
        for stage in range(stages):
            of = drawn[:, members] / len(members) if stage else np.full(len(members), 1 / len(members))
            drawn[:, members] = numbers.multinomial(len(members), of, size=count)
    return drawn[:, place]


def _strata(y: Array, place: Array) -> Array:
    """The stratum (G,) of each group, by the rules of `resamples`. y: (n,); place: (n,) int, the groups."""
    if np.issubdtype(y.dtype, np.floating):
        return np.zeros(place.max() + 1, dtype=np.int64)
    labels, of_label = np.unique(y, return_inverse=True)
    holds = np.zeros((place.max() + 1, len(labels)), dtype=np.int64)
    holds[place, of_label] = 1
    if len(labels) == 2:
        return np.asarray(holds @ np.array([1, 2]))
    rarest = np.argsort(holds.sum(axis=0), kind="stable")  # first, by the number of groups that hold it
    return np.asarray(holds[:, rarest].argmax(axis=1))


def bootstrap_counts(numbers: Generator, n: int, count: int) -> Array:
    """How often each of n items comes up in n draws with replacement, (count, n) int."""
    return numbers.multinomial(n, np.full(n, 1 / n), size=count)


def redrawn(numbers: Generator, n: int, groups: Array | None) -> tuple[Array, Array | None]:
    """As many of n cases drawn with replacement, (n,) int; of groups (n,) int whole ones are drawn, and the
    second array says of which draw each case is."""
    if groups is None:
        return numbers.integers(n, size=n), None
    names = np.unique(groups)
    members = [np.flatnonzero(groups == name) for name in numbers.choice(names, size=len(names))]
    return np.concatenate(members), np.repeat(np.arange(len(names)), list(map(len, members)))


def seeded_plan(recipe: Recipe, train: Table, seeds: Sequence[int | tuple[int, int, int]]) -> "SeededPlan":
    """The plan of one replica per seed, for train rows (n, features).

    seeds: whole numbers from 0 to 2^32 - 1, or (init, order, dropout) triples of them, no two alike: a
    replica that ran twice would make every band too narrow. Raises ValueError otherwise.
    """
    replicas = tuple(_seed(entry) for entry in seeds)
    if not replicas:
        raise ValueError("seeds must name at least one replica, but the list is empty.")
    if len(set(replicas)) < len(replicas):
        seed = next(entry for entry in replicas if replicas.count(entry) > 1)
        shown = seed.init if len(set(seed)) == 1 else tuple(seed)
        raise ValueError(f"seeds must be unique, but {shown} comes twice.")
    rows, columns = train.X.shape
    return SeededPlan(recipe, rows, columns, replicas)


def _seed(entry: int | tuple[int, int, int]) -> Seed:
    parts = entry if isinstance(entry, tuple) else (entry,) * 3
    integers = all(isinstance(part, (Integral, np.integer)) and not isinstance(part, bool) for part in parts)
    if len(parts) != 3 or not integers or not all(0 <= part <= LARGEST_SEED for part in parts):
        raise ValueError(
            f"a seed must be a whole number from 0 to {LARGEST_SEED}, or three of them, but got {entry!r}."
        )
    return Seed(*(int(part) for part in parts))


@dataclass(frozen=True)
class SeededPlan:
    """A Plan drawn from seeds, epoch by epoch, with the same draws in every iteration."""

    recipe: Recipe
    rows: int  # of the train table
    columns: int
    seeds: tuple[Seed, ...]  # (R,)

    def start(self) -> tuple[Layer, ...]:
        """Glorot uniform weights (Glorot & Bengio 2010: limit sqrt(6 / (fan_in + fan_out))), zero biases."""
        generators = [generator(seed.init, INIT) for seed in self.seeds]
        widths = (self.columns, *self.recipe.hidden, self.recipe.outputs)
        return tuple(_glorot(generators, fan_in, fan_out) for fan_in, fan_out in pairwise(widths))

    def epochs(self) -> Iterator[EpochDraws]:
        """Visiting orders, and keep masks of the first hidden layer; later layers keep every unit."""
        orders = [generator(seed.order, ORDER) for seed in self.seeds]
        masks = [generator(seed.dropout, DROPOUT) for seed in self.seeds]
        first, *later = self.recipe.hidden
        later_keep = tuple(self._all_kept(width) for width in later)
        step = max(1, min(MOST_EPOCHS, MOST_VISITS // (len(self.seeds) * self.rows)))
        for epoch in range(0, self.recipe.epochs, step):
            count = min(step, self.recipe.epochs - epoch)
            draws = zip(self._orders(orders, count), self._keep(masks, first, count), strict=True)
            for order, keep in draws:
                yield EpochDraws(order, (keep, *later_keep))

    def _orders(self, streams: list[Generator], count: int) -> Array:
        """The visiting orders of the next `count` epochs, (count, R, n) int."""
        rows = np.broadcast_to(np.arange(self.rows), (count, self.rows))
        order = np.empty((count, len(streams), self.rows), dtype=np.int64)
        for place, stream in enumerate(streams):
            # Row by row this gives the same numbers as `count` calls of `permutation`.
            order[:, place] = stream.permuted(rows, axis=1)
        return order

    def _keep(self, streams: list[Generator], width: int, count: int) -> Iterable[Array]:
        """The keep masks of the next `count` epochs, each (R, n, width) bool.

        A unit is kept when its 16 random bits reach 65536 * dropout. The bits do not depend on the rate, so a
        unit kept at a high rate is kept at every lower one: configurations share their random numbers.
        """
        if self.recipe.dropout == 0:
            return [self._all_kept(width)] * count
        threshold, numbers = round(65536 * self.recipe.dropout), self.rows * width
        keep = np.empty((count, len(streams), numbers), dtype=bool)
        for place, stream in enumerate(streams):
            np.greater_equal(_bits16(stream, numbers, count), threshold, out=keep[:, place])
        return keep.reshape(count, len(streams), self.rows, width)

    def _all_kept(self, width: int) -> Array:
        """A mask (R, n, width) that keeps every unit."""
        return np.broadcast_to(np.True_, (len(self.seeds), self.rows, width))


def _glorot(generators: list[Generator], fan_in: int, fan_out: int) -> Layer:
    """One layer of R networks, weights (R, fan_in, fan_out), from the generator of each."""
    limit = np.sqrt(6 / (fan_in + fan_out))
    weight = np.stack([stream.uniform(-limit, limit, (fan_in, fan_out)) for stream in generators])
    return Layer(weight, np.zeros((len(generators), 1, fan_out)))


def _bits16(stream: Generator, numbers: int, epochs: int) -> Array:
    """16 random bits each, (epochs, numbers), four from a 64-bit word; each epoch begins a new word."""
    words = stream.bit_generator.random_raw(epochs * -(-numbers // 4)).astype("<u8", copy=False)
    return words.view("<u2").reshape(epochs, -1)[:, :numbers]


# Draws that a device can make itself: every number is a function of (seed, stream, epoch, counter).


def counted_plan(recipe: Recipe, train: Table, seeds: Sequence[int | tuple[int, int, int]]) -> "CountedPlan":
    """A plan whose orders and masks the device computes from counters, for all replicas at once.

    The laws of `seeded_plan` hold, but the numbers differ, so results name the plan they were made with. It
    pays from about ten thousand replicas on, where drawing in NumPy would keep a device waiting.
    Raises ValueError as `seeded_plan` does, and for more than 2^20 train rows.
    """
    plan = seeded_plan(recipe, train, seeds)
    if plan.rows > 2**20:
        raise ValueError(
            f"a counted plan orders at most {2**20} train rows, but there are {plan.rows}; use seeded_plan."
        )
    return CountedPlan(plan)


@dataclass(frozen=True)
class CountedPlan:
    """A DevicePlan: first weights as in the seeded plan, orders and masks from a hash of counters."""

    seeded: SeededPlan

    def start(self) -> tuple[Layer, ...]:
        """Glorot uniform weights, zero biases, as in `SeededPlan`."""
        return self.seeded.start()

    def epochs(self) -> Iterator[EpochDraws]:
        """The draws of each epoch, made in NumPy."""
        return self.epochs_on(np)

    def epochs_on(self, ops: Any) -> Iterator[EpochDraws]:
        """The same draws to the bit, made with a device's array functions in integer arithmetic."""
        plan = self.seeded
        first, *later = plan.recipe.hidden
        later_keep = tuple(plan._all_kept(width) for width in later)
        places = np.arange(plan.rows, dtype=np.int64)
        threshold = np.int64(round(65536 * plan.recipe.dropout))
        order_seeds = [seed.order for seed in plan.seeds]
        dropout_seeds = [seed.dropout for seed in plan.seeds]
        for epoch in range(plan.recipe.epochs):
            words = _hash_words(ops, order_seeds, ORDER, epoch, plan.rows)
            # The place breaks ties between words, so that any sort gives the same order.
            order = ops.argsort(ops.add(ops.multiply(words, np.int64(2**20)), places), axis=1)
            words = _hash_words(ops, dropout_seeds, DROPOUT, epoch, plan.rows * first)
            keep = ops.greater_equal(ops.right_shift(words, np.int64(16)), threshold)
            yield EpochDraws(order, (ops.reshape(keep, (len(plan.seeds), plan.rows, first)), *later_keep))


PLANS: dict[str, Callable[..., Plan]] = {"seeded": seeded_plan, "counted": counted_plan}


def _hash_words(ops: Any, seeds: Sequence[int], stream: int, epoch: int, count: int) -> Any:
    """(R, count) int64 words of 32 random bits: a function of seed, stream, epoch and counter alone."""
    counters = np.arange(count, dtype=np.int64)
    replicas = np.array(seeds, dtype=np.int64)[:, None]
    key = _hash32(ops, ops.bitwise_xor(_hash32(ops, replicas), np.int64(stream + 1)))
    key = _hash32(ops, ops.bitwise_xor(key, np.int64(epoch + 1)))
    return _hash32(ops, ops.bitwise_xor(_hash32(ops, ops.add(key, counters)), key))


def _hash32(ops: Any, x: Any) -> Any:
    """A 32-bit integer hash of x, any shape (Wellons 2018, "lowbias32").

    It works on int64, because every engine multiplies those alike.
    """
    low = np.int64(0xFFFFFFFF)
    x = ops.bitwise_and(x, low)
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
        x = ops.bitwise_xor(x, ops.right_shift(x, np.int64(shift)))
        x = ops.bitwise_and(ops.multiply(x, np.int64(factor)), low)
    return ops.bitwise_xor(x, ops.right_shift(x, np.int64(16)))
