"""A study by one call: from a script, from a thread, stopped and continued, on a table in memory."""

import json
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from canonical import digest
from studies import ROOT, cli

import handnet
from handnet import Dataset, Refusal, run_study, wisconsin
from handnet.study.interrupt import Interrupt

FEW = {"trials": 2, "seeds": 2, "confirm": 3, "splits": 0, "space.epochs.high": 12}


def frame() -> pd.DataFrame:
    """The first columns of the built-in table, with text and gaps."""
    data = wisconsin()
    table = pd.DataFrame(data.X[:, :4], columns=list(data.feature_names[:4]))
    table["side"] = np.where(data.X[:, 4] > 0.09, "left", "right")
    table.iloc[::50, 0] = np.nan
    table["patient"] = [f"p{row}" for row in range(len(table))]
    table["diagnosis"] = np.where(data.y == 1, "M", "B")
    return table


OWN = {"target": "diagnosis", "positive": "M", "id": "patient", "missing": "median"}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("api")


@pytest.fixture(scope="module")
def result(home: Path) -> handnet.study.api.StudyResult:
    return run_study(home=home, open_test=True, progress=False, **FEW)


def test_the_result_says_what_the_report_says(result: handnet.study.api.StudyResult) -> None:
    facts = json.loads(result.report.with_suffix(".json").read_text())
    assert result.facts == facts
    assert result.verdict == facts["verdict"]
    table = result.bands().to_frame()
    assert len(table) == len(facts["bands"])
    assert {"kind", "coverage", "n", "varied", "low", "high"} <= set(table.columns)
    assert set(result.cases["case"]) == {case["case"] for case in facts["missed"]}
    page = result._repr_html_()
    assert result.verdict.split(" [")[0] in page
    assert result.report.name in page
    assert "of further seeds on average over studies" in page


def test_two_calls_are_one_study(home: Path, result: handnet.study.api.StudyResult) -> None:
    before = digest(home)
    again = run_study("wisconsin", home=str(home), open_test=True, progress=False, **FEW)
    assert again.report == result.report
    assert digest(home) == before
    (opened,) = (line for line in (home / "openings.jsonl").read_text().splitlines() if '"opened"' in line)
    assert result.facts["opening"]["id"] == json.loads(opened)["id"]


def test_the_command_makes_the_same_study(home: Path, tmp_path: Path, result: object) -> None:
    words = ["TRIALS=2", "SEEDS=2", "CONFIRM=3", "SPLITS=0", "space.epochs.high=12", "OPEN=1"]
    assert cli(tmp_path, "study", *words) == 0
    assert digest(tmp_path) == digest(home)


def test_it_works_in_a_thread_and_leaves_the_handlers_alone(
    tmp_path: Path, home: Path, result: object
) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    results: list[object] = []
    thread = threading.Thread(
        target=lambda: results.append(run_study(home=tmp_path, open_test=True, progress=False, **FEW))
    )
    thread.start()
    thread.join()
    assert results
    assert digest(tmp_path) == digest(home)
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_silence_is_silent_and_a_script_sees_progress(
    home: Path, result: object, capfd: pytest.CaptureFixture
) -> None:
    run_study(home=home, open_test=True, progress=False, **FEW)
    assert capfd.readouterr() == ("", "")
    run_study(home=home, open_test=True, **FEW)
    assert "confirm: 3 of 3" in capfd.readouterr().err


