"""What is said of the sizes of the test part: the widths are Wilson's, and every sentence is whole."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, logit
from statsmodels.stats.proportion import proportion_confint

from handnet import diabetes, digits, split, wine
from handnet.cli import main
from handnet.draws import generator
from handnet.report.imbalance import (
    auc_ends,
    cases_for,
    warnings,
    warnings_of_a_number,
    warnings_of_many,
    warnings_on_test,
)

DECIDING = ("accuracy", "sensitivity", "specificity", "auc", "log_loss", "brier")
CLASSES = ("alive", "died")


def test_five_positives_of_1500() -> None:
    majority, few = warnings("accuracy", (1495, 5), CLASSES)
    assert "Calling every case alive has the accuracy 0.997 on the 1500 test cases" in majority
    assert "sensitivity" in majority
    low, high = proportion_confint(4, 5, method="wilson")
    assert f"a value of 0.8 would have the interval [{low:.3f}, {high:.3f}]" in few
    after, same = warnings("accuracy", (1495, 5), CLASSES, opened=True)  # too late to name another score
    assert majority.startswith(f"{after.removesuffix('.')}; let another one decide")
    assert same == few
    assert few.startswith("The sensitivity rests on 5 died")
    (only,) = warnings("sensitivity", (1495, 5), CLASSES)
    assert only.startswith(
        "The deciding score, sensitivity, rests on 5 died of 1500 test cases: a value of 0.8"
    )
    assert only.split(":", 1)[1] == few.split(":", 1)[1]
    (auc,) = warnings("auc", (1495, 5), CLASSES)
    assert "rests on 5 died" in auc
    assert "5 died" in warnings("log_loss", (1495, 5), CLASSES)[0]


def test_nothing_is_said_where_there_is_nothing_to_say() -> None:
    assert [warnings(score, (7200, 4200), CLASSES) for score in DECIDING] == [[]] * len(DECIDING)
    assert warnings("accuracy", (72, 42), CLASSES) == []
    assert "rests on 42 died" in warnings("sensitivity", (72, 42), CLASSES)[0]


def test_groups_are_counted_where_there_are_groups() -> None:
    (few,) = warnings("accuracy", (90, 90), CLASSES, (9, 8, 15))
    low, high = proportion_confint(12, 15, method="wilson")
    assert "rests on 180 test cases, in 15 groups: if the rows of a group tell no more than one" in few
    assert f"a value of 0.8 would have the interval [{low:.3f}, {high:.3f}]" in few
    assert "groups would give 2 points" in few
    (few,) = warnings("sensitivity", (90, 90), CLASSES, (9, 8, 15))
    assert "rests on 90 died of 180 test cases, in 8 groups" in few


def test_either_class_may_be_the_rare_one() -> None:
    majority, few = warnings("sensitivity", (4, 900), CLASSES)  # calling everybody dead finds every death
    assert "Calling every case died has the sensitivity 1.000" in majority
    assert "The specificity rests on 4 alive of 904 test cases" in few
    assert "Calling every case '0'" in warnings("specificity", (900, 4), ("0", "1"))[0]


THREE = ("low", "mid", "high")


def test_of_many_classes_each_recall_with_few_cases_is_told() -> None:
    (few,) = warnings_of_many("accuracy", (300, 30, 20), THREE)
    low, high = proportion_confint(16, 20, method="wilson")
    assert few.startswith("The recall of some classes rests on few test cases, 20 high, 30 mid: a value of")
    assert f"[{low:.3f}, {high:.3f}]" in few
    recall, whole = warnings_of_many("accuracy", (14, 14, 12), THREE)
    low, high = proportion_confint(32, 40, method="wilson")
    assert whole.startswith("The deciding score, accuracy, rests on 40 test cases: a value of 0.8")
    assert f"[{low:.3f}, {high:.3f}]" in whole
    assert "12 high, 14 low, 14 mid" in recall
    for score in ("accuracy", "balanced_accuracy", "log_loss"):
        assert warnings_of_many(score, (100, 90, 80), THREE) == []
    majority, *_ = warnings_of_many("accuracy", (950, 30, 20), THREE)
    assert "Calling every case low has the accuracy 0.950 on the 1000 test cases" in majority
    assert 'score="balanced_accuracy", score="macro_f1" or' in majority
    assert "decide" not in warnings_of_many("accuracy", (950, 30, 20), THREE, opened=True)[0]
    assert "has 8 high of 138 test cases" in warnings_of_many("log_loss", (70, 60, 8), THREE)[-1]


def test_the_width_of_a_mean_of_recalls_is_that_of_simulated_ones() -> None:
    sizes = (60, 12, 9)
    *_, sentence = warnings_of_many("balanced_accuracy", sizes, THREE)
    assert "counts each class alike, the rarest with 9 high of 81 test cases" in sentence
    low, high = map(float, re.findall(r"\[([\d.]+), ([\d.]+)\]", sentence)[0])
    drawn = np.mean([generator(size, 1).binomial(size, 0.8, 4000) / size for size in sizes], axis=0)
    assert high - low == pytest.approx(2 * 1.96 * drawn.std(), rel=0.05)


def test_groups_of_many_classes_are_counted() -> None:
    _, whole = warnings_of_many("accuracy", (90, 90, 90), THREE, (9, 8, 9, 15))
    low, high = proportion_confint(12, 15, method="wilson")
    assert "rests on 270 test cases, in 15 groups" in whole
    assert f"[{low:.3f}, {high:.3f}]" in whole


def test_few_cases_of_a_number_are_told_with_the_width_of_simulated_errors() -> None:
    assert warnings_of_a_number("rmse", 100) == []
    (few,) = warnings_of_a_number("rmse", 30)
    below, above = map(int, re.findall(r"from (\d+)% below it to (\d+)% above it", few)[0])
    found = np.sqrt(np.square(generator(30, 2).normal(size=(20_000, 30))).mean(axis=1))
    held = (found * (1 - below / 100) < 1) & (found * (1 + above / 100) > 1)
    assert np.mean(held) == pytest.approx(0.95, abs=0.01)  # the ends are rounded to whole per cent
    assert "193 test cases would give 10 %" in few
    assert 1.96 / np.sqrt(2 * 193) == pytest.approx(0.1, abs=0.001)
    (few,) = warnings_of_a_number("mae", 300, 12)
    assert "rests on 300 test cases, in 12 groups: if the rows of a group" in few


def test_the_sizes_of_every_task_are_told_where_no_score_is_named_yet() -> None:
    for data, words in (
        (wine(), "accuracy, rests on 36"),
        (digits(), "recall of"),
        (diabetes(), "rests on 89"),
    ):
        told = warnings_on_test("", data, split(data).test_rows)
        assert words in " ".join(told)
        assert all(re.fullmatch(r"(The|Calling) .*\.", sentence) for sentence in told)


@pytest.mark.parametrize(("share", "half"), [(0.956, 0.05), (0.956, 0.02), (0.8, 0.1), (0.978, 0.01)])
def test_the_cases_it_takes_are_the_fewest(share: float, half: float) -> None:
    n = cases_for(share, half)

    def width(size: int) -> float:
        low, high = proportion_confint(share * size, size, method="wilson")
        return high - low

    assert width(n) <= 2 * half < width(n - 1)


def test_the_width_of_an_auc_is_that_of_simulated_ones() -> None:
    """Scores of exponential laws, for which Hanley and McNeil's variance is exact: rates 1 and 4, area .8."""
    numbers = generator(4, 0)
    low_ones, high_ones = numbers.exponential(0.25, (600, 1, 90)), numbers.exponential(1.0, (600, 30, 1))
    areas = (high_ones > low_ones).mean(axis=(1, 2))
    low, high = auc_ends(0.8, (90, 30))
    assert np.mean(areas) == pytest.approx(0.8, abs=0.01)
    deviation = np.std(areas) / (0.8 * 0.2)
    ends = expit(logit(0.8) + np.array([-1.96, 1.96]) * deviation)
    assert (low, high) == pytest.approx(ends, abs=0.012)


