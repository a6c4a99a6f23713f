"""The forest plot: what is drawn is what the facts say, and every name can be read."""

from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest
from elsewhere import COMPARED, KINDS, LONG, bands_of, compared
from hostile import HOSTILE
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg
from test_report_pages import ELEMENTS
from test_results_latex import main_score, named

from handnet.messages import Refusal
from handnet.report.forest import _fitted, forest, forest_picture, write_forest
from handnet.report.words import as_told


def ends_of(figure) -> set[tuple[float, float]]:
    """From where to where each horizontal line goes."""
    lines = [line.get_xdata() for line in figure.axes[0].lines]
    return {(float(line[0]), float(line[1])) for line in lines if len(line) == 2}


def text_of(figure) -> str:
    return " ".join(figure.get_supxlabel().split())


@pytest.mark.parametrize("kind", KINDS)
def test_every_line_is_a_band_of_the_facts(kind: str) -> None:
    facts = bands_of(kind)
    score = main_score(facts)
    bands = [band for band in facts["bands"] if band["score"] == score]
    drawn = ends_of(forest(facts))
    assert drawn <= {(band["low"], band["high"]) for band in bands}
    assert drawn >= {(band["low"], band["high"]) for band in bands if band["kind"] == "quantiles"}
    told = text_of(forest(facts))
    for band in (band for band in bands if band["kind"] == "quantiles"):
        assert f"{band['coverage']:.1%}" in told
        assert str(band["n"]) in told


@pytest.mark.parametrize("kind", COMPARED)
def test_differences_stand_beside_nothing(kind: str) -> None:
    facts = compared(kind)
    rows = [pair["decides"] for pair in facts["comparisons"]]
    figure = forest(facts)
    ends = {tuple(as_told(row["difference"][end], row["unit"]) for end in ("low", "high")) for row in rows}
    assert ends < ends_of(figure)
    assert any(list(line.get_xdata()) == [0, 0] for line in figure.axes[0].lines)
    assert len(figure.axes[0].patches) == (kind == "over splits")  # the region that counts as equal


def test_long_names_are_told_apart_and_cover_none() -> None:
    for width in (3.5, 7.6):
        figure = forest(bands_of("thirty models"), width=width)
        FigureCanvasAgg(figure).draw()
        labels = figure.axes[0].get_yticklabels()
        assert len({label.get_text() for label in labels}) == len(LONG)
        boxes = [label.get_window_extent() for label in labels]
        assert not any(one.overlaps(other) for one, other in pairwise(boxes))
        assert min(box.x0 for box in boxes) >= 0
        assert figure.axes[0].get_window_extent().width > 0.4 * figure.bbox.width


@given(st.text(min_size=1), st.integers(8, 50))
def test_a_name_has_two_lines_at_most(name: str, most: int) -> None:
    lines = _fitted(name, most).split("\n")
    assert len(lines) <= 2
    assert max(map(len, lines)) <= most


@pytest.mark.parametrize(("ending", "first"), [(".pdf", b"%PDF"), (".svg", b"<?xml"), (".png", b"\x89PNG")])
def test_a_figure_is_what_its_name_says(ending: str, first: bytes, tmp_path: Path) -> None:
    path = write_forest(bands_of("two classes"), tmp_path / f"forest{ending}")
    assert path.read_bytes().startswith(first)
    again = write_forest(bands_of("two classes"), tmp_path / f"again{ending.upper()}")
    assert again.read_bytes() == path.read_bytes()


def test_what_cannot_be_drawn_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match=r"written as \.pdf, \.svg or \.png, but .*forest\.jpg ends in '\.jpg'"):
        write_forest(bands_of("two classes"), tmp_path / "forest.jpg")
    with pytest.raises(Refusal, match="has no ending"):
        write_forest(bands_of("two classes"), tmp_path / "forest")
    with pytest.raises(Refusal, match="there is no band of 'acuracy' to draw; there are bands of accuracy"):
        forest(bands_of("two classes"), "acuracy")
    assert not list(tmp_path.iterdir())


def test_no_name_is_markup_in_a_picture() -> None:
    names = [f"{place} {name[:200]}" for place, name in enumerate(HOSTILE)]
    for start in range(0, len(names), 40):
        picture = forest_picture(named(names[start : start + 40]))
        assert {
            one.tag.rpartition("}")[2].lower() for one in ElementTree.fromstring(picture.svg).iter()
        } <= ELEMENTS
