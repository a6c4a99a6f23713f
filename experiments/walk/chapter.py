"""The chapter's network of one hidden unit: every number, how it comes about, and what the chapter prints."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from experiments.walk.check import Backward, Check, central, compare, measure
from experiments.walk.exits import other_exits
from experiments.walk.line import NAMES, RATE, START, Line, Section, X, Y
from handnet.contract import Layer
from handnet.data import Array
from handnet.mlp.history import pack
from handnet.mlp.network import (
    backward,
    dense_backward_input,
    forward,
    log_loss,
    log_loss_backward,
    relu,
    relu_backward,
    sgd,
    sigmoid,
)


def _network(**changed: float) -> tuple[Layer, Layer]:
    at = {name: np.full((1, 1, 1), value) for name, value in (START | changed).items()}
    return Layer(at["w1"], at["b1"]), Layer(at["w2"], at["b2"])


def _hidden() -> tuple[float, float]:
    """Sum and activation of the hidden unit."""
    z1 = forward(_network()[:1], np.full((1, 1, 1), X))[0]
    return float(z1.item()), float(relu(z1).item())


def _logit(**changed: float) -> float:
    return float(forward(_network(**changed), np.full((1, 1, 1), X))[0].item())


def _loss_at(z: float) -> float:
    return float(log_loss(np.array(z), np.array(Y)).item())


def _score(z: float) -> float:
    return float(sigmoid(np.array(z)).item())


def _loss(**changed: float) -> float:
    return _loss_at(_logit(**changed))


@dataclass(frozen=True)
class Chapter:
    """The whole of it, and the check of its four weights."""

    sections: tuple[Section, ...]
    check: Check

    @property
    def lines(self) -> Iterator[Line]:
        """Every line of it."""
        return (line for section in self.sections for line in section.lines)

    @property
    def figures(self) -> dict[str, float]:
        """Every number by its name."""
        return {line.name: line.value for line in self.lines}

    @property
    def agrees(self) -> bool:
        """Whether every slope agrees with its finite difference, those on the way to the weights too."""
        return self.check.agrees and all(line.checked for line in self.lines)


def chapter(back: Backward = backward) -> Chapter:
    """The chapter's network of one hidden unit, line by line. back: the backward pass that is put to the
    test."""
    x, layers = np.full((1, 1, 1), X), _network()
    z, trace = forward(layers, x)
    slopes = pack(back(layers, trace, log_loss_backward(z, np.array(Y))))[0]
    measured, crossing = measure(layers, x, Y)
    slope, wiggle = (dict(zip(NAMES, row.tolist(), strict=True)) for row in (slopes, measured))
    sections = (
        _forward_lines(),
        _link_lines(),
        other_exits(),
        _backward_lines(slope, wiggle),
        _wiggle_lines(),
        _step_lines(slopes),
    )
    return Chapter(sections, compare(slopes, measured, crossing, NAMES))


def _forward_lines() -> Section:
    z1, a1 = _hidden()
    z2 = _logit()
    return Section(
        "Forward: from the measurement to the loss",
        "the building guesses, and is told how wrong it was",
        (
            Line(
                "z1",
                "sum of the hidden unit",
                f"x * w1 + b1 = {X:g} * {START['w1']:g} + {START['b1']:g}",
                z1,
                "0.8",
            ),
            Line("a1", "activation (ReLU)", f"max(0, z1) = max(0, {z1:.4g})", a1, "0.8"),
            Line("z2", "logit", f"a1 * w2 + b2 = {a1:.4g} * {START['w2']:g} + {START['b2']:g}", z2, "1.4"),
            Line("e^-1.4", "", f"e^-z2 = e^-{z2:.4g}", 1 / _score(z2) - 1, "0.247"),
            Line(
                "p",
                "probability of class 1",
                f"1 / (1 + e^-z2) = 1 / (1 + {np.exp(-z2):.4g})",
                _score(z2),
                "0.802",
            ),
            Line(
                "L",
                "log loss, y = 1",
                f"-ln p = -ln {_score(z2):.4g}",
                _loss(),
                "0.221",
                None,
                f"-ln of the rounded 0.802 is {-np.log(0.802):.4f}",
            ),
        ),
    )


def _link_lines() -> Section:
    z2, p = _logit(), _score(_logit())
    return Section(
        "The chain's first two links collapse into p - y",
        "the error is born at the exit, guess minus truth",
        (
            Line(
                "dL/dp",
                "slope of -ln p",
                f"-1 / p = -1 / {p:.4g}",
                -1 / p,
                "-1.247",
                central(lambda p: float(-np.log(p)), p),
            ),
            Line(
                "dp/dz2",
                "slope of the sigmoid",
                f"p * (1 - p) = {p:.4g} * {1 - p:.4g}",
                p * (1 - p),
                "0.159",
                central(_score, z2),
            ),
            Line(
                "dL/dz2",
                "error at the logit",
                f"p - y = {p:.4g} - {Y:g}",
                float(log_loss_backward(np.array(z2), np.array(Y))),
                "-0.198",
                central(_loss_at, z2),
            ),
        ),
    )


def _backward_lines(slope: dict[str, float], wiggle: dict[str, float]) -> Section:
    error, (_, second), (z1, a1) = _score(_logit()) - Y, _network(), _hidden()
    da = dense_backward_input(second, np.full((1, 1, 1), error)).item()
    dz, gate = float(relu_backward(np.full((1, 1, 1), z1), np.full((1, 1, 1), da)).item()), int(z1 > 0)

    def from_a1(a: float) -> float:
        return _loss_at(float(forward((second,), np.full((1, 1, 1), a))[0].item()))

    def from_z1(z: float) -> float:
        return from_a1(float(relu(np.array(z))))

    def weight(name: str, how: str, printed: str) -> Line:
        words = f"slope of a {'weight' if name[0] == 'w' else 'bias'}"
        return Line(f"dL/d{name}", words, how, slope[name], printed, wiggle[name])

    through_w2, through_gate = (
        f"error * w2 = {error:.4g} * {START['w2']:g}",
        f"error * gate = {da:.4g} * {gate}",
    )
    return Section(
        "Backward: the one error, sent from right to left",
        "the error goes back room by room, and where it lands on a dial it is a slope",
        (
            weight("w2", f"error * input a1 = {error:.4g} * {a1:.4g}", "-0.158"),
            weight("b2", f"the error itself = {error:.4g}", "-0.198"),
            Line("err a1", "error at the activation", through_w2, da, "-0.297", central(from_a1, a1)),
            Line("err z1", "error at the sum", through_gate, dz, "-0.297", central(from_z1, z1)),
            weight("w1", f"error * input x = {dz:.4g} * {X:g}", "-0.148"),
            weight("b1", f"the error itself = {dz:.4g}", "-0.297"),
        ),
    )


def _wiggle_lines() -> Section:
    lines = [
        Line(
            "wiggle rate dL/dp",
            "from p = .792 to .812",
            "(ln .792 - ln .812) / .02",
            float(np.log(0.792 / 0.812)) / 0.02,
            "-1.25",
        ),
        Line(
            "wiggle rate dp/dz2",
            "from z2 = 1.3 to 1.5",
            "(S(1.5) - S(1.3)) / .2",
            (_score(1.5) - _score(1.3)) / 0.2,
            "0.16",
        ),
        *_wiggled("w2", ("1.48", "0.815", "0.205", "-0.16")),
        Line(
            "loss fall, w2 1.5 to 1.6",
            "",
            f"{_loss(w2=1.6):.4f} - {_loss():.4f}",
            _loss(w2=1.6) - _loss(),
            "-0.016",
            None,
            "the chapter takes 0.205 - 0.221, two losses already rounded",
        ),
        *_wiggled("b2", ("1.5", "0.818", "0.201", "-0.20")),
        *_wiggled("w1", ("", "", "~0.206", "-0.15")),
        *_wiggled("b1", ("", "", "", "")),
    ]
    return Section(
        "The chapter's own check: one weight moved by 0.1",
        "turn a dial up a hair and run everything again",
        tuple(lines),
    )


def _wiggled(name: str, printed: tuple[str, ...]) -> list[Line]:
    """One weight moved by 0.1 and the whole network run again: its logit, p, loss and measured slope."""
    moved = {name: round(START[name] + 0.1, 1)}
    z, loss, at = _logit(**moved), _loss(**moved), f"{name}={moved[name]}"
    slope = (loss - _loss()) / (moved[name] - START[name])
    slip = (
        f"the chapter takes ({printed[2].lstrip('~')} - 0.221) / 0.1, two losses already rounded"
        if printed[3]
        else ""
    )
    return [
        Line(f"{at}: z2", "logit", "the sums again", z, printed[0]),
        Line(f"{at}: p", "probability", f"S({z:.4g})", _score(z), printed[1]),
        Line(f"{at}: L", "log loss", f"-ln {_score(z):.4g}", loss, printed[2]),
        Line(
            f"{at}: measured slope",
            "forward difference",
            f"({loss:.4f} - {_loss():.4f}) / 0.1",
            slope,
            printed[3],
            None,
            slip,
        ),
    ]


def _step_lines(slopes: Array) -> Section:
    stepped, _ = sgd(np.array([list(START.values())]), slopes[None], None, RATE)
    new = dict(zip(NAMES, stepped[0].tolist(), strict=True))
    how = {
        name: f"{START[name]:g} - {RATE:g} * {slope:.4g}" for name, slope in zip(NAMES, slopes, strict=True)
    }
    printed = {"w2": "1.5158", "b2": "0.220", "w1": "1.0148", "b1": ""}
    lines = [Line(f"new {name}", "after one step", how[name], new[name], printed[name]) for name in printed]
    after = [
        Line("loss after updating all four", "", f"before: {_loss():.4g}", _loss(**new)),
        Line("p after updating all four", "", f"before: {_score(_logit()):.4g}", _score(_logit(**new))),
    ]
    return Section(
        "One step of gradient descent, learning rate 0.1", "dial = dial - step * slope", (*lines, *after)
    )
