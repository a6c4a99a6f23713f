"""What is said of the training itself: the gap, overfitting, the curves of the losses."""

from dataclasses import dataclass

import numpy as np

from handnet.bands import seed_bands
from handnet.bands.seeds import HIGH, LOW
from handnet.data import Array
from handnet.scores import gap, returned
from handnet.study.networks import Replicas, mask_diverged
from handnet.study.quantity import Quantity, finite
from handnet.study.units import Confirmed, Problem

CURVES = ("train_loss", "train_loss_off", "val_loss")
CURVE_POINTS = 30  # as many steps of a curve as a chart of it can show


def gap_quantities(replicas: Replicas, test_loss: Array | None = None) -> list[Quantity]:
    """The gaps of the loss, over seeds; empty when fewer than two replicas are sound.

    test_loss: (R,) on the opened test, None while it is sealed. Its gap is not flattered by the choice of the
    configuration, as those on validation rows are."""
    if replicas.sound.sum() < 2:
        return []
    losses = gap(replicas.fit)._asdict()
    if test_loss is not None:
        losses["gap_test"] = test_gap(replicas, test_loss)
    gaps = {name: np.where(replicas.sound, values, np.nan) for name, values in losses.items()}
    return [Quantity(name, "gap", tuple(seed_bands(values))) for name, values in gaps.items()]


def test_gap(replicas: Replicas, test_loss: Array) -> Array:
    """Test loss minus train loss, both as models predict, (R,), at the epoch whose weights are returned.

    test_loss: (R,)."""
    return test_loss - returned(replicas.fit.train_loss_off, replicas.fit)


@dataclass(frozen=True)
class Overfit:
    """Train against validation accuracy, of a number R2, per seed.

    flagged: how many of `seeds` are at least .03, and a tenth of their validation score, better on train
    rows (rule SKD001 of skore).
    """

    gap: Quantity
    flagged: int
    seeds: int


def overfit(configuration: Confirmed, problem: Problem) -> Overfit | None:
    """The gap of accuracy or R2, over seeds; None for a baseline, or with fewer than two sound replicas."""
    replicas = configuration.replicas
    if replicas is None or not configuration.has_seed_bands:
        return None
    grade, name = problem.task.grade, "accuracy" if problem.task.classes else "r2"
    train = replicas.train_score
    if train is None:
        rows = problem.parts.train
        train_logits = problem.outputs(replicas.fit.layers, rows.X)
        train = grade(mask_diverged(replicas, train_logits), rows.y)[name]
    val = grade(mask_diverged(replicas, replicas.val_logits), problem.parts.val.y)[name]
    flagged = int((train - val >= np.maximum(0.03, 0.1 * val)).sum())
    gap_of_score = Quantity(f"gap_{name}", "gap", tuple(seed_bands(train - val)))
    return Overfit(gap_of_score, flagged, int(replicas.sound.sum()))


def curves(replicas: Replicas) -> dict[str, Array]:
    """Each curve of CURVES, (R, epochs)."""
    return {name: getattr(replicas.fit, name) for name in CURVES}


def curve_epochs(epochs: int) -> Array:
    """The epochs a curve is logged at, counted from 1: all of a short run, evenly spread over a long one."""
    return np.unique(np.linspace(1, epochs, min(epochs, CURVE_POINTS)).round().astype(int))


def curve_band(values: Array) -> dict[str, Array]:
    """Mean and quantiles .025 and .975 over the replicas that are finite throughout; (epochs,) each.

    values: (R, epochs). NaN throughout when fewer than two replicas are finite.
    """
    sound = finite(values)
    if len(sound) < 2:
        return dict.fromkeys(("mean", "low", "high"), np.full(values.shape[1], np.nan))
    low, high = np.quantile(sound, [LOW, HIGH], axis=0)
    return {"mean": sound.mean(axis=0), "low": low, "high": high}
