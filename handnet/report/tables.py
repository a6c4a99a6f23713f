"""The report's tables, once for both pages: what stands in a cell is decided here, how it looks in the
templates."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from handnet.bands.calibration import ENOUGH
from handnet.bands.compare import noether_n
from handnet.bands.simulated import MAX_FALSE_POSITIVES, STUDIES
from handnet.report.words import (
    COUNTS,
    FENCE,
    GAPS,
    SCORES,
    exact,
    interval,
    label,
    middle,
    number,
    part_name,
    percent,
    points,
    those,
)

CALIBRATION = (
    "calibration_intercept",
    "calibration_slope",
    "calibration_observed_expected",
    "calibration_error",
)
CELLS = {
    ("seeds", "quantiles"): "seeds",
    ("seeds", "min-max"): "extremes",
    ("splits", "quantiles"): "splits",
    ("splits", "min-max"): "split_extremes",
    ("cases", "clopper-pearson"): "exact",
    ("cases", "null, 95 %"): "null",
    ("seeds", "chi-square"): "deviation",
}


@dataclass(frozen=True)
class Grid:
    """One table with what is said before and after it. Cells are plain text: escaping is the page's. detail:
    for the reader who checks; a page may keep it folded."""

    title: str
    before: str
    headings: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    after: str = ""
    detail: bool = False


def table(facts: Mapping[str, Any], part: str, scores: tuple[str, ...] = SCORES) -> list[dict[str, Any]]:
    """The bands of one part: a row for each configuration and score, a cell for each kind of band. The test's
    rows carry the bands over fresh divisions too."""
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for band in facts["bands"]:
        if band["part"] in (part, "rehearsal" if part == "test" else part) and band["score"] in scores:
            row = rows.setdefault(
                (band["role"], band["score"]), {"role": band["role"], "score": band["score"]}
            )
            row[_cell(band)] = band
    order = [*(entry["role"] for entry in facts["configurations"]), *(role for role, _ in rows)]
    return sorted(rows.values(), key=lambda row: (scores.index(row["score"]), order.index(row["role"])))


def _cell(band: Mapping[str, Any]) -> str:
    """The column of a band: over both, or over cases, unless its kind has one of its own."""
    other = "both" if band["varied"] == "seeds_x_cases" else "cases"
    return CELLS.get((band["varied"], band["kind"]), other)


def parts(facts: Mapping[str, Any]) -> list[str]:
    """The graded parts, the last word first."""
    return [part for part in ("test", "val") if any(band["part"] == part for band in facts["bands"])]


def grids(facts: Mapping[str, Any]) -> list[Grid]:
    """Every table of numbers, in the order of reading: the bands first, then what is decided by them, then
    the details."""
    last, *earlier = parts(facts)
    found = [_bands(facts, last)]
    if any(one["over_splits"] for one in facts["comparisons"]):
        found.append(_over_splits(facts, decides=True))
    found += [_gaps(facts), _calibration(facts, last)]
    if facts["selection"]["corrected"]:
        found.append(_selection(facts))
    return found + [replace(one, detail=True) for one in _details(facts, last, earlier)]


def _details(facts: Mapping[str, Any], last: str, earlier: Sequence[str]) -> Iterator[Grid]:
    if any(one["over_splits"] for one in facts["comparisons"]):
        yield _over_splits(facts, decides=False)
    if any(one["on_test"] for one in facts["comparisons"]):
        yield _on_test(facts)
    yield _rules(facts)
    if facts["variance"]:
        yield _variance(facts)
    yield _deviation(facts, last)
    if facts["selection"]["best_of"]:
        yield _best_of(facts)
    yield _counts(facts, last)
    if any(band["score"] in FENCE for band in facts["bands"]):
        yield _fence(facts, last)
    for part in earlier:
        yield _bands(facts, part)


def _said(band: Mapping[str, Any] | None) -> str:
    return f"{middle(band)} {interval(band)}" if band else "-"


def _role(row: Mapping[str, Any]) -> str:
    """The configuration, and how many of its seeds are missing."""
    band = row.get("seeds")
    lost = (
        f" ({band['diverged']} of {band['n'] + band['diverged']} seeds diverged)"
        if band and band["diverged"]
        else ""
    )
    return f"{row['role']}{lost}"


def _bands(facts: Mapping[str, Any], part: str) -> Grid:
    rows = table(facts, part)
    splits = any("splits" in row for row in rows)
    both = any("both" in row for row in rows)
    headings = ["score", "configuration", "another seed", "min to max", "other cases"]
    headings += ["seed and cases", "held in simulation"] if both else []
    headings += ["another split"] if splits else []
    cells = []
    for row in rows:
        line = [
            label(row["score"]),
            _role(row),
            _said(row.get("seeds")),
            interval(row.get("extremes")),
            _said(row.get("cases")),
        ]
        line[2] = "no seed" if "cases" in row and "seeds" not in row else line[2]
        if both:
            held = row["both"]["simulated"] if "both" in row else None
            line += [_said(row.get("both")), "-" if held is None else percent(held)]
        line += [_said(row.get("splits"))] if splits else []
        cells.append(tuple(line))
    name = part_name(part)
    return Grid(
        f"Bands on {name} rows",
        _coverage(facts, part, rows),
        tuple(headings),
        cells,
        HOW_TO_READ if both else "",
    )


HOW_TO_READ = (
    "Another seed: what training again gives, on this very split, median [.025, .975]. Other cases: what"
    " other cases of the same kind would have given one network, mean [95 %]: Wilson for shares, DeLong on"
    " the logit for the AUC, t on the logarithm for losses, which holds the truth in some 92 of 100 studies"
    " rather than 95. Seed and cases: both at once, resampled together, mean [95 %], never narrower than"
    f" over cases alone; beside it how often it held the truth in {STUDIES} simulated studies with this"
    " study's own errors. Another split: one network on each fresh division of the table, the rehearsal"
    " seeds in turn, median [.025, .975]. They answer different questions."
)


def _coverage(facts: Mapping[str, Any], part: str, rows: Sequence[Mapping[str, Any]]) -> str:
    sizes = facts["split"]["parts"][part]
    said = [
        f"{sizes['cases']} cases, {those(sizes['positive'], facts['data']['positive_class'])} among them."
    ]
    if part == "val":
        said.append("The winner was chosen on these rows, which flatters it here.")
    seeds = next((row for row in rows if "seeds" in row), None)
    if seeds:
        said.append(
            f"Over {seeds['seeds']['n']} seeds [.025, .975] covers {percent(seeds['seeds']['coverage'])} of"
            f" further seeds, min to max {percent(seeds['extremes']['coverage'])}."
        )
        wilks = facts["wilks"]
        if wilks["holds"] and seeds["seeds"]["n"] == wilks["seeds"]:
            said.append(
                f"With confidence {percent(wilks['confidence'])} min to max holds at least"
                f" {percent(wilks['content'])} of all further seeds (Wilks)."
            )
    splits = next((row["splits"] for row in rows if "splits" in row), None)
    if splits:
        said.append(
            f"Over {splits['n']} fresh divisions [.025, .975] covers {percent(splits['coverage'])} of further"
            " ones; the winner's is optimistic, for its settings were chosen on rows of the same table."
        )
    return " ".join(said)


def _over_splits(facts: Mapping[str, Any], decides: bool) -> Grid:
    """The comparisons on the score that words the verdict, or on the others."""
    rows = []
    for pair in facts["comparisons"]:
        for one in (one for one in pair["over_splits"] if one["decides"] == decides):
            band, near = one["difference"], one["rope"]
            loss = one["score"] == "log_loss"
            show = (lambda v: f"{v:+.4f}") if loss else points
            chances = (
                " / ".join(percent(near[name]) for name in ("worse", "equal", "better")) if near else "-"
            )
            rows.append(
                (
                    f"{pair['ours']} - {pair['theirs']}",
                    label(one["score"]),
                    f"{show(band['centres']['mean'])} [{show(band['low'])}, {show(band['high'])}]",
                    exact(one["p"]),
                    chances,
                    _said(one["wins"]),
                )
            )
    sets = (facts["opening"] or {"rehearsed": []})["rehearsed"]
    grown = (
        f" Their number was raised after the first look, from {', '.join(map(str, sets[:-1]))} to {sets[-1]}."
        if len(sets) > 1
        else ""
    )
    before = (
        f"The same configurations on {sets[-1] if sets else 0} fresh divisions of the table, made after the"
        f" opening; nothing was chosen by them.{grown} It takes {noether_n()} to tell P(first > second) = .75"
        " from a coin's. In points, above 0 for the first. The verdict is worded on accuracy alone, a score"
        " fixed in advance."
    )
    after = (
        "Divisions share rows, so the plain t test would find differences everywhere: the corrected one"
        " decides; the chances are its Bayesian reading under a flat prior; P(first > second) describes. How"
        " often each rule is wrong stands in the details."
    )
    headings = (
        "pair",
        "score",
        "difference [Nadeau-Bengio 95 %]",
        "p",
        "worse / within 1 point / better",
        "P(first > second) [95 %]",
    )
    if decides:
        return Grid("Compared over fresh divisions", before, headings, rows, after)
    turned = "Shares in points, log loss turned, so that above 0 is better there too. They describe."
    return Grid("Compared over fresh divisions, the other scores", turned, headings, rows)


def _on_test(facts: Mapping[str, Any]) -> Grid:
    rows = []
    for pair in facts["comparisons"]:
        one = pair["on_test"]
        if one:
            accuracy, auc, cases = one["accuracy"], one["auc"], one["mcnemar"]
            area = (
                f"{auc['centres']['mean']:+.4f} [{auc['low']:+.4f}, {auc['high']:+.4f}], p {exact(auc['p'])}"
                if auc
                else "-"
            )
            rows.append(
                (
                    f"{pair['ours']} - {pair['theirs']}",
                    (
                        f"{points(accuracy['centres']['mean'])} [{points(accuracy['low'])}, "
                        f"{points(accuracy['high'])}]"
                    ),
                    area,
                    f"{cases['only_ours']:g} to {cases['only_theirs']:g}",
                    f"{cases['below_alpha']} of {cases['seeds']} seeds",
                )
            )
    return Grid(
        "Compared on the opened test",
        "The networks as they stand, on the same test cases; what is said holds for this split.",
        (
            "pair",
            "accuracy, points [seeds and cases, 95 %]",
            "AUC [DeLong 95 %]",
            "cases only one calls right, median seed",
            "McNemar p < .05",
        ),
        rows,
    )


def _rules(facts: Mapping[str, Any]) -> Grid:
    rows = [
        (
            one["what"],
            one["setting"],
            percent(one["nominal"]),
            percent(one["found"]),
            str(one["studies"]),
            "yes" if one["may_word"] else "no",
        )
        for one in facts["rules"]
    ]
    return Grid(
        "How often each rule finds a difference where there is none",
        "Simulated with two equally good configurations at the sizes of this study, and found on the winner's"
        " own scores.",
        ("rule", "setting", "asked for", "found", "studies", f"at most {MAX_FALSE_POSITIVES} throughout"),
        rows,
        "The verdict is worded by the first rule, and only while it keeps below that in every setting; the"
        " others describe. The uncorrected t test is listed for what it would have done.",
    )


def _variance(facts: Mapping[str, Any]) -> Grid:
    rows = [
        (
            one["role"],
            label(one["score"]),
            one["design"],
            part["source"],
            number(part["deviation"]),
            percent(part["share"]),
            str(part["degrees"]) + (", below 0" if part["negative"] else ""),
        )
        for one in facts["variance"]
        for part in one["components"]
    ]
    return Grid(
        "Where the spread comes from",
        "Variance components of fully crossed designs without repetition: every configuration on every"
        " division with the same seeds, and the winner on the study's own split with the three streams of its"
        " seed varied one by one.",
        ("configuration", "score", "design", "source", "standard deviation", "share of variance", "degrees"),
        rows,
        "The last source of a design holds whatever nothing else explains. An estimate below 0 is shown as 0."
        " Few degrees say little: with five a standard deviation is uncertain by a factor of two and a half.",
    )


def _deviation(facts: Mapping[str, Any], part: str) -> Grid:
    rows = [
        (
            row["role"],
            (
                f"{points(row['deviation']['centres']['measured']).lstrip('+')}"
                f" [{points(row['deviation']['low']).lstrip('+')},"
                f" {points(row['deviation']['high']).lstrip('+')}]"
            ),
            points(row["deviation"]["centres"]["expected"]).lstrip("+"),
            str(row["deviation"]["n"]),
        )
        for row in table(facts, part, ("accuracy_deviation",))
    ]
    return Grid(
        "How much of the seed's noise the doubtful cases explain",
        "Standard deviation of accuracy over seeds in points, and what it would be if replicas missed each"
        " case independently, each with the share of replicas that miss it (Jordan 2023).",
        ("configuration", "measured [95 %, chi-square]", "expected", "seeds"),
        rows,
    )


def _selection(facts: Mapping[str, Any]) -> Grid:
    found = facts["selection"]["corrected"]
    no_curve = (
        "The trials of this search were chosen in the light of each other, so there is no curve of the best"
        " against its size."
    )
    band = found["band"]
    return Grid(
        "What choosing costs",
        "The winner's mean validation log loss over the search seeds, as the search saw it and corrected for"
        " having been chosen (bootstrap bias corrected cross-validation, Tsamardinos et al. 2018).",
        ("as chosen", "corrected [95 %]", "cases"),
        [(f"{found['naive']:.4f}", f"{found['corrected']:.4f} {interval(band)}", str(band["n"]))],
        "" if facts["selection"]["best_of"] else no_curve,
    )


def _best_of(facts: Mapping[str, Any]) -> Grid:
    def loss(value: float | None) -> str:  # the curve is of losses negated
        return "-" if value is None else f"{-value:.4f}"

    rows = [
        (
            str(one["size"]),
            loss(one["mean"]),
            loss(one["plug_in"]),
            loss(one["median"]),
            f"[{loss(one['high'])}, {loss(one['low'])}]",
        )
        for one in facts["selection"]["best_of"]
    ]
    return Grid(
        "The best loss against the size of the search",
        "From this search's own points, taken for independent draws; a Sobol design is more even than that."
        " An open end says the search is too small to bound it.",
        ("configurations", "expected best", "plug-in", "median best", "95 % by order statistics"),
        rows,
    )


def _counts(facts: Mapping[str, Any], part: str) -> Grid:
    by_role: dict[str, dict[str, Any]] = {}
    for row in table(facts, part, COUNTS):
        by_role.setdefault(row["role"], {})[row["score"]] = row["seeds"]
    rows = [
        (
            role,
            *(
                f"{found[name]['centres']['median']:g} [{found[name]['low']:g}, {found[name]['high']:g}]"
                for name in COUNTS
            ),
            str(found[COUNTS[0]]["n"]),
        )
        for role, found in by_role.items()
    ]
    return Grid(
        f"Counts on {part_name(part)} rows",
        f"Median over seeds [.025, .975]; positive is {facts['data']['positive_class']}, called so above a"
        " probability of .5, a threshold fixed in advance.",
        ("configuration", *(label(name) for name in COUNTS), "seeds"),
        rows,
    )


def _fence(facts: Mapping[str, Any], part: str) -> Grid:
    rows = [
        (
            label(row["score"]),
            row["role"],
            _said(row["seeds"]),
            interval(row["extremes"]),
            _said(row["cases"]),
            str(row["cases"]["n"]),
        )
        for row in table(facts, part, FENCE)
    ]
    return Grid(
        "At a threshold chosen on validation rows",
        "Each seed's own threshold, the lowest that calls 95 % of its validation negatives right; applied to"
        " the test as it is.",
        (
            "score",
            "configuration",
            "another seed: median [.025, .975]",
            "min to max",
            "other cases: mean [95 %]",
            "cases",
        ),
        rows,
    )


def _calibration(facts: Mapping[str, Any], part: str) -> Grid:
    rows = []
    for row in table(facts, part, CALIBRATION):
        beside = (
            f"below {number(row['null']['high'])} in 95 % if calibrated"
            if "null" in row
            else _said(row.get("cases"))
        )
        rows.append((label(row["score"]), row["role"], _said(row.get("seeds")), beside))
    sizes = facts["split"]["parts"][part]
    events = min(sizes["positive"], sizes["cases"] - sizes["positive"])
    few = (
        f" Too few cases for a curve: {events} of the rarer class, where {ENOUGH} are the least."
        if events < ENOUGH
        else ""
    )
    return Grid(
        "Calibration",
        f"In brackets what perfect calibration gives.{few}",
        (
            "measure",
            "configuration",
            "another seed: median [.025, .975]",
            "over cases: mean logit [Wald 95 %]",
        ),
        rows,
        "The calibration error is never 0: it is read against what a perfectly calibrated network of the same"
        " probabilities shows on as many cases. A slope has no band over seeds where some seed separates the"
        " classes.",
    )


def too_few(facts: Mapping[str, Any], part: str) -> int:
    """How many cases of the rarer class a part has, where that is too few to judge calibration; else 0."""
    sizes = facts["split"]["parts"][part]
    events = min(sizes["positive"], sizes["cases"] - sizes["positive"])
    return int(events) if events < ENOUGH else 0


def _gaps(facts: Mapping[str, Any]) -> Grid:
    rows = [
        (
            label(row["score"]),
            _role(row),
            _said(row["seeds"]),
            interval(row["extremes"]),
            f"{row['seeds']['n']}, {percent(row['seeds']['coverage'])}",
        )
        for row in table(facts, "gap", GAPS)
    ]
    flags = [
        f"{one['role']} {one['overfit']['flagged']} of {one['overfit']['seeds']}"
        for one in facts["configurations"]
        if one["overfit"]
    ]
    return Grid(
        "The gap between train and validation",
        (
            "Seeds flagged as overfitting (accuracy at least .03, and a tenth, better on train than on"
            f" validation rows): {', '.join(flags)}."
            if flags
            else ""
        ),
        ("gap", "configuration", "another seed: median [.025, .975]", "min to max", "seeds, covers"),
        rows,
        "Loss: validation minus train, dropout off in both, at the epoch whose weights are returned. Keras's"
        " gap takes the train loss Keras prints, averaged over the epoch with dropout on.",
    )
