"""Problems, replicas on disk, and curves."""

from dataclasses import replace

import numpy as np
import pytest
from samples import TWO

from handnet import Dataset, Recipe, Refusal, load_backend
from handnet.data import digest
from handnet.splits import Split
from handnet.study.configuration import Configuration
from handnet.study.gaps import curve_band, curve_epochs
from handnet.study.identity import default_name, is_default, make_problem
from handnet.study.logged_model import served_model
from handnet.study.networks import Replicas, concatenate
from handnet.study.reading import read
from handnet.study.score_bands import score_quantities
from handnet.study.units import Problem, load_problem

BY_HAND = Configuration.of(Recipe())


@pytest.fixture(scope="module")
def problem(data: Dataset, parts: Split) -> Problem:
    return Problem(data, parts, load_backend("numpy"), read({"backend.name": "numpy"}).backend)


def test_replicas_survive_the_disk_and_come_together_again(problem: Problem) -> None:
    whole = problem.fit(Recipe(epochs=2), [5, 3, 4])
    parts = [Replicas.from_npz(whole.one(index).to_npz()) for index in (2, 0, 1)]
    again = concatenate(parts)
    assert again.seeds == (3, 4, 5)
    order = [1, 2, 0]
    assert np.array_equal(again.val_logits, whole.val_logits[order])
    for one, other in zip(again.fit.layers, whole.fit.layers, strict=True):
        assert np.array_equal(one.weight, other.weight[order])
    assert np.array_equal(again.fit.val_loss, whole.fit.val_loss[order])


def test_a_configuration_is_named_by_all_that_decides_its_results(problem: Problem, data: Dataset) -> None:
    names = {
        problem.config_id(Configuration.of(recipe))
        for recipe in (Recipe(), Recipe(dropout=0.21), Recipe(epochs=51), Recipe(patience=3))
    }
    other = Problem(
        data,
        problem.parts,
        problem.backend,
        read({"backend.name": "numpy", "backend.dtype": "float64"}).backend,
    )
    assert len(names | {other.config_id(Configuration.of(Recipe()))}) == 5
    same = problem.config_id(Configuration.of(Recipe(hidden=[16, 8])))
    assert same == problem.config_id(Configuration.of(Recipe()))


def test_balanced_classes_weigh_train_rows_alone(data: Dataset, parts: Split) -> None:
    plain, balanced = (
        load_problem(read({"network.class_weight": way}), data, parts) for way in ("none", "balanced")
    )
    assert plain.parts is parts
    weight = balanced.parts.train.weight
    sums = [weight[parts.train.y == label].sum() for label in (0, 1)]
    assert sums == pytest.approx([341 / 2, 341 / 2])
    assert len(set(weight[parts.train.y == 1])) == len(set(weight[parts.train.y == 0])) == 1
    assert balanced.parts.val.weight is None
    assert balanced.parts.test.open(lambda _: True).weight is None
    assert balanced.identity == plain.identity | {"class_weight": "balanced"}
    assert balanced.rows[0] != plain.rows[0]
    assert plain.rows[0] == digest(parts.train.X, parts.train.y, parts.val.X, parts.val.y)


@pytest.mark.parametrize("backend", ["numpy", "keras"])
def test_blocks_hold_every_seed_once_and_keep_their_seeds_when_there_are_more(
    problem: Problem, backend: str
) -> None:
    problem = replace(problem, spec=read({"backend.name": backend}).backend)
    for count in (1, 8, 10, 50, 64, 65, 100, 333):
        blocks = problem.blocks(BY_HAND, range(7, 7 + count))
        assert [seed for block in blocks for seed in block] == list(range(7, 7 + count))
        assert blocks[:-1] == problem.blocks(BY_HAND, range(7, 1007))[: len(blocks) - 1]
    assert len(problem.blocks(BY_HAND, range(10))) == (2 if backend == "numpy" else 1)


def test_a_diverged_seed_does_not_spoil_the_model(problem: Problem) -> None:
    whole = problem.fit(Recipe(epochs=2), [1, 2, 3])
    weights = whole.fit.layers[0].weight.copy()
    weights[1] = np.nan
    layers = (whole.fit.layers[0]._replace(weight=weights), *whole.fit.layers[1:])
    ill = replace(whole, fit=whole.fit._replace(layers=layers, diverged_at=np.array([-1, 1, -1])))
    assert np.isfinite(served_model(problem, ill).prediction).all(axis=None)
    assert served_model(problem, ill).prediction.equals(served_model(problem, whole.pick([0, 2])).prediction)


def test_curves_are_thinned_evenly_and_keep_their_ends() -> None:
    assert curve_epochs(7).tolist() == [1, 2, 3, 4, 5, 6, 7]
    long = curve_epochs(150)
    assert (long[0], long[-1], len(long)) == (1, 150, 30)
    mean, low, high = curve_band(np.array([[1.0, 2], [3, 4], [np.nan, 1]])).values()
    assert mean.tolist() == [2, 3]
    assert (low < high).all()
    assert np.isnan(curve_band(np.array([[1.0], [np.nan]]))["mean"]).all()


def test_too_few_finite_replicas_give_no_band() -> None:
    assert score_quantities(TWO, np.array([[1.0, -1], [np.nan, 0]]), np.array([1, 0]), "val") == []


def test_weights_of_k_classes_are_balanced_and_a_number_has_none() -> None:
    settings = read({"data.name": "wine", "network.class_weight": "balanced"})
    weight = make_problem(settings).rows[1].train.weight
    y = make_problem(settings).rows[1].train.y
    counts = np.array([(y == label).sum() for label in range(3)])
    assert weight == pytest.approx((len(y) / (3 * counts))[y])
    with pytest.raises(Refusal, match="weighs classes, and the target of this table is a number"):
        make_problem(settings.changed(data={"name": "diabetes"}))


def test_a_built_in_table_gives_its_default_study_its_name() -> None:
    for name in ("wisconsin", "wine", "diabetes"):
        assert default_name(read({"data.name": name}), "0123456789") == name
    assert default_name(read({"data.name": "wine", "search.seeds": "3"}), "0123456789") == "wine-01234567"
    assert is_default("wisconsin", "0123456789")
    assert not is_default("wine", "0123456789")
