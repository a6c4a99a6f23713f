"""The tables of predictions among the artifacts of runs, as one long table."""

import json
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd

from handnet.data import listed
from handnet.messages import Refusal, option
from handnet.predictions.columns import PLACES, Columns, told
from handnet.predictions.experiment import Experiment, Run
from handnet.predictions.files import read_table
from handnet.predictions.folder import check_columns, one_table
from handnet.predictions.form import PART
from handnet.predictions.logged import FOLDER
from handnet.predictions.runs import Reading, Told
from handnet.predictions.table import find
from handnet.predictions.wide import long_form

Tick = Callable[[int, int], object]
FIT = ["model", "split", "seed", "part"]  # what tells one fit from another
OURS = f"{FOLDER}/*"  # where log_predictions puts tables
MAY_HOLD = (".csv", ".tsv", ".parquet", ".pq", ".json")  # tables of predictions
MOST_TRIED = 5  # files, when it is looked whether a run holds one
OWN = ("model", "split", "seed")  # what a table may say itself


@dataclass
class Tables:
    """Reads the tables of predictions that runs hold.

    pattern: of their paths; latest: whether of two runs of one fit the later counts; tick: called with the
    files that are read and all there are.
    """

    there: Experiment
    reading: Reading
    columns: Columns
    pattern: str
    latest: bool
    tick: Tick

    def read(self, told: Sequence[Told]) -> tuple[pd.DataFrame, Columns]:
        """A table with a row for each model, division, seed and case of all runs, and its columns.

        Raises Refusal where no run has one, or two runs are of one fit."""
        files = [(one, path) for one in told for path in self.there.files(one.run, self.pattern)]
        self._note_lacking(told, {one.run.id for one, _ in files})
        tables: list[tuple[Told, pd.DataFrame]] = []
        targets = dict[str, None]()
        for at, (one, path) in enumerate(files):
            self.tick(at, len(files))
            table, target = self._in_form(one.run, path)
            tables.append((one, table))
            targets[target] = None
        self.tick(len(files), len(files))
        usual = [name for name in PLACES if isinstance(getattr(self.columns, name), str)]
        target = self.columns.target or next((name for name in targets if name != "y"), "")
        columns = replace(self.columns, **dict.fromkeys(usual, ""), target=target, wide="")
        columns = replace(columns, kind="" if self.columns.wide else columns.kind)
        frame = self._once(self._told(tables))
        if self.pattern == OURS and "yhat" in frame:  # what log_predictions calls so is a number
            columns = replace(columns, yhat="yhat")
        return frame, columns

    def _note_lacking(self, told: Sequence[Told], having: set[str]) -> None:
        """Names the runs without a table, but for those that others are nested in."""
        if not having:
            there = [path for one in told[:1] for path in self.there.all_files(one.run)]
            has = f"has {listed(there)}" if there else "has none"
            raise Refusal(f"no finished run has an artifact {self.pattern}; the first {has}.")
        parents = {one.run.parent for one in told}
        if lacking := [str(one.run) for one in told if one.run.id not in having | parents]:
            self.reading.notes.append(f"These runs have no artifact {self.pattern}: {listed(lacking)}.")

    def _in_form(self, run: Run, path: str) -> tuple[pd.DataFrame, str]:
        """One artifact, its columns called as usual, and what it calls the truth."""
        with TemporaryDirectory() as folder:
            table = read_artifact(self.there.download(run, path, folder), f"{path} of the run {run}")
        try:
            table, columns = long_form(table, self.columns)
            places, guess = find(table, columns)
        except Refusal as fault:
            raise Refusal(f"{path} of the run {run}: {fault.sentence}", fault.code) from None
        notes = told(places, columns)
        self.reading.notes += [note for note in notes if note not in self.reading.notes]
        names = {name: purpose for purpose, name in places.items()}
        kept = [*names, *guess.columns.values(), *guess.quantiles.values()]
        names |= {guess.columns[""]: guess.kind} if guess.wide else {}
        return table[kept].rename(columns=names), places["y"]

    def _told(self, tables: Sequence[tuple[Told, pd.DataFrame]]) -> list[tuple[Told, pd.DataFrame]]:
        """The tables with the model, division, seed and part of their rows, as far as they do not say them.

        What the reader names a key for is taken from the run in any case."""
        asked = dict(zip(OWN, (self.reading.by, self.reading.split, self.reading.seed), strict=True))
        silent = {one.run.id: one for one, table in tables if asked["seed"] or "seed" not in table}
        seeds = {one.run.id: one.seed for one in self.reading.with_seeds([*silent.values()])}
        found = []
        for one, table in tables:
            if one.run.id in silent and one.run.id not in seeds:  # left out, as a note says
                continue
            said = {"model": one.model, "split": one.split, "seed": seeds.get(one.run.id) or None}
            new = {name: text for name, text in said.items() if asked[name] or name not in table}
            found.append((one, table.assign(**new, **({} if "part" in table else {"part": PART}))))
        return found

    def _once(self, tables: Sequence[tuple[Told, pd.DataFrame]]) -> pd.DataFrame:
        """The tables as one, in which each fit is of one run."""
        runs = list({one.run.id: one.run for one, _ in tables}.values())
        named = [(f"the run {one.run}", table) for one, table in tables]
        check_columns(named)
        at = {run.id: place for place, run in enumerate(runs)}
        owner = np.repeat([at[one.run.id] for one, _ in tables], [len(table) for _, table in tables])
        frame = one_table(named)
        fits = frame.groupby(FIT, dropna=False, sort=False, observed=True).ngroup().to_numpy()
        owners = pd.Series(owner).groupby(fits)
        first, last = owners.transform("min").to_numpy(), owners.transform("max").to_numpy()
        twice = first != last
        if not twice.any():
            return frame
        place = int(twice.argmax())
        both = [runs[first[place]], runs[last[place]]]
        told = Told(both[0], *frame.iloc[place][list(OWN)].fillna("").astype(str))
        self.reading.refuse_two(told, both[1], self.latest)
        return frame[owner == last]


