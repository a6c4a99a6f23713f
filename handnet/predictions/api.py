"""Predictions: the front door in Python for results of models that were trained elsewhere."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from handnet.messages import Refusal, nearest
from handnet.predictions.columns import Columns
from handnet.predictions.findings import Comparisons, Findings
from handnet.predictions.form import Results
from handnet.predictions.gate import Gate, gate
from handnet.predictions.joined import joined
from handnet.predictions.judged import judge_results
from handnet.predictions.pairs import compare_results
from handnet.predictions.sources import read_either

if TYPE_CHECKING:
    import pandas as pd


class Predictions:
    """What models said of cases they were not trained on, by seed and case.

    It is made of a long DataFrame with a row for each model, split, seed and case: the truth `y`, and the
    prediction `p`, `logit`, a `p_<label>` for each label, `yhat` or `label`; or of one score a seed. Its
    methods give bands, comparisons and a gate. Columns with other names are named by arguments, as in
    ``Predictions(frame, y="truth", p="score", seed="run")``; `handnet.predictions.columns.Columns` lists
    them. Raises Refusal, with a sentence that says what to change, for a table that cannot be read so.
    """

    def __init__(self, frame: "pd.DataFrame", *, name: str = "the table", **columns: Any) -> None:
        self.results = read_either(frame, _columns(columns), name)

    @classmethod
    def of(cls, *results: Results) -> "Predictions":
        """The results of one or several sources."""
        made = cls.__new__(cls)
        made.results = joined(results)
        return made

    @classmethod
    def from_file(cls, path: str | Path, **columns: Any) -> "Predictions":
        """A CSV or Parquet file of the same form."""
        from handnet.predictions.sources import read_path

        return cls.of(read_path(Path(path), _columns(columns)))

    @classmethod
    def from_mlflow(cls, experiment: str, **how: Any) -> "Predictions":
        """The runs of an MLflow experiment; `handnet.predictions.tracked.from_mlflow` has the arguments."""
        from handnet.predictions.tracked import from_mlflow

        return cls.of(from_mlflow(experiment, **how))

    @classmethod
    def from_study(cls, name: str | None = None, home: str | Path = "mlruns") -> "Predictions":
        """A confirmed study of handnet's own: its winner, its other recipes and its rivals."""
        from handnet.predictions.own import from_study

        return cls.of(from_study(name, Path(home)))

    @classmethod
    def from_scalars(cls, models: Mapping[str, Sequence[float]], **how: Any) -> "Predictions":
        """One score a seed, by model; `handnet.predictions.scalars.from_scalars` has the arguments."""
        from handnet.predictions.scalars import from_scalars

        return cls.of(from_scalars(models, **how))

    @classmethod
    def from_cross_validate(cls, results: Any, **how: Any) -> "Predictions":
        """What scikit-learn's `cross_validate` returned; `handnet.predictions.scikit` has the arguments."""
        from handnet.predictions.scikit import from_cross_validate

        return cls.of(from_cross_validate(results, **how))

    @classmethod
    def from_cross_val_predict(cls, y: Any, p: Any, **how: Any) -> "Predictions":
        """What scikit-learn's `cross_val_predict` returned: y (n,); p (n,), (R, n), (n, k) or (R, n, k)."""
        from handnet.predictions.scikit import from_cross_val_predict

        return cls.of(from_cross_val_predict(y, p, **how))

    @classmethod
    def from_pairs(cls, pairs: Sequence[tuple[Any, Any]], **how: Any) -> "Predictions":
        """A list of truths and predictions, (y, p) of each seed; both of n cases."""
        from handnet.predictions.scikit import from_pairs

        return cls.of(from_pairs(pairs, **how))

    def __or__(self, other: "Predictions") -> "Predictions":
        """The models of both."""
        return Predictions.of(self.results, other.results)

    def __repr__(self) -> str:
        return f"Predictions of {', '.join(self.models[:5])}{', ...' * (len(self.models) > 5)}"

    def _repr_html_(self) -> str:
        return self.bands()._repr_html_()

    @property
    def models(self) -> tuple[str, ...]:
        """The names of the models."""
        return self.results.models

    def bands(self, *, scores: Sequence[str] | None = None, split: str | None = None) -> Findings:
        """Every band that the results can carry, of every model, and the cases it gets wrong."""
        return Findings(judge_results(self.results, scores=scores, split=split))

    def compare(
        self, *models: str, score: str | None = None, first: bool = False, split: str | None = None
    ) -> Comparisons:
        """Models against each other, paired on split, seed and case.

        models: two or more of them, all unless named; score: the one that decides, the task's own unless
        named; first: the first against each other one, in place of all pairs. Several p values are adjusted
        by Holm's method.
        """
        names = [str(model) for model in models]
        facts = compare_results(self.results, names or None, first=first, score=score, split=split)
        return Comparisons(facts)

    def gate(
        self,
        baseline: str,
        candidate: str,
        *,
        score: str | None = None,
        margin: float = 0.0,
        require: Literal["better", "not-worse"] = "better",
    ) -> Gate:
        """Whether the candidate is shown to be better than the baseline, or not worse by a margin."""
        names = str(baseline), str(candidate)
        return gate(self.results, *names, score=score, margin=margin, require=require)

    def to_frame(self) -> "pd.DataFrame":
        """The predictions as a long table, one row a model, split, seed and case.

        Raises Refusal where there are scores alone."""
        if not self.results.predicted:
            raise Refusal("there are scores alone, and no predictions to make a table of.")
        from handnet.predictions.frame import to_frame

        return to_frame(self.results)

    def to_latex(self) -> str:
        """The bands as a LaTeX table."""
        return self.bands().to_latex()

    def plot(self, path: str | Path | None = None) -> Any:
        """The bands as a forest plot: a Matplotlib figure, written to `path` too where that is given."""
        return self.bands().plot(path)


def _columns(said: Mapping[str, Any]) -> Columns:
    """The names of columns. Raises Refusal for an argument that is none of theirs."""
    known = [field.name for field in fields(Columns)]
    for name in said:
        if name not in known:
            raise Refusal(f"{name} is no argument of Predictions: {nearest(name, known)}")
    return Columns(**said)
