"""The models of a study, from what was typed or from objects of Python, to settings and to models that train.

A model is typed as SOURCE or NAME=SOURCE; a parameter as NAME=AXIS or, where several models are studied, as
MODEL.NAME=AXIS; several of them one after the other, with ; between them. The import is light, because the
command's help is."""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from handnet.messages import Refusal, nearest, option

if TYPE_CHECKING:
    from handnet.data import Dataset
    from handnet.models.model import Model
    from handnet.study.settings import Settings

MLP = "mlp"
NAMED = re.compile(r"([^=:]+)=(mlp$|(?:sklearn|keras|call):.*)", re.DOTALL)
KINDS = (
    "mlp, sklearn:MODULE.CLASS, sklearn:FILE.py:NAME (a class or a pipeline of yours), keras:FILE.py:FUNCTION"
    " or call:FILE.py:FUNCTION"
)
LOADING = 60  # seconds that the import of a reader's file may take
FUNCTION = re.compile(r"(?:(?P<model>[^=]+)=)?(?P<function>[^=;,\[]+:[A-Za-z_]\w*)")  # a space that suggests


def models_of(options: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The tables `models` of the settings, from the options of a command; none where nothing is typed.

    What is typed of no model is mlp's, in a table without a name. Raises Refusal."""
    models, space, fixed = ([*_several(options[key])] for key in ("model", "space", "fixed"))
    return typed_models(models, space, fixed, options["inputs"] or "")


def _several(texts: Sequence[str]) -> Iterator[str]:
    """Each of the texts between ; outside of quotes."""
    for text in texts:
        yield from filter(None, (part.strip() for part in re.findall(r'(?:[^;"]|"[^"]*"?)+', text)))


def typed_models(
    models: Sequence[str], space: Sequence[str], fixed: Sequence[str], inputs: str = ""
) -> list[dict[str, Any]]:
    """A table for each model, from typed texts.

    Raises Refusal for texts that name no model, or no parameter of one."""
    tables = [table_of(text) for text in models] or [{"source": MLP}]
    check_names([table["name"] for table in tables if "name" in table], "name=SOURCE")
    for key, texts in (("space", space), ("fixed", fixed)):
        for text in texts:
            function = FUNCTION.fullmatch(text) if key == "space" else None
            if function and (of := of_model(function["model"] or "", tables)):
                if of.setdefault(key, function["function"]) != function["function"]:
                    raise Refusal(f"the space of a model is one function, or axes; {text} is a second space.")
                continue
            table, name, value = _parameter(key, text, tables)
            if isinstance(below := table.setdefault(key, {}), str):
                raise Refusal(f"the space of a model is the function {below}, or axes, and not both.")
            if name in below:
                raise Refusal(
                    f"{option(key, text)}: {name} is given a second time; leave one of the two out."
                )
            below[name] = value if key == "space" else _value(value)
    give_inputs(tables, inputs)
    return tables if models or len(tables[0]) > 1 else []


def check_names(names: Sequence[str], form: str) -> None:
    """Raises Refusal for two models of one name."""
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise Refusal(f"two models have the name {twice!r}; give each its own: {form}.")


def give_inputs(tables: Sequence[dict[str, Any]], inputs: str) -> None:
    """Say in each table but mlp's what the model gets. Raises Refusal where there is no other."""
    others = [table for table in tables if table["source"] != MLP]
    if inputs and not others:
        raise Refusal(f"{option('inputs', inputs)}: mlp gets encoded inputs; name a model that takes others.")
    for table in others if inputs else ():
        table["inputs"] = inputs


def table_of(text: str, name: str = "") -> dict[str, Any]:
    """The table of one typed model."""
    from handnet.study.model_settings import name_of

    found = NAMED.fullmatch(text)
    named, source = (found[1], found[2]) if found else ("", text)
    kind, _, rest = source.partition(":")
    if source != MLP and (kind not in ("sklearn", "keras", "call") or not rest):
        raise Refusal(f"{option('model')} must be {KINDS}, but is {text!r}.")
    return {"name": name or named or name_of(source), "source": source}


def of_model(name: str, tables: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """The table of the model of this name, or the only one where none is named."""
    if not name and len(tables) == 1:
        return tables[0]
    return next((table for table in tables if table.get("name", MLP) == name), None)


def _parameter(key: str, text: str, tables: list[dict[str, Any]]) -> tuple[dict[str, Any], str, str]:
    """The model a typed parameter belongs to, the parameter's name, and its axis or value."""
    left, equals, value = text.partition("=")
    model, _, name = left.strip().rpartition(".")
    if not equals or not name.isidentifier():
        form = "PARAMETER=AXIS, as in max_depth=2..10" if key == "space" else "PARAMETER=VALUE"
        raise Refusal(f"{option(key)} wants {form}, but got {text!r}.")
    table = of_model(model, tables)
    if table is None:
        names = [str(table.get("name", MLP)) for table in tables]
        which = f"there is no model {model!r}" if model else f"of which model? Write MODEL.{left.strip()}=..."
        raise Refusal(f"{option(key, text)}: {which}; the models are {', '.join(names)}.")
    if "name" not in table:
        check_of_mlp(key, text, name)
    return table, name, value.strip()


def check_of_mlp(key: str, text: str, name: str) -> None:
    """Raises Refusal for a parameter that mlp does not have, where no model is named."""
    from handnet.contract import SEARCHABLE

    if name not in SEARCHABLE:
        raise Refusal(
            f"{option(key, text)}: mlp, which is studied where no model is named, has no parameter {name!r}"
            f" ({nearest(name, list(SEARCHABLE)).rstrip('.?')}); {option('model')} names another."
        )


def _value(text: str) -> Any:
    """A fixed value, as TOML has it, or none; a text that is no TOML as it is."""
    from handnet.study.typed import value_of

    return None if text in ("none", "None") else value_of(text)


def with_models(
    settings: "Settings", data: "Dataset", given: Mapping[str, object]
) -> "tuple[Settings, dict[str, Model]]":
    """The settings with what the models say of themselves, and the models, each checked for this table with
    its fixed parameters and a first point of its space.

    given: by name, objects in place of sources. Raises Refusal, before anything is trained."""
    models = make_models(settings, given)
    stated = described(settings, models)
    if models or stated.suggest:
        _check(stated, models, data)
    return stated, models


def make_models(settings: "Settings", given: Mapping[str, object]) -> "dict[str, Model]":
    """The models that train, by name, all but the network by hand.

    given: by name, the objects that Python gave in place of a source. Raises Refusal for what is no model."""
    from handnet.models.named import make_model
    from handnet.study.model_settings import OBJECT

    models = {}
    for one in (one for one in settings.models if one.source != MLP):
        if one.name not in given and one.source.startswith(OBJECT):
            raise Refusal(f"{one.name} was given from Python, and is known there alone; go on from there.")
        thing = given.get(one.name, one.source)
        if isinstance(thing, str):
            _check_import(thing)
        models[one.name] = make_model(thing, one.inputs, one.fixed, one.name)
    return models


def _check_import(source: str) -> None:
    """Import a file of the reader's in a process of its own, before this one does: while it is imported, it
    may end its process, or hang. One of Keras is not, which takes seconds to import. Raises Refusal."""
    from handnet.models.source import digest_of

    kind, _, target = source.partition(":")
    path = target.rpartition(":")[0]
    if path.endswith(".py") and kind != "keras":
        _import_apart(target, path, digest_of(path))


@cache
def _import_apart(target: str, path: str, _digest: str) -> None:
    """The same, once for each state of the file."""
    from handnet.models.source import load
    from handnet.study.executor import Lost
    from handnet.study.processes import Killable

    with Killable(1, LOADING) as workers:
        try:
            workers.submit(load, target).result()
        except Lost as fault:
            raise Refusal(f"{path} cannot be imported: {fault}.") from None
        except Refusal:
            pass  # the import in this process says it


def described(settings: "Settings", models: "Mapping[str, Model]") -> "Settings":
    """The settings with what the models say of themselves, and with whole paths of their files."""
    tables = [one.model_copy(update=_said(one.source, models.get(one.name))) for one in settings.models]
    return settings.model_copy(update={"models": tuple(tables)})


def _said(source: str, model: "Model | None") -> dict[str, Any]:
    """What a model says of itself; nothing of the network by hand."""
    from handnet.models.source import FromFile

    if model is None:
        return {}
    file, kind = getattr(model, "source", None), source.partition(":")[0]
    return {
        "source": f"{kind}:{file.path}:{file.name}" if isinstance(file, FromFile) else source,
        "identity": model.identity,
        "seeded": model.seeded,
        "keeps_arrays": model.keeps_arrays,
        "notes": tuple(model.notes),
    }


def _check(settings: "Settings", models: "Mapping[str, Model]", data: "Dataset") -> None:
    """That each model learns the target, and has the parameters of its first trial. Raises Refusal."""
    from handnet.study.configuration import configure
    from handnet.study.search import search_of
    from handnet.tasks import task_of

    for name in settings.studied:
        first = configure(settings, name, search_of(settings, name).propose(0))
        if name in models:
            models[name].check(first.params, task_of(len(data.class_names)))
