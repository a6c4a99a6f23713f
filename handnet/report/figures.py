"""Pictures of bands. Drawn with matplotlib's object interface: no screen, no global state, the same bytes
each time.

Lines and letters take the colour of the page they stand on (currentColor), so that one picture serves light
and dark."""

import io
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from handnet.bands.seeds import HIGH, LOW
from handnet.data import Array
from handnet.report.words import label, short
from handnet.study.summary import curve_band

ASKED = {
    "seeds": "another seed",
    "cases": "other cases",
    "seeds_x_cases": "seed and cases",
    "splits": "another split",
}
BLUE, ORANGE, GREEN, PINK = (
    "#0072b2",
    "#d55e00",
    "#009e73",
    "#cc79a7",
)  # Okabe and Ito: told apart by everyone
COLOURS = {"seeds": BLUE, "cases": ORANGE, "seeds_x_cases": GREEN, "splits": PINK}
INK = "#010203"  # stands for the page's own colour until the picture is done
PRINT = b"#1d2430"
STYLE: Any = {
    "svg.hashsalt": "handnet",
    "svg.fonttype": "none",
    "font.size": 10,
    "text.parse_math": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "grid.color": INK,
    "grid.alpha": 0.15,
    "axes.axisbelow": True,
    "legend.frameon": False,
}


def alone(svg: bytes) -> bytes:
    """A picture as a file of its own: dark on white, for there is no page whose colours it could take."""
    head = svg.index(b">", svg.index(b"<svg")) + 1
    paper = b'<rect width="100%" height="100%" fill="#ffffff"/>'
    return svg[:head].replace(b"currentColor", PRINT) + paper + svg[head:].replace(b"currentColor", PRINT)


def loss_curves(curves: Mapping[str, Array], title: str) -> bytes:
    """SVG: mean train and validation loss over epochs, dropout off, each in its band over seeds."""
    sound = int(np.isfinite(curves["val_loss"]).all(axis=1).sum())
    bands = {name: curve_band(values) for name, values in curves.items()}
    return band_curves(bands, title, sound, len(curves["val_loss"]) - sound)


def band_curves(bands: Mapping[str, Mapping[str, Any]], title: str, mask_diverged: int, lost: int) -> bytes:
    """The same from the bands themselves: curve -> mean, low, high per epoch."""
    with mpl.rc_context(STYLE):
        figure = Figure(
            figsize=(6.4, 3.6)
        )  # margins of its own: there is one for each configuration, and finding them takes longer than drawing
        axes = figure.subplots(gridspec_kw={"left": 0.1, "right": 0.98, "bottom": 0.14, "top": 0.92})
        for name, text, colour in [("train_loss_off", "train", BLUE), ("val_loss", "validation", ORANGE)]:
            band = bands[name]
            epochs = range(1, len(band["mean"]) + 1)
            axes.plot(epochs, band["mean"], color=colour, label=text)
            axes.fill_between(epochs, band["low"], band["high"], color=colour, alpha=0.25, linewidth=0)
        axes.set(xlabel="epoch", ylabel="log loss, dropout off", title=short(title, 80), ylim=(0, None))
        covers = (HIGH - LOW) * (mask_diverged - 1) / (mask_diverged + 1)
        said = (
            f"mean, and quantiles .025 to .975 over {mask_diverged} seeds\n(covers"
            f" {covers:.1%}{f'; {lost} diverged' if lost else ''})"
        )
        axes.legend(title=said, loc="upper right")
        return _svg(figure)


