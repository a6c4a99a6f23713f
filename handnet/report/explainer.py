"""Why the winner's networks call a case as they do: the credits behind its story."""

from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np

from handnet.data import Array
from handnet.encode import GAP, Encoder, fit_encoder
from handnet.explain import Explanation, credits_of, explain
from handnet.families import Families, families_of
from handnet.hybrids import Cloud, Outside, Resembling
from handnet.judge import Judge, Question
from handnet.study.answers import Answers, NetworkAnswers, Refits
from handnet.study.division import Resplit
from handnet.study.networks import Replicas
from handnet.study.units import Problem, TargetUnit

NEIGHBOURS = 10  # train cases nearest to a case, and to each of its hybrids in the check
CHECKED = 20  # networks in the check by train rows that resemble the case
MOST_ROWS = 2000  # train rows of the cloud; of more, so many evenly spaced
MOST_RESEMBLING = 400  # of the check, which measures every set of families against each of them
REFITTED = 20  # models that are fitted again to explain cases
MOST_WANTED = 200_000  # rows that each of them is asked for


class Start(NamedTuple):
    """Where credits start: the mean of some train cases, of a text the share of each level among them.

    baseline: (inputs,), unscaled; redrawn: the same in each fresh division; resembling: the check by the
    train rows of which the baseline is the mean. Other rows would ask another question.
    """

    baseline: Array
    redrawn: Sequence[Array]
    resembling: Resembling


