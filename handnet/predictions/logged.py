"""One line in a training script that keeps what a model says of each case, in the form that is read here."""

import re
import sys
import tempfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from handnet.data import Array, listed
from handnet.messages import Refusal

FOLDER = "predictions"  # below the artifacts of a run, or in the working directory
LOGGED = "handnet.predictions"  # the tag of a run that holds some
CLOSE = 1e-6  # how far the probabilities of a case may sum from 1
MOST_CLASSES = 50
Kind = Literal["probabilities", "logits", "numbers", "labels"]
COLUMN: dict[str, str] = {"probabilities": "p", "logits": "logit", "numbers": "yhat", "labels": "label"}


def log_predictions(
    ids: ArrayLike,
    y: ArrayLike,
    p: ArrayLike,
    *,
    seed: int | str | None = None,
    model: str | None = None,
    split: int | str | None = None,
    part: str = "test",
    groups: ArrayLike | None = None,
    classes: Sequence[Any] | None = None,
    kind: Kind | None = None,
    folder: str | Path | None = None,
) -> str:
    """Keep what a model says of n cases: in the active MLflow run, else in a file of a folder.

    ids: (n,) names of the cases, by which models and seeds are paired; y: (n,) the truth, labels or numbers.
    p: (n,) probabilities of the label that sorts last, (n, k) probabilities of k labels in the order of
    `classes`, (n,) guessed numbers, or (n,) labels; kind: which of these it is, where the values do not tell,
    and "logits" for logits. seed, model, split: what tells this fit from others; part: "test", "val" or
    "train"; groups: (n,) what several cases belong to. classes: the labels, sorted as scikit-learn sorts them
    unless given; of two the positive one last. folder: where the file goes without a run, ./predictions
    unless given; with it, the file goes there in any case.

    A run gets a file below its artifacts' predictions/ and the tags seed, model and split where it has none.
    Nothing is overwritten: each call makes another file. The file is Parquet; CSV where pyarrow is missing.
    Returns its path or, in a run, runs:/RUN/predictions/FILE. Raises Refusal for what does not fit together.
    """
    table = table_of(_vector(ids, "ids"), _vector(y, "y"), p, groups, classes, kind)
    fit = {"model": model, "split": split, "seed": seed}
    told = {name: str(value) for name, value in fit.items() if value is not None}
    for name, text in {**told, "part": part}.items():
        table[name] = text
    stem = re.sub(r"[^\w.=-]+", "-", "-".join([part, *(f"{name}-{text}" for name, text in told.items())]))
    mlflow = sys.modules.get("mlflow")  # a script with an active run has imported it
    run = mlflow.active_run() if mlflow and folder is None else None
    if run is None:
        return _into_folder(table, Path(FOLDER if folder is None else folder), stem)
    return _into_run(table, mlflow, run.info.run_id, stem, told)


