"""The headline band: an interval for the score expected over all seeds and all cases (Sellam et al. 2022).

Replicas and cases are resampled together, cases within each class, and the score is averaged over the drawn
replicas; the band is the quantiles .025 and .975 of these averages.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from handnet.bands.auc import placed
from handnet.bands.band import EXPECTED_OVER_SEEDS, Band, possible
from handnet.bands.cases import case_bands, share_over_cases
from handnet.bands.seeds import HIGH, LOW
from handnet.data import Array
from handnet.draws import Resamples
from handnet.scores import Mean, Quantile, Ratio, Score, Share, Whole, everyone

COVERAGE = HIGH - LOW
MANY_CASES = 1000  # above, sums are taken in the order that takes less memory and time
MANY_OF_A_CLASS = 100  # of so many an area under a curve is as good as its first-order expansion
AT_ONCE = 2 * 10**6  # means taken at a time, for the sake of memory
FEW_ERRORS = 10  # with fewer errors than these the bootstrap of a share is too coarse to stand alone


def bootstrap_scores(
    scores: Mapping[str, Score], outputs: Array, y: Array, samples: Resamples
) -> dict[str, Array]:
    """Each score averaged over the drawn replicas, (B,), by sample; of a sample of one replica its own score.

    outputs: (R, n) or (R, n, k), finite; y: (n,).
    """
    z, y = np.asarray(outputs, dtype=np.float64), np.asarray(y)
    found = _of_many_cases(scores, z, y, samples) if len(y) > MANY_CASES else {}
    left = {name: score for name, score in scores.items() if name not in found}
    shares = {name: score for name, score in left.items() if isinstance(score, Share)}
    ratios = {name: score for name, score in left.items() if isinstance(score, Ratio) and not score.base}
    for right in {score.right for score in shares.values()}:  # which calls are right is found out once
        correct = _over_seeds(right(z, y), samples)
        for name, score in shares.items():
            if score.right is right:
                found[name] = _over_cases(correct, score.counted(y), samples)
    for moments in {score.moments for score in ratios.values()}:
        alike = {name: score for name, score in ratios.items() if score.moments is moments}
        found |= _drawn_ratios(alike, moments(z, y), samples)
    others = scores.keys() - found.keys()
    return {name: _drawn(scores[name], z, y, samples) if name in others else found[name] for name in scores}


def _of_many_cases(scores: Mapping[str, Score], z: Array, y: Array, samples: Resamples) -> dict[str, Array]:
    """The scores that are means over cases, or so to first order, (B,) by name, in one product of matrices.

    The area under a curve is its first-order expansion where each class has at least 100 cases.
    """
    every, means = everyone(y), dict[str, tuple[Array, Array]]()
    for name, score in scores.items():
        if isinstance(score, Share):
            means[name] = score.right(z, y), score.counted(y)
        elif isinstance(score, Mean):
            means[name] = score.values(z, y), every
        elif isinstance(score, Ratio) and score.base:
            means[name] = score.base.values(z, y), every
        elif isinstance(score, Whole) and score.influence is not None:
            means[name] = score.of(z, y)[:, None] + score.influence(z, y), every
        elif isinstance(score, Whole) and min((y == 1).sum(), (y != 1).sum()) >= MANY_OF_A_CLASS:
            means[name] = score.of(z, y)[:, None] + placed(z, y == 1), every
    found = _means(means, samples)
    for name, drawn in found.items():
        score = scores[name]
        if isinstance(score, Ratio):
            found[name] = score.of_base(drawn, z, y)
        elif isinstance(score, Whole):
            found[name] = np.clip(drawn, score.least, score.most)
    return found


def _means(values: Mapping[str, tuple[Array, Array]], samples: Resamples) -> dict[str, Array]:
    """The means (B,) of several values (R, n) over the drawn replicas and the drawn cases in the mask (n,) of
    each, by name. Cases are summed first, which keeps (B, R) sums of each in place of (B, n)."""
    found = {name: np.empty(len(samples.cases)) for name in values}
    if not values:
        return found
    columns = np.concatenate([of * mask for of, mask in values.values()]).T  # (n, M R)
    masks: Array = np.stack([mask for _, mask in values.values()]).T.astype(np.float64)
    step = max(1, AT_ONCE // columns.shape[1])
    for start in range(0, len(samples.cases), step):
        rows = slice(start, start + step)
        cases, seeds = np.asarray(samples.cases[rows], np.float64), samples.seeds[rows]
        sums = (cases @ columns).reshape(len(cases), len(values), -1)
        totals = (cases @ masks) * seeds.sum(axis=1, keepdims=True)
        with np.errstate(invalid="ignore"):  # a sample of groups may lack a class
            means = np.einsum("bmr,br->bm", sums, seeds) / totals
        for place, of in enumerate(found.values()):
            of[rows] = means[:, place]
    return found


def _drawn_ratios(scores: Mapping[str, Ratio], moments: Array, samples: Resamples) -> dict[str, Array]:
    """Ratios of the same moments (M, R, n), averaged over the replicas, (B,), by sample."""
    found = {name: np.empty(len(samples.cases)) for name in scores}
    exact = np.float32 if moments.dtype == bool else np.float64  # counts below 2^24 lose nothing in float32
    values: Array = np.concatenate(moments).astype(exact).T  # (n, M R)
    step = max(1, AT_ONCE // values.shape[1])
    for start in range(0, len(samples.cases), step):
        rows = slice(start, start + step)
        cases, seeds = samples.cases[rows], samples.seeds[rows]
        sums = (np.asarray(cases, exact) @ values).astype(np.float64)
        means = sums / cases.sum(axis=1, keepdims=True)
        means = means.reshape(len(cases), len(moments), -1).swapaxes(0, 1)  # (M, b, R)
        for name, score in scores.items():
            found[name][rows] = (score.function(means) * seeds).sum(axis=1) / seeds.sum(axis=1)
    return found


def _drawn(score: Score, z: Array, y: Array, samples: Resamples) -> Array:
    """One score averaged over the replicas, (B,), by sample."""
    every = everyone(y)
    if isinstance(score, Mean):
        return bootstrap_means(score.values(z, y), every, samples)
    if isinstance(score, Ratio) and score.base:
        return score.of_base(bootstrap_means(score.base.values(z, y), every, samples), z, y)
    if isinstance(score, Quantile):
        return _quantiles(score.values(z, y), score.level, samples)
    assert isinstance(score, Whole)  # the others are drawn together
    if score.influence is None:
        return _areas(z, y == 1, samples)
    return _linear(score, z, y, samples)


def _linear(score: Whole, z: Array, y: Array, samples: Resamples) -> Array:
    """The bootstrap (B,) of a score's first-order expansion in the cases."""
    assert score.influence is not None
    drawn = bootstrap_means(score.of(z, y)[:, None] + score.influence(z, y), everyone(y), samples)
    return np.clip(drawn, score.least, score.most)


