"""Every picture of the report, drawn from numbers made up: 100 seeds, 40 trials, long names."""

import numpy as np

from handnet.report import case_figures, figures
from handnet.report.case_words import TwoClassWords

LONG = ["winner", "chapter", "a configuration with a long name"]


def drawn() -> dict[str, bytes]:
    """Every picture at 100 seeds and 40 trials."""
    band = {"low": 0.93, "high": 0.99, "n": 100, "coverage": 0.93, "centres": {"mean": 0.97}}
    band |= {"inside": None, "groups": 0}
    rows = [{"role": role, **dict.fromkeys(figures.LINES, band)} for role in LONG]
    wave = np.abs(np.sin(np.arange(1, 101) * 12.9898))
    seeds = {
        role: {"accuracy": list(np.round(0.95 + 0.05 * wave, 2)), "log_loss": list(0.05 + 0.3 * wave**4)}
        for role in LONG
    }
    trials = [
        {
            "place": place + 1,
            "value": 0.07 + 0.4 * wave[place],
            "low": 0.06 + 0.4 * wave[place],
            "high": 0.08 + 0.5 * wave[place],
            "learning_rate": 10 ** (-4 + 3 * wave[place]),
            "dropout": wave[place] / 2,
        }
        for place in range(40)
    ]
    grid = np.outer(np.linspace(0.05, 0.4, 24), np.linspace(1, 2, 24)).tolist()
    surface = {
        "learning_rate": np.geomspace(1e-4, 1e-1, 24).tolist(),
        "dropout": np.linspace(0, 0.5, 24).tolist(),
        "median": grid,
        "factor": grid,
        "trials": 40,
    }
    curve = {
        "mean": np.geomspace(0.7, 0.05, 150),
        "low": np.geomspace(0.6, 0.04, 150),
        "high": np.geomspace(0.9, 0.06, 150),
    }
    credit = {"low": -1.0, "high": 2.0}
    families = [
        {"family": f"fractal dimension {place}", "seeds": credit, "splits": credit, "nearest": 0.5}
        for place in range(12)
    ]
    end = {"logit": {"centres": {"mean": 1.0}}}
    bins = [
        {"expected": p, "observed": p, "low": max(p - 0.2, 0), "high": min(p + 0.2, 1)}
        for p in (0, 0.01, 0.4, 0.9, 1)
    ]
    return {
        "forest": figures.forest(rows, "accuracy on test rows"),
        "every seed": figures.every_seed(seeds, "test"),
        "history": figures.search_history(trials),
        "contour": figures.contour(surface, trials),
        "importances": figures.importances({"learning_rate": 0.5, "dropout": 0.2, "epochs": 0.3}),
        "curves": figures.band_curves({"train_loss_off": curve, "val_loss": curve}, "winner", 100, 0),
        "reliability": figures.reliability_curve(bins, None, "too few cases for a curve"),
        "credits": case_figures.credits(
            {"credits": families, "start": end, "own": end, "credited": "logit"}, TwoClassWords(("no", "yes"))
        ),
    }
