"""What each verb of the command line does. Heavy packages are imported by the verb that needs them, once its
words are understood."""

import argparse
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
import warnings
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from handnet.data import Dataset
from handnet.report.words import visible
from handnet.study.interrupt import Stopped
from handnet.study.messages import Refusal
from handnet.study.reading import load, read, server_address

if TYPE_CHECKING:
    from handnet.study.settings import Settings
    from handnet.study.study import Study

STARTED = time.perf_counter()
# make variable and option -> the setting it overrides
SHORT = {
    "trials": "search.trials",
    "seeds": "search.seeds",
    "confirm": "confirm.seeds",
    "design": "search.design",
    "backend": "backend.name",
    "dtype": "backend.dtype",
    "engine": "backend.engine",
    "device": "backend.device",
    "split-seed": "split.seed",
    "stratify": "split.stratify",
    "splits": "rehearsal.splits",
    "ideal": "rehearsal.ideal",
    "data": "data.path",
    "target": "data.target",
    "positive": "data.positive",
    "id": "data.id",
    "group": "data.group",
    "missing": "data.missing",
}
MANY = (
    20_000  # rows of a table from which on the fresh divisions would take most of the time, and move little
)
TRY = {"search.trials": "3", "search.seeds": "2", "confirm.seeds": "5"}


def study(options: argparse.Namespace) -> int:
    """make study: search, confirm, open the test, report; go on where it stopped"""
    return _run(options, {})


def try_out(options: argparse.Namespace) -> int:
    """make try: the same in seconds, small, test sealed"""
    return _run(options, TRY)


def _run(options: argparse.Namespace, base: dict[str, str]) -> int:
    if options.check:
        return _check(options, base)
    whole = _study(options, base, stored=False)
    _show(whole, whole.run())
    whole.screen.times(whole.clock.seconds)
    if whole.publisher and whole.publisher.unsent:
        raise Refusal(
            f"the study is done and kept here, but {whole.publisher.unsent} of its {len(whole.store.tracker.runs)} runs are"
            f" not known to be on {whole.publisher.server} ({whole.publisher.fault}); the same command sends"
            " the rest.",
            75,
        )
    return 0


def _check(options: argparse.Namespace, base: dict[str, str]) -> int:
    """What the study would do. Nothing is written."""
    settings, data = _settings(options, base)
    server_address(os.environ.pop("MLFLOW_TRACKING_URI", ""))
    from handnet.study.estimate import preview
    from handnet.study.identity import check_name, large_enough, make_problem

    check_name(options.name)
    for line in preview(settings, make_problem(settings, data), bool(options.open) or large_enough(settings)):
        print(visible(line))
    return 0


def report(options: argparse.Namespace) -> int:
    """make report: compute the report of a finished study anew from what is stored"""
    whole = _study(options, {}, stored=True)
    _show(whole, whole.read())
    return 0


def case(options: argparse.Namespace) -> int:
    """make case ID=203: one case of the table, and what the confirmed networks say of it"""
    whole = _study(options, {}, stored=True)
    facts = whole.case(options.id)
    if facts["part"] is None:
        ids = whole.problem.data.case_ids
        raise Refusal(
            f"there is no case {options.id!r} in {whole.problem.data.name}; its ids run from {ids[0]} to"
            f" {ids[-1]}."
        )
    from handnet.report.pages import write_case

    whole.screen.case(facts, str(write_case(facts, whole.name, whole.folder)))
    return 0


def simulate(options: argparse.Namespace) -> int:
    """make simulate: how often every band holds and every rule cries wolf, in studies whose truth is known"""
    studies = _whole("STUDIES", options.studies, 20)
    settings = read({})
    from experiments.screen import show_simulated
    from handnet.bands.simulated import coverages, false_positives, false_positives_on_cases
    from handnet.study.identity import make_problem
    from handnet.study.screen import Screen

    parts, screen, seed = make_problem(settings).parts, Screen(), 0
    n, train = parts.test.n, len(parts.train.y)
    positives = round(n * float(parts.train.y.mean()))
    with screen.progress("simulated studies", studies, 0) as bar:
        found = coverages(
            positives,
            n - positives,
            settings.confirm.seeds,
            settings.rehearsal.splits,
            seed,
            studies,
            lambda: bar.advance(1, "bands"),
        )
    found += false_positives(settings.rehearsal.splits, n / train, seed, 10 * studies)
    found += false_positives_on_cases(n, positives, 0.97, seed, 2 * studies)
    show_simulated(screen, found)
    return 0


def clean(options: argparse.Namespace) -> int:
    """make clean: remove studies and reports; the ledger of openings stays"""
    home = Path(options.mlruns)
    if not home.exists():
        raise Refusal(f"there is no folder {home}, so there is nothing to remove.")
    from handnet.study.store import clean as remove

    remove(home)
    return 0


