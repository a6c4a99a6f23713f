"""Claims about published results on the Wisconsin table: what each protocol gives here, and what can be
believed of the figure.

Figures of others are quoted as they printed them; what is deduced from them is computed here; the rest is
measured."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from experiments.claims.claim import (
    LEVEL,
    Claim,
    Design,
    Part,
    Region,
    deviation_within,
    exactly,
    mean_band,
    mean_within,
    said,
    share_within,
)
from experiments.claims.losses import over_seeds
from experiments.claims.whole import FOLDS, Answers
from handnet.bands import Band, split_bands, wilson
from handnet.bands.compare import nadeau_bengio
from handnet.data import Array

FOLDED = 1 / (FOLDS - 1)  # n_test / n_train of a cross-validation
ALIKE = 0.02  # two points: a narrower margin no band of folds of 569 cases can fit into
SPREAD = 0.02  # of accuracy between folds, in 20 pilot divisions rounded up


def about(figure: float, margin: float = ALIKE) -> Region:
    """Within a margin of a published figure; nothing is above 1."""
    low, high = round(figure - margin, 4), round(figure + margin, 4)
    return Region(low, high) if high < 1 else Region(low)


def count_of(percent: float, cases: int, digits: int = 2) -> int | None:
    """The only count of cases that prints as this percentage; None when there is none."""
    found = round(percent / 100 * cases)
    return found if round(100 * found / cases, digits) == percent else None


def folds_of_the_authors(network: Answers, linear: Answers) -> Claim:
    """97.5 % by repeated cross-validation."""
    values = {"the chapter's network": network, "logistic regression": linear}
    parts = tuple(
        mean_within(
            f"accuracy of {name}",
            over_seeds(one.scores("accuracy")),
            about(0.975),
            Design(0.975, SPREAD, 2),
            FOLDED,
        )
        for name, one in values.items()
    )
    return Claim(
        "97.5 %, the authors of the data, 1995",
        "Estimated accuracy 97.5% using repeated 10-fold crossvalidations. (wdbc.names)",
        f"10 x 10 stratified folds, scaled by their train rows; of the network {network.logits[0].shape[0]}"
        " seeds a fold, each graded alone. The protocol gives that figure if methods of today come within"
        " two points of it.",
        parts,
        "Every case is tested, many times over: of all the figures here the one to measure by. It is theirs"
        " for a plane whose three features they chose on all rows.",
        (("network less logistic regression", _difference(network, linear)),),
    )


def plane(authors: Answers, linear: Answers) -> Claim:
    """The plane on three features, by the authors' linear program and by logistic regression."""
    return Claim(
        "97.5 % by one plane in three features",
        "one separating plane in the 3-D space of Worst Area, Worst Smoothness and Mean Texture (wdbc.names)",
        "Their linear program (the plane of least mean slack) on these three features, 10 x 10 folds: within"
        " two points of 97.5 %?",
        (
            mean_within(
                "accuracy of that plane",
                over_seeds(authors.scores("accuracy")),
                about(0.975),
                Design(0.975, 0.025),
                FOLDED,
            ),
        ),
        "The authors searched the sets of up to four features on all rows, the held-out ones of every fold"
        " included; so theirs flatters, and so does ours.",
        (("logistic regression in the three", _folds(linear)),),
    )


def new_patients(right: int = 176, cases: int = 176) -> Claim:
    """176 of 176."""
    low = 0.965
    band = wilson(right, cases, 1 - 2 * LEVEL)
    power = share_within("", np.zeros(cases), Region(low=low), Design(0.975), "cases").power
    part = Part("share of other new patients told right", Region(low=low), band, 0.975, power)
    return Claim(
        f"{right} of {cases} new patients",
        "Classifier has correctly diagnosed 176 consecutive new patients as of November 1995. (wdbc.names)",
        "Patients who came after the classifier was made: nothing could be chosen on them. Wilson; as good as"
        " the 97.5 % of the folds, up to a point.",
        (part,),
        f"As strong as a figure of so many patients can be: at least {wilson(right, cases).low:.3f} (95 %,"
        " two-sided). Later errors are not on record.",
        (("Wilson, 95 %", wilson(right, cases)),),
    )


def separable(fitted: int, cases: int, held_out: Answers) -> Claim:
    """All 30 features separate the table. fitted: cases that the plane of least slack, fitted to all, calls
    right."""
    return Claim(
        "Linearly separable by all 30 features",
        "sets are linearly separable using all 30 input features (wdbc.names)",
        "The plane of least mean slack, which separates whenever a plane can, fitted to all rows and asked"
        " about them.",
        (exactly("rows called right by a plane fitted to them", fitted, Region(cases, cases)),),
        "What a method says of rows it was fitted to says nothing of new patients: beside it, the same plane"
        " on held-out rows.",
        (("accuracy of such a plane on held-out rows", _folds(held_out)),),
    )


