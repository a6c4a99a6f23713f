"""The headline band: what another seed and other cases, both at once, would have given (Sellam et al. 2022).

Replicas and cases are resampled together, cases within each class, and the score averaged over the drawn
replicas; the band is the quantiles .025 and .975 of these averages."""

import numpy as np
from scipy.special import expit

from handnet.bands.band import Band
from handnet.bands.cases import case_bands
from handnet.bands.proportion import wilson
from handnet.bands.seeds import HIGH, LOW
from handnet.data import Array
from handnet.draws import Resamples
from handnet.scores import Scores, case_losses

COVERAGE = HIGH - LOW
FEW_ERRORS = 10  # below, the bootstrap of a share is too coarse to stand alone


def bootstrap_scores(logits: Array, y: Array, samples: Resamples) -> Scores:
    """Each score averaged over the replicas, for every bootstrap sample: (B,). logits: (R, n) finite; y:
    (n,)."""
    z, positive = np.asarray(logits, dtype=np.float64), np.asarray(y) == 1
    every, right = np.ones_like(positive), np.equal(z > 0, positive)
    brier = bootstrap_means(np.square(expit(z) - positive), every, samples)
    prevalence = bootstrap_means(np.broadcast_to(positive, z.shape), every, samples)
    return Scores(
        log_loss=bootstrap_means(case_losses(z, positive), every, samples),
        accuracy=bootstrap_means(right, every, samples),
        sensitivity=bootstrap_means(right, positive, samples),
        specificity=bootstrap_means(right, ~positive, samples),
        auc=_areas(z, positive, samples),
        brier=brier,
        skill=1 - brier / (prevalence * (1 - prevalence)),
    )


def seeds_x_cases(logits: Array, y: Array, samples: Resamples) -> dict[str, Band]:
    """The band of each score over R >= 2 replicas. logits: (R, n) finite; y: (n,).

    Where the cases alone say less, their band widens it: a share with fewer than 10 errors, counted as the
    mean over replicas, gets the hull with Wilson's interval (no error seen, none resampled), and no band is
    ever narrower than that of one replica over cases (`case_bands`). Averaging over replicas is not what a
    single network offers, and the plain bootstrap of an AUC near 1 holds the truth in 80 of 100 studies only.
    """
    drawn = bootstrap_scores(logits, y, samples)._asdict()
    return {name: _widened(drawn[name], cases, len(logits)) for name, cases in case_bands(logits, y).items()}


def share_band(right: Array, samples: Resamples) -> Band:
    """The band of a share of cases, by the same rule. right: (R, n) bool."""
    drawn = bootstrap_means(right, np.ones(right.shape[1], dtype=bool), samples)
    return _widened(drawn, wilson(float(right.mean(axis=0).sum()), right.shape[1], COVERAGE), len(right))


def _widened(drawn: Array, cases: Band, replicas: int) -> Band:
    low, high = (float(end) for end in np.quantile(drawn, [LOW, HIGH]))
    kind, centre = "multi-bootstrap", cases.centres[0][1]
    few_errors = cases.kind == "wilson" and round((1 - centre) * cases.n, 6) < FEW_ERRORS
    if few_errors or high - low < cases.high - cases.low:
        low, high, kind = min(low, cases.low), max(high, cases.high), f"{kind} and {cases.kind}"
    return Band(low, high, kind, "seeds_x_cases", cases.n, COVERAGE, (("mean", centre),), seeds=replicas)


def bootstrap_means(values: Array, mask: Array, samples: Resamples) -> Array:
    """(B,): means of per-case values (R, n) over the drawn replicas and those of the drawn cases that are in
    the mask (n,)."""
    cases = samples.cases * mask
    sums = np.einsum("bn,bn->b", samples.seeds.astype(np.float64) @ values, cases)
    return np.asarray(sums / (samples.seeds.sum(axis=1) * cases.sum(axis=1)))


def _areas(z: Array, positive: Array, samples: Resamples) -> Array:
    """(B,): means of the AUC over the drawn replicas. Of each drawn positive case the drawn negative ones
    below it are counted, ties half, by running sums: n a replica and sample, where pairs would be n^2."""
    upper, lower = samples.cases[:, positive], samples.cases[:, ~positive]
    total, below = np.zeros(len(upper)), np.zeros((len(lower), lower.shape[1] + 1))
    for row, drawn in zip(z, samples.seeds.T, strict=True):
        order = np.argsort(row[~positive])
        np.cumsum(lower[:, order], axis=1, out=below[:, 1:])
        first, last = (
            np.searchsorted(row[~positive][order], row[positive], side) for side in ("left", "right")
        )
        total += drawn * np.einsum("bn,bn->b", upper, below[:, first] + below[:, last]) / 2
    return np.asarray(total / (samples.seeds.sum(axis=1) * upper.sum(axis=1) * lower.sum(axis=1)))
