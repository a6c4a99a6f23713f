"""What a reference or an object stands for: the model of it."""

import inspect
import re
from collections.abc import Mapping
from typing import Any, cast

from sklearn.pipeline import Pipeline

from handnet.messages import Refusal, nearest
from handnet.models.call import CallModel
from handnet.models.model import INPUTS, Model
from handnet.models.scikit import ScikitModel
from handnet.models.source import Given, Source, find

KINDS = ("sklearn", "keras", "call")


def make_model(
    source: Any, inputs: str = "encoded", fixed: Mapping[str, Any] | None = None, name: str = ""
) -> Model:
    """The model of a reference, or of an object.

    source: "sklearn:package.Class" or "sklearn:file.py:function", "keras:file.py:build",
    "call:file.py:fit_predict" or "call:package.module:function"; or an estimator, a pipeline, a KerasModel, a
    function as CallModel describes it, a function without arguments that makes an estimator, or any object
    that keeps the Model protocol. inputs: "encoded" or "raw"; fixed: parameters with values of their own;
    name: what the report calls it. Raises Refusal in one sentence for what is no model.
    """
    if inputs not in INPUTS:
        raise Refusal(f"inputs must be encoded or raw, but got {inputs!r}.")
    kind, _, target = source.partition(":") if isinstance(source, str) else ("", "", "")
    if isinstance(source, str) and (kind not in KINDS or not target):
        raise Refusal(
            f"{source!r} is no model: it is written {', '.join(f'{one}:...' for one in KINDS)};"
            f" {nearest(kind, KINDS)}"
        )
    if kind == "call":
        _check_no_estimator(target, find(target).get())
    made = {"keras": _keras, "call": _call, "sklearn": _scikit}
    if kind == "keras":
        from handnet.models.keras import start

        start()  # silently, which it is not where the file imports it
    if kind:
        return made[kind](find(target), inputs, dict(fixed or {}), name)
    return _of_object(source, inputs, dict(fixed or {}), name)


def _keras(source: Source, inputs: str, fixed: Mapping[str, Any], name: str) -> Model:
    from handnet.models.keras import KerasModel

    if inputs != "encoded":
        raise Refusal(f"{name or source.label} learns arrays of numbers, so its inputs must be encoded.")
    return KerasModel(source, name or source.label, fixed)


def _check_no_estimator(target: str, thing: Any) -> None:
    """Raises Refusal for what is called, and is a class or an estimator. target: as it was named."""
    name = re.split("[.:]", target)[-1]
    if hasattr(thing, "fit"):
        what = "a class" if inspect.isclass(thing) else "an estimator"
        raise Refusal(f"{name} is {what}: sklearn:{target}")
    if inspect.isclass(thing):
        raise Refusal(f"{name} is a class without fit, and call:{target} must be a function.")


def _call(source: Source, inputs: str, fixed: Mapping[str, Any], name: str) -> Model:
    model = CallModel(source, name or source.label, inputs, fixed)
    model.check_signature()
    return model


def _scikit(source: Source, inputs: str, fixed: Mapping[str, Any], name: str) -> Model:
    model = ScikitModel(source, name or _steps(source.get()) or source.label, inputs, fixed)
    model.estimator({})  # refuses what is no estimator, and parameters it does not have
    return model


def _of_object(thing: Any, inputs: str, fixed: Mapping[str, Any], name: str) -> Model:
    """The model of an object of the reader's own."""
    from handnet.models.keras import KerasModel

    source = Given(thing)
    if isinstance(thing, KerasModel):
        return _keras(thing.source, inputs, {**thing.fixed, **fixed}, name or thing.name)
    if all(hasattr(thing, part) for part in ("fit", "check", "identity", "seeded", "restored")):
        return cast(Model, thing)
    if hasattr(thing, "get_params"):
        return _scikit(source, inputs, fixed, name)
    if hasattr(thing, "compile") and hasattr(thing, "fit"):
        raise Refusal(
            "a Keras model that is there already has one set of first weights; give KerasModel(build), with a"
            " function build(params, shape, task) that returns a compiled one."
        )
    if not callable(thing):
        raise Refusal(
            "a model must be a reference such as 'sklearn:package.Class', an estimator, a KerasModel or a"
            f" function, but is of the type {type(thing).__name__}."
        )
    return (_scikit if _makes(thing) else _call)(source, inputs, fixed, name)


def _makes(function: Any) -> bool:
    """Whether it can be called without arguments, as what makes an estimator is."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # some that are compiled do not tell
        return False
    return all(one.default is not one.empty or one.kind is one.VAR_KEYWORD for one in parameters)


def _steps(thing: Any) -> str:
    """The names of the classes of a pipeline's steps, as in "StandardScaler+SVC"; "" of anything else."""
    if not isinstance(thing, Pipeline):
        return ""
    return "+".join(_steps(step) or type(step).__name__ for _, step in thing.steps if step != "passthrough")
