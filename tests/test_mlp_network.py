"""The by-hand network against independent oracles: finite differences and scikit-learn's own network."""

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.neural_network import MLPClassifier
from sklearn.neural_network._stochastic_optimizers import AdamOptimizer
from threadpoolctl import threadpool_limits

from handnet import Fit, Layer, Recipe, Table, load_backend, seeded_plan
from handnet.draws import generator
from handnet.mlp.history import History, pack, unpack
from handnet.mlp.network import (
    adam,
    adam_start,
    backward,
    dropout_scale,
    forward,
    log_loss,
    log_loss_backward,
    mean_loss,
    mean_loss_backward,
    sigmoid,
)
from handnet.splits import Split

STEP, RATE = 1e-6, 0.2


def setting(parts: Split) -> tuple[tuple[Layer, ...], np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Weights of one network with random biases (zero biases sit on the kink of the relu), 32 rows with
    labels and weights, masks on."""
    plan = seeded_plan(Recipe(dropout=RATE), parts.train, [11])
    draws = generator(5, 0)
    layers = tuple(Layer(layer.weight, draws.normal(0, 0.3, layer.bias.shape)) for layer in plan.start())
    draw = next(plan.epochs())
    rows = draw.order[:, :32]
    return (
        layers,
        parts.train.X[rows],
        parts.train.y[rows],
        draws.exponential(size=rows.shape),
        dropout_scale(draw.keep[0][:, :32], RATE, np.dtype("f8")),
    )


def loss(
    weights: np.ndarray,
    like: tuple[Layer, ...],
    x: np.ndarray,
    y: np.ndarray,
    share: np.ndarray,
    scale: np.ndarray,
) -> np.ndarray:
    """(R,): the loss of R weight vectors on the same batch."""
    return np.average(log_loss(forward(unpack(weights, like), x, scale)[0], y), axis=1, weights=share[0])


def slope(
    layers: tuple[Layer, ...], x: np.ndarray, y: np.ndarray, share: np.ndarray, scale: np.ndarray
) -> np.ndarray:
    z, trace = forward(layers, x, scale)
    return pack(backward(layers, trace, mean_loss_backward(z, y, share), scale))[0]


def worst_error(
    claimed: np.ndarray, layers: tuple[Layer, ...], batch: tuple, directions: np.ndarray
) -> float:
    """Largest |v.g - central difference along v| over directions (D, P), relative to the largest |v.g|."""
    at = pack(layers)
    rise = loss(at + STEP * directions, layers, *batch) - loss(at - STEP * directions, layers, *batch)
    return float(np.abs(directions @ claimed - rise / (2 * STEP)).max() / np.abs(directions @ claimed).max())


def test_every_slope_is_the_measured_one(parts: Split) -> None:
    layers, *batch = setting(parts)
    claimed = slope(layers, *batch)
    assert claimed.shape == (641,)
    along = generator(0, 0).normal(size=(50, 641))
    assert worst_error(claimed, layers, batch, along) < 1e-8
    assert worst_error(claimed, layers, batch, np.eye(641)) < 1e-8  # each of the 641 by itself


@pytest.mark.parametrize("part", range(6))
def test_the_check_catches_a_fault_of_a_thousandth(parts: Split, part: int) -> None:
    layers, *batch = setting(parts)
    slopes = list(unpack(slope(layers, *batch)[None], layers))
    layer, field = divmod(part, 2)
    slopes[layer] = slopes[layer]._replace(**{("weight", "bias")[field]: slopes[layer][field] * 1.001})
    faulty = pack(tuple(slopes))[0]
    assert worst_error(faulty, layers, batch, generator(0, 0).normal(size=(50, 641))) > 1e-6


def test_a_forgotten_mask_is_caught(parts: Split) -> None:
    layers, *batch = setting(parts)
    z, trace = forward(layers, batch[0], batch[3])
    faulty = pack(backward(layers, trace, mean_loss_backward(z, *batch[1:3])))[0]
    assert worst_error(faulty, layers, batch, generator(0, 0).normal(size=(50, 641))) > 1e-2


def test_forgotten_weights_are_caught(parts: Split) -> None:
    layers, *batch = setting(parts)
    faulty = slope(layers, *batch[:2], np.ones((1, 32)), batch[3])
    assert worst_error(faulty, layers, batch, generator(0, 0).normal(size=(50, 641))) > 1e-2


def test_a_weighted_loss_is_numpys_average_and_without_weight_there_is_no_slope() -> None:
    draws = generator(12, 0)
    z, y, weight = draws.normal(size=(3, 7)), draws.integers(0, 2, (3, 7)), draws.exponential(size=(3, 7))
    assert np.allclose(
        mean_loss(z, y, weight), np.average(log_loss(z, y), axis=1, weights=weight), rtol=1e-14
    )
    assert np.array_equal(mean_loss(z, y, np.ones((3, 7))), log_loss(z, y).mean(axis=1))
    assert np.array_equal(mean_loss_backward(z, y, np.ones((3, 7))), log_loss_backward(z, y) / 7)
    weight[1] = 0
    assert np.array_equal(mean_loss_backward(z, y, weight)[1], np.zeros(7))


def test_adam_is_scikit_learns(parts: Split) -> None:
    draws = generator(1, 0)
    weights = draws.normal(size=(1, 20))
    theirs = weights[0].copy()
    oracle = AdamOptimizer([theirs], learning_rate_init=0.01, epsilon=1e-7)
    state = adam_start(weights)
    for scale in np.geomspace(1e-8, 10, 60):  # slopes near epsilon too, where the two forms of Adam part
        g = scale * draws.normal(size=(1, 20))
        weights, state = adam(weights, g, state, 0.01)
        oracle.update_params([theirs], [g[0].copy()])
        assert np.abs(weights[0] - theirs).max() < 1e-13


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_a_whole_training_is_scikit_learns(parts: Split, optimizer: str, weighted: bool) -> None:
    """Same first weights, same orders, no dropout: 30 epochs of MLPClassifier, step by step."""
    share = generator(6, 0).exponential(size=341) if weighted else np.ones(341)
    train = parts.train._replace(weight=share) if weighted else parts.train
    recipe = Recipe(
        dropout=0, epochs=30, optimizer=optimizer, learning_rate=2e-3 if optimizer == "adam" else 5e-2
    )
    plan = seeded_plan(recipe, train, [21])
    fit = load_backend("numpy", dtype="float64").fit(train, parts.val, recipe, plan)
    oracle = MLPClassifier(
        (16, 8), solver=optimizer, alpha=0, learning_rate_init=recipe.learning_rate, momentum=0, epsilon=1e-7
    )
    oracle.partial_fit(parts.train.X[:32], parts.train.y[:32], classes=[0, 1])
    for layer, weight, bias in zip(plan.start(), oracle.coefs_, oracle.intercepts_, strict=True):
        weight[:], bias[:] = layer.weight[0], layer.bias[0, 0]
    del oracle._optimizer
    for draw in plan.epochs():
        for low in range(0, 341, 32):
            rows = draw.order[0, low : low + 32]
            oracle.partial_fit(train.X[rows], train.y[rows], share[rows] if weighted else None)
    ours = load_backend("numpy", dtype="float64").predict(fit.layers, parts.val.X)[0]
    assert np.abs(ours - oracle.predict_proba(parts.val.X)[:, 1]).max() < 1e-9
    for layer, weight in zip(fit.layers, oracle.coefs_, strict=True):
        assert np.abs(layer.weight[0] - weight).max() < 1e-9


def test_histories_are_what_they_say(parts: Split) -> None:
    """train_loss is the mean over all visits, dropout on; the other two are means over all rows, dropout
    off; each with its own table's weights."""
    recipe = Recipe(learning_rate=1e-30, epochs=1)  # too small to move a weight: the start is also the end
    plan = seeded_plan(recipe, parts.train, [4])
    backend, draws = load_backend("numpy", dtype="float64"), generator(7, 0)
    train, val = (
        part._replace(weight=draws.exponential(size=len(part.y))) for part in (parts.train, parts.val)
    )
    fit = backend.fit(train, val, recipe, plan)
    draw = next(plan.epochs())
    scale = dropout_scale(draw.keep[0], recipe.dropout, np.dtype("f8"))
    z, _ = forward(plan.start(), train.X[draw.order], scale)
    visits = np.average(log_loss(z, train.y[draw.order]), weights=train.weight[draw.order])
    assert fit.train_loss[0, 0] == pytest.approx(visits, rel=1e-12)
    for part, history in ((train, fit.train_loss_off), (val, fit.val_loss)):
        p = backend.predict(fit.layers, part.X)[0]
        said = np.average(-np.log(np.where(part.y == 1, p, 1 - p)), weights=part.weight)
        assert history[0, 0] == pytest.approx(said, rel=1e-12)


def test_what_happens_after_patience_stopped_a_replica_is_unheard() -> None:
    """Planted losses, patience 2: the first replica stops at epoch 3 and blows up at 5, unheard; the second
    blows up at 1, while it is still heard, and is named for it although it recovers."""
    inf = np.inf
    val_loss = np.array([[3.0, 1.0, 2.0, 2.0, 0.5, inf], [3.0, inf, 2.0, 1.0, 1.0, 1.0]])
    history = History(np.zeros((2, 1)), Recipe(epochs=6, patience=2))
    for epoch, losses in enumerate(val_loss.T):
        history.record(epoch, np.ones(2), np.ones(2), losses, np.full((2, 1), float(epoch)))
    assert history.diverged_at.tolist() == [-1, 1]
    assert history.best_epoch.tolist() == [1, 3]
    assert history.weights[:, 0].tolist() == [1.0, 3.0]


def test_loss_and_sigmoid_never_overflow() -> None:
    with np.errstate(all="raise", under="ignore"):
        for dtype in (np.float32, np.float64):
            z = np.array([-1e4, -500, -80, -1, 0, 1, 80, 500, 1e4], dtype=dtype)
            assert log_loss(z, np.ones_like(z))[1] == 500
            assert log_loss(z, np.zeros_like(z))[-2] == 500
            assert ((sigmoid(z) >= 0) & (sigmoid(z) <= 1)).all()


def fingerprints(fit: Fit) -> list[str]:
    """A hash of all that is known of each replica."""
    parts = [part for layer in fit.layers for part in layer] + [np.asarray(part) for part in fit[1:]]
    return [
        hashlib.sha256(b"".join(part[place].tobytes() for part in parts)).hexdigest()
        for place in range(len(parts[0]))
    ]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_network_is_the_same_in_any_company(parts: Split, dtype: str) -> None:
    """Bit for bit: whatever trains beside it, in whatever order, on however many threads."""
    recipe, backend = Recipe(epochs=3), load_backend("numpy", dtype)
    alone = {}
    for threads, company in [(1, 1), (1, 2), (2, 3), (4, 8), (1, 17), (2, 64)]:
        seeds = np.roll(np.arange(company), company // 2)
        seeds[seeds == 0] = 100  # seed 5 is the one that is watched; it stands somewhere among the others
        seeds[-1] = 5 if 5 not in seeds else seeds[-1]
        with threadpool_limits(threads):
            fit = backend.fit(
                parts.train, parts.val, recipe, seeded_plan(recipe, parts.train, seeds.tolist())
            )
        for seed, print_ in zip(seeds.tolist(), fingerprints(fit), strict=True):
            assert alone.setdefault(seed, print_) == print_, (
                f"seed {seed} among {company} on {threads} threads"
            )
    assert len(set(alone.values())) == len(alone)


@given(st.integers(2, 70), st.integers(1, 9), st.integers(1, 12), st.integers(1, 6), st.integers(2, 9))
@settings(max_examples=25, deadline=None)
def test_nor_does_it_depend_on_the_shape(
    rows: int, features: int, first: int, second: int, company: int
) -> None:
    draws = generator(8, 0)
    train = Table(draws.normal(size=(rows, features)), np.arange(rows) % 2)
    recipe = Recipe(epochs=2, hidden=(first, second), batch_size=min(32, rows))
    backend = load_backend("numpy")
    whole, last = (
        fingerprints(backend.fit(train, train, recipe, seeded_plan(recipe, train, seeds)))
        for seeds in (range(company), [company - 1])
    )
    assert whole[-1] == last[0]
