"""Logits to scores, one per replica. Everything is computed from the logit, in float64, so nothing
saturates."""

from typing import NamedTuple

import numpy as np
from scipy.special import expit
from scipy.stats import rankdata

from handnet.contract import Fit
from handnet.data import Array


class Scores(NamedTuple):
    """One number per replica, each (R,). A replica whose logits are not finite scores NaN throughout."""

    log_loss: Array  # mean negative log likelihood, nats per case
    accuracy: Array  # share of cases called right; a case is called positive when its probability exceeds .5
    sensitivity: Array  # share of positive cases called positive
    specificity: Array  # share of negative cases called negative
    # chance that a positive case outscores a negative one, ties count half (Mann-Whitney U / n+ n-)
    auc: Array
    brier: Array  # mean squared distance of the probability from the label
    # 1 - brier / brier of the cases' own prevalence: 1 is perfect, 0 is knowing only how many are positive
    skill: Array


def grade(logits: Array, y: Array) -> Scores:
    """Scores of R replicas on n cases. logits: (R, n); y: (n,) of 0 and 1, both present, else ValueError."""
    z = np.asarray(logits, dtype=np.float64)
    positive = np.asarray(y).astype(bool)
    if z.ndim != 2 or z.shape[1:] != positive.shape:
        raise ValueError(
            f"logits must be (R, n) with n = {len(positive)} labels, but their shape is {z.shape}."
        )
    if positive.all() or not positive.any():
        raise ValueError("both classes must be among the cases to be graded, but only one is.")
    sound = np.asarray(np.isfinite(z).all(axis=1))
    z = np.where(sound[:, None], z, 0)
    right: Array = np.equal(z > 0, positive)
    brier = np.square(expit(z) - positive).mean(axis=1)
    scores = Scores(
        log_loss=case_losses(z, positive).mean(axis=1),
        accuracy=right.mean(axis=1),
        sensitivity=right[:, positive].mean(axis=1),
        specificity=right[:, ~positive].mean(axis=1),
        auc=_auc(z, positive),
        brier=brier,
        skill=1 - brier / positive.var(),
    )
    return Scores(*(np.where(sound, score, np.nan) for score in scores))


def case_losses(logits: Array, y: Array) -> Array:
    """(R, n): the negative log likelihood of each case, in nats, stably from the logit."""
    z = np.asarray(logits, dtype=np.float64)
    return np.asarray(np.logaddexp(0, z) - y * z)


def _auc(z: Array, positive: Array) -> Array:
    n_positive, n_negative = positive.sum(), (~positive).sum()
    rank_sum = rankdata(z, axis=1)[:, positive].sum(axis=1)
    return (rank_sum - n_positive * (n_positive + 1) / 2) / (n_positive * n_negative)


class Gap(NamedTuple):
    """How much worse a replica does on rows it did not train on, each (R,), at the epoch it returned."""

    gap: Array  # val_loss - train_loss_off: dropout off on both sides
    gap_keras: (
        Array  # val_loss - train_loss: what is read off Keras's progress lines, dropout on in the second
    )


def gap(fit: Fit) -> Gap:
    """Both gaps of a fit."""
    epochs = fit.val_loss.shape[1]
    at = np.where(fit.best_epoch < 0, epochs - 1, fit.best_epoch)
    train, train_off, val = (
        loss[np.arange(len(at)), at] for loss in (fit.train_loss, fit.train_loss_off, fit.val_loss)
    )
    return Gap(val - train_off, val - train)
