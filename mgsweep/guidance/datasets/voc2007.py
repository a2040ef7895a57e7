"""PASCAL VOC 2007, from the official folder layout (Everingham et al., IJCV 2010)."""

from __future__ import annotations

import hashlib
import os
import re
from functools import partial
from pathlib import Path

from mgsweep.errors import InvalidInput, Problem
from mgsweep.guidance.contracts import SPLITS
from mgsweep.guidance.datasets.links import leading_out
from mgsweep.guidance.datasets.published import way_out
from mgsweep.guidance.datasets.samples import Sample, Source, read_image
from mgsweep.guidance.datasets.voc_annotation import read_annotation
from mgsweep.guidance.datasets.voc_segmentation import with_masks

CLASSES = (
    "aeroplane",
    "bicycle",
    "bird",
    "boat",
    "bottle",
    "bus",
    "car",
    "cat",
    "chair",
    "cow",
    "diningtable",
    "dog",
    "horse",
    "motorbike",
    "person",
    "pottedplant",
    "sheep",
    "sofa",
    "train",
    "tvmonitor",
)
ARCHIVES = {
    "train": "VOCtrainval_06-Nov-2007.tar",
    "val": "VOCtrainval_06-Nov-2007.tar",
    "test": "VOCtest_06-Nov-2007.tar",
}

Lists = dict[str, dict[str, int]]
"""Split -> image name -> line of the split's list."""


def voc2007(root: Path) -> Source:
    """VOC 2007 below `root`, the folder that holds VOCdevkit/, VOC2007/ or JPEGImages/.

    Samples come from ImageSets/Main/{train,val,test}.txt, with all their objects, difficult ones included. Images that
    have a file in SegmentationClass/ have masks. The fingerprint covers these lists, the sizes and times of the files
    they name, and those of the masks; annotations are read with `splits`.

    Raises:
        InvalidInput: every mistake of the data set, when folders, lists or files are missing or contradict each other.
            When all of these are right, reading `splits` raises every mistake in the annotations.
    """
    folder = _find(Path(root))
    problems: list[Problem] = []
    lists = _read_lists(folder / "ImageSets" / "Main", problems)
    annotations = _scan(folder / "Annotations", ".xml", lists, problems)
    images = _scan(folder / "JPEGImages", ".jpg", lists, problems)
    if problems:
        there = {split: {name: names[name] for name in names if name in annotations} for split, names in lists.items()}
        raise InvalidInput(problems + _list_samples(folder, there)[1])
    digest = hashlib.sha256(repr((lists, annotations, images, sorted(_segmented(folder).items()))).encode())
    return Source(CLASSES, digest.hexdigest(), partial(_listing, folder, lists))


def _listing(folder: Path, lists: Lists) -> dict[str, list[Sample]]:
    splits, problems = _list_samples(folder, lists)
    if problems:
        raise InvalidInput(problems)
    return splits


def _list_samples(folder: Path, lists: Lists) -> tuple[dict[str, list[Sample]], list[Problem]]:
    splits: dict[str, list[Sample]] = {split: [] for split in lists}
    problems: list[Problem] = []
    segmented = _segmented(folder)
    for split, names in lists.items():
        for name in names:
            image = folder / "JPEGImages" / f"{name}.jpg"
            try:
                size, instances = read_annotation(folder / "Annotations" / f"{name}.xml", CLASSES)
            except InvalidInput as error:
                problems += error.problems
            else:
                if name in segmented:
                    instances = with_masks(folder / "SegmentationClass" / f"{name}.png", size, instances)
                splits[split].append(Sample(name, partial(read_image, image), size, instances, str(image)))
    return splits, problems


def _segmented(folder: Path) -> dict[str, tuple[int, int]]:
    """Size in bytes and time of change of each image's segmentation; an eighth of the images have one."""
    if not (folder / "SegmentationClass").is_dir():
        return {}
    stats = ((Path(entry.name), entry.stat()) for entry in os.scandir(folder / "SegmentationClass"))
    return {path.stem: (stat.st_size, stat.st_mtime_ns) for path, stat in stats if path.suffix == ".png"}


def _find(root: Path) -> Path:
    """The folder with Annotations/, ImageSets/ and JPEGImages/."""
    if not root.is_dir():
        message = f"expected a folder with VOCdevkit/, VOC2007/ or JPEGImages/, there is none; {way_out('voc2007')}"
        raise InvalidInput.of(message, where=str(root))
    for folder in (root / "VOCdevkit" / "VOC2007", root / "VOC2007", root):
        if any((folder / name).is_dir() for name in ("JPEGImages", "Annotations", "ImageSets")):
            return folder
    found = ", ".join(sorted(entry.name for entry in root.iterdir())[:5]) or "nothing"
    raise InvalidInput.of(f"expected VOCdevkit/, VOC2007/ or JPEGImages/ in this folder, got {found}", where=str(root))


def _read_lists(folder: Path, problems: list[Problem]) -> Lists:
    """The three lists. No image may stand in them twice: results on val and test would not be what they seem."""
    seen: dict[str, str] = {}
    lists: Lists = {split: {} for split in SPLITS}
    for split, names in lists.items():
        path = folder / f"{split}.txt"
        try:
            lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError as error:
            message = f"cannot read the list of the {split} images ({error.strerror}); it comes with {ARCHIVES[split]}"
            problems.append(Problem(str(path), "", message))
            continue
        for number, line in enumerate(lines, start=1):
            name, where = line.strip(), f"{path}:{number}"
            if not name:
                continue
            if not re.fullmatch(r"\w[\w.-]*", name):
                problems.append(Problem(where, "", f"expected the name of an image such as 000012, got {name[:60]!r}"))
            elif name in seen:
                problems.append(Problem(where, name, f"listed before, at {seen[name]}; remove one of the two"))
            else:
                seen[name] = where
                names[name] = number
        if not names:
            problems.append(Problem(str(path), "", f"expected one image name a line, the {split} split is empty"))
    return lists


def _scan(folder: Path, suffix: str, lists: Lists, problems: list[Problem]) -> dict[str, tuple[int, int]]:
    """Size in bytes and time of change in nanoseconds of each listed file; one listing instead of a call a file."""
    if not folder.is_dir():
        problems.append(Problem(str(folder), "", f"no such folder; it comes with {ARCHIVES['train']}"))
        return {}
    entries = [entry for entry in os.scandir(folder) if entry.name.endswith(suffix)]
    problems += leading_out(entries, folder)
    stats = {entry.name: entry.stat() for entry in entries if entry.is_file()}
    found: dict[str, tuple[int, int]] = {}
    for split, names in lists.items():
        for name in names:
            if stat := stats.get(name + suffix):
                found[name] = (stat.st_size, stat.st_mtime_ns)
            else:
                message = f"missing, though the {split} list names it; it comes with {ARCHIVES[split]}"
                problems.append(Problem(str(folder / f"{name}{suffix}"), "", message))
    return found
