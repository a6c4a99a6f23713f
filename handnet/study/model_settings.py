"""The models of a study other than the network by hand, as the settings have them."""

import re
from collections.abc import Iterator, Mapping
from math import inf
from typing import Annotated, Any

from pydantic import Field, PlainSerializer, PlainValidator, model_validator

from handnet.study.sections import Suggest
from handnet.study.space import VALUES, Axis, can_be_stored, plain_space, space_of, stored
from handnet.study.values import Inconsistent, Section, Texts, one_of, that

INPUTS = ("encoded", "raw")
OBJECT = "object:"  # before the name of a model that was given from Python


def name_of(source: str) -> str:
    """What a model is called that was given no name: its class, or its file and function."""
    _, _, rest = source.partition(":")
    path, _, function = rest.rpartition(":")
    if not path:
        return rest.rpartition(".")[2] or source
    stem = re.split(r"[/\\]", path)[-1].removesuffix(".py")
    return f"{stem}.{function}"


def _fixed(table: Any) -> dict[str, Any]:
    """The parameters that are fixed. Raises Inconsistent for a value that cannot be stored."""
    if not isinstance(table, Mapping):
        raise Inconsistent(f"fixed must be a table of parameters, but is {table!r}.")
    for name, value in table.items():
        if not isinstance(name, str) or not name.isidentifier():
            raise Inconsistent(f"fixed names parameters by identifiers of Python, but one is {name!r}.")
        if not can_be_stored(value):
            raise Inconsistent(
                f"fixed.{name} must be {VALUES}, but is {value!r}; give it to the model itself."
            )
    return {name: stored(value) for name, value in table.items()}


class UnitSettings(Section):
    """What one fit of a model other than the network by hand may cost; no sound result depends on it.

    timeout: seconds, memory: GiB; 0: no limit."""

    timeout: Annotated[float, that(lambda value: 0 <= value < inf, "0 or a number above it")] = 0.0
    memory: Annotated[float, that(lambda value: 0 <= value < inf, "0 or a number above it")] = 0.0


class ModelSettings(Section):
    """One model to be studied.

    name: what the report calls it; source: what it is, as `handnet.models.named.make_model` reads it, or
    "object:" and a name where Python gave it; inputs: the rows it gets; fixed: its parameters that are not
    searched. The rest is learnt from the model itself when the study is made: identity: all that decides what
    it computes; seeded, keeps_arrays, notes: as in `handnet.models.model.Model`."""

    name: str
    source: str
    inputs: Annotated[str, one_of(INPUTS)] = "encoded"
    fixed: Annotated[dict[str, Any], PlainValidator(_fixed)] = Field(default_factory=dict)
    space: Annotated[dict[str, Axis], PlainValidator(space_of), PlainSerializer(plain_space)] = Field(
        default_factory=dict
    )
    suggest: Suggest = None  # a function that takes the place of the space
    identity: str = ""
    seeded: bool = True
    keeps_arrays: bool = False
    notes: Texts = ()

    @model_validator(mode="before")
    @classmethod
    def _completed(cls, table: Any) -> Any:
        """The table with a name, and with a space that is a text, or a function, as what suggests."""
        if not isinstance(table, dict):
            return table
        if isinstance(source := table.get("source"), str):
            table = {"name": name_of(source), **table}
        if callable(space := table.get("space")) or isinstance(space, str):
            table = {**table, "space": {}, "suggest": space}
        return table

    @property
    def described(self) -> dict[str, Any]:
        """What it is in a study's identity: proposals depend on the order of the space too."""
        source = re.sub(r":.*[/\\]", ":", self.source)  # wherever its file lies
        own = {"source": source, "suggest": self.suggest.digest if self.suggest else None}
        return self.model_dump() | own | {"space": list(plain_space(self.space).items())}

    @property
    def all_notes(self) -> tuple[str, ...]:
        """What a reader must know of its outputs, and what it alone keeps sealed."""
        if self.inputs != "raw" and not self.identity.startswith("call "):
            return self.notes
        return (
            *self.notes,
            f"A leak inside {self.name}, from rows it is not given, would be its own: handnet check-seal"
            " tries whether it could have seen the test.",
        )

    def faults(self) -> Iterator[str]:
        if not self.source:
            yield "each of models needs a source, as in sklearn:sklearn.svm.SVC."
        if both := [name for name in self.fixed if name in self.space]:
            yield f"{both[0]} of {self.name} is both fixed and searched; leave one of the two out."