def _into_folder(table: pd.DataFrame, folder: Path, stem: str) -> str:
    """Write a table as a new file of a folder, and return its path."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        taken = {path.name for path in folder.iterdir()}
        path = folder / _free(stem, taken)
        with path.open("xb") as file:
            _write(table, file)
    except OSError as fault:
        raise Refusal(f"the predictions cannot be written to {folder} ({fault.strerror}).", 1) from None
    return str(path)


def _into_run(table: pd.DataFrame, mlflow: Any, run: str, stem: str, told: dict[str, str]) -> str:
    """Log a table as a new artifact of a run, with the tags that it lacks, and return its address."""
    there = mlflow.artifacts.list_artifacts(run_id=run, artifact_path=FOLDER)
    name = _free(stem, {Path(one.path).name for one in there})
    with tempfile.TemporaryDirectory() as aside:
        path = Path(aside, name)
        with path.open("wb") as file:
            _write(table, file)
        mlflow.log_artifact(str(path), FOLDER, run_id=run)
    tags = mlflow.get_run(run).data.tags
    mlflow.set_tags({LOGGED: "true"} | {name: text for name, text in told.items() if name not in tags})
    return f"runs:/{run}/{FOLDER}/{name}"


def _free(stem: str, taken: set[str]) -> str:
    """A name of a file that is not taken."""
    ending = ".parquet" if find_spec("pyarrow") else ".csv"
    names = (f"{stem}{f'-{count}' if count > 1 else ''}{ending}" for count in range(1, len(taken) + 2))
    return next(name for name in names if name not in taken)


def _write(table: pd.DataFrame, file: Any) -> None:
    if find_spec("pyarrow"):
        table.to_parquet(file, index=False)
    else:
        table.to_csv(file, index=False)


def table_of(
    ids: Array, y: Array, p: Any, groups: Any, classes: Sequence[Any] | None, kind: Kind | None
) -> pd.DataFrame:
    """The rows of one fit: case (n,), group, y and the columns of the prediction. The rest as in
    `log_predictions`, which raises the same Refusals."""
    said = _array(p, "p")
    said = said[:, 0] if said.ndim == 2 and said.shape[1] == 1 else said
    if said.ndim not in (1, 2):
        raise Refusal(f"p must be (n,) or (n, k), but its shape is {said.shape}.")
    columns: dict[str, Array] = {"case": ids, "y": y}
    if groups is not None:
        columns["group"] = _vector(groups, "groups")
    lengths = {name: len(values) for name, values in {**columns, "p": said}.items()}
    if len(set(lengths.values())) > 1:
        counted = listed(f"{count} of {name}" for name, count in lengths.items())
        raise Refusal(f"one row a case is expected, but there are {counted}.")
    if not len(y):
        raise Refusal("there are no cases to log.")
    if pd.isna(y).any():
        raise Refusal(f"y is missing for the case {ids[pd.isna(y).argmax()]!s}; leave such cases out.")
    if (twice := pd.Series(ids).duplicated()).any():
        raise Refusal(
            f"the case {ids[twice.to_numpy().argmax()]!s} is in ids twice; one row a case is logged."
        )
    kind = kind or _kind(y, said)
    if kind not in COLUMN:
        raise Refusal(f"kind must be {', '.join(map(repr, COLUMN))}, but is {kind!r}.")
    return pd.DataFrame({**columns, **_prediction(ids, y, said, kind, classes)})


def _prediction(
    ids: Array, y: Array, said: Array, kind: Kind, classes: Sequence[Any] | None
) -> dict[str, Array]:
    """The columns of the prediction, by name."""
    if kind == "labels":
        if said.ndim == 2:
            raise Refusal("labels are (n,), one a case, but p has several columns.")
        return {"label": said}
    try:
        values = said.astype(float)
    except (TypeError, ValueError):
        raise Refusal(f"p must hold numbers to be {kind}, but holds {said.ravel()[0]!r}.") from None
    _check_values(ids, values, kind)
    column = COLUMN[kind]
    if values.ndim == 1 and classes is None:
        return {column: values}
    if kind == "numbers":
        raise Refusal("guessed numbers are (n,), one a case, and have no classes.")
    labels = list(pd.unique(pd.Series(y).sort_values()) if classes is None else classes)
    if values.ndim == 1:
        if kind != "probabilities" or len(labels) != 2:
            raise Refusal(
                f"classes are for probabilities of two labels, or for one column a label of {kind}."
            )
        values = np.column_stack([1 - values, values])
    if len(labels) != values.shape[1]:
        raise Refusal(
            f"p has {values.shape[1]} columns and there are {len(labels)} labels"
            f" ({listed(map(str, labels))}); name them in the order of the columns with classes=[...]."
        )
    if strange := set(map(str, np.unique(y))) - set(map(str, labels)):
        raise Refusal(f"y holds {min(strange)!r}, which is not among the classes {listed(map(str, labels))}.")
    return {f"{column}_{label}": values[:, at] for at, label in enumerate(labels)}


def _check_values(ids: Array, values: Array, kind: Kind) -> None:
    """Raises Refusal for values that are missing in part, and for probabilities that are none."""
    missing = ~np.isfinite(values)
    if missing.any() and not missing.all():  # all of them: a fit that has diverged
        case = ids[missing.reshape(len(values), -1).any(axis=1).argmax()]
        raise Refusal(
            f"p is not finite for the case {case!s}; a fit that has diverged is missing throughout."
        )
    if kind != "probabilities" or missing.all():
        return
    if values.min() < 0 or values.max() > 1:
        raise Refusal(
            f"p goes from {values.min():g} to {values.max():g}, which are no probabilities; say kind='logits'"
            " if they are logits."
        )
    if values.ndim == 2 and (off := np.abs(values.sum(axis=1) - 1)).max() > CLOSE:
        at = off.argmax()
        raise Refusal(
            f"the probabilities of the case {ids[at]!s} sum to {values[at].sum():.6g} and not to 1; say"
            " kind='logits' if they are logits."
        )


def _kind(y: Array, said: Array) -> Kind:
    """What p holds, as its values and those of y tell. Raises Refusal where they do not."""
    if said.ndim == 2:
        return "probabilities"
    if said.dtype.kind not in "iuf":  # texts and truth values
        return "labels"
    labels, numeric = pd.Series(y).unique().tolist(), y.dtype.kind in "iuf"
    if numeric and (y != np.round(y)).any():
        return "numbers"
    among = numeric and bool(np.isin(said, labels).all())
    if len(labels) > 2:
        if not numeric:
            raise Refusal(f"y has {len(labels)} labels, so p must have a column for each of them.")
        if not among or len(labels) > MOST_CLASSES:
            return "numbers"
        raise Refusal("y and p may be labels or numbers; say kind='labels' or kind='numbers'.")
    if among and said.dtype.kind in "iu":
        return "labels"
    if np.isnan(said).all() or (np.nanmin(said) >= 0 and np.nanmax(said) <= 1):
        return "probabilities"
    others = " or kind='numbers'" if numeric else ""
    raise Refusal(
        f"p goes from {np.nanmin(said):g} to {np.nanmax(said):g}, which are no probabilities; say"
        f" kind='logits'{others}."
    )


def _vector(values: Any, name: str) -> Array:
    """One value a case, (n,). Raises Refusal for another shape."""
    found = _array(values, name)
    if found.ndim == 2 and found.shape[1] == 1:
        found = found[:, 0]
    if found.ndim != 1:
        raise Refusal(f"{name} must be (n,), one a case, but its shape is {found.shape}.")
    return found


def _array(values: Any, name: str) -> Array:
    try:
        return np.asarray(values)
    except (TypeError, ValueError, RuntimeError) as fault:  # ragged rows; a tensor on another device
        why = str(fault).partition("\n")[0]
        raise Refusal(f"{name} cannot be read as an array ({why}).") from None
