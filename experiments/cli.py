"""The verbs the Makefile calls. Heavy packages are imported after the command line has been understood."""

import argparse
import dataclasses
import errno
import io
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
import traceback
import warnings
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from experiments.interrupt import Stopped, stop_at_once
from experiments.reading import DEFAULTS, known_keys, load, nearest, read, server_address
from experiments.report.words import visible
from experiments.settings import Refusal, Settings, redacted
from experiments.stores import DISK_FAULTS
from handnet.data import Dataset
from handnet.draws import LARGEST_SEED
from handnet.recipe import Recipe

if TYPE_CHECKING:
    from experiments.study import Study

STARTED = time.perf_counter()
# make variable and option -> the setting it overrides
SHORT = {
    "trials": "search.trials", "seeds": "search.seeds", "confirm": "confirm.seeds", "design": "search.design",
    "backend": "backend.name", "dtype": "backend.dtype", "engine": "backend.engine", "device": "backend.device",
    "split-seed": "split.seed", "stratify": "split.stratify", "splits": "rehearsal.splits", "ideal": "rehearsal.ideal",
    "data": "data.path", "target": "data.target", "positive": "data.positive", "id": "data.id",
    "group": "data.group", "missing": "data.missing",
}  # fmt: skip
HELP = {
    "trials": "configurations to try", "seeds": "search seeds each configuration is trained with",
    "confirm": "fresh seeds the winner is confirmed on", "design": "tpe, or sobol: points fixed beforehand",
    "backend": "what does the arithmetic: compiled, numpy or keras", "dtype": "float32 or float64",
    "engine": "what Keras runs on: tensorflow or jax", "device": "auto, cpu or gpu",
    "split-seed": "of the train/val/test split", "stratify": "true or false",
    "splits": "fresh divisions of the table, after the opening; 0 for none",
    "ideal": "1: search anew inside each of them (minutes)",
    "data": "a table of your own: a CSV, TSV or Parquet file", "target": "its column of labels, of which there are two",
    "positive": "the label that is class 1", "id": "its column of case ids; without it, row numbers from 0",
    "group": "its column that says which rows belong together: they stay in one part",
    "missing": "median: gaps are filled in from the train rows and marked; drop: their rows are left out",
}  # fmt: skip
TEACH = {
    "study": """A study tries configurations, each trained on the same search seeds, and ranks them by mean validation log
loss. The best is frozen and trained again on fresh seeds, beside the recipes of study.toml. Then the sealed test
is opened, once, and counted. Everything goes to MLflow and into a report. Stop or kill it whenever you like: the
same command goes on from there, with the same numbers.

  make study                                the default study (half a minute on two cores)
  make study DESIGN=sobol TRIALS=64         points fixed beforehand
  make study space.epochs.high=300          any setting of study.toml; other settings are another study
  make study TRIALS=60                      more trials of the same study, until its test was opened
  make study TRIALS=20 OPEN=1               a small study leaves its test sealed unless asked
  make study DATA=my.csv TARGET=diagnosis POSITIVE=M ID=patient        a table of your own (docs/own-data.md)
  make study DATA=my.csv TARGET=diagnosis POSITIVE=M CHECK=1           what that would do, and how long it would take

With MLFLOW_TRACKING_URI=http://... in the environment that server gets a copy of every finished run, after the search and
at the end. If it does not answer nothing is lost: the same command sends the rest.

Each option below can be typed after make in capitals (TRIALS=64 for --trials 64), each setting of
experiments/study.toml as it stands there (split.seed=7). The defaults are in that file. Exit codes: 0 done, 1
failed, 2 not understood, 75 another study is writing or a server lacks runs, 130 and 143 stopped; make itself turns all but 0 into 2.""",
    "try": "Three configurations, two seeds, five confirmation seeds: the whole path in seconds. The test stays sealed.",
    "report": "Computed from the stored logits of every seed. Nothing is trained and no new opening is made.",
    "case": "  make case ID=203                          a case of the default study\n"
            "  make case ID=203 NAME=wisconsin-1a2b3c4d  of another one; the last screen of a study names it",
    "walk": """First the chapter's network of one hidden unit: every number exact, beside what the chapter prints, and beside every slope the
finite difference it must equal. Then the same for one patient of the Wisconsin table through all 641 weights of a network
of the chapter's recipe. Seconds; also as a page, mlruns/walk/walk.html.

  make walk                 the train case that network is most wrong about
  make walk ID=135          another one
  make walk ID=135 SEED=3   through the network of another seed

Train and validation cases only: the test part is sealed. Exit codes: 0 every slope agrees, 1 one does not, 2 not understood.""",
    "simulate": "At the sizes of the default study: its test cases, confirmation seeds and fresh divisions. STUDIES=400.",
    "bench": "Peers and we in turns, minutes; keep the machine quiet meanwhile. ROUNDS=5, STUDIES=0 leaves out the whole studies.",
    "claims": "On fresh divisions of the train and validation rows; the sealed test is not touched. Three minutes on two cores. DIVISIONS=100.",
    "witness": "Sequential, compile, fit, as printed, once per seed: minutes. KERAS_BACKEND=jax is the faster engine.",
    "backup": "Databases through SQLite's own backup, then artifacts, reports and the ledger; a study may run meanwhile. TO=FOLDER.",
    "clean": "mlflow.db, optuna.db, artifacts/ and reports/ go, by name. openings.jsonl stays: what was seen was seen.",
    "audit": "By pip-audit, which asks a feed of vulnerabilities. Exit codes: 0 none is known, 1 some are, 75 it could not ask.",
    "ui": "MLflow, reachable from this machine alone. From elsewhere: ssh -L 5000:127.0.0.1:5000 user@this-machine",
}  # fmt: skip
MANY = 20_000  # rows of a table from which on the fresh divisions would take most of the time, and move little
TRY = {"search.trials": "3", "search.seeds": "2", "confirm.seeds": "5"}
FLAGS = {"HELP", "DEBUG"}  # make variables that are options without a value
INTERRUPTED = "Stopped. All finished seeds and trials are kept; the same command goes on from here."


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb. Returns the exit code: 0 done, 1 failed, 2 not understood, 75 busy, 130 and 143 interrupted."""
    words = _as_options(sys.argv[1:] if arguments is None else list(arguments))
    debug = "--debug" in words
    stop_at_once()
    for stream in (sys.stdout, sys.stderr):  # a character the terminal cannot show is no reason to fail
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        options = _parser().parse_args(words)
        return int(options.verb(options))
    except Refusal as refusal:
        print(f"handnet: {visible(str(refusal))}", file=sys.stderr)
        return refusal.code
    except Stopped as stop:
        print(f"\n{INTERRUPTED}", file=sys.stderr)
        return stop.code
    except BrokenPipeError:  # whoever read our output has left, as `| head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except Exception as fault:
        if debug:
            traceback.print_exc()
        why = _disk(fault)
        if why:
            print(f"handnet: the disk cannot be written ({why}); what was finished is kept: make room, and the same command "
                  "goes on from here.", file=sys.stderr)  # fmt: skip
            return 1
        sentence = redacted(visible(str(fault))[:300])
        print(
            f"handnet: {type(fault).__name__}: {sentence}; what was finished is kept, DEBUG=1 shows where.",
            file=sys.stderr,
        )
        return 1


def run(arguments: Sequence[str] | None = None) -> NoReturn:
    """One verb as a whole process. Once its answer is known, a late signal does not change it."""
    code = main(arguments)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    try:
        sys.stdout.flush()
    except OSError as fault:
        if not code:
            print(
                f"handnet: the output could not be written ({fault.strerror}); the rest is done and kept.",
                file=sys.stderr,
            )
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python would fail at it once more
        code = code or 1
    sys.exit(code)


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
    if whole.publisher and whole.unsent:
        raise Refusal(f"the study is done and kept here, but {whole.unsent} of its {len(whole.tracking.runs)} runs are not "
                      f"known to be on {whole.publisher.server} ({whole.publisher.fault}); the same command sends the "
                      "rest.", 75)  # fmt: skip
    return 0


def _check(options: argparse.Namespace, base: dict[str, str]) -> int:
    """What the study would do. Nothing is written."""
    settings, data = _settings(options, base)
    from experiments.estimate import preview
    from experiments.identity import make_bench

    for line in preview(settings, make_bench(settings, data)):
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
        ids = whole.bench.data.case_ids
        raise Refusal(
            f"there is no case {options.id!r} in {whole.bench.data.name}; its ids run from {ids[0]} to {ids[-1]}."
        )
    from experiments.report.render import write_case

    whole.screen.case(facts, str(write_case(facts, whole.name, whole.folder)))
    return 0


def walk(options: argparse.Namespace) -> int:
    """make walk: the network by hand with every number in view, then one patient through all its weights"""
    seed, settings = _whole("SEED", options.seed, 0, LARGEST_SEED), read({})
    from experiments.lesson import Lesson
    from experiments.report.render import write_walk
    from experiments.walk import walk as both
    from handnet.splits import split

    data = load(settings)
    found = both(data, split(data, **vars(settings.split)), options.id, seed)
    page = write_walk(found, Path(options.mlruns) / "walk")
    Lesson().show(found, str(page))
    return 0 if found.agrees else 1


def witness(options: argparse.Namespace) -> int:
    """make witness: the chapter's own Keras code over seeds, against the network by hand"""
    seeds = _whole("SEEDS", options.seeds, 2)
    settings = read({})
    from experiments.claims.witness import as_printed, compare
    from experiments.identity import make_bench
    from experiments.screen import Screen

    bench, screen = make_bench(settings), Screen()
    with screen.progress("the chapter's code", seeds, 0) as bar:
        printed = as_printed(
            bench.parts.train, bench.parts.val, Recipe(), range(seeds), lambda: bar.advance(1, "seeds")
        )
    found = compare(bench, printed, Recipe())
    screen.witness(printed, found)
    return 0 if all(one.answer == one.expected for one in found) else 1


