"""Results as tables of LaTeX: their structure, their escapes, and what a TeX makes of them."""

import re
import shutil
import subprocess
import unicodedata
from pathlib import Path

import pytest
from elsewhere import COMPARED, KINDS, LONG, bands_of, compared, results
from hostile import HOSTILE
from hypothesis import given
from hypothesis import strategies as st

from handnet.predictions.judged import judge_results
from handnet.report.latex import to_latex
from handnet.report.latex_layout import SPECIALS, tex


def every() -> list[dict]:
    return [*(bands_of(kind) for kind in KINDS), *(compared(kind) for kind in COMPARED)]


def cells_of(row: str) -> list[str]:
    """The cells of a row, each number without the blanks behind it."""
    return [re.sub(r"\\phantom\{[.0]*\}|\$", "", cell).strip() for cell in re.split(r"(?<!\\)&", row[:-2])]


def columns_of(row: str) -> int:
    """How many columns the cells of a row take."""
    spans = [re.match(r"\\multicolumn\{(\d+)\}", cell) for cell in cells_of(row)]
    return sum(int(span[1]) if span else 1 for span in spans)


def main_score(facts: dict) -> str:
    """The score that is read first."""
    return {None: "accuracy", "a number": "rmse"}.get(facts["task"], "accuracy")


@pytest.mark.parametrize("place", range(len(KINDS) + len(COMPARED)))
def test_every_row_has_the_columns_of_its_table(place: int) -> None:
    text = to_latex(every()[place])
    tables = re.findall(r"\\begin\{tabular\}\{([^\n]*)\}\n(.*?)\\end\{tabular\}", text, re.DOTALL)
    assert tables
    for spec, body in tables:
        columns = len(re.sub(r"@\{(?:[^{}]|\{[^{}]*\})*\}", "", spec))
        rows = [row for row in body.split("\n") if row.endswith(r"\\")]
        assert len(rows) >= 2
        assert {columns_of(row) for row in rows} == {columns}


@pytest.mark.parametrize("kind", KINDS)
def test_every_band_that_is_told_stands_in_the_table_with_what_it_is_of(kind: str) -> None:
    """Each pair of ends is found again among the cells, and n, coverage and what varied in the caption."""
    facts = bands_of(kind)
    text = to_latex(facts)
    rows = [cells_of(row) for row in text.split("\n") if row.endswith(r"\\") and "multicolumn" not in row]
    ends = [tuple(map(float, row[place : place + 2])) for row in rows for place in range(2, len(row), 3)]
    caption = re.search(r"\\caption\{(.*)\}\\label", text)[1].replace("\\", "")
    bands = [band for band in facts["bands"] if band["score"] == main_score(facts)]
    told = [band for band in bands if band["kind"] == "quantiles"]
    assert told
    for band in told:
        assert any(
            (low, high) == pytest.approx((band["low"], band["high"]), abs=6e-4 * max(1, abs(band["high"])))
            for low, high in ends
        )
        assert str(band["n"]) in caption
        assert f"{band['coverage']:.1%}" in caption
        assert {"seeds": "seeds", "splits": "divisions"}[band["varied"]] in caption
    assert facts["opened"] in caption


def test_numbers_of_a_score_have_as_many_decimals_each() -> None:
    """So their points stand below each other, as all columns are flush right."""
    for facts in every():
        for body in re.findall(r"\\begin\{tabular\}(.*?)\\end\{tabular\}", to_latex(facts), re.DOTALL):
            rows = [re.split(r"(?<!\\)&", row[:-2]) for row in body.split("\n") if row.endswith(r"\\")]
            rows = [row for row in rows if "multicolumn" not in "".join(row)]
            for column in list(zip(*rows, strict=True))[1:4]:
                places = {
                    len(re.sub(r"\\phantom\{([.0]*)\}", r"\1", cell).strip().partition(".")[2])
                    for cell in column
                    if cell.strip()
                }
                assert len(places) <= 1, column


@given(st.text())
def test_no_text_is_a_command(text: str) -> None:
    left = tex(text)
    for escape in sorted(set(SPECIALS.values()), key=len, reverse=True):
        left = left.replace(escape, "")
    assert not set(left) & set("\\&%$#_{}~^")
    assert not any(unicodedata.category(sign) in ("Cc", "Cf", "Cs") for sign in left)


def test_names_are_shown_and_never_run() -> None:
    names = [f"{name[:60]} {place}" for place, name in enumerate(HOSTILE) if name.strip()]
    text = to_latex(named(names[:12]))
    for name in names[:12]:
        assert name not in text.replace(tex(name), "")


def named(names: list[str]) -> dict:
    """Bands of models with these names, on labels and a source with the first of them."""
    made = results(2, names, [2] * len(names), n=20, labels=(names[0], names[-1]), source=names[0])
    return judge_results(made, scores=["accuracy"])


def test_tables_compile_and_keep_to_the_line(tmp_path: Path) -> None:
    """Everything in one document: no error, nothing wider than its line or taller than its page."""
    if shutil.which("pdflatex") is None:
        pytest.skip("there is no TeX on this machine")
    latin = [f"{place} {name[:60]}" for place, name in enumerate(HOSTILE) if name.strip() and name.isascii()]
    tables = "\n".join([*map(to_latex, every()), to_latex(named(latin)), to_latex(named(LONG[:3]))])
    document = r"\documentclass{article}\usepackage{booktabs}\begin{document}%s\end{document}"
    (tmp_path / "all.tex").write_text(document % tables)
    run = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "all"]
    done = subprocess.run(run, check=False, cwd=tmp_path, stdout=subprocess.DEVNULL, timeout=120)
    log = (tmp_path / "all.log").read_text(errors="replace")
    assert done.returncode == 0, log[-2000:]
    faults = re.findall(r"^!.*|^Overfull.*|.*too large.*", log, re.MULTILINE)
    assert not faults
