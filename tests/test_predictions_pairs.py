"""Comparisons of models from elsewhere: figures worked out apart, SciPy, statsmodels, counts by hand."""

import json
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chi2, ttest_1samp, wilcoxon
from scipy.stats import t as student
from simulated_methods import two_methods
from sklearn import metrics
from statsmodels.stats.contingency_tables import SquareTable, mcnemar
from statsmodels.stats.multitest import multipletests

from handnet.bands import equal_models
from handnet.bands.compare import nadeau_bengio
from handnet.messages import Refusal
from handnet.predictions import alarms
from handnet.predictions.api import Predictions
from handnet.predictions.form import Cases, Predicted, Results, Scored
from handnet.predictions.head import score_called
from handnet.predictions.pairs import assert_better, compare_results
from handnet.report.comparison_tables import NO_P
from handnet.report.results_compared import compare_grids, compared_grid
from handnet.tasks import task_of

SEEDS = tuple("0123")


@pytest.fixture(autouse=True)
def few_simulations(monkeypatch: pytest.MonkeyPatch) -> None:
    """What false alarms are is shown elsewhere (tests/test_bands_crossed.py)."""
    alarms._simulated.cache_clear()
    monkeypatch.setattr(alarms, "false_alarms", partial(equal_models.false_alarms, studies=5))


