"""The tables of bands, once for both pages; the main one is in handnet/report/main_table.py.

What stands in a cell is decided here, how it looks in the templates. A new row of any table goes into its
list of scores.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from handnet.bands.band import PREDICTIVE
from handnet.bands.calibration import ENOUGH
from handnet.mlp.history import PREDICTING, TRAINING
from handnet.report.model_words import lost_of, missing, named, studied
from handnet.report.words import counts, in_band, interval, label, middle, percent, points

# Each list is the order in which a table has its rows.
COUNTS = ("true_positives", "false_negatives", "false_positives", "true_negatives")
ON_SCREEN = {  # of the scores of each task those that the terminal shows, after the one that decides
    "two classes": ("accuracy", "sensitivity", "specificity", "log_loss"),
    "many classes": ("accuracy", "balanced_accuracy", "macro_f1", "log_loss"),
    "a number": ("rmse", "mae", "r2"),
}
GAPS = ("gap", "gap_test", "gap_keras", "gap_accuracy", "gap_r2")
# The column of a band, by what was varied and by its kind. Predictive ones are in "next", all others in
# "both" or in "cases".
COLUMNS = {
    ("seeds", "quantiles"): "seeds",
    ("seeds", "min-max"): "extremes",
    ("splits", "quantiles"): "splits",
    ("splits", "min-max"): "split_extremes",
    ("cases", "clopper-pearson"): "exact",
    ("cases", "null, 95 %"): "null",
    ("seeds", "chi-square"): "deviation",
}


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


def scores_of(facts: Mapping[str, Any], main: bool = True) -> tuple[str, ...]:
    """The scores of the main table, or the others, in the order of reading."""
    return tuple(row["score"] for row in facts["scores"] if row["main"] == main)


def on_screen(facts: Mapping[str, Any]) -> tuple[str, ...]:
    """The scores that the terminal shows: the one that decides, and then the others of the task."""
    return tuple(dict.fromkeys((deciding(facts), *ON_SCREEN[facts["data"]["task"]])))


def deciding(facts: Mapping[str, Any]) -> str:
    """The score that words the verdict."""
    return str(facts["settings"]["verdict"]["score"])


def label_of(facts: Mapping[str, Any], score: str) -> str:
    """How a score is written, one of a class with the name of that class."""
    return label(score, facts["data"]["classes"])


def rows_of(
    facts: Mapping[str, Any], part: str, scores: tuple[str, ...] | None = None
) -> list[dict[str, Any]]:
    """The bands of one part: a row for each score and configuration, a key for each column of bands.

    The rows of the test carry the bands over fresh divisions too; `alike` is whether all seeds of the
    configuration gave the same outputs, `name` what tables call it. scores: None for those of the main table.
    """
    scores = scores_of(facts) if scores is None else scores
    alike = {one["role"] for one in facts["configurations"] if one.get("alike")}
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for band in facts["bands"]:
        role, score = band["role"], band["score"]
        if band["part"] in (part, "rehearsal" if part == "test" else part) and score in scores:
            row = rows.setdefault((role, score), {"role": role, "score": score, "lost": lost_of(facts, role)})
            row |= {"name": named(facts, role), "alike": role in alike}
            row[_column(band)] = band
    order = [
        *(configuration["role"] for configuration in facts["configurations"]),
        *(role for role, _ in rows),
    ]
    return sorted(rows.values(), key=lambda row: (scores.index(row["score"]), order.index(row["role"])))


def _column(band: Mapping[str, Any]) -> str:
    """The column that a band stands in."""
    if band["estimand"] in PREDICTIVE:
        return "next"
    other = "both" if band["varied"] == "seeds_x_cases" else "cases"
    return COLUMNS.get((band["varied"], band["kind"]), other)


def graded_parts(facts: Mapping[str, Any]) -> list[str]:
    """The graded parts, the last word first."""
    return [part for part in ("test", "val") if any(band["part"] == part for band in facts["bands"])]


def role_of(row: Mapping[str, Any]) -> str:
    """The configuration, and how many of its seeds are missing."""
    band = row.get("seeds")
    name = str(row.get("name", row["role"]))
    if not band or not band["diverged"]:
        return name
    return f"{name} ({missing(band['diverged'], band['n'] + band['diverged'], row.get('lost', 0))})"


def over_seeds(row: Mapping[str, Any]) -> tuple[str, str]:
    """The cells of the two bands over seeds: quantiles, and min to max. A share is told in counts."""
    seeds, extremes = row.get("seeds"), row.get("extremes")
    if seeds is None or extremes is None:
        return "no seed" if "cases" in row else "-", "-"
    if row.get("alike"):
        return f"all {seeds['n']} seeds alike", "-"
    if "share" not in row.get("cases", {"centres": ()})["centres"]:
        return in_band(seeds), interval(extremes)
    cases = row["cases"]["n"]
    within = f" ({seeds['inside']} of {seeds['n']})" if seeds["inside"] else ""
    return f"{middle(seeds)}; {counts(seeds, cases)}{within}", counts(extremes, cases)


def too_few(facts: Mapping[str, Any], part: str) -> int:
    """How many cases of the rarest class a part has, where that is too few to judge calibration; else 0.

    It is 0 of a number."""
    sizes = facts["split"]["parts"][part]
    if "positive" in sizes:
        events = min(sizes["positive"], sizes["cases"] - sizes["positive"])
    else:
        events = min(sizes.get("classes", [ENOUGH]))
    return int(events) if events < ENOUGH else 0


def gap_table(facts: Mapping[str, Any]) -> Grid:
    """The gaps between train rows and others, and how many seeds are flagged as overfitting."""
    rows, classes, history = [], facts["data"]["classes"], studied(facts).history
    unit = "" if classes else " Losses are half the squared error, in variances of the train target."
    for row in rows_of(
        facts, "gap", GAPS if history else tuple(name for name in GAPS if name != "gap_keras")
    ):
        seeds = row["seeds"]
        covers = f"all {seeds['n']} alike" if row["alike"] else f"{seeds['n']}, {percent(seeds['coverage'])}"
        rows.append((label(row["score"]), role_of(row), in_band(seeds), interval(row["extremes"]), covers))
    flags = [
        f"{named(facts, row['role'])} {row['overfit']['flagged']} of {row['overfit']['seeds']}"
        for row in facts["configurations"]
        if row["overfit"]
    ]
    flagged = (
        f"Seeds flagged as overfitting (their {'accuracy' if classes else 'R2'} on train rows exceeds that on"
        f" validation rows by .03 and by a tenth of it): {', '.join(flags)}."
    )
    return Grid(
        "The gap between train and validation",
        flagged if flags else "",
        ("gap", "configuration", "another seed: mean [.025, .975]", "min to max", "seeds, covers"),
        rows,
        f"{OF_HISTORIES if history else OF_OUTPUTS}{unit} The winner"
        " was chosen on the validation rows, which flatters its gap there; test minus train is not flattered."
        f"{OF_KERAS if history else ''}",
    )


# How the losses of the gap are taken: from the histories of training, or from outputs alone.
OF_HISTORIES = f"Losses with {PREDICTING} on either side, at the epoch whose weights are returned."
OF_OUTPUTS = "Losses of what the models give for train rows and for others."
OF_KERAS = f" Keras's gap takes the train loss Keras prints, averaged over the epoch with {TRAINING}."


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
        rows.append((row["name"], measured, deviation(band["centres"]["expected"]), str(band["n"])))
    return Grid(
        "How much of the seed's noise the doubtful cases explain",
        "Standard deviation of accuracy over seeds in points, and what it would be if replicas missed each"
        " case independently, each with the share of replicas that miss it (Jordan 2023).",
        ("configuration", "measured [95 %, chi-square]", "expected", "seeds"),
        rows,
    )
