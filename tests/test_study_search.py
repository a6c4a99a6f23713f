"""The design of a search."""

import numpy as np

from handnet.study.reading import read
from handnet.study.search import PARAMS, sobol_point


def test_the_sobol_design_fills_the_space() -> None:
    settings = read({"search.design": "sobol"})
    points = [sobol_point(settings, place) for place in range(32)]
    assert points == [sobol_point(settings, place) for place in range(32)]
    for name in PARAMS:
        space = getattr(settings.space, name)
        values = np.array([point[name] for point in points])
        assert ((values >= space.low) & (values <= space.high)).all()
        unit = (
            np.log(values / space.low) / np.log(space.high / space.low)
            if space.log
            else (values - space.low) / (space.high - space.low)
        )
        assert (
            np.histogram(unit, 4, (0, 1))[0] == 8
        ).all()  # a net: every quarter of every axis holds its share
    assert all(isinstance(point["epochs"], int) for point in points)


def test_a_logarithmic_axis_is_logarithmic_for_epochs_too() -> None:
    settings = read(
        {
            "search.design": "sobol",
            "space.epochs.log": "true",
            "space.epochs.low": "10",
            "space.epochs.high": "1000",
        }
    )
    epochs = [sobol_point(settings, place)["epochs"] for place in range(32)]
    assert 12 <= sum(value <= 100 for value in epochs) <= 20
