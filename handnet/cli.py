"""The command `handnet`: each verb is a door to the library.

A verb imports the heavy packages it needs once its words are understood."""

import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

import handnet
from handnet import command as commands
from handnet import messages
from handnet.command import Group, Whole, command, option
from handnet.endings import GOES_ON
from handnet.making import makes_a_study, named
from handnet.messages import Refusal
from handnet.report.words import visible
from handnet.sealing import check_seal
from handnet.study.chosen_models import models_of, with_models
from handnet.study.options import overrides, settings_and_table, settings_section
from handnet.verbs import bands, compare, gate, predict

if TYPE_CHECKING:
    from handnet.study.outcome import StoredStudy
    from handnet.study.study import Study

STARTED = time.perf_counter()
STORED = "everything stored is kept; the same command begins anew"
TRY = {"search.trials": "3", "search.seeds": "2", "confirm.seeds": "5"}
COMPLETION = """\
To have the shell complete words, in ~/.bashrc (or zsh_source, fish_source):

\b
eval "$(_HANDNET_COMPLETE=bash_source handnet)"
"""

program = Group(
    "handnet", help="The honest band around every number a small network prints.", epilog=COMPLETION
)
click.version_option(handnet.__version__, prog_name="handnet", message="%(prog)s %(version)s")(program)
moved = option("--data", type=click.Path(), metavar="FILE", help="where its table is now, if that was moved")


def main(words: Sequence[str] | None = None) -> int:
    """Run one verb. Returns the exit code."""
    return commands.main(program, words)


def run(words: Sequence[str] | None = None) -> NoReturn:
    """The command as a whole process."""
    commands.run(program, words)


@command("study", GOES_ON, program, settings_section)
@makes_a_study
def study(**options: Any) -> int:
    """Search, confirm, open the test, report; or go on with it.

    A study tries configurations, each trained on the same search seeds, and ranks them by mean validation log
    loss. The best is frozen and trained again on fresh seeds, beside the recipes of the settings file. Then
    the sealed test is opened, once, and counted. Everything goes to MLflow and into a report. Stop or kill it
    whenever you like: the same command goes on from there, with the same numbers.

      handnet study   about a minute on two cores
      handnet study --design sobol --trials 64   points fixed beforehand
      handnet study space.epochs.high=300   any setting; another study
      handnet study --trials 60   grow it, until its test is open
      handnet study --trials 20 --open   open a small study's test too
      handnet study wine   another built-in table: wine and digits have many classes, diabetes a number
      handnet study my.csv --target diagnosis --positive M --id patient   a table of your own
      handnet study my.csv --target weight --check   what that would do, how long; the target is a number
      handnet study --model sklearn:sklearn.svm.SVC --space C=0.1..10.0   any model, any space
      handnet study --model sklearn:mymodel.py:pipe --inputs raw   a pipeline of yours that encodes by itself
      handnet study --model mlp --model sklearn:sklearn.naive_bayes.GaussianNB   two, compared in pairs

    With MLFLOW_TRACKING_URI=http://... in the environment that server gets every run too. If it does not
    answer, nothing is lost: `track` sends what it lacks.

    Exit codes: 0 done, 1 failed, 2 not understood, 75 another study is writing or a server lacks runs, 130
    and 143 stopped; make itself turns all but 0 into 2.
    """
    return _run(options, {})


@command("try", GOES_ON, program, settings_section)
@makes_a_study
def try_out(**options: Any) -> int:
    """The whole path in seconds, small, the test left sealed.

    A study of three configurations, two seeds, five confirmation seeds. Everything that may follow `study`
    may follow here too.

      handnet try   the built-in table
      handnet try my.csv --target diagnosis --positive M   a table of your own
    """
    return _run(options, TRY)


@command("report", STORED, program)
@named
@moved
def report(mlruns: str, name: str | None, data: str | None) -> None:
    """Compute the report of a finished study anew from what is stored.

    From the stored logits of every seed. Nothing is trained and no new opening is made.
    """
    study = _stored(mlruns, name, data)
    _show(study, study.read())


@command("case", STORED, program)
@option("--id", bare=True, metavar="ID", help="the case's id: for wisconsin its row number, from 0")
@named
@moved
def case(mlruns: str, id: str | None, name: str | None, data: str | None) -> None:
    """One case: what the confirmed networks say of it, and why.

    Which part it fell into, each configuration's score in its band, how many seeds call it wrong, and what
    carried them there; also as a page beside the report.

      handnet case --id 203   a case of the default study
      handnet case --id 203 --name wisconsin-1a2b3c4d   of the study of that name
    """
    if id is None:
        raise Refusal(f"which case? Its id is wanted: {messages.command('case', id=203)}.")
    study = _stored(mlruns, name, data)
    facts = study.case(id)
    if facts["part"] is None:
        data, ids = study.problem.data.name, study.problem.data.case_ids
        raise Refusal(f"there is no case {id!r} in {data}; its ids run from {ids[0]} to {ids[-1]}.")
    from handnet.report.pages import write_case

    page = None
    with study.writing_pages():
        page = write_case(facts, study.name, study.folder)
    study.screen.case(facts, page)


for verb in (bands, compare, gate, predict, check_seal):
    program.add_command(verb)


@command("ui", "everything stored is kept; the same command opens the pages", program)
@option("--port", type=Whole(1024, 65534), default="5000", help="on 127.0.0.1 (5000)")
def ui(mlruns: str, port: int) -> int:
    """MLflow's pages, on this machine only.

    It prints a link to the configurations of every study. From another machine:

    ssh -L 5000:127.0.0.1:5000 user@this-machine
    """
    from handnet.study.ui import show

    return show(Path(mlruns), port)


