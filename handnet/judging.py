"""What the verbs that judge results share: their options, how sources are read, how findings are told."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from handnet.command import Truth, option

if TYPE_CHECKING:
    from handnet.predictions.form import Results
    from handnet.predictions.sources import Reading
    from handnet.study.screen import Screen

COLUMNS = {
    "y": "the truth",
    "p": "the probability of the positive label, or p_* for a column a label",
    "logit": "its logit, or logit_*",
    "yhat": "a guessed number",
    "label": "a label without a probability",
    "quantiles": "guessed quantiles, as in q*",
    "case": "the case",
    "group": "what several cases belong to",
    "part": "the part: test, val or train",
    "n_train": "how many rows were trained on, or that number",
    "positive": "the positive one of two labels",
    "wide": "columns of one seed each, as in seed_*",
    "kind": "what these hold: p, logit, yhat or label",
    "target": "what a measured number is called",
    "scores": "columns of scores, of a table with one score a seed, as in test_*",
}
DIALECT = {
    "separator": "what stands between the cells of a file, if that is not found out",
    "decimal": "its decimal mark, a point or a comma",
    "encoding": "of the file, as in latin-1",
}
TRACKED = ("artifact", "metrics", "tracking_uri", "latest")
SHARED = ("by", "seed", "split")
COLUMN_OF = {"by": "model"}


def reads_results(function: Callable[..., int | None]) -> Callable[..., int | None]:
    """The options of a verb that reads results."""
    decorators = [
        option(
            "--by",
            metavar="NAME",
            help="what tells the models apart: a column; of MLflow params.lr, tags.model",
        ),
        option("--seed", metavar="NAME", help="the seed: a column; of MLflow params.seed"),
        option("--split", metavar="NAME", help="the division of the table: a column; of MLflow params.fold"),
        *(
            option(f"--{name.replace('_', '-')}", metavar="NAME", help=means)
            for name, means in COLUMNS.items()
        ),
        *(option(f"--{name}", metavar="MARK", help=means) for name, means in DIALECT.items()),
        option("--latest", type=Truth(), help="of MLflow: of two runs of one model and seed the later"),
        option("--artifact", metavar="PATTERN", help="of MLflow: files of predictions, as in preds/*.csv"),
        option(
            "--metrics", metavar="NAMES", help="of MLflow: metrics to read in place of predictions, as in a,b"
        ),
        option("--tracking-uri", metavar="URI", help="of MLflow; MLFLOW_TRACKING_URI unless given"),
    ]
    for decorator in reversed(decorators):
        function = decorator(function)
    return function


def writes_findings(function: Callable[..., int | None]) -> Callable[..., int | None]:
    """The options of a verb that writes what it finds."""
    decorators = [
        option(
            "--to",
            type=click.Path(),
            metavar="FOLDER",
            help="for the pages; default: below reports/ in --mlruns",
        ),
        option("--latex", type=click.Path(), metavar="FILE", help="write a table for LaTeX too"),
        option(
            "--figure", type=click.Path(), metavar="FILE", help="write a forest plot too: .pdf, .svg, .png"
        ),
    ]
    for decorator in reversed(decorators):
        function = decorator(function)
    return function


sources = option(
    "--sources", multiple=True, first=True, metavar="SOURCE", help="a table, mlflow:EXPERIMENT or a study"
)


def read(options: dict[str, Any]) -> "tuple[Results, list[str]]":
    """What the sources hold, and the models that are named. Raises Refusal for what is not understood, the
    name of the figure too, before anything is judged."""
    from handnet.predictions.sources import read_words

    if options["figure"]:
        from handnet.report.forest import picture_ending

        picture_ending(Path(options["figure"]))

    return read_words(words_of(options["sources"]), reading_of(options))


def reading_of(options: dict[str, Any]) -> "Reading":
    """How sources are read, from the options."""
    from handnet.predictions.columns import Columns
    from handnet.predictions.sources import Reading
    from handnet.tables.dialect import Dialect

    said = {name: options[name] for name in COLUMNS if options.get(name)}
    shared = {name: options[name] for name in SHARED if options.get(name)}
    columns = Columns(**said, **{COLUMN_OF.get(name, name): value for name, value in shared.items()})
    tracked = {name: options[name] for name in TRACKED if options.get(name)} | shared
    dialect = Dialect(**{name: options[name] or "" for name in DIALECT})
    return Reading(columns, dialect, tracked, Path(options["mlruns"]), _bar)


def words_of(typed: Sequence[str]) -> list[str]:
    """The words of an option that may be given several times; make gives it once, with commas."""
    apart = ([word] if "," not in word or Path(word).exists() else names_of(word) for word in typed)
    return [word for words in apart for word in words]


def names_of(text: str | None) -> Sequence[str]:
    from handnet.study.typed import column_names

    return column_names(text) if text else []


def screen() -> "Screen":
    from handnet.study.screen import Screen

    return Screen()


@contextmanager
def _bar(what: str) -> Iterator[Callable[[int, int], object]]:
    """A bar of how far something is; gives what is told how much is done, and how much there is."""
    with screen().progress(what, 0, 0, tell_end=False) as bar:
        yield bar.reach


@contextmanager
def counted(what: str, total: int) -> Iterator[Callable[[str], object]]:
    """A bar of so many things; gives what is told the name of each that is done."""
    with screen().progress(what, total, 0, tell_end=False) as bar:
        yield lambda name: bar.advance(1, name)


def deliver(facts: Mapping[str, Any], options: Mapping[str, Any]) -> None:
    """Write the pages, and what else was asked for, and show the answer."""
    from handnet.predictions.findings import Findings

    findings, shown = Findings(facts), screen()
    pages = findings.write(options["to"] or _folder(facts["source"], Path(options["mlruns"])))
    if options["latex"]:
        from handnet.study.files import write_whole

        write_whole(Path(options["latex"]), findings.to_latex().encode())
    if options["figure"]:
        from handnet.report.forest import write_forest

        write_forest(facts, Path(options["figure"]))
    shown.print(str(findings))
    shown.print(f"Pages:   {pages[0]} (also .md, .json and .csv)")


def _folder(source: str, home: Path) -> Path:
    """Where the pages on a source go."""
    safe = re.sub(r"[^\w.-]+", "-", " ".join(Path(word).name for word in source.split())).strip("-.")
    return home / "reports" / (safe[:80] or "results")
