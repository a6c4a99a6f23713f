"""The house rules that a reader would otherwise have to check by eye."""

import ast
import hashlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

import handnet
from handnet.mlp import kernels

ROOT = Path(__file__).parent.parent
CORE = """
    messages data encode leaks notes
    tables.quotes tables.dialect tables.numerals tables.header tables.typed tables.sheets tables.cells
    tables.faults tables.columns tables.ids tables.labels tables.remarks tables.target tables.rows
    tables.dataset tables.more_rows
    blocks enough splits contract draws generators
    mlp.elementary mlp.network mlp.history mlp.fit mlp.tile mlp.kernels mlp.compiled
    mlp.engine mlp.keras_model mlp.keras mlp.replicas scores class_scores number_scores
    tasks probe
    bands judge families hybrids explain ensemble estimator
    models.model models.identity models.source models.scikit models.call models.keras models.named
    models.trees
""".split()
HARNESS = """
    study.values study.space study.suggested study.sections study.model_settings study.settings
    study.configuration study.typed study.reading study.interrupt study.environment
    study.redaction study.files study.spreadsheet
    study.folder study.executor study.worker study.processes study.networks study.units
    study.rivals study.quantity study.score_bands study.gaps study.intervals study.summary study.operating
    study.looks study.views study.prediction study.logged_model study.tracker study.store study.targets
    study.answers study.fits study.served_model study.search study.trial_files study.seeded_trials
    study.seeded_objective
    study.sealed study.division study.resplit study.spread study.on_test
    study.false_alarms study.comparisons
    study.analysis study.metrics report.score_names report.words report.model_words report.series
    report.tables report.model_tables report.main_table
    report.calibration_tables report.class_tables report.comparison_tables report.on_test_tables
    report.search_tables report.threshold_tables
    report.imbalance report.pair_words report.gate_words
    report.statements report.verdict report.number_words report.case_words
    report.explainer report.stories study.naming report.how_to_read report.deployed report.missed
    report.cases
    report.drawing report.search_figures report.truth_figures report.figures report.case_figures
    report.class_facts report.comparison_facts report.search_facts report.threshold_facts report.facts
    report.pages report.results_words report.results_tables report.results_compared report.forest
    report.latex_layout report.latex
    report.results_pages study.records study.screen study.chosen_models
    study.identity study.watch study.seal_fits study.seal study.losses study.anew study.training
    study.again study.stored study.outcome study.newcomers
    study.runs study.estimate study.model_estimate study.preview study.simulate study.tracking study.searching
    study.crew
    study.retrack study.study study.mlflow_plugin.handnet_pages study.ui study.options
    study.frames study.arguments study.given_models study.api
    predictions.form
    predictions.names predictions.cells predictions.columns predictions.rows predictions.truth
    predictions.outputs predictions.outside predictions.wide predictions.blocks predictions.table
    predictions.files predictions.folder
    predictions.frame predictions.joined predictions.own
    predictions.metrics predictions.scalars predictions.score_columns predictions.score_table
    predictions.arrays predictions.scikit
    predictions.logged predictions.experiment predictions.runs predictions.run_tables
    predictions.run_scores predictions.tracked
    predictions.divisions predictions.head predictions.hard predictions.quantiles
    predictions.scored predictions.scored_pairs predictions.thresholds predictions.within predictions.judging
    predictions.judged
    predictions.aligned predictions.alarms predictions.crossed_row predictions.flips predictions.pair
    predictions.pairs
    predictions.evaluator predictions.gate predictions.findings predictions.sources predictions.api
    endings assignments command making judging verbs sealing cli __main__
""".split()
EXPERIMENTS = "figures walk claims chapter claims.__main__ published witness bench".split()
ORDER = [f"handnet.{name}" for name in (*CORE, *HARNESS)] + [f"experiments.{name}" for name in EXPERIMENTS]
HOME = {
    "optuna": {
        "study/search.py",
        "study/trial_files.py",
        "study/seeded_trials.py",
        "study/seeded_objective.py",
    },
    "mlflow": {
        "study/tracker.py",
        "study/retrack.py",
        "study/logged_model.py",
        "predictions/experiment.py",
        "predictions/evaluator.py",
        # These run in processes of their own: when a logged model is loaded, and behind make ui.
        "study/served_model.py",
        "study/mlflow_plugin/handnet_pages.py",
    },
    "matplotlib": {
        "report/drawing.py",
        "report/search_figures.py",
        "report/truth_figures.py",
        "report/figures.py",
        "report/case_figures.py",
        "report/forest.py",
        "figures.py",
    },
    "jinja2": {"report/pages.py"},
}
SOURCES = sorted(p for folder in ("handnet", "experiments") for p in (ROOT / folder).rglob("*.py"))


