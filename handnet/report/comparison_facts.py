"""The facts of comparisons, of the sources of spread and of the rules, as plain JSON values."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from handnet.bands.simulated import ALPHA
from handnet.study.analysis import Analysis
from handnet.study.comparisons import ComparedOverSplits, ComparedPair, may_state_verdict
from handnet.study.on_test import ComparedOnTest
from handnet.study.quantity import band_facts


def pair_facts(pair: ComparedPair) -> dict[str, Any]:
    return {
        "ours": pair.ours,
        "theirs": pair.theirs,
        "over_splits": [_over_splits(compared) for compared in pair.over_splits],
        "on_test": _on_test(pair.on_test),
    }


def _over_splits(compared: ComparedOverSplits) -> dict[str, Any]:
    return {
        "score": compared.score,
        "decides": compared.decides,
        "difference": band_facts(compared.difference.band),
        "p": compared.difference.p,
        "rope": {**compared.rope._asdict(), "width": compared.equal} if compared.rope else None,
        "wins": band_facts(compared.wins.band),
        "significant": compared.wins.significant,
        "meaningful": compared.wins.meaningful,
    }


def _on_test(compared: ComparedOnTest | None) -> dict[str, Any] | None:
    if compared is None:
        return None
    counts = compared.disagreements
    auc = band_facts(compared.auc.band) | {"p": compared.auc.p} if compared.auc else None
    mcnemar = {
        "only_ours": float(np.median([count.only_ours for count in counts])),
        "only_theirs": float(np.median([count.only_theirs for count in counts])),
        "seeds": len(counts),
        "below_alpha": sum(count.p < ALPHA for count in counts),
        "alpha": ALPHA,
    }
    return {"accuracy": band_facts(compared.difference), "auc": auc, "mcnemar": mcnemar}


def variance_facts(analysis: Analysis) -> Iterator[dict[str, Any]]:
    """A table for each configuration and score, then those of the winner's streams."""
    designs = [(role, "splits x seeds", tables) for role, tables in analysis.variances.items()]
    designs.append(("winner", "streams of the seed, on the study's split", analysis.streams))
    for role, design, tables in designs:
        for score, table in tables.items():
            components = [component._asdict() for component in table]
            yield {"role": role, "design": design, "score": score, "components": components}


def rule_facts(analysis: Analysis) -> Iterator[dict[str, Any]]:
    for rule in analysis.rules:
        yield rule._asdict() | {"may_word": may_state_verdict(rule.what, analysis.rules)}
