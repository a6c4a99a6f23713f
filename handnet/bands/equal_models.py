"""How often rules on one test find a difference between two models that are equally good, by simulation."""

import numpy as np
from scipy.integrate import quad
from scipy.optimize import brentq
from scipy.stats import norm

from handnet.bands.auc import auc_difference
from handnet.bands.compare import ALPHA
from handnet.bands.crossed import KIND, crossed_difference, pseudo_values
from handnet.bands.paired import (
    bowker,
    calls_table,
    mcnemar,
    paired_losses,
    score_difference,
    signed_rank,
    stuart_maxwell,
)
from handnet.bands.simulated import CaseSimulator, Simulated, simulated
from handnet.data import Array
from handnet.draws import SIMULATION, Generator, generator
from handnet.scores import Whole
from handnet.tasks import Task

STUDIES = 300
SETTING = "two equal models, one test"
CASE, NOISE = 1.5, 0.8  # deviations of a case, which both models share, and of a model's own noise
# Outputs of one method that are drawn for one study of `false_alarms`, and the cases that are drawn at least.
DRAWN, LEAST_CASES = 40_000, 200


def false_positives_on_test(
    task: Task, y: Array, accuracy: float, seed: int, groups: Array | None = None, studies: int = STUDIES
) -> list[Simulated]:
    """How often each rule on one test finds a difference between two equal models.

    y: (n,) of the test set; accuracy: of both models, of classes alone; groups: (n,) int, None where every
    case is its own. The accuracy of the simulated models lies between .6 and .995, so that they call some
    cases right and some wrong.
    """
    near = min(max(accuracy, 0.6), 0.995)
    if task.classes == 2:
        first = None if groups is None else groups[np.argsort(y != 1, kind="stable")]
        return false_positives_on_cases(len(y), int((y == 1).sum()), near, seed, first, studies)
    numbers, found = generator(seed, SIMULATION), dict[str, list[bool]]()
    spread = _classes_apart(task.classes, near) if task.classes else 0.0
    for _ in range(studies):
        if task.classes:
            ps = _p_of_classes(task, *_two_of_classes(numbers, y, task.classes, spread, groups), y, groups)
        else:
            ps = _p_of_numbers(*_errors(numbers, len(y), groups), groups)
        for rule, p in ps.items():
            found.setdefault(rule, []).append(p < ALPHA)
    return [simulated(rule, SETTING, ALPHA, hits) for rule, hits in found.items()]


def false_positives_on_cases(
    n: int, positives: int, accuracy: float, seed: int, groups: Array | None = None, studies: int = STUDIES
) -> list[Simulated]:
    """How often McNemar's and DeLong's tests find a difference between two equal models on one test set.

    n: cases of the test set, `positives` of them positive; accuracy: of both models; groups: (n,) int, those
    of the positive cases first.
    """
    simulator = CaseSimulator(positives, n - positives, accuracy, groups)
    numbers = generator(seed, SIMULATION)
    significant: dict[str, list[bool]] = {"mcnemar": [], "delong": []}
    for _ in range(studies):
        ours, theirs = simulator.sample(numbers, 2)
        correct = [(row > 0) == (simulator.y == 1) for row in (ours, theirs)]
        areas = auc_difference(ours[None], theirs[None], simulator.y, groups)
        significant["mcnemar"].append(mcnemar(correct[0], correct[1], groups).p < ALPHA)
        significant["delong"].append(areas.p < ALPHA)
    return [simulated(rule, SETTING, ALPHA, hits) for rule, hits in significant.items()]


def false_alarms(
    task: Task,
    y: Array,
    accuracy: float,
    seeds: int,
    score: str,
    groups: Array | None = None,
    studies: int = STUDIES,
    seed: int = 0,
    paired: bool = True,
    theirs: int | None = None,
) -> Simulated:
    """How often `crossed_difference` finds a difference of this score between two equal methods.

    y: (n,) of the test set; accuracy: of both methods, of classes alone; seeds: how many each method has;
    groups: (n,) int, None where every case is its own; seed: of the simulation; paired: whether the methods
    have the same seeds; theirs: how many the second has, where not as many. Half of what a method does to a
    case of its own is common to its seeds.

    For the sake of time some thousand outputs of each method are drawn, for cases drawn from these; the
    setting says how many cases those are.
    """
    numbers, sides = generator(seed, SIMULATION), (seeds, theirs or seeds)
    most = DRAWN // (4 if isinstance(task.every[score], Whole) else 1) // (max(sides) * task.outputs)
    y, groups = _fewer(numbers, y, groups, max(most, LEAST_CASES))
    apart = _classes_apart(task.classes, min(max(accuracy, 0.6), 0.995)) if task.classes else 0.0
    found = []
    for _ in range(studies):
        cases = CASE * _normal(numbers, (len(y), task.outputs), groups)
        outputs = (_method(numbers, task, y, cases, apart, count, groups) for count in sides)
        a, b = (pseudo_values(task, score, z, y) for z in outputs)
        found.append(crossed_difference(a, b, paired, groups).comparison.p < ALPHA)
    return simulated(KIND, f"{_sides(*sides)} x {len(y)} cases", ALPHA, found)


