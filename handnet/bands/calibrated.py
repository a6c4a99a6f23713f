"""Do outputs mean what they say? The measures of calibration of every task, by name.

Of two classes calibration.py has them, of many calibration_many.py, of a number calibration_number.py.
"""

from handnet.bands import calibration, calibration_many, calibration_number
from handnet.bands.band import Band
from handnet.data import Array
from handnet.tasks import Task

MOST = 20  # replicas of many classes whose errors are simulated: more have much the same


def measures(task: Task, outputs: Array, y: Array) -> dict[str, Array]:
    """The measures (R,) of each replica. outputs: (R, n) or (R, n, k), finite; y: (n,)."""
    if task.classes == 2:
        return calibration.calibration(outputs, y)._asdict()
    return (calibration_many if task.classes else calibration_number).calibration(outputs, y)


def measure_bands(
    task: Task, outputs: Array, y: Array, groups: Array | None = None, coverage: float = 0.95
) -> dict[str, Band]:
    """The bands over cases of those measures of the ensemble for which there is a formula.

    outputs: (R, n) or (R, n, k), finite; y: (n,); groups: (n,) int, None where every case is its own.
    """
    if task.classes == 2:
        bands = calibration.calibration_bands(outputs, y, groups, coverage)._asdict()
        return {name: band for name, band in bands.items() if band}
    of_task = calibration_many if task.classes else calibration_number
    return of_task.calibration_bands(outputs, y, groups, coverage)


def null_errors(task: Task, outputs: Array, draws: Array) -> dict[str, Array]:
    """The calibration errors (R, B) that calibrated networks with the same probabilities have on as many
    cases; empty for a number. outputs: (R, n) or (R, n, k), of many classes the first are taken; draws:
    (B, n) uniform in [0, 1)."""
    if task.classes > 2:
        return calibration_many.null_errors(outputs[:MOST], draws)
    return {"error": calibration.null_errors(outputs, draws)} if task.classes else {}
