"""The numbers of a study, as types that refuse what cannot be one; reading.py makes them from texts."""

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Self

from pydantic import Field, Strict

from handnet.contract import Recipe, recipe_of
from handnet.data import listed
from handnet.draws import LARGEST_SEED
from handnet.messages import Refusal, option
from handnet.study.model_settings import ModelSettings, UnitSettings
from handnet.study.sections import (
    BackendSettings,
    CompareSettings,
    DataSettings,
    Fixed,
    NetworkSettings,
    RehearsalSettings,
    ReportSettings,
    RivalSettings,
    SearchSettings,
    SeedSettings,
    Space,
    SplitSettings,
    Suggest,
    TrackSettings,
    VerdictSettings,
)
from handnet.study.space import Axis
from handnet.study.suggested import Suggested
from handnet.study.values import Section, Texts

MLP = "mlp"  # the model by hand
RESERVED = (  # roles that no recipe may have
    "winner",
    "logistic regression",
    "ridge regression",
    "gradient boosting",
    "majority class",
    "train mean",
    "searched anew",
)
ROLE = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,59}")  # part of the names of metrics


class Settings(Section):
    """The whole study, as numbers. Read it with `handnet.study.reading.read`."""

    data: DataSettings
    split: SplitSettings
    network: NetworkSettings
    backend: BackendSettings
    search: SearchSettings
    space: Space
    fixed: Fixed = Field(default_factory=dict)  # parameters that are not searched
    suggest: Suggest = None  # the function that takes the place of the space
    confirm: SeedSettings
    rehearsal: RehearsalSettings
    rivals: RivalSettings
    compare: Annotated[tuple[CompareSettings, ...], Strict(False)]
    verdict: VerdictSettings
    report: ReportSettings
    track: TrackSettings
    families: dict[str, Texts]
    models: Annotated[tuple[ModelSettings, ...], Strict(False)] = ()  # none: the network by hand
    units: UnitSettings = UnitSettings()

    def faults(self) -> Iterator[str]:
        search = self.search_seeds
        for name, seeds in (("confirmation", self.confirm_seeds), ("rehearsal", self.rehearsal_seeds)):
            if max(search.start, seeds.start) < min(search.stop, seeds.stop):
                yield (
                    f"{name} seeds must be fresh, but {seeds[0]}..{seeds[-1]} overlaps the search seeds"
                    f" {search[0]}..{search[-1]}; raise {name.removesuffix('ation')}.first_seed."
                )
        if (seed := self.split.seed) in self.split_seeds:
            yield f"fresh divisions need other seeds than split.seed ({seed}); raise rehearsal.first_split."
        used = (search, self.confirm_seeds, self.rehearsal_seeds, self.split_seeds)
        if max(seeds.stop for seeds in used) - 1 > LARGEST_SEED:
            yield f"the last seed must be at most {LARGEST_SEED}; lower first_seed or seeds."
        for recipe in self.compare:
            if missing := [name for name in self.space if name not in recipe.params]:
                yield f"compare {recipe.name!r}: {', '.join(missing)} is missing."
        yield from self._faults_of_names()

    def _faults_of_names(self) -> Iterator[str]:
        """What is wrong with the names of recipes and models: parts of the names of metrics and of files."""
        recipes, models = [recipe.name for recipe in self.compare], [model.name for model in self.models]
        rule = "up to 60 letters, digits, spaces, '.', '_' or '-', and none of"
        for what, names in (("compare.name", recipes), ("models.name", models)):
            others = [*RESERVED, *(recipes if names is models else [])]
            alike = {name.casefold() for name in [*names, *others]}  # names of files
            if names and (len(alike) < len(names) + len(others) or not all(map(ROLE.fullmatch, names))):
                yield f"{what} must be unique, {rule} {', '.join(others)}, but the names are {names}."
        for model in self.models:
            if (model.name == MLP) != (model.source == MLP):
                yield f"{MLP} is the name of the network by hand alone, but {model.name} is {model.source}."

    @property
    def studied(self) -> tuple[str, ...]:
        """The names of the models, the one that decides first."""
        return tuple(model.name for model in self.models) or (MLP,)

    @property
    def compared(self) -> tuple[CompareSettings, ...]:
        """The recipes that are confirmed beside the winners, where the network by hand is studied."""
        return self.compare if MLP in self.studied else ()

    def model(self, name: str) -> ModelSettings:
        """A model by its name. Raises KeyError for the network by hand, which has sections of its own."""
        return {model.name: model for model in self.models}[name]

    @property
    def trials(self) -> int:
        """How many configurations the chosen design tries."""
        return int(getattr(self.search.trials, self.search.design))

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know of weights and of the models' outputs, in sentences."""
        return (*self.network.notes, *(note for model in self.models for note in model.all_notes))

    @property
    def encoded_for(self) -> str:
        """For whom the table is encoded, in words, where some models get its own columns; else ""."""
        raw = [one.name for one in self.models if one.inputs == "raw" and one.name != MLP]
        if not raw:
            return ""
        encoded = ["the rivals", *(name for name in self.studied if name not in raw)]
        get = "gets" if len(raw) == 1 else "get"
        return f"{listed(encoded)} ({listed(raw)} {get} the table's own columns)"

    def seeded(self, model: str) -> bool:
        """Whether a seed changes anything of a model."""
        return model == MLP or self.model(model).seeded

    def trials_of(self, model: str) -> int:
        """How many configurations of a model are tried: one where nothing of it is searched."""
        return self.trials if self.searched_of(model) else 1

    def searched_of(self, model: str) -> "dict[str, Axis] | Suggested":
        """What is searched of a model: named axes, or a function that suggests."""
        of = self if model == MLP else self.model(model)
        return of.suggest or of.space

    def axes_of(self, model: str) -> dict[str, Axis]:
        """The axes that are searched of a model, in order; nothing where a function suggests."""
        space = self.searched_of(model)
        return {} if isinstance(space, Suggested) else space

    @property
    def watched(self) -> tuple[str, ...]:
        # The ids of the settings file are those of the built-in table.
        return () if self.data.path else tuple(self.report.watch)

    @property
    def search_seeds(self) -> range:
        return range(self.search.first_seed, self.search.first_seed + self.search.seeds)

    @property
    def confirm_seeds(self) -> range:
        return range(self.confirm.first_seed, self.confirm.first_seed + self.confirm.seeds)

    @property
    def split_seeds(self) -> range:
        return range(self.rehearsal.first_split, self.rehearsal.first_split + self.rehearsal.splits)

    @property
    def rehearsal_seeds(self) -> range:
        return range(self.rehearsal.first_seed, self.rehearsal.first_seed + self.rehearsal.seeds)

    def recipe(self, params: Mapping[str, Any]) -> Recipe:
        """The Recipe of mlp with these parameters, over the fixed ones and those of the network."""
        network = self.network.model_dump(exclude={"class_weight"})
        try:
            return recipe_of({**network, **self.fixed, **params})
        except ValueError as fault:
            raise Refusal(str(fault)) from None

    def identity(self) -> dict[str, Any]:
        """What makes this study this one; trials, seeds and divisions, which may grow, are left out."""
        counts = {"search": {"trials"}, "confirm": {"seeds"}, "rehearsal": {"splits", "ideal"}}
        left_out: dict[str, Any] = counts | {"report": True, "track": True, "units": True}
        left_out |= {} if self.families else {"families": True}
        left_out |= {} if self.models else {"models": True}
        left_out |= {"network": {"class_weight"}} if self.network.class_weight == "none" else {}
        left_out |= {name: True for name in ("fixed", "suggest") if not getattr(self, name)}
        own: dict[str, Any] = {"data": self.data.identity(), "space": self._axes()}
        own |= {"suggest": self.suggest.digest} if self.suggest else {}
        own |= {"models": [model.described for model in self.models]} if self.models else {}
        return self.model_dump(exclude=left_out) | own

    def _axes(self) -> dict[str, Any]:
        """The space in its identity: ends of ranges are floats, because the names say which are whole."""
        floats = {name: axis.plain for name, axis in self.space.items()}
        for axis in (axis for axis in floats.values() if isinstance(axis, dict)):
            axis |= {"low": float(axis["low"]), "high": float(axis["high"])}
        return floats

    def decided(self, classes: int) -> Self:
        """The same settings with the score that decides, of a table with so many classes, 0 for a number.

        Raises Refusal for a score that its task does not have."""
        from handnet.tasks import task_of

        task = task_of(classes)
        score = self.verdict.score or task.deciding
        if score not in task.may_decide:
            raise Refusal(
                f"verdict.score must be one of {', '.join(task.may_decide)} where the task is {task.name},"
                f" but is {score!r}."
            )
        if self.report.prevalence and classes != 2:
            raise Refusal(
                f"{option('prevalence', self.report.prevalence)} is the share of class 1, but the task is"
                f" {task.name}; leave it out."
            )
        if self.report.tolerance and classes:
            raise Refusal(
                f"{option('tolerance', self.report.tolerance)} is how far a guess may be off, but the task is"
                f" {task.name}; leave it out."
            )
        return self.changed(verdict={"score": score})

    def sized(self, trials: int, confirm_seeds: int) -> Self:
        """The same study with other counts."""
        counts = self.search.trials.model_copy(update={self.search.design: trials})
        return self.changed(search={"trials": counts}, confirm={"seeds": confirm_seeds})

    def changed(self, **sections: dict[str, Any]) -> Self:
        """The same settings with other values, by section and key; they are not checked again."""
        copies = {name: getattr(self, name).model_copy(update=values) for name, values in sections.items()}
        return self.model_copy(update=copies)
