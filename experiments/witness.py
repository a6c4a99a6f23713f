"""The outside witness: the chapter's own Keras code, run over seeds, against the network by hand.

Nothing of handnet trains here but in the other column. Two samples of networks are compared on what the
chapter prints, by the two-sample Kolmogorov-Smirnov test (exact where SciPy can), Holm-corrected over the
quantities, at level .01. A test that never rejects proves nothing, so the same one, with as many witnesses,
is also asked about our network with dropout 0 and with a doubled learning rate: it has to reject both."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from rich.table import Table
from scipy.stats import ks_2samp

from handnet.bands.seeds import HIGH, LOW
from handnet.command import Whole, command, option, run
from handnet.contract import Recipe
from handnet.data import Array
from handnet.data import Table as Rows
from handnet.messages import Refusal
from handnet.study.screen import Screen
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
    train: Rows, val: Rows, recipe: Recipe, seeds: Sequence[int], tick: Callable[[], None]
) -> Sample:
    """The chapter's code, once per seed: Sequential, compile, fit; its printed losses and accuracy after the
    last epoch. Raises Refusal when Keras cannot run here."""
    from handnet.mlp.engine import get_keras, start_keras

    try:
        start_keras()
    except ValueError as fault:
        raise Refusal(str(fault)) from None
    keras, rows = get_keras(), []
    for seed in seeds:
        keras.utils.set_random_seed(seed)
        model = _model(keras, train.X.shape[1], recipe)
        watched, batch = (val.X, val.y), recipe.batch_size
        history = model.fit(
            train.X, train.y, epochs=recipe.epochs, batch_size=batch, validation_data=watched, verbose=0
        ).history
        rows.append([history["loss"][-1], history["val_loss"][-1], history["val_accuracy"][-1]])
        keras.backend.clear_session()
        tick()
    train_loss, val_loss, accuracy = np.array(rows, dtype=np.float64).T
    # Keras prints a share rounded to float32; the count behind it is whole, and equal counts must tie.
    accuracy = np.rint(accuracy * len(val.y)) / len(val.y)
    return dict(zip(QUANTITIES, (train_loss, val_loss, accuracy), strict=True))


def _model(keras: Any, features: int, recipe: Recipe) -> Any:
    """The model as the chapter prints it."""
    model = keras.Sequential(
        [
            keras.Input((features,)),
            keras.layers.Dense(recipe.hidden[0], activation="relu"),
            keras.layers.Dropout(recipe.dropout),
            keras.layers.Dense(recipe.hidden[1], activation="relu"),
            keras.layers.Dense(1, activation="sigmoid"),
        ]
    )
    adam = keras.optimizers.Adam(recipe.learning_rate)
    model.compile(optimizer=adam, loss="binary_crossentropy", metrics=["accuracy"])
    return model


def by_hand(problem: Problem, recipe: Recipe, seeds: Sequence[int]) -> Sample:
    """The same quantities of the network by hand, one value a seed."""
    replicas = problem.fit(recipe, seeds)
    scores = problem.task.grade(replicas.val_logits, problem.parts.val.y)
    values = (replicas.fit.train_loss[:, -1], replicas.fit.val_loss[:, -1], scores["accuracy"])
    return dict(zip(QUANTITIES, values, strict=True))


def compare(problem: Problem, witness: Sample, recipe: Recipe) -> list[Comparison]:
    """Compare our recipe, and two recipes that are wrong on purpose, with the witness."""
    settings = [
        ("the same recipe", "agrees", recipe),
        ("dropout 0", "differs", replace(recipe, dropout=0.0)),
        ("learning rate doubled", "differs", replace(recipe, learning_rate=2 * recipe.learning_rate)),
    ]
    comparisons = []
    for name, expected, ours in settings:
        sample = by_hand(problem, ours, OURS)
        p = {quantity: float(ks_2samp(witness[quantity], sample[quantity]).pvalue) for quantity in QUANTITIES}
        comparisons.append(Comparison(name, expected, sample, holm(p)))
    return comparisons


def holm(p: Mapping[str, float]) -> dict[str, float]:
    """Holm's adjustment (1979): the smallest p times m, the next times m - 1, ..., never decreasing, at most
    1."""
    adjusted, highest = {}, 0.0
    for rank, (name, value) in enumerate(sorted(p.items(), key=lambda item: item[1])):
        highest = max(highest, min(1.0, (len(p) - rank) * value))
        adjusted[name] = highest
    return adjusted


def show(screen: Screen, printed: Sample, comparisons: Sequence[Comparison]) -> None:
    """Print the chapter's own code beside ours: quantiles, adjusted p, and what the test says."""
    grid = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in ("", "networks", "q.025", "median", "q.975", "Holm-adjusted p"):
        grid.add_column(heading, no_wrap=True)
    for quantity, values in printed.items():
        grid.add_row(f"{quantity}", style="bold")
        _add_row(grid, "as printed", values, "")
        for ours in comparisons:
            _add_row(grid, ours.setting, ours.sample[quantity], f"{ours.p[quantity]:.2g}")
    screen.out.print(grid)
    for ours in comparisons:
        surprise = "" if ours.answer == ours.expected else ", though it should not"
        smallest = f"smallest Holm-adjusted p {min(ours.p.values()):.2g}"
        screen.out.print(f"{ours.setting}: {ours.answer} ({smallest}){surprise}", markup=False)


def _add_row(grid: Table, name: str, values: Array, p: str) -> None:
    cells = (f"{value:.3f}" for value in np.quantile(values, [LOW, 0.5, HIGH]))
    grid.add_row(f"  {name}", str(len(values)), *cells, p)


@command("experiments.witness")
@option("--seeds", type=Whole(2), default="30", help="runs of the chapter's code (30)")
def witness(seeds: int, **_: Any) -> int:
    """The chapter's own Keras code over seeds, against the network by hand.

    Sequential, compile, fit, as printed, once per seed: minutes. KERAS_BACKEND=jax is the faster engine.
    """
    from handnet.study.identity import make_problem
    from handnet.study.reading import read

    problem, screen = make_problem(read({})), Screen()
    train, val = problem.parts.train, problem.parts.val
    with screen.progress("the chapter's code", seeds, 0) as bar:
        printed = as_printed(train, val, Recipe(), range(seeds), lambda: bar.advance(1, "seeds"))
    comparisons = compare(problem, printed, Recipe())
    show(screen, printed, comparisons)
    return 0 if all(ours.answer == ours.expected for ours in comparisons) else 1


if __name__ == "__main__":
    run(witness)
