"""Runs that others have logged to MLflow in their four habits, read back; the oracle is what was logged."""

from dataclasses import dataclass, field
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient

from handnet import Refusal, log_predictions
from handnet.messages import through
from handnet.predictions.columns import Columns
from handnet.predictions.form import Results
from handnet.predictions.pairs import compare_results
from handnet.predictions.tracked import from_mlflow

N = 40
CASES = np.array([f"case {at}" for at in range(N)])
Y = np.arange(N) % 3 % 2


def guesses(model: int, seed: int) -> np.ndarray:
    """(n,) probabilities, of each model and seed others."""
    return 1 / (1 + np.exp(-2 * np.sin(1.3 * np.arange(N) + 0.7 * seed + 0.4 * model) - (2 * Y - 1)))


@dataclass
class Foreign:
    """What was logged to an address. outputs, scores: (experiment, model, seed) -> probabilities, scores."""

    uri: str
    outputs: dict[tuple[str, str, str], np.ndarray] = field(default_factory=dict)
    scores: dict[tuple[str, str, str], dict[str, float]] = field(default_factory=dict)
    runs: int = 0


def place(name: str) -> str:
    """The id of the experiment of that name. `mlflow.set_experiment` would outlive this file's store."""
    found = mlflow.get_experiment_by_name(name)
    return found.experiment_id if found else mlflow.create_experiment(name)


def metrics_alone(foreign: Foreign, seeds: int) -> None:
    """Habit 1: scores of each seed, settings as params, names of MLflow's; one has failed, one runs on."""
    there = place("sweep")
    for model, lr in enumerate((0.1, 0.01, 0.001)):
        for seed in range(seeds):
            accuracy = float(np.mean((guesses(3 * model, seed) > 0.5) == Y))
            with mlflow.start_run(experiment_id=there):
                mlflow.log_params({"lr": lr, "seed": seed})
                for epoch in range(3):
                    mlflow.log_metric("train_loss", 1 / (epoch + 1), step=epoch)
                    mlflow.log_metric("test_accuracy", accuracy + (epoch - 2) / 100, step=epoch)
                mlflow.log_metric("val_accuracy", accuracy / 2)
            foreign.scores["sweep", f"lr={lr}", str(seed)] = {"accuracy": accuracy}
            foreign.runs += 1
    client = MlflowClient()
    experiment = client.get_experiment_by_name("sweep").experiment_id
    client.set_terminated(client.create_run(experiment).info.run_id, "FAILED")
    client.create_run(experiment)
    foreign.runs += 2


def tables(foreign: Foreign, seeds: int, folder: Path) -> None:
    """Habit 2: a table of each seed among the artifacts, of three kinds of files; the run's name tells it."""
    there = place("tables")
    for model, name in enumerate(("small", "large")):
        for seed in range(1, seeds + 1):
            p = guesses(model, seed)
            table = pd.DataFrame({"id": CASES, "truth": Y, "proba": p})
            with mlflow.start_run(experiment_id=there, run_name=f"{name}-net-seed{seed}"):
                if seed == 1:
                    mlflow.log_table(table, "preds/test.json")
                elif seed == 2:
                    table.to_parquet(folder / "test.parquet")
                    mlflow.log_artifact(str(folder / "test.parquet"), "preds")
                else:
                    table.sample(frac=1, random_state=seed).to_csv(folder / "test.csv", index=False)
                    mlflow.log_artifact(str(folder / "test.csv"), "preds")
                mlflow.log_text("nothing", "preds/notes/readme.md")
            foreign.outputs["tables", f"{name}-net", str(seed)] = p
            foreign.runs += 1
    with mlflow.start_run(experiment_id=there, run_name="small-net-seed77"):
        mlflow.log_param("forgot", "the table")
    foreign.runs += 1


