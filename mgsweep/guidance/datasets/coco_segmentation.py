"""COCO's segmentations: polygons or run lengths, held against the image before they are drawn.

Drawing them as they come is not safe: pycocotools allocates what a far corner asks for, and reads past the end of runs
that do not fill their image.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as rle

from mgsweep.guidance.datasets.samples import MAX_PIXELS

Mask = NDArray[np.bool_]


def mask_maker(segmentation: object, size: tuple[int, int]) -> Callable[[], Mask] | None:
    """What draws the segmentation of an object in an image of `size` (width, height); None where there is none.

    Polygons are cut to the image.

    Raises:
        ValueError: it is neither a list of polygons nor run lengths of this image; the message completes "expected".
    """
    if segmentation is None or segmentation == []:
        return None
    if size[0] * size[1] > MAX_PIXELS:
        raise ValueError(f"an image of at most {MAX_PIXELS:,} pixels")
    if isinstance(segmentation, dict):
        return partial(_from_runs, _runs(segmentation, size), size)
    if isinstance(segmentation, list):
        return partial(_from_polygons, [_polygon(corners, size) for corners in segmentation], size)
    raise ValueError("a list of polygons, or an object with size and counts")


def _polygon(corners: object, size: tuple[int, int]) -> NDArray[np.float64]:
    try:
        polygon = np.array(corners, dtype=np.float64)
    except (ValueError, TypeError, OverflowError):
        polygon = np.empty(0)
    if polygon.ndim != 1 or len(polygon) < 6 or len(polygon) % 2 or not np.isfinite(polygon).all():
        raise ValueError("polygons [x, y, x, y, ...] of three corners or more, finite numbers in pixels")
    return np.clip(polygon.reshape(-1, 2), 0, size).ravel()


def _runs(segmentation: dict[object, object], size: tuple[int, int]) -> NDArray[np.int64]:
    width, height = size
    counts = segmentation.get("counts")
    runs = _uncompressed(counts) if isinstance(counts, str) else counts
    if not isinstance(runs, list) or not all(type(run) is int and 0 <= run <= width * height for run in runs):
        raise ValueError("run lengths as counts, whole numbers from 0")
    if segmentation.get("size") != [height, width] or sum(runs) != width * height:
        raise ValueError(f"run lengths of size [{height}, {width}] that add up to {width * height}")
    return np.array(runs, dtype=np.int64)


def _uncompressed(text: str) -> list[int]:
    """Five bits a character, the sixth says that more follow. From the fourth on, runs are less the last but one."""
    runs: list[int] = []
    value = shift = 0
    for character in text:
        bits = ord(character) - 48
        value |= (bits & 31) << shift
        shift += 5
        if not bits & 32:
            value -= (bits & 16) << shift - 4
            runs.append(value + runs[-2] if len(runs) > 2 else value)
            value = shift = 0
    return runs


def _from_polygons(polygons: Sequence[NDArray[np.float64]], size: tuple[int, int]) -> Mask:
    width, height = size
    drawn = rle.merge(rle.frPyObjects([polygon.tolist() for polygon in polygons], height, width))
    return _from_runs(np.array(_uncompressed(drawn["counts"].decode())), size)


def _from_runs(runs: NDArray[np.int64], size: tuple[int, int]) -> Mask:
    """Runs go down the columns, and begin outside."""
    return np.repeat(np.arange(len(runs)) % 2 == 1, runs).reshape(size).T
