"""Pages and files of results from elsewhere: every band is there, with what it is of beside it."""

import csv
import io
import json
import re
from html import unescape
from pathlib import Path

import pytest
from elsewhere import COMPARED, KINDS, bands_of, compared, results
from hostile import HOSTILE
from rich.cells import cell_len
from test_report_pages import Tags, inert_markdown

from handnet.predictions.judged import judge_results
from handnet.report.results_pages import grids, terminal, to_csv, to_html, to_markdown, write_results
from handnet.report.results_words import COLUMNS, main_scores
from handnet.report.tables import rows_of
from handnet.report.words import UNSEEN, percent


@pytest.mark.parametrize("kind", KINDS)
def test_every_band_is_in_the_table_of_all_bands(kind: str) -> None:
    facts = bands_of(kind)
    rows = list(csv.DictReader(io.StringIO(to_csv(facts))))
    assert len(rows) == len(facts["bands"])
    for row, band in zip(rows, facts["bands"], strict=True):
        assert (row["model"], row["score"], row["kind"]) == (band["role"], band["score"], band["kind"])
        assert (float(row["low"]), float(row["high"])) == (band["low"], band["high"])
        assert int(row["n"]) == band["n"]
        assert {name: float(row[name]) for name in band["centres"]} == band["centres"]


def test_the_files_say_the_same_and_are_written_once(tmp_path: Path) -> None:
    facts = bands_of("two classes")
    paths = write_results(facts, tmp_path)
    assert [path.name for path in paths] == ["bands.html", "bands.md", "bands.json", "bands.csv"]
    assert json.loads(paths[2].read_text()) == facts
    before = [path.stat().st_mtime_ns for path in paths]
    assert [path.stat().st_mtime_ns for path in write_results(facts, tmp_path)] == before


@pytest.mark.parametrize("kind", KINDS)
def test_every_format_says_where_the_rows_were_opened_and_what_is_left_out(kind: str) -> None:
    facts = bands_of(kind)
    for text in (to_markdown(facts), to_html(facts), " ".join(terminal(facts))):
        assert facts["opened"] in " ".join(text.split())
    for row in facts["left_out"]:
        assert row["what"].split(":")[0] in to_markdown(facts).replace("\\", "")


@pytest.mark.parametrize("kind", KINDS)
def test_a_terminal_of_a_hundred_columns_shows_all(kind: str) -> None:
    assert max(map(len, terminal(bands_of(kind)))) <= 100


@pytest.mark.parametrize("kind", COMPARED)
def test_a_comparison_begins_with_its_sentences(kind: str) -> None:
    facts = compared(kind)
    said = " ".join(unescape(to_markdown(facts)).replace("\\", "").split())
    assert facts["comparisons"][0]["sentence"] in " ".join(unescape(to_html(facts)).split())
    assert max(map(len, terminal(facts))) <= 100
    places = [said.index(pair["sentence"]) for pair in facts["comparisons"]]
    assert places == sorted(places)
    assert places[-1] < said.index("## Compared")


@pytest.mark.parametrize("kind", KINDS)
def test_every_column_of_bands_says_what_it_is_of(kind: str) -> None:
    """n, coverage and what varied stand in the sentence before a table, and how a band is made below it."""
    facts = bands_of(kind)
    grid = next(grid for grid in grids(facts) if grid.title == "Bands on test rows")
    shown = {
        heading for heading in grid.headings if heading in {column.heading for column in COLUMNS.values()}
    }
    assert shown
    before = {
        sentence.partition(":")[0].lower(): sentence for sentence in re.split(r"\. (?=[A-Z])", grid.before)
    }
    assert shown <= set(before)
    rows = rows_of(facts, "test", main_scores(facts))
    for name, column in COLUMNS.items():
        bands = [row[name] for row in rows if name in row]
        if not bands:
            continue
        told = before[column.heading]
        for end in (min, max):
            assert str(end(band["n"] for band in bands)) in told
            assert percent(end(band["coverage"] for band in bands)).replace(".0%", "%") in told
        assert {"seeds": "seeds", "splits": "divisions"}.get(bands[0]["varied"], "cases") in told
        assert bands[0]["inside"] is not None or all(band["kind"] in grid.after for band in bands)


@pytest.mark.parametrize("start", range(0, len(HOSTILE), 24))
def test_names_are_data_and_never_markup(start: int) -> None:
    names = [f"{place} {name[:300]}" for place, name in enumerate(HOSTILE)][start : start + 24]
    harmless = [f"harmless {place}" for place in range(len(names))]
    facts, plain = everywhere(names), everywhere(harmless)
    assert Tags(to_html(facts)).tags == Tags(to_html(plain)).tags
    assert inert_markdown(to_markdown(facts)) == inert_markdown(to_markdown(plain))
    shown = "\n".join(terminal(facts))
    assert not set(shown) & set(map(chr, UNSEEN)) - {"\n"}
    assert max(map(cell_len, shown.split("\n"))) <= 100


def everywhere(names: list[str]) -> dict:
    """Facts of bands with these names for models, labels, cases, the source, and in notes."""
    ids = [f"{names[place % len(names)]} {place}" for place in range(24)]
    labels = (names[0], names[-1])
    facts = judge_results(
        results(2, names, [2] * len(names), 24, 0, labels, names[1], ids), scores=["accuracy"]
    )
    return facts | {"notes": [f"What is said of {names[0]}."]}


def test_no_cell_of_the_table_is_a_formula() -> None:
    facts = bands_of("two classes")
    told = [band | {"role": name} for band, name in zip(facts["bands"], HOSTILE, strict=False)]
    for row in csv.reader(io.StringIO(to_csv(facts | {"bands": told}))):
        for cell in row:
            assert not cell.startswith(tuple("=+@\t\r"))
            assert not cell.startswith("-") or float(cell) < 0


@pytest.mark.parametrize("kind", COMPARED)
def test_every_band_of_a_comparison_is_in_its_table_once(kind: str) -> None:
    facts = compared(kind)
    rows = list(csv.DictReader(io.StringIO(to_csv(facts))))
    told = [(row["ours"], row["theirs"], float(row["low"]), float(row["high"])) for row in rows]
    for pair in facts["comparisons"]:
        for row in (*pair["scores"], *pair["over_splits"]):
            band = row["difference"]
            assert (pair["ours"], pair["theirs"], band["low"], band["high"]) in told
            assert any(
                (one["score"], one["kind"], one["varied"]) == (row["score"], band["kind"], band["varied"])
                for one in rows
            )
