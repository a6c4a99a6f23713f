"""Known vulnerabilities of the packages a lock pins, by pip-audit."""

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from handnet.study.messages import Refusal


def audit(lock: Path) -> str:
    """Ask the vulnerability feed about every package of a lock. Returns a sentence.

    Raises Refusal: (1) with the table of what is known, (75) when the feed knows no such packages or does not
    answer. Left to itself pip-audit ends well when it could audit nothing; --strict, and this, do not."""
    if find_spec("pip_audit") is None:
        raise Refusal("pip-audit is not installed, so nothing was audited; make setup installs it.", 1)
    # Nothing is resolved or built: the lock names every package, and each by its hash.
    command = [
        sys.executable,
        "-m",
        "pip_audit",
        "--strict",
        "--require-hashes",
        "--disable-pip",
        "--progress-spinner",
        "off",
        "-r",
        str(lock),
    ]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    if found.returncode == 0:
        pinned = re.findall(r"^[^#\s]+==", lock.read_text(), re.MULTILINE)
        return f"No vulnerability is known of the {len(pinned)} packages of {lock.name}."
    if found.stdout.strip():
        print(found.stdout)
        raise Refusal(
            f"packages of {lock.name} have known vulnerabilities, listed above; make lock takes newer"
            " versions.",
            1,
        )
    why = (found.stderr.strip().splitlines() or ["it said nothing"])[-1]
    raise Refusal(
        f"{lock.name} could NOT be audited, which says nothing about its packages: {why[:200]}; "
        "try again where a vulnerability feed can be reached.",
        75,
    )