def test_stopped_and_continued_equals_undisturbed(tmp_path: Path, home: Path, result: object) -> None:
    call = f"handnet.run_study(home={str(tmp_path / 'home')!r}, open_test=True, **{FEW!r})"
    script = f"""
import os, signal, handnet
from handnet.study.search import Search
signal.signal(signal.SIGINT, signal.default_int_handler)  # a script in the background may ignore it
before, tell = signal.getsignal(signal.SIGINT), Search.tell
def interrupted(*values, **facts):
    tell(*values, **facts)
    os.kill(os.getpid(), signal.SIGINT)
Search.tell = interrupted
try:
    {call}
except KeyboardInterrupt as stop:
    print(stop, signal.getsignal(signal.SIGINT) is before)
Search.tell = tell
print({call}.name)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True, timeout=300
    )
    assert "the same call goes on from here. True" in done.stdout
    assert "Traceback" not in done.stderr
    assert digest(tmp_path / "home") == digest(home)


def test_a_table_in_memory_is_the_study_of_its_content(tmp_path: Path) -> None:
    from_frame = run_study(frame(), home=tmp_path / "frame", progress=False, **OWN, **FEW)
    again = run_study(frame(), home=tmp_path / "frame", progress=False, **OWN, **FEW)
    assert again.name == from_frame.name
    assert len(list((tmp_path / "frame" / "tables").iterdir())) == 1
    path = tmp_path / "own.csv"
    frame().to_csv(path, index=False)
    from_file = run_study(path, home=tmp_path / "file", progress=False, **OWN, **FEW)
    assert from_file.facts["fingerprint"] == from_frame.facts["fingerprint"]
    assert from_file.facts["bands"] == from_frame.facts["bands"]
    assert cli(tmp_path / "frame", "report", f"NAME={from_frame.name}") == 0
    assert cli(tmp_path / "frame", "case", f"NAME={from_frame.name}", "ID=p7") == 0
    changed = frame()
    changed.iloc[3, 1] += 1
    assert run_study(changed, home=tmp_path / "frame", progress=False, **OWN, **FEW).name != from_frame.name


def test_a_dataset_is_the_study_of_its_content(home: Path, result: handnet.study.api.StudyResult) -> None:
    same = run_study(wisconsin(), home=home, open_test=True, progress=False, **FEW)
    assert same.report == result.report
    data = wisconsin()
    own = Dataset(
        "half",
        data.X[:, :3],
        data.y,
        data.case_ids,
        data.feature_names[:3],
        ("a", "b", "c"),
        ("no", "yes"),
        groups=np.arange(len(data.y)) // 2,
    )
    from handnet.study.frames import as_file
    from handnet.tables.dataset import read_table

    path, options = as_file(own, home, {})
    read = read_table(path, options["target"], options["positive"], options["id"], group=options["group"])
    assert np.array_equal(read.X, own.X)
    assert np.array_equal(read.y, own.y)
    assert np.array_equal(read.groups, own.groups)
    assert read.case_ids.tolist() == own.case_ids.astype(str).tolist()


def test_a_dataset_is_kept_whole(tmp_path: Path) -> None:
    """Columns that would be left out of a file, or read in another way, are what the Dataset says."""
    from handnet.study.arguments import to_settings
    from handnet.study.frames import as_file
    from handnet.study.reading import load, read

    X = np.column_stack([np.arange(40.0), np.full(40, np.nan), np.arange(40) % 3, np.arange(40) * 0.5])
    names, levels = ("row", "nothing", "code", "x"), {"code": ("007", "1", "NA")}
    y = np.arange(40) % 2
    own = Dataset("own", X, y, [f"p{n}" for n in range(40)], names, names, ("0", "1"), levels, "median")
    path, options = as_file(own, tmp_path, {})
    settings = read(to_settings(path, options))
    assert load(settings).digest == own.digest
    path, options = as_file(own, tmp_path, {"leave": ["row", "code"]})
    assert load(read(to_settings(path, options))).feature_names == ("nothing", "x")
    with pytest.raises(Refusal, match="a Dataset knows its columns, labels and ids; leave text out"):
        as_file(own, tmp_path, {"text": ["code"]})


@pytest.mark.parametrize("names", [("low", "mid", "high"), ("10", "5", "1"), ()])
def test_a_dataset_of_another_task_is_kept_whole(names: tuple[str, ...], tmp_path: Path) -> None:
    from handnet.study.arguments import to_settings
    from handnet.study.frames import as_file
    from handnet.study.reading import load, read

    y = np.arange(40) % 3 if names else np.random.default_rng(1).normal(size=40) * 1e5
    target = "" if names else "weight (g)"
    own = Dataset(
        "own", y[:, None] * 2.5, y, [f"p{n}" for n in range(40)], ("x",), ("x",), names, target=target
    )
    path, options = as_file(own, tmp_path, {})
    assert load(read(to_settings(path, options))).digest == own.digest
    with pytest.raises(Refusal, match="knows its columns, labels and ids; leave task out"):
        as_file(own, tmp_path, {"task": "number"})


def test_a_built_in_table_is_studied_by_its_name() -> None:
    from handnet.study.arguments import to_settings

    for name in ("wine", "digits", "diabetes"):
        assert to_settings(name, {}) == {"data.name": name}
    assert to_settings("wine.csv", {"target": "y"}) == {"data.path": "wine.csv", "data.target": "y"}


def test_columns_of_a_frame_are_left_out_or_taken_as_text(tmp_path: Path) -> None:
    table = frame().assign(**{"1": range(569), "note, long": [f"n{n}" for n in range(569)]})
    with pytest.raises(Refusal, match="'note, long'  text of 569 levels") as refusal:
        run_study(table, home=tmp_path, progress=False, **OWN, **FEW)
    command = refusal.value.lines[-1].removeprefix("To go on: ")
    call = {"run_study": lambda **given: given, "frame": table}
    asked = eval(command, call)
    assert asked == {"data": table, "home": str(tmp_path), "leave": ["note, long"], **OWN, **FEW}
    facts = run_study(progress=False, **asked).facts
    assert facts["data"]["inputs"] == 6  # four numbers, one of them with gaps, and a text of two levels
    (told,) = (note for note in facts["data"]["notes"] if "row" in note and "'1'" in note)
    assert told == ("Left out, because they number the rows: '1'; number=\"1\" keeps it as a measurement.")


def test_a_dataset_keeps_its_own_families(tmp_path: Path) -> None:
    data = wisconsin()
    families = ("a 'b' \\ \"c\"", "d", "a 'b' \\ \"c\"")
    names = ("size \\", 'an "edge"', "it's")
    own = Dataset("own", data.X[:, :3], data.y, data.case_ids.astype("U"), names, families, ("no", "yes"))
    study = run_study(own, home=tmp_path, progress=False, **FEW)
    from handnet.study.outcome import StoredStudy
    from handnet.study.screen import Clock, Screen

    stored = StoredStudy(tmp_path, Clock(0.0), Screen(quiet=True), study.name)
    stored.read()
    assert stored.problem.data.families == families
    assert stored.problem.data.digest == own.digest


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        ({"mlruns": "m3"}, "mlruns is no argument of run_study: did you mean home?"),
        ({"tirals": 2}, "tirals is no argument of run_study: did you mean trials?"),
        ({"space.epochs.hihg": 2}, "space.epochs.high"),
        ({"seeds": 1}, "search.seeds must be a whole number from 2"),
        ({"data": "no.csv", "target": "a", "positive": "b"}, "no.csv"),
        ({"data": 7}, "data must be a DataFrame"),
        ({"name": "../up"}, "name must be up to 60 letters"),
        ({"server": "sqlite:///x"}, "must be the address of an MLflow server"),
        ({"server": "ftp://x"}, "server must be the address"),
        ({"data": "wisconsn"}, "no built-in table of the name 'wisconsn': did you mean wisconsin?"),
        (
            {"settings": {"search": {}}},
            "settings must be the path of a settings file, but is of the type dict",
        ),
        ({"data": frame()}, 'run_study(frame, target="diagnosis", positive="M")'),
        ({"data": frame()}, "a DataFrame needs the name of the column that is to be told"),
        ({"data": frame(), "target": "diagnosis"}, 'To go on: run_study(data=frame, target="diagnosis", pos'),
        ({"data": frame(), "target": frame().diagnosis, "positive": "M"}, "but is of the type Series."),
        ({"data": frame().assign(z=1j), **OWN}, "the DataFrame cannot be written as a table"),
        ({"data": frame(), **OWN, "seeds": 1}, "search.seeds must be a whole number from 2"),
        ({"data": frame(), **OWN, "target": "diagnose"}, "did you mean 'diagnosis'?"),
        ({"data": frame(), **OWN, "name": "../up"}, "name must be up to 60 letters"),
        ({"data": frame(), **OWN, "home": "/proc/none"}, "the folder /proc/none cannot be written"),
    ],
)
def test_what_cannot_be_made_is_refused_in_one_sentence(
    tmp_path: Path, call: dict[str, object], sentence: str
) -> None:
    with pytest.raises(Refusal) as refusal:
        run_study(**{"home": tmp_path / "home", "progress": False, **call})
    assert sentence in str(refusal.value)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_file_that_was_there_before_stays_when_a_call_is_refused(tmp_path: Path) -> None:
    from handnet.study.frames import as_file

    path, _ = as_file(frame(), tmp_path, OWN)
    with pytest.raises(Refusal):
        run_study(frame(), home=tmp_path, progress=False, **{**OWN, "target": "diagnose"})
    assert Path(path).exists()


def test_a_table_in_memory_is_named_by_its_content_alone(tmp_path: Path) -> None:
    from handnet.study.frames import as_file

    table = frame()
    described = table.copy()
    described.attrs["source"] = "clinic"
    other_text = table.astype({"side": pd.ArrowDtype(pa.large_string())})
    short_text = table.astype({"side": pd.ArrowDtype(pa.string())})
    names = {as_file(same, tmp_path, {})[0] for same in (table, described, other_text, short_text)}
    assert len(names) == 1
    assert as_file(table.rename(columns={"side": "edge"}), tmp_path, {})[0] not in names
    assert as_file(table.iloc[::-1], tmp_path, {})[0] not in names
    assert as_file(table.assign(side=1), tmp_path, {})[0] not in names


def test_numbers_and_arrays_of_numpy_are_taken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    chosen: dict[str, str] = {}
    monkeypatch.setattr(
        "handnet.study.api.prepare_study", lambda texts, *_: chosen.update(texts) or FakeStudy(lambda: None)
    )
    values = {"trials": np.int64(3), "network.hidden": np.array([8, 4]), "split_seed": np.array(5)}
    families = {"size": np.array(["a", "b"])}
    run_study(
        "own.csv",
        target="y",
        positive=np.bool_(True),
        home=tmp_path,
        progress=False,
        families=families,
        **values,
    )
    assert chosen["search.trials"] == "3"
    assert chosen["network.hidden"] == "[8, 4]"
    assert chosen["split.seed"] == "5"
    assert chosen["data.positive"] == "true"
    assert chosen["families"] == '{"size" = ["a", "b"]}'


class FakeStudy:
    """Stands in for a study: `run` is what a test wants to happen meanwhile."""

    name, publisher, folder = "fake", None, Path("reports")

    def __init__(self, run: Callable[[], object]) -> None:
        self.meanwhile, self.tracking = run, SimpleNamespace(status=[])

    def run(self) -> dict[str, object]:
        self.meanwhile()
        return {}


def run_instead(monkeypatch: pytest.MonkeyPatch, run: Callable[[], object]) -> None:
    monkeypatch.setattr("handnet.study.api.prepare_study", lambda *_: FakeStudy(run))


def test_the_environment_is_given_back(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from handnet.study.targets import server

    for name in ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_HTTP_REQUEST_TIMEOUT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MLFLOW_RUN_CONTEXT", "mine")
    monkeypatch.setenv("MLFLOW_ENABLE_ASYNC_LOGGING", "true")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "7")
    before, during = dict(os.environ), {}

    def run() -> None:
        during.update(os.environ)
        assert "secret" not in repr(server("http://me:secret@127.0.0.1:5000", ""))
        assert os.environ["MLFLOW_TRACKING_PASSWORD"] == "secret"
        os.environ["KERAS_BACKEND"] = "jax"

    run_instead(monkeypatch, run)
    for _ in range(2):
        run_study(home=tmp_path, progress=False)
        assert dict(os.environ) == before
        assert "MLFLOW_RUN_CONTEXT" not in during
        assert during["MLFLOW_ENABLE_ASYNC_LOGGING"] == "false"
        assert during["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] == "7"
        assert during["MLFLOW_HTTP_REQUEST_TIMEOUT"] == "10"
    run_instead(monkeypatch, lambda: os.environ.update(MLFLOW_TRACKING_PASSWORD="secret") or 1 / 0)
    with pytest.raises(ZeroDivisionError):
        run_study(home=tmp_path, progress=False)
    assert dict(os.environ) == before


def test_autologging_is_off_while_it_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import mlflow
    from sklearn.linear_model import LogisticRegression

    data = wisconsin()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'own.db'}")
    mlflow.sklearn.autolog(log_models=False, log_datasets=False, silent=True)
    try:
        with mlflow.start_run() as active:
            run_instead(monkeypatch, lambda: LogisticRegression().fit(data.X[:, :1], data.y))
            run_study(home=tmp_path, progress=False)
            assert not mlflow.get_run(active.info.run_id).data.params
            LogisticRegression().fit(data.X[:, :1], data.y)
            assert mlflow.get_run(active.info.run_id).data.params
    finally:
        mlflow.sklearn.autolog(disable=True)


def test_the_runs_of_a_caller_get_nothing_of_a_study(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A real study inside a run of its caller's, who logs everything by himself, and goes on doing so."""
    import mlflow
    from sklearn.linear_model import LogisticRegression

    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'own.db'}")
    before = LogisticRegression.fit
    mlflow.sklearn.autolog(log_models=False, log_datasets=False, silent=True)
    wrapped = LogisticRegression.fit
    assert wrapped is not before
    levels = {name: logging.getLogger(name).level for name in ("mlflow", "urllib3")}
    try:
        with mlflow.start_run() as active:
            mlflow.log_metric("mine", 1.0)
            run_study(home=tmp_path / "home", progress=False, **FEW)
            data = mlflow.get_run(active.info.run_id).data
            assert (data.params, data.metrics) == ({}, {"mine": 1.0})
            assert len(mlflow.search_runs(search_all_experiments=True)) == 1
            assert LogisticRegression.fit is wrapped
            assert {name: logging.getLogger(name).level for name in levels} == levels
            LogisticRegression().fit(wisconsin().X[:, :1], wisconsin().y)
            assert mlflow.get_run(active.info.run_id).data.params
    finally:
        mlflow.sklearn.autolog(disable=True)


