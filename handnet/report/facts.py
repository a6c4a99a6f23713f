"""Everything the report says, as one JSON document. Computed from the stored exact results, every time anew.

The document is described in docs/report-json.md. No number is written down twice: what a page prints comes
from here, and what stands here comes from the logits and histories of each seed.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from handnet.bands import seed_bands
from handnet.bands.seeds import wilks_confidence
from handnet.bands.simulated import ALPHA, ROPE
from handnet.bands.variance import Component
from handnet.data import Array
from handnet.report.cases import missed, stories, watched
from handnet.report.series import curve_series, reliability, seed_series, surface
from handnet.report.verdict import compared, paragraph, statements
from handnet.scores import grade
from handnet.study.analysis import Analysis, TrialResult
from handnet.study.comparisons import DECIDES, ComparedOnTest, ComparedPair, may_state_verdict
from handnet.study.reasons import Reasons
from handnet.study.resplit import SEARCHED_ANEW
from handnet.study.sealed import Opening
from handnet.study.settings import Settings
from handnet.study.summary import band_facts, objective
from handnet.study.units import Confirmed, Problem, Replicas

SCHEMA = 1


def document(
    name: str,
    fingerprint: str,
    settings: Settings,
    problem: Problem,
    confirmed: Sequence[Confirmed],
    tried: Sequence[TrialResult],
    analysis: Analysis,
    reasons: Reasons | None,
    importances: Mapping[str, float],
    opening: Opening | None,
    rehearsed: Sequence[int],
    test: tuple[Array, Array] | None,
    versions: Mapping[str, str],
    seconds: Mapping[str, float],
) -> dict[str, Any]:
    """The report. test: (X, y) of the opened test rows, None while they are sealed."""
    y_test = test[1] if test else None
    facts: dict[str, Any] = {
        "schema": SCHEMA,
        "study": name,
        "fingerprint": fingerprint,
        "data": _data(problem),
        "split": _split(problem, settings),
        "bands": [
            {"role": role, "part": one.part, "score": one.name, **band_facts(band)}
            for role, rows in analysis.quantities.items()
            for one in rows
            for band in one.bands
        ],
        "configurations": [_configuration(one, analysis) for one in confirmed],
        "statements": statements(confirmed, analysis, problem.parts.val.y, test),
        "comparisons": [_rivalry(one) for one in analysis.pairs],
        "variance": [
            {"role": role, "design": design, "score": score, "components": [one._asdict() for one in table]}
            for role, design, score, table in _variances(analysis)
        ],
        "rules": [
            one._asdict() | {"may_word": may_state_verdict(one.what, analysis.rules)}
            for one in analysis.rules
        ],
        "selection": _selection(analysis),
        "wilks": _wilks(settings.confirm.seeds),
        # Those of study.toml are ids of the built-in table.
        "watched": [
            watched(case, problem, confirmed, test, reasons)
            for case in settings.report.watch
            if not settings.data.path
        ],
        "missed": missed(confirmed, problem, test),
        "stories": stories(confirmed, problem, test, reasons),
        "search": (
            _search(tried, settings, problem.parts.val.y, confirmed[0])
            | {"importances": dict(importances), "surface": surface(tried, problem.parts.val.y, settings)}
        ),
        "curves": curve_series(confirmed),
        "seed_scores": seed_series(confirmed, problem.parts.val.y, y_test),
        "reliability": reliability(confirmed[0], problem.parts.val.y, y_test),
        "opening": _opening(opening, rehearsed),
        "settings": (
            settings.identity()
            | {
                "trials": settings.trials,
                "confirmation_seeds": settings.confirm.seeds,
                "rehearsal": vars(settings.rehearsal) | {"ideal": SEARCHED_ANEW in analysis.quantities},
            }
        ),
        "identity": problem.identity,
        "versions": dict(versions),
        "seconds": dict(seconds),
    }
    return facts | {"verdict": paragraph(facts, compared("winner", analysis))}


def _data(problem: Problem) -> dict[str, Any]:
    data = problem.data
    return {
        "name": data.name,
        "digest": data.digest,
        "cases": len(data.y),
        "features": data.X.shape[1],
        "inputs": len(problem.parts.encoder.names),
        "notes": list(problem.parts.notes),
        "positive_class": data.class_names[1],
        "negative_class": data.class_names[0],
    }


def _split(problem: Problem, settings: Settings) -> dict[str, Any]:
    parts, y = problem.parts, problem.data.y
    sizes = {
        part: {"cases": len(rows), "positive": int(y[rows].sum())}
        for part, rows in (("train", parts.train_rows), ("val", parts.val_rows), ("test", parts.test_rows))
    }
    return {**vars(settings.split), "digest": parts.digest, "test_digest": parts.test.digest, "parts": sizes}


def _rivalry(one: ComparedPair) -> dict[str, Any]:
    over_splits = [
        {
            "score": found.score,
            "decides": found.score == DECIDES,
            "difference": band_facts(found.difference.band),
            "p": found.difference.p,
            "rope": {**found.rope._asdict(), "width": ROPE} if found.rope else None,
            "wins": band_facts(found.wins.band),
            "significant": found.wins.significant,
            "meaningful": found.wins.meaningful,
        }
        for found in one.over_splits
    ]
    return {
        "ours": one.ours,
        "theirs": one.theirs,
        "over_splits": over_splits,
        "on_test": _on_test(one.on_test),
    }


def _on_test(found: ComparedOnTest | None) -> dict[str, Any] | None:
    if found is None:
        return None
    pairs = [(one.only_ours, one.only_theirs) for one in found.disagreements]
    only_ours, only_theirs = (float(np.median(counts)) for counts in zip(*pairs, strict=True))
    return {
        "accuracy": band_facts(found.difference),
        "auc": band_facts(found.auc.band) | {"p": found.auc.p} if found.auc else None,
        "mcnemar": {
            "only_ours": only_ours,
            "only_theirs": only_theirs,
            "seeds": len(pairs),
            "below_alpha": sum(one.p < ALPHA for one in found.disagreements),
            "alpha": ALPHA,
        },
    }


def _variances(analysis: Analysis) -> Iterator[tuple[str, str, str, tuple[Component, ...]]]:
    for role, tables in analysis.variances.items():
        for score, table in tables.items():
            yield role, "splits x seeds", score, table
    for score, table in analysis.streams.items():
        yield "winner", "streams of the seed, on the study's split", score, table


def _selection(analysis: Analysis) -> dict[str, Any]:
    bbc = analysis.optimism
    curve = [
        {name: value if np.isfinite(value) else None for name, value in one._asdict().items()}
        for one in analysis.best_of
    ]
    corrected = (
        {"naive": bbc.naive, "corrected": bbc.corrected, "band": band_facts(bbc.band)} if bbc else None
    )
    return {
        "score": "validation log loss over the search seeds",
        "corrected": corrected,
        "best_of": curve or None,
        "best_of_is_of": "losses negated",
    }


def _wilks(seeds: int, content: float = 0.95) -> dict[str, Any]:
    """What the extremes over the confirmation seeds promise, where there are enough of them to promise
    anything."""
    confidence = wilks_confidence(seeds, content)
    return {"content": content, "confidence": confidence, "seeds": seeds, "holds": confidence >= content}


def _configuration(one: Confirmed, analysis: Analysis) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "role": one.role,
        "config_id": one.config_id,
        "recipe": None,
        "seeds": [],
        "diverged": [],
        "overfit": None,
    }
    worth = analysis.overfit.get(one.role)
    if worth:
        facts["overfit"] = {"flagged": worth.flagged, "seeds": worth.seeds}
    if one.recipe and one.replicas:
        lost = one.replicas.fit.diverged_at
        facts["recipe"] = vars(one.recipe) | {"hidden": list(one.recipe.hidden)}
        facts["seeds"] = [one.replicas.seeds[0], one.replicas.seeds[-1], len(one.replicas.seeds)]
        facts["diverged"] = [
            {"seed": seed, "epoch": int(epoch) + 1}
            for seed, epoch in zip(one.replicas.seeds, lost, strict=True)
            if epoch >= 0
        ]
    return facts


def _search(
    tried: Sequence[TrialResult], settings: Settings, y_val: Array, winner: Confirmed
) -> dict[str, Any]:
    rows = [
        {
            "place": one.trial.place + 1,
            "config_id": one.trial.config_id,
            **one.trial.params,
            "diverged": int((~one.replicas.sound).sum()),
            **_objective(one.replicas, y_val),
        }
        for one in tried
    ]
    fresh: dict[str, Any] = {"seeds": settings.confirm.seeds, "diverged": settings.confirm.seeds, **NOTHING}
    if winner.replicas is not None and winner.replicas.sound.sum() > 1:
        sound = winner.replicas.pick(winner.replicas.sound)
        fresh |= _objective(sound, y_val) | {"diverged": settings.confirm.seeds - len(sound.seeds)}
    return {
        "design": settings.search.design,
        "objective": "mean validation log loss over the search seeds",
        "seeds": [settings.search_seeds[0], settings.search_seeds[-1], settings.search.seeds],
        "winner_on_fresh_seeds": fresh,
        "trials": rows,
    }


NOTHING: dict[str, float | None] = {"value": None, "low": None, "high": None, "coverage": None}


def _objective(replicas: Replicas, y_val: Array) -> dict[str, float | None]:
    """The mean loss with its band over seeds; null throughout when a seed diverged."""
    value = objective(replicas, y_val)
    if not np.isfinite(value):
        return NOTHING
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
