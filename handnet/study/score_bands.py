"""The bands of every score of outputs on some cases, whoever trained what gave them.

A new band of a score is attached here. Outputs are (R, n) or (R, n, k), NaN for a replica that diverged; y is
(n,); groups are (n,) int, None where every case is its own.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from handnet.bands import Band, seed_bands, split_bands
from handnet.bands.band import CALIBRATED, DEVIATION
from handnet.bands.calibrated import measure_bands, measures, null_errors
from handnet.bands.cases import case_bands, exact_over_cases
from handnet.bands.clusters import groups_among
from handnet.bands.multibootstrap import MANY_CASES, seeds_x_cases
from handnet.bands.predictive import next_cases, next_network
from handnet.bands.seeds import seed_deviation
from handnet.bands.simulated import loss_coverage, share_coverage
from handnet.data import Array
from handnet.draws import SIMULATION, Resamples, further, generator, resamples
from handnet.scores import Mean, Ratio, Score, Share, grade, right
from handnet.study.quantity import Quantity, finite
from handnet.tasks import Task

BOOTSTRAPS = 4000  # samples of cases
MOST_DRAWN = 2 * 10**7  # cases drawn in all: a large test gets fewer samples, but never under 1000
AHEAD = 1000  # samples of what may come next: bands of it are joined to a formula
NULLS = 1000  # simulated sets of labels for the calibration error of a calibrated network
MOST_LABELS = 10**6  # simulated labels in all: many cases get fewer sets, but never under 200
RESAMPLING_SEED = 0  # one for all studies, so that equal results give equal bands


def bootstraps(n: int) -> int:
    """How many bootstrap samples are drawn of n cases."""
    return max(1000, min(BOOTSTRAPS, MOST_DRAWN // n))


def _nulls(n: int) -> int:
    """How many sets of n labels are simulated."""
    return max(200, min(NULLS, MOST_LABELS // n))


class Draws:
    """What is drawn of n cases for the bands of any number of methods on them, each once."""

    def __init__(self, y: Array, groups: Array | None) -> None:
        self.y, self.groups = y, groups
        self._drawn: dict[tuple[str, int], Resamples] = {}

    def samples(self, replicas: int) -> Resamples:
        """Bootstrap samples of R replicas and of the cases."""
        count = bootstraps(len(self.y))
        return self._once("samples", replicas, lambda: self._of(resamples, replicas, count))

    def ahead(self, replicas: int) -> Resamples:
        """Samples of one of R replicas and of further cases."""
        return self._once("ahead", replicas, lambda: self._of(further, replicas, AHEAD))

    def _of(self, draw: Callable[..., Resamples], replicas: int, count: int) -> Resamples:
        return _as_multiplied(draw(RESAMPLING_SEED, replicas, self.y, count, self.groups))

    def _once(self, what: str, replicas: int, draw: Callable[[], Resamples]) -> Resamples:
        """What is drawn, the cases of any number of replicas only once: they are the same for all."""
        if (what, replicas) not in self._drawn:
            drawn = draw()
            alike = next((one.cases for (of, _), one in self._drawn.items() if of == what), drawn.cases)
            self._drawn[what, replicas] = drawn._replace(cases=alike)
        return self._drawn[what, replicas]


def _as_multiplied(samples: Resamples) -> Resamples:
    """The counts of many cases as floats, which products of matrices would make of them every time."""
    if samples.cases.shape[1] <= MANY_CASES:
        return samples
    return samples._replace(cases=samples.cases.astype(np.float64))


@dataclass(frozen=True)
class Wanted:
    """What is asked of some outputs.

    scores: by name, None for all of the task; draws: those of these very cases, where the caller has them;
    simulated: whether it is simulated how often the bands hold the truth.
    """

    scores: Mapping[str, Score] | None = None
    draws: Draws | None = None
    simulated: bool = True


ALL = Wanted()


def score_quantities(
    task: Task,
    outputs: Array,
    y: Array,
    part: str,
    groups: Array | None = None,
    scores: Mapping[str, Score] | None = None,
) -> list[Quantity]:
    """Scores of R replicas over seeds and over cases; empty when fewer than two replicas are finite.

    scores: by name, None for the main ones of the task.
    """
    sound = finite(outputs)
    if len(sound) < 2:
        return []
    wanted = task.scores if scores is None else scores
    diverged, bands = len(outputs) - len(sound), case_bands(wanted, sound, y, groups)
    cases = {name: replace(band, diverged=diverged) for name, band in bands.items()}
    values = grade(wanted, outputs, y)
    return [Quantity(name, part, (*seed_bands(of_seeds), cases[name])) for name, of_seeds in values.items()]


def detailed_quantities(
    task: Task, outputs: Array, y: Array, part: str, groups: Array | None = None
) -> list[Quantity]:
    """Every score with seeds and cases varied at once too, then counts, calibration and seed noise; empty
    when fewer than two replicas are finite."""
    scores = crossed_quantities(task, outputs, y, part, groups)
    if not scores:
        return []
    return [
        *scores,
        *count_quantities(task, outputs, y, part),
        *calibration_quantities(task, outputs, y, part, groups),
        *noise_quantities(task, outputs, y, part),
    ]


def crossed_quantities(
    task: Task, outputs: Array, y: Array, part: str, groups: Array | None = None, wanted: Wanted = ALL
) -> list[Quantity]:
    """Scores of R replicas over seeds, over cases and over both at once, and what another replica may show on
    further cases; empty when fewer than two replicas are finite."""
    names = task.every if wanted.scores is None else wanted.scores
    scores = score_quantities(task, outputs, y, part, groups, names)
    if not scores:
        return []
    sound, draws = finite(outputs), wanted.draws or Draws(y, groups)
    held = _held(task, names, sound, y, groups) if wanted.simulated else {}
    alone = {row.name: row.bands[-1] for row in scores}
    both = {
        name: replace(band, simulated=held.get(name))
        for name, band in seeds_x_cases(
            names, sound, y, draws.samples(len(sound)), groups, alone=alone
        ).items()
    }
    ahead = next_network(names, sound, y, draws.ahead(len(sound)), groups, alone)
    return [
        _with_both(row, (*_exact(task, row.name, sound, y, groups), both[row.name], ahead[row.name]))
        for row in scores
    ]


def baseline_quantities(
    task: Task,
    outputs: Array,
    y: Array,
    part: str,
    groups: Array | None = None,
    wanted: Wanted = ALL,
    last: bool = True,
) -> list[Quantity]:
    """The scores of a method without a seed, over cases alone.

    outputs: (1, n) or (1, n, k); last: what the next cases may show is said too, of all scores unless some
    are wanted, else of the main ones.
    """
    names = wanted.scores or (task.every if last else task.scores)
    bands, ahead = case_bands(names, outputs, y, groups), dict[str, Band]()
    if last:
        draws = wanted.draws or Draws(y, groups)
        ahead = next_cases(names, outputs, y, draws.ahead(1), groups, bands)
    return [
        Quantity(
            name, part, (band, *_exact(task, name, outputs, y, groups), *filter(None, [ahead.get(name)]))
        )
        for name, band in bands.items()
    ]


def split_quantities(
    task: Task, held: Sequence[tuple[Array, Array]], scores: Mapping[str, Score] | None = None
) -> list[Quantity]:
    """Scores over divisions of a table, another seed with each; empty without two divisions.

    held: for each division outputs (R, n) or (R, n, k), one row for a method without a seed, and y (n,);
    scores: by name, None for the main ones of the task.
    """
    if len(held) < 2:
        return []
    wanted = task.scores if scores is None else scores
    found = [grade(wanted, outputs[[place % len(outputs)]], y) for place, (outputs, y) in enumerate(held)]
    values = {name: np.array([row[name][0] for row in found]) for name in wanted}
    rows = (over_splits(name, "rehearsal", of_score) for name, of_score in values.items())
    return [row for row in rows if row is not None]


def over_splits(name: str, part: str, values: Array) -> Quantity | None:
    """A score over K splits; None when fewer than two values are finite. values: (K,)."""
    if np.isfinite(values).sum() < 2:
        return None
    return Quantity(name, part, tuple(split_bands(values)))


def _with_both(row: Quantity, more: tuple[Band, ...]) -> Quantity:
    """A score with its bands over seeds and cases, and with what another seed may show on further cases."""
    diverged = row.bands[0].diverged
    return replace(row, bands=(*row.bands, *(replace(band, diverged=diverged) for band in more)))


def _held(
    task: Task, scores: Mapping[str, Score], sound: Array, y: Array, groups: Array | None
) -> dict[str, float]:
    """How often bands over seeds and cases held the truth in simulated studies, by score: those of
    `Task.simulated` and the scores that are functions of one of them."""
    found = {}
    for name, score in scores.items():
        if isinstance(score, Share) and name in task.simulated:
            which = score.counted(y)
            missed = 1 - score.right(sound, y)[:, which].mean(axis=0)
            of = groups_among(groups, which)
            found[name] = share_coverage(missed, len(sound), RESAMPLING_SEED, of).found
        elif isinstance(score, Mean) and not score.signed and name in task.simulated:
            found[name] = loss_coverage(score.values(sound, y), RESAMPLING_SEED, groups).found
    bases = {
        name: score.base.name
        for name, score in scores.items()
        if isinstance(score, Ratio) and score.base is not None
    }
    return found | {name: found[base] for name, base in bases.items() if base in found}


def _exact(task: Task, name: str, outputs: Array, y: Array, groups: Array | None) -> tuple[Band, ...]:
    """Of a share the interval of Clopper and Pearson at the mean count, beside that of Wilson."""
    score = task.every[name]
    if not isinstance(score, Share):
        return ()
    which = score.counted(y)
    return (exact_over_cases(score.right(outputs, y)[:, which], groups_among(groups, which)),)


def count_quantities(task: Task, logits: Array, y: Array, part: str) -> Iterator[Quantity]:
    """The four counts of each seed, of two classes; nothing else has them."""
    if task.classes != 2:
        return
    sound = np.isfinite(logits).all(axis=1)
    positive, called = y == 1, logits > 0
    cells = {
        "true_positives": called & positive,
        "false_negatives": ~called & positive,
        "false_positives": called & ~positive,
        "true_negatives": ~called & ~positive,
    }
    for name, cell in cells.items():
        yield Quantity(name, part, tuple(seed_bands(np.where(sound, cell.sum(axis=1), np.nan))))


def calibration_quantities(
    task: Task, outputs: Array, y: Array, part: str, groups: Array | None
) -> Iterator[Quantity]:
    """The measures of calibration of each seed, and of the ensemble over cases where a formula gives a band.

    A slope has a band over seeds only where every seed leaves one: a network that separates the classes has
    no finite slope.
    """
    sound = finite(outputs)
    draws = generator(RESAMPLING_SEED, SIMULATION).random((_nulls(len(y)), len(y)))
    others = measure_bands(task, sound, y, groups)
    others |= {name: _null_error(errors, len(y)) for name, errors in null_errors(task, sound, draws).items()}
    for name, values in measures(task, sound, y).items():
        seeds = tuple(seed_bands(values)) if np.isfinite(values).all() else ()
        seeds = tuple(replace(band, diverged=len(outputs) - len(sound)) for band in seeds)
        bands = (*seeds, *filter(None, [others.get(name)]))
        if bands:
            yield Quantity(f"calibration_{name}", part, bands)


def _null_error(errors: Array, n: int) -> Band:
    """What calibrated networks of the same probabilities would show of calibration error on as many cases.

    errors: (R, B) of replicas and simulated labels of n cases."""
    high, centres = float(np.quantile(errors, 0.95)), (("mean", float(errors.mean())),)
    return Band(0.0, high, "null, 95 %", "cases", n, 0.95, CALIBRATED, centres)


def noise_quantities(task: Task, outputs: Array, y: Array, part: str) -> Iterator[Quantity]:
    """The seed's noise in the accuracy; nothing of a number, and where every seed scores alike, because a
    deviation of 0 has no interval."""
    noise = seed_deviation(~right(finite(outputs), y)) if task.classes else None
    if noise is None or noise.measured == 0:
        return
    centres, ends = (("measured", noise.measured), ("expected", noise.expected)), (noise.low, noise.high)
    band = Band(*ends, "chi-square", "seeds", noise.seeds, noise.coverage, DEVIATION, centres)
    yield Quantity("accuracy_deviation", part, (band,))
