"""The cases that models from elsewhere get wrong: of each model, and of all of them together."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from handnet.data import Array
from handnet.explain import case_table
from handnet.judge import Judge, judge_of
from handnet.predictions.form import Predicted, Results
from handnet.report.missed import doubt_facts, judged_facts, missed_facts
from handnet.study.quantity import finite

MOST = 0.5  # above this share most seeds of a model miss a case
LISTED = 30  # of the cases that are hard for some model


def case_facts(
    results: Results, judged: Mapping[tuple[str, str], Predicted], tolerance: float
) -> dict[str, Any]:
    """When a case is wrong, how many cases most and some seeds of each model miss, which, and which cases are
    hard for several models.

    judged: (model, part) -> what is judged; tolerance: of a number, 0 for the default.
    """
    facts: dict[str, Any] = {"judged": None, "doubt": [], "missed": [], "cases": []}
    if results.task is None or not judged:
        return facts
    judge = judge_of(results.task, _truths(judged), tolerance)
    facts["judged"] = judged_facts(judge, results.classes, results.target)
    for (model, part), one in judged.items():
        if len(finite(one.outputs)) < 2:
            continue
        table = case_table(judge, one.outputs, one.cases.y, sorted_as(one.cases.ids), [""] * len(one.cases))
        facts["doubt"].append({"role": model, "part": part, **doubt_facts(table, judge)})
        facts["missed"] += [
            {"role": model, "part": part, **record} for record in missed_facts(table, results.classes)
        ]
    facts["cases"] = _hard_for_several(judge, results, judged)
    return facts


def sorted_as(ids: Array) -> Array:
    """Ids (n,) as they are sorted: as whole numbers where all are written like such, else as text."""
    numbers = np.char.isdecimal(ids.astype(str)) if len(ids) else np.array([False])
    if not numbers.all() or max(map(len, ids)) > 15:
        return ids
    as_numbers = ids.astype(np.int64)
    return as_numbers if (as_numbers.astype(str) == ids.astype(str)).all() else ids


def _truths(judged: Mapping[tuple[str, str], Predicted]) -> Array:
    """The truths (n,) of the last part, of the first model that has it."""
    return list(judged.values())[-1].cases.y


def _hard_for_several(
    judge: Judge, results: Results, judged: Mapping[tuple[str, str], Predicted]
) -> list[dict[str, Any]]:
    """The cases of the last part that most seeds of a model miss, first those that do so for most models."""
    found: dict[str, dict[str, Any]] = {}
    models = [one for (_, part), one in judged.items() if part == results.parts[-1]]
    if len(models) < 2:
        return []
    for one in models:
        sound = finite(one.outputs)
        shares = judge.wrong(sound, one.cases.y).mean(axis=0) if len(sound) else np.zeros(len(one.cases))
        for case, y, share in zip(one.cases.ids, one.cases.y, shares, strict=True):
            row = found.setdefault(str(case), {"truth": y, "split": one.cases.split, "shares": []})
            row["shares"].append(float(share))
    hard = [(case, row) for case, row in found.items() if max(row["shares"]) > MOST]
    records = [
        {
            "case": case,
            "split": row["split"],
            "truth": results.classes[int(row["truth"])] if results.classes else float(row["truth"]),
            "models": len(row["shares"]),
            "hard_for": sum(share > MOST for share in row["shares"]),
            "share": float(np.mean(row["shares"])),
        }
        for case, row in hard
    ]
    return sorted(records, key=lambda row: (-row["hard_for"], -row["share"], row["case"]))[:LISTED]