def claims(options: argparse.Namespace) -> int:
    """make claims: what the chapter says, each claim tried, with a verdict and its bands"""
    count = _whole("DIVISIONS", options.divisions, 10, 1000)
    settings = read({})
    from experiments.claims.trials import summary, trials
    from experiments.claims.world import World
    from experiments.identity import make_bench
    from experiments.report.render import write_claims
    from experiments.screen import Screen

    screen, folder, found = Screen(), Path(options.mlruns) / "claims", []
    folder.mkdir(parents=True, exist_ok=True)  # where nothing can be written, that is said before minutes are spent
    tries = trials(World(make_bench(settings), count))
    with screen.progress("claims", len(tries), 0) as bar:
        for trial in tries:
            found.append(trial())
            bar.advance(1, found[-1].title)
    facts = summary(found, count)
    screen.claims(facts, str(write_claims(facts, folder)))
    return 0


def simulate(options: argparse.Namespace) -> int:
    """make simulate: how often every band holds and every rule cries wolf, in studies whose truth is known"""
    studies = _whole("STUDIES", options.studies, 20)
    settings = read({})
    from experiments.identity import make_bench
    from experiments.screen import Screen
    from handnet.bands.simulated import coverages, false_positives, false_positives_on_cases

    parts, screen, seed = make_bench(settings).parts, Screen(), 0
    n, train = parts.test.n, len(parts.train.y)
    positives = round(n * float(parts.train.y.mean()))
    with screen.progress("simulated studies", studies, 0) as bar:
        found = coverages(positives, n - positives, settings.confirm.seeds, settings.rehearsal.splits, seed, studies,
                          lambda: bar.advance(1, "bands"))  # fmt: skip
    found += false_positives(settings.rehearsal.splits, n / train, seed, 10 * studies)
    found += false_positives_on_cases(n, positives, 0.97, seed, 2 * studies)
    screen.simulated(found)
    return 0


