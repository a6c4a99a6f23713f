"""Which bands each model of some results gets, and what cannot be said of it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from handnet.bands import Band
from handnet.bands.compare import ROUNDING
from handnet.data import Array, listed
from handnet.predictions.divisions import POOLED, Judged, over_divisions
from handnet.predictions.form import PART, SPLIT, Predicted, Results
from handnet.predictions.head import wanted_scores
from handnet.predictions.quantiles import crossed_note, quantile_quantities
from handnet.report.comparison_facts import CROSSED, component_facts
from handnet.report.words import label
from handnet.scores import Mean, Quantile, Score, Share, Whole
from handnet.study.intervals import interval_quantities
from handnet.study.quantity import Quantity, finite
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
from handnet.study.spread import variance
from handnet.tasks import Task

# What is simulated of a model takes about ten seconds for 10^5 outputs.
MOST_SIMULATED = 200_000  # outputs of all models together
MOST_MODELS = 20
CONSTANT = "All cases are alike, and a constant has no interval: nothing tells how far other cases differ."
AREAS = (
    "Networks of different divisions do not rank their cases on one scale; bands over the divisions have it."
)


class Judging:
    """The bands of every model of some results.

    results: with predictions alone; judged: what bands over cases are of; names: of the scores that are
    wanted, None for all; notes: what is to be told, so far; divisions: how many there are in all.
    """

    def __init__(self, results: Results, judged: Judged, names: Sequence[str] | None) -> None:
        assert results.task is not None  # predictions tell the task
        self.results, self.judged, self.names, self.task = results, judged, names, results.task
        self.divisions = len({one.cases.split for one in results.predicted})
        self._left: dict[tuple[str, str], list[str]] = {}
        self.notes: list[str] = []
        self._drawn: tuple[bytes, Draws] | None = None
        last = [one for (_, part), one in judged.items() if part == results.parts[-1]]
        outputs = sum(one.outputs.shape[0] * one.outputs.shape[1] for one in last)
        self.simulated = outputs <= MOST_SIMULATED and len(last) <= MOST_MODELS
        self._leave_for_all()

    def quantities(self, model: str) -> Iterator[Quantity]:
        """All that is said of one model: of its last part everything, of those before it the main scores, and
        the main scores over divisions. Bands of losses over cases that have no width are left out
        by name; the area of a constant score is known, and stays."""
        found = list(self._quantities(model))
        flat: dict[str, dict[str, None]] = {}
        for row in found:
            kind = self.task.every.get(row.name)
            loses = isinstance(kind, Mean | Quantile) or row.name in ("rmse", "skill")
            bands = tuple(band for band in row.bands if not (loses and _flat(band)))
            if len(bands) < len(row.bands):
                flat.setdefault(row.part, {})[row.name] = None
            if bands:
                yield replace(row, bands=bands)
        for part, names in flat.items():
            self._leave(f"bands over cases of {', '.join(names)} on {part} rows", CONSTANT, model)

    def _quantities(self, model: str) -> Iterator[Quantity]:
        """The same with the bands that have no width."""
        parts = [part for part in self.results.parts if (model, part) in self.judged]
        for part in parts:
            yield from self._of_part(self.judged[model, part], last=part == parts[-1])
        if self.results.parts[-1] not in parts:
            why = "There are no predictions of the division that they are of."
            self._leave("bands over cases", why, model)
        yield from self._over_divisions(model)

    def _of_part(self, one: Predicted, last: bool) -> Iterator[Quantity]:
        """The scores of a model on one part with their bands. last: whether everything is said of it."""
        y, groups, part = one.cases.y, one.cases.groups, one.cases.part
        sound, scores = finite(one.outputs), self._scores(one)
        if not last:
            scores = {name: score for name, score in scores.items() if score.main}
        if not len(sound) or len(y) < 2:
            why = "Every seed diverged." if len(y) > 1 else "There is one case, and a band takes two."
            self._leave(f"all bands on {part} rows", why, one.model)
            return
        wanted = Wanted(scores, self._draws_of(one), self.simulated)
        if len(sound) == 1:
            self._leave(f"bands over seeds on {part} rows", _few_seeds(one), one.model)
            yield from baseline_quantities(self.task, sound, y, part, groups, wanted, last)
        elif last:
            yield from crossed_quantities(self.task, one.outputs, y, part, groups, wanted)
        else:
            yield from score_quantities(self.task, one.outputs, y, part, groups, scores)
        if last and self.names is None:
            yield from self._details(one, len(sound) > 1)

    def _details(self, one: Predicted, seeded: bool) -> Iterator[Quantity]:
        """Counts, calibration and the seed's noise; of a number intervals."""
        y, groups, part = one.cases.y, one.cases.groups, one.cases.part
        whole = _every_class(self.task, [y])
        if seeded:
            yield from count_quantities(self.task, one.outputs, y, part)
        if seeded and not self.results.hard and whole:
            yield from calibration_quantities(self.task, one.outputs, y, part, groups)
        if seeded:
            yield from noise_quantities(self.task, one.outputs, y, part)
        if self.task.classes:
            return
        yield from quantile_quantities(one, self._draws_of(one))
        self.notes += filter(None, [crossed_note(one)])
        val = self.judged.get((one.model, "val"))
        if val and part == PART and (val.cases.split, val.seeds) == (one.cases.split, one.seeds):
            yield from interval_quantities(
                val.outputs, one.outputs, val.cases.y, y, groups, seeded=bool(one.seeds)
            )

    def _over_divisions(self, model: str) -> Iterator[Quantity]:
        """The main scores over divisions."""
        held = over_divisions(self.results, model)
        if len(held) < 2:
            return
        scores = {name: one for name, one in self._asked(False).items() if one.main}
        if not _every_class(self.task, [y for _, y in held]):
            scores = _without_classes(scores, [y for _, y in held])
        yield from split_quantities(self.task, held, scores)

    def variance(self, model: str) -> Iterator[dict[str, Any]]:
        """How much of the spread of its scores is the division's and how much the seed's, where every seed
        ran on every division."""
        parts = [one for name, one in self.results.of(model, PART).items() if name != SPLIT]
        if len({one.seeds for one in parts}) == 1:
            tables = variance(self.task, over_divisions(self.results, model))
            wanted = {name: of for name, of in tables.items() if name in self._asked(False)}
            yield from component_facts(model, CROSSED, wanted)

    def _asked(self, pooled: bool) -> dict[str, Score]:
        return wanted_scores(self.results, self.names, pooled)

    def _scores(self, one: Predicted) -> dict[str, Score]:
        """The scores that can be told of these cases; what they leave out is named."""
        scores = self._asked(one.cases.split == POOLED)
        if self.task.classes and np.bincount(one.cases.y).min() == 1:
            left = [name for name, score in scores.items() if isinstance(score, Whole)]
            few = "Areas need two cases of every class, and there is one of some."
            self._leave(f"{self._labels(left)} on {one.cases.part} rows", few, one.model)
            scores = {name: score for name, score in scores.items() if name not in left}
        if _every_class(self.task, [one.cases.y]):
            return scores
        kept = _without_classes(scores, [one.cases.y])
        if left := [name for name in scores if name not in kept]:
            self._leave(
                f"{self._labels(left)} on {one.cases.part} rows",
                "They need cases of every class, and there are none of some.",
                one.model,
            )
        return kept

    def _draws_of(self, one: Predicted) -> Draws:
        """What is drawn of these cases: once for models that follow each other on the same ones."""
        y, groups = one.cases.y, one.cases.groups
        key = y.tobytes() + (b"" if groups is None else groups.tobytes())
        if self._drawn is None or self._drawn[0] != key:
            self._drawn = key, Draws(y, groups)
        return self._drawn[1]

    def _leave_for_all(self) -> None:
        """Name what is left out for every model."""
        if self.results.hard:
            left = [score.name for score in self.task.all_scores if score not in set(self.results.carried())]
            self._leave(
                f"{self._labels(left)}, calibration", "They need probabilities, and there are labels alone."
            )
        if any(one.cases.split == POOLED for one in self.judged.values()):
            here = set(self._asked(True))
            if left := [name for name in self._asked(False) if name not in here]:
                self._leave(f"{self._labels(left)} over the cases of all divisions", AREAS)
        if not self.simulated:
            self._leave(
                "how often the bands hold the truth in simulated studies",
                f"It is simulated for at most {MOST_MODELS} models and {MOST_SIMULATED} outputs.",
            )
        if self.divisions < 2:
            self._leave("bands over divisions", "There is one division of the table.")

    def _labels(self, names: Sequence[str]) -> str:
        """What a report calls some scores."""
        return ", ".join(label(name, self.results.classes) for name in names)

    def _leave(self, what: str, why: str, model: str = "") -> None:
        """Name what is left out, of one model or of all."""
        self._left.setdefault((what, why), []).append(model)

    @property
    def left_out(self) -> list[dict[str, str]]:
        """What could not be said so far, and why; what is left out of several models is named once."""
        return [
            {"what": f"{what} of {listed(models)}" if all(models) else what, "why": why}
            for (what, why), models in self._left.items()
        ]


def _flat(band: Band) -> bool:
    """Whether a band over cases has no width, as where all cases are alike."""
    return band.varied in ("cases", "seeds_x_cases") and band.high - band.low < ROUNDING


def _every_class(task: Task, truths: Sequence[Array]) -> bool:
    """Whether each part has cases of every class; of a number always."""
    return all(len(np.unique(y)) >= task.classes for y in truths)


def _without_classes(scores: Mapping[str, Score], truths: Sequence[Array]) -> dict[str, Score]:
    """The scores that need no case of a class that one of these parts lacks."""
    return {
        name: score
        for name, score in scores.items()
        if isinstance(score, Mean)
        or (isinstance(score, Share) and all(score.counted(y).any() for y in truths))
    }


def _few_seeds(one: Predicted) -> str:
    """Why there is no band over seeds."""
    if len(one.seeds) < 2:
        return "There are predictions of one seed, or of none, and a band over seeds takes two."
    return f"{len(one.seeds) - 1} of its {len(one.seeds)} seeds diverged, and a band over seeds takes two."
