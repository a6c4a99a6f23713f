"""The names of the metrics in MLflow."""

from handnet.bands import Band
from handnet.bands.band import EXPECTED
from handnet.study.metrics import band_metrics


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
        Band(place + 0.1, place + 0.2, kind, varied, 9, 0.95, EXPECTED)
        for place, (kind, varied) in enumerate(kinds)
    )
    values = {value for band in bands for value in band_metrics("test/x", band).values()}
    names = [name for band in bands for name in band_metrics("test/x", band)]
    assert len(set(names)) == len(names)
    assert {end for band in bands for end in (band.low, band.high)} <= values
