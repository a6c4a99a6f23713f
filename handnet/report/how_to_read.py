"""How the stories of single cases are read, in a paragraph."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from handnet.report.model_words import OURS, Studied
from handnet.study.naming import told


class _Method(NamedTuple):
    """What differs between the tasks.

    shared: what the families share; start: from which case on; number: its name; nearest: of which train
    cases the nearest are taken; turns: what an over-trusted family does.
    """

    shared: str
    start: str
    number: str
    nearest: str
    turns: str


_TURNS = "turns the call in at least half of the seeds that are wrong"
_METHODS = {
    "two classes": _Method(
        "on the logit", "the mean train case of the negative class", "logit", " of the negative class", _TURNS
    ),
    "many classes": _Method(
        "on the margin, the logit of the class that a case is most often called in place of its own minus the"
        " logit of its own",
        "the mean train case of its own class",
        "margin",
        " of its own class",
        _TURNS,
    ),
    "a number": _Method(
        "on the guess, in the unit of the target",
        "the mean train case",
        "guess",
        "",
        "brings the guess within the tolerance in at least half of the seeds that are off by more",
    ),
}


def how_to_read_stories(judged: Mapping[str, Any], model: Studied = OURS) -> str:
    """How the stories of a report are made. judged: its part of that name; model: what is studied."""
    method = _METHODS[judged["task"]]
    measured = "" if model.unit == "network" else " They were networks, not models of this kind."
    return (
        f"Credits are exact Shapley values of each family of measurements {method.shared}: what its own"
        f" values add to {method.start} (of a text or a mark of gaps, their shares there). They lead from"
        f" that case's {method.number} to the case's own. Families whose columns correlate above .9 are one."
        " They are measured on hybrids, which have the case's values in some families and the mean case's in"
        " the others; how many of these lie outside the cloud of the train cases is said. A family is named"
        " when its credit, from the .05 to the .95 quantile, has one sign over seeds and over the fresh"
        " divisions that held the case out of training, and when the sign is the same with the other families"
        f" taken from the 10 nearest train cases{method.nearest} instead (after Aas, Jullum & Loland 2021;"
        f" the mean of at most 20 seeds). It is over-trusted when putting it back alone {method.turns}. All"
        f" of this says what the {model.units} used, nothing about causes. {told(judged['task'])}{measured}"
    )
