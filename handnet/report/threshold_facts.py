"""The facts of fixed thresholds, of net benefit and of the price of looks, as plain JSON values."""

from typing import Any

from handnet.messages import option
from handnet.report.search_facts import Findings
from handnet.study.looks import price
from handnet.study.operating import Operating, OperatingPoint
from handnet.study.quantity import band_facts


def threshold_facts(operating: Operating) -> dict[str, Any]:
    """Every configuration at every fixed threshold."""
    return {
        "part": operating.part,
        "prevalence": operating.prevalence,
        "own_prevalence": operating.own,
        "points": [_point(point) for point in operating.points],
    }


def _point(point: OperatingPoint) -> dict[str, Any]:
    return {
        "role": point.role,
        "fixed": point.fixed,
        "target": point.target,
        "threshold": [band_facts(band) for band in point.threshold],
        "fixed_on": point.fixed_on,
        "beyond": point.beyond,
        "reaches": band_facts(point.reaches) if point.reaches else None,
        "uncalled": point.uncalled,
        **{name: [band_facts(band) for band in bands] for name, bands in point.measures.items()},
    }


def benefit_facts(operating: Operating) -> dict[str, Any]:
    """The net benefit of every method at each threshold probability."""
    return {
        "part": operating.part,
        "prevalence": operating.prevalence,
        "own_prevalence": operating.own,
        "shift": operating.shift,
        "thresholds": [
            {
                "threshold": benefit.threshold,
                "treat_all": benefit.treat_all,
                "methods": [{"role": role, **band_facts(band)} for role, band in benefit.methods.items()],
                "differences": [
                    {"ours": "winner", "theirs": role, **band_facts(band)}
                    for role, band in benefit.differences.items()
                ],
            }
            for benefit in operating.benefits
        ],
    }


def look_facts(findings: Findings) -> dict[str, Any] | None:
    """The price of the looks at the test that the settings name or the ledger counts; None where none are."""
    asked, opening, test = findings.settings.report.looks, findings.opening, findings.test
    if not asked or opening is None or test is None:
        return None
    looks = opening.ordinal if asked == "ledger" else int(asked)
    score, groups = findings.settings.verdict.score, findings.problem.parts.groups("test")
    found = price(looks, findings.confirmed, test.y, groups, findings.problem.task.scores[score])
    return {
        "counted": asked == "ledger",
        "looks": looks,
        "chance": found.chance,
        "level": found.level,
        "score": score,
        "bands": [
            {"role": role, "plain": band_facts(plain), "corrected": band_facts(wider)}
            for role, (plain, wider) in found.bands.items()
        ],
    }


def sealed_looks(findings: Findings) -> list[str]:
    """A sentence where the price of looks is asked for and the test is sealed."""
    asked = findings.settings.report.looks
    if not asked or findings.opening is not None:
        return []
    return [
        f"{option('looks', asked)}: the test is sealed, so there is no look yet whose price could be told."
    ]
