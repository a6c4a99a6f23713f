"""The facts of bands of models from elsewhere, beside loops by hand and other people's formulas."""

import json
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from scipy.special import logit
from sklearn import metrics
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import StratifiedKFold, train_test_split
from sklearn.tree import DecisionTreeClassifier
from statsmodels.stats.proportion import proportion_confint

from handnet.messages import Refusal
from handnet.predictions.form import Cases, Predicted, Results, Scored
from handnet.predictions.judged import judge_results
from handnet.report.results_pages import to_markdown
from handnet.tasks import task_of

SEEDS = tuple("012345")
X, LABELS = load_breast_cancer(return_X_y=True)


def trees(train: Sequence[int], test: Sequence[int]) -> np.ndarray:
    """The probabilities (R, n) of small trees, one a seed."""
    grown = (
        DecisionTreeClassifier(max_depth=4, max_features=3, min_samples_leaf=5, random_state=int(seed))
        for seed in SEEDS
    )
    return np.array([tree.fit(X[train], LABELS[train]).predict_proba(X[test])[:, 1] for tree in grown])


def predicted(
    p: np.ndarray, y: np.ndarray, ids: Sequence[int], split: str = "study", model: str = "tree"
) -> Predicted:
    cases = Cases(split, "test", np.array(ids).astype(str), y.astype(np.int8))
    return Predicted(model, cases, SEEDS[: len(p)], logit(np.clip(p, 1e-12, 1 - 1e-12)))


def results(*parts: Predicted, hard: bool = False, scored: tuple[Scored, ...] = ()) -> Results:
    return Results("the table", task_of(2), ("malignant", "benign"), parts, scored, hard=hard)


