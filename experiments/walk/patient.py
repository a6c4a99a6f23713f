"""One patient through every weight of one trained network, and the error on its way back."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from experiments.walk.check import Backward, Check, compare, measure
from handnet.contract import Fit, Layer, Recipe, load_backend
from handnet.data import Array, Dataset
from handnet.draws import seeded_plan
from handnet.messages import Refusal
from handnet.mlp.history import pack
from handnet.mlp.network import (
    backward,
    dense_backward_input,
    forward,
    log_loss,
    log_loss_backward,
    relu,
    sigmoid,
)
from handnet.scores import case_losses
from handnet.splits import Split

LARGEST = 10  # slopes listed one by one


class Column(NamedTuple):
    """One measurement, in its own units and in deviations of the train part from its mean."""

    name: str
    value: float
    mean: float
    deviation: float
    scaled: float


class Unit(NamedTuple):
    """One hidden unit: its sum and activation, and the error that comes back to each."""

    name: str
    z: float
    a: float
    da: float
    dz: float


class Slope(NamedTuple):
    """One weight: its slope is what entered it, 1 for a bias, times the error at the sum it is part of."""

    name: str
    entered: float
    error: float
    slope: float
    measured: float


class Case(NamedTuple):
    """Who walks: part is "train" or "val"; chosen: by the walk, as the train case the network is most wrong
    about."""

    name: str
    label: str
    y: int
    part: str
    place: int  # among the rows of its part
    row: int  # among those of the table
    chosen: bool


class Network(NamedTuple):
    """The one network: the chapter's recipe, one seed, float64."""

    recipe: Recipe
    seed: int
    layers: tuple[Layer, ...]
    train_loss: float  # after the last epoch, dropout off
    val_loss: float

    @property
    def counts(self) -> list[int]:
        """Weights and biases of each layer."""
        return [layer.weight.size + layer.bias.size for layer in self.layers]


@dataclass(frozen=True)
class Patient:
    """Everything the walk shows of one case."""

    case: Case
    network: Network
    columns: tuple[Column, ...]
    hidden: tuple[tuple[Unit, ...], ...]  # layer by layer
    z: float
    p: float
    loss: float
    error: float  # p - y
    called: str  # the class the network says
    slopes: tuple[Slope, ...]  # the largest, in order
    check: Check


def patient(data: Dataset, parts: Split, case: str | None, seed: int, back: Backward = backward) -> Patient:
    """The walk of one case. case: an id of the train or validation part, or None for the train case the
    network is most wrong about; back: the backward pass that is put to the test. Raises Refusal for an
    unknown case and for a test case."""
    chosen = None if case is None else _find(data, parts, case)
    network = _train(parts, seed)
    chosen = chosen or _worst(data, parts, network)
    table = parts.train if chosen.part == "train" else parts.val
    inputs = parts.encoder(data.X[[chosen.row]])[0]
    columns = (
        parts.encoder.names,
        inputs.tolist(),
        parts.mean.tolist(),
        parts.scale.tolist(),
        table.X[chosen.place].tolist(),
    )
    return _through(chosen, network, tuple(map(Column, *columns)), data.class_names, back)


def _find(data: Dataset, parts: Split, name: str) -> Case:
    ids = [str(case) for case in data.case_ids]
    if name not in ids:
        raise Refusal(f"there is no case {name!r} in {data.name}; its ids run from {ids[0]} to {ids[-1]}.")
    row = ids.index(name)
    part = parts.part_of(row)
    if part == "test":
        raise Refusal(
            f"case {name} is in the test part, which is sealed; the walk takes train and validation cases"
            f" only, such as {data.case_ids[parts.train_rows[0]]} or {data.case_ids[parts.val_rows[0]]}."
        )
    rows = parts.train_rows if part == "train" else parts.val_rows
    return _case(data, row, part, list(rows).index(row), False)


