"""The reader of COCO's instances files. It is strict."""

from __future__ import annotations

import contextlib
import io
import json
import re
import reprlib
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any, NamedTuple

from pycocotools.coco import COCO

from mgsweep.errors import InvalidInput, Problem
from mgsweep.guidance.datasets.coco_segmentation import Mask, mask_maker
from mgsweep.guidance.datasets.samples import MAX_PIXELS, Instance

MAX_BYTES = 1_000_000_000
"""The official files have less than half; a parsed file takes several times its size in memory."""
SHOWN = 20
"""Mistakes of one kind in one place that are told one by one."""
TOLERANCE = 0.5
"""Pixels by which a box may exceed its image, as corners were rounded; it is then cut to the image."""
IDS = {"images": ("id",), "annotations": ("id", "image_id", "category_id"), "categories": ("id",)}
QUOTES = reprlib.Repr()
QUOTES.maxstring = 60
SINGULAR = {"images": "image", "annotations": "annotation", "categories": "category"}

Record = Mapping[str, Any]
"""One image, annotation or category as the file has it; whole numbers as ids are all that is known of it."""


class Listed(NamedTuple):
    """An image as listed: `size` is (width, height) in pixels, `file_name` "" when it cannot be used."""

    file_name: str
    size: tuple[int, int]
    instances: tuple[Instance, ...]


