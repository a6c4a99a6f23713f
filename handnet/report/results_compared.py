"""The tables of comparisons of results from elsewhere: what decides, other scores, flips, and each test."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from handnet.bands.compare import ALPHA
from handnet.report.comparison_tables import NO_P, in_interval, seen_in_80
from handnet.report.model_words import MODELS
from handnet.report.on_test_tables import on_test_table
from handnet.report.pair_words import seeds_of, test_name
from handnet.report.results_words import extent
from handnet.report.tables import Grid, label_of
from handnet.report.words import exact, in_band, measure, number, p_value, percent

FLIPS = 20  # flips that are listed of each pair; the data has all
Row = Mapping[str, Any]  # one pair on one score


def compare_grids(facts: Mapping[str, Any]) -> list[Grid]:
    """The tables of facts of comparisons, in the order of reading."""
    grids = [compared_grid(facts)]
    flips = _flips(facts)
    if flips.rows:
        grids.append(replace(flips, detail=len(facts["comparisons"]) > 1))
    return grids + [replace(grid, detail=True) for grid in _details(facts) if grid.rows]


def adjusted(row: Row) -> float | None:
    """The p of a comparison as adjusted by Holm's method, None where it stands alone."""
    return row.get("adjusted", row.get("p_holm"))


def difference_of(row: Row) -> str:
    """The difference in its band, with its unit."""
    unit = {"per cent": " %"}.get(row["unit"], f" {row['unit']}" if row["unit"] else "")
    return f"{in_interval(row['difference'], row['unit'], row.get('widest'))}{unit}"


def alarms(row: Row) -> str:
    """How often the test finds a difference where there is none, as simulated at these sizes."""
    found = row.get("false_alarms")
    if not found:
        return "-"
    return f"{percent(found['rate'])} [{percent(found['low'])}, {percent(found['high'])}]"


def decided(facts: Mapping[str, Any]) -> list[tuple[Mapping[str, Any], Row]]:
    """Every pair with the row that words its verdict."""
    return [(pair, pair["decides"]) for pair in facts["comparisons"] if pair.get("decides")]


def compared_grid(facts: Mapping[str, Any]) -> Grid:
    """The pairs on the score that words the verdict."""
    rows = decided(facts)
    cells = [(pair["ours"], pair["theirs"], *_cells(facts, row)) for pair, row in rows]
    return Grid(
        "Compared",
        read_differences(facts, [row for _, row in rows]),
        ("first", "second", *HEADINGS),
        cells,
        HOW,
    )


HEADINGS = ("score", "difference [band]", "p", "p (Holm)", "seen in 80 %", "false alarms")
HOW = (
    "Seen in 80 %: the smallest true difference that would have been found in at least 80 of 100 studies of"
    " these sizes; smaller ones are found less often. False alarms: how often the test finds a difference"
    " between two models that are equally good, as simulated at these sizes, at the level .05."
)


def _cells(facts: Mapping[str, Any], row: Row) -> tuple[str, ...]:
    holm = adjusted(row)
    return (
        label_of(facts, row["score"]),
        difference_of(row),
        p_value(row["p"]),
        "-" if holm is None else p_value(holm),
        seen_in_80(row, row["unit"]),
        alarms(row),
    )


def read_differences(facts: Mapping[str, Any], rows: Sequence[Row]) -> str:
    """What differences are of: over what, by which test, and what their bands hold."""
    losses = {one["score"] for one in facts["scores"] if one["higher"] is False}
    by_test: dict[str, list[Row]] = {}
    for row in rows:
        by_test.setdefault(test_of(row), []).append(row)
    tests = "; ".join(f"{test} ({_extent(some)})" for test, some in by_test.items())
    lower = any(row["score"] in losses for row in rows)
    loss = "; of a loss, the number says how much lower the first's is" if lower else ""
    many = any(row.get("detectable_level", ALPHA) < ALPHA for row in rows)
    alone = " Intervals are 95 % for each pair alone; verdicts are by Holm's p." * many
    return f"Above 0 the first is better{loss}. The test: {tests}.{alone}" if tests else ""


def _extent(rows: Sequence[Row]) -> str:
    """What differences are over and what their bands hold."""
    bands = [row["difference"] for row in rows]
    if bands[0]["varied"] != "seeds":
        return extent(bands)
    over = dict.fromkeys(seeds_of(row) for row in rows)
    return f"{percent(bands[0]['coverage']).replace('.0%', '%')}, over {' or '.join(over)}"


def test_of(row: Row) -> str:
    """The test of a comparison, by name."""
    return test_name(str(row.get("kind") or row["difference"]["kind"]))


