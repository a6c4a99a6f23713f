"""Two models side by side: the same cases in the same order, and the same seeds where both have them."""

from dataclasses import dataclass, replace

import numpy as np

from handnet.data import Array
from handnet.messages import Refusal
from handnet.predictions.divisions import pooled
from handnet.predictions.form import SPLIT, Cases, Predicted, Results
from handnet.scores import finite_replicas


@dataclass(frozen=True, eq=False)
class Aligned:
    """What two models said of the same cases.

    ours, theirs: outputs (R, n) or (R, n, k) and (Q, n) or (Q, n, k), NaN for a seed that diverged; paired:
    whether row r of both is of the same seed; alone: how many cases of each side the other one lacks.
    """

    cases: Cases
    ours: Array
    theirs: Array
    paired: bool
    alone: tuple[int, int]

    @property
    def sound(self) -> tuple[Array, Array]:
        """Both without the seeds that diverged, of pairs without those of which either diverged."""
        kept = finite_replicas(self.ours), finite_replicas(self.theirs)
        if self.paired:
            kept = (kept[0] & kept[1],) * 2
        return self.ours[kept[0]], self.theirs[kept[1]]

    @property
    def diverged(self) -> tuple[int, int]:
        """How many seeds of each side diverged."""
        ours, theirs = (int((~finite_replicas(side)).sum()) for side in (self.ours, self.theirs))
        return ours, theirs


def aligned(ours: Predicted, theirs: Predicted) -> Aligned:
    """Both on the cases that they have in common, in the order of ours; there may be none.

    Raises Refusal where they have different truths of a case."""
    at, there = _common(ours.cases.ids, theirs.cases.ids)
    wrong = np.flatnonzero(ours.cases.y[at] != theirs.cases.y[there])
    if len(wrong):
        raise Refusal(
            f"the truth of the case {str(ours.cases.ids[at[wrong[0]]])!r} is not the same for {ours.model}"
            f" and {theirs.model}; mend it, or give the cases ids of their own."
        )
    cases = _some(ours.cases, at)
    cases = replace(cases, others=cases.others or theirs.cases.others)
    paired = bool(ours.seeds) and set(ours.seeds) == set(theirs.seeds)
    rows = [theirs.seeds.index(seed) for seed in ours.seeds] if paired else slice(None)
    alone = len(ours.cases) - len(at), len(theirs.cases) - len(there)
    return Aligned(cases, ours.outputs[:, at], theirs.outputs[rows][:, there], paired, alone)


def _common(ours: Array, theirs: Array) -> tuple[Array, Array]:
    """The places of the ids that both have, in the order of ours."""
    if np.array_equal(ours, theirs):
        return np.arange(len(ours)), np.arange(len(theirs))
    _, at, there = np.intersect1d(ours, theirs, assume_unique=True, return_indices=True)
    order = np.argsort(at)
    return at[order], there[order]


def _some(cases: Cases, at: Array) -> Cases:
    if len(at) == len(cases):
        return cases
    groups = None if cases.groups is None else cases.groups[at]
    return replace(cases, ids=cases.ids[at], y=cases.y[at], groups=groups)


def on_one_division(results: Results, ours: str, theirs: str, split: str | None) -> Aligned | None:
    """Both on the division that is asked for; else on the study's own, on all together where each holds cases
    of its own, or on the first that both have. None where they have none in common."""
    a, b = (results.of(model, results.parts[-1]) for model in (ours, theirs))
    shared = [name for name in a if name in b and split in (None, name)]
    if not shared:
        return None
    if SPLIT not in shared and len(shared) > 1:
        together = [pooled([side[name] for name in shared]) for side in (a, b)]
        if together[0] and together[1]:
            return aligned(together[0], together[1])
    name = SPLIT if SPLIT in shared else shared[0]
    return aligned(a[name], b[name])


def on_each_division(results: Results, ours: str, theirs: str) -> list[Aligned]:
    """Both on every division that both have but the study's own, which fresh ones stand beside."""
    a, b = (results.of(model, results.parts[-1]) for model in (ours, theirs))
    return [aligned(a[name], b[name]) for name in a if name in b and name != SPLIT]
