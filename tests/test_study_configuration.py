"""What is trained: a model with its parameters, and the roles in which configurations are confirmed."""

from pathlib import Path

import pytest

from handnet.contract import Recipe
from handnet.study.configuration import Configuration, candidates, configure
from handnet.study.reading import read
from handnet.study.settings import MLP

FOREST = {"name": "forest", "source": "sklearn:sklearn.ensemble.RandomForestClassifier", "fixed": {"n": 3}}
BY_HAND = {"name": MLP, "source": MLP}
RECIPES = Path(__file__).parent.parent / "experiments" / "study.toml"  # which compares two recipes of mlp


@pytest.mark.parametrize(
    ("models", "roles"),
    [
        ([], ["winner", "chapter", "chapter second"]),
        ([FOREST], ["winner"]),
        ([FOREST, BY_HAND], ["winner", MLP, "chapter", "chapter second"]),
        ([BY_HAND, FOREST], ["winner", "forest", "chapter", "chapter second"]),
    ],
)
def test_recipes_of_mlp_are_confirmed_where_mlp_is_studied(models: list, roles: list[str]) -> None:
    settings = read({}, RECIPES, models)
    chosen = {"learning_rate": 1e-3, "dropout": 0.0, "epochs": 3}
    winners = [configure(settings, name, chosen if name == MLP else {}) for name in settings.studied]
    assert [candidate.role for candidate in candidates(winners, settings)] == roles


def test_a_configuration_has_what_was_chosen_over_what_is_fixed() -> None:
    settings = read({"fixed.dropout": "0.3", "network.hidden": "[5]"}, None, [FOREST, BY_HAND])
    forest = configure(settings, "forest", {"depth": 2, "n": 4})
    assert dict(forest.params) == {"n": 4, "depth": 2}
    assert dict(forest.chosen) == {"depth": 2, "n": 4}
    network = configure(settings, MLP, {"learning_rate": 1e-2, "epochs": 4})
    assert network.recipe == Recipe(1e-2, 0.3, 4, hidden=(5,))
    assert Configuration.of(network.recipe).recipe == network.recipe
