"""Everything the report says, as one JSON document. Computed from the stored exact results, every time anew.

The document is described in docs/report-json.md. No number is written down twice: what a page prints comes
from here, and what stands here comes from the logits and histories of each seed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from experiments.report.statements import statements
from experiments.sealed import Opening
from experiments.search import Finished
from experiments.settings import Settings
from experiments.summary import Confirmed, Quantity, gaps, heard, objective, point_scored, scored
from experiments.workers import Bench, Replicas
from handnet.bands import Band, seed_bands
from handnet.cases import case_table
from handnet.data import Array
from handnet.grade import grade

SCHEMA = 1


@dataclass(frozen=True)
class Tried:
    """A trial of the search and the exact results its value came from."""

    trial: Finished
    replicas: Replicas


def quantities(one: Confirmed, y_val: Array, y_test: Array | None) -> list[Quantity]:
    """Every score of a configuration with its bands, on val and, once opened, on test; then the gaps."""
    parts = [("val", one.val_logits, y_val)]
    if one.test_logits is not None and y_test is not None:
        parts.append(("test", one.test_logits, y_test))
    found: list[Quantity] = []
    for part, logits, y in parts:
        if one.replicas is None:
            found += point_scored(logits, y, part)
        else:
            found += scored(heard(one.replicas, logits), y, part)
    return found + (gaps(one.replicas) if one.replicas else [])


def cases(one: Confirmed, bench: Bench, part: str, X: Array, y: Array) -> pd.DataFrame | None:
    """The case table of a configuration on a part; None when too few replicas are finite to make one."""
    logits = one.val_logits if part == "val" else one.test_logits
    rows = bench.parts.val_rows if part == "val" else bench.parts.test_rows
    if one.replicas is None or logits is None or one.replicas.sound.sum() < 2:
        return None
    return case_table(heard(one.replicas, logits), y, bench.data.case_ids[rows], X, bench.data.feature_names)


def document(
    name: str,
    fingerprint: str,
    settings: Settings,
    bench: Bench,
    confirmed: Sequence[Confirmed],
    tried: Sequence[Tried],
    opening: Opening | None,
    test: tuple[Array, Array] | None,
    versions: Mapping[str, str],
    seconds: Mapping[str, float],
) -> dict[str, Any]:
    """The report. test: (X, y) of the opened test rows, None while they are sealed."""
    y_test = test[1] if test else None
    tables = {one.role: quantities(one, bench.parts.val.y, y_test) for one in confirmed}
    return {
        "schema": SCHEMA,
        "study": name,
        "fingerprint": fingerprint,
        "data": _data(bench),
        "split": _split(bench, settings),
        "bands": [
            _band(role, quantity, band) for role, rows in tables.items() for quantity in rows for band in quantity.bands
        ],
        "configurations": [_configuration(one) for one in confirmed],
        "statements": statements(confirmed, bench.parts.val.y, test),
        "watched": [watched(case, bench, confirmed, test) for case in settings.report.watch],
        "missed": _missed(confirmed, bench, test),
        "search": _search(tried, settings, bench.parts.val.y, confirmed[0]),
        "opening": _opening(opening),
        "settings": settings.identity() | {"trials": settings.trials, "confirmation_seeds": settings.confirm.seeds},
        "identity": bench.identity,
        "versions": dict(versions),
        "seconds": dict(seconds),
    }


def watched(
    case: str, bench: Bench, confirmed: Sequence[Confirmed], test: tuple[Array, Array] | None
) -> dict[str, Any]:
    """One case of the table: its part, class and, unless it is sealed, score and miss share per configuration."""
    ids = [str(one) for one in bench.data.case_ids]
    if case not in ids:
        return {"case": case, "part": None}
    row = ids.index(case)
    part = bench.parts.part_of(row)
    facts: dict[str, Any] = {
        "case": case,
        "part": part,
        "class": bench.data.class_names[bench.data.y[row]],
        "scores": [],
    }
    if part == "test" and test is None:
        return facts
    tables = {"train": (bench.parts.train.X, bench.parts.train_rows), "val": (bench.parts.val.X, bench.parts.val_rows)}
    if test:
        tables["test"] = (test[0], bench.parts.test_rows)
    X, rows = tables[part]
    place = list(rows).index(row)
    for one in confirmed:
        if one.replicas is None or one.replicas.sound.sum() < 2:
            continue
        # The whole part is put through, not one row: a product of one row may differ in its last bit.
        logits = heard(one.replicas, bench.backend.logits(one.replicas.fit.layers, X))[:, place : place + 1]
        table = case_table(
            logits, bench.data.y[[row]], bench.data.case_ids[[row]], X[[place]], bench.data.feature_names
        )
        facts["scores"].append({"role": one.role, **_record(table.iloc[0], bench)})
    return facts


def _data(bench: Bench) -> dict[str, Any]:
    data = bench.data
    return {"name": data.name, "digest": data.digest, "cases": len(data.y), "features": data.X.shape[1],
            "positive_class": data.class_names[1], "negative_class": data.class_names[0]}  # fmt: skip


def _split(bench: Bench, settings: Settings) -> dict[str, Any]:
    parts, y = bench.parts, bench.data.y
    sizes = {
        part: {"cases": len(rows), "positive": int(y[rows].sum())}
        for part, rows in (("train", parts.train_rows), ("val", parts.val_rows), ("test", parts.test_rows))
    }
    return {**vars(settings.split), "digest": parts.digest, "test_digest": parts.test.digest, "parts": sizes}


def _band(role: str, quantity: Quantity, band: Band) -> dict[str, Any]:
    row = {"role": role, "part": quantity.part, "score": quantity.name}
    return row | vars(band) | {"centres": dict(band.centres)}


def _configuration(one: Confirmed) -> dict[str, Any]:
    facts: dict[str, Any] = {"role": one.role, "config_id": one.config_id, "recipe": None, "seeds": [], "diverged": []}
    if one.recipe and one.replicas:
        lost = one.replicas.fit.diverged_at
        facts["recipe"] = vars(one.recipe) | {"hidden": list(one.recipe.hidden)}
        facts["seeds"] = [one.replicas.seeds[0], one.replicas.seeds[-1], len(one.replicas.seeds)]
        facts["diverged"] = [{"seed": seed, "epoch": int(epoch) + 1}
                             for seed, epoch in zip(one.replicas.seeds, lost, strict=True) if epoch >= 0]  # fmt: skip
    return facts


def _missed(confirmed: Sequence[Confirmed], bench: Bench, test: tuple[Array, Array] | None) -> list[dict[str, Any]]:
    rows = []
    parts = {"val": (bench.parts.val.X, bench.parts.val.y)} | ({"test": test} if test else {})
    for one in confirmed:
        for part, (X, y) in parts.items():
            table = cases(one, bench, part, X, y)
            if table is not None:
                missed = table[table["misses"] > 0]
                rows += [{"role": one.role, "part": part, **_record(row, bench)} for _, row in missed.iterrows()]
    return rows


def _record(row: "pd.Series[Any]", bench: Bench) -> dict[str, Any]:
    """A row of a case table as plain JSON values."""
    plain = {name: value.item() if isinstance(value, np.generic) else value for name, value in row.items()}
    return {str(name): value for name, value in plain.items()} | {
        "case": str(row["case"]),
        "class": bench.data.class_names[int(row["class"])],
    }


def _search(tried: Sequence[Tried], settings: Settings, y_val: Array, winner: Confirmed) -> dict[str, Any]:
    rows = [{"place": one.trial.place + 1, "config_id": one.trial.config_id, **one.trial.params,
             "diverged": int((~one.replicas.sound).sum()), **_objective(one.replicas, y_val)} for one in tried]  # fmt: skip
    fresh = _objective(winner.replicas, y_val) if winner.replicas else {}
    return {"design": settings.search.design, "objective": "mean validation log loss over the search seeds",
            "seeds": [settings.search_seeds[0], settings.search_seeds[-1], settings.search.seeds],
            "winner_on_fresh_seeds": fresh | {"seeds": settings.confirm.seeds}, "trials": rows}  # fmt: skip


def _objective(replicas: Replicas, y_val: Array) -> dict[str, float | None]:
    """The mean loss with its band over seeds; null throughout when a seed diverged."""
    value = objective(replicas, y_val)
    if not np.isfinite(value):
        return {"value": None, "low": None, "high": None, "coverage": None}
    band = seed_bands(grade(replicas.val_logits, y_val).log_loss).quantiles
    return {"value": value, "low": band.low, "high": band.high, "coverage": band.coverage}


def _opening(opening: Opening | None) -> dict[str, Any] | None:
    if opening is None:
        return None
    return {"id": opening.id, "ordinal": opening.ordinal, "seen_before": opening.seen_before, "when": opening.when,
            "configs": list(opening.configs)}  # fmt: skip
