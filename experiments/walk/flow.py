"""The picture of the error flowing through the whole network, as plain numbers for the template to draw."""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from experiments.walk.patient import Patient
from handnet.data import Array

WIDTH, HEIGHT, TOP = 980, 640, 40
PLACES = (230, 470, 690, 880)  # of the columns; names of measurements end left of the first
FAINT = 0.04  # lines thinner than this share of their column's thickest are left out
THICKEST = 5.0


class Dot(NamedTuple):
    """A unit, or a measurement: open is false where a gate is shut."""

    x: float
    y: float
    name: str
    value: float
    open: bool


class Stroke(NamedTuple):
    """What crosses one weight from right to left; positive pushes the sum it lands on down."""

    x1: float
    y1: float
    x2: float
    y2: float
    width: float
    positive: bool


class Flow(NamedTuple):
    """The picture."""

    width: int
    height: int
    inputs: list[Dot]
    units: list[Dot]  # hidden and output, the value is the error at the sum
    strokes: list[Stroke]


def flow(walked: Patient) -> Flow:
    """Inputs on the left, the exit on the right. A line between layers is error * weight, what crosses it on
    the way back; a line at a measurement is error * input, the slope in which the error ends."""
    layers = [[Dot(0, 0, unit.name, unit.dz, unit.z > 0) for unit in units] for units in walked.hidden]
    columns = [
        [Dot(0, 0, one.name, one.scaled, True) for one in walked.columns],
        *layers,
        [Dot(0, 0, "output", walked.error, True)],
    ]
    placed = [_placed(dots, x) for dots, x in zip(columns, PLACES, strict=True)]
    strokes: list[Stroke] = []
    for depth, (left, right) in enumerate(pairwise(placed)):
        errors = np.array([dot.value for dot in right])
        crosses = (
            np.array([dot.value for dot in left])[:, None]
            if depth == 0
            else walked.network.layers[depth].weight[0] * np.array([[dot.open] for dot in left])
        )
        strokes += _strokes(left, right, crosses * errors)
    return Flow(WIDTH, HEIGHT, placed[0], [dot for dots in placed[1:] for dot in dots], strokes)


def _placed(dots: Sequence[Dot], x: float) -> list[Dot]:
    gap = (HEIGHT - TOP) / len(dots)
    return [dot._replace(x=x, y=round(TOP + gap * (place + 0.5), 1)) for place, dot in enumerate(dots)]


def _strokes(left: Sequence[Dot], right: Sequence[Dot], sizes: Array) -> list[Stroke]:
    """sizes: (left, right), what crosses each weight."""
    most = max(float(np.abs(sizes).max()), np.finfo(float).tiny)
    found = []
    for (i, j), size in np.ndenumerate(sizes):
        share = abs(float(size)) / most
        if share >= FAINT:
            found.append(
                Stroke(
                    left[i].x, left[i].y, right[j].x, right[j].y, round(THICKEST * share, 2), bool(size > 0)
                )
            )
    return sorted(found, key=lambda one: one.width)
