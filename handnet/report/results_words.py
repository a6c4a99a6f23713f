"""The sentences on results from elsewhere: the answer in one, and what the bands of a table are."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from handnet.report.tables import label_of, role_of, rows_of, scores_of
from handnet.report.words import (
    in_band,
    interval,
    middle,
    of_class,
    part_name,
    percent,
    so_many_cases,
    so_many_groups,
    target_of,
    with_article,
)
from handnet.tasks import task_of

FEW = 5  # models that a sentence names one by one
REHEARSAL = "rehearsal"  # the part that bands over divisions are filed under
Row = Mapping[str, Any]  # of `rows_of`


class Column(NamedTuple):
    """A column of bands: its heading, and what its bands are for."""

    heading: str
    meaning: str


COLUMNS = {
    "seeds": Column("another seed", "what training again gives on these very cases, quantiles .025 to .975"),
    "cases": Column("expected of one model", "the score of one such model on all cases of this kind"),
    "both": Column("expected over seeds", "the mean over all seeds on all cases of this kind"),
    "expected": Column("expected", "the mean over all seeds on all cases of this kind"),
    "next": Column("the next cases", "what one more such model may score on as many further cases"),
    "splits": Column("another split", "one model on each division, mean and quantiles .025 to .975"),
}


def parts_of(facts: Mapping[str, Any]) -> list[str]:
    """The parts there are bands of, the test first."""
    found = dict.fromkeys(band["part"] for band in facts["bands"] if band["part"] != REHEARSAL)
    return sorted(found, key=lambda part: part != "test") or ["test"]


def main_scores(facts: Mapping[str, Any]) -> tuple[str, ...]:
    """The scores of the main table that there are bands of, the one that decides first.

    Where results are scores alone there is no task, and all scores are main ones."""
    there = dict.fromkeys(band["score"] for band in facts["bands"])
    names = [name for name in scores_of(facts) if name in there] if facts["task"] else list(there)
    first = _deciding(facts)
    return tuple(sorted(names, key=lambda name: name != first))


def _deciding(facts: Mapping[str, Any]) -> str:
    """The score that is read first; none where nothing says what is learnt."""
    return task_of(len(facts["data"]["classes"])).deciding if facts["task"] else ""


def there(rows: Iterable[Row]) -> list[str]:
    """The columns that some of these rows have a band in."""
    rows = list(rows)
    return [name for name in COLUMNS if any(name in row for row in rows)]


def rows_in_short(
    facts: Mapping[str, Any], part: str, scores: Sequence[str] | None = None
) -> list[dict[str, Any]]:
    """The rows of `rows_of` with one column for what is expected: over seeds, or of a model without a seed.

    scores: by default the main ones.
    """
    rows = rows_of(facts, part, main_scores(facts) if scores is None else tuple(scores))
    return [_in_short(row) for row in rows]


def _in_short(row: Row) -> dict[str, Any]:
    expected = row["both"] if "both" in row else row.get("cases")
    kept = {name: value for name, value in row.items() if name not in ("both", "cases")}
    return kept | ({"expected": expected} if expected else {})


def answer(facts: Mapping[str, Any]) -> str:
    """What the results say in a sentence or two: of each model the score that is read first, in its bands."""
    part, names = parts_of(facts)[0], main_scores(facts)
    rows = rows_in_short(facts, part, names[:1])
    if not rows:
        return f"{facts['source']} carries no band; what is missing is listed under what is left out."
    if len(rows) == 1:
        return _of_one(facts, part, rows[0])
    score, told = label_of(facts, rows[0]["score"]), told_by(rows)
    if len(rows) <= FEW:
        each = "; ".join(f"{role_of(row)} {in_band(row[told])}" for row in rows if told in row)
    else:
        ordered = sorted((row for row in rows if told in row), key=lambda row: _value(row[told]))
        ends = " to ".join(f"{in_band(row[told])} ({row['role']})" for row in (ordered[0], ordered[-1]))
        each = f"{len(ordered)} models, from {ends}"
    picked = f" The best of {len(rows)} is flattered by having been picked." if len(rows) > FEW else ""
    where = f"{score[0].upper()}{score[1:]} {_cases(facts, part)}, {COLUMNS[told].heading}"
    return (
        f"{where}: {each} ({extent([row[told] for row in rows if told in row])}).{picked} Whether two models"
        " differ is not to be read from these bands, overlapping or not; a comparison in pairs tells."
    )


def _of_one(facts: Mapping[str, Any], part: str, row: Row) -> str:
    """The answer of a single model: each of its bands."""
    told = told_by([row])
    score = with_article(row["score"], facts["data"]["classes"])
    if told == "expected":
        score = score.removeprefix("an ").removeprefix("a ")
        score = f"an expected {score}"
    where = f"{role_of(row)} has {score} of {in_band(row[told])} {_cases(facts, part)}"
    text = f"{where[0].upper()}{where[1:]} ({extent([row[told]])})"
    more = []
    if "seeds" in row and told != "seeds":
        more.append(
            f"another seed gives {interval(row['seeds'])} on these very cases ({extent([row['seeds']])})"
        )
    if "next" in row:
        more.append(f"the next cases may give {interval(row['next'])} ({extent([row['next']])})")
    if "splits" in row and told != "splits":
        more.append(f"another split gives {in_band(row['splits'])} ({extent([row['splits']])})")
    return ". ".join([text, *(one[0].upper() + one[1:] for one in more)]) + "."


def told_by(rows: Sequence[Row]) -> str:
    """The column of `rows_in_short` that an answer is worded by: that of most rows, else the first."""
    order = ("expected", "splits", "seeds", "next")
    return max(order, key=lambda name: (sum(name in row for row in rows), -order.index(name)))


def _value(band: Mapping[str, Any]) -> float:
    return float(next(iter(band["centres"].values())))


def _cases(facts: Mapping[str, Any], part: str) -> str:
    """On which cases of which source."""
    sizes = facts["split"]["parts"].get(part)
    many = f"the {part_name(part)} cases"
    if sizes and sizes["cases"] is not None:
        many = so_many_cases(sizes["cases"], sizes["groups"], part)
    return f"on {many} of {facts['source']}"


def extent(bands: Sequence[Mapping[str, Any]]) -> str:
    """What bands are over and what they hold, in brackets: "95%, 8 seeds and 200 cases"."""
    first = bands[0]
    held = _span([band["coverage"] for band in bands], _held)
    groups = f" of {so_many_groups(first['groups'])}" if first["groups"] else ""
    many = _span([band["n"] for band in bands], str)
    if any(band["varied"] == "seeds_x_cases" for band in bands):
        seeds = _span([band["seeds"] for band in bands if band["seeds"]], str)
        alone = (
            "" if all(band["seeds"] for band in bands) else "; of a model without a seed over the cases alone"
        )
        return f"{held}, over {seeds} seeds and {many} cases{groups}{alone}"
    if first["inside"] is not None:
        what = "divisions" if first["varied"] == "splits" else first["varied"]
        return f"over {many} {what}, holds {held} of further ones on average"
    return f"{held}, over {many} {first['varied']}{groups}"


def _held(share: float) -> str:
    """A share in per cent, the nominal ones whole."""
    return percent(share).replace(".0%", "%")


def _span(values: Iterable[float], write: Any) -> str:
    """From the least to the most, or the one there is."""
    texts = dict.fromkeys(write(value) for value in sorted(values))
    first, *rest = texts
    return f"{first} to {[*rest][-1]}" if rest else first


def read_columns(rows: Sequence[Row], columns: Sequence[str]) -> list[str]:
    """What each column of bands is for, over what its bands are, and what they hold; a sentence each."""
    told = []
    for name in columns:
        bands, column = [row[name] for row in rows if name in row], COLUMNS[name]
        text = f"{column.heading}: {column.meaning} ({extent(bands)}{_simulated(bands)})."
        told.append(text[0].upper() + text[1:])
    return told


def how_made(facts: Mapping[str, Any], rows: Sequence[Row], columns: Sequence[str]) -> str:
    """How the bands of each column are made, by score, for those that are not quantiles."""
    told = []
    for name in columns:
        held = [(row["score"], row[name]["kind"]) for row in rows if name in row and made(row[name])]
        if held:
            told.append(f"{COLUMNS[name].heading}: {_kinds(facts, held)}")
    text = "; ".join(told)
    return f"How the bands are made. {text[0].upper()}{text[1:]}." if told else ""


def _simulated(bands: Sequence[Mapping[str, Any]]) -> str:
    """How often such bands held the truth in simulated studies, where that is known."""
    found = [band["simulated"] for band in bands if band["simulated"] is not None]
    return (
        f"; in simulated studies like this one they held the truth in at least {percent(min(found))}"
        if found
        else ""
    )


def made(band: Mapping[str, Any]) -> bool:
    """Whether a band is made by a formula or a bootstrap, and is not of quantiles or extremes."""
    return band["inside"] is None


def _kinds(facts: Mapping[str, Any], held: Iterable[tuple[str, str]]) -> str:
    """How the bands of each score were made: "wilson for accuracy and sensitivity, log t for log loss"."""
    by_kind: dict[str, list[str]] = {}
    for score, kind in dict.fromkeys(held):
        by_kind.setdefault(kind, []).append(label_of(facts, score))
    if len(by_kind) == 1:
        return next(iter(by_kind))
    return ", ".join(f"{kind} for {' and '.join(scores)}" for kind, scores in by_kind.items())


def sizes_of(facts: Mapping[str, Any], part: str) -> str:
    """How many cases a part has, and of which classes; empty where that is not known."""
    sizes, data = facts["split"]["parts"].get(part), facts["data"]
    if not sizes:
        return ""
    if sizes["cases"] is None:
        return f"The number of {part_name(part)} cases is not known."
    among = f", {sizes['positive']} of them {of_class(data['positive_class'])}" if "positive" in sizes else ""
    unit = ""
    if facts["task"] and not data["classes"]:
        unit = f" All but R2 is in the unit of {target_of(data)}, the mean squared error in its square."
    return f"{so_many_cases(sizes['cases'], sizes['groups'], part)}{among}.{unit}"


def means(rows: Sequence[Row]) -> str:
    """What the column of means is."""
    seeds, alone = any("seeds" in row for row in rows), any("seeds" not in row for row in rows)
    if not seeds:
        return "Mean: the score of each model on these cases."
    return (
        f"Mean: over the seeds, on these cases{'; a model without seeds has its one score' if alone else ''}."
    )


def first_middle(row: Row) -> str:
    """The mean of a score on these cases."""
    return middle(row.get("seeds") or row.get("cases") or row.get("expected"))