WEKA = {
    "naive Bayes": 92.97,
    "perceptron": 96.66,
    "support vectors": 97.72,
    "nearest neighbours": 95.96,
    "tree J48": 93.15,
}
HALF = Region(high=0.005)  # of a point


def one_pooled(network: Answers, linear: Answers, figures: Mapping[str, float], cases: int) -> Claim:
    """Figures of one cross-validation, pooled. figures: method -> per cent."""
    counts = {name: count_of(one, cases) for name, one in figures.items()}
    pooled, whole = network.pooled()[:, 0], sum(one is not None for one in counts.values())
    lower = (pooled < figures["perceptron"] / 100).mean()
    return Claim(
        "92.97 to 97.72 %, five methods in WEKA, 2012",
        "MLP had 96.6608%, SVM had 97.71533% (Salama et al. 2012, as quoted by Agarap 2018, with three"
        " others)",
        f"If each figure is a count of {cases}, it is one cross-validation with its folds pooled. As many"
        f" figures are points of a band: ours {len(pooled)} times, each with other folds and another network."
        " To be believed to a point and not to its digits, that band has a deviation of half a point at"
        " most.",
        (
            exactly(f"figures that are a count of {cases}", whole, Region(len(figures), len(figures))),
            deviation_within(
                "deviation of the chapter's network, pooled, another 10-fold and seed",
                pooled,
                HALF,
                Design(0.0035, parts=1),
            ),
        ),
        f"The counts are {', '.join(f'{name} {count}' for name, count in counts.items())}. {lower:.0%} of our"
        " cross-validations gave less than WEKA's perceptron, which is another network than the chapter's.",
        (
            ("the chapter's network, another 10-fold and seed", split_bands(pooled).quantiles),
            ("logistic regression, another 10-fold", split_bands(linear.pooled()[:, 0]).quantiles),
        ),
    )


def radial(machine: Answers, figure: float = 0.8928) -> Claim:
    """Support vectors with a Gaussian kernel."""
    accuracy = over_seeds(machine.scores("accuracy"))
    return Claim(
        "89.28 %, support vectors with a Gaussian kernel, 2006",
        "its highest test accuracy of 89.28% with its free parameter sigma = 0.6 "
        "(Zafiropoulos et al. 2006, as quoted by Agarap 2018)",
        "scikit-learn's SVC as it is shipped, 10 x 10 folds. The figure is that of the method if this comes"
        " within two points of it.",
        (mean_within("accuracy of SVC", accuracy, about(figure), Design(figure, SPREAD), FOLDED),),
        f"The method gives {said(accuracy, FOLDED)} without tuning: the figure tells of a setting (one fixed"
        " width; how the columns were scaled is not said).",
    )


class Reread(NamedTuple):
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
        found = np.zeros(self.cases, dtype=np.int64)
        for step in range(self.epochs * self.cases // self.batch):
            offset = step * self.batch % self.cases
            found[offset : offset + self.batch] += 1
        return found

    def errors(self) -> tuple[int, int]:
        """Wrong readings of each class: what the rates and the accuracy leave, both together and all readings
        being known."""
        read = int(self.visits().sum())
        wrong = read - round(self.accuracy * read)
        one, other = self.rates
        of_one = round((wrong - other * read) / (one - other))
        return round(one * of_one), wrong - round(one * of_one)

    def least_wrong(self) -> int:
        """The least number of different cases whose visits make up the errors of both classes."""
        return sum(fewest(one, self.visits()) for one in self.errors())


AGARAP = Reread(0.99038449585420729, (0.01267042, 0.00786157), 512_896, 171, 128, 3000)


def fewest(total: int, counts: Array) -> int:
    """The least number of counts, each used once at most, that sum to the total. Raises ValueError when none
    do."""
    reach, mask = (
        [1] + [0] * len(counts),
        (2 << total) - 1,
    )  # the sums up to the total that so many counts can make, as bits
    for count in counts.tolist():
        for several in range(len(counts), 0, -1):
            reach[several] |= reach[several - 1] << count & mask
    least = next((several for several, sums in enumerate(reach) if sums >> total & 1), None)
    if least is None:
        raise ValueError(f"no {len(counts)} counts or fewer sum to {total}.")
    return least


def read_in_slices(result: Reread, network: Answers, linear: Answers) -> Claim:
    """99.04 % of readings, not of patients."""
    visits, wrong = result.visits(), result.least_wrong()
    right = round(result.accuracy * visits.sum())
    best = (result.cases - wrong) / result.cases
    once, again = (
        np.array([weight @ one[0] / weight.sum() for one in network.right()])
        for weight in (np.ones(result.cases), visits)
    )
    bands = [
        ("one network, each patient read once", once),
        ("the same, read by that loop", again),
        ("by that loop less once", again - once),
        ("logistic regression, once", np.array([one[0].mean() for one in linear.right()])),
        (
            "logistic regression, by that loop",
            np.array([visits @ one[0] / visits.sum() for one in linear.right()]),
        ),
    ]
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
                best,
                Region(low=round(result.accuracy, 4) - 5e-5),
            ),
        ),
        f"The figure is {right:,} of {visits.sum():,} readings. Its"
        f" {' + '.join(f'{one:,}' for one in result.errors())} errors are those of {wrong} patients at least,"
        f" so at most {result.cases - wrong} of {result.cases} were called right."
        f" {np.mean(again >= result.accuracy):.0%} of our networks reach the figure by that loop,"
        f" {np.mean(once >= result.accuracy):.0%} by reading once.",
        (
            *((name, split_bands(values).quantiles) for name, values in bands),
            (
                f"{result.cases - wrong} of {result.cases}, other patients",
                wilson(result.cases - wrong, result.cases),
            ),
        ),
    )


