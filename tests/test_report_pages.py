"""The report's pages: what a person meets, and what a hostile name meets."""

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from markdown_it import MarkdownIt

from handnet import Dataset
from handnet.cli import main
from handnet.data import DATASETS
from handnet.report import figures
from handnet.report import pages as render
from handnet.report.words import UNSEEN, number, points

ROOT = Path(__file__).parent.parent

HOSTILE = [
    # HTML and SVG
    "<script>alert(1)</script>",
    "</td></tr></table><script src=//evil.example/x.js></script>",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    "</text></svg><script>alert(1)</script>",
    "</title><script>alert(1)</script>",
    "</style><script>alert(1)</script>",
    "<!--",
    "--><b>x</b>",
    "]]><x>",
    "<![CDATA[x]]>",
    "<iframe srcdoc='<script>alert(1)</script>'>",
    "<a href='javascript:alert(1)'>x</a>",
    "<base href=//evil.example>",
    "<meta http-equiv=refresh content='0;url=//evil.example'>",
    "<style>*{background:url(//evil.example)}</style>",
    "<foreignObject><b>",
    "<?xml version='1.0'?>",
    # quotes, entities, what is double-decoded
    "\"onload='1",
    "' autofocus onfocus=alert(1) x='",
    '" style="background:url(javascript:1)" x="',
    "&lt;script&gt;",
    "&#60;b&#62;",
    "&quot;&#x27;&amp;amp;",
    "%3Cscript%3E",
    "\\u003cscript\\u003e",
    "+ADw-script+AD4-",
    "\ufe64script\ufe65",
    # Markdown
    "a|b",
    "|---|---|",
    "`x`",
    "``` x",
    "~~~",
    "[y](javascript:z)",
    "![y](http://evil.example/x.png)",
    "[y]: http://evil.example",
    "<http://evil.example>",
    "[y][z]",
    "*_#\\",
    "# x",
    "> x",
    "- x",
    "1. x",
    "    x",
    "===",
    "---",
    "\\",
    "\\[y](z)",
    "x](y)",
    "line\nbreak",
    "line\r\n\r\n# x",
    "a\u2028b\u2029c",
    # formulas, TeX, templates
    '=HYPERLINK("http://evil.example")',
    "+1+cmd|' /C calc'!A0",
    "-2+3",
    "@SUM(A1)",
    "\t=1+1",
    "$x$",
    "$\\frac{1$",
    "\\input{/etc/passwd}",
    "^{x}_{y",
    "{{ 7*7 }}",
    "{% raw %}",
    "{# x #}",
    "${7*7}",
    "%(x)s {0} %n",
    "<%= 7 %>",
    # addresses
    "javascript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "file:///etc/passwd",
    "//evil.example",
    "../../etc/passwd",
    # letters
    "\u202egnp.exe",
    "\u2066x\u2069\u200b\ufeff",
    "\u05e9\u05dc\u05d5\u05dd",
    "\u4e2d\u6587\U0001f480",
    "a\u0301" * 40,
    "\x01\x07\x08\x1b[31mred\x7f\x85",
    "x" * 10_000,
    "W " * 5_000,
    " ",
    "None",
]

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


