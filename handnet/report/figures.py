"""Every figure of the report: what is drawn of the facts, what it shows in words, and its caption."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from handnet.bands.seeds import HIGH, LOW
from handnet.data import Array
from handnet.mlp.history import PREDICTING
from handnet.report.drawing import (
    BLUE,
    GREEN,
    INK,
    ORANGE,
    PINK,
    Picture,
    band_line,
    canvas,
    offsets,
    picture,
    tick,
    whole_ticks,
)
from handnet.report.model_words import named, pair_named, studied
from handnet.report.score_names import IN_UNIT
from handnet.report.search_figures import search_figures
from handnet.report.tables import deciding, graded_parts, label_of, rows_of
from handnet.report.truth_figures import truth_figures
from handnet.report.words import as_told, label, part_name, short, so_many_groups, target_of
from handnet.study.gaps import curve_band

# A band of the forest by its column in the main table: what it is called, and its colour.
LINES = {
    "seeds": ("another seed", BLUE),
    "both": ("expected, from", GREEN),
    "cases": ("expected, from", GREEN),
    "next": ("the next", ORANGE),
    "splits": ("another split", PINK),
}
CONSTANT = ("majority class", "train mean")  # roles of methods that look at no measurement


def figures(facts: Mapping[str, Any]) -> dict[str, Picture]:
    """Every figure of the report, by name; one that is named as a table is shown under that table."""
    return (
        _forests(facts)
        | _comparisons(facts)
        | _winner_figures(facts)
        | truth_figures(facts)
        | search_figures(facts["search"])
    )


def _forests(facts: Mapping[str, Any]) -> dict[str, Picture]:
    """The score that decides of every configuration, a figure for each graded part.

    The majority class or train mean is left to the table: it would squeeze all others into a corner.
    """
    pictures: dict[str, Picture] = {}
    score = deciding(facts)
    for part in graded_parts(facts):
        name = part_name(part)
        rows = [row for row in rows_of(facts, part, (score,)) if row["role"] not in CONSTANT]
        title = f"{label_of(facts, score)} on {name} rows"
        pictures[f"Bands on {name} rows" if pictures else "forest"] = Picture(
            forest(rows, title),
            f"{title[0].upper()}{title[1:]}: the bands of the table below, one line each",
            "Another seed: the quantiles .025 to .975, and how many of the seeds lie there; another split"
            " likewise. Expected: the score on all cases of this kind. The next: what one more"
            f" {studied(facts).unit} may show on as many other cases. The tick is the"
            f" mean.{_unit(facts, score)}",
        )
    return pictures


def _unit(facts: Mapping[str, Any], score: str = "rmse") -> str:
    """In which unit the scores of a number are, and that losses are better the lower they are."""
    if facts["data"]["classes"]:
        return " Lower is better." if score in ("log_loss", "brier") else ""
    if score not in IN_UNIT:
        return ""
    unit = f"the unit of {target_of(facts['data'])}"
    return f" In {'the square of ' * (score == 'mse')}{unit}; lower is better."


def _comparisons(facts: Mapping[str, Any]) -> dict[str, Picture]:
    """The pairs on the score that words the verdict, over fresh divisions, without the majority class too."""
    rows = [
        {"pair": pair_named(facts, pair), **compared}
        for pair in facts["comparisons"]
        for compared in pair["over_splits"]
        if compared["decides"] and pair["theirs"] not in CONSTANT
    ]
    if not rows:
        return {}
    return {
        "Compared over fresh divisions": Picture(
            differences(rows),
            "The differences of the table above in their intervals, and the region that counts as equal",
            "Right of 0 the first is better. The tick is the mean over the divisions, the line the corrected"
            " interval of 95 %; in the shaded region two methods count as equal.",
        )
    }


def _winner_figures(facts: Mapping[str, Any]) -> dict[str, Picture]:
    """Every seed, and the winner's losses over epochs."""
    pictures = {}
    name, winner = part_name(graded_parts(facts)[0]), facts["configurations"][0]
    if facts["seed_scores"]:
        scores = " and ".join(map(label, next(iter(facts["seed_scores"].values()))))
        pictures["every seed"] = Picture(
            every_seed({named(facts, role): found for role, found in facts["seed_scores"].items()}, name),
            f"Every confirmation seed's {scores} on {name} rows",
            f"Every dot is one seed, on the {name} rows.{_unit(facts)}",
        )
    if studied(facts).history and winner["role"] in facts["curves"]:
        curves, diverged = facts["curves"][winner["role"]], len(winner["diverged"])
        seeds, loss = winner["seeds"][2] - diverged, curve_loss(facts["data"]["classes"])
        pictures["The gap between train and validation"] = Picture(
            band_curves(curves, named(facts, winner["role"]), seeds, diverged, loss),
            "Train and validation loss of the winner over epochs, mean and band over seeds",
            "The distance between the lines is the gap.",
        )
    return pictures


def curve_loss(classes: Sequence[str]) -> str:
    """What the curves are of. classes: their names, none of a number."""
    return "log loss" if classes else "half squared error in variances\nof the train target"


def loss_curves(curves: Mapping[str, Array], title: str, loss: str) -> bytes:
    """SVG: mean train and validation loss over epochs, as networks predict, each in its band over seeds.

    curves: by name, (R, epochs) each; loss: its name.
    """
    sound = int(np.isfinite(curves["val_loss"]).all(axis=1).sum())
    bands = {name: curve_band(values) for name, values in curves.items()}
    return band_curves(bands, title, sound, len(curves["val_loss"]) - sound, loss)


