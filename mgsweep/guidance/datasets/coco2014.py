"""COCO 2014, from the official folder layout (Lin et al., ECCV 2014), with train and val as the study cut them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection, Mapping
from functools import partial
from pathlib import Path

from mgsweep.errors import InvalidInput
from mgsweep.guidance.datasets.coco_annotation import Report, read_instances, read_json, shown
from mgsweep.guidance.datasets.links import leading_out
from mgsweep.guidance.datasets.published import way_out
from mgsweep.guidance.datasets.samples import Sample, Source, read_image

NAMES = (
    "person,bicycle,car,motorcycle,airplane,bus,train,truck,boat,traffic light,fire hydrant,stop sign,parking meter,"
    "bench,bird,cat,dog,horse,sheep,cow,elephant,bear,zebra,giraffe,backpack,umbrella,handbag,tie,suitcase,frisbee,"
    "skis,snowboard,sports ball,kite,baseball bat,baseball glove,skateboard,surfboard,tennis racket,bottle,wine glass,"
    "cup,fork,knife,spoon,bowl,banana,apple,sandwich,orange,broccoli,carrot,hot dog,pizza,donut,cake,chair,couch,"
    "potted plant,bed,dining table,toilet,tv,laptop,mouse,remote,keyboard,cell phone,microwave,oven,toaster,sink,"
    "refrigerator,book,clock,vase,scissors,teddy bear,hair drier,toothbrush"
)
CLASSES = tuple(NAMES.split(","))
"""By rising category id, which has gaps. The annotations are held to them, as parsing those first would take long."""
INSTANCES = {part: f"annotations/instances_{part}.json" for part in ("train2014", "val2014")}
LISTS = {split: f"train2014_{split}_split.json" for split in ("train", "val")}
ARCHIVE = "it comes with annotations_trainval2014.zip"

Samples = dict[int, Sample]
"""Image id -> sample."""


def coco2014(root: Path) -> Source:
    """COCO 2014 below `root`, the folder that holds annotations/, train2014/ and val2014/.

    Test is all of val2014. Train and val share the images of train2014 that have annotations: by the lists
    train2014_{train,val}_split.json in `root` or in annotations/, else by `cut`. Crowds count as objects. The
    fingerprint covers the lists and the sizes and times of the two annotation files, which are read with `splits`.

    Raises:
        InvalidInput: every mistake of the data set, when a file or folder is missing. When all are there, reading
            `splits` raises every mistake in them.
    """
    root = Path(root)
    if not root.is_dir():
        message = f"expected a folder with annotations/, train2014/ and val2014/, there is none; {way_out('coco2014')}"
        raise InvalidInput.of(message, where=str(root))
    try:
        fingerprint = _fingerprint(root)
    except OSError:
        _listing(root)  # names what is missing, with all other mistakes
        raise
    return Source(CLASSES, fingerprint, partial(_listing, root))


def cut(ids: Collection[int]) -> dict[str, list[int]]:
    """Train and val, 9 : 1, when there are no lists: val is the last tenth, rounded up, by SHA-256 of the decimal id.

    The 82,081 annotated images give 73,872 and 8,209, as the published lists do; the images differ from theirs.
    """
    ranked = sorted(ids, key=lambda number: hashlib.sha256(str(number).encode()).digest())
    first = len(ranked) * 9 // 10
    return {"train": sorted(ranked[:first]), "val": sorted(ranked[first:])}


def _fingerprint(root: Path) -> str:
    digest = hashlib.sha256()
    for part, file in INSTANCES.items():
        stat = (root / file).stat()
        digest.update(repr((stat.st_size, stat.st_mtime_ns)).encode())
        (root / part).stat()
    for path in _lists(root).values():
        with path.open("rb") as content:
            digest.update(hashlib.file_digest(content, "sha256").digest())
    return digest.hexdigest()


def _lists(root: Path) -> dict[str, Path]:
    """Where the split lists are to be found; nowhere if there is neither of them."""
    for folder in (root, root / "annotations"):
        paths = {split: folder / name for split, name in LISTS.items()}
        if any(path.exists() for path in paths.values()):
            return paths
    return {}


def _listing(root: Path) -> dict[str, list[Sample]]:
    report = Report()
    train2014, test = (_read(root, part, report) for part in INSTANCES)
    for number in train2014.keys() & test.keys():
        key, message = f"image {number}", "the id of an image of train2014, too; remove one of the two"
        report.note(root / INSTANCES["val2014"], "images of train2014", key, message)
    annotated = {number: sample for number, sample in train2014.items() if sample.instances}
    if train2014 and len(annotated) < 2:
        message = f"expected annotations of two images or more, for train and val, got {len(annotated)}; {ARCHIVE}"
        report.note(root / INSTANCES["train2014"], "splits", "annotations", message)
    lists = _lists(root)
    ids = _listed(lists, annotated, report) if lists else cut(annotated)
    report.check()
    return {split: [annotated[number] for number in ids[split]] for split in LISTS} | {"test": [*test.values()]}


def _read(root: Path, part: str, report: Report) -> Samples:
    """The images of a part by rising id; empty when its annotations cannot be used."""
    folder, path = root / part, root / INSTANCES[part]
    before = len(report.problems)
    listed = read_instances(path, CLASSES, ARCHIVE, report)
    if not listed and len(report.problems) == before:
        report.note(path, "images", "images", f"expected the images of {part}, the list is empty; {ARCHIVE}")
    try:
        entries = list(os.scandir(folder))
        report.problems += leading_out(entries, folder)
        files = {entry.name for entry in entries}
    except OSError as error:
        report.note(folder, "folders", "", f"cannot read the folder ({error.strerror}); it comes with {part}.zip")
        files = {image.file_name for image in listed.values()}
    samples: Samples = {}
    for number, (name, size, instances) in listed.items():
        if name and name not in files:
            message = f"missing, though it is image {number} of {path.name}; it comes with {part}.zip"
            report.note(folder, "missing images", name, message)
        image = folder / name
        samples[number] = Sample(Path(name).stem, partial(read_image, image), size, instances, str(image))
    return samples


def _listed(lists: Mapping[str, Path], annotated: Samples, report: Report) -> dict[str, list[int]]:
    """The published cut. No image may stand in it twice: results on val would not be what they seem."""
    number_of: dict[object, int] = {os.path.basename(sample.where): number for number, sample in annotated.items()}
    number_of |= {number: number for number in annotated}
    seen: dict[int, str] = {}
    ids: dict[str, list[int]] = {split: [] for split in lists}
    for split, path in lists.items():
        for place, entry in enumerate(_entries(path, report)):
            number = number_of.get(entry) if type(entry) in (int, str) else None
            if number is None and annotated:  # without any, the annotations are at fault
                message = "expected the id or file name of an image with annotations in instances_train2014.json, got "
                report.note(path, "unknown images", f"[{place}]", f"{message}{shown(entry)}; remove it")
            elif number in seen:
                message = f"image {number} is listed before, as {seen[number]}; remove one of the two"
                report.note(path, "images listed twice", f"[{place}]", message)
            elif number is not None:
                seen[number] = f"[{place}] of {path.name}"
                ids[split].append(number)
    return {split: sorted(listed) for split, listed in ids.items()}


def _entries(path: Path, report: Report) -> list[object]:
    """Ids or file names. The lists were published as annotation files, whose images are meant."""
    try:
        content = read_json(path, "expected are both lists or none")
    except InvalidInput as error:
        report.problems += error.problems
        return []
    if isinstance(content, dict) and isinstance(content.get("images"), list):
        content = [image.get("id") if isinstance(image, dict) else image for image in content["images"]]
    if isinstance(content, list) and content:
        return content
    message = f"expected a list of image ids or file names with at least one, got {shown(content)}; fill or remove it"
    report.note(path, "lists", "", message)
    return []
