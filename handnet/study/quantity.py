"""One score with all of its bands: what the report lists and MLflow gets as metrics."""

from dataclasses import dataclass
from typing import Any

from handnet.bands import Band
from handnet.data import Array
from handnet.scores import finite_replicas


@dataclass(frozen=True)
class Quantity:
    """One score of one configuration on one part, with every band it has."""

    name: str
    part: str
    bands: tuple[Band, ...]


def finite(outputs: Array) -> Array:
    """The replicas whose outputs (R, n) or (R, n, k) are finite throughout."""
    return outputs[finite_replicas(outputs)]


def band_facts(band: Band) -> dict[str, Any]:
    """A band as plain JSON values."""
    return vars(band) | {"centres": dict(band.centres)}
