"""How numbers and scores are written for people, the same on the screen and on both pages."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from handnet.report.score_names import AN, FINE, IN_UNIT, LABELS, OF_A_CLASS, SHARES


def label(score: str, classes: Sequence[str] = ()) -> str:
    """How a score is written for people. classes: their names, for the scores of one class."""
    kind, _, place = score.rpartition("_")
    if kind in OF_A_CLASS and place.isdigit():
        return f"{kind} of {of_class(classes[int(place)])}" if classes else f"{kind} of class {place}"
    if kind == "top" and place.isdigit():
        return f"top-{place} accuracy"
    return LABELS.get(score, score.replace("_", " "))


def mean_of(score: str, part: str = "validation ") -> str:
    """The mean of a loss over the cases of a part: "mean validation log loss"."""
    name = label(score)
    return f"{part}{name}" if name.startswith("mean ") else f"mean {part}{name}"


def with_article(score: str, classes: Sequence[str] = ()) -> str:
    """The same behind "a" or "an"."""
    written = label(score, classes)
    return f"{'an' if written.startswith(AN) else 'a'} {written}"


def part_name(part: str) -> str:
    """How a part is written for people."""
    return "validation" if part == "val" else part


def those(count: int, name: str) -> str:
    """So many cases of a class. A label that is no word is named as a label."""
    return f"{count} {name}" if name.isalpha() else f"{count} cases of {of_class(name)}"


def cases_of(sizes: Mapping[str, Any], part: str = "") -> str:
    """How many cases a part has, and of how many groups where the table has groups. sizes: its facts."""
    return so_many_cases(sizes["cases"], sizes["groups"], part)


def so_many_cases(n: int, groups: int, part: str = "") -> str:
    """n cases, and of how many groups; groups: 0 where every case is its own."""
    cases = f"{n} {part_name(part)} cases" if part else f"{n} cases"
    return f"{cases} of {so_many_groups(groups)}" if groups else cases


def so_many_groups(count: int) -> str:
    """How many groups."""
    return "1 group" if count == 1 else f"{count} groups"


def cases_named(name: str) -> str:
    """The cases of a class. A label that is no word is named as a label."""
    return f"{name} cases" if name.isalpha() else f"cases of {of_class(name)}"


def target_of(data: Mapping[str, Any]) -> str:
    """The number that is guessed, by the name of its column. data: facts of the table."""
    name = data["target"]
    if not name:
        return "the target"
    return name if name.replace(" ", "").replace("_", "").isalnum() else f"'{name}'"


def learnt(data: Mapping[str, Any]) -> str:
    """What is to be told of a case. data: facts of the table."""
    if not data["classes"]:
        return f"{target_of(data)}, a number, is guessed"
    if len(data["classes"]) > 2:
        return f"{len(data['classes'])} classes are told apart"
    return f"the positive class is {data['positive_class']}"


def of_class(name: str) -> str:
    """A class by its label; a label that is no word is named as a label."""
    return name if name.isalpha() else f"class '{name}'"


def held(shares: tuple[float, float]) -> str:
    """From how many to how many of 100."""
    return f"{100 * shares[0]:.0f} to {100 * shares[1]:.0f} of 100"


def doubted(doubt: Mapping[str, Any]) -> str:
    """What the seeds make of a part's cases: how many are missed by most of them, by some of them, or
    called differently by two. doubt: a record of the report's `doubt`."""
    if doubt["tolerance"] is not None:
        return _off(doubt)
    if not doubt["differing"] and not doubt["mostly"]:
        return f"None of the {doubt['cases']} {part_name(doubt['part'])} cases is called wrong by any seed."
    are = "is" if doubt["mostly"] == 1 else "are"
    cases = f"{doubt['cases']} {part_name(doubt['part'])} cases"
    return (
        f"Of the {cases} {doubt['mostly'] or 'none'} {are} missed by more than half of the seeds, and"
        f" {doubt['some'] or 'none'} by 5 to 50% of them; {_differing(doubt['differing'])}."
    )


def _off(doubt: Mapping[str, Any]) -> str:
    """The same where the target is a number."""
    are, many = "is" if doubt["mostly"] == 1 else "are", doubt["differing"]
    apart = f"{many:.1f}" if many >= 0.05 else "fewer than 0.1" if many else "no"
    cases = f"{doubt['cases']} {part_name(doubt['part'])} cases"
    return (
        f"Of the {cases} {doubt['mostly'] or 'none'} {are} off by more than {plain(doubt['tolerance'])} in"
        f" more than half of the seeds, and {doubt['some'] or 'none'} in 5 to 50% of them; the guesses of two"
        f" seeds differ by more than that on {apart} cases on average."
    )


def _differing(cases: float) -> str:
    """On how many cases two seeds differ, on average."""
    if not cases:
        return "no two seeds differ"
    many = f"{cases:.1f}" if cases >= 0.05 else "fewer than 0.1"
    return f"two seeds differ on {many} cases on average"


def number(value: float | None) -> str:
    """Three decimals, or two significant digits where three decimals would show less, down to 1e-5."""
    if value is None:
        return "-"
    if abs(value) < 1e-5:
        return "0.000"
    return f"{value:.2g}" if abs(value) < 0.0095 else f"{value:.3f}"


def measure(value: float, size: float | None = None) -> str:
    """A number in the unit of the target: four significant digits, and all before the point.

    size: of the largest number beside it, which says how many decimals both have."""
    size = abs(value) if size is None else size
    if size == 0 or not 1e-5 < size < 1e7:
        return f"{value + 0.0:.4g}"
    places = max(3 - math.floor(math.log10(size)), 0)
    return f"{round(value, places) + 0.0:.{places}f}"


