"""The facts of the search: its trials, its winner, and what choosing cost, as plain JSON values."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from handnet.bands import seed_bands
from handnet.bands.selection import SIMULATED
from handnet.data import Table
from handnet.report.model_words import OURS, Studied, listed, model_of
from handnet.report.series import surface
from handnet.report.words import label, mean_of, of_trials
from handnet.study.analysis import SEARCHES, Again, Analysis, TrialResult, Untuned
from handnet.study.answers import Refits
from handnet.study.division import Resplit
from handnet.study.networks import Replicas
from handnet.study.quantity import band_facts
from handnet.study.sealed import Opening
from handnet.study.settings import Settings
from handnet.study.space import Axis
from handnet.study.spread import Moved
from handnet.study.suggested import Suggested
from handnet.study.summary import objective
from handnet.study.units import Confirmed, Problem
from handnet.tasks import Task

FEW = 5  # divisions that are named
NO_OBJECTIVE: dict[str, float | None] = {"value": None, "low": None, "high": None, "coverage": None}


@dataclass(frozen=True)
class Findings:
    """All that the report of a study is computed from.

    confirmed: the winner first; test: the opened rows, None while they are sealed, as opening is; divisions:
    the fresh ones; rehearsed: how many there were at each look; importances: of the searched parameters;
    versions: by package; machines: those that worked on it, in turn; seconds: by activity; refits: as of
    `Cases`; others: the trials of the models that do not decide, by name.
    """

    study: str
    fingerprint: str
    settings: Settings
    problem: Problem
    confirmed: Sequence[Confirmed]
    trials: Sequence[TrialResult]
    analysis: Analysis
    importances: Mapping[str, float]
    opening: Opening | None
    rehearsed: Sequence[int]
    test: Table | None
    divisions: Sequence[Resplit]
    versions: Mapping[str, str]
    machines: Sequence[str]
    seconds: Mapping[str, float]
    refits: Refits | str = ""
    others: Mapping[str, Sequence[TrialResult]] = field(default_factory=dict)

    def trials_of(self, configuration: Confirmed) -> Sequence[TrialResult]:
        """The trials of the search that found a configuration."""
        return self.others.get(configuration.role, self.trials)


def selection_facts(analysis: Analysis, task: Task) -> dict[str, Any]:
    """What choosing cost."""
    bias = analysis.optimism
    curve = [
        {name: value if np.isfinite(value) else None for name, value in size._asdict().items()}
        for size in analysis.best_of
    ]
    corrected = (
        {
            "naive": bias.naive,
            "corrected": bias.corrected,
            "band": band_facts(bias.band),
            "adaptive": analysis.adaptive,
            "held": list(bias.held) if bias.held else None,
            "simulated": dict(zip(("configurations", "cases"), SIMULATED, strict=True)),
        }
        if bias
        else None
    )
    return {
        "score": f"validation {label(task.trained_on)} over the search seeds",
        "corrected": corrected,
        "best_of": curve or None,
        "best_of_is_of": "losses negated",
        "untuned": _untuned(analysis.untuned),
    }


def _untuned(untuned: Untuned | None) -> dict[str, Any] | None:
    return vars(untuned) | {"worse": untuned.worse, "shown": untuned.shown} if untuned else None


def tuned(
    configuration: Confirmed, settings: Settings, model: Studied = OURS, trials: Sequence[TrialResult] = ()
) -> str:
    """What was chosen for a configuration, and on which rows.

    model: what is studied; trials: of its search, which may repeat a configuration.
    """
    found = configuration.configuration
    if found is None:
        return configuration.tuned
    count = settings.trials_of(found.model)
    if configuration.role not in ("winner", found.model) or count == 1:
        return f"nothing: a {model.choice} fixed beforehand"
    seeds = f", each on {settings.search.seeds} seeds" if settings.seeded(found.model) else ""
    space = settings.searched_of(found.model)
    what = (
        f"the parameters that {space.label} suggests were"
        if isinstance(space, Suggested)
        else listed([*space])
    )
    return f"{what} chosen on the validation rows, of {of_trials(count, repeats(trials))}{seeds}"


def repeats(trials: Sequence[TrialResult]) -> int:
    """How many trials had a configuration that an earlier one had."""
    return len(trials) - len({one.trial.config_id for one in trials})


def searched_params(axes: Mapping[str, Axis], tried: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """The names of the searched parameters; where the space is a function, those that trials have."""
    return tuple(axes) or tuple(dict.fromkeys(name for params in tried for name in params))


def lost_seeds(findings: Findings) -> Iterator[dict[str, Any]]:
    """Each seed on which a model failed, in the search, on fresh seeds and on the test."""
    for model, trials in {"": findings.trials, **findings.others}.items():
        for result in trials:
            role = ", ".join(filter(None, [model, f"trial {result.trial.place + 1:02d}"]))
            yield from _lost(role, result.trial.params, result.replicas)
    for one in findings.confirmed:
        if one.configuration and one.replicas:
            yield from _lost(one.role, one.configuration.chosen, one.replicas)


def lost_searches(divisions: Sequence[Resplit]) -> list[dict[str, str]]:
    """On how many fresh divisions, and on which, the search made anew gave nothing, and why: one record."""
    lost = [one for one in divisions if one.fault]
    if not lost:
        return []
    names = ", ".join(str(one.split_seed) for one in lost[:FEW])
    more = f" and {len(lost) - FEW} more" if len(lost) > FEW else ""
    what = f"the search made anew on {len(lost)} of {len(divisions)} fresh divisions"
    return [
        {"what": f"{what} (split {names}{more})", "why": f"on split {lost[0].split_seed} {lost[0].fault}"}
    ]


def _lost(role: str, params: Mapping[str, Any], replicas: Replicas) -> Iterator[dict[str, Any]]:
    for seed, why in zip(replicas.seeds, replicas.faults, strict=False):
        if why:
            yield {"role": role, "params": dict(params), "seed": seed, "why": why}


def ties(findings: Findings) -> list[str]:
    """For each model whose best configurations have one objective to the bit: that the first was taken."""
    told = []
    for model, trials in {"": findings.trials, **findings.others}.items():
        task, y_val = findings.problem.task, findings.problem.parts.val.y
        values = {one.trial.config_id: objective(task, one.replicas, y_val) for one in trials}
        equal = sum(value == min(values.values()) for value in values.values()) - 1
        if equal > 0 and np.isfinite(min(values.values())):
            who = f"The best configuration of {model}" if model else "The winner"
            others = f"{equal} other{'s' * (equal > 1)}"
            told.append(
                f"{who} is tied with {others}: their {mean_of(task.trained_on)} in the search is the same to"
                " the bit; the first tried was taken."
            )
    return told


def other_searches(findings: Findings) -> list[dict[str, Any]]:
    """The trials of each model that does not decide."""
    settings = findings.settings
    return [
        {
            "model": model,
            "params": list(searched_params(settings.axes_of(model), [one.trial.params for one in trials])),
            "trials": [_trial(findings.problem, one) for one in trials],
            "repeats": repeats(trials),
        }
        for model, trials in findings.others.items()
    ]


def _trial(problem: Problem, result: TrialResult) -> dict[str, Any]:
    """A trial with its objective in its band."""
    replicas = result.replicas
    lost = sum(map(bool, replicas.faults))
    return {
        "place": result.trial.place + 1,
        "config_id": result.trial.config_id,
        "params": dict(result.trial.params),
        "diverged": int((~replicas.sound).sum()) - lost,
        "lost": lost,
        **_objective(problem, replicas),
    }


def moved_facts(moves: Moved | None) -> dict[str, Any] | None:
    """How far split and seed move the winner's accuracy, or its RMSE."""
    if moves is None:
        return None
    return vars(moves) | {"split": moves.split._asdict(), "seed": moves.seed._asdict()}


