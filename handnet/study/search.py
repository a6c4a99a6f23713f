"""Optuna: which configuration to try next, and which was best. Beside it only seeded_objective.py and
seeded_trials.py import optuna, for studies of the user's own.

Its study lives in memory and is filled with the trials of the store. Each proposal has a new sampler, seeded
from the study's seed and the place alone, and sees the trials before its block: a study that was killed and
continued proposes exactly what it would have proposed, on any number of workers. A configuration that
diverged has the value infinity."""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
    distribution_to_json,
    json_to_distribution,
)
from optuna.samplers import TPESampler
from optuna.storages import BaseStorage
from optuna.trial import TrialState
from scipy.stats import qmc

from handnet.draws import sampler_seed
from handnet.messages import Refusal, option
from handnet.study.sections import SearchSettings
from handnet.study.settings import Settings
from handnet.study.space import Axis, Choice
from handnet.study.store import Finished, Store
from handnet.study.suggested import Suggested

OURS = "handnet"  # the attribute that marks a study of this program in a storage


class Search:
    """The trials of one search: what to try, what came of it, and which is best.

    settings: of the search; trials: how many it may have; space: its axes by name, in the order in which they
    are drawn, or a function that suggests; finished: the completed trials, in order. Raises Refusal for a
    design that such a function cannot have."""

    def __init__(
        self,
        settings: SearchSettings,
        trials: int,
        space: Mapping[str, Axis] | Suggested,
        finished: Iterable[Finished] = (),
    ) -> None:
        if isinstance(space, Suggested) and settings.design == "sobol":
            raise Refusal(
                f"a Sobol design needs a table of axes, but the space is the function {space.reference};"
                f" choose {option('design', 'tpe')}."
            )
        self.settings, self.trials, self.space = settings, trials, space
        self.finished, self._suggested = list(finished), dict[int, dict[str, Any]]()
        self._study, self._seen = new_study(), 0

    def block(self, place: int) -> range:
        """The places from `place` to the end of its block, whose proposals are known together.

        A block holds all points of a Sobol design; of TPE the random start-up trials, and then `block` trials
        at a time."""
        settings = self.settings
        end = self.trials if settings.design == "sobol" else self.block_start(place) + settings.block
        return range(place, min(max(end, settings.tpe.startup_trials), self.trials))

    def block_start(self, place: int) -> int:
        """The place at which the block of a TPE trial starts: 0 in the start-up."""
        after = place - self.settings.tpe.startup_trials
        return place - after % self.settings.block if after >= 0 else 0

    def propose(self, place: int) -> dict[str, Any]:
        """The parameters at a place: a pure function of the search's settings and of the trials before its
        block.

        Places are asked for in order."""
        settings, space = self.settings, self.space
        if settings.design == "sobol" and not isinstance(space, Suggested):
            return sobol_point(space, settings.study_seed, place)
        before = self.block_start(place)
        self._study.add_trials([self._trial(trial) for trial in self.finished[self._seen : before]])
        self._seen = max(self._seen, before)
        self._study.sampler = TPESampler(
            seed=sampler_seed(settings.study_seed, place),
            n_startup_trials=settings.tpe.startup_trials,
            multivariate=settings.tpe.multivariate,
            constant_liar=settings.tpe.constant_liar,
        )
        return self._asked(place)

    def _asked(self, place: int) -> dict[str, Any]:
        """What the sampler proposes. Its result comes as a trial of the store, so here it fails."""
        if isinstance(self.space, Suggested):
            trial = self._study.ask()
            params = self.space.params(trial)
            self._suggested[place] = _record(trial)
        else:
            trial = self._study.ask(distributions(self.space))
            axes = self.space.items()
            params = {name: axis.short(_unlabelled(axis, trial.params[name])) for name, axis in axes}
        self._study.tell(trial, state=TrialState.FAIL)
        return params

    def finish(
        self, place: int, params: dict[str, Any], value: float, config_id: str, diverged: int
    ) -> Finished:
        """The trial at a place that was proposed, with what came of it."""
        return Finished(place, params, value, config_id, diverged, self._suggested.get(place))

    def tell(self, trial: Finished) -> None:
        """Add the trial at the next place."""
        assert trial.place == len(self.finished)
        self.finished.append(trial)

    def importances(self) -> dict[str, float]:
        """Share of the objective's variance by parameter (fANOVA, Hutter et al. 2014).

        Empty when too few trials differ. Of a TPE search it describes where the search went as much as the
        space."""
        if len({trial.value for trial in self.finished if np.isfinite(trial.value)}) < 4:
            return {}
        study, evaluator = new_study(), optuna.importance.FanovaImportanceEvaluator(seed=0)
        study.add_trials([self._trial(trial) for trial in self.finished])
        shares = optuna.importance.get_param_importances(study, evaluator=evaluator)
        return {name: float(share) for name, share in shares.items()}

    def winner(self, trials: int) -> Finished | None:
        """The first of the best among the first `trials` completed, or None when every one diverged."""
        sound = [trial for trial in self.finished[:trials] if np.isfinite(trial.value)]
        return min(sound, key=lambda trial: trial.value, default=None)

    def copy_to(self, storage: str | BaseStorage, name: str) -> None:
        """Add the trials to a storage, as a study of this name."""
        with _quietly():
            study = optuna.create_study(study_name=name, storage=storage)
        study.set_user_attr(OURS, True)
        study.add_trials([self._trial(trial) for trial in self.finished])

    def _trial(self, trial: Finished) -> optuna.trial.FrozenTrial:
        if isinstance(self.space, Suggested):
            drawn = trial.suggested or {}
            params = {name: one["value"] for name, one in drawn.items()}
            of = {name: json_to_distribution(json.dumps(one["distribution"])) for name, one in drawn.items()}
        else:
            params = {name: _label(axis, trial.params[name]) for name, axis in self.space.items()}
            of = distributions(self.space)
        return optuna.trial.create_trial(
            params=params,
            distributions=of,
            value=trial.value,
            user_attrs={"config_id": trial.config_id, "diverged": trial.diverged},
        )