def facts_with(name: str) -> dict:
    band = {
        "role": name,
        "part": "val",
        "score": "accuracy",
        "low": 0.5,
        "high": 0.75,
        "varied": "seeds",
        "n": 4,
        "coverage": 0.57,
        "centres": {"median": 0.625, "mean": 0.6},
        "diverged": 1,
        "seeds": 0,
        "simulated": None,
    }
    difference = band | {"kind": "nadeau-bengio", "varied": "splits", "centres": {"mean": 0.1}}
    pair = {
        "ours": name,
        "theirs": name,
        "over_splits": [
            {
                "score": "accuracy",
                "decides": True,
                "difference": difference,
                "p": 0.5,
                "rope": None,
                "wins": difference,
            }
        ],
        "on_test": None,
    }
    part = {
        "source": name,
        "deviation": 0.1,
        "share": 0.5,
        "mean_square": 1.0,
        "degrees": 3,
        "negative": True,
    }
    rule = {"what": "r", "setting": "s", "nominal": 0.05, "found": 0.04, "studies": 9, "may_word": True}
    gap = band | {"part": "gap", "score": "gap"}
    row = {
        "role": "winner",
        "part": "val",
        "case": name,
        "class": name,
        "seeds": 4,
        "misses": 1,
        "miss_share": 0.25,
        "miss_low": 0.1,
        "miss_high": 0.6,
        "self_consistency": 0.5,
        "score_median": 0.4,
        "score_low": 0.1,
        "score_high": 0.6,
        "extremes": f"{name} +1.0 sd",
    }
    return {
        "schema": 1,
        "study": name,
        "fingerprint": "f",
        "data": {
            "digest": "d",
            "cases": 9,
            "features": 2,
            "inputs": 2,
            "notes": [f"Left out, because they never vary: {name!r}."],
            "positive_class": name,
            "negative_class": name,
        },
        "split": {
            "parts": {one: {"cases": 3, "positive": 1} for one in ("train", "val", "test")},
            "digest": "s",
            "test_digest": "t",
            "order": "o",
            "seed": 1,
            "stratify": True,
        },
        "bands": [one | {"kind": kind} for one in (band, gap) for kind in ("quantiles", "min-max")],
        "configurations": [{"role": name, "config_id": "c", "recipe": None, "overfit": None}],
        "statements": [f"Of the cases {name}, and {name}."],
        "verdict": f"The verdict on {name}.",
        "comparisons": [pair],
        "variance": [{"role": name, "design": "d", "score": "accuracy", "components": [part]}],
        "rules": [rule],
        "selection": {"corrected": None, "best_of": None},
        "wilks": {"holds": False},
        "watched": [{"case": name, "part": None}],
        "missed": [row],
        "stories": [
            row | {"sentence": f"Case #{name} ({name}, test).", "miss_share": share} for share in (0.25, 0.01)
        ],
        "curves": {},
        "seed_scores": {name: {"accuracy": [0.5, 0.6, None]}},
        "reliability": None,
        "search": {
            "design": "tpe",
            "objective": "o",
            "seeds": [0, 1, 2],
            "winner_on_fresh_seeds": {},
            "trials": [],
            "importances": {},
            "surface": None,
        },
        "opening": None,
        "identity": {
            "backend": "numpy",
            "dtype": "float32",
            "device": "cpu",
            "draws": "seeded",
            "arithmetic": 1,
        },
        "versions": {"python": "3"},
        "seconds": {},
    }


def facts_with_all(names: Sequence[str]) -> dict:
    """One report in which each of the names has rows of its own."""
    each = [facts_with(name) for name in names]
    rows = {
        key: [row for facts in each for row in facts[key]]
        for key, value in each[0].items()
        if isinstance(value, list)
    }
    return each[0] | rows | {"seed_scores": {name: {"accuracy": [0.5, 0.6, None]} for name in names}}


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


def test_pictures_stay_pictures_whatever_their_labels_say() -> None:
    some = [HOSTILE[0], *HOSTILE[-9:]]
    facts = facts_with_all(some)
    bands = [band for band in facts["bands"] if (band["part"], band["kind"]) == ("val", "quantiles")]
    curves = {
        name: {end: [0.5, 0.4] for end in ("mean", "low", "high")} for name in ("train_loss_off", "val_loss")
    }
    shares = [{"family": name, "seeds": {"low": 0, "high": 1}, "splits": None} for name in HOSTILE]
    pictures = [
        figures.forest(bands, "x"),
        figures.every_seed(facts["seed_scores"], "val"),
        figures.credits(shares),
    ]
    for picture in [*pictures, *(figures.band_curves(curves, name, 3, 0) for name in some)]:
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
    assert not list(tmp_path.rglob("*.csv"))  # a table a spreadsheet would open and calculate
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
