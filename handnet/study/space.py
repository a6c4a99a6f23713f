"""The space that a search draws from: named axes, each a range of numbers or a choice of values.

An axis is written as a text (`2..10`, `1e-4..1e-1 log`, `gini,entropy`, `["16,8", "32"]`), in TOML
({low = 2, high = 10} or a list), or in Python ((2, 10), (1e-4, 1e-1, "log"), a list, a range). A range is one
of whole numbers where both ends are written so."""

import csv
import json
import math
import re
import tomllib
from collections.abc import Hashable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

import numpy as np

from handnet.messages import nearest, shown
from handnet.study.values import MOST, Inconsistent

DIGITS = 6  # of a number that is proposed, so that a person can copy it
NUMBER = r"[+-]?(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][+-]?\d+)?"
RANGE = re.compile(rf"\s*({NUMBER})\s*\.\.\s*({NUMBER})(\s+log)?\s*")
VALUES = "texts, finite numbers, truth values, none, or lists of these"
FORMS = "write 2..10, 0.1..0.9, 1e-4..1e-1 log, or a choice as in gini,entropy"


@dataclass(frozen=True)
class Range:
    """The numbers from low to high, both included.

    log: they are searched on a logarithmic scale; whole: only whole numbers are meant. Raises ValueError,
    with a text that goes on from the name of the axis, for ends that are no ends of a range."""

    low: float
    high: float
    log: bool = False
    whole: bool = False

    def __post_init__(self) -> None:
        for key in ("low", "high"):
            object.__setattr__(self, key, self._end(key, getattr(self, key)))
        if self.low > self.high:
            raise ValueError(f" must have low <= high, but has {self.low} and {self.high}")
        if self.log and self.low <= 0:
            raise ValueError(f".low must be above 0 (it is {self.low}): its logarithm is taken")

    def _end(self, key: str, value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, Real) or not _is_finite(value):
            raise ValueError(f".{key} must be a finite number, but is {shown(value)}")
        end = float(value)
        if self.whole and not (end.is_integer() and abs(end) <= MOST):
            raise ValueError(f".{key} must be a whole number of at most {MOST}, but is {shown(value)}")
        return int(end) if self.whole else end

    def value(self, unit: float) -> float:
        """The value at a place of the unit interval; each whole number has an equal share of it."""
        low, high = self.low, self.high + self.whole
        value = low * (high / low) ** unit if self.log else low + unit * (high - low)
        value = float(np.clip(value, self.low, self.high))
        return math.floor(value) if self.whole else value

    def unit(self, value: float) -> float:
        """The place of a value in the unit interval: low is at 0, high at 1."""
        if self.high == self.low:
            return 0.0
        if self.log:
            return float(np.log(value / self.low) / np.log(self.high / self.low))
        return float((value - self.low) / (self.high - self.low))

    def short(self, value: float) -> float:
        """The value with DIGITS digits, still within the range; a whole number keeps all of its own."""
        if self.whole:
            return int(value)
        return min(max(float(f"{value:.{DIGITS}g}"), self.low), self.high)

    @property
    def mean(self) -> float:
        """The mean of a number drawn from the range, evenly or evenly in its logarithm."""
        if self.log and self.high > self.low:
            return (self.high - self.low) / math.log(self.high / self.low)
        return (self.low + self.high) / 2

    @property
    def plain(self) -> dict[str, Any]:
        """The range as a table of TOML or JSON."""
        return {"low": self.low, "high": self.high, "log": self.log}

    def __str__(self) -> str:
        """The text form."""
        return f"{self.low!r}..{self.high!r}{' log' if self.log else ''}"


@dataclass(frozen=True)
class Choice:
    """One of some values: texts, numbers, truth values, None, or lists of these.

    Raises ValueError, with a text that goes on from the name of the axis, for values that cannot be told
    apart or stored."""

    values: tuple[Any, ...]

    def __post_init__(self) -> None:
        for value in self.values:
            if not can_be_stored(value):
                raise ValueError(f" must be a choice of {VALUES}, but holds {shown(value)}")
        object.__setattr__(self, "values", tuple(map(stored, self.values)))
        if not self.values:
            raise ValueError(" must be a choice of at least one value, but is empty")
        if len(set(self.values)) < len(self.values) or len({*self.labels}) < len(self.values):
            raise ValueError(f" must be a choice of different values, but is {shown(self.plain)}")

    @property
    def labels(self) -> list[Any]:
        """What each value is called where only texts, numbers, truth values and None are known."""
        return [json.dumps(value) if isinstance(value, tuple) else value for value in self.values]

    def value(self, unit: float) -> Any:
        """The value at a place of the unit interval; each has an equal share of it."""
        return self.values[min(int(unit * len(self.values)), len(self.values) - 1)]

    def unit(self, value: Any) -> float:
        """The place of a value in the unit interval: the middle of its share."""
        return (self.values.index(value) + 0.5) / len(self.values)

    def short(self, value: Any) -> Any:
        """The value as it is."""
        return value

    @property
    def plain(self) -> list[Any]:
        """The choice as a list of JSON, or of TOML, which has no None."""
        return [_listed(value) for value in self.values]

    def __str__(self) -> str:
        """The text form: words where they are read back as the same values, else a list."""
        words = ",".join("none" if value is None else str(value) for value in self.values)
        with suppress(ValueError):
            if repr(_from_text(words)) == repr(self):  # 1, 1.0 and True are equal, but not the same
                return words
        return json.dumps(self.plain, ensure_ascii=False)


