"""The command of the bench: python -m experiments.bench"""

import json
import statistics
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from handnet.command import Truth, Whole, command, option, run

if TYPE_CHECKING:
    from experiments.bench.race import Results
    from handnet.study.screen import Screen

MET = {True: "met", False: "MISSED", None: ""}


@command("experiments.bench")
@option("--rounds", type=Whole(1), default="5", help="rounds over which medians are taken (5)")
@option("--studies", type=Truth(), default="1", help="0 leaves out the whole studies (1)")
def bench(rounds: int, studies: bool, mlruns: str) -> None:
    """What a network costs here and elsewhere, each goal beside what was measured.

    Peers and we in turns, minutes; keep the machine quiet meanwhile.
    """
    from handnet.study.screen import Screen

    screen = Screen()
    with screen.waiting("bench") as say:
        results = measure(rounds, studies, say)
    show(screen, asdict(results))
    print(f"Picture: {write(results, Path(mlruns) / 'bench')}")


def measure(rounds: int, studies: bool, say: Callable[[str], None]) -> "Results":
    """Measure everything. studies: whole studies too, which take minutes; say: is told what comes next."""
    from experiments.bench import costs, scale
    from experiments.bench.peers import available
    from experiments.bench.race import (
        RECIPE,
        Results,
        operations,
        other_networks,
        ours,
        product_rate,
        race,
        speed_goals,
    )
    from handnet.mlp.replicas import cores
    from handnet.study.identity import make_problem
    from handnet.study.reading import read

    problem = make_problem(read({}))
    train, val = problem.parts.train, problem.parts.val
    peers, absent = available(train, val, RECIPE)
    rates = [product_rate()]
    timings, samples = race({**ours(problem), **peers}, rounds, say, lambda: rates.append(product_rate()))
    rate = statistics.median(rates)
    floor = operations(RECIPE, len(train.y), len(val.y)) / rate * 1000
    goals = [*speed_goals(timings, floor)]
    parts = {
        "ten thousand networks": lambda: costs.wide(timings),
        "storing": lambda: costs.stored(problem, rounds),
        "starting": costs.started,
        "Optuna": costs.searched,
        **({"two whole studies": costs.whole_studies, "many cores": scale.scaled} if studies else {}),
    }
    for title, part in parts.items():
        say(title)
        goals += part()
    machine = {"cores": cores(), "gflops": rate / 1e9, "floor": floor, "rounds": rounds}
    return Results(machine, timings, goals, absent, other_networks(samples, problem))


def write(results: "Results", folder: Path) -> Path:
    """Write the numbers as JSON and the picture into a folder. Returns the picture."""
    from experiments.figures import costs
    from handnet.report.drawing import alone
    from handnet.study.files import write_whole

    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / "bench.json", json.dumps(asdict(results), indent=1).encode())
    points: dict[str, list[tuple[int, float]]] = {}
    for timing in results.timings:
        points.setdefault(timing.name, []).append((timing.networks, timing.median))
    picture = folder / "bench.svg"
    write_whole(picture, alone(costs(points, results.machine["floor"])))
    return picture


def show(screen: "Screen", results: Mapping[str, Any]) -> None:
    """Print what a network costs, and every goal beside what was measured."""
    from rich.table import Table
    from rich.text import Text

    machine = results["machine"]
    grid = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in ("milliseconds a network", "at once", "median", "least", "most"):
        grid.add_column(heading, no_wrap=True)
    for timing in results["timings"]:
        cells = (f"{timing[name]:,.2f}" for name in ("median", "low", "high"))
        grid.add_row(timing["name"], f"{timing['networks']:,}", *cells)
    grid.add_row("floor: the products alone, one core", "", f"{machine['floor']:.2f}")
    screen.out.print(
        f"\n{machine['cores']} cores, {machine['gflops']:.0f} GFLOP/s each in a float32 matrix product; "
        f"{machine['rounds']} rounds"
    )
    screen.out.print(grid)
    goals = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in ("", "goal", "found", ""):
        goals.add_column(heading)
    for goal in results["goals"]:
        goals.add_row(Text(goal["what"]), goal["goal"], Text(goal["found"]), MET[goal["met"]])
    screen.out.print("", goals)
    for name, why in results["absent"].items():
        screen.out.print(f"{name} did not run: {why}", markup=False)
    for name, p in results["others"].items():
        sentence = "trained other networks than the reference"
        screen.out.print(f"{name} {sentence} (p = {p:.1g}): its speed does not count.", markup=False)


if __name__ == "__main__":
    run(bench)
