"""One score a seed: bands and comparisons of the poorer form, against SciPy and loops by hand."""

import io
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ttest_1samp, ttest_ind, ttest_rel
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import TTestPower

from handnet.bands.over_seeds import compare_over_seeds, false_alarms_over_seeds
from handnet.draws import SIMULATION, generator
from handnet.messages import Refusal
from handnet.predictions.columns import Columns
from handnet.predictions.form import Results
from handnet.predictions.frame import to_frame
from handnet.predictions.metrics import metric_of
from handnet.predictions.pairs import assert_better, compare_results
from handnet.predictions.scalars import from_scalars
from handnet.predictions.score_columns import holds_scores
from handnet.predictions.score_table import read_scores
from handnet.predictions.scored import judge_scores
from handnet.predictions.scored_pairs import compare_scores
from handnet.report.results_compared import read_differences

A, B = [0.91, 0.93, 0.92, 0.95, 0.90], [0.90, 0.90, 0.91, 0.93, 0.91]
# Two models on ten divisions; an independent program has told interval, p and chances, for the ratio 1/9.
X = [0.931, 0.947, 0.912, 0.956, 0.938, 0.921, 0.965, 0.944, 0.93, 0.951]
Z = [0.925, 0.951, 0.905, 0.947, 0.941, 0.91, 0.959, 0.94, 0.934, 0.938]


def read(text: str, **columns: Any) -> Results:
    return read_scores(pd.read_csv(io.StringIO(text), skipinitialspace=True), Columns(**columns))


def rows_of(results: Results, **options: Any) -> list[dict[str, Any]]:
    """The rows over seeds of every pair."""
    return [row for pair in compare_scores(results, **options)["comparisons"] for row in pair["scores"]]


def bands_of(results: Results, kind: str = "quantiles") -> dict[tuple[str, str, str], tuple[float, float]]:
    return {
        (band["role"], band["part"], band["score"]): (band["low"], band["high"])
        for band in judge_scores(results)["bands"]
        if band["kind"] == kind
    }


# Two models over seeds


def test_paired_seeds_are_scipys_paired_t_test() -> None:
    (row,) = rows_of(from_scalars({"a": A, "b": B}, seeds=range(5)))
    oracle = ttest_rel(A, B)
    assert row["kind"] == "paired t over seeds"
    assert row["p"] == pytest.approx(oracle.pvalue, rel=1e-12)
    assert [row["difference"]["low"], row["difference"]["high"]] == pytest.approx(
        list(oracle.confidence_interval()), rel=1e-9
    )


def test_seeds_that_nothing_pairs_are_scipys_welch_test() -> None:
    (row,) = rows_of(from_scalars({"a": A, "b": B[:4]}))
    oracle = ttest_ind(A, B[:4], equal_var=False)
    assert row["kind"] == "welch t over seeds"
    assert (row["p"], row["degrees"]) == pytest.approx((oracle.pvalue, oracle.df), rel=1e-12)
    assert [row["difference"]["low"], row["difference"]["high"]] == pytest.approx(
        list(oracle.confidence_interval()), rel=1e-9
    )


def test_a_model_without_a_seed_is_a_constant_on_these_cases() -> None:
    (row,) = rows_of(from_scalars({"a": A, "lr": 0.9}))
    assert row["kind"] == "one-sample t over seeds"
    assert row["p"] == pytest.approx(ttest_1samp(A, 0.9).pvalue, rel=1e-12)


def test_losses_are_turned_and_errors_are_compared_on_the_logarithm() -> None:
    (nats,) = rows_of(from_scalars({"a": A, "b": B}, "log_loss", seeds=range(5)))
    assert nats["difference"]["centres"]["mean"] == pytest.approx(np.mean(B) - np.mean(A), rel=1e-9)
    (share,) = rows_of(from_scalars({"a": A, "b": B}, "rmse", seeds=range(5)))
    assert share["p"] == pytest.approx(ttest_rel(np.log(B), np.log(A)).pvalue, rel=1e-9)
    assert share["unit"] == "per cent"


def test_a_seed_that_diverged_leaves_its_pair() -> None:
    (row,) = rows_of(from_scalars({"a": [*A, np.nan], "b": [*B, 0.5]}, seeds=range(6)))
    assert row["p"] == pytest.approx(ttest_rel(A, B).pvalue, rel=1e-12)


