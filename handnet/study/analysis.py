"""Everything the report and the tracker say of a confirmed study, computed once from the exact results."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from handnet.bands.clusters import mean_reach, number_of_groups
from handnet.bands.selection import (
    BestOf,
    Optimism,
    Replaceable,
    expected_best,
    search_again,
    selection_optimism,
)
from handnet.bands.variance import Component
from handnet.data import Array, Table
from handnet.draws import RESAMPLING, bootstrap_counts, generator, resamples
from handnet.scores import right
from handnet.study.comparisons import ComparedPair, Rules, compare_pairs, rules
from handnet.study.configuration import Configuration
from handnet.study.division import SEARCHED_ANEW, Resplit, outputs_of
from handnet.study.gaps import Overfit, overfit
from handnet.study.networks import Replicas
from handnet.study.operating import NOTHING, Operating, operating
from handnet.study.quantity import Quantity, finite
from handnet.study.resplit import Resplits, stream_seeds
from handnet.study.rivals import UNTUNED, baseline, penalty, roles, untuned_outputs
from handnet.study.score_bands import RESAMPLING_SEED, bootstraps, split_quantities
from handnet.study.settings import Settings
from handnet.study.spread import Moved, moved, stream_variance, variance
from handnet.study.store import Finished
from handnet.study.summary import objective, quantities
from handnet.study.units import Confirmed, Problem

SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)  # of a search, at which its expected best is given
SEARCHES = 20_000  # bootstrap samples of the search seeds


@dataclass(frozen=True)
class TrialResult:
    """A trial of the search and the exact results its value came from."""

    trial: Finished
    replicas: Replicas
    configuration: Configuration


def distinct(trials: Sequence[TrialResult]) -> list[TrialResult]:
    """The sound trials, of those with the same configuration the first."""
    sound = [trial for trial in trials if trial.replicas.sound.all()]
    first = {trial.trial.config_id: trial for trial in reversed(sound)}
    return [trial for trial in sound if first[trial.trial.config_id] is trial]


@dataclass(frozen=True)
class Untuned:
    """The winner beside its untuned first rival on the validation rows, by the mean loss of the task.

    winner: over its sound seeds; low, high: of the loss of one network of the winner less the rival's, 95 %,
    t over the n cases, or over their groups, its variance averaged over the seeds; method, penalty: the rival
    in words.
    """

    winner: float
    rival: float
    low: float
    high: float
    n: int
    groups: int  # 0 where every case is its own
    method: str
    penalty: str

    @property
    def worse(self) -> bool:
        """Whether the winner has the higher loss, though it was chosen on these rows, the other not."""
        return self.winner > self.rival

    @property
    def shown(self) -> bool:
        """Whether the interval of its loss less the rival's lies above 0."""
        return self.low > 0


@dataclass(frozen=True)
class Again:
    """What other search seeds would have chosen.

    places: (C,) of the sound configurations, each of the first trial that had it; seeds: how many of the
    search; found: of these, in their order; anew: the point that the search chose on each fresh division it
    was made anew on.
    """

    places: tuple[int, ...]
    seeds: int
    found: Replaceable
    anew: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True)
class Analysis:
    """What each configuration is worth, by role, and what comparing them gave.

    variances: role -> score -> split against seed; streams: score -> the winner's three streams; optimism: of
    the winner's validation loss over the search seeds, None with a single trial; best_of: the best loss,
    negated, against the size of the search, empty where trials depend on each other; untuned: the winner's
    validation loss beside that of untuned logistic regression, None where either is missing; missing: the
    rivals that could not be fitted; again: what other search seeds would have chosen, None with a single
    trial or seed; adaptive: whether the search proposed trials in the light of earlier ones;
    moved: how far the winner's accuracy moves over fresh divisions, None without them.
    """

    quantities: Mapping[str, list[Quantity]]
    pairs: list[ComparedPair]
    variances: Mapping[str, Mapping[str, tuple[Component, ...]]]
    streams: Mapping[str, tuple[Component, ...]]
    rules: Rules
    optimism: Optimism | None
    overfit: Mapping[str, Overfit]
    best_of: tuple[BestOf, ...]
    untuned: Untuned | None = None
    missing: tuple[str, ...] = ()
    again: Again | None = None
    adaptive: bool = False
    moved: Moved | None = None
    operating: Operating = NOTHING  # what each configuration is worth at thresholds fixed beforehand


def analyse(
    settings: Settings,
    problem: Problem,
    confirmed: Sequence[Confirmed],
    trials: Sequence[TrialResult],
    test: Table | None,
    resplits: Resplits | None,
    done: Callable[[str], None] = lambda _: None,
) -> Analysis:
    """The analysis of a confirmed study.

    test: the opened rows; resplits: None before the opening, or without fresh divisions; done: called with
    the role of each configuration, which takes some ten seconds where the test has 20 000 cases.
    """
    y_val, y_test = problem.parts.val.y, test.y if test else None
    divisions, task = resplits.divisions if resplits else (), problem.task
    by_role, overfits = _by_role(confirmed, problem, y_test, divisions, done)
    part, y = ("val", y_val) if y_test is None else ("test", y_test)
    drawn = resplits.streams if resplits else None
    streams = {} if drawn is None else stream_variance(task, drawn, y, stream_seeds(settings))
    accuracy = _accuracy(problem, confirmed[0], y, part)
    return Analysis(
        quantities=by_role,
        pairs=compare_pairs(
            *(task, confirmed, divisions, y_test, settings.verdict),
            *(problem.parts.groups("test"), settings.studied[1:]),
        ),
        variances={role: table for role in by_role if (table := variance(task, outputs_of(role, divisions)))},
        streams=streams,
        rules=rules(problem, divisions, part, accuracy, settings.verdict.score),
        optimism=_optimism(problem, trials),
        overfit=overfits,
        best_of=_best_of(settings, problem, trials),
        untuned=_untuned(confirmed[0], problem),
        missing=tuple(role for role in roles(problem.task, settings.rivals.boosting) if role not in by_role),
        again=_again(problem, trials, divisions),
        adaptive=_adaptive(settings, trials),
        moved=_moved(settings, problem, divisions),
        operating=operating(settings, problem, confirmed, y_test) if task.classes == 2 else NOTHING,
    )


