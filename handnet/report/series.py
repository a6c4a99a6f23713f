"""What the report's figures are drawn from: curves, single seeds, reliability, the searched surface. Plain
JSON values."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.special import expit
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel

from handnet.bands import wilson
from handnet.data import Array
from handnet.scores import grade
from handnet.study.analysis import TrialResult
from handnet.study.settings import Settings
from handnet.study.summary import curve_band, curves, finite
from handnet.study.units import Confirmed, mask_diverged

SHOWN = ("accuracy", "log_loss")
BINS = 5  # of the reliability curve, each with as many cases
GRID = 24
ENOUGH_TRIALS = 8  # for a surface


def curve_series(confirmed: Sequence[Confirmed]) -> dict[str, dict[str, dict[str, list[float]]]]:
    """role -> curve -> mean, low, high over seeds, per epoch."""
    found: dict[str, dict[str, dict[str, list[float]]]] = {}
    for one in confirmed:
        if one.replicas is not None and one.replicas.sound.sum() > 1:
            found[one.role] = {
                name: {end: line.tolist() for end, line in curve_band(values).items()}
                for name, values in curves(one.replicas).items()
            }
    return found


def seed_series(
    confirmed: Sequence[Confirmed], y_val: Array, y_test: Array | None
) -> dict[str, dict[str, list[float | None]]]:
    """role -> score -> the value of each confirmation seed on the last graded part; null where it
    diverged."""
    found = {}
    for one in confirmed:
        logits, y = (one.val_logits, y_val) if y_test is None else (one.test_logits, y_test)
        if one.replicas is not None and logits is not None:
            scores = grade(mask_diverged(one.replicas, logits), y)
            found[one.role] = {
                name: [float(v) if np.isfinite(v) else None for v in getattr(scores, name)] for name in SHOWN
            }
    return found


def reliability(winner: Confirmed, y_val: Array, y_test: Array | None) -> list[dict[str, float]] | None:
    """The winner's mean probability against the share of positives, in bins of as many cases; None without
    two sound seeds."""
    logits, y = (winner.val_logits, y_val) if y_test is None else (winner.test_logits, y_test)
    assert logits is not None
    sound = finite(logits)
    if winner.replicas is None or len(sound) < 2:
        return None
    p = expit(sound.astype(np.float64)).mean(axis=0)
    rows = []
    for members in np.array_split(np.argsort(p, kind="stable"), BINS):
        if len(members):
            band = wilson(float(y[members].sum()), len(members))
            rows.append(
                {
                    "expected": float(p[members].mean()),
                    "observed": band.centre("share"),
                    "low": band.low,
                    "high": band.high,
                    "n": len(members),
                    "coverage": band.coverage,
                }
            )
    return rows


def surface(tried: Sequence[TrialResult], y_val: Array, settings: Settings) -> dict[str, Any] | None:
    """The objective over learning rate and dropout at the best trial's epochs, as a Gaussian process sees it
    from the trials: its median and its factor of uncertainty (one standard deviation up). None with too few
    trials that never diverged."""
    sound = [one for one in tried if one.replicas.sound.all()]
    if len(sound) < ENOUGH_TRIALS:
        return None
    values = np.log([grade(one.replicas.val_logits, y_val).log_loss.mean() for one in sound])
    points = np.array([_unit(one.trial.params, settings) for one in sound])
    epochs = points[int(values.argmin()), 2]
    kernel = ConstantKernel(1.0) * RBF([0.3, 0.5, 0.5], (0.05, 20)) + WhiteKernel(0.01, (1e-5, 1))
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", ConvergenceWarning
        )  # a length at its bound is an answer too: flat there
        process = GaussianProcessRegressor(kernel, normalize_y=True).fit(points, values)
    axis = np.linspace(0, 1, GRID)
    rate, dropout = np.meshgrid(axis, axis)
    median, deviation = process.predict(
        np.column_stack([rate.ravel(), dropout.ravel(), np.full(rate.size, epochs)]), return_std=True
    )
    space = settings.space
    return {
        "learning_rate": (
            (space.learning_rate.low * (space.learning_rate.high / space.learning_rate.low) ** axis).tolist()
        ),
        "dropout": (space.dropout.low + (space.dropout.high - space.dropout.low) * axis).tolist(),
        "median": np.exp(median).reshape(rate.shape).tolist(),
        "factor": np.exp(deviation).reshape(rate.shape).tolist(),
        "trials": len(sound),
    }


def _unit(params: Mapping[str, Any], settings: Settings) -> list[float]:
    """A point of the space in the unit cube; the learning rate by its logarithm, whatever the search did."""
    space = settings.space
    low, high = space.learning_rate.low, space.learning_rate.high
    spans = [(params["dropout"], space.dropout), (params["epochs"], space.epochs)]
    rate = np.log(params["learning_rate"] / low) / np.log(high / low) if high > low else 0.0
    return [
        float(rate),
        *(
            float((value - one.low) / (one.high - one.low)) if one.high > one.low else 0.0
            for value, one in spans
        ),
    ]
