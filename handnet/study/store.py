"""The store: the exact results of a study, each under its key.

A result is a file beside a run of the tracker, and it is there once that run is FINISHED. Exact values are
not read from MLflow's metrics, which hold infinity as 1.8e308, while resuming must be exact to the bit."""

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar
from zipfile import BadZipFile

from handnet.messages import Refusal, command
from handnet.study.logged_model import ServedModel
from handnet.study.mlflow_tables import Entry
from handnet.study.tracker import Tracker
from handnet.study.units import Replicas

REPLICA_FILE = "replica.npz"
T = TypeVar("T")


class Store:
    """What one study has finished.

    `tracker.writing` tells a writer, which makes lost results again, from a reader, which refuses."""

    def __init__(self, tracker: Tracker) -> None:
        self.tracker = tracker

    def __contains__(self, key: str) -> bool:
        """Whether a result is finished."""
        return key in self.tracker.runs

    def labels(self, key: str) -> dict[str, str]:
        """The tags and parameters of a finished result, as text."""
        data = self.tracker.runs[key].data
        return {**data.params, **data.tags}

    def read(self, key: str, name: str, parse: Callable[[bytes], T], what: str) -> T | None:
        """A file of a finished result, parsed. To a writer, None when it is not there or damaged.

        A power cut may leave a file damaged behind a finished mark. Its content is a pure function of its
        key, so the result is deleted and a writer makes it again. A reader cannot: it raises Refusal, which
        says that `what` is missing or damaged."""
        writing = self.tracker.writing
        if key not in self:
            if not writing:
                raise Refusal(f"{what} are not there; {command('study')} makes them again.", 1)
            return None
        try:
            return parse((self.tracker.folder(self.tracker.runs[key]) / name).read_bytes())
        except (OSError, ValueError, KeyError, EOFError, BadZipFile):
            if not writing:
                raise Refusal(f"{what} are damaged; {command('study')} makes them again.", 1) from None
            self.tracker.delete([key])
            return None

    def replicas(self, config_id: str, seeds: Sequence[int]) -> dict[int, Replicas]:
        """By seed, the networks of a configuration that are finished, each exact to the bit."""
        what = f"the results of seed {{}} of configuration {config_id}"
        stored = {
            seed: self.read(f"seed/{config_id}/{seed}", REPLICA_FILE, Replicas.from_npz, what.format(seed))
            for seed in seeds
        }
        return {seed: replica for seed, replica in stored.items() if replica is not None}

    def write(self, entry: Entry, model: ServedModel | None = None) -> None:
        """Write one result, unless it is finished already."""
        self.tracker.write(entry, model)

    def write_together(self, entries: Sequence[Entry]) -> None:
        """Write several results in one transaction. Those that are finished already are left alone."""
        self.tracker.write_together(entries)

    def supersede(self, kind: str, keys: Iterable[str]) -> None:
        """Delete the finished results of a kind whose key is not among `keys`: newer ones say more."""
        kept = set(keys)
        self.tracker.delete(
            [key for key in self.tracker.runs if key.startswith(f"{kind}/") and key not in kept]
        )

    def note(self, name: str, value: str) -> None:
        """Remember a text about the study, unless it is what is remembered already."""
        if self.noted(name) != value:
            self.tracker.note(name, value)

    def noted(self, name: str) -> str | None:
        """The text that `note` remembered, or None."""
        return self.tracker.noted(name)
