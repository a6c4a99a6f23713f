"""Words after a verb as options: NAME=value as make passes it, dotted.setting=value, words alone."""

import re
import shlex
from collections.abc import Collection, Sequence

from handnet import messages

TRUTHS = ("0", "1", "true", "false")
FLAGS = {"HELP", "DEBUG"}  # make variables that are options without a value


def as_options(
    words: Sequence[str], takes: Collection[str], first: str = "", every: bool = False
) -> list[str]:
    """Make's NAME=value as --name=value, and a dotted setting as --set: both may be typed after a verb.

    takes: the options that take a value. first: the option whose value the first word is that stands alone;
    "" where there is none. every: whether the further words that stand alone are values of it too.
    """
    options: list[str] = []
    for before, word in zip(["", *words], words, strict=False):
        variable = re.fullmatch(r"([A-Za-z][A-Za-z_]*)=(.*)", word, re.DOTALL)
        dotted = re.fullmatch(r"([a-z_]+(\.[a-z_]+)+)=.*", word, re.DOTALL)
        if before in takes:
            options.append(word)
        elif variable and variable[1].upper() in FLAGS:
            options += [f"--{variable[1].lower()}"] if variable[2] not in {"", "0"} else []
        elif variable:
            options.append(f"--{variable[1].lower().replace('_', '-')}={variable[2]}")
        elif dotted:
            options.append(f"--set={word}")
        elif first and not word.startswith("-") and not _is_value(word, before):
            options.append(f"{first}={word}")
            first = first if every else ""  # a second word is not understood
        else:
            options.append(word)
    return options


def _is_value(word: str, before: str) -> bool:
    """Whether a word is the value of the option before it, which may stand alone: 0 or 1."""
    waits = before.startswith("-") and "=" not in before and before.lstrip("-").upper() not in FLAGS
    return waits and word.lower() in TRUTHS


def example(line: str, first: str = "data") -> tuple[str, str]:
    """A line of a help text, `  handnet study x --seeds 3   what it does`, as the reader types it.

    first: the option whose values the words are that stand alone."""
    typed, _, does = line.strip().partition("   ")
    if messages.option("x").startswith("-"):  # the line is as a shell has it
        return typed, does.strip()
    words = shlex.split(typed.removeprefix("python -m "))
    verb, *words = words if typed.startswith("python") else words[1:]
    given, alone = dict[str, str | bool](), list[str]()
    while words:
        word = words.pop(0)
        if word.startswith("--"):
            value = words.pop(0) if words and not words[0].startswith("-") else True
            given[word[2:]] = f"{given[word[2:]]}; {value}" if word[2:] in given else value
        elif "=" in word:
            name, _, value = word.partition("=")
            given[name] = value
        else:
            alone.append(word)
    named = {first: ",".join(alone)} if alone else {}
    return messages.command(verb, **named, **given), does.strip()
