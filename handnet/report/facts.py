"""Everything the report says, as one JSON document, computed from the stored exact results every time anew.

docs/report-json.md describes the document. No number is written down twice: what a page prints comes from
here, and what stands here comes from the logits and histories of each seed.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from handnet.bands import seed_bands
from handnet.bands.seeds import wilks_confidence
from handnet.bands.simulated import ALPHA, ROPE
from handnet.data import Array, Table
from handnet.report.cases import Cases
from handnet.report.series import curve_series, reliability, seed_series, surface
from handnet.report.verdict import compared, paragraph, statements
from handnet.scores import grade
from handnet.study.analysis import Analysis, TrialResult
from handnet.study.comparisons import (
    DECIDES,
    ComparedOnTest,
    ComparedOverSplits,
    ComparedPair,
    may_state_verdict,
)
from handnet.study.resplit import SEARCHED_ANEW, Resplit
from handnet.study.sealed import Opening
from handnet.study.settings import Settings
from handnet.study.summary import band_facts, objective
from handnet.study.units import Confirmed, Problem, Replicas

SCHEMA = 1
NO_OBJECTIVE: dict[str, float | None] = {"value": None, "low": None, "high": None, "coverage": None}


@dataclass(frozen=True)
class Findings:
    """All that the report of a study is computed from.

    confirmed: the winner first; test: the opened rows, None while they are sealed, as opening is; divisions:
    the fresh ones; rehearsed: how many there were at each look; importances: of the searched parameters;
    versions: by package; machines: those that worked on it, in turn; seconds: by activity.
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


def document(findings: Findings) -> dict[str, Any]:
    """The report. Its keys stand in the order of docs/report-json.md."""
    settings, problem, analysis = findings.settings, findings.problem, findings.analysis
    confirmed = findings.confirmed
    y_val, y_test = problem.parts.val.y, findings.test.y if findings.test else None
    cases = Cases(problem, confirmed, findings.test, findings.divisions)
    # The ids of the settings file are those of the built-in table.
    watched = () if settings.data.path else settings.report.watch
    facts: dict[str, Any] = {
        "schema": SCHEMA,
        "study": findings.study,
        "fingerprint": findings.fingerprint,
        "data": _data(problem, settings),
        "split": _split(problem, settings),
        "bands": list(_bands(analysis)),
        "configurations": [_configuration(configuration, analysis) for configuration in confirmed],
        "statements": statements(confirmed, analysis, y_val, y_test),
        "comparisons": [_pair(pair) for pair in analysis.pairs],
        "variance": list(_variance(analysis)),
        "rules": list(_rules(analysis)),
        "selection": _selection(analysis),
        "wilks": _wilks(settings.confirm.seeds),
        "watched": [cases.watched(case) for case in watched],
        "missed": cases.missed(),
        "stories": cases.stories(),
        "search": _search(findings),
        "curves": curve_series(confirmed),
        "seed_scores": seed_series(confirmed, y_val, y_test),
        "reliability": reliability(confirmed[0], y_val, y_test),
        "opening": _opening(findings.opening, findings.rehearsed),
        "settings": _settings(settings, analysis),
        "identity": problem.identity,
        "versions": dict(findings.versions),
        "machines": list(findings.machines),
        "seconds": dict(findings.seconds),
    }
    return facts | {"verdict": paragraph(facts, compared("winner", analysis))}


def _data(problem: Problem, settings: Settings) -> dict[str, Any]:
    data = problem.data
    return {
        "name": data.name,
        "digest": data.digest,
        "cases": len(data.y),
        "features": data.X.shape[1],
        "inputs": len(problem.parts.encoder.names),
        "notes": [*problem.parts.notes, *settings.network.notes],
        "positive_class": data.class_names[1],
        "negative_class": data.class_names[0],
    }


def _split(problem: Problem, settings: Settings) -> dict[str, Any]:
    parts, y = problem.parts, problem.data.y
    rows = {"train": parts.train_rows, "val": parts.val_rows, "test": parts.test_rows}
    sizes = {
        part: {"cases": len(of_part), "positive": int(y[of_part].sum())} for part, of_part in rows.items()
    }
    return {**vars(settings.split), "digest": parts.digest, "test_digest": parts.test.digest, "parts": sizes}


def _bands(analysis: Analysis) -> Iterator[dict[str, Any]]:
    for role, quantities in analysis.quantities.items():
        for quantity in quantities:
            for band in quantity.bands:
                yield {"role": role, "part": quantity.part, "score": quantity.name, **band_facts(band)}


def _configuration(configuration: Confirmed, analysis: Analysis) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "role": configuration.role,
        "config_id": configuration.config_id,
        "recipe": None,
        "seeds": [],
        "diverged": [],
        "overfit": None,
    }
    overfit = analysis.overfit.get(configuration.role)
    if overfit:
        facts["overfit"] = {"flagged": overfit.flagged, "seeds": overfit.seeds}
    recipe, replicas = configuration.recipe, configuration.replicas
    if recipe and replicas:
        epochs = dict(zip(replicas.seeds, replicas.fit.diverged_at, strict=True))
        facts["recipe"] = vars(recipe) | {"hidden": list(recipe.hidden)}
        facts["seeds"] = [replicas.seeds[0], replicas.seeds[-1], len(replicas.seeds)]
        facts["diverged"] = [
            {"seed": seed, "epoch": int(epoch) + 1} for seed, epoch in epochs.items() if epoch >= 0
        ]
    return facts


