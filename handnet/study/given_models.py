"""The models of a study as Python gives them: objects, forms of a space, and what a message shows of them."""

import re
from collections.abc import Iterator, Mapping, Sequence
from numbers import Integral
from typing import Any, NamedTuple

from handnet.messages import Name, Refusal, nearest
from handnet.study.chosen_models import MLP, check_names, check_of_mlp, give_inputs, of_model, table_of

LONG = 60  # letters of an object that a message still shows
SCIPY = {
    "uniform": False,
    "randint": False,
    "loguniform": True,
    "reciprocal": True,
}  # whether it is logarithmic


class Chosen(NamedTuple):
    """The arguments of `run_study` that say what is studied.

    model: by default "mlp", the network by hand; an estimator or a pipeline as scikit-learn has them, its
    class, or a function that makes one; a KerasModel; a function ``fit_predict(X_train, y_train, params,
    seed, X)``; a text as in "sklearn:sklearn.svm.SVC"; or several of these, in a list or in a dictionary by
    name, of which the first decides. space: what is searched, axes by the names of parameters, as in
    ``{"max_depth": (2, 10), "C": (1e-3, 10.0, "log"), "kernel": ["rbf", "linear"]}``, or a function of
    Optuna's trial; fixed: parameters that are not searched; of several models both by their names. inputs:
    "encoded", scaled numbers in an array, or "raw", the table's own columns in a DataFrame."""

    model: object = None
    space: object = None
    fixed: object = None
    inputs: object = None

    def models(self) -> tuple[list[dict[str, Any]], dict[str, object]]:
        """The tables `models` of the settings, and the objects among the models by name; none where nothing
        is given. What is given of no model is mlp's, in a table without a name.

        Raises Refusal for what is no model, no space or no parameter of one."""
        if all(value is None for value in self):
            return [], {}
        objects = dict[str, object]()
        tables = [_entry(name, thing, objects) for name, thing in _entries(self.model)] or [{"source": MLP}]
        names = [table["name"] for table in tables if "name" in table]
        check_names(names, 'model={"first": ..., "second": ...}')
        for key, given in (("space", self.space), ("fixed", self.fixed)):
            for table, value in _by_model(key, given, tables):
                table[key] = _parameters(key, value, "name" in table)
        if isinstance(self.inputs, Mapping):
            for table, value in _by_model("inputs", self.inputs, tables):
                give_inputs([table], _text("inputs", value))
        else:
            give_inputs(tables, _text("inputs", self.inputs))
        return tables, objects

    def shown(self) -> dict[str, Any]:
        """Those that were given, as a message repeats them."""
        return {name: _shown(value) for name, value in self._asdict().items() if value is not None}


def _shown(thing: Any) -> Any:
    """A value of these arguments as a message repeats it: objects by their names, or as they are made."""
    if isinstance(thing, Mapping):
        return {str(name): _shown(value) for name, value in thing.items()}
    if isinstance(thing, list | tuple):
        return type(thing)(map(_shown, thing)) if type(thing) in (list, tuple) else list(map(_shown, thing))
    if hasattr(thing, "tolist"):
        return thing.tolist()
    if thing is None or isinstance(thing, str | int | float | range):
        return thing
    if name := getattr(thing, "__name__", None):
        return Name(name)
    text = " ".join(repr(thing).split())
    return Name(text if len(text) <= LONG and "<" not in text else type(thing).__name__.lower())


def _entries(model: Any) -> Iterator[tuple[str, Any]]:
    """The models with the names they were given, "" where there is none."""
    if isinstance(model, Mapping):
        if unfit := [name for name in model if not isinstance(name, str)]:
            raise Refusal(f"model must be a dictionary of models by name, but one name is {unfit[0]!r}.")
        yield from model.items()
    elif isinstance(model, list | tuple):
        yield from (("", one) for one in model)
    elif model is not None:
        yield "", model
    if isinstance(model, Mapping | list | tuple) and not model:
        raise Refusal("model is empty; give one, or leave it out for mlp.")


def _entry(name: str, thing: Any, objects: dict[str, object]) -> dict[str, Any]:
    """The table of a model; an object goes to the others by its name."""
    if isinstance(thing, str):
        return table_of(thing, name)
    from handnet.models.named import make_model
    from handnet.study.model_settings import OBJECT

    made = make_model(thing)
    name = name or re.sub(r"[^A-Za-z0-9 ._-]+", "-", made.name).strip("-._ ")[:LONG]
    objects[name] = thing
    return {"name": name, "source": f"{OBJECT}{made.name}", "inputs": made.inputs}


def _by_model(key: str, given: Any, tables: Sequence[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], Any]]:
    """What is given of each model: by the names of models, or of the only one."""
    names = [str(table.get("name", MLP)) for table in tables]
    nested = isinstance(given, Mapping) and given and all(map(_is_nested, given.values()))
    if given is None:
        return
    if len(tables) == 1 and not (nested and {*given} <= {*names}):
        yield tables[0], given
        return
    if not isinstance(given, Mapping):
        raise Refusal(f"{key}: of which model? Give it by the name of the model: {', '.join(names)}.")
    for name, value in given.items():
        table = of_model(str(name), tables)
        if table is None:
            raise Refusal(f"{key}: there is no model {name!r}; {nearest(str(name), names)}")
        yield table, value


def _is_nested(value: Any) -> bool:
    """Whether it is more than one axis: parameters by name, or a function."""
    return callable(value) or (isinstance(value, Mapping) and not {"low", "high"} <= {*value})


def _parameters(key: str, given: Any, named: bool) -> Any:
    """The axes or the values of one model by name, or a function that suggests them."""
    if key == "space" and (callable(given) or isinstance(given, str)):
        return given
    if not isinstance(given, Mapping):
        form = "axes by name, as in {'max_depth': (2, 10)}, or a function of Optuna's trial"
        wanted = form if key == "space" else "values by name, as in {'max_depth': 3}"
        raise Refusal(f"{key} must be {wanted}, but is of the type {type(given).__name__}.")
    for name in given if not named else ():
        check_of_mlp(key, str(name), str(name))
    return {name: _axis(str(name), value) if key == "space" else value for name, value in given.items()}


def _axis(name: str, form: Any) -> Any:
    """An axis; a distribution of Optuna's or SciPy's as one of the forms of an axis. Raises Refusal."""
    if hasattr(form, "choices"):
        return list(form.choices)
    if hasattr(form, "dist") and hasattr(form, "support"):
        if form.dist.name not in SCIPY:
            raise Refusal(
                f"space.{name} is {form.dist.name} of SciPy's; of those, {', '.join(SCIPY)} will do."
            )
        low, high = (end.item() if hasattr(end, "item") else end for end in form.support())
        whole = form.dist.name == "randint"
        low, high = (int(low), int(high)) if whole else (float(low), float(high))
        return {"low": low, "high": high, "log": SCIPY[form.dist.name]}
    step = getattr(form, "step", None)
    if hasattr(form, "low") and hasattr(form, "high") and not isinstance(form, Mapping):
        if step in (None, 1):
            return {"low": form.low, "high": form.high, "log": bool(form.log)}
        if isinstance(step, Integral):
            return list(range(form.low, form.high + 1, int(step)))
        raise Refusal(f"space.{name} has steps of {step}; give a list of its values.")
    return form


def _text(name: str, value: Any) -> str:
    if value is not None and not isinstance(value, str):
        raise Refusal(f"{name} must be encoded or raw, but is of the type {type(value).__name__}.")
    return value or ""