def bench(options: argparse.Namespace) -> int:
    """make bench: what a network costs here and elsewhere, each goal beside what was found"""
    rounds, whole = _whole("ROUNDS", options.rounds, 1), _truth(options.studies)
    from experiments.benchmark import benchmark, write
    from experiments.screen import Screen

    screen = Screen()
    with screen.waiting("bench") as say:
        found = benchmark(rounds, whole, say)
    screen.bench(dataclasses.asdict(found))
    print(f"Picture: {write(found, Path(options.mlruns) / 'bench')}")
    return 0


def clean(options: argparse.Namespace) -> int:
    """make clean: remove studies and reports; the ledger of openings stays"""
    home = Path(options.mlruns)
    if not home.exists():
        raise Refusal(f"there is no folder {home}, so there is nothing to remove.")
    from experiments.stores import clean as remove

    remove(home)
    return 0


def audit(options: argparse.Namespace) -> int:
    """make audit: known vulnerabilities of the packages the lock pins"""
    lock = Path(options.lock)
    if not lock.is_file():
        raise Refusal(f"there is no file {lock}; LOCK= names the lock to audit.")
    from experiments.audit import audit as ask

    print(ask(lock))
    return 0


def backup(options: argparse.Namespace) -> int:
    """make backup: a copy of all studies, taken while one may be writing"""
    home = Path(options.mlruns)
    name = f"{home.resolve().name}-backup-{time.strftime('%Y%m%d-%H%M%S')}"
    to = Path(options.to or home.resolve().with_name(name))
    from experiments.stores import backup as copy

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
    from experiments.stores import locked, rehome_all

    with suppress(Refusal), locked(home):  # unless a study is writing, which does it itself, or nothing can be written
        rehome_all(home)
    print(f"MLflow is starting on http://127.0.0.1:{port} (this machine only; Ctrl-C stops it).", flush=True)
    command = [sys.executable, "-m", "experiments.pages", str(home.absolute()), str(port)]
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
            with suppress(subprocess.TimeoutExpired):  # it waits for answers it still owes, and may wait for ever
                server.wait(10)
        if server.poll() is None:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()


