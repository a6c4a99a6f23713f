"""The report in one paragraph: how good, how sure, better than the simple method or not, and which cases to doubt.

Computed from the facts, so that it says what the tables say.
"""

from collections.abc import Mapping
from typing import Any

from experiments.report.tables import parts, table
from experiments.report.words import interval, middle, number, part_name, percent, those

SHARES = ("accuracy", "sensitivity", "specificity")


def paragraph(facts: Mapping[str, Any], compared: str) -> str:
    """The verdict. compared: the sentence on the simple method, empty where there is none."""
    said = [_worth(facts), _moves(facts), compared or _none_yet(facts), _doubted(facts)]
    return " ".join(line for line in said if line)


def _worth(facts: Mapping[str, Any]) -> str:
    """What share of the cases is called right, of each class too, with another seed and other cases in one band."""
    part = parts(facts)[0]
    rows = {row["score"]: row["both"] for row in _winner(facts, part) if "both" in row}
    if set(rows) != set(SHARES):
        return "Fewer than two seeds of the winner are sound, so it has no band."
    sizes, data = facts["split"]["parts"][part], facts["data"]
    right, found, cleared = (f"{middle(rows[name])} {interval(rows[name])}" for name in SHARES)
    flattered = ", on which it was chosen and which flatter it," if part == "val" else ""
    seeds, lost = rows["accuracy"]["seeds"], rows["accuracy"]["diverged"]
    gone = f"; {lost} of {seeds + lost} seeds diverged" if lost else ""
    return (f"Of the {sizes['cases']} {part_name(part)} cases{flattered} the winner calls {right} right; of the "
            f"{those(sizes['positive'], data['positive_class'])} it finds {found}, of the "
            f"{those(sizes['cases'] - sizes['positive'], data['negative_class'])} it clears {cleared} (mean over {seeds} seeds "
            f"[95%, another seed and other cases at once]{gone}).")  # fmt: skip


def _moves(facts: Mapping[str, Any]) -> str:
    """How far the accuracy goes when nothing but the seed, or nothing but the split, is another."""
    row = next((row for row in _winner(facts, parts(facts)[0]) if row["score"] == "accuracy" and "seeds" in row), None)
    if row is None:
        return ""
    seeds, splits = row["seeds"], row.get("splits")
    text = f"Another seed alone gives {number(seeds['low'])} to {number(seeds['high'])} ({percent(seeds['coverage'])} of further seeds)"
    if splits:
        text += f", another split {number(splits['low'])} to {number(splits['high'])} ({percent(splits['coverage'])} of further divisions)"
    return f"{text}."


def _none_yet(facts: Mapping[str, Any]) -> str:
    if facts["opening"]:
        return "Without fresh divisions of the table no verdict is given on it against logistic regression."
    return "Its test is sealed, so no verdict is given on it against logistic regression."


def _doubted(facts: Mapping[str, Any]) -> str:
    part = parts(facts)[0]
    wrong = [row for row in facts["missed"] if row["role"] == "winner" and row["part"] == part]
    every = sum(row["misses"] == row["seeds"] for row in wrong)
    if not wrong:
        return "No case is called wrong by any seed." if facts["configurations"][0]["recipe"] else ""
    sure = (
        f"{every} {'case is' if every == 1 else 'cases are'} called wrong by every seed"
        if every
        else "No case is called wrong by every seed"
    )
    return f"{sure}; on {len(wrong) - every} more the call depends on the seed." if len(wrong) > every else f"{sure}."


def _winner(facts: Mapping[str, Any], part: str) -> list[dict[str, Any]]:
    return [row for row in table(facts, part, SHARES) if row["role"] == "winner"]
