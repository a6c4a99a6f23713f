"""What a study would do with its table, how long it would take, and how often its bands would hold.

Nothing is written."""

import heapq
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from handnet.contract import Recipe
from handnet.data import Array, Dataset, listed
from handnet.encode import GAP, LEVEL
from handnet.families import families_of
from handnet.messages import option
from handnet.report.cases import MOST
from handnet.report.explainer import CHECKED, NEIGHBOURS
from handnet.splits import split
from handnet.study.configuration import Configuration
from handnet.study.executor import make_workers
from handnet.study.identity import remarks
from handnet.study.resplit import check_divisions
from handnet.study.rivals import rivals
from handnet.study.runs import FIRST
from handnet.study.search import search_of
from handnet.study.settings import MLP, Settings
from handnet.study.space import Range
from handnet.study.units import Problem
from handnet.tasks import task_of

BY_HAND = Configuration(MLP, {}, {})
LONG_ENOUGH = 0.1  # seconds of fitting from which a speed is measured
# Seconds of the one process that proposes, stores and writes: rounded from a few runs on one machine in 2026,
# and not measured where a study is estimated.
PROPOSE, STORE, TELL = 0.002, 0.001, 0.0005  # a configuration; a file of results; a trial
PER_RUN = 0.02  # to track a run: one for each configuration, division and network with curves of its own
START = 3.5  # to load the packages that an estimate does not need
REPORT, OPENED_REPORT = 4.0, 9.0  # statistics and pictures of a report, sealed and opened
PER_CASE = 0.01  # more for each case of the opened test: from one run with 20 000 cases
PER_PRODUCT = 1e-10  # of a first layer, in a case that is explained: from one run with 5000 inputs


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


def preview(settings: Settings, problem: Problem, opened: bool, executor: str, workers: int) -> Iterator[str]:
    """The study in lines, the last but one its time.

    opened: whether it would open its test; executor, workers: where it would train.
    Raises Refusal where the study would: of workers, or of a table that cannot be divided.
    """
    made = make_workers(executor, workers, settings.backend.name)
    if opened:
        check_divisions(settings, problem.data)
    begun = (
        time.process_time()
    )  # what has been loaded, read and divided here, a study loads, reads and divides
    yield from _table(settings, problem)
    yield _network(settings, len(problem.parts.encoder.names), task_of(len(problem.data.class_names)).outputs)
    stages = work(settings, problem, opened, measured(settings, problem))
    for stage in stages:
        yield f"{stage.stage.capitalize()}: {stage.networks} networks ({stage.how})."
    yield (
        "Test: opened, once, and counted."
        if opened
        else f"Test: it stays sealed, as a small study leaves it; {option('open', True)} opens it."
    )
    reporting = OPENED_REPORT + PER_CASE * len(problem.parts.test_rows) if opened else REPORT
    reporting += _explaining(settings, problem, opened)
    train = {stage.stage: elapsed(stage.batches, made.count, made.ahead) for stage in stages}
    seconds = {
        **train,
        "tracking": PER_RUN * _runs(settings, opened),
        "start": START + begun,
        "report": reporting,
    }
    shown = ", ".join(f"{name} {_span(value)}" for name, value in seconds.items())
    yield f"Time: about {_span(sum(seconds.values()))} on this machine ({shown})."
    yield "Checked: nothing was written."


def _explaining(settings: Settings, problem: Problem, opened: bool) -> float:
    """The seconds it takes to explain as many cases as a report may: of every set of families one row goes
    through every network, and NEIGHBOURS rows through CHECKED of them."""
    parts = problem.parts
    inputs, marks = parts.encoder.families, parts.encoder.kind == GAP
    rows = 2 ** len(families_of(inputs, parts.train.X, marks).names)
    networks = settings.confirm.seeds + NEIGHBOURS * min(CHECKED, settings.confirm.seeds)
    products = rows * len(inputs) * settings.network.hidden[0] * networks
    cases = min(MOST, len(problem.parts.val_rows)) * (1 + opened)
    return PER_PRODUCT * products * cases


def _runs(settings: Settings, opened: bool) -> int:
    """How many runs are tracked, about."""
    frozen, again = 1 + len(settings.compare), settings.rehearsal
    divisions = again.splits * (1 + again.ideal) if opened else 0
    return settings.trials + frozen * min(settings.confirm.seeds, FIRST) + divisions


def _table(settings: Settings, problem: Problem) -> Iterator[str]:
    """What is made of the table: rows, columns, parts."""
    data, parts, learnt = problem.data, problem.parts, problem.parts.encoder
    yield f"{data.name}: {len(data.y)} rows{_target(data, parts.train_rows)}."
    levels, gaps = (int((learnt.kind == kind).sum()) for kind in (LEVEL, GAP))
    yield (
        f"Columns: {len(data.feature_names)} measured, {len(data.levels)} of them text;"
        f" {len(learnt.left_out)} that do not vary in the train rows and teach nothing;"
        f" {len(learnt.names)} inputs, {levels} of them levels of a text and {gaps}"
        f" mark{'' if gaps == 1 else 's'} of gaps."
    )
    if data.levels:
        yield f"Text: {listed(map(repr, data.levels))}."
    yield from remarks(settings, problem)
    rows_of = {"train": parts.train_rows, "validation": parts.val_rows, "test": parts.test_rows}
    sizes = {part: f"{part} {len(rows)}" for part, rows in rows_of.items()}
    if len(data.class_names) == 2:
        sizes = {part: f"{sizes[part]} ({data.y[rows].sum()} of class 1)" for part, rows in rows_of.items()}
    yield f"Parts: {', '.join(sizes.values())}."


def _target(data: Dataset, train: Array) -> str:
    """What is to be told, in words after the number of rows. train: (n,) int; of a number only these rows."""
    counts = [int((data.y == label).sum()) for label in range(len(data.class_names))]
    if not counts:
        y = data.y[train]
        spread = f"the mean {y.mean():.4g} and the standard deviation {y.std():.4g}"
        return f"; the target {data.target!r} has {spread} among the train rows"
    named = [f"{count} {name!r}" for count, name in zip(counts, data.class_names, strict=True)]
    if len(counts) > 2:
        return f" of {len(counts)} classes: {listed(named)}"
    return f", of which {counts[1]} are {data.class_names[1]!r} (class 1) and {named[0]} (class 0)"


def _network(settings: Settings, inputs: int, outputs: int) -> str:
    shape = [inputs, *settings.network.hidden, outputs]
    weights = int(np.dot(shape[:-1], shape[1:]) + sum(shape[1:]))
    return (
        f"Network: {'-'.join(map(str, shape))}, {weights} weights and biases; backend"
        f" {settings.backend.name}, {settings.backend.dtype}."
    )


def _span(seconds: float) -> str:
    """A time as people say it."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
