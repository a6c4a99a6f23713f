"""A study as a table that anybody could send, read back: its report's numbers, digit for digit."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from studies import cli, study_name

from handnet.predictions.columns import Columns
from handnet.predictions.files import read_file
from handnet.predictions.form import Results
from handnet.predictions.frame import to_frame
from handnet.predictions.judged import judge_results
from handnet.predictions.own import from_study
from handnet.predictions.pairs import compare_results
from handnet.predictions.table import read_frame
from handnet.study.comparisons import LEAST_SPLITS, RIVALS

# What a report says that outputs cannot carry: of the training, the table, the search and the study itself;
# and what is drawn or told from the rest.
LEFT_OUT = set(
    """study fingerprint statements warnings looks by_chance moved rules selection watched stories naming
    search curves seed_scores reliability calibration_curve guesses deployed opening settings identity
    versions machines seconds verdict lost model left_out other_searches""".split()
)
CARRIED = set(
    """schema data split scores bands configurations comparisons confusion thresholds net_benefit variance
    judged doubt missed""".split()
)
OF_THE_TABLE = {"name", "digest", "cases", "groups", "features", "inputs", "notes"}  # keys of data


def numbers(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Every plain value, with where it stands."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in items:
        yield from numbers(one, (*place, key))
    if not isinstance(value, dict | list):
        yield place, value


def assert_same(one: Results, other: Results) -> None:
    """All outputs, truths, ids, groups, seeds and sizes are equal, to the bit."""
    assert (one.task, one.classes, one.hard, one.target) == (
        other.task,
        other.classes,
        other.hard,
        other.target,
    )
    assert len(one.predicted) == len(other.predicted)
    for a, b in zip(one.predicted, other.predicted, strict=True):
        assert (a.model, a.seeds, a.cases.split, a.cases.part) == (
            b.model,
            b.seeds,
            b.cases.split,
            b.cases.part,
        )
        assert a.cases.others == b.cases.others
        assert np.array_equal(a.cases.ids, b.cases.ids)
        assert np.array_equal(a.cases.y, b.cases.y)
        assert a.outputs.tobytes() == b.outputs.tobytes()


def read_back(home: Path, folder: Path) -> Results:
    """The study's results through the table, CSV and Parquet."""
    ours = from_study(study_name(home), home)
    frame, columns = to_frame(ours), Columns(target=ours.target)
    frame.to_csv(folder / "x.csv", index=False)
    frame.to_parquet(folder / "x.parquet", index=False)
    found = read_frame(frame, columns)
    for other in (ours, read_file(folder / "x.csv", columns), read_file(folder / "x.parquet", columns)):
        assert_same(other, found)
    return found


def carried(facts: dict[str, Any]) -> dict[str, Any]:
    """What a report says that outputs can carry, by what it is of."""
    of_networks = [one for one in facts["variance"] if one["design"] == "splits x seeds"]
    benefit, points = facts.get("net_benefit"), facts.get("thresholds")  # of two classes
    methods = benefit["thresholds"] if benefit else []
    lists = {
        "bands": [one for one in facts["bands"] if one["part"] != "gap"],
        "variance": of_networks,
        "doubt": facts["doubt"],
        "missed": [{**one, "extremes": ""} for one in facts["missed"]],  # of its measurements
        "scores": facts["scores"],
        "points": points["points"] if points else [],
        "benefits": [{**one, "at": row["threshold"]} for row in methods for one in row["methods"]],
    }
    keys = "role part score kind varied estimand case fixed target at".split()
    rows = {
        " | ".join([name, *(str(one[key]) for key in keys if key in one)]): one
        for name, some in lists.items()
        for one in some
    }
    return rows | {
        "data": {key: value for key, value in facts["data"].items() if key not in OF_THE_TABLE},
        "parts": {part: of_part for part, of_part in facts["split"]["parts"].items() if part != "train"},
        "confusion": facts["confusion"],
        "thresholds": {**points, "points": None} if points and points["points"] else None,
        "net_benefit": {**benefit, "thresholds": [one["treat_all"] for one in methods]} if methods else None,
        "judged": {**facts["judged"], "deviation": None},
    }


def worded(report: dict[str, Any]) -> list[str]:
    """The winner and the rivals that its verdict is worded against."""
    against = [one["theirs"] for one in report["comparisons"] if one["ours"] == "winner"]
    return ["winner", *(role for role in against if role in RIVALS)]


def pair_of(found: dict[str, Any], ours: str, theirs: str) -> dict[str, Any]:
    (pair,) = [one for one in found["comparisons"] if (one["ours"], one["theirs"]) == (ours, theirs)]
    return pair


FAMILY = ("p_holm", "detectable", "detectable_level")  # they take all pairs of a report together


def told(pair: dict[str, Any]) -> dict[str, Any]:
    """What a comparison says of two models alone: over divisions, and on the test where both have it."""
    rows = {row["score"]: row for row in pair["over_splits"]}
    test = None if "searched anew" in (pair["ours"], pair["theirs"]) else pair["on_test"]
    return {"over_splits": _alone(rows), "on_test": _alone(test)}


def _alone(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _alone(one) for key, one in value.items() if key not in FAMILY}
    return [_alone(one) for one in value] if isinstance(value, list) else value


def compared(results: Results, models: Any, first: bool = False) -> dict[str, Any]:
    return dict(json.loads(json.dumps(compare_results(results, models, first=first))))


def check(home: Path, folder: Path) -> int:
    """That all which outputs can carry is equal in the report and in the table. Returns how many numbers."""
    report = json.loads((home / "reports" / study_name(home) / "report.json").read_text())
    assert report.keys() == CARRIED | LEFT_OUT
    results = read_back(home, folder)
    tolerance = report["judged"]["tolerance"] or 0.0  # of a number, made from the train rows
    found = json.loads(json.dumps(judge_results(results, tolerance=tolerance)))
    found["confusion"] = next((one for one in found["confusion"] if one.pop("role") == "winner"), None)
    mine, theirs = carried(report), carried(found)
    for one in report["comparisons"]:
        pair = one["ours"], one["theirs"]
        mine[str(pair)] = told(one)
        theirs[str(pair)] = told(pair_of(compared(results, pair), *pair))
    models, enough = worded(report), report["settings"]["rehearsal"]["splits"] >= LEAST_SPLITS
    verdict = compared(results, models, first=True)
    for role in models[1:]:
        for facts, held in ((report, mine), (verdict, theirs)):
            rows = pair_of(facts, "winner", role)["over_splits"]
            held[f"verdict | {role}"] = [row for row in rows if row["decides"] and enough]
    assert mine == {key: theirs[key] for key in mine}
    return sum(type(value) in (int, float) for _, value in numbers(mine))


def test_two_classes(finished: Path, tmp_path: Path) -> None:
    assert check(finished, tmp_path) > 3000


def test_many_classes_and_a_number(task: tuple[str, Path], tmp_path: Path) -> None:
    assert check(task[1], tmp_path) > 1000


@pytest.mark.long
def test_as_many_seeds_and_divisions_as_by_default(tmp_path: Path) -> None:
    assert cli(tmp_path, "study", "TRIALS=2", "SEEDS=2", "space.epochs.high=20", "OPEN=1") == 0
    assert check(tmp_path, tmp_path) > 4000
