"""The tables of results from elsewhere: their bands, their hard cases, and how two models compare."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from handnet.report.calibration_tables import calibration_table, class_calibration_table
from handnet.report.case_words import words_of
from handnet.report.class_tables import MOST, confusion_table
from handnet.report.main_table import count_table
from handnet.report.model_words import MODELS
from handnet.report.results_words import (
    COLUMNS,
    Row,
    first_middle,
    how_made,
    main_scores,
    means,
    parts_of,
    read_columns,
    rows_in_short,
    sizes_of,
    there,
)
from handnet.report.score_names import OF_A_CLASS
from handnet.report.tables import Grid, deviation_table, label_of, role_of, rows_of, scores_of
from handnet.report.words import in_band, interval, measure, number, over, part_name, percent

LISTED, HARD = 10, 15  # hard cases that are listed of each model, and of all; the data has more


def bands_grids(facts: Mapping[str, Any]) -> list[Grid]:
    """The tables of facts of bands, in the order of reading; those for the reader who checks are details."""
    last, *earlier = parts_of(facts)
    grids = [bands_grid(facts, last)]
    grids += list(_hard(facts))
    grids += _filled(_as_models(calibration_table({**facts, **MODELS}, last)) if facts["task"] else None)
    if 2 < len(facts["data"]["classes"]) <= MOST:
        grids += _filled(_of_classes(facts, last))
    details = [*_details(facts, last), *(bands_grid(facts, part) for part in earlier)]
    return grids + [replace(grid, detail=True) for grid in details]


def bands_grid(
    facts: Mapping[str, Any], part: str, scores: Sequence[str] | None = None, title: str = ""
) -> Grid:
    """One table of bands: a row for each score and model, a column for each kind of band there is.

    scores: by default the main ones.
    """
    rows = rows_of(facts, part, main_scores(facts) if scores is None else tuple(scores))
    columns = there(rows)
    headings = ("score", "model", "mean", *(COLUMNS[name].heading for name in columns))
    cells = [
        (
            label_of(facts, row["score"]),
            role_of(row),
            first_middle(row),
            *(_cell(row, name) for name in columns),
        )
        for row in rows
    ]
    before = " ".join(filter(None, [sizes_of(facts, part), means(rows), *read_columns(rows, columns)]))
    title = title or f"Bands on {part_name(part)} rows"
    return Grid(title, before, headings, cells, how_made(facts, rows, columns))


def _cell(row: Row, name: str) -> str:
    """The band of one column. That over divisions has a mean of its own."""
    if name == "splits":
        return in_band(row.get(name))
    if name == "seeds" and name not in row and ("cases" in row or "expected" in row):
        return "no seed"
    return interval(row.get(name))


def _filled(grid: Grid | None) -> list[Grid]:
    """A table that has rows, or none."""
    return [grid] if grid is not None and grid.rows else []


def _as_models(grid: Grid) -> Grid:
    """A table of a study's configurations as one of models."""
    headings = tuple("model" if heading == "configuration" else heading for heading in grid.headings)
    return replace(grid, headings=headings)


def _of_classes(facts: Mapping[str, Any], part: str) -> Grid:
    """Recall and precision of each class."""
    count = len(facts["data"]["classes"])
    names = tuple(f"{kind}_{place}" for place in range(count) for kind in OF_A_CLASS)
    return bands_grid(facts, part, names, f"Recall and precision of each class, on {part_name(part)} rows")


def _details(facts: Mapping[str, Any], part: str) -> Iterator[Grid]:
    """The tables for the reader who checks."""
    classes, further = len(facts["data"]["classes"]), scores_of(facts, main=False)
    further = tuple(name for name in further if not name.startswith(OF_A_CLASS))
    if facts["task"]:
        yield from _filled(bands_grid(facts, part, further, f"Further scores on {part_name(part)} rows"))
    yield from _filled(_further_bands(facts, part))
    if facts["task"] and classes == 2:
        yield from _filled(_as_models(count_table(facts, part)))
    if facts["task"] and classes:
        yield from _filled(_as_models(deviation_table(facts, part)))
    if classes > MOST:
        yield from _filled(_of_classes(facts, part))
    if classes > 2 and facts["task"]:
        yield from _filled(_as_models(class_calibration_table(facts, part)))
    for found in facts.get("confusion") or ():
        yield confusion_table({**facts, "confusion": found}, f"'{found['role']}'")


