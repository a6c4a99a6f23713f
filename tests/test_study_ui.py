"""The pages of make ui, as started by the real verb: this machine's browser gets them, and nobody else
anything."""

import asyncio
import fcntl
import http.client
import json
import os
import pty
import re
import shutil
import signal
import subprocess
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import pytest
from canonical import runs
from mlflow import MlflowClient
from mlflow.server import app as flask_app
from mlflow.server.assistant.api import assistant_router
from mlflow.server.gateway_api import gateway_router
from mlflow.server.job_api import job_api_router
from studies import FEW, ROOT, cli, command, free_port, run_id_of, study_name, unwritable

from handnet.cli import main
from handnet.study.folder import locked
from handnet.study.mlflow_plugin.handnet_pages import Gate

SEARCH = "/ajax-api/2.0/mlflow/experiments/search"
SECRET = "the content of a file that is no artifact"


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: str


class Pages(NamedTuple):
    """Where `handnet ui` answers, and the ids of one run in it."""

    port: int
    run_id: str
    experiment: str

    def ask(self, method: str, path: str, body: dict | None = None, **headers: str | None) -> Answer:
        """One request, its path sent as it is. A header given as None is left out."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        sent = {"Host": f"127.0.0.1:{self.port}", "Content-Type": "application/json"} | headers
        connection.putrequest(method, path, skip_host=True)
        for name, value in sent.items():
            if value is not None:
                connection.putheader(name, value)
        content = json.dumps(body or {}).encode() if method != "GET" else b""
        connection.putheader("Content-Length", str(len(content)))
        connection.endheaders(content)
        answer = connection.getresponse()
        found = Answer(
            answer.status,
            {k.lower(): v for k, v in answer.getheaders()},
            answer.read().decode(errors="replace"),
        )
        connection.close()
        return found


def until(holds: Callable[[], bool], seconds: float, why: str) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, why
        time.sleep(0.1)


def start(home: Path, port: int, **options: object) -> subprocess.Popen:
    """The real verb, in an environment that must not open what the verb shuts."""
    careless = {
        "MLFLOW_SERVER_DISABLE_SECURITY_MIDDLEWARE": "true",
        "MLFLOW_SERVER_CORS_ALLOWED_ORIGINS": "*",
        "MLFLOW_SERVER_ALLOWED_HOSTS": "*",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "true",
        "MLFLOW_ENABLE_AI_GATEWAY": "true",
        "MLFLOW_SERVE_ARTIFACTS": "true",
        "MLFLOW_HOST": "0.0.0.0",
        "MLFLOW_APP_NAME": "basic-auth",
        "MLFLOW_STATIC_PREFIX": "/elsewhere",
        "MLFLOW_DEPLOYMENTS_TARGET": "http://127.0.0.1:1",
        "_MLFLOW_SERVER_SERVE_ARTIFACTS": "true",
        "_MLFLOW_SERVER_FILE_STORE": "sqlite:////nowhere/mlflow.db",
        "FLASK_DEBUG": "1",
        "UVICORN_HOST": "0.0.0.0",
        "UVICORN_ROOT_PATH": "/elsewhere",
        "UVICORN_PROXY_HEADERS": "true",
        "FORWARDED_ALLOW_IPS": "*",
        "prometheus_multiproc_dir": str(home / "prometheus"),
    }
    return subprocess.Popen(
        command(home, "ui", f"PORT={port}"),
        env=os.environ | {"PYTHONPATH": str(ROOT)} | careless,
        text=True,
        preexec_fn=as_from_a_terminal,  # noqa: PLW1509
        **{"cwd": ROOT, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options,
    )


def as_from_a_terminal() -> None:
    """Tests run in the background may have been told, with all their children, to ignore some signals."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    if os.isatty(0) and os.getsid(0) == os.getpid():
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)  # its closing is then told


def answers(port: int) -> bool:
    try:
        return Pages(port, "", "").ask("GET", "/health").status == 200
    except OSError:
        return False


