"""Named moments of a study, so that the promise about being killed can be put to the test at each of them.

Off unless HANDNET_MILESTONES names a file: every moment reached then appends one line to it, "process name
key", which outlives the process. HANDNET_KILL_AT="finished seed:2" makes the process kill itself (SIGKILL:
nothing is tidied up) right after the second such line whose name and key begin with "finished seed". `make
torture` uses both."""

import os
import signal
from collections import Counter

JOURNAL, KILL_AT = "HANDNET_MILESTONES", "HANDNET_KILL_AT"
_times: Counter[str] = Counter()


def reached(name: str, key: str = "") -> None:
    """A moment after which being killed must cost nothing that is finished."""
    journal = os.environ.get(JOURNAL)
    if journal is None:
        return
    moment = f"{name} {key}"
    handle = os.open(journal, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    os.write(handle, f"{os.getpid()} {moment}\n".encode())
    os.close(handle)
    wanted, _, time = os.environ.get(KILL_AT, "").rpartition(":")
    if wanted and moment.startswith(wanted):
        _times[wanted] += 1
        if str(_times[wanted]) == time:
            os.kill(os.getpid(), signal.SIGKILL)
