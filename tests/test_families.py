"""Which measurements are explained together, against a plain walk and scipy's clusters of pairs counted one
by one."""

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.cluster.hierarchy import fcluster, linkage

from handnet import Dataset
from handnet.draws import generator
from handnet.encode import GAP, fit_encoder
from handnet.families import families_of
from handnet.splits import Split


def test_radius_perimeter_and_area_are_one_size(data: Dataset, parts: Split) -> None:
    found = families_of(parts.encoder.families, parts.train.X).names
    assert found == (
        "radius, perimeter & area",
        "texture",
        "smoothness",
        "compactness",
        "concavity & concave points",
        "symmetry",
        "fractal dimension",
    )


@given(seed=st.integers(0, 10**6), k=st.integers(1, 9))
def test_families_above_a_correlation_are_one_whatever_lies_between(seed: int, k: int) -> None:
    """Against a walk from family to family over every pair of columns that correlates above .9."""
    noise = generator(seed, k)
    train = noise.normal(size=(60, 2 * k)) + 3 * noise.normal(size=(60, 3))[:, np.arange(2 * k) % 3]
    train[:, ::5] *= -1
    names = [f"f{owner}" for owner in noise.permutation(np.repeat(np.arange(k), 2))]
    near = np.abs(np.corrcoef(train, rowvar=False)) > 0.9
    near |= np.array(names)[:, None] == np.array(names)
    reached = np.eye(2 * k, dtype=bool)
    for _ in range(2 * k):
        reached = reached @ near
    found = families_of(names, train)
    for one, other in itertools.combinations(range(2 * k), 2):
        together = (found.columns[:, one] == found.columns[:, other]).all()
        assert together == reached[one, other]
    assert found.columns.sum(axis=0).tolist() == [1] * (2 * k)


@given(seed=st.integers(0, 10**6), k=st.integers(2, 16))
def test_marks_of_gaps_in_the_same_rows_join_no_families(seed: int, k: int) -> None:
    """A table whose columns have their gaps in the same rows, against the families of its numbers alone."""
    noise = generator(seed, k)
    X = noise.normal(size=(80, k))
    X[:, 1] = X[:, 0] + 0.01 * noise.normal(size=80)
    names = tuple(f"f{column}" for column in range(k))
    whole = families_of(names, X)
    X[:2] = np.nan
    data = Dataset("t", X, np.arange(80) % 2, np.arange(80), names, names, ("a", "b"), missing="median")
    encoder = fit_encoder(data, np.arange(80))
    inputs, marks = encoder(data.X), encoder.kind == GAP
    found = families_of(encoder.families, inputs, marks)
    numbers = families_of(names, inputs[:, ~marks])
    assert found.names == numbers.names
    assert "f0 & f1" in whole.names or k > 12
    assert np.array_equal(found.columns[:, ~marks], numbers.columns)
    assert np.array_equal(found.columns[:, marks], numbers.columns)  # a mark goes with its column
    assert len(families_of(encoder.families, inputs).names) == 1  # what marks would do


def test_many_families_are_joined_by_how_they_go_together() -> None:
    draws = generator(3, 0)
    base = draws.normal(size=(200, 15))
    X = np.column_stack(
        [base, base + 0.01 * draws.normal(size=base.shape)]
    )  # column c and c + 15 nearly the same
    names = [f"f{column}" for column in range(30)]
    families = families_of(names, X)
    assert len(families.names) == 12
    assert families.columns.sum(axis=0).tolist() == [1] * 30
    assert all(
        families.columns[:, column].tolist() == families.columns[:, column + 15].tolist()
        for column in range(15)
    )
    flat = np.column_stack([np.ones(200), X[:, :14]])  # a column without spread correlates with nothing
    assert families_of(names[:15], flat).columns.sum() == 15


@given(seed=st.integers(0, 10**6), k=st.integers(13, 30))
def test_joined_families_are_those_of_the_closest_columns_counted_one_by_one(seed: int, k: int) -> None:
    noise = generator(seed, k)
    train = noise.normal(size=(40, 2 * k)) + noise.normal(size=(40, 1)) * noise.uniform(size=2 * k)
    names = [f"f{owner}" for owner in noise.permutation(np.repeat(np.arange(k), 2))]
    single = list(dict.fromkeys(names))
    of = {name: [place for place, other in enumerate(names) if other == name] for name in single}
    correlation = np.abs(np.corrcoef(train, rowvar=False))
    distance = [
        1 - max(correlation[a, b] for a in of[one] for b in of[other])
        for one, other in itertools.combinations(single, 2)
    ]
    clusters = fcluster(linkage(distance, "average"), 12, "maxclust")
    found = families_of(names, train)
    assert len(set(found.names)) == len(found.names) <= 12
    for name, columns in zip(found.names, found.columns, strict=True):
        members = list(dict.fromkeys(np.array(names)[columns]))
        assert len({clusters[single.index(member)] for member in members}) == 1
        words = [*members[:5], *([f"{len(members) - 5} more"] if len(members) > 5 else [])]
        assert name == (words[0] if len(words) == 1 else f"{', '.join(words[:-1])} & {words[-1]}")
    assert found.columns.sum(axis=0).tolist() == [1] * (2 * k)


def test_joined_families_never_bear_one_name() -> None:
    base = generator(0, 0).normal(size=(40, 14))
    names = ["a", "b", "a & b", *(f"c{place}" for place in range(12))]
    train = np.column_stack([base[:, 0], base[:, 0] + 1e-3 * base[:, 1], base[:, 2:], base[:, 1]])
    found = families_of(names, train[:, : len(names)])
    assert len(set(found.names)) == len(found.names)
    assert {"a & b", "a & b (2)"} <= set(found.names)


def test_players_stay_who_they_are_over_other_columns() -> None:
    here, there = ("size", "size", "form"), ("form", "form", "newcomer", "size")
    players = families_of(here, np.eye(3)).for_columns(here, there)
    assert players.names == ("size", "form")
    assert players.columns.tolist() == [
        [False, False, False, True],
        [True, True, False, False],
    ]  # nobody's stays at the baseline