@pytest.fixture(scope="module")
def home(begun: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of a study, whose tracking is made anew where it lies now."""
    home = Path(shutil.copytree(begun, tmp_path_factory.mktemp("ui") / "home"))
    (home / "secret.txt").write_text(SECRET)
    return home


@pytest.fixture(scope="module")
def pages(home: Path) -> Iterator[Pages]:
    """The server over that folder. Whatever the tests ask of it, it prints nothing but where it is."""
    port, name = free_port(), study_name(home)
    process = start(home, port)
    until(lambda: answers(port), 90, "the server does not answer")
    session = session_of(process.pid)
    client = MlflowClient(f"sqlite:///{home}/tracking/mlflow.db")
    experiment = client.get_experiment_by_name(name).experiment_id
    run = next(run for run in client.search_runs([experiment]) if run.info.run_name == "winner")
    yield Pages(port, run.info.run_id, experiment)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 0
    here = f"http://127.0.0.1:{port}"
    assert re.fullmatch(
        rf"MLflow is starting on {here} \(this machine only; Ctrl-C stops it\)\.\n"
        rf"  {name}: {here}/#/experiments/{experiment}/\S*\n\nMLflow's pages are closed\.\n",
        out,
    ), out
    assert err == ""
    assert not members(session)


def test_its_own_pages_are_answered(pages: Pages, home: Path) -> None:
    for host in ("127.0.0.1", "localhost"):
        here = f"{host}:{pages.port}"
        for origin in (None, f"http://{here}"):
            page = pages.ask("GET", "/", Host=here, Origin=origin)
            assert (page.status, page.headers["x-frame-options"]) == (200, "DENY")
            assert page.headers["x-content-type-options"] == "nosniff"
            found = pages.ask("POST", SEARCH, {"max_results": 9}, Host=here, Origin=origin)
            assert found.status == 200
            assert {one["name"] for one in json.loads(found.body)["experiments"]} >= {study_name(home)}
    assert not (home / "prometheus").exists()
    file = pages.ask("GET", f"/get-artifact?run_id={pages.run_id}&path=networks.csv")
    (stored,) = home.glob(f"tracking/artifacts/*/{pages.run_id}/artifacts/networks.csv")
    assert (file.status, file.body) == (200, stored.read_text())
    assert pages.ask("GET", "/ajax-api/2.0/mlflow/gateway-proxy?gateway_path=api").body.split() == [
        '{"endpoints":[]}'
    ]


FORGED_HOSTS = [
    "evil.example",
    "10.evil.example",
    "192.168.attacker.com",
    "172.16.evil.com",
    "127.0.0.1:{port}.evil.com",
    "127.0.0.1.evil.com:{port}",
    "localhost",
    "127.0.0.1",
    "127.0.0.1:1{port}",
    "localhost:{port}@evil.com",
    "[::1]:{port}",
    "0.0.0.0:{port}",
    "LOCALHOST.:{port}",
    "fc00:evil",
    "",
    None,
]
FORGED_ORIGINS = [
    "http://evil.example",
    "https://127.0.0.1:{port}",
    "http://127.0.0.1:{port}.evil.com",
    "null",
    "http://localhost:3000",
    "http://127.0.0.1:{other}",
    "http://localhost",
    "http://10.0.0.1:{port}",
    "http://[::1]:{port}",
    "file://",
    "",
    "http://127.0.0.1:{port}/",
    "http://user@127.0.0.1:{port}",
    "chrome-extension://abc",
]


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "OPTIONS"])
def test_a_forged_host_or_origin_is_refused(pages: Pages, method: str) -> None:
    for path in (SEARCH, f"/get-artifact?run_id={pages.run_id}&path=networks.csv", "/", "/health"):
        for name, values in (("Host", FORGED_HOSTS), ("Origin", FORGED_ORIGINS)):
            for value in values:
                forged = value and value.format(port=pages.port, other=pages.port + 1)
                answer = pages.ask(method, path, **{name: forged})
                assert answer.status in {400, 403}, (method, path, name, forged)
                assert "access-control-allow-origin" not in answer.headers
                if answer.status == 403:
                    assert answer.headers["x-frame-options"] == "DENY"
                    assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_websocket_is_closed_unopened() -> None:
    said: list[dict] = []

    async def send(message: dict) -> None:
        said.append(message)

    asyncio.run(Gate(None)({"type": "websocket"}, None, send))
    assert [(one["type"], one["code"]) for one in said] == [("websocket.close", 1008)]


def test_studies_that_nobody_may_track_now_are_told_in_a_sentence(
    begun: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    home = tmp_path / "home"
    shutil.copytree(begun, home, ignore=shutil.ignore_patterns("tracking"))
    with locked(home):
        assert main(["ui", f"MLRUNS={home}", f"PORT={free_port()}"]) == 75
    said = f"handnet: MLflow has no study of {home} yet; make track MLRUNS={home} brings one there.\n"
    assert capsys.readouterr().err == said
    assert not (home / "tracking").exists()


def test_no_path_leads_out_of_the_artifacts(pages: Pages) -> None:
    up = "../" * 8
    run = f"run_id={pages.run_id}"
    forms = [
        ("GET", f"/get-artifact?{run}&path={up}etc/passwd", None),
        ("GET", f"/get-artifact?{run}&path=..%2f..%2f..%2fsecret.txt", None),
        ("GET", f"/get-artifact?{run}&path=%252e%252e%252f%252e%252e%252fsecret.txt", None),
        ("GET", f"/get-artifact?{run}&path=/etc/passwd", None),
        ("GET", f"/get-artifact?{run}&path=file:///etc/passwd", None),
        ("GET", f"/ajax-api/2.0/mlflow/artifacts/list?{run}&path={up}", None),
        ("GET", f"/static-files/{up}etc/passwd", None),
        ("GET", "/static-files/..%2f..%2f..%2f..%2f..%2f..%2f..%2fetc/passwd", None),
        ("GET", f"/ajax-api/2.0/mlflow-artifacts/artifacts/{up}secret.txt", None),
        ("GET", "/ajax-api/2.0/mlflow-artifacts/artifacts/%2e%2e/secret.txt", None),
        ("GET", f"/model-versions/get-artifact?name=x&version=1&path={up}etc/passwd", None),
        ("GET", f"/ajax-api/2.0/mlflow/runs/../../../../gateway-proxy/{up}etc/passwd", None),
        (
            "POST",
            "/ajax-api/2.0/mlflow/model-versions/create",
            {"name": "m", "source": "file:///etc", "run_id": pages.run_id},
        ),
        ("PUT", "/api/2.0/mlflow-artifacts/artifacts/x.txt", {"x": 1}),
    ]
    for method, path, body in forms:
        answer = pages.ask(method, path, body)
        assert answer.status in {400, 403, 404}, (method, path, answer)
        assert "root:" not in answer.body
        assert SECRET not in answer.body


def dangerous() -> set[tuple[str, str]]:
    """Every route of the installed MLflow that runs something, keeps keys, or fetches an address, as MLflow
    lists them."""
    native = {
        (method, route.path)
        for router in (assistant_router, job_api_router, gateway_router)
        for route in router.routes
        for method in route.methods
    }
    words = re.compile(
        r"/(gateway|jobs?|scorers?|webhooks|genai|demo"
        r"|prompt-optimization|upload-artifact|review-queues|issues)(/|$)"
    )
    return native | {
        (method, rule.rule)
        for rule in flask_app.url_map.iter_rules()
        if words.search(rule.rule)
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }


def test_nothing_that_runs_code_or_fetches_an_address_answers(pages: Pages) -> None:
    routes = dangerous()
    assert len(routes) > 80
    assert any("assistant" in path for _, path in routes)
    for method, path in sorted(routes):
        real = re.sub(r"[{<][^}>]*[}>]", "x", path)
        assert pages.ask(method, real).status == 404, (method, real)
    for method, path in [
        ("POST", "/v1/traces"),
        ("GET", "/metrics"),
        ("GET", "/docs"),
        ("GET", "/openapi.json"),
        ("POST", "//ajax-api/3.0/mlflow/assistant/message"),
        ("POST", "/ajax-api/3.0/mlflow/assistant%2fmessage"),
        ("POST", "/ajax-api/3.0/jobs"),
        ("GET", "/ajax-api/3.0/mcp-servers"),
    ]:
        assert pages.ask(method, path).status == 404, (method, path)


def test_only_the_loopback_listens(pages: Pages) -> None:
    listening = [
        line.split()[1]
        for table in ("tcp", "tcp6")
        for line in Path("/proc/net", table).read_text().splitlines()[1:]
        if line.split()[3] == "0A"
    ]
    assert [one for one in listening if one.endswith(f":{pages.port:04X}")] == [f"0100007F:{pages.port:04X}"]


ODD = "-a b ü #%41?&'\"$HOME;\\\nc@d"


def test_whatever_a_folder_is_called_nothing_is_made_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not where its name is quoted in an address, and nothing needs to be: all above it is read-only."""
    parent, home, port = tmp_path / "alone", Path(ODD, "ml"), free_port()
    (parent / home).mkdir(parents=True)
    monkeypatch.chdir(parent)
    with unwritable(parent), unwritable(parent / ODD):
        assert cli(home, "try", *FEW) == 0
        study = study_name(home)
        with start(home, port, cwd=parent) as server:
            until(lambda: answers(port), 90, "the server does not answer")
            run, experiment = run_id_of(home, next(key for key in runs(home) if "/winner/" in key)), ""
            page = Pages(port, run, experiment)
            file = page.ask("GET", f"/get-artifact?run_id={run}&path=networks.csv")
            (stored,) = home.glob(f"tracking/artifacts/*/{run}/artifacts/networks.csv")
            assert (file.status, file.body) == (200, stored.read_text())
            server.send_signal(signal.SIGINT)
            assert server.wait(30) == 0
        for words in (["report"], ["case", "ID=203"], ["track"]):
            assert cli(home, *words, f"NAME={study}") == 0
        assert cli(home, "backup", f"TO={tmp_path / 'to'}") == 0
        assert main(["case", f"MLRUNS={tmp_path / 'to'}", f"NAME={study}", "ID=203"]) == 0
        assert main(["track", f"MLRUNS={home}", f"NAME={study}", f"OPTUNA={home / 'for the dashboard'}"]) == 0
        address = f"sqlite:///{quote(str(tmp_path / 'to' / f'{ODD}.db'))}"
        for _ in range(2):  # made, and known as Optuna's
            assert main(["track", f"MLRUNS={home}", f"NAME={study}", f"OPTUNA={address}"]) == 0
        assert (tmp_path / "to" / f"{ODD}.db").exists()
        assert cli(home, "clean") == 0
    assert [path.name for path in parent.iterdir()] == [ODD]
    assert [path.name for path in (parent / ODD).iterdir()] == ["ml"]
    assert sorted(path.name for path in home.iterdir()) == [".lock", "for the dashboard"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["alone", "to"]


def test_a_folder_moved_while_its_pages_are_open_closes_them(home: Path, tmp_path: Path) -> None:
    copy, port = Path(shutil.copytree(home, tmp_path / "copy")), free_port()
    with start(copy, port) as server:
        until(lambda: answers(port), 90, "the server does not answer")
        session = session_of(server.pid)
        subprocess.run(["mv", copy, tmp_path / "moved"], check=True)
        assert server.wait(30) == 1
        last = server.stderr.read().splitlines()[-1]
        assert last.startswith(f"handnet: {copy} was moved or removed while its pages were open")
        assert "--mlruns" in last or "MLRUNS=" in last
        assert not members(session)
    assert not copy.exists()


# Its end


def running() -> dict[int, tuple[int, int]]:
    """The parent and the session of every process that has not ended."""
    found = {}
    for file in Path("/proc").glob("[0-9]*/stat"):
        with suppress(FileNotFoundError, ProcessLookupError):
            state, parent, _, session, *_ = file.read_text().rpartition(")")[2].split()
            if state != "Z":
                found[int(file.parent.name)] = int(parent), int(session)
    return found


def session_of(ui: int) -> int | None:
    """The session of the server that a `handnet ui` has started, if it has."""
    return next((session for parent, session in running().values() if parent == ui != session), None)


def members(session: int | None) -> list[int]:
    return [process for process, (_, its) in running().items() if its == session]


@pytest.mark.parametrize("number", [signal.SIGKILL, pytest.param(signal.SIGTERM, marks=pytest.mark.long)])
def test_the_server_ends_with_its_parent_however_that_ends(home: Path, number: int) -> None:
    port = free_port()
    with start(home, port) as process:
        until(lambda: answers(port), 90, "the server does not answer")
        session = session_of(process.pid)
        assert len(members(session)) == 2, "mlflow server and uvicorn"
        process.send_signal(number)
        until(lambda: not members(session), 20, f"of the server {members(session)} live on")
        assert process.wait() == (0 if number == signal.SIGTERM else -number)


@pytest.mark.long
def test_a_server_that_dies_is_told_in_a_sentence(home: Path) -> None:
    port = free_port()
    with start(home, port) as process:
        until(lambda: answers(port), 90, "the server does not answer")
        for one in members(session_of(process.pid)):
            os.kill(one, signal.SIGKILL)
        assert process.wait(30) == 1
        assert (
            process.stderr.read()
            == "handnet: MLflow's server has ended by itself; what it said stands above.\n"
        )


def test_a_parent_killed_while_the_server_starts_leaves_nothing(home: Path) -> None:
    with start(home, free_port()) as process:
        until(lambda: session_of(process.pid) is not None, 60, "no server was started")
        session = session_of(process.pid)
        process.kill()
        until(lambda: not members(session), 60, f"of the server {members(session)} live on")


def test_a_closed_terminal_ends_the_server(home: Path) -> None:
    port = free_port()
    ours, terminal = pty.openpty()
    with start(
        home, port, stdin=terminal, stdout=terminal, stderr=terminal, start_new_session=True
    ) as process:
        os.close(terminal)
        until(lambda: answers(port), 90, "the server does not answer")
        session = session_of(process.pid)
        assert len(members(session)) == 2
        os.close(ours)
        until(lambda: not members(session), 20, f"of the server {members(session)} live on")
