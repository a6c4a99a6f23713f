"""The coordinator: the order in which a study happens. Every step may be killed and repeated.

search -> freeze -> confirm on fresh seeds -> open the test -> write the frozen runs -> report
"""

import json
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from handnet.contract import Recipe
from handnet.data import Table
from handnet.report import facts
from handnet.report import pages as render
from handnet.report.cases import Cases
from handnet.study import tracker
from handnet.study.analysis import Analysis, TrialResult, analyse
from handnet.study.identity import (
    Commit,
    Request,
    check_name,
    default_name,
    large_enough,
    make_fingerprint,
    make_problem,
    remarks,
)
from handnet.study.interrupt import Interrupt
from handnet.study.logged_model import served_model
from handnet.study.messages import Refusal
from handnet.study.mlflow_tables import Entry
from handnet.study.publish import Publisher
from handnet.study.reading import load, moved, read
from handnet.study.records import (
    Records,
    is_stored,
    read_confirmed,
    read_resplit,
    read_resplits,
    read_streams,
)
from handnet.study.resplit import Resplits, Resplitter, check_divisions
from handnet.study.results import Store
from handnet.study.screen import Bar, Clock, Screen
from handnet.study.sealed import Ledger, Opening, opening_id
from handnet.study.search import Finished, Search
from handnet.study.search import versions as search_versions
from handnet.study.settings import Settings
from handnet.study.store import locked
from handnet.study.summary import objective
from handnet.study.tracker import Tracker
from handnet.study.units import Confirmed, Replicas, baselines, candidates, concatenate, kernel

READS = 5
TOGETHER = 20  # networks written at one stroke


