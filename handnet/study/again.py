"""The winner's models fitted again, where they keep nothing and outputs are wanted for further rows."""

from collections.abc import Callable, Sequence

import numpy as np

from handnet.data import Array
from handnet.messages import Refusal
from handnet.mlp.replicas import cores
from handnet.models.model import Failed
from handnet.study.answers import Refits, Wanted, affordable
from handnet.study.chosen_models import make_models
from handnet.study.configuration import Configuration
from handnet.study.division import Resplit, fit_again_on
from handnet.study.executor import Call, Lost, in_order
from handnet.study.fits import ModelUnit, fit_again, model_rows, restore
from handnet.study.networks import Replicas
from handnet.study.processes import Killable
from handnet.study.records import Records
from handnet.study.settings import Settings
from handnet.study.store import Store
from handnet.study.training import Trainer
from handnet.study.units import Confirmed, Problem

RAW = "they are given to families of encoded columns, and this model takes the columns of the table"


class Again:
    """Fits a configuration again on the workers of a study."""

    def __init__(self, trainer: Trainer, winner: Confirmed, divisions: Sequence[Resplit]) -> None:
        assert winner.configuration is not None
        assert winner.replicas is not None
        self.trainer, self.role = trainer, winner.role
        self.configuration, self.replicas = winner.configuration, winner.replicas
        self.divisions = {division.split_seed: division for division in divisions}

    def __call__(self, wanted: Sequence[Wanted]) -> list[Array]:
        """The outputs (R, m) or (R, m, k) of each wanted block. Raises Failed where a model failed, or gave
        other outputs than before."""
        named = [(one, seed) for one in wanted for seed in one.seeds]
        found = in_order(
            self.trainer.workers, (self._call(one, seed) for one, seed in named), self.trainer.check
        )
        outputs = []
        for (_, seed), result in zip(named, found, strict=True):
            if isinstance(result, Lost):
                raise Failed(f"{self.configuration.model} with seed {seed}: {result}")
            outputs.append(result)
        ends = np.cumsum([len(one.seeds) for one in wanted])
        return [
            np.concatenate(outputs[end - len(one.seeds) : end]) for one, end in zip(wanted, ends, strict=True)
        ]

    def _call(self, wanted: Wanted, seed: int) -> Call:
        """What gives the outputs of one seed."""
        trainer, configuration = self.trainer, self.configuration
        if wanted.split_seed is None:
            return trainer.asked(configuration, self.replicas, self.replicas.seeds.index(seed), wanted.X)
        place = list(trainer.settings.rehearsal_seeds).index(seed)
        before = self.divisions[wanted.split_seed].logits[self.role][[place]]
        model, data = trainer.models[configuration.model], trainer.problem.data.digest
        on = data, trainer.settings, model, configuration.params, wanted.split_seed, seed
        return (fit_again_on, *on, before, wanted.X)


def refits_of(
    records: Records,
    store: Store,
    confirmed: Sequence[Confirmed],
    divisions: Sequence[Resplit],
    trainer: Trainer | None,
) -> Refits | str:
    """What explains the winner where it keeps no weights, or why nothing does.

    trainer: None where nothing may be trained."""
    winner, problem = confirmed[0], records.problem
    configuration, replicas = winner.configuration, winner.replicas
    if configuration is None or replicas is None or configuration.is_mlp:
        return ""
    if problem.model(configuration).inputs == "raw":
        return RAW
    frozen = sum(len(one.replicas.seeds) for one in confirmed if one.replicas)
    again = Again(trainer, winner, divisions) if trainer else None
    outputs = problem.task.outputs
    exits = (outputs,) if outputs > 1 else ()
    return Refits(store, winner.config_id, exits, again, affordable(frozen))


def asked(
    problem: Problem, settings: Settings, configuration: Configuration, replicas: Replicas
) -> Callable[[Array], Array]:
    """What models that a stored study has trained give for rows X (m, inputs), scaled: outputs (R, m) or
    (R, m, k), NaN for a row that has a gap; each is restored or fitted again in a process of its own.

    Raises Refusal for a model that is not there any more, or is another now, and where one fails."""
    stated, name = problem.model(configuration), configuration.model
    if stated.inputs == "raw":
        raise Refusal(
            f"{name} was given the columns of the table itself, so it says nothing of new rows here."
        )
    model = make_models(settings, {})[name]
    if model.identity != stated.identity:
        raise Refusal(f"{name} is not what the study was made with; its source has changed since then.")
    rows, classes = model_rows(problem, stated.inputs), problem.task.classes

    def call(place: int, X: Array) -> Call:
        unit = ModelUnit(model, configuration.params, replicas.seeds[place], "rows", classes)
        if replicas.arrays:
            return restore, unit, replicas.one(place).arrays, X
        return fit_again, unit, replicas.val_logits[[place]], X

    def outputs(X: Array) -> Array:
        known, found = np.isfinite(X).all(axis=1), []
        with Killable(cores(), settings.units.timeout, settings.units.memory) as workers:
            workers.hold("rows", rows)
            calls = [call(place, X[known]) for place in range(len(replicas.seeds))]
            for seed, result in zip(replicas.seeds, in_order(workers, calls), strict=True):
                if isinstance(result, Lost):
                    raise Refusal(f"{name} with seed {seed}: {result}.", 1)
                found.append(result)
        every = np.concatenate(found)
        filled = np.full((len(every), len(X), *every.shape[2:]), np.nan)
        filled[:, known] = every
        return filled

    return outputs
