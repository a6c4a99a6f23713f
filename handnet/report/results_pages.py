"""Results from elsewhere as pages and files: Markdown, HTML, CSV, JSON, and lines for a terminal.

All say the same, and none states anything that the facts do not.
"""

import io
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from handnet.report.forest import forest_picture
from handnet.report.model_tables import left_out_table
from handnet.report.pages import environment, to_json
from handnet.report.results_compared import compare_grids, terminal_pairs
from handnet.report.results_tables import bands_grids, terminal_bands
from handnet.report.results_words import answer
from handnet.report.tables import Grid
from handnet.report.words import visible
from handnet.study.files import kind_of, write_whole
from handnet.study.spreadsheet import csv_of

HEADINGS = {"bands": "Bands", "compare": "Compared"}
SAID = 6  # pairs that stand in words above the tables; the others are folded, or follow


def to_markdown(facts: Mapping[str, Any]) -> str:
    """Facts of bands or of comparisons for a terminal, a repository or a page of CI."""
    return environment(escape=False).get_template("results.md.j2").render(_context(facts))


def to_html(facts: Mapping[str, Any]) -> str:
    """The same for a browser: one file, no script, nothing fetched."""
    picture = forest_picture(facts)
    figures = {"forest": picture} if picture else {}
    template = environment(escape=True).get_template("results.html.j2")
    title = f"{HEADINGS[facts['kind']]}: {facts['source']}"
    return template.render(_context(facts) | {"title": title, "figures": figures})


def to_csv(facts: Mapping[str, Any]) -> str:
    """Every band of the facts, a row each; a text that a spreadsheet would run gets a quote before it."""
    rows = map(_flat, facts["bands"]) if facts["kind"] == "bands" else _compared(facts)
    return csv_of(rows).decode()


def write_results(facts: Mapping[str, Any], folder: Path) -> list[Path]:
    """Write bands.html, .md, .json and .csv, or compare.*, and return their paths, the page first.

    Each is written whole or not at all, and only where its content changed. Raises OSError."""
    texts = {"html": to_html, "md": to_markdown, "json": to_json, "csv": to_csv}
    paths = []
    for ending, write in texts.items():
        path, content = folder / f"{facts['kind']}.{ending}", write(facts).encode()
        if kind_of(path) != "a file" or path.read_bytes() != content:
            write_whole(path, content)
        paths.append(path)
    return paths


def grids(facts: Mapping[str, Any]) -> list[Grid]:
    """Every table of the facts in the order of reading, what is left out last."""
    found = bands_grids(facts) if facts["kind"] == "bands" else compare_grids(facts)
    first = [grid for grid in found if not grid.detail]
    left_out = [left_out_table(facts)] if facts["left_out"] else []
    return [*first, *left_out, *(grid for grid in found if grid.detail)]


def terminal_grid(facts: Mapping[str, Any]) -> Grid:
    """The one table that a terminal shows."""
    return terminal_bands(facts) if facts["kind"] == "bands" else terminal_pairs(facts)


def sentences(facts: Mapping[str, Any]) -> list[str]:
    """What the results say, in words: of bands one answer, of comparisons the sentence of each pair."""
    if facts["kind"] == "bands":
        return [answer(facts)]
    return [pair["sentence"] for pair in facts["comparisons"]]


def terminal(facts: Mapping[str, Any], width: int = 100) -> list[str]:
    """Lines for a terminal: what the results say, one table that fits so many columns, what is left out.

    All of it is visible: no name can move the cursor. Names are broken over lines, never cut short.
    """
    said = sentences(facts)
    lines = [line for text in said[:SAID] for line in (*_wrapped(text, width), "")]
    more = len(said) - SAID
    lines += [f"{more} more pairs stand in the pages.", ""] if more > 0 else []
    grid, listed = terminal_grid(facts), 60
    lines += _table(replace(grid, rows=grid.rows[:listed]), width) if grid.rows else []
    lines += [f"{len(grid.rows) - listed} more rows stand in the pages."] if len(grid.rows) > listed else []
    lines += ["", *_wrapped(grid.before, width)] if grid.before else [""]
    lines += [line for note in facts["notes"] for line in _wrapped(f"Note: {note}", width)]
    left_out = ", ".join(row["what"] for row in facts["left_out"])
    lines += (
        _wrapped(f"Left out, for reasons that stand in the pages: {left_out}.", width) if left_out else []
    )
    return [*lines, *_wrapped(facts["opened"], width)]


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(visible(text), width)


def _table(grid: Grid, width: int) -> list[str]:
    """A table as lines, without rules; a first cell that the row above has too is left blank."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in grid.headings:
        table.add_column(Text(heading), overflow="fold")
    before = ""
    for first, *cells in grid.rows:
        table.add_row(*(Text(visible(cell)) for cell in ("" if first == before else first, *cells)))
        before = first
    console = Console(width=width, file=io.StringIO(), color_system=None, highlight=False)
    with console.capture() as captured:
        console.print(table)
    return [line.rstrip() for line in captured.get().splitlines()]


def _context(facts: Mapping[str, Any]) -> dict[str, Any]:
    """What the templates are filled with."""
    said = sentences(facts)
    return {
        "facts": facts,
        "heading": HEADINGS[facts["kind"]],
        "answers": said[:SAID],
        "further": said[SAID:],
        "grids": grids(facts),
    }


def _flat(band: Mapping[str, Any]) -> dict[str, Any]:
    """A band as a row: its middles in columns of their names."""
    row = {("model" if key == "role" else key): value for key, value in band.items() if key != "centres"}
    return row | dict(band["centres"])


def _compared(facts: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Every band of every pair once, wherever in its facts it stands."""
    for pair in facts["comparisons"]:
        head = {"ours": pair["ours"], "theirs": pair["theirs"]}
        places = {key: value for key, value in pair.items() if key != "decides"}
        for where, record, name, band in _bands_in(places):
            plain = {key: value for key, value in record.items() if not isinstance(value, dict | list)}
            yield head | {"where": where, "what": name} | plain | _flat(band)


def _bands_in(value: Any, where: str = "") -> Iterator[tuple[str, Mapping[str, Any], str, Mapping[str, Any]]]:
    """Every band inside some facts: the path to it, the record it stands in, its name there, and itself."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        path = f"{where}.{key}".strip(".") if isinstance(key, str) else where
        if isinstance(inner, dict) and {"low", "high", "centres"} <= set(inner):
            yield where or path, value if isinstance(value, dict) else {}, str(key), inner
        yield from _bands_in(inner, path)
