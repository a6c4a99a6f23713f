"""The scores of calls and probabilities of classes.

Outputs are logits: (R, n) of two classes, (R, n, k) of k >= 3. y is (n,), classes from 0.
"""

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from scipy.special import log_softmax
from scipy.stats import rankdata

from handnet.data import Array
from handnet.mlp.network import sigmoid, softmax
from handnet.scores import (
    Mean,
    OfCalls,
    PerCase,
    Ratio,
    Score,
    Share,
    Whole,
    called,
    case_losses,
    everyone,
    of_class,
    right,
)

# Probabilities


def brier(outputs: Array, y: Array) -> Array:
    """The squared distance (R, n) of the probability of class 1 from the label (Brier 1950)."""
    return np.square(sigmoid(outputs) - y)


def brier_of_many(outputs: Array, y: Array) -> Array:
    """The squared distance (R, n) of the k probabilities from the label, summed over the classes, 0 to 2."""
    return np.asarray(np.square(softmax(outputs) - _one_hot(y, outputs.shape[-1])).sum(axis=-1))


def _skill(means: Array) -> Array:
    """1 - Brier score / that of the prevalence, from the means of both (2, ...)."""
    loss, prevalence = means
    return 1 - loss / (prevalence * (1 - prevalence))


def _skill_of_many(means: Array) -> Array:
    """1 - Brier score / that of the class shares, from means (1 + k, ...) of the loss and the labels."""
    return np.asarray(1 - means[0] / (means[1:] * (1 - means[1:])).sum(axis=0))


def _with_labels(values: PerCase) -> PerCase:
    """Moments (2, R, n): a number per case, and the labels."""
    return lambda z, y: np.stack([values(z, y), np.broadcast_to(y.astype(np.float64), z.shape)])


def _with_classes(z: Array, y: Array) -> Array:
    """Moments (1 + k, R, n): the Brier score of each case, and whether it is of each class."""
    labels = _one_hot(y, z.shape[-1]).T[:, None].astype(np.float64)
    return np.concatenate([brier_of_many(z, y)[None], np.broadcast_to(labels, (z.shape[-1], *z.shape[:2]))])


def _one_hot(y: Array, classes: int) -> Array:
    """(n, k) bool: which class each case is of."""
    return np.equal(y[:, None], np.arange(classes))


# Areas under ROC curves


def _areas(z: Array, y: Array) -> Array:
    """The area under the ROC curve of each replica, (R,), by rank sums (Mann-Whitney U / n+ n-).

    It is the chance that a positive case outscores a negative one, ties half. z: (R, n); y: (n,).
    """
    positive = y == 1
    n_positive, n_negative = positive.sum(), (~positive).sum()
    rank_sum = rankdata(z, axis=1)[:, positive].sum(axis=1)
    return (rank_sum - n_positive * (n_positive + 1) / 2) / (n_positive * n_negative)


def side_placements(z: Array, upper: Array, lower: Array) -> tuple[Array, Array]:
    """The placements (R, n+) of the upper cases and (R, n-) of the lower ones, by ranks (Sun & Xu 2014).

    They are the shares of the other side that score on the right side of a case, ties half.
    z: (R, n); upper, lower: places (n+,), (n-,).
    """
    up, down = z[:, upper], z[:, lower]
    ranks = rankdata(np.concatenate([up, down], axis=1), axis=1)
    above = (ranks[:, : len(upper)] - rankdata(up, axis=1)) / len(lower)
    below = 1 - (ranks[:, len(upper) :] - rankdata(down, axis=1)) / len(upper)
    return above, below


def _against_rest(classes: int, y: Array) -> list[tuple[int, Array, Array]]:
    """Each class with its cases and all the others."""
    return [(label, np.flatnonzero(y == label), np.flatnonzero(y != label)) for label in range(classes)]


def _against_each(classes: int, y: Array) -> list[tuple[int, Array, Array]]:
    """Each class with its cases and those of one other, in all k (k - 1) ways."""
    places = [np.flatnonzero(y == label) for label in range(classes)]
    return [(a, places[a], places[b]) for a in range(classes) for b in range(classes) if a != b]


Sides = Callable[[int, Array], list[tuple[int, Array, Array]]]


