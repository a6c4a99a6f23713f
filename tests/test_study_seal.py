"""Whether a model could have seen the sealed test: models that peek are caught, honest ones pass."""

import re
import sys
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
import peeking
import pytest
from canonical import lines, networks, study_folder
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import KNeighborsClassifier
from studies import cli
from test_docs import own_table
from threadpoolctl import threadpool_limits

from handnet.models.keras import KerasModel
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
    sorts = (SILENT, READS, BESIDE, COUNT, ORDER, REMEMBERS, AGAIN, KNOWS, SAME)
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


@pytest.mark.parametrize(
    ("model", "inputs"),
    [
        (RandomForestClassifier(5), "encoded"),
        (peeking.columns, "raw"),
        (KNeighborsClassifier(), "encoded"),
        (boosted, "encoded"),
        (peeking.honest, "encoded"),
    ],
    ids=("forest", "pipeline", "neighbours", "lightgbm", "function"),
)
def test_an_honest_model_passes(tried: Any, model: Any, inputs: str) -> None:
    check = tried(model, inputs)
    assert (check.findings, check.notes) == ((), ())
    head, *tried_words = str(check).splitlines()
    assert head.endswith(": nothing found.")
    assert tried_words[0].startswith("  Tried: which files it reads; whether its outputs for a row change")
    assert len(tried_words) == 2


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


@pytest.mark.long
def test_a_network_in_keras_passes_and_its_early_stopping_is_told(tried: Any) -> None:
    check = tried(KerasModel(peeking.network), epochs=4)
    assert not check.findings
    assert any("It uses the labels of the validation rows" in note for note in check.notes)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "which model of yours?"),
        (["MODEL=mlp"], "which model of yours?"),
        (["MODEL=call:nowhere.py:f"], "nowhere.py cannot be read"),
        ([f"MODEL=call:{Path(peeking.__file__)}:raises"], "cannot be checked, because a fit was lost"),
    ],
)
def test_what_cannot_be_checked_is_not_caught(
    words: list[str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    assert cli(tmp_path, "check-seal", *words) == 2
    err = capsys.readouterr().err
    assert says in err
    assert ".." not in err


def test_the_help_lists_what_moves_the_check_and_all_words_of_a_study_are_taken(
    tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HANDNET_DOOR", "shell")
    assert cli(tmp_path, "check-seal", "--help") == 0
    said = capsys.readouterr().out
    shown = set(re.findall(r"^ +--([a-z-]+)", said, re.MULTILINE))
    assert {"model", "space", "fixed", "inputs", "data", "target", "missing", "split-seed", "design"} <= shown
    assert {"unit-timeout", "unit-memory", "settings", "set"} <= shown
    nothing = {"trials", "seeds", "confirm", "splits", "ideal", "score", "equal", "looks", "open", "workers"}
    assert not shown & (nothing | {"check", "name", "executor", "backend", "prevalence"})
    assert "search.trials" not in said
    words = ("--trials", "4", "--open", "--workers", "2", "--name", "x", "MODEL=call:nowhere.py:f")
    assert cli(tmp_path, "check-seal", *words) == 2
    assert "nowhere.py cannot be read" in capsys.readouterr().err


MODELS = """
[[models]]
name = "forest"
source = "sklearn:sklearn.ensemble.RandomForestClassifier"
fixed = {n_estimators = 10}
space = {max_depth = "2..9"}
[[models]]
name = "columns"
source = "sklearn:FILE:columns"
inputs = "raw"
space = {logisticregression__C = "0.1..9.0"}
[[models]]
name = "function"
source = "call:FILE:honest"
space = {C = "0.1..9.0"}
[[models]]
name = "peeks"
source = "call:FILE:with_the_file"
"""


@pytest.mark.long
def test_no_validation_number_depends_on_a_sealed_row(
    table: Path, problem: Problem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two studies, of the table and of one whose sealed rows are noise under the same ids and labels."""
    frame, sealed = pd.read_csv(table, dtype=str), problem.parts.test_rows
    numbers = np.random.default_rng(5)
    for name in frame.columns[2:]:
        of_train = frame[name].to_numpy()[problem.parts.train_rows]
        frame.loc[sealed, name] = numbers.choice(of_train, len(sealed))
    frame.to_csv(tmp_path / "noise.csv", index=False)
    (tmp_path / "models.toml").write_text(MODELS.replace("FILE", peeking.__file__))
    found = []
    for path in (table, tmp_path / "noise.csv"):
        monkeypatch.setenv("PEEK_AT", str(path))
        few = "TRIALS=3", "SEEDS=2", "CONFIRM=3", "SPLITS=0", f"SETTINGS={tmp_path / 'models.toml'}"
        assert cli(tmp_path / path.stem, "study", str(path), *TYPED[:-1], *few) == 0
        found.append(validation_numbers(tmp_path / path.stem))
    for model in ("forest", "columns", "function"):
        assert found[0][model] == found[1][model]
    assert found[0]["peeks"] != found[1]["peeks"]


def validation_numbers(home: Path) -> dict[str, list[Any]]:
    """Every trial of each model, and the outputs of each of its seeds on the validation rows as bytes."""
    of_all, kept = networks(home), {}
    for path in study_folder(home).glob("trials*.jsonl"):
        told = lines(path)
        ids = [one.pop("config_id") for one in told]
        seeds = {(ids.index(config), seed): one for (config, seed), one in of_all.items() if config in ids}
        outputs = {key: one["val_logits"].tobytes() for key, one in seeds.items()}
        assert len(seeds) >= 2
        kept[path.stem.removeprefix("trials-")] = [told, outputs]
    return {"forest" if name == "trials" else name: one for name, one in kept.items()}
