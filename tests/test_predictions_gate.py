"""The gate: what passes, what is said where nothing can be told, and how often it errs, by simulation."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import t
from simulated_methods import two_methods

from handnet.bands.crossed import needed
from handnet.messages import Refusal
from handnet.predictions.form import Results, Scored
from handnet.predictions.gate import gate
from handnet.predictions.pair import Pair
from handnet.predictions.pairs import compare_results

MARGIN = 0.02
LOSS = {"accuracy": -MARGIN, "log_loss": -MARGIN, "rmse": -float(np.log1p(MARGIN))}  # a true loss of it


def judged(results: Results, **how: object) -> tuple[int, str, dict]:
    found = gate(results, "baseline", "candidate", **how)
    assert bool(found) == (found.code == 0)
    return found.code, found.sentence, dict(found.facts)


def simulated(score: str, gain: float, studies: int, seed: int, divisions: int = 0, **how: object) -> tuple:
    """The share of studies with a p below .05, and the share that pass."""
    numbers, found, passed = np.random.default_rng(seed), [], []
    for _ in range(studies):
        code, _, facts = judged(two_methods(numbers, score, 114, 5, gain, divisions), score=score, **how)
        found.append(facts["comparison"]["decides"]["p"] < 0.05)
        passed.append(code == 0)
    return np.mean(found), np.mean(passed)


def most(share: float, studies: int) -> float:
    """A share that so many studies exceed in 1 of 1000 cases, were `share` the true one."""
    return share + 3.1 * np.sqrt(share * (1 - share) / studies)


def test_it_compares_as_compare_does() -> None:
    results = two_methods(np.random.default_rng(0), "accuracy", 80, 4, 0.05)
    (pair,) = compare_results(results, ["candidate", "baseline"])["comparisons"]
    _, _, facts = judged(results)
    assert facts["comparison"]["sentence"] == pair["sentence"]
    assert {**facts["comparison"]["decides"], "false_alarms": None} == {
        **pair["decides"],
        "false_alarms": None,
    }


def test_it_says_when_the_number_of_train_rows_is_missing() -> None:
    results = two_methods(np.random.default_rng(3), "accuracy", 50, 4, 0.05, divisions=6)
    assert "n_train" not in judged(results)[1]
    unknown = (replace(one, cases=replace(one.cases, others=None)) for one in results.predicted)
    assert "name it with n_train" in judged(replace(results, predicted=tuple(unknown)))[1]


@pytest.mark.parametrize("score", ["accuracy", "log_loss", "rmse"])
def test_what_passes_is_read_off_the_interval(score: str) -> None:
    """A margin just within the lower end passes, one just beyond it does not; of a number the ends are
    logarithms, and the margin is a share of the baseline's error."""
    results = two_methods(np.random.default_rng(2), score, 300, 6, 0.05 if score == "accuracy" else 0.15)
    band = judged(results, score=score)[2]["comparison"]["decides"]["difference"]
    low = -np.expm1(-band["low"]) if score == "rmse" else band["low"]
    assert low > 0
    assert judged(results, score=score, margin=low - 1e-9)[0] == 0
    assert judged(results, score=score, margin=low + 1e-9)[0] == 1
    turned = gate(results, "candidate", "baseline", score=score, margin=0.5, require="not-worse")
    assert turned.code == 0
    reach = -turned.facts["comparison"]["decides"]["difference"]["low"]
    loss = float(np.expm1(reach)) if score == "rmse" else reach
    for margin, code in ((loss + 1e-9, 0), (loss - 1e-9, 1)):
        found = gate(results, "candidate", "baseline", score=score, margin=margin, require="not-worse")
        assert found.code == code


