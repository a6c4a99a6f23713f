"""A disk that is full, read-only or damaged, and copies of what is on it: what was finished stays
readable."""

import fcntl
import os
import random
import resource
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from canonical import digest, query, runs, trials
from studies import TINY, contents, refused, study_name

from handnet import Dataset, read_csv, split
from handnet.cli import main

ROOT = Path(__file__).parent.parent
GROWN = [*TINY, "OPEN=1"]
# Where files stop growing: in the middle of a database, and while results are written; and every step.
SOME = (20_480, 307_200)
EVERY = [size for size in range(4096, 600_000, 8192) if size not in SOME]


@pytest.fixture(scope="module")
def grown(begun: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, of two trials and opened, undisturbed; in another folder than it was begun in."""
    home = Path(shutil.copytree(begun, tmp_path_factory.mktemp("grown") / "elsewhere %20 ü?#"))
    assert main(["study", f"MLRUNS={home}", *GROWN]) == 0
    return home


def sound(home: Path) -> bool:
    return all(
        query(home / name, "PRAGMA integrity_check") == [("ok",)] for name in ("mlflow.db", "optuna.db")
    )


@contextmanager
def no_file_beyond(size: int) -> Iterator[None]:
    """The system refuses to let any file grow past `size`, as a disk does that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("size", [*SOME, *(pytest.param(size, marks=pytest.mark.long) for size in EVERY)])
def test_on_a_full_disk_what_was_finished_stays_and_goes_on(
    size: int, begun: Path, grown: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    home = Path(shutil.copytree(begun, tmp_path / "home"))
    capsys.readouterr()
    with no_file_beyond(size):
        code = main(["study", f"MLRUNS={home}", *GROWN])
    said = capsys.readouterr().err
    assert code == 1 or (code == 0 and size not in SOME)
    assert code == 0 or said.splitlines()[-1].startswith("handnet: the disk cannot be written (")
    assert "Traceback" not in said
    assert sound(home)
    kept = runs(home)
    assert all(kept[key] == run for key, run in runs(begun).items() if key.startswith(("seed/", "search/")))
    assert trials(home)[:1] == trials(begun)
    assert main(["study", f"MLRUNS={home}", *GROWN]) == 0  # there is room again
    assert digest(home) == digest(grown)


@contextmanager
def unwritable(*paths: Path) -> Iterator[None]:
    """Not even root writes these files."""
    for path in paths:
        tool = subprocess.run(["chattr", "+i", path], capture_output=True, text=True, check=False)
        if os.geteuid() == 0 and tool.returncode:
            pytest.skip(f"root writes every file here: {tool.stderr.strip()}")
        if os.geteuid():
            path.chmod(path.stat().st_mode & ~0o222)
    try:
        yield
    finally:
        for path in paths:
            subprocess.run(["chattr", "-i", path], capture_output=True, check=False)
            path.chmod(path.stat().st_mode | 0o200)


@pytest.mark.parametrize(("name", "code"), [("mlflow.db", 1), ("optuna.db", 1), (".", 2)])
def test_what_cannot_be_written_is_refused_at_once(
    name: str, code: int, begun: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    home = Path(shutil.copytree(begun, tmp_path / "home"))
    before = contents(home)
    with unwritable(home / name):
        refused(
            capsys,
            [str(home / name).removesuffix("/."), "cannot be written"],
            "study",
            f"MLRUNS={home}",
            *GROWN,
            code=code,
        )
    assert contents(home) == before


@pytest.mark.parametrize(
    ("place", "says"),
    [
        ("a-file", "a-file is a file"),
        ("a-file/below", "cannot be written (Not a directory)"),
        ("/proc/none/m", "cannot be written (No such file"),
    ],
)
def test_a_folder_that_cannot_be_made_is_refused(
    place: str, says: str, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    (tmp_path / "a-file").write_text("mine")
    refused(capsys, [says, "MLRUNS"], "study", f"MLRUNS={tmp_path / place}", *GROWN)
    assert contents(tmp_path) == {"a-file": b"mine"}


def test_a_nearly_full_disk_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", small], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"no small disk can be made here: {mounted.stderr.strip()}")
    try:
        refused(capsys, ["1 MiB free", "make room"], "study", f"MLRUNS={small}", *GROWN, code=1)
        assert contents(small) == {}
    finally:
        subprocess.run(["umount", small], check=True)


@pytest.mark.parametrize(
    "seed", [*range(20), *(pytest.param(seed, marks=pytest.mark.long) for seed in range(20, 200))]
)
def test_a_corrupted_copy_is_sound_or_refused(
    seed: int, grown: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    """A page turned over, or the end cut off, at random: never a traceback, never another file."""
    home = Path(shutil.copytree(grown, tmp_path / "home"))
    moments = random.Random(seed)
    path = home / moments.choice(["mlflow.db", "optuna.db"])
    whole = bytearray(path.read_bytes())
    place = moments.randrange(len(whole))
    path.write_bytes(
        whole[:place]
        if seed % 2
        else whole[:place] + bytes(255 - one for one in whole[place : place + 4096]) + whole[place + 4096 :]
    )
    before = contents(home)
    capsys.readouterr()
    code = main(["report", f"MLRUNS={home}", f"NAME={study_name(home)}"])
    said = capsys.readouterr().err
    assert code in (0, 1, 2)
    assert "Traceback" not in said
    assert (code == 0 and not said) or (said.startswith("handnet: ") and said.count("\n") == 1)
    assert contents(home)[path.name] == before[path.name]
    if code:
        assert contents(home) == before


# Copies


def test_the_commands_that_are_printed_read_the_copy(
    tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    to, name = tmp_path / "to", study_name(tiny)
    assert main(["backup", f"MLRUNS={tiny}", f"TO={to}"]) == 0
    reader = f"MLRUNS={to} NAME={name}"
    assert f"; make report {reader} reads it." in capsys.readouterr().out
    assert main(["report", *reader.split()]) == 0
    assert f"MLflow:   make ui MLRUNS={to}\n" in capsys.readouterr().out


@pytest.mark.long
def test_a_backup_is_whole_while_a_study_writes(
    begun: Path, grown: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    home, to = Path(shutil.copytree(begun, tmp_path / "home")), tmp_path / "to"
    name = study_name(home)
    words = [sys.executable, "-m", "handnet", "study", f"MLRUNS={home}", *GROWN, f"NAME={name}"]
    writer = subprocess.Popen(words, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    copies = 0
    while writer.poll() is None:
        assert main(["backup", f"MLRUNS={home}", f"TO={to}{copies}"]) == 0
        assert sound(Path(f"{to}{copies}"))
        copies += 1
        threading.Event().wait(0.3)
    assert writer.wait() == 0
    assert copies > 2
    capsys.readouterr()
    for number in range(copies):  # each goes on to the same end
        copy = Path(f"{to}{number}")
        assert main(["report", f"MLRUNS={copy}", f"NAME={name}"]) in (
            0,
            75,
        )  # 75: caught between two confirmations
        assert main(["study", f"MLRUNS={copy}", *GROWN]) == 0
        assert digest(copy) == digest(home) == digest(grown)


def test_a_moved_folder_is_read_and_written_where_it_lies(grown: Path, begun: Path) -> None:
    """`grown` went on in a folder it was not begun in, under a name with everything an address may
    mistake."""
    places = query(
        grown / "mlflow.db", "SELECT artifact_uri FROM runs UNION SELECT artifact_location FROM logged_models"
    )
    assert places
    root = (grown / "artifacts").absolute().as_uri()
    assert all(place.startswith(f"{root}/") for (place,) in places)
    files = {path.relative_to(grown) for path in (grown / "artifacts").rglob("replica.npz")}
    assert files > {path.relative_to(begun) for path in (begun / "artifacts").rglob("replica.npz")}


def test_lost_results_are_made_again(grown: Path, tmp_path: Path) -> None:
    home = Path(shutil.copytree(grown, tmp_path / "home"))
    for pattern in ("test_logits.npy", "val_logits.npy"):
        for path in (home / "artifacts").rglob(pattern):
            path.unlink()
    assert main(["study", f"MLRUNS={home}", *GROWN]) == 0
    assert digest(home) == digest(grown)


# Cold starts


def cold(*words: str, **changes: str) -> subprocess.CompletedProcess:
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in ("HOME", "LANG") and not name.startswith("LC_")
    }
    return subprocess.run(
        [sys.executable, "-m", "handnet", *words],
        cwd=ROOT,
        env=kept | changes,
        capture_output=True,
        check=False,
    )


@pytest.mark.long
def test_without_a_home_or_a_locale_a_report_is_made(grown: Path) -> None:
    found = cold(
        "report", f"MLRUNS={grown}", f"NAME={study_name(grown)}", LC_ALL="C", PYTHONIOENCODING="ascii"
    )
    assert (found.returncode, found.stderr) == (0, b"")
    assert b"another seed" in found.stdout


@pytest.mark.long
def test_a_locale_that_cannot_name_the_folder_is_refused(grown: Path) -> None:
    forced = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    found = cold("report", f"MLRUNS={grown}", f"NAME={study_name(grown)}", **forced)
    assert (found.returncode, found.stdout) == (2, b"")
    assert b"cannot be expressed in this locale" in found.stderr


@pytest.mark.long
@pytest.mark.parametrize(("shell", "codes"), [("> /dev/full", (1,)), (">&-", (0, 1)), ("| head -1", (0,))])
def test_nobody_listens(shell: str, codes: tuple[int, ...], grown: Path) -> None:
    line = f'"$0" -m handnet report "MLRUNS={grown}" NAME={study_name(grown)} {shell}'
    found = subprocess.run(
        ["bash", "-c", line, sys.executable], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert found.returncode in codes
    assert "Traceback" not in found.stderr
    assert "Exception ignored" not in found.stderr


def divides(data: Dataset, seed: int) -> bool:
    try:
        split(data, seed=seed, stratify=False)
    except ValueError:
        return False
    return True


@pytest.mark.filterwarnings("ignore:.* rows repeat an earlier one")
def test_a_table_that_cannot_be_divided_anew_is_refused_before_the_opening(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    rows = [f"{place % 7},{place * place % 31},{'M' if place % 11 == 0 else 'B'}" for place in range(120)]
    (tmp_path / "t.csv").write_text("\n".join(["a,b,y", *rows]))
    data = read_csv(tmp_path / "t.csv", "y", "M")
    sound = next(seed for seed in range(50) if divides(data, seed))  # the study's own split is no trouble
    table = [
        f"DATA={tmp_path / 't.csv'}",
        "TARGET=y",
        "POSITIVE=M",
        "STRATIFY=0",
        "SPLITS=40",
        f"SPLIT_SEED={sound}",
    ]
    few = ["TRIALS=1", "SEEDS=2", "CONFIRM=2", "space.epochs.high=12", "OPEN=1"]
    assert main(["study", f"MLRUNS={tmp_path / 'm'}", *few, *table]) == 2
    said = capsys.readouterr().err
    assert "the table cannot be divided anew with split seed" in said
    assert "Nothing was opened; SPLITS=0 leaves the fresh divisions out." in said
    assert not (tmp_path / "m" / "openings.jsonl").exists()


def test_a_value_no_network_stays_finite_on_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    rows = [
        f"{place},{'1e30' if place == 17 else place % 5 * 1e-10:},{'M' if place % 3 else 'B'}"
        for place in range(90)
    ]
    (tmp_path / "t.csv").write_text("\n".join(["a,b,y", *rows]))
    few = ["TRIALS=1", "SEEDS=2", "CONFIRM=2", "space.epochs.high=12", "SPLITS=0", "OPEN=1"]
    codes = set()
    for split_seed in range(1, 6):  # in train rows it is a large spread, in the others a distance
        home = tmp_path / str(split_seed)
        words = [
            f"MLRUNS={home}",
            f"DATA={tmp_path / 't.csv'}",
            "TARGET=y",
            "POSITIVE=M",
            f"SPLIT_SEED={split_seed}",
        ]
        codes.add(code := main(["study", *words, *few]))
        said = capsys.readouterr().err
        assert code == 0 or ("case 17 lies" in said and "in 'b'; look at that value" in said)
        assert (home / "openings.jsonl").exists() == (code == 0)
    assert codes == {0, 2}


def test_another_process_writes(begun: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    home = Path(shutil.copytree(begun, tmp_path / "home"))
    with (home / ".lock").open("a+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        before = contents(home)
        for verb in (["study", *GROWN], ["clean"]):
            refused(
                capsys,
                ["another study is writing", "wait for it or stop it"],
                *verb,
                f"MLRUNS={home}",
                code=75,
            )
        assert contents(home) == before


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["study", "TRAILS=3"], "did you mean TRIALS"),
        (["study", "DATA=none.csv", "TARGET=y", "POSITIVE=M"], "none.csv: the table cannot be read"),
        (["study", "SETTINGS=none.toml"], "does not exist"),
        (["report", "MLRUNS=/proc/none"], "there is no study"),
        (["case", "MLRUNS=/proc/none"], "which case? Its id is wanted: make case ID=203"),
        (["sudy"], "sudy is no verb of handnet: did you mean study?"),
    ],
)
def test_a_cold_start_says_one_sentence(words: list[str], says: str) -> None:
    found = cold(*words)
    assert (found.returncode, found.stdout) == (2, b"")
    assert found.stderr.count(b"\n") == 1
    assert says in found.stderr.decode()


@pytest.mark.long
def test_the_gpu_asked_for_is_not_there(tmp_path: Path) -> None:
    found = cold("study", "BACKEND=keras", "DEVICE=gpu", f"MLRUNS={tmp_path / 'm'}", CUDA_VISIBLE_DEVICES="")
    assert found.returncode == 2
    assert "gpu" in found.stderr.decode().splitlines()[-1].lower()
    assert not (tmp_path / "m").exists()
