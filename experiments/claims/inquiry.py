"""Claims tried together: progress while they are tried, then the table in the terminal, the page and the
JSON."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from experiments.claims.claim import Claim, count_verdicts
from experiments.figures import margins
from handnet.report.drawing import inline
from handnet.report.pages import environment, to_json
from handnet.report.words import measured, over
from handnet.study.files import write_whole
from handnet.study.screen import Screen

TEMPLATES = Path(__file__).parent.parent / "templates"


@dataclass(frozen=True)
class Inquiry:
    """Claims to be tried in order, and what their page says of all of them.

    name: of the folder, the page and the JSON.
    noun: what the page calls the claims.
    source, where, rule: whose claims they are, on which rows they are tried, how a verdict comes about.
    divisions: how often the rows are divided anew.
    """

    name: str
    title: str
    noun: str
    source: str
    where: str
    rule: str
    divisions: int
    trials: Sequence[Callable[[], Claim]]

    def facts(self, claims: Sequence[Claim]) -> dict[str, Any]:
        """The claims, once tried, and all that the page says, as plain values."""
        return {
            "title": self.title,
            "source": self.source,
            "summary": count_verdicts(claims, self.noun),
            "where": self.where,
            "rule": self.rule,
            "divisions": self.divisions,
            "claims": [claim.facts() for claim in claims],
        }


def run_inquiry(inquiry: Inquiry, home: Path) -> None:
    """Try every claim, write the page into a folder of home, and print the table."""
    folder, screen, claims = home / inquiry.name, Screen(), []
    folder.mkdir(parents=True, exist_ok=True)  # a disk that cannot be written is reported before the minutes
    with screen.progress(inquiry.name, len(inquiry.trials), 0) as bar:
        for trial in inquiry.trials:
            claims.append(trial())
            bar.advance(1, claims[-1].title)
    facts = inquiry.facts(claims)
    show(screen, facts, write_page(facts, folder, inquiry.name))


def write_page(facts: Mapping[str, Any], folder: Path, name: str) -> Path:
    """Write claims as one page and as JSON beside it, both of that name. Returns the page."""
    pictures = {}
    for claim in facts["claims"]:
        sampled = [part for part in claim["parts"] if part["band"]["kind"] != "exact"]
        if sampled:
            pictures[claim["title"]] = inline(margins(sampled))
    template = environment(True, TEMPLATES).get_template("claims.html.j2")
    html = template.render(facts=facts, pictures=pictures, title=facts["title"])
    write_whole(folder / f"{name}.json", to_json(facts).encode())
    write_whole(folder / f"{name}.html", html.encode())
    return folder / f"{name}.html"


def show(screen: Screen, facts: Mapping[str, Any], page: Path) -> None:
    """Print every claim with its verdict, and under it each part: the band, the region and the power."""
    grid = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), width=min(screen.width, 120))
    grid.add_column("verdict", width=16, no_wrap=True)
    grid.add_column("claim, and what was measured", ratio=1)
    for claim in facts["claims"]:
        grid.add_row(Text(claim["verdict"], style="bold"), Text(claim["title"], style="bold"))
        for part in claim["parts"]:
            verdict = f"  {part['verdict']}" if len(claim["parts"]) > 1 else ""
            power = f"; power {part['power']:.2f}" if part["band"]["kind"] != "exact" else ""
            band = f"{measured(part['band'])}; right if {part['right']} ({over(part['band'])}{power})"
            grid.add_row(Text(verdict, style="dim"), Text.assemble(part["what"], "\n", (band, "dim")))
    screen.out.print(grid, soft_wrap=False)
    screen.out.print(f"\n{facts['summary']}\nPage:   {page} (and {page.stem}.json)", markup=False)
