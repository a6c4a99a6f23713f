"""Tables as strangers have them: read at the first try, or refused by what they are, with a way on."""

from pathlib import Path
from typing import Any

import pytest
from strangers import COLUMNS, DIALECTS, MISSING, NAMES, TARGETS, TASKS, TYPED, Stranger

from handnet.data import Dataset
from handnet.tables.dataset import read_table
from handnet.tables.faults import Unusable

STRANGERS = [*DIALECTS, *MISSING, *COLUMNS, *TARGETS, *TASKS, *NAMES]
STRANGERS += [table._replace(ending=".parquet") for table in TYPED]
REFUSED = [table for table in STRANGERS if not table.rows]
MENDED = [table for table in REFUSED if table.way_on]
KEPT = 40  # of 60 rows at least, whatever is dropped


def read(table: Stranger, folder: Path, **more: Any) -> Dataset:
    path = folder / f"table{table.ending}"
    path.write_bytes(table.content)
    return read_table(path, table.target, **{"positive": table.positive, **table.options, **more})


def called(table: Stranger) -> str:
    return table.what


def test_no_two_tables_have_one_name() -> None:
    names = list(map(called, STRANGERS))
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("table", [table for table in STRANGERS if table.rows], ids=called)
def test_a_table_is_read_and_what_was_taken_is_told(table: Stranger, tmp_path: Path) -> None:
    data = read(table, tmp_path)
    told = " ".join(data.notes)
    assert len(data.y) == table.rows
    assert data.class_names == tuple(table.names) if table.names is not None else len(data.class_names) == 2
    assert not [words for words in table.says if words not in told], told


@pytest.mark.parametrize("table", REFUSED, ids=called)
def test_a_table_is_refused_by_what_it_is(table: Stranger, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="table") as fault:
        read(table, tmp_path)
    sentence = str(fault.value)
    assert not [words for words in table.says if words not in sentence], sentence
    assert "must stand in quotes" not in sentence


@pytest.mark.parametrize("table", MENDED, ids=called)
def test_the_way_on_reads_it(table: Stranger, tmp_path: Path) -> None:
    assert len(read(table, tmp_path, **(table.way_on or {})).y) >= KEPT


@pytest.mark.parametrize(
    "table", [table for table in MENDED if "encoding" not in (table.way_on or {})], ids=called
)
def test_what_a_refusal_suggests_reads_it(table: Stranger, tmp_path: Path) -> None:
    with pytest.raises(Unusable) as fault:
        read(table, tmp_path)
    assert fault.value.suggested
    assert len(read(table, tmp_path, **fault.value.suggested).y) >= KEPT
