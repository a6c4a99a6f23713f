"""The lesson with every number in view: the chapter's network of one clerk, then one patient through every
weight.

Plain facts, ready for the screen and the page; all arithmetic is handnet/mlp/.
"""

from dataclasses import dataclass

from experiments.walk.chapter import Chapter, chapter
from experiments.walk.check import Backward
from experiments.walk.patient import Patient, patient
from handnet.data import Dataset
from handnet.mlp.network import backward
from handnet.splits import Split


@dataclass(frozen=True)
class Walk:
    """Both walks. train: how many cases the train part has."""

    chapter: Chapter
    patient: Patient
    train: int

    @property
    def agrees(self) -> bool:
        """Whether every slope of both agrees with its finite difference."""
        return self.chapter.agrees and self.patient.check.agrees


def walk(
    data: Dataset, parts: Split, case: str | None = None, seed: int = 0, back: Backward = backward
) -> Walk:
    """Both walks. See `patient` for case and seed, and for what is refused; back: the backward pass put to
    the test."""
    return Walk(chapter(back), patient(data, parts, case, seed, back), len(parts.train.y))
