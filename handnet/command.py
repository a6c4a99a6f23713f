"""How a command is read, how it teaches itself and how it ends: `command` makes one, `run` runs one."""

import inspect
import io
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

import click
from click.core import ParameterSource

from handnet import messages
from handnet.assignments import as_options, example
from handnet.endings import ANEW, NOTHING, ended, finish
from handnet.messages import FOLDER, Refusal, nearest, stored_in, through
from handnet.study.files import check_folder
from handnet.study.interrupt import stop_at_once

WRITTEN = f"where everything is written ({FOLDER})"
PLACE = click.Path(readable=False)  # one that cannot be read is told with its owner
HELP = ("-h", "--help")
Section = Callable[[], tuple[str, Sequence[tuple[str, str]]]]


class Truth(click.ParamType[Any]):
    """0 or 1; an option of this type without a value is 1."""

    name = "truth"

    def convert(self, value: Any, param: click.Parameter | None, _ctx: click.Context | None) -> bool:
        """True or false. Raises Refusal for any other word."""
        if str(value).lower() not in {"0", "1", "true", "false", ""}:
            raise Refusal(f"{_named(param)}: expected 0 or 1, but got {value!r}.")
        return str(value).lower() in {"1", "true"}


class Whole(click.ParamType[Any]):
    """A whole number from `least` to `most`."""

    name = "N"

    def __init__(self, least: int, most: int = 100_000) -> None:
        self.least, self.most = least, most

    def convert(self, value: Any, param: click.Parameter | None, _ctx: click.Context | None) -> int:
        """The number. Raises Refusal for any other text."""
        text = str(value)
        digits = text.lstrip("0") or "0"  # those Python must read, which are not too many
        if not text.isdecimal() or len(digits) > 20 or not self.least <= int(digits) <= self.most:
            got = repr(value if len(text) <= 200 else f"{text[:60]}...")
            raise Refusal(
                f"{_named(param)} must be a whole number from {self.least} to {self.most}, but is {got}."
            )
        return int(digits)


class Option(click.Option):
    """An option that the help names as the reader types it.

    bare: a word that stands alone was meant for it. first: a first word that stands alone is its value, and
    if it may be given several times, so is every further one.
    """

    def __init__(self, *arguments: Any, bare: bool = False, first: bool = False, **attributes: Any) -> None:
        super().__init__(*arguments, **attributes)
        self.bare, self.first = bare, first

    @property
    def alone(self) -> bool:
        """Whether it may stand without a value."""
        return self.is_flag or isinstance(self.type, Truth)

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """Its name with what it takes, and its explanation; None where it is hidden."""
        if self.hidden:
            return None
        name = messages.option(self.opts[-1].removeprefix("--"), True if self.alone else "")
        takes = "" if self.alone else self.make_metavar(ctx)
        return f"{name}{'' if name.endswith('=') else ' '}{takes}".rstrip(), self.help or ""


