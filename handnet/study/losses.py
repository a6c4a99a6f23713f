"""What is said of fits that were lost, because the model failed."""

from collections.abc import Sequence

from handnet.messages import Refusal
from handnet.report.model_tables import in_one
from handnet.study.analysis import TrialResult
from handnet.study.configuration import Candidate, Configuration
from handnet.study.networks import Replicas

FIX = "fix the model, its parameters or its limits"


def fit_words(configuration: Configuration, seed: object) -> str:
    """What a sentence calls a single fit: "SVC with C=2, seed 3"."""
    chosen = in_one(configuration.chosen)
    return f"{configuration.model} with {chosen}{', ' if chosen else ''}seed {seed}"


def first_lost(configuration: Configuration, replicas: Replicas) -> str:
    """The first fit that was lost, and why; empty where none was."""
    faults = zip(replicas.seeds, replicas.faults, strict=False)  # the network by hand has no faults
    return next((f"{fit_words(configuration, seed)}: {fault}" for seed, fault in faults if fault), "")


def check_hope(model: str, first: Sequence[TrialResult]) -> None:
    """Raises Refusal (1) where every fit of the first configurations of a model was lost."""
    if not any(one.replicas.sound.any() for one in first):
        raise Refusal(
            f"every fit of the first {len(first)} configurations of {model} was lost, so no other is tried"
            f" (the first: {first_lost(first[0].configuration, first[0].replicas)}); {FIX}.",
            1,
        )


def lost_when_confirmed(candidate: Candidate, replicas: Replicas) -> str:
    """How many fresh seeds of a configuration were lost, in a sentence; empty where none was.

    Raises Refusal (1), before anything is opened, where too few are left of the winner for a band."""
    first, seeds = first_lost(candidate.configuration, replicas), len(replicas.seeds)
    if not first:
        return ""
    lost = sum(map(bool, replicas.faults))
    said = f"{lost} of {seeds} fresh seeds lost (the first: {first})"
    if candidate.role == "winner" and seeds - lost < min(2, seeds):
        raise Refusal(f"winner: {said}, which leaves no band, so nothing was opened; {FIX}.", 1)
    return f"{candidate.role}: {said}."


def lost_on_test(candidate: Candidate, replicas: Replicas, faults: Sequence[str]) -> list[str]:
    """A sentence for each sound replica that gave nothing on the test. faults: (R,), "" for the others."""
    named = zip(replicas.seeds, replicas.sound, faults, strict=False)
    lost = ((seed, fault) for seed, sound, fault in named if sound and fault)
    return [f"Lost on the test: {fit_words(candidate.configuration, seed)}: {fault}." for seed, fault in lost]