def _mean_area(sides: Sides) -> PerCase:
    """The mean (R,) of the areas under the curves of these sides, each by the probability of its class."""

    def mean_area(z: Array, y: Array) -> Array:
        p = log_softmax(z, axis=-1)
        areas = []
        for label, *two in sides(z.shape[-1], y):
            upper, lower = two
            areas.append(
                _areas(p[:, np.concatenate(two), label], np.repeat([1, 0], [len(upper), len(lower)]))
            )
        return np.asarray(np.mean(areas, axis=0))

    return mean_area


def _area_influence(sides: Sides) -> PerCase:
    """How each case moves that mean (R, n): its placements less their mean, over the share of its side."""

    def influence(z: Array, y: Array) -> Array:
        p, moved, pairs = log_softmax(z, axis=-1), np.zeros(z.shape[:2]), sides(z.shape[-1], y)
        for label, *two in pairs:
            for side, placed in zip(two, side_placements(p[..., label], *two), strict=True):
                moved[:, side] += (placed - placed.mean(axis=1, keepdims=True)) * len(y) / len(side)
        return moved / len(pairs)

    return influence


def _average_precision(z: Array, y: Array) -> Array:
    """The precision at each positive case, among the cases that score no lower, averaged over them, (R,)."""
    return np.asarray(_precisions(z, y)[1].mean(axis=1))


def _average_precision_influence(z: Array, y: Array) -> Array:
    """How each case moves it (R, n): by its own precision, and by being among those that score no lower than
    other positive cases."""
    places, precision, found = _precisions(z, y)
    mean, share = precision.mean(axis=1, keepdims=True), np.mean(y == 1)
    # of a positive case p_i = t / f; one more case that scores as high adds (1 - p) / f or -p / f to it
    gain, loss = (1 - precision) / found, -precision / found
    moved = np.empty(z.shape)
    for row, (logits, place) in enumerate(zip(z, places, strict=True)):
        order = np.argsort(place)
        sums = np.zeros((2, len(place) + 1))
        np.cumsum(np.stack([gain[row], loss[row]])[:, order], axis=1, out=sums[:, 1:])
        below = np.searchsorted(place[order], logits, side="right")  # positive cases that score no higher
        moved[row] = np.where(y == 1, sums[0, below], sums[1, below]) / share
    moved[:, y == 1] += (precision - mean) / share
    return np.asarray(moved - moved.mean(axis=1, keepdims=True))


def _precisions(z: Array, y: Array) -> tuple[Array, Array, Array]:
    """Of the positive cases: their logits, the precision among the cases that score no lower, and how many
    those are, each (R, n+). z: (R, n)."""
    up = z[:, y == 1]
    no_lower, own = (
        (z.shape[1] + 1 - rankdata(z, method="min", axis=1))[:, y == 1],
        up.shape[1] + 1 - rankdata(up, method="min", axis=1),
    )
    return up, own / no_lower, no_lower


# Functions of the table of calls


@lru_cache
def calls(classes: int) -> PerCase:
    """Moments (3 k, R, n), bool: for each class whether the case is of it and called so, is called so, is of
    it."""

    def moments(z: Array, y: Array) -> Array:
        said = called(z)[None] == np.arange(classes)[:, None, None]
        true = np.broadcast_to(_one_hot(y, classes).T[:, None], said.shape)
        return np.concatenate([said & true, said, true])

    return moments


def _parts(means: Array) -> Array:
    """The shares of cases that are of a class and called so, called so, of it: (3, k, ...)."""
    return means.reshape(3, -1, *means.shape[1:])


def _over(part: Array, whole: Array) -> Array:
    """part / whole, 0 where there is nothing to divide by, as scikit-learn has it."""
    nothing = whole == 0
    return np.asarray(np.where(nothing, 0, part / np.where(nothing, 1, whole)))


def _precision(name: str, label: int, classes: int) -> OfCalls:
    """The share of right calls among those of a class; 0 of a network that never calls it."""

    def precision(means: Array) -> Array:
        hit, said, _ = _parts(means)
        return _over(hit[label], said[label])

    return OfCalls(name, calls(classes), precision, among=lambda z, _: called(z) == label, main=False)


