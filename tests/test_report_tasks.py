"""Reports of planted networks of many classes and of a number: numbers, names and units on every page."""

import re
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from hostile import HOSTILE
from test_report_pages import Tags, inert_markdown

from handnet.contract import Recipe
from handnet.data import Array, Table
from handnet.report import facts
from handnet.report import pages as render
from handnet.report.class_tables import LARGEST, confusion_table
from handnet.report.figures import figures
from handnet.report.tables import on_screen
from handnet.report.words import label, measure
from handnet.study.analysis import TrialResult, analyse
from handnet.study.configuration import Configuration, candidates
from handnet.study.identity import make_problem
from handnet.study.networks import Replicas
from handnet.study.reading import read
from handnet.study.rivals import rivals
from handnet.study.sealed import Opening
from handnet.study.search import Finished
from handnet.study.settings import Settings
from handnet.study.units import Confirmed, Problem

SEEDS, SURE = 5, 2.0


def settings(name: str) -> Settings:
    words = {"search.trials": "2", "search.seeds": "2", "confirm.seeds": str(SEEDS), "rehearsal.splits": "0"}
    return read(words | {"data.name": name}, Path(__file__).parent.parent / "experiments" / "study.toml")


def report(made: Problem, asked: Settings, val: Array, test: Array | None, table: Table | None) -> dict:
    """The report of a winner with these outputs (R, n) or (R, n, k). test, table: None while it is sealed."""
    recipe = Recipe(epochs=2)
    fit = made.fit(recipe, range(SEEDS))
    gone = np.where(np.isfinite(val).reshape(SEEDS, -1).all(axis=1), -1, 0)
    replicas = Replicas(fit.seeds, fit.fit._replace(diverged_at=gone), val)
    winner = next(one for one in candidates([Configuration.of(recipe)], asked))
    confirmed = [Confirmed(winner.role, "c", winner.configuration, replicas, val, test)]
    confirmed += [
        Confirmed(
            one.role, one.role, None, None, one.outputs(made.parts.val.X), table and one.outputs(table.X)
        )
        for one in rivals(made.task, made.parts.train, made.parts.val, 1)
    ]
    params = {"learning_rate": 1e-3, "dropout": 0.2, "epochs": 2}
    tried = [
        TrialResult(Finished(place, params, 0.1, "c", 0), replicas, Configuration.of(recipe))
        for place in range(2)
    ]
    decided = asked.decided(made.task.classes)
    found = analyse(decided, made, confirmed, tried, table, None)
    digest = made.parts.test.digest
    opening = Opening("o", digest, "s", "f", (), 2, 5, "2026-01-01T00:00:00Z", "d", "t", (), 1, 0)
    return facts.document(
        facts.Findings(
            *("planted", "f", decided, made, confirmed, tried, found, {}),
            *(opening if table else None, [], table, (), {}, ["m"], {}),
        )
    )


def pages(whole: dict[str, Any]) -> dict[str, str]:
    """What is read: the Markdown without its escapes, the HTML without pictures and tags, the verdict."""
    html = re.sub(r"<svg.*?</svg>|<style.*?</style>|<[^>]+>", " ", render.to_html(whole), flags=re.DOTALL)
    html = html.replace("&#39;", "'").replace("&lt;", "<")
    return {"md": render.to_markdown(whole).replace("\\", ""), "html": html}


def logits(y: Array, classes: int, wrong: list[int]) -> Array:
    """(R, n, k): SURE for the own class of each case, but seed s calls the first s of these cases the class
    after theirs, the last class the first."""
    called = np.tile(y, (SEEDS, 1))
    for seed in range(SEEDS):
        called[seed, wrong[:seed]] = (y[wrong[:seed]] + 1) % classes
    return SURE * np.equal(called[..., None], np.arange(classes))


class Planted(NamedTuple):
    """A report, the opened rows, and what is read of each page."""

    facts: dict[str, Any]
    table: Table
    pages: dict[str, str]


@pytest.fixture(scope="module")
def wine() -> Planted:
    asked = settings("wine")
    made = make_problem(asked)
    table = made.parts.test.open(lambda _: True)
    wrong = list(np.flatnonzero(table.y == 2))
    y_val = made.parts.val.y
    whole = report(made, asked, logits(y_val, 3, []), logits(table.y, 3, wrong), table)
    return Planted(whole, table, pages(whole))


@pytest.fixture(scope="module")
def diabetes() -> Planted:
    """Seed s is off by 10 (s + 1), up and down in turn; on validation rows by a tenth more."""
    asked = settings("diabetes")
    made = make_problem(asked)
    table = made.parts.test.open(lambda _: True)
    val, test = (y + factor * errors(len(y)) for y, factor in ((made.parts.val.y, 1.1), (table.y, 1.0)))
    whole = report(made, asked, val, test, table)
    return Planted(whole, table, pages(whole))


