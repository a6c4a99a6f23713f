"""The laws on the by-hand backend, to the bit; recipes; and the draws every backend is given."""

from dataclasses import replace
from functools import partial
from time import sleep

import numpy as np
import pytest
from contract import RECIPE, BackendContract, arrays, recorded
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ks_2samp

from handnet import Recipe, counted_plan, load_backend, seeded_plan
from handnet.draws import DROPOUT, ORDER, generator
from handnet.mlp.replicas import chunks, concurrently, train_replicas
from handnet.splits import Split


class TestNumpyFloat32(BackendContract):
    backend = load_backend("numpy", dtype="float32")
    # Over 20 seeds 4e-7 was measured at 1e-3 and 3e-5 at 1e-2; the other Adam epsilon moves a probability by
    # 1e-2.
    agreement = 2e-4


class TestNumpyFloat64(BackendContract):
    backend = load_backend("numpy", dtype="float64")


class TestCompiledFloat32(BackendContract):
    backend = load_backend("compiled", dtype="float32")
    agreement = 2e-4  # as above


class TestCompiledFloat64(BackendContract):
    backend = load_backend("compiled", dtype="float64")
    agreement = 1e-11  # a product may be rounded once where NumPy rounds twice


def test_unknown_words_are_refused_with_the_known_ones() -> None:
    for arguments, sentence in [
        ({"name": "nump"}, "unknown backend 'nump': expected one of compiled, numpy, keras"),
        ({"name": "numpy", "dtype": "float16"}, "unknown dtype 'float16': expected one of float32, float64"),
        ({"name": "numpy", "device": "tpu"}, "unknown device 'tpu'"),
        ({"name": "numpy", "device": "gpu"}, "runs on the CPU only"),
        ({"name": "numpy", "engine": "jax"}, "no engine to choose"),
    ]:
        with pytest.raises(ValueError, match=sentence):
            load_backend(**arguments)


@pytest.mark.parametrize("name", ["compiled", "numpy"])
@pytest.mark.parametrize("threads", [1, 2, 5])
def test_networks_trained_in_chunks_are_those_trained_at_once(parts: Split, name: str, threads: int) -> None:
    """Law 2 to the bit is what allows it."""
    backend, recipe = load_backend(name), replace(RECIPE, epochs=2)
    seeds = [*range(9, 90), (1, 2, 3)]
    whole = backend.fit(parts.train, parts.val, recipe, seeded_plan(recipe, parts.train, seeds))
    some = train_replicas(backend, parts.train, parts.val, recipe, seeds, threads=threads)
    assert all(np.array_equal(one, other) for one, other in zip(arrays(whole), arrays(some), strict=True))


