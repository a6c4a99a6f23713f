"""Settings: read, stored, or refused in one sentence."""

import json
import re
import shutil
from pathlib import Path

import pytest
from studies import CHAPTER, study_name

from handnet import Recipe
from handnet.cli import main
from handnet.data import canonical_hash
from handnet.messages import Refusal, through
from handnet.study.identity import default_name
from handnet.study.reading import from_stored, read, to_stored
from handnet.study.space import Choice, Range


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
        ({"confirm.first_seed": "5"}, "5..204 overlaps the search seeds 0..9"),
        ({"confirm.first_seed": "4294967295"}, "the last seed must be at most"),
        ({"space.dropout.high": "1"}, "space.dropout must lie within 0 and 1"),
        ({"space.learning_rate.low": "0"}, "space.learning_rate.low must be above 0"),
        ({"space.learning_rate.low": "nan"}, "must be a finite number"),
        ({"space.epochs.low": "0"}, "space.epochs must lie within 1"),
        ({"space.epochs.low": "10.5"}, "whole ends"),
        ({"space.dropout.low": "0.6"}, "low <= high"),
        ({"verdict.equal": "1"}, "verdict.equal must be a number from 0 up to 1"),
        ({"report.prevalence": "1"}, "report.prevalence must be 0 or a share below 1"),
        ({"report.sensitivity": "0"}, "report.sensitivity must be a share between 0 and 1"),
        ({"report.thresholds": "[0.1, 1]"}, "report.thresholds must be a list of probabilities"),
        ({"report.looks": "-1"}, 'report.looks must be a whole number from 0 to 100000, or "ledger"'),
        ({"report.looks": "true"}, "report.looks must be a whole number"),
        ({"backend.name": "kreas"}, "backend.name must be one of compiled, numpy, keras"),
        ({"backend.dtype": "float16"}, "float32, float64"),
        ({"backend.device": "tpu"}, "auto, cpu, gpu"),
        ({"backend.draws": "dice"}, "seeded, counted"),
        ({"network.optimizer": "adams"}, "adam, sgd"),
        ({"network.hidden": "sixteen"}, "network.hidden must be a list"),
        ({"network.hidden": "0"}, "hidden must be a whole number of at least 1, but got 0"),
        ({"network.class_weight": "even"}, "network.class_weight must be one of none, balanced"),
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


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        ({"space.dropuot.high": "1"}, "space.dropuot.high is not a setting: did you mean space.dropout.high"),
        ({"space.max_depth": "2..10"}, "space.max_depth is not a setting"),
        ({"space.epochs": "10..2"}, "space.epochs must have low <= high, but has 10 and 2"),
        ({"space.epochs": "10.5,20"}, "space.epochs must be a whole number of at least 1, but got 10.5"),
        ({"space.epochs": "10,1000000000"}, "space.epochs must lie within 1 and 100000, but is 1000000000"),
        ({"space.hidden": '["16,x"]'}, "space.hidden must list the units of its layers, as in 16,8, but got"),
        ({"space.optimizer": "1..2"}, "space.optimizer is no number: give a choice, as in adam,sgd"),
        ({"space.optimizer": "adam,adams"}, "space.optimizer must be one of adam, sgd, but got 'adams'"),
        ({"space.patience.high": "5"}, "space.patience.low is missing"),
        ({"space.epochs.log": "maybe"}, "space.epochs.log must be true or false, but is 'maybe'"),
        ({"space.weight_decay": "0..1e-2 log"}, "space.weight_decay.low must be above 0"),
        ({"space.weight_decay": "-1..1"}, "space.weight_decay must lie within 0 and 10, but is -1"),
        ({"fixed.dropout": "1"}, "fixed.dropout must be at least 0 and below 1, but got 1"),
        ({"fixed.depth": "1"}, "fixed.depth is not a setting"),
        ({"fixed": "3"}, "fixed must be a table, but is 3"),
        ({"suggest": "space"}, "'space' names no function; write file.py:function"),
    ],
)
def test_spaces_that_mlp_does_not_have_are_refused(overrides: dict[str, str], sentence: str) -> None:
    with pytest.raises(Refusal, match=re.escape(sentence)) as refusal:
        read(overrides)
    assert refusal.value.code == 2


