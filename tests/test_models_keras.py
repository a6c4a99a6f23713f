"""Keras models that a function builds, as models. The engine is TensorFlow."""

from typing import Any, ClassVar

import cloudpickle
import numpy as np
import pytest
from models_contract import ModelContract, globals_now, part, rows

from handnet import KerasModel, Refusal, Table
from handnet.models.keras import targets
from handnet.models.model import Failed, Model
from handnet.models.named import make_model
from handnet.tasks import Task, task_of

TWO, THREE, NUMBER = task_of(2), task_of(3), task_of(0)
EXITS = {2: ("sigmoid", "binary_crossentropy"), 3: ("softmax", "categorical_crossentropy"), 0: (None, "mse")}


def build(params: dict[str, Any], shape: tuple[int, ...], task: Task) -> Any:
    """A small network with dropout; eager, because tracing takes seconds."""
    import keras

    last, loss = EXITS[task.classes]
    layers = [keras.Input(shape), keras.layers.Dense(params["units"], "relu"), keras.layers.Dropout(0.2)]
    model = keras.Sequential([*layers, keras.layers.Dense(task.outputs, params.get("last", last))])
    model.compile(
        keras.optimizers.Adam(params["rate"]), params.get("loss", loss), run_eagerly=params["eager"]
    )
    return model


FEW = {"units": 4, "rate": 0.1, "epochs": 3, "batch_size": 50, "eager": True}


@pytest.mark.long
class TestNetworkOfThree(ModelContract):
    classes, whole = 3, False
    seeds: ClassVar = [5, 2**32 - 1]
    params: ClassVar = {**FEW, "loss": "sparse_categorical_crossentropy"}

    def model(self) -> Model:
        return make_model(f"keras:{__file__}:build")


def test_a_network_is_its_seed_and_its_weights_restore_it() -> None:
    train, val = part(rows(2), 0, 40), part(rows(2), 40)
    model, states = KerasModel(build), globals_now()
    fitted = model.fit(train, val, FEW, [4, 9], TWO)
    outputs = fitted.outputs(val.X)
    np.testing.assert_array_equal(model.fit(train, val, FEW, [9], TWO).outputs(val.X)[0], outputs[1])
    assert (outputs[0] != outputs[1]).any()
    arrays = fitted.arrays()
    assert arrays is not None
    assert {name: array.shape[1:] for name, array in arrays.items()} == {
        "weight_0": (4, 4),
        "weight_1": (4,),
        "weight_2": (4, 1),
        "weight_3": (1,),
    }
    hidden = np.maximum(val.X @ arrays["weight_0"][0] + arrays["weight_1"][0], 0)
    by_hand = hidden @ arrays["weight_2"][0] + arrays["weight_3"][0]
    np.testing.assert_allclose(outputs[0], by_hand[:, 0], rtol=1e-4, atol=1e-5)
    travelled = cloudpickle.loads(cloudpickle.dumps(model))
    np.testing.assert_array_equal(travelled.restored(arrays, FEW, 4, TWO).outputs(val.X), outputs)
    assert globals_now() == states


def predicted(params: dict[str, Any], task: Task, **model: Any) -> np.ndarray:
    """(n,) or (n, k) of one seed."""
    table = rows(task.classes)
    train, val = part(table, 0, 40), part(table, 40)
    return KerasModel(build, **model).fit(train, val, {**FEW, **params}, [1], task).outputs(val.X)[0]


@pytest.mark.long
def test_logits_are_taken_as_the_loss_says() -> None:
    import keras

    p = predicted({}, TWO)
    z = predicted({"last": None, "loss": keras.losses.BinaryCrossentropy(from_logits=True)}, TWO)
    np.testing.assert_allclose(p, z, rtol=1e-3, atol=1e-4)  # the same network, with its sigmoid elsewhere


