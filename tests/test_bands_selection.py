"""What choosing the best of many costs, against opda and SciPy."""

from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import metadata
from itertools import combinations, product
from math import comb

import numpy as np
import pytest
from opda.nonparametric import EmpiricalDistribution
from samples import standard_error
from scipy.stats import quantile_test, sem

from handnet.bands.selection import BBC_HELD, expected_best, search_again, selection_optimism
from handnet.draws import bootstrap_counts, generator, resamples
from handnet.tasks import Task, task_of


def readme_scores() -> np.ndarray:
    """The 32 accuracies of opda's README."""
    text = metadata("opda").get_payload() or metadata("opda")["Description"]
    start = text.index("ys = [")
    lines = text[start : text.index("]", start)].splitlines()[1:]
    return np.array([float(one) for line in lines for one in line.strip(" .").split(",") if one.strip()])


def test_the_best_of_a_few_is_opdas() -> None:
    scores, sizes = readme_scores(), np.arange(1, 6)
    assert scores.shape == (32,)
    found = expected_best(scores, sizes)
    assert [one.size for one in found] == [1, 2, 3, 4, 5]
    for name, figures in {
        "plug_in": [0.855406, 0.888245, 0.904396, 0.914036, 0.920396],
        "mean": [0.855406, 0.889304, 0.905958, 0.915909, 0.922462],
        "median": [0.8456, 0.9034, 0.9089, 0.9198, 0.9221],
    }.items():
        assert [getattr(one, name) for one in found] == pytest.approx(figures, abs=5e-7), name
    every = np.arange(1, 33)
    theirs = EmpiricalDistribution(scores)
    found = expected_best(scores, every)
    assert [one.plug_in for one in found] == pytest.approx(theirs.average_tuning_curve(every), abs=1e-12)
    assert [one.median for one in found] == pytest.approx(theirs.quantile_tuning_curve(every), abs=1e-12)


@pytest.mark.parametrize("count", [1, 2, 4, 6])
def test_the_expected_best_is_the_mean_over_all_subsets(count: int) -> None:
    scores = generator(count, 0).integers(0, 6, count) / 7  # with ties
    for one in expected_best(scores, np.arange(1, count + 1)):
        subsets = [max(chosen) for chosen in combinations(scores, one.size)]
        assert len(subsets) == comb(count, one.size)
        assert one.mean == pytest.approx(np.mean(subsets), abs=1e-12)
        with_repeats = [max(chosen) for chosen in product(scores, repeat=one.size)]
        assert one.plug_in == pytest.approx(np.mean(with_repeats), abs=1e-12)


@pytest.mark.parametrize("coverage", [0.95, 0.8])
@pytest.mark.parametrize("count", [2, 9, 40, 114])
def test_the_median_best_has_scipys_interval_of_a_quantile(count: int, coverage: float) -> None:
    scores = generator(count, 1).normal(size=count)
    for one in expected_best(scores, np.arange(1, count + 1), coverage):
        theirs = quantile_test(scores, p=0.5 ** (1 / one.size)).confidence_interval(coverage)
        low, high = (
            end if np.isfinite(end) else sign * np.inf for sign, end in zip((-1, 1), theirs, strict=True)
        )
        assert (one.low, one.high, one.coverage) == (low, high, coverage)


def test_the_median_best_is_held_whatever_the_law() -> None:
    for law in ("uniform", "exponential"):
        studies, sizes = getattr(generator(14, 0), law)(size=(1500, 40)), np.array([1, 2, 4])
        found = [expected_best(study, sizes) for study in studies]
        for place, size in enumerate(sizes):
            level = 0.5 ** (1 / size)
            truth = level if law == "uniform" else -np.log1p(-level)
            held = np.mean([one[place].low <= truth <= one[place].high for one in found])
            assert held > 0.95 - 3 * np.sqrt(0.95 * 0.05 / 1500)


def test_a_small_search_cannot_bound_a_large_one() -> None:
    best = expected_best(np.arange(5.0), np.array([5]))[0]
    assert best.high == np.inf
    assert expected_best(np.arange(40.0), np.array([1]))[0].high < 40
    for sizes in ([0], [6], [1, 6]):
        with pytest.raises(ValueError, match="between 1 and the 5 configurations tried"):
            expected_best(np.arange(5.0), np.array(sizes))


