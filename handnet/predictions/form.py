"""What models that were trained elsewhere have said: outputs by seed and case.

A Results is read from a table, from MLflow, from scikit-learn or from a study, and is judged without a
question of where it came from.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace

from handnet.bands.clusters import number_of_groups
from handnet.data import Array
from handnet.scores import OfCalls, Score, Share
from handnet.tasks import Task

OPENED_ELSEWHERE = "These test rows were opened elsewhere: this report cannot say how often."
SPLIT, PART, MODEL = "study", "test", "model"  # what they are called where a table does not say


@dataclass(frozen=True, eq=False)
class Cases:
    """The cases of one part of one division of a table.

    ids: (n,) str; y: (n,) the truth, int8 classes from 0 or float64; groups: (n,) int, None where every case
    is its own; others: how many rows of the table are not among the test rows of this division, None where
    that is not known.
    """

    split: str
    part: str
    ids: Array
    y: Array
    groups: Array | None = None
    others: int | None = None

    def __len__(self) -> int:
        return len(self.y)

    @property
    def ratio(self) -> float | None:
        """n_test / (n - n_test), as `handnet.bands.compare.nadeau_bengio` wants it."""
        return len(self) / self.others if self.others else None


@dataclass(frozen=True, eq=False)
class Predicted:
    """What one model said of some cases.

    seeds: R of them, as text, in the order of the outputs; empty for a model without a seed, which has R = 1.
    outputs: (R, n) or (R, n, k) float64, in the order of the cases: logits, or guesses of a number, NaN for a
    seed that diverged; quantiles: of a number, level -> guessed quantile (R, n).
    """

    model: str
    cases: Cases
    seeds: tuple[str, ...]
    outputs: Array
    quantiles: Mapping[float, Array] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Scored:
    """The poorer form: the scores of one model on one part of one division, and nothing of its cases.

    seeds: R of them, as text; empty for a model without a seed, which has R = 1; scores: by name, (R,), NaN
    where one is missing; n: how many cases, None where that is not known; others: as in `Cases`.
    """

    model: str
    split: str
    part: str
    seeds: tuple[str, ...]
    scores: Mapping[str, Array]
    n: int | None = None
    others: int | None = None


@dataclass(frozen=True, eq=False)
class Results:
    """All that one source holds.

    source: what it is called in sentences; task: None of scores alone, which do not tell it; classes: the
    labels in the order of their numbers, of two classes the positive one last, of a number none; target: what
    the measured number is called; hard: whether there are labels alone, so that outputs are -1 and 1, or 0
    and 1; predicted, scored: one for each model, division and part, models in the order of the source; notes:
    what is to be told of the source, in whole sentences; opened: a sentence on how often its test rows have
    been opened; higher: of scores that are not ours, whether more is better, where the reader has said so.
    """

    source: str
    task: Task | None
    classes: tuple[str, ...]
    predicted: tuple[Predicted, ...]
    scored: tuple[Scored, ...] = ()
    target: str = ""
    hard: bool = False
    notes: tuple[str, ...] = ()
    opened: str = OPENED_ELSEWHERE
    higher: Mapping[str, bool] = field(default_factory=dict)

    @property
    def models(self) -> tuple[str, ...]:
        """The names of the models, in the order of the source."""
        names = [one.model for one in self.predicted] + [one.model for one in self.scored]
        return tuple(dict.fromkeys(names))

    def of(self, model: str, part: str = PART) -> dict[str, Predicted]:
        """What a model said of one part, by division."""
        return {
            one.cases.split: one for one in self.predicted if (one.model, one.cases.part) == (model, part)
        }

    def scored_of(self, model: str, part: str = PART) -> dict[str, Scored]:
        """The scores of a model on one part, by division."""
        return {one.split: one for one in self.scored if (one.model, one.part) == (model, part)}

    def only(self, models: Collection[str]) -> "Results":
        """The results of these models alone."""
        predicted = tuple(one for one in self.predicted if one.model in models)
        scored = tuple(one for one in self.scored if one.model in models)
        return replace(self, predicted=predicted, scored=scored)

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts there are, the test last."""
        found = {one.cases.part for one in self.predicted} | {one.part for one in self.scored}
        return tuple(sorted(found, key=lambda part: (part == PART, part)))

    def carried(self) -> Iterator[Score]:
        """The scores that these outputs can carry: of labels alone those of the calls."""
        for score in self.task.all_scores if self.task else ():
            of_calls = isinstance(score, Share | OfCalls) and not score.name.startswith("top_")
            if of_calls or not self.hard:
                yield score


def groups_of(cases: Cases) -> int:
    """How many groups the cases are of, 0 where every case is its own."""
    return number_of_groups(cases.groups)
