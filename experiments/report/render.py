"""Facts to pages. Markdown and HTML say the same, and neither states anything the facts do not."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from experiments.report.figures import forest
from experiments.stores import write_whole

TEMPLATES = Path(__file__).parent / "templates"
SCORES = ("accuracy", "sensitivity", "specificity", "auc", "log_loss", "brier")
LABELS = {"auc": "AUC", "log_loss": "log loss", "brier": "Brier score", "gap": "gap", "gap_keras": "gap, Keras's"}
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
    bands = [band for band in facts["bands"] if band["score"] == "accuracy" and band["role"] != "majority class"]
    figures = {
        part: Markup(_inline(forest([band for band in bands if band["part"] == part], f"accuracy on {part} rows")))
        for part in ("test", "val")
        if any(band["part"] == part for band in bands)
    }
    return _environment(escape=True).get_template("report.html.j2").render(_context(facts) | {"figures": figures})


def table(facts: Mapping[str, Any], part: str, scores: tuple[str, ...] = SCORES) -> list[dict[str, Any]]:
    """The band table of one part: a row for each configuration and score, a cell for each kind of band."""
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for band in facts["bands"]:
        if band["part"] == part and band["score"] in scores:
            row = rows.setdefault((band["role"], band["score"]), {"role": band["role"], "score": band["score"]})
            row[band["kind"]] = band
    order = [entry["role"] for entry in facts["configurations"]]
    return sorted(rows.values(), key=lambda row: (scores.index(row["score"]), order.index(row["role"])))


def label(score: str) -> str:
    """How a score is written for people."""
    return LABELS.get(score, score)


def number(value: float | None) -> str:
    """Three decimals, or two significant digits where three decimals would show less."""
    if value is None:
        return "-"
    if value != 0 and abs(value) < 0.0095:
        return f"{value:.2g}" if math.isfinite(value) else str(value)
    return f"{value:.3f}"


def interval(band: Mapping[str, Any] | None) -> str:
    """[low, high]."""
    return "-" if band is None else f"[{number(band['low'])}, {number(band['high'])}]"


def _context(facts: Mapping[str, Any]) -> dict[str, Any]:
    parts = [part for part in ("test", "val") if any(band["part"] == part for band in facts["bands"])]
    ranked = sorted(facts["search"]["trials"], key=lambda row: (row["value"] is None, row["value"], row["place"]))
    return {
        "facts": facts,
        "tables": {part: table(facts, part) for part in parts},
        "gaps": table(facts, "gap", ("gap", "gap_keras")),
        "ranked": ranked[:10],
        "missed": {
            part: [row for row in facts["missed"] if row["part"] == part and row["role"] == "winner"] for part in parts
        },
    }


def _environment(escape: bool) -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=escape, undefined=jinja2.StrictUndefined,
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True,
    )  # fmt: skip
    environment.filters |= {
        "number": number,
        "interval": interval,
        "label": label,
        "percent": lambda v: f"{v:.1%}",
        "exact": lambda v: f"{v:.6g}",
    }
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
