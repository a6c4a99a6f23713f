"""What is typed of a setting: which it is, and what its text is read as."""

import csv
import re
import tomllib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from handnet.contract import SEARCHABLE
from handnet.messages import Refusal, option


def names_a_parameter(dotted: str) -> bool:
    """Whether a key is that of a parameter of mlp: space.NAME, an end of it, or fixed.NAME."""
    table, _, rest = dotted.partition(".")
    name, _, end = rest.partition(".")
    ends = {"space": ("", "low", "high", "log"), "fixed": ("",)}
    return name in SEARCHABLE and end in ends.get(table, ())


def place(table: dict[str, Any], dotted: str, text: str) -> None:
    """Put typed text where the key says, read as TOML where it is a number, a truth value or a list.

    What describes the data stays text: a label 1, a column "2024"."""
    *sections, key = dotted.split(".")
    for section in sections:
        table = _axis(table, section) if section in SEARCHABLE else table_at(table, section)
    if sections == ["data"]:
        table[key] = column_names(text) if key in ("leave", "text", "number") else text
        return
    value = value_of(text)
    if isinstance(table.get(key), bool) and value in (0, 1):
        value = bool(value)
    table[key] = value


def value_of(text: str) -> Any:
    """The value that a text is in TOML or in Python; a text that is none as it is."""
    for form in (text, re.sub(r"(?<![\w.])\.(?=\d)", "0.", text)):  # .05 is no number of TOML's
        with suppress(ValueError):  # no TOML, or a number of more digits than Python reads
            return tomllib.loads(f"value = {form}")["value"]
    return {"True": True, "False": False}.get(text, text)


def lay_models(table: dict[str, Any], models: Sequence[Mapping[str, Any]]) -> None:
    """Put the tables of models, where there are any, in place of those that the settings have.

    What is said of mlp goes to its own sections `space` and `fixed`. Raises Refusal where a parameter is
    given for no named model, and the settings name models."""
    stated = table.get("models") or []
    if stated and models and not any("name" in model for model in models):
        raise Refusal(
            f"the settings file names models, so a parameter belongs there too; or name the models with"
            f" {option('model')}."
        )
    named = [dict(model) if isinstance(model, Mapping) else model for model in models or stated]
    for model in named:
        if isinstance(model, dict) and model.get("source") == "mlp":
            _lay_mlp(table, model.pop("space", {}), model.pop("fixed", {}))
    alone = [one for one in named if isinstance(one, dict) and one.get("source") == "mlp"] == named
    table["models"] = [] if alone and [one.get("name", "mlp") for one in named] in ([], ["mlp"]) else named


def _lay_mlp(table: dict[str, Any], space: Any, fixed: Any) -> None:
    """Put what is said of mlp in its own sections."""
    if isinstance(space, Mapping):
        table["suggest"] = "" if space else table.get("suggest")
        table["space"] = {**table_at(table, "space"), **space}
    else:
        table["suggest"] = space
    table["fixed"] = {**table_at(table, "fixed"), **fixed} if isinstance(fixed, Mapping) else fixed


def _axis(space: dict[str, Any], name: str) -> dict[str, Any]:
    """The axis of a space as a table whose ends can be replaced; an empty one where there is no range."""
    from handnet.study.space import plain_space, space_of

    if not isinstance(space.get(name), dict):
        with suppress(ValueError):  # no axis, which is refused later
            space |= plain_space(space_of({name: space[name]} if name in space else {}))
        space[name] = space[name] if isinstance(space.get(name), dict) else {}
    table: dict[str, Any] = space[name]
    return table


def column_names(text: str) -> list[str]:
    """Names of columns: `a,b`, quoted as in CSV where a name holds a comma, or a list of TOML.

    Raises Refusal for what is neither."""
    if text.startswith("["):
        with suppress(ValueError):
            return list(tomllib.loads(f"value = {text}")["value"])
    try:
        return [name.strip() for row in csv.reader([text], strict=True) for name in row if name.strip()]
    except csv.Error as fault:
        raise Refusal(
            f'{text!r} is no list of columns ({fault}); write a,b or, with a comma, a,"b, c".'
        ) from None


def lay_over(table: dict[str, Any], upper: Mapping[str, Any]) -> None:
    """Let `upper` replace what it names in the table; a table in it replaces only its own keys."""
    for key, value in upper.items():
        if isinstance(value, dict) and isinstance(table.get(key), dict):
            lay_over(table[key], value)
        else:
            table[key] = value


def table_at(table: dict[str, Any], key: str) -> dict[str, Any]:
    """The table below a key; an empty one where something else, which is refused later, stands there."""
    below = table.get(key)
    return below if isinstance(below, dict) else {}
