"""How numbers are written: counts of shares, decimals by score, and a screen that fits."""

import re
from pathlib import Path

import numpy as np
import pytest
from canonical import report
from hypothesis import given
from hypothesis import strategies as st

from handnet.bands import seed_bands
from handnet.bands.seeds import assured_share
from handnet.report.main_table import band_table
from handnet.report.tables import over_seeds
from handnet.report.words import counts, doubted, in_band, interval, number, p_value
from handnet.study.quantity import band_facts
from handnet.study.screen import Screen


@given(st.lists(st.integers(0, 114), min_size=2, max_size=60))
def test_the_counts_of_a_band_are_those_of_the_seeds_inside(right: list[int]) -> None:
    bands = seed_bands(np.array(right) / 114)
    low, high = sorted(right)[0], sorted(right)[-1]
    told = counts(band_facts(bands.extremes), 114)
    assert told == (f"{low} to {high} of 114" if low < high else f"{low} of 114")
    told = counts(band_facts(bands.quantiles), 114)
    inside = [
        one for one in right if bands.quantiles.low * 114 - 1e-6 <= one <= bands.quantiles.high * 114 + 1e-6
    ]
    assert bands.quantiles.inside == len(inside)
    if inside:
        least, *more = (int(word) for word in told.removesuffix(" of 114").split(" to "))
        most = more[0] if more else least
        assert least <= min(inside)
        assert max(inside) <= most
        assert bands.quantiles.low * 114 - 1e-6 <= least
        assert most <= bands.quantiles.high * 114 + 1e-6


def test_a_share_is_told_in_counts_and_a_loss_to_four_decimals() -> None:
    quantiles, extremes = (band_facts(band) for band in seed_bands(np.array([111, 112, 112, 113]) / 114))
    share = {"n": 114, "centres": {"share": 0.98}}
    row = {"score": "accuracy", "seeds": quantiles, "extremes": extremes, "cases": share}
    assert over_seeds(row) == ("0.982; 112 of 114 (2 of 4)", "111 to 113 of 114")
    assert over_seeds({"score": "accuracy", "cases": share}) == ("no seed", "-")
    loss = band_facts(seed_bands(np.array([0.07, 0.08])).extremes)
    assert in_band(loss | {"score": "log_loss"}) == "0.0750 [0.0700, 0.0800]"
    assert interval(loss) == "[0.070, 0.080]"
    assert interval(loss, "log_loss") == "[0.0700, 0.0800]"


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (-4.8e-17, "0.000"),
        (-8.4e-07, "0.000"),
        (-3.4e-06, "0.000"),
        (-0.0, "0.000"),
        (0.0, "0.000"),
        (6.9e-05, "6.9e-05"),
        (-0.0042, "-0.0042"),
        (0.0095, "0.009"),
        (float("nan"), "nan"),
    ],
)
def test_what_is_almost_nothing_is_written_as_nothing(value: float, written: str) -> None:
    assert number(value) == written


def test_a_case_in_doubt_is_counted_once_and_no_difference_is_no_number() -> None:
    row = {"cases": 114, "part": "test", "mostly": 2, "some": 0, "differing": 0.0, "tolerance": None}
    assert doubted(row).endswith("and none by 5 to 50% of them; no two seeds differ.")
    assert doubted(row | {"differing": 0.04}).endswith("two seeds differ on fewer than 0.1 cases on average.")
    assert doubted(row | {"differing": 1.46}).endswith("two seeds differ on 1.5 cases on average.")
    assert doubted(row | {"mostly": 0}) == "None of the 114 test cases is called wrong by any seed."


def test_the_tables_of_the_screen_fit_into_80_columns(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    facts = report(tiny)
    some = next(band for band in facts["bands"] if (band["varied"], band["kind"]) == ("seeds", "min-max"))
    other = [
        band | {"n": 198, "diverged": 2} if band["role"] == some["role"] else band for band in facts["bands"]
    ]
    for bands in (facts["bands"], other):
        Screen().summary(facts | {"bands": bands, "verdict": "", "statements": []}, "reports", 0, True)
        shown = capsys.readouterr().out
        tables = shown.split("Test set:")[0].splitlines()
        assert len(tables) > 20
        assert [line for line in tables if len(line.rstrip()) > 80] == []
        assert "the networks are trained on 341 of the 569 rows" in shown
        assert "shares at least 95 %, without a seed 95 %" in shown
        assert re.search(
            r"log loss: intervals held the truth in at least \d+\.\d% of simulated studies", shown
        )
    assert "2 of 200 seeds diverged; of 198 " in shown


def test_of_few_seeds_no_least_share_is_told(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Two seeds: min to max holds a third of further ones on average; "at least 2.5 %" says nothing."""
    facts = report(tiny)
    few = {"n": 2, "inside": 2, "coverage": 1 / 3, "assured": assured_share(2, 1, 2), "diverged": 1}
    bands = [band | few if band["varied"] == "seeds" else band for band in facts["bands"]]
    assert few["assured"] == pytest.approx(0.0253, abs=1e-4)
    told = facts | {"bands": bands, "verdict": "", "statements": []}
    Screen().summary(told, "reports", 0, True)
    shown = capsys.readouterr().out
    assert "another seed: min to max of 2; 33.3% of further ones on average" in shown
    assert "1 of 3 seeds diverged; of 2 33.3% on average" in shown
    page = band_table(told, "test").before
    for text in (shown, page):
        assert "2.5%" not in text
    assert (
        "Over 2 seeds [.025, .975] holds 33.3% of further seeds on average over studies, min to max" in page
    )


@pytest.mark.parametrize(
    ("p", "written"), [(0.0503, "0.0503"), (0.04951, "0.0495"), (0.051, "0.051"), (0.06, "0.06"), (1.0, "1")]
)
def test_a_p_shows_on_which_side_of_the_border_it_lies(p: float, written: str) -> None:
    assert p_value(p) == written


def test_progress_is_told_in_the_counts_that_are_known_on_the_way(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A line now and then where there is no terminal, and none of what is done at once."""
    with Screen().progress("read runs", 0, 0, tell_end=False) as bar:
        bar.reach(10, 10)
    assert not capsys.readouterr().err
    monkeypatch.setattr("handnet.study.screen.SILENCE", -1.0)
    with Screen().progress("read runs", 0, 0, tell_end=False) as bar:
        bar.reach(4, 10)
    assert capsys.readouterr().err == "read runs: 4 of 10\n"