def _quantiles(values: Array, level: float, samples: Resamples) -> Array:
    """Means (B,) of a quantile of values (R, n) over the drawn replicas: the first value that a share `level`
    of the drawn cases does not exceed."""
    total, wanted = np.zeros(len(samples.cases)), level * samples.cases.sum(axis=1)
    for row, counts in zip(values, samples.seeds.T, strict=True):
        drawn, order = counts > 0, np.argsort(row)
        reached = samples.cases[drawn][:, order].cumsum(axis=1) >= wanted[drawn, None]
        total[drawn] += counts[drawn] * row[order][reached.argmax(axis=1)]
    return np.asarray(total / samples.seeds.sum(axis=1))


def seeds_x_cases(
    scores: Mapping[str, Score],
    outputs: Array,
    y: Array,
    samples: Resamples,
    groups: Array | None = None,
    coverage: float = COVERAGE,
    alone: Mapping[str, Band] | None = None,
) -> dict[str, Band]:
    """The band of each score over R >= 2 replicas and n cases, by name.

    scores: as of `Task.scores`; outputs: (R, n) or (R, n, k), finite; y: (n,).

    groups: (n,) int, None where every case is its own; the samples are of whole groups then. alone: what
    `case_bands` gives for these arguments, where the caller has it.

    The band over cases alone (`case_bands`) widens it in two places. A share with fewer than 10 errors,
    counted as the mean over replicas, gets the hull with Wilson's interval, because an error that was not
    seen is not resampled; of groups are counted as many errors as with one case from each. And no band is
    narrower than that of one replica over cases, because a single network does not average over replicas;
    the plain bootstrap of an AUC near 1 holds the truth in 80 of 100 studies only. Of shares and the AUC the
    bands hold at least 95; of losses they hold what `loss_band` says of the mean over seeds, 92 and more.
    """
    drawn = bootstrap_scores(scores, outputs, y, samples)
    bands = alone or case_bands(scores, outputs, y, groups, coverage)
    widened = {name: _widened(drawn[name], cases, len(outputs)) for name, cases in bands.items()}
    return {name: possible(scores[name], band) for name, band in widened.items()}