def test_choosing_is_paid_for_case_by_case() -> None:
    losses, counts = generator(15, 0).exponential(size=(6, 15)), bootstrap_counts(generator(15, 1), 15, 50)
    scores = []
    for row in counts:
        drawn = np.repeat(np.arange(15), row)
        left = [case for case in range(15) if case not in drawn]
        chosen = min(range(6), key=lambda config: losses[config, drawn].mean())
        scores.append(losses[chosen, left].mean())
    found = selection_optimism(losses, counts)
    assert found.corrected == pytest.approx(np.mean(scores), abs=1e-12)
    assert found.naive == pytest.approx(min(row.mean() for row in losses), abs=1e-12)
    assert (found.band.low, found.band.high) == pytest.approx(
        tuple(np.quantile(scores, [0.025, 0.975])), abs=1e-12
    )
    assert (found.band.n, found.band.centre("mean")) == (15, found.corrected)
    with pytest.raises(ValueError, match="at least 2 configurations, but got 1"):
        selection_optimism(losses[:1], counts)


@pytest.mark.parametrize(
    ("configurations", "cases", "told"),
    [(40, 114, True), (10, 50, True), (9, 114, False), (40, 49, False), (9, 49, False)],
)
def test_simulated_searches_are_cited_only_for_those_like_them(
    configurations: int, cases: int, told: bool
) -> None:
    draws = generator(15, 2)
    counts = bootstrap_counts(draws, cases, 20)
    found = selection_optimism(draws.exponential(size=(configurations, cases)), counts)
    assert found.held == (BBC_HELD if told else None)
    assert found._replace(band=replace(found.band, groups=37)).held is None


def test_the_best_of_equals_flatters_itself_until_it_pays() -> None:
    draws = generator(16, 0)
    studies = [
        selection_optimism(draws.exponential(size=(30, 114)), bootstrap_counts(draws, 114, 100))
        for _ in range(150)
    ]
    naive, corrected = (np.array([getattr(one, name) for one in studies]) for name in ("naive", "corrected"))
    assert abs(corrected.mean() - 1) < 3 * standard_error(corrected) < corrected.std() / 4
    assert naive.mean() < 1 - 3 * standard_error(naive)
    assert naive.mean() < 1 - naive.std()  # of most studies, not of their average only


def test_a_sample_of_every_case_scores_nothing() -> None:
    losses = np.array([[0.1, 0.2, 0.9], [0.3, 0.3, 0.3]])
    counts = np.array([[1, 1, 1], [2, 1, 0], [0, 3, 0], [0, 0, 3]])
    found = selection_optimism(losses, counts)
    assert found.corrected == pytest.approx(np.mean([0.9, (0.1 + 0.9) / 2, 0.3]))


def adaptive_study(seed: int, n: int = 114, tries: int = 40) -> tuple[np.ndarray, float]:
    """The losses (tries, n) of a search that tries near its best so far, and its winner's true loss."""
    draws = generator(seed, 3)
    waves, shifts = 3 * draws.normal(size=(3, 24)), draws.uniform(0, 2 * np.pi, 24)

    def world(count: int) -> Callable[[np.ndarray], np.ndarray]:
        margins, tilts = draws.normal(2.6, 1.6, count), draws.normal(size=(24, count))

        def losses(point: np.ndarray) -> np.ndarray:
            clearness = 1.4 - 0.9 * ((point - 0.5) ** 2).sum()
            return np.logaddexp(0, -clearness * margins - np.cos(point @ waves + shifts) @ tilts / 4)

        return losses

    cases, everybody = world(n), world(5000)
    points: list[np.ndarray] = []
    found: list[np.ndarray] = []
    for place in range(tries):
        best = points[int(np.argmin([row.mean() for row in found]))] if points else np.full(3, 0.5)
        near = np.clip(best + draws.normal(0, 0.1, 3), 0, 1)
        points.append(near if place >= 10 and place % 4 else draws.uniform(size=3))
        found.append(cases(points[-1]))
    chosen = points[int(np.argmin([row.mean() for row in found]))]
    return np.array(found), float(everybody(chosen).mean())


