"""The figures of single cases: what the seeds give it, in its band, and the credits of the families."""

from collections.abc import Mapping
from typing import Any

from matplotlib.figure import Figure

from handnet.report.case_words import CaseWords
from handnet.report.drawing import BLUE, INK, band_line, canvas, picture, tick
from handnet.report.figures import LINES
from handnet.report.words import short


@picture
def strip(
    low: float, middle: float, high: float, ends: tuple[float, float] = (0, 1), mark: float | None = 0.5
) -> Figure:
    """SVG, small: what the seeds give a case, in its band.

    ends: of the scale; mark: the threshold, or the truth, where there is one.
    """
    first, last = ends
    margin = 0.02 * (last - first)
    figure = Figure(figsize=(1.5, 0.22))
    axes = figure.add_axes((0.02, 0.02, 0.96, 0.96))
    axes.set(xlim=(first - margin, last + margin), ylim=(-1, 1))
    axes.axis("off")
    axes.plot([first, last], [0, 0], color=INK, alpha=0.2, linewidth=1)
    if mark is not None:
        axes.plot([mark, mark], [-0.9, 0.9], color=INK, alpha=0.6, linewidth=1)
    band_line(axes, {"low": low, "high": high}, 0, BLUE, 4)
    tick(axes, middle, 0)
    return figure


@picture
def credits(story: Mapping[str, Any], words: CaseWords) -> Figure:
    """SVG: each family's credit, over seeds, over splits and in the check, and their sum."""
    rows = story["credits"]
    figure, axes = canvas(6.4, 1.3 + 0.36 * len(rows))
    for place, row in enumerate(rows):
        for shift, name in ((-0.14, "seeds"), (0.14, "splits")):
            if row[name]:
                called, colour = LINES[name]
                text = f"{called}, .05 to .95" if place == 0 else None
                band_line(axes, row[name], place + shift, colour, 4, label=text)
    checks = [row["nearest"] for row in rows]
    places = range(len(rows))
    axes.plot(checks, places, "D", color=INK, markersize=4, label="from train cases that resemble it")
    axes.axvline(0, color=INK, alpha=0.5, linewidth=1)
    axes.set_yticks(places, [short(str(row["family"])) for row in rows])
    name = story["credited"]
    start, own = (f"{end[name]['centres']['mean']:.2f}" for end in (story["start"], story["own"]))
    total = f"start {start} + mean credits = {own}, the case's {name}"
    axes.set(xlabel=words.axis(story), ylim=(len(rows) - 0.5, -0.5))
    axes.set_title(total, fontsize=10)
    axes.legend(fontsize=8)
    return figure
