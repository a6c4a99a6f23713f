"""Who trains a study: threads or processes the network by hand, processes that can be killed all others."""

from collections.abc import Callable, Collection
from concurrent.futures import Future
from contextlib import ExitStack
from typing import Any, Self

from handnet.study.division import fit_again_on, fit_on, fit_seed_on
from handnet.study.executor import Processes, Threads, make_workers
from handnet.study.fits import fit_again, fit_model, restore
from handnet.study.identity import Request
from handnet.study.processes import Killable

# What runs somebody else's code.
ALONE = (fit_model, fit_again, restore, fit_on, fit_again_on, fit_seed_on)


class Both:
    """Calls of some functions on killable workers, all others on the usual ones; entered with both.

    alone: these functions. Killable workers that get no call start nothing."""

    def __init__(
        self, usual: Threads | Processes, killable: Killable, alone: Collection[Callable[..., Any]]
    ) -> None:
        self.usual, self.killable, self.alone = usual, killable, alone
        self.ahead = max(usual.ahead, killable.ahead)
        self._entered = ExitStack()

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Run a function where it belongs."""
        return (self.killable if function in self.alone else self.usual).submit(function, *arguments)

    def hold(self, digest: str, rows: Any) -> None:
        """Let later calls find rows by their digest, wherever they run."""
        self.usual.hold(digest, rows)
        self.killable.hold(digest, rows)

    def __enter__(self) -> Self:
        self._entered.enter_context(self.usual)
        self._entered.enter_context(self.killable)
        return self

    def __exit__(self, *fault: Any) -> None:
        self._entered.__exit__(*fault)


def workers_of(request: Request) -> Threads | Processes | Both:
    """The workers of a study, entered before they run anything. Raises Refusal as `make_workers` does."""
    settings = request.settings
    usual = make_workers(request.executor, request.workers, settings.backend.name)
    if not request.models:
        return usual
    limits = settings.units.timeout, settings.units.memory
    return Both(usual, Killable(usual.count, *limits), ALONE)
