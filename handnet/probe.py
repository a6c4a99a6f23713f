"""A small fit whose digest tells one processor's arithmetic from another's.

Machines with equal digests give equal networks, losses and scores, to the bit. The compiled backend should
have the same digest everywhere. That of the numpy backend depends on the BLAS, which adds the terms of a
product of matrices in an order of its own on each kind of processor.
"""

import hashlib
from dataclasses import replace

import numpy as np

from handnet.contract import TO_THE_BIT, Backend, Recipe
from handnet.data import Array, Table
from handnet.draws import SIMULATION, generator
from handnet.mlp.replicas import train_replicas
from handnet.scores import grade
from handnet.tasks import task_of

RECIPE = Recipe(learning_rate=1e-2, epochs=10)
# The last batch is shorter, and so is the last group of replicas.
TRAIN, VAL, COLUMNS, REPLICAS = 85, 43, 30, 10
# A digest stays the same as long as these do, whatever other scores there are.
SCORES = ("log_loss", "accuracy", "sensitivity", "specificity", "auc", "brier")


def probe(backend: Backend, classes: int = 2) -> dict[str, Array]:
    """What a small fit on made-up rows gives: the arrays of the Fit, and outputs, predictions and scores on
    the validation rows. The first axis of each, (R, ...), is of 10 replicas.

    classes: how many are told apart, or 0 for a number: each task has kernels of its own.
    """
    task = task_of(classes)
    recipe = replace(RECIPE, outputs=task.outputs, loss=task.loss)
    numbers = generator(0, SIMULATION).random((TRAIN + VAL, COLUMNS)) * 4 - 2
    truths = _truths(numbers[:, :3].sum(axis=1), classes)
    train, val = Table(numbers[:TRAIN], truths[:TRAIN]), Table(numbers[TRAIN:], truths[TRAIN:])
    fit = train_replicas(backend, train, val, recipe, range(REPLICAS), threads=1)
    logits = backend.logits(fit.layers, val.X)
    weights = {
        f"{name}_{at}": part for at, layer in enumerate(fit.layers) for name, part in layer._asdict().items()
    }
    histories = {name: getattr(fit, name) for name in fit._fields[1:]}
    scores = {name: task.scores[name] for name in (SCORES if classes == 2 else task.simulated)}
    outputs = {"logits": logits, "probabilities": backend.predict(fit.layers, val.X, task.loss)}
    graded = grade(scores, logits, val.y)
    if classes == 2:
        graded["skill"] = 1 - graded["brier"] / val.y.astype(bool).var()
    return weights | histories | outputs | graded


def _truths(sums: Array, classes: int) -> Array:
    """Of rows with sums (n,) from -6 to 6: the class, as many on each side of 0, or the sum itself."""
    return np.floor((sums + 6) / 12 * classes).astype(int) if classes else sums


def arithmetic_digest(backend: Backend, classes: int = 2) -> str | None:
    """SHA-256 of the arrays (R, ...) of `probe`; None for a backend that keeps law 2 within a tolerance."""
    if backend.name not in TO_THE_BIT:
        return None
    parts = (np.ascontiguousarray(part).tobytes() for part in probe(backend, classes).values())
    return hashlib.sha256(b"".join(parts)).hexdigest()
