"""How real hybrids are, and credits from rows that resemble a case: counts by hand, and plain loops."""

import itertools
from math import factorial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handnet import Dataset
from handnet.draws import generator
from handnet.families import Families, families_of
from handnet.hybrids import RIDGE, Cloud, Resembling
from handnet.splits import Split


@given(seed=st.integers(0, 10**6), n=st.integers(4, 30), features=st.integers(1, 8))
def test_distances_are_mahalanobis_with_a_ridge(seed: int, n: int, features: int) -> None:
    """Against the inverse of the covariance, with more columns than rows, and one that never varies."""
    draws = generator(seed, 0)
    train = draws.normal(size=(n, features))
    train[:, 0] = 1.0
    rows = draws.normal(size=(5, features))
    inverse = np.linalg.inv(np.cov(train.T, bias=True).reshape(features, features) + RIDGE * np.eye(features))
    away = rows - train.mean(axis=0)
    expected = [one @ inverse @ one for one in away]
    assert Cloud(train).distances(rows) == pytest.approx(expected, rel=1e-6)


def test_hybrids_outside_are_counted() -> None:
    """The middle of 0 to 18 and 30 is 10.05. 95 % of these rows lie within 10.76 of it, all within 19.95."""
    cloud = Cloud(np.array([*range(19), 30.0])[:, None])
    found = cloud.outside(np.array([[10.0], [20.7], [20.9], [-1.0], [31.0]]))
    assert (found.hybrids, found.edge, found.all) == (5, 0.6, 0.2)


def test_a_radius_and_a_perimeter_that_do_not_belong_together_are_far_out(
    data: Dataset, parts: Split
) -> None:
    """Published shares of the hybrids of ten families: case 205 .77 and .50, case 456 none."""
    train = parts.train
    families = Families(
        single := tuple(dict.fromkeys(data.families)),
        np.array([[one == name for one in data.families] for name in single]),
    )
    baseline, cloud = train.X[train.y == 0].mean(axis=0), Cloud(train.X)
    rows = {str(case): row for row, case in enumerate(data.case_ids)}
    for case, edge, beyond in (("73", 0.62, 0.02), ("205", 0.77, 0.5), ("190", 0.96, 0.65), ("456", 0, 0)):
        x = parts.scaled(data.X[[rows[case]]])[0]
        found = cloud.outside(families.rows(x, baseline)[1:-1])
        assert found.hybrids == 1022
        assert (found.edge, found.all) == pytest.approx((edge, beyond), abs=0.006)
        joined = families_of(data.families, train.X)
        assert cloud.outside(joined.rows(x, baseline)[1:-1]).edge <= found.edge


@given(seed=st.integers(0, 10**6), k=st.integers(1, 4), n=st.integers(3, 9), nearest=st.integers(1, 4))
def test_credits_from_rows_that_resemble_a_case_are_a_plain_loop(
    seed: int, k: int, n: int, nearest: int
) -> None:
    draws = generator(seed, 1)
    owner = np.concatenate([np.arange(k), draws.integers(k, size=3)])
    families = Families(tuple("abcd"[:k]), owner == np.arange(k)[:, None])
    rows, x = draws.normal(size=(n, k + 3)), draws.normal(size=k + 3)
    weights = draws.normal(size=(2, k + 3, 4))

    def logits(some: np.ndarray) -> np.ndarray:
        return np.maximum(some @ weights, 0).sum(axis=-1)

    def value(present: tuple[int, ...]) -> float:
        if not present:
            return float(logits(rows).mean())
        own = np.isin(owner, present)
        near = sorted(range(n), key=lambda row: ((x - rows[row])[own] ** 2).sum())[:nearest]
        return float(np.mean([logits(np.where(own, x, rows[row])[None]).mean() for row in near]))

    expected = np.zeros(k)
    for order in itertools.permutations(range(k)):
        for place, player in enumerate(order):
            before = order[:place]
            expected[player] += value((*before, player)) - value(before)
    found = Resembling(families, rows, nearest).credits(logits, x)
    assert found == pytest.approx(expected / factorial(k), abs=1e-9)


def test_a_case_does_not_resemble_itself() -> None:
    rows = np.array([[0.0, 0.0], [1.0, 5.0], [9.0, 9.0]])
    families = Families(("a", "b"), np.eye(2, dtype=bool))
    found = [
        Resembling(families, some, 1).credits(lambda X: X.sum(axis=1)[None], np.zeros(2))
        for some in (rows, rows[1:])
    ]
    assert found[0] == pytest.approx(found[1])


def test_equal_distances_take_the_first_rows() -> None:
    rows = np.array([[1.0, 3.0], [1.0, 5.0], [1.0, 7.0]])
    families = Families(("a", "b"), np.eye(2, dtype=bool))
    found = Resembling(families, rows, 2).credits(lambda X: (X[:, 0] * X[:, 1])[None], np.array([2.0, 9.0]))
    # v() = 5, v(a) = 2 (3 + 5) / 2 = 8, v(b) = 9 (of the two nearest in b, both have 1 in a), v(ab) = 18
    assert found == pytest.approx([(8 - 5 + 18 - 9) / 2, (9 - 5 + 18 - 8) / 2])


def test_nothing_sets_a_case_apart_from_rows_that_all_equal_it() -> None:
    families = Families(("a", "b"), np.eye(2, dtype=bool))
    found = Resembling(families, np.ones((5, 2)), 2).credits(lambda X: X.sum(axis=1)[None], np.ones(2))
    assert not found.any()
