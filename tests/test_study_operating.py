"""Operating points and the price of looks, against counts by hand."""

from types import SimpleNamespace

import numpy as np
import pytest
from samples import TWO
from scipy.special import logit
from statsmodels.stats.proportion import proportion_confint

from handnet.bands.cases import case_bands
from handnet.bands.multibootstrap import seeds_x_cases
from handnet.data import Array
from handnet.draws import generator, resamples
from handnet.report.threshold_facts import sealed_looks
from handnet.report.threshold_tables import benefit_table
from handnet.study.looks import price
from handnet.study.operating import Operating, operating
from handnet.study.reading import read
from handnet.study.units import Confirmed

Y_VAL = np.array([1] * 5 + [0] * 5)
VAL = np.array([5.0, 4, 3, 2, -1, 1, 0, -2, -3, -4])
Y_TEST = np.array([1] * 4 + [0] * 6)
TEST = np.array([6.0, 2.5, 0.5, -3, 3, 0.2, -1, -1, -2, -5])


def rival(test: Array = TEST, role: str = "logistic regression") -> Confirmed:
    return Confirmed(role, "c", None, None, VAL, test)


def found(settings: dict[str, str], *rivals: Confirmed, y_test: Array | None = Y_TEST) -> Operating:
    parts = SimpleNamespace(
        val=SimpleNamespace(y=Y_VAL), train=SimpleNamespace(y=np.array([1, 0, 0, 0])), groups=lambda _: None
    )
    return operating(read(settings), SimpleNamespace(parts=parts), rivals or (rival(),), y_test)


def test_points_are_counts_by_hand() -> None:
    """For a sensitivity of .8 four of five positives are called: from the logit 2 on. For a specificity of .8
    four of five negatives stay uncalled: up to the logit 0, which is .5."""
    points = found({"report.sensitivity": "0.8", "report.specificity": "0.8"}).points
    assert [point.fixed for point in points] == ["probability", "sensitivity", "specificity"]
    shares = [
        {name: bands[0].centre(bands[0].centres[0][0]) for name, bands in point.measures.items()}
        for point in points
    ]
    at_half = {"sensitivity": 3 / 4, "specificity": 4 / 6, "ppv": 3 / 5, "npv": 4 / 5}
    assert shares[0] == pytest.approx(at_half)
    assert shares[1] == pytest.approx(
        {"sensitivity": 2 / 4, "specificity": 5 / 6, "ppv": 2 / 3, "npv": 5 / 7}
    )
    assert shares[2] == pytest.approx(at_half)
    assert [point.beyond for point in points] == [0, 1, 1]
    assert points[1].threshold[0].low == pytest.approx(1 / (1 + np.exp(-2)))
    assert points[2].threshold[0].low == 0.5
    ppv = points[0].measures["ppv"][0]
    assert (ppv.low, ppv.high) == pytest.approx(proportion_confint(3, 5, method="wilson"))


def test_another_prevalence_moves_ppv_npv_and_net_benefit_and_no_call() -> None:
    own, other = found({}), found({"report.prevalence": "0.1"})
    for name in ("sensitivity", "specificity"):
        assert own.points[0].measures[name] == other.points[0].measures[name]
    ppv = other.points[0].measures["ppv"][0].centre("mean")
    assert ppv == pytest.approx(0.1 * 0.75 / (0.1 * 0.75 + 0.9 / 3))
    assert (own.prevalence, own.own, own.shift) == (0.4, True, 0)
    assert other.shift == pytest.approx(logit(0.1) - logit(0.25))  # a quarter of the train rows is positive
    balanced = found({"report.prevalence": "0.1", "network.class_weight": "balanced"})
    assert balanced.shift == pytest.approx(logit(0.1))


def test_what_tells_no_case_apart_and_what_is_sealed_have_no_points() -> None:
    assert found({}, rival(np.full(10, -1.0), "majority class")).points == ()
    sealed = found({}, rival(), y_test=None)
    assert [(point.fixed, point.part) for point in sealed.points] == [("probability", "val")]


def test_looks_cost_what_bonferroni_says() -> None:
    once = price(1, [rival()], Y_TEST, None, TWO.scores["accuracy"])
    assert (once.chance, once.level) == (pytest.approx(0.05), 0.95)
    plain, same = once.bands["logistic regression"]
    assert plain == same == case_bands(TWO.scores, TEST[None], Y_TEST)["accuracy"]
    five = price(5, [rival()], Y_TEST, None, TWO.scores["accuracy"])
    assert five.chance == pytest.approx(1 - 0.95**5)
    wider = five.bands["logistic regression"][1]
    assert (wider.low, wider.high) == pytest.approx(proportion_confint(7, 10, 0.01, method="wilson"))


def test_looks_at_a_sealed_test_are_said_to_have_no_price() -> None:
    def said(looks: str, opening: object) -> list[str]:
        return sealed_looks(SimpleNamespace(settings=read({"report.looks": looks}), opening=opening))

    assert said("0", None) == said("3", object()) == []
    for looks in ("3", "ledger"):
        (sentence,) = said(looks, None)
        assert looks in sentence
        assert "the test is sealed" in sentence


def test_net_benefits_have_four_decimals() -> None:
    def band(value: float) -> dict:
        return {"low": -value, "high": 0.25, "centres": {"mean": value}}

    row = {
        "threshold": 0.1,
        "treat_all": -0.0027,
        "methods": [{"role": "winner", **band(0.002)}, {"role": "rival", **band(0.33333)}],
        "differences": [{"theirs": "rival", **band(0.00001)}],
    }
    found = {"part": "test", "prevalence": 0.4, "own_prevalence": True, "thresholds": [row]}
    grid = benefit_table({"net_benefit": found})
    (shown,) = grid.rows
    assert shown[1:] == (
        "-0.0027",
        "0.0020 [-0.0020, 0.2500]",
        "0.3333 [-0.3333, 0.2500]",
        "0.0000 [0.0000, 0.2500]",
    )


def test_a_band_over_seeds_and_cases_grows_with_its_level() -> None:
    numbers = generator(6, 0)
    y = np.repeat([1, 0], [30, 50])
    logits = 2.0 * y - 1 + numbers.normal(size=(6, 80))
    samples = resamples(0, 6, y, 500)
    levels = (0.8, 0.95, 0.99)
    for name in ("accuracy", "auc", "log_loss"):
        bands = [seeds_x_cases(TWO.scores, logits, y, samples, coverage=level)[name] for level in levels]
        assert [band.coverage for band in bands] == list(levels)
        assert bands[2].low < bands[1].low < bands[0].low < bands[0].high < bands[1].high < bands[2].high
