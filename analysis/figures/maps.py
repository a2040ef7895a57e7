"""Attribution maps beside each other: what `gallery` and `gallery-dilation` draw. One row an image, one column a model.

All maps are on one diverging scale, each relative to its own 99.5 % quantile of magnitude: networks differ in theirs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from analysis.figures import looks, names, style
from analysis.figures.points import SETTING, chosen_over, subject, usual
from analysis.selection import PROBE, kin
from mgsweep.trial import CONFIG

F1_LOSS = 0.02
PICTURE = ("image", "class", "boxes", "pixels", "map", "side")
PLOTTED = [*SETTING, "loss", "bbox_dilation", "column", "id", "seed", "lambda_loc", "epoch", "f1_val", "epg_val"]
SHOWN = (
    "The baseline at its best validation F1; the others at the highest validation EPG at no more than 2 points of F1 "
    "below it, over all λ and seeds. Under each map its EPG. Red speaks for the class, blue against it, relative to "
    "the map's own 99.5 % quantile."
)
COLORS = "RdBu_r"
COARSE = 56
"""Maps of at most so many pixels are of a deeper layer."""
GAP, MARGIN, CAPTION = 0.03, 0.55, 0.13  # inches: between pictures, left of them, under each


def data(frame: pd.DataFrame, key: str, but: Sequence[str] = ()) -> pd.DataFrame:
    """The pictures to show, one row for each image and column.

    Args:
        frame: `Gallery.frame()`.
        key: what tells the columns apart: loss or a key of ANNOTATION.
        but: see `points.usual`.

    Returns:
        PLOTTED, the picture's columns, `epg` of its map and the `probability` of its class; empty without guided trials
        or files that hold what they should.
    """
    needed = {*CONFIG, *PROBE, *PICTURE, *PLOTTED, "epg", "probability"} - {"column"}
    frame = frame.reindex(columns=sorted(needed)).astype(
        dict.fromkeys(["id", "parent", *SETTING, "loss", *PROBE], "str")
    )
    whole = [is_whole(*row) for row in frame[["pixels", "map", "side"]].itertuples(index=False, name=None)]
    frame = frame[np.array(whole, dtype=bool)].drop_duplicates(
        ["id", "epoch", "image", "probe_attribution", "probe_depth"]
    )
    # Of baselines that were tuned, too, the best one is shown and compared with.
    frame = frame.assign(kin=kin(frame, frame["parent"].where(frame["loss"] != "none", frame["id"])))
    guided = usual(frame[frame["loss"] != "none"], but)
    guided = guided[(guided["probe_attribution"] == guided["attribution"]) & (guided["probe_depth"] == guided["depth"])]
    starts = frame[frame["loss"] == "none"]
    starts = starts.assign(attribution=starts["probe_attribution"], depth=starts["probe_depth"])
    starts = starts[starts["kin"].isin(guided["kin"].unique())].merge(
        guided[[*SETTING]].drop_duplicates(), on=[*SETTING]
    )
    chosen = pd.concat([_chosen(starts, starts, "loss"), _chosen(guided, starts, key)], ignore_index=True)
    chosen["column"] = chosen[key].astype("str").where(chosen["loss"] != "none", "none")
    shown = chosen[[*PLOTTED, *PICTURE, "epg", "probability"]]
    return shown.sort_values([*SETTING, "loss", "bbox_dilation", "image"], ignore_index=True)


def is_whole(pixels: Any, values: Any, side: Any) -> bool:
    """Whether the bytes are of a square picture and a square map."""
    if not isinstance(pixels, bytes) or not isinstance(values, bytes) or pd.isna(side):
        return False
    edge = int((len(pixels) / 3) ** 0.5)
    return len(pixels) == 3 * edge * edge > 0 and len(values) == 2 * int(side) ** 2 > 0


def relative(values: bytes) -> NDArray[np.float64]:
    """A stored map, (side, side), in units of its 99.5 % quantile of magnitude."""
    flat = np.frombuffer(values, dtype=np.float16).astype(float)
    side = int(len(flat) ** 0.5)
    return flat.reshape(side, side) / (float(np.quantile(np.abs(flat), 0.995)) or 1.0)


def photo(pixels: bytes) -> NDArray[np.uint8]:
    """A stored image, (side, side, 3)."""
    side = int((len(pixels) / 3) ** 0.5)
    return np.frombuffer(pixels, dtype=np.uint8).reshape(side, side, 3)


def _chosen(rows: pd.DataFrame, starts: pd.DataFrame, key: str) -> pd.DataFrame:
    """The pictures of one trial and epoch for each setting, loss and value of `key`: see SHOWN."""
    epochs = rows.drop_duplicates(["id", "epoch", *SETTING])
    needed = epochs["kin"].map(starts.groupby("kin")["f1_val"].max()).astype("float64") - F1_LOSS
    good = ~(epochs["f1_val"] < needed)
    by_epg = good & (epochs["loss"] != "none")
    ranked = epochs.assign(good=good, value=epochs["epg_val"].where(by_epg, epochs["f1_val"]).fillna(0))
    ranked = ranked.sort_values(
        ["good", "value", "lambda_loc", "epoch", "id"], ascending=[False, False, True, True, True]
    )
    firsts = ranked.drop_duplicates([*SETTING, "loss", key])[["id", "epoch", *SETTING]]
    return rows.merge(firsts, on=["id", "epoch", *SETTING])


@style.paper()
def draw(data: pd.DataFrame, page: tuple[str, ...], key: str, titles: Mapping[str, str]) -> Figure:
    """Draw the pictures of one page; `titles` name the columns, in their order."""
    images = sorted(set(data["image"]))
    note = " ".join([f"{subject(data, page)}. {SHOWN}", *chosen_over(data)])
    figure, grid = _grid(len(images), 1 + len(titles), note)
    for axes, title in zip(grid[0], ["Image", *titles.values()], strict=True):
        axes.set_title(title, fontsize=7)
    for row, image in zip(grid, images, strict=True):
        pictures = data[data["image"] == image]
        _draw_image(row[0], pictures.iloc[0].to_dict())
        for axes, column in zip(row[1:], titles, strict=True):
            found = pictures[pictures["column"] == column].to_dict("records")
            if found:
                _draw_map(axes, found[0])
            else:
                axes.text(0.5, 0.5, "none", transform=axes.transAxes, ha="center", va="center", color="0.6")
    return figure


def _grid(rows: int, columns: int, note: str) -> tuple[Figure, NDArray[Any]]:
    """Square axes without ticks, as many inches as the venue is wide; few columns take only a part of it."""
    full = looks.current().place.full
    edge = min((full - MARGIN) / max(columns, 5), 1.2)
    width = MARGIN + columns * edge
    lines = style.wrapped(note, width)
    below, top = 0.1 + 0.1 * len(lines), 0.2
    height = top + rows * (edge + CAPTION) + below
    figure = Figure(figsize=(width, height))
    figure.text(0.01, 0.03 / height, "\n".join(lines), va="bottom", ha="left", fontsize=style.NOTE_SIZE, color="0.45")
    grid = np.empty((rows, columns), dtype=object)
    for row in range(rows):
        for column in range(columns):
            bottom = below + (rows - 1 - row) * (edge + CAPTION) + CAPTION
            place = (MARGIN + column * edge, bottom, edge - GAP, edge - GAP)
            axes = figure.add_axes((place[0] / width, place[1] / height, place[2] / width, place[3] / height))
            axes.set(xticks=[], yticks=[])
            axes.grid(False)
            axes.spines[:].set_linewidth(0.4)
            grid[row, column] = axes
    return figure, grid


def _draw_image(axes: Axes, picture: dict[Any, Any]) -> None:
    axes.imshow(photo(picture["pixels"]), extent=(0, 1, 1, 0), interpolation="nearest")
    _draw_boxes(axes, picture["boxes"], "#00FFFF")
    axes.set_ylabel(names.label(picture["class"]), fontsize=7)


def _draw_map(axes: Axes, picture: dict[Any, Any]) -> None:
    values = relative(picture["map"])
    smooth = "bilinear" if len(values) <= COARSE else "nearest"  # as the metrics see it
    axes.imshow(values, extent=(0, 1, 1, 0), interpolation=smooth, cmap=COLORS, vmin=-1, vmax=1)
    _draw_boxes(axes, picture["boxes"], "0.2")
    axes.set_xlabel(f"{100 * picture['epg']:.0f} %", fontsize=6, labelpad=1)


def _draw_boxes(axes: Axes, corners: Any, color: str) -> None:
    for left, top, right, bottom in np.asarray(corners, dtype=float).reshape(-1, 4):
        axes.add_patch(Rectangle((left, top), right - left, bottom - top, fill=False, edgecolor=color, linewidth=0.8))
    axes.set(xlim=(0, 1), ylim=(1, 0))
