"""Whole studies of models that fail: what is lost is told with its parameters and seed, the rest goes on."""

import json
import os
import re
from pathlib import Path
from typing import Any

import hostile_models
import numpy as np
import pytest
from canonical import ledger, networks, query, results, tracked
from studies import contents

from handnet.cli import main
from handnet.study.chosen_models import models_of
from handnet.study.options import settings_and_table
from handnet.study.search import search_of
from handnet.study.searching import HOPELESS

FILE = Path(hostile_models.__file__)
SIZE = ["--trials", "2", "--seeds", "2", "--confirm", "3", "--splits", "0", "--open"]
Study = tuple[int, str, dict[str, Any]]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def study(
    capfd: pytest.CaptureFixture, home: Path, name: str, *more: str, file: Path = FILE, size: list[str] = SIZE
) -> Study:
    """Exit code, all that was said on stderr, and the report's facts. Nothing else is on stdout."""
    capfd.readouterr()
    words = ["study", "--model", f"m=call:{file}:{name}", "--space", "depth=2..9", *size, *more]
    code = main([*words, "--mlruns", str(home)])
    out, err = capfd.readouterr()
    assert "Traceback" not in out + err
    assert "straight to" not in out + err
    assert bool(out) == (code == 0)
    reports = [*home.glob("reports/*/report.json")]
    return code, err, json.loads(reports[0].read_text()) if reports else {}


def line_of(text: str) -> int:
    """The number of the line of the models' file that holds a text."""
    return FILE.read_text().split("\n").index(text) + 1


RAISED = f"raised ZeroDivisionError (hostile_models.py, line {line_of('    raise ZeroDivisionError')})"
SHAPES = "of the shape (455,) or (455, 1) or (455, 2), but gave an array of the shape"
SENTENCES = [
    ("raises_always", [], RAISED),
    ("gives_nan", [], "m must give finite probabilities, but gave NaN or infinity in 3 of 455 rows"),
    ("gives_too_few", [], f"m must give probabilities {SHAPES} (454,)"),
    ("gives_percent", [], "m must give probabilities between 0 and 1, but gave "),
    ("gives_generator", [], "m must give probabilities, but gave something else, of the type generator"),
    ("sleeps", ["--unit-timeout", "0.5"], "it took longer than 0.5 s, and its process was killed"),
    ("exits", [], "its process ended with exit code 3; the last line it wrote to stderr: out of licences"),
    (
        "eats",
        ["--unit-memory", "2"],
        "raised MemoryError: Unable to allocate 512. GiB for an array with shape",
    ),
]
FAST = ("raises_always",)


@pytest.mark.parametrize(
    ("name", "more", "why"),
    [pytest.param(*row, marks=[] if row[0] in FAST else pytest.mark.long, id=row[0]) for row in SENTENCES],
)
def test_a_model_that_always_fails_is_refused_after_some_configurations(
    capfd: pytest.CaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    home: Path,
    name: str,
    more: list[str],
    why: str,
) -> None:
    monkeypatch.setattr("handnet.study.searching.HOPELESS", 3)
    code, said, facts = study(capfd, home, name, "--trials", "8", *more)
    assert code == 1, said
    assert not facts
    assert not ledger(home)
    *_, last = said.splitlines()
    assert last.startswith("handnet: every fit of the first 3 configurations of m was lost, so no other is")
    fit = re.search(r"\(the first: m with depth=\d, seed 0: ", last)
    assert fit
    assert last[fit.end() :].startswith(why)
    assert last.endswith("); fix the model, its parameters or its limits.")
    assert len(networks(home)) == 6
    assert not [part for key in networks(home).values() for part in key["val_logits"] if np.isfinite(part)]


def test_a_model_that_fails_on_half_of_its_space_is_rarely_given_up() -> None:
    """In 200 searches at most 4 try nothing but the failing half at first; of three trials 25 would."""
    options = {"model": (f"m=call:{FILE}:sound",), "space": ("depth=2..9",), "fixed": (), "inputs": None}
    settings, _ = settings_and_table({}, None, models=models_of(options))
    given_up = 0
    for seed in range(200):
        search = search_of(settings.changed(search={"study_seed": seed}), "m")
        given_up += all(search.propose(place)["depth"] < 6 for place in range(HOPELESS))
    assert given_up <= 4


