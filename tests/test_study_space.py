"""Spaces that a search draws from: their forms, and what is refused."""

import json
import math
import tomllib
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handnet.study.space import Axis, Choice, Range, axis_of, plain_space, space_of
from handnet.study.values import Inconsistent

NUMBERS = st.floats(-1e12, 1e12, allow_nan=False)
ABOVE = st.floats(1e-12, 1e12)
WHOLE = st.integers(-10_000, 10_000)
TEXTS = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=8)
SCALARS = st.one_of(TEXTS, st.booleans(), st.none(), st.integers(-(10**12), 10**12), NUMBERS)


@st.composite
def ranges(draw: st.DrawFn) -> Range:
    log, whole = draw(st.booleans()), draw(st.booleans())
    ends = (st.integers(1, 10_000) if log else WHOLE) if whole else (ABOVE if log else NUMBERS)
    low, high = sorted((draw(ends), draw(ends)))
    return Range(low, high, log, whole)


@st.composite
def choices(draw: st.DrawFn) -> Choice:
    values = draw(
        st.lists(st.one_of(SCALARS, st.lists(SCALARS, max_size=3).map(tuple)), min_size=1, max_size=5)
    )
    distinct = {json.dumps(value) if isinstance(value, tuple) else value: value for value in values}
    return Choice(tuple({value: value for value in distinct.values()}))


AXES = st.one_of(ranges(), choices())


def same(one: Axis, other: Axis) -> bool:
    """Whether two axes are equal, in the types of their values too."""
    return repr(one) == repr(other)


@given(AXES)
def test_an_axis_is_read_back_from_its_text_and_from_json(axis: Axis) -> None:
    assert same(axis_of("x", str(axis)), axis)
    stored = json.loads(json.dumps(plain_space({"x": axis})))
    assert same(space_of(stored)["x"], axis)


@given(ranges())
def test_a_range_is_read_back_from_toml(axis: Range) -> None:
    ends = ", ".join(f"{key} = {json.dumps(value)}" for key, value in axis.plain.items())
    assert same(space_of(tomllib.loads(f"x = {{{ends}}}"))["x"], axis)


@given(ranges(), st.floats(0, 1))
def test_a_place_of_the_unit_interval_is_a_value_of_the_range(axis: Range, unit: float) -> None:
    value = axis.value(unit)
    assert axis.low <= value <= axis.high
    assert axis.low <= axis.short(value) <= axis.high
    assert isinstance(value, int) == axis.whole
    assert 0 <= axis.unit(value) <= 1 + 1e-12


@given(ranges(), st.data())
def test_a_value_is_at_its_place_of_the_unit_interval(axis: Range, data: st.DataObject) -> None:
    kind = st.integers(int(axis.low), int(axis.high)) if axis.whole else st.floats(axis.low, axis.high)
    value = data.draw(kind)
    if axis.whole:
        assert axis.value(axis.unit(value)) == value
    else:
        assert math.isclose(
            axis.value(axis.unit(value)), value, rel_tol=1e-9, abs_tol=1e-9 * (axis.high - axis.low)
        )


@given(choices())
def test_each_value_of_a_choice_has_an_equal_share(axis: Choice) -> None:
    k = len(axis.values)
    found = [axis.value(unit) for unit in (np.arange(5 * k) + 0.5) / (5 * k)]
    assert found == [value for value in axis.values for _ in range(5)]
    assert all(axis.value(axis.unit(value)) == value for value in axis.values)


def test_each_whole_number_has_an_equal_share() -> None:
    found = [Range(2, 5, whole=True).value(unit) for unit in np.linspace(0, 1, 401)]
    assert [found.count(value) for value in (2, 3, 4, 5)] == [100, 100, 100, 101]


