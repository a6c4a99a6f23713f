"""Any function as a model."""

from typing import Any, ClassVar

import lightgbm
import numpy as np
import pandas as pd
import pytest
from models_contract import ModelContract, part, rows
from sklearn.linear_model import LogisticRegression

from handnet import Refusal, Table
from handnet.models.call import CallModel
from handnet.models.model import Failed, Model, log_odds
from handnet.models.named import make_model
from handnet.tasks import task_of

TWO = task_of(2)


def boosted(X_train: Any, y_train: Any, params: dict[str, Any], seed: int, X: Any) -> Any:
    """Trees of LightGBM, grown on draws of rows and columns."""
    settings = {"seed": seed % 2**31, "num_threads": 1, "verbose": -1, "min_data_in_leaf": 3, **params}
    rounds = settings.pop("rounds")
    if isinstance(X, pd.DataFrame):
        X_train, X = X_train.drop(columns="site"), X.drop(columns="site")
    booster = lightgbm.train(settings, lightgbm.Dataset(X_train, y_train), rounds)
    return booster.predict(X)


DRAWN = {"bagging_fraction": 0.7, "bagging_freq": 1, "feature_fraction": 0.7, "eta": 0.3, "rounds": 12}


class TestLightGBM(ModelContract):
    params: ClassVar = {"objective": "binary", **DRAWN}

    def model(self) -> Model:
        return make_model(boosted)


class TestLightGBMOfThree(ModelContract):
    classes, params, text = 3, {"objective": "multiclass", "num_class": 3, **DRAWN}, True

    def model(self) -> Model:
        return make_model(f"call:{__name__}:boosted", inputs="raw")


class TestLightGBMOfNumbers(ModelContract):
    classes, params = 0, {"objective": "l2", **DRAWN}

    def model(self) -> Model:
        return make_model(boosted, fixed={"rounds": 99})


def careless(X_train: Any, y_train: Any, params: dict[str, Any], seed: int, X: Any) -> Any:
    """It writes to all that it is given and draws from the generator of the process."""
    X_train *= 2
    y_train[:] = 1 - y_train
    params["more"] = 1
    slope = X_train.T @ y_train + np.random.normal(size=4)  # noqa: NPY002 - its fault
    np.random.seed(0)  # noqa: NPY002 - the same
    X *= -1
    return 1 / (1 + np.exp(-X @ slope))


class TestOneThatChangesAllItTouches(ModelContract):
    whole = False

    def model(self) -> Model:
        return make_model(careless)


def ranks(X_train: Any, y_train: Any, params: dict[str, Any], X: Any) -> Any:
    """It looks at all rows at once and has no seed."""
    return X[:, :2].sum(axis=1).argsort().argsort() / len(X)


class TestOneWithoutASeed(ModelContract):
    whole, one_call = False, True

    def model(self) -> Model:
        model = make_model(ranks)
        assert not model.seeded
        return model


def test_a_model_that_remembers_breaks_the_first_law() -> None:
    calls = []

    def counts(X_train: Any, y_train: Any, params: dict[str, Any], seed: int, X: Any) -> Any:
        calls.append(seed)
        return np.full(len(X), len(calls) / 100)

    class Remembers(ModelContract):
        def model(self) -> Model:
            return make_model(counts)

    laws = [law for name, law in vars(ModelContract).items() if name.startswith("test_1")]
    for law in laws:
        with pytest.raises(AssertionError):
            law(Remembers())


def test_it_is_called_once_a_seed_with_what_it_is_promised() -> None:
    train, val = part(rows(3), 0, 40), part(rows(3), 40)
    seen = []

    def sees(*arguments: Any) -> Any:
        seen.append(arguments)
        return np.full((len(arguments[-1]), 3), 1 / 3)

    fitted = make_model(sees, fixed={"a": 1, "b": [2]}).fit(train, val, {"a": 3}, [7, 8], task_of(3))
    assert seen == []
    fitted.outputs(val.X)
    assert [arguments[3] for arguments in seen] == [7, 8]
    X, y, params, _, X_new = seen[0]
    np.testing.assert_array_equal(X, train.X)
    np.testing.assert_array_equal(y, train.y)
    assert y.dtype == np.int64
    np.testing.assert_array_equal(X_new, val.X)
    assert params == {"a": 3, "b": [2]}


