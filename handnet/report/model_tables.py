"""Parameters as columns of a table; the tables of lost seeds and of what is left out."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from handnet.report.model_words import lost_of, param_words, studied
from handnet.report.tables import Grid
from handnet.study.settings import MLP

FEW = 4  # parameters that have a column each; more stand in one
LISTED = 10  # lost seeds that a page lists


class Params(NamedTuple):
    """The columns of a table for these parameters, in their order: one each, or one for all of many."""

    names: tuple[str, ...]

    @property
    def packed(self) -> bool:
        """Whether all parameters stand in one column, as name=value."""
        return len(self.names) > FEW

    @property
    def headings(self) -> tuple[str, ...]:
        """The headings of the columns."""
        return ("parameters",) if self.packed else tuple(map(param_words, self.names))

    def cells(self, params: Mapping[str, Any] | None, none: str = "-", digits: int = 6) -> tuple[str, ...]:
        """The values of one configuration.

        params: None for a method without parameters; none: what stands for a value that is not there; digits:
        significant ones of a number.
        """
        params = params or {}
        if not self.packed:
            return tuple(_value(params[name], digits) if name in params else none for name in self.names)
        return (in_one({name: params[name] for name in self.names if name in params}, digits) or none,)


def in_one(params: Mapping[str, Any], digits: int = 6) -> str:
    """Parameters with their values, as one text."""
    return ", ".join(f"{name}={_value(value, digits)}" for name, value in params.items())


def _value(value: Any, digits: int) -> str:
    """A value: a number to so many significant digits, any other as it is."""
    return f"{value:.{digits}g}" if isinstance(value, float) else str(value)


def searched(facts: Mapping[str, Any]) -> Params:
    """The columns of the searched parameters."""
    return Params(tuple(facts["search"]["params"]))


def params_of(configurations: Sequence[Mapping[str, Any]], first: Sequence[str]) -> Params:
    """The columns of the parameters of confirmed configurations. first: those that come first."""
    tables = (one["params"] or {} for one in configurations)
    return Params(tuple(dict.fromkeys([*first, *(name for params in tables for name in params)])))


def fixed(configuration: Mapping[str, Any]) -> str:
    """The parameters of a confirmed model that were not searched; empty for a network by hand, whose recipe
    stands in the settings, and for a method."""
    if configuration["model"] in (None, MLP):
        return ""
    searched = configuration["params"]
    rest = {name: value for name, value in configuration["recipe"].items() if name not in searched}
    return f"fixed: {in_one(rest)}" if rest else ""


def why_absent(facts: Mapping[str, Any]) -> tuple[str, ...]:
    """Why seeds of a configuration may have no result: they diverged, or were lost."""
    history = studied(facts).history
    return ("diverged",) * history + ("lost",) * bool(facts.get("lost") or not history)


def absent(facts: Mapping[str, Any], one: Mapping[str, Any], why: str) -> str:
    """How many seeds of a confirmed configuration have no result for this reason. one: its facts."""
    count = lost_of(facts, one["role"]) if why == "lost" else len(one[why])
    return f"{count} of {one['seeds'][2]}"


def lost_table(facts: Mapping[str, Any]) -> Grid:
    """The seeds on which a model failed, and why."""
    lost: Sequence[Mapping[str, Any]] = facts["lost"]
    more = f" The first {LISTED} are listed; all are in report.json." if len(lost) > LISTED else ""
    were = "1 seed was" if len(lost) == 1 else f"{len(lost)} seeds were"
    return Grid(
        "Lost seeds",
        f"{were} lost, because the model failed.{more} In the search a configuration with a lost seed never"
        " wins; on fresh seeds the bands are of the others.",
        ("configuration", "parameters", "seed", "why"),
        [
            (str(one["role"]), in_one(one["params"]) or "-", str(one["seed"]), str(one["why"]))
            for one in lost[:LISTED]
        ],
    )


def left_out_table(facts: Mapping[str, Any]) -> Grid:
    """What these results cannot say, and why."""
    rows = [(row["what"], row["why"]) for row in facts["left_out"]]
    return Grid("Left out", "", ("what", "why"), rows)