def search_facts(findings: Findings) -> dict[str, Any]:
    settings, task = findings.settings, findings.problem.task
    space = settings.axes_of(settings.studied[0])
    seeds = settings.search.seeds if model_of(settings).seeded else 1
    return {
        "design": settings.search.design,
        "score": task.trained_on,
        "objective": f"{mean_of(task.trained_on)} over the search seeds",
        "seeds": [settings.search_seeds[0], settings.search_seeds[seeds - 1], seeds],
        "params": list(searched_params(space, [one.trial.params for one in findings.trials])),
        "winner_on_fresh_seeds": _winner_on_fresh_seeds(findings),
        "trials": [_trial(findings.problem, one) for one in findings.trials],
        "repeats": repeats(findings.trials),
        "importances": dict(findings.importances),
        "surface": surface(findings.problem, findings.trials, space, findings.importances),
        "again": again_facts(findings.analysis.again),
    }


def again_facts(again: Again | None) -> dict[str, Any] | None:
    """What other search seeds would have chosen, and what the search chose on each fresh division."""
    if again is None:
        return None
    found = again.found
    trials = [
        {
            "place": place + 1,
            "difference": float(found.difference[row]),
            "error": float(found.error[row]),
            "near": bool(found.near[row]),
            "chosen": float(found.chosen[row]),
        }
        for row, place in enumerate(again.places)
    ]
    names = dict.fromkeys(name for point in again.anew for name in point)
    anew = {name: [point.get(name) for point in again.anew] for name in names}
    return {
        "seeds": again.seeds,
        "samples": SEARCHES,
        "winner": again.places[found.best] + 1,
        "favourite": again.places[found.favourite] + 1,
        "trials": trials,
        "near": int(found.near.sum()),
        "replaced": found.replaced,
        "anew": anew if again.anew else None,
    }


def _winner_on_fresh_seeds(findings: Findings) -> dict[str, Any]:
    """The objective on the confirmation seeds, over those that did not diverge."""
    winner = findings.confirmed[0]
    seeds = len(winner.replicas.seeds) if winner.replicas else 0
    if winner.replicas is None or not winner.has_seed_bands:
        return {"seeds": seeds, "diverged": seeds, "lost": _lost_in(winner), **NO_OBJECTIVE}
    sound = winner.replicas.pick(winner.replicas.sound)
    value = _objective(findings.problem, sound)
    return {"seeds": seeds, "diverged": seeds - len(sound.seeds), "lost": _lost_in(winner), **value}


def _lost_in(configuration: Confirmed) -> int:
    """How many of its seeds were lost."""
    return sum(map(bool, configuration.replicas.faults)) if configuration.replicas else 0


def _objective(problem: Problem, replicas: Replicas) -> dict[str, float | None]:
    """The mean loss with its band over seeds; null throughout when a seed diverged."""
    task, y_val = problem.task, problem.parts.val.y
    value = objective(task, replicas, y_val)
    if not np.isfinite(value):
        return NO_OBJECTIVE
    losses = task.mean_loss(replicas.val_logits, y_val)
    if len(losses) < 2:  # a model without a seed
        return NO_OBJECTIVE | {"value": value}
    band = seed_bands(losses).quantiles
    return {"value": value, "low": band.low, "high": band.high, "coverage": band.coverage}
