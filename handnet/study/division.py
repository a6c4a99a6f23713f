"""One fresh division of the whole table, and what is trained on it in a worker, once the test is open."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from handnet.contract import Layer
from handnet.data import Array, Dataset, Table
from handnet.models.model import Model
from handnet.splits import split
from handnet.study.configuration import Candidate, configure
from handnet.study.executor import Lost, abandoned, held
from handnet.study.fits import checked, fit_seed, further_rows, model_rows, outputs_for
from handnet.study.networks import Replicas, from_npz, layer_parts, layers_of, mask_diverged, to_npz
from handnet.study.rivals import rivals
from handnet.study.search import search_of
from handnet.study.settings import MLP, Settings
from handnet.study.store import Finished
from handnet.study.summary import objective
from handnet.study.units import Problem, load_problem
from handnet.tasks import Task

SEARCHED_ANEW = "searched anew"  # the role of what the search chooses when it is repeated on a fresh division


@dataclass(frozen=True)
class Trained:
    """The winner's sound networks of one division, and what they were trained on.

    layers: empty where no weights are kept; train_rows: (n_train,) row numbers in the table; mean, scale:
    (inputs,), of the scaler; seeds: (R,) where no weights are kept, else empty.
    """

    layers: tuple[Layer, ...]
    train_rows: Array
    mean: Array
    scale: Array
    seeds: tuple[int, ...] = ()

    @property
    def n(self) -> int:
        """How many networks there are."""
        return len(self.layers[0].weight) if self.layers else len(self.seeds)

    def parts(self) -> dict[str, Array]:
        """As named arrays."""
        scaler = {"mean": self.mean, "scale": self.scale}
        seeds = {"seeds": np.array(self.seeds)} if self.seeds else {}
        return {"train_rows": self.train_rows, **scaler, **layer_parts(self.layers), **seeds}

    @staticmethod
    def from_parts(parts: Mapping[str, Array]) -> "Trained":
        """What `parts` gave."""
        seeds = tuple(int(seed) for seed in parts.get("seeds", ()))
        return Trained(layers_of(parts), parts["train_rows"], parts["mean"], parts["scale"], seeds)


@dataclass(frozen=True)
class Resplit:
    """What every configuration gave on the test rows of one fresh division.

    y: (n,); logits: role -> (R, n), one row for a method without a seed, NaN for a replica that diverged;
    ratio: n_test / (n - n_test); winner: None for a search made anew; chosen: the point that the search chose
    when it was made anew, None where it was not; groups: (n,) int, None where every case is its own; fault:
    why the search made anew gave nothing, without a full stop.
    """

    split_seed: int
    y: Array
    ratio: float
    logits: Mapping[str, Array]
    winner: Trained | None = None
    chosen: Mapping[str, Any] | None = None
    groups: Array | None = None
    fault: str = ""

    def to_npz(self) -> bytes:
        """As an .npz file, exact to the bit. Roles are stored as content, because users name them."""
        parts = {f"logits_{place}": logits for place, logits in enumerate(self.logits.values())}
        head = {"split_seed": np.array(self.split_seed), "y": self.y, "ratio": np.array(self.ratio)}
        winner = self.winner.parts() if self.winner else {}
        chosen = {"chosen": np.array(json.dumps(dict(self.chosen)))} if self.chosen else {}
        groups = {} if self.groups is None else {"groups": self.groups}
        fault = {"fault": np.array(self.fault)} if self.fault else {}
        roles = np.array(list(self.logits), dtype="U")
        return to_npz(**head, roles=roles, **parts, **winner, **chosen, **groups, **fault)

    @staticmethod
    def from_npz(content: bytes) -> "Resplit":
        """What `to_npz` wrote. Raises ValueError or KeyError when it is something else."""
        parts = from_npz(content)
        logits = {str(role): parts[f"logits_{place}"] for place, role in enumerate(parts["roles"])}
        winner = Trained.from_parts(parts) if "train_rows" in parts else None
        chosen = json.loads(str(parts["chosen"])) if "chosen" in parts else None
        head = int(parts["split_seed"]), parts["y"], float(parts["ratio"])
        return Resplit(*head, logits, winner, chosen, parts.get("groups"), str(parts.get("fault", "")))


def outputs_of(role: str, divisions: Sequence[Resplit]) -> list[tuple[Array, Array]]:
    """The outputs (R, n) or (R, n, k) of a configuration on each division that has it, with y (n,)."""
    return [(one.logits[role], one.y) for one in divisions if role in one.logits]


def frozen_on(data: str, settings: Settings, frozen: Sequence[Candidate], split_seed: int) -> Resplit:
    """Networks by hand and the rivals on one division; FixHOptEst, Bouthillier 2021.

    data: the digest of the whole table, which the worker holds; frozen: networks by hand."""
    problem, test = _divided(data, settings, split_seed)
    seeds = settings.rehearsal_seeds
    fits = {one.role: problem.fit(one.configuration.recipe, seeds) for one in frozen}
    logits = {role: _logits(problem, replicas, test) for role, replicas in fits.items()}
    parts = problem.parts
    methods = rivals(problem.task, parts.train, parts.val, settings.rivals.boosting)
    logits |= {rival.role: rival.outputs(test.X)[None] for rival in methods}
    learnt = parts.train_rows, parts.mean, parts.scale
    winner = Trained((), *learnt, tuple(seeds))
    if "winner" in fits:
        winner = Trained(fits["winner"].pick(fits["winner"].sound).fit.layers, *learnt)
    ratio, groups = ratio_of(problem, test), parts.groups("test")
    return Resplit(split_seed, test.y, ratio, logits, winner, groups=groups)


def fit_on(
    data: str, settings: Settings, model: Model, params: Mapping[str, Any], split_seed: int, seed: int
) -> Array:
    """The outputs (1, m) or (1, m, k) of one fit of another model on the test rows of a division.

    data: as of `frozen_on`."""
    problem, _ = _divided(data, settings, split_seed)
    train, val = model_rows(problem, model.inputs)
    test = further_rows(problem.parts, model.inputs, problem.parts.test_rows)
    fitted = model.fit(train, val, params, [seed], problem.task)
    return outputs_for(model, fitted, [train.X, test])[1]


def fit_seed_on(
    data: str, settings: Settings, model: Model, params: Mapping[str, Any], split_seed: int, seed: int
) -> Replicas:
    """The exact results of one such fit on the validation rows of a division, without what restores it."""
    problem, _ = _divided(data, settings, split_seed)
    found = fit_seed(model, *model_rows(problem, model.inputs), params, seed, problem.task)
    return dataclasses.replace(found, arrays={})


def fit_again_on(
    data: str,
    settings: Settings,
    model: Model,
    params: Mapping[str, Any],
    split_seed: int,
    seed: int,
    stored: Array,
    X: Array,
) -> Array:
    """The outputs (1, m) or (1, m, k) for rows X, encoded and scaled, of the same fit made again.

    stored: what `fit_on` gave. Raises Failed unless that is given again."""
    problem, _ = _divided(data, settings, split_seed)
    train, val = model_rows(problem, model.inputs)
    test = further_rows(problem.parts, model.inputs, problem.parts.test_rows)
    fitted = model.fit(train, val, params, [seed], problem.task)
    return checked(model, fitted, [train.X, test], stored, X)


def search_on(data: str, settings: Settings, split_seed: int) -> Resplit:
    """The whole search of networks by hand made anew on one division, its winner graded on its test.

    This is IdealEst of Bouthillier et al. 2021, which pays for the choice too. data: the digest of the whole
    table, which the worker holds."""
    problem, test = _divided(data, settings, split_seed)
    head, winner = (split_seed, test.y, ratio_of(problem, test)), _searched(problem, settings)
    if winner is None:
        return Resplit(*head, {}, fault="every configuration diverged on some seed")
    replicas = problem.fit(configure(settings, MLP, winner.params).recipe, settings.rehearsal_seeds)
    return Resplit(*head, {SEARCHED_ANEW: _logits(problem, replicas, test)}, chosen=winner.params)


def _searched(problem: Problem, settings: Settings) -> Finished | None:
    """The winner of a search; None where every trial diverged."""
    search, y = search_of(settings, MLP), problem.parts.val.y
    for place in range(search.trials):
        if abandoned():
            return None
        tried = configure(settings, MLP, search.propose(place))
        replicas = problem.fit(tried.recipe, settings.search_seeds)
        value = objective(problem.task, replicas, y)
        search.tell(search.finish(place, dict(tried.chosen), value, "", int((~replicas.sound).sum())))
    return search.winner(search.trials)


def divided(settings: Settings, table: Dataset, split_seed: int) -> tuple[Problem, Table]:
    """The problem on a fresh division, and the division's test rows, once the test is open."""
    parts = split(table, **{**vars(settings.split), "seed": split_seed})
    return load_problem(settings, table, parts), parts.test.open(lambda rows: rows)


def rows_of(found: Sequence[Array | Lost], n: int, task: Task) -> Array:
    """The outputs of each seed on n rows, (R, n) or (R, n, k), NaN for one that was lost."""
    nothing = np.full((1, n, *([task.outputs] if task.outputs > 1 else [])), np.nan)
    return np.concatenate([nothing if isinstance(one, Lost) else one for one in found])


def ratio_of(problem: Problem, test: Table) -> float:
    """n_test / (n - n_test): `handnet.bands.compare.nadeau_bengio` says why the validation rows count."""
    return len(test.y) / (len(problem.data.y) - len(test.y))


def _divided(data: str, settings: Settings, split_seed: int) -> tuple[Problem, Table]:
    """As of `divided`, of the table that the worker holds: the ledger says that its rows are divided anew."""
    return divided(settings, held(data), split_seed)


def _logits(problem: Problem, replicas: Replicas, test: Table) -> Array:
    """(R, n) on test rows, NaN for a replica that diverged."""
    return mask_diverged(replicas, problem.outputs(replicas.fit.layers, test.X))
