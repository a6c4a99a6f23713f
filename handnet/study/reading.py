"""From the defaults, a settings file and the command line to Settings, or to one sentence of all faults.

pydantic is imported once there is something to check: help and misspelt words do without."""

import dataclasses
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args
from urllib.parse import urlsplit

from handnet.data import DATASETS, Dataset
from handnet.messages import Refusal, again, nearest, option, shown
from handnet.study.typed import lay_models, lay_over, names_a_parameter, place, table_at
from handnet.tables.dataset import read_table
from handnet.tables.faults import Unusable

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

    from handnet.study.settings import Settings

DEFAULTS = Path(__file__).parent / "default.toml"
WANTED = {
    "float_type": "a finite number",
    "finite_number": "a finite number",
    "int_type": "a whole number",
    "bool_type": "true or false",
    "string_type": "a text",
    "tuple_type": "a list",
    "dict_type": "a table",
    "model_type": "a table",
}  # what is said of pydantic's types of errors


def read(
    overrides: Mapping[str, str], path: Path | None = None, models: Sequence[Mapping[str, Any]] = ()
) -> "Settings":
    """The default settings, with the TOML file at `path` over them and `overrides` over both.

    overrides: dotted key -> text, as typed; models: the tables of that name, in place of those of the file. A
    file holds only what differs; a list in it replaces the default one. Raises Refusal naming every fault at
    once: unknown keys with the nearest known one, wrong types, values out of range.
    """
    table = _toml(DEFAULTS)
    if path:
        lay_over(table, _toml(path))
    design, known = (
        overrides.get("search.design", table_at(table, "search").get("design")),
        list(known_keys()),
    )
    unknown = []
    for key, text in overrides.items():
        dotted = f"search.trials.{design}" if key == "search.trials" else key
        if dotted in known or names_a_parameter(dotted):
            place(table, dotted, text)
        elif key != "search.trials":  # of an unknown design, which is refused by its own name
            unknown.append(f"{key} is not a setting: {nearest(key, known)}")
    if isinstance(table.get("space"), str):
        table["suggest"] = table["space"]
    lay_models(table, models)
    if table.get("suggest"):
        table["space"] = {}
    for name in table_at(table, "fixed"):
        table_at(table, "space").pop(name, None)
    settings, faults = _validated(table)
    if settings is None or unknown:
        raise Refusal(" ".join([*unknown, *faults]))
    return _located(settings)


def load(settings: "Settings", digest: str | None = None) -> Dataset:
    """The table a study is about: the built-in one, or the user's file.

    digest: of the content it must still have. Raises Refusal when the file cannot be used or has changed;
    when columns stop it, with the command that goes on.
    """
    table = settings.data
    if not table.path:
        return _with_families(DATASETS[table.name](), settings.families)
    made_on = f"; this study was made on a table with the digest {(digest or '')[:12]}"
    expected = f"{made_on}, and {option('data', '')} says where that is" if digest else ""
    try:
        data = read_table(
            table.path,
            table.target,
            table.positive,
            table.id or None,
            group=table.group or None,
            **table.model_dump(exclude={"name", "path", "target", "positive", "id", "group"}),
        )
        data = _with_families(data, settings.families)
    except Unusable as fault:
        way_on = f"To go on: {again(**fault.suggested)}" if fault.suggested else fault.why
        last = f"{expected.removeprefix('; ').capitalize()}." if expected else way_on
        raise Refusal(fault.lines[0], lines=[*fault.lines[1:], last]) from None
    except ValueError as fault:
        end = "" if str(fault).endswith("?") and not expected else "."
        raise Refusal(f"{str(fault).removesuffix('.')}{expected}{end}") from None
    if digest not in (None, data.digest):
        raise Refusal(f"{table.path}: the table has changed (its digest is {data.digest[:12]}){expected}.")
    return data


def _with_families(data: Dataset, families: Mapping[str, tuple[str, ...]]) -> Dataset:
    """The same table with the families the settings name.

    Raises Refusal for a column that is not in it, or that is named twice."""
    if not families:
        return data
    family_of: dict[str, str] = {}
    for family, columns in families.items():
        for column in columns:
            if column not in data.feature_names:
                raise Refusal(
                    f"families: there is no column {column!r} to measure by in {data.name};"
                    f" {nearest(column, data.feature_names)}"
                )
            if column in family_of:
                raise Refusal(
                    f"families: the column {column!r} is named twice; a column belongs to one family."
                )
            family_of[column] = family
    pairs = zip(data.feature_names, data.families, strict=True)
    return dataclasses.replace(data, families=tuple(family_of.get(*pair) for pair in pairs))


