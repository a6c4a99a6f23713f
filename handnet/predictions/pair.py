"""One model against another: on the cases of one test, and over divisions where there are several."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cached_property

import numpy as np

from handnet.bands.null import RULE
from handnet.data import Array
from handnet.messages import Refusal, nearest, option
from handnet.predictions.alarms import layout_of_divisions
from handnet.predictions.aligned import Aligned, on_each_division, on_one_division
from handnet.predictions.crossed_row import CrossedRow, compare_cases
from handnet.predictions.divisions import POOLED
from handnet.predictions.form import Results, groups_of
from handnet.predictions.head import score_called
from handnet.predictions.scored_pairs import OVER_DIVISIONS, no_ratio
from handnet.report.words import label
from handnet.scores import Mean, Quantile, Score, Share, Whole, grade
from handnet.study.comparisons import ComparedOverSplits, can_decide, compare_score
from handnet.study.false_alarms import Measured, measured
from handnet.study.on_test import ComparedOnTest, OnTest, compare_on_test
from handnet.tasks import Scale, Task

ONE_GROUP = "All cases are of one group, and a band over groups takes two."
FEW = "Areas need two cases of every class, and there is one of some."
UNRANKED = (
    "An area ranks all cases together, and networks of different divisions do not rank theirs on one scale."
)


class Pair:
    """One model against another, on the score that decides and on those that describe.

    rows: of every score on one test; over_splits: of every score over divisions, empty where these cannot
    tell; diverged: how many runs of each on all divisions; ratio: n_test / (n - n_test), the mean over the
    divisions, None where one is not known; left_out: what could not be said, and why.
    """

    def __init__(
        self, results: Results, names: tuple[str, str], deciding: str, split: str | None, equal: float
    ) -> None:
        """Raises Refusal for models without a case in common."""
        assert results.task is not None
        self.task: Task = results.task
        self.names, self.deciding, self.equal = names, deciding, equal
        self.left_out: list[tuple[str, str]] = []
        self.aligned = _checked(names, on_one_division(results, *names, split))
        named = dict.fromkeys((deciding, *self.task.compared))
        carried = {score.name: score for score in results.carried()}
        self.scores = {name: carried[name] for name in named if name in carried}
        self.hard = results.hard
        self.rows = list(self._rows())
        found = on_each_division(results, *names) if split is None else []
        self.divisions = [one for one in found if all(len(side) for side in one.sound) and len(one.cases)]
        ratios = [one.cases.ratio for one in self.divisions]
        known = [ratio for ratio in ratios if ratio]
        self.diverged = [sum(one.diverged[side] for one in found) for side in (0, 1)]
        self.ratio = float(np.mean(known)) if known and len(known) == len(ratios) else None
        self.over_splits = list(self._over_splits())

    @property
    def scale(self) -> Scale:
        """How the two are compared on the deciding score."""
        return self.task.scale(self.deciding)

    @cached_property
    def over_divisions(self) -> ComparedOverSplits | None:
        """The row over divisions that decides; None where there are too few, or where they show no spread."""
        found = (row for row in self.over_splits if row.decides and can_decide(row))
        return next(found, None) if self.measured and self.measured.may_word(RULE) else None

    @property
    def on_cases(self) -> CrossedRow | None:
        """The row of the deciding score on one test."""
        return next((row for row in self.rows if row.score == self.deciding), None)

    @cached_property
    def measured(self) -> Measured | None:
        """How often the rule over divisions errs."""
        own = layout_of_divisions(self.task, self.divisions)
        return measured(own, self.deciding) if own else None

    def on_test(self) -> OnTest | None:
        """Seed by seed on one test; None where the seeds are not the same, and where a class is missing."""
        (ours, theirs), one = self.aligned.sound, self.aligned
        if not one.paired and min(len(ours), len(theirs)) > 1:
            self.left_out.append(("tests seed by seed", "They take models with the same seeds."))
            return None
        if _missing(self.task, one.cases.y) or groups_of(one.cases) == 1:
            return None
        found = compare_on_test(self.task, ours, theirs, one.cases.y, one.cases.groups)
        unranked = self.hard or one.cases.split == POOLED  # labels rank no cases, nor do divisions together
        return replace(found, auc=None) if unranked and isinstance(found, ComparedOnTest) else found

    def _rows(self) -> Iterator[CrossedRow]:
        """A row a score on one test."""
        if groups_of(self.aligned.cases) == 1:
            self.left_out.append(("every comparison", ONE_GROUP))
            return
        pooled = self.aligned.cases.split == POOLED
        told = _told(self.task, self.scores, self.aligned.cases.y)
        if len(told) < len(self.scores):
            self.left_out.append(("scores that take every class", "A class is missing among the cases."))
        for name, score in told.items():
            if isinstance(score, Whole) and (pooled or _single(self.task, self.aligned.cases.y)):
                self.left_out.append((label(name), UNRANKED if pooled else FEW))
                continue
            try:
                yield compare_cases(self.task, self.aligned, name)
            except ValueError as fault:
                self.left_out.append((label(name), str(fault)))

    def _over_splits(self) -> Iterator[ComparedOverSplits]:
        """A row a score over divisions; none of fewer than two, nor where it is not known how many rows were
        trained on."""
        if len(self.divisions) < 2:
            return
        if self.ratio is None:
            self.left_out.append((OVER_DIVISIONS, no_ratio()))
            return
        graded = [_graded(self.task, self.scores, one) for one in self.divisions]
        for name in self.scores:
            pairs = [(ours[name], theirs[name]) for ours, theirs in graded]
            scale, decides = self.task.scale(name), name == self.deciding
            row = compare_score(name, pairs, self.ratio, scale, self.equal, decides)
            if row:
                yield row


def deciding_of(results: Results, score: str | None) -> str:
    """The score that a comparison is worded on, the task's own unless one is asked for. Raises Refusal for
    one that these outputs cannot carry, and for one that is not better in one direction."""
    assert results.task is not None
    may = [one.name for one in results.carried() if _may_decide(one)]
    name = score_called(score or results.task.deciding, may)
    if name not in may:
        cannot = "cannot decide a comparison of" if name in results.task.every else "is no score of"
        raise Refusal(f"{name} {cannot} {results.source}; {nearest(name, may)}")
    return name


def _may_decide(score: Score) -> bool:
    signed = isinstance(score, Mean) and score.signed
    return not (signed or isinstance(score, Quantile) or score.name == "skill")


def _checked(names: tuple[str, str], found: Aligned | None) -> Aligned:
    """What both said of the same cases. Raises Refusal where there are none."""
    ours, theirs = names
    if found is None:
        raise Refusal(f"{ours} and {theirs} have no division of the table in common, so nothing pairs them.")
    if len(found.cases) < 2:
        raise Refusal(
            f"{ours} and {theirs} have {len(found.cases) or 'no'} case in common, so nothing pairs them; if"
            f" their cases are the same ones, name the column of their ids with {option('case', '')}."
        )
    if not all(len(side) for side in found.sound):
        raise Refusal(
            f"every seed of {ours} or of {theirs} diverged, of pairs either, so they cannot be compared."
        )
    return found


def _single(task: Task, y: Array) -> bool:
    """Whether a class has a single case."""
    return bool(task.classes) and bool((np.bincount(y) == 1).any())


def _missing(task: Task, y: Array) -> bool:
    """Whether a class is missing among the cases."""
    return bool(task.classes) and len(np.unique(y)) < task.classes


def _told(task: Task, scores: Mapping[str, Score], y: Array) -> dict[str, Score]:
    """The scores that these cases can tell: without a class those of all cases alone."""
    if not _missing(task, y):
        return dict(scores)
    return {
        name: score
        for name, score in scores.items()
        if isinstance(score, Mean) or (isinstance(score, Share) and score.counted(y).all())
    }


def _graded(
    task: Task, scores: Mapping[str, Score], one: Aligned
) -> tuple[Mapping[str, Array], Mapping[str, Array]]:
    """The scores of both on one division, seed by seed (R,); where nothing pairs the seeds their means (1,);
    NaN where the cases do not tell a score."""
    none = dict.fromkeys(scores, np.full(1, np.nan))
    told = _told(task, scores, one.cases.y)
    ours, theirs = (none | grade(told, side, one.cases.y) for side in one.sound)
    if one.paired or 1 in (len(one.ours), len(one.theirs)):
        return ours, theirs
    mean = ({name: of.mean(keepdims=True) for name, of in side.items()} for side in (ours, theirs))
    return next(mean), next(mean)
