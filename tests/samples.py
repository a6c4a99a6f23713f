"""Labels and logits the tests of bands and scores are made with."""

import numpy as np
from scipy.stats import norm

from handnet.draws import generator
from handnet.tasks import task_of

Z = norm.ppf(0.975)
TWO = task_of(2)

SPLIT = 114 / 341  # n_test / n_train of the book's division


def labels(positives: int, negatives: int) -> np.ndarray:
    return np.repeat([1, 0], [positives, negatives])


def table(seed: int, replicas: int, y: np.ndarray, lean: float = 1.0, coarse: bool = False) -> np.ndarray:
    """(R, n) logits that lean the right way by `lean` and differ between replicas; coarse ones have ties and
    zeros."""
    draws = generator(seed, 0)
    cases = lean * (2 * y - 1) + draws.normal(0, 1.5, len(y))
    logits = cases + draws.normal(0, 1, (replicas, len(y)))
    return np.round(logits) if coarse else logits


def standard_error(values: np.ndarray) -> np.ndarray:
    return np.std(values, axis=0, ddof=1) / np.sqrt(len(values))