@pytest.mark.parametrize(
    ("loss", "codes"),
    [
        ("sparse_categorical_crossentropy", True),
        ("categorical_crossentropy", False),
        ("SparseCategoricalCrossentropy", True),
        ("CategoricalFocalCrossentropy", False),
    ],
)
def test_targets_are_codes_or_one_hot_as_the_loss_takes_them(loss: str, codes: bool) -> None:
    class Compiled:
        output_shape = (None, 3)

    Compiled.loss = loss  # type: ignore[attr-defined]
    y = np.array([2, 0, 1], np.int8)
    expected = y if codes else np.eye(3)[[2, 0, 1]]
    np.testing.assert_array_equal(targets(Compiled, y, THREE), expected)
    np.testing.assert_array_equal(targets(Compiled, y / 2, NUMBER), [1, 0, 0.5])


def wrong(params: dict[str, Any], shape: tuple[int, ...], task: Task) -> Any:
    import keras

    model = keras.Sequential([keras.Input(shape), keras.layers.Dense(params["units"])])
    if params["gives"] == "compiled":
        model.compile("sgd", "mse")
    return {"nothing": None, "three": (model, {}, 1)}.get(params["gives"], model)


@pytest.mark.parametrize(
    ("gives", "units", "sentence"),
    [
        ("nothing", 1, "wrong must return a Keras model, or a model and a dict, but gave NoneType."),
        ("three", 1, "but gave tuple."),
        ("model", 1, "wrong must return a compiled model; call model.compile(optimizer, loss)."),
        (
            "compiled",
            3,
            "whose last layer has 1 or 2 units for two classes, but its outputs have the shape (None, 3).",
        ),
    ],
)
def test_what_is_built_wrongly_is_told_in_a_sentence(gives: str, units: int, sentence: str) -> None:
    train = rows(2)
    with pytest.raises(Failed) as failed:
        KerasModel(wrong).fit(train, train, {"gives": gives, "units": units}, [0], TWO)
    assert sentence in str(failed.value)


@pytest.mark.long
def test_a_network_without_a_sigmoid_gives_no_probabilities() -> None:
    with pytest.raises(
        Failed,
        match=r"build must give probabilities between 0 and 1, but gave .*; end the model with a sigmoid or",
    ):
        predicted({"last": None, "loss": "mse", "rate": 1.0}, TWO)


@pytest.mark.parametrize("params", [{"epochs": 0}, {"epochs": 2.5}, {"batch_size": "many"}])
def test_epochs_and_batches_are_counts(params: dict[str, Any]) -> None:
    with pytest.raises(Refusal, match=f"build: {next(iter(params))} must be a whole number of at least 1"):
        KerasModel(build).check(params, TWO)
    with pytest.raises(Refusal, match="its inputs must be encoded"):
        make_model(KerasModel(build), inputs="raw")
    for nothing in (3, lambda _params, _shape: None):
        with pytest.raises(Refusal, match="must be a function build"):
            KerasModel(nothing).check({}, TWO)  # type: ignore[arg-type]


seen: dict[str, Any] = {}


def watched(params: dict[str, Any], shape: tuple[int, ...], task: Task) -> Any:
    """A network with a callback, one that stops when the validation loss does not fall."""
    import keras

    class Watch(keras.callbacks.Callback):
        def on_epoch_end(self, _epoch: int, logs: Any = None) -> None:
            seen.setdefault("epochs", []).append(sorted(logs))

    seen["asked"] = params, shape, task
    return build(params, shape, task), {"callbacks": [Watch()], "epochs": 2}


@pytest.mark.long
def test_build_may_give_keywords_of_fit_and_callbacks_see_validation_rows() -> None:
    train, val = part(rows(2), 0, 40), part(rows(2), 40)
    weighted = Table(train.X, train.y, np.where(train.y == 1, 3.0, 1.0))
    model = make_model(KerasModel(watched, name="mine", fixed={"units": 3}))
    fitted = model.fit(weighted, val, {**FEW, "units": 5}, [0], TWO)
    assert model.name == "mine"
    assert seen["asked"] == ({**FEW, "units": 5}, (4,), TWO)
    assert seen["epochs"] == [["loss", "val_loss"]] * 2
    unweighted = model.fit(train, val, {**FEW, "units": 5}, [0], TWO)
    assert (fitted.outputs(val.X) != unweighted.outputs(val.X)).any()


@pytest.mark.long
def test_a_traced_network_is_its_seed() -> None:
    first, again = (predicted({"eager": False}, NUMBER) for _ in range(2))
    np.testing.assert_array_equal(first, again)
