"""Stories of every task: credits that add up, a planted family that decides a wrong call, and one that does
nothing. tests/test_explain.py and tests/test_study_resplit.py have more of two classes."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handnet import Dataset, Layer, Recipe, load_backend, split
from handnet.draws import generator
from handnet.explain import Explanation, credits_of, explain
from handnet.families import Families
from handnet.judge import ManyClasses, Number
from handnet.report.case_words import words_of
from handnet.report.cases import Cases
from handnet.study.configuration import Configuration
from handnet.study.division import Resplit, Trained
from handnet.study.naming import CLASSES, world
from handnet.study.reading import read
from handnet.study.units import Confirmed, Problem, load_problem

RECIPE = Recipe(learning_rate=0.01, epochs=40)
ONE_EACH = Families(("a", "b", "c"), np.eye(3, dtype=bool))


def network(seed: int, outputs: int) -> tuple[Layer, ...]:
    """Four networks of three inputs with weights drawn."""
    draws = generator(seed, 0)
    sizes = ((3, 5), (5, outputs))
    return tuple(Layer(draws.normal(size=(4, *size)), draws.normal(size=(4, 1, size[1]))) for size in sizes)


@pytest.mark.parametrize("judge", [ManyClasses(4), Number(1.0, 1.0)], ids=lambda judge: judge.task)
@given(seed=st.integers(0, 10**6))
def test_credits_add_up_from_the_start_to_the_case(judge: ManyClasses | Number, seed: int) -> None:
    many = isinstance(judge, ManyClasses)
    layers, backend = network(seed, judge.classes if many else 1), load_backend("numpy", "float64")
    x, start = generator(seed, 1).normal(size=(2, 3))
    ends = backend.logits(layers, np.stack([start, x]))
    question = judge.question(ends[:, 1], 2)
    found = credits_of(question, lambda rows: backend.logits(layers, rows), x, start, ONE_EACH)
    own, other = question.instead, 2
    start_value, value = (ends[..., own] - ends[..., other]).T if many else ends.T
    assert found.credits.sum(axis=1) == pytest.approx(value - start_value, abs=1e-9)
    right = ends[:, 1].argmax(axis=-1) == 2 if many else np.abs(ends[:, 1] - 2) <= 1
    assert (found.right[:, -1] == right).all()


def explained(judge: ManyClasses | Number, outputs: np.ndarray, truth: float) -> Explanation:
    """Of a case (1, 1, 1), started at (0, 0, 0), in two networks alike. outputs: (2^3,) or (2^3, k), by which
    of the families a, b and c are its own, as bits."""
    both = np.stack([outputs, outputs])

    def give(rows: np.ndarray) -> np.ndarray:
        return both[:, (rows @ [1, 2, 4]).astype(int)]

    question = judge.question(both[:, -1], truth)
    networks = credits_of(question, give, np.ones(3), np.zeros(3), ONE_EACH)
    return explain(question, networks, networks.credits, networks.credits[0])


def sets() -> np.ndarray:
    """(8, 3) which of the families are the case's own."""
    return (np.arange(8)[:, None] >> np.arange(3)) & 1


def test_a_family_that_makes_it_another_class_is_named_and_over_trusted() -> None:
    """a moves class 1 above the true class 0, b below it, c does nothing."""
    a, b, _ = sets().T
    logits = np.stack([np.full(8, 2.0), 0.5 + 3.0 * a - 0.5 * b, np.zeros(8)], axis=1)
    found = explained(ManyClasses(3), logits, 0)
    assert (found.wrong, found.named, found.question.instead) == (2, ("a",), 1)
    means = [credit.seeds.centre("mean") for credit in found.credits]
    assert means == pytest.approx([3, -0.5, 0])
    assert [credit.flipped for credit in found.credits] == [2, 0, 0]
    assert found.over_trusted(found.credits[0])
    assert (found.start.centre("mean"), found.own.centre("mean")) == pytest.approx((-1.5, 1.0))


