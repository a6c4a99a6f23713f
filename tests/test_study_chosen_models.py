"""The front doors to any model: what is typed and what Python gives, refusals, the same call again."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import optuna
import pandas as pd
import pytest
import scipy.stats
from canonical import digest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from studies import cli, refused

import handnet
from handnet import Refusal, run_study
from handnet.cli import main
from handnet.messages import option, through
from handnet.report.search_facts import tuned
from handnet.study.chosen_models import models_of
from handnet.study.given_models import Chosen
from handnet.study.options import settings_and_table
from handnet.study.settings import Settings
from handnet.study.space import Choice, Range

FOREST = "sklearn:sklearn.ensemble.RandomForestClassifier"
NAME = "RandomForestClassifier"


def typed(model: tuple[str, ...] = (), space: tuple[str, ...] = (), fixed: tuple[str, ...] = ()) -> Settings:
    options = {"model": model, "space": space, "fixed": fixed, "inputs": None}
    return settings_and_table({}, None, models=models_of(options))[0]


def given(**arguments: Any) -> Settings:
    return settings_and_table({}, None, models=Chosen(**arguments).models()[0])[0]


def fit_predict(X_train: Any, y_train: Any, params: Any, seed: int, X: Any) -> Any:
    model = RandomForestClassifier(n_estimators=3, random_state=seed, **params)
    return model.fit(X_train, y_train).predict_proba(X)


def space(trial: optuna.Trial) -> None:
    trial.suggest_int("max_depth", 1, 3)


def test_several_options_are_one_with_semicolons() -> None:
    axes = ("max_depth=2..10", 'criterion=["gini", "a;b"]', "max_features=0.1..1.0 log")
    apart, together = typed((FOREST,), axes), typed((FOREST,), (" ; ".join(axes),))
    assert apart == together
    assert apart.models[0].space == {
        "max_depth": Range(2, 10, whole=True),
        "criterion": Choice(("gini", "a;b")),
        "max_features": Range(0.1, 1.0, log=True),
    }


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("import os; os._exit(3)", "mine.py cannot be imported: its process ended with exit code 3."),
        (
            "import time; time.sleep(600)",
            "mine.py cannot be imported: it took longer than 0.5 s, and its process",
        ),
        ("1 / 0", "mine.py cannot be imported in line 1: ZeroDivisionError: division by zero."),
    ],
    ids=["ends", "hangs", "raises"],
)
def test_a_file_that_cannot_be_imported_costs_a_sentence(
    text: str,
    sentence: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("handnet.study.chosen_models.LOADING", 0.5)
    (tmp_path / "mine.py").write_text(text)
    refused(capsys, [sentence], "study", "--model", f"call:{tmp_path / 'mine.py'}:fit_predict", "--check")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("none", None),
        ("true", True),
        ("True", True),
        ("3", 3),
        (".5", 0.5),
        ("sqrt", "sqrt"),
        ('"none"', "none"),
        ("[16, 8]", (16, 8)),
    ],
)
def test_a_fixed_value_is_what_it_says(text: str, value: object) -> None:
    found = typed((FOREST,), fixed=(f"max_features={text}",)).models[0].fixed["max_features"]
    assert (found, type(found)) == (value, type(value))


def test_parameters_go_to_the_model_they_name() -> None:
    settings = typed(
        ("mlp", f"my forest={FOREST}", "call:a/my.py:fit"),
        ("mlp.epochs=5..9", "my forest.max_depth=2..3", "my.fit.rate=0.1..0.2"),
        ("mlp.dropout=0.2", "my forest.n_estimators=4"),
    )
    assert settings.studied == ("mlp", "my forest", "my.fit")
    assert (settings.space["epochs"], settings.fixed) == (Range(5, 9, whole=True), {"dropout": 0.2})
    assert "dropout" not in settings.space
    assert "learning_rate" in settings.space
    assert [[*model.space] for model in settings.models] == [[], ["max_depth"], ["rate"]]
    assert settings.model("my forest").fixed == {"n_estimators": 4}


def test_without_a_model_parameters_are_those_of_the_network() -> None:
    settings = typed(space=("weight_decay=1e-5..1e-2 log",), fixed=("dropout=0.2",))
    assert settings.models == ()
    assert [*settings.space] == ["learning_rate", "epochs", "weight_decay"]
    assert settings == given(space={"weight_decay": (1e-5, 1e-2, "log")}, fixed={"dropout": 0.2})
    assert typed() == typed(("mlp",)) == given() == given(model="mlp")


def test_a_settings_file_names_models(tmp_path: Path) -> None:
    file = tmp_path / "my.toml"
    file.write_text(
        f'[[models]]\nsource = "mlp"\nspace = {{epochs = [5, 9]}}\n[[models]]\nsource = "{FOREST}"\n'
        'space = {max_depth = {low = 2, high = 3}}\nfixed = {criterion = "gini"}\n'
    )
    settings, _ = settings_and_table({}, file)
    assert settings.studied == ("mlp", NAME)
    assert settings.space["epochs"] == Choice((5, 9))
    assert settings.models[1].space == {"max_depth": Range(2, 3, whole=True)}
    options = {"model": (), "space": ("epochs=3..5",), "fixed": (), "inputs": None}
    with pytest.raises(Refusal, match="the settings file names models"):
        settings_and_table({}, file, models=models_of(options))


@pytest.mark.parametrize(
    ("form", "axis"),
    [
        ((2, 10), Range(2, 10, whole=True)),
        ((np.float64(0.5), 1), Range(0.5, 1)),
        ((1e-3, 10.0, "log"), Range(1e-3, 10, log=True)),
        (range(2, 6), Range(2, 5, whole=True)),
        ([None, 3], Choice((None, 3))),
        (np.array([1, 4]), Choice((1, 4))),
        ({"low": 1, "high": 2}, Range(1, 2, whole=True)),
        (scipy.stats.loguniform(0.5, 8), Range(0.5, 8, log=True)),
        (scipy.stats.uniform(1, 2), Range(1, 3)),
        (scipy.stats.randint(2, 6), Range(2, 5, whole=True)),
        (optuna.distributions.IntDistribution(1, 8, log=True), Range(1, 8, log=True, whole=True)),
        (optuna.distributions.IntDistribution(1, 7, step=3), Choice((1, 4, 7))),
        (optuna.distributions.FloatDistribution(0.1, 0.2), Range(0.1, 0.2)),
        (optuna.distributions.CategoricalDistribution(["a", None]), Choice(("a", None))),
    ],
    ids=lambda form: str(form)[:40],
)
def test_python_writes_an_axis_in_its_own_way(form: object, axis: object) -> None:
    assert given(model=RandomForestClassifier(), space={"max_depth": form}).models[0].space == {
        "max_depth": axis
    }


def test_models_of_python_have_names() -> None:
    pipe = make_pipeline(StandardScaler(), LogisticRegression())
    several: list[Any] = [RandomForestClassifier, pipe, fit_predict, "net=keras:my.py:build", "mlp"]
    names = (NAME, "StandardScaler-LogisticRegression", "fit_predict", "net", "mlp")
    assert given(model=several).studied == names
    named = given(model={"a": pipe, "b": pipe}, space={"b": space}, fixed={"a": {"x__y": np.int64(2)}})
    assert named.studied == ("a", "b")
    assert (named.model("a").fixed, named.model("a").space) == ({"x__y": 2}, {})
    assert named.searched_of("b").reference == "object:space"


def test_what_a_function_suggests_was_chosen_is_a_sentence() -> None:
    settings = given(model={"b": RandomForestClassifier()}, space={"b": space})
    winner: Any = SimpleNamespace(role="winner", configuration=SimpleNamespace(model="b"))
    assert tuned(winner, settings).startswith(
        "the parameters that space suggests were chosen on the validation rows, of 40 configurations"
    )


REFUSED = [
    ({"model": 5}, "is of the type int"),
    ({"model": "forest"}, "must be mlp, sklearn:"),
    ({"model": []}, "model is empty"),
    ({"model": {3: Ridge()}}, "one name is 3"),
    ({"model": Ridge()}, "Ridge guesses a number"),
    ({"model": [Ridge(), Ridge()]}, "two models have the name 'Ridge'"),
    ({"model": {"winner": RandomForestClassifier()}}, "models.name must be unique"),
    ({"model": {"a/b": RandomForestClassifier()}}, "models.name must be unique"),
    ({"model": {"x": "mlp"}}, "mlp is the name of the network by hand alone"),
    ({"model": RandomForestClassifier(), "space": {"max_deph": (2, 3)}}, "did you mean max_depth"),
    ({"model": RandomForestClassifier(), "fixed": {"n_estimator": 3}}, "did you mean n_estimators"),
    ({"model": RandomForestClassifier(), "fixed": {"criterion": Ridge()}}, "give it to the model itself"),
    ({"model": RandomForestClassifier(), "space": [1]}, "space must be axes by name"),
    ({"model": RandomForestClassifier(), "space": {"max_depth": scipy.stats.norm()}}, "norm of SciPy's"),
    ({"model": RandomForestClassifier(), "space": {"max_depth": (9, 2)}}, "must have low <= high"),
    (
        {"model": RandomForestClassifier(), "space": {"max_depth": (2, 3)}, "fixed": {"max_depth": 2}},
        "both fixed and searched",
    ),
    ({"model": ["mlp", RandomForestClassifier()], "space": {"max_depth": (2, 3)}}, "no model 'max_depth'"),
    ({"model": ["mlp", RandomForestClassifier()], "space": space}, "of which model"),
    ({"space": {"max_depth": (2, 3)}}, "has no parameter 'max_depth'"),
    ({"inputs": "raw"}, "mlp gets encoded inputs"),
    ({"model": RandomForestClassifier(), "inputs": "rough"}, "one of encoded, raw"),
    ({"model": RandomForestClassifier(), "inputs": 3}, "is of the type int"),
]


@pytest.mark.parametrize(("arguments", "says"), REFUSED, ids=[says for _, says in REFUSED])
def test_what_is_no_model_is_refused_before_anything_is_trained(
    arguments: dict[str, Any], says: str, tmp_path: Path
) -> None:
    with pytest.raises(Refusal) as refusal:
        run_study(home=tmp_path / "mlruns", progress=False, **arguments)
    assert says in refusal.value.sentence
    assert "\n" not in str(refusal.value)
    assert not (tmp_path / "mlruns").exists()


WORDS = [
    (["--model", "forest"], "must be mlp, sklearn:MODULE.CLASS"),
    (["--model", "sklearn:none.py:f"], "cannot be read"),
    (["--model", "sklearn:my.py:forrest"], "did you mean forest"),
    (["--model", "sklearn:my.py:Nothing"], "must be an estimator"),
    (["--model", "call:my.py:odd"], "must be a function of"),
    (["--model", "a=mlp"], "mlp is the name of the network by hand alone"),
    (["--model", "mlp; mlp"], "two models have the name 'mlp'"),
    (["--model", f"a+b={FOREST}"], "models.name must be unique"),
    (["--model", FOREST, "diabetes"], "take a regressor"),
    (["--model", FOREST, "--space", "max_depth"], "as in max_depth=2..10"),
    (["--model", FOREST, "--space", "other.max_depth=2..3"], "there is no model 'other'"),
    (["--model", FOREST, "--model", "mlp", "--space", "max_depth=2..3"], "MODEL.max_depth="),
    (
        ["--model", FOREST, "--space", "max_depth=2..9 log; max_depth=3..4"],
        "max_depth is given a second time",
    ),
    (
        ["--model", FOREST, "--space", "max_depth=2..9", f"SPACE={NAME}.max_depth=2..9"],
        "a second time; leave",
    ),
    (
        ["--model", FOREST, "--fixed", "max_depth=2", "--fixed", "max_depth=2"],
        "max_depth=2: max_depth is given a second",
    ),
    (
        ["--model", FOREST, "--space", "my.py:odd", "--space", "my.py:forest"],
        "my.py:forest is a second space",
    ),
    (["--model", FOREST, "--space", "max_depth=2..9", "--space", "my.py:odd"], "my.py:odd is a second space"),
    (["--model", "own=call:my.py:Own"], "Own is a class: sklearn:my.py:Own"),
    (["--model", "call:my.py:own"], "own is an estimator: sklearn:my.py:own"),
    (["--model", "call:my.py:Nothing"], "Nothing is a class without fit"),
    (["--model", "my.py:pipe"], "sklearn:FILE.py:NAME (a class or a pipeline of yours)"),
    (["--model", FOREST, "--unit-timeout", "-1"], "units.timeout must be 0"),
    (["--space", "max_depth=2..10"], "names another"),
]


@pytest.mark.parametrize(("words", "says"), WORDS, ids=[says for _, says in WORDS])
def test_what_is_typed_wrongly_is_refused_in_a_sentence(
    words: list[str],
    says: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("my.py").write_text(
        "class Nothing: pass\ndef odd(X): pass\ndef forest(): pass\n"
        "class Own:\n    def fit(self, X, y): pass\nown = Own()\n"
    )
    refused(capsys, [says], "study", *words)
    assert [one.name for one in tmp_path.iterdir()] == ["my.py"]


def test_a_command_with_several_models_is_repeated_as_it_was_typed() -> None:
    axes = ("max_depth=2..10", "C=1e-3..1.0 log")
    with through("shell"):
        shell = option("space", axes)
    with through("make"):
        make = option("space", axes)
    assert shell == "--space max_depth=2..10 --space 'C=1e-3..1.0 log'"
    assert make == "SPACE='max_depth=2..10; C=1e-3..1.0 log'"
    shown = Chosen(RandomForestClassifier(n_estimators=3), {"max_depth": (2, 10), "C": [None]}).shown()
    assert option("model", shown["model"]) == "model=RandomForestClassifier(n_estimators=3)"
    assert option("space", shown["space"]) == 'space={"max_depth": (2, 10), "C": [None]}'
    assert option("space", Chosen(space=space).shown()["space"]) == "space=space"


@pytest.mark.parametrize(
    ("door", "forest", "two"),
    [
        ("shell", "handnet study --model sklearn:", "handnet study --model mlp --model sklearn:"),
        ("make", "make study MODEL=sklearn:", "make study MODEL='mlp; sklearn:"),
    ],
)
def test_the_help_shows_one_model_and_two(
    door: str, forest: str, two: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HANDNET_DOOR", door)
    assert main(["study", "--help"]) == 0
    said = capsys.readouterr().out
    assert forest in said
    assert two in said
    assert "sklearn:FILE.py:NAME" in said
    assert "sklearn:mymodel.py:pipe" in said


def test_the_preview_times_one_fit_of_each_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "bad.py").write_text("def fit(X, y, params, seed, Z):\n    raise ValueError('no')\n")
    models = f"--model={FOREST}", f"--model=bad=call:{tmp_path}/bad.py:fit"
    few = "TRIALS=3", "SEEDS=2", "CONFIRM=4", f"FIXED={NAME}.n_estimators=2"
    assert cli(tmp_path / "mlruns", "study", *models, *few, f"SPACE={NAME}.max_depth=2..3", "--check") == 0
    said = capsys.readouterr().out
    assert f"Search {NAME}: 6 fits (3 configurations x 2 seeds)." in said
    assert f"One fit of {NAME}: " in said
    assert "Search bad: 2 fits (1 configuration x 2 seeds)." in said
    assert "Lost: bad with its own parameters and seed 0: raised ValueError: no" in said
    time = next(line for line in said.splitlines() if line.startswith("Time: about "))
    assert f"({NAME} " in time
    assert "bad" not in time
    assert not (tmp_path / "mlruns").exists()


@pytest.mark.parametrize(
    ("first", "whom"),
    [
        ((), "For the rivals (own gets the table's own columns): "),
        (("--model=mlp",), "For the rivals, mlp (own gets the table's own columns): "),
        (None, ""),
    ],
    ids=["raw", "beside mlp", "mlp"],
)
def test_what_is_done_to_a_table_is_told_for_whom(
    first: tuple[str, ...] | None, whom: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Gaps, one-hot columns and constants are of encoded inputs; a raw pipeline gets them as they are."""
    numbers = np.random.default_rng(0)
    frame = pd.DataFrame({"x": numbers.normal(size=120), "form": ["round", "long", "flat"] * 40, "one": 1})
    frame["y"] = np.where(frame["x"] > 0, "yes", "no")
    frame.loc[::9, "x"] = np.nan
    frame.to_csv(tmp_path / "mine.csv", index=False)
    (tmp_path / "own.py").write_text(
        "def fit(X, y, params, seed, Z):\n    assert X['x'].isna().any()\n    return [0.5] * len(Z)\n"
    )
    file, model = str(tmp_path / "mine.csv"), f"--model=own=call:{tmp_path}/own.py:fit"
    words = ["study", file, "--target", "y", "--positive", "yes", "--missing", "median", "--check"]
    models = [] if first is None else [*first, model, "--inputs", "raw"]
    assert cli(tmp_path / "mlruns", *words, *models) == 0
    said = capsys.readouterr().out.splitlines()
    for note in ("Gaps of the ", "One-hot, from the levels", "Left out, because they never vary"):
        wanted = f"{whom}{note[0].lower() if whom else note[0]}{note[1:]}"
        assert len([line for line in said if line.startswith(wanted)]) == 1, said
    assert not [line for line in said if "Lost" in line], said


