"""What a study would do with its table, and how long it would take. Nothing is written."""

import time
from collections.abc import Generator, Iterator, Mapping, Sequence

import numpy as np

from handnet.data import Array, Dataset, listed
from handnet.encode import GAP, LEVEL
from handnet.families import families_of
from handnet.messages import option
from handnet.models.model import Model
from handnet.report.cases import MOST
from handnet.report.explainer import CHECKED, NEIGHBOURS
from handnet.study.estimate import elapsed, measured, work
from handnet.study.executor import Processes, Threads, make_workers
from handnet.study.identity import remarks
from handnet.study.model_estimate import model_lines, span
from handnet.study.resplit import check_divisions
from handnet.study.runs import FIRST
from handnet.study.settings import MLP, Settings
from handnet.study.units import Problem

# Seconds of the one process that stores, tracks and writes: rounded from a few runs on one machine in 2026,
# and not measured where a study is estimated.
PER_RUN = 0.02  # to track a run: one for each configuration, division and network with curves of its own
START = 3.5  # to load the packages that an estimate does not need
REPORT, OPENED_REPORT = 4.0, 9.0  # statistics and pictures of a report, sealed and opened
PER_CASE = 0.01  # more for each case of the opened test: from one run with 20 000 cases
PER_PRODUCT = 1e-10  # of a first layer, in a case that is explained: from one run with 5000 inputs


def preview(
    settings: Settings,
    problem: Problem,
    models: Mapping[str, Model],
    opened: bool,
    executor: str,
    workers: int,
) -> Iterator[str]:
    """The study in lines, the last but one its time.

    models: by name, all but the network by hand; opened: whether it would open its test; executor, workers:
    where it would train. Raises Refusal where the study would: of workers, or of a table that cannot be
    divided.
    """
    made = make_workers(executor, workers, settings.backend.name)
    if opened:
        check_divisions(settings, problem.data)
    begun = time.process_time()  # a study too loads, reads and divides what was until now
    yield from _table(settings, problem)
    train: dict[str, float] = {}
    slow = yield from _training(settings, problem, models, opened, made, train)
    yield (
        "Test: opened, once, and counted."
        if opened
        else f"Test: it stays sealed, as a small study leaves it; {option('open', True)} opens it."
    )
    reporting = OPENED_REPORT + PER_CASE * len(problem.parts.test_rows) if opened else REPORT
    reporting += _explaining(settings, problem, opened)
    seconds = {
        **train,
        "tracking": PER_RUN * _runs(settings, opened),
        "start": START + begun,
        "report": reporting,
    }
    shown = ", ".join(f"{name} {span(value)}" for name, value in seconds.items())
    about = "at least" if slow else "about"
    yield f"Time: {about} {span(sum(seconds.values()))} on this machine ({shown}){_as_slow(slow)}."
    yield "Checked: nothing was written."


def _training(
    settings: Settings,
    problem: Problem,
    models: Mapping[str, Model],
    opened: bool,
    workers: Threads | Processes,
    seconds: dict[str, float],
) -> Generator[str, None, list[str]]:
    """What is trained, in lines; its seconds are added to those that are given. Returns the models of which
    one fit takes longer than it is waited for."""
    slow = []
    if MLP in settings.studied:
        yield _network(settings, problem)
        planned = work(settings, problem, opened, measured(settings, problem))
        seconds |= {stage.stage: elapsed(stage.batches, workers.count, workers.ahead) for stage in planned}
        for stage in planned:
            yield f"{stage.stage.capitalize()}: {stage.networks} networks ({stage.how})."
    for name, model in models.items():
        lines, needed, least = model_lines(settings, problem, name, model, opened, workers.count)
        yield from lines
        seconds |= {} if needed is None else {name: needed}
        slow += [name] * least
    return slow


def _as_slow(names: Sequence[str]) -> str:
    """The condition under which a study takes at least so long."""
    return f", if every fit of {listed(names)} is as slow as the one that was timed" if names else ""


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
    frozen, again = len(settings.studied) + len(settings.compared), settings.rehearsal
    divisions = again.splits * (1 + again.ideal) if opened else 0
    return (
        sum(map(settings.trials_of, settings.studied))
        + frozen * min(settings.confirm.seeds, FIRST)
        + divisions
    )


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


def _network(settings: Settings, problem: Problem) -> str:
    shape = [len(problem.parts.encoder.names), *settings.network.hidden, problem.task.outputs]
    weights = int(np.dot(shape[:-1], shape[1:]) + sum(shape[1:]))
    return (
        f"Network: {'-'.join(map(str, shape))}, {weights} weights and biases; backend"
        f" {settings.backend.name}, {settings.backend.dtype}."
    )
