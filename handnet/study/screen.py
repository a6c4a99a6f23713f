"""What a person sees in the terminal: progress while it runs, one screen when it is done."""

import shlex
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from handnet.bands.simulated import Simulated
from handnet.report.tables import rows_of
from handnet.report.words import UNSEEN, interval, label, middle, number, of_class, percent, short

ACTING = {sign: mark for sign, mark in UNSEEN.items() if chr(sign) != "\n"}
SILENCE = 5.0  # seconds between two lines of progress where there is no terminal to draw on
SHOWN = ("accuracy", "sensitivity", "specificity", "log_loss")


class Clock:
    """Seconds by activity. Activities do not nest: the inner one's time is taken off the outer's."""

    def __init__(self, started: float) -> None:
        """started: time.perf_counter() when the command began; all until now was start-up."""
        self.seconds: dict[str, float] = {"start-up": time.perf_counter() - started}
        self._open: list[float] = []

    @contextmanager
    def __call__(self, activity: str) -> Iterator[None]:
        started = time.perf_counter()
        self._open.append(0.0)
        try:
            yield
        finally:
            spent = time.perf_counter() - started
            inner = self._open.pop()
            self.seconds[activity] = self.seconds.get(activity, 0.0) + spent - inner
            if self._open:
                self._open[-1] += spent


class Quiet(Console):
    """A console on which a name moves no cursor, rings no bell and turns nothing round: names come from
    users."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """What is shown, with a mark in place of each character that is not seen but acts."""
        for one in super().render(renderable, options):
            yield one if one.control else Segment(one.text.translate(ACTING), one.style)


class Screen:
    """Progress on stderr, results on stdout, so that results can be piped."""

    def __init__(self) -> None:
        self.out = Quiet(soft_wrap=True, highlight=False)
        self.width = max(self.out.width, 80)  # for what is made of words
        self.out.width = max(self.out.width, 120)  # a table cut short would be a number cut short
        self.err = Quiet(stderr=True, highlight=False)

    def say(self, sentence: str) -> None:
        """One line of news."""
        self.err.print(sentence, markup=False, soft_wrap=True)

    @contextmanager
    def progress(self, what: str, total: int, done: int, tell_end: bool = True) -> Iterator["Bar"]:
        """A bar with counts, elapsed and remaining time; without a terminal, a line now and then, and one at
        the end if told to."""
        columns = [
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[news]}"),
        ]
        with Progress(*columns, console=self.err, transient=True, disable=not self.err.is_terminal) as bars:
            task = bars.add_task(what, total=total, completed=done, news="")
            yield Bar(self, bars, task, what, total, done, tell_end)

    @contextmanager
    def waiting(self, what: str) -> Iterator[Callable[[str], None]]:
        """Something whose end nobody can tell: what it is at, and for how long."""
        columns = [TextColumn("{task.description}"), TimeElapsedColumn(), TextColumn("{task.fields[news]}")]
        with Progress(*columns, console=self.err, transient=True, disable=not self.err.is_terminal) as bars:
            task = bars.add_task(what, total=None, news="")

            def say(news: str) -> None:
                bars.update(task, news=news)
                if not self.err.is_terminal:
                    self.say(f"{what}: {news}")

            yield say

    def summary(self, facts: Mapping[str, Any], where: str, openings: int, default: bool) -> None:
        """The band tables, where to look next, and nothing that the report does not also say."""
        name = "" if default else f" NAME={facts['study']}"
        for part in ("val", "test"):
            rows = rows_of(facts, part, SHOWN)
            if rows:
                self.out.print(_band_table(facts, part, rows))
        for line in (facts["verdict"], *facts["statements"]):
            self.out.print(f"\n{line}", markup=False)
        opening, test = facts["opening"], facts["split"]["parts"]["test"]["cases"]
        if opening:
            self.out.print(
                f"\nTest set: this was opening {opening['ordinal']} of these rows ({openings} so far in this"
                f" folder's ledger); {opening['seen_before']} of its {test} cases were in a test opened"
                " before."
            )
        else:
            self.out.print(
                f"\nTest set: this study has not read it ({openings} openings of these rows by others). A"
                " study as large as study.toml opens it, or OPEN=1."
            )
        worst = [
            row["case"]
            for row in facts["missed"]
            if row["role"] == "winner" and row["part"] == ("test" if opening else "val")
        ]
        watched = [one["case"] for one in facts["watched"] if one["part"]]
        case = next(iter([*worst, *watched]), None)
        self.out.print(f"Report:   {where}/report.html (also .md and .json)\nMLflow:   make ui", markup=False)
        if case is not None:
            self.out.print(
                f"A case:   make case ID={shlex.quote(case).replace('$', '$$')}{name}", markup=False
            )

    def simulated(self, found: Sequence[Simulated]) -> None:
        """How often each band held and each rule cried wolf."""
        grid = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
        for heading in ("", "setting", "nominal", "found", "error", "studies"):
            grid.add_column(heading, no_wrap=True)
        for row in found:
            shares = map(percent, (row.nominal, row.found, row.error))
            grid.add_row(row.what, row.setting, *shares, str(row.studies))
        self.out.print(grid)

    def case(self, facts: Mapping[str, Any], page: str) -> None:
        """One case: its story, what carried it, what each configuration says of it."""
        self.out.print(
            f"Case #{facts['case']} is {of_class(facts['class'])} and is in the {facts['part']} part.",
            markup=False,
        )
        if not facts["scores"]:
            self.out.print("That part is sealed: scores are shown after the opening.")
            return
        if facts["part"] == "train":
            self.out.print("The networks below were trained on it.")
        for one in facts["scores"]:
            band = f"{number(one['score_median'])} [{number(one['score_low'])}, {number(one['score_high'])}]"
            self.out.print(
                f"{one['role']}: score {band}, quantiles .025 to .975 over {one['seeds']} seeds; "
                f"called wrong by {one['misses']} of {one['seeds']}.",
                markup=False,
            )
        self.out.print(f"Most unusual: {facts['scores'][0]['extremes']}.", markup=False)
        if facts["story"]:
            self.out.print(f"\n{facts['story']['sentence']}\n", markup=False)
            self.out.print(_credit_table(facts["story"]))
        self.out.print(f"Page:   {page}", markup=False)

    def times(self, seconds: Mapping[str, float]) -> None:
        """The time split of this command."""
        split = ", ".join(f"{name} {value:.1f}" for name, value in seconds.items())
        self.out.print(f"Seconds:  {split}; {sum(seconds.values()):.1f} in all", markup=False)


class Bar:
    """One running progress bar."""

    def __init__(
        self, screen: Screen, bars: Progress, task: Any, what: str, total: int, done: int, tell_end: bool
    ) -> None:
        self.screen, self.bars, self.task, self.what, self.total, self.done = (
            screen,
            bars,
            task,
            what,
            total,
            done,
        )
        self.tell_end = tell_end
        self.spoke = time.monotonic()

    def advance(self, more: int, news: str) -> None:
        """So many more are done."""
        self.done += more
        self.bars.update(self.task, completed=self.done, news=news)
        due = time.monotonic() - self.spoke > SILENCE or (self.tell_end and self.done == self.total)
        if more and due and not self.screen.err.is_terminal:
            self.spoke = time.monotonic()
            self.screen.say(f"{self.what}: {self.done} of {self.total}; {news}")


def _band_table(facts: Mapping[str, Any], part: str, rows: list[dict[str, Any]]) -> Table:
    """One part's bands, 80 columns wide: a section a score, a line a configuration."""
    cases = facts["split"]["parts"][part]["cases"]
    what = "validation cases, on which the winner was chosen" if part == "val" else f"{part} cases"
    first = next((row["seeds"] for row in rows if "seeds" in row), None)
    title = Text(
        f"\n{facts['study']}, {cases} {what}{_coverage(first, rows)}"
    )  # [ is markup in a plain title
    grid = Table(title=title, title_justify="left", box=None, pad_edge=False, padding=(0, 1, 0, 0))
    splits = next((row["splits"] for row in rows if "splits" in row), None)
    cases_too = "seed and cases" if any("both" in row for row in rows) else "other cases"
    headings = ["", "another seed", cases_too, *(["another split"] if splits else [])]
    for heading in headings:
        grid.add_column(Text(heading), no_wrap=True)
    for place, row in enumerate(rows):
        seeds, both = row.get("seeds"), row.get("both", row.get("cases"))
        if place == 0 or rows[place - 1]["score"] != row["score"]:
            grid.add_row(label(row["score"]), style="bold")
        grid.add_row(
            Text(f"  {row['role']}"),
            Text(f"{middle(seeds)} {interval(seeds)}" if seeds else "no seed" if both else "-"),
            Text(f"{middle(both)} {interval(both)}" if both else "-"),
            *(
                [Text(f"{middle(row['splits'])} {interval(row['splits'])}" if "splits" in row else "-")]
                if splits
                else []
            ),
        )
        if seeds and first and seeds["n"] != first["n"]:
            grid.add_row(
                Text(
                    f"    over {seeds['n']} seeds, covers {seeds['coverage']:.1%}; {seeds['diverged']}"
                    " diverged"
                )
            )
    return grid


