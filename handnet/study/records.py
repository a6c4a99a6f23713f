"""What is written about each run, and how it is read back. Nothing here writes to a store."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from handnet.contract import Recipe
from handnet.data import Array, Table, canonical_hash
from handnet.report.cases import part_table
from handnet.report.drawing import alone
from handnet.report.figures import loss_curves
from handnet.scores import grade
from handnet.study.analysis import Analysis
from handnet.study.metrics import analysis_metrics, network_metrics, quantity_metrics, resplit_metrics
from handnet.study.mlflow_tables import Entry
from handnet.study.resplit import Resplit
from handnet.study.search import PARAMS
from handnet.study.settings import Settings
from handnet.study.summary import Quantity, curve_band, curves, gap_quantities, score_quantities
from handnet.study.units import Baseline, Confirmed, Problem, Replicas, mask_diverged, to_npz

VAL_FILE, TEST_FILE = "val_logits.npy", "test_logits.npy"
REHEARSAL_FILE = "rehearsal.npz"
STREAMS_FILE = "streams.npy"
NO_SEEDS = "none"


@dataclass(frozen=True)
class Records:
    """What one study is, and the content of its runs."""

    name: str
    fingerprint: str
    settings: Settings
    problem: Problem

    def seed(self, replica: Replicas, recipe: Recipe, label: str) -> Entry:
        """One network: its scores, its curves, its exact values."""
        seed, config_id = replica.seeds[0], self.problem.config_id(recipe)
        shapes = {f"loss/{name}": values[0] for name, values in curves(replica).items()}
        return Entry(
            key=f"seed/{config_id}/{seed}",
            name=f"{label}, seed {seed}",
            tags={
                "config_id": config_id,
                "first_used_by": label,
                "diverged": str(not replica.sound[0]),
                "device": str(self.problem.identity["device"]),
            },
            params={**_params(recipe), "seed": seed},
            metrics=network_metrics(replica, self.problem),
            curves={name: values for name, values in shapes.items() if np.isfinite(values).all()},
            files={},
        )

    def search(self, replicas: Replicas, recipe: Recipe, label: str) -> Entry:
        """A configuration of the search: validation rows only, because the test is sealed."""
        config_id = self.problem.config_id(recipe)
        logits = mask_diverged(replicas, replicas.val_logits)
        scores = score_quantities(logits, self.problem.parts.val.y, "val") + gap_quantities(replicas)
        trial = Confirmed("search", config_id, recipe, replicas, replicas.val_logits, None)
        return self._configuration(f"search/{config_id}", label, trial, scores, None, {})

    def graded(self, role: str, recipe: Recipe, replicas: Replicas, test: Table | None) -> Confirmed:
        """A frozen configuration on its confirmation seeds, with its logits on the test once that is open."""
        logits = self.problem.backend.logits(replicas.fit.layers, test.X) if test else None
        return Confirmed(role, self.problem.config_id(recipe), recipe, replicas, replicas.val_logits, logits)

    def graded_baseline(self, rival: Baseline, test: Table | None) -> Confirmed:
        """A method without seeds."""
        config_id = canonical_hash({"method": repr(rival.model), **self.problem.identity})[:16]
        after = rival.logits(test.X) if test else None
        return Confirmed(rival.role, config_id, None, None, rival.logits(self.problem.parts.val.X), after)

    def confirmed(self, key: str, result: Confirmed, analysis: Analysis, test: Table | None) -> Entry:
        """The run of a frozen configuration, with everything the analysis says of it."""
        more = analysis_metrics(result.role, analysis)
        return self._configuration(key, result.role, result, analysis.quantities[result.role], test, more)

    def baseline(self, key: str, result: Confirmed, method: str, analysis: Analysis) -> Entry:
        """The run of a method without seeds."""
        files = {VAL_FILE: to_npz(logits=result.val_logits)}
        files |= {} if result.test_logits is None else {TEST_FILE: to_npz(logits=result.test_logits)}
        return Entry(
            key=key,
            name=result.role,
            tags={
                "config_id": result.config_id,
                "role": result.role,
                "seeds": NO_SEEDS,
                "device": "cpu",
                "fingerprint": self.fingerprint,
            },
            params={"method": method},
            metrics=quantity_metrics(analysis.quantities[result.role]),
            files=files,
            datasets=self._datasets(result.test_logits is not None),
        )

    def resplit(self, key: str, division: Resplit, recipe: Recipe | None = None) -> Entry:
        """One fresh division. recipe: what the search chose there, where it was made anew."""
        return Entry(
            key=key,
            name=f"split {division.split_seed}" + (", searched anew" if recipe else ""),
            tags={
                "role": "rehearsal",
                "split_seed": str(division.split_seed),
                "fingerprint": self.fingerprint,
            },
            params=_params(recipe) if recipe else {},
            metrics=resplit_metrics(division),
            files={REHEARSAL_FILE: division.to_npz()},
        )

    def streams(self, key: str, logits: Array) -> Entry:
        """The winner with its seed's three streams varied one by one."""
        tags = {"role": "rehearsal", "fingerprint": self.fingerprint}
        return Entry(
            key=key, name="the winner's streams", tags=tags, files={STREAMS_FILE: to_npz(logits=logits)}
        )

    def confirmed_key(self, seal: str | None, result: Confirmed, rehearsals: Sequence[str]) -> str:
        """Names a confirmed run by all that decides its content.

        seal: the id of the opening, None while the test is sealed."""
        seeds = 0 if result.replicas is None else len(result.replicas.seeds)
        beside = canonical_hash([self.settings.trials, self.settings.confirm.seeds, list(rehearsals)])[:8]
        return f"confirm/{result.role}/{result.config_id}/{seeds}/{seal or 'sealed'}/{beside}"

    def _configuration(
        self,
        key: str,
        name: str,
        result: Confirmed,
        quantities: list[Quantity],
        test: Table | None,
        more: Mapping[str, float],
    ) -> Entry:
        assert result.recipe is not None
        assert result.replicas is not None
        seeds, diverged = result.replicas.seeds, int((~result.replicas.sound).sum())
        files = self._files(name, result, test)
        shapes: dict[str, Array] = {}
        if quantities:
            for curve, values in curves(result.replicas).items():
                ends = zip(("mean", "q025", "q975"), curve_band(values).values(), strict=True)
                shapes |= {f"curve/{curve}.seeds.{end}": line for end, line in ends}
        backend = {"backend": self.settings.backend.name, "dtype": self.settings.backend.dtype}
        return Entry(
            key=key,
            name=name,
            tags={
                "config_id": result.config_id,
                "role": result.role,
                "seeds": f"{seeds[0]}..{seeds[-1]}",
                "device": str(self.problem.identity["device"]),
                "fingerprint": self.fingerprint,
            },
            params=_params(result.recipe) | backend,
            metrics={
                **quantity_metrics(quantities),
                **more,
                "seeds/n": float(len(seeds)),
                "seeds/diverged": float(diverged),
            },
            curves=shapes,
            files=files,
            datasets=self._datasets(test is not None),
        )

    def _files(self, name: str, result: Confirmed, test: Table | None) -> dict[str, bytes]:
        files = {}
        parts = {"val": self.problem.parts.val} | ({"test": test} if test else {})
        for part, table in parts.items():
            missed = part_table(result, self.problem, part, table.y)
            if missed is not None:
                files[f"cases_{part}.parquet"] = missed.to_parquet(index=False)
        if result.test_logits is not None:
            files[TEST_FILE] = to_npz(logits=result.test_logits)
        if result.role == "winner" and self.settings.backend.name == "keras":
            files |= self._keras_file(result)
        if result.replicas is not None and result.replicas.sound.sum() > 1:
            files["curves.svg"] = alone(loss_curves(curves(result.replicas), f"{self.name}: {name}"))
        return files

    def _keras_file(self, result: Confirmed) -> dict[str, bytes]:
        """The seed with the median validation loss as a plain Keras model, for those who want one network."""
        from handnet.mlp.keras import to_keras

        assert result.replicas is not None
        assert result.recipe is not None
        loss = grade(mask_diverged(result.replicas, result.val_logits), self.problem.parts.val.y).log_loss
        place = int(np.argsort(loss)[result.replicas.sound.sum() // 2])
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, f"seed_{result.replicas.seeds[place]}.keras")
            to_keras(result.replicas.fit.layers, place, result.recipe.dropout).save(path)
            return {path.name: path.read_bytes()}

    def _datasets(self, opened: bool) -> list[tuple[str, str, int]]:
        """(context, digest, rows) of each part a run has seen. The test is among them once it is open."""
        parts = self.problem.parts
        seen = {"train": (parts.train_rows, parts.train), "val": (parts.val_rows, parts.val)}
        datasets = [
            (name, canonical_hash([self.problem.data.digest, rows.tolist()]), len(table.y))
            for name, (rows, table) in seen.items()
        ]
        return [*datasets, ("test", parts.test.digest, parts.test.n)] if opened else datasets


def _params(recipe: Recipe) -> dict[str, object]:
    """The searched parameters first, so that they are the first columns."""
    values = vars(recipe)
    return {name: values[name] for name in (*PARAMS, *values)}
