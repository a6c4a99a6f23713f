"""What both scikit-learn estimators share: replicas that differ in their seeds alone, and what rows count.

Nothing is scaled here but a number that is learnt: a scaler of the columns belongs before the networks, in
one pipeline, where it is fitted on train rows only.
"""

import warnings
from collections.abc import Sequence
from typing import Any, cast

import numpy as np
from scipy.sparse import issparse
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_array, check_consistent_length
from sklearn.utils.validation import check_is_fitted, validate_data

from handnet.contract import Fit, Layer, Recipe, check_count, check_hidden, load_backend
from handnet.data import Array, Table
from handnet.draws import ensemble_seeds
from handnet.mlp.replicas import train_replicas


class Ensemble(BaseEstimator):
    """Networks on the same rows, one for each seed. The two estimators say what they learn."""

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
        weight_decay: float = 0.0,
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
        self.weight_decay = weight_decay

    def _recipe(self, **exit_: Any) -> Recipe:
        """The recipe of each network. exit_: its outputs and loss."""
        rates, sizes = (self.learning_rate, self.dropout), (self.epochs, self.batch_size)
        shape = check_hidden(self.hidden)
        return Recipe(*rates, *sizes, shape, self.optimizer, weight_decay=self.weight_decay, **exit_)

    def _checked(self, X: Any, y: Any, sample_weight: Any, **how: Any) -> tuple[Array, Array, Array]:
        """X (n, features), y (n,) and the weight of each row (n,), checked as scikit-learn does; the
        parameters first. how: more for validate_data."""
        self._recipe()
        check_count("replicas", self.replicas)
        load_backend(self.backend, self.dtype)
        X, y = validate_data(self, _dense(X), y, dtype=np.dtype(self.dtype), **how)
        return X, y, _checked_weight(sample_weight, X)

    def _train(self, train: Table, **exit_: Any) -> None:
        """Set the attributes by replica. train: the rows that count; exit_: as in `_recipe`."""
        backend, recipe = load_backend(self.backend, self.dtype), self._recipe(**exit_)
        # Without patience the validation loss decides nothing, so one train row will do.
        val = Table(train.X[:1], train.y[:1])
        seeds = ensemble_seeds(self.random_state, self.replicas)
        self._keep_finite(train_replicas(backend, train, val, recipe, seeds), np.array(seeds))

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
            warnings.warn(f"{count}; {remedy}", ConvergenceWarning, stacklevel=4)
        self.seeds_ = seeds[finite]
        self.diverged_ = dict(zip(seeds[~finite].tolist(), fit.diverged_at[~finite].tolist(), strict=True))
        self.layers_ = tuple(Layer(*(part[finite] for part in layer)) for layer in fit.layers)
        self.loss_curve_ = fit.train_loss[finite]

    def _checked_outputs(self, X: Any) -> Array:
        """Outputs of rows X (n, features), checked as scikit-learn does."""
        check_is_fitted(self, "layers_")
        return self._outputs(validate_data(self, _dense(X), reset=False, dtype=self.layers_[0].weight.dtype))

    def _outputs(self, X: Array) -> Array:
        """What the last layer gives, (R, n) or (R, n, k), in float64. Raises ValueError when a row of X
        (n, features) overflows a replica."""
        dtype = self.layers_[0].weight.dtype.name  # of the fit: the parameter may have been set anew
        outputs = load_backend(self.backend, dtype).logits(self.layers_, X).astype(np.float64)
        overflow = ~np.isfinite(outputs).all(axis=(0, *range(2, outputs.ndim)))
        if overflow.any():
            raise ValueError(
                f"row {overflow.argmax()} of X overflows in {dtype}: its values are too far from those of the"
                " train rows; scale it as they were."
            )
        return cast(Array, outputs)


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