def _coverage(first: Mapping[str, Any] | None, rows: list[dict[str, Any]]) -> str:
    """What the bands are and cover; a row over another number of seeds says so itself."""
    if first is None:
        return ""
    lost = f" ({first['diverged']} diverged)" if first["diverged"] else ""
    both = next((row["both"] for row in rows if "both" in row), None)
    splits = next((row["splits"] for row in rows if "splits" in row), None)
    said = [
        f"another seed: median [.025, .975] over {first['n']} seeds{lost}, covers {first['coverage']:.1%} of"
        " further ones"
    ]
    if both:
        said.append("seed and cases: mean [95 %], both at once; without a seed, over cases alone")
    else:
        said.append("other cases: mean over seeds [95 %] over cases")
    if splits:
        said.append(
            f"another split: median [.025, .975] over {splits['n']} fresh divisions, covers"
            f" {splits['coverage']:.1%}"
        )
    return ";\n" + ";\n".join(said)


def _credit_table(story: Mapping[str, Any]) -> Table:
    """Each family's credit on the logit, the strongest first."""
    grid = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in ("credit on the logit", "over seeds", "over splits", "clear of 0", "turns the call alone"):
        grid.add_column(Text(heading), no_wrap=True)
    for one in story["credits"]:
        splits = one["splits"]
        grid.add_row(
            Text(short(one["family"])),
            Text(f"{middle(one['seeds'])} {interval(one['seeds'])}"),
            Text(f"{middle(splits)} {interval(splits)}" if splits else "-"),
            "yes" if one["clear"] else "no",
            f"{one['flipped']} of {story['misses']}",
        )
    return grid