@command("track", "everything stored is kept; the same command tracks the rest", program)
@option("--to", bare=True, metavar="URI", help="an MLflow server; default: the folder's own database")
@option("--optuna", metavar="URI", help="a storage or journal file for Optuna's dashboard, and nothing else")
@named
@moved
def track(mlruns: str, to: str | None, optuna: str | None, name: str | None, data: str | None) -> None:
    """The runs of a study in MLflow, made anew from what is stored.

    In the folder's own database, or on a server that --to names; what is there already stays. Of a study that
    has confirmed nothing yet, the runs of its search. MLFLOW_TRACKING_URI is heeded by `study` alone.

      handnet track --to http://127.0.0.1:5000   on a server
      handnet track --optuna sqlite:///optuna.db   the trials alone, for optuna-dashboard
    """
    from handnet.study.reading import server_address

    os.environ.pop("MLFLOW_TRACKING_URI", None)  # or MLflow would take it for this study's
    address = server_address(to or "", messages.option("to"))
    from handnet.study import retrack
    from handnet.study.screen import Screen
    from handnet.study.tracking import check_complete

    if optuna is not None:
        print(retrack.write_trials(Path(mlruns), name, optuna))
    else:
        check_complete(retrack.track(Path(mlruns), name, address, Screen(), data))


@command("backup", "a copy is there whole or not at all; the same command makes one", program)
@option(
    "--to", bare=True, type=click.Path(), metavar="FOLDER", help="the copy; default: beside it, with the time"
)
def backup(mlruns: str, to: str | None) -> None:
    """A copy of all studies, taken while one may be writing.

    The studies, the tables of DataFrames, the reports and the ledger. What MLflow shows is left out, because
    it is made from the studies.
    """
    from handnet.study.folder import backup as copy

    home = Path(mlruns)
    beside = home.resolve().with_name(f"{home.resolve().name}-backup-{time.strftime('%Y%m%d-%H%M%S')}")
    copy(home, Path(to or beside))
    studies = [path.name for path in (Path(to or beside) / "studies").glob("*")]
    name = studies[0] if len(studies) == 1 else "NAME"
    reader = messages.command("report", mlruns=to or str(beside), name=name)
    print(f"Copied {home} to {to or beside}; {reader} reads {'it' if name != 'NAME' else 'a study'}.")


@command("clean", "what is still there goes with the same command; the ledger of openings stays", program)
def clean(mlruns: str) -> None:
    """Remove studies and reports; the ledger of openings stays.

    studies/, tracking/, reports/, the tables kept for DataFrames in tables/, and the pages of the experiments
    in walk/, claims/, published/ and bench/ go, by name, and what an older release kept there. openings.jsonl
    stays: what was seen was seen. So does every other file.
    """
    from handnet.study.folder import clean as remove

    if not Path(mlruns).exists():
        raise Refusal(f"there is no folder {mlruns}, so there is nothing to remove.")
    removed = ", ".join(remove(Path(mlruns)))
    print(f"Removed from {mlruns}: {removed}." if removed else f"{mlruns} holds nothing to remove.")


@command("simulate", group=program)
@option("--studies", type=Whole(20), default="400", help="simulated studies (400)")
@option("--false-alarms", type=Whole(20), help="tables of each layout: print the shipped rates, remade")
def simulate(studies: int, false_alarms: int | None, **_: Any) -> None:
    """How often every band holds and every rule finds a difference that is not there.

    Bands in simulated studies whose truth is known, rules on five times as many tables with nothing to find;
    both at the sizes of the default study. It takes minutes.
    """
    from handnet.study import simulate as simulated
    from handnet.study.screen import Screen

    (simulated.remake if false_alarms else simulated.simulate)(false_alarms or studies, Screen())


def _run(options: dict[str, Any], base: Mapping[str, str]) -> int:
    """Make a study, or only say what it would do."""
    from handnet.study.api import prepare_study

    chosen, home = {**base, **overrides(options)}, Path(options["mlruns"])
    # Taken away, so that MLflow does not take it for the study's own store.
    server = os.environ.pop("MLFLOW_TRACKING_URI", "")
    if options["check"]:
        return _check(options, chosen, server)
    request = (chosen, options["settings"], home, options["name"], options["open"], server)
    study = prepare_study(
        *request, options["executor"], options["workers"], started=STARTED, models=models_of(options)
    )
    _show(study, study.run())
    study.screen.times(study.clock.seconds)
    from handnet.study.tracking import check_complete

    check_complete(study.tracking.status)
    return 0


def _check(options: Mapping[str, Any], chosen: Mapping[str, str], server: str) -> int:
    """What the study would do. Nothing is written."""
    from handnet.study.reading import server_address

    settings, data = settings_and_table(chosen, options["settings"], models=models_of(options))
    settings, models = with_models(settings, data, {})
    server_address(server)
    from handnet.study.identity import check_name, large_enough, make_problem
    from handnet.study.preview import preview

    check_name(options["name"])
    opened = options["open"] or large_enough(settings)
    workers = options["executor"], options["workers"]
    for line in preview(settings, make_problem(settings, data), models, opened, *workers):
        print(visible(line))
    return 0


def _stored(mlruns: str, name: str | None, table: str | None) -> "StoredStudy":
    from handnet.study.api import say_loading

    say_loading()
    from handnet.study.outcome import StoredStudy
    from handnet.study.screen import Clock, Screen

    return StoredStudy(Path(mlruns), Clock(STARTED), Screen(), name, table)


def _show(study: "Study | StoredStudy", facts: dict[str, Any]) -> None:
    openings = study.ledger.total(study.problem.parts.test.digest)
    study.screen.summary(facts, str(study.folder), openings, study.is_default)
