"""What scikit-learn's cross-validation returned, and lists of truths with predictions, as results."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from handnet.data import Array
from handnet.messages import Refusal
from handnet.predictions.arrays import (
    ids_of,
    labels_of,
    named_outputs,
    predicted_by,
    read_arrays,
    seed_names,
    stacked,
    truth_of,
)
from handnet.predictions.cells import text_of
from handnet.predictions.form import PART, Results, Scored
from handnet.predictions.metrics import metric_of
from handnet.predictions.scalars import numbers_of

NEEDED = "run cross_validate with return_estimator=True and return_indices=True"
Size = tuple[int | None, int | None]  # cases in a test, and rows that are not in it


def from_cross_validate(
    results: Mapping[str, Any] | Sequence[Mapping[str, Any]],
    y: Any = None,
    X: Any = None,
    *,
    groups: Any = None,
    cases: Any = None,
    model: str = "",
    seeds: Sequence[Any] | None = None,
    repeats: bool = False,
    positive: str = "",
    score: str = "score",
    n_test: int | None = None,
    n_train: int | None = None,
    source: str = "cross_validate",
) -> Results:
    """The results of one model in scikit-learn's `cross_validate`, each fold a division of the table.

    With y (n,) and X (n, features), and estimators and indices returned, they are predictions: probabilities
    where the estimators have them, else labels or numbers. Without them they are scores alone.

    results: what it returned; or a list of such dicts, one a seed where their folds are the same, one a
    repetition where not. seeds: what the seeds are called; repeats: where no indices are returned, whether
    each dict has folds of its own. groups, cases: (n,), what cases belong to, and their ids; model: its name,
    by default its class; positive: the positive one of two labels, by default the last; score: what the one
    scorer is called; n_test, n_train: the rows of a fold's test and those left, where no indices tell.
    Raises Refusal, in one sentence, for what cannot be judged.
    """
    dicts = [results] if isinstance(results, Mapping) else list(results)
    runs = _runs(dicts, seeds, repeats, model, source)
    if X is None:
        scored = tuple(runs.scored(runs.sizes(y, n_test, n_train), score))
        return Results(source, None, (), (), scored)
    if y is None or not runs.tests or any("estimator" not in run for run in dicts):
        raise Refusal(f"predictions of {source} take y, X, the estimators and the indices: {NEEDED}.")
    truth = truth_of(y)
    columns = {"case": ids_of(cases, len(truth)), "y": truth}
    columns |= {} if groups is None else {"group": np.asarray(groups)}
    frame = pd.concat(runs.frames(columns, X), ignore_index=True)
    return read_arrays(frame, truth, runs.model, positive, source)


def from_cross_val_predict(
    y: Any,
    p: Any,
    *,
    kind: str = "",
    seeds: Sequence[Any] | None = None,
    groups: Any = None,
    cases: Any = None,
    folds: Any = None,
    model: str = "model",
    positive: str = "",
    source: str = "cross_val_predict",
) -> Results:
    """The results of one model in scikit-learn's `cross_val_predict`, every case predicted once a seed.

    y: (n,); p: (n,) or (R, n) probabilities of the last label, numbers or labels, or (n, k) or (R, n, k)
    probabilities of each label, in the order of `numpy.unique(y)`; kind: "p", "logit", "yhat" or "label",
    where the numbers do not tell it; seeds: what the R are called; groups, cases: (n,); folds: (n,), the fold
    of each case, or what `cv.split(X, y)` gives: each is a division then, else all cases are one test;
    positive: the positive one of two labels, by default the last. Raises Refusal as `from_cross_validate`.
    """
    truth = truth_of(y)
    outputs = stacked(np.asarray(p), len(truth), source)
    names = seed_names(seeds, len(outputs), source)
    columns: dict[str, Any] = {"case": ids_of(cases, len(truth)), "y": truth}
    columns |= {} if groups is None else {"group": np.asarray(groups)}
    if folds is not None:
        fold = _folds(folds, len(truth), source)
        sizes = pd.Series(fold).map(pd.Series(fold).value_counts()).to_numpy()
        columns |= {"split": fold, "n_train": len(truth) - sizes}
    frames = [
        pd.DataFrame(columns | named_outputs(one, truth, kind, source) | ({"seed": name} if name else {}))
        for name, one in zip(names, outputs, strict=True)
    ]
    found = read_arrays(pd.concat(frames, ignore_index=True), truth, model, positive, source)
    if folds is not None:
        return found
    note = "The cases were predicted in folds that are not named, and count as one test of one model."
    return replace(found, notes=(*found.notes, note))


def from_pairs(
    pairs: Sequence[tuple[Any, Any]],
    *,
    kind: str = "",
    seeds: Sequence[Any] | None = None,
    splits: Sequence[Any] | None = None,
    groups: Any = None,
    cases: Any = None,
    n_train: int | None = None,
    model: str = "model",
    positive: str = "",
    source: str = "the pairs",
) -> Results:
    """The results of one model in a list of truths and predictions, (y, p) each.

    Pairs of one y are the seeds of the model on the same cases. Where y differs each pair is of another
    division of the table, and `splits` names them. y, p: as in `from_cross_val_predict`, p of one seed;
    groups, cases: (n,), of pairs of one y; n_train: how many rows are not in the test of a division. Raises
    Refusal as `from_cross_validate`.
    """
    held = [_pair(pair, place, source) for place, pair in enumerate(pairs)]
    if not held:
        raise Refusal(f"{source} is empty; it takes a (y, p) of each seed.")
    truths = [truth for truth, _ in held]
    _check_truths(truths, splits, source)
    names = _names_of_pairs(seeds, splits, len(held), source)
    frames = []
    for place, (truth, p) in enumerate(held):
        columns: dict[str, Any] = {"y": truth}
        if splits is None:
            columns |= {"case": ids_of(cases, len(truth))}
            columns |= {} if groups is None else {"group": np.asarray(groups)}
        else:
            split = str(splits[place])
            columns |= {"split": split, "case": [f"{split}: {case}" for case in range(len(truth))]}
        columns |= {} if n_train is None else {"n_train": n_train}
        columns |= {"seed": names[place]} if names[place] else {}
        (one,) = stacked(p, len(truth), source)
        frames.append(pd.DataFrame(columns | named_outputs(one, np.concatenate(truths), kind, source)))
    return read_arrays(pd.concat(frames, ignore_index=True), np.concatenate(truths), model, positive, source)


def _check_truths(truths: Sequence[Array], splits: Sequence[Any] | None, source: str) -> None:
    """That pairs are of one truth, or that their divisions are named."""
    alike = all(len(one) == len(truths[0]) and (one == truths[0]).all() for one in truths)
    if splits is None and not alike:
        raise Refusal(
            f"{source} have different truths, and the seeds of a model are judged on the same cases; where"
            ' each pair is of another division, name these with splits=["0", "1", ...].'
        )
    if splits is not None and len(splits) != len(truths):
        raise Refusal(f"{source} are {len(truths)}, but {len(splits)} splits are named.")


def _names_of_pairs(
    seeds: Sequence[Any] | None, splits: Sequence[Any] | None, count: int, source: str
) -> Sequence[str]:
    """The seeds of so many pairs; of divisions those that are named, else none."""
    return seed_names(seeds, count, source) if splits is None or seeds is not None else [""] * count


def _folds(folds: Any, n: int, source: str) -> Array:
    """The name of the fold (n,) of each case."""
    pairs = folds if isinstance(folds, np.ndarray) else list(folds)
    if len(pairs) == n and np.ndim(pairs[0]) == 0:
        return np.array([f"fold {text_of(one)}" for one in pairs])
    place = np.full(n, -1)
    for fold, (_, test) in enumerate(pairs):
        place[np.asarray(test)] = fold
    if (place < 0).any():
        raise Refusal(f"{(place < 0).sum()} of {n} cases of {source} are in the test of no fold.")
    return np.array([f"fold {one}" for one in place])


def _pair(pair: Any, place: int, source: str) -> tuple[Array, Array]:
    """The truth and the prediction of one pair."""
    try:
        y, p = pair
    except (TypeError, ValueError):
        raise Refusal(f"{source} must be a list of (y, p), but its entry {place} is none.") from None
    return truth_of(y), np.asarray(p)


# cross_validate


@dataclass(frozen=True)
class _Runs:
    """What cross_validate returned.

    dicts: one a run; tests: of each the places of the cases of each fold, empty where no indices were
    returned; seeds: what the runs are called, empty for a model without; same: whether their folds are the
    same, so that they differ in the seed alone; model, source: what these are called.
    """

    dicts: Sequence[Mapping[str, Any]]
    tests: Sequence[Sequence[Array]]
    seeds: tuple[str, ...]
    same: bool
    model: str
    source: str

    def split(self, fold: int, run: int) -> str:
        """What a fold of a run is called."""
        return f"fold {fold}" if self.same else f"repeat {run}, fold {fold}"

    def frames(self, columns: Mapping[str, Array], X: Any) -> Iterator[pd.DataFrame]:
        """The predictions of each fold of each run. columns: (n,) of all cases."""
        n, none = len(columns["y"]), dict.fromkeys(f"p_{text_of(label)}" for label in labels_of(columns["y"]))
        for place, (run, tests) in enumerate(zip(self.dicts, self.tests, strict=True)):
            for fold, test in enumerate(tests):
                told = predicted_by(run["estimator"][fold], X, test, f"fold {fold} of {self.source}")
                if "yhat" not in told and "label" not in told:  # a class that a fold has not learnt from
                    told = {name: told.get(name, np.zeros(len(test))) for name in none}
                frame = pd.DataFrame({key: value[test] for key, value in columns.items()} | told)
                frame["split"], frame["n_train"] = self.split(fold, place), n - len(test)
                yield frame.assign(seed=self.seeds[place]) if self.seeds else frame

    def sizes(self, y: Any, n_test: int | None, n_train: int | None) -> list[list[Size]]:
        """Of each fold of each run."""
        if not self.tests:
            return [[(n_test, n_train)] * len(run[_scorers(run)[0]]) for run in self.dicts]
        sizes = list[list[Size]]()
        for run, tests in zip(self.dicts, self.tests, strict=True):
            rows = [*tests, *(np.asarray(train) for train in run["indices"]["train"])]
            n = len(y) if y is not None else len(np.unique(np.concatenate(rows)))
            sizes.append([(len(test), n - len(test)) for test in tests])
        return sizes

    def scored(self, sizes: Sequence[Sequence[Size]], score: str) -> Iterator[Scored]:
        """The scores of each fold, those of runs on the same folds as its seeds. score: of "test_score"."""
        every = range(len(self.dicts))
        for block in [[*every]] if self.same else [[place] for place in every]:
            seeds = tuple(self.seeds[place] for place in block) if self.seeds else ()
            for fold, (n, others) in enumerate(sizes[block[0]]):
                scores = {}
                for name in _scorers(self.dicts[0]):
                    metric = metric_of(score if name == "test_score" else name)
                    values = [self.dicts[place][name][fold] for place in block]
                    scores[metric.name] = numbers_of(values, metric, f"{name} of {self.source}")
                yield Scored(self.model, self.split(fold, block[0]), PART, seeds, scores, n, others)


def _runs(
    dicts: Sequence[Mapping[str, Any]], seeds: Sequence[Any] | None, repeats: bool, model: str, source: str
) -> _Runs:
    """The runs, checked."""
    if not dicts or not all(isinstance(run, Mapping) and _scorers(run) for run in dicts):
        raise Refusal(
            f"{source} must be the dict that cross_validate returns, with test_score, or a list of them."
        )
    tests = [[np.asarray(test) for test in run["indices"]["test"]] for run in dicts if "indices" in run]
    tests = tests if len(tests) == len(dicts) else []
    if not tests and len(dicts) > 1 and seeds is None and not repeats:
        raise Refusal(
            f"{source} holds {len(dicts)} runs without indices: name their seeds where they have the same"
            " folds, or say repeats=True where each has folds of its own."
        )
    same = not repeats
    if tests:
        same = all(len(of) == len(tests[0]) and all(map(np.array_equal, of, tests[0])) for of in tests)
    named = seed_names(seeds, len(dicts), source) if same or seeds is not None else []
    return _Runs(dicts, tests, tuple(filter(None, named)), same, model or _class_of(dicts), source)


def _scorers(run: Mapping[str, Any]) -> list[str]:
    return [name for name in run if str(name).startswith("test_")]


def _class_of(runs: Sequence[Mapping[str, Any]]) -> str:
    """What the model is called where nobody says."""
    estimator = next(iter(runs[0].get("estimator", ())), None)
    steps = getattr(estimator, "steps", None)
    return type(steps[-1][1] if steps else estimator).__name__ if estimator is not None else "model"
