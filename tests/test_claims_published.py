"""Published results: the arithmetic behind them, and worlds made up so that each is true or false."""

from collections.abc import Callable
from itertools import combinations

import numpy as np
import pytest
from worlds import draws

from experiments.claims.claim import Claim, Verdict
from experiments.published import divisions, readings, results
from experiments.published.readings import AGARAP, Exam, SlicedReadings, case_count, fewest, smallest_exam
from experiments.published.rows import FOLDS, PROTOCOLS, LeastSlack, Outputs

MANY, FEW, CASES = 150, 2, 570


def answers(accuracy: float, exams: int, sd: float = 0.005, seed: int = 0, cases: int = CASES) -> Outputs:
    """Four networks on each exam, of about this accuracy; sd: from exam to exam."""
    shares = accuracy + draws(exams, 1, seed=seed, sd=sd) + draws(exams, 4, seed=seed + 1, sd=sd / 10)
    y = np.arange(cases) % 2
    right = np.arange(cases) < np.round(np.clip(shares, 0, 1) * cases)[..., None]
    return Outputs(list(np.where(right == (y == 1), 1.0, -1.0)), [y] * exams)


# The arithmetic


def test_the_printed_result_is_of_readings_and_not_of_patients() -> None:
    """Each number the paper prints comes out, to its last digit, of the visits of a loop that cuts its slices
    short."""
    visits, steps = AGARAP.visits(), 3000 * 171 // 128
    assert (steps, steps * 128) == (4007, AGARAP.readings)
    every = np.concatenate([np.arange(171)[(step * 128) % 171 :][:128] for step in range(steps)])
    assert np.array_equal(visits, np.bincount(every))
    assert (visits.sum(), visits.min(), visits.max()) == (321_772, 24, 2999)
    assert AGARAP.accuracy * visits.sum() == pytest.approx(318_678, abs=1e-6)
    assert AGARAP.errors() == (1487, 1607)
    assert sum(AGARAP.errors()) == 321_772 - 318_678
    reads = (round(1487 / AGARAP.rates[0]), round(1607 / AGARAP.rates[1]))
    assert sum(reads) == 321_772
    assert [round(100 * wrong / read, 6) for wrong, read in zip((1487, 1607), reads, strict=True)] == [
        1.267042,
        0.786157,
    ]


def test_at_least_four_patients_were_wrong() -> None:
    visits = set(AGARAP.visits().tolist())
    assert 1487 not in visits
    assert not any(a + b == 1487 for a, b in combinations(AGARAP.visits().tolist(), 2))
    assert AGARAP.least_wrong() == 4


@pytest.mark.parametrize("total", range(1, 30))
def test_fewest_is_what_trying_every_choice_finds(total: int) -> None:
    counts = np.array([2, 3, 3, 7, 11])
    found = [len(some) for size in range(6) for some in combinations(counts, size) if sum(some) == total]
    if found:
        assert fewest(total, counts) == min(found)
    else:
        with pytest.raises(ValueError, match=f"sum to {total}"):
            fewest(total, counts)


def test_percentages_are_counts() -> None:
    assert [case_count(one, 569) for one in results.WEKA.values()] == [529, 550, 556, 546, 530]
    assert None in [case_count(one, 568) for one in results.WEKA.values()]
    assert smallest_exam(97.5, 100.0, 98.73) == (39, 40, 39, 39)
    with pytest.raises(ValueError, match="no exam"):
        smallest_exam(97.5, 100.0, 97.0)


def test_the_plane_of_least_slack_separates_when_a_plane_can() -> None:
    X, y = draws(60, 3), np.arange(60) % 2
    apart = X + 2.0 * np.outer(np.where(X @ [1, 2, -1] > 0, 1, -1), [1, 2, -1])
    sides = (X @ [1, 2, -1] > 0).astype(int)
    assert np.array_equal(LeastSlack().fit(apart, sides).decision_function(apart) > 0, sides == 1)
    assert ((LeastSlack().fit(X, y).decision_function(X) > 0) == (y == 1)).mean() < 1
    apart[7], sides[7] = apart[sides == 1].mean(axis=0), 0  # one case amid the others: it alone is wrong
    assert ((LeastSlack().fit(apart, sides).decision_function(apart) > 0) == (sides == 1)).sum() == 59


# Planted worlds


def folds_of_the_authors(true: bool, n: int) -> Claim:
    return results.folds_of_the_authors(answers(0.975, n), answers(0.975 if true else 0.93, n, seed=5))


def plane(true: bool, n: int) -> Claim:
    return results.plane(answers(0.975 if true else 0.93, n), answers(0.97, n))


