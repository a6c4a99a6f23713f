"""Which column of a table of predictions is what: as its reader says, or as it is usually called."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from fnmatch import fnmatchcase

from handnet.data import listed
from handnet.messages import Refusal, nearest, option

KINDS = ("p", "logit", "yhat", "label")  # of predictions; a table holds one
USUAL: Mapping[str, str] = {
    "model": "model model_name model_id method classifier regressor estimator algorithm",
    "split": "split fold division cv_fold fold_id split_id",
    "seed": "seed run repeat replica replicate rep random_state random_seed trial seed_id run_id",
    "case": "case case_id id ids sample sample_id example example_id instance instance_id row_id idx index",
    "group": "group groups group_id cluster cluster_id",
    "part": "part subset partition set",
    "y": "y y_true ytrue true truth target actual gold ground_truth groundtruth true_label label_true"
    " y_actual y_test observed outcome",
    "n_train": "n_train ntrain train_size",
    "p": "p prob proba probability score y_prob y_proba y_score pred_prob pred_proba y_pred_proba"
    " y_pred_prob predict_proba p_hat phat predicted_probability",
    "logit": "logit logits log_odds logodds decision decision_function y_logit",
    "yhat": "yhat y_hat",
    "label": "label y_label predicted_label pred_label predicted_class pred_class class_pred predicted_y",
}  # names that say what a column is, in lower case
UNSURE = "prediction pred predicted y_pred ypred preds predictions y_predicted".split()  # of any kind
PREFIXES = {
    "p": [
        "p_",
        "prob_",
        "proba_",
        "probability_",
        "y_prob_",
        "y_proba_",
        "pred_prob_",
        "pred_proba_",
        ".pred_",
    ],
    "logit": "logit_ logits_".split(),
}  # what stands before a label in the name of its own column
QUANTILE = re.compile(r"q_?(\d*\.\d+|\d+)")


@dataclass(frozen=True)
class Columns:
    """The names of the columns of a table of predictions, where its reader says them; "" is found out.

    Only the truth and one prediction must be there. A `*` in a name stands for what differs between columns.

    model, split, seed, case, group, part: of the model, of the division of the rows, of the seed, of the
    case, of what several cases belong to, and of the part: test, val or train.
    y: of the truth. p: of the probability of the positive label, or "p_*" for a column a label; logit: of
    its logit, likewise; yhat: of a guessed number; label: of a label without a probability.
    quantiles: of guessed quantiles, "q*", where the star stands for a level.
    n_train: of the number of rows that were trained on, or that number.
    positive: the positive one of two labels. wide: columns of one seed each, as a list or as "seed_*".
    kind: what these hold, "p", "logit", "yhat" or "label". target: what a measured number is called.
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
    wide: str | Sequence[str] = ""
    kind: str = ""
    target: str = ""

    def said(self, purpose: str) -> str:
        """The name that the reader gives for a purpose, "" for none."""
        value = getattr(self, purpose)
        return value if isinstance(value, str) else ""


PLACES = ("model", "split", "seed", "case", "group", "part", "y")  # purposes of one column each


@dataclass(frozen=True)
class Found:
    """What the columns of a table are.

    places: purpose -> column, of PLACES and n_train. kind: one of KINDS, or "" where a name tells no kind and
    the values are to tell it; columns: those of the prediction, by the label that a name tells, "" where it
    tells none; quantiles: level -> column. notes: sentences on names that were taken for something.
    """

    places: Mapping[str, str]
    kind: str
    columns: Mapping[str, str]
    quantiles: Mapping[float, str]
    notes: tuple[str, ...] = ()