def nested(foreign: Foreign, seeds: int) -> None:
    """Habit 3: a run a model, in which the runs of its seeds are nested; they log with one line."""
    there = place("nested")
    for model, name in enumerate(("forest", "boosting", "linear")):
        with mlflow.start_run(experiment_id=there, run_name=name):
            for seed in range(seeds if name != "linear" else 1):
                p = guesses(model, seed)
                with mlflow.start_run(experiment_id=there, run_name=f"{seed}", nested=True):
                    log_predictions(CASES, Y, p, seed=seed if name != "linear" else None)
                    mlflow.log_metric("accuracy", float(np.mean((p > 0.5) == Y)))
                foreign.outputs["nested", name, str(seed) if name != "linear" else ""] = p
                foreign.runs += 1
        foreign.runs += 1


def autologged(foreign: Foreign, seeds: int) -> None:
    """Habit 4: nothing but mlflow.sklearn.autolog() before the training."""
    from sklearn import metrics
    from sklearn.ensemble import ExtraTreesClassifier
    from sklearn.tree import DecisionTreeClassifier

    there = place("autolog")
    mlflow.sklearn.autolog(log_models=False, log_datasets=False, silent=True)
    try:
        X = pd.DataFrame(np.random.default_rng(0).normal(size=(N, 3)) + Y[:, None] / 2)
        X_train, X_test, y_train, y_test = X[:24], X[24:], Y[:24], Y[24:]
        for kind in (DecisionTreeClassifier, ExtraTreesClassifier)[: seeds - 1]:
            for seed in range(seeds):
                more = {"n_estimators": 2} if kind is ExtraTreesClassifier else {"max_features": 1}
                with mlflow.start_run(experiment_id=there):
                    model = kind(random_state=seed, **more).fit(X_train, y_train)
                    accuracy = model.score(X_test, y_test)
                    called = model.predict(X_test)
                    f1 = metrics.f1_score(y_test, called)
                foreign.scores["autolog", kind.__name__, str(seed)] = {"accuracy": accuracy, "f1": f1}
                foreign.runs += 1
    finally:
        mlflow.sklearn.autolog(disable=True)


def logged(uri: str, folder: Path, seeds: int) -> Foreign:
    foreign = Foreign(uri)
    mlflow.set_tracking_uri(uri)
    if uri.startswith("sqlite"):
        for name in ("sweep", "tables", "nested", "autolog"):
            mlflow.create_experiment(name, (folder / "artifacts" / name).as_uri())
    try:
        metrics_alone(foreign, seeds)
        tables(foreign, seeds, folder)
        nested(foreign, seeds)
        autologged(foreign, seeds)
    finally:
        mlflow.set_tracking_uri(None)
    return foreign


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Foreign:
    """Few runs, in a database."""
    folder = tmp_path_factory.mktemp("foreign")
    return logged(f"sqlite:///{folder}/mlflow.db", folder, 2)


def outputs_of(results: Results) -> dict[tuple[str, str], np.ndarray]:
    """(model, seed) -> probabilities in the order of CASES."""
    found = {}
    for one in results.predicted:
        places = {case: at for at, case in enumerate(one.cases.ids)}
        order = [places[case] for case in CASES]
        np.testing.assert_array_equal(one.cases.y[order], Y)
        for seed, row in zip(one.seeds or ("",), one.outputs, strict=True):
            found[one.model, seed] = 1 / (1 + np.exp(-row[order]))
    return found


def check_outputs(foreign: Foreign, experiment: str, results: Results) -> None:
    expected = {key[1:]: p for key, p in foreign.outputs.items() if key[0] == experiment}
    found = outputs_of(results)
    assert found.keys() == expected.keys()
    for key, p in expected.items():
        of_ten_decimals = experiment == "tables" and key[1] == "1"  # as mlflow.log_table writes JSON
        np.testing.assert_allclose(found[key], p, rtol=1e-8 if of_ten_decimals else 1e-12)


def check_scores(foreign: Foreign, experiment: str, results: Results) -> None:
    expected = {key[1:]: scores for key, scores in foreign.scores.items() if key[0] == experiment}
    found = {
        (one.model, seed): {name: values[at] for name, values in one.scores.items()}
        for one in results.scored
        if one.part == "test"
        for at, seed in enumerate(one.seeds)
    }
    assert found == expected


