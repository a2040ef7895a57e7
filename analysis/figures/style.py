"""One look for all figures: sizes of the venue, fonts, colours and markers."""

from __future__ import annotations

import textwrap
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from itertools import cycle
from typing import Any, TypeVar

import matplotlib
import matplotlib.style
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.colors import LinearSegmentedColormap, to_hex
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter
from numpy.typing import NDArray

from analysis.figures import looks
from analysis.figures.looks import FURTHER, PALETTES, Mark
from analysis.figures.names import FONT, label, rank

__all__ = ["BASELINE", "FURTHER", "MARKS", "Mark"]

NOTE_SIZE = 6  # points
NOTE_WIDTH = 0.94
"""Of the figure's: notes begin at a hundredth of it, and letters on pixels are up to 5 % wider than on paper."""
LEGEND_CHARACTERS = 20
"""To an inch, on the safe side: the legend (8 pt) is wrapped to the width of the figure."""

# Type 42 because venues refuse Type 3 fonts.
RC: dict[str, Any] = {
    "font.family": FONT,
    "text.parse_math": False,  # a `$` in a name is a dollar
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 8,
    "legend.handlelength": 1,
    "legend.handletextpad": 0.3,
    "legend.columnspacing": 1.2,
    "legend.borderpad": 0,
    "axes.titlepad": 3,
    "axes.labelpad": 2,
    "axes.linewidth": 0.6,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": "0.92",
    "grid.linewidth": 0.5,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2,
    "ytick.major.size": 2,
    "xtick.major.pad": 2,
    "ytick.major.pad": 2,
    "lines.linewidth": 0.8,
    "lines.markersize": 4,
    "pdf.fonttype": 42,
    "ps.fonttype": 42,
    "svg.fonttype": "path",  # readers need not have the font
    "svg.hashsalt": "mgsweep",  # the same ids at every run
    "savefig.dpi": 300,
}


MARKS = PALETTES["clear"].marks

BASELINE: dict[str, Any] = {
    "linestyle": "none",
    "marker": "X",
    "markersize": 6,
    "markerfacecolor": "white",
    "markeredgecolor": "black",
    "markeredgewidth": 0.8,
    "zorder": 4,
}
CROSSHAIR: dict[str, Any] = {"color": "0.4", "linestyle": ":", "linewidth": 0.6, "zorder": 1}
PUBLISHED: dict[str, Any] = BASELINE | {"markersize": 4.5, "markeredgewidth": 0.5, "alpha": 0.6, "zorder": 1.5}
BOX: dict[str, Any] = {"boxstyle": "round,pad=0.2", "facecolor": "white", "edgecolor": "none", "alpha": 0.8}

Key = TypeVar("Key", bound=Hashable)


@contextmanager
def paper() -> Iterator[None]:
    """The style, whatever the reader's own matplotlib settings are. Drawing and saving both happen inside it."""
    with matplotlib.style.context(RC, after_reset=True):
        yield


def marks(losses: Iterable[str]) -> dict[str, Mark]:
    """A colour and marker for each loss, in the order of the paper. New losses take those of FURTHER in turn."""
    palette = looks.current().palette
    further = cycle(palette.further)
    return {name: palette.marks.get(name) or next(further) for name in sorted(set(losses), key=rank)}


def kinds(values: Iterable[str]) -> dict[str, Mark]:
    """A colour and marker for each of some values that are neither losses nor ordered."""
    palette = looks.current().palette
    return dict(zip(sorted(set(values)), cycle([*palette.marks.values(), *palette.further]), strict=False))


def shades(values: Iterable[float]) -> dict[float, Mark]:
    """A colour and marker for each of some ordered values: the larger, the lighter."""
    ascending = sorted(set(values))
    palette = looks.current().palette
    colors = LinearSegmentedColormap.from_list("steps", palette.steps, N=256)
    last = max(len(ascending) - 1, 1)
    markers = cycle("osD^vP")
    return {value: Mark(to_hex(colors(n / last)), next(markers), palette.edge) for n, value in enumerate(ascending)}