def test_ctrl_c_at_the_very_end_is_not_lost(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    interrupts = []

    def prepare(*request: object) -> FakeStudy:
        interrupts.append(next(one for one in request if isinstance(one, Interrupt)))
        return FakeStudy(lambda: interrupts[0]._note(signal.SIGINT, None))

    monkeypatch.setattr("handnet.study.api.prepare_study", prepare)
    with pytest.raises(KeyboardInterrupt, match="all of it is kept"):
        run_study(home=tmp_path, progress=False)


@pytest.mark.parametrize(("step", "next_step"), [("analyse", "report")])
def test_ctrl_c_is_obeyed_before_the_last_steps(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, step: str, next_step: str
) -> None:
    from handnet.study.study import Study

    steps = ("search", "freeze", "confirm", "open", "resplit", "grade", "commit", "analyse")
    for name in (*steps, "report"):
        monkeypatch.setattr(Study, name, lambda *_, **__: None)
    monkeypatch.setattr(Study, "_store", lambda study: study.interrupt)
    monkeypatch.setattr(Study, step, lambda study, *_: study.interrupt._note(signal.SIGINT, None))
    monkeypatch.setattr(Study, next_step, lambda *_: pytest.fail("it went on"))
    with pytest.raises(KeyboardInterrupt, match="goes on from here"):
        run_study(home=tmp_path, progress=False)


@pytest.mark.parametrize("digits", ["9" * 5000, "0x" + "f" * 5000])
def test_a_number_of_thousands_of_digits_is_refused(tmp_path: Path, digits: str) -> None:
    file = tmp_path / "own.toml"
    file.write_text(f"[search]\nseeds = {digits}\n")
    for call in ({"settings": file}, {"seeds": digits}, {"space.epochs.high": digits}):
        with pytest.raises(Refusal) as refusal:
            run_study(home=tmp_path, progress=False, **call)
        assert len(str(refusal.value)) < 500
    assert cli(tmp_path, "study", f"SEEDS={digits}") == 2


def python(code: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT)


def test_without_the_packages_it_says_what_to_install(tmp_path: Path) -> None:
    done = python(
        f"import sys, handnet; sys.modules['optuna'] = None; handnet.run_study(home={str(tmp_path)!r})"
    )
    assert done.returncode == 1
    assert (
        'a study needs optuna, which is not installed; pip install "handnet[study]" adds it.' in done.stderr
    )


def test_the_import_stays_light() -> None:
    done = python(
        "import sys, handnet; dir(handnet); print([n for n in ('numpy', 'mlflow') if n in sys.modules])"
    )
    assert done.stdout.strip() == "[]"
