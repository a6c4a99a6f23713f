"""Calibration of many classes: each against the rest, all of them together, and of the class that is called.

Outputs are logits (R, n, k), y is (n,) from 0 to k - 1. Each class against the rest is a label of two classes
with the logit log p / (1 - p), so its measures are those of handnet/bands/calibration.py.
"""

from dataclasses import replace

import numpy as np
from scipy.optimize import brentq
from scipy.special import log_softmax, logsumexp
from scipy.stats import chi2

from handnet.bands import calibration as two_classes
from handnet.bands.band import CALIBRATION, Band
from handnet.bands.calibration import calibration_errors, interval_ends
from handnet.bands.clusters import group_sums, number_of_groups, widening
from handnet.data import Array

STEEPEST = 1e6  # a slope beyond it separates the classes, as far as logits can tell


def calibration(logits: Array, y: Array) -> dict[str, Array]:
    """The measures (R,) of each replica, by name.

    slope: the inverse temperature b that makes softmax(b z) most likely (Guo et al. 2017); 1 is perfect,
        below it probabilities are too extreme; infinite where each case has its own class highest.
    intercept_c, slope_c, observed_expected_c: of class c against the rest (Van Hoorde et al. 2015).
    error: of the probability of the called class, over ten bins; error_of_classes: of each class's own
        probability, the mean over the classes.
    """
    z = np.asarray(logits, dtype=np.float64)
    p = np.exp(log_softmax(z, axis=-1))
    right, classes = z.argmax(axis=-1) == y, range(z.shape[-1])
    found = {"slope": np.array([inverse_temperature(row, y) for row in z])}
    each = [two_classes.calibration(against_rest(z, label), y == label) for label in classes]
    for label, measures in enumerate(each):
        found |= {f"{name}_{label}": values for name, values in measures._asdict().items() if name != "error"}
    called = zip(p.max(axis=-1), right, strict=True)
    top = [calibration_errors(chance[None], hit[None])[0, 0] for chance, hit in called]
    return found | {
        "error": np.array(top),
        "error_of_classes": np.mean([measures.error for measures in each], axis=0),
    }


def calibration_bands(
    logits: Array, y: Array, groups: Array | None = None, coverage: float = 0.95
) -> dict[str, Band]:
    """Profile likelihood intervals of the measures of the ensemble; without those that have no finite value.

    Those of a class against the rest are those of two classes; that of the common slope is

        { b : 2 (l(best) - l(b)) <= c },   l(b) = sum of log softmax(b z)_y

    with c as in `handnet.bands.calibration.calibration_bands`. groups: (n,) int, None where every case is its
    own.
    """
    z = np.asarray(logits, dtype=np.float64)
    found = {}
    common = _slope_band(logsumexp(log_softmax(z, axis=-1), axis=0) - np.log(len(z)), y, groups, coverage)
    if common:
        found["slope"] = common
    for label in range(z.shape[-1]):
        bands = two_classes.calibration_bands(against_rest(z, label), y == label, groups, coverage)
        found |= {f"{name}_{label}": band for name, band in bands._asdict().items() if band}
    return found


def null_errors(logits: Array, draws: Array) -> dict[str, Array]:
    """Both calibration errors (R, B) of replicas whose probabilities are true, by name.

    draws: (B, n) uniform in [0, 1), from which the classes are drawn as y* ~ Categorical(p).
    """
    z = np.asarray(logits, dtype=np.float64)
    found: dict[str, list[Array]] = {"error": [], "error_of_classes": []}
    for p in np.exp(log_softmax(z, axis=-1)):
        drawn = (draws[..., None] >= np.cumsum(p, axis=-1)[:, :-1]).sum(axis=-1)  # (B, n)
        found["error"].append(calibration_errors(p.max(axis=-1)[None], drawn == p.argmax(axis=-1))[0])
        each = [calibration_errors(p[None, :, label], drawn == label)[0] for label in range(p.shape[-1])]
        found["error_of_classes"].append(np.mean(each, axis=0))
    return {name: np.array(errors) for name, errors in found.items()}


def against_rest(logits: Array, label: int) -> Array:
    """The logit (R, n) of one class against all others. logits: (R, n, k)."""
    return np.asarray(logits[..., label] - logsumexp(np.delete(logits, label, axis=-1), axis=-1))


def inverse_temperature(logits: Array, y: Array) -> float:
    """The b that makes softmax(b z) most likely; infinite where none is. logits: (n, k); y: (n,)."""
    own = np.take_along_axis(logits, np.asarray(y)[:, None].astype(np.intp), axis=1)[:, 0]
    if (own >= logits.max(axis=1)).all():
        return np.inf if np.ptp(logits, axis=1).any() else np.nan
    if (own <= logits.min(axis=1)).all():
        return -np.inf

    def slope(b: float) -> float:
        p = np.exp(log_softmax(b * logits, axis=1))
        return float((own - (p * logits).sum(axis=1)).sum())

    reach = 1.0
    while slope(reach) > 0 or slope(-reach) < 0:
        if reach > STEEPEST:
            return float(np.copysign(np.inf, slope(0.0)))
        reach *= 2
    return float(brentq(slope, -reach, reach, xtol=1e-12))


def _slope_band(z: Array, y: Array, groups: Array | None, coverage: float) -> Band | None:
    """The band of the common slope of log probabilities z (n, k); None where it is not finite."""
    best = inverse_temperature(z, y)
    if not np.isfinite(best):
        return None
    place = np.asarray(y)[:, None].astype(np.intp)

    def likelihood(b: float) -> float:
        return float(np.take_along_axis(log_softmax(b * z, axis=1), place, axis=1).sum())

    p = np.exp(log_softmax(best * z, axis=1))
    mean = (p * z).sum(axis=1)
    information = float((p * np.square(z - mean[:, None])).sum())
    limit = float(chi2.ppf(coverage, 1))
    count = number_of_groups(groups)
    if groups is not None:
        scores = group_sums(np.take_along_axis(z, place, axis=1)[:, 0] - mean, groups)
        ratio = float(scores @ scores) * count / max(count - 1, 1) / information
        limit *= max(1.0, ratio) * widening(len(y), groups, coverage) ** 2
    top = likelihood(best)
    low, high = interval_ends(lambda b: 2 * (top - likelihood(b)) - limit, best, np.sqrt(limit / information))
    kind = "profile likelihood" if groups is None else "clustered profile likelihood"
    band = Band(low, high, kind, "cases", len(y), coverage, CALIBRATION, (("ensemble", best),))
    return replace(band, groups=count)
