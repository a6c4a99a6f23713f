"""Every command of the README and the docs is run, as the Makefile would run it, only smaller; so is every Python block."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import handnet

ROOT = Path(__file__).parent.parent
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
FEWER = {
    "study": ["TRIALS=4", "CONFIRM=2", "SPLITS=2"],
    "simulate": ["STUDIES=20"],
}  # counts, which leave a study its name
ELSEWHERE = {
    "test": "this", "ui": "test_ui.py", "bench": "minutes", "torture": "test_killed.py", "witness": "test_witness.py", "audit": "test_front.py",
    "claims": "test_claims.py",
}  # fmt: skip


def commands(page: Path) -> list[list[str]]:
    """The words after `make` of each line a reader would type."""
    blocks = re.findall(r"```console\n(.*?)```", page.read_text(), re.DOTALL)
    typed = [line[2:] for block in blocks for line in block.splitlines() if line.startswith("$ ")]
    found = [shlex.split(line, comments=True) for line in typed]
    assert all("make" in words for words in found), found
    return [words[words.index("make") + 1 :] for words in found if words[0] == "make"]


def blocks(page: Path) -> list[str]:
    return re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a reader is who has made a study and has a table."""
    place = tmp_path_factory.mktemp("reader")
    own_table(place / "my.csv")
    assert run(place, "study").returncode == 0
    return place


def run(folder: Path, verb: str, *words: str) -> subprocess.CompletedProcess:
    """What the Makefile runs, with the code of the checkout, in the reader's folder."""
    command = [sys.executable, "-m", "experiments", verb, *words, *FEWER.get(verb, [])]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("page", [page for page in PAGES if commands(page)], ids=lambda page: page.stem)
def test_commands_do_what_they_are_shown_for(page: Path, folder: Path) -> None:
    for verb, *words in commands(page):
        if verb not in ELSEWHERE:
            done = run(folder, verb, *words)
            assert done.returncode == 0, (verb, words, done.stdout, done.stderr)


@pytest.mark.parametrize(
    "page", [page for page in PAGES if blocks(page) and page.stem != "classifier"], ids=lambda page: page.stem
)
def test_python_blocks_run(page: Path, folder: Path) -> None:
    """Those of classifier.md, one after the other, in test_classifier.py."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    for block in blocks(page):
        done = subprocess.run(
            [sys.executable, "-c", block], cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, (block, done.stderr)


def own_table(path: Path) -> None:
    """The built-in table as a file a reader might have."""
    data = handnet.wisconsin()
    names = ["patient", "diagnosis", *data.feature_names]
    rows = [",".join([f"p{place:04d}", "BM"[label], *map(repr, row)])
            for place, (row, label) in enumerate(zip(data.X.tolist(), data.y, strict=True))]  # fmt: skip
    path.write_text("\n".join([",".join(names), *rows]) + "\n")
