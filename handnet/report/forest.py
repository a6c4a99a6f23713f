"""The forest plot of results from elsewhere: the bands of each model, or the differences of each pair."""

import io
import textwrap
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from handnet.messages import Refusal
from handnet.report.drawing import (
    BLUE,
    GREEN,
    INK,
    PINK,
    STYLE,
    Picture,
    alone,
    as_svg,
    band_line,
    tick,
    whole_ticks,
)
from handnet.report.figures import DIFFERENCES
from handnet.report.results_compared import decided, read_differences
from handnet.report.results_words import COLUMNS, Row, extent, main_scores, parts_of, rows_in_short, there
from handnet.report.tables import label_of, role_of
from handnet.report.words import as_told, part_name, visible
from handnet.study.files import write_whole

FORMATS = (".pdf", ".svg", ".png")
COLUMN, PAGE = 3.5, 7.6  # inches: a column of a journal, and the page for a browser
MOST = 60  # rows that a figure shows
LINES = {"expected": "thick line", "seeds": "thin line", "splits": "dotted line"}  # how a column is drawn


def forest(facts: Mapping[str, Any], score: str | None = None, width: float = COLUMN) -> Figure:
    """The bands of one score, a row a model, or the differences of one score, a row a pair, as a matplotlib
    figure.

    score: by default the one that is read first; width: in inches. Raises Refusal for a score of which the
    facts have no band.
    """
    with mpl.rc_context(STYLE | _small(width)):
        if facts["kind"] == "compare":
            return _differences(facts, score, width)
        return _bands(facts, score, width)


def write_forest(facts: Mapping[str, Any], path: str | Path, score: str | None = None) -> Path:
    """Write the forest plot as .pdf, .svg or .png, as the name of the file ends, whole or not at all.

    score: as in `forest`. Raises Refusal for another ending, and OSError."""
    path = Path(path)
    ending = picture_ending(path)
    figure = forest(facts, score)
    with mpl.rc_context(STYLE | {"pdf.fonttype": 42}):
        content = alone(as_svg(figure)) if ending == ".svg" else _saved(figure, ending[1:])
    write_whole(path, content)
    return path


def picture_ending(path: Path) -> str:
    """How the name of a picture ends, in small letters. Raises Refusal for another ending than .pdf, .svg and
    .png."""
    ending = path.suffix.lower()
    if ending in FORMATS:
        return ending
    shown = f"ends in {path.suffix!r}" if path.suffix else "has no ending"
    raise Refusal(f"a figure is written as {', '.join(FORMATS[:-1])} or {FORMATS[-1]}, but {path} {shown}.")


def forest_picture(facts: Mapping[str, Any]) -> Picture | None:
    """The forest plot inside a page, with its caption; None where the facts have no band to draw."""
    names = _scores(facts)
    if not names:
        return None
    figure = forest(facts, width=PAGE)
    with mpl.rc_context(STYLE):
        svg = as_svg(figure)
    return Picture(svg, f"{caption(facts)} The numbers are in the table below.", caption(facts))


def caption(facts: Mapping[str, Any], score: str | None = None) -> str:
    """What the forest plot shows: what is drawn how, over what, and what it holds."""
    if facts["kind"] == "compare":
        found = [row for _, row in decided(facts)]
        region = " Shaded: what counts as equal, by convention." * any("rope" in row for row in found)
        some = f" The first {MOST} of {len(found)} pairs." * (len(found) > MOST)
        return f"Tick: the mean difference; line: its band. {read_differences(facts, found)}{region}{some}"
    rows = _rows(facts, score or _scores(facts)[0])
    told = []
    for name in (name for name in there(rows) if name in LINES):
        line = LINES[name]
        told.append(f"{line}: {COLUMNS[name].heading} ({extent([row[name] for row in rows if name in row])})")
    shown = label_of(facts, rows[0]["score"])
    where = f"{shown[0].upper()}{shown[1:]} on {part_name(parts_of(facts)[0])} rows"
    every = len(facts["configurations"])
    some = f" The first {MOST} of {every} models." * (every > MOST)
    return f"{where}. Tick: the mean; {'; '.join(told)}.{some}"


def _small(width: float) -> dict[str, Any]:
    """The letters of a narrow figure."""
    return {"font.size": 8} if width < PAGE else {}


def _saved(figure: Figure, ending: str) -> bytes:
    """The figure as a PDF or a PNG on white."""
    buffer = io.BytesIO()
    metadata = {"CreationDate": None} if ending == "pdf" else {}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        figure.savefig(buffer, format=ending, dpi=300, facecolor="white", metadata=metadata)
    return buffer.getvalue()


def _scores(facts: Mapping[str, Any]) -> tuple[str, ...]:
    """The scores that can be drawn, the one that is read first at the front."""
    if facts["kind"] == "bands":
        return main_scores(facts)
    return tuple(
        dict.fromkeys(pair["decides"]["score"] for pair in facts["comparisons"] if pair.get("decides"))
    )


