"""What MLflow's pages show first of a study: columns, order and charts, as shared views.

A view is a tag of the experiment; a link that names it opens on it. Its form is that of MLflow's own "share"
button."""

import json
from collections.abc import Sequence
from typing import Any

NAME = "handnet"
TAG = f"mlflow.sharedViewState.{NAME}"
LOSS = "val/log_loss.seeds"
OPENED = "Compare"
# Groups of charts MLflow makes by itself, one chart a metric: closed until somebody asks.
GROUPS = (
    "val",
    "gap",
    "test",
    "rehearsal",
    "selection",
    "variance",
    "versus chapter",
    "versus chapter second",
    "versus logistic regression",
    "versus majority class",
)
NARROW, WIDE = 105, 175  # of a column, in pixels: a metric's name must be readable


DESCRIPTION = """\
Compare `val/log_loss.seeds.mean` with its q025 and q975, never alone. One run per configuration of the study
`{study}`; `role` says why it was trained: *search* runs were compared on validation rows to choose a winner,
the others were confirmed on fresh seeds and carry the test.

Metric names read `part/score.varied.what`: `val/accuracy.seeds.q025` is the lower end of the band over seeds
of the accuracy on validation rows, `test/accuracy.cases.wilson_low` that of the interval over cases. The
winner's run carries the report and its figures (*Artifacts*) and the networks as a model.

Every single network, with its own curves, is in the experiment `{study} seeds`; every fresh division of the
table in `{study} rehearsals`."""

REHEARSALS_DESCRIPTION = """\
Compare the configurations within a row: each row is one fresh division of the whole table. They are the
frozen configurations of the study `{study}`, made after the test was opened; where it was asked for, also the
search made anew inside each, and the winner with its seed's three streams varied. Nothing was chosen by them.
Metric names read `configuration/score.seeds.what`."""

SEEDS_DESCRIPTION = """\
Compare the seeds of one configuration at a time, `tags.first_used_by = 'winner'` in the search field to begin
with: this page loads a hundred runs at once, and of all sorted by score these would be the lucky ones. Every
network of the study `{study}` is here, one run per configuration and seed; grouped by the tag `config_id`, a
chart shows the average and the range of what is loaded."""


def link(experiment: str) -> str:
    """The part of the address, behind the host, that opens an experiment on its view."""
    return f"/#/experiments/{experiment}/runs?viewStateShareKey={NAME}&workflowType=machine_learning"


def configurations() -> str:
    """One row a configuration, the best mean validation loss first, each loss in its band over seeds."""
    band = [f"{LOSS}.{end}" for end in ("mean", "q025", "q975")]
    both = [f"test/accuracy.seeds_x_cases.{end}" for end in ("mean", "low", "high")]
    recipe = ["learning_rate", "dropout", "epochs"]
    columns = [_tag("role"), *map(_param, recipe), *map(_metric, [*band, "gap/gap.seeds.median", *both])]
    charts = [
        _chart(
            "PARALLEL", selectedParams=recipe, selectedMetrics=[band[1], band[0], band[2]], showAllRuns=True
        ),
        _chart("SCATTER", xaxis=_axis("gap/gap.seeds.median"), yaxis=_axis(band[0])),
    ]
    return _view(columns, _metric(band[0]), charts)


def seeds() -> str:
    """The winner's networks, one row a seed.

    MLflow loads a hundred runs at once, and those of one configuration are comparable. Of all seeds, sorted
    by score, the first hundred would be the lucky ones."""
    columns = [
        _tag("first_used_by"),
        _param("seed"),
        *map(_metric, ("val/log_loss", "val/accuracy", "gap/gap")),
    ]
    curve = _chart(
        "LINE",
        metricKey="loss/val_loss",
        selectedMetricKeys=["loss/train_loss_off", "loss/val_loss"],
        xAxisKey="step",
        lineSmoothness=0,
        scaleType="linear",
        xAxisScaleType="linear",
        range={},
    )
    charts = [curve, _chart("SCATTER", xaxis=_axis("gap/gap"), yaxis=_axis("val/log_loss"))]
    return _view(columns, "attributes.start_time", charts, "tags.first_used_by = 'winner'")


def rehearsals() -> str:
    """One row a fresh division of the table."""
    columns = [
        _tag("split_seed"),
        *(
            _metric(f"{role}/accuracy.{what}")
            for role, what in (
                ("winner", "seeds.median"),
                ("chapter", "seeds.median"),
                ("logistic regression", "cases.share"),
            )
        ),
    ]
    return _view(columns, "attributes.start_time", [])


def _view(columns: Sequence[str], order: str, charts: Sequence[dict[str, Any]], only: str = "") -> str:
    for place, chart in enumerate(charts):
        chart["uuid"] = f"{NAME}-{place}"
    sections = [_section(OPENED, True)] if charts else []
    sections += [_section(name, False) for name in GROUPS]
    return json.dumps(
        {
            "searchFilter": only,
            "orderByKey": order,
            "orderByAsc": True,
            "startTime": "ALL",
            "lifecycleFilter": "Active",
            "modelVersionFilter": "All Runs",
            "datasetsFilter": [],
            "selectedColumns": list(columns),
            "columnOrder": list(columns),
            "columnWidths": {column: WIDE if column.startswith("metrics") else NARROW for column in columns},
            "runsHiddenMode": "SHOW_ALL",
            "compareRunCharts": list(charts),
            "compareRunSections": sections,
            "isAccordionReordered": True,
            "groupBy": None,
            "autoRefreshEnabled": False,
            "hideEmptyCharts": True,
            "useGroupedValuesInCharts": True,
        }
    )


def _section(name: str, opened: bool) -> dict[str, Any]:
    return {
        "uuid": f"{NAME}-{name}",
        "name": name,
        "display": opened,
        "isReordered": False,
        "deleted": False,
        "isGenerated": not opened,
        "columns": 2,
        "cardHeight": 400,
    }


def _chart(kind: str, **more: Any) -> dict[str, Any]:
    return {
        "type": kind,
        "metricSectionId": f"{NAME}-{OPENED}",
        "deleted": False,
        "isGenerated": False,
        "runsCountToCompare": 100,
        **more,
    }


def _axis(metric: str) -> dict[str, str]:
    return {"type": "METRIC", "key": metric}


def _metric(name: str) -> str:
    return f"metrics.`{name}`"


def _param(name: str) -> str:
    return f"params.`{name}`"


def _tag(name: str) -> str:
    return f"tags.`{name}`"
