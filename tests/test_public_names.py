"""What the project uses of MLflow, Optuna and Numba is public; it reads and writes none of their tables."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = sorted(path for folder in ("handnet", "experiments") for path in (ROOT / folder).rglob("*.py"))
# Private: a part of the name that begins with one underscore; and what its makers do not document for others.
NAME = re.compile(r"(mlflow|optuna|numba|sqlalchemy|alembic)(\.\w+)*")
INTERNAL = re.compile(
    r"""
    (sqlalchemy | alembic)\b                # no packages of ours: MLflow and Optuna use them
    | \w+(\.\w+)* \. _(?!_)                 # a part that begins with an underscore
    | mlflow\.(store | utils | protos | telemetry | server | cli)\b
    | mlflow\.tracking\.(?!MlflowClient\Z)
    | numba\.core\b
    """,
    re.VERBOSE,
)
# The one place of each name that has no public twin.
EXCEPTIONS = {
    "handnet/mlp/tile.py": "numba.core.cgutils",  # builds the body of an intrinsic
    "handnet/study/mlflow_plugin/handnet_pages.py": "mlflow.server.fastapi_app",  # the application it serves
}
TABLES = re.compile(r"\b(INSERT INTO|UPDATE|DELETE FROM|SELECT .* FROM)\b", re.DOTALL)


def used(source: str) -> set[str]:
    """Every dotted name of these packages that a text imports, reaches, or has as a string."""
    tree, aliases, found = ast.parse(source), dict[str, str](), set[str]()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                found.add(alias.name)
                bound = alias.name if alias.asname else alias.name.partition(".")[0]
                aliases[alias.asname or bound] = bound
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module)
            for alias in node.names:
                found.add(f"{node.module}.{alias.name}")
                aliases[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            found.add(dotted(node, aliases))
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "getattr":
            owner, name = dotted(node.args[0], aliases), node.args[1]
            found.add(f"{owner}.{name.value}" if isinstance(name, ast.Constant) else owner)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found |= {node.value, node.value.replace(":", ".")}
    return {name for name in found if NAME.fullmatch(name)}


def dotted(node: ast.AST, aliases: dict[str, str]) -> str:
    """The full name of an expression of dots; empty when it is another one."""
    if isinstance(node, ast.Attribute):
        owner = dotted(node.value, aliases)
        return f"{owner}.{node.attr}" if owner else ""
    return aliases.get(node.id, "") if isinstance(node, ast.Name) else ""


def private(source: str) -> set[str]:
    return {name for name in used(source) if INTERNAL.match(name)}


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_name_is_public(path: Path) -> None:
    place = str(path.relative_to(ROOT))
    allowed = EXCEPTIONS.get(place, "none")
    found = {name for name in private(path.read_text()) if name != allowed.rpartition(".")[0]}
    assert all(f"{name}.".startswith(f"{allowed}.") for name in found), found
    assert "sqlite3" not in path.read_text() or place == "handnet/study/targets.py"
    assert not TABLES.search(path.read_text())


@pytest.mark.parametrize(
    "source",
    [
        "import mlflow.store.tracking.sqlalchemy_store",
        "import mlflow.utils.rest_utils as rest",
        "from mlflow.utils.autologging_utils import disable_autologging",
        "from mlflow.tracking import fluent",
        "from mlflow.tracking._tracking_service.utils import _get_store",
        "from mlflow import utils",
        "import mlflow\nmlflow.utils.rest_utils.http_request()",
        "import mlflow as m\nm.store.tracking",
        "import mlflow\ngetattr(mlflow, 'store')",
        "import mlflow\nmlflow.tracking._x",
        "from importlib import import_module\nimport_module('mlflow.store.db.utils')",
        "__import__('mlflow.utils')",
        "from optuna.storages._rdb import models",
        "from optuna import _experimental",
        "import optuna\noptuna.storages._CachedStorage",
        "from sqlalchemy import select",
        "import alembic.script",
        "from numba.core.ccallback import CFunc",
        "from numba import _helperlib",
        "import_module('sqlalchemy')",
    ],
)
def test_a_private_name_is_found_in_every_form(source: str) -> None:
    assert private(source)


@pytest.mark.parametrize(
    "source",
    [
        "from mlflow import MlflowClient, entities, pyfunc\nentities.Metric",
        "from mlflow.tracking import MlflowClient",
        "from optuna.storages.journal import JournalFileBackend",
        "from numba import njit, types\nfrom numba.extending import intrinsic",
        "import optuna\noptuna.__version__",
        "x = {'mlflow.note.content': 1}",
    ],
)
def test_a_public_name_passes(source: str) -> None:
    assert not private(source)
