"""Facts to pages. Markdown and HTML say the same, and neither states anything the facts do not."""

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jinja2
from markupsafe import Markup

from handnet.report import figures
from handnet.report.tables import grids, parts, too_few
from handnet.report.words import digits, found, interval, number, of_class, over, part_name, percent, visible
from handnet.study.store import write_whole

TEMPLATES = Path(__file__).parent / "templates"
MARKDOWN_SPECIALS = {character: f"\\{character}" for character in "\\`*_[]|#"} | {
    "<": "&lt;",
    ">": "&gt;",
    "&": "&amp;",
}


def write(facts: Mapping[str, Any], folder: Path) -> dict[str, bytes]:
    """Write report.json, report.md and report.html, each whole or not at all, and only where content changed.
    Returns them, by name, and every figure as a file of its own."""
    drawn = _figures(facts)
    pages = {
        "report.json": to_json(facts),
        "report.md": to_markdown(facts),
        "report.html": _page(facts, drawn),
    }
    written = {name: text.encode() for name, text in pages.items()}
    for name, content in written.items():
        path = folder / name
        if not path.exists() or path.read_bytes() != content:
            write_whole(path, content)
    return written | {
        f"{name.lower().replace(' ', '-')}.svg": figures.alone(one.svg) for name, one in drawn.items()
    }


def to_json(facts: Mapping[str, Any]) -> str:
    """Strict JSON: a number that is not finite would be a fault, and raises ValueError."""
    return json.dumps(facts, indent=1, allow_nan=False) + "\n"


def to_markdown(facts: Mapping[str, Any]) -> str:
    """The report for a terminal or a repository."""
    return environment(escape=False).get_template("report.md.j2").render(_context(facts))


def to_html(facts: Mapping[str, Any]) -> str:
    """The report for a browser: one file, no script, nothing fetched."""
    return _page(facts, _figures(facts))


def _page(facts: Mapping[str, Any], drawn: Mapping[str, "Picture"]) -> str:
    context = _context(facts)
    for rows in context["missed"].values():
        for row in rows[:LISTED]:
            row["strip"] = inline(figures.strip(row["score_low"], row["score_median"], row["score_high"]))
    title = f"Seed-band report: {facts['study']}"
    page = environment(escape=True).get_template("report.html.j2")
    return page.render(context | {"title": title, "figures": drawn})


def write_case(case: Mapping[str, Any], study: str, folder: Path) -> Path:
    """One case as a page of its own, beside the report. Its name is the case's place among a page's safe
    letters."""
    figure = inline(figures.credits(case["story"]["credits"])) if case.get("story") else ""
    safe = "".join(sign if sign.isalnum() else f"_{ord(sign):x}" for sign in case["case"])[:80]
    page = (
        environment(escape=True)
        .get_template("case.html.j2")
        .render(
            case=case,
            study=study,
            figure=figure,
            title=f"Case #{case['case']}: {study}",
            how_to_read_stories=HOW_TO_READ_STORIES,
        )
    )
    write_whole(folder / f"case-{safe}.html", page.encode())
    return folder / f"case-{safe}.html"


HOW_TO_READ_STORIES = (
    "Credits are exact Shapley values of each family of measurements on the logit, against the mean of the"
    " train cases of the negative class (of a text or a mark of gaps, their shares there); families that go"
    " together share theirs. A family is named when its credit, from the .05 to the .95 quantile, has one"
    " sign over seeds and over the fresh divisions that held the case out of training; over-trusted when"
    " putting it back alone turns the call in at least half of the seeds that are wrong. It says what the"
    " networks used, nothing about causes."
)


class Picture(NamedTuple):
    """A figure, what it shows in words, and what stands under it."""

    svg: bytes
    alt: str
    caption: str

    @property
    def inline(self) -> Markup:
        """As part of a page."""
        return inline(self.svg)