@pytest.mark.long
def test_a_search_whose_first_configurations_are_lost_goes_on(
    capfd: pytest.CaptureFixture, home: Path, tmp_path: Path
) -> None:
    file = tmp_path / "mine.py"
    file.write_text(
        "import pathlib\ncount = pathlib.Path(__file__).with_name('count')\n"
        "def fails_at_first(X, y, params, seed, Z):\n"
        "    with count.open('a') as lines:\n        lines.write('.')\n"
        "    if seed < 1000 and len(count.read_text()) <= 8:\n        raise ValueError\n"
        "    return (Z[:, 0] < 0) * 0.9 + 0.05\n"
    )
    size = ["--trials", "10", "--seeds", "2", "--confirm", "2", "--splits", "0", "--workers", "1"]
    code, said, facts = study(capfd, home, "fails_at_first", file=file, size=size)
    assert code == 0, said
    lost = [trial["lost"] for trial in sorted(facts["search"]["trials"], key=lambda trial: trial["place"])]
    assert all(lost[:4])
    assert not all(lost)


def test_a_model_that_fails_at_times_costs_the_seeds_on_which_it_does(
    capfd: pytest.CaptureFixture, home: Path
) -> None:
    """A configuration with a lost seed never wins; on fresh seeds the bands are of the others."""
    code, said, facts = study(capfd, home, "raises_at_times", "--trials", "4", "search.tpe.startup_trials=4")
    assert code == 0, said
    line = line_of('        raise ValueError("no such\\nthing")')
    why = f"raised ValueError: no such (hostile_models.py, line {line})"
    trials = {trial["place"]: trial for trial in facts["search"]["trials"]}
    shallow = {place for place, trial in trials.items() if trial["params"]["depth"] < 6}
    assert 0 < len(shallow) < 4
    assert {place for place, trial in trials.items() if trial["lost"]} == shallow
    assert all((trials[place]["value"] is None) == (place in shallow) for place in trials)
    winner = facts["configurations"][0]
    assert winner["recipe"]["depth"] >= 6
    lost = [(one["role"], one["params"], one["seed"], one["why"]) for one in facts["lost"]]
    assert ("winner", winner["recipe"], 1001, why) in lost
    assert said.count("A configuration with a lost seed never wins") == 1
    assert (
        f"winner: 1 of 3 fresh seeds lost (the first: m with depth={winner['recipe']['depth']}, seed 1001:"
        in (said)
    )
    _bands_are_of_the_others(home, facts)
    _runs_tell_it(home)


def _bands_are_of_the_others(home: Path, facts: dict[str, Any]) -> None:
    """Seeds 1000 and 1002 alone, against losses counted by hand from the stored outputs."""
    stored = [part["logits"] for key, part in results(home).items() if key.startswith("test/")]
    (logits,) = (one for one in stored if one.shape[0] == 3)  # of a rival there is one row
    assert np.isnan(logits[1]).all()
    band = next(
        band
        for band in facts["bands"]
        if (band["role"], band["part"], band["score"], band["varied"])
        == ("winner", "test", "accuracy", "seeds")
    )
    assert (band["n"], band["diverged"]) == (2, 1)


def _runs_tell_it(home: Path) -> None:
    """In MLflow, too: no metric of a lost seed is a number."""
    lost = query(
        tracked(home),
        "SELECT m.value FROM metrics m JOIN tags t ON t.run_uuid = m.run_uuid WHERE t.key = 'seed' AND"
        " t.value = '1001' AND m.is_nan = 0",
    )
    assert not lost
    _lost_seeds_are_counted(home)


def _lost_seeds_are_counted(home: Path) -> None:
    """The run of each trial says how many of its seeds were lost, and why; some came through, so it has
    not failed."""
    line = line_of('        raise ValueError("no such\\nthing")')
    said = query(
        tracked(home),
        "SELECT t.value, m.value, r.status FROM runs r JOIN tags t ON t.run_uuid = r.run_uuid JOIN metrics m"
        " ON m.run_uuid = r.run_uuid JOIN params p ON p.run_uuid = r.run_uuid AND p.key = 'depth' WHERE"
        " t.key = 'lost' AND m.key = 'seeds/lost' AND CAST(p.value AS INTEGER) < 6",
    )
    assert set(said) == {
        (f"1 of 2: raised ValueError: no such (hostile_models.py, line {line})", 1.0, "FINISHED")
    }


