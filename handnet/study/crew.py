"""Who trains a study: threads or processes the network by hand, processes that can be killed all others."""

from handnet.study.division import fit_again_on, fit_on, search_models_on
from handnet.study.executor import Processes, Threads, make_workers
from handnet.study.fits import fit_again, fit_model, restore
from handnet.study.identity import Request
from handnet.study.processes import Both, Killable

# What runs somebody else's code.
ALONE = (fit_model, fit_again, restore, fit_on, fit_again_on, search_models_on)


def workers_of(request: Request) -> Threads | Processes | Both:
    """The workers of a study, entered before they run anything. Raises Refusal as `make_workers` does."""
    settings = request.settings
    usual = make_workers(request.executor, request.workers, settings.backend.name)
    if not request.models:
        return usual
    limits = settings.units.timeout, settings.units.memory
    return Both(usual, Killable(usual.count, *limits), ALONE)