def forest(bands: Sequence[Mapping[str, Any]], title: str) -> bytes:
    """SVG: one line per band, one group per configuration. bands: rows of the report's band list, one
    score."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(7.6, 1.0 + 0.27 * len(bands)), layout="constrained")
        axes = figure.subplots()
        places, place, before = [], 0.0, None
        for band in bands:
            place += 1.6 if before not in (None, band["role"]) else 1.0
            places.append(place)
            before = band["role"]
            colour = COLOURS[band["varied"]]
            axes.plot(
                [band["low"], band["high"]], [place, place], color=colour, linewidth=4, solid_capstyle="butt"
            )
            centre = next(iter(band["centres"].values()), None)
            if centre is not None:
                axes.plot([centre], [place], "|", color=INK, markersize=9, markeredgewidth=1.6)
        labels = [
            f"{short(band['role'])}: {ASKED[band['varied']]} ({band['n']}), {band['coverage']:.0%}"
            for band in bands
        ]
        axes.set_yticks(places, labels)
        axes.set(xlabel=title, ylim=(place + 0.8, 0.2))
        axes.locator_params(axis="x", nbins=7)  # narrow bands have long numbers
        axes.grid(axis="x")
        return _svg(figure)


def every_seed(series: Mapping[str, Mapping[str, Sequence[float | None]]], part: str) -> bytes:
    """SVG: a dot for each seed, a row for each configuration, a column for each score."""
    with mpl.rc_context(STYLE):
        roles = list(series)
        scores = list(series[roles[0]])
        figure = Figure(figsize=(7.6, 1.1 + 0.75 * len(roles)), layout="constrained")
        for axes, score in zip(
            np.atleast_1d(figure.subplots(1, len(scores), sharey=True)), scores, strict=True
        ):
            for place, role in enumerate(roles):
                values = np.sort([value for value in series[role][score] if value is not None])
                axes.scatter(values, place + _spread(values), s=9, color=BLUE, alpha=0.6, linewidths=0)
            axes.set(xlabel=f"{label(score)} on {part} rows", ylim=(len(roles) - 0.5, -0.5))
            axes.set_yticks(range(len(roles)), [short(role) for role in roles])
            axes.grid(axis="x")
        return _svg(figure)


def _spread(values: Array) -> Array:
    """Offsets that lay equal, and nearly equal, values beside each other: the wider, the more there are of
    them. Where in that width is a van der Corput sequence, which fills it evenly without chance."""
    if not len(values):
        return values
    bins = np.digitize(values, np.linspace(values[0], values[-1] + 1e-12, 40))
    places = np.array([np.sum(bins[:place] == one) for place, one in enumerate(bins)])
    crowd = np.array([np.sum(bins == one) for one in bins])
    within = np.array([int(f"{place + 1:010b}"[::-1], 2) / 1024 for place in places])
    return np.asarray(0.7 * (within - 0.5) * (crowd - 1) / max(crowd.max() - 1, 1))


def search_history(trials: Sequence[Mapping[str, Any]]) -> bytes:
    """SVG: each trial's objective with its band over the search seeds, and the best so far."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(6.4, 3.2), layout="constrained")
        axes = figure.subplots()
        sound = [row for row in trials if row["value"] is not None]
        for row in sound:
            axes.plot([row["place"]] * 2, [row["low"], row["high"]], color=BLUE, alpha=0.35, linewidth=2)
        axes.plot(
            [row["place"] for row in sound],
            [row["value"] for row in sound],
            "o",
            color=BLUE,
            markersize=4,
            label="mean, [.025, .975] over seeds",
        )
        best = np.minimum.accumulate(np.array([row["value"] for row in sound]))
        axes.step([row["place"] for row in sound], best, where="post", color=ORANGE, label="best so far")
        axes.set(xlabel="trial", ylabel="validation log loss", yscale="log")
        _plain_ticks(axes.yaxis)
        axes.legend()
        return _svg(figure)


def importances(shares: Mapping[str, float]) -> bytes:
    """SVG: how much of the objective's variance each parameter explains."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(6.4, 0.8 + 0.35 * len(shares)), layout="constrained")
        axes = figure.subplots()
        names = sorted(shares, key=lambda name: shares[name])
        axes.barh(
            [name.replace("_", " ") for name in names],
            [shares[name] for name in names],
            color=BLUE,
            height=0.6,
        )
        axes.set(xlabel="share of the variance of the objective, fANOVA", xlim=(0, 1))
        return _svg(figure)


def contour(surface: Mapping[str, Any], trials: Sequence[Mapping[str, Any]]) -> bytes:
    """SVG: the objective over learning rate and dropout, and beside it how unsure that picture is."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(7.6, 3.3), layout="constrained")
        sides = figure.subplots(1, 2, sharey=True)
        for axes, name, text in zip(
            sides, ("median", "factor"), ("validation log loss", "uncertainty, factor of one sd"), strict=True
        ):
            drawn = axes.contourf(
                surface["learning_rate"],
                surface["dropout"],
                np.array(surface[name]),
                levels=9,
                cmap="cividis",
            )
            axes.plot(
                [row["learning_rate"] for row in trials],
                [row["dropout"] for row in trials],
                ".",
                color="white",
                markersize=5,
                markeredgecolor="black",
                markeredgewidth=0.5,
            )
            axes.set(xscale="log", xlabel="learning rate", title=text)
            _plain_ticks(axes.xaxis, minor=False)
            figure.colorbar(drawn, ax=axes)
        sides[0].set(ylabel="dropout")
        return _svg(figure)