@pytest.fixture(scope="module")
def one_test() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Trees on one test: probabilities (R, n), labels (n,), row numbers (n,)."""
    train, test = train_test_split(np.arange(len(X)), test_size=120, random_state=3, stratify=LABELS)
    return trees(train, test), LABELS[test], test


@pytest.fixture(scope="module")
def folds() -> list[Predicted]:
    """The same trees in a cross-validation."""
    split = StratifiedKFold(4, shuffle=True, random_state=0).split(X, LABELS)
    return [
        predicted(trees(train, test), LABELS[test], test, f"fold {k}")
        for k, (train, test) in enumerate(split)
    ]


def bands_of(facts: dict, score: str, role: str = "tree", part: str = "test") -> dict[tuple[str, str], dict]:
    rows = [row for row in facts["bands"] if (row["score"], row["role"], row["part"]) == (score, role, part)]
    return {(row["varied"], row["kind"]): row for row in rows}


def ends(band: dict) -> tuple[float, float]:
    return band["low"], band["high"]


def left_out(facts: dict) -> str:
    return "\n".join(f"{row['what']}: {row['why']}" for row in facts["left_out"])


def test_the_bands_of_one_test_are_those_of_a_loop_by_hand(one_test: tuple) -> None:
    p, y, ids = one_test
    facts = judge_results(results(predicted(p, y, ids)))
    for score, of_one in (
        ("accuracy", lambda one: metrics.accuracy_score(y, one > 0.5)),
        ("auc", lambda one: metrics.roc_auc_score(y, one)),
        ("brier", lambda one: metrics.brier_score_loss(y, one)),
        ("average_precision", lambda one: metrics.average_precision_score(y, one)),
    ):
        values, bands = [of_one(one) for one in p], bands_of(facts, score)
        assert ends(bands["seeds", "quantiles"]) == pytest.approx(np.quantile(values, [0.025, 0.975]))
        assert ends(bands["seeds", "min-max"]) == pytest.approx((min(values), max(values)))
        assert bands["seeds", "quantiles"]["centres"]["mean"] == pytest.approx(np.mean(values))
    right = ((p > 0.5) == y).mean() * len(y)
    wilson = proportion_confint(right, len(y), method="wilson")
    assert ends(bands_of(facts, "accuracy")["cases", "wilson"]) == pytest.approx(wilson, abs=1e-12)
    missed = ((p > 0.5) != y).sum(axis=0)
    told = {row["case"]: row["misses"] for row in facts["missed"]}
    assert told == {str(case): count for case, count in zip(ids, missed, strict=True) if count}
    assert facts["doubt"][0]["mostly"] == (missed > 3).sum()
    assert facts["split"]["parts"] == {"test": {"cases": 120, "positive": int(y.sum()), "groups": 0}}
    assert "reasons why" in left_out(facts)
    json.dumps(facts, allow_nan=False)


def test_probabilities_of_the_other_label_are_doubted(one_test: tuple) -> None:
    p, y, ids = one_test
    turned = predicted(1 - p, y, ids)
    told = " ".join(judge_results(results(turned))["notes"])
    assert "may be of 'malignant' and not of 'benign'" in told
    both = judge_results(results(turned, replace(predicted(p, y, ids), model="right")))
    for facts in (both, judge_results(results(predicted(p, y, ids)))):
        assert "may be of" not in " ".join(facts["notes"])


def test_folds_are_pooled_and_ranked_each_by_itself(folds: list[Predicted]) -> None:
    facts = judge_results(results(*folds))
    hits = np.concatenate([(one.outputs > 0) == one.cases.y for one in folds], axis=1)
    accuracy = bands_of(facts, "accuracy")
    assert ends(accuracy["cases", "wilson"]) == pytest.approx(
        proportion_confint(hits.mean() * 569, 569, method="wilson"), abs=1e-12
    )
    assert ends(accuracy["seeds", "min-max"]) == (hits.mean(axis=1).min(), hits.mean(axis=1).max())
    assert facts["data"]["cases"] == 569
    assert facts["configurations"][0]["split"] == "all divisions"
    assert any("folds of a cross-validation" in note for note in facts["notes"])
    assert not bands_of(facts, "auc")
    assert "AUC, average precision over the cases of all divisions" in left_out(facts)
    in_turn = [
        metrics.roc_auc_score(one.cases.y, one.outputs[place % len(SEEDS)]) for place, one in enumerate(folds)
    ]
    over = bands_of(facts, "auc", part="rehearsal")["splits", "min-max"]
    assert ends(over) == pytest.approx((min(in_turn), max(in_turn)))
    alone = judge_results(results(*folds), split="fold 2", scores=["auc"])
    assert (alone["data"]["cases"], len(bands_of(alone, "auc"))) == (142, 5)
    overlapping = judge_results(
        results(folds[0], replace(folds[0], cases=replace(folds[0].cases, split="b")))
    )
    assert overlapping["notes"] == ["Bands over cases are of the division fold 0 alone."]


def test_the_spread_is_taken_apart_where_the_same_seeds_ran_on_every_fold(folds: list[Predicted]) -> None:
    facts = judge_results(results(*folds), scores=["accuracy"])
    (row,) = facts["variance"]
    grid = np.array([((one.outputs > 0) == one.cases.y).mean(axis=1) for one in folds])  # (K, R)
    squares = {part["source"]: part["mean_square"] for part in row["components"]}
    assert (row["role"], row["score"]) == ("tree", "accuracy")
    assert squares["split"] == pytest.approx(len(SEEDS) * grid.mean(axis=1).var(ddof=1))
    assert squares["seed"] == pytest.approx(len(folds) * grid.mean(axis=0).var(ddof=1))
    others = [replace(one, seeds=tuple(f"{k} {seed}" for seed in one.seeds)) for k, one in enumerate(folds)]
    assert judge_results(results(*others), scores=["accuracy"])["variance"] == []


def test_thresholds_and_net_benefit_are_counts_by_hand(one_test: tuple) -> None:
    p, y, ids = one_test
    facts = judge_results(results(predicted(p, y, ids)))
    (half,) = [point for point in facts["thresholds"]["points"] if point["fixed"] == "probability"]
    found = [(one > 0.5)[y == 1].mean() for one in p]
    assert ends(half["sensitivity"][1]) == pytest.approx((min(found), max(found)))
    for row in facts["net_benefit"]["thresholds"]:
        at = row["threshold"]
        benefits = [
            (np.mean((one > at) & (y == 1)) - np.mean((one > at) & (y == 0)) * at / (1 - at)) for one in p
        ]
        assert row["methods"][0]["centres"]["mean"] == pytest.approx(np.mean(benefits))


def test_labels_alone_carry_the_scores_of_the_calls(one_test: tuple) -> None:
    p, y, ids = one_test
    calls = np.where(p > 0.5, 1.0, -1.0)
    hard = replace(predicted(p, y, ids), outputs=calls)
    facts, soft = judge_results(results(hard, hard=True)), judge_results(results(predicted(p, y, ids)))
    names = {row["score"] for row in facts["bands"]}
    assert {"accuracy", "mcc", "f1", "ppv", "true_positives", "accuracy_deviation"} <= names
    assert not names & {"log_loss", "auc", "brier", "skill", "average_precision", "calibration_slope"}
    assert (
        "log loss, AUC, Brier score, Brier skill, average precision, calibration: They need prob"
        in left_out(facts)
    )
    for name in ("accuracy", "mcc", "npv"):
        assert bands_of(facts, name) == bands_of(soft, name)


def test_the_order_of_models_seeds_and_cases_changes_nothing(one_test: tuple) -> None:
    """To the bit of models; of seeds and cases all but what is resampled, which moves with the draws."""
    p, y, ids = one_test
    models = [predicted(p, y, ids), predicted(p[::-1] ** 1.2, y, ids, model="other")]
    names = ("accuracy", "auc", "log_loss", "skill", "mcc", "ppv")
    facts, turned = (judge_results(results(*order), scores=names) for order in (models, models[::-1]))
    key = ("role", "score", "varied", "kind")
    for name, order in (("bands", key), ("missed", ("role", "case")), ("doubt", ("role",))):
        rows = [sorted(one[name], key=lambda row: [row[k] for k in order]) for one in (facts, turned)]
        assert rows[0] == rows[1]
    assert facts["cases"] == turned["cases"]
    shuffled = np.random.default_rng(0).permutation(len(y))
    mixed = judge_results(results(predicted(p[::-1][:, shuffled], y[shuffled], ids[shuffled])), scores=names)
    for score in names:
        ours, theirs = bands_of(facts, score), bands_of(mixed, score)
        assert ours.keys() == theirs.keys()
        for (varied, kind), band in ours.items():
            near = 1e-9 if varied in ("seeds", "cases") else 0.25 * (band["high"] - band["low"])
            assert ends(theirs[varied, kind]) == pytest.approx(ends(band), abs=near), (score, varied, kind)
    of_tree = [row for row in facts["missed"] if row["role"] == "tree"]
    for row, other in zip(of_tree, mixed["missed"], strict=True):
        assert row["case"] == other["case"]
        assert row["score_median"] == pytest.approx(other["score_median"])


def test_seeds_that_diverged_are_counted_and_one_seed_has_no_band_over_seeds(one_test: tuple) -> None:
    p, y, ids = one_test
    lost = predicted(p, y, ids)
    lost.outputs[2] = np.nan
    facts = judge_results(results(lost), scores=["accuracy"])
    assert facts["configurations"][0] | {"seeds": 6, "diverged": 1} == facts["configurations"][0]
    for band in bands_of(facts, "accuracy").values():
        assert band["diverged"] == 1
    for seeds in (SEEDS[:1], ()):
        one = replace(predicted(p[:1], y, ids), seeds=seeds)
        facts = judge_results(results(one), scores=["accuracy"])
        assert {varied for varied, _ in bands_of(facts, "accuracy")} == {"cases"}
        assert "bands over seeds on test rows of tree: There are predictions of one seed" in left_out(facts)
    lost.outputs[:] = np.nan
    assert "all bands on test rows of tree: Every seed diverged." in left_out(judge_results(results(lost)))


def test_a_test_without_a_class_has_the_scores_that_need_none(one_test: tuple) -> None:
    p, y, ids = one_test
    one = predicted(p[:, y == 1], y[y == 1], ids[y == 1])
    facts = judge_results(results(one))
    assert bands_of(facts, "accuracy")["seeds", "min-max"]["low"] == ((p > 0.5) == y)[:, y == 1].mean(1).min()
    assert {"log_loss", "brier", "sensitivity"} <= {row["score"] for row in facts["bands"]}
    assert "specificity, AUC, Brier skill" in left_out(facts)
    json.dumps(facts, allow_nan=False)


def test_scores_of_other_models_stand_beside_predictions(one_test: tuple) -> None:
    p, y, ids = one_test
    scored = Scored("logged", "study", "test", tuple("abc"), {"accuracy": np.array([0.9, 0.92, 0.94])})
    facts = judge_results(results(predicted(p, y, ids), scored=(scored,)))
    assert [row["role"] for row in facts["configurations"]] == ["tree", "logged"]
    assert ends(bands_of(facts, "accuracy", "logged")["seeds", "min-max"]) == (0.9, 0.94)
    assert bands_of(facts, "accuracy")["cases", "wilson"]
    assert "of logged: Only predictions" in left_out(facts)


def test_only_the_wanted_scores_are_judged(one_test: tuple) -> None:
    p, y, ids = one_test
    whole, facts = (
        judge_results(results(predicted(p, y, ids)), scores=names) for names in (None, ["brier", "accuracy"])
    )
    assert {row["score"] for row in facts["bands"]} == {"brier", "accuracy"}
    for name in ("brier", "accuracy"):
        assert bands_of(facts, name) == bands_of(whole, name)


def test_what_is_not_there_is_refused_by_name(one_test: tuple) -> None:
    p, y, ids = one_test
    with pytest.raises(Refusal, match="no predictions of a division 'fold 9'; it has study"):
        judge_results(results(predicted(p, y, ids)), split="fold 9")
    with pytest.raises(
        Refusal, match="'acuracy' is no score of the table; its scores are log_loss, accuracy"
    ):
        judge_results(results(predicted(p, y, ids)), scores=["acuracy"])


# The tables of formulas of test_fixtures.py, as results


def many_classes() -> Results:
    cases = np.arange(30)
    y = (7 * cases + cases // 5) % 3
    seeds, k = np.arange(4)[:, None, None], np.arange(3)
    z = 2 * np.sin(1.3 * cases[:, None] + 2.1 * k + 0.7 * seeds) + 1.5 * (k == y[:, None])
    one = Predicted("waves", Cases("study", "test", cases.astype(str), y.astype(np.int8)), SEEDS[:4], z)
    return Results("the fixtures", task_of(3), tuple("abc"), (one,))


def numbers() -> Results:
    cases = np.arange(24)
    y = 3 + 2 * np.cos(0.9 * cases) + 0.1 * cases
    guesses = y + 0.6 * np.sin(2.2 * cases + np.arange(4)[:, None]) + 0.15 * (-1.0) ** cases
    quantiles = {0.05: guesses - 0.7, 0.95: guesses + 0.7}
    one = Predicted("waves", Cases("study", "test", cases.astype(str), y), SEEDS[:4], guesses, quantiles)
    return Results("the fixtures", task_of(0), (), (one,), target="height")


def test_the_fixtures_of_many_classes() -> None:
    facts = judge_results(many_classes())
    for score, values in {
        "accuracy": [0.566666666667, 0.6, 0.566666666667, 0.466666666667],
        "macro_f1": [0.585403726708, 0.614389233954, 0.571428571429, 0.435254803676],
        "log_loss": [0.919796423886, 0.933180294575, 0.905930170602, 0.946493003778],
        "auc_hand_till": [0.875, 0.894675925926, 0.826388888889, 0.699074074074],
    }.items():
        band = bands_of(facts, score, "waves")["seeds", "quantiles"]
        assert ends(band) == pytest.approx(np.quantile(values, [0.025, 0.975]), abs=1e-9)
        assert band["centres"]["mean"] == pytest.approx(np.mean(values), abs=1e-9)
    wilson = bands_of(facts, "accuracy", "waves")["cases", "wilson"]
    assert ends(wilson) == pytest.approx((0.376613931032, 0.712034729651), abs=1e-9)
    (calls,) = facts["confusion"]
    assert np.trace(calls["counts"]) == pytest.approx(30 * 0.55, abs=1e-6)
    assert np.sum(calls["counts"], axis=1) == pytest.approx([12, 12, 6], abs=1e-6)


def test_the_fixtures_of_a_number_and_of_its_quantiles() -> None:
    facts = judge_results(numbers())
    rmse = [0.426547702438, 0.447173457655, 0.46186101478, 0.461506772428]
    assert ends(bands_of(facts, "rmse", "waves")["seeds", "min-max"]) == pytest.approx(
        (min(rmse), max(rmse)), abs=1e-9
    )
    first = results_of_seed(numbers(), 0)
    facts = judge_results(first)
    told = {name: bands_of(facts, name, "waves") for name in {row["score"] for row in facts["bands"]}}
    wilson = told["interval_coverage_90"]["cases", "wilson"]
    figures = (wilson["centres"]["share"], *ends(wilson))
    assert figures == pytest.approx((0.875, 0.689961187295, 0.956556659199), abs=1e-9)
    for name, figure in {
        "interval_score_90": 1.475143941835,
        "interval_width_90": 1.4,
        "pinball_0.05": 0.036451279721,
        "pinball_0.95": 0.037305917371,
    }.items():
        assert told[name]["cases", "log t"]["centres"]["mean"] == pytest.approx(figure, abs=1e-9)


def results_of_seed(whole: Results, seed: int) -> Results:
    """The results of one seed alone."""
    one = whole.predicted[0]
    quantiles = {level: values[[seed]] for level, values in one.quantiles.items()}
    alone = replace(one, seeds=(str(seed),), outputs=one.outputs[[seed]], quantiles=quantiles)
    return replace(whole, predicted=(alone,))


def test_a_guess_is_missed_by_half_of_the_deviation_of_the_graded_cases_and_this_is_said() -> None:
    whole = numbers()
    one, y = whole.predicted[0], whole.predicted[0].cases.y
    facts, asked = judge_results(whole), judge_results(whole, tolerance=0.7)
    assert facts["judged"]["tolerance"] == pytest.approx(np.std(y) / 2)
    assert any("because the train rows are not known" in note for note in facts["notes"])
    misses = {row["case"]: row["misses"] for row in asked["missed"]}
    off = (np.abs(one.outputs - y) > 0.7).sum(axis=0)
    assert misses == {str(case): count for case, count in enumerate(off) if count}
    assert not asked["notes"]


def test_the_cases_that_are_hard_for_several_models(one_test: tuple) -> None:
    p, y, ids = one_test
    perfect = predicted(np.where(y == 1, 0.9, 0.1) * np.ones((2, 1)), y, ids, model="perfect")
    three = results(predicted(p, y, ids), predicted(p, y, ids, model="again"), perfect)
    facts = judge_results(three, scores=["accuracy"])
    shares = ((p > 0.5) != y).mean(axis=0)
    assert {row["case"]: row["share"] for row in facts["cases"]} == pytest.approx(
        {str(case): 2 * share / 3 for case, share in zip(ids, shares, strict=True) if share > 0.5}
    )
    assert {(row["hard_for"], row["models"]) for row in facts["cases"]} == {(2, 3)}


def test_a_constant_has_no_interval_over_cases() -> None:
    """Guesses that are all right: the scores over seeds are told, the bands over cases are left out."""
    truth = np.arange(30.0)
    one = Cases("study", "test", truth.astype(str), truth)
    guesses = truth + np.zeros((3, 1))
    found = Results("t", task_of(0), (), (Predicted("perfect", one, ("1", "2", "3"), guesses),))
    facts = judge_results(found)
    for score in ("rmse", "mae", "bias"):
        assert {band["varied"] for band in facts["bands"] if band["score"] == score} == {"seeds"}
    assert "bands over cases of rmse" in left_out(facts)
    assert "a constant has no interval" in left_out(facts)
    assert "perfect" in to_markdown(facts)


def test_what_is_left_out_of_many_models_is_named_once(one_test: tuple) -> None:
    p, y, ids = one_test
    many = [replace(predicted(p[:1], y, ids, model=f"m{k}"), seeds=()) for k in range(8)]
    facts = judge_results(results(*many), scores=["accuracy"])
    assert "bands over seeds on test rows of m0, m1, m2, m3, m4 and 3 more" in left_out(facts)
