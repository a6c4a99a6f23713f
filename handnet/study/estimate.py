"""What a study would do with its table, how long it would take, and how often its bands would hold.

Nothing is written."""

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from handnet.bands.simulated import coverages, false_positives, false_positives_on_cases
from handnet.contract import TO_THE_BIT, Recipe
from handnet.data import listed
from handnet.encode import GAP, LEVEL
from handnet.messages import option
from handnet.mlp.replicas import chunks, cores
from handnet.study.identity import make_problem, remarks
from handnet.study.reading import read
from handnet.study.resplit import check_divisions
from handnet.study.screen import Screen
from handnet.study.settings import Range, Settings
from handnet.study.units import Problem

LONG_ENOUGH = 0.5  # seconds of fitting from which a speed is measured
# Seconds on two cores ("seconds" in a report), 2026.
PER_NETWORK = 0.005  # to track one network
PER_RUN = 0.1  # to track a run beside the networks, its figures and case tables drawn
START = 6.0  # to load all packages
REPORT, OPENED_REPORT = 4.0, 13.0  # statistics and pictures of a report, sealed and opened
PER_CASE = 0.01  # more for each case of the opened test, measured at 20 000 cases


class Work(NamedTuple):
    """One stage of a study."""

    stage: str
    networks: int
    per_fit: int  # of the networks, how many are trained in one fit
    side_by_side: bool  # whether several fits run at once
    epochs: float  # of each network, on average
    runs: int  # that are tracked beside one for each network
    how: str


def work(settings: Settings, opened: bool) -> list[Work]:
    """What each stage trains. opened: whether the test is opened, which fresh divisions wait for."""
    mean, fixed = _mean(settings.space.epochs), [other.epochs for other in settings.compare]
    frozen, trials = 1 + len(fixed), settings.trials
    seeds, fresh = settings.search.seeds, settings.confirm.seeds
    of_frozen = (mean + sum(fixed)) / frozen
    confirmed = f"{frozen} x {fresh} fresh seeds"
    stages = [
        Work(
            "search", trials * seeds, seeds, False, mean, trials, f"{trials} configurations x {seeds} seeds"
        ),
        Work("confirm", frozen * fresh, fresh, False, of_frozen, frozen + 2, confirmed),
    ]
    again = settings.rehearsal
    if not opened or not again.splits:
        return stages
    splits, levels = again.splits, again.levels
    divisions = f"{splits} fresh divisions x {frozen} x {again.seeds} seeds"
    streams = f"{levels} first weights x {levels} orders x {levels} masks"
    stages += [
        Work("rehearse", splits * frozen * again.seeds, again.seeds, True, of_frozen, splits, divisions),
        Work("streams", levels**3, levels**3, False, mean, 1, streams),
    ]
    if again.ideal:
        networks = splits * trials * seeds
        stages.append(Work("search anew", networks, seeds, True, mean, splits, f"{splits} x the search"))
    return stages


def _mean(space: Range) -> float:
    """The mean of a number drawn from the range, evenly or evenly in its logarithm."""
    if space.log and space.high > space.low:
        return (space.high - space.low) / math.log(space.high / space.low)
    return (space.low + space.high) / 2


def seconds_per_epoch(settings: Settings, problem: Problem, networks: int) -> float:
    """The time of one epoch of so many networks in one fit: the first fit compiles, the last counts."""
    epochs, spent = 1, 0.0
    problem.fit(_recipe(settings, 1), range(networks))
    while spent < LONG_ENOUGH:
        started = time.perf_counter()
        problem.fit(_recipe(settings, epochs), range(networks))
        spent = time.perf_counter() - started
        epochs *= 4
    return 4 * spent / epochs


def _recipe(settings: Settings, epochs: int) -> Recipe:
    return settings.recipe(1e-3, (settings.space.dropout.low + settings.space.dropout.high) / 2, epochs)


def training_seconds(stages: Sequence[Work], settings: Settings, problem: Problem) -> dict[str, float]:
    """The training time of each stage, measured on fits of its size, at most that of a confirmation."""
    sizes = {stage.stage: min(stage.per_fit, settings.confirm.seeds) for stage in stages}
    measured = {size: seconds_per_epoch(settings, problem, size) for size in sorted(set(sizes.values()))}
    seconds = {}
    for stage in stages:
        size = sizes[stage.stage]
        seconds[stage.stage] = stage.networks / size * stage.epochs * measured[size]
        if stage.side_by_side and settings.backend.name in TO_THE_BIT:
            # A fit of few networks leaves cores to the next one.
            seconds[stage.stage] *= len(chunks(size, cores())) / cores()
    return seconds


