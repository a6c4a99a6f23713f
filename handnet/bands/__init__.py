"""Intervals that know their kind, their coverage, their n and what was varied, one file a kind.

band.py             Band, the type they share
seeds.py            over seeds, over splits, and over seeds for many rows at once
proportion.py       a share over cases: Wilson, Clopper-Pearson
clusters.py         cases that come in groups, and how many independent ones they are worth
auc.py              the AUC over cases, and the difference of two: DeLong
smooth.py           smooth scores over cases: balanced accuracy, F1, precision, R2, mean areas
cases.py            every score of one network over cases
multibootstrap.py   every score over seeds and cases at once
intervals.py        the interval of the number of a single case
predictive.py       every score of the next cases, and of another seed on them
calibrated.py       calibration over cases, of every task
calibration.py      of two classes
calibration_many.py  of many classes
calibration_number.py  of a number
calibration_curve.py  the smoothed calibration curve
compare.py          is A better than B over divisions: corrected t, rope, P(A > B)
paired.py           the same on one test: McNemar, Bowker, Stuart-Maxwell, paired t, signed ranks
crossed.py          the same with several seeds each: seeds and cases random both
mean_squares.py     what the error of that is made of
over_seeds.py       the same where each seed has one score and nothing is known of the cases: t over seeds
selection.py        what choosing the best configuration costs
variance.py         how much of the spread is the split's, the seed's, a stream's
null.py             how often rules of comparison find a difference that is not there
null_tables.py      the tables for it, and a method that learns from them
simulated.py        how often all of these hold
worlds.py           how often the bands of every score hold, for each task
equal_models.py     how often rules on one test find a difference between equal models
"""

from handnet.bands.band import Band
from handnet.bands.proportion import clopper_pearson, wilson
from handnet.bands.seeds import RowBands, Spread, seed_bands, split_bands

__all__ = ["Band", "RowBands", "Spread", "clopper_pearson", "seed_bands", "split_bands", "wilson"]
