"""Optuna: which configuration to try next, and what came of it. Nothing else imports optuna.

One process asks and tells. Each trial has a new sampler, seeded from the study's seed and the number of
completed trials alone, so a study that was killed and continued proposes exactly what it would have proposed.
FAIL means interrupted and nothing else. A configuration that diverged is COMPLETE with the value infinity."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, FloatDistribution, IntDistribution
from optuna.samplers import TPESampler
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, Trial, TrialState
from scipy.stats import qmc

from handnet.contract import Recipe
from handnet.draws import sampler_seed
from handnet.messages import Refusal, option
from handnet.study.databases import check_schema, checkpoint, create_database
from handnet.study.settings import Range, Settings

optuna.logging.set_verbosity(optuna.logging.WARNING)
PARAMS = ("learning_rate", "dropout", "epochs")


@dataclass(frozen=True)
class Finished:
    """A completed trial.

    place: in the order of completion, from 0; params: its point; value: infinite when it diverged;
    diverged: how many of its seeds did."""

    place: int
    params: dict[str, Any]
    value: float
    config_id: str
    diverged: int


class Proposals:
    """Trials of one Optuna study: ask, tell, and which is best. In memory unless the study has a storage."""

    def __init__(self, settings: Settings, study: optuna.Study | None = None) -> None:
        self.settings = settings
        self.study = study or optuna.create_study(pruner=optuna.pruners.NopPruner())

    def finished(self) -> list[Finished]:
        """Completed trials, in order."""
        done = self.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        return [
            _finished(place, trial)
            for place, trial in enumerate(sorted(done, key=lambda trial: trial.number))
        ]

    def ask(self) -> tuple[Trial, Recipe]:
        """The next configuration: a pure function of the settings and of the completed trials."""
        place = len(self.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)))
        search = self.settings.search
        if search.design == "sobol":
            # A point that waits was enqueued by a process killed before it could ask: it is this very point.
            if not self.study.get_trials(deepcopy=False, states=(TrialState.WAITING,)):
                self.study.enqueue_trial(sobol_point(self.settings, place))
        else:
            self.study.sampler = TPESampler(
                seed=sampler_seed(search.study_seed, place),
                n_startup_trials=search.tpe.startup_trials,
                multivariate=search.tpe.multivariate,
                constant_liar=search.tpe.constant_liar,
            )
        trial = self.study.ask(_distributions(self.settings))
        return trial, self.settings.recipe(**{name: trial.params[name] for name in PARAMS})

    def tell(self, trial: Trial, value: float, **facts: object) -> None:
        """The trial is done. Its value comes last: only with it does the trial count."""
        for name, fact in facts.items():
            trial.set_user_attr(name, fact)
        self.study.tell(trial, value)

    def importances(self) -> dict[str, float]:
        """Share of the objective's variance by parameter (fANOVA, Hutter et al. 2014).

        Empty when too few trials differ. Of a TPE search it describes where the search went as much as the
        space."""
        values = {trial.value for trial in self.finished() if np.isfinite(trial.value)}
        if len(values) < 4:
            return {}
        evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
        return {
            name: float(share)
            for name, share in optuna.importance.get_param_importances(
                self.study, evaluator=evaluator
            ).items()
        }

    def winner(self, trials: int) -> Finished | None:
        """The first of the best among the first `trials` completed, or None when every one diverged."""
        sound = [trial for trial in self.finished()[:trials] if np.isfinite(trial.value)]
        return min(sound, key=lambda trial: trial.value, default=None)


class Search(Proposals):
    """The study's own trials, stored in the folder's Optuna database; made by `open`."""

    def __init__(self, settings: Settings, study: optuna.Study, database: Path) -> None:
        super().__init__(settings, study)
        self.database = database

    @classmethod
    def open(
        cls, home: Path, name: str, settings: Settings, fingerprint: str, create: bool = True
    ) -> "Search":
        """Open the trials of a study. create: make what is not there.

        Raises Refusal when the stored fingerprint is another one, or the database cannot be used."""
        database = home / "optuna.db"
        uri = create_database(database, lambda uri: RDBStorage(uri).engine.dispose())
        current, *older = _revisions()
        check_schema(database, "Optuna", current, older, f"optuna storage upgrade --storage {uri}")
        storage = RDBStorage(uri, engine_kwargs={"connect_args": {"timeout": 20}})
        pruner = optuna.pruners.NopPruner()
        if create:
            study = optuna.create_study(storage=storage, study_name=name, load_if_exists=True, pruner=pruner)
        else:
            study = optuna.load_study(storage=storage, study_name=name, pruner=pruner)
        stored = study.user_attrs.get("fingerprint")
        if stored is None:
            study.set_user_attr("fingerprint", fingerprint)
        elif stored != fingerprint:
            raise Refusal(
                f"the study {name!r} was made with other settings, data or versions (fingerprint"
                f" {stored[:8]}, now {fingerprint[:8]}); give this one a name of its own with"
                f" {option('name', '')}."
            )
        return cls(settings, study, database)

    def remove_leftovers(self) -> int:
        """Mark interrupted trials as failed. Returns how many there were."""
        running = self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
        for trial in running:
            self.study.tell(trial.number, state=TrialState.FAIL)
        return len(running)

    def close(self) -> None:
        """Leave the database as one file."""
        checkpoint(self.database)


def _revisions() -> list[str]:
    """The revisions of Optuna's schema, the newest first."""
    fresh = RDBStorage("sqlite://")
    try:
        newest = fresh.get_head_version()
        return [newest, *(version for version in fresh.get_all_versions() if version != newest)]
    finally:
        fresh.engine.dispose()


def versions() -> Mapping[str, str]:
    """What else decides results: the sampler, the draws, the design, the split and the scaler."""
    import scipy
    import sklearn

    modules = {"optuna": optuna, "numpy": np, "scipy": scipy, "scikit-learn": sklearn}
    return {name: str(module.__version__) for name, module in modules.items()}


def sobol_point(settings: Settings, place: int) -> dict[str, Any]:
    """Point number `place` of the scrambled Sobol design: a pure function of settings and place."""
    design = qmc.Sobol(len(PARAMS), scramble=True, rng=sampler_seed(settings.search.study_seed, 0))
    unit = design.fast_forward(place).random(1)[0] if place else design.random(1)[0]
    return {
        name: _scaled(getattr(settings.space, name), float(u), name)
        for name, u in zip(PARAMS, unit, strict=True)
    }


def _scaled(range_: Range, unit: float, name: str) -> float | int:
    is_integer = name == "epochs"
    high = range_.high + is_integer  # each whole number gets an equal share, the last one too
    value = (
        range_.low * (high / range_.low) ** unit if range_.log else range_.low + unit * (high - range_.low)
    )
    value = float(np.clip(value, range_.low, range_.high))
    return int(value) if is_integer else value


def _distributions(settings: Settings) -> dict[str, BaseDistribution]:
    space = settings.space
    return {
        "learning_rate": FloatDistribution(
            space.learning_rate.low, space.learning_rate.high, log=space.learning_rate.log
        ),
        "dropout": FloatDistribution(space.dropout.low, space.dropout.high, log=space.dropout.log),
        "epochs": IntDistribution(int(space.epochs.low), int(space.epochs.high), log=space.epochs.log),
    }


def _finished(place: int, trial: FrozenTrial) -> Finished:
    value = trial.value if trial.value is not None else float("inf")
    return Finished(
        place, dict(trial.params), value, trial.user_attrs["config_id"], trial.user_attrs["diverged"]
    )
