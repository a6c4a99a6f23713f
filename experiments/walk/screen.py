"""What the walk looks like: in the terminal, 80 to 100 columns wide, and as a page without a script."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.table import Table
from rich.text import Text

from experiments.walk import Walk
from experiments.walk.check import STEP, TOLERANCE, Check
from experiments.walk.line import GIVEN, NICKNAMES, Section
from experiments.walk.patient import Patient, Unit
from handnet.report.pages import environment
from handnet.report.words import digits, number, part_name
from handnet.study.files import write_whole
from handnet.study.screen import Quiet

TEMPLATES = Path(__file__).parent.parent / "templates"


class Lesson:
    """Both walks on stdout, so that they can be piped."""

    def __init__(self) -> None:
        self.out = Quiet(soft_wrap=True, highlight=False)
        self.words = min(max(self.out.width, 80), 100)
        self.out.width = 100  # a table cut short would be a number cut short

    def show(self, lesson: Walk, page: str) -> None:
        """Every number, then what the checks say."""
        given = ", ".join(f"{name} = {value:g}" for name, value in GIVEN.items())
        self._say(f"The chapter's network: {given}", "bold")
        for section in lesson.chapter.sections:
            self._section(section)
        self._patient(lesson.patient, lesson.train)
        self._say(
            "\nWhat the chapter calls them: "
            + "; ".join(f"{word} = {its}" for word, its in NICKNAMES.items())
            + ".",
            "dim",
        )
        self._say("\nChecked by moving each weight a little and running the network again")
        for name, check in (("chapter", lesson.chapter.check), ("patient", lesson.patient.check)):
            self._verdict(name, check)
        if not lesson.agrees:
            self._say("THE CHECK FAILED: a slope is not what moving its weight gives.", "bold red")
        self.out.print(f"Page: {page}", markup=False)

    def _section(self, section: Section) -> None:
        self._say(f"\n{section.title}", "bold")
        if section.nickname:
            self._say(f"As the chapter tells it: {section.nickname}.", "dim")
        checked = any(line.measured is not None for line in section.lines)
        self._grid(
            ["", "how", "exact", "chapter", *(["measured"] if checked else [])],
            2,
            (
                [
                    line.name,
                    line.how,
                    digits(line.value),
                    f"{line.printed} {line.mark}".strip(),
                    *(
                        [digits(line.measured) + ("" if line.checked else " NO")]
                        if line.measured is not None
                        else []
                    ),
                ]
                for line in section.lines
            ),
        )
        for line in section.lines:
            if line.mark == "slip":
                self._say(
                    f"  slip: {line.name} is {digits(line.value)}, not {line.printed}: {line.slip}.", "yellow"
                )

    def _patient(self, walked: Patient, train: int) -> None:
        case, network = walked.case, walked.network
        why = f"of {train} train cases the one this network is most wrong about"
        why = why if case.chosen else f"{part_name(case.part)} part"
        self._say(f"\nOne patient: case #{case.name}, {case.label} ({why})", "bold")
        self._say(
            f"One network, no band: the chapter's recipe, seed {network.seed}; log loss"
            f" {number(network.train_loss)} on train, {number(network.val_loss)} on validation rows.\nTrain"
            " and validation cases only: the test part is sealed.\n"
        )
        headings = ["measurement", "in its own units", "train mean", "train deviation", "scaled"]
        columns = walked.columns
        self._grid(
            headings, 1, ([c.name, *(f"{value:.6g}" for value in c[1:4]), number(c.scaled)] for c in columns)
        )
        for depth, units in enumerate(walked.hidden, 1):
            self._say("")
            self._units(depth, units)
        self._say(
            f"\noutput: logit {digits(walked.z)}, score p = {digits(walked.p)}: the network says"
            f" {walked.called}\nlog loss {digits(walked.loss)}, error p - y = {digits(walked.error)}\n"
        )
        slopes = (
            [
                slope.name,
                number(slope.entered),
                number(slope.error),
                digits(slope.slope),
                digits(slope.measured),
            ]
            for slope in walked.slopes
        )
        self._grid(["largest slopes", "input", "error", "input * error", "measured"], 1, slopes)

    def _units(self, depth: int, units: Sequence[Unit]) -> None:
        """The units of one hidden layer, each a row."""
        headings = [f"hidden {depth}", "sum z", "activation a", "error at a", "error at z", ""]
        rows = (
            [unit.name, *(number(value) for value in unit[1:]), "" if unit.z > 0 else "shut"]
            for unit in units
        )
        self._grid(headings, 1, rows)

    def _verdict(self, name: str, check: Check) -> None:
        self._say(f"  {name}: {check.sentence}", "" if check.agrees else "bold red")

    def _grid(self, headings: Sequence[str], words: int, rows: Iterable[Sequence[str]]) -> None:
        grid = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
        for place, heading in enumerate(headings):
            grid.add_column(Text(heading), justify="left" if place < words else "right", no_wrap=True)
        for row in rows:
            grid.add_row(*map(Text, row))
        self.out.print(grid)

    def _say(self, text: str, style: str = "") -> None:
        self.out.print(Text(text, style), soft_wrap=False, width=self.words)


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
