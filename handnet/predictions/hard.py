"""The cases that models from elsewhere get wrong: of each model, and of all of them together."""

from typing import Any

import numpy as np

from handnet.data import Array
from handnet.explain import case_table
from handnet.judge import Judge, judge_of
from handnet.predictions.divisions import Judged
from handnet.predictions.form import Predicted, Results
from handnet.report.missed import doubt_facts, judged_facts, missed_facts
from handnet.study.quantity import finite

MOST = 0.5  # above this share most seeds of a model miss a case
LISTED = 30  # of the cases that most seeds of a model miss
MOST_LISTED = 20_000  # missed cases of all models and parts together
TRAIN = "train"


def case_facts(results: Results, judged: Judged, tolerance: float) -> dict[str, Any]:
    """When a case is wrong, how many cases most and some seeds of each model miss, which, and which cases are
    hard for several models.

    tolerance: of a number, 0 for the default. case_notes: sentences on these.
    """
    facts: dict[str, Any] = {"judged": None, "doubt": [], "missed": [], "cases": [], "case_notes": []}
    if results.task is None or not judged:
        return facts
    train = [one.cases.y for one in results.predicted if one.cases.part == TRAIN]
    truths = train[0] if train else next(iter(_last(results, judged).values())).cases.y
    judge = judge_of(results.task, truths, tolerance)
    facts["judged"] = judged_facts(judge, results.classes, results.target)
    if judge.tolerance is not None and not tolerance and not train:
        facts["case_notes"].append(
            f"A case counts as missed where the guess is off by more than {judge.tolerance:.6g}, half of the"
            " standard deviation of the graded cases, because the train rows are not known."
        )
    most, cut = max(LISTED, MOST_LISTED // len(judged)), False
    for (model, part), one in judged.items():
        if len(finite(one.outputs)) < 2:
            continue
        table = case_table(judge, one.outputs, one.cases.y, sorted_as(one.cases.ids), [""] * len(one.cases))
        facts["doubt"].append({"role": model, "part": part, **doubt_facts(table, judge)})
        missed = missed_facts(table.head(most), results.classes)
        facts["missed"] += [{"role": model, "part": part, **record} for record in missed]
        cut |= bool((table["misses"] > 0).sum() > most)
    if cut:
        facts["case_notes"].append(
            f"Of each model and part the {most} cases that most seeds miss are listed."
        )
    facts["cases"] = _hard_for_several(judge, results, _last(results, judged))
    return facts


def sorted_as(ids: Array) -> Array:
    """Ids (n,) as they are sorted: as whole numbers where all are written like such, else as text."""
    texts = ids.astype(str)
    if not np.char.isdecimal(texts).all() or np.char.str_len(texts).max() > 15:
        return texts
    numbers = texts.astype(np.int64)
    return numbers if (numbers.astype(str) == texts).all() else texts


def _last(results: Results, judged: Judged) -> dict[str, Predicted]:
    """What is judged of each model on the last part that any has."""
    part = max((part for _, part in judged), key=results.parts.index)
    return {model: one for (model, of), one in judged.items() if of == part}


def _hard_for_several(judge: Judge, results: Results, models: dict[str, Predicted]) -> list[dict[str, Any]]:
    """The cases that most seeds of a model miss, first those that are so hard for most models; of one model
    none. hard_for: of how many `models`; share: of the seeds that miss it, the mean over the models."""
    alike: dict[bytes, list[Predicted]] = {}
    for one in models.values():
        alike.setdefault("\0".join(one.cases.ids).encode(), []).append(one)
    if len(models) < 2:
        return []
    found = [record for group in alike.values() for record in _hard_among(judge, results, group)]
    return sorted(found, key=lambda row: (-row["hard_for"], -row["share"], row["case"]))[:LISTED]


def _hard_among(judge: Judge, results: Results, models: list[Predicted]) -> list[dict[str, Any]]:
    """The same of models on the same cases."""
    cases, sound = models[0].cases, [finite(one.outputs) for one in models]
    shares = np.array([judge.wrong(outputs, cases.y).mean(axis=0) for outputs in sound if len(outputs)])
    if not len(shares):
        return []
    hard, share = (shares > MOST).sum(axis=0), shares.mean(axis=0)
    order = sorted(np.flatnonzero(hard), key=lambda place: (-hard[place], -share[place]))[:LISTED]
    return [
        {
            "case": str(cases.ids[place]),
            "split": cases.split,
            "truth": results.classes[int(cases.y[place])] if results.classes else float(cases.y[place]),
            "models": len(shares),
            "hard_for": int(hard[place]),
            "share": float(share[place]),
        }
        for place in order
    ]
