"""Seeds are exchangeable: a block of consecutive ones is a sample like any other, so a band over it holds of
further seeds what it says."""

import numpy as np
import pytest
from samples import TWO
from scipy.stats import ansari, kruskal, ks_2samp, rankdata

from handnet import Recipe, load_backend
from handnet.draws import LARGEST_SEED, SIMULATION, generator
from handnet.mlp.replicas import train_replicas
from handnet.splits import Split

N, BLOCK = 400, 50
RECIPE = Recipe(learning_rate=0.00381599, dropout=0.381441, epochs=27)


def losses(parts: Split, seeds: list[int] | list[tuple[int, int, int]]) -> np.ndarray:
    """(N,) the validation log loss of the network of each seed, in their order."""
    backend = load_backend("compiled")
    fit = train_replicas(backend, parts.train, parts.val, RECIPE, seeds)
    return TWO.grade(backend.logits(fit.layers, parts.val.X), parts.val.y)["log_loss"]


def neighbours(values: np.ndarray, lag: int = 1) -> float:
    """The rank correlation of values that stand `lag` places apart, in their standard errors."""
    ranks = rankdata(values)
    return float(np.corrcoef(ranks[:-lag], ranks[lag:])[0, 1] * np.sqrt(len(values) - lag))


@pytest.fixture(scope="module")
def consecutive(parts: Split) -> np.ndarray:
    return losses(parts, list(range(1000, 1000 + N)))


def test_consecutive_seeds_score_like_scattered_ones(parts: Split, consecutive: np.ndarray) -> None:
    numbers = generator(0, SIMULATION)
    scattered = losses(parts, [int(seed) for seed in numbers.choice(LARGEST_SEED, N, replace=False)])
    assert ks_2samp(consecutive, scattered).pvalue > 0.001
    assert ansari(consecutive, scattered).pvalue > 0.001  # of their spread, which a band is made of


def test_neighbouring_seeds_have_nothing_in_common(consecutive: np.ndarray) -> None:
    assert max(abs(neighbours(consecutive, lag)) for lag in (1, 2, 8, 64)) < 4
    assert kruskal(*np.split(consecutive, N // BLOCK)).pvalue > 0.001
    deviations = np.abs(consecutive - np.median(consecutive))
    assert kruskal(*np.split(deviations, N // BLOCK)).pvalue > 0.001


def test_neighbours_that_share_a_stream_would_be_seen(parts: Split) -> None:
    """A planted fault: every two neighbours begin at the same weights."""
    assert neighbours(losses(parts, [(seed // 2, seed, seed) for seed in range(1000, 1000 + N)])) > 4
