"""The scikit-learn estimators: an ensemble of replicas that calls classes, and one that guesses a number."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.special import log_expit, log_softmax, logsumexp
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.utils.multiclass import check_classification_targets

from handnet.bands.band import FURTHER_GUESS
from handnet.bands.seeds import RowBands, row_bands
from handnet.data import Array, Table, listed
from handnet.ensemble import Ensemble
from handnet.mlp.network import sigmoid, softmax


class HandNetClassifier(ClassifierMixin, Ensemble):
    """A classifier of two classes or more: the mean probability of `replicas` networks, with bands around it.

    Parameters, checked in `fit`:
        hidden, learning_rate, dropout, epochs, batch_size, optimizer, weight_decay: as in `Recipe`.
        replicas: the number of networks.
        backend, dtype: as in `load_backend`.
        random_state: an int makes every fit the same; a RandomState instance, or None for NumPy's global one,
            gives each fit fresh seeds.
        class_weight: how much a row of each class counts: {label: weight}; "balanced", so that all classes
            count the same in all; None, so that all rows do.

    Attributes after `fit`, where R counts the replicas that did not diverge and k the classes:
        classes_: (k,) the labels, sorted; of two the second is the positive class.
        seeds_: (R,) the seed of each replica; all arrays by replica are in this order.
        diverged_: the other replicas, {seed: the epoch it diverged in, from 0}.
        layers_: the weights, a tuple of Layer.
        loss_curve_: (R, epochs) train loss, dropout on.
        replica_proba_: `replica_proba` of the train rows.
        n_features_in_, feature_names_in_: as in scikit-learn.
    """

    def __init__(
        self,
        hidden: int | Sequence[int] | Array = (16, 8),
        learning_rate: float = 1e-3,
        dropout: float = 0.2,
        epochs: int = 50,
        batch_size: int = 32,
        optimizer: str = "adam",
        replicas: int = 20,
        backend: str = "compiled",
        dtype: str = "float32",
        random_state: Any = None,
        class_weight: Mapping[Any, float] | str | None = None,
        weight_decay: float = 0.0,
    ) -> None:
        """Store the parameters; `fit` checks them."""
        super().__init__(
            hidden,
            learning_rate,
            dropout,
            epochs,
            batch_size,
            optimizer,
            replicas,
            backend,
            dtype,
            random_state,
            weight_decay,
        )
        self.class_weight = class_weight

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> "HandNetClassifier":
        """Train on scaled rows X (n, features) with labels y (n,) of two kinds or more.

        sample_weight: (n,) how much each row counts, times the weight of its class; rows of 0 are left out.
        Raises ValueError for a parameter, a table, labels or weights that cannot be used, and when every
        replica diverged; TypeError for a sparse X. Warns (ConvergenceWarning) when some replicas diverged,
        which are then left out.
        """
        X, y, weight = self._checked(X, y, sample_weight)
        counts = weight > 0  # the other rows are left out, as if they were not there
        classes, labels = _classes(y[counts])
        by_class = _class_weights(self.class_weight, classes, labels, weight[counts])
        outputs = len(classes) if len(classes) > 2 else 1
        self._train(Table(X[counts], labels, weight[counts] * by_class[labels]), outputs=outputs)
        self.classes_ = classes
        self.replica_proba_ = _probabilities(self._outputs(X))
        return self

    def replica_proba(self, X: Any) -> Array:
        """What each replica says of rows X (n, features): of two classes the probability (R, n) of the
        positive one, of more the probability (R, n, k) of each, in the order of `classes_`."""
        return _probabilities(self._checked_outputs(X))

    def predict_proba(self, X: Any) -> Array:
        """The mean probability over replicas (n, k), in the order of `classes_`, for rows X (n, features)."""
        mean = self.replica_proba(X).mean(axis=0)
        return mean if mean.ndim == 2 else np.column_stack([1 - mean, mean])

    def decision_function(self, X: Any) -> Array:
        """Of rows X (n, features) and two classes the logit of the mean probability, (n,), which is
        log(mean p / mean (1 - p)); of more classes log(mean p) of each, (n, k).

        It tells rows apart where the probability itself is 1 to the last digit.
        """
        logits = self._checked_outputs(X)
        if logits.ndim == 3:
            return np.asarray(logsumexp(log_softmax(logits, axis=-1), axis=0) - np.log(len(logits)))
        return np.asarray(logsumexp(log_expit(logits), axis=0) - logsumexp(log_expit(-logits), axis=0))

    def predict(self, X: Any) -> Array:
        """The label (n,) of each row of X (n, features) by the mean probability; on a tie the first class."""
        best = self.predict_proba(X).argmax(axis=1)
        return self.classes_[best]

    def predict_band(self, X: Any) -> RowBands:
        """The mean probability of the positive class for each row of X (n, features), with a band over seeds.

        The band is where one more replica's probability is expected. Of more than two classes each has its
        band: the arrays are (n, k) then, in the order of `classes_`. Raises ValueError when fewer than two
        replicas did not diverge.
        """
        return row_bands(self.replica_proba(X), len(self.diverged_))


class HandNetRegressor(RegressorMixin, Ensemble):
    """A regressor: the mean guess of `replicas` networks, with bands around it, in the unit of y.

    The networks learn y less its mean, in standard deviations, by squared error; what they give is turned
    back. A y that never varies is guessed as it is by each of them.

    Parameters, checked in `fit`:
        hidden, learning_rate, dropout, epochs, batch_size, optimizer, weight_decay: as in `Recipe`.
        replicas: the number of networks.
        backend, dtype: as in `load_backend`; means, deviations and guesses are in float64 in any case.
        random_state: an int makes every fit the same; a RandomState instance, or None for NumPy's global one,
            gives each fit fresh seeds.

    Attributes after `fit`, where R counts the replicas that did not diverge:
        target_mean_, target_scale_: the weighted mean and standard deviation of y in the train rows.
        seeds_: (R,) the seed of each replica; all arrays by replica are in this order.
        diverged_: the other replicas, {seed: the epoch it diverged in, from 0}.
        layers_: the weights, a tuple of Layer.
        loss_curve_: (R, epochs) train loss, dropout on: half the squared error, in variances of y.
        replica_predict_: `replica_predict` of the train rows.
        n_features_in_, feature_names_in_: as in scikit-learn.
    """

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> "HandNetRegressor":
        """Train on scaled rows X (n, features) with numbers y (n,).

        sample_weight: (n,) how much each row counts; rows of 0 are left out. Raises ValueError for a
        parameter, a table, numbers or weights that cannot be used, and when every replica diverged; TypeError
        for a sparse X. Warns (ConvergenceWarning) when some replicas diverged, which are then left out.
        """
        X, y, weight = self._checked(X, y, sample_weight, y_numeric=True)
        counts = weight > 0  # the other rows are left out, as if they were not there
        truths, weight = _numbers(y)[counts], weight[counts]
        self.target_mean_, self.target_scale_ = _mean_and_scale(truths, weight)
        scaled = (truths - self.target_mean_) / (self.target_scale_ or 1)
        self._train(Table(X[counts], scaled, weight), loss="squared_error")
        self.replica_predict_ = self._guesses(self._outputs(X))
        return self

    def replica_predict(self, X: Any) -> Array:
        """The guess (R, n) of each replica for rows X (n, features)."""
        return self._guesses(self._checked_outputs(X))

    def predict(self, X: Any) -> Array:
        """The mean guess over replicas (n,) for rows X (n, features)."""
        return np.asarray(self.replica_predict(X).mean(axis=0))

    def predict_band(self, X: Any) -> RowBands:
        """The mean guess for each row of X (n, features), with a band over seeds.

        The band is where one more replica's guess is expected; it is none of the true number. Raises
        ValueError when fewer than two replicas did not diverge.
        """
        return row_bands(self.replica_predict(X), len(self.diverged_), FURTHER_GUESS)

    def _guesses(self, outputs: Array) -> Array:
        """Outputs (R, n) in the unit of y."""
        return self.target_mean_ + self.target_scale_ * outputs


def _probabilities(logits: Array) -> Array:
    """The probability (R, n) of the second of two classes from its logit, or those (R, n, k) of k classes."""
    return softmax(logits) if logits.ndim == 3 else sigmoid(logits)


def _class_weights(class_weight: Any, classes: Array, labels: Array, weight: Array) -> Array:
    """(k,): how much a row of each class counts. labels: (n,) from 0; weight: (n,) of each row by itself.

    scikit-learn's compute_class_weight takes a label "1" for 1, and in older releases has no weights of rows.
    Raises ValueError for a label that is none.
    """
    known = classes.tolist()
    if class_weight is None:
        return np.ones(len(known))
    if isinstance(class_weight, str) and class_weight == "balanced":
        totals = np.bincount(labels, weight)
        return np.asarray(totals.sum() / (len(known) * totals))
    if not isinstance(class_weight, Mapping):
        raise ValueError(
            f"class_weight must be {{label: weight}}, 'balanced' or None, but got {class_weight!r}."
        )
    if unknown := [label for label in class_weight if label not in known]:
        raise ValueError(f"class_weight names {unknown[0]!r}, but the labels are {listed(map(repr, known))}.")
    return np.array([class_weight.get(label, 1) for label in known], np.float64)


def _classes(y: Array) -> tuple[Array, Array]:
    """The labels of y (n,), sorted, and the place (n,) of each.

    Raises ValueError for fewer than two, and for labels of several kinds, which have no order.
    """
    try:
        check_classification_targets(y)
        classes, labels = np.unique(y, return_inverse=True)
    except TypeError:
        kinds = {type(label): label for label in y.tolist()}
        raise ValueError(
            f"y must hold labels of one kind, but holds {listed(map(repr, kinds.values()))}."
        ) from None
    if len(classes) < 2:
        raise ValueError(f"y must hold two classes or more, but holds 1 class, {classes.tolist()[0]!r}.")
    return classes, labels


def _numbers(y: Array) -> Array:
    """y (n,) in float64. Raises ValueError where it holds no numbers."""
    if y.dtype.kind not in "biuf":
        raise ValueError(
            f"y must hold numbers, but holds {y.tolist()[0]!r}; HandNetClassifier learns labels."
        )
    return np.asarray(y, np.float64)


def _mean_and_scale(y: Array, weight: Array) -> tuple[float, float]:
    """The weighted mean and standard deviation of y (n,). Raises ValueError where they overflow."""
    with np.errstate(over="ignore", invalid="ignore"):
        mean = np.average(y, weights=weight)
        scale = np.sqrt(np.average(np.square(y - mean), weights=weight))
    if not np.isfinite(scale):
        raise ValueError(
            f"y is too large for its deviation to be computed, up to {np.abs(y).max():g}; divide it."
        )
    return float(mean), float(scale)
