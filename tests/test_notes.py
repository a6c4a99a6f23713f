"""What is said of a table: leaks planted and not planted, few cases, against counts by hand and SciPy."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from scipy.stats import fisher_exact

from handnet import Dataset, split
from handnet.draws import generator


def table(y: np.ndarray, /, missing: str = "", **columns: np.ndarray) -> Dataset:
    names = tuple(columns)
    X = np.column_stack([columns[name] for name in names]).astype(float)
    return Dataset("t", X, y, np.arange(len(y)), names, names, ("no", "yes"), {}, missing)


def told(data: Dataset, beginning: str, seed: int = 42) -> list[str]:
    return [note for note in split(data, seed=seed).notes if note.startswith(beginning)]


@pytest.mark.parametrize(("rows", "flipped"), [(60, 1), (1000, 10), (5000, 50)])
@pytest.mark.parametrize("share", [0.5, 0.25])
def test_a_copy_of_the_label_with_a_few_flipped_is_told(rows: int, flipped: int, share: float) -> None:
    noise = generator(rows, flipped)
    y = (np.arange(rows) < share * rows).astype(int)
    leak = y.copy()
    leak[noise.permutation(rows)[:flipped]] ^= 1
    data = table(y, noise=noise.normal(size=rows), leak=leak * 3.5 + noise.uniform(size=rows))
    train = split(data).train_rows
    wrong = int((leak != y)[train].sum())
    count = f"(all but {wrong} of {len(train)} train rows)"
    (note,) = told(data, "Nearly tells" if wrong else "Tells")
    assert f": 'leak'{f' {count}' if wrong else ''};" in note
    levels = replace(data, X=np.column_stack([data.X[:, 0], leak]), levels={"leak": ("a", "b")})
    (note,) = told(levels, "Nearly tells" if wrong else "Tells")
    assert f": 'leak'{f' {count}' if wrong else ''};" in note


def test_columns_that_are_merely_good_are_not_told(data: Dataset) -> None:
    for seed in range(10):
        assert not [note for note in split(data, seed=seed).notes if "apart" in note]
    # Five of a hundred rows wrong: a good measurement, not the label.
    y = np.arange(1000) % 2
    leak = y.copy()
    leak[generator(1, 1).permutation(1000)[:50]] ^= 1
    assert not told(table(y, leak=leak, noise=generator(2, 1).normal(size=1000)), "Nearly")


@pytest.mark.parametrize(("rows", "rare", "columns"), [(60, 10, 40), (600, 10, 40), (40, 20, 3000)])
def test_what_chance_makes_of_few_cases_or_many_columns_is_not_told(
    rows: int, rare: int, columns: int
) -> None:
    y = (np.arange(rows) < rare).astype(int)
    found = 0
    for seed in range(20):
        noise = generator(seed, rows).normal(size=(rows, columns))
        data = table(y, **{f"c{place}": noise[:, place] for place in range(columns)})
        found += any("apart" in note for note in split(data, seed=seed).notes)
    assert found <= 4  # a bound of 0.1 each: more than 4 of 20 come in 4 of 100 runs, and the bound is rough


def test_gaps_of_one_class_are_told_and_gaps_of_both_are_not() -> None:
    y, noise = np.arange(200) % 2, generator(5, 5)
    value = noise.normal(size=200)
    of_one = np.where((y == 1) & (noise.uniform(size=200) < 0.6), np.nan, value)
    nearly = of_one.copy()
    nearly[np.flatnonzero(y == 0)[:2]] = np.nan
    of_both = np.where(noise.uniform(size=200) < 0.3, np.nan, value)
    few = np.where((y == 1) & (np.arange(200) < 4), np.nan, value)
    # Where a class is rare, most gaps are of the other one without telling anything.
    rare = (np.arange(600) < 50).astype(int)
    gap = noise.uniform(size=600) < np.where(rare == 1, 0.3, 0.7)
    often = np.where(gap, np.nan, noise.normal(size=600))
    assert not told(table(rare, "median", often=often, x=noise.normal(size=600)), "Gaps that only")
    data = table(y, "median", of_one=of_one, nearly=nearly, of_both=of_both, few=few)
    train = split(data).train_rows
    gaps = np.isnan(data.X[train])
    (note,) = told(data, "Gaps that only one class has")
    assert f"'of_one' ({gaps[:, 0].sum()} of {gaps[:, 0].sum()} are 'yes')" in note
    others = int(gaps[y[train] == 0, 1].sum())
    assert f"'nearly' ({gaps[:, 1].sum() - others} of {gaps[:, 1].sum()} are 'yes')" in note
    assert "of_both" not in note
    assert "few" not in note
    for column in range(4):
        counts = [[(gaps[y[train] == label, column] == gap).sum() for gap in (0, 1)] for label in (0, 1)]
        assert (fisher_exact(counts).pvalue < 0.01) == (column < 2)


def test_few_cases_are_told_with_their_counts() -> None:
    for rows, rare in product((200, 400), (10, 25, 60)):
        y = (np.arange(rows) < rare).astype(int)
        data = table(y, x=generator(rows, rare).normal(size=rows))
        parts = split(data)
        counts = [int(y[part].sum()) for part in (parts.train_rows, parts.val_rows, parts.test_rows)]
        notes = told(data, "Few cases")
        assert len(notes) == (min(counts) < 10)
        for note in notes:
            assert "'yes' has {} in train, {} in validation, {} in test".format(*counts) in note
            assert "'no'" not in note


@pytest.mark.parametrize("name", ["id", "patient_id", "Patient ID", "PatientID", "PID", "subject.1"])
def test_a_column_that_names_patients_of_several_rows_is_told(name: str) -> None:
    rows = np.arange(400)
    columns = {name: rows // 2 * 7919 % 1009, "lipid": rows // 2, "age": rows % 60}
    data = table(rows // 4 % 2, noise=generator(1, 1).normal(size=400), **columns)
    train = split(data).train_rows
    (note,) = told(data, "May name patients")
    assert f": {name!r} ({len(np.unique(rows[train] // 2))} different in {len(train)} train rows);" in note
    assert "group=" in note
    assert not told(replace(data, groups=rows // 2), "May name patients")


def test_a_column_that_only_sounds_like_a_name_of_patients_is_not_told() -> None:
    rows = np.arange(400)
    noise = generator(1, 2).normal(size=400)
    once, few, fractions = rows * 7919 % 1009, rows % 8, np.round(noise, 1)
    for cells in (once, few, fractions):
        assert not told(table(rows // 4 % 2, noise=noise, id=cells), "May name patients")
