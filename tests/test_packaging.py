"""The front door: what the docs, the Makefile, the lock and the wheel promise."""

import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from handnet.cli import program

ROOT = Path(__file__).parent.parent
DOCS = "".join(page.read_text() for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
LIBRARY = (ROOT / "docs" / "library.md").read_text()
MAKEFILE = (ROOT / "Makefile").read_text()
TARGETS = set(re.findall(r"^([a-z-]+):.*## ", MAKEFILE, re.MULTILINE))


def make(*words: str) -> subprocess.CompletedProcess:
    return subprocess.run(["make", *words], cwd=ROOT, capture_output=True, text=True, check=False)


def test_every_target_is_explained() -> None:
    phony = set(re.search(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)[1].split())
    assert phony == TARGETS
    shown = make("help").stdout
    assert all(f"make {target} " in shown for target in TARGETS)
    assert make().stdout == shown


def test_every_command_of_the_docs_exists() -> None:
    commands = re.findall(r"(?:\$ |`)make ([a-z-]+)((?: [A-Z_]+=\w+)*)", DOCS)
    assert {target for target, _ in commands} >= TARGETS - {"help"}
    options = {param.name for verb in program.commands.values() for param in verb.params}
    experiments = {"KILLS", "SEED", "DIVISIONS", "HELP", "DEBUG"}
    variables = {str(name).upper() for name in options} | experiments
    for target, words in commands:
        assert target in TARGETS
        assert {word.split("=")[0] for word in words.split()} <= variables


def test_what_make_is_given_reaches_the_command_whole() -> None:
    awkward = "a'b;$$(touch planted)"
    shown = make("-n", "study", f"NAME={awkward}", "split.seed=7", "TRAILS=3").stdout
    assert "'NAME=a'\\''b;$(touch planted)'" in shown
    assert "'split.seed=7'" in shown
    assert "'TRAILS=3'" in shown


@pytest.mark.parametrize("value", ["two\nlines", "it's\n-x", '#a %41 ?&\\ "q" ü', "-dash", "a  b "])
def test_the_command_gets_what_was_typed_to_the_letter(value: str, tmp_path: Path) -> None:
    python = tmp_path / "bin" / "python"
    python.parent.mkdir()
    python.write_text('#!/bin/sh\nshift 3\nprintf "%s\\0" "$@"\n')
    python.chmod(0o755)
    ready = f"{tmp_path}/.ready-cpu-x"
    said = make(
        "--no-print-directory",
        "-o",
        ready,
        "clean",
        f"READY={ready}",
        f"VENV={tmp_path}",
        f"MLRUNS={value}",
        "DOOR=x",
    )
    assert {f"MLRUNS={value}", "DOOR=x"} <= set(said.stdout.split("\0"))


STUB = """#!/bin/sh
if [ "$1 $2" = "-m venv" ]; then mkdir -p "$3/bin"; cp "$0" "$3/bin/python"; touch "$3/pyvenv.cfg"; fi
"""


def set_up(folder: Path, venv: str) -> subprocess.CompletedProcess:
    """`make setup` in a copy of the checkout, with a Python that makes environments of nothing."""
    for name in ("Makefile", "requirements.lock"):
        if not (folder / name).exists():
            shutil.copy(ROOT / name, folder)
    python = folder.parent / "python"
    python.write_text(STUB)
    python.chmod(0o755)
    words = ["make", "setup", f"VENV={venv}", f"PYTHON={python}"]
    return subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    (tmp_path / "checkout").mkdir()
    return tmp_path / "checkout"


@pytest.mark.parametrize(
    "venv", [".venv", "env", "{outside}/thesis/env", "empty", "made", "linked", "ü", "half"]
)
def test_an_environment_is_set_up_where_nothing_else_is(venv: str, checkout: Path) -> None:
    (checkout / "empty").mkdir()
    for name in ("made", "half"):
        (checkout / name / "bin").mkdir(parents=True)
        (checkout / name / "pyvenv.cfg").write_text("")
    (checkout / "made" / ".ready-cpu-1").write_text("")
    (checkout / "linked").symlink_to("made")
    venv = venv.format(outside=checkout.parent)
    found = set_up(checkout, venv)
    assert found.returncode == 0, found.stderr
    assert list((checkout / venv).glob(".ready-cpu-*"))
    assert set_up(checkout, venv).stderr == ""  # it is there


@pytest.mark.parametrize(
    "venv", ["{outside}/thesis", "mixed", "notes", "loose", ".", "..", "./", "thesis/.."]
)
def test_a_folder_of_anything_else_is_not_removed_for_an_environment(venv: str, checkout: Path) -> None:
    """Not even one in which somebody has made an environment beside the rest."""
    for folder in (checkout.parent / "thesis", checkout / "mixed", checkout / "thesis"):
        folder.mkdir()
        (folder / "chapter one.tex").write_text("mine")
    (checkout / "mixed" / "pyvenv.cfg").write_text("")
    (checkout / "notes").write_text("mine")
    (checkout / "loose").symlink_to("nowhere")
    set_up(checkout, "notes")  # what it copies there
    before = sorted(checkout.parent.rglob("*"))
    found = set_up(checkout, venv.format(outside=checkout.parent))
    assert found.returncode == 2
    assert "is no virtual environment" in found.stderr
    assert "name a new or empty folder" in found.stderr
    assert sorted(checkout.parent.rglob("*")) == before


@pytest.mark.parametrize(
    "venv", ["", " ", "my env", "a b c", "-env", "x;touch planted", "$$(touch planted)", "a'b", "*"]
)
def test_an_environment_whose_name_make_would_misread_is_refused(venv: str, checkout: Path) -> None:
    found = set_up(checkout, venv)
    assert found.returncode == 2
    assert "VENV must be one path" in found.stderr
    assert sorted(path.name for path in checkout.iterdir()) == ["Makefile", "requirements.lock"]


@pytest.mark.parametrize("block", re.findall(r"```python\n(.*?)```", LIBRARY, re.DOTALL))
def test_python_of_the_library_page_runs_and_prints_lines_of_the_form_shown(
    block: str, tmp_path: Path
) -> None:
    """A comment that begins with a digit is what the line before it prints."""
    printed = subprocess.run(
        [sys.executable, "-c", block],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert printed
    # The digits are the machine's own; the form is ours.
    for shown in re.findall(r"^(?:print.*|\))\s*#\s*(\d.*)$", block, re.MULTILINE):
        assert re.sub(r"\d", "0", shown) in re.sub(r"\d", "0", printed)


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-gpu.lock"])
def test_the_lock_pins_every_package_by_hash_and_names_no_host(name: str) -> None:
    lock = (ROOT / name).read_text()
    assert "://" not in lock
    assert "--index-url" not in lock
    entries = re.split(r"\n(?=[A-Za-z0-9])", lock.strip())
    assert len(entries) > 50
    for entry in entries:
        assert re.match(r"[A-Za-z0-9._-]+==\S+", entry), entry[:80]
        assert "--hash=sha256:" in entry
    named = set(re.findall(r'^    "([A-Za-z0-9-]+)', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)) - {
        "error",
        "ignore",
    }
    locked = {re.match(r"[A-Za-z0-9._-]+", entry)[0].lower() for entry in entries}
    assert {"optuna", "mlflow", "pandas", "pytest", "scikit-learn"} <= named & locked


def test_every_dependency_names_a_file_that_uses_it() -> None:
    for name, files in re.findall(
        r'^    "([a-z0-9-]+)[^"]*",\s*# (.*)$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE
    ):
        for file in re.findall(r"(?:handnet|experiments|tests)/[\w/]+\.py", files):
            text = (ROOT / file).read_text()
            module = {
                "scikit-learn": "sklearn",
                "pyarrow": "import pyarrow",
                "markdown-it-py": "markdown_it",
            }.get(name, name)
            assert module in text, f"{file} does not use {name}"


def test_an_audit_that_could_not_ask_does_not_pass() -> None:
    pytest.importorskip("pip_audit", reason="not in this environment; make setup installs it")
    nowhere = {
        "https_proxy": "http://127.0.0.1:9",
        "HTTPS_PROXY": "http://127.0.0.1:9",
        "NO_PROXY": "",
        "no_proxy": "",
    }
    line = re.search(
        r"^audit:.*\n\t@\$\(PY\) (.*) -r \$\(LOCK\)$", (ROOT / "Makefile").read_text(), re.MULTILINE
    )[1]
    asked = subprocess.run(
        [sys.executable, *line.split(), "-r", "requirements.lock"],
        cwd=ROOT,
        env=os.environ | nowhere,
        capture_output=True,
        text=True,
        check=False,
    )
    assert asked.returncode == 1
    assert "No known vulnerabilities" not in asked.stdout + asked.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What pip would install, built as a release is."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return next(folder.glob("*.whl"))


def test_the_wheel_ships_the_library_its_settings_and_pages_and_nothing_else(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    shipped = [
        path for path in (ROOT / "handnet").rglob("*") if path.is_file() and "__pycache__" not in path.parts
    ]
    assert {str(path.relative_to(ROOT)) for path in shipped} == {n for n in names if n.startswith("handnet/")}
    assert {"handnet/study/default.toml", "handnet/report/templates/report.html.j2"} <= names
    (points,) = (name for name in names if re.fullmatch(r"[^/]+\.dist-info/entry_points\.txt", name))
    assert "handnet = handnet.cli:run" in zipfile.ZipFile(wheel).read(points).decode()


def test_the_wheel_works_outside_of_the_checkout(wheel: Path, tmp_path: Path) -> None:
    code = "import handnet; p = handnet.split(handnet.wisconsin()); print(handnet.__file__, p.train.X.shape)"
    for words, shown in ((["-c", code], ".whl"), (["-m", "handnet", "study", "--help"], "split.seed ")):
        out = subprocess.run(
            [sys.executable, *words],
            cwd=tmp_path,
            env={"PYTHONPATH": str(wheel)},
            capture_output=True,
            text=True,
            check=True,
        )
        assert shown in out.stdout


@pytest.mark.parametrize(
    ("words", "package", "extra"),
    [
        (["try"], "optuna", "study"),
        (["ui"], "mlflow", "study"),
        (["study", "BACKEND=keras"], "keras", "keras"),
    ],
)
def test_without_its_extra_a_verb_says_what_to_install(
    words: list[str], package: str, extra: str, tmp_path: Path
) -> None:
    """As in an environment that lacks the package."""
    code = f"""
import sys
from handnet.cli import run
sys.modules[{package!r}] = None
run([*{words!r}, "MLRUNS=m"])"""
    found = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 2
    assert found.stderr.startswith("handnet: ")
    assert f'pip install "handnet[{extra}]"' in found.stderr
    assert package in found.stderr
    assert found.stderr.count("\n") == 1
