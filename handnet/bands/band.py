"""The type in which every score over seeds, cases or splits travels."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Band:
    """An interval with its kind, its coverage, its n and what was varied.

    `coverage` is the share of further draws (kinds "quantiles" and "min-max") or of repeated studies (all
    other kinds) that the interval is expected to hold. A band with `diverged` above 0 describes the surviving
    seeds, and its text says so.
    """

    low: float
    high: float
    kind: str  # how the ends were computed: "quantiles", "min-max", "wilson", "multi-bootstrap", ...
    varied: str  # what differed between the n values: "seeds", "cases", "splits" or "seeds_x_cases"
    n: int  # how many values; how many cases, where seeds and cases were varied both
    coverage: float
    centres: tuple[tuple[str, float], ...] = ()  # (name, value) of each middle, printed only beside the ends
    diverged: int = 0  # how many further seeds diverged and have no value
    seeds: int = 0  # how many seeds, where seeds and cases were varied both
    groups: int = 0  # how many groups the cases are of; 0 where every case is its own
    simulated: float | None = None  # the share held in a simulation at this size, where one was run

    def centre(self, name: str) -> float:
        """The middle called `name`. Raises KeyError, with the names there are, when there is none."""
        centres = dict(self.centres)
        if name not in centres:
            raise KeyError(f"this band has no centre {name!r}; it has {', '.join(centres) or 'none'}.")
        return centres[name]

    def __str__(self) -> str:
        middle = f"{self.centres[0][1]:.3f} " if self.centres else ""
        lost = f"; {self.diverged} seeds diverged" if self.diverged else ""
        crossed = self.varied == "seeds_x_cases"
        varied = f"{self.seeds} seeds x {self.n} cases" if crossed else f"{self.n} {self.varied}"
        varied += f" of {self.groups} groups" if self.groups else ""
        origin = f"{self.kind} over {varied}, covers {self.coverage:.1%}{lost}"
        return f"{middle}[{self.low:.3f}, {self.high:.3f}] ({origin})"