class Study:
    """One study in one folder. `run` does what is still to be done; `read` only reads."""

    def __init__(self, request: Request, clock: Clock, screen: Screen) -> None:
        check_name(request.name)
        self.request, self.home, self.clock, self.screen = request, request.home, clock, screen
        self.commit: Commit | None = None
        self.analysis: Analysis | None = None
        self.trained: dict[tuple[str, tuple[int, ...]], Replicas] = {}  # read or made by this command
        settings = request.settings
        if request.stored:
            self.name = request.name or settings.data.name
            self.store, self.commit = _committed(self.home, self.name)
            settings = moved(self.commit.settings, request.table)
        self.settings = settings
        self.problem = make_problem(
            settings, load(settings, self.commit.data) if self.commit else request.data
        )
        self.fingerprint = make_fingerprint(settings, self.problem)
        if not request.stored:
            self.name = request.name or default_name(settings, self.fingerprint)
        self.may_open = request.open_test or large_enough(settings)
        self.ledger = Ledger(self.home)
        self.interrupt = Interrupt()
        self.search: Search
        self.server = request.server
        self.publisher: Publisher | None = None

    def run(self) -> dict[str, Any]:
        """Search, confirm, open, write, report; what is done already is not done again. Returns the facts."""
        with locked(self.home), self.interrupt:
            with self.clock("start-up"):
                self.settings = self._held_to_the_opening(self.settings)
                self.records = Records(self.name, self.fingerprint, self.settings, self.problem)
                self.store = Store(Tracker.open(self.home, self.name))
                self.search = Search(self.home, self.name, self.settings, self.fingerprint)
                if self.server:
                    self.publisher = Publisher(self.store, self.server, self.screen, self.interrupt.check)
                    self.publisher.probe()
                self.earlier = json.loads(self.store.noted("seconds") or "{}")
                if self.search.remove_leftovers() + self.store.tracker.remove_leftovers():
                    self.screen.say(
                        "Going on with a study that was interrupted; all it had finished is kept."
                    )
            for note in remarks(self.settings, self.problem):
                self.screen.say(note)
            self._search()
            self._publish(done=False)
            winner = self.search.winner(self.settings.trials)
            if winner is None:
                raise Refusal(
                    f"all {self.settings.trials} configurations diverged on some seed, so there is nothing to"
                    " confirm; lower space.learning_rate.high, or look at the runs with make ui.",
                    1,
                )
            self.commit = self._confirm(self.settings.recipe(**winner.params))
            found = self.report()
            self._publish(done=True)
            self.store.tracker.close()
            self.search.close()
        return found

    def read(self) -> dict[str, Any]:
        """The facts of a confirmed study, computed from the stores; the report is written anew."""
        self.search = Search(self.home, self.name, self.settings, self.fingerprint, create=False)
        found = self.report()
        if Commit.read(self.store) == self.commit:
            return found
        # A writer confirmed anew meanwhile, and our page of before may have replaced the one it wrote.
        return Study(self.request, self.clock, self.screen).read()

    def confirmed(self) -> list[Confirmed]:
        """The frozen configurations and baselines of the last confirmation that was completed."""
        assert self.commit is not None
        return read_confirmed(self.store, self.settings, self.commit.keys, self.commit.opening is not None)

    def opened(self) -> tuple[Opening, Table] | None:
        """The opening and the test rows, if that confirmation opened them. Asking again is no new opening."""
        opening = self.ledger.find(self.commit.opening) if self.commit and self.commit.opening else None
        if opening is None:
            return None
        return opening, self.problem.parts.test.open(lambda test: opening if opening.test == test else None)

    def rehearsals(self) -> Resplits | None:
        """Those of the last confirmation that was completed."""
        assert self.commit is not None
        return read_resplits(self.store, self.commit.rehearsals)

    def report(self) -> dict[str, Any]:
        """Compute the facts from the stores and write the three pages."""
        opening, test = self.opened() or (None, None)
        tried = self._tried(self.search.finished()[: self.settings.trials])
        confirmed = self.confirmed()
        with self.clock("report"):
            rehearsals = self.rehearsals()
            if self.analysis is None:
                self.analysis = self._analysis(confirmed, tried, test, rehearsals)
            seconds = json.loads(self.store.noted("seconds") or "{}")
            found = facts.document(
                facts.Findings(
                    self.name,
                    self.fingerprint,
                    self.settings,
                    self.problem,
                    confirmed,
                    tried,
                    self.analysis,
                    self.search.importances(),
                    opening,
                    self.ledger.rehearsals(opening) if opening else [],
                    test,
                    rehearsals.divisions if rehearsals else (),
                    _versions(),
                    seconds,
                )
            )
            files = render.write(found, self.folder)
        if self.store.tracker.writing:
            assert self.commit is not None
            with self.clock("track"):
                self.store.tracker.attach(
                    self.commit.keys[0], {f"report/{name}": content for name, content in files.items()}
                )
        return found

    def case(self, name: str) -> dict[str, Any]:
        """What is to be said of one case."""
        opened, confirmed = self.opened(), self.confirmed()
        rehearsals = self.rehearsals()
        divisions = rehearsals.divisions if rehearsals else ()
        return Cases(self.problem, confirmed, opened[1] if opened else None, divisions).watched(name)

    @property
    def is_default(self) -> bool:
        """Whether this study has the name it would have without NAME=."""
        return self.name == default_name(read({}), self.fingerprint)

    @property
    def folder(self) -> Path:
        """Where the report lies."""
        return self.home / "reports" / self.name

    def _publish(self, done: bool) -> None:
        """Send what is finished to the server, if there is one: after the search, and at the end."""
        if self.publisher:
            with self.clock("publish"):
                self.publisher.publish(done)

    def _search(self) -> None:
        finished = self.search.finished()
        best = min((one.value for one in finished), default=np.inf)
        with self.screen.progress("search", self.settings.trials, len(finished)) as bar:
            for place in range(len(finished), self.settings.trials):
                self.interrupt.check()
                with self.clock("search"):
                    trial, recipe = self.search.ask()
                label = f"trial {place + 1:02d}"
                replicas = self._replicas(recipe, self.settings.search_seeds, label)
                value = objective(replicas, self.problem.parts.val.y)
                with self.clock("track"):
                    self.store.write(self.records.search(replicas, recipe, label))
                with self.clock("search"):
                    lost = int((~replicas.sound).sum())
                    self.search.tell(trial, value, config_id=self.problem.config_id(recipe), diverged=lost)
                best = min(best, value)
                bar.advance(1, f"best mean val log loss {best:.4f} over {self.settings.search.seeds} seeds")

    def _confirm(self, winner: Recipe) -> Commit:
        """Train the frozen configurations on fresh seeds, open the test if that is allowed, rehearse, write
        their runs."""
        frozen = candidates(winner, self.settings)
        with self.screen.progress("confirm", len(frozen) * self.settings.confirm.seeds, 0) as bar:
            trained = [
                self._replicas(one.recipe, self.settings.confirm_seeds, one.role, bar) for one in frozen
            ]
        if self.may_open:
            check_divisions(self.settings, self.problem.data)
        opening, test = self._open([self.problem.config_id(one.recipe) for one in frozen]) or (None, None)
        keys = (
            self._rehearse(Resplitter(self.settings, self.problem, frozen, opening), test)
            if opening and test
            else ()
        )
        rivals = baselines(self.problem.parts.train)
        graded = [
            self.records.graded(one.role, one.recipe, replicas, test)
            for one, replicas in zip(frozen, trained, strict=True)
        ]
        graded += [self.records.graded_baseline(rival, test) for rival in rivals]
        tried = self._tried(self.search.finished()[: self.settings.trials])
        with self.clock("report"):
            self.analysis = self._analysis(graded, tried, test, read_resplits(self.store, keys))
        with self.clock("track"):
            commit = self._written(
                graded, {rival.role: repr(rival.model) for rival in rivals}, opening, test, keys
            )
        if opening:
            self.ledger.graded(opening)
        return commit

    def _analysis(
        self,
        confirmed: Sequence[Confirmed],
        tried: Sequence[TrialResult],
        test: Table | None,
        rehearsals: Resplits | None,
    ) -> Analysis:
        with self.screen.progress("analyse", len(confirmed), 0, tell_end=False) as bar:
            return analyse(
                self.settings,
                self.problem,
                confirmed,
                tried,
                test,
                rehearsals,
                lambda role: bar.advance(1, role),
            )

    def _written(
        self,
        graded: Sequence[Confirmed],
        methods: Mapping[str, str],
        opening: Opening | None,
        test: Table | None,
        rehearsals: tuple[str, ...],
    ) -> Commit:
        """Write the runs of the graded configurations, those that are not there, and then the commit that
        names them."""
        assert self.analysis is not None
        keys = [
            self.records.confirmed_key(opening.id if opening else None, one, rehearsals) for one in graded
        ]
        for key, one in zip(keys, graded, strict=True):
            if is_stored(self.store, key, one):
                continue
            if one.replicas is None:
                self.store.write(self.records.baseline(key, one, methods[one.role], self.analysis))
            else:
                served = one.role == "winner" and one.replicas.sound.any()
                model = served_model(self.problem, one.replicas) if served else None
                self.store.write(self.records.confirmed(key, one, self.analysis, test), model)
        commit = Commit(
            self.settings, tuple(keys), opening.id if opening else None, rehearsals, self.problem.data.digest
        )
        commit.write(self.store)
        self.store.supersede("confirm", keys)
        for kind in ("split", "ideal", "streams"):
            self.store.supersede(kind, rehearsals)
        return commit

    def _rehearse(self, resplitter: Resplitter, test: Table) -> tuple[str, ...]:
        """Make the rehearsals that are not stored yet. Returns the keys of all."""
        held = max(self.ledger.rehearsals(resplitter.opening), default=0)
        if 0 < self.settings.rehearsal.splits < held:
            self.screen.say(
                f"This study has been rehearsed on {held} fresh divisions: that is what is shown."
            )
            self.settings = self.settings.changed(rehearsal={"splits": held})
        splits = self.settings.split_seeds
        if not splits:
            return ()
        self.ledger.rehearsed(resplitter.opening, len(splits))
        # What was searched anew once stays in the report, however the divisions grow.
        anew = self.settings.rehearsal.ideal or any(
            resplitter.anew_key(seed) in self.store for seed in splits
        )
        keys = [resplitter.streams_key(), *(resplitter.split_key(seed) for seed in splits)]
        keys += [resplitter.anew_key(seed) for seed in splits] if anew else []
        with self.screen.progress("rehearse", len(keys), 0) as bar:
            if read_streams(self.store, keys[0]) is None:
                with self.clock("rehearse"):
                    logits = resplitter.streams(test)
                self._write(self.records.streams(keys[0], logits))
            bar.advance(1, "the winner's streams")
            self._made(
                [(resplitter.split_key(seed), seed) for seed in splits],
                lambda seed: (resplitter.frozen_on(seed),),
                bar,
                "split {}",
            )
            if anew:
                self._made(
                    [(resplitter.anew_key(seed), seed) for seed in splits],
                    lambda seed: resplitter.anew_on(seed, self.interrupt.check),
                    bar,
                    "split {}, searched anew",
                )
        return tuple(keys)

    def _made(
        self, wanted: Sequence[tuple[str, int]], make: Callable[[int], tuple[Any, ...]], bar: Bar, label: str
    ) -> None:
        """The rehearsals with these keys and split seeds: what is not stored is made, several at a time, and
        written in order."""
        missing = [(key, seed) for key, seed in wanted if read_resplit(self.store, key) is None]
        bar.advance(len(wanted) - len(missing), "stored")
        fresh = self.problem.each([partial(make, seed) for _, seed in missing])
        for key, seed in missing:
            with self.clock("rehearse"):
                found = next(fresh)
            self._write(self.records.rehearsal(key, *found))
            bar.advance(1, label.format(seed))

    def _write(self, entry: Entry) -> None:
        """One run, at a safe place to stop."""
        self.interrupt.check()
        with self.clock("track"):
            self.store.write(entry)
            self.store.note("seconds", json.dumps(self._seconds()))

    def _open(self, configs: Sequence[str]) -> tuple[Opening, Table] | None:
        """The opening of these frozen configurations: the one on record, or a new one if that is allowed."""
        test = self.problem.parts.test
        opening = self.ledger.find(opening_id(test.digest, configs, self.fingerprint))
        if opening is None and not self.may_open:
            return None
        record = self.ledger.recorder(
            self.name,
            self.fingerprint,
            configs,
            trials=self.settings.trials,
            seeds=self.settings.confirm.seeds,
            data=self.problem.data.name,
            table=self.problem.data.digest,
            cases=[str(case) for case in test.case_ids],
        )
        rows = test.open(record)
        opening = self.ledger.find(opening_id(test.digest, configs, self.fingerprint))
        assert opening is not None
        return opening, rows

    def _replicas(self, recipe: Recipe, seeds: Sequence[int], label: str, bar: Bar | None = None) -> Replicas:
        """The results of a recipe on these seeds: what is stored is read, what is missing is trained in one
        stack. The bar, if any, counts seeds."""
        known = self.trained.get((self.problem.config_id(recipe), tuple(seeds)))
        if known:
            return known
        with self.clock("track"):
            done = self.store.replicas(self.problem.config_id(recipe), seeds)
        missing = [seed for seed in seeds if seed not in done]
        if bar:
            bar.advance(len(done), label)
        for stack in self.problem.stacks(seeds, missing):
            with self.clock("train"):
                fresh = self.problem.fit(recipe, stack)
            with self.clock("track"):
                new = [seed for seed in stack if seed not in done]
                for some in (new[start : start + TOGETHER] for start in range(0, len(new), TOGETHER)):
                    self.interrupt.check()
                    done |= {seed: fresh.one(stack.index(seed)) for seed in some}
                    self.store.write_together([self.records.seed(done[seed], recipe, label) for seed in some])
                    if bar:
                        bar.advance(len(some), f"{label} on fresh seeds")
                self.store.note("seconds", json.dumps(self._seconds()))
        whole = concatenate(list(done.values()))
        self.trained[self.problem.config_id(recipe), tuple(seeds)] = whole
        return whole

    def _tried(self, trials: list[Finished]) -> list[TrialResult]:
        """Each trial with the exact results its value came from; a writer makes damaged ones again, a reader
        refuses."""
        seeds, found = self.settings.search_seeds, []
        for trial in trials:
            if self.store.tracker.writing:
                replicas = self._replicas(
                    self.settings.recipe(**trial.params), seeds, f"trial {trial.place + 1:02d}"
                )
            else:
                replicas = concatenate(list(self.store.replicas(trial.config_id, seeds).values()))
            found.append(TrialResult(trial, replicas))
        return found

    def _held_to_the_opening(self, settings: Settings) -> Settings:
        """After the opening neither trials nor seeds may grow: that would be choosing with the answer known.
        A smaller request is answered with what the study has. Call it under the lock."""
        opening = self.ledger.of_study(self.fingerprint)
        if opening is None:
            return settings
        for what, asked, held in [
            ("trials", settings.trials, opening.trials),
            ("confirmation seeds", settings.confirm.seeds, opening.seeds),
        ]:
            if asked > held:
                raise Refusal(
                    f"a study with these settings opened its test set on {opening.when} with {held} {what},"
                    f" so it cannot grow to {asked}, under any name; another setting (search.study_seed=8,"
                    " say) makes another study, and another opening."
                )
            if asked < held:
                self.screen.say(
                    f"This study has {held} {what} and its test set is open: that is what is shown."
                )
        return settings.sized(opening.trials, opening.seeds)

    def _seconds(self) -> dict[str, float]:
        """Seconds by activity, over all commands that worked on this study until now."""
        both = {**self.earlier, **self.clock.seconds}
        return {
            name: round(self.earlier.get(name, 0.0) + self.clock.seconds.get(name, 0.0), 1) for name in both
        }


def _committed(home: Path, name: str) -> tuple[Store, Commit]:
    """The stores of a study and its last complete confirmation. A writer may be replacing it: then it is read
    again."""
    if not (home / "mlflow.db").exists() or not (home / "optuna.db").exists():
        raise Refusal(f"there is no study in {home} yet; make study makes one.")
    for _ in range(READS):
        store = Store(Tracker.open(home, name, create=False))
        commit = Commit.read(store)
        if set(commit.keys) | set(commit.rehearsals) <= set(store.tracker.runs):
            return store, commit
        time.sleep(0.2)
    raise Refusal(
        f"the results of {name!r} are being written anew; try again, or let make study finish them.", 75
    )


def _versions() -> dict[str, str]:
    return {
        "python": platform.python_version(),
        **search_versions(),
        "mlflow": tracker.VERSION,
        "blas": kernel(),
    }
