"""The arithmetic of handnet/reference/, compiled. Read that first: this file says the same, only faster.

A block is LANES replicas side by side (handnet/lanes.py). It holds its weights as (P, LANES), in the order of
`history.pack`; what flows through it is (rows, units, LANES).
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from handnet.backend import Fit, Layer, Plan
from handnet.data import Array, Table
from handnet.draws import seeded_plan
from handnet.history import History, check_shapes, epochs_of, pack, refuse_engine_and_gpu
from handnet.lanes import LANES, compiled, from_lanes, multiply, side_by_side, to_lanes
from handnet.recipe import Recipe
from handnet.reference.functions import log_loss, sigmoid
from handnet.reference.optimizers import BETA_1, BETA_2, EPSILON

AT_ONCE = 32  # rows whose logits are computed together, so that what flows stays in the cache


@compiled
def relu(z: Array) -> None:
    """max(0, z); a NaN stays one."""
    for i in range(len(z)):
        z[i] = 0 if z[i] <= 0 else z[i]


@compiled
def drop(a: Array, keep: Array, scale: Any) -> None:
    """a times `scale` where a unit is kept, times 0 where it is not."""
    for i in range(len(keep)):
        a[i] *= scale if keep[i] else 0


@compiled
def forward(flat: Array, first: int, shared: bool, w: Array, widths: Array, a: Array, at: Array, rows: int, keep: Array,
            scale: Any) -> None:  # fmt: skip
    """What flows through each layer into a, layer d from at[d] on. The rows: shared ones of flat from `first` on, or else those
    that lie in a already. keep: empty when dropout is off."""
    weight = 0
    for d in range(len(widths) - 1):
        row, unit = widths[d] * LANES, widths[d + 1] * LANES
        bias = weight + widths[d] * unit
        w_at, bias_at, out_at = (weight, unit, LANES), (bias, LANES), (at[d + 1], unit, LANES)
        sizes = (rows, widths[d], widths[d + 1])
        if d == 0 and shared:
            multiply(flat, (first * widths[0], widths[0], 1), w, w_at, w, bias_at, a, out_at, sizes, True)
        else:
            multiply(a, (at[d], row, LANES), w, w_at, w, bias_at, a, out_at, sizes, False)
        weight = bias + unit
        if d < len(widths) - 2:
            relu(a[at[d + 1] : at[d + 1] + rows * unit])
        if d == 0:
            drop(a[at[1] : at[1] + len(keep)], keep, scale)


@compiled
def exit_error(z: Array, y: Array, rows: int, dz: Array) -> None:
    """dz = (sigmoid(clip(z, -80, 80)) - y) / rows, of the mean over the batch."""
    for i in range(len(z)):
        dz[i] = 80 if z[i] < -80 else -80 if z[i] > 80 else -z[i]
    for i in range(len(z)):
        dz[i] = math.exp(dz[i])
    for i in range(len(z)):
        dz[i] = (1 / (1 + dz[i]) - y[i]) / rows


@compiled
def backward(w: Array, widths: Array, a: Array, dz: Array, at: Array, rows: int, scale: Any, slope: Array) -> None:
    """The slope of every weight from the error dz at the exit, which lies in dz from at[-2] on. scale: of dropout."""
    end, zero = len(w), np.zeros(LANES, w.dtype)
    for d in range(len(widths) - 2, -1, -1):
        row, unit = widths[d] * LANES, widths[d + 1] * LANES
        bias = end - unit
        weight = bias - widths[d] * unit
        multiply(a, (at[d], LANES, row), dz, (at[d + 1], unit, LANES), zero, (0, 0),
                 slope, (weight, unit, LANES), (widths[d], rows, widths[d + 1]), False)  # fmt: skip
        add_rows(dz[at[d + 1] : at[d + 1] + rows * unit], slope[bias:end])
        if d > 0:
            multiply(dz, (at[d + 1], unit, LANES), w, (weight, LANES, unit), zero, (0, 0),
                     dz, (at[d], row, LANES), (rows, widths[d + 1], widths[d]), False)  # fmt: skip
            shut(dz[at[d] : at[d] + rows * row], a[at[d] : at[d + 1]], scale if d == 1 else w.dtype.type(1))
        end = weight


@compiled
def add_rows(rows: Array, total: Array) -> None:
    """The sum of the rows, each as long as `total`."""
    total[:] = 0
    for first in range(0, len(rows), len(total)):
        row = rows[first : first + len(total)]
        for i in range(len(total)):
            total[i] += row[i]


@compiled
def shut(da: Array, a: Array, scale: Any) -> None:
    """The way back through relu and dropout: a unit that was silent or sat out lets nothing pass."""
    for i in range(len(da)):
        da[i] *= scale if a[i] > 0 else 0


@compiled
def adam(w: Array, slope: Array, m: Array, v: Array, alpha: Any, rest: Array) -> None:
    """One step; w, slope and the averages m and v (P LANES,), flat; alpha: the learning rate with the corrections; rest (3,):
    1 - b1, 1 - b2, epsilon."""
    rest_1, rest_2, epsilon = rest
    for i in range(len(w)):
        m[i] += (slope[i] - m[i]) * rest_1
        v[i] += (slope[i] * slope[i] - v[i]) * rest_2
        w[i] -= alpha * m[i] / (np.sqrt(v[i]) + epsilon)


@compiled
def sgd(w: Array, slope: Array, alpha: Any) -> None:
    """One step of plain descent; w and slope (P LANES,), flat."""
    for i in range(len(w)):
        w[i] -= alpha * slope[i]


@compiled
def train_epoch(weights: Array, state: Array, X: Array, y: Array, order: Array, keep: Array, widths: Array, batch: int,
                scale: Any, alphas: Array, rest: Array, logits: Array) -> None:  # fmt: skip
    """One epoch of every block, in place. weights (blocks, P, LANES); state (2, blocks, P, LANES), empty for plain descent;
    alphas: the rate of each step; logits (blocks, n, LANES): dropout on, in the order of the visits."""
    flat, keeps, features, units = X.reshape(-1), keep.reshape(-1), widths[0], widths[1]
    at = offsets(widths, batch)
    a, dz, slope = np.empty(at[-1], X.dtype), np.empty(at[-1], X.dtype), np.empty(weights[0].size, X.dtype)
    visits, labels = np.empty(batch * LANES, np.uint64), np.empty(batch * LANES, X.dtype)
    kept = np.empty(batch * units * LANES if keep.size else 0, np.bool_)
    for block in range(len(weights)):
        w = weights[block].reshape(-1)
        for step in range(len(alphas)):
            first = step * batch
            rows = min(batch, len(y) - first)
            here = visits[: rows * LANES]
            for row in range(rows):
                for lane in range(LANES):
                    replica = min(block * LANES + lane, len(order) - 1)  # the last one also fills the lanes left over
                    here[row * LANES + lane] = replica * len(y) + first + row
            if keep.size:
                side_by_side(keeps, here * np.uint64(units), units, kept)
            visited = order.reshape(-1)[here]
            side_by_side(y, visited, 1, labels)
            side_by_side(flat, visited * np.uint64(features), features, a)
            forward(flat, 0, False, w, widths, a, at, rows, kept[: min(len(kept), rows * units * LANES)], scale)
            z = a[at[-2] : at[-2] + rows * LANES]
            logits[block].reshape(-1)[first * LANES : (first + rows) * LANES] = z
            exit_error(z, labels, rows, dz[at[-2] : at[-2] + rows * LANES])
            backward(w, widths, a, dz, at, rows, scale, slope)
            if state.size:
                adam(w, slope, state[0, block].reshape(-1), state[1, block].reshape(-1), alphas[step], rest)
            else:
                sgd(w, slope, alphas[step])


@compiled
def offsets(widths: Array, rows: int) -> Array:
    """Where each layer's part begins in a flat array of all that flows, and where the last one ends."""
    at = np.zeros(len(widths) + 1, np.int64)
    for d in range(len(widths)):
        at[d + 1] = at[d] + rows * widths[d] * LANES
    return at


