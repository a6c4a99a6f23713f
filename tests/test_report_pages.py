"""The report's pages: what a person meets, and what a hostile name meets."""

import csv
import io
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from hostile import HOSTILE, facts_with, facts_with_all
from markdown_it import MarkdownIt

from handnet import Dataset
from handnet.cli import main
from handnet.data import DATASETS
from handnet.report import case_figures, figures
from handnet.report import pages as render
from handnet.report.case_words import TwoClassWords
from handnet.report.tables import rows_of
from handnet.report.words import UNSEEN, number, points

ROOT = Path(__file__).parent.parent

ELEMENTS = set(
    "html head meta title style body h1 h2 h3 p div table tr th td code figure figcaption details summary ul"
    " li section nav main header footer strong em span br a svg g path text tspan defs clippath use rect"
    " metadata polyline line circle lineargradient stop".split()
)

ATTRIBUTES = set(
    "lang charset type name content http-equiv class id style role scope colspan open aria-label aria-hidden"
    " title tabindex href xmlns xmlns:xlink xlink:href width height viewbox version d transform x y clip-path"
    " fill stroke stroke-width points rx ry cx cy r x1 x2 y1 y2 offset".split()
)

METAS = [
    [("charset", "utf-8")],
    [("name", "viewport"), ("content", "width=device-width, initial-scale=1")],
    [
        ("http-equiv", "Content-Security-Policy"),
        ("content", "default-src 'none'; style-src 'unsafe-inline'; img-src data:"),
    ],
]