@pytest.mark.parametrize(
    ("form", "axis"),
    [
        ("2..10", Range(2, 10, whole=True)),
        ("2 .. 10 log", Range(2, 10, log=True, whole=True)),
        ("2..10.0", Range(2, 10)),
        ("-1..1", Range(-1, 1, whole=True)),
        ("0.1..0.9", Range(0.1, 0.9)),
        (".1...9", Range(0.1, 0.9)),
        ("1e-4..1e-1 log", Range(1e-4, 1e-1, log=True)),
        ("gini,entropy", Choice(("gini", "entropy"))),
        ("none, 3 ,true,sqrt, 0.5", Choice((None, 3, True, "sqrt", 0.5))),
        ('["16,8", "32"]', Choice(("16,8", "32"))),
        ("['a', 2]", Choice(("a", 2))),
        ('"a, b",c', Choice(("a, b", "c"))),
        ("5", Choice((5,))),
        ((2, 10), Range(2, 10, whole=True)),
        ((2, 10.5), Range(2, 10.5)),
        ((1e-4, 1e-1, "log"), Range(1e-4, 1e-1, log=True)),
        (range(2, 11), Range(2, 10, whole=True)),
        (range(2, 11, 4), Choice((2, 6, 10))),
        ([[16, 8], [32]], Choice(((16, 8), (32,)))),
        (["2..10", "log"], Choice(("2..10", "log"))),
        (np.array([1, 2, 4]), Choice((1, 2, 4))),
        ((np.int64(2), np.int64(5)), Range(2, 5, whole=True)),
        (7, Choice((7,))),
        ({"low": 1, "high": 3}, Range(1, 3, whole=True)),
        ({"low": 1, "high": 3.0, "log": True}, Range(1, 3, log=True)),
    ],
)
def test_the_forms_of_an_axis(form: Any, axis: Axis) -> None:
    assert same(axis_of("x", form), axis)


@pytest.mark.parametrize(
    ("form", "sentence"),
    [
        ("10..2", "space.x must have low <= high, but has 10 and 2."),
        ("0..1 log", "space.x.low must be above 0 (it is 0): its logarithm is taken."),
        ("1..2 lgo", "space.x must be a range or a choice, but is '1..2 lgo'; write 2..10"),
        ("1..", "space.x must be a range or a choice"),
        ("nan..1", "space.x must be a range or a choice"),
        ("", "space.x must be a range or a choice"),
        ("a,,b", "space.x must be a range or a choice"),
        ("a\nb", "space.x must be a range or a choice"),
        ("[1, 2", "space.x must be a list of values, but is '[1, 2'"),
        ("[]", "space.x must be a choice of at least one value, but is empty."),
        ([], "space.x must be a choice of at least one value, but is empty."),
        ([1, True], "space.x must be a choice of different values, but is [1, True]."),
        (["a", "a"], "space.x must be a choice of different values"),
        (["[1]", [1]], "space.x must be a choice of different values"),
        (
            [math.nan],
            "space.x must be a choice of texts, finite numbers, truth values, none, or lists of these",
        ),
        (
            [object],
            "space.x must be a choice of texts, finite numbers, truth values, none, or lists of these",
        ),
        ("0..10000000000", "space.x.high must be a whole number of at most 1000000000"),
        ((1, 10**400), "space.x.high must be a finite number"),
        ((1, math.inf), "space.x.high must be a finite number, but is inf."),
        ((True, 2), "space.x.low must be a finite number, but is True."),
        ((1, 2, "lin"), "space.x must be (low, high) or (low, high, \"log\"), but is (1, 2, 'lin')."),
        ({"low": 1}, "space.x.high is missing."),
        ({"low": 1, "hihg": 2}, "space.x.hihg is not a setting: did you mean high?"),
        ({"low": 1, "high": 2, "log": 1}, "space.x.log must be true or false, but is 1."),
        ({1, 2}, "space.x must be a range or a choice, but is {1, 2}"),
    ],
)
def test_what_is_no_axis_is_refused_in_one_sentence(form: Any, sentence: str) -> None:
    with pytest.raises(Inconsistent) as refusal:
        axis_of("x", form)
    assert str(refusal.value).startswith(sentence)


def test_all_faults_of_a_space_are_named_and_names_are_identifiers() -> None:
    with pytest.raises(Inconsistent, match=r"by identifiers .* 'max depth'\. forest\.C\.low must be above 0"):
        space_of({"max depth": "2..3", "clf__C": "1..2", "C": "0..1 log"}, "forest")
    with pytest.raises(Inconsistent, match="must be a table"):
        space_of([1])
