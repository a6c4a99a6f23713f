"""A study by one call, from a script or a notebook: `run_study`, and what it gives."""

import json
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from handnet.messages import stored_in, typed
from handnet.study.arguments import as_typed, check_arguments, table_file, to_settings
from handnet.study.chosen_models import with_models
from handnet.study.given_models import Chosen
from handnet.study.interrupt import Interrupt, Stopped
from handnet.study.options import settings_and_table

if TYPE_CHECKING:
    import pandas as pd

    from handnet.data import Dataset
    from handnet.report.tables import Grid
    from handnet.study.screen import Screen
    from handnet.study.study import Study

NOT_INSTALLED = 'a study needs {}, which is not installed; pip install "handnet[study]" adds it.'
GOES_ON = "Stopped: all finished seeds and trials are kept; the same call goes on from here."
DONE = "Stopped at the end of the study: all of it is kept; the same call gives its result."


class BandRow(NamedTuple):
    """One interval of the report.

    role: of the configuration; part: val, test, gap or rehearsal; kind: how it was made; varied: what differs
    between the values it holds; coverage: the share of such values it holds; n: how many it is made from;
    centre: the mean, None where there is none; estimand: what the interval is for; assured: of a band over
    seeds or splits, the share of further ones that it holds with confidence .95."""

    role: str
    part: str
    score: str
    low: float | None
    centre: float | None
    high: float | None
    kind: str
    varied: str
    coverage: float | None
    n: int
    diverged: int
    estimand: str
    assured: float | None


class BandRows(list[BandRow]):
    """Rows of bands."""

    def to_frame(self) -> "pd.DataFrame":
        """One row a band, one column a field of BandRow."""
        import pandas as pd

        return pd.DataFrame(self, columns=list(BandRow._fields))


class StudyResult:
    """What a study found. A notebook shows it as its verdict, its bands and a link to the report.

    facts: the content of report.json (docs/report-json.md); report: the path of report.html; unsent: how many
    runs are not known to be on the server, if there is one."""

    def __init__(self, facts: Mapping[str, Any], folder: Path, unsent: int = 0) -> None:
        self.facts: dict[str, Any] = json.loads(json.dumps(facts))
        self.report, self.unsent = folder / "report.html", unsent

    @property
    def name(self) -> str:
        """The study's name in its folder."""
        return str(self.facts["study"])

    @property
    def verdict(self) -> str:
        """The verdict, in sentences that carry their bands."""
        return str(self.facts["verdict"])

    def bands(self) -> BandRows:
        """Every band of the report: over seeds, over cases, over both, over fresh divisions."""
        rows = []
        for band in self.facts["bands"]:
            centre = next(iter(band["centres"].values()), None)
            rows.append(
                BandRow(**{name: band[name] for name in BandRow._fields if name in band}, centre=centre)
            )
        return BandRows(rows)

    @property
    def cases(self) -> "pd.DataFrame":
        """The cases that some network calls wrong: one row a case and configuration, the winner's first."""
        import pandas as pd

        return pd.DataFrame(self.facts["missed"])

    def __repr__(self) -> str:
        return f"StudyResult({self.name!r}, report={str(self.report)!r})\n{self.verdict}"

    def _repr_html_(self) -> str:
        from handnet.report.main_table import band_table
        from handnet.report.tables import graded_parts

        grids = [band_table(self.facts, part) for part in graded_parts(self.facts)]
        tables = "".join(_html(grid, folded=place > 0) for place, grid in enumerate(grids))
        link = escape(os.path.relpath(self.report))  # a notebook serves what lies below it
        return (
            f"<p>{escape(self.verdict)}</p>{tables}"
            f'<p><a href="{link}" target="_blank">The report</a> of the study {escape(self.name)}</p>'
        )


def run_study(
    data: "pd.DataFrame | Dataset | str | Path | None" = None,
    *,
    target: str | None = None,
    positive: object = None,
    id: str | None = None,
    model: object = None,
    space: object = None,
    fixed: Mapping[str, Any] | None = None,
    inputs: object = None,
    home: str | Path = "mlruns",
    name: str | None = None,
    settings: str | Path | None = None,
    open_test: bool = False,
    server: str | None = None,
    executor: str = "threads",
    workers: int = 0,
    progress: "bool | Screen" = True,
    **options: object,
) -> StudyResult:
    """Search, confirm, open the test, report; or go on with a study that was stopped.

    data: a DataFrame, a Dataset, the path of a file, or the name of a built-in table, "wisconsin" by default.
    A DataFrame, without its index, or a Dataset is written once to `home`, for other commands to read.
    target, positive, id: of your own table, the column of labels, the label of class 1, the column of ids.
    model, space, fixed, inputs: what is studied, what of it is searched and what not; see `Chosen`.
    home: the folder where everything is written; settings: a file to lay over the default settings; name: by
    default the table's, with a fingerprint where settings differ; open_test: open the test of a small study
    too; server: the address of an MLflow server that gets every run too; progress: False for silence;
    executor, workers: "threads", or "processes", for which a script needs its main guard, and how many, 0 for
    one on each core. No result depends on these two. options: every other option of `handnet study` (trials,
    ...), families as a dictionary of lists of columns, and any setting: ``**{"space.epochs.high": 100}``.
    In the whole process MLflow's autologging is off, its variables and loggers the study's, until it returns.
    Raises handnet.Refusal, one sentence that says what to do, when the study cannot be made, and
    KeyboardInterrupt at the next safe place after Ctrl-C: the same call goes on from there."""
    named = {"target": target, "positive": positive, "id": id, **options}
    given = Chosen(model, space, fixed, inputs)
    request = settings, Path(home), name, open_test, server or "", executor, workers
    return _asked(data, named, given, request, progress)


