"""Waterbirds-100: birds of CUB-200 on backgrounds of Places, which in training always agree (Petryk et al., CVPR 2022).

Two tasks share the images. `waterbirds` asks for the bird, to be guided inside its box; `waterbirds_reversed` asks for
the background, to be guided outside of it.
"""

from __future__ import annotations

import csv
import hashlib
import math
import os
import re
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

from mgsweep.errors import InvalidInput
from mgsweep.guidance.contracts import SPLITS
from mgsweep.guidance.datasets.coco_annotation import Report, shown
from mgsweep.guidance.datasets.samples import Instance, Sample, Source, opened, read_image

IMAGES, METADATA, BOXES = "waterbird_1.0_forest2water2", "metadata.csv", "CUB_200_2011/bounding_boxes.txt"
TASKS = {"y": ("landbird", "waterbird"), "place": ("land", "water")}
"""Column of the metadata -> classes."""
COLUMNS = ("img_id", "img_filename", "y", "split", "place")
CHOICES = {"y": "01", "place": "01", "split": "012"}
SOURCE = "it comes with the archive of Waterbirds-100"
CUB = "it comes with CUB_200_2011.tgz"

Box = tuple[float, float, float, float]


class Bird(NamedTuple):
    """A line of the metadata."""

    number: str
    file: str
    y: int
    place: int
    split: str


def waterbirds(root: Path) -> Source:
    """The conventional task: landbird or waterbird. See `_source`."""
    return _source(Path(root), "y")


def waterbirds_reversed(root: Path) -> Source:
    """The reversed task: land or water, on the same images with the same boxes, those of the birds. See `_source`."""
    return _source(Path(root), "place")


def _source(root: Path, task: str) -> Source:
    """Waterbirds-100 below `root`, which holds waterbird_1.0_forest2water2/ and CUB_200_2011/bounding_boxes.txt.

    Groups are 2 y + place: landbirds on land and on water, waterbirds on land and on water. Train has the first and the
    last alone. Validation keeps these two, as the paper's has no other; test has all four.

    Raises:
        InvalidInput: a list cannot be read. Reading `splits` raises every mistake in them.
    """
    digest = hashlib.sha256(task.encode())
    for path, remedy in ((root / IMAGES / METADATA, SOURCE), (root / BOXES, CUB)):
        try:
            digest.update(path.read_bytes())
        except OSError as error:
            raise InvalidInput.of(f"cannot read the file ({error.strerror}); {remedy}", where=str(path)) from error
    digest.update(repr(sorted(_scan(root / IMAGES).items())).encode())
    return Source(TASKS[task], digest.hexdigest(), partial(_listing, root, task))


def _scan(folder: Path) -> dict[str, tuple[int, int]]:
    """Size in bytes and time of change in nanoseconds of each image, by class folder and name."""
    folders = (entry for entry in os.scandir(folder) if entry.is_dir())
    files = ((f"{place.name}/{entry.name}", entry.stat()) for place in folders for entry in os.scandir(place))
    return {name: (stat.st_size, stat.st_mtime_ns) for name, stat in files}


def _listing(root: Path, task: str) -> dict[str, list[Sample]]:
    report = Report()
    birds, boxes = _birds(root / IMAGES / METADATA, report), _boxes(root / BOXES, report)
    files = _scan(root / IMAGES)
    splits: dict[str, list[Sample]] = {split: [] for split in SPLITS}
    for bird in birds:
        if bird.split == "val" and bird.y != bird.place:
            continue
        if bird.file not in files:
            report.note(root / IMAGES, "missing images", bird.file, f"missing, though the metadata names it; {SOURCE}")
        elif bird.number not in boxes:
            report.note(root / BOXES, "missing boxes", f"image {bird.number}", f"has no box; {CUB}")
        elif sample := _sample(root / IMAGES / bird.file, bird, task, boxes[bird.number], report):
            splits[bird.split].append(sample)
    for split in (split for split in SPLITS if not splits[split] and not report.problems):
        report.note(root / IMAGES / METADATA, "splits", split, f"expected one image or more, there is none; {SOURCE}")
    report.check()
    return splits


def _sample(image: Path, bird: Bird, task: str, box: Box, report: Report) -> Sample | None:
    try:
        with opened(image) as header:
            width, height = header.size
    except InvalidInput as error:
        report.problems += error.problems
        return None
    xmin, ymin, xmax, ymax = box
    # Some of CUB's boxes stick out over the border.
    cut = (min(xmin, width), min(ymin, height), min(xmax, width), min(ymax, height))
    instance = Instance(bird.y if task == "y" else bird.place, cut)
    name = bird.file.removesuffix(".jpg")
    return Sample(name, partial(read_image, image), (width, height), (instance,), str(image), 2 * bird.y + bird.place)


def _birds(path: Path, report: Report) -> list[Bird]:
    lines = csv.DictReader(path.read_text(encoding="utf-8", errors="replace").splitlines())
    if missing := [column for column in COLUMNS if column not in (lines.fieldnames or ())]:
        report.note(path, "columns", ", ".join(missing), f"missing in the first line; {SOURCE}")
        return []
    seen: dict[tuple[str, str], int] = {}
    birds = []
    for line in lines:
        mistakes = [*_mistakes(line), *_repeats(line, seen, lines.line_num)]
        for key, message in mistakes:
            report.note(path, f"mistakes in {key}", f"line {lines.line_num}, {key}", message)
        if not mistakes:
            split = SPLITS[int(line["split"])]
            birds.append(Bird(line["img_id"], line["img_filename"], int(line["y"]), int(line["place"]), split))
    return birds


def _mistakes(line: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Pairs (column, what is wrong). A line that is too short has None where nothing stands."""
    if not re.fullmatch(r"\w[\w.-]*/\w[\w.-]*", line["img_filename"] or ""):
        yield "img_filename", f"expected folder/name.jpg, got {shown(line['img_filename'])}"
    wrong = [key for key, known in CHOICES.items() if line[key] not in tuple(known)]
    yield from ((key, f"expected one of {', '.join(CHOICES[key])}, got {shown(line[key])}") for key in wrong)
    if not wrong and line["split"] == "0" and line["y"] != line["place"]:
        yield "place", "bird and background differ, in Waterbirds-100 they never do in training; take its own metadata"


def _repeats(line: Mapping[str, str], seen: dict[tuple[str, str], int], number: int) -> Iterator[tuple[str, str]]:
    for key in ("img_id", "img_filename"):
        if (first := seen.setdefault((key, line[key]), number)) != number:
            yield key, f"{shown(line[key])} is given before, in line {first}; remove one of the two"


def _boxes(path: Path, report: Report) -> dict[str, Box]:
    """Boxes [xmin, ymin, xmax, ymax] in pixels by image id, from lines `id x y width height`."""
    boxes = {}
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), start=1):
        key, *values = line.split() or [""]
        try:
            x, y, width, height = map(float, values)
        except ValueError:
            x = y = width = height = math.nan
        if math.isfinite(x + y + width + height) and min(x, y, width, height) >= 0:
            boxes[key] = (x, y, x + width, y + height)
        elif line.strip():
            message = f"expected the image's id, x, y, width and height, numbers from 0 in pixels, got {shown(line)}"
            report.note(path, "boxes", f"line {number}", message)
    return boxes