CORE_FILES = [
    path.relative_to(ROOT / "handnet")
    for path in SOURCES
    if ".".join(path.with_suffix("").relative_to(ROOT).parts[1:3]) in CORE
    or path.parent.name in {"bands", "mlp", "models", "tables"}
]


def imports(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module}
    return names


def place(name: str) -> int | None:
    """The place of a module, or of a name in one, in the order; None when it stands outside of it."""
    found = [at for at, above in enumerate(ORDER) if name == above or name.startswith(f"{above}.")]
    return max(found, key=lambda at: len(ORDER[at]), default=None)


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_a_file_imports_only_what_stands_above_it(path: Path) -> None:
    package, *_ = path.relative_to(ROOT).parts
    own = place(".".join(path.relative_to(ROOT).with_suffix("").parts))
    if own is None:
        assert path.name == "__init__.py", f"{path.name} has no place in the order"
        return
    for name in imports(path):
        root, at = name.split(".")[0], place(name)
        assert root != "experiments" or package == "experiments", f"{path} imports an experiment"
        assert at is None or at <= own, f"{path} imports {name}, which stands below it"
        if root in HOME:
            assert str(path.relative_to(ROOT / package)) in HOME[root], f"{path} imports {root}"


# What the core leaves to the harness: packages and modules for stores, screens, files, processes and clocks,
# and calls that read or write a file, whatever they belong to.
HARNESS_ONLY = set(
    """optuna mlflow matplotlib jinja2 rich click pydantic sqlalchemy sqlite3 starlette logging
    time datetime calendar sched timeit pathlib io tempfile shutil glob fileinput mmap
    subprocess multiprocessing socket urllib http requests signal""".split()
)
FILE_CALLS = set(
    """open read_text read_bytes write_text write_bytes mkdir unlink touch rmdir rename symlink_to hardlink_to
    read_csv read_table read_parquet read_json read_excel to_csv to_parquet to_json to_excel
    save savez savez_compressed savetxt loadtxt genfromtxt fromfile tofile memmap open_memmap
    np.load""".split()
)
# Tables are read from files, the engines of Keras are started through the environment, cores are counted, and
# a user's model is imported from a file.
CORE_MAY = {
    "tables/dialect.py": {"io"},
    "tables/sheets.py": {"pathlib", "read_bytes"},
    "tables/typed.py": {"io"},
    "tables/dataset.py": {"pathlib", "os.PathLike"},
    "tables/more_rows.py": {"pathlib"},
    "mlp/engine.py": {f"os.{name}" for name in "environ dup dup2 open close fstat devnull O_WRONLY".split()},
    "models/identity.py": {"pathlib"},
    "models/source.py": {"pathlib", "read_bytes"},
    "mlp/replicas.py": {"os.sched_getaffinity", "os.cpu_count"},
}


