"""The by-hand network against independent oracles: finite differences and scikit-learn's own network."""

import hashlib
from typing import Any, NamedTuple

import numpy as np
import pytest
import scipy.special
from contract import TASKS, of_task
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.neural_network._stochastic_optimizers import AdamOptimizer
from threadpoolctl import threadpool_limits

from handnet import Fit, Layer, Recipe, Table, load_backend, seeded_plan
from handnet.draws import generator
from handnet.mlp.history import History, pack, unpack
from handnet.mlp.network import (
    EXITS,
    adam,
    adam_start,
    backward,
    cross_entropy,
    cross_entropy_backward,
    dropout_scale,
    forward,
    log_loss,
    log_loss_backward,
    mean_loss,
    mean_loss_backward,
    sigmoid,
    softmax,
    squared_error,
)
from handnet.splits import Split

STEP, RATE = 1e-6, 0.2
TASK = pytest.mark.parametrize("task", TASKS)


class Batch(NamedTuple):
    """32 rows of one network."""

    recipe: Recipe
    x: np.ndarray  # (1, 32, 30)
    y: np.ndarray  # (1, 32)
    share: np.ndarray  # (1, 32)
    scale: np.ndarray | None  # (1, 32, 16)

    def losses(self, weights: np.ndarray, like: tuple[Layer, ...]) -> np.ndarray:
        """(R,): the loss of R weight vectors."""
        z = forward(unpack(weights, like), self.x, self.scale)[0]
        return np.average(EXITS[self.recipe.exit].loss(z, self.y), axis=1, weights=self.share[0])

    def slope(self, layers: tuple[Layer, ...], scale: np.ndarray | None) -> np.ndarray:
        """(P,): by the chain rule; scale: the factor of dropout that the backward pass is told."""
        z, trace = forward(layers, self.x, self.scale)
        error = mean_loss_backward(EXITS[self.recipe.exit].backward(z, self.y), self.share)
        return pack(backward(layers, trace, error, scale))[0]


def setting(parts: Split, task: str) -> tuple[tuple[Layer, ...], Batch]:
    """Weights of one network with random biases (zero biases sit on the kink of the relu), and rows with
    truths and weights, masks on."""
    recipe, train = Recipe(dropout=RATE, **TASKS[task]), of_task(task, parts).train
    plan = seeded_plan(recipe, train, [11])
    draws = generator(5, 0)
    layers = tuple(Layer(layer.weight, draws.normal(0, 0.3, layer.bias.shape)) for layer in plan.start())
    draw = next(plan.epochs())
    rows = draw.order[:, :32]
    scale = dropout_scale(draw.keep[0][:, :32], RATE, np.dtype("f8"))
    return layers, Batch(recipe, train.X[rows], train.y[rows], draws.exponential(size=rows.shape), scale)


def worst_error(
    claimed: np.ndarray, layers: tuple[Layer, ...], batch: Batch, directions: np.ndarray
) -> float:
    """Largest |v.g - central difference along v| over directions (D, P), relative to the largest |v.g|."""
    at = pack(layers)
    rise = batch.losses(at + STEP * directions, layers) - batch.losses(at - STEP * directions, layers)
    return float(np.abs(directions @ claimed - rise / (2 * STEP)).max() / np.abs(directions @ claimed).max())


def along(layers: tuple[Layer, ...]) -> np.ndarray:
    """50 directions (50, P)."""
    return generator(0, 0).normal(size=(50, pack(layers).shape[1]))


@TASK
def test_every_slope_is_the_measured_one(parts: Split, task: str) -> None:
    layers, batch = setting(parts, task)
    claimed = batch.slope(layers, batch.scale)
    assert claimed.shape == (659 if task == "many classes" else 641,)
    assert worst_error(claimed, layers, batch, along(layers)) < 1e-8
    assert worst_error(claimed, layers, batch, np.eye(len(claimed))) < 1e-8  # each weight by itself


@pytest.mark.parametrize("part", range(6))
@TASK
def test_the_check_catches_a_fault_of_a_thousandth(parts: Split, task: str, part: int) -> None:
    layers, batch = setting(parts, task)
    slopes = list(unpack(batch.slope(layers, batch.scale)[None], layers))
    layer, field = divmod(part, 2)
    slopes[layer] = slopes[layer]._replace(**{("weight", "bias")[field]: slopes[layer][field] * 1.001})
    assert worst_error(pack(tuple(slopes))[0], layers, batch, along(layers)) > 1e-6


@TASK
def test_a_forgotten_mask_is_caught(parts: Split, task: str) -> None:
    layers, batch = setting(parts, task)
    assert worst_error(batch.slope(layers, None), layers, batch, along(layers)) > 1e-2


@TASK
def test_forgotten_weights_are_caught(parts: Split, task: str) -> None:
    layers, batch = setting(parts, task)
    faulty = batch._replace(share=np.ones((1, 32))).slope(layers, batch.scale)
    assert worst_error(faulty, layers, batch, along(layers)) > 1e-2


