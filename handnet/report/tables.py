"""The tables of bands, once for both pages.

What stands in a cell is decided here, how it looks in the templates. A new column of the main table goes into
`band_table`, a new row of any table into its list of scores.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from handnet.bands.calibration import ENOUGH
from handnet.bands.simulated import STUDIES
from handnet.report.words import cases_of, in_band, interval, label, number, part_name, percent, points, those

# Each list is the order in which a table has its rows.
SCORES = ("accuracy", "sensitivity", "specificity", "auc", "log_loss", "brier", "skill")
COUNTS = ("true_positives", "false_negatives", "false_positives", "true_negatives")
GAPS = ("gap", "gap_keras", "gap_accuracy")
CALIBRATION = (
    "calibration_intercept",
    "calibration_slope",
    "calibration_observed_expected",
    "calibration_error",
)
# The column of a band, by what was varied and by its kind; all others are in "both" or "cases".
COLUMNS = {
    ("seeds", "quantiles"): "seeds",
    ("seeds", "min-max"): "extremes",
    ("splits", "quantiles"): "splits",
    ("splits", "min-max"): "split_extremes",
    ("cases", "clopper-pearson"): "exact",
    ("cases", "null, 95 %"): "null",
    ("seeds", "chi-square"): "deviation",
}
HOW_TO_READ = (
    "Another seed: what training again gives, on this very split, mean [.025, .975]. Other cases: the score"
    " expected of one network on all cases of this kind, mean [95 %]: Wilson for shares, DeLong on"
    " the logit for the AUC, t on the logarithm for losses, which holds the truth in some 92 of 100 studies"
    " rather than 95. Seed and cases: both at once, resampled together, mean [95 %], never narrower than"
    f" over cases alone; beside it how often it held the truth in {STUDIES} simulated studies with this"
    " study's own errors. Another split: one network on each fresh division of the table, the rehearsal"
    " seeds in turn, mean [.025, .975]. They answer different questions."
)
OVER_GROUPS = (
    " Rows of a group are alike, so bands over cases are those of further groups: a group is drawn whole, and"
    " errors that come together count for fewer."
)


@dataclass(frozen=True)
class Grid:
    """One table with what is said before and after it.

    Cells are plain text: escaping is the page's. detail: for the reader who checks; a page may fold it.
    """

    title: str
    before: str
    headings: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    after: str = ""
    detail: bool = False


def rows_of(facts: Mapping[str, Any], part: str, scores: tuple[str, ...] = SCORES) -> list[dict[str, Any]]:
    """The bands of one part: a row for each score and configuration, a key for each column of bands.

    The rows of the test carry the bands over fresh divisions too.
    """
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for band in facts["bands"]:
        role, score = band["role"], band["score"]
        if band["part"] in (part, "rehearsal" if part == "test" else part) and score in scores:
            other = "both" if band["varied"] == "seeds_x_cases" else "cases"
            row = rows.setdefault((role, score), {"role": role, "score": score})
            row[COLUMNS.get((band["varied"], band["kind"]), other)] = band
    order = [
        *(configuration["role"] for configuration in facts["configurations"]),
        *(role for role, _ in rows),
    ]
    return sorted(rows.values(), key=lambda row: (scores.index(row["score"]), order.index(row["role"])))


def graded_parts(facts: Mapping[str, Any]) -> list[str]:
    """The graded parts, the last word first."""
    return [part for part in ("test", "val") if any(band["part"] == part for band in facts["bands"])]


def band_table(facts: Mapping[str, Any], part: str) -> Grid:
    """The main table: every score of every configuration on one part, a column for each kind of band."""
    rows = rows_of(facts, part)
    both, splits = (any(column in row for row in rows) for column in ("both", "splits"))
    headings = ["score", "configuration", "another seed", "min to max", "other cases"]
    headings += ["seed and cases", "held in simulation"] if both else []
    headings += ["another split"] if splits else []
    cells = []
    for row in rows:
        seedless = "cases" in row and "seeds" not in row
        seeds = "no seed" if seedless else in_band(row.get("seeds"))
        line = [
            label(row["score"]),
            _role(row),
            seeds,
            interval(row.get("extremes")),
            in_band(row.get("cases")),
        ]
        if both:
            held = row["both"]["simulated"] if "both" in row else None
            line += [in_band(row.get("both")), "-" if held is None else percent(held)]
        line += [in_band(row.get("splits"))] if splits else []
        cells.append(tuple(line))
    title = f"Bands on {part_name(part)} rows"
    return Grid(title, _coverage(facts, part, rows), tuple(headings), cells, HOW_TO_READ if both else "")


def _role(row: Mapping[str, Any]) -> str:
    """The configuration, and how many of its seeds are missing."""
    band = row.get("seeds")
    if not band or not band["diverged"]:
        return str(row["role"])
    return f"{row['role']} ({band['diverged']} of {band['n'] + band['diverged']} seeds diverged)"


def _coverage(facts: Mapping[str, Any], part: str, rows: Sequence[Mapping[str, Any]]) -> str:
    """What the main table is of, and what its bands cover."""
    sizes, wilks = facts["split"]["parts"][part], facts["wilks"]
    positives = those(sizes["positive"], facts["data"]["positive_class"])
    sentences = [f"{cases_of(sizes)}, {positives} among them.{OVER_GROUPS if sizes['groups'] else ''}"]
    if part == "val":
        sentences.append("The winner was chosen on these rows, which flatters it here.")
    row = next((row for row in rows if "seeds" in row), None)
    if row:
        seeds = row["seeds"]
        sentences.append(
            f"Over {seeds['n']} seeds [.025, .975] covers {percent(seeds['coverage'])} of further seeds,"
            f" min to max {percent(row['extremes']['coverage'])}."
        )
        if wilks["holds"] and seeds["n"] == wilks["seeds"]:
            sentences.append(
                f"With confidence {percent(wilks['confidence'])} min to max holds at least"
                f" {percent(wilks['content'])} of all further seeds (Wilks)."
            )
    splits = next((row["splits"] for row in rows if "splits" in row), None)
    if splits:
        sentences.append(
            f"Over {splits['n']} fresh divisions [.025, .975] covers {percent(splits['coverage'])} of further"
            " ones; the winner's is optimistic, for its settings were chosen on rows of the same table."
        )
    return " ".join(sentences)


def count_table(facts: Mapping[str, Any], part: str) -> Grid:
    """The four counts of each configuration."""
    by_role: dict[str, dict[str, Any]] = {}
    for row in rows_of(facts, part, COUNTS):
        by_role.setdefault(row["role"], {})[row["score"]] = row["seeds"]
    rows = []
    for role, bands in by_role.items():
        counts = (
            f"{band['centres']['mean']:.4g} [{band['low']:g}, {band['high']:g}]"
            for band in (bands[name] for name in COUNTS)
        )
        rows.append((role, *counts, str(bands[COUNTS[0]]["n"])))
    return Grid(
        f"Counts on {part_name(part)} rows",
        f"Mean over seeds [.025, .975]; positive is {facts['data']['positive_class']}, called so above a"
        " probability of .5, a threshold fixed in advance.",
        ("configuration", *(label(name) for name in COUNTS), "seeds"),
        rows,
    )


def calibration_table(facts: Mapping[str, Any], part: str) -> Grid:
    """The measures of calibration, over seeds and over cases."""
    rows = []
    for row in rows_of(facts, part, CALIBRATION):
        cases = in_band(row.get("cases"))
        if "null" in row:
            cases = f"below {number(row['null']['high'])} in 95 % if calibrated"
        rows.append((label(row["score"]), row["role"], in_band(row.get("seeds")), cases))
    events = too_few(facts, part)
    few = (
        f" Too few cases for a curve: {events} of the rarer class, where {ENOUGH} are the least."
        if events
        else ""
    )
    seeds, cases = "another seed: mean [.025, .975]", "over cases: mean logit [Wald 95 %]"
    return Grid(
        "Calibration",
        f"In brackets what perfect calibration gives.{few}",
        ("measure", "configuration", seeds, cases),
        rows,
        "The calibration error is never 0: it is read against what a perfectly calibrated network of the same"
        " probabilities shows on as many cases. A slope has no band over seeds where some seed separates the"
        " classes.",
    )


def too_few(facts: Mapping[str, Any], part: str) -> int:
    """How many cases of the rarer class a part has, where that is too few to judge calibration; else 0."""
    sizes = facts["split"]["parts"][part]
    events = min(sizes["positive"], sizes["cases"] - sizes["positive"])
    return int(events) if events < ENOUGH else 0


def gap_table(facts: Mapping[str, Any]) -> Grid:
    """The gaps between train and validation rows, and how many seeds are flagged as overfitting."""
    rows = []
    for row in rows_of(facts, "gap", GAPS):
        seeds = row["seeds"]
        covers = f"{seeds['n']}, {percent(seeds['coverage'])}"
        rows.append((label(row["score"]), _role(row), in_band(seeds), interval(row["extremes"]), covers))
    flags = [
        f"{row['role']} {row['overfit']['flagged']} of {row['overfit']['seeds']}"
        for row in facts["configurations"]
        if row["overfit"]
    ]
    flagged = (
        "Seeds flagged as overfitting (accuracy at least .03, and a tenth, better on train than on validation"
        f" rows): {', '.join(flags)}."
    )
    return Grid(
        "The gap between train and validation",
        flagged if flags else "",
        ("gap", "configuration", "another seed: mean [.025, .975]", "min to max", "seeds, covers"),
        rows,
        "Loss: validation minus train, dropout off in both, at the epoch whose weights are returned. Keras's"
        " gap takes the train loss Keras prints, averaged over the epoch with dropout on.",
    )


def deviation_table(facts: Mapping[str, Any], part: str) -> Grid:
    """The seed's noise, measured and as the doubtful cases explain it."""

    def deviation(value: float) -> str:
        return points(value).lstrip("+")

    rows = []
    for row in rows_of(facts, part, ("accuracy_deviation",)):
        band = row["deviation"]
        measured = (
            f"{deviation(band['centres']['measured'])} [{deviation(band['low'])}, {deviation(band['high'])}]"
        )
        rows.append((row["role"], measured, deviation(band["centres"]["expected"]), str(band["n"])))
    return Grid(
        "How much of the seed's noise the doubtful cases explain",
        "Standard deviation of accuracy over seeds in points, and what it would be if replicas missed each"
        " case independently, each with the share of replicas that miss it (Jordan 2023).",
        ("configuration", "measured [95 %, chi-square]", "expected", "seeds"),
        rows,
    )
