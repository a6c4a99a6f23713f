"""Whether a model could have seen the sealed test: models that peek are caught, honest ones pass."""

import sys
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import peeking
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from studies import cli
from test_docs import own_table
from threadpoolctl import threadpool_limits

from handnet.models.named import make_model
from handnet.study.identity import make_problem
from handnet.study.options import settings_and_table
from handnet.study.seal import SealCheck, agreement, is_copy, judged, table_files
from handnet.study.seal_fits import make_case, try_fresh, try_together
from handnet.study.units import Problem
from handnet.study.watch import watching
from handnet.tasks import task_of

READS, SILENT = "my.csv, the table itself", "something opens"
BESIDE, COUNT, ORDER = "rows that are predicted beside it", "how many rows", "the order of the rows"
REMEMBERS, AGAIN, KNOWS, SAME = "after an earlier fit", "Fitted again", "drawn at random", "stay the same"

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="only the kernel of Linux tells")


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("seal") / "my.csv"
    own_table(path)
    return path


@pytest.fixture(scope="module")
def problem(table: Path) -> Problem:
    named = {"path": table, "target": "diagnosis", "positive": "M", "id": "patient"}
    settings, data = settings_and_table({f"data.{key}": str(value) for key, value in named.items()}, None)
    assert table_files(settings) == [str(table)]
    return make_problem(settings, data)


@pytest.fixture
def tried(table: Path, problem: Problem, monkeypatch: pytest.MonkeyPatch) -> Any:
    """What is said of a model that is tried in this process, with nothing left of an earlier fit."""
    monkeypatch.setattr(peeking, "PATH", str(table))

    def check(model: Any, inputs: str = "encoded", **params: Any) -> SealCheck:
        made = make_model(model, inputs)
        case = make_case(made, params, 0, problem, [str(table)])
        found = []
        for what in (try_together, try_fresh):
            peeking.CACHE.clear()
            with threadpool_limits(1):  # as in a process of its own
                found.append(what(case))
        return judged(made, params, problem, [str(table)], *found)

    return check


def said(check: SealCheck) -> list[str]:
    """The known sorts among its findings."""
    sorts = (READS, SILENT, BESIDE, COUNT, ORDER, REMEMBERS, AGAIN, KNOWS, SAME)
    found = [next(sort for sort in sorts if sort in finding) for finding in check.findings]
    assert len(found) == len(check.findings)
    return found


@pytest.mark.parametrize(
    ("model", "finds"),
    [
        (peeking.with_pandas, [READS]),
        (peeking.with_open, [READS]),
        (peeking.with_numpy, [READS]),
        pytest.param(peeking.with_a_database, [SILENT], marks=LINUX),
        (peeking.scales_all, [BESIDE]),
        (peeking.rescales, [BESIDE]),
        (peeking.counts, [COUNT]),
        (peeking.ranks, [COUNT, ORDER]),
        (peeking.caches, [REMEMBERS, KNOWS]),
        (peeking.Collector(), [REMEMBERS, KNOWS]),
        (peeking.draws, [REMEMBERS]),
        (peeking.with_all_rows, [KNOWS]),
        (peeking.with_the_test_alone, [KNOWS]),
        (peeking.knows_a_rule, [KNOWS]),
        (peeking.knows_a_weak_rule, [SAME]),
    ],
    ids=lambda value: getattr(value, "__name__", type(value).__name__),
)
def test_a_model_that_sees_more_is_caught(tried: Any, model: Any, finds: list[str]) -> None:
    assert said(tried(model)) == finds


def boosted(X_train: Any, y_train: Any, params: dict[str, Any], seed: int, X: Any) -> Any:
    settings = {"objective": "binary", "seed": seed, "num_threads": 1, "verbose": -1}
    return lightgbm.train(settings, lightgbm.Dataset(X_train, y_train), 5).predict(X)


COLUMNS = make_column_transformer((StandardScaler(), ["mean radius", "worst area"]))


@pytest.mark.parametrize(
    ("model", "inputs"),
    [
        (RandomForestClassifier(5), "encoded"),
        (make_pipeline(COLUMNS, LogisticRegression()), "raw"),
        (KNeighborsClassifier(), "encoded"),
        (boosted, "encoded"),
        (peeking.honest, "encoded"),
    ],
    ids=("forest", "pipeline", "neighbours", "lightgbm", "function"),
)
def test_an_honest_model_passes(tried: Any, model: Any, inputs: str) -> None:
    check = tried(model, inputs)
    assert (check.findings, check.notes) == ((), ())
    assert str(check).endswith("nothing found.")


@pytest.mark.parametrize("classes", [2, 3, 0])
def test_agreement_is_that_of_the_areas_under_the_curves(classes: int) -> None:
    numbers = np.random.default_rng(0)
    y = numbers.normal(size=60) if not classes else np.arange(60) % classes
    if classes == 2:
        z = y + numbers.normal(size=60)
        expected = 2 * roc_auc_score(y, z) - 1
    elif classes:
        z = np.eye(classes)[y] + numbers.normal(size=(60, classes))
        p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
        expected = 2 * roc_auc_score(y, p, multi_class="ovr") - 1
    else:
        z, expected = -np.exp(y), -1.0
    assert agreement(z, y, task_of(classes)) == pytest.approx(expected, abs=1e-12)
    assert agreement(np.zeros_like(z), y, task_of(classes)) == pytest.approx(0)


def test_what_is_read_is_told_with_its_place(table: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.txt"
    other.write_text("1")
    with watching([str(table)]) as seen:
        other.read_text()
        (tmp_path / "written").write_text("2")
    after = dict(seen.files)
    table.read_text()
    assert after == seen.files == {str(other): after[str(other)]}
    assert after[str(other)].startswith("test_study_seal.py, line ")
    assert not seen.silent


def test_a_copy_is_known_by_its_lines(table: Path, tmp_path: Path) -> None:
    lines = table.read_text().splitlines()
    for name, content, copied in (
        ("some", lines[100:120], True),
        ("head", lines[:1], False),
        ("none", ["nothing of it", *lines[:5]], False),
    ):
        (tmp_path / name).write_text("\n".join(content))
        assert is_copy(str(tmp_path / name), str(table)) == copied


def test_a_copy_is_caught_and_another_file_is_told(
    tried: Any, table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy, other = tmp_path / "copy.csv", tmp_path / "other.csv"
    copy.write_text("# mine\n" + table.read_text())
    other.write_text("1\n2\n3\n")
    monkeypatch.setattr(peeking, "COPIES", [str(copy), str(other)])
    check = tried(peeking.with_copies)
    (finding,), (note,) = check.findings, check.notes
    assert f"{copy}, which holds rows of the table" in finding
    assert f"It reads {other} (peeking.py, line " in note


TYPED = ("--target", "diagnosis", "--positive", "M", "--id", "patient", "--model")


@LINUX
def test_the_verb_catches_what_compiled_code_reads(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setenv("PEEK_AT", str(table))
    source = f"call:{Path(peeking.__file__)}:with_pyarrow"
    assert cli(tmp_path, "check-seal", str(table), *TYPED, source) == 1
    out = capsys.readouterr().out
    assert "peeking.with_pyarrow: caught.\n- While it is fitted something opens" in out
    assert str(table) in out
