"""Tables of predictions: what is read of them, and the one sentence that refuses what cannot be judged."""

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from predictions_corpus import BAD, SOUND, THREE, Bad, Y, changed, of_three, renamed, rows, text
from scipy.special import logit

from handnet.messages import Refusal, through
from handnet.predictions import files
from handnet.predictions.columns import Columns
from handnet.predictions.files import read_file
from handnet.predictions.form import Results
from handnet.predictions.table import read_frame

quick = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def frame(table: list[dict[str, object]]) -> pd.DataFrame:
    return pd.DataFrame(table)


def said(results: Results) -> dict[tuple[str, ...], tuple[object, ...]]:
    """What is said of each case with each seed, whatever the order: truth, output, quantiles."""
    return {
        (one.model, one.cases.split, one.cases.part, seed, id): (
            results.classes[one.cases.y[place]] if results.classes else float(one.cases.y[place]),
            np.round(one.outputs[row, place], 12).tolist(),
            {level: quantile[row, place] for level, quantile in one.quantiles.items()},
        )
        for one in results.predicted
        for row, seed in enumerate(one.seeds or ("",))
        for place, id in enumerate(one.cases.ids.tolist())
    }


def same(one: Results, other: Results) -> bool:
    return said(one) == said(other) and (one.task, one.classes) == (other.task, other.classes)


def test_a_long_table_becomes_outputs_by_seed_and_case() -> None:
    table = frame(rows(seeds=(7, 3)))
    results = read_frame(table, source="x.csv")
    net, trees = results.predicted
    assert results.models == ("net", "trees")
    assert results.classes == ("0", "1")
    assert net.seeds == ("7", "3")
    assert net.cases.ids.tolist() == [*Y]
    assert net.cases.y.tolist() == [*Y.values()]
    assert net.cases.y.dtype == np.int8
    np.testing.assert_allclose(net.outputs, logit(table["p"][:12].to_numpy()).reshape(2, 6), rtol=1e-13)
    assert trees.cases is net.cases
    assert (net.cases.split, net.cases.part) == ("study", "test")
    assert (net.cases.others, net.cases.groups) == (None, None)


# Refusals


def refusal(bad: Bad, folder: Path) -> str:
    path = folder / "results.csv"
    path.write_text(bad.text)
    with pytest.raises(Refusal) as fault:
        read_file(path, Columns(**bad.options))
    assert fault.value.code == 2
    assert not fault.value.lines
    assert fault.value.sentence.startswith(f"{path}: ")
    return fault.value.sentence.removeprefix(f"{path}: ")


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.what)
def test_a_table_that_cannot_be_judged_is_refused_in_one_sentence(bad: Bad, tmp_path: Path) -> None:
    sentence = refusal(bad, tmp_path)
    for words in bad.says:
        assert words in sentence
    assert re.fullmatch(r"[^\n]{30,420}[.?]", sentence)
    assert ". " not in sentence.replace("sep. ", "")


def test_there_are_forty_tables_or_more() -> None:
    assert len({bad.what for bad in BAD}) == len(BAD) >= 40


@pytest.mark.parametrize(
    ("door", "way"), [("shell", "--positive B or --positive M"), ("make", "POSITIVE=B or POSITIVE=M")]
)
def test_sentences_name_options_as_they_are_typed(door: str, way: str, tmp_path: Path) -> None:
    bad = next(bad for bad in BAD if bad.what == "which is positive")
    with through(door):
        assert way in refusal(bad, tmp_path)


def test_the_column_of_models_is_named_as_the_commands_name_it(tmp_path: Path) -> None:
    table = text(
        [{name: cell for name, cell in row.items() if name not in ("model", "seed")} for row in rows()]
    )
    bad = Bad("models without their column", table, [])
    assert "with seed= or model= or split=" in refusal(bad, tmp_path)
    with through("shell"):
        assert "with --seed or --by or --split" in refusal(bad, tmp_path)


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_files_that_are_none_are_refused(ending: str, tmp_path: Path) -> None:
    folder, empty, broken = (tmp_path / f"{name}.{ending}" for name in ("folder", "empty", "broken"))
    folder.mkdir()
    empty.write_bytes(b"")
    broken.write_bytes(b"PAR1, and no more")
    for path, says in [
        (tmp_path / f"none.{ending}", "cannot be read (No such file"),
        (folder, "it is no file"),
        (empty, "it is empty"),
        (broken, "Parquet"),
    ]:
        with pytest.raises(Refusal, match=re.escape(says)):
            read_file(path)


