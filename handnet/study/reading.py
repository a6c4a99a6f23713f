"""From the defaults, a settings file and what was typed to Settings, or to one sentence that names every
fault."""

import dataclasses
import json
import math
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast, get_args, get_origin, get_type_hints
from urllib.parse import urlsplit

from handnet.contract import BACKENDS, DEVICES, DTYPES, OPTIMIZERS
from handnet.data import DATASETS, Dataset
from handnet.draws import LARGEST_SEED, PLANS
from handnet.study.messages import Refusal, nearest
from handnet.study.settings import FROM_FILE, IF_GIVEN, Settings, SpaceSettings
from handnet.tables import WAYS, read_table

DESIGNS = ("tpe", "sobol")
DEFAULTS = Path(__file__).parent / "default.toml"
VERBATIM = {
    f"data.{key}" for key in ("path", *FROM_FILE, *IF_GIVEN)
}  # a label 1 or a column "2024" is a text all the same


def read(overrides: Mapping[str, str], path: Path | None = None) -> Settings:
    """The default settings, with the TOML file at `path` over them, and `overrides` (dotted key -> text, as
    typed) over both. A file holds only what differs; a list in it replaces the one below.

    Raises Refusal naming every fault at once: unknown keys with the nearest known one, wrong types, values
    out of range.
    """
    table = tomllib.loads(DEFAULTS.read_text(encoding="utf-8"))
    if path:
        _lay_over(table, _toml(path))
    design = overrides.get("search.design", _dig(table, "search.design"))
    faults: list[str] = []
    for key, text in overrides.items():
        # An unknown design is refused by its own name below.
        dotted = f"search.trials.{design if design in DESIGNS else 'tpe'}" if key == "search.trials" else key
        faults += _place(table, dotted, text)
    settings = _build(Settings, table, "", faults)
    if not faults:
        faults += _check(settings)
    if faults:
        raise Refusal(" ".join(faults))
    return _named(cast(Settings, settings))


def load(settings: Settings, digest: str | None = None) -> Dataset:
    """The table a study is about: the built-in one, or the user's file, with the remarks of `read_table` as
    warnings.

    digest: of the content it must still have. Raises Refusal when the file cannot be used or has changed.
    """
    given = settings.data
    if not given.path:
        return _with_families(DATASETS[given.name](), settings.families)
    expected = (
        f"; this study was made on a table with the digest {digest[:12]}, and DATA= says where that is"
        if digest
        else ""
    )
    try:
        data = read_table(
            given.path,
            given.target,
            given.positive,
            given.id or None,
            group=given.group or None,
            missing=given.missing,
        )
        data = _with_families(data, settings.families)
    except ValueError as fault:
        raise Refusal(f"{str(fault).removesuffix('.')}{expected}.") from None
    if digest not in (None, data.digest):
        raise Refusal(f"{given.path}: the table has changed (its digest is {data.digest[:12]}){expected}.")
    return data


def _with_families(data: Dataset, families: Mapping[str, tuple[str, ...]]) -> Dataset:
    """The same table with the families the settings name. Raises Refusal for a column it does not have, or
    has twice."""
    if not families:
        return data
    listed = [column for columns in families.values() for column in columns]
    for column in listed:
        if column not in data.feature_names:
            raise Refusal(
                f"families: there is no column {column!r} to measure by in {data.name};"
                f" {nearest(column, list(data.feature_names))}"
            )
        if listed.count(column) > 1:
            raise Refusal(f"families: the column {column!r} is named twice; a column belongs to one family.")
    named = {column: family for family, columns in families.items() for column in columns}
    return dataclasses.replace(
        data, families=tuple(named.get(*pair) for pair in zip(data.feature_names, data.families, strict=True))
    )


def moved(settings: Settings, path: str | None) -> Settings:
    """The same settings with the table's file elsewhere; a path of None changes nothing."""
    if path is None:
        return settings
    if not settings.data.path:
        raise Refusal(
            f"this study is about the built-in table {settings.data.name}, so DATA= does not belong here."
        )
    return dataclasses.replace(
        settings, data=dataclasses.replace(settings.data, path=str(Path(path).absolute()))
    )


