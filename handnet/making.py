"""The options of a verb that makes a study."""

from collections.abc import Callable

import click

from handnet.command import Truth, Whole, option
from handnet.study.options import OPTIONS

TYPES = {"FILE": click.Path(), "1": Truth()}
named = option("--name", metavar="NAME", help="of the study; default: the data's, or data-fingerprint")

MODELS = (  # what is studied, and what of it is searched
    option(
        "--model",
        multiple=True,
        metavar="[name=]SOURCE",
        help="what is studied: mlp; sklearn:MODULE.CLASS; sklearn:FILE.py:NAME, a class or a pipeline"
        " of yours, or a function that makes one; keras:FILE.py:FUNCTION; call:FILE.py:FUNCTION; the first of"
        " several decides",
    ),
    option(
        "--space",
        multiple=True,
        metavar="[MODEL.]PARAMETER=AXIS",
        help="what is searched: 2..10, 0.1..0.9, '1e-4..1e-1 log', or a choice as in gini,entropy",
    ),
    option(
        "--fixed", multiple=True, metavar="[MODEL.]PARAMETER=VALUE", help="a parameter that is not searched"
    ),
    option(
        "--inputs",
        metavar="NAME",
        help="what models get: encoded, scaled numbers; or raw, the table's own columns",
    ),
)


def makes_a_study(function: Callable[..., int]) -> Callable[..., int]:
    """The options of a verb that makes a study."""
    decorators = [
        named,
        *(
            option(
                f"--{name}",
                metavar=takes,
                type=TYPES.get(takes),
                default=None,
                help=means,
                first=name == "data",
            )
            for name, (_, takes, means) in OPTIONS.items()
        ),
        *MODELS,
        option("--open", type=Truth(), help="open the test of a small study too"),
        option("--executor", metavar="NAME", default="threads", help="what trains: threads or processes"),
        option("--workers", type=Whole(0, 1000), default="0", help="how many of them; 0: one on each core"),
        option("--check", type=Truth(), help="say what would be done, and how long it takes; write nothing"),
        option("--settings", type=click.Path(), metavar="FILE", help="laid over the defaults below"),
        option(
            "--set", multiple=True, metavar="KEY=VALUE", help="any setting below; may be typed without --set"
        ),
    ]
    for decorator in reversed(decorators):
        function = decorator(function)
    return function
