"""Estimators and pipelines of scikit-learn's kind, trained anew with each seed as every random_state."""

import inspect
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from functools import cached_property
from types import ModuleType
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags
from sklearn.utils.validation import has_fit_parameter

from handnet.data import Array, Table
from handnet.generators import global_generators
from handnet.messages import Refusal, nearest
from handnet.models.identity import identity_of
from handnet.models.model import CLIP, Params, from_labels, from_logits, from_numbers, from_probabilities
from handnet.models.source import Source
from handnet.tasks import Task

ANSWERS = ("predict_proba", "decision_function", "predict")  # what is asked of a classifier, in this order
KINDS = {"classifier": "tells classes apart", "regressor": "guesses a number"}


@dataclass(frozen=True)
class ScikitModel:
    """An estimator or a pipeline.

    Every random_state at any depth is the seed itself, that of a splitter that shuffles among them, so that
    RandomForestClassifier(random_state=7) is what seed 7 gives; code that draws from NumPy's global generator
    draws from one of the same seed. source: an estimator, its class, or a function without arguments that
    makes one; fixed: parameters beside those that `fit` is given, which win over them.
    """

    source: Source
    name: str
    inputs: str = "encoded"
    fixed: Params = field(default_factory=dict)

    keeps_arrays = False
    stacks = False

    @property
    def identity(self) -> str:
        return f"sklearn {self.source.identity} {identity_of(self.fixed)}"

    @property
    def seeded(self) -> bool:
        return next(_random_parts(self.estimator({}), set()), None) is not None

    @property
    def notes(self) -> tuple[str, ...]:
        estimator = self.estimator({})
        if _kind(estimator) == "regressor" or hasattr(estimator, ANSWERS[0]):
            return ()
        if hasattr(estimator, ANSWERS[1]):
            return (
                f"{self.name} gives no probabilities, so its decision function stands in for the log odds;"
                " losses and calibration are those of this stand-in.",
            )
        return (
            f"{self.name} gives labels alone, so log odds of -1 and 1 (of many classes 0 and 1) stand in for"
            " them; losses and calibration are those of this stand-in.",
        )

    @cached_property
    def made(self) -> Any:
        """The estimator that the source is, or makes, which it does once. Raises Refusal where it is none."""
        with _constructing():
            return _made(self.source)

    def __getstate__(self) -> dict[str, Any]:
        """All but what was made, which is made anew in another process."""
        return {name: value for name, value in vars(self).items() if name != "made"}

    def estimator(self, params: Params) -> Any:
        """A new, untrained estimator with these parameters. Raises Refusal for one that it does not have."""
        with _constructing():
            estimator = clone(self.made)
            values = {**self.fixed, **params}
            for name in sorted(values, key=lambda name: (name.count("__"), name)):  # a step before its own
                known = estimator.get_params(deep=True)
                if name in _random_states(estimator):
                    raise Refusal(f"{name} of {self.name} is each seed of the study in turn; leave it out.")
                if name not in known and not _takes_any(estimator, known, name):
                    raise Refusal(f"{self.name} has no parameter {name!r}: {nearest(name, sorted(known))}")
                estimator.set_params(**{name: clone(values[name], safe=False)})
        return estimator

    def check(self, params: Params, task: Task) -> None:
        """Raises Refusal for a parameter that it does not have, and for a task that it cannot learn."""
        estimator = self.estimator(params)
        kind, wanted = _kind(estimator), "classifier" if task.classes else "regressor"
        if kind not in (wanted, ""):
            what = KINDS.get(kind, f"is a {kind.replace('_', ' ')}")
            raise Refusal(
                f"{self.name} {what}, and the target of this table is"
                f" {f'one of {task.classes} classes' if task.classes else 'a number'}; take a {wanted}."
            )
        answers = ANSWERS if task.classes else ANSWERS[-1:]
        if not any(hasattr(estimator, answer) for answer in answers):
            raise Refusal(f"{self.name} predicts nothing; a pipeline ends in a {wanted}.")
        for name, value in estimator.get_params(deep=True).items():
            if task.classes > 2 and name.endswith("decision_function_shape") and value == "ovo":
                raise Refusal(f"{name} of {self.name} must be 'ovr', which gives one column a class.")

    def fit(
        self, train: Table, val: Table, params: Params, seeds: Sequence[int], task: Task
    ) -> "FittedEstimators":
        """Train a new estimator with each of R seeds on rows X, (n, inputs) or a DataFrame, and y (n,)."""
        y = np.array(train.y, np.int64 if task.classes else np.float64)
        estimators = []
        for seed in seeds:
            estimator = self.estimator(params)
            for part in list(_random_parts(estimator, set())):
                _give_seed(part, int(seed))
            with global_generators(int(seed)):
                estimator.fit(train.X.copy(), y.copy(), **_weights(estimator, train.weight, self.name))
            estimators.append(estimator)
        return FittedEstimators(estimators, tuple(seeds), task, self.name)

    def restored(
        self, arrays: Mapping[str, Array], params: Params, inputs: int, task: Task
    ) -> "FittedEstimators":
        """Nothing of an estimator is kept, so there are no arrays (R, ...) to restore it from."""
        raise NotImplementedError(f"{self.name} keeps no arrays")


