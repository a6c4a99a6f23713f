"""The scores of one configuration on one part of the table, each with all of its bands.

A new band of a score is attached here. The report lists whatever `quantities` returns and MLflow gets it as
metrics, so a new quantity needs no other line but its row in a table of the report.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from scipy.special import expit

from handnet.bands import Band, seed_bands, split_bands
from handnet.bands.band import CALIBRATED, DEVIATION
from handnet.bands.calibration import calibration, calibration_bands, null_errors
from handnet.bands.cases import case_bands, exact_over_cases
from handnet.bands.clusters import groups_among
from handnet.bands.multibootstrap import seeds_x_cases
from handnet.bands.predictive import next_cases, next_network
from handnet.bands.seeds import seed_deviation
from handnet.bands.simulated import loss_coverage, share_coverage
from handnet.data import Array
from handnet.draws import SIMULATION, further, generator, resamples
from handnet.scores import case_losses
from handnet.study.gaps import gap_quantities
from handnet.study.quantity import Quantity, finite
from handnet.study.units import Confirmed, Problem, Replicas, mask_diverged
from handnet.tasks import Task

SHARES = {
    "accuracy": None,
    "sensitivity": 1,
    "specificity": 0,
}  # shares of cases; the class they are counted on
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
    if configuration.replicas is None:
        return rows
    logits = configuration.logits("test") if "test" in labels else None
    test_loss = None if logits is None else problem.task.mean_loss(logits, labels["test"])
    return rows + gap_quantities(configuration.replicas, test_loss)


def score_quantities(
    task: Task, logits: Array, y: Array, part: str, groups: Array | None = None
) -> list[Quantity]:
    """Every score of R replicas over seeds and over cases; empty when fewer than two are finite.

    logits: (R, n), NaN for a replica that diverged; y: (n,) of 0 and 1; groups: (n,) int, None where every
    case is its own.
    """
    sound = finite(logits)
    if len(sound) < 2:
        return []
    diverged, bands = len(logits) - len(sound), case_bands(task.scores, sound, y, groups)
    cases = {name: replace(band, diverged=diverged) for name, band in bands.items()}
    scores = task.grade(logits, y)
    return [Quantity(name, part, (*seed_bands(values), cases[name])) for name, values in scores.items()]


def detailed_quantities(
    task: Task, logits: Array, y: Array, part: str, groups: Array | None = None
) -> list[Quantity]:
    """`score_quantities` with seeds and cases varied at once, then counts, calibration and seed noise."""
    scores = score_quantities(task, logits, y, part, groups)
    if not scores:
        return []
    sound = finite(logits)
    samples = resamples(RESAMPLING_SEED, len(sound), y, bootstraps(len(y)), groups)
    held = _held(sound, y, groups)
    both = {
        name: replace(band, simulated=held.get(name))
        for name, band in seeds_x_cases(task.scores, sound, y, samples, groups).items()
    }
    ahead = next_network(
        task.scores, sound, y, further(RESAMPLING_SEED, len(sound), y, AHEAD, groups), groups
    )
    return [
        *(_with_both(row, both[row.name], ahead[row.name], sound, y, groups) for row in scores),
        *_counts(logits, y, part),
        *_calibration(logits, y, part, groups),
        *_deviation(sound, y, part),
    ]


def baseline_quantities(
    task: Task, baseline: Confirmed, y: Array, part: str, last: bool, groups: Array | None = None
) -> list[Quantity]:
    """The scores of a deterministic method, over cases alone: it has no seed.

    y: (n,) of 0 and 1; last: what the next cases may show is said too; groups: (n,) int, None where every
    case is its own.
    """
    logits = baseline.logits(part)
    assert logits is not None
    bands, ahead = case_bands(task.scores, logits, y, groups), dict[str, Band]()
    if last:
        ahead = next_cases(task.scores, logits, y, further(RESAMPLING_SEED, 1, y, AHEAD, groups), groups)
    return [
        Quantity(name, part, (band, *_exact(name, logits, y, groups), *filter(None, [ahead.get(name)])))
        for name, band in bands.items()
    ]


def over_splits(name: str, part: str, values: Array) -> Quantity | None:
    """A score over K splits; None when fewer than two values are finite. values: (K,)."""
    if np.isfinite(values).sum() < 2:
        return None
    return Quantity(name, part, tuple(split_bands(values)))


def _with_both(
    row: Quantity, both: Band, ahead: Band, sound: Array, y: Array, groups: Array | None
) -> Quantity:
    """A score with its band over seeds and cases, and with what another seed may show on as many further
    cases."""
    more, diverged = (*_exact(row.name, sound, y, groups), both, ahead), row.bands[0].diverged
    return replace(row, bands=(*row.bands, *(replace(band, diverged=diverged) for band in more)))


def _held(sound: Array, y: Array, groups: Array | None) -> dict[str, float]:
    """How often bands over seeds and cases held the truth in simulated studies, by score, but the AUC."""
    found = {}
    for name in SHARES:
        which = _counted(name, y)
        missed, of = _wrong(sound, y)[:, which].mean(axis=0), groups_among(groups, which)
        found[name] = share_coverage(missed, len(sound), RESAMPLING_SEED, of).found
    losses = {"log_loss": case_losses(sound, y), "brier": np.square(expit(sound) - y)}
    found |= {name: loss_coverage(each, RESAMPLING_SEED, groups).found for name, each in losses.items()}
    return found | {"skill": found["brier"]}  # the skill is the Brier score on another scale


def _exact(name: str, logits: Array, y: Array, groups: Array | None) -> tuple[Band, ...]:
    """Of a share the interval of Clopper and Pearson at the mean count, beside that of Wilson."""
    if name not in SHARES:
        return ()
    which = _counted(name, y)
    right, of = ~_wrong(logits, y)[:, which], groups_among(groups, which)
    return (exact_over_cases(right, of),)


def _wrong(logits: Array, y: Array) -> Array:
    """(R, n) bool: which replica calls which case wrong."""
    return np.asarray((logits > 0) != (y == 1))


def _counted(name: str, y: Array) -> Array:
    """(n,) bool: the cases a share is counted on."""
    label = SHARES[name]
    return np.ones(len(y), dtype=bool) if label is None else np.asarray(y == label)


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


def _calibration(logits: Array, y: Array, part: str, groups: Array | None) -> Iterator[Quantity]:
    """The measures of calibration of each seed, and of the ensemble over cases where a formula gives a band.

    A slope has a band over seeds only where every seed leaves one: a network that separates the classes has
    no finite slope.
    """
    sound = finite(logits)
    cases = calibration_bands(sound, y, groups)._asdict()
    others = {name: (band,) for name, band in cases.items() if band}
    others["error"] = (_null_error(sound, y),)
    for name, values in calibration(sound, y)._asdict().items():
        seeds = tuple(seed_bands(values)) if np.isfinite(values).all() else ()
        seeds = tuple(replace(band, diverged=len(logits) - len(sound)) for band in seeds)
        bands = (*seeds, *others.get(name, ()))
        if bands:
            yield Quantity(f"calibration_{name}", part, bands)


def _null_error(sound: Array, y: Array) -> Band:
    """What calibrated networks of the same probabilities would show of calibration error on as many cases."""
    errors = null_errors(sound, generator(RESAMPLING_SEED, SIMULATION).random((NULLS, len(y))))
    high, centres = float(np.quantile(errors, 0.95)), (("mean", float(errors.mean())),)
    return Band(0.0, high, "null, 95 %", "cases", len(y), 0.95, CALIBRATED, centres)


def _deviation(sound: Array, y: Array, part: str) -> Iterator[Quantity]:
    """The seed's noise; nothing where every seed scores alike, because a deviation of 0 has no interval."""
    noise = seed_deviation(_wrong(sound, y))
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
