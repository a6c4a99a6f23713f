"""When a case is wrong and what is asked of it, for many classes and a number: against plain loops over seeds
and pairs of seeds. tests/test_explain.py has two classes."""

import itertools
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, entropy

from handnet.draws import generator
from handnet.explain import case_table
from handnet.judge import Judge, ManyClasses, Number, TwoClasses, judge_of
from handnet.tasks import task_of


def table_of(judge: Judge, outputs: np.ndarray, y: np.ndarray) -> pd.DataFrame:
    """The table of cases called 0, 1, ..., in that order."""
    table = case_table(judge, outputs, y, np.arange(len(y)), [""] * len(y))
    return table.sort_values("case", ignore_index=True)


def coarse(seed: int, *shape: int) -> np.ndarray:
    """Logits among which there are ties."""
    return np.round(2 * generator(seed, 0).normal(size=shape))


@settings(max_examples=30)
@given(seed=st.integers(0, 10**6), replicas=st.integers(2, 9), classes=st.integers(3, 5))
def test_calls_of_many_classes_are_counted_over_seeds(seed: int, replicas: int, classes: int) -> None:
    z, y = coarse(seed, replicas, 6, classes), generator(seed, 1).integers(classes, size=6)
    table = table_of(ManyClasses(classes), z, y)
    for case, row in table.iterrows():
        calls = [max(range(classes), key=lambda k: (one[k], -k)) for one in z[:, case]]  # the first of equals
        misses = sum(call != y[case] for call in calls)
        assert (row["class"], row["seeds"], row["misses"]) == (y[case], replicas, misses)
        interval = binomtest(misses, replicas).proportion_ci(method="wilson")
        assert (row["miss_low"], row["miss_high"]) == pytest.approx((interval.low, interval.high), abs=1e-12)
        pairs = list(itertools.combinations(calls, 2))
        assert row["self_consistency"] == pytest.approx(np.mean([one == other for one, other in pairs]))
        counts = Counter(calls)
        assert row["entropy"] == pytest.approx(entropy(list(counts.values()), base=2), abs=1e-12)
        del counts[y[case]]
        most = max(counts.values(), default=0)
        first = min((call for call, count in counts.items() if count == most), default=-1)
        assert (row["wrong_class"], row["wrong_calls"]) == (first, most)
        chances = [np.exp(one[y[case]]) / np.exp(one).sum() for one in z[:, case]]
        assert row["score_median"] == pytest.approx(np.median(chances))
        ends = np.quantile(chances, [0.025, 0.975])
        assert (row["score_low"], row["score_high"]) == pytest.approx(tuple(ends))
        assert (row["always"], row["flips"]) == (misses == replicas, 0 < misses < replicas)


@settings(max_examples=30)
@given(seed=st.integers(0, 10**6), replicas=st.integers(2, 9), tolerance=st.sampled_from([0.5, 1.0, 3.0]))
def test_guesses_are_judged_by_a_tolerance(seed: int, replicas: int, tolerance: float) -> None:
    """Whole numbers, so that many guesses lie exactly at the tolerance, which is not wrong."""
    guesses, y = coarse(seed, replicas, 6), np.round(3 * generator(seed, 1).normal(size=6))
    table = table_of(Number(tolerance, 1.0), guesses, y)
    for case, row in table.iterrows():
        off = [one - y[case] for one in guesses[:, case]]
        misses = sum(abs(one) > tolerance for one in off)
        assert (row["target"], row["seeds"], row["misses"]) == (y[case], replicas, misses)
        assert (row["residual_mean"], row["residual_sd"]) == pytest.approx(
            (np.mean(off), pd.Series(off).std()), abs=1e-12
        )
        pairs = itertools.combinations(guesses[:, case], 2)
        near = np.mean([abs(one - other) <= tolerance for one, other in pairs])
        assert row["self_consistency"] == pytest.approx(near)
        assert row["guess_median"] == np.median(guesses[:, case])


def test_the_guess_that_is_farthest_off_comes_first() -> None:
    """Of cases that as many seeds miss, whichever way they are off."""
    guesses = np.array([[1.0, -9, 4, 0, 0], [1, -9, 4, 2, 0]])
    table = case_table(Number(1.0, 1.0), guesses, np.zeros(5), np.array(list("abcde")), [""] * 5)
    assert table["case"].tolist() == ["b", "c", "d", "a", "e"]
    assert table["misses"].tolist() == [2, 2, 1, 0, 0]
    assert table["always"].tolist() == [True, True, False, False, False]


JUDGES = [TwoClasses(), ManyClasses(3), Number(1.0, 1.0)]


@pytest.mark.parametrize("judge", JUDGES, ids=lambda judge: judge.task)
@settings(max_examples=30)
@given(seed=st.integers(0, 10**6), replicas=st.integers(3, 6))
def test_how_alike_seeds_are_does_not_hang_on_their_number(judge: Judge, seed: int, replicas: int) -> None:
    """That two seeds say the same of a case is as likely on average over every pair of the seeds."""
    z = coarse(seed, replicas, 5, *([3] if isinstance(judge, ManyClasses) else []))
    pairs = itertools.combinations(range(replicas), 2)
    expected = np.mean([judge.alike(z[list(pair)]) for pair in pairs], axis=0)
    assert judge.alike(z) == pytest.approx(expected)


def test_a_replica_that_is_not_finite_is_not_counted() -> None:
    z = np.zeros((3, 2, 3))
    z[1, 0, 2] = np.nan
    assert set(table_of(ManyClasses(3), z, np.array([0, 1]))["seeds"]) == {2}


@pytest.mark.parametrize(
    ("calls", "instead"),
    [
        ([0, 2, 2, 1], 2),
        ([1, 2, 0, 0], 1),  # as often: the first
        ([0, 0, 0, 0], 2),  # never wrong: the most probable other class
    ],
)
def test_a_case_of_many_classes_is_asked_about_its_most_frequent_wrong_class(
    calls: list[int], instead: int
) -> None:
    z = 5.0 * np.eye(3)[calls] + np.array([0, 0.1, 0.2])
    question = ManyClasses(3).question(z, 0)
    assert (question.credited, question.instead, question.start, question.towards) == (
        "margin",
        instead,
        0,
        1,
    )
    one_case = z[:, None]  # (R, 1, k)
    assert question.value(one_case)[:, 0] == pytest.approx(z[:, instead] - z[:, 0])
    assert question.right(one_case)[:, 0].tolist() == [call == 0 for call in calls]


@pytest.mark.parametrize(
    ("guesses", "towards"), [([4, 5, 0.9], 1), ([-4, 0, 5, -6], -1), ([-4, 4], 0), ([0.5], 0)]
)
def test_a_guess_is_pulled_to_where_most_wrong_seeds_lie(guesses: list[float], towards: int) -> None:
    question = Number(1.0, 20.0).question(10 + np.array(guesses), 10.0)
    assert (question.towards, question.start, question.instead) == (towards, None, None)
    assert question.least == pytest.approx(20e-4)
    assert question.right(np.array([9.0, 8.9, 11.1])).tolist() == [True, False, False]


def test_the_tolerance_is_half_a_deviation_unless_it_is_told() -> None:
    y = np.array([0.0, 4.0])
    assert judge_of(task_of(0), y).tolerance == 1.0
    assert judge_of(task_of(0), y, 3.0).tolerance == 3.0
    assert judge_of(task_of(3), y).tolerance is None
    assert isinstance(judge_of(task_of(2), y), TwoClasses)
