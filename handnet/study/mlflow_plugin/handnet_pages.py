"""MLflow's application behind a gate: what `mlflow server --app-name handnet` serves.

MLflow finds applications by their entry points in the group `mlflow.app`. This folder is laid out as an
installed package, its entry point beside it: on the path of the server it is found from a checkout as from a
wheel. MLflow checks hosts and origins itself, but it trusts any port of this machine and answers far more
than its pages need: an assistant with a shell, jobs, a gateway that fetches addresses."""

import os
import re
import threading
import warnings

from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocketClose

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
HEADERS = {"x-frame-options": "DENY", "x-content-type-options": "nosniff"}


class Gate:
    """Middleware of Starlette that lets through what looks at runs, from pages of this very server."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection, as the ASGI standard has it."""
        if scope["type"] == "websocket":
            await WebSocketClose(code=1008)(scope, receive, send)
        elif scope["type"] == "http" and (refused := objection(scope)):
            await PlainTextResponse(refused[1], refused[0], HEADERS)(scope, receive, send)
        else:
            await self.app(scope, receive, send)


def objection(scope: Scope) -> tuple[int, str] | None:
    """The status and the sentence to refuse a request with, or None to let it through."""
    headers, port = Headers(scope=scope), scope["server"][1]
    here = {f"127.0.0.1:{port}", f"localhost:{port}"}
    hosts = headers.getlist("host")
    if len(hosts) != 1 or hosts[0] not in here:
        return 403, "This server answers to 127.0.0.1 and localhost on its own port, and to no other Host."
    if not {f"http://{host}" for host in here}.issuperset(headers.getlist("origin")):
        return 403, "This server answers its own pages, and no other Origin."
    if not OPEN.match(scope["path"]):
        return 404, "Here are runs, metrics and models; this part of MLflow is shut off."
    return None


def app() -> Starlette:
    """MLflow's application behind the gate, in a process that ends when its standard input does."""
    threading.Thread(target=_end_with_input, daemon=True).start()
    with warnings.catch_warnings():
        # By MLflow's own import, which is MLflow's to replace.
        warnings.filterwarnings("ignore", "starlette.middleware.wsgi is deprecated")
        from mlflow.server.fastapi_app import app as pages
    pages.add_middleware(Gate)
    return pages


def _end_with_input() -> None:
    """End this process at the end of its input: a pipe that whoever started the server holds open."""
    while os.read(0, 1):
        pass
    os._exit(0)  # at once: a request may hang, and SQLite undoes what was not committed
