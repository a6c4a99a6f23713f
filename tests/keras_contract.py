"""The laws on Keras. Run by tests/test_mlp_keras.py, once per engine and dtype, each in a process of its own:
Keras chooses its engine at import."""

import os
import random
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
from contract import TASKS, BackendContract, GivenPlan, arrays, of_task, recorded
from scipy.stats import ks_2samp

from handnet import EpochDraws, Fit, Layer, Plan, Recipe, Table, counted_plan, load_backend, seeded_plan
from handnet.bands import seed_bands
from handnet.draws import generator
from handnet.splits import Split

ENGINE, DTYPE = os.environ["KERAS_BACKEND"], os.environ["HANDNET_DTYPE"]
# A compiled sum may be taken in another order for another number of replicas.
TOLERANCE = {"float64": 1e-9, "float32": 2e-3}[DTYPE]


class TestKeras(BackendContract):
    backend = load_backend("keras", dtype=DTYPE, engine=ENGINE)
    # After 50 epochs at 1e-3, dropout on. The other Adam epsilon moves a weight by 5e-3.
    agreement = {"float64": 1e-6, "float32": 1e-4}[DTYPE]

    def same(self, one: np.ndarray, other: np.ndarray) -> bool:
        return one.shape == other.shape and np.allclose(
            one, other, rtol=TOLERANCE, atol=TOLERANCE, equal_nan=True
        )


@pytest.mark.parametrize("task", TASKS)
def test_one_epoch_agrees_to_the_ninth_digit(parts: Split, task: str) -> None:
    recipe, parts = Recipe(epochs=1, learning_rate=1e-2, **TASKS[task]), of_task(task, parts)
    plan, reference = seeded_plan(recipe, parts.train, [0, 1, 2]), load_backend("numpy", dtype="float64")
    ours = TestKeras.backend.fit(parts.train, parts.val, recipe, plan)
    theirs = reference.fit(parts.train, parts.val, recipe, plan)
    distance = TestKeras.backend.logits(ours.layers, parts.val.X) - reference.logits(
        theirs.layers, parts.val.X
    )
    assert np.abs(distance).max() < {"float64": 1e-9, "float32": 1e-5}[DTYPE]


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_weight_decay_is_that_of_keras_in_a_plain_model(optimizer: str) -> None:
    """Trained batch by batch with Keras's own optimizer, which is told to leave the biases alone. They are
    not 0, and would lose 3 % too."""
    from handnet.mlp.engine import get_keras, precision
    from handnet.mlp.keras import to_keras

    keras, draws = get_keras(), generator(9, 0)
    rows = Table(draws.normal(size=(64, 4)).astype(DTYPE), draws.normal(size=64).astype(DTYPE))
    recipe = Recipe(1e-2, 0.0, 3, 32, (5, 3), optimizer, outputs=1, loss="squared_error", weight_decay=0.5)
    plan = recorded(recipe, rows, [4])
    biased = tuple(Layer(weight, draws.normal(size=bias.shape)) for weight, bias in plan.start())
    plan = GivenPlan(biased, plan.draws)
    fit = TestKeras.backend.fit(rows, rows, recipe, plan)
    with precision(DTYPE):
        made = {"adam": keras.optimizers.AdamW, "sgd": keras.optimizers.SGD}[optimizer]
        more = {"beta_1": np.dtype(DTYPE).type(0.9), "beta_2": np.dtype(DTYPE).type(0.999)}
        step = made(1e-2, weight_decay=0.5, **more if optimizer == "adam" else {})
        step.exclude_from_weight_decay(var_names=["bias"])
        model = to_keras(tuple(Layer(*(part.astype(DTYPE) for part in layer)) for layer in biased), 0, recipe)
        model.compile(optimizer=step, loss=lambda y, z: keras.ops.sum(keras.ops.square(z - y)) / 64)
        for draw in plan.draws:
            for batch in draw.order[0].reshape(2, 32):
                model.train_on_batch(rows.X[batch], rows.y[batch, None])
        theirs = model.get_weights()
    ours = [part[0].reshape(other.shape) for part, other in zip(sum(fit.layers, ()), theirs, strict=True)]
    distance = max(np.abs(one - other).max() for one, other in zip(ours, theirs, strict=True))
    assert distance < {"float64": 1e-12, "float32": 2e-6}[DTYPE]


