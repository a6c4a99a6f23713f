"""What a report calls the model that is studied, and how its parameters are written."""

import copy
import re
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hostile import facts_with
from hypothesis import given
from hypothesis import strategies as st
from test_report_tasks import errors, pages, report, settings

from handnet.report import facts as report_facts
from handnet.report import model_words
from handnet.report import pages as render
from handnet.report.figures import _drawn
from handnet.report.main_table import band_table
from handnet.report.model_tables import FEW, LISTED, Params, fixed, lost_table
from handnet.report.model_words import Studied, left_out, listed, missing, named, unsaid
from handnet.report.search_tables import confirmed, tried
from handnet.report.statements import _constant
from handnet.report.tables import gap_table, over_seeds, rows_of
from handnet.report.verdict import paragraph
from handnet.study.identity import make_problem
from handnet.study.model_settings import ModelSettings
from handnet.study.reading import read
from handnet.study.screen import _coverage
from handnet.study.units import Confirmed

FOREST = Studied("RandomForestClassifier", "model", history=False, seeded=True, keeps=False)
# Words that are true of networks alone, and where a page of other models may say one of them: the rates of
# naming were measured on networks, and the backend is named with what the report was made with.
OF_NETWORKS = re.compile(r".{20}(?:network|recipe|dropout|epoch|Keras|diverged).{20}", re.IGNORECASE)
ALLOWED = re.compile(
    r"the networks also use what goes with a cause\. They were networks, not"
    r"|learning rate[ |,]+dropout( and|[ |,]+)\s*epochs"  # the names of what these settings search
)
MANY = tuple(f"clf__parameter_{place}" for place in range(20))


def of_a(model: Studied, table: str) -> dict[str, Any]:
    """The report of five planted seeds of this model, on an opened test."""
    asked = settings(table)
    made = make_problem(asked)
    test = made.parts.test.open(lambda _: True)
    planted = []
    for y in (made.parts.val.y, test.y):
        wrong = errors(len(y))[:, ::-1] * (np.arange(len(y)) % 19 == 0)
        planted.append(y + wrong if table == "diabetes" else np.where(y == 1, 2.0, -2.0) + wrong / 10)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(report_facts, "model_of", lambda _settings: model)
        patch.setattr(model_words, "models_of", lambda _settings: [model])
        whole = report(made, asked, *planted, test)
    for one in whole["configurations"]:
        one["params"] = one["params"] and {"max_depth": 3}
    return whole


@pytest.fixture(scope="module")
def forests() -> dict[str, dict[str, Any]]:
    return {table: of_a(FOREST, table) for table in ("wisconsin", "diabetes")}


@pytest.mark.parametrize("table", ["wisconsin", "diabetes"])
def test_no_page_of_a_forest_speaks_of_networks(forests: dict[str, dict[str, Any]], table: str) -> None:
    whole = forests[table]
    texts = {name: ALLOWED.sub("", " ".join(text.split())) for name, text in pages(whole).items()}
    assert [found for text in texts.values() for found in OF_NETWORKS.findall(text)] == []
    assert OF_NETWORKS.search(f"{whole['verdict']} What one more network may show on further cases.")
    said = whole["verdict"]
    assert said.startswith("RandomForestClassifier models of this configuration, trained on")
    assert "one more such model" in said.lower()
    streams = "spread over the streams of a seed"
    assert [one["what"] for one in whole["left_out"]] == ["loss curves", streams, "the logged model"]
    assert "RandomForestClassifier has no training history" in texts["md"]
    assert not whole["curves"]
    assert whole["deployed"]["keras_file"] is None


def test_a_model_without_a_seed_is_one_model(forests: dict[str, dict[str, Any]]) -> None:
    svc = FOREST._replace(name="SVC", seeded=False)
    whole = forests["wisconsin"] | {"model": svc._asdict(), "left_out": left_out([svc])}
    winner, *others = whole["configurations"]
    whole["configurations"] = [winner | {"seeds": [100, 100, 1]}, *others]
    winners = [one for one in whole["bands"] if one["role"] == "winner"]
    over_cases = [one for one in winners if one["varied"] == "cases"]
    whole["bands"] = [one for one in whole["bands"] if one not in winners or one in over_cases]
    said = paragraph(whole, "")
    assert said.startswith("The SVC model of this configuration, trained on 341 of the 569 rows, calls an")
    assert "it finds" in said
    assert "trained once, for it takes no seed, on 114 test cases" in said
    assert "seeds" not in said.split("Of the 114 test cases")[0]
    page = render.to_markdown(whole)
    assert "| bands over seeds | SVC has no random\\_state and takes no seed, so it is trained once |" in page
    rows = [line for line in page.splitlines() if line.startswith("| winner |")]
    assert any("chosen on the validation rows" in row and "| none |" in row for row in rows)


