"""The models of a study, from what was typed or from objects of Python, to settings and to models that train.

A model is typed as SOURCE or NAME=SOURCE; a parameter as NAME=AXIS or, where several models are studied, as
MODEL.NAME=AXIS."""

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from handnet.messages import Refusal, option

if TYPE_CHECKING:
    from handnet.models.model import Model
    from handnet.study.settings import Settings

MLP = "mlp"
NAMED = re.compile(r"([\w][\w .-]{0,59})=(mlp$|(?:sklearn|keras|call):.*)", re.DOTALL)
KINDS = "mlp, sklearn:MODULE.CLASS, keras:FILE.py:FUNCTION or call:FILE.py:FUNCTION"


def models_of(options: Mapping[str, Any], chosen: dict[str, str]) -> list[dict[str, Any]]:
    """The tables `models` of the settings, from the options of a command; empty where mlp alone is studied.

    chosen: dotted key -> text, to which what was typed of mlp is added. Raises Refusal."""
    models = [each.strip() for text in options["model"] for each in text.split(";")]
    tables = typed_models(models, options["space"], options["fixed"], options["inputs"] or "")
    for table in (table for table in tables if table["source"] == MLP):
        for key in ("space", "fixed"):
            chosen |= {f"{key}.{name}": str(value) for name, value in table.pop(key, {}).items()}
    return tables if models not in ([], [MLP]) else []


def typed_models(
    models: Sequence[str], space: Sequence[str], fixed: Sequence[str], inputs: str = ""
) -> list[dict[str, Any]]:
    """A table for each model, from typed texts: mlp where none is named.

    Raises Refusal for texts that name no model, or no parameter of one."""
    tables = [_table(text) for text in models] or [{"name": MLP, "source": MLP}]
    names = [table["name"] for table in tables]
    if len({*names}) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise Refusal(f"two models have the name {twice!r}; give each its own: NAME=SOURCE.")
    for key, texts in (("space", space), ("fixed", fixed)):
        for text in texts:
            table, name, value = _parameter(key, text, tables)
            table.setdefault(key, {})[name] = value if key == "space" else _value(value)
    for table in tables:
        if inputs and table["source"] != MLP:
            table["inputs"] = inputs
    return tables


def _table(text: str) -> dict[str, Any]:
    """The table of one typed model."""
    found = NAMED.fullmatch(text)
    name, source = (found[1], found[2]) if found else ("", text)
    kind, _, rest = source.partition(":")
    if source != MLP and (kind not in ("sklearn", "keras", "call") or not rest):
        raise Refusal(f"{option('model', '')} must be {KINDS}, but is {text!r}.")
    return {"name": name or _name_of(source), "source": source}


def _name_of(source: str) -> str:
    """What a model is called that was given no name: its class, or its file and function."""
    kind, _, rest = source.partition(":")
    if kind == MLP:
        return MLP
    path, _, function = rest.rpartition(":")
    if not path:
        return rest.rpartition(".")[2]
    stem = re.split(r"[/\\]", path)[-1].removesuffix(".py")
    return f"{stem}.{function}"


def _parameter(key: str, text: str, tables: list[dict[str, Any]]) -> tuple[dict[str, Any], str, str]:
    """The model a typed parameter belongs to, the parameter's name, and its axis or value."""
    left, equals, value = text.partition("=")
    model, dot, name = left.strip().rpartition(".")
    if not equals or not name.isidentifier():
        raise Refusal(
            f"{option(key, '')} wants NAME={'AXIS' if key == 'space' else 'VALUE'}, but got {text!r}."
        )
    if not dot and len(tables) == 1:
        return tables[0], name, value.strip()
    named = [table for table in tables if table["name"] == model]
    if not named:
        names = [table["name"] for table in tables]
        raise Refusal(
            f"{option(key, text)}: of which model? Write MODEL.{name}={value}; the models are"
            f" {', '.join(names)}."
        )
    return named[0], name, value.strip()


def _value(text: str) -> Any:
    """A fixed value, as TOML has it; a text that is no TOML as it is."""
    import tomllib

    try:
        return tomllib.loads(f"value = {text}")["value"]
    except ValueError:
        return {"True": True, "False": False}.get(text, text)


def make_models(settings: "Settings", given: Mapping[str, object]) -> dict[str, "Model"]:
    """The models that train, by name, all but the network by hand.

    given: by name, the objects that Python gave in place of a source. Raises Refusal for what is no model."""
    from handnet.models.named import make_model

    return {
        one.name: make_model(given.get(one.name, one.source), one.inputs, one.fixed, one.name)
        for one in settings.models
        if one.source != MLP
    }


def described(settings: "Settings", models: Mapping[str, "Model"]) -> "Settings":
    """The settings with what the models say of themselves."""
    tables = tuple(
        one.model_copy(
            update={
                "identity": models[one.name].identity,
                "seeded": models[one.name].seeded,
                "keeps_arrays": models[one.name].keeps_arrays,
                "notes": tuple(models[one.name].notes),
            }
        )
        if one.name in models
        else one
        for one in settings.models
    )
    return settings.model_copy(update={"models": tables})
