"""The walk: its numbers are the chapter's and the reference's, and a wrong slope does not get through."""

import csv
import math
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from test_report_pages import Tags

from experiments.walk import Walk, walk
from experiments.walk.__main__ import walk as walk_command
from experiments.walk.chapter import chapter
from experiments.walk.check import STEP, compare, measure
from experiments.walk.screen import write_walk
from handnet import Dataset, Layer, split
from handnet.command import main
from handnet.data import Array
from handnet.messages import Refusal
from handnet.mlp.history import pack
from handnet.mlp.network import Trace, backward, forward
from handnet.splits import Split

ROOT = Path(__file__).parent.parent
ROWS = {
    row["name"]: row for row in csv.DictReader((ROOT / "tests/hand_figures.csv").read_text().splitlines())
}
CALLED = {"dL/dz2": "dL/dz2 (=dL/db2)", "b1=0.4: measured slope": "extra: b1 forward slope h=0.1"}
# What neither the chapter nor the table of its figures holds: moved weights, forward again.
OURS = {
    "w1=1.1: z2": 1.475,
    "w1=1.1: p": 1 / (1 + math.exp(-1.475)),
    "b1=0.4: z2": 1.55,
    "b1=0.4: p": 1 / (1 + math.exp(-1.55)),
    "b1=0.4: L": math.log1p(math.exp(-1.55)),
}
# Nor the other exits: softmax of three logits, of which the first is the case's, and a guess of 1.4 for 1.
EXPS = [math.exp(z) for z in (1.4, 0.2, -0.6)]
OURS |= {f"dL/dz, class {place}": e / sum(EXPS) - (place == 1) for place, e in enumerate(EXPS, 1)}
OURS["dL/dz, a number"] = 1.4 - 1


@pytest.fixture(scope="module")
def walked(data: Dataset, parts: Split) -> Walk:
    return walk(data, parts)


# The chapter


def test_every_number_of_the_chapter_is_exact_and_every_slip_is_named(walked: Walk) -> None:
    slips = set()
    for line in walked.chapter.lines:
        row = ROWS.get(CALLED.get(line.name, line.name)) or ROWS.get(f"extra: {line.name}")
        exact = float(row["exact_value"]) if row else OURS[line.name]
        assert line.value == pytest.approx(exact, rel=1e-12), line.name
        assert line.printed == (row["source_value"] if row else ""), line.name
        assert line.agrees == (not row or row["agrees_at_source_precision"] in ("yes", "")), line.name
        assert bool(line.slip) == (not line.agrees), line.name
        slips |= set() if line.agrees else {line.name}
    assert slips == {name for name, row in ROWS.items() if row["agrees_at_source_precision"] == "no"}


def test_every_slope_of_the_chapter_has_its_finite_difference(walked: Walk) -> None:
    slopes = [line for line in walked.chapter.lines if re.match("dL/|dp/|err ", line.name)]
    assert len(slopes) == 13
    for line in slopes:
        assert line.measured == pytest.approx(line.value, rel=1e-9)
        assert line.measured != line.value, "a finite difference, not a copy of the slope"


# The patient


def by_hand(
    layers: tuple[Layer, ...], x: Array, y: int, moved: tuple[int, int, float] | None = None
) -> tuple[list[list[float]], float]:
    """Activations of each layer and the loss of one row, in plain loops. moved: layer, unit, how much its
    activation rises."""
    a, reached = x.tolist(), []
    for depth, (weight, bias) in enumerate(layers):
        z = [
            math.fsum(w * v for w, v in zip(weight[0, :, j], a, strict=True)) + bias[0, 0, j]
            for j in range(bias.shape[2])
        ]
        a = z if depth == len(layers) - 1 else [max(0.0, one) for one in z]
        if moved and moved[0] == depth:
            a[moved[1]] += moved[2]
        reached.append(a)
    return reached, math.log1p(math.exp(a[0])) - y * a[0]


