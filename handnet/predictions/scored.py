"""What scores alone can say: bands over seeds and over divisions, and what they leave out, by name."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from handnet.bands import seed_bands, split_bands
from handnet.bands.variance import variance_table
from handnet.data import Array, listed
from handnet.messages import Refusal, nearest
from handnet.predictions.form import PART, SPLIT, Results, Scored
from handnet.predictions.head import head_facts
from handnet.predictions.metrics import metric_of
from handnet.study.quantity import band_facts
from handnet.tasks import Scale

DECIDING = ("accuracy", "rmse")  # by default, where there is one of them
NEEDS_CASES = {
    "bands over cases, and over seeds and cases": "Only predictions tell how far other cases would move a"
    " score; these bands hold for the cases as they are.",
    "what the next network shows on the next cases": "It takes predictions for each case.",
    "calibration": "It compares probabilities with what became of each case.",
    "hard cases": "Scores do not tell which cases are missed.",
    "McNemar's test and the flips": "They count the cases that only one of two models calls right.",
}


def judge_scores(results: Results) -> dict[str, Any]:
    """The bands that one score a seed can carry, as plain JSON values, in the shape of a study's report.

    Seeds are varied within one division, divisions from one to the next, another seed with each (those of
    test rows in the part "rehearsal"), and where every seed ran on every division "variance" takes their
    spread apart. "left_out" names what needs predictions. Raises Refusal where no model has two scores.
    """
    designs = [(model, design_of(results, model, part)) for model in results.models for part in results.parts]
    bands = [row for model, design in designs for row in design.bands(model)]
    if not bands:
        raise Refusal(
            f"{results.source} has one score a model, and a band takes two seeds or two splits of one model"
            " at least."
        )
    return head(results, "bands") | {
        "bands": bands,
        "variance": [row for model, design in designs for row in design.variance(model)],
        "judged": None,
        "doubt": [],
        "missed": [],
        "cases": [],
    }


class Design:
    """The scores of one model on one part, by division and seed."""

    def __init__(self, part: str, scored: Mapping[str, Scored]) -> None:
        """scored: by division."""
        self.part, self.scored = part, dict(scored)
        self.names = tuple(dict.fromkeys(name for one in scored.values() for name in one.scores))

    @property
    def main(self) -> str:
        """The division whose seeds are told: that of the study where there is one, else the first."""
        return SPLIT if SPLIT in self.scored else next(iter(self.scored), "")

    @property
    def splits(self) -> list[str]:
        """The divisions to compare over: without the study's own, which fresh ones stand beside."""
        return [name for name in self.scored if name != SPLIT]

    @property
    def seeds(self) -> tuple[str, ...]:
        """The seeds of the main division; empty for a model without a seed."""
        return self.scored[self.main].seeds

    def values(self, score: str, split: str) -> Array:
        """The scores (R,) of the seeds of one division; (1,) without a seed, NaN where one is missing."""
        one = self.scored[split]
        return one.scores.get(score, np.full(max(len(one.seeds), 1), np.nan))

    def grid(self, score: str) -> Array | None:
        """The scores (K, R) of the seeds that every division has, without those that are missing on one; None
        where it is smaller than 2 x 2."""
        sides = [self.scored[name] for name in self.splits]
        seeds = [seed for seed in sides[0].seeds if all(seed in one.seeds for one in sides)] if sides else []
        if len(sides) < 2 or len(seeds) < 2:
            return None
        rows = [
            [self.values(score, name)[self.scored[name].seeds.index(seed)] for seed in seeds]
            for name in self.splits
        ]
        grid = np.array(rows)
        sound = grid[:, np.isfinite(grid).all(axis=0)]
        return sound if sound.shape[1] > 1 else None

    def bands(self, model: str) -> Iterator[dict[str, Any]]:
        """Every band of every score."""
        for score in self.names:
            over = self.values(score, self.main)
            found = list(seed_bands(over)) if self.seeds and np.isfinite(over).sum() > 1 else []
            for band in found:
                yield {"role": model, "part": self.part, "score": score, **band_facts(band)}
            one_each = np.array(
                [_of_place(self.values(score, name), i) for i, name in enumerate(self.splits)]
            )
            if len(self.splits) > 1 and np.isfinite(one_each).sum() > 1:
                part = "rehearsal" if self.part == PART else self.part
                for band in split_bands(one_each):
                    yield {"role": model, "part": part, "score": score, **band_facts(band)}

    def variance(self, model: str) -> Iterator[dict[str, Any]]:
        """How much of the spread is the division's and how much the seed's, where they are crossed."""
        for score in self.names:
            grid = self.grid(score)
            if grid is not None:
                splits, seeds = np.indices(grid.shape)
                table = variance_table(grid.ravel(), {"split": splits.ravel(), "seed": seeds.ravel()})
                components = [component._asdict() for component in table]
                yield {"role": model, "design": "splits x seeds", "score": score, "components": components}


