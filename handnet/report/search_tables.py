"""The tables of what choosing costs, and of what else might have been chosen; once for both pages."""

from collections.abc import Mapping, Sequence
from typing import Any

from handnet.report.model_tables import Params, searched
from handnet.report.score_names import IN_UNIT
from handnet.report.tables import Grid
from handnet.report.words import held, interval, label, mean_of, measure, of_trials, percent, written

ADAPTIVE = (
    "The correction pays for the choice of the best, not for trials that were proposed in the light of the"
    " same cases."
)
BELOW = (
    "The corrected loss is the lower one here: choosing flatters on average, and the estimate of by how much"
    " has an error of its own."
)
REPEATED = " A trial that repeats a configuration counts as one more draw."
BEST = 10  # trials that a page lists of a search
LISTED = 12  # configurations that another search might have chosen


def selection_table(facts: Mapping[str, Any]) -> Grid:
    """The winner's validation loss as chosen, and corrected for the choice."""
    found = facts["selection"]["corrected"]
    band, score = found["band"], facts["search"]["score"]
    cases = f"{band['n']} of {band['groups']} groups" if band["groups"] else str(band["n"])
    no_curve = (
        "The trials of this search were chosen in the light of each other, so there is no curve of the best"
        " against its size."
    )
    adapted = f" {ADAPTIVE}" if found["adaptive"] else ""
    below = f" {BELOW}" if found["corrected"] < found["naive"] else ""
    return Grid(
        "What choosing costs",
        f"The winner's {mean_of(score)} over the search seeds, as the search saw it and"
        " corrected for having been chosen (bootstrap bias corrected cross-validation, Tsamardinos et al."
        f" 2018).{adapted}{below}",
        ("as chosen", f"corrected [95 %{simulated(found['held'], **found['simulated'])}]", "cases"),
        [
            (
                written(found["naive"], score),
                corrected(found["corrected"], band["low"], band["high"], score),
                cases,
            )
        ],
        "" if facts["selection"]["best_of"] else no_curve,
    )


def corrected(value: float, low: float, high: float, score: str) -> str:
    """A corrected loss in its band, to the three decimals that the number of bootstrap samples allows."""
    if score in IN_UNIT:
        return f"{measure(value, high)} [{measure(low, high)}, {measure(high)}]"
    return f"{value:.3f} [{low:.3f}, {high:.3f}]"


def simulated(shares: Sequence[float] | None, configurations: int, cases: int) -> str:
    """How often such a band held the truth in simulated searches; empty where they were not like this one."""
    if shares is None:
        return ""
    low, high = shares
    return (
        f"; such an interval held the truth in {held((low, high))} simulated searches of {configurations}"
        f" configurations on {cases} cases"
    )


def best_of_table(facts: Mapping[str, Any]) -> Grid:
    """The best loss against the size of the search."""

    def best(value: float | None) -> str:  # the curve is of losses negated
        return written(None if value is None else -value, facts["search"]["score"])

    rows = [
        (
            str(point["size"]),
            *(best(point[name]) for name in ("mean", "plug_in", "median")),
            f"[{best(point['high'])}, {best(point['low'])}]",
        )
        for point in facts["selection"]["best_of"]
    ]
    repeated = REPEATED * bool(facts["search"]["repeats"])
    return Grid(
        "The best loss against the size of the search",
        "From this search's own points, taken for independent draws; a Sobol design is more even than that."
        f" An open end says the search is too small to bound it.{repeated}",
        ("configurations", "expected best", "plug-in", "median best", "95 % by order statistics"),
        rows,
    )


def again_table(facts: Mapping[str, Any]) -> Grid:
    """The configurations that other training seeds might have chosen, the most often chosen first."""
    again, by_place = facts["search"]["again"], {trial["place"]: trial for trial in facts["search"]["trials"]}
    score, params = facts["search"]["score"], searched(facts)
    rivals = [trial for trial in again["trials"] if trial["near"] or trial["chosen"] > 0]
    rivals.sort(key=lambda trial: (-trial["chosen"], trial["difference"]))
    rows = [
        (
            f"trial {trial['place']:02d}",
            *params.cells(by_place[trial["place"]]["params"], digits=3),
            f"{'+' * (trial['difference'] >= 0)}{written(trial['difference'], score)}"
            f" ({written(trial['error'], score)})",
            "yes" if trial["near"] else "no",
            percent(trial["chosen"]),
        )
        for trial in rivals[:LISTED]
    ]
    more = f" {len(rivals) - LISTED} more were chosen in some sample." if len(rivals) > LISTED else ""
    return Grid(
        "What other training seeds might have chosen",
        f"The configurations that lie within one standard error of the best, or are the best in some of"
        f" {again['samples']:,} bootstrap samples of the {again['seeds']} search seeds.{more}",
        (
            "configuration",
            *params.headings,
            f"{label(score)} less the best's (standard error, paired by seed)",
            "within one",
            "chosen in",
        ),
        rows,
        "Only the seeds of training are drawn again, not what the sampler proposes: another seed of the"
        " sampler would try other configurations.",
    )


def tried(trial: Mapping[str, Any], score: str) -> str:
    """The objective of a trial in its band over the search seeds, or why it has none. score: what it is."""
    if trial["value"] is None:
        return "lost" if trial["lost"] else "diverged"
    return in_seeds(trial, score)


def in_seeds(found: Mapping[str, Any], score: str) -> str:
    """An objective in its band over seeds; of a model without a seed it has none."""
    value = written(found["value"], score)
    return value if found["low"] is None else f"{value} {interval(found, score)}"


def confirmed(search: Mapping[str, Any]) -> str:
    """What the best gave on fresh seeds, behind what it gave in the search; empty without any."""
    fresh = search["winner_on_fresh_seeds"]
    if not fresh or fresh["seeds"] < 2:
        return ""
    text = f"; confirmed on {fresh['seeds']} fresh seeds: "
    parts = {"diverged": fresh["diverged"] - fresh["lost"], "lost": fresh["lost"]}
    absent = ", ".join(f"{count} {why}" for why, count in parts.items() if count)
    if fresh["value"] is None:
        return text + absent
    if fresh["low"] == fresh["high"]:
        return f"{text}{f'({absent}) ' * bool(absent)}{written(fresh['value'], search['score'])}, all alike"
    return (
        f"{text}{f'({absent}) ' * bool(absent)}{in_seeds(fresh, search['score'])}, which covers"
        f" {percent(fresh['coverage'])} of further seeds on average over studies"
    )


def ranked(trials: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The best trials, the best first; those without an objective last."""
    return sorted(trials, key=lambda one: (one["value"] is None, one["value"], one["place"]))[:BEST]


def search_table(facts: Mapping[str, Any], search: Mapping[str, Any]) -> Grid:
    """The best trials of a model that does not decide. search: its record of `other_searches`."""
    params, score = Params(tuple(search["params"])), facts["search"]["score"]
    many = str(len(search["trials"]))
    many = of_trials(len(search["trials"]), search["repeats"]) if search["repeats"] else many
    rows = [
        (str(rank), str(one["place"]), *params.cells(one["params"]), tried(one, score), str(one["lost"]))
        for rank, one in enumerate(ranked(search["trials"]), 1)
    ]
    return Grid(
        f"The search of {search['model']}",
        f"The best of {many}, searched as those of the model that decides.",
        ("rank", "trial", *params.headings, "objective [seeds .025 to .975]", "seeds lost"),
        rows,
    )