def _case(data: Dataset, row: int, part: str, place: int, chosen: bool) -> Case:
    y = int(data.y[row])
    return Case(str(data.case_ids[row]), data.class_names[y], y, part, place, row, chosen)


def _train(parts: Split, seed: int) -> Network:
    recipe = Recipe()
    fit: Fit = load_backend("numpy", "float64").fit(
        parts.train, parts.val, recipe, seeded_plan(recipe, parts.train, [seed])
    )
    return Network(recipe, seed, fit.layers, float(fit.train_loss_off[0, -1]), float(fit.val_loss[0, -1]))


def _worst(data: Dataset, parts: Split, network: Network) -> Case:
    losses = case_losses(forward(network.layers, parts.train.X)[0], parts.train.y)[0]
    place = int(losses.argmax())
    return _case(data, int(parts.train_rows[place]), "train", place, True)


def _through(
    case: Case, network: Network, columns: tuple[Column, ...], class_names: tuple[str, ...], back: Backward
) -> Patient:
    layers, y = network.layers, np.array(case.y)
    z, trace = forward(layers, np.array([[[column.scaled for column in columns]]]))
    error = log_loss_backward(z, y)
    slopes = back(layers, trace, error)
    names = _names([column.name for column in columns], layers)
    row, (measured, crossing) = pack(slopes)[0], measure(layers, trace.inputs[0], case.y)
    return Patient(
        case,
        network,
        columns,
        _units(layers, trace.sums, slopes),
        float(z.item()),
        float(sigmoid(z).item()),
        float(log_loss(z, y).item()),
        float(error.item()),
        class_names[int(z.item() > 0)],
        _largest(names, trace.inputs, slopes, row, measured),
        compare(row, measured, crossing, names),
    )


def _units(
    layers: tuple[Layer, ...], sums: tuple[Array, ...], slopes: tuple[Layer, ...]
) -> tuple[tuple[Unit, ...], ...]:
    """A bias's slope is the error at its own sum, so the backward pass has left every error there. 0.0 is
    added to turn -0 into 0."""
    layers_of_units = []
    for depth, z in enumerate(sums):
        da = dense_backward_input(layers[depth + 1], slopes[depth + 1].bias)
        rows = ((values[0, 0] + 0.0).tolist() for values in (z, relu(z), da, slopes[depth].bias))
        layers_of_units.append(
            tuple(
                Unit(f"{depth + 1}.{place}", *numbers)
                for place, numbers in enumerate(zip(*rows, strict=True), 1)
            )
        )
    return tuple(layers_of_units)


def _names(columns: list[str], layers: tuple[Layer, ...]) -> list[str]:
    """Of all P weights, in the order of `pack`. A unit is named by its layer and its place there."""
    names: list[str] = []
    entering = columns
    for depth, layer in enumerate(layers, 1):
        units = [f"{depth}.{place}" for place in range(1, layer.weight.shape[2] + 1)]
        units = ["output"] if depth == len(layers) else [f"unit {unit}" for unit in units]
        names += [f"{name} to {unit}" for name in entering for unit in units] + [
            f"bias of {unit}" for unit in units
        ]
        entering = units
    return names


def _largest(
    names: list[str], inputs: tuple[Array, ...], slopes: tuple[Layer, ...], row: Array, measured: Array
) -> tuple[Slope, ...]:
    """The largest slopes, each with the two numbers it is the product of."""
    entered, errors = [], []
    for x, layer in zip(inputs, slopes, strict=True):
        dz = layer.bias[0, 0]
        entered += [np.repeat(x[0, 0], len(dz)), np.ones(len(dz))]
        errors += [np.tile(dz, x.shape[2]), dz]
    order = np.argsort(-np.abs(row), kind="stable")[:LARGEST]
    numbers = (np.concatenate(entered), np.concatenate(errors), row, measured)
    return tuple(Slope(names[at], *(float(values[at]) for values in numbers)) for at in order)