def _figures(facts: Mapping[str, Any]) -> dict[str, Picture]:
    """Every picture of the report, by name."""
    found = {}
    # The majority class is in the table; in the picture it would squeeze all others into a corner.
    shown = [
        band for band in facts["bands"] if band["score"] == "accuracy" and band["role"] != "majority class"
    ]
    bands = [band for band in shown if band["kind"] not in ("min-max", "clopper-pearson")]
    order = [one["role"] for one in facts["configurations"]]
    for part in parts(facts):
        rows = [
            band for band in bands if band["part"] == part or (part == "test" and band["part"] == "rehearsal")
        ]
        rows.sort(key=lambda band: order.index(band["role"]) if band["role"] in order else len(order))
        name = part_name(part)
        found["forest" if part == parts(facts)[0] else f"Bands on {name} rows"] = Picture(
            figures.forest(rows, f"accuracy on {name} rows"),
            f"Accuracy on {name} rows: the bands of the table below, one line each",
            "Each line is a band: how many were varied in brackets, and what it covers; the tick is its"
            " middle.",
        )
    last = part_name(parts(facts)[0])
    if facts["seed_scores"]:
        found["every seed"] = Picture(
            figures.every_seed(facts["seed_scores"], last),
            f"Every confirmation seed's accuracy and log loss on {last} rows",
            f"Every dot is one seed, on the {last} rows.",
        )
    for one in facts["configurations"][:1]:
        if one["role"] in facts["curves"]:
            lost = len(one["diverged"])
            found["The gap between train and validation"] = Picture(
                figures.band_curves(facts["curves"][one["role"]], one["role"], one["seeds"][2] - lost, lost),
                "Train and validation loss of the winner over epochs, mean and band over seeds",
                "The distance between the lines is the gap.",
            )
    if facts["reliability"]:
        few = "too few cases for a curve" if too_few(facts, parts(facts)[0]) else ""
        found["Calibration"] = Picture(
            figures.reliability_curve(facts["reliability"], few),
            "Share of positives against the winner's mean probability",
            f"{len(facts['reliability'])} bins of as many cases each, {last} rows.",
        )
    return found | _search_figures(facts["search"])


def _search_figures(search: Mapping[str, Any]) -> dict[str, Picture]:
    found = {}
    sound = [row for row in search["trials"] if row["value"] is not None]
    if sound:
        found["history"] = Picture(
            figures.search_history(search["trials"]),
            "The objective of each trial in order, and the best so far",
            "The search in order.",
        )
    if search["importances"]:
        found["importances"] = Picture(
            figures.importances(search["importances"]),
            "Share of the objective's variance by parameter",
            "Of a TPE search it says as much about where the search went as about the space.",
        )
    if search["surface"]:
        found["contour"] = Picture(
            figures.contour(search["surface"], sound),
            "The objective over learning rate and dropout, and its uncertainty",
            f"A Gaussian process through {search['surface']['trials']} trials, at the best one's epochs; dots"
            " are trials.",
        )
    return found


LISTED = (
    100  # cases called wrong that a page lists of one part, the most often missed first; the data holds all
)
OFTEN = 0.1  # share of the seeds that miss a case before its story is told unasked


def _context(facts: Mapping[str, Any]) -> dict[str, Any]:
    ranked = sorted(
        facts["search"]["trials"], key=lambda row: (row["value"] is None, row["value"], row["place"])
    )
    return {
        "facts": facts,
        "grids": grids(facts),
        "told": {part: _told(facts, part) for part in parts(facts)},
        "how_to_read_stories": HOW_TO_READ_STORIES,
        "ranked": ranked[:10],
        "missed": {
            part: [dict(row) for row in facts["missed"] if row["part"] == part and row["role"] == "winner"]
            for part in parts(facts)
        },
        "listed": LISTED,
    }


def _told(facts: Mapping[str, Any], part: str) -> dict[str, list[Any]]:
    """The stories of a part, those of cases that many seeds miss and the others."""
    found = [one for one in facts["stories"] if one["part"] == part]
    often = [one for one in found if one["miss_share"] >= OFTEN]
    return {"often": often, "seldom": [one for one in found if one not in often]}


def environment(escape: bool, *folders: Path) -> jinja2.Environment:
    """The templates of the report, after those in `folders`, with the words they use. escape: for HTML."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([*folders, TEMPLATES]),
        autoescape=escape,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        # In a page every plain text is a value; in Markdown what a macro returns is one too, so names are
        # seen to there.
        finalize=(lambda value: visible(value) if type(value) is str else value) if escape else None,
    )
    environment.filters |= {
        "part": part_name,
        "number": number,
        "of_class": of_class,
        "digits": digits,
        "interval": interval,
        "percent": percent,
        "found": found,
        "over": over,
        "exact": lambda v: f"{v:.6g}",
    }
    # Names come from the user's table: Markdown gets its own escaping, HTML has Jinja's.
    environment.filters["name"] = (lambda text: text) if escape else _markdown
    environment.filters["prose"] = _prose
    return environment


def _markdown(text: object) -> str:
    return "".join(MARKDOWN_SPECIALS.get(character, character) for character in visible(str(text)))


def _prose(text: object) -> str:
    """A sentence of ours, names in it included: brackets that make no link and a > between words may stay as
    they are."""
    return (
        _markdown(text).replace("\\[", "[").replace("\\]", "]").replace("](", "]\\(").replace(" &gt; ", " > ")
    )


def inline(svg: bytes) -> Markup:
    """An SVG inside a page. Its ids are made its own: several pictures share one document."""
    text = svg.decode()[svg.index(b"<svg") :]
    own = hashlib.sha256(svg).hexdigest()[:8]
    text = re.sub(r'(id="|url\(#|href="#)', rf"\g<1>{own}-", text)
    return Markup(text)
