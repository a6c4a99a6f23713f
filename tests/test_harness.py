"""The harness part by part: settings, stores, ledger, pages, command line."""

import json
import multiprocessing
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handnet import Dataset, Recipe, load_backend
from handnet.splits import Split
from handnet.study import store as stores
from handnet.study.messages import Refusal
from handnet.study.reading import from_stored, read
from handnet.study.records import Records
from handnet.study.sealed import Ledger, opening_id
from handnet.study.search import PARAMS, sobol_point
from handnet.study.settings import to_stored
from handnet.study.summary import curve_band, curve_epochs, score_quantities
from handnet.study.units import BackendSettings, Problem, Replicas, concatenate

ROOT = Path(__file__).parent.parent

# Settings


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        ({"search.trails": "3"}, "search.trails is not a setting: did you mean search.trials"),
        ({"search.trials": "many"}, "search.trials.tpe must be a whole number, but is 'many'"),
        ({"search.trials": "0"}, "search.trials must be a whole number from 1"),
        ({"search.seeds": "1"}, "one seed is no band"),
        ({"confirm.seeds": "1"}, "one seed is no band"),
        (
            {"search.design": "sobol", "search.trials": "33"},
            "needs a power of two of trials, but got 33; try 32 or 64",
        ),
        ({"search.design": "grid"}, "search.design must be one of tpe, sobol"),
        ({"confirm.first_seed": "5"}, "5..104 overlaps the search seeds 0..9"),
        ({"confirm.first_seed": "4294967295"}, "the last seed must be at most"),
        ({"space.dropout.high": "1"}, "space.dropout must lie within 0 and 1"),
        ({"space.learning_rate.low": "0"}, "space.learning_rate.low must be above 0"),
        ({"space.learning_rate.low": "nan"}, "must be a finite number"),
        ({"space.epochs.low": "0"}, "space.epochs must lie within 1"),
        ({"space.epochs.low": "10.5"}, "whole ends"),
        ({"space.dropout.low": "0.6"}, "low <= high"),
        ({"backend.name": "kreas"}, "backend.name must be one of compiled, numpy, keras"),
        ({"backend.dtype": "float16"}, "float32, float64"),
        ({"backend.device": "tpu"}, "auto, cpu, gpu"),
        ({"backend.draws": "dice"}, "seeded, counted"),
        ({"network.optimizer": "adams"}, "adam, sgd"),
        ({"network.hidden": "16"}, "network.hidden must be a list"),
        ({"network.batch_size": "0"}, "batch_size must be a whole number of at least 1"),
        ({"split.stratify": "maybe"}, "split.stratify must be true or false"),
        ({"split.order": "sideways"}, "test-first, rest-first"),
        ({"data.name": "wisconson"}, "data.name must be one of wisconsin"),
    ],
)
def test_bad_settings_are_refused_in_one_sentence(overrides: dict[str, str], sentence: str) -> None:
    with pytest.raises(Refusal, match=sentence) as refusal:
        read(overrides)
    assert refusal.value.code == 2


def test_all_faults_are_named_at_once() -> None:
    with pytest.raises(Refusal, match=r"search\.seeds.*space\.dropout"):
        read({"search.seeds": "1", "space.dropout.high": "2"})


def test_a_settings_file_is_read_or_refused(tmp_path: Path) -> None:
    default = (ROOT / "handnet" / "study" / "default.toml").read_text()
    path = tmp_path / "mine.toml"
    for text, sentence in [
        (default.replace("dropout = 0.3", "dropuot = 0.3"), "dropuot is not a setting: did you mean dropout"),
        (
            default.replace("[confirm]\nseeds = 100", "[confirm]\nseeds = 'x'"),
            "confirm.seeds must be a whole number",
        ),
        ("[data", "cannot be read as TOML"),
        ("", "data is missing"),
        (default.replace('name = "chapter second"', 'name = "winner"'), "none of winner"),
    ]:
        path.write_text(text)
        with pytest.raises(Refusal, match=sentence):
            read({}, path)
    with pytest.raises(Refusal, match="does not exist"):
        read({}, tmp_path / "none.toml")


def test_settings_survive_the_store() -> None:
    settings = read(
        {"search.trials": "64", "search.design": "sobol", "network.hidden": "[3, 2]", "split.stratify": "0"}
    )
    assert from_stored(to_stored(settings)) == settings
    assert (settings.trials, settings.network.hidden, settings.split.stratify) == (64, (3, 2), False)
    with pytest.raises(Refusal, match="another version"):
        from_stored("{}")


# Search


def test_the_sobol_design_fills_the_space() -> None:
    settings = read({"search.design": "sobol"})
    points = [sobol_point(settings, place) for place in range(32)]
    assert points == [sobol_point(settings, place) for place in range(32)]
    for name in PARAMS:
        space = getattr(settings.space, name)
        values = np.array([point[name] for point in points])
        assert ((values >= space.low) & (values <= space.high)).all()
        unit = (
            np.log(values / space.low) / np.log(space.high / space.low)
            if space.log
            else (values - space.low) / (space.high - space.low)
        )
        assert (
            np.histogram(unit, 4, (0, 1))[0] == 8
        ).all()  # a net: every quarter of every axis holds its share
    assert all(isinstance(point["epochs"], int) for point in points)


