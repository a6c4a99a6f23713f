"""What models of two classes are worth at fixed thresholds, and the net benefit of acting on them."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from handnet.predictions.divisions import Judged
from handnet.predictions.form import PART, Predicted, Results
from handnet.report.threshold_facts import benefit_facts, threshold_facts
from handnet.scores import finite_replicas
from handnet.study.operating import Operating, Rows, net_benefits, points_of
from handnet.study.quantity import finite
from handnet.study.reading import read


def thresholds_of(results: Results, judged: Judged) -> dict[str, Any]:
    """`thresholds` and `net_benefit` as in a study's report, of the models on the cases of the first, on the
    last part; empty where there is no probability of two classes. Thresholds are those of a study's defaults,
    and those for a sensitivity or specificity are fixed on validation rows where there are such."""
    models = _on_the_same(judged, results.parts[-1]) if results.task and not results.hard else {}
    if not models or len(results.classes) != 2:
        return {}
    asked, first = read({}).report, next(iter(models.values()))
    rows, prevalence = _rows(first), float(np.mean(first.cases.y))
    points = [
        point
        for model, one in models.items()
        for point in points_of(model, one.outputs, _fixing(judged, one), rows, asked)
    ]
    logits = {model: finite(one.outputs) for model, one in models.items()}
    benefits = tuple(net_benefits(logits, rows, asked.thresholds, prevalence))
    operating = Operating(rows.part, prevalence, True, 0.0, tuple(points), benefits)
    return {"thresholds": threshold_facts(operating), "net_benefit": benefit_facts(operating)}


def _on_the_same(judged: Judged, part: str) -> Mapping[str, Predicted]:
    """The models on the cases of the first one whose seeds are not all lost, and which tells cases apart."""
    there = {
        model: one
        for (model, of), one in judged.items()
        if of == part and finite_replicas(one.outputs).any() and np.ptp(finite(one.outputs), axis=1).max() > 0
    }
    first = next(iter(there.values()), None)
    if first is None or len(np.unique(first.cases.y)) < 2:
        return {}
    return {
        model: one
        for model, one in there.items()
        if one.cases is first.cases or np.array_equal(one.cases.ids, first.cases.ids)
    }


def _fixing(judged: Judged, one: Predicted) -> tuple[Rows, Any] | None:
    """The validation rows of the same division and seeds, with the logits of them."""
    val = judged.get((one.model, "val"))
    if val is None or one.cases.part != PART or val.seeds != one.seeds:
        return None
    return (_rows(val), val.outputs) if val.cases.split == one.cases.split else None


def _rows(one: Predicted) -> Rows:
    return Rows(one.cases.part, one.cases.y, one.cases.groups)
