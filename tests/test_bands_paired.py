"""Two methods on the same cases, against SciPy and statsmodels, and on equal models."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from samples import LOGITS, MANY_Y, NUMBER_Y, guesses
from scipy.stats import norm, ttest_1samp, wilcoxon
from statsmodels.regression.linear_model import OLS
from statsmodels.stats.contingency_tables import SquareTable
from statsmodels.stats.contingency_tables import mcnemar as mcnemar_of_statsmodels

from handnet.bands.equal_models import false_positives_on_cases, false_positives_on_test
from handnet.bands.paired import (
    bowker,
    calls_table,
    mcnemar,
    paired_difference,
    paired_losses,
    score_difference,
    signed_rank,
    stuart_maxwell,
)
from handnet.draws import generator
from handnet.tasks import task_of


def test_mcnemar_is_statsmodels() -> None:
    for b, c in product(range(13), repeat=2):
        ours = np.repeat([True, False, True, False], [b, c, 9, 4])
        theirs = np.repeat([False, True, True, False], [b, c, 9, 4])
        found = mcnemar(ours, theirs)
        assert (found.only_ours, found.only_theirs) == (b, c)
        assert found.p == pytest.approx(
            mcnemar_of_statsmodels([[9, b], [c, 4]], exact=True).pvalue, abs=1e-12
        )


@given(both=st.integers(1, 40), b=st.integers(0, 20), c=st.integers(0, 20), neither=st.integers(0, 20))
def test_a_paired_difference_is_walds_with_half_a_case_in_each_cell(
    both: int, b: int, c: int, neither: int
) -> None:
    """In half cases: the one extra half in each of the four cells, written out as differences of 1, -1 and
    0."""
    halves = np.repeat([1.0, -1.0, 0.0, 0.0], 2 * np.array([b, c, both, neither]) + 1)
    n = both + b + c + neither
    ours, theirs = (np.repeat([[x, z, 1, 0]], [b, c, both, neither], axis=1) for x, z in ((1, 0), (0, 1)))
    found = paired_difference(ours == 1, theirs == 1, coverage=0.9)
    reach = norm.ppf(0.95) * halves.std() / np.sqrt(n + 2)
    assert (found.low, found.high) == pytest.approx((halves.mean() - reach, halves.mean() + reach), abs=1e-12)
    assert found.centre("mean") == pytest.approx((b - c) / n)


def test_of_114_cases_two_models_must_disagree_6_to_0() -> None:
    for b, c, p in ((6, 1, 0.125), (6, 0, 0.03125), (5, 0, 0.0625)):
        ours, theirs = (np.repeat([one, not one, True], [b, c, 114 - b - c]) for one in (True, False))
        assert mcnemar(ours, theirs).p == pytest.approx(p, abs=1e-12)


def test_rules_over_cases_hardly_ever_cry_wolf() -> None:
    found = false_positives_on_cases(114, 42, 0.97, seed=1, studies=400)
    assert [one.what for one in found] == ["mcnemar", "delong"]
    assert all(one.found <= 0.06 and one.studies == 400 for one in found)


def test_the_tests_of_two_calls_are_those_of_the_fixtures() -> None:
    """Worked out elsewhere: the table of the two calls, Bowker's and Stuart and Maxwell's statistic and p."""
    ours, theirs = (LOGITS[model][0].argmax(axis=1) for model in (0, 1))
    table = calls_table(ours, theirs, 3)
    assert table.tolist() == [[10, 0, 1], [1, 8, 0], [0, 2, 8]]
    found = mcnemar(ours == MANY_Y, theirs == MANY_Y)
    assert (found.only_ours, found.only_theirs, found.p) == (0, 1, 1.0)
    assert bowker(table)[::2] == pytest.approx((4.0, 0.261464129949), abs=1e-11)
    assert stuart_maxwell(table)[::2] == pytest.approx((0.4, 0.818730753078), abs=1e-11)


@given(counts=st.lists(st.integers(1, 30), min_size=16, max_size=16))
def test_bowker_and_stuart_maxwell_are_statsmodels(counts: list[int]) -> None:
    table = np.array(counts).reshape(4, 4)
    theirs = SquareTable(table, shift_zeros=False)
    for found, of in ((bowker(table), theirs.symmetry()), (stuart_maxwell(table), theirs.homogeneity())):
        assert found.statistic == pytest.approx(of.statistic, abs=1e-8)
        assert (found.degrees, found.p) == (of.df, pytest.approx(of.pvalue, abs=1e-9))


def test_pairs_that_are_never_confused_tell_nothing() -> None:
    """Classes 0 and 1 are confused 6 to 1, classes 2 and 3 never: one degree, as McNemar's without
    correction."""
    table = np.diag([9, 9, 9, 9])
    table[0, 1], table[1, 0] = 6, 1
    chance = mcnemar_of_statsmodels(table[:2, :2], exact=False, correction=False)
    for found in (bowker(table), stuart_maxwell(table)):
        assert found[:2] == (pytest.approx(25 / 7), 1)
        assert found.p == pytest.approx(chance.pvalue, abs=1e-12)
    for found in (bowker(np.diag([3, 4, 5])), stuart_maxwell(np.diag([3, 4, 5]))):
        assert found == (0.0, 0, 1.0)


def test_calls_are_tabled_with_ours_in_the_rows() -> None:
    table = calls_table(np.array([0, 0, 2]), np.array([1, 1, 2]), 3)
    assert (table[0, 1], table[2, 2], table.sum()) == (2, 1, 3)


def test_paired_losses_are_those_of_the_fixtures() -> None:
    """The fixtures take ours less theirs; here it is by how much ours is lower."""
    ours, theirs = (np.square(guesses(model) - NUMBER_Y) for model in (0, 1))
    found = paired_losses(ours, theirs)
    assert found.band.centre("mean") == pytest.approx(0.075913347882, abs=1e-11)
    assert found.error(23) == pytest.approx(0.015757354636, abs=1e-11)
    assert found.p == pytest.approx(7.3359198e-05, abs=1e-11)
    assert signed_rank(ours.mean(axis=0), theirs.mean(axis=0)) == pytest.approx(0.000278115273, abs=1e-11)


def test_paired_losses_in_groups_are_those_of_the_fixtures_and_of_statsmodels() -> None:
    task, groups = task_of(3), np.arange(30) // 3
    ours, theirs = (task.case_losses(LOGITS[model], MANY_Y) for model in (0, 1))
    d = (theirs - ours).mean(axis=0)
    assert paired_losses(ours, theirs).band.centre("mean") == pytest.approx(0.026440607113, abs=1e-11)
    assert paired_losses(ours, theirs).error(29) == pytest.approx(0.046419675823, abs=1e-11)
    found = paired_losses(ours, theirs, groups)
    assert found.error(9) == pytest.approx(0.020965417344 * np.sqrt(10 / 9), abs=1e-11)
    fit = OLS(d, np.ones(30)).fit(cov_type="cluster", cov_kwds={"groups": groups}, use_t=True)
    assert (found.band.low, found.band.high) == pytest.approx(tuple(fit.conf_int()[0]), abs=1e-11)
    assert (found.p, found.band.groups) == (pytest.approx(fit.pvalues[0], abs=1e-11), 10)


@given(seed=st.integers(0, 500), n=st.integers(2, 40))
def test_paired_t_and_signed_ranks_are_scipys(seed: int, n: int) -> None:
    ours, theirs = np.square(generator(seed, 0).normal(size=(2, 1, n)))
    assert paired_losses(ours, theirs).p == pytest.approx(
        ttest_1samp((theirs - ours)[0], 0).pvalue, abs=1e-12
    )
    assert signed_rank(ours[0], theirs[0]) == pytest.approx(wilcoxon((theirs - ours)[0]).pvalue, abs=1e-12)
    groups = np.arange(n) // 2
    sums = np.bincount(groups, (theirs - ours)[0])
    assert signed_rank(ours[0], theirs[0], groups) == pytest.approx(wilcoxon(sums).pvalue, abs=1e-12)


def test_methods_that_err_alike_do_not_differ() -> None:
    same = np.ones((3, 9))
    assert paired_losses(same, same).p == 1
    assert signed_rank(same[0], same[0]) == 1
    assert paired_losses(same, same + 1).p == 0  # by the same amount in every case


def test_the_error_of_a_difference_of_areas_is_that_of_a_bootstrap() -> None:
    score = task_of(3).scores["auc"]
    draws = generator(4, 0)
    y = draws.integers(0, 3, 600)
    cases = 1.2 * np.eye(3)[y] + draws.normal(size=(600, 3))
    ours, theirs = (cases + 0.7 * draws.normal(size=(2, 600, 3)) for _ in range(2))
    found = score_difference(score, ours, theirs, y)
    assert found.band.centre("mean") == pytest.approx(
        score.of(ours, y).mean() - score.of(theirs, y).mean(), abs=1e-12
    )
    drawn = []
    for _ in range(200):
        rows = draws.integers(600, size=600)
        drawn.append(score.of(ours[:, rows], y[rows]).mean() - score.of(theirs[:, rows], y[rows]).mean())
    assert found.error(599) == pytest.approx(np.std(drawn), rel=0.2)
    assert score_difference(score, ours, ours, y).p == 1


@pytest.mark.parametrize("classes", [3, 0])
@pytest.mark.parametrize("grouped", [False, True])
def test_rules_on_one_test_keep_their_level(classes: int, grouped: bool) -> None:
    """On 90 cases, or 30 of each class, in groups of three with a within-group correlation of a half."""
    y = np.repeat(np.arange(classes), 30) if classes else np.zeros(90)
    groups = np.arange(90) // 3 if grouped else None
    for row in false_positives_on_test(task_of(classes), y, 0.8, seed=1, groups=groups, studies=250):
        assert row.found < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 250), row


def test_untold_groups_raise_false_alarms() -> None:
    """The world in which groups are told has groups indeed: not told, the paired t finds too much."""
    draws, groups, found = generator(2, 0), np.arange(90) // 9, []
    for _ in range(400):
        common = draws.normal(size=(2, 10))[:, groups]
        ours, theirs = np.square(common + draws.normal(size=(2, 90)))
        pair = ours[None], theirs[None]
        found.append((paired_losses(*pair).p < 0.05, paired_losses(*pair, groups).p < 0.05))
    untold, told = np.mean(found, axis=0)
    assert untold > 0.15
    assert told < 0.085


@pytest.mark.long
@pytest.mark.parametrize(("n", "classes"), [(114, 3), (90, 3), (300, 10), (114, 0), (30, 0)])
@pytest.mark.parametrize("size", [1, 3])
def test_rules_on_one_test_keep_their_level_in_many_studies(n: int, classes: int, size: int) -> None:
    y = np.arange(n) % classes if classes else np.zeros(n)
    groups = np.arange(n) // size if size > 1 else None
    for row in false_positives_on_test(task_of(classes), y, 0.85, seed=3, groups=groups, studies=3000):
        assert row.found < 0.05 + 3.5 * np.sqrt(0.05 * 0.95 / 3000), row