def test_the_correction_pays_for_most_of_an_adaptive_choice_too() -> None:
    naive, corrected, held = [], [], []
    for seed in range(120):
        losses, truth = adaptive_study(seed)
        found = selection_optimism(losses, bootstrap_counts(generator(seed, 4), losses.shape[1], 300))
        naive.append(found.naive - truth)
        corrected.append(found.corrected - truth)
        held.append(found.band.low <= truth <= found.band.high)
    low = BBC_HELD[0]
    assert low - 3 * np.sqrt(low * (1 - low) / len(held)) < np.mean(held)
    assert np.mean(naive) < -3 * standard_error(np.array(naive))
    assert abs(np.mean(corrected)) < -np.mean(naive) / 2


def test_what_other_seeds_would_choose_is_counted_seed_by_seed() -> None:
    losses, counts = generator(17, 0).exponential(size=(5, 7)), bootstrap_counts(generator(17, 1), 7, 40)
    found = search_again(losses, counts)
    wins = np.zeros(5)
    for row in counts:
        drawn = np.repeat(np.arange(7), row)
        wins[min(range(5), key=lambda config: losses[config, drawn].mean())] += 1 / 40
    best = min(range(5), key=lambda config: losses[config].mean())
    assert (found.best, found.chosen.tolist()) == (best, pytest.approx(wins.tolist()))
    for config in range(5):
        paired = losses[config] - losses[best]
        assert found.difference[config] == pytest.approx(paired.mean(), abs=1e-12)
        assert found.error[config] == pytest.approx(sem(paired), abs=1e-12)
        assert found.near[config] == (paired.mean() <= sem(paired))
    assert found.near[best]
    assert found.favourite == max(range(5), key=lambda config: (wins[config], config == best))
    for shape in ((1, 7), (5, 1)):
        with pytest.raises(ValueError, match="at least 2 configurations and 2 seeds"):
            search_again(np.zeros(shape), counts[:, : shape[1]])


def test_equals_replace_each_other_and_a_clear_winner_is_not_replaced() -> None:
    draws = generator(18, 0)
    counts = bootstrap_counts(draws, 10, 200)
    studies = [draws.normal(0.07, 0.005, size=(40, 10)) for _ in range(60)]
    assert np.mean([search_again(losses, counts).replaced for losses in studies]) > 0.8
    clear = [np.where(np.arange(40)[:, None] == 3, losses - 0.02, losses) for losses in studies]
    found = [search_again(losses, counts) for losses in clear]
    assert {one.best for one in found} == {3}
    assert not any(one.replaced for one in found)
    assert all(one.chosen[3] > 0.99 for one in found)


@pytest.mark.parametrize("task", [task_of(2), task_of(4), task_of(0)], ids=lambda task: task.name)
@pytest.mark.parametrize("grouped", [False, True])
def test_the_best_of_any_task_is_corrected_as_written_out(task: Task, grouped: bool) -> None:
    """Whatever the loss and however its cases are drawn: chosen on the drawn ones, scored on the others."""
    draws = generator(7, 0)
    y = np.arange(40) % task.classes if task.classes else draws.normal(size=40)
    shape = (9, 40, task.outputs) if task.outputs > 1 else (9, 40)
    losses = np.stack([task.case_losses(draws.normal(size=(1, *shape[1:])), y)[0] for _ in range(9)])
    groups = np.arange(40) // 4 if grouped else None
    counts = resamples(0, 1, y, 50, groups).cases
    if grouped:
        assert (counts.reshape(50, 10, 4) == counts.reshape(50, 10, 4)[:, :, :1]).all()
    scores = []
    for count in counts:
        chosen = min(range(9), key=lambda c: float(np.repeat(losses[c], count).mean()))
        scores.append(losses[chosen][count == 0].mean())
    found = selection_optimism(losses, counts)
    assert found.corrected == pytest.approx(np.mean(scores), abs=1e-12)
    assert found.naive == pytest.approx(losses.mean(axis=1).min(), abs=1e-12)
