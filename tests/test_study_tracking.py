"""Studies on real MLflow servers that die, fail, are down or belong to others too; no password anywhere."""

import base64
import hashlib
import html
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from canonical import models, query, runs, tracked, trials
from mlflow.tracking import MlflowClient
from studies import FEW, ROOT, cli, command, free_port, study_name

from handnet.cli import main
from handnet.study import retrack
from handnet.study.folder import clean
from handnet.study.retrack import present
from handnet.study.screen import Screen
from handnet.study.store import Store
from handnet.study.targets import local, targets
from handnet.study.tracker import KEY, ORIGIN, PROBE, Entry, Unwelcome

SMALL = [
    "TRIALS=2",
    "SEEDS=2",
    "CONFIRM=3",
    "space.epochs.high=20",
    "SPLITS=2",
    "rehearsal.seeds=2",
    "rehearsal.levels=2",
    "OPEN=1",
]
PLANTED = "pl4nted-9c1f"
FINISHED = "SELECT count(*) FROM runs WHERE status = 'FINISHED' AND lifecycle_stage = 'active'"
ACTIVE = "SELECT run_uuid FROM runs WHERE lifecycle_stage = 'active' ORDER BY 1"


class Server:
    """A real `mlflow server` with its own database and artifacts."""

    def __init__(self, home: Path) -> None:
        self.home, self.files, self.port = home, home / "files", free_port()
        self.url, self.db = f"http://127.0.0.1:{self.port}", home / "tracking/mlflow.db"
        self.db.parent.mkdir()
        self.start()

    def start(self) -> None:
        words = ["--host", "127.0.0.1", "--port", str(self.port), "--workers", "1", "--serve-artifacts"]
        words += ["--backend-store-uri", f"sqlite:///{self.db}", "--artifacts-destination", str(self.files)]
        quiet = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
        with (self.home / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "mlflow", "server", *words],
                cwd=self.home,
                stdout=log,
                stderr=log,
                env=os.environ | quiet,
                start_new_session=True,
            )

    def wait(self) -> None:
        until = time.monotonic() + 120
        while time.monotonic() < until and self.process.poll() is None:
            try:
                urllib.request.urlopen(f"{self.url}/health", timeout=1).close()
                return
            except OSError:
                time.sleep(0.1)
        raise AssertionError((self.home / "log").read_text()[-2000:])

    def kill(self) -> None:
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def runs(self) -> dict[str, dict]:
        return runs(self.home, self.files)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    one = Server(tmp_path_factory.mktemp("server"))
    yield one
    if one.process.poll() is None:
        one.kill()