def test_how_many_seeds_have_no_score_is_told() -> None:
    facts = compare_scores(from_scalars({"a": [0.9, 0.91, *[np.nan] * 3], "b": [0.8, 0.83, 0.7, 0.7, 0.71]}))
    (pair,) = facts["comparisons"]
    told = "3 seeds of a diverged and are left out."
    assert pair["decides"]["diverged"] == [3, 0]
    assert told in facts["notes"]
    assert pair["sentence"].endswith(told)


def test_pairs_are_told_by_the_seed_and_not_by_the_row() -> None:
    lines = [f"{name},{seed},{value}" for name, of in (("a", A), ("b", B)) for seed, value in enumerate(of)]
    mixed = "\n".join(["model,seed,accuracy", *(lines[place] for place in (7, 1, 0, 9, 3, 2, 8, 4, 5, 6))])
    (row,) = rows_of(read(mixed), models=["a", "b"])
    assert row["p"] == pytest.approx(ttest_rel(A, B).pvalue, rel=1e-12)


def test_p_values_of_several_pairs_are_adjusted_by_holm() -> None:
    models = {"a": A, "b": B, "c": [0.85, 0.86, 0.84, 0.88, 0.83]}
    rows = rows_of(from_scalars(models, seeds=range(5)))
    by_hand = multipletests([row["p"] for row in rows], method="holm")[1]
    assert [row["adjusted"] for row in rows] == pytest.approx(list(by_hand), rel=1e-12)
    assert all(row["detectable_level"] == pytest.approx(0.05 / 3) for row in rows)
    against_first = compare_scores(from_scalars(models, seeds=range(5)), first=True)["comparisons"]
    assert [(pair["ours"], pair["theirs"]) for pair in against_first] == [("a", "b"), ("a", "c")]


def test_the_seeds_needed_have_the_power_that_they_are_needed_for() -> None:
    found = compare_over_seeds(np.array(A), np.array(B), paired=True)
    for difference in (0.005, 0.01, 0.02):
        effect = difference / found.deviations[0]
        exact = TTestPower().solve_power(effect_size=effect, alpha=0.05, power=0.8, nobs=None)
        assert found.needed(difference) == pytest.approx(exact, abs=1.5)
    assert found.needed(0.0) is None


@given(st.lists(st.floats(0, 1), min_size=3, max_size=8, unique=True), st.booleans(), st.data())
def test_exchanging_two_models_turns_the_difference(
    ours: list[float], paired: bool, data: st.DataObject
) -> None:
    theirs = data.draw(st.lists(st.floats(0, 1), min_size=len(ours), max_size=len(ours), unique=True))
    a, b = np.array(ours), np.array(theirs)
    try:
        one, other = compare_over_seeds(a, b, paired), compare_over_seeds(b, a, paired)
    except ValueError:
        assert np.ptp(a - b) < 1e-6
        return
    assert one.comparison.p == pytest.approx(other.comparison.p)
    assert one.comparison.band.low == pytest.approx(-other.comparison.band.high)


def test_no_interval_without_a_spread() -> None:
    with pytest.raises(ValueError, match="nothing to go by"):
        compare_over_seeds(np.array([0.9, 0.8]), np.array([0.8, 0.7]), paired=True)
    with pytest.raises(Refusal, match="in accuracy no two seeds differ"):
        compare_scores(from_scalars({"a": [0.9, 0.9], "b": [0.8, 0.8]}))


@pytest.mark.parametrize("paired", [True, False])
def test_two_equal_models_are_found_different_as_often_as_the_level_says(paired: bool) -> None:
    numbers, studies = generator(1, SIMULATION), 2000
    shared = numbers.normal(size=(studies, 6)) if paired else np.zeros((studies, 6))
    ours, theirs = (0.9 + 0.01 * (shared + numbers.normal(size=(studies, 6))) for _ in range(2))
    pairs = zip(ours, theirs, strict=True)
    found = np.mean([compare_over_seeds(a, b, paired).comparison.p < 0.05 for a, b in pairs])
    assert abs(found - 0.05) < 4 * np.sqrt(0.05 * 0.95 / studies)
    told = false_alarms_over_seeds(ours[0], theirs[0], paired)
    assert abs(told.found - 0.05) < 0.02


