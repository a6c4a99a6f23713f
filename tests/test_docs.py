"""The README and the docs: their links and file names lead somewhere, and the chapter's nicknames stay in
their pages. In make test-long every command is run, as the Makefile would run it, only smaller, and so is
every Python block."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import handnet

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = sorted([ROOT / "README.md", *DOCS.glob("*.md")])
FILES = (".py", ".md", ".toml", ".csv", ".j2")  # how the name of a file of ours ends
TOLD_IN_NICKNAMES = (
    "walk",
    "lesson",
    "chapter",
    "claims",
    "published",
    "glossary",
)  # pages, files and folders that quote the chapter
FEWER = {
    "study": "TRIALS=4 CONFIRM=2 SPLITS=2",
    "simulate": "STUDIES=20",
}  # counts, which leave a study its name
ELSEWHERE = (
    "test",
    "test-long",
    "ui",
    "bench",
    "torture",
    "witness",
    "audit",
    "claims",
    "published",
)  # too long, or never ending: each has its own tests
COUNTS = " ".join(f'{verb}) set -- "$@" {words};;' for verb, words in FEWER.items())
MAKE = f"""set -e
make() {{
  case "$1" in {"|".join(ELSEWHERE)}) return;; {COUNTS} esac
  case " $* " in
    " track TO="*) return;;  # a server of the reader's: tests/test_study_tracking.py has real ones
    " study "*SETTINGS=*|" try "*SETTINGS=*);;
    " study "*|" try "*) set -- "$@" SETTINGS=experiments/study.toml;;
  esac
  case "$1" in
    walk|claims|published|witness|bench) "$PYTHON" -m experiments.$1 "${{@:2}}";;
    *) "$PYTHON" -m handnet "$@";;
  esac
}}
handnet() {{ "$PYTHON" -m handnet "$@"; }}
"""  # what the Makefile runs, and the command that the wheel installs


def commands(page: Path) -> str:
    """What a reader would type, line by line."""
    blocks = re.findall(r"```console\n(.*?)```", page.read_text(), re.DOTALL)
    return "".join(re.sub(r"^\$ ", "", block, flags=re.MULTILINE) for block in blocks).replace(
        ".venv/bin/python", '"$PYTHON"'
    )


def blocks(page: Path) -> list[str]:
    return re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL)


def prose(page: Path) -> str:
    """A page without its blocks of code."""
    return re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)


def anchors(page: Path) -> set[str]:
    """What a link may name after #: the headings, as web pages spell them."""
    headings = re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_link_leads_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)]+)\)", prose(page)):
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        assert "://" in link or target.exists(), f"{link} leads nowhere"
        assert not anchor or anchor in anchors(target), f"{link}: {target.name} has no such heading"


def test_every_page_is_linked_from_the_readme() -> None:
    linked = set(re.findall(r"\]\(docs/([\w-]+\.md)\)", (ROOT / "README.md").read_text()))
    assert linked == {page.name for page in DOCS.glob("*.md")}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_file_and_test_named_is_there(page: Path) -> None:
    """What is made by commands lies in mlruns/; names of metrics have a slash too, and no folder of ours
    before it."""
    for path, _, test in re.findall(r"`([\w.-]+(?:/[\w.-]+)+/?)(::(\w+))?`", prose(page)):
        top = path.split("/")[0]
        if top != "mlruns" and ((ROOT / top).is_dir() or path.endswith(FILES)):
            assert (ROOT / path).exists(), f"there is no {path}"
            assert not test or f"def {test}(" in (ROOT / path).read_text(), f"{path} has no {test}"