def smallest_exam(sensitivity: float, specificity: float, accuracy: float) -> tuple[int, int, int, int]:
    """Positives found, positives, negatives cleared, negatives of the smallest exam that prints these three
    percentages, to two digits. Raises ValueError when none of up to 400 cases does."""
    for cases in range(2, 401):
        for positives in range(1, cases):
            found, cleared = count_of(sensitivity, positives), count_of(specificity, cases - positives)
            if (
                found is not None
                and cleared is not None
                and round(100 * (found + cleared) / cases, 2) == accuracy
            ):
                return found, positives, cleared, cases - positives
    raise ValueError(f"no exam of up to 400 cases gives {sensitivity} %, {specificity} % and {accuracy} %.")


def one_small_exam(exam: tuple[int, int, int, int], network: Answers, linear: Answers, ratio: float) -> Claim:
    """98.73 % of 79. exam: as `smallest_exam` gives it; ratio: n_test / n_train."""
    found, positives, cleared, negatives = exam
    right, cases = found + cleared, positives + negatives
    single, accuracy = network.scores("accuracy")[:, 0], over_seeds(network.scores("accuracy"))
    theirs = wilson(right, cases)
    return Claim(
        "98.73 %, a network on one division, 2010",
        "sensitivity 97.5%, specificity 100% and accuracy 98.73% (Al-Naima and Al-Timemy 2010)",
        f"The smallest exam that prints these three has {cases} cases: {found} of {positives} and {cleared}"
        f" of {negatives}. Divisions with as many held out: the figure is that of a network if ours come"
        " within two points of it in the mean.",
        (
            mean_within(
                f"mean accuracy of networks, {cases} held out",
                accuracy,
                about(right / cases),
                Design(right / cases, 0.015),
                ratio,
            ),
        ),
        f"One division of {cases}: other patients would give that network {theirs.low:.3f} to"
        f" {theirs.high:.3f} (Wilson, 95 %). Of our networks, one a division,"
        f" {np.mean(single >= right / cases):.0%} do as well or better: who divides again can have it.",
        (
            ("one network of ours, another division", split_bands(single).quantiles),
            ("logistic regression, another division", split_bands(linear.scores("accuracy")[:, 0]).quantiles),
            (f"{right} of {cases}, other patients", theirs),
        ),
    )


def no_better_than_a_line(network: Answers, linear: Answers) -> Claim:
    """Deep methods hardly beat logistic regression on small tables."""
    difference = over_seeds(network.scores("accuracy") - linear.scores("accuracy"))
    return Claim(
        "Networks do not beat logistic regression by much",
        "AutoML and deep methods often fail to appreciably outperform even a simple logistic regression on"
        " tables of up to 500 rows (PMLBmini 2024, in substance)",
        "This table alone, 10 x 10 folds, paired. By much is by more than a point.",
        (
            mean_within(
                "accuracy, network less logistic regression",
                difference,
                Region(high=0.01),
                Design(0.0, 0.015),
                FOLDED,
            ),
        ),
        f"The difference is {said(difference, FOLDED)}.",
    )


def _difference(network: Answers, linear: Answers) -> Band:
    return mean_band(over_seeds(network.scores("accuracy") - linear.scores("accuracy")), ratio=FOLDED)


def _folds(answers: Answers) -> Band:
    return nadeau_bengio(over_seeds(answers.scores("accuracy")), FOLDED).band
