"""Pictures of bands. Drawn with matplotlib's object interface: no screen, no global state, the same bytes each time."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from experiments.summary import curve_band
from handnet.bands.seeds import HIGH, LOW
from handnet.data import Array

ASKED = {"seeds": "another seed", "cases": "other cases", "seeds_x_cases": "seed and cases", "splits": "another split"}
BLUE, ORANGE, GREEN, GREY = "#0072b2", "#d55e00", "#009e73", "#666666"  # Okabe and Ito: told apart by everyone
STYLE: Any = {"svg.hashsalt": "handnet", "svg.fonttype": "none", "font.size": 10, "text.parse_math": False,
         "axes.spines.top": False, "axes.spines.right": False}  # fmt: skip


def loss_curves(curves: Mapping[str, Array], title: str) -> bytes:
    """SVG: mean train and validation loss over epochs, dropout off, each in its band over seeds."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(6.4, 3.6), layout="constrained")
        axes = figure.subplots()
        for name, label, colour in [("train_loss_off", "train", BLUE), ("val_loss", "validation", ORANGE)]:
            values = curves[name]
            mean, low, high = curve_band(values)
            epochs = range(1, values.shape[1] + 1)
            axes.plot(epochs, mean, color=colour, label=label)
            axes.fill_between(epochs, low, high, color=colour, alpha=0.25, linewidth=0)
        axes.set(xlabel="epoch", ylabel="log loss, dropout off", title=title, ylim=(0, None))
        heard = int(np.isfinite(curves["val_loss"]).all(axis=1).sum())
        covers = (HIGH - LOW) * (heard - 1) / (heard + 1)
        lost = len(curves["val_loss"]) - heard
        title = f"mean, and quantiles .025 to .975 over {heard} seeds\n(covers {covers:.1%}{f'; {lost} diverged' if lost else ''})"
        axes.legend(frameon=False, title=title)
        return _svg(figure)


def forest(bands: Sequence[Mapping[str, Any]], title: str) -> bytes:
    """SVG: one line per band, seeds and cases side by side. bands: rows of the report's band list, one score."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(7.2, 1.2 + 0.34 * len(bands)), layout="constrained")
        axes = figure.subplots()
        colours = {"seeds": BLUE, "cases": ORANGE, "seeds_x_cases": GREEN, "splits": GREY}
        for place, band in enumerate(bands):
            colour = colours[band["varied"]]
            axes.plot([band["low"], band["high"]], [place, place], color=colour, linewidth=4, solid_capstyle="butt")
            centre = next(iter(band["centres"].values()), None)
            if centre is not None:
                axes.plot([centre], [place], "o", color="white", markeredgecolor=colour, markersize=7)
        labels = [f"{band['role']}: {ASKED[band['varied']]} ({band['n']}), {band['coverage']:.0%}" for band in bands]
        axes.set_yticks(range(len(bands)), [" ".join(text.split()) for text in labels])
        axes.set(xlabel=title, ylim=(len(bands) - 0.4, -0.6))
        axes.grid(axis="x", color="#dddddd")
        axes.set_axisbelow(True)
        return _svg(figure)


def _svg(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return buffer.getvalue()