@picture
def band_curves(
    bands: Mapping[str, Mapping[str, Any]], title: str, seeds: int, diverged: int, loss: str
) -> Figure:
    """SVG: the same from the bands themselves. bands: curve -> mean, low, high, each (epochs,)."""
    # Its margins are given: there is one for each configuration, and finding them takes longer than drawing.
    figure = Figure(figsize=(6.4, 3.6))
    axes = figure.subplots(
        gridspec_kw={"left": 0.13 if "\n" in loss else 0.1, "right": 0.98, "bottom": 0.14, "top": 0.92}
    )
    for name, text, colour in [("train_loss_off", "train", BLUE), ("val_loss", "validation", ORANGE)]:
        band = bands[name]
        epochs = range(1, len(band["mean"]) + 1)
        axes.plot(epochs, band["mean"], color=colour, label=text)
        axes.fill_between(epochs, band["low"], band["high"], color=colour, alpha=0.25, linewidth=0)
    axes.set(xlabel="epoch", ylabel=f"{loss}, {PREDICTING}", title=short(title, 80), ylim=(0, None))
    covers = (HIGH - LOW) * (seeds - 1) / (seeds + 1)
    missing = f"; {diverged} diverged" if diverged else ""
    legend = f"mean, and quantiles .025 to .975 over {seeds} seeds\n(covers {covers:.1%}{missing})"
    axes.legend(title=legend, loc="best")
    return figure


# What a difference is told in, by its unit.
DIFFERENCES = {
    "points": "{}, points by which the first is higher",
    "nats": "{}, nats by which the first is lower",
    "per cent": "{}, per cent by which the first is lower",
}


@picture
def forest(rows: Sequence[Mapping[str, Any]], title: str) -> Figure:
    """SVG: one line per band, one group per configuration. rows: as `rows_of` gives them, of one score."""
    lines = [
        (row.get("name", row["role"]), column, row[column])
        for row in rows
        for column in LINES
        if _drawn(row, column)
    ]
    figure, axes = canvas(7.6, 1.0 + 0.27 * len(lines))
    places, place, before = [], 0.0, None
    for role, column, band in lines:
        place += 1.6 if before not in (None, role) else 1.0
        places.append(place)
        before = role
        band_line(axes, band, place, LINES[column][1], 4)
        for middle in list(band["centres"].values())[:1]:
            tick(axes, middle, place)
    labels = [f"{short(role)}: {LINES[column][0]} {_varied(band)}" for role, column, band in lines]
    axes.set_yticks(places, labels)
    axes.set(xlabel=title, ylim=(place + 0.8, 0.2))
    axes.locator_params(axis="x", nbins=7)  # narrow bands have long numbers
    whole_ticks(axes.xaxis)
    axes.grid(axis="x")
    return figure


def _drawn(row: Mapping[str, Any], column: str) -> bool:
    """Whether a band is in the forest: what is expected of one network is not, beside that over seeds, nor
    another seed where all are alike."""
    if column == "seeds" and row.get("alike"):
        return False
    return column in row and not (column == "cases" and "both" in row)


def _varied(band: Mapping[str, Any]) -> str:
    """How many values lie in a band, or how many cases and groups of them it is for, and at which level."""
    if band["inside"] is not None:
        return f"({band['inside']} of {band['n']})"
    groups = f" of {so_many_groups(band['groups'])}" if band["groups"] else ""
    return f"{band['n']} cases{groups}, {band['coverage']:.0%}"


@picture
def differences(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """SVG: each difference in its interval, and the region that counts as equal.

    rows: the facts of comparisons over divisions on one score, each with its `pair`.
    """
    unit, width = rows[0]["unit"], rows[0]["rope"]["width"]
    figure, axes = canvas(7.6, 1.0 + 0.32 * len(rows))
    axes.axvspan(as_told(-width, unit), as_told(width, unit), color=GREEN, alpha=0.18, linewidth=0)
    axes.axvline(0, color=INK, alpha=0.4, linewidth=1)
    for place, row in enumerate(rows):
        ends = {end: as_told(row["difference"][end], unit) for end in ("low", "high")}
        band_line(axes, ends, place, PINK, 4)
        tick(axes, as_told(row["difference"]["centres"]["mean"], unit), place)
    axes.set_yticks(range(len(rows)), [short(row["pair"], 48) for row in rows])
    score = label(rows[0]["score"])
    axes.set(xlabel=DIFFERENCES.get(unit, "{}: difference").format(score), ylim=(len(rows) - 0.4, -0.6))
    axes.locator_params(axis="x", nbins=7)
    axes.grid(axis="x")
    return figure


@picture
def every_seed(series: Mapping[str, Mapping[str, Sequence[float | None]]], part: str) -> Figure:
    """SVG: a dot for each seed, a row for each configuration, a column for each score."""
    roles = list(series)
    scores = list(series[roles[0]])
    figure = Figure(figsize=(7.6, 1.1 + 0.75 * len(roles)), layout="constrained")
    columns = np.atleast_1d(figure.subplots(1, len(scores), sharey=True))
    for axes, score in zip(columns, scores, strict=True):
        for place, role in enumerate(roles):
            values = np.sort([value for value in series[role][score] if value is not None])
            axes.scatter(values, place + offsets(values), s=9, color=BLUE, alpha=0.6, linewidths=0)
        axes.set(xlabel=f"{label(score)} on {part} rows", ylim=(len(roles) - 0.5, -0.5))
        axes.set_yticks(range(len(roles)), [short(role) for role in roles])
        whole_ticks(axes.xaxis)
        axes.grid(axis="x")
    return figure
