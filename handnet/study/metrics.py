"""Every number MLflow shows of a run, by name: part/score.varied.what, as in val/log_loss.seeds.q025.

MLflow groups its charts by what stands before the slash; the rest says which band of which score it is.
"""

from collections.abc import Iterable

import numpy as np

from handnet.bands import Band, seed_bands
from handnet.bands.cases import case_bands
from handnet.scores import gap, grade
from handnet.study.analysis import Analysis
from handnet.study.comparisons import ComparedPair
from handnet.study.resplit import Resplit
from handnet.study.summary import Quantity
from handnet.study.units import Problem, Replicas, mask_diverged

ENDS = {"quantiles": ("q025", "q975"), "min-max": ("min", "max")}


def network_metrics(network: Replicas, problem: Problem) -> dict[str, float]:
    """The scores and gaps of a single network (R = 1) on validation rows; those that are finite."""
    scores = grade(mask_diverged(network, network.val_logits), problem.parts.val.y)._asdict()
    flat = {f"val/{name}": float(value[0]) for name, value in scores.items()}
    flat |= {f"gap/{name}": float(value[0]) for name, value in gap(network.fit)._asdict().items()}
    return {name: value for name, value in flat.items() if np.isfinite(value)}


def quantity_metrics(quantities: Iterable[Quantity]) -> dict[str, float]:
    """The bands of a configuration."""
    flat: dict[str, float] = {}
    for quantity in quantities:
        for band in quantity.bands:
            # Of two bands over seeds the quantiles come first: the plain name of the coverage is theirs.
            flat = band_metrics(f"{quantity.part}/{quantity.name}", band) | flat
    return flat


def band_metrics(stem: str, band: Band) -> dict[str, float]:
    """Centres, ends, n and coverage of one band, named after `stem`."""
    stem = f"{stem}.{band.varied}"
    kind = band.kind.split(",")[0].replace(" ", "_")
    only_kind = band.varied == "seeds_x_cases"  # so its ends need not name it
    low, high = ENDS.get(band.kind, ("low", "high") if only_kind else (f"{kind}_low", f"{kind}_high"))
    flat = {f"{stem}.{name.replace(' ', '_')}": value for name, value in band.centres}
    flat |= {f"{stem}.{low}": band.low, f"{stem}.{high}": band.high, f"{stem}.n": float(band.n)}
    if band.kind in ENDS:
        flat[f"{stem}.coverage"] = band.coverage
    if band.simulated is not None:
        flat[f"{stem}.simulated_coverage"] = band.simulated
    return flat


def resplit_metrics(resplit: Resplit) -> dict[str, float]:
    """The scores of every configuration on one fresh division; over cases where there is no seed."""
    flat: dict[str, float] = {}
    for role, logits in resplit.logits.items():
        for name, values in grade(logits, resplit.y)._asdict().items():
            if np.isfinite(values).sum() > 1:
                flat |= band_metrics(f"{role}/{name}", seed_bands(values).quantiles)
            elif len(values) == 1:
                flat |= band_metrics(f"{role}/{name}", case_bands(logits, resplit.y)[name])
    return flat


def analysis_metrics(role: str, analysis: Analysis) -> dict[str, float]:
    """What the run of a configuration carries beside its bands: comparisons, variances, selection."""
    flat: dict[str, float] = {}
    for pair in analysis.pairs:
        if pair.ours == role:
            flat |= _pair(pair)
    flat |= _variance(role, analysis)
    return flat | _selection(analysis) if role == "winner" else flat


def _pair(pair: ComparedPair) -> dict[str, float]:
    """A configuration against another one."""
    flat: dict[str, float] = {}
    for score in pair.over_splits:
        stem, band, wins = (
            f"versus {pair.theirs}/{score.score}.splits",
            score.difference.band,
            score.wins.band,
        )
        flat |= {
            f"{stem}.mean": band.centre("mean"),
            f"{stem}.nadeau-bengio_low": band.low,
            f"{stem}.nadeau-bengio_high": band.high,
            f"{stem}.p": score.difference.p,
            f"{stem}.wins": wins.centre("share"),
            f"{stem}.wins_low": wins.low,
            f"{stem}.wins_high": wins.high,
            f"{stem}.n": float(band.n),
        }
        if score.rope:
            flat |= {f"{stem}.rope_{name}": chance for name, chance in score.rope._asdict().items()}
    if pair.on_test:
        stem, band = f"versus {pair.theirs}/test_accuracy.seeds_x_cases", pair.on_test.difference
        flat |= {f"{stem}.mean": band.centre("mean"), f"{stem}.low": band.low, f"{stem}.high": band.high}
    return flat


def _variance(role: str, analysis: Analysis) -> dict[str, float]:
    """The components of a configuration's variance, as deviations and as shares."""
    tables = {f"{name}.split_seed": table for name, table in analysis.variances.get(role, {}).items()}
    if role == "winner":
        tables |= {f"{name}.streams": table for name, table in analysis.streams.items()}
    flat: dict[str, float] = {}
    for name, table in tables.items():
        for component in table:
            stem = f"variance/{name}.{component.source.replace(' ', '_')}"
            flat |= {f"{stem}.sd": component.deviation, f"{stem}.share": component.share}
    return flat


def _selection(analysis: Analysis) -> dict[str, float]:
    """What choosing cost the winner."""
    bias = analysis.optimism
    if bias is None:
        return {}
    stem = "selection/log_loss.cases"
    ends = {f"{stem}.bbc_low": bias.band.low, f"{stem}.bbc_high": bias.band.high}
    return {f"{stem}.naive": bias.naive, f"{stem}.corrected": bias.corrected, **ends}
