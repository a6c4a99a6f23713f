"""The words of the command line: what the Makefile may say, how it is read, and how every verb ends."""

import argparse
import errno
import io
import os
import re
import signal
import sys
import traceback
from collections.abc import Sequence
from typing import Any, NoReturn

from experiments import verbs
from experiments.verbs import SHORT
from handnet.report.words import visible
from handnet.study.databases import DISK_FAULTS
from handnet.study.interrupt import Stopped, stop_at_once
from handnet.study.messages import Refusal, nearest, redacted
from handnet.study.reading import known_keys

HELP = {
    "trials": "configurations to try",
    "seeds": "search seeds each configuration is trained with",
    "confirm": "fresh seeds the winner is confirmed on",
    "design": "tpe, or sobol: points fixed beforehand",
    "backend": "what does the arithmetic: compiled, numpy or keras",
    "dtype": "float32 or float64",
    "engine": "what Keras runs on: tensorflow or jax",
    "device": "auto, cpu or gpu",
    "split-seed": "of the train/val/test split",
    "stratify": "true or false",
    "splits": "fresh divisions of the table, after the opening; 0 for none",
    "ideal": "1: search anew inside each of them (minutes)",
    "data": "a table of your own: a CSV, TSV or Parquet file",
    "target": "its column of labels, of which there are two",
    "positive": "the label that is class 1",
    "id": "its column of case ids; without it, row numbers from 0",
    "group": "its column that says which rows belong together: they stay in one part",
    "missing": "median: gaps are filled in from the train rows and marked; drop: their rows are left out",
}
TEACH = {
    "study": (
        """A study tries configurations, each trained on the same search seeds, and ranks them by mean validation log
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
handnet/study/default.toml as it stands there (split.seed=7). The defaults are in that file. Exit codes: 0 done, 1
failed, 2 not understood, 75 another study is writing or a server lacks runs, 130 and 143 stopped; make itself turns all but 0 into 2."""
    ),
    "try": (
        "Three configurations, two seeds, five confirmation seeds: the whole path in seconds. The test stays"
        " sealed."
    ),
    "report": "Computed from the stored logits of every seed. Nothing is trained and no new opening is made.",
    "case": (
        "  make case ID=203                          a case of the default study\n"
        "  make case ID=203 NAME=wisconsin-1a2b3c4d  of another one; the last screen of a study names it"
    ),
    "simulate": (
        "At the sizes of the default study: its test cases, confirmation seeds and fresh divisions."
        " STUDIES=400."
    ),
    "backup": (
        "Databases through SQLite's own backup, then artifacts, reports and the ledger; a study may run"
        " meanwhile. TO=FOLDER."
    ),
    "clean": (
        "mlflow.db, optuna.db, artifacts/ and reports/ go, by name. openings.jsonl stays: what was seen was"
        " seen."
    ),
    "ui": (
        "MLflow, reachable from this machine alone. From elsewhere: ssh -L 5000:127.0.0.1:5000"
        " user@this-machine"
    ),
}
FLAGS = {"HELP", "DEBUG"}  # make variables that are options without a value
# What is true after a verb was cut short, by a signal or a failure.
GOES_ON = "all finished seeds and trials are kept; the same command goes on from here"
ANEW = "it keeps nothing before its end; the same command begins anew"
LEFT = {
    "study": GOES_ON,
    "try": GOES_ON,
    "report": "everything stored is kept; the same command begins anew",
    "case": "everything stored is kept; the same command begins anew",
    "backup": "a copy is there whole or not at all; the same command makes one",
    "clean": "what is still there goes with the same command; the ledger of openings stays",
    "ui": "everything stored is kept; the same command opens the pages",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb. Returns the exit code: 0 done, 1 failed, 2 not understood, 75 busy, 130 and 143
    interrupted."""
    words = _as_options(sys.argv[1:] if arguments is None else list(arguments))
    debug, left = "--debug" in words, "nothing was begun"
    stop_at_once()
    for stream in (sys.stdout, sys.stderr):  # a character the terminal cannot show is no reason to fail
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        options = _parser().parse_args(words)
        left = options.left
        return int(options.verb(options))
    except Refusal as refusal:
        print(f"handnet: {visible(str(refusal))}", file=sys.stderr)
        return refusal.code
    except Stopped as stop:
        print(f"\nStopped: {left}.", file=sys.stderr)
        return stop.code
    except BrokenPipeError:  # whoever read our output has left, as `| head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except Exception as fault:
        if debug:
            traceback.print_exc()
        why = _disk(fault)
        if why:
            print(f"handnet: the disk cannot be written ({why}); make room: {left}.", file=sys.stderr)
            return 1
        sentence = redacted(visible(str(fault))[:300])
        print(f"handnet: {type(fault).__name__}: {sentence}; {left}. DEBUG=1 shows where.", file=sys.stderr)
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
            known = [
                option
                for action in self._actions
                for option in action.option_strings
                if option.startswith("--")
            ]
            shown = [option.removeprefix("--").replace("-", "_").upper() for option in known]
            asked = word.removeprefix("--").replace("-", "_").upper()
            raise Refusal(f"{asked} is not a setting of this command: {nearest(asked, shown)}")
        if "required: --id" in message:
            raise Refusal("make case wants the id of a case: make case ID=203.")
        plain = re.sub(
            r"argument --([a-z-]+):", lambda option: option[1].replace("-", "_").upper() + ":", message
        )
        raise Refusal(f"{plain}; HELP=1 shows what is understood.")

    def parse_args(self, words: Sequence[str]) -> argparse.Namespace:  # type: ignore[override]  # no namespace is ever passed
        options, rest = self.parse_known_args(words)
        if rest:
            options.parser.error(f"unrecognized arguments: {rest[0]}")
        return options


def _parser() -> _Parser:
    parser = _Parser(
        prog="experiments", description="The honest band around every number a small network prints."
    )
    known = parser.add_subparsers(required=True, metavar="verb")
    common = {"study": verbs.study, "try": verbs.try_out, "report": verbs.report, "case": verbs.case}
    for name, verb in common.items():
        sub = _verb(known, name, verb)
        sub.add_argument(
            "--name", help="of the study; default: the data's, or data-fingerprint for other settings"
        )
        if name == "case":
            sub.add_argument(
                "--id", required=True, help="the case's id: for wisconsin its row number, from 0"
            )
        if name in ("study", "try"):
            _add_settings(sub)
        else:
            sub.add_argument(
                "--data", metavar="FILE", help="where the study's own table is now, if it was moved"
            )
    _verb(known, "clean", verbs.clean)
    _verb(known, "backup", verbs.backup).add_argument(
        "--to", metavar="FOLDER", help="the copy; default: beside it, with the time"
    )
    _verb(known, "simulate", verbs.simulate).add_argument(
        "--studies", default="400", help="simulated studies (400)"
    )
    _verb(known, "ui", verbs.ui).add_argument("--port", default="5000", help="on 127.0.0.1 (5000)")
    return parser


def _add_settings(sub: _Parser) -> None:
    for option in SHORT:
        sub.add_argument(f"--{option}", metavar="X", help=HELP[option])
    sub.add_argument("--open", type=_truth, metavar="1", help="open the test of a small study too")
    sub.add_argument(
        "--check", type=_truth, metavar="1", help="say what the study would do, and how long; write nothing"
    )
    sub.add_argument("--settings", metavar="FILE", help="of what differs from the defaults")
    sub.add_argument(
        "--set",
        action="append",
        metavar="key=value",
        help=f"any setting of study.toml: {', '.join(known_keys())}",
    )


def _verb(known: "argparse._SubParsersAction[_Parser]", name: str, verb: object) -> _Parser:
    summary = str(verb.__doc__).partition(": ")[2]
    sub = known.add_parser(
        name,
        help=summary,
        description=f"{summary}.\n\n{TEACH[name]}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    sub.set_defaults(verb=verb, parser=sub, left=LEFT.get(name, ANEW))
    sub.add_argument(
        "--mlruns", default="mlruns", metavar="FOLDER", help="where everything is written (mlruns)"
    )
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
