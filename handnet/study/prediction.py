"""What a logged model gives for each case: a mean with its band over seeds."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from handnet.bands.seeds import HIGH, LOW
from handnet.data import Array


def banded(outputs: Array, classes: Sequence[str]) -> pd.DataFrame:
    """Mean, q025 and q975 over seeds, one row a case.

    outputs: probabilities (R, n) of class 1, or guesses (R, n), which give the columns mean, q025 and q975;
    of many classes probabilities (R, n, k), which give these columns for each class, as in "mean setosa".
    """
    low, high = np.quantile(outputs, [LOW, HIGH], axis=0)
    ends = {"mean": outputs.mean(axis=0), "q025": low, "q975": high}
    if outputs.ndim == 2:
        return pd.DataFrame(ends)
    columns = {
        f"{end} {name}": values[:, place]
        for place, name in enumerate(classes)
        for end, values in ends.items()
    }
    return pd.DataFrame(columns)
