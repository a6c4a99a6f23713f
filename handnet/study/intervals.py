"""Prediction intervals of a number: fixed on validation rows for each network, and graded on the test."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from handnet.bands import Band, seed_bands
from handnet.bands.cases import exact_over_cases, loss_band, share_over_cases
from handnet.bands.intervals import LEAST, half_widths, inside, interval_scores
from handnet.bands.multibootstrap import share_band
from handnet.data import Array
from handnet.draws import resamples
from handnet.study.quantity import Quantity

RESAMPLING_SEED = 0
SAMPLES = 1000


def interval_quantities(
    val: Array, test: Array, y_val: Array, y_test: Array, groups: Array | None, seeded: bool
) -> Iterator[Quantity]:
    """What the intervals of R replicas are worth on the opened test; nothing with too few rows.

    interval_coverage: the share of cases inside; interval_width, interval_score: in the unit of the target.
    val: guesses (R, n_val); test: guesses (R, n_test); y_val, y_test: (n,); groups: (n_test,) int, None where
    every case is its own; seeded: False for a method without a seed, which has R = 1.
    """
    if len(y_val) < LEAST:
        return
    sound = np.isfinite(val).all(axis=1) & np.isfinite(test).all(axis=1)
    if sound.sum() < 1 + seeded:
        return
    half, outputs = half_widths(val[sound], y_val), test[sound]
    held, scores = inside(outputs, y_test, half), interval_scores(outputs, y_test, half)
    diverged = int((~sound).sum())

    def quantity(name: str, values: Array, *over_cases: Band) -> Quantity:
        """A number per seed (R,), with its bands over seeds where there are some, and those over cases."""
        bands = (*(seed_bands(values) if seeded else ()), *over_cases)
        return Quantity(name, "test", tuple(replace(band, diverged=diverged) for band in bands))

    both: tuple[Band, ...] = ()
    if seeded:
        strata = np.zeros(len(y_test), dtype=int)  # a number has no classes to draw within
        both = (share_band(held, resamples(RESAMPLING_SEED, len(held), strata, SAMPLES, groups), groups),)
    over_cases = share_over_cases(held, groups), exact_over_cases(held, groups), *both
    yield quantity("interval_coverage", held.mean(axis=1), *over_cases)
    yield quantity("interval_score", scores.mean(axis=1), loss_band(scores, groups))
    if seeded:
        yield quantity("interval_width", 2 * half)
