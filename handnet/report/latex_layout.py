"""How a table of LaTeX is laid out: escapes, numbers below each other, tabulars, as many as fit on a page."""

import re
import textwrap
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from handnet.report.words import visible

WIDTH = 78  # characters of small type on the line of an article
LINES = 44  # of small type on a page of it, with the caption
HEAD = 5  # lines that the rules and headings of a tabular take
SPACE = 6  # characters around the numbers of a score
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
    """A line of a table: its first cell, as LaTeX, and the numbers of each score, None where it has none.

    above: a name that stands on lines of its own above it."""

    first: str
    cells: tuple[Numbers | None, ...]
    above: str = ""

    @property
    def height(self) -> int:
        """How many lines of the page it takes."""
        return 1 + len(over_lines(self.above))


def over_lines(name: str) -> list[str]:
    """A long name on as many lines as it needs."""
    return textwrap.wrap(visible(name), WIDTH - 16)


def tex(text: object) -> str:
    """A text that LaTeX shows as it is; what is not seen but acts becomes a question mark."""
    return "".join(map(_sign, visible(str(text))))


def _sign(sign: str) -> str:
    acts = sign == "\ufffd" or unicodedata.category(sign) in ("Cc", "Cf", "Co", "Cn", "Cs")
    return "?" if acts else SPECIALS.get(sign, sign)


def slug(text: str) -> str:
    """What a label may be made of."""
    return "-".join(re.findall(r"[A-Za-z0-9]+", text))[:40] or "results"


class Block(NamedTuple):
    """A tabular: its lines of LaTeX, and how many lines of the page it takes."""

    latex: list[str]
    height: int


def pages(models: Sequence[Sequence[Line]], start: int, stop: int) -> Iterator[list[Line]]:
    """The lines of as many models as a page has room for, with the cells of these scores."""
    held: list[Line] = []
    for lines in models:
        kept = [line._replace(cells=line.cells[start:stop]) for line in lines if any(line.cells[start:stop])]
        if held and sum(line.height for line in (*held, *kept)) > LINES - HEAD - 10:
            yield held
            held = []
        held += kept
    yield held


def chunks(lines: Sequence[Line], first: int) -> Iterator[tuple[int, int]]:
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


BAND = r"r@{ {[}}r@{, }r@{{]}}"  # the columns of a middle and its ends


def tabular(scores: Sequence[str], lines: Sequence[Line]) -> list[str]:
    """One tabular. scores: as they are written; lines: their cells in the same order."""
    columns_of = [filled([line.cells[place] for line in lines]) for place in range(len(scores))]
    heads = [
        textwrap.wrap(visible(score), 17) for score in scores
    ]  # a wider one would draw its numbers apart
    tall = max(map(len, heads))
    head = []
    for height in range(tall):
        texts = [tex(words[height - tall]) if height >= tall - len(words) else "" for words in heads]
        head.append(" & ".join(["", *(rf"\multicolumn{{3}}{{c}}{{{text}}}" for text in texts)]) + r" \\")
    rules = " ".join(rf"\cmidrule(lr){{{3 * k + 2}-{3 * k + 4}}}" for k in range(len(scores)))
    body = []
    for place, line in enumerate(lines):
        body += name_above(line.above, 3 * len(scores) + 1)
        body.append(" & ".join([line.first, *(column[place] for column in columns_of)]) + r" \\")
    columns = "l" + r"@{\quad}".join([BAND] * len(scores))
    return ruled(columns, [*head, rules], body)


def name_above(name: str, columns: int) -> list[str]:
    """Lines of a table with a long name across all columns, which does not widen them."""
    return [rf"\multicolumn{{{columns}}}{{l}}{{\rlap{{{tex(line)}}}}} \\" for line in over_lines(name)]


def ruled(columns: str, head: Iterable[str], body: Iterable[str]) -> list[str]:
    """A tabular with the rules of booktabs."""
    begin, end = rf"\begin{{tabular}}{{{columns}}}", r"\end{tabular}"
    return [begin, r"\toprule", *head, *body, r"\bottomrule", end]


def filled(cells: Sequence[Numbers | None]) -> list[str]:
    """The cells of one score as LaTeX, each number with as many decimals, or blanks for them."""
    most = [max(map(_decimals, column)) for column in zip(*(cell for cell in cells if cell), strict=True)]
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
    blank = "." * ("." not in text and decimals > 0) + "0" * (decimals - _decimals(text))
    sign = f"${text[0]}$" if text[0] in "+-" and len(text) > 1 else ""
    shown = sign + text[len(sign) and 1 :]
    return f"{shown}\\phantom{{{blank}}}" if blank else shown


def floats(blocks: Iterable[Block], caption: str, label: str) -> str:
    """Tables that fit on a page each, with as many tabulars as that has room for."""
    held: list[list[list[str]]] = []
    room = 0
    for block in blocks:
        if block.height > room:
            room = LINES - (1 if held else -(-len(caption) // WIDTH))
            held.append([])
        held[-1].append(block.latex)
        room -= block.height
    return "\n".join(_float(page, caption, label, place == 0) for place, page in enumerate(held))


def _float(page: Sequence[list[str]], caption: str, label: str, first: bool) -> str:
    """One table with its caption, or the one that goes on with it."""
    told = f"{tex(caption)}}}\\label{{{label}" if first else f"Table~\\ref{{{label}}}, continued."
    tabulars = "\n\\par\\medskip\n".join("\n".join(block) for block in page)
    head = "\\begin{table}[tbp]\n\\centering\\small"
    return f"{head}\n\\caption{{{told}}}\n\\par\\medskip\n{tabulars}\n\\end{{table}}\n"
