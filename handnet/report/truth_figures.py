"""The figures of what the networks give against what is so: probabilities, guesses, calls."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from handnet.bands.calibration import ENOUGH
from handnet.report.drawing import BLUE, INK, ORANGE, Picture, canvas, picture, whole_ticks
from handnet.report.tables import graded_parts
from handnet.report.words import part_name, short, target_of

DOTS = 400  # of guesses: more hide each other
MOST = 12  # classes whose calls are drawn


def truth_figures(facts: Mapping[str, Any]) -> dict[str, Picture]:
    """The reliability of probabilities, guesses against truths, which class is called which."""
    pictures, name = {}, part_name(graded_parts(facts)[0])
    if facts["reliability"]:
        pictures["Calibration"] = _calibration(facts, name)
    if facts["guesses"]:
        drawn = len(_drawn(facts["guesses"]["guess"]))
        count = len(facts["guesses"]["guess"])
        some = f", {drawn} of the {count} cases, evenly spread over their ranks" if drawn < count else ""
        pictures["Calibration"] = Picture(
            guessed(facts["guesses"], target_of(facts["data"])),
            "The truth of each case against the guess of the ensemble of the winner's seeds",
            f"On {name} rows{some}. The dot is the mean guess of the seeds, the line spans the quantiles .025"
            " to .975 of their guesses, and on the diagonal a guess is right.",
        )
    confusion, classes = facts["confusion"], facts["data"]["classes"]
    if confusion and len(classes) <= MOST:
        pictures[f"Which class is called which, on {name} rows"] = Picture(
            confused(confusion["counts"], classes),
            "How many cases of each class the winner calls each class, as a matrix",
            "Right calls are blue, wrong ones orange, the darker the larger their share of the true class.",
        )
    return pictures


def _calibration(facts: Mapping[str, Any], name: str) -> Picture:
    """Probabilities against shares of cases."""
    rows, many = facts["reliability"], len(facts["data"]["classes"]) > 2
    events = sum(row["n"] * row["observed"] for row in rows)
    few = min(events, sum(row["n"] for row in rows) - events) < ENOUGH - 0.5  # it is a sum of shares
    what = "right calls" if many else "positives"
    probability = "the ensemble's probability of the class it calls" if many else "the ensemble's probability"
    told = "The probability of a case is the highest of its classes; the" if many else "The"
    if smooth := facts["calibration_curve"]:
        told = "The line is a logistic regression on a natural cubic spline of the logit; the"
    return Picture(
        reliability_curve(
            rows,
            facts["calibration_curve"],
            f"few cases: read the {'band, not the line' if smooth else 'bands, not the dots'}" if few else "",
            (probability, f"share of {what}"),
        ),
        f"Share of {what} against the probability of the ensemble of the winner's seeds",
        f"On {name} rows. {told} {len(rows)} bins hold as many cases each.",
    )


@picture
def reliability_curve(
    rows: Sequence[Mapping[str, float]],
    curve: Mapping[str, Any] | None,
    few: str,
    labels: tuple[str, str] = ("the ensemble's probability", "share of positives"),
) -> Figure:
    """SVG: shares of cases against the ensemble's probability, smoothed and in bins. few: a warning.

    rows: the bins, with Wilson's intervals; curve: the smoothed curve with its band, if there is one; labels:
    of the axes.
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
    axes.set(xlabel=labels[0], ylabel=labels[1], title=few)
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    axes.legend(fontsize=8, loc="upper left")
    return figure


@picture
def guessed(guesses: Mapping[str, Sequence[float]], target: str) -> Figure:
    """SVG: the truth of each case against its guess in its band over seeds, in the target's unit.

    guesses: as `series.guesses` gives them; target: its name.
    """
    name = short(target, 26)
    figure, axes = canvas(4.8, 4.4)
    places = _drawn(guesses["guess"])
    truth, guess, low, high = (np.array(guesses[name])[places] for name in ("truth", "guess", "low", "high"))
    both = [min(truth.min(), low.min()), max(truth.max(), high.max())]
    axes.plot(both, both, color=INK, alpha=0.4, linewidth=1)
    axes.hlines(truth, low, high, color=BLUE, alpha=0.35, linewidth=2)
    axes.plot(guess, truth, "o", color=BLUE, markersize=3.5)
    axes.set(xlabel=f"{name}, guessed by the ensemble", ylabel=f"{name}, true")
    whole_ticks(axes.xaxis, axes.yaxis)
    axes.grid()
    return figure


def _drawn(values: Sequence[float]) -> list[int]:
    """The places of those that are drawn, evenly spread over all."""
    return np.unique(np.linspace(0, len(values) - 1, min(len(values), DOTS)).round().astype(int)).tolist()


@picture
def confused(counts: Sequence[Sequence[float]], classes: Sequence[str]) -> Figure:
    """SVG: how many cases of each class, in a row, are called each class, in a column.

    counts: (k, k), means over seeds; classes: their k names.
    """
    names, size = [short(name, 24) for name in classes], len(classes)
    figure, axes = canvas(2.6 + 0.46 * size, 2.0 + 0.38 * size)
    for true, row in enumerate(counts):
        for called, count in enumerate(row):
            colour = BLUE if true == called else ORANGE
            share = 0.65 * count / max(sum(row), 1)
            axes.add_patch(
                Rectangle((called - 0.5, true - 0.5), 1, 1, color=colour, alpha=share, linewidth=0)
            )
            axes.text(called, true, _count(count), ha="center", va="center", fontsize=8)
    axes.set_yticks(range(size), names)
    axes.set_xticks(range(size), names, rotation=90 if max(map(len, names)) > 4 else 0)
    axes.set(xlabel="called", ylabel="true class", xlim=(-0.5, size - 0.5), ylim=(size - 0.5, -0.5))
    return figure


def _count(count: float) -> str:
    """A mean count: whole where no seed differs, nothing where there is none."""
    if not count:
        return ""
    return f"{count:.0f}" if count == round(count) else f"{count:.1f}" if count >= 0.05 else "<.1"