@pytest.mark.long
def test_runs_whose_seeds_were_all_lost_have_failed_and_are_tracked_once(
    capfd: pytest.CaptureFixture, home: Path
) -> None:
    assert study(capfd, home, "raises_always", "--name", "s")[0] == 1
    asked = "SELECT run_uuid, status, lifecycle_stage FROM runs ORDER BY 1"
    seen = []
    for _ in range(2):
        assert main(["track", "--name", "s", "--mlruns", str(home)]) == 0
        seen.append(query(tracked(home), asked))
    assert [row[1:] for row in seen[0]] == [("FAILED", "active")] * 2
    assert seen[1] == seen[0]
    why = query(tracked(home), "SELECT value FROM tags WHERE key = 'lost'")
    assert {text.partition(": raised ZeroDivisionError")[0] for (text,) in why} == {"2 of 2"}


@pytest.mark.long
def test_a_study_of_two_models_says_which_decides_what_learnt_nothing_and_that_it_is_finished(
    capfd: pytest.CaptureFixture, home: Path
) -> None:
    """The second gives every row the same, whatever its parameter is: its configurations are tied."""
    words = ["study", "--model", f"first=call:{FILE}:sound", "--model", f"flat=call:{FILE}:is_constant"]
    words += ["--space", "first.depth=2..9", "--space", "flat.depth=2..9", *SIZE, "--mlruns", str(home)]
    assert main(words) == 0
    out, said = capfd.readouterr()
    assert "Finished already" not in said
    page = next(home.glob("reports/*/report.md")).read_text()
    html = next(home.glob("reports/*/report.html")).read_text()
    for text in (out, page, html):
        assert "winner (first)" in text
        assert "first was named first of the 2 models, so it decides" in text
        assert "flat gives every case the same output, so it has learnt nothing." in text
        assert "The winner gives every case" not in text
        assert "The best configuration of flat is tied with 1 other: their mean" in text
        assert "The winner is tied with 1 other" in text  # its parameter is not used either
    assert not [line for line in page.splitlines() if "| winner |" in line]
    bands = json.loads(next(home.glob("reports/*/report.json")).read_text())["bands"]
    assert {"winner", "flat"} < {one["role"] for one in bands}  # roles stay as they are
    _are_compared_in_one_column(home)
    capfd.readouterr()
    assert main(words) == 0
    assert capfd.readouterr().err.count("Finished already; nothing was trained.\n") == 1


def _are_compared_in_one_column(home: Path) -> None:
    """Every run of the study has the loss that the view sorts by, methods without a seed too."""
    asked = (
        "SELECT count(*) FROM runs r JOIN experiments e USING (experiment_id) {} WHERE e.name NOT LIKE '% %'"
    )
    with_loss = "JOIN metrics m ON m.run_uuid = r.run_uuid AND m.key = 'val/log_loss'"
    counts = [query(tracked(home), asked.format(join))[0][0] for join in ("", with_loss)]
    assert counts == [9, 9]  # two trials of each model, the two that were confirmed, three rivals


@pytest.mark.long
def test_a_winner_that_is_lost_on_fresh_seeds_opens_nothing(capfd: pytest.CaptureFixture, home: Path) -> None:
    code, said, facts = study(capfd, home, "raises_on_fresh_seeds")
    assert (code, facts, ledger(home)) == (1, {}, [])
    assert re.search(
        r"handnet: winner: 2 of 3 fresh seeds lost \(the first: m with depth=\d, seed 1001: its process ended"
        r" with exit code 7\), which leaves no band, so nothing was opened;",
        said,
    )


@pytest.mark.long
def test_a_model_that_lives_wildly_gives_what_a_quiet_one_gives(
    capfd: pytest.CaptureFixture, home: Path, tmp_path: Path
) -> None:
    before = os.getcwd(), dict(os.environ)
    assert study(capfd, home, "lives_wildly")[0] == 0
    assert (os.getcwd(), dict(os.environ)) == before
    assert study(capfd, tmp_path / "quiet", "sound")[0] == 0
    wild, quiet = (
        sorted(part["val_logits"].tobytes() for part in networks(one).values())
        for one in (home, tmp_path / "quiet")
    )
    assert wild == quiet


