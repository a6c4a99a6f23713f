"""The coordinator: the order in which a study happens. Every step may be killed and repeated.

search -> freeze -> confirm on fresh seeds -> open the test -> write the frozen runs -> report
"""

import dataclasses
import json
import platform
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from experiments import tracking as mlflow_side
from experiments.confirm import baselines, candidates
from experiments.records import Records, read_confirmed
from experiments.report import facts, render
from experiments.screen import Bar, Clock, Screen
from experiments.sealed import Ledger, Opening
from experiments.search import Search
from experiments.search import versions as search_versions
from experiments.settings import Refusal, Settings, canonical_hash, from_stored, read, to_stored
from experiments.stores import locked
from experiments.summary import objective
from experiments.tracking import Tracking
from experiments.workers import Bench, Replicas, bench, kernel, together
from handnet.data import DATASETS, Table
from handnet.recipe import Recipe
from handnet.splits import split

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,59}")


@dataclass(frozen=True)
class Request:
    """What was asked for on the command line. stored: read the settings of the study of that name instead."""

    settings: Settings
    home: Path
    name: str | None = None
    open_test: bool = False
    stored: bool = False


class Study:
    """One study in one folder. `run` does what is still to be done; `read` only reads."""

    def __init__(self, request: Request, clock: Clock, screen: Screen) -> None:
        if request.name is not None and not NAME.fullmatch(request.name):
            raise Refusal(f"NAME must be up to 60 letters, digits, '.', '_' or '-', but is {request.name!r}.")
        self.home, self.clock, self.screen = request.home, clock, screen
        settings = _stored(request) if request.stored else request.settings
        self.bench = _bench(settings)
        self.fingerprint = _fingerprint(settings, self.bench)
        self.name = request.name or _default_name(settings, self.fingerprint)
        self.ledger = Ledger(self.home)
        self.settings = self._held_to_the_opening(settings)
        self.may_open = request.open_test or _large_enough(self.settings)
        self.records = Records(self.name, self.fingerprint, self.settings, self.bench)
        self.worked = False
        self.tracking: Tracking
        self.search: Search

    def run(self) -> dict[str, Any]:
        """Search, confirm, open, write, report; what is done already is not done again. Returns the facts."""
        with locked(self.home):
            with self.clock("start-up"):
                self._connect(create=True)
                self.tracking.note("settings", to_stored(self.settings))
                if self.search.remove_leftovers() + self.tracking.remove_leftovers():
                    self.screen.say("Going on with a study that was interrupted; all it had finished is kept.")
            self._search()
            winner = self.search.winner(self.settings.trials)
            if winner is None:
                raise Refusal(f"all {self.settings.trials} configurations diverged on some seed, so there is nothing to "
                              "confirm; lower space.learning_rate.high, or look at the runs with make ui.", 1)  # fmt: skip
            self._confirm(self.settings.recipe(**winner.params))
            found = self.report()
            self.tracking.close()
            self.search.close()
        return found

    def read(self) -> dict[str, Any]:
        """The facts of a confirmed study, computed from the stores; the report is written anew."""
        self.connect_to_read()
        return self.report()

    def connect_to_read(self) -> None:
        """Connect to stores that must be there. Raises Refusal when this study is not."""
        _must_exist(self.home)
        self._connect(create=False)

    def confirmed(self) -> list[facts.Confirmed]:
        """The frozen configurations, from the store. Raises Refusal before there are any."""
        found = read_confirmed(self.tracking, self.settings)
        if not found:
            raise Refusal(f"the study {self.name!r} has not confirmed its winner yet; make study goes on with it.")
        return found

    def opened(self) -> tuple[Opening, Table] | None:
        """The opening and the test rows, if this study has opened them. Asking again is no new opening."""
        opening = self.ledger.of_study(self.fingerprint)
        if opening is None:
            return None
        record = self.ledger.recorder(opening.study, self.fingerprint, opening.configs, opening.trials, opening.seeds)
        return opening, self.bench.parts.test.open(record)

    def report(self) -> dict[str, Any]:
        """Compute the facts from the stores and write the three pages."""
        with self.clock("report"):
            confirmed = self.confirmed()
            opened = self.opened() if all(one.test_logits is not None for one in confirmed) else None
            opening, test = opened if opened else (None, None)
            trials = self.search.finished()[: self.settings.trials]
            found = facts.document(self.name, self.fingerprint, self.settings, self.bench, confirmed, trials,
                                   opening, test, _versions(), self._seconds_so_far())  # fmt: skip
            render.write(found, self.folder)
        return found

    @property
    def is_default(self) -> bool:
        """Whether this study has the name it would have without NAME=."""
        return self.name == _default_name(read({}), self.fingerprint)

    @property
    def folder(self) -> Path:
        """Where the report lies."""
        return self.home / "reports" / self.name

    def _connect(self, create: bool) -> None:
        self.tracking = Tracking(self.home, self.name, create)
        self.search = Search(self.home, self.name, self.settings, self.fingerprint)

    def _search(self) -> None:
        finished = self.search.finished()
        best = min((one.value for one in finished), default=np.inf)
        with self.screen.progress("search", self.settings.trials, len(finished)) as bar:
            for place in range(len(finished), self.settings.trials):
                with self.clock("search"):
                    trial, recipe = self.search.ask()
                label = f"trial {place + 1:02d}"
                replicas = self._replicas(recipe, self.settings.search_seeds, label)
                value = objective(replicas, self.bench.parts.val.y)
                with self.clock("track"):
                    self.tracking.write(self.records.search(replicas, recipe, label, value))
                with self.clock("search"):
                    lost = int((replicas.fit.diverged_at >= 0).sum())
                    self.search.tell(trial, value, config_id=self.bench.config_id(recipe), diverged=lost)
                best = min(best, value)
                bar.advance(1, f"best mean val log loss {best:.4f} over {self.settings.search.seeds} seeds")

    def _confirm(self, winner: Recipe) -> None:
        """Train the frozen configurations on fresh seeds, open the test if that is allowed, write their runs."""
        frozen = candidates(winner, self.settings)
        with self.screen.progress("confirm", len(frozen) * self.settings.confirm.seeds, 0) as bar:
            trained = [self._replicas(one.recipe, self.settings.confirm_seeds, one.role, bar) for one in frozen]
        opened = self._open([self.bench.config_id(one.recipe) for one in frozen])
        seal, test = (opened[0].id, opened[1]) if opened else ("sealed", None)
        with self.clock("track"):
            keys = []
            for one, replicas in zip(frozen, trained, strict=True):
                key = self.records.confirmed_key(seal, one.role, self.bench.config_id(one.recipe), len(replicas.seeds))
                if key not in self.tracking.runs:
                    entry = self.records.confirmed(seal, one.role, one.recipe, replicas, test)
                    self.tracking.write(entry, self.records.model(replicas) if one.role == "winner" else None)
                keys.append(key)
            for rival in baselines(self.bench.parts.train):
                entry = self.records.baseline(seal, rival, test)
                self.tracking.write(entry)
                keys.append(entry.key)
            self.tracking.supersede("confirm", keys)
        if opened:
            self.ledger.graded(opened[0])
        if self.worked:
            self.tracking.note("seconds", json.dumps(self._seconds_so_far(self.clock.seconds)))

    def _open(self, configs: Sequence[str]) -> tuple[Opening, Table] | None:
        if not self.may_open:
            return self.opened()
        record = self.ledger.recorder(
            self.name, self.fingerprint, configs, self.settings.trials, self.settings.confirm.seeds
        )
        test = self.bench.parts.test.open(record)
        return record(self.bench.parts.test.digest), test

    def _replicas(self, recipe: Recipe, seeds: Sequence[int], label: str, bar: Bar | None = None) -> Replicas:
        """The results of a recipe on these seeds: what is stored is read, what is missing is trained in one stack.
        The bar, if any, counts seeds."""
        with self.clock("track"):
            done = self.tracking.replicas(self.bench.config_id(recipe), seeds)
        missing = [seed for seed in seeds if seed not in done]
        if bar:
            bar.advance(len(done), label)
        if missing:
            self.worked = True
            with self.clock("train"):
                fresh = self.bench.fit(recipe, missing)
            with self.clock("track"):
                for index, seed in enumerate(missing):
                    done[seed] = fresh.one(index)
                    self.tracking.write(self.records.seed(done[seed], recipe, label))
                    if bar:
                        bar.advance(1, f"{label} on fresh seeds")
        return together(list(done.values()))

    def _held_to_the_opening(self, settings: Settings) -> Settings:
        """After the opening neither trials nor seeds may grow: that would be choosing with the answer known.
        A smaller request is answered with what the study has."""
        opening = self.ledger.of_study(self.fingerprint)
        if opening is None:
            return settings
        for what, asked, held in [("trials", settings.trials, opening.trials),
                                  ("confirmation seeds", settings.confirm.seeds, opening.seeds)]:  # fmt: skip
            if asked > held:
                raise Refusal(f"this study opened its test set on {opening.when} with {held} {what}, so it cannot grow to "
                              f"{asked} any more; other settings make another study.")  # fmt: skip
        trials = dataclasses.replace(settings.search.trials, **{settings.search.design: opening.trials})
        return dataclasses.replace(
            settings,
            search=dataclasses.replace(settings.search, trials=trials),
            confirm=dataclasses.replace(settings.confirm, seeds=opening.seeds),
        )

    def _seconds_so_far(self, more: dict[str, float] | None = None) -> dict[str, float]:
        """Seconds by activity, over all commands that worked on this study to its end."""
        seconds: dict[str, float] = json.loads(self.tracking.noted("seconds") or "{}")
        for activity, spent in (more or {}).items():
            seconds[activity] = round(seconds.get(activity, 0.0) + spent, 1)
        return seconds


