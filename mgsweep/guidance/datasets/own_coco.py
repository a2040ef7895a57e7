"""Own data in the layout of COCO: a folder of images and one JSON file with images, annotations and categories."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from mgsweep.errors import InvalidInput, Problem
from mgsweep.guidance.datasets.coco_annotation import Listed, Report, read_instances, read_json
from mgsweep.guidance.datasets.own_images import Scan, list_images, unknown
from mgsweep.guidance.datasets.samples import Instance, Sample, read_image

REMEDY = "export it again in COCO's instances format"


def scan(images: Path, annotations: Path, expected: Sequence[str]) -> Scan:
    """Classes are the categories by rising id.

    Raises:
        InvalidInput: the folder or the file is missing, its categories cannot be read, or one is none of
            `expected`, if there are any.
    """
    listed, classes = list_images(images), _categories(annotations)
    if problems := [
        Problem(str(annotations), "categories", unknown(name, expected))
        for name in classes
        if expected and name not in expected
    ]:
        raise InvalidInput(problems)
    with annotations.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").digest()
    return Scan(classes, list(listed.items()), digest)


def samples(images: Path, annotations: Path, classes: tuple[str, ...]) -> dict[str, Sample]:
    """File name without suffix -> sample, for every image of the file.

    Raises:
        InvalidInput: every mistake in the annotations; two images that differ in their suffix alone are one.
    """
    report, files = Report(), list_images(images)
    categories = _categories(annotations)
    found = dict[str, tuple[Path, Listed]]()
    for number, listed in read_instances(annotations, categories, REMEDY, report).items():
        if listed.file_name and listed.file_name not in files:
            message = f"missing, though it is image {number} of {annotations.name}"
            report.note(images, "missing images", listed.file_name, message)
        path = images / listed.file_name
        if (known := found.setdefault(path.stem, (path, listed))[0]) != path:
            message = f"has the name of {known.name}, which lists and splits go by; rename one of the two"
            report.note(images, "images of one name", listed.file_name, message)
    report.check()
    return {name: _sample(name, path, listed, categories, classes) for name, (path, listed) in found.items()}


def _sample(name: str, path: Path, listed: Listed, categories: tuple[str, ...], classes: tuple[str, ...]) -> Sample:
    def instance(one: Instance) -> Instance:
        return replace(one, label=classes.index(categories[one.label]))

    return Sample(name, partial(read_image, path), listed.size, tuple(map(instance, listed.instances)), str(path))


def _categories(path: Path) -> tuple[str, ...]:
    """Names by rising id."""
    content = read_json(path, REMEDY)
    entries = content.get("categories") if isinstance(content, dict) else None
    named = [
        (entry["id"], entry["name"])
        for entry in (entries if isinstance(entries, list) else [])
        if isinstance(entry, dict) and type(entry.get("id")) is int and isinstance(entry.get("name"), str)
    ]
    names = tuple(name for _, name in sorted(named))
    if not names or len(named) < len(entries or ()) or len(set(names)) < len(names):
        message = f"expected a list of categories, each with an id and a name of its own; {REMEDY}"
        raise InvalidInput.of(message, where=str(path), key="categories")
    return names