def check_habits(foreign: Foreign) -> None:
    """Every habit, read back with as few options as it needs."""
    sweep = from_mlflow("sweep", by="params.lr", tracking_uri=foreign.uri)
    check_scores(foreign, "sweep", sweep)
    told = " ".join(sweep.notes)
    assert "not finished are left out: 1 failed, 1 running" in told
    assert "training rows are left out: train_loss" in told
    assert {one.part for one in sweep.scored} == {"val", "test"}

    read = from_mlflow("tables", artifact="preds/*.*", tracking_uri=foreign.uri, columns=Columns(y="truth"))
    check_outputs(foreign, "tables", read)
    assert any("have no artifact preds/*.*: small-net-seed77" in note for note in read.notes)

    check_outputs(foreign, "nested", from_mlflow("nested", tracking_uri=foreign.uri))

    auto = from_mlflow("autolog", tracking_uri=foreign.uri)
    check_scores(foreign, "autolog", auto)
    assert any("training_accuracy_score" in note for note in auto.notes)


def test_the_four_habits_are_read_from_a_database(foreign: Foreign) -> None:
    check_habits(foreign)


def test_a_run_gets_a_file_for_each_call_and_the_tags_that_it_lacks(foreign: Foreign, tmp_path: Path) -> None:
    mlflow.set_tracking_uri(foreign.uri)
    try:
        experiment = mlflow.create_experiment("one line", (tmp_path / "files").as_uri())
        with mlflow.start_run(experiment_id=experiment, tags={"seed": "7"}) as run:
            said = [log_predictions(CASES, Y, guesses(0, 0), seed=3, model="m") for _ in range(2)]
            log_predictions(CASES, Y, guesses(0, 0), seed=3, folder=tmp_path / "aside")
        tags = mlflow.get_run(run.info.run_id).data.tags
        assert (tags["seed"], tags["model"], tags["handnet.predictions"]) == ("7", "m", "true")
        for address in said:
            table = pd.read_parquet(mlflow.artifacts.download_artifacts(address))
            assert set(table["seed"]) == {"3"}
            np.testing.assert_array_equal(table["p"], guesses(0, 0))
        there = mlflow.artifacts.list_artifacts(run_id=run.info.run_id, artifact_path="predictions")
        assert sorted(f"runs:/{run.info.run_id}/{one.path}" for one in there) == sorted(said)
        assert len(list((tmp_path / "aside").iterdir())) == 1
    finally:
        mlflow.set_tracking_uri(None)
    with pytest.raises(Refusal, match="of the run"):
        from_mlflow("one line", tracking_uri=foreign.uri)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ({"experiment": "tabels"}, "did you mean tables?"),
        ({"experiment": "sweep"}, 'differ in lr; by="params.lr"'),
        ({"experiment": "sweep", "metrics": "test_acc"}, "did you mean test_accuracy?"),
        ({"experiment": "sweep", "by": "params.lrate"}, "did you mean params.lr?"),
        ({"experiment": "sweep", "by": "parent"}, "no run is nested"),
        ({"experiment": "tables"}, "hold no metrics and nothing from log_predictions"),
        ({"experiment": "tables", "artifact": "preds/*.xls"}, "the first has preds/"),
        ({"experiment": "tables", "artifact": "preds/notes/*"}, "is no table that is read"),
        ({"experiment": "tables", "artifact": "x", "metrics": "y"}, "give one"),
        ({"experiment": "nested", "by": "tags.seed"}, "are of one fit (seed=0, division study, seed 0)"),
        ({"experiment": "Default"}, "there are no runs in it"),
        ({"experiment": "sweep", "tracking_uri": "sqlite:///nowhere.db"}, "no runs of MLflow at nowhere.db"),
        ({"experiment": "sweep", "tracking_uri": "nowhere"}, "no runs of MLflow at nowhere"),
        ({"experiment": "sweep", "tracking_uri": "http://127.0.0.1:9"}, "it does not answer; start it"),
    ],
)
def test_what_cannot_be_read_is_refused_in_one_sentence(
    foreign: Foreign, words: dict[str, str], sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with through("python"), pytest.raises(Refusal) as refusal:
        from_mlflow(**{"tracking_uri": foreign.uri, **words})
    assert sentence in refusal.value.sentence
    assert "\n" not in str(refusal.value)
    assert not list(tmp_path.iterdir())


def test_of_two_runs_of_one_fit_the_later_may_count(foreign: Foreign) -> None:
    results = from_mlflow("nested", by="tags.seed", tracking_uri=foreign.uri, latest=True)
    found = outputs_of(results)
    assert found.keys() == {("seed=0", "0"), ("seed=1", "1")}  # not `linear`: it has no tag
    np.testing.assert_allclose(found["seed=0", "0"], guesses(1, 0), rtol=1e-12)
    assert any("the latest is taken" in note for note in results.notes)


def test_keys_of_runs_are_no_columns_of_their_tables(foreign: Foreign, tmp_path: Path) -> None:
    """And metrics alone do not hide that there are tables."""
    experiment, table = "keyed", pd.DataFrame({"case": CASES, "y": Y})
    mlflow.set_tracking_uri(foreign.uri)
    try:
        mlflow.create_experiment(experiment, (tmp_path / experiment).as_uri())
        there = place(experiment)
        for model in range(2):
            for seed in range(2):
                table.assign(p=guesses(model, seed)).to_csv(tmp_path / f"seed{seed}.csv", index=False)
                with mlflow.start_run(experiment_id=there):
                    mlflow.log_params({"model": f"m{model}", "seed": seed})
                    mlflow.log_metric("test_accuracy", 0.5)
                    mlflow.log_artifact(str(tmp_path / f"seed{seed}.csv"), "preds")
    finally:
        mlflow.set_tracking_uri(None)
    keys = {"by": "params.model", "seed": "params.seed"}
    columns = Columns(model="params.model", seed="params.seed")
    with through("python"):
        metrics = from_mlflow(experiment, tracking_uri=foreign.uri, columns=columns, **keys)
    assert any('preds/seed1.csv; artifact="preds/seed*.csv"' in note for note in metrics.notes)
    read = from_mlflow(
        experiment, artifact="preds/seed*.csv", tracking_uri=foreign.uri, columns=columns, **keys
    )
    found = outputs_of(read)
    assert found.keys() == {(f"m{model}", str(seed)) for model in range(2) for seed in range(2)}
    np.testing.assert_allclose(found["m1", "0"], guesses(1, 0), rtol=1e-12)


def test_scores_that_bear_the_name_of_an_estimator_are_one_score(foreign: Foreign, tmp_path: Path) -> None:
    from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier

    X = pd.DataFrame(np.random.default_rng(0).normal(size=(N, 3)) + Y[:, None] / 2)
    Xa, Xb, expected = X[:24], X[24:], dict[tuple[str, str], float]()
    mlflow.set_tracking_uri(foreign.uri)
    mlflow.sklearn.autolog(log_models=False, log_datasets=False, silent=True)
    try:
        mlflow.create_experiment("rows of any name", (tmp_path / "auto").as_uri())
        there = place("rows of any name")
        for kind in (RandomForestClassifier, ExtraTreesClassifier):
            for seed in range(3):
                with mlflow.start_run(experiment_id=there):
                    model = kind(2, random_state=seed).fit(Xa, Y[:24])
                    expected[kind.__name__, str(seed)] = model.score(Xb, Y[24:])
    finally:
        mlflow.sklearn.autolog(disable=True)
        mlflow.set_tracking_uri(None)
    results = from_mlflow("rows of any name", tracking_uri=foreign.uri)
    found = {
        (one.model, seed): value
        for one in results.scored
        for seed, value in zip(one.seeds, one.scores["accuracy"], strict=True)
    }
    assert found == expected
    assert any("'Xb'" in note for note in results.notes)
    assert compare_results(results)["comparisons"][0]["decides"]["score"] == "accuracy"


@pytest.mark.long
def test_the_four_habits_are_read_from_a_server(tmp_path: Path) -> None:
    from test_study_tracking import Server

    server = Server(tmp_path)
    try:
        server.wait()
        foreign = logged(server.url, tmp_path, 3)
        assert foreign.runs >= 30
        check_habits(foreign)
    finally:
        server.kill()