def backup(options: argparse.Namespace) -> int:
    """make backup: a copy of all studies, taken while one may be writing"""
    home = Path(options.mlruns)
    name = f"{home.resolve().name}-backup-{time.strftime('%Y%m%d-%H%M%S')}"
    to = Path(options.to or home.resolve().with_name(name))
    from handnet.study.store import backup as copy

    copy(home, to)
    print(f"Copied {home} to {to}; make report MLRUNS={shlex.quote(str(to))} reads it.")
    return 0


def ui(options: argparse.Namespace) -> int:
    """make ui: MLflow's pages on this machine only"""
    home, port = Path(options.mlruns), _whole("PORT", options.port, 1024, 65534)
    if not (home / "mlflow.db").exists():
        raise Refusal(f"there is no study in {home} yet; make study makes one.")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            raise Refusal(f"port {port} is in use; choose another with PORT={port + 1}.") from None
    from handnet.study.databases import relocate_all
    from handnet.study.store import locked

    with (
        suppress(Refusal),
        locked(home),
    ):  # unless a study is writing, which does it itself, or nothing can be written
        relocate_all(home)
    print(f"MLflow is starting on http://127.0.0.1:{port} (this machine only; Ctrl-C stops it).", flush=True)
    command = [sys.executable, "-m", "handnet.study.ui", str(home.absolute()), str(port)]
    # A session of its own: Ctrl-C reaches us alone, and the server is asked politely.
    server = subprocess.Popen(command, start_new_session=True)
    try:
        _announce(home, port, server)
        return server.wait()
    except Stopped:
        print("\nMLflow's pages are closed.")
        return 0
    finally:
        if server.poll() is None:
            os.killpg(server.pid, signal.SIGTERM)
            with suppress(
                subprocess.TimeoutExpired
            ):  # it waits for answers it still owes, and may wait for ever
                server.wait(10)
        if server.poll() is None:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()


def _announce(home: Path, port: int, server: "subprocess.Popen[bytes]") -> None:
    """Say where each study is, once the server answers."""
    from handnet.study.tracker import pages  # while the server does the same in its own process

    found = pages(home)
    while server.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.2)
    for study, page in found.items() if server.poll() is None else ():
        print(f"  {study}: http://127.0.0.1:{port}{page}", flush=True)


def _study(options: argparse.Namespace, base: dict[str, str], stored: bool) -> "Study":
    # Refused before anything heavy is imported. What is stored is read with its own settings.
    settings, data = (read({}), None) if stored else _settings(options, base)
    # Taken away, so that MLflow does not take it for the study's own store.
    server = None if stored else server_address(os.environ.pop("MLFLOW_TRACKING_URI", ""))
    if sys.stderr.isatty():
        print("Loading MLflow, Optuna and scikit-learn ...", end="\r", file=sys.stderr, flush=True)
    from handnet.study.identity import Request
    from handnet.study.screen import Clock, Screen
    from handnet.study.study import Study

    request = Request(
        settings,
        Path(options.mlruns),
        options.name,
        bool(getattr(options, "open", False)),
        stored,
        server,
        data,
        options.data if stored else None,
    )
    return Study(request, Clock(STARTED), Screen())


def _settings(options: argparse.Namespace, base: dict[str, str]) -> "tuple[Settings, Dataset | None]":
    """What was asked for, and the user's table if there is one. A large one is divided anew only where that
    was asked for."""
    overrides = base | _overrides(options)
    settings = read(overrides, Path(options.settings) if options.settings else None)
    if not settings.data.path:
        return settings, None
    data = _table(settings)
    if len(data.y) > MANY and settings.rehearsal.splits and "rehearsal.splits" not in overrides:
        print(
            f"{settings.data.name}: more than {MANY} rows, so no fresh divisions and no band over them;"
            f" SPLITS={settings.rehearsal.splits} makes them.",
            file=sys.stderr,
        )
        settings = settings.changed(rehearsal={"splits": 0})
    return settings, data


def _table(settings: "Settings") -> Dataset:
    """The table of the study; what is to be remarked about it is said."""
    with warnings.catch_warnings(record=True) as remarks:
        warnings.simplefilter("always", UserWarning)
        data = load(settings)
    for remark in remarks:
        print(f"{settings.data.name}: {remark.message}", file=sys.stderr)
    return data


def _show(whole: "Study", facts: dict[str, Any]) -> None:
    openings = whole.ledger.total(whole.problem.parts.test.digest)
    whole.screen.summary(facts, str(whole.folder), openings, whole.is_default)


def _overrides(options: argparse.Namespace) -> dict[str, str]:
    typed = {key: getattr(options, name.replace("-", "_"), None) for name, key in SHORT.items()}
    found = {key: value for key, value in typed.items() if value is not None}
    for assignment in getattr(options, "set", None) or []:
        key, equals, value = assignment.partition("=")
        if not equals:
            raise Refusal(f"--set wants key=value, but got {assignment!r}.")
        found[key] = value
    return found


def _whole(name: str, text: str, least: int, most: int = 100_000) -> int:
    if not text.isdecimal() or not least <= int(text) <= most:
        raise Refusal(f"{name} must be a whole number from {least} to {most}, but is {text!r}.")
    return int(text)