def find(names: Sequence[str], columns: Columns) -> Found:
    """What the columns of these names are. Raises Refusal where that is in doubt, or one is not there."""
    places = {purpose: name for purpose in PLACES if (name := _place(purpose, names, columns))}
    if n_train := columns.said("n_train") or (columns.n_train == "" and _usual("n_train", names, ())):
        places["n_train"] = _there(n_train, "n_train", names)
    _check_single(places)
    kind, found = _prediction(names, columns, set(places.values()))
    if "y" not in places:
        raise Refusal(_no_truth(names, kind, found))
    quantiles = _quantiles(names, columns) if kind in ("yhat", "") else {}
    if quantiles and not found:
        middle = quantiles.get(0.5)
        if not middle:
            raise Refusal(f"there are quantiles and no guess; name its column with {option('yhat', '')}.")
        kind, found = "yhat", {"": middle}
    if not found:
        raise Refusal(_no_prediction(names, places["y"]))
    usual = {places[purpose]: purpose for purpose in places if not columns.said(purpose)}
    told = [f"{name!r} as {purpose}" for name, purpose in usual.items() if name.lower() != purpose]
    notes = [f"Columns are taken for what their names say: {listed(told)}."] if told else []
    return Found(places, kind, found, quantiles, tuple(notes))


def _place(purpose: str, names: Sequence[str], columns: Columns) -> str:
    """The column of a purpose, "" where there is none."""
    said = columns.said(purpose)
    others = {columns.said(field.name) for field in fields(Columns) if field.name != purpose}
    return _there(said, purpose, names) if said else _usual(purpose, names, others)


def _usual(purpose: str, names: Sequence[str], taken: Sequence[str] | set[str]) -> str:
    """The column that is called as one of a purpose usually is; the first of the usual names is the one."""
    words = USUAL[purpose].split()
    found = [name for name in names if plain(name) in words and name not in taken]
    exact = [name for name in found if plain(name) == words[0]]
    if len(exact or found) > 1:
        both = " and ".join(map(repr, (exact or found)[:2]))
        raise Refusal(
            f"the columns {both} may both be the {purpose}; say which with"
            f" {option(purpose, (exact or found)[0])} or {option(purpose, (exact or found)[1])}."
        )
    return (exact or found or [""])[0]


def _there(name: str, purpose: str, names: Sequence[str]) -> str:
    """The column that the reader names, which may differ in upper and lower case."""
    if name in names:
        return name
    alike = [one for one in names if plain(one) == plain(name)]
    if len(alike) == 1:
        return alike[0]
    raise Refusal(f"there is no column {name!r} for {option(purpose)}; {nearest(name, names)}")


def _check_single(places: Mapping[str, str]) -> None:
    """That no column is two things."""
    purposes: dict[str, str] = {}
    for purpose, name in places.items():
        if purposes.setdefault(name, purpose) != purpose:
            raise Refusal(f"the column {name!r} cannot be both the {purposes[name]} and the {purpose}.")


def _prediction(names: Sequence[str], columns: Columns, taken: set[str]) -> tuple[str, Mapping[str, str]]:
    """The kind of the prediction, and its columns by label."""
    said = [kind for kind in KINDS if columns.said(kind)]
    if len(said) > 1:
        raise Refusal(_two_kinds([columns.said(kind) for kind in said], said))
    if said:
        return said[0], _said_columns(said[0], columns.said(said[0]), names)
    free = [name for name in names if name not in taken]
    found = {kind: one for kind in KINDS if (one := _usual(kind, free, ()))}
    many = {kind: some for kind in PREFIXES if (some := labelled(free, PREFIXES[kind], found.get(kind, "")))}
    unsure = [name for name in free if plain(name) in UNSURE]
    if len(found) + len(unsure) > 1:
        kinds = [*found, *("label" for _ in unsure)]
        raise Refusal(_two_kinds([*found.values(), *unsure], kinds))
    if found:
        ((kind, name),) = found.items()
        return ("" if kind == "yhat" else kind), {"": name}
    if many and unsure:
        raise Refusal(_two_kinds([next(iter(next(iter(many.values())).values())), unsure[0]], ["p", "label"]))
    if len(many) > 1:
        raise Refusal(f"there are columns p_* and logit_*; name one kind with {option('p', 'p_*')}.")
    if many:
        return next(iter(many.items()))
    return "", {"": unsure[0]} if unsure else {}


def _said_columns(kind: str, said: str, names: Sequence[str]) -> Mapping[str, str]:
    """The columns that the reader names for the prediction, by label."""
    if "*" not in said or said in names:
        return {"": _there(said, kind, names)}
    if not (found := starred(said, names)):
        raise Refusal(f"no column is called as {option(kind, said)} says; {nearest(said, names)}")
    return found


