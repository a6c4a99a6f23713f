"""Everything the report says, as one JSON document, computed from the stored exact results every time anew.

docs/report-json.md describes the document. No number is written down twice: what a page prints comes from
here, and what stands here comes from the logits and histories of each seed.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from handnet.bands.clusters import number_of_groups
from handnet.data import Array
from handnet.report.cases import Cases
from handnet.report.class_facts import class_counts, confusion, poles, score_facts
from handnet.report.comparison_facts import chance_facts, pair_facts, rule_facts, variance_facts
from handnet.report.deployed import deployed
from handnet.report.imbalance import warnings_on_test
from handnet.report.model_words import Studied, model_of, studied, unsaid
from handnet.report.search_facts import (
    Findings,
    lost_searches,
    lost_seeds,
    moved_facts,
    other_searches,
    search_facts,
    selection_facts,
    ties,
    tuned,
)
from handnet.report.series import curve_series, guesses, reliability, seed_series, smoothed
from handnet.report.statements import compared, statements, worse_than_untuned
from handnet.report.threshold_facts import benefit_facts, look_facts, sealed_looks, threshold_facts
from handnet.report.verdict import paragraph
from handnet.study.analysis import Analysis
from handnet.study.configuration import Configuration
from handnet.study.division import SEARCHED_ANEW
from handnet.study.naming import shipped_of
from handnet.study.quantity import band_facts
from handnet.study.sealed import Opening
from handnet.study.settings import Settings
from handnet.study.units import Confirmed, Problem, table_notes
from handnet.tasks import Task

SCHEMA = 2


def document(findings: Findings) -> dict[str, Any]:
    """The report. Its keys stand in the order of docs/report-json.md."""
    settings, problem, analysis = findings.settings, findings.problem, findings.analysis
    confirmed, model = findings.confirmed, model_of(settings)
    y_val, y_test = problem.parts.val.y, findings.test.y if findings.test else None
    cases = _cases(findings)
    facts: dict[str, Any] = {
        "schema": SCHEMA,
        "study": findings.study,
        "fingerprint": findings.fingerprint,
        "model": model._asdict(),
        "data": _data(problem, settings),
        "split": _split(problem, settings),
        "scores": list(score_facts(problem.task)),
        "bands": list(_bands(analysis)),
        "configurations": [_configuration(one, findings, model) for one in confirmed],
        "lost": list(lost_seeds(findings)),
        "left_out": [*unsaid(settings), *cases.left_out(), *lost_searches(findings.divisions)],
        "statements": _statements(findings, model),
        "warnings": warnings_on_test(
            settings.verdict.score, problem.data, problem.parts.test_rows, findings.opening is not None
        ),
        "looks": look_facts(findings),
        "comparisons": [pair_facts(pair) for pair in analysis.pairs],
        "by_chance": chance_facts(analysis.pairs),
        "confusion": _confusion(problem.task, confirmed[0], y_val, y_test),
        "thresholds": threshold_facts(analysis.operating),
        "net_benefit": benefit_facts(analysis.operating),
        "variance": list(variance_facts(analysis)),
        "moved": moved_facts(analysis.moved),
        "rules": rule_facts(analysis.rules),
        "selection": selection_facts(analysis, problem.task),
        **_case_facts(cases),
        **_searches(findings),
        **_drawn(findings, model),
        "opening": _opening(findings.opening, findings.rehearsed),
        "settings": _settings(findings),
        **_made_by(findings),
    }
    return facts | {"verdict": _verdict(facts, analysis, problem)}


def _confusion(task: Task, winner: Confirmed, y_val: Array, y_test: Array | None) -> dict[str, Any] | None:
    """Of the winner, on the part graded last. y_val: (n_val,); y_test: (n_test,), None while sealed."""
    part, y = ("val", y_val) if y_test is None else ("test", y_test)
    return confusion(task, winner.logits(part) if winner.has_seed_bands else None, y, part)


def _verdict(facts: Mapping[str, Any], analysis: Analysis, problem: Problem) -> str:
    """The report in one paragraph."""
    model = studied(facts)
    comparison = compared("winner", analysis, problem.data.class_names, model)
    return paragraph(facts, comparison, worse_than_untuned(analysis, problem.task.trained_on, model))


def _statements(findings: Findings, model: Studied) -> list[str]:
    """The sentences under the verdict."""
    told = statements(findings.confirmed, findings.analysis, findings.problem, model)
    return [*told, *ties(findings), *sealed_looks(findings)]


def _cases(findings: Findings) -> Cases:
    """The cases of the study."""
    settings, results = findings.settings, (findings.confirmed, findings.test, findings.divisions)
    return Cases(findings.problem, *results, settings.report.tolerance, findings.refits, settings.watched)


def _case_facts(cases: Cases) -> dict[str, Any]:
    """What is said of single cases, and of stories in general."""
    return {
        "judged": cases.judged,
        "watched": [cases.watched(case) for case in cases.watch],
        "doubt": cases.doubt(),
        "missed": cases.missed(),
        "stories": cases.stories(),
        "naming": [row._asdict() | {"rate": row.rate} for row in shipped_of(cases.judge.task).values()],
    }


def _searches(findings: Findings) -> dict[str, Any]:
    """The search of the model that decides, and those of the others."""
    return {"search": search_facts(findings), "other_searches": other_searches(findings)}


def _made_by(findings: Findings) -> dict[str, Any]:
    return {
        "identity": findings.problem.identity,
        "versions": dict(findings.versions),
        "machines": list(findings.machines),
        "seconds": dict(findings.seconds),
    }


def _drawn(findings: Findings, model: Studied) -> dict[str, Any]:
    """What figures are drawn from, and what is said of the models somebody would use."""
    winner, parts, test = findings.confirmed[0], findings.problem.parts, findings.test
    task = findings.problem.task
    rows = task, winner, parts.val.y, test.y if test else None
    groups = parts.groups("test" if test else "val")
    return {
        "curves": curve_series(findings.confirmed) if model.history else {},
        "seed_scores": seed_series(task, findings.confirmed, *rows[2:]),
        "reliability": reliability(*rows),
        "calibration_curve": smoothed(*rows, groups),
        "guesses": guesses(*rows),
        "deployed": deployed(*rows, groups, model),
    }


def _data(problem: Problem, settings: Settings) -> dict[str, Any]:
    data = problem.data
    return {
        "name": data.name,
        "digest": data.digest,
        "cases": len(data.y),
        "groups": number_of_groups(data.groups),
        "features": data.X.shape[1],
        "inputs": len(problem.parts.encoder.names),
        "notes": [*table_notes(settings, problem)],
        "task": problem.task.name,
        "classes": list(data.class_names),
        "target": data.target,
        **poles(data.class_names),
    }


def _split(problem: Problem, settings: Settings) -> dict[str, Any]:
    parts, y = problem.parts, problem.data.y
    rows = {"train": parts.train_rows, "val": parts.val_rows, "test": parts.test_rows}
    sizes = {
        part: {
            "cases": len(of_part),
            **class_counts(y[of_part], problem.task.classes),
            "groups": number_of_groups(parts.groups(part)),
        }
        for part, of_part in rows.items()
    }
    return {**vars(settings.split), "digest": parts.digest, "test_digest": parts.test.digest, "parts": sizes}


def _bands(analysis: Analysis) -> Iterator[dict[str, Any]]:
    for role, quantities in analysis.quantities.items():
        for quantity in quantities:
            for band in quantity.bands:
                yield {"role": role, "part": quantity.part, "score": quantity.name, **band_facts(band)}


def _configuration(configuration: Confirmed, findings: Findings, model: Studied) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "role": configuration.role,
        "config_id": configuration.config_id,
        "tuned": tuned(configuration, findings.settings, model, findings.trials_of(configuration)),
        "chosen": configuration.chosen,
        "model": None,
        "recipe": None,
        "params": None,
        "seeds": [],
        "diverged": [],
        "alike": configuration.alike,
        "overfit": None,
    }
    overfit = findings.analysis.overfit.get(configuration.role)
    if overfit:
        facts["overfit"] = {"flagged": overfit.flagged, "seeds": overfit.seeds}
    found, replicas = configuration.configuration, configuration.replicas
    if found and replicas:
        epochs = dict(zip(replicas.seeds, replicas.fit.diverged_at, strict=True))
        facts["model"], facts["recipe"] = found.model, params_of(found)
        facts["params"] = dict(found.chosen)
        facts["seeds"] = [replicas.seeds[0], replicas.seeds[-1], len(replicas.seeds)]
        facts["diverged"] = [
            {"seed": seed, "epoch": int(epoch) + 1} for seed, epoch in epochs.items() if epoch >= 0
        ]
    return facts


def params_of(configuration: Configuration) -> dict[str, Any]:
    """The parameters of a configuration; of the network by hand the whole recipe."""
    if not configuration.is_mlp:
        return dict(configuration.params)
    recipe = configuration.recipe
    return recipe.values | {"hidden": list(recipe.hidden)}


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


def _settings(findings: Findings) -> dict[str, Any]:
    """All settings, with the counts that may grow as they are in this report."""
    settings = findings.settings
    counts = {"trials": settings.trials, "confirmation_seeds": settings.confirm.seeds}
    ideal = any(SEARCHED_ANEW in one.logits or one.fault for one in findings.divisions)
    return settings.identity() | counts | {"rehearsal": vars(settings.rehearsal) | {"ideal": ideal}}
