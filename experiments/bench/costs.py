"""What surrounds training: memory, tracking, starting, proposals, and whole studies."""

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from experiments.bench.race import ALL, RECIPE, Goal, Timing, median_of
from handnet.mlp.replicas import train_replicas
from handnet.study.configuration import Configuration
from handnet.study.networks import Replicas
from handnet.study.reading import read
from handnet.study.search import search_of
from handnet.study.store import Finished, Store, network_key
from handnet.study.units import Problem

WIDE = 10_000  # networks
STUDY = (sys.executable, "-m", "handnet", "study", "--settings", "experiments/study.toml")
TOLD, OFTEN = (40, 1000), 5  # trials after which one is timed, and how often
PYTHON = (sys.executable, "-c")
FIRST_TOLD = """
import os
from handnet import cli
from handnet.study.search import search_of
tell = Search.tell
def tell_and_leave(*values):
    tell(*values)
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


def stored(problem: Problem, rounds: int) -> list[Goal]:
    """Storing: a hundred networks, written and read back as a study does it."""
    fit = train_replicas(problem.backend, problem.parts.train, problem.parts.val, RECIPE, range(100))
    replicas = Replicas(tuple(range(100)), fit, problem.backend.logits(fit.layers, problem.parts.val.X))
    milliseconds, blocks = [], problem.blocks(Configuration.of(RECIPE), replicas.seeds)
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder), "bench", writing=True)
        for number in range(rounds + 1):
            start = time.perf_counter()
            for block in blocks:
                part = replicas.pick([replicas.seeds.index(seed) for seed in block])
                store.write(network_key(str(number), block), part.to_npz())
            store.replicas(str(number), blocks)
            milliseconds.append((time.perf_counter() - start) * 10)
    median = statistics.median(milliseconds[1:])
    return [Goal("storing, ms a network, read back too", "at most 0.5", f"{median:.2f}", median <= 0.5)]


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
    """Proposals: what one trial costs once so many are told. Those before it have made-up values."""
    settings = read({"search.trials.tpe": str(max(TOLD) + OFTEN)})
    low, high = settings.space["learning_rate"].low, settings.space["learning_rate"].high
    costs = []
    for told in TOLD:
        shares = [place * 0.618 % 1 for place in range(told + OFTEN)]
        points = [
            {
                "learning_rate": low * (high / low) ** share,
                "dropout": share / 2,
                "epochs": 10 + int(99 * share),
            }
            for share in shares
        ]
        trials = [Finished(n, point, shares[n], "", 0) for n, point in enumerate(points)]
        search, spent = search_of(settings, "mlp", trials[:told]), []
        search.propose(told)
        for trial in trials[told:]:
            search.tell(trial)
            start = time.perf_counter()
            search.propose(trial.place + 1)
            spent.append(1000 * (time.perf_counter() - start))
        costs.append(statistics.median(spent))
    times = costs[1] / costs[0]
    return [
        Goal(
            f"Optuna, ms a proposal, trial {TOLD[0]} and {TOLD[1]:,}",
            "reported",
            f"{costs[0]:.0f} and {costs[1]:.0f} ({times:.1f}x)",
            None,
        )
    ]


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
