"""Published results and protocols, tried on all rows of the table: what `make published` does.

Not part of `make claims`, whose promise is that it reads no sealed row. Here every row is divided anew, so
the test of the default study has to be open, and the ledger is told before anything is divided: from then on
all rows have been read."""

from collections.abc import Callable
from functools import cache

import numpy as np
from sklearn.svm import SVC

from experiments.claims.claim import Claim
from experiments.claims.division import SEEDS, Division
from experiments.claims.inquiry import Inquiry
from experiments.published import divisions, readings, results
from experiments.published.rows import (
    FOLDS,
    PROTOCOLS,
    AllRows,
    LeastSlack,
    Outputs,
    Protocol,
    divide,
    fit_each,
    regression,
)
from handnet.data import Array
from handnet.messages import Refusal, command, option
from handnet.study.folder import locked
from handnet.study.sealed import Ledger, Opening
from handnet.study.units import Problem

NAME = "published"  # in the ledger
THREE = ("worst area", "worst smoothness", "mean texture")  # features of the plane in wdbc.names


def opened(ledger: Ledger, problem: Problem) -> Opening:
    """The opening of the study's test rows, after the ledger was told that all rows are divided anew. Raises
    Refusal while the test is sealed, and (75) while a study is writing."""
    opening = ledger.of_test(problem.parts.test.digest)
    if opening is None:
        raise Refusal(
            "these protocols divide all rows anew, and the test rows of the default study are still sealed"
            f" in {ledger.path.parent}: {command('study')} opens them; or {option('mlruns', '')} names the"
            " folder where it did."
        )
    with locked(ledger.path.parent):
        ledger.redrawn(opening, NAME)
    return opening


def trials(rows: AllRows) -> list[Callable[[], Claim]]:
    """Every published result, and every claim about the division, as a function that tries it, in the order
    of the page."""
    cases, exam = len(rows.data.y), readings.smallest_exam(97.5, 100.0, 98.73)
    held = exam.positives + exam.negatives
    parts = rows.problem.parts
    ratio = len(parts.test_rows) / (len(parts.train_rows) + len(parts.val_rows))
    protocols = cache(lambda: _protocols(rows))
    return [
        lambda: results.folds_of_the_authors(*_ten_by_ten(rows)),
        lambda: results.plane(*_planes(rows)),
        results.new_patients,
        lambda: results.separable(_fitted_to_all(rows), cases, fit_each(rows.ten_by_ten, LeastSlack)),
        lambda: results.one_pooled(*rows.on_folds, results.WEKA, cases),
        lambda: results.radial(fit_each(rows.ten_by_ten, SVC)),
        lambda: readings.read_in_slices(
            readings.AGARAP, *rows.network_and_regression(rows.holdouts(0.3, leaky=True))
        ),
        lambda: results.one_small_exam(
            exam, *rows.network_and_regression(rows.holdouts(held)), held / (cases - held)
        ),
        lambda: results.no_better_than_a_line(*_ten_by_ten(rows)),
        lambda: divisions.protocols_agree(*protocols(), 0.0),
        lambda: divisions.protocols_agree(*protocols(), ratio),
        lambda: divisions.lucky("accuracy", *_on_split_seeds(rows, "accuracy"), 1),
        lambda: divisions.lucky("log loss", *_on_split_seeds(rows, "log_loss"), -1),
    ]


def _ten_by_ten(rows: AllRows) -> tuple[Outputs, Outputs]:
    """Networks and logistic regression on the 10 x 10 folds."""
    network, linear = rows.on_folds
    return network.first(len(rows.ten_by_ten)), linear.first(len(rows.ten_by_ten))


def _planes(rows: AllRows) -> tuple[Outputs, Outputs]:
    """The authors' linear program and logistic regression in their three features, on the 10 x 10 folds."""
    columns = [rows.data.feature_names.index(name) for name in THREE]
    least_slack, linear = (fit_each(rows.ten_by_ten, make, columns) for make in (LeastSlack, regression))
    return least_slack, linear


def _fitted_to_all(rows: AllRows) -> int:
    """How many rows a plane fitted to all of them calls right."""
    every = np.arange(len(rows.data.y))
    division = divide(rows.data.X, rows.data.y, every, every)
    return int(fit_each([division], LeastSlack).correct()[0].sum())


def _protocols(rows: AllRows) -> tuple[dict[Protocol, Array], dict[Protocol, Array], str]:
    """Of each protocol the accuracies (count, SEEDS), and how many malignant cases are in train and test
    (count, 2); and the sizes of the parts, in words."""
    accuracy, positives, sizes = {}, {}, set()
    for protocol in PROTOCOLS:
        drawn = rows.like_the_study(rows.split_seeds[: rows.count], *protocol)
        stored = protocol == PROTOCOLS[0]
        outputs = rows.on_split_seeds.first(rows.count) if stored else rows.networks(drawn)
        accuracy[protocol] = outputs.scores("accuracy")
        positives[protocol] = np.array([[part.train.y.sum(), part.held.y.sum()] for part in drawn])
        for train, held in ((len(part.train.y), len(part.held.y)) for part in drawn):
            sizes.add((train, len(rows.data.y) - train - held, held))
    return accuracy, positives, " and ".join(" / ".join(map(str, size)) for size in sorted(sizes))


def _on_split_seeds(rows: AllRows, score: str) -> tuple[Array, Array]:
    """A score over seeds on the study's own division (SEEDS,), and on those of other split seeds (seeds,
    SEEDS)."""
    parts = rows.problem.parts
    own = rows.networks([Division(parts.train, parts.test.open(lambda _: rows.opening))])
    return own.scores(score)[0], rows.on_split_seeds.scores(score)


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


def inquiry(rows: AllRows) -> Inquiry:
    """All published results and claims about the division, and what their page says of them."""
    where = (
        f"Tried on all {len(rows.data.y)} rows of the table, after the opening of the default study's test:"
        f" {rows.count} divisions of each protocol, {rows.repeats} times {FOLDS} folds,"
        f" {len(rows.split_seeds)} other split seeds, {SEEDS} networks on each. The ledger counts it as a"
        " rehearsal: every row has been read."
    )
    title = "Published results and ways to divide, tried"
    return Inquiry(NAME, title, "results and claims", SOURCE, where, RULE, rows.count, trials(rows))
