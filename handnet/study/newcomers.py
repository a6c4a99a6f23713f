"""What the winner of a study says of rows that it has never seen."""

import re
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit, softmax

from handnet.bands.intervals import LEVEL, half_widths
from handnet.data import Array, listed
from handnet.messages import Refusal
from handnet.report.words import of_class
from handnet.scores import called
from handnet.study.again import asked
from handnet.study.files import write_whole
from handnet.study.networks import Replicas
from handnet.study.outcome import StoredStudy
from handnet.study.prediction import banded
from handnet.study.screen import Clock, Screen
from handnet.study.settings import Settings
from handnet.study.units import Problem
from handnet.tables.dialect import Dialect
from handnet.tables.more_rows import MoreRows, read_more_rows

BLOCK = 1024  # rows whose outputs of all seeds are held at once
SHOWN = 20  # rows on a screen
CHOOSE = "write the name of one before the new rows"
FILLED = "which are filled in as those of the train rows are"
UNFILLED = (
    "which no train row has: a row without a number has no output, a missing text is none of the others"
)


@dataclass(frozen=True)
class NewRows:
    """What the winner of a study says of new rows, each in its band over the seeds.

    rows: one for each new row, in their order. Of classes the columns are case, call (the class with the
    highest mean probability), agree (how many of the seeds call it so), seeds (how many there are), and mean,
    q025 and q975 of the probability of the positive class, of many classes of each ("mean setosa"). Of a
    number they are case, seeds, mean, q025 and q975 of the guess, and low90 and high90: the interval around
    the mean guess that holds nine of ten further cases, where there are validation rows enough to tell.
    What has no output is empty. notes: what is to be told of the rows, in sentences; columns: what the
    columns are.
    """

    rows: pd.DataFrame
    notes: tuple[str, ...]
    columns: str

    def write(self, path: str | Path) -> None:
        """Write all rows as CSV with all their digits. Raises Refusal where the folder is not there."""
        folder = Path(path).parent
        if not folder.is_dir():
            raise Refusal(
                f"there is no folder {folder}, so {Path(path).name} cannot be written; make it first."
            )
        write_whole(Path(path), self.rows.to_csv(index=False).encode())

    def __str__(self) -> str:
        """The first rows as a table, what its columns are, and the notes below it."""
        written = "{:.4f}" if "call" in self.rows else "{:.5g}"
        table = self.rows.head(SHOWN).to_string(index=False, float_format=written.format)
        more = len(self.rows) - SHOWN
        return "\n".join(
            [table, *([f"... and {more} rows more."] if more > 0 else []), self.columns, *self.notes]
        )


def predict_rows(
    name: str | None, home: Path, new: "Path | str | pd.DataFrame", *, id: str = "", table: str | None = None
) -> NewRows:
    """What the confirmed models of a study's winner say of new rows.

    The new rows have the columns of the study's table; the target may be absent, and is not read. Gaps and
    texts that no train row has become inputs as those of the table do; where the study knows no way with a
    gap, a row with one has no output.
    name: the default study's if None; new: a DataFrame, or a file of any kind that a study may be about; id:
    the column that names the cases, that of the study's own table unless given; table: where the study's own
    table is now, if it was moved.
    A model that keeps nothing is fitted again with every seed, and must give its outputs on the validation
    rows again. Raises Refusal when there is no such study, it has confirmed nothing or its store is damaged,
    for new rows that lack a column or hold text where the study has numbers, and where a model fails.
    """
    study = StoredStudy(home, Clock(time.perf_counter()), Screen(quiet=True), name, table, CHOOSE)
    winner = study.load(trials=False).confirmed[0]
    configuration, settings = winner.configuration, study.records.settings
    assert winner.replicas is not None  # it has seeds
    assert configuration is not None
    replicas, problem = winner.replicas.pick(winner.replicas.sound), study.problem
    if not len(replicas.seeds):
        raise Refusal(f"no seed of the winner of {study.name} is sound, so none can say anything.", 1)
    more = _read(new, problem, settings, id)
    if configuration.is_mlp:
        rows = _predicted(problem, replicas, more, lambda X: problem.outputs(replicas.fit.layers, X), BLOCK)
    else:
        again = asked(problem, settings, configuration, replicas)
        rows = _predicted(problem, replicas, more, again, max(len(more.X), 1))
    if isinstance(new, pd.DataFrame):
        rows.index = new.index
    notes = (*more.notes, *_told(problem, more, rows))
    return NewRows(rows, notes, _meaning(problem, rows))


@contextmanager
def _as_file(new: "Path | str | pd.DataFrame") -> Iterator[Path]:
    """The new rows as a file."""
    if not isinstance(new, pd.DataFrame):
        yield Path(new)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "the DataFrame.parquet")
        try:
            new.set_axis([str(name) for name in new.columns], axis=1).to_parquet(path, index=False)
        except Exception as fault:  # of pandas or Arrow, for columns that no file holds
            what = " ".join(str(fault).split())[:200]
            raise Refusal(f"the DataFrame cannot be written as a table: {what}") from None
        yield path