def test_five_recipes_of_one_shape_are_traced_at_most_twice(parts: Split) -> None:
    for rate, dropout, epochs, decay in [
        (1e-3, 0.2, 2, 1e-4),
        (1e-2, 0.5, 3, 0.1),
        (1e-4, 0.0, 1, 1e-3),
        (3e-3, 0.1, 4, 1.0),
        (1e-3, 0.3, 2, 1e-2),
    ]:
        recipe = Recipe(rate, dropout, epochs, hidden=(7, 5), weight_decay=decay)
        TestKeras.backend.fit(parts.train, parts.val, recipe, seeded_plan(recipe, parts.train, [0, 1]))
    assert 1 <= TestKeras.backend.network(2, parts.train, recipe).traces <= 2


def test_a_batch_size_is_a_shape_of_its_own(parts: Split) -> None:
    """Four sizes with as many steps an epoch: none makes the network of another be read again."""
    for size in (31, 32, 33, 34, 31):
        recipe = Recipe(epochs=1, hidden=(3,), batch_size=size)
        TestKeras.backend.fit(parts.train, parts.val, recipe, seeded_plan(recipe, parts.train, [0, 1]))
        assert 1 <= TestKeras.backend.network(2, parts.train, recipe).traces <= 2


SHORT = Recipe(epochs=3)


def short_fit(parts: Split, plan: Plan) -> Fit:
    return TestKeras.backend.fit(parts.train, parts.val, SHORT, plan)


@dataclass(frozen=True)
class Around:
    """A plan that calls something before each epoch's draws."""

    plan: Plan
    before: Any

    def start(self) -> tuple[Layer, ...]:
        return self.plan.start()

    def epochs(self) -> Iterator[EpochDraws]:
        for draws in self.plan.epochs():
            self.before()
            yield draws


def test_a_plan_may_train_networks_of_the_same_shape(parts: Split) -> None:
    plans = [seeded_plan(SHORT, parts.train, seeds) for seeds in ([0, 1], [8, 9])]
    alone = [short_fit(parts, plan) for plan in plans]
    inner: list[Fit] = []
    outer = short_fit(parts, Around(plans[0], lambda: inner.append(short_fit(parts, plans[1]))))
    for fit, expected in ((outer, alone[0]), *((one, alone[1]) for one in inner)):
        assert all(np.array_equal(a, b) for a, b in zip(arrays(fit), arrays(expected), strict=True))
    assert len(inner) == 3


