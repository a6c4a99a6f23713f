"""Published results on all rows: folds, leaks, the seal and the ledger."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from studies import ROOT
from worlds import draws, problem

from experiments.claims.claim import Verdict
from experiments.claims.inquiry import write_page
from experiments.published.__main__ import published
from experiments.published.rows import FOLDS, AllRows, fit_each, regression
from experiments.published.trials import NAME, inquiry, opened, trials
from handnet import Dataset, split
from handnet.command import main
from handnet.contract import Recipe
from handnet.messages import Refusal
from handnet.splits import Split
from handnet.study.sealed import Ledger


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, parts: Split) -> Path:
    """A folder in whose ledger the test rows of the default split were opened."""
    home = tmp_path_factory.mktemp("published")
    parts.test.open(recorder(Ledger(home), parts))
    return home


def recorder(ledger: Ledger, parts: Split, study: str = "wisconsin") -> Callable[[str], Any]:
    return ledger.recorder(
        study,
        study,
        ["a"],
        trials=1,
        seeds=2,
        data="wisconsin",
        table="t",
        cases=[str(case) for case in parts.test.case_ids],
    )


@pytest.fixture(scope="module")
def whole(home: Path, data: Dataset, parts: Split) -> AllRows:
    ours = problem(data, parts)
    return AllRows(ours, opened(Ledger(home), ours), count=2, repeats=2, seeds=3)


def test_folds_hold_every_row_out_once_and_scale_by_train_rows(whole: AllRows, data: Dataset) -> None:
    assert len(whole.folds) == 2 * FOLDS
    for low in (0, FOLDS):
        held = np.concatenate([one.held.X[:, 0] * 0 + one.held.y for one in whole.folds[low : low + FOLDS]])
        assert (len(held), held.sum()) == (len(data.y), data.y.sum())
    assert not np.array_equal(whole.folds[0].held.X, whole.folds[FOLDS].held.X), (
        "each repetition has folds of its own"
    )
    for one in whole.folds:
        assert np.abs(one.train.X.mean(axis=0)).max() < 1e-9
        assert len(one.train.y) + len(one.held.y) == len(data.y)
    answered = fit_each(whole.folds, regression)
    right = [((z[0] > 0) == (y == 1)).sum() for z, y in zip(answered.logits, answered.y, strict=True)]
    assert answered.pooled()[:, 0] == pytest.approx([sum(right[:FOLDS]) / 569, sum(right[FOLDS:]) / 569])


def test_a_leak_is_made_on_purpose_and_only_then(whole: AllRows) -> None:
    for clean, leaky in zip(whole.holdouts(0.3), whole.holdouts(0.3, leaky=True), strict=True):
        assert (len(clean.held.y), clean.held.y.sum()) == (171, 64), (
            "the paper's rates of 1/64 and 1/107 are of such a part"
        )
        assert np.abs(clean.train.X.mean(axis=0)).max() < 1e-9
        assert np.abs(np.concatenate([leaky.train.X, leaky.held.X]).mean(axis=0)).max() < 1e-9
        assert np.array_equal(clean.held.y, leaky.held.y)
    assert all(len(one.held.y) == 79 for one in whole.holdouts(79))


def test_no_network_learns_from_the_rows_it_is_graded_on(whole: AllRows) -> None:
    one = whole.holdouts(0.3)[0]
    noise = one._replace(held=one.held._replace(X=draws(*one.held.X.shape)))
    same = one._replace(held=one.held._replace(X=np.concatenate([one.held.X[:5], noise.held.X[5:]])))
    found = [whole.networks([exam]).logits[0][:, :5] for exam in (one, same)]
    assert np.array_equal(*found)
    assert np.isnan(
        whole.networks([one], Recipe(optimizer="sgd", learning_rate=1e9, epochs=2)).scores("accuracy")
    ).all()


def test_every_result_is_tried_and_told(whole: AllRows, tmp_path: Path) -> None:
    found = [trial() for trial in trials(whole)]
    page = write_page(inquiry(whole).facts(found), tmp_path, NAME)
    stored = json.loads((tmp_path / "published.json").read_text())
    assert [one["verdict"] for one in stored["claims"]] == [one.verdict for one in found]
    assert len({one.title for one in found}) == len(found) == 13
    for one in found:
        assert f'<span class="soft">{one.verdict}</span></h2>' in page.read_text()
    assert "341 / 114 / 114 in each" in found[9].method
    assert found[3].verdict == Verdict.HOLDS, "a linear program finds the plane that wdbc.names says there is"
    malignant = dict(found[9].context)
    assert malignant["malignant among test cases, stratified, test first"].low == 42
    own = whole.networks(whole.like_the_study([42])).scores("accuracy")[0]
    assert f"Seed 42 has {own.mean():.3f} [" in found[11].reading, "its own division is the study's"


# The seal


def test_nothing_is_divided_while_the_test_is_sealed(
    data: Dataset, parts: Split, tmp_path: Path, capsys: Any
) -> None:
    with pytest.raises(Refusal, match="still sealed"):
        opened(Ledger(tmp_path), problem(data, parts))
    assert main(published, ["--mlruns", str(tmp_path)]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_the_ledger_is_told_once_and_remembers(data: Dataset, parts: Split, tmp_path: Path) -> None:
    """A study that comes later, on another split, learns that all its test cases have been read; the one
    before is as it was."""
    ledger = Ledger(tmp_path)
    parts.test.open(recorder(ledger, parts))
    first = opened(ledger, problem(data, parts))
    assert opened(ledger, problem(data, parts)) == first
    assert ledger.path.read_text().count('"rehearsed"') == 1
    assert ledger.rehearsals(first) == [], "the study itself has made no fresh divisions"
    other = split(data, seed=7)
    other.test.open(recorder(ledger, other, "later"))
    assert [one.seen_before for one in ledger.openings()] == [0, 114]


def test_ctrl_c_ends_with_a_sentence_that_is_true(home: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "experiments.published", "--mlruns", str(home)],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    )
    while not (home / NAME).exists():
        assert process.poll() is None, process.stderr and process.stderr.read()
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert (
        said.splitlines()[-1] == "Stopped: no page is written before its end; the same command begins anew."
    )
    assert list((home / NAME).iterdir()) == []


@pytest.mark.parametrize("bad", ["19", "many", "1001"])
def test_a_number_of_divisions_that_is_none_is_refused(bad: str, capsys: Any) -> None:
    assert main(published, ["MLRUNS=nowhere", f"DIVISIONS={bad}"]) == 2
    assert capsys.readouterr().err.startswith("handnet: DIVISIONS must be a whole number from 20 to 1000")