def _named(settings: Settings) -> Settings:
    """With the path of a user's table made absolute and its name taken from it, as far as a name may hold
    it."""
    if not settings.data.path:
        return settings
    path = Path(settings.data.path).absolute()
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", path.stem).strip("-._")[:40] or "table"
    return dataclasses.replace(settings, data=dataclasses.replace(settings.data, path=str(path), name=name))


def server_address(text: str) -> str | None:
    """The address of an MLflow server, from the environment; None when there is none. Raises Refusal, which
    does not repeat what may hold a password."""
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
            "MLFLOW_TRACKING_URI must be the address of an MLflow server, as in http://127.0.0.1:5000, but"
            f" is {scheme + ':...' if re.fullmatch('[a-z][a-z0-9+.-]*', scheme) else 'none'}; a study is kept"
            " in mlruns/ in any case: unset it to keep it there alone."
        )
    return text.strip()


def from_stored(text: str) -> Settings:
    """Settings from the JSON text that `to_stored` made. Raises Refusal when this version cannot read
    them."""
    faults: list[str] = []
    settings = _build(Settings, json.loads(text), "", faults)
    if faults:
        raise Refusal(f"the study was stored by another version of the harness: {' '.join(faults)}")
    return cast(Settings, settings)


def known_keys(kind: Any = Settings, prefix: str = "") -> Iterator[str]:
    """Every dotted key an override may name."""
    for field, hint in get_type_hints(kind).items():
        if dataclasses.is_dataclass(hint):
            yield from known_keys(hint, f"{prefix}{field}.")
        elif not (get_args(hint) and dataclasses.is_dataclass(get_args(hint)[0])):
            yield f"{prefix}{field}"


