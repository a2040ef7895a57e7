"""Own data in the layout of PASCAL VOC: images in a folder, and in another an XML file of the same name for each."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from mgsweep.errors import InvalidInput, Problem
from mgsweep.guidance.datasets.own_images import Scan, by_stem, list_images, unknown
from mgsweep.guidance.datasets.samples import Sample, read_image
from mgsweep.guidance.datasets.voc_annotation import class_names, read_annotation


def scan(images: Path, annotations: Path, expected: Sequence[str]) -> Scan:
    """Classes in alphabetical order, as VOC has them.

    Raises:
        InvalidInput: a folder or image is missing, an XML file cannot be parsed, or a class is none of `expected`,
            if there are any.
    """
    listed, problems = list_images(images), list[Problem]()
    classes = Counter[str]()
    digest = hashlib.sha256()
    for name, path in _annotations(annotations, by_stem(listed, images)).items():
        try:
            classes.update(class_names(path))
        except InvalidInput as error:
            problems += error.problems
        else:
            digest.update(name.encode() + hashlib.sha256(path.read_bytes()).digest())
    for name in sorted(set(classes).difference(expected)) if expected else ():
        problems.append(Problem(str(annotations), "", f"{unknown(name, expected)} ({classes[name]:,} boxes)"))
    if problems:
        raise InvalidInput(problems)
    return Scan(sorted(classes), list(listed.items()), digest.digest())


def samples(images: Path, annotations: Path, classes: tuple[str, ...]) -> dict[str, Sample]:
    """Image name -> sample, for every image that has an XML file.

    Raises:
        InvalidInput: every mistake in the annotations.
    """
    files, problems = by_stem(list_images(images), images), list[Problem]()
    found: dict[str, Sample] = {}
    for name, path in _annotations(annotations, files).items():
        try:
            size, instances = read_annotation(path, classes)
        except InvalidInput as error:
            problems += error.problems
        else:
            found[name] = Sample(name, partial(read_image, files[name]), size, instances, str(files[name]))
    if problems:
        raise InvalidInput(problems)
    return found


def _annotations(folder: Path, files: Mapping[str, Path]) -> dict[str, Path]:
    """Image name -> its XML file, sorted."""
    try:
        names = sorted(entry.name for entry in os.scandir(folder) if entry.name.endswith(".xml"))
    except OSError as error:
        raise InvalidInput.of(f"cannot read the annotation folder: {error.strerror}", where=str(folder)) from error
    found = {name.removesuffix(".xml"): folder / name for name in names}
    problems = [
        Problem(str(path), "", "its image is missing; add it or remove the annotation")
        for name, path in found.items()
        if name not in files
    ]
    if not found:
        problems.append(Problem(str(folder), "", "no annotations (.xml) in this folder"))
    if problems:
        raise InvalidInput(problems)
    return found
