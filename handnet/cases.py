"""The cases that go wrong: how often over seeds, with what score, and what is unusual about them."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.special import expit
from scipy.stats import norm

from handnet.bands.proportion import wilson_ends
from handnet.bands.seeds import HIGH, LOW
from handnet.data import Array, Dataset
from handnet.encode import VALUE
from handnet.splits import Split

EXTREMES = 3


def case_table(logits: Array, y: Array, case_ids: Array, unusual: Sequence[str]) -> pd.DataFrame:
    """One row per case, over the replicas whose logits are finite; the most often missed case first.

    logits: (R, n); y, case_ids: (n,); unusual: (n,), as `unusual` says it.

    Columns: case, class (0 or 1), seeds (how many replicas were heard), misses (how many called it wrong),
    miss_share with miss_low and miss_high (Wilson's 95 % over seeds), self_consistency (the chance that two replicas
    call it alike, 1 - 2 B0 B1 / (B (B - 1)); Cooper et al. 2024), score_median, score_low, score_high (probability of class 1; quantiles .025 and .975 over
    seeds), always (missed by every seed), flips (missed by some), and extremes: what is unusual about it.

    Raises ValueError when fewer than two replicas are finite.
    """
    sound = logits[np.isfinite(logits).all(axis=1)].astype(np.float64)
    seeds = len(sound)
    if seeds < 2:
        raise ValueError(f"the band of a case's score needs at least 2 finite replicas, but got {seeds}.")
    misses = ((sound > 0) != (y == 1)).sum(axis=0)
    score = expit(sound)
    share_low, share_high = wilson_ends(misses / seeds, seeds)
    low, median, high = np.quantile(score, [LOW, 0.5, HIGH], axis=0)
    table = pd.DataFrame(
        {
            "case": case_ids,
            "class": y.astype(int),
            "seeds": seeds,
            "misses": misses,
            "miss_share": misses / seeds,
            "miss_low": share_low,
            "miss_high": share_high,
            "self_consistency": 1 - 2 * misses * (seeds - misses) / (seeds * (seeds - 1)),
            "score_median": median,
            "score_low": low,
            "score_high": high,
            "always": misses == seeds,
            "flips": (misses > 0) & (misses < seeds),
            "extremes": list(unusual),
        }
    )
    return table.sort_values(["misses", "case"], ascending=[False, True], kind="stable", ignore_index=True)


def unusual(data: Dataset, parts: Split, rows: Array) -> list[str]:
    """The most unusual measurements of each of these rows (n,): of a number its distance from the train mean in train
    deviations, of a text or a gap the share of the train rows that have it too. A share stands where a number as rare would."""
    X, train, encode = data.X[rows], data.X[parts.train_rows], parts.encoder
    numbers, far, shares = encode.kind == VALUE, np.zeros(X.shape), np.full(X.shape, np.nan)
    far[:, encode.source[numbers]] = parts.scaled(X)[:, numbers]
    used = set(encode.source.tolist())
    for column in used:
        gap = np.isnan(X[:, column])
        shares[gap, column] = np.isnan(train[:, column]).mean()
        if data.feature_names[column] in data.levels:
            levels, places = np.unique(X[~gap, column], return_inverse=True)
            shares[~gap, column] = (train[:, [column]] == levels).mean(axis=0)[places]
    told = ~np.isnan(shares)
    far[told] = norm.isf(shares[told] / 2)
    order = np.argsort(-np.abs(far), axis=1, kind="stable")[:, :EXTREMES]
    return [", ".join(_said(data, x[at], z[at], share[at], at) for at in found if at in used)
            for x, z, share, found in zip(X, far, shares, order, strict=True)]  # fmt: skip


def _said(data: Dataset, value: float, far: float, share: float, column: int) -> str:
    """One measurement of a case."""
    name = data.feature_names[column]
    if np.isnan(share):
        return f"{name} {far:+.1f} sd"
    what = "missing" if np.isnan(value) else data.levels[name][int(value)]
    return f"{name} {what} ({share:.0%} of train)"