def errors(n: int) -> Array:
    signs = np.where(np.arange(n) % 2, -1.0, 1.0)
    return np.outer(10.0 * np.arange(1, SEEDS + 1), signs)


def test_every_planted_number_of_many_classes_is_on_every_page(wine: Planted) -> None:
    whole, table = wine[:2]
    n, own = len(table.y), int((table.y == 2).sum())
    right = np.log(1 + 2 * np.exp(-SURE))
    wrong = right + SURE
    loss = right + (wrong - right) * 2 / n  # two of the cases are called wrong, on average
    low, high = np.quantile(np.arange(SEEDS), [0.025, 0.975])
    texts = [
        f"{1 - 2 / n:.3f}; {n - 3} to {n - 1} of {n} (3 of 5)",
        f"{n - 4} to {n} of {n}",
        f"{1 - 2 / own:.3f}; {own - 3} to {own - 1} of {own} (3 of 5)",
        f"{loss:.4f} [{right + SURE * low / n:.4f}, {right + SURE * high / n:.4f}]",
        f"{1 - 2 / own / 3:.3f} [",  # balanced accuracy
        "recall of class 'cultivar 3'",
        "precision of class 'cultivar 1'",
        f"call an expected {1 - 2 / n:.3f} [",
        f"least often they find cases of class 'cultivar 3', {1 - 2 / own:.3f} [",
        f"{own} of them class 'cultivar 3'",
        "3 classes are told apart",
    ]
    for page, shown in wine.pages.items():
        assert [text for text in texts if text not in shown] == [], page
    assert whole["data"]["classes"] == ["cultivar 1", "cultivar 2", "cultivar 3"]
    assert whole["split"]["parts"]["test"]["classes"] == np.bincount(table.y).tolist()


def test_the_confusions_are_the_planted_ones(wine: Planted) -> None:
    whole, table = wine[:2]
    counts = np.diag(np.bincount(table.y)).astype(float)
    counts[2] += [2, 0, -2]
    assert whole["confusion"] == {"part": "test", "seeds": SEEDS, "counts": counts.tolist()}
    rows = confusion_table(whole).rows
    assert rows[2] == ("cultivar 3", "2", "0", f"{counts[2, 2]:.0f}", f"{counts[2].sum():.0f}")


def test_no_table_is_empty_and_the_deciding_score_comes_first(wine: Planted, diabetes: Planted) -> None:
    for planted in (wine, diabetes):
        assert [grid.title for grid in render.tables(planted.facts) if not grid.rows] == []
    decided = {"settings": {"verdict": {"score": "auc"}}}
    assert on_screen(wine.facts | decided)[:2] == ("auc", "accuracy")
    (tolerance,) = re.findall(r"The tolerance, ([\d.]+), is half the standard dev", diabetes.facts["verdict"])
    train = make_problem(settings("diabetes")).parts.train.y
    assert float(tolerance) == pytest.approx(train.std() / 2, rel=1e-3)


def test_of_more_classes_the_largest_confusions_are_listed() -> None:
    draws = np.random.default_rng(3)
    counts = draws.permutation(15 * 15).reshape(15, 15).astype(float)
    names = [f"c{place}" for place in range(15)]
    found = {"part": "test", "seeds": 4, "counts": counts.tolist()}
    grid = confusion_table({"confusion": found, "data": {"classes": names}})
    off = counts - np.diag(np.diag(counts))
    largest = np.sort(off.ravel())[::-1][:LARGEST]
    assert [row[2] for row in grid.rows] == [f"{count:.0f}" for count in largest]
    for true, called, count, cases in grid.rows:
        places = names.index(true), names.index(called)
        assert f"{counts[places]:.0f}" == count
        assert f"{counts[places[0]].sum():.0f}" == cases