def preview(settings: Settings, problem: Problem, opened: bool) -> Iterator[str]:
    """The study in lines, the last but one its time. opened: whether it would open its test.

    Raises Refusal where the table cannot be divided as the study would.
    """
    if opened:
        check_divisions(settings, problem.data)
    yield from _table(settings, problem)
    yield _network(settings, len(problem.parts.encoder.names))
    stages = work(settings, opened)
    for stage in stages:
        yield f"{stage.stage.capitalize()}: {stage.networks} networks ({stage.how})."
    yield (
        "Test: opened, once, and counted."
        if opened
        else f"Test: it stays sealed, as a small study leaves it; {option('open', True)} opens it."
    )
    start = START + time.process_time()  # what has been read and divided here, a study reads and divides too
    reporting = OPENED_REPORT + PER_CASE * len(problem.parts.test_rows) if opened else REPORT
    yield _time(stages, training_seconds(stages, settings, problem), {"start": start, "report": reporting})
    yield "Checked: nothing was written."


def _table(settings: Settings, problem: Problem) -> Iterator[str]:
    """What is made of the table: rows, columns, parts."""
    data, parts, learnt = problem.data, problem.parts, problem.parts.encoder
    yield (
        f"{data.name}: {len(data.y)} rows, of which {int(data.y.sum())} are {data.class_names[1]!r} (class 1)"
        f" and {int((data.y == 0).sum())} {data.class_names[0]!r} (class 0)."
    )
    levels, gaps = (int((learnt.kind == kind).sum()) for kind in (LEVEL, GAP))
    yield (
        f"Columns: {len(data.feature_names)} measured, {len(data.levels)} of them text;"
        f" {len(learnt.left_out)} left out; {len(learnt.names)} inputs, {levels} of them levels of a text and"
        f" {gaps} marks of gaps."
    )
    if data.levels:
        yield f"Text: {listed(map(repr, data.levels))}."
    yield from remarks(settings, problem)
    rows_of = {"train": parts.train_rows, "validation": parts.val_rows, "test": parts.test_rows}
    sizes = (f"{part} {len(rows)} ({int(data.y[rows].sum())} of class 1)" for part, rows in rows_of.items())
    yield f"Parts: {', '.join(sizes)}."


def _network(settings: Settings, inputs: int) -> str:
    shape = [inputs, *settings.network.hidden, 1]
    weights = int(np.dot(shape[:-1], shape[1:]) + sum(shape[1:]))
    return (
        f"Network: {'-'.join(map(str, shape))}, {weights} weights and biases; backend"
        f" {settings.backend.name}, {settings.backend.dtype}."
    )


def _time(stages: Sequence[Work], train: Mapping[str, float], more: Mapping[str, float]) -> str:
    """How long the study takes, and what of it each stage. train, more: seconds by stage."""
    runs = sum(stage.runs for stage in stages)
    tracked = sum(stage.networks for stage in stages if stage.stage in ("search", "confirm"))
    seconds = {**train, "tracking": runs * PER_RUN + tracked * PER_NETWORK, **more}
    shown = ", ".join(f"{name} {_span(value)}" for name, value in seconds.items())
    return f"Time: about {_span(sum(seconds.values()))} on this machine ({shown})."


def _span(seconds: float) -> str:
    """A time as people say it."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def simulate(studies: int, screen: Screen) -> None:
    """Show how often every band holds and every rule gives a false positive, at the default study's sizes.

    studies: how many are simulated."""
    settings = read({})
    parts, splits = make_problem(settings).parts, settings.rehearsal.splits
    n, train = parts.test.n, parts.train.y
    positives = round(n * float(train.mean()))
    with screen.progress("simulated studies", studies, 0) as bar:
        sizes = (positives, n - positives, settings.confirm.seeds, splits)
        simulated = coverages(*sizes, 0, studies, lambda: bar.advance(1, "bands"))
    simulated += false_positives(splits, n / len(train), 0, 10 * studies)
    simulated += false_positives_on_cases(n, positives, 0.97, 0, 2 * studies)
    screen.simulated(simulated)