class Tags(HTMLParser):
    """What of a page is not text: every element with its attributes. Anything active, or unknown, is a
    fault."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.pictures = 0
        self.metas: list[list[tuple[str, str | None]]] = []
        self.styles: list[str] = []
        self.feed(page)
        self.close()
        assert self.metas == METAS
        assert not any(re.search(r"url\((?!#)|@import|expression", style) for style in self.styles)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in ELEMENTS, tag
        assert {name for name, _ in attrs} <= ATTRIBUTES, (tag, attrs)
        self.pictures += tag == "svg"
        if not self.pictures:  # how many ticks an axis has depends on the length of its labels
            self.tags.append(tag)
        self.metas += [attrs] if tag == "meta" else []
        for name, value in attrs:
            if "href" in name:
                assert re.fullmatch(r"#[\w-]+", str(value))
            if name in ("style", "clip-path"):
                self.styles.append(str(value))

    def handle_endtag(self, tag: str) -> None:
        self.pictures -= tag == "svg"

    def handle_comment(self, data: str) -> None:
        raise AssertionError(data)

    def handle_pi(self, data: str) -> None:
        raise AssertionError(data)

    def unknown_decl(self, data: str) -> None:
        raise AssertionError(data)

    def handle_data(self, data: str) -> None:
        if self.lasttag == "style":
            self.styles.append(data)


def inert_markdown(text: str) -> list[str]:
    """The kinds of the blocks of a Markdown page. HTML, a link or a picture is a fault."""
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    inline = [one for token in tokens for one in token.children or []]
    assert not {one.type for one in [*tokens, *inline]} & {
        "html_block",
        "html_inline",
        "link_open",
        "image",
        "fence",
    }
    return [token.type for token in tokens]


@pytest.mark.parametrize("start", range(0, len(HOSTILE), 12))
def test_names_are_data_and_never_markup(start: int) -> None:
    names = HOSTILE[start : start + 12]
    harmless = [f"harmless {place}" for place in range(len(names))]
    assert (
        Tags(render.to_html(facts_with_all(names))).tags
        == Tags(render.to_html(facts_with_all(harmless))).tags
    )
    plain = inert_markdown(render.to_markdown(facts_with("harmless")))
    for name in names:
        assert inert_markdown(render.to_markdown(facts_with(name))) == plain


def other_task(name: str, classes: list[str]) -> dict:
    """The report with this name everywhere, its cases of many classes, or of a number without classes."""
    facts = facts_with(name)
    task, tolerance = ("many classes", None) if classes else ("a number", 1.5)
    judged = {"task": task, "classes": classes, "target": "" if classes else name, "tolerance": tolerance}
    judged |= {"deviation": None if classes else 3.0}
    more = {"wrong_class": name, "wrong_calls": 1, "entropy": 0.5, "target": 2.0, "residual_mean": -1.0}
    more |= {"residual_sd": 0.5, "guess_low": 0.0, "guess_median": 1.0, "guess_high": 2.0}
    missed = [row | more for row in facts["missed"]]
    doubt = [row | {"tolerance": tolerance} for row in facts["doubt"]]
    return facts | {"judged": judged, "missed": missed, "doubt": doubt}


@pytest.mark.parametrize("many", [True, False])
def test_names_in_the_cases_of_other_tasks_are_data_too(many: bool) -> None:
    def facts(name: str) -> dict:
        return other_task(name, [name, "M", "C"] if many else [])

    tags, plain = Tags(render.to_html(facts("harmless"))).tags, render.to_markdown(facts("harmless"))
    assert ("most often called instead" if many else "off by more than 1.5 in") in plain
    for name in HOSTILE[::6]:
        assert Tags(render.to_html(facts(name))).tags == tags
        assert inert_markdown(render.to_markdown(facts(name))) == inert_markdown(plain)


def test_pictures_stay_pictures_whatever_their_labels_say() -> None:
    some = [HOSTILE[0], *HOSTILE[-9:]]
    facts = facts_with_all(some)
    curves = {
        name: {end: [0.5, 0.4] for end in ("mean", "low", "high")} for name in ("train_loss_off", "val_loss")
    }
    shares = [
        {"family": name, "seeds": {"low": 0, "high": 1}, "splits": None, "nearest": 0.5} for name in HOSTILE
    ]
    end = {"logit": {"centres": {"mean": 1.0}}}
    pictures = [
        figures.forest(rows_of(facts, "val", ("accuracy",)), "x"),
        figures.every_seed(facts["seed_scores"], "val"),
        case_figures.credits(
            {"credits": shares, "start": end, "own": end, "credited": "logit"}, TwoClassWords(HOSTILE[:2])
        ),
    ]
    for picture in [*pictures, *(figures.band_curves(curves, name, 3, 0, "log loss") for name in some)]:
        whole = list(
            ElementTree.fromstring(picture).iter()
        )  # well-formed, so that no label ends where it should not
        assert {one.tag.rpartition("}")[2].lower() for one in whole} <= ELEMENTS
        assert {key.rpartition("}")[2].lower() for one in whole for key in one.attrib} - {
            "href"
        } <= ATTRIBUTES


def test_a_study_of_a_hostile_table_is_inert(
    data: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    """Every name that comes with a table, through the whole study to every page and picture."""
    names = [name for name in HOSTILE if name.strip()]
    ids = np.array([f"{names[row % len(names)]} {row}" for row in range(len(data.y))], dtype=object)
    features = tuple(f"{name[:200]} {place}" for place, name in enumerate(names[: data.X.shape[1]]))
    order = sorted(set(data.families))
    families = tuple(f"{names[-1 - order.index(one)]} {order.index(one)}" for one in data.families)
    table = replace(
        data, case_ids=ids, feature_names=features, families=families, class_names=(names[0], names[3])
    )
    monkeypatch.setitem(DATASETS, "wisconsin", lambda: table)
    words = [
        "TRIALS=1",
        "SEEDS=2",
        "CONFIRM=3",
        "SPLITS=2",
        "rehearsal.seeds=2",
        "rehearsal.levels=2",
        "OPEN=1",
    ]
    assert main(["study", "--mlruns", str(tmp_path), "--debug", *words, "space.epochs.high=20"]) == 0
    (folder,) = (tmp_path / "reports").iterdir()
    missed = json.loads((folder / "report.json").read_text())["missed"]
    row = next((row for row in missed if "\x1b" in row["case"]), missed[0])
    assert main(["case", "--mlruns", str(tmp_path), f"--id={row['case']}", f"--name={folder.name}"]) == 0
    shown = "".join(capsys.readouterr())
    assert not set(shown) & set(map(chr, UNSEEN)) - {"\n"}, "a name reaches the terminal's controls"
    files = list(tmp_path.glob("tracking/**/*.csv"))
    cells = {cell for path in files for row in csv.reader(io.StringIO(path.read_text())) for cell in row}
    assert {"bands.csv", "networks.csv", "cases_test.csv"} <= {path.name for path in files}
    for cell in cells:  # what a spreadsheet would calculate is a number or nothing
        assert not cell.startswith(tuple("=+@\t\r")), cell
        assert not cell.startswith("-") or float(cell) < 0, cell
    pages = sorted(folder.glob("*.html"))
    assert len(pages) >= 2
    for page in pages:
        Tags(page.read_text())
    inert_markdown((folder / "report.md").read_text())
    for picture in tmp_path.rglob("*.svg"):
        assert {one.tag.rpartition("}")[2].lower() for one in ElementTree.parse(picture).iter()} <= ELEMENTS


def test_a_band_of_survivors_says_so() -> None:
    for text in (render.to_markdown(facts_with("x")), render.to_html(facts_with("x"))):
        assert "1 of 5 seeds diverged" in text
        assert "57.0%" in text


def test_a_difference_that_rounds_to_nothing_has_no_sign_of_its_own() -> None:
    assert [points(value) for value in (0.00004, -0.00004, -0.0, -0.0001, 0.01)] == [
        "+0.00",
        "+0.00",
        "+0.00",
        "-0.01",
        "+1.00",
    ]
    assert points(-0.0004, 1) == "+0.0"


def test_numbers_keep_three_digits() -> None:
    assert [number(value) for value in (0.9736, 0, 0.00123, -0.0045, 1, None)] == [
        "0.974",
        "0.000",
        "0.0012",
        "-0.0045",
        "1.000",
        "-",
    ]
    with pytest.raises(ValueError, match="JSON compliant"):
        render.to_json({"x": float("nan")})
