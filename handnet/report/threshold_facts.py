"""The facts of fixed thresholds, of net benefit and of the price of looks, as plain JSON values."""

from typing import Any

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
