"""A copy of a study on a real MLflow server, which dies; and no password anywhere."""

import hashlib
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from canonical import models, query, runs
from mlflow.tracking import MlflowClient
from studies import ROOT, command, free_port

from handnet.cli import main
from handnet.messages import redacted
from handnet.study.mlflow_tables import KEY
from handnet.study.publish import FILES, FROM, Publisher
from handnet.study.screen import Screen
from handnet.study.store import Store
from handnet.study.tracker import Tracker

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


class Server:
    """A real `mlflow server` with its own database and artifacts."""

    def __init__(self, home: Path) -> None:
        self.home, self.files, self.port = home, home / "files", free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.start()

    def start(self) -> None:
        words = [
            "--host",
            "127.0.0.1",
            "--port",
            str(self.port),
            "--workers",
            "1",
            "--backend-store-uri",
            f"sqlite:///{self.home / 'mlflow.db'}",
            "--artifacts-destination",
            str(self.files),
        ]
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
        until = time.monotonic() + 90
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


def study(home: Path, address: str) -> subprocess.Popen:
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
        command(home, "study", *SMALL),
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
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    one = Server(tmp_path_factory.mktemp("server"))
    yield one
    if one.process.poll() is None:
        one.kill()


@pytest.fixture(scope="module")
def home(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study that was made while its server was dead."""
    folder = tmp_path_factory.mktemp("home")
    dead = f"http://127.0.0.1:{free_port()}"
    process = study(folder, with_password(dead))
    out, errors = process.communicate(timeout=120)
    assert process.returncode == 75, errors
    assert f"{dead} does not answer; everything is kept here" in errors
    assert f"will be sent by the next make study MLRUNS={folder}." in errors
    count = len(runs(folder))
    assert (
        f"is done and kept here, but {count} of its {count} runs are not known to be on {dead} (it does"
        in errors
    )
    assert "Report:" in out
    assert "Traceback" not in errors
    no_password_in(out + errors, folder)
    return folder


@pytest.mark.long
def test_a_server_that_dies_and_returns_has_every_run_once(server: Server, home: Path) -> None:
    before = runs(home)
    server.wait()
    process = study(home, with_password(server.url))
    while process.poll() is None and query(server.home / "mlflow.db", FINISHED)[0][0] < 4:
        time.sleep(0.01)
    server.kill()
    out, errors = process.communicate(timeout=120)
    assert process.returncode == 75, errors
    assert "runs are not known to be on" in errors
    sent = query(server.home / "mlflow.db", FINISHED)[0][0]
    assert 4 <= sent < len(before)

    server.start()
    server.wait()
    client = MlflowClient(tracking_uri=server.url)
    seeds = next(one for one in client.search_experiments() if one.name.endswith(" seeds"))
    foreign = client.create_run(
        seeds.experiment_id, tags={KEY: "seed/x/1", FROM: "another folder"}
    ).info.run_id
    (name,) = (path.name for path in (home / "reports").iterdir())
    ours = Publisher(stored(home, name), server.url, Screen(), lambda: None).origin
    cut = client.create_run(seeds.experiment_id, tags={KEY: next(iter(before)), FROM: ours}).info.run_id
    again = study(home, with_password(server.url))
    more = again.communicate(timeout=120)
    assert again.returncode == 0, more[1]
    no_password_in("".join([out, errors, *more]), home, server.home)

    assert runs(home) == before
    there = runs(server.home, server.files)
    assert there.pop("seed/x/1")["status"] == "RUNNING"
    for run in there.values():
        run["tags"] = [tag for tag in run["tags"] if tag[0] not in (FROM, FILES)]
    assert there == before
    assert models(server.home) == models(home)
    assert contents(server.home, server.files) == contents(home, home / "artifacts")
    assert any(parts == ("report", "report.html") for parts, _ in contents(server.home, server.files))
    assert client.get_run(foreign).info.lifecycle_stage == "active"
    assert client.get_run(cut).info.lifecycle_stage == "deleted"
    by_run = (
        "SELECT e.name, count(*) FROM runs r JOIN experiments e USING (experiment_id) WHERE r.lifecycle_stage"
        " = 'active' AND r.run_uuid != ? GROUP BY 1"
    )
    assert query(server.home / "mlflow.db", by_run, foreign) == query(home / "mlflow.db", by_run, foreign)


def stored(home: Path, name: str, create: bool = False) -> Store:
    return Store(Tracker.open(home, name, create))


def contents(home: Path, root: Path) -> list[tuple[tuple[str, ...], str]]:
    """Every file of every live run and model: its path below them, and its content."""
    alive = {
        row[0]
        for table in ("SELECT run_uuid FROM runs", "SELECT model_id FROM logged_models")
        for row in query(home / "mlflow.db", f"{table} WHERE lifecycle_stage = 'active'")
    }
    found = [(path.relative_to(root).parts, path) for path in root.rglob("*") if path.is_file()]
    return sorted(
        (parts[parts.index("artifacts") + 1 :], hashlib.sha256(path.read_bytes()).hexdigest())
        for parts, path in found
        if alive & set(parts[:3])
    )


def test_what_is_replaced_here_is_replaced_there_and_what_is_there_is_not_sent_again(
    server: Server, home: Path
) -> None:
    server.wait()
    (name,) = (path.name for path in (home / "reports").iterdir())
    store = stored(home, name, create=True)
    tracker = store.tracker

    def publish() -> int:
        publisher = Publisher(store, server.url, Screen(), lambda: None)
        publisher.publish(done=True)
        return publisher.unsent

    assert publish() == 0
    winner = next(key for key in tracker.runs if key.startswith("confirm/winner/"))
    tracker.attach(winner, {"report/report.md": b"written anew"})
    before = query(server.home / "mlflow.db", "SELECT count(*) FROM runs")
    assert publish() == 0
    assert query(server.home / "mlflow.db", "SELECT count(*) FROM runs") == before
    assert contents(server.home, server.files) == contents(home, home / "artifacts")
    store.supersede("confirm", [])
    assert publish() == 0
    assert set(runs(server.home, server.files)) - {"seed/x/1"} == set(runs(home)) == set(tracker.runs)
    assert models(server.home) == []


def test_a_server_that_cannot_take_artifacts_says_why(server: Server, home: Path) -> None:
    (name,) = (path.name for path in (home / "reports").iterdir())
    client = MlflowClient(tracking_uri=server.url)
    elsewhere = stored(home.with_name("unwelcome"), "local folder", create=True)
    client.create_experiment("local folder", str(server.home / "nowhere"))
    publisher = Publisher(elsewhere, server.url, Screen(), lambda: None)
    elsewhere.tracker.runs["seed/x/1"] = next(iter(stored(home, name).tracker.runs.values()))
    publisher.publish(done=True)
    assert publisher.unsent == 1
    assert "start it with --serve-artifacts" in publisher.fault
    client.delete_experiment(client.get_experiment_by_name("local folder").experiment_id)
    publisher.publish(done=True)
    assert publisher.unsent == 1
    assert "is deleted" in publisher.fault
    assert KEY not in client.get_experiment_by_name("local folder").tags


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


@pytest.mark.parametrize(
    "text",
    ["postgresql://u:{}@h/db", "x https://{}@h:1/ y", "h?user=u&password={}&x=1", "token={}", "a://u:p@{}@h"],
)
def test_addresses_are_shown_without_their_passwords(text: str) -> None:
    assert PLANTED not in redacted(text.format(PLANTED))
    assert (
        redacted("see http://127.0.0.1:5000/#/runs or a@b.c") == "see http://127.0.0.1:5000/#/runs or a@b.c"
    )