def panels(
    titles: Sequence[str],
    ylabels: Sequence[str],
    xlabel: str,
    notes: Iterable[str],
    row_height: float | None = None,
    sharex: bool = True,
) -> tuple[Figure, NDArray[Any]]:
    """A figure of one column's width, or of the full one for panels side by side, and its (rows, columns) axes.

    All axes share the limits of x unless told otherwise, those of a row also of y. `titles` name the columns, `ylabels`
    the rows; `notes` stand in small grey type under the figure. `row_height` is in inches, by default it suits the
    width.
    """
    rows, columns = len(ylabels), len(titles)
    place = looks.current().place
    width = place.column if columns == 1 else place.full
    lines = [line for note in notes for line in wrapped(note, width)]
    height = 0.6 + rows * (row_height or min(max(0.7 * width / columns, 1), 1.7)) + 0.1 * len(lines)
    figure = Figure(figsize=(width, height), layout="constrained")
    figure.supxlabel("\n".join(lines), x=0.01, ha="left", fontsize=NOTE_SIZE, color="0.45")
    grid = figure.subplots(rows, columns, sharex=sharex, sharey="row", squeeze=False)
    for axes, title in zip(grid[0], titles, strict=True):
        axes.set_title(title)
    for axes, ylabel in zip(grid[:, 0], ylabels, strict=True):
        axes.set_ylabel(ylabel)
    for axes in grid[-1]:
        axes.set_xlabel(xlabel)
    return figure, grid


def wrapped(note: str, width: float) -> list[str]:
    """A note in lines that fit into so many inches, as few as that allows."""
    room = 72 * NOTE_WIDTH * width
    for characters in range(len(note), 1, -1):
        lines = textwrap.wrap(note, characters)
        if all(sum(map(_points, line)) <= room for line in lines):
            return lines
    return [note]


@cache
def _points(letter: str) -> float:
    """How wide a letter of a note is."""
    font = font_manager.get_font(font_manager.findfont(FONT))
    font.set_size(NOTE_SIZE, 72)
    return float(font.load_char(ord(letter)).linearHoriAdvance) / 2**16


def limits(low: float, high: float) -> tuple[float, float]:
    """Axis limits from the outermost values to show, with a margin on both sides."""
    margin = 0.07 * (high - low) or 0.01
    return low - margin, high + margin


def in_percent(*axes: Axis) -> None:
    """Label fractions in percent."""
    for axis in axes:
        axis.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 5, 10]))
        axis.set_major_formatter(FuncFormatter(lambda fraction, _: f"{100 * fraction:g}"))


def logarithmic(axes: Axes, low: float, high: float) -> None:
    """A logarithmic x axis for numbers from `low` to `high`, labelled 1e-3, 1e-2 and so on."""
    axes.set_xscale("log")
    axes.set_xlim(low / 1.6, high * 1.6)
    axes.xaxis.set_major_locator(LogLocator(subs=[1] if high >= 10 * low else [1, 2, 5], numticks=6))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0e}".replace("e-0", "e-")))
    axes.xaxis.set_minor_formatter(NullFormatter())


def entries(marks: Mapping[Key, Mark], names: Mapping[Key, str] | None = None) -> list[tuple[str, dict[str, Any]]]:
    """Legend entries for the baseline and for points that look like `marks`, called `names` or by their labels."""
    named = [(names[key] if names else label(str(key)), mark.points) for key, mark in marks.items()]
    return [(label("none"), BASELINE), *named]


def legend(figure: Figure, entries: Sequence[tuple[str, dict[str, Any]]]) -> None:
    """One legend for the whole figure, on top: names and the keywords of a `Line2D`."""
    handles = [Line2D([], [], label=name, **look) for name, look in entries]
    lengths = [len(name) + 4 for name, _ in entries]  # and the mark before it
    room = LEGEND_CHARACTERS * figure.get_figwidth()
    columns = len(lengths) if sum(lengths) <= room else max(1, int(room / max(lengths)))
    figure.legend(handles=handles, loc="outside upper center", ncols=columns, frameon=False)
