"""make bench: what a trained network costs, here and elsewhere, in one run on one machine.

All contestants train the chapter's network on the chapter's split, in turns, round after round; what counts
is the median over the rounds, after a warm-up. The floor is what the products alone would take at the rate of
the machine's own matrix product. The networks of each are compared with those of the reference: the speed of
a wrong network does not count."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import ks_2samp
from threadpoolctl import threadpool_limits

from experiments.bench.peers import available
from handnet.contract import EpochDraws, Layer, Recipe, load_backend
from handnet.data import Array
from handnet.draws import seeded_plan
from handnet.mlp.replicas import CHUNK, cores, train_replicas
from handnet.report.figures import alone, costs
from handnet.study.identity import make_problem
from handnet.study.reading import read
from handnet.study.records import Records
from handnet.study.search import Proposals, Search
from handnet.study.store import write_whole
from handnet.study.tracker import Tracker
from handnet.study.units import Problem, Replicas

RECIPE = Recipe()  # the chapter's
SIZES = (1, 10, 100, 1000)  # networks trained at once
WIDE = 10_000
NUMPY, ONE, ALONE, ALL = (
    "numpy, one core",
    "compiled, one core",
    "compiled, one core, draws made before",
    "compiled, all cores",
)
KERAS, MLP, JAX = "Keras model.fit", "MLPClassifier", "JAX vmap, scan, jit"
OTHER = 1e-4  # below this p (Kolmogorov-Smirnov) a contestant has trained other networks than the reference
SETTLE = 0.5  # seconds until the threads of the contestant before have stopped waiting for work
TOLD, OFTEN = (40, 1000), 5  # trials after which one is timed, and how often
PYTHON = (sys.executable, "-c")
STUDY = (sys.executable, "-m", "experiments", "study", "--settings", "experiments/study.toml")
FIRST_TOLD = """
import os
from experiments import cli
from handnet.study.search import Search
tell = Search.tell
def tell_and_leave(*values, **facts):
    tell(*values, **facts)
    os._exit(0)
Search.tell = tell_and_leave
cli.main({!r})
"""
Contestant = Callable[[int], Array]


@dataclass(frozen=True)
class Timing:
    """Milliseconds per network: median and ends over the rounds."""

    name: str
    networks: int
    median: float
    low: float
    high: float


@dataclass(frozen=True)
class Goal:
    """What was to be reached, what was found, and whether that is it (None: there is no goal, or it was not
    tried)."""

    what: str
    goal: str
    found: str
    met: bool | None


@dataclass(frozen=True)
class Results:
    """All of one run. absent: peer -> why it did not run; others: contestant -> p, where its networks are not
    the reference's."""

    machine: Mapping[str, Any]
    timings: Sequence[Timing]
    goals: Sequence[Goal]
    absent: Mapping[str, str]
    others: Mapping[str, float]


def benchmark(rounds: int, whole: bool, say: Callable[[str], None]) -> Results:
    """Everything; whole: with the whole studies, which take minutes. say: is told what comes next."""
    bench = make_problem(read({}))
    train, val = bench.parts.train, bench.parts.val
    peers, absent = available(train, val, RECIPE)
    contestants = {**_ours(bench), **peers}
    samples: dict[str, list[Array]] = {name: [] for name in contestants}
    seconds: dict[tuple[str, int], list[float]] = {}
    rates = []
    for number in range(rounds + 1):  # the first is the warm-up
        rates.append(product_rate())
        first = number % len(contestants)
        for name in [*contestants, *contestants][first : first + len(contestants)]:
            for networks in _sizes(name):
                say(
                    f"{'warm-up' if number == 0 else f'round {number} of {rounds}'}: {name}, {networks} at"
                    " once"
                )
                time.sleep(SETTLE)
                begun = time.perf_counter()
                samples[name].append(contestants[name](networks))
                if number:
                    seconds.setdefault((name, networks), []).append((time.perf_counter() - begun) / networks)
    timings = [
        Timing(*key, *(1000 * end(found) for end in (statistics.median, min, max)))
        for key, found in seconds.items()
    ]
    floor = operations(RECIPE, len(train.y), len(val.y)) / statistics.median(rates) * 1000
    goals = [*_trained(timings, floor)]
    parts: dict[str, Callable[[], list[Goal]]] = {
        "ten thousand networks": lambda: _wide(timings),
        "tracking": lambda: _tracked(bench, rounds),
        "starting": _started,
        "Optuna": _searched,
        **({"two whole studies": _whole} if whole else {}),
    }
    for title, part in parts.items():
        say(title)
        goals += part()
    machine = {"cores": cores(), "gflops": statistics.median(rates) / 1e9, "floor": floor, "rounds": rounds}
    return Results(machine, timings, goals, absent, _others(samples, bench))


