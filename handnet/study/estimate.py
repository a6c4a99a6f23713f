"""How long the stages of a study of the network by hand would take, from a few units that are timed."""

import heapq
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from handnet.contract import Recipe
from handnet.splits import split
from handnet.study.configuration import Configuration
from handnet.study.rivals import rivals
from handnet.study.search import search_of
from handnet.study.settings import MLP, Settings
from handnet.study.space import Range
from handnet.study.units import Problem

BY_HAND = Configuration(MLP, {}, {})
LONG_ENOUGH = 0.1  # seconds of fitting from which a speed is measured
# Seconds of the one process that proposes, stores and writes: rounded from a few runs on one machine in 2026,
# and not measured where a study is estimated.
PROPOSE, STORE, TELL = 0.002, 0.001, 0.0005  # a configuration; a file of results; a trial


class Batch(NamedTuple):
    """Work that is known together: seconds of each unit on a worker; of the coordinator, before the units and
    after each result."""

    units: Sequence[float]
    before: float = 0.0
    after: float = STORE


class Work(NamedTuple):
    """One stage of a study."""

    stage: str
    networks: int
    how: str
    batches: Sequence[Batch]


class Prices(NamedTuple):
    """What is timed for an estimate: seconds of an epoch by the networks in a unit; of dividing the
    table and fitting the rivals."""

    epoch: Mapping[int, float]
    division: float

    def unit(self, networks: int, epochs: float) -> float:
        """Seconds of so many networks, trained together."""
        return self.epoch[networks] * epochs


def elapsed(batches: Iterable[Batch], workers: int, ahead: int) -> float:
    """The seconds of batches, one after the other, on so many workers: a simulation of `in_order`.

    ahead: how many units are in flight at once."""
    free, now = [0.0] * workers, 0.0
    for batch in batches:
        now += batch.before
        taken: list[float] = []  # when the coordinator has each result
        for place, seconds in enumerate(batch.units):
            submitted = taken[place - ahead] if place >= ahead else now
            end = max(submitted, heapq.heappop(free)) + seconds
            heapq.heappush(free, end)
            taken.append(max(end, taken[-1] if taken else now) + batch.after)
        now = taken[-1] if taken else now
    return now


def work(
    settings: Settings, problem: Problem, opened: bool, prices: Prices, tried: Sequence[float] = ()
) -> list[Work]:
    """What each stage trains. opened: whether the test is opened, which fresh divisions wait for.

    tried: the epochs of each configuration of the search, the winner's last, where they are known."""
    tried = tried or [_epochs(settings)] * (settings.trials + 1)
    frozen = [tried[-1], *(float(settings.recipe(other.params).epochs) for other in settings.compare)]
    stages = [_search(settings, problem, prices, tried), _confirm(settings, problem, prices, frozen)]
    again, trials = settings.rehearsal, settings.trials
    if not opened or not again.splits:
        return stages
    fit = prices.epoch[again.seeds]
    divisions = [prices.division + fit * sum(frozen)] * again.splits
    cubes = problem.blocks(BY_HAND, range(again.levels**3))
    streams = [prices.unit(len(block), frozen[0]) for block in cubes]
    networks = again.splits * len(frozen) * again.seeds
    how = f"{again.splits} fresh divisions x {len(frozen)} x {again.seeds} seeds"
    stages.append(Work("rehearse", networks, how, [Batch(divisions)]))
    how = f"{again.levels} first weights x {again.levels} orders x {again.levels} masks"
    stages.append(Work("streams", again.levels**3, how, [Batch(streams)]))
    if again.ideal:
        one = prices.epoch[settings.search.seeds] * sum(tried[:-1]) + trials * PROPOSE + fit * tried[-1]
        networks = again.splits * trials * settings.search.seeds
        batch = Batch([prices.division + one] * again.splits)
        stages.append(Work("search anew", networks, f"{again.splits} x the search", [batch]))
    return stages


def _search(settings: Settings, problem: Problem, prices: Prices, tried: Sequence[float]) -> Work:
    search, trials, seeds = search_of(settings, MLP), settings.trials, settings.search.seeds
    sizes = [len(block) for block in problem.blocks(BY_HAND, range(seeds))]
    batches: list[Batch] = []
    place = 0
    while place < trials:
        block = search.block(place)
        units = [prices.unit(size, tried[place]) for place in block for size in sizes]
        batches.append(Batch(units, PROPOSE * len(block), STORE + TELL / len(sizes)))
        place = block.stop
    return Work("search", trials * seeds, f"{trials} configurations x {seeds} seeds", batches)


def _confirm(settings: Settings, problem: Problem, prices: Prices, frozen: Sequence[float]) -> Work:
    fresh = settings.confirm.seeds
    sizes = [len(block) for block in problem.blocks(BY_HAND, range(fresh))]
    units = [prices.unit(size, epochs) for epochs in frozen for size in sizes]
    return Work("confirm", len(frozen) * fresh, f"{len(frozen)} x {fresh} fresh seeds", [Batch(units)])


def _epochs(settings: Settings) -> float:
    """The mean number of epochs of what is drawn from the space."""
    axis = settings.space.get("epochs")
    return float(axis.mean if isinstance(axis, Range) else _recipe(settings).epochs)


def measured(settings: Settings, problem: Problem) -> Prices:
    """What the units of a study cost here, on one thread."""
    search, again = settings.search.seeds, settings.rehearsal
    counts = {search, settings.confirm.seeds, again.levels**3}
    sizes = {len(block) for count in counts for block in problem.blocks(BY_HAND, range(count))}
    sizes |= {search, again.seeds}
    with threadpool_limits(1, "blas"):
        epochs = _seconds_per_epoch(settings, problem, sizes)
        started = time.perf_counter()
        split(problem.data, **vars(settings.split))
        rivals(problem.task, problem.parts.train, problem.parts.val, settings.rivals.boosting)
    return Prices(epochs, time.perf_counter() - started)


def _seconds_per_epoch(settings: Settings, problem: Problem, sizes: Iterable[int]) -> dict[int, float]:
    """The time of one epoch of so many networks in one unit.

    The smallest and the largest unit are timed; between them the time grows by equal steps."""
    few, many = min(sizes), max(sizes)
    ends = [_timed(settings, problem, size) for size in sorted({few, many})]
    return {size: float(np.interp(size, sorted({few, many}), ends)) for size in sizes}


def _timed(settings: Settings, problem: Problem, networks: int) -> float:
    """The time of one epoch of so many networks: the first fit compiles, the last counts."""
    problem.fit(_recipe(settings, epochs=1), range(networks))
    epochs, spent = 1, 0.0
    while spent < LONG_ENOUGH:
        started = time.perf_counter()
        problem.fit(_recipe(settings, epochs=epochs), range(networks))
        spent = time.perf_counter() - started
        epochs *= 4
    return 4 * spent / epochs


def _recipe(settings: Settings, **params: int) -> Recipe:
    """The middle of the space, with these parameters."""
    middle = {name: axis.value(0.5) for name, axis in settings.space.items()}
    return settings.recipe(middle | params)
