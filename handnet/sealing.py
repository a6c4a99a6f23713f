"""The verb that asks whether a model could have seen the sealed test: a door to the library."""

from typing import Any

import click

from handnet.command import command
from handnet.making import makes_a_study
from handnet.messages import Refusal, option
from handnet.study.chosen_models import KINDS, models_of, with_models
from handnet.study.options import OPTIONS, overrides, settings_and_table


@command("check-seal", "it writes nothing; the same command begins anew")
@makes_a_study
def check_seal(**options: Any) -> int:
    """Whether a model of yours could see the sealed test.

    A study gives no model a test row before the opening. The model itself may still find one: it may read the
    table's file, look at the rows beside the one it predicts, or remember an earlier fit. This fits it about
    a dozen times, in processes of its own, with noise where the sealed rows would stand and with labels drawn
    at random, and says what it saw. No test row is used, so the check is no opening. It takes the words of
    `study`, and tries the first configuration of the space; those that are not listed here change nothing.

      handnet check-seal --model call:m.py:predict   a function, on the built-in table
      handnet check-seal my.csv --target y --model sklearn:m.py:make   a pipeline that make() makes

    It cannot see what compiled code reads from a copy of the table, what a service over the network answers,
    or on which rows a model was trained elsewhere, unless its outputs betray that.

    Exit codes: 0 nothing found, 1 caught, 2 not understood, or the model gives no outputs.
    """
    settings, data = settings_and_table(overrides(options), options["settings"], models=models_of(options))
    settings, made = with_models(settings, data, {})
    if not made:
        raise Refusal(f"which model of yours? {option('model', '')} takes {KINDS}; mlp is our own.")
    from handnet.study.seal import check_all

    checks = check_all(settings, made, data)
    for check in checks:
        print(check)
    return int(any(check.findings for check in checks))


SIZES = ("search.", "confirm.", "backend.", "rehearsal.", "verdict.", "report.")  # none moves what is tried
UNUSED = {"name", "open", "executor", "workers", "check"} | {
    name for name, (key, *_) in OPTIONS.items() if key.startswith(SIZES) and name != "design"
}
for param in check_seal.params:
    if isinstance(param, click.Option):
        param.hidden = param.name in UNUSED
check_seal.failed = 2  # 1 says that it is caught
