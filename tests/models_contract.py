"""The laws of a model (handnet/models/model.py), as one test class that every adapter inherits."""

import copy
import random
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pytest

from handnet import Table
from handnet.data import digest
from handnet.models.model import Model
from handnet.tasks import Task, task_of


def rows(classes: int, n: int = 60, text: bool = False) -> Table:
    """A table (n, 4) in which the target depends on two columns; with text and a gap, a DataFrame."""
    numbers = np.random.default_rng(7 + classes)
    X = numbers.normal(size=(n, 4))
    score = X[:, 0] + X[:, 1] + 0.5 * numbers.normal(size=n)
    y = (
        np.searchsorted(np.quantile(score, np.arange(1, classes) / classes), score)
        if classes
        else 9 + 4 * score
    )
    y = y.astype(np.int8 if classes else np.float64)
    if not text:
        return Table(X, y)
    frame = pd.DataFrame(X, columns=["a", "b", "c", "d"])
    frame["site"] = np.where(X[:, 2] > 0, "north", "south")
    frame.loc[3, "b"] = np.nan
    return Table(frame, y)  # type: ignore[arg-type]  # what "raw" stands for


def part(table: Table, start: int, end: int | None = None) -> Table:
    """Some rows of a table."""
    return Table(table.X[start:end], table.y[start:end])


def globals_now() -> tuple[Any, str]:
    """The states of the generators of the process."""
    name, keys, *rest = np.random.get_state()  # noqa: NPY002 - what other people's code draws from
    return (random.getstate(), name, *rest), digest(keys)


def content(table: Table) -> list[Any]:
    """What a table holds, by value."""
    return [table.X.to_csv() if isinstance(table.X, pd.DataFrame) else digest(table.X), digest(table.y)]


class ModelContract:
    """A subclass names the model, what is learnt and the parameters.

    whole: whether the outputs of a row are the same to the bit whatever rows are beside it; a product of
    matrices is rounded by its size. one_call: whether all rows must be asked for at once."""

    classes: ClassVar[int] = 2
    params: ClassVar[Mapping[str, Any]] = {}
    text: ClassVar[bool] = False
    whole: ClassVar[bool] = True
    one_call: ClassVar[bool] = False
    seeds: ClassVar[list[int]] = [5, 0, 2**32 - 1]

    def model(self) -> Model:
        raise NotImplementedError

    @property
    def task(self) -> Task:
        return task_of(self.classes)

    @property
    def parts(self) -> tuple[Table, Table]:
        table = rows(self.classes, n=120, text=self.text)
        return part(table, 0, 100), part(table, 100)

    def outputs(self, seeds: list[int], model: Model | None = None) -> np.ndarray:
        """(R, 20) or (R, 20, k)."""
        train, val = self.parts
        return (model or self.model()).fit(train, val, self.params, seeds, self.task).outputs(val.X)

    def test_1_the_same_arguments_give_the_same_outputs(self) -> None:
        model = self.model()
        model.check(self.params, self.task)
        first = self.outputs(self.seeds, model)
        np.testing.assert_array_equal(first, self.outputs(self.seeds, model))
        np.testing.assert_array_equal(first, self.outputs(self.seeds))
        assert model.identity == self.model().identity

    def test_1_what_a_model_is_fitted_with_before_changes_nothing(self) -> None:
        model, (train, val) = self.model(), self.parts
        model.fit(val, train, self.params, [1], self.task).outputs(train.X)
        np.testing.assert_array_equal(self.outputs(self.seeds, model), self.outputs(self.seeds))

    def test_2_a_seed_does_not_depend_on_its_company(self) -> None:
        together = self.outputs(self.seeds)
        alone = np.concatenate([self.outputs([seed]) for seed in self.seeds])
        np.testing.assert_array_equal(together, alone)
        np.testing.assert_array_equal(self.outputs(self.seeds[::-1]), together[::-1])
        if self.model().seeded:
            assert len(np.unique(together.reshape(len(self.seeds), -1), axis=0)) == len(self.seeds)

    def test_2_a_row_does_not_depend_on_its_company(self) -> None:
        train, val = self.parts
        fitted = self.model().fit(train, val, self.params, self.seeds, self.task)
        whole, first = fitted.outputs(val.X), fitted.outputs(val.X[:7])
        if self.whole:
            np.testing.assert_array_equal(first, whole[:, :7])
        elif not self.one_call:
            np.testing.assert_allclose(first, whole[:, :7], rtol=1e-5, atol=1e-6)

    def test_3_arrays_restore_the_outputs(self) -> None:
        model, (train, val) = self.model(), self.parts
        fitted = model.fit(train, val, self.params, self.seeds, self.task)
        arrays = fitted.arrays()
        assert (arrays is not None) == model.keeps_arrays
        if arrays is None:
            with pytest.raises(NotImplementedError):
                model.restored({}, self.params, 4, self.task)
            return
        assert all(len(array) == len(self.seeds) for array in arrays.values())
        kept = {name: array[1:].copy() for name, array in arrays.items()}
        again = self.model().restored(kept, self.params, 4, self.task)
        np.testing.assert_array_equal(again.outputs(val.X), fitted.outputs(val.X)[1:])

    def test_4_arguments_and_global_generators_are_left_as_they_were(self) -> None:
        (train, val), params = self.parts, copy.deepcopy(dict(self.params))
        before, states = [*content(train), *content(val)], globals_now()
        fitted = self.model().fit(train, val, params, self.seeds, self.task)
        fitted.outputs(val.X)
        assert [*content(train), *content(val)] == before
        assert params == self.params
        assert globals_now() == states

    def test_4_rows_that_cannot_be_written_to_do_as_well(self) -> None:
        train, val = self.parts
        for array in (train.y, *([] if self.text else [train.X, val.X])):
            array.setflags(write=False)
        fitted = self.model().fit(train, val, self.params, self.seeds, self.task)
        np.testing.assert_array_equal(fitted.outputs(val.X), self.outputs(self.seeds))

    def test_5_outputs_have_the_shape_of_the_task(self) -> None:
        outputs = self.outputs(self.seeds)
        assert outputs.shape == (
            (len(self.seeds), 20, self.classes) if self.classes > 2 else (len(self.seeds), 20)
        )
        assert outputs.dtype == np.float64
        assert np.isfinite(outputs).all()
        score = self.task.grade(outputs, self.parts[1].y)[self.task.deciding]
        learnt = score > 1.2 / self.classes if self.classes else score < 0.9 * self.parts[1].y.std()
        assert learnt.all()
