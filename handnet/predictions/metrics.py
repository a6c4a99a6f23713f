"""What the names of scores mean elsewhere: which score it is, of which part, and which way is better."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np

from handnet.scores import Score, Share
from handnet.tasks import Scale, Task, task_of

PARTS = {
    **dict.fromkeys(("test", "holdout", "held_out"), "test"),
    **dict.fromkeys(("val", "valid", "validation", "dev"), "val"),
    **dict.fromkeys(("train", "training"), "train"),
}
ELSEWHERE = {  # how others name our scores; "neg_" before a name turns it
    "acc": "accuracy",
    "bal_acc": "balanced_accuracy",
    "balanced_acc": "balanced_accuracy",
    "roc_auc": "auc",
    "auroc": "auc",
    "rocauc": "auc",
    "auc_roc": "auc",
    "roc_auc_ovr": "auc",
    "roc_auc_ovo": "auc_hand_till",
    "ap": "average_precision",
    "auprc": "average_precision",
    "pr_auc": "average_precision",
    "logloss": "log_loss",
    "nll": "log_loss",
    "cross_entropy": "log_loss",
    "crossentropy": "log_loss",
    "brier_loss": "brier",
    "tpr": "sensitivity",
    "tnr": "specificity",
    "f1_macro": "macro_f1",
    "matthews_corrcoef": "mcc",
    "matthews_corr": "mcc",
    "cohen_kappa": "kappa",
    "root_mean_squared_error": "rmse",
    "mean_squared_error": "mse",
    "mean_absolute_error": "mae",
}
LOWER = re.compile(r"(^|_)(loss|error|err|perplexity|mape|smape|rmsle|msle|ece)$")  # lower is better
HIGHER = re.compile(r"(^|_)(score|precision|recall|f1|auc|accuracy|acc|bleu|rouge|iou|dice|elo)(_|$)")
NO_SCORES = frozenset(  # columns of numbers that tables of runs have beside their scores
    "fit_time score_time time seconds duration runtime elapsed epoch epochs step steps iteration iterations"
    " best_epoch timestamp index level_0 batch_size lr learning_rate dropout weight_decay n_params".split()
)


@dataclass(frozen=True)
class Metric:
    """One score.

    name: ours where we know the score, else as it came; part: "test", "val" or "train", empty where the name
    says none; higher: whether more is better, None where nothing says; turned: whether it came with its sign
    turned, as scikit-learn's neg_log_loss; least, most: the values it can take; unit: of a difference, as of
    `handnet.tasks.Scale`; known: whether it is a score of ours.
    """

    name: str
    part: str = ""
    higher: bool | None = None
    turned: bool = False
    least: float = -np.inf
    most: float = np.inf
    unit: str = ""
    known: bool = False

    def scale(self, higher: bool | None = None) -> Scale:
        """How two models are compared on it; where nothing says which way is better, as they are.

        higher: what the reader says of it, which counts for a score that is not ours.
        """
        better = self.higher if self.known or higher is None else higher
        return Scale(self.unit, -1.0 if better is False else 1.0, self.most - self.least)


def metric_of(name: str) -> Metric:
    """What a score's name means: "test_acc", "neg_log_loss", "val/roc_auc", "Validation AUROC", "rouge"."""
    plain = re.sub(r"[^0-9a-z]+", "_", name.strip().lower()).strip("_")
    part, rest = _part(plain)
    turned = rest.startswith("neg_")
    rest = rest.removeprefix("neg_").removeprefix("mean_test_")
    for word in (rest, rest.removesuffix("_score")):
        ours = ELSEWHERE.get(word, word)
        if ours in known_scores():
            return _known(ours, part, turned)
    if plain == part:
        return Metric(name)
    higher = True if turned else False if LOWER.search(rest) else True if HIGHER.search(rest) else None
    return Metric(f"{'neg_' * turned}{rest}" if part else name, part, higher)


def _part(plain: str) -> tuple[str, str]:
    """The part that a name begins or ends with, and the rest of the name."""
    for word, part in PARTS.items():
        if plain.startswith(f"{word}_"):
            return part, plain.removeprefix(f"{word}_")
        if plain.endswith(f"_{word}"):
            return part, plain.removesuffix(f"_{word}")
    return "", plain.removeprefix("eval_")


def _known(name: str, part: str, turned: bool) -> Metric:
    task, score = known_scores()[name]
    higher = None if getattr(score, "signed", False) else score.higher
    unit = "points" if isinstance(score, Share) else task.scale(name).unit
    return Metric(name, part, higher, turned, score.least, score.most, unit, known=True)


@cache
def known_scores() -> Mapping[str, tuple[Task, Score]]:
    """Every score of ours by its name, with a task that has it: of a name that two tasks share, the one whose
    score reaches farther."""
    found: dict[str, tuple[Task, Score]] = {}
    for task in (task_of(2), task_of(3), task_of(0)):
        for name, score in task.every.items():
            before = found.get(name)
            if before is None or score.most > before[1].most:
                found[name] = task, score
    return {name: pair for name, pair in found.items() if not re.search(r"_\d+$", name) or "top_" in name}
