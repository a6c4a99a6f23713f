"""From exact results to what is shown of them: scores, bands, curves. Nothing here is stored twice."""

from dataclasses import dataclass, replace

import numpy as np

from experiments.workers import Replicas
from handnet.bands import Band, Spread, seed_bands, wilson
from handnet.bands.seeds import HIGH, LOW
from handnet.data import Array
from handnet.grade import Scores, gap, grade
from handnet.recipe import Recipe

CURVES = ("train_loss", "train_loss_off", "val_loss")
CURVE_POINTS = 30  # as many steps a curve as a chart of it can show
COUNTED = {"accuracy": None, "sensitivity": 1, "specificity": 0}  # shares of cases; the class they are counted on


@dataclass(frozen=True)
class Quantity:
    """One score of one configuration on one part: what another seed, and what other cases, would have given."""

    name: str
    part: str
    seeds: Spread | None  # None for a method without a seed
    cases: Band | None  # None for a score that is no share of cases

    @property
    def bands(self) -> tuple[Band, ...]:
        """Every band there is, the seed quantiles first."""
        return tuple(band for band in (*(self.seeds or ()), self.cases) if band is not None)


@dataclass(frozen=True)
class Confirmed:
    """A frozen configuration as the store has it. replicas is None for a baseline; *_logits are (R, n) or (n,)."""

    role: str
    config_id: str
    recipe: Recipe | None
    replicas: Replicas | None
    val_logits: Array
    test_logits: Array | None


def heard(replicas: Replicas, logits: Array) -> Array:
    """Logits (R, n) with NaN for every replica that diverged, also where its last logits happen to be finite."""
    return np.where(replicas.sound[:, None], logits, np.nan)


def scored(logits: Array, y: Array, part: str) -> list[Quantity]:
    """Every score of R replicas on one part, with its bands; empty when fewer than two replicas are finite."""
    scores = grade(logits, y)
    if np.isfinite(scores.log_loss).sum() < 2:
        return []
    return [Quantity(name, part, seed_bands(values), _case_band(name, values, y))
            for name, values in scores._asdict().items()]  # fmt: skip


def point_scored(logits: Array, y: Array, part: str) -> list[Quantity]:
    """The scores of a deterministic method (one row of logits): shares of cases only, for they alone have a band."""
    scores: Scores = grade(logits[None], y)
    return [Quantity(name, part, None, _case_band(name, getattr(scores, name), y)) for name in COUNTED]


def gaps(replicas: Replicas) -> list[Quantity]:
    """Both train-validation gaps, as bands over seeds."""
    sound = replicas.sound
    if sound.sum() < 2:
        return []
    found = gap(replicas.fit)._asdict()
    return [Quantity(name, "gap", seed_bands(np.where(sound, gaps, np.nan)), None) for name, gaps in found.items()]


def _case_band(name: str, values: Array, y: Array) -> Band | None:
    """Wilson's interval at the mean count over seeds."""
    if name not in COUNTED:
        return None
    n = len(y) if COUNTED[name] is None else int((y == COUNTED[name]).sum())
    band = wilson(float(np.nanmean(values)) * n, n)
    return replace(band, diverged=int(np.isnan(values).sum()))


def objective(replicas: Replicas, y_val: Array) -> float:
    """What the search minimises: the mean validation log loss over seeds; infinite when any seed diverged."""
    if not replicas.sound.all():
        return float("inf")
    return float(grade(replicas.val_logits, y_val).log_loss.mean())


def metrics(quantities: list[Quantity]) -> dict[str, float]:
    """Flat names for a tracker: part/score.varied.what. The part groups the charts, the rest says which band."""
    flat: dict[str, float] = {}
    for quantity in quantities:
        stem = f"{quantity.part}/{quantity.name}"
        if quantity.seeds:
            quantiles, extremes = quantity.seeds
            flat |= {f"{stem}.seeds.{name}": value for name, value in quantiles.centres}
            flat |= {f"{stem}.seeds.q025": quantiles.low, f"{stem}.seeds.q975": quantiles.high}
            flat |= {f"{stem}.seeds.min": extremes.low, f"{stem}.seeds.max": extremes.high}
            flat |= {f"{stem}.seeds.coverage": quantiles.coverage, f"{stem}.seeds.n": quantiles.n}
        if quantity.cases:
            band = quantity.cases
            flat |= {f"{stem}.cases.share": band.centre("share"), f"{stem}.cases.n": band.n}
            flat |= {f"{stem}.cases.wilson_low": band.low, f"{stem}.cases.wilson_high": band.high}
    return flat


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
