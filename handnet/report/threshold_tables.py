"""The tables of fixed thresholds and of net benefit, once for both pages."""

from collections.abc import Mapping, Sequence
from typing import Any

from handnet.report.model_words import named
from handnet.report.tables import Grid, label_of
from handnet.report.words import in_band, interval, number, of_class, part_name, percent, written

MEASURES = ("sensitivity", "specificity", "ppv", "npv")
NAMES = {"ppv": "PPV", "npv": "NPV"}


def threshold_table(facts: Mapping[str, Any]) -> Grid:
    """Sensitivity, specificity, PPV and NPV of each configuration at each fixed threshold, over cases."""
    points = facts["thresholds"]["points"]
    rows = [
        (_fixed(point), named(facts, point["role"]), *(_over(point, name, "cases") for name in MEASURES))
        for point in points
    ]
    return Grid(
        f"At fixed thresholds, on {part_name(facts['thresholds']['part'])} rows",
        _prevalence(facts),
        ("threshold", "configuration", *(NAMES.get(name, name) for name in MEASURES)),
        rows,
        " ".join(["Mean over seeds [95 %, all cases of this kind].", *_holds(points)]),
    )


def threshold_seeds_table(facts: Mapping[str, Any]) -> Grid:
    """The same and the thresholds themselves, over seeds."""
    rows = [
        (
            _fixed(point),
            named(facts, point["role"]),
            *(_over(point, name, "seeds") for name in ("threshold", *MEASURES)),
        )
        for point in facts["thresholds"]["points"]
        if len(point["threshold"]) > 1
    ]
    return Grid(
        "At fixed thresholds, over seeds",
        "Mean [.025, .975] over seeds; the threshold as a probability.",
        ("threshold", "configuration", "threshold", *(NAMES.get(name, name) for name in MEASURES)),
        rows,
    )


def _over(point: Mapping[str, Any], name: str, varied: str) -> str:
    """The mean, or the share, of a measure in its band."""
    bands = (band for band in point[name] if band["varied"] == varied and band["kind"] != "min-max")
    return _mean(next(bands, None))


def _mean(band: Mapping[str, Any] | None) -> str:
    """The mean, or the share, in its band."""
    if band is None:
        return "-"
    centre = band["centres"].get("mean", band["centres"].get("share"))
    return f"{number(centre)} {interval(band)}"


def _fixed(point: Mapping[str, Any]) -> str:
    """What a threshold was fixed for."""
    if point["fixed"] == "probability":
        return "probability .5, fixed in advance"
    return f"{percent(point['target'])} {point['fixed']} on validation rows"


def _prevalence(facts: Mapping[str, Any]) -> str:
    """At which prevalence PPV and NPV hold, and what is taken to stay."""
    found, positive = facts["thresholds"], facts["data"]["positive_class"]
    where = f"where {percent(found['prevalence'])} of the cases are {of_class(positive)}"
    text = "Each seed has its own threshold, applied to these rows as it is."
    if found["own_prevalence"]:
        return f"{text} PPV and NPV hold {where}, as here: Wilson at the number of cases called so."
    return (
        f"{text} PPV and NPV are those {where}, by Bayes: the calls stay as they are, and with them"
        " sensitivity and specificity (intervals: the likelihood ratio's, joined from those of both)."
    )


def _holds(points: Sequence[Mapping[str, Any]]) -> list[str]:
    """How well so few validation cases hold a threshold, a sentence for each kind."""
    sentences: list[str] = []
    for kind in ("sensitivity", "specificity"):
        point = next((point for point in points if point["fixed"] == kind), None)
        if point:
            low, high = number(point["reaches"]["low"]), number(point["reaches"]["high"])
            sentences.append(
                f"The threshold for {percent(point['target'])} {kind} is held by {point['fixed_on']}"
                f" validation cases, of which it leaves {point['beyond']} on the wrong side; a threshold so"
                f" fixed reaches {low} to {high} of all cases of that class (95 %, by the order of the scores"
                " alone)."
            )
    if sentences:
        sentences.append("The winner was chosen on these same validation rows.")
    if any(point["uncalled"] for point in points):
        sentences.append("Seeds that call no case positive, or none negative, have no PPV or no NPV.")
    return sentences


def benefit_table(facts: Mapping[str, Any]) -> Grid:
    """The net benefit of acting above each threshold probability: the winner, its rivals, the differences."""
    found = facts["net_benefit"]
    rivals = [row["theirs"] for row in found["thresholds"][0]["differences"]]
    shown = ["winner", *rivals]
    rows = []
    for row in found["thresholds"]:
        bands = {band["role"]: band for band in row["methods"]}
        methods = (_benefit(bands.get(role)) for role in shown)
        differences = (_benefit(band) for band in row["differences"])
        treat_all = written(row["treat_all"], "net_benefit")
        rows.append((f"{row['threshold']:g}", treat_all, *methods, *differences))
    moved = f" Probabilities are moved to a prevalence of {percent(found['prevalence'])}."
    return Grid(
        f"Net benefit on {part_name(found['part'])} rows",
        "True positives less false positives, these weighed by the odds of the threshold, per case (Vickers"
        " and Elkin 2006): a threshold of .1 says that nine acted on in vain are as bad as one missed. Acting"
        f" on nobody is worth 0.{'' if found['own_prevalence'] else moved} Which threshold is right is no"
        " question of statistics.",
        (
            "act above",
            "treat all",
            *(named(facts, role) for role in shown),
            *(f"winner less {role}" for role in rivals),
        ),
        rows,
        "Mean over seeds [95 %, another seed and all cases at once]; without a seed over cases.",
    )


def _benefit(band: Mapping[str, Any] | None) -> str:
    """A net benefit in its band."""
    return in_band(band and {**band, "score": "net_benefit"})


def look_table(facts: Mapping[str, Any]) -> Grid:
    """What several looks at the same test rows cost: the deciding score's band at the level that pays it."""
    looks = facts["looks"]
    level = f"{100 * looks['level']:.4g} %"
    rows = [
        (named(facts, row["role"]), in_band(row["plain"]), interval(row["corrected"]))
        for row in looks["bands"]
    ]
    counted = "counted in this folder's ledger, up to this one" if looks["counted"] else "asked for"
    return Grid(
        "The price of looks at the test",
        f"Looks at these test rows: {looks['looks']}, {counted}. If there were nothing to find, at least one"
        f" of so many independent looks would find something at .05 in {percent(looks['chance'])}. A band of"
        f" level {level} keeps all of them together at .05 (Bonferroni); a p then counts below"
        f" {number(1 - looks['level'])}.",
        ("configuration", f"{label_of(facts, looks['score'])} [95 %]", f"[{level}]"),
        rows,
        "The ledger counts what was opened in this folder. It cannot know who has seen the table elsewhere.",
    )
