"""The children of make torture, an undisturbed study, and what must be on the disk after each kill."""

import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # no thread is lost at a fork where there is none
sys.path.insert(0, str(Path(__file__).parent.parent))

from canonical import arrays, digest, hashed, ledger, lines
from killpoints import JOURNAL, KILL_AT, point

from handnet import cli

ROOT = Path(__file__).parent.parent
KILLPOINTS = Path(__file__).with_name("killpoints.py")
WORDS = (
    "study",
    "TRIALS=4",
    "SEEDS=2",
    "CONFIRM=3",
    "space.epochs.high=20",
    "SPLITS=2",
    "rehearsal.seeds=2",
    "rehearsal.levels=2",
    "IDEAL=1",
    f"SETTINGS={ROOT / 'experiments' / 'study.toml'}",
)
OPEN = (*WORDS, "OPEN=1")
DESIGNS = ("tpe", "sobol")
ROUND = 50  # about as many kills has a study to bear
OUTSIDE, COLD = 4, 9  # up to a quarter as many come from outside; every ninth child is a new interpreter
MANY = 100  # kills from which on readers are there from the first moment, and MLflow's own pages too
ORDER = (
    ("renamed study.json", "renaming network"),
    ("renamed network", "telling trial"),
    ("told trial", "recording opened"),
    ("recorded opened", "renaming test"),
    ("recorded rehearsed", "renaming streams"),
    ("renamed test", "renaming commit.json"),
    ("renamed commit.json", "superseding split"),
    ("renamed commit.json", "recording graded"),
    ("renamed commit.json", "replacing report.json"),
)
ONCE = ("renamed", "told", "recorded")  # moments that come once for each key, however often a study is killed
THREE = (("report",), ("case", "ID=203"), ("report",))  # commands that read
PATIENCE = 180.0  # seconds after which a child counts as hung


class Child:
    """The command line at work on a folder; gate: a pipe to wait for, so that several start at the same
    moment."""

    def __init__(
        self,
        home: Path,
        *words: str,
        kill_at: str = "",
        cold: bool = False,
        gate: tuple[int, int] | None = None,
    ):
        self.home = home
        self.printed = Path(tempfile.mkstemp(dir=home.parent, suffix=".printed")[1])
        words = (words[0], f"MLRUNS={home}", *words[1:])
        sys.stdout.flush()  # or the child would say it again
        self.pid = os.fork()
        if self.pid == 0:
            code = 99
            try:
                code = self._work(words, {JOURNAL: str(journal(home)), KILL_AT: kill_at}, cold, gate)
            finally:
                sys.stdout.flush()
                os._exit(code)

    def _work(
        self, words: tuple[str, ...], more: dict[str, str], cold: bool, gate: tuple[int, int] | None
    ) -> int:
        handle = os.open(self.printed, os.O_WRONLY)
        os.dup2(handle, 1)
        os.dup2(handle, 2)
        os.environ.update(more)
        if gate:
            os.close(gate[1])
            os.read(gate[0], 1)
        if cold:
            os.chdir(ROOT)
            os.execv(sys.executable, [sys.executable, str(KILLPOINTS), *words])
        try:
            cli.run(words)
        except SystemExit as end:
            return int(str(end.code))

    def ended(self) -> bool:
        return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def wait(self) -> int:
        """The exit code, negative for a signal."""
        until(self.ended, PATIENCE)
        if not self.ended():
            os.kill(self.pid, signal.SIGKILL)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def moments(self) -> list[str]:
        return [moment for pid, moment in moments(self.home) if pid == self.pid]

    def strike(self, number: int, moment: str, seconds: float) -> None:
        """Send a signal so many seconds after a moment, unless the child has ended by then."""
        until(lambda: self.ended() or any(one.startswith(moment) for one in self.moments()), PATIENCE)
        until(self.ended, seconds)
        os.kill(self.pid, number)  # a child that has ended is there until waited for

    def last(self) -> str:
        """The point of its last acknowledged line."""
        return point((self.moments() or ["nothing"])[-1])

    def said(self) -> str:
        return self.printed.read_text()


