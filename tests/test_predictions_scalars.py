"""One score a seed: bands and comparisons of the poorer form, against SciPy and hand loops."""

import pytest
from scipy.stats import ttest_1samp, ttest_ind, ttest_rel

from handnet.predictions.scalars import from_scalars
from handnet.predictions.scored_pairs import compare_scores

A, B = [0.91, 0.93, 0.92, 0.95, 0.90], [0.90, 0.90, 0.91, 0.93, 0.91]


def test_paired_seeds_are_scipys_paired_t_test() -> None:
    results = from_scalars({"a": A, "b": B}, seeds=range(5))
    (row,) = compare_scores(results)["comparisons"][0]["scores"]
    oracle = ttest_rel(A, B)
    interval = oracle.confidence_interval()
    assert row["kind"] == "paired t over seeds"
    assert row["p"] == pytest.approx(oracle.pvalue, rel=1e-12)
    assert [row["difference"]["low"], row["difference"]["high"]] == pytest.approx(list(interval), rel=1e-9)


def test_seeds_that_nothing_pairs_are_scipys_welch_test() -> None:
    results = from_scalars({"a": A, "b": B[:4]})
    (row,) = compare_scores(results)["comparisons"][0]["scores"]
    oracle = ttest_ind(A, B[:4], equal_var=False)
    interval = oracle.confidence_interval()
    assert row["kind"] == "welch t over seeds"
    assert (row["p"], row["degrees"]) == pytest.approx((oracle.pvalue, oracle.df), rel=1e-12)
    assert [row["difference"]["low"], row["difference"]["high"]] == pytest.approx(list(interval), rel=1e-9)


def test_a_model_without_a_seed_is_a_constant_on_these_cases() -> None:
    (row,) = compare_scores(from_scalars({"a": A, "lr": 0.9}))["comparisons"][0]["scores"]
    assert row["kind"] == "one-sample t over seeds"
    assert row["p"] == pytest.approx(ttest_1samp(A, 0.9).pvalue, rel=1e-12)
