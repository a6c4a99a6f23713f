"""What make torture has found, an undisturbed study, and what must be on the disk after each kill."""

import json
import shutil
import sqlite3
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from canonical import arrays, digest, hashed, ledger, query, runs, tracked, trials
from killpoints import point
from torture_child import Child, journal, moments

ORDER = (
    ("renamed study.json", "renaming network"),
    ("renamed network", "telling trial"),
    ("told trial", "created run"),
    ("told trial", "recording opened"),
    ("recorded opened", "renaming test"),
    ("recorded rehearsed", "renaming streams"),
    ("renamed test", "renaming commit.json"),
    ("renamed commit.json", "superseding split"),
    ("renamed commit.json", "recording graded"),
    ("renamed commit.json", "replacing report.json"),
)
ONCE = (
    "renamed",
    "told",
    "recorded",
    "finished",
)  # moments that come once for each key, however often a study is killed
UNLIKE = ("seconds.json", "origin.json", "tracking")  # clocks, a random name, a folder


@dataclass
class Tally:
    """What was done and what was found wrong."""

    named: Counter[str] = field(default_factory=Counter)
    outside: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    equal: Counter[str] = field(default_factory=Counter)
    rounds: Counter[str] = field(default_factory=Counter)

    @property
    def kills(self) -> int:
        return self.named.total() + self.outside.total()

    @property
    def proven(self) -> set[str]:
        """The moments that a child died at."""
        return {label.split(" ", 1)[1] for label, times in self.named.items() if times}

    def fault(self, kind: str, what: object) -> None:
        self.faults[kind] += 1
        print(f"WRONG, {kind}: {what}", flush=True)


@dataclass(frozen=True)
class Twin:
    """A study that nobody disturbed.

    store: its files by key; times: how often each point was reached, in the order of the first time."""

    name: str
    words: tuple[str, ...]
    digest: str
    store: dict[str, Any]
    runs: dict[str, dict]
    trials: list[dict[str, Any]]
    ledger: list[dict[str, Any]]
    times: dict[str, int]

    @property
    def points(self) -> list[str]:
        return list(self.times)


def undisturbed(home: Path, words: tuple[str, ...], tally: Tally) -> Twin:
    child = Child(home, *words)
    if child.wait() != 0:
        raise SystemExit(f"the undisturbed study failed:\n{child.said()}")
    times = Counter(point(moment) for moment in child.moments())
    points = list(times)
    for earlier, later in ORDER:
        if later in points and points.index(earlier) > points.index(later):
            tally.fault("order", f"{later!r} comes before {earlier!r}")
    (name,) = [folder.name for folder in (home / "studies").iterdir()]
    stored = store(home, name, tally)
    return Twin(name, words, digest(home), stored, runs(home), trials(home), ledger(home), times)


# What is on the disk


def store(home: Path, name: str, tally: Tally) -> dict[str, Any]:
    """Every file of the store by key, but clocks and trials. One that is not whole is a fault."""
    folder, found = home / "studies" / name, {}
    for path in (*folder.rglob("*.npz"), *folder.glob("*.json")):
        key = str(path.relative_to(folder)).removesuffix(".npz")
        if path.name.startswith(".") or key in UNLIKE:
            continue
        try:
            found[key] = hashed(arrays(path)) if path.suffix == ".npz" else json.loads(path.read_text())
        except FileNotFoundError:
            pass  # a writer has removed it meanwhile
        except Exception as fault:  # whatever reads it, and whatever that raises
            tally.fault("torn", f"{path}: {fault!r}")
    return found


def examine(home: Path, twin: Twin, tally: Tally) -> None:
    """After a kill: every file is whole, and what the undisturbed study has; all that was acknowledged is
    there; and nothing is there before what it relies on."""
    said, found = [moment for _, moment in moments(home)], store(home, twin.name, tally)
    told = trials(home) if (home / "studies").exists() else []
    for key in (key for key, content in found.items() if content != twin.store.get(key)):
        tally.fault("other", f"{home}: {key} is not what the undisturbed study has there")
    for key in {moment.split(" ", 1)[1] for moment in said if moment.startswith("renamed")} - {*found}:
        if key not in UNLIKE:
            tally.fault("lost", f"{home}: {key}")
    if told != twin.trials[: len(told)] or len(told) < sum(one.startswith("told") for one in said):
        tally.fault("lost", f"{home}: of {said.count('told')} trials {told} is stored")
    for trial in told:
        networks = {key for key in twin.store if key.startswith(f"network/{trial['config_id']}/0-")}
        if not networks or networks - {*found}:
            tally.fault("order", f"{home}: the networks of trial {trial} are not there")
    _examine_opening(home, twin, [one.split()[1] for one in said if one.startswith("recorded")], found, tally)
    _examine_pages(home, tally)
    _examine_tracking(home, twin, {one.split("/", 1)[1] for one in said if one.startswith("finished")}, tally)


