"""Results of several sources as one, so that their models can be compared."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

from handnet.data import Array
from handnet.messages import Refusal
from handnet.predictions.form import Cases, Predicted, Results, Scored

Row = TypeVar("Row", Predicted, Scored)


def joined(results: Sequence[Results]) -> Results:
    """Results of several sources as one, so that their models can be compared.

    A name that models of several sources share is given the name of its source before it, unless they said
    the same to the bit; then they are one. Raises Refusal where sources have different tasks, classes or
    targets, where a case has different truths, or where two sources have one name.
    """
    if len(results) == 1:
        return results[0]
    _check_sources(results)
    _check_truths(results)
    hard = any(one.hard for one in results)
    named = _named_apart([_hardened(one) if hard else one for one in results])
    first: dict[tuple[str, str], Cases] = {}
    predicted = [_aligned(each, first) for one in named for each in one.predicted]
    tasks = [one for one in named if one.task]
    return Results(
        " and ".join(one.source for one in named),
        tasks[0].task if tasks else None,
        tasks[0].classes if tasks else (),
        tuple(predicted),
        tuple(scored for one in named for scored in one.scored),
        target=tasks[0].target if tasks else "",
        hard=hard,
        notes=tuple(dict.fromkeys(note for one in named for note in one.notes)),
        opened=_opened_together(named),
        higher={name: more for one in named for name, more in one.higher.items()},
    )


def _opened_together(results: Sequence[Results]) -> str:
    """What is said of the openings of several sources, each with its source where they differ."""
    said = {one.opened for one in results}
    return said.pop() if len(said) == 1 else " ".join(f"{one.source}: {one.opened}" for one in results)


def _check_sources(results: Sequence[Results]) -> None:
    """That all are results on one task."""
    names = [one.source for one in results]
    if twice := [name for name in names if names.count(name) > 1]:
        raise Refusal(f"two of the results to be joined are called {twice[0]!r}; give each its own name.")
    first, *others = [one for one in results if one.task] or results[:1]
    for other in others:
        if (other.task, other.classes) != (first.task, first.classes):
            raise Refusal(
                f"{first.source} tells {_learnt(first)} and {other.source} {_learnt(other)}; only models of"
                " one task are compared."
            )


def _learnt(results: Results) -> str:
    """What the models of one source tell."""
    return f"the classes {', '.join(results.classes)}" if results.classes else "a number"


def _check_truths(results: Sequence[Results]) -> None:
    """That a case has one truth, whatever source it is in."""
    known: dict[str, tuple[object, Results]] = {}
    for one in results:
        for cases in {id(each.cases): each.cases for each in one.predicted}.values():
            for case, truth in zip(cases.ids.tolist(), cases.y.tolist(), strict=True):
                before, where = known.setdefault(case, (truth, one))
                if before != truth and where is not one:
                    raise Refusal(
                        f"case {case!r} is {_shown(before, where)} in {where.source} and"
                        f" {_shown(truth, one)} in {one.source}: these are results on different tables."
                    )


def _shown(truth: Any, results: Results) -> object:
    """A truth as its reader wrote it: a label, or the number itself."""
    return results.classes[int(truth)] if results.classes else truth


def _named_apart(results: Sequence[Results]) -> list[Results]:
    """The results, with the source before the name of each model whose name several sources use."""
    holders: dict[str, list[Results]] = {}
    for one in results:
        for model in one.models:
            holders.setdefault(model, []).append(one)
    same = {model for model, held in holders.items() if len(held) > 1 and _one_model(model, held)}
    notes = [_same(model, holders[model]) for model in holders if model in same]
    apart = []
    for one in results:
        names = {
            model: name_apart(one, model)
            for model in one.models
            if len(holders[model]) > 1 and model not in same
        }
        left_out = {model for model in one.models if model in same and holders[model][0] is not one}
        apart.append(_renamed(one, names, left_out))
    return [dataclasses.replace(apart[0], notes=(*apart[0].notes, *notes)), *apart[1:]]


def _same(model: str, results: Sequence[Results]) -> str:
    """What is told of a model that said the same in several sources."""
    first, *others = [one.source for one in results]
    return f"All that {model} says in {' and '.join(others)} is what it says in {first}, so it is one model."


def name_apart(results: Results, model: str) -> str:
    """What a model is called beside one of the same name from another source."""
    return f"{results.source}: {model}"


def _renamed(results: Results, names: Mapping[str, str], left_out: set[str]) -> Results:
    """The results with other names for some models, and without others."""

    def kept(rows: tuple[Row, ...]) -> tuple[Row, ...]:
        """Those that stay, under their new names."""
        stay = (one for one in rows if one.model not in left_out)
        return tuple(dataclasses.replace(one, model=names.get(one.model, one.model)) for one in stay)

    return dataclasses.replace(results, predicted=kept(results.predicted), scored=kept(results.scored))


def _one_model(model: str, results: Sequence[Results]) -> bool:
    """Whether a model said the same, to the bit, in each of several sources."""
    if any(one.scored for one in results):
        return False
    first, *others = [
        {
            (each.cases.split, each.cases.part): (each.cases.ids, each.outputs)
            for each in one.predicted
            if each.model == model
        }
        for one in results
    ]
    return all(
        other.keys() == first.keys()
        and all(
            np.array_equal(ids, other[key][0]) and np.array_equal(outputs, other[key][1], equal_nan=True)
            for key, (ids, outputs) in first.items()
        )
        for other in others
    )


def _hardened(results: Results) -> Results:
    """The results as labels alone, as other results that they are joined with have them."""
    if results.hard or not results.classes:
        return results
    predicted = tuple(dataclasses.replace(one, outputs=_calls(one.outputs)) for one in results.predicted)
    note = f"Of {results.source} the labels alone are used, because other results have nothing else."
    return dataclasses.replace(results, predicted=predicted, hard=True, notes=(*results.notes, note))


def _calls(outputs: Array) -> Array:
    """Outputs (R, n) as -1 and 1, (R, n, k) as 0 and 1; NaN stays."""
    if outputs.ndim == 2:
        return np.where(np.isnan(outputs), np.nan, np.where(outputs > 0, 1.0, -1.0))
    chosen = np.eye(outputs.shape[2])[outputs.argmax(axis=2)]
    return np.where(np.isnan(outputs).any(axis=2, keepdims=True), np.nan, chosen)


def _aligned(predicted: Predicted, first: dict[tuple[str, str], Cases]) -> Predicted:
    """What was said of the same cases, in the order in which an earlier source has them."""
    cases = predicted.cases
    other = first.setdefault((cases.split, cases.part), cases)
    if other is cases or len(other) != len(cases):
        return predicted
    order, theirs = np.argsort(cases.ids), np.argsort(other.ids)
    if not np.array_equal(cases.ids[order], other.ids[theirs]):
        return predicted
    place = np.empty(len(cases), dtype=int)
    place[theirs] = order
    quantiles = {level: values[:, place] for level, values in predicted.quantiles.items()}
    return dataclasses.replace(
        predicted, cases=other, outputs=predicted.outputs[:, place], quantiles=quantiles
    )
