"""The table of comparisons on the opened test; once for both pages."""

from collections.abc import Mapping
from typing import Any

from handnet.report.comparison_tables import by_chance, in_interval, seen_in_80
from handnet.report.model_words import pair_named, studied
from handnet.report.tables import Grid
from handnet.report.words import cases_of, p_value, signed_band


def on_test_table(facts: Mapping[str, Any]) -> Grid:
    """The comparisons on the opened test."""
    pairs = [(pair_named(facts, pair), pair["on_test"]) for pair in facts["comparisons"] if pair["on_test"]]
    if any("mse" in on_test for _, on_test in pairs):
        return _numbers_table(facts, pairs)
    rows, model = [_on_test(*pair) for pair in pairs], studied(facts)
    many = any("bowker" in on_test for _, on_test in pairs)
    sizes = facts["split"]["parts"]["test"]
    accuracy, cases = "accuracy, points [seeds and cases, 95 %]", "cases only one calls right, median seed"
    area = "AUC [jackknife 95 %]" if many else "AUC [DeLong 95 %]"
    return Grid(
        "Compared on the opened test",
        f"The {model.units} as they stand, on the same {cases_of(sizes, 'test')}; what is said holds for this"
        f" split.{BY_GROUPS if sizes['groups'] else ''} Of the p of AUCs:"
        f" {by_chance(facts, 'on_test')}. Seen in 80 %: the smallest true difference between one"
        f" {model.unit} and the other method that so many cases would have shown in 80 of 100 tests, at the"
        " level .05 / m where a verdict is worded against m rivals and .05 elsewhere; none where the"
        " two never differ.",
        (
            "pair",
            accuracy,
            "seen in 80 %",
            area,
            "p (Holm)",
            cases,
            "McNemar p < .05",
            *(CALLS if many else ()),
        ),
        rows,
    )


BY_GROUPS = (
    " Rows of a group are alike: the intervals are over groups, areas with Obuchowski's variance in place of"
    " DeLong's, and McNemar's test lets the two change places in whole groups."
)


def _on_test(pair: str, compared: Mapping[str, Any]) -> tuple[str, ...]:
    """One pair."""
    accuracy, auc, cases = compared["accuracy"], compared["auc"], compared["mcnemar"]
    area, p = "-", "-"
    if auc:
        area = in_interval(auc, "")
        p = _p(auc)
    return (
        pair,
        in_interval(accuracy, "points"),
        seen_in_80(accuracy, "points"),
        area,
        p,
        f"{cases['only_ours']:g} to {cases['only_theirs']:g}",
        _below(cases),
        *(_below(compared[name]) for name in ("bowker", "stuart_maxwell") if name in compared),
    )


def _p(test: Mapping[str, Any]) -> str:
    """The p of a test and, where it stands among others, as adjusted by Holm's method."""
    p, holm = test["p"], test["p_holm"]
    return p_value(p) if holm is None else f"{p_value(p)} ({p_value(holm)})"


def _below(test: Mapping[str, Any]) -> str:
    """How many seeds have a p below alpha."""
    return f"{test['below_alpha']} of {test['seeds']} seeds"


CALLS = ("Bowker p < .05", "Stuart-Maxwell p < .05")  # on the table of two methods' calls


def _numbers_table(facts: Mapping[str, Any], pairs: list[tuple[str, Mapping[str, Any]]]) -> Grid:
    """The comparisons of guesses of a number on the opened test."""
    rows = [
        (
            pair,
            signed_band(found["difference"]),
            seen_in_80(found["rmse"], "per cent"),
            _p(found["mse"]),
            _below(found["paired_t"]),
            _below(found["signed_rank"]),
        )
        for pair, found in pairs
    ]
    sizes, model = facts["split"]["parts"]["test"], studied(facts)
    groups = " The intervals are over groups, and the ranks those of the sums of each group." * bool(
        sizes["groups"]
    )
    return Grid(
        "Compared on the opened test",
        f"The {model.units} as they stand, on the same {cases_of(sizes, 'test')}; what is said holds for this"
        f" split.{groups} Above 0 the mean squared error of the first is lower. Of the p of the mean over the"
        f" seeds: {by_chance(facts, 'on_test')}. Seen in 80 %: the smallest true difference of the RMSE"
        f" between one {model.unit} and the other method that so many cases would have shown in 80 of 100"
        " tests, at the level .05 / m where a verdict is worded against m rivals and .05 elsewhere.",
        (
            "pair",
            "MSE [seeds and cases, 95 %]",
            "RMSE, seen in 80 %",
            "paired t, p (Holm)",
            "paired t p < .05",
            "signed ranks p < .05",
        ),
        rows,
    )