def test_a_worse_candidate_is_told_to_be_worse() -> None:
    results = two_methods(np.random.default_rng(2), "accuracy", 300, 6, -0.1)
    assert "candidate is shown to be worse than baseline in accuracy." in judged(results)[1]
    code, sentence, _ = judged(results, margin=0.01, require="not-worse")
    assert code == 1
    assert "candidate is shown to be worse than baseline in accuracy by more than 1 point." in sentence
    slightly = two_methods(np.random.default_rng(2), "accuracy", 300, 6, 0.02)
    code, sentence, facts = judged(slightly, margin=0.2)
    assert (code, facts["comparison"]["decides"]["difference"]["high"] > 0) == (1, True)
    assert "it is not true that candidate is better than baseline in accuracy by more than 20" in sentence


def test_where_it_cannot_tell_it_says_what_could() -> None:
    """The cases and seeds are those for the observed gain beyond the margin, or for two equal models."""
    results = two_methods(np.random.default_rng(7), "accuracy", 114, 5, 0.02)
    row = judged(results)[2]["comparison"]["decides"]
    assert row["difference"]["low"] < 0 < row["difference"]["centres"]["mean"]
    found = Pair(results, ("candidate", "baseline"), "accuracy", None, 0.01).on_cases.found
    for how, gain in (
        ({}, row["difference"]["centres"]["mean"]),
        ({"margin": 0.005, "require": "not-worse"}, 0.005),
    ):
        code, sentence, facts = judged(results, **how)
        wanted = needed(found, gain)
        assert (code, facts["needed"]["cases"], facts["needed"]["seeds"]) == (1, wanted.cases, wanted.seeds)
        assert "5 seeds and 114 cases cannot tell" in sentence
        assert wanted.cases is None or f"{wanted.cases:,} cases with these seeds" in sentence
    turned = gate(results, "candidate", "baseline")
    assert "No more data would show it if the true difference is the one seen." in turned.sentence


def test_over_divisions_it_says_how_many_could_tell() -> None:
    results = two_methods(np.random.default_rng(4), "log_loss", 50, 3, 0.02, divisions=6)
    low = judged(results, score="log_loss")[2]["comparison"]["decides"]["difference"]["low"]
    assert low < 0
    margin = -0.9 * low
    _, _, facts = judged(results, score="log_loss", margin=margin, require="not-worse")
    row, many = facts["comparison"]["decides"], facts["needed"]["divisions"]
    assert (row["over"], facts["found"], row["ratio"]) == ("splits", "open", 0.25)
    error = (row["difference"]["high"] - row["difference"]["low"]) / 2 / t.ppf(0.975, 5)
    spread = error / np.sqrt(1 / 6 + 0.25)

    def least(count: int) -> float:
        degrees = count - 1
        return (t.ppf(0.975, degrees) + t.ppf(0.8, degrees)) * spread * np.sqrt(1 / count + 0.25)

    if many is None:
        assert least(10**6) > margin
    else:
        assert least(many) <= margin < least(many - 1)


def test_one_score_a_seed_may_gate_and_says_on_which_cases() -> None:
    draws, scores = np.random.default_rng(0), {}
    for model, mean in (("baseline", 0.90), ("candidate", 0.95)):
        scores[model] = mean + 0.005 * draws.normal(size=8)
    rows = tuple(
        Scored(model, "study", "test", tuple("01234567"), {"accuracy": values}, n=500)
        for model, values in scores.items()
    )
    results = Results("scores", None, (), (), rows)
    code, sentence, _ = judged(results, margin=0.02)
    assert code == 0
    assert "It holds for these very cases" in sentence
    row = judged(results)[2]["comparison"]["decides"]
    observed, error = row["difference"]["centres"]["mean"], row["error"]
    code, sentence, facts = judged(results, margin=observed - error)
    assert (code, facts["needed"]["cases"]) == (1, None)
    shown = [(t.ppf(0.975, n - 1) + t.ppf(0.8, n - 1)) * np.sqrt(8 / n) <= 1 for n in range(2, 100)]
    assert facts["needed"]["seeds"] == 2 + shown.index(True)
    assert f"{facts['needed']['seeds']} seeds with these cases" in sentence


