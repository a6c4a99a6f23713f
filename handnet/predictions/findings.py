"""What was found, as an object: its facts, and every form in which they are read."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


class Findings:
    """Facts of bands or of comparisons, and their forms for readers.

    facts: plain values that JSON can hold, in the shapes of docs/report-json.md where a study has the same.
    """

    def __init__(self, facts: Mapping[str, Any]) -> None:
        self.facts = facts

    def __str__(self) -> str:
        return "\n".join(self._report().terminal(self.facts))

    def _repr_html_(self) -> str:
        return str(self._report().to_html(self.facts))

    def to_frame(self) -> "pd.DataFrame":
        """One row a band, with its score, model, kind, coverage, n and what was varied."""
        import io

        import pandas as pd

        return pd.read_csv(io.StringIO(self._report().to_csv(self.facts)))

    def to_markdown(self) -> str:
        """The report as Markdown."""
        return str(self._report().to_markdown(self.facts))

    def to_html(self) -> str:
        """The report as one HTML page without scripts."""
        return str(self._report().to_html(self.facts))

    def to_latex(self) -> str:
        """A table for LaTeX's booktabs package, whose caption says n, kind, coverage and what was varied."""
        from handnet.report.latex import to_latex

        return to_latex(self.facts)

    def plot(self, path: str | Path | None = None) -> Any:
        """A forest plot, as a Matplotlib figure; written to `path` (.pdf, .svg, .png) where that is given."""
        from handnet.report.forest import forest, write_forest

        if path is not None:
            write_forest(self.facts, Path(path))
        return forest(self.facts)

    def write(self, folder: str | Path) -> list[Path]:
        """The page, Markdown, JSON and CSV into a folder. Returns their paths."""
        return list(self._report().write_results(self.facts, Path(folder)))

    def _report(self) -> Any:
        from handnet.report import results_pages

        return results_pages


class Comparisons(Findings):
    """Comparisons of pairs of models."""

    @property
    def sentences(self) -> list[str]:
        """What may be written of each pair, in the order of the pairs."""
        return [pair["sentence"] for pair in self.facts["comparisons"]]

    def assert_better(self, margin: float = 0.0) -> None:
        """That the first model is shown to be better than each it is compared with, by more than a margin.

        margin: in the unit of the difference. Raises AssertionError with the sentence of the pair otherwise.
        """
        from handnet.predictions.pairs import assert_better

        for pair in self.facts["comparisons"]:
            if pair["ours"] == self.facts["comparisons"][0]["ours"]:
                assert_better(pair, margin)