def test_frames_that_are_no_tables_are_refused() -> None:
    table = frame(rows())
    for bad, says in [
        (table.to_numpy(), "is a DataFrame, but this is of the type ndarray"),
        (table.iloc[:0], "it is empty"),
        (table.rename(columns={"seed": "model"}), "more than one column is called 'model'"),
        (table.T.set_index([0, 1]).T, "several levels"),
        (table.assign(p=table["p"] + 1j), "complex numbers"),
    ]:
        with pytest.raises(Refusal, match=says):
            read_frame(bad)


# Odd and sound


def written(folder: Path, content: bytes, **options: object) -> Results:
    path = folder / "odd.csv"
    path.write_bytes(content)
    return read_file(path, Columns(**options))


SEMICOLONS = re.sub(r"(\d)\.(\d)", r"\1,\2", SOUND.replace(",", ";"))
NUMBERED = "".join(f"{number or ''},{line}\n" for number, line in enumerate(SOUND.splitlines()))
HEADER = "model,seed,case,y,p"
CSV: Mapping[str, tuple[bytes, dict[str, object]]] = {
    "semicolons and decimal commas": (SEMICOLONS.encode(), {}),
    "tabs": (SOUND.replace(",", "\t").encode(), {}),
    "a mark of UTF-8": (b"\xef\xbb\xbf" + SOUND.encode(), {}),
    "UTF-16": (SOUND.encode("utf-16"), {}),
    "ends of lines of Windows": (SOUND.replace("\n", "\r\n").encode(), {}),
    "quotes": (re.sub(r"\b(net|trees|c\d)\b", r'"\1"', SOUND).encode(), {}),
    "blanks around cells": (SOUND.replace(",", " , ").encode(), {}),
    "a comment above": (b"# made on Tuesday\n" + SOUND.encode(), {}),
    "an index without a name": (NUMBERED.encode(), {}),
    "capitals": (SOUND.replace(HEADER, "Model,SEED,Case,Y_True,P").encode(), {}),
    "other names": (
        SOUND.replace(HEADER, "algorithm,random_state,sample_id,ground_truth,y_proba").encode(),
        {},
    ),
    "names that are said": (
        SOUND.replace(HEADER, "m,s,k,wahr,wert").encode(),
        {"model": "m", "seed": "s", "case": "k", "y": "wahr", "p": "wert"},
    ),
    "features beside it": (
        text(changed(rows(), p_value=0.4, age=lambda row: len(str(row["case"])), note="x")).encode(),
        {},
    ),
    "a prediction that is a probability": (SOUND.replace("y,p", "y,y_pred").encode(), {}),
    "parts called split": (text(changed(rows(), split="Test")).encode(), {}),
    "a column for each of two labels": (
        text(changed(rows(), p_1=lambda row: row["p"], p_0=lambda row: 1 - row["p"], p=None)).encode(),
        {},
    ),
    "one of two labels": (text(renamed(rows(), p="prob_1")).encode(), {}),
    "of the other label": (
        text(changed(rows(), p_0=lambda row: round(1 - row["p"], 2), p=None)).encode(),
        {"positive": "1"},
    ),
}


@pytest.mark.parametrize("name", CSV)
def test_odd_files_are_read_as_what_they_are(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content, options = CSV[name]
    small = written(tmp_path, content, **options)
    assert same(small, read_frame(frame(rows())))
    monkeypatch.setattr(files, "SMALL", 0)
    assert same(written(tmp_path, content, **options), small)


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.what)
def test_large_files_are_refused_as_small_ones(
    bad: Bad, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sentence = refusal(bad, tmp_path)
    monkeypatch.setattr(files, "SMALL", 0)
    assert refusal(bad, tmp_path) == sentence


def test_comments_among_the_rows_of_a_large_file_are_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "SMALL", 0)
    lines = SOUND.splitlines()
    results = written(tmp_path, "\n".join([*lines[:9], "# half of it", *lines[9:]]).encode())
    assert same(results, read_frame(frame(rows())))
    assert any("1 lines are each a comment" in note for note in results.notes)


def test_lines_of_a_large_file_are_counted_from_its_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "SMALL", 0)
    bad = text(rows(), p_7="high")
    with pytest.raises(Refusal, match="'high' in line 9"):
        written(tmp_path, b"# made on\n# Tuesday\n" + bad.encode())


