"""A small network of Keras, as somebody would hand it over."""

from typing import Any


def build(params: dict[str, Any], shape: tuple[int, ...], task: Any) -> Any:
    import keras

    layers = [keras.Input(shape), keras.layers.Dense(4, "relu"), keras.layers.Dropout(params["drop"])]
    model = keras.Sequential([*layers, keras.layers.Dense(1, "sigmoid")])
    model.compile(keras.optimizers.Adam(0.01), "binary_crossentropy")
    return model
