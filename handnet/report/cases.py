"""The cases of the report: which are called wrong, how often, and one case of the table whole."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from handnet.data import Array, Table
from handnet.explain import case_table, unusual_values
from handnet.judge import Judge, judge_of
from handnet.report.case_words import words_of
from handnet.report.explainer import Explainer
from handnet.report.missed import case_record, doubt_facts, judged_facts, missed_facts
from handnet.report.stories import story, truth_of
from handnet.study.answers import Refits
from handnet.study.division import Resplit
from handnet.study.networks import mask_diverged
from handnet.study.units import Confirmed, Problem

MOST = 30  # stories a report tells of one part, the most often missed cases first


def judge_cases(problem: Problem, tolerance: float) -> Judge:
    """When a case of this problem is wrong. tolerance: of a number, 0 for the default."""
    return judge_of(problem.task, problem.parts.train.y, tolerance)


def part_table(
    configuration: Confirmed, problem: Problem, judge: Judge, part: str, y: Array
) -> pd.DataFrame | None:
    """The case table of a configuration on one part, y (n,); None with fewer than two sound replicas."""
    outputs = configuration.logits(part)
    if outputs is None or not configuration.has_seed_bands:
        return None
    rows = problem.parts.val_rows if part == "val" else problem.parts.test_rows
    extremes = unusual_values(problem.data, problem.parts, rows)
    return case_table(judge, outputs, y, problem.data.case_ids[rows], extremes)


class Cases:
    """The cases of one confirmed study, as facts.

    confirmed: the winner first; test: the opened rows, None while they are sealed; divisions: the fresh ones,
    whose networks a credit has to agree with; tolerance: by which a guessed number may be off, 0 for the
    default; refits: where the winner keeps no weights, its fits made again, or why nothing is fitted again;
    watch: the cases that the study watches.
    """

    def __init__(
        self,
        problem: Problem,
        confirmed: Sequence[Confirmed],
        test: Table | None,
        divisions: Sequence[Resplit],
        tolerance: float,
        refits: Refits | str = "",
        watch: Sequence[str] = (),
    ) -> None:
        self.problem, self.confirmed = problem, confirmed
        self.judge = judge_cases(problem, tolerance)
        self.graded = {"val": problem.parts.val} | ({"test": test} if test else {})
        self.rows = {str(case): row for row, case in enumerate(problem.data.case_ids)}
        self.watch = watch
        winner = confirmed[0]
        self.explainer: Explainer | None = None
        self.unexplained = "" if winner.has_seed_bands else "they take at least two sound seeds of the winner"
        if winner.replicas is not None and winner.has_seed_bands:
            if winner.replicas.fit.layers:
                self.explainer = Explainer(problem, self.judge, winner.replicas, divisions)
            elif isinstance(refits, Refits):
                self.explainer = Explainer(problem, self.judge, winner.replicas, divisions, refits)
                self.unexplained = self.explainer.prepare(self._asked())
            else:
                self.unexplained = refits

    @cached_property
    def judged(self) -> dict[str, Any]:
        """What counts as wrong: the task, its classes, or its target with tolerance and deviation."""
        data = self.problem.data
        return judged_facts(self.judge, data.class_names, data.target)

    @cached_property
    def tables(self) -> dict[tuple[str, str], pd.DataFrame]:
        """(role, part) -> the case table of each configuration that has bands over seeds."""
        every = {
            (configuration.role, part): part_table(configuration, self.problem, self.judge, part, rows.y)
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
            {"role": role, "part": part, **doubt_facts(table, self.judge)}
            for (role, part), table in self.tables.items()
        ]

    def stories(self) -> list[dict[str, Any]]:
        """What is to be said of each case the winner misses: test first, often missed cases first."""
        return [told for record in self._told() if (told := self._story(record))]

    def left_out(self) -> list[dict[str, str]]:
        """What is not told, and why."""
        every = [{"what": "reasons of hard cases", "why": self.unexplained}] if self.unexplained else []
        if self.confirmed[0].has_seed_bands:
            return every
        seldom = "how often a case is missed is a share of seeds, and there are fewer than two sound ones"
        return [{"what": "hard cases", "why": seldom}, *every]

    def watched(self, case: str) -> dict[str, Any]:
        """One case of the table: its part and class and, unless it is sealed, its scores and its story.

        scores: a record for each configuration, the winner's first. part is None when there is no such case.
        """
        if case not in self.rows:
            return {"case": case, "part": None}
        row = self.rows[case]
        part = self.problem.parts.part_of(row)
        facts = {"case": case, "part": part, **truth_of(self.problem.data, row), "judged": self.judged}
        if part == "test" and "test" not in self.graded:
            return {**facts, "sealed": True, "scores": [], "story": None}
        facts["sealed"] = False
        records = {
            configuration.role: self._record(configuration, part, row)
            for configuration in self.confirmed
            if configuration.has_seed_bands
        }
        scores = [{"role": role, **record} for role, record in records.items() if record]
        winner = records.get("winner")
        return {**facts, "scores": scores, "story": winner and self._story({"part": part, **winner})}

    def _asked(self) -> list[int]:
        """The rows of the table that are explained: those that stories are told of and those watched."""
        known = (self.rows[case] for case in self.watch if case in self.rows)
        watched = [row for row in known if self._open(row)]
        return list(dict.fromkeys([*watched, *(self.rows[record["case"]] for record in self._told())]))

    def _open(self, row: int) -> bool:
        """Whether a row of the table may be looked at."""
        return "test" in self.graded or self.problem.parts.part_of(row) != "test"

    def _told(self) -> list[dict[str, Any]]:
        """The cases that stories are told of."""
        return [record for part in reversed(self.graded) for record in self._missed_by("winner", part)[:MOST]]

    def _story(self, record: dict[str, Any]) -> dict[str, Any] | None:
        """The record of a case with its story; None where its calls are not explained."""
        row = self.rows[record["case"]]
        if self.explainer is None or not self.explainer.explains(row):
            return None
        return story(self.explainer, words_of(self.judged), row, record)

    def _missed_by(self, role: str, part: str) -> list[dict[str, Any]]:
        """The cases of a part that some seed calls wrong, the most often missed first."""
        table = self.tables.get((role, part))
        if table is None:
            return []
        return [{"part": part, **record} for record in missed_facts(table, self.problem.data.class_names)]

    def _record(self, configuration: Confirmed, part: str, row: int) -> dict[str, Any] | None:
        """What a configuration's networks say of one row of the table, as plain JSON values; None of a train
        row where no weights are kept."""
        data, parts = self.problem.data, self.problem.parts
        rows = {"train": parts.train_rows, "val": parts.val_rows, "test": parts.test_rows}[part]
        # Of the whole part, not of one row: a product of one row may differ in its last bit.
        outputs = self._on_train(configuration) if part == "train" else configuration.logits(part)
        if outputs is None:
            return None
        place, extremes = list(rows).index(row), unusual_values(data, parts, np.array([row]))
        outputs = outputs[:, [place]]
        table = case_table(self.judge, outputs, data.y[[row]], data.case_ids[[row]], extremes)
        return case_record(table.to_dict("records")[0], data.class_names)

    def _on_train(self, configuration: Confirmed) -> Array | None:
        """Outputs (R, n) or (R, n, k) on the train rows."""
        replicas = configuration.replicas
        if replicas is None or not replicas.fit.layers:
            return None
        return mask_diverged(replicas, self.problem.outputs(replicas.fit.layers, self.problem.parts.train.X))
