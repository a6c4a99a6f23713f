"""Facts to pages. Markdown and HTML say the same, and neither states anything the facts do not."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from experiments.report.figures import forest
from experiments.report.tables import grids, parts
from experiments.report.words import interval, number, percent
from experiments.stores import write_whole

TEMPLATES = Path(__file__).parent / "templates"
MARKDOWN_SPECIALS = {character: f"\\{character}" for character in "\\`*_[]|#"} | {
    "<": "&lt;",
    ">": "&gt;",
    "&": "&amp;",
    "\n": " ",
}


def write(facts: Mapping[str, Any], folder: Path) -> Path:
    """Write report.json, report.md and report.html, each whole or not at all, and only where content changed."""
    pages = {"report.json": to_json(facts), "report.md": to_markdown(facts), "report.html": to_html(facts)}
    for name, text in pages.items():
        path = folder / name
        if not path.exists() or path.read_bytes() != text.encode():
            write_whole(path, text.encode())
    return folder


def to_json(facts: Mapping[str, Any]) -> str:
    """Strict JSON: a number that is not finite would be a fault, and raises ValueError."""
    return json.dumps(facts, indent=1, allow_nan=False) + "\n"


def to_markdown(facts: Mapping[str, Any]) -> str:
    """The report for a terminal or a repository."""
    return _environment(escape=False).get_template("report.md.j2").render(_context(facts))


def to_html(facts: Mapping[str, Any]) -> str:
    """The report for a browser: one file, no script, nothing fetched."""
    # The majority class is in the table; in the picture it would squeeze all others into a corner.
    shown = [band for band in facts["bands"] if band["score"] == "accuracy" and band["role"] != "majority class"]
    bands = [band for band in shown if band["kind"] not in ("min-max", "clopper-pearson")]
    figures = {
        part: Markup(
            _inline(
                forest(
                    [
                        band
                        for band in bands
                        if band["part"] == part or (part == "test" and band["part"] == "rehearsal")
                    ],
                    f"accuracy on {part} rows",
                )
            )
        )
        for part in ("test", "val")
        if any(band["part"] == part for band in bands)
    }
    return _environment(escape=True).get_template("report.html.j2").render(_context(facts) | {"figures": figures})


def _context(facts: Mapping[str, Any]) -> dict[str, Any]:
    ranked = sorted(facts["search"]["trials"], key=lambda row: (row["value"] is None, row["value"], row["place"]))
    return {
        "facts": facts,
        "grids": list(grids(facts)),
        "ranked": ranked[:10],
        "missed": {
            part: [row for row in facts["missed"] if row["part"] == part and row["role"] == "winner"]
            for part in parts(facts)
        },
    }


def _environment(escape: bool) -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=escape, undefined=jinja2.StrictUndefined,
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True,
    )  # fmt: skip
    environment.filters |= {"number": number, "interval": interval, "percent": percent, "exact": lambda v: f"{v:.6g}"}
    # Names come from the user's table: Markdown gets its own escaping, HTML has Jinja's.
    environment.filters["name"] = (lambda text: text) if escape else _markdown
    environment.filters["prose"] = lambda text: (
        _markdown(text).replace("\\[", "[").replace("\\]", "]").replace("](", "]\\(")
    )
    return environment


def _markdown(text: object) -> str:
    return "".join(MARKDOWN_SPECIALS.get(character, character) for character in str(text))


def _inline(svg: bytes) -> str:
    return svg.decode()[svg.index(b"<svg") :]
