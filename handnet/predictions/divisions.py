"""Which cases of a model are judged: those of one division, or of all where each holds cases of its own."""

from collections.abc import Mapping, Sequence

import numpy as np

from handnet.data import Array
from handnet.messages import Refusal
from handnet.predictions.form import PART, SPLIT, Cases, Predicted, Results

POOLED = "all divisions"  # what they are called together


def judged_of(results: Results, model: str, part: str = PART, split: str | None = None) -> Predicted | None:
    """What a model said of the cases that its bands over cases are of; None where it said nothing of them.

    split: the division that is asked for. Without one it is the study's own; or all divisions together, where
    each holds cases of its own and all have the same seeds, as in a cross-validation; or the first.
    """
    by_split = results.of(model, part)
    if split is not None:
        return by_split.get(split)
    if SPLIT in by_split:
        return by_split[SPLIT]
    return pooled(list(by_split.values())) or next(iter(by_split.values()), None)


def check_split(results: Results, split: str | None) -> None:
    """Raise Refusal when no model has this division."""
    known = {one.cases.split for one in results.predicted} | {one.split for one in results.scored}
    if split is not None and split not in known:
        shown = ", ".join(sorted(known)[:10])
        raise Refusal(f"{results.source} has no division {split!r}; it has {shown}.")


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


def over_divisions(by_split: Mapping[str, Predicted]) -> list[tuple[Array, Array]]:
    """The outputs (R, n) or (R, n, k) of a model on each division, with y (n,); the study's own is left out,
    which fresh divisions stand beside."""
    return [(one.outputs, one.cases.y) for name, one in by_split.items() if name != SPLIT]
