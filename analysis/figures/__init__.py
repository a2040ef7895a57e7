"""Figures of the paper. A new one is one file beside this and one line below.

A figure's file has two functions. `data(frame)` computes from the store's frame the few numbers to plot, as a tidy
frame; `draw(data)` turns them, for one data set, into a `matplotlib.figure.Figure` of the size it is printed at.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from mgsweep.errors import MgsweepError
from mgsweep.registry import Component, Registry

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


class Drawing(Protocol):
    """What the module of a figure holds."""

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
)


def save(name: str, frame: pd.DataFrame, folder: str | Path) -> list[Path]:
    """Write the figure as PDF and PNG, and exactly the numbers it plots as CSV; the same input gives the same bytes.

    Args:
        name: a name of FIGURES.
        frame: `Store.frame()`.
        folder: created if it is missing; older files of the same name are replaced.

    Returns:
        The paths `<name>.pdf`, `.png` and `.csv`, or for several data sets three `<name>-<dataset>.*` for each.

    Raises:
        UnknownName: no such figure.
        MgsweepError: the frame has no result that this figure shows; nothing is written.
    """
    figure = FIGURES[name].load()
    data = figure.data(frame)
    if data.empty:
        trials = frame["id"].nunique() if "id" in frame else 0
        raise MgsweepError(f"figure {name!r}: nothing to draw: needs {FIGURES[name].needs}; {trials} trials have none")
    Path(folder).mkdir(parents=True, exist_ok=True)
    return [path for stem, page in _pages(name, data) for path in _write(figure.draw(page), page, Path(folder, stem))]


def _pages(name: str, data: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """A stem and the numbers of each data set's figure."""
    datasets = sorted(set(data["dataset"]))
    for dataset in datasets:
        yield name if len(datasets) == 1 else f"{name}-{dataset}", data[data["dataset"] == dataset]


def _write(figure: Figure, data: pd.DataFrame, stem: Path) -> Iterator[Path]:
    """The three files of one figure. Dates and versions in them would change the bytes from run to run."""
    from analysis.figures import style

    pdf, png, csv = (stem.with_name(f"{stem.name}.{kind}") for kind in ("pdf", "png", "csv"))
    with style.paper():
        figure.savefig(pdf, metadata={"Creator": None, "Producer": None, "CreationDate": None})
        figure.savefig(png, metadata={"Software": None})
    data.to_csv(csv, index=False)
    yield from (pdf, png, csv)
