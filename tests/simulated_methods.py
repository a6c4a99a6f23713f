"""Two methods whose true difference is known, on the same cases or on divisions of the same table."""

from functools import cache

import numpy as np
from scipy.integrate import quad
from scipy.optimize import brentq
from scipy.stats import norm

from handnet.predictions.form import Cases, Predicted, Results
from handnet.tasks import task_of

CASE, OWN, SEED = 1.5, 0.57, 0.57  # of a case, of a method on a case, of a seed on a case
SPREAD = float(np.sqrt(CASE**2 + OWN**2 + SEED**2))
ACCURACY = 0.9


def log_loss_at(apart: float) -> float:
    """The expected log loss of a method whose logits lie so far on the right side on average."""
    return float(quad(lambda e: norm.pdf(e) * np.logaddexp(0, -(apart + SPREAD * e)), -9, 9)[0])


@cache
def apart_at(score: str, gain: float) -> float:
    """How far the logits of a method lie on the right side whose score is better by `gain` than at 90 %
    accuracy; of a number the factor of its errors."""
    usual = SPREAD * float(norm.ppf(ACCURACY))
    if score == "accuracy":
        return SPREAD * float(norm.ppf(ACCURACY + gain))
    if score == "log_loss":
        return float(brentq(lambda a: log_loss_at(a) - log_loss_at(usual) + gain, 0, 20))
    return float(np.exp(-gain))


def two_methods(
    numbers: np.random.Generator, score: str, n: int, seeds: int, gain: float = 0.0, divisions: int = 0
) -> Results:
    """A baseline and a candidate whose true score is better by `gain`, of RMSE on the logarithm.

    divisions: how many, each of n of 5 n rows of one table, which both methods meet again; 0 for one test.
    """
    rows = 5 * n if divisions else n
    case = CASE * numbers.normal(size=rows)
    own = {model: OWN * numbers.normal(size=rows) for model in ("baseline", "candidate")}
    truth = (np.arange(rows) % 2).astype(np.int8) if score != "rmse" else numbers.normal(size=rows)
    predicted = []
    for place in range(max(divisions, 1)):
        drawn = np.sort(numbers.permutation(rows)[:n])
        split = f"division {place}" if divisions else "study"
        y = truth[drawn]
        cases = Cases(split, "test", drawn.astype(str), y, others=rows - n or None)
        for model, better in (("baseline", 0.0), ("candidate", gain)):
            noise = case[drawn] + own[model][drawn] + SEED * numbers.normal(size=(seeds, n))
            apart = apart_at(score, better)
            z = y + apart * noise if score == "rmse" else (2 * y - 1) * apart + noise
            predicted.append(Predicted(model, cases, tuple(map(str, range(seeds))), z))
    classes = () if score == "rmse" else ("no", "yes")
    return Results("simulated", task_of(len(classes)), classes, tuple(predicted))
