"""The pages of the walk and of the claims: one file each, no script, nothing fetched."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from experiments.walk import Walk
from experiments.walk.chapter import GIVEN, NICKNAMES
from experiments.walk.check import STEP, TOLERANCE
from handnet.report import figures
from handnet.report.pages import environment, inline, to_json
from handnet.study.store import write_whole

TEMPLATES = Path(__file__).parent / "templates"


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


def write_claims(facts: Mapping[str, Any], folder: Path, name: str = "claims") -> Path:
    """Claims as one page and as JSON beside it, both of that name. Returns the page."""
    pictures = {}
    for one in facts["claims"]:
        sampled = [part for part in one["parts"] if part["band"]["kind"] != "exact"]
        if sampled:
            pictures[one["title"]] = inline(figures.margins(sampled))
    template = environment(True, TEMPLATES).get_template("claims.html.j2")
    page = template.render(facts=facts, pictures=pictures, title=facts["title"])
    write_whole(folder / f"{name}.json", to_json(facts).encode())
    write_whole(folder / f"{name}.html", page.encode())
    return folder / f"{name}.html"