def plain(value: float) -> str:
    """The same without zeros at the end: 310, and not 310.0."""
    text = measure(value)
    return text.rstrip("0").rstrip(".") if "." in text and "e" not in text else text


def signed(value: float, size: float | None = None) -> str:
    """The same of a difference, with its sign."""
    return f"{'+' if value > 0 else ''}{measure(value, size)}"


def signed_band(band: Mapping[str, Any]) -> str:
    """A difference in the unit of the target in its band."""
    size = max(abs(band["low"]), abs(band["high"]))
    middle, low, high = (
        signed(value, size) for value in (band["centres"]["mean"], band["low"], band["high"])
    )
    return f"{middle} [{low}, {high}]"


def loss(value: float | None) -> str:
    """Four decimals: losses differ by little. What rounds to 0 is 0.0000."""
    return "-" if value is None else f"{round(value, 4) + 0.0:.4f}"


def written(value: float | None, score: str, band: Mapping[str, Any] | None = None) -> str:
    """A value of a score, with as many decimals wherever it is printed. band: that it stands in."""
    if score in IN_UNIT and value is not None:
        return measure(value, max(abs(band["low"]), abs(band["high"])) if band else None)
    return (loss if score in FINE else number)(value)


def interval(band: Mapping[str, Any] | None, score: str = "") -> str:
    """[low, high]. score: what it is of, where the band does not say so itself."""
    if band is None:
        return "-"
    low, high = (written(band[end], band.get("score", score), band) for end in ("low", "high"))
    return f"[{low}, {high}]"


def middle(band: Mapping[str, Any] | None) -> str:
    """The first centre, a mean."""
    if not band:
        return "-"
    return written(next(iter(band["centres"].values()), None), band.get("score", ""), band)


def counts(band: Mapping[str, Any], cases: int = 0) -> str:
    """The outermost counts inside a band of counts, or of a share of so many cases: "109 to 113 of 114".

    Where few seeds leave none inside, the counts around it.
    """
    low, high = (band[end] * (cases or 1) for end in ("low", "high"))
    least, most = math.ceil(low - 1e-6), math.floor(high + 1e-6)
    of = f" of {cases}" if cases else ""
    return f"{least}{of}" if least == most else f"{min(least, most)} to {max(least, most)}{of}"


def in_band(band: Mapping[str, Any] | None) -> str:
    """The first centre and the interval."""
    return f"{middle(band)} {interval(band)}" if band else "-"


def measured(band: Mapping[str, Any]) -> str:
    """The middle in its band; what was counted, as it is."""
    return f"{band['low']:,.6g}" if band["kind"] == "exact" else in_band(band)


def over(band: Mapping[str, Any]) -> str:
    """What the band is over, how many values diverged, and what it covers."""
    if band["kind"] == "exact":
        return "counted"
    diverged = f", {band['diverged']} diverged" if band["diverged"] else ""
    return f"{band['kind']} over {band['n']} {band['varied']}{diverged}, {percent(band['coverage'])}"


def percent(value: float) -> str:
    """A share, to a tenth of a percent."""
    return f"{value:.1%}"


def points(value: float, digits: int = 2) -> str:
    """A difference of shares, in points; what rounds to 0 is +0."""
    return f"{round(100 * value, digits) + 0.0:+.{digits}f}"


def unit_of(score: str) -> str:
    """The unit of a difference of two values of a score: points of a share of cases, nats of log loss."""
    return "points" if score in SHARES else "nats" if score == "log_loss" else ""


def as_told(value: float, unit: str) -> float:
    """A difference in the unit it is told in: shares in points; a logarithm of a ratio, "per cent", by how
    many per cent of theirs ours is lower; all else as it is."""
    if unit == "points":
        return 100 * value
    return -100 * math.expm1(-value) if unit == "per cent" else value


def difference(value: float, unit: str, turned: bool = False) -> str:
    """A difference in its unit, with its sign, or with the other where it is turned."""
    shown, digits = as_told(value, unit), 2 if unit in ("points", "per cent") else 4
    return f"{round(-shown if turned else shown, digits) + 0.0:+.{digits}f}"


def amount(value: float, unit: str) -> str:
    """The size of a difference with its unit: "1.36 points", "0.0123 nats", "2.50%"."""
    size = difference(value, unit).removeprefix("+")
    return f"{size}%" if unit == "per cent" else f"{size} {unit}".strip()


def digits(value: float) -> str:
    """Ten significant digits, for the reader with pencil and paper; -0 is 0."""
    return f"{value + 0.0:.10g}"


def exact(value: float) -> str:
    """Two significant digits."""
    return f"{value:.2g}"


def of_trials(trials: int, repeats: int = 0) -> str:
    """How many configurations a search tried. repeats: trials that had one which an earlier trial had."""
    if not repeats:
        return f"{trials} configurations"
    return f"{trials - repeats} distinct configurations in {trials} trials"


def p_value(p: float | None) -> str:
    """Two significant digits, or three where two would hide on which side of .05 it lies; a dash for none."""
    if p is None:
        return "-"
    return f"{p:.3g}" if 0.045 <= p < 0.055 else exact(p)


# Control characters, and those that reverse the direction of what follows: a number would read backwards.
UNSEEN = dict.fromkeys(
    (*range(32), *range(127, 160), 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)), "\ufffd"
)


def visible(text: str) -> str:
    """The text on one line, with a mark in place of every character that is not seen but acts."""
    return seen(" ".join(text.split()))


def seen(text: str) -> str:
    """The text with a mark in place of every character that is not seen but acts."""
    return text.translate(UNSEEN)


def short(text: str, most: int = 40) -> str:
    """The text as a label of a picture: visible, and at most so many characters."""
    line = visible(text)
    return line if len(line) <= most else f"{line[: most - 1]}\u2026"
