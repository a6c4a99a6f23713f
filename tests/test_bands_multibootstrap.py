"""Bands over seeds and cases together, by bootstrap."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from samples import TWO, labels, table
from scipy.special import expit
from scipy.stats import binom
from sklearn import metrics

from handnet.bands import wilson
from handnet.bands.cases import case_bands
from handnet.bands.multibootstrap import bootstrap_means, bootstrap_scores, seeds_x_cases, share_band
from handnet.draws import Resamples, bootstrap_counts, generator, resamples
from handnet.tasks import task_of


def test_resamples_are_the_same_again_and_keep_the_classes() -> None:
    y = np.array([1, 0, 0, 1, 0, 0, 0, 1])
    one, again, other, longer = (
        resamples(seed, replicas, y, 40) for seed, replicas in ((1, 5), (1, 5), (2, 5), (1, 9))
    )
    assert all(np.array_equal(a, b) for a, b in zip(one, again, strict=True))
    assert not any(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
    assert np.array_equal(one.cases, longer.cases)  # what is compared is compared on common draws
    assert one.seeds.shape == (40, 5)
    assert one.cases.shape == (40, 8)
    assert set(one.seeds.sum(axis=1)) == {5}
    assert set(one.cases[:, y == 1].sum(axis=1)) == {3}
    assert set(one.cases[:, y == 0].sum(axis=1)) == {5}


def test_numbers_are_drawn_among_all_and_many_classes_within_each() -> None:
    """Numbers that are all different, or that look like labels, are no strata."""
    for y in (np.linspace(0, 1, 30), np.repeat([0.0, 1.0], 15)):
        drawn = resamples(0, 2, y, 2000).cases
        assert set(drawn.sum(axis=1)) == {30}
        assert drawn[:, :15].sum(axis=1).var() == pytest.approx(30 / 4, rel=0.15)  # as a binomial count
    y = np.repeat(np.arange(5), [2, 4, 6, 8, 10])
    drawn = resamples(0, 2, y, 200).cases
    assert all(set(drawn[:, y == label].sum(axis=1)) == {size} for label, size in enumerate((2, 4, 6, 8, 10)))


def test_groups_with_many_mixes_of_classes_are_still_drawn() -> None:
    """Sixty groups with many mixes of five classes: drawn within the rarest class a group holds, not within
    their own mix, of which there is one group."""
    groups = np.repeat(np.arange(60), 3)
    y = generator(3, 0).integers(0, 4, 180)
    y[:6] = [0, 1, 2, 0, 1, 4]  # class 4 in a single group
    drawn = resamples(0, 2, y, 500, groups).cases
    assert np.array_equal(drawn[:, ::3], drawn[:, 1::3])
    moved = drawn[:, ::3].var(axis=0) > 0
    assert not moved[1]  # the only one with class 4 is in every sample
    assert moved.sum() >= 58  # and the only one whose classes are all the commonest
    alone = resamples(0, 2, y, 50, np.arange(180)).cases
    assert np.array_equal(alone, resamples(0, 2, y, 50).cases)


def test_things_are_drawn_with_replacement_alike() -> None:
    counts = bootstrap_counts(generator(1, 0), 10, 20_000)
    assert counts.shape == (20_000, 10)
    assert set(counts.sum(axis=1)) == {10}
    for times in range(4):
        share = (counts == times).mean(axis=0)
        chance = binom.pmf(times, 10, 0.1)
        assert np.abs(share - chance).max() < 5 * np.sqrt(chance * (1 - chance) / 20_000)


def graded_by_scikit_learn(logits: np.ndarray, y: np.ndarray, prevalence: float) -> dict[str, float]:
    p, called = expit(logits), logits > 0
    brier = metrics.brier_score_loss(y, p)
    return {
        "log_loss": metrics.log_loss(y, p),
        "accuracy": metrics.accuracy_score(y, called),
        "sensitivity": metrics.recall_score(y, called),
        "specificity": metrics.recall_score(y, called, pos_label=0),
        "auc": metrics.roc_auc_score(y, logits),
        "brier": brier,
        "skill": 1 - brier / (prevalence * (1 - prevalence)),
    }


@pytest.mark.parametrize("stratified", [True, False])
@pytest.mark.parametrize("coarse", [True, False])
def test_a_bootstrap_sample_is_graded_as_if_its_rows_were_written_out(stratified: bool, coarse: bool) -> None:
    y = generator(8, 0).permutation(labels(11, 16))
    z = table(9, 4, y, coarse=coarse)
    samples = resamples(3, 4, y, 12)
    if not stratified:
        samples = Resamples(samples.seeds, bootstrap_counts(generator(9, 1), 27, 12))
        assert len(set(samples.cases[:, y == 1].sum(axis=1))) > 1
    found = bootstrap_scores(TWO.scores, z, y, samples)
    for b in range(12):
        rows, columns = (np.repeat(np.arange(len(one[b])), one[b]) for one in samples)
        each = [graded_by_scikit_learn(z[row, columns], y[columns], y.mean()) for row in rows]
        for name in each[0]:
            mean = np.mean([one[name] for one in each])
            assert found[name][b] == pytest.approx(mean, abs=1e-9), name


@given(
    seed=st.integers(0, 10_000),
    positives=st.integers(2, 40),
    negatives=st.integers(2, 40),
    replicas=st.integers(2, 5),
    lean=st.floats(-1, 4),
    coarse=st.booleans(),
)
def test_seeds_and_cases_together_say_no_less_than_cases_alone(
    seed: int, positives: int, negatives: int, replicas: int, lean: float, coarse: bool
) -> None:
    y = labels(positives, negatives)
    z = table(seed, replicas, y, lean, coarse)
    samples = resamples(seed, replicas, y, 60)
    drawn, alone = bootstrap_scores(TWO.scores, z, y, samples), case_bands(TWO.scores, z, y)
    errors = {
        name: (1 - alone[name].centres[0][1]) * alone[name].n
        for name in ("accuracy", "sensitivity", "specificity")
    }
    for name, band in seeds_x_cases(TWO.scores, z, y, samples).items():
        low, high = np.quantile(drawn[name], [0.025, 0.975])
        case = alone[name]
        assert band.high - band.low >= case.high - case.low - 1e-12
        assert band.low <= low <= high <= band.high
        plain = high - low >= case.high - case.low and errors.get(name, 10) >= 10
        if plain:
            assert (band.low, band.high, band.kind) == (low, high, "multi-bootstrap")
        else:
            assert (band.low, band.high) == (min(low, case.low), max(high, case.high))
            assert band.kind == f"multi-bootstrap and {case.kind}"
        assert band.centre("mean") == pytest.approx(TWO.grade(z, y)[name].mean(), abs=1e-12)
        assert (band.varied, band.seeds, band.n) == ("seeds_x_cases", replicas, case.n)


def test_many_errors_and_unlike_seeds_leave_the_plain_bootstrap() -> None:
    y = labels(60, 60)
    z = table(1, 6, y, 0.3) + np.linspace(-4, 4, 6)[:, None]
    samples = resamples(1, 6, y, 200)
    bands, drawn = seeds_x_cases(TWO.scores, z, y, samples), bootstrap_scores(TWO.scores, z, y, samples)
    for name in ("log_loss", "sensitivity", "specificity"):
        assert bands[name].kind == "multi-bootstrap"
        assert (bands[name].low, bands[name].high) == tuple(np.quantile(drawn[name], [0.025, 0.975]))
    assert "6 seeds x 60 cases" in str(bands["sensitivity"])


def test_no_error_seen_is_not_none_to_come() -> None:
    y = labels(42, 72)
    z = np.where(y == 1, 9.0, -9.0) + table(2, 3, y) / 10
    bands = seeds_x_cases(TWO.scores, z, y, resamples(2, 3, y, 50))
    for name, n in (("accuracy", 114), ("sensitivity", 42), ("specificity", 72), ("auc", 42)):
        assert (bands[name].low, bands[name].high) == pytest.approx((wilson(n, n).low, 1), abs=1e-12)
    right = np.ones((3, 72), dtype=bool)
    share = share_band(right, resamples(2, 3, np.zeros(72), 50))
    assert (share.low, share.high, share.seeds, share.n) == pytest.approx(
        (wilson(72, 72).low, 1, 3, 72), abs=1e-12
    )


def test_a_share_of_any_cases_has_the_same_band() -> None:
    y = np.zeros(90)
    right = generator(4, 0).random((5, 90)) < generator(5, 0).uniform(0.3, 0.9, (5, 1))
    samples = resamples(4, 5, y, 40)
    drawn = [
        right[np.ix_(*(np.repeat(np.arange(len(one)), one) for one in pair))].mean()
        for pair in zip(*samples, strict=True)
    ]
    found = share_band(right, samples)
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(drawn, [0.025, 0.975])), abs=1e-12)
    assert found.kind == "multi-bootstrap"
    assert found.centre("mean") == pytest.approx(right.mean(), abs=1e-12)


def test_ten_errors_are_not_few() -> None:
    right = np.ones((20, 72), dtype=bool)
    right[:, :10] = False
    draws = resamples(1, 20, np.zeros(72), 500)
    alone = np.quantile(bootstrap_means(right, np.ones(72, dtype=bool), draws), [0.025, 0.975])
    wide = wilson(62, 72)
    expected = (
        alone
        if alone[1] - alone[0] >= wide.high - wide.low
        else [min(alone[0], wide.low), max(alone[1], wide.high)]
    )
    found = share_band(right, draws)
    assert [found.low, found.high] == pytest.approx(list(expected), abs=1e-12)


@pytest.mark.parametrize("kind", ["classes", "groups", "many classes", "number"])
def test_many_cases_are_resampled_as_few_are(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Above a thousand cases the sums are taken in another order, and an AUC by its first-order expansion."""
    numbers = generator(5, 0)
    n, R = 1500, 3
    y = np.repeat([0, 1, 2], [700, 500, 300]) if kind == "many classes" else np.repeat([0, 1], [1000, 500])
    z = 1.5 * (2 * y - 1) + numbers.normal(size=n) + numbers.normal(size=(R, n))
    task, groups = task_of(2), None
    if kind == "groups":
        groups = np.arange(n) // 3
    elif kind == "many classes":
        task, z = task_of(3), 1.5 * np.eye(3)[y] + numbers.normal(size=(R, n, 3))
    elif kind == "number":
        task, y = task_of(0), numbers.normal(size=n)
        z = y + numbers.normal(size=n) + numbers.normal(size=(R, n))
    samples = resamples(0, R, y, 50, groups)
    drawn = bootstrap_scores(task.every, z, y, samples)
    monkeypatch.setattr("handnet.bands.multibootstrap.MANY_CASES", n)
    exact = bootstrap_scores(task.every, z, y, samples)
    for name, values in exact.items():
        expanded = name == "auc" and task.classes == 2  # each sample errs a little, the spread hardly
        assert drawn[name] == pytest.approx(values, abs=0.25 * values.std() if expanded else 1e-9), name
        assert drawn[name].std() == pytest.approx(values.std(), rel=0.02), name