@pytest.mark.parametrize("limit", ["", "--unit-timeout=1"])
def test_the_preview_of_a_fit_that_takes_too_long_is_a_least_time(
    limit: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """6 + 4 fits of half a second or more on two workers; a limit of the reader's own ends such a fit."""
    monkeypatch.setattr("handnet.study.model_estimate.LIMIT", 0.5)
    (tmp_path / "slow.py").write_text(
        "import time\ndef fit(X, y, params, seed, Z):\n    time.sleep(600)\n    return Z[:, 0] > 0\n"
    )
    few = "TRIALS=3", "SEEDS=2", "CONFIRM=4", "SPACE=depth=2..9", "WORKERS=2"
    model = f"--model=slow=call:{tmp_path}/slow.py:fit"
    assert cli(tmp_path / "mlruns", "study", model, *few, *filter(None, [limit]), "--check") == 0
    said = capsys.readouterr().out
    (time,) = [line for line in said.splitlines() if line.startswith("Time: ")]
    if limit:
        assert re.search(r"Lost: slow with depth = \d and seed 0: it took longer than 1 s, and its", said)
        assert "slow" not in time
        return
    assert re.search(
        r"One fit takes longer than 0.5 s, and was ended: slow with depth = \d and seed 0\. If the others do"
        r" too, slow takes at least 2 s \(10 fits x 0.5 s on 2 workers\)\.",
        said,
    )
    assert "Lost" not in said
    assert time.startswith("Time: at least ")
    assert "(slow 2 s, " in time
    assert time.endswith("), if every fit of slow is as slow as the one that was timed.")


@pytest.fixture(scope="module")
def call(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., handnet.study.api.StudyResult]:
    home = tmp_path_factory.mktemp("models")

    def study(model: object = fit_predict, **more: Any) -> handnet.study.api.StudyResult:
        few = {"trials": 2, "seeds": 2, "confirm": 2, "splits": 0}
        return run_study(home=home, progress=False, model=model, space=space, **few, **more)

    return study


def test_the_same_call_is_the_same_study_and_a_changed_function_another(
    call: Callable[..., handnet.study.api.StudyResult],
) -> None:
    first = call()
    home = first.report.parents[2]
    before = digest(home)
    assert call().name == first.name
    assert digest(home) == before
    assert first.facts["search"]["params"] == ["max_depth"]
    assert json.loads(first.report.with_suffix(".json").read_text()) == first.facts
    assert first.verdict.split(" [")[0] in first._repr_html_()
    assert {"winner"} <= {row.role for row in first.bands()}

    def fit_otherwise(X_train: Any, y_train: Any, params: Any, seed: int, X: Any) -> Any:
        return np.clip(fit_predict(X_train, y_train, params, seed, X), 0.01, 0.99)

    with pytest.raises(Refusal) as refusal:
        call(model={"fit_predict": fit_otherwise}, name=first.name)
    assert "another" in refusal.value.sentence or "other" in refusal.value.sentence
