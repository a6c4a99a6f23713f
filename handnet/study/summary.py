"""The scores of one configuration on one part of the table, each with all of its bands.

A new band of a score is attached here. The report lists whatever `quantities` returns and MLflow gets it as
metrics, so a new quantity needs no other line but its row in a table of the report.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from handnet.bands import Band, seed_bands, split_bands
from handnet.bands.band import CALIBRATED, DEVIATION
from handnet.bands.calibrated import measure_bands, measures, null_errors
from handnet.bands.cases import case_bands, exact_over_cases
from handnet.bands.clusters import groups_among
from handnet.bands.multibootstrap import seeds_x_cases
from handnet.bands.predictive import next_cases, next_network
from handnet.bands.seeds import seed_deviation
from handnet.bands.simulated import loss_coverage, share_coverage
from handnet.data import Array
from handnet.draws import SIMULATION, further, generator, resamples
from handnet.scores import Mean, Ratio, Share, right
from handnet.study.gaps import gap_quantities
from handnet.study.intervals import interval_quantities
from handnet.study.networks import Replicas, mask_diverged
from handnet.study.quantity import Quantity, finite
from handnet.study.units import Confirmed, Problem
from handnet.tasks import Task

BOOTSTRAPS = 4000  # samples of cases
MOST_DRAWN = 2 * 10**7  # cases drawn in all: a large test gets fewer samples, but never under 1000
AHEAD = 1000  # samples of what may come next: bands of it are joined to a formula
NULLS = 1000  # simulated sets of labels for the calibration error of a calibrated network
RESAMPLING_SEED = 0  # one for all studies, so that equal results give equal bands


def bootstraps(n: int) -> int:
    """How many bootstrap samples are drawn of n cases."""
    return max(1000, min(BOOTSTRAPS, MOST_DRAWN // n))


def quantities(configuration: Confirmed, problem: Problem, y_test: Array | None) -> list[Quantity]:
    """Every score of a configuration with its bands, on val and, once opened, on test; then the gaps.

    The last of these parts gets all that can be said, the earlier one the scores alone. y_test: (n_test,).
    """
    y_val = problem.parts.val.y
    labels = (
        {"val": y_val}
        if y_test is None or configuration.test_logits is None
        else {"val": y_val, "test": y_test}
    )
    rows: list[Quantity] = []
    for part, y in labels.items():
        groups, last = problem.parts.groups(part), part == list(labels)[-1]
        if configuration.replicas is None:
            rows += baseline_quantities(problem.task, configuration, y, part, last, groups)
            continue
        logits = configuration.logits(part)
        assert logits is not None
        rows += (detailed_quantities if last else score_quantities)(problem.task, logits, y, part, groups)
    if not problem.task.classes and "test" in labels:
        rows += interval_quantities(configuration, y_val, labels["test"], problem.parts.groups("test"))
    if configuration.replicas is None:
        return rows
    logits = configuration.logits("test") if "test" in labels else None
    loss = None
    if logits is not None:
        loss = problem.history_loss(problem.task.mean_loss(logits, labels["test"]))
    return rows + gap_quantities(configuration.replicas, loss)


def score_quantities(
    task: Task, logits: Array, y: Array, part: str, groups: Array | None = None, details: bool = False
) -> list[Quantity]:
    """The main scores of R replicas over seeds and over cases, and the details too where they are wanted;
    empty when fewer than two are finite.

    logits: outputs (R, n) or (R, n, k), NaN for a replica that diverged; y: (n,); groups: (n,) int, None
    where every case is its own.
    """
    sound = finite(logits)
    if len(sound) < 2:
        return []
    wanted = task.every if details else task.scores
    diverged, bands = len(logits) - len(sound), case_bands(wanted, sound, y, groups)
    cases = {name: replace(band, diverged=diverged) for name, band in bands.items()}
    scores = task.grade(logits, y, wanted)
    return [Quantity(name, part, (*seed_bands(values), cases[name])) for name, values in scores.items()]


def detailed_quantities(
    task: Task, logits: Array, y: Array, part: str, groups: Array | None = None
) -> list[Quantity]:
    """Every score with seeds and cases varied at once too, then counts, calibration and seed noise."""
    scores = score_quantities(task, logits, y, part, groups, details=True)
    if not scores:
        return []
    sound = finite(logits)
    samples = resamples(RESAMPLING_SEED, len(sound), y, bootstraps(len(y)), groups)
    held, alone = _held(task, sound, y, groups), {row.name: row.bands[-1] for row in scores}
    both = {
        name: replace(band, simulated=held.get(name))
        for name, band in seeds_x_cases(task.every, sound, y, samples, groups, alone=alone).items()
    }
    drawn = further(RESAMPLING_SEED, len(sound), y, AHEAD, groups)
    ahead = next_network(task.every, sound, y, drawn, groups, alone)
    rows = [
        _with_both(row, (*_exact(task, row.name, sound, y, groups), both[row.name], ahead[row.name]))
        for row in scores
    ]
    rows += _counts(logits, y, part) if task.classes == 2 else ()
    rows += _calibration(task, logits, y, part, groups)
    return rows + list(_deviation(sound, y, part) if task.classes else ())


def baseline_quantities(
    task: Task, baseline: Confirmed, y: Array, part: str, last: bool, groups: Array | None = None
) -> list[Quantity]:
    """The scores of a deterministic method, over cases alone: it has no seed.

    y: (n,); last: what the next cases may show is said too; groups: (n,) int, None where every
    case is its own.
    """
    logits = baseline.logits(part)
    assert logits is not None
    wanted, ahead = task.every if last else task.scores, dict[str, Band]()
    bands = case_bands(wanted, logits, y, groups)
    if last:
        drawn = further(RESAMPLING_SEED, 1, y, AHEAD, groups)
        ahead = next_cases(wanted, logits, y, drawn, groups, bands)
    return [
        Quantity(name, part, (band, *_exact(task, name, logits, y, groups), *filter(None, [ahead.get(name)])))
        for name, band in bands.items()
    ]


def over_splits(name: str, part: str, values: Array) -> Quantity | None:
    """A score over K splits; None when fewer than two values are finite. values: (K,)."""
    if np.isfinite(values).sum() < 2:
        return None
    return Quantity(name, part, tuple(split_bands(values)))


def _with_both(row: Quantity, more: tuple[Band, ...]) -> Quantity:
    """A score with its bands over seeds and cases, and with what another seed may show on further cases."""
    diverged = row.bands[0].diverged
    return replace(row, bands=(*row.bands, *(replace(band, diverged=diverged) for band in more)))


def _held(task: Task, sound: Array, y: Array, groups: Array | None) -> dict[str, float]:
    """How often bands over seeds and cases held the truth in simulated studies, by score: those of
    `Task.simulated` and the scores that are functions of one of them."""
    found = {}
    for name, score in task.scores.items():
        if isinstance(score, Share) and name in task.simulated:
            which = score.counted(y)
            missed = 1 - score.right(sound, y)[:, which].mean(axis=0)
            of = groups_among(groups, which)
            found[name] = share_coverage(missed, len(sound), RESAMPLING_SEED, of).found
        elif isinstance(score, Mean) and not score.signed and name in task.simulated:
            found[name] = loss_coverage(score.values(sound, y), RESAMPLING_SEED, groups).found
    bases = {
        name: score.base.name
        for name, score in task.scores.items()
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


def _counts(logits: Array, y: Array, part: str) -> Iterator[Quantity]:
    """The four counts of each seed."""
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


def _calibration(task: Task, outputs: Array, y: Array, part: str, groups: Array | None) -> Iterator[Quantity]:
    """The measures of calibration of each seed, and of the ensemble over cases where a formula gives a band.

    A slope has a band over seeds only where every seed leaves one: a network that separates the classes has
    no finite slope.
    """
    sound = finite(outputs)
    draws = generator(RESAMPLING_SEED, SIMULATION).random((NULLS, len(y)))
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


def _deviation(sound: Array, y: Array, part: str) -> Iterator[Quantity]:
    """The seed's noise; nothing where every seed scores alike, because a deviation of 0 has no interval."""
    noise = seed_deviation(~right(sound, y))
    if noise.measured == 0:
        return
    centres, ends = (("measured", noise.measured), ("expected", noise.expected)), (noise.low, noise.high)
    band = Band(*ends, "chi-square", "seeds", noise.seeds, noise.coverage, DEVIATION, centres)
    yield Quantity("accuracy_deviation", part, (band,))


def objective(task: Task, replicas: Replicas, y_val: Array) -> float:
    """What the search minimises: the mean validation loss over seeds; infinite when any seed diverged."""
    if not replicas.sound.all():
        return float("inf")
    return float(task.mean_loss(replicas.val_logits, y_val).mean())


def middle_seed(task: Task, replicas: Replicas, y_val: Array) -> int:
    """The place of the replica with the median validation loss: the network that the Keras file holds."""
    loss = task.mean_loss(mask_diverged(replicas, replicas.val_logits), y_val)
    return int(np.argsort(loss)[replicas.sound.sum() // 2])
