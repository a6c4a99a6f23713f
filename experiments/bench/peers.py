"""What others would train the same networks with, for `make bench`: the chapter's own Keras code,
scikit-learn's MLPClassifier, and JAX as somebody who knows it would write it. A peer that is not installed is
named, not needed."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

from handnet.contract import Recipe
from handnet.data import Array, Table

Trainer = Callable[[int], Array]  # how many networks -> the last validation loss of each


def keras_fit(train: Table, val: Table, recipe: Recipe) -> Trainer:
    """The chapter's code, one network after the other. Raises ValueError without Keras."""
    from experiments.witness import QUANTITIES, as_printed
    from handnet.mlp.engine import start_keras

    start_keras()
    return lambda networks: np.asarray(
        as_printed(train, val, recipe, range(networks), lambda: None)[QUANTITIES[1]]
    )


def mlp_classifier(train: Table, val: Table, recipe: Recipe) -> Trainer:
    """scikit-learn's own small network, one after the other. It has no dropout, and keeps no validation
    loss."""
    import warnings

    from sklearn.metrics import log_loss
    from sklearn.neural_network import MLPClassifier

    def network(seed: int) -> float:
        model = MLPClassifier(
            recipe.hidden,
            alpha=0,
            batch_size=recipe.batch_size,
            learning_rate_init=recipe.learning_rate,
            max_iter=recipe.epochs,
            n_iter_no_change=recipe.epochs,
            tol=0,
            random_state=seed,
        )
        return float(log_loss(val.y, model.fit(train.X, train.y).predict_proba(val.X)))

    def networks(count: int) -> Array:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # "the optimizer hasn't converged": it was told how long to train
            return np.array([network(seed) for seed in range(count)])

    return networks


def jax_vmap(train: Table, val: Table, recipe: Recipe) -> Trainer:
    """JAX: vmap over networks, scan over epochs and batches, one compilation for each number of networks.

    The same Adam, dropout, short last batch and losses after every epoch; draws are JAX's. Raises ImportError
    without JAX.
    """
    import jax
    import jax.numpy as jnp

    widths, epoch = (train.X.shape[1], *recipe.hidden, 1), _jax_epoch(train, val, recipe)

    def network(key: Any) -> Any:
        init, draws = jax.random.split(key)
        keys, glorot = jax.random.split(init, len(widths) - 1), jax.nn.initializers.glorot_uniform()
        shapes = zip(keys, pairwise(widths), strict=True)
        weights = [(glorot(layer, shape), jnp.zeros(shape[1])) for layer, shape in shapes]
        nothing = jax.tree.map(jnp.zeros_like, weights)
        state = (weights, nothing, nothing, 0.0)
        return jax.lax.scan(epoch, state, jax.random.split(draws, recipe.epochs))[1]

    trained = jax.jit(jax.vmap(network))

    def networks(count: int) -> Array:
        return np.asarray(trained(jax.random.split(jax.random.key(count), count))[2])[:, -1]

    return networks


def _jax_epoch(train: Table, val: Table, recipe: Recipe) -> Callable[[Any, Any], Any]:
    """One epoch of one network: (state, key) -> state and its three losses, as scan wants it."""
    import jax
    import jax.numpy as jnp

    X, y, X_val, y_val = (jnp.asarray(part, jnp.float32) for part in (train.X, train.y, val.X, val.y))
    n, size, keep = len(train.y), min(recipe.batch_size, len(train.y)), 1 - recipe.dropout
    full = n // size * size  # rows in batches that are not cut short

    def step(state: Any, rows: Any, mask: Any) -> Any:
        state, loss = _jax_adam(state, X[rows], y[rows], mask, recipe.learning_rate)
        return state, loss * len(rows)

    def epoch(state: Any, key: Any) -> Any:
        orders, masks = jax.random.split(key)
        order = jax.random.permutation(orders, n)
        mask = jax.random.bernoulli(masks, keep, (n, recipe.hidden[0])) / keep
        batches = order[:full].reshape(-1, size), mask[:full].reshape(n // size, size, -1)
        state, losses = jax.lax.scan(lambda before, batch: step(before, *batch), state, batches)
        state, last = step(state, order[full:], mask[full:]) if n % size else (state, 0.0)
        after = (_jax_loss(state[0], *rows) for rows in ((X, y), (X_val, y_val)))
        return state, ((losses.sum() + last) / n, *after)

    return epoch


def _jax_adam(state: Any, X: Any, y: Any, mask: Any, rate: float) -> Any:
    """One step of Adam in Keras's form. Returns the new state (weights, m, v, t) and the batch's loss."""
    import jax
    import jax.numpy as jnp

    weights, m, v, t = state
    loss, slope = jax.value_and_grad(_jax_loss)(weights, X, y, mask)
    t = t + 1
    alpha = rate * jnp.sqrt(1 - 0.999**t) / (1 - 0.9**t)
    m = jax.tree.map(lambda a, g: a + (g - a) * 0.1, m, slope)
    v = jax.tree.map(lambda a, g: a + (g * g - a) * 0.001, v, slope)
    weights = jax.tree.map(lambda w, a, b: w - alpha * a / (jnp.sqrt(b) + 1e-7), weights, m, v)
    return (weights, m, v, t), loss


def _jax_loss(weights: Any, X: Any, y: Any, mask: Any = None) -> Any:
    """The mean log loss of rows X (n, features); mask (n, units): of dropout, or None."""
    import jax
    import jax.numpy as jnp

    for depth, (w, b) in enumerate(weights[:-1]):
        X = jax.nn.relu(X @ w + b)
        X = X * mask if depth == 0 and mask is not None else X
    z = (X @ weights[-1][0] + weights[-1][1])[:, 0]
    return jnp.mean(jnp.logaddexp(0, z) - y * z)


PEERS: dict[str, Callable[[Table, Table, Recipe], Trainer]] = {
    "Keras model.fit": keras_fit,
    "MLPClassifier": mlp_classifier,
    "JAX vmap, scan, jit": jax_vmap,
}


def available(train: Table, val: Table, recipe: Recipe) -> tuple[dict[str, Trainer], dict[str, str]]:
    """The peers that can run here, and for each of the others the reason why it cannot."""
    peers, absent = {}, {}
    for name, make in PEERS.items():
        try:
            peers[name] = make(train, val, recipe)
        except Exception as fault:  # whatever an installation that is not whole raises
            absent[name] = f"{type(fault).__name__}: {fault}".splitlines()[0]
    return peers, absent