def test_how_far_a_file_is_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table, told = frame(rows()), list[tuple[int, int]]()
    table.to_parquet(tmp_path / "x.parquet", row_group_size=6)
    read_file(tmp_path / "x.parquet", tick=lambda done, total: told.append((done, total)))
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]
    monkeypatch.setattr(files, "SMALL", 0)
    table.to_csv(tmp_path / "x.csv", index=False)
    read_file(tmp_path / "x.csv", tick=lambda done, total: told.append((done, total)))
    assert told[-1] == (100, 100)


PAIRS = [("0", "1"), ("0.0", "1.0"), ("False", "True"), ("no", "yes"), ("-", "+"), ("neg", "pos")]


@pytest.mark.parametrize(("zero", "one"), PAIRS)
def test_which_of_two_labels_is_positive(zero: str, one: str) -> None:
    sound = read_frame(frame(rows()))
    table = frame(rows()).assign(y=lambda table: table["y"].map({0: zero, 1: one}))
    for options in (Columns(), Columns(positive=one)):
        found = read_frame(table, options)
        assert found.classes == (zero, one)
        np.testing.assert_array_equal(found.predicted[1].cases.y, sound.predicted[1].cases.y)
        np.testing.assert_array_equal(found.predicted[1].outputs, sound.predicted[1].outputs)
    turned = read_frame(table, Columns(positive=zero))
    assert turned.classes == (one, zero)
    np.testing.assert_array_equal(turned.predicted[1].cases.y, 1 - sound.predicted[1].cases.y)


def test_labels_are_compared_by_value() -> None:
    y = np.array([*Y.values()] * 4)
    table = frame(rows()).drop(columns="p").assign(y=y == 1, label=[f"{one}.0" for one in y])
    calls = read_frame(table)
    assert calls.hard
    np.testing.assert_array_equal(calls.predicted[0].outputs, 2.0 * y[:12].reshape(2, 6) - 1)


@pytest.mark.parametrize("dtype", ["category", "string", "Int64", "Float64", "boolean", "object"])
def test_columns_of_pandas_own_types_are_read(dtype: str, tmp_path: Path) -> None:
    table = frame(rows())
    table["y"] = table["y"].astype(dtype)
    table["seed"] = table["seed"].astype("Int64" if dtype == "boolean" else dtype)
    table["p"] = table["p"].astype("Float64" if dtype in ("Int64", "boolean") else dtype)
    expected, found = read_frame(frame(rows())), read_frame(table)
    for one, other in zip(found.predicted, expected.predicted, strict=True):
        assert (one.seeds, one.cases.ids.tolist()) == (other.seeds, other.cases.ids.tolist())
        np.testing.assert_array_equal(one.outputs, other.outputs)
    if dtype != "object":
        path = tmp_path / "typed.parquet"
        table.to_parquet(path, index=False)
        assert same(read_file(path), found)


def test_seeds_that_diverged_and_models_without_a_seed(tmp_path: Path) -> None:
    table = changed(rows(), p=lambda row: "" if (row["model"], row["seed"]) == ("net", 2) else row["p"])
    table += [{"model": "majority", "case": case, "y": y, "p": 0.5} for case, y in Y.items()]
    net, _, majority = written(tmp_path, text(table).encode()).predicted
    assert np.isnan(net.outputs).all(axis=1).tolist() == [False, True]
    assert (majority.seeds, majority.outputs.tolist()) == ((), [[0.0] * 6])


def test_many_classes_and_labels_alone() -> None:
    table = frame(of_three())
    results = read_frame(table)
    assert results.classes == ("a", "b", "c")
    shares = table[["p_a", "p_b", "p_c"]].to_numpy()
    np.testing.assert_allclose(np.exp(results.predicted[0].outputs[0]), shares, rtol=1e-15)
    backwards = read_frame(table[["case", "y", "p_c", "p_b", "p_a"]])
    assert backwards.classes == ("c", "b", "a")
    calls = read_frame(frame(rows(THREE, "label")))
    assert calls.hard
    np.testing.assert_array_equal(calls.predicted[0].outputs[1], np.eye(3)[[0, 1, 2, 0, 1, 2]])