def test_every_planted_number_of_a_target_is_on_every_page(diabetes: Planted) -> None:
    table = diabetes.table
    n, sizes = len(table.y), 10.0 * np.arange(1, SEEDS + 1)
    low, high = np.quantile(sizes, [0.025, 0.975])
    r2 = 1 - np.square(sizes) / table.y.var()
    bias = sizes * (n % 2) / n  # one case more is off upwards where they are odd
    widths = 2 * 1.1 * sizes
    texts = [
        "disease progression, a number, is guessed",
        f"guess disease progression with an expected RMSE of {np.sqrt(np.square(sizes).mean()):.2f} [",
        "mean absolute error 30.00 [",
        f"R2 {r2.mean():.3f} [",
        f"30.00 [{low:.2f}, {high:.2f}]",
        "[10.00, 50.00]",
        "The 5 seeds have an RMSE of 10.00 to 50.00 on these rows",
        f"{np.square(sizes).mean():.0f} [",
        f"{bias.mean():.4f} [{np.quantile(bias, 0.025):.4f}, {np.quantile(bias, 0.975):.4f}]",
        f"{widths.mean():.1f} [{np.quantile(widths, 0.025):.1f}, {np.quantile(widths, 0.975):.1f}]",
        f"1.000; {n} of {n} (5 of 5)",
        f"Of the {n} test cases",
    ]
    for page, shown in diabetes.pages.items():
        assert [text for text in texts if text not in shown] == [], page


# Words of two classes, and those of classes at all.
TWO = r"\b(?:positives?|negatives?|sensitivity|specificity|malignant|benign|class [01]\b(?!\.)|PPV|NPV)\b"
CLASSES = (
    r"\b(?:class(?:es)?|accuracy|call(?:ed|s)?|log loss|probabilit\w+|AUC|Brier|logistic|logit|majority)\b"
)


def test_no_page_says_words_of_another_task(wine: Planted, diabetes: Planted) -> None:
    for planted, words in ((wine, TWO), (diabetes, f"{TWO}|{CLASSES}")):
        for page, shown in planted.pages.items():
            found = [shown[max(0, hit.start() - 40) : hit.end() + 40] for hit in re.finditer(words, shown)]
            assert found == [], page
    assert re.search(f"{TWO}|{CLASSES}", "the share of positives")  # a planted fault is seen


def test_no_figure_says_words_of_another_task(wine: Planted, diabetes: Planted) -> None:
    for planted, words in ((wine, TWO), (diabetes, f"{TWO}|{CLASSES}")):
        drawn = figures(planted.facts)
        assert {"forest", "every seed", "Calibration"} <= set(drawn)
        for name, (svg, alt, caption) in drawn.items():
            texts = [alt, caption, *re.findall(r">([^<>]+)</text>", svg.decode())]
            assert [text for text in texts if re.search(words, text)] == [], name


@pytest.mark.parametrize("name", [pytest.param("wine", marks=pytest.mark.long), "diabetes"])
def test_a_sealed_report_of_networks_that_diverged_is_whole(name: str) -> None:
    """All but one seed diverged: there is no band, and nothing falls over; then none did, the test sealed."""
    asked = settings(name)
    made = make_problem(asked)
    y = made.parts.val.y
    whole = logits(y, 3, [0]) if name == "wine" else y + errors(len(y))
    gone = np.where(np.arange(SEEDS).reshape(-1, *(1,) * (whole.ndim - 1)) > 0, np.nan, whole)
    for outputs in (gone, whole):
        told = report(made, asked, outputs, None, None)
        inert_markdown(render.to_markdown(told))
    Tags(render.to_html(told))
    rival = "logistic regression" if name == "wine" else "ridge regression"
    assert f"The test is sealed, so there is no verdict against {rival}." in told["verdict"]


def test_names_of_classes_are_data_and_never_markup(wine: Planted, diabetes: Planted) -> None:
    for start in range(0, 30, 3):
        many = wine.facts | {"data": wine.facts["data"] | {"classes": HOSTILE[start : start + 3]}}
        one = diabetes.facts | {"data": diabetes.facts["data"] | {"target": HOSTILE[start]}}
        for told in (many, one):
            inert_markdown(render.to_markdown(told))
        if start == 0:
            Tags(render.to_html(many))


@pytest.mark.parametrize(
    ("value", "size", "text"),
    [
        (54.3, None, "54.30"),
        (0.0123456, None, "0.01235"),
        (206855.4, None, "206855"),
        (1234567890.0, None, "1.235e+09"),
        (1250000.0, None, "1250000"),
        (23631542.0, None, "2.363e+07"),
        (0.0, None, "0"),
        (1.2e-9, None, "1.2e-09"),
        (0.0012, 9.2, "0.001"),
        (-0.0, 9.2, "0.000"),
    ],
)
def test_a_number_in_the_unit_of_the_target_has_sensible_digits(
    value: float, size: float | None, text: str
) -> None:
    assert measure(value, size) == text


def test_a_score_of_one_class_has_its_name() -> None:
    assert label("recall_1", ["a", "b 2"]) == "recall of class 'b 2'"
    assert label("precision_0", ["setosa", "b"]) == "precision of setosa"
    assert label("top_3") == "top-3 accuracy"
