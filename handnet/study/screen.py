"""What a person sees in the terminal: progress while it runs, one screen when it is done."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from handnet.bands.simulated import Simulated
from handnet.messages import command, option
from handnet.report.case_words import TOO_FEW_SEEDS, CaseWords, words_of
from handnet.report.main_table import TELLING, expected, min_to_max, trained_on
from handnet.report.model_words import missing, studied
from handnet.report.tables import label_of, on_screen, over_seeds, rows_of
from handnet.report.words import UNSEEN, cases_of, in_band, interval, percent, short

ACTING = {sign: mark for sign, mark in UNSEEN.items() if chr(sign) != "\n"}
SILENCE = 5.0  # seconds between two lines of progress where there is no terminal to draw on


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
    """A console on which no name can move the cursor, ring the bell or reverse the text: users give names."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """What is shown, with a mark in place of each character that is not seen but acts."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(segment.text.translate(ACTING), segment.style)


class Screen:
    """Progress on stderr, results on stdout, so that results can be piped."""

    def __init__(self, quiet: bool = False) -> None:
        """quiet: show nothing at all."""
        self.out = Quiet(soft_wrap=True, highlight=False, quiet=quiet)
        self.width = max(self.out.width, 80)  # of text
        self.out.width = max(self.out.width, 120)  # of tables: one cut short would cut a number short
        self.err = Quiet(stderr=True, highlight=False, quiet=quiet)

    def say(self, sentence: str) -> None:
        """One line of news."""
        self.err.print(sentence, markup=False, soft_wrap=True)

    @contextmanager
    def progress(self, what: str, total: int, done: int, tell_end: bool = True) -> Iterator["Bar"]:
        """A bar with counts, elapsed and remaining time.

        Without a terminal there is a line now and then, and one at the end if tell_end.
        """
        counts = (
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
        )
        with self._bars(*counts) as bars:
            task = bars.add_task(what, total=total, completed=done, news="")
            yield Bar(self, bars, task, what, total, done, tell_end)

    @contextmanager
    def waiting(self, what: str) -> Iterator[Callable[[str], None]]:
        """Something whose end nobody can tell: what it is at, and for how long; gives what tells it."""
        with self._bars(TimeElapsedColumn()) as bars:
            task = bars.add_task(what, total=None, news="")

            def tell(news: str) -> None:
                bars.update(task, news=news)
                if not self.err.is_terminal:
                    self.say(f"{what}: {news}")

            yield tell

    def _bars(self, *columns: ProgressColumn) -> Progress:
        between = (TextColumn("{task.description}"), *columns, TextColumn("{task.fields[news]}"))
        return Progress(*between, console=self.err, transient=True, disable=not self.err.is_terminal)

    def print(self, text: str) -> None:
        """Text as it stands: what looks like markup in a name is none."""
        self.out.print(text, markup=False)

    def summary(self, facts: Mapping[str, Any], where: str, openings: int, default: bool) -> None:
        """The band tables, where to look next, and nothing that the report does not also say.

        where: the folder of the report; openings: of these very test rows, by any study; default: whether
        commands find this study without its name.
        """
        for part in ("val", "test"):
            rows = rows_of(facts, part, on_screen(facts))
            if rows:
                self.out.print(_band_table(facts, part, rows))
        for sentence in (facts["verdict"], *facts["statements"]):
            self.print(f"\n{sentence}")
        self.out.print(_opening(facts, openings))
        self.print(f"Report:   {where}/report.html (also .md and .json)\nMLflow:   {command('ui')}")
        part = "test" if facts["opening"] else "val"
        worst = [row for row in facts["missed"] if row["role"] == "winner" and row["part"] == part]
        for row in [*worst, *(row for row in facts["watched"] if row["part"])][:1]:
            name = {} if default else {"name": facts["study"]}
            self.print(f"A case:   {command('case', id=row['case'], **name)}")

    def simulated(self, rows: Sequence[Simulated]) -> None:
        """How often each band held the truth, and each rule found a difference where there was none."""
        grid = _table("", "setting", "nominal", "found", "error", "studies")
        for row in rows:
            shares = map(percent, (row.nominal, row.found, row.error))
            grid.add_row(row.what, row.setting, *shares, str(row.studies))
        self.out.print(grid)

    def case(self, facts: Mapping[str, Any], page: Path | None) -> None:
        """One case: what each configuration says of it, its story, what carried it, and its page, if any."""
        words = words_of(facts["judged"])
        self.print(f"Case #{facts['case']} {words.states(facts)} and is in the {facts['part']} part.")
        if not facts["scores"]:
            sealed = "That part is sealed: scores are shown after the opening."
            trained = f"What the {studied(facts).units} say of rows they were trained on is not kept."
            told = sealed if facts.get("sealed", True) else TOO_FEW_SEEDS
            self.print(trained if facts["part"] == "train" else told)
            return
        if facts["part"] == "train":
            self.print(f"The {studied(facts).units} below were trained on it.")
        for row in facts["scores"]:
            self.print(f"{row['role']}: {words.row(row)}.")
        self.print(f"Most unusual: {facts['scores'][0]['extremes']}.")
        if facts["story"]:
            self.print(f"\n{facts['story']['sentence']}\n")
            self.out.print(_credit_table(facts["story"], words))
        if page:
            self.print(f"Page:   {page}")

    def times(self, seconds: Mapping[str, float]) -> None:
        """The time split of this command."""
        split = ", ".join(f"{name} {value:.1f}" for name, value in seconds.items())
        self.print(f"Seconds:  {split}; {sum(seconds.values()):.1f} in all")


