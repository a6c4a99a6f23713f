"""The headline band: an interval for the score expected over all seeds and all cases (Sellam et al. 2022).

Replicas and cases are resampled together, cases within each class, and the score is averaged over the drawn
replicas; the band is the quantiles .025 and .975 of these averages.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from handnet.bands.band import EXPECTED_OVER_SEEDS, Band, scale_of
from handnet.bands.cases import case_bands, share_over_cases
from handnet.bands.seeds import HIGH, LOW
from handnet.data import Array
from handnet.draws import Resamples
from handnet.scores import Mean, Quantile, Ratio, Score, Share, Whole, everyone

COVERAGE = HIGH - LOW
AT_ONCE = 2 * 10**6  # means taken at a time, for the sake of memory
FEW_ERRORS = 10  # with fewer errors than these the bootstrap of a share is too coarse to stand alone


def bootstrap_scores(
    scores: Mapping[str, Score], outputs: Array, y: Array, samples: Resamples
) -> dict[str, Array]:
    """Each score averaged over the replicas, (B,), by sample.

    outputs: (R, n) or (R, n, k), finite; y: (n,).
    """
    z, y = np.asarray(outputs, dtype=np.float64), np.asarray(y)
    ratios = {name: score for name, score in scores.items() if isinstance(score, Ratio) and not score.base}
    found = {name: _drawn(score, z, y, samples) for name, score in scores.items() if name not in ratios}
    for moments in {score.moments for score in ratios.values()}:
        alike = {name: score for name, score in ratios.items() if score.moments is moments}
        found |= _drawn_ratios(alike, moments(z, y), samples)
    return {name: found[name] for name in scores}


def _drawn_ratios(scores: Mapping[str, Ratio], moments: Array, samples: Resamples) -> dict[str, Array]:
    """Ratios of the same moments (M, R, n), averaged over the replicas, (B,), by sample."""
    found = {name: np.empty(len(samples.cases)) for name in scores}
    values = np.concatenate(np.asarray(moments, dtype=np.float64)).T  # (n, M R)
    step = max(1, AT_ONCE // values.shape[1])
    for start in range(0, len(samples.cases), step):
        rows = slice(start, start + step)
        cases, seeds = samples.cases[rows], samples.seeds[rows]
        means = cases.astype(np.float64) @ values / cases.sum(axis=1, keepdims=True)
        means = means.reshape(len(cases), len(moments), -1).swapaxes(0, 1)  # (M, b, R)
        for name, score in scores.items():
            found[name][rows] = (score.function(means) * seeds).sum(axis=1) / seeds.sum(axis=1)
    return found


def _drawn(score: Score, z: Array, y: Array, samples: Resamples) -> Array:
    """One score averaged over the replicas, (B,), by sample."""
    every = everyone(y)
    if isinstance(score, Share):
        return bootstrap_means(score.right(z, y), score.counted(y), samples)
    if isinstance(score, Mean):
        return bootstrap_means(score.values(z, y), every, samples)
    if isinstance(score, Ratio) and score.base:
        return score.of_base(bootstrap_means(score.base.values(z, y), every, samples), z, y)
    if isinstance(score, Quantile):
        return _quantiles(score.values(z, y), score.level, samples)
    if score.influence is None:
        return _areas(z, y == 1, samples)
    return _linear(score, z, y, samples)


def _linear(score: Ratio | Whole, z: Array, y: Array, samples: Resamples) -> Array:
    """The bootstrap (B,) of a score's first-order expansion in the cases, on the scale of the score."""
    assert score.influence is not None
    values = score.of(z, y)
    drawn = bootstrap_means(values[:, None] + score.influence(z, y), everyone(y), samples)
    scale, middle = scale_of(score), float(values.mean())
    if middle in (score.least, score.most):
        return drawn
    return np.asarray(scale.back(scale.to(middle) + scale.slope(middle) * (drawn - middle)))


def _quantiles(values: Array, level: float, samples: Resamples) -> Array:
    """Means (B,) of a quantile of values (R, n) over the drawn replicas: the first value that a share `level`
    of the drawn cases does not exceed."""
    total, wanted = np.zeros(len(samples.cases)), level * samples.cases.sum(axis=1)
    for row, counts in zip(values, samples.seeds.T, strict=True):
        order = np.argsort(row)
        reached = samples.cases[:, order].cumsum(axis=1) >= wanted[:, None]
        total += counts * row[order][reached.argmax(axis=1)]
    return np.asarray(total / samples.seeds.sum(axis=1))


