"""Every figure of the report: what is drawn of the facts, what it shows in words, and its caption."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from markupsafe import Markup
from matplotlib.figure import Figure

from handnet.bands.seeds import HIGH, LOW
from handnet.data import Array
from handnet.report.drawing import (
    BLUE,
    GREEN,
    INK,
    ORANGE,
    PINK,
    band_line,
    canvas,
    inline,
    offsets,
    picture,
    plain_ticks,
    tick,
)
from handnet.report.tables import graded_parts, rows_of, too_few
from handnet.report.words import label, part_name, short, so_many_groups
from handnet.study.gaps import curve_band

# A band of the forest by its column in the main table: what it is called, and its colour.
LINES = {
    "seeds": ("another seed", BLUE),
    "both": ("expected, from", GREEN),
    "cases": ("expected, from", GREEN),
    "next": ("the next", ORANGE),
    "splits": ("another split", PINK),
}


class Picture(NamedTuple):
    """A figure, what it shows in words, and what stands under it."""

    svg: bytes
    alt: str
    caption: str

    @property
    def inline(self) -> Markup:
        """As part of a page."""
        return inline(self.svg)


def figures(facts: Mapping[str, Any]) -> dict[str, Picture]:
    """Every figure of the report, by name; one that is named as a table is shown under that table."""
    return _forests(facts) | _winner_figures(facts) | _search_figures(facts["search"])


def _forests(facts: Mapping[str, Any]) -> dict[str, Picture]:
    """The accuracy of every configuration, a figure for each graded part.

    The majority class is left to the table: it would squeeze all others into a corner.
    """
    pictures: dict[str, Picture] = {}
    for part in graded_parts(facts):
        name = part_name(part)
        rows = [row for row in rows_of(facts, part, ("accuracy",)) if row["role"] != "majority class"]
        pictures[f"Bands on {name} rows" if pictures else "forest"] = Picture(
            forest(rows, f"accuracy on {name} rows"),
            f"Accuracy on {name} rows: the bands of the table below, one line each",
            "Another seed: the quantiles .025 to .975, and how many of the seeds lie there; another split"
            " likewise. Expected: the score on all cases of this kind. The next: what one more network may"
            " show on as many other cases. The tick is the mean.",
        )
    return pictures


def _winner_figures(facts: Mapping[str, Any]) -> dict[str, Picture]:
    """Every seed, the winner's losses over epochs, and its reliability."""
    pictures = {}
    part = graded_parts(facts)[0]
    name, winner = part_name(part), facts["configurations"][0]
    if facts["seed_scores"]:
        pictures["every seed"] = Picture(
            every_seed(facts["seed_scores"], name),
            f"Every confirmation seed's accuracy and log loss on {name} rows",
            f"Every dot is one seed, on the {name} rows.",
        )
    if winner["role"] in facts["curves"]:
        curves, diverged = facts["curves"][winner["role"]], len(winner["diverged"])
        pictures["The gap between train and validation"] = Picture(
            band_curves(curves, winner["role"], winner["seeds"][2] - diverged, diverged),
            "Train and validation loss of the winner over epochs, mean and band over seeds",
            "The distance between the lines is the gap.",
        )
    if facts["reliability"]:
        few = "few cases: read the band, not the line" if too_few(facts, part) else ""
        pictures["Calibration"] = Picture(
            reliability_curve(facts["reliability"], facts["calibration_curve"], few),
            "Share of positives against the probability of the ensemble of the winner's seeds",
            f"On {name} rows. The line is a logistic regression on a natural cubic spline of the logit;"
            f" the {len(facts['reliability'])} bins hold as many cases each.",
        )
    return pictures


def _search_figures(search: Mapping[str, Any]) -> dict[str, Picture]:
    """The trials in order, the importances of the parameters, the searched surface."""
    pictures = {}
    sound = [trial for trial in search["trials"] if trial["value"] is not None]
    if sound:
        pictures["history"] = Picture(
            search_history(search["trials"]),
            "The objective of each trial in order, and the best so far",
            "The search in order.",
        )
    if search["importances"]:
        pictures["importances"] = Picture(
            importances(search["importances"]),
            "Share of the objective's variance by parameter",
            "Of a TPE search it says as much about where the search went as about the space.",
        )
    if search["surface"]:
        pictures["contour"] = Picture(
            contour(search["surface"], sound),
            "The objective over learning rate and dropout, and its uncertainty",
            f"A Gaussian process through {search['surface']['trials']} trials, at the best one's epochs; dots"
            " are trials.",
        )
    return pictures


def loss_curves(curves: Mapping[str, Array], title: str) -> bytes:
    """SVG: mean train and validation loss over epochs, dropout off, each in its band over seeds.

    curves: by name, (R, epochs) each.
    """
    sound = int(np.isfinite(curves["val_loss"]).all(axis=1).sum())
    bands = {name: curve_band(values) for name, values in curves.items()}
    return band_curves(bands, title, sound, len(curves["val_loss"]) - sound)


