"""The facts of comparisons, of the sources of spread and of the rules, as plain JSON values."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from handnet.bands.compare import ALPHA, Comparison
from handnet.bands.null import RULE, FalseAlarms
from handnet.bands.variance import Component
from handnet.study.analysis import Analysis
from handnet.study.comparisons import ComparedOverSplits, ComparedPair, Rules
from handnet.study.false_alarms import rate, shipped_for
from handnet.study.on_test import NumbersOnTest, OnTest
from handnet.study.quantity import band_facts

CROSSED = "splits x seeds"  # the design of divisions on which the same seeds ran


def pair_facts(pair: ComparedPair) -> dict[str, Any]:
    return {
        "ours": pair.ours,
        "theirs": pair.theirs,
        "tuned": pair.tuned,
        "over_splits": [_over_splits(compared) for compared in pair.over_splits],
        "on_test": _on_test(pair),
    }


def _over_splits(compared: ComparedOverSplits) -> dict[str, Any]:
    return {
        "score": compared.score,
        "unit": compared.scale.unit,
        "widest": compared.scale.widest if np.isfinite(compared.scale.widest) else None,
        "decides": compared.decides,
        "difference": band_facts(compared.difference.band),
        "p": compared.p,
        "p_holm": compared.difference.adjusted,
        "detectable": compared.detectable,
        "detectable_level": compared.level,
        "rope": {**compared.rope._asdict(), "width": compared.equal},
        "wins": band_facts(compared.wins.band),
        "significant": compared.wins.significant,
        "meaningful": compared.wins.meaningful,
    }


def _on_test(pair: ComparedPair) -> dict[str, Any] | None:
    compared = pair.on_test
    if compared is None:
        return None
    if isinstance(compared, NumbersOnTest):
        return _numbers(pair, compared)
    counts = compared.disagreements
    accuracy = band_facts(compared.difference) | _detectable(pair, compared, "accuracy")
    mcnemar = {
        "only_ours": float(np.median([count.only_ours for count in counts])),
        "only_theirs": float(np.median([count.only_theirs for count in counts])),
        "seeds": len(counts),
        "below_alpha": sum(count.p < ALPHA for count in counts),
        "alpha": ALPHA,
    }
    auc = _tested(compared.auc) | _detectable(pair, compared, "auc") if compared.auc else None
    tests = {"bowker": compared.bowker, "stuart_maxwell": compared.stuart_maxwell}
    of_calls = {name: _below([test.p for test in of]) for name, of in tests.items() if of}
    return {"accuracy": accuracy, "auc": auc, "mcnemar": mcnemar, **of_calls}


def _numbers(pair: ComparedPair, compared: NumbersOnTest) -> dict[str, Any]:
    """Of a number: the squared errors, seed by seed and over the seeds."""
    return {
        "difference": band_facts(compared.difference),
        "mse": _tested(compared.mse),
        "rmse": _detectable(pair, compared, "rmse"),
        "paired_t": _below(compared.paired_t),
        "signed_rank": _below(compared.signed_rank),
    }


def _below(p: Sequence[float]) -> dict[str, Any]:
    """How many of the p of so many seeds are below alpha, and the one in the middle."""
    below = sum(one < ALPHA for one in p)
    return {"p": float(np.median(p)), "seeds": len(p), "below_alpha": below, "alpha": ALPHA}


def _detectable(pair: ComparedPair, compared: OnTest, score: str) -> dict[str, float | None]:
    level = pair.level(score)
    return {"detectable": compared.detectable(score, level), "detectable_level": level}


def _tested(compared: Comparison) -> dict[str, Any]:
    return band_facts(compared.band) | {"p": compared.p, "p_holm": compared.adjusted}


def chance_facts(pairs: Sequence[ComparedPair]) -> dict[str, Any]:
    """How many of the comparisons that only describe fall below alpha, and how many would by chance."""
    over_divisions = [
        row.difference
        for pair in pairs
        for row in pair.over_splits
        if row.p is not None and not (pair.worded and row.decides)
    ]
    on_test = [tested for pair in pairs if pair.on_test and (tested := pair.on_test.tested)]
    return {"alpha": ALPHA, "over_divisions": _chance(over_divisions), "on_test": _chance(on_test)}


def _chance(compared: Sequence[Comparison]) -> dict[str, Any]:
    return {
        "comparisons": len(compared),
        "by_chance": ALPHA * len(compared),
        "below": sum(one.p < ALPHA for one in compared),
        "below_by_holm": sum(one.adjusted is not None and one.adjusted < ALPHA for one in compared),
    }


def variance_facts(analysis: Analysis) -> Iterator[dict[str, Any]]:
    """A table for each configuration and score, then those of the winner's streams."""
    designs = [(role, CROSSED, tables) for role, tables in analysis.variances.items()]
    designs.append(("winner", "streams of the seed, on the study's split", analysis.streams))
    for role, design, tables in designs:
        yield from component_facts(role, design, tables)


def component_facts(
    role: str, design: str, tables: Mapping[str, tuple[Component, ...]]
) -> Iterator[dict[str, Any]]:
    """The components of the variance of each score of one configuration, by score."""
    for score, table in tables.items():
        components = [component._asdict() for component in table]
        yield {"role": role, "design": design, "score": score, "components": components}


def rule_facts(rules: Rules) -> dict[str, Any]:
    """How often each rule errs: over divisions, in the measured layout nearest to this one; on the test."""
    found = rules.over_divisions
    rates = found.rates if found else ()
    deciding = [row for row in shipped_for(found.own.classes if found else 2) if row.rule == RULE]
    erring = {row.layout for row in deciding if rate(row).low > ALPHA}
    return {
        "alpha": ALPHA,
        "layout": found.own._asdict() if found else None,
        "measured_layout": found.nearest._asdict() if found else None,
        "layouts": len({row.layout for row in deciding}),
        "erring_layouts": len(erring),
        "over_divisions": [_rate_facts(row, rules.may_word(row.rule)) for row in rates],
        "on_test": [rule._asdict() for rule in rules.on_test],
    }


def _rate_facts(row: FalseAlarms, may_word: bool) -> dict[str, Any]:
    return {
        "rule": row.rule,
        "score": row.score,
        "rate": band_facts(rate(row)),
        "correlation": row.correlation,
        "may_word": may_word,
    }
