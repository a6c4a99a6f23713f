"""MLflow's pages for this machine's browser and nobody else: `show` starts them in a process of their own.

MLflow's server checks the Host of a request, but trusts any port of this machine, and it answers far more
than its pages need: an assistant with a shell, jobs, a gateway that fetches addresses. The gate before it
lets through only what it takes to look at networks, from pages that came from here."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from handnet.messages import Refusal, command, option
from handnet.study.databases import relocate_all, sqlite_uri
from handnet.study.folder import locked
from handnet.study.interrupt import Stopped

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

# What a browser may request; new families of a new version stay shut until they are listed here.
# gateway-proxy leads nowhere and answers with an empty list, without which the pages complain.
FAMILIES = (
    "artifacts",
    "datasets",
    "experiments",
    "gateway-proxy",
    "get-trace-artifact",
    "label-schemas",
    "logged-models",
    "metrics",
    "model-versions",
    "registered-models",
    "runs",
    "server-info",
    "traces",
    "unified-traces",
)
OPEN = re.compile(
    rf"/(ajax-)?api/\d\.\d/mlflow/({'|'.join(FAMILIES)})(/|\Z)"
    r"|/(graphql|get-artifact|model-versions/get-artifact|health|version)?\Z|/static-files/"
)
HEADERS = [
    (b"content-type", b"text/plain; charset=utf-8"),
    (b"x-frame-options", b"DENY"),
    (b"x-content-type-options", b"nosniff"),
]


class Gate:
    """The server behind it, as seen from http://127.0.0.1:port or http://localhost:port alone."""

    def __init__(self, app: App, port: int) -> None:
        self.app = app
        self.hosts = {f"127.0.0.1:{port}".encode(), f"localhost:{port}".encode()}
        self.origins = {b"http://" + host for host in self.hosts}

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """One connection, as the ASGI standard has it."""
        status, why = self._objection(scope) if scope["type"] == "http" else (200, "")
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        elif why:
            await send({"type": "http.response.start", "status": status, "headers": HEADERS})
            await send({"type": "http.response.body", "body": why.encode()})
        else:
            await self.app(scope, receive, send)

    def _objection(self, scope: Message) -> tuple[int, str]:
        """The status and the sentence to refuse a request with; without a sentence it is let through."""
        named = {
            name: [value for header, value in scope["headers"] if header == name]
            for name in (b"host", b"origin")
        }
        if len(named[b"host"]) != 1 or named[b"host"][0] not in self.hosts:
            return (
                403,
                "This server answers to 127.0.0.1 and localhost on its own port, and to no other Host.",
            )
        if any(origin not in self.origins for origin in named[b"origin"]):
            return 403, "This server answers its own pages, and no other Origin."
        if not OPEN.match(scope["path"]):
            return 404, "Here are runs, metrics and models; this part of MLflow is shut off."
        return 200, ""


def serve(home: Path, port: int) -> None:
    """Serve the store of a folder until stopped."""
    # Nothing from outside may loosen what is set below.
    for name in [name for name in os.environ if name.startswith(("MLFLOW_", "_MLFLOW_"))]:
        del os.environ[name]
    os.environ |= {
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_ENABLE_AI_GATEWAY": "false",
        "MLFLOW_SERVER_ALLOWED_HOSTS": f"127.0.0.1:{port},localhost:{port}",
        "MLFLOW_SERVER_X_FRAME_OPTIONS": "DENY",
    }
    import uvicorn
    from mlflow.server.constants import ARTIFACT_ROOT_ENV_VAR, BACKEND_STORE_URI_ENV_VAR

    # As `mlflow server` does before it starts the same application.
    os.environ[BACKEND_STORE_URI_ENV_VAR] = sqlite_uri(home / "mlflow.db")
    os.environ[ARTIFACT_ROOT_ENV_VAR] = (home / "artifacts").as_uri()
    from mlflow.server.fastapi_app import app

    uvicorn.run(
        Gate(app, port),
        host="127.0.0.1",
        port=port,
        workers=1,
        log_level="warning",
        proxy_headers=False,
        timeout_graceful_shutdown=2,
    )


def show(home: Path, port: int) -> int:
    """Serve the store of a folder in a process of its own, and print the address of each study.

    It ends with that process or at a signal. Returns the exit code. Raises Refusal when there is no study or
    the port is in use, and ModuleNotFoundError without the packages of a study."""
    if find_spec("mlflow") is None:
        raise ModuleNotFoundError("No module named 'mlflow'", name="mlflow")
    if not (home / "mlflow.db").exists():
        raise Refusal(f"there is no study in {home} yet; {command('study')} makes one.")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            raise Refusal(f"port {port} is in use; choose another with {option('port', port + 1)}.") from None
    # Unless a study is writing, which does it itself, or nothing can be written.
    with suppress(Refusal), locked(home):
        relocate_all(home)
    print(f"MLflow is starting on http://127.0.0.1:{port} (this machine only; Ctrl-C stops it).", flush=True)
    words = [sys.executable, "-m", "handnet.study.ui", str(home.absolute()), str(port)]
    # A session of its own: Ctrl-C reaches us alone, and the server is asked politely.
    server = subprocess.Popen(words, start_new_session=True)
    try:
        _announce(home, port, server)
        return server.wait()
    except Stopped:
        print("\nMLflow's pages are closed.")
        return 0
    finally:
        if server.poll() is None:
            os.killpg(server.pid, signal.SIGTERM)
            # It waits for answers it still owes, and may wait for ever.
            with suppress(subprocess.TimeoutExpired):
                server.wait(10)
        if server.poll() is None:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()


def _announce(home: Path, port: int, server: "subprocess.Popen[bytes]") -> None:
    """Say where each study is, once the server answers."""
    from handnet.study.tracker import pages  # while the server does the same in its own process

    addresses = pages(home)
    while server.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.2)
    for study, page in addresses.items() if server.poll() is None else ():
        print(f"  {study}: http://127.0.0.1:{port}{page}", flush=True)


if __name__ == "__main__":
    serve(Path(sys.argv[1]), int(sys.argv[2]))
