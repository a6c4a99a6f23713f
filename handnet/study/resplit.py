"""After the opening: the frozen configurations on fresh divisions of the whole table.

The sealed test says what one split says. How far another split would have moved the numbers takes divisions
anew, of all rows; they hold rows of the sealed test, so none is made before it was opened, and nothing is
chosen by them."""

import dataclasses
import io
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from handnet.contract import Layer, Recipe
from handnet.data import Array, Dataset, Table, canonical_hash
from handnet.splits import split
from handnet.study.confirm import Candidate, baselines
from handnet.study.messages import Refusal
from handnet.study.sealed import Opening
from handnet.study.search import Proposals
from handnet.study.settings import Settings
from handnet.study.summary import mask_diverged, objective
from handnet.study.units import Problem, Replicas, layer_parts, layers_of, to_npz

ANEW = "searched anew"  # the role of what the search chooses when it is repeated inside a fresh division


@dataclass(frozen=True)
class Resplit:
    """What every configuration gave on the test rows of one fresh division.

    y (n,); logits: role -> (R, n), one row for a method without a seed, NaN for a replica that diverged;
    ratio: n_test / n_train.
    """

    split_seed: int
    y: Array
    ratio: float
    logits: Mapping[str, Array]
    winner: "Trained | None" = None

    def to_npz(self) -> bytes:
        """As an .npz file, exact to the bit. Roles are content, not names: they come from the user's
        settings."""
        parts = {f"logits_{place}": one for place, one in enumerate(self.logits.values())}
        head = {"split_seed": np.array(self.split_seed), "y": self.y, "ratio": np.array(self.ratio)}
        winner = self.winner.parts() if self.winner else {}
        return to_npz(**head, roles=np.array(list(self.logits)), **parts, **winner)

    @staticmethod
    def from_npz(content: bytes) -> "Resplit":
        """What `to_npz` wrote. Raises ValueError or KeyError when it is something else."""
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            logits = {str(role): file[f"logits_{place}"] for place, role in enumerate(file["roles"])}
            winner = Trained.from_parts(file) if "train_rows" in file else None
            return Resplit(int(file["split_seed"]), file["y"], float(file["ratio"]), logits, winner)


@dataclass(frozen=True)
class Trained:
    """The winner's networks of one division, those that did not diverge, and what they were trained on."""

    layers: tuple[Layer, ...]
    train_rows: Array  # (n_train,) row numbers in the table
    mean: Array  # (features,), of the scaler
    scale: Array

    def parts(self) -> dict[str, Array]:
        """As named arrays."""
        scaler = {"mean": self.mean, "scale": self.scale}
        return {"train_rows": self.train_rows, **scaler, **layer_parts(self.layers)}

    @staticmethod
    def from_parts(parts: Mapping[str, Array]) -> "Trained":
        """What `parts` gave."""
        return Trained(layers_of(parts), parts["train_rows"], parts["mean"], parts["scale"])


@dataclass(frozen=True)
class Resplits:
    """All of a study: its fresh divisions, and the winner's streams on the study's own split."""

    divisions: tuple[Resplit, ...]
    streams: Array  # (levels^3, n_test), in the order of `stream_seeds`

    def joined(self, anew: Sequence[Resplit]) -> "Resplits":
        """With what the search, made anew, gave on the same divisions."""
        more = {one.split_seed: one.logits for one in anew}
        divisions = tuple(
            dataclasses.replace(one, logits={**one.logits, **more.get(one.split_seed, {})})
            for one in self.divisions
        )
        return dataclasses.replace(self, divisions=divisions)


