"""Components of variance, against statsmodels."""

from itertools import combinations, product

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from samples import standard_error
from scipy import stats
from statsmodels.stats.anova import anova_lm

from handnet.bands.variance import (
    Component,
    Square,
    asked_deviation,
    deviation_interval,
    summed_deviation,
    variance_table,
)
from handnet.draws import generator

SOURCE = frozenset({"a"})


def crossed(levels: dict[str, int]) -> dict[str, np.ndarray]:
    """The columns of a fully crossed design, in an order that helps nobody."""
    places = generator(11, 0).permutation(list(product(*(range(count) for count in levels.values()))))
    return dict(zip(levels, places.T, strict=True))


def planted(levels: dict[str, int], deviations: dict[str, float], seed: int) -> np.ndarray:
    """Scores whose sources, factors joined by " x ", have these deviations."""
    draws, factors = generator(seed, 0), crossed(levels)
    total = 0.9 * np.ones(len(next(iter(factors.values()))))
    for source, deviation in deviations.items():
        names = source.split(" x ")
        effect = draws.normal(0, deviation, [levels[name] for name in names])
        total = total + effect[tuple(factors[name] for name in names)]
    return total


@pytest.mark.parametrize(
    ("levels", "deviations"),
    [
        ({"split": 12, "seed": 10}, {"split": 1.0, "seed": 0.8, "split x seed": 1.0}),
        (
            {"init": 8, "order": 7, "dropout": 6},
            {
                "init": 1.5,
                "order": 1.2,
                "dropout": 1.3,
                "init x order": 0.7,
                "init x dropout": 0.6,
                "order x dropout": 0.8,
                "init x order x dropout": 0.6,
            },
        ),
    ],
)
def test_planted_variances_are_found_again(levels: dict[str, int], deviations: dict[str, float]) -> None:
    tables = [variance_table(planted(levels, deviations, seed), crossed(levels)) for seed in range(300)]
    assert all(
        {row.source for row in found} == set(deviations) and len(found) == len(deviations) for found in tables
    )
    for place, row in enumerate(tables[0]):
        found = np.array([one[place].deviation ** 2 for one in tables])
        assert (
            np.mean([one[place].negative for one in tables]) < 0.01
        )  # cut off at 0, they would have moved the mean
        assert abs(found.mean() - deviations[row.source] ** 2) < 3 * standard_error(found), row.source


@pytest.mark.parametrize("levels", [{"split": 7, "seed": 4}, {"init": 4, "order": 3, "dropout": 5}])
def test_mean_squares_are_those_of_statsmodels(levels: dict[str, int]) -> None:
    factors = crossed(levels)
    values = generator(12, 0).normal(size=len(factors[next(iter(levels))])) + factors[next(iter(levels))]
    found = {row.source: row for row in variance_table(values, factors)}
    effects = [one for size in range(1, len(levels)) for one in combinations(levels, size)]
    formula = "y ~ " + " + ".join(":".join(f"C({name})" for name in one) for one in effects)
    frame = {"y": values, **factors}
    theirs = anova_lm(smf.ols(formula, pd.DataFrame(frame)).fit(), typ=2)
    names = {":".join(f"C({name})" for name in one): " x ".join(one) for one in effects}
    for name, source in {**names, "Residual": " x ".join(levels)}.items():
        assert found[source].degrees == theirs.df[name]
        assert found[source].mean_square == pytest.approx(theirs.sum_sq[name] / theirs.df[name], abs=1e-9)


def test_components_of_three_factors_are_the_textbooks() -> None:
    """Searle, Casella & McCulloch: (MS_a - MS_ab - MS_ac + MS_abc) / (levels of b and c), (MS_ab - MS_abc) /
    (of c)."""
    levels = {"init": 5, "order": 4, "dropout": 3}
    sources = [" x ".join(one) for size in (1, 2, 3) for one in combinations(levels, size)]
    values = planted(levels, dict.fromkeys(sources, 1.0), 2)
    found = {frozenset(row.source.split(" x ")): row for row in variance_table(values, crossed(levels))}
    assert 0 < sum(row.negative for row in found.values()) < len(found)
    for source, row in found.items():
        others = [set(more) for size in range(4) for more in combinations(set(levels) - source, size)]
        signed = sum((-1) ** len(more) * found[source | more].mean_square for more in others)
        repeats = np.prod([count for name, count in levels.items() if name not in source])
        assert row.deviation**2 == pytest.approx(max(signed, 0) / repeats, abs=1e-12)
        assert row.negative == (signed < 0)


def test_shares_of_variance_add_up_and_what_is_below_nothing_says_so() -> None:
    factors = crossed({"split": 6, "seed": 6})
    values = np.where(
        factors["split"] == factors["seed"], 1.0, 0.0
    )  # all of it interaction: every row and column alike
    found: dict[str, Component] = {row.source: row for row in variance_table(values, factors)}
    assert list(found)[-1] == "split x seed"
    assert (found["split"].deviation, found["split"].negative, found["split"].share) == (0, True, 0)
    assert found["split x seed"].share == 1
    two = variance_table(
        planted({"split": 6, "seed": 6}, {"split": 1, "seed": 1, "split x seed": 1}, 1), factors
    )
    assert sum(row.share for row in two) == pytest.approx(1)
    for row in two:
        assert row.share == pytest.approx(row.deviation**2 / sum(one.deviation**2 for one in two))


