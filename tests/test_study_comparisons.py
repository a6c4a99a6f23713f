"""Comparisons of many classes and of a number, over divisions and on the opened test."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from samples import TWO
from scipy.stats import norm, t, ttest_1samp, wilcoxon
from statsmodels.regression.linear_model import OLS
from statsmodels.stats.contingency_tables import SquareTable
from statsmodels.stats.multitest import multipletests

from handnet.bands.compare import nadeau_bengio
from handnet.draws import generator
from handnet.report.comparison_facts import chance_facts, pair_facts
from handnet.report.comparison_tables import NO_P, over_splits_table
from handnet.report.on_test_tables import on_test_table
from handnet.study.comparisons import ComparedPair, can_decide, compare_over_splits, compare_pairs
from handnet.study.division import Resplit, outputs_of
from handnet.study.on_test import compare_on_test
from handnet.study.sections import VerdictSettings
from handnet.study.spread import variance
from handnet.study.units import Confirmed
from handnet.tasks import Task, task_of

MANY, NUMBER = task_of(4), task_of(0)
DECIDED = VerdictSettings(score="", equal=0.01)
SEEDED: Any = SimpleNamespace(seeds=(0, 1, 2), sound=np.ones(3, dtype=bool))  # three that are all sound


def numbers(count: int, worse: float = 0.0) -> list[Resplit]:
    """Made-up divisions of a number, whose second method errs by so much more."""
    draws, made = generator(5, 0), []
    for k in range(count):
        y = draws.normal(size=60)
        ours = y + draws.normal(size=(3, 60))
        theirs = y + (1 + worse) * draws.normal(size=(1, 60))
        made.append(Resplit(k, y, 0.25, {"winner": ours, "ridge regression": theirs}))
    return made


def classes(count: int) -> list[Resplit]:
    draws, made, y = generator(6, 0), [], np.arange(80) % 4
    for k in range(count):
        cases = 2 * np.eye(4)[y] + draws.normal(size=(80, 4))
        ours = cases + 0.5 * draws.normal(size=(3, 80, 4))
        theirs = cases + draws.normal(size=(1, 80, 4))
        made.append(Resplit(k, y, 0.25, {"winner": ours, "logistic regression": theirs}))
    return made


def test_losses_of_a_number_are_compared_by_their_ratio() -> None:
    """The logarithm of theirs over ours, averaged over the seeds, by the corrected t; 1 % is equal."""
    made = numbers(8, worse=0.3)
    found = {
        row.score: row for row in compare_over_splits(NUMBER, "winner", "ridge regression", made, DECIDED)
    }
    assert list(found) == ["rmse", "mae", "r2"]
    assert [name for name, row in found.items() if row.decides] == ["rmse"]
    ours, theirs = (
        [np.sqrt(np.square(one.logits[role] - one.y).mean(axis=1)) for one in made]
        for role in ("winner", "ridge regression")
    )
    d = np.array([np.log(b / a).mean() for a, b in zip(ours, theirs, strict=True)])
    by_hand, row = nadeau_bengio(d, 0.25), found["rmse"]
    assert (row.difference.band.low, row.difference.p) == pytest.approx((by_hand.band.low, by_hand.p))
    assert (row.scale.unit, found["r2"].scale.unit) == ("per cent", "")
    scale = by_hand.error(7)
    better = t.sf((np.log(1.01) - d.mean()) / scale, 7)
    assert row.rope.better == pytest.approx(better, abs=1e-12)
    assert row.detectable == pytest.approx((t.ppf(0.975, 7) + t.ppf(0.8, 7)) * scale)


def test_a_ratio_does_not_know_the_unit() -> None:
    made = numbers(6)
    other = [
        Resplit(one.split_seed, 1000 * one.y, one.ratio, {role: 1000 * z for role, z in one.logits.items()})
        for one in made
    ]
    for plain, scaled in zip(
        *(compare_over_splits(NUMBER, "winner", "ridge regression", each, DECIDED) for each in (made, other)),
        strict=True,
    ):
        assert plain.difference.band.low == pytest.approx(scaled.difference.band.low, abs=1e-9)
        assert plain.difference.p == pytest.approx(scaled.difference.p, abs=1e-9)


def test_many_classes_are_compared_on_their_scores() -> None:
    found = list(compare_over_splits(MANY, "winner", "logistic regression", classes(6), DECIDED))
    assert {"accuracy", "balanced_accuracy", "macro_f1", "log_loss"} <= {row.score for row in found}
    assert [row.score for row in found if row.decides] == ["accuracy"]
    units = {row.score: row.scale.unit for row in found}
    assert (units["accuracy"], units["log_loss"], units["macro_f1"]) == ("points", "nats", "")
    decided = VerdictSettings(score="macro_f1", equal=0.01)
    found = list(compare_over_splits(MANY, "winner", "logistic regression", classes(6), decided))
    assert [row.score for row in found if row.decides] == ["macro_f1"]


def test_a_perfect_guess_has_no_ratio_and_is_left_out() -> None:
    made = numbers(5)
    made[0].logits["winner"][0] = made[0].y
    row = next(compare_over_splits(NUMBER, "winner", "ridge regression", made, DECIDED))
    assert (row.difference.band.n, row.difference.band.diverged) == (5, 1)
    assert np.isfinite(row.difference.band.low)


@pytest.mark.parametrize(
    ("task", "made", "names"), [(MANY, classes(4), "accuracy"), (NUMBER, numbers(4), "rmse")]
)
def test_the_spread_is_taken_apart_on_the_scores_of_the_task(task: Task, made: list, names: str) -> None:
    tables = variance(task, outputs_of("winner", made))
    assert names in tables
    assert set(tables) == set(task.varied)
    assert {part.source for part in tables[names]} == {"split", "seed", "split x seed"}


def test_a_number_on_the_test_alone() -> None:
    """Each seed's p is SciPy's, the p of all that of their mean, the error that of the ratio's influence."""
    one = numbers(1, worse=0.2)[0]
    ours, theirs, y = one.logits["winner"], one.logits["ridge regression"], one.y
    found = compare_on_test(NUMBER, ours, theirs, y)
    a, b = np.square(ours - y), np.square(theirs - y)
    assert found.paired_t == pytest.approx([ttest_1samp(row, 0).pvalue for row in b - a])
    assert found.signed_rank == pytest.approx([wilcoxon(row).pvalue for row in b - a])
    assert found.mse.p == pytest.approx(ttest_1samp((b - a).mean(axis=0), 0).pvalue)
    assert found.difference.low <= (b - a).mean() <= found.difference.high
    assert found.difference.low <= found.mse.band.low
    moved = b / b.mean(axis=1, keepdims=True) / 2 - a / a.mean(axis=1, keepdims=True) / 2
    error = np.sqrt(np.mean(moved.var(axis=1, ddof=1)) / 60)
    reach = t.ppf(0.975, 59) + t.ppf(0.8, 59)
    assert found.detectable("rmse", 0.05) == pytest.approx(reach * error)
    assert found.detectable("mae", 0.05) is None
    groups = np.arange(60) // 4
    grouped = compare_on_test(NUMBER, ours, theirs, y, groups)
    fit = OLS((b - a).mean(axis=0), np.ones(60)).fit(
        cov_type="cluster", cov_kwds={"groups": groups}, use_t=True
    )
    assert grouped.mse.p == pytest.approx(fit.pvalues[0])
    assert (grouped.degrees, grouped.mse.band.groups) == (14, 15)


