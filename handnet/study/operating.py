"""Operating points: what a configuration is worth at a threshold fixed beforehand, and its net benefit.

The calls are those of a threshold on the score. At another prevalence than the table's the calls stay, and so
do sensitivity and specificity; PPV and NPV follow by Bayes. The net benefit is about probabilities, which are
moved to that prevalence by logit(pi') - logit(pi), pi the share of class 1 the networks learnt from.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from scipy.special import expit, logit

from handnet.bands import Band, seed_bands
from handnet.bands.band import FURTHER_THRESHOLD
from handnet.bands.cases import share_over_cases
from handnet.bands.clusters import groups_among
from handnet.bands.thresholds import (
    at_prevalence,
    benefit_band,
    benefit_difference,
    benefits,
    beyond,
    predictive_bands,
    predictive_bands_at,
    sensitivity_thresholds,
    specificity_thresholds,
    threshold_band,
    treat_all,
)
from handnet.data import Array
from handnet.draws import resamples
from handnet.study.quantity import finite
from handnet.study.score_bands import RESAMPLING_SEED
from handnet.study.sections import ReportSettings
from handnet.study.settings import Settings
from handnet.study.units import Confirmed, Problem

SAMPLES = 1000  # bootstrap samples of a net benefit, whose band is never narrower than over cases alone
MEASURES = ("sensitivity", "specificity", "ppv", "npv")


@dataclass(frozen=True)
class OperatingPoint:
    """One configuration at one threshold.

    fixed: what the threshold is fixed for, on validation rows: "sensitivity" or "specificity" of `target`;
    or "probability", .5 without a look at any row. threshold: on the probability, over seeds, one value for a
    method without a seed. fixed_on: validation cases of the class; beyond: how many of them it leaves on its
    wrong side; reaches: what such a threshold reaches among all cases. measures: the bands of each measure
    over seeds and over cases. uncalled: seeds that call no case positive, or none negative, and so have no
    PPV or NPV.
    """

    role: str
    part: str
    fixed: str
    target: float
    threshold: tuple[Band, ...]
    fixed_on: int
    beyond: int
    reaches: Band | None
    measures: dict[str, tuple[Band, ...]]
    uncalled: int


@dataclass(frozen=True)
class Benefit:
    """The net benefit at one threshold probability: of acting on all, of the winner and of each method
    without a seed, and what the winner has more than each of these."""

    threshold: float
    treat_all: float
    methods: dict[str, Band]
    differences: dict[str, Band]


@dataclass(frozen=True)
class Operating:
    """All operating points of a study, and the net benefits on its last graded part.

    prevalence: of class 1, at which PPV, NPV and net benefit hold; own: whether it is the table's; shift:
    what was added to each logit for the net benefit.
    """

    part: str
    prevalence: float
    own: bool
    shift: float
    points: tuple[OperatingPoint, ...]
    benefits: tuple[Benefit, ...]


NOTHING = Operating("val", 0.5, True, 0.0, (), ())


class Rows(NamedTuple):
    """The rows of a part: labels y (n,), and the group of each (n,), None where every case is its own."""

    part: str
    y: Array
    groups: Array | None


def operating(
    settings: Settings, problem: Problem, confirmed: Sequence[Confirmed], y_test: Array | None
) -> Operating:
    """What is known at fixed thresholds. y_test: (n_test,), None while the test is sealed; then thresholds
    are not fixed on validation rows, because they would be graded on the same."""
    parts, asked = problem.parts, settings.report
    val = rows = Rows("val", parts.val.y, parts.groups("val"))
    if y_test is not None:
        rows = Rows("test", y_test, parts.groups("test"))
    other = asked.prevalence or None
    prevalence = asked.prevalence or float(np.mean(rows.y))
    learnt = 0.5 if settings.network.class_weight == "balanced" else float(parts.train.y.mean())
    shift = float(logit(prevalence) - logit(learnt)) if other else 0.0
    varied = [each for each in confirmed if _tells_cases_apart(each, rows.part)]
    points = [
        point
        for each in varied
        for point in points_of(
            each.role, _logits(each, rows.part), (val, _logits(each, "val")), rows, asked, other
        )
    ]
    moved = {
        each.role: finite(_logits(each, rows.part)) + shift
        for each in varied
        if each.role == "winner" or each.replicas is None
    }
    curves = net_benefits(moved, rows, asked.thresholds, prevalence, "winner") if "winner" in moved else ()
    return Operating(rows.part, prevalence, not other, shift, tuple(points), tuple(curves))


def _logits(configuration: Confirmed, part: str) -> Array:
    """(R, n) of a part whose rows are known."""
    logits = configuration.logits(part)
    assert logits is not None
    return np.asarray(logits, dtype=np.float64)


def _tells_cases_apart(configuration: Confirmed, part: str) -> bool:
    """Whether it has logits of a part that are not one constant, of two sound replicas if it has seeds."""
    logits = configuration.logits(part)
    if logits is None or len(sound := finite(logits)) < min(len(logits), 2):
        return False
    return bool(np.ptp(sound, axis=1).max() > 0)


def points_of(
    role: str,
    logits: Array,
    fixing: tuple[Rows, Array] | None,
    rows: Rows,
    asked: ReportSettings,
    prevalence: float | None = None,
) -> Iterator[OperatingPoint]:
    """The points of R replicas on rows, NaN where one diverged.

    logits: (R, n); fixing: validation rows and the logits (R, n_val) of them, None where there are none;
    prevalence: None for the table's own.
    """
    sound = np.isfinite(logits).all(axis=1)
    if fixing:
        sound &= np.isfinite(fixing[1]).all(axis=1)
    fixed = {"probability": (0.5, np.zeros(int(sound.sum()), logits.dtype))}
    if rows.part == "test" and fixing:
        val, val_logits = fixing
        for kind, fix in (("sensitivity", sensitivity_thresholds), ("specificity", specificity_thresholds)):
            target = getattr(asked, kind)
            fixed[kind] = target, fix(val_logits[sound], val.y, target)
    for kind, (target, thresholds) in fixed.items():
        of_class = (fixing[0] if fixing else rows).y == (kind == "sensitivity")
        cases = 0 if kind == "probability" else int(of_class.sum())
        shifted = np.full(logits.shape, np.nan)
        shifted[sound] = logits[sound] - thresholds[:, None]
        measures, uncalled = _measures(shifted, rows, prevalence)
        yield OperatingPoint(
            role=role,
            part=rows.part,
            fixed=kind,
            target=target,
            threshold=_thresholds(expit(thresholds)),
            fixed_on=cases,
            beyond=beyond(cases, target) if cases else 0,
            reaches=_reached(cases, target, fixing[0], of_class) if cases and fixing else None,
            measures=measures,
            uncalled=uncalled,
        )


def _reached(cases: int, target: float, val: Rows, of_class: Array) -> Band:
    """What a threshold that was fixed for the target on these cases of a class reaches."""
    return threshold_band(cases, target, groups_among(val.groups, of_class))


def _thresholds(values: Array) -> tuple[Band, ...]:
    """The thresholds (R,) of the seeds in their bands, or the one of a method without a seed."""
    if len(values) > 1:
        return tuple(replace(band, estimand=FURTHER_THRESHOLD) for band in seed_bands(values))
    value = float(values[0])
    return (Band(value, value, "exact", "cases", 1, 1.0, FURTHER_THRESHOLD, (("value", value),)),)


def _measures(
    shifted: Array, rows: Rows, prevalence: float | None
) -> tuple[dict[str, tuple[Band, ...]], int]:
    """The bands of each measure, and how many replicas have no PPV or no NPV.

    shifted: (R, n), above 0 where a case is called positive, NaN for a replica that diverged.
    """
    sound, y, groups = finite(shifted), rows.y, rows.groups
    diverged, positive = len(shifted) - len(sound), y == 1
    right = np.equal(sound > 0, positive)
    values = {"sensitivity": right[:, positive].mean(axis=1), "specificity": right[:, ~positive].mean(axis=1)}
    pi = float(np.mean(y)) if prevalence is None else prevalence
    ppv, npv = at_prevalence(values["sensitivity"], values["specificity"], pi)
    values |= {"ppv": ppv, "npv": npv}
    over_cases = {
        "sensitivity": share_over_cases(right[:, positive], groups_among(groups, positive)),
        "specificity": share_over_cases(right[:, ~positive], groups_among(groups, ~positive)),
        **(
            predictive_bands(sound > 0, y, groups)
            if prevalence is None
            else predictive_bands_at(sound > 0, y, prevalence, groups)
        ),
    }
    made = {}
    for name, of_seeds in values.items():
        enough = len(of_seeds) > 1 and np.isfinite(of_seeds).sum() > 1
        bands = (*(seed_bands(of_seeds) if enough else ()), *filter(None, [over_cases.get(name)]))
        made[name] = tuple(replace(band, diverged=diverged) for band in bands)
    return made, int((~np.isfinite(values["ppv"] + values["npv"])).sum())


def net_benefits(
    logits: Mapping[str, Array],
    rows: Rows,
    asked: Sequence[float],
    prevalence: float,
    ours: str | None = None,
) -> Iterator[Benefit]:
    """The net benefit of each method at each threshold probability, over seeds and cases where it has seeds.

    logits: role -> (R, n), finite, moved to the prevalence; ours: whose differences to the methods without a
    seed are told, None for nobody's.
    """
    _, y, groups = rows
    drawn = {
        count: resamples(RESAMPLING_SEED, count, y, SAMPLES, groups) if count > 1 else None
        for count in {len(z) for z in logits.values()}
    }
    for at in asked:
        values = {role: benefits(z, y, at, prevalence) for role, z in logits.items()}
        bands = {
            role: benefit_band(value, y, at, prevalence, drawn[len(value)], groups)
            for role, value in values.items()
        }
        differences = {
            role: benefit_difference(values[ours], value, y, at, prevalence, drawn[len(values[ours])], groups)
            for role, value in values.items()
            if ours and len(value) == 1 and role != ours
        }
        yield Benefit(at, treat_all(at, prevalence), bands, differences)
