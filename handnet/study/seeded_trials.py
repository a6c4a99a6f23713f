"""What the trials of a SeededObjective hold: the values by seed, their band, and a table of them all."""

from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral
from typing import TYPE_CHECKING, Any, TypeGuard

import numpy as np
from optuna import Study
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from handnet.bands.seeds import seed_bands
from handnet.messages import Refusal

if TYPE_CHECKING:
    import pandas as pd

BAND = "low high kind varied n coverage estimand diverged".split()  # of a Band, what an attribute has of it


def checked_seeds(seeds: int | Iterable[int]) -> list[int]:
    """The seeds as plain numbers; a whole number n stands for 0 to n - 1.

    Raises Refusal unless they are two or more whole numbers, no two alike.
    """
    several = range(int(seeds)) if is_whole(seeds) else seeds
    named = list(several) if isinstance(several, Iterable) and not isinstance(several, str) else []
    if len(named) < 2 or not all(map(is_whole, named)) or len(set(named)) < len(named):
        raise Refusal(
            "seeds must be a whole number from 2, or two or more whole numbers, no two alike, but are"
            f" {seeds!r:.80}."
        )
    return [int(seed) for seed in named]


def check_study(study: Study, seeds: Sequence[int]) -> None:
    """Raises Refusal unless all values that the study compares are means over these seeds."""
    if len(study.directions) > 1:
        raise Refusal("a SeededObjective returns one value, but this study has several directions.")
    for trial in study.get_trials(deepcopy=False):
        others = trial.user_attrs.get("seeds")
        if others is None and trial.state == TrialState.COMPLETE:
            raise Refusal(
                f"trial {trial.number} of this study was not repeated over seeds, so its value cannot be"
                " compared with a mean over seeds; begin a new study."
            )
        if others is not None and list(others) != list(seeds):
            raise Refusal(
                f"trial {trial.number} of this study was repeated over other seeds ({_shown(others)}, not"
                f" {_shown(seeds)}); pass the same seeds, or begin a new study."
            )


def best_of(study: Study) -> FrozenTrial | None:
    """The best complete trial; None while there is none."""
    try:
        return study.best_trial
    except ValueError:  # none is complete, or none keeps the study's constraints
        return None


def frozen(study: Study, number: int) -> FrozenTrial:
    """The trial of this number, as it is stored."""
    return next(trial for trial in study.get_trials(deepcopy=False) if trial.number == number)


def attributes(values: Mapping[int, float], stopped: str = "") -> dict[str, Any]:
    """What is said in the attributes of a trial with these values by seed: JSON, as Optuna keeps it.

    stopped: why it was left before it had all seeds; empty where it has them. The band is that of
    `handnet.bands.seeds.seed_bands`, and it is left out where fewer than two values are finite.
    """
    numbers = np.array(list(values.values()))
    said: dict[str, Any] = {
        "values": {str(seed): value for seed, value in values.items()},
        "n_seeds": len(values),
        "partial": bool(stopped),
        "stopped": stopped,
    }
    if np.isfinite(numbers).sum() > 1:
        band = seed_bands(numbers).quantiles
        said["band"] = {name: getattr(band, name) for name in BAND} | dict(band.centres)
    return said


def table(study: Study, seeds: Sequence[int]) -> "pd.DataFrame":
    """A row for each trial and seed that was trained; `SeededObjective.to_frame` names the columns."""
    import pandas as pd

    score = "score" if maximises(study) else "loss"
    rows = [
        (f"trial {trial.number}", trial.state.name, "val", seeds[step], value, trial.params)
        for trial in study.get_trials(deepcopy=False)
        for step, value in sorted(trial.intermediate_values.items())
        if step < len(seeds)  # the step after the last seed is the recorded value of a trial that was left
    ]
    frame = pd.DataFrame(rows, columns=["trial", "state", "part", "seed", score, "params"])
    params = pd.DataFrame(list(frame.pop("params")), index=frame.index)
    return frame.join(params.add_prefix("params_"))


def maximises(study: Study) -> bool:
    """Whether more is better in this study."""
    return study.direction == StudyDirection.MAXIMIZE


def is_whole(number: Any) -> TypeGuard[int]:
    """Whether it is a whole number, and not True or False."""
    return isinstance(number, Integral) and not isinstance(number, bool)


def _shown(seeds: Sequence[Any]) -> str:
    return ", ".join(map(repr, seeds[:5])) + ", ..." * (len(seeds) > 5)
