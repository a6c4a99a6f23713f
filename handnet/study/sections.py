"""The sections of a study's settings, as types that refuse what cannot be one."""

import math
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, ConfigDict, PlainSerializer, PlainValidator, Strict, model_validator

from handnet.contract import BACKENDS, DEVICES, DTYPES, OPTIMIZERS, SEARCHABLE, Recipe, recipe_of
from handnet.data import DATASETS
from handnet.draws import PLANS
from handnet.messages import nearest, option, options
from handnet.study.space import Axis, Choice, Range, plain_space, space_of
from handnet.study.suggested import Suggested
from handnet.study.values import MANY, Count, Inconsistent, Section, Seed, Seeds, Texts, between, one_of, that
from handnet.tables.dataset import WAYS
from handnet.tables.target import TASKS

MOST_BOOSTING = 8  # configurations of gradient boosting


class DataSettings(Section):
    """The built-in table of this name; or the one in the file at `path`, which then gives the name."""

    name: str
    path: str
    target: str
    positive: str
    id: str
    group: str
    missing: str
    # A study of an earlier release was stored without these.
    leave: Texts = ()
    text: Texts = ()
    number: Texts = ()
    separator: str = ""
    decimal: str = ""
    encoding: str = ""
    task: Annotated[str, that(TASKS.__contains__, "classes or number, or left out")] = ""

    def faults(self) -> Iterator[str]:
        if self.path and not self.target:
            yield (
                f"a table of your own needs {option('target', '')} too, the column to be told:"
                f" {options(data='my.csv', target='diagnosis')}, with {option('positive', 'M')} where it"
                f" holds two labels, and {option('id', 'patient')} if the table has ids."
            )
        if self.path and self.missing not in WAYS:
            yield f"{option('missing', '')} must be median or drop, or left out, but is {self.missing!r}."
        if not self.path and self.name not in DATASETS:
            yield f"data.name must be one of {', '.join(DATASETS)}, but is {self.name!r}."
        own = self.model_dump(exclude={"name", "path"})
        if not self.path and any(own.values()):
            *names, last = (option(name, "") for name in own)
            yield (
                f"{', '.join(names)} and {last} describe a table of your own, but {self.name} is built in;"
                f" name the file with {option('data', '')}."
            )

    def identity(self) -> dict[str, str]:
        """What names the table: of one in a file the content counts, by its digest, not the place, nor how it
        was read."""
        optional = {key for key in ("group", "missing") if getattr(self, key)}
        return self.model_dump(include={"target", "positive", "id"} | optional if self.path else {"name"})


class SplitSettings(Section):
    """How the rows are divided; handnet/splits.py checks the shares."""

    test: float
    val: float
    seed: Seed
    stratify: bool
    order: Annotated[str, one_of(("test-first", "rest-first"))]


BALANCED = (  # said of a study in which all classes count the same
    "The train rows are weighted so that all classes count the same, for the models and their"
    " rivals; validation loss and scores count every case once, because they estimate what happens at the"
    " table's own shares.",
    "Probabilities are those of a table with as many cases of each class, so expect them to be too high for"
    " the rarer ones; calibration, log loss and Brier score suffer by it, and the gap of the losses compares"
    " a weighted train loss with an unweighted validation loss.",
)


def _listed(value: Any) -> Any:
    """The number of units of a single hidden layer as a list."""
    return [value] if isinstance(value, int) else value


class NetworkSettings(Section):
    hidden: Annotated[tuple[Count, ...], Strict(False), BeforeValidator(_listed)]
    batch_size: Count
    optimizer: Annotated[str, one_of(OPTIMIZERS)]
    class_weight: Annotated[str, one_of(("none", "balanced"))] = "none"  # an earlier release had no such key

    def faults(self) -> Iterator[str]:
        try:
            Recipe(batch_size=self.batch_size, hidden=self.hidden, optimizer=self.optimizer)
        except ValueError as fault:
            yield f"network.{fault}"

    @property
    def notes(self) -> tuple[str, ...]:
        """How the train rows are weighted and what that means, in sentences."""
        return BALANCED if self.class_weight == "balanced" else ()


class BackendSettings(Section):
    name: Annotated[str, one_of(BACKENDS)]
    dtype: Annotated[str, one_of(DTYPES)]
    engine: str
    device: Annotated[str, one_of(DEVICES)]
    draws: Annotated[str, one_of(PLANS)]


class TrialSettings(Section):
    tpe: Count
    sobol: Count


class TpeSettings(Section):
    startup_trials: Annotated[int, between(1, MANY)]
    multivariate: bool
    constant_liar: bool


class SeedSettings(Section):
    """Seeds one after the other."""

    seeds: Seeds
    first_seed: Seed


class SearchSettings(SeedSettings):
    design: Annotated[str, one_of(tuple(TrialSettings.model_fields))]
    study_seed: Seed
    block: Annotated[int, between(1, 64)]
    trials: TrialSettings
    tpe: TpeSettings

    def faults(self) -> Iterator[str]:
        count = getattr(self.trials, self.design)
        if not 1 <= count <= MANY:
            yield f"search.trials must be a whole number from 1 to {MANY}, but is {count}."
        elif self.design == "sobol" and count & (count - 1):
            near = f"{1 << count.bit_length() - 1} or {1 << count.bit_length()}"
            yield f"a Sobol design needs a power of two of trials, but got {count}; try {near}."


