"""Data, split, recipe, grades, bands and cases, against scikit-learn, SciPy and statsmodels."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit
from scipy.stats import binomtest
from sklearn import metrics
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from statsmodels.stats.proportion import proportion_confint

from handnet import Band, Dataset, Fit, Recipe, Table, split
from handnet.bands import seed_bands, wilson
from handnet.draws import generator
from handnet.explain import case_table, unusual
from handnet.scores import gap, grade
from handnet.splits import Split

# Data


def test_wisconsin_is_scikit_learns_table_with_malignant_as_1(data: Dataset) -> None:
    raw = load_breast_cancer()
    assert np.array_equal(data.X, raw.data)
    assert [data.class_names[label] for label in data.y] == [
        str(raw.target_names[label]) for label in raw.target
    ]
    assert data.class_names == ("benign", "malignant")
    assert data.y.sum() == 212
    assert data.case_ids.tolist() == list(range(569))
    assert len(set(data.families)) == 10
    assert {data.families.count(family) for family in data.families} == {3}
    assert {n for n, f in zip(data.feature_names, data.families, strict=True) if f == "concave points"} == {
        "mean concave points",
        "concave points error",
        "worst concave points",
    }


def test_the_digest_sees_every_part(data: Dataset) -> None:
    X, y, ids = data.X.copy(), data.y.copy(), data.case_ids.copy()
    X[3, 4] = np.nextafter(X[3, 4], 1)
    y[0], ids[0] = 1 - y[0], 1000
    others = [
        replace(data, X=X),
        replace(data, y=y),
        replace(data, case_ids=ids),
        replace(data, feature_names=("x", *data.feature_names[1:])),
        replace(data, class_names=("a", "b")),
    ]
    assert len({data.digest, *(other.digest for other in others)}) == 6
    assert replace(data, X=np.asfortranarray(data.X)).digest == data.digest


def test_a_dataset_that_does_not_fit_is_refused(data: Dataset) -> None:
    hole = data.X.copy()
    hole[5, 1] = np.nan
    for change, sentence in [
        ({"X": hole}, "case 5 has nan in column 'mean texture'"),
        ({"X": data.X[0]}, "must be a table"),
        ({"y": data.y[:-1]}, "one entry for each of 569 rows"),
        ({"y": np.zeros(569)}, "both classes"),
        ({"case_ids": np.zeros(569)}, "unique"),
        ({"feature_names": ("one",)}, "one entry for each of 30 columns"),
    ]:
        with pytest.raises(ValueError, match=sentence):
            replace(data, **change)
    with pytest.raises(ValueError, match="read-only"):
        data.X[0, 0] = 1


# Split


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


# Recipe


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("learning_rate", 0),
        ("learning_rate", -1),
        ("learning_rate", float("nan")),
        ("learning_rate", float("inf")),
        ("learning_rate", "fast"),
        ("learning_rate", True),
        ("dropout", 1),
        ("dropout", -0.1),
        ("dropout", None),
        ("epochs", 0),
        ("epochs", 1.5),
        ("epochs", True),
        ("batch_size", 0),
        ("hidden", ()),
        ("hidden", 16),
        ("hidden", (16, 0)),
        ("optimizer", "rmsprop"),
        ("patience", 0),
        ("patience", 2.5),
    ],
)
def test_a_bad_recipe_is_one_sentence(field: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"^{field} must .*, but got .*\\.$"):
        Recipe(**{field: value})


def test_a_recipe_is_frozen_and_comparable() -> None:
    assert Recipe(hidden=[16, 8]) == Recipe() == Recipe(learning_rate=np.float64(1e-3), epochs=np.int64(50))
    assert hash(Recipe()) == hash(Recipe(hidden=[16, 8]))
    with pytest.raises(AttributeError):
        Recipe().epochs = 3


# Grade


@given(seed=st.integers(0, 10_000), n=st.integers(4, 60), coarse=st.booleans())
def test_grades_are_scikit_learns(seed: int, n: int, coarse: bool) -> None:
    draws = generator(seed, 0)
    y = np.concatenate([[0, 1], draws.integers(0, 2, n - 2)])
    z = draws.normal(0, 3, (3, n))
    if coarse:
        z = np.round(z)  # ties, and zeros on the fence
    scores = grade(z, y)
    for r in range(3):
        p, called = expit(z[r]), (z[r] > 0).astype(int)
        assert scores.log_loss[r] == pytest.approx(metrics.log_loss(y, p), rel=1e-9)
        assert scores.accuracy[r] == metrics.accuracy_score(y, called)
        assert scores.sensitivity[r] == metrics.recall_score(y, called)
        assert scores.specificity[r] == metrics.recall_score(y, called, pos_label=0)
        assert scores.auc[r] == pytest.approx(metrics.roc_auc_score(y, z[r]), abs=1e-12)
        assert scores.brier[r] == pytest.approx(metrics.brier_score_loss(y, p), abs=1e-12)


def test_a_diverged_replica_scores_nan_and_no_other_does() -> None:
    z = np.array([[1.0, -1.0], [np.nan, 0.0], [np.inf, 0.0]])
    for score in grade(z, np.array([1, 0])):
        assert np.isnan(score).tolist() == [False, True, True]


def test_grades_refuse_one_class_and_wrong_shapes() -> None:
    with pytest.raises(ValueError, match="both classes"):
        grade(np.zeros((2, 3)), np.ones(3))
    with pytest.raises(ValueError, match="shape"):
        grade(np.zeros(3), np.array([0, 1, 1]))


def test_the_gap_is_taken_at_the_returned_epoch() -> None:
    losses = [np.arange(6.0).reshape(2, 3) * factor for factor in (1, 10, 100)]
    fit = Fit((), *losses, np.array([-1, 0]), np.array([-1, -1]))
    assert gap(fit).gap.tolist() == [200 - 20, 300 - 30]
    assert gap(fit).gap_keras.tolist() == [200 - 2, 300 - 3]


# Bands


@pytest.mark.parametrize("n", [29, 42, 72, 114])
def test_wilson_is_scipys_and_statsmodels(n: int) -> None:
    for k in range(n + 1):
        band = wilson(k, n)
        scipys = binomtest(k, n).proportion_ci(method="wilson")
        assert (band.low, band.high) == pytest.approx((scipys.low, scipys.high), abs=1e-12)
        assert (band.low, band.high) == pytest.approx(proportion_confint(k, n, method="wilson"), abs=1e-12)
    assert wilson(111.5, 114).low < wilson(112, 114).low
    for bad in ((-1, 5), (6, 5), (0, 0)):
        with pytest.raises(ValueError, match="expected a count"):
            wilson(*bad)


def test_known_wilson_intervals() -> None:
    for k, n, low, high in [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0, 0.1611),
        (111, 114, 0.9255, 0.9910),
    ]:
        assert (wilson(k, n).low, wilson(k, n).high) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize("n", [2, 3, 10, 100])
def test_a_seed_band_covers_what_it_says(n: int) -> None:
    """Over 4,000 studies of n evenly spread seeds: the chance of a further one inside is the width of the
    band."""
    studies = generator(n, 0).uniform(size=(4000, n))
    for view in range(2):
        bands = [seed_bands(study)[view] for study in studies]
        inside = np.array([band.high - band.low for band in bands])
        assert abs(inside.mean() - bands[0].coverage) < 4 * inside.std() / np.sqrt(4000) < 0.02
        if n == 100:  # sharp enough to refuse the .95 it is easily mistaken for
            assert 4 * inside.std() / np.sqrt(4000) < abs(bands[0].coverage - 0.95) / 5


def test_extremes_cover_as_much_for_a_skewed_score() -> None:
    draws = generator(5, 0)
    bands = [seed_bands(study).extremes for study in draws.exponential(size=(4000, 5))]
    inside = np.array([np.exp(-band.low) - np.exp(-band.high) for band in bands])
    assert abs(inside.mean() - 4 / 6) < 4 * inside.std() / np.sqrt(4000)


def test_three_seeds_are_told_what_they_are_worth() -> None:
    three = seed_bands(np.array([1.0, 2, 4]))
    assert three.extremes.coverage == 0.5
    assert "covers 50.0%" in str(three.extremes)


def test_a_seed_band_counts_the_diverged_and_never_averages_them_away() -> None:
    band = seed_bands(np.array([1.0, np.nan, 3.0, np.inf])).extremes
    assert (band.n, band.diverged, band.low, band.high) == (2, 2, 1, 3)
    assert "over 2 seeds" in str(band)
    assert "2 seeds diverged" in str(band)
    assert band.centre("mean") == 2
    with pytest.raises(KeyError, match="no centre 'mode'"):
        band.centre("mode")
    for values in ([1.0], [1.0, np.nan], []):
        with pytest.raises(ValueError, match="at least 2 finite scores"):
            seed_bands(np.array(values))


def test_a_band_prints_its_kind_n_and_coverage() -> None:
    text = str(seed_bands(np.linspace(0.8, 1, 100)).quantiles)
    assert text == "0.900 [0.805, 0.995] (quantiles over 100 seeds, covers 93.1%)"
    assert isinstance(wilson(1, 2), Band)


# Cases


def test_cases_are_counted_over_seeds() -> None:
    z = np.array([[2.0, -1, 1, -3], [2.0, 1, 1, -3], [2.0, 1, 1, np.nan], [0.0, -1, 1, -3]])
    table = case_table(z, np.array([1, 0, 0, 0]), np.array([10, 11, 12, 13]), ["a", "b", "c", "d"])
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
        case_table(z[:1], np.array([1, 0, 0, 0]), np.arange(4), ["a"] * 4)


def test_what_is_unusual_is_said_of_measurements(data: Dataset, parts: Split) -> None:
    rows = parts.val_rows[:3]
    for row, said in zip(rows, unusual(data, parts, rows), strict=True):
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
    one, two, three = unusual(table, parts, np.array([0, 51, 10]))
    assert one.startswith(f"form flat ({holds['flat']:.0%} of train), size -")
    assert two.startswith(f"form spiked ({holds['spiked']:.0%} of train), size +")
    assert three.startswith(f"size missing ({np.isnan(train[:, 1]).mean():.0%} of train), form round (")
    assert "same" not in three


def test_a_table_is_two_arrays() -> None:
    assert Table(np.zeros((2, 1)), np.zeros(2)).X.shape == (2, 1)