@pytest.mark.parametrize("package", ["handnet", "experiments"])
def test_the_layout_has_a_line_for_every_file(package: str) -> None:
    listed = re.search(rf"^{package}/ .*\n((?:  .*\n)+)", (DOCS / "design.md").read_text(), re.MULTILINE)[1]
    for indent, folder in (
        ("", package),
        ("  ", f"{package}/study"),
        ("  ", f"{package}/report"),
        ("  ", f"{package}/mlp"),
    ):
        if not (ROOT / folder).is_dir():
            continue
        place = ROOT / folder
        there = {f"{path.name}/" if path.is_dir() else path.name for path in place.iterdir()}
        own = (
            listed
            if not indent
            else re.search(rf"^  {place.name}/ .*\n((?:    .*\n)+)", listed, re.MULTILINE)[1]
        )
        assert set(re.findall(rf"^  {indent}(\S+)", own, re.MULTILINE)) == {
            name for name in there if not name.startswith("__")
        }


def nicknames() -> dict[str, str]:
    """The first table of the glossary: the chapter's word -> the field's."""
    table = (DOCS / "glossary.md").read_text().split("\n\n")[2]
    return dict(re.findall(r"^\| (.*?) \| (.*?) \|", table, re.MULTILINE)[2:])


def test_nicknames_stay_where_the_chapter_is_quoted() -> None:
    words = "|".join(map(re.escape, nicknames()))
    assert len(nicknames()) > 20
    sources = [
        path
        for folder in ("handnet", "experiments")
        for path in (ROOT / folder).rglob("*")
        if path.suffix in FILES
    ]
    for path in [*PAGES, *sources]:
        if not any(told in str(path.relative_to(ROOT)) for told in TOLD_IN_NICKNAMES):
            found = re.search(rf"\b({words})s?\b", path.read_text(), re.IGNORECASE)
            assert not found, f"{path} says {found[0]!r}"


def test_the_fields_words_are_the_codes() -> None:
    code = " ".join(
        path.read_text() for folder in ("handnet", "experiments") for path in (ROOT / folder).rglob("*.py")
    )
    assert [word for word in nicknames().values() if not re.search(rf"\b{word}\b", code, re.IGNORECASE)] == []


@pytest.fixture(scope="module")
def folder(once: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a reader is who has made a study, and has a table and predictions. Each worker has its own."""
    return Path(shutil.copytree(once("reader", settled), tmp_path_factory.mktemp("reader") / "place"))


def settled(place: Path) -> None:
    """Makes the study and the predictions in a new folder."""
    (place / "experiments").mkdir(parents=True)
    shutil.copy(ROOT / "experiments" / "study.toml", place / "experiments")
    typed(place, "make study")
    (place / "make_predictions.py").write_text(blocks(DOCS / "results.md")[0])
    typed(place, '"$PYTHON" make_predictions.py')


def typed(folder: Path, script: str) -> None:
    """Runs commands with the code of the checkout in the reader's folder."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHON": sys.executable}
    done = subprocess.run(
        ["bash", "-c", MAKE + script],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, (script, done.stdout, done.stderr)


@pytest.mark.long
@pytest.mark.parametrize("page", [page for page in PAGES if commands(page)], ids=lambda page: page.stem)
def test_commands_do_what_they_are_shown_for(page: Path, folder: Path) -> None:
    own_table(folder / "my.csv")  # another page may have written its own there
    typed(folder, commands(page))


@pytest.mark.long
@pytest.mark.parametrize(
    "page", [page for page in PAGES if blocks(page) and page.stem != "classifier"], ids=lambda page: page.stem
)
def test_python_blocks_run(page: Path, folder: Path) -> None:
    """Those of classifier.md, one after the other, in test_estimator.py."""
    own_table(folder / "my.csv")
    for number, block in enumerate(blocks(page)):
        (folder / f"block_{number}.py").write_text(block)
        typed(folder, f'"$PYTHON" block_{number}.py')


def own_table(path: Path) -> None:
    """The built-in table as a file a reader might have."""
    data = handnet.wisconsin()
    names = ["patient", "diagnosis", *data.feature_names]
    rows = [
        ",".join([f"p{place:04d}", "BM"[label], *map(repr, row)])
        for place, (row, label) in enumerate(zip(data.X.tolist(), data.y, strict=True))
    ]
    path.write_text("\n".join([",".join(names), *rows]) + "\n")