def test_any_parameter_of_mlp_may_be_searched_or_fixed(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        '[space]\nepochs = "20..40"\nhidden = ["16,8", [32], 8]\npatience = ["none", 5]\n'
        "[fixed]\ndropout = 0\n"
    )
    typed = {
        "space.weight_decay": "1e-5..1e-2 log",
        "space.epochs.high": "300",
        "space.learning_rate.log": "0",
    }
    settings = read({**typed, "space.optimizer": "adam,sgd", "fixed.batch_size": "16"}, path)
    assert settings.space == {
        "learning_rate": Range(1e-4, 1e-1),
        "epochs": Range(20, 300, whole=True),
        "hidden": Choice(("16,8", (32,), 8)),
        "optimizer": Choice(("adam", "sgd")),
        "patience": Choice(("none", 5)),
        "weight_decay": Range(1e-5, 1e-2, log=True),
    }
    params = {"learning_rate": 0.1, "epochs": 5, "hidden": "16,8", "optimizer": "sgd", "patience": "none"}
    assert settings.recipe(params) == Recipe(0.1, 0.0, 5, 16, (16, 8), "sgd")
    assert settings.recipe({"weight_decay": 0.5}).weight_decay == 0.5
    assert from_stored(json.loads(json.dumps(to_stored(settings)))) == settings
    assert settings.identity()["fixed"] == {"dropout": 0.0, "batch_size": 16}


def test_the_order_of_a_space_is_that_of_mlp_however_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("[space]\npatience = [3, 5]\n[space.hidden]\nlow = 4\nhigh = 8\n")
    typed = {"space.patience": "3,5", "space.hidden.low": "4", "space.hidden.high": "8"}
    orders = [
        list(settings.space)
        for settings in (read({}, path), read(typed), read(dict(reversed(typed.items()))))
    ]
    assert orders == [["learning_rate", "dropout", "epochs", "hidden", "patience"]] * 3


def test_the_default_space_is_what_it_was_in_a_study_s_identity() -> None:
    plain = read({})
    assert json.dumps(plain.identity()["space"]) == (
        '{"learning_rate": {"low": 0.0001, "high": 0.1, "log": true},'
        ' "dropout": {"low": 0.0, "high": 0.5, "log": false},'
        ' "epochs": {"low": 10.0, "high": 150.0, "log": false}}'
    )
    assert not {"fixed", "suggest"} & set(plain.identity())
    older = to_stored(plain)
    older["space"]["epochs"] |= {"low": 10.0, "high": 150.0}
    del older["fixed"], older["suggest"]
    assert from_stored(older) == plain


def test_a_function_takes_the_place_of_the_space(tmp_path: Path) -> None:
    file, path = tmp_path / "space.py", tmp_path / "mine.toml"
    file.write_text("def space(trial):\n    return {'epochs': trial.suggest_int('epochs', 1, 9)}\n")
    path.write_text(f'space = "{file}:space"\n')
    settings = read({}, path)
    assert settings == read({"suggest": f"{file}:space"}) == from_stored(to_stored(settings))
    assert settings.space == {}
    assert settings.suggest is not None
    assert settings.identity()["suggest"] == settings.suggest.digest
    with pytest.raises(Refusal, match="depth is not a parameter of mlp: expected one of learning_rate"):
        settings.recipe({"depth": 3})


def test_a_compared_configuration_may_name_any_parameter_and_names_all_that_are_searched(
    tmp_path: Path,
) -> None:
    path = tmp_path / "mine.toml"
    entry = '[[compare]]\nname = "wide"\nlearning_rate = 1\ndropout = 0\nepochs = 5\n'
    path.write_text(entry + "hidden = [64]\n")
    settings = read({}, path)
    assert settings.recipe(settings.compare[0].params) == Recipe(1, 0, 5, hidden=(64,))
    assert from_stored(json.loads(json.dumps(to_stored(settings)))) == settings
    path.write_text(entry)
    assert json.dumps(read({}, path).identity()["compare"]) == (
        '[{"name": "wide", "learning_rate": 1.0, "dropout": 0.0, "epochs": 5}]'
    )
    with pytest.raises(Refusal, match="compare 'wide': patience is missing"):
        read({"space.patience": "3,5"}, path)
    path.write_text(entry + "hidden = [0]\n")
    with pytest.raises(
        Refusal, match="compare 'wide': hidden must be a whole number of at least 1, but got 0"
    ):
        read({}, path)