class Report:
    """The mistakes of a data set; of a kind in one place, those after the first `SHOWN` are only counted."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self._counts: Counter[tuple[str, str]] = Counter()

    def note(self, where: Path, kind: str, key: str, message: str) -> None:
        """`kind` is a noun in the plural, as in "and 7 more missing images"."""
        self._counts[str(where), kind] += 1
        if self._counts[str(where), kind] <= SHOWN:
            self.problems.append(Problem(str(where), key, message))

    def check(self) -> None:
        """Raises InvalidInput with all of them, if there are any."""
        counts = self._counts.items()
        more = [Problem(at, "", f"and {n - SHOWN:,} more {kind}") for (at, kind), n in counts if n > SHOWN]
        if self.problems:
            raise InvalidInput(self.problems + more)


def read_json(path: Path, remedy: str) -> Any:
    """The file's content; `remedy` says what to do when it cannot be read.

    Raises:
        InvalidInput: the file is missing, too large or no JSON.
    """
    try:
        if (size := path.stat().st_size) > MAX_BYTES:
            raise InvalidInput.of(f"expected at most {MAX_BYTES:,} bytes, got {size:,}; {remedy}", where=str(path))
        with path.open("rb") as file:
            return json.load(file)
    except OSError as error:
        raise InvalidInput.of(f"cannot read the file ({error.strerror}); {remedy}", where=str(path)) from error
    except RecursionError as error:
        raise InvalidInput.of(f"expected JSON, got one nested too deep; {remedy}", where=str(path)) from error
    except ValueError as error:  # of the syntax, the encoding, or a number of thousands of digits
        raise InvalidInput.of(f"expected JSON: {error}; {remedy}", where=str(path)) from error


def read_instances(path: Path, classes: Sequence[str], remedy: str, report: Report) -> dict[int, Listed]:
    """Image id -> the image with all its boxes, crowds included, by rising id; empty when the file is unusable.

    An instance's label is the rank of its category's id; the names by rank have to be `classes`. Boxes [x, y, width,
    height] become [x, y, x + width, y + height]. Mistakes go to `report`, and a harmless value stands for each.
    """
    try:
        tables = read_json(path, remedy)
    except InvalidInput as error:
        report.problems += error.problems
        return {}
    missing = [key for key in IDS if not (isinstance(tables, dict) and isinstance(tables.get(key), list))]
    for key in missing:
        report.note(path, "lists", key, f"missing; expected an object with the list {key}; {remedy}")
    return {} if missing else _Check(path, report).listed(tables, classes)


class _Check:
    """Turns records into values. A mistake is noted and a harmless value given, so that all of them are found."""

    def __init__(self, path: Path, report: Report) -> None:
        self.path, self.report = path, report

    def note(self, kind: str, key: str, message: str) -> None:
        self.report.note(self.path, kind, key, message)

    def listed(self, tables: Mapping[str, list[object]], classes: Sequence[str]) -> dict[int, Listed]:
        coco = _index({table: self.records(tables[table], table) for table in IDS})
        label_of = {number: rank for rank, number in enumerate(sorted(coco.cats))}
        self.classes([coco.cats[number].get("name") for number in label_of], classes)
        for record in coco.anns.values():
            self.belongs(record, "image", coco.imgs)
            self.belongs(record, "category", coco.cats)
        names: dict[str, int] = {}
        listed = {}
        for number, image in sorted(coco.imgs.items()):
            size = self.size(image)
            records = coco.imgToAnns.get(number, ())
            instances = (
                Instance(label_of.get(each["category_id"], 0), self.box(each, size), self.mask(each, size))
                for each in records
            )
            listed[number] = Listed(self.file_name(image, names), size, tuple(instances))
        return listed

    def records(self, entries: Sequence[object], table: str) -> list[Record]:
        """Those that have their ids, each once: the index would keep the last of a kind without a word."""
        kept: dict[int, Record] = {}
        for place, entry in enumerate(entries):
            record = entry if isinstance(entry, dict) else {}
            wrong = next((key for key in IDS[table] if type(record.get(key)) is not int), None)
            if wrong is not None:
                got = shown(record.get(wrong) if isinstance(entry, dict) else entry)
                message = f"expected a whole number as {wrong}, got {got}; correct or remove it"
                self.note(f"{table} without their ids", f"{table}[{place}]", message)
            elif record["id"] in kept:
                key = f"{SINGULAR[table]} {record['id']}"
                self.note(f"{table} with the id of another", key, "the id is given twice; remove one of the two")
            else:
                kept[record["id"]] = record
        return list(kept.values())

    def classes(self, found: Sequence[object], expected: Sequence[str]) -> None:
        for got, wanted in zip_longest(found, expected):
            if got != wanted:
                message = (
                    f"expected the {len(expected)} official ones by rising id, got {len(found)}, first {shown(got)}"
                )
                self.note(
                    "categories", "categories", f"{message} in the place of {shown(wanted)}; take the official file"
                )
                return

    def size(self, image: Record) -> tuple[int, int]:
        for side in ("width", "height"):
            if type(image.get(side)) is not int or not 1 <= image[side] <= MAX_PIXELS:
                message = f"expected {side} in pixels, a whole number from 1, got {shown(image.get(side))}; correct it"
                self.note("images of unusable size", f"image {image['id']}", message)
                return 0, 0
        return image["width"], image["height"]

    def file_name(self, image: Record, names: dict[str, int]) -> str:
        """`names` are those seen so far, with their images' ids."""
        name, key = image.get("file_name"), f"image {image['id']}"
        if not isinstance(name, str) or not re.fullmatch(r"\w[\w.-]*", name):
            message = "expected file_name to be a plain name such as COCO_train2014_000000000009.jpg"
            self.note("unusable file names", key, f"{message}, got {shown(name)}; correct it")
            return ""
        if (first := names.setdefault(name, image["id"])) != image["id"]:
            self.note("file names of other images", key, f"has {name} as image {first} has; remove one of the two")
        return name

    def belongs(self, record: Record, kind: str, known: Mapping[int, Record]) -> None:
        if (number := record[f"{kind}_id"]) not in known:
            message = f"expected the id of an entry of this file as {kind}_id, got {number}; correct it or remove it"
            self.note(f"annotations of an unknown {kind}", f"annotation {record['id']}", message)

    def box(self, record: Record, size: tuple[int, int]) -> tuple[float, float, float, float]:
        box = record.get("bbox")
        if not (isinstance(box, list) and len(box) == 4 and all(map(_is_finite, box))):
            expected = "to be [x, y, width, height], four finite numbers in pixels"
            self.misfit(record, "boxes that are not four numbers", expected)
            return 0, 0, 0, 0
        xmin, ymin, xmax, ymax = box[0], box[1], box[0] + box[2], box[1] + box[3]
        width, height = size
        if min(box[2:]) < 0:
            self.misfit(record, "boxes of negative size", "with width and height from 0")
        elif all(size) and max(-xmin, -ymin, xmax - width, ymax - height) > TOLERANCE:
            expected = f"[x, y, width, height] inside the image of {width} x {height} pixels"
            self.misfit(record, "boxes outside of their images", expected)
        return _cut(xmin, width), _cut(ymin, height), _cut(xmax, width), _cut(ymax, height)

    def mask(self, record: Record, size: tuple[int, int]) -> Callable[[], Mask] | None:
        if not all(size):
            return None
        try:
            return mask_maker(record.get("segmentation"), size)
        except ValueError as error:
            message = f"expected {error}, got {shown(record['segmentation'])}; correct it or remove the segmentation"
            self.note("unusable segmentations", f"annotation {record['id']}", message)
            return None

    def misfit(self, record: Record, kind: str, expected: str) -> None:
        message = f"expected bbox {expected}, got {shown(record.get('bbox'))}; correct it or remove the annotation"
        self.note(kind, f"annotation {record['id']}", message)


def shown(value: object) -> str:
    """A value from a file as a message quotes it; None stands for nothing at all."""
    return "nothing" if value is None else QUOTES.repr(value)


def _is_finite(value: object) -> bool:
    # Not math.isfinite, which fails on whole numbers that no float can hold; a truth value is no number here.
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


def _cut(corner: float, side: int) -> float:
    return min(max(corner, 0), side)


def _index(tables: Mapping[str, Sequence[Record]]) -> Any:
    coco = COCO()
    coco.dataset = tables
    with contextlib.redirect_stdout(io.StringIO()):  # it tells of its progress
        coco.createIndex()
    return coco