def study(home: Path, address: str, *words: str) -> subprocess.Popen:
    """The real command, with secrets in every place that is known to hold them."""
    planted = {
        "MLFLOW_TRACKING_URI": address,
        "DATABASE_URL": f"postgresql://u:{PLANTED}@db/x",
        "MLFLOW_TRACKING_TOKEN": PLANTED,
        "AWS_SECRET_ACCESS_KEY": PLANTED,
        "PGPASSWORD": PLANTED,
        "MLFLOW_RUN_CONTEXT": f'{{"secret": "{PLANTED}"}}',
        "MLFLOW_ENABLE_ASYNC_LOGGING": "true",
    }
    return subprocess.Popen(
        command(home, *(words or ("study", *SMALL))),
        cwd=ROOT,
        env=os.environ | planted,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def with_password(url: str) -> str:
    return url.replace("://", f"://reader:{PLANTED}@")


def no_password_in(said: str, *folders: Path) -> None:
    assert PLANTED not in said
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    assert len(files) > 30
    for path in files:
        assert PLANTED.encode() not in path.read_bytes(), path


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study that was made while its server was down."""
    folder = tmp_path_factory.mktemp("home")
    dead = f"http://127.0.0.1:{free_port()}"
    process = study(folder, with_password(dead))
    out, errors = process.communicate(timeout=300)
    count = len(runs(folder))
    assert process.returncode == 75, errors
    assert f"all results are stored, but {count} of {count} runs are not known to be on {dead} (" in errors
    assert f"make track NAME={study_name(folder)} TO={dead} MLRUNS={folder} sends them." in errors
    assert errors.count(dead) == 2  # told once, with the command
    assert "Report:" in out
    assert "Traceback" not in errors
    no_password_in(out + errors, folder)
    return folder


def track(home: Path, *words: str) -> int:
    return cli(home, "track", f"NAME={study_name(home)}", *words)


def contents(home: Path, root: Path) -> list[tuple[tuple[str, ...], str]]:
    """Every file of every live run: its path below them, and its content."""
    alive = {row[0] for row in query(tracked(home), ACTIVE)}
    found = [(path.relative_to(root).parts, path) for path in root.rglob("*") if path.is_file()]
    return sorted(
        (parts[parts.index("artifacts") + 1 :], hashlib.sha256(path.read_bytes()).hexdigest())
        for parts, path in found
        if alive & set(parts[:3])
    )


@pytest.mark.long
def test_a_server_that_dies_and_returns_has_every_run_once(server: Server, home: Path) -> None:
    before = runs(home)
    server.wait()
    process = study(home, with_password(server.url))
    while process.poll() is None and query(server.db, FINISHED)[0][0] < 4:
        time.sleep(0.01)
    server.kill()
    out, errors = process.communicate(timeout=300)
    assert process.returncode == 75, errors
    assert "runs are not known to be on" in errors
    sent = query(server.db, FINISHED)[0][0]
    assert 4 <= sent < len(before)

    server.start()
    server.wait()
    client = MlflowClient(tracking_uri=server.url)
    (seeds,) = (one for one in client.search_experiments() if one.name == study_name(home))
    ours = targets(Store(home, study_name(home)), None)[0].origin
    others = client.create_run(seeds.experiment_id, tags={KEY: "seed/x/1", ORIGIN: "another folder"})
    cut = client.create_run(seeds.experiment_id, tags={KEY: next(iter(before)), ORIGIN: ours})
    again = study(home, "", "track", f"NAME={study_name(home)}", f"TO={with_password(server.url)}")
    more = again.communicate(timeout=300)
    assert again.returncode == 0, more[1]
    no_password_in("".join([out, errors, *more]), home, server.home)

    assert runs(home) == before
    there = server.runs()
    assert there.pop("seed/x/1")["status"] == "RUNNING"
    assert there == before
    assert models(server.home) == models(home)
    assert contents(server.home, server.files) == contents(home, home / "tracking/artifacts")
    assert client.get_run(others.info.run_id).info.lifecycle_stage == "active"
    assert client.get_run(cut.info.run_id).info.lifecycle_stage == "deleted"


class Failing(BaseHTTPRequestHandler):
    """Passes requests on, but each seventh fails: it is refused, or its answer is lost on the way."""

    to = ""
    asked = failed = 0

    def _pass(self) -> None:
        kind = type(self)
        kind.asked += 1
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        fails = kind.asked % 7 == 0
        kind.failed += fails
        if fails and kind.failed % 2:
            self.send_error(503)
            return
        headers = {name: value for name, value in self.headers.items() if name.lower() != "host"}
        request = urllib.request.Request(self.to + self.path, body or None, headers, method=self.command)
        try:
            answer = urllib.request.urlopen(request, timeout=60)
        except urllib.error.HTTPError as fault:
            answer = fault
        content = answer.read()
        if fails:
            self.close_connection = True
            return
        self.send_response(answer.status)
        for name in ("Content-Type",):
            self.send_header(name, answer.headers.get(name, "application/json"))
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _pass  # noqa: N815 - names of the standard library

    def log_message(self, *_: object) -> None:
        """Nothing is said."""


def test_a_server_that_fails_one_request_in_seven_has_every_run_once(
    server: Server, home: Path, tmp_path: Path
) -> None:
    server.wait()
    copy = Path(shutil.copytree(home, tmp_path / "copy"))
    name = f"{study_name(copy)}-unsound"
    for folder in ("studies", "reports"):
        (copy / folder / study_name(home)).rename(copy / folder / name)
    Failing.to = server.url
    with ThreadingHTTPServer(("127.0.0.1", 0), Failing) as proxy:
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
        to = f"http://127.0.0.1:{proxy.server_port}"
        codes = [cli(copy, "track", f"NAME={name}", f"TO={to}") for _ in range(2)]
        proxy.shutdown()
    assert Failing.failed > 5
    assert set(codes) <= {0, 75}
    assert codes[-1] == 0
    keys = query(
        server.db,
        "SELECT t.value, count(*) FROM runs r JOIN tags t USING (run_uuid) JOIN experiments e USING"
        " (experiment_id) WHERE t.key = 'handnet.key' AND e.name LIKE ? AND r.lifecycle_stage = 'active' AND"
        " r.status = 'FINISHED' GROUP BY 1",
        f"{name}%",
    )
    assert {count for _, count in keys} == {1}
    assert len(keys) == len(runs(home))


def test_what_is_there_is_left_alone_and_what_is_replaced_is_deleted(server: Server, home: Path) -> None:
    server.wait()
    assert track(home, f"TO={server.url}") == 0
    before = query(server.db, ACTIVE), query(tracked(home), ACTIVE)
    assert track(home, f"TO={server.url}") == 0
    assert track(home) == 0
    assert (query(server.db, ACTIVE), query(tracked(home), ACTIVE)) == before
    client = MlflowClient(tracking_uri=server.url)
    experiment = client.get_experiment_by_name(study_name(home)).experiment_id
    ours = targets(Store(home, study_name(home)), None)[0].origin
    stale, others = (
        client.create_run(experiment, tags={KEY: f"confirm/winner/{origin}", ORIGIN: origin}).info.run_id
        for origin in (ours, "another folder")
    )
    own = client.create_run(experiment, run_name="somebody's own").info.run_id
    for run in (stale, others, own):
        client.set_terminated(run)
    assert track(home, f"TO={server.url}") == 0
    stages = {run: client.get_run(run).info.lifecycle_stage for run in (stale, others, own)}
    assert stages == {stale: "deleted", others: "active", own: "active"}


def test_a_server_that_cannot_take_artifacts_says_why(
    server: Server, home: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    server.wait()
    copy = Path(shutil.copytree(home, tmp_path / "copy"))
    for folder in ("studies", "reports"):
        (copy / folder / study_name(home)).rename(copy / folder / "elsewhere")
    client = MlflowClient(tracking_uri=server.url)
    made = client.create_experiment("elsewhere", str(server.home / "nowhere"))
    assert cli(copy, "track", "NAME=elsewhere", f"TO={server.url}") == 75
    assert "start it with --serve-artifacts" in capsys.readouterr().err
    assert not client.search_runs([made])
    client.delete_experiment(made)
    assert cli(copy, "track", "NAME=elsewhere", f"TO={server.url}") == 75
    assert "is deleted; restore it there" in capsys.readouterr().err
    assert KEY not in client.get_experiment(made).tags


def test_what_is_tracked_is_made_from_the_store_alone(home: Path, tmp_path: Path) -> None:
    """Deleted, moved, damaged: the same runs, files and models, and the trials for Optuna's dashboard."""
    moved = Path(shutil.copytree(home, tmp_path / "moved"))
    before, files = runs(home), contents(home, home / "tracking/artifacts")
    assert present(moved) == []
    assert runs(moved) == before
    assert contents(moved, moved / "tracking/artifacts") == files
    places = query(tracked(moved), "SELECT artifact_location FROM experiments WHERE name != 'Default'")
    assert all(place.startswith(f"file://{moved.resolve()}/tracking/artifacts/") for (place,) in places)
    ids = query(tracked(moved), ACTIVE)
    assert present(moved) == []
    assert query(tracked(moved), ACTIVE) == ids
    (tmp_path / "damaged").write_bytes(b"no database")
    for spoil in (
        lambda: shutil.rmtree(moved / "tracking"),
        lambda: tracked(moved).unlink(),
        lambda: (tmp_path / "damaged").rename(tracked(moved)),
    ):
        spoil()
        assert track(moved) == 0
        assert runs(moved) == before
        assert models(moved) == models(home)
        assert contents(moved, moved / "tracking/artifacts") == files


def test_a_process_killed_while_it_makes_the_database_leaves_none(home: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(home, tmp_path / "copy", ignore=shutil.ignore_patterns("tracking")))
    words = command(copy, "track", f"NAME={study_name(copy)}")
    process = subprocess.Popen(words, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not list(copy.glob(".tracking-*/mlflow.db")):
        assert process.poll() is None
        time.sleep(0.001)
    process.kill()
    process.wait()
    assert not (copy / "tracking").exists()
    assert track(copy) == 0
    assert runs(copy) == runs(home)
    assert not list(copy.glob(".tracking-*"))


def test_a_study_that_has_confirmed_nothing_has_its_search_tracked(begun: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(begun, tmp_path / "copy", ignore=shutil.ignore_patterns("tracking")))
    (copy / "studies" / study_name(copy) / "commit.json").unlink()
    assert track(copy) == 0
    searched = {key: run for key, run in runs(begun).items() if key.startswith("search/")}
    assert runs(copy) == searched
    assert len(searched) == 1


def test_every_network_has_a_run_where_that_is_asked_for(begun: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(begun, tmp_path / "copy"))
    words = ["study", *FEW, "TRIALS=1", "CONFIRM=22", f"NAME={study_name(copy)}"]
    for more, networks in (((), 20), (("track.networks=every",), 22)):
        assert cli(copy, *words, *more) == 0
        keys = [key for key in runs(copy) if key.startswith("seed/")]
        assert len(keys) == 3 * networks


def test_optuna_reads_the_trials(finished: Path, tmp_path: Path) -> None:
    """Through its own storages; what somebody else keeps there under the same name stays."""
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    name, uri = study_name(finished), f"sqlite:///{tmp_path / 'optuna.db'}"
    journal = JournalStorage(JournalFileBackend(str(finished / "tracking/optuna.journal")))
    assert cli(finished, "track", f"NAME={name}", f"OPTUNA={uri}") == 0
    assert cli(finished, "track", f"NAME={name}", f"OPTUNA={uri}") == 0
    told = [(one["params"], one["value"]) for one in trials(finished)]
    for storage in (journal, uri):
        found = optuna.load_study(study_name=name, storage=storage).trials
        assert [(trial.params, trial.value) for trial in found] == told
    other = f"sqlite:///{tmp_path / 'other.db'}"
    optuna.create_study(study_name=name, storage=other)
    assert main(["track", "--mlruns", str(finished), f"NAME={name}", f"OPTUNA={other}"]) == 2
    assert optuna.load_study(study_name=name, storage=other).trials == []


@pytest.mark.parametrize(
    "where",
    ["", "notes", "line", "folder", "nowhere/file", "foo://x", "redis://x", "sqlite://", "postgresql://h/x"],
)
def test_what_cannot_be_an_optuna_storage_is_refused_and_left_alone(
    where: str, finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("notes").write_text("first\nsecond\n")
    Path("line").write_text("one line")
    Path("folder").mkdir()
    before = {path: path.is_file() and path.read_bytes() for path in tmp_path.rglob("*")}
    words = ["track", "--mlruns", str(finished), "--name", study_name(finished), f"--optuna={where}"]
    assert main(words) in {1, 2}
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "Traceback" not in said
    assert {path: path.is_file() and path.read_bytes() for path in tmp_path.rglob("*")} == before


def test_another_programs_database_gets_no_trials(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    """Neither as a database nor, without sqlite:///, as a journal."""
    import optuna

    others = Path(shutil.copy(tracked(finished), tmp_path / "mlflow.db")), tmp_path / "optuna.db"
    optuna.create_study(study_name="mine", storage=f"sqlite:///{others[1]}")
    journal = tmp_path / "journal"
    for where in (f"sqlite:///{others[0]}", str(others[1]), str(journal)):
        before = [path.read_bytes() for path in others]
        done = main(["track", f"--mlruns={finished}", f"--name={study_name(finished)}", f"--optuna={where}"])
        assert done == (0 if where == str(journal) else 2)
        assert [path.read_bytes() for path in others] == before
    backend = optuna.storages.journal.JournalFileBackend(str(journal))
    optuna.create_study(study_name="mine", storage=optuna.storages.JournalStorage(backend))
    before = journal.read_bytes()
    words = ["track", f"--mlruns={finished}", f"--name={study_name(finished)}", f"--optuna={journal}"]
    assert main(words) == 2
    assert "is no journal of this program's" in capsys.readouterr().err
    assert journal.read_bytes() == before


def test_a_folder_of_somebody_elses_is_left_alone(
    begun: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    place, elsewhere = tmp_path / "copy/tracking", tmp_path / "elsewhere"
    elsewhere.mkdir()

    def folder() -> None:
        place.mkdir()
        (place / "mlflow.db").write_text("mine")

    for make in (folder, lambda: place.write_text("mine"), lambda: place.symlink_to(elsewhere)):
        copy = Path(shutil.copytree(begun, place.parent, ignore=shutil.ignore_patterns("tracking")))
        make()
        with pytest.raises(Unwelcome, match="move it aside"):
            local(copy, "")
        assert "tracking" not in clean(copy)
        assert [path.name for path in copy.iterdir() if path.name != ".lock"] == ["tracking"]
        assert place.is_symlink() or "mine" in [
            path.read_text() for path in (place, place / "mlflow.db") if path.is_file()
        ]
        shutil.move(copy, tmp_path / uuid.uuid4().hex)
    copy = Path(shutil.copytree(begun, place.parent, ignore=shutil.ignore_patterns("tracking")))
    place.write_text("mine")
    assert track(copy) == 75
    said = capsys.readouterr().err
    assert f"{place} is not a folder that handnet has made; move it aside" in said
    assert place.read_text() == "mine"


@pytest.mark.long
def test_a_database_that_is_locked_is_kept_and_one_of_another_mlflow_is_not(
    begun: Path, tmp_path: Path
) -> None:
    copy = Path(shutil.copytree(begun, tmp_path / "copy"))
    (copy / "tracking/place").write_bytes(os.fsencode(copy.resolve() / "tracking"))
    ids = query(tracked(copy), ACTIVE)
    with closing(sqlite3.connect(tracked(copy), isolation_level=None)) as database:
        database.execute("PRAGMA journal_mode=DELETE")
        database.execute("BEGIN EXCLUSIVE")
        with pytest.raises(Exception, match="locked"):
            local(copy, "")
        database.execute("ROLLBACK")
        assert query(tracked(copy), ACTIVE) == ids
        database.execute("UPDATE alembic_version SET version_num = 'of another'")
    assert not list(copy.glob(".tracking-*"))
    assert track(copy) == 0
    assert runs(copy) == runs(begun)
    assert query(tracked(copy), ACTIVE) != ids


def test_a_name_that_is_quoted_leaves_no_other_folder(begun: Path, tmp_path: Path) -> None:
    home = tmp_path / "a=b%41 ü" / "home"
    shutil.copytree(begun, home, ignore=shutil.ignore_patterns("tracking"))
    assert present(home) == []
    assert runs(home) == runs(begun)
    assert [path.name for path in tmp_path.iterdir()] == ["a=b%41 ü"]
    assert [path.name for path in home.parent.iterdir()] == ["home"]


def test_trials_behind_the_last_commit_are_tracked_and_older_divisions_are_not(
    begun: Path, tmp_path: Path
) -> None:
    """A study that grew and was killed; an experiment that has no wanted run any more."""
    copy = Path(shutil.copytree(begun, tmp_path / "copy"))
    name, before = study_name(copy), set(runs(copy))
    commit = copy / "studies" / name / "commit.json"
    kept = commit.read_bytes()
    assert cli(copy, "study", *FEW, "TRIALS=2", f"NAME={name}") == 0
    grown = {key for key in runs(copy) if key.startswith("search/")}
    commit.write_bytes(kept)
    tracker = local(copy, targets(Store(copy, name), None)[0].origin)
    old, _ = tracker.experiment(f"{name} rehearsals", "", {})
    tracker.finish(tracker.run(old, Entry("split/x/1", "split 1", {})))
    assert track(copy) == 0
    assert set(runs(copy)) == before | grown
    assert len(grown) == 2


def test_the_variable_is_not_heeded_by_track(
    begun: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = Path(shutil.copytree(begun, tmp_path / "copy", ignore=shutil.ignore_patterns("tracking")))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{free_port()}")
    assert track(copy) == 0
    assert runs(copy) == runs(begun)


def test_a_server_that_never_answers_delays_a_study_by_seconds(begun: Path, tmp_path: Path) -> None:
    """It takes connections and says nothing."""
    copy = Path(shutil.copytree(begun, tmp_path / "copy"))
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        to = f"http://127.0.0.1:{mute.getsockname()[1]}"
        began = time.monotonic()
        (status,) = retrack.track(copy, study_name(copy), to, Screen(quiet=True))
        assert time.monotonic() - began < 3 * PROBE
    assert "does not answer in time" in status.sentence


class Speaking(BaseHTTPRequestHandler):
    """Says that it is well, and answers all else with a page made of what it was sent, or never."""

    page: Callable[[bytes, str], bytes] | None = None
    over: threading.Event

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path == "/health":
            status, content = 200, b"OK"
        elif self.page is None:
            self.over.wait(60)
            return
        elif self.command == "GET" and "experiments/search" in self.path:
            status, content = 200, b"{}"
        else:
            status, content = 418, type(self).page(body, f"{self.requestline}\n{self.headers}")
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _answer  # noqa: N815 - names of the standard library

    def log_message(self, *_: object) -> None:
        """Nothing is said."""


@contextmanager
def speaking(page: Callable[[bytes, str], bytes] | None) -> Iterator[str]:
    """The address of such a server. page: of a request's body and head, what it answers."""
    says = staticmethod(page) if page else None
    kind = type("Speaking", (Speaking,), {"page": says, "over": threading.Event()})
    with ThreadingHTTPServer(("127.0.0.1", 0), kind) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        kind.over.set()
        server.shutdown()


PAIR = base64.b64encode(f"reader:{PLANTED}".encode()).decode()
ECHOES = {
    "the head as it came": lambda _, head: head.encode(),
    "on one line": lambda _, head: head.replace("\r\n", " ").replace("\n", " ").encode(),
    "a page": lambda _, head: f"<html><pre>{html.escape(head)}</pre>".encode(),
    "JSON": lambda _, head: json.dumps({"error_code": "X", "message": head}).encode(),
    "a dictionary": lambda _, head: repr(dict(re.findall("(.+): (.+)", head))).encode(),
    "decoded": lambda *_: f"no user reader with {PLANTED} here".encode(),
    "an address": lambda *_: f"see http://reader:{PLANTED}@there/x?access_token={PLANTED}&x=1".encode(),
    "the pair alone": lambda *_: f"who is {PAIR}?".encode(),
}


@pytest.mark.parametrize("echo", ECHOES)
def test_what_a_server_repeats_of_a_password_is_not_shown(
    echo: str, begun: Path, tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"):
        monkeypatch.setenv(name, "")  # is set anew by the study, and put back afterwards
    copy, seen = Path(shutil.copytree(begun, tmp_path / "copy")), []

    def page(body: bytes, head: str) -> bytes:
        seen.append(head)
        return ECHOES[echo](body, head)

    with speaking(page) as url:
        assert track(copy, f"TO={with_password(url)}") == 75  # with DEBUG=1, too
    said = "".join(capsys.readouterr())
    assert any(f"Basic {PAIR}" in head for head in seen)
    assert f"runs are not known to be on {url} (" in said
    assert PAIR not in said
    no_password_in(said, copy)


def test_a_server_that_is_well_and_answers_nothing_else_delays_a_study_by_seconds(
    begun: Path, tmp_path: Path
) -> None:
    """Once, though it is asked beside the search and again at the end."""
    copy = Path(shutil.copytree(begun, tmp_path / "copy"))
    with speaking(None) as url:
        assert track(copy) == 0  # which loads what it needs
        began = time.monotonic()
        (status,) = retrack.track(copy, study_name(copy), url, Screen(quiet=True))
        assert time.monotonic() - began < 10 * PROBE  # three attempts of MLflow's take longer
    assert "does not answer in time" in status.sentence


def test_a_journal_that_cannot_be_written_decides_nothing(
    begun: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    copy = Path(shutil.copytree(begun, tmp_path / "copy"))
    assert track(copy) == 0
    journal = copy / "tracking/optuna.journal"
    journal.unlink()
    (journal / "x").mkdir(parents=True)
    capsys.readouterr()
    assert track(copy) == 0
    assert "optuna.journal" in "".join(capsys.readouterr())


@pytest.mark.parametrize(
    "address",
    [
        f"postgresql://u:{PLANTED}@h/db",
        "sqlite:///mlflow.db",
        "./mlruns",
        "databricks",
        "file:///x",
        "http://",
        "http://h:port",
        f"https://h/?password={PLANTED}",
        "ftp://h",
        f"http://u:{PLANTED}\u2100@host",
        f"http://u:[{PLANTED}@host:1",
    ],
)
def test_only_the_address_of_a_server_is_taken(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    assert main(["study", "--mlruns", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert "MLFLOW_TRACKING_URI must be the address of an MLflow server" in said
    assert said.count("\n") == 1
    assert PLANTED not in said
    assert list(tmp_path.iterdir()) == []