class Bar:
    """One running progress bar."""

    def __init__(
        self, screen: Screen, bars: Progress, task: Any, what: str, total: int, done: int, tell_end: bool
    ) -> None:
        self.screen, self.bars, self.task, self.what = screen, bars, task, what
        self.total, self.done, self.tell_end = total, done, tell_end
        self.spoke = time.monotonic()

    def advance(self, more: int, news: str) -> None:
        """So many more are done."""
        self.done += more
        self.bars.update(self.task, completed=self.done, news=news)
        due = time.monotonic() - self.spoke > SILENCE or (self.tell_end and self.done == self.total)
        if more and due and not self.screen.err.is_terminal:
            self.spoke = time.monotonic()
            self.screen.say(f"{self.what}: {self.done} of {self.total}{f'; {news}' if news else ''}")

    def reach(self, done: int, total: int) -> None:
        """So many are done, of a number that becomes known on the way."""
        if total != self.total:
            self.total = total
            self.bars.update(self.task, total=total)
        self.advance(done - self.done, "")


def _table(*headings: str, gap: int = 2, **style: Any) -> Table:
    """An empty table without lines. headings: plain text; gap: blanks between columns."""
    grid = Table(box=None, pad_edge=False, padding=(0, gap, 0, 0), **style)
    for heading in headings:
        grid.add_column(Text(heading), no_wrap=True)
    return grid


def _band_table(facts: Mapping[str, Any], part: str, rows: list[dict[str, Any]]) -> Table:
    """One part's bands, 80 columns wide: a section a score, a line a configuration."""
    splits = any("splits" in row for row in rows)
    headings = ["", "another seed", "expected"]
    headings += ["another split"] if splits else []
    # As Text, because [ is markup in a plain title.
    title = Text(f"\n{facts['study']}, {_cases(facts, part)};\n{trained_on(facts)}{_coverage(rows)}")
    grid = _table(*headings, gap=1, title=title, title_justify="left")
    for place, row in enumerate(rows):
        if place == 0 or rows[place - 1]["score"] != row["score"]:
            grid.add_row(Text(label_of(facts, row["score"])), style="bold")
        cells = [_seeds(row), in_band(row.get("both", row.get("cases")))]
        cells += [interval(row.get("splits"))] if splits else []
        grid.add_row(Text(f"  {row['name']}"), *map(Text, cells))
    return grid


def _cases(facts: Mapping[str, Any], part: str) -> str:
    """How many cases a part has, and what they were used for."""
    chosen = ", on which the winner was chosen" if part == "val" else ""
    return f"{cases_of(facts['split']['parts'][part], part)}{chosen}"


def _seeds(row: Mapping[str, Any]) -> str:
    """From least to most over seeds: counts of a share, a loss as it is."""
    told = over_seeds(row)
    return told[0] if "seeds" not in row or row.get("alike") else told[1]


def _coverage(rows: list[dict[str, Any]]) -> str:
    """What the bands are and hold, and of which configurations seeds diverged."""
    over = {row["role"]: row for row in rows if "extremes" in row}
    first = next((row["extremes"] for row in over.values() if not row.get("alike")), None)
    lines = [f"another seed: min to max of {first['n']}; {min_to_max(first)}"] if first else []
    lines += [f"  {_absent(row)}" for row in over.values() if row["extremes"]["diverged"]]
    lines += expected(rows)
    splits = next((row["splits"] for row in rows if "splits" in row), None)
    if splits:
        lines.append(
            f"another split: [.025, .975] of {splits['n']} divisions; holds {percent(splits['coverage'])} of"
            " further ones on average"
        )
    return "".join(f";\n{line}" for line in lines)


def _absent(row: Mapping[str, Any]) -> str:
    """How many seeds of a configuration have no score, and what min to max over the others holds."""
    band = row["extremes"]
    absent = missing(band["diverged"], band["n"] + band["diverged"], row["lost"])
    few = band["assured"] < TELLING
    held = f"{percent(band['coverage'])} on average" if few else percent(band["assured"])
    return f"{row['name']}: {absent}; of {band['n']} {held}"


def _opening(facts: Mapping[str, Any], openings: int) -> str:
    """Whether this study has read its test, and how often others did."""
    opening, cases = facts["opening"], facts["split"]["parts"]["test"]["cases"]
    if opening:
        return (
            f"\nTest set: this was opening {opening['ordinal']} of these rows in this folder's ledger"
            f" ({openings} so far), by which {opening['seen_before']} of its {cases} cases were in a test"
            " opened before."
        )
    others = f"{openings} opening{'' if openings == 1 else 's'} of these rows by others"
    return (
        f"\nTest set: this study has not read it ({others} in this folder's ledger). A study as large as the"
        f" default one opens it, or {option('open', True)}."
    )


def _credit_table(story: Mapping[str, Any], words: CaseWords) -> Table:
    """Where the credits start, each family's, the strongest first, and their sum."""
    name = story["credited"]
    grid = _table(f"credit on the {name}", "over seeds", "over splits", "clear", "alike", words.turns)
    start, own = (
        (Text(words.in_figures(story[end][name])), words.chance(story[end])) for end in ("start", "own")
    )
    grid.add_row(Text(words.start_row(story)), *start)
    for credit in story["credits"]:
        bands = (Text(words.in_figures(credit[over])) for over in ("seeds", "splits"))
        clear, turned = "yes" if credit["clear"] else "no", f"{credit['flipped']} of {story['wrong']}"
        grid.add_row(Text(short(credit["family"])), *bands, clear, words.figure(credit["nearest"]), turned)
    grid.add_row("sum: the case", *own)
    return grid
