"""The facts of bands of models that were trained elsewhere: every band that their outputs can carry."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from handnet.predictions.divisions import POOLED, check_split, judged_of, over_divisions
from handnet.predictions.form import PART, Predicted, Results
from handnet.predictions.hard import case_facts
from handnet.predictions.head import head_facts, wanted_scores
from handnet.report.class_facts import confusion
from handnet.scores import Score
from handnet.study.quantity import Quantity, band_facts, finite
from handnet.study.score_bands import (
    Draws,
    Wanted,
    baseline_quantities,
    calibration_quantities,
    count_quantities,
    crossed_quantities,
    noise_quantities,
    score_quantities,
    split_quantities,
)

NEEDS_MORE = (
    ("the gap and the curves of the losses", "They need the losses of the training, epoch by epoch."),
    (
        "the streams of the seeds",
        "They need networks whose first weights, orders and masks vary one at a time.",
    ),
    ("reasons why a case is called wrong", "They need the measured columns, and the model itself."),
    ("what choosing cost", "It needs the validation losses of every configuration that was tried."),
)


def judge_results(
    results: Results,
    *,
    split: str | None = None,
    scores: Sequence[str] | None = None,
    tolerance: float = 0.0,
    tick: Callable[[str], None] | None = None,
) -> dict[str, Any]:
    """Every band that results can carry, their hard cases, and what is left out, as plain JSON values.

    split: the division that bands over cases are of, None for the rule of `judged_of`; scores: the names of
    those that are wanted, None for all; tolerance: by which a guessed number may be off, 0 for half of the
    standard deviation of the truths; tick: called with the name of each model that is done. Raises Refusal
    for a score or a division that is not there.
    """
    check_split(results, split)
    judged = {
        (model, part): found
        for part in results.parts
        for model in results.models
        if (found := judged_of(results, model, part, split))
    }
    judging = Judging(results, judged, scores)
    bands = []
    for model in results.models:
        bands += [
            {"role": model, "part": row.part, "score": row.name, **band_facts(band)}
            for row in judging.quantities(model)
            for band in row.bands
        ]
        if tick:
            tick(model)
    facts = head_facts(results, "bands", judged)
    facts["left_out"] = judging.left_out + [{"what": what, "why": why} for what, why in NEEDS_MORE]
    facts |= {"bands": bands, "confusion": list(judging.confusions())}
    return facts | case_facts(results, judged, tolerance)


class Judging:
    """The bands of every model of some results.

    judged: (model, part) -> what its bands over cases are of; names: of the scores that are wanted, None for
    all; left_out: what could not be said, and why, so far.
    """

    def __init__(
        self, results: Results, judged: dict[tuple[str, str], Predicted], names: Sequence[str] | None
    ) -> None:
        self.results, self.judged, self.names = results, judged, names
        self.left_out: list[dict[str, str]] = []
        self._draws: dict[int, Draws] = {}

    def quantities(self, model: str) -> Iterator[Quantity]:
        """All that is said of one model: of the last part everything, of those before it the main scores."""
        task = self.results.task
        if task is None:
            return
        parts = [part for part in self.results.parts if (model, part) in self.judged]
        for part in parts:
            yield from self._of_part(self.judged[model, part], last=part == parts[-1])
        held = over_divisions(self.results.of(model, PART))
        main = {name: score for name, score in self._scores(False).items() if score.main}
        yield from split_quantities(task, held, main)

    def confusions(self) -> Iterator[dict[str, Any]]:
        """Which class each model calls which, on the last part."""
        for (model, part), one in self.judged.items():
            found = self.results.task and confusion(self.results.task, one.outputs, one.cases.y, part)
            if found and part == self.results.parts[-1]:
                yield {"role": model, **found}

    def _of_part(self, one: Predicted, last: bool) -> Iterator[Quantity]:
        """The scores of a model on one part with their bands. last: whether everything is said of it."""
        task, y, groups, part = self.results.task, one.cases.y, one.cases.groups, one.cases.part
        assert task is not None
        sound, scores = finite(one.outputs), self._scores(one.cases.split == POOLED)
        wanted = Wanted(scores, self._draws_of(one), simulated=False)
        if not last:
            scores = {name: score for name, score in scores.items() if score.main}
        if not len(sound):
            self._leave(f"{one.model} on {part} rows", "Every seed of it diverged.")
        elif len(sound) == 1:
            self._leave(f"{one.model}: bands over seeds", _few_seeds(one))
            yield from baseline_quantities(task, sound, y, part, groups, wanted, last)
        elif not last:
            yield from score_quantities(task, one.outputs, y, part, groups, scores)
        else:
            yield from crossed_quantities(task, one.outputs, y, part, groups, wanted)
            if self.names is None:
                yield from self._details(one)

    def _details(self, one: Predicted) -> Iterator[Quantity]:
        """Counts, calibration and the seed's noise."""
        task, y, groups, part = self.results.task, one.cases.y, one.cases.groups, one.cases.part
        assert task is not None
        yield from count_quantities(task, one.outputs, y, part)
        if not self.results.hard:
            yield from calibration_quantities(task, one.outputs, y, part, groups)
        yield from noise_quantities(task, one.outputs, y, part)

    def _scores(self, pooled: bool) -> dict[str, Score]:
        return wanted_scores(self.results, self.names, pooled)

    def _draws_of(self, one: Predicted) -> Draws:
        """What is drawn of these cases, once for all models on them."""
        return self._draws.setdefault(id(one.cases), Draws(one.cases.y, one.cases.groups))

    def _leave(self, what: str, why: str) -> None:
        self.left_out.append({"what": what, "why": why})


def _few_seeds(one: Predicted) -> str:
    """Why there is no band over seeds."""
    if len(one.seeds) < 2:
        return "It has predictions of one seed only, and a band over seeds needs at least two."
    return f"{len(one.seeds) - 1} of its {len(one.seeds)} seeds diverged, and a band over seeds needs two."
