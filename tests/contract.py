"""The laws of handnet/contract.py as one class of tests. A new backend is a subclass with a name and a
tolerance."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handnet import Backend, EpochDraws, Fit, Layer, Recipe, Table, load_backend, seeded_plan
from handnet.draws import generator
from handnet.splits import Split

RECIPE = Recipe(epochs=6, learning_rate=5e-3)
HISTORIES = ("train_loss", "train_loss_off", "val_loss")
# What a recipe says of each task.
TASKS: dict[str, dict[str, object]] = {
    "two classes": {},
    "many classes": {"outputs": 3},
    "a number": {"loss": "squared_error"},
}


def truths(task: str, table: Table) -> np.ndarray:
    """Of each row (n,): its label; one of three, the second label split by a measurement; or a number."""
    if task == "many classes":
        return np.asarray(table.y + table.y * (table.X[:, 1] > 0), np.int8)
    return np.asarray(table.X[:, :4].sum(axis=1) / 4 - table.y if task == "a number" else table.y)


def of_task(task: str, parts: Split) -> Split:
    """The same train and validation rows with the truths of a task."""
    given = {name: getattr(parts, name) for name in ("train", "val")}
    return replace(parts, **{name: table._replace(y=truths(task, table)) for name, table in given.items()})


def with_row(row: int) -> Callable[[np.ndarray], np.ndarray]:
    """An order whose first replica visits `row` fourth."""

    def change(order: np.ndarray) -> np.ndarray:
        order = order.copy()
        order[0, 3] = row
        return order

    return change


# What is wrong with the draws -> the field that is changed, how, and the sentence.
BROKEN = {
    "one row too far": ("order", with_row(341), "rows from 0 to 340, but names row 341"),
    "far away": ("order", with_row(10**6), "names row 1000000"),
    "counted from the end": ("order", with_row(-1), "names row -1"),
    "wraps in 32 bits": ("order", with_row(2**32 + 5), "names row 4294967301"),
    "order of floats": ("order", lambda order: order.astype(float), "whole numbers .* but is float64"),
    "order of bools": ("order", lambda order: order > 0, "whole numbers .* but is bool"),
    "order too short": ("order", lambda order: order[:, :300], r"of shape \(2, 3|from 0 to 299"),
    "order too long": ("order", lambda order: np.concatenate([order, order[:, :9]], 1), r"of shape \(2, 3"),
    "order of one replica": ("order", lambda order: order[:1], r"of shape \([12], 341"),
    "order without replicas": ("order", lambda order: order[0], r"but is int64 of shape \(341\)"),
    "order a list": ("order", lambda order: order.tolist(), "but is a list"),
    "masks of floats": (
        "keep",
        lambda keep: tuple(mask * 0.5 for mask in keep),
        "bool of shape .* but is float64",
    ),
    "masks of bytes": (
        "keep",
        lambda keep: tuple(mask.astype(np.uint8) for mask in keep),
        "bool .* but is uint8",
    ),
    "mask of one unit": (
        "keep",
        lambda keep: (keep[0][:, :, :1], keep[1]),
        r"layer 0 .* but is bool of shape",
    ),
    "mask of one replica": ("keep", lambda keep: (keep[0][:1], keep[1]), r"layer 0 .* but is bool of shape"),
    "mask of one row": ("keep", lambda keep: (keep[0][:, :1], keep[1]), r"layer 0 .* but is bool of shape"),
    "a mask too few": ("keep", lambda keep: keep[:1], "2 keep masks an epoch, .* but gives 1"),
    "no masks": ("keep", lambda keep: keep[:0], "2 keep masks an epoch, .* but gives 0"),
}


def fourth(value: float) -> Callable[[np.ndarray], np.ndarray]:
    """The weights, the fourth of which is `value`."""
    return lambda weight: np.where(np.arange(len(weight)) == 3, value, weight)


# What is wrong with the weights -> what makes them so, and the sentence.
BAD_WEIGHTS = {
    "negative": (fourth(-1e-9), "must be finite and at least 0, but that of row 3 is -1e-09"),
    "a gap": (fourth(np.nan), "must be finite and at least 0, but that of row 3 is nan"),
    "infinite": (fourth(np.inf), "must be finite and at least 0, but that of row 3 is inf"),
    "all 0": (np.zeros_like, "the weights are all 0"),
    "too few": (lambda weight: weight[1:], r"each of \d+ rows needs a weight, but the weights have shape"),
    "one for all": (lambda weight: weight[:1], r"needs a weight, but the weights have shape \(1,\)"),
}


# Weight and bias of the only hidden unit, then of the exit, after two steps of rate .1 with weight decay .5,
# from weights of 1 and biases of 0. The row is 1, its truth 0, the loss the squared error. All slopes are 1
# at first, so either optimizer gives .85, -.1, .85, -.1. The guess is then .85 * .75 - .1 = .5375, and the
# slopes are .456875, .456875, .403125, .5375. Adam is that of Loshchilov & Hutter (2019), Algorithm 2.
DECAYED = {
    "sgd": [0.7618125, -0.1456875, 0.7671875, -0.15375],
    "adam": [0.71562299, -0.19187701, 0.71752384, -0.19425807],
}


@dataclass(frozen=True)
class GivenPlan:
    """A plan built by hand from arrays."""

    layers: tuple[Layer, ...]
    draws: tuple[EpochDraws, ...]

    def start(self) -> tuple[Layer, ...]:
        return self.layers

    def epochs(self) -> Iterator[EpochDraws]:
        return iter(self.draws)


def recorded(recipe: Recipe, train: Table, seeds: list[int]) -> GivenPlan:
    plan = seeded_plan(recipe, train, seeds)
    return GivenPlan(plan.start(), tuple(plan.epochs()))


def arrays(fit: Fit) -> list[np.ndarray]:
    return [part for layer in fit.layers for part in layer] + [np.asarray(part) for part in fit[1:]]


def weighted(table: Table, seed: int) -> Table:
    """The table with weights of any size, a tenth of them 0."""
    draws = generator(seed, 0)
    return table._replace(weight=draws.exponential(size=len(table.y)) * (draws.random(len(table.y)) > 0.1))


# A law is tried without weights of rows and with them, and with weight decay; what takes long, on two classes
# alone. Each case: its task, whether rows have weights, and the weight decay.
GIVEN = {name: (name, name != "two classes", 0.0) for name in TASKS} | {
    "weighted": ("two classes", True, 0.0),
    "decaying": ("two classes", False, 0.1),
}
law, law_of_two_classes, each_task = (
    pytest.mark.parametrize("parts", [GIVEN[name] for name in names], ids=names, indirect=True)
    for names in (list(GIVEN), ["two classes", "weighted"], list(TASKS))
)


class BackendContract:
    """Subclasses give the backend; a compiled one may widen `same` to a stated tolerance."""

    backend: Backend
    task, decay = "two classes", 0.0
    agreement = 0.0  # largest difference of a probability from the float64 reference after 50 epochs

    @pytest.fixture
    def parts(self, request: pytest.FixtureRequest, parts: Split) -> Split:
        """The rows of a test, with the truths of its task; a law is tried with weights too."""
        self.task, has_weights, self.decay = getattr(request, "param", ("two classes", False, 0.0))
        parts = of_task(self.task, parts)
        if not has_weights:
            return parts
        # In float32 single networks part at high rates; with these weights the three of law 6 do not.
        return replace(parts, train=weighted(parts.train, 3), val=weighted(parts.val, 2))

    def recipe(self, **changes: object) -> Recipe:
        """Of the test's task, with its weight decay."""
        return replace(RECIPE, **TASKS[self.task], weight_decay=self.decay, **changes)

    def predicted(self, backend: Backend, fit: Fit, parts: Split) -> np.ndarray:
        """What the networks of a fit say of the validation rows."""
        return backend.predict(fit.layers, parts.val.X, self.recipe().loss)

    def same(self, one: np.ndarray, other: np.ndarray) -> bool:
        return np.array_equal(one, other, equal_nan=True)

    def fit(self, parts: Split, seeds: list[int], recipe: Recipe | None = None) -> Fit:
        recipe = recipe or self.recipe()
        return self.backend.fit(parts.train, parts.val, recipe, seeded_plan(recipe, parts.train, seeds))

    def assert_same(self, one: Fit, other: Fit) -> None:
        for a, b in zip(arrays(one), arrays(other), strict=True):
            assert self.same(a, b)

    @each_task
    def test_shapes(self, parts: Split) -> None:
        fit, k = self.fit(parts, [3, 4, 5]), self.recipe().outputs
        shapes = [part.shape for layer in fit.layers for part in layer]
        assert shapes == [(3, 30, 16), (3, 1, 16), (3, 16, 8), (3, 1, 8), (3, 8, k), (3, 1, k)]
        assert {getattr(fit, name).shape for name in HISTORIES} == {(3, 6)}
        assert fit.best_epoch.tolist() == fit.diverged_at.tolist() == [-1, -1, -1]
        logits, said = self.backend.logits(fit.layers, parts.val.X), self.predicted(self.backend, fit, parts)
        assert logits.shape == said.shape == ((3, 114, 3) if k == 3 else (3, 114))
        e = np.exp(logits)
        expected = {
            "two classes": e / (1 + e),
            "many classes": e / e.sum(axis=-1, keepdims=True),
            "a number": logits,
        }
        assert np.allclose(said, expected[self.task], atol=1e-6)

    @law
    def test_1_same_arguments_same_fit(self, parts: Split) -> None:
        self.assert_same(self.fit(parts, [1, 2]), self.fit(parts, [1, 2]))

    @given(seeds=st.lists(st.integers(0, 2**32 - 1), min_size=2, max_size=9, unique=True))
    @law_of_two_classes
    def test_2_alone_equals_in_a_batch(self, parts: Split, seeds: list[int]) -> None:
        recipe = self.recipe(epochs=2)
        batch = self.fit(parts, seeds, recipe)
        alone = self.fit(parts, seeds[-1:], recipe)
        for whole, single in zip(arrays(batch), arrays(alone), strict=True):
            assert self.same(whole[-1:], single)
        assert self.same(
            self.backend.logits(batch.layers, parts.val.X)[-1:],
            self.backend.logits(alone.layers, parts.val.X),
        )

    @law
    def test_2_in_a_large_batch(self, parts: Split) -> None:
        recipe = self.recipe(epochs=2)
        batch = self.fit(parts, list(range(110)), recipe)
        for place in (17, 109):
            alone = self.fit(parts, [place], recipe)
            for whole, single in zip(arrays(batch), arrays(alone), strict=True):
                assert self.same(whole[place : place + 1], single)

    @law
    def test_3_permuted_seeds_permute_results(self, parts: Split) -> None:
        forth, back = self.fit(parts, [7, 8, 9]), self.fit(parts, [9, 8, 7])
        for a, b in zip(arrays(forth), arrays(back), strict=True):
            assert self.same(a, b[::-1])

    @law
    def test_4_a_shorter_run_is_the_beginning_of_a_longer_one(self, parts: Split) -> None:
        plan = seeded_plan(self.recipe(epochs=4), parts.train, [0, 1])
        assert self.same(
            self.fit(parts, [0, 1]).val_loss[:, :4],
            self.backend.fit(parts.train, parts.val, self.recipe(epochs=4), plan).val_loss,
        )
        # A plan may hold more epochs than the recipe asks for: its weights are those of the short run.
        short = self.recipe(epochs=3)
        longer = self.backend.fit(parts.train, parts.val, short, recorded(self.recipe(), parts.train, [0, 1]))
        self.assert_same(longer, self.fit(parts, [0, 1], short))

    @law
    def test_5_without_dropout_masks_are_ignored(self, parts: Split) -> None:
        recipe = self.recipe(dropout=0.0)
        plan = recorded(recipe, parts.train, [0, 1])
        nothing = tuple(EpochDraws(d.order, tuple(np.zeros_like(k) for k in d.keep)) for d in plan.draws)
        masked = self.backend.fit(parts.train, parts.val, recipe, replace(plan, draws=nothing))
        self.assert_same(masked, self.fit(parts, [0, 1], recipe))

    def test_dropout_acts_on_the_first_hidden_layer_only(self, parts: Split) -> None:
        plan = recorded(self.recipe(), parts.train, [0, 1])
        later = tuple(EpochDraws(d.order, (d.keep[0], np.zeros_like(d.keep[1]))) for d in plan.draws)
        first = tuple(EpochDraws(d.order, (~d.keep[0], d.keep[1])) for d in plan.draws)
        fit = self.fit(parts, [0, 1])
        self.assert_same(
            self.backend.fit(parts.train, parts.val, self.recipe(), replace(plan, draws=later)), fit
        )
        flipped = self.backend.fit(parts.train, parts.val, self.recipe(), replace(plan, draws=first))
        assert not self.same(flipped.train_loss, fit.train_loss)

    @pytest.mark.parametrize(("optimizer", "rate"), [("adam", 1e-3), ("adam", 1e-2), ("sgd", 1e-2)])
    @law
    def test_6_agrees_with_the_reference(self, parts: Split, optimizer: str, rate: float) -> None:
        recipe = self.recipe(learning_rate=rate, epochs=50, optimizer=optimizer)
        reference = load_backend("numpy", dtype="float64")
        plan = seeded_plan(recipe, parts.train, [0, 1, 2])
        ours = self.backend.fit(parts.train, parts.val, recipe, plan)
        theirs = reference.fit(parts.train, parts.val, recipe, plan)
        distance = self.predicted(self.backend, ours, parts) - self.predicted(reference, theirs, parts)
        assert np.abs(distance).max() <= self.agreement

    @law
    def test_every_history_agrees_with_the_reference(self, parts: Split) -> None:
        recipe = self.recipe(epochs=3)
        plan = seeded_plan(recipe, parts.train, [0, 1, 2])
        ours, theirs = (
            backend.fit(parts.train, parts.val, recipe, plan)
            for backend in (self.backend, load_backend("numpy", dtype="float64"))
        )
        for name in HISTORIES:
            assert np.abs(getattr(ours, name) - getattr(theirs, name)).max() <= self.agreement, name

    @pytest.mark.parametrize("hidden", [(16, 8), (70, 4), (5, 3)])
    def test_wide_tables_and_layers_agree_with_the_reference(
        self, parts: Split, hidden: tuple[int, ...]
    ) -> None:
        """Sums of more terms than a backend may take at a time, in batches of 32 and of 21."""
        X = (
            np.concatenate(
                [parts.train.X, parts.train.X**2 - 1, parts.train.X[:, ::-1] * parts.train.X], axis=1
            )
            / 2
        )
        train, val = Table(X[:85], parts.train.y[:85]), Table(X[85:200], parts.train.y[85:200])
        recipe = self.recipe(hidden=hidden, epochs=3)
        plan = seeded_plan(recipe, train, range(9))
        reference = load_backend("numpy", dtype="float64")
        ours, theirs = (backend.fit(train, val, recipe, plan) for backend in (self.backend, reference))
        distance = self.backend.predict(ours.layers, val.X) - reference.predict(theirs.layers, val.X)
        assert np.abs(distance).max() <= self.agreement

    def test_new_labels_are_learned_anew(self, parts: Split) -> None:
        recipe, reference = self.recipe(epochs=2), load_backend("numpy", dtype="float64")
        for labels in (parts.train.y, 1 - parts.train.y):
            train = Table(parts.train.X, labels)
            plan = seeded_plan(recipe, train, [0, 1])
            ours, theirs = (one.fit(train, parts.val, recipe, plan) for one in (self.backend, reference))
            assert np.abs(ours.val_loss - theirs.val_loss).max() <= self.agreement

    def test_fifty_classes_agree_with_the_reference(self, parts: Split) -> None:
        train, val = (table._replace(y=np.arange(len(table.y)) % 50) for table in (parts.train, parts.val))
        recipe = self.recipe(outputs=50, epochs=2, batch_size=100)
        plan = seeded_plan(recipe, train, [0, 1])
        reference = load_backend("numpy", dtype="float64")
        ours, theirs = (backend.fit(train, val, recipe, plan) for backend in (self.backend, reference))
        distance = self.backend.predict(ours.layers, val.X) - reference.predict(theirs.layers, val.X)
        assert np.abs(distance).max() <= self.agreement

    @pytest.mark.parametrize("size", [1e4, 1e30])
    @each_task
    def test_outputs_of_any_size_are_told_and_nothing_is_raised(self, parts: Split, size: float) -> None:
        """The loss is as large, or the replica is named: float32 has no room for the square of 1e30."""
        plan = recorded(self.recipe(epochs=1), parts.train, [0, 1])
        last = plan.layers[-1]
        bias = np.zeros_like(last.bias)
        bias[0, 0, -1] = size
        ill = replace(plan, layers=(*plan.layers[:-1], Layer(last.weight, bias)))
        fit = self.backend.fit(parts.train, parts.val, self.recipe(epochs=1), ill)
        assert fit.diverged_at[1] == -1
        assert fit.train_loss[0, 0] > size / 10 if fit.diverged_at[0] < 0 else size == 1e30
        said = self.backend.predict(ill.layers, parts.val.X, self.recipe().loss)
        if self.task == "a number":
            assert np.allclose(said[0], size, rtol=1e-2)
        else:
            assert ((said >= 0) & (said <= 1)).all()
            assert np.allclose(said[0, ..., -1] if said.ndim == 3 else said[0], 1)

    def test_classes_that_are_none_are_refused(self, parts: Split) -> None:
        recipe = self.recipe(outputs=3)
        for wrong in (3, -1, 0.5, np.nan):
            y = np.where(np.arange(341) == 7, wrong, parts.train.y)
            for train, val in (
                (parts.train._replace(y=y), parts.val),
                (parts.val, parts.train._replace(y=y)),
            ):
                with pytest.raises(ValueError, match=f"class from 0 to 2, but that of row 7 is {wrong}"):
                    self.backend.fit(train, val, recipe, seeded_plan(recipe, train, [0]))

    def test_an_exit_that_is_none_is_refused(self, parts: Split) -> None:
        layers = seeded_plan(self.recipe(outputs=3), parts.train, [0]).start()
        with pytest.raises(ValueError, match="outputs must be 1 where the loss is squared_error, but got 3"):
            self.backend.predict(layers, parts.val.X, "squared_error")
        with pytest.raises(ValueError, match="loss must be one of log_loss, squared_error, but got 'hinge'"):
            self.backend.predict(layers, parts.val.X, "hinge")

    def test_the_gate_is_shut_at_zero(self) -> None:
        """At z = 0 the slope of the relu is 0; that of a maximum would be a half or 1 and move the weight."""
        one = Table(np.ones((1, 1)), np.array([0]))
        nothing, unit = np.zeros((1, 1, 1)), np.ones((1, 1, 1))
        draws = EpochDraws(np.zeros((1, 1), dtype=int), (unit > 0,))
        plan = GivenPlan((Layer(nothing, nothing), Layer(unit, nothing)), (draws,))
        fit = self.backend.fit(one, one, Recipe(0.1, 0.0, 1, 1, (1,), "sgd"), plan)
        assert [part.item() for part in fit.layers[0]] == [0.0, 0.0]
        assert fit.layers[1].bias.item() == pytest.approx(-0.05)

    @pytest.mark.parametrize(("optimizer", "expected"), DECAYED.items())
    def test_weight_decay_is_the_one_counted_by_hand(self, optimizer: str, expected: list[float]) -> None:
        """Of weights alone, from before the step, and beside Adam's averages, which know nothing of it."""
        one = Table(np.ones((1, 1)), np.zeros(1))
        nothing, unit = np.zeros((1, 1, 1)), np.ones((1, 1, 1))
        draws = EpochDraws(np.zeros((1, 1), dtype=int), (unit > 0,))
        plan = GivenPlan((Layer(unit, nothing), Layer(unit, nothing)), (draws, draws))
        recipe = Recipe(0.1, 0.0, 2, 1, (1,), optimizer, loss="squared_error", weight_decay=0.5)
        fit = self.backend.fit(one, one, recipe, plan)
        found = [part.item() for layer in fit.layers for part in layer]
        assert found == pytest.approx(expected, abs=2e-6)  # epsilon, where the paper's is, moves them by 6e-7

    def test_a_fit_remembers_nothing_of_the_one_before(self, parts: Split) -> None:
        """Although everything that can be searched has changed in between."""
        other = Recipe(2e-2, 0.4, 9, 100, (5,), "sgd", patience=2, weight_decay=0.3)
        before, between, after = (self.fit(parts, [0, 1], recipe) for recipe in (None, other, None))
        self.assert_same(before, after)
        reference = load_backend("numpy", dtype="float64")
        theirs = reference.fit(parts.train, parts.val, other, seeded_plan(other, parts.train, [0, 1]))
        assert np.abs(between.val_loss - theirs.val_loss).max() <= self.agreement
        assert between.best_epoch.tolist() == theirs.best_epoch.tolist()

    def test_predictions_clip_logits_at_80(self) -> None:
        weight = np.array([1.0, -1.0]).reshape(2, 1, 1)
        layers = (Layer(np.ones((2, 1, 1)), np.zeros((2, 1, 1))), Layer(weight, np.zeros((2, 1, 1))))
        far, edge = (self.backend.predict(layers, np.array([[z]])) for z in (1000.0, 80.0))
        assert np.array_equal(far, edge)
        assert far[1, 0] == pytest.approx(1 / (1 + np.exp(80)), rel=1e-4)

    @pytest.mark.parametrize("dropout", [0.99999999, 1 - 2**-53])
    def test_a_dropout_just_below_one_is_no_division_by_zero(self, parts: Split, dropout: float) -> None:
        recipe = self.recipe(epochs=2, dropout=dropout)
        plan = seeded_plan(recipe, parts.train, [3])
        ours, theirs = (
            backend.fit(parts.train, parts.val, recipe, plan)
            for backend in (self.backend, load_backend("numpy", dtype="float64"))
        )
        assert ours.diverged_at.tolist() == [-1]
        assert np.abs(ours.train_loss - theirs.train_loss).max() <= self.agreement

    @law
    def test_7_arguments_and_global_generators_untouched(self, parts: Split) -> None:
        plan = recorded(self.recipe(), parts.train, [0, 1])
        held = [part for layer in plan.layers for part in layer] + [draw.order for draw in plan.draws]
        copies = [part.copy() for part in held]
        before = np.random.get_state()[1].copy()  # noqa: NPY002 - the global state is what must not move
        ours = random.getstate()
        # A width that nothing else here has: a network made anew may not draw either.
        new = self.recipe(hidden=(6, 3), epochs=1)
        self.backend.fit(parts.train, parts.val, new, seeded_plan(new, parts.train, [0]))
        fit = self.backend.fit(parts.train, parts.val, self.recipe(), plan)
        weights = [part.copy() for layer in fit.layers for part in layer]
        self.backend.logits(fit.layers, parts.val.X)
        assert np.array_equal(before, np.random.get_state()[1])  # noqa: NPY002
        assert random.getstate() == ours
        assert all(np.array_equal(a, b) for a, b in zip(held, copies, strict=True))
        after = [part for layer in fit.layers for part in layer]
        assert all(np.array_equal(a, b) for a, b in zip(after, weights, strict=True))

    @law
    def test_8_a_diverging_replica_is_named_and_harms_nobody(self, parts: Split) -> None:
        plan = recorded(self.recipe(), parts.train, [0, 1, 2])
        first = plan.layers[0]
        poisoned = first.weight.copy()
        poisoned[1] = 1e30
        ill = replace(plan, layers=(Layer(poisoned, first.bias), *plan.layers[1:]))
        fit = self.backend.fit(parts.train, parts.val, self.recipe(learning_rate=1e30, optimizer="sgd"), ill)
        assert fit.diverged_at[1] >= 0
        mixed = self.backend.fit(parts.train, parts.val, self.recipe(), ill)
        sound = self.fit(parts, [0, 1, 2])
        for a, b in zip(arrays(mixed), arrays(sound), strict=True):
            assert self.same(a[[0, 2]], b[[0, 2]])

    @law
    def test_8_a_weight_that_is_not_finite_is_seen_behind_a_finite_loss(self, parts: Split) -> None:
        # A first-layer bias of -inf shuts its unit for ever: the loss stays finite, the network is broken.
        plan = recorded(self.recipe(), parts.train, [0, 1])
        first = plan.layers[0]
        bias = first.bias.copy()
        bias[0, 0, 3] = -np.inf
        ill = replace(plan, layers=(Layer(first.weight, bias), *plan.layers[1:]))
        fit = self.backend.fit(parts.train, parts.val, self.recipe(), ill)
        assert fit.diverged_at.tolist() == [0, -1]

    @law
    def test_8_a_cell_that_is_not_finite_is_never_hidden(self, parts: Split) -> None:
        """A relu may turn the NaN of one cell into 0, and the losses stay finite: the weights of the first
        layer do not."""
        X = parts.train.X.copy()
        X[17, 4] = np.nan
        plan = seeded_plan(self.recipe(), parts.train, [0, 1])
        fit = self.backend.fit(parts.train._replace(X=X), parts.val, self.recipe(), plan)
        assert fit.diverged_at.tolist() == [0, 0]

    @pytest.mark.parametrize("rate", [1e3, 1e200])
    @pytest.mark.parametrize("optimizer", ["sgd", "adam"])
    @law
    def test_8_of_a_step_far_too_large_everything_is_seen(
        self, parts: Split, optimizer: str, rate: float
    ) -> None:
        """On unscaled inputs: a replica is named if and only if something of it is not finite, and with the
        first epoch at which it is."""
        recipe = self.recipe(learning_rate=rate, optimizer=optimizer)
        by = np.geomspace(0.01, 1000, 30)
        train, val = (part._replace(X=part.X * by) for part in (parts.train, parts.val))
        fit = self.backend.fit(train, val, recipe, seeded_plan(recipe, train, [0, 1]))
        for replica, epoch in enumerate(fit.diverged_at):
            losses = np.stack([getattr(fit, name)[replica] for name in HISTORIES])
            weights = np.concatenate([part[replica].ravel() for layer in fit.layers for part in layer])
            if epoch < 0:
                assert np.isfinite(losses).all()
                assert np.isfinite(weights).all()
            else:
                assert np.isfinite(losses[:, :epoch]).all()
                assert not (np.isfinite(losses[:, epoch:]).all() and np.isfinite(weights).all())
        assert rate < 1e200 or (fit.diverged_at >= 0).any()  # else there was nothing to see

    @law
    def test_patience_returns_what_stopping_there_would_have(self, parts: Split) -> None:
        recipe = self.recipe(learning_rate=2e-2, epochs=40, patience=3)
        fit = self.fit(parts, [0, 1, 2, 3], recipe)
        for replica, seed in enumerate([0, 1, 2, 3]):
            best, waited, losses = 0, 0, fit.val_loss[replica]
            for epoch in range(1, 40):
                best, waited = (epoch, 0) if losses[epoch] < losses[best] else (best, waited + 1)
                if waited == 3:
                    break
            assert fit.best_epoch[replica] == best
            stopped = self.fit(parts, [seed], replace(recipe, epochs=best + 1, patience=None))
            assert self.same(stopped.layers[0].weight, fit.layers[0].weight[replica : replica + 1])
        assert len(set(fit.best_epoch.tolist())) > 1  # else replicas could not be told apart

    def test_a_plan_that_does_not_fit_is_refused(self, parts: Split) -> None:
        short = recorded(self.recipe(epochs=2), parts.train, [0])
        with pytest.raises(ValueError, match="must hold draws for 6 epochs, but ended after 2"):
            self.backend.fit(parts.train, parts.val, self.recipe(), short)
        other = recorded(self.recipe(hidden=(4,)), parts.train, [0])
        with pytest.raises(ValueError, match="shapes"):
            self.backend.fit(parts.train, parts.val, self.recipe(), other)

    def test_a_plan_of_another_table_is_refused(self, parts: Split) -> None:
        """Order and masks fit each other, but not the rows or the replicas."""
        fewer = Table(parts.train.X[:300], parts.train.y[:300])
        first = seeded_plan(self.recipe(), parts.train, [0, 1]).start()
        for other in (recorded(self.recipe(), fewer, [0, 1]), recorded(self.recipe(), parts.train, [0])):
            with pytest.raises(ValueError, match=r"of shape \(2, 341\), but is"):
                self.backend.fit(parts.train, parts.val, self.recipe(), GivenPlan(first, other.draws))

    @pytest.mark.parametrize("wrong", BROKEN)
    def test_draws_that_are_none_are_refused(self, parts: Split, wrong: str) -> None:
        field, change, sentence = BROKEN[wrong]
        plan = recorded(self.recipe(), parts.train, [0, 1])
        draws = tuple(draw._replace(**{field: change(getattr(draw, field))}) for draw in plan.draws)
        with pytest.raises(ValueError, match=sentence):
            self.backend.fit(parts.train, parts.val, self.recipe(), replace(plan, draws=draws))

    def test_equal_weights_are_none(self, parts: Split) -> None:
        plan = seeded_plan(self.recipe(), parts.train, [0, 1])
        equal = (table._replace(weight=np.full(len(table.y), 0.3)) for table in (parts.train, parts.val))
        self.assert_same(self.backend.fit(*equal, self.recipe(), plan), self.fit(parts, [0, 1]))

    @pytest.mark.parametrize("factor", [2.0**-1000, 2.0**900, 3.0])
    def test_only_ratios_of_weights_count(self, parts: Split, factor: float) -> None:
        """To the bit where the factor is a power of two; another one rounds each weight anew."""
        plan = seeded_plan(self.recipe(), parts.train, [0, 1])
        train, val = weighted(parts.train, 1), weighted(parts.val, 2)
        scaled = (table._replace(weight=table.weight * factor) for table in (train, val))
        fits = (
            self.backend.fit(train, val, self.recipe(), plan),
            self.backend.fit(*scaled, self.recipe(), plan),
        )
        if factor == 3:
            assert np.allclose(fits[0].val_loss, fits[1].val_loss, rtol=self.rounding)
        else:
            self.assert_same(*fits)

    @property
    def rounding(self) -> float:
        """Relative: what six epochs make of a last digit."""
        return {"float32": 1e-3, "float64": 1e-10}[np.dtype(self.backend.dtype).name]

    @each_task
    @pytest.mark.parametrize("optimizer", ["adam", "sgd"])
    def test_a_whole_weight_repeats_a_row(self, parts: Split, optimizer: str) -> None:
        """In one batch of the whole table a row of weight 3 is three rows, and one of weight 0 is none."""
        recipe = self.recipe(dropout=0.0, batch_size=10_000, optimizer=optimizer)
        weight = generator(3, 0).integers(0, 4, len(parts.train.y))
        rows = np.repeat(np.arange(len(weight)), weight)
        assert set(weight) == {0, 1, 2, 3}
        tables = parts.train._replace(weight=weight), Table(parts.train.X[rows], parts.train.y[rows])
        first = seeded_plan(recipe, parts.train, [0, 1]).start()
        ours, theirs = (
            self.backend.fit(
                table, parts.val, recipe, GivenPlan(first, recorded(recipe, table, [0, 1]).draws)
            )
            for table in tables
        )
        for name in HISTORIES:
            assert np.allclose(getattr(ours, name), getattr(theirs, name), rtol=self.rounding), name

    @each_task
    def test_a_batch_of_weight_0_takes_a_step_of_slope_0(self, parts: Split) -> None:
        """Of plain descent it is no step; Adam goes on in its direction, as the reference does."""
        table = Table(parts.train.X[:4], parts.train.y[:4], np.array([0.0, 0.0, 2.0, 1.0]))
        order = np.arange(4)[None]
        for optimizer, later in (("sgd", 1), ("adam", 3)):
            recipe = self.recipe(
                learning_rate=0.1, dropout=0.0, epochs=later, batch_size=2, optimizer=optimizer
            )
            plan = recorded(recipe, table, [0])
            plan = replace(plan, draws=tuple(draw._replace(order=order) for draw in plan.draws))
            reference = load_backend("numpy", dtype="float64").fit(table, table, recipe, plan)
            fit = self.backend.fit(table, table, recipe, plan)
            assert fit.diverged_at.tolist() == [-1]
            assert np.allclose(fit.val_loss, reference.val_loss, rtol=self.rounding)
            if optimizer == "sgd":
                rest = Table(*(part[2:] for part in table))
                alone = replace(plan, draws=tuple(EpochDraws(d.order[:, :2], d.keep) for d in plan.draws))
                step = self.backend.fit(rest, rest, recipe, alone)
                assert np.allclose(fit.layers[0].weight, step.layers[0].weight, atol=self.rounding)

    @pytest.mark.parametrize("wrong", BAD_WEIGHTS)
    @pytest.mark.parametrize("part", ["train", "val"])
    def test_weights_that_are_none_are_refused(self, parts: Split, wrong: str, part: str) -> None:
        change, sentence = BAD_WEIGHTS[wrong]
        table = getattr(parts, part)
        ill = replace(parts, **{part: table._replace(weight=change(np.ones(len(table.y))))})
        with pytest.raises(ValueError, match=sentence):
            self.fit(ill, [0])

    @pytest.mark.parametrize("hidden", [(5,), (4, 3, 2)])
    def test_other_depths(self, parts: Split, hidden: tuple[int, ...]) -> None:
        recipe = self.recipe(hidden=hidden, epochs=30)
        fit = self.fit(parts, [0, 1], recipe)
        assert [layer.weight.shape[2] for layer in fit.layers] == [*hidden, 1]
        assert (fit.val_loss[:, -1] < fit.val_loss[:, 0]).all()
