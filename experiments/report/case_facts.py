"""The cases of the report: which are called wrong, how often, and what is to be said of each."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from experiments.reasons import Reasons
from experiments.report.stories import story
from experiments.summary import Confirmed, heard
from experiments.workers import Bench
from handnet.cases import case_table, unusual
from handnet.data import Array

MOST = 30  # stories a report tells of one part, the most often missed cases first

Test = tuple[Array, Array]  # X, y of the opened rows


def cases(one: Confirmed, bench: Bench, part: str, y: Array) -> pd.DataFrame | None:
    """The case table of a configuration on a part; None when too few replicas are finite to make one."""
    logits = one.val_logits if part == "val" else one.test_logits
    rows = bench.parts.val_rows if part == "val" else bench.parts.test_rows
    if one.replicas is None or logits is None or one.replicas.sound.sum() < 2:
        return None
    return case_table(heard(one.replicas, logits), y, bench.data.case_ids[rows], unusual(bench.data, bench.parts, rows))


def missed(confirmed: Sequence[Confirmed], bench: Bench, test: Test | None) -> list[dict[str, Any]]:
    """Every case that some seed of some configuration calls wrong."""
    rows = []
    for one in confirmed:
        for part, (_, y) in _graded(bench, test).items():
            table = cases(one, bench, part, y)
            if table is not None:
                wrong = table[table["misses"] > 0]
                rows += [{"role": one.role, "part": part, **_record(row, bench)} for _, row in wrong.iterrows()]
    return rows


def stories(
    confirmed: Sequence[Confirmed], bench: Bench, test: Test | None, reasons: Reasons | None
) -> list[dict[str, Any]]:
    """What is to be said of each case the winner misses, the most often missed first, test before validation."""
    if reasons is None:
        return []
    told = []
    for part, (_, y) in reversed(_graded(bench, test).items()):
        table = cases(confirmed[0], bench, part, y)
        if table is not None:
            for _, row in table[table["misses"] > 0].head(MOST).iterrows():
                record = {"part": part, **_record(row, bench)}
                told.append(story(record, reasons.of(_row_of(bench, record["case"])), bench.data))
    return told


def watched(
    case: str, bench: Bench, confirmed: Sequence[Confirmed], test: Test | None, reasons: Reasons | None
) -> dict[str, Any]:
    """One case of the table: its part, class and, unless it is sealed, score and miss share per configuration, and its
    story. part is None when there is no such case."""
    if case not in {str(one) for one in bench.data.case_ids}:
        return {"case": case, "part": None}
    row = _row_of(bench, case)
    part = bench.parts.part_of(row)
    facts: dict[str, Any] = {"case": case, "part": part, "class": bench.data.class_names[bench.data.y[row]], "scores": [],
                             "story": None}  # fmt: skip
    if part == "test" and test is None:
        return facts
    tables = {"train": (bench.parts.train.X, bench.parts.train.y), **_graded(bench, test)}
    rows = {"train": bench.parts.train_rows, "val": bench.parts.val_rows, "test": bench.parts.test_rows}[part]
    X, place = tables[part][0], list(rows).index(row)
    for one in confirmed:
        if one.replicas is None or one.replicas.sound.sum() < 2:
            continue
        # The whole part is put through, not one row: a product of one row may differ in its last bit.
        logits = heard(one.replicas, bench.backend.logits(one.replicas.fit.layers, X))[:, place : place + 1]
        table = case_table(
            logits, bench.data.y[[row]], bench.data.case_ids[[row]], unusual(bench.data, bench.parts, np.array([row]))
        )
        record = _record(table.iloc[0], bench)
        facts["scores"].append({"role": one.role, **record})
        if one.role == "winner" and reasons is not None:
            facts["story"] = story({"part": part, **record}, reasons.of(row), bench.data)
    return facts


def _graded(bench: Bench, test: Test | None) -> dict[str, Test]:
    val = bench.parts.val
    return {"val": (val.X, val.y)} | ({"test": test} if test else {})


def _row_of(bench: Bench, case: str) -> int:
    return [str(one) for one in bench.data.case_ids].index(case)


def _record(row: "pd.Series[Any]", bench: Bench) -> dict[str, Any]:
    """A row of a case table as plain JSON values."""
    plain = {name: value.item() if isinstance(value, np.generic) else value for name, value in row.items()}
    return {str(name): value for name, value in plain.items()} | {
        "case": str(row["case"]),
        "class": bench.data.class_names[int(row["class"])],
    }