def _must_exist(home: Path) -> None:
    if not (home / "mlflow.db").exists() or not (home / "optuna.db").exists():
        raise Refusal(f"there is no study in {home} yet; make study makes one.")


def _stored(request: Request) -> Settings:
    """The settings the named study was made with; without a name, those of the command line."""
    _must_exist(request.home)
    if request.name is None:
        return request.settings
    return from_stored(Tracking(request.home, request.name, create=False).noted("settings") or "{}")


def _bench(settings: Settings) -> Bench:
    data = DATASETS[settings.data.name]()
    try:
        return bench(settings, data, split(data, **vars(settings.split)))
    except ValueError as fault:
        raise Refusal(str(fault)) from None


def _fingerprint(settings: Settings, bench: Bench) -> str:
    return canonical_hash(
        {"settings": settings.identity(), "bench": bench.identity, "versions": dict(search_versions())}
    )


def _default_name(settings: Settings, fingerprint: str) -> str:
    """The data's name for the default settings; other settings carry their fingerprint and never mix with them."""
    default = settings.identity() == read({}).identity()
    return settings.data.name if default else f"{settings.data.name}-{fingerprint[:8]}"


def _large_enough(settings: Settings) -> bool:
    """Whether a study is as large as the default one: only then is its test opened without being asked for."""
    default = read({"search.design": settings.search.design})
    return (
        settings.trials >= default.trials
        and settings.search.seeds >= default.search.seeds
        and settings.confirm.seeds >= default.confirm.seeds
    )


def _versions() -> dict[str, str]:
    return {"python": platform.python_version(), **search_versions(), "mlflow": mlflow_side.VERSION, "blas": kernel()}
