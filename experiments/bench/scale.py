"""Many cores, by simulation: the coordinator and its workers.

What a unit of training costs is measured here; what the coordinator costs are the rounded figures of the
estimate, and the tracker, which works beside the training, is left out. The simulation is set beside real
studies where that is possible, on one and two workers. This part alone: python -m experiments.bench.scale
"""

import json
import re
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import NamedTuple

import numpy as np

from experiments.bench.costs import STUDY
from experiments.bench.race import Goal
from handnet.data import Dataset
from handnet.draws import SIMULATION, generator
from handnet.study.estimate import Batch, Prices, Work, elapsed, measured, work
from handnet.study.executor import AHEAD, Processes
from handnet.study.identity import make_problem
from handnet.study.preview import PER_CASE
from handnet.study.reading import read
from handnet.study.settings import Settings
from handnet.study.units import Problem

CHAPTER = Path("experiments/study.toml")
REAL, MANY = (1, 2), 64  # workers
ROWS, COLUMNS = 100_000, 200  # of the large table
NEAR, ROUNDS = 0.2, 2


class Run(NamedTuple):
    """A real study: seconds by activity, the epochs of its trials, those of its winner last."""

    seconds: dict[str, float]
    epochs: Sequence[float]

    @property
    def trained(self) -> float:
        """Seconds from the first proposal to the last division."""
        return sum(
            self.seconds[name] for name in ("search", "store", "train", "rehearse") if name in self.seconds
        )

    @property
    def alone(self) -> float:
        """Seconds in which the coordinator works alone: to start, and for the report."""
        return self.seconds["start-up"] + self.seconds["report"]


def run(workers: int) -> Run:
    """Make the default study on so many threads."""
    with tempfile.TemporaryDirectory() as folder:
        words = [*STUDY, "--mlruns", folder, "--workers", str(workers)]
        printed = subprocess.run(words, capture_output=True, check=True, text=True).stdout
        lines = next(Path(folder, "studies").glob("*/trials.jsonl")).read_text().splitlines()
    trials = [json.loads(line) for line in lines]
    best = min(trials, key=lambda trial: float("inf") if trial["value"] is None else trial["value"])
    (seconds,) = re.findall("Seconds: (.*);", printed)
    by_activity = {name: float(number) for name, number in re.findall(r"([a-z-]+) ([\d.]+)", seconds)}
    return Run(by_activity, [trial["params"]["epochs"] for trial in (*trials, best)])


def large_table() -> Dataset:
    """Two classes in many columns of noise."""
    numbers = generator(0, SIMULATION)
    X, y = numbers.normal(size=(ROWS, COLUMNS)), np.arange(ROWS) % 2
    names = tuple(f"x{column}" for column in range(COLUMNS))
    return Dataset("large", X + 0.1 * y[:, None], y, np.arange(ROWS), names, names, ("0", "1"))


def begun() -> Batch:
    """What it takes until MANY processes have imported everything, on as many cores."""
    with Processes(2, 2) as workers:
        start = perf_counter()
        future = workers.submit(make_problem, read({}))
        first = perf_counter()  # the study sees one begin before it asks for the others
        workers.submit(pow, 2, 2)
        asked = perf_counter() - first
        future.result()
        return Batch([perf_counter() - start] * MANY, before=first - start + asked * MANY, after=0)


def simulated(stages: Sequence[Work], workers: int, begin: Batch) -> float:
    """The seconds of all training, from the first proposal on. begin: what it takes until processes run."""
    search, confirm, *rest = (stage.batches for stage in stages)
    batches = [*search, *confirm]
    if rest:  # the divisions and the streams are known together
        batches.append(Batch([unit for stage in rest for batch in stage for unit in batch.units]))
    if workers == MANY:  # they begin once more when they are to hold the whole table
        batches += [begin] * (2 if rest else 1)
    return elapsed(batches, workers, AHEAD * workers)


def tried(settings: Settings, problem: Problem) -> tuple[list[Goal], Run, Prices]:
    """The simulation beside real studies. What is else busy on a machine only slows it: the least of the
    rounds counts, of what a unit costs as of a study."""
    rounds = [
        (measured(settings, problem), {workers: run(workers) for workers in REAL}) for _ in range(ROUNDS)
    ]
    price = Prices(
        {size: min(one.epoch[size] for one, _ in rounds) for size in rounds[0][0].epoch},
        min(one.division for one, _ in rounds),
    )
    goals = []
    for workers in REAL:
        real = min((runs[workers] for _, runs in rounds), key=lambda found: found.trained)
        seconds = simulated(work(settings, problem, True, price, real.epochs), workers, Batch([]))
        off = seconds / real.trained - 1
        text = f"{seconds:.1f} against {real.trained:.1f} ({off:+.0%})"
        what = f"simulated against real, {workers} workers, s of training"
        goals.append(Goal(what, "within 20 %", text, abs(off) <= NEAR))
    return goals, real, price


def scaled() -> list[Goal]:
    """The simulation beside real studies, and what it says of many cores."""
    settings = read({}, CHAPTER)
    problem = make_problem(settings)
    goals, real, price = tried(settings, problem)
    anew, few = (settings.changed(rehearsal=change) for change in ({"ideal": True}, {"splits": 0}))
    large = make_problem(few, large_table())
    cases, begin = PER_CASE * len(large.parts.test_rows), begun()
    for title, stages, more in (
        ("default study", work(settings, problem, True, price, real.epochs), 0.0),
        ("IDEAL=1", work(anew, problem, True, price, real.epochs), 0.0),
        (f"{ROWS:,} x {COLUMNS}", work(few, large, True, measured(few, large), real.epochs), cases),
    ):
        trained = {workers: simulated(stages, workers, begin) for workers in (*REAL, MANY)}
        shown = ", ".join(f"{workers}: {seconds:.0f}" for workers, seconds in trained.items())
        text = f"{shown}; and {real.alone + more:.0f} of start and report on one core"
        goals.append(Goal(f"{title}, simulated s of training by cores", "reported", text, None))
    return goals


if __name__ == "__main__":
    for goal in scaled():
        print(f"{goal.what}: {goal.found} {'' if goal.met is None else 'met' if goal.met else 'MISSED'}")