class Command(click.Command):
    """A command whose options may also be typed as make passes them: NAME=value, dotted.setting=value.

    left: what is true when it is cut short. last: makes the title and the rows of a last section of its help.
    """

    failed = 1  # its exit code where it fails

    def __init__(
        self, *arguments: Any, left: str = ANEW, last: Section | None = None, **attributes: Any
    ) -> None:
        super().__init__(*arguments, **attributes)
        self.left, self.last = left, last

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Raises Refusal for what is not understood."""
        ctx.allow_extra_args = True
        try:
            rest = super().parse_args(ctx, self._as_options(args))
        except click.UsageError as fault:
            raise _refusal(fault, self) from None
        if rest and "--" in args:
            raise Refusal("-- ends the options, and nothing may follow it here; leave it out.")
        if rest:
            raise _unknown(rest[0], self)
        return rest

    def _as_options(self, args: Sequence[str]) -> list[str]:
        """The words with every assignment, and a first word that stands alone, as options."""
        known = [param for param in self.params if isinstance(param, Option)]
        takes = {name for param in known if not param.alone for name in param.opts}
        first, every = next(((param.opts[-1], param.multiple) for param in known if param.first), ("", False))
        options = as_options(args, takes, first, every)
        if (
            first
            and not every
            and len(named := [word for word in options if word.partition("=")[0] == first]) > 1
        ):
            raise Refusal(f"{' and '.join(named)} name two tables; leave one of them out.")
        return options

    def invoke(self, ctx: click.Context) -> int:
        """Does it. Returns the exit code."""
        debug, folder, answers = ctx.params.pop("debug"), Path(ctx.params["mlruns"]), list[int | None]()

        def work() -> int | None:
            if not ctx.params["mlruns"]:
                raise Refusal(
                    f"{messages.option('mlruns')} wants a folder, but is empty; leave it out for {FOLDER}."
                )
            check_folder(folder)
            answers.append(super(Command, self).invoke(ctx))
            return answers[0]

        with stored_in(str(folder)), messages.typed(str(self.name), _given(ctx)):
            code = ended(work, self.left, debug)
        return self.failed if code == 1 and not answers else code

    def format_usage(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """As the reader types it."""
        first = next((param for param in self.params if isinstance(param, Option) and param.first), None)
        alone = first and messages.option("x").startswith("-")  # make passes no word without its name
        takes = f"[{first.metavar}{' ...' * first.multiple}] " if first and alone else ""
        formatter.write_usage(messages.command(str(self.name)), f"{takes}[options]")

    def format_help_text(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Paragraphs are wrapped; indented lines are examples, and are shown as the reader types them."""
        first = next((param for param in self.params if isinstance(param, Option) and param.first), None)
        named = first.opts[-1].removeprefix("--") if first else "data"
        for paragraph in inspect.cleandoc(str(self.help)).split("\n\n"):
            formatter.write_paragraph()
            with formatter.indentation():
                if paragraph.startswith("  "):
                    formatter.write_dl([example(line, named) for line in paragraph.splitlines()], col_max=45)
                else:
                    formatter.write_text(paragraph)

    def format_epilog(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The last section."""
        if self.last:
            title, rows = self.last()
            with formatter.section(title):
                formatter.write_dl(rows)


class Group(click.Group):
    """Several commands under one name, listed in the order they were made."""

    def __init__(self, *arguments: Any, **attributes: Any) -> None:
        super().__init__(*arguments, context_settings={"help_option_names": HELP}, **attributes)
        self.subcommand_metavar = "VERB ..."

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """`help` and `help VERB` show the help too."""
        return super().parse_args(ctx, [*args[1:2], HELP[-1]] if args[:1] == ["help"] else args)

    def list_commands(self, _ctx: click.Context) -> list[str]:
        """The verbs."""
        return list(self.commands)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command of that name. Raises Refusal when there is none."""
        if args[0] not in self.commands and not ctx.resilient_parsing:  # which completion is
            raise Refusal(f"{args[0]} is no verb of {self.name}: {nearest(args[0], list(self.commands))}")
        return super().resolve_command(ctx, args)


def option(name: str, **attributes: Any) -> Callable[[Any], Any]:
    """An option of a command; with ``type=Truth()`` it may stand without a value.

    As in ``@option("--seed", type=Whole(0), default="0", help="of the network")``."""
    if isinstance(attributes.get("type"), Truth):
        attributes = {"is_flag": False, "flag_value": "1", "default": "0", **attributes}
    return click.option(name, cls=Option, **attributes)


def command(
    name: str, left: str = ANEW, group: click.Group | None = None, last: Section | None = None
) -> Callable[[Callable[..., int | None]], Command]:
    """Makes a function a command; its docstring is the help, and what it returns the exit code (None is 0).

    name: a verb of `group`, or the module that is run: ``@command("experiments.walk")``. left, last: as in
    `Command`. Every command also takes --mlruns, the folder, which the function gets as `mlruns`.
    """

    def make(function: Callable[..., int | None]) -> Command:
        made = click.command(name, Command, left=left, last=last)(function)
        made.params += [
            Option(["--mlruns"], default=FOLDER, type=PLACE, metavar="FOLDER", help=WRITTEN),
            Option(["--debug"], is_flag=True, help="show a traceback when something fails"),
        ]
        made = click.help_option(*HELP, cls=Option, help="show this and stop")(made)
        if group:
            group.add_command(made, name.rpartition(".")[2])
        return made

    return make


def main(program: click.Command, words: Sequence[str] | None = None) -> int:
    """Run a command.

    Returns the exit code: 0 done, 1 failed, 2 not understood, 75 busy, 130 and 143 interrupted."""
    typed = sys.argv[1:] if words is None else list(words)
    stop_at_once()
    for stream in (sys.stdout, sys.stderr):  # a character the terminal cannot show is no reason to fail
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")

    def work() -> int | None:
        try:
            with program.make_context(program.name, typed) as ctx:
                return program.invoke(ctx)
        except click.exceptions.NoArgsIsHelpError as help_text:
            print(help_text.format_message(), file=sys.stderr)
            return 2
        except click.UsageError as fault:
            raise _refusal(fault, program) from None
        except click.exceptions.Exit as end:  # help was shown
            return end.exit_code

    with through("make" if os.environ.get("HANDNET_DOOR") == "make" else "shell"):
        return ended(work, NOTHING, "--debug" in typed)


def run(program: click.Command, words: Sequence[str] | None = None) -> NoReturn:
    """A command as a whole process."""
    _complete(program)
    finish(main(program, words))


def _complete(program: click.Command) -> None:
    """Complete a word for a shell, which asks through the variable _HANDNET_COMPLETE."""
    variable = f"_{str(program.name).upper()}_COMPLETE"
    if instruction := os.environ.get(variable):
        from click.shell_completion import shell_complete

        sys.exit(shell_complete(program, {}, str(program.name), variable, instruction))


def _given(ctx: click.Context) -> dict[str, Any]:
    """The options that were typed, by their names, and the settings among them; none that make adds."""
    unsaid, given = ("", os.environ.get("HANDNET_SETTINGS")), {}
    for name in (str(param.name) for param in ctx.command.params if param.name in ctx.params):
        if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE and ctx.params[name] not in unsaid:
            given[name.replace("_", "-")] = ctx.params[name]
    return given | dict(assignment.partition("=")[::2] for assignment in given.pop("set", ()))


def _unknown(word: str, program: click.Command) -> Refusal:
    """Of a word that is no option: the nearest one that is."""
    for param in program.params:
        if isinstance(param, Option) and param.bare and not word.startswith("-"):
            return Refusal(f"{word} stands alone; say what it is: {messages.option(str(param.name), word)}.")
    known = [messages.option(name[2:]) for param in program.params for name in param.opts if name[:2] == "--"]
    name = messages.option(word.lstrip("-").split("=")[0]) if word.startswith("-") else word
    kind = "a setting" if name.isupper() else "an option"
    return Refusal(f"{name} is not {kind} of this command: {nearest(name, known)}")


def _refusal(fault: click.UsageError, program: click.Command) -> Refusal:
    """Ours for one of click's."""
    if isinstance(fault, click.NoSuchOption):
        return _unknown(fault.option_name, program)
    if isinstance(fault, click.BadOptionUsage) and "requires" in fault.message:
        return Refusal(f"{messages.option(fault.option_name.lstrip('-'))} wants a value.")
    sentence = fault.format_message().rstrip(".")
    return Refusal(f"{sentence}; {messages.option('help', True)} shows what is understood.")


def _named(param: click.Parameter | None) -> str:
    assert param is not None
    return messages.option(param.opts[-1].removeprefix("--"))
