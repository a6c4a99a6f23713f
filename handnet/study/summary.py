"""The scores of one configuration on one part of the table, each with all of its bands.

A new band of a score is attached here. The report lists whatever `quantities` returns and MLflow gets it as
metrics, so a new quantity needs no other line but its row in a table of the report.
"""

import numpy as np

from handnet.data import Array
from handnet.study.gaps import gap_quantities
from handnet.study.intervals import interval_quantities
from handnet.study.networks import Replicas, mask_diverged
from handnet.study.quantity import Quantity
from handnet.study.score_bands import baseline_quantities, detailed_quantities, score_quantities
from handnet.study.units import Confirmed, Problem
from handnet.tasks import Task


def quantities(configuration: Confirmed, problem: Problem, y_test: Array | None) -> list[Quantity]:
    """Every score of a configuration with its bands, on val and, once opened, on test; then the gaps.

    The last of these parts gets all that can be said, the earlier one the scores alone. y_test: (n_test,).
    """
    y_val = problem.parts.val.y
    labels = (
        {"val": y_val}
        if y_test is None or configuration.test_logits is None
        else {"val": y_val, "test": y_test}
    )
    rows: list[Quantity] = []
    for part, y in labels.items():
        groups, last = problem.parts.groups(part), part == list(labels)[-1]
        logits = configuration.logits(part)
        assert logits is not None
        if configuration.alone and np.isfinite(logits).all():
            rows += baseline_quantities(problem.task, logits, y, part, groups, last=last)
            continue
        rows += (detailed_quantities if last else score_quantities)(problem.task, logits, y, part, groups)
    val, test = (configuration.logits(part) for part in ("val", "test"))
    if not problem.task.classes and "test" in labels and val is not None and test is not None:
        groups, seeded = problem.parts.groups("test"), not configuration.alone
        rows += interval_quantities(val, test, y_val, labels["test"], groups, seeded)
    if configuration.replicas is None:
        return rows
    logits = configuration.logits("test") if "test" in labels else None
    loss = None
    if logits is not None:
        loss = problem.history_loss(problem.task.mean_loss(logits, labels["test"]))
    return rows + gap_quantities(configuration.replicas, loss)


def objective(task: Task, replicas: Replicas, y_val: Array) -> float:
    """What the search minimises: the mean validation loss over seeds; infinite when any seed diverged."""
    if not replicas.sound.all():
        return float("inf")
    return float(task.mean_loss(replicas.val_logits, y_val).mean())


def middle_seed(task: Task, replicas: Replicas, y_val: Array) -> int:
    """The place of the replica with the median validation loss: the network that the Keras file holds."""
    loss = task.mean_loss(mask_diverged(replicas, replicas.val_logits), y_val)
    return int(np.argsort(loss)[replicas.sound.sum() // 2])
