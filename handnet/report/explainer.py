"""Why the winner's networks call a case as they do: the credits behind its story."""

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np

from handnet.contract import Layer
from handnet.data import Array
from handnet.encode import GAP, Encoder, fit_encoder
from handnet.explain import Explanation, credits_of, explain
from handnet.families import Families, families_of
from handnet.hybrids import Cloud, Outside, Resembling
from handnet.judge import Judge, Question
from handnet.study.networks import Replicas
from handnet.study.resplit import Resplit, Trained
from handnet.study.units import Problem, TargetUnit, in_unit

NEIGHBOURS = 10  # train cases nearest to a case, and to each of its hybrids in the check
CHECKED = 20  # networks in the check by train rows that resemble the case
MOST_ROWS = 2000  # train rows of the cloud; of more, so many evenly spaced
MOST_RESEMBLING = 400  # of the check, which measures every set of families against each of them


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
        self, problem: Problem, judge: Judge, replicas: Replicas, divisions: Sequence[Resplit]
    ) -> None:
        self.problem, self.judge, self.parts, self.data = problem, judge, problem.parts, problem.data
        self.layers = replicas.pick(replicas.sound).fit.layers
        self.trained = [division.winner for division in divisions]
        self._starts: dict[int | None, Start] = {}

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
    def checked(self) -> tuple[Layer, ...]:
        """The networks of the check, evenly spaced among all: they give it in a tenth of the time."""
        layers = self.layers
        which = np.unique(np.linspace(0, len(layers[0].weight) - 1, CHECKED).astype(int))
        return tuple(Layer(layer.weight[which], layer.bias[which]) for layer in layers)

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
        outputs = self.problem.outputs(self.layers, self.parts.scaled(self.data.X[[row]]))
        return self.judge.question(outputs[:, 0], self.data.y[row])

    def explanation(self, row: int) -> Explanation:
        """Of one row of the table."""
        question = self.question(row)
        x, baseline = self.ends(row, question)
        networks = credits_of(question, self._outputs(self.layers), x, baseline, self.families)
        checked = self._outputs(self.checked)
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
        for place, trained in enumerate(self.trained):
            if trained is None or row in trained.train_rows or not len(trained.layers[0].weight):
                continue
            encode, _ = self.encoders[place]
            own = encode(self.data.X[[row]])[0]
            x, base = ((values - trained.mean) / trained.scale for values in (own, redrawn[place]))
            families = self.families.for_columns(self.parts.encoder.families, encode.families)
            outputs = self._outputs(_network(trained, place), trained.train_rows)
            credits.append(credits_of(question, outputs, x, base, families).credits[0])
        return np.array(credits).reshape(len(credits), len(self.families.names))

    def _outputs(
        self, layers: tuple[Layer, ...], train_rows: Array | None = None
    ) -> Callable[[Array], Array]:
        """Rows to outputs of these networks. train_rows: those they learnt from, if not the study's own."""
        unit = self.problem.target_unit
        if unit and train_rows is not None:
            y = self.data.y[train_rows]
            unit = TargetUnit(float(y.mean()), float(y.std()))
        return lambda rows: in_unit(self.problem.backend.logits(layers, rows), unit)

    def _mean(self, encode: Encoder, rows: Array, label: int | None) -> Array:
        """(inputs,) the mean of those rows of the table (n,) that are of a class, or of all."""
        return np.asarray(encode(self.data.X[rows[self._of(label, rows)]]).mean(axis=0))

    def _of(self, label: int | None, rows: Array) -> Array:
        """(n,) bool: which rows of the table (n,) are of a class; all where it is None."""
        return np.ones(len(rows), dtype=bool) if label is None else self.data.y[rows] == label


def _network(trained: Trained, place: int) -> tuple[Layer, ...]:
    """One of the networks of a division: another seed with each division."""
    which = [place % len(trained.layers[0].weight)]
    return tuple(Layer(layer.weight[which], layer.bias[which]) for layer in trained.layers)


def _some(rows: Array, most: int) -> Array:
    """The rows, or so many of them, evenly spaced."""
    if len(rows) <= most:
        return rows
    return rows[np.linspace(0, len(rows) - 1, most).astype(int)]