def test_the_summary_is_a_table_that_no_name_breaks() -> None:
    results = two_methods(np.random.default_rng(0), "accuracy", 80, 4, 0.05)
    renamed = tuple(replace(one, model=f"{one.model}|*x*\n<b>") for one in results.predicted)
    found = gate(replace(results, predicted=renamed), "baseline|*x*\n<b>", "candidate|*x*\n<b>", margin=0.01)
    lines = found.markdown().splitlines()
    table = [line for line in lines if line.startswith("|")]
    assert len(table) == 3
    assert len({line.replace("\\|", "").count("|") for line in table}) == 1
    for cell in ("margin", "1 point", "smallest seen with 80% power", "candidate\\|"):
        assert any(cell in line for line in table)
    assert "<b>" not in found.markdown().replace("\\<b\\>", "")
    assert lines[0] == ""  # appended to another entry it stays apart
    assert "be better, nor" not in found.sentence  # the gate's own verdict is enough


@pytest.mark.parametrize(
    ("how", "sentence"),
    [
        ({"require": "best"}, "must be one of better and not-worse, but is 'best'"),
        ({"margin": -0.1}, "must be a number of at least 0"),
        ({"margin": float("nan")}, "must be a number of at least 0"),
        ({"require": "not-worse"}, "must say how much worse would still do"),
        ({"margin": 2}, "no difference exceeds"),
        ({"score": "acuracy"}, "is no score of simulated"),
    ],
)
def test_what_is_not_understood_is_refused(how: dict, sentence: str) -> None:
    results = two_methods(np.random.default_rng(0), "accuracy", 40, 2)
    with pytest.raises(Refusal, match=sentence):
        gate(results, "baseline", "candidate", **how)


def test_models_that_are_not_there_or_are_one_are_refused() -> None:
    results = two_methods(np.random.default_rng(0), "accuracy", 40, 2)
    with pytest.raises(Refusal, match="there is no model new"):
        gate(results, "baseline", "new")
    with pytest.raises(Refusal, match="both 'baseline'"):
        gate(results, "baseline", "baseline")


@pytest.mark.parametrize("studies", [100, pytest.param(2000, marks=pytest.mark.long)])
def test_between_equal_methods_it_errs_no_more_often_than_it_says(studies: int) -> None:
    """At .05 for a comparison, at .025 for a candidate that passes."""
    found, passed = simulated("accuracy", 0.0, studies, seed=1)
    assert found < most(0.05, studies)
    assert passed < most(0.025, studies)
    if studies == 2000:
        assert found < 0.06
        assert passed < 0.035


@pytest.mark.parametrize("score", ["accuracy", "log_loss", "rmse"])
@pytest.mark.parametrize("studies", [25, pytest.param(200, marks=pytest.mark.long)])
def test_a_candidate_worse_by_just_the_margin_seldom_passes(score: str, studies: int) -> None:
    how = {"margin": MARGIN, "require": "not-worse"}
    _, passed = simulated(score, LOSS[score], studies, seed=2, **how)
    assert passed < most(0.025, studies)


@pytest.mark.long
def test_the_difference_that_is_seen_in_80_of_100_studies_is_seen_in_as_many() -> None:
    numbers, seen = np.random.default_rng(3), []
    for _ in range(100):
        row = judged(two_methods(numbers, "accuracy", 114, 5))[2]["comparison"]["decides"]
        seen.append(row["detectable"])
    _, passed = simulated("accuracy", float(np.median(seen)), 250, seed=4)
    assert 0.75 <= passed < 0.93


@pytest.mark.long
def test_over_divisions_of_one_table_it_errs_no_more_often_either() -> None:
    found, passed = simulated("accuracy", 0.0, 120, seed=5, divisions=10)
    assert found < most(0.05, 120)
    assert passed < most(0.025, 120)
