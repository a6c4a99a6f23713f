"""Worlds of classes and of a number whose true scores are known, and how often bands hold in them."""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property

import numpy as np

from handnet.bands.band import Band
from handnet.bands.cases import case_bands
from handnet.bands.multibootstrap import seeds_x_cases
from handnet.bands.predictive import next_cases, next_network
from handnet.bands.simulated import Simulated, simulated
from handnet.data import Array
from handnet.draws import SIMULATION, Generator, further, generator, resamples
from handnet.tasks import Task, task_of

MANY = 120_000  # cases whose scores count as the true ones
SAMPLES = 400  # bootstrap samples of a simulated study


class World:
    """Outputs of networks on fresh cases, those of a group alike by half of the variance that cases have."""

    task: Task

    def __init__(self, n: int, size: int = 1) -> None:
        """n: cases of a study, in groups of `size`."""
        self.n, self.untold = n, False  # untold: bands take the cases for independent
        self.groups = None if size == 1 else np.arange(n) // size

    def sample(self, numbers: Generator, replicas: int) -> tuple[Array, Array]:
        """The outputs (R, n) or (R, n, k) of R replicas on n fresh cases, and the truths (n,)."""
        raise NotImplementedError

    def many(self) -> "World":
        """The same world with many independent cases."""
        raise NotImplementedError

    @cached_property
    def truth(self) -> dict[str, float]:
        """The expectation of each score over cases and replicas, by name, from many cases."""
        outputs, y = self.many().sample(generator(0, SIMULATION), 1)
        return {name: float(of[0]) for name, of in self.task.grade(outputs, y, self.task.every).items()}

    def _alike(self, draw: Callable[[tuple[int, ...]], Array], *more: int) -> Array:
        """Numbers (n, *more) of one law, those of a group with a part in common."""
        own = draw((self.n, *more))
        if self.groups is None:
            return own
        return np.asarray((own + draw((self.groups.max() + 1, *more))[self.groups]) / np.sqrt(2))


class Classes(World):
    """Logits of k classes: that of a case's own class stands higher by `apart`, up to a fifth more or less by
    class. The deviation of a case is 1.2 in each logit, that of a replica .6. Of two classes the outputs are
    the differences of the two logits."""

    def __init__(self, sizes: Sequence[int], apart: float, size: int = 1) -> None:
        """sizes: cases of each class; size: of the groups, each of one class but where two classes meet."""
        super().__init__(sum(sizes), size)
        self.sizes, self.apart, self.task = sizes, apart, task_of(len(sizes))
        self.y = np.repeat(np.arange(len(sizes)), sizes)

    def sample(self, numbers: Generator, replicas: int) -> tuple[Array, Array]:
        """Logits (R, n) of two classes or (R, n, k), and the classes (n,)."""
        k = len(self.sizes)
        apart = self.apart * np.linspace(0.8, 1.2, k)[self.y]
        cases = apart[:, None] * np.eye(k)[self.y] + 1.2 * self._alike(numbers.standard_normal, k)
        logits = cases + 0.6 * numbers.normal(size=(replicas, self.n, k))
        return (logits[..., 1] - logits[..., 0] if k == 2 else logits), self.y

    def many(self) -> "Classes":
        """The same with the same shares of the classes."""
        return Classes([size * (MANY // self.n) for size in self.sizes], self.apart)


class Number(World):
    """Guesses of normal numbers, deviation 3, that are .3 too high on average; the errors of the cases have
    Student's law, those of replicas are normal."""

    def __init__(self, n: int, degrees: float = np.inf, size: int = 1) -> None:
        """degrees: of Student's law, infinite where it is the normal one."""
        super().__init__(n, size)
        self.degrees, self.task = degrees, task_of(0)

    def sample(self, numbers: Generator, replicas: int) -> tuple[Array, Array]:
        """Guesses (R, n) and the truths (n,)."""

        def errors(shape: tuple[int, ...]) -> Array:
            normal = numbers.standard_normal(shape)
            if np.isinf(self.degrees):
                return normal
            return np.asarray(normal / np.sqrt(numbers.chisquare(self.degrees, shape) / self.degrees))

        y = numbers.normal(10, 3, self.n)
        cases = y + 0.3 + 1.2 * self._alike(errors)
        return cases + 0.5 * numbers.normal(size=(replicas, self.n)), y

    def many(self) -> "Number":
        """The same with many numbers."""
        return Number(20 * MANY, self.degrees)


def coverages_of_scores(
    world: World,
    setting: str,
    seed: int,
    studies: int = 400,
    replicas: int = 5,
    kinds: Sequence[str] = ("cases", "seeds_x_cases", "next cases", "next network"),
    tick: Callable[[], object] = lambda: None,
) -> list[Simulated]:
    """How often each kind of band of each score holds what it is for, in simulated studies of this world.

    setting: what the world is called; kinds: which bands; tick: called after each simulated study.
    """
    numbers, hits = generator(seed, SIMULATION), dict[str, list[bool]]()
    for _ in range(studies):
        outputs, y = world.sample(numbers, replicas)
        following = world.task.grade(*world.sample(numbers, 1), world.task.every)
        for kind, bands in _bands(world, outputs, y, kinds).items():
            for name, band in bands.items():
                value = following[name][0] if kind.startswith("next") else world.truth[name]
                hits.setdefault(f"{kind} {name}", []).append(band.low - 1e-9 <= value <= band.high + 1e-9)
        tick()
    return [simulated(what, setting, 0.95, held) for what, held in hits.items()]


def _bands(world: World, outputs: Array, y: Array, kinds: Sequence[str]) -> dict[str, Mapping[str, Band]]:
    """The bands of each kind of one study; those over cases alone are of the first replica."""
    scores, groups, replicas = world.task.every, None if world.untold else world.groups, len(outputs)
    found: dict[str, Mapping[str, Band]] = {}
    if {"cases", "next cases"} & {*kinds}:
        found["cases"] = case_bands(scores, outputs[:1], y, groups)
    if "next cases" in kinds:
        ahead = further(0, 1, y, SAMPLES, groups)
        found["next cases"] = next_cases(scores, outputs[:1], y, ahead, groups, found["cases"])
    if {"seeds_x_cases", "next network"} & {*kinds}:
        alone = case_bands(scores, outputs, y, groups)
        samples = resamples(0, replicas, y, SAMPLES, groups)
        found["seeds_x_cases"] = seeds_x_cases(scores, outputs, y, samples, groups, alone=alone)
        ahead = further(0, replicas, y, SAMPLES, groups)
        found["next network"] = next_network(scores, outputs, y, ahead, groups, alone)
    return {kind: found[kind] for kind in kinds}
