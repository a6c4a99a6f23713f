"""An objective for a study of one's own in Optuna: every configuration is repeated over the same seeds.

Optuna compares the values of trials. If each value came from one seed, it would compare the luck of seeds.
Here the value of a trial is the mean over a fixed list of seeds that all trials share, so differences are
paired. A trial that is clearly worse is left early. It then has the state PRUNED, which is never the best
trial."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
from optuna import Study, Trial, TrialPruned
from optuna.pruners import NopPruner, WilcoxonPruner
from optuna.trial import BaseTrial

from handnet.bands.band import Band
from handnet.bands.over_seeds import p_worse
from handnet.bands.seeds import seed_bands
from handnet.draws import SEARCH, generator
from handnet.messages import Refusal
from handnet.study import seeded_trials
from handnet.study.seeded_trials import best_of, check_study, checked_seeds, frozen, is_whole, maximises

if TYPE_CHECKING:
    import pandas as pd

CONFIRMED = "confirmed"  # the attribute of a study with the values that confirm a trial


class SeededObjective:
    """An objective that trains a configuration once a seed, and returns the mean over all seeds.

    It is given to Optuna as in ``study.optimize(SeededObjective(train_once, seeds=20), n_trials=50)``.
    ``train_once(trial, seed)`` asks the trial for its parameters, trains with this seed and returns one
    number: a loss, or a score where the study's direction is "maximize". It reports nothing to the trial and
    does not ask whether to prune.

    Each result is reported with the place of its seed as the step. Each trial visits the seeds in an order of
    its own, a function of the trial's number. Once trained, a trial has the user attributes `seeds`, `values`
    (by seed), `n_seeds`, `partial` (false) and `band`: where the value of a further seed would fall, with the
    band's kind, coverage and n.

    A trial is pruned as soon as it is worse than the best complete trial on the seeds that both have, by a
    paired one-sided t test that looks after every seed. Its attributes say so: `partial` is true, `n_seeds`
    counts its seeds and `stopped` gives the reason. Its recorded value is the mean of these seeds. If the
    study has a WilcoxonPruner, that is asked instead of this test; a NopPruner prunes nothing. Every other
    pruner would read the seeds as the epochs of one training, so it is not asked.

    A seed that gives NaN or infinity ends the trial: PRUNED, without a value. An exception is passed on to
    Optuna with a note that names the seed, for `catch` to decide. A trial that Optuna retries after a crash
    trains only the seeds whose values it does not inherit.

    seeds: how many seeds, counted from 0, or the seeds themselves: two or more whole numbers, no two alike;
    prune: whether trials may be left early; startup: the fewest seeds before this test may leave a trial;
    p_threshold: it leaves one when its p is below. Raises Refusal for other arguments, for a study with
    several directions, and for one that holds values over other seeds.
    """

    def __init__(
        self,
        train_once: Callable[[Any, int], float],
        seeds: int | Sequence[int] = 20,
        *,
        prune: bool = True,
        startup: int = 5,
        p_threshold: float = 0.05,
    ) -> None:
        if not callable(train_once):
            raise Refusal(f"train_once must be a function of a trial and a seed, but is {train_once!r:.80}.")
        if not is_whole(startup) or startup < 2:
            raise Refusal(f"startup must be a whole number of seeds from 2, but is {startup!r}.")
        if not 0 < p_threshold < 1:
            raise Refusal(f"p_threshold must lie between 0 and 1, but is {p_threshold!r}.")
        self.train_once, self.prune = train_once, prune
        self.startup, self.p_threshold = startup, p_threshold
        self.seeds = checked_seeds(seeds)

    def __call__(self, trial: Trial) -> float:
        """The mean of one trial over all seeds. Raises TrialPruned where the trial is left early."""
        if not isinstance(trial, Trial):
            raise Refusal("a SeededObjective is called by study.optimize; confirm(study) repeats the winner.")
        check_study(trial.study, self.seeds)
        trial.set_user_attr("seeds", self.seeds)
        values = inherited = self._reported(trial)
        order = generator(trial.number, SEARCH).permutation(len(self.seeds)).tolist()
        for place in (place for place in order if place not in inherited):
            self._go_on(trial, values)
            value = self._trained(trial, place, values)
            if values is inherited and self._reported(trial) != inherited:
                raise Refusal(
                    f"trial {trial.number} has values that its seeds did not give: train_once must not call"
                    " trial.report, whose steps are the seeds here, and two workers must not run one trial."
                )
            values = {**values, place: value}
            trial.report(value, place)
        self._go_on(trial, values)
        self._describe(trial, values)
        return self._mean(values)

    def confirm(self, study: Study, seeds: Iterable[int] = range(1000, 1100)) -> Band:
        """The band of the best trial over fresh seeds: where the value of one more seed would fall.

        The value of the best of many trials is too good, because it was chosen for it; these seeds chose
        nothing. Every result is kept in the study's user attribute `confirmed`, by trial and seed, and is not
        trained again. A seed that gives NaN or infinity is counted in the band's `diverged`.

        Raises Refusal when a seed has been searched with, when no trial is complete, or when fewer than two
        seeds give a number.
        """
        fresh = checked_seeds(seeds)
        check_study(study, self.seeds)
        used = sorted(set(fresh) & set(self.seeds))
        if used:
            raise Refusal(f"seed {used[0]} chose the winner, so it cannot confirm it; name other seeds.")
        best = best_of(study)
        if best is None:
            raise Refusal("no trial of this study is complete, so there is none to confirm.")
        kept = study.user_attrs.get(CONFIRMED, {})
        values = dict(kept.get(str(best.number), {}))
        for seed in map(str, fresh):
            if seed not in values:
                values[seed] = self._number(best, int(seed))
                study.set_user_attr(CONFIRMED, {**kept, str(best.number): values})
        numbers = np.array([values[str(seed)] for seed in fresh])
        if np.isfinite(numbers).sum() < 2:
            raise Refusal(f"fewer than two of {len(fresh)} seeds gave a number for trial {best.number}.")
        return seed_bands(numbers).quantiles

    def to_frame(self, study: Study) -> "pd.DataFrame":
        """A row for each trial and seed that was trained, in the study's order.

        Columns: trial, state, part ("val": the rows that a search chooses on validate), seed, loss (or score,
        where the study maximises), and each parameter as params_<name>. `handnet.Predictions` reads the
        complete trials: ``Predictions(frame[frame.state == "COMPLETE"], model="trial", scores="loss")``.
        """
        check_study(study, self.seeds)
        return seeded_trials.table(study, self.seeds)

    def _reported(self, trial: Trial) -> dict[int, float]:
        """What this trial has reported, or the one that it retries: place of the seed -> value."""
        reported = dict(frozen(trial.study, trial.number).intermediate_values)
        if len(self.seeds) in reported and trial.user_attrs.get("stopped"):
            raise TrialPruned(trial.user_attrs["stopped"])  # killed just before Optuna was told
        return reported

    def _trained(self, trial: Trial, place: int, values: Mapping[int, float]) -> float:
        """The value of one more seed. Where it fails, the trial is described by what it has."""
        seed = self.seeds[place]
        try:
            return self._number(trial, seed)
        except TrialPruned:
            self._leave(trial, values, f"train_once left {_named(trial, seed)}")
        except Exception as fault:
            self._describe(trial, values, f"{_named(trial, seed)} raised {type(fault).__name__}")
            raise

    def _number(self, trial: BaseTrial, seed: int) -> float:
        """What train_once returns, as a number. A note names the seed of whatever it raises."""
        try:
            value = self.train_once(trial, seed)
        except Exception as fault:
            fault.add_note(f"raised in {_named(trial, seed)}")
            raise
        try:
            return float(value)
        except (TypeError, ValueError):
            raise Refusal(
                f"train_once must return one number, but gave {value!r:.80} in {_named(trial, seed)}."
            ) from None

    def _go_on(self, trial: Trial, values: Mapping[int, float]) -> None:
        """Raises TrialPruned where no further seed of this trial is to be trained."""
        for place, value in values.items():
            if not np.isfinite(value):
                self._leave(trial, values, f"{_named(trial, self.seeds[place])} gave {value}")
        why = self._beaten(trial, values) if self.prune and len(values) < len(self.seeds) else ""
        if why:
            self._leave(trial, values, why)

    def _beaten(self, trial: Trial, values: Mapping[int, float]) -> str:
        """Why a trial with these values is worse than the best, in words; empty where that is not shown."""
        study, n = trial.study, len(values)
        if isinstance(study.pruner, WilcoxonPruner):
            return f"WilcoxonPruner left it after {n} seeds" if trial.should_prune() else ""
        best = best_of(study)
        if n < self.startup or best is None or isinstance(study.pruner, NopPruner):
            return ""
        sign = -1 if maximises(study) else 1
        theirs = best.user_attrs["values"]
        p = p_worse(np.array([sign * (values[at] - theirs[str(self.seeds[at])]) for at in values]))
        # An outlier among its other seeds may yet make the best trial the worse one on average.
        if p >= self.p_threshold or sign * (self._mean(values) - np.mean(list(theirs.values()))) <= 0:
            return ""
        return (
            f"worse than trial {best.number} on {n} of {len(self.seeds)} seeds (paired t test, p = {p:.2g})"
        )

    def _leave(self, trial: Trial, values: Mapping[int, float], why: str) -> NoReturn:
        """Raises TrialPruned, once the trial says why.

        Optuna records a pruned trial with the value of its highest step, which would be that of a single
        seed, so the mean so far is reported as one step more. Where a seed gave no number it is NaN, which
        Optuna records as no value.
        """
        self._describe(trial, values, why)
        sound = values and np.isfinite(list(values.values())).all()
        trial.report(self._mean(values) if sound else np.nan, len(self.seeds))
        raise TrialPruned(why)

    def _describe(self, trial: Trial, values: Mapping[int, float], stopped: str = "") -> None:
        """Write into a trial's attributes which values it has, and why it was stopped if it was."""
        by_seed = {self.seeds[place]: values[place] for place in sorted(values)}
        for name, said in seeded_trials.attributes(by_seed, stopped).items():
            trial.set_user_attr(name, said)

    def _mean(self, values: Mapping[int, float]) -> float:
        """The mean in the order of the seeds, so that it does not depend on the order of the visits."""
        return float(np.mean([values[place] for place in sorted(values)]))


def _named(trial: BaseTrial, seed: int) -> str:
    return f"seed {seed} of trial {trial.number}"
