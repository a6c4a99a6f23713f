"""What identifies a user's own code: what differs has another text, and an equal value the same anywhere."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import SVC

from handnet import Refusal
from handnet.models import identity
from handnet.models.identity import identity_of


def scaled(factor: float) -> Any:
    """A function that holds a value."""
    return lambda X: factor * X


def test_what_computes_otherwise_is_identified_otherwise() -> None:
    things = [
        SVC(),
        SVC(C=2),
        SVC(C=2.5, kernel=scaled(2)),
        SVC(C=2.5, kernel=scaled(3)),
        make_pipeline(SVC()),
        make_pipeline(StandardScaler(), SVC()),
        FunctionTransformer(np.log1p),
        FunctionTransformer(np.exp),
        FunctionTransformer(np.exp, kw_args={"where": np.array([True, False])}),
        FunctionTransformer(np.exp, kw_args={"where": np.array([True, True])}),
        RandomForestClassifier,
        [1, 2],
        [2, 1],
        {"a": 1},
        {"a": "1"},
    ]
    texts = [identity_of(thing) for thing in things]
    assert len(set(texts)) == len(texts)
    assert [identity_of(thing) for thing in things] == texts
    assert identity_of({"a": 1, "b": 2}) == identity_of({"b": 2, "a": 1})
    holds_itself: list[Any] = [1]
    holds_itself.append(holds_itself)
    assert identity_of(holds_itself) == "[1, <builtins.list 1 up>]"


class Slots:
    __slots__ = ("held",)

    def __init__(self, held: Any) -> None:
        self.held = held


class Free(Slots):
    """It has a __dict__ beside the slots of its parent."""

    def __init__(self, held: Any) -> None:
        super().__init__(0)
        self.more = held


LEAVES: dict[str, Callable[[int], Any]] = {
    "generator": np.random.default_rng,
    "state": np.random.RandomState,
    "bits": np.random.PCG64,
    "entropy": np.random.SeedSequence,
    "array": np.array,
    "float": float,
    "int": int,
    "text": str,
    "range": range,
}
INNER: dict[str, Callable[[Any], Any]] = {
    "list": list,
    "tuple": tuple,
    "set": lambda held: {str(one) for one in range(len(held))},
    "dict": lambda held: {f"key {place}": one for place, one in enumerate(held)},
    "slots": Slots,
    "free": Free,
    "partial": lambda held: partial(max, *held),
    "series": lambda held: pd.Series([str(one) for one in range(len(held))], name="a"),
}
ALIKE = ("set", "series")  # of which the number of what they hold counts alone

# A plan of a value is (name, number) or (name, plans): plans that differ are values that differ.
plans = st.recursive(
    st.tuples(st.sampled_from(sorted(LEAVES)), st.integers(0, 2)),
    lambda inner: st.tuples(st.sampled_from(sorted(INNER)), st.lists(inner, max_size=3)),
    max_leaves=8,
)


def value_of(plan: Any) -> Any:
    name, of = plan
    return LEAVES[name](of) if name in LEAVES else INNER[name]([value_of(one) for one in of])


def meant(plan: Any) -> str:
    """A plan without what does not count."""
    name, of = plan
    if name in LEAVES:
        return f"{name} {of}"
    return f"{name} {len(of) if name in ALIKE else [meant(one) for one in of]}"


@pytest.fixture(scope="module")
def other() -> Iterator[Executor]:
    """Another process, in which texts have other hashes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONHASHSEED", "77")
        with ProcessPoolExecutor(1, get_context("spawn")) as pool:
            assert pool.submit(hash, "a text").result() != hash("a text")
            yield pool


@settings(max_examples=60)
@given(plans, plans)
def test_values_that_differ_are_identified_otherwise_and_alike_in_every_process(
    other: Executor, plan: Any, another: Any
) -> None:
    text = identity_of(value_of(plan))
    assert (text == identity_of(value_of(another))) == (meant(plan) == meant(another))
    assert text == identity_of(value_of(plan)) == other.submit(identity_of, value_of(plan)).result()


def nested(depth: int, value: Any) -> Any:
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize("depth", [1, 9, 40])
def test_what_lies_deep_counts(depth: int) -> None:
    assert identity_of(nested(depth, 1)) != identity_of(nested(depth, 2))
    assert identity_of(nested(depth, 1)) != identity_of(nested(depth + 1, 1))


def test_what_is_held_twice_is_written_once() -> None:
    shared: Any = ["a"]
    apart = "['a']"
    for _ in range(5):
        shared, apart = [shared, shared], f"[{apart}, {apart}]"
    assert identity_of(shared) == identity_of(eval(apart))
    for _ in range(60):  # 2^60 lists, were each written out
        shared = [shared, shared]
    assert identity_of(shared)


