"""Further rows of a known table: read as the table itself was, or refused in one sentence."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from corpus import SAME, SOUND, placed
from others import autos, read, titanic, written

from handnet import read_csv, read_table
from handnet.tables.more_rows import read_more_rows


@pytest.mark.parametrize("what", SAME)
def test_the_rows_of_a_table_are_read_as_the_table_is(what: str, tmp_path: Path) -> None:
    data = read_csv(placed(tmp_path, SOUND), "y", "M", "patient")
    more = read_more_rows(placed(tmp_path, SAME[what]), data, id="patient", known=("y",))
    assert np.array_equal(more.X, data.X)
    assert more.case_ids.tolist() == data.case_ids.tolist()
    assert not any("left out" in note for note in more.notes)


@pytest.mark.parametrize("other", [titanic(), autos()], ids=lambda other: other.name)
@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_text_and_gaps_are_read_as_in_the_table(kind: str, other: object, tmp_path: Path) -> None:
    data = read(other, written(other.frame, tmp_path / "table.csv"))
    path = tmp_path / f"new.{kind}"
    new = pd.read_csv(tmp_path / "table.csv").drop(columns=other.words[0].removeprefix("TARGET="))
    new.to_csv(path, index=False) if kind == "csv" else new.to_parquet(path, index=False)
    more = read_more_rows(path, data)
    assert np.array_equal(more.X, data.X, equal_nan=True)
    assert more.case_ids.tolist() == [str(row) for row in range(len(new))]


ROWS = "patient,radius,texture,form,more\n7,1.5,2,round,9\n7,,3,square,9\n8,4,NA,,9\n"
TABLE = "patient,radius,texture,form,y\n" + "".join(
    f"{n},{n}.5,{n * 7 % 11},{'round' if n % 3 else 'flat'},{'MB'[n % 2]}\n" for n in range(40)
)


def test_gaps_unknown_texts_and_other_columns_are_told(tmp_path: Path) -> None:
    data = read_table(placed(tmp_path, TABLE.encode()), "y", "M", "patient")
    more = read_more_rows(placed(tmp_path, ROWS.encode()), data, id="patient")
    assert data.levels == {"form": ("flat", "round")}
    gap = np.nan
    assert np.array_equal(more.X, [[1.5, 2, 1], [gap, 3, -1], [4, gap, gap]], equal_nan=True)
    assert more.case_ids.tolist() == ["7", "7", "8"]
    assert more.notes == ("Columns that the study does not use are left out: 'more'.",)


def test_signs_are_taken_off_where_they_were_taken_off_the_table(tmp_path: Path) -> None:
    data = read_table(placed(tmp_path, TABLE.encode()), "y", "M", "patient")
    new = placed(tmp_path, ROWS.replace("1.5", "$1.5").replace(",4,", ",old,").encode())
    more = read_more_rows(new, data, number=["radius"])
    assert more.X[0, 0] == 1.5
    assert np.isnan(more.X[2, 0])
    assert "Cells of 'radius' that are no numbers are gaps: 'old' (1)." in more.notes


REFUSED = {
    "there is no column 'radius', which the models learnt from; did you mean radios?": ("radius", "radios"),
    "there is no column 'radius', 'texture', which": ("radius,texture", "a,b"),
    "the column 'texture' is of numbers in the study, and holds 'soft' (line 2)": ("1.5,2", "1.5,soft"),
    "it has a header and no data rows": (ROWS[33:], ""),
}


@pytest.mark.parametrize("says", REFUSED)
def test_rows_of_another_table_are_refused(says: str, tmp_path: Path) -> None:
    data = read_table(placed(tmp_path, TABLE.encode()), "y", "M", "patient")
    with pytest.raises(ValueError, match=r"column|rows") as fault:
        read_more_rows(placed(tmp_path, ROWS.replace(*REFUSED[says]).encode()), data)
    assert says in str(fault.value)


def test_a_column_that_no_input_is_made_of_may_be_missing(tmp_path: Path) -> None:
    data = read_table(placed(tmp_path, TABLE.encode()), "y", "M", "patient")
    new = placed(tmp_path, ROWS.replace("radius", "radios").encode())
    assert np.isnan(read_more_rows(new, data, needed=["texture", "form"]).X[:, 0]).all()