def test_the_patient_is_the_networks_worst_and_its_numbers_are_those_of_plain_loops(
    walked: Walk, data: Dataset, parts: Split
) -> None:
    one = walked.patient
    layers, x, y = one.network.layers, parts.train.X[one.case.place], one.case.y
    reached, loss = by_hand(layers, x, y)
    assert one.loss == pytest.approx(loss, rel=1e-12)
    losses = [by_hand(layers, *row)[1] for row in zip(parts.train.X, parts.train.y, strict=True)]
    assert losses.index(max(losses)) == one.case.place
    assert (one.z, one.p) == pytest.approx((reached[2][0], 1 / (1 + math.exp(-reached[2][0]))), rel=1e-12)
    assert one.error == pytest.approx(one.p - y, rel=1e-12)
    for depth, units in enumerate(one.hidden):
        for place, unit in enumerate(units):
            assert unit.a == pytest.approx(reached[depth][place], rel=1e-12, abs=1e-15)
            up, down = (by_hand(layers, x, y, (depth, place, step))[1] for step in (1e-5, -1e-5))
            assert unit.da == pytest.approx((up - down) / 2e-5, rel=1e-5, abs=1e-9)
            assert unit.dz == (unit.da if unit.z > 0 else 0)
    for column, value, scaled in zip(one.columns, data.X[one.case.row], x, strict=True):
        assert (column.value, column.scaled) == (value, scaled)
        assert column.scaled == pytest.approx((column.value - column.mean) / column.deviation)


def test_the_largest_slopes_are_the_largest_and_named_right(walked: Walk) -> None:
    one = walked.patient
    x = np.array([[[column.scaled for column in one.columns]]])
    _, trace = forward(one.network.layers, x)
    slopes = backward(one.network.layers, trace, np.array([[one.error]]))
    biggest = np.sort(np.abs(pack(slopes)[0]))[::-1][: len(one.slopes)]
    assert [abs(slope.slope) for slope in one.slopes] == biggest.tolist()
    inputs = {column.name: column.scaled for column in one.columns} | {
        f"unit {u.name}": u.a for us in one.hidden for u in us
    }
    errors = {f"unit {unit.name}": unit.dz for units in one.hidden for unit in units} | {"output": one.error}
    for slope in one.slopes:
        entered, _, unit = (
            slope.name.rpartition(" to ")
            if " to " in slope.name
            else ("", "", slope.name.removeprefix("bias of "))
        )
        assert slope.entered == inputs.get(entered, 1.0)
        assert slope.error == errors[unit]
        assert slope.slope == pytest.approx(slope.entered * slope.error, rel=1e-14)
        assert slope.measured == pytest.approx(slope.slope, rel=1e-6)
    assert one.check.weights == sum(one.network.counts) == 641


def test_no_test_case_walks_and_no_test_value_is_looked_at(walked: Walk, data: Dataset, parts: Split) -> None:
    for row in parts.test_rows:
        with pytest.raises(Refusal, match="in the test part, which is sealed"):
            walk(data, parts, str(data.case_ids[row]))
    X = data.X.copy()
    # No two rows alike: equal ones stay in one part, so which rows are equal decides the division, as their
    # labels do.
    X[parts.test_rows] = np.arange(X.shape[1]) + np.arange(parts.test.n)[:, None] + 1.0
    other = replace(data, X=X)
    again = walk(other, split(other))
    assert again.patient.slopes == walked.patient.slopes
    assert again.patient.columns == walked.patient.columns


def test_a_case_of_validation_and_another_seed_walk_too(data: Dataset, parts: Split) -> None:
    case = str(data.case_ids[parts.val_rows[3]])
    one, other = (walk(data, parts, case, seed) for seed in (1, 2))
    assert (one.patient.case.part, one.patient.case.name) == ("val", case)
    assert one.patient.loss != other.patient.loss
    assert one.agrees
    assert other.agrees


# The check


def open_gate(layers: tuple[Layer, ...], trace: Trace, error: Array) -> tuple[Layer, ...]:
    return backward(layers, trace._replace(sums=tuple(np.abs(one) + 1 for one in trace.sums)), error)


def unscaled_input(layers: tuple[Layer, ...], trace: Trace, error: Array) -> tuple[Layer, ...]:
    return backward(layers, trace._replace(inputs=(trace.inputs[0] * 1.0001, *trace.inputs[1:])), error)


def other_sign(layers: tuple[Layer, ...], trace: Trace, error: Array) -> tuple[Layer, ...]:
    return backward(layers, trace, -error)


