"""The tables of comparisons, of the sources of spread, and of what choosing costs; once for both pages."""

from collections.abc import Mapping
from typing import Any

from handnet.bands.compare import noether_n
from handnet.bands.simulated import MAX_FALSE_POSITIVES
from handnet.report.tables import Grid
from handnet.report.words import exact, in_band, interval, label, number, percent, points
from handnet.study.comparisons import LOSSES


def over_splits_table(facts: Mapping[str, Any], decides: bool) -> Grid:
    """The comparisons over fresh divisions, on the score that words the verdict or on the others."""
    rows = [
        _over_splits(f"{pair['ours']} - {pair['theirs']}", compared)
        for pair in facts["comparisons"]
        for compared in pair["over_splits"]
        if compared["decides"] == decides
    ]
    difference, chances = "difference [Nadeau-Bengio 95 %]", "worse / within 1 point / better"
    headings = ("pair", "score", difference, "p", chances, "P(first > second) [95 %]")
    if decides:
        return Grid("Compared over fresh divisions", _divisions(facts), headings, rows, HOW_DECIDED)
    turned = "Shares in points, log loss turned, so that above 0 is better there too. They describe."
    return Grid("Compared over fresh divisions, the other scores", turned, headings, rows)


HOW_DECIDED = (
    "Divisions share rows, so the plain t test would find differences everywhere: the corrected one"
    " decides; the chances are its Bayesian reading under a flat prior; P(first > second) describes. How"
    " often each rule is wrong stands in the details."
)


def _over_splits(pair: str, compared: Mapping[str, Any]) -> tuple[str, ...]:
    """One pair on one score."""
    band, rope = compared["difference"], compared["rope"]
    show = (lambda value: f"{value:+.4f}") if compared["score"] in LOSSES else points
    return (
        pair,
        label(compared["score"]),
        f"{show(band['centres']['mean'])} [{show(band['low'])}, {show(band['high'])}]",
        exact(compared["p"]),
        " / ".join(percent(rope[name]) for name in ("worse", "equal", "better")) if rope else "-",
        in_band(compared["wins"]),
    )


def _divisions(facts: Mapping[str, Any]) -> str:
    """How many divisions the comparisons are over, and whether their number grew after a look at them."""
    looks = (facts["opening"] or {"rehearsed": []})["rehearsed"]
    earlier = ", ".join(map(str, looks[:-1]))
    grown = (
        f" Their number was raised after the first look, from {earlier} to {looks[-1]}." if earlier else ""
    )
    return (
        f"The same configurations on {looks[-1] if looks else 0} fresh divisions of the table, made after the"
        f" opening; nothing was chosen by them.{grown} It takes {noether_n()} to tell P(first > second) = .75"
        " from a coin's. In points, above 0 for the first. The verdict is worded on accuracy alone, a score"
        " fixed in advance."
    )


def on_test_table(facts: Mapping[str, Any]) -> Grid:
    """The comparisons on the opened test."""
    rows = [
        _on_test(f"{pair['ours']} - {pair['theirs']}", pair["on_test"])
        for pair in facts["comparisons"]
        if pair["on_test"]
    ]
    accuracy, cases = "accuracy, points [seeds and cases, 95 %]", "cases only one calls right, median seed"
    return Grid(
        "Compared on the opened test",
        "The networks as they stand, on the same test cases; what is said holds for this split.",
        ("pair", accuracy, "AUC [DeLong 95 %]", cases, "McNemar p < .05"),
        rows,
    )


def _on_test(pair: str, compared: Mapping[str, Any]) -> tuple[str, ...]:
    """One pair."""
    accuracy, auc, cases = compared["accuracy"], compared["auc"], compared["mcnemar"]
    area = "-"
    if auc:
        area = f"{auc['centres']['mean']:+.4f} [{auc['low']:+.4f}, {auc['high']:+.4f}], p {exact(auc['p'])}"
    return (
        pair,
        f"{points(accuracy['centres']['mean'])} [{points(accuracy['low'])}, {points(accuracy['high'])}]",
        area,
        f"{cases['only_ours']:g} to {cases['only_theirs']:g}",
        f"{cases['below_alpha']} of {cases['seeds']} seeds",
    )


def rule_table(facts: Mapping[str, Any]) -> Grid:
    """How often each rule errs in simulation."""
    rows = [
        (
            rule["what"],
            rule["setting"],
            percent(rule["nominal"]),
            percent(rule["found"]),
            str(rule["studies"]),
            "yes" if rule["may_word"] else "no",
        )
        for rule in facts["rules"]
    ]
    return Grid(
        "How often each rule finds a difference where there is none",
        "Simulated with two equally good configurations at the sizes of this study, and found on the winner's"
        " own scores.",
        ("rule", "setting", "asked for", "found", "studies", f"at most {MAX_FALSE_POSITIVES} throughout"),
        rows,
        "The verdict is worded by the first rule, and only while it keeps below that in every setting; the"
        " others describe. The uncorrected t test is listed for what it would have done.",
    )


def variance_table(facts: Mapping[str, Any]) -> Grid:
    """The variance components of each design."""
    rows = [
        (
            table["role"],
            label(table["score"]),
            table["design"],
            component["source"],
            number(component["deviation"]),
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
        " seed varied one by one.",
        ("configuration", "score", "design", "source", "standard deviation", "share of variance", "degrees"),
        rows,
        "The last source of a design holds whatever nothing else explains. An estimate below 0 is shown as 0."
        " Few degrees say little: with five a standard deviation is uncertain by a factor of two and a half.",
    )


def selection_table(facts: Mapping[str, Any]) -> Grid:
    """The winner's validation loss as chosen, and corrected for the choice."""
    loss = facts["selection"]["corrected"]
    band = loss["band"]
    no_curve = (
        "The trials of this search were chosen in the light of each other, so there is no curve of the best"
        " against its size."
    )
    return Grid(
        "What choosing costs",
        "The winner's mean validation log loss over the search seeds, as the search saw it and corrected for"
        " having been chosen (bootstrap bias corrected cross-validation, Tsamardinos et al. 2018).",
        ("as chosen", "corrected [95 %]", "cases"),
        [(f"{loss['naive']:.4f}", f"{loss['corrected']:.4f} {interval(band)}", str(band["n"]))],
        "" if facts["selection"]["best_of"] else no_curve,
    )


def best_of_table(facts: Mapping[str, Any]) -> Grid:
    """The best loss against the size of the search."""

    def loss(value: float | None) -> str:  # the curve is of losses negated
        return "-" if value is None else f"{-value:.4f}"

    rows = [
        (
            str(point["size"]),
            *(loss(point[name]) for name in ("mean", "plug_in", "median")),
            f"[{loss(point['high'])}, {loss(point['low'])}]",
        )
        for point in facts["selection"]["best_of"]
    ]
    return Grid(
        "The best loss against the size of the search",
        "From this search's own points, taken for independent draws; a Sobol design is more even than that."
        " An open end says the search is too small to bound it.",
        ("configurations", "expected best", "plug-in", "median best", "95 % by order statistics"),
        rows,
    )