def test_a_logarithmic_axis_is_logarithmic_for_epochs_too() -> None:
    settings = read(
        {
            "search.design": "sobol",
            "space.epochs.log": "true",
            "space.epochs.low": "10",
            "space.epochs.high": "1000",
        }
    )
    epochs = [sobol_point(settings, place)["epochs"] for place in range(32)]
    assert 12 <= sum(value <= 100 for value in epochs) <= 20


# Workers


@pytest.fixture(scope="module")
def problem(data: Dataset, parts: Split) -> Problem:
    return Problem(
        data, parts, load_backend("numpy"), BackendSettings("numpy", "float32", "", "auto", "seeded")
    )


def test_replicas_survive_the_disk_and_come_together_again(problem: Problem) -> None:
    whole = problem.fit(Recipe(epochs=2), [5, 3, 4])
    parts = [Replicas.from_npz(whole.one(index).to_npz()) for index in (2, 0, 1)]
    again = concatenate(parts)
    assert again.seeds == (3, 4, 5)
    order = [1, 2, 0]
    assert np.array_equal(again.val_logits, whole.val_logits[order])
    for one, other in zip(again.fit.layers, whole.fit.layers, strict=True):
        assert np.array_equal(one.weight, other.weight[order])
    assert np.array_equal(again.fit.val_loss, whole.fit.val_loss[order])


def test_a_configuration_is_named_by_all_that_decides_its_results(problem: Problem, data: Dataset) -> None:
    names = {
        problem.config_id(recipe)
        for recipe in (Recipe(), Recipe(dropout=0.21), Recipe(epochs=51), Recipe(patience=3))
    }
    other = Problem(
        data, problem.parts, problem.backend, BackendSettings("numpy", "float64", "", "auto", "seeded")
    )
    assert len(names | {other.config_id(Recipe())}) == 5
    assert problem.config_id(Recipe(hidden=[16, 8])) == problem.config_id(Recipe())


def test_a_compiled_backend_gets_whole_stacks_again(problem: Problem) -> None:
    seeds = list(range(120))
    assert problem.stacks(seeds, [7, 60]) == [[7, 60]]
    assert problem.stacks(seeds, []) == []
    compiled = replace(problem, spec=BackendSettings("keras", "float32", "", "auto", "seeded"))
    assert compiled.stacks(seeds, [7]) == [seeds[:50]]
    assert compiled.stacks(seeds, [60, 119]) == [seeds[50:100], seeds[100:]]


def test_a_diverged_seed_does_not_spoil_the_model(problem: Problem) -> None:
    whole = problem.fit(Recipe(epochs=2), [1, 2, 3])
    weights = whole.fit.layers[0].weight.copy()
    weights[1] = np.nan
    layers = (whole.fit.layers[0]._replace(weight=weights), *whole.fit.layers[1:])
    ill = replace(whole, fit=whole.fit._replace(layers=layers, diverged_at=np.array([-1, 1, -1])))
    records = Records("x", "f", read({}), problem)
    assert np.isfinite(records.model(ill).prediction).all(axis=None)
    assert records.model(ill).prediction.equals(records.model(whole.pick([0, 2])).prediction)


def test_curves_are_thinned_evenly_and_keep_their_ends() -> None:
    assert curve_epochs(7).tolist() == [1, 2, 3, 4, 5, 6, 7]
    long = curve_epochs(150)
    assert (long[0], long[-1], len(long)) == (1, 150, 30)
    mean, low, high = curve_band(np.array([[1.0, 2], [3, 4], [np.nan, 1]])).values()
    assert mean.tolist() == [2, 3]
    assert (low < high).all()
    assert np.isnan(curve_band(np.array([[1.0], [np.nan]]))["mean"]).all()


def test_too_few_finite_replicas_give_no_band() -> None:
    assert score_quantities(np.array([[1.0, -1], [np.nan, 0]]), np.array([1, 0]), "val") == []


# Stores