def product_rate() -> float:
    """Operations a second of one core in a float32 matrix product: the best of a few."""
    a, best = np.ones((768, 768), np.float32), 0.0
    with threadpool_limits(1, "blas"):
        for _ in range(8):
            begun = time.perf_counter()
            a @ a
            best = max(best, 2 * 768**3 / (time.perf_counter() - begun))
    return best


def operations(recipe: Recipe, train: int, val: int) -> float:
    """Multiplications and additions in the products of one training: every row forward, its two products
    backward (into the first layer one), and all rows of both parts forward again after every epoch."""
    layers = list(pairwise((30, *recipe.hidden, 1)))
    forward = sum(fan_in * units for fan_in, units in layers)
    backward = 2 * forward - layers[0][0] * layers[0][1]
    return 2.0 * recipe.epochs * (train * (forward + backward) + (train + val) * forward)


def _ours(bench: Problem) -> dict[str, Contestant]:
    train, val = bench.parts.train, bench.parts.val
    compiled, numpy = load_backend("compiled"), load_backend("numpy")
    plan = _Recorded(seeded_plan(RECIPE, train, range(CHUNK)))
    return {
        NUMPY: lambda n: train_replicas(numpy, train, val, RECIPE, range(n), threads=1).val_loss[:, -1],
        ONE: lambda n: train_replicas(compiled, train, val, RECIPE, range(n), threads=1).val_loss[:, -1],
        ALONE: lambda _: compiled.fit(train, val, RECIPE, plan).val_loss[:, -1],
        ALL: lambda n: train_replicas(compiled, train, val, RECIPE, range(n)).val_loss[:, -1],
    }


class _Recorded:
    """A plan whose draws were made beforehand."""

    def __init__(self, plan: Any) -> None:
        self._start, self._draws = plan.start(), list(plan.epochs())

    def start(self) -> tuple[Layer, ...]:
        return self._start

    def epochs(self) -> Iterator[EpochDraws]:
        return iter(self._draws)


def _sizes(name: str) -> tuple[int, ...]:
    return {KERAS: (1,), MLP: (4,), ALONE: (CHUNK,)}.get(name, SIZES)


def _median(timings: Sequence[Timing], name: str, networks: int | None = None) -> float | None:
    found = [one for one in timings if one.name == name and networks in (None, one.networks)]
    return found[-1].median if found else None


def _trained(timings: Sequence[Timing], floor: float) -> Iterator[Goal]:
    """The goals about training."""
    for networks in (100, 1000):
        ours = _median(timings, ALL, networks)
        for peer, times in ((KERAS, 2000), (MLP, 60), (JAX, 3)):
            theirs = _median(timings, peer, networks if peer == JAX else None)
            yield _ratio(
                f"{ALL}, R = {networks}: times as fast as {peer}", times, theirs, ours, at_least=True
            )
    yield _ratio(f"{ONE}, R = 100: times the floor", 3, _median(timings, ONE, 100), floor, at_least=False)
    yield _ratio(f"{ALONE}, R = {CHUNK}: times the floor", 2, _median(timings, ALONE), floor, at_least=False)
    yield _ratio(
        f"{NUMPY}, R = 100: times as fast as {KERAS}",
        1000,
        _median(timings, KERAS),
        _median(timings, NUMPY, 100),
        at_least=True,
    )


def _ratio(what: str, goal: float, above: float | None, below: float | None, at_least: bool) -> Goal:
    wanted = f"{'at least' if at_least else 'at most'} {goal:,}x"
    if above is None or below is None:
        return Goal(what, wanted, "not tried", None)
    found = above / below
    digits = 0 if found >= 100 else 1 if found >= 10 else 2
    return Goal(
        what,
        wanted,
        f"{found:,.{digits}f}x ({above:,.2f} / {below:.2f} ms)",
        found >= goal if at_least else found <= goal,
    )


