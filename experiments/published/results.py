"""Claims about published results on the Wisconsin table: what each protocol gives here, and what can be
believed of the figure.

Figures of others are quoted as they printed them; what is deduced from them is computed here; the rest is
measured."""

from collections.abc import Mapping

import numpy as np

from experiments.claims.bands import (
    Design,
    deviation_within,
    exactly,
    mean_band,
    mean_text,
    mean_within,
    seed_means,
    share_within,
)
from experiments.claims.claim import LEVEL, Claim, Part, Region
from experiments.published.readings import Exam, case_count
from experiments.published.rows import FOLDS, Outputs
from handnet.bands import Band, split_bands, wilson
from handnet.bands.compare import nadeau_bengio

FOLDED = 1 / (FOLDS - 1)  # n_test / (n - n_test) of a cross-validation
ALIKE = 0.02  # two points: a narrower margin no band of folds of 569 cases can fit into
SPREAD = 0.02  # of accuracy between folds, in 20 pilot divisions rounded up


def near(figure: float, margin: float = ALIKE) -> Region:
    """The region within a margin of a published share; a share above 1 is left out."""
    low, high = round(figure - margin, 4), round(figure + margin, 4)
    return Region(low, high) if high < 1 else Region(low)


def folds_of_the_authors(network: Outputs, linear: Outputs) -> Claim:
    """97.5 % by repeated cross-validation, by the authors of the data."""
    methods = {"the chapter's network": network, "logistic regression": linear}
    parts = tuple(
        mean_within(
            f"accuracy of {name}",
            seed_means(outputs.scores("accuracy")),
            near(0.975),
            Design(0.975, SPREAD, 2),
            FOLDED,
        )
        for name, outputs in methods.items()
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


def plane(authors: Outputs, linear: Outputs) -> Claim:
    """The plane on three features, by the authors' linear program and by logistic regression."""
    return Claim(
        "97.5 % by one plane in three features",
        "one separating plane in the 3-D space of Worst Area, Worst Smoothness and Mean Texture (wdbc.names)",
        "Their linear program (the plane of least mean slack) on these three features, 10 x 10 folds: within"
        " two points of 97.5 %?",
        (
            mean_within(
                "accuracy of that plane",
                seed_means(authors.scores("accuracy")),
                near(0.975),
                Design(0.975, 0.025),
                FOLDED,
            ),
        ),
        "The authors searched the sets of up to four features on all rows, the held-out ones of every fold"
        " included; so theirs flatters, and so does ours.",
        (("logistic regression in the three", _folds(linear)),),
    )


def new_patients(right: int = 176, cases: int = 176) -> Claim:
    """176 of 176 new patients were called right."""
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


def separable(fitted: int, cases: int, held_out: Outputs) -> Claim:
    """All 30 features separate the table.

    fitted: how many cases the plane of least slack calls right when it is fitted to all cases.
    """
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


def one_pooled(network: Outputs, linear: Outputs, figures: Mapping[str, float], cases: int) -> Claim:
    """Figures of one cross-validation, pooled. figures: method -> per cent."""
    counts = {name: case_count(figure, cases) for name, figure in figures.items()}
    pooled, exact = network.pooled()[:, 0], sum(count is not None for count in counts.values())
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
            exactly(f"figures that are a count of {cases}", exact, Region(len(figures), len(figures))),
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


def radial(machine: Outputs, figure: float = 0.8928) -> Claim:
    """89.28 % is what support vectors with a Gaussian kernel reach."""
    accuracy = seed_means(machine.scores("accuracy"))
    return Claim(
        "89.28 %, support vectors with a Gaussian kernel, 2006",
        "its highest test accuracy of 89.28% with its free parameter sigma = 0.6 "
        "(Zafiropoulos et al. 2006, as quoted by Agarap 2018)",
        "scikit-learn's SVC as it is shipped, 10 x 10 folds. The figure is that of the method if this comes"
        " within two points of it.",
        (mean_within("accuracy of SVC", accuracy, near(figure), Design(figure, SPREAD), FOLDED),),
        f"The method gives {mean_text(accuracy, FOLDED)} without tuning: the figure tells of a"
        " setting (one fixed width; how the columns were scaled is not said).",
    )


def one_small_exam(exam: Exam, network: Outputs, linear: Outputs, ratio: float) -> Claim:
    """98.73 % of 79 cases. ratio: n_test / (n - n_test) of our divisions."""
    right, cases = exam.detected + exam.cleared, exam.positives + exam.negatives
    single, accuracy = network.scores("accuracy")[:, 0], seed_means(network.scores("accuracy"))
    theirs = wilson(right, cases)
    return Claim(
        "98.73 %, a network on one division, 2010",
        "sensitivity 97.5%, specificity 100% and accuracy 98.73% (Al-Naima and Al-Timemy 2010)",
        f"The smallest exam that prints these three has {cases} cases: {exam.detected} of {exam.positives}"
        f" and {exam.cleared} of {exam.negatives}. Divisions with as many held out: the figure is that of"
        " a network if ours come within two points of it in the mean.",
        (
            mean_within(
                f"mean accuracy of networks, {cases} held out",
                accuracy,
                near(right / cases),
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


def no_better_than_a_line(network: Outputs, linear: Outputs) -> Claim:
    """Deep methods hardly beat logistic regression on small tables."""
    difference = seed_means(network.scores("accuracy") - linear.scores("accuracy"))
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
        f"The difference is {mean_text(difference, FOLDED)}.",
    )


def _difference(network: Outputs, linear: Outputs) -> Band:
    return mean_band(seed_means(network.scores("accuracy") - linear.scores("accuracy")), ratio=FOLDED)


def _folds(outputs: Outputs) -> Band:
    return nadeau_bengio(seed_means(outputs.scores("accuracy")), FOLDED).band