def test_a_file_is_written_whole(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "file"
    stores.write_whole(path, b"one")
    stores.write_whole(path, b"two")
    assert path.read_bytes() == b"two"
    assert list(path.parent.iterdir()) == [path]


def test_several_may_write_one_file(tmp_path: Path) -> None:
    code = (
        "from pathlib import Path; from handnet.study.store import write_whole\nfor _ in range(100):"
        f" write_whole(Path({str(tmp_path / 'page')!r}), b'x' * 9999)"
    )
    writers = [subprocess.Popen([sys.executable, "-c", code], cwd=ROOT) for _ in range(3)]
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    assert [path.name for path in tmp_path.iterdir()] == ["page"]


def test_a_lock_names_its_holder_even_when_it_has_just_been_taken(tmp_path: Path) -> None:
    lock = tmp_path / ".lock"
    gone = subprocess.Popen(["true"])
    gone.wait()
    lock.write_text(str(gone.pid))  # left by one that was killed
    code = (
        f"import fcntl, os, time; file = open({str(lock)!r}, 'r+'); fcntl.flock(file, fcntl.LOCK_EX);"
        " print(flush=True); time.sleep(.3); file.truncate(0); file.write(str(os.getpid())); file.flush();"
        " time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as holder:
        assert holder.stdout
        holder.stdout.readline()
        with pytest.raises(Refusal, match=rf"\(process {holder.pid}\)"), stores.locked(tmp_path):
            pass
        holder.kill()


@given(cut=st.integers(1, 12))
def test_a_line_cut_short_is_dropped(tmp_path: Path, cut: int) -> None:
    path = tmp_path / f"lines{cut}"
    path.unlink(missing_ok=True)
    stores.append_line(path, "first")
    with path.open("ab") as file:
        file.write(b"second line\n"[:cut])
    whole = ["first"] if cut < 12 else ["first", "second line"]
    assert stores.whole_lines(path) == whole
    stores.append_line(path, "third")
    assert stores.whole_lines(path) == [*whole, "third"]


def test_a_database_that_is_held_is_not_called_broken(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("CREATE TABLE t (x)")
    holder.execute("BEGIN EXCLUSIVE")
    try:
        with pytest.raises(Refusal, match="held by another program; try again") as refusal:
            stores.check_sound(path)
        assert refusal.value.code == 75
    finally:
        holder.close()


def test_the_log_of_a_deleted_database_does_not_come_back(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    code = (
        f"import sqlite3, os; d = sqlite3.connect({str(path)!r}); d.execute('PRAGMA journal_mode=WAL');"
        " d.execute('CREATE TABLE old (a)'); d.commit(); os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert path.with_name("x.db-wal").stat().st_size
    path.unlink()

    def build(uri: str) -> None:
        db = sqlite3.connect(uri.removeprefix("sqlite:///"))
        db.execute("CREATE TABLE fresh (a)")
        db.commit()
        db.close()

    stores.create_database(path, build)
    db = sqlite3.connect(path)
    assert db.execute("SELECT name FROM sqlite_master").fetchall() == [("fresh",)]
    db.close()


def test_a_database_that_is_none_is_left_as_it_is(tmp_path: Path) -> None:
    for content in (b"", b"not a database at all, just text" * 99):
        path = tmp_path / "x.db"
        path.write_bytes(content)
        with pytest.raises(Refusal, match="is not a sound database"):
            stores.create_database(path, lambda _: None)
        assert path.read_bytes() == content


def hold(
    home: str, ready: "multiprocessing.synchronize.Event", leave: "multiprocessing.synchronize.Event"
) -> None:
    with stores.locked(Path(home)):
        ready.set()
        leave.wait(30)


def test_one_writer_at_a_time(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    ready, leave = context.Event(), context.Event()
    holder = context.Process(target=hold, args=(str(tmp_path), ready, leave))
    holder.start()
    assert ready.wait(30)
    with pytest.raises(Refusal, match=f"process {holder.pid}") as refusal, stores.locked(tmp_path):
        pass
    assert refusal.value.code == 75
    holder.kill()
    holder.join()
    with stores.locked(tmp_path):
        pass


# Ledger


def test_distinct_openings_are_counted_and_repeats_are_not(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    facts = {"trials": 40, "seeds": 100, "data": "d", "cases": ["1", "2"]}
    first = ledger.recorder("a", "f1", ["c1", "c2"], **facts)
    assert first("rows").ordinal == first("rows").ordinal == 1
    assert ledger.recorder("a", "f1", ["c2", "c1"], **facts)("rows").id == first("rows").id
    assert ledger.recorder("b", "f2", ["c1"], **facts)("rows").ordinal == 2
    assert ledger.recorder("c", "f3", ["c1"], **facts | {"cases": ["2", "3"]})("other rows").ordinal == 1
    assert [one.seen_before for one in ledger.openings()] == [0, 2, 1]
    assert ledger.total("rows") == 2
    ledger.graded(first("rows"))
    ledger.graded(first("rows"))
    events = [json.loads(line)["event"] for line in (tmp_path / "openings.jsonl").read_text().splitlines()]
    assert events == ["opened", "opened", "opened", "graded"]
    assert ledger.of_study("f2").study == "b"
    # The same table under another name is the same table, and so is another under the same name.
    known = facts | {"table": "digest"}
    assert (
        ledger.recorder("d", "f4", ["c1"], **known | {"data": "e", "cases": ["7", "8"]})("e rows").seen_before
        == 0
    )
    assert (
        ledger.recorder("e", "f5", ["c1"], **known | {"data": "g", "cases": ["8", "9"]})("g rows").seen_before
        == 1
    )
    assert (
        ledger.recorder("f", "f6", ["c1"], **known | {"table": "z", "cases": ["1", "9"]})(
            "d rows"
        ).seen_before
        == 1
    )
    assert ledger.of_study("f9") is None
    assert opening_id("rows", ["c1"], "f") != opening_id("rows", ["c1"], "g")
