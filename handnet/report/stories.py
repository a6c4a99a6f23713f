"""The story of a case: why the winner's networks call it as they do, as facts and as a sentence."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy.special import expit

from handnet.bands import Band
from handnet.contract import Layer
from handnet.data import Array, Dataset
from handnet.encode import Encoder, fit_encoder
from handnet.explain import Credits, Explanation, FamilyCredit, credits_of, explain
from handnet.families import Families, families_of
from handnet.hybrids import Cloud, Outside, Resembling
from handnet.report.words import number, of_class, part_name
from handnet.study.networks import Replicas
from handnet.study.quantity import band_facts
from handnet.study.resplit import Resplit, Trained
from handnet.study.units import Problem

NAMED = 3  # families a sentence lists before it counts the rest
NEIGHBOURS = 10  # train cases nearest to a case, and to each of its hybrids in the check
CHECKED = 20  # networks in the check by train rows that resemble the case
MOST_ROWS = 2000  # train rows of the cloud; of more, so many evenly spaced
MOST_RESEMBLING = 400  # of the check, which measures every set of families against each of them


class Explainer:
    """Why the winner's networks call a case as they do, here and on fresh divisions."""

    def __init__(self, problem: Problem, replicas: Replicas, divisions: Sequence[Resplit]) -> None:
        self.problem, self.parts, self.data = problem, problem.parts, problem.data
        self.rows = {str(case): row for row, case in enumerate(problem.data.case_ids)}
        self.layers = replicas.pick(replicas.sound).fit.layers
        self.trained = [division.winner for division in divisions]

    def story(self, record: Mapping[str, Any]) -> dict[str, Any]:
        """A row of `missed` with its sentence, the credits behind it, and its neighbours."""
        row = self.rows[record["case"]]
        explanation, neighbours = self.explanation(row), self.neighbours(row)
        outside = self.outside(row)
        credits = sorted(explanation.credits, key=lambda credit: -abs(credit.seeds.centre("mean")))
        trusted = [credit.family for credit in explanation.credits if explanation.over_trusted(credit)]
        labels, base_rate = [label for _, label in neighbours], float(self.parts.train.y.mean())
        told = _Told(record, explanation, outside, labels, base_rate, self.data, row)
        return {
            **record,
            "sentence": told.sentence(),
            "start": _logit(explanation.start),
            "own": _logit(explanation.own),
            "named": list(explanation.named),
            "doubted": list(explanation.doubted),
            "over_trusted": trusted,
            "flipped": explanation.flipped,
            "credits": [_credit(credit) for credit in credits],
            "outside": outside._asdict(),
            "neighbours": [
                {"case": case, "class": self.data.class_names[label]} for case, label in neighbours
            ],
        }

    @cached_property
    def families(self) -> Families:
        """Those of the inputs."""
        return families_of(self.parts.encoder.families, self.parts.train.X)

    @cached_property
    def cloud(self) -> Cloud:
        """That of the train rows."""
        return Cloud(_some(self.parts.train.X, MOST_ROWS))

    @cached_property
    def resembling(self) -> Resembling:
        """The check by train rows of class 0, of which the baseline is the mean.

        Rows of both classes would ask another question: what sets a case apart from the average of all cases.
        """
        rows = self.parts.train.X[self.parts.train.y == 0]
        return Resembling(self.families, _some(rows, MOST_RESEMBLING), NEIGHBOURS)

    @cached_property
    def checked(self) -> tuple[Layer, ...]:
        """The networks of the check, evenly spaced among all: they give it in a tenth of the time."""
        layers = self.layers
        which = np.unique(np.linspace(0, len(layers[0].weight) - 1, CHECKED).astype(int))
        return tuple(Layer(layer.weight[which], layer.bias[which]) for layer in layers)

    @cached_property
    def baseline(self) -> Array:
        """(inputs,), unscaled: the mean of the class-0 rows of train; of a text the share of each level."""
        return self._mean_of_class_0(self.parts.encoder, self.parts.train_rows)

    @cached_property
    def redrawn(self) -> list[tuple[Encoder, Array]]:
        """The encoder of each fresh division, learnt from its train rows, and the baseline there."""
        rows = [trained.train_rows if trained else self.parts.train_rows for trained in self.trained]
        encoders = [fit_encoder(self.data, train) for train in rows]
        return [
            (each, self._mean_of_class_0(each, train)) for each, train in zip(encoders, rows, strict=True)
        ]

    def explanation(self, row: int) -> Explanation:
        """Of one row of the table."""
        x, baseline = self.ends(row)
        networks = self._credits(self.layers, x, baseline, self.families)
        nearest = self.resembling.credits(lambda rows: self.problem.backend.logits(self.checked, rows), x)
        return explain(int(self.data.y[row]), networks, self._over_divisions(row), nearest)

    def outside(self, row: int) -> Outside:
        """How many hybrids of a row of the table and the baseline lie outside the cloud of train rows."""
        return self.cloud.outside(self.families.rows(*self.ends(row))[1:-1])

    def ends(self, row: int) -> tuple[Array, Array]:
        """A row of the table and the baseline as the networks get them, (inputs,) each."""
        own = self.parts.encoder(self.data.X[[row]])[0]
        return (own - self.parts.mean) / self.parts.scale, (
            self.baseline - self.parts.mean
        ) / self.parts.scale

    def neighbours(self, row: int) -> list[tuple[str, int]]:
        """Ids and classes of the nearest train cases, the nearest first."""
        others = self.parts.train_rows != row
        away = self.parts.train.X[others] - self.parts.scaled(self.data.X[[row]])
        places = np.argsort(np.square(away).sum(axis=1), kind="stable")[:NEIGHBOURS]
        rows = self.parts.train_rows[others][places]
        return [(str(self.data.case_ids[other]), int(self.data.y[other])) for other in rows]

    def _over_divisions(self, row: int) -> Array:
        """(K, k): the credits in one network of each fresh division that held the case out of training."""
        credits = []
        for place, trained in enumerate(self.trained):
            if trained is None or row in trained.train_rows or not len(trained.layers[0].weight):
                continue
            encode, baseline = self.redrawn[place]
            own = encode(self.data.X[[row]])[0]
            x, base = ((values - trained.mean) / trained.scale for values in (own, baseline))
            families = self.families.for_columns(self.parts.encoder.families, encode.families)
            credits.append(self._credits(_network(trained, place), x, base, families).credits[0])
        return np.array(credits).reshape(len(credits), len(self.families.names))

    def _mean_of_class_0(self, encode: Encoder, rows: Array) -> Array:
        return np.asarray(encode(self.data.X[rows[self.data.y[rows] == 0]]).mean(axis=0))

    def _credits(self, layers: tuple[Layer, ...], x: Array, baseline: Array, families: Families) -> Credits:
        return credits_of(lambda rows: self.problem.backend.logits(layers, rows), x, baseline, families)


