"""The facts of the search: its trials, its winner, and what choosing cost, as plain JSON values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from handnet.bands import seed_bands
from handnet.bands.selection import SIMULATED
from handnet.data import Table
from handnet.report.model_words import OURS, Studied, listed
from handnet.report.series import surface
from handnet.report.words import label, mean_of
from handnet.study.analysis import SEARCHES, Again, Analysis, TrialResult, Untuned
from handnet.study.answers import Refits
from handnet.study.division import Resplit
from handnet.study.networks import Replicas
from handnet.study.quantity import band_facts
from handnet.study.sealed import Opening
from handnet.study.settings import Settings
from handnet.study.spread import Moved
from handnet.study.suggested import Suggested
from handnet.study.summary import objective
from handnet.study.units import Confirmed, Problem
from handnet.tasks import Task

NO_OBJECTIVE: dict[str, float | None] = {"value": None, "low": None, "high": None, "coverage": None}


@dataclass(frozen=True)
class Findings:
    """All that the report of a study is computed from.

    confirmed: the winner first; test: the opened rows, None while they are sealed, as opening is; divisions:
    the fresh ones; rehearsed: how many there were at each look; importances: of the searched parameters;
    versions: by package; machines: those that worked on it, in turn; seconds: by activity; refits: as of
    `Cases`.
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


def tuned(configuration: Confirmed, settings: Settings, model: Studied = OURS) -> str:
    """What was chosen for a configuration, and on which rows. model: what is studied."""
    space = settings.searched_of(settings.studied[0])
    params = f"what {space.label} suggests" if isinstance(space, Suggested) else listed([*space])
    if configuration.configuration is None:
        return configuration.tuned
    if configuration.role != "winner" or not params:
        return f"nothing: a {model.choice} fixed beforehand"
    seeds = f", each on {settings.search.seeds} seeds" if model.seeded else ""
    return f"{params} chosen on the validation rows, of {settings.trials} configurations{seeds}"


def searched_params(findings: Findings) -> list[str]:
    """The names of the searched parameters, in the order of the space; else those of the trials."""
    tried = dict.fromkeys(name for result in findings.trials for name in result.trial.params)
    return list(findings.settings.axes_of(findings.settings.studied[0]) or tried)


def moved_facts(moves: Moved | None) -> dict[str, Any] | None:
    """How far split and seed move the winner's accuracy, or its RMSE."""
    if moves is None:
        return None
    return vars(moves) | {"split": moves.split._asdict(), "seed": moves.seed._asdict()}


def search_facts(findings: Findings) -> dict[str, Any]:
    settings, task = findings.settings, findings.problem.task
    rows = [
        {
            "place": result.trial.place + 1,
            "config_id": result.trial.config_id,
            "params": dict(result.trial.params),
            "diverged": int((~result.replicas.sound).sum()),
            "lost": 0,
            **_objective(findings.problem, result.replicas),
        }
        for result in findings.trials
    ]
    return {
        "design": settings.search.design,
        "score": task.trained_on,
        "objective": f"{mean_of(task.trained_on)} over the search seeds",
        "seeds": [settings.search_seeds[0], settings.search_seeds[-1], settings.search.seeds],
        "params": searched_params(findings),
        "winner_on_fresh_seeds": _winner_on_fresh_seeds(findings),
        "trials": rows,
        "importances": dict(findings.importances),
        "surface": surface(
            findings.problem, findings.trials, settings.axes_of(settings.studied[0]), findings.importances
        ),
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
    winner, seeds = findings.confirmed[0], findings.settings.confirm.seeds
    if winner.replicas is None or not winner.has_seed_bands:
        return {"seeds": seeds, "diverged": seeds, "lost": 0, **NO_OBJECTIVE}
    sound = winner.replicas.pick(winner.replicas.sound)
    value = _objective(findings.problem, sound)
    return {"seeds": seeds, "diverged": seeds - len(sound.seeds), "lost": 0, **value}


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
