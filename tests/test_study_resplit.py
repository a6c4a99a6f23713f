"""After the opening: fresh divisions, comparisons and what the report and the tracker say of them, on real
studies."""

import inspect
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from html import escape
from pathlib import Path

import numpy as np
import pytest
from canonical import digest
from samples import TWO
from scipy import stats
from scipy.special import expit
from sklearn import metrics
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from sklearn.utils.class_weight import compute_sample_weight
from studies import CHAPTER, SMALL, TINY, cli

import handnet.bands
from handnet import Backend, Dataset, Fit, Recipe, Table, load_backend, seeded_plan, split
from handnet.messages import Refusal
from handnet.study import units
from handnet.study.division import SEARCHED_ANEW, Resplit
from handnet.study.identity import Commit
from handnet.study.reading import read
from handnet.study.resplit import stream_seeds
from handnet.study.sealed import Ledger
from handnet.study.store import Store

OPEN = [*SMALL, "OPEN=1"]
STREAMS = ["rehearsal.seeds=2", "rehearsal.levels=2"]


def facts(home: Path) -> dict:
    (path,) = (home / "reports").glob("*/report.json")
    return json.loads(path.read_text())


def logistic(train: Table, val: Table, class_weight: str | None = None) -> LogisticRegression:
    """Scikit-learn's, with the C that serves the validation rows best."""
    models = [
        LogisticRegression(C=10.0**power, max_iter=10_000, class_weight=class_weight).fit(train.X, train.y)
        for power in range(-3, 4)
    ]
    return min(models, key=lambda model: metrics.log_loss(val.y, model.predict_proba(val.X)[:, 1]))


def balanced(train: Table) -> Table:
    return train._replace(weight=compute_sample_weight("balanced", train.y))


def places(home: Path) -> dict[str, Path]:
    """The file of every fresh division, also in a folder that was copied."""
    (folder,) = (home / "studies").iterdir()
    files = [path for kind in ("split", "ideal") for path in sorted(folder.glob(f"{kind}/*/*.npz"))]
    return {str(path.relative_to(folder).with_suffix("")): path for path in files}


def stored(home: Path) -> dict[str, Resplit]:
    """Every rehearsal, read from the files alone."""
    return {key: Resplit.from_npz(path.read_bytes()) for key, path in places(home).items()}


def test_a_sealed_study_rehearses_nothing(unopened: Path) -> None:
    assert not places(unopened)
    assert not list((unopened / "studies").glob("*/streams"))
    found = facts(unopened)
    assert not [band for band in found["bands"] if band["part"] == "rehearsal"]
    assert not any("fresh divisions" in line for line in found["statements"])


def test_a_rehearsal_is_a_fresh_split_of_the_whole_table_and_nothing_else(
    finished: Path, data: Dataset
) -> None:
    one = next(
        one for key, one in stored(finished).items() if key.startswith("split/") and key.endswith("/100001")
    )
    rest, test = train_test_split(np.arange(569), test_size=0.2, random_state=100001, stratify=data.y)
    train, val = train_test_split(rest, test_size=0.25, random_state=100001, stratify=data.y[rest])
    assert np.array_equal(one.y, data.y[test])
    assert one.ratio == 114 / 455
    scaler = StandardScaler().fit(data.X[train])
    on = [Table(scaler.transform(data.X[rows]), data.y[rows]) for rows in (train, val, test)]
    expected = logistic(*on[:2]).decision_function(on[2].X)
    assert one.logits["logistic regression"][0] == pytest.approx(expected, rel=1e-12)
    parts = split(data, seed=100001)
    recipe = Recipe(learning_rate=1e-3, dropout=0.2, epochs=50)
    backend = load_backend("compiled")
    fit = backend.fit(parts.train, parts.val, recipe, seeded_plan(recipe, parts.train, [100000, 100001]))
    assert np.array_equal(
        one.logits["chapter"], backend.logits(fit.layers, parts.test.open(lambda _: True).X)
    )