def new_patients(true: bool, n: int) -> Claim:
    return results.new_patients(n if true else n * 8 // 10, n)


def one_pooled(true: bool, n: int) -> Claim:
    """Another cross-validation moves the figure by a third of a point, or by two points."""
    spread = draws(n, sd=0.003 if true else 0.02)
    found = [answers(0.97 + float(one), FOLDS, sd=0.0) for one in spread]
    both = Outputs([z for one in found for z in one.logits], [y for one in found for y in one.y])
    return results.one_pooled(both, both, results.WEKA, 569)


def radial(true: bool, n: int) -> Claim:
    return results.radial(answers(0.893 if true else 0.975, n))


def one_small_exam(true: bool, n: int) -> Claim:
    networks = answers(0.987 if true else 0.93, n, cases=790)
    return results.one_small_exam(Exam(39, 40, 39, 39), networks, networks, 79 / 490)


def no_better_than_a_line(true: bool, n: int) -> Claim:
    return results.no_better_than_a_line(answers(0.975, n), answers(0.975 if true else 0.93, n, seed=5))


def _protocols_agree(true: bool, n: int, ratio: float) -> Claim:
    """The same under all four; or stratifying is worth three points."""
    accuracy = {
        one: 0.97 - 0.03 * (not true and not one[0]) + draws(n, 4, seed=place, sd=0.005)
        for place, one in enumerate(PROTOCOLS)
    }
    return divisions.protocols_agree(
        accuracy, {one: np.full((n, 2), 42) for one in PROTOCOLS}, "341 / 114 / 114", ratio
    )


def protocols_agree(true: bool, n: int) -> Claim:
    return _protocols_agree(true, n, 0.0)


def protocols_agree_elsewhere(true: bool, n: int) -> Claim:
    return _protocols_agree(true, n, 1 / 3)


def lucky_in_accuracy(true: bool, n: int) -> Claim:
    return divisions.lucky(
        "accuracy",
        0.99 + draws(4, sd=0.001) if true else draws(4) * 0.001 + 0.97,
        0.97 + draws(n, 4, sd=0.005),
        1,
    )


def lucky_in_log_loss(true: bool, n: int) -> Claim:
    return divisions.lucky(
        "log loss",
        0.05 + draws(4, sd=0.001) if true else draws(4) * 0.001 + 0.08,
        0.08 + draws(n, 4, sd=0.005),
        -1,
    )


PLANTED = [
    folds_of_the_authors,
    plane,
    new_patients,
    one_pooled,
    radial,
    one_small_exam,
    no_better_than_a_line,
    protocols_agree,
    protocols_agree_elsewhere,
    lucky_in_accuracy,
    lucky_in_log_loss,
]


@pytest.mark.parametrize("claim", PLANTED, ids=lambda one: one.__name__)
def test_a_planted_result_is_recognised(claim: Callable[[bool, int], Claim]) -> None:
    """True: holds. False: does not hold. True, but too little data: cannot be told."""
    assert (claim(True, MANY).verdict, claim(False, MANY).verdict) == (Verdict.HOLDS, Verdict.FAILS)
    assert claim(True, FEW).verdict == Verdict.OPEN


def test_planted_results_of_what_is_counted() -> None:
    """A loop that reads every row as often as every other prints an accuracy of patients; a plane separates,
    or misses two."""
    fair = SlicedReadings(170 / 171, (1 / 64, 0.0), 513_000, 171, 171, 3000)
    networks = answers(0.975, MANY, cases=171)
    assert set(fair.visits().tolist()) == {3000}
    assert readings.read_in_slices(fair, networks, networks).verdict == Verdict.HOLDS
    assert readings.read_in_slices(AGARAP, networks, networks).verdict == Verdict.FAILS
    assert results.separable(569, 569, networks).verdict == Verdict.HOLDS
    assert results.separable(567, 569, networks).verdict == Verdict.FAILS


def test_wrong_cases_at_the_end_of_the_table_count_more_in_that_loop() -> None:
    """The first rows of the test part are read least: networks wrong on them alone look better by the loop
    than they are."""
    right = np.arange(171)[:, None] >= np.array([10] * 5)
    late, early = (
        Outputs([np.where(one, 1.0, -1.0)[None] for one in wrong.T], [np.ones(171, int)] * 5)
        for wrong in (~right[::-1] ^ True, right)
    )
    bands = [
        dict(readings.read_in_slices(AGARAP, one, one).context)["by that loop less once"]
        for one in (late, early)
    ]
    differences = [band.centre("median") for band in bands]
    weight = AGARAP.visits() / AGARAP.visits().sum()
    assert differences == pytest.approx([weight[:-10].sum() - 161 / 171, weight[10:].sum() - 161 / 171])
    assert differences[0] != pytest.approx(differences[1], abs=0.01)


def test_a_network_that_diverged_silences_its_claim() -> None:
    networks = answers(0.975, MANY)
    networks.logits[3][1] = np.nan
    assert results.folds_of_the_authors(networks, answers(0.975, MANY)).verdict == Verdict.OPEN
    assert np.isnan(networks.pooled()).tolist()[0] == [False, True, False, False]
    others = 0.97 + draws(MANY, 4, sd=0.005)
    others[5, 2] = np.nan
    assert divisions.lucky("accuracy", 0.99 + draws(4, sd=0.001), others, 1).verdict == Verdict.OPEN


def test_a_tie_is_neither_worse_nor_better() -> None:
    own, others = np.full(4, 0.97), np.full((MANY, 4), 0.97)
    assert divisions.lucky("accuracy", own, others, 1).parts[0].band.centre("share") == 0.5