def test_a_design_that_is_not_crossed_is_refused() -> None:
    split, seed = np.repeat(np.arange(4), 3), np.tile(np.arange(3), 4)
    values = generator(13, 0).normal(size=12)
    nested, twice = 3 * split + seed, np.concatenate([[1], seed[1:]])
    for y, other in ((values, nested), (values, twice), (values, np.zeros(12))):
        with pytest.raises(
            ValueError, match=r"every combination of split and seed must occur exactly once, .*\.$"
        ):
            variance_table(y, {"split": split, "seed": other})
    with pytest.raises(ValueError, match="exactly once"):
        variance_table(values[1:], {"split": split[1:], "seed": seed[1:]})
    with pytest.raises(ValueError, match="exactly once"):
        variance_table(np.tile(values, 2), {"split": np.tile(split, 2), "seed": np.tile(seed, 2)})
    with pytest.raises(ValueError, match="finite scores"):
        variance_table(np.where(split == 0, np.nan, values), {"split": split, "seed": seed})


def test_the_interval_of_a_single_mean_square_is_that_of_chi_square() -> None:
    for degrees in (1, 9, 252):
        found = deviation_interval({SOURCE: Square(2.5, degrees)}, {SOURCE: 0.4})
        ends = [np.sqrt(0.4 * 2.5 * degrees / stats.chi2.ppf(tail, degrees)) for tail in (0.975, 0.025)]
        assert found == pytest.approx((1.0, *ends), rel=1e-12)


def test_a_component_leaves_0_exactly_where_the_f_test_says_so() -> None:
    error = frozenset({"a", "b"})
    for seed in range(40):
        upper, lower = (int(n) for n in generator(seed, 0).integers(2, 40, 2))
        edge = stats.f.ppf(0.975, upper, lower)
        for near, above in ((0.999, False), (1.001, True)):
            squares = {SOURCE: Square(near * edge, upper), error: Square(1.0, lower)}
            found = deviation_interval(squares, {SOURCE: 0.1, error: -0.1})
            assert (found.low > 0) == above


def test_intervals_of_deviations_hold_the_planted_ones() -> None:
    """At the sizes of a study: 29 divisions and 10 seeds, a strong effect, a weak one, and their sum."""
    levels, deviations = {"split": 29, "seed": 10}, {"split": 1.0, "seed": 0.3, "split x seed": 0.7}
    factors, held = crossed(levels), {"split": 0, "seed": 0, "split x seed": 0, "sum": 0}
    for study in range(400):
        values = planted(levels, deviations, study)
        for row in variance_table(values, factors):
            held[row.source] += row.low <= deviations[row.source] <= row.high
        both = summed_deviation(values, factors, ["seed", "split x seed"])
        held["sum"] += both.low <= np.hypot(0.3, 0.7) <= both.high
    for source, count in held.items():
        assert 0.95 - 3 * np.sqrt(0.95 * 0.05 / 400) < count / 400 < 0.99, source


def test_sources_add_up_as_variances() -> None:
    levels, factors = {"a": 5, "b": 4, "c": 3}, crossed({"a": 5, "b": 4, "c": 3})
    values = planted(levels, {"a": 1.0, "b": 2.0, "a x b": 0.3, "a x b x c": 0.2}, 3)
    table = {row.source: row for row in variance_table(values, factors)}
    for source, row in table.items():
        found = summed_deviation(values, factors, [source])
        assert tuple(found) == pytest.approx((row.deviation, row.low, row.high), abs=1e-12)
    both = summed_deviation(values, factors, ["a", "b"]).deviation
    assert both == pytest.approx(np.hypot(table["a"].deviation, table["b"].deviation), abs=1e-12)


def test_asking_other_cases_moves_the_mean_as_simulated() -> None:
    draws = generator(12, 0)
    y = np.repeat([0, 1], [70, 30])
    shares = np.where(y == 1, draws.beta(0.3, 1, 100), draws.beta(0.1, 3, 100))

    def asked() -> np.ndarray:
        parts = [draws.permutation(np.flatnonzero(y == one))[:size] for one, size in ((0, 14), (1, 6))]
        return np.concatenate(parts)

    means, tests = [shares[asked()].mean() for _ in range(10_000)], [asked() for _ in range(2000)]
    found = asked_deviation([shares[rows] for rows in tests], [y[rows] for rows in tests], 1 - 20 / 100)
    assert found == pytest.approx(np.std(means), rel=0.03)
    with pytest.raises(ValueError, match="at least 2 cases"):
        asked_deviation([shares[[0, 1, 99]]], [y[[0, 1, 99]]], 0.5)
