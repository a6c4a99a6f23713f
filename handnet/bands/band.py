"""The one type every score over seeds travels in: an interval that knows what it is."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Band:
    """An interval with its kind, its coverage, its n and what was varied. There is no score without one.

    low, high: the ends. kind: how they were found ("quantiles", "min-max", "wilson", "multi-bootstrap", ...).
    varied: what differed between the n values: "seeds", "cases", "splits"; with "seeds_x_cases" both did, n
    counts the cases and `seeds` the seeds. coverage: the share of further draws (quantiles and min-max) or of
    repeated studies (all others) the interval is expected to hold; simulated: the share it held in a
    simulation at this size, where one was run. centres: middles, by name; printed only beside the ends.
    diverged: how many further seeds blew up and have no value; a band with diverged > 0 describes the
    survivors and says so."""

    low: float
    high: float
    kind: str
    varied: str
    n: int
    coverage: float
    centres: tuple[tuple[str, float], ...] = ()
    diverged: int = 0
    seeds: int = 0
    simulated: float | None = None

    def centre(self, name: str) -> float:
        """The middle called `name`. Raises KeyError with the names there are."""
        found = dict(self.centres)
        if name not in found:
            raise KeyError(f"this band has no centre {name!r}; it has {', '.join(found) or 'none'}.")
        return found[name]

    def __str__(self) -> str:
        middle = f"{self.centres[0][1]:.3f} " if self.centres else ""
        lost = f"; {self.diverged} seeds diverged" if self.diverged else ""
        varied = (
            f"{self.seeds} seeds x {self.n} cases"
            if self.varied == "seeds_x_cases"
            else f"{self.n} {self.varied}"
        )
        return (
            f"{middle}[{self.low:.3f}, {self.high:.3f}] ({self.kind} over {varied}, covers"
            f" {self.coverage:.1%}{lost})"
        )
