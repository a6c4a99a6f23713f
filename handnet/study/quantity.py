"""One score with all of its bands: what the report lists and MLflow gets as metrics."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from handnet.bands import Band
from handnet.data import Array


@dataclass(frozen=True)
class Quantity:
    """One score of one configuration on one part, with every band it has."""

    name: str
    part: str
    bands: tuple[Band, ...]


def finite(logits: Array) -> Array:
    """The rows of (R, n) that are finite throughout."""
    return logits[np.isfinite(logits).all(axis=1)]


def band_facts(band: Band) -> dict[str, Any]:
    """A band as plain JSON values."""
    return vars(band) | {"centres": dict(band.centres)}