def search_of(settings: Settings, model: str, finished: Iterable[Finished] = ()) -> Search:
    """The search of a model of a study."""
    return Search(settings.search, settings.trials_of(model), settings.searched_of(model), finished)


def searches_of(store: Store, settings: Settings) -> dict[str, Search]:
    """The searches of a study, by the names that Optuna gets: of several models with that of each."""
    several = len(settings.studied) > 1
    return {
        f"{store.name} {model}" if several else store.name: search_of(settings, model, store.trials(model))
        for model in settings.studied
    }


def new_study() -> optuna.Study:
    """A study in memory that drops no trial before its end."""
    with _quietly():
        return optuna.create_study(pruner=optuna.pruners.NopPruner())


@contextmanager
def _quietly() -> Iterator[None]:
    """No line of Optuna's about a study that it makes. Afterwards it says what its user wants it to say."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)


def versions() -> dict[str, str]:
    """What else decides results: the sampler, the draws, the design, the split and the scaler."""
    import scipy
    import sklearn

    modules = {"optuna": optuna, "numpy": np, "scipy": scipy, "scikit-learn": sklearn}
    return {name: str(module.__version__) for name, module in modules.items()}


def sobol_point(space: Mapping[str, Axis], study_seed: int, place: int) -> dict[str, Any]:
    """Point number `place` of the scrambled Sobol design: a pure function of space, seed and place.

    Its numbers are short, so processors whose logarithms differ in the last bits give the same point; of TPE
    they mostly do: it compares candidates, and a last bit may decide between two."""
    if not space:
        return {}
    design = qmc.Sobol(len(space), scramble=True, rng=sampler_seed(study_seed, 0))
    unit = design.fast_forward(place).random(1)[0] if place else design.random(1)[0]
    return {
        name: axis.short(axis.value(float(u))) for (name, axis), u in zip(space.items(), unit, strict=True)
    }


def distributions(space: Mapping[str, Axis]) -> dict[str, BaseDistribution]:
    """The axes of a space, as Optuna has them."""
    return {name: _distribution(axis) for name, axis in space.items()}


def _distribution(axis: Axis) -> BaseDistribution:
    if isinstance(axis, Choice):
        return CategoricalDistribution(axis.labels)
    if axis.whole:
        return IntDistribution(int(axis.low), int(axis.high), log=axis.log)
    return FloatDistribution(axis.low, axis.high, log=axis.log)


def _record(trial: optuna.Trial) -> dict[str, Any]:
    """What was suggested: name -> its value, and its distribution as Optuna writes it.

    Raises Refusal for a choice among values that JSON gives back as others."""
    record = {}
    for name, distribution in trial.distributions.items():
        written = distribution_to_json(distribution)
        if json_to_distribution(written) != distribution:
            raise Refusal(
                f"the space suggests {name} from {distribution}; let it choose among texts, numbers, truth"
                " values and None, and make anything else of these afterwards.",
                1,
            )
        record[name] = {"value": trial.params[name], "distribution": json.loads(written)}
    return record


def _label(axis: Axis, value: Any) -> Any:
    """What Optuna calls a value: it has no lists."""
    return axis.labels[axis.values.index(value)] if isinstance(axis, Choice) else value


def _unlabelled(axis: Axis, label: Any) -> Any:
    """The value that Optuna calls so."""
    return axis.values[axis.labels.index(label)] if isinstance(axis, Choice) else label
