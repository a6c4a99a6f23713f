"""log_predictions writes what it is given, which is read back as results; what does not fit is refused."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from studies import ROOT

from handnet import Refusal, log_predictions
from handnet.predictions.folder import read_folder
from handnet.predictions.table import read_frame

N = 12
IDS = np.array([f"row {at}" for at in range(N)])
TWO, MANY = np.arange(N) % 2, np.array(["a", "b", "c"])[np.arange(N) % 3]
P = np.linspace(0.05, 0.95, N)
SHARES = np.random.default_rng(1).dirichlet(np.ones(3), N)


def kept(folder: Path, *words: object, **more: object) -> pd.DataFrame:
    return pd.read_parquet(log_predictions(*words, folder=folder, **more))


def test_each_kind_of_prediction_is_told_by_its_values(tmp_path: Path) -> None:
    """The columns are those of the form, and hold what was given to the last bit."""
    for columns, words in {
        "p": (IDS, TWO, P),
        "p_a p_b p_c": (IDS, MANY, SHARES),
        "yhat": (IDS, P * 7.5, P),
        "label": (IDS, MANY, MANY[::-1]),
    }.items():
        table = kept(tmp_path, *words)
        assert list(table.columns) == ["case", "y", *columns.split(), "part"]
        np.testing.assert_array_equal(table[columns.split()].to_numpy().reshape(N, -1).squeeze(), words[2])
        np.testing.assert_array_equal(table["y"], words[1])
    assert list(kept(tmp_path, IDS, TWO, P * 9 - 4, kind="logits").columns)[2] == "logit"
    assert list(kept(tmp_path, IDS, TWO, P.round().astype(int)).columns)[2] == "label"
    assert list(kept(tmp_path, IDS, TWO, P.round()).columns)[2] == "p"  # as a tree gives them
    assert list(kept(tmp_path, IDS, np.arange(N) % 5, P * 4).columns)[2] == "yhat"
    both = kept(tmp_path, IDS, TWO, P, classes=[0, 1])
    np.testing.assert_array_equal(both[["p_0", "p_1"]], np.column_stack([1 - P, P]))


@settings(max_examples=20)
@given(arrays(np.float64, N, elements=st.floats(1e-6, 1 - 1e-6), unique=True), st.permutations(range(N)))
def test_what_is_logged_is_read_as_it_was(p: np.ndarray, order: list[int]) -> None:
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder:
        tables = [
            kept(Path(folder), IDS, TWO, p, seed=1, model="m"),
            kept(Path(folder), IDS[order], TWO[order], p[order] / 2, seed=2, model="m"),
        ]
        (one,) = read_frame(pd.concat(tables)).predicted
    assert one.seeds == ("1", "2")
    np.testing.assert_allclose(one.outputs, np.log([p / (1 - p), p / 2 / (1 - p / 2)]), rtol=1e-9, atol=1e-12)


def test_nothing_is_overwritten_and_mlflow_is_not_imported(tmp_path: Path) -> None:
    code = (
        "import sys, handnet\n"
        "said = [handnet.log_predictions([1, 2], [0, 1], [.1, .9], seed=5) for _ in range(3)]\n"
        "assert 'mlflow' not in sys.modules\n"
        "print(*said, sep='\\n')"
    )
    said = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert said == [f"predictions/test-seed-5{more}.parquet" for more in ("", "-2", "-3")]
    assert all((tmp_path / path).is_file() for path in said)


@pytest.mark.parametrize(
    ("words", "more", "sentence"),
    [
        ((IDS[:9], TWO, P), {}, "9 of case, 12 of y, 12 of p"),
        ((IDS, TWO, P - 1), {}, "say kind='logits' or kind='numbers'"),
        ((IDS, TWO, P * 3), {"kind": "probabilities"}, "which are no probabilities"),
        ((IDS, MANY, SHARES * 2), {}, "which are no probabilities"),
        ((IDS, MANY, SHARES / 2), {}, "sum to 0.5 and not to 1"),
        ((IDS, MANY, P), {}, "p must have a column for each"),
        ((IDS, TWO, SHARES), {}, "3 columns and there are 2 labels"),
        ((IDS, MANY, SHARES), {"classes": ["a", "b", "x"]}, "y holds 'c'"),
        ((IDS, np.arange(N) % 4, np.arange(N)[::-1] % 4), {}, "kind='labels' or kind='numbers'"),
        ((IDS[[0, *range(N - 1)]], TWO, P), {}, "the case row 0 is in ids twice"),
        ((IDS, [None, *TWO[1:]], P), {}, "y is missing for the case row 0"),
        ((IDS, TWO, [np.nan, *P[1:]]), {}, "p is not finite for the case row 0"),
        ((IDS, TWO, [[0.1], [0.2, 0.3]]), {}, "p cannot be read as an array"),
        ((IDS, TWO, P[None, None]), {}, "its shape is (1, 1, 12)"),
        ((IDS, TWO, P), {"kind": "odds"}, "but is 'odds'"),
        ((IDS, TWO, MANY), {"kind": "logits"}, "p must hold numbers to be logits"),
        (([], [], []), {}, "no cases"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_sentence(
    words: tuple, more: dict, sentence: str, tmp_path: Path
) -> None:
    with pytest.raises(Refusal) as refusal:
        log_predictions(*words, folder=tmp_path, **more)
    assert sentence in refusal.value.sentence
    assert "\n" not in str(refusal.value)
    assert not list(tmp_path.iterdir())


def test_a_fit_that_diverged_is_kept_and_a_folder_that_is_none_is_refused(tmp_path: Path) -> None:
    assert kept(tmp_path, IDS, TWO, P * np.nan, groups=np.arange(N) // 2)["p"].isna().all()
    (tmp_path / "file").write_text("")
    with pytest.raises(Refusal, match="cannot be written to"):
        log_predictions(IDS, TWO, P, folder=tmp_path / "file")


def test_a_folder_of_what_was_logged_is_read_as_one(tmp_path: Path) -> None:
    for seed in (1, 2):
        for model, shift in (("a", 0), ("b", 1)):
            log_predictions(IDS, TWO, P ** (seed + shift), seed=seed, model=model, folder=tmp_path)
    results = read_folder(tmp_path)
    assert {one.model: one.seeds for one in results.predicted} == {"a": ("1", "2"), "b": ("1", "2")}
    expected = np.log([P ** (seed + 1) / (1 - P ** (seed + 1)) for seed in (1, 2)])
    np.testing.assert_allclose(results.of("b")["study"].outputs, expected, rtol=1e-9)
    log_predictions(IDS, TWO, P, seed=1, model="a", folder=tmp_path)
    with pytest.raises(Refusal, match=r"1 of test-model-a-seed-1-2\.parquet and 1 of test-model-a-seed-1\."):
        read_folder(tmp_path)
    log_predictions(IDS, TWO, P, folder=tmp_path / "other")
    log_predictions(IDS, TWO, P, seed=1, folder=tmp_path / "other")
    with pytest.raises(Refusal, match="have the same columns"):
        read_folder(tmp_path / "other")
    (tmp_path / "none").mkdir()
    with pytest.raises(Refusal, match="no tables of predictions in"):
        read_folder(tmp_path / "none")
