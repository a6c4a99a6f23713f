"""The scikit-learn face of an ensemble: replicas that differ in their seeds alone, and what they say of a
row.

Nothing is scaled here: a scaler belongs before the networks, in one pipeline, where it is fitted on train
rows only."""

import warnings
from typing import Any

import numpy as np
from scipy.special import log_expit, logsumexp
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import check_is_fitted, validate_data

from handnet.bands.seeds import RowBands, row_bands
from handnet.contract import Fit, Layer, Recipe, count, load_backend
from handnet.data import Array, Table
from handnet.draws import ensemble_seeds
from handnet.mlp.network import sigmoid
from handnet.mlp.replicas import train_replicas


class HandNetClassifier(ClassifierMixin, BaseEstimator):
    """A classifier of two classes: the mean probability of `replicas` networks, and the band around it.

    hidden, learning_rate, dropout, epochs, batch_size, optimizer: as in `Recipe`.   replicas: how many
    networks.
    backend, dtype: as in `load_backend`.   random_state: an int makes every fit the same; a RandomState
    instance or
    None (NumPy's global one) gives each fit fresh seeds. Parameters are checked in `fit`.

    After `fit`, with R the replicas that did not diverge and everything by replica in the order of `seeds_`:
    classes_ (2,): the labels, sorted; the second is the positive class, whose probability is meant
    everywhere.
    seeds_ (R,): the seed of each replica.       diverged_: the others, {seed: the epoch it diverged in, from
    0}.
    layers_: the weights, tuple of Layer.        loss_curve_ (R, epochs): train loss, dropout on.
    replica_proba_ (R, n): what each replica says of the rows it was trained on; `replica_proba` is for any
    others.
    n_features_in_, feature_names_in_: as everywhere in scikit-learn.
    """

    def __init__(
        self,
        hidden: tuple[int, ...] = (16, 8),
        learning_rate: float = 1e-3,
        dropout: float = 0.2,
        epochs: int = 50,
        batch_size: int = 32,
        optimizer: str = "adam",
        replicas: int = 20,
        backend: str = "compiled",
        dtype: str = "float32",
        random_state: Any = None,
    ) -> None:
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

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        return tags

    def fit(self, X: Any, y: Any) -> "HandNetClassifier":
        """Train on rows X (n, features), scaled, with labels y (n,) of two kinds.

        Raises ValueError for a parameter, a table or labels that cannot be used, and when every replica
        diverged; warns (ConvergenceWarning) when some did, which are then left out."""
        recipe = Recipe(
            self.learning_rate, self.dropout, self.epochs, self.batch_size, self.hidden, self.optimizer
        )
        replicas, backend = count("replicas", self.replicas), load_backend(self.backend, self.dtype)
        X, y = validate_data(self, X, y, dtype=np.dtype(self.dtype))
        classes, labels = _two_classes(y)
        train = Table(X, labels)
        # Without patience the validation loss decides nothing: one train row is the cheapest table that
        # cannot leak.
        val = Table(X[:1], labels[:1])
        seeds = ensemble_seeds(self.random_state, replicas)
        self._keep_sound(train_replicas(backend, train, val, recipe, seeds), np.array(seeds))
        self.classes_ = classes
        self.replica_proba_ = sigmoid(self._logits(X))
        return self

    def replica_proba(self, X: Any) -> Array:
        """(R, n): the probability of the positive class, by every replica, for rows X (n, features)."""
        return sigmoid(self._checked_logits(X))

    def predict_proba(self, X: Any) -> Array:
        """(n, 2): the mean probability over replicas, in the order of `classes_`."""
        positive = self.replica_proba(X).mean(axis=0)
        return np.column_stack([1 - positive, positive])

    def decision_function(self, X: Any) -> Array:
        """(n,): the logit of the mean probability, log(mean p / mean (1 - p)); it tells rows apart where the
        probability itself is 1 to the last digit."""
        logits = self._checked_logits(X)
        return logsumexp(log_expit(logits), axis=0) - logsumexp(log_expit(-logits), axis=0)

    def predict(self, X: Any) -> Array:
        """(n,): the label whose mean probability exceeds .5; the first of `classes_` on a tie."""
        best = self.predict_proba(X).argmax(axis=1)
        return self.classes_[best]

    def predict_band(self, X: Any) -> RowBands:
        """For every row the mean probability of the positive class and the band that one more replica's
        probability falls in. Raises ValueError when fewer than two replicas have one: one number is no
        band."""
        return row_bands(self.replica_proba(X), len(self.diverged_))

    def _keep_sound(self, fit: Fit, seeds: Array) -> None:
        """Everything by replica without those that diverged, which are named instead."""
        sound = fit.diverged_at < 0
        remedy = f"scale the columns (StandardScaler) or lower learning_rate={self.learning_rate}."
        if not sound.any():
            raise ValueError(
                f"all {len(seeds)} replicas diverged, the last in epoch {fit.diverged_at.max()}; {remedy}"
            )
        if not sound.all():
            left_out = f"{(~sound).sum()} of {len(seeds)} replicas diverged and are left out, see diverged_"
            warnings.warn(f"{left_out}; {remedy}", ConvergenceWarning, stacklevel=3)
        self.seeds_ = seeds[sound]
        self.diverged_ = dict(zip(seeds[~sound].tolist(), fit.diverged_at[~sound].tolist(), strict=True))
        self.layers_ = tuple(Layer(*(part[sound] for part in layer)) for layer in fit.layers)
        self.loss_curve_ = fit.train_loss[sound]

    def _checked_logits(self, X: Any) -> Array:
        check_is_fitted(self, "layers_")
        return self._logits(validate_data(self, X, reset=False, dtype=self.layers_[0].weight.dtype))

    def _logits(self, X: Array) -> Array:
        """(R, n) float64. Raises ValueError for a row on which a replica overflows."""
        dtype = self.layers_[0].weight.dtype.name  # of the fit: the parameter may have been set anew
        logits = load_backend(self.backend, dtype).logits(self.layers_, X).astype(np.float64)
        lost = ~np.isfinite(logits).all(axis=0)
        if lost.any():
            raise ValueError(
                f"row {lost.argmax()} of X overflows in {dtype}: its values are too far from those of the"
                " train rows; scale it as they were."
            )
        return logits


def _two_classes(y: Array) -> tuple[Array, Array]:
    """The two labels, sorted, and y (n,) as 0 and 1. Raises ValueError when there are more or fewer of
    them."""
    check_classification_targets(y)
    kind = type_of_target(y, input_name="y")
    if kind != "binary":
        raise ValueError(f"Only binary classification is supported. The type of the target is {kind}.")
    classes, labels = np.unique(y, return_inverse=True)
    if len(classes) < 2:
        raise ValueError(f"y must hold two classes, but holds 1 class, {classes.tolist()[0]!r}.")
    return classes, labels