@pytest.mark.parametrize(
    ("gives", "sentence"),
    [
        (
            lambda n: np.full(n - 1, 0.5),
            "of the shape (20,) or (20, 1) or (20, 2), but gave an array of the shape (19,)",
        ),
        (lambda n: np.full((n, 3), 1 / 3), "but gave an array of the shape (20, 3)."),
        (lambda _n: None, "but gave a single NoneType."),
        (lambda _n: 0.5, "but gave a single float."),
        (lambda _n: "yes", "must give probabilities, but gave something else, of the type str."),
        (lambda n: np.r_[np.nan, np.full(n - 1, 0.5)], "but gave NaN or infinity in 1 of 20 rows."),
        (lambda n: np.r_[1.5, 1.5, np.full(n - 2, 0.5)], "between 0 and 1, but gave 1.5 in 2 of 20 rows."),
        (lambda n: np.r_[-np.inf, np.full(n - 1, 0.5)], "but gave NaN or infinity in 1 of 20 rows."),
        (lambda n: np.full((n, 2), 0.4), "sum to 1 in each row, but they sum to 0.8 in 20 of 20 rows."),
    ],
)
def test_what_is_wrong_with_its_outputs_is_one_sentence(gives: Any, sentence: str) -> None:
    train, val = part(rows(2), 0, 40), part(rows(2), 40)

    def wrong(X_train: Any, y_train: Any, params: Any, seed: int, X: Any) -> Any:
        return gives(len(X))

    with pytest.raises(Failed) as failed:
        make_model(wrong).fit(train, val, {}, [0], TWO).outputs(val.X)
    assert str(failed.value).startswith("wrong must give")
    assert sentence in str(failed.value)


@pytest.mark.parametrize("shape", [(20,), (20, 1), (20, 2)])
def test_probabilities_of_two_classes_have_three_forms(shape: tuple[int, ...]) -> None:
    train, val = part(rows(2), 0, 40), part(rows(2), 40)
    p = np.linspace(0, 1, 20)

    def given(X_train: Any, y_train: Any, params: Any, seed: int, X: Any) -> Any:
        return np.stack([1 - p, p], axis=1) if shape == (20, 2) else p.reshape(shape)

    outputs = make_model(given).fit(train, val, {}, [0], TWO).outputs(val.X)
    inner = p[1:-1]
    np.testing.assert_allclose(outputs[0, 1:-1], np.log(inner / (1 - inner)), rtol=1e-12)
    np.testing.assert_allclose(outputs[0, [0, 19]], [np.log(1e-12), -np.log(1e-12)], rtol=1e-4)


def test_weights_are_given_to_a_function_that_asks_for_them() -> None:
    train, val = part(rows(2), 0, 40), part(rows(2), 40)
    weighted = Table(train.X, train.y, np.where(train.y == 1, 3.0, 1.0))

    def weighs(X: Any, y: Any, params: Any, seed: int, X_new: Any, sample_weight: Any = None) -> Any:
        return LogisticRegression().fit(X, y, sample_weight=sample_weight).predict_proba(X_new)

    by_hand = LogisticRegression().fit(train.X, train.y, sample_weight=weighted.weight)
    outputs = make_model(weighs).fit(weighted, val, {}, [0], TWO).outputs(val.X)
    np.testing.assert_array_equal(outputs, [log_odds(by_hand.predict_proba(val.X)[:, 1])])
    with pytest.raises(Refusal, match="ranks has no argument sample_weight"):
        make_model(ranks).fit(weighted, val, {}, [0], TWO)


@pytest.mark.parametrize("function", [lambda _X, _y: 0, lambda _a, _b, _c, _d, _e, _f: 0, 3, "call:math:pi"])
def test_what_cannot_be_called_so_is_refused(function: Any) -> None:
    with pytest.raises(Refusal, match="must be a"):
        make_model(function)


def test_a_function_without_a_seed_is_told_by_its_arguments() -> None:
    assert isinstance(make_model(ranks), CallModel)
    assert not make_model(ranks).seeded
    assert make_model(boosted).seeded
    assert make_model(lambda _a, _b, _c, _d, _e: 0).seeded
    assert make_model(lambda *_every: 0).seeded