def _announce(home: Path, port: int, server: "subprocess.Popen[bytes]") -> None:
    """Say where each study is, once the server answers."""
    from experiments.tracking import pages  # while the server does the same in its own process

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
    from experiments.identity import Request
    from experiments.screen import Clock, Screen
    from experiments.study import Study

    request = Request(settings, Path(options.mlruns), options.name, bool(getattr(options, "open", False)), stored, server,
                      data, options.data if stored else None)  # fmt: skip
    return Study(request, Clock(STARTED), Screen())


def _settings(options: argparse.Namespace, base: dict[str, str]) -> tuple[Settings, Dataset | None]:
    """What was asked for, and the user's table if there is one. A large one is divided anew only where that was asked for."""
    overrides = base | _overrides(options)
    settings = read(overrides, Path(options.settings or DEFAULTS))
    if not settings.data.path:
        return settings, None
    data = _table(settings)
    if len(data.y) > MANY and settings.rehearsal.splits and "rehearsal.splits" not in overrides:
        print(f"{settings.data.name}: more than {MANY} rows, so no fresh divisions and no band over them; SPLITS={settings.rehearsal.splits} "
              "makes them.", file=sys.stderr)  # fmt: skip
        settings = dataclasses.replace(settings, rehearsal=dataclasses.replace(settings.rehearsal, splits=0))
    return settings, data


def _table(settings: Settings) -> Dataset:
    """The table of the study; what is to be remarked about it is said."""
    with warnings.catch_warnings(record=True) as remarks:
        warnings.simplefilter("always", UserWarning)
        data = load(settings)
    for remark in remarks:
        print(f"{settings.data.name}: {remark.message}", file=sys.stderr)
    return data


def _show(whole: "Study", facts: dict[str, Any]) -> None:
    openings = whole.ledger.total(whole.bench.parts.test.digest)
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


def _as_options(words: Sequence[str]) -> list[str]:
    """Make's NAME=value as --name=value, and a dotted setting as --set: both may be typed after a verb."""
    found = []
    for word in words:
        variable = re.fullmatch(r"([A-Za-z][A-Za-z_]*)=(.*)", word, re.DOTALL)
        dotted = re.fullmatch(r"([a-z_]+(\.[a-z_]+)+)=.*", word, re.DOTALL)
        if variable and variable[1].upper() in FLAGS:
            found += [f"--{variable[1].lower()}"] if variable[2] not in {"", "0"} else []
        elif variable:
            found.append(f"--{variable[1].lower().replace('_', '-')}={variable[2]}")
        else:
            found.append(f"--set={word}" if dotted else word)
    return found


