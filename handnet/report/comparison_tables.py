"""The tables of comparisons over divisions and of the sources of spread; once for both pages."""

from collections.abc import Mapping
from typing import Any

from handnet.report.model_words import named, pair_named
from handnet.report.score_names import IN_UNIT
from handnet.report.tables import Grid, label_of
from handnet.report.words import amount, difference, in_band, measure, p_value, percent, unit_of


def over_splits_table(facts: Mapping[str, Any], decides: bool) -> Grid:
    """The comparisons over fresh divisions, on the score that words the verdict or on the others."""
    rows = [
        _over_splits(facts, pair_named(facts, pair), compared)
        for pair in facts["comparisons"]
        for compared in pair["over_splits"]
        if compared["decides"] == decides
    ]
    equal = facts["settings"]["verdict"]["equal"]
    region = f"{equal:g}" if facts["data"]["classes"] else f"{100 * equal:g} % (of R2 {equal:g})"
    within = f"worse / within {region} / better"
    headings = (
        "pair",
        "score",
        "difference [Nadeau-Bengio 95 %]",
        "p (Holm)",
        "seen in 80 %",
        within,
        "P(first > second) [95 %]",
    )
    without = _without_p(facts, decides)
    if decides:
        return Grid("Compared over fresh divisions", _divisions(facts), headings, rows, HOW_DECIDED + without)
    return Grid(
        "Compared over fresh divisions, the other scores",
        f"{_units(facts)}; {TURNED} They describe:"
        f" {by_chance(facts, 'over_divisions')}. Seen in 80 %: at the level {facts['by_chance']['alpha']}.",
        headings,
        rows,
        without.lstrip(),
    )


def _without_p(facts: Mapping[str, Any], decides: bool) -> str:
    """Why some rows have no p; empty where all have one."""
    found = (one for pair in facts["comparisons"] for one in pair["over_splits"] if one["decides"] == decides)
    return NO_P if any(one["p"] is None for one in found) else ""


NO_P = (
    " A dash for p: the two differ by as much on every division, up to rounding. A test has nothing to go by"
    " without a spread, so such a row counts neither for Holm's method nor among those below .05."
)
HOW_DECIDED = (
    "Divisions share rows, so the plain t test would find differences everywhere: the corrected one"
    " decides, adjusted by Holm for the number of rivals a verdict is worded against. Seen in 80 %: the"
    " smallest true difference that it would have found in at least 80 of 100 tables like this one; at the"
    " level .05 / m, Holm's first step, where a verdict is worded against m rivals, at .05 for pairs that"
    " only describe; none where no two divisions differ, or where two values of the score cannot differ so"
    " much. Intervals are cut off at the largest difference there can be. The chances are"
    " its Bayesian reading under a flat prior, for a region of equivalence that is a convention;"
    " P(first > second) describes. How often each rule is wrong stands in the details."
)


def by_chance(facts: Mapping[str, Any], family: str) -> str:
    """What so many comparisons give by chance, and what they gave."""
    chance, alpha = facts["by_chance"][family], facts["by_chance"]["alpha"]
    return (
        f"of {chance['comparisons']} that only describe, {chance['by_chance']:.2g} would have p < {alpha} by"
        f" chance if nothing differed; {chance['below']} have, {chance['below_by_holm']} as adjusted by Holm"
    )


TURNED = "losses turned, so that above 0 is better there too."


def _units(facts: Mapping[str, Any]) -> str:
    """What the numbers of a difference are."""
    if facts["data"]["classes"]:
        return "Shares in points"
    return "RMSE and mean errors in per cent by which the first is lower, R2 as it is"


def _over_splits(facts: Mapping[str, Any], pair: str, compared: Mapping[str, Any]) -> tuple[str, ...]:
    """One pair on one score."""
    band, rope, unit = compared["difference"], compared["rope"], compared["unit"]
    return (
        pair,
        label_of(facts, compared["score"]),
        in_interval(band, unit, compared["widest"]),
        "-" if compared["p"] is None else f"{p_value(compared['p'])} ({p_value(compared['p_holm'])})",
        seen_in_80(compared, unit),
        " / ".join(percent(rope[name]) for name in ("worse", "equal", "better")),
        in_band(compared["wins"]),
    )


def in_interval(band: Mapping[str, Any], unit: str, widest: float | None = 1.0) -> str:
    """A difference in its interval. widest: the largest there can be, None where any can."""
    low, high = (difference(within(band[end], widest), unit) for end in ("low", "high"))
    return f"{difference(band['centres']['mean'], unit)} [{low}, {high}]"


def within(value: float, widest: float | None) -> float:
    """An end of the interval of a difference, no farther from 0 than the widest difference there can be."""
    return value if widest is None else min(max(value, -widest), widest)


def seen_in_80(compared: Mapping[str, Any], unit: str) -> str:
    """The smallest difference that would have been seen, "none" where no difference would."""
    return "none" if compared["detectable"] is None else amount(compared["detectable"], unit)


def _divisions(facts: Mapping[str, Any]) -> str:
    """How many divisions the comparisons are over, and whether their number grew after a look at them."""
    looks = (facts["opening"] or {"rehearsed": []})["rehearsed"]
    earlier = ", ".join(map(str, looks[:-1]))
    grown = (
        f" Their number was raised after the first look, from {earlier} to {looks[-1]}." if earlier else ""
    )
    score = label_of(facts, facts["settings"]["verdict"]["score"])
    return (
        f"The same configurations on {looks[-1] if looks else 0} fresh divisions of the table, made after the"
        f" opening; nothing was chosen by them.{grown} {_units(facts)}; above 0 the first is better. The"
        f" verdict is worded on {score} alone, a score fixed in advance."
    )


