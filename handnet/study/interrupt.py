"""Ctrl-C and SIGTERM: noted when they come, obeyed at the next safe place, where nothing is half done."""

import os
import signal
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from types import FrameType, TracebackType
from typing import Any, Self


class Stopped(BaseException):
    """Asked to stop by a signal. Not an Exception: libraries catch those and wrap them."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.code = 128 + number  # 130 for Ctrl-C, 143 for SIGTERM


class Interrupt:
    """While entered, a signal waits for `check`. A second one stops at once. One that is ignored still is.

    In a thread that is not the main one, where no signal arrives, it does nothing."""

    def __init__(self, signals: Sequence[int] = (signal.SIGINT, signal.SIGTERM)) -> None:
        self.number, self.signals = 0, signals
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            heeded = [number for number in self.signals if not is_ignored(number)]
            self._before = {number: signal.signal(number, self._note) for number in heeded}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def check(self) -> None:
        """A safe place to stop. Raises Stopped if a signal has come."""
        if self.number:
            raise Stopped(self.number)

    def _note(self, number: int, _frame: FrameType | None) -> None:
        if self.number:
            raise Stopped(number)
        self.number = number
        # Past print, which may be what was interrupted, and must not be entered twice.
        handle = 2
        with suppress(OSError, ValueError, AttributeError):  # a notebook's stderr may have no file
            handle = sys.stderr.fileno()
        os.write(handle, b"\nStopping; all that is stored is kept. Once more stops at once.\n")


def stop_at_once() -> None:
    """Let a signal raise Stopped at once, outside the safe places.

    It raises no KeyboardInterrupt: when one has passed through an `exec` that a library makes while it is
    imported, Python ends by signal although it was caught."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if not is_ignored(number):
            signal.signal(number, _raise)


def is_ignored(number: int) -> bool:
    """Whether whoever started this process has told it to ignore a signal.

    nohup does so with SIGHUP, and a shell with Ctrl-C where a script runs something in the background."""
    return signal.getsignal(number) == signal.SIG_IGN


def _raise(number: int, _frame: FrameType | None) -> None:
    raise Stopped(number)
