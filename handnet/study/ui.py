"""MLflow's pages for this machine's browser and nobody else: `show` starts `mlflow server`."""

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from threading import Thread

from handnet.messages import Refusal, command, option
from handnet.study.files import is_same
from handnet.study.folder import check_layout
from handnet.study.interrupt import Stopped
from handnet.study.redaction import redacted

# The application that the server loads by its entry point, with the gate before MLflow's own.
PLUGIN = Path(__file__).parent / "mlflow_plugin"
# Nothing of these from outside may loosen what is set here.
OUTSIDE = ("MLFLOW_", "_MLFLOW_", "UVICORN_", "FLASK_", "OTEL_", "prometheus_")
VARIABLES = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    "MLFLOW_ENABLE_AI_GATEWAY": "false",
}
BANNER = "[MLflow] Security middleware enabled"  # what it says when all is well
# MLflow's lifespan clears up after its assistant alone.
UVICORN = "--log-level error --no-proxy-headers --lifespan off --timeout-graceful-shutdown 2"


def show(home: Path, port: int) -> int:
    """Serve the store of a folder until a signal comes, and print the address of each study.

    The server runs in a process of its own and ends with this one, however this one ends. Returns the exit
    code. Raises Refusal when there is no study, the port is in use or the server fails, and
    ModuleNotFoundError without the packages of a study."""
    if find_spec("mlflow") is None:
        raise ModuleNotFoundError("No module named 'mlflow'", name="mlflow")
    check_layout(home)
    if not (home / "studies").exists():
        raise Refusal(f"there is no study in {home} yet; {command('study')} makes one.")
    _check_free(port)
    print(f"MLflow is starting on http://127.0.0.1:{port} (this machine only; Ctrl-C stops it).", flush=True)
    _bring_up_to_date(home)
    made = home.stat()
    with _started(home, port) as server:
        Thread(target=_end_when_moved, args=(home, made, server), daemon=True).start()
        try:
            _announce(home, port, server)
            for line in server.stdout or ():  # until it ends
                if not line.startswith(BANNER):
                    print(redacted(line), end="", file=sys.stderr, flush=True)
        except Stopped:
            print("\nMLflow's pages are closed.")
            return 0
        finally:
            _end(server)
    if not is_same(home, made):
        raise Refusal(
            f"{home} was moved or removed while its pages were open, so they are closed;"
            f" {option('mlruns', '')} opens them in its new place.",
            1,
        )
    raise Refusal("MLflow's server has ended by itself; what it said stands above.", 1)


def _check_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            raise Refusal(f"port {port} is in use; choose another with {option('port', port + 1)}.") from None


def _bring_up_to_date(home: Path) -> None:
    """Make MLflow's database anew where it is missing, behind its studies, or was moved."""
    from handnet.study.retrack import present
    from handnet.study.targets import is_here, tracked_in

    for sentence in present(home):
        print(sentence, file=sys.stderr)
    if not is_here(tracked_in(home)):
        raise Refusal(f"MLflow has no study of {home} yet; {command('track')} brings one there.", 75)


def _started(home: Path, port: int) -> "subprocess.Popen[str]":
    """The server of a folder's database, which ends when nobody holds its input open any more."""
    from handnet.study.targets import sqlite_uri, tracked_in

    hosts = [f"127.0.0.1:{port}", f"localhost:{port}"]
    store = sqlite_uri(tracked_in(home) / "mlflow.db")
    options = {
        "app-name": "handnet",
        "host": "127.0.0.1",
        "port": port,
        "workers": 1,
        "backend-store-uri": store,
        "registry-store-uri": store,
        "default-artifact-root": (tracked_in(home) / "artifacts").as_uri(),
        "allowed-hosts": ",".join(hosts),
        "cors-allowed-origins": ",".join(f"http://{host}" for host in hosts),
        "x-frame-options": "DENY",
        "uvicorn-opts": UVICORN,
    }
    words = [sys.executable, "-m", "mlflow", "server", "--no-serve-artifacts"]
    return subprocess.Popen(
        words + [f"--{name}={value}" for name, value in options.items()],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,  # Ctrl-C reaches us alone, and the server is asked politely
        cwd=PLUGIN,  # not the user's folder, whose modules Python would prefer
        env=_variables(),
        text=True,
        errors="replace",
    )


def _variables() -> dict[str, str]:
    """The server's environment."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith(OUTSIDE)}
    theirs = filter(None, ours.get("PYTHONPATH", "").split(os.pathsep))
    path = os.pathsep.join([str(PLUGIN), *map(os.path.abspath, theirs)])
    return ours | VARIABLES | {"PYTHONPATH": path}


def _announce(home: Path, port: int, server: "subprocess.Popen[str]") -> None:
    """Say where each study is, once the server answers."""
    from handnet.study.retrack import pages  # while the server does the same in its own process

    addresses = pages(home)
    while server.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.2)
    for study, page in addresses.items() if server.poll() is None else ():
        print(f"  {study}: http://127.0.0.1:{port}{page}", flush=True)


def _end_when_moved(home: Path, made: os.stat_result, server: "subprocess.Popen[str]") -> None:
    """End the server of a folder that is gone: what it would show is made in the place it has now."""
    while server.poll() is None and is_same(home, made):
        time.sleep(1)
    _end(server)


def _end(server: "subprocess.Popen[str]") -> None:
    """End the server with all its processes, politely first."""
    if server.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGTERM)
        # It waits for answers it still owes, and may wait for ever.
        with suppress(subprocess.TimeoutExpired):
            server.wait(10)
    if server.poll() is None:
        os.killpg(server.pid, signal.SIGKILL)
