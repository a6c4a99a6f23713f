"""What leaves a study as a model: MLflow's and the Keras file give what the report grades, for each task."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, softmax

from handnet import Dataset, Recipe, load_backend, split
from handnet.draws import generator
from handnet.study.configuration import Configuration
from handnet.study.gaps import gap_quantities
from handnet.study.identity import make_problem
from handnet.study.logged_model import served_model
from handnet.study.metrics import MOST, main_metrics, network_metrics
from handnet.study.networks import Replicas
from handnet.study.reading import read
from handnet.study.records import Records
from handnet.study.score_bands import score_quantities
from handnet.study.served_model import SeedEnsemble
from handnet.study.summary import middle_seed
from handnet.study.units import Confirmed, Problem

TABLES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "wisconsin": expit,
    "wine": lambda z: softmax(z, axis=-1),
    "diabetes": lambda z: z,
}  # what a person is given, from the outputs that are stored


@pytest.fixture(scope="module", params=list(TABLES))
def trained(request: pytest.FixtureRequest) -> tuple[str, Problem, Replicas]:
    problem = make_problem(read({"data.name": request.param, "backend.name": "numpy"}))
    return request.param, problem, problem.fit(Recipe(epochs=8, learning_rate=0.02), range(5))


def test_the_logged_model_gives_what_is_stored(
    trained: tuple[str, Problem, Replicas], tmp_path: Path
) -> None:
    table, problem, replicas = trained
    served, model, data = served_model(problem, replicas), SeedEnsemble(), problem.data
    (tmp_path / "weights.npz").write_bytes(served.weights)
    model.load_context(SimpleNamespace(artifacts={"weights": str(tmp_path / "weights.npz")}))
    rows = pd.DataFrame(data.X, columns=list(data.feature_names)).iloc[problem.parts.val_rows]
    found = model.predict(None, rows)
    stored = TABLES[table](replicas.val_logits.astype(np.float64))
    low, high = np.quantile(stored, [0.025, 0.975], axis=0)
    for end, values in (("mean", stored.mean(axis=0)), ("q025", low), ("q975", high)):
        names = [f"{end} {name}" for name in data.class_names] if stored.ndim == 3 else [end]
        np.testing.assert_allclose(found[names].to_numpy().squeeze(), values, rtol=1e-5, atol=1e-7)
    assert len(found.columns) == 3 * (len(data.class_names) if stored.ndim == 3 else 1)
    pd.testing.assert_frame_equal(found.iloc[:5], served.prediction, rtol=1e-6)


def test_the_keras_file_gives_what_is_stored(trained: tuple[str, Problem, Replicas], tmp_path: Path) -> None:
    table, problem, replicas = trained
    winner = Confirmed("winner", "c", Configuration.of(Recipe(epochs=8)), replicas, replicas.val_logits, None)
    ((name, content),) = Records("s", "f", read({}), problem)._keras_file(winner).items()
    (tmp_path / name).write_bytes(content)
    import keras

    found = keras.models.load_model(tmp_path / name).predict(problem.parts.val.X, verbose=0)
    place = middle_seed(problem.task, replicas, problem.parts.val.y)
    assert name == f"seed_{place}.keras"
    stored = TABLES[table](replicas.val_logits[place].astype(np.float64))
    np.testing.assert_allclose(found.squeeze(), stored, rtol=1e-4, atol=1e-6)


def test_fifty_classes_have_no_more_metrics_than_anybody_finds() -> None:
    y = np.arange(600) % 50
    X = generator(3, 0).normal(size=(600, 4)) + y[:, None]
    names = tuple(f"class {place}" for place in range(50))
    ids, columns = np.arange(600).astype(str), tuple("abcd")
    data = Dataset("fifty", X, y.astype(np.int8), ids, columns, columns, names)
    problem = Problem(data, split(data), load_backend("numpy"), read({"backend.name": "numpy"}).backend)
    replicas = problem.fit(Recipe(epochs=2), range(3))
    assert len(network_metrics(replicas.one(0), problem)) < 15
    bands = score_quantities(problem.task, replicas.val_logits, problem.parts.val.y, "val")
    assert 0 < len(main_metrics(problem.task, [*bands, *gap_quantities(replicas)])) <= MOST
