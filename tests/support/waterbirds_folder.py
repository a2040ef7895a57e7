"""A small Waterbirds-100 folder of noise images, made anew for each test that reads or spoils one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

SPLITS = {"train": 0, "val": 1, "test": 2}
BIRDS = {"train": [(0, 0)] * 5 + [(1, 1)] * 3, "val": [(0, 0), (0, 1), (1, 0), (1, 1)] * 2, "test": [(0, 1), (1, 0)]}
"""Split -> (bird, background) of each image."""
BOX = "10.0 5.0 20.0 30.0"


def write(root: Path) -> Path:
    """Images of 50 x 40 pixels, numbered from 1; `root` is returned."""
    images = root / "waterbird_1.0_forest2water2"
    (root / "CUB_200_2011").mkdir(parents=True)
    rng = np.random.default_rng(0)
    lines, boxes = ["img_id,img_filename,y,split,place,place_filename"], []
    for split, birds in BIRDS.items():
        for y, place in birds:
            number = len(lines)
            file = f"{number:03d}.Bird/bird_{number}.jpg"
            (images / file).parent.mkdir(parents=True)
            Image.fromarray(rng.integers(0, 256, (40, 50, 3), dtype=np.uint8)).save(images / file)
            lines.append(f"{number},{file},{y},{SPLITS[split]},{place},/l/lake/{number}.jpg")
            boxes.append(f"{number} {BOX}")
    (images / "metadata.csv").write_text("\n".join(lines) + "\n")
    (root / "CUB_200_2011" / "bounding_boxes.txt").write_text("\n".join(boxes) + "\n")
    return root