def test_a_weighted_loss_is_numpys_average_and_without_weight_there_is_no_slope() -> None:
    draws = generator(12, 0)
    losses, weight = draws.exponential(size=(2, 3, 7))
    assert np.allclose(mean_loss(losses, weight), np.average(losses, axis=1, weights=weight), rtol=1e-14)
    assert np.array_equal(mean_loss(losses, np.ones((3, 7))), losses.mean(axis=1))
    weight[1] = 0
    for slope in (draws.normal(size=(3, 7)), draws.normal(size=(3, 7, 4))):
        assert np.array_equal(mean_loss_backward(slope, np.ones((3, 7))), slope / 7)
        found = mean_loss_backward(slope, weight)
        assert not found[1].any()
        assert np.allclose(found[2].T, slope[2].T * weight[2] / weight[2].sum())


LOGITS = arrays(np.float64, (2, 3, 5), elements=st.floats(-300, 300))
CLASSES = arrays(np.int8, (2, 3), elements=st.integers(0, 4))


@given(LOGITS, CLASSES, st.floats(-1e6, 1e6))
def test_a_shift_of_all_logits_changes_nothing(z: np.ndarray, y: np.ndarray, shift: float) -> None:
    size = 1e-15 * (abs(shift) + 600)
    assert np.allclose(softmax(z + shift), softmax(z), rtol=0, atol=size)
    assert np.allclose(cross_entropy(z + shift, y), cross_entropy(z, y), rtol=1e-15, atol=2 * size)


@given(arrays(np.float64, (2, 9), elements=st.floats(-2000, 2000)), st.data())
def test_two_logits_of_which_one_is_0_are_the_sigmoid(z: np.ndarray, data: st.DataObject) -> None:
    """But for roundings."""
    y = data.draw(arrays(np.int8, (2, 9), elements=st.integers(0, 1)))
    both = np.stack([np.zeros_like(z), z], axis=-1)
    assert np.allclose(cross_entropy(both, y), log_loss(z, y), rtol=1e-15, atol=3e-16)
    assert np.allclose(softmax(both)[..., 1], sigmoid(z), rtol=1e-15, atol=2e-35)
    slopes = cross_entropy_backward(both, y)
    assert np.allclose(slopes[..., 1], log_loss_backward(z, y), rtol=1e-15, atol=2e-16)
    assert np.allclose(slopes[..., 0], -slopes[..., 1], rtol=1e-15, atol=2e-16)


@given(LOGITS, CLASSES)
def test_softmax_and_its_loss_are_scipys(z: np.ndarray, y: np.ndarray) -> None:
    assert np.allclose(softmax(z), scipy.special.softmax(z, axis=-1), rtol=1e-14, atol=0)
    told = np.take_along_axis(scipy.special.log_softmax(z, axis=-1), y[..., None].astype(int), axis=-1)
    assert np.allclose(cross_entropy(z, y), -told[..., 0], rtol=1e-14, atol=1e-15)


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


def trained_by_scikit_learn(train: Table, recipe: Recipe) -> Any:
    """Its network of one seed: same first weights, same orders, step by step. No dropout, float64."""
    plan, k = seeded_plan(recipe, train, [21]), recipe.outputs
    how = {"solver": recipe.optimizer, "learning_rate_init": recipe.learning_rate, "epsilon": 1e-7}
    if recipe.exit == "identity":
        oracle, more = MLPRegressor(hidden_layer_sizes=recipe.hidden, alpha=0, momentum=0, **how), {}
    else:
        oracle = MLPClassifier(recipe.hidden, alpha=0, momentum=0, **how)
        more = {"classes": range(max(k, 2))}
    oracle.partial_fit(train.X[:32], train.y[:32], **more)
    for layer, weight, bias in zip(plan.start(), oracle.coefs_, oracle.intercepts_, strict=True):
        weight[:], bias[:] = layer.weight[0], layer.bias[0, 0]
    del oracle._optimizer
    for draw in plan.epochs():
        for low in range(0, len(train.y), recipe.batch_size):
            rows = draw.order[0, low : low + recipe.batch_size]
            share = None if train.weight is None else train.weight[rows]
            # Its penalty alpha w^2 / 2, over the weight of the batch, is weight decay in plain descent alone.
            oracle.alpha = recipe.weight_decay * (len(rows) if share is None else share.sum())
            oracle.partial_fit(train.X[rows], train.y[rows], sample_weight=share)
    return oracle


# Every pair for two classes; for each other task one without weights of rows and one with them; weight decay.
TRAININGS = [
    *(("two classes", optimizer, weighted, 0) for optimizer in ("adam", "sgd") for weighted in (False, True)),
    *((task, *how, 0) for task in list(TASKS)[1:] for how in (("adam", True), ("sgd", False))),
    ("two classes", "sgd", True, 0.02),
]


