"""How often the bands hold and the rules cry wolf, found by simulating studies whose truth is known.

Every simulation draws from the one stream kept for it, so the same arguments give the same table.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
from scipy.integrate import quad
from scipy.special import expit
from scipy.stats import norm, t

from handnet.bands.auc import auc_difference
from handnet.bands.calibration import calibration, calibration_bands, null_errors
from handnet.bands.cases import case_bands
from handnet.bands.compare import mcnemar, nadeau_bengio_p, rope_chances, win_interval
from handnet.bands.multibootstrap import seeds_x_cases, share_band
from handnet.bands.proportion import clopper_pearson, wilson
from handnet.bands.seeds import HIGH, LOW, seed_bands, seed_deviation, split_bands
from handnet.bands.selection import expected_best, selection_optimism
from handnet.data import Array
from handnet.draws import SIMULATION, Generator, Resamples, generator, recounts, resamples
from handnet.scores import grade

ALPHA = 0.05
WORDS = 0.06  # a rule that cries wolf more often than this at .05 may not word a verdict
ROPE = 0.01
STUDIES = 200  # of a study's own shares, each time its report is made


class Simulated(NamedTuple):
    """A share of simulated studies: of bands that held the truth, or of rules that found a difference where
    none was."""

    what: str
    setting: str
    nominal: float
    found: float
    studies: int
    error: float  # the standard error of `found`


def _found(what: str, setting: str, nominal: float, hits: Sequence[float] | Array) -> Simulated:
    """From each study's own share, 0 or 1 for most."""
    share, studies = float(np.mean(hits)), len(hits)
    error = max(float(np.std(hits)), 0.5 / np.sqrt(studies)) / np.sqrt(
        studies
    )  # not 0 where every study agreed
    return Simulated(what, setting, nominal, share, studies, float(error))


# Of one study's own shares


def share_coverage(missed: Array, replicas: int, seed: int, studies: int = STUDIES) -> Simulated:
    """How often `share_band` holds the truth in a world like this study: its cases are drawn anew from those
    seen, each missed by a replica with the share of replicas that missed it, replicas independently.

    missed: (n,), that share for each case.
    """
    numbers = generator(seed, SIMULATION)
    truth, n = 1 - float(missed.mean()), len(missed)
    every = np.zeros(n, dtype=int)  # no classes here: the share is of all these cases
    draws = resamples(seed, replicas, every, 200)
    held = []
    for _ in range(studies):
        chance = missed[numbers.integers(n, size=n)]
        band = share_band(numbers.random((replicas, n)) >= chance, draws)
        held.append(band.low <= truth <= band.high)
    return _found("seeds_x_cases", f"{replicas} seeds x {n} cases", HIGH - LOW, held)


# Rules for two equally good configurations


def false_positives(splits: int, ratio: float, seed: int, studies: int = 4000) -> list[Simulated]:
    """How often each rule finds a difference over `splits` divisions when there is none, with normal
    differences that are independent, and with the correlation Nadeau and Bengio assume for shared rows:
    n_test / (n_test + n_train).

    ratio: n_test / n_train. The differences have ten times the width of practical equivalence, for a smaller
    spread keeps rope silent. The uncorrected t test is there to show what it would do."""
    found = []
    for setting, correlation in (
        ("independent splits", 0.0),
        ("overlapping splits, as assumed", ratio / (1 + ratio)),
    ):
        numbers = generator(seed, SIMULATION)
        shared = np.sqrt(correlation) * numbers.normal(size=(studies, 1))
        d = 10 * ROPE * (shared + np.sqrt(1 - correlation) * numbers.normal(size=(studies, splits)))
        counts = recounts(numbers, splits, 1000)
        for rule, calls in _calls(d, ratio, counts).items():
            found.append(_found(rule, setting, ALPHA, calls))
    return found


def _calls(d: Array, ratio: float, counts: Array) -> dict[str, Array]:
    """(studies,) bool for each rule: whether it finds a difference in a row of d."""
    n = d.shape[-1]
    plain = 2 * t.sf(np.abs(d.mean(axis=-1)) / (d.std(axis=-1, ddof=1) / np.sqrt(n)), n - 1)
    low, high = win_interval((np.sign(d) + 1) / 2, counts)
    worse, _, better = rope_chances(d, ratio, ROPE)
    return {
        "nadeau-bengio": nadeau_bengio_p(d, ratio) < ALPHA,
        "P(A > B)": (low > 0.5) | (high < 0.5),
        "rope": np.maximum(worse, better) > 1 - ALPHA / 2,
        "uncorrected t": plain < ALPHA,
    }


