"""Results as one long table, which is read back to the bit."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from handnet.data import Array
from handnet.predictions.form import Predicted, Results, Scored
from handnet.scores import called


def to_frame(results: Results) -> pd.DataFrame:
    """The long form of results: one row for each model, division, part, seed and case.

    Its columns are model, split, part, seed (missing for a model without one), case, group (only where cases
    have one), y, n_train (how many rows of the table are not among these test rows, where that is known), and
    what was predicted, at full precision: of classes `logit_<label>`, of two that of the positive one alone,
    or `label` where there is nothing else; of a number `yhat`, with `q<level>` for each quantile. They are
    missing for a seed that diverged. Results that are scores alone have one row for each model, division,
    part and seed, with a column for each score.

    `read_frame` reads the outputs back to the bit. The table does not name a measured target, and a number
    of few values could be a class, so `Columns(yhat="yhat", target=...)` says both.
    """
    if not results.predicted:
        return pd.DataFrame([row for scored in results.scored for row in _score_rows(scored)])
    rows = results.predicted
    columns = {
        "model": _texts(rows, [one.model for one in rows]),
        "split": _texts(rows, [one.cases.split for one in rows]),
        "part": _texts(rows, [one.cases.part for one in rows]),
        "seed": _texts(rows, [np.array([one.seeds or ("",)]).T for one in rows]),
        "case": _texts(rows, [one.cases.ids for one in rows]),
        "group": _integers(rows, [one.cases.groups for one in rows]),
        "y": _truths(results),
        "n_train": _integers(rows, [one.cases.others for one in rows]),
        **_outputs(results),
    }
    return pd.DataFrame({name: column for name, column in columns.items() if column is not None})


def _spread(rows: Sequence[Predicted], values: Sequence[Any]) -> Array:
    """One column (N,) of what meets the (R, n) rows of each Predicted."""
    pairs = zip(rows, values, strict=True)
    return np.concatenate([np.broadcast_to(held, one.outputs.shape[:2]).ravel() for one, held in pairs])


def _texts(rows: Sequence[Predicted], texts: Sequence[Any]) -> Any:
    """A column of texts, each kept once, "" as a gap; None where there is nothing else."""
    places: dict[str, int] = {"": -1}
    codes = [
        np.reshape([places.setdefault(text, len(places) - 1) for text in np.ravel(some)], np.shape(some))
        for some in texts
    ]
    _, *categories = places
    return pd.Categorical.from_codes(_spread(rows, codes), pd.Index(categories)) if categories else None


def _integers(rows: Sequence[Predicted], numbers: Sequence[Any]) -> Any:
    """A column of whole numbers, None as a gap; None where there is nothing else."""
    gaps = [held is None for held in numbers]
    if all(gaps):
        return None
    filled = [0 if held is None else held for held in numbers]
    return pd.arrays.IntegerArray(_spread(rows, filled).astype(np.int64), _spread(rows, gaps))


def _truths(results: Results) -> Any:
    """The truth of each row: a label or a number."""
    y = _spread(results.predicted, [one.cases.y for one in results.predicted])
    return pd.Categorical.from_codes(y, pd.Index(results.classes)) if results.classes else y


def _outputs(results: Results) -> dict[str, Any]:
    """The columns of what was predicted."""
    rows, classes = results.predicted, results.classes
    if results.hard:
        calls = _spread(rows, [_calls(one.outputs) for one in rows])
        return {"label": pd.Categorical.from_codes(calls, pd.Index(classes))}
    if len(classes) > 2:
        logits = [_spread(rows, [one.outputs[:, :, place] for one in rows]) for place in range(len(classes))]
        return {f"logit_{label}": of_label for label, of_label in zip(classes, logits, strict=True)}
    levels = sorted({level for one in rows for level in one.quantiles})
    quantiles = {f"q{level}": [one.quantiles.get(level, np.nan) for one in rows] for level in levels}
    name = f"logit_{classes[1]}" if classes else "yhat"
    columns: dict[str, list[Any]] = {name: [one.outputs for one in rows], **quantiles}
    return {name: _spread(rows, values) for name, values in columns.items()}


def _calls(outputs: Array) -> Array:
    """(R, n) int: the class that is called, -1 where a seed diverged."""
    gaps = np.isnan(outputs).reshape(*outputs.shape[:2], -1).any(axis=2)
    return np.where(gaps, -1, called(outputs))


def _score_rows(scored: Scored) -> Iterator[dict[str, object]]:
    """One row a seed."""
    head = {"model": scored.model, "split": scored.split, "part": scored.part}
    for place, seed in enumerate(scored.seeds or (None,)):
        scores = {name: values[place] for name, values in scored.scores.items()}
        yield {**head, "seed": seed, **scores, "n": scored.n, "n_train": scored.others}
