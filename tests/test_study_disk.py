"""A disk that is full, read-only or damaged, and copies of what is on it: what was finished stays
readable."""

import io
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import killpoints
import numpy as np
import pytest
from canonical import digest, hashed, ledger, results, study_folder, trials
from killpoints import JOURNAL, KILL_AT
from studies import SMALL, TINY, cli, contents, refused, study_name, unwritable

from handnet import Dataset, read_csv, split
from handnet.cli import main
from handnet.study import folder as folders
from handnet.study.networks import from_npz, to_npz

ROOT = Path(__file__).parent.parent
GROWN = [*TINY, "OPEN=1"]
# Where files stop growing: in the line of a trial, and in a network; and in every other file.
SOME = (300, 8_000)
EVERY = (120, 1500, 9_500, 30_000, 100_000, 400_000)


@pytest.fixture(scope="module")
def grown(begun: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, of two trials and opened, undisturbed; in another folder than it was begun in."""
    home = Path(shutil.copytree(begun, tmp_path_factory.mktemp("grown") / "elsewhere %20 ü?#"))
    assert main(["study", f"MLRUNS={home}", *GROWN]) == 0
    return home


def kept(home: Path, before: Path) -> bool:
    """Whether every file of the store can be read, and all that was finished before is as it was."""
    json.loads((study_folder(home) / "study.json").read_text())
    ledger(home)
    was, now = results(before), results(home)
    same = all(hashed(now[key]) == hashed(parts) for key, parts in was.items())
    return same and trials(home)[: len(trials(before))] == trials(before)


@contextmanager
def no_file_beyond(size: int) -> Iterator[None]:
    """The system refuses to let any file grow past `size`, as a disk does that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@contextmanager
def mounted(place: Path, size: str) -> Iterator[Path]:
    """A disk of that size."""
    place.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", place]
    tool = subprocess.run(words, capture_output=True, text=True, check=False)
    if tool.returncode:
        pytest.skip(f"no disk can be mounted here: {tool.stderr.strip()}")
    try:
        yield place
    finally:
        # MLflow keeps a database open for as long as the process lives, so the disk goes when that lets go.
        subprocess.run(["umount", "--lazy", place], check=True)


@pytest.mark.parametrize("size", [*SOME, *(pytest.param(size, marks=pytest.mark.long) for size in EVERY)])
def test_on_a_full_disk_what_was_finished_stays_and_goes_on(
    size: int, begun: Path, grown: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    home = Path(shutil.copytree(begun, tmp_path / "home"))
    capsys.readouterr()
    with no_file_beyond(size):
        code = main(["study", f"MLRUNS={home}", *GROWN])
    said = capsys.readouterr().err
    # 75: all results are stored, but not all of them are tracked.
    assert code == 1 or (code == 75 and size >= 200_000)
    whole = "the disk cannot be written (File too large" if code == 1 else "all results are stored, but"
    assert said.splitlines()[-1].startswith(f"handnet: {whole}")
    assert "Traceback" not in said
    assert kept(home, begun)
    assert main(["study", f"MLRUNS={home}", *GROWN]) == 0  # there is room again
    assert digest(home) == digest(grown)


@pytest.mark.long
@pytest.mark.parametrize("pages", [0, 10, 20, 30, 40, 120, 200])
def test_a_disk_may_fill_up_at_any_page(
    pages: int,
    begun: Path,
    grown: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(folders, "ENOUGH_SPACE", 0)
    with mounted(tmp_path / "disk", "8m") as disk:
        home = Path(shutil.copytree(begun, disk / "home"))
        filler = disk / "filler"
        filler.write_bytes(bytes((shutil.disk_usage(disk).free // 4096 - pages) * 4096))
        capsys.readouterr()
        code = main(["study", f"MLRUNS={home}", *GROWN])
        said = capsys.readouterr().err
        assert code in (0, 1, 2, 75)
        assert code in (0, 75) or "No space left on device" in said.splitlines()[-1]
        assert "Traceback" not in said
        assert kept(home, begun)
        filler.unlink()
        assert main(["study", f"MLRUNS={home}", *GROWN]) == 0
        assert digest(home) == digest(grown)


@pytest.mark.parametrize("what", ["trials.jsonl", "network", "."])
def test_what_cannot_be_written_is_named_and_the_rest_kept(
    what: str, begun: Path, grown: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    home = Path(shutil.copytree(begun, tmp_path / "home"))
    path = home if what == "." else study_folder(home) / what
    with unwritable(path):
        capsys.readouterr()
        assert main(["study", f"MLRUNS={home}", *GROWN]) == (2 if what == "." else 1)
    said = capsys.readouterr().err.splitlines()[-1]
    assert str(path) in said
    assert "Traceback" not in said
    assert kept(home, begun)
    assert main(["study", f"MLRUNS={home}", *GROWN]) == 0
    assert digest(home) == digest(grown)


def test_a_finished_study_is_read_on_a_read_only_medium(
    tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    with mounted(tmp_path / "disk", "16m") as home:
        shutil.copytree(tiny, home, dirs_exist_ok=True)
        page = next(home.glob("reports/*/report.md"))
        page.write_text("of another day")
        subprocess.run(["mount", "-o", "remount,ro", home], check=True)
        words = [f"MLRUNS={home}", f"NAME={study_name(home)}"]
        capsys.readouterr()
        assert main(["report", *words]) == 0
        shown = capsys.readouterr()
        stay = f"{page.parent} cannot be written, so the pages there stay as they are."
        assert stay in shown.out + shown.err
        assert page.read_text() == "of another day"
        assert main(["case", "ID=203", *words]) == 0
        shown = capsys.readouterr()
        assert "Case #203 is" in shown.out
        assert "Page:" not in shown.out
        assert stay in shown.out + shown.err
        assert main(["backup", f"MLRUNS={home}", f"TO={tmp_path / 'to'}"]) == 0
        refused(capsys, [str(home), "Read-only file system"], "study", f"MLRUNS={home}", *TINY)
    assert main(["report", f"MLRUNS={tmp_path / 'to'}", words[1]]) == 0


def as_somebody(*words: str) -> subprocess.CompletedProcess:
    """The command of one who may write what is theirs alone, which root may otherwise not say."""
    drop = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search,-fowner", "--"]
    line = [*(drop if os.geteuid() == 0 else []), sys.executable, "-m", "handnet", *words]
    return subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("what", "mode", "verb", "code"),
    [
        (".", 0o555, "study", 2),
        ("studies/*/network", 0o555, "study", 1),
        ("studies/*/study.json", 0o000, "report", 1),
        (".", 0o000, "report", 1),
    ],
)
def test_what_there_is_no_permission_for_is_named_with_its_owner(
    what: str, mode: int, verb: str, code: int, begun: Path, tmp_path: Path
) -> None:
    if os.geteuid() == 0 and not shutil.which("setpriv"):
        pytest.skip("root may write everything, and no setpriv is here to forbid it")
    home = Path(shutil.copytree(begun, tmp_path / "home"))
    name = study_name(home)
    (path,) = home.glob(what) if what != "." else (home,)
    path.chmod(mode)
    if os.geteuid() == 0:
        os.chown(path, 65534, 65534)
    words = GROWN if verb == "study" else [f"NAME={name}"]
    found = as_somebody(verb, f"MLRUNS={home}", *words)
    path.chmod(0o755)
    assert found.returncode == code
    said = found.stderr.splitlines()[-1]
    assert "Permission denied" in said
    whose = f"{path} belongs to " if os.geteuid() == 0 else f"{path} is "
    assert whose in said
    assert "Traceback" not in found.stderr
    assert kept(home, begun)


# Damage


def damaged(content: bytes, dice: random.Random, *, is_record: bool = False) -> bytes:
    """The same with some bytes turned over, with the end cut off, or with a bit turned over.

    Of a record, no single bit: it may turn one digit into another."""
    place = dice.randrange(len(content))
    turned = bytes(255 - one for one in content[place : place + 64])
    bit = bytes([content[place] ^ 1 << dice.randrange(8)])
    ways = [content[:place], content[:place] + turned + content[place + 64 :]]
    return dice.choice(ways if is_record else [*ways, content[:place] + bit + content[place + 1 :]])


def test_a_damaged_result_is_never_read_as_another(finished: Path) -> None:
    dice, refusals = random.Random(0), 0
    for path in study_folder(finished).rglob("*.npz"):
        content = path.read_bytes()
        whole = hashed(from_npz(content))
        for _ in range(100):
            try:
                assert hashed(from_npz(damaged(content, dice))) == whole, path
            except ValueError:
                refusals += 1
    assert refusals > 1000


def test_an_array_that_one_bit_hides_is_missed() -> None:
    """The bit makes the last entry of the file's directory a comment on the one before."""
    content = to_npz(a=np.zeros(3), b=np.ones(2))
    place = len(content) - 22 - 2 * (46 + len("a.npy")) + 32  # the length of that comment
    hidden = content[:place] + b"\x40" + content[place + 1 :]
    with np.load(io.BytesIO(hidden)) as file:
        assert list(file) == ["a"]
    with pytest.raises(ValueError, match="an array is missing"):
        from_npz(hidden)


def test_all_results_are_made_again(opened: Path, finished: Path) -> None:
    """Whatever became of their files, and of what a commit is written anew from."""
    dice, folder = random.Random(0), study_folder(opened)
    paths = sorted(folder.rglob("*.npz"))
    for place, path in enumerate(paths):
        if place % 4:
            path.write_bytes(damaged(path.read_bytes(), dice) if place % 4 < 3 else b"")
        else:
            path.unlink()
    for name in ("commit.json", "seconds.json"):
        (folder / name).write_bytes(b"{")
    assert cli(opened, "study", *SMALL, "OPEN=1", "IDEAL=1") == 0
    assert digest(opened) == digest(finished)


@pytest.mark.parametrize(
    "seed", [*range(6), *(pytest.param(seed, marks=pytest.mark.long) for seed in range(6, 26))]
)
def test_whatever_is_damaged_is_refused_or_made_again(
    seed: int, opened: Path, finished: Path, capsys: pytest.CaptureFixture
) -> None:
    dice, study = random.Random(seed), ["study", f"MLRUNS={opened}", *SMALL, "OPEN=1", "IDEAL=1"]
    kinds = sorted(
        {path.relative_to(study_folder(opened)).parts[0] for path in study_folder(opened).rglob("*.*")}
    )
    kind = kinds[seed % len(kinds)]
    place = study_folder(opened) / kind
    path = dice.choice(sorted(place.rglob("*.npz"))) if place.is_dir() else place
    path.write_bytes(damaged(path.read_bytes(), dice, is_record=path.suffix != ".npz"))
    before = contents(opened)
    for words, codes in (
        (["report", f"MLRUNS={opened}", f"NAME={study_name(opened)}"], (0, 1)),
        (study, (0, 1)),
    ):
        capsys.readouterr()
        code = main(words)
        said = capsys.readouterr().err
        assert code in codes
        assert "Traceback" not in said
        if code:
            assert said.startswith("handnet: ")
            assert said.count("\n") == 1
            assert kind in said or "makes them again" in said
            assert contents(opened) == before
    # A line of trials that is cut off is a trial that is made again.
    assert code == (path.name in ("study.json", "origin.json")) or path.name == "trials.jsonl"
    assert code or digest(opened) == digest(finished)


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
    with mounted(tmp_path / "small", "1m") as small:
        refused(capsys, ["1 MiB free", "make room"], "study", f"MLRUNS={small}", *GROWN, code=1)
        assert contents(small) == {}


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
def test_a_backup_is_whole_while_a_study_writes(begun: Path, grown: Path, tmp_path: Path) -> None:
    home, to = Path(shutil.copytree(begun, tmp_path / "home")), tmp_path / "to"
    name = study_name(home)
    words = [sys.executable, "-m", "handnet", "study", f"MLRUNS={home}", *GROWN, f"NAME={name}"]
    writer = subprocess.Popen(words, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    copies: list[Path] = []
    while writer.poll() is None:
        copies.append(Path(f"{to}{len(copies)}"))
        assert main(["backup", f"MLRUNS={home}", f"TO={copies[-1]}"]) == 0
        assert kept(copies[-1], begun)
        threading.Event().wait(0.02)
    assert writer.wait() == 0
    states = {str(sorted(contents(copy / "studies"))): copy for copy in copies}
    assert len(states) > 2
    for copy in states.values():  # each is read, and goes on to the same end
        assert main(["report", f"MLRUNS={copy}", f"NAME={name}"]) == 0
        assert main(["study", f"MLRUNS={copy}", *GROWN]) == 0
        assert digest(copy) == digest(home) == digest(grown)


def test_what_a_killed_backup_leaves_goes_with_the_next(tiny: Path, tmp_path: Path) -> None:
    home = Path(shutil.copytree(tiny, tmp_path / "home"))
    environment = {**os.environ, JOURNAL: str(tmp_path / "journal"), KILL_AT: "replacing copy:1"}
    killed = [
        sys.executable,
        str(Path(killpoints.__file__)),
        "backup",
        f"MLRUNS={home}",
        f"TO={tmp_path / 'a'}",
    ]
    assert subprocess.run(killed, env=environment, check=False).returncode == -signal.SIGKILL
    assert not (tmp_path / "a").exists()
    assert len(list(tmp_path.glob(".*"))) == 1
    assert main(["backup", f"MLRUNS={home}", f"TO={tmp_path / 'b'}"]) == 0
    assert not list(tmp_path.glob(".*"))
    assert contents(tmp_path / "b" / "studies") == contents(home / "studies")


def test_a_folder_is_moved_copied_and_renamed(grown: Path, tmp_path: Path) -> None:
    """`grown` went on in a folder it was not begun in, under a name with everything an address may
    mistake."""
    home = Path(shutil.copytree(grown, tmp_path / "home"))
    name = study_name(home)
    before = {kind: contents(home / kind) for kind in ("studies", "reports")}
    moved = home.rename(tmp_path / "moved")
    assert main(["report", f"MLRUNS={moved}", f"NAME={name}"]) == 0
    assert main(["study", f"MLRUNS={moved}", *GROWN]) == 0
    assert {kind: contents(moved / kind) for kind in before} == before
    assert digest(moved) == digest(grown)
    assert not [path for path, content in before["studies"].items() if str(grown).encode() in content]


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
def test_a_locale_that_cannot_name_the_folder_does_not_keep_a_study_from_being_read(grown: Path) -> None:
    forced = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    found = cold("report", f"MLRUNS={grown}", f"NAME={study_name(grown)}", **forced)
    assert found.returncode == 0
    assert b"Traceback" not in found.stderr


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
    with folders.locked(home):
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
