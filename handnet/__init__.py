"""handnet: a small neural network worked out by hand, and an honest band around every number it prints.

The public names are loaded when they are first used, so that ``import handnet`` costs next to nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from handnet.bands import Band as Band
    from handnet.contract import Backend as Backend
    from handnet.contract import EpochDraws as EpochDraws
    from handnet.contract import Fit as Fit
    from handnet.contract import Layer as Layer
    from handnet.contract import Plan as Plan
    from handnet.contract import Recipe as Recipe
    from handnet.contract import load_backend as load_backend
    from handnet.data import Dataset as Dataset
    from handnet.data import Table as Table
    from handnet.data import diabetes as diabetes
    from handnet.data import digits as digits
    from handnet.data import wine as wine
    from handnet.data import wisconsin as wisconsin
    from handnet.draws import counted_plan as counted_plan
    from handnet.draws import seeded_plan as seeded_plan
    from handnet.estimator import HandNetClassifier as HandNetClassifier
    from handnet.estimator import HandNetRegressor as HandNetRegressor
    from handnet.messages import Refusal as Refusal
    from handnet.models.keras import KerasModel as KerasModel
    from handnet.predictions.api import Predictions as Predictions
    from handnet.predictions.logged import log_predictions as log_predictions
    from handnet.splits import split as split
    from handnet.study.api import run_study as run_study
    from handnet.study.seeded_objective import SeededObjective as SeededObjective
    from handnet.tables.dataset import read_csv as read_csv
    from handnet.tables.dataset import read_table as read_table

_HOME = {
    "Recipe": "handnet.contract",
    "Dataset": "handnet.data",
    "Table": "handnet.data",
    "wisconsin": "handnet.data",
    "wine": "handnet.data",
    "digits": "handnet.data",
    "diabetes": "handnet.data",
    "read_csv": "handnet.tables.dataset",
    "read_table": "handnet.tables.dataset",
    "split": "handnet.splits",
    "Layer": "handnet.contract",
    "EpochDraws": "handnet.contract",
    "Fit": "handnet.contract",
    "Plan": "handnet.contract",
    "Backend": "handnet.contract",
    "load_backend": "handnet.contract",
    "seeded_plan": "handnet.draws",
    "counted_plan": "handnet.draws",
    "Band": "handnet.bands",
    "HandNetClassifier": "handnet.estimator",
    "HandNetRegressor": "handnet.estimator",
    "run_study": "handnet.study.api",
    "SeededObjective": "handnet.study.seeded_objective",
    "Predictions": "handnet.predictions.api",
    "log_predictions": "handnet.predictions.logged",
    "KerasModel": "handnet.models.keras",
    "Refusal": "handnet.messages",
}
__all__ = sorted(_HOME)  # noqa: PLE0605 - a list, made from the table above so that the two cannot differ
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'handnet' has no attribute {name!r}; it has {', '.join(__all__)}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
