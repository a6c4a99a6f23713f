"""The search made anew on fresh divisions, once the test is open: IdealEst of Bouthillier et al. 2021.

Of the network by hand a worker makes the whole search of a division. Of another model each fit is a call of
its own, because whatever the model does must cost that fit alone, as in the search of the study.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from operator import itemgetter
from typing import Any

import numpy as np

from handnet.models.model import Model
from handnet.study.configuration import Configuration, configure
from handnet.study.division import (
    SEARCHED_ANEW,
    Resplit,
    divided,
    fit_on,
    fit_seed_on,
    ratio_of,
    rows_of,
    search_on,
)
from handnet.study.executor import Call, Lost
from handnet.study.losses import fit_words
from handnet.study.networks import concatenate
from handnet.study.resplit import Resplitter, Work
from handnet.study.search import Search, search_of
from handnet.study.summary import objective
from handnet.study.units import Problem

Run = Callable[[Iterable[Call]], Iterator[Any]]  # the results of calls in their order, as of `in_order`


def anew_work(resplitter: Resplitter, models: Mapping[str, Model], run: Run) -> Iterator[Work]:
    """The search of the first model made anew on each division. models: all but the network by hand, by name.

    What another model tries depends on what came of it before, so these calls are made by `run`, when the
    parts are joined."""
    settings, data = resplitter.settings, resplitter.problem.data
    name = settings.studied[0]
    for seed in settings.split_seeds:
        key, news = resplitter.anew_key(seed), f"split {seed}, searched anew"
        if name in models:
            yield Work(key, news, [], partial(_searched, resplitter, models[name], seed, run))
        else:
            yield Work(key, news, [(search_on, data.digest, settings, seed)], itemgetter(0))


def _searched(
    resplitter: Resplitter, model: Model, split_seed: int, run: Run, _: Sequence[Any] = ()
) -> Resplit:
    """What the search of another model chooses on a division, fitted on the rehearsal seeds."""
    settings, data = resplitter.settings, resplitter.problem.data
    problem, test = divided(settings, data, split_seed)
    head = split_seed, test.y, ratio_of(problem, test)
    name, search = settings.studied[0], search_of(settings, settings.studied[0])
    seeds = settings.search_seeds if model.seeded else settings.search_seeds[:1]

    def calls(function: Callable[..., Any], one: Configuration, seeds: Sequence[int]) -> list[Call]:
        return [(function, data.digest, settings, model, one.params, split_seed, seed) for seed in seeds]

    faults: list[str] = []
    while len(search.finished) < search.trials:
        block = search.block(len(search.finished))
        tried = [configure(settings, name, search.propose(place)) for place in block]
        made = run([call for one in tried for call in calls(fit_seed_on, one, seeds)])
        for one in tried:
            found = [next(made) for _ in seeds]
            faults += _faults(one, seeds, found)
            _tell(search, problem, one, found)
    winner = search.winner(search.trials)
    if winner is None:
        return Resplit(*head, {}, fault=_why("no configuration was sound on all search seeds", faults))
    chosen, fresh = configure(settings, name, winner.params), resplitter.seeds(model)
    found = list(run(calls(fit_on, chosen, fresh)))
    if len(faults := _faults(chosen, fresh, found)) == len(found):
        return Resplit(*head, {}, fault=_why("every fit of what the search chose was lost", faults))
    outputs = rows_of(found, len(test.y), problem.task)
    return Resplit(*head, {SEARCHED_ANEW: outputs}, chosen=winner.params)


def _tell(search: Search, problem: Problem, tried: Configuration, found: Sequence[Any]) -> None:
    """Tell a search what came of its next configuration. found: the Replicas of each seed, or its Lost."""
    lost = sum(isinstance(one, Lost) for one in found)
    value = np.inf if lost else objective(problem.task, concatenate(found), problem.parts.val.y)
    search.tell(search.finish(len(search.finished), dict(tried.chosen), value, "", lost))


def _faults(one: Configuration, seeds: Sequence[int], found: Sequence[Any]) -> list[str]:
    """A sentence on each fit of a configuration that was lost."""
    named = zip(seeds, found, strict=True)
    return [f"{fit_words(one, seed)}: {fault}" for seed, fault in named if isinstance(fault, Lost)]


def _why(what: str, faults: Sequence[str]) -> str:
    """What went wrong on a division, with the first fit that was lost, if any was."""
    return what + "".join(f" (the first: {fault})" for fault in faults[:1])
