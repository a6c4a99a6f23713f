"""What guessed quantiles of a number are worth: how often intervals hold the truth, how wide they are."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

import numpy as np

from handnet.bands import Band, seed_bands
from handnet.bands.cases import exact_over_cases, loss_band, share_over_cases
from handnet.bands.intervals import interval_scores_between, pinball_losses
from handnet.bands.multibootstrap import share_band
from handnet.data import Array
from handnet.predictions.form import Predicted
from handnet.study.quantity import Quantity
from handnet.study.score_bands import Draws

ROUNDING = 1e-9  # by which two levels may miss adding up to 1


def quantile_quantities(one: Predicted, draws: Draws | None = None) -> Iterator[Quantity]:
    """Coverage, width and interval score of each pair of levels that add up to 1, and the pinball loss of
    each level, with bands over seeds where there are two and over cases.

    interval_coverage_90 is the share of truths between the quantiles .05 and .95, its interval Wilson's;
    pinball_0.05 the loss of the quantile .05. All but the shares are in the unit of the target. draws: of
    these very cases, where the caller has them.
    """
    sound = np.all([np.isfinite(values).all(axis=1) for values in (one.outputs, *one.quantiles.values())], 0)
    y, groups = one.cases.y, one.cases.groups
    if not sound.any():
        return
    guesses = {level: values[sound] for level, values in sorted(one.quantiles.items())}
    seeds = int(sound.sum())

    def quantity(name: str, of_seeds: Array, *over_cases: Band) -> Quantity:
        over = seed_bands(of_seeds) if seeds > 1 else ()
        bands = (replace(band, diverged=len(sound) - seeds) for band in (*over, *over_cases))
        return Quantity(name, one.cases.part, tuple(bands))

    for low, high in pairs_of(tuple(guesses)):
        lower, upper, level = guesses[low], guesses[high], round(high - low, 9)
        held, per_cent = (lower <= y) & (y <= upper), f"{100 * level:g}"
        both: tuple[Band, ...] = ()
        if seeds > 1:
            both = (share_band(held, (draws or Draws(y, groups)).samples(seeds), groups),)
        over_cases = share_over_cases(held, groups), exact_over_cases(held, groups), *both
        yield quantity(f"interval_coverage_{per_cent}", held.mean(axis=1), *over_cases)
        width = upper - lower
        if (width >= 0).all():
            yield quantity(f"interval_width_{per_cent}", width.mean(axis=1), loss_band(width, groups))
        scores = interval_scores_between(lower, upper, y, level)
        if (scores >= 0).all():
            yield quantity(f"interval_score_{per_cent}", scores.mean(axis=1), loss_band(scores, groups))
    for level, values in guesses.items():
        losses = pinball_losses(values, y, level)
        yield quantity(f"pinball_{level:g}", losses.mean(axis=1), loss_band(losses, groups))


def pairs_of(levels: tuple[float, ...]) -> Iterator[tuple[float, float]]:
    """The pairs of levels that add up to 1, the widest first. levels: rising."""
    for low in levels:
        for high in levels:
            if low < high and abs(low + high - 1) < ROUNDING:
                yield low, high


def crossed_note(one: Predicted) -> str:
    """A sentence where a lower quantile lies above a higher one; empty where none does."""
    levels = sorted(one.quantiles)
    crossed = sum(int((one.quantiles[low] > one.quantiles[high]).sum()) for low, high in pairwise(levels))
    if not crossed:
        return ""
    return (
        f"{one.model}: {crossed} guessed quantiles on {one.cases.part} rows lie above that of the next higher"
        " level; an interval with such ends holds no truth."
    )
