"""The sentences of the report: the verdict, and the statements under it.

They are computed from the facts, so they say what the tables say. A template states no result.
"""

from collections.abc import Mapping
from typing import Any

from handnet.bands.simulated import STUDIES
from handnet.report.main_table import TELLING
from handnet.report.tables import graded_parts, rows_of
from handnet.report.words import (
    cases_named,
    cases_of,
    counts,
    doubted,
    in_band,
    label,
    number,
    percent,
    those,
)
from handnet.study.summary import SHARES


def paragraph(facts: Mapping[str, Any], comparison: str, warning: str = "") -> str:
    """The verdict. comparison: the sentences on the rivals, empty where there are none; warning: what makes
    the comparison worth less, empty where nothing does."""
    sentences = [
        _worth(facts),
        _deciding(facts),
        _next(facts),
        _spread(facts),
        comparison or _no_comparison(facts),
        warning,
        _doubted(facts),
    ]
    return " ".join(sentence for sentence in sentences if sentence)


def _worth(facts: Mapping[str, Any]) -> str:
    """The share of all cases called right, and of each class, with intervals for what is expected."""
    part = graded_parts(facts)[0]
    bands = {row["score"]: row["both"] for row in _winner(facts) if "both" in row}
    if set(bands) != set(SHARES):
        return "Fewer than two seeds of the winner are sound, so it has no band."
    sizes, data = facts["split"]["parts"], facts["data"]
    right, detected, cleared = (in_band(bands[name]) for name in SHARES)
    seeds, diverged = bands["accuracy"]["seeds"], bands["accuracy"]["diverged"]
    missing = f"; {diverged} of {seeds + diverged} seeds diverged" if diverged else ""
    graded = sizes[part]
    ones, zeros = graded["positive"], graded["cases"] - graded["positive"]
    classes = f"{those(ones, data['positive_class'])} and {those(zeros, data['negative_class'])}"
    flattered = ", on which the recipe was chosen and which flatter it" if part == "val" else ""
    return (
        f"Networks of this recipe, trained on {sizes['train']['cases']} of the {data['cases']} rows, call an"
        f" expected {right} of all cases of this kind right; they find {detected} of the"
        f" {cases_named(data['positive_class'])} and clear {cleared} of the"
        f" {cases_named(data['negative_class'])} (mean over {seeds} seeds on {cases_of(graded, part)},"
        f" {classes}{flattered}; {_held(bands)}{missing})."
    )


def _held(bands: Mapping[str, Mapping[str, Any]]) -> str:
    """How often such intervals hold the truth."""
    held = [round(STUDIES * band["simulated"]) for band in bands.values() if band["simulated"] is not None]
    if not held:
        return "95% intervals"
    least, most = min(held), max(held)
    times = f"{least}" if least == most else f"{least} to {most}"
    return f"95% intervals, such as held the truth in {times} of {STUDIES} simulated studies"


def _deciding(facts: Mapping[str, Any]) -> str:
    """The score that words the verdict, where it is none of the shares."""
    score = facts["settings"]["verdict"]["score"]
    if score in SHARES:
        return ""
    rows = rows_of(facts, graded_parts(facts)[0], (score,))
    band = next((row["both"] for row in rows if row["role"] == "winner" and "both" in row), None)
    return f"Their {label(score)}, the score that decides, is an expected {in_band(band)}." if band else ""


def _next(facts: Mapping[str, Any]) -> str:
    """What one more network would show on as many further cases."""
    bands = [row["next"] for row in _winner(facts) if row["score"] == "accuracy" and "next" in row]
    if not bands:
        return ""
    (band,) = bands
    return (
        f"One more such network calls {counts(band, band['n'])} further cases of this kind right (95%,"
        " predictive)."
    )


def _spread(facts: Mapping[str, Any]) -> str:
    """How far the accuracy goes when nothing but the seed, or nothing but the split, is another."""
    rows = [row for row in _winner(facts) if row["score"] == "accuracy" and "extremes" in row]
    if not rows:
        return ""
    seeds, splits = rows[0]["extremes"], rows[0].get("splits")
    cases = facts["split"]["parts"][graded_parts(facts)[0]]["cases"]
    text = f"The {seeds['n']} seeds call {counts(seeds, cases)} right on these rows"
    if seeds["assured"] >= TELLING:
        text += f", as at least {percent(seeds['assured'])} of further seeds do (confidence 95%)"
    if not splits:
        return f"{text}."
    return (
        f"{text}; another seed on another division of this table calls {number(splits['low'])} to"
        f" {number(splits['high'])} right ({percent(splits['coverage'])} of further divisions on average)."
    )


def _no_comparison(facts: Mapping[str, Any]) -> str:
    if facts["opening"]:
        return (
            "There are no fresh divisions of the table, so there is no verdict against logistic regression."
        )
    return "The test is sealed, so there is no verdict against logistic regression."


def _doubted(facts: Mapping[str, Any]) -> str:
    """How many cases most seeds miss, some seeds miss, and two seeds call differently."""
    part = graded_parts(facts)[0]
    found = [row for row in facts["doubt"] if row["role"] == "winner" and row["part"] == part]
    return doubted(found[0]) if found else ""


def _winner(facts: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The winner's shares on the last graded part."""
    return [row for row in rows_of(facts, graded_parts(facts)[0], tuple(SHARES)) if row["role"] == "winner"]
