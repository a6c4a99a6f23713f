"""Division into train, validation and test: scikit-learn's, scaled by train rows, the test sealed."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from others import dietox, read, titanic, written
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from handnet import Dataset, split
from handnet.blocks import set_aside
from handnet.draws import generator
from handnet.splits import Split


def test_the_default_split_is_scikit_learns(data: Dataset, parts: Split) -> None:
    rows = np.arange(569)
    rest, test_rows = train_test_split(rows, test_size=0.2, random_state=42, stratify=data.y)
    train_rows, val_rows = train_test_split(rest, test_size=0.25, random_state=42, stratify=data.y[rest])
    assert (len(train_rows), len(val_rows), len(test_rows)) == (341, 114, 114)
    assert np.array_equal(parts.train_rows, train_rows)
    assert np.array_equal(parts.val_rows, val_rows)
    assert np.array_equal(parts.test_rows, test_rows)
    assert data.y[203] == 1
    assert parts.part_of(203) == "train"
    scaler = StandardScaler().fit(data.X[train_rows])
    assert np.array_equal(parts.val.X, scaler.transform(data.X[val_rows]))
    assert np.array_equal(parts.test.open(lambda digest: digest).X, scaler.transform(data.X[test_rows]))
    assert np.array_equal(parts.test.case_ids, data.case_ids[test_rows])


@pytest.mark.parametrize("order", ["test-first", "rest-first"])
@pytest.mark.parametrize("stratify", [True, False])
def test_the_four_protocols_the_chapter_allows(data: Dataset, order: str, stratify: bool) -> None:
    parts = split(data, order=order, stratify=stratify)
    sizes = [len(rows) for rows in (parts.train_rows, parts.val_rows, parts.test_rows)]
    assert sizes == [341, 114, 114]
    assert np.array_equal(
        np.sort(np.concatenate([parts.train_rows, parts.val_rows, parts.test_rows])), np.arange(569)
    )
    share = [data.y[rows].mean() for rows in (parts.train_rows, parts.val_rows, parts.test_rows)]
    assert (np.ptp(share) < 0.01) == stratify
    assert parts.digest == split(data, order=order, stratify=stratify).digest
    assert parts.digest != split(data, order=order, stratify=stratify, seed=43).digest


def test_the_scaler_sees_train_rows_and_nothing_else(data: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    fit = StandardScaler.fit
    monkeypatch.setattr(
        StandardScaler, "fit", lambda self, X, *rest: (seen.append(X.copy()), fit(self, X, *rest))[1]
    )
    parts = split(data)
    assert len(seen) == 1
    assert np.array_equal(seen[0], data.X[parts.train_rows])


@pytest.mark.parametrize("what", ["noise", "permuted"])
def test_sealed_rows_change_nothing_outside_the_seal(data: Dataset, parts: Split, what: str) -> None:
    X = data.X.copy()
    noise = generator(9, 0)
    if what == "noise":
        X[parts.test_rows] = noise.normal(1e3, 1e5, (114, 30))
    else:
        X[parts.test_rows] = X[noise.permutation(parts.test_rows)]
    other = split(replace(data, X=X))
    assert np.array_equal(other.train.X, parts.train.X)
    assert np.array_equal(other.val.X, parts.val.X)
    assert other.digest == parts.digest
    assert other.test.digest != parts.test.digest


def test_the_seal_opens_only_after_the_record(parts: Split) -> None:
    asked = []
    with pytest.raises(PermissionError, match="stays sealed"):
        parts.test.open(asked.append)
    assert asked == [parts.test.digest]
    with pytest.raises(OSError, match="disk full"):
        parts.test.open(lambda _: (_ for _ in ()).throw(OSError("disk full")))
    assert parts.test.open(lambda digest: digest).y.shape == (114,)


def test_bad_splits_are_refused(data: Dataset) -> None:
    for arguments in ({"order": "sideways"}, {"test": 0}, {"val": 1}, {"test": 0.5, "order": "rest-first"}):
        with pytest.raises(ValueError, match="must be"):
            split(data, **arguments)
    lopsided = replace(data, y=(np.arange(569) == 3).astype(int))
    with pytest.raises(ValueError, match="needs 2 cases of each class"):
        split(lopsided, stratify=False)
    with pytest.raises(ValueError, match="train part must be the largest"):
        split(data, test=0.7)
    few = replace(data, y=(np.arange(569) < 7).astype(int))
    needed = r"with these shares the table needs about 10 of each for that, but has 56\d of 'benign' and"
    with pytest.raises(ValueError, match=rf"{needed} 7 of 'malignant' \(the .* part: .* 1 of 'malignant'\);"):
        split(few, seed=0)
    fewer = replace(data, y=(np.arange(569) < 5).astype(int))
    with pytest.raises(ValueError, match=rf"{needed} 5 of 'malignant'; use more cases, larger shares"):
        split(fewer)
    with pytest.raises(ValueError, match="needs about 20 of each"):  # a tenth of the rows for the test
        split(fewer, test=0.1)


@pytest.mark.parametrize("groups", [1, 2, 4, 30])
def test_too_few_groups_are_refused_with_the_number_that_is_needed(data: Dataset, groups: int) -> None:
    grouped = replace(data, groups=np.arange(569) % groups)
    if groups > 2:
        assert len(split(grouped).train_rows) > 150
        return
    sentence = (
        f"be in 3 groups at least, but 'benign' has {groups} and 'malignant' has {groups}; use more groups"
    )
    with pytest.raises(ValueError, match=sentence):
        split(grouped)
    # Thirty groups, but the positive cases are in two of them.
    lopsided = replace(data, groups=np.where(data.y == 1, np.arange(569) % 2, np.arange(569) % 30))
    with pytest.raises(ValueError, match="'benign' has 30 and 'malignant' has 2"):
        split(lopsided)


def test_equal_rows_too_many_to_divide_are_said_to_stay_together() -> None:
    y = np.arange(60) % 2
    few = Dataset("x", np.arange(60)[:, None] % 4 + 0.0, y, np.arange(60), ("x",), ("x",), ("a", "b"))
    with pytest.raises(ValueError, match=r"equal rows stay together, .* 3 different rows at least"):
        split(few)
    lopsided = replace(few, X=np.where(np.arange(60) < 50, 0.0, np.arange(60))[:, None])
    with pytest.raises(ValueError, match=r"\(equal rows stay together\); use more cases that differ"):
        split(lopsided)


def three(rows: int = 300, **changes: object) -> Dataset:
    """A table of three classes, of which the last is rare."""
    noise = generator(rows, 7)
    y = noise.permutation(np.repeat([0, 1, 2], [rows // 2, rows - rows // 2 - rows // 10, rows // 10]))
    names, ids = ("a", "b"), np.arange(rows)
    return replace(
        Dataset("t", noise.normal(size=(rows, 2)), y, ids, names, names, ("x", "y", "z")), **changes
    )


def a_number(rows: int = 300, **changes: object) -> Dataset:
    y = generator(rows, 8).normal(size=rows) * 40
    return replace(three(rows), **{"class_names": (), "y": y, **changes})


def test_many_classes_and_a_number_are_divided_as_scikit_learn_divides_them() -> None:
    rows = np.arange(300)
    for data in (three(), a_number()):
        parts = split(data, seed=3)
        by = data.y if data.class_names else None
        rest, test_rows = train_test_split(rows, test_size=0.2, random_state=3, stratify=by)
        by = data.y[rest] if data.class_names else None
        train_rows, val_rows = train_test_split(rest, test_size=0.25, random_state=3, stratify=by)
        assert np.array_equal(parts.test_rows, test_rows)
        assert np.array_equal(parts.val_rows, val_rows)
        assert np.array_equal(parts.train_rows, train_rows)
        table = parts.test.open(lambda digest: digest)
        assert np.array_equal(table.y, data.y[test_rows])  # of a number in its own unit
        assert table.y.dtype == data.y.dtype
    assert split(a_number(), stratify=False).digest == split(a_number()).digest


def test_groups_of_many_classes_and_of_a_number_stay_whole() -> None:
    for data in (three(groups=np.arange(300) // 5), a_number(groups=np.arange(300) // 5)):
        parts = split(data)
        where = [set((part // 5).tolist()) for part in (parts.train_rows, parts.val_rows, parts.test_rows)]
        assert len(set.union(*where)) == sum(map(len, where)) == 60
        assert [len(parts.train_rows), len(parts.val_rows), len(parts.test_rows)] == [180, 60, 60]
        if data.class_names:
            whole = np.bincount(data.y) / 300
            assert np.abs(np.bincount(data.y[parts.test_rows], minlength=3) / 60 - whole).max() < 0.05


def test_too_few_rows_of_many_classes_or_of_a_number_are_refused() -> None:
    names = tuple(f"c{label}" for label in range(50))
    short = replace(three(), class_names=names, y=np.arange(300) % 50)
    with pytest.raises(
        ValueError, match=r"needs about 40 of each for that, but has 6 of 'c0', .* and 45 more"
    ):
        split(short, test=0.05)
    with pytest.raises(ValueError, match=r"has 6 of 'c0', .* \(the .* part: 1 of 'c0', .*\); use more cases"):
        split(short)
    enough = replace(three(500), class_names=names, y=np.arange(500) % 50)
    assert len(split(enough).train_rows) == 300
    rare = replace(three(), y=np.where(np.arange(300) < 5, 2, np.arange(300) % 2))
    with pytest.raises(ValueError, match="for that, but has 5 of 'z'; use more cases"):
        split(rare)
    grouped = three(groups=np.where(three().y == 2, 0, np.arange(300)))
    with pytest.raises(ValueError, match="in 3 groups at least, but 'z' has 1; use more groups"):
        split(grouped)
    with pytest.raises(ValueError, match="the validation part needs 10 rows at least, but has 8 of 40;"):
        split(a_number(40))
    with pytest.raises(
        ValueError,
        match=r"the validation part needs 10 rows .* \(rows of one group stay together\); use more",
    ):
        split(a_number(40, groups=np.arange(40) // 8))
    tiny = Dataset("t", np.eye(2), np.arange(2.0), np.arange(2), ("a", "b"), ("a", "b"), ())
    with pytest.raises(ValueError, match="each of the three parts needs 10 rows, but the table has 2"):
        split(tiny)


def test_a_target_that_stays_or_flies_away_is_refused() -> None:
    rows = split(a_number()).train_rows
    y = np.full(300, 2.5)
    y[np.setdiff1d(np.arange(300), rows)] = 3
    with pytest.raises(ValueError, match=f"the target 'kg' is 2.5 in all {len(rows)} train rows"):
        split(a_number(y=y, target="kg"))
    far = a_number().y.copy()
    far[split(a_number()).val_rows[0]] = 1e20
    with pytest.raises(ValueError, match=r"standard deviations .* in the target 'kg'; look at that value"):
        split(a_number(y=far, target="kg"))


@given(
    sizes=st.lists(st.lists(st.integers(0, 9), min_size=4, max_size=4).filter(any), min_size=3, max_size=60),
    share=st.floats(0.05, 0.6),
    seed=st.integers(0, 9),
    stratify=st.booleans(),
)
def test_whole_groups_make_a_part_of_the_wanted_size(
    sizes: list[list[int]], share: float, seed: int, stratify: bool
) -> None:
    units = np.repeat(np.arange(len(sizes)), [sum(one) for one in sizes])
    labels = np.concatenate([np.repeat(range(4), one) for one in sizes])
    aside = set_aside(units, labels if stratify else None, share, seed)
    assert all(len(set(aside[units == unit])) == 1 for unit in set(units))
    assert abs(aside.sum() - share * len(units)) <= max(map(sum, sizes)) / 2 + 1e-9
    assert np.array_equal(aside, set_aside(units, labels if stratify else None, share, seed))


def test_parts_of_groups_hold_both_classes_in_their_shares(tmp_path: Path) -> None:
    for other in (titanic(), dietox()):
        data = read(other, written(other.frame, tmp_path / "x.csv"))
        for seed in range(5):
            parts = split(data, seed=seed)
            rows = (parts.train_rows, parts.val_rows, parts.test_rows)
            assert sorted(np.concatenate(rows).tolist()) == list(range(len(data.y)))
            largest = np.bincount(data.blocks).max()
            assert abs(len(parts.test_rows) - 0.2 * len(data.y)) <= largest
            alike = (
                pd.DataFrame(data.X).groupby(list(range(data.X.shape[1])), dropna=False).ngroup().to_numpy()
            )
            # Pigs share their weeks and doses, so their groups alone stay whole.
            units = alike if data.groups is None else other.frame["Pig"].to_numpy()
            whole = np.concatenate([np.unique(units[part]) for part in rows])
            assert len(whole) == len(set(whole)) < len(data.y)
            for part in rows:
                assert abs(data.y[part].mean() - data.y.mean()) < 0.07
        assert not np.array_equal(split(data, seed=0).test_rows, split(data, seed=1).test_rows)


def test_equal_rows_of_different_groups_weld_no_groups() -> None:
    """A design of ten settings in each of 30 groups: whole groups are parts of the wanted size."""
    rows = np.arange(300)
    X = np.column_stack([rows % 10, rows % 10 // 5]).astype(float)
    parts = split(a_number(X=X, groups=rows // 10))
    assert [len(part) for part in (parts.train_rows, parts.val_rows, parts.test_rows)] == [180, 60, 60]
    assert len(set((parts.test_rows // 10).tolist())) == 6
    (note,) = (note for note in parts.notes if "repeat" in note)
    assert note.startswith(
        "230 of 240 train and validation rows repeat the measurements of an earlier one; 240 rows equal"
    )
    X[:, 1] = rows  # row 13 is row 3 again, and so is row 14 of its group; 25 is 24 again, of one group
    X[[13, 14]], X[25] = X[3], X[24]
    (note,) = (note for note in split(a_number(X=X, groups=rows // 10)).notes if "repeat" in note)
    assert note.startswith("3 of 240 train and validation rows repeat the measurements of an earlier one; 3")
    X[[13, 14]] = [[0, 1000], [0, 1001]]
    (note,) = (note for note in split(a_number(X=X, groups=rows // 10)).notes if "repeat" in note)
    assert note.startswith(
        "1 of 240 train and validation rows repeats the measurements of an earlier one; equal"
    )


def test_repeats_and_torn_repeats_are_counted(tmp_path: Path) -> None:
    other = titanic()
    data = read(other, written(other.frame, tmp_path / "titanic.csv"))
    plain = other.frame.drop(columns="survived")
    labels = other.frame.groupby(list(plain), dropna=False).survived
    torn = labels.transform("nunique") > 1
    note = next(note for note in split(data).notes if "repeat" in note)
    assert note.startswith(f"{plain.duplicated().sum()} of 1309 rows repeat")
    assert f"both labels: {torn.sum()}, in {(labels.nunique() > 1).sum()} sets" in note