def _details(facts: Mapping[str, Any]) -> Iterator[Grid]:
    """The tables for the reader who checks."""
    chosen = [row for _, row in decided(facts)]
    others = [
        (pair, row)
        for pair in facts["comparisons"]
        for row in (*pair["over_splits"], *pair.get("scores", ()))
        if not any(row["score"] == one["score"] and test_of(row) == test_of(one) for one in chosen)
    ]
    without = NO_P * any(row["p"] is None for _, row in others)
    yield Grid(
        "Compared, the other scores",
        f"{read_differences(facts, [row for _, row in others])} They describe; the verdict is worded on one"
        f" score alone, and their p are adjusted among themselves.{without}",
        ("first", "second", "test", *HEADINGS),
        [(pair["ours"], pair["theirs"], test_of(row), *_cells(facts, row)) for pair, row in others],
    )
    if any(pair.get("on_test") for pair in facts["comparisons"]):
        yield on_test_table({**facts, "by_chance": _by_chance(facts), **MODELS})
    yield _parts(facts)
    yield _chances(facts)


def _by_chance(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Of the p of areas, or of squared errors, on the test: how many are below alpha, how many by chance."""
    on_test = [pair["on_test"] for pair in facts["comparisons"] if pair["on_test"]]
    found = [test for of in on_test if (test := of.get("auc") or of.get("mse"))]
    below = {
        name: sum((1 if test[key] is None else test[key]) < ALPHA for test in found)
        for name, key in BELOW.items()
    }
    return {"alpha": ALPHA, "on_test": {"comparisons": len(found), "by_chance": ALPHA * len(found), **below}}


BELOW = {"below": "p", "below_by_holm": "p_holm"}


def _parts(facts: Mapping[str, Any]) -> Grid:
    """What the squared error of each difference is made of."""
    rows = []
    for pair in facts["comparisons"]:
        for row in pair.get("scores", ()):
            parts = {name: value for name, value in row["variances"].items() if value is not None}
            total = row["error"] ** 2
            shares = (percent(parts[n] / total) if n in parts and total else "-" for n in PARTS)
            score, errors = label_of(facts, row["score"]), (exact(row["error"]), f"{row['degrees']:.1f}")
            rows.append((pair["ours"], pair["theirs"], score, *errors, *shares))
    return Grid(
        "What the error of a difference is made of",
        "The standard error on the scale of the difference, the degrees of freedom of Student's t, and the"
        " shares of the squared error that come from cases, from seeds, and from what a seed does to a case.",
        ("first", "second", "score", "error", "degrees", *PARTS),
        rows,
    )


PARTS = ("cases", "seeds", "rest")


def _chances(facts: Mapping[str, Any]) -> Grid:
    """Over divisions: the chances of worse, equal and better, and how often the first is better."""
    rows = [
        (
            pair["ours"],
            pair["theirs"],
            label_of(facts, row["score"]),
            " / ".join(percent(row["rope"][name]) for name in ("worse", "equal", "better")),
            number(row["rope"]["width"]),
            in_band(row["wins"]),
        )
        for pair in facts["comparisons"]
        for row in pair["over_splits"]
    ]
    return Grid(
        "Chances over divisions",
        "The Bayesian reading of the corrected t test under a flat prior, for a region that counts as equal"
        " by convention, on the scale of the difference; and the share of divisions on which the first wins.",
        ("first", "second", "score", "worse / equal / better", "equal within", "P(first > second) [95 %]"),
        rows,
    )


def _flips(facts: Mapping[str, Any]) -> Grid:
    """The cases on which two models differ most."""
    divisions = {row["split"] for pair in facts["comparisons"] for row in pair["flips"]}
    rows = [
        (
            pair["ours"],
            pair["theirs"],
            f"#{row['case']}",
            *((row["split"],) if len(divisions) > 1 else ()),
            row["truth"] if isinstance(row["truth"], str) else measure(row["truth"]),
            *_sides(row),
        )
        for pair in facts["comparisons"]
        for row in pair["flips"][:FLIPS]
    ]
    told = "gets right more often, with the share of the seeds of each that get it right"
    if not facts["data"]["classes"]:
        told = "guesses better, with the mean absolute error of the seeds of each"
    sides = "right" if facts["data"]["classes"] else "off by"
    return Grid(
        "Flips",
        f"The cases that one model {told}; at most {FLIPS} of each pair, the data file has more.",
        (
            "first",
            "second",
            "case",
            *(("division",) if len(divisions) > 1 else ()),
            "truth",
            f"first {sides}",
            f"second {sides}",
        ),
        rows,
    )


def _sides(row: Row) -> tuple[str, str]:
    """How often each model gets a case right, or how far it is off."""
    if "ours_right" in row:
        return percent(row["ours_right"]), percent(row["theirs_right"])
    return measure(row["ours_error"]), measure(row["theirs_error"])


def terminal_pairs(facts: Mapping[str, Any]) -> Grid:
    """The pairs on the score that words the verdict, in few columns."""
    rows = decided(facts)
    cells = [
        (pair["ours"], pair["theirs"], difference_of(row), p_value(row["p"] if holm is None else holm), seen)
        for pair, row in rows
        for holm, seen in [(adjusted(row), seen_in_80(row, row["unit"]))]
    ]
    headings = ("first", "second", "difference [band]", "p (Holm)", "seen in 80 %")
    return Grid("", read_differences(facts, [row for _, row in rows]), headings, cells)
