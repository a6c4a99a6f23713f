"""Why a case is called wrong: what carried the winner's networks there, and what its neighbours are."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from sklearn.neighbors import NearestNeighbors

from handnet.bands import Band
from handnet.bands.seeds import quantile_band
from handnet.contract import Layer
from handnet.data import Array
from handnet.encode import Encoder, fit_encoder
from handnet.explain import Credits, Families, credits_of, families_of
from handnet.study.resplit import Resplit
from handnet.study.units import Confirmed, Problem

LOW, HIGH = (
    0.05,
    0.95,
)  # a family is named when its band between these quantiles excludes 0, over seeds and over splits
NEIGHBOURS = 10
# over-trusted: put back to the baseline, it turns the call in at least this share of the seeds that are
# wrong
FLIPS = 0.5


@dataclass(frozen=True)
class Credit:
    """One family's credit for one case, on the logit: above 0 it pulls towards class 1."""

    family: str
    seeds: Band
    splits: Band | None  # None when fewer than two fresh divisions hold the case out of training
    flipped: (
        int  # of the seeds that call the case wrong, how many call it right with this family at the baseline
    )

    @property
    def clear(self) -> bool:
        """Whether the credit has one sign over seeds and over splits."""
        return self.splits is not None and any(
            all(sign * end > 0 for band in (self.seeds, self.splits) for end in (band.low, band.high))
            for sign in (1, -1)
        )


@dataclass(frozen=True)
class Reason:
    """What is to be said of one case. named: the families whose credit is clear of 0 and pulls to the wrong
    class, the strongest first; without: the score with all of those at the baseline, a band over seeds;
    neighbours: ids and classes of the nearest train cases, the nearest first."""

    row: int
    wrong: int  # how many seeds call it wrong
    credits: tuple[Credit, ...]
    named: tuple[str, ...]
    without: Array | None  # (R,) logits
    flipped: int  # of the wrong seeds, how many are right without the named families
    neighbours: tuple[tuple[str, int], ...]

    def over_trusted(self, credit: Credit) -> bool:
        """Whether this family alone turns the call in at least half of the seeds that are wrong."""
        return credit.family in self.named and self.wrong > 0 and credit.flipped >= FLIPS * self.wrong


@dataclass(frozen=True)
class Reasons:
    """Of a study: the winner's sound networks, and those of its rehearsals."""

    problem: Problem
    winner: Confirmed
    divisions: Sequence[Resplit]

    @cached_property
    def families(self) -> Families:
        return families_of(self.problem.parts.encoder.families, self.problem.parts.train.X)

    @cached_property
    def baseline(self) -> Array:
        """(inputs,), unscaled: the mean of the class-0 rows of train, of a text the share of each level. The
        sealed test has no part in it."""
        return self._mean_of_class_0(self.problem.parts.encoder, self.problem.parts.train_rows)

    @cached_property
    def redrawn(self) -> list[tuple[Encoder, Array]]:
        """What the train rows of each fresh division say about the columns, and the baseline there."""
        trained = [
            one.winner.train_rows if one.winner else self.problem.parts.train_rows for one in self.divisions
        ]
        encoders = [fit_encoder(self.problem.data, rows) for rows in trained]
        return [(one, self._mean_of_class_0(one, rows)) for one, rows in zip(encoders, trained, strict=True)]

    def of(self, row: int) -> Reason:
        """Everything about one row of the table."""
        label = int(self.problem.data.y[row])
        here = self._here(row)
        called = here.values[:, -1] > 0
        wrong = called != (label == 1)
        afar = self._afar(row)
        towards = -1 if label else 1  # the side a wrong call lies on
        credits = tuple(
            self._credit(place, here, afar, wrong, label) for place in range(len(self.families.names))
        )
        named = sorted(
            (one for one in credits if one.clear and towards * one.seeds.centre("median") > 0),
            key=lambda one: -abs(one.seeds.centre("median")),
        )
        names = tuple(one.family for one in named)
        without = here.without(np.isin(self.families.names, names)) if names else None
        flipped = 0 if without is None else int(((without > 0) == (label == 1))[wrong].sum())
        return Reason(row, int(wrong.sum()), credits, names, without, flipped, self._neighbours(row))

    def _credit(self, place: int, here: Credits, afar: Array, wrong: Array, label: int) -> Credit:
        alone = np.arange(len(self.families.names)) == place
        right = (here.without(alone) > 0) == (label == 1)
        splits = quantile_band(afar[:, place], LOW, HIGH, "splits") if len(afar) > 1 else None
        return Credit(
            self.families.names[place],
            quantile_band(here.credits[:, place], LOW, HIGH, "seeds"),
            splits,
            int(right[wrong].sum()),
        )

    def _here(self, row: int) -> Credits:
        """The credits in the study's own networks."""
        parts, replicas = self.problem.parts, self.winner.replicas
        assert replicas is not None
        layers = replicas.pick(replicas.sound).fit.layers
        own = parts.encoder(self.problem.data.X[[row]])[0]
        x, baseline = ((one - parts.mean) / parts.scale for one in (own, self.baseline))
        return self._credits(layers, x, baseline, self.families)

    def _afar(self, row: int) -> Array:
        """(K, k): the credits in one network each of the fresh divisions that held the case out of
        training."""
        found = []
        for place, one in enumerate(self.divisions):
            trained = one.winner
            if trained is None or row in trained.train_rows or not len(trained.layers[0].weight):
                continue
            encode, baseline = self.redrawn[place]
            own = encode(self.problem.data.X[[row]])[0]
            which = [place % len(trained.layers[0].weight)]
            layers = tuple(Layer(layer.weight[which], layer.bias[which]) for layer in trained.layers)
            x, base = ((values - trained.mean) / trained.scale for values in (own, baseline))
            families = self.families.for_columns(self.problem.parts.encoder.families, encode.families)
            found.append(self._credits(layers, x, base, families).credits[0])
        return np.array(found).reshape(len(found), len(self.families.names))

    def _mean_of_class_0(self, encode: Encoder, rows: Array) -> Array:
        data = self.problem.data
        return np.asarray(encode(data.X[rows[data.y[rows] == 0]]).mean(axis=0))

    def _credits(self, layers: tuple[Layer, ...], x: Array, baseline: Array, families: Families) -> Credits:
        return credits_of(lambda rows: self.problem.backend.logits(layers, rows), x, baseline, families)

    def _neighbours(self, row: int) -> tuple[tuple[str, int], ...]:
        parts, data = self.problem.parts, self.problem.data
        others = parts.train_rows != row
        near = NearestNeighbors(n_neighbors=min(NEIGHBOURS, int(others.sum()))).fit(parts.train.X[others])
        _, places = near.kneighbors(parts.scaled(data.X[[row]]))
        rows = parts.train_rows[others][places[0]]
        return tuple((str(data.case_ids[one]), int(data.y[one])) for one in rows)
