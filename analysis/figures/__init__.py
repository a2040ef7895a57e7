"""Figures of the paper. A new one is one file beside this and one line below.

A figure's file has two functions. `data(frame)` computes from the store's frame the few numbers to plot, as a tidy
frame; `draw(data)` turns them, for one page, into a `matplotlib.figure.Figure` of the size it is printed at. Rows that
differ in a column of PAGE, such as the data set, are drawn on pages of their own.
"""

from __future__ import annotations

import hashlib
import importlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from mgsweep.errors import MgsweepError
from mgsweep.registry import Component, Registry

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


LONGEST_STEM = 100  # characters; file systems allow 255 bytes with the suffix


class NothingToDraw(MgsweepError):
    """The results hold nothing that the figure shows: most sweeps leave some figures out."""


class Drawing(Protocol):
    """What the module of a figure holds."""

    PAGE: tuple[str, ...]

    def data(self, frame: pd.DataFrame) -> pd.DataFrame: ...

    def draw(self, data: pd.DataFrame) -> Figure: ...


@dataclass(frozen=True)
class FigureLine(Component):
    """One registry line. `target` is a module, `needs` says which results the figure cannot do without."""

    needs: str

    def load(self) -> Drawing:
        """Import and return the module."""
        return cast("Drawing", importlib.import_module(self.target))


FIGURES = Registry(
    "figure",
    FigureLine("epg-f1", "analysis.figures.epg_f1", "test results of trials guided by all boxes, undilated"),
    FigureLine("iou-f1", "analysis.figures.iou_f1", "test results of trials guided by all boxes, undilated"),
    FigureLine("checkpoints", "analysis.figures.checkpoints", "validation results of guided trials"),
    FigureLine("depths", "analysis.figures.depths", "trials guided at a deeper layer and measured at the input"),
    FigureLine("dilation", "analysis.figures.dilation", "trials with several values of bbox_dilation"),
    FigureLine("limited-boxes", "analysis.figures.limited_boxes", "trials with several values of bbox_fraction"),
    FigureLine("lambdas", "analysis.figures.lambdas", "test results of guided trials"),
    FigureLine("curves", "analysis.figures.curves", "validation results of guided trials"),
)


def save(name: str, frame: pd.DataFrame, folder: str | Path) -> list[Path]:
    """Write the figure as PDF and PNG, and exactly the numbers it plots as CSV; the same input gives the same bytes.

    Args:
        name: a name of FIGURES.
        frame: `Store.frame()`.
        folder: created if it is missing; older files of the same name are replaced.

    Returns:
        The paths `<name>.pdf`, `.png` and `.csv`; with several pages, three `<name>-<what tells them apart>.*` for
        each, such as `epg-f1-coco2014.pdf`.

    Raises:
        UnknownName: no such figure.
        NothingToDraw: the frame has no result that this figure shows; nothing is written.
    """
    figure = FIGURES[name].load()
    data = figure.data(frame)
    if data.empty:
        trials = frame["id"].nunique() if "id" in frame else 0
        raise NothingToDraw(f"figure {name!r}: nothing to draw: needs {FIGURES[name].needs}; {trials} trials have none")
    Path(folder).mkdir(parents=True, exist_ok=True)
    return [
        path
        for stem, page in _pages(name, figure.PAGE, data)
        for path in _write(figure.draw(page), page, Path(folder, stem))
    ]


def _pages(name: str, keys: tuple[str, ...], data: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """A stem and the numbers of each page, named by those of its keys that differ between pages."""
    differing = [number for number, key in enumerate(keys) if data[key].nunique() > 1]
    for values, page in data.groupby([*keys]):
        yield _stem("-".join([name, *(str(values[number]) for number in differing)])), page


def _stem(text: str) -> str:
    """The text, if it can be the name of a file; otherwise what can be of it, and a hash to keep it apart."""
    safe = re.sub(r"[^A-Za-z0-9_.-]+", "_", text)[:LONGEST_STEM]
    return safe if safe == text else f"{safe}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def _write(figure: Figure, data: pd.DataFrame, stem: Path) -> Iterator[Path]:
    """The three files of one figure. Dates and versions in them would change the bytes from run to run."""
    from analysis.figures import style

    pdf, png, csv = (stem.with_name(f"{stem.name}.{kind}") for kind in ("pdf", "png", "csv"))
    with style.paper():
        figure.savefig(pdf, metadata={"Creator": None, "Producer": None, "CreationDate": None})
        figure.savefig(png, metadata={"Software": None})
    data.to_csv(csv, index=False)
    yield from (pdf, png, csv)
