"""Intervals that know their kind, their coverage, their n and what was varied, one file a kind."""

from handnet.bands.band import Band
from handnet.bands.proportion import clopper_pearson, wilson
from handnet.bands.seeds import RowBands, Spread, seed_bands, split_bands

__all__ = ["Band", "RowBands", "Spread", "clopper_pearson", "seed_bands", "split_bands", "wilson"]
