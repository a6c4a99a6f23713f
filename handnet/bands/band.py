"""The one type every score over seeds travels in: an interval that knows what it is."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Band:
    """An interval with its kind, its coverage, its n and what was varied. There is no score without one.

    low, high: the ends. kind: how they were found ("quantiles", "min-max", "wilson").
    varied: what differed between the n values: "seeds", "cases". coverage: the share of further draws
    (kinds over seeds) or of repeated studies (kinds over cases) the interval is expected to hold.
    centres: middles, by name; printed only beside the ends. diverged: how many further seeds blew up and
    have no value; a band with diverged > 0 describes the survivors and says so.
    """

    low: float
    high: float
    kind: str
    varied: str
    n: int
    coverage: float
    centres: tuple[tuple[str, float], ...] = ()
    diverged: int = 0

    def centre(self, name: str) -> float:
        """The middle called `name`. Raises KeyError with the names there are."""
        found = dict(self.centres)
        if name not in found:
            raise KeyError(f"this band has no centre {name!r}; it has {', '.join(found) or 'none'}.")
        return found[name]

    def __str__(self) -> str:
        middle = f"{self.centres[0][1]:.3f} " if self.centres else ""
        lost = f"; {self.diverged} seeds diverged" if self.diverged else ""
        return (f"{middle}[{self.low:.3f}, {self.high:.3f}] ({self.kind} over {self.n} {self.varied}, "
                f"covers {self.coverage:.1%}{lost})")  # fmt: skip
