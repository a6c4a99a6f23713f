"""Facts to pages. Markdown and HTML say the same, and neither states anything the facts do not."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import jinja2

from handnet.report.calibration_tables import calibration_table, class_calibration_table
from handnet.report.case_figures import credits, strip
from handnet.report.case_words import TOO_FEW_SEEDS, words_of
from handnet.report.class_tables import MOST, class_table, confusion_table
from handnet.report.comparison_tables import over_splits_table, rule_table, variance_table
from handnet.report.drawing import Picture, alone, inline
from handnet.report.figures import figures
from handnet.report.how_to_read import how_to_read_stories
from handnet.report.main_table import band_table, count_table, further_table, interval_table
from handnet.report.model_tables import (
    absent,
    fixed,
    in_one,
    left_out_table,
    lost_table,
    params_of,
    searched,
    why_absent,
)
from handnet.report.model_words import named, studied
from handnet.report.on_test_tables import on_test_table
from handnet.report.search_tables import (
    again_table,
    best_of_table,
    confirmed,
    ranked,
    search_table,
    selection_table,
    tried,
)
from handnet.report.tables import Grid, deviation_table, gap_table, graded_parts
from handnet.report.threshold_tables import benefit_table, look_table, threshold_seeds_table, threshold_table
from handnet.report.words import (
    cases_of,
    digits,
    doubted,
    interval,
    learnt,
    loss,
    measured,
    number,
    of_class,
    of_trials,
    over,
    part_name,
    percent,
    visible,
    written,
)
from handnet.study.files import kind_of, write_whole
from handnet.study.settings import MLP

TEMPLATES = Path(__file__).parent / "templates"
MARKDOWN_SPECIALS = {sign: f"\\{sign}" for sign in "\\`*_[]|#"} | {"<": "&lt;", ">": "&gt;", "&": "&amp;"}
LISTED = (
    100  # cases called wrong that a page lists of one part, the most often missed first; the data has all
)
OFTEN = 0.1  # share of the seeds that miss a case from which its story is shown unfolded


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
    template, words = environment(escape=True).get_template("case.html.j2"), words_of(case["judged"])
    page = template.render(
        case=case,
        study=study,
        words=words,
        figure=inline(credits(case["story"], words)) if case.get("story") else "",
        title=f"Case #{case['case']}: {study}",
        too_few_seeds=TOO_FEW_SEEDS,
        model=studied(case),
        how_to_read_stories=how_to_read_stories(case["judged"], studied(case)),
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
    grids += [confusion_table(facts)] if facts["confusion"] else []
    classes = len(facts["data"]["classes"])
    grids += _of_a_class(facts, last) if 2 < classes <= MOST else []
    grids += [interval_table(facts)] if not classes and facts["opening"] else []
    grids.append(gap_table(facts))
    grids.append(calibration_table(facts, last))
    if facts["selection"]["corrected"]:
        grids.append(selection_table(facts))
    if facts["search"]["again"]:
        grids.append(again_table(facts))
    grids += [lost_table(facts)] if facts.get("lost") else []
    grids += [left_out_table(facts)] if facts.get("left_out") else []
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
    if classes := len(facts["data"]["classes"]):
        yield deviation_table(facts, last)
    if facts["selection"]["best_of"]:
        yield best_of_table(facts)
    yield from (search_table(facts, one) for one in facts.get("other_searches", ()))
    if classes == 2:
        yield count_table(facts, last)
    if classes > MOST:
        yield from _of_a_class(facts, last)
    if classes > 2:
        yield class_calibration_table(facts, last)
    yield from _further(facts, last)
    if (grid := threshold_seeds_table(facts)).rows:
        yield grid
    for part in earlier:
        yield band_table(facts, part)
        yield from _further(facts, part)
        if classes > 2:
            yield from _of_a_class(facts, part)


def _further(facts: Mapping[str, Any], part: str) -> Iterator[Grid]:
    """The scores that are no main ones, if the part has bands of some."""
    grid = further_table(facts, part)
    if grid.rows:
        yield grid


def _of_a_class(facts: Mapping[str, Any], part: str) -> list[Grid]:
    """Recall and precision of each class, if the part has bands of them: validation rows beside an opened
    test have none."""
    grid = class_table(facts, part)
    return [grid] if grid.rows else []


def _html(facts: Mapping[str, Any], pictures: Mapping[str, Picture]) -> str:
    context = _context(facts)
    words = context["words"]
    for rows in context["missed"].values():
        ends = words.ends(rows[:LISTED])
        for row in rows[:LISTED]:
            low, middle, high = (row[name] for name in words.ends_of_band)
            row["strip"] = inline(strip(low, middle, high, ends, words.mark(row)))
    template = environment(escape=True).get_template("report.html.j2")
    return template.render(context | {"title": f"Seed-band report: {facts['study']}", "figures": pictures})


def _context(facts: Mapping[str, Any]) -> dict[str, Any]:
    """What the templates of the report are filled with."""
    missed = [row for row in facts["missed"] if row["role"] == "winner"]
    parts, models = graded_parts(facts), facts["settings"].get("models", [])
    others = [model for model in models if model["name"] != MLP]
    return {
        "facts": facts,
        "grids": tables(facts),
        "stories": {part: _stories(facts, part) for part in parts},
        "how_to_read_stories": how_to_read_stories(facts["judged"], studied(facts)),
        "words": words_of(facts["judged"]),
        "of_trials": of_trials,
        "fixed": fixed,
        "ranked": ranked(facts["search"]["trials"]),
        "confirmed": confirmed(facts["search"]),
        "model": studied(facts),
        "params": searched(facts),
        "other_models": others,
        "by_hand": not models or len(others) < len(models),
        "all_params": params_of(facts["configurations"], facts["search"]["params"]),
        "why_absent": why_absent(facts),
        "named": partial(named, facts),
        "absent": partial(absent, facts),
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
        "learnt": learnt,
        "written": written,
        "number": number,
        "of_class": of_class,
        "digits": digits,
        "interval": interval,
        "loss": loss,
        "percent": percent,
        "measured": measured,
        "over": over,
        "tried": tried,
        "in_one": in_one,
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