def test_balanced_classes_are_so_in_every_part_of_a_study(tmp_path: Path, data: Dataset) -> None:
    """Search, confirmation and fresh divisions weigh their own train rows; scores count every case once."""
    assert cli(tmp_path, "study", *OPEN, "TRIALS=1", "SPLITS=2", "network.class_weight=balanced") == 0
    found, backend, recipe = facts(tmp_path), load_backend("compiled"), Recipe()
    assert found["identity"]["class_weight"] == "balanced"
    assert any("count the same" in note for note in found["data"]["notes"])
    (page,) = (tmp_path / "reports").glob("*/report.md")
    assert all(note in page.read_text() for note in found["data"]["notes"])
    divisions = [one for key, one in stored(tmp_path).items() if key.startswith("split/")]
    assert len(divisions) == 2
    for one in divisions:
        parts = split(data, seed=one.split_seed)
        train, test = balanced(parts.train), parts.test.open(lambda _: True)
        fit = backend.fit(train, parts.val, recipe, seeded_plan(recipe, train, [100000, 100001]))
        assert np.array_equal(one.logits["chapter"], backend.logits(fit.layers, test.X))
        expected = logistic(parts.train, parts.val, "balanced").decision_function(test.X)
        assert one.logits["logistic regression"][0] == pytest.approx(expected, rel=1e-6)
    parts = split(data)
    train = balanced(parts.train)
    fit = backend.fit(train, parts.val, recipe, seeded_plan(recipe, train, [1000, 1001, 1002]))
    loss = TWO.grade(backend.logits(fit.layers, parts.val.X), parts.val.y)["log_loss"]
    (band,) = (
        one
        for one in found["bands"]
        if (one["role"], one["part"], one["score"], one["kind"])
        == ("chapter", "val", "log_loss", "quantiles")
    )
    assert band["centres"]["median"] == pytest.approx(np.median(loss), rel=1e-6)


def test_a_rehearsal_survives_its_file() -> None:
    one = Resplit(
        3, np.array([0, 1]), 0.5, {"../x": np.array([[1.0, -np.inf]]), "y\x00": np.array([[np.nan, 2.0]])}
    )
    again = Resplit.from_npz(one.to_npz())
    assert again.groups is None
    assert Resplit.from_npz(replace(one, groups=np.array([7, 3])).to_npz()).groups.tolist() == [7, 3]
    assert (again.split_seed, again.ratio, again.y.tolist()) == (3, 0.5, [0, 1])
    assert [
        (*map(repr, (role.strip("\x00"), logits.tolist())),) for role, logits in again.logits.items()
    ] == [(repr("../x"), repr([[1.0, -np.inf]])), (repr("y"), repr([[np.nan, 2.0]]))]


def test_the_comparison_is_scipys_t_on_the_stored_logits(finished: Path) -> None:
    held = [one for key, one in stored(finished).items() if key.startswith("split/")]
    d = [
        metrics.log_loss(one.y, expit(one.logits["logistic regression"][0]))
        - np.mean([metrics.log_loss(one.y, expit(z.astype(float))) for z in one.logits["winner"]])
        for one in held
    ]
    scale = np.sqrt((1 / 3 + 114 / 455) * np.var(d, ddof=1))
    pair = next(
        one
        for one in facts(finished)["comparisons"]
        if (one["ours"], one["theirs"]) == ("winner", "logistic regression")
    )
    found = next(one for one in pair["over_splits"] if one["score"] == "log_loss")
    assert found["difference"]["centres"]["mean"] == pytest.approx(np.mean(d), abs=1e-12)
    low, high = stats.t(2, np.mean(d), scale).interval(0.95)
    assert [found["difference"]["low"], found["difference"]["high"]] == pytest.approx([low, high], abs=1e-12)
    assert found["p"] == pytest.approx(2 * stats.t(2).sf(abs(np.mean(d)) / scale), abs=1e-12)
    assert [one["score"] for one in pair["over_splits"] if one["decides"]] == ["accuracy"]


def test_the_split_band_takes_one_network_a_split(finished: Path) -> None:
    held = [one for key, one in sorted(stored(finished).items()) if key.startswith("split/")]
    values = [np.mean((one.logits["winner"][place % 2] > 0) == one.y) for place, one in enumerate(held)]
    band = next(
        one
        for one in facts(finished)["bands"]
        if one["role"] == "winner"
        and one["part"] == "rehearsal"
        and one["score"] == "accuracy"
        and one["kind"] == "min-max"
    )
    assert (band["low"], band["high"], band["n"], band["varied"]) == (min(values), max(values), 3, "splits")
    assert band["coverage"] == 0.5


def test_the_search_made_anew_chooses_on_its_own_rows(finished: Path, data: Dataset) -> None:
    """Its winner is the one whose mean validation loss on that division is least, of what it tried there."""
    anew = {key: one for key, one in stored(finished).items() if key.startswith("ideal/")}
    assert len(anew) == 3
    (key,) = (key for key in anew if key.endswith("/100002"))
    point = anew[key].chosen
    recipe = Recipe(point["learning_rate"], point["dropout"], int(point["epochs"]))
    parts, backend = split(data, seed=100002), load_backend("compiled")
    fit = backend.fit(parts.train, parts.val, recipe, seeded_plan(recipe, parts.train, [100000, 100001]))
    logits = backend.logits(fit.layers, parts.test.open(lambda _: True).X)
    assert np.array_equal(stored(finished)[key].logits[SEARCHED_ANEW], logits)
    roles = {band["role"] for band in facts(finished)["bands"] if band["part"] == "rehearsal"}
    assert SEARCHED_ANEW in roles
    assert any("the search, made anew in each," in line for line in facts(finished)["statements"])
    chosen = facts(finished)["search"]["again"]["anew"]
    assert chosen == {name: [one.chosen[name] for one in anew.values()] for name in point}
    told = (
        f"made anew on 3 fresh divisions the search chose learning rate {min(chosen['learning_rate']):.2g} to"
    )
    assert any(told in line for line in facts(finished)["statements"])