class _Parser(argparse.ArgumentParser):
    """Refuses with one sentence, and with the nearest known option. A name cut short is no name."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **(options | {"allow_abbrev": False}))

    def error(self, message: str) -> NoReturn:
        unknown = re.search(r"unrecognized arguments: (\S+)", message)
        if unknown:
            word = unknown[1].split("=")[0]
            known = [option for action in self._actions for option in action.option_strings if option.startswith("--")]
            shown = [option.removeprefix("--").replace("-", "_").upper() for option in known]
            asked = word.removeprefix("--").replace("-", "_").upper()
            raise Refusal(f"{asked} is not a setting of this command: {nearest(asked, shown)}")
        if "required: --id" in message:
            raise Refusal("make case wants the id of a case: make case ID=203.")
        plain = re.sub(r"argument --([a-z-]+):", lambda option: option[1].replace("-", "_").upper() + ":", message)
        raise Refusal(f"{plain}; HELP=1 shows what is understood.")

    def parse_args(self, words: Sequence[str]) -> argparse.Namespace:  # type: ignore[override]  # no namespace is ever passed
        options, rest = self.parse_known_args(words)
        if rest:
            options.parser.error(f"unrecognized arguments: {rest[0]}")
        return options


def _parser() -> _Parser:
    parser = _Parser(prog="experiments", description="The honest band around every number a small network prints.")
    verbs = parser.add_subparsers(required=True, metavar="verb")
    common = {"study": study, "try": try_out, "report": report, "case": case}
    for name, verb in common.items():
        sub = _verb(verbs, name, verb)
        sub.add_argument("--name", help="of the study; default: the data's, or data-fingerprint for other settings")
        if name == "case":
            sub.add_argument("--id", required=True, help="the case's id: for wisconsin its row number, from 0")
        if name in ("study", "try"):
            _add_settings(sub)
        else:
            sub.add_argument("--data", metavar="FILE", help="where the study's own table is now, if it was moved")
    walked = _verb(verbs, "walk", walk)
    walked.add_argument(
        "--id", help="a train or validation case; default: the train case the network is most wrong about"
    )
    walked.add_argument("--seed", default="0", help="of the network (0)")
    _verb(verbs, "clean", clean)
    _verb(verbs, "backup", backup).add_argument(
        "--to", metavar="FOLDER", help="the copy; default: beside it, with the time"
    )
    _verb(verbs, "simulate", simulate).add_argument("--studies", default="400", help="simulated studies (400)")
    _verb(verbs, "claims", claims).add_argument("--divisions", default="100", help="fresh divisions (100)")
    timed = _verb(verbs, "bench", bench)
    timed.add_argument("--rounds", default="5", help="rounds over which medians are taken (5)")
    timed.add_argument("--studies", default="1", help="0 leaves out the whole studies (1)")
    _verb(verbs, "witness", witness).add_argument("--seeds", default="30", help="runs of the chapter's code (30)")
    _verb(verbs, "audit", audit).add_argument("--lock", default="requirements.lock", help="(requirements.lock)")
    _verb(verbs, "ui", ui).add_argument("--port", default="5000", help="on 127.0.0.1 (5000)")
    return parser


def _add_settings(sub: _Parser) -> None:
    for option in SHORT:
        sub.add_argument(f"--{option}", metavar="X", help=HELP[option])
    sub.add_argument("--open", type=_truth, metavar="1", help="open the test of a small study too")
    sub.add_argument(
        "--check", type=_truth, metavar="1", help="say what the study would do, and how long; write nothing"
    )
    sub.add_argument("--settings", metavar="FILE", help="another study.toml")
    sub.add_argument("--set", action="append", metavar="key=value",
                     help=f"any setting of study.toml: {', '.join(known_keys())}")  # fmt: skip


def _verb(verbs: "argparse._SubParsersAction[_Parser]", name: str, verb: object) -> _Parser:
    summary = str(verb.__doc__).partition(": ")[2]
    sub = verbs.add_parser(name, help=summary, description=f"{summary}.\n\n{TEACH[name]}",
                           formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    sub.set_defaults(verb=verb, parser=sub)
    sub.add_argument("--mlruns", default="mlruns", metavar="FOLDER", help="where everything is written (mlruns)")
    sub.add_argument("--debug", action="store_true", help="show a traceback when something fails")
    return sub


def _disk(fault: BaseException | None) -> str | None:
    """What the disk said, if it is behind a failure: full, read-only or failing."""
    while fault:
        if getattr(fault, "sqlite_errorcode", 0) & 0xFF in DISK_FAULTS:
            return str(fault)
        if isinstance(fault, OSError) and fault.errno in (
            errno.ENOSPC,
            errno.EDQUOT,
            errno.EFBIG,
            errno.EROFS,
            errno.EIO,
        ):
            return f"{fault.strerror}: {fault.filename}" if fault.filename else fault.strerror
        fault = fault.__cause__ or fault.__context__
    return None


def _truth(text: str) -> bool:
    if text.lower() not in {"0", "1", "true", "false", ""}:
        raise argparse.ArgumentTypeError(f"expected 0 or 1, but got {text!r}")
    return text.lower() in {"1", "true"}