def _pair(pair: ComparedPair) -> dict[str, Any]:
    return {
        "ours": pair.ours,
        "theirs": pair.theirs,
        "over_splits": [_over_splits(compared) for compared in pair.over_splits],
        "on_test": _on_test(pair.on_test),
    }


def _over_splits(compared: ComparedOverSplits) -> dict[str, Any]:
    return {
        "score": compared.score,
        "decides": compared.score == DECIDES,
        "difference": band_facts(compared.difference.band),
        "p": compared.difference.p,
        "rope": {**compared.rope._asdict(), "width": ROPE} if compared.rope else None,
        "wins": band_facts(compared.wins.band),
        "significant": compared.wins.significant,
        "meaningful": compared.wins.meaningful,
    }


def _on_test(compared: ComparedOnTest | None) -> dict[str, Any] | None:
    if compared is None:
        return None
    counts = compared.disagreements
    auc = band_facts(compared.auc.band) | {"p": compared.auc.p} if compared.auc else None
    mcnemar = {
        "only_ours": float(np.median([count.only_ours for count in counts])),
        "only_theirs": float(np.median([count.only_theirs for count in counts])),
        "seeds": len(counts),
        "below_alpha": sum(count.p < ALPHA for count in counts),
        "alpha": ALPHA,
    }
    return {"accuracy": band_facts(compared.difference), "auc": auc, "mcnemar": mcnemar}


def _variance(analysis: Analysis) -> Iterator[dict[str, Any]]:
    """A table for each configuration and score, then those of the winner's streams."""
    designs = [(role, "splits x seeds", tables) for role, tables in analysis.variances.items()]
    designs.append(("winner", "streams of the seed, on the study's split", analysis.streams))
    for role, design, tables in designs:
        for score, table in tables.items():
            components = [component._asdict() for component in table]
            yield {"role": role, "design": design, "score": score, "components": components}


def _rules(analysis: Analysis) -> Iterator[dict[str, Any]]:
    for rule in analysis.rules:
        yield rule._asdict() | {"may_word": may_state_verdict(rule.what, analysis.rules)}


def _selection(analysis: Analysis) -> dict[str, Any]:
    bias = analysis.optimism
    curve = [
        {name: value if np.isfinite(value) else None for name, value in size._asdict().items()}
        for size in analysis.best_of
    ]
    corrected = (
        {"naive": bias.naive, "corrected": bias.corrected, "band": band_facts(bias.band)} if bias else None
    )
    return {
        "score": "validation log loss over the search seeds",
        "corrected": corrected,
        "best_of": curve or None,
        "best_of_is_of": "losses negated",
    }


def _wilks(seeds: int, content: float = 0.95) -> dict[str, Any]:
    """What the extremes over the confirmation seeds promise, where there are enough seeds for a promise."""
    confidence = wilks_confidence(seeds, content)
    return {"content": content, "confidence": confidence, "seeds": seeds, "holds": confidence >= content}


def _search(findings: Findings) -> dict[str, Any]:
    settings, y_val = findings.settings, findings.problem.parts.val.y
    rows = [
        {
            "place": result.trial.place + 1,
            "config_id": result.trial.config_id,
            **result.trial.params,
            "diverged": int((~result.replicas.sound).sum()),
            **_objective(result.replicas, y_val),
        }
        for result in findings.trials
    ]
    return {
        "design": settings.search.design,
        "objective": "mean validation log loss over the search seeds",
        "seeds": [settings.search_seeds[0], settings.search_seeds[-1], settings.search.seeds],
        "winner_on_fresh_seeds": _winner_on_fresh_seeds(findings),
        "trials": rows,
        "importances": dict(findings.importances),
        "surface": surface(findings.trials, y_val, settings),
    }


def _winner_on_fresh_seeds(findings: Findings) -> dict[str, Any]:
    """The objective on the confirmation seeds, over those that did not diverge."""
    winner, seeds = findings.confirmed[0], findings.settings.confirm.seeds
    if winner.replicas is None or not winner.has_seed_bands:
        return {"seeds": seeds, "diverged": seeds, **NO_OBJECTIVE}
    sound = winner.replicas.pick(winner.replicas.sound)
    value = _objective(sound, findings.problem.parts.val.y)
    return {"seeds": seeds, "diverged": seeds - len(sound.seeds), **value}


def _objective(replicas: Replicas, y_val: Array) -> dict[str, float | None]:
    """The mean loss with its band over seeds; null throughout when a seed diverged. y_val: (n_val,)."""
    value = objective(replicas, y_val)
    if not np.isfinite(value):
        return NO_OBJECTIVE
    band = seed_bands(grade(replicas.val_logits, y_val).log_loss).quantiles
    return {"value": value, "low": band.low, "high": band.high, "coverage": band.coverage}


def _opening(opening: Opening | None, rehearsed: Sequence[int]) -> dict[str, Any] | None:
    if opening is None:
        return None
    return {
        "id": opening.id,
        "ordinal": opening.ordinal,
        "seen_before": opening.seen_before,
        "when": opening.when,
        "configs": list(opening.configs),
        "rehearsed": list(rehearsed),
    }


def _settings(settings: Settings, analysis: Analysis) -> dict[str, Any]:
    """All settings, with the counts that may grow as they are in this report."""
    counts = {"trials": settings.trials, "confirmation_seeds": settings.confirm.seeds}
    rehearsal = vars(settings.rehearsal) | {"ideal": SEARCHED_ANEW in analysis.quantities}
    return settings.identity() | counts | {"rehearsal": rehearsal}
