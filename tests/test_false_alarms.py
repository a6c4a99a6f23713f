"""The rules of comparison on real overlapping divisions of tables in which there is nothing to find."""

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LinearRegression

from handnet.bands.compare import ALPHA
from handnet.bands.null import RULE, SCORES, FalseAlarms, correlation_between, differences, false_alarms
from handnet.bands.null_tables import (
    Layout,
    discriminant,
    draw_divisions,
    draw_numbers,
    draw_table,
    labels,
    least_squares,
)
from handnet.cli import main
from handnet.data import wisconsin
from handnet.draws import generator
from handnet.splits import split
from handnet.study import false_alarms as shipped_table
from handnet.study import simulate as simulation
from handnet.study.false_alarms import LAYOUTS, as_csv, layout_of, measured, nearest, rate, shipped
from handnet.study.identity import make_problem
from handnet.study.reading import read
from handnet.tasks import task_of

SMALL = Layout(150, 90, 30, 30, 56, 12)


def test_the_discriminant_is_scikit_learns() -> None:
    draws = generator(3, 0)
    y = np.repeat([1, 0], [56, 94])
    X, _ = draw_table(y, 2, draws)
    train, _ = draw_divisions(SMALL, draws)
    found = discriminant(X, y, train)
    for rows, logits in zip(train, found, strict=True):
        model = LinearDiscriminantAnalysis(solver="lsqr").fit(X[rows], y[rows])
        assert logits == pytest.approx(model.decision_function(X), abs=1e-9)


def test_the_discriminant_of_many_classes_and_least_squares_are_scikit_learns() -> None:
    layout, draws = Layout(90, 54, 18, 18, 30, 6, 3), generator(3, 0)
    y = labels(layout)
    X, _ = draw_table(y, 3, draws)
    numbers, target = draw_numbers(90, draws)
    train, _ = draw_divisions(layout, draws)
    found = discriminant(X, y, train), least_squares(numbers[0], target, train)
    for rows, outputs, guesses in zip(train, *found, strict=True):
        model = LinearDiscriminantAnalysis(solver="lsqr").fit(X[rows], y[rows])
        apart = outputs - model.decision_function(X)
        assert np.ptp(apart, axis=1) == pytest.approx(0, abs=1e-9), "up to a constant of each case"
        line = LinearRegression().fit(numbers[0][rows], target[rows])
        assert guesses == pytest.approx(line.predict(numbers[0]), abs=1e-9)


def test_each_class_has_its_share_of_each_part() -> None:
    layout = Layout(100, 61, 19, 20, 12, 50, 3)
    assert layout.sizes == (12, 44, 44)
    assert np.sum(layout.parts, axis=0).tolist() == [61, 19, 20]
    assert np.sum(layout.parts, axis=1).tolist() == [12, 44, 44]
    train, test = draw_divisions(layout, generator(1, 0))
    y = labels(layout)
    assert [int((y == label).sum()) for label in (2, 1, 0)] == [12, 44, 44]
    for place, (for_train, _, for_test) in enumerate(layout.parts):
        assert (train[:, y == 2 - place].sum(axis=1) == for_train).all()
        assert ((y[test] == 2 - place).sum(axis=1) == for_test).all()


@pytest.mark.parametrize(
    "shares", [{"test": 0.2, "val": 0.25}, {"test": 0.2, "val": 0.1}, {"test": 0.1, "order": "rest-first"}]
)
def test_the_parts_are_those_of_a_study(shares: dict) -> None:
    """As many rows of each class in each part as `split` gives, on the built-in table."""
    data = wisconsin()
    parts = split(data, **shares)
    rows = (parts.train_rows, parts.val_rows, parts.test_rows)
    layout = Layout(len(data.y), *map(len, rows), int(data.y.sum()), 3)
    assert layout.parts[0] == tuple(int(data.y[part].sum()) for part in rows)


def test_divisions_are_drawn_evenly_and_without_overlap() -> None:
    layout = SMALL._replace(divisions=4000)
    train, test = draw_divisions(layout, generator(1, 0))
    drawn = np.zeros_like(train)
    np.put_along_axis(drawn, test, True, axis=1)
    assert not (train & drawn).any()
    assert (train.sum(axis=1) == 90).all()
    assert (drawn.sum(axis=1) == 30).all()
    assert (np.sort(test, axis=1)[:, : layout.parts[0][2]] < 56).all(), "the rarer class comes first"
    for share, whole in ((train, 90), (drawn, 30)):
        expected = np.repeat([1, 0], [56, 94])
        of_class = share[:, expected == 1].sum(axis=1)[0]
        chance = np.where(expected == 1, of_class / 56, (whole - of_class) / 94)
        error = np.sqrt(chance * (1 - chance) / 4000)
        assert (np.abs(share.mean(axis=0) - chance) < 4.5 * error).all()


