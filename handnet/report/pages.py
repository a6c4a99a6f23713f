"""Facts to pages. Markdown and HTML say the same, and neither states anything the facts do not."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import jinja2

from handnet.report.case_figures import credits, strip
from handnet.report.comparison_tables import over_splits_table, rule_table, variance_table
from handnet.report.drawing import alone, inline
from handnet.report.figures import Picture, figures
from handnet.report.main_table import band_table, count_table
from handnet.report.on_test_tables import on_test_table
from handnet.report.search_tables import again_table, best_of_table, selection_table
from handnet.report.tables import Grid, calibration_table, deviation_table, gap_table, graded_parts
from handnet.report.threshold_tables import benefit_table, look_table, threshold_seeds_table, threshold_table
from handnet.report.words import (
    cases_of,
    digits,
    doubted,
    interval,
    loss,
    measured,
    number,
    of_class,
    over,
    part_name,
    percent,
    visible,
)
from handnet.study.files import kind_of, write_whole
from handnet.study.naming import told

TEMPLATES = Path(__file__).parent / "templates"
MARKDOWN_SPECIALS = {sign: f"\\{sign}" for sign in "\\`*_[]|#"} | {"<": "&lt;", ">": "&gt;", "&": "&amp;"}
LISTED = (
    100  # cases called wrong that a page lists of one part, the most often missed first; the data has all
)
OFTEN = 0.1  # share of the seeds that miss a case from which its story is shown unfolded
HOW_TO_READ_STORIES = (
    "Credits are exact Shapley values of each family of measurements on the logit: what its own values add to"
    " the mean train case of the negative class (of a text or a mark of gaps, their shares there). They lead"
    " from that case's logit to the case's own. Families whose columns correlate above .9 are one. They are"
    " measured on hybrids, which have the case's values in some families and the mean case's in the others;"
    " how many of these lie outside the cloud of the train cases is said. A family is named when its credit,"
    " from the .05 to the .95 quantile, has one sign over seeds and over the fresh divisions that held the"
    " case out of training, and when the sign is the same with the other families taken from the 10 nearest"
    " train cases of the negative class instead (after Aas, Jullum & Loland 2021; the mean of at most 20"
    " seeds). It is over-trusted when putting it back alone turns the call in at least half of the seeds that"
    " are wrong. All of this says what the networks used, nothing about causes. " + told()
)


def write(facts: Mapping[str, Any], folder: Path) -> dict[str, bytes]:
    """Write report.json, .md and .html, each whole or not at all, and only where content changed.

    Returns them, by name, and every figure as a file of its own.
    """
    pictures = figures(facts)
    texts = {
        "report.json": to_json(facts),
        "report.md": to_markdown(facts),
        "report.html": _html(facts, pictures),
    }
    files = {name: text.encode() for name, text in texts.items()}
    for name, content in files.items():
        path = folder / name
        if kind_of(path) != "a file" or path.read_bytes() != content:
            write_whole(path, content)
    return files | {
        f"{name.lower().replace(' ', '-')}.svg": alone(drawn.svg) for name, drawn in pictures.items()
    }


def to_json(facts: Mapping[str, Any]) -> str:
    """Strict JSON: a number that is not finite would be a fault, and raises ValueError."""
    return json.dumps(facts, indent=1, allow_nan=False) + "\n"


def to_markdown(facts: Mapping[str, Any]) -> str:
    """The report for a terminal or a repository."""
    return environment(escape=False).get_template("report.md.j2").render(_context(facts))


def to_html(facts: Mapping[str, Any]) -> str:
    """The report for a browser: one file, no script, nothing fetched."""
    return _html(facts, figures(facts))


def write_case(case: Mapping[str, Any], study: str, folder: Path) -> Path:
    """Write one case as a page of its own beside the report, and return its path.

    case: as `Cases.watched` gives it. The file bears the id, in which other signs than letters are codes.
    """
    safe = "".join(sign if sign.isalnum() else f"_{ord(sign):x}" for sign in case["case"])[:80]
    template = environment(escape=True).get_template("case.html.j2")
    page = template.render(
        case=case,
        study=study,
        figure=inline(credits(case["story"])) if case.get("story") else "",
        title=f"Case #{case['case']}: {study}",
        how_to_read_stories=HOW_TO_READ_STORIES,
    )
    path = folder / f"case-{safe}.html"
    write_whole(path, page.encode())
    return path


def tables(facts: Mapping[str, Any]) -> list[Grid]:
    """Every table of numbers in the order of reading: the bands, what is decided by them, the details."""
    last, *earlier = graded_parts(facts)
    grids = [band_table(facts, last)]
    if any(pair["over_splits"] for pair in facts["comparisons"]):
        grids.append(over_splits_table(facts, decides=True))
    grids += [look_table(facts)] if facts["looks"] else []
    grids += [threshold_table(facts)] if facts["thresholds"]["points"] else []
    grids += [benefit_table(facts)] if facts["net_benefit"]["thresholds"] else []
    grids += [gap_table(facts), calibration_table(facts, last)]
    if facts["selection"]["corrected"]:
        grids.append(selection_table(facts))
    if facts["search"]["again"]:
        grids.append(again_table(facts))
    return grids + [replace(grid, detail=True) for grid in _details(facts, last, earlier)]


def _details(facts: Mapping[str, Any], last: str, earlier: Sequence[str]) -> Iterator[Grid]:
    """The tables for the reader who checks."""
    if any(pair["over_splits"] for pair in facts["comparisons"]):
        yield over_splits_table(facts, decides=False)
    if any(pair["on_test"] for pair in facts["comparisons"]):
        yield on_test_table(facts)
    yield rule_table(facts)
    if facts["variance"]:
        yield variance_table(facts)
    yield deviation_table(facts, last)
    if facts["selection"]["best_of"]:
        yield best_of_table(facts)
    yield count_table(facts, last)
    if facts["thresholds"]["points"]:
        yield threshold_seeds_table(facts)
    for part in earlier:
        yield band_table(facts, part)


def _html(facts: Mapping[str, Any], pictures: Mapping[str, Picture]) -> str:
    context = _context(facts)
    for rows in context["missed"].values():
        for row in rows[:LISTED]:
            row["strip"] = inline(strip(row["score_low"], row["score_median"], row["score_high"]))
    template = environment(escape=True).get_template("report.html.j2")
    return template.render(context | {"title": f"Seed-band report: {facts['study']}", "figures": pictures})


def _context(facts: Mapping[str, Any]) -> dict[str, Any]:
    """What the templates of the report are filled with."""
    trials = facts["search"]["trials"]
    ranked = sorted(trials, key=lambda trial: (trial["value"] is None, trial["value"], trial["place"]))
    missed = [row for row in facts["missed"] if row["role"] == "winner"]
    parts = graded_parts(facts)
    return {
        "facts": facts,
        "grids": tables(facts),
        "stories": {part: _stories(facts, part) for part in parts},
        "how_to_read_stories": HOW_TO_READ_STORIES,
        "ranked": ranked[:10],
        "missed": {part: [dict(row) for row in missed if row["part"] == part] for part in parts},
        "doubts": {row["part"]: doubted(row) for row in facts["doubt"] if row["role"] == "winner"},
        "listed": LISTED,
    }


def _stories(facts: Mapping[str, Any], part: str) -> dict[str, list[Any]]:
    """The stories of a part, of cases that many seeds miss and of the others."""
    stories = [story for story in facts["stories"] if story["part"] == part]
    return {
        "often": [story for story in stories if story["miss_share"] >= OFTEN],
        "seldom": [story for story in stories if story["miss_share"] < OFTEN],
    }


def environment(escape: bool, *folders: Path) -> jinja2.Environment:
    """The templates of the report, after those in `folders`, with the words they use. escape: for HTML."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([*folders, TEMPLATES]),
        autoescape=escape,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        # In a page every plain text is a value. In Markdown what a macro returns is plain text too, so names
        # are made visible where they stand.
        finalize=(lambda value: visible(value) if type(value) is str else value) if escape else None,
    )
    environment.filters |= {
        "part": part_name,
        "cases_of": cases_of,
        "number": number,
        "of_class": of_class,
        "digits": digits,
        "interval": interval,
        "loss": loss,
        "percent": percent,
        "measured": measured,
        "over": over,
        "exact": lambda value: f"{value:.6g}",
        # Names come from the user's table: Markdown gets its own escaping, HTML has Jinja's.
        "name": (lambda text: text) if escape else _markdown,
        "prose": _prose,
    }
    return environment


def _markdown(text: object) -> str:
    return "".join(MARKDOWN_SPECIALS.get(sign, sign) for sign in visible(str(text)))


def _prose(text: object) -> str:
    """A sentence with names in it: brackets that make no link, and a > between words, stay as they are."""
    return (
        _markdown(text).replace("\\[", "[").replace("\\]", "]").replace("](", "]\\(").replace(" &gt; ", " > ")
    )
