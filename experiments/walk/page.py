"""The page of the walk: one file, no script, nothing fetched."""

from pathlib import Path

from experiments.walk import Walk
from experiments.walk.check import STEP, TOLERANCE
from experiments.walk.line import GIVEN, NICKNAMES
from handnet.report.pages import environment
from handnet.study.store import write_whole

TEMPLATES = Path(__file__).parent.parent / "templates"


def write_walk(lesson: Walk, folder: Path) -> Path:
    """Write the walk as walk.html into a folder. Returns the page."""
    page = (
        environment(True, TEMPLATES)
        .get_template("walk.html.j2")
        .render(
            title="The network by hand, with every number in view",
            walk=lesson,
            nicknames=NICKNAMES,
            given=GIVEN,
            step=STEP,
            tolerance=TOLERANCE,
        )
    )
    write_whole(folder / "walk.html", page.encode())
    return folder / "walk.html"