@compiled
def evaluate(weights: Array, X: Array, widths: Array, logits: Array) -> None:
    """Logits (blocks, n, LANES) of the rows X (n, features), dropout off."""
    at = offsets(widths, AT_ONCE)
    a, flat, nothing = np.empty(at[-1], X.dtype), X.reshape(-1), np.empty(0, np.bool_)
    for block in range(len(weights)):
        w, out = weights[block].reshape(-1), logits[block].reshape(-1)
        for first in range(0, len(X), AT_ONCE):
            rows = min(AT_ONCE, len(X) - first)
            forward(flat, first, True, w, widths, a, at, rows, nothing, X.dtype.type(1))
            out[first * LANES : (first + rows) * LANES] = a[at[-2] : at[-2] + rows * LANES]


def warm_up() -> None:
    """Compile it for float32, a dozen seconds, so that nobody waits for it later: the code is kept beside this file."""
    rows = Table(np.zeros((2, 2)), np.array([0, 1]))
    recipe = Recipe(epochs=1, hidden=(2,))
    Compiled(np.dtype("float32")).fit(rows, rows, recipe, seeded_plan(recipe, rows, [0]))


def load(dtype: str, engine: str | None, device: str) -> "Compiled":
    """The compiled arithmetic in `dtype`. Raises ValueError for an engine or a GPU: it has neither."""
    refuse_engine_and_gpu("compiled", engine, device)
    return Compiled(np.dtype(dtype))


