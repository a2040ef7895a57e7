"""Decoding a data set once: our cache beside the published way (PIL, ToTensor, one float32 file a split).

    python benchmarks/prepare.py --images 10000

Draws JPEG photographs' worth of noise in VOC's layout, decodes them both ways in one process, in turns and split by
split, and prints images a second, bytes on disk, and how long a second process takes to have the data open.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torchvision.transforms.functional import resize, to_tensor

from mgsweep.guidance.contracts import SPLITS
from mgsweep.guidance.datasets import DATASETS
from mgsweep.guidance.datasets.cache import prepare
from mgsweep.guidance.datasets.decode import decode

SIDES = (500, 375)
"""Width and height of most images of VOC, in pixels."""
SIZE = 224
OBJECT = (
    "<object><name>cat</name><bndbox><xmin>9</xmin><ymin>9</ymin><xmax>300</xmax><ymax>200</ymax></bndbox></object>"
)
REOPEN = """
import sys, time
from pathlib import Path
from mgsweep.guidance.datasets.cache import prepare
start = time.perf_counter()
prepare("voc2007", Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])).train.images[0].sum()
print(time.perf_counter() - start)
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        measured = measure(arguments.images, Path(folder))
    for key, value in measured.items():
        print(f"{key:42} {value:12,.3f}")
    if arguments.json:
        arguments.json.write_text(json.dumps(measured, indent=1))


def measure(count: int, folder: Path) -> dict[str, float]:
    """Images a second, bytes and seconds of both ways."""
    root, ours, theirs = folder / "VOC2007", folder / "ours", folder / "theirs"
    draw(count, root)
    splits = DATASETS["voc2007"](root).splits
    ours.mkdir()
    theirs.mkdir()
    seconds = {"ours": 0.0, "published": 0.0}
    for split in SPLITS:
        start = time.perf_counter()
        decode(splits[split], 20, SIZE, ours / split, lambda more: None)
        middle = time.perf_counter()
        images = [to_tensor(resize(Image.open(sample.where).convert("RGB"), [SIZE, SIZE])) for sample in splits[split]]
        torch.save(torch.stack(images), theirs / f"{split}.pt")
        seconds["ours"] += middle - start
        seconds["published"] += time.perf_counter() - middle
    cache = folder / "cache"
    start = time.perf_counter()
    prepare("voc2007", root, SIZE, cache)
    whole = time.perf_counter() - start
    arguments = [sys.executable, "-c", REOPEN, str(root), str(SIZE), str(cache)]
    reopened = float(subprocess.run(arguments, check=True, capture_output=True, text=True).stdout)
    return {
        "ours, images a second": count / seconds["ours"],
        "published, images a second": count / seconds["published"],
        "ours / published": seconds["published"] / seconds["ours"],
        "ours, bytes an image": size(ours) / count,
        "published, bytes an image": size(theirs) / count,
        "prepare with checks and fsync, seconds": whole,
        "a second process has it open, seconds": reopened,
    }


def draw(count: int, root: Path) -> None:
    """`count` smooth images with one box, half of them train, a quarter each val and test."""
    for name in ("JPEGImages", "Annotations", "ImageSets/Main"):
        (root / name).mkdir(parents=True)
    rng = np.random.default_rng(0)
    header = f"<size><width>{SIDES[0]}</width><height>{SIDES[1]}</height><depth>3</depth></size>"
    names = [f"{number:06d}" for number in range(count)]
    for name in names:
        coarse = Image.fromarray(rng.integers(0, 256, (24, 32, 3), dtype=np.uint8))
        coarse.resize(SIDES, Image.Resampling.BICUBIC).save(root / "JPEGImages" / f"{name}.jpg", quality=90)
        (root / "Annotations" / f"{name}.xml").write_text(f"<annotation>{header}{OBJECT}</annotation>")
    cuts = {"train": names[: count // 2], "val": names[count // 2 : 3 * count // 4], "test": names[3 * count // 4 :]}
    for split, listed in cuts.items():
        (root / "ImageSets" / "Main" / f"{split}.txt").write_text("\n".join(listed) + "\n")


def size(folder: Path) -> int:
    """Bytes on disk."""
    return sum(path.stat().st_size for path in folder.iterdir())


if __name__ == "__main__":
    main()
