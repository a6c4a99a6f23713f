"""The children of make torture."""

import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # no thread is lost at a fork where there is none
sys.path.insert(0, str(Path(__file__).parent.parent))

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
        if cold and words[0] == "study":
            words += ("EXECUTOR=processes", "WORKERS=2")  # the other way to train, to the same bits
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
        for number in (signal.SIGINT, signal.SIGHUP):  # which a script in the background has all ignore
            signal.signal(number, signal.SIG_DFL)
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
