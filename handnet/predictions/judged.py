"""The facts of bands of models that were trained elsewhere: every band that their outputs can carry."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from handnet.data import listed
from handnet.messages import option
from handnet.predictions.divisions import Judged, judged_of, notes_of
from handnet.predictions.form import Results
from handnet.predictions.hard import case_facts
from handnet.predictions.head import head_facts, score_called
from handnet.predictions.judging import Judging
from handnet.predictions.scored import judge_scores
from handnet.predictions.thresholds import thresholds_of
from handnet.predictions.within import predictions_of, scores_of
from handnet.report.class_facts import confusion
from handnet.study.quantity import band_facts

NEEDS_MORE = {
    "the gap and the curves of the losses": "They need the losses of the training, epoch by epoch.",
    "the streams of the seeds": "They need networks of which one source of chance varies at a time.",
    "reasons why a case is called wrong": "They need the measured columns, and the model itself.",
    "what choosing cost": "It needs the validation losses of every configuration that was tried.",
}


def judge_results(
    results: Results,
    *,
    split: str | None = None,
    scores: Sequence[str] | None = None,
    tolerance: float = 0.0,
    tick: Callable[[str], object] | None = None,
) -> dict[str, Any]:
    """Every band that results can carry, their hard cases, and what is left out, as plain JSON values.

    split: the division that bands over cases are of, None for the rule of `judged_of`; scores: the names of
    those that are wanted, None for all; tolerance: by which a guessed number may be off, 0 for half of the
    standard deviation of the truths; tick: called with the name of each model that is done. Raises Refusal
    for a score or a division that is not there, and where no model has what a band takes.
    """
    scores = None if scores is None else _named(results, scores)
    alone = scores_of(results, scores)
    if not results.predicted:
        return judge_scores(alone)
    results = predictions_of(results)
    judged = judged_of(results, split)
    judging = Judging(results, judged, scores)
    bands = list(_bands(judging, results.models, tick or (lambda _: None)))
    facts = head_facts(results, "bands", judged)
    facts["notes"] += [*notes_of(judged, judging.divisions), *judging.notes, *_turned(results, bands)]
    facts["bands"] = bands
    facts["variance"] = [row for model in results.models for row in judging.variance(model)]
    facts["confusion"] = list(_confusions(results, judged))
    if scores is None:
        facts |= thresholds_of(results, judged)
    facts |= case_facts(results, judged, tolerance)
    facts["notes"] += facts.pop("case_notes")
    facts["left_out"] = [*judging.left_out, *({"what": a, "why": b} for a, b in NEEDS_MORE.items())]
    return _joined(facts, judge_scores(alone)) if alone.scored else facts


def _bands(
    judging: Judging, models: Sequence[str], tick: Callable[[str], object]
) -> Iterator[dict[str, Any]]:
    """A band a row."""
    for model in models:
        for row in judging.quantities(model):
            head = {"role": model, "part": row.part, "score": row.name}
            yield from (head | band_facts(band) for band in row.bands)
        tick(model)


def _turned(results: Results, bands: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """A note where every model ranks the cases the wrong way round, beyond chance."""
    areas = [row for row in bands if row["score"] == "auc"]
    ranked = {row["role"] for row in areas} >= set(results.models)
    if len(results.classes) == 2 and not results.hard and ranked and all(row["high"] < 0.5 for row in areas):
        positive, other = results.classes[::-1]
        yield (
            f"The AUC of every model is below .5, so the predictions may be of {other!r} and not of"
            f" {positive!r}; if so, {option('positive', other)} says it."
        )


def _named(results: Results, words: Sequence[str]) -> list[str]:
    """The scores that words name."""
    known = [score.name for score in results.task.all_scores] if results.task else []
    known += [name for one in results.scored for name in one.scores]
    return [score_called(word, known) for word in words]


def _confusions(results: Results, judged: Judged) -> Iterator[dict[str, Any]]:
    """Which class each model calls which, on the last part."""
    for (model, part), one in judged.items():
        found = results.task and confusion(results.task, one.outputs, one.cases.y, part)
        if found and part == results.parts[-1]:
            yield {"role": model, **found}


def _joined(facts: dict[str, Any], others: dict[str, Any]) -> dict[str, Any]:
    """The facts of predictions, with those that only scores told."""
    told = {(row["role"], row["part"], row["score"], row["varied"]) for row in facts["bands"]}
    roles = {row["role"] for row in facts["configurations"]}
    names = {row["score"] for row in facts["scores"]}
    more = {
        "bands": [
            row
            for row in others["bands"]
            if (row["role"], row["part"], row["score"], row["varied"]) not in told
        ],
        "configurations": [row for row in others["configurations"] if row["role"] not in roles],
        "scores": [row for row in others["scores"] if row["score"] not in names],
    }
    joined = facts | {name: [*facts[name], *rows] for name, rows in more.items()}
    only = [row["role"] for row in more["configurations"]]
    left_out = [
        {"what": f"{row['what']} of {listed(only)}", "why": row["why"]} for row in others["left_out"] if only
    ]
    notes = dict.fromkeys([*facts["notes"], *others["notes"]])
    return joined | {
        "variance": [*facts["variance"], *(row for row in others["variance"] if row["role"] in only)],
        "left_out": [*facts["left_out"], *left_out],
        "notes": list(notes),
    }