def _asked(
    data: "pd.DataFrame | Dataset | str | Path | None",
    named: Mapping[str, object],
    given: Chosen,
    request: tuple[str | Path | None, Path, str | None, bool, str, str, int],
    progress: "bool | Screen",
) -> StudyResult:
    """The study that was asked for. named: what are settings; request: what else `prepare_study` takes."""
    settings, home, name, open_test, server, *_ = request
    shown = {**named, **given.shown(), "name": name, "settings": settings, "open": open_test or None}
    with stored_in(str(home)), typed("study", as_typed(data, shown)), _this_process() as interrupt:
        check_arguments(data, named, settings, server)
        models, objects = given.models()
        with table_file(data, home, named, settings, models) as (path, described):
            chosen, screen = to_settings(path, described), _screen(progress)
            study = prepare_study(chosen, *request, screen, interrupt, None, models, objects)
            study.name  # noqa: B018 - made from all that may still be refused
        return _result(study)


def prepare_study(
    chosen: Mapping[str, str],
    settings: str | Path | None,
    home: Path,
    name: str | None,
    open_test: bool,
    server: str,
    executor: str,
    workers: int,
    screen: "Screen | None" = None,
    interrupt: Interrupt | None = None,
    started: float | None = None,
    models: Sequence[Mapping[str, Any]] = (),
    given: Mapping[str, object] | None = None,
) -> "Study":
    """A study that is ready to run, and has read nothing but its table.

    chosen: dotted key -> text of every setting that differs from those of the file `settings`, or from the
    default ones. server: an address, or an empty text. screen: one of its own unless given. interrupt: the
    signals it obeys; Ctrl-C and SIGTERM unless given. started: time.perf_counter() when the work began.
    models: tables of models, as settings have them; given: by name, objects in place of their sources. The
    other arguments are those of `run_study`. Raises Refusal."""
    from handnet.study.reading import server_address

    stated, table = settings_and_table(chosen, settings, screen.say if screen else None, models)
    stated, made = with_models(stated, table, given or {})
    address = server_address(server)
    if screen is None:
        say_loading()
    from handnet.study.identity import Request
    from handnet.study.screen import Clock, Screen
    from handnet.study.study import Study

    clock = Clock(time.perf_counter() if started is None else started)
    request = Request(stated, home, name, open_test, address, table, executor, workers, made)
    return Study(request, clock, screen or Screen(), interrupt)


def _check_guarded() -> None:
    """End a process that has just been started and only imports the script that started it.

    It has come to a study because no main guard kept it away. Raises SystemExit."""
    imported = sys.modules["__mp_main__"].__name__ == "__mp_main__"
    if imported and multiprocessing.parent_process() is None:
        sys.exit('run_study: a script that starts processes needs `if __name__ == "__main__":` above it.')


@contextmanager
def _this_process() -> Iterator[Interrupt]:
    """Lend the process to a study, with Ctrl-C caught, and say in Python's terms why the study ended."""
    _check_guarded()
    from handnet.study.environment import lent_environment, without_autologging

    interrupt = Interrupt((signal.SIGINT,))
    try:
        with lent_environment(), without_autologging():
            yield interrupt
    except ModuleNotFoundError as fault:
        package = str(fault.name).partition(".")[0]
        raise ModuleNotFoundError(NOT_INSTALLED.format(package), name=fault.name) from None
    except Stopped:
        raise KeyboardInterrupt(GOES_ON) from None
    if interrupt.number:
        raise KeyboardInterrupt(DONE)


def say_loading() -> None:
    """Say on a terminal why nothing is to be seen yet."""
    if sys.stderr.isatty():
        print("Loading MLflow, Optuna and scikit-learn ...", end="\r", file=sys.stderr, flush=True)


def _screen(progress: "bool | Screen") -> "Screen":
    from handnet.study.screen import Screen

    return progress if isinstance(progress, Screen) else Screen(quiet=not progress)


def _result(study: "Study") -> StudyResult:
    """Run the study."""
    from handnet.study.environment import without_autologging

    with without_autologging():  # of what has been imported for it since
        facts = study.run()
    lacking = study.tracking.status
    for one in lacking:
        study.screen.say(one.sentence)
    return StudyResult(facts, study.folder, sum(one.missing for one in lacking))


def _html(grid: "Grid", folded: bool) -> str:
    """A table of the report, with what it says of its coverage above it."""
    head = "".join(f"<th>{escape(heading)}</th>" for heading in grid.headings)
    rows = ("".join(f"<td>{escape(cell)}</td>" for cell in row) for row in grid.rows)
    body = "".join(f"<tr>{row}</tr>" for row in rows)
    state = "" if folded else " open"
    return (
        f"<details{state}><summary>{escape(grid.title)}</summary><p>{escape(grid.before)}</p>"
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></details>"
    )
