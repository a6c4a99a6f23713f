"""What a confirmed study has found, and how it becomes facts and pages."""

import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from handnet.data import Table
from handnet.report import pages
from handnet.report.facts import Findings, document
from handnet.study import tracker
from handnet.study.analysis import Analysis, TrialResult, analyse
from handnet.study.records import Records
from handnet.study.resplit import Resplit, Resplits
from handnet.study.screen import Screen
from handnet.study.sealed import Ledger, Opened, Opening
from handnet.study.search import Proposals, versions
from handnet.study.units import Confirmed, kernel


@dataclass(frozen=True)
class Outcome:
    """The exact results of a confirmed study, the winner's first. opened is None while the test is sealed,
    resplits without fresh divisions."""

    confirmed: Sequence[Confirmed]
    trials: Sequence[TrialResult]
    opened: Opened | None
    resplits: Resplits | None

    @property
    def opening(self) -> Opening | None:
        """The record of the opening."""
        return self.opened.record if self.opened else None

    @property
    def test(self) -> Table | None:
        """The test rows."""
        return self.opened.rows if self.opened else None

    def analysis(self, records: Records, screen: Screen) -> Analysis:
        """All that the report and the tracker say of it."""
        with screen.progress("analyse", len(self.confirmed), 0, tell_end=False) as bar:
            return analyse(
                records.settings,
                records.problem,
                self.confirmed,
                self.trials,
                self.test,
                self.resplits,
                lambda role: bar.advance(1, role),
            )

    @property
    def divisions(self) -> Sequence[Resplit]:
        """The fresh divisions."""
        return self.resplits.divisions if self.resplits else ()


def facts_of(
    records: Records, outcome: Outcome, analysis: Analysis, search: Proposals, ledger: Ledger, seconds: str
) -> dict[str, Any]:
    """The content of report.json. seconds: by activity, as JSON."""
    opening = outcome.opening
    return document(
        Findings(
            records.name,
            records.fingerprint,
            records.settings,
            records.problem,
            outcome.confirmed,
            outcome.trials,
            analysis,
            search.importances(),
            opening,
            ledger.rehearsals(opening) if opening else [],
            outcome.test,
            outcome.divisions,
            _versions(),
            json.loads(seconds),
        )
    )


def write_report(content: Mapping[str, Any], folder: Path) -> dict[str, bytes]:
    """Write the three pages. Returns them and every figure, by name below report/."""
    return {f"report/{name}": page for name, page in pages.write(content, folder).items()}


def _versions() -> dict[str, str]:
    return {"python": platform.python_version(), **versions(), "mlflow": tracker.VERSION, "blas": kernel()}