def _toml(path: Path) -> dict[str, Any]:
    """The content of a settings file."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise Refusal(
            f"the settings file {path} does not exist; leave SETTINGS out to use the default study."
        ) from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as fault:
        raise Refusal(f"the settings file {path} cannot be read as TOML: {fault}.") from None


def _lay_over(table: dict[str, Any], upper: Mapping[str, Any]) -> None:
    """Let `upper` replace what it names in the table; a table in it replaces only its own keys."""
    for key, value in upper.items():
        if isinstance(value, dict) and isinstance(table.get(key), dict):
            _lay_over(table[key], value)
        else:
            table[key] = value


def _dig(table: Any, dotted: str) -> Any:
    for part in dotted.split("."):
        table = table.get(part) if isinstance(table, dict) else None
    return table


def _place(table: dict[str, Any], dotted: str, text: str) -> list[str]:
    """Put what was typed where the key says, read as TOML where it is a number, a truth value or a list."""
    known = [*known_keys(), "search.trials"]
    if dotted not in known:
        return [f"{dotted} is not a setting: {nearest(dotted, known)}"]
    try:
        value = text if dotted in VERBATIM else tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = {"True": True, "False": False}.get(text, text)
    *path, last = dotted.split(".")
    for part in path:
        table = table.setdefault(part, {})
    if isinstance(table.get(last), bool) and value in (0, 1):
        value = bool(value)
    table[last] = value
    return []


def _build(kind: Any, table: Any, path: str, faults: list[str]) -> Any:
    """An instance of the dataclass `kind` from a TOML table; what is wrong with it is added to `faults`."""
    hints = get_type_hints(kind)
    if not isinstance(table, dict):
        faults.append(f"{path or 'the file'} must be a table, but is {table!r}.")
        return None
    here = f"{path}." if path else ""
    faults += [
        f"{here}{key} is not a setting: {nearest(key, list(hints))}" for key in table if key not in hints
    ]
    faults += [f"{here}{key} is missing." for key in hints if key not in table]
    values = {key: _value(hints[key], table[key], f"{here}{key}", faults) for key in hints if key in table}
    return kind(**values) if len(values) == len(hints) else None


def _value(hint: Any, value: Any, path: str, faults: list[str]) -> Any:
    if dataclasses.is_dataclass(hint):
        return _build(hint, value, path, faults)
    if get_origin(hint) in (dict, tuple):
        return _several(hint, value, path, faults)
    words = {float: "a finite number", int: "a whole number", bool: "true or false", str: "a text"}
    if hint is float and type(value) is int:
        return float(value)
    if type(value) is not hint or (hint is float and not math.isfinite(value)):
        faults.append(f"{path} must be {words[hint]}, but is {value!r}.")
    return value


def _several(hint: Any, value: Any, path: str, faults: list[str]) -> Any:
    """A list of values, or a table of them."""
    shape, inner = (list, get_args(hint)[0]) if get_origin(hint) is tuple else (dict, get_args(hint)[1])
    if not isinstance(value, shape):
        faults.append(f"{path} must be a {'list' if shape is list else 'table'}, but is {value!r}.")
        return get_origin(hint)()
    if isinstance(value, dict):
        return {key: _value(inner, item, f"{path}.{key}", faults) for key, item in value.items()}
    return tuple(_value(inner, item, f"{path}[{index}]", faults) for index, item in enumerate(value))


def _check(s: Settings) -> Iterator[str]:
    """What types cannot say. One sentence a fault."""
    choices: list[tuple[str, str, Any]] = [
        ("data.name", s.data.name, [s.data.name] if s.data.path else DATASETS),
        ("split.order", s.split.order, ("test-first", "rest-first")),
        ("network.optimizer", s.network.optimizer, OPTIMIZERS),
        ("backend.name", s.backend.name, BACKENDS),
        ("backend.dtype", s.backend.dtype, DTYPES),
        ("backend.device", s.backend.device, DEVICES),
        ("backend.draws", s.backend.draws, PLANS),
        ("search.design", s.search.design, DESIGNS),
    ]
    for key, value, known in choices:
        if value not in known:
            yield f"{key} must be one of {', '.join(known)}, but is {value!r}."
    yield from _check_data(s)
    if s.search.design in DESIGNS:
        yield from _check_counts(s)
    yield from _check_space(s.space)
    yield from _check_recipes(s)


def _check_recipes(s: Settings) -> Iterator[str]:
    try:
        s.recipe(learning_rate=1, dropout=0, epochs=1)
    except ValueError as fault:
        yield f"network.{fault}"
        return  # it would be said of every recipe again
    names = [entry.name for entry in s.compare]
    if len(set(names)) < len(names) or any(not ROLE.fullmatch(name) or name in RESERVED for name in names):
        yield (
            "compare.name must be unique, up to 60 letters, digits, spaces, '.', '_' or '-', and none of"
            f" {', '.join(RESERVED)}, but the names are {names}."
        )
    for entry in s.compare:
        try:
            s.recipe(entry.learning_rate, entry.dropout, entry.epochs)
        except ValueError as fault:
            yield f"compare {entry.name!r}: {fault}"


def _check_data(s: Settings) -> Iterator[str]:
    if s.data.path:
        needed = {"TARGET=": s.data.target, "POSITIVE=": s.data.positive}
        missing = " and ".join(name for name, value in needed.items() if not value)
        if missing:
            yield (
                f"a table of your own needs {missing} too: DATA=my.csv TARGET=diagnosis POSITIVE=M, and"
                " ID=patient if it has ids."
            )
        if s.data.missing not in WAYS:
            yield f"MISSING= must be median or drop, or left out, but is {s.data.missing!r}."
    elif any(getattr(s.data, key) for key in (*FROM_FILE, *IF_GIVEN)):
        yield (
            f"TARGET=, POSITIVE=, ID=, GROUP= and MISSING= describe a table of your own, but {s.data.name} is"
            " built in; name the file with DATA=."
        )


RESERVED = ("winner", "logistic regression", "majority class", "searched anew")
ROLE = re.compile(
    r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,59}"
)  # part of metric names, and of nothing that could collide there


def _check_counts(s: Settings) -> Iterator[str]:
    many, last, fits = 100_000, LARGEST_SEED, True
    for key, value, least, most in [
        ("search.seeds", s.search.seeds, 2, many),
        ("confirm.seeds", s.confirm.seeds, 2, many),
        ("search.trials", s.trials, 1, many),
        ("search.first_seed", s.search.first_seed, 0, last),
        ("confirm.first_seed", s.confirm.first_seed, 0, last),
        ("search.study_seed", s.search.study_seed, 0, last),
        ("split.seed", s.split.seed, 0, last),
        ("search.tpe.startup_trials", s.search.tpe.startup_trials, 1, many),
        ("rehearsal.seeds", s.rehearsal.seeds, 2, many),
        ("rehearsal.first_seed", s.rehearsal.first_seed, 0, last),
        ("rehearsal.first_split", s.rehearsal.first_split, 0, last),
        ("rehearsal.splits", s.rehearsal.splits, 0, many),
        ("rehearsal.levels", s.rehearsal.levels, 2, 40),
    ]:
        if not least <= value <= most:
            why = " (one seed is no band)" if key.endswith(".seeds") else ""
            fits = False
            yield f"{key} must be a whole number from {least} to {most}{why}, but is {value}."
    if not fits:
        return  # what follows lists the seeds
    if s.search.design == "sobol" and s.trials & (s.trials - 1):
        power = 1 << s.trials.bit_length()
        yield (
            f"a Sobol design needs a power of two of trials, but got {s.trials}; try {power // 2} or {power}."
        )
    if max(s.search_seeds.start, s.confirm_seeds.start) < min(s.search_seeds.stop, s.confirm_seeds.stop):
        yield (
            f"confirmation seeds must be fresh, but {s.confirm_seeds[0]}..{s.confirm_seeds[-1]} overlaps the"
            f" search seeds {s.search_seeds[0]}..{s.search_seeds[-1]}; raise confirm.first_seed."
        )
    if set(s.rehearsal_seeds) & set(s.search_seeds):
        yield (
            f"rehearsal seeds must be fresh, but {s.rehearsal_seeds[0]}..{s.rehearsal_seeds[-1]} overlaps the"
            f" search seeds {s.search_seeds[0]}..{s.search_seeds[-1]}; raise rehearsal.first_seed."
        )
    if s.split.seed in s.split_seeds:
        yield (
            f"fresh divisions need other seeds than split.seed ({s.split.seed}); raise rehearsal.first_split."
        )
    if s.rehearsal.splits == 1:
        yield "rehearsal.splits must be 0 or at least 2 (one split is no band), but is 1."
    last = max(s.search_seeds.stop, s.confirm_seeds.stop, s.rehearsal_seeds.stop, s.split_seeds.stop) - 1
    if last > LARGEST_SEED:
        yield f"the last seed must be at most {LARGEST_SEED}; lower first_seed or seeds."


def _check_space(space: SpaceSettings) -> Iterator[str]:
    limits = {"learning_rate": (0, 10), "dropout": (0, 1), "epochs": (1, 100_000)}
    for name, (least, most) in limits.items():
        low, high, log = dataclasses.astuple(getattr(space, name))
        if not low <= high:
            yield f"space.{name} must have low <= high, but has {low} and {high}."
        if low < least or high > most or (name == "dropout" and high == 1):
            yield f"space.{name} must lie within {least} and {most}, but is {low}..{high}."
        if low <= 0 and (log or name == "learning_rate"):
            yield (
                f"space.{name}.low must be above 0 (it is {low}): a logarithm of it is taken or a step made"
                " of it."
            )
        if name == "epochs" and not (float(low).is_integer() and float(high).is_integer()):
            yield f"space.epochs must have whole ends, but has {low} and {high}."
