"""The pages of make ui, as started by the real verb: this machine's browser gets them, and nobody else
anything."""

import http.client
import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from mlflow.server import app as flask_app
from mlflow.server.assistant.api import assistant_router
from mlflow.server.gateway_api import gateway_router
from mlflow.server.job_api import job_api_router
from studies import ROOT, command, free_port

from handnet.study.mlflow_tables import Entry
from handnet.study.tracker import Tracker

SEARCH = "/ajax-api/2.0/mlflow/experiments/search"
SECRET = "the content of a file that is no artifact"


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: str


class Pages(NamedTuple):
    """A running `experiments ui`, and the ids of one run in it."""

    port: int
    process: subprocess.Popen
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


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pages]:
    home = tmp_path_factory.mktemp("ui")
    tracker = Tracker.open(home, "study")
    tracker.write(
        Entry("seed/c/1", "trial 01, seed 1", {"config_id": "c"}, files={"notes.txt": b"an artifact"})
    )
    tracker.close()
    (home / "secret.txt").write_text(SECRET)
    port = free_port()
    # What a careless shell may hold must not open what the verb shuts.
    careless = {
        "MLFLOW_SERVER_DISABLE_SECURITY_MIDDLEWARE": "true",
        "MLFLOW_SERVER_CORS_ALLOWED_ORIGINS": "*",
        "MLFLOW_SERVER_ALLOWED_HOSTS": "*",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "true",
        "MLFLOW_HOST": "0.0.0.0",
        "MLFLOW_DEPLOYMENTS_TARGET": "http://127.0.0.1:1",
        "UVICORN_HOST": "0.0.0.0",
    }
    # Tests run in the background may have been told, with all their children, to ignore Ctrl-C.
    process = subprocess.Popen(
        command(home, "ui", f"PORT={port}"),
        cwd=ROOT,
        env=os.environ | careless,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    )
    one = Pages(port, process, tracker.runs["seed/c/1"].info.run_id, tracker.experiments["seeds"])
    until = time.monotonic() + 90
    while True:
        try:
            assert one.ask("GET", "/health").status == 200
            break
        except OSError:
            assert process.poll() is None, process.stdout.read()
            assert time.monotonic() < until
            time.sleep(0.1)
    yield one
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "MLflow's pages are closed." in out
    assert "Traceback" not in out


def test_its_own_pages_are_answered(pages: Pages) -> None:
    for host in ("127.0.0.1", "localhost"):
        here = f"{host}:{pages.port}"
        for origin in (None, f"http://{here}"):
            page = pages.ask("GET", "/", Host=here, Origin=origin)
            assert (page.status, page.headers["x-frame-options"]) == (200, "DENY")
            assert page.headers["x-content-type-options"] == "nosniff"
            found = pages.ask("POST", SEARCH, {"max_results": 9}, Host=here, Origin=origin)
            assert found.status == 200
            assert {one["name"] for one in json.loads(found.body)["experiments"]} >= {"study", "study seeds"}
    file = pages.ask("GET", f"/get-artifact?run_id={pages.run_id}&path=notes.txt")
    assert (file.status, file.body) == (200, "an artifact")
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
    for path in (SEARCH, f"/get-artifact?run_id={pages.run_id}&path=notes.txt", "/", "/health"):
        for name, values in (("Host", FORGED_HOSTS), ("Origin", FORGED_ORIGINS)):
            for value in values:
                forged = value and value.format(port=pages.port, other=pages.port + 1)
                answer = pages.ask(method, path, **{name: forged})
                assert answer.status in {400, 403}, (method, path, name, forged)
                assert "access-control-allow-origin" not in answer.headers
                if answer.status == 403:
                    assert answer.headers["x-frame-options"] == "DENY"
                    assert answer.headers["x-content-type-options"] == "nosniff"


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
