"""How a command ends: one sentence for whatever went wrong, and its exit code."""

import errno
import os
import re
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import NoReturn

from handnet.messages import Refusal, option
from handnet.report.words import seen, visible
from handnet.study.files import denied
from handnet.study.interrupt import Stopped
from handnet.study.redaction import redacted

# What is true after a command was cut short, by a signal or a failure.
GOES_ON = "all finished seeds and trials are kept; the same command goes on from here"
ANEW = "it keeps nothing before its end; the same command begins anew"
NOTHING = "nothing was begun"
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
ILL = (*FULL, errno.EROFS, errno.EIO)
KERAS = ("keras", "tensorflow")
OURS = ("handnet", "experiments")


def ended(work: Callable[[], int | None], left: str, debug: bool) -> int:
    """The exit code of a piece of work; whatever went wrong is said in one sentence.

    left: what is true when it is cut short. debug: whether a failure also shows where it was.
    """
    try:
        return work() or 0
    except Refusal as refusal:
        return _say(refusal.sentence, refusal.code, refusal.lines)
    except Stopped as stop:
        print(f"\nStopped: {left}.", file=sys.stderr)
        return stop.code
    except BrokenPipeError:  # whoever read our output has left, as `| head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except Exception as fault:
        if debug:
            print(redacted(traceback.format_exc()), end="", file=sys.stderr)
        return _say(*_sentence(fault, left))


def finish(code: int) -> NoReturn:
    """End the process. Once its answer is known, a late signal does not change it."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    try:
        if sys.stdout:  # None when the reader's shell has closed it
            sys.stdout.flush()
    except OSError as fault:
        if not code:
            _say(f"the output could not be written ({fault.strerror}); the rest is done and kept.", 1)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python would fail at it once more
        code = code or 1
    sys.exit(code)


def _say(sentence: str, code: int, lines: Sequence[str] = ()) -> int:
    # The digits of a number of thousands say no more than the first of them.
    short = (re.sub(r"(\d{60})\d{60,}", r"\1...", line) for line in (visible(sentence), *map(seen, lines)))
    print("handnet:", "\n".join(short), file=sys.stderr)
    return code


def _sentence(fault: Exception, left: str) -> tuple[str, int]:
    """What to say of a failure, and the exit code."""
    if isinstance(fault, ModuleNotFoundError):
        package = str(fault.name).partition(".")[0]
        extra = "keras" if package in KERAS else "study"
        if package not in OURS:
            return f'this needs {package}, which is not installed; pip install "handnet[{extra}]" adds it.', 2
    if ill := _disk(fault):
        why = f"{ill.strerror}: {ill.filename}" if ill.filename else ill.strerror
        return f"the disk cannot be written ({why}); {'make room: ' if ill.errno in FULL else ''}{left}.", 1
    if isinstance(fault, PermissionError) and fault.filename:
        other = f"get it, or choose another folder with {option('mlruns', '')}"
        return f"permission is missing ({denied(fault)}); {other}: {left}.", 1
    where = f"{option('debug', True)} shows where"
    return f"{type(fault).__name__}: {visible(redacted(str(fault))[:300])}; {left}. {where}.", 1


def _disk(fault: BaseException | None) -> OSError | None:
    """What the disk said, if it is behind a failure: full, read-only or failing."""
    while fault:
        if isinstance(fault, OSError) and fault.errno in ILL:
            return fault
        fault = fault.__cause__ or fault.__context__
    return None