def reliability_curve(rows: Sequence[Mapping[str, float]], few: str) -> bytes:
    """SVG: share of positives against the mean probability, with Wilson's intervals. few: a warning, or
    nothing."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(4.2, 4.0), layout="constrained")
        axes = figure.subplots()
        axes.plot([0, 1], [0, 1], color=INK, alpha=0.4, linewidth=1)
        for row in rows:
            axes.plot([row["expected"]] * 2, [row["low"], row["high"]], color=BLUE, alpha=0.5, linewidth=3)
        axes.plot(
            [row["expected"] for row in rows],
            [row["observed"] for row in rows],
            "o",
            color=BLUE,
            markersize=5,
        )
        axes.set(
            xlabel="mean probability over seeds",
            ylabel="share of positives [Wilson 95 %]",
            title=few,
            xlim=(-0.02, 1.02),
            ylim=(-0.02, 1.02),
        )
        return _svg(figure)


def strip(low: float, middle: float, high: float) -> bytes:
    """SVG, small: a case's score from 0 to 1, its band over seeds, the threshold of .5."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(1.5, 0.22))
        axes = figure.add_axes((0.02, 0.02, 0.96, 0.96))
        axes.set(xlim=(-0.02, 1.02), ylim=(-1, 1))
        axes.axis("off")
        axes.plot([0, 1], [0, 0], color=INK, alpha=0.2, linewidth=1)
        axes.plot([0.5, 0.5], [-0.9, 0.9], color=INK, alpha=0.6, linewidth=1)
        axes.plot([low, high], [0, 0], color=BLUE, linewidth=4, solid_capstyle="butt")
        axes.plot([middle], [0], "|", color=INK, markersize=9, markeredgewidth=1.6)
        return _svg(figure)


def credits(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """SVG: each family's credit on the logit, over seeds and over splits."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(6.4, 1.0 + 0.36 * len(rows)), layout="constrained")
        axes = figure.subplots()
        for place, row in enumerate(rows):
            for shift, name in ((-0.14, "seeds"), (0.14, "splits")):
                band = row[name]
                if band:
                    axes.plot(
                        [band["low"], band["high"]],
                        [place + shift] * 2,
                        color=COLOURS[name],
                        linewidth=4,
                        solid_capstyle="butt",
                        label=f"{ASKED[name]}, .05 to .95" if place == 0 else None,
                    )
        axes.axvline(0, color=INK, alpha=0.5, linewidth=1)
        axes.set_yticks(range(len(rows)), [short(str(row["family"])) for row in rows])
        axes.set(
            xlabel="credit on the logit; right of 0 pulls towards the positive class",
            ylim=(len(rows) - 0.5, -0.5),
        )
        axes.legend(fontsize=8)
        return _svg(figure)


def margins(parts: Sequence[Mapping[str, Any]]) -> bytes:
    """SVG: each part of a claim on an axis of its own, its band against the region in which the claim is
    right, shaded."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(6.4, 0.2 + 0.78 * len(parts)), layout="constrained")
        for axes, part in zip(np.atleast_1d(figure.subplots(len(parts), 1)), parts, strict=True):
            band, region = part["band"], part["region"]
            ends = [end for end in (*region, band["low"], band["high"]) if end is not None]
            edge = 0.12 * (max(ends) - min(ends)) or 1.0
            left, right = min(ends) - edge, max(ends) + edge
            low, high = (
                side if end is None else end for end, side in zip(region, (left, right), strict=True)
            )
            axes.axvspan(low, high, color=GREEN, alpha=0.22, linewidth=0)
            axes.plot([band["low"], band["high"]], [0, 0], color=BLUE, linewidth=5, solid_capstyle="butt")
            axes.plot(
                [next(iter(band["centres"].values()))],
                [0],
                "|",
                color=INK,
                markersize=11,
                markeredgewidth=1.8,
            )
            axes.set(xlim=(left, right), ylim=(-1, 1), yticks=[])
            axes.set_title(short(part["what"], 90), fontsize=9, loc="left")
            axes.spines["left"].set_visible(False)
        return _svg(figure)


def costs(timings: Mapping[str, Sequence[tuple[int, float]]], floor: float) -> bytes:
    """SVG: milliseconds a network against networks trained at once, both logarithmic. timings: contestant ->
    its points."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(7.6, 4.4), layout="constrained")
        axes = figure.subplots()
        for place, (name, points) in enumerate(timings.items()):
            colour = (BLUE, ORANGE, GREEN, PINK)[place % 4]
            axes.plot(
                *zip(*points, strict=True),
                "o-" if place < 4 else "s--",
                color=colour,
                label=name,
                markersize=4,
            )
        axes.axhline(floor, color=INK, alpha=0.6, linewidth=1, label="floor: the products alone, one core")
        axes.set(
            xscale="log", yscale="log", xlabel="networks trained at once", ylabel="milliseconds a network"
        )
        for axis in (axes.xaxis, axes.yaxis):
            _plain_ticks(axis, minor=False)
        axes.grid()
        axes.legend(fontsize=8)
        return _svg(figure)


def _plain_ticks(axis: Axis, minor: bool = True) -> None:
    """Numbers on a logarithmic axis as they are typed: mathematical text is off, because names come from
    users."""
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(FuncFormatter(lambda value, _: f"{value:g}") if minor else NullFormatter())


def _svg(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # Letters stay letters in the picture: whoever shows it brings the font, here it only measures.
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        figure.savefig(buffer, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    return buffer.getvalue().replace(INK.encode(), b"currentColor")
