"""Whether a model could have seen the sealed test: `check_seal` watches it and tries it on rows of noise.

The harness gives no model a sealed row before the opening. What is left is the model itself: it may read the
table's file, let the rows beside a row decide its output, or remember what it was fitted on before. No sealed
row is touched here: noise stands where they would, drawn column by column from the train rows."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from handnet.data import Array, Dataset
from handnet.messages import Refusal
from handnet.models.model import Model
from handnet.study.configuration import configure
from handnet.study.executor import Lost
from handnet.study.fits import NEARLY
from handnet.study.identity import make_problem
from handnet.study.processes import Killable
from handnet.study.seal_fits import FITS, Fresh, Tried, make_case, try_fresh, try_together
from handnet.study.search import search_of
from handnet.study.settings import Settings
from handnet.study.units import Problem
from handnet.tasks import Task

EXACT = 1e-12  # of outputs beside as many rows: threads may add the same numbers in another order
COMPANY = 1e-4  # of outputs beside fewer rows, or in another order: products in float32 are rounded otherwise
TRIED = (
    "Tried: which files it reads; whether its outputs for a row change with the rows beside it, their number"
    "\n  or their order; whether it remembers an earlier fit; whether it knows labels that it was not taught."
)
LINES = 10  # in common with the table's file that make a file a copy of it
AGREE = 0.2  # least agreement with the validation rows, in each fit, that labels at random do not give


@dataclass(frozen=True)
class SealCheck:
    """What was found of one model.

    findings: by what it could have seen the test; notes: what it does beside that is worth knowing; both in
    sentences."""

    model: str
    params: Mapping[str, Any]
    findings: tuple[str, ...]
    notes: tuple[str, ...]

    def __str__(self) -> str:
        with_params = ", ".join(f"{name} = {value}" for name, value in self.params.items())
        head = f"{self.model}{f' with {with_params}' if with_params else ''}: "
        head += "caught." if self.findings else "nothing found."
        said = [f"- {one}" for one in self.findings] or [f"  {TRIED}"]
        return "\n".join([head, *said, *(f"  {one}" for one in self.notes)])


def check_seal(
    model: Model,
    params: Mapping[str, Any],
    problem: Problem,
    tables: Sequence[str],
    seed: int = 0,
    limit_seconds: float = 0.0,
    memory_gib: float = 0.0,
) -> SealCheck:
    """Fit a model about a dozen times, in two processes of its own, and judge what it did.

    params: all of its parameters; tables: paths of the table's file; limits: as of `Killable`, for one fit.
    Raises Refusal for a model that does not give outputs."""
    case = make_case(model, params, seed, problem, tables)
    found = []
    for what, fits in ((try_together, FITS + 6), (try_fresh, 2)):
        with Killable(1, limit_seconds, memory_gib) as process:  # each in a process of its own
            try:
                found.append(process.submit(what, case, limits=fits).result())
            except Lost as fault:
                said = str(fault).rstrip(".")
                raise Refusal(f"{model.name} cannot be checked, because a fit was lost: {said}.") from None
    return judged(model, params, problem, tables, *found)


def judged(
    model: Model,
    params: Mapping[str, Any],
    problem: Problem,
    tables: Sequence[str],
    tried: Tried,
    fresh: Fresh,
) -> SealCheck:
    """What the trials of a model say."""
    remembers = tuple(_remembers(tried, fresh))
    # Where each call of outputs trains anew, they differ by that alone.
    beside = () if remembers and model.stacks else tuple(_looks_beside(tried, model))
    findings = (*_reads(tried, fresh, tables), *beside, *remembers, *_knows(tried, problem))
    notes = [*(() if remembers else _uses_labels(tried)), *_asks(tried, tables)]
    return SealCheck(model.name, params, findings, tuple(notes))


def _reads(tried: Tried, fresh: Fresh, tables: Sequence[str]) -> Iterator[str]:
    """Of files that hold the sealed rows."""
    for path, place in tried.seen.files.items():
        at = f" ({place})" if place else ""
        if path in tables:
            yield f"It reads {path}, the table itself, which holds the sealed rows{at}."
        elif any(is_copy(path, table) for table in tables):
            yield f"It reads {path}, which holds rows of the table, and perhaps the sealed ones{at}."
    for path in set(tried.seen.silent) & set(fresh.seen.silent):
        yield (
            f"While it is fitted something opens {path}, the table itself, which holds the sealed rows:"
            " compiled code of its own, or a program that it starts."
        )


def _looks_beside(tried: Tried, model: Model) -> Iterator[str]:
    """Of outputs for a row that depend on other rows to be predicted."""
    far = _distance(*tried.company)
    if far > (NEARLY if model.stacks else EXACT):
        yield (
            f"Its outputs for a row depend on the rows that are predicted beside it: on the validation rows"
            f" they differ by up to {far:.2g} between two sets of noise where the sealed rows would stand. On"
            " the test it would learn from the test rows' own columns."
        )
    elif (far := _distance(tried.alone, tried.company[0])) > COMPANY:
        yield (
            f"Its outputs for a row depend on how many rows are predicted beside it: they differ by up to"
            f" {far:.2g} between the validation rows alone and with noise behind them."
        )
    if (far := _distance(tried.alone, tried.turned)) > COMPANY:
        yield (
            f"Its outputs for a row depend on the order of the rows: they differ by up to {far:.2g} when the"
            " same rows are predicted in reverse."
        )


def _remembers(tried: Tried, fresh: Fresh) -> Iterator[str]:
    """Of fits that depend on earlier ones."""
    if (far := _distance(tried.taught[0], fresh.taught)) > NEARLY:
        yield (
            f"With other train labels it gives other outputs after an earlier fit than in a fresh process (by"
            f" up to {far:.2g}): it remembers the earlier fit, or draws random numbers without its seed."
        )
    elif (far := max(_distance(tried.alone, other) for other in (tried.again, fresh.alone))) > NEARLY:
        yield (
            f"Fitted again on the same rows with the same seed, after other fits, it gives other outputs (by"
            f" up to {far:.2g}): it remembers these fits, or draws random numbers without its seed."
        )


def _knows(tried: Tried, problem: Problem) -> Iterator[str]:
    """Of a model that knows more of the validation rows than it was taught."""
    y = problem.parts.val.y
    least = min(agreement(outputs, y, problem.task) for outputs in tried.taught[:, 0])
    if least > AGREE:
        yield (
            f"Taught labels that were drawn at random, it still tells the validation rows apart in each of"
            f" {FITS} fits (rank correlation or 2 AUC - 1 of at least {least:.2f}): it knows something of"
            " them that its train rows do not tell, from a file, a service, an earlier training, or a rule of"
            " yours such as monotonic constraints."
        )
    elif _distance(tried.taught[0], tried.alone) == 0 and np.ptp(tried.alone, axis=1).any():
        yield "Its outputs stay the same whatever the train labels are, so it has learnt them elsewhere."


def _uses_labels(tried: Tried) -> Iterator[str]:
    """What is no fault."""
    if (far := _distance(tried.alone, tried.unlabelled)) > 0:
        yield (
            f"It uses the labels of the validation rows (other labels there move its outputs by up to"
            f" {far:.2g}), as early stopping does: these rows are for choosing, and the test is not touched."
        )


def _asks(tried: Tried, tables: Sequence[str]) -> Iterator[str]:
    """What cannot be judged."""
    for path, place in tried.seen.files.items():
        hidden = "/." in path  # settings of libraries, as in ~/.keras
        if not hidden and not any(path == table or is_copy(path, table) for table in tables):
            yield f"It reads {path}{f' ({place})' if place else ''}; see that no row of the table is in it."
    for kind, does in (("services", "connects to"), ("programs", "starts")):
        for what, place in getattr(tried.seen, kind).items():
            yield f"It {does} {what}{f' ({place})' if place else ''}: what that tells it, nobody sees here."


def agreement(outputs: Array, y: Array, task: Task) -> float:
    """How well outputs (n,) or (n, k) order rows with the truth y (n,): 2 AUC - 1 of two classes, its mean
    over classes against all others of many, Spearman's rank correlation of a number; 0 by chance, 1 at best.
    """
    from scipy.special import softmax
    from scipy.stats import rankdata, spearmanr

    def of(scores: Array, truths: Array) -> float:
        """Somers' D of truths 0 and 1: 2 AUC - 1."""
        n, ones = len(truths), int(truths.sum())
        ranks = rankdata(scores)[truths == 1].sum()
        return float(2 * (ranks - ones * (ones + 1) / 2) / (ones * (n - ones)) - 1)

    if not task.classes:
        return 0.0 if np.ptp(outputs) == 0 else float(spearmanr(outputs, y).statistic)
    if task.classes == 2:
        return of(outputs, y)
    p = softmax(outputs, axis=1)
    return float(np.mean([of(p[:, place], y == place) for place in range(task.classes)]))


