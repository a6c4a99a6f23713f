"""Pages and files of results from elsewhere: every band is there, with what it is of beside it."""

import csv
import io
import json
from pathlib import Path

import pytest
from elsewhere import KINDS, bands_of, compared

from handnet.report.results_pages import terminal, to_csv, to_html, to_markdown, write_results


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


@pytest.mark.parametrize("kind", ["over seeds", "over splits"])
def test_a_comparison_begins_with_its_sentences(kind: str) -> None:
    facts = compared(kind)
    said = " ".join(to_markdown(facts).replace("\\", "").split())
    places = [said.index(pair["sentence"]) for pair in facts["comparisons"]]
    assert places == sorted(places)
    assert places[-1] < said.index("## Compared")
