"""How every picture is drawn: style, colours, and from a matplotlib figure to SVG.

matplotlib's object interface is used: no screen, no global state, the same bytes each time. Lines and letters
take the colour of the page they stand on (currentColor), so that one picture serves light and dark.
"""

import functools
import hashlib
import io
import re
import warnings
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, ParamSpec

import matplotlib as mpl
import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from handnet.data import Array

P = ParamSpec("P")

BLUE, ORANGE, GREEN, PINK = (
    "#0072b2",
    "#d55e00",
    "#009e73",
    "#cc79a7",
)  # Okabe and Ito: told apart by everyone
INK = "#010203"  # stands for the page's own colour until the picture is done
PRINT = b"#1d2430"  # the ink of a picture that stands alone
STYLE: Any = {
    "svg.hashsalt": "handnet",
    "svg.fonttype": "none",
    "font.size": 10,
    "text.parse_math": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "grid.color": INK,
    "grid.alpha": 0.15,
    "axes.axisbelow": True,
    "legend.frameon": False,
}


class Picture(NamedTuple):
    """A figure, what it shows in words, and what stands under it."""

    svg: bytes
    alt: str
    caption: str

    @property
    def inline(self) -> Markup:
        """As part of a page."""
        return inline(self.svg)


def picture(draw: Callable[P, Figure]) -> Callable[P, bytes]:
    """Make a function that draws a figure return it as SVG, in the one style."""

    @functools.wraps(draw)
    def drawn(*args: P.args, **words: P.kwargs) -> bytes:
        with mpl.rc_context(STYLE):
            return as_svg(draw(*args, **words))

    return drawn


def canvas(width: float, height: float) -> tuple[Figure, Axes]:
    """A figure of so many inches, and its only axes."""
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots()


def band_line(
    axes: Axes, band: Mapping[str, Any], place: float, colour: str, width: float, **more: Any
) -> None:
    """A band as a horizontal line at a height of `place`."""
    ends = [band["low"], band["high"]]
    axes.plot(ends, [place, place], color=colour, linewidth=width, solid_capstyle="butt", **more)


def tick(axes: Axes, middle: float, place: float, size: float = 9, width: float = 1.6) -> None:
    """The middle of a band, as a mark across its line."""
    axes.plot([middle], [place], "|", color=INK, markersize=size, markeredgewidth=width)


def offsets(values: Array) -> Array:
    """(n,) offsets that lay equal, and nearly equal, values beside each other. values: (n,), sorted.

    The more such values there are, the wider they lie. Their places in that width are a van der Corput
    sequence, which fills it evenly without chance.
    """
    if not len(values):
        return values
    bins = np.digitize(values, np.linspace(values[0], values[-1] + 1e-12, 40))
    places = np.array([np.sum(bins[:place] == number) for place, number in enumerate(bins)])
    crowd = np.array([np.sum(bins == number) for number in bins])
    within = np.array([int(f"{place + 1:010b}"[::-1], 2) / 1024 for place in places])
    return np.asarray(0.7 * (within - 0.5) * (crowd - 1) / max(crowd.max() - 1, 1))


def plain_ticks(axis: Axis, minor: bool = True) -> None:
    """Numbers on a logarithmic axis as they are typed: mathematical text is off, because users give names."""
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(FuncFormatter(lambda value, _: f"{value:g}") if minor else NullFormatter())


def whole_ticks(*axes: Axis) -> None:
    """Numbers above ten thousand or below a thousandth in full: matplotlib takes a factor out of them, and
    writes it where nobody looks for it."""
    for axis in axes:
        if not 1e-3 < max(map(abs, axis.get_view_interval())) < 1e4:
            axis.set_major_locator(MaxNLocator(3))
            axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))


def log_ticks(axis: Axis) -> None:
    """A logarithmic axis with as many numbers as have room: all within a factor of 5, else 1, 2 and 5, or the
    powers of ten alone over more than two of them."""
    low, high = sorted(axis.get_view_interval())
    plain_ticks(axis, minor=high < 5 * low)
    if high >= 5 * low:
        axis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 300 * low else (1,)))


def alone(svg: bytes) -> bytes:
    """A picture as a file of its own: dark on white, for there is no page whose colours it could take."""
    head = svg.index(b">", svg.index(b"<svg")) + 1
    paper = b'<rect width="100%" height="100%" fill="#ffffff"/>'
    return svg[:head].replace(b"currentColor", PRINT) + paper + svg[head:].replace(b"currentColor", PRINT)


def inline(svg: bytes) -> Markup:
    """A picture inside a page. Its ids are made its own, because several pictures share one document."""
    text = svg.decode()[svg.index(b"<svg") :]
    own = hashlib.sha256(svg).hexdigest()[:8]
    return Markup(re.sub(r'(id="|url\(#|href="#)', rf"\g<1>{own}-", text))


def as_svg(figure: Figure) -> bytes:
    """A figure as SVG, in the colour of the page it stands on. To be called in STYLE."""
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # Letters stay letters in the picture: whoever shows it brings the font, here it only measures.
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        figure.savefig(buffer, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    return buffer.getvalue().replace(INK.encode(), b"currentColor")
