"""make torture KILLS=300: the real command line killed, stopped by signals, started twice and read while it
writes.

The children are the real `handnet.cli.run` on real files: most are forked from this process, which has
imported what they import and nothing else; some are new interpreters. The hooks of `killpoints.py` stand
around some functions, and nothing is replaced. The children are killed (SIGKILL) by themselves at the moments
named there, and from outside at random ones. A child that dies just before a rename or a line may instead
leave a part of it, as one does that dies in the middle of a write. After every kill what is on the disk is
examined, so that the next child meets what the kill left; at the end of a round the study is let finish and
must equal, by the digest of its canonical export, one that was never disturbed.

What counts is the death of the process: what it wrote is with the operating system, which lives on. A power
cut is not staged here: trials, commit, ledger and report are forced to the disk, the results are not, so that
one may be damaged under its final name. Then `Store.read` notices, and it is made again
(`tests/test_study_disk.py`)."""

import itertools
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from killpoints import install
from torture_child import COLD, DESIGNS, MANY, OPEN, OUTSIDE, PATIENCE, ROUND, Child, until
from torture_disk import Tally, Twin, conclude, examine, undisturbed
from torture_reading import read_meanwhile

from handnet.mlp.compiled import warm_up
from handnet.study.environment import mlflow_variables

ANYWHERE = ""
TORN = 0.5  # share of the kills before a write that leave a part of it

# Killed (P1, P2)


def killed(home: Path, twin: Twin, names: Sequence[str], tally: Tally, dice: random.Random) -> None:
    """A study from an empty folder, killed at each of the points, and then let finish.

    When it is done before it could be killed at one, another is begun, and killed there."""
    for name in names:
        way = _from_outside if name == ANYWHERE else _at_point
        for _ in range(2):
            if way(home, twin, name, tally, dice, (tally.kills + 1) % COLD == 0):
                examine(home, twin, tally)
                break
            if not conclude(home, twin, tally):
                return
    conclude(home, twin, tally)


def plan(twin: Twin, most: int) -> list[str]:
    """Every point, in the order in which they are reached, up to `most` times where it is reached several
    times."""
    return [name for name in twin.points for _ in range(min(most, twin.times[name]))]


def _at_point(home: Path, twin: Twin, name: str, tally: Tally, dice: random.Random, cold: bool) -> bool:
    """Whether the child died at the point, and its last acknowledged line says so."""
    pages = {path: path.read_bytes() for path in (home / "reports").glob("*/report.*")}
    child = Child(home, *twin.words, kill_at=f"{name}:1", cold=cold)
    died = child.wait() == -signal.SIGKILL and child.last() == name
    place, _, key = child.moments()[-1].partition(" ") if died else ("", "", "")
    if place == "renaming" and (home / "studies" / twin.name / f"{key}.npz").exists():
        tally.fault("torn", f"{home}: {key} is there before it is whole")
    path = home / "reports" / twin.name / key
    if place == "replacing" and path.exists() and path.read_bytes() != pages.get(path):
        tally.fault("torn", f"{path} has changed before it is whole")
    if dice.random() < TORN:
        tear(home, twin, place, dice)
    tally.named[f"{twin.words[-1]} {name}"] += died
    return died


def tear(home: Path, twin: Twin, place: str, dice: random.Random) -> None:
    """Leave a part of the file or line that was about to be there, as a kill amid a write does."""
    for path in (path for path in home.rglob(".*.new") if path.is_file()):
        os.truncate(path, dice.randrange(path.stat().st_size + 1))
    growing = {"telling": home / "studies" / twin.name / "trials.jsonl", "recording": home / "openings.jsonl"}
    if place in growing:
        with growing[place].open("ab") as file:
            file.write(b'{"place": 3, "params": {"learning_rate": 0.0'[: dice.randrange(1, 40)])


def _from_outside(home: Path, twin: Twin, _: str, tally: Tally, dice: random.Random, cold: bool) -> bool:
    """Whether the child died of a SIGKILL at a random moment."""
    child = Child(home, *twin.words, cold=cold)
    child.strike(signal.SIGKILL, "locked", moment(dice))
    died = child.wait() == -signal.SIGKILL
    tally.outside[f"{twin.words[-1]} {child.last()}"] += died
    return died


def moment(dice: random.Random) -> float:
    """Seconds after the lock: of a step at the beginning, of all steps, or of the report too."""
    return dice.uniform(0, dice.choice((0.1, 0.4, 2.0)))


# Stopped by Ctrl-C and SIGTERM


def stopped(home: Path, twin: Twin, times: int, tally: Tally, dice: random.Random) -> int:
    """One study stopped so many times, every third time by two signals. Returns how often it was."""
    found = 0
    for number in range(times):
        sent, code = ((signal.SIGINT, 130), (signal.SIGTERM, 143))[number % 2]
        child = Child(home, *twin.words, cold=number % COLD == COLD - 1)
        child.strike(sent, "locked", moment(dice))
        twice = number % 3 == 2
        if twice:
            child.strike(sent, "locked", 0.05)
        came = child.wait()
        if came == 0:
            break
        found += 1
        if came != code or "goes on from here" not in child.said() or "Traceback" in child.said():
            tally.fault("stopped", f"exit code {came} for {code}: {child.said()[-800:]}")
        if not twice and (left := list(home.rglob(".*.new"))):
            tally.fault("stopped", f"{left} were left half written")
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


# All of it


def torture(kills: int, seed: int, scratch: Path) -> Tally:
    """Everything, as often as `kills` says. Prints what was found."""
    tally, dice, rounds = Tally(), random.Random(seed), max(1, kills // ROUND)
    twins = [undisturbed(scratch / design, (*OPEN, f"DESIGN={design}"), tally) for design in DESIGNS]
    wanted = {name for twin in twins for name in twin.points}
    turns = zip(range(2 * rounds + 4), itertools.cycle(twins), strict=False)
    for number, twin in turns:
        if tally.kills >= kills and not wanted - tally.proven:
            break
        killed(scratch / f"points-{number}", twin, plan(twin, 2 if kills >= MANY else 1), tally, dice)
        killed(scratch / f"killed-{number}", twin, [ANYWHERE] * (ROUND // OUTSIDE), tally, dice)
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
    for kind in ("lost", "doubled", "other", "torn", "order", "left over"):
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
    os.environ.update(mlflow_variables())
    install()  # imports what children need, too
    import_module("mlflow.store.tracking.sqlalchemy_store")
    warm_up()  # here, so that no child has to load the compiled code
    raise SystemExit(command(sys.argv[1:]))
