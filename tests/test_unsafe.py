"""Nothing in handnet or the experiments is loaded that could run what it reads."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = sorted(p for folder in ("handnet", "experiments") for p in (ROOT / folder).rglob("*.py"))

# Whatever of these is handed a file runs what the file says, or can be made to.
LOADERS = {
    "pickle",
    "cPickle",
    "_pickle",
    "cloudpickle",
    "dill",
    "joblib",
    "marshal",
    "shelve",
    "skops",
    "runpy",
    "code",
    "ctypes",
}
UNSAFE = {
    "eval",
    "load_model",
    "read_pickle",
    "to_pickle",
    "unsafe_load",
    "full_load",
    "enable_unsafe_deserialization",
}
GUARDED = {
    "np.load": ("allow_pickle", "False"),
    "numpy.load": ("allow_pickle", "False"),
    "yaml.load": None,
    "torch.load": None,
    "np.fromfile": None,
    "os.system": None,
    "os.popen": None,
}


def unsafe(source: str) -> list[str]:
    """What in a source text could run what it reads: imports, calls, and keywords that allow it."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names if alias.name.split(".")[0] in LOADERS]
        elif isinstance(node, ast.ImportFrom):
            found += [str(node.module)] if (node.module or "").split(".")[0] in LOADERS else []
            found += [alias.name for alias in node.names if alias.name in UNSAFE]
        elif isinstance(node, ast.Call):
            name, keywords = (
                ast.unparse(node.func),
                {key.arg: ast.unparse(key.value) for key in node.keywords},
            )
            bad = name.rpartition(".")[2] in UNSAFE or name.removeprefix("builtins.") in {
                "exec",
                "compile",
                "__import__",
            }
            if name in GUARDED:
                guard = GUARDED[name]
                bad = guard is None or keywords.get(guard[0]) != guard[1]
            safe = {
                "allow_pickle": "False",
                "safe_mode": "True",
                "shell": "False",
                "trust_remote_code": "False",
            }
            bad |= any(keywords.get(key, value) != value for key, value in safe.items())
            found += [name] if bad else []
    return found


# A process reads what the one that started it wrote to a file without a name, as multiprocessing itself does.
BETWEEN_OUR_PROCESSES = {
    "handnet/study/executor.py": ["pickle"],
    "handnet/study/worker.py": ["pickle"],
    "handnet/study/processes.py": ["pickle", "cloudpickle"],
}
# The C library of the process itself, which asks the kernel whether a file is opened; nothing else is loaded.
OF_THE_SYSTEM = {"handnet/study/watch.py": ["ctypes"]}


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_no_loader_that_runs_what_it_reads(path: Path) -> None:
    allowed = BETWEEN_OUR_PROCESSES | OF_THE_SYSTEM
    assert unsafe(path.read_text()) == allowed.get(path.relative_to(ROOT).as_posix(), [])


@pytest.mark.parametrize(
    "line",
    [
        "import pickle",
        "from joblib import load",
        "import dill as d",
        "import marshal",
        "import shelve",
        "from cloudpickle import loads",
        "np.load(f)",
        "np.load(f, allow_pickle=True)",
        "numpy.load(f, mmap_mode='r')",
        "np.lib.format.read_array(f, allow_pickle=True)",
        "keras.saving.load_model(p)",
        "mlflow.pyfunc.load_model(u)",
        "torch.load(p)",
        "yaml.load(t, L)",
        "yaml.unsafe_load(t)",
        "eval(t)",
        "exec(t)",
        "pd.read_pickle(p)",
        "frame.to_pickle(p)",
        "compile(t, 'f', 'exec')",
        "from pandas import read_pickle",
        "subprocess.run(t, shell=True)",
        "keras.saving.deserialize_keras_object(c, safe_mode=False)",
        "os.system(t)",
    ],
)
def test_the_search_for_unsafe_loaders_finds_them(line: str) -> None:
    assert unsafe(line)
    assert not unsafe(
        "np.load(f, allow_pickle=False); re.compile(t); json.loads(t); backend.load(x); model.compile"
    )
