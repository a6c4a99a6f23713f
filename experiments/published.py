"""Published results and protocols, tried on all rows of the table: what `make published` does.

Not part of `make claims`, whose promise is that it reads no sealed row. Here every row is divided anew, so
the test of the default study has to be open, and the ledger is told before anything is divided: from then on
all rows have been read."""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np
from sklearn.svm import SVC

from experiments.claims import protocols, published
from experiments.claims.claim import FAILS, HOLDS, OPEN, Claim, facts
from experiments.claims.protocols import Protocol
from experiments.claims.whole import (
    FOLDS,
    PROTOCOLS,
    SEEDS,
    THREE,
    Answers,
    Exam,
    LeastSlack,
    Whole,
    fitted,
    regression,
    scaled,
)
from handnet.data import Array
from handnet.study.messages import Refusal
from handnet.study.sealed import Ledger, Opening
from handnet.study.store import locked
from handnet.study.units import Problem

NAME = "published"  # in the ledger


def opened(ledger: Ledger, problem: Problem) -> Opening:
    """The opening of the study's test rows, after the ledger was told that all rows are divided anew. Raises
    Refusal while the test is sealed, and (75) while a study is writing."""
    opening = ledger.of_test(problem.parts.test.digest)
    if opening is None:
        raise Refusal(
            "these protocols divide all rows anew, and the test rows of the default study are still sealed"
            f" in {ledger.path.parent}: make study opens them; or MLRUNS= names the folder where it did."
        )
    with locked(ledger.path.parent):
        ledger.redrawn(opening, NAME)
    return opening


def trials(whole: Whole) -> list[Callable[[], Claim]]:
    """Every published result and every claim about the division as something to be tried, in order."""
    cases, exam = len(whole.data.y), published.smallest_exam(97.5, 100.0, 98.73)
    small = sum(exam[1::2])
    columns = [whole.data.feature_names.index(name) for name in THREE]
    ratio = len(whole.problem.parts.test_rows) / len(whole.problem.parts.train_rows)
    ways = cache(lambda: _ways(whole))
    return [
        lambda: published.folds_of_the_authors(*_brief(whole)),
        lambda: published.plane(*(fitted(whole.brief, make, columns) for make in (LeastSlack, regression))),
        published.new_patients,
        lambda: published.separable(_fitted_to_all(whole), cases, fitted(whole.brief, LeastSlack)),
        lambda: published.one_pooled(*whole.folded, published.WEKA, cases),
        lambda: published.radial(fitted(whole.brief, SVC)),
        lambda: published.read_in_slices(published.AGARAP, *whole.both(whole.single(0.3, leaky=True))),
        lambda: published.one_small_exam(exam, *whole.both(whole.single(small)), small / (cases - small)),
        lambda: published.no_better_than_a_line(*_brief(whole)),
        lambda: protocols.protocols_agree(*ways(), 0.0),
        lambda: protocols.protocols_agree(*ways(), ratio),
        lambda: protocols.lucky("accuracy", *_on_seed(whole, "accuracy"), 1),
        lambda: protocols.lucky("log loss", *_on_seed(whole, "log_loss"), -1),
    ]


def _brief(whole: Whole) -> tuple[Answers, Answers]:
    network, linear = whole.folded
    return network.first(len(whole.brief)), linear.first(len(whole.brief))


def _fitted_to_all(whole: Whole) -> int:
    """How many rows a plane fitted to all of them calls right."""
    rows = np.arange(len(whole.data.y))
    exam = scaled(whole.data.X, whole.data.y, rows, rows)
    return int(fitted([exam], LeastSlack).right()[0].sum())


def _ways(whole: Whole) -> tuple[dict[Protocol, Array], dict[Protocol, Array], str]:
    """Of each protocol the accuracies (count, SEEDS), and how many malignant cases are in train and test
    (count, 2); part sizes."""
    accuracy, positives, sizes = {}, {}, set()
    for one in PROTOCOLS:
        exams = whole.studys(whole.split_seeds[: whole.count], *one)
        answers = whole.redivided.first(whole.count) if one == PROTOCOLS[0] else whole.networks(exams)
        accuracy[one] = answers.scores("accuracy")
        positives[one] = np.array([[exam.train.y.sum(), exam.held.y.sum()] for exam in exams])
        sizes |= {
            (len(exam.train.y), len(whole.data.y) - len(exam.train.y) - len(exam.held.y), len(exam.held.y))
            for exam in exams
        }
    return accuracy, positives, " and ".join(" / ".join(map(str, one)) for one in sorted(sizes))


def _on_seed(whole: Whole, score: str) -> tuple[Array, Array]:
    """A score over seeds on the study's own division (SEEDS,), and on those of other split seeds (others,
    SEEDS)."""
    parts = whole.problem.parts
    own = whole.networks([Exam(parts.train, parts.test.open(lambda _: whole.opening))])
    return own.scores(score)[0], whole.redivided.scores(score)


SOURCE = (
    "Results on the Wisconsin table as others printed them, each on its own protocol; then the ways in which"
    " the chapter may have divided it."
)
RULE = (
    "A part holds when its band lies wholly in the region named beforehand, does not hold when it lies wholly"
    " outside, and cannot be told when it crosses the border or networks diverged. Each of the two is wrong"
    " at most once in twenty; a claim of several parts shares that among them, holds when all parts do and"
    ' fails when one does. Brackets in a sentence hold bands of 90 %. Power is the chance of "holds" at the'
    " truth named beforehand."
)


def summary(found: Sequence[Claim], whole: Whole) -> dict[str, Any]:
    """All there is to be said, as plain values."""
    counts = {verdict: sum(one.verdict == verdict for one in found) for verdict in (HOLDS, FAILS, OPEN)}
    told = (
        f"Of {len(found)} results and claims {counts[HOLDS]} hold, {counts[FAILS]} do not, and of"
        f" {counts[OPEN]} it cannot be told."
    )
    where = (
        f"Tried on all {len(whole.data.y)} rows of the table, after the opening of the default study's test:"
        f" {whole.count} divisions of each protocol, {whole.repeats} times {FOLDS} folds,"
        f" {len(whole.split_seeds)} other split seeds, {SEEDS} networks on each. The ledger counts it as a"
        " rehearsal: every row has been read."
    )
    return {
        "title": "Published results and ways to divide, tried",
        "source": SOURCE,
        "summary": told,
        "where": where,
        "rule": RULE,
        "divisions": whole.count,
        "claims": facts(found),
    }