def _of_place(values: Array, place: int) -> float:
    """Another seed for each division."""
    return float(values[place % len(values)])


def design_of(results: Results, model: str, part: str) -> Design:
    """The scores of one model on one part."""
    return Design(part, results.scored_of(model, part))


def head(results: Results, kind: str) -> dict[str, Any]:
    """What facts begin with, of bands and of comparisons. kind: "bands" or "compare"."""
    parts = {part: _sizes(results, part) for part in results.parts}
    left_out = [*_without_band(results), *({"what": a, "why": b} for a, b in NEEDS_CASES.items())]
    facts = head_facts(results, kind, {})
    facts["data"]["cases"] = parts[results.parts[-1]]["cases"]
    return facts | {
        "notes": [*results.notes, *_designs(results)],
        "left_out": left_out,
        "split": {"parts": parts},
        "configurations": [_configuration(results, model) for model in results.models],
        "scores": [
            {"score": name, "main": True, "higher": direction(results, name)} for name in score_names(results)
        ],
    }


def score_names(results: Results) -> tuple[str, ...]:
    """The names of all scores, in the order of the source."""
    return tuple(dict.fromkeys(name for one in results.scored for name in one.scores))


def direction(results: Results, score: str) -> bool | None:
    """Whether more of a score is better; None where neither its name nor the reader says."""
    metric = metric_of(score)
    return metric.higher if metric.known else results.higher.get(score, metric.higher)


def models_of(results: Results, models: Sequence[str] | None) -> list[str]:
    """The models to compare, two at least; raises Refusal for one that is not there."""
    chosen = list(dict.fromkeys(models or results.models))
    for name in chosen:
        if name not in results.models:
            raise Refusal(f"there is no model {name} in {results.source}; {nearest(name, results.models)}")
    if len(chosen) < 2:
        there = f"{results.source} has {', '.join(results.models)}{' alone' * (len(results.models) < 2)}"
        raise Refusal(f"a comparison takes two models, and {there}.")
    return chosen


def deciding_score(results: Results, score: str | None) -> str:
    """The score that a comparison is worded on; raises Refusal where it is not there, or has no direction."""
    names = score_names(results)
    if score is None:
        known = [name for name in names if direction(results, name) is not None]
        usual = sorted(known, key=lambda name: name not in DECIDING)
        if not usual:
            raise Refusal(_no_direction(names[0]))
        return usual[0]
    name = score if score in names else metric_of(score).name
    if name not in names:
        raise Refusal(f"there is no score {score} in {results.source}; {nearest(score, names)}")
    if direction(results, name) is None:
        raise Refusal(_no_direction(name))
    return name


def _no_direction(score: str) -> str:
    return f"nothing says whether more or less of {score} is better; say higher=True or higher=False."


def scale_of(results: Results, score: str) -> Scale:
    """How two models are compared on a score."""
    return metric_of(score).scale(direction(results, score))


def _sizes(results: Results, part: str) -> dict[str, Any]:
    """How many cases a part has, None where that is not known or differs between divisions."""
    sizes = {one.n for one in results.scored if one.part == part}
    return {"cases": sizes.pop() if len(sizes) == 1 else None, "groups": 0}


def _configuration(results: Results, model: str) -> dict[str, Any]:
    design = design_of(
        results, model, next(part for part in reversed(results.parts) if results.scored_of(model, part))
    )
    lost = [np.isnan(design.values(name, design.main)) for name in design.names]
    return {
        "role": model,
        "seeds": len(design.seeds),
        "diverged": int(np.logical_and.reduce(lost).sum()),
        "splits": len(design.scored),
        "split": design.main,
    }


def _designs(results: Results) -> Iterator[str]:
    """What varied: seeds, divisions, or both."""
    for model in results.models:
        design = design_of(results, model, results.parts[-1])
        if len(design.scored) < 2 or not design.seeds:
            continue
        if len(design.seeds) > 1:
            yield f"The bands over seeds of {model} are of the division {design.main!r} alone."
        if max(len(one.seeds) for one in design.scored.values()) < 2:
            yield f"{model} has one seed a division, so its bands over divisions hold the spread of both."
        elif not any(design.grid(name) is not None for name in design.names):
            yield (
                f"The seeds of {model} are not the same on every division, so its spread cannot be taken"
                " apart into that of the division and that of the seed."
            )


def _without_band(results: Results) -> Iterator[dict[str, str]]:
    """The models that have no band over seeds."""
    last = results.parts[-1]
    alone = [
        model
        for model in results.models
        if results.scored_of(model, last) and len(design_of(results, model, last).seeds) < 2
    ]
    if alone:
        yield {
            "what": f"the band over seeds of {listed(alone)}",
            "why": "It takes the scores of two seeds at least on the same split.",
        }
