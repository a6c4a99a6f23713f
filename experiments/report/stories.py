"""What is said of one case: a sentence made of counts and bands, and the numbers it was made from."""

from collections.abc import Mapping
from typing import Any

from experiments.reasons import Reason
from experiments.report.words import number, of_class, part_name
from experiments.summary import band_facts
from handnet.data import Dataset

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
            {"family": one.family, "seeds": band_facts(one.seeds), "splits": band_facts(one.splits) if one.splits else None,
             "clear": one.clear, "flipped": one.flipped}
            for one in sorted(reason.credits, key=lambda one: -abs(one.seeds.centre("median")))
        ],
        "neighbours": [{"case": case, "class": data.class_names[label]} for case, label in reason.neighbours],
    }  # fmt: skip


def sentence(record: Mapping[str, Any], reason: Reason, data: Dataset) -> str:
    """The story of one case."""
    label = int(data.y[reason.row])
    right, wrong = of_class(data.class_names[label]), of_class(data.class_names[1 - label])
    score = f"{number(record['score_median'])} [{number(record['score_low'])}, {number(record['score_high'])}]"
    part = part_name(record["part"])
    lines = [f"Case #{record['case']} ({right}, {part}): score {score} over {record['seeds']} seeds, called {wrong} "
             f"by {record['misses']} of them."]  # fmt: skip
    if reason.wrong:
        lines.append(_carried(reason, wrong, of_class(data.class_names[0])))
    near = sum(one == label for _, one in reason.neighbours)
    lines.append(f"Of its {len(reason.neighbours)} nearest train cases {near} {'is' if near == 1 else 'are'} {right}.")
    return " ".join(lines)


def _carried(reason: Reason, wrong: str, negative: str) -> str:
    if all(one.splits is None for one in reason.credits):
        return "What carried it is not told: fewer than two fresh divisions held it out of training."
    if not reason.named:
        return f"No family's pull towards {wrong} is clear of 0 over both seeds and splits."
    them = "that" if len(reason.named) == 1 else "these"
    text = (f"Carried there by {_listed(reason.named)}; with {them} at the mean of the {negative} train cases {reason.flipped} of "
            f"those {reason.wrong} seeds call it right.")  # fmt: skip
    trusted = sorted((one for one in reason.credits if reason.over_trusted(one)), key=lambda one: -one.flipped)
    if trusted:
        text += f" Over-trusted: {_listed([f'{one.family} (alone turns {one.flipped})' for one in trusted])}."
    return text


def _listed(names: list[str] | tuple[str, ...]) -> str:
    shown, rest = list(names[:NAMED]), len(names) - NAMED
    if rest > 0:
        return f"{', '.join(shown)} and {rest} more"
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"
