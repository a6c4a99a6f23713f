"""Tables of predictions: what is read of them, and the one sentence that refuses what cannot be judged."""

import numpy as np
import pandas as pd
from scipy.special import logit

from handnet.predictions.table import read_frame


def long_table() -> pd.DataFrame:
    """Two models with two seeds each on three cases, in an order of their own."""
    return pd.DataFrame(
        {
            "model": ["net"] * 6 + ["trees"] * 6,
            "seed": [7, 7, 7, 3, 3, 3] * 2,
            "case": [12, 5, 9] * 4,
            "y": [0, 1, 1] * 4,
            "p": np.linspace(0.05, 0.95, 12),
        }
    )


def test_a_long_table_becomes_outputs_by_seed_and_case() -> None:
    results = read_frame(long_table(), source="x.csv")
    assert results.models == ("net", "trees")
    assert results.classes == ("0", "1")
    net, trees = results.predicted
    assert (net.seeds, net.cases.ids.tolist(), net.cases.y.tolist()) == (
        ("7", "3"),
        ["12", "5", "9"],
        [0, 1, 1],
    )
    np.testing.assert_allclose(net.outputs, logit(long_table().p[:6]).to_numpy().reshape(2, 3), rtol=1e-14)
    assert trees.cases is net.cases