def _sides(ours: int, theirs: int) -> str:
    """What is simulated, with so many seeds each."""
    if ours == theirs:
        return f"two equal methods, {ours} seeds" if ours > 1 else "two fixed models, equally good"
    if min(ours, theirs) > 1:
        return f"two equal methods, {ours} and {theirs} seeds"
    return f"one fixed model and a method that is equally good on average, {max(ours, theirs)} seeds"


def _method(
    numbers: Generator, task: Task, y: Array, cases: Array, apart: float, seeds: int, groups: Array | None
) -> Array:
    """The outputs (R, n) or (R, n, k) of one method with R seeds on cases (n, k) with the truth y (n,).

    apart: as of `_classes_apart`.
    """
    n, k = cases.shape
    noise = NOISE / np.sqrt(2) * _normal(numbers, (n, (seeds + 1) * k), groups).reshape(n, seeds + 1, k)
    values = np.moveaxis(cases[:, None] + noise[:, :1] + noise[:, 1:], 1, 0)
    if task.classes == 2:
        return np.asarray(values[..., 0] + np.where(y == 1, 1, -1) * apart / np.sqrt(2))
    return apart * np.eye(k)[y] + values if task.classes else y + values[..., 0]


def _fewer(numbers: Generator, y: Array, groups: Array | None, most: int) -> tuple[Array, Array | None]:
    """At most so many of the cases y (n,), drawn at random in whole groups, and their groups (n,).

    Two cases of each class come first, so that no class is lost.
    """
    if len(y) <= most:
        return y, groups
    place = np.arange(len(y)) if groups is None else np.unique(groups, return_inverse=True)[1]
    rank, shuffled = numbers.permutation(place.max() + 1), numbers.permutation(len(y))
    for label in np.unique(y) if y.dtype.kind != "f" else ():
        rank[place[shuffled[y[shuffled] == label][:2]]] = -1
    order = np.argsort(rank[place], kind="stable")[:most]
    return y[order], None if groups is None else place[order]


def _classes_apart(classes: int, accuracy: float) -> float:
    """By how much the logit of a case's own class lies above the others, on average, at this accuracy."""
    deviation = float(np.hypot(CASE, NOISE))

    def called_right(apart: float) -> float:
        chance = quad(lambda z: norm.pdf(z) * norm.cdf(z + apart) ** (classes - 1), -8, 8)[0]
        return float(chance) - accuracy

    return deviation * float(brentq(called_right, -1, 20))


def _two_of_classes(
    numbers: Generator, y: Array, classes: int, apart: float, groups: Array | None
) -> tuple[Array, Array]:
    """The logits (1, n, k) of two equal models on fresh cases with classes y (n,)."""
    cases = apart * np.eye(classes)[y] + CASE * _normal(numbers, (len(y), classes), groups)
    ours, theirs = (cases + NOISE * _normal(numbers, (len(y), classes), groups) for _ in range(2))
    return ours[None], theirs[None]


def _errors(numbers: Generator, n: int, groups: Array | None) -> tuple[Array, Array]:
    """The errors (n,) of two equal models that guess a number, on fresh cases."""
    cases = CASE * _normal(numbers, (n, 1), groups)
    ours, theirs = (cases + NOISE * _normal(numbers, (n, 1), groups) for _ in range(2))
    return ours[:, 0], theirs[:, 0]


def _normal(numbers: Generator, shape: tuple[int, int], groups: Array | None) -> Array:
    """Standard normal numbers of this shape (n, k), those of a group alike by half of their variance."""
    own = numbers.normal(size=shape)
    if groups is None:
        return own
    place = np.unique(groups, return_inverse=True)[1]
    return np.asarray((own + numbers.normal(size=(place.max() + 1, shape[1]))[place]) / np.sqrt(2))


def _p_of_classes(task: Task, ours: Array, theirs: Array, y: Array, groups: Array | None) -> dict[str, float]:
    """The p of each rule on the logits (1, n, k) of two models."""
    calls = [z[0].argmax(axis=1) for z in (ours, theirs)]
    score = task.scores["auc"]
    assert isinstance(score, Whole)
    found = {"mcnemar": mcnemar(calls[0] == y, calls[1] == y, groups).p}
    found["auc, jackknife"] = score_difference(score, ours, theirs, y, groups).p
    if groups is not None:
        return found
    table = calls_table(calls[0], calls[1], task.classes)
    return found | {"bowker": bowker(table).p, "stuart-maxwell": stuart_maxwell(table).p}


def _p_of_numbers(ours: Array, theirs: Array, groups: Array | None) -> dict[str, float]:
    """The p of each rule on the errors (n,) of two models."""
    losses = np.square(ours), np.square(theirs)
    t_test = paired_losses(losses[0][None], losses[1][None], groups).p
    return {"paired t": t_test, "signed ranks": signed_rank(*losses, groups)}
