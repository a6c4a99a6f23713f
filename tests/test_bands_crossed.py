"""Two methods over seeds and cases: the crossed rule against independent formulas and by simulation."""

import numpy as np
import pytest
from scipy.stats import ttest_rel

from handnet.bands.crossed import crossed_difference, pseudo_values
from handnet.tasks import task_of


@pytest.mark.parametrize("classes", [2, 3, 0])
def test_the_mean_over_cases_is_the_score_of_each_seed(classes: int) -> None:
    rng, task = np.random.default_rng(classes), task_of(classes)
    y = np.arange(40) % classes if classes else rng.normal(size=40)
    outputs = rng.normal(size=(3, 40, classes) if classes > 2 else (3, 40))
    for name, score in task.every.items():
        if name in ("bias", "median_absolute_error"):
            with pytest.raises(ValueError, match=f"{name} of two methods cannot be compared"):
                pseudo_values(task, name, outputs, y)
            continue
        means = pseudo_values(task, name, outputs, y).mean(axis=1)
        of, sign = score.of(outputs, y), 1 if score.higher else -1
        expected = sign * (np.log(of) if name in ("rmse", "mae", "mse") else of)
        np.testing.assert_allclose(means, expected, atol=1e-12)


def test_one_seed_each_is_the_paired_t_test_over_cases() -> None:
    ours, theirs = np.random.default_rng(1).uniform(size=(2, 1, 30))
    found, expected = crossed_difference(ours, theirs, True), ttest_rel(ours[0], theirs[0])
    assert found.comparison.p == pytest.approx(expected.pvalue)
    interval = expected.confidence_interval()
    assert (found.comparison.band.low, found.comparison.band.high) == pytest.approx(tuple(interval))
