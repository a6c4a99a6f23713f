"""Scores from logits, one per replica, in float64 and from the logit itself, so that nothing saturates."""

from typing import NamedTuple

import numpy as np
from scipy.stats import rankdata

from handnet.contract import Fit
from handnet.data import Array
from handnet.mlp.network import log_loss, sigmoid


class Scores(NamedTuple):
    """One number per replica, each (R,). A replica whose logits are not finite scores NaN throughout.

    A case is called positive when its probability exceeds .5.
    """

    log_loss: Array  # mean negative log likelihood, nats per case
    accuracy: Array  # share of cases called right
    sensitivity: Array  # share of positive cases called positive
    specificity: Array  # share of negative cases called negative
    auc: Array  # chance that a positive case outscores a negative one, ties half (Mann-Whitney U / n+ n-)
    brier: Array  # mean squared distance of the probability from the label (Brier 1950)
    skill: Array  # 1 - brier / brier of the prevalence: 1 is perfect, 0 knows only the share of positives


def grade(logits: Array, y: Array) -> Scores:
    """Scores of R replicas on n cases. logits: (R, n); y: (n,) of 0 and 1.

    Raises ValueError when the shapes do not fit or a class is missing.
    """
    z = np.asarray(logits, dtype=np.float64)
    positive = np.asarray(y).astype(bool)
    if z.ndim != 2 or z.shape[1:] != positive.shape:
        raise ValueError(
            f"logits must be (R, n) with n = {len(positive)} labels, but their shape is {z.shape}."
        )
    if positive.all() or not positive.any():
        raise ValueError("both classes must be among the cases to be graded, but only one is.")
    finite = np.asarray(np.isfinite(z).all(axis=1))
    z = np.where(finite[:, None], z, 0)
    correct: Array = np.equal(z > 0, positive)
    brier = np.square(sigmoid(z) - positive).mean(axis=1)
    scores = Scores(
        log_loss=case_losses(z, positive).mean(axis=1),
        accuracy=correct.mean(axis=1),
        sensitivity=correct[:, positive].mean(axis=1),
        specificity=correct[:, ~positive].mean(axis=1),
        auc=_auc(z, positive),
        brier=brier,
        skill=1 - brier / positive.var(),
    )
    return Scores(*(np.where(finite, score, np.nan) for score in scores))


def case_losses(logits: Array, y: Array) -> Array:
    """The negative log likelihood (R, n) of each case, in nats. logits: (R, n); y: (n,) of 0 and 1."""
    return log_loss(logits, y)


def _auc(z: Array, positive: Array) -> Array:
    """The area under the ROC curve of each replica, (R,), by rank sums. z: (R, n); positive: (n,) bool."""
    n_positive, n_negative = positive.sum(), (~positive).sum()
    rank_sum = rankdata(z, axis=1)[:, positive].sum(axis=1)
    return (rank_sum - n_positive * (n_positive + 1) / 2) / (n_positive * n_negative)


class Gap(NamedTuple):
    """Validation loss minus train loss of each replica, (R,) nats, at the epoch whose weights it returned."""

    gap: Array  # val_loss - train_loss_off: dropout off in both
    gap_keras: Array  # val_loss - train_loss, as Keras's progress lines show them: dropout on in the second


def gap(fit: Fit) -> Gap:
    """Both gaps of a fit of R replicas, each (R,)."""
    losses = (fit.train_loss, fit.train_loss_off, fit.val_loss)
    train, train_off, val = (returned(curve, fit) for curve in losses)
    return Gap(val - train_off, val - train)


def returned(curve: Array, fit: Fit) -> Array:
    """(R,) the values of a curve (R, epochs) of a fit at the epochs whose weights it returned."""
    epochs = np.where(fit.best_epoch < 0, curve.shape[1] - 1, fit.best_epoch)
    return np.asarray(curve[np.arange(len(epochs)), epochs])