def _child(command: Sequence[str], **environment: str) -> tuple[float, str, float]:
    """Run a command of this checkout: its seconds, its output, and its largest memory in MiB (NaN where there
    is no /proc)."""
    with tempfile.TemporaryFile() as output:
        begun, memory = time.perf_counter(), float("nan")
        child = subprocess.Popen(
            command, stdout=output, stderr=subprocess.DEVNULL, env={**os.environ, **environment}
        )
        while child.poll() is None:
            # Not ru_maxrss: a child begins with its parent's.
            with suppress(OSError, StopIteration):
                lines = Path(f"/proc/{child.pid}/status").read_text().splitlines()
                memory = float(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024
            time.sleep(0.02)
        seconds = time.perf_counter() - begun
        output.seek(0)
        return seconds, output.read().decode(), memory


TRAIN_WIDE = f"""
import time
from handnet import Recipe, load_backend, split, wisconsin
from handnet.mlp.replicas import train_replicas
parts, compiled = split(wisconsin()), load_backend("compiled")
train_replicas(compiled, parts.train, parts.val, Recipe(), range(100))
begun = time.perf_counter()
train_replicas(compiled, parts.train, parts.val, Recipe(), range({WIDE}))
print((time.perf_counter() - begun) / {WIDE} * 1000)
"""


def _wide(timings: Sequence[Timing]) -> list[Goal]:
    _, printed, memory = _child((*PYTHON, TRAIN_WIDE))
    wide, few = float(printed), _median(timings, ALL, 100)
    assert few is not None
    change = wide / few - 1
    return [
        Goal(
            f"{ALL}: ms a network, from R = 100 to {WIDE:,}",
            "flat within 20 %",
            f"{few:.2f} to {wide:.2f} ({change:+.0%})",
            abs(change) <= 0.2,
        ),
        Goal(f"peak memory at R = {WIDE:,}", "under 1 GiB", f"{memory:,.0f} MiB", memory < 1024),
    ]


def _tracked(bench: Problem, rounds: int) -> list[Goal]:
    """A hundred networks with their curves, as a study writes them: twenty at a stroke."""
    records = Records("bench", "", read({}), bench)
    fit = train_replicas(bench.backend, bench.parts.train, bench.parts.val, RECIPE, range(100))
    replicas = Replicas(tuple(range(100)), fit, bench.backend.logits(fit.layers, bench.parts.val.X))
    found = []
    with tempfile.TemporaryDirectory() as folder:
        tracker = Tracker.open(Path(folder), "bench")
        for number in range(rounds + 1):
            begun = time.perf_counter()
            for low in range(0, 100, 20):
                entries = [
                    records.seed(replicas.one(place), RECIPE, "bench") for place in range(low, low + 20)
                ]
                tracker.write_together([replace(entry, key=f"{entry.key}/{number}") for entry in entries])
            found.append((time.perf_counter() - begun) * 10)
        tracker.close()
    median = statistics.median(found[1:])
    return [Goal("tracking, ms a network with its curves", "at most 5", f"{median:.2f}", median <= 5)]


def _started() -> list[Goal]:
    """How long until there is something to see, and what a command that only refuses imports."""
    bare, imported = (
        min(_child((*PYTHON, line))[0] for _ in range(3)) for line in ("", "import handnet.study.study")
    )
    with tempfile.TemporaryDirectory() as folder:
        words = [*STUDY[3:], "--mlruns", folder, "--name", "bench"]
        first = _child((*PYTHON, FIRST_TOLD.format(words)))[0] - imported
    heavy = (
        "import sys, experiments.cli as cli\ntry: cli.main({!r})\nexcept SystemExit: pass\nprint('HEAVY',"
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


def _searched() -> list[Goal]:
    """What one trial costs in each storage once so many are told. They are made fast, by the design that
    looks at none."""
    settings = read({})
    filling = read({"search.design": "sobol"})
    goals = []
    with tempfile.TemporaryDirectory() as folder:
        for storage, search in (
            ("memory", Proposals(settings)),
            ("SQLite", Search(Path(folder), "bench", settings, "")),
        ):
            filler, costs, told = Proposals(filling, search.study), [], 0
            for wanted in TOLD:
                for place in range(told, wanted):
                    trial, _ = filler.ask()
                    filler.tell(trial, 0.1 + (place * 0.618) % 1, config_id="", diverged=0)
                spent = []
                for place in range(OFTEN):
                    begun = time.perf_counter()
                    trial, _ = search.ask()
                    search.tell(trial, 0.1 + place / 100, config_id="", diverged=0)
                    spent.append(1000 * (time.perf_counter() - begun))
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


def _whole() -> list[Goal]:
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


def _others(samples: Mapping[str, Sequence[Array]], bench: Problem) -> dict[str, float]:
    """The contestants whose networks are not those of the reference, by the two-sample Kolmogorov-Smirnov
    test of the last validation loss over every network once. MLPClassifier has no dropout: its reference has
    none."""
    train, val = bench.parts.train, bench.parts.val
    plain = train_replicas(bench.backend, train, val, replace(RECIPE, dropout=0.0), range(1000)).val_loss[
        :, -1
    ]
    usual = max(samples[NUMPY], key=len)
    found = {
        name: (
            ks_2samp(np.unique(np.concatenate(some)), plain if name == MLP else usual, method="asymp").pvalue
        )
        for name, some in samples.items()
    }
    return {name: float(p) for name, p in found.items() if p < OTHER}


def write(found: Results, folder: Path) -> Path:
    """The numbers as JSON and the picture, into a folder. Returns the picture's path."""
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / "bench.json", json.dumps(asdict(found), indent=1).encode())
    points: dict[str, list[tuple[int, float]]] = {}
    for one in found.timings:
        points.setdefault(one.name, []).append((one.networks, one.median))
    picture = folder / "bench.svg"
    write_whole(picture, alone(costs(points, found.machine["floor"])))
    return picture
