"""What a gate says, in words, and as a summary for a page of a CI run."""

from collections.abc import Mapping
from typing import Any

from handnet.report.comparison_tables import in_interval
from handnet.report.pair_words import without_verdict
from handnet.report.words import amount, label, p_value, visible

SIGNS = str.maketrans({sign: f"\\{sign}" for sign in "\\`*_[]|#<>"})


def reason(gate: Mapping[str, Any]) -> str:
    """Whether the requirement is shown to hold, and why, or what would tell. gate: the facts of a gate."""
    claim, row = _claim(gate), gate["comparison"]["decides"]
    verdict = f"Shown: {claim}."
    if gate["found"] == "worse":
        verdict = f"Not shown, but the contrary: {_contrary(gate)}."
    elif gate["found"] == "open":
        verdict = f"Not shown, nor the contrary: {_sizes(row)} cannot tell whether {claim}. {_would(gate)}"
    return " ".join([verdict, without_verdict(gate["comparison"]), *gate["left_out"]])


def _claim(gate: Mapping[str, Any]) -> str:
    """What was to be shown."""
    candidate, baseline, size = gate["candidate"], gate["baseline"], _margin(gate)
    on = f"in {label(gate['score'], gate['classes'])}"
    if gate["require"] == "not-worse":
        return f"{candidate} is not worse than {baseline} {on} by more than {size}"
    more = f" by more than {size}" if gate["margin"] else ""
    return f"{candidate} is better than {baseline} {on}{more}"


def _contrary(gate: Mapping[str, Any]) -> str:
    """What is shown where the requirement is shown not to hold."""
    candidate, baseline, high = (
        gate["candidate"],
        gate["baseline"],
        gate["comparison"]["decides"]["difference"]["high"],
    )
    if high >= 0:
        return f"it is not true that {_claim(gate)}"
    more = f" by more than {_margin(gate)}" if gate["require"] == "not-worse" else ""
    on = f"in {label(gate['score'], gate['classes'])}"
    return f"{candidate} is shown to be worse than {baseline} {on}{more}"


def _margin(gate: Mapping[str, Any]) -> str:
    """The margin in its unit."""
    unit, margin = gate["comparison"]["decides"]["unit"], gate["margin"]
    if unit in ("points", "per cent"):
        return f"{100 * margin:g}{'%' if unit == 'per cent' else ' point' if margin == 0.01 else ' points'}"
    return f"{margin:g} {unit}".strip()


def _sizes(row: Mapping[str, Any]) -> str:
    """The seeds and cases that were there."""
    band = row["difference"]
    if row["over"] == "splits":
        return f"{band['n']} divisions of this table"
    seeds = max(filter(None, row["seeds"]), default=1)
    told = f"{seeds} seeds" if seeds > 1 else "one seed"
    return told if row["over"] == "seeds" else f"{told} and {band['n']} cases"


def _would(gate: Mapping[str, Any]) -> str:
    """How many cases or seeds would tell."""
    needed, row = gate["needed"], gate["comparison"]["decides"]
    if not needed["gain"]:
        return "No more data would show it if the true difference is the one seen."
    truth = "the difference seen is the true one"
    if gate["require"] == "not-worse":
        truth = "the two are equal"
    if row["over"] == "splits":
        many = needed["divisions"]
        found = f"With 80% power {many:,} divisions" if many else "No number of divisions of this table"
        return f"{found} would, if {truth}."
    cases, seeds = needed["cases"], needed["seeds"]
    ways = [f"{cases:,} cases with these seeds"] if cases else []
    ways += [f"{seeds:,} seeds with these cases"] if seeds else []
    if not ways:
        return f"No number of cases or of seeds alone would, if {truth}."
    return f"With 80% power {' or '.join(ways)} would, if {truth}."


VERDICTS = {"shown": "shown", "worse": "not shown; the contrary is", "open": "not shown; cannot tell"}


def summary(gate: Mapping[str, Any], sentence: str) -> str:
    """The gate as Markdown: a line of the verdict, a table, and the sentence.

    It begins with a blank line, so that entries appended to one page stay apart.
    """
    row = gate["comparison"]["decides"]
    smallest = "none" if row["detectable"] is None else amount(row["detectable"], row["unit"])
    apart = in_interval(row["difference"], row["unit"], row["widest"])
    cells = {
        "score": label(gate["score"], gate["classes"]),
        "candidate": gate["candidate"],
        "baseline": gate["baseline"],
        "candidate better by [95%]": f"{apart} {row['unit']}".strip(),
        "margin": _margin(gate),
        "required": gate["require"],
        "p": p_value(row["p"]),
        "smallest seen with 80% power": smallest,
    }
    names, values = (
        [visible(str(cell)).translate(SIGNS) for cell in side] for side in zip(*cells.items(), strict=True)
    )
    lines = ["", f"**Gate: {VERDICTS[gate['found']]}**", "", _line(names), _line(["---"] * len(names))]
    told = (visible(each).translate(SIGNS) for each in (sentence, gate["opened"]))
    return "\n".join([*lines, _line(values), "", " ".join(told)]) + "\n"


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"