def one_bias(layers: tuple[Layer, ...], trace: Trace, error: Array) -> tuple[Layer, ...]:
    *rest, last = backward(layers, trace, error)
    return (*rest, last._replace(bias=last.bias * (1 + 1e-5)))


def not_a_number(layers: tuple[Layer, ...], trace: Trace, error: Array) -> tuple[Layer, ...]:
    first, *rest = backward(layers, trace, error)
    weight = first.weight.copy()
    weight[0, 0, 0] = np.nan
    return (first._replace(weight=weight), *rest)


@pytest.mark.parametrize(
    "wrong", [open_gate, unscaled_input, other_sign, one_bias, not_a_number], ids=lambda one: one.__name__
)
def test_a_wrong_backward_pass_is_caught_and_the_page_says_so(
    wrong, data: Dataset, parts: Split, tmp_path: Path
) -> None:
    found = walk(data, parts, back=wrong)
    assert not found.agrees
    assert not found.patient.check.agrees
    page = write_walk(found, tmp_path).read_text()
    assert "THE CHECK FAILED" in page
    assert page.count("(slip)") == 5, "a wrong slope is no slip of the chapter"
    assert found.chapter.agrees == (wrong is open_gate), "the chapter's only gate is open, so it cannot tell"


def test_a_weight_on_a_kink_has_no_slope_to_compare_with() -> None:
    ones = np.ones((1, 1, 1))
    layers = (Layer(ones, ones * (STEP / 4 - 1)), Layer(ones, ones))
    measured, crossing = measure(layers, ones, 1)
    assert crossing.tolist() == [True, True, False, False]
    z, trace = forward(layers, ones)
    slopes = pack(backward(layers, trace, 1 / (1 + np.exp(-z)) - 1))[0]
    check = compare(slopes, measured, crossing, list("abcd"))
    assert check.agrees
    assert check.crossing == 2
    assert "2 more stand on a kink" in check.sentence
    assert not compare(slopes, measured, np.ones(4, dtype=bool), list("abcd")).agrees, (
        "nothing compared is no agreement"
    )


# The command


def test_the_command_prints_it_and_writes_a_page_that_is_inert(
    tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert main(walk_command, [f"MLRUNS={tmp_path}", "ID=135"]) == 0
    said = capsys.readouterr().out
    page = (tmp_path / "walk" / "walk.html").read_text()
    assert "script" not in Tags(page).tags
    assert {path.name for path in tmp_path.rglob("*")} == {"walk", "walk.html"}
    for line in chapter().lines:
        assert f"{line.value:.10g}" in said, line.name
        assert f"{line.value:.10g}" in page, line.name
    assert said.count(" slip\n") == page.count("(slip)") == 5
    assert max(map(len, said.splitlines()[:-1])) <= 80
    assert "case #135" in page
    assert "THE CHECK FAILED" not in said + page


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["ID=205"], "case 205 is in the test part, which is sealed"),
        (["ID=x y"], "no case 'x y' in wisconsin; its ids run from 0 to 568"),
        (["SEED=-1"], "SEED must be a whole number from 0"),
        (["SEED=two"], "SEED must be a whole number"),
        (["SEDE=2"], "did you mean SEED"),
    ],
)
def test_what_is_refused(words: list[str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(walk_command, [f"MLRUNS={tmp_path}", *words]) == 2
    said = capsys.readouterr()
    assert says in said.err
    assert said.err.count("\n") == 1
    assert said.out == ""
    assert not list(tmp_path.iterdir())


def test_a_fault_in_the_code_itself_ends_with_1(tmp_path: Path) -> None:
    """A copy of the checkout whose gate lets every error through."""
    for folder in ("handnet", "experiments"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    functions = tmp_path / "handnet/mlp/network.py"
    text = functions.read_text()
    assert text.count("return da * (z > 0)") == 1
    functions.write_text(text.replace("return da * (z > 0)", "return da"))
    command = [sys.executable, "-m", "experiments.walk", "MLRUNS=out"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "THE CHECK FAILED" in done.stdout
    assert "THE CHECK FAILED" in (tmp_path / "out/walk/walk.html").read_text()
