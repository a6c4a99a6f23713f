"""What the form of a cell tells: a date, a price, a word for a gap. And numbers, taken out of what is written
around them."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from handnet.data import MOST_LISTED
from handnet.tables.numerals import LARGEST, NUMBER, is_number

# Words that stand for a gap among numbers, in lower case; among texts they are texts like any other.
NUMBER_GAPS = frozenset(
    "? ?? - -- --- . .. ... * ** \u2013 \u2014 none missing unknown unk undefined nil".split()
    + "n.a. n.a na. n.d. nd k.a. #div/0! #value! #ref! #name? #num! #null! #n/v #error! #spill!".split()
    + "#calc! #wert! #bezug! #zahl! sysmis sysmiss ._".split()
    + [f".{letter}" for letter in "abcdefghijklmnopqrstuvwxyz"]  # of SAS and Stata
    + ["not available", "not applicable", "not known", "not done", "no data", "n. a.", "k. a."]
)
CURRENCY = r"(?:[$€£¥₹₽₩₺₪¢]|US\$|USD|EUR|GBP|CHF|JPY|CNY|INR|RUB|CAD|AUD|Rs\.?|kr\.?)"
LETTER = r"[^\W\d_²³¹¼½¾⁰-⁹]"
UNIT = rf"(?:°|{LETTER})(?:{LETTER}|[ ./*^°%-]|10\^\d+){{0,11}}[23²³]?"
UNITS = set("g kg mg ug µg ng m km cm mm l dl ml s ms h d w y c f hz pa kb mb gb eur usd gbp".split())
# Words after a number that multiply it: they are not left out like a unit.
MULTIPLES = set("k K M B bn mn Tsd Tsd. Mio Mio. Mrd Mrd. lakh crore".split())
MULTIPLES |= set("thousand million millions billion billions".split())
GROUPS = ".,'\u2019 \u00a0\u202f"  # what stands between thousands, where it is no decimal mark
DIGITS = rf"[+-]?(?:\d[\d{GROUPS}]*(?<=\d)|\d+\.|[.,]\d+)(?:[eE][+-]?\d+)?"
DECORATED = re.compile(
    rf"(?P<sign>[+-]?)\s*(?P<before>{CURRENCY})?\s*(?P<digits>{DIGITS})\s*(?P<after>[%‰]|{CURRENCY}|{UNIT})?"
)
MONTH = r"(?:jan|feb|m[aä]r|apr|ma[iy]|jun|jul|aug|sep|o[ck]t|nov|de[cz])[a-zä]*\.?"
TIME = r"\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?(?:\s?[AaPp]\.?[Mm]\.?)?"
ZONE = r"(?:\s?(?:Z|UTC|GMT|[+-]\d{2}:?\d{2}))?"
DAY = "|".join(
    [
        r"\d{4}([-/.])\d{1,2}\1\d{1,2}",  # 2024-01-31
        r"\d{1,2}([-/.])\d{1,2}\2(?:\d{4}|\d{2})",  # 31.01.2024, 1/31/24
        rf"\d{{1,2}}[-. ]+{MONTH}(?:[-. ,]+(?:\d{{4}}|\d{{2}}))?",  # 31-Jan-2024, 31. Januar
        rf"{MONTH}[-. ]+\d{{1,2}},? \d{{4}}",  # Jan 31, 2024
        rf"{MONTH}[-. ]+\d{{4}}",  # Jan 2024
        r"(?:19|20)\d{2}[-/.](?:0?[1-9]|1[0-2])",  # 2024-01
        r"(?:0?[1-9]|1[0-2])[-/.](?:19|20)\d{2}",  # 01/2024
        rf"\d{{1,2}}{MONTH}\d{{4}}",  # 31JAN2024, as SAS writes it
        rf"{MONTH}[- ']\d{{2}}",  # Jan-24
        rf"{MONTH} +\d{{1,2}} {TIME} \d{{4}}",  # Jan 31 12:00:00 2024
        r"(?:19|20)\d{2}-?W[0-5]\d(?:-?[1-7])?",  # 2024-W05-3
        r"(?:19|20)\d{2}[- ]?Q[1-4]|Q[1-4][-/ ]?(?:19|20)\d{2}",  # 2024Q1
        r"\d{4}年\d{1,2}月\d{1,2}日",
    ]
)


class Form(NamedTuple):
    """A form that cells may have.

    name: what cells of it are. levels: whether a few of them are levels of a text. number: whether a number
    can be taken out of one. usual: whether levels of a text often have it, as bands of ages have.
    """

    name: str
    pattern: re.Pattern[str]
    levels: bool = True
    number: bool = False
    usual: bool = False


def _form(name: str, pattern: str, *, levels: bool = True, number: bool = False, usual: bool = False) -> Form:
    return Form(name, re.compile(pattern, re.IGNORECASE), levels, number, usual)


FORMS = (
    _form("formulas, which begin with '='", r"=[\s\S]*", levels=False),
    _form("infinite values", r"[+-]?inf(?:inity)?", levels=False),
    _form("dates", rf"(?:[a-z]{{2,9}},? )?(?:{DAY})(?:[ T,:]+{TIME}{ZONE})?"),
    _form("times", TIME),
    _form("hexadecimal numbers", r"[+-]?0x[0-9a-f]+"),
    _form("numbers with underscores", r"[+-]?\d+(?:_\d+)+(?:\.\d+)?"),
    _form("numbers with a % sign", rf"{DIGITS}\s*[%‰]", number=True),
    _form(
        "numbers with a currency sign", rf"[+-]?(?:{CURRENCY}\s*{DIGITS}|{DIGITS}\s*{CURRENCY})", number=True
    ),
    _form(
        "numbers with marks between thousands",
        r"[+-]?\d{1,3}(?:([,.'\u2019 \u00a0\u202f])\d{3})(?:\1\d{3})*(?:[.,]\d*)?",
        levels=False,
        number=True,
    ),
    _form("numbers with a decimal comma", r"[+-]?\d*,\d+(?:e[+-]?\d+)?", levels=False, number=True),
    _form("numbers with a limit sign", r"[<>≤≥=~]{1,2}\s*[+-]?\d+(?:[.,]\d+)?\s*%?", usual=True),
    _form(
        "two numbers in a cell", r"[+-]?\d+(?:[.,]\d+)?\s*(?:/|-|\u2013|to|x|;)\s*\d+(?:[.,]\d+)?", usual=True
    ),
    _form("numbers with the sign behind or apart", rf"\d[\d.,]*[.,]\d+\s*-|[+-]\s+{DIGITS}", number=True),
    _form("numbers in brackets", rf"\(\s*(?:{CURRENCY}\s*)?(?=[\d.,]){DIGITS}\s*[%‰]?\)", number=True),
    _form("numbers with a unit", rf"{DIGITS}\s*{UNIT}", number=True),
)
TOO_LARGE = Form(f"numbers above {LARGEST:.0e}", re.compile("x"), levels=False)
SEVERAL = Form("numbers written in several ways", re.compile("x"), number=True)
MANY_DIGITS = "numbers of more digits than a float64 holds"
TOO_LONG = Form(f"whole {MANY_DIGITS}", re.compile("x"), levels=False, number=True)


def form_of(cell: str) -> Form | None:
    """The form of a cell that is no plain number; None when it is one, or a word like any other."""
    if NUMBER.fullmatch(cell):
        return None if is_number(cell) else TOO_LARGE if abs(float(cell)) > LARGEST else TOO_LONG
    return next((form for form in FORMS if form.pattern.fullmatch(cell)), None)


def common_form(cells: Iterable[str]) -> Form | None:
    """The form that all of these cells have, if there is one; SEVERAL where each has one with a number."""
    forms = set[Form]()
    for cell in cells:
        form = form_of(cell)
        if form is None or (forms and form not in forms and not all(one.number for one in (form, *forms))):
            return None
        forms.add(form)
    return SEVERAL if len(forms) > 1 else forms.pop() if forms else None


def take_numbers(cells: Mapping[str, int], decimal: str = "") -> tuple[dict[str, float], list[str]]:
    """The number in each cell that has one, and what was taken off, in words.

    cells: how often each stands in its column. One sign or unit, the most frequent, is taken off, and so are
    marks between groups of three digits. decimal: the decimal mark of these cells, if it is known.
    """
    parts = {cell: part for cell in cells if (part := _part(cell))}
    around = Counter[tuple[str, str]]()
    for cell, part in parts.items():
        around[part.before, part.after] += cells[cell]
    around.pop(("", ""), None)
    usual = around.most_common(1)[0][0] if around else ("", "")
    bare = any(not part.before and not part.after for part in parts.values())
    if bare and all(part.is_code for part in parts.values() if part.after):
        usual = ("", "")  # 12 and 12a are codes
    kept = {cell: part for cell, part in parts.items() if (part.before, part.after) in {usual, ("", "")}}
    pointed = any("." in cell for cell in kept if NUMBER.fullmatch(cell))
    read = {mark: _read(kept, mark) for mark in decimal or ("." if pointed else ".,")}
    mark = max(read, key=lambda mark: sum(cells[cell] for cell in read[mark]))
    taken = [f"'{part}'" for part in usual if part]
    found = {mark for cell in read[mark] for mark in re.findall(rf"(?<=\d)[{GROUPS}](?=\d{{3}})", cell)}
    taken += [f"{between!r} between thousands" for between in sorted(found - {mark})]
    negative = {cell[-1] for cell in read[mark] if kept[cell].negative}
    taken += ["brackets around negative numbers"] * (")" in negative)
    taken += ["minus signs behind numbers"] * ("-" in negative)
    return read[mark], taken


class _Part(NamedTuple):
    """A cell with a number in it.

    is_code: whether the number ends in one letter or two, without a blank, and these are no common unit."""

    negative: bool
    before: str
    digits: str
    after: str
    is_code: bool


def _part(cell: str) -> _Part | None:
    """The parts of a cell that is a number with something around it."""
    form = form_of(cell)
    bracketed = re.fullmatch(r"\(\s*([^-+].*?)\s*\)", cell) or re.fullmatch(r"(\d[\d.,]*)\s*-", cell)
    match = DECORATED.fullmatch(bracketed[1] if bracketed else cell)
    if not match or form is TOO_LARGE or (form is not None and not form.number):
        return None
    after = (match["after"] or "").strip()
    if after in MULTIPLES:
        return None
    is_code = re.search(rf"\d{LETTER}{{1,2}}$", cell) is not None and after.lower() not in UNITS
    digits = match["sign"] + match["digits"].strip()
    return _Part(bracketed is not None, match["before"] or "", digits, after, is_code)


def _read(parts: Mapping[str, _Part], decimal: str) -> dict[str, float]:
    """The numbers of the cells whose digits are grouped as this decimal mark allows."""
    groups = GROUPS.replace(decimal, "")
    whole = re.compile(
        rf"([+-]?[+-]?)(\d{{1,3}}(?:([{groups}])\d{{3}}(?:\3\d{{3}})*)?|\d*)"
        rf"(?:{re.escape(decimal)}(\d*))?([eE][+-]?\d+)?"
    )
    numbers: dict[str, float] = {}
    for cell, part in parts.items():
        found = whole.fullmatch(part.digits)
        if found and (found[2] or found[4]) and len(found[1]) < 2:
            digits = re.sub(r"\D", "", found[2]) or "0"
            value = float(f"{found[1]}{digits}.{found[4] or 0}{found[5] or ''}")
            if abs(value) <= LARGEST:
                numbers[cell] = -value if part.negative else value
    return numbers


def spelt(words: Mapping[str, int]) -> str:
    """Each word with its count, the most frequent first: '?' (9), empty (2)."""
    ordered = sorted(words.items(), key=lambda item: (-item[1], item[0]))
    listed = [f"{shown(word) if word else 'empty'} ({count})" for word, count in ordered[:MOST_LISTED]]
    more = len(ordered) - len(listed)
    return ", ".join(listed) + (f" and {more} other words" if more else "")


def shown(cell: str) -> str:
    """A cell in quotes, cut where it is longer than a word."""
    return repr(cell if len(cell) <= 30 else f"{cell[:27]}...")
