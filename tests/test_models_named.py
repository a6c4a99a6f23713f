"""References and objects as models: where a user's own code is found, and how it travels."""

import pickle
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import cloudpickle
import numpy as np
import pytest
from models_contract import globals_now, part, rows
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import SVC

from handnet import Refusal
from handnet.models import identity
from handnet.models.model import Model
from handnet.models.named import make_model
from handnet.models.source import FromFile, digest_of, find
from handnet.tasks import task_of

MINE = """
import random
import numpy
from helper import share
print("a word on stdout")
random.seed(1); numpy.random.seed(1)

def fit_predict(X_train, y_train, params, seed, X):
    return numpy.full(len(X), share + params.get("more", 0))

def forest():
    from sklearn.ensemble import RandomForestClassifier
    return RandomForestClassifier(5)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "mine.py").write_text(MINE)
    (tmp_path / "helper.py").write_text("share = 0.25\n")
    return tmp_path


@pytest.fixture(autouse=True)
def _nothing_stays() -> Any:
    yield
    sys.modules.pop("helper", None)


def outputs(model: Model, **params: Any) -> np.ndarray:
    """(20,) of one seed."""
    train, val = part(rows(2), 0, 40), part(rows(2), 40)
    return model.fit(train, val, params, [3], task_of(2)).outputs(val.X)[0]


def test_a_file_is_imported_by_its_path_and_leaves_nothing_behind(folder: Path, capsys: Any) -> None:
    path, states = list(sys.path), globals_now()
    model = make_model(f"call:{folder / 'mine.py'}:fit_predict")
    assert model.name == "mine.fit_predict"
    np.testing.assert_allclose(outputs(model, more=0.25), 0, atol=1e-12)
    assert sys.path == path
    assert globals_now() == states
    assert capsys.readouterr().out == ""
    assert "mine" not in sys.modules


def test_a_file_may_stand_where_the_reader_stands(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    model = make_model("sklearn:mine.py:forest")
    monkeypatch.chdir(folder.parent)  # where a worker stands decides nothing
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(outputs(again), outputs(make_model(RandomForestClassifier(5))))


def test_a_module_may_stand_where_the_reader_stands(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "mine.py").rename(folder / "module_of_mine.py")
    monkeypatch.chdir(folder)
    path = list(sys.path)
    model = make_model("call:module_of_mine:fit_predict")
    np.testing.assert_allclose(outputs(model, more=0.25), 0, atol=1e-12)
    assert sys.path == path
    assert sys.modules.pop("module_of_mine")


@pytest.mark.parametrize(
    ("reference", "sentence"),
    [
        ("forest", "'forest' is no model: it is written sklearn:..., keras:..., call:...;"),
        ("skleran:sklearn.svm.SVC", "did you mean sklearn?"),
        ("sklearn:", "'sklearn:' is no model"),
        ("sklearn:SVC", "'SVC' names no function; write file.py:function, or package.module:function."),
        ("call:mine.py", "'mine.py' names no function"),
        ("call:nowhere.py:f", "nowhere.py cannot be read: No such file or directory."),
        ("call:mine.py:fit_predcit", "mine.py has no 'fit_predcit': did you mean fit_predict?"),
        ("sklearn:sklearn.svm.SVCC", "sklearn.svm has no 'SVCC': did you mean SVC?"),
        ("sklearn:sklearn.smv.SVC", "sklearn.smv cannot be imported: ModuleNotFoundError"),
        (
            "sklearn:mine.py:fit_predict",
            "mine.fit_predict must be an estimator, or be called without arguments",
        ),
        ("sklearn:mine.py:random", "must be an estimator, or be called without arguments and make one"),
        ("call:broken.py:f", "broken.py cannot be imported in line 2: ZeroDivisionError: division by zero."),
        ("call:typo.py:f", "typo.py cannot be imported in line 1: SyntaxError: invalid syntax."),
        ("call:lacks.py:f", "in line 1: ModuleNotFoundError: No module named 'a_package_of_nobody'."),
        ("call:leaves.py:f", "leaves.py cannot be imported in line 3: SystemExit: 3."),
        ("call:binary.py:f", "binary.py cannot be imported"),
        ("call:empty.py:f", "empty.py has no 'f': it defines nothing."),
    ],
)
def test_what_is_no_model_is_refused_in_a_sentence(
    reference: str, sentence: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    (folder / "broken.py").write_text("one = 1\ntwo = 1 / 0\n")
    (folder / "typo.py").write_text("def f(:\n")
    (folder / "lacks.py").write_text("import a_package_of_nobody\n")
    (folder / "leaves.py").write_text("import sys\n\nsys.exit(3)\n")
    (folder / "binary.py").write_bytes(b"\x00\xff\xfe")
    (folder / "empty.py").write_text("")
    with pytest.raises(Refusal) as refusal:
        make_model(reference)
    assert sentence in refusal.value.sentence
    assert "\n" not in refusal.value.sentence


@pytest.mark.parametrize("thing", [3, None, {"a": 1}, np.zeros(3)])
def test_an_object_that_is_no_model_is_refused(thing: Any) -> None:
    with pytest.raises(Refusal, match="a model must be a reference"):
        make_model(thing)
    with pytest.raises(Refusal, match="inputs must be encoded or raw"):
        make_model(SVC(), inputs="scaled")


def test_a_file_that_changes_is_another_model(folder: Path) -> None:
    reference = f"call:{folder / 'mine.py'}:fit_predict"
    model, digest = make_model(reference), digest_of(str(folder / "mine.py"))
    (folder / "elsewhere").mkdir()
    for name in ("mine.py", "helper.py"):
        (folder / "elsewhere" / name).write_text((folder / name).read_text())
    elsewhere = FromFile(str(folder / "elsewhere" / "mine.py"), "fit_predict")
    assert elsewhere.digest == digest  # where it stands does not count
    for place in (folder, folder / "elsewhere"):
        (place / "helper.py").write_text("share = 0.75\n")
    assert make_model(reference).identity != model.identity
    with pytest.raises(Refusal, match="or a file that it imports, has changed since this run began"):
        pickle.loads(pickle.dumps(elsewhere)).get()  # as in a worker, which has not imported it yet


def test_the_name_of_a_file_and_its_place_identify_nothing(folder: Path) -> None:
    (folder / "elsewhere").mkdir()
    for name, other in (("mine.py", "other.py"), ("helper.py", "helper.py")):
        (folder / "elsewhere" / other).write_text((folder / name).read_text())
    here, there = str(folder / "mine.py"), str(folder / "elsewhere" / "other.py")
    assert FromFile(here, "fit_predict").identity == FromFile(there, "fit_predict").identity
    assert FromFile(here, "fit_predict").identity != FromFile(here, "forest").identity


def test_the_packages_that_a_file_imports_are_part_of_its_identity(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def told() -> list[str]:
        return [FromFile(str(folder / name), "f").identity for name in ("plain.py", "inside.py", "beside.py")]

    (folder / "plain.py").write_text("import numpy.random, math\n\ndef f(): import nowhere_at_all\n")
    (folder / "inside.py").write_text("def f():\n    from lightgbm.sklearn import LGBMClassifier\n")
    (folder / "beside.py").write_text("from inside import f\n")
    before = told()
    assert all(f"lightgbm {version('lightgbm')}" in one for one in before[1:])
    assert before[0].endswith(f" numpy {version('numpy')}")
    newer = {"lightgbm": "99.0"}
    monkeypatch.setattr(identity, "version", lambda name: newer.get(name) or version(name))
    assert [one == other for one, other in zip(before, told(), strict=True)] == [True, False, False]


def test_models_have_names_of_the_field() -> None:
    pipeline = make_pipeline(StandardScaler(), "passthrough", make_pipeline(FunctionTransformer(), SVC()))
    assert make_model(pipeline).name == "StandardScaler+FunctionTransformer+SVC"
    assert (
        make_model("sklearn:sklearn.svm.SVC").name == make_model(SVC).name == make_model(SVC()).name == "SVC"
    )
    assert make_model(SVC(), name="mine").name == "mine"
    assert find("handnet.tasks:task_of").label == "tasks.task_of"


def test_objects_of_a_notebook_travel_and_keep_their_identity() -> None:
    def fit_predict(X_train: Any, y_train: Any, params: Any, seed: int, X: Any) -> Any:
        return np.full(len(X), share)

    share = 0.25
    for thing in (fit_predict, lambda _a, _b, _c, _d, X: np.full(len(X), share), make_pipeline(SVC())):
        model = make_model(thing)
        again = pickle.loads(cloudpickle.dumps(model))
        assert again.identity == model.identity
        np.testing.assert_array_equal(outputs(again), outputs(model))
