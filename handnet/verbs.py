"""The verbs that judge what models said: bands, compare, gate, predict. Each is a door to the library."""

from pathlib import Path
from typing import Any

import click

from handnet.command import Truth, command, option
from handnet.judging import (
    counted,
    deliver,
    names_of,
    read,
    reading_of,
    reads_results,
    screen,
    sources,
    words_of,
    writes_findings,
)
from handnet.messages import Refusal
from handnet.messages import command as command_of
from handnet.messages import option as named

AGAIN = "it reads its sources and changes none; the same command begins anew"


@command("bands", AGAIN)
@sources
@option("--score", metavar="NAMES", help="only these scores, as in accuracy,log_loss")
@writes_findings
@reads_results
def bands(**options: Any) -> None:
    """Bands for results you already have.

    A table of predictions has a row for each model, seed and case: y, and p, logit, p_<label>, yhat or label;
    model, seed, split, case, group and part where there are several. A table of one score a seed gives what
    it can. Nothing is trained.

      handnet bands preds.csv   every band the table can carry, and the hard cases
      handnet bands preds.csv --y truth --p score   columns with other names
      handnet bands mlflow:churn --by params.lr --seed params.seed   the runs of an experiment
      handnet bands wisconsin --latex bands.tex --figure forest.pdf   a study's own
    """
    from handnet.predictions.judged import judge_results

    results, models = read(options)
    results = results.only(models) if models else results
    with counted("judge", len(results.models)) as tick:
        facts = judge_results(results, scores=names_of(options["score"]) or None, tick=tick)
    deliver(facts, options)


@command("compare", AGAIN)
@sources
@option("--score", metavar="NAME", help="the score that decides; default: the task's own")
@option("--first", type=Truth(), help="the first model against each other one, in place of all pairs")
@writes_findings
@reads_results
def compare(**options: Any) -> None:
    """Models against each other, paired on split, seed and case.

    Says the difference in its band, the test and how often it errs, the smallest difference that could have
    been seen, and the cases on which they differ. Words are sources, or models in them.

      handnet compare preds.csv   every pair of its models
      handnet compare preds.csv net forest   two of them
      handnet compare old.csv new.csv --score log_loss   models of two tables on the same cases
      handnet compare wisconsin another-study   two studies of one table
    """
    from handnet.predictions.pairs import compare_results

    results, models = read(options)
    count, first, score = len(models or results.models), options["first"], options["score"]
    with counted("compare", count - 1 if first else count * (count - 1) // 2) as tick:
        facts = compare_results(results, models or None, first=first, score=score, tick=tick)
    deliver(facts, options)


@command("gate", AGAIN)
@sources
@option("--baseline", metavar="NAME", help="a model of the sources, or a source with one model")
@option("--candidate", metavar="NAME", help="likewise: what must be shown better, or not worse")
@option("--score", metavar="NAME", help="the score that decides; default: the task's own")
@option(
    "--margin",
    metavar="SIZE",
    default="0",
    help="of the difference: .02 is 2 points of accuracy, .02 nats of log loss, 2 % of an RMSE",
)
@option("--require", metavar="WHAT", default="better", help="better or not-worse")
@option("--summary", type=click.Path(), metavar="FILE", help="append a Markdown summary, as a CI page shows")
@reads_results
def gate(**options: Any) -> int:
    """Whether a candidate is shown to be better than a baseline, or not worse by more than a margin.

      handnet gate preds.csv --baseline old --candidate new --margin .01
      handnet gate --baseline old.csv --candidate new.csv   two tables of one model each
      handnet gate preds.csv --require not-worse --margin .02   and the two names

    Exit codes: 0 shown, 1 not shown, 2 not understood. Not shown says whether the candidate is shown to be
    worse, or whether so many seeds and cases cannot tell, and how many could.
    """
    sides = {role: _wanted(options, role) for role in ("baseline", "candidate")}
    margin, require = _margin(options["margin"]), options["require"]
    from handnet.predictions.gate import gate as judge
    from handnet.predictions.sources import read_sides

    results, models = read_sides(words_of(options["sources"]), sides, reading_of(options))
    verdict = judge(results, *models, score=options["score"], margin=margin, require=require)
    if options["summary"]:
        _append(Path(options["summary"]), verdict.markdown())
    screen().print(f"{verdict.sentence}\n{verdict.facts['opened']}")
    return verdict.code


gate.failed = 2  # 1 says that it is not shown


@command("predict", AGAIN)
@option("--rows", multiple=True, first=True, metavar="FILE", help="new rows; before them the study's name")
@option("--id", metavar="NAME", help="the column that names the new cases")
@option(
    "--data", type=click.Path(), metavar="FILE", help="where the study's own table is now, if it was moved"
)
@option("--to", type=click.Path(), metavar="FILE", help="a CSV file for all rows; without it some are shown")
def predict(**options: Any) -> None:
    """What the models of a study's winner say of new rows, each with its band over seeds.

    The rows have the columns of the study's table; the target may be missing. A band over seeds tells what
    other seeds would say of a case, and not how far from the truth they are.

      handnet predict new.csv   by the default study
      handnet predict my-study new.csv --to predicted.csv   by the study of that name
    """
    *studies, rows = words_of(options["rows"]) or [""]
    if not rows or len(studies) > 1:
        wanted = command_of("predict", rows="new.csv")
        raise Refusal(f"which rows? A study's name, if it is not the default one, and one file: {wanted}.")
    from handnet.study.newcomers import predict_rows

    name = studies[0] if studies else None
    found = predict_rows(name, Path(options["mlruns"]), rows, id=options["id"] or "", table=options["data"])
    if options["to"]:
        found.write(options["to"])
        notes = [f"{len(found.rows)} rows are written to {options['to']}.", *found.notes]
    shown = screen()
    shown.print("\n".join(notes) if options["to"] else str(found))


def _wanted(options: dict[str, Any], role: str) -> str:
    if not options[role]:
        raise Refusal(f"{named(role, '')} is missing; name a model, or a table that holds one.")
    return str(options[role])


def _append(path: Path, text: str) -> None:
    """Raises Refusal where the file cannot be written: 1 would say that nothing is shown."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as page:
            page.write(text)
    except OSError as fault:
        raise Refusal(
            f"{named('summary', str(path))} cannot be written ({fault.strerror}); name another file."
        ) from None


def _margin(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise Refusal(f"{named('margin')} must be a number of at least 0, but is {text!r}.") from None
