"""A small COCO 2014 folder of noise images, made anew for each test that reads or spoils one."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from mgsweep.guidance.datasets.coco2014 import CLASSES

IDS = {"train2014": range(100, 112), "val2014": range(200, 204)}
BARE = {"train2014": 111, "val2014": 203}
"""The image of each part that has no annotations."""
CATEGORIES = [{"id": rank + 1 + rank // 10, "name": name} for rank, name in enumerate(CLASSES)]
"""Ids with gaps, as the official ones have them."""
CAT, DOG = (category["id"] for category in CATEGORIES if category["name"] in ("cat", "dog"))


def file_name(part: str, number: int) -> str:
    return f"COCO_{part}_{number:012d}.jpg"


def instances(part: str) -> dict[str, list[dict[str, Any]]]:
    """Images of 50 x 40 pixels, each but one with a cat, a crowd of cats and a dog: annotations 10 n, 10 n + 1, + 2."""
    images = [
        {"id": number, "file_name": file_name(part, number), "width": 50, "height": 40}
        for number in reversed(IDS[part])
    ]
    boxes = ((CAT, 0, [5.5, 6, 20.25, 30]), (CAT, 1, [30, 0, 20, 40]), (DOG, 0, [1, 1, 9, 9]))
    annotations = [
        {"id": 10 * number + place, "image_id": number, "category_id": category, "bbox": box, "iscrowd": crowd}
        for number in IDS[part]
        if number != BARE[part]
        for place, (category, crowd, box) in enumerate(boxes)
    ]
    return {"images": images, "annotations": annotations, "categories": CATEGORIES[::-1]}


def path_of(root: Path, part: str) -> Path:
    return root / "annotations" / f"instances_{part}.json"


def write(root: Path) -> Path:
    """annotations/, train2014/ and val2014/ below `root`, which is returned."""
    rng = np.random.default_rng(0)
    (root / "annotations").mkdir(parents=True)
    for part, numbers in IDS.items():
        (root / part).mkdir()
        path_of(root, part).write_text(json.dumps(instances(part)))
        for number in numbers:
            pixels = rng.integers(0, 256, (40, 50, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(root / part / file_name(part, number))
    return root


def edit(root: Path, part: str, change: Callable[[Any], object]) -> None:
    """Changes a part's annotations in place."""
    content = json.loads(path_of(root, part).read_text())
    change(content)
    path_of(root, part).write_text(json.dumps(content))
