"""The laws on the by-hand backend, to the bit; and the draws every backend is given."""

from dataclasses import replace

import numpy as np
import pytest
from contract import RECIPE, BackendContract, recorded
from hypothesis import given
from hypothesis import strategies as st

from handnet import Recipe, load_backend, seeded_plan
from handnet.draws import generator
from handnet.splits import Split


class TestNumpyFloat32(BackendContract):
    backend = load_backend("numpy", dtype="float32")
    # Over 20 seeds 4e-7 was measured at 1e-3 and 3e-5 at 1e-2; the other Adam epsilon moves a probability by 1e-2.
    agreement = 2e-4


class TestNumpyFloat64(BackendContract):
    backend = load_backend("numpy", dtype="float64")


def test_unknown_words_are_refused_with_the_known_ones() -> None:
    for arguments, sentence in [
        ({"name": "nump"}, "unknown backend 'nump': expected one of numpy, keras"),
        ({"name": "numpy", "dtype": "float16"}, "unknown dtype 'float16': expected one of float32, float64"),
        ({"name": "numpy", "device": "tpu"}, "unknown device 'tpu'"),
        ({"name": "numpy", "device": "gpu"}, "runs on the CPU only"),
        ({"name": "numpy", "engine": "jax"}, "no engine to choose"),
    ]:
        with pytest.raises(ValueError, match=sentence):
            load_backend(**arguments)


def test_no_stream_moves_another(parts: Split) -> None:
    """Init, order and dropout can be varied one at a time."""
    recipe = replace(RECIPE, epochs=1)
    base, *others = (recorded(recipe, parts.train, [seed]) for seed in [(1, 1, 1), (2, 1, 1), (1, 2, 1), (1, 1, 2)])
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
        next(seeded_plan(replace(RECIPE, dropout=rate), parts.train, [5]).epochs()).keep[0] for rate in sorted(rates)
    )
    assert (low | ~high).all()


@pytest.mark.parametrize("seeds", [[], [1, 1], [-1], [2**32], [1.5], [(1, 2)], [True], [(1, 1, 1), 1]])
def test_bad_seeds_are_refused(parts: Split, seeds: list) -> None:
    with pytest.raises(ValueError, match="seed"):
        seeded_plan(RECIPE, parts.train, seeds)
