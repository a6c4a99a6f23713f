"""From exact results to what is shown of them: scores, bands, curves. Nothing here is stored twice."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from handnet.bands import Band, clopper_pearson, seed_bands, split_bands
from handnet.bands.calibration import calibration, calibration_bands, null_errors
from handnet.bands.cases import case_bands
from handnet.bands.multibootstrap import seeds_x_cases
from handnet.bands.seeds import HIGH, LOW, seed_deviation
from handnet.bands.simulated import share_coverage
from handnet.contract import Recipe
from handnet.data import Array
from handnet.draws import SIMULATION, generator, resamples
from handnet.scores import gap, grade
from handnet.study.units import Replicas

CURVES = ("train_loss", "train_loss_off", "val_loss")
CURVE_POINTS = 30  # as many steps a curve as a chart of it can show
COUNTED = {
    "accuracy": None,
    "sensitivity": 1,
    "specificity": 0,
}  # shares of cases; the class they are counted on
BOOTSTRAPS, DRAWN = (
    4000,
    2 * 10**7,
)  # samples; fewer, but never under 1000, of tests so large that more cases than these were drawn
NULLS = 1000
RESAMPLING_SEED = 0  # one for all studies, so that equal results give equal bands
SPECIFICITY = 0.95  # at which the threshold of the fence is set, on validation rows


@dataclass(frozen=True)
class Quantity:
    """One score of one configuration on one part, with every band it has: over seeds, over cases, over both,
    ..."""

    name: str
    part: str
    bands: tuple[Band, ...]


@dataclass(frozen=True)
class Confirmed:
    """A frozen configuration as the store has it. replicas is None for a baseline; *_logits are (R, n) or
    (n,)."""

    role: str
    config_id: str
    recipe: Recipe | None
    replicas: Replicas | None
    val_logits: Array
    test_logits: Array | None


def bootstraps(n: int) -> int:
    """How many bootstrap samples are drawn of n cases."""
    return max(1000, min(BOOTSTRAPS, DRAWN // n))


def mask_diverged(replicas: Replicas, logits: Array) -> Array:
    """Logits (R, n) with NaN for every replica that diverged, also where its last logits happen to be
    finite."""
    return np.where(replicas.sound[:, None], logits, np.nan)


def finite(logits: Array) -> Array:
    """The rows of (R, n) that are finite throughout."""
    return logits[np.isfinite(logits).all(axis=1)]


def scored(logits: Array, y: Array, part: str) -> list[Quantity]:
    """Every score of R replicas on one part, over seeds and over cases; empty when fewer than two replicas
    are finite."""
    sound = finite(logits)
    if len(sound) < 2:
        return []
    lost = len(logits) - len(sound)
    cases = {name: replace(band, diverged=lost) for name, band in case_bands(sound, y).items()}
    return [
        Quantity(name, part, (*seed_bands(values), cases[name]))
        for name, values in grade(logits, y)._asdict().items()
    ]


def scored_whole(logits: Array, y: Array, part: str) -> list[Quantity]:
    """The same with everything a confirmed configuration is worth: both varied at once, counts,
    calibration."""
    found = scored(logits, y, part)
    if not found:
        return []
    sound, lost = finite(logits), len(logits) - len(finite(logits))
    both = seeds_x_cases(sound, y, resamples(RESAMPLING_SEED, len(sound), y, bootstraps(len(y))))
    return [
        *(_with_both(one, replace(both[one.name], diverged=lost), sound, y) for one in found),
        *_counts(logits, y, part),
        *_calibrated(logits, y, part),
        *_deviation(sound, y, part),
    ]


def point_scored(logits: Array, y: Array, part: str) -> list[Quantity]:
    """The scores of a deterministic method (one row of logits), over cases: it has no seed."""
    bands = case_bands(logits[None], y)
    return [Quantity(name, part, (band, *_exact(name, logits[None], y))) for name, band in bands.items()]


def gaps(replicas: Replicas) -> list[Quantity]:
    """Both train-validation gaps of the loss, over seeds."""
    if replicas.sound.sum() < 2:
        return []
    found = gap(replicas.fit)._asdict()
    return [
        Quantity(name, "gap", tuple(seed_bands(np.where(replicas.sound, one, np.nan))))
        for name, one in found.items()
    ]


@dataclass(frozen=True)
class Overfit:
    """Train against validation accuracy, per seed. flagged: how many of `seeds` are at least .03, and a tenth
    of their validation accuracy, better on train rows (skore's rule SKD001)."""

    gap: Quantity
    flagged: int
    seeds: int


def overfit(replicas: Replicas, train_logits: Array, y_train: Array, y_val: Array) -> Overfit | None:
    """The gap of accuracy; None when fewer than two replicas are sound."""
    if replicas.sound.sum() < 2:
        return None
    train = grade(mask_diverged(replicas, train_logits), y_train).accuracy
    val = grade(mask_diverged(replicas, replicas.val_logits), y_val).accuracy
    flagged = (train - val >= np.maximum(0.03, 0.1 * val)).sum()
    return Overfit(
        Quantity("gap_accuracy", "gap", tuple(seed_bands(train - val))),
        int(flagged),
        int(replicas.sound.sum()),
    )


def at_specificity(val_logits: Array, y_val: Array, logits: Array, y: Array, part: str) -> list[Quantity]:
    """Sensitivity and specificity on a part at another threshold than .5: each replica's own, the lowest at
    which 95 % of the validation negatives are called right. Chosen on validation rows, so it is no choice for
    the part."""
    sound = np.isfinite(val_logits).all(axis=1) & np.isfinite(logits).all(axis=1)
    if sound.sum() < 2:
        return []
    thresholds = np.quantile(val_logits[sound][:, y_val == 0], SPECIFICITY, axis=1, method="inverted_cdf")
    shifted = np.full(logits.shape, np.nan)
    shifted[sound] = logits[sound] - thresholds[:, None]
    return [
        replace(one, name=f"fence_{one.name}")
        for one in scored(shifted, y, part)
        if one.name in ("sensitivity", "specificity")
    ]


def over_splits(name: str, part: str, values: Array) -> Quantity | None:
    """A score over splits, one value each; None when fewer than two are finite."""
    if np.isfinite(values).sum() < 2:
        return None
    return Quantity(name, part, tuple(split_bands(values)))


def _with_both(one: Quantity, band: Band, sound: Array, y: Array) -> Quantity:
    exact = tuple(replace(extra, diverged=band.diverged) for extra in _exact(one.name, sound, y))
    if one.name in COUNTED:
        held = share_coverage(_wrong(sound, y)[:, _on(one.name, y)].mean(axis=0), len(sound), RESAMPLING_SEED)
        band = replace(band, simulated=held.found)
    return replace(one, bands=(*one.bands, *exact, band))


def _exact(name: str, logits: Array, y: Array) -> tuple[Band, ...]:
    """Clopper and Pearson's interval beside Wilson's, at the mean count."""
    if name not in COUNTED:
        return ()
    right = ~_wrong(logits, y)[:, _on(name, y)]
    return (clopper_pearson(min(float(right.mean(axis=0).sum()), right.shape[1]), right.shape[1]),)


def _wrong(logits: Array, y: Array) -> Array:
    return np.asarray((logits > 0) != (y == 1))


def _on(name: str, y: Array) -> Array:
    label = COUNTED[name]
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


def _calibrated(logits: Array, y: Array, part: str) -> Iterator[Quantity]:
    """Calibration over seeds, and over cases where a formula gives it. A slope has a band over seeds only
    where every seed leaves one: a network that separates the classes has none that is finite."""
    sound = finite(logits)
    cases, measures = calibration_bands(sound, y), calibration(sound, y)
    null = null_errors(sound, generator(RESAMPLING_SEED, SIMULATION).random((NULLS, len(y))))
    limit = Band(
        0.0,
        float(np.quantile(null, 0.95)),
        "null, 95 %",
        "cases",
        len(y),
        0.95,
        (("mean", float(null.mean())),),
    )
    beside = {"error": (limit,)} | (
        {name: (band,) for name, band in cases._asdict().items()} if cases else {}
    )
    for name, values in measures._asdict().items():
        over_seeds = tuple(seed_bands(values)) if np.isfinite(values).all() else ()
        bands = (
            *(replace(band, diverged=len(logits) - len(sound)) for band in over_seeds),
            *beside.get(name, ()),
        )
        if bands:
            yield Quantity(f"calibration_{name}", part, bands)


def _deviation(sound: Array, y: Array, part: str) -> Iterator[Quantity]:
    """Nothing where every seed scores alike: a deviation of 0 has no interval."""
    found = seed_deviation(_wrong(sound, y))
    if found.measured == 0:
        return
    centres = (("measured", found.measured), ("expected", found.expected))
    band = Band(found.low, found.high, "chi-square", "seeds", found.seeds, found.coverage, centres)
    yield Quantity("accuracy_deviation", part, (band,))


def objective(replicas: Replicas, y_val: Array) -> float:
    """What the search minimises: the mean validation log loss over seeds; infinite when any seed diverged."""
    if not replicas.sound.all():
        return float("inf")
    return float(grade(replicas.val_logits, y_val).log_loss.mean())


ENDS = {"quantiles": ("q025", "q975"), "min-max": ("min", "max")}


def metrics(quantities: list[Quantity]) -> dict[str, float]:
    """Flat names for a tracker: part/score.varied.what. The part groups the charts, the rest says which
    band."""
    flat: dict[str, float] = {}
    for quantity in quantities:
        for band in quantity.bands:
            # Of two bands over seeds the quantiles come first: the plain name of the coverage is theirs.
            flat = band_metrics(f"{quantity.part}/{quantity.name}", band) | flat
    return flat


def band_metrics(stem: str, band: Band) -> dict[str, float]:
    """The metrics of one band."""
    stem = f"{stem}.{band.varied}"
    word = band.kind.split(",")[0].replace(" ", "_")
    both = band.varied == "seeds_x_cases"  # one kind of band only
    low, high = ENDS.get(band.kind, ("low", "high") if both else (f"{word}_low", f"{word}_high"))
    flat = {f"{stem}.{name.replace(' ', '_')}": value for name, value in band.centres}
    flat |= {f"{stem}.{low}": band.low, f"{stem}.{high}": band.high, f"{stem}.n": float(band.n)}
    if band.kind in ENDS:
        flat[f"{stem}.coverage"] = band.coverage
    if band.simulated is not None:
        flat[f"{stem}.simulated_coverage"] = band.simulated
    return flat


def band_facts(band: Band) -> dict[str, Any]:
    """A band as plain JSON values."""
    return vars(band) | {"centres": dict(band.centres)}


def curves(replicas: Replicas) -> dict[str, Array]:
    """Each curve of CURVES, (R, epochs)."""
    return {name: getattr(replicas.fit, name) for name in CURVES}


def curve_epochs(epochs: int) -> Array:
    """The epochs a curve is logged at, counted from 1: all of a short run, evenly spread over a long one."""
    return np.unique(np.linspace(1, epochs, min(epochs, CURVE_POINTS)).round().astype(int))


def curve_band(values: Array) -> tuple[Array, Array, Array]:
    """Mean and quantiles LOW and HIGH over the replicas that are finite throughout; each (epochs,)."""
    sound = values[np.isfinite(values).all(axis=1)]
    if len(sound) < 2:
        nothing = np.full(values.shape[1], np.nan)
        return nothing, nothing, nothing
    low, high = np.quantile(sound, [LOW, HIGH], axis=0)
    return sound.mean(axis=0), low, high