def _balanced(means: Array) -> Array:
    """The mean recall of the classes."""
    hit, _, true = _parts(means)
    return np.asarray(_over(hit, true).mean(axis=0))


def _macro_f1(means: Array) -> Array:
    """The mean over the classes of 2 hits / (calls + cases), the harmonic mean of recall and precision."""
    hit, said, true = _parts(means)
    return np.asarray(_over(2 * hit, said + true).mean(axis=0))


def _f1(means: Array) -> Array:
    """The same of class 1 alone."""
    hit, said, true = _parts(means)
    return _over(2 * hit[1], said[1] + true[1])


def _matthews(means: Array) -> Array:
    """Matthews' correlation of calls and classes, by Gorodkin (2004); 0 where all calls are of one class."""
    hit, said, true = _parts(means)
    spread = (1 - np.square(said).sum(axis=0)) * (1 - np.square(true).sum(axis=0))
    return _over(hit.sum(axis=0) - (said * true).sum(axis=0), np.sqrt(spread))


def _kappa(means: Array) -> Array:
    """Cohen's kappa (1960): (accuracy - chance) / (1 - chance), chance that of random calls as frequent."""
    hit, said, true = _parts(means)
    chance = (said * true).sum(axis=0)
    return _over(hit.sum(axis=0) - chance, 1 - chance)


@lru_cache
def many_classes(classes: int) -> tuple[Score, ...]:
    """The scores of k >= 3 classes. `top_2` up to 9 classes, `top_3` of more, is the share of cases whose
    class is among so many with the highest logits."""
    table, loss = calls(classes), Mean("brier", brier_of_many, most=2.0)
    first = 2 if classes < 10 else 3
    return (
        Mean("log_loss", case_losses),
        Share("accuracy", right, everyone),
        OfCalls("balanced_accuracy", table, _balanced),
        OfCalls("macro_f1", table, _macro_f1),
        # one class against the rest by its probability, averaged over the classes
        Whole("auc", _mean_area(_against_rest), _area_influence(_against_rest)),
        loss,
        Ratio("skill", _with_classes, _skill_of_many, least=-np.inf, base=loss),
        # one class against another, averaged over the pairs (Hand & Till 2001)
        Whole("auc_hand_till", _mean_area(_against_each), _area_influence(_against_each), main=False),
        Share(f"top_{first}", _among_first(first), everyone, main=False),
        OfCalls("mcc", table, _matthews, least=-1.0, main=False),
        OfCalls("kappa", table, _kappa, least=-1.0, main=False),
        *(Share(f"recall_{label}", right, of_class(label), main=False) for label in range(classes)),
        *(_precision(f"precision_{label}", label, classes) for label in range(classes)),
    )


def _among_first(first: int) -> PerCase:
    """Whether (R, n) the class of a case is among the `first` with the highest logits, ties to the lower."""

    def among(z: Array, y: Array) -> Array:
        own = np.take_along_axis(z, np.broadcast_to(y, z.shape[:2])[..., None].astype(np.intp), axis=-1)
        lower = np.arange(z.shape[-1]) < np.asarray(y)[:, None]
        return np.asarray(((z > own) | ((z == own) & lower)).sum(axis=-1) < first)

    return among


BRIER = Mean("brier", brier, most=1.0)
TWO_CLASSES: tuple[Score, ...] = (
    Mean("log_loss", case_losses),  # negative log likelihood, nats per case
    Share("accuracy", right, everyone),
    Share("sensitivity", right, of_class(1)),  # share of positive cases called positive
    Share("specificity", right, of_class(0)),
    Whole("auc", _areas),
    BRIER,
    # 1 is perfect, 0 knows only the share of positives
    Ratio("skill", _with_labels(brier), _skill, least=-np.inf, base=BRIER),
    OfCalls("balanced_accuracy", calls(2), _balanced, main=False),
    OfCalls("f1", calls(2), _f1, main=False),
    OfCalls("mcc", calls(2), _matthews, least=-1.0, main=False),
    OfCalls("kappa", calls(2), _kappa, least=-1.0, main=False),
    Whole("average_precision", _average_precision, _average_precision_influence, main=False),
    _precision("ppv", 1, 2),  # share of positive calls that are right
    _precision("npv", 0, 2),
)