def _space_of_mlp(table: Any) -> dict[str, Axis]:
    """The axes of mlp's own space, in the order of SEARCHABLE. Raises Inconsistent for all faults of it."""
    axes, faults = space_of(table), []
    for name, axis in axes.items():
        try:
            axes[name] = _axis_of_mlp(name, axis)
        except ValueError as fault:
            faults.append(f"space.{fault}")
    if faults:
        raise Inconsistent(" ".join(faults))
    return {name: axes[name] for name in SEARCHABLE if name in axes}


def _axis_of_mlp(name: str, axis: Axis) -> Axis:
    """The axis with the kind of numbers that the parameter has. Raises ValueError where some do not fit."""
    if name not in SEARCHABLE:
        raise ValueError(f"{name} is not a parameter of mlp: {nearest(name, list(SEARCHABLE))}")
    if isinstance(axis, Choice):
        for value in axis.values:
            values_of_mlp({name: value})
        return axis
    limits, low, high = SEARCHABLE[name], axis.low, axis.high
    if limits is None:
        raise ValueError(f"{name} is no number: give a choice, as in {','.join(OPTIMIZERS)}.")
    if limits.above and low == limits.least:
        raise ValueError(f"{name}.low must be above {limits.least} (it is {low}).")
    if not (limits.hold(low) and limits.hold(high)):
        raise ValueError(f"{name} must lie within {limits.least} and {limits.most}, but is {low}..{high}.")
    if limits.whole and not (float(low).is_integer() and float(high).is_integer()):
        raise ValueError(f"{name} must have whole ends, but has {low} and {high}.")
    return Range(low, high, axis.log, limits.whole)


def values_of_mlp(params: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters as a Recipe has them. Raises ValueError, naming the parameter, for what it refuses."""
    recipe = recipe_of(params)
    for name, value in ((name, getattr(recipe, name)) for name in params):
        limits = SEARCHABLE[name]
        if limits and limits.whole and isinstance(value, int) and not limits.hold(value):
            raise ValueError(f"{name} must lie within {limits.least} and {limits.most}, but is {value}.")
    return {name: getattr(recipe, name) for name in params}


def _fixed_of_mlp(table: Any) -> dict[str, Any]:
    """The parameters of mlp that are fixed. Raises Inconsistent for the first that cannot be."""
    if not isinstance(table, Mapping):
        raise Inconsistent(f"fixed must be a table, but is {table!r}.")
    try:
        return values_of_mlp(table)
    except ValueError as fault:
        raise Inconsistent(f"fixed.{fault}") from None


Space = Annotated[dict[str, Any], PlainValidator(_space_of_mlp), PlainSerializer(plain_space)]
Fixed = Annotated[dict[str, Any], PlainValidator(_fixed_of_mlp)]


class RehearsalSettings(SeedSettings):
    splits: Annotated[
        int, between(0, MANY), that(lambda count: count != 1, "0 or at least 2 (one split is no band)")
    ]
    first_split: Seed
    levels: Annotated[int, between(2, 40)]
    ideal: bool


class RivalSettings(Section):
    """How much the methods a network has to beat may cost; handnet/study/rivals.py has the configurations."""

    boosting: Annotated[int, between(0, MOST_BOOSTING)]


def _suggest(form: Any) -> Suggested | None:
    return Suggested.of(form) if form else None


Suggest = Annotated[
    Suggested | None,
    PlainValidator(_suggest),
    PlainSerializer(lambda function: function.plain if function else None),
]


class CompareSettings(Section):
    """A configuration confirmed beside the winner: its name, and parameters by name."""

    model_config = ConfigDict(extra="allow")
    name: str

    @model_validator(mode="before")
    @classmethod
    def _known(cls, table: Any) -> Any:
        """The table with the parameters as a Recipe has them."""
        if not isinstance(table, Mapping):
            return table
        params = {key: value for key, value in table.items() if key != "name"}
        try:
            return {**table, **values_of_mlp(params)}
        except ValueError as fault:
            raise Inconsistent(f"compare {table.get('name', '')!r}: {fault}") from None

    @property
    def params(self) -> dict[str, Any]:
        """The parameters it names."""
        return dict(self.model_extra or {})


class TrackSettings(Section):
    networks: Annotated[str, one_of(("first", "every"))]


class VerdictSettings(Section):
    """What decides, fixed before the test is opened: part of what makes a study this study."""

    score: str  # empty until the task is known: `Settings.decided`
    equal: Annotated[float, that(lambda value: 0 <= value < 1, "a number from 0 up to 1, as in 0.01")]


def _is_count_of_looks(value: Any) -> bool:
    """Whether it is a number of looks at the test, or asks for those the ledger counts."""
    return value == "ledger" or (type(value) is int and 0 <= value <= MANY)


def _is_share(value: Any) -> bool:
    """Whether a number lies between 0 and 1, both left out."""
    return 0 < value < 1


class ReportSettings(Section):
    """What the report says besides; no result depends on it, so it may change after the opening."""

    watch: Texts  # the ids of cases the report has a line about
    # Of a number: by how much a guess may be off. 0: half the standard deviation of the train target.
    tolerance: Annotated[float, that(lambda value: 0 <= value < math.inf, "0 or a number above it")]
    prevalence: Annotated[float, that(lambda value: 0 <= value < 1, "0 or a share below 1")]
    sensitivity: Annotated[float, that(_is_share, "a share between 0 and 1")]
    specificity: Annotated[float, that(_is_share, "a share between 0 and 1")]
    thresholds: Annotated[
        tuple[float, ...],
        Strict(False),
        that(lambda values: all(map(_is_share, values)), "a list of probabilities between 0 and 1"),
    ]
    looks: Annotated[Any, that(_is_count_of_looks, f'a whole number from 0 to {MANY}, or "ledger"')]