def test_a_planted_difference_is_found_as_often_as_the_smallest_detectable_one() -> None:
    numbers, studies = generator(2, SIMULATION), 1500
    error = 0.01 * np.sqrt(2 / 8)
    least = compare_over_seeds(*numbers.normal(size=(2, 8)), paired=False)._replace(error=error, degrees=14.0)
    planted = least.detectable()
    assert planted is not None
    sides = 0.01 * numbers.normal(size=(studies, 2, 8)) + np.array([planted, 0.0])[:, None]
    found = np.mean([compare_over_seeds(a, b, paired=False).comparison.p < 0.05 for a, b in sides])
    assert abs(found - 0.8) < 0.04


# Over divisions


def test_ten_divisions_are_the_fixture_of_nadeau_and_bengio() -> None:
    results = from_scalars({"x": X, "z": Z}, splits=range(10), n_test=10, n_train=90)
    (pair,) = compare_scores(results)["comparisons"]
    (row,) = pair["over_splits"]
    assert row["difference"]["centres"]["mean"] == pytest.approx(0.0045, abs=1e-12)
    ends = row["difference"]["low"], row["difference"]["high"]
    assert ends == pytest.approx((-0.001949242164, 0.010949242164), abs=1e-12)
    assert row["p"] == pytest.approx(0.148921968185, abs=1e-12)
    assert list(row["rope"].values())[:3] == pytest.approx(
        (0.000328708024, 0.956779925621, 0.042891366355), abs=1e-12
    )
    assert pair["decides"]["over"] == "splits"
    assert pair["scores"] == []


def test_divisions_of_unknown_size_are_not_compared_over() -> None:
    with pytest.raises(Refusal, match="n_train"):
        compare_scores(from_scalars({"x": X, "z": Z}, splits=range(10), n_test=10))


def test_crossed_seeds_and_divisions_have_both_bands_and_their_shares() -> None:
    numbers = generator(3, SIMULATION)
    grid = 0.9 + 0.02 * numbers.normal(size=(6, 1)) + 0.005 * numbers.normal(size=(6, 4))
    lines = [f"a,{split},{seed},{value}" for split, row in enumerate(grid) for seed, value in enumerate(row)]
    results = read("\n".join(["model,fold,seed,accuracy", *lines]))
    bands = bands_of(results)
    assert bands["a", "test", "accuracy"] == pytest.approx(tuple(np.quantile(grid[0], [0.025, 0.975])))
    diagonal = [grid[place, place % 4] for place in range(6)]  # another seed with each division
    assert bands["a", "rehearsal", "accuracy"] == pytest.approx(tuple(np.quantile(diagonal, [0.025, 0.975])))
    (table,) = judge_scores(results)["variance"]
    means = grid.mean(axis=1)
    by_source = {row["source"]: row for row in table["components"]}
    assert by_source["split"]["mean_square"] == pytest.approx(4 * means.var(ddof=1))


def test_one_seed_a_division_is_told_as_that() -> None:
    frame = pd.DataFrame(
        {"model": "a", "split": list("uvwx"), "seed": list("1234"), "accuracy": [0.9, 0.8, 0.85, 0.7]}
    )
    notes = judge_scores(read_scores(frame))["notes"]
    assert "a has one seed a division, so its bands over divisions hold the spread of both." in notes
    assert not any("not the same on every division" in note for note in notes)


def test_what_scores_cannot_say_is_named() -> None:
    facts = judge_scores(from_scalars({"a": A, "lr": 0.9}))
    named = " ".join(row["what"] for row in facts["left_out"])
    assert all(
        word in named for word in ("bands over cases", "calibration", "hard cases", "McNemar", "seeds of lr")
    )
    assert all(row["why"].endswith(".") for row in facts["left_out"])
    json.dumps(facts)
    json.dumps(compare_scores(from_scalars({"a": A, "lr": 0.9})))


# Names of scores


@pytest.mark.parametrize(
    ("name", "ours", "part", "higher", "turned"),
    [
        ("accuracy", "accuracy", "", True, False),
        ("test_acc", "accuracy", "test", True, False),
        ("Validation AUROC", "auc", "val", True, False),
        ("val/roc_auc", "auc", "val", True, False),
        ("neg_log_loss", "log_loss", "", False, True),
        ("test_neg_root_mean_squared_error", "rmse", "test", False, True),
        ("r2_score", "r2", "", True, False),
        ("val_loss", "loss", "val", False, False),
        ("my measure", "my measure", "", None, False),
    ],
)
def test_names_of_scores(name: str, ours: str, part: str, higher: bool | None, turned: bool) -> None:
    found = metric_of(name)
    assert (found.name, found.part, found.higher, found.turned) == (ours, part, higher, turned)


