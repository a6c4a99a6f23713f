"""The sentences of the report: the verdict, and the statements under it.

They are computed from the facts, so they say what the tables say. A template states no result.
"""

from collections.abc import Mapping
from typing import Any

from handnet.bands.intervals import LEVEL
from handnet.bands.simulated import STUDIES
from handnet.messages import option
from handnet.report.main_table import TELLING
from handnet.report.model_words import missing, studied
from handnet.report.tables import graded_parts, label_of, rows_of
from handnet.report.words import (
    cases_named,
    cases_of,
    counts,
    doubted,
    in_band,
    interval,
    number,
    of_class,
    percent,
    plain,
    target_of,
    those,
    written,
)
from handnet.study.rivals import LOGISTIC, RIDGE

FURTHER_GROUPS = (
    " Rows of further groups may lie in them less often: their width is fixed on rows, not on groups."
)


def paragraph(facts: Mapping[str, Any], comparison: str, warning: str = "") -> str:
    """The verdict. comparison: the sentences on the rivals, empty where there are none; warning: what makes
    the comparison worth less, empty where nothing does."""
    sentences = [
        _worth(facts),
        _first_named(facts),
        _deciding(facts),
        _next(facts),
        _spread(facts),
        _intervals(facts),
        comparison or _no_comparison(facts),
        warning,
        _doubted(facts),
    ]
    return " ".join(sentence for sentence in sentences if sentence)


# The scores that the first sentence of the verdict tells, the one that the next ones go on with first.
TOLD = {
    "two classes": ("accuracy", "sensitivity", "specificity"),
    "many classes": ("accuracy", "balanced_accuracy"),
    "a number": ("rmse", "mae", "r2"),
}


def _worth(facts: Mapping[str, Any]) -> str:
    """How good such models are, with intervals for what is expected."""
    part, task, model = graded_parts(facts)[0], facts["data"]["task"], studied(facts)
    bands = {row["score"]: row[_over(facts)] for row in _winner(facts) if _over(facts) in row}
    if set(bands) != set(TOLD[task]):
        return "Fewer than two seeds of the winner are sound, so it has no band."
    sizes, data = facts["split"]["parts"], facts["data"]
    said, among, details = {"two classes": _of_two, "many classes": _of_many, "a number": _of_number}[task](
        facts, bands
    )
    flattered = f", on which the {model.choice} was chosen and which flatter it" if part == "val" else ""
    return (
        f"{model.subject}, trained on {sizes['train']['cases']} of the {data['cases']} rows, {said}"
        f" ({details}{_times(facts, bands)} on {cases_of(sizes[part], part)}{among}{flattered};"
        f" {_held(bands)}{_missing(facts, bands)})."
    )


def _over(facts: Mapping[str, Any]) -> str:
    """The column that tells how good the winner is: over seeds and cases, of a model without a seed cases."""
    return "both" if studied(facts).seeded else "cases"


def _times(facts: Mapping[str, Any], bands: Mapping[str, Mapping[str, Any]]) -> str:
    """Over how many seeds a score is the mean."""
    if not studied(facts).seeded:
        return "trained once, for it takes no seed,"
    return f"mean over {next(iter(bands.values()))['seeds']} seeds"


def _missing(facts: Mapping[str, Any], bands: Mapping[str, Mapping[str, Any]]) -> str:
    """How many seeds of the winner have no result."""
    row, first = _winner(facts)[0], next(iter(bands.values()))
    text = missing(first["diverged"], first["seeds"] + first["diverged"], row["lost"])
    return f"; {text}" if text else ""


Told = tuple[str, str, str]  # what the models do; how many cases each class has; further scores