def _moved(settings: Settings, problem: Problem, divisions: Sequence[Resplit]) -> Moved | None:
    """How far the winner's accuracy moves over the fresh divisions."""
    data = problem.data
    return moved(problem.task, divisions, len(data.y), data.groups is not None, settings.split.stratify)


def _by_role(
    confirmed: Sequence[Confirmed],
    problem: Problem,
    y_test: Array | None,
    divisions: Sequence[Resplit],
    done: Callable[[str], None],
) -> tuple[dict[str, list[Quantity]], dict[str, Overfit]]:
    """The scores of each configuration with their bands, and whether it overfits; as in `analyse`."""
    by_role: dict[str, list[Quantity]] = {}
    overfits: dict[str, Overfit] = {}
    for configuration in confirmed:
        role = configuration.role
        over = split_quantities(problem.task, outputs_of(role, divisions))
        by_role[role] = quantities(configuration, problem, y_test) + over
        done(role)
        if gap := overfit(configuration, problem):
            overfits[role] = gap
            by_role[role].append(gap.gap)
    anew = split_quantities(problem.task, outputs_of(SEARCHED_ANEW, divisions))
    return by_role | ({SEARCHED_ANEW: anew} if anew else {}), overfits


def _untuned(winner: Confirmed, problem: Problem) -> Untuned | None:
    """The winner beside its untuned first rival on the validation rows."""
    task, y, logits = problem.task, problem.parts.val.y, winner.logits("val")
    rival = untuned_outputs(task, problem.parts.train, problem.parts.val.X)
    assert logits is not None
    sound = finite(logits)
    if rival is None or not len(sound):
        return None
    losses, theirs = task.case_losses(sound, y), task.case_losses(rival[None], y)
    groups = problem.parts.groups("val")
    half, ours, other = mean_reach(losses - theirs, groups), float(losses.mean()), float(theirs.mean())
    band = ours - other - half, ours - other + half
    words = baseline(task), penalty(task, UNTUNED)
    return Untuned(ours, other, *band, len(y), number_of_groups(groups), *words)


def _accuracy(problem: Problem, winner: Confirmed, y: Array, part: str) -> float:
    """The winner's mean accuracy over its sound replicas; .5 when it has none, and of a number. y: (n,)."""
    logits = winner.logits(part)
    assert logits is not None
    sound = finite(logits)
    return float(right(sound, y).mean()) if len(sound) and problem.task.classes else 0.5


def _optimism(problem: Problem, trials: Sequence[TrialResult]) -> Optimism | None:
    """By how much the winner's loss is flattered by being chosen; None with fewer than two sound
    configurations, and where groups are so few that no sample leaves one out."""
    y_val, groups = problem.parts.val.y, problem.parts.groups("val")
    sound = [trial.replicas for trial in distinct(trials)]
    if len(sound) < 2:
        return None
    losses = np.array([problem.task.case_losses(each.val_logits, y_val).mean(axis=0) for each in sound])
    drawn = resamples(RESAMPLING_SEED, 1, y_val, bootstraps(len(y_val)), groups).cases
    if drawn.all():
        return None
    optimism = selection_optimism(losses, drawn)
    return optimism._replace(band=replace(optimism.band, groups=number_of_groups(groups)))


def _again(problem: Problem, trials: Sequence[TrialResult], divisions: Sequence[Resplit]) -> Again | None:
    """How often each configuration is the best when the search seeds are drawn again."""
    sound = distinct(trials)
    task, y_val = problem.task, problem.parts.val.y
    losses = np.array([task.mean_loss(trial.replicas.val_logits, y_val) for trial in sound])
    if min(losses.shape) < 2:
        return None
    seeds = losses.shape[1]
    counts = bootstrap_counts(generator(RESAMPLING_SEED, RESAMPLING), seeds, SEARCHES)
    places = tuple(trial.trial.place for trial in sound)
    anew = tuple(one.chosen for one in divisions if one.chosen is not None)
    return Again(places, seeds, search_again(losses, counts), anew)


def _adaptive(settings: Settings, trials: Sequence[TrialResult]) -> bool:
    """Whether some trial was proposed in the light of others; the first ones of TPE are drawn at random."""
    return settings.search.design == "tpe" and len(trials) > settings.search.tpe.startup_trials


def _best_of(settings: Settings, problem: Problem, trials: Sequence[TrialResult]) -> tuple[BestOf, ...]:
    """The expected best against the size of the search, where no trial was chosen in the light of others.

    A trial that repeats a configuration counts: it is one more draw from the space."""
    sound = [trial.replicas for trial in trials if trial.replicas.sound.all()]
    if _adaptive(settings, trials) or len(sound) < 2:
        return ()
    losses = np.array([objective(problem.task, replicas, problem.parts.val.y) for replicas in sound])
    return expected_best(-losses, np.array([size for size in SIZES if size <= len(losses)]))
