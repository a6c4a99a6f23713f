"""The figures of the search: its trials in order, what its parameters matter, the searched surface."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from handnet.report.drawing import BLUE, ORANGE, Picture, canvas, log_ticks, picture, plain_ticks, whole_ticks
from handnet.report.model_words import listed, param_words
from handnet.report.words import label, short


def search_figures(search: Mapping[str, Any]) -> dict[str, Picture]:
    """The trials in order, the importances of the parameters, the searched surface."""
    pictures, loss = {}, f"validation {label(search['score'])}"
    sound = [trial for trial in search["trials"] if trial["value"] is not None]
    if sound:
        pictures["history"] = Picture(
            search_history(search["trials"], loss),
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
            contour(search["surface"], sound, loss),
            f"The objective over {listed([axis['name'] for axis in search['surface']['axes']])}, and its"
            " uncertainty",
            _at(search["surface"]),
        )
    return pictures


def _at(surface: Mapping[str, Any]) -> str:
    """What the surface is of, and where in the space it lies."""
    at = f", at the best one's {listed(surface['fixed'])}" if surface["fixed"] else ""
    any_ = f", whatever the {listed(surface['pooled'])}" if surface["pooled"] else ""
    return f"A Gaussian process through {surface['trials']} trials{at}{any_}; dots are trials."


@picture
def search_history(trials: Sequence[Mapping[str, Any]], loss: str) -> Figure:
    """SVG: each trial's objective with its band over the search seeds, and the best so far.

    loss: the name of the objective.
    """
    figure, axes = canvas(6.4, 3.2)
    sound = [trial for trial in trials if trial["value"] is not None]
    places, values = [trial["place"] for trial in sound], [trial["value"] for trial in sound]
    for trial in sound:
        axes.plot([trial["place"]] * 2, [trial["low"], trial["high"]], color=BLUE, alpha=0.35, linewidth=2)
    axes.plot(places, values, "o", color=BLUE, markersize=4, label="mean, [.025, .975] over seeds")
    best = np.minimum.accumulate(np.array(values))
    axes.step(places, best, where="post", color=ORANGE, label="best so far")
    axes.set(xlabel="trial", ylabel=loss, yscale="log")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    log_ticks(axes.yaxis)
    axes.legend()
    return figure


@picture
def importances(shares: Mapping[str, float]) -> Figure:
    """SVG: how much of the objective's variance each parameter explains."""
    figure, axes = canvas(6.4, 0.8 + 0.35 * len(shares))
    names = sorted(shares, key=lambda name: shares[name])
    axes.barh(list(map(param_words, names)), [shares[name] for name in names], color=BLUE, height=0.6)
    axes.set(xlabel="share of the variance of the objective, fANOVA", xlim=(0, 1))
    return figure


@picture
def contour(surface: Mapping[str, Any], trials: Sequence[Mapping[str, Any]], loss: str) -> Figure:
    """SVG: the objective over two parameters, and beside it how unsure that picture is.

    loss: the name of the objective.
    """
    figure = Figure(figsize=(7.6, 3.3), layout="constrained")
    sides = figure.subplots(1, 2, sharey=True)
    across, up = surface["axes"]
    places = [[trial["params"][axis["name"]] for trial in trials] for axis in (across, up)]
    dots: Any = {"color": "white", "markersize": 5, "markeredgecolor": "black", "markeredgewidth": 0.5}
    titles = {"median": loss, "factor": "uncertainty, factor of one sd"}
    for axes, (name, title) in zip(sides, titles.items(), strict=True):
        values = np.array(surface[name])
        filled = axes.contourf(across["values"], up["values"], values, levels=9, cmap="cividis")
        axes.plot(*places, ".", **dots)
        axes.set(xlabel=short(param_words(across["name"])), title=title)
        axes.set(**{f"{side}scale": "log" for side, one in (("x", across), ("y", up)) if one["log"]})
        for side, one in ((axes.xaxis, across), (axes.yaxis, up)):
            plain_ticks(side, minor=False) if one["log"] else whole_ticks(side)
        figure.colorbar(filled, ax=axes)
    sides[0].set(ylabel=short(param_words(up["name"])))
    return figure
