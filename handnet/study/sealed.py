"""The opening of the test set, and the ledger that counts every one of them.

A line is on the disk before a test row is handed out. The same test rows, configurations and fingerprint are
the same opening, however often it is repeated; anything else is one more, and the report says which."""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from handnet.data import Table, canonical_hash
from handnet.messages import Refusal
from handnet.study.files import append_line, parsed, whole_lines
from handnet.study.settings import Settings


@dataclass(frozen=True)
class Opening:
    """One opening of one test set.

    ordinal: which of the distinct openings of these very rows, from 1; seen_before: how many of these cases
    were in a test opened earlier, of these very rows or others of the same data; all of them when an earlier
    study made fresh divisions of that data."""

    id: str
    test: str
    study: str
    fingerprint: str
    configs: tuple[str, ...]
    trials: int
    seeds: int
    when: str
    data: str
    table: str
    cases: tuple[str, ...]
    ordinal: int
    seen_before: int


class Opened(NamedTuple):
    """The record of an opening, and the test rows it handed out."""

    record: Opening
    rows: Table


class Ledger:
    """The append-only file of openings, which `handnet clean` leaves alone.

    Every method that reads it raises Refusal (1) when one of its lines is no event."""

    def __init__(self, home: Path) -> None:
        self.path = home / "openings.jsonl"

    def openings(self) -> list[Opening]:
        """Every distinct opening, in order."""
        openings: dict[str, Opening] = {}
        rehearsed: set[str] = set()  # names and digests of the data of which fresh divisions read every row
        for entry in self._events():
            if entry["event"] == "rehearsed":
                rehearsed |= _names(entry)
            elif entry["event"] == "opened" and entry["id"] not in openings:
                earlier = list(openings.values())
                # The same table under another name, or another under the same name: it is better to count too
                # many than too few.
                same = [opening for opening in earlier if {opening.data, opening.table} & _names(entry)]
                seen = {case for opening in same for case in opening.cases}
                cases = set(entry["cases"])
                fields = {
                    name: entry[name]
                    for name in ("id", "test", "study", "fingerprint", "trials", "seeds", "when", "data")
                }
                openings[entry["id"]] = Opening(
                    **fields,
                    table=entry.get("table", ""),
                    configs=tuple(entry["configs"]),
                    cases=tuple(entry["cases"]),
                    ordinal=1 + sum(opening.test == entry["test"] for opening in earlier),
                    seen_before=len(cases if _names(entry) & rehearsed else seen & cases),
                )
        return list(openings.values())

    def find(self, name: str) -> Opening | None:
        """The opening with this id."""
        return next((opening for opening in self.openings() if opening.id == name), None)

    def of_study(self, fingerprint: str) -> Opening | None:
        """The opening a study with this fingerprint made, if it did."""
        return next((opening for opening in self.openings() if opening.fingerprint == fingerprint), None)

    def of_test(self, test: str) -> Opening | None:
        """The first opening of these test rows, by anyone who shares this ledger."""
        return next((opening for opening in self.openings() if opening.test == test), None)

    def total(self, test: str) -> int:
        """How often these test rows were opened, by anyone who shares this ledger."""
        return sum(opening.test == test for opening in self.openings())

    def recorder(
        self, study: str, fingerprint: str, configs: Sequence[str], **facts: object
    ) -> Callable[[str], Opening | None]:
        """The recorder for SealedTest.open: it takes the digest of the test rows and records the opening.

        facts: trials and seeds of the study, data (its name), table (its digest) and cases (the ids of the
        test rows)."""

        def record(test: str) -> Opening | None:
            name = opening_id(test, configs, fingerprint)
            if self.find(name) is None:
                self._append(
                    "opened",
                    {
                        "id": name,
                        "test": test,
                        "study": study,
                        "fingerprint": fingerprint,
                        "configs": list(configs),
                        **facts,
                    },
                )
            return self.find(name)

        return record

    def graded(self, opening: Opening) -> None:
        """Note that the grades of an opening are stored. Once is enough."""
        self._note_once("graded", {"id": opening.id})

    def rehearsed(self, opening: Opening, splits: int) -> None:
        """Note, before it happens, that a study divides the whole table anew, and how often.

        From then on every row has been in a test. A larger number later adds a line, a smaller one none."""
        if splits > max(self.rehearsals(opening), default=0):
            self._append(
                "rehearsed",
                {"id": opening.id, "data": opening.data, "table": opening.table, "splits": splits},
            )

    def rehearsals(self, opening: Opening) -> list[int]:
        """How many fresh divisions a study made, each time it made more."""
        return [
            entry["splits"]
            for entry in self._events()
            if entry["event"] == "rehearsed" and entry["id"] == opening.id
        ]

    def redrawn(self, opening: Opening, by: str) -> None:
        """Note, before it happens, that a command other than a study redraws the whole table of an opening.

        Once is enough."""
        self._note_once(
            "rehearsed", {"id": f"{by}/{opening.id}", "data": opening.data, "table": opening.table}
        )

    def _note_once(self, event: str, entry: dict[str, object]) -> None:
        if not any(noted["event"] == event and noted["id"] == entry["id"] for noted in self._events()):
            self._append(event, entry)

    def _events(self) -> Iterator[dict[str, Any]]:
        for number, line in enumerate(whole_lines(self.path), 1):
            try:
                event = parsed(line)
                event["event"], event["id"]
            except (ValueError, TypeError, KeyError, RecursionError):
                raise Refusal(
                    f"{self.path}, line {number} is no opening; restore the ledger from a backup, or move it"
                    " aside and openings are counted from 1 again.",
                    1,
                ) from None
            yield event

    def _append(self, event: str, entry: dict[str, object]) -> None:
        when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        append_line(self.path, json.dumps({"event": event, "when": when, **entry}))


def _names(entry: dict[str, Any]) -> set[str]:
    """What names the data of an event: its name, and its digest where that was written down."""
    return {entry[name] for name in ("data", "table") if entry.get(name)}


def opening_id(test: str, configs: Sequence[str], fingerprint: str) -> str:
    """16 hex digits of what is opened, for which frozen configurations, by which study."""
    return canonical_hash({"test": test, "configs": sorted(configs), "fingerprint": fingerprint})[:16]


def held_to_the_opening(
    ledger: Ledger, fingerprint: str, settings: Settings, say: Callable[[str], None]
) -> Settings:
    """The settings with the counts of a study whose test is open; call it under the folder's lock.

    Neither trials nor seeds may grow then: that would be choosing with the answer known. A smaller request is
    answered with what the study has. Raises Refusal for a larger one."""
    opening = ledger.of_study(fingerprint)
    if opening is None:
        return settings
    for what, requested, held in [
        ("trials", settings.trials, opening.trials),
        ("confirmation seeds", settings.confirm.seeds, opening.seeds),
    ]:
        if requested > held:
            raise Refusal(
                f"a study with these settings opened its test set on {opening.when} with {held} {what},"
                f" so it cannot grow to {requested}, under any name; another setting (search.study_seed=8,"
                " say) makes another study, and another opening."
            )
        if requested < held:
            say(f"This study has {held} {what} and its test set is open: that is what is shown.")
    settings = settings.sized(opening.trials, opening.seeds)
    divisions = max(ledger.rehearsals(opening), default=0)
    if settings.rehearsal.splits >= divisions:
        return settings
    say(f"This study has been rehearsed on {divisions} fresh divisions: that is what is shown.")
    return settings.changed(rehearsal={"splits": divisions})