@pytest.fixture(scope="module")
def raised(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The finished study, with a fourth division asked for after the first look."""
    home = Path(shutil.copytree(finished, tmp_path_factory.mktemp("raised") / "home"))
    assert cli(home, "study", *OPEN, "SPLITS=4") == 0
    return home


def test_what_was_rehearsed_is_kept_and_only_grows(
    opened: Path, raised: Path, capsys: pytest.CaptureFixture
) -> None:
    """Other divisions until one set suits is what the ledger is there to prevent."""
    before = digest(opened)
    assert cli(opened, "study", *OPEN) == 0  # without IDEAL=1: it is there already
    assert digest(opened) == before
    for fewer in ("SPLITS=2", "SPLITS=0"):
        assert cli(opened, "study", *OPEN, fewer) == 0
        assert "has been rehearsed on 3 fresh divisions: that is what is shown" in capsys.readouterr().err
        assert digest(opened) == before
    found = facts(raised)
    assert found["opening"]["rehearsed"] == [3, 4]
    assert {
        band["n"] for band in found["bands"] if band["part"] == "rehearsal" and band["role"] == SEARCHED_ANEW
    } == {4}
    assert (
        "raised after the first look, from 3 to 4"
        in next((raised / "reports").rglob("report.md")).read_text()
    )


def test_other_divisions_are_another_study(finished: Path, tmp_path: Path) -> None:
    shutil.copy(finished / "openings.jsonl", tmp_path)
    before = Ledger(finished).openings()
    assert cli(tmp_path, "study", *TINY, "OPEN=1", "rehearsal.first_split=7000") == 0
    after = Ledger(tmp_path).openings()
    assert [one.ordinal for one in after] == [*(one.ordinal for one in before), len(before) + 1]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            ["rehearsal.first_seed=0"],
            "rehearsal seeds must be fresh, but 0..1 overlaps the search seeds 0..1",
        ),
        (["rehearsal.first_split=40"], "fresh divisions need other seeds than split.seed (42)"),
    ],
)
def test_what_is_called_fresh_is_fresh(
    words: list[str], sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    assert cli(tmp_path, "study", *OPEN, *words) == 2
    assert sentence in capsys.readouterr().err


@pytest.mark.parametrize("name", [SEARCHED_ANEW, "winner", ".", "a?b", "", "a:b", "<b>", "x" * 61])
def test_a_name_that_would_pass_for_another_is_refused(name: str, tmp_path: Path) -> None:
    toml = CHAPTER.read_text().replace('name = "chapter second"', f"name = {json.dumps(name)}")
    path = tmp_path / "study.toml"
    path.write_text(toml)
    with pytest.raises(Refusal, match=r"compare\.name must be unique"):
        read({}, path)


def test_a_reader_never_takes_half_a_state(opened: Path, capsys: pytest.CaptureFixture) -> None:
    """A result that the commit names and somebody deleted: refused, not left out of the bands."""
    (study,) = (opened / "studies").iterdir()
    commit = Commit.read(Store(opened, study.name))
    for lost in (
        commit.resplits[0],
        commit.resplits[1],
        f"test/{commit.opening}/{commit.frozen[0].config_id}",
    ):
        path = study / f"{lost}.npz"
        content = path.read_bytes()
        path.unlink()
        assert cli(opened, "report", f"NAME={study.name}") == 1
        assert "are not there; make study" in capsys.readouterr().err
        path.write_bytes(content)
    assert cli(opened, "report", f"NAME={study.name}") == 0


def test_a_reader_follows_a_writer_that_confirms_anew(opened: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The results of the commit it read are replaced before it reads them: it reads the next commit."""
    (study,) = (opened / "studies").iterdir()
    plain, states = Commit.read, []

    def read_and_replace(store: Store) -> Commit:
        commit = plain(store)
        states.append(commit)
        return replace(commit, resplits=("streams/gone", "split/gone/1")) if len(states) == 1 else commit

    monkeypatch.setattr(Commit, "read", staticmethod(read_and_replace))
    assert cli(opened, "report", f"NAME={study.name}") == 0
    assert len(states) > 2


def test_a_study_whose_winner_diverges_on_every_fresh_seed_still_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = units.train_here

    def broken(backend: Backend, train: Table, val: Table, recipe: Recipe, seeds: list, draws: str) -> Fit:
        lost = np.array([1 if isinstance(seed, int) and 1000 <= seed < 2000 else -1 for seed in seeds])
        return whole(backend, train, val, recipe, seeds, draws)._replace(diverged_at=lost)

    monkeypatch.setattr(units, "train_here", broken)
    assert cli(tmp_path, "study", *TINY, "OPEN=1", "SPLITS=2", *STREAMS) == 0
    found = facts(tmp_path)
    assert found["search"]["winner_on_fresh_seeds"]["diverged"] == 2
    assert not [band for band in found["bands"] if band["role"] == "winner" and band["part"] == "test"]


def test_a_damaged_rehearsal_is_made_again(opened: Path, capsys: pytest.CaptureFixture) -> None:
    before = digest(opened)
    path = next(iter(places(opened).values()))
    path.write_bytes(path.read_bytes()[:500])
    name = next((opened / "reports").iterdir()).name
    assert cli(opened, "report", f"NAME={name}") == 1
    assert f"are damaged; make study MLRUNS={opened} makes them again" in capsys.readouterr().err
    assert cli(opened, "study", *OPEN) == 0
    assert digest(opened) == before


def test_no_rehearsals_where_none_are_wanted(
    tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    assert cli(tmp_path, "study", *OPEN, "SPLITS=1") == 2
    assert "rehearsal.splits must be 0 or at least 2" in capsys.readouterr().err
    found = facts(tiny)
    assert all(not one["over_splits"] for one in found["comparisons"])
    assert all(one["on_test"] for one in found["comparisons"])
    assert {one["what"] for one in found["rules"]["on_test"]} == {"mcnemar", "delong"}
    assert found["rules"]["layout"] is None
    assert not found["rules"]["over_divisions"]


def test_the_streams_are_every_combination_of_their_seeds() -> None:
    settings = read({"rehearsal.levels": "3"})
    seeds = stream_seeds(settings)
    assert len(seeds) == len(set(seeds)) == 27
    assert seeds[0] == (100000, 100000, 100000)
    assert seeds[-1] == (100002, 100002, 100002)


def test_the_page_of_a_case_says_what_the_facts_say(raised: Path) -> None:
    found = facts(raised)
    # A case with both answers: else yes and no could not be told apart.
    told = next(story for story in found["stories"] if len({one["clear"] for one in story["credits"]}) == 2)
    assert cli(raised, "case", f"ID={told['case']}", f"NAME={found['study']}") == 0
    page = (raised / "reports" / found["study"] / f"case-{told['case']}.html").read_text()
    assert escape(told["sentence"]) in page
    for one in told["credits"]:
        row = page.split(f"<tr><td>{escape(one['family'])}</td>")[1].split("</tr>")[0]
        assert ("<td>yes</td>" in row) == one["clear"]
        assert (", another sign" in row) != one["agrees"]
        assert f"{one['flipped']} of {told['misses']} wrong seeds" in row
    start, own = (told[end]["logit"]["centres"]["mean"] for end in ("start", "own"))
    total = sum(one["seeds"]["centres"]["mean"] for one in told["credits"])
    assert own == pytest.approx(start + total)
    assert f"start {start:.2f} + mean credits = {own:.2f}" in page


def test_a_story_counts_the_nearest_train_cases_beside_all_of_them(raised: Path) -> None:
    found = facts(raised)
    train = found["split"]["parts"]["train"]
    assert found["stories"]
    for story in found["stories"]:
        called = "benign" if story["class"] == "malignant" else "malignant"
        count = sum(one["class"] == called for one in story["neighbours"])
        positive = train["positive"] / train["cases"]
        share = positive if called == "malignant" else 1 - positive
        are = f"{count or 'none'} {'is' if count == 1 else 'are'} {called}"
        assert story["sentence"].endswith(
            f"Of its 10 nearest train cases {are}, and of all train cases {share:.0%}."
        )


def test_no_public_function_gives_a_bare_score_over_seeds() -> None:
    """A number over seeds travels in a type that knows its n; the exceptions are no scores."""
    no_scores = set(
        """assured_share detectable_difference correlation_between effective_number number_of_groups
        widening mean_reach mean_variance placement_covariance smaller_class beyond treat_all
        asked_deviation skewed_reach carriers signed_rank smallest_class chosen
        inverse_temperature reach_of_power independent p_worse""".split()
    )
    for path in Path(handnet.bands.__file__).parent.glob("*.py"):
        module = __import__(f"handnet.bands.{path.stem}", fromlist=["*"])
        public: list[tuple[str, Callable]] = [
            (name, one)
            for name, one in inspect.getmembers(module, inspect.isfunction)
            if one.__module__ == module.__name__ and not name.startswith("_")
        ]
        for name, one in public:
            assert inspect.signature(one).return_annotation not in {float, int} or name in no_scores, (
                f"{path.stem}.{name}"
            )
