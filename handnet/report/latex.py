"""Results from elsewhere as a table of LaTeX, which needs booktabs alone; its caption says what it is of.

Numbers stand right-aligned, and those with fewer decimals are filled up with blanks as wide as a digit, so
that points stand below each other. A name in letters beyond the Latin ones needs XeLaTeX or LuaLaTeX.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from handnet.report.comparison_tables import in_interval, seen_in_80
from handnet.report.latex_layout import (
    BAND,
    HEAD,
    Block,
    Line,
    Numbers,
    chunks,
    filled,
    floats,
    name_above,
    pages,
    ruled,
    slug,
    tabular,
    tex,
)
from handnet.report.results_compared import adjusted, alarms, decided, read_differences
from handnet.report.results_words import (
    Row,
    means,
    parts_of,
    read_columns,
    rows_in_short,
    sizes_of,
    there,
    told_by,
)
from handnet.report.tables import label_of, role_of
from handnet.report.words import p_value, written

LONGEST = 26  # characters of a name that stands beside its numbers; a longer one stands above them
INDENTED = 19  # characters of what stands indented below a name
UNDER = {"seeds": "seeds", "splits": "divisions"}  # bands on a line of their own, below what is expected


def to_latex(facts: Mapping[str, Any], scores: Sequence[str] | None = None) -> str:
    """Facts of bands or of comparisons as tables to paste into a paper that uses booktabs.

    scores: by default the main ones, of comparisons the one that decides. A table that would not fit on a
    page goes on in another.
    """
    text = _compared(facts, scores) if facts["kind"] == "compare" else _bands(facts, scores)
    return text or f"% {tex(facts['source'])} carries no such band.\n"


def _bands(facts: Mapping[str, Any], scores: Sequence[str] | None) -> str:
    """The tables of bands; empty without any."""
    part = parts_of(facts)[0]
    rows = rows_in_short(facts, part, scores)
    if not rows:
        return ""
    columns = [name for name in there(rows) if name != "next"]
    text = [sizes_of(facts, part), means(rows), *read_columns(rows, columns), facts["opened"]]
    caption = f"Bands of {facts['source']}. {' '.join(filter(None, text))}"
    return floats(_blocks(facts, rows), caption, f"tab:bands-{slug(facts['source'])}")


def _blocks(facts: Mapping[str, Any], rows: Sequence[Row]) -> Iterator[Block]:
    """Tabulars of some scores and models, each narrow enough for a line and short enough for a page."""
    names, told = list(dict.fromkeys(row["score"] for row in rows)), told_by(rows)
    by_model: dict[str, dict[str, Row]] = {}
    for row in rows:
        by_model.setdefault(row["role"], {})[row["score"]] = row
    longest = max(len(role_of(row)) for row in rows)
    above, sizes = longest > LONGEST, _sizes(rows)
    models = [list(_lines(of_model, names, told, above, sizes)) for of_model in by_model.values()]
    for start, stop in chunks(
        [line for lines in models for line in lines], INDENTED if above else max(longest, INDENTED)
    ):
        heads = [label_of(facts, name) for name in names[start:stop]]
        for some in pages(models, start, stop):
            yield Block(tabular(heads, some), HEAD + sum(line.height for line in some))


def _lines(
    of_model: Mapping[str, Row], names: Sequence[str], told: str, above: bool, sizes: Mapping[str, float]
) -> Iterator[Line]:
    """The lines of one model: what is expected of it, and under that another seed and another split."""
    rows = [of_model.get(name, {}) for name in names]
    own = [next((name for name in (told, *UNDER) if name in row), "") for row in rows]
    name = role_of(next(row for row in rows if row))
    cells = [_numbers(row, of, sizes) if of else None for row, of in zip(rows, own, strict=True)]
    yield Line(r"\quad " + told if above else tex(name), tuple(cells), name if above else "")
    for column, what in UNDER.items():
        held = [row[column]["n"] for row in rows if column in row]
        if held and column not in own:
            under = [_numbers(row, column, sizes) if column in row else None for row in rows]
            yield Line(rf"\quad over {held[0]} {what}", tuple(under))


def _sizes(rows: Iterable[Row]) -> dict[str, float]:
    """The largest number of each score: by it all have as many decimals, where they are in a unit."""
    sizes: dict[str, float] = {}
    for row in rows:
        for column in ("expected", *UNDER):
            if column in row:
                ends = abs(row[column]["low"]), abs(row[column]["high"])
                sizes[row["score"]] = max(sizes.get(row["score"], 0.0), *ends)
    return sizes


def _numbers(row: Row, column: str, sizes: Mapping[str, float]) -> Numbers:
    """The middle and the ends of a band, as text; without the middle of another seed below what is expected,
    which has it."""
    band, ends = row[column], {"low": -sizes[row["score"]], "high": sizes[row["score"]]}
    mean: float | None = next(iter(band["centres"].values()), None)
    if column == "expected" and "seeds" in row:
        mean = row["seeds"]["centres"]["mean"]
    low, middle, high = (written(value, row["score"], ends) for value in (band["low"], mean, band["high"]))
    return "" if column == "seeds" and "expected" in row else middle, low, high


def _compared(facts: Mapping[str, Any], scores: Sequence[str] | None) -> str:
    """The tables of comparisons; empty without any."""
    rows = [(pair, row) for pair, row in decided(facts) if scores is None or row["score"] in scores]
    if not rows:
        return ""
    told = ", ".join(dict.fromkeys(label_of(facts, row["score"]) for _, row in rows))
    unit = {"per cent": ", in per cent", "": ""}.get(rows[0][1]["unit"], f", in {rows[0][1]['unit']}")
    many = sum(adjusted(row) is not None for _, row in rows)
    holm = f", adjusted by Holm's method among {many} pairs" if many > 1 else ""
    read = read_differences(facts, [row for _, row in rows])
    caption = (
        f"Differences of {facts['source']}: {told}{unit}. {read} p is"
        f" two-sided{holm}; seen: the smallest true difference that 80 of 100 studies would have seen;"
        " false alarms: how often the test finds a difference where there is none, as simulated, in per cent"
        f" with 95% of the simulation. {facts['opened']}"
    )
    return floats(_pair_blocks(rows), caption, f"tab:compared-{slug(facts['source'])}")


PAIRS = 15  # of a table on one page, as each may take two lines


def _pair_blocks(rows: Sequence[tuple[Mapping[str, Any], Row]]) -> Iterator[Block]:
    """Tabulars of pairs."""
    above = any(len(pair["ours"]) + len(pair["theirs"]) > LONGEST for pair, _ in rows)
    for start in range(0, len(rows), PAIRS):
        some = rows[start : start + PAIRS]
        body = []
        for (pair, row), cells in zip(some, filled([_difference(row) for _, row in some]), strict=True):
            first, lines = f"{tex(pair['ours'])} -- {tex(pair['theirs'])}", list[str]()
            if above:
                names = f"{pair['ours']} against {pair['theirs']}"
                first, lines = r"\quad " + tex(row["score"]), name_above(names, 7)
            holm = adjusted(row)
            p, seen = p_value(row["p"] if holm is None else holm), seen_in_80(row, row["unit"]).split(" ")[0]
            body += [*lines, rf"{first} & {cells} & {p} & {tex(seen)} & {_alarms(row)} \\"]
        head = [r" & \multicolumn{3}{c}{difference} & $p$ & seen & false alarms \\", r"\midrule"]
        yield Block(ruled(rf"l{BAND}@{{\quad}}rrr", head, body), HEAD + len(body))


def _alarms(row: Row) -> str:
    """How often the test errs, in per cent."""
    return tex(alarms(row).replace("%", ""))


def _difference(row: Row) -> Numbers:
    """A difference and the ends of its band."""
    told = in_interval(row["difference"], row["unit"], row.get("widest"))
    mean, low, high = told.replace("[", "").replace("]", "").replace(",", "").split()
    return mean, low, high
