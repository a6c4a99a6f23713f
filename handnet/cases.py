"""The cases that go wrong: how often over seeds, with what score, and what is unusual about them."""

import numpy as np
import pandas as pd
from scipy.special import expit

from handnet.bands.proportion import wilson
from handnet.bands.seeds import HIGH, LOW
from handnet.data import Array

EXTREMES = 3


def case_table(logits: Array, y: Array, case_ids: Array, scaled: Array, feature_names: tuple[str, ...]) -> pd.DataFrame:
    """One row per case, over the replicas whose logits are finite; the most often missed case first.

    logits: (R, n); y, case_ids: (n,); scaled: (n, features), in train deviations from the train mean.

    Columns: case, class (0 or 1), seeds (how many replicas were heard), misses (how many called it wrong),
    miss_share with miss_low and miss_high (Wilson's 95 % over seeds), self_consistency (the chance that two replicas
    call it alike, 1 - 2 B0 B1 / (B (B - 1)); Cooper et al. 2024), score_median, score_low, score_high (probability of class 1; quantiles .025 and .975 over
    seeds), always (missed by every seed), flips (missed by some), and extremes: its most unusual
    measurements with their distance from the train mean in train deviations.

    Raises ValueError when fewer than two replicas are finite.
    """
    sound = logits[np.isfinite(logits).all(axis=1)].astype(np.float64)
    seeds = len(sound)
    if seeds < 2:
        raise ValueError(f"the band of a case's score needs at least 2 finite replicas, but got {seeds}.")
    misses = ((sound > 0) != (y == 1)).sum(axis=0)
    score = expit(sound)
    shares = [wilson(float(count), seeds) for count in misses]
    low, median, high = np.quantile(score, [LOW, 0.5, HIGH], axis=0)
    table = pd.DataFrame(
        {
            "case": case_ids,
            "class": y.astype(int),
            "seeds": seeds,
            "misses": misses,
            "miss_share": misses / seeds,
            "miss_low": [band.low for band in shares],
            "miss_high": [band.high for band in shares],
            "self_consistency": 1 - 2 * misses * (seeds - misses) / (seeds * (seeds - 1)),
            "score_median": median,
            "score_low": low,
            "score_high": high,
            "always": misses == seeds,
            "flips": (misses > 0) & (misses < seeds),
            "extremes": [_extremes(row, feature_names) for row in scaled],
        }
    )
    return table.sort_values(["misses", "case"], ascending=[False, True], kind="stable", ignore_index=True)


def _extremes(row: Array, feature_names: tuple[str, ...]) -> str:
    order = np.argsort(-np.abs(row), kind="stable")[:EXTREMES]
    return ", ".join(f"{feature_names[column]} {row[column]:+.1f} sd" for column in order)
