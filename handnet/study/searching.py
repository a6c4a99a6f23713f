"""The search of a study: each model's configurations, one after the other, until there are enough."""

import numpy as np

from handnet.messages import Refusal, command
from handnet.report.words import label as score_label
from handnet.report.words import written
from handnet.study.analysis import TrialResult
from handnet.study.configuration import Configuration, configure
from handnet.study.losses import FIX, check_hope, first_lost
from handnet.study.networks import Replicas
from handnet.study.records import Records
from handnet.study.screen import Clock, Screen
from handnet.study.search import Search, search_of
from handnet.study.settings import MLP
from handnet.study.store import Finished, Store
from handnet.study.summary import objective
from handnet.study.tracking import Tracking
from handnet.study.training import Job, Trainer, label

# Where every fit of the first so many configurations was lost, no other is tried. A model that fails on half
# of its space is given up so in one study of 256.
HOPELESS = 8


class Searching:
    """The searches of one study, for its only writer. searches: by the name of the model."""

    def __init__(
        self,
        records: Records,
        store: Store,
        trainer: Trainer,
        tracking: Tracking,
        clock: Clock,
        screen: Screen,
    ) -> None:
        self.records, self.store, self.trainer, self.tracking = records, store, trainer, tracking
        self.clock, self.screen, self.settings = clock, screen, records.settings
        self.searches: dict[str, Search] = {
            model: search_of(self.settings, model, store.trials(model)) for model in self.settings.studied
        }

    def run(self) -> None:
        """Try configurations of each model until it has as many trials as the settings say."""
        for model, search in self.searches.items():
            self._search(model, search)

    def _search(self, model: str, search: Search) -> None:
        settings, trials = self.settings, self.settings.trials_of(model)
        best = min((trial.value for trial in search.finished), default=np.inf)
        of = self.records.problem.task.trained_on
        over = f" over {settings.search.seeds} seeds" if settings.seeded(model) else ""
        stage = "search" if len(self.searches) == 1 else f"search {model}"
        with self.screen.progress(stage, trials, len(search.finished)) as bar:
            self._check_hope(model)
            while (place := len(search.finished)) < trials:
                self.trainer.check()
                block = search.block(place)
                with self.clock("search"):
                    tried = [configure(settings, model, search.propose(place)) for place in block]
                named = zip(block, tried, strict=True)
                jobs = [Job(one, settings.search_seeds, label(place)) for place, one in named]
                for place, one, replicas in zip(block, tried, self.trainer.networks(jobs), strict=True):
                    best = min(best, self._tell(place, one, replicas).value)
                    self._check_hope(model)
                    none = f"no configuration so far is sound{over}"
                    found = f"best mean val {score_label(of)} {written(best, of)}{over}"
                    bar.advance(1, found if np.isfinite(best) else none)

    def _tell(self, place: int, configuration: Configuration, replicas: Replicas) -> Finished:
        """Store the trial at a place, whose replicas are stored already."""
        value = objective(self.records.problem.task, replicas, self.records.problem.parts.val.y)
        config_id, diverged = self.records.problem.config_id(configuration), int((~replicas.sound).sum())
        search = self.searches[configuration.model]
        trial = search.finish(place, dict(configuration.chosen), value, config_id, diverged)
        with self.clock("store"):
            self.store.tell(trial, configuration.model)
        search.tell(trial)
        self.tracking.searched(TrialResult(trial, replicas, configuration))
        first = first_lost(configuration, replicas)
        if first and not any(before.diverged for before in search.finished[:-1]):
            self.screen.say(f"Lost: {first}. A configuration with a lost seed never wins; the study goes on.")
        return trial

    def _check_hope(self, model: str) -> None:
        """Raises Refusal (1) where every fit of the first configurations of a model was lost."""
        first = self.searches[model].finished[:HOPELESS]
        if model != MLP and len(first) == HOPELESS and all(trial.diverged for trial in first):
            check_hope(model, self.trainer.trials(model, first))

    def winners(self) -> list[Configuration]:
        """The best configuration of each model, in their order. Raises Refusal (1) when a model has none."""
        winners = []
        for model, search in self.searches.items():
            winner = search.winner(self.settings.trials_of(model))
            if winner is None:
                raise Refusal(self._nothing_sound(model), 1)
            winners.append(configure(self.settings, model, winner.params))
        return winners

    def _nothing_sound(self, model: str) -> str:
        """Why there is nothing to confirm."""
        tried = self.trainer.trials(model, self.searches[model].finished)
        lost = [first for one in tried if (first := first_lost(one.configuration, one.replicas))]
        what = f"were lost on some seed (the first: {lost[0]})" if lost else "diverged on some seed"
        do = FIX if lost else "search smaller steps"
        return (
            f"all {len(tried)} configurations of {model} {what}, so there is nothing to confirm; {do}, or"
            f" look at the runs with {command('ui')}."
        )