def test_columns_of_two_labels_tell_which_is_positive() -> None:
    table = frame(rows()).assign(y=lambda table: table["y"].map({0: "M", 1: "B"}))
    one = read_frame(table.rename(columns={"p": "p_B"}))
    assert one.classes == ("M", "B")
    np.testing.assert_array_equal(one.predicted[0].outputs, read_frame(frame(rows())).predicted[0].outputs)
    both = table.assign(logit_M=0.25, logit_B=table["p"]).drop(columns="p")
    two = read_frame(both, Columns(positive="B"))
    np.testing.assert_allclose(two.predicted[0].outputs.ravel(), table["p"][:12] - 0.25)


def test_a_seed_without_labels_has_diverged() -> None:
    table = frame(rows(THREE, "label"))
    table.loc[table["seed"] == 2, "label"] = None
    outputs = read_frame(table).predicted[0].outputs
    assert np.isnan(outputs).all(axis=(1, 2)).tolist() == [False, True]


def test_a_number_with_quantiles() -> None:
    table = frame(rows(kind="yhat")).assign(y=np.tile(np.arange(6) / 4, 4), unit="mm")
    table = table.assign(q05=table["yhat"] - 1, q975=table["yhat"] + 2, **{"q2.5": table["yhat"] - 2})
    results = read_frame(table, Columns(target="length"))
    net = results.predicted[0]
    assert (results.task.name, results.classes, results.target) == ("a number", (), "length")
    np.testing.assert_array_equal(net.outputs, table["yhat"][:12].to_numpy().reshape(2, 6))
    assert [*net.quantiles] == [0.025, 0.05, 0.975]
    np.testing.assert_array_equal(net.quantiles[0.975], net.outputs + 2)


def test_probabilities_at_the_ends_are_moved_and_counted() -> None:
    table = frame(rows())
    table.loc[[1, 3], "p"] = [1.0, 0.0]
    results = read_frame(table)
    end = np.log(1e-12)
    np.testing.assert_allclose(results.predicted[0].outputs[0, [1, 3]], [-end, end], rtol=1e-5)
    assert any(note.startswith("2 probabilities nearer") for note in results.notes)


def test_probabilities_of_the_called_label_are_told() -> None:
    table = frame(rows())
    assert not any("that is called" in note for note in read_frame(table).notes)
    table["p"] = np.maximum(table["p"], 1 - table["p"])
    assert any("that is called" in note for note in read_frame(table).notes)


# What is outside of the test


def test_how_many_rows_are_not_in_the_test() -> None:
    table = frame(rows(seeds=(1,)))
    assert read_frame(table, Columns(n_train=455)).predicted[0].cases.others == 455
    assert read_frame(table.assign(n_train=400)).predicted[0].cases.others == 400
    train = pd.DataFrame({"model": "net", "case": [f"t{row}" for row in range(9)], "part": "train"})
    val = table.assign(part="val", case=lambda table: "v" + table["case"])
    listed = read_frame(pd.concat([train, table.assign(part="test"), val]))
    assert {(one.cases.part, one.cases.others) for one in listed.predicted} == {("test", 15), ("val", None)}
    alone = read_frame(pd.concat([table.assign(part="test"), val]))
    assert {one.cases.others for one in alone.predicted} == {None}


def test_cross_validation_tells_how_many_rows_are_not_in_the_test() -> None:
    table = frame(rows(seeds=(1,))).assign(fold=lambda table: table["case"].str[1].astype(int) % 3)
    cases = [one.cases for one in read_frame(table).predicted if one.model == "net"]
    assert [(one.split, one.ids.tolist(), one.others) for one in cases] == [
        ("1", ["c1", "c4"], 4),
        ("2", ["c2", "c5"], 4),
        ("0", ["c3", "c6"], 4),
    ]
    twice = table.assign(fold=lambda table: table["fold"].where(table["case"] != "c1", 2))
    both = pd.concat([table, twice[twice["case"] == "c1"]])
    assert {one.cases.others for one in read_frame(both).predicted} == {None}


def test_groups_keep_the_order_of_their_numbers() -> None:
    table = frame(rows()).assign(group=np.tile([10, 2, 10, 9, 2, 9], 4))
    assert read_frame(table).predicted[0].cases.groups.tolist() == [2, 0, 2, 1, 0, 1]
    alone = frame(rows()).assign(group=lambda table: table["case"])
    assert read_frame(alone).predicted[0].cases.groups is None


# Properties


