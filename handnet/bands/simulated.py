"""How often bands hold the truth, by simulation.

The truth of a simulated study is known. Every simulation draws from one stream kept for this purpose, so the
same arguments give the same table.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from scipy.integrate import quad
from scipy.special import expit
from scipy.stats import norm

from handnet.bands.calibration import calibration, calibration_bands, null_errors
from handnet.bands.cases import case_bands, loss_band
from handnet.bands.multibootstrap import seeds_x_cases, share_band
from handnet.bands.predictive import next_cases
from handnet.bands.proportion import clopper_pearson, wilson
from handnet.bands.seeds import HIGH, LOW, seed_bands, seed_deviation, split_bands
from handnet.bands.selection import expected_best, selection_optimism
from handnet.data import Array
from handnet.draws import SIMULATION, Generator, Resamples, further, generator, redrawn, resamples
from handnet.scores import grade
from handnet.tasks import task_of

STUDIES = 200  # simulated for a study's own shares and losses, each time its report is made
DRAWN_AT_ONCE = 2500  # losses of one simulated study


class Simulated(NamedTuple):
    """The share of simulated studies in which a band held the truth, or a rule found a difference."""

    what: str  # the band or the rule
    setting: str
    nominal: float  # the share it claims
    found: float  # the share it had
    studies: int
    error: float  # the standard error of `found`


def simulated(what: str, setting: str, nominal: float, hits: Sequence[float] | Array) -> Simulated:
    """The mean over studies of their own shares (studies,), most of them 0 or 1."""
    share, studies = float(np.mean(hits)), len(hits)
    deviation = max(float(np.std(hits)), 0.5 / np.sqrt(studies))  # not 0 where every study agreed
    return Simulated(what, setting, nominal, share, studies, float(deviation / np.sqrt(studies)))


# The bands of a study's own shares and losses


def share_coverage(
    missed: Array, replicas: int, seed: int, groups: Array | None = None, studies: int = STUDIES
) -> Simulated:
    """How often `share_band` holds the truth in simulated studies that resemble this one.

    Their cases are drawn from those of this study, and replicas miss them independently, each case with the
    share of replicas that missed it here. missed: (n,), that share; groups: (n,) int, of which whole
    groups are drawn.
    """
    numbers = generator(seed, SIMULATION)
    truth, n = 1 - float(missed.mean()), len(missed)
    held = []
    samples = resamples(seed, replicas, np.zeros(n, dtype=int), 200)  # one class: the share is of all cases
    for _ in range(studies):
        drawn, of = redrawn(numbers, n, groups)
        if of is not None:
            samples = resamples(seed, replicas, np.zeros(len(drawn), dtype=int), 200, of)
        band = share_band(numbers.random((replicas, len(drawn))) >= missed[drawn], samples, of)
        held.append(band.low <= truth <= band.high)
    return simulated("seeds_x_cases", f"{replicas} seeds x {n} cases", HIGH - LOW, held)


def loss_coverage(losses: Array, seed: int, groups: Array | None = None, studies: int = STUDIES) -> Simulated:
    """How often `loss_band` holds the truth in simulated studies that draw their cases from this study's.

    losses: (R, n), of which the first replicas are taken, some 2500 losses or ten replicas; groups: (n,) int,
    of which whole groups are drawn.
    """
    numbers, n = generator(seed, SIMULATION), losses.shape[1]
    losses, held = losses[: max(10, DRAWN_AT_ONCE // n)], []
    truth = float(losses.mean())
    for _ in range(studies):
        drawn, of = redrawn(numbers, n, groups)
        band = loss_band(losses[:, drawn], of)
        held.append(band.low <= truth <= band.high)
    return simulated("cases loss", f"{n} cases", HIGH - LOW, held)


# Every band, at the sizes that are printed


class CaseSimulator:
    """Logits of n cases whose difficulty and noise are normal, so that every true score is known.

    The logit of case i from replica s is +-mu + difficulty_i + noise_si, with deviations 1.5 and .8: most
    cases are clear and a few doubtful, as for networks on real tables. mu is set by the accuracy wanted. The
    cases of a group share half of the variance of both.
    """

    def __init__(self, positives: int, negatives: int, accuracy: float, groups: Array | None = None) -> None:
        """n = positives + negatives cases, each called right with the chance `accuracy`.

        groups: (n,) int, those of the positive cases first; None where every case is its own.
        """
        self.groups = None if groups is None else np.unique(groups, return_inverse=True)[1]
        self.y = np.repeat([1, 0], [positives, negatives])
        self.case_deviation, self.noise = 1.5, 0.8
        self.deviation = float(np.hypot(self.case_deviation, self.noise))
        self.mu = self.deviation * float(norm.ppf(accuracy))

    def sample(self, numbers: Generator, replicas: int) -> Array:
        """Logits (R, n) of R replicas on fresh cases."""
        return self.logits(numbers, self.cases(numbers), replicas)

    def cases(self, numbers: Generator) -> Array:
        """The mean logits (n,) of fresh cases."""
        return np.where(self.y == 1, self.mu, -self.mu) + self.case_deviation * self._normal(numbers)

    def logits(self, numbers: Generator, cases: Array, replicas: int) -> Array:
        """Logits (R, n) of R fresh replicas on cases (n,)."""
        return cases + self.noise * self._normal(numbers, replicas)

    def _normal(self, numbers: Generator, *rows: int) -> Array:
        """Standard normal numbers (*rows, n), those of a group alike by half of their variance."""
        own = numbers.normal(size=(*rows, len(self.y)))
        if self.groups is None:
            return own
        common = numbers.normal(size=(*rows, self.groups.max() + 1))[..., self.groups]
        return np.asarray((own + common) / np.sqrt(2))

    def truth(self) -> dict[str, float]:
        """The expectation of each score over cases and replicas, by name."""
        share = float(norm.cdf(self.mu / self.deviation))
        brier = self._mean(lambda z: expit(-z) ** 2)
        prevalence = float(self.y.mean())
        return {
            "log_loss": self._mean(lambda z: np.logaddexp(0, -z)),
            "accuracy": share,
            "sensitivity": share,
            "specificity": share,
            "auc": float(norm.cdf(2 * self.mu / (np.sqrt(2) * self.deviation))),
            "brier": brier,
            "skill": 1 - brier / (prevalence * (1 - prevalence)),
        }

    def _mean(self, loss: Callable[[float], float]) -> float:
        """The expectation of a loss of a positive case's logit, and by symmetry of a negative case's."""
        law = norm(self.mu, self.deviation)
        reach = 12 * self.deviation
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
    """How often each kind of band holds what it promises, at this size and an accuracy of .97.

    positives, negatives: cases of the test set; replicas, splits: values in a band over seeds and over
    splits; tick: called after each simulated study.
    """
    simulator, numbers = CaseSimulator(positives, negatives, 0.97), generator(seed, SIMULATION)
    samples, ahead = resamples(seed, replicas, simulator.y, 1000), further(seed, 1, simulator.y, 1000)
    hits: dict[tuple[str, str, float], list[float]] = {}
    for _ in range(studies):
        for what, setting, nominal, hit in _one_study(simulator, numbers, (replicas, splits), samples, ahead):
            hits.setdefault((what, setting, nominal), []).append(float(hit))
        tick()
    return [simulated(*key, values) for key, values in hits.items()]


def coverages_over_groups(
    positives: int, negatives: int, seed: int, size: int = 3, accuracy: float = 0.85, studies: int = 400
) -> list[Simulated]:
    """How often the bands over cases hold the truth where cases come in groups, and where that is not told.

    positives, negatives: cases of the test set, in groups of `size` of one class.
    """
    counts = (-(-positives // size), -(-negatives // size))
    places = np.repeat(np.arange(sum(counts)), size)
    groups = np.concatenate([places[:positives], places[counts[0] * size :][:negatives]])
    simulator, numbers = CaseSimulator(positives, negatives, accuracy, groups), generator(seed, SIMULATION)
    truth, hits = simulator.truth(), dict[tuple[str, str], list[bool]]()
    settings = {"groups not told": None, f"{sum(counts)} groups": groups}
    for _ in range(studies):
        z = simulator.sample(numbers, 1)
        for setting, told in settings.items():
            for name, band in case_bands(task_of(2).scores, z, simulator.y, told).items():
                held = band.low <= truth[name] <= band.high
                hits.setdefault((f"cases {name}", f"{len(simulator.y)} cases, {setting}"), []).append(held)
    return [simulated(*key, 0.95, values) for key, values in hits.items()]


Hit = tuple[str, str, float, float]  # what, setting, nominal, and the share held in one study


def _one_study(
    simulator: CaseSimulator, numbers: Generator, sizes: tuple[int, int], samples: Resamples, ahead: Resamples
) -> Iterator[Hit]:
    """The hits of every band in one simulated study. sizes: replicas and splits, as in `coverages`."""
    replicas, splits = sizes
    yield from _over_seeds(simulator, numbers, replicas)
    z, y, truth = simulator.sample(numbers, replicas), simulator.y, simulator.truth()
    both, n = f"{replicas} seeds x {len(y)} cases", f"{len(y)} cases"
    scores = {name: task_of(2).scores[name] for name in truth}
    for name, band in seeds_x_cases(scores, z, y, samples).items():
        yield f"seeds_x_cases {name}", both, band.coverage, band.low <= truth[name] <= band.high
    for name, band in case_bands(scores, z[:1], y).items():
        yield f"cases {name}", n, band.coverage, band.low <= truth[name] <= band.high
    band = clopper_pearson(float(((z[0] > 0) == (y == 1)).sum()), len(y))
    yield "cases clopper-pearson accuracy", n, band.coverage, band.low <= truth["accuracy"] <= band.high
    yield from _calibrated(numbers, simulator)
    yield from _chosen(numbers, len(y), samples)
    for band in split_bands(numbers.normal(size=splits)):
        inside = float(norm.cdf(band.high) - norm.cdf(band.low))
        yield f"splits {band.kind}", f"{splits} splits", band.coverage, inside
    following = grade(scores, simulator.sample(numbers, 1), y)
    for name, band in next_cases(scores, z[:1], y, ahead).items():
        score = float(following[name][0])
        yield f"next cases {name}", n, band.coverage, band.low - 1e-12 <= score <= band.high + 1e-12


def _over_seeds(simulator: CaseSimulator, numbers: Generator, replicas: int) -> Iterator[Hit]:
    """The hits of the bands over seeds, on fixed cases."""
    setting, cases, y = f"{replicas} seeds", simulator.cases(numbers), simulator.y
    logits = (simulator.logits(numbers, cases, count) for count in (replicas, 200))
    scores, others = (task_of(2).grade(z, y) for z in logits)
    for name in ("log_loss", "accuracy"):
        for band in seed_bands(scores[name]):
            inside = (band.low <= others[name]) & (others[name] <= band.high)
            yield f"seeds {band.kind} {name}", setting, band.coverage, float(inside.mean())
    # The chance of a miss is known for each case, and with it the deviation of accuracy over seeds.
    chances = norm.cdf(np.where(y == 1, -cases, cases) / simulator.noise)
    expected = float(np.sqrt((chances * (1 - chances)).sum()) / len(y))
    wrong = (simulator.logits(numbers, cases, replicas) > 0) != (y == 1)
    deviation = seed_deviation(wrong)
    yield "seed deviation", setting, deviation.coverage, deviation.low <= expected <= deviation.high
    bands = [wilson(float(count), replicas) for count in wrong.sum(axis=0)]
    held = [band.low <= chance <= band.high for band, chance in zip(bands, chances, strict=True)]
    yield "wilson miss share", setting, 0.95, float(np.mean(held))


def _calibrated(numbers: Generator, simulator: CaseSimulator) -> Iterator[Hit]:
    """The hits for a perfectly calibrated model, whose labels are drawn with its own probabilities."""
    n = len(simulator.y)
    z = simulator.sample(numbers, 1) / 2
    y = (numbers.random(n) < expit(z[0])).astype(int)
    if not 0 < y.sum() < n:
        return
    bands = calibration_bands(z, y)
    yield "calibration intercept", f"{n} cases", 0.95, bands.intercept.low <= 0 <= bands.intercept.high
    if bands.slope:
        yield "calibration slope", f"{n} cases", 0.95, bands.slope.low <= 1 <= bands.slope.high
    limit = np.quantile(null_errors(z, numbers.random((400, n))), 0.95)
    yield "calibration error below its null band", f"{n} cases", 0.95, calibration(z, y).error[0] <= limit


def _chosen(numbers: Generator, n: int, samples: Resamples) -> Iterator[Hit]:
    """The hits for forty configurations that differ by noise alone: each has the true loss 1."""
    losses = np.exp(numbers.normal(0, 0.5, size=n) + numbers.normal(0, 0.5, size=(40, n)) - 0.25)
    band = selection_optimism(losses, samples.cases[:400]).band
    yield "bbc loss of the chosen", f"40 configurations, {n} cases", band.coverage, band.low <= 1 <= band.high
    scores = numbers.normal(size=40)
    best = expected_best(scores, np.array([4]))[0]
    exact = norm.ppf(0.5 ** (1 / 4))
    yield "median best of 4", "40 configurations", 0.95, best.low <= exact <= best.high
