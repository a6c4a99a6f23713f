"""Every picture of the report, drawn from numbers made up: 100 seeds, 40 trials, long names."""

from functools import cache

import numpy as np

from handnet.report import case_figures, figures, search_figures, truth_figures
from handnet.report.case_words import TwoClassWords

LONG = ["winner", "chapter", "a configuration with a long name"]


@cache
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
            "params": {"learning_rate": 10 ** (-4 + 3 * wave[place]), "dropout": wave[place] / 2},
        }
        for place in range(40)
    ]
    grid = np.outer(np.linspace(0.05, 0.4, 24), np.linspace(1, 2, 24)).tolist()
    surface = {
        "axes": [
            {"name": "learning_rate", "log": True, "values": np.geomspace(1e-4, 1e-1, 24).tolist()},
            {"name": "dropout", "log": False, "values": np.linspace(0, 0.5, 24).tolist()},
        ],
        "fixed": ["epochs"],
        "pooled": [],
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
    return _of_other_tasks() | {
        "forest": figures.forest(rows, "accuracy on test rows"),
        "every seed": figures.every_seed(seeds, "test"),
        "history": search_figures.search_history(trials, "validation log loss"),
        "contour": search_figures.contour(surface, trials, "validation log loss"),
        "importances": search_figures.importances({"learning_rate": 0.5, "dropout": 0.2, "epochs": 0.3}),
        "curves": figures.band_curves(
            {"train_loss_off": curve, "val_loss": curve}, "winner", 100, 0, "log loss"
        ),
        "reliability": truth_figures.reliability_curve(bins, None, "too few cases for a curve"),
        "credits": case_figures.credits(
            {"credits": families, "start": end, "own": end, "credited": "logit"}, TwoClassWords(("no", "yes"))
        ),
    }


def _of_other_tasks() -> dict[str, bytes]:
    """Pictures of many classes, and of numbers of some millions and of some millionths."""
    wave = np.sin(np.arange(1, 101) * 12.9898)
    drawn = {
        "calls": truth_figures.confused(
            40 * np.eye(12) + np.abs(wave[:12]), [f"{LONG[2]} {k}" for k in range(12)]
        )
    }
    labels = ("the ensemble's probability of the class it calls", "share of right calls")
    one = {"expected": 0.97, "observed": 1.0, "low": 0.8, "high": 1.0}
    drawn["reliability of calls"] = truth_figures.reliability_curve([one], None, "few cases", labels)
    curve = dict.fromkeys(("mean", "low", "high"), np.geomspace(0.5, 0.2, 150))
    curves, loss = {"train_loss_off": curve, "val_loss": curve}, figures.curve_loss(())
    drawn["curves of a number"] = figures.band_curves(curves, "winner", 100, 0, loss)
    for scale in (1e6, 1e-6):
        truth = scale * (5 + wave)
        guesses = {"truth": truth, "guess": truth + scale * wave**2, "low": truth, "high": truth + scale}
        drawn[f"guesses {scale:g}"] = truth_figures.guessed(
            guesses, "disease progression of a long name, in grams"
        )
        band = {"low": 4.1 * scale, "high": 4.2 * scale, "centres": {"mean": 4.15 * scale}, "coverage": 0.93}
        band |= {"inside": None, "groups": 0, "n": 100}
        rows = [{"role": role, **dict.fromkeys(figures.LINES, band)} for role in LONG]
        drawn[f"forest {scale:g}"] = figures.forest(rows, "RMSE on test rows")
        seeds = {name: list(scale * (1 + 0.01 * wave)) for name in ("rmse", "mae")}
        drawn[f"every seed {scale:g}"] = figures.every_seed(dict.fromkeys(LONG, seeds), "test")
        trials = [
            {"place": place, "value": middle, "low": middle / 2, "high": 2 * middle}
            for place, middle in enumerate(scale**2 * np.geomspace(1, 50, 40), 1)
        ]
        drawn[f"history {scale:g}"] = search_figures.search_history(trials, "validation mean squared error")
    for unit, width in (("points", 0.01), ("per cent", 0.00995), ("nats", 0.01)):
        difference = {"low": -0.2, "high": 0.3, "centres": {"mean": 0.05}}
        row = {"pair": f"{LONG[0]} - {LONG[2]}", "unit": unit, "difference": difference}
        row |= {
            "rope": {"width": width},
            "score": {"per cent": "rmse", "nats": "log_loss"}.get(unit, "accuracy"),
        }
        drawn[f"differences, {unit}"] = figures.differences([row, row])
    return drawn