def test_a_verdict_on_a_score_without_a_direction_waits_for_one() -> None:
    scores = {"a": [1.0, 2.0, 3.0], "b": [5.0, 6.5, 7.0]}
    assert bands_of(from_scalars(scores, "gizmo"))
    with pytest.raises(Refusal, match="higher=True"):
        compare_scores(from_scalars(scores, "gizmo"))
    (row,) = rows_of(from_scalars(scores, "gizmo", higher=False))
    assert row["difference"]["centres"]["mean"] > 0


# Tables


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("model,seed,accuracy\na,0,.9\na,1,.92\nb,0,.8\nb,1,.85\n", {}),
        ("Model;Seed;test_acc\na;0;0,9\na;1;0,92\nb;0;0,8\nb;1;0,85\n", {}),
        ("model,seed,metric,value\na,0,acc,.9\na,1,acc,.92\nb,0,acc,.8\nb,1,acc,.85\n", {}),
        ("model,seed_0,seed_1\na,.9,.92\nb,.8,.85\n", {"wide": "seed_*", "scores": "accuracy"}),
        ("model,metric,0,1\na,acc,.9,.92\nb,acc,.8,.85\n", {"wide": "0,1"}),
        ("who,run,good,junk\na,0,.9,x\na,1,.92,x\nb,0,.8,y\nb,1,.85,z\n", {"model": "who", "scores": "good"}),
    ],
)
def test_every_form_of_table_gives_the_same_bands(text: str, columns: dict[str, str]) -> None:
    frame = pd.read_csv(
        io.StringIO(text), sep=";" if ";" in text else ",", dtype=str if ";" in text else None
    )
    assert holds_scores(list(frame.columns), Columns(**columns))
    results = read_scores(frame, Columns(**columns))
    (name,) = {name for one in results.scored for name in one.scores}
    found = bands_of(results, "min-max")
    assert found == {("a", "test", name): (0.9, 0.92), ("b", "test", name): (0.8, 0.85)}
    assert {one.seeds for one in results.scored} == {("0", "1")}


def test_sizes_parts_and_what_is_missing_are_read() -> None:
    results = read("run,n_test,n_train,test_acc,val_acc,train_acc\n0,20,80,.9,.95,1\n1,20,80,,.85,1\n")
    assert [(one.part, one.n, one.others) for one in results.scored] == [("test", 20, 80), ("val", 20, 80)]
    np.testing.assert_array_equal(results.scored[0].scores["accuracy"], [0.9, np.nan])
    assert "seed 1, which counts as diverged" in " ".join(results.notes)


def test_scores_are_read_back_from_their_long_table() -> None:
    results = from_scalars({"a": A, "b": B, "lr": 0.9}, "brier", seeds=range(5), n_test=100, n_train=400)
    again = read_scores(to_frame(results))
    assert judge_scores(again)["bands"] == judge_scores(results)["bands"]
    assert compare_scores(again)["comparisons"] == compare_scores(results)["comparisons"]


def test_tables_of_predictions_are_no_scores() -> None:
    assert not holds_scores(["model", "case", "y", "score"])
    assert not holds_scores(["id", "target", "prob"])
    assert not holds_scores(["model", "seed", "name"])


