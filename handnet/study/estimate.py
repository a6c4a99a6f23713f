"""What a study would do with its table, and how long it would take: for CHECK=1, which keeps nothing and
writes nothing."""

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from handnet.contract import TO_THE_BIT, Recipe
from handnet.data import listed
from handnet.encode import GAP, LEVEL
from handnet.mlp.replicas import chunks, cores
from handnet.study.identity import remarks
from handnet.study.resplit import check_divisions
from handnet.study.settings import Range, Settings
from handnet.study.units import Problem

LONG_ENOUGH = 0.5  # seconds of fitting from which the speed is told
# Seconds to track one network and one run beside it, its figures and case tables drawn; to load all packages;
# to compute the statistics and pictures of a report, sealed and opened; and for each case it is opened on, of
# a study of 20 000 test cases. All on two cores ("seconds" in a report), 2026.
PER_NETWORK, PER_RUN, START, REPORT, OPENED_REPORT, PER_CASE = 0.005, 0.1, 6.0, 4.0, 13.0, 0.01


class Work(NamedTuple):
    """One stage of a study. networks: so many; together: of these in one fit; at_once: whether several fits
    of it run side by side; epochs: of each network, on average; runs: tracked beside one per network."""

    stage: str
    networks: int
    concatenate: int
    at_once: bool
    epochs: float
    runs: int
    how: str


def work(settings: Settings, opened: bool) -> list[Work]:
    """What each stage trains. opened: whether the test is opened, which rehearsals wait for."""
    mean, fixed = _mean(settings.space.epochs), [one.epochs for one in settings.compare]
    frozen, levels, again = 1 + len(fixed), settings.rehearsal.levels, settings.rehearsal
    confirmed, tried = (mean + sum(fixed)) / frozen, settings.trials
    seeds, fresh = settings.search.seeds, settings.confirm.seeds
    stages = [
        Work("search", tried * seeds, seeds, False, mean, tried, f"{tried} configurations x {seeds} seeds"),
        Work(
            "confirm", frozen * fresh, fresh, False, confirmed, frozen + 2, f"{frozen} x {fresh} fresh seeds"
        ),
    ]
    if opened and again.splits:
        how = f"{again.splits} fresh divisions x {frozen} x {again.seeds} seeds"
        stages.append(
            Work(
                "rehearse",
                again.splits * frozen * again.seeds,
                again.seeds,
                True,
                confirmed,
                again.splits,
                how,
            )
        )
        how = f"{levels} first weights x {levels} orders x {levels} masks"
        stages.append(Work("streams", levels**3, levels**3, False, mean, 1, how))
        if again.ideal:
            how = f"{again.splits} x the search"
            stages.append(
                Work("search anew", again.splits * tried * seeds, seeds, True, mean, again.splits, how)
            )
    return stages


def _mean(space: Range) -> float:
    """Of a number drawn from the range, evenly or evenly in its logarithm."""
    if space.log and space.high > space.low:
        return (space.high - space.low) / math.log(space.high / space.low)
    return (space.low + space.high) / 2


def seconds_per_epoch(settings: Settings, problem: Problem, networks: int) -> float:
    """Of so many networks trained together, measured: the first fit compiles, the last one counts."""
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
    """Of each stage, from a fit of as many networks as its fits have, and no more than a confirmation."""
    sizes = {one.stage: min(one.concatenate, settings.confirm.seeds) for one in stages}
    measured = {size: seconds_per_epoch(settings, problem, size) for size in sorted(set(sizes.values()))}
    found = {}
    for one in stages:
        size = sizes[one.stage]
        found[one.stage] = one.networks / size * one.epochs * measured[size]
        if (
            one.at_once and settings.backend.name in TO_THE_BIT
        ):  # a fit of few networks leaves cores to the next one
            found[one.stage] *= len(chunks(size, cores())) / cores()
    return found


def preview(settings: Settings, problem: Problem, opened: bool) -> Iterator[str]:
    """The study in lines, the last but one its time. opened: whether it would open its test. Raises Refusal
    where the table cannot be divided as the study would."""
    if opened:
        check_divisions(settings, problem.data)
    yield from _table(settings, problem)
    yield _network(settings, len(problem.parts.encoder.names))
    stages = work(settings, opened)
    for one in stages:
        yield f"{one.stage.capitalize()}: {one.networks} networks ({one.how})."
    yield (
        "Test: opened, once, and counted."
        if opened
        else "Test: it stays sealed, as a small study leaves it; OPEN=1 opens it."
    )
    start = START + time.process_time()  # reading and dividing the table is behind us, and before the study
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
    levels, gaps = (learnt.kind == LEVEL).sum(), (learnt.kind == GAP).sum()
    yield (
        f"Columns: {len(data.feature_names)} measured, {len(data.levels)} of them text;"
        f" {len(learnt.left_out)} left out; {len(learnt.names)} inputs, {levels} of them levels of a text and"
        f" {gaps} marks of gaps."
    )
    if data.levels:
        yield f"Text: {listed(map(repr, data.levels))}."
    yield from remarks(settings, problem)
    sizes = [
        f"{part} {len(rows)} ({int(data.y[rows].sum())} of class 1)"
        for part, rows in (
            ("train", parts.train_rows),
            ("validation", parts.val_rows),
            ("test", parts.test_rows),
        )
    ]
    yield f"Parts: {', '.join(sizes)}."


def _network(settings: Settings, inputs: int) -> str:
    shape = [inputs, *settings.network.hidden, 1]
    weights = int(np.dot(shape[:-1], shape[1:]) + sum(shape[1:]))
    return (
        f"Network: {'-'.join(map(str, shape))}, {weights} weights and biases; backend"
        f" {settings.backend.name}, {settings.backend.dtype}."
    )


def _time(stages: Sequence[Work], train: Mapping[str, float], more: Mapping[str, float]) -> str:
    """How long all that takes, and what of it each stage."""
    track = sum(
        one.runs * PER_RUN + (one.networks * PER_NETWORK if one.stage in ("search", "confirm") else 0)
        for one in stages
    )
    beside = {"tracking": track, **more}
    shown = ", ".join(f"{name} {_span(value)}" for name, value in (*train.items(), *beside.items()))
    return f"Time: about {_span(sum(train.values()) + sum(beside.values()))} on this machine ({shown})."


def _span(seconds: float) -> str:
    """A time as people say it."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
