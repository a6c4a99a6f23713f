"""What is trained: a model with its parameters, and the role in which it is confirmed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from handnet.contract import Recipe
from handnet.study.settings import MLP, Settings


@dataclass(frozen=True)
class Configuration:
    """A model with the parameters it is trained with.

    model: its name in the settings; chosen: the parameters that were searched, or fixed for a comparison;
    params: all of them, with those that the settings fix for the whole study."""

    model: str
    chosen: Mapping[str, Any]
    params: Mapping[str, Any]

    @property
    def is_mlp(self) -> bool:
        """Whether it is the network by hand."""
        return self.model == MLP

    @property
    def recipe(self) -> Recipe:
        """The same of the network by hand, with the exit of two classes."""
        return Recipe(**self.params)

    @staticmethod
    def of(recipe: Recipe) -> "Configuration":
        """The network by hand with this recipe."""
        params = {name: value for name, value in recipe.values.items() if name not in ("outputs", "loss")}
        return Configuration(MLP, params, params)


def configure(settings: Settings, model: str, chosen: Mapping[str, Any]) -> Configuration:
    """A model of the settings with these parameters."""
    if model == MLP:
        return Configuration(model, chosen, Configuration.of(settings.recipe(chosen)).params)
    return Configuration(model, chosen, {**settings.model(model).fixed, **chosen})


@dataclass(frozen=True)
class Candidate:
    """A frozen configuration, and the role in which it is confirmed."""

    role: str
    configuration: Configuration


def candidates(winners: Sequence[Configuration], settings: Settings) -> list[Candidate]:
    """What is confirmed on fresh seeds: the winner of the first model, then those of the others, then, where
    the network by hand is studied, the recipes of it that the settings compare with them."""
    first, *others = winners
    frozen = [Candidate("winner", first), *(Candidate(other.model, other) for other in others)]
    for other in settings.compared:
        frozen.append(Candidate(other.name, configure(settings, MLP, other.params)))
    return frozen
