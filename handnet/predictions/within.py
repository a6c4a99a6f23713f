"""Results that hold predictions and scores, each taken by itself."""

from collections.abc import Sequence
from dataclasses import replace

from handnet.messages import Refusal
from handnet.predictions.form import Results


def predictions_of(results: Results) -> Results:
    """The models that predictions are known of."""
    return replace(results, scored=())


def scores_of(results: Results, names: Sequence[str] | None) -> Results:
    """The scores that are known by themselves, or those of them that are named. Raises Refusal where there
    are no predictions and a name is no score."""
    alone = replace(results, predicted=())
    if names is None:
        return alone
    known = dict.fromkeys(name for one in results.scored for name in one.scores)
    missing = [name for name in names if name not in known]
    if missing and not results.predicted:
        raise Refusal(f"{missing[0]!r} is no score of {results.source}; its scores are {', '.join(known)}.")
    kept = [
        replace(one, scores={name: of for name, of in one.scores.items() if name in names})
        for one in results.scored
    ]
    return replace(alone, scored=tuple(one for one in kept if one.scores))
