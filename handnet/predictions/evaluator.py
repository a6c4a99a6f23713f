"""What mlflow.models.evaluate calls by the name handnet: the bands over cases of one model's predictions.

MLflow loads this file whenever it lists its evaluators, so it imports nothing of ours before it is used.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from mlflow.models import EvaluationResult
from mlflow.models.evaluation import ModelEvaluator

if TYPE_CHECKING:
    from handnet.data import Array
    from handnet.predictions.form import Results

FOLDER = "handnet"  # of the artifacts of a run
ONE_MODEL = (
    "These are the predictions of one model: the bands are over cases, and nothing tells a band over seeds."
    " For that one, log the predictions of several seeds with handnet.log_predictions."
)


class CaseBands(ModelEvaluator):
    """Logs the bands over cases that the predictions of one model carry.

    evaluator_config: case, group: columns of the data, for the ids of cases and what several cases belong to;
    p, logit: the column of the probability or the logit of the positive label where the predictions are
    labels; positive (or pos_label): the positive one of two labels. Other keys are left to other evaluators.
    The rows are called test rows. Data that cannot be judged stop no evaluation: a note says why.
    """

    @classmethod
    def can_evaluate(
        cls, *, model_type: str | None, evaluator_config: Mapping[str, Any] | None, **kwargs: Any
    ) -> bool:
        """Whether this is a classifier or a regressor."""
        return model_type in ("classifier", "regressor")

    def evaluate(
        self,
        *,
        model_type: str,
        dataset: Any,
        run_id: str,
        evaluator_config: Mapping[str, Any] | None,
        model: Any = None,
        predictions: str | None = None,
        model_id: str | None = None,
        **kwargs: Any,
    ) -> EvaluationResult:
        """Log the bands as metrics, their page, tables and facts below handnet/, and a note."""
        import mlflow

        from handnet.messages import Refusal
        from handnet.predictions.judged import judge_results
        from handnet.report.results_pages import write_results

        metrics: dict[str, float] = {}
        with TemporaryDirectory() as folder:
            try:
                said = Said(model_type, dataset, dict(evaluator_config or {}), model, predictions)
                facts = judge_results(said.results())
                metrics = case_metrics(facts)
                write_results(facts, Path(folder))
                note = "\n".join([ONE_MODEL, facts["opened"], *facts["notes"]])
            except Refusal as fault:
                note = f"handnet has no bands for this evaluation: {fault.sentence}"
            Path(folder, "note.txt").write_text(f"{note}\n", encoding="utf-8")
            mlflow.log_artifacts(folder, FOLDER, run_id=run_id)
        if metrics:
            mlflow.log_metrics(metrics, run_id=run_id, model_id=model_id)
        return EvaluationResult(metrics, {}, run_id)


class Said:
    """What one model says of the rows of an evaluation, whether it is there or its predictions are.

    kind: "classifier" or "regressor"; config: see `CaseBands`; predictions: the column of them in what the
    model returns.
    """

    def __init__(
        self, kind: str, dataset: Any, config: Mapping[str, Any], model: Any, predictions: str | None
    ) -> None:
        self.kind, self.dataset, self.config = kind, dataset, config
        self.model, self.predictions = model, predictions

    def results(self) -> "Results":
        """The same as results. Raises Refusal for what cannot be judged."""
        import numpy as np

        from handnet.messages import Refusal
        from handnet.predictions.columns import Columns
        from handnet.predictions.logged import table_of
        from handnet.predictions.table import read_frame

        if self.dataset.labels_data is None:
            raise Refusal("the data have no targets.")
        y, (said, classes, kind) = self.dataset.labels_data, self._said()
        places = getattr(self.dataset.features_data, "index", range(len(y)))
        ids = self._column("case")
        ids = np.asarray(places) if ids is None else ids
        table = table_of(ids, y, said, self._column("group"), classes, kind)
        if self.kind == "regressor":
            columns = Columns(yhat="yhat", target=str(self.dataset.targets_name or ""))
        else:
            columns = Columns(positive=str(self.config.get("positive", self.config.get("pos_label", ""))))
        return read_frame(table, columns, str(self.dataset.name))

    def _said(self) -> "tuple[Array, Any, Any]":
        """What the model says, its labels where there is a column a label, and the kind of it."""
        for column, kind in (("p", "probabilities"), ("logit", "logits")):
            values = self._column(column)
            if values is not None:
                return values, None, kind
        if self.model is None:
            return self._kind(self.dataset.predictions_data)
        proba, classes = probabilities_of(self.model, self.dataset.features_data)
        if self.kind == "classifier" and proba is not None:
            return proba, classes, "probabilities"
        found = self.model.predict(self.dataset.features_data)
        return self._kind(found[self.predictions] if self.predictions else found)

    def _kind(self, said: Any) -> "tuple[Array, Any, Any]":
        import numpy as np

        said = np.asarray(said)
        if self.kind == "regressor":
            return said, None, "numbers"
        labels = set(map(str, self.dataset.labels_data))
        among = said.ndim == 1 and said.dtype.kind != "f" and set(map(str, said)) <= labels
        return said, None, "labels" if among else None

    def _column(self, purpose: str) -> "Array | None":
        """The column of the data that the configuration names for a purpose. Raises Refusal for none."""
        name, data = self.config.get(purpose), self.dataset.features_data
        if name is None:
            return None
        if name not in getattr(data, "columns", ()):
            from handnet.messages import Refusal

            raise Refusal(f"there is no column {name!r} in the data to be the {purpose}.")
        return data[name].to_numpy()


def probabilities_of(model: Any, features: Any) -> "tuple[Array | None, Any]":
    """The probabilities (n, k) of k labels that a model of scikit-learn's kind gives, and the labels."""
    try:
        raw = model.get_raw_model()
    except (AttributeError, NotImplementedError):  # a plain function, or a kind that keeps no model inside
        return None, None
    if not hasattr(raw, "predict_proba") or not hasattr(raw, "classes_"):
        return None, None
    return raw.predict_proba(features), list(raw.classes_)


def case_metrics(facts: Mapping[str, Any]) -> dict[str, float]:
    """The bands over cases of the main scores by the names that a study's metrics have, as many as a run has
    names for."""
    from handnet.study.metrics import MOST

    flat: dict[str, float] = {}
    for more in _bands(facts):
        flat |= more if len(flat) + len(more) <= MOST else {}
    return flat


def _bands(facts: Mapping[str, Any]) -> Iterator[dict[str, float]]:
    """The middle and the ends of each band over cases of a main score."""
    from dataclasses import fields

    from handnet.bands import Band
    from handnet.bands.band import PREDICTIVE
    from handnet.study.metrics import LEFT_OUT, band_metrics

    main = {score["score"] for score in facts["scores"] if score["main"]}
    names = {field.name for field in fields(Band)}
    for row in facts["bands"]:
        if row["score"] in main and row["varied"] == "cases" and row["kind"] not in LEFT_OUT:
            band = Band(
                **{name: row[name] for name in names - {"centres"}}, centres=(*row["centres"].items(),)
            )
            if band.estimand not in PREDICTIVE:
                yield band_metrics(f"{row['part']}/{row['score']}", band)
