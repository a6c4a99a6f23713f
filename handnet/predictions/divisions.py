"""Which cases of a model are judged: those of one division, or of all where each holds cases of its own."""

from collections.abc import Sequence

import numpy as np

from handnet.data import Array
from handnet.messages import Refusal
from handnet.predictions.form import PART, SPLIT, Cases, Predicted, Results

POOLED = "all divisions"  # what they are called together
POOLED_NOTE = (
    "The divisions hold cases of their own, as the folds of a cross-validation do, so bands over cases are of"
    " all their cases together: each case was predicted by networks that another fold's cases were not."
)
Judged = dict[tuple[str, str], Predicted]  # (model, part) -> what its bands over cases are of


def judged_of(results: Results, split: str | None = None) -> Judged:
    """What bands over cases are of, by model and part, in the order of the models and of the parts.

    split: the division that is asked for. Without one it is the study's own where a model has one; or all
    divisions of a model together, where each holds cases of its own and all have the same seeds, as in a
    cross-validation; or the model's first. A model that has nothing of it is missing. Raises Refusal when no
    model has the division that is asked for.
    """
    known = dict.fromkeys(one.cases.split for one in results.predicted)
    if split is not None and split not in known:
        shown = ", ".join(list(known)[:10])
        raise Refusal(f"{results.source} has no predictions of a division {split!r}; it has {shown}.")
    own = {one.cases.part for one in results.predicted if one.cases.split == SPLIT}
    judged = {}
    for model in results.models:
        for part in results.parts:
            found = _one(results.of(model, part), split or (SPLIT if part in own else None))
            if found:
                judged[model, part] = found
    return judged


def _one(by_split: dict[str, Predicted], split: str | None) -> Predicted | None:
    """What is judged of a model and part; None where there is nothing of it."""
    if split is not None:
        return by_split.get(split)
    return pooled(list(by_split.values())) or next(iter(by_split.values()), None)


def pooled(parts: Sequence[Predicted]) -> Predicted | None:
    """Several divisions of one model as one; None of fewer than two, of those that share a case, and of those
    whose seeds or quantiles differ."""
    first = parts[0] if parts else None
    if first is None or len(parts) < 2:
        return None
    ids = np.concatenate([one.cases.ids for one in parts])
    alike = all(
        (one.seeds, len(one.outputs), tuple(one.quantiles))
        == (first.seeds, len(first.outputs), tuple(first.quantiles))
        for one in parts
    )
    if not alike or len(np.unique(ids)) < len(ids):
        return None
    outputs = np.concatenate([one.outputs for one in parts], axis=1)
    quantiles = {
        level: np.concatenate([one.quantiles[level] for one in parts], axis=1) for level in first.quantiles
    }
    return Predicted(
        first.model, _together([one.cases for one in parts], ids), first.seeds, outputs, quantiles
    )


def _together(parts: Sequence[Cases], ids: Array) -> Cases:
    """The cases of several divisions as one."""
    groups = [one.groups for one in parts if one.groups is not None]
    return Cases(
        POOLED,
        parts[0].part,
        ids,
        np.concatenate([one.y for one in parts]),
        np.concatenate(groups) if len(groups) == len(parts) else None,
    )


def over_divisions(results: Results, model: str) -> list[tuple[Array, Array]]:
    """The outputs (R, n) or (R, n, k) of a model on the test of each division, with y (n,); without
    the study's own, which fresh divisions stand beside."""
    by_split = results.of(model, PART)
    return [(one.outputs, one.cases.y) for name, one in by_split.items() if name != SPLIT]


def notes_of(judged: Judged, splits: int) -> list[str]:
    """What is to be told of the choice of the cases. splits: how many divisions there are in all."""
    found = dict.fromkeys(one.cases.split for one in judged.values())
    notes = [POOLED_NOTE] if POOLED in found else []
    named = [name for name in found if name != POOLED]
    if splits > 1 and named:
        which = "the division" if len(named) == 1 else "the divisions"
        told = "the study's own division" if named == [SPLIT] else f"{which} {', '.join(named[:5])} alone"
        notes.append(f"Bands over cases are of {told}.")
    return notes
