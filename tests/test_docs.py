"""Every command of the README and the docs is run, as the Makefile would run it, only smaller; so is every Python block."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import handnet

ROOT = Path(__file__).parent.parent
pytestmark = pytest.mark.skipif(os.environ.get("HANDNET_LONG") != "1", reason="minutes: make torture runs them")
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
FEWER = {"study": "TRIALS=4 CONFIRM=2 SPLITS=2", "simulate": "STUDIES=20"}  # counts, which leave a study its name
ELSEWHERE = (
    "test",
    "ui",
    "bench",
    "torture",
    "witness",
    "audit",
    "claims",
)  # too long, or never ending: each has its own tests
MAKE = f"""set -e
make() {{
  case "$1" in {"|".join(ELSEWHERE)}) return;; {" ".join(f'{verb}) set -- "$@" {words};;' for verb, words in FEWER.items())} esac
  "$PYTHON" -m experiments "$@"
}}
"""  # what the Makefile runs


def commands(page: Path) -> str:
    """What a reader would type, line by line."""
    blocks = re.findall(r"```console\n(.*?)```", page.read_text(), re.DOTALL)
    return "".join(re.sub(r"^\$ ", "", block, flags=re.MULTILINE) for block in blocks).replace(
        ".venv/bin/python", '"$PYTHON"'
    )


def blocks(page: Path) -> list[str]:
    return re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a reader is who has made a study and has a table."""
    place = tmp_path_factory.mktemp("reader")
    own_table(place / "my.csv")
    (place / "experiments").mkdir()
    shutil.copy(ROOT / "experiments" / "study.toml", place / "experiments")
    typed(place, "make study")
    return place


def typed(folder: Path, script: str) -> None:
    """Runs commands with the code of the checkout in the reader's folder."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHON": sys.executable}
    done = subprocess.run(
        ["bash", "-c", MAKE + script], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, (script, done.stdout, done.stderr)


@pytest.mark.parametrize("page", [page for page in PAGES if commands(page)], ids=lambda page: page.stem)
def test_commands_do_what_they_are_shown_for(page: Path, folder: Path) -> None:
    typed(folder, commands(page))


@pytest.mark.parametrize(
    "page", [page for page in PAGES if blocks(page) and page.stem != "classifier"], ids=lambda page: page.stem
)
def test_python_blocks_run(page: Path, folder: Path) -> None:
    """Those of classifier.md, one after the other, in test_classifier.py."""
    for number, block in enumerate(blocks(page)):
        (folder / f"block_{number}.py").write_text(block)
        typed(folder, f'"$PYTHON" block_{number}.py')


def own_table(path: Path) -> None:
    """The built-in table as a file a reader might have."""
    data = handnet.wisconsin()
    names = ["patient", "diagnosis", *data.feature_names]
    rows = [",".join([f"p{place:04d}", "BM"[label], *map(repr, row)])
            for place, (row, label) in enumerate(zip(data.X.tolist(), data.y, strict=True))]  # fmt: skip
    path.write_text("\n".join([",".join(names), *rows]) + "\n")
