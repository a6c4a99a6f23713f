"""What is said of a table: leaks planted and not planted, few cases, against counts by hand and SciPy."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import fisher_exact, spearmanr

from handnet import Dataset, diabetes, digits, split, wine
from handnet.draws import generator
from handnet.leaks import _log_shuffled, _wrong_by_cuts, _wrong_in_order
from handnet.notes import _heavy_tail


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


def test_whole_numbers_that_stand_in_runs_through_the_file_may_name_patients() -> None:
    rows, noise = np.arange(400), generator(1, 3).normal(size=400)
    pig = rows // 10 * 17 % 97  # 40 pigs of ten rows, in no order
    (note,) = told(table(rows // 4 % 2, noise=noise, Pig=pig), "May name patients")
    assert ": 'Pig' (40 different in 240 train rows);" in note
    in_order, twice, pairs, few = rows // 10, rows // 10 % 20 * 17 % 97, rows // 2, rows // 50
    for cells in (in_order, -in_order, twice, pairs * 7919 % 1009, few * 5 % 8, pig + 0.5):
        assert not told(table(rows // 4 % 2, noise=noise, Pig=cells), "May name patients")


def of_many(y: np.ndarray, /, missing: str = "", **columns: np.ndarray) -> Dataset:
    names = tuple(f"c{label}" for label in range(int(y.max()) + 1))
    return replace(table(y % 2, missing, **columns), y=y, class_names=names)


def of_a_number(y: np.ndarray, /, missing: str = "", **columns: np.ndarray) -> Dataset:
    return replace(table(np.arange(len(y)) % 2, missing, **columns), y=y, class_names=(), target="kg")


@given(
    pairs=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 2)), min_size=1, max_size=12),
    order=st.permutations(range(3)),
)
def test_the_best_cuts_are_those_of_all_that_can_be_made(
    pairs: list[tuple[int, int]], order: list[int]
) -> None:
    cells, y = np.array(pairs).T
    rules = [
        np.array(order)[(cells >= low).astype(int) + (cells >= high)]
        for low, high in product(range(7), repeat=2)
        if low <= high
    ]
    assert _wrong_in_order(cells, y, np.array(order)) == min((rule != y).sum() for rule in rules)


def test_the_chance_of_a_rule_bounds_the_share_of_labellings_it_nearly_fits() -> None:
    counts, noise = np.array([3, 4, 5]), generator(3, 3)
    rule = np.repeat([0, 1, 2], counts)
    wrong = np.array([(noise.permutation(rule) != rule).sum() for _ in range(20_000)])
    for few in (5, 6):
        assert (wrong <= few).mean() <= np.exp(_log_shuffled(few, counts)) * 1.1
    assert np.exp(_log_shuffled(0, counts)) == pytest.approx(1 / 27720)  # 12! / 3! 4! 5!


@pytest.mark.parametrize("flipped", [0, 3])
def test_a_column_that_tells_many_classes_apart_is_told(flipped: int) -> None:
    noise = generator(flipped, 4)
    y = noise.permutation(np.arange(600) % 4)
    rows = noise.permutation(600)[:flipped]
    seen = y.copy()
    seen[rows] = (y[rows] + 1) % 4
    leak = np.array([2, 0, 3, 1])[seen]  # in another order than the classes
    spread = leak * 3.5 + noise.uniform(size=600)
    merged = np.where(y < 2, 0, y) + noise.uniform(size=600) / 2  # two of the four are one
    data = of_many(y, merged=merged, leak=spread, noise=noise.normal(size=600))
    train = split(data).train_rows
    wrong = int((seen != y)[train].sum())
    count = f" (all but {wrong} of {len(train)} train rows)" if wrong else ""
    levels = np.column_stack([merged, leak, data.X[:, 2]])
    for told_of in (data, replace(data, X=levels, levels={"leak": tuple("abcd")})):
        (note,) = told(told_of, "Nearly tells" if wrong else "Tells")
        assert f": 'leak'{count};" in note
    assert not wrong or "by 3 cuts" in told(data, "Nearly tells")[0]
    few = _wrong_by_cuts(data.X[train], y[train], 4, 5)
    assert few == {1: wrong}


@pytest.mark.parametrize("rows", [300, 6000])
def test_a_column_in_the_order_of_a_number_is_told(rows: int) -> None:
    noise = generator(1, 5)
    y = noise.lognormal(size=rows)
    near = np.log(y) + noise.normal(size=rows) * 0.01
    far = np.log(y) + noise.normal(size=rows) * 0.1
    level = np.digitize(y, np.quantile(y, np.arange(1, 20) / 20)).astype(float)
    data = of_a_number(y, near=near, far=far, turned=-np.sqrt(y), level=level)
    train = split(data).train_rows
    size = spearmanr(near[train], y[train]).statistic
    assert size > 0.999 > spearmanr(far[train], y[train]).statistic
    (note,) = told(data, f"Orders all {len(train)} train rows as the target does")
    assert "'turned';" in note
    (note,) = told(data, "Nearly tells the target")
    assert f": 'near' (rank correlation {size:.5f});" in note
    steps = of_a_number(level, text=level, noise=noise.normal(size=rows))
    steps = replace(steps, levels={"text": tuple(map(str, range(20)))})
    (note,) = told(steps, "Orders all")
    assert ": 'text';" in note


def test_gaps_of_one_class_of_many_or_of_high_targets_are_told() -> None:
    noise = generator(2, 6)
    value, number, y = noise.normal(size=300), noise.normal(size=300), np.arange(300) % 3
    drawn = noise.uniform(size=300) < 0.5
    many = of_many(
        y, "median", one=np.where((y == 2) & drawn, np.nan, value), x=np.where(drawn, np.nan, value)
    )
    count = int((drawn & (y == 2))[split(many).train_rows].sum())
    (note,) = told(many, "Gaps that only one class has")
    assert f": 'one' ({count} of {count} are 'c2');" in note
    high = of_a_number(number, "median", one=np.where((number > 0.2) & drawn, np.nan, value), x=number**2)
    (note,) = told(high, "Gaps that only high or low targets have")
    assert "are above the median target);" in note


def test_ordinary_tables_of_many_classes_or_a_number_tell_of_no_leak() -> None:
    for data in (wine(), digits(), diabetes()):
        for seed in range(3):
            notes = split(data, seed=seed).notes
            assert not [note for note in notes if "must be left out" in note or "variance" in note]


def test_classes_with_few_cases_are_told_and_the_rest_counted() -> None:
    y = np.sort(np.arange(300) % 8)
    (note,) = told(of_many(y, x=generator(1, 7).normal(size=300)), "Few cases")
    assert note.count(" has ") == 5
    assert "'c7' has " in note
    assert "; and 3 more classes. Bands" in note


def test_a_row_that_makes_most_of_the_variance_is_told() -> None:
    noise = generator(1, 8)
    y = noise.normal(size=400)
    assert not told(of_a_number(y, x=noise.normal(size=400)), "One train row")
    row = split(of_a_number(y, x=y)).train_rows[7]
    y[row] = 40
    train = split(of_a_number(y, x=y)).train_rows
    share = (40 - y[train].mean()) ** 2 / ((y[train] - y[train].mean()) ** 2).sum()
    (note,) = told(of_a_number(y, x=noise.normal(size=400)), "One train row")
    assert f"case {row} with 40, makes {100 * share:.0f} % of the variance" in note


def test_a_normal_target_seldom_has_a_row_that_makes_much_of_the_variance() -> None:
    for rows in (60, 100, 1000):
        y = generator(rows, 9).normal(size=(200, rows))
        every = np.arange(rows)
        found = [bool(_heavy_tail(of_a_number(one, x=every), every)) for one in y]
        assert np.mean(found) < 0.03


def test_equal_rows_with_other_targets_are_counted() -> None:
    x, y = np.arange(300) // 2, np.arange(300) % 3
    x[100:200] = np.arange(1000, 1100)
    torn = "Rows with equal measurements and different {}: 200, in 100 sets; no method"
    (note,) = [note for note in split(of_many(y, x=x)).notes if "repeat" in note]
    assert torn.format("labels") in note
    (note,) = [note for note in split(of_a_number(y * 0.5, x=x)).notes if "repeat" in note]
    assert torn.format("targets") in note
