"""make torture KILLS=300: the real command line killed, stopped by signals, started twice and read while it
writes.

The children are the real `handnet.cli.run` on real SQLite files: most are forked from this process, which
has imported what they import and nothing else; some are new interpreters. The hooks of `killpoints.py` stand
around some functions, and nothing is replaced. The children are killed (SIGKILL) by themselves at the moments
named there, and from outside at random ones. After every kill a copy of what is on the disk is examined, so
that the next child meets what the kill left; at the end of a round the study is let finish and must equal, by
the digest of its canonical export, one that was never disturbed.

What counts is the death of the process: what it wrote is with the operating system, which lives on. A power
cut is not staged here: databases, ledger and report are forced to the disk, the files of a run are not, so
that one may be damaged behind a finished mark. Then `Store.read` notices and the run is made again."""

import itertools
import json
import os
import random
import shutil
import signal
import socket
import sqlite3
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # no thread is lost at a fork where there is none
sys.path.insert(0, str(Path(__file__).parent.parent))

from canonical import digest, models, query, runs, trials
from killpoints import JOURNAL, KILL_AT, install

from handnet import cli
from handnet.mlp.compiled import warm_up

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


# Killed (P1, P2)


def killed(home: Path, twin: Twin, kills: int, tally: Tally, dice: random.Random) -> None:
    """One study from an empty folder, killed up to `kills` times and then let finish."""
    for place, name in enumerate(plan(twin, kills - kills // OUTSIDE, tally), start=1):
        ways = (_at_point, _from_outside) if place % (OUTSIDE - 1) == 0 else (_at_point,)
        for way in ways:
            if not way(home, twin, name, tally, dice, cold=(tally.kills + 1) % COLD == 0):
                return conclude(home, twin, tally)  # it was done before it could be killed there
            examine(home, twin, tally)
    return conclude(home, twin, tally)


def plan(twin: Twin, kills: int, tally: Tally) -> list[str]:
    """Points for one study, the least tried names and then points first, in the order in which they are
    reached."""
    design, counts = twin.words[-1], Counter(tally.named)
    chosen: list[str] = []
    for _ in range(min(kills, len(twin.points))):
        names = Counter[str]()
        for label, times in counts.items():
            names[label.split()[1]] += times
        least = min(
            (name for name in twin.points if name not in chosen),
            key=lambda name: (
                names[name.split()[0]],
                sum(counts[f"{one} {name}"] for one in DESIGNS),
                counts[f"{design} {name}"],
            ),
        )
        chosen.append(least)
        counts[f"{design} {least}"] += 1
    return sorted(chosen, key=twin.points.index)


def _at_point(home: Path, twin: Twin, name: str, tally: Tally, dice: random.Random, cold: bool) -> bool:
    """Whether the child died at the point, and its last acknowledged line says so."""
    place, _, file = name.partition(" ")
    path = (home / "reports" / twin.name if place == "replacing" else home) / file
    before = path.is_file() and path.read_bytes()
    if name.startswith("inside"):
        begun = name.replace("inside", "building")
        child = Child(home, *twin.words, cold=cold)
        child.strike(signal.SIGKILL, begun, dice.uniform(0, 0.9 if "mlflow" in name else 0.1))
        died = child.wait() == -signal.SIGKILL and child.last() == begun
    else:
        child = Child(home, *twin.words, kill_at=f"{name}:1", cold=cold)
        died = child.wait() == -signal.SIGKILL and child.last() == name
    if died and place in NOT_THERE and (path.is_file() and path.read_bytes()) != before:
        tally.fault("torn", f"{path} is there before it is whole")
    tally.named[f"{twin.words[-1]} {name}"] += died
    return died


def _from_outside(home: Path, twin: Twin, _: str, tally: Tally, dice: random.Random, cold: bool) -> bool:
    """Whether the child died of a SIGKILL at a random moment."""
    child = Child(home, *twin.words, cold=cold)
    child.strike(signal.SIGKILL, "locked", dice.uniform(0, reach(home)))
    died = child.wait() == -signal.SIGKILL
    tally.outside[f"{twin.words[-1]} {child.last()}"] += died
    return died


def reach(home: Path) -> float:
    """Seconds within which something of the next step happens: the steps after the opening are long."""
    return 4.0 if any(moment == "recorded opened" for _, moment in moments(home)) else 0.7


# Stopped by Ctrl-C and SIGTERM


def stopped(home: Path, twin: Twin, times: int, tally: Tally, dice: random.Random) -> int:
    """One study stopped so many times, every third time by two signals. Returns how often it was."""
    found = 0
    for number in range(times):
        sent, code = ((signal.SIGINT, 130), (signal.SIGTERM, 143))[number % 2]
        child = Child(home, *twin.words, cold=number % COLD == COLD - 1)
        child.strike(sent, "locked", dice.uniform(0, reach(home)))
        twice = number % 3 == 2
        if twice:
            child.strike(sent, "locked", 0.05)
        came = child.wait()
        if came == 0:
            break
        found += 1
        if came != code or "goes on from here" not in child.said() or "Traceback" in child.said():
            tally.fault("stopped", f"exit code {came} for {code}: {child.said()[-800:]}")
        unfinished = [key for key, status in live(home) if status != "FINISHED"]
        if unfinished and not twice:
            tally.fault("stopped", f"{unfinished} were left half done")
        examine(home, twin, tally)
    conclude(home, twin, tally)
    return found


# Started by several at once (P3)


def started(home: Path, words: tuple[str, ...], several: int, tally: Tally, cold: bool = False) -> None:
    """So many processes at the same moment: one works, the others say who does and leave with 75."""
    gate = os.pipe()
    children = [Child(home, *words, gate=gate, cold=cold) for _ in range(several)]
    os.close(gate[0])
    time.sleep(0.1)
    os.close(gate[1])
    until(lambda: sum(child.ended() for child in children) >= several - 1, PATIENCE)
    winner, *more = [child for child in children if not child.ended()] or children[:1]
    os.kill(winner.pid, signal.SIGTERM)
    for child in children:
        code, said = child.wait(), child.said()
        if child is winner:
            right = code in (0, 143) and "Traceback" not in said
        else:
            right = (
                code == 75
                and said.count("\n") == 1
                and f"another study is writing to {home} (process {winner.pid})" in said
            )
        if not right or more:
            tally.fault("started twice", f"exit code {code} beside process {winner.pid}: {said[-500:]}")


# Read while it writes (P13)


def read_meanwhile(home: Path, twin: Twin, whole: bool, tally: Tally) -> Counter[int]:
    """A study made sealed, then opened, rehearsed and confirmed anew, while three commands and SQLite read
    it; the whole of it: from its first moment, and by MLflow's own pages too. Returns how often the commands
    left with which exit code."""
    codes: Counter[int] = Counter()
    _read(home, (*WORDS, twin.words[-1]), twin.name, THREE if whole else (), None, codes, tally)
    journal(home).unlink()  # what was confirmed while sealed gives way to what follows
    sleeper = Child(home, "report", f"NAME={twin.name}")
    sleeper.strike(signal.SIGSTOP, "read", 0)  # it has read what there is, and wakes when that has changed
    pages = Pages(home) if whole else None
    _read(home, twin.words, twin.name, THREE, pages, codes, tally)
    os.kill(sleeper.pid, signal.SIGCONT)
    codes[_answered(sleeper, tally)] += 1
    if pages:
        print(f"MLflow's pages answered {pages.close()} times")
    if digest(home) != twin.digest:
        tally.fault("unequal", f"{home}, read while it was written, differs from the undisturbed study")
    return codes


def _read(
    home: Path,
    words: tuple[str, ...],
    name: str,
    commands: tuple[tuple[str, ...], ...],
    pages: "Pages | None",
    codes: Counter[int],
    tally: Tally,
) -> None:
    """A study is made, and until it is done each of the commands reads it, again and again."""
    writer = Child(home, *words)
    readers = [Child(home, *command, f"NAME={name}") for command in commands]
    while not writer.ended():
        for place, command in enumerate(commands):
            if readers[place].ended():
                codes[_answered(readers[place], tally)] += 1
                readers[place] = Child(home, *command, f"NAME={name}")
        live(home)
        if pages:
            pages.ask(tally)
        time.sleep(0.02)
    if code := writer.wait():
        tally.fault("failed", f"a study that was read meanwhile: exit code {code}: {writer.said()[-500:]}")
    for reader in readers:
        codes[_answered(reader, tally)] += 1


def _answered(reader: Child, tally: Tally) -> int:
    """The exit code: done, or one sentence that says why not yet."""
    code, said = reader.wait(), reader.said()
    if "Traceback" in said or (
        code and (code not in (2, 75) or said.count("\n") != 1 or "make study" not in said)
    ):
        tally.fault("reader", f"exit code {code}: {said[-500:]}")
    return code


class Pages:
    """`make ui`, and what a browser asks of it."""

    def __init__(self, home: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.root, self.answers = f"http://127.0.0.1:{port}", 0
        self.server = Child(home, "ui", f"PORT={port}")
        until(self._up, PATIENCE)

    def _up(self) -> bool:
        with suppress(OSError), urllib.request.urlopen(f"{self.root}/health", timeout=5) as answer:
            return answer.status == 200
        return False

    def ask(self, tally: Tally) -> None:
        body, head = b'{"experiment_ids": ["1", "2", "3"]}', {"Content-Type": "application/json"}
        wanted = urllib.request.Request(f"{self.root}/api/2.0/mlflow/runs/search", body, head)
        try:
            with urllib.request.urlopen(wanted, timeout=30) as answer:
                self.answers += len(json.load(answer)["runs"]) > 0
        except (OSError, ValueError, KeyError) as fault:
            tally.fault("reader", f"MLflow's pages: {fault}")

    def close(self) -> int:
        """How often they answered."""
        os.kill(self.server.pid, signal.SIGTERM)
        self.server.wait()
        return self.answers


# All of it


def torture(kills: int, seed: int, scratch: Path) -> Tally:
    """Everything, as often as `kills` says. Prints what was found."""
    tally, dice, rounds = Tally(), random.Random(seed), max(1, kills // ROUND)
    twins = [undisturbed(scratch / design, (*OPEN, f"DESIGN={design}"), tally) for design in DESIGNS]
    wanted = {name.split()[0] for twin in twins for name in twin.points}
    turns = zip(range(2 * rounds + 4), itertools.cycle(twins), strict=False)
    for number, twin in turns:
        if tally.kills >= kills and not wanted - tally.proven:
            break
        killed(scratch / f"killed-{number}", twin, min(ROUND, -(-kills // len(twins))), tally, dice)
    for name in sorted(wanted - tally.proven):
        tally.fault("not proven", f"no child died at {name}")
    show_kills(tally)
    stops = sum(
        stopped(scratch / f"stopped-{twin.words[-1]}", twin, rounds + 1, tally, dice) for twin in twins
    )
    print(f"stopped by signals {stops} times")
    print(f"started by several at once {starts(scratch, twins[0], rounds, tally)} times")
    codes = read_meanwhile(scratch / "read", twins[0], kills >= MANY, tally)
    print(
        f"read by {codes.total()} commands while it wrote: {codes[0]} told what there is, the others why"
        " not yet"
    )
    show_verdict(tally)
    return tally


def starts(scratch: Path, twin: Twin, rounds: int, tally: Tally) -> int:
    """Two and eight at once, on a fresh folder and on one with a study in it. Returns how many times."""
    used = scratch / "used"
    for number in range(rounds):
        for several in (8, 2):
            fresh = scratch / f"fresh-{number}-{several}"
            started(fresh, twin.words, several, tally, cold=number == 0 and several == 2)
            shutil.rmtree(fresh)
            started(used, twin.words, several, tally)
    conclude(used, twin, tally)
    return 4 * rounds


def show_kills(tally: Tally) -> None:
    """Kills by moment: at it (its line was the last), and from outside some time after it."""
    designs = [f"DESIGN={design}" for design in DESIGNS]
    print(f"{'killed':<24}" + "".join(f"{design:>8} at{'later':>7}" for design in DESIGNS))
    for label in dict.fromkeys(label.split(" ", 1)[1] for label in (*tally.named, *tally.outside)):
        counts = (
            f"{tally.named[f'{one} {label}']:>11}{tally.outside[f'{one} {label}']:>7}" for one in designs
        )
        print(f"{label:<24}" + "".join(counts))
    print(
        f"{tally.kills} kills, {tally.named.total()} of them at named moments, in {tally.rounds.total()}"
        " studies",
        flush=True,
    )


def show_verdict(tally: Tally) -> None:
    for kind in ("lost", "doubled", "incomplete", "damaged", "torn"):
        print(f"{kind} {tally.faults[kind]}")
    for design, times in tally.rounds.items():
        print(f"{design}: {tally.equal[design]} of {times} studies equal the undisturbed one")
    print(f"faults: {dict(tally.faults) or 'none'}")


def command(words: list[str]) -> int:
    """KILLS=300 SEED=0. Returns 0 when nothing was wrong, 1 when something was, 2 when a word was not
    understood."""
    asked = {"KILLS": 300, "SEED": 0}
    for word in words:
        name, _, value = word.partition("=")
        if name not in asked or not value.isdecimal() or (name, int(value)) == ("KILLS", 0):
            print(
                f"torture: expected KILLS=300 or SEED=0, with whole numbers, but got {word!r}.",
                file=sys.stderr,
            )
            return 2
        asked[name] = int(value)
    scratch = Path(tempfile.mkdtemp(prefix="torture-"))
    tally = torture(asked["KILLS"], asked["SEED"], scratch)
    if tally.faults:
        print(f"What is wrong lies in {scratch}.")
        return 1
    shutil.rmtree(scratch)
    return 0


if __name__ == "__main__":
    install()  # imports what children need, too
    warm_up()  # here, so that no child has to load the compiled code
    raise SystemExit(command(sys.argv[1:]))