def _further_bands(facts: Mapping[str, Any], part: str) -> Grid:
    """The bands that have no column in the main table: extremes, and the exact intervals of shares."""
    others = ("extremes", "split_extremes", "exact")
    rows = [
        (
            label_of(facts, row["score"]),
            role_of(row),
            over(row[name]),
            interval(row[name]),
            _assured(row[name]),
        )
        for row in rows_of(facts, part, main_scores(facts))
        for name in others
        if name in row
    ]
    return Grid(
        f"Further bands on {part_name(part)} rows",
        "What follows the name of a model is how the band is made, over how many values, and what it"
        " covers. At least: the share it holds with confidence 95 %.",
        ("score", "model", "made", "band", "at least"),
        rows,
    )


def _assured(band: Mapping[str, Any]) -> str:
    return "-" if band["assured"] is None else percent(band["assured"])


def _hard(facts: Mapping[str, Any]) -> Iterator[Grid]:
    """What the seeds of each model make of the cases; the cases that are hard for several; those of each."""
    if facts.get("doubt"):
        yield _doubt(facts)
    if facts.get("cases"):
        yield _hard_for_several(facts)
    if facts.get("missed"):
        yield _missed(facts)


def _doubt(facts: Mapping[str, Any]) -> Grid:
    """How many cases most and some seeds of each model miss."""
    off = _off(facts)
    rows = [
        (
            row["role"],
            part_name(row["part"]),
            str(row["cases"]),
            str(row["seeds"]),
            str(row["mostly"]),
            str(row["some"]),
            f"{row['differing']:.1f}",
        )
        for row in facts["doubt"]
    ]
    differ = "two seeds apart on" if off else "two seeds differ on"
    headings = ("model", "part", "cases", "seeds", "missed by most seeds", "by 5 to 50 % of them", differ)
    return Grid(
        "Cases in doubt",
        f"How many cases the seeds of a model {off or 'call wrong'}, and on how many two of them differ, on"
        " average. None of these numbers grows with the number of seeds.",
        headings,
        rows,
    )


def _off(facts: Mapping[str, Any]) -> str:
    """Of a number, when a guess counts as wrong."""
    tolerance = (facts.get("judged") or {}).get("tolerance")
    return "" if tolerance is None else f"guess wrong by more than {measure(tolerance)}"


def _hard_for_several(facts: Mapping[str, Any]) -> Grid:
    """The cases that most seeds of several models miss."""
    several = len({row["split"] for row in facts["cases"]}) > 1
    rows = [
        (
            f"#{row['case']}",
            *((row["split"],) if several else ()),
            row["truth"] if isinstance(row["truth"], str) else measure(row["truth"]),
            f"{row['hard_for']} of {row['models']} models",
            percent(row["share"]),
        )
        for row in facts["cases"][:HARD]
    ]
    return Grid(
        "Cases that are hard for several models",
        "A case is hard for a model where more than half of its seeds miss it. The share is that of all"
        f" seeds, the mean over the models. At most {HARD} are listed; the data file has more.",
        ("case", *(("division",) if several else ()), "truth", "hard for", "seeds that miss it"),
        rows,
    )


def _missed(facts: Mapping[str, Any]) -> Grid:
    """The cases that each model misses most often."""
    words, rows = words_of(facts["judged"]), list[tuple[str, ...]]()
    listed: dict[str, int] = {}
    for row in facts["missed"]:
        if row["part"] != parts_of(facts)[0] or listed.get(row["role"], 0) == LISTED:
            continue
        listed[row["role"]] = listed.get(row["role"], 0) + 1
        share = f"[{number(row['miss_low'])}, {number(row['miss_high'])}]"
        rows.append(
            (
                row["role"],
                f"#{row['case']}",
                words.truth(row),
                f"{row['misses']} of {row['seeds']} seeds",
                share,
                *words.further(row),
                words.value(row),
            )
        )
    return Grid(
        "The cases that each model misses most",
        f"At most {LISTED} of each model; the data file has all. In brackets the share of further seeds that"
        " would miss it, Wilson over the seeds, 95 %; last what the seeds give the case, the median and the"
        " quantiles .025 to .975 over them.",
        (
            "model",
            "case",
            words.truth_heading,
            words.wrong_heading,
            "[95 %]",
            *words.more,
            words.value_heading,
        ),
        rows,
        detail=len(facts["configurations"]) > 1,
    )


def terminal_bands(facts: Mapping[str, Any]) -> Grid:
    """The main table in few columns: the mean, another seed, what is expected, and another split."""
    part = parts_of(facts)[0]
    rows = rows_in_short(facts, part)
    shown = [name for name in there(rows) if name != "next"]
    cells = [
        (
            label_of(facts, row["score"]),
            role_of(row),
            first_middle(row),
            *(_cell(row, name) for name in shown),
        )
        for row in rows
    ]
    before = " ".join(filter(None, [sizes_of(facts, part), means(rows), *read_columns(rows, shown)]))
    return Grid("", before, ("score", "model", "mean", *(COLUMNS[name].heading for name in shown)), cells)
