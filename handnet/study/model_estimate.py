"""What models other than the network by hand would take: one fit of each is timed, in a process that can be
killed."""

import time
from collections.abc import Iterator
from typing import NamedTuple

from handnet.models.model import Model
from handnet.study.configuration import Configuration, configure
from handnet.study.executor import Lost, TooLong
from handnet.study.fits import ModelUnit, fit_model, model_rows
from handnet.study.processes import Killable
from handnet.study.search import search_of
from handnet.study.settings import Settings
from handnet.study.training import CHECKED
from handnet.study.units import Problem

LIMIT = 60.0  # seconds that a fit may take where it is only timed, and no limit is set


class Stage(NamedTuple):
    """Fits of one model: what for, how many, in words how they come about."""

    stage: str
    fits: int
    how: str


class Timed(NamedTuple):
    """One fit of a model: its seconds, or None and what happened instead; what: the fit in words; start:
    seconds that its process takes to begin; least: whether it was ended after these seconds."""

    what: str
    seconds: float | None
    start: float = 0.0
    fault: str = ""
    least: bool = False


def timed(settings: Settings, problem: Problem, name: str, model: Model) -> Timed:
    """Fit a model once, with the parameters of its first trial and the first seed of the search.

    A call before it starts the process and imports what the model needs."""
    configuration = configure(settings, name, search_of(settings, name).propose(0))
    limit = settings.units.timeout or LIMIT
    what = _shown(configuration, settings.search_seeds[0])
    unit = ModelUnit(model, configuration.params, settings.search_seeds[0], "rows", problem.task.classes)
    begun = time.perf_counter()
    with Killable(1, limit, settings.units.memory) as workers:
        workers.hold("rows", model_rows(problem, model.inputs))
        try:
            workers.submit(fit_model, unit).result()
            start, between = time.perf_counter() - begun, time.perf_counter()
            if start < limit / 2:
                workers.submit(fit_model, unit).result()
                seconds = time.perf_counter() - between
                return Timed(what, seconds, max(0.0, start - seconds))
            return Timed(what, start)
        except Lost as fault:
            if isinstance(fault, TooLong) and not settings.units.timeout:  # which a study would wait for
                return Timed(what, limit, least=True)
            return Timed(what, None, fault=str(fault))


def _shown(configuration: Configuration, seed: int) -> str:
    """What was fitted, in words."""
    params = ", ".join(f"{name} = {value}" for name, value in configuration.params.items())
    return f"{configuration.model} with {params or 'its own parameters'} and seed {seed}"


def stages(settings: Settings, name: str, model: Model, opened: bool) -> Iterator[Stage]:
    """What a study fits of one model. opened: whether the test is opened.

    A model without a seed is fitted once where others are fitted with each."""
    trials, again = settings.trials_of(name), settings.rehearsal
    seeds, fresh, few = (
        count if model.seeded else 1 for count in (settings.search.seeds, settings.confirm.seeds, again.seeds)
    )
    tried = f"{trials} configuration{'s' * (trials > 1)}"
    yield Stage("search", trials * seeds, f"{tried} x {seeds} seed{'s' * (seeds > 1)}")
    yield Stage("confirm", fresh, f"{fresh} fresh seed{'s' * (fresh > 1)}")
    if opened and not model.keeps_arrays:
        check = min(CHECKED, fresh)
        yield Stage("open", check + fresh, f"{check} to see that it gives the same again, {fresh} anew")
    if opened and again.splits:
        divisions = f"{again.splits} fresh divisions"
        yield Stage("rehearse", again.splits * few, f"{divisions} x {few} seed{'s' * (few > 1)}")
        if again.ideal:
            anew = trials * seeds + few
            yield Stage("search anew", again.splits * anew, f"{divisions} x the search")


def model_lines(
    settings: Settings, problem: Problem, name: str, model: Model, opened: bool, workers: int
) -> tuple[list[str], float | None, bool]:
    """What a study fits of one model, in lines; about how many seconds that takes on so many workers, None
    where the one fit that is timed is lost; and whether it takes at least these."""
    planned = list(stages(settings, name, model, opened))
    said = [f"{stage.stage.capitalize()} {name}: {stage.fits} fits ({stage.how})." for stage in planned]
    one = timed(settings, problem, name, model)
    if one.seconds is None:
        return [*said, f"Lost: {one.what}: {one.fault}; the time below is without {name}."], None, False
    fits = sum(stage.fits for stage in planned)
    seconds = one.start + fits * one.seconds / workers
    if one.least:
        on = f"{workers} worker{'s' * (workers > 1)}"
        said.append(
            f"One fit takes longer than {one.seconds:g} s, and was ended: {one.what}. If the others do too,"
            f" {name} takes at least {span(seconds)} ({fits} fits x {one.seconds:g} s on {on})."
        )
    else:
        said.append(f"One fit of {name}: {one.seconds:.2g} s, in a process of its own.")
    return said, seconds, one.least


def span(seconds: float) -> str:
    """A time as people say it."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
