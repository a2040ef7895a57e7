"""Attribution maps in the page: which of the stored ones it has room for, and how they are drawn.

Each trial shows the stored epoch nearest to the one it is told by, measured where it was guided; a baseline wherever it
was measured. If there is no room for all, every trial has its first image before any has its second, and what comes
first stays: baselines, which the others are compared with, then members of fronts, then the largest gains.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from analysis.figures.maps import COLORS, is_whole, photo, relative
from analysis.report.shortened import label, share

Row = Mapping[str, Any]

LEVELS = 63  # of colour in a map, an odd number: one is 0; more would not be seen, and take more room


def order(trials: pd.DataFrame, members: Collection[str], gain: Mapping[Any, float]) -> list[str]:
    """Ids, those first that are to have pictures whatever the room.

    Args:
        trials: one row per trial, with `id` and `loss`.
        members: ids of trials that are on a front.
        gain: by id, how much a trial is better than its baseline.
    """
    rank = trials.assign(
        after=trials["loss"] != "none",
        off=~trials["id"].isin(members),
        less=-trials["id"].map(gain).astype("float64"),
    )
    return list(rank.sort_values(["after", "off", "less"], kind="stable", na_position="last")["id"])


def pictures(
    ids: Sequence[str],
    read: Callable[[str], Iterable[Row]],
    epochs: Mapping[Any, int],
    place: Mapping[Any, int],
    most: int,
) -> dict[str, Any]:
    """What the page shows of the trials' maps, as plain JSON values.

    Args:
        ids: the trials that have pictures, the most important first.
        read: the rows of a trial, as of `Gallery.pictures`; only those are read that there is room for.
        epochs: by id, the epoch that the trial is told by.
        place: by id, the trial's number in the page.
        most: how many characters of base64 the maps may take.

    Returns:
        `images`, each with `class`, `boxes` (xmin, ymin, xmax, ymax; shares of the side) and `src`; `maps`, each with
        `trial`, `image` (its place in `images`), `epoch`, `probe`, `epg` and `probability` (1 / SCALE), and
        `src`; each `src` is a PNG in base64; `left`, the places of the trials of which there is none for want of room.
    """
    images: dict[tuple[Any, ...], int] = {}
    maps: list[dict[str, Any]] = []
    taken = 0
    for row in _in_rounds(_by_image(name, read(name), epochs.get(name)) for name in ids):
        one = _map(row) | {"trial": place[row["id"]]}
        taken += len(one["src"])
        if taken > most:
            break
        maps.append(one | {"image": images.setdefault(_image(row), len(images))})
    there = {one["trial"] for one in maps}
    return {
        "images": [
            {"class": name, "boxes": boxes, "src": _png(Image.fromarray(photo(pixels)))}
            for name, boxes, pixels in images
        ],
        "maps": maps,
        "left": [place[name] for name in ids if place[name] not in there] if taken > most else [],
    }


def _in_rounds(trials: Iterable[Iterator[list[Row]]]) -> Iterator[Row]:
    """All rows of the trials' first images, then all of their second ones, and so on."""
    while True:
        again: list[Iterator[list[Row]]] = []
        for images in trials:
            if rows := next(images, None):
                yield from rows
                again.append(images)
        if not again:
            return
        trials = again


def _by_image(name: str, rows: Iterable[Row], epoch: int | None) -> Iterator[list[Row]]:
    """The rows to show of a trial, image by image; a file may hold what is no picture of it."""
    rows = [row for row in rows if row["id"] == name and _is_own(row)]
    rows = [row for row in rows if is_whole(row["pixels"], row["map"], row["side"])]
    told = max((row["epoch"] for row in rows), default=0) if epoch is None else epoch
    nearest = min((row["epoch"] for row in rows), key=lambda other: (abs(other - told), other), default=0)
    rows = [row for row in rows if row["epoch"] == nearest]
    for image in sorted({row["image"] for row in rows}):
        yield [row for row in rows if row["image"] == image]


def _is_own(row: Row) -> bool:
    """Whether it was measured where the trial was guided; a baseline was guided nowhere."""
    return row["loss"] == "none" or (row["probe_attribution"], row["probe_depth"]) == (row["attribution"], row["depth"])


def _image(row: Row) -> tuple[Any, ...]:
    corners = [round(float(corner), 4) for corner in row["boxes"] or ()]
    boxes = tuple(tuple(corners[first : first + 4]) for first in range(0, len(corners) - 3, 4))
    return label(row["class"]), boxes, row["pixels"]


def _map(row: Row) -> dict[str, Any]:
    shown = np.nan_to_num(relative(row["map"])).clip(-1, 1)
    codes = np.round((shown + 1) / 2 * (LEVELS - 1)).astype(np.uint8)
    return {
        "epoch": row["epoch"],
        "probe": f"{label(row['probe_attribution'])} at {label(row['probe_depth'])}",
        "epg": share(row["epg"]),
        "probability": share(row["probability"]),
        "src": _png(_indexed(codes)),
    }


def _indexed(codes: NDArray[np.uint8]) -> Image.Image:
    colors = matplotlib.colormaps[COLORS](np.linspace(0, 1, LEVELS), bytes=True)
    image = Image.fromarray(codes, mode="P")
    image.putpalette(np.asarray(colors, dtype=np.uint8)[:, :3].tobytes())
    return image


def _png(image: Image.Image) -> str:
    """As base64."""
    content = io.BytesIO()
    image.save(content, "PNG", optimize=True)
    return base64.b64encode(content.getvalue()).decode()
