"""The children of make torture, an undisturbed study, and what must be on the disk after each kill."""

import json
import os
import shutil
import signal
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # no thread is lost at a fork where there is none
sys.path.insert(0, str(Path(__file__).parent.parent))

from canonical import digest, models, query, runs, trials
from killpoints import JOURNAL, KILL_AT

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
    f"SETTINGS={ROOT / 'experiments' / 'study.toml'}",
)
OPEN = (*WORDS, "OPEN=1")
DESIGNS = ("tpe", "sobol")
ROUND = 15  # kills a study has to bear
OUTSIDE, COLD = 4, 9  # every fourth kill comes from outside, every ninth child is a new interpreter
MANY = 100  # kills from which on MLflow's own pages read along
NOT_THERE = ("inside", "building", "built", "replacing")  # moments before a file is there
ORDER = (
    ("told", "recorded opened"),
    ("recorded opened", "inserting streams"),
    ("recorded rehearsed", "inserting streams"),
    ("finished confirm", "committed"),
    ("committed", "recorded graded"),
    ("committed", "replacing report.json"),
)
THREE = (("report",), ("case", "ID=203"), ("report",))  # commands that read
PATIENCE = 180.0  # seconds after which a child counts as hung
LIVE = (
    "SELECT t.value, r.status FROM runs r JOIN tags t USING (run_uuid) WHERE t.key = 'handnet.key' AND"
    " r.lifecycle_stage = 'active'"
)
UNTOLD = "SELECT count(*) FROM trials WHERE state IN ('RUNNING', 'WAITING')"


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


def point(moment: str) -> str:
    """A moment without what tells one trial or run from the next: "finished seed" of "finished
    seed/80121/7"."""
    name, _, key = moment.partition(" ")
    return name if name in ("enqueued", "asked", "telling", "told") else f"{name} {key.split('/')[0]}".strip()


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
        """The names of moments that a child died at."""
        return {label.split()[1] for label, times in self.named.items() if times}

    def fault(self, kind: str, what: str) -> None:
        self.faults[kind] += 1
        print(f"WRONG, {kind}: {what}", flush=True)

    @contextmanager
    def noting(self, home: Path) -> Iterator[None]:
        """What cannot be read, or stands twice, is a fault of the study, not of who reads it."""
        try:
            yield
        except (sqlite3.DatabaseError, AssertionError) as fault:
            self.fault("doubled" if isinstance(fault, AssertionError) else "damaged", f"{home}: {fault}")


@dataclass(frozen=True)
class Twin:
    """A study that nobody disturbed."""

    name: str
    words: tuple[str, ...]
    digest: str
    runs: dict[str, dict]
    trials: list[tuple]
    ledger: list[dict]
    points: tuple[str, ...]  # in the order in which they are first reached


def undisturbed(home: Path, words: tuple[str, ...], tally: Tally) -> Twin:
    child = Child(home, *words)
    if child.wait() != 0:
        raise SystemExit(f"the undisturbed study failed:\n{child.said()}")
    points = dict.fromkeys(point(moment) for moment in child.moments())
    for earlier, later in ORDER:
        if list(points).index(earlier) > list(points).index(later):
            tally.fault("order", f"{later!r} comes before {earlier!r}")
    births = [name.replace("building", "inside") for name in points if name.startswith("building")]
    (name,) = [folder.name for folder in (home / "reports").iterdir()]
    return Twin(name, words, digest(home), runs(home), trials(home), ledger(home), (*births, *points))


def live(home: Path) -> list[tuple]:
    """(key, status) of every run of ours."""
    path = home / "mlflow.db"
    return query(path, LIVE) if path.exists() else []  # looking for a database must not make one


def ledger(home: Path) -> list[dict]:
    path = home / "openings.jsonl"
    lines = path.read_text().split("\n")[:-1] if path.exists() else []
    return [{name: fact for name, fact in json.loads(line).items() if name != "when"} for line in lines]


# What is on the disk


def examine(home: Path, twin: Twin, tally: Tally) -> None:
    """After a kill: everything acknowledged is there, once and whole, and nothing else counts as finished."""
    said = [moment.partition(" ")[::2] for _, moment in moments(home)]
    with tally.noting(home), tempfile.TemporaryDirectory() as folder:
        for path in (*home.glob("*.db"), *home.glob("*.db-wal")):
            shutil.copy(path, folder)
        _examine_runs(Path(folder), twin, {key for name, key in said if name == "finished"}, tally)
        _examine_trials(Path(folder), twin, {key for name, key in said if name == "told"}, tally)
    written, events = ledger(home), [key for name, key in said if name == "recorded"]
    if written != twin.ledger[: len(written)] or [line["event"] for line in written][: len(events)] != events:
        tally.fault("lost", f"of the ledger {events}, {written} is stored")


def _examine_runs(copy: Path, twin: Twin, acknowledged: set[str], tally: Tally) -> None:
    finished = Counter(key for key, status in live(copy) if status == "FINISHED")
    for key in acknowledged - set(finished):
        tally.fault("lost", key)
    for key in (key for key, times in finished.items() if times > 1):
        tally.fault("doubled", key)
    for key, run in runs(copy).items() if (copy / "mlflow.db").exists() else ():
        if run["status"] == "FINISHED" and run != twin.runs.get(key):
            wrong = [part for part in run if run[part] != twin.runs.get(key, {}).get(part)]
            tally.fault("incomplete", f"{key}: {wrong}")


def _examine_trials(copy: Path, twin: Twin, told: set[str], tally: Tally) -> None:
    found = trials(copy) if (copy / "optuna.db").exists() else []
    if len(found) < len(told) or found != twin.trials[: len(found)]:
        tally.fault("lost", f"{len(told)} trials were told, and {len(found)} are stored, or other ones")
    for path in copy.glob("*.db"):
        if query(path, "PRAGMA integrity_check") != [("ok",)]:
            tally.fault("damaged", path.name)


def conclude(home: Path, twin: Twin, tally: Tally) -> None:
    """Let the study finish, and compare."""
    child, design = Child(home, *twin.words), twin.words[-1]
    tally.rounds[design] += 1
    if code := child.wait():
        tally.fault("failed", f"exit code {code}: {child.said()[-500:]}")
        return
    examine(home, twin, tally)
    with tally.noting(home):
        faults = tally.faults.total()
        _examine_end(home, twin, tally)
        if digest(home) != twin.digest:
            tally.fault("unequal", f"{home} differs from the undisturbed study")
        if tally.faults.total() == faults:
            tally.equal[design] += 1
            shutil.rmtree(home)


def _examine_end(home: Path, twin: Twin, tally: Tally) -> None:
    untold = query(home / "optuna.db", UNTOLD)[0][0]
    if left := untold + sum(status != "FINISHED" for _, status in live(home)):
        tally.fault("left over", f"{left} runs or trials that are neither finished nor dropped")
    if len(models(home)) != 1:
        tally.fault("doubled", f"{len(models(home))} models")
    page = home / "reports" / twin.name / "report.html"
    if [path.read_bytes() for path in (home / "artifacts").rglob("report/report.html")] != [
        page.read_bytes()
    ]:
        tally.fault("torn", "the report beside the winner's run is not the report")
    if list(home.rglob("*.new*")) or not page.read_text().rstrip().endswith("</html>"):
        tally.fault("torn", f"{page}, or {[path.name for path in home.rglob('*.new*')]}")
