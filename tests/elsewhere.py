"""Results of models that were trained elsewhere, simulated, and what handnet says of them."""

from collections.abc import Sequence
from functools import cache

import numpy as np

from handnet.predictions.form import Cases, Predicted, Results, Scored
from handnet.predictions.judged import judge_results
from handnet.predictions.pairs import compare_results
from handnet.predictions.scored import judge_scores
from handnet.predictions.scored_pairs import compare_scores
from handnet.tasks import task_of

LABELS = {0: (), 2: ("benign", "malignant"), 5: tuple(f"class {place}" for place in range(5))}
LONG = [f"gradient boosting with a rather long name and a depth of {depth:02}" for depth in range(30)]


def results(
    classes: int = 2,
    models: Sequence[str] = ("forest", "boosting", "a single tree"),
    seeds: Sequence[int] = (6, 6, 0),
    n: int = 80,
    splits: int = 0,
    labels: Sequence[str] | None = None,
    source: str = "runs.csv",
    ids: Sequence[str] | None = None,
) -> Results:
    """Models on one test, and on so many fresh divisions. seeds: of each model, 0 for one without."""
    numbers, predicted = np.random.default_rng(7), []
    for split in ("study", *(f"split {place}" for place in range(splits))):
        y = numbers.permutation(np.arange(n) % max(classes, 1)).astype(np.int8)
        truth = y if classes else 150 + 12 * numbers.normal(size=n)
        own = np.asarray(ids if ids is not None else np.arange(n).astype(str))
        cases, shared = (
            Cases(split, "test", own, truth, others=4 * n),
            numbers.normal(size=(n, max(classes, 1))),
        )
        for model, many in zip(models, seeds, strict=False):
            count = max(many, 1) if split == "study" else 1
            noise = shared + 0.6 * numbers.normal(size=(count, n, max(classes, 1)))
            names = tuple(map(str, range(count))) if many and split == "study" else ()
            predicted.append(Predicted(model, cases, names, _outputs(classes, truth, noise)))
    known = tuple(labels or LABELS[classes])
    target = "" if classes else "systolic pressure"
    return Results(source, task_of(classes), known, tuple(predicted), target=target)


def _outputs(classes: int, y: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """Outputs that are right more often than not. noise: (R, n, k)."""
    if not classes:
        return y + 5 * noise[..., 0]
    return (2 * y - 1) * 1.3 + 1.2 * noise[..., 0] if classes == 2 else 1.5 * noise + 2 * np.eye(classes)[y]


def scores(
    models: Sequence[str], seeds: int = 8, splits: int = 0, metric: str = "precision_macro"
) -> Results:
    """One score a seed, of so many models, on one test or on so many divisions."""
    numbers = np.random.default_rng(3)
    scored = [
        Scored(
            model,
            f"split {place}" if splits else "study",
            "test",
            tuple(map(str, range(seeds))),
            {name: 0.7 + 0.02 * numbers.normal(size=seeds) for name in ("accuracy", metric)},
            n=90,
            others=400,
        )
        for model in models
        for place in range(max(splits, 1))
    ]
    return Results("experiment churn", None, (), (), tuple(scored))


@cache
def bands_of(kind: str) -> dict:
    """Facts of bands, one for each shape that pages have to show."""
    if kind == "one model":
        return judge_results(results(models=("forest",)))
    if kind == "thirty models":
        return judge_results(results(models=LONG, seeds=[3] * 30, n=40), scores=["accuracy", "log_loss"])
    if kind == "scores":
        return judge_scores(scores(("a", "b")))
    if kind == "scores over splits":
        return judge_scores(scores(("a", "b"), 3, 6))
    classes = {"two classes": 2, "many classes": 5, "a number": 0, "splits": 2}[kind]
    return judge_results(results(classes, splits=6 if kind == "splits" else 0))


KINDS = (
    "two classes",
    "many classes",
    "a number",
    "splits",
    "one model",
    "thirty models",
    "scores",
    "scores over splits",
)


@cache
def compared(kind: str) -> dict:
    """Facts of comparisons."""
    if kind == "over seeds":
        return compare_scores(scores(("a", "b", "c")))
    if kind == "over splits":
        return compare_scores(scores(("a", "b", "c"), 3, 6))
    classes = {"two classes": 2, "many classes": 5, "a number": 0, "long names": 2}[kind]
    if kind == "long names":
        return compare_results(results(classes, LONG[:3], n=40))
    return compare_results(results(classes))


COMPARED = ("over seeds", "over splits", "two classes", "many classes", "a number", "long names")
