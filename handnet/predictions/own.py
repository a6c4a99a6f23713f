"""Results of the harness's own studies, from their stores alone."""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from handnet.data import Array
from handnet.predictions.form import PART, SPLIT, Cases, Predicted, Results
from handnet.splits import Split, split
from handnet.study.division import SEARCHED_ANEW
from handnet.study.outcome import Outcome, StoredStudy
from handnet.study.screen import Clock, Screen
from handnet.study.sealed import Opening

SEALED = "The test rows are sealed, so there are results on validation rows alone."


def from_study(name: str | None = None, home: Path = Path("mlruns"), table: str | None = None) -> Results:
    """What the models and rivals of a confirmed study gave, to the bit.

    On validation and test rows of the study's own division, with its confirmation seeds; and on the test of
    each fresh division, which its split seed names, with the rehearsal seeds. While the test is sealed there
    are validation rows alone.
    name: the default study's, unless given; table: where the study's own table is now, if it was moved.
    Raises Refusal when there is no such study, it has confirmed nothing, or its store is damaged.
    """
    study = StoredStudy(home, Clock(time.perf_counter()), Screen(quiet=True), name, table)
    outcome = study.load(trials=False)
    problem, opening = study.problem, outcome.opening
    return Results(
        study.name,
        problem.task,
        problem.data.class_names,
        (*_on_own_division(study, outcome), *_on_fresh_divisions(study, outcome)),
        target=problem.data.target,
        opened=_opened(opening) if opening else SEALED,
    )


def _opened(opening: Opening) -> str:
    """What the ledger says of the opening."""
    return (
        f"The test part was opened on {opening.when}; this was opening {opening.ordinal} of these test rows"
        f" in this folder's ledger, by which {opening.seen_before} of the {len(opening.cases)} cases were in"
        " a test opened before."
    )


def _on_own_division(study: StoredStudy, outcome: Outcome) -> Iterator[Predicted]:
    """Every configuration on the rows of each part of the study's own division."""
    parts = study.problem.parts
    graded = {"val": parts.val_rows} | ({PART: parts.test_rows} if outcome.opened else {})
    seeded = _seeded(study, outcome)
    for part, rows in graded.items():
        cases = _cases(parts, SPLIT, part, rows)
        for configuration in outcome.confirmed:
            outputs = configuration.logits(part)
            assert outputs is not None  # of a part that is graded
            role, replicas = configuration.role, configuration.replicas
            seeds = replicas.seeds if replicas and role in seeded else ()
            yield Predicted(role, cases, _texts(seeds), _exact(outputs))


def _on_fresh_divisions(study: StoredStudy, outcome: Outcome) -> Iterator[Predicted]:
    """Every configuration on the test of each fresh division."""
    settings = study.records.settings
    seeded = _seeded(study, outcome)
    for division in outcome.divisions:
        seed = division.split_seed
        parts = split(study.problem.data, **{**vars(settings.split), "seed": seed})
        cases = _cases(parts, str(seed), PART, parts.test_rows)
        if not np.array_equal(cases.y, division.y):
            raise study.store.damaged(f"split {seed} holds other cases than the table gives")
        for role, outputs in division.logits.items():
            seeds = settings.rehearsal_seeds if role in seeded else ()
            yield Predicted(role, cases, _texts(seeds), _exact(outputs))


def _seeded(study: StoredStudy, outcome: Outcome) -> set[str]:
    """The roles that are trained once a seed: neither methods, nor models in which nothing is random."""
    roles = {
        one.role: one.configuration is not None and study.problem.seeded(one.configuration)
        for one in outcome.confirmed
    }
    settings = study.records.settings
    roles[SEARCHED_ANEW] = settings.seeded(settings.studied[0])
    return {role for role, seeded in roles.items() if seeded}


def _cases(parts: Split, name: str, part: str, rows: Array) -> Cases:
    """The cases of one part of a division. rows: (n,) int, of the table."""
    data, others = parts.data, len(parts.data.y) - len(rows) if part == PART else None
    return Cases(name, part, data.case_ids[rows].astype("U"), data.y[rows], parts.groups(part), others)


def _texts(seeds: Sequence[int]) -> tuple[str, ...]:
    return tuple(str(seed) for seed in seeds)


def _exact(outputs: Array) -> Array:
    return np.asarray(outputs, dtype=np.float64)
