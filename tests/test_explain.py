"""Cases over seeds, what is unusual about one, and credits of families: the axioms, plain orders, shap's
exact explainer; and the identity that checks the by-hand slopes."""

import itertools
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit
from scipy.stats import binomtest

from handnet import Dataset, Layer, Recipe, load_backend, seeded_plan, split
from handnet.draws import generator
from handnet.explain import case_table, credits_of, doubt, explain, unusual_values
from handnet.families import Families, families_of
from handnet.judge import TwoClasses
from handnet.mlp.network import backward, dense_backward_input, forward, relu_backward
from handnet.splits import Split

Layers = tuple[Layer, ...]
TWO = TwoClasses()
LOGIT = TWO.question(np.zeros(2), 1)


@pytest.fixture(scope="module")
def trained(parts: Split) -> Layers:
    recipe = Recipe(epochs=5)
    return (
        load_backend("numpy", "float64")
        .fit(parts.train, parts.val, recipe, seeded_plan(recipe, parts.train, [1, 2, 3]))
        .layers
    )


@pytest.fixture(scope="module")
def baseline(parts: Split) -> np.ndarray:
    return parts.train.X[parts.train.y == 0].mean(axis=0)


def logits(layers: Layers, X: np.ndarray) -> np.ndarray:
    return load_backend("numpy", "float64").logits(layers, X)


def test_credits_sum_to_what_there_is_to_share(
    trained: Layers, baseline: np.ndarray, parts: Split, data: Dataset
) -> None:
    families = families_of(data.families, parts.train.X)
    for x in parts.val.X[:20]:
        found = credits_of(LOGIT, lambda rows: logits(trained, rows), x, baseline, families)
        there, nowhere = logits(trained, np.stack([x, baseline])).T
        assert found.credits.sum(axis=1) == pytest.approx(there - nowhere, abs=1e-12)
        assert found.values[:, -1] == pytest.approx(there, abs=1e-12)


def test_a_family_that_does_nothing_gets_nothing(
    trained: Layers, baseline: np.ndarray, parts: Split, data: Dataset
) -> None:
    families = families_of(data.families, parts.train.X)
    deaf = trained[0].weight.copy()
    deaf[:, families.columns[3]] = 0
    layers = (trained[0]._replace(weight=deaf), *trained[1:])
    found = credits_of(LOGIT, lambda rows: logits(layers, rows), parts.val.X[0], baseline, families)
    assert np.abs(found.credits[:, 3]).max() < 1e-12
    assert np.abs(found.credits[:, 0]).min() > 1e-6


def test_two_families_that_do_the_same_get_the_same() -> None:
    families = Families(("a", "b", "c"), np.eye(3, dtype=bool))
    found = credits_of(
        LOGIT,
        lambda X: (X[:, 0] * X[:, 1] + X[:, 2] ** 2)[None],
        np.array([2.0, 3.0, 1.0]),
        np.zeros(3),
        families,
    )
    assert found.credits[0] == pytest.approx([3, 3, 1], abs=1e-12)


@given(seed=st.integers(0, 1000), k=st.integers(1, 5))
def test_credits_are_averages_over_every_order(seed: int, k: int) -> None:
    draws = generator(seed, 0)
    families = Families(tuple("abcde"[:k]), np.eye(k, dtype=bool))
    table = draws.normal(size=2**k)
    found = credits_of(
        LOGIT, lambda X: table[(X @ 2 ** np.arange(k)).astype(int)][None], np.ones(k), np.zeros(k), families
    )
    total = np.zeros(k)
    orders = list(itertools.permutations(range(k)))
    for order in orders:
        inside = 0
        for player in order:
            total[player] += table[inside + 2**player] - table[inside]
            inside += 2**player
    assert found.credits[0] == pytest.approx(total / len(orders), abs=1e-12)


