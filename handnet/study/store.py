"""The store: the exact results of one study, as files below studies/<name>.

A result is there once its file has been renamed into place: that is the commit, and to go on nothing else is
read. Its content is a pure function of its key, so a file that a power cut damaged is removed and made again.
Trials, the record of the last confirmation and the ledger of openings are forced to the disk."""

import json
import math
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

from handnet.messages import Refusal, command, option
from handnet.study.files import append_line, check_file, kind_of, parsed, read_file, whole_lines, write_whole
from handnet.study.folder import check_layout
from handnet.study.networks import Replicas
from handnet.study.settings import MLP
from handnet.study.space import stored

STUDIES = "studies"
UNLIKE = (
    ValueError,
    TypeError,
    KeyError,
    AttributeError,
    RecursionError,
)  # what reading raises of a record of something else
T = TypeVar("T")


@dataclass(frozen=True)
class Finished:
    """A completed trial.

    place: in the order of completion, from 0; params: its point; value: infinite when it diverged;
    diverged: how many of its seeds did; suggested: name -> {"value", "distribution"} of a space that is a
    function, the distribution as Optuna writes it."""

    place: int
    params: dict[str, Any]
    value: float
    config_id: str
    diverged: int
    suggested: dict[str, Any] | None = None

    def to_json(self) -> str:
        """As one line; a float is written so that it is read back exactly."""
        fields = asdict(self) | {"value": self.value if math.isfinite(self.value) else None}
        return json.dumps({key: one for key, one in fields.items() if one is not None or key == "value"})

    @staticmethod
    def from_json(line: str) -> "Finished":
        """What `to_json` wrote. Raises ValueError or TypeError when it is something else."""
        fields = parsed(line)
        fields["params"] = {name: stored(value) for name, value in fields["params"].items()}
        return Finished(**{**fields, "value": math.inf if fields["value"] is None else fields["value"]})


