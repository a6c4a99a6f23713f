"""The cases on which two models differ: one gets them right more often, or guesses them better."""

from typing import Any

import numpy as np

from handnet.predictions.aligned import Aligned
from handnet.predictions.form import Results
from handnet.report.words import digits
from handnet.scores import right

MOST = 1000  # cases that are listed, those that differ most


def flips(results: Results, pair: Aligned) -> dict[str, Any]:
    """How many cases favour each side ("flipped"), and these cases, by how much they differ ("flips").

    Of classes a side is favoured that a larger share of its seeds calls right, of a number one whose
    absolute error is smaller on average over its seeds.
    """
    task, (ours, theirs), y = results.task, pair.sound, pair.cases.y
    assert task is not None
    if task.classes:
        a, b = (right(side, y).mean(axis=0) for side in (ours, theirs))
    else:
        a, b = (-np.abs(side - y).mean(axis=0) for side in (ours, theirs))
    differs = np.flatnonzero(a != b)
    order = differs[np.argsort(-np.abs(a - b)[differs], kind="stable")]
    name = "right" if task.classes else "error"
    sign = 1.0 if task.classes else -1.0
    rows = [
        {
            "case": str(pair.cases.ids[at]),
            "split": pair.cases.split,
            "truth": results.classes[int(y[at])] if task.classes else digits(float(y[at])),
            f"ours_{name}": sign * float(a[at]),
            f"theirs_{name}": sign * float(b[at]),
            "difference": float(a[at] - b[at]),
        }
        for at in order[:MOST]
    ]
    flipped = {"cases": len(y), "ours": int((a > b).sum()), "theirs": int((a < b).sum())}
    return {"flipped": flipped, "flips": rows}
