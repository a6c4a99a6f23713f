"""The content of each run: what a person sees of a configuration, a network or a fresh division.

Nothing here writes to a store or a tracker."""

import json
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from handnet.data import Array, Table, canonical_hash
from handnet.judge import Judge
from handnet.report.cases import judge_cases, part_table
from handnet.report.drawing import alone
from handnet.report.figures import curve_loss, loss_curves
from handnet.report.words import short
from handnet.scores import gap, returned
from handnet.study.analysis import Analysis
from handnet.study.configuration import Candidate, Configuration
from handnet.study.division import Resplit
from handnet.study.gaps import CURVES, curve_band, curves, gap_quantities, test_gap
from handnet.study.metrics import band_rows, main_metrics, network_metrics, resplit_metrics, resplit_rows
from handnet.study.networks import Replicas, mask_diverged
from handnet.study.quantity import Quantity
from handnet.study.rivals import Rival
from handnet.study.score_bands import score_quantities
from handnet.study.settings import Settings
from handnet.study.spreadsheet import csv_of
from handnet.study.summary import middle_seed
from handnet.study.tracker import Entry
from handnet.study.units import Confirmed, Problem, with_unit

LONGEST = 400  # characters of a tag that says why seeds were lost
SHOWN_CURVES = {"val_loss": ("mean", "q025", "q975"), "train_loss_off": ("mean",)}  # of a configuration


