"""Sentences computed from the results. A template states no result: whatever the report says in words is made here."""

from collections.abc import Sequence

import numpy as np

from experiments.summary import Confirmed
from handnet.bands import wilson
from handnet.data import Array
from handnet.grade import grade


def statements(confirmed: Sequence[Confirmed], y_val: Array, test: tuple[Array, Array] | None) -> list[str]:
    """What a reader asks first, counted seed by seed: is it better than logistic regression, did the search pay?
    Counts and intervals; the tests that may word a verdict are not among them."""
    roles = {one.role: one for one in confirmed}
    winner, rival = roles["winner"], roles["logistic regression"]
    part, y = ("test", test[1]) if test else ("validation", y_val)
    logits = [one.test_logits if test else one.val_logits for one in (winner, rival)]
    lines = []
    if (
        winner.replicas is not None
        and logits[0] is not None
        and logits[1] is not None
        and winner.replicas.sound.sum() > 1
    ):
        right = ((logits[0][winner.replicas.sound] > 0) == (y == 1)).sum(axis=1)
        bar = int(((logits[1] > 0) == (y == 1)).sum())
        lines.append(_against(right, bar, len(y), part))
        if not test:
            lines[-1] += " The winner was chosen on these very cases, which flatters it."
    lines += [_paired(winner, one, y_val) for one in confirmed if one.recipe and one.role != "winner"]
    return [line for line in lines if line]


def _against(right: Array, bar: int, n: int, part: str) -> str:
    """How the seeds of a network compare with one deterministic rival on the same cases."""
    more, same, fewer = int((right > bar).sum()), int((right == bar).sum()), int((right < bar).sum())
    median = float(np.median(right))
    network, rival = wilson(float(right.mean()), n), wilson(bar, n)
    if median <= bar:
        verdict = "At its median seed the network does not beat it."
    elif network.low <= rival.high:
        verdict = "The intervals overlap: these cases do not show the network to beat it."
    else:
        verdict = "The intervals do not overlap."
    return (f"On the {n} {part} cases logistic regression calls {bar} right. Of {len(right)} seeds of the winner {more} call more "
            f"right, {same} as many and {fewer} fewer; the median seed calls {median:g}. Over other cases, Wilson's 95 % interval "
            f"is [{network.low:.3f}, {network.high:.3f}] for the network's mean and [{rival.low:.3f}, {rival.high:.3f}] for "
            f"logistic regression. {verdict}")  # fmt: skip


def _paired(winner: Confirmed, other: Confirmed, y_val: Array) -> str:
    """On how many of the same fresh seeds the search's winner has the lower validation loss."""
    assert winner.replicas is not None
    assert other.replicas is not None
    both = winner.replicas.sound & other.replicas.sound
    if not both.any():
        return ""
    ours, theirs = (grade(one.val_logits[both], y_val).log_loss for one in (winner, other))
    return (f"The winner's validation log loss is lower than that of {other.role} on {int((ours < theirs).sum())} of the same "
            f"{int(both.sum())} fresh seeds.")  # fmt: skip