def until(true: Callable[[], bool], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not true() and time.monotonic() < end:
        time.sleep(0.002)


def journal(home: Path) -> Path:
    return home.with_suffix(".journal")


def moments(home: Path) -> list[tuple[int, str]]:
    """(process, moment) in order, of all processes that worked on the folder."""
    if not journal(home).exists():
        return []
    lines = (line.split(" ", 1) for line in journal(home).read_text().split("\n")[:-1])
    return [(int(pid), moment.strip()) for pid, moment in lines]


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
        if points.index(earlier) > points.index(later):
            tally.fault("order", f"{later!r} comes before {earlier!r}")
    (name,) = [folder.name for folder in (home / "studies").iterdir()]
    trials = lines(home / "studies" / name / "trials.jsonl")
    return Twin(name, words, digest(home), store(home, name, tally), trials, ledger(home), times)


# What is on the disk


def store(home: Path, name: str, tally: Tally) -> dict[str, Any]:
    """Every file of the store by key, but clocks and trials. One that is not whole is a fault."""
    folder, found = home / "studies" / name, {}
    for path in (*folder.rglob("*.npz"), *folder.glob("*.json")):
        key = str(path.relative_to(folder)).removesuffix(".npz")
        if path.name.startswith(".") or key == "seconds.json":
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
    told = lines(home / "studies" / twin.name / "trials.jsonl")
    for key in (key for key, content in found.items() if content != twin.store.get(key)):
        tally.fault("other", f"{home}: {key} is not what the undisturbed study has there")
    for key in {moment.split(" ", 1)[1] for moment in said if moment.startswith("renamed")} - {*found}:
        if key != "seconds.json":
            tally.fault("lost", f"{home}: {key}")
    if told != twin.trials[: len(told)] or len(told) < sum(one.startswith("told") for one in said):
        tally.fault("lost", f"{home}: of {said.count('told')} trials {told} is stored")
    for trial in told:
        networks = {key for key in twin.store if key.startswith(f"network/{trial['config_id']}/0-")}
        if not networks or networks - {*found}:
            tally.fault("order", f"{home}: the networks of trial {trial} are not there")
    _examine_opening(home, twin, [one.split()[1] for one in said if one.startswith("recorded")], found, tally)
    _examine_pages(home, tally)


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
    if "commit.json" in found and {*twin.store} - {*found}:
        tally.fault("order", f"{home}: a commit before { ({*twin.store} - {*found}) }")
    if "graded" in events and "commit.json" not in found:
        tally.fault("order", f"{home}: graded without a commit")


def _examine_pages(home: Path, tally: Tally) -> None:
    for page in (home / "reports").glob("*/report.*"):
        text = page.read_text()
        if not text.endswith({"json": "}\n", "html": "</html>\n", "md": "\n"}[page.suffix[1:]]):
            tally.fault("torn", page)


def conclude(home: Path, twin: Twin, tally: Tally) -> None:
    """Let the study finish, and compare."""
    child, design = Child(home, *twin.words), twin.words[-1]
    tally.rounds[design] += 1
    if code := child.wait():
        tally.fault("failed", f"exit code {code}: {child.said()[-500:]}")
        return
    faults = tally.faults.total()
    examine(home, twin, tally)
    acknowledged = Counter(moment for _, moment in moments(home) if moment.startswith(ONCE))
    for moment in (one for one, times in acknowledged.items() if times > 1 and "seconds" not in one):
        tally.fault("doubled", f"{home}: {moment}")
    if left := [path for path in home.rglob(".*") if path.name != ".lock"]:
        tally.fault("left over", left)
    if {*store(home, twin.name, tally)} != {*twin.store} or digest(home) != twin.digest:
        tally.fault("unequal", f"{home} differs from the undisturbed study")
    if tally.faults.total() == faults:
        tally.equal[design] += 1
        shutil.rmtree(home)
