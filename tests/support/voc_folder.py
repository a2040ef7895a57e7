"""A small VOC 2007 folder of noise images, made anew for each test that reads or spoils one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

COUNTS = {"train": 6, "val": 3, "test": 4}
OBJECT = "<object><name>{}</name><difficult>{}</difficult><bndbox>{}</bndbox></object>"


def box(*corners: object) -> str:
    return "".join(
        f"<{key}>{value}</{key}>" for key, value in zip(("xmin", "ymin", "xmax", "ymax"), corners, strict=True)
    )


def annotation(objects: str, width: object = 50, height: object = 40) -> str:
    """The file as text: the header in lines 1 and 2, the objects in line 3."""
    size = f"<size><width>{width}</width><height>{height}</height><depth>3</depth></size>"
    return f"<annotation>\n{size}\n{objects}\n</annotation>\n"


def write(root: Path) -> Path:
    """VOCdevkit/VOC2007 below `root`; images of 50 x 40 pixels, each with two cats, one difficult, and a dog."""
    folder = root / "VOCdevkit" / "VOC2007"
    for name in ("JPEGImages", "Annotations", "ImageSets/Main"):
        (folder / name).mkdir(parents=True)
    rng = np.random.default_rng(0)
    number = 0
    for split, count in COUNTS.items():
        names = [f"{number + index:06d}" for index in range(count)]
        number += count
        (folder / "ImageSets" / "Main" / f"{split}.txt").write_text("\n".join(names) + "\n")
        for name in names:
            pixels = rng.integers(0, 256, (40, 50, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / "JPEGImages" / f"{name}.jpg")
            cats = OBJECT.format("cat", 0, box(5, 6, 20, 30)) + OBJECT.format("cat", 1, box(30, 1, 50, 40))
            (folder / "Annotations" / f"{name}.xml").write_text(
                annotation(cats + OBJECT.format("dog", 0, box(1, 1, 9, 9)))
            )
    return folder
