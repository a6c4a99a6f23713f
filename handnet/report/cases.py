"""The cases of the report: which are called wrong, how often, and a sentence about each."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from handnet.data import Array, Dataset
from handnet.explain import case_table, unusual_values
from handnet.report.words import number, of_class, part_name
from handnet.study.reasons import Reason, Reasons
from handnet.study.summary import band_facts
from handnet.study.units import Confirmed, Problem, mask_diverged

NAMED = 3  # families a sentence lists before it counts the rest


def story(record: Mapping[str, Any], reason: Reason, data: Dataset) -> dict[str, Any]:
    """The case as facts: `record`, a row of a case table with its part, and the reason, with its sentence."""
    told = [one.family for one in reason.credits if reason.over_trusted(one)]
    return {
        **record,
        "sentence": sentence(record, reason, data),
        "named": list(reason.named),
        "over_trusted": told,
        "flipped": reason.flipped,
        "credits": [
            {
                "family": one.family,
                "seeds": band_facts(one.seeds),
                "splits": band_facts(one.splits) if one.splits else None,
                "clear": one.clear,
                "flipped": one.flipped,
            }
            for one in sorted(reason.credits, key=lambda one: -abs(one.seeds.centre("median")))
        ],
        "neighbours": [{"case": case, "class": data.class_names[label]} for case, label in reason.neighbours],
    }


def sentence(record: Mapping[str, Any], reason: Reason, data: Dataset) -> str:
    """The story of one case."""
    label = int(data.y[reason.row])
    right, wrong = of_class(data.class_names[label]), of_class(data.class_names[1 - label])
    score = (
        f"{number(record['score_median'])} [{number(record['score_low'])}, {number(record['score_high'])}]"
    )
    part = part_name(record["part"])
    lines = [
        f"Case #{record['case']} ({right}, {part}): score {score} over {record['seeds']} seeds, called"
        f" {wrong} by {record['misses']} of them."
    ]
    if reason.wrong:
        lines.append(_carried(reason, wrong, of_class(data.class_names[0])))
    near = sum(one == label for _, one in reason.neighbours)
    lines.append(
        f"Of its {len(reason.neighbours)} nearest train cases {near} {'is' if near == 1 else 'are'} {right}."
    )
    return " ".join(lines)


def _carried(reason: Reason, wrong: str, negative: str) -> str:
    if all(one.splits is None for one in reason.credits):
        return "What carried it is not told: fewer than two fresh divisions held it out of training."
    if not reason.named:
        return f"No family's pull towards {wrong} is clear of 0 over both seeds and splits."
    them = "that" if len(reason.named) == 1 else "these"
    text = (
        f"Carried there by {_listed(reason.named)}; with {them} at the mean of the {negative} train cases"
        f" {reason.flipped} of those {reason.wrong} seeds call it right."
    )
    trusted = sorted(
        (one for one in reason.credits if reason.over_trusted(one)), key=lambda one: -one.flipped
    )
    if trusted:
        text += f" Over-trusted: {_listed([f'{one.family} (alone turns {one.flipped})' for one in trusted])}."
    return text


def _listed(names: list[str] | tuple[str, ...]) -> str:
    shown, rest = list(names[:NAMED]), len(names) - NAMED
    if rest > 0:
        return f"{', '.join(shown)} and {rest} more"
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"


MOST = 30  # stories a report tells of one part, the most often missed cases first

Test = tuple[Array, Array]  # X, y of the opened rows


def cases(one: Confirmed, problem: Problem, part: str, y: Array) -> pd.DataFrame | None:
    """The case table of a configuration on a part; None when too few replicas are finite to make one."""
    logits = one.val_logits if part == "val" else one.test_logits
    rows = problem.parts.val_rows if part == "val" else problem.parts.test_rows
    if one.replicas is None or logits is None or one.replicas.sound.sum() < 2:
        return None
    return case_table(
        mask_diverged(one.replicas, logits),
        y,
        problem.data.case_ids[rows],
        unusual_values(problem.data, problem.parts, rows),
    )


def missed(confirmed: Sequence[Confirmed], problem: Problem, test: Test | None) -> list[dict[str, Any]]:
    """Every case that some seed of some configuration calls wrong."""
    rows = []
    for one in confirmed:
        for part, (_, y) in _graded(problem, test).items():
            table = cases(one, problem, part, y)
            if table is not None:
                wrong = table[table["misses"] > 0]
                rows += [
                    {"role": one.role, "part": part, **_record(row, problem)} for _, row in wrong.iterrows()
                ]
    return rows


def stories(
    confirmed: Sequence[Confirmed], problem: Problem, test: Test | None, reasons: Reasons | None
) -> list[dict[str, Any]]:
    """What is to be said of each case the winner misses, the most often missed first, test before
    validation."""
    if reasons is None:
        return []
    told = []
    for part, (_, y) in reversed(_graded(problem, test).items()):
        table = cases(confirmed[0], problem, part, y)
        if table is not None:
            for _, row in table[table["misses"] > 0].head(MOST).iterrows():
                record = {"part": part, **_record(row, problem)}
                told.append(story(record, reasons.of(_row_of(problem, record["case"])), problem.data))
    return told


def watched(
    case: str, problem: Problem, confirmed: Sequence[Confirmed], test: Test | None, reasons: Reasons | None
) -> dict[str, Any]:
    """One case of the table: its part, class and, unless it is sealed, score and miss share per
    configuration, and its story. part is None when there is no such case."""
    if case not in {str(one) for one in problem.data.case_ids}:
        return {"case": case, "part": None}
    row = _row_of(problem, case)
    part = problem.parts.part_of(row)
    facts: dict[str, Any] = {
        "case": case,
        "part": part,
        "class": problem.data.class_names[problem.data.y[row]],
        "scores": [],
        "story": None,
    }
    if part == "test" and test is None:
        return facts
    tables = {"train": (problem.parts.train.X, problem.parts.train.y), **_graded(problem, test)}
    rows = {
        "train": problem.parts.train_rows,
        "val": problem.parts.val_rows,
        "test": problem.parts.test_rows,
    }[part]
    X, place = tables[part][0], list(rows).index(row)
    for one in confirmed:
        if one.replicas is None or one.replicas.sound.sum() < 2:
            continue
        # The whole part is put through, not one row: a product of one row may differ in its last bit.
        logits = mask_diverged(one.replicas, problem.backend.logits(one.replicas.fit.layers, X))[
            :, place : place + 1
        ]
        table = case_table(
            logits,
            problem.data.y[[row]],
            problem.data.case_ids[[row]],
            unusual_values(problem.data, problem.parts, np.array([row])),
        )
        record = _record(table.iloc[0], problem)
        facts["scores"].append({"role": one.role, **record})
        if one.role == "winner" and reasons is not None:
            facts["story"] = story({"part": part, **record}, reasons.of(row), problem.data)
    return facts


def _graded(problem: Problem, test: Test | None) -> dict[str, Test]:
    val = problem.parts.val
    return {"val": (val.X, val.y)} | ({"test": test} if test else {})


def _row_of(problem: Problem, case: str) -> int:
    return [str(one) for one in problem.data.case_ids].index(case)


def _record(row: "pd.Series[Any]", problem: Problem) -> dict[str, Any]:
    """A row of a case table as plain JSON values."""
    plain = {name: value.item() if isinstance(value, np.generic) else value for name, value in row.items()}
    return {str(name): value for name, value in plain.items()} | {
        "case": str(row["case"]),
        "class": problem.data.class_names[int(row["class"])],
    }