@pytest.mark.parametrize(
    ("text", "columns", "says"),
    [
        ("model,seed,accuracy\na,0,93.1\na,1,92\n", {}, "divide per cents by 100"),
        ("model,seed,accuracy\na,0,93.1%\na,1,92%\n", {}, "'93.1%' in row 1"),
        ("model,seed,accuracy\na,0,.9\na,1,crashed\n", {}, "'crashed' in row 2"),
        ("model,accuracy\na,.9\na,.91\n", {}, "no column tells them apart"),
        ("model,seed,accuracy\na,0,.9\na,0,.91\n", {}, "two scores of accuracy, in rows 1 and 2"),
        ("model,seed,acc,accuracy\na,0,.9,.8\na,1,.7,.8\n", {}, "two scores of accuracy, in row 1"),
        ("model,seed,name\na,0,x\na,1,y\n", {}, "no column holds scores"),
        ("model,seed,log_loss\na,0,-.9\na,1,-.8\n", {}, "neg_log_loss"),
        ("model,seed,neg_log_loss\na,0,.9\na,1,.8\n", {}, "at least 0"),
        ("model,seed,auc\na,0,1.2\na,1,.9\n", {}, "between 0 and 1"),
        ("model,seed,train_acc\na,0,.9\na,1,.8\n", {}, "train rows"),
        ("model,seed,accuracy\na,0,.9\na,,.8\n", {}, "with a seed and without one"),
        ("model,seed,accuracy\n,0,.9\na,1,.8\n", {}, "the model is missing"),
        ("model,seed,accuracy\na,0,\na,1,\nb,0,.9\n", {}, "a has no score at all"),
        ("model,seed,rmse\na,0,inf\na,1,3\n", {}, "infinite"),
        ("model,seed,accuracy,n_train\na,0,.9,0\na,1,.8,0\n", {}, "must count rows"),
        ("model,seed,s_0,s_1\na,0,.9,.8\n", {"wide": "s_*"}, "both tell the seeds"),
        ("model,seed,accuracy\n", {}, "empty"),
        ("model,seed,accuracy\na,0,.9\n", {"scores": "acuracy"}, "did you mean accuracy"),
    ],
)
def test_tables_that_are_no_scores_are_refused_in_one_sentence(
    text: str, columns: dict[str, str], says: str
) -> None:
    with pytest.raises(Refusal, match=says) as refused:
        read(text, **columns)
    assert str(refused.value).startswith("the table: ")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: judge_scores(from_scalars({"a": 0.9, "b": 0.8})), "two seeds or two splits"),
        (lambda: from_scalars({}), "dict of models"),
        (lambda: from_scalars({"a": ["good", "bad"]}), "must be numbers"),
        (lambda: from_scalars({"a": [[0.9], [0.8]]}), "in a row"),
        (lambda: from_scalars({"a": A}, seeds=[1, 2]), "5 scores for 2 names"),
        (lambda: from_scalars({"a": A[:2]}, seeds=[1, 1]), "named twice"),
        (lambda: from_scalars({"a": A}, seeds=range(5), splits=range(5)), "pass a table"),
        (lambda: compare_scores(from_scalars({"a": A})), "takes two models"),
        (lambda: compare_scores(from_scalars({"a": A, "b": B}), ["a", "c"]), "no model c"),
        (lambda: compare_scores(from_scalars({"a": A, "b": B}), score="auc"), "no score auc"),
        (lambda: compare_scores(from_scalars({"a": 0.9, "b": 0.8})), "two scores at least"),
        (
            lambda: compare_scores(read("model,fold,seed,acc\na,0,1,.9\na,0,2,.8\nb,1,1,.9\n")),
            "no division in",
        ),
        (lambda: compare_scores(read("model,seed,acc,auc\na,1,.9,\na,2,.8,\nb,1,,.9\n")), "no score in"),
    ],
)
def test_what_scores_cannot_carry_is_refused(make: Callable[[], object], says: str) -> None:
    with pytest.raises(Refusal, match=says):
        make()


def test_one_seed_that_is_left_is_no_constant() -> None:
    with pytest.raises(Refusal, match="two scores at least"):
        compare_scores(from_scalars({"a": A, "b": [0.9, np.nan, np.nan]}))


def test_a_pair_that_cannot_be_compared_stands_beside_those_that_can() -> None:
    facts = compare_results(from_scalars({"a": A, "lr": 0.9, "majority": 0.6}))
    decided = {(pair["ours"], pair["theirs"]): pair["decides"] for pair in facts["comparisons"]}
    assert decided["lr", "majority"] is None
    assert decided["a", "lr"]["adjusted"] == pytest.approx(2 * ttest_1samp(A, 0.9).pvalue)
    assert facts["left_out"][0]["what"] == "t tests over seeds of lr and majority"


def test_the_assertion_of_scores() -> None:
    better = from_scalars({"a": A, "b": [value - 0.05 for value in B]}, seeds=range(5))
    (pair,) = compare_results(better)["comparisons"]
    assert_better(pair)
    assert "these very cases" in pair["sentence"]
    over = from_scalars({"x": X, "z": Z}, splits=range(10), n_test=10, n_train=90)
    (pair,) = compare_results(over)["comparisons"]
    with pytest.raises(AssertionError, match="not shown to be better"):
        assert_better(pair)


def test_the_sentence_and_the_table_count_the_seeds_alike() -> None:
    facts = compare_results(from_scalars({"a": A, "b": B[:4]}))
    assert "(Welch's t over 5 and 4 seeds, 95% interval" in facts["comparisons"][0]["sentence"]
    assert read_differences(facts, [facts["comparisons"][0]["decides"]]) == (
        "Above 0 the first is better. The test: Welch's t (95%, over 5 and 4 seeds)."
    )
