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
from handnet.study.space import Axis, Range
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
        if configuration.replicas is not None
        and configuration.has_seed_bands
        and configuration.replicas.fit.layers
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
        if configuration.replicas is not None and not configuration.alone and logits is not None:
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


def surface(
    problem: Problem,
    trials: Sequence[TrialResult],
    space: Mapping[str, Axis],
    importances: Mapping[str, float],
) -> dict[str, Any] | None:
    """The objective over two parameters at the best trial's others, by a Gaussian process.

    axes: the two, each with its `name`, its GRID `values` and whether it is on a `log` scale; median and
    factor are (GRID, GRID), the second axis first: the process's median and its factor of uncertainty, one
    standard deviation up; fixed: the names of the others; pooled: of choices, and of parameters that some
    trials do not have, which the process does not know. None with too few trials that never diverged, or
    with fewer than two numbers that vary. importances: of the parameters, which say which two are shown.
    """
    task, sound = problem.task, [trial for trial in trials if trial.replicas.sound.all()]
    axes = _axes([trial.trial.params for trial in sound], space)
    shown = _shown(axes, importances)
    if len(sound) < ENOUGH_TRIALS or len(shown) < 2:
        return None
    values = np.log([objective(task, trial.replicas, problem.parts.val.y) for trial in sound])
    points = np.array([_in_unit_cube(trial.trial.params, axes) for trial in sound])
    process = _process(points, values, [0.3 if axis.log else 0.5 for axis in axes.values()])
    line = np.linspace(0, 1, GRID)
    across, up = np.meshgrid(line, line)
    cells = np.tile(points[int(values.argmin())], (across.size, 1))
    for name, unit in zip(shown, (across, up), strict=True):
        cells[:, list(axes).index(name)] = unit.ravel()
    median, deviation = process.predict(cells, return_std=True)
    return {
        "axes": [{"name": name, "log": axes[name].log, "values": _along(axes[name], line)} for name in shown],
        "fixed": [name for name in axes if name not in shown],
        "pooled": _pooled(axes, [trial.trial.params for trial in sound]),
        "median": np.exp(median).reshape(across.shape).tolist(),
        "factor": np.exp(deviation).reshape(across.shape).tolist(),
        "trials": len(sound),
    }


def _axes(tried: Sequence[Mapping[str, Any]], space: Mapping[str, Axis]) -> dict[str, Range]:
    """The numbers of the space that vary and that every trial has: those of a choice are left out."""
    return {
        name: axis
        for name, axis in space.items()
        if isinstance(axis, Range) and axis.high > axis.low and all(name in params for params in tried)
    }


def _pooled(axes: Mapping[str, Range], tried: Sequence[Mapping[str, Any]]) -> list[str]:
    """The parameters without an axis in which trials differ."""
    names = dict.fromkeys(name for params in tried for name in params if name not in axes)
    return [name for name in names if len({repr(params.get(name)) for params in tried}) > 1]


def _shown(axes: Mapping[str, Range], importances: Mapping[str, float]) -> list[str]:
    """The two that are shown: of up to three the first two, of more the two that matter most."""
    names = list(axes)
    if len(names) > 3:
        names = sorted(names, key=lambda name: -importances.get(name, 0.0))
    return sorted(names[:2], key=list(axes).index)


def _along(axis: Range, line: Array) -> list[float]:
    """The values of a parameter at places (n,) of its axis, from 0 to 1."""
    if axis.log:
        return [float(value) for value in axis.low * (axis.high / axis.low) ** line]
    return [float(value) for value in axis.low + (axis.high - axis.low) * line]


def _process(points: Array, values: Array, lengths: Sequence[float]) -> GaussianProcessRegressor:
    """The process through the trials.

    points: (T, d) in the unit cube; values: (T,) logarithms of losses; lengths: (d,) of the kernel, to begin
    with.
    """
    kernel = ConstantKernel(1.0) * RBF(lengths, (0.05, 20)) + WhiteKernel(0.01, (1e-5, 1))
    with warnings.catch_warnings():
        # A length at its bound is an answer too: the surface is flat there.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return GaussianProcessRegressor(kernel, normalize_y=True).fit(points, values)


def _in_unit_cube(params: Mapping[str, Any], axes: Mapping[str, Range]) -> list[float]:
    """A point of the space in the unit cube, a parameter on a logarithmic scale by its logarithm."""
    return [axis.unit(params[name]) for name, axis in axes.items()]
