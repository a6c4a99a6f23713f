"""The arguments of run_study: checked, and made into a file and settings.

The import is light, because `handnet.run_study` is looked up before it is called."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from handnet.messages import ARGUMENTS as OTHERWISE
from handnet.messages import Name, Refusal, nearest
from handnet.study.options import OPTIONS, named_table

if TYPE_CHECKING:
    import pandas as pd

    from handnet.data import Dataset

# Of run_study, beside those that are settings.
ARGUMENTS = (
    "model space fixed inputs home name settings open_test server executor workers progress families".split()
)


def check_arguments(
    data: object, options: Mapping[str, object], settings: object, server: str | None
) -> None:
    """Refuse what is not of the kind an argument takes."""
    from handnet.study.reading import server_address

    if isinstance(data, str):
        named_table(data)
    for name in ("target", "positive", "id", "group"):
        value = _plain(options.get(name))
        if hasattr(value, "__len__") and not isinstance(value, str):
            wanted = "a label" if name == "positive" else "the name of a column"
            raise Refusal(f"{name} must be {wanted}, but is of the type {type(options[name]).__name__}.")
    for name in ("leave", "text", "number"):
        value = _plain(options.get(name))
        if value is not None and not isinstance(value, str | list | tuple):
            raise Refusal(f"{name} must be a list of columns, but is of the type {type(value).__name__}.")
    if settings is not None and not isinstance(settings, str | Path):
        raise Refusal(
            f"settings must be the path of a settings file, but is of the type {type(settings).__name__};"
            ' give single settings by their dotted names: run_study(**{"space.epochs.high": 100}).'
        )
    server_address(server or "", "server")


@contextmanager
def table_file(
    data: "pd.DataFrame | Dataset | str | Path | None",
    home: Path,
    options: Mapping[str, object],
    settings: str | Path | None,
    models: Sequence[Mapping[str, Any]] = (),
) -> Iterator[tuple[str | Path | None, Mapping[str, object]]]:
    """The path or the name of the table, and the options with those that describe it.

    A table in memory is written once its settings are read, and not kept if the request is refused."""
    if data is None or isinstance(data, str | Path):
        yield data, options
        return
    from handnet.study.frames import written
    from handnet.study.reading import read

    def check(path: str, described: Mapping[str, object]) -> None:
        chosen = to_settings(path, described)
        if not settings and "data.target" not in chosen:
            raise Refusal(
                "a DataFrame needs the name of the column that is to be told, and of two labels the one that"
                ' is class 1: run_study(frame, target="diagnosis", positive="M").'
            )
        read(chosen, Path(settings) if settings else None, models)

    with written(data, home, options, check) as file:
        yield file


def as_typed(
    data: "pd.DataFrame | Dataset | str | Path | None", options: Mapping[str, object]
) -> dict[str, Any]:
    """The arguments that were given, as a message repeats them; a table in memory is called frame."""
    table = str(data) if isinstance(data, str | Path) else data if data is None else Name("frame")
    given = {"data": table, **options}
    return {
        name: str(value) if isinstance(value, Path) else _plain(value)
        for name, value in given.items()
        if value is not None
    }


def to_settings(data: str | Path | None, options: Mapping[str, object]) -> dict[str, str]:
    """Dotted key -> text of every setting that is named."""
    chosen = {} if data is None else named_table(str(data))
    for name, value in options.items():
        option = OPTIONS.get(name.replace("_", "-"))
        if option is None and "." not in name and name != "families":
            known = [option.replace("-", "_") for option in OPTIONS] + ARGUMENTS
            raise Refusal(f"{name} is no argument of run_study: {nearest(OTHERWISE.get(name, name), known)}")
        if value is not None:
            key = option[0] if option else name
            lists = key in ("data.leave", "data.text", "data.number") and not isinstance(value, str)
            chosen[key] = _toml(list(map(str, _plain(value)))) if lists else _typed(value)
    return chosen


def _typed(value: object) -> str:
    """A value as it would be typed: a text as it is, all else in TOML."""
    return value if isinstance(value, str) else _toml(value)


def _plain(value: Any) -> Any:
    """A scalar or an array of NumPy as Python's own."""
    return value.tolist() if hasattr(value, "tolist") else value


def _toml(value: object) -> str:
    value = _plain(value)
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{_toml(str(key))} = {_toml(item)}' for key, item in value.items())}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return str(value).lower() if isinstance(value, bool) else str(value)