def _of_two(facts: Mapping[str, Any], bands: Mapping[str, Mapping[str, Any]]) -> Told:
    """The share of all cases called right, and of each class."""
    data, graded, model = facts["data"], facts["split"]["parts"][graded_parts(facts)[0]], studied(facts)
    right, detected, cleared = (in_band(bands[name]) for name in TOLD["two classes"])
    ones, zeros = graded["positive"], graded["cases"] - graded["positive"]
    classes = f", {those(ones, data['positive_class'])} and {those(zeros, data['negative_class'])}"
    return (
        (
            f"{model.verb('call')} an expected {right} of all cases of this kind right; {model.they}"
            f" {model.verb('find')} {detected} of the {cases_named(data['positive_class'])} and"
            f" {model.verb('clear')} {cleared} of the"
            f" {cases_named(data['negative_class'])}"
        ),
        classes,
        "",
    )


def _of_many(facts: Mapping[str, Any], bands: Mapping[str, Mapping[str, Any]]) -> Told:
    """The share of all cases called right, the mean over the classes, and the class that is found least."""
    data, part, model, over = facts["data"], graded_parts(facts)[0], studied(facts), _over(facts)
    names = tuple(f"recall_{place}" for place in range(len(data["classes"])))
    found = [row for row in rows_of(facts, part, names) if row["role"] == "winner" and over in row]
    least = min(found, key=lambda row: next(iter(row[over]["centres"].values())))
    place = int(least["score"].rpartition("_")[2])
    name, cases = data["classes"][place], facts["split"]["parts"][part]["classes"][place]
    right, balanced = (in_band(bands[name]) for name in TOLD["many classes"])
    return (
        (
            f"{model.verb('call')} an expected {right} of all cases of this kind right, and of the"
            f" {len(data['classes'])} classes on average {balanced} (balanced accuracy); least often"
            f" {model.they} {model.verb('find')} {cases_named(name)}, {in_band(least[over])} of them"
        ),
        f", {cases} of them {of_class(name)}",
        "",
    )


def _of_number(facts: Mapping[str, Any], bands: Mapping[str, Mapping[str, Any]]) -> Told:
    """How far guesses are from the truth, in the unit of the target."""
    off, mean, explained = (in_band(bands[name]) for name in TOLD["a number"])
    target = target_of(facts["data"])
    said = f"{studied(facts).verb('guess')} {target} with an expected RMSE of {off} in the unit of {target}"
    return said, "", f"mean absolute error {mean}, R2 {explained}; "


def _held(bands: Mapping[str, Mapping[str, Any]]) -> str:
    """How often such intervals hold the truth."""
    held = [round(STUDIES * band["simulated"]) for band in bands.values() if band["simulated"] is not None]
    if not held:
        return "95% intervals"
    least, most = min(held), max(held)
    times = f"{least}" if least == most else f"{least} to {most}"
    return f"95% intervals; intervals made this way held the truth in {times} of {STUDIES} simulated studies"


def _first_named(facts: Mapping[str, Any]) -> str:
    """Which of several models is called the winner, and why."""
    others = facts.get("other_searches")
    if not others:
        return ""
    first = facts["configurations"][0]["model"]
    return (
        f"{first} was named first of the {len(others) + 1} models, so it decides: its best configuration is"
        " called the winner, whether or not another model is better."
    )


def _deciding(facts: Mapping[str, Any]) -> str:
    """The score that words the verdict, where it is none of the shares."""
    score = facts["settings"]["verdict"]["score"]
    if score in TOLD[facts["data"]["task"]]:
        return ""
    rows = rows_of(facts, graded_parts(facts)[0], (score,))
    model, over = studied(facts), _over(facts)
    band = next((row[over] for row in rows if row["role"] == "winner" and over in row), None)
    whose = f"{model.their.capitalize()} {label_of(facts, score)}"
    return f"{whose}, the score that decides, is an expected {in_band(band)}." if band else ""


def _next(facts: Mapping[str, Any]) -> str:
    """What one more of these models would show on as many further cases."""
    row, model = _first(facts), studied(facts)
    varies = model.seeded and not row.get("alike")
    another = f"one more such {model.unit}" if varies else "the same method"
    if "next" not in row:
        return ""
    band = row["next"]
    if not facts["data"]["classes"]:
        return (
            f"The RMSE of {another} on {band['n']} further cases of this kind lies in"
            f" {interval(band)} (95%, predictive)."
        )
    return (
        f"{another[0].upper()}{another[1:]} calls {counts(band, band['n'])} further cases of this kind right"
        " (95%, predictive)."
    )


