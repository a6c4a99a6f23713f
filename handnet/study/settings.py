"""The numbers of a study, as types. handnet/study/reading.py makes them from study.toml and the command
line."""

import dataclasses
import json
from dataclasses import dataclass
from typing import Any

from handnet.contract import Recipe


@dataclass(frozen=True)
class DataSettings:
    """The built-in table of this name; or, with a path, the table in that file, and the name follows from the
    path's."""

    name: str
    path: str
    target: str
    positive: str
    id: str
    group: str
    missing: str


FROM_FILE = ("target", "positive", "id")  # what is said of a table in a file, beside where it is
IF_GIVEN = ("group", "missing")  # the same, where it is said


@dataclass(frozen=True)
class SplitSettings:
    test: float
    val: float
    seed: int
    stratify: bool
    order: str


@dataclass(frozen=True)
class NetworkSettings:
    hidden: tuple[int, ...]
    batch_size: int
    optimizer: str


@dataclass(frozen=True)
class BackendSettings:
    name: str
    dtype: str
    engine: str
    device: str
    draws: str


@dataclass(frozen=True)
class TrialSettings:
    tpe: int
    sobol: int


@dataclass(frozen=True)
class TpeSettings:
    startup_trials: int
    multivariate: bool
    constant_liar: bool


@dataclass(frozen=True)
class SearchSettings:
    design: str
    seeds: int
    first_seed: int
    study_seed: int
    trials: TrialSettings
    tpe: TpeSettings


@dataclass(frozen=True)
class Range:
    low: float
    high: float
    log: bool


@dataclass(frozen=True)
class SpaceSettings:
    learning_rate: Range
    dropout: Range
    epochs: Range


@dataclass(frozen=True)
class ConfirmSettings:
    seeds: int
    first_seed: int


@dataclass(frozen=True)
class RehearsalSettings:
    splits: int
    first_split: int
    seeds: int
    first_seed: int
    levels: int
    ideal: bool


@dataclass(frozen=True)
class CompareSettings:
    name: str
    learning_rate: float
    dropout: float
    epochs: int


@dataclass(frozen=True)
class ReportSettings:
    watch: tuple[str, ...]


@dataclass(frozen=True)
class Settings:
    """The whole study, as numbers. Read it with `read`."""

    data: DataSettings
    split: SplitSettings
    network: NetworkSettings
    backend: BackendSettings
    search: SearchSettings
    space: SpaceSettings
    confirm: ConfirmSettings
    rehearsal: RehearsalSettings
    compare: tuple[CompareSettings, ...]
    report: ReportSettings
    families: dict[str, tuple[str, ...]]

    @property
    def trials(self) -> int:
        """How many configurations the chosen design tries."""
        return int(getattr(self.search.trials, self.search.design))

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

    def recipe(self, learning_rate: float, dropout: float, epochs: int) -> Recipe:
        """A point of the search space as a Recipe of this study's network."""
        network = self.network
        return Recipe(learning_rate, dropout, epochs, network.batch_size, network.hidden, network.optimizer)

    def identity(self) -> dict[str, Any]:
        """What makes this study this one. Trials and confirmation seeds may grow, so their counts are left
        out, and so is that of the fresh divisions. Of a table in a file the content counts, by its digest,
        not the place."""
        whole = dataclasses.asdict(self)
        given = (key for key in IF_GIVEN if whole["data"][key])
        whole["data"] = {
            key: whole["data"][key] for key in ((*FROM_FILE, *given) if self.data.path else ("name",))
        }
        if not self.families:
            del whole["families"]
        del whole["search"]["trials"], whole["confirm"]["seeds"], whole["report"]
        del whole["rehearsal"]["splits"], whole["rehearsal"]["ideal"]
        return whole


def sized(settings: Settings, trials: int, confirm_seeds: int) -> Settings:
    """The same study with other counts."""
    counts = dataclasses.replace(settings.search.trials, **{settings.search.design: trials})
    return dataclasses.replace(
        settings,
        search=dataclasses.replace(settings.search, trials=counts),
        confirm=dataclasses.replace(settings.confirm, seeds=confirm_seeds),
    )


def to_stored(settings: Settings) -> str:
    """All settings as JSON."""
    return json.dumps(dataclasses.asdict(settings))