Axis = Range | Choice


def space_of(table: Any, prefix: str = "space") -> dict[str, Axis]:
    """The axes in a table `name: axis`, each in any of its forms.

    Raises Inconsistent with a sentence for each fault; prefix: what stands before the names in them."""
    if not isinstance(table, Mapping):
        raise Inconsistent(f"{prefix} must be a table, but is {shown(table)}.")
    axes, faults = {}, []
    for name, form in table.items():
        try:
            axes[name] = axis_of(name, form, prefix)
        except Inconsistent as fault:
            faults.append(str(fault))
    if faults:
        raise Inconsistent(" ".join(faults))
    return axes


def axis_of(name: str, form: Any, prefix: str = "space") -> Axis:
    """One axis, from any of its forms. Raises Inconsistent with one sentence when it is none."""
    if not isinstance(name, str) or not name.isidentifier():
        raise Inconsistent(f"{prefix} names parameters by identifiers of Python, but one is {shown(name)}.")
    try:
        return _parsed(form)
    except ValueError as fault:
        end = "" if str(fault).endswith(("?", ".")) else "."
        raise Inconsistent(f"{prefix}.{name}{fault}{end}") from None


def plain_space(space: Mapping[str, Axis]) -> dict[str, Any]:
    """The axes as tables and lists, which `space_of` reads."""
    return {name: axis.plain for name, axis in space.items()}


def _parsed(form: Any) -> Axis:
    form = form.tolist() if hasattr(form, "tolist") else form  # a scalar or an array of NumPy
    axis: Axis
    match form:
        case Range() | Choice():
            axis = form
        case str():
            axis = _from_text(form)
        case Mapping():
            axis = _from_table(form)
        case tuple():
            axis = _from_ends(form)
        case range(step=1) if form:
            axis = Range(form.start, form.stop - 1, whole=True)
        case list() | range():
            axis = Choice(tuple(form))
        case int() | float() | None:
            axis = Choice((form,))
        case _:
            raise ValueError(f" must be a range or a choice, but is {shown(form)}; {FORMS}")
    return axis


def _from_text(text: str) -> Axis:
    """The axis in a text form. Raises ValueError for a text that has none."""
    if found := RANGE.fullmatch(text):
        low, high = map(_number, found.groups()[:2])
        return Range(low, high, bool(found[3]), isinstance(low, int) and isinstance(high, int))
    if text.lstrip().startswith("["):
        return Choice(tuple(_from_list(text)))
    try:
        (words,) = csv.reader([text], strict=True, skipinitialspace=True)
    except (csv.Error, ValueError):
        words = []
    if not words or not all(word.strip() for word in words) or ".." in text:
        raise ValueError(f" must be a range or a choice, but is {shown(text)}; {FORMS}")
    return Choice(tuple(_word(word.strip()) for word in words))


def _number(text: str) -> int | float:
    """The number in a text: whole where it is written so."""
    with suppress(ValueError):
        return int(text)
    return float(text)


def _word(text: str) -> Any:
    """The value that a word of a choice means: a number, a truth value, None, or the text itself."""
    if re.fullmatch(NUMBER, text):
        return _number(text)
    return {"true": True, "false": False, "none": None}.get(text.lower(), text)


def _from_list(text: str) -> list[Any]:
    """The values in a list of JSON or of TOML. Raises ValueError when it is neither."""
    with suppress(ValueError, RecursionError):
        return list(json.loads(text))
    with suppress(ValueError, RecursionError):
        return list(tomllib.loads(f"value = {text}")["value"])
    raise ValueError(f" must be a list of values, but is {shown(text)}; {FORMS}")


def _from_table(table: Mapping[str, Any]) -> Range:
    known = ("low", "high", "log")
    for key in table:
        if key not in known:
            raise ValueError(f".{key} is not a setting: {nearest(str(key), known)}")
    for key in known[:2]:
        if key not in table:
            raise ValueError(f".{key} is missing")
    if not isinstance(log := table.get("log", False), bool):
        raise ValueError(f".log must be true or false, but is {shown(log)}")
    ends = table["low"], table["high"]
    return Range(*ends, log, all(isinstance(end, Integral) for end in ends))


def _from_ends(ends: tuple[Any, ...]) -> Range:
    if len(ends) not in (2, 3) or ends[2:] not in ((), ("log",)):
        raise ValueError(f' must be (low, high) or (low, high, "log"), but is {shown(ends)}')
    return _from_table({"low": ends[0], "high": ends[1], "log": len(ends) == 3})


def stored(value: Any) -> Hashable:
    """A value of a choice as it is kept: NumPy's as Python's own, a list as a tuple."""
    value = value.tolist() if hasattr(value, "tolist") else value
    return tuple(map(stored, value)) if isinstance(value, list | tuple) else value


def can_be_stored(value: Any) -> bool:
    """Whether it is a text, a finite number, a truth value, None, or a list of these."""
    value = stored(value)
    if isinstance(value, tuple):
        return all(map(can_be_stored, value))
    return (
        value is None or isinstance(value, str | int) or (isinstance(value, float) and math.isfinite(value))
    )


def _listed(value: Any) -> Any:
    """A value with lists for its tuples, as JSON has them."""
    return list(map(_listed, value)) if isinstance(value, tuple) else value


def _is_finite(value: Any) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number beyond what a float can be
        return False
