"""All a study wrote, as one comparable text: everything but clocks, random ids and the paths of this
machine."""

import hashlib
import json
import sqlite3
from pathlib import Path
from urllib.parse import unquote, urlparse

Rows = list[tuple]


def query(path: Path, sql: str, *arguments: object) -> Rows:
    db = sqlite3.connect(path)
    try:
        return db.execute(sql, arguments).fetchall()
    finally:
        db.close()


def trials(home: Path) -> Rows:
    """Parameters and value of every completed trial, in order of completion."""
    rows = query(home / "optuna.db", "SELECT trial_id, state FROM trials ORDER BY number")
    done = [trial for trial, state in rows if state == "COMPLETE"]
    return [
        (
            sorted(
                (n, v.hex())
                for n, v in query(
                    home / "optuna.db",
                    "SELECT param_name, param_value FROM trial_params WHERE trial_id=?",
                    one,
                )
            ),
            query(home / "optuna.db", "SELECT value, value_type FROM trial_values WHERE trial_id=?", one),
        )
        for one in done
    ]


def runs(home: Path, proxied: Path | None = None) -> dict[str, dict]:
    """Every live run by its key. A key that stands twice is a fault and raises.
    proxied: the folder a server keeps artifacts in that it hands out itself."""
    db = home / "mlflow.db"
    found: dict[str, dict] = {}
    sql = (
        "SELECT r.run_uuid, r.status, r.artifact_uri, t.value FROM runs r JOIN tags t ON t.run_uuid ="
        " r.run_uuid WHERE t.key = 'handnet.key' AND r.lifecycle_stage = 'active'"
    )
    for run, status, artifacts, key in query(db, sql):
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
                if row[0] != "mlflow.user"
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
    return sorted(query(home / "mlflow.db", sql))


def report(home: Path) -> dict:
    """The report's facts without clocks."""
    (path,) = (home / "reports").glob("*/report.json")
    facts = json.loads(path.read_text())
    del facts["seconds"]
    if facts["opening"]:
        del facts["opening"]["when"]
    return facts


def digest(home: Path) -> str:
    """One hash of a whole study."""
    openings = home / "openings.jsonl"
    events = [json.loads(line) for line in openings.read_text().splitlines()] if openings.exists() else []
    ledger = [{name: value for name, value in event.items() if name != "when"} for event in events]
    whole = {
        "trials": trials(home),
        "runs": runs(home),
        "models": models(home),
        "report": report(home),
        "ledger": ledger,
    }
    return hashlib.sha256(json.dumps(whole, sort_keys=True, default=str).encode()).hexdigest()
