"""What an experiment shows in the terminal."""

from collections.abc import Sequence

from rich.table import Table

from handnet.bands.simulated import Simulated
from handnet.report.words import percent
from handnet.study.screen import Screen


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