@dataclass(frozen=True)
class FittedEstimators:
    """R trained estimators, one a seed."""

    estimators: Sequence[Any]
    seeds: tuple[int, ...]
    task: Task
    name: str

    def outputs(self, X: Any) -> Array:
        """(R, n) or (R, n, k) of rows X, (n, inputs) or a DataFrame. Raises Failed."""
        return np.stack([self._of(*pair, X) for pair in zip(self.estimators, self.seeds, strict=True)])

    def arrays(self) -> None:
        """Nothing is kept."""

    def _of(self, estimator: Any, seed: int, X: Any) -> Array:
        """(n,) or (n, k)."""
        answers = ANSWERS if self.task.classes else ANSWERS[-1:]
        answer = next(name for name in answers if hasattr(estimator, name))
        with global_generators(seed):
            values = getattr(estimator, answer)(X.copy())
        source, n = f"{answer} of {self.name}", len(X)
        if not self.task.classes:
            return from_numbers(values, n, source)
        if answer == "predict":
            return from_labels(values, n, self.task, source)
        of_probabilities = answer == ANSWERS[0]
        values = _all_classes(values, estimator, self.task.classes, 0.0 if of_probabilities else None)
        return (from_probabilities if of_probabilities else from_logits)(values, n, self.task, source)


def _made(source: Source) -> Any:
    """The estimator that a source is, or makes. Raises Refusal where it is none."""
    thing = source.get()
    if not hasattr(thing, "get_params") or isinstance(thing, type):
        try:
            thing = thing()
        except TypeError as fault:
            raise Refusal(
                f"{source.label} must be an estimator, or be called without arguments and make one: {fault}."
            ) from None
        except (Exception, SystemExit) as fault:
            raise Refusal(f"{source.label} makes no estimator: {type(fault).__name__}: {fault}.") from None
    if not hasattr(thing, "get_params") or not hasattr(thing, "fit"):
        raise Refusal(
            f"{source.label} must be an estimator with fit and get_params, but is of the type"
            f" {type(thing).__name__}."
        )
    return thing


@contextmanager
def _constructing() -> Iterator[None]:
    """While entered, somebody's code makes an estimator: what it prints goes to stderr, and what it draws is
    the same each time."""
    with redirect_stdout(sys.stderr), global_generators(0):
        yield


def _random_parts(value: Any, met: set[int]) -> Iterator[Any]:
    """The estimators and other objects with a random_state at any depth of an estimator, its parameters and
    what is listed in them; splitters that do not shuffle are not random. met: the ids of what was met."""
    if (
        id(value) in met
        or isinstance(value, type | ModuleType | str | np.ndarray)
        or hasattr(value, "to_numpy")
    ):
        return
    met.add(id(value))
    inside: Any = (
        value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else ()
    )
    if hasattr(value, "get_params"):
        parameters = value.get_params(deep=False)
        inside, random = parameters.values(), "random_state" in parameters
    else:
        random = hasattr(value, "random_state") and getattr(value, "shuffle", True)
    if random:
        yield value
    for part in inside:
        yield from _random_parts(part, met)


def _give_seed(part: Any, seed: int) -> None:
    """Let what is random in one part of an estimator start from the seed."""
    if hasattr(part, "get_params"):
        part.set_params(random_state=seed)
    else:
        part.random_state = seed


def _random_states(estimator: Any) -> list[str]:
    """The names of every random_state, at any depth."""
    names = estimator.get_params(deep=True)
    return sorted(name for name in names if name == "random_state" or name.endswith("__random_state"))


def _kind(estimator: Any) -> str:
    """What an estimator says it is, as in "classifier"; "" where it does not say."""
    try:
        return get_tags(estimator).estimator_type or ""
    except (AttributeError, TypeError):  # it is not derived from scikit-learn's own
        return str(getattr(estimator, "_estimator_type", None) or "")


def _takes_any(estimator: Any, known: Mapping[str, Any], name: str) -> bool:
    """Whether the estimator that this parameter is of takes keywords that it does not name."""
    of, _, _ = name.rpartition("__")
    owner = known.get(of) if of else estimator
    parameters = inspect.signature(type(owner)).parameters.values() if owner is not None else []
    return any(one.kind is one.VAR_KEYWORD for one in parameters)


def _weights(estimator: Any, weight: Array | None, name: str) -> dict[str, Array]:
    """The keywords of `fit` by which weights (n,) reach the estimator, or the last step of a pipeline."""
    if weight is None:
        return {}
    steps, last = "", estimator
    while isinstance(last, Pipeline):
        step, last = last.steps[-1]
        steps += f"{step}__"
    if not hasattr(last, "fit") or not has_fit_parameter(last, "sample_weight"):
        raise Refusal(
            f"{name} takes no weights of rows, and this study weighs its classes; set network.class_weight to"
            " none, or take another model."
        )
    return {f"{steps}sample_weight": weight.copy()}


def _all_classes(values: Any, estimator: Any, classes: int, absent: float | None) -> Any:
    """What is said of those classes that were among the train rows, as (n, k) of all; anything else as it is.

    absent: what is said of the others; None for log odds as low as those of a probability of 1e-12."""
    known = np.asarray(getattr(estimator, "classes_", range(classes)))
    array = np.asarray(values)
    if len(known) == classes or array.dtype.kind not in "iuf":
        return values
    if array.ndim == 1 and len(known) == 2:
        array = np.stack([0 * array, array], axis=1)  # the log odds of the second
    if array.ndim != 2 or array.shape[1] != len(known):
        return values
    whole = np.full((len(array), classes), array.min() + np.log(CLIP) if absent is None else absent)
    whole[:, known.astype(np.int64)] = array
    return whole
