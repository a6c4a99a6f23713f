"""The claims on the rows of a study: which rows they read, and what the terminal and the page show."""

import json
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from studies import ROOT
from worlds import draws, problem

from experiments.chapter import mistakes, steps
from experiments.chapter.rows import FIRST_NETWORK, OpenRows
from experiments.chapter.trials import inquiry, trials
from experiments.claims.__main__ import claims
from experiments.claims.claim import Claim, Verdict
from experiments.claims.inquiry import show, write_page
from handnet import Dataset, Recipe, split
from handnet.command import main
from handnet.draws import Seed
from handnet.mlp.replicas import train_replicas
from handnet.splits import Split
from handnet.study.screen import Screen


@pytest.fixture(scope="module")
def small(data: Dataset, parts: Split) -> OpenRows:
    return OpenRows(problem(data, parts), count=2, own=16)


@pytest.fixture(scope="module")
def tried(small: OpenRows) -> list[Claim]:
    return [trial() for trial in trials(small)]


def test_divisions_are_of_open_rows_alone_and_as_large_as_the_studys(small: OpenRows, parts: Split) -> None:
    ids = set(small.table.case_ids.tolist())
    assert ids == set(parts.train_rows.tolist()) | set(parts.val_rows.tolist())
    assert not ids & set(parts.test_rows.tolist())
    for one in small.divisions:
        assert (len(one.train.y), len(one.held.y), one.choosing) == (len(parts.train.y), len(parts.val.y), 57)
        assert np.abs(one.train.X.mean(axis=0)).max() < 1e-9
    assert small.ratio == pytest.approx(114 / 341)
    assert small.exam_ratio == pytest.approx(57 / 398)


def test_what_diverges_has_no_score(small: OpenRows) -> None:
    runs = small.runs(Recipe(optimizer="sgd", learning_rate=1e9, epochs=2))
    assert np.isfinite(runs.start_loss).all()
    assert np.isnan(runs.accuracy).all()
    assert np.isnan(runs.val_loss).all()
    assert steps.worse(runs).all()


def test_starts_alone_differ_in_first_weights_and_in_nothing_else(small: OpenRows) -> None:
    """The fourth network of the first place is the one with the fourth's first weights, the first's order and
    the first's masks."""
    recipe, one, problem = Recipe(epochs=3), small.divisions[0], small.problem
    alone, seeds = small.runs(recipe, starts_alone=True), small.runs(recipe)
    wanted = [Seed(init=FIRST_NETWORK + 3, order=FIRST_NETWORK, dropout=FIRST_NETWORK)]
    fit = train_replicas(problem.backend, one.train, one.held, recipe, wanted, problem.spec.draws)
    assert np.array_equal(alone.train_loss[0, 3], fit.train_loss[0])
    assert np.array_equal(alone.start_loss, seeds.start_loss)
    assert (alone.train_loss[:, 1:] != seeds.train_loss[:, 1:]).all()


def test_patience_sees_the_rows_for_choosing_alone(small: OpenRows) -> None:
    """Other measurements in the exam half change the exam's scores and nothing else."""
    one, recipe = small.divisions[0], Recipe(epochs=30, patience=2, learning_rate=5e-3)
    X = one.held.X.copy()
    X[one.choosing :] = draws(*X[one.choosing :].shape)
    runs = small.runs(recipe, [one, one._replace(held=one.held._replace(X=X))])
    again = small.runs(recipe, [one._replace(held=one.held._replace(X=X))])
    assert np.array_equal(runs.choosing_loss[0], again.choosing_loss[0])
    assert not np.array_equal(runs.exam_loss[0], again.exam_loss[0])


def test_the_mistake_is_made_and_the_rows_are_the_same(small: OpenRows) -> None:
    """Scaled by all rows: mean 0 over train and held-out rows together, and the same up to a shift and a
    scale by column."""
    rows, parts, clean = small.table, small.splits[0], small.divisions[0]
    leaky = mistakes.scaled_before(rows.X, rows.y, parts, clean.choosing)
    both = np.concatenate([leaky.train.X, leaky.held.X])
    assert np.abs(both.mean(axis=0)).max() < 1e-9
    assert np.abs(leaky.train.X.mean(axis=0)).max() > 1e-3
    for ours, theirs in ((clean.train, leaky.train), (clean.held, leaky.held)):
        assert np.array_equal(ours.y, theirs.y)
        assert np.corrcoef(ours.X[:, 3], theirs.X[:, 3])[0, 1] == pytest.approx(1.0)


def test_no_claim_depends_on_a_sealed_row(tried: list[Claim], data: Dataset, parts: Split) -> None:
    """Noise in place of the sealed rows' measurements: every number of every claim is the same, but for the
    clock's."""
    X = data.X.copy()
    X[parts.test_rows] = draws(len(parts.test_rows), X.shape[1], sd=1e3)
    other = replace(data, X=X)
    again = [trial() for trial in trials(OpenRows(problem(other, split(other)), count=2, own=16))]
    for one, same in zip(*([claim.facts() for claim in some] for some in (tried, again)), strict=True):
        if one["title"].startswith("437,162"):
            one |= {"beside": [], "reading": ""}
            same |= {"beside": [], "reading": ""}
        assert json.dumps(one) == json.dumps(same), one["title"]


@pytest.mark.parametrize("columns", [80, 120])
def test_the_table_fits_the_terminal_and_cuts_nothing(
    small: OpenRows,
    tried: list[Claim],
    columns: int,
    capsys: pytest.CaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    show(Screen(), inquiry(small).facts(tried), Path("page"))
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= columns
    said = " ".join(" ".join(lines).split())
    for part in (part for one in tried for part in one.parts):
        assert part.what in said
        assert f"; right if {part.region} (" in said


def test_the_page_and_the_data_say_what_the_claims_say(
    small: OpenRows, tried: list[Claim], tmp_path: Path
) -> None:
    page = write_page(inquiry(small).facts(tried), tmp_path, "claims")
    text, stored = page.read_text(), json.loads((tmp_path / "claims.json").read_text())
    assert "<script" not in text
    assert "default-src 'none'" in text
    assert [one["verdict"] for one in stored["claims"]] == [one.verdict for one in tried]
    for one in tried:
        assert one.verdict in set(Verdict)
        assert one.parts
        assert f'<span class="soft">{one.verdict}</span></h2>' in text
    assert text.count("<svg") == sum(any(part.band.kind != "exact" for part in one.parts) for one in tried)


@pytest.mark.parametrize("bad", ["9", "many", "-1", "1001"])
def test_a_number_of_divisions_that_is_none_is_refused(bad: str, capsys: Any) -> None:
    assert main(claims, [f"DIVISIONS={bad}"]) == 2
    assert capsys.readouterr().err.startswith("handnet: DIVISIONS must be a whole number from 10 to 1000")


def test_what_ctrl_c_says_of_what_is_kept_is_true(tmp_path: Path) -> None:
    """Nothing is: the folder, which was made to see whether it can be, is all there is."""
    command = [sys.executable, "-m", "experiments.claims", f"MLRUNS={tmp_path}", "DIVISIONS=1000"]
    with subprocess.Popen(
        command,
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    ) as running:
        while not (tmp_path / "claims").exists() and running.poll() is None:
            time.sleep(0.05)
        time.sleep(0.5)
        running.send_signal(signal.SIGINT)
        said = running.communicate()[1]
    assert running.returncode == 130
    assert said.endswith("\nStopped: it keeps nothing before its end; the same command begins anew.\n")
    assert not list((tmp_path / "claims").iterdir())
