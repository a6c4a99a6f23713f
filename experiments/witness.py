"""The outside witness: the chapter's own Keras code, run over seeds, against the network by hand.

Nothing of handnet trains here but in the other column. Two samples of networks are compared on what the
chapter prints, by the two-sample Kolmogorov-Smirnov test (exact where SciPy can), Holm-corrected over the
quantities, at level .01. A test that never rejects proves nothing, so the same one, with as many witnesses,
is also asked about our network with dropout 0 and with a doubled learning rate: it has to reject both."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import ks_2samp

from handnet.contract import Recipe
from handnet.data import Array, Table
from handnet.scores import grade
from handnet.study.messages import Refusal
from handnet.study.units import Problem

LEVEL = 0.01
OURS = range(5000, 5300)  # our seeds: many, for they cost little, and none that a study uses
QUANTITIES = ("train loss", "validation loss", "validation accuracy")
Sample = Mapping[str, Array]  # quantity -> (networks,)


@dataclass(frozen=True)
class Comparison:
    """One of our settings against the witness: Holm-adjusted p by quantity, and whether any is below the
    level."""

    setting: str
    expected: str  # "agrees" or "differs"
    sample: Sample
    p: Mapping[str, float]

    @property
    def answer(self) -> str:
        """What the test says."""
        return "differs" if min(self.p.values()) < LEVEL else "agrees"


def as_printed(
    train: Table, val: Table, recipe: Recipe, seeds: Sequence[int], tick: Callable[[], None]
) -> Sample:
    """The chapter's code, once per seed: Sequential, compile, fit; its printed losses and accuracy after the
    last epoch. Raises Refusal when Keras cannot run here."""
    from handnet.mlp.engine import get_keras, start_keras

    try:
        start_keras()
    except ValueError as fault:
        raise Refusal(str(fault)) from None
    keras = get_keras()
    rows = []
    for seed in seeds:
        keras.utils.set_random_seed(seed)
        model = keras.Sequential(
            [
                keras.Input((train.X.shape[1],)),
                keras.layers.Dense(recipe.hidden[0], activation="relu"),
                keras.layers.Dropout(recipe.dropout),
                keras.layers.Dense(recipe.hidden[1], activation="relu"),
                keras.layers.Dense(1, activation="sigmoid"),
            ]
        )
        model.compile(
            optimizer=keras.optimizers.Adam(recipe.learning_rate),
            loss="binary_crossentropy",
            metrics=["accuracy"],
        )
        history = model.fit(
            train.X,
            train.y,
            epochs=recipe.epochs,
            batch_size=recipe.batch_size,
            validation_data=(val.X, val.y),
            verbose=0,
        ).history
        rows.append([history["loss"][-1], history["val_loss"][-1], history["val_accuracy"][-1]])
        keras.backend.clear_session()
        tick()
    train_loss, val_loss, accuracy = np.array(rows, dtype=np.float64).T
    # Keras prints a share rounded to float32; the count behind it is whole, and equal counts must tie.
    return dict(
        zip(QUANTITIES, (train_loss, val_loss, np.rint(accuracy * len(val.y)) / len(val.y)), strict=True)
    )


def by_hand(problem: Problem, recipe: Recipe, seeds: Sequence[int]) -> Sample:
    """The same quantities from the network by hand."""
    replicas = problem.fit(recipe, seeds)
    scores = grade(replicas.val_logits, problem.parts.val.y)
    values = (replicas.fit.train_loss[:, -1], replicas.fit.val_loss[:, -1], scores.accuracy)
    return dict(zip(QUANTITIES, values, strict=True))


def compare(problem: Problem, witness: Sample, recipe: Recipe) -> list[Comparison]:
    """Our recipe, and two that are wrong on purpose, each against the witness."""
    settings = [
        ("the same recipe", "agrees", recipe),
        ("dropout 0", "differs", replace(recipe, dropout=0.0)),
        ("learning rate doubled", "differs", replace(recipe, learning_rate=2 * recipe.learning_rate)),
    ]
    found = []
    for name, expected, ours in settings:
        sample = by_hand(problem, ours, OURS)
        p = {quantity: float(ks_2samp(witness[quantity], sample[quantity]).pvalue) for quantity in QUANTITIES}
        found.append(Comparison(name, expected, sample, holm(p)))
    return found


def holm(p: Mapping[str, float]) -> dict[str, float]:
    """Holm's adjustment (1979): the smallest p times m, the next times m - 1, ..., never decreasing, at most
    1."""
    adjusted, highest = {}, 0.0
    for rank, (name, value) in enumerate(sorted(p.items(), key=lambda item: item[1])):
        highest = max(highest, min(1.0, (len(p) - rank) * value))
        adjusted[name] = highest
    return adjusted