def _examine_tracking(home: Path, twin: Twin, said: set[str], tally: Tally) -> None:
    """MLflow's database is sound, and what is marked FINISHED there is complete. It is read from a copy,
    because whoever opens it repairs it."""
    with tempfile.TemporaryDirectory() as folder:
        copy = tracked(Path(folder))
        copy.parent.mkdir()
        for path in tracked(home).parent.glob("mlflow.db*"):
            shutil.copy(path, copy.parent)
        try:
            found = {key: run for key, run in runs(Path(folder)).items() if run["status"] == "FINISHED"}
            sound = not copy.exists() or query(copy, "PRAGMA integrity_check") == [("ok",)]
        except (sqlite3.DatabaseError, AssertionError) as fault:
            tally.fault("doubled" if isinstance(fault, AssertionError) else "torn", f"{home}: {fault}")
            return
    if not sound:
        tally.fault("torn", tracked(home))
    for key in said - {*found}:
        tally.fault("lost", f"{home}: the run {key}")
    for key in (key for key, run in found.items() if run != twin.runs.get(key)):
        wrong = [part for part in found[key] if found[key][part] != twin.runs.get(key, {}).get(part)]
        tally.fault("other", f"{home}: {wrong} of the run {key}")


def _examine_opening(home: Path, twin: Twin, said: list[str], found: dict[str, Any], tally: Tally) -> None:
    """The ledger is before what it counts, and all results are before the commit that names them."""
    written = ledger(home)
    events = [line["event"] for line in written]
    if written != twin.ledger[: len(written)] or events[: len(said)] != said:
        tally.fault("lost", f"{home}: of the ledger {said}, {written} is stored")
    kinds = {key.split("/")[0] for key in found}
    needs = {"opened": {"test"}, "rehearsed": {"streams", "split", "ideal"}}
    for event, kept in needs.items():
        if event not in events and kinds & kept:
            tally.fault("order", f"{home}: {kinds & kept} without {event} in the ledger")
    needed = {key for key in twin.store if not key.startswith("reasons/")}  # which are told, and never graded
    if "commit.json" in found and needed - {*found}:
        tally.fault("order", f"{home}: a commit before {needed - {*found}}")
    if "graded" in events and "commit.json" not in found:
        tally.fault("order", f"{home}: graded without a commit")


def _examine_pages(home: Path, tally: Tally) -> None:
    for page in (home / "reports").glob("*/report.*"):
        text = page.read_text()
        if not text.endswith({"json": "}\n", "html": "</html>\n", "md": "\n"}[page.suffix[1:]]):
            tally.fault("torn", page)


def conclude(home: Path, twin: Twin, tally: Tally) -> bool:
    """Let the study finish, and compare. Returns whether all is right; then nothing is left of it."""
    child, design = Child(home, *twin.words), twin.words[-1]
    tally.rounds[design] += 1
    if code := child.wait():
        tally.fault("failed", f"exit code {code}: {child.said()[-500:]}")
        return False
    faults = tally.faults.total()
    examine(home, twin, tally)
    acknowledged = Counter(moment for _, moment in moments(home) if moment.startswith(ONCE))
    for moment in (one for one, times in acknowledged.items() if times > 1 and one.split()[1] not in UNLIKE):
        tally.fault("doubled", f"{home}: {moment}")
    if left := [path for path in home.rglob(".*") if path.name != ".lock"]:
        tally.fault("left over", left)
    if {*store(home, twin.name, tally)} != {*twin.store} or digest(home) != twin.digest:
        tally.fault("unequal", f"{home} differs from the undisturbed study")
    if tally.faults.total() > faults:
        return False
    tally.equal[design] += 1
    journal(home).unlink()
    shutil.rmtree(home)
    return True