def seeds_x_cases(
    scores: Mapping[str, Score],
    outputs: Array,
    y: Array,
    samples: Resamples,
    groups: Array | None = None,
    coverage: float = COVERAGE,
) -> dict[str, Band]:
    """The band of each score over R >= 2 replicas and n cases, by name.

    scores: as of `Task.scores`; outputs: (R, n) or (R, n, k), finite; y: (n,).

    groups: (n,) int, None where every case is its own; the samples are of whole groups then.

    The band over cases alone (`case_bands`) widens it in two places. A share with fewer than 10 errors,
    counted as the mean over replicas, gets the hull with Wilson's interval, because an error that was not
    seen is not resampled; of groups are counted as many errors as with one case from each. And no band is
    narrower than that of one replica over cases, because a single network does not average over replicas;
    the plain bootstrap of an AUC near 1 holds the truth in 80 of 100 studies only. Of shares and the AUC the
    bands hold at least 95; of losses they hold what `loss_band` says of the mean over seeds, 92 and more.
    """
    drawn = bootstrap_scores(scores, outputs, y, samples)
    bands = case_bands(scores, outputs, y, groups, coverage)
    return {name: _widened(drawn[name], cases, len(outputs)) for name, cases in bands.items()}


def share_band(correct: Array, samples: Resamples, groups: Array | None = None) -> Band:
    """The band of the share of correct cases, by the rule of `seeds_x_cases`. correct: (R, n) bool."""
    replicas, n = correct.shape
    means = bootstrap_means(correct, np.ones(n, dtype=bool), samples)
    return _widened(means, share_over_cases(correct, groups, COVERAGE), replicas)


def _widened(scores: Array, cases: Band, replicas: int) -> Band:
    """The band of bootstrapped scores (B,), widened by the band over cases alone where that rule says so."""
    tail = round((1 - cases.coverage) / 2, 12)  # .025, not .02500000000000002
    low, high = (float(end) for end in np.quantile(scores, [tail, 1 - tail]))
    kind, centre = "multi-bootstrap", cases.centres[0][1]
    few_errors = cases.kind == "wilson" and round((1 - centre) * (cases.groups or cases.n), 6) < FEW_ERRORS
    if few_errors or high - low < cases.high - cases.low:
        low, high, kind = min(low, cases.low), max(high, cases.high), f"{kind} and {cases.kind}"
    crossed = replace(cases, low=low, high=high, kind=kind, varied="seeds_x_cases")
    return replace(crossed, centres=(("mean", centre),), seeds=replicas, estimand=EXPECTED_OVER_SEEDS)


def bootstrap_means(values: Array, mask: Array, samples: Resamples) -> Array:
    """Means (B,) of values (R, n) over the drawn replicas and the drawn cases in the mask (n,) bool."""
    cases = samples.cases * mask
    sums = np.einsum("bn,bn->b", samples.seeds.astype(np.float64) @ values, cases)
    return np.asarray(sums / (samples.seeds.sum(axis=1) * cases.sum(axis=1)))


def _areas(z: Array, positive: Array, samples: Resamples) -> Array:
    """Means (B,) of the AUC over the drawn replicas. z: (R, n); positive: (n,) bool.

    The drawn negative cases below each drawn positive one are counted by running sums, ties half: n steps a
    replica and sample, where pairs would take n^2.
    """
    upper, lower = samples.cases[:, positive], samples.cases[:, ~positive]
    total, below = np.zeros(len(upper)), np.zeros((len(lower), lower.shape[1] + 1))
    for logits, counts in zip(z, samples.seeds.T, strict=True):
        negatives = logits[~positive]
        order = np.argsort(negatives)
        np.cumsum(lower[:, order], axis=1, out=below[:, 1:])
        first, last = (
            np.searchsorted(negatives[order], logits[positive], side) for side in ("left", "right")
        )
        total += counts * np.einsum("bn,bn->b", upper, below[:, first] + below[:, last]) / 2
    return np.asarray(total / (samples.seeds.sum(axis=1) * upper.sum(axis=1) * lower.sum(axis=1)))
