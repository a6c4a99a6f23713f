"""The price of looking at the same test rows several times."""

from collections.abc import Sequence
from typing import NamedTuple

from handnet.bands import Band
from handnet.bands.cases import case_bands
from handnet.bands.multibootstrap import seeds_x_cases
from handnet.data import Array
from handnet.draws import resamples
from handnet.scores import Score
from handnet.study.quantity import finite
from handnet.study.score_bands import RESAMPLING_SEED, bootstraps
from handnet.study.units import Confirmed

ERROR = 0.05  # of one look


class Price(NamedTuple):
    """What k looks cost.

    chance: that one of k independent looks at nothing finds something; level: of a band that keeps the error
    of all looks together at .05 (Bonferroni); bands: the deciding score's, by role, at .95 and at that level.
    """

    looks: int
    chance: float
    level: float
    bands: dict[str, tuple[Band, Band]]


def price(looks: int, confirmed: Sequence[Confirmed], y: Array, groups: Array | None, score: Score) -> Price:
    """1 - (1 - .05)^k, and the bands of a score on the test at level 1 - .05 / k.

    They are over seeds and cases, or over cases alone without a seed. looks: k, at least 1; y: (n,) of the
    opened test; groups: (n,) int, None where every case is its own.
    """
    level, bands = 1 - ERROR / looks, {}
    for configuration in confirmed:
        logits = configuration.logits("test")
        if logits is not None and len(sound := finite(logits)):
            plain, wider = (_band(sound, y, groups, score, at) for at in (1 - ERROR, level))
            bands[configuration.role] = plain, wider
    return Price(looks, 1 - (1 - ERROR) ** looks, level, bands)


def _band(sound: Array, y: Array, groups: Array | None, score: Score, coverage: float) -> Band:
    """The band of a score of sound replicas (R, ...) at a level."""
    one = {score.name: score}
    if len(sound) < 2:
        return case_bands(one, sound, y, groups, coverage)[score.name]
    samples = resamples(RESAMPLING_SEED, len(sound), y, bootstraps(len(y)), groups)
    return seeds_x_cases(one, sound, y, samples, groups, coverage)[score.name]
