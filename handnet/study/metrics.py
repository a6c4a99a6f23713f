"""Every number MLflow shows of a run, by name: part/score.varied.what, as in val/log_loss.seeds.q025.

MLflow groups its charts by what stands before the slash; the rest says which band of which score it is. A run
carries the few numbers that runs are compared by, and a table of all the others."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from handnet.bands import Band, seed_bands
from handnet.bands.band import PREDICTIVE
from handnet.bands.cases import case_bands
from handnet.data import Array
from handnet.scores import gap, grade
from handnet.study.division import Resplit
from handnet.study.networks import Replicas, mask_diverged
from handnet.study.quantity import Quantity
from handnet.study.units import Problem
from handnet.tasks import Task

MOST = 40  # names of metrics a run has: more than that nobody finds on MLflow's pages
GAPS = ("gap", "gap_test")
ENDS = {"quantiles": ("q025", "q975"), "min-max": ("min", "max")}
LEFT_OUT = ("min-max", "clopper-pearson")  # kinds of bands beside better known ones of the same spread


def network_metrics(network: Replicas, problem: Problem) -> dict[str, float]:
    """The main scores and the gaps of a single network (R = 1) on validation rows; those that are finite."""
    main = {name: score for name, score in problem.task.scores.items() if score.main}
    scores = grade(main, mask_diverged(network, network.val_logits), problem.parts.val.y)
    flat = {f"val/{name}": float(value[0]) for name, value in scores.items()}
    flat |= {f"gap/{name}": float(value[0]) for name, value in gap(network.fit)._asdict().items()}
    return {name: value for name, value in flat.items() if np.isfinite(value)}


def main_metrics(task: Task, quantities: Iterable[Quantity]) -> dict[str, float]:
    """The bands that configurations are compared by: of two scores and the gaps, over each thing that varied.

    The loss on validation rows, by which configurations are ordered, stands first: the mean over the seeds,
    or that of the one fit of a method without a seed.
    Over fresh divisions it is one score alone. Of the loss no band over cases alone is among them where
    there is one over seeds and cases."""
    loss, flat = task.headline[0], dict[str, float]()
    for quantity in quantities:
        if quantity.name in (*task.headline, *GAPS) and (quantity.part, quantity.name) != ("rehearsal", loss):
            if (quantity.part, quantity.name) == ("val", loss):
                flat |= _middle(f"val/{loss}", quantity)
            varied = {band.varied for band in quantity.bands}
            crossed = len(varied) > 1
            wider = {"cases"} if quantity.name == loss and "seeds_x_cases" in varied else set()
            for band in quantity.bands:
                left_out = band.kind in LEFT_OUT or band.varied in wider
                if not left_out and band.estimand not in PREDICTIVE:
                    middle = not (crossed and band.varied == "cases")  # that of the seeds is the same
                    flat |= band_metrics(f"{quantity.part}/{quantity.name}", band, middle)
    return flat


def _middle(name: str, quantity: Quantity) -> dict[str, float]:
    """The mean of a score, of that band over seeds or cases which has one."""
    value = next((dict(band.centres).get("mean", np.nan) for band in quantity.bands), np.nan)
    return {name: value} if np.isfinite(value) else {}


def band_metrics(stem: str, band: Band, middle: bool = True) -> dict[str, float]:
    """The ends of a band and, if asked for, the middle, named after `stem`, as in val/log_loss."""
    centres, kind = dict(band.centres), band.kind.replace(" ", "_")
    name = next((name for name in ("mean", "share") if name in centres), "")
    stem = f"{stem}.{band.varied}"
    flat = {f"{stem}.{name}": centres[name]} if middle and name else {}
    # Seeds and cases at once vary in one way only, which the ends need not name.
    ends = ENDS.get(
        band.kind, ("low", "high") if band.varied == "seeds_x_cases" else (f"{kind}_low", f"{kind}_high")
    )
    return flat | {f"{stem}.{end}": value for end, value in zip(ends, (band.low, band.high), strict=True)}


def band_rows(quantities: Iterable[Quantity]) -> list[dict[str, Any]]:
    """Every band of a configuration as a row of a table, its middles in columns of their names."""
    rows = []
    for quantity in quantities:
        for band in quantity.bands:
            row = {"part": quantity.part, "score": quantity.name, **asdict(band)}
            rows.append(row | dict(row.pop("centres")))
    return rows


def resplit_metrics(task: Task, resplit: Resplit) -> dict[str, float]:
    """The accuracy, or RMSE, of each configuration on one fresh division, of as many as a run has names for.

    Its band is over seeds; over cases where there is no seed."""
    flat: dict[str, float] = {}
    for role, logits in resplit.logits.items():
        values = task.grade(logits, resplit.y)[task.headline[1]]
        if len(values) == 1:
            band = case_bands(task.scores, logits, resplit.y, resplit.groups)[task.headline[1]]
        elif np.isfinite(values).sum() > 1:
            band = seed_bands(values).quantiles
        else:
            continue
        more = band_metrics(f"{role}/{task.headline[1]}", band)
        flat |= more if len(flat) + len(more) <= MOST else {}
    return flat


def resplit_rows(task: Task, resplit: Resplit, seeds: range) -> list[dict[str, Any]]:
    """Every score of every network on one fresh division, as rows of a table.

    seeds: of the networks of each configuration; a method without a seed has one row."""
    return [
        {"configuration": role, "seed": seeds[place] if len(logits) > 1 else "", **values}
        for role, logits in resplit.logits.items()
        for place, values in enumerate(_rows(task.grade(logits, resplit.y)))
    ]


def _rows(columns: Mapping[str, Array]) -> Iterator[dict[str, float]]:
    for values in zip(*columns.values(), strict=True):
        yield {name: float(value) for name, value in zip(columns, values, strict=True)}
