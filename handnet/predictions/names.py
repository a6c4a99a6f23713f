"""What columns of predictions are usually called, and which one a name stands for."""

import re
from collections.abc import Collection, Sequence
from fnmatch import fnmatchcase

from handnet.data import listed
from handnet.messages import Refusal, nearest, option

USUAL = {
    purpose: words.split()
    for purpose, words in {
        "model": "model model_name model_id method classifier regressor estimator algorithm",
        "split": "split fold division cv_fold fold_id split_id",
        "seed": "seed run repeat replica replicate rep random_state random_seed seed_id run_id",
        "case": "case case_id id ids sample sample_id example example_id instance instance_id row_id idx",
        "group": "group groups group_id cluster cluster_id patient patient_id subject subject_id",
        "part": "part subset partition dataset_split data_split",
        "y": "y y_true ytrue true truth target actual gold ground_truth groundtruth true_label label_true"
        " y_actual y_test observed outcome",
        "n_train": "n_train ntrain train_size",
        "p": "p prob proba probability score y_prob y_proba y_score pred_prob pred_proba y_pred_proba"
        " y_pred_prob predict_proba p_hat phat predicted_probability",
        "logit": "logit logits log_odds logodds decision decision_function y_logit",
        "yhat": "yhat y_hat",
        "label": "label y_label predicted_label pred_label predicted_class pred_class class_pred",
    }.items()
}  # names that say what a column is, in lower case; the first is the one of the form
PERSONS = "patient patient_id subject subject_id".split()  # groups, or cases where each has one row
UNSURE = "prediction pred predicted y_pred ypred preds predictions y_predicted".split()  # of any kind
PREFIXES = {
    "p": "p_ prob_ proba_ probability_ y_prob_ y_proba_ pred_prob_ pred_proba_ .pred_".split(),
    "logit": "logit_ logits_".split(),
}  # what stands before a label in the name of its own column


def usual(purpose: str, names: Sequence[str], taken: Collection[str] = ()) -> str:
    """The column that is called as one of a purpose usually is, "" where there is none.

    The name that the form gives it goes before others. Raises Refusal where two may be meant."""
    found = [name for name in names if plain(name) in USUAL[purpose] and name not in taken]
    exact = [name for name in found if plain(name) == USUAL[purpose][0]]
    best = exact or found
    if len(best) > 1:
        ways = " or ".join(way(purpose, name) for name in best[:2])
        what = {"y": "truth", "p": "probability"}.get(purpose, purpose)
        raise Refusal(
            f"the columns {' and '.join(map(repr, best[:2]))} may both be the {what}; say which with {ways}."
        )
    return best[0] if best else ""


def there(name: str, purpose: str, names: Sequence[str]) -> str:
    """The column that the reader names, who may write its letters small or large.

    Raises Refusal where it is not there."""
    if name in names:
        return name
    alike = [one for one in names if one.lower() == name.strip().lower()]
    if len(alike) == 1:
        return alike[0]
    raise Refusal(f"there is no column {name!r}, as {way(purpose, name)} says; {likely(name, names)}")


def starred(pattern: str, purpose: str, names: Sequence[str]) -> dict[str, str]:
    """The columns that fit a name with a star, by what stands for the star. Raises Refusal for none."""
    before, _, after = pattern.partition("*")
    found = {name[len(before) : len(name) - len(after)]: name for name in names if fnmatchcase(name, pattern)}
    if not found:
        raise Refusal(f"no column is called as {way(purpose, pattern)} says; {likely(pattern, names)}")
    return found


def labelled(
    names: Sequence[str], prefixes: Sequence[str], single: Collection[tuple[str, str]]
) -> dict[str, str]:
    """The columns whose name is a label behind a prefix, by label. single: columns that are none."""
    whole, found = {name for name, _ in single}, dict[str, str]()
    for name in names:
        fits = [prefix for prefix in prefixes if name.lower().startswith(prefix)]
        if fits and name not in whole:
            found.setdefault(name[len(max(fits, key=len)) :], name)
    return found


def way(purpose: str, name: str = "") -> str:
    """The option that names the column of a purpose; that of the model is --by where commands are typed."""
    typed = option("by") != "by"
    return option("by" if typed and purpose == "model" else purpose.replace("_", "-"), name)


def likely(name: str, names: Sequence[str]) -> str:
    """The column that may have been meant by a name, or the first twelve there are."""
    meant = nearest(name, names)
    return meant if meant.endswith("?") else f"there are {listed(map(repr, names), 12)}."


def plain(name: str) -> str:
    """A name in lower case, with one underscore for all that is neither letter nor digit."""
    return re.sub(r"[\W_]+", "_", name.lower()).strip("_")