@dataclass(frozen=True)
class Compiled:
    """The Backend for many networks on a CPU. Law 2 holds to the bit: lanes left over are filled, and never heard."""

    dtype: np.dtype
    name: str = "compiled"

    def fit(self, train: Table, val: Table, recipe: Recipe, plan: Plan) -> Fit:
        """Train R networks. See `Fit` for what comes back, and the head of handnet/backend.py for the laws."""
        train, val = (
            Table(np.array(part.X, self.dtype, order="C"), np.array(part.y, self.dtype)) for part in (train, val)
        )
        first = tuple(Layer(*(np.asarray(part, self.dtype) for part in layer)) for layer in plan.start())
        check_shapes(first, train, recipe)
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            return self._train(first, train, val, recipe, plan)

    def logits(self, layers: tuple[Layer, ...], X: Array) -> Array:
        """(R, n): what enters the sigmoid, dropout off."""
        weights = to_lanes(pack(tuple(Layer(*(np.asarray(part, self.dtype) for part in layer)) for layer in layers)))
        return self._logits(weights, _widths(layers), np.array(X, self.dtype, order="C"))[: len(layers[0].weight)]

    def predict(self, layers: tuple[Layer, ...], X: Array) -> Array:
        """(R, n): probability of class 1."""
        return sigmoid(self.logits(layers, X))

    def _logits(self, weights: Array, widths: Array, X: Array) -> Array:
        lanes = np.empty((len(weights), len(X), LANES), self.dtype)
        evaluate(weights, X, widths, lanes)
        return from_lanes(lanes)

    def _train(self, first: tuple[Layer, ...], train: Table, val: Table, recipe: Recipe, plan: Plan) -> Fit:
        rows, n = pack(first), len(train.y)
        weights, widths, history = to_lanes(rows), _widths(first), History(rows, recipe)
        state = np.zeros((2 if recipe.optimizer == "adam" else 0, *weights.shape), self.dtype)
        rest = np.array([1 - BETA_1, 1 - BETA_2, EPSILON], self.dtype)
        seen = np.empty((len(weights), n, LANES), self.dtype)
        nothing = np.empty((0, 0, 0), np.bool_)
        for epoch, draw in enumerate(epochs_of(plan, recipe, (len(rows), n))):
            order = np.array(draw.order, np.uint64, order="C")
            keep = np.array(draw.keep[0], order="C") if recipe.dropout else nothing
            train_epoch(weights, state, train.X, train.y, order, keep, widths, min(recipe.batch_size, n),
                        self.dtype.type(1) / self.dtype.type(1 - recipe.dropout), self._rates(recipe, epoch, n), rest, seen)  # fmt: skip
            on = _mean_loss(from_lanes(seen)[: len(rows)], train.y[order])
            off, val_loss = (_mean_loss(self._logits(weights, widths, X)[: len(rows)], y) for X, y in (train, val))
            history.record(epoch, on, off, val_loss, from_lanes(weights)[: len(rows)])
        return history.fit(like=first)

    def _rates(self, recipe: Recipe, epoch: int, n: int) -> Array:
        """The learning rate of each step of an epoch, with Adam's corrections."""
        steps = -(-n // recipe.batch_size)
        t = np.arange(epoch * steps + 1, (epoch + 1) * steps + 1)
        corrected = np.sqrt(1 - BETA_2**t) / (1 - BETA_1**t) if recipe.optimizer == "adam" else np.ones(steps)
        return (recipe.learning_rate * corrected).astype(self.dtype)


def _mean_loss(z: Array, y: Array) -> Array:
    return log_loss(z, y).mean(axis=1, dtype=np.float64)


def _widths(layers: tuple[Layer, ...]) -> Array:
    return np.array([layers[0].weight.shape[1], *(layer.weight.shape[2] for layer in layers)])