def false_positives_on_cases(
    n: int, positives: int, accuracy: float, seed: int, studies: int = 300
) -> list[Simulated]:
    """The same for the two rules that compare fixed models on one test set: exact McNemar, and DeLong's for
    the AUC."""
    world = World(positives, n - positives, accuracy)
    numbers = generator(seed, SIMULATION)
    calls: dict[str, list[bool]] = {"mcnemar": [], "delong": []}
    for _ in range(studies):
        ours, theirs = world.study(numbers, 2)
        right = [(row > 0) == (world.y == 1) for row in (ours, theirs)]
        calls["mcnemar"].append(mcnemar(*right).p < ALPHA)
        calls["delong"].append(auc_difference(ours[None], theirs[None], world.y).p < ALPHA)
    return [_found(rule, "two equal models, one test", ALPHA, found) for rule, found in calls.items()]


def false_positives_against_itself(scores: Array, ratio: float) -> Simulated | None:
    """How often Nadeau and Bengio's rule tells a configuration from itself: half of its seeds against the
    other half, for every way to halve them. scores: (K, R) over K divisions and R seeds, finite. The halvings
    share networks, so they are no independent studies; but the scores are real, with their ties. None with
    fewer than two seeds."""
    seeds = range(scores.shape[1] // 2 * 2)
    halves = [list(one) for one in combinations(seeds, len(seeds) // 2) if 0 in one]
    if not halves:
        return None
    d = np.array(
        [
            scores[:, one].mean(axis=1) - scores[:, [s for s in seeds if s not in one]].mean(axis=1)
            for one in halves
        ]
    )
    return _found("nadeau-bengio", "the winner against itself", ALPHA, nadeau_bengio_p(d, ratio) < ALPHA)


# Every band, at the sizes that are printed


class World:
    """Cases whose difficulty and whose seeds are drawn from normal laws, so that every true score is known.

    The logit of case i from replica s is +-mu + difficulty_i + noise_si, with deviations 1.5 and .8 (a few
    doubtful cases, most clear, as networks show on real tables); mu is set by the accuracy wanted."""

    def __init__(self, positives: int, negatives: int, accuracy: float) -> None:
        self.y = np.repeat([1, 0], [positives, negatives])
        self.case, self.noise = 1.5, 0.8
        self.whole = float(np.hypot(self.case, self.noise))
        self.mu = self.whole * float(norm.ppf(accuracy))

    def study(self, numbers: Generator, replicas: int) -> Array:
        """(R, n) logits of R replicas on fresh cases."""
        return self.more(numbers, self.cases(numbers), replicas)

    def cases(self, numbers: Generator) -> Array:
        """(n,) the difficulty of fresh cases."""
        return np.where(self.y == 1, self.mu, -self.mu) + self.case * numbers.normal(size=len(self.y))

    def more(self, numbers: Generator, cases: Array, replicas: int) -> Array:
        """(R, n) logits of R fresh replicas on these cases."""
        return cases + self.noise * numbers.normal(size=(replicas, len(self.y)))

    def truth(self) -> dict[str, float]:
        """Each score's expectation over cases and replicas."""
        share = float(norm.cdf(self.mu / self.whole))
        brier = self._mean(lambda z: expit(-z) ** 2)
        prevalence = float(self.y.mean())
        return {
            "log_loss": self._mean(lambda z: np.logaddexp(0, -z)),
            "accuracy": share,
            "sensitivity": share,
            "specificity": share,
            "auc": float(norm.cdf(2 * self.mu / (np.sqrt(2) * self.whole))),
            "brier": brier,
            "skill": 1 - brier / (prevalence * (1 - prevalence)),
        }

    def _mean(self, loss: Callable[[float], float]) -> float:
        """The expectation of a loss of the logit of a positive case; by symmetry that of a negative one's
        negative."""
        law = norm(self.mu, self.whole)
        reach = 12 * self.whole
        return float(quad(lambda z: loss(z) * law.pdf(z), self.mu - reach, self.mu + reach, limit=200)[0])


def coverages(
    positives: int,
    negatives: int,
    replicas: int,
    splits: int,
    seed: int,
    studies: int = 400,
    tick: Callable[[], object] = lambda: None,
) -> list[Simulated]:
    """How often each kind of band holds what it promises, at this size and an accuracy of .97. tick: called
    per study."""
    world, numbers = World(positives, negatives, 0.97), generator(seed, SIMULATION)
    samples = resamples(seed, replicas, world.y, 1000)
    held: dict[tuple[str, str, float], list[float]] = {}
    for _ in range(studies):
        for what, setting, nominal, hit in _one_study(world, numbers, replicas, splits, samples):
            held.setdefault((what, setting, nominal), []).append(float(hit))
        tick()
    return [_found(*key, hits) for key, hits in held.items()]


def _one_study(
    world: World, numbers: Generator, replicas: int, splits: int, samples: Resamples
) -> Iterator[tuple[str, str, float, float]]:
    yield from _over_seeds(world, numbers, replicas)
    z, truth = world.study(numbers, replicas), world.truth()
    both, n = f"{replicas} seeds x {len(world.y)} cases", f"{len(world.y)} cases"
    for name, band in seeds_x_cases(z, world.y, samples).items():
        yield f"seeds_x_cases {name}", both, band.coverage, band.low <= truth[name] <= band.high
    for name, band in case_bands(z[:1], world.y).items():
        yield f"cases {name}", n, band.coverage, band.low <= truth[name] <= band.high
    band = clopper_pearson(float(((z[0] > 0) == (world.y == 1)).sum()), len(world.y))
    yield "cases clopper-pearson accuracy", n, band.coverage, band.low <= truth["accuracy"] <= band.high
    yield from _calibrated(numbers, world)
    yield from _chosen(numbers, len(world.y), samples)
    draws = numbers.normal(size=splits)
    for band in split_bands(draws):
        yield (
            f"splits {band.kind}",
            f"{splits} splits",
            band.coverage,
            float(norm.cdf(band.high) - norm.cdf(band.low)),
        )


def _over_seeds(world: World, numbers: Generator, replicas: int) -> Iterator[tuple[str, str, float, float]]:
    cases = world.cases(numbers)
    scores, further = (grade(world.more(numbers, cases, count), world.y) for count in (replicas, 200))
    for name in ("log_loss", "accuracy"):
        for band in seed_bands(getattr(scores, name)):
            inside = (band.low <= getattr(further, name)) & (getattr(further, name) <= band.high)
            yield f"seeds {band.kind} {name}", f"{replicas} seeds", band.coverage, float(inside.mean())
    # Each case's chance to be missed is known here, and with it the deviation of accuracy over seeds.
    chance = norm.cdf(np.where(world.y == 1, -cases, cases) / world.noise)
    true = float(np.sqrt((chance * (1 - chance)).sum()) / len(world.y))
    wrong = (world.more(numbers, cases, replicas) > 0) != (world.y == 1)
    found = seed_deviation(wrong)
    yield "seed deviation", f"{replicas} seeds", found.coverage, found.low <= true <= found.high
    misses = wrong.sum(axis=0)
    bands = [wilson(float(count), replicas) for count in misses]
    yield (
        "wilson miss share",
        f"{replicas} seeds",
        0.95,
        float(np.mean([band.low <= one <= band.high for band, one in zip(bands, chance, strict=True)])),
    )


def _calibrated(numbers: Generator, world: World) -> Iterator[tuple[str, str, float, float]]:
    """A perfectly calibrated model: labels drawn with its own probabilities."""
    n = len(world.y)
    z = world.study(numbers, 1) / 2
    y = (numbers.random(n) < expit(z[0])).astype(int)
    bands = calibration_bands(z, y) if 0 < y.sum() < n else None
    if bands is None:
        return
    yield "calibration intercept", f"{n} cases", 0.95, bands.intercept.low <= 0 <= bands.intercept.high
    yield "calibration slope", f"{n} cases", 0.95, bands.slope.low <= 1 <= bands.slope.high
    limit = np.quantile(null_errors(z, numbers.random((400, n))), 0.95)
    yield "calibration error below its null band", f"{n} cases", 0.95, calibration(z, y).error[0] <= limit


def _chosen(numbers: Generator, n: int, samples: Resamples) -> Iterator[tuple[str, str, float, float]]:
    """Forty configurations that differ by noise alone: whatever is chosen has the same true loss, 1."""
    losses = np.exp(numbers.normal(0, 0.5, size=n) + numbers.normal(0, 0.5, size=(40, n)) - 0.25)
    band = selection_optimism(losses, samples.cases[:400]).band
    yield "bbc loss of the chosen", f"40 configurations, {n} cases", band.coverage, band.low <= 1 <= band.high
    scores = numbers.normal(size=40)
    best = expected_best(scores, np.array([4]))[0]
    exact = norm.ppf(0.5 ** (1 / 4))
    yield "median best of 4", "40 configurations", 0.95, best.low <= exact <= best.high