def starred(pattern: str, names: Sequence[str]) -> dict[str, str]:
    """The columns that fit a name with a star, by what stands for the star."""
    before, _, after = pattern.partition("*")
    fits = [name for name in names if fnmatchcase(name, pattern)]
    return {name[len(before) : len(name) - len(after)]: name for name in fits}


def labelled(names: Sequence[str], prefixes: Sequence[str], whole: str) -> dict[str, str]:
    """The columns whose name is that of a label behind a prefix, by label. whole: one that is none."""
    found: dict[str, str] = {}
    for name in names:
        fits = [prefix for prefix in prefixes if name.lower().startswith(prefix) and name != whole]
        if fits:
            found.setdefault(name[len(max(fits, key=len)) :], name)
    return found


def _two_kinds(names: Sequence[str], kinds: Sequence[str]) -> str:
    """What is said of several predictions in one table."""
    ways = " or ".join(option(kind, name) for kind, name in zip(kinds, names, strict=True))
    both = f"{', '.join(map(repr, names[:-1]))} and {names[-1]!r}"
    return f"the columns {both} are all predictions, and one kind is judged; say which with {ways}."


def _no_truth(names: Sequence[str], kind: str, found: Mapping[str, str]) -> str:
    """What is said of a table without a truth."""
    there = f"its columns are {listed(map(repr, names))}"
    if kind == "label":
        name = next(iter(found.values()))
        return f"there is no column of the truth; if {name!r} is the truth, say {option('y', name)}."
    if len(found) == 1 and "" in found:
        return (
            f"there is no column of the truth; {there}; name it with {option('y', '')}, or say"
            f" {option('scores', found[''])} if {found['']!r} is a score, one a seed."
        )
    return (
        f"there is no column of the truth; {there}; name it with {option('y', '')}, or name the columns of"
        f" scores with {option('scores', '')} if each row holds the scores of one seed."
    )


def _no_prediction(names: Sequence[str], truth: str) -> str:
    """What is said of a table with a truth and no prediction."""
    others = listed(repr(name) for name in names if name != truth) or "none"
    ways = ", ".join(option(kind, "") for kind in KINDS[:-1])
    return (
        f"no column is known as a prediction; beside {truth!r} there are {others}; name the one with"
        f" {ways} or {option('label', '')}."
    )


def _quantiles(names: Sequence[str], columns: Columns) -> dict[float, str]:
    """Level -> column of the guessed quantiles."""
    found: dict[float, str] = {}
    for level, name in _levels(names, columns):
        if not 0 < level < 1 or level in found:
            what = f"is that of {found[level]!r} too" if level in found else "is not between 0 and 1"
            raise Refusal(f"the level {level:g} of the quantile {name!r} {what}; write it as q05 or q0.05.")
        found[level] = name
    return dict(sorted(found.items()))


def _levels(names: Sequence[str], columns: Columns) -> Iterator[tuple[float, str]]:
    """The level and the column of each quantile."""
    if columns.quantiles:
        found = starred(columns.quantiles, names)
        if not found:
            known = nearest(columns.quantiles, names)
            raise Refusal(
                f"no column is called {columns.quantiles!r}, as {option('quantiles')} has it; {known}"
            )
        for level, name in found.items():
            if not QUANTILE.fullmatch(f"q{level}"):
                raise Refusal(f"the name of the quantile {name!r} must hold a level, as q05 does.")
            yield _level(level.lstrip("_")), name
        return
    for name in names:
        if match := QUANTILE.fullmatch(name.lower()):
            yield _level(match[1]), name


def _level(digits: str) -> float:
    """The level that digits stand for: .05 is written 05, 5 or 0.05, and .975 is 975 or 97.5."""
    if "." in digits:
        return float(digits) if float(digits) < 1 else float(digits) / 100
    return float(f"0.{digits}") if len(digits) > 2 and digits != "100" else int(digits) / 100


def plain(name: str) -> str:
    """A name in lower case, with one underscore for all that is no letter and no digit."""
    return re.sub(r"\W+|_+", "_", name.strip().lower()).strip("_")
