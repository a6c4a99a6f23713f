"""Studies of models other than the network by hand, killed as torture.py kills those of the latter.

Their fits run in processes of their own: these are killed too, and none may outlive its coordinator.

    python tests/torture_models.py forest 3 2 0     # which; how many kills and stops, by which lot
"""

import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

from killpoints import JOURNAL, install
from torture import killed, plan, show_kills, show_verdict, stopped
from torture_child import Child, journal, until
from torture_disk import Tally, Twin, conclude, undisturbed

from handnet.mlp.compiled import warm_up
from handnet.study.environment import mlflow_variables

COUNTS = ("SEEDS=2", "CONFIRM=3", "OPEN=1")
FOREST = "sklearn:sklearn.ensemble.RandomForestClassifier"
STUDIES = {
    "forest": (
        *("study", f"MODEL={FOREST}", "SPACE=max_depth=2..6", "FIXED=n_estimators=10", "TRIALS=2"),
        *("SPLITS=2", "rehearsal.seeds=2", "IDEAL=1", "WORKERS=2", *COUNTS, "DESIGN=tpe"),
    ),
    "keras": (
        *("study", f"MODEL=keras:{Path(__file__).with_name('built.py')}:build", "SPACE=drop=0.1..0.5"),
        *("FIXED=epochs=2", "TRIALS=1", "SPLITS=0", "WORKERS=1", *COUNTS, "DESIGN=tpe"),
    ),
}
MOMENTS = ("renamed network", "recorded rehearsed", "renamed split")  # at which a worker is killed


def workers_of(home: Path) -> Iterator[int]:
    """The processes in which fits of a study run: they have the environment of its coordinator."""
    named = f"{JOURNAL}={journal(home)}".encode()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            ours = named in (folder / "environ").read_bytes().split(b"\0")
            if ours and b"handnet.study.worker" in (folder / "cmdline").read_bytes():
                yield int(folder.name)
        except OSError:
            pass  # it has ended


def workers_killed(home: Path, twin: Twin, tally: Tally, dice: random.Random) -> int:
    """Kill one worker at each of some moments; the study ends as if nothing had been. Returns how many were.

    Each time another call is hit, and one that is hit is made once more: no seed is lost."""
    child, struck = Child(home, *twin.words), 0
    for moment in MOMENTS:
        until(lambda at=moment: child.ended() or any(m.startswith(at) for m in child.moments()), 60)
        time.sleep(dice.uniform(0, 0.2))
        for pid in dice.sample(found := sorted(workers_of(home)), min(1, len(found))):
            os.kill(pid, signal.SIGKILL)
            struck += 1
    if code := child.wait():
        tally.fault("failed", f"exit code {code}: {child.said()[-500:]}")
    conclude(home, twin, tally)
    return struck


def torture(which: str, kills: int, stops: int, seed: int, scratch: Path) -> Tally:
    """A study killed at so many of its moments, stopped by both signals, and with its workers killed."""
    tally, dice = Tally(), random.Random(seed)
    twin = undisturbed(scratch / "twin", STUDIES[which], tally)
    every = plan(twin, 1)
    chosen = sorted(dice.sample(range(len(every)), min(kills, len(every))))
    killed(scratch / "killed", twin, [every[place] for place in chosen], tally, dice)
    if stops:  # by Ctrl-C and SIGTERM in turn
        stops = stopped(scratch / "stopped", twin, stops, tally, dice)
    struck = workers_killed(scratch / "workers", twin, tally, dice)
    print(f"stopped by signals {stops} times; {struck} workers killed")
    for name in ("twin", "killed", "stopped", "workers"):
        until(lambda home=scratch / name: not any(workers_of(home)), 5)
        if left := list(workers_of(scratch / name)):
            tally.fault("left over", f"worker processes {left} of {name}")
    show_kills(tally)
    show_verdict(tally)
    return tally


if __name__ == "__main__":
    os.environ.update(mlflow_variables())
    install()  # imports what children need, too
    import_module("mlflow.store.tracking.sqlalchemy_store")
    warm_up()
    folder = Path(tempfile.mkdtemp(prefix="torture-"))
    tally = torture(sys.argv[1], *map(int, sys.argv[2:]), folder)
    if not tally.faults:
        shutil.rmtree(folder)
    sys.exit(bool(tally.faults))