CASES = np.arange(30)
Y = ((7 * CASES + CASES // 5) % 3).astype(np.int8)
PLACES = np.arange(24)
TRUTH = 3 + 2 * np.cos(0.9 * PLACES) + 0.1 * PLACES


def waves(model: int) -> np.ndarray:
    """The logits of the fixtures (4, 30, 3)."""
    seeds, k = np.arange(4)[:, None, None], np.arange(3)
    return 2 * np.sin(1.3 * CASES[:, None] + 2.1 * k + 0.7 * seeds + 0.4 * model) + 1.5 * (k == Y[:, None])


def guessed(model: int) -> np.ndarray:
    """The guesses of the fixtures (4, 24)."""
    off = 0.6 * np.sin(2.2 * PLACES + np.arange(4)[:, None] + 0.5 * model)
    return TRUTH + off + 0.15 * (-1.0) ** PLACES * (1 + model)


def of(outputs: dict[str, np.ndarray], y: np.ndarray, **cases: object) -> Results:
    """Models on one test; those with one row have no seed."""
    one = Cases("study", "test", np.arange(len(y)).astype(str), y, **cases)
    rows = tuple(Predicted(model, one, SEEDS[: len(z)] * (len(z) > 1), z) for model, z in outputs.items())
    classes = tuple("abc") if y.dtype == np.int8 else ()
    return Results("the fixtures", task_of(len(classes)), classes, rows)


def only(facts: dict) -> dict:
    json.dumps(facts, allow_nan=False)
    (pair,) = facts["comparisons"]
    return pair


def test_the_tests_of_two_calls_are_those_of_the_fixtures() -> None:
    """Seed 0 of both, as models without a seed."""
    z = {"first": waves(0)[:1], "second": waves(1)[:1]}
    pair = only(compare_results(of(z, Y)))
    assert pair["on_test"]["bowker"]["p"] == pytest.approx(0.261464129949, abs=1e-9)
    assert pair["on_test"]["stuart_maxwell"]["p"] == pytest.approx(0.818730753078, abs=1e-9)
    assert [pair["on_test"]["mcnemar"][name] for name in ("only_ours", "only_theirs")] == [0, 1]
    assert pair["decides"]["difference"]["varied"] == "cases"
    assert "It holds for these very models" in pair["sentence"]


def test_over_seeds_the_tests_of_two_calls_are_those_of_statsmodels() -> None:
    a, b = waves(0), waves(1)
    found = only(compare_results(of({"first": a, "second": b}, Y)))["on_test"]
    calls = list(zip(a.argmax(-1), b.argmax(-1), strict=True))
    counts = [np.histogram2d(x, z, bins=np.arange(4) - 0.5)[0] for x, z in calls]
    tables = [SquareTable(table, shift_zeros=False) for table in counts]
    differ = [np.count_nonzero(np.triu(table + table.T, 1)) for table in counts]  # the degrees, given these
    ps = [chi2.sf(one.symmetry().statistic, many) for one, many in zip(tables, differ, strict=True)]
    assert found["bowker"]["p"] == pytest.approx(np.median(ps))
    same = [one.homogeneity().pvalue for one in tables]
    assert found["stuart_maxwell"]["p"] == pytest.approx(np.median(same))
    right = [(x == Y, z == Y) for x, z in calls]
    tables = [[[(x & z).sum(), (x & ~z).sum()], [(~x & z).sum(), (~x & ~z).sum()]] for x, z in right]
    assert found["mcnemar"]["below_alpha"] == sum(mcnemar(one).pvalue < 0.05 for one in tables)
    assert found["mcnemar"]["only_ours"] == np.median([one[0][1] for one in tables])


def test_the_paired_differences_are_those_of_the_fixtures() -> None:
    """The fixtures take ours less theirs; here it is by how much the loss of ours is lower."""
    pair = only(compare_results(of({"first": waves(0), "second": waves(1)}, Y), score="log_loss"))
    assert pair["decides"]["difference"]["centres"]["mean"] == pytest.approx(0.026441, abs=1e-6)
    assert pair["decides"]["variances"]["cases"] + pair["decides"]["variances"]["rest"] == pytest.approx(
        0.04642**2, rel=1e-3
    )
    number = only(compare_results(of({"first": guessed(0), "second": guessed(1)}, TRUTH)))
    mse = number["on_test"]["mse"]
    assert mse["centres"]["mean"] == pytest.approx(0.075913, abs=1e-6)
    assert mse["p"] == pytest.approx(7.3e-05, abs=1e-6)
    a, b = (np.square(guessed(model) - TRUTH) for model in (0, 1))
    assert number["on_test"]["paired_t"]["p"] == pytest.approx(np.median(ttest_1samp((b - a).T, 0).pvalue))
    ranks = [wilcoxon(row).pvalue for row in b - a]
    assert number["on_test"]["signed_rank"]["p"] == pytest.approx(np.median(ranks))


def test_every_row_is_the_difference_of_scikit_learns_scores() -> None:
    a, b = waves(0), waves(1)
    rows = {row["score"]: row for row in only(compare_results(of({"a": a, "b": b}, Y)))["scores"]}
    for name, score in {
        "accuracy": metrics.accuracy_score,
        "balanced_accuracy": metrics.balanced_accuracy_score,
        "macro_f1": lambda y, called: metrics.f1_score(y, called, average="macro"),
    }.items():
        ours, theirs = (np.mean([score(Y, one.argmax(-1)) for one in side]) for side in (a, b))
        assert rows[name]["difference"]["centres"]["mean"] == pytest.approx(ours - theirs, abs=1e-12)


def test_seeds_and_cases_are_paired_by_name_whatever_their_order() -> None:
    results = two_methods(np.random.default_rng(0), "accuracy", 60, 6, 0.02)
    one, other = results.predicted
    seeds, cases = np.random.default_rng(1).permutation(6), np.random.default_rng(2).permutation(60)
    turned = replace(
        other,
        cases=replace(other.cases, ids=other.cases.ids[cases], y=other.cases.y[cases]),
        seeds=tuple(np.array(other.seeds)[seeds]),
        outputs=other.outputs[seeds][:, cases],
    )
    expected = only(compare_results(results))["decides"]
    found = only(compare_results(replace(results, predicted=(one, turned))))["decides"]
    assert found["paired"]
    assert found["error"] == pytest.approx(expected["error"], rel=1e-12)
    renamed = replace(other, seeds=tuple("uvwxyz"))
    facts = compare_results(replace(results, predicted=(one, renamed)))
    assert not only(facts)["decides"]["paired"]
    assert facts["notes"] == ["baseline and candidate have different seeds, which are taken as independent."]


def test_models_with_other_cases_are_compared_on_those_they_share() -> None:
    results = two_methods(np.random.default_rng(0), "accuracy", 60, 3)
    one, other = results.predicted
    fewer = replace(
        other,
        cases=replace(other.cases, ids=other.cases.ids[20:], y=other.cases.y[20:]),
        outputs=other.outputs[:, 20:],
    )
    facts = compare_results(replace(results, predicted=(one, fewer)))
    assert only(facts)["decides"]["difference"]["n"] == 40
    assert facts["notes"] == [
        "baseline and candidate are compared on the 40 cases that both have; 20 of baseline and 0 of"
        " candidate alone are left out."
    ]
    none = replace(other, cases=replace(other.cases, ids=np.char.add("x", other.cases.ids)))
    with pytest.raises(Refusal, match="no case in common"):
        compare_results(replace(results, predicted=(one, none)))
    wrong = replace(other, cases=replace(other.cases, y=1 - other.cases.y))
    with pytest.raises(Refusal, match="the truth of the case '0' is not the same"):
        compare_results(replace(results, predicted=(one, wrong)))


def test_five_divisions_of_known_ratio_decide_by_the_corrected_t() -> None:
    results = two_methods(np.random.default_rng(3), "accuracy", 50, 4, 0.05, divisions=6)
    pair = only(compare_results(results, ["candidate", "baseline"]))
    d = []
    for split in (f"division {place}" for place in range(6)):
        sides = [results.of(model)[split] for model in ("candidate", "baseline")]
        right = [((one.outputs > 0) == one.cases.y).mean() for one in sides]
        d.append(right[0] - right[1])
    expected = nadeau_bengio(np.array(d), 50 / 200)
    row = pair["decides"]
    assert (row["over"], row["p"]) == ("splits", pytest.approx(expected.p))
    assert (row["difference"]["low"], row["difference"]["high"]) == pytest.approx(
        (expected.band.low, expected.band.high)
    )
    assert 0 < row["false_alarms"]["rate"] < 0.06
    assert [one["decides"] for one in pair["scores"]].count(True) == 0
    few = replace(results, predicted=results.predicted[:8])
    assert only(compare_results(few))["decides"]["over"] == "cases"
    unknown = tuple(replace(one, cases=replace(one.cases, others=None)) for one in results.predicted)
    facts = compare_results(replace(results, predicted=unknown))
    assert only(facts)["decides"]["over"] == "cases"
    assert any("n_train" in one["why"] for one in facts["left_out"])


def test_the_folds_of_a_cross_validation_are_pooled() -> None:
    """Three folds with cases of their own: the rule over seeds and cases, on the cases of all."""
    folds = []
    for place in range(3):
        part = two_methods(np.random.default_rng(place), "accuracy", 40, 3)
        for one in part.predicted:
            ids = np.char.add(f"{place}-", one.cases.ids)
            cases = replace(one.cases, split=f"fold {place}", ids=ids, others=80)
            folds.append(replace(one, cases=cases))
    facts = compare_results(replace(part, predicted=tuple(folds)))
    pair = only(facts)
    assert (pair["decides"]["over"], pair["decides"]["difference"]["n"]) == ("cases", 120)
    assert "auc" not in {row["score"] for row in pair["scores"]}
    assert pair["on_test"]["auc"] is None
    one = compare_results(replace(part, predicted=tuple(folds)), split="fold 1")
    assert only(one)["decides"]["difference"]["n"] == 40
    assert "predicted by models of its own fold, and the folds share train rows." in pair["sentence"]
    assert "division of the table was not varied" not in pair["sentence"]
    assert "The division of the table was not varied." in only(one)["sentence"]


def test_many_models_are_adjusted_by_holm() -> None:
    draws, models = np.random.default_rng(5), {}
    for place in range(4):
        models[f"m{place}"] = TRUTH + (1 + 0.2 * place) * draws.normal(size=(4, 24))
    for first, many in ((False, 6), (True, 3)):
        rows = [pair["decides"] for pair in compare_results(of(models, TRUTH), first=first)["comparisons"]]
        assert len(rows) == many
        expected = multipletests([row["p"] for row in rows], method="holm")[1]
        assert [row["adjusted"] for row in rows] == pytest.approx(list(expected))
        assert {row["detectable_level"] for row in rows} == {0.05 / many}
    assert (
        f"adjusted for {many} comparisons"
        in compare_results(of(models, TRUTH), first=True)["comparisons"][0]["sentence"]
    )


def test_flips_are_counted_by_hand() -> None:
    a, b = waves(0), waves(1)
    pair = only(compare_results(of({"a": a, "b": b}, Y)))
    shares = [(one.argmax(-1) == Y).mean(axis=0) for one in (a, b)]
    gain = shares[0] - shares[1]
    assert pair["flipped"] == {"cases": 30, "ours": (gain > 0).sum(), "theirs": (gain < 0).sum()}
    assert {row["case"] for row in pair["flips"]} == set(CASES[gain != 0].astype(str))
    sizes = [abs(row["difference"]) for row in pair["flips"]]
    assert sizes == sorted(sizes, reverse=True)
    for row in pair["flips"]:
        at = int(row["case"])
        assert (row["ours_right"], row["theirs_right"]) == (shares[0][at], shares[1][at])
        assert row["truth"] == "abc"[Y[at]]
    number = only(compare_results(of({"a": guessed(0), "b": guessed(1)}, TRUTH)))
    worst = number["flips"][0]
    errors = [np.abs(guessed(model) - TRUTH).mean(axis=0) for model in (0, 1)]
    at = int(np.abs(errors[0] - errors[1]).argmax())
    assert (worst["case"], worst["ours_error"]) == (str(at), pytest.approx(errors[0][at]))


def test_the_sentence_says_what_varied_and_what_could_not_be_seen() -> None:
    results = two_methods(np.random.default_rng(1), "accuracy", 200, 6, 0.05)
    pair = only(compare_results(results, ["candidate", "baseline"]))
    row = pair["decides"]
    for text in (
        f"candidate called {100 * row['difference']['centres']['mean']:.2f} points",
        "of the test cases right than baseline (crossed t over the same 6 seeds and 200 cases, 95% interval",
        f"The smallest difference seen with 80% power is {100 * row['detectable']:.2f} points.",
        "The division of the table was not varied.",
    ):
        assert text in pair["sentence"]


def test_better_is_asserted_of_the_whole_interval_and_in_the_unit_of_the_score() -> None:
    results = two_methods(np.random.default_rng(1), "rmse", 200, 8, 0.2)
    pair = only(compare_results(results, ["candidate", "baseline"]))
    low = -np.expm1(-pair["decides"]["difference"]["low"])  # at least by this share of the baseline's
    assert low > 0.03
    assert_better(pair)
    assert_better(pair, low - 1e-6)
    with pytest.raises(AssertionError, match="candidate had an RMSE lower by"):
        assert_better(pair, low + 1e-6)
    with pytest.raises(AssertionError, match="baseline had an RMSE higher by"):
        assert_better(only(compare_results(results, ["baseline", "candidate"])))


def test_a_margin_over_several_rivals_is_held_by_all_at_once() -> None:
    """Of k pairs ours is above the margin by the interval at .05 / k; alone by the printed one."""
    draws = np.random.default_rng(5)
    models = {f"m{place}": TRUTH + (0.1 + place) * draws.normal(size=(4, 24)) for place in range(4)}
    facts = compare_results(of(models, TRUTH), first=True)
    for pair in facts["comparisons"]:
        row = pair["decides"]
        alone, among = (student.ppf(1 - level / 2, row["degrees"]) for level in (0.05, 0.05 / 3))
        mean, low = row["difference"]["centres"]["mean"], row["difference"]["low"]
        held = -np.expm1(-(mean - (mean - low) * among / alone))
        assert 0 < held < -np.expm1(-low)
        assert_better(pair, held - 1e-6)
        with pytest.raises(AssertionError):
            assert_better(pair, held + 1e-6)
        for margin in (np.nan, -0.1):
            with pytest.raises(Refusal, match="margin"):
                assert_better(pair, margin)
    text = "Intervals are 95 % for each pair alone; verdicts are by Holm's p."
    assert text in compared_grid(facts).before
    assert text not in compared_grid(compare_results(of(models, TRUTH), ["m0", "m1"])).before


def test_no_difference_has_no_sign() -> None:
    calls = np.sign(waves(0)[..., 0])
    results = of({"a": calls, "b": calls}, (Y > 0).astype(np.int8))
    pair = only(compare_results(replace(results, task=task_of(2), classes=("x", "y")), score="accuracy"))
    assert "a called as many of the test cases right as b, a difference of 0.00 points [-" in pair["sentence"]
    assert "No case tells the two apart" in pair["sentence"]
    pair = only(compare_results(of({"a": guessed(0), "b": guessed(0)}, TRUTH)))
    assert "a had an RMSE that differs from that of b by 0.00% [-" in pair["sentence"]


def test_scores_that_cannot_decide_are_refused_with_those_that_can() -> None:
    results = of({"a": guessed(0), "b": guessed(1)}, TRUTH)
    with pytest.raises(Refusal, match="bias cannot decide a comparison of the fixtures"):
        compare_results(results, score="bias")
    hard = replace(of({"a": np.sign(waves(0)), "b": np.sign(waves(1))}, Y), hard=True)
    with pytest.raises(Refusal, match="log_loss cannot decide a comparison of the fixtures"):
        compare_results(hard, score="log_loss")
    assert only(compare_results(hard, score="mcc"))["on_test"]["auc"] is None
    with pytest.raises(Refusal, match="there is no model c"):
        compare_results(results, ["a", "c"])
    scored = Scored("s", "study", "test", SEEDS, {"rmse": np.arange(4.0)})
    with pytest.raises(Refusal, match="none of s on test cases"):
        compare_results(replace(results, scored=(scored,)), ["a", "s"])


def test_without_a_class_among_the_cases_scores_of_all_cases_are_compared() -> None:
    kept = Y != 2
    results = of({"a": waves(0)[:, kept], "b": waves(1)[:, kept]}, Y[kept])
    facts = compare_results(results)
    assert {row["score"] for row in only(facts)["scores"]} == {"accuracy", "log_loss"}
    assert any("A class is missing" in one["why"] for one in facts["left_out"])


def test_one_group_pairs_nothing_and_one_case_of_a_class_has_no_area() -> None:
    outputs = {"a": waves(0), "b": waves(1)}
    facts = compare_results(of(outputs, Y, groups=np.zeros(30, dtype=int)))
    assert only(facts)["decides"] is None
    assert only(facts)["on_test"] is None
    assert facts["left_out"] == [
        {
            "what": "every comparison of a and b",
            "why": "All cases are of one group, and a band over groups takes two.",
        }
    ]
    few = np.r_[np.flatnonzero(Y == 2)[:1], np.flatnonzero(Y != 2)]
    facts = compare_results(of({name: z[:, few] for name, z in outputs.items()}, Y[few]))
    assert only(facts)["on_test"]["auc"] is None
    assert "auc" not in {row["score"] for row in only(facts)["scores"]}
    assert any("two cases of every class" in one["why"] for one in facts["left_out"])


def test_runs_that_diverged_are_told_over_divisions_too() -> None:
    results = two_methods(np.random.default_rng(3), "accuracy", 50, 4, 0.05, divisions=6)
    first = results.predicted[0]
    outputs = first.outputs.copy()
    outputs[:2] = np.nan
    facts = compare_results(
        replace(results, predicted=(replace(first, outputs=outputs), *results.predicted[1:]))
    )
    assert only(facts)["decides"]["over"] == "splits"
    assert f"2 runs of {first.model} diverged and are left out." in only(facts)["sentence"]


def test_a_seed_that_diverged_is_left_out_of_both() -> None:
    a, b = waves(0), waves(1)
    lost = b.copy()
    lost[2] = np.nan
    facts = compare_results(of({"a": a, "b": lost}, Y))
    found, told = only(facts)["decides"], "1 seed of b diverged and is left out, and so is the same seed"
    assert found["diverged"] == [0, 1]
    assert told in facts["notes"][-1]
    assert told in only(facts)["sentence"]
    expected = only(compare_results(of({"a": a[[0, 1, 3]], "b": b[[0, 1, 3]]}, Y)))["decides"]
    assert found["seeds"] == [3, 3]
    assert found["p"] == pytest.approx(expected["p"], rel=1e-12)
    with pytest.raises(Refusal, match="every seed of a or of b diverged"):
        compare_results(of({"a": a, "b": np.full_like(b, np.nan)}, Y))


@pytest.mark.parametrize("word", ["AUC", "Log loss", "balanced accuracy"])
def test_a_score_is_named_by_its_label_or_in_any_case_of_its_letters(word: str) -> None:
    assert score_called(word, ["accuracy", "balanced_accuracy", "auc", "log_loss"]) == {
        "AUC": "auc",
        "Log loss": "log_loss",
        "balanced accuracy": "balanced_accuracy",
    }.get(word)


def test_results_of_any_models_say_why_a_row_has_no_p() -> None:
    """One model says what the other does, less sure: equal calls and as much more loss on each division."""
    y, draws, tables = np.arange(40) % 2, np.random.default_rng(10), []
    for split in range(6):
        wrong = np.isin(np.arange(40), draws.choice(40, 8, replace=False))
        for model, sure in (("a", 0.9), ("b", 0.8)):
            columns = {"model": model, "split": split, "case": np.arange(40), "y": y}
            tables.append(pd.DataFrame(columns | {"p": np.where(wrong == (y == 0), sure, 1 - sure)}))
    facts = Predictions(pd.concat(tables), n_train=160).compare().facts
    (pair,) = facts["comparisons"]
    rows = {row["score"]: row for row in pair["over_splits"]}
    assert (rows["accuracy"]["p"], rows["log_loss"]["p"], rows["log_loss"]["p_holm"]) == (None, None, None)
    assert pair["decides"]["over"] == "cases"
    others = next(grid for grid in compare_grids(facts) if grid.title == "Compared, the other scores")
    assert NO_P in others.before
    assert {row[5] for row in others.rows if "Nadeau" in row[2]} == {"-"}
