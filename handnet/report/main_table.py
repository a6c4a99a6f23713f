"""The main table: every score with a column for each kind of band; and the counts behind the shares.

A new column goes into `band_table`, with the key of its bands in `rows_of` of handnet/report/tables.py.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from handnet.bands.intervals import LEVEL
from handnet.bands.simulated import STUDIES
from handnet.report.model_words import Studied, named, studied
from handnet.report.score_names import OF_A_CLASS
from handnet.report.tables import COUNTS, Grid, label_of, over_seeds, role_of, rows_of, scores_of
from handnet.report.words import (
    cases_of,
    counts,
    in_band,
    interval,
    label,
    part_name,
    percent,
    target_of,
    those,
)


class _Reading(NamedTuple):
    """What differs between the tasks. counted: of scores told in counts; kinds: how intervals over cases are
    made; least: whose intervals over seeds hold at least 95 %; rest: what was not simulated."""

    counted: str
    kinds: str
    least: str
    rest: str


_COUNTED = "; of a share the counts, and how many of the seeds lie there"
READING = {
    "two classes": _Reading(
        _COUNTED,
        "Wilson for shares, DeLong on the logit for the AUC, t on the logarithm for losses",
        ", so for shares and the AUC mean [at least 95 %]",
        "the AUC was",
    ),
    "many classes": _Reading(
        _COUNTED,
        "Wilson for shares, the delta method on the logit for balanced accuracy, macro F1 and the AUC (the"
        " mean of each class against the rest), and where that cannot tell Wilson at the cases of the"
        " smallest class; t on the logarithm for losses, of which the Brier score is summed over the classes",
        ", so for shares mean [at least 95 %]",
        "the other scores were",
    ),
    "a number": _Reading(
        "",
        "t on the logarithm for the mean errors and for the RMSE, whose mean is the root of the mean squared"
        " error over the seeds, above the mean of their own; the delta method for R2, t for the bias, order"
        " statistics for the median",
        "",
        "R2, bias and median were",
    ),
}


def how_to_read(task: str, model: Studied) -> str:
    """What the columns of the main table are. task: its name; model: what is studied."""
    words, unit = READING[task], model.unit
    return (
        "Another seed: what training again gives, on these very rows, mean and the quantiles .025 and .975"
        f"{words.counted}. Expected of one {unit}: the mean over the seeds, with the interval of a single"
        f" {unit} of that score on all cases of this kind [95 %]: {words.kinds}. Expected over seeds: the"
        " same, with seeds and cases resampled together, and kept from being narrower than that of one"
        f" {unit}{words.least}. An interval of a loss holds less the fewer cases carry the loss: where one"
        f" of 114 cases made half of it, 85 of 100 studies for one {unit} and 92 over seeds. Held in"
        f" simulation: how often such intervals held the truth in {STUDIES} simulated studies with this"
        " study's own errors, and those of a loss, over cases alone, with its own losses;"
        f" {words.rest} not simulated. Another seed, as many other cases: what one more {unit} may"
        " score on the next cases [95 %; losses less, as said]; without a seed, the same method. That is"
        f" wider, for the luck of those cases is in it. Another split: one {unit} on each fresh division of"
        " the table, the rehearsal seeds in turn, mean [.025, .975]. They answer different questions."
    )


INTERVALS = ("interval_coverage", "interval_width", "interval_score")  # rows of their table
TELLING = 0.5  # "at least" a smaller share of further draws tells nothing
COUNTED = " Scores that are counted take few values, and their bands may hold more."
OVER_GROUPS = (
    " Rows of a group are alike, so bands over cases are those of further groups: a group is drawn whole, and"
    " errors that come together count for fewer."
)


def band_table(facts: Mapping[str, Any], part: str) -> Grid:
    """The main table: every main score of every configuration on one part, a column for each kind of band."""
    rows = rows_of(facts, part)
    read = how_to_read(facts["data"]["task"], studied(facts)) if any("both" in row for row in rows) else ""
    title = f"Bands on {part_name(part)} rows"
    return Grid(title, _coverage(facts, part, rows), *columns(facts, rows), read)


def further_table(facts: Mapping[str, Any], part: str) -> Grid:
    """The scores that are no main ones, in the columns of the main table, but for those of a single class."""
    names = tuple(name for name in scores_of(facts, main=False) if not name.startswith(OF_A_CLASS))
    rows = rows_of(facts, part, names)
    return Grid(f"Further scores on {part_name(part)} rows", "", *columns(facts, rows))


def columns(
    facts: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]
) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """The headings of the main table, and a line for each of these rows."""
    both, ahead, splits = (any(column in row for row in rows) for column in ("both", "next", "splits"))
    headings = ["score", "configuration", "another seed", "min to max"]
    headings += [f"expected of one {studied(facts).unit}"]
    headings += ["expected over seeds", "held in simulation"] if both else []
    headings += ["another seed, as many other cases"] if ahead else []
    headings += ["another split"] if splits else []
    cells = []
    for row in rows:
        line = [label_of(facts, row["score"]), role_of(row), *over_seeds(row), in_band(row.get("cases"))]
        if both:
            held = row["both"]["simulated"] if "both" in row else None
            line += [in_band(row.get("both")), "-" if held is None else percent(held)]
        line += [interval(row.get("next"))] if ahead else []
        line += [in_band(row.get("splits"))] if splits else []
        cells.append(tuple(line))
    return tuple(headings), cells


def _coverage(facts: Mapping[str, Any], part: str, rows: Sequence[Mapping[str, Any]]) -> str:
    """What the main table is of, and what its bands cover."""
    sizes, data = facts["split"]["parts"][part], facts["data"]
    among = ""
    if "positive" in sizes:
        among = f", {those(sizes['positive'], data['positive_class'])} among them"
    grouped = OVER_GROUPS if sizes["groups"] else ""
    sentences = [f"{cases_of(sizes)}{among}; {trained_on(facts)}.{grouped}"]
    if not data["classes"]:
        sentences.append(
            f"All but R2 is in the unit of {target_of(data)}, the mean squared error in its square."
        )
    if part == "val":
        sentences.append("The winner was chosen on these rows, which flatters it here.")
    row = next((row for row in rows if "seeds" in row and not row.get("alike")), None)
    if row:
        seeds, extremes = row["seeds"], row["extremes"]
        sentences.append(
            f"Over {seeds['n']} seeds [.025, .975] holds {_holds(seeds, 'seeds')}, min to max"
            f" {_holds(extremes, 'seeds')}.{COUNTED if data['classes'] else ''}"
        )
    splits = next((row["splits"] for row in rows if "splits" in row), None)
    if splits:
        sentences.append(
            f"Over {splits['n']} fresh divisions [.025, .975] holds"
            f" {_holds(splits, 'divisions of this table')}; the winner's is optimistic, for its settings were"
            " chosen on rows of the same table."
        )
    return " ".join(sentences)


def trained_on(facts: Mapping[str, Any]) -> str:
    """What the numbers are of: models that have seen a part of the rows."""
    trained, rows = facts["split"]["parts"]["train"]["cases"], facts["data"]["cases"]
    return f"{studied(facts).trained} on {trained} of the {rows} rows"


def _holds(band: Mapping[str, Any], what: str) -> str:
    """What a band over seeds or divisions holds of further ones, on average and, if it is most, at least."""
    average = f"{percent(band['coverage'])} of further {what} on average over studies"
    if band["assured"] < TELLING:
        return average
    return f"{average}, and at least {percent(band['assured'])} with confidence 95 %"


def min_to_max(extremes: Mapping[str, Any]) -> str:
    """The share of further seeds that min to max holds: at least, or of few seeds on average."""
    if extremes["assured"] < TELLING:
        return f"{percent(extremes['coverage'])} of further ones on average"
    return f"at least {percent(extremes['assured'])} of further ones, confidence 95 %"


def expected(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """What the intervals for expected scores hold, in short lines: of a loss, what simulated studies say."""
    both = [row["both"] | {"score": row["score"]} for row in rows if "both" in row]
    known = "shares at least 95 %, without a seed 95 %" if both else "shares 95 %, losses often less"
    if any(row["score"] == "rmse" for row in rows):
        known = "95 %, less where few cases carry the error"
    told = [f"expected: mean on all such cases [{known}]"]
    losses = [band for band in both if band["score"] in ("log_loss", "rmse")]
    held = [band["simulated"] for band in losses if band["simulated"] is not None]
    if held:
        score = label(losses[0]["score"])
        told.append(
            f"  {score}: intervals held the truth in at least {percent(min(held))} of simulated studies"
        )
    return told


def count_table(facts: Mapping[str, Any], part: str) -> Grid:
    """The four counts of each configuration."""
    by_role: dict[str, dict[str, Any]] = {}
    for row in rows_of(facts, part, COUNTS):
        by_role.setdefault(row["role"], {})[row["score"]] = row["seeds"]
    rows = []
    for role, bands in by_role.items():
        cells = (_count(bands[name]) for name in COUNTS)
        rows.append((named(facts, role), *cells, str(bands[COUNTS[0]]["n"])))
    return Grid(
        f"Counts on {part_name(part)} rows",
        "Mean over seeds, the counts from the quantile .025 to .975, and how many of the seeds lie there;"
        f" positive is {facts['data']['positive_class']}, called so above a probability of .5, a threshold"
        " fixed in advance.",
        ("configuration", *(label(name) for name in COUNTS), "seeds"),
        rows,
    )


def _count(band: Mapping[str, Any]) -> str:
    """A count over seeds: mean, the counts between the quantiles, and how many seeds lie there."""
    return f"{band['centres']['mean']:.1f}; {counts(band)} ({band['inside']})"


def interval_table(facts: Mapping[str, Any]) -> Grid:
    """What prediction intervals for single cases are worth on the opened test."""
    rows = rows_of(facts, "test", INTERVALS)
    lines = [
        (label(row["score"]), role_of(row), *over_seeds(row), in_band(row.get("both", row.get("cases"))))
        for row in rows
    ]
    return Grid(
        "Intervals for single cases on test rows",
        f"Guess less and plus a width that is to hold {LEVEL:.0%} of further cases: fixed for each"
        f" {studied(facts).unit} by its errors on the validation rows (split conformal, Lei et al. 2018), and"
        " graded here. The winner was chosen on these validation rows, which may make its intervals too"
        f" narrow. Width and score are in the unit of {target_of(facts['data'])}; the score is the width and"
        f" {2 / (1 - LEVEL):.0f} times what the truth lies outside (Gneiting & Raftery 2007), lower is"
        " better.",
        ("what", "configuration", "another seed", "min to max", "expected [95 %]"),
        lines,
    )
