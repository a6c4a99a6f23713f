"""Which column of a table of predictions is what: as its reader says, or as it is usually called."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from fnmatch import fnmatchcase

import numpy as np

from handnet.data import listed
from handnet.messages import Refusal, option
from handnet.predictions.cells import text_of
from handnet.predictions.names import PREFIXES, UNSURE, USUAL, labelled, plain, starred, there, usual, way
from handnet.tables.numerals import is_number

KINDS = ("p", "logit", "yhat", "label")  # of predictions; a table holds one
PLACES = ("model", "split", "seed", "case", "group", "part", "y", "n_train")  # purposes of one column each
LEVEL = re.compile(r"q_?(\d*\.\d+|\d+)")  # the name of a quantile


@dataclass(frozen=True)
class Columns:
    """The names of the columns of a table of predictions where they are not the usual ones.

    Only the truth and one prediction must be in a table. "" is found out.

    model, split, seed, case, group, part: the columns of the model, of the division of the rows, of the seed,
    of the case, of what several cases belong to, and of the part (test, val or train).
    y: the truth. p: the probability of the positive label, or "p_*" for a column a label; logit: its logit,
    likewise; yhat: a guessed number; label: a label without a probability.
    quantiles: "q*", guessed quantiles, where the star stands for the level.
    n_train: how many rows were trained on, as a number or as the column that holds it.
    positive: the positive one of two labels. target: what a measured number is called.
    wide: the columns of one seed each, as a list or as "seed_*"; kind: what they hold, one of KINDS.
    scores: the columns of scores, as a list or as "test_*", of a table with one score a seed and no cases.
    """

    model: str = ""
    split: str = ""
    seed: str = ""
    case: str = ""
    group: str = ""
    part: str = ""
    y: str = ""
    p: str = ""
    logit: str = ""
    yhat: str = ""
    label: str = ""
    quantiles: str = ""
    n_train: str | int = ""
    positive: str = ""
    target: str = ""
    wide: str | Sequence[str] = ""
    kind: str = ""
    scores: str | Sequence[str] = ""

    def __post_init__(self) -> None:
        """Names and labels become text. Raises Refusal for what cannot be one."""
        for field in fields(self):
            value = getattr(self, field.name)
            is_list = field.name == "wide" and isinstance(value, list | tuple)
            named = [*value] if is_list else [value]
            if wrong := [one for one in named if not isinstance(one, str | int | float | np.generic)]:
                what = "a label" if field.name == "positive" else "the name of a column"
                kind = type(wrong[0]).__name__
                raise Refusal(f"{option(field.name)} must be {what}, but is of the type {kind}.")
            texts = [text_of(one) for one in named]
            object.__setattr__(self, field.name, tuple(texts) if is_list else texts[0])

    def said(self, purpose: str) -> str:
        """The name that the reader gives for a purpose, "" for none."""
        value: str = getattr(self, purpose)
        return "" if purpose == "n_train" and is_number(value) else value


@dataclass(frozen=True)
class Guess:
    """What the columns of the prediction are.

    kind: one of KINDS, "" where the values are to tell it; columns: by the label that each name tells, ""
    where it tells none; quantiles: level -> column; wide: whether the column was made of wide ones.
    """

    kind: str
    columns: Mapping[str, str]
    quantiles: Mapping[float, str]
    wide: bool = False

    def way(self, kind: str) -> str:
        """The option that says that the column holds this kind."""
        return option("kind", kind) if self.wide else option(kind, self.columns.get("", ""))


def find_places(names: Sequence[str], columns: Columns) -> dict[str, str]:
    """Purpose -> column, for the purposes in PLACES that there is a column for.

    Raises Refusal where two columns may be one, one is said that is not there, and where there is no truth.
    """
    said = {columns.said(purpose) for purpose in (*PLACES, *KINDS)}
    places: dict[str, str] = {}
    for purpose in PLACES:
        asked = columns.said(purpose)
        given = purpose == "n_train" and columns.n_train != "" and not asked  # as a number
        name = there(asked, purpose, names) if asked else "" if given else usual(purpose, names, said)
        places |= {purpose: name} if name else {}
    _check_single({**places, **{kind: name for kind in KINDS if (name := columns.said(kind))}})
    if "y" not in places:
        raise Refusal(_no_truth(names, columns, set(places.values())))
    return places


def told(places: Mapping[str, str], columns: Columns) -> list[str]:
    """A sentence on the columns that are taken for something whose name in the form is another."""
    taken = [
        f"{name!r} as {purpose}"
        for purpose, name in places.items()
        if not columns.said(purpose) and plain(name) != purpose
    ]
    return [f"Columns are taken for what their names say: {listed(taken)}."] if taken else []


def find_guess(
    names: Sequence[str], columns: Columns, places: Mapping[str, str], labels: Collection[str]
) -> Guess:
    """The columns of the prediction. Raises Refusal for none, and for two kinds.

    places: as `find_places` gives them; labels: of the truth, as their columns may be called; none where
    there are too many."""
    free = [name for name in names if name not in places.values()]
    kind, found = _said(names, columns) or _usual(free, labels)
    quantiles = dict(sorted(_quantiles(free, columns).items())) if kind in ("yhat", "") else {}
    if quantiles and not found:
        if 0.5 not in quantiles:
            raise Refusal(f"there are quantiles and no guess; name its column with {option('yhat', '')}.")
        kind, found = "yhat", {"": quantiles[0.5]}
    if not found:
        others = listed(map(repr, free)) or "nothing"
        ways = f"{', '.join(option(kind, '') for kind in KINDS[:-1])} or {option(KINDS[-1], '')}"
        raise Refusal(
            f"no column is known as a prediction; beside the truth {places['y']!r} there is {others}; name"
            f" the one with {ways}."
        )
    return Guess(kind, found, quantiles, bool(columns.wide))


def are_texts(names: Sequence[str], columns: Columns) -> set[str]:
    """The columns of a file that are to be read as text: all but those that may hold numbers."""
    kinds = ("p", "logit", "yhat")
    numbers = {name for name in names if plain(name) in UNSURE or LEVEL.fullmatch(name.lower())}
    numbers |= {name for name in names if any(plain(name) in USUAL[one] for one in (*kinds, "y", "n_train"))}
    numbers |= {one for prefixes in PREFIXES.values() for one in labelled(names, prefixes, ()).values()}
    said = [columns.said(one) for one in (*kinds, "quantiles", "y")]
    said += [columns.wide] if isinstance(columns.wide, str) else columns.wide
    numbers |= {name for name in names for one in said if one and fnmatchcase(name, one)}
    texts = {columns.said(one) for one in (*PLACES[:-2], "label")}
    return {name for name in names if name in texts or name not in numbers}


def _check_single(places: Mapping[str, str]) -> None:
    """That no column is two things."""
    purposes: dict[str, str] = {}
    for purpose, name in places.items():
        if purposes.setdefault(name, purpose) != purpose:
            raise Refusal(
                f"the column {name!r} cannot be both {purposes[name]} and {purpose}; name another with"
                f" {way(purpose)}."
            )


def _said(names: Sequence[str], columns: Columns) -> tuple[str, Mapping[str, str]] | None:
    """The kind of the prediction that the reader names, and its columns by label; None for none."""
    said = {kind: name for kind in KINDS if (name := columns.said(kind))}
    if len(said) > 1:
        raise Refusal(_two_kinds([(name, kind) for kind, name in said.items()]))
    for kind, name in said.items():
        whole = "*" not in name or name in names
        return kind, {"": there(name, kind, names)} if whole else starred(name, kind, names)
    return None


def _usual(names: Sequence[str], labels: Collection[str]) -> tuple[str, Mapping[str, str]]:
    """The kind of the prediction that the names tell, and its columns by label; none where there is none."""
    unsure = [name for name in names if plain(name) in UNSURE]
    single = [(name, kind) for kind in KINDS if (name := usual(kind, names))]
    single += [(name, "label" if labels else "yhat") for name in unsure]
    many = {kind: labelled(names, PREFIXES[kind], single) for kind in PREFIXES}
    of_labels = {kind: some for kind, some in many.items() if some.keys() & set(labels)}
    if len(single) + len(of_labels) > 1 and not (single and single[0][1] in of_labels and len(single) == 1):
        raise Refusal(_two_kinds([*single, *((f"{kind}_*", kind) for kind in of_labels)]))
    if single:
        ((name, kind),) = single
        return ("" if name in unsure or kind == "yhat" else kind), {"": name}
    return next(((kind, some) for kind, some in (of_labels or many).items() if some), ("", {}))


def _two_kinds(found: Sequence[tuple[str, str]]) -> str:
    """What is said of several predictions in one table. found: name and kind of each."""
    ways = " or ".join(option(kind, name) for name, kind in found)
    both = f"{', '.join(repr(name) for name, _ in found[:-1])} and {found[-1][0]!r}"
    return f"the columns {both} are all predictions, and one kind is judged; say which with {ways}."


def _no_truth(names: Sequence[str], columns: Columns, taken: Collection[str]) -> str:
    """What is said of a table without a truth."""
    free = [name for name in names if name not in taken]
    if not columns.label and "label" in map(plain, free):
        return f"there is no column of the truth; if it is 'label', say {option('y', 'label')}."
    score = columns.p or next((name for name in free if plain(name) in USUAL["p"]), "")
    scores = f"say {option('scores', score)}" if score else f"name scores with {option('scores', '')}"
    return (
        f"there is no column of the truth, only {listed(map(repr, names))}; name it with {option('y', '')},"
        f" or {scores} if each row holds the score of one seed."
    )


def _quantiles(names: Sequence[str], columns: Columns) -> dict[float, str]:
    """Level -> column of the guessed quantiles."""
    found: dict[float, str] = {}
    for level, name in _levels(names, columns):
        if not 0 < level < 1:
            raise Refusal(f"the level {level:g} of the quantile {name!r} is not between 0 and 1.")
        if found.setdefault(level, name) != name:
            raise Refusal(f"the quantiles {found[level]!r} and {name!r} have one level, {level:g}.")
    return found


def _levels(names: Sequence[str], columns: Columns) -> Iterator[tuple[float, str]]:
    """The level and the column of each quantile."""
    if columns.quantiles:
        for level, name in starred(columns.quantiles, "quantiles", names).items():
            if not (match := LEVEL.fullmatch(f"q{level}")):
                raise Refusal(f"the name of the quantile {name!r} must hold its level, as q05 does.")
            yield _level(match[1]), name
    else:
        yield from ((_level(match[1]), name) for name in names if (match := LEVEL.fullmatch(name.lower())))


def _level(digits: str) -> float:
    """The level that digits stand for: .05 is written 05, 5 or 0.05, and .975 is 975 or 97.5."""
    if "." in digits:
        return float(digits) if float(digits) < 1 else float(digits) / 100
    return float(f"0.{digits}") if len(digits) > 2 and digits != "100" else int(digits) / 100