def effects(source: str) -> set[str]:
    """The imports, calls and names of `os` by which a source text could touch a file, a store or a clock."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names} & HARNESS_ONLY
        elif isinstance(node, ast.ImportFrom):
            root = (node.module or "").split(".")[0]
            found |= {root} & HARNESS_ONLY
            found |= {f"os.{alias.name}" for alias in node.names if root == "os"}
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "os":
            found.add(f"os.{node.attr}")
        elif isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            found |= {name, name.rpartition(".")[2]} & FILE_CALLS if not name.startswith("os.") else set()
    return found


@pytest.mark.parametrize("path", CORE_FILES, ids=str)
def test_the_core_touches_no_store_no_file_but_a_table_and_no_clock(path: Path) -> None:
    assert effects((ROOT / "handnet" / path).read_text()) == CORE_MAY.get(str(path), set())


@pytest.mark.parametrize(
    "line",
    [
        "import optuna",
        "import mlflow.tracking",
        "from mlflow import MlflowClient",
        "import time",
        "from time import perf_counter",
        "from datetime import datetime",
        "from pathlib import Path",
        "import sqlite3",
        "import tempfile",
        "open('log.txt', 'a')",
        "Path(home).write_text('1')",
        "path.write_bytes(b'')",
        "path.open('rb')",
        "np.save('weights.npy', weights)",
        "np.load('weights.npy')",
        "np.savez(file, weights)",
        "weights.tofile(path)",
        "frame.to_csv('cases.csv')",
        "os.environ['SEED'] = '1'",
        "os.environ.setdefault('SEED', '1')",
        "from os import environ",
        "os.remove(path)",
        "os.times()",
        "import subprocess",
        "def f():\n    import time\n    return time.time()",
    ],
)
def test_the_search_for_stores_files_and_clocks_finds_them(line: str) -> None:
    assert effects(line)
    assert not effects(
        "import numpy as np; frame.sort_values(by); text.replace('a', 'b'); opened(x); np.ones(3)"
    )


SHAPE = re.compile(r"\([\w^.+\- ]+,(?: [\w^.+\-* ]+,?)*\)")  # (n,), (R, n), (2^k, k), (...,)


def without_shape(source: str) -> list[str]:
    """The public functions that take or return arrays, and name no shape in their docstring."""
    tree = ast.parse(source)
    scopes = [tree, *(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name[0] != "_")]
    functions = [node for scope in scopes for node in scope.body if isinstance(node, ast.FunctionDef)]
    missing = []
    for function in functions:
        arguments = [*function.args.args, *function.args.kwonlyargs]
        types = [
            ast.unparse(part) for part in (*(arg.annotation for arg in arguments), function.returns) if part
        ]
        takes_arrays = any(re.search(r"\bArray(Like)?\b", text) for text in types)
        if takes_arrays and function.name[0] != "_" and not SHAPE.search(ast.get_docstring(function) or ""):
            missing.append(function.name)
    return missing


@pytest.mark.parametrize("path", CORE_FILES, ids=str)
def test_public_functions_of_the_core_give_the_shapes_of_their_arrays(path: Path) -> None:
    if path.name != "kernels.py":  # its arrays are flat, and addressed by offsets
        assert without_shape((ROOT / "handnet" / path).read_text()) == []


def test_the_search_for_missing_shapes_finds_them() -> None:
    source = 'def f(z: Array) -> Array:\n    """{}"""\nclass C:\n    def g(self) -> Array:\n        """{}"""'
    assert without_shape(source.format("Scores (of replicas).", "(n), scores.")) == ["f", "g"]
    assert without_shape(source.format("Scores (R,) of z (R, n).", "(2^k, k) weights.")) == []


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_experiments_use_public_names_only(path: Path) -> None:
    if path.is_relative_to(ROOT / "experiments"):
        private = [name for name in imports(path) if re.search(r"^handnet.*\._[a-z]", name)]
        assert not private


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_randomness_lives_in_one_file(path: Path) -> None:
    text = path.read_text()
    if path.name not in {"draws.py", "generators.py"}:  # the second draws nothing: it seeds and restores
        assert "np.random" not in text
        assert not any(
            name.split(".")[0] == "random" or name.startswith("numpy.random") for name in imports(path)
        )


def test_what_is_compiled_stands_in_one_file() -> None:
    """Kept code is made anew when the file of its function changes, and not when a file changes that it calls
    into. The one such file is tile.py, and kernels.py names its digest."""
    of_numba = {
        path.name: {name for name in imports(path) if name in ORDER}
        for path in SOURCES
        if any(name.split(".")[0] in {"numba", "llvmlite"} for name in imports(path))
    }
    assert of_numba == {"kernels.py": {"handnet.data", "handnet.mlp.tile"}, "tile.py": set()}
    tile = ROOT / "handnet" / "mlp" / "tile.py"
    assert hashlib.sha256(tile.read_bytes()).hexdigest() == kernels.TILE


def test_code_made_with_another_tile_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    assert kernels.train_epoch.stats.cache_path
    monkeypatch.setattr(kernels, "TILE", "another")
    assert kernels.compiled(lambda x: x).stats.cache_path is None


# Limits of size. The other limits of style are ruff's (make check).
LINES, FUNCTION, WIDTH = 300, 40, 110


def beyond_limits(source: str) -> list[str]:
    """What in a source text is longer than the limits, or hidden from the formatter."""
    lines = source.splitlines()
    found = [f"{len(lines)} lines"] if len(lines) > LINES else []
    for number, line in enumerate(lines, 1):
        found += [f"line {number} has {len(line)} characters"] if len(line) > WIDTH else []
        found += [f"line {number}: fmt"] if re.search(r"#\s*fmt:\s*(skip|off)", line) else []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or 0) - node.lineno + 1
            found += [f"{node.name} has {length} lines"] if length > FUNCTION else []
    return found


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_files_functions_and_lines_are_short(path: Path) -> None:
    assert beyond_limits(path.read_text()) == []


@pytest.mark.parametrize(
    ("inside", "beyond", "finding"),
    [
        ("x = 1\n" * 300, "x = 1\n" * 301, "301 lines"),
        ("def f():\n" + "    x = 1\n" * 39, "def f():\n" + "    x = 1\n" * 40, "f has 41 lines"),
        (f"'{'x' * 108}'", f"'{'x' * 109}'", "line 1 has 111 characters"),
        ("x = 1  # format: skip", "x = 1  # fmt: skip", "line 1: fmt"),
        ("class C:\n    x = 1", "class C:\n    # fmt: off\n    x = 1", "line 2: fmt"),
    ],
)
def test_the_search_for_what_is_too_long_finds_it(inside: str, beyond: str, finding: str) -> None:
    assert beyond_limits(inside) == []
    assert beyond_limits(beyond) == [finding]


def test_importing_handnet_imports_nothing_heavy() -> None:
    code = "import sys, handnet; print(*sorted({m.split('.')[0] for m in sys.modules}))"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True
    ).stdout
    assert not set(loaded.split()) & {
        "numpy",
        "scipy",
        "sklearn",
        "pandas",
        "mlflow",
        "optuna",
        "tensorflow",
        "keras",
        "pydantic",
    }


def test_public_names_are_there_and_no_others() -> None:
    for name in handnet.__all__:
        assert getattr(handnet, name).__doc__
    assert set(handnet.__all__) <= set(dir(handnet))
    with pytest.raises(AttributeError, match="it has Backend"):
        _ = handnet.nothing


def test_no_parameter_of_a_model_stands_in_the_harness() -> None:
    """What is searched is named by the defaults file and by the models themselves."""
    places = [ROOT / "handnet" / name for name in ("study", "report", "cli.py")]
    files = [file for place in places for file in ([place] if place.is_file() else place.rglob("*"))]
    texts = [file for file in files if file.suffix in {".py", ".j2", ".toml"} and file.name != "default.toml"]
    assert len(texts) > 50
    assert [file.name for file in texts if re.search("learning_rate|dropout", file.read_text())] == []
