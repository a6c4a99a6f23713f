"""The sentences of the report: the verdict, and the statements under it.

They are computed from the facts, so they say what the tables say. A template states no result.
"""

from collections.abc import Mapping
from typing import Any

from handnet.report.tables import graded_parts, rows_of
from handnet.report.words import cases_of, doubted, interval, middle, number, percent, those
from handnet.study.summary import SHARES


def paragraph(facts: Mapping[str, Any], comparison: str) -> str:
    """The verdict. comparison: the sentence on the simple method, empty where there is none."""
    sentences = [_worth(facts), _spread(facts), comparison or _no_comparison(facts), _doubted(facts)]
    return " ".join(sentence for sentence in sentences if sentence)


def _worth(facts: Mapping[str, Any]) -> str:
    """The share of the cases called right, and of each class, another seed and other cases in one band."""
    part = graded_parts(facts)[0]
    bands = {row["score"]: row["both"] for row in _winner(facts) if "both" in row}
    if set(bands) != set(SHARES):
        return "Fewer than two seeds of the winner are sound, so it has no band."
    sizes, data = facts["split"]["parts"][part], facts["data"]
    positives, negatives = sizes["positive"], sizes["cases"] - sizes["positive"]
    right, detected, cleared = (f"{middle(bands[name])} {interval(bands[name])}" for name in SHARES)
    flattered = ", on which it was chosen and which flatter it," if part == "val" else ""
    seeds, diverged = bands["accuracy"]["seeds"], bands["accuracy"]["diverged"]
    missing = f"; {diverged} of {seeds + diverged} seeds diverged" if diverged else ""
    return (
        f"Of the {cases_of(sizes, part)}{flattered} the winner calls {right} right;"
        f" of the {those(positives, data['positive_class'])} it finds {detected},"
        f" of the {those(negatives, data['negative_class'])} it clears {cleared}"
        f" (mean over {seeds} seeds [95%, another seed and other cases at once]{missing})."
    )


def _spread(facts: Mapping[str, Any]) -> str:
    """How far the accuracy goes when nothing but the seed, or nothing but the split, is another."""
    rows = [row for row in _winner(facts) if row["score"] == "accuracy" and "seeds" in row]
    if not rows:
        return ""
    seeds, splits = rows[0]["seeds"], rows[0].get("splits")
    text = (
        f"Another seed alone gives {number(seeds['low'])} to {number(seeds['high'])}"
        f" ({percent(seeds['coverage'])} of further seeds)"
    )
    if not splits:
        return f"{text}."
    return (
        f"{text}, another split {number(splits['low'])} to {number(splits['high'])}"
        f" ({percent(splits['coverage'])} of further divisions)."
    )


def _no_comparison(facts: Mapping[str, Any]) -> str:
    if facts["opening"]:
        return "Without fresh divisions of the table no verdict is given on it against logistic regression."
    return "Its test is sealed, so no verdict is given on it against logistic regression."


def _doubted(facts: Mapping[str, Any]) -> str:
    """How many cases most seeds miss, some seeds miss, and two seeds call differently."""
    part = graded_parts(facts)[0]
    found = [row for row in facts["doubt"] if row["role"] == "winner" and row["part"] == part]
    return doubted(found[0]) if found else ""


def _winner(facts: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The winner's shares on the last graded part."""
    return [row for row in rows_of(facts, graded_parts(facts)[0], tuple(SHARES)) if row["role"] == "winner"]