def test_the_error_of_a_ratio_is_that_of_a_bootstrap() -> None:
    one, draws = numbers(1)[0], generator(3, 0)
    ours, theirs, y = one.logits["winner"][:2], one.logits["ridge regression"], one.y
    a, b = np.square(ours - y), np.square(theirs - y)
    drawn = []
    for _ in range(2000):
        rows = draws.integers(60, size=60)
        drawn.append(np.log(b[0, rows].mean() / a[:, rows].mean(axis=1)) / 2)
    error = np.sqrt(np.mean(np.var(drawn, axis=0)))
    assert compare_on_test(NUMBER, ours, theirs, y).error == pytest.approx(error, rel=0.12)


def test_many_classes_on_the_test_alone() -> None:
    one = classes(1)[0]
    ours, theirs, y = one.logits["winner"], one.logits["logistic regression"], one.y
    found = compare_on_test(MANY, ours, theirs, y)
    calls = ours.argmax(axis=-1), theirs.argmax(axis=-1)
    for seed, (bowker, same) in enumerate(zip(found.bowker, found.stuart_maxwell, strict=True)):
        table = SquareTable(np.histogram2d(calls[0][seed], calls[1][0], bins=np.arange(5) - 0.5)[0], False)
        assert bowker.statistic == pytest.approx(table.symmetry().statistic)
        assert same.statistic == pytest.approx(table.homogeneity().statistic)
        right = calls[0][seed] == y, calls[1][0] == y
        assert found.disagreements[seed].only_ours == (right[0] & ~right[1]).sum()
    d = (calls[0] == y).astype(float) - (calls[1] == y)
    reach = norm.ppf(0.975) + norm.ppf(0.8)
    error = np.sqrt(np.mean(d.var(axis=1, ddof=1)) / 80)
    assert found.detectable("accuracy", 0.05) == pytest.approx(reach * error)
    grouped = compare_on_test(MANY, ours, theirs, y, np.arange(80) // 4)
    assert grouped.bowker == grouped.stuart_maxwell == ()
    assert compare_on_test(MANY, ours, np.zeros_like(theirs), y).auc is None
    two = compare_on_test(TWO, ours[..., 0], theirs[..., 0], (y == 0).astype(int))
    assert two.bowker == ()


@pytest.mark.parametrize(
    ("task", "made", "rival", "tests"),
    [
        (MANY, classes(6), "logistic regression", {"mcnemar", "bowker", "stuart_maxwell"}),
        (NUMBER, numbers(6), "ridge regression", {"mse", "paired_t", "signed_rank"}),
    ],
)
def test_facts_and_tables_say_what_is_compared(task: Task, made: list, rival: str, tests: set[str]) -> None:
    last = made[-1]
    confirmed = [Confirmed(role, "c", None, None, last.logits[role], None) for role in ("winner", rival)]
    (pair,) = compare_pairs(task, confirmed, made, None, DECIDED)
    assert pair.worded
    on_test = compare_on_test(task, last.logits["winner"], last.logits[rival], last.y)
    assert on_test.tested is not None
    pair = ComparedPair("winner", rival, pair.over_splits, on_test.adjusted(0.5), "")
    found = pair_facts(pair)
    assert tests <= set(found["on_test"])
    chance = {"comparisons": 1, "by_chance": 0.05, "below": 0, "below_by_holm": 0}
    facts = {
        "comparisons": [found],
        "settings": {"verdict": {"score": task.deciding, "equal": 0.01}},
        "opening": None,
        "by_chance": {"alpha": 0.05, "over_divisions": chance, "on_test": chance},
        "split": {"parts": {"test": {"cases": len(last.y), "groups": 0}}},
        "data": {"classes": [f"class {label}" for label in range(task.classes)], "target": "y"},
    }
    grid = on_test_table(facts)
    assert all(len(row) == len(grid.headings) for row in grid.rows)
    assert len(over_splits_table(facts, decides=True).rows) == 1


def test_a_verdict_is_worded_against_other_models_too_with_holm_over_all() -> None:
    """A model without a seed has one row of outputs, which stands beside every seed of the winner."""
    draws, made = generator(7, 0), []
    for one in numbers(6, worse=0.3):
        svc = one.y + 2 * draws.normal(size=(1, 60))
        made.append(Resplit(one.split_seed, one.y, one.ratio, {**one.logits, "SVC": svc}))
    outputs = made[-1].logits
    confirmed = [Confirmed(role, "c", None, None, outputs[role], None) for role in outputs]
    pairs = compare_pairs(NUMBER, confirmed, made, None, DECIDED, models=("SVC",))
    worded = {pair.theirs: pair.over_splits[0] for pair in pairs if pair.worded}
    assert list(worded) == ["ridge regression", "SVC"]
    assert [row.among for row in worded.values()] == [2, 2]
    p = [row.difference.p for row in worded.values()]
    by_holm = multipletests(p, method="holm")[1]
    assert [row.difference.adjusted for row in worded.values()] == pytest.approx(list(by_holm))
    d = [
        np.mean(np.log(np.sqrt(np.square(one.logits["SVC"] - one.y).mean())))
        - np.mean([np.log(np.sqrt(np.square(seed - one.y).mean())) for seed in one.logits["winner"]])
        for one in made
    ]
    assert worded["SVC"].difference.band.centre("mean") == pytest.approx(np.mean(d))
    alone = compare_pairs(NUMBER, confirmed, made, None, DECIDED)
    assert [pair.theirs for pair in alone if pair.worded] == ["ridge regression"]


def test_every_two_models_are_compared_and_the_first_decides() -> None:
    """The pair of those that do not decide is in the families that describe, on the test too."""
    draws, made = generator(8, 0), []
    for one in numbers(6):
        others = {name: one.y + draws.normal(size=(3, 60)) for name in ("SVC", "tree")}
        made.append(Resplit(one.split_seed, one.y, one.ratio, {**one.logits, **others}))
    last = made[-1]
    confirmed = [
        Confirmed(role, "c", None, SEEDED, z, z)
        if len(z) > 1
        else Confirmed(role, "c", None, None, z[0], z[0])
        for role, z in last.logits.items()
    ]
    pairs = compare_pairs(NUMBER, confirmed, made, last.y, DECIDED, models=("SVC", "tree"))
    names = [(pair.ours, pair.theirs) for pair in pairs]
    assert names == [
        *(("winner", other) for other in ("ridge regression", "SVC", "tree")),
        *((other, "ridge regression") for other in ("SVC", "tree")),
        ("SVC", "tree"),
    ]
    assert [pair.worded for pair in pairs] == [True] * 3 + [False] * 3
    described = [
        row.difference for pair in pairs for row in pair.over_splits if not (pair.worded and row.decides)
    ]
    tested = [pair.on_test.tested for pair in pairs if pair.on_test and pair.on_test.tested]
    assert names[-1] in [(pair.ours, pair.theirs) for pair in pairs if pair.on_test]
    for family in (described, tested):
        by_holm = multipletests([one.p for one in family], method="holm")[1]
        assert [one.adjusted for one in family] == pytest.approx(list(by_holm))


@pytest.mark.parametrize("apart", [0.0, 0.05])
def test_a_difference_that_is_the_same_everywhere_has_no_p_and_is_in_no_family(apart: float) -> None:
    """The errors of ours are those of theirs, or a fixed share of them, on every division."""
    draws, made = generator(9, 0), []
    for one in numbers(6):
        off = draws.normal(size=(1, 60))
        same = {"winner": one.y + (1 - apart) * off, "SVC": one.y + off}
        made.append(Resplit(one.split_seed, one.y, one.ratio, {**one.logits, **same}))
    confirmed = [Confirmed(role, "c", None, None, z[0], None) for role, z in made[-1].logits.items()]
    pairs = compare_pairs(NUMBER, confirmed, made, None, DECIDED, models=("SVC",))
    ridge, svc = pairs
    alike = {row.score: row for row in svc.over_splits}["rmse"]
    assert alike.difference.band.centre("mean") == pytest.approx(-np.log(1 - apart), abs=1e-12)
    assert (alike.p, alike.difference.adjusted, alike.among, can_decide(alike)) == (None, None, 1, False)
    (against,) = (row for row in ridge.over_splits if row.decides)
    assert (against.among, against.difference.adjusted) == (1, against.p)
    described = [
        row
        for pair in pairs
        for row in pair.over_splits
        if row.p is not None and not (pair.worded and row.decides)
    ]
    by_holm = multipletests([row.p for row in described], method="holm")[1]
    assert [row.difference.adjusted for row in described] == pytest.approx(list(by_holm))
    chance = chance_facts(pairs)["over_divisions"]
    assert chance["comparisons"] == len(described) < 4
    assert chance["below"] == sum(row.p is not None and row.p < 0.05 for row in described)
    facts = {
        "comparisons": [pair_facts(pair) for pair in pairs],
        "settings": {"verdict": {"score": "rmse", "equal": 0.01}},
        "opening": None,
        "by_chance": chance_facts(pairs),
        "data": {"classes": [], "target": "y"},
    }
    grid = over_splits_table(facts, decides=True)
    assert [row[3] for row in grid.rows if row[0].endswith("SVC")] == ["-"]
    assert NO_P in grid.after
    facts["comparisons"] = [pair_facts(ridge)]
    assert NO_P not in over_splits_table(facts, decides=True).after