def _read(new: "Path | str | pd.DataFrame", problem: Problem, settings: Settings, id: str) -> MoreRows:
    """The new rows as the study's table has them."""
    data, said, encoder = problem.data, settings.data, problem.parts.encoder
    needed = [data.feature_names[column] for column in np.unique(encoder.source)]
    called = "the DataFrame" if isinstance(new, pd.DataFrame) else str(new)
    with _as_file(new) as path:
        typed = path.suffix.lower() in (".parquet", ".arff")
        dialect = Dialect() if typed else Dialect(said.separator, said.decimal, said.encoding)
        try:
            return read_more_rows(
                path,
                data,
                id=id or said.id,
                number=said.number,
                known=(said.target, said.group, *said.leave),
                needed=needed,
                dialect=dialect,
            )
        except ValueError as fault:
            raise Refusal(f"{called}: {fault!s}") from None


def _predicted(
    problem: Problem, replicas: Replicas, more: MoreRows, say: Callable[[Array], Array], block: int
) -> pd.DataFrame:
    """What the models say of the rows, a block at a time. say: scaled rows to outputs."""
    blocks = [more.X[start : start + block] for start in range(0, len(more.X), block)]
    said = pd.concat([_of_block(problem, say, X) for X in blocks], ignore_index=True)
    counts = [name for name in ("agree", "seeds") if name in said]
    said = said.astype(dict.fromkeys(counts, "Int64"))
    said.insert(0, "case", more.case_ids)
    if not problem.task.classes:
        half = _half_width(problem, replicas)
        if np.isfinite(half):
            said["low90"], said["high90"] = said["mean"] - half, said["mean"] + half
    return said


def _of_block(problem: Problem, say: Callable[[Array], Array], X: Array) -> pd.DataFrame:
    """What the models say of some rows X (n, columns) of the table; empty where they overflow."""
    outputs = say(problem.parts.scaled(X)).astype(np.float64)
    known = np.isfinite(outputs).all(axis=(0, *range(2, outputs.ndim)))
    said = _said(problem, outputs[:, known])
    return said.set_axis(np.flatnonzero(known), axis=0).reindex(range(len(X)))


def _said(problem: Problem, outputs: Array) -> pd.DataFrame:
    """The columns of `NewRows` but for the case, of outputs (R, n) or (R, n, k)."""
    names, seeds = _names(problem), len(outputs)
    if not names:
        head: dict[str, Any] = {"seeds": seeds}
        return pd.concat([pd.DataFrame(head, index=range(outputs.shape[1])), banded(outputs, names)], axis=1)
    p = softmax(outputs, axis=-1) if len(names) > 2 else expit(outputs)
    mean = p.mean(axis=0)
    calls = mean.argmax(axis=-1) if len(names) > 2 else (mean > 0.5).astype(int)
    agree = (called(outputs) == calls).sum(axis=0)
    head = {"call": np.array(names, dtype=object)[calls], "agree": agree, "seeds": seeds}
    return pd.concat([pd.DataFrame(head), banded(p, names)], axis=1)


def _names(problem: Problem) -> list[str]:
    """The classes as their labels are written: a whole number without a point and zeros behind it."""
    return [re.sub(r"^([+-]?\d+)\.0*$", r"\1", name) for name in problem.data.class_names]


def _half_width(problem: Problem, replicas: Replicas) -> float:
    """Half of the interval around the mean guess of the seeds, fixed on the validation rows."""
    mean = replicas.val_logits.mean(axis=0, dtype=np.float64)
    return float(half_widths(mean[None], problem.parts.val.y, LEVEL)[0])


def _meaning(problem: Problem, rows: pd.DataFrame) -> str:
    """What the columns are, in words."""
    names, counts = _names(problem), rows["seeds"].dropna()
    of = "the guess"
    if names:
        of = (
            f"the probability of {of_class(names[1])}" if len(names) == 2 else "the probability of each class"
        )
    over = f"{counts.iloc[0]} seeds" if len(counts) else "the seeds"
    told = (
        f"mean, q025 and q975: {of}, its mean and its quantiles .025 and .975 over {over}; they say what"
        " other seeds would say, and not how far from the truth it is."
    )
    if len(counts) and counts.iloc[0] == 1:
        told = f"mean: {of}; there is one seed alone, so q025 and q975 are the same number and no band."
    interval = " low90 and high90: an interval that holds the truth of 90 of 100 such cases."
    return told + interval * ("low90" in rows)


def _told(problem: Problem, more: MoreRows, rows: pd.DataFrame) -> list[str]:
    """What is to be told of the rows: gaps, texts that no train row has, and values beyond the train rows."""
    data, parts = problem.data, problem.parts
    train, used = data.X[parts.train_rows], np.unique(parts.encoder.source)
    gaps, unknown, outside = {}, {}, {}
    for column in used:
        name, cells, seen = data.feature_names[column], more.X[:, column], train[:, column]
        gaps[name] = int(np.isnan(cells).sum())
        if name in data.levels:
            unknown[name] = int((~np.isin(cells, seen) & ~np.isnan(cells)).sum())
        else:
            outside[name] = int(((cells < np.nanmin(seen)) | (cells > np.nanmax(seen))).sum())
    counted = {
        f"Gaps, {FILLED if data.missing else UNFILLED}": gaps,
        "Texts that no train row has, which count as none of the others": unknown,
        "Values outside the range of the train rows, where nothing was learnt": outside,
    }
    told = [
        f"{what}: {listed(f'{many} in {name!r}' for name, many in counts.items() if many)}."
        for what, counts in counted.items()
        if any(counts.values())
    ]
    empty = int(rows["seeds"].isna().sum())
    if empty:
        told.append(f"{empty} of {len(rows)} rows have no output, for a gap or a value far too large.")
    return told
