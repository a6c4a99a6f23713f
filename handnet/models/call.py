"""Any function that is given train rows, parameters, a seed and rows to be predicted, and returns outputs."""

import inspect
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from handnet.data import Array, Table
from handnet.generators import global_generators
from handnet.messages import Refusal
from handnet.models.identity import identity_of
from handnet.models.model import Params, from_numbers, from_probabilities
from handnet.models.source import Source
from handnet.tasks import Task

ASKED = ("X_train", "y_train", "params", "seed", "X")


@dataclass(frozen=True)
class CallModel:
    """A function `fit_predict(X_train, y_train, params, seed, X) -> outputs`.

    Its arguments are given by place. y_train: (n,) codes of the classes from 0, or numbers in their own unit;
    params: a dict; seed: an int of 0 to 2^32 - 1, of which a function without an argument `seed` has none. It
    returns the probability (n,) of class 1, or (n, 2), or (n, k) of k classes, or numbers (n,). A function
    with an argument `sample_weight` is given the weights (n,) of the train rows by that name, where there are
    any. source: the function; fixed: parameters beside those that `fit` is given, which win over them.
    """

    source: Source
    name: str
    inputs: str = "encoded"
    fixed: Params = field(default_factory=dict)

    keeps_arrays = False
    stacks = True
    notes = ()

    @property
    def identity(self) -> str:
        return f"call {self.source.identity} {identity_of(self.fixed)}"

    @property
    def seeded(self) -> bool:
        return "seed" in self._parameters() or len(self._places()) != len(ASKED) - 1

    def check(self, params: Params, task: Task) -> None:
        """Raises Refusal for what cannot be called with these arguments; it may take any parameter."""
        self.check_signature()

    def check_signature(self) -> None:
        """Raises Refusal for what cannot be called with these arguments."""
        try:
            asked = [name for name in ASKED if self.seeded or name != "seed"]
            inspect.signature(self.source.get()).bind(*asked)
        except (
            TypeError,
            ValueError,
        ) as fault:  # it is no function, takes other arguments, does not tell them
            raise Refusal(
                f"{self.name} must be a function of ({', '.join(ASKED)}), with or without seed: {fault}."
            ) from None

    def fit(
        self, train: Table, val: Table, params: Params, seeds: Sequence[int], task: Task
    ) -> "FittedCalls":
        """Keep what the function is called with, once a seed and set of rows to predict."""
        self.check(params, task)
        if train.weight is not None and "sample_weight" not in self._parameters():
            raise Refusal(
                f"{self.name} has no argument sample_weight, and this study weighs its classes; give it one,"
                " or set network.class_weight to none."
            )
        return FittedCalls(self, train, {**self.fixed, **params}, tuple(map(int, seeds)), task)

    def restored(self, arrays: Mapping[str, Array], params: Params, inputs: int, task: Task) -> "FittedCalls":
        """Nothing of a function is kept, so there are no arrays (R, ...) to restore it from."""
        raise NotImplementedError(f"{self.name} keeps no arrays")

    def called(self, train: Table, params: Params, seed: int, X: Any, task: Task) -> Any:
        """What the function returns for rows X, on copies of everything."""
        y = np.array(train.y, np.int64 if task.classes else np.float64)
        weights = {} if train.weight is None else {"sample_weight": train.weight.copy()}
        of_seed = (seed,) if self.seeded else ()
        with global_generators(seed):
            function = self.source.get()
            return function(train.X.copy(), y, deepcopy(dict(params)), *of_seed, X.copy(), **weights)

    def _parameters(self) -> Mapping[str, inspect.Parameter]:
        return inspect.signature(self.source.get()).parameters

    def _places(self) -> list[str]:
        """The names of the arguments that are given by place and must be given."""
        return [
            name
            for name, one in self._parameters().items()
            if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD) and one.default is one.empty
        ]


@dataclass(frozen=True)
class FittedCalls:
    """What a function is called with, once a seed, whenever outputs are wanted: each call trains anew.

    Rows that are predicted in one call may have outputs of their own in another, where the function looks at
    all of them at once; so all rows that are wanted belong into one call."""

    model: CallModel
    train: Table
    params: Params
    seeds: tuple[int, ...]
    task: Task

    def outputs(self, X: Any) -> Array:
        """(R, n) or (R, n, k) of rows X, (n, inputs) or a DataFrame. Raises Failed."""
        return np.stack([self._of(seed, X) for seed in self.seeds])

    def arrays(self) -> None:
        """Nothing is kept."""

    def _of(self, seed: int, X: Any) -> Array:
        """(n,) or (n, k)."""
        values = self.model.called(self.train, self.params, seed, X, self.task)
        if not self.task.classes:
            return from_numbers(values, len(X), self.model.name)
        return from_probabilities(values, len(X), self.task, self.model.name)
