"""The figures of the experiments: claims against their margins, and what a network costs."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from handnet.report.drawing import (
    BLUE,
    GREEN,
    INK,
    ORANGE,
    PINK,
    band_line,
    canvas,
    picture,
    plain_ticks,
    tick,
)
from handnet.report.words import short


@picture
def margins(parts: Sequence[Mapping[str, Any]]) -> Figure:
    """SVG: each part of a claim on an axis of its own, its band and the shaded region where it is right."""
    figure = Figure(figsize=(6.4, 0.2 + 0.78 * len(parts)), layout="constrained")
    for axes, part in zip(np.atleast_1d(figure.subplots(len(parts), 1)), parts, strict=True):
        band, region = part["band"], part["region"]
        ends = [end for end in (*region, band["low"], band["high"]) if end is not None]
        edge = 0.12 * (max(ends) - min(ends)) or 1.0
        left, right = min(ends) - edge, max(ends) + edge
        low, high = left if region[0] is None else region[0], right if region[1] is None else region[1]
        axes.axvspan(low, high, color=GREEN, alpha=0.22, linewidth=0)
        band_line(axes, band, 0, BLUE, 5)
        tick(axes, next(iter(band["centres"].values())), 0, size=11, width=1.8)
        axes.set(xlim=(left, right), ylim=(-1, 1), yticks=[])
        axes.set_title(short(part["what"], 90), fontsize=9, loc="left")
        axes.spines["left"].set_visible(False)
    return figure


@picture
def costs(timings: Mapping[str, Sequence[tuple[int, float]]], floor: float) -> Figure:
    """SVG: milliseconds a network against networks trained at once, both logarithmic.

    timings: contestant -> its points.
    """
    figure, axes = canvas(7.6, 4.4)
    for place, (name, points) in enumerate(timings.items()):
        colour, style = (BLUE, ORANGE, GREEN, PINK)[place % 4], "o-" if place < 4 else "s--"
        axes.plot(*zip(*points, strict=True), style, color=colour, label=name, markersize=4)
    axes.axhline(floor, color=INK, alpha=0.6, linewidth=1, label="floor: the products alone, one core")
    axes.set(xscale="log", yscale="log", xlabel="networks trained at once", ylabel="milliseconds a network")
    for axis in (axes.xaxis, axes.yaxis):
        plain_ticks(axis, minor=False)
    axes.grid()
    axes.legend(fontsize=8)
    return figure