def _rows(facts: Mapping[str, Any], score: str) -> list[dict[str, Any]]:
    """The rows of one score, as many as a figure shows."""
    return rows_in_short(facts, parts_of(facts)[0], (score,))[:MOST]


def _bands(facts: Mapping[str, Any], score: str | None, width: float) -> Figure:
    """A row for each model: thick what is expected, thin another seed, dotted another split."""
    names = {band["score"] for band in facts["bands"]}
    score = score or next(iter(main_scores(facts)), "")
    if score not in names:
        known = ", ".join(sorted(names)) or "nothing"
        raise Refusal(f"there is no band of {score!r} to draw; there are bands of {known}.")
    rows = _rows(facts, score)
    figure, axes = _canvas([role_of(row) for row in rows], width, _note(facts, score, width))
    for place, row in enumerate(rows):
        _model(axes, row, place)
    axes.set(
        xlabel=f"{label_of(facts, score)} on {part_name(parts_of(facts)[0])} rows",
        ylim=(len(rows) - 0.4, -0.6),
    )
    _finish(axes)
    return figure


def _model(axes: Axes, row: Row, place: int) -> None:
    """The bands of one model at one height, and its mean."""
    expected = row.get("expected")
    if expected:
        band_line(axes, expected, place, GREEN, 4)
    if "seeds" in row:
        band_line(axes, row["seeds"], place + (0.22 if expected else 0), BLUE, 1.4)
    if "splits" in row:
        band_line(axes, row["splits"], place - (0.22 if expected else 0), PINK, 1.4, linestyle=(0, (1, 1)))
    first = expected or row.get("seeds") or row.get("splits")
    if first:
        tick(axes, next(iter(first["centres"].values())), place, 7, 1.4)


def _canvas(names: Sequence[str], width: float, note: str) -> tuple[Figure, Axes]:
    """A figure with a row for each name, at most two lines of what there is room for, and a note."""
    small = width < PAGE
    labels = [_fitted(name, 22 if small else 44) for name in names]
    each = (0.29 if small else 0.36) if any("\n" in label for label in labels) else 0.25
    lines = textwrap.wrap(note, 66)
    figure = Figure(figsize=(width, 0.62 + each * len(names) + 0.11 * len(lines)), layout="constrained")
    axes = figure.subplots()
    axes.set_yticks(range(len(names)), labels)
    if lines:
        figure.supxlabel("\n".join(lines), fontsize=6.5, x=0.02, ha="left")
    return figure, axes


def _note(facts: Mapping[str, Any], score: str, width: float) -> str:
    """What stands under a figure that has no caption of its own: one on a page has."""
    return caption(facts, score) if width < PAGE else ""


def _fitted(name: str, most: int) -> str:
    """A name on at most two lines of so many characters; of one longer still the middle is left out, because
    names that begin alike differ at the end."""
    line = visible(name)
    if len(line) <= most:
        return line
    first, *rest = textwrap.wrap(line, most)
    if len(rest) == 1:
        return f"{first}\n{rest[0]}"
    start = line[: most - 1].rpartition(" ")[0] if " " in line[most // 2 : most - 1] else line[: most - 1]
    end = line[-most:]
    end = end.partition(" ")[2] if " " in end[: most // 2] else end
    return f"{start}\u2026\n{end}"


def _finish(axes: Axes) -> None:
    axes.locator_params(axis="x", nbins=5)
    whole_ticks(axes.xaxis)
    axes.grid(axis="x")


def _differences(facts: Mapping[str, Any], score: str | None, width: float) -> Figure:
    """A row for each pair: the difference in its band, beside 0."""
    rows = [
        (f"{pair['ours']} - {pair['theirs']}", pair["decides"])
        for pair in facts["comparisons"]
        if pair.get("decides") and score in (None, pair["decides"]["score"])
    ][:MOST]
    if not rows:
        raise Refusal("there is no difference to draw.")
    unit, name = rows[0][1]["unit"], label_of(facts, rows[0][1]["score"])
    figure, axes = _canvas([pair for pair, _ in rows], width, _note(facts, name, width))
    widths = [row["rope"]["width"] for _, row in rows if "rope" in row]
    if widths:
        axes.axvspan(
            as_told(-widths[0], unit), as_told(widths[0], unit), color=GREEN, alpha=0.18, linewidth=0
        )
    axes.axvline(0, color=INK, alpha=0.4, linewidth=1)
    for place, (_, row) in enumerate(rows):
        ends = {end: as_told(row["difference"][end], unit) for end in ("low", "high")}
        band_line(axes, ends, place, PINK, 4)
        tick(axes, as_told(row["difference"]["centres"]["mean"], unit), place, 7, 1.4)
    axes.set(xlabel=DIFFERENCES.get(unit, "{}: difference").format(name), ylim=(len(rows) - 0.4, -0.6))
    _finish(axes)
    return figure
