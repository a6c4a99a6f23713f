"""What the value of a setting may be: types that refuse what cannot be one, with a sentence that says why."""

from collections.abc import Callable, Collection, Iterator
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Strict, model_validator

from handnet.draws import LARGEST_SEED

MANY, MOST = 100_000, 1_000_000_000


class Inconsistent(ValueError):
    """Values that do not fit together, each valid by itself. Whole sentences."""


def one_of(known: Collection[str]) -> AfterValidator:
    """That the value is one of these."""
    return that(lambda value: value in known, f"one of {', '.join(known)}")


def between(least: int, most: int, why: str = "") -> AfterValidator:
    """That the value is a number from `least` to `most`."""
    return that(lambda value: least <= value <= most, f"a whole number from {least} to {most}{why}")


def that(holds: Callable[[Any], bool], wanted: str) -> AfterValidator:
    """That something holds of the value. wanted: what the sentence says it must be."""

    def check(value: Any) -> Any:
        if not holds(value):
            raise ValueError(wanted)
        return value

    return AfterValidator(check)


Seed = Annotated[int, between(0, LARGEST_SEED)]
Seeds = Annotated[int, between(2, MANY, " (one seed is no band)")]
# Its least is for the recipe to say.
Count = Annotated[int, that(lambda value: abs(value) <= MOST, f"a whole number of at most {MOST}")]
Texts = Annotated[tuple[str, ...], Strict(False)]  # TOML and JSON have lists, and no tuples


class Section(BaseModel):
    """A table of the settings file: no key may be unknown, no value is converted."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)

    def faults(self) -> Iterator[str]:
        """What the type of a single value cannot say, in whole sentences."""
        yield from ()

    @model_validator(mode="after")
    def _check(self) -> Self:
        if sentences := " ".join(self.faults()):
            raise Inconsistent(sentences)
        return self
