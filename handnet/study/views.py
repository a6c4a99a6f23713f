"""What MLflow's pages show first of a study: columns, order and charts, as shared views.

A view is a tag of the experiment; a link that names it opens on it. Its form is that of MLflow's own "share"
button."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

NAME = "handnet"
TAG = f"mlflow.sharedViewState.{NAME}"
OPENED = "Compare"
# Groups of charts MLflow makes by itself, one chart a metric: closed until somebody asks.
GROUPS = ("val", "gap", "test", "rehearsal", "curve", "loss", "seeds")
FEW = 8  # parameters that have a column and an axis of their own
NARROW, WIDE = 105, 175  # of a column, in pixels: a metric's name must be readable


DESCRIPTION = """\
Compare `val/{loss}` with `val/{loss}.seeds.q025` and `q975`, never alone: it is the mean over the seeds,
and of a method without a seed the loss of its one fit. One run per configuration of the study `{study}`;
`role` says why it was trained: *search* runs were compared on validation rows to choose a winner,
the others were confirmed on fresh seeds and carry the test.

Metric names read `part/score.varied.what`: `val/{score}.seeds.q025` is the lower end of the band over seeds
of that score on validation rows, `test/{score}.seeds_x_cases.low` that of the interval over seeds and cases.
Under *Artifacts*, `bands.csv` has every band of every score and `networks.csv` every {unit}, one row a seed.
The winner's run has the cases that its {unit}s {miss}, {kept}.

Single {unit}s{with_curves} are in the experiment `{study} seeds`, fresh divisions of the table in
`{study} rehearsals`."""

REHEARSALS_DESCRIPTION = """\
Compare the configurations within a row: each row is one fresh division of the whole table, made after the
test was opened. The configurations are those of the study `{study}`; *searched anew*, where it was asked for,
is what the search chose on that division. Nothing was chosen by them. Metric names read
`configuration/{score}.seeds.what`; `scores.csv` under *Artifacts* has the other scores."""

SEEDS_DESCRIPTION = """\
Compare the seeds of one configuration at a time, `tags.role = 'winner'` in the search field to begin with.
These are the first {unit}s of each confirmed configuration of the study `{study}`, one run a
seed{and_curves}; grouped by the tag `config_id`, a chart shows their average and range. `networks.csv` in the
configuration's own run, in the experiment `{study}`, has every {unit}."""


def of_models(unit: str, history: bool, keeps: bool) -> dict[str, str]:
    """What the descriptions say of the models. unit: "network" or "model"; history: whether they have curves;
    keeps: whether they are logged."""
    files = "the report with its figures"
    return {
        "unit": unit,
        "kept": f"{files}, and the {unit}s as\na model" if keeps else f"and {files}",
        "with_curves": " with their curves" if history else "",
        "and_curves": ", with their curves" if history else "",
    }


def link(experiment: str) -> str:
    """The part of the address, behind the host, that opens an experiment on its view."""
    return f"/#/experiments/{experiment}/runs?viewStateShareKey={NAME}&workflowType=machine_learning"


def configurations(loss: str, score: str, params: Sequence[str], lost: bool = False) -> str:
    """One row a configuration, the best mean validation loss first, each loss in its band over seeds.

    params: the names of the searched parameters, of which the first few are shown; lost: whether seeds of a
    model may be lost, so that the view has a column for why."""
    band = [f"val/{loss}.seeds.{end}" for end in ("mean", "q025", "q975")]
    both = [f"test/{score}.seeds_x_cases.{end}" for end in ("mean", "low", "high")]
    shown = list(params[:FEW])
    numbers = [f"val/{loss}", *band[1:], "gap/gap.seeds.mean", *both]
    columns = [_tag("role"), *map(_param, shown), *map(_metric, numbers), *[_tag("lost")] * lost]
    lines = [band[1], band[0], band[2]]
    charts = (
        [_chart("PARALLEL", selectedParams=shown, selectedMetrics=lines, showAllRuns=True)] if shown else []
    )
    charts.append(_chart("SCATTER", xaxis=_axis("gap/gap.seeds.mean"), yaxis=_axis(numbers[0])))
    return _view(columns, _metric(numbers[0]), charts)


def seeds(loss: str, score: str, history: bool) -> str:
    """The winner's seeds, one row each, in the order they were tracked in.

    history: whether they have curves."""
    columns = [_tag("role"), _tag("seed"), *map(_metric, (f"val/{loss}", f"val/{score}", "gap/gap"))]
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
    charts = [curve] * history + [_chart("SCATTER", xaxis=_axis("gap/gap"), yaxis=_axis(f"val/{loss}"))]
    return _view(columns, "attributes.start_time", charts, "tags.role = 'winner'")


def rehearsals(metrics: Iterable[str]) -> str:
    """One row a fresh division of the table. metrics: the names of those its run has."""
    middles = [name for name in metrics if name.endswith((".mean", ".share"))]
    return _view([_tag("split_seed"), *map(_metric, middles)], "attributes.start_time", [])


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
