"""Our e^x and ln(1 + x) against Python's decimal numbers, and against themselves in machine code."""

import ast
import math
from collections.abc import Callable
from decimal import Decimal, localcontext
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from handnet.draws import generator
from handnet.mlp import kernels
from handnet.mlp.compiled import KINDS
from handnet.mlp.elementary import LN2, exp, log, log1p
from handnet.mlp.network import EXITS, log_loss, mean_loss_backward, sigmoid

Function = Callable[[np.ndarray], np.ndarray]
Truth = Callable[[Decimal], Decimal]


def true_exp(x: Decimal) -> Decimal:
    return x.exp()


def true_log1p(x: Decimal) -> Decimal:
    return (1 + x).ln()


def true_sigmoid(z: Decimal) -> Decimal:
    return 1 / (1 + (-z).exp())


def worst(function: Function, truth: Truth, x: np.ndarray, digits: int = 50) -> float:
    """The largest distance of the function from the truth at x (n,), in units of the truth's last place, in
    the type of the function's results."""
    given, largest = function(x), 0.0
    with localcontext(prec=digits):
        for one, value in zip(given, x.tolist(), strict=True):
            true = truth(Decimal(value))
            unit = Decimal(float(np.spacing(np.abs(given.dtype.type(float(true))))))
            largest = max(largest, float(abs(Decimal(float(one)) - true) / unit))
    return largest


def powers(x: np.ndarray) -> np.ndarray:
    return 10.0**x


EXP_AT = {
    "the whole range": lambda draws: draws.uniform(-708.3, 709.7, 4000),
    "where it is used": lambda draws: draws.uniform(-80, 80, 4000),
    "near 0": lambda draws: draws.choice([-1, 1], 2000) * powers(draws.uniform(-320, 0, 2000)),
    "subnormal results": lambda draws: draws.uniform(-745.1, -708.3, 2000),
    "far from a multiple of ln 2": lambda draws: (draws.integers(-1000, 1000, 4000) + 0.5) * LN2,
}
LOG1P_AT = {
    "the whole range": lambda draws: draws.uniform(0, 1, 400),
    "on both sides of a half": lambda draws: draws.uniform(0.4, 0.6, 400),
    "near 0": lambda draws: powers(draws.uniform(-320, 0, 400)),
    "the ends": lambda _: np.array([0, 5e-324, 0.5, np.nextafter(0.5, 0), np.nextafter(1, 0), 1]),
}


@pytest.mark.parametrize("where", EXP_AT)
def test_exp_is_within_an_ulp_of_the_truth(where: str) -> None:
    assert worst(exp, true_exp, EXP_AT[where](generator(30, 0))) < 1


@pytest.mark.parametrize("where", LOG1P_AT)
def test_log1p_is_within_an_ulp_of_the_truth(where: str) -> None:
    assert worst(log1p, true_log1p, LOG1P_AT[where](generator(31, 0)), digits=400) < 1


LOG_AT = {
    "sums of 2 to 50 classes": lambda draws: draws.uniform(1, 50, 600),
    "near 1": lambda draws: 1 + powers(draws.uniform(-16, 0, 400)),
    "far beyond": lambda draws: powers(draws.uniform(0, 300, 400)),
    "on both sides of a power of two": lambda draws: np.nextafter(
        2.0 ** draws.integers(1, 60, 400), draws.choice([0, np.inf], 400)
    ),
}


@pytest.mark.parametrize("where", LOG_AT)
def test_log_is_within_an_ulp_of_the_truth(where: str) -> None:
    assert worst(log, Decimal.ln, LOG_AT[where](generator(34, 0))) < 1


@given(st.floats(-745.1, 709.7), st.floats(0, 1))
def test_so_they_are_wherever_one_looks(x: float, u: float) -> None:
    assert worst(exp, true_exp, np.array([x])) < 1
    assert worst(log1p, true_log1p, np.array([u]), digits=400) < 1


@pytest.mark.parametrize("shift", [1e-15, -1e-15])
def test_the_oracle_sees_a_relative_fault_of_five_ulp(shift: float) -> None:
    x = generator(32, 0).uniform(-80, 80, 200)
    assert worst(lambda x: exp(x) * (1 + shift), true_exp, x) > 3


@given(arrays(np.float32, 20, elements=st.floats(-80, 80, width=32)))
def test_a_float32_probability_is_rounded_once(z: np.ndarray) -> None:
    assert sigmoid(z).dtype == np.float32
    assert np.array_equal(sigmoid(z), sigmoid(z.astype(float)).astype(np.float32))
    assert worst(sigmoid, true_sigmoid, z) < 0.5 + 1e-6


def test_what_is_no_number_stays_none_and_nothing_overflows_unseen() -> None:
    nan, inf = np.nan, np.inf
    with np.errstate(all="ignore"):
        assert np.array_equal(exp([nan, -inf, inf, -746, 710, 0]), [nan, 0, inf, 0, inf, 1], equal_nan=True)
    with np.errstate(all="raise", under="ignore"):
        assert np.array_equal(log1p([nan, 0, 1]), [nan, 0, np.log(2)], equal_nan=True)
        assert np.isnan(sigmoid(np.array([nan]))).all()
    with np.errstate(invalid="ignore"):
        z, y = np.array([nan, nan, inf, inf, -inf, -inf]), np.array([0, 1] * 3)
        assert not np.isfinite(log_loss(z, y)).any()