@st.composite
def tables(draw: st.DrawFn) -> pd.DataFrame:
    """Long tables of one or two models, seeds, divisions; p of any size."""
    n, R, J = draw(st.integers(2, 6)), draw(st.integers(1, 3)), draw(st.integers(1, 2))
    models = draw(st.lists(st.sampled_from(["net", "trees", "ridge"]), min_size=1, max_size=2, unique=True))
    y = [0, 1, *draw(st.lists(st.integers(0, 1), min_size=n - 2, max_size=n - 2))]
    keys = [
        (model, split, seed, f"c{case}", y[case])
        for model in models
        for split in range(J)
        for seed in range(R)
        for case in range(n)
    ]
    p = draw(st.lists(st.floats(0.001, 0.999), min_size=len(keys), max_size=len(keys), unique=True))
    return pd.DataFrame(keys, columns=["model", "split", "seed", "case", "y"]).assign(p=p)


@given(tables(), st.randoms(use_true_random=False))
@quick
def test_the_order_of_rows_changes_nothing(table: pd.DataFrame, random: object) -> None:
    order = random.sample(range(len(table)), len(table))
    assert same(read_frame(table), read_frame(table.iloc[order]))


@given(tables(), st.permutations(["model", "split", "seed", "case", "y", "p"]))
@quick
def test_columns_may_be_called_anything(table: pd.DataFrame, names: list[str]) -> None:
    """Each column is called by the name of another, and options say which is which."""
    called = dict(zip(table.columns, names, strict=True))
    assert same(read_frame(table), read_frame(table.rename(columns=called), Columns(**called)))


@given(tables())
@quick
def test_a_wide_table_says_what_a_long_one_says(table: pd.DataFrame) -> None:
    wide = table.pivot(index=["model", "split", "case", "y"], columns="seed", values="p")
    columns = [f"seed_{seed}" for seed in wide.columns]
    wide = wide.set_axis(columns, axis=1).reset_index()
    if len(columns) > 1:
        assert same(read_frame(table), read_frame(wide, Columns(wide="seed_*")))
        assert same(read_frame(table), read_frame(wide, Columns(wide=columns)))


CELLS = [
    None,
    np.nan,
    np.inf,
    -1,
    2,
    1e300,
    True,
    "",
    "x",
    "NA",
    "0,5",
    "12%",
    pd.NaT,
    [1],
    {"a": 1},
    b"x",
    1j,
]


@given(tables(), st.data())
@quick
def test_whatever_a_cell_holds_it_is_read_or_refused(table: pd.DataFrame, data: st.DataObject) -> None:
    table = table.astype(object)
    row, column = (data.draw(st.integers(0, size - 1)) for size in table.shape)
    table.iat[row, column] = data.draw(st.sampled_from(CELLS))
    try:
        sentence = "" if read_frame(table).predicted else "nothing"
    except Refusal as fault:
        sentence = fault.sentence
    assert re.fullmatch(r"(the table: [^\n]+[.?])?", sentence)


@given(tables())
@quick
def test_probabilities_and_their_logits_agree(table: pd.DataFrame) -> None:
    logits = table.assign(logit=logit(table["p"])).drop(columns="p")
    one, other = read_frame(table), read_frame(logits)
    for ours, theirs in zip(one.predicted, other.predicted, strict=True):
        np.testing.assert_allclose(ours.outputs, theirs.outputs, rtol=1e-12, atol=1e-12)


def test_the_kind_of_wide_columns_is_refused_where_there_are_none() -> None:
    with pytest.raises(Refusal, match="says what the columns of wide= hold, and none are named"):
        read_frame(frame(rows(kind="yhat")), Columns(kind="p"))


def test_patients_are_groups_beside_cases_and_else_the_cases_themselves() -> None:
    table = frame(rows()).rename(columns={"case": "patient_id"})
    (net, *_) = read_frame(table).predicted
    assert net.cases.ids.tolist() == [*Y]
    visits = table.assign(patient_id=table["patient_id"].map({name: at // 2 for at, name in enumerate(Y)}))
    for shown in (visits, visits.assign(case=frame(rows())["case"])):
        (net, *_) = read_frame(shown).predicted
        assert net.cases.groups.tolist() == [0, 0, 1, 1, 2, 2]


def test_the_train_rows_of_folds_are_counted_from_their_cases() -> None:
    table = frame(rows()).assign(fold=lambda one: one.groupby(["model", "seed"]).cumcount() % 2)
    results = read_frame(table)
    assert {(one.cases.split, one.cases.others) for one in results.predicted} == {("0", 3), ("1", 3)}