@pytest.mark.parametrize(
    "thing",
    [threading.Lock(), {"a": [(one for one in ())]}, np.frompyfunc(lambda x: x, 1, 1), nested(20_000, 1)],
    ids=["lock", "generator", "ufunc", "deep"],
)
def test_what_nothing_tells_apart_is_refused(thing: Any) -> None:
    with pytest.raises(Refusal) as refusal:
        identity_of(thing)
    assert "\n" not in refusal.value.sentence
    assert refusal.value.sentence.endswith(".")


def prompt(text: str, name: str) -> Any:
    """What is typed at Python's prompt calls by a name."""
    typed = {"__name__": "__main__"}
    exec(text, typed)
    return typed[name]


@pytest.mark.parametrize(
    ("text", "one", "another"),
    [
        ("def f(x, *, k={}): return x", "1", "2"),
        ("def f(x): return x in ({}, 3)", "1", "2"),
        ("def f(x): return [y for y in x if y in {{{}, 3}}]", "1", "2"),
        ("class f:\n    alpha = {}\n    def fit(self): return self.alpha", "1", "2"),
        ("class A:\n    def fit(self): return {}\nclass f(A): pass", "1", "2"),
        ("K = dict(a=[{}])\nclass f:\n    @property\n    def a(self): return K", "1", "2"),
        ("def g(x): return h({})\ndef h(x): return g(x)\ndef f(x): return g(x), h(x)", "1", "2"),
        ("import functools\n@functools.lru_cache\ndef f(x): return {}", "1", "2"),
        ("import math, cmath\ndef g(): return f.held\nf = {}.sin", "math", "cmath"),
    ],
)
def test_each_part_of_what_is_typed_counts(text: str, one: str, another: str) -> None:
    first, again, other = (identity_of(prompt(text.format(part), "f")) for part in (one, one, another))
    assert first == again != other


def test_a_package_that_a_function_of_a_notebook_imports_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    function = prompt("def f():\n    import lightgbm.sklearn as of\n    return of", "f")
    before = identity_of(function), identity_of(prompt("def f(): return lightgbm", "f"))
    monkeypatch.setattr(identity, "version", lambda _name: "99.0")
    after = identity_of(function), identity_of(prompt("def f(): return lightgbm", "f"))
    assert (before[0] == after[0], before[1] == after[1]) == (False, True)


def test_the_names_of_a_table_count() -> None:
    frames = [pd.DataFrame({"a": [1], "b": [2]}), pd.DataFrame({"a": [1], "c": [2]})]
    frames += [frames[0].set_axis([5]), frames[0].astype("float64"), frames[0].astype(object)]
    assert len({identity_of(frame) for frame in frames}) == len(frames)


SCRIPT = """
import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import make_column_selector
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline
from handnet.models.named import make_model
from handnet.models.identity import identity_of

FACTOR = {factor}
NAMES = {{"alpha", "beta", "gamma", "delta"}}

def scaled(X):
    return [FACTOR * x for x in X]

class Scale(BaseEstimator, TransformerMixin):
    def fit(self, X, y=None):
        return self
    def transform(self, X):
        return np.array([scaled(row) for row in X])

def fit_predict(X_train, y_train, params, seed, X):
    inner = lambda: scaled(X)
    return inner(), NAMES

unrelated = {unrelated}
things = [make_pipeline(Scale(), RandomForestClassifier(3)), fit_predict, lambda X, y, p, s, Z: scaled(Z)]
for thing in things:
    print(make_model(thing).identity)
print(identity_of([make_column_selector(pattern="x"), NAMES, object()]))
"""


def typed(**values: Any) -> list[str]:
    """What the script prints when it is typed at Python's own prompt, where no source is found."""
    printed: list[str] = []
    exec(SCRIPT.format(**values), {"__name__": "__main__", "print": printed.append})
    return printed


def run(file: Path, **values: Any) -> list[str]:
    """What it prints as a file, in a process of its own."""
    file.write_text(SCRIPT.format(**values) + "import sys; assert 'keras' not in sys.modules")
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent.parent), "PYTHONHASHSEED": "random"}
    command = [sys.executable, str(file)]
    process = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return process.stdout.splitlines()


def check_identities(told: Callable[..., list[str]]) -> None:
    first, unrelated = told(factor=2, unrelated=1), told(factor=2, unrelated=5)
    assert first == unrelated
    other = told(factor=3, unrelated=1)
    assert [one != another for one, another in zip(first, other, strict=True)] == [True, True, True, False]
    assert " at 0x" not in "".join(first)


def test_what_is_typed_is_identified_by_what_it_computes() -> None:
    check_identities(typed)


@pytest.mark.long
def test_what_a_script_defines_is_identified_alike_in_every_process(tmp_path: Path) -> None:
    check_identities(partial(run, tmp_path / "script.py"))
