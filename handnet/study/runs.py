"""Every run that a study is to have on a tracker.

Its own experiment has one a configuration. Its two siblings have one for each of the first networks of what
was confirmed, and one for each fresh division of the table."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import NamedTuple

from handnet.data import canonical_hash
from handnet.report.model_words import model_of
from handnet.study import views
from handnet.study.analysis import Analysis, TrialResult
from handnet.study.metrics import resplit_metrics
from handnet.study.outcome import Outcome
from handnet.study.records import Records
from handnet.study.tracker import KEY, Entry
from handnet.study.training import label
from handnet.study.units import Confirmed

SUFFIXES = ("", " seeds", " rehearsals")  # of the names of a study's experiments
FIRST = 20  # networks of a confirmed configuration that have a run of their own
CUSTOM = {"mlflow.experimentKind": "custom_model_development"}  # the pages open on runs, not on chat traces


class Experiment(NamedTuple):
    """One experiment of a study."""

    name: str
    description: str
    tags: Mapping[str, str]


class Pending(NamedTuple):
    """A run that is to be. build: of its key and name the content."""

    experiment: Experiment
    key: str
    name: str
    build: Callable[[str, str], Entry]


class Runs:
    """The runs of one study. A key names a run by all that decides its content."""

    def __init__(self, records: Records) -> None:
        self.records, self.settings = records, records.settings
        self.headline, self.model = records.problem.task.headline, model_of(records.settings)
        self.names = [records.name + suffix for suffix in SUFFIXES]
        searched = [name for model in self.settings.studied for name in self.settings.axes_of(model)]
        view = views.configurations(*self.headline, searched, lost=bool(self.settings.models))
        self.configurations = self._experiment(SUFFIXES[0], views.DESCRIPTION, view, {KEY: "study"})
        self.seeds = self._experiment(
            SUFFIXES[1], views.SEEDS_DESCRIPTION, views.seeds(*self.headline, self.model.history)
        )

    def searched(self, result: TrialResult) -> Pending:
        """The run of a trial."""
        configuration, replicas = result.configuration, result.replicas
        config_id, seeds = self.records.problem.config_id(configuration), replicas.seeds
        build = partial(self.records.search, replicas=replicas, configuration=configuration)
        key, name = f"search/{config_id}/{seeds[0]}-{seeds[-1]}", label(result.trial.place)
        named = name if len(self.settings.studied) == 1 else f"{configuration.model}, {name}"
        return Pending(self.configurations, key, named, build)

    def of_study(
        self, outcome: Outcome, analysis: Analysis | None, report: Mapping[str, bytes]
    ) -> Iterator[Pending]:
        """Every run of a study. analysis: None where nothing is confirmed yet; report: its files, by name."""
        for trials in outcome.searches.values():
            yield from map(self.searched, trials)
        content = self._content(outcome)
        for result in outcome.confirmed:
            assert analysis is not None
            build = partial(self.records.confirmed, result=result, analysis=analysis, test=outcome.test)
            if result.role == "winner":
                build = partial(self.records.winner, **build.keywords, report=report)
            key = f"confirm/{result.role}/{result.config_id}/{content}"
            yield Pending(self.configurations, key, result.role, build)
            yield from self._networks(result)
        for division in outcome.divisions:
            if division is outcome.divisions[0]:
                view = views.rehearsals(resplit_metrics(self.records.problem.task, division))
                experiment = self._experiment(SUFFIXES[2], views.REHEARSALS_DESCRIPTION, view)
            key, name = f"split/{content}/{division.split_seed}", f"split {division.split_seed}"
            yield Pending(experiment, key, name, partial(self.records.resplit, division=division))

    def _networks(self, result: Confirmed) -> Iterator[Pending]:
        """The runs of single networks of a confirmed configuration."""
        replicas = result.replicas
        if replicas is None:
            return
        count = len(replicas.seeds) if self.settings.track.networks == "every" else FIRST
        for place, seed in enumerate(replicas.seeds[:count]):
            build = partial(self.records.seed, result=result, place=place)
            yield Pending(self.seeds, f"seed/{result.config_id}/{seed}", f"{result.role}, seed {seed}", build)

    def _content(self, outcome: Outcome) -> str:
        """16 hex digits that name all a confirmed run is computed from."""
        settings, opening = self.settings, outcome.opening
        frozen = [[result.role, result.config_id] for result in outcome.confirmed]
        divisions = [[division.split_seed, *division.logits] for division in outcome.divisions]
        counts = [settings.trials, settings.confirm.seeds, list(settings.rehearsal_seeds)]
        seal, watched = opening.id if opening else None, settings.report.model_dump()
        return canonical_hash([self.records.fingerprint, frozen, divisions, counts, seal, watched])[:16]

    def _experiment(
        self, suffix: str, description: str, view: str, tags: Mapping[str, str] | None = None
    ) -> Experiment:
        study, task = self.records.name, self.records.problem.task
        miss = "call wrong" if task.classes else "guess wrong by more than the tolerance"
        tags = {**CUSTOM, views.TAG: view, **(tags or {})}
        words = views.of_models(self.model.unit, self.model.history, self.model.keeps)
        words |= {"study": study, "loss": self.headline[0], "score": self.headline[1], "miss": miss}
        return Experiment(study + suffix, description.format(**words), tags)