def share_band(correct: Array, samples: Resamples, groups: Array | None = None) -> Band:
    """The band of the share of correct cases, by the rule of `seeds_x_cases`. correct: (R, n) bool."""
    replicas, n = correct.shape
    means = bootstrap_means(correct, np.ones(n, dtype=bool), samples)
    return _widened(means, share_over_cases(correct, groups, COVERAGE), replicas)


def _widened(scores: Array, cases: Band, replicas: int) -> Band:
    """The band of bootstrapped scores (B,), widened by the band over cases alone where that rule says so."""
    tail = round((1 - cases.coverage) / 2, 12)  # .025, not .02500000000000002
    scores = scores[np.isfinite(scores)]  # a sample that lacks a class, or holds one case alone, has none
    low, high = (float(end) for end in np.quantile(scores, [tail, 1 - tail]))
    kind, centre = "multi-bootstrap", cases.centres[0][1]
    few_errors = cases.kind == "wilson" and round((1 - centre) * (cases.groups or cases.n), 6) < FEW_ERRORS
    if few_errors or high - low < cases.high - cases.low:
        low, high, kind = min(low, cases.low), max(high, cases.high), f"{kind} and {cases.kind}"
    crossed = replace(cases, low=low, high=high, kind=kind, varied="seeds_x_cases")
    return replace(crossed, centres=(("mean", centre),), seeds=replicas, estimand=EXPECTED_OVER_SEEDS)


def bootstrap_means(values: Array, mask: Array, samples: Resamples) -> Array:
    """Means (B,) of values (R, n) over the drawn replicas and the drawn cases in the mask (n,) bool."""
    if values.shape[1] > MANY_CASES:
        return _means({"": (values, mask)}, samples)[""]
    return _over_cases(_over_seeds(values, samples), mask, samples)


def _over_seeds(values: Array, samples: Resamples) -> Array:
    """The sums (B, n) of values (R, n) over the drawn replicas."""
    return np.asarray(samples.seeds.astype(np.float64) @ values)


def _over_cases(sums: Array, mask: Array, samples: Resamples) -> Array:
    """The means (B,) of what `_over_seeds` gives, over the drawn cases in the mask (n,) bool; NaN of none, as
    in a sample of groups that lacks a class."""
    cases = samples.cases * mask
    sums = np.einsum("bn,bn->b", sums, cases)
    with np.errstate(invalid="ignore"):
        return np.asarray(sums / (samples.seeds.sum(axis=1) * cases.sum(axis=1)))


def _areas(z: Array, positive: Array, samples: Resamples) -> Array:
    """Means (B,) of the AUC over the drawn replicas. z: (R, n); positive: (n,) bool.

    The drawn negative cases below each drawn positive one are counted by running sums, ties half: n steps a
    replica and sample, where pairs would take n^2.
    """
    upper, lower = samples.cases[:, positive], samples.cases[:, ~positive]
    total = np.zeros(len(upper))
    for logits, counts in zip(z, samples.seeds.T, strict=True):
        drawn, negatives = counts > 0, logits[~positive]
        order = np.argsort(negatives)
        below = np.zeros((int(drawn.sum()), len(negatives) + 1))
        np.cumsum(lower[drawn][:, order], axis=1, out=below[:, 1:])
        first, last = (
            np.searchsorted(negatives[order], logits[positive], side) for side in ("left", "right")
        )
        under = np.einsum("bn,bn->b", upper[drawn], below[:, first] + below[:, last])
        total[drawn] += counts[drawn] * under / 2
    return np.asarray(total / (samples.seeds.sum(axis=1) * upper.sum(axis=1) * lower.sum(axis=1)))