def test_the_halves_can_be_exchanged() -> None:
    """Means and covariances of the columns are those of the table with its halves exchanged."""
    y = np.repeat([1, 0], 40_000)
    halves = draw_table(y, 2, generator(2, 0))
    for label in (0, 1):
        joined, exchanged = (np.hstack(tuple(side[:, y == label])) for side in (halves, halves[::-1]))
        assert joined.mean(axis=0) == pytest.approx(exchanged.mean(axis=0), abs=0.03)
        assert np.cov(joined.T) == pytest.approx(np.cov(exchanged.T), abs=0.04)


def test_the_halves_of_many_classes_and_of_a_number_can_be_exchanged() -> None:
    draws = generator(2, 0)
    y = np.repeat([2, 1, 0], 20_000)
    halves = draw_table(y, 3, draws)
    for label in range(3):
        of_class = halves[:, y == label].mean(axis=1)
        assert of_class[0] == pytest.approx(of_class[1], abs=0.04)
    numbers, target = draw_numbers(40_000, draws)
    told = [np.corrcoef(half.T, target)[-1] for half in numbers]
    assert told[0] == pytest.approx(told[1], abs=0.02)
    guessed = LinearRegression().fit(numbers[0], target).score(numbers[0], target)
    assert 0.4 < guessed < 0.6, "one half tells some of it, and not all"


def test_a_planted_correlation_is_found() -> None:
    draws = np.random.default_rng(4)
    d = np.sqrt(0.3) * draws.normal(size=(40_000, 1)) + np.sqrt(0.7) * draws.normal(size=(40_000, 8))
    assert correlation_between(d) == pytest.approx(0.3, abs=0.01)


@pytest.mark.parametrize(
    "layout", [SMALL, Layout(300, 180, 60, 60, 111, 29), Layout(400, 320, 0, 80, 60, 29)], ids=str
)
def test_the_exact_null_on_three_layouts(layout: Layout) -> None:
    """Nothing is there: the mean difference is 0, the corrected t keeps its level, the plain one does not."""
    tables = 400
    draws = generator(5, 0)
    means = np.array([differences(layout, draws).mean(axis=1) for _ in range(tables)])
    assert (np.abs(means.mean(axis=0)) < 4 * means.std(axis=0) / np.sqrt(tables)).all()
    found = {(row.score, row.rule): row for row in false_alarms(layout, tables, seed=6)}
    for score in SCORES["two classes"]:
        assert binomtest(found[score, RULE].found, tables).proportion_ci().low <= ALPHA
        assert found[score, "uncorrected t"].found / tables > 0.15
        assert found[score, "P(A > B)"].found >= found[score, RULE].found
    accuracy = found["accuracy", RULE]
    assert 0.5 * layout.test / layout.rows < accuracy.correlation < 1.25 * layout.test / layout.rows


@pytest.mark.parametrize("layout", [Layout(90, 54, 18, 18, 30, 10, 3), Layout(150, 90, 30, 30, 0, 10, 0)])
def test_the_exact_null_of_many_classes_and_of_a_number(layout: Layout) -> None:
    tables, task = 120, task_of(layout.classes)
    draws = generator(5, 0)
    means = np.array([differences(layout, draws).mean(axis=1) for _ in range(tables)])
    assert (np.abs(means.mean(axis=0)) < 4 * means.std(axis=0) / np.sqrt(tables)).all()
    found = {(row.score, row.rule): row for row in false_alarms(layout, tables, seed=6)}
    for score in SCORES[task.name]:
        assert binomtest(found[score, RULE].found, tables).proportion_ci().low <= ALPHA
        assert found[score, "uncorrected t"].found / tables > 0.1


