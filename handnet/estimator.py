"""The scikit-learn classifier: an ensemble of replicas that differ in their seeds alone.

Nothing is scaled here: a scaler belongs before the networks, in one pipeline, where it is fitted on train
rows only.
"""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.sparse import issparse
from scipy.special import log_expit, logsumexp
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_array, check_consistent_length
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import check_is_fitted, validate_data

from handnet.bands.seeds import RowBands, row_bands
from handnet.contract import Fit, Layer, Recipe, check_count, check_hidden, load_backend
from handnet.data import Array, Table
from handnet.draws import ensemble_seeds
from handnet.mlp.network import sigmoid
from handnet.mlp.replicas import train_replicas


class HandNetClassifier(ClassifierMixin, BaseEstimator):
    """A classifier of two classes: the mean probability of `replicas` networks, and the band around it.

    Parameters, checked in `fit`:
        hidden, learning_rate, dropout, epochs, batch_size, optimizer: as in `Recipe`.
        replicas: the number of networks.
        backend, dtype: as in `load_backend`.
        random_state: an int makes every fit the same; a RandomState instance, or None for NumPy's global one,
            gives each fit fresh seeds.
        class_weight: how much a row of each class counts: {label: weight}; "balanced", so that both classes
            count the same in all; None, so that all rows do.

    Attributes after `fit`, where R counts the replicas that did not diverge:
        classes_: (2,) the labels, sorted; the second is the positive class.
        seeds_: (R,) the seed of each replica; all arrays by replica are in this order.
        diverged_: the other replicas, {seed: the epoch it diverged in, from 0}.
        layers_: the weights, a tuple of Layer.
        loss_curve_: (R, epochs) train loss, dropout on.
        replica_proba_: (R, n) the probability of the positive class for the train rows, by replica.
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
    ) -> None:
        """Store the parameters; `fit` checks them."""
        self.hidden = hidden
        self.learning_rate = learning_rate
        self.dropout = dropout
        self.epochs = epochs
        self.batch_size = batch_size
        self.optimizer = optimizer
        self.replicas = replicas
        self.backend = backend
        self.dtype = dtype
        self.random_state = random_state
        self.class_weight = class_weight

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        return tags

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> "HandNetClassifier":
        """Train on scaled rows X (n, features) with labels y (n,) of two kinds.

        sample_weight: (n,) how much each row counts, times the weight of its class; rows of 0 are left out.
        Raises ValueError for a parameter, a table, labels or weights that cannot be used, and when every
        replica diverged; TypeError for a sparse X. Warns (ConvergenceWarning) when some replicas diverged,
        which are then left out.
        """
        rates, sizes = (self.learning_rate, self.dropout), (self.epochs, self.batch_size)
        recipe = Recipe(*rates, *sizes, check_hidden(self.hidden), self.optimizer)
        replicas, backend = check_count("replicas", self.replicas), load_backend(self.backend, self.dtype)
        X, y = validate_data(self, _dense(X), y, dtype=np.dtype(self.dtype))
        weight = _checked_weight(sample_weight, X)
        counts = weight > 0  # the other rows are left out, as if they were not there
        classes, labels = _two_classes(y[counts])
        by_class = _class_weights(self.class_weight, classes, labels, weight[counts])
        train = Table(X[counts], labels, weight[counts] * by_class[labels])
        # Without patience the validation loss decides nothing, so one train row will do.
        val = Table(train.X[:1], labels[:1])
        seeds = ensemble_seeds(self.random_state, replicas)
        self._keep_finite(train_replicas(backend, train, val, recipe, seeds), np.array(seeds))
        self.classes_ = classes
        self.replica_proba_ = sigmoid(self._logits(X))
        return self

    def replica_proba(self, X: Any) -> Array:
        """The probability (R, n) of the positive class by each replica, for rows X (n, features)."""
        return sigmoid(self._checked_logits(X))

    def predict_proba(self, X: Any) -> Array:
        """The mean probability over replicas (n, 2), in the order of `classes_`, for rows X (n, features)."""
        positive = self.replica_proba(X).mean(axis=0)
        return np.column_stack([1 - positive, positive])

    def decision_function(self, X: Any) -> Array:
        """The logit of the mean probability, log(mean p / mean (1 - p)), (n,), for rows X (n, features).

        It tells rows apart where the probability itself is 1 to the last digit.
        """
        logits = self._checked_logits(X)
        return logsumexp(log_expit(logits), axis=0) - logsumexp(log_expit(-logits), axis=0)

    def predict(self, X: Any) -> Array:
        """The label (n,) of each row of X (n, features) by the mean probability; on a tie the first class."""
        best = self.predict_proba(X).argmax(axis=1)
        return self.classes_[best]

    def predict_band(self, X: Any) -> RowBands:
        """The mean probability of the positive class for each row of X (n, features), with a band over seeds.

        The band is where one more replica's probability is expected. Raises ValueError when fewer than two
        replicas did not diverge.
        """
        return row_bands(self.replica_proba(X), len(self.diverged_))

    def _keep_finite(self, fit: Fit, seeds: Array) -> None:
        """Set the attributes by replica, seeds (R,), without those that diverged, which `diverged_` names."""
        finite = fit.diverged_at < 0
        remedy = f"scale the columns (StandardScaler) or lower learning_rate={self.learning_rate}."
        if not finite.any():
            raise ValueError(
                f"all {len(seeds)} replicas diverged, the last in epoch {fit.diverged_at.max()}; {remedy}"
            )
        if not finite.all():
            count = f"{(~finite).sum()} of {len(seeds)} replicas diverged and are left out, see diverged_"
            warnings.warn(f"{count}; {remedy}", ConvergenceWarning, stacklevel=3)
        self.seeds_ = seeds[finite]
        self.diverged_ = dict(zip(seeds[~finite].tolist(), fit.diverged_at[~finite].tolist(), strict=True))
        self.layers_ = tuple(Layer(*(part[finite] for part in layer)) for layer in fit.layers)
        self.loss_curve_ = fit.train_loss[finite]

    def _checked_logits(self, X: Any) -> Array:
        """Logits (R, n) of rows X (n, features), checked as scikit-learn does."""
        check_is_fitted(self, "layers_")
        return self._logits(validate_data(self, _dense(X), reset=False, dtype=self.layers_[0].weight.dtype))

    def _logits(self, X: Array) -> Array:
        """Logits (R, n) in float64. Raises ValueError when a row of X (n, features) overflows a replica."""
        dtype = self.layers_[0].weight.dtype.name  # of the fit: the parameter may have been set anew
        logits = load_backend(self.backend, dtype).logits(self.layers_, X).astype(np.float64)
        overflow = ~np.isfinite(logits).all(axis=0)
        if overflow.any():
            raise ValueError(
                f"row {overflow.argmax()} of X overflows in {dtype}: its values are too far from those of the"
                " train rows; scale it as they were."
            )
        return logits


def _dense(X: Any) -> Any:
    """X as it is. Raises TypeError when it is sparse: the networks multiply all columns."""
    if issparse(X):
        raise TypeError(
            "X must be dense, but is sparse: use OneHotEncoder(sparse_output=False) where an encoder made it,"
            " or else X.toarray()."
        )
    return X


def _checked_weight(sample_weight: Any, X: Array) -> Array:
    """The weight (n,) of each row of X (n, features), checked; 1 where there are none."""
    if sample_weight is None:
        return np.ones(len(X))
    weight = check_array(sample_weight, ensure_2d=False, dtype=np.float64, input_name="sample_weight")
    if weight.ndim != 1:
        raise ValueError(f"sample_weight must have one number for each row, but its shape is {weight.shape}.")
    check_consistent_length(X, weight)
    if (weight < 0).any():
        raise ValueError(f"sample_weight must be at least 0, but holds {weight.min()}.")
    if not weight.any():
        raise ValueError("Sample weights must contain at least one non-zero number.")
    return np.asarray(weight)


def _class_weights(class_weight: Any, classes: Array, labels: Array, weight: Array) -> Array:
    """(2,): how much a row of each class counts. labels: (n,) 0 or 1; weight: (n,) of each row by itself.

    scikit-learn's compute_class_weight takes a label "1" for 1, and in older releases has no weights of rows.
    Raises ValueError for a label that is none.
    """
    known = classes.tolist()
    if class_weight is None:
        return np.ones(2)
    if isinstance(class_weight, str) and class_weight == "balanced":
        totals = np.bincount(labels, weight)
        return np.asarray(totals.sum() / (2 * totals))
    if not isinstance(class_weight, Mapping):
        raise ValueError(
            f"class_weight must be {{label: weight}}, 'balanced' or None, but got {class_weight!r}."
        )
    if unknown := [label for label in class_weight if label not in known]:
        raise ValueError(
            f"class_weight names {unknown[0]!r}, but the labels are {known[0]!r} and {known[1]!r}."
        )
    return np.array([class_weight.get(label, 1) for label in known], np.float64)


def _two_classes(y: Array) -> tuple[Array, Array]:
    """The two labels of y (n,), sorted, and y as 0 and 1. Raises ValueError unless there are two."""
    check_classification_targets(y)
    kind = type_of_target(y, input_name="y")
    if kind != "binary":
        raise ValueError(f"Only binary classification is supported. The type of the target is {kind}.")
    classes, labels = np.unique(y, return_inverse=True)
    if len(classes) < 2:
        raise ValueError(f"y must hold two classes, but holds 1 class, {classes.tolist()[0]!r}.")
    return classes, labels
