"""One look for all figures: sizes of the venue, fonts, colours and markers, and the spellings of the paper."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import cycle
from typing import Any, NamedTuple

import matplotlib.style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator
from numpy.typing import NDArray

# Widths of the CVPR/ICCV template, in inches (a TeX point is 1/72.27 inch). Figures are never scaled afterwards, so
# the text has its printed size.
COLUMN_WIDTH, FULL_WIDTH = 237.136 / 72.27, 496.856 / 72.27

NOTE_CHARACTERS = 32  # of 6 pt text, to an inch: notes are wrapped to the width of the figure

# STIX is the Times-like serif that ships with matplotlib; Type 42 because venues refuse Type 3 fonts.
RC: dict[str, Any] = {
    "font.family": "STIXGeneral",
    "mathtext.fontset": "stix",
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
    "savefig.dpi": 300,
}

# Spellings of the paper, in the order in which things are shown.
LABELS = {
    "vanilla": "Vanilla",
    "xdnn": "X-DNN",
    "bcos": "B-cos",
    "ixg": "IxG",
    "intgrad": "IntGrad",
    "gradcam": "Grad-CAM",
    "input": "Input",
    "mid1": "Mid1",
    "mid2": "Mid2",
    "mid3": "Mid3",
    "final": "Final",
    "none": "Baseline",
    "energy": "Energy",
    "l1": "L1",
    "ppce": "PPCE",
    "rrr": "RRR*",
    "voc2007": "VOC 2007",
    "coco2014": "COCO 2014",
    "waterbirds": "Waterbirds",
    "resnet50": "ResNet-50",
}


class Mark(NamedTuple):
    """How the points of one loss look, in colour and without."""

    color: str
    marker: str

    @property
    def points(self) -> dict[str, Any]:
        """Keywords of a `Line2D` that shows points only."""
        look = {"linestyle": "none", "marker": self.marker, "color": self.color}
        return look | {"markeredgecolor": "white", "markeredgewidth": 0.3, "zorder": 3}


# Okabe and Ito's palette, told apart by readers with any colour vision.
MARKS = {
    "energy": Mark("#0072B2", "o"),
    "l1": Mark("#E69F00", "v"),
    "ppce": Mark("#009E73", "p"),
    "rrr": Mark("#CC79A7", "D"),
}
FURTHER = (Mark("#D55E00", "s"), Mark("#56B4E9", "^"), Mark("#000000", "*"), Mark("#999999", "P"), Mark("#F0E442", "h"))

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
BETTER, WORSE = "#E3F3E1", "#EEEEEE"


@contextmanager
def paper() -> Iterator[None]:
    """The style, whatever the reader's own matplotlib settings are. Drawing and saving both happen inside it."""
    with matplotlib.style.context(RC, after_reset=True):
        yield


def label(name: str) -> str:
    """The paper's spelling of a registry name, or the name itself."""
    return LABELS.get(name, name)


def rank(name: str) -> tuple[int, str]:
    """Sort key: the order of the paper, then by alphabet what the paper does not have."""
    return (list(LABELS).index(name) if name in LABELS else len(LABELS)), name


def marks(losses: Iterable[str]) -> dict[str, Mark]:
    """A colour and marker for each loss, in the order of the paper. New losses take those of FURTHER in turn."""
    further = cycle(FURTHER)
    return {name: MARKS.get(name) or next(further) for name in sorted(set(losses), key=rank)}


def panels(rows: int, columns: int, notes: Iterable[str]) -> tuple[Figure, NDArray[Any]]:
    """A figure of one column's width, or of the full one for panels side by side, and its (rows, columns) axes.

    All axes share their limits. `notes` stand in small grey type under the figure.
    """
    width = COLUMN_WIDTH if columns == 1 else FULL_WIDTH
    lines = [line for note in notes for line in textwrap.wrap(note, int(NOTE_CHARACTERS * width))]
    height = 0.6 + rows * min(max(0.7 * width / columns, 1), 1.7) + 0.1 * len(lines)
    figure = Figure(figsize=(width, height), layout="constrained")
    figure.supxlabel("\n".join(lines), x=0.01, ha="left", fontsize=6, color="0.45")
    return figure, figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)


def limits(low: float, high: float) -> tuple[float, float]:
    """Axis limits from the outermost values to show, with a margin on both sides."""
    margin = 0.07 * (high - low) or 0.01
    return low - margin, high + margin


def in_percent(axes: Axes) -> None:
    """Label fractions in percent."""
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 5, 10]))
        axis.set_major_formatter(FuncFormatter(lambda fraction, _: f"{100 * fraction:g}"))


def legend(figure: Figure, marks: dict[str, Mark]) -> None:
    """One legend for the whole figure, on top: the baseline and every loss."""
    handles = [Line2D([], [], label=label("none"), **BASELINE)]
    handles += [Line2D([], [], label=label(loss), **mark.points) for loss, mark in marks.items()]
    columns = int(1.6 * figure.get_figwidth())
    figure.legend(handles=handles, loc="outside upper center", ncols=min(len(handles), columns), frameon=False)