def is_copy(path: str, table: str) -> bool:
    """Whether a file holds ten lines of a table's file, or all that it has."""
    lines = [
        {line.strip() for line in Path(one).read_bytes().splitlines() if len(line) > 8}
        for one in (path, table)
    ]
    return len(lines[0] & lines[1]) >= max(1, min(LINES, len(lines[1])))


def _distance(one: Array, other: Array) -> float:
    return float(np.abs(one - other).max())


def check_all(settings: Settings, models: Mapping[str, Model], data: Dataset) -> list[SealCheck]:
    """Each model of a study, with the first configuration that its search would try.

    Raises Refusal for what no study could be made of."""
    problem = make_problem(settings, data)
    checks = []
    for name, model in models.items():
        params = configure(settings, name, search_of(settings, name).propose(0)).params
        limits = settings.units.timeout, settings.units.memory
        seed = settings.search_seeds[0]
        checks.append(check_seal(model, params, problem, table_files(settings), seed, *limits))
    return checks


def table_files(settings: Settings) -> list[str]:
    """Where the table of a study lies: its file, or those of a built-in table in scikit-learn."""
    if settings.data.path:
        return [str(Path(settings.data.path).resolve())]
    import sklearn.datasets

    folder = Path(sklearn.datasets.__file__).parent / "data"
    stem = {"wisconsin": "breast_cancer"}.get(settings.data.name, settings.data.name)
    return [str(path.resolve()) for path in sorted(folder.glob(f"{stem}*"))]