def _spread(facts: Mapping[str, Any]) -> str:
    """How far the accuracy goes when nothing but the seed, or nothing but the split, is another."""
    row = _first(facts)
    if "extremes" not in row:
        return ""
    seeds, splits, classes = row["extremes"], row.get("splits"), facts["data"]["classes"]
    cases = facts["split"]["parts"][graded_parts(facts)[0]]["cases"]
    calls = f"call {counts(seeds, cases)} right" if classes else f"have {_an_rmse(seeds)}"
    text = f"The {seeds['n']} seeds {calls} on these rows"
    if seeds["assured"] >= TELLING:
        text += f", as at least {percent(seeds['assured'])} of further seeds do (confidence 95%)"
    another = f"{text}; another seed on another division of this table"
    if row.get("alike"):
        text = f"All {seeds['n']} seeds gave the same outputs"
        another = f"{text}; on another division of this table one of them"
    if not splits:
        return f"{text}."
    elsewhere = f"has {_an_rmse(splits)}"
    if classes:
        elsewhere = f"calls {number(splits['low'])} to {number(splits['high'])} right"
    return f"{another} {elsewhere} ({percent(splits['coverage'])} of further divisions on average)."


def _an_rmse(band: Mapping[str, Any]) -> str:
    """From which to which."""
    low, high = (written(band[end], band["score"], band) for end in ("low", "high"))
    return f"an RMSE of {low} to {high}"


def _intervals(facts: Mapping[str, Any]) -> str:
    """What intervals for single cases, fixed on validation rows, hold of the test."""
    names = ("interval_coverage", "interval_width")
    rows = [row for row in rows_of(facts, "test", names) if row["role"] == "winner" and "seeds" in row]
    if len(rows) < len(names):
        return ""
    held, width = rows
    further = FURTHER_GROUPS if facts["data"]["groups"] else ""
    return (
        f"The {LEVEL:.0%} prediction intervals for single cases are {in_band(width['seeds'])} wide (fixed on"
        " the validation rows; mean, and .025 to .975 over the seeds). They hold the truth of an expected"
        f" {in_band(held.get('both', held['cases']))} of all cases of this kind.{further}"
    )


def _no_comparison(facts: Mapping[str, Any]) -> str:
    if facts["opening"]:
        return f"There are no fresh divisions of the table, so there is no verdict against {_rival(facts)}."
    return f"The test is sealed, so there is no verdict against {_rival(facts)}."


def _rival(facts: Mapping[str, Any]) -> str:
    return LOGISTIC if facts["data"]["classes"] else RIDGE


def _doubted(facts: Mapping[str, Any]) -> str:
    """How many cases most seeds miss, some seeds miss, and two seeds call differently."""
    part = graded_parts(facts)[0]
    found = [row for row in facts["doubt"] if row["role"] == "winner" and row["part"] == part]
    return f"{doubted(found[0])}{_tolerance(facts)}" if found else ""


def _tolerance(facts: Mapping[str, Any]) -> str:
    """What the tolerance of a guessed number is, and how to set another."""
    tolerance, deviation = facts["judged"]["tolerance"], facts["judged"]["deviation"]
    if not tolerance or not deviation:
        return ""
    times = f"{tolerance / deviation:.2g}"
    many = "half the standard deviation" if times == "0.5" else f"{times} standard deviations"
    return (
        f" The tolerance, {plain(tolerance)}, is {many} of {target_of(facts['data'])} in the train rows;"
        f" {option('tolerance', '')} sets another."
    )


def _winner(facts: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The winner's scores of the first sentence, on the last graded part."""
    rows = rows_of(facts, graded_parts(facts)[0], TOLD[facts["data"]["task"]])
    return [row for row in rows if row["role"] == "winner"]


def _first(facts: Mapping[str, Any]) -> Mapping[str, Any]:
    """The first of these scores; empty where the winner has no band."""
    name = TOLD[facts["data"]["task"]][0]
    return next((row for row in _winner(facts) if row["score"] == name), {})
