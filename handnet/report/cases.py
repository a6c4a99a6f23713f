"""The cases of the report: which are called wrong, how often, why, and a sentence about each."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from sklearn.neighbors import NearestNeighbors

from handnet.contract import Layer
from handnet.data import Array, Dataset, Table
from handnet.encode import Encoder, fit_encoder
from handnet.explain import (
    Credits,
    Explanation,
    FamilyCredit,
    case_table,
    credits_of,
    doubt,
    explain,
    unusual_values,
)
from handnet.families import Families, families_of
from handnet.report.words import number, of_class, part_name
from handnet.study.quantity import band_facts
from handnet.study.resplit import Resplit, Trained
from handnet.study.units import Confirmed, Problem, Replicas, mask_diverged

NAMED = 3  # families a sentence lists before it counts the rest
NEIGHBOURS = 10  # train cases nearest to a case
MOST = 30  # stories a report tells of one part, the most often missed cases first


def part_table(configuration: Confirmed, problem: Problem, part: str, y: Array) -> pd.DataFrame | None:
    """The case table of a configuration on one part, y (n,); None with fewer than two sound replicas."""
    logits = configuration.logits(part)
    if logits is None or not configuration.has_seed_bands:
        return None
    rows = problem.parts.val_rows if part == "val" else problem.parts.test_rows
    return case_table(
        logits, y, problem.data.case_ids[rows], unusual_values(problem.data, problem.parts, rows)
    )


class Cases:
    """The cases of one confirmed study, as facts.

    confirmed: the winner first; test: the opened rows, None while they are sealed; divisions: the fresh ones,
    whose networks a credit has to agree with.
    """

    def __init__(
        self,
        problem: Problem,
        confirmed: Sequence[Confirmed],
        test: Table | None,
        divisions: Sequence[Resplit],
    ) -> None:
        self.problem, self.confirmed = problem, confirmed
        self.graded = {"val": problem.parts.val} | ({"test": test} if test else {})
        self.rows = {str(case): row for row, case in enumerate(problem.data.case_ids)}
        winner = confirmed[0]
        self.explainer: Explainer | None = None
        if winner.replicas is not None and winner.has_seed_bands:
            self.explainer = Explainer(problem, winner.replicas, divisions)

    @cached_property
    def tables(self) -> dict[tuple[str, str], pd.DataFrame]:
        """(role, part) -> the case table of each configuration that has bands over seeds."""
        every = {
            (configuration.role, part): part_table(configuration, self.problem, part, rows.y)
            for configuration in self.confirmed
            for part, rows in self.graded.items()
        }
        return {key: table for key, table in every.items() if table is not None}

    def missed(self) -> list[dict[str, Any]]:
        """Every case that some seed of some configuration calls wrong."""
        return [
            {"role": role, **record} for role, part in self.tables for record in self._missed_by(role, part)
        ]

    def doubt(self) -> list[dict[str, Any]]:
        """How many cases of a part are missed by most seeds of a configuration, and by some; see `Doubt`."""
        return [
            {"role": role, "part": part, **doubt(table)._asdict()}
            for (role, part), table in self.tables.items()
        ]

    def stories(self) -> list[dict[str, Any]]:
        """What is to be said of each case the winner misses: test first, often missed cases first."""
        parts = reversed(self.graded)
        records = [record for part in parts for record in self._missed_by("winner", part)[:MOST]]
        return [self._story(self.explainer, record) for record in records] if self.explainer else []

    def watched(self, case: str) -> dict[str, Any]:
        """One case of the table: its part and class and, unless it is sealed, its scores and its story.

        scores: a record for each configuration, the winner's first. part is None when there is no such case.
        """
        if case not in self.rows:
            return {"case": case, "part": None}
        row = self.rows[case]
        part, label = self.problem.parts.part_of(row), self.problem.data.y[row]
        facts = {"case": case, "part": part, "class": self.problem.data.class_names[label]}
        if part == "test" and "test" not in self.graded:
            return {**facts, "scores": [], "story": None}
        records = {
            configuration.role: self._record(self._row_table(configuration.replicas, part, row).iloc[0])
            for configuration in self.confirmed
            if configuration.replicas is not None and configuration.has_seed_bands
        }
        scores = [{"role": role, **record} for role, record in records.items()]
        story = self._story(self.explainer, {"part": part, **records["winner"]}) if self.explainer else None
        return {**facts, "scores": scores, "story": story}

    def _missed_by(self, role: str, part: str) -> list[dict[str, Any]]:
        """The cases of a part that some seed calls wrong, the most often missed first."""
        table = self.tables.get((role, part))
        if table is None:
            return []
        return [{"part": part, **self._record(row)} for _, row in table[table["misses"] > 0].iterrows()]

    def _row_table(self, replicas: Replicas, part: str, row: int) -> pd.DataFrame:
        """The case table of one row of the table."""
        data, parts = self.problem.data, self.problem.parts
        X = parts.train.X if part == "train" else self.graded[part].X
        rows = {"train": parts.train_rows, "val": parts.val_rows, "test": parts.test_rows}[part]
        place = list(rows).index(row)
        # The whole part is put through, not one row: a product of one row may differ in its last bit.
        logits = mask_diverged(replicas, self.problem.backend.logits(replicas.fit.layers, X))
        extremes = unusual_values(data, parts, np.array([row]))
        return case_table(logits[:, place : place + 1], data.y[[row]], data.case_ids[[row]], extremes)

    def _record(self, row: "pd.Series[Any]") -> dict[str, Any]:
        """A row of a case table as plain JSON values."""
        plain = {
            str(name): value.item() if isinstance(value, np.generic) else value for name, value in row.items()
        }
        return plain | {"case": str(row["case"]), "class": self.problem.data.class_names[int(row["class"])]}

    def _story(self, explainer: "Explainer", record: Mapping[str, Any]) -> dict[str, Any]:
        """A record with its sentence, the credits behind it, and its neighbours."""
        data, row = self.problem.data, self.rows[record["case"]]
        explanation, neighbours = explainer.explanation(row), explainer.neighbours(row)
        credits = sorted(explanation.credits, key=lambda credit: -abs(credit.seeds.centre("median")))
        trusted = [credit.family for credit in explanation.credits if explanation.over_trusted(credit)]
        return {
            **record,
            "sentence": _sentence(record, explanation, [label for _, label in neighbours], data, row),
            "named": list(explanation.named),
            "over_trusted": trusted,
            "flipped": explanation.flipped,
            "credits": [_credit(credit) for credit in credits],
            "neighbours": [{"case": case, "class": data.class_names[label]} for case, label in neighbours],
        }


class Explainer:
    """Why the winner's networks call a case as they do, here and on fresh divisions."""

    def __init__(self, problem: Problem, replicas: Replicas, divisions: Sequence[Resplit]) -> None:
        self.problem, self.parts, self.data = problem, problem.parts, problem.data
        self.layers = replicas.pick(replicas.sound).fit.layers
        self.trained = [division.winner for division in divisions]

    @cached_property
    def families(self) -> Families:
        """Those of the inputs."""
        return families_of(self.parts.encoder.families, self.parts.train.X)

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
        own = self.parts.encoder(self.data.X[[row]])[0]
        x, baseline = ((values - self.parts.mean) / self.parts.scale for values in (own, self.baseline))
        networks = self._credits(self.layers, x, baseline, self.families)
        return explain(int(self.data.y[row]), networks, self._over_divisions(row))

    def neighbours(self, row: int) -> list[tuple[str, int]]:
        """Ids and classes of the nearest train cases, the nearest first."""
        others = self.parts.train_rows != row
        near = NearestNeighbors(n_neighbors=min(NEIGHBOURS, int(others.sum()))).fit(
            self.parts.train.X[others]
        )
        _, places = near.kneighbors(self.parts.scaled(self.data.X[[row]]))
        rows = self.parts.train_rows[others][places[0]]
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


