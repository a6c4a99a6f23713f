"""The winner on new rows: those of its own test come out as they are stored, to the bit."""

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, softmax
from studies import FEW, cli, rows_of, stored, study_name
from test_tables_more_rows import TABLE

from handnet import split, wisconsin
from handnet.data import DATASETS, Dataset
from handnet.messages import Refusal
from handnet.study import newcomers
from handnet.study.newcomers import predict_rows


def own_test(data: Dataset) -> pd.DataFrame:
    """The test rows of a table, with its columns."""
    return pd.DataFrame(data.X, columns=list(data.feature_names)).iloc[split(data).test_rows]


def test_two_classes(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cases = own_test(wisconsin())
    cases.to_csv(tmp_path / "new.csv", index=False)
    monkeypatch.setattr(newcomers, "BLOCK", 50)  # so that there are several
    p = expit(stored(finished, "winner")[1].astype(np.float64))
    low, high = np.quantile(p, [0.025, 0.975], axis=0)
    for new in (cases, tmp_path / "new.csv"):
        rows = predict_rows(study_name(finished), finished, new).rows
        for name, values in (("mean", p.mean(axis=0)), ("q025", low), ("q975", high)):
            assert np.array_equal(rows[name], values), name
        call = p.mean(axis=0) > 0.5
        assert rows["call"].tolist() == np.where(call, "malignant", "benign").tolist()
        assert rows["agree"].tolist() == ((p > 0.5) == call).sum(axis=0).tolist()
        assert set(rows["seeds"]) == {3}
    assert rows.columns.tolist() == "case call agree seeds mean q025 q975".split()


def test_many_classes_and_a_number(task: tuple[str, Path]) -> None:
    table, home = task
    data = DATASETS[table]()
    rows = predict_rows(study_name(home), home, own_test(data)).rows
    val, outputs = (one.astype(np.float64) for one in stored(home, "winner"))
    if data.class_names:
        p = softmax(outputs, axis=-1)
        for place, name in enumerate(data.class_names):
            assert np.array_equal(rows[f"mean {name}"], p[..., place].mean(axis=0))
            assert np.array_equal(rows[f"q975 {name}"], np.quantile(p[..., place], 0.975, axis=0))
        call = p.mean(axis=0).argmax(axis=-1)
        assert rows["call"].tolist() == [data.class_names[place] for place in call]
        assert rows["agree"].tolist() == (p.argmax(axis=-1) == call).sum(axis=0).tolist()
    else:
        assert np.array_equal(rows["mean"], outputs.mean(axis=0))
        off = np.sort(np.abs(val.mean(axis=0) - data.y[split(data).val_rows]))
        half = off[int(np.ceil(0.9 * (len(off) + 1))) - 1]
        assert np.array_equal(rows["low90"], rows["mean"] - half)
        assert np.array_equal(rows["high90"], rows["mean"] + half)


@pytest.fixture(scope="module")
def patients(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study of a file with ids and text, its test sealed."""
    home = tmp_path_factory.mktemp("patients")
    (home / "table.csv").write_text(TABLE)
    words = [f"DATA={home / 'table.csv'}", "TARGET=y", "POSITIVE=M", "ID=patient"]
    assert cli(home, "study", *words, *FEW[:-1], "TRIALS=1") == 0
    return home


def test_what_new_rows_lack_is_told(patients: Path, tmp_path: Path) -> None:
    rows = {"patient": [7, 7, 8], "radius": [9.5, 90, None], "texture": [2, 3, 4]}
    frame = pd.DataFrame({**rows, "form": ["round", "square", "flat"], "y": "M"}, index=[5, 6, 7])
    found = predict_rows(study_name(patients), patients, frame)
    assert found.rows["case"].tolist() == ["7", "7", "8"]
    assert found.rows.index.tolist() == [5, 6, 7]
    assert found.rows["mean"].isna().tolist() == [False, False, True]
    assert found.rows["agree"].isna().tolist() == [False, False, True]
    gaps, unknown, outside, empty = found.notes
    assert "none of" in gaps
    assert gaps.endswith("1 in 'radius'.")
    assert unknown.startswith("Texts that no train row has")
    assert unknown.endswith("1 in 'form'.")
    assert outside.startswith("Values outside the range of the train rows")
    assert outside.endswith("1 in 'radius'.")
    assert empty.startswith("1 of 3 rows have no output")
    assert "the probability of M, its mean and its quantiles .025 and .975 over" in str(found)
    with pytest.raises(Refusal, match=f"there is no folder {tmp_path / 'none'}"):
        found.write(tmp_path / "none" / "out.csv")
    found.write(tmp_path / "out.csv")
    again = [row["q975"] for row in rows_of((tmp_path / "out.csv").read_bytes())]
    assert [float(cell) if cell else None for cell in again] == [*found.rows["q975"][:2], None]
    assert str(found).splitlines()[0].split() == found.rows.columns.tolist()
    without = predict_rows(study_name(patients), patients, frame.drop(columns=["patient", "y"]))
    assert without.rows["case"].tolist() == ["0", "1", "2"]
    assert "no column 'patient'" in without.notes[0]


def test_refusals_are_one_sentence(patients: Path, finished: Path, tmp_path: Path) -> None:
    name, frame = study_name(patients), pd.DataFrame({"radius": [1.0], "texture": [2.0]})
    for says, home, which, new in [
        (f"there are: {name}); write the name of one before the new rows.", patients, "other", frame),
        ("the DataFrame: there is no column 'form'", patients, name, frame),
        ("cannot be read (No such file", patients, name, tmp_path / "nothing.csv"),
        ("there is no study in", tmp_path, name, frame),
    ]:
        with pytest.raises(Refusal) as fault:
            predict_rows(which, home, new)
        assert says in fault.value.sentence
        assert "?." not in fault.value.sentence


@pytest.mark.long
def test_a_class_of_floats_is_written_as_a_whole_number(tmp_path: Path) -> None:
    table = pd.read_csv(io.StringIO(TABLE))
    labels = table["y"].map({"M": "1.000000", "B": "0.000000"})
    table.assign(y=labels).to_csv(tmp_path / "table.csv", index=False)
    words = [f"DATA={tmp_path / 'table.csv'}", "TARGET=y", "POSITIVE=1", "ID=patient", *FEW[:-1], "TRIALS=1"]
    assert cli(tmp_path, "study", *words) == 0
    found = predict_rows(study_name(tmp_path), tmp_path, tmp_path / "table.csv")
    found.write(tmp_path / "said.csv")
    assert set(pd.read_csv(tmp_path / "said.csv", dtype=str)["call"].dropna()) <= {"0", "1"}
    assert "1.000000" not in found.columns
