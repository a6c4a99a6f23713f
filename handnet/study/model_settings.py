"""The models of a study other than the network by hand, as the settings have them."""

from collections.abc import Iterator
from math import inf
from typing import Annotated, Any

from pydantic import Field, PlainSerializer, PlainValidator, model_validator

from handnet.study.sections import Suggest
from handnet.study.space import Axis, plain_space, space_of
from handnet.study.values import Section, Texts, one_of, that

INPUTS = ("encoded", "raw")


class UnitSettings(Section):
    """What one fit of a model other than the network by hand may cost; no sound result depends on it.

    timeout: seconds, memory: GiB; 0: no limit."""

    timeout: Annotated[float, that(lambda value: 0 <= value < inf, "0 or a number above it")] = 0.0
    memory: Annotated[float, that(lambda value: 0 <= value < inf, "0 or a number above it")] = 0.0


class ModelSettings(Section):
    """One model to be studied.

    name: what the report calls it; source: what it is, as `handnet.models.named.make_model` reads it; inputs:
    the rows it gets; fixed: its parameters that are not searched. The rest is learnt from the model itself
    when the study is made: identity: all that decides what it computes; seeded, keeps_arrays, notes: as in
    `handnet.models.model.Model`."""

    name: str
    source: str
    inputs: Annotated[str, one_of(INPUTS)] = "encoded"
    fixed: dict[str, Any] = Field(default_factory=dict)
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
    def _function(cls, table: Any) -> Any:
        """The table with a space that is a text, or a function, as what suggests."""
        if isinstance(table, dict) and (callable(space := table.get("space")) or isinstance(space, str)):
            return {**table, "space": {}, "suggest": space}
        return table

    @property
    def described(self) -> dict[str, Any]:
        """What it is in a study's identity: proposals depend on the order of the space too."""
        suggest = self.suggest.digest if self.suggest else None
        return self.model_dump() | {"space": list(plain_space(self.space).items()), "suggest": suggest}

    def faults(self) -> Iterator[str]:
        if not self.name or not self.source:
            yield "each of models needs a name and a source, as in sklearn:sklearn.svm.SVC."