def test_a_half_that_tells_more_is_seen_to(monkeypatch: pytest.MonkeyPatch) -> None:
    layout = Layout(150, 90, 30, 30, 0, 10, 0)

    def lopsided(rows: int, numbers: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        halves, y = draw_numbers(rows, numbers)
        return halves, y + 2 * halves[0].sum(axis=1)

    monkeypatch.setattr("handnet.bands.null.draw_numbers", lopsided)
    rmse, mae, r2 = differences(layout, generator(0, 0)).mean(axis=1)
    assert max(rmse, mae) < 0 < r2, "losses as logarithms of ratios, R2 as it is"


@pytest.mark.long
@pytest.mark.parametrize("place", [0, 2, 8, 15, 21])
def test_the_shipped_rates_come_out_again(place: int) -> None:
    """Measured anew from other draws, the rates differ by no more than two samples of 2000 do."""
    layout, tables = LAYOUTS[place], 2000
    stored = {(row.score, row.rule): row for row in shipped() if row.layout == layout}
    for row in false_alarms(layout, tables, seed=1000 + place):
        before = stored[row.score, row.rule]
        both = (row.found + before.found) / (2 * tables)
        error = np.sqrt(max(both * (1 - both), 1 / tables) * 2 / tables)
        assert abs(row.found - before.found) / tables < 4.5 * error, row


def test_the_shipped_table_is_whole() -> None:
    """Every layout, score and rule once, 2000 tables each, and the interval of its rate as SciPy has it."""
    rows = shipped()
    assert {row.layout for row in rows} == set(LAYOUTS)
    count = sum(5 * len(SCORES[task_of(layout.classes).name]) for layout in LAYOUTS)
    assert len(rows) == len({(row.layout, row.score, row.rule) for row in rows}) == count
    for row in rows:
        band = rate(row)
        ends = binomtest(row.found, row.tables).proportion_ci(method="exact")
        assert (row.tables, band.low, band.high) == (2000, pytest.approx(ends.low), pytest.approx(ends.high))
    assert as_csv(rows).splitlines()[1].startswith("150,90,30,30,")


def test_the_layout_of_a_study_and_the_nearest_one() -> None:
    own = layout_of(make_problem(read({})), 29)
    assert own == Layout(569, 341, 114, 114, 212, 29)
    assert nearest(own) == own
    assert nearest(Layout(140, 84, 28, 28, 50, 29)).rows == 150
    assert nearest(Layout(20_000, 12_000, 4000, 4000, 9000, 29)).rows == 5000
    assert nearest(own._replace(divisions=70)).divisions == 100
    assert nearest(Layout(1500, 900, 300, 300, 5, 29)).rarer == 30
    assert nearest(Layout(569, 455, 1, 113, 212, 29)).validation == 0
    wine = layout_of(make_problem(read({"data.name": "wine"})), 29)
    assert (wine.rows, wine.rarer, wine.classes) == (178, 48, 3)
    assert nearest(wine) == Layout(90, 54, 18, 18, 30, 29, 3)
    assert nearest(wine._replace(classes=8, rarer=18, rows=1500, train=900)).classes == 10
    diabetes = layout_of(make_problem(read({"data.name": "diabetes"})), 29)
    assert (diabetes.rarer, nearest(diabetes).rows, nearest(diabetes).classes) == (0, 570, 0)


def test_the_rates_are_those_of_the_deciding_score() -> None:
    found = measured(LAYOUTS[0], "auc")
    assert {row.score for row in found.rates} == {"auc"}
    assert {row.layout for row in found.rates} == {LAYOUTS[0]}
    assert found.may_word(RULE)
    assert not found.may_word("uncorrected t")
    assert {row.score for row in measured(LAYOUTS[0], "mcc").rates} == {"accuracy"}, "which was measured"
    assert {row.score for row in measured(Layout(442, 264, 89, 89, 0, 29, 0), "rmse").rates} == {"rmse"}


def test_the_ratio_of_a_layout() -> None:
    """The correlation assumed, ratio / (1 + ratio), is the share of a test that another test holds too."""
    row = FalseAlarms(SMALL, "accuracy", RULE, 10, 1, 0.1)
    ratio = row.layout.ratio
    assert ratio / (1 + ratio) == pytest.approx(30 / 150)


def test_the_command_prints_the_table_that_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it prints, once in the place of the shipped table, is what a report looks up."""
    layouts = (SMALL._replace(divisions=3), SMALL._replace(divisions=6))
    for module in (shipped_table, simulation):
        monkeypatch.setattr(module, "LAYOUTS", layouts)
    assert main(["simulate", "--false-alarms", "20"]) == 0
    remade = tmp_path / "false_alarms.csv"
    remade.write_text(capsys.readouterr().out)
    monkeypatch.setattr(shipped_table, "TABLE", remade)
    shipped.cache_clear()
    try:
        rows = shipped()
        assert {row.layout for row in rows} == set(layouts)
        assert {row.tables for row in rows} == {20}
        again = [row for place, layout in enumerate(layouts) for row in false_alarms(layout, 20, place)]
        assert [row._replace(correlation=0) for row in rows] == [row._replace(correlation=0) for row in again]
        assert nearest(SMALL) == layouts[1]
    finally:
        shipped.cache_clear()
