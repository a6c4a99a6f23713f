"""All a study wrote, as one comparable text: everything but clocks, random ids and the paths of this machine.

The files of the store are read here directly, without handnet's own classes."""

import hashlib
import io
import json
import sqlite3
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

import numpy as np

Rows = list[tuple]
Arrays = dict[str, np.ndarray]

# The store


def study_folder(home: Path) -> Path:
    """The store of the only study."""
    (folder,) = (home / "studies").iterdir()
    return folder


def lines(path: Path) -> list[dict[str, Any]]:
    """The complete lines of a file of JSON; none when there is no file."""
    content = path.read_text() if path.exists() else ""
    return [json.loads(line) for line in content.split("\n")[:-1]]


def trials(home: Path) -> list[dict[str, Any]]:
    """Every completed trial, in order, model by model. JSON keeps each float exactly."""
    return [trial for path in sorted(study_folder(home).glob("trials*.jsonl")) for trial in lines(path)]


def study(home: Path) -> dict[str, Any]:
    """What is known of the study as a whole, but for the wish for searches anew, as in `commit`."""
    content = json.loads((study_folder(home) / "study.json").read_text())
    del content["settings"]["rehearsal"]["ideal"]
    return content


def commit(home: Path) -> dict[str, Any]:
    """The last confirmation. Whether searches anew were asked for once more does not count: they are kept."""
    content = json.loads((study_folder(home) / "commit.json").read_text())
    del content["settings"]["rehearsal"]["ideal"]
    return content


def ledger(home: Path) -> list[dict[str, Any]]:
    """The openings without their clocks."""
    events = lines(home / "openings.jsonl")
    return [{name: fact for name, fact in event.items() if name != "when"} for event in events]


def arrays(path: Path) -> Arrays:
    """What an .npz file holds, read to its end and checked by its sums."""
    with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as file:
        return dict(file)


def results(home: Path) -> dict[str, Arrays]:
    """Every finished result of the only study, by key."""
    folder = study_folder(home)
    return {
        str(path.relative_to(folder).with_suffix("")): arrays(path)
        for path in sorted(folder.rglob("*.npz"))
        if not path.name.startswith(".")
    }


def networks(home: Path) -> dict[tuple[str, int], Arrays]:
    """Each network by configuration and seed. Raises AssertionError when two blocks disagree on one."""
    found: dict[tuple[str, int], Arrays] = {}
    for key, block in results(home).items():
        kind, config, *_ = key.split("/")
        for place, seed in enumerate(block["seeds"]) if kind == "network" else ():
            one = {name: part[place] for name, part in block.items()}
            known = found.setdefault((config, int(seed)), one)
            assert hashed(known) == hashed(one), f"{key} has another network of seed {seed}"
    return found


def hashed(parts: Arrays) -> dict[str, str]:
    """Type, shape and bytes of each array."""
    return {
        name: f"{part.dtype} {part.shape} {hashlib.sha256(part.tobytes()).hexdigest()}"
        for name, part in sorted(parts.items())
    }


def named(home: Path) -> dict[str, dict[str, str]]:
    """The results that trials and commit name; KeyError when one is missing.

    What they name no longer does not count, because a study that was made at once never had it: the networks
    of an earlier winner, of fewer seeds. Networks count one by one, in whatever blocks they are."""
    stored, alone, last = results(home), networks(home), commit(home)
    search, confirm, frozen = last["settings"]["search"], last["settings"]["confirm"], last["frozen"]
    wanted = [(trial["config_id"], search) for trial in trials(home)[: search["trials"][search["design"]]]]
    wanted += [(one["config_id"], confirm) for one in frozen if one["params"]]
    keys = [*last["resplits"], *(f"val/{one['config_id']}" for one in frozen if not one["params"])]
    keys += [f"test/{last['opening']}/{one['config_id']}" for one in frozen if last["opening"]]
    ones = {
        f"network/{config}/{seed}": hashed(alone[config, seed])
        for config, seeds in wanted
        for seed in range(seeds["first_seed"], seeds["first_seed"] + seeds["seeds"])
    }
    return ones | {key: hashed(stored[key]) for key in keys}


def report(home: Path) -> dict:
    """The report's facts without clocks."""
    (path,) = (home / "reports").glob("*/report.json")
    facts = json.loads(path.read_text())
    del facts["seconds"]
    if facts["opening"]:
        del facts["opening"]["when"]
    return facts


def digest(home: Path) -> str:
    """One hash of a whole study: its store, its ledger, its report, and its runs where they are tracked."""
    whole = {
        "study": study(home),
        "trials": trials(home),
        "commit": commit(home),
        "results": named(home),
        "report": report(home),
        "ledger": ledger(home),
        "runs": runs(home),
        "models": models(home),
    }
    return hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()


# What MLflow tracks of it


def query(path: Path, sql: str, *arguments: object) -> Rows:
    db = sqlite3.connect(path)
    try:
        return db.execute(sql, arguments).fetchall()
    finally:
        db.close()


def tracked(home: Path) -> Path:
    """MLflow's database, which may not be there."""
    return home / "tracking" / "mlflow.db"


def runs(home: Path, proxied: Path | None = None) -> dict[str, dict]:
    """Every live run by its key. A key that stands twice is a fault and raises.
    proxied: the folder a server keeps artifacts in that it hands out itself."""
    db, found = tracked(home), dict[str, dict]()
    sql = (
        "SELECT r.run_uuid, r.status, r.artifact_uri, t.value FROM runs r JOIN tags t ON t.run_uuid ="
        " r.run_uuid WHERE t.key = 'handnet.key' AND r.lifecycle_stage = 'active'"
    )
    for run, status, artifacts, key in query(db, sql) if db.exists() else ():
        assert key not in found, f"{key} was written twice"
        path = unquote(urlparse(artifacts).path)
        folder = proxied / path.lstrip("/") if proxied else Path(path)
        metrics = query(
            db, "SELECT key, step, value, is_nan FROM metrics WHERE run_uuid=? ORDER BY key, step", run
        )
        assert len({row[:2] for row in metrics}) == len(metrics), f"{key} has a metric point twice"
        found[key] = {
            "status": status,
            "params": sorted(query(db, "SELECT key, value FROM params WHERE run_uuid=?", run)),
            "metrics": [(name, step, float(value).hex(), nan) for name, step, value, nan in metrics],
            "tags": sorted(
                row
                for row in query(db, "SELECT key, value FROM tags WHERE run_uuid=?", run)
                if row[0] not in ("mlflow.user", "handnet.origin")
            ),
            "files": {
                p.name: hashlib.sha256(p.read_bytes()).hexdigest()
                for p in sorted(folder.glob("*"))
                if p.is_file()
            },
        }
    return found


def models(home: Path) -> Rows:
    """The key of the run each live model belongs to, and whether both are in one experiment."""
    sql = """SELECT t.value, m.experiment_id = r.experiment_id FROM logged_models m
             LEFT JOIN runs r ON r.run_uuid = m.source_run_id
             LEFT JOIN tags t ON t.run_uuid = r.run_uuid AND t.key = 'handnet.key'
             WHERE m.lifecycle_stage = 'active'"""
    return sorted(query(tracked(home), sql)) if tracked(home).exists() else []
