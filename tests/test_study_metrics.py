"""The names of the metrics in MLflow."""

from handnet.bands import Band
from handnet.study.metrics import quantity_metrics
from handnet.study.summary import Quantity


def test_two_bands_of_one_name_never_share_a_metric() -> None:
    kinds = [
        ("quantiles", "seeds"),
        ("min-max", "seeds"),
        ("wilson", "cases"),
        ("clopper-pearson", "cases"),
        ("logit-delong", "cases"),
        ("multi-bootstrap and wilson", "seeds_x_cases"),
    ]
    bands = tuple(
        Band(place + 0.1, place + 0.2, kind, varied, 9, 0.95) for place, (kind, varied) in enumerate(kinds)
    )
    values = set(quantity_metrics([Quantity("x", "test", bands)]).values())
    assert {end for band in bands for end in (band.low, band.high)} <= values
