"""The seal of the test and the ledger of its openings."""

import json
import re
import shlex
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from canonical import report
from studies import FEW, SMALL, TINY, cli

from handnet import Dataset, Table, split
from handnet.cli import main
from handnet.data import DATASETS
from handnet.draws import generator
from handnet.splits import SealedTest, Split
from handnet.study.identity import large_enough
from handnet.study.reading import read
from handnet.study.sealed import Ledger, opening_id


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


@pytest.mark.parametrize("what", ["noise", "permuted"])
def test_sealed_rows_decide_nothing_before_the_opening(
    tmp_path: Path, unopened: Path, data: Dataset, parts: Split, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sealed measurements replaced, ids and labels kept: everything the study wrote is equal to the bit."""
    X, draws = data.X.copy(), generator(3, 0)
    X[parts.test_rows] = (
        draws.normal(1e3, 1e4, (114, 30)) if what == "noise" else X[draws.permutation(parts.test_rows)]
    )
    monkeypatch.setitem(DATASETS, "wisconsin", lambda: replace(data, X=X))
    other = tmp_path / "other"
    assert cli(other, "study", *SMALL) == 0
    # The digest of the data is part of every id; nothing else may differ.
    points = [
        [{**json.loads(line), "config_id": ""} for line in path.read_text().splitlines()]
        for home in (unopened, other)
        for path in (home / "studies").glob("*/trials.jsonl")
    ]
    assert points[0] == points[1]
    for kind, count in (("network", 4 + 3), ("val", 3)):
        results = [
            sorted(path.read_bytes() for path in (home / "studies").glob(f"*/{kind}/**/*.npz"))
            for home in (unopened, other)
        ]
        assert results[0] == results[1]
        assert len(results[0]) == count
    facts = [
        {
            key: value
            for key, value in report(home).items()
            if key in ("bands", "missed", "statements", "watched")
        }
        for home in (unopened, other)
    ]
    assert facts[0] == facts[1]
    assert not (other / "openings.jsonl").exists()


def test_a_small_study_leaves_the_test_sealed(
    sealed: Path, capsys: pytest.CaptureFixture, parts: Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = report(sealed)
    assert facts["opening"] is None
    assert not any(band["part"] == "test" for band in facts["bands"])
    assert not list((sealed / "studies").glob("*/test"))
    name = next((sealed / "reports").iterdir()).name
    case = int(parts.test_rows[0])
    assert cli(sealed, "case", f"ID={case}", f"NAME={name}") == 0
    out = capsys.readouterr().out
    assert "test part" in out
    assert "sealed" in out
    assert "score" not in out.split("sealed")[0]
    # Opened later, it is the same study, and the ledger says so before a row is handed out.
    hand_out = SealedTest.open

    def after_the_line(test: SealedTest, record: Callable) -> Table:
        rows = hand_out(test, record)
        assert '"opened"' in (sealed / "openings.jsonl").read_text()
        return rows

    monkeypatch.setattr(SealedTest, "open", after_the_line)
    assert cli(sealed, "study", *SMALL, "OPEN=1") == 0
    assert cli(sealed, "case", f"ID={case}", f"NAME={name}") == 0
    assert "called wrong by" in capsys.readouterr().out
    assert (
        len(list((sealed / "studies").glob("*/test/*/*.npz"))) == 6
    )  # three recipes, three methods without a seed


def test_other_openings_are_counted(tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    shutil.copy(tiny / "openings.jsonl", tmp_path)
    assert cli(tmp_path, "study", *TINY, "search.study_seed=8", "OPEN=1") == 0
    assert "this was opening 2 of these rows in this folder's ledger (2 so far" in capsys.readouterr().out
    assert report(tmp_path)["opening"]["ordinal"] == 2
    assert report(tiny)["opening"]["ordinal"] == 1


@pytest.mark.long
def test_the_same_patients_under_another_scaler_are_the_same_test(tmp_path: Path, data: Dataset) -> None:
    one, two, other = split(data), split(data, val=0.3), split(data, seed=8)
    assert one.test.digest == two.test.digest != other.test.digest
    words = [*FEW, "TRIALS=1", "rehearsal.seeds=2", "rehearsal.levels=2", "OPEN=1"]
    assert cli(tmp_path, "study", *words) == 0
    assert cli(tmp_path, "study", *words, "split.val=0.3") == 0
    assert cli(tmp_path, "study", *words, "split.seed=8") == 0
    openings = Ledger(tmp_path).openings()
    assert [one.ordinal for one in openings] == [1, 2, 1]
    shared = len(set(one.test.case_ids.tolist()) & set(other.test.case_ids.tolist()))
    assert [one.seen_before for one in openings] == [0, 114, shared]
    assert 0 < shared < 114
    assert cli(tmp_path, "study", *words, "SPLITS=2") == 0  # a rehearsal reads every row
    assert cli(tmp_path, "study", *words, "SPLITS=0", "split.seed=9") == 0
    assert Ledger(tmp_path).openings()[-1].seen_before == 114


def test_a_study_under_its_own_name_is_found_without_naming_it(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    assert cli(tmp_path, "study", "TRIALS=1", "CONFIRM=3", "OPEN=1", "SPLITS=0") == 0
    hint = re.search(r"make (case ID=\d+ MLRUNS=\S+)\n", capsys.readouterr().out)[1]
    assert main(shlex.split(hint)) == 0
    assert cli(tmp_path, "report") == 0
    facts = report(tmp_path)
    assert (facts["study"], facts["settings"]["trials"], facts["settings"]["confirmation_seeds"]) == (
        "wisconsin",
        1,
        3,
    )


def test_cleaning_takes_what_studies_wrote_and_nothing_else(
    tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    shutil.copytree(tiny, tmp_path, dirs_exist_ok=True)
    for name in (
        "thesis.tex",
        "claims/mine.txt",
        "walk/walk.html",
        "claims/claims.html",
        "claims/.claims.json.new",
        "bench/bench.svg",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("mine, or a page of ours")
    ledger = (tmp_path / "openings.jsonl").read_bytes()
    capsys.readouterr()
    assert main(["clean", "--mlruns", str(tmp_path)]) == 0
    removed = "bench, claims, reports, studies, tracking, walk"
    assert capsys.readouterr().out == f"Removed from {tmp_path}: {removed}.\n"
    assert main(["clean", "--mlruns", str(tmp_path)]) == 0
    assert capsys.readouterr().out == f"{tmp_path} holds nothing to remove.\n"
    assert {path.name for path in tmp_path.iterdir()} == {"thesis.tex", "openings.jsonl", ".lock", "claims"}
    assert [path.name for path in (tmp_path / "claims").iterdir()] == ["mine.txt"]
    # The same opening, so nothing is opened anew.
    assert cli(tmp_path, "study", *TINY) == 0
    assert (tmp_path / "openings.jsonl").read_bytes() == ledger
    assert report(tmp_path)["opening"]["ordinal"] == 1


def test_after_the_opening_nothing_grows(opened: Path, capsys: pytest.CaptureFixture) -> None:
    for growth in ("TRIALS=5", "CONFIRM=4"):
        assert cli(opened, "study", *SMALL, growth) == 2
        assert "so it cannot grow" in capsys.readouterr().err


@pytest.mark.parametrize(("words", "opens"), [("200", True), ("100", True), ("99", False)])
def test_a_study_of_the_default_size_or_a_hundred_seeds_opens_its_test_unasked(
    words: str, opens: bool
) -> None:
    assert large_enough(read({"confirm.seeds": words})) is opens
    assert not large_enough(read({"confirm.seeds": words, "search.trials.tpe": "39"}))