def moved(settings: "Settings", path: str | None) -> "Settings":
    """The same settings with the table's file elsewhere; a path of None changes nothing."""
    if path is None:
        return settings
    if not settings.data.path:
        raise Refusal(
            f"this study is about the built-in table {settings.data.name}, so {option('data', '')} does not"
            " belong here."
        )
    return settings.changed(data={"path": str(Path(path).absolute())})


def _located(settings: "Settings") -> "Settings":
    """The settings with the path of a user's table made absolute, and the table's name made from it."""
    if not settings.data.path:
        return settings
    path = Path(settings.data.path).absolute()
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", path.stem).strip("-._")[:40] or "table"
    return settings.changed(data={"path": str(path), "name": name})


def server_address(text: str, source: str = "MLFLOW_TRACKING_URI") -> str | None:
    """The address of an MLflow server; None when there is none.

    source: the variable or the argument that holds it.
    Raises Refusal, which does not repeat what may hold a password."""
    if not text.strip():
        return None
    scheme = text.strip().partition(":")[0]
    try:
        parts = urlsplit(text.strip())
        sound = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
        sound = sound and not parts.query and not parts.fragment
    except ValueError:  # a port that is no number, a host that is none; what it says may repeat a password
        sound = False
    if not sound:
        raise Refusal(
            f"{source} must be the address of an MLflow server, as in http://127.0.0.1:5000, but"
            f" is {scheme + ':...' if re.fullmatch('[a-z][a-z0-9+.-]*', scheme) else 'none'}; a study is kept"
            f" in mlruns/ in any case: {'unset it' if source.isupper() else 'leave it out'} to keep it there"
            " alone."
        )
    return text.strip()


def to_stored(settings: "Settings") -> dict[str, Any]:
    """All settings as what JSON can hold."""
    return settings.model_dump(mode="json")


def from_stored(content: dict[str, Any]) -> "Settings":
    """The settings that `to_stored` gave. Raises Refusal when this version cannot read them."""
    settings, _ = _validated(content)
    if settings is None:
        raise Refusal(
            "the study was stored by another version of the harness, which alone can read it; study again"
            f" under another name ({option('name', '')}) or in another folder ({option('mlruns', '')})."
        )
    return settings


def known_keys(table: Mapping[str, Any] | None = None, prefix: str = "") -> Iterator[str]:
    """Every dotted key an override may name: those of default.toml, but for the list of recipes."""
    for key, value in (_toml(DEFAULTS) if table is None else table).items():
        if isinstance(value, dict) and value:
            yield from known_keys(value, f"{prefix}{key}.")
        elif key not in ("compare", "models"):
            yield f"{prefix}{key}"


def _toml(path: Path) -> dict[str, Any]:
    """The content of a settings file."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise Refusal(
            f"the settings file {path} does not exist; leave {option('settings')} out for the default study."
        ) from None
    except (OSError, ValueError) as fault:  # no UTF-8, no TOML, or a number of more digits than Python reads
        raise Refusal(f"the settings file {path} cannot be read as TOML: {fault}.") from None


def _validated(table: Any) -> "tuple[Settings | None, list[str]]":
    """The settings in a table, or a sentence for each fault of it."""
    from pydantic import ValidationError

    from handnet.study.settings import Settings

    try:
        return Settings.model_validate(table), []
    except ValidationError as fault:
        unknown_first = sorted(fault.errors(), key=lambda error: error["type"] != "extra_forbidden")
        return None, [_sentence(error) for error in unknown_first]


def _sentence(error: "ErrorDetails") -> str:
    """What is wrong, in our words."""
    from handnet.study.values import Inconsistent

    *above, _ = place = error["loc"] or ("",)
    key = re.sub(r"\.(\d+)", r"[\1]", ".".join(map(str, place))) or "the file"
    reason = error.get("ctx", {}).get("error")
    if isinstance(reason, Inconsistent):
        return str(reason)
    if error["type"] == "missing":
        return f"{key} is missing."
    if error["type"] == "extra_forbidden":
        return f"{key} is not a setting: {nearest(str(place[-1]), _keys(above))}"
    return f"{key} must be {reason or WANTED[error['type']]}, but is {shown(error['input'])}."


def _keys(place: Sequence[int | str]) -> list[str]:
    """The keys of the section at this place."""
    from handnet.study.settings import Settings

    section: Any = Settings
    for name in (part for part in place if isinstance(part, str)):
        kind = section.model_fields[name].annotation
        section = (*get_args(kind), kind)[0]  # of a list of sections, what it is a list of
    return list(section.model_fields)