@pytest.mark.parametrize("count", [1, FEW, FEW + 1, 20])
def test_a_column_for_each_of_a_few_parameters_and_one_for_many(count: int) -> None:
    facts = facts_with("x")
    names = MANY[:count]
    values = {name: 0.1 + place for place, name in enumerate(names)} | {names[0]: "gini"}
    trial = {"place": 1, "params": values, "value": 0.5, "low": 0.4, "high": 0.6, "diverged": 0, "lost": 0}
    facts["search"] |= {"params": list(names), "trials": [trial]}
    page = render.to_markdown(facts)
    (line,) = (line for line in page.splitlines() if line.startswith("| 1 | 1 |"))
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    if count <= FEW:
        assert cells[2 : 2 + count] == ["gini", *(f"{0.1 + place:g}" for place in range(1, count))]
    else:
        written = ["clf__parameter_0=gini", *(f"{name}={values[name]:g}" for name in names[1:])]
        assert cells[2].replace("\\", "").split(", ") == written
    assert 'class="long"' in render.to_html(facts) or count <= FEW


@given(st.floats(allow_nan=False, allow_infinity=False), st.integers(), st.text(max_size=20))
def test_a_value_is_written_so_that_it_can_be_read_back(real: float, whole: int, text: str) -> None:
    params = Params(("a", "b", "c", "d"))
    cells = params.cells({"a": real, "b": whole, "c": text})
    assert float(cells[0]) == pytest.approx(real, rel=1e-5)
    assert int(cells[1]) == whole
    assert cells[2:] == (text, "-")
    assert params.cells(None, "") == ("",) * 4


def test_names_are_words_but_for_those_of_a_part_of_a_pipeline() -> None:
    assert Params(("max_depth", "clf__C")).headings == ("max depth", "clf__C")
    assert listed(["max_depth"]) == "max depth"
    assert listed(["learning_rate", "dropout", "epochs"]) == "learning rate, dropout and epochs"
    assert listed(MANY) == "20 parameters"
    assert listed([]) == ""


def test_seeds_that_were_lost_are_counted_beside_those_that_diverged() -> None:
    assert missing(3, 20, 0) == "3 of 20 seeds diverged"
    assert missing(2, 20, 2) == "2 of 20 seeds lost"
    assert missing(3, 20, 2) == "1 of 20 seeds diverged, 2 lost"
    assert missing(0, 20, 0) == ""
    fresh = {"seeds": 20, "diverged": 3, "lost": 2, "value": None, "low": None}
    search = {"winner_on_fresh_seeds": fresh, "score": "log_loss"}
    assert confirmed(search) == "; confirmed on 20 fresh seeds: 1 diverged, 2 lost"
    one = {"value": 0.5, "low": None, "high": None, "lost": 0}
    assert tried(one, "log_loss") == "0.5000"
    assert tried(one | {"value": None, "lost": 1}, "log_loss") == "lost"


@pytest.mark.parametrize("count", [1, LISTED, LISTED + 2])
def test_every_lost_seed_is_counted_and_the_first_are_listed(count: int) -> None:
    facts = facts_with("x")
    why = "ValueError: <b>no</b> | in mymodel.py, line 3"
    facts["lost"] = [{"role": "x", "params": {"C": 0.5}, "seed": seed, "why": why} for seed in range(count)]
    grid = lost_table(facts)
    assert len(grid.rows) == min(count, LISTED)
    assert grid.before.startswith("1 seed was" if count == 1 else f"{count} seeds were")
    assert ("in report.json" in grid.before) == (count > LISTED)
    assert grid.rows[0] == ("x", "C=0.5", "0", why)
    page = render.to_html(facts)
    assert "&lt;b&gt;no&lt;/b&gt; | in mymodel.py, line 3" in page


def test_seeds_that_do_nothing_are_no_band_over_seeds(forests: dict[str, dict[str, Any]]) -> None:
    """The same outputs for every seed: no page tells what another seed gives, and no band of it is drawn."""
    whole = copy.deepcopy(forests["wisconsin"])
    spoken = "another seed on another division"
    assert "The 5 seeds call" in paragraph(whole, "", "")
    for one in whole["configurations"]:
        one["alike"] = one["role"] == "winner"
    rows = rows_of(whole, "test", ("accuracy", "log_loss"))
    ours = [row for row in rows if row["role"] == "winner"]
    assert len(ours) == 2
    for row in ours:
        assert over_seeds(row) == ("all 5 seeds alike", "-")
        assert not _drawn(row, "seeds")
        assert _drawn(row, "both")
    told = paragraph(whole, "", "")
    assert "All 5 seeds gave the same outputs." in told
    assert "The same method calls" in told
    assert spoken not in told
    assert not re.search("Over 5 seeds|of further seeds", band_table(whole, "test").before)
    assert "min to max of" not in _coverage(ours)
    assert {row[4] for row in gap_table(whole).rows if row[1] == "winner"} == {"all 5 alike"}
    search = {"score": "log_loss", "winner_on_fresh_seeds": {"seeds": 5, "diverged": 0, "lost": 0}}
    search["winner_on_fresh_seeds"] |= {"value": 0.25, "low": 0.25, "high": 0.25, "coverage": 0.7}
    assert confirmed(search) == "; confirmed on 5 fresh seeds: 0.2500, all alike"


