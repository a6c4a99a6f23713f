"""What is written about each run, and how it is read back. Pure: nothing here touches a store but to read it."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from experiments.confirm import Baseline
from experiments.report.facts import cases, quantities
from experiments.report.figures import loss_curves
from experiments.search import PARAMS
from experiments.settings import Settings, canonical_hash
from experiments.summary import Confirmed, Quantity, curve_band, curves, gaps, heard, metrics, scored
from experiments.tracking import REPLICA_FILE, Entry, ServedModel, Tracking
from experiments.workers import Bench, Replicas, from_npy, to_npy, to_npz, together
from handnet.bands.seeds import HIGH, LOW
from handnet.data import Array, Table
from handnet.grade import gap, grade
from handnet.recipe import Recipe

VAL_FILE, TEST_FILE = "val_logits.npy", "test_logits.npy"
NO_SEEDS = "none"


@dataclass(frozen=True)
class Records:
    """Entries of one study."""

    study: str
    fingerprint: str
    settings: Settings
    bench: Bench

    def seed(self, one: Replicas, recipe: Recipe, label: str) -> Entry:
        """One network: its scores, its curves, its exact values."""
        seed, config_id = one.seeds[0], self.bench.config_id(recipe)
        graded = grade(heard(one, one.val_logits), self.bench.parts.val.y)._asdict()
        scores = {f"val/{name}": value[0] for name, value in graded.items()}
        scores |= {f"gap/{name}": value[0] for name, value in gap(one.fit)._asdict().items()}
        shapes = {f"loss/{name}": values[0] for name, values in curves(one).items()}
        return Entry(
            key=f"seed/{config_id}/{seed}",
            name=f"{label}, seed {seed}",
            tags={
                "config_id": config_id,
                "first_used_by": label,
                "diverged": str(not one.sound[0]),
                "device": str(self.bench.identity["device"]),
            },
            params={**_params(recipe), "seed": seed},
            metrics={name: float(value) for name, value in scores.items() if np.isfinite(value)},
            curves={name: values for name, values in shapes.items() if np.isfinite(values).all()},
            files={REPLICA_FILE: one.to_npz()},
        )

    def search(self, replicas: Replicas, recipe: Recipe, label: str) -> Entry:
        """A configuration of the search: validation rows only, because the test is sealed."""
        config_id = self.bench.config_id(recipe)
        found = scored(heard(replicas, replicas.val_logits), self.bench.parts.val.y, "val") + gaps(replicas)
        one = Confirmed("search", config_id, recipe, replicas, replicas.val_logits, None)
        return self._configuration(f"search/{config_id}", label, one, found, None)

    def confirmed(self, seal: str | None, role: str, recipe: Recipe, replicas: Replicas, test: Table | None) -> Entry:
        """A frozen configuration on its confirmation seeds, with the test once it is open."""
        logits = self.bench.backend.logits(replicas.fit.layers, test.X) if test else None
        one = Confirmed(role, self.bench.config_id(recipe), recipe, replicas, replicas.val_logits, logits)
        key = self.confirmed_key(seal, role, one.config_id, len(replicas.seeds))
        found = quantities(one, self.bench.parts.val.y, test.y if test else None)
        return self._configuration(key, role, one, found, test)

    def baseline(self, seal: str | None, rival: Baseline, test: Table | None) -> Entry:
        """A method without seeds."""
        val, after = rival.logits(self.bench.parts.val.X), rival.logits(test.X) if test else None
        config_id = canonical_hash({"method": repr(rival.model), **self.bench.identity})[:16]
        found = quantities(Confirmed(rival.role, config_id, None, None, val, after),
                           self.bench.parts.val.y, test.y if test else None)  # fmt: skip
        return Entry(
            key=self.confirmed_key(seal, rival.role, config_id, 0),
            name=rival.role,
            tags={
                "config_id": config_id,
                "role": rival.role,
                "seeds": NO_SEEDS,
                "device": "cpu",
                "fingerprint": self.fingerprint,
            },
            params={"method": repr(rival.model)},
            metrics=metrics(found),
            files={VAL_FILE: to_npy(val)} | ({} if after is None else {TEST_FILE: to_npy(after)}),
            datasets=self._datasets(test is not None),
        )

    def model(self, replicas: Replicas) -> ServedModel:
        """The confirmed replicas that did not diverge, as a model that takes unscaled cases."""
        data, parts, replicas = self.bench.data, self.bench.parts, replicas.pick(replicas.sound)
        example = pd.DataFrame(data.X[parts.val_rows[:5]], columns=list(data.feature_names))
        p = self.bench.backend.predict(replicas.fit.layers, parts.val.X)[:, :5].astype(np.float64)
        low, high = np.quantile(p, [LOW, HIGH], axis=0)
        weights = to_npz(mean=parts.mean, scale=parts.scale, columns=np.array(data.feature_names), **replicas.weights())
        return ServedModel(
            "winner", weights, example, pd.DataFrame({"mean": p.mean(axis=0), "q025": low, "q975": high})
        )

    def confirmed_key(self, seal: str | None, role: str, config_id: str, seeds: int) -> str:
        """Names a confirmed run by all that decides its content. seal: the id of the opening, None while sealed."""
        return f"confirm/{role}/{config_id}/{seeds}/{seal or 'sealed'}"

    def _configuration(self, key: str, name: str, one: Confirmed, found: list[Quantity], test: Table | None) -> Entry:
        assert one.recipe is not None
        assert one.replicas is not None
        seeds, diverged = one.replicas.seeds, int((~one.replicas.sound).sum())
        files = self._files(name, one, test)
        shapes: dict[str, Array] = {}
        if found:
            for curve, values in curves(one.replicas).items():
                ends = zip(("mean", "q025", "q975"), curve_band(values), strict=True)
                shapes |= {f"curve/{curve}.seeds.{end}": line for end, line in ends}
        backend = {"backend": self.settings.backend.name, "dtype": self.settings.backend.dtype}
        return Entry(
            key=key,
            name=name,
            tags={"config_id": one.config_id, "role": one.role, "seeds": f"{seeds[0]}..{seeds[-1]}",
                  "device": str(self.bench.identity["device"]), "fingerprint": self.fingerprint},
            params=_params(one.recipe) | backend,
            metrics={**metrics(found), "seeds/n": float(len(seeds)), "seeds/diverged": float(diverged)},
            curves=shapes,
            files=files,
            datasets=self._datasets(test is not None),
        )  # fmt: skip

    def _files(self, name: str, one: Confirmed, test: Table | None) -> dict[str, bytes]:
        files = {}
        parts = {"val": self.bench.parts.val} | ({"test": test} if test else {})
        for part, table in parts.items():
            missed = cases(one, self.bench, part, table.X, table.y)
            if missed is not None:
                files[f"cases_{part}.parquet"] = missed.to_parquet(index=False)
        if one.test_logits is not None:
            files[TEST_FILE] = to_npy(one.test_logits)
        if one.role == "winner" and self.settings.backend.name == "keras":
            files |= self._keras_file(one)
        if one.replicas is not None and one.replicas.sound.sum() > 1:
            files["curves.svg"] = loss_curves(curves(one.replicas), f"{self.study}: {name}")
        return files

    def _keras_file(self, one: Confirmed) -> dict[str, bytes]:
        """The seed with the median validation loss as a plain Keras model, for those who want one network."""
        from handnet.keras_backend import to_keras

        assert one.replicas is not None
        assert one.recipe is not None
        loss = grade(heard(one.replicas, one.val_logits), self.bench.parts.val.y).log_loss
        place = int(np.argsort(loss)[one.replicas.sound.sum() // 2])
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, f"seed_{one.replicas.seeds[place]}.keras")
            to_keras(one.replicas.fit.layers, place, one.recipe.dropout).save(path)
            return {path.name: path.read_bytes()}

    def _datasets(self, opened: bool) -> list[tuple[str, str, int]]:
        """(context, digest, rows) of each part a run has seen. The sealed part is named once it is not sealed."""
        parts = self.bench.parts
        seen = {"train": (parts.train_rows, parts.train), "val": (parts.val_rows, parts.val)}
        found = [(name, canonical_hash([self.bench.data.digest, rows.tolist()]), len(table.y))
                 for name, (rows, table) in seen.items()]  # fmt: skip
        return [*found, ("test", parts.test.digest, parts.test.n)] if opened else found


def read_confirmed(tracking: Tracking, settings: Settings, keys: Sequence[str]) -> list[Confirmed]:
    """The frozen configurations and baselines with these keys, as the store has them."""
    found = []
    for key in keys:
        run = tracking.runs[key]
        tags, params = run.data.tags, run.data.params
        role = tags["role"]
        test = from_npy(tracking.read(run, TEST_FILE)) if tracking.has(run, TEST_FILE) else None
        if tags["seeds"] == NO_SEEDS:
            val: Array = from_npy(tracking.read(run, VAL_FILE))
            found.append(Confirmed(role, tags["config_id"], None, None, val, test))
            continue
        first, last = (int(seed) for seed in tags["seeds"].split(".."))
        replicas = together(list(tracking.replicas(tags["config_id"], range(first, last + 1)).values()))
        recipe = settings.recipe(float(params["learning_rate"]), float(params["dropout"]), int(params["epochs"]))
        found.append(Confirmed(role, tags["config_id"], recipe, replicas, replicas.val_logits, test))
    return found


def _params(recipe: Recipe) -> dict[str, object]:
    """The searched parameters first, so that they are the first columns."""
    whole = vars(recipe)
    return {name: whole[name] for name in (*PARAMS, *whole)}