class Explainer:
    """Why the winner's networks call a case as they do, here and on fresh divisions."""

    def __init__(
        self,
        problem: Problem,
        judge: Judge,
        replicas: Replicas,
        divisions: Sequence[Resplit],
        refits: Refits | None = None,
    ) -> None:
        """refits: where no weights are kept; then `prepare` comes first."""
        self.problem, self.judge, self.parts, self.data = problem, judge, problem.parts, problem.data
        self.refits, self.trained = refits, [division.winner for division in divisions]
        sound = replicas.pick(replicas.sound)
        if refits is None:
            layers, unit = sound.fit.layers, problem.target_unit
            self.networks: Answers = NetworkAnswers(layers, problem.backend, unit)
        else:
            self.networks = refits.answers(_spaced(sound.seeds, REFITTED))
        self.one_each = [self._of_division(division, place) for place, division in enumerate(divisions)]
        self._starts: dict[int | None, Start] = {}
        self._told: set[int] = set()

    def prepare(self, rows: Sequence[int]) -> str:
        """Ask the models that are fitted again for all that the explanations of these rows of the table take.

        Returns why they are not explained, or not all of them: the last are left out; "" where all are."""
        if self.refits is None:
            return ""
        told = []
        for row in rows:
            if self.refits.rows > MOST_WANTED:
                break
            self.explanation(row)  # of zeros; it collects the rows
            told.append(row)
        why = self.refits.gather()
        self._told = set() if why else set(told)
        if why or len(told) == len(rows):
            return why
        return f"after those of {len(told)} cases, more than {MOST_WANTED} rows would be wanted of each model"

    def explains(self, row: int) -> bool:
        """Whether a row of the table can be explained."""
        return self.refits is None or row in self._told

    @cached_property
    def families(self) -> Families:
        """Those of the inputs."""
        encoder = self.parts.encoder
        return families_of(encoder.families, self.parts.train.X, encoder.kind == GAP)

    @cached_property
    def cloud(self) -> Cloud:
        """That of the train rows."""
        return Cloud(_some(self.parts.train.X, MOST_ROWS))

    @cached_property
    def checked(self) -> Answers:
        """The networks of the check, evenly spaced among all: they give it in a tenth of the time."""
        return self.networks.pick(np.unique(np.linspace(0, self.networks.n - 1, CHECKED).astype(int)))

    @cached_property
    def encoders(self) -> list[tuple[Encoder, Array]]:
        """The encoder of each fresh division, learnt from its train rows, and these rows."""
        rows = [trained.train_rows if trained else self.parts.train_rows for trained in self.trained]
        return [(fit_encoder(self.data, train), train) for train in rows]

    def start(self, label: int | None) -> Start:
        """Where credits start from train cases of class `label`, or from all where it is None."""
        if label not in self._starts:
            rows = self.parts.train.X[self._of(label, self.parts.train_rows)]
            self._starts[label] = Start(
                self._mean(self.parts.encoder, self.parts.train_rows, label),
                [self._mean(encode, train, label) for encode, train in self.encoders],
                Resembling(self.families, _some(rows, MOST_RESEMBLING), NEIGHBOURS),
            )
        return self._starts[label]

    def question(self, row: int) -> Question:
        """What is asked of a row of the table."""
        outputs = self.networks.outputs(self.parts.scaled(self.data.X[[row]]))
        return self.judge.question(outputs[:, 0], self.data.y[row])

    def explanation(self, row: int) -> Explanation:
        """Of one row of the table."""
        question = self.question(row)
        x, baseline = self.ends(row, question)
        networks = credits_of(question, self.networks.outputs, x, baseline, self.families)
        checked = self.checked.outputs
        resembling = self.start(question.start).resembling
        nearest = resembling.credits(lambda rows: question.value(checked(rows)), x)
        return explain(question, networks, self._over_divisions(row, question), nearest)

    def outside(self, row: int, question: Question) -> Outside:
        """How many hybrids of a row of the table and the baseline lie outside the cloud of train rows."""
        return self.cloud.outside(self.families.rows(*self.ends(row, question))[1:-1])

    def ends(self, row: int, question: Question) -> tuple[Array, Array]:
        """A row of the table and the baseline as the networks get them, (inputs,) each."""
        own, baseline = self.parts.encoder(self.data.X[[row]])[0], self.start(question.start).baseline
        return (own - self.parts.mean) / self.parts.scale, (baseline - self.parts.mean) / self.parts.scale

    def neighbours(self, row: int) -> Array:
        """(10,) the rows of the nearest train cases, the nearest first."""
        others = self.parts.train_rows != row
        away = self.parts.train.X[others] - self.parts.scaled(self.data.X[[row]])
        places = np.argsort(np.square(away).sum(axis=1), kind="stable")[:NEIGHBOURS]
        return self.parts.train_rows[others][places]

    def _over_divisions(self, row: int, question: Question) -> Array:
        """(K, k): the credits in one network of each fresh division that held the case out of training."""
        credits, redrawn = [], self.start(question.start).redrawn
        for place, (trained, one) in enumerate(zip(self.trained, self.one_each, strict=True)):
            if trained is None or one is None or row in trained.train_rows:
                continue
            encode, _ = self.encoders[place]
            own = encode(self.data.X[[row]])[0]
            x, base = ((values - trained.mean) / trained.scale for values in (own, redrawn[place]))
            families = self.families.for_columns(self.parts.encoder.families, encode.families)
            credits.append(credits_of(question, one.outputs, x, base, families).credits[0])
        return np.array(credits).reshape(len(credits), len(self.families.names))

    def _of_division(self, division: Resplit, place: int) -> Answers | None:
        """One of the winner's sound networks on a division: another seed with each division."""
        trained = division.winner
        if trained is None or not trained.n:
            return None
        which = place % trained.n
        if self.refits is not None:
            return self.refits.answers([trained.seeds[which]], division.split_seed)
        unit = self.problem.target_unit
        if unit:
            y = self.data.y[trained.train_rows]
            unit = TargetUnit(float(y.mean()), float(y.std()))
        return NetworkAnswers(trained.layers, self.problem.backend, unit).pick([which])

    def _mean(self, encode: Encoder, rows: Array, label: int | None) -> Array:
        """(inputs,) the mean of those rows of the table (n,) that are of a class, or of all."""
        return np.asarray(encode(self.data.X[rows[self._of(label, rows)]]).mean(axis=0))

    def _of(self, label: int | None, rows: Array) -> Array:
        """(n,) bool: which rows of the table (n,) are of a class; all where it is None."""
        return np.ones(len(rows), dtype=bool) if label is None else self.data.y[rows] == label


def _spaced(seeds: Sequence[int], most: int) -> list[int]:
    """The seeds, or so many of them, evenly spaced."""
    return [seeds[place] for place in np.linspace(0, len(seeds) - 1, min(most, len(seeds))).astype(int)]


def _some(rows: Array, most: int) -> Array:
    """The rows, or so many of them, evenly spaced."""
    if len(rows) <= most:
        return rows
    return rows[np.linspace(0, len(rows) - 1, most).astype(int)]