class Store:
    """What one study has finished.

    A key is a path below the study's folder: network/<config_id>/<first>-<last>, split/<content>/<seed>,
    ideal/<content>/<seed>, streams/<content>, val/<config_id>, test/<opening>/<config_id>, reasons/<content>.

    writing: tells the only writer, which makes lost results again, from a reader, which refuses."""

    def __init__(self, home: Path, name: str, writing: bool = False) -> None:
        check_layout(home)
        self.name, self.writing = name, writing
        self.folder = home / STUDIES / name

    def begin(self, fingerprint: str, machine: str, models: Iterable[str], **made_with: Any) -> bool:
        """Make this the store of the study with this fingerprint, on which this machine works from now on.

        models: their names; made_with: what else is remembered of it, the probe of its arithmetic among it.
        Returns whether an earlier writer was interrupted. Raises Refusal when it is another study's, or when
        its records are damaged."""
        if self.noted("study") is None:
            made = {"name": self.name, "fingerprint": fingerprint, "machines": [machine], **made_with}
            self.note("study", made)
        self.check(fingerprint, made_with.get("probe"))
        for model in models:
            self.trials(model)
        check_file(self._running)
        machines = [*self.machines, *([] if machine in self.machines else [machine])]
        self.note("study", {**self.begun, "machines": machines, **made_with})
        for leftover in (path for path in self.folder.rglob(".*.new") if path.is_file()):
            leftover.unlink()
        interrupted = self._running.exists()
        self._running.touch()
        return interrupted

    @property
    def begun(self) -> dict[str, Any]:
        """What is remembered of the study since it began. Raises Refusal (1) when that is damaged."""
        study = self.noted("study")
        if not isinstance(study, dict) or not isinstance(study.get("fingerprint"), str):
            raise self.damaged("study.json is not what was written there")
        return study

    def check(self, fingerprint: str, probe: str | None) -> None:
        """Raises Refusal unless this is the store of the study with this fingerprint and probe."""
        stored, of_study = self.begun["fingerprint"], self.begun.get("probe")
        if probe != of_study:
            raise Refusal(
                f"the study {self.name!r} was begun on a processor of other arithmetic (probe"
                f" {str(of_study)[:8]}, here {str(probe)[:8]}), so its networks would differ here in the last"
                f" bits; go on with it there, or give this one a name of its own with {option('name', '')}."
            )
        if stored != fingerprint:
            raise Refusal(
                f"the study {self.name!r} was made with other settings, data or versions (fingerprint"
                f" {stored[:8]}, now {fingerprint[:8]}); give this one a name of its own with"
                f" {option('name', '')}."
            )

    @property
    def machines(self) -> list[str]:
        """The machines that worked on the study, in the order in which they began."""
        return list(self.begun.get("machines", ()))

    def end(self) -> None:
        """Note that the writer has done all it was asked to do."""
        self._running.unlink(missing_ok=True)

    @property
    def _running(self) -> Path:
        return self.folder / ".running"

    def __contains__(self, key: str) -> bool:
        """Whether a result is finished."""
        return self._path(key).exists()

    def read(self, key: str, parse: Callable[[bytes], T], what: str) -> T | None:
        """A finished result, parsed. To a writer, None when it is not there or damaged.

        A damaged file is removed, and a writer makes it again. A reader cannot: it raises Refusal, which says
        that `what` is missing or damaged. So does a writer where something else than a file stands. Raises
        PermissionError where it may not be read, which says nothing of what it holds."""
        path = self._path(key)
        try:
            return parse(read_file(path))
        except PermissionError:
            raise
        except (OSError, ValueError, KeyError) as fault:
            state = "not there" if isinstance(fault, FileNotFoundError) else "damaged"
            if not self.writing:
                raise Refusal(f"{what} are {state}; {command('study')} makes them again.", 1) from None
            path.unlink(missing_ok=True)
            return None

    def write(self, key: str, content: bytes) -> None:
        """Write one result, unless it is finished already."""
        if key not in self:
            write_whole(self._path(key), content, forced=False)

    def replicas(self, config_id: str, blocks: Iterable[Sequence[int]]) -> list[Replicas]:
        """The networks of a configuration by block of seeds, exact to the bit; those that are finished."""
        read = (self.read(network_key(config_id, block), *_replicas(config_id, block)) for block in blocks)
        return [replicas for replicas in read if replicas is not None]

    def supersede(self, kind: str, keys: Iterable[str]) -> None:
        """Remove the finished results of a kind whose key is not among `keys`: newer ones say more."""
        kept = {self._path(key) for key in keys}
        for path in [path for path in (self.folder / kind).rglob("*.npz") if path not in kept]:
            path.unlink()
            with suppress(OSError):  # not empty
                path.parent.rmdir()

    def tell(self, trial: Finished, model: str) -> None:
        """Add a completed trial of a model. The results it came from must be stored already."""
        append_line(self.folder / trials_of(model), trial.to_json())

    def trials(self, model: str) -> list[Finished]:
        """Completed trials of a model, in order. Raises Refusal (1) when the file holds something else."""
        trials: list[Finished] = []
        for number, line in enumerate(whole_lines(self.folder / trials_of(model)), 1):
            with suppress(*UNLIKE):
                trials.append(Finished.from_json(line))
            if len(trials) < number or trials[-1].place != number - 1:
                raise self.damaged(f"{trials_of(model)}, line {number} is not trial {number}")
        return trials

    def note(self, name: str, value: Any) -> bool:
        """Remember something about the study, unless it is what is remembered already. Returns whether it was
        not."""
        try:
            known = self.noted(name) == value
        except Refusal:  # damaged, so it is written anew
            known = False
        if not known:
            write_whole(self.folder / f"{name}.json", json.dumps(value, indent=1).encode() + b"\n")
        return not known

    def noted(self, name: str) -> Any:
        """What `note` remembered, or None. Raises Refusal (1) when the file holds something else."""
        path = self.folder / f"{name}.json"
        try:
            return parsed(read_file(path))
        except FileNotFoundError:
            return None
        except UNLIKE:
            raise self.damaged(f"{path.name} is not what was written there") from None

    def seconds(self) -> dict[str, float]:
        """By activity, over all commands that worked on the study.

        No result depends on them, so they count from 0 again when they are lost."""
        with suppress(Refusal, TypeError):
            return dict(self.noted("seconds") or {})
        return {}

    def damaged(self, what: str) -> Refusal:
        """The refusal to use a record that somebody or something changed."""
        return Refusal(
            f"{self.folder}/{what}; restore the study from a backup, or move its folder aside and start"
            " again.",
            1,
        )

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.npz"


def trials_of(model: str) -> str:
    """The file of a model's trials."""
    return "trials.jsonl" if model == MLP else f"trials-{model}.jsonl"


def network_key(config_id: str, block: Sequence[int]) -> str:
    """The key of a configuration's networks of one block of seeds."""
    return f"network/{config_id}/{block[0]}-{block[-1]}"


def _replicas(config_id: str, block: Sequence[int]) -> tuple[Callable[[bytes], Replicas], str]:
    """How the networks of a block are parsed, and what they are called."""

    def parse(content: bytes) -> Replicas:
        replicas = Replicas.from_npz(content)
        if list(replicas.seeds) != list(block):
            raise ValueError("the networks of other seeds")
        return replicas

    return parse, f"the results of seeds {block[0]} to {block[-1]} of configuration {config_id}"


def studies(home: Path) -> list[str]:
    """The names of the studies in a folder, the newest first."""
    begun = [path / "study.json" for path in (home / STUDIES).glob("*") if kind_of(path / "study.json")]
    return [path.parent.name for path in sorted(begun, key=lambda path: path.lstat().st_mtime, reverse=True)]


def check_study(home: Path, name: str, choose: str = "") -> None:
    """Raises Refusal when there is no study of this name in the folder, which says what there is, or when the
    layout is an older one. choose: how another one is chosen; with an option, unless given."""
    check_layout(home)
    names = studies(home)
    if name in names:
        return
    if not names:
        raise Refusal(f"there is no study in {home} yet; {command('study')} makes one.")
    choose = choose or f"choose with {option('name', names[0] if len(names) == 1 else '')}"
    raise Refusal(f"there is no study {name!r} in {home} (there are: {', '.join(names)}); {choose}.")