@pytest.mark.parametrize(("second", "alike"), [(0.0, True), (1e-15, False)])
def test_alike_is_to_the_bit_and_on_every_part(second: float, alike: bool) -> None:
    val, test = np.ones((3, 4)), np.ones((3, 4))
    test[1, 2] += second
    sound: Any = SimpleNamespace(seeds=(0, 1, 2), sound=np.array([True, True, False]))
    val[2] = np.nan
    assert Confirmed("winner", "c", None, sound, val, test).alike == alike
    assert Confirmed("winner", "c", None, sound, val, None).alike
    assert not Confirmed("winner", "c", None, None, val[0], None).alike


@pytest.mark.parametrize(
    ("model", "others", "role", "name"),
    [
        ("mlp", [], "winner", "winner"),
        ("mlp", [{"model": "forest"}], "winner", "winner (mlp)"),
        ("forest", [], "winner", "winner (forest)"),
        ("forest", [{"model": "mlp"}], "mlp", "mlp"),
        (None, [], "winner", "winner"),
    ],
)
def test_the_winner_is_called_by_its_model_too(
    model: str | None, others: list[dict[str, str]], role: str, name: str
) -> None:
    facts = {"configurations": [{"role": "winner", "model": model}], "other_searches": others}
    assert named(facts, role) == name


def test_a_forest_is_named_wherever_its_role_is_shown(forests: dict[str, dict[str, Any]]) -> None:
    whole = copy.deepcopy(forests["wisconsin"])
    whole["configurations"][0]["model"] = "forest"
    whole["configurations"][0]["params"] = whole["configurations"][0]["recipe"] = {}
    page = render.to_markdown(whole)
    assert page.count("| winner (forest) |") > 10
    assert not re.search(r"\| winner( - [^|]*)? \|", page)


def _given(outputs: np.ndarray, test: np.ndarray | None = None) -> Confirmed:
    replicas: Any = SimpleNamespace(seeds=(0, 1, 2), sound=np.array([True, True, False]))
    return Confirmed("winner", "c", None, replicas, outputs, test)


@pytest.mark.parametrize("shape", [(3, 5), (3, 5, 4)])
def test_what_says_the_same_of_every_case_has_learnt_nothing(shape: tuple[int, ...]) -> None:
    flat = np.zeros(shape) + np.arange(shape[-1]) if len(shape) == 3 else np.ones(shape)
    flat[2] = np.nan
    learnt = flat.copy()
    learnt[:2, 1] += 1e-12
    one = flat.copy()
    one[0, 1] += 1e-12
    assert _constant(_given(flat)) == "The winner gives every case the same output, so it has learnt nothing."
    assert _constant(_given(one)).startswith("1 of 2 seeds of the winner give every case the same output, so")
    assert _constant(_given(learnt)) == ""
    assert _constant(_given(flat, learnt)) == ""
    assert _constant(Confirmed("majority class", "c", None, None, flat, None)) == ""


def test_parameters_that_are_not_searched_are_shown_as_fixed(forests: dict[str, dict[str, Any]]) -> None:
    whole = copy.deepcopy(forests["wisconsin"])
    winner = whole["configurations"][0]
    assert "fixed:" not in " ".join(pages(whole).values())  # of the network by hand the settings tell it
    winner["model"], winner["recipe"] = "RandomForestClassifier", {"n_estimators": 100, "max_depth": 3}
    assert fixed(winner) == "fixed: n_estimators=100"
    texts = pages(whole)
    assert "; fixed: n_estimators=100" in texts["html"]
    assert re.search(r"; fixed: n\\?_estimators=100", texts["md"])
    winner["recipe"] = {"max_depth": 3}
    assert fixed(winner) == ""


@pytest.mark.parametrize(
    ("source", "inputs", "why"),
    [
        ("sklearn:sklearn.svm.SVC", "encoded", ""),
        ("sklearn:sklearn.svm.SVC", "raw", "it takes the columns"),
        ("object:SVC", "encoded", "as an object"),
    ],
)
def test_a_winner_that_says_nothing_of_new_rows_says_so(source: str, inputs: str, why: str) -> None:
    model = ModelSettings(name="it", source=source, inputs=inputs)
    for models in ((model,), (model, ModelSettings(name="near", source="object:near", inputs="raw"))):
        said = unsaid(read({}).model_copy(update={"models": models}))
        found = [row for row in said if row["what"] == "predictions for new rows"]
        assert len(found) == bool(why)
        assert all(why in row["why"] for row in found)
    assert unsaid(read({})) == []
