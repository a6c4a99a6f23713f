"""The tables of calibration, of each task; once for both pages."""

from collections.abc import Mapping
from typing import Any

from handnet.bands.calibration import ENOUGH
from handnet.report.model_words import studied
from handnet.report.tables import Grid, rows_of, too_few
from handnet.report.words import in_band, label, number, of_class, short

CALIBRATION = (  # the order of the rows
    "calibration_intercept",
    "calibration_slope",
    "calibration_observed_expected",
    "calibration_error",
    "calibration_error_of_classes",
)
SEPARATED = " A slope has no band over seeds where some seed separates the classes."
LIKELIHOOD = "Intervals over cases are of the profile likelihood of the ensemble."
NEVER_0 = (
    " The calibration error is never 0: each seed's is read against what a perfectly calibrated {unit} of"
    " the same probabilities shows on as many cases."
)
READING = {
    "two classes": f"{LIKELIHOOD}{NEVER_0}{SEPARATED}",
    "many classes": f"{LIKELIHOOD} The slope is the inverse temperature (Guo et al. 2017): below 1 the"
    f" probabilities are too extreme.{NEVER_0} It is that of the class that is called; that of the classes is"
    f" the mean over the probabilities of each.{SEPARATED}",
    "a number": "Intercept, in the unit of the target, and slope of the least squares line of the truth on"
    " the guess: with a slope below 1 high guesses are too high and low ones too low. Intervals over cases"
    " are of the mean guess of the seeds, t with errors that may grow with the guess (HC3, or clustered).",
}


def calibration_table(facts: Mapping[str, Any], part: str) -> Grid:
    """The measures of calibration, over seeds and over cases."""
    data, events = facts["data"], too_few(facts, part)
    rarer = "rarer" if len(data["classes"]) == 2 else "rarest"
    few = (
        f" Too few cases for a precise curve: {events} of the {rarer} class, where {ENOUGH} are the least."
        if events
        else ""
    )
    used = facts["deployed"]["sentence"] + " " if facts.get("deployed") else ""
    return Grid(
        "Calibration",
        f"{used}Behind the name of a measure stands what perfect calibration gives.{few}",
        ("measure", "configuration", *HEADINGS),
        [(label(row["score"]), row["name"], *_cells(row, data)) for row in rows_of(facts, part, CALIBRATION)],
        READING[data["task"]].format(unit=studied(facts).unit),
    )


HEADINGS = "each seed: mean [.025, .975] over seeds", "the ensemble of the seeds: [95 %] over cases"


def _cells(row: Mapping[str, Any], data: Mapping[str, Any]) -> tuple[str, str]:
    """A measure over seeds and over cases."""
    seeds, cases = row.get("seeds"), row.get("cases")
    if row["score"] == "calibration_intercept" and not data["classes"]:
        seeds, cases = (band and {**band, "score": "bias"} for band in (seeds, cases))  # in the same unit
    if "null" in row:
        return in_band(seeds), f"a calibrated seed: below {number(row['null']['high'])} in 95 %"
    return in_band(seeds), in_band(cases)


def class_calibration_table(facts: Mapping[str, Any], part: str) -> Grid:
    """The measures of each of many classes against the rest."""
    rows = []
    for place, name in enumerate(facts["data"]["classes"]):
        measures = tuple(f"{measure}_{place}" for measure in CALIBRATION[:3])
        for row in rows_of(facts, part, measures):
            kind = label(row["score"].rpartition("_")[0])
            rows.append((of_class(short(name, 24)), kind, row["name"], *_cells(row, facts["data"])))
    return Grid(
        "Calibration of each class against the rest",
        "The measures of two classes, with the logit of the probability of the class (Van Hoorde et al."
        " 2015).",
        ("class", "measure", "configuration", *HEADINGS),
        rows,
        f"{LIKELIHOOD}{SEPARATED}",
    )
