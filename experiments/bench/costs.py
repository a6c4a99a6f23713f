"""What surrounds training: memory, tracking, starting, proposals, and whole studies."""

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from experiments.bench.race import ALL, RECIPE, Goal, Timing, median_of
from handnet.mlp.replicas import train_replicas
from handnet.study.reading import read
from handnet.study.records import Records
from handnet.study.search import Proposals, Search
from handnet.study.tracker import Tracker
from handnet.study.units import Problem, Replicas

WIDE = 10_000  # networks
STUDY = (sys.executable, "-m", "handnet", "study", "--settings", "experiments/study.toml")
TOLD, OFTEN = (40, 1000), 5  # trials after which one is timed, and how often
PYTHON = (sys.executable, "-c")
FIRST_TOLD = """
import os
from handnet import cli
from handnet.study.search import Search
tell = Search.tell
def tell_and_leave(*values, **facts):
    tell(*values, **facts)
    os._exit(0)
Search.tell = tell_and_leave
cli.main({!r})
"""


def _child(command: Sequence[str]) -> tuple[float, str, float]:
    """Run a command of this checkout: its seconds, its output, and its largest memory in MiB (NaN where there
    is no /proc)."""
    with tempfile.TemporaryFile() as output:
        start, memory = time.perf_counter(), float("nan")
        child = subprocess.Popen(command, stdout=output, stderr=subprocess.DEVNULL)
        while child.poll() is None:
            # Not ru_maxrss: a child begins with its parent's.
            with suppress(OSError, StopIteration):
                lines = Path(f"/proc/{child.pid}/status").read_text().splitlines()
                memory = float(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024
            time.sleep(0.02)
        seconds = time.perf_counter() - start
        output.seek(0)
        return seconds, output.read().decode(), memory


TRAIN_WIDE = f"""
import time
from handnet import Recipe, load_backend, split, wisconsin
from handnet.mlp.replicas import train_replicas
parts, compiled = split(wisconsin()), load_backend("compiled")
train_replicas(compiled, parts.train, parts.val, Recipe(), range(100))
start = time.perf_counter()
train_replicas(compiled, parts.train, parts.val, Recipe(), range({WIDE}))
print((time.perf_counter() - start) / {WIDE} * 1000)
"""


def wide(timings: Sequence[Timing]) -> list[Goal]:
    """Memory, and the time a network, when WIDE networks are trained at once in a process of their own."""
    _, printed, memory = _child((*PYTHON, TRAIN_WIDE))
    many, few = float(printed), median_of(timings, ALL, 100)
    assert few is not None
    change = many / few - 1
    return [
        Goal(
            f"{ALL}: ms a network, from R = 100 to {WIDE:,}",
            "flat within 20 %",
            f"{few:.2f} to {many:.2f} ({change:+.0%})",
            abs(change) <= 0.2,
        ),
        Goal(f"peak memory at R = {WIDE:,}", "under 1 GiB", f"{memory:,.0f} MiB", memory < 1024),
    ]


def tracked(problem: Problem, rounds: int) -> list[Goal]:
    """Tracking: a hundred networks with their curves, written as a study writes them, twenty at a time."""
    records = Records("bench", "", read({}), problem)
    fit = train_replicas(problem.backend, problem.parts.train, problem.parts.val, RECIPE, range(100))
    replicas = Replicas(tuple(range(100)), fit, problem.backend.logits(fit.layers, problem.parts.val.X))
    milliseconds = []
    with tempfile.TemporaryDirectory() as folder:
        tracker = Tracker.open(Path(folder), "bench")
        for number in range(rounds + 1):
            start = time.perf_counter()
            for low in range(0, 100, 20):
                entries = [
                    records.seed(replicas.one(place), RECIPE, "bench") for place in range(low, low + 20)
                ]
                tracker.write_together([replace(entry, key=f"{entry.key}/{number}") for entry in entries])
            milliseconds.append((time.perf_counter() - start) * 10)
        tracker.close()
    median = statistics.median(milliseconds[1:])
    return [Goal("tracking, ms a network with its curves", "at most 5", f"{median:.2f}", median <= 5)]


def started() -> list[Goal]:
    """Starting: how long until a trial is told, and what a command imports that only helps or refuses."""
    bare, imported = (
        min(_child((*PYTHON, line))[0] for _ in range(3)) for line in ("", "import handnet.study.study")
    )
    with tempfile.TemporaryDirectory() as folder:
        words = [*STUDY[3:], "--mlruns", folder, "--name", "bench"]
        first = _child((*PYTHON, FIRST_TOLD.format(words)))[0] - imported
    heavy = (
        "import sys, handnet.cli as cli\ncli.main({!r})\nprint('HEAVY',"
        " [name for name in ('optuna', 'mlflow', 'tensorflow', 'numba') if name in sys.modules])"
    )
    light = [
        _child((*PYTHON, heavy.format(words)))[1].rpartition("HEAVY ")[2].strip()
        for words in (["--help"], ["study", "--trials", "x"])
    ]
    return [
        Goal("first trial told, after imports, s", "at most 2", f"{first:.1f}", first <= 2),
        Goal("imports of a study, s", "reported", f"{imported - bare:.1f}", None),
        Goal(
            "--help and bad input import",
            "none of optuna, mlflow, tensorflow",
            " and ".join(light),
            light == ["[]", "[]"],
        ),
    ]


def searched() -> list[Goal]:
    """Proposals: what one trial costs in each storage once so many are told.

    The trials before it come from the Sobol design, which looks at none and is fast.
    """
    settings = read({})
    filling = read({"search.design": "sobol"})
    goals = []
    with tempfile.TemporaryDirectory() as folder:
        for storage, search in (
            ("memory", Proposals(settings)),
            ("SQLite", Search.open(Path(folder), "bench", settings, "")),
        ):
            filler, costs, told = Proposals(filling, search.study), [], 0
            for wanted in TOLD:
                for place in range(told, wanted):
                    trial, _ = filler.ask()
                    filler.tell(trial, 0.1 + (place * 0.618) % 1, config_id="", diverged=0)
                spent = []
                for place in range(OFTEN):
                    start = time.perf_counter()
                    trial, _ = search.ask()
                    search.tell(trial, 0.1 + place / 100, config_id="", diverged=0)
                    spent.append(1000 * (time.perf_counter() - start))
                costs.append(statistics.median(spent))
                told = wanted + OFTEN
            times = costs[1] / costs[0]
            goals.append(
                Goal(
                    f"Optuna in {storage}, ms a trial, trial {TOLD[0]} and {TOLD[1]:,}",
                    "flat within 2x",
                    f"{costs[0]:.0f} and {costs[1]:.0f} ({times:.1f}x)",
                    times <= 2,
                )
            )
    return goals


def whole_studies() -> list[Goal]:
    """The default study and the one that searches anew in every division, each in a folder of its own."""
    goals = []
    for title, more, most in (("default make study", (), 30), ("make study IDEAL=1", ("--ideal", "1"), 90)):
        with tempfile.TemporaryDirectory() as folder:
            seconds, printed, memory = _child((*STUDY, "--mlruns", folder, *more))
        split = next((line for line in printed.splitlines() if line.startswith("Seconds:")), "it failed")
        goals.append(
            Goal(
                f"{title}, s, whole command",
                f"at most {most}",
                f"{seconds:.0f} ({split.lower()}); {memory:,.0f} MiB",
                seconds <= most,
            )
        )
    return goals
