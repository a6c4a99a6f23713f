"""Commands and MLflow's pages that read a study while it is written."""

import json
import os
import signal
import socket
import time
import urllib.request
from collections import Counter
from contextlib import suppress
from pathlib import Path

from canonical import digest, tracked
from torture_child import PATIENCE, THREE, WORDS, Child, journal, until
from torture_disk import Tally, Twin, store


def read_meanwhile(home: Path, twin: Twin, whole: bool, tally: Tally) -> Counter[int]:
    """A study made sealed, then opened, rehearsed and confirmed anew, while three commands and this process
    read it; the whole of it: from its first moment, and by MLflow's own pages too.

    Returns how often the commands left with which exit code."""
    codes: Counter[int] = Counter()
    _read(home, (*WORDS, twin.words[-1]), twin.name, THREE if whole else (), None, codes, tally)
    journal(home).unlink()  # what was confirmed while sealed gives way to what follows
    sleeper = Child(home, "report", f"NAME={twin.name}")
    sleeper.strike(signal.SIGSTOP, "read", 0)  # it has read what there is, and wakes when that has changed
    # MLflow's pages show what is tracked, so a study that is not tracked has none.
    pages = Pages(home) if whole and tracked(home).exists() else None
    _read(home, twin.words, twin.name, THREE, pages, codes, tally)
    os.kill(sleeper.pid, signal.SIGCONT)
    codes[_answered(sleeper, tally)] += 1
    if pages:
        print(f"MLflow's pages answered {pages.close()} times")
    if digest(home) != twin.digest:
        tally.fault("unequal", f"{home}, read while it was written, differs from the undisturbed study")
    return codes


def _read(
    home: Path,
    words: tuple[str, ...],
    name: str,
    commands: tuple[tuple[str, ...], ...],
    pages: "Pages | None",
    codes: Counter[int],
    tally: Tally,
) -> None:
    """A study is made, and until it is done each of the commands reads it, again and again."""
    writer = Child(home, *words)
    readers = [Child(home, *command, f"NAME={name}") for command in commands]
    while not writer.ended():
        for place, command in enumerate(commands):
            if readers[place].ended():
                codes[_answered(readers[place], tally)] += 1
                readers[place] = Child(home, *command, f"NAME={name}")
        store(home, name, tally)
        if pages:
            pages.ask(tally)
        time.sleep(0.02)
    if code := writer.wait():
        tally.fault("failed", f"a study that was read meanwhile: exit code {code}: {writer.said()[-500:]}")
    for reader in readers:
        codes[_answered(reader, tally)] += 1


def _answered(reader: Child, tally: Tally) -> int:
    """The exit code: done, or one sentence that says why not yet."""
    code, said = reader.wait(), reader.said()
    if "Traceback" in said or (code and (code != 2 or said.count("\n") != 1 or "make study" not in said)):
        tally.fault("reader", f"exit code {code}: {said[-500:]}")
    return code


class Pages:
    """`make ui`, and what a browser asks of it."""

    def __init__(self, home: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.root, self.answers = f"http://127.0.0.1:{port}", 0
        self.server = Child(home, "ui", f"PORT={port}")
        until(self._up, PATIENCE)

    def _up(self) -> bool:
        with suppress(OSError), urllib.request.urlopen(f"{self.root}/health", timeout=5) as answer:
            return answer.status == 200
        return False

    def ask(self, tally: Tally) -> None:
        body, head = b'{"experiment_ids": ["1", "2", "3"]}', {"Content-Type": "application/json"}
        wanted = urllib.request.Request(f"{self.root}/api/2.0/mlflow/runs/search", body, head)
        try:
            with urllib.request.urlopen(wanted, timeout=30) as answer:
                self.answers += len(json.load(answer)["runs"]) > 0
        except (OSError, ValueError, KeyError) as fault:
            tally.fault("reader", f"MLflow's pages: {fault}")

    def close(self) -> int:
        """How often they answered."""
        os.kill(self.server.pid, signal.SIGTERM)
        self.server.wait()
        return self.answers
