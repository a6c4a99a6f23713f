"""What is studied, as every sentence calls it: networks, or models of another kind.

A sentence takes its noun and its verb from here, so that a forest is never called a network.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from handnet.report.words import short
from handnet.study.model_settings import OBJECT
from handnet.study.settings import MLP, Settings

MOST = 4  # parameters that a sentence lists before it counts them


class Studied(NamedTuple):
    """The model of a study, as the report's `model` has it; by default our own network.

    name: of the model; unit: "network" or "model"; history: whether it has a loss after each epoch; seeded:
    whether something in it takes a seed; keeps: whether those that were trained are logged as a model.
    """

    name: str = "mlp"
    unit: str = "network"
    history: bool = True
    seeded: bool = True
    keeps: bool = True

    @property
    def units(self) -> str:
        """Several of them."""
        return f"{self.unit}s"

    @property
    def subject(self) -> str:
        """Those that the winner's bands are of, as the first words of a sentence."""
        if self.unit == "network":
            return "Networks of this recipe"
        if self.seeded:
            return f"{self.name} models of this configuration"
        return f"The {self.name} model of this configuration"

    @property
    def trained(self) -> str:
        """What was trained, with its verb."""
        return f"the {self.units} are trained" if self.seeded else f"the {self.unit} is trained"

    @property
    def they(self) -> str:
        """The pronoun of `subject`."""
        return "they" if self.seeded else "it"

    @property
    def their(self) -> str:
        """The same, of what they have."""
        return "their" if self.seeded else "its"

    @property
    def choice(self) -> str:
        """What is chosen for it."""
        return "recipe" if self.unit == "network" else "configuration"

    def verb(self, plural: str) -> str:
        """A verb behind `subject` or `they`, from its plural."""
        if self.seeded:
            return plural
        return f"{plural}es" if plural.endswith("s") else f"{plural}s"


OURS = Studied()
MODELS = {"model": {"unit": "model"}}  # of results of any models


def studied(facts: Mapping[str, Any]) -> Studied:
    """What a report is about. facts: of the report; without the key `model` it is our own network."""
    model = facts.get("model") or {}
    return Studied(**{name: model[name] for name in Studied._fields if name in model})


def named(facts: Mapping[str, Any], role: str) -> str:
    """A configuration as tables and figures call it: its role, and of a winner that is no network by hand, or
    one among several models, also which model it is. facts: of the report."""
    first: Mapping[str, Any] = next(iter(facts.get("configurations", ())), {})
    model = first.get("model")
    if role != "winner" or first.get("role") != role or not model:
        return role
    return f"{role} ({short(model, 24)})" if model != MLP or facts.get("other_searches") else role


def pair_named(facts: Mapping[str, Any], pair: Mapping[str, Any]) -> str:
    """Two that are compared, each as tables call it."""
    return f"{named(facts, pair['ours'])} - {named(facts, pair['theirs'])}"


def models_of(settings: Settings) -> list[Studied]:
    """The models of a study, the one that decides first."""
    unit = "network" if all(name == MLP for name in settings.studied) else "model"
    return [
        OURS._replace(unit=unit)
        if name == MLP
        else Studied(name, unit, history=False, seeded=settings.model(name).seeded, keeps=False)
        for name in settings.studied
    ]


def model_of(settings: Settings) -> Studied:
    """The model of a study that decides."""
    return models_of(settings)[0]


def left_out(models: Sequence[Studied]) -> list[dict[str, str]]:
    """What a report cannot say of these models, and why, a record each."""
    return [
        {"what": what, "why": why}
        for model in models
        for what, there, why in (
            ("loss curves", model.history, f"{model.name} has no training history"),
            (
                "spread over the streams of a seed",
                model.history or not model.seeded,
                f"a seed of {model.name} has one stream alone",
            ),
            (
                "bands over seeds",
                model.seeded,
                f"{model.name} has no random_state and takes no seed, so it is trained once",
            ),
            (
                "the logged model",
                model.keeps,
                f"of {model.name} the outputs alone are reported, and none is logged",
            ),
        )
        if not there
    ]


def unsaid(settings: Settings) -> list[dict[str, str]]:
    """What the report of a study and `handnet predict` cannot say of its models, and why, a record each."""
    return [*left_out(models_of(settings)), *without_new_rows(settings)]


def without_new_rows(settings: Settings) -> list[dict[str, str]]:
    """A record of why the winner says nothing of new rows, where it does not."""
    name = settings.studied[0]
    if name == MLP:
        return []
    model, why = settings.model(name), ""
    if model.inputs == "raw":
        why = f"{name} takes the columns of the table itself, and new rows are read for the encoder"
    elif model.source.startswith(OBJECT):
        why = f"Python gave {name} as an object, which only the script has"
    return [{"what": "predictions for new rows", "why": why}] if why else []


def param_words(name: str) -> str:
    """The name of a parameter in words; one that names a part of a pipeline stays as it is spelled."""
    return name if "__" in name else name.replace("_", " ")


def listed(names: Sequence[str]) -> str:
    """Names of parameters as a list, or how many there are if they are many."""
    words = [param_words(name) for name in names]
    if len(words) > MOST:
        return f"{len(words)} parameters"
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))


def lost_of(facts: Mapping[str, Any], role: str) -> int:
    """How many seeds of a configuration were lost, because its model failed on them."""
    return sum(one["role"] == role for one in facts.get("lost", ()))


def missing(without: int, seeds: int, lost: int) -> str:
    """How many of so many seeds have no result, and for what reason; empty where all have one.

    without: diverged or lost; lost: of these those on which the model failed.
    """
    lost = min(lost, without)
    if not without:
        return ""
    if lost == without:
        return f"{lost} of {seeds} seeds lost"
    return f"{without - lost} of {seeds} seeds diverged" + (f", {lost} lost" if lost else "")
