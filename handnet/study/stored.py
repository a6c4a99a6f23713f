"""What a confirmation stores of its results, and how that is read."""

from collections.abc import Iterable, Sequence

from handnet.study.analysis import TrialResult
from handnet.study.configuration import configure
from handnet.study.division import Resplit
from handnet.study.identity import Commit, Frozen
from handnet.study.networks import concatenate, read_logits, read_outputs, to_npz
from handnet.study.records import Records
from handnet.study.resplit import Resplits
from handnet.study.sealed import Opening
from handnet.study.store import Store, trials_of
from handnet.study.summary import objective
from handnet.study.units import Confirmed, Problem


def check_trials(store: Store, problem: Problem, trials: Iterable[TrialResult]) -> None:
    """Raises Refusal (1) unless each trial has the value that its networks give."""
    for result in trials:
        if objective(problem.task, result.replicas, problem.parts.val.y) != result.trial.value:
            file = trials_of(result.configuration.model)
            raise store.damaged(f"{file}, line {result.trial.place + 1} is not what its networks give")


def read_confirmed(store: Store, records: Records, commit: Commit) -> list[Confirmed]:
    """The frozen configurations and the methods without seeds, as the store has them.

    Raises Refusal when some are lost or damaged."""
    confirmed, settings = [], records.settings
    for role, config_id, params, tuned, chosen, model in commit.frozen:
        replicas, configuration, val, test = None, None, None, None
        if params is not None:
            configuration = configure(settings, model, params)
            blocks = records.problem.blocks(configuration, settings.confirm_seeds)
            replicas = concatenate(store.replicas(config_id, blocks))
            val = replicas.val_logits
        else:
            what = f"the results of {role} on the validation rows"
            val = store.read(f"val/{config_id}", read_logits, what)
        if commit.opening:
            key, what = f"test/{commit.opening}/{config_id}", f"the results of {role} on the test"
            found = store.read(key, read_outputs, what)
            assert found is not None
            test, faults = found
            replicas = replicas.without(faults) if replicas else None
            val = replicas.val_logits if replicas else val
        assert val is not None  # a reader is refused
        confirmed.append(Confirmed(role, config_id, configuration, replicas, val, test, tuned, chosen))
    return confirmed


def write_confirmed(store: Store, result: Confirmed, opening: Opening | None) -> Frozen:
    """Store what a graded configuration gave on the test, and a method without seeds on the validation rows.

    A damaged file is written anew. Returns what the commit says of it."""
    logits = {} if result.replicas else {f"val/{result.config_id}": result.val_logits}
    if opening and result.test_logits is not None:
        logits[f"test/{opening.id}/{result.config_id}"] = result.test_logits
    for key, values in logits.items():
        if store.read(key, read_logits, "") is None:
            store.write(key, to_npz(logits=values))
    frozen = result.role, result.config_id
    if result.configuration is None:
        return Frozen(*frozen, None, result.tuned, result.chosen)
    params = dict(result.configuration.chosen)
    return Frozen(*frozen, params, result.tuned, result.chosen, result.configuration.model)


def read_resplits(store: Store, keys: Sequence[str]) -> Resplits | None:
    """The fresh divisions and streams with these keys; None without any key. Raises Refusal when one is
    lost."""
    if not keys:
        return None
    divisions, anew = (
        [
            division
            for key in keys
            if key.startswith(kind)
            and (division := store.read(key, Resplit.from_npz, f"the results of {key}"))
        ]
        for kind in ("split/", "ideal/")
    )
    streams = [
        store.read(key, read_logits, f"the results of {key}") for key in keys if key.startswith("streams/")
    ]
    return Resplits(tuple(divisions), next(iter(streams), None)).joined(anew)
