"""The two exits the chapter does not have: the same error is born there, guess minus truth."""

from functools import partial

import numpy as np

from experiments.walk.check import central
from experiments.walk.line import Line, Section
from handnet.mlp.network import (
    cross_entropy,
    cross_entropy_backward,
    softmax,
    squared_error,
    squared_error_backward,
)

LOGITS, CLASS = (1.4, 0.2, -0.6), 0  # of three classes, and the class of the case
GUESS, TRUTH = 1.4, 1.0


def other_exits() -> Section:
    """The error at each of three logits behind a softmax, and at a guessed number; each beside its finite
    difference."""
    z = np.array([[LOGITS]])
    p, slopes = softmax(z)[0, 0], cross_entropy_backward(z, np.array([[CLASS]]))[0, 0]

    def loss(place: int, at: float) -> float:
        moved = z.copy()
        moved[0, 0, place] = at
        return float(cross_entropy(moved, np.array([[CLASS]])).item())

    classes = [
        Line(
            f"dL/dz, class {place + 1}",
            f"error at the logit {at:g}",
            f"p - y = {p[place]:.4g} - {int(place == CLASS)}",
            float(slopes[place]),
            measured=central(partial(loss, place), at),
        )
        for place, at in enumerate(LOGITS)
    ]
    number = Line(
        "dL/dz, a number",
        "error at the guess",
        f"guess - truth = {GUESS:g} - {TRUTH:g}",
        float(squared_error_backward(np.array(GUESS), np.array(TRUTH))),
        measured=central(lambda z: float(squared_error(np.array(z), np.array(TRUTH))), GUESS),
    )
    return Section(
        f"The same at other exits: softmax of the logits {', '.join(f'{z:g}' for z in LOGITS)}, and a number",
        "",
        (*classes, number),
    )
