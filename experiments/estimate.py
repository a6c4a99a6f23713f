"""What a study would do with its table, and how long it would take: for CHECK=1, which keeps nothing and writes nothing."""

import math
import time
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from experiments.rehearsal import check_divisions
from experiments.settings import Range, Settings
from experiments.workers import Bench
from handnet.data import listed
from handnet.encode import GAP, LEVEL

LONG_ENOUGH = 0.5  # seconds of fitting from which the speed is told
# Seconds to track one network and one run beside it, its figures and case tables drawn: of the default study on two cores,
# where 700 networks and 75 other runs took 11 s ("seconds" in its report), measured in 2026.
PER_NETWORK, PER_RUN = 0.005, 0.1


class Work(NamedTuple):
    """One stage of a study. epochs: of each of its networks, on average; runs: tracked beside one per network."""

    stage: str
    networks: int
    epochs: float
    runs: int
    how: str


def work(settings: Settings) -> list[Work]:
    """What each stage trains."""
    mean, fixed = _mean(settings.space.epochs), [one.epochs for one in settings.compare]
    frozen, levels, rehearsal = 1 + len(fixed), settings.rehearsal.levels, settings.rehearsal
    confirmed = (mean + sum(fixed)) / frozen
    search = settings.trials * settings.search.seeds
    stages = [
        Work(
            "search", search, mean, settings.trials, f"{settings.trials} configurations x {settings.search.seeds} seeds"
        ),
        Work(
            "confirm",
            frozen * settings.confirm.seeds,
            confirmed,
            frozen + 2,
            f"{frozen} x {settings.confirm.seeds} fresh seeds",
        ),
    ]
    if rehearsal.splits:
        divided = rehearsal.splits * frozen * rehearsal.seeds
        stages.append(
            Work(
                "rehearse",
                divided,
                confirmed,
                rehearsal.splits,
                f"{rehearsal.splits} fresh divisions x {frozen} x {rehearsal.seeds} seeds",
            )
        )
        stages.append(Work("streams", levels**3, mean, 1, f"{levels} first weights x {levels} orders x {levels} masks"))
        if rehearsal.ideal:
            stages.append(
                Work(
                    "search anew", rehearsal.splits * search, mean, rehearsal.splits, f"{rehearsal.splits} x the search"
                )
            )
    return stages


def _mean(space: Range) -> float:
    """Of a number drawn from the range, evenly or evenly in its logarithm."""
    if space.log and space.high > space.low:
        return (space.high - space.low) / math.log(space.high / space.low)
    return (space.low + space.high) / 2


def seconds_per_epoch(settings: Settings, bench: Bench) -> float:
    """Of one network, measured on the search seeds together: the first fit compiles, the last one counts."""
    epochs, spent = 1, 0.0
    while spent < LONG_ENOUGH:
        recipe = settings.recipe(1e-3, (settings.space.dropout.low + settings.space.dropout.high) / 2, epochs)
        for _ in range(2 if epochs == 1 else 1):
            started = time.perf_counter()
            bench.fit(recipe, settings.search_seeds)
            spent = time.perf_counter() - started
        epochs *= 4
    return 4 * spent / epochs / settings.search.seeds


def preview(settings: Settings, bench: Bench) -> Iterator[str]:
    """The study in lines, the last of them its time. Raises Refusal where the table cannot be divided as the study would."""
    check_divisions(settings, bench.data)
    data, parts, learnt = bench.data, bench.parts, bench.parts.encoder
    yield f"{data.name}: {len(data.y)} rows, of which {int(data.y.sum())} are {data.class_names[1]!r} (class 1) and {int((data.y == 0).sum())} {data.class_names[0]!r}."
    levels, gaps = (learnt.kind == LEVEL).sum(), (learnt.kind == GAP).sum()
    yield (f"Columns: {len(data.feature_names)} measured, {len(data.levels)} of them text; {len(learnt.left_out)} left out; {len(learnt.names)} inputs, "
           f"{levels} of them levels of a text and {gaps} marks of gaps.")  # fmt: skip
    if data.levels:
        yield f"Text: {listed(map(repr, data.levels))}."
    yield from parts.notes
    sizes = [f"{part} {len(rows)} ({int(data.y[rows].sum())} of class 1)"
             for part, rows in (("train", parts.train_rows), ("validation", parts.val_rows), ("test", parts.test_rows))]  # fmt: skip
    yield f"Parts: {', '.join(sizes)}."
    shape = [len(learnt.names), *settings.network.hidden, 1]
    weights = int(np.dot(shape[:-1], shape[1:]) + sum(shape[1:]))
    yield f"Network: {'-'.join(map(str, shape))}, {weights} weights and biases; backend {settings.backend.name}, {settings.backend.dtype}."
    stages = work(settings)
    for one in stages:
        yield f"{one.stage.capitalize()}: {one.networks} networks ({one.how})."
    per_epoch = seconds_per_epoch(settings, bench)
    train = {one.stage: one.networks * one.epochs * per_epoch for one in stages}
    track = sum(
        one.runs * PER_RUN + (one.networks * PER_NETWORK if one.stage in ("search", "confirm") else 0) for one in stages
    )
    yield (f"Time: about {_span(sum(train.values()) + track)} on this machine ({', '.join(f'{name} {_span(value)}' for name, value in train.items())}, "
           f"tracking {_span(track)}), and some seconds to start and to write the report.")  # fmt: skip
    yield "Checked: nothing was written."


def _span(seconds: float) -> str:
    """A time as people say it."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
