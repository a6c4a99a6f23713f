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
from handnet.draws import generator
from handnet.splits import Split, _set_aside


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
        f"must be in 3 groups at least, but 'benign' has {groups} and 'malignant' {groups}; use more groups"
    )
    with pytest.raises(ValueError, match=sentence):
        split(grouped)
    # Thirty groups, but the positive cases are in two of them.
    lopsided = replace(data, groups=np.where(data.y == 1, np.arange(569) % 2, np.arange(569) % 30))
    with pytest.raises(ValueError, match="'benign' has 30 and 'malignant' 2"):
        split(lopsided)


def test_equal_rows_too_many_to_divide_are_said_to_stay_together() -> None:
    y = np.arange(60) % 2
    few = Dataset("x", np.arange(60)[:, None] % 4 + 0.0, y, np.arange(60), ("x",), ("x",), ("a", "b"))
    with pytest.raises(ValueError, match=r"equal rows stay together, .* 3 different rows at least"):
        split(few)
    lopsided = replace(few, X=np.where(np.arange(60) < 50, 0.0, np.arange(60))[:, None])
    with pytest.raises(ValueError, match=r"\(equal rows stay together\); use more cases that differ"):
        split(lopsided)


@given(
    sizes=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)).filter(any), min_size=3, max_size=60),
    share=st.floats(0.05, 0.6),
    seed=st.integers(0, 9),
    stratify=st.booleans(),
)
def test_whole_groups_make_a_part_of_the_wanted_size(
    sizes: list[tuple[int, int]], share: float, seed: int, stratify: bool
) -> None:
    units = np.repeat(np.arange(len(sizes)), [sum(one) for one in sizes])
    labels = np.concatenate([[0] * zeros + [1] * ones for zeros, ones in sizes])
    aside = _set_aside(units, labels if stratify else None, share, seed)
    assert all(len(set(aside[units == unit])) == 1 for unit in set(units))
    assert abs(aside.sum() - share * len(units)) <= max(map(sum, sizes)) / 2 + 1e-9
    assert np.array_equal(aside, _set_aside(units, labels if stratify else None, share, seed))


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
            whole = np.concatenate([np.unique(alike[part]) for part in rows])
            assert len(whole) == len(set(whole)) < len(data.y)
            for part in rows:
                assert abs(data.y[part].mean() - data.y.mean()) < 0.07
        assert not np.array_equal(split(data, seed=0).test_rows, split(data, seed=1).test_rows)
    pigs = other.frame["Pig"].to_numpy()
    assert not set(pigs[parts.test_rows]) & set(pigs[parts.train_rows])


def test_repeats_and_torn_repeats_are_counted(tmp_path: Path) -> None:
    other = titanic()
    data = read(other, written(other.frame, tmp_path / "titanic.csv"))
    plain = other.frame.drop(columns="survived")
    labels = other.frame.groupby(list(plain), dropna=False).survived
    torn = labels.transform("nunique") > 1
    note = next(note for note in split(data).notes if "repeat" in note)
    assert note.startswith(f"{plain.duplicated().sum()} of 1309 rows repeat")
    assert f"both labels: {torn.sum()}, in {(labels.nunique() > 1).sum()} sets" in note