def _credit(credit: FamilyCredit) -> dict[str, Any]:
    """A family's credit as plain JSON values."""
    return {
        "family": credit.family,
        "seeds": band_facts(credit.seeds),
        "splits": band_facts(credit.splits) if credit.splits else None,
        "clear": credit.clear,
        "flipped": credit.flipped,
    }


def _sentence(
    record: Mapping[str, Any], explanation: Explanation, neighbours: Sequence[int], data: Dataset, row: int
) -> str:
    """The story of one case. neighbours: the classes of the nearest train cases."""
    label = int(data.y[row])
    right, wrong = of_class(data.class_names[label]), of_class(data.class_names[1 - label])
    score = (
        f"{number(record['score_median'])} [{number(record['score_low'])}, {number(record['score_high'])}]"
    )
    alike = sum(other == label for other in neighbours)
    sentences = [
        f"Case #{record['case']} ({right}, {part_name(record['part'])}): score {score} over {record['seeds']}"
        f" seeds, called {wrong} by {record['misses']} of them."
    ]
    if explanation.wrong:
        sentences.append(_carried(explanation, wrong, of_class(data.class_names[0])))
    sentences.append(
        f"Of its {len(neighbours)} nearest train cases {alike} {'is' if alike == 1 else 'are'} {right}."
    )
    return " ".join(sentences)


def _carried(explanation: Explanation, wrong: str, negative: str) -> str:
    """What carried the case to the wrong class. wrong, negative: classes as words."""
    if all(credit.splits is None for credit in explanation.credits):
        return "What carried it is not told: fewer than two fresh divisions held it out of training."
    if not explanation.named:
        return f"No family's pull towards {wrong} is clear of 0 over both seeds and splits."
    them = "that" if len(explanation.named) == 1 else "these"
    text = (
        f"Carried there by {_listed(explanation.named)}; with {them} at the mean of the {negative} train"
        f" cases {explanation.flipped} of those {explanation.wrong} seeds call it right."
    )
    trusted = [credit for credit in explanation.credits if explanation.over_trusted(credit)]
    if not trusted:
        return text
    trusted.sort(key=lambda credit: -credit.flipped)
    turning = _listed(f"{credit.family} (alone turns {credit.flipped})" for credit in trusted)
    return f"{text} Over-trusted: {turning}."


def _listed(words: Iterable[str]) -> str:
    """The first few words, and how many more there are; between semicolons where a word has a comma."""
    names = list(words)
    shown, rest = names[:NAMED], len(names) - NAMED
    shown += [f"{rest} more"] if rest > 0 else []
    if len(shown) == 1:
        return shown[0]
    comma, last = ("; ", "; and ") if any("," in name for name in shown) else (", ", " and ")
    return f"{comma.join(shown[:-1])}{last}{shown[-1]}"