def test_the_order_of_a_model_s_space_makes_another_study(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    entry = '[[models]]\nname = "svm"\nsource = "sklearn:sklearn.svm.SVC"\n[models.space]\n'
    made = []
    for axes in (
        'C = "1..9"\ngamma = "1..9"\n',
        'gamma = "1..9"\nC = "1..9"\n',
        'C = "1.0..9"\ngamma = "1..9"\n',
    ):
        path.write_text(entry + axes)
        made.append(canonical_hash(read({}, path).identity()))
    assert len(set(made)) == 3


def test_all_faults_are_named_at_once() -> None:
    with pytest.raises(Refusal, match=r"search\.seeds.*space\.dropout"):
        read({"search.seeds": "1", "space.dropout.high": "2"})


def test_a_settings_file_is_read_or_refused(tmp_path: Path) -> None:
    chapter, path = CHAPTER.read_text(), tmp_path / "mine.toml"
    for text, sentence in [
        (
            chapter.replace("dropout = 0.3", "dropuot = 0.3"),
            "compare 'chapter second': dropuot is not a parameter of mlp: expected one of learning_rate",
        ),
        ("[confirm]\nseeds = 'x'", "confirm.seeds must be a whole number"),
        ("[data", "cannot be read as TOML"),
        ("split = 3", "split must be a table, but is 3"),
        (chapter.replace('name = "chapter second"', 'name = "winner"'), "none of winner"),
    ]:
        path.write_text(text)
        with pytest.raises(Refusal, match=sentence):
            read({}, path)
    with pytest.raises(Refusal, match="does not exist"):
        read({}, tmp_path / "none.toml")


def test_a_settings_file_lies_over_the_defaults(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("network.hidden = [4]\n[search]\nseeds = 3\n[search.trials]\ntpe = 5\n")
    settings = read({"search.seeds": "4"}, path)
    assert (settings.network.hidden, settings.trials, settings.search.seeds) == ((4,), 5, 4)
    assert (settings.search.trials.sobol, settings.network.batch_size) == (32, 32)
    path.write_text("")
    assert read({}, path) == read({})


def test_what_is_typed_does_not_hide_a_fault_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("search = 3\nsplit = 'x'\nsize = 1\n")
    with pytest.raises(Refusal, match=r"^sizes is not.*size is not.*split must be a table.*search must be a"):
        read({"search.trials": "9", "split.seed": "7", "sizes": "1"}, path)


def test_the_chapter_adds_two_recipes_and_one_case_and_its_study_keeps_the_plain_name() -> None:
    plain, chapter = read({}), read({}, CHAPTER)
    assert (plain.compare, plain.report.watch) == ((), ())
    assert [entry.name for entry in chapter.compare] == ["chapter", "chapter second"]
    assert chapter.report.watch == ("203",)
    assert chapter.model_copy(update={"compare": (), "report": plain.report}) == plain
    assert default_name(plain, "0123456789") == default_name(chapter, "0123456789") == "wisconsin"
    other = read({"split.seed": "7"}, CHAPTER)
    assert default_name(other, "0123456789") == "wisconsin-01234567"


def test_one_hidden_layer_may_be_a_number(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("network.hidden = 16")
    assert read({}, path).network.hidden == read({"network.hidden": "16"}).network.hidden == (16,)


def test_weights_of_classes_are_part_of_what_a_study_is_where_there_are_some() -> None:
    plain, balanced = read({}), read({"network.class_weight": "balanced"})
    assert plain.identity()["network"] == {"hidden": (16, 8), "batch_size": 32, "optimizer": "adam"}
    assert balanced.identity()["network"] == plain.identity()["network"] | {"class_weight": "balanced"}
    stored = to_stored(plain)
    del stored["network"]["class_weight"]  # as an earlier release stored it
    assert from_stored(stored) == plain
    assert from_stored(to_stored(balanced)) == balanced


def test_settings_survive_the_store() -> None:
    settings = read(
        {"search.trials": "64", "search.design": "sobol", "network.hidden": "[3, 2]", "split.stratify": "0"}
    )
    assert from_stored(to_stored(settings)) == settings
    assert (settings.trials, settings.network.hidden, settings.split.stratify) == (64, (3, 2), False)
    with pytest.raises(Refusal, match="another version"):
        from_stored("{}")
    older = to_stored(settings)
    del older["verdict"]
    with pytest.raises(Refusal, match=r"study again under another name .* or in another folder \(home=\)\.$"):
        from_stored(older)


@pytest.mark.parametrize("verb", [["report"], ["case", "ID=205"], ["track"]])
def test_a_study_of_another_version_is_refused_in_one_sentence(
    tiny: Path, tmp_path: Path, verb: list[str], capsys: pytest.CaptureFixture
) -> None:
    """A stored study whose settings lack what this version asks for."""
    home = shutil.copytree(tiny, tmp_path / "mlruns")
    for path in (home / "studies").glob("*/*.json"):
        content = json.loads(path.read_text())
        if "settings" in content:
            del content["settings"]["verdict"], content["settings"]["rivals"]
            del content["settings"]["report"]["looks"]
            path.write_text(json.dumps(content))
    capsys.readouterr()
    assert main([verb[0], f"MLRUNS={home}", f"NAME={study_name(home)}", *verb[1:]]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("handnet: the study was stored by another version of the harness")
    assert "study again under another name" in line
    assert "missing" not in line


def test_what_decides_makes_another_study_and_what_the_report_adds_does_not() -> None:
    plain = read({}).decided(2)
    other = read({"verdict.score": "sensitivity", "verdict.equal": ".02"}).decided(2)
    assert other.identity()["verdict"] == {"score": "sensitivity", "equal": 0.02}
    assert plain.identity()["verdict"] == {"score": "accuracy", "equal": 0.01}
    assert default_name(other, "0123456789") == "wisconsin-01234567"
    said = {"report.prevalence": ".05", "report.looks": "ledger", "report.thresholds": "[.3, 0.5]"}
    assert read(said).report.thresholds == (0.3, 0.5)
    assert read(said).decided(2).identity() == plain.identity()
    assert from_stored(to_stored(read(said))).report == read(said).report


def test_what_an_earlier_release_stored_is_read_and_is_the_same_study(tmp_path: Path) -> None:
    """It knew nothing of columns that are left out, nor of a separator."""
    described = {"data.path": str(tmp_path / "x.csv"), "data.target": "y", "data.positive": "1"}
    settings = read(described)
    stored = to_stored(settings)
    for key in ("leave", "text", "number", "separator", "decimal", "encoding"):
        del stored["data"][key]
    assert from_stored(stored) == settings
    more = read(described | {"data.leave": "a,b", "data.text": 'c,"d, e"', "data.number": '["f"]'})
    assert (more.data.leave, more.data.text, more.data.number) == (("a", "b"), ("c", "d, e"), ("f",))
    assert from_stored(to_stored(more)) == more
    assert more.identity() == settings.identity()  # the digest of the table tells them apart


def test_columns_are_named_in_a_settings_file_too(tmp_path: Path) -> None:
    path = tmp_path / "my.toml"
    path.write_text('[data]\npath = "x.csv"\ntarget = "y"\npositive = "1"\nleave = ["a, b", "c"]\n')
    assert read({}, path).data.leave == ("a, b", "c")
    assert read({"data.leave": ""}, path).data.leave == ()
    path.write_text("[data]\nleave = 'a'\n")
    with pytest.raises(Refusal, match=r"data\.leave must be a list, but is 'a'"):
        read({}, path)
    for words, sentence in (
        ({"data.leave": "a"}, "LEAVE=.* describe a table of your own"),
        ({"data.decimal": ","}, "describe a table of your own, but wisconsin is built in"),
        ({"data.leave": 'a,"b'}, "is no list of columns"),
    ):
        with through("make"), pytest.raises(Refusal, match=sentence):
            read(words)


@pytest.mark.parametrize(("classes", "score"), [(2, "rmse"), (3, "auc_x"), (0, "accuracy"), (0, "bias")])
def test_a_score_that_a_task_does_not_have_decides_nothing(classes: int, score: str) -> None:
    with pytest.raises(Refusal, match=f"verdict.score must be one of .*, but is '{score}'"):
        read({"verdict.score": score}).decided(classes)


def test_the_score_that_decides_is_the_tasks_own_unless_one_is_named() -> None:
    found = {classes: read({}).decided(classes).verdict.score for classes in (0, 2, 3)}
    assert found == {0: "rmse", 2: "accuracy", 3: "accuracy"}
    assert read({"verdict.score": "mae"}).decided(0).verdict.score == "mae"


@pytest.mark.parametrize(
    ("classes", "key", "value"),
    [(0, "prevalence", ".1"), (3, "prevalence", ".1"), (2, "tolerance", "5"), (3, "tolerance", "5")],
)
def test_what_says_nothing_of_a_task_is_refused(classes: int, key: str, value: str) -> None:
    with pytest.raises(Refusal, match=f"(?i){key}.*leave it out"):
        read({f"report.{key}": value}).decided(classes)
