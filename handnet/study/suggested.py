"""A space that is a function of Optuna's trial, so that one parameter may depend on the value of another."""

import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from handnet.messages import Refusal
from handnet.models.identity import sha256
from handnet.models.source import FromFile, Given, Source, find
from handnet.study.space import can_be_stored, stored

OBJECT = "object:"  # before the name of a function that was given as an object


@dataclass(frozen=True)
class Suggested:
    """A function that calls suggest_float, suggest_int or suggest_categorical of the trial it is given.

    It returns the parameters by name, or None where they are what it suggested. reference: its text, as in
    "file.py:function", "package.module:function" or "object:name"; digest: SHA-256 of its source; source:
    where it is, None where only a record of it is at hand."""

    reference: str
    digest: str
    source: Source | None = field(default=None, compare=False, repr=False)

    @staticmethod
    def of(function: "str | Callable[[Any], Any] | Mapping[str, str] | Suggested") -> "Suggested":
        """The function that a text refers to, an object is, or a record of `plain` names.

        Raises Refusal when a text refers to none."""
        if isinstance(function, Suggested):
            return function
        if isinstance(function, Mapping):
            return Suggested(function["reference"], function["digest"])
        source = find(function) if isinstance(function, str) else Given(function)
        if not callable(source.get()):
            raise Refusal(f"the space must be a function of Optuna's trial, but {source.label} is none.")
        reference = f"{OBJECT}{source.label}" if isinstance(source, Given) else str(function)
        if isinstance(source, FromFile):
            reference = f"{source.path}:{source.name}"
        return Suggested(reference, sha256(source.identity), source)

    @property
    def plain(self) -> dict[str, str]:
        """The record of it, as JSON has it."""
        return {"reference": self.reference, "digest": self.digest}

    @property
    def label(self) -> str:
        """What a report calls it, as in "space.py:space"."""
        return Path(self.reference).name.removeprefix(OBJECT)

    def params(self, trial: Any) -> dict[str, Any]:
        """The parameters it gives for a trial of Optuna's, which keeps what it suggested.

        Raises Refusal when it raises, suggests nothing, or returns something else."""
        function = self._function()
        try:
            returned = function(trial)
        except Exception as fault:  # whatever somebody's own code raises
            line = traceback.extract_tb(fault.__traceback__)[1:] or traceback.extract_tb(fault.__traceback__)
            at = f"{line[0].filename}, line {line[0].lineno}"
            raise Refusal(f"{self._name} raised {type(fault).__name__}: {fault} ({at}).", 1) from None
        if not trial.params:
            raise Refusal(f"{self._name} suggested no parameter; call trial.suggest_float and its like.", 1)
        params = dict(trial.params) if returned is None else returned
        if not isinstance(params, Mapping) or not all(isinstance(name, str) for name in params):
            raise Refusal(
                f"{self._name} must return parameters by name, or None, but returned {returned!r}.", 1
            )
        if unfit := [name for name, value in params.items() if not can_be_stored(value)]:
            raise Refusal(
                f"{self._name} gave {unfit[0]} as {params[unfit[0]]!r}; a parameter must be a text, a finite"
                " number, a truth value, None, or a list of these.",
                1,
            )
        return {name: stored(value) for name, value in params.items()}

    @property
    def _name(self) -> str:
        return f"the space {self.reference.removeprefix(OBJECT)}"

    def _function(self) -> Callable[[Any], Any]:
        """The function itself. Raises Refusal where it was an object, or has changed since."""
        source = self.source
        if source is None:
            if self.reference.startswith(OBJECT):
                raise Refusal(f"{self._name} was given from Python; study from there again.")
            source = find(self.reference)
            if sha256(source.identity) != self.digest:
                raise Refusal(f"{self._name} has changed since the study was made; study under another name.")
        function: Callable[[Any], Any] = source.get()
        return function
