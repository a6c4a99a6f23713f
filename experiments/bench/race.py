"""The race: all contestants train the chapter's network on the chapter's split, in turns, round after round.

What counts is the median over the rounds, after a warm-up. The floor is what the products alone would take at
the rate of the machine's own matrix product. The networks of each contestant are compared with those of the
reference: the speed of a wrong network does not count."""

import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from scipy.stats import ks_2samp
from threadpoolctl import threadpool_limits

from handnet.contract import EpochDraws, Layer, Recipe, load_backend
from handnet.data import Array
from handnet.draws import seeded_plan
from handnet.mlp.replicas import CHUNK, train_replicas
from handnet.study.units import Problem

RECIPE = Recipe()  # the chapter's
SIZES = (1, 10, 100, 1000)  # networks trained at once
NUMPY, ONE, ALONE, ALL = (
    "numpy, one core",
    "compiled, one core",
    "compiled, one core, draws made before",
    "compiled, all cores",
)
KERAS, MLP, JAX = "Keras model.fit", "MLPClassifier", "JAX vmap, scan, jit"
OTHER = 1e-4  # below this p (Kolmogorov-Smirnov) a contestant has trained other networks than the reference
SETTLE = 0.5  # seconds until the threads of the contestant before have stopped waiting for work
Contestant = Callable[[int], Array]  # how many networks -> the last validation loss of each


@dataclass(frozen=True)
class Timing:
    """Milliseconds per network: the median and the ends over the rounds. networks: how many are trained at
    once."""

    name: str
    networks: int
    median: float
    low: float
    high: float


@dataclass(frozen=True)
class Goal:
    """What was to be reached, what was measured, and whether it is reached; None: there is no goal, or it was
    not tried."""

    what: str
    goal: str
    found: str
    met: bool | None


@dataclass(frozen=True)
class Results:
    """All of one run.

    absent: peer -> why it did not run. others: contestant -> p, where its networks are not the reference's.
    """

    machine: Mapping[str, Any]
    timings: Sequence[Timing]
    goals: Sequence[Goal]
    absent: Mapping[str, str]
    others: Mapping[str, float]


def median_of(timings: Sequence[Timing], name: str, networks: int | None = None) -> float | None:
    """The median of a contestant, of its largest number of networks unless one is given; None without one."""
    medians = [time.median for time in timings if time.name == name and networks in (None, time.networks)]
    return medians[-1] if medians else None


def ratio(what: str, goal: float, above: float | None, below: float | None, at_least: bool) -> Goal:
    """The goal that `above` is at least, or at most, so many times `below`, both in milliseconds."""
    wanted = f"{'at least' if at_least else 'at most'} {goal:,}x"
    if above is None or below is None:
        return Goal(what, wanted, "not tried", None)
    times = above / below
    digits = 0 if times >= 100 else 1 if times >= 10 else 2
    measured = f"{times:,.{digits}f}x ({above:,.2f} / {below:.2f} ms)"
    return Goal(what, wanted, measured, times >= goal if at_least else times <= goal)


def race(
    contestants: Mapping[str, Contestant],
    rounds: int,
    say: Callable[[str], None],
    between: Callable[[], None],
) -> tuple[list[Timing], dict[str, list[Array]]]:
    """Train all sizes of all contestants, each round from another one on.

    say: is told what comes next. between: is called before every round but the warm-up.
    Returns the timings, and the last validation losses of every run by contestant."""
    samples: dict[str, list[Array]] = {name: [] for name in contestants}
    seconds: dict[tuple[str, int], list[float]] = {}
    names = list(contestants)
    for number in range(rounds + 1):  # the first is the warm-up
        if number:
            between()
        first = number % len(names)
        for name in names[first:] + names[:first]:
            for networks in sizes(name):
                turn = f"round {number} of {rounds}" if number else "warm-up"
                say(f"{turn}: {name}, {networks} at once")
                time.sleep(SETTLE)
                started = time.perf_counter()
                samples[name].append(contestants[name](networks))
                if number:
                    took = (time.perf_counter() - started) / networks
                    seconds.setdefault((name, networks), []).append(took)
    ends = (statistics.median, min, max)
    timings = [Timing(*key, *(1000 * end(values) for end in ends)) for key, values in seconds.items()]
    return timings, samples


def product_rate() -> float:
    """Operations a second of one core in a float32 matrix product: the best of a few."""
    a, best = np.ones((768, 768), np.float32), 0.0
    with threadpool_limits(1, "blas"):
        for _ in range(8):
            started = time.perf_counter()
            a @ a
            best = max(best, 2 * 768**3 / (time.perf_counter() - started))
    return best


def operations(recipe: Recipe, train: int, val: int) -> float:
    """Multiplications and additions in the products of one training: every row forward, its two products
    backward (into the first layer one), and all rows of both parts forward again after every epoch."""
    layers = list(pairwise((30, *recipe.hidden, 1)))
    forward = sum(fan_in * units for fan_in, units in layers)
    backward = 2 * forward - layers[0][0] * layers[0][1]
    return 2.0 * recipe.epochs * (train * (forward + backward) + (train + val) * forward)


def ours(problem: Problem) -> dict[str, Contestant]:
    """The backends of this project as contestants."""
    train, val = problem.parts.train, problem.parts.val
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


def sizes(name: str) -> tuple[int, ...]:
    """How many networks a contestant trains at once."""
    return {KERAS: (1,), MLP: (4,), ALONE: (CHUNK,)}.get(name, SIZES)


def speed_goals(timings: Sequence[Timing], floor: float) -> Iterator[Goal]:
    """The goals of training. floor: milliseconds a network that the products alone take."""
    for networks in (100, 1000):
        ours = median_of(timings, ALL, networks)
        for peer, times in ((KERAS, 2000), (MLP, 60), (JAX, 3)):
            theirs = median_of(timings, peer, networks if peer == JAX else None)
            yield ratio(f"{ALL}, R = {networks}: times as fast as {peer}", times, theirs, ours, at_least=True)
    yield ratio(f"{ONE}, R = 100: times the floor", 3, median_of(timings, ONE, 100), floor, at_least=False)
    yield ratio(f"{ALONE}, R = {CHUNK}: times the floor", 2, median_of(timings, ALONE), floor, at_least=False)
    yield ratio(
        f"{NUMPY}, R = 100: times as fast as {KERAS}",
        1000,
        median_of(timings, KERAS),
        median_of(timings, NUMPY, 100),
        at_least=True,
    )


def other_networks(samples: Mapping[str, Sequence[Array]], problem: Problem) -> dict[str, float]:
    """The contestants whose networks are not those of the reference, by the two-sample Kolmogorov-Smirnov
    test of the last validation loss over every network once. MLPClassifier has no dropout: its reference has
    none."""
    train, val = problem.parts.train, problem.parts.val
    plain = train_replicas(problem.backend, train, val, replace(RECIPE, dropout=0.0), range(1000)).val_loss[
        :, -1
    ]
    usual = max(samples[NUMPY], key=len)
    p = {
        name: ks_2samp(
            np.unique(np.concatenate(losses)), plain if name == MLP else usual, method="asymp"
        ).pvalue
        for name, losses in samples.items()
    }
    return {name: float(value) for name, value in p.items() if value < OTHER}
