"""Results from elsewhere as a table of LaTeX, which needs booktabs alone; its caption says what it is of.

Numbers stand right-aligned, and those with fewer decimals are filled up with blanks as wide as a digit, so
that points stand below each other. A name in letters beyond the Latin ones needs XeLaTeX or LuaLaTeX.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from handnet.report.results_words import (
    Row,
    first_middle,
    main_scores,
    means,
    parts_of,
    read_columns,
    sizes_of,
    there,
    told_by,
)
from handnet.report.tables import label_of, role_of, rows_of
from handnet.report.words import interval, middle, visible

WIDTH = 74  # characters of small type on the line of an article
LINES = 40  # of a table on one page
HEAD = 6  # lines of one that are not of a model
SPACE = 6  # characters around the numbers of a score
LONGEST = 26  # characters of a name on one line
UNDER = ("seeds", "splits")  # bands on a line of their own, below what is expected
SPECIALS = {sign: f"\\{sign}" for sign in "&%$#_{}"} | {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\char34{}",
    "`": r"\char96{}",
    "-": "-{}",  # two of them would be a dash
    "[": "{[}",  # behind a line break it would be the argument of that
    "]": "{]}",
}


Numbers = tuple[str, str, str]  # the middle of a band and its ends, as text


class Line(NamedTuple):
    """A line of a table: its first cell, as LaTeX, and the numbers of each score, None where it has none."""

    first: str
    cells: tuple[Numbers | None, ...]


def to_latex(facts: Mapping[str, Any], scores: Sequence[str] | None = None) -> str:
    """Facts of bands or of comparisons as tables to paste into a paper with booktabs.

    scores: by default the main ones, of comparisons the one that decides. A table that would not fit on a
    page goes on in another.
    """
    part = parts_of(facts)[0]
    rows = rows_of(facts, part, main_scores(facts) if scores is None else tuple(scores))
    if not rows:
        return f"% {tex(facts['source'])} carries no such band.\n"
    columns = [name for name in there(rows) if name != "next"]
    text = [sizes_of(facts, part), means(rows), *read_columns(rows, columns), facts["opened"]]
    caption = f"Bands of {facts['source']}. {' '.join(filter(None, text))}"
    return "\n".join(_floats(list(_blocks(facts, rows)), caption, f"tab:bands-{_slug(facts['source'])}"))


def tex(text: object) -> str:
    """A text that LaTeX shows as it is; what is not seen but acts becomes a question mark."""
    kept = "".join(
        "?" if sign == "\ufffd" or unicodedata.category(sign) in ("Cc", "Cf", "Co", "Cn", "Cs") else sign
        for sign in visible(str(text))
    )
    return "".join(SPECIALS.get(sign, sign) for sign in kept)


def tex_name(name: str) -> str:
    """A name that may be broken where it has a sign, and a long run of letters anywhere."""
    pieces = re.findall(r"[^\W_]{1,14}|.", visible(name), re.DOTALL)
    return "".join(f"{tex(piece)}{'' if piece == ' ' else BREAK}" for piece in pieces).removesuffix(BREAK)


BREAK = r"\allowbreak{}"


def _slug(text: str) -> str:
    """What a label may be made of."""
    return "-".join(re.findall(r"[A-Za-z0-9]+", text))[:40] or "results"


def _blocks(facts: Mapping[str, Any], rows: Sequence[Row]) -> Iterator[list[str]]:
    """Tabulars of some scores and models, each as its lines, narrow enough for a line of the paper and short
    enough for a page of it."""
    names, told = list(dict.fromkeys(row["score"] for row in rows)), told_by(rows)
    by_model: dict[str, dict[str, Row]] = {}
    for row in rows:
        by_model.setdefault(row["role"], {})[row["score"]] = row
    models = [list(_lines(of_model, names, told)) for of_model in by_model.values()]
    longest = max(len(role_of(row)) for row in rows)
    for start, stop in _chunks([line for lines in models for line in lines], min(longest, LONGEST)):
        heads = [label_of(facts, name) for name in names[start:stop]]
        for some in _pages(models, start, stop):
            yield _tabular(heads, some, longest > LONGEST)


def _pages(models: Sequence[Sequence[Line]], start: int, stop: int) -> Iterator[list[Line]]:
    """The lines of as many models as a page has room for, with the cells of these scores."""
    held: list[Line] = []
    for lines in models:
        kept = [Line(line.first, line.cells[start:stop]) for line in lines if any(line.cells[start:stop])]
        if held and len(held) + len(kept) > LINES - HEAD:
            yield held
            held = []
        held += kept
    yield held


def _lines(of_model: Mapping[str, Row], names: Sequence[str], told: str) -> Iterator[Line]:
    """The lines of one model: what is expected of it, and under that another seed and another split."""
    rows = [of_model.get(name, {}) for name in names]
    own = [next((name for name in (told, "cases", *UNDER) if name in row), "") for row in rows]
    first = next(row for row in rows if row)
    cells = [_numbers(row, name) if name else None for row, name in zip(rows, own, strict=True)]
    yield Line(tex_name(role_of(first)), tuple(cells))
    for name in UNDER:
        held = [row[name]["n"] for row in rows if name in row]
        if held and name not in own:
            what = "divisions" if name == "splits" else "seeds"
            under = [_numbers(row, name, name == "splits") if name in row else None for row in rows]
            yield Line(rf"\quad over {held[0]} {what}", tuple(under))


def _numbers(row: Row, name: str, with_middle: bool = True) -> Numbers:
    """The middle and the ends of a band, as text."""
    low, high = interval(row[name]).strip("[]").split(", ")
    mean = middle(row[name]) if name == "splits" else first_middle(row)
    return mean if with_middle else "", low, high


def _chunks(lines: Sequence[Line], first: int) -> Iterator[tuple[int, int]]:
    """From which to which score a line of the paper has room. first: characters of its first cell."""
    start, used, scores = 0, first, len(lines[0].cells)
    for place in range(scores):
        numbers = [cell for line in lines if (cell := line.cells[place])]
        width = SPACE + sum(max(map(len, column)) for column in zip(*numbers, strict=True))
        if place > start and used + width > WIDTH:
            yield start, place
            start, used = place, first
        used += width
    yield start, scores


def _tabular(scores: Sequence[str], lines: Sequence[Line], wide: bool) -> list[str]:
    """One tabular. scores: as they are written; lines: their cells in the same order."""
    filled = [_filled([line.cells[place] for line in lines]) for place in range(len(scores))]
    spec = r"@{\quad}".join([r"r@{ {[}}r@{, }r@{{]}}"] * len(scores))
    first = r"p{0.3\linewidth}" if wide else "l"
    head = " & ".join(["", *(rf"\multicolumn{{3}}{{c}}{{{tex(score)}}}" for score in scores)])
    rules = " ".join(rf"\cmidrule(lr){{{3 * k + 2}-{3 * k + 4}}}" for k in range(len(scores)))
    body = []
    for place, line in enumerate(lines):
        own = rf"\raggedright {line.first}" if wide else line.first
        body.append(" & ".join([own, *(column[place] for column in filled)]) + r" \\")
    return [
        rf"\begin{{tabular}}{{{first}{spec}}}",
        r"\toprule",
        rf"{head} \\",
        rules,
        *body,
        r"\bottomrule",
        r"\end{tabular}",
    ]


def _filled(cells: Sequence[tuple[str, str, str] | None]) -> list[str]:
    """The cells of one score as LaTeX, each number with as many decimals, or blanks for them."""
    texts = zip(*(cell for cell in cells if cell), strict=True)
    most = [max(map(_decimals, column)) for column in texts]
    return [
        r"\multicolumn{3}{c}{--}"
        if cell is None
        else " & ".join(_number(text, decimals) for text, decimals in zip(cell, most, strict=True))
        for cell in cells
    ]


def _decimals(text: str) -> int:
    return len(text.partition(".")[2])


def _number(text: str, decimals: int) -> str:
    """A number with blanks for the decimals that it has not; a minus as long as a plus."""
    if not text:
        return ""
    missing = decimals - _decimals(text)
    blank = "." * ("." not in text and decimals > 0) + "0" * missing
    shown = f"$-${text[1:]}" if text.startswith("-") and len(text) > 1 else text
    return f"{shown}\\phantom{{{blank}}}" if blank else shown


def _floats(blocks: Sequence[list[str]], caption: str, label: str) -> Iterator[str]:
    """Tables that fit on a page each, with as many tabulars as that has room for."""
    pages: list[list[list[str]]] = []
    for block in blocks:
        if not pages or sum(map(len, pages[-1])) + len(block) > LINES:
            pages.append([])
        pages[-1].append(block)
    for place, page in enumerate(pages):
        told = tex(caption) if place == 0 else f"Continued from Table~\\ref{{{label}}}."
        yield "\n".join(
            [
                r"\begin{table}[tbp]",
                r"\centering\small",
                rf"\caption{{{told}}}",
                *([rf"\label{{{label}}}"] if place == 0 else []),
                *"\n\n\\medskip\n".join("\n".join(block) for block in page).split("\n"),
                r"\end{table}",
                "",
            ]
        )