@dataclass(frozen=True)
class Records:
    """What one study is, and the content of its runs."""

    name: str
    fingerprint: str
    settings: Settings
    problem: Problem

    def graded(self, candidate: Candidate, replicas: Replicas, test_logits: Array | None) -> Confirmed:
        """A frozen configuration on its confirmation seeds, with its logits on the test once that is open."""
        configuration = candidate.configuration
        config_id, val = self.problem.config_id(configuration), replicas.val_logits
        return Confirmed(candidate.role, config_id, configuration, replicas, val, test_logits)

    def graded_rival(self, rival: Rival, test: Table | None) -> Confirmed:
        """A method without seeds."""
        method = [rival.role, rival.tuned, rival.chosen]
        config_id = canonical_hash({"method": method, **self.problem.identity})[:16]
        val, after = rival.outputs(self.problem.parts.val.X), rival.outputs(test.X) if test else None
        return Confirmed(rival.role, config_id, None, None, val, after, rival.tuned, rival.chosen)

    def search(self, key: str, name: str, replicas: Replicas, configuration: Configuration) -> Entry:
        """A configuration of the search: validation rows only, because the test is sealed."""
        logits = mask_diverged(replicas, replicas.val_logits)
        bands = score_quantities(self.problem.task, logits, self.problem.parts.val.y, "val")
        bands += gap_quantities(replicas)
        config_id = self.problem.config_id(configuration)
        trial = Confirmed("search", config_id, configuration, replicas, replicas.val_logits, None)
        return self._configuration(key, name, trial, bands, None)

    def confirmed(
        self, key: str, name: str, result: Confirmed, analysis: Analysis, test: Table | None
    ) -> Entry:
        """A frozen configuration, or a method without seeds, with all of its bands."""
        return self._configuration(key, name, result, analysis.quantities[result.role], test)

    def winner(
        self,
        key: str,
        name: str,
        result: Confirmed,
        analysis: Analysis,
        test: Table | None,
        report: Mapping[str, bytes],
    ) -> Entry:
        """The winner: besides its bands the cases it calls wrong, the report, and its networks as a model."""
        from handnet.study.logged_model import served_model

        entry = self.confirmed(key, name, result, analysis, test)
        assert result.replicas is not None
        kept = result.replicas.fit.layers and result.replicas.sound.any()
        model = served_model(self.problem, result.replicas) if kept else None
        files = {**entry.files, **self._missed(result, test), **report}
        if self.settings.backend.name == "keras" and kept:
            files |= self._keras_file(result)
        return Entry(**{**vars(entry), "files": files, "model": model})

    def seed(self, key: str, name: str, result: Confirmed, place: int) -> Entry:
        """One network, that at a place: its scores, its gaps, its curves."""
        assert result.replicas is not None
        network = result.replicas.one(place)
        drawn = SHOWN_CURVES if network.fit.layers else ()
        shapes = {f"loss/{curve}": curves(network)[curve][0] for curve in drawn}
        return Entry(
            key=key,
            name=name,
            tags={
                "config_id": result.config_id,
                "role": result.role,
                "seed": str(network.seeds[0]),
                "diverged": str(not network.sound[0]),
            },
            metrics=network_metrics(network, self.problem),
            curves={curve: values for curve, values in shapes.items() if np.isfinite(values).all()},
        )

    def resplit(self, key: str, name: str, division: Resplit) -> Entry:
        """One fresh division."""
        return Entry(
            key=key,
            name=name,
            tags={"role": "rehearsal", "split_seed": str(division.split_seed)},
            metrics=resplit_metrics(self.problem.task, division),
            files={
                "scores.csv": csv_of(resplit_rows(self.problem.task, division, self.settings.rehearsal_seeds))
            },
        )

    def _configuration(
        self, key: str, name: str, result: Confirmed, bands: list[Quantity], test: Table | None
    ) -> Entry:
        tags = {"config_id": result.config_id, "role": result.role, "fingerprint": self.fingerprint}
        metrics, files = main_metrics(self.problem.task, bands), {"bands.csv": csv_of(band_rows(bands))}
        seen = {} if result.role == "search" else self._parts(test)
        replicas = result.replicas
        if replicas is None or result.configuration is None:
            tags |= {"tuned": result.tuned, "chosen": result.chosen}
            return Entry(key, name, tags, metrics=metrics, files=files, datasets=self._datasets(seen))
        seeds, diverged = replicas.seeds, int((~replicas.sound).sum())
        device = str(self.problem.identity["device"])
        backend = {"backend": self.settings.backend.name, "dtype": self.settings.backend.dtype}
        if not result.configuration.is_mlp:
            backend = {"model": result.configuration.model}
        shapes = {}
        if seen and result.has_seed_bands and replicas.fit.layers:
            loss = curve_loss(self.problem.data.class_names)
            files["curves.svg"] = alone(loss_curves(curves(replicas), f"{self.name}: {name}", loss))
            ends = {curve: _band_curves(curves(replicas)[curve]) for curve in SHOWN_CURVES}
            shapes = {
                f"curve/{curve}.seeds.{end}": ends[curve][end]
                for curve, shown in SHOWN_CURVES.items()
                for end in shown
            }
        lost, told = sum(map(bool, replicas.faults)), _lost(replicas)
        metrics |= {"seeds/n": float(len(seeds)), "seeds/diverged": float(diverged)}
        metrics |= {"seeds/lost": float(lost)} if lost else {}
        return Entry(
            key=key,
            name=name,
            tags={**tags, **told, "seeds": f"{seeds[0]}..{seeds[-1]}", "device": device},
            params={**result.configuration.params} | backend,
            metrics=metrics,
            failed=lost == len(seeds),
            curves=shapes,
            files=files | {"networks.csv": csv_of(self.networks(result, test))},
            datasets=self._datasets(seen),
        )

    def networks(self, result: Confirmed, test: Table | None) -> list[dict[str, Any]]:
        """Every network of a configuration as a row of a table.

        Losses and gaps are those at the epoch whose weights it returned. A network that diverged has no
        scores and no missed cases, and names the epoch, from 1."""
        assert result.replicas is not None
        fit = result.replicas.fit
        columns = {name: returned(getattr(fit, name), fit) for name in CURVES} | gap(fit)._asdict()
        missed = {}
        for part, rows in self._parts(test).items():
            logits, ids = result.logits(part), self._ids(part)
            assert logits is not None
            scores = self.problem.task.grade(logits, rows.y)
            columns |= {f"{part}/{name}": values for name, values in scores.items()}
            if part == "test":
                loss = self.problem.history_loss(columns[f"test/{self.problem.task.trained_on}"])
                columns["gap_test"] = test_gap(result.replicas, loss)
            wrong = self._judge.wrong(logits, rows.y)
            missed[f"{part}/missed"] = [json.dumps([str(case) for case in ids[row]]) for row in wrong]
        return [
            {
                "seed": seed,
                "diverged_at": int(fit.diverged_at[place]) + 1 if not sound else "",
                **{name: float(values[place]) for name, values in columns.items()},
                **{name: texts[place] if sound else "" for name, texts in missed.items()},
            }
            for place, (seed, sound) in enumerate(
                zip(result.replicas.seeds, result.replicas.sound, strict=True)
            )
        ]

    def _missed(self, result: Confirmed, test: Table | None) -> dict[str, bytes]:
        """The cases that some network calls wrong, the most often missed first."""
        found = {}
        for part, rows in self._parts(test).items():
            cases = part_table(result, self.problem, self._judge, part, rows.y)
            if cases is not None:
                found[f"cases_{part}.csv"] = csv_of(cases[cases.misses > 0].to_dict("records"))
        return found

    @cached_property
    def _judge(self) -> Judge:
        return judge_cases(self.problem, self.settings.report.tolerance)

    def _keras_file(self, result: Confirmed) -> dict[str, bytes]:
        """The seed with the median validation loss as a plain Keras model, for those who want one network.

        It takes scaled rows and gives a probability, those of k classes, or a number in the target's unit.
        """
        from handnet.mlp.keras import to_keras

        assert result.replicas is not None
        assert result.configuration is not None
        place = middle_seed(self.problem.task, result.replicas, self.problem.parts.val.y)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, f"seed_{result.replicas.seeds[place]}.keras")
            layers = with_unit(result.replicas.fit.layers, self.problem.target_unit)
            to_keras(layers, place, self.problem.with_exit(result.configuration.recipe)).save(path)
            return {path.name: path.read_bytes()}

    def _parts(self, test: Table | None) -> dict[str, Table]:
        return {"val": self.problem.parts.val} | ({"test": test} if test else {})

    def _ids(self, part: str) -> Any:
        """(n,) the ids of the cases of a part."""
        parts = self.problem.parts
        return self.problem.data.case_ids[parts.val_rows if part == "val" else parts.test_rows]

    def _datasets(self, seen: Iterable[str]) -> list[tuple[str, str, str, int]]:
        """(name, context, digest, rows) of each part a run has seen, the test once it is open."""
        parts = self.problem.parts
        rows = {"train": parts.train_rows, "val": parts.val_rows}
        digests = {part: canonical_hash([self.problem.data.digest, rows[part].tolist()]) for part in rows}
        digests["test"] = parts.test.digest
        sizes = {part: len(rows[part]) for part in rows} | {"test": parts.test.n}
        contexts = ["train", *seen] if seen else []
        return [(f"{self.name} {part}", part, digests[part], sizes[part]) for part in contexts]


def _lost(replicas: Replicas) -> dict[str, str]:
    """The tag of a configuration whose model failed on some seeds: on how many, and why on the first."""
    faults = [fault for fault in replicas.faults if fault]
    count = f"{len(faults)} of {len(replicas.seeds)}"
    return {"lost": f"{count}: {short(faults[0], LONGEST)}"} if faults else {}


def _band_curves(values: Any) -> dict[str, Any]:
    """Mean, q025 and q975 over seeds of curves (R, epochs); each (epochs,)."""
    return dict(zip(("mean", "q025", "q975"), curve_band(values).values(), strict=True))
