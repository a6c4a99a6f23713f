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


# The tables of statistics worked out elsewhere, to twelve digits, by the formulas of their data.
_I = np.arange(30)
MANY_Y = (7 * _I + _I // 5) % 3
LOGITS = np.array(  # (2 models, 4 seeds, 30, 3)
    [
        [
            2 * np.sin(1.3 * _I[:, None] + 2.1 * np.arange(3) + 0.7 * seed + 0.4 * model)
            + 1.5 * np.eye(3)[MANY_Y]
            for seed in range(4)
        ]
        for model in range(2)
    ]
)
_J = np.arange(24)
NUMBER_Y = 3 + 2 * np.cos(0.9 * _J) + 0.1 * _J


def guesses(model: int) -> np.ndarray:
    """(4, 24) guesses of NUMBER_Y by four seeds of one of two models."""
    seeds = np.arange(4)[:, None]
    wave = 0.6 * np.sin(2.2 * _J + seeds + 0.5 * model)
    return NUMBER_Y + wave + 0.15 * (-1.0) ** _J * (1 + model)


def standard_error(values: np.ndarray) -> np.ndarray:
    return np.std(values, axis=0, ddof=1) / np.sqrt(len(values))
