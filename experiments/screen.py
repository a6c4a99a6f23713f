"""What the experiments show in the terminal."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from rich.table import Table
from rich.text import Text

from experiments.witness import Comparison, Sample
from handnet.bands.seeds import HIGH, LOW
from handnet.bands.simulated import Simulated
from handnet.report.words import percent
from handnet.study.screen import Screen

MET = {True: "met", False: "MISSED", None: ""}


def show_witness(screen: Screen, printed: Sample, found: Sequence[Comparison]) -> None:
    """The chapter's own code beside ours: quantiles, adjusted p, and what the test says."""
    grid = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in ("", "networks", "q.025", "median", "q.975", "Holm-adjusted p"):
        grid.add_column(heading, no_wrap=True)
    for quantity, witness in printed.items():
        grid.add_row(f"{quantity}", style="bold")
        for name, values, p in [
            ("as printed", witness, ""),
            *((one.setting, one.sample[quantity], f"{one.p[quantity]:.2g}") for one in found),
        ]:
            cells = (f"{value:.3f}" for value in np.quantile(values, [LOW, 0.5, HIGH]))
            grid.add_row(f"  {name}", str(len(values)), *cells, p)
    screen.out.print(grid)
    for one in found:
        surprise = "" if one.answer == one.expected else ", though it should not"
        screen.out.print(
            f"{one.setting}: {one.answer} (smallest Holm-adjusted p {min(one.p.values()):.2g}){surprise}",
            markup=False,
        )


def show_simulated(screen: Screen, found: Sequence[Simulated]) -> None:
    """How often each band held and each rule cried wolf."""
    grid = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in ("", "setting", "nominal", "found", "error", "studies"):
        grid.add_column(heading, no_wrap=True)
    for one in found:
        grid.add_row(
            one.what,
            one.setting,
            percent(one.nominal),
            percent(one.found),
            percent(one.error),
            str(one.studies),
        )
    screen.out.print(grid)


def show_bench(screen: Screen, found: Mapping[str, Any]) -> None:
    """What a network costs, and every goal beside what was found."""
    machine = found["machine"]
    grid = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in ("milliseconds a network", "at once", "median", "least", "most"):
        grid.add_column(heading, no_wrap=True)
    for one in found["timings"]:
        cells = (f"{one[name]:,.2f}" for name in ("median", "low", "high"))
        grid.add_row(one["name"], f"{one['networks']:,}", *cells)
    grid.add_row("floor: the products alone, one core", "", f"{machine['floor']:.2f}")
    screen.out.print(
        f"\n{machine['cores']} cores, {machine['gflops']:.0f} GFLOP/s each in a float32 matrix product; "
        f"{machine['rounds']} rounds"
    )
    screen.out.print(grid)
    goals = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in ("", "goal", "found", ""):
        goals.add_column(heading)
    for goal in found["goals"]:
        goals.add_row(Text(goal["what"]), goal["goal"], Text(goal["found"]), MET[goal["met"]])
    screen.out.print("", goals)
    for name, why in found["absent"].items():
        screen.out.print(f"{name} did not run: {why}", markup=False)
    for name, p in found["others"].items():
        screen.out.print(
            f"{name} trained other networks than the reference (p = {p:.1g}): its speed does not count.",
            markup=False,
        )
