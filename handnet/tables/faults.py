"""What stops a table, and how its reader goes on: all columns at once, each with the options that mend it."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from handnet.messages import option
from handnet.tables.cells import shown, spelt

MOST_ROWS = 20  # of a refusal
# What an option does to a column.
DOES = {
    "number": "makes gaps of what is no number",
    "read": "reads the numbers",
    "text": "takes it as text",
    "leave": "leaves it out",
    "id": "names the cases by it",
}


class Fault(NamedTuple):
    """A column that stops a table.

    what: it holds. ways: to go on, in words. options: one for each way, the best one first: an option of
    `read_table` that names the column, or what `missing` is to be, or "positive" or "task".
    value: what such an option of the target is to be; "" leaves it out.
    """

    column: str
    what: str
    ways: str
    options: tuple[str, ...]
    value: str = ""


class Unusable(ValueError):
    """Columns that stop a table. Its text is a sentence, a line for each column, and the options that go on.

    suggested: options of `read_table` with which the table is read; None where no options can do that.
    """

    def __init__(
        self,
        faults: Sequence[Fault],
        suggested: Mapping[str, Any] | None = None,
        why: str = "",
        file: str = "",
    ) -> None:
        self.faults, self.suggested, self.why = faults, suggested, why
        one = len(faults) == 1
        count = (
            "one column cannot be used as it is"
            if one
            else f"{len(faults)} columns cannot be used as they are"
        )
        self.lines = [f"{file}{count}:", *_aligned(faults)]
        last = [_read_with(suggested)] if suggested else [why] if why else []
        super().__init__("\n".join([*self.lines, *last]))


def _read_with(options: Mapping[str, Any]) -> str:
    """The sentence that names the options with which a table is read, and those that are left out."""
    given = ", ".join(option(name, value) for name, value in options.items() if value)
    left_out = ", ".join(option(name) for name, value in options.items() if not value)
    ways = [f"with {given}"] * bool(given) + [f"without {left_out}"] * bool(left_out)
    return f"It is read {' and '.join(ways)}."


def _aligned(faults: Sequence[Fault]) -> list[str]:
    rows = [(shown(fault.column), fault.what, fault.ways) for fault in faults[:MOST_ROWS]]
    first, second = (max(len(row[place]) for row in rows) for place in (0, 1))
    lines = [f"  {column:{first}}  {what:{second}}  {ways}" for column, what, ways in rows]
    more = len(faults) - len(rows)
    return lines + ([f"  and {more} more columns"] if more else [])


def column_fault(name: str, what: str, ways: Sequence[str]) -> Fault:
    """The fault of a column that holds something else than was taken for granted.

    ways: keys of DOES, the best one first."""
    known = dict.fromkeys(ways)
    options = {way: "number" if way == "read" else way for way in known}
    words = [f"{option(options[way], name if way == 'id' else [name])} {DOES[way]}" for way in known]
    return Fault(name, what, "; ".join(words), tuple(options.values()))


def gaps_fault(name: str, words: Mapping[str, int], rows: int) -> Fault:
    """The fault of a column with gaps, of which nothing says what is done about them."""
    median, drop = option("missing", "median"), option("missing", "drop")
    what = f"gaps in {sum(words.values())} of {rows} cells: {spelt(words)}"
    return Fault(name, what, f"{median} fills them in; {drop} leaves their rows out", ("median", "drop"))


def labels_fault(name: str, words: Mapping[str, int], rows: int, kind: str) -> Fault:
    """The fault of a target that rows lack. kind: "label" or "number"."""
    what = f"no {kind} in {sum(words.values())} of {rows} rows: {spelt(words)}"
    ways = f"{option('missing', 'drop')} leaves their rows out, and so does {option('missing', 'median')}"
    return Fault(name, what, ways, ("drop", "median"))