def _network(trained: Trained, place: int) -> tuple[Layer, ...]:
    """One of the networks of a division: another seed with each division."""
    which = [place % len(trained.layers[0].weight)]
    return tuple(Layer(layer.weight[which], layer.bias[which]) for layer in trained.layers)


def _some(rows: Array, most: int) -> Array:
    """The rows, or so many of them, evenly spaced."""
    if len(rows) <= most:
        return rows
    return rows[np.linspace(0, len(rows) - 1, most).astype(int)]


def _logit(band: Band) -> dict[str, Any]:
    """A logit as plain JSON values, with the probability of its mean."""
    return {"logit": band_facts(band), "probability": float(expit(band.centre("mean")))}


def _credit(credit: FamilyCredit) -> dict[str, Any]:
    """A family's credit as plain JSON values."""
    return {
        "family": credit.family,
        "seeds": band_facts(credit.seeds),
        "splits": band_facts(credit.splits) if credit.splits else None,
        "clear": credit.clear,
        "nearest": credit.nearest,
        "agrees": credit.agrees,
        "flipped": credit.flipped,
    }


@dataclass(frozen=True)
class _Told:
    """All that a sentence about one case is made of.

    neighbours: classes of the nearest train cases; base_rate: share of class 1 among all train cases.
    """

    record: Mapping[str, Any]
    explanation: Explanation
    outside: Outside
    neighbours: Sequence[int]
    base_rate: float
    data: Dataset
    row: int

    def sentence(self) -> str:
        """The story of the case."""
        record, right, wrong = self.record, self._class(right=True), self._class(right=False)
        low, middle, high = (number(record[f"score_{end}"]) for end in ("low", "median", "high"))
        sentences = [
            f"Case #{record['case']} ({right}, {part_name(record['part'])}): median score {middle} [{low},"
            f" {high}] over {record['seeds']} seeds, called {wrong} by {record['misses']} of them."
        ]
        if self.explanation.wrong:
            sentences += [self._carried(), self._checked(), self._path()]
        sentences.append(self._neighbourhood())
        return " ".join(sentence for sentence in sentences if sentence)

    def _class(self, right: bool) -> str:
        label = int(self.data.y[self.row])
        return of_class(self.data.class_names[label if right else 1 - label])

    def _path(self) -> str:
        """Where the credits start and where they end, and how many hybrids between are no likely case."""
        ends = [
            f"logit {end.centre('mean'):.2f} (probability {number(float(expit(end.centre('mean'))))})"
            for end in (self.explanation.start, self.explanation.own)
        ]
        text = (
            f"The credits lead from the mean {of_class(self.data.class_names[0])} train case, {ends[0]}, to"
            f" {ends[1]}"
        )
        if not self.outside.hybrids:
            return f"{text}."
        n, edge, beyond = self.outside.hybrids, self.outside.edge, self.outside.all
        share = (
            f"{edge:.0%} of the {n} hybrids between the two lie" if edge else f"none of the {n} hybrids lies"
        )
        farthest = f", and {beyond:.0%} than all of them" if beyond else ""
        return f"{text}; {share} farther out than 95% of the train cases{farthest}."

    def _carried(self) -> str:
        """What carried the case to the wrong class, or pulled it there without turning the call."""
        found, wrong = self.explanation, self._class(right=False)
        if all(credit.splits is None for credit in found.credits):
            return "What carried it is not told: fewer than two fresh divisions held it out of training."
        if not found.named:
            return f"No family is shown to pull it towards {wrong} over seeds, splits and in the check."
        them = "that" if len(found.named) == 1 else "these"
        moved = "Carried there" if found.turned else f"Pulled towards {wrong}"
        text = (
            f"{moved} by {_listed(found.named)}; with {them} at the mean of the"
            f" {of_class(self.data.class_names[0])} train cases {found.flipped} of those {found.wrong} seeds"
            " call it right."
        )
        trusted = [credit for credit in found.credits if found.over_trusted(credit)]
        if not trusted:
            return text
        trusted.sort(key=lambda credit: -credit.flipped)
        turning = _listed(f"{credit.family} (alone turns {credit.flipped})" for credit in trusted)
        return f"{text} Over-trusted: {turning}."

    def _checked(self) -> str:
        """Which families are not named because credits from train rows that resemble the case disagree."""
        doubted = self.explanation.doubted
        if not doubted:
            return ""
        return (
            f"Measured from the {of_class(self.data.class_names[0])} train cases that resemble it most, the"
            f" sign is another for {_listed(doubted)}, not named for that reason."
        )

    def _neighbourhood(self) -> str:
        """How many of the nearest train cases are of the class it is called, beside the share of all of them.

        Where families are named and turn few calls, that is said too. It is a count and explains nothing.
        """
        wrong = self.explanation.wrong > 0
        called = int(self.data.y[self.row]) ^ wrong
        count, n = sum(one == called for one in self.neighbours), len(self.neighbours)
        are = f"{count or 'none'} {'is' if count == 1 else 'are'} {self._class(right=not wrong)}"
        share = self.base_rate if called else 1 - self.base_rate
        text = f"Of its {n} nearest train cases {are}, and of all train cases {share:.0%}."
        if wrong and self.explanation.named and not self.explanation.turned:
            they = "family named does" if len(self.explanation.named) == 1 else "families named do"
            return f"The {they} not turn the call of most of these seeds. {text}"
        return text


def _listed(words: Iterable[str]) -> str:
    """The first few words, and how many more there are; between semicolons where a word has a comma."""
    names = list(words)
    shown, rest = names[:NAMED], len(names) - NAMED
    shown += [f"{rest} more"] if rest > 0 else []
    if len(shown) == 1:
        return shown[0]
    comma, last = ("; ", "; and ") if any("," in name for name in shown) else (", ", " and ")
    return f"{comma.join(shown[:-1])}{last}{shown[-1]}"