@given(replicas=st.integers(1, 1000), threads=st.integers(1, 70))
def test_chunks_hold_every_replica_once(replicas: int, threads: int) -> None:
    slices = chunks(replicas, threads)
    assert [place for one in slices for place in range(replicas)[one]] == list(range(replicas))
    assert max(len(range(replicas)[one]) for one in slices) <= 64 + 7
    assert len(slices) >= min(threads, -(-replicas // 8))


def test_jobs_side_by_side_keep_their_order_and_pass_on_what_they_raise() -> None:
    def job(place: int) -> int:
        sleep(0.02 * (3 - place % 4))
        if place == 6:
            raise ValueError("the seventh")
        return place

    running = concurrently([partial(job, place) for place in range(40)], threads=3)
    assert [next(running) for _ in range(6)] == list(range(6))
    with pytest.raises(ValueError, match="the seventh"):
        next(running)


def test_draws_do_not_depend_on_how_many_are_made_at_once(parts: Split) -> None:
    """Each epoch's order and bits are the next of their streams, drawn here one epoch at a time."""
    recipe, seeds = Recipe(epochs=23, dropout=0.3, hidden=(5, 3)), [4, 2**32 - 1]
    for place, seed in enumerate(seeds):
        orders, masks = generator(seed, ORDER), generator(seed, DROPOUT)
        for draw in seeded_plan(recipe, parts.train, seeds).epochs():
            words = masks.bit_generator.random_raw(-(-341 * 5 // 4)).astype("<u8").view("<u2")[: 341 * 5]
            assert np.array_equal(draw.order[place], orders.permutation(341))
            assert np.array_equal(draw.keep[0][place], (words >= round(65536 * 0.3)).reshape(341, 5))


def test_no_stream_moves_another(parts: Split) -> None:
    """Init, order and dropout can be varied one at a time."""
    recipe = replace(RECIPE, epochs=1)
    base, *others = (
        recorded(recipe, parts.train, [seed]) for seed in [(1, 1, 1), (2, 1, 1), (1, 2, 1), (1, 1, 2)]
    )
    for moved, other in enumerate(others):
        alike = [
            np.array_equal(base.layers[0].weight, other.layers[0].weight),
            np.array_equal(base.draws[0].order, other.draws[0].order),
            np.array_equal(base.draws[0].keep[0], other.draws[0].keep[0]),
        ]
        assert alike == [stream != moved for stream in range(3)]


def test_draws_are_fair(parts: Split) -> None:
    plan = seeded_plan(Recipe(dropout=0.2, epochs=20), parts.train, list(range(30)))
    draws = list(plan.epochs())
    kept = np.mean([draw.keep[0].mean() for draw in draws])
    assert abs(kept - 0.8) < 4 * np.sqrt(0.16 / (20 * 30 * 341 * 16))
    assert all((np.sort(draw.order, axis=1) == np.arange(341)).all() for draw in draws)
    first = plan.start()[0].weight
    limit = np.sqrt(6 / 46)
    assert np.abs(first).max() < limit
    assert abs(first.std() / (limit / np.sqrt(3)) - 1) < 0.02
    assert not np.array_equal(generator(1, 0).random(4), generator(1, 1).random(4))


@given(rates=st.tuples(st.floats(0, 0.99), st.floats(0, 0.99)))
def test_a_unit_kept_at_a_high_rate_is_kept_at_a_lower_one(parts: Split, rates: tuple[float, float]) -> None:
    low, high = (
        next(seeded_plan(replace(RECIPE, dropout=rate), parts.train, [5]).epochs()).keep[0]
        for rate in sorted(rates)
    )
    assert (low | ~high).all()


def test_counted_draws_keep_the_laws_of_seeded_ones(parts: Split) -> None:
    recipe = Recipe(dropout=0.3, epochs=6)
    draws = list(counted_plan(recipe, parts.train, list(range(40))).epochs())
    some = list(counted_plan(replace(recipe, epochs=2), parts.train, [39, 3]).epochs())
    assert all((np.sort(draw.order, axis=1) == np.arange(341)).all() for draw in draws)
    for epoch, draw in enumerate(
        some
    ):  # a replica depends on its own seed alone, not on neighbours or on how many epochs follow
        assert np.array_equal(draw.order, draws[epoch].order[[39, 3]])
        assert np.array_equal(draw.keep[0], draws[epoch].keep[0][[39, 3]])
    lower = next(counted_plan(replace(recipe, dropout=0.1), parts.train, list(range(40))).epochs())
    assert (lower.keep[0] | ~draws[0].keep[0]).all()
    moved = next(counted_plan(recipe, parts.train, [(0, 1, 0)]).epochs())
    assert not np.array_equal(moved.order, draws[0].order[:1])
    assert np.array_equal(moved.keep[0], draws[0].keep[0][:1])
    with pytest.raises(ValueError, match="unique"):
        counted_plan(recipe, parts.train, [1, 1])


def test_counted_draws_are_fair(parts: Split) -> None:
    """Shares, places and independence between neighbouring seeds, epochs, rows and units, within 4.5 standard
    errors."""
    replicas, epochs = 200, 8
    draws = list(
        counted_plan(Recipe(dropout=0.3, epochs=epochs), parts.train, list(range(replicas))).epochs()
    )
    keep = np.stack([draw.keep[0] for draw in draws]).astype(float)  # (epochs, R, n, units)
    assert abs(keep.mean() - (1 - round(65536 * 0.3) / 65536)) < 4.5 * np.sqrt(0.21 / keep.size)
    for axis in range(4):
        along = np.moveaxis(keep - keep.mean(), axis, 0)
        correlation = (along[1:] * along[:-1]).mean() / keep.var()
        assert abs(correlation) < 4.5 / np.sqrt(along[1:].size)
    order = np.stack([draw.order for draw in draws]).reshape(-1, 341)
    counts = np.bincount(order[:, 0], minlength=341)  # who is visited first
    assert ((counts - len(order) / 341) ** 2).sum() / (len(order) / 341) < 340 + 4.5 * np.sqrt(2 * 340)
    ranks = order - order.mean()
    assert abs((ranks[:, 1:] * ranks[:, :-1]).mean() / ranks.var() + 1 / 340) < 4.5 / np.sqrt(order.size)


def test_counted_networks_are_as_good_as_seeded_ones(parts: Split) -> None:
    recipe, backend = Recipe(), load_backend("numpy")
    losses = [
        backend.fit(parts.train, parts.val, recipe, plan(recipe, parts.train, list(range(100)))).val_loss[
            :, -1
        ]
        for plan in (seeded_plan, counted_plan)
    ]
    assert ks_2samp(*losses).pvalue > 0.01
    assert not np.array_equal(*losses)


@pytest.mark.parametrize("seeds", [[], [1, 1], [-1], [2**32], [1.5], [(1, 2)], [True], [(1, 1, 1), 1]])
def test_bad_seeds_are_refused(parts: Split, seeds: list) -> None:
    with pytest.raises(ValueError, match="seed"):
        seeded_plan(RECIPE, parts.train, seeds)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("learning_rate", 0),
        ("learning_rate", -1),
        ("learning_rate", float("nan")),
        ("learning_rate", float("inf")),
        ("learning_rate", "fast"),
        ("learning_rate", True),
        ("dropout", 1),
        ("dropout", -0.1),
        ("dropout", None),
        ("epochs", 0),
        ("epochs", 1.5),
        ("epochs", True),
        ("batch_size", 0),
        ("hidden", ()),
        ("hidden", 16.0),
        ("hidden", True),
        ("hidden", np.ones((1, 2), int)),
        ("hidden", (16, 0)),
        ("optimizer", "rmsprop"),
        ("patience", 0),
        ("patience", 2.5),
        ("outputs", 0),
        ("outputs", 2),
        ("outputs", 3.0),
        ("weight_decay", -1e-9),
        ("weight_decay", float("nan")),
        ("weight_decay", float("inf")),
        ("weight_decay", None),
        ("loss", "hinge"),
        ("loss", None),
    ],
)
def test_a_bad_recipe_is_one_sentence(field: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"^{field} must .*, but got .*\\.$"):
        Recipe(**{field: value})


def test_outputs_and_loss_say_what_is_learned() -> None:
    exits = {(1, "log_loss"): "sigmoid", (1, "squared_error"): "identity"}
    exits |= {(outputs, "log_loss"): "softmax" for outputs in (3, 50)}
    for (outputs, loss), name in exits.items():
        assert Recipe(outputs=np.int64(outputs), loss=loss).exit == name
    with pytest.raises(ValueError, match=r"^outputs must be 1 where the loss is squared_error"):
        Recipe(outputs=3, loss="squared_error")
    # The id of a configuration of two classes is made of these.
    assert list(Recipe().values) == list(vars(Recipe()))[:-3]
    assert list(Recipe(weight_decay=1e-4).values) == [*Recipe().values, "weight_decay"]
    many = Recipe(outputs=3, weight_decay=0.1)
    assert many.values == vars(many)
    assert list(Recipe(outputs=3, weight_decay=0).values) == list(vars(many))[:-1]


def test_a_recipe_is_frozen_and_comparable() -> None:
    assert Recipe(hidden=[16, 8]) == Recipe() == Recipe(learning_rate=np.float64(1e-3), epochs=np.int64(50))
    assert hash(Recipe()) == hash(Recipe(hidden=[16, 8]))
    with pytest.raises(AttributeError):
        Recipe().epochs = 3