def tables_unread(there: Experiment, runs: Sequence[Run]) -> list[str]:
    """A note where the last of some runs holds a table of predictions, of which the first is named."""
    for run in runs[-1:]:
        with suppress(Refusal):  # without its artifacts a run still has its metrics
            paths = [path for path in there.all_files(run) if Path(path).suffix.lower() in MAY_HOLD]
            for path in paths[:MOST_TRIED]:
                if _holds_predictions(there, run, path):
                    pattern = re.sub(r"\d+", "*", path)
                    return [
                        f"Metrics alone are read, and the runs hold tables of predictions, such as {path};"
                        f" {option('artifact', pattern)} reads them."
                    ]
    return []


def _holds_predictions(there: Experiment, run: Run, path: str) -> bool:
    """Whether an artifact is a table with a truth and a prediction."""
    with TemporaryDirectory() as folder, suppress(Refusal):
        find(read_artifact(there.download(run, path, folder), path), Columns())
        return True
    return False


def read_artifact(path: Path, what: str) -> pd.DataFrame:
    """A file of CSV, Parquet, or JSON by columns, by rows or as mlflow.log_table writes it.

    what: what a sentence calls it. Raises Refusal for a file that is none of these."""
    kind = path.suffix.lower()
    try:
        if kind == ".json":
            content = json.loads(path.read_text(encoding="utf-8"))
            split = isinstance(content, dict) and content.keys() >= {"columns", "data"}
            return (
                pd.DataFrame(content["data"], columns=content["columns"]) if split else pd.DataFrame(content)
            )
        if kind in (".csv", ".tsv", ".txt", ".parquet", ".pq"):
            return read_table(path).frame
    except Refusal as fault:
        raise Refusal(f"{what}{fault.sentence.removeprefix(str(path))}") from None
    except (OSError, ValueError, TypeError) as fault:
        why = str(fault).partition("\n")[0][:200]
        raise Refusal(f"{what} cannot be read as a table ({why}).") from None
    raise Refusal(f"{what} is no table that is read: CSV, Parquet or JSON.")
