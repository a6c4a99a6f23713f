"""What the figures are drawn from, as plain JSON values: curves, seeds, reliability, guesses, the surface."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.special import expit, softmax
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel

from handnet.bands import wilson
from handnet.bands.calibration import ensemble
from handnet.bands.calibration_curve import calibration_curve
from handnet.bands.seeds import HIGH, LOW
from handnet.data import Array
from handnet.study.analysis import TrialResult
from handnet.study.gaps import curve_band, curves
from handnet.study.quantity import finite
from handnet.study.sections import Range
from handnet.study.settings import Settings
from handnet.study.summary import objective
from handnet.study.units import Confirmed, Problem
from handnet.tasks import Task

BINS = 5  # of the reliability curve, each with as many cases
GRID = 24  # points of the surface along each axis
ENOUGH_TRIALS = 8  # for a surface


def curve_series(confirmed: Sequence[Confirmed]) -> dict[str, dict[str, dict[str, list[float]]]]:
    """role -> curve -> mean, low, high over seeds, (epochs,) each."""
    return {
        configuration.role: {
            name: {end: line.tolist() for end, line in curve_band(values).items()}
            for name, values in curves(configuration.replicas).items()
        }
        for configuration in confirmed
        if configuration.replicas is not None and configuration.has_seed_bands
    }


def seed_series(
    task: Task, confirmed: Sequence[Confirmed], y_val: Array, y_test: Array | None
) -> dict[str, dict[str, list[float | None]]]:
    """role -> score of `Task.varied` -> (R,) its value for each seed on the last graded part; None where it
    diverged.

    y_val: (n_val,); y_test: (n_test,), None while the test is sealed.
    """
    part, y = ("val", y_val) if y_test is None else ("test", y_test)
    series = {}
    for configuration in confirmed:
        logits = configuration.logits(part)
        if configuration.replicas is not None and logits is not None:
            scores = task.grade(logits, y)
            series[configuration.role] = {
                name: [float(value) if np.isfinite(value) else None for value in scores[name]]
                for name in task.varied
            }
    return series


def reliability(
    task: Task, winner: Confirmed, y_val: Array, y_test: Array | None
) -> list[dict[str, float]] | None:
    """The probabilities of the winner's ensemble against shares of cases, in bins of as many cases.

    Of two classes the probability of class 1 against the share of that class; of many the probability of the
    class that is called against the share of right calls. None of a number, and with fewer than two finite
    replicas. y_val: (n_val,); y_test: (n_test,), None while sealed.
    """
    sound, y = _sound(winner, y_val, y_test)
    if sound is None or not task.classes:
        return None
    if task.classes == 2:
        p, share = expit(sound.astype(np.float64)).mean(axis=0), y
    else:
        of_classes = softmax(ensemble(sound), axis=1)
        p, share = of_classes.max(axis=1), of_classes.argmax(axis=1) == y
    bins = np.array_split(np.argsort(p, kind="stable"), BINS)
    return [_bin(p[members], share[members]) for members in bins if len(members)]


def guesses(
    task: Task, winner: Confirmed, y_val: Array, y_test: Array | None
) -> dict[str, list[float]] | None:
    """Of a number, the truth of each case and the winner's guess, in the target's unit, by rising guess.

    guess: the mean over seeds; low, high: quantiles .025 and .975. None of classes, and with fewer than
    two finite replicas. y_val: (n_val,); y_test: (n_test,), None while sealed.
    """
    sound, y = _sound(winner, y_val, y_test)
    if sound is None or task.classes:
        return None
    mean, (low, high) = sound.mean(axis=0), np.quantile(sound, [LOW, HIGH], axis=0)
    order = np.argsort(mean, kind="stable")
    columns = {"truth": y, "guess": mean, "low": low, "high": high}
    return {name: values[order].tolist() for name, values in columns.items()}


def _sound(winner: Confirmed, y_val: Array, y_test: Array | None) -> tuple[Array | None, Array]:
    """The finite outputs of the winner on the part graded last, None of fewer than two; and y (n,)."""
    outputs, y = (winner.val_logits, y_val) if y_test is None else (winner.test_logits, y_test)
    assert outputs is not None
    sound = finite(outputs)
    return (sound if winner.replicas is not None and len(sound) > 1 else None), y


def smoothed(
    task: Task, winner: Confirmed, y_val: Array, y_test: Array | None, groups: Array | None
) -> dict[str, Any] | None:
    """Of two classes the calibration curve of the winner's ensemble with its band over cases, if it has one.

    y_val: (n_val,); y_test: (n_test,), None while sealed; groups: (n,) of the part graded last, or None.
    """
    sound, y = _sound(winner, y_val, y_test)
    curve = calibration_curve(sound, y, groups) if sound is not None and task.classes == 2 else None
    if curve is None:
        return None
    return {
        name: value.tolist() if isinstance(value, np.ndarray) else value
        for name, value in curve._asdict().items()
    }


def _bin(p: Array, y: Array) -> dict[str, float]:
    """One bin of the reliability curve. p: (n,) probabilities; y: (n,), whether what they are of is so."""
    band = wilson(float(y.sum()), len(y))
    return {
        "expected": float(p.mean()),
        "observed": band.centre("share"),
        "low": band.low,
        "high": band.high,
        "n": len(y),
        "coverage": band.coverage,
    }


def surface(problem: Problem, trials: Sequence[TrialResult], settings: Settings) -> dict[str, Any] | None:
    """The objective over learning rate and dropout at the best trial's epochs, by a Gaussian process.

    median and factor are (GRID, GRID): the process's median and its factor of uncertainty, one standard
    deviation up. None with too few trials that never diverged.
    """
    task, sound = problem.task, [trial for trial in trials if trial.replicas.sound.all()]
    if len(sound) < ENOUGH_TRIALS:
        return None
    values = np.log([objective(task, trial.replicas, problem.parts.val.y) for trial in sound])
    points = np.array([_in_unit_cube(trial.trial.params, settings) for trial in sound])
    process = _process(points, values)
    axis = np.linspace(0, 1, GRID)
    rate, dropout = np.meshgrid(axis, axis)
    epochs = np.full(rate.size, points[int(values.argmin()), 2])
    median, deviation = process.predict(
        np.column_stack([rate.ravel(), dropout.ravel(), epochs]), return_std=True
    )
    rates, dropouts = settings.space.learning_rate, settings.space.dropout
    return {
        "learning_rate": (rates.low * (rates.high / rates.low) ** axis).tolist(),
        "dropout": (dropouts.low + (dropouts.high - dropouts.low) * axis).tolist(),
        "median": np.exp(median).reshape(rate.shape).tolist(),
        "factor": np.exp(deviation).reshape(rate.shape).tolist(),
        "trials": len(sound),
    }


def _process(points: Array, values: Array) -> GaussianProcessRegressor:
    """The process through the trials. points: (T, 3) in the unit cube; values: (T,) logarithms of losses."""
    kernel = ConstantKernel(1.0) * RBF([0.3, 0.5, 0.5], (0.05, 20)) + WhiteKernel(0.01, (1e-5, 1))
    with warnings.catch_warnings():
        # A length at its bound is an answer too: the surface is flat there.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return GaussianProcessRegressor(kernel, normalize_y=True).fit(points, values)


def _in_unit_cube(params: Mapping[str, Any], settings: Settings) -> list[float]:
    """A point of the space in the unit cube; the learning rate by its logarithm, whatever the search did."""
    rates = settings.space.learning_rate
    rate = 0.0
    if rates.high > rates.low:
        rate = float(np.log(params["learning_rate"] / rates.low) / np.log(rates.high / rates.low))
    others = (("dropout", settings.space.dropout), ("epochs", settings.space.epochs))
    return [rate, *(_in_unit_interval(params[name], range_) for name, range_ in others)]


def _in_unit_interval(value: float, range_: Range) -> float:
    return float((value - range_.low) / (range_.high - range_.low)) if range_.high > range_.low else 0.0
