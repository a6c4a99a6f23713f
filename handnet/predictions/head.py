"""What stands at the head of the facts of results, whatever is said of them further down."""

from collections.abc import Iterable, Mapping
from typing import Any

from handnet.messages import Refusal
from handnet.predictions.form import Predicted, Results, groups_of
from handnet.report.class_facts import class_counts, poles, score_facts
from handnet.report.words import label
from handnet.scores import Score, Whole, finite_replicas

SCHEMA = 1


def head_facts(results: Results, kind: str, judged: Mapping[tuple[str, str], Predicted]) -> dict[str, Any]:
    """The head of the facts. kind: "bands" or "compare"; judged: (model, part) -> what its bands over cases
    are of."""
    task = results.task
    return {
        "schema": SCHEMA,
        "kind": kind,
        "source": results.source,
        "task": task.name if task else None,
        "opened": results.opened,
        "notes": list(results.notes),
        "left_out": [],
        "data": _data(results, judged.values()),
        "split": {"parts": _parts(results, judged.values())},
        "configurations": [_configuration(results, model, judged) for model in results.models],
        "scores": list(score_facts(task)) if task else [],
    }


def wanted_scores(results: Results, names: Iterable[str] | None, pooled: bool) -> dict[str, Score]:
    """The scores that these outputs can carry, by name, or those of them that are named.

    pooled: whether cases of several divisions are judged together. Areas under curves are missing then:
    networks of different divisions do not rank their cases on one scale. Raises Refusal for a name that is
    no score of the task.
    """
    known = {score.name: score for score in results.task.all_scores} if results.task else {}
    asked = list(known) if names is None else list(names)
    for name in asked:
        if name not in known:
            raise Refusal(f"{name!r} is no score of {results.source}; its scores are {', '.join(known)}.")
    carried = {score.name for score in results.carried() if not (pooled and isinstance(score, Whole))}
    main_first = sorted(known, key=lambda name: not known[name].main)
    return {name: known[name] for name in main_first if name in carried and name in asked}


def score_called(word: str, known: Iterable[str]) -> str:
    """The score that a word names in any case of its letters, or by the label that the tables print; itself
    where it names none."""
    plain = word.strip().casefold()
    return next((name for name in known if plain in (name.casefold(), label(name).casefold())), word)


def _data(results: Results, judged: Iterable[Predicted]) -> dict[str, Any]:
    """What the results are about; cases and groups are those of the largest test that is judged."""
    cases = [one.cases for one in judged]
    return {
        "name": results.source,
        "task": results.task.name if results.task else None,
        "classes": list(results.classes),
        "target": results.target,
        **poles(results.classes),
        "cases": max((len(one) for one in cases), default=0),
        "groups": max((groups_of(one) for one in cases), default=0),
    }


def _parts(results: Results, judged: Iterable[Predicted]) -> dict[str, Any]:
    """The sizes of each part, of the first model that has it."""
    sizes: dict[str, Any] = {}
    for one in judged:
        cases = one.cases
        counts = class_counts(cases.y, results.task.classes) if results.task else {}
        sizes.setdefault(cases.part, {"cases": len(cases), **counts, "groups": groups_of(cases)})
    return sizes


def _configuration(
    results: Results, model: str, judged: Mapping[tuple[str, str], Predicted]
) -> dict[str, Any]:
    """A model: how many seeds it has, how many of them diverged, on how many divisions."""
    last = next((judged[model, part] for part in reversed(results.parts) if (model, part) in judged), None)
    splits = {one.cases.split for one in results.predicted if one.model == model}
    scored = [one for one in results.scored if one.model == model]
    return {
        "role": model,
        "seeds": len(last.seeds) if last else max((len(one.seeds) for one in scored), default=0),
        "diverged": int((~finite_replicas(last.outputs)).sum()) if last else 0,
        "splits": len(splits | {one.split for one in scored}),
        "split": last.cases.split if last else None,
    }