@pytest.mark.parametrize("shape", [(), (0,), (3, 0), (2, 3, 4), (4097,), (3, 5000)])
def test_any_shape_is_kept_and_what_stands_beside_a_number_does_not_move_it(shape: tuple[int, ...]) -> None:
    x = -generator(33, 0).random(shape) * 5
    assert exp(x).shape == log1p(exp(x)).shape == shape
    assert exp(x).ravel().tolist() == [exp(one).item() for one in x.ravel()]


ANY = st.floats(-800, 800) | st.floats(-1, 1) | st.sampled_from([np.nan, np.inf, -np.inf, 0.0])


@given(st.lists(ANY, min_size=1, max_size=30), st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_the_compiled_functions_have_the_same_bits(x: list[float], u: list[float]) -> None:
    with np.errstate(over="ignore"):
        assert np.array_equal(exp(x), [kernels.exp(one) for one in x], equal_nan=True)
    assert np.array_equal(log1p(u), [kernels.log1p(one) for one in u])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("name", "outputs"), [("sigmoid", 1), ("softmax", 5), ("identity", 1)])
@given(data=st.data())
def test_so_have_the_losses_and_the_errors_at_the_exit(
    name: str, outputs: int, dtype: str, data: st.DataObject
) -> None:
    """Of whole arrays, for which a compiler writes other code than for one number."""
    width, lanes, rows = 32 if dtype == "float32" else 64, kernels.LANES, 9
    truths = {"sigmoid": [0.0, 1.0], "softmax": [0.0, 1.0, 4.0], "identity": [-1.5, 0.0, 3.0]}[name]
    z = data.draw(arrays(dtype, rows * outputs * lanes, elements=st.floats(-2000, 2000, width=width)))
    y = data.draw(arrays(dtype, rows * lanes, elements=st.sampled_from(truths)))
    # Sums of eighths are exact, in whatever order they are added.
    eighths = data.draw(arrays(dtype, rows * lanes, elements=st.integers(0, 8).map(lambda count: count / 8)))
    logits = np.moveaxis(z.reshape(rows, outputs, lanes), 2, 0)  # (R, batch, outputs)
    logits = logits[..., 0] if outputs == 1 else logits
    truth, share = (part.reshape(rows, lanes).T for part in (y, eighths))
    losses, slope = EXITS[name].loss(logits, truth), EXITS[name].backward(logits, truth)
    for weight, given_weight in ((np.ones_like(share), eighths[:0]), (share, eighths)):
        dz, totals = np.empty_like(z), np.zeros(lanes)
        kernels.loss_and_error(KINDS[name], z, y, given_weight, dz, totals)
        found = np.moveaxis(dz.reshape(rows, outputs, lanes), 2, 0)
        assert np.array_equal(found.reshape(slope.shape), mean_loss_backward(slope, weight))
        expected = np.zeros(lanes)
        for row in (weight * losses).T:
            expected += row
        assert np.array_equal(totals, expected)


# The files that decide what a network is and how it scores. Keras has its engine's functions.
HANDNET = Path(__file__).parent.parent / "handnet"
DECIDING = [
    *(HANDNET / f"{name}.py" for name in "contract draws data encode splits scores probe".split()),
    *(
        HANDNET / "mlp" / f"{name}.py"
        for name in "elementary network history fit tile kernels compiled replicas".split()
    ),
]
INEXACT = set(
    """exp exp2 expm1 log log2 log10 log1p logaddexp logaddexp2 power float_power pow cbrt hypot
    sin cos tan arcsin arccos arctan arctan2 sinh cosh tanh arcsinh arccosh arctanh sinc i0
    asin acos atan atan2 asinh acosh atanh erf erfc gamma lgamma dist""".split()
)


def inexact(source: str) -> set[str]:
    """The functions in a source text whose last bit the processor or the C library may choose."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute) and node.attr in INEXACT:
            found.add(ast.unparse(node))
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in {
            "math",
            "numpy",
            "scipy",
        }:
            found |= {
                alias.name for alias in node.names if alias.name in INEXACT or "special" in str(node.module)
            }
        elif isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.Pow):
            sides = (node.left, node.right) if isinstance(node, ast.BinOp) else (node.target, node.value)
            if not all(isinstance(side, ast.Constant) for side in sides):  # Python itself works those out
                found.add(ast.unparse(node))
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "pow":
            found.add("pow")
    return found


@pytest.mark.parametrize("path", DECIDING, ids=lambda path: path.name)
def test_nothing_that_decides_a_network_calls_a_function_that_differs_between_processors(path: Path) -> None:
    assert inexact(path.read_text()) == set()


@pytest.mark.parametrize(
    "line",
    [
        "np.exp(-x)",
        "math.log(x)",
        "np.logaddexp(0, z)",
        "numpy.power(b, t)",
        "beta ** t",
        "0.9 ** t",
        "beta **= 2",
        "pow(beta, t)",
        "from math import exp",
        "from numpy import log1p",
        "from scipy.special import expit",
        "scipy.special.log1p(x)",
    ],
)
def test_the_search_for_such_functions_finds_them(line: str) -> None:
    assert inexact(line)
    assert not inexact("from math import factorial; np.sqrt(x); exp(x); 1.5 * 2**52; x * x; loss.log_loss")


def test_the_constants_are_those_of_ln_2() -> None:
    assert math.log(2) == LN2 == kernels.LN2
    assert (kernels.LN2_HIGH, kernels.LN2_LOW) == (LN2 - kernels.LN2_LOW, kernels.LN2_LOW)
