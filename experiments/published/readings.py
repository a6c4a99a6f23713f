"""The arithmetic behind printed figures, and the one that counts readings instead of patients."""

from typing import NamedTuple

import numpy as np

from experiments.claims.bands import exactly
from experiments.claims.claim import Claim, Region
from experiments.published.rows import Outputs
from handnet.bands import Band, split_bands, wilson
from handnet.data import Array


def case_count(percent: float, cases: int, digits: int = 2) -> int | None:
    """The only count of cases that prints as this percentage; None when there is none."""
    count = round(percent / 100 * cases)
    return count if round(100 * count / cases, digits) == percent else None


class Exam(NamedTuple):
    """The counts behind a sensitivity and a specificity."""

    detected: int  # of the positives
    positives: int
    cleared: int  # of the negatives
    negatives: int


def smallest_exam(sensitivity: float, specificity: float, accuracy: float) -> Exam:
    """The smallest exam that prints these three percentages, to two digits. Raises ValueError when none of up
    to 400 cases does."""
    for cases in range(2, 401):
        for positives in range(1, cases):
            detected, cleared = case_count(sensitivity, positives), case_count(specificity, cases - positives)
            if detected is None or cleared is None:
                continue
            if round(100 * (detected + cleared) / cases, 2) == accuracy:
                return Exam(detected, positives, cleared, cases - positives)
    raise ValueError(f"no exam of up to 400 cases gives {sensitivity} %, {specificity} % and {accuracy} %.")


class SlicedReadings(NamedTuple):
    """A printed result whose test rows were read again and again, in slices cut short at the end of the
    table."""

    accuracy: float
    rates: tuple[float, float]  # of error, by class
    readings: int  # as printed
    cases: int
    batch: int
    epochs: int

    def visits(self) -> Array:
        """(cases,): how often the loop `for step in range(epochs * cases // batch)` reads each row."""
        counts = np.zeros(self.cases, dtype=np.int64)
        for step in range(self.epochs * self.cases // self.batch):
            offset = step * self.batch % self.cases
            counts[offset : offset + self.batch] += 1
        return counts

    def errors(self) -> tuple[int, int]:
        """Wrong readings of each class, determined by the rates, the accuracy and the number of readings."""
        read = int(self.visits().sum())
        wrong = read - round(self.accuracy * read)
        first, second = self.rates
        of_first = round((wrong - second * read) / (first - second))
        return round(first * of_first), wrong - round(first * of_first)

    def least_wrong(self) -> int:
        """The least number of different cases whose visits add up to the errors of both classes."""
        return sum(fewest(errors, self.visits()) for errors in self.errors())


AGARAP = SlicedReadings(0.99038449585420729, (0.01267042, 0.00786157), 512_896, 171, 128, 3000)


def fewest(total: int, counts: Array) -> int:
    """The least number of counts (n,), each used once at most, that sum to the total. Raises ValueError when
    none do."""
    # Bit s of reach[k] is set when k of the counts sum to s.
    reach, mask = [1] + [0] * len(counts), (2 << total) - 1
    for count in counts.tolist():
        for several in range(len(counts), 0, -1):
            reach[several] |= reach[several - 1] << count & mask
    least = next((several for several, sums in enumerate(reach) if sums >> total & 1), None)
    if least is None:
        raise ValueError(f"no {len(counts)} counts or fewer sum to {total}.")
    return least


def read_in_slices(result: SlicedReadings, network: Outputs, linear: Outputs) -> Claim:
    """99.04 % is a share of readings, not of patients."""
    visits, wrong = result.visits(), result.least_wrong()
    right = round(result.accuracy * visits.sum())
    best = result.cases - wrong
    once, again = (weighted_accuracy(network, weights) for weights in (np.ones(result.cases), visits))
    return Claim(
        f"{100 * result.accuracy:.2f} %, a 500-500-500 perceptron, 2018",
        "The MLP algorithm stands out among the implemented algorithms with a test accuracy of "
        "~99.04% (Agarap 2018)",
        f"One 70/30 division without a seed, scaled before it. The code reads the {result.cases} test rows in"
        f" {result.epochs * result.cases // result.batch:,} slices of up to {result.batch}:"
        f" {result.readings:,} readings as printed, {visits.sum():,} in truth, each patient {visits.min()} to"
        f" {visits.max():,} times. What one reading of each can have given at best follows from the printed"
        " rates. Ours: the chapter's network, not 500-500-500, scaled before the division as theirs.",
        (
            exactly(
                f"share of the {result.cases} patients called right, at most",
                best / result.cases,
                Region(low=round(result.accuracy, 4) - 5e-5),
            ),
        ),
        f"The figure is {right:,} of {visits.sum():,} readings. Its"
        f" {' + '.join(f'{errors:,}' for errors in result.errors())} errors are those of {wrong} patients at"
        f" least, so at most {best} of {result.cases} were called right."
        f" {np.mean(again >= result.accuracy):.0%} of our networks reach the figure by that loop,"
        f" {np.mean(once >= result.accuracy):.0%} by reading once.",
        (
            *_reading_bands(once, again, linear, visits),
            (f"{best} of {result.cases}, other patients", wilson(best, result.cases)),
        ),
    )


def weighted_accuracy(outputs: Outputs, weights: Array) -> Array:
    """(K,): the accuracy of the first network of each division, cases weighted by weights (n,)."""
    return np.array([weights @ correct[0] / weights.sum() for correct in outputs.correct()])


def _reading_bands(once: Array, again: Array, linear: Outputs, visits: Array) -> tuple[tuple[str, Band], ...]:
    """Quantile bands of accuracies (K,), each patient read once and read by the loop."""
    values = {
        "one network, each patient read once": once,
        "the same, read by that loop": again,
        "by that loop less once": again - once,
        "logistic regression, once": np.array([correct[0].mean() for correct in linear.correct()]),
        "logistic regression, by that loop": weighted_accuracy(linear, visits),
    }
    return tuple((name, split_bands(accuracy).quantiles) for name, accuracy in values.items())
