"""The facts of comparisons: is one model better than another, paired on division, seed and case."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np

from handnet.bands.compare import ALPHA, holm
from handnet.bands.null import EQUAL
from handnet.messages import Refusal, nearest, option
from handnet.predictions.alarms import measured_alarms
from handnet.predictions.aligned import Aligned, on_each_division, on_one_division
from handnet.predictions.crossed_row import CrossedRow, compare_cases
from handnet.predictions.divisions import POOLED, judged_of
from handnet.predictions.flips import flips
from handnet.predictions.form import Results
from handnet.predictions.head import head_facts
from handnet.predictions.scored import models_of
from handnet.predictions.scored_pairs import NO_RATIO, compare_scores
from handnet.predictions.within import predictions_of
from handnet.report.comparison_facts import pair_facts
from handnet.report.pair_words import sentence
from handnet.scores import Whole
from handnet.study.comparisons import ComparedOverSplits, ComparedPair, can_decide, compare_score
from handnet.study.on_test import OnTest, compare_on_test
from handnet.tasks import Scale

Tick = Callable[[str], object]


class Pair:
    """One model against another.

    rows: of every score on one test; over_splits: of every score over divisions, empty where these cannot
    tell; left_out: what could not be said, and why.
    """

    def __init__(
        self, results: Results, names: tuple[str, str], deciding: str, split: str | None, equal: float
    ) -> None:
        self.results, self.names, self.deciding, self.equal = results, names, deciding, equal
        self.left_out: list[str] = []
        found = on_one_division(results, *names, split)
        self.aligned = self._checked(found)
        self.divisions = [one for one in on_each_division(results, *names) if len(one.cases)]
        self.over_splits = [] if split is not None else self._over_splits()
        self.rows = list(self._rows())

    @property
    def scale(self) -> Scale:
        """How the two are compared on the deciding score."""
        assert self.results.task is not None
        return self.results.task.scale(self.deciding)

    @property
    def decided_over_splits(self) -> bool:
        """Whether the rule over divisions decides: there are enough of them, and some spread."""
        return any(row.decides and can_decide(row) for row in self.over_splits)

    def _checked(self, found: Aligned | None) -> Aligned:
        """What both said of the same cases. Raises Refusal where there are none."""
        ours, theirs = self.names
        if found is None:
            raise Refusal(f"{ours} and {theirs} have no division of the table in common.")
        if not len(found.cases):
            raise Refusal(
                f"{ours} and {theirs} have no case in common, so nothing pairs them; if their cases are the"
                f" same ones, name the column of their ids with {option('case', '')}."
            )
        if any(not len(side) for side in found.sound):
            raise Refusal(f"every seed of {ours} or of {theirs} diverged, so they cannot be compared.")
        return found

    def _scores(self) -> list[str]:
        """The scores on which the two are compared."""
        task = self.results.task
        assert task is not None
        carried = [score.name for score in self.results.carried() if not self._unranked(score)]
        return [name for name in dict.fromkeys((*task.compared, self.deciding)) if name in carried]

    def _unranked(self, score: object) -> bool:
        """Whether the cases of several divisions would have to be ranked together."""
        return self.aligned.cases.split == POOLED and isinstance(score, Whole)

    def _rows(self) -> Iterator[CrossedRow]:
        """A row a score on one test."""
        task = self.results.task
        assert task is not None
        for name in self._scores():
            try:
                yield compare_cases(task, self.aligned, name, name == self.deciding)
            except ValueError as fault:
                self.left_out.append(str(fault))

    def _over_splits(self) -> list[ComparedOverSplits]:
        """A row a score over divisions; empty with fewer than two, or where it is not known how many rows
        were trained on."""
        task, sides = self.results.task, self.divisions
        assert task is not None
        if len(sides) < 2:
            return []
        ratios = [ratio for one in sides if (ratio := one.cases.ratio)]
        if len(ratios) < len(sides):
            self.left_out.append(NO_RATIO)
            return []
        rows, carried = [], {score.name: score for score in self.results.carried()}
        names = dict.fromkeys((*task.compared, self.deciding))
        scores = {name: carried[name] for name in names if name in carried}
        graded = [
            [_graded(task.grade(z, one.cases.y, scores), one.paired) for z in (one.ours, one.theirs)]
            for one in sides
        ]
        for name in scores:
            pairs = [(ours[name], theirs[name]) for ours, theirs in graded]
            scale, decides = task.scale(name), name == self.deciding
            rows.append(compare_score(name, pairs, float(np.mean(ratios)), scale, self.equal, decides))
        return [row for row in rows if row is not None]

    @property
    def alarms_over_splits(self) -> dict[str, Any] | None:
        """How often the rule over divisions errs."""
        assert self.results.task is not None
        return measured_alarms(self.results.task, self.divisions, self.deciding)

    @property
    def on_test(self) -> OnTest | None:
        """Details on one test, for models that can be paired: of the same seeds, or one without a seed."""
        task, one = self.results.task, self.aligned
        assert task is not None
        if not one.paired and len(one.theirs) > 1:
            return None
        return compare_on_test(task, one.ours, one.theirs, one.cases.y, one.cases.groups)


def _graded(scores: dict[str, Any], paired: bool) -> dict[str, Any]:
    """The scores (R,) of the seeds, or where nothing pairs them (1,) their mean."""
    if paired:
        return scores
    return {
        name: np.nanmean(v, keepdims=True) if np.isfinite(v).any() else v[:1] for name, v in scores.items()
    }


def compare_results(
    results: Results,
    models: Sequence[str] | None = None,
    *,
    first: bool = False,
    score: str | None = None,
    split: str | None = None,
    equal: float = EQUAL,
    tick: Tick | None = None,
) -> dict[str, Any]:
    """The comparisons that results can carry, as plain JSON values.

    Over five divisions or more, of which it is known how many rows are trained on, the corrected t test of
    Nadeau and Bengio decides. Else it is the t test over seeds and cases of `crossed_difference`, on one
    division or on all together where each holds cases of its own. The p of the deciding score are adjusted
    by Holm's method among the pairs.

    models: by default all; first: each against the first of them, not all pairs; score: which decides, by
    default the task's own; split: the one division to compare on; equal: as of `ComparedOverSplits`; tick:
    called with the name of each pair that is done. Raises Refusal for fewer than two models, for a score
    that these outputs cannot carry, and for models without a case in common.
    """
    if not results.predicted:
        return compare_scores(results, models, first, score, equal)
    results = predictions_of(results)
    judged = judged_of(results, split)
    chosen, deciding = models_of(results, models), deciding_of(results, score)
    pairs = []
    for names in [(chosen[0], one) for one in chosen[1:]] if first else combinations(chosen, 2):
        pairs.append(Pair(results, names, deciding, split, equal))
        if tick:
            tick(" and ".join(names))
    judged = {key: one for key, one in judged.items() if key[0] in chosen and key[1] == results.parts[-1]}
    facts = head_facts(results, "compare", judged)
    facts["configurations"] = [row for row in facts["configurations"] if row["role"] in chosen]
    facts["notes"] += [note for pair in pairs for note in _told(pair)]
    facts["left_out"] += [
        {"what": " and ".join(pair.names), "why": why} for pair in pairs for why in pair.left_out
    ]
    return facts | {"comparisons": list(_facts(pairs))}


def deciding_of(results: Results, score: str | None) -> str:
    """The score that a comparison is worded on. Raises Refusal for one that cannot be."""
    task = results.task
    assert task is not None
    carried = [one.name for one in results.carried()]
    may = [name for name in task.may_decide if name in carried]
    name = score or task.deciding
    if name not in may:
        known = "has" if name in task.every else "is no score of"
        why = f"{results.source} {known}" if known == "has" else f"{name} {known} {results.source}"
        told = f"{why} no {name} that a comparison may rest on" if known == "has" else why
        raise Refusal(f"{told}: {nearest(name, may)}")
    return name


def _told(pair: Pair) -> Iterator[str]:
    """What is to be told of how the two were paired."""
    (ours, theirs), one = pair.names, pair.aligned
    for name, alone in zip((ours, theirs), one.alone, strict=True):
        if alone:
            yield f"{alone} cases of {name} are left out of {ours} against {theirs}, which has none of them."
    if len(one.ours) > 1 and len(one.theirs) > 1 and not one.paired:
        yield f"{ours} and {theirs} have other seeds, which are therefore taken as independent."


def _facts(pairs: Sequence[Pair]) -> Iterator[dict[str, Any]]:
    """One pair a row, with its adjusted p, the row of it that decides, and its sentence."""
    among = len(pairs)
    for pair, p in zip(pairs, holm([_p(pair) for pair in pairs]), strict=True):
        over = pair.decided_over_splits
        splits = tuple(
            replace(row, difference=row.difference._replace(adjusted=p), among=among)
            if over and row.decides
            else row
            for row in pair.over_splits
        )
        facts = pair_facts(ComparedPair(*pair.names, splits, pair.on_test, ""))
        facts["scores"] = [
            row.facts(p, among) if row.decides and not over else row.facts() for row in pair.rows
        ]
        chosen = next((row for row in facts["over_splits" if over else "scores"] if row["decides"]), None)
        if chosen and over:
            chosen = {**chosen, "adjusted": p, "false_alarms": pair.alarms_over_splits}
        decides = {"over": "splits" if over else "cases", **chosen} if chosen else None
        facts |= {"decides": decides, **flips(pair.results, pair.aligned)}
        lower = pair.scale.sign < 0
        yield facts | {"sentence": sentence(facts, pair.results.classes, lower)}


def _p(pair: Pair) -> float:
    """The p of the rule that decides; 1 where none does."""
    rows = pair.over_splits if pair.decided_over_splits else []
    p = [row.difference.p for row in rows if row.decides]
    p += [] if p else [row.found.comparison.p for row in pair.rows if row.decides]
    return p[0] if p else 1.0


def assert_better(pair: dict[str, Any], margin: float = 0.0) -> None:
    """That ours is shown to be better by more than a margin; raises AssertionError with what was found.

    pair: of `compare_results`; margin: in the unit of the difference, .01 of accuracy being one point.
    """
    row = pair["decides"]
    shown = row and row["adjusted"] < ALPHA and row["difference"]["low"] > margin
    if not shown:
        raise AssertionError(pair["sentence"])
