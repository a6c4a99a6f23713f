"""Everything the report and the tracker say of a confirmed study, computed once from the exact results."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from handnet.bands.selection import BestOf, Optimism, expected_best, selection_optimism
from handnet.bands.simulated import Simulated
from handnet.bands.variance import Component
from handnet.data import Array, Table
from handnet.draws import resamples
from handnet.scores import case_losses, grade
from handnet.study.comparisons import Rivalry, rehearsed, rivalries, rules, stream_variance, variance
from handnet.study.resplit import ANEW, Resplits, stream_seeds
from handnet.study.search import Finished
from handnet.study.settings import Settings
from handnet.study.summary import (
    RESAMPLING_SEED,
    Confirmed,
    Overfit,
    Quantity,
    at_specificity,
    bootstraps,
    finite,
    gaps,
    mask_diverged,
    overfit,
    point_scored,
    scored,
    scored_whole,
)
from handnet.study.units import Problem, Replicas

SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)


@dataclass(frozen=True)
class Tried:
    """A trial of the search and the exact results its value came from."""

    trial: Finished
    replicas: Replicas


@dataclass(frozen=True)
class Analysis:
    """By role, what each configuration is worth; and what was found by comparing them."""

    quantities: Mapping[str, list[Quantity]]
    rivalries: list[Rivalry]
    variances: Mapping[str, Mapping[str, tuple[Component, ...]]]  # role -> score -> split against seed
    streams: Mapping[str, tuple[Component, ...]]  # score -> the winner's three streams
    rules: list[Simulated]
    optimism: (
        Optimism | None
    )  # of the winner's validation loss over the search seeds; None with a single trial
    overfit: Mapping[str, Overfit]
    best_of: tuple[
        BestOf, ...
    ]  # the search's curve, of losses negated; empty where trials depend on each other


def analyse(
    settings: Settings,
    problem: Problem,
    confirmed: Sequence[Confirmed],
    tried: Sequence[Tried],
    test: Table | None,
    rehearsals: Resplits | None,
    done: Callable[[str], None] | None = None,
) -> Analysis:
    """The analysis of a confirmed study. test: the opened rows; rehearsals: None before the opening, or
    without any; done: told of each configuration, of which one takes some ten seconds where the test has 20
    000 cases."""
    y_val, y_test = problem.parts.val.y, test.y if test else None
    divisions = rehearsals.divisions if rehearsals else ()
    found = {}
    for one in confirmed:
        found[one.role] = quantities(one, problem, y_test) + rehearsed(one.role, divisions)
        if done:
            done(one.role)
    overfits = {one.role: worth for one in confirmed if (worth := _overfit(one, problem))}
    for role, worth in overfits.items():
        found[role].append(worth.gap)
    anew = rehearsed(ANEW, divisions)
    if anew:
        found[ANEW] = anew
    winner = next(one for one in confirmed if one.role == "winner")
    streams = rehearsals.streams if rehearsals else None
    y, logits = (y_test, winner.test_logits) if y_test is not None else (y_val, winner.val_logits)
    assert logits is not None
    assert winner.replicas is not None
    right = (
        ((finite(mask_diverged(winner.replicas, logits)) > 0) == (y == 1)).mean()
        if winner.replicas.sound.any()
        else 0.5
    )
    return Analysis(
        quantities=found,
        rivalries=rivalries(confirmed, divisions, y_test),
        variances={role: table for role in found if (table := variance(role, divisions))},
        streams=stream_variance(streams, y, stream_seeds(settings)) if streams is not None else {},
        rules=rules(divisions, y, float(right)),
        optimism=_optimism(tried, y_val),
        overfit=overfits,
        best_of=_best_of(settings, tried, y_val),
    )


def quantities(one: Confirmed, problem: Problem, y_test: Array | None) -> list[Quantity]:
    """Every score of a configuration with its bands, on val and, once opened, on test; then the gaps."""
    parts = [("val", one.val_logits, problem.parts.val.y)]
    if one.test_logits is not None and y_test is not None:
        parts.append(("test", one.test_logits, y_test))
    if one.replicas is None:
        return [quantity for part, logits, y in parts for quantity in point_scored(logits, y, part)]
    found: list[Quantity] = []
    val = mask_diverged(one.replicas, one.val_logits)
    for part, logits, y in parts:
        last = part == parts[-1][0]  # test once it is open: there everything is said that can be
        found += (scored_whole if last else scored)(mask_diverged(one.replicas, logits), y, part)
        if part == "test":
            found += at_specificity(val, problem.parts.val.y, mask_diverged(one.replicas, logits), y, part)
    return found + gaps(one.replicas)


def _overfit(one: Confirmed, problem: Problem) -> Overfit | None:
    if one.replicas is None:
        return None
    train = problem.parts.train
    return overfit(
        one.replicas, problem.backend.logits(one.replicas.fit.layers, train.X), train.y, problem.parts.val.y
    )


def _optimism(tried: Sequence[Tried], y_val: Array) -> Optimism | None:
    sound = [one.replicas for one in tried if one.replicas.sound.all()]
    if len(sound) < 2:
        return None
    losses = np.array([case_losses(one.val_logits, y_val).mean(axis=0) for one in sound])
    return selection_optimism(losses, resamples(RESAMPLING_SEED, 1, y_val, bootstraps(len(y_val))).cases)


def _best_of(settings: Settings, tried: Sequence[Tried], y_val: Array) -> tuple[BestOf, ...]:
    """Only where no trial was chosen in the light of others."""
    values = [
        grade(one.replicas.val_logits, y_val).log_loss.mean() for one in tried if one.replicas.sound.all()
    ]
    if settings.search.design != "sobol" or len(values) < 2:
        return ()
    return expected_best(-np.array(values), np.array([size for size in SIZES if size <= len(values)]))


def compared_metrics(role: str, analysis: Analysis) -> dict[str, float]:
    """What a configuration's run carries beside its bands: differences, rules, variances. Flat, as
    `summary.metrics`."""
    flat: dict[str, float] = {}
    for rivalry in (one for one in analysis.rivalries if one.ours == role):
        group = f"versus {rivalry.theirs}"
        for one in rivalry.over_splits:
            stem, band = f"{group}/{one.score}.splits", one.difference.band
            flat |= {
                f"{stem}.mean": band.centre("mean"),
                f"{stem}.nadeau-bengio_low": band.low,
                f"{stem}.nadeau-bengio_high": band.high,
                f"{stem}.p": one.difference.p,
                f"{stem}.wins": one.wins.band.centre("share"),
                f"{stem}.wins_low": one.wins.band.low,
                f"{stem}.wins_high": one.wins.band.high,
                f"{stem}.n": float(band.n),
            }
            if one.rope:
                flat |= {f"{stem}.rope_{name}": chance for name, chance in one.rope._asdict().items()}
        if rivalry.on_test:
            band = rivalry.on_test.difference
            stem = f"{group}/test_accuracy.seeds_x_cases"
            flat |= {f"{stem}.mean": band.centre("mean"), f"{stem}.low": band.low, f"{stem}.high": band.high}
    tables = {f"{name}.split_seed": table for name, table in analysis.variances.get(role, {}).items()}
    tables |= (
        {f"{name}.streams": table for name, table in analysis.streams.items()} if role == "winner" else {}
    )
    for name, table in tables.items():
        for part in table:
            source = part.source.replace(" ", "_")
            flat |= {
                f"variance/{name}.{source}.sd": part.deviation,
                f"variance/{name}.{source}.share": part.share,
            }
    if role == "winner" and analysis.optimism:
        bbc = analysis.optimism
        flat |= {
            "selection/log_loss.cases.naive": bbc.naive,
            "selection/log_loss.cases.corrected": bbc.corrected,
            "selection/log_loss.cases.bbc_low": bbc.band.low,
            "selection/log_loss.cases.bbc_high": bbc.band.high,
        }
    return flat