def test_a_third_class_in_between_is_no_right_call() -> None:
    """Without a class 1 falls below the true class, but class 2 still has the highest logit."""
    a, _, _ = sets().T
    logits = np.stack([np.full(8, 2.0), 6.0 * a, np.full(8, 3.0)], axis=1)
    found = explained(ManyClasses(3), logits, 0)
    assert found.named == ("a",)
    assert (found.credits[0].flipped, found.turned) == (0, False)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_family_that_pulls_a_guess_off_is_named(sign: int) -> None:
    """The truth is 0: a pulls off by 3, b back by 1, c not at all; within 1 it is right."""
    a, b, _ = sets().T
    found = explained(Number(1.0, 1.0), sign * (3.0 * a - 1.0 * b), 0.0)
    assert (found.wrong, found.named, found.question.towards) == (2, ("a",), sign)
    assert [credit.seeds.centre("mean") for credit in found.credits] == pytest.approx([3 * sign, -sign, 0])
    assert [credit.flipped for credit in found.credits] == [2, 0, 0]
    assert found.over_trusted(found.credits[0])


def test_nothing_is_named_where_a_guess_is_off_either_way_or_the_credit_is_rounding() -> None:
    a, _, _ = sets().T
    assert explained(Number(1.0, 1e5), 3.0 * a, 0.0).named == ()  # 3 of 1e5 may be rounding
    assert explained(Number(5.0, 1.0), 3.0 * a, 0.0).named == ()  # no network is off


def planted(task: str) -> tuple[Dataset, int]:
    """The table of `naming.world` and a test row in which f0 alone says another target than its own.

    Of a number it says more than the other families do, of classes it says class 0 of a case of class 1."""
    data = world(3, task, rows=300)
    rows, columns = split(data).test_rows, np.array(data.families)
    rows = rows[data.y[rows] == 1] if data.class_names else rows
    # A case whose own call is clear, and on which f0 has had no say.
    usual = [0, 1 if task == "many classes" else 0, 0]
    deciding = data.X[rows, :6].reshape(-1, 3, 2).mean(axis=2)
    row, X = int(rows[np.abs(deciding - usual).sum(axis=1).argmin()]), data.X.copy()
    X[row, columns == "f0"] = -5.0 if task == "two classes" else 5.0
    return replace(data, X=X), row


def studied(data: Dataset, row: int) -> tuple[Problem, Cases]:
    """Six networks of a table with an opened test, and four divisions that do not train on a row."""
    settings = read({"backend.name": "numpy"})
    problem = load_problem(settings, data, split(data))
    replicas, divisions = problem.fit(RECIPE, range(6)), []
    apart = (parts for seed in range(99) if row not in (parts := split(data, seed=seed)).train_rows)
    for seed, parts in enumerate(itertools.islice(apart, 4)):
        layers = load_problem(settings, data, parts).fit(RECIPE, [seed]).fit.layers
        winner = Trained(layers, parts.train_rows, parts.mean, parts.scale)
        divisions.append(Resplit(seed, np.empty(0), 0.0, {}, winner))
    test = problem.parts.test.open(bool)
    outputs = problem.outputs(replicas.fit.layers, test.X)
    confirmed = Confirmed("winner", "id", Configuration.of(RECIPE), replicas, replicas.val_logits, outputs)
    return problem, Cases(problem, [confirmed], test, divisions, 0.0)


@pytest.mark.parametrize("task", CLASSES)
def test_a_measurement_planted_wrong_is_what_the_story_names(task: str) -> None:
    data, row = planted(task)
    _, cases = studied(data, row)
    watched = cases.watched(str(row))
    found = watched["story"]
    wrong = found["misses"]
    assert wrong == 6
    assert found["named"][0] == "f0"
    assert "f0" in found["over_trusted"]
    name = found["credited"]
    start, own = (found[end][name]["centres"]["mean"] for end in ("start", "own"))
    assert own - start == pytest.approx(sum(one["seeds"]["centres"]["mean"] for one in found["credits"]))
    assert found["sentence"].startswith(f"Case #{row} ({words_of(watched['judged']).said(watched)}, test): ")
    assert "by f0" in found["sentence"]
    assert "f0 (alone" in found["sentence"]
    expected = {
        "two classes": f"called no by {wrong} of them. Carried there",
        "many classes": f"called one by {wrong} of them. Carried there",
        "a number": f"in {wrong} of them. Carried up by f0",
    }
    assert expected[task] in found["sentence"]


def test_what_counts_as_off_is_the_tolerance_of_the_settings() -> None:
    data, row = planted("a number")
    problem, cases = studied(data, row)
    assert cases.judged["tolerance"] == pytest.approx(problem.parts.train.y.std() / 2)
    wide = Cases(problem, cases.confirmed, cases.graded["test"], [], 100.0)
    assert wide.missed() == []
    assert wide.doubt()[0]["tolerance"] == 100.0
    assert {one["case"] for one in cases.missed()} >= {str(row)}