@dataclass(frozen=True)
class Resplitter:
    """Makes rehearsals for one study, whose test is open: `opening` is the record of it."""

    settings: Settings
    problem: Problem
    frozen: Sequence[Candidate]
    opening: Opening

    def split_key(self, split_seed: int) -> str:
        """Names a rehearsal by all that decides its content: equal keys, equal results. So do the next
        two."""
        configs = [[one.role, self.problem.config_id(one.recipe)] for one in self.frozen]
        return f"split/{_hashed(configs, list(self.settings.rehearsal_seeds))}/{split_seed}"

    def anew_key(self, split_seed: int) -> str:
        whole = self.settings.identity()
        search = [whole["search"], whole["space"], whole["network"], self.settings.trials]
        return f"ideal/{_hashed(search, self.problem.identity, list(self.settings.rehearsal_seeds))}/{split_seed}"

    def streams_key(self) -> str:
        return (
            f"streams/{_hashed(self.problem.config_id(self.frozen[0].recipe), stream_seeds(self.settings))}"
        )

    def frozen_on(self, split_seed: int) -> Resplit:
        """The frozen configurations and the baselines: FixHOptEst of Bouthillier et al. 2021."""
        problem, test = self._redrawn(split_seed)
        fits = {one.role: problem.fit(one.recipe, self.settings.rehearsal_seeds) for one in self.frozen}
        logits = {role: _on(problem, replicas, test) for role, replicas in fits.items()}
        logits |= {rival.role: rival.logits(test.X)[None] for rival in baselines(problem.parts.train)}
        sound = fits["winner"].pick(fits["winner"].sound)
        winner = Trained(sound.fit.layers, problem.parts.train_rows, problem.parts.mean, problem.parts.scale)
        return self._rehearsal(split_seed, problem, test, logits, winner)

    def anew_on(self, split_seed: int, check: Callable[[], None]) -> tuple[Resplit, Recipe]:
        """The whole search repeated on the division's own train and validation rows, its winner on the
        division's test: IdealEst, which pays for the choice too. check: called per trial. Raises Refusal when
        every configuration diverged."""
        problem, test = self._redrawn(split_seed)
        search = Proposals(self.settings)
        for _ in range(self.settings.trials):
            check()
            trial, recipe = search.ask()
            replicas = problem.fit(recipe, self.settings.search_seeds)
            search.tell(trial, objective(replicas, problem.parts.val.y), config_id="", diverged=0)
        winner = search.winner(self.settings.trials)
        if winner is None:
            raise Refusal(
                f"searched anew on split {split_seed}, all {self.settings.trials} configurations diverged; "
                "IDEAL=0 leaves these searches out.",
                1,
            )
        recipe = self.settings.recipe(**winner.params)
        logits = _on(problem, problem.fit(recipe, self.settings.rehearsal_seeds), test)
        return self._rehearsal(split_seed, problem, test, {ANEW: logits}), recipe

    def streams(self, test: Table) -> Array:
        """(levels^3, n) logits of the winner on the study's own test rows, its seed's three streams varied
        one by one: every combination of `levels` seeds for first weights, orders and masks, in the order of
        `stream_seeds`."""
        recipe = self.frozen[0].recipe
        return _on(self.problem, self.problem.fit(recipe, stream_seeds(self.settings)), test)

    def _redrawn(self, split_seed: int) -> tuple[Problem, Table]:
        parts = split(self.problem.data, **{**vars(self.settings.split), "seed": split_seed})
        return dataclasses.replace(self.problem, parts=parts), parts.test.open(lambda _: self.opening)

    def _rehearsal(
        self,
        split_seed: int,
        problem: Problem,
        test: Table,
        logits: Mapping[str, Array],
        winner: Trained | None = None,
    ) -> Resplit:
        return Resplit(split_seed, test.y, len(test.y) / len(problem.parts.train.y), logits, winner)


def check_divisions(settings: Settings, data: Dataset) -> None:
    """That the table can be divided by every split seed, before anything is opened. Raises Refusal."""
    for split_seed in settings.split_seeds:
        try:
            split(data, **{**vars(settings.split), "seed": split_seed})
        except ValueError as fault:
            raise Refusal(
                f"the table cannot be divided anew with split seed {split_seed}: {fault} Nothing was opened;"
                " SPLITS=0 leaves the fresh divisions out."
            ) from None


def _on(problem: Problem, replicas: Replicas, test: Table) -> Array:
    return mask_diverged(replicas, problem.backend.logits(replicas.fit.layers, test.X))


def _hashed(*content: object) -> str:
    return canonical_hash(content)[:16]


def stream_seeds(settings: Settings) -> list[tuple[int, int, int]]:
    """Every (init, order, dropout) triple of the table of streams."""
    first, levels = settings.rehearsal.first_seed, settings.rehearsal.levels
    several = range(first, first + levels)
    return list(itertools.product(several, several, several))
