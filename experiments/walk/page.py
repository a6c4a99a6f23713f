"""The page of the walk: one file, no script, nothing fetched."""

from pathlib import Path

from experiments.walk import Walk
from experiments.walk.chapter import GIVEN, NICKNAMES
from experiments.walk.check import STEP, TOLERANCE
from handnet.report.pages import environment
from handnet.study.store import write_whole

TEMPLATES = Path(__file__).parent.parent / "templates"


def write_walk(found: Walk, folder: Path) -> Path:
    """The walk as a page: one file, no script, nothing fetched."""
    page = (
        environment(True, TEMPLATES)
        .get_template("walk.html.j2")
        .render(
            title="The network by hand, with every number in view",
            walk=found,
            nicknames=NICKNAMES,
            given=GIVEN,
            step=STEP,
            tolerance=TOLERANCE,
        )
    )
    write_whole(folder / "walk.html", page.encode())
    return folder / "walk.html"