def test_threads_do_not_disturb_each_other(parts: Split) -> None:
    import keras

    plans = [seeded_plan(SHORT, parts.train, [seed, seed + 1]) for seed in (0, 10, 20)]
    alone, found = [short_fit(parts, plan) for plan in plans], [None] * 3
    other = load_backend("keras", dtype="float32" if DTYPE == "float64" else "float64", engine=ENGINE)
    before = keras.config.floatx()

    def work(index: int) -> None:
        found[index] = short_fit(parts, plans[index])
        other.fit(parts.train, parts.val, SHORT, plans[index])

    threads = [Thread(target=work, args=(index,)) for index in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for fit, expected in zip(found, alone, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(arrays(fit), arrays(expected), strict=True))
    assert keras.config.floatx() == before


@pytest.mark.parametrize("before", ["float16", "float32", "float64"])
def test_the_default_dtype_of_keras_is_left_as_it_was(parts: Split, before: str) -> None:
    import keras

    held = keras.config.floatx()
    keras.config.set_floatx(before)
    try:
        fit = short_fit(parts, seeded_plan(SHORT, parts.train, [0, 1]))
        TestKeras.backend.logits(fit.layers, parts.val.X)
        with pytest.raises(ValueError, match="ended after 0"):
            short_fit(parts, GivenPlan(seeded_plan(SHORT, parts.train, [0, 1]).start(), ()))
        assert keras.config.floatx() == before
    finally:
        keras.config.set_floatx(held)
    assert fit.layers[0].weight.dtype == DTYPE


@pytest.mark.skipif(ENGINE != "jax", reason="about JAX's switch for 64 bits")
def test_64_bits_stay_when_someone_switched_them_off(parts: Split) -> None:
    import jax

    plan = counted_plan(SHORT, parts.train, [0, 1])
    expected = short_fit(parts, plan)
    jax.config.update("jax_enable_x64", False)
    try:
        fit = short_fit(parts, plan)
        assert not jax.config.jax_enable_x64
    finally:
        jax.config.update("jax_enable_x64", True)
    assert fit.layers[0].weight.dtype == DTYPE
    assert all(np.array_equal(a, b) for a, b in zip(arrays(fit), arrays(expected), strict=True))


def test_rows_beyond_16_bits_are_visited() -> None:
    """40000 rows, of which only those past the 32767th tell anything."""
    n = 40_000
    late = np.arange(n) > 2**15
    table = Table(late[:, None].astype(float), late.astype(int))
    recipe = Recipe(1e-2, 0.0, 1, 4000, (1,))
    plan = recorded(recipe, table, [3])
    ours, theirs = (
        one.fit(table, table, recipe, plan)
        for one in (TestKeras.backend, load_backend("numpy", dtype="float64"))
    )
    assert np.abs(ours.train_loss - theirs.train_loss).max() < 1e-5
    assert np.abs(ours.val_loss - theirs.val_loss).max() < 1e-5


@pytest.mark.skipif(DTYPE == "float64", reason="about the default precision")
def test_in_float32_the_bands_agree(parts: Split) -> None:
    """Single networks may part at high rates, bands may not: the two-sample test of Kolmogorov and Smirnov on
    60 seeds of the chapter's recipe and of a hot one, and ends of the bands closer than a tenth of their
    width."""
    for recipe in (Recipe(), Recipe(learning_rate=1e-2, dropout=0.3)):
        plan = seeded_plan(recipe, parts.train, list(range(60)))
        fits = [
            backend.fit(parts.train, parts.val, recipe, plan)
            for backend in (TestKeras.backend, load_backend("numpy"))
        ]
        losses = [fit.val_loss[:, -1] for fit in fits]
        assert ks_2samp(*losses, method="asymp").pvalue > 0.01
        ours, theirs = (seed_bands(loss).quantiles for loss in losses)
        width = theirs.high - theirs.low
        assert max(abs(ours.low - theirs.low), abs(ours.high - theirs.high)) < width / 10


@pytest.mark.gpu
def test_a_gpu_agrees_with_the_reference(parts: Split) -> None:
    try:
        backend = load_backend("keras", dtype=DTYPE, engine=ENGINE, device="gpu")
    except ValueError as refusal:
        pytest.skip(str(refusal))
    recipe = Recipe(epochs=10)
    plan = seeded_plan(recipe, parts.train, [0, 1, 2])
    ours, theirs = (
        one.fit(parts.train, parts.val, recipe, plan)
        for one in (backend, load_backend("numpy", dtype="float64"))
    )
    assert np.abs(ours.val_loss - theirs.val_loss).max() < {"float64": 1e-9, "float32": 1e-4}[DTYPE]


def test_the_device_makes_the_very_draws_a_counted_plan_makes_here(parts: Split) -> None:
    from handnet.mlp.engine import get_keras

    recipe = Recipe(epochs=3, dropout=0.3)
    plan, ops = counted_plan(recipe, parts.train, [0, 7, 2**32 - 1]), get_keras().ops
    for here, there in zip(plan.epochs(), plan.epochs_on(ops), strict=True):
        assert np.array_equal(here.order, ops.convert_to_numpy(there.order))
        assert np.array_equal(here.keep[0], ops.convert_to_numpy(there.keep[0]))
    ours = TestKeras.backend.fit(parts.train, parts.val, recipe, plan)
    theirs = load_backend("numpy", dtype=DTYPE).fit(parts.train, parts.val, recipe, plan)
    assert np.abs(ours.val_loss - theirs.val_loss).max() < {"float64": 1e-9, "float32": 1e-5}[DTYPE]


def test_a_plan_that_draws_on_the_device_is_asked_for_nothing_here(parts: Split) -> None:
    plan = counted_plan(SHORT, parts.train, [0, 1])

    class OnTheDevice:
        start, epochs_on = staticmethod(plan.start), staticmethod(plan.epochs_on)

        def epochs(self) -> Iterator[EpochDraws]:
            raise AssertionError("drawn here")

    fit = short_fit(parts, OnTheDevice())
    assert np.array_equal(fit.val_loss, short_fit(parts, plan).val_loss)


@pytest.mark.parametrize("task", TASKS)
def test_a_plain_model_keeps_the_precision_and_draws_nothing(parts: Split, task: str) -> None:
    from handnet.mlp.engine import get_keras
    from handnet.mlp.keras import to_keras

    recipe, parts = Recipe(epochs=1, **TASKS[task]), of_task(task, parts)
    plan = seeded_plan(recipe, parts.train, [0, 1, 2])  # as many as above: no network is compiled for it
    fit = TestKeras.backend.fit(parts.train, parts.val, recipe, plan)
    before = random.getstate()
    model = to_keras(fit.layers, 1, recipe)
    assert random.getstate() == before
    said = get_keras().ops.convert_to_numpy(model(parts.val.X.astype(DTYPE)))
    assert said.dtype == DTYPE
    predicted = TestKeras.backend.predict(fit.layers, parts.val.X, recipe.loss)[1]
    distance = np.abs(said - predicted.reshape(said.shape))
    assert distance.max() < {"float64": 1e-12, "float32": 1e-6}[DTYPE]


@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_a_replica_leaves_as_a_plain_model_and_says_the_same(
    parts: Split, tmp_path: Path, dropout: float
) -> None:
    """Saved, loaded in a fresh process with safe mode on, and asked for the same rows."""
    from handnet.mlp.keras import to_keras

    recipe = Recipe(epochs=3, dropout=dropout)
    fit = TestKeras.backend.fit(parts.train, parts.val, recipe, seeded_plan(recipe, parts.train, [0, 1, 2]))
    model = to_keras(fit.layers, 1, recipe)
    kinds = [type(layer).__name__ for layer in model.layers]
    assert kinds == ["Dense", *(["Dropout"] if dropout else []), "Dense", "Dense"]
    model.save(tmp_path / "one.keras")
    np.save(tmp_path / "X.npy", parts.val.X.astype(DTYPE))
    code = (
        "import keras, numpy as np; m = keras.models.load_model('one.keras', safe_mode=True);"
        " np.save('p.npy', m.predict(np.load('X.npy'), verbose=0))"
    )
    # On a GPU that process would multiply in TF32, which moves p by 1e-4. The user sets its precision.
    env = os.environ | {"JAX_DEFAULT_MATMUL_PRECISION": "highest"}
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, capture_output=True, env=env)
    ours = TestKeras.backend.predict(fit.layers, parts.val.X)[1]
    # A fresh Keras feeds rows in float32, whatever the model's dtype; a wrong weight or a live Dropout moves
    # p by 1e-2.
    assert np.abs(np.load(tmp_path / "p.npy")[:, 0] - ours).max() < 1e-6


def test_a_second_engine_in_one_process_is_refused() -> None:
    other = "jax" if ENGINE == "tensorflow" else "tensorflow"
    pytest.importorskip(other)
    with pytest.raises(
        ValueError, match=f"Keras runs on {ENGINE} in this process and cannot change to {other}"
    ):
        load_backend("keras", engine=other)


def test_the_engine_that_runs_is_taken_when_none_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "jax" if ENGINE == "tensorflow" else "tensorflow")
    assert load_backend("keras").engine == ENGINE


def test_what_is_not_there_is_refused_in_one_sentence() -> None:
    with pytest.raises(ValueError, match="unknown engine 'theano': expected one of tensorflow, jax"):
        load_backend("keras", engine="theano")
    if load_backend("keras", engine=ENGINE).device == "gpu":
        pytest.skip("this machine has a GPU")
    with pytest.raises(
        ValueError, match=f"device='gpu' was asked for, but {ENGINE} finds no GPU on this machine"
    ):
        load_backend("keras", engine=ENGINE, device="gpu")