@given(
    st.sampled_from(DECIDING),
    st.integers(1, 10**6),
    st.integers(1, 10**6),
    st.sampled_from([CLASSES, ("0", "1"), ("a b", "it's"), ("B", "M")]),
)
def test_every_size_makes_whole_sentences(score: str, zeros: int, ones: int, names: tuple[str, str]) -> None:
    sentences = warnings(score, (zeros, ones), names)
    for sentence in sentences:
        assert re.fullmatch(r"(The|Calling) .*\.", sentence)
        assert "nan" not in sentence
        for low, high in re.findall(r"\[([\d.e-]+), ([\d.]+)\]", sentence):
            assert 0 <= float(low) < 0.8 < float(high) <= 1
    assert len(sentences) == len(set(sentences)) <= 3
    if min(zeros, ones) >= 100 and max(zeros, ones) < 9 * min(zeros, ones):
        assert not sentences
    if min(zeros, ones) < 10 and (zeros + ones > 100 or score != "accuracy"):
        assert sentences


@pytest.mark.parametrize(
    ("rows", "positives", "shares", "of"),
    [
        (240, 10, ("split.test=0.2", "split.val=0.25"), "2 died of 48"),
        pytest.param(
            3600, 12, ("split.test=0.41667", "split.val=0.28"), "5 died of 1501", marks=pytest.mark.long
        ),
    ],
)
def test_a_table_with_a_rare_class_from_its_file_to_its_pages(
    rows: int, positives: int, shares: tuple[str, str], of: str, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    """The check, the terminal and the report say the same of it, and nothing breaks where nobody is called
    positive."""
    numbers = generator(8, 0)
    died = np.arange(rows) % (rows // positives) == 0
    cells = pd.DataFrame(numbers.normal(size=(rows, 3)) + died[:, None], columns=["age", "crp", "dose"])
    cells["fate"] = np.where(died, "died", "alive")
    cells.round(3).to_csv(tmp_path / "rare.csv", index=False)
    words = [f"DATA={tmp_path / 'rare.csv'}", "TARGET=fate", "POSITIVE=died", *shares, "TRIALS=2", "SEEDS=2"]
    words += ["CONFIRM=3", "SPLITS=0", "space.epochs.high=12", "rivals.boosting=1", "OPEN=1"]
    assert main(["study", f"MLRUNS={tmp_path / 'mlruns'}", *words, "CHECK=1"]) == 0
    checked = capsys.readouterr().out
    assert main(["study", f"MLRUNS={tmp_path / 'mlruns'}", *words]) == 0
    terminal = capsys.readouterr().err
    (folder,) = (tmp_path / "mlruns" / "reports").iterdir()
    facts = json.loads((folder / "report.json").read_text())
    majority, few = facts["warnings"][:2]
    assert "Calling every case alive" in majority
    assert f"The sensitivity rests on {of} test cases" in few
    for sentence in facts["warnings"]:
        assert sentence.removesuffix(".") in checked
        assert sentence.removesuffix(".") in terminal
    assert "before the test is opened" in checked
    assert majority.endswith("hardly tells methods apart.")
    page = (folder / "report.md").read_text().replace("\\", "")
    assert few in page
    assert not re.search(r"\bnan\b|\binf\b|None", page)
    at_half = {
        point["role"]: point for point in facts["thresholds"]["points"] if point["fixed"] == "probability"
    }
    found = [
        band["centres"]["share"] for band in at_half["winner"]["sensitivity"] if band["kind"] == "wilson"
    ]
    assert (found[0] == 0) == (not at_half["winner"]["ppv"] or at_half["winner"]["ppv"][-1]["low"] == 0)
