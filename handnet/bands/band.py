"""The type in which every score over seeds, cases or splits travels."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from scipy.special import expit, logit

from handnet.scores import Mean, Quantile, Score

# What an interval is for. One for an expected score says nothing of what the next cases or seeds will show.
EXPECTED = "expected score on all cases of this kind"
EXPECTED_OVER_SEEDS = "expected score over all seeds, on all cases of this kind"
EXPECTED_DIFFERENCE = "expected difference on all cases of this kind"
EXPECTED_DIFFERENCE_OVER_SEEDS = "expected difference over all seeds, on all cases of this kind"
DIFFERENCE_FROM_THIS_MODEL = (
    "expected difference from this very model, over all seeds of the other, on all cases of this kind"
)
DIFFERENCE_ON_THESE_CASES = "expected difference over all seeds, on these very cases"
FURTHER_SEED = "score of a further seed on these rows"
FURTHER_PROBABILITY = "probability from a further seed on these rows"
FURTHER_GUESS = "guess from a further seed on these rows"
FURTHER_SPLIT = "score of a further seed on a further division of this table"
NEXT_CASES = "score of the same method on as many further cases"
NEXT_NETWORK = "score of a further seed on as many further cases"
PREDICTIVE = (NEXT_CASES, NEXT_NETWORK)
OVER_DIVISIONS = "expected difference over training and test sets of these sizes"
WINS = "share of all divisions of this table on which the first scores higher"
CHOSEN = "expected loss, on all cases of this kind, of what the search chooses"
CALIBRATION = "calibration of the ensemble of the seeds on all cases of this kind"
CALIBRATED = "calibration error of a calibrated network on as many cases"
BENEFIT = "expected net benefit on all cases of this kind"
BENEFIT_DIFFERENCE = "expected difference of net benefits on all cases of this kind"
AT_PREVALENCE = "expected score on all cases, with another share of class 1 among them"
REACHED = "share of all cases of a class on the right side of a threshold that is fixed so"
FURTHER_THRESHOLD = "threshold of a further seed, fixed on these validation rows"
DEVIATION = "standard deviation over all seeds"


@dataclass(frozen=True)
class Band:
    """An interval with what it is for, its kind, its coverage, its n and what was varied.

    `coverage` is the share that the interval is expected to hold: of further draws, on average over studies
    (kinds "quantiles" and "min-max", and estimands in PREDICTIVE), or of repeated studies (all others).
    A band with `diverged` above 0 describes the surviving seeds, and its text says so.
    """

    low: float
    high: float
    kind: str  # how the ends were computed: "quantiles", "min-max", "wilson", "multi-bootstrap", ...
    varied: str  # what differed between the n values: "seeds", "cases", "splits" or "seeds_x_cases"
    n: int  # how many values; how many cases, where seeds and cases were varied both
    coverage: float
    estimand: str  # what the interval is for, one of the texts above
    centres: tuple[tuple[str, float], ...] = ()  # (name, value) of each middle; the first is shown, a mean
    diverged: int = 0  # how many further seeds diverged and have no value
    seeds: int = 0  # how many seeds, where seeds and cases were varied both
    groups: int = 0  # how many groups the cases are of; 0 where every case is its own
    simulated: float | None = None  # the share held in a simulation at this size, where one was run
    inside: int | None = None  # of quantiles and min-max: how many of the n values lie in the band
    assured: float | None = None  # of these: the share of further draws it holds with confidence .95

    def centre(self, name: str) -> float:
        """The middle called `name`. Raises KeyError, with the names there are, when there is none."""
        centres = dict(self.centres)
        if name not in centres:
            raise KeyError(f"this band has no centre {name!r}; it has {', '.join(centres) or 'none'}.")
        return centres[name]

    def __str__(self) -> str:
        middle = f"{self.centres[0][1]:.3f} " if self.centres else ""
        lost = f"; {self.diverged} seed{'s' * (self.diverged > 1)} diverged" if self.diverged else ""
        crossed = self.varied == "seeds_x_cases"
        varied = f"{self.seeds} seeds x {self.n} cases" if crossed else f"{self.n} {self.varied}"
        varied += f" of {self.groups} groups" if self.groups else ""
        origin = f"{self.estimand}: {self.kind} over {varied}, covers {self.coverage:.1%}{lost}"
        return f"{middle}[{self.low:.3f}, {self.high:.3f}] ({origin})"


def possible(score: Score, band: Band) -> Band:
    """The band of a score, without the values that the score cannot take."""
    low, high = (min(max(end, score.least), score.most) for end in (band.low, band.high))
    return replace(band, low=low, high=high)


class Scale(NamedTuple):
    """The scale on which the interval of a score is symmetric about its centre, and the way back."""

    to: Callable[[Any], Any]
    back: Callable[[Any], Any]
    slope: Callable[[Any], Any]  # of `to`


PLAIN = Scale(np.asarray, np.asarray, np.ones_like)
LOGARITHM = Scale(np.log, np.exp, np.reciprocal)
# of what is 1 at best and has no least
SHORTFALL = Scale(lambda x: np.log(1 - x), lambda u: 1 - np.exp(u), lambda x: -1 / (1 - x))
LOGIT = Scale(logit, expit, lambda x: 1 / (x * (1 - x)))
FISHER = Scale(np.arctanh, np.tanh, lambda x: 1 / (1 - x * x))  # of what lies between -1 and 1


def scale_of(score: Score) -> Scale:
    """The scale of a score: the logarithm of a loss, else by the values the score can take."""
    if isinstance(score, Mean | Quantile):
        return PLAIN if score.least < 0 else LOGARITHM
    ends = {(-np.inf, 1.0): SHORTFALL, (0.0, np.inf): LOGARITHM, (0.0, 1.0): LOGIT, (-1.0, 1.0): FISHER}
    return ends[score.least, score.most]