@picture
def band_curves(bands: Mapping[str, Mapping[str, Any]], title: str, seeds: int, diverged: int) -> Figure:
    """SVG: the same from the bands themselves. bands: curve -> mean, low, high, each (epochs,)."""
    # Its margins are given: there is one for each configuration, and finding them takes longer than drawing.
    figure = Figure(figsize=(6.4, 3.6))
    axes = figure.subplots(gridspec_kw={"left": 0.1, "right": 0.98, "bottom": 0.14, "top": 0.92})
    for name, text, colour in [("train_loss_off", "train", BLUE), ("val_loss", "validation", ORANGE)]:
        band = bands[name]
        epochs = range(1, len(band["mean"]) + 1)
        axes.plot(epochs, band["mean"], color=colour, label=text)
        axes.fill_between(epochs, band["low"], band["high"], color=colour, alpha=0.25, linewidth=0)
    axes.set(xlabel="epoch", ylabel="log loss, dropout off", title=short(title, 80), ylim=(0, None))
    covers = (HIGH - LOW) * (seeds - 1) / (seeds + 1)
    missing = f"; {diverged} diverged" if diverged else ""
    legend = f"mean, and quantiles .025 to .975 over {seeds} seeds\n(covers {covers:.1%}{missing})"
    axes.legend(title=legend, loc="upper right")
    return figure


@picture
def forest(rows: Sequence[Mapping[str, Any]], title: str) -> Figure:
    """SVG: one line per band, one group per configuration. rows: as `rows_of` gives them, of one score."""
    lines = [(row["role"], column, row[column]) for row in rows for column in LINES if _drawn(row, column)]
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
    axes.grid(axis="x")
    return figure


def _drawn(row: Mapping[str, Any], column: str) -> bool:
    """Whether a band is in the forest: what is expected of one network is not, beside that over seeds."""
    return column in row and not (column == "cases" and "both" in row)


def _varied(band: Mapping[str, Any]) -> str:
    """How many values lie in a band, or how many cases and groups of them it is for, and at which level."""
    if band["inside"] is not None:
        return f"({band['inside']} of {band['n']})"
    groups = f" of {so_many_groups(band['groups'])}" if band["groups"] else ""
    return f"{band['n']} cases{groups}, {band['coverage']:.0%}"


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
        axes.grid(axis="x")
    return figure


@picture
def search_history(trials: Sequence[Mapping[str, Any]]) -> Figure:
    """SVG: each trial's objective with its band over the search seeds, and the best so far."""
    figure, axes = canvas(6.4, 3.2)
    sound = [trial for trial in trials if trial["value"] is not None]
    places, values = [trial["place"] for trial in sound], [trial["value"] for trial in sound]
    for trial in sound:
        axes.plot([trial["place"]] * 2, [trial["low"], trial["high"]], color=BLUE, alpha=0.35, linewidth=2)
    axes.plot(places, values, "o", color=BLUE, markersize=4, label="mean, [.025, .975] over seeds")
    best = np.minimum.accumulate(np.array(values))
    axes.step(places, best, where="post", color=ORANGE, label="best so far")
    axes.set(xlabel="trial", ylabel="validation log loss", yscale="log")
    plain_ticks(axes.yaxis)
    axes.legend()
    return figure


@picture
def importances(shares: Mapping[str, float]) -> Figure:
    """SVG: how much of the objective's variance each parameter explains."""
    figure, axes = canvas(6.4, 0.8 + 0.35 * len(shares))
    names = sorted(shares, key=lambda name: shares[name])
    labels = [name.replace("_", " ") for name in names]
    axes.barh(labels, [shares[name] for name in names], color=BLUE, height=0.6)
    axes.set(xlabel="share of the variance of the objective, fANOVA", xlim=(0, 1))
    return figure


@picture
def contour(surface: Mapping[str, Any], trials: Sequence[Mapping[str, Any]]) -> Figure:
    """SVG: the objective over learning rate and dropout, and beside it how unsure that picture is."""
    figure = Figure(figsize=(7.6, 3.3), layout="constrained")
    sides = figure.subplots(1, 2, sharey=True)
    rates, dropouts = [trial["learning_rate"] for trial in trials], [trial["dropout"] for trial in trials]
    dots: Any = {"color": "white", "markersize": 5, "markeredgecolor": "black", "markeredgewidth": 0.5}
    titles = {"median": "validation log loss", "factor": "uncertainty, factor of one sd"}
    for axes, (name, title) in zip(sides, titles.items(), strict=True):
        values = np.array(surface[name])
        filled = axes.contourf(surface["learning_rate"], surface["dropout"], values, levels=9, cmap="cividis")
        axes.plot(rates, dropouts, ".", **dots)
        axes.set(xscale="log", xlabel="learning rate", title=title)
        plain_ticks(axes.xaxis, minor=False)
        figure.colorbar(filled, ax=axes)
    sides[0].set(ylabel="dropout")
    return figure


@picture
def reliability_curve(
    rows: Sequence[Mapping[str, float]], curve: Mapping[str, Any] | None, few: str
) -> Figure:
    """SVG: the share of positives against the ensemble's probability, smoothed and in bins. few: a warning.

    rows: the bins, with Wilson's intervals; curve: the smoothed curve with its band, if there is one.
    """
    figure, axes = canvas(4.6, 4.2)
    axes.plot([0, 1], [0, 1], color=INK, alpha=0.4, linewidth=1)
    if curve:
        axes.plot(curve["probability"], curve["share"], color=ORANGE, label="smoothed")
        ends = curve["probability"], curve["low"], curve["high"]
        axes.fill_between(*ends, color=ORANGE, alpha=0.2, linewidth=0, label="95 % over cases, pointwise")
    for row in rows:
        axes.plot([row["expected"]] * 2, [row["low"], row["high"]], color=BLUE, alpha=0.5, linewidth=3)
    expected, observed = ([row[name] for row in rows] for name in ("expected", "observed"))
    axes.plot(expected, observed, "o", color=BLUE, markersize=5, label="bins [Wilson 95 %]")
    axes.set(xlabel="the ensemble's probability", ylabel="share of positives", title=few)
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    axes.legend(fontsize=8, loc="upper left")
    return figure
