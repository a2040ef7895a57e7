"""Figures of the paper. A new one is one file beside this and one line below.

A figure's file has two functions. `data(frame)` computes from the store's frame the few numbers to plot, as a tidy
frame; `draw(data)` turns them, for one page, into a `matplotlib.figure.Figure` of the size it is printed at. Rows that
differ in a column of PAGE, such as the data set, are drawn on pages of their own. `analysis.records` names the columns
that are read for it: text comes as categories.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

import pandas as pd

from analysis import outputs, published
from analysis.figures.looks import Look, using
from analysis.outputs import NothingToDraw
from analysis.selection import guided_trials
from mgsweep.registry import Registry

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["FIGURES", "Drawing", "FigureLine", "NothingToDraw", "save"]


class Drawing(Protocol):
    """What the module of a figure holds."""

    PAGE: tuple[str, ...]

    def data(self, frame: pd.DataFrame) -> pd.DataFrame: ...

    def draw(self, data: pd.DataFrame) -> Figure: ...


@dataclass(frozen=True)
class FigureLine(outputs.Line):
    """One registry line. `published` says whether published points can be laid behind."""

    published: bool = False

    def load(self) -> Drawing:
        """Import and return the module."""
        return cast("Drawing", super().load())


DEFAULT = Look()
FIGURES = Registry(
    "figure",
    FigureLine(
        "epg-f1",
        "analysis.figures.epg_f1",
        "EPG against F1: the front of every loss, for each model and depth (Figure 5)",
        "test results of trials guided by all boxes, undilated",
        published=True,
    ),
    FigureLine(
        "iou-f1",
        "analysis.figures.iou_f1",
        "IoU against F1, likewise (Figure 6)",
        "test results of trials guided by all boxes, undilated",
        published=True,
    ),
    FigureLine(
        "held-out-iou-f1",
        "analysis.figures.held_out_iou_f1",
        "IoU at the threshold that is best on validation, against F1",
        "test results with iou_held_out",
    ),
    FigureLine(
        "on-object-epg",
        "analysis.figures.on_object_epg",
        "attribution on the object over that in its box, against F1",
        "test results of a data set with segmentation masks",
    ),
    FigureLine(
        "epg-map",
        "analysis.figures.epg_map",
        "EPG against mAP, as epg-f1",
        "test results with mAP of trials guided by all boxes, undilated",
    ),
    FigureLine(
        "iou-map",
        "analysis.figures.iou_map",
        "IoU against mAP, as iou-f1",
        "test results with mAP of trials guided by all boxes, undilated",
    ),
    FigureLine(
        "backbones",
        "analysis.figures.backbones",
        "the networks of a model family beside each other (Figure 7)",
        "trials of one model and attribution with several backbones",
        published=True,
    ),
    FigureLine(
        "checkpoints",
        "analysis.figures.checkpoints",
        "all epochs of all lambdas, and the fronts among them (Figure 4)",
        "validation results of guided trials",
    ),
    FigureLine(
        "depths",
        "analysis.figures.depths",
        "guidance at a deeper layer, measured at the input (Figure 8)",
        "trials guided at a deeper layer and measured at the input",
    ),
    FigureLine(
        "dilation",
        "analysis.figures.dilation",
        "guidance by boxes drawn too large (Figure 10)",
        "trials with several values of bbox_dilation",
        published=True,
    ),
    FigureLine(
        "limited-boxes",
        "analysis.figures.limited_boxes",
        "guidance when few images have boxes (Figure 12)",
        "trials with several values of bbox_fraction",
        published=True,
    ),
    FigureLine(
        "masks",
        "analysis.figures.masks",
        "guidance by segmentation masks or boxes",
        "trials with both values of guidance_source",
    ),
    FigureLine(
        "lambdas",
        "analysis.figures.lambdas",
        "EPG and F1 against lambda",
        "test results of guided trials",
    ),
    FigureLine(
        "curves",
        "analysis.figures.curves",
        "EPG and F1 over the epochs",
        "validation results of guided trials",
    ),
    FigureLine(
        "class-epg",
        "analysis.figures.class_epg",
        "EPG of every class at the best validation F1",
        "test results with EPG by class",
        reads="counts",
    ),
    FigureLine(
        "size-epg",
        "analysis.figures.size_epg",
        "EPG against the size of the boxes",
        "test results with EPG by box size",
        reads="counts",
    ),
    FigureLine(
        "cost-gain",
        "analysis.figures.cost_gain",
        "gain of EPG against the time of an epoch",
        "validation results and times of guided trials and their baselines",
    ),
    FigureLine(
        "gallery",
        "analysis.figures.gallery",
        "attribution maps of the baseline and every loss (Figures 2 and 9)",
        "pictures of guided trials and their baselines (`mgsweep gallery` makes them anew)",
        reads="pictures",
    ),
    FigureLine(
        "gallery-dilation",
        "analysis.figures.gallery_dilation",
        "attribution maps after guidance by boxes drawn too large (Figure 11)",
        "pictures of trials with several values of bbox_dilation",
        reads="pictures",
    ),
    FigureLine(
        "search",
        "analysis.figures.search",
        "hypervolume of the front over the trials that ended, and over the hours they took",
        "validation results of guided trials with both F1 and EPG above 0",
        reads="stopped",
    ),
)


def save(
    name: str, frame: pd.DataFrame, folder: str | Path, look: Look = DEFAULT, reference: bool = False
) -> list[Path]:
    """Write the figure as PDF, PNG and SVG, and the numbers it plots as CSV; the same input gives the same bytes.

    Args:
        name: a name of FIGURES.
        frame: `Store.frame()`, or what `analysis.records.read` gives of the kind that the figure reads.
        look: the venue and the colours.
        reference: lay the published points behind one's own, where the figure has them.
        folder: created if it is missing; what an earlier call wrote there for this name is replaced or removed.

    Returns:
        The paths `<name>.pdf`, `.png`, `.svg` and `.csv`; with several pages, four `<name>-<what tells them apart>.*`
        for each, such as `epg-f1-coco2014.pdf`. Experiments that differ in `points.APART` have pages of their own.

    Raises:
        UnknownName: no such figure, venue or style.
        NothingToDraw: the frame has no result that this figure shows; none of it is left in the folder.
    """
    line = FIGURES[name]
    look.check()
    figure = line.load()
    trials = guided_trials(frame)
    data, apart = _points(line, frame, trials, reference)
    if data.empty:
        outputs.replaced(Path(folder), name, [])
        raise line.lacking("figure", frame)
    Path(folder).mkdir(parents=True, exist_ok=True)
    paths = (
        path
        for stem, page in outputs.pages(name, [*figure.PAGE, *apart], data, trials)
        for path in _write(figure.draw(page), page, Path(folder, stem))
    )
    with using(look):
        return outputs.replaced(Path(folder), name, paths)


def _points(
    line: FigureLine, frame: pd.DataFrame, trials: pd.DataFrame, reference: bool
) -> tuple[pd.DataFrame, list[str]]:
    """What the figure plots of each of the `experiments`, and the columns of what these differ in."""
    from analysis.figures.points import experiments

    figure, parts = line.load(), []
    # A search is one course, over all that it tries.
    for values, part in [({}, frame)] if line.reads == "stopped" else experiments(frame, trials):
        data = figure.data(part)
        if reference and line.published and len(data):
            data = published.beside(data)
        parts.append(data.assign(**values))
    filled = [data for data in parts if len(data)] or parts[:1]
    together = filled[0] if len(filled) == 1 else pd.concat(filled, ignore_index=True)
    return together, [*values]


def _write(figure: Figure, data: pd.DataFrame, stem: Path) -> Iterator[Path]:
    """The files of one figure. Dates and versions in them would change the bytes from run to run."""
    from analysis.figures import style

    without = {
        "pdf": {"Creator": None, "Producer": None, "CreationDate": None},
        "png": {"Software": None},
        "svg": {"Creator": None, "Date": None, "Format": None, "Type": None},
    }
    for kind, metadata in without.items():
        path = stem.with_name(f"{stem.name}.{kind}")
        with style.paper():
            figure.savefig(path, metadata=metadata)
        yield path
    path = stem.with_name(f"{stem.name}.csv")
    path.write_text(outputs.to_csv(data), encoding="utf-8")
    yield path