@pytest.mark.parametrize(("task", "optimizer", "weighted", "decay"), TRAININGS)
def test_a_whole_training_is_scikit_learns(
    parts: Split, task: str, optimizer: str, weighted: bool, decay: float
) -> None:
    """All 550 steps of 50 epochs: 11 batches of 341 rows each."""
    given = of_task(task, parts)
    share = generator(6, 0).exponential(size=341) if weighted else None
    train, rate = given.train._replace(weight=share), 2e-3 if optimizer == "adam" else 5e-2
    recipe = Recipe(rate, dropout=0, optimizer=optimizer, weight_decay=decay, **TASKS[task])
    backend = load_backend("numpy", dtype="float64")
    fit = backend.fit(train, given.val, recipe, seeded_plan(recipe, train, [21]))
    oracle = trained_by_scikit_learn(train, recipe)
    ours = backend.predict(fit.layers, parts.val.X, recipe.loss)[0]
    if task == "a number":
        theirs = oracle.predict(parts.val.X)
    else:
        theirs = oracle.predict_proba(parts.val.X)[:, 1 if task == "two classes" else slice(None)]
    assert np.abs(ours - theirs).max() < 1e-9
    for layer, weight in zip(fit.layers, oracle.coefs_, strict=True):
        assert np.abs(layer.weight[0] - weight).max() < 1e-9
    assert fit.train_loss[0, -1] < fit.train_loss[0, 0] / 2  # else there was little to compare


@TASK
def test_histories_are_what_they_say(parts: Split, task: str) -> None:
    """train_loss is the mean over all visits, dropout on; the other two are means over all rows, dropout
    off; each with its own table's weights."""
    # Too small a rate to move a weight: the start is also the end.
    recipe, given = Recipe(learning_rate=1e-30, epochs=1, **TASKS[task]), of_task(task, parts)
    plan = seeded_plan(recipe, parts.train, [4])
    backend, draws = load_backend("numpy", dtype="float64"), generator(7, 0)
    train, val = (
        part._replace(weight=draws.exponential(size=len(part.y))) for part in (given.train, given.val)
    )
    fit = backend.fit(train, val, recipe, plan)
    draw = next(plan.epochs())
    scale = dropout_scale(draw.keep[0], recipe.dropout, np.dtype("f8"))
    z, _ = forward(plan.start(), train.X[draw.order], scale)
    losses = EXITS[recipe.exit].loss(z, train.y[draw.order])
    visits = np.average(losses, weights=train.weight[draw.order])
    assert fit.train_loss[0, 0] == pytest.approx(visits, rel=1e-12)
    for part, history in ((train, fit.train_loss_off), (val, fit.val_loss)):
        p = backend.predict(fit.layers, part.X, recipe.loss)[0]
        if task == "a number":
            losses = (p - part.y) ** 2 / 2
        else:
            told = np.where(part.y == 1, p, 1 - p) if p.ndim == 1 else p[np.arange(len(p)), part.y]
            losses = -np.log(told)
        assert history[0, 0] == pytest.approx(np.average(losses, weights=part.weight), rel=1e-12)


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


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_losses_and_probabilities_never_overflow(dtype: str) -> None:
    with np.errstate(all="raise", under="ignore"):
        z = np.array([-1e30, -1e4, -500, -80, -1, 0, 1, 80, 500, 1e4, 1e30], dtype=dtype)
        assert log_loss(z, np.ones_like(z))[2] == 500
        assert log_loss(z, np.zeros_like(z))[-3] == 500
        assert ((sigmoid(z) >= 0) & (sigmoid(z) <= 1)).all()
        assert squared_error(z, np.ones_like(z))[1] == 10_001**2 / 2
        many = z[:, None] * np.array([1, -1, 0, 0.5], dtype)
        for label in range(4):
            assert np.isfinite(cross_entropy(many, np.full(11, label))).all()
        assert cross_entropy(many, np.ones(11))[-2] == 20_000
        p = softmax(many)
        assert p.dtype == dtype
        assert ((p >= 0) & (p <= 1)).all()
        assert np.allclose(p.sum(axis=-1), 1)


def test_a_gap_among_the_logits_is_told_and_stays_in_its_row() -> None:
    z = np.zeros((1, 3, 50))
    z[0, 1, 7], z[0, 2, 49] = np.nan, 1e30
    assert np.isnan(softmax(z)).any(axis=-1).tolist() == [[False, True, False]]
    assert np.isnan(cross_entropy(z, np.zeros((1, 3)))).tolist() == [[False, True, False]]
    assert cross_entropy(z, np.full((1, 3), 49))[0, [0, 2]].tolist() == [np.log(50), 0]
    assert np.isnan(squared_error(z[..., 7], 0)).tolist() == [[False, True, False]]


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