def rule_table(facts: Mapping[str, Any]) -> Grid:
    """How often each rule finds a difference where there is none."""
    rules, grouped = facts["rules"], facts["data"]["groups"]
    rows = [
        (
            row["rule"],
            label_of(facts, row["score"]),
            _rate(row["rate"]),
            f"{row['rate']['n']} tables",
            _may_word(row),
        )
        for row in rules["over_divisions"]
    ]
    rows += [
        (row["what"], "-", percent(row["found"]), f"{row['studies']} tests", "no") for row in rules["on_test"]
    ]
    return Grid(
        f"How often each rule finds a difference where there is none, at {rules['alpha']}",
        _layouts(facts) + "On the test: simulated with two equally good models of its size"
        f"{', the rows of a group alike by half of their variance' if grouped else ''}.",
        ("rule", "score", "found [95 %]", "of", "may word a verdict"),
        rows,
        "A rule words nothing where it is shown to err in more than 5 of 100: where the lower end of its"
        f" interval is above that.{_erring(rules)} Only the first one words the verdict; the others describe."
        " The uncorrected t test is listed for what it would have done.",
    )


def _erring(rules: Mapping[str, Any]) -> str:
    """In how many of the measured layouts the rule of the verdict may word none."""
    if rules["layout"] is None:
        return ""
    erring, layouts = rules["erring_layouts"], rules["layouts"]
    if not erring:
        return (
            f" In none of the {layouts} layouts measured is the rule of the verdict shown to do so, on any"
            " score, so this condition stops no verdict today."
        )
    return f" The rule of the verdict is shown to do so, on some score, in {erring} of the {layouts} layouts."


def _rate(band: Mapping[str, Any]) -> str:
    return f"{percent(band['centres']['share'])} [{percent(band['low'])}, {percent(band['high'])}]"


def _may_word(row: Mapping[str, Any]) -> str:
    return "yes" if row["may_word"] else "no"


def _layouts(facts: Mapping[str, Any]) -> str:
    """Where the rates over divisions come from, and how far that is from this study."""
    rules = facts["rules"]
    if rules["layout"] is None:
        return ""
    own, near = (_layout(rules[name]) for name in ("layout", "measured_layout"))
    measured = f"the nearest one measured has {near}; {_apart(rules['layout'], rules['measured_layout'])}"
    measured = "which is one of those measured" if own == near else measured
    alone = " No table measured has groups of rows." if facts["split"]["parts"]["test"]["groups"] else ""
    correlation = rules["over_divisions"][0]["correlation"]
    assumed = rules["measured_layout"]["test"] / rules["measured_layout"]["rows"]
    learns = "a linear discriminant" if rules["layout"]["classes"] else "ordinary least squares"
    return (
        f"Over divisions: measured on tables whose columns are two exchangeable halves, {learns}"
        f" learning from each, so that no difference is there to be found. The layout of this study has"
        f" {own}, {measured}. The differences of two divisions were correlated by {correlation:.2f} there;"
        f" the corrected t test assumes {assumed:.2f}.{alone} "
    )


def _apart(own: Mapping[str, Any], near: Mapping[str, Any]) -> str:
    """How far the measured layout is from this study's, in rows, parts, classes and divisions."""
    parts = {name: name for name in ("train", "validation", "test")}
    parts |= {_rarest(own): "rarer"} if own["classes"] else {}
    shares = ", ".join(
        f"{name} {near[part] / near['rows']:.0%} of its rows for {own[part] / own['rows']:.0%}"
        for name, part in parts.items()
    )
    return (
        f"that is {near['rows'] / own['rows']:.2g} times the rows and"
        f" {near['divisions'] / own['divisions']:.2g} times the divisions of this study, with {shares}"
    )


def _layout(layout: Mapping[str, Any]) -> str:
    parts = " / ".join(str(layout[part]) for part in ("train", "validation", "test"))
    many = f"{layout['classes']} classes, " if layout["classes"] > 2 else ""
    rarest = f", {many}{layout['rarer']} of {_rarest(layout)}" if layout["classes"] else ""
    return f"{layout['rows']} rows ({parts}){rarest} and {layout['divisions']} divisions"


def _rarest(layout: Mapping[str, Any]) -> str:
    return "the rarer class" if layout["classes"] == 2 else "the rarest class"


def _deviation(component: Mapping[str, Any], score: str) -> str:
    """A standard deviation in its interval."""
    if score in IN_UNIT:
        values = component["deviation"], component["low"], component["high"]
        return "{} [{}, {}]".format(*(measure(value, max(values)) for value in values))
    low, high = (difference(component[end], unit_of(score)).removeprefix("+") for end in ("low", "high"))
    return f"{amount(component['deviation'], unit_of(score))} [{low}, {high}]"


def variance_table(facts: Mapping[str, Any]) -> Grid:
    """The variance components of each design."""
    rows = [
        (
            named(facts, table["role"]),
            label_of(facts, table["score"]),
            table["design"],
            component["source"],
            _deviation(component, table["score"]),
            percent(component["share"]),
            str(component["degrees"]) + (", below 0" if component["negative"] else ""),
        )
        for table in facts["variance"]
        for component in table["components"]
    ]
    return Grid(
        "Where the spread comes from",
        "Variance components of fully crossed designs without repetition: every configuration on every"
        " division with the same seeds, and the winner on the study's own split with the three streams of its"
        " seed varied one by one. Standard deviations, with intervals for normal effects.",
        ("configuration", "score", "design", "source", "deviation [95 %]", "share of variance", "degrees"),
        rows,
        "The last source of a design holds whatever nothing else explains. An estimate below 0 is shown as 0."
        " Few degrees say little, as the intervals show.",
    )