@pytest.mark.long
def test_a_model_that_is_never_the_same_opens_nothing(capfd: pytest.CaptureFixture, home: Path) -> None:
    code, said, facts = study(capfd, home, "is_never_the_same", "--trials", "1")
    assert (code, facts, ledger(home)) == (1, {}, [])
    assert re.search(
        r"handnet: m with depth=\d, seed 1000: gave other outputs for the same rows when it was fitted again"
        r" with the same seed \(by up to [\d.]+\); its outputs on the test could not be trusted, so nothing"
        r" was opened\.",
        said,
    )


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "confirm", "lost"),
    [("is_not_the_same_later", 10, [1008, 1009]), ("raises_on_the_test", 4, [1001, 1003])],
)
def test_seeds_that_are_lost_on_the_test_are_told_and_left_out(
    capfd: pytest.CaptureFixture, home: Path, name: str, confirm: int, lost: list[int]
) -> None:
    """And so they are when the study is repeated, which opens nothing more and fits nothing again."""
    more = ["--trials", "1", "--confirm", str(confirm)]
    code, said, facts = study(capfd, home, name, *more)
    assert code == 0, said
    assert re.findall(r"Lost on the test: m with depth=\d, seed (\d+): ", said) == list(map(str, lost))
    assert [one["seed"] for one in facts["lost"] if one["role"] == "winner"] == lost
    assert {
        band["n"]
        for band in facts["bands"]
        if band["role"] == "winner" and band["varied"] == "seeds" and band["n"]
    } == {confirm - len(lost)}
    opened, stored = ledger(home), contents(home / "studies")
    code, said, again = study(capfd, home, name, *more)
    assert code == 0, said
    assert re.findall(r"Lost on the test: m with depth=\d, seed (\d+): ", said) == list(map(str, lost))
    assert again["bands"] == facts["bands"]
    assert ledger(home) == opened
    arrays = [path for path in stored if path.endswith(".npz")]
    after = contents(home / "studies")
    assert {path: stored[path] for path in arrays} == {path: after[path] for path in arrays}


@pytest.mark.long
def test_seeds_that_are_lost_on_fresh_divisions_are_left_out_there(
    capfd: pytest.CaptureFixture, home: Path
) -> None:
    more = ["--trials", "1", "--splits", "3", "rehearsal.seeds=3"]
    code, said, facts = study(capfd, home, "raises_on_divisions", *more)
    assert code == 0, said
    divisions = [part for key, part in results(home).items() if key.startswith("split/")]
    for division in divisions:
        assert list(np.isnan(division["logits_0"]).all(axis=1)) == [False, True, False]
        assert list(division["seeds"]) == [100_000, 100_002]
    # Each division speaks through another seed in turn, the second through the one that was lost.
    right = [((part["logits_0"] > 0) == part["y"])[n] for n, part in enumerate(divisions) if n != 1]
    wanted = "winner", "accuracy", "splits"
    band = next(one for one in facts["bands"] if (one["role"], one["score"], one["varied"]) == wanted)
    assert (band["n"], band["diverged"]) == (2, 1)
    assert band["centres"]["mean"] == pytest.approx(np.mean([one.mean() for one in right]), rel=1e-12)


def test_a_file_that_cannot_be_imported_is_refused_before_anything(
    capfd: pytest.CaptureFixture, home: Path, tmp_path: Path
) -> None:
    file = tmp_path / "mine.py"
    for text, why in (
        ("import no_such_module\n", "in line 1: ModuleNotFoundError: No module named 'no_such_module'."),
        ("def f(:\n", "in line 1: SyntaxError: invalid syntax."),
        ("x = 1\n", "has no 'fit_predict'"),
    ):
        file.write_text(text)
        code, said, _ = study(capfd, home, "fit_predict", file=file)
        assert code == 2
        assert why in said
        assert said.count("\n") == 1
        assert not home.exists()


CHANGES = """
import numpy as np

def fit_predict(X_train, y_train, params, seed, X):
    if seed == 1:
        with open(__file__, "a") as file:
            file.write("# changed\\n")
    if seed == 1000:
        import os
        os.fork()  # so that the next fit needs a fresh process
    return np.random.default_rng(seed).uniform(0.2, 0.8, len(X))
"""


@pytest.mark.long
def test_a_file_that_changes_meanwhile_stops_the_study_and_costs_no_seed(
    capfd: pytest.CaptureFixture, home: Path, tmp_path: Path
) -> None:
    file = tmp_path / "mine.py"
    file.write_text(CHANGES)
    code, said, _ = study(capfd, home, "fit_predict", "WORKERS=1", file=file)
    assert code == 1, said
    assert (
        f"{file}, or a file that it imports, has changed since this run began; start the command again."
        in said
    )
    assert not [one for one in networks(home).values() if one["faults"].any()]
    file.unlink()
    file.write_text(CHANGES.replace("    if seed == 1:", "    if False:"))
    code, said, facts = study(capfd, home, "fit_predict", file=file)
    assert code == 0, said
    assert facts["lost"] == []
    file.unlink()
    names = [facts["study"]]
    assert main(["report", "--name", names[0], "--mlruns", str(home)]) == 0
