"""Intervals that know their kind, their coverage, their n and what was varied. One file a kind."""

from handnet.bands.band import Band
from handnet.bands.proportion import wilson
from handnet.bands.seeds import SeedBands, seed_bands

__all__ = ["Band", "SeedBands", "seed_bands", "wilson"]