def test_credits_are_those_of_shaps_exact_explainer(
    trained: Layers, baseline: np.ndarray, parts: Split, data: Dataset
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what it imports is not ours
        import shap

        families = families_of(data.families, parts.train.X)
        x = parts.val.X[7]

        def game(present: np.ndarray) -> np.ndarray:
            rows = np.where(present.astype(bool) @ families.columns, x, baseline)
            return logits(trained, rows)[1]

        k = len(families.names)
        theirs = shap.explainers.ExactExplainer(game, np.zeros((1, k)))(
            np.ones((1, k)), max_evals=2**k + 1
        ).values[0]
    ours = credits_of(LOGIT, lambda rows: logits(trained, rows), x, baseline, families).credits[1]
    assert ours == pytest.approx(theirs, abs=1e-12)


def test_without_is_where_the_case_is_put_back(
    trained: Layers, baseline: np.ndarray, parts: Split, data: Dataset
) -> None:
    families = families_of(data.families, parts.train.X)
    found = credits_of(LOGIT, lambda rows: logits(trained, rows), parts.val.X[2], baseline, families)
    which = np.isin(families.names, ["texture", "symmetry"])
    row = parts.val.X[2].copy()
    for column, family in enumerate(data.families):
        if family in ("texture", "symmetry"):
            row[column] = baseline[column]
    put_back = found.values[:, found.without(which)]
    assert put_back == pytest.approx(logits(trained, row[None])[:, 0], abs=1e-12)


def test_inputs_and_biases_share_the_logit_exactly(trained: Layers, parts: Split) -> None:
    """A network of relus is linear around each case: logit = sum x df/dx + sum b df/db (Srinivas & Fleuret
    2019). The slopes are the by-hand backward pass, with 1 at the logit: a free check of it, case by case."""
    for x in parts.val.X[:50]:
        z, trace = forward(trained, np.broadcast_to(x, (3, 1, len(x))))
        slopes = backward(trained, trace, np.ones_like(z))
        dz = np.ones((len(z), 1, 1))
        for depth in (2, 1):
            dz = relu_backward(trace.sums[depth - 1], dense_backward_input(trained[depth], dz))
        dx = dense_backward_input(trained[0], dz)
        shared = (dx[:, 0] * x).sum(axis=1) + sum(
            (one.bias * slope.bias).sum(axis=(1, 2)) for one, slope in zip(trained, slopes, strict=True)
        )
        assert shared == pytest.approx(z[:, 0], abs=1e-12)


def test_cases_are_counted_over_seeds() -> None:
    z = np.array([[2.0, -1, 1, -3], [2.0, 1, 1, -3], [2.0, 1, 1, np.nan], [0.0, -1, 1, -3]])
    table = case_table(TWO, z, np.array([1, 0, 0, 0]), np.array([10, 11, 12, 13]), ["a", "b", "c", "d"])
    assert table["case"].tolist() == [12, 10, 11, 13]
    assert table["misses"].tolist() == [3, 1, 1, 0]
    assert set(table["seeds"]) == {3}
    assert table["always"].tolist() == [True, False, False, False]
    assert table["flips"].tolist() == [False, True, True, False]
    assert table["score_median"][0] == pytest.approx(expit(1))
    assert table["self_consistency"].tolist() == pytest.approx(
        [1, 1 / 3, 1 / 3, 1]
    )  # 3 of 3 pairs agree, or 1 of 3
    interval = binomtest(int(table["misses"][1]), 3).proportion_ci(method="wilson")
    assert (table["miss_low"][1], table["miss_high"][1]) == pytest.approx((interval.low, interval.high))
    assert table["extremes"].tolist() == ["c", "a", "b", "d"]
    with pytest.raises(ValueError, match="at least 2 finite replicas"):
        case_table(TWO, z[:1], np.array([1, 0, 0, 0]), np.arange(4), ["a"] * 4)


@given(seed=st.integers(0, 10**6), replicas=st.integers(3, 7), fewer=st.integers(2, 3))
def test_the_cases_two_seeds_call_differently_do_not_grow_with_the_seeds(
    seed: int, replicas: int, fewer: int
) -> None:
    """Counted over all pairs of seeds, and the same on average over every subset of the seeds."""
    z, y = generator(seed, 0).normal(size=(replicas, 6)), np.arange(6) % 2

    def of(seeds: tuple[int, ...]) -> float:
        return doubt(case_table(TWO, z[list(seeds)], y, np.arange(6), [""] * 6)).differing

    pairs = list(itertools.combinations(range(replicas), 2))
    counted = np.mean([((z[one] > 0) != (z[other] > 0)).sum() for one, other in pairs])
    assert of(tuple(range(replicas))) == pytest.approx(counted)
    subsets = list(itertools.combinations(range(replicas), fewer))
    assert np.mean([of(seeds) for seeds in subsets]) == pytest.approx(counted)


def test_what_the_seeds_make_of_the_cases_is_counted() -> None:
    """Of 40 seeds one case is missed by all, and others by 21, 20, 2, 1 and none."""
    misses = np.array([40, 21, 20, 2, 1, 0])
    z = np.where(np.arange(40)[:, None] < misses, 1.0, -1.0)
    found = doubt(case_table(TWO, z, np.zeros(6, int), np.arange(6), [""] * 6))
    assert (found.cases, found.seeds, found.mostly, found.some) == (6, 40, 2, 2)


def test_what_is_unusual_is_said_of_measurements(data: Dataset, parts: Split) -> None:
    rows = parts.val_rows[:3]
    for row, said in zip(rows, unusual_values(data, parts, rows), strict=True):
        far = (data.X[row] - data.X[parts.train_rows].mean(axis=0)) / data.X[parts.train_rows].std(axis=0)
        order = np.argsort(-np.abs(far))[:3]
        assert said == ", ".join(f"{data.feature_names[at]} {far[at]:+.1f} sd" for at in order)


def test_a_rare_level_and_a_rare_gap_are_unusual_by_their_shares() -> None:
    n = 100
    text, y = np.zeros(n), np.arange(n) % 2
    text[:4], text[50:52] = 1, 2
    number = np.where(np.arange(n) < 50, -1.0, 1.0) + 1e-6 * np.arange(n)  # else most rows were equal
    number[[10, 90]] = np.nan
    X = np.column_stack([text, number, np.zeros(n)])
    table = Dataset(
        "t",
        X,
        y,
        np.arange(n),
        ("form", "size", "same"),
        ("form", "size", "same"),
        ("B", "M"),
        {"form": ("round", "flat", "spiked")},
        "median",
    )
    parts = split(table)
    train = X[parts.train_rows]
    holds = {level: (train[:, 0] == code).mean() for code, level in enumerate(("round", "flat", "spiked"))}
    one, two, three = unusual_values(table, parts, np.array([0, 51, 10]))
    assert one.startswith(f"form flat ({holds['flat']:.0%} of train), size -")
    assert two.startswith(f"form spiked ({holds['spiked']:.0%} of train), size +")
    assert three.startswith(f"size missing ({np.isnan(train[:, 1]).mean():.0%} of train), form round (")
    assert "same" not in three


@pytest.mark.parametrize(
    ("divisions", "check", "named"),
    [
        (np.array([[-3.1, 1.0], [-2.9, 1.1]]), -1.0, ("a",)),
        (np.array([[-3.1, 1.0], [-2.9, 1.1]]), 0.1, ()),  # of another sign in the check
        (np.array([[-3.1, 1.0], [0.5, 1.1]]), -1.0, ()),  # of either sign over the divisions
        (np.array([[-3.1, 1.0]]), -1.0, ()),  # one division is no band
    ],
)
def test_a_family_is_named_where_it_pulls_to_the_wrong_class_everywhere(
    divisions: np.ndarray, check: float, named: tuple
) -> None:
    """Three linear networks: the first family makes the call wrong, the second pulls to the right class."""
    weights = np.array([[1.0, 1.0], [1.1, 0.9], [0.9, 1.2]])
    families = Families(("a", "b"), np.eye(2, dtype=bool))
    x = np.array([-3.0, 1.0])
    networks = credits_of(LOGIT, lambda rows: 0.5 + weights @ rows.T, x, np.zeros(2), families)
    explanation = explain(LOGIT, networks, divisions, np.array([check, 1.0]))
    a, b = explanation.credits
    assert (explanation.wrong, explanation.named) == (3, named)
    assert explanation.doubted == (("a",) if check > 0 else ())
    assert (a.flipped, b.flipped, explanation.flipped) == (3, 0, 3 if named else 0)
    assert (explanation.over_trusted(a), explanation.over_trusted(b)) == (bool(named), False)
    assert explanation.turned == bool(named)
    assert explanation.start.centre("mean") == pytest.approx(0.5)
    total = a.seeds.centre("mean") + b.seeds.centre("mean")
    assert explanation.own.centre("mean") == pytest.approx(0.5 + total)
