"""What a data set holds, counted before anything is decoded, and what in it deserves a second look."""

from __future__ import annotations

import hashlib
import os
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mgsweep.errors import Problem
from mgsweep.guidance.datasets.decode import scaled
from mgsweep.guidance.datasets.samples import Sample, Source


@dataclass(frozen=True)
class Census:
    """Counts of one split. A pair is an (image, class); `shrunk` boxes have no area left at the input's size.

    `unguidable` pairs have nothing but such boxes: they are trained on and measured, never guided.
    """

    split: str
    images: int
    unlabelled: int
    pairs: int
    boxes: int
    shrunk: int
    unguidable: int
    per_class: Mapping[str, int]


def census(source: Source, size: int) -> list[Census]:
    """Count every split at the input size `size` in pixels.

    Raises:
        InvalidInput: every mistake in the annotations.
    """
    return [_counted(split, samples, source.classes, size) for split, samples in source.splits.items()]


def _counted(split: str, samples: Sequence[Sample], classes: Sequence[str], size: int) -> Census:
    images: Counter[str] = Counter(dict.fromkeys(classes, 0))
    unlabelled = boxes = shrunk = unguidable = 0
    for sample in samples:
        kept: dict[int, bool] = {}
        for instance in sample.instances:
            xmin, ymin, xmax, ymax = scaled(instance.box, sample.size, size)
            has_area = xmax > xmin and ymax > ymin
            kept[instance.label] = kept.get(instance.label, False) or has_area
            boxes, shrunk = boxes + 1, shrunk + (not has_area)
        images.update(classes[label] for label in kept)
        unlabelled += not kept
        unguidable += sum(not guidable for guidable in kept.values())
    return Census(split, len(samples), unlabelled, images.total(), boxes, shrunk, unguidable, images)


def duplicates(source: Source) -> list[Problem]:
    """Image files of one split whose very bytes are in another split, too: results there are better than they seem.

    Only files of equal size are read.
    """
    by_size: dict[int, list[tuple[str, str]]] = defaultdict(list)
    for split, samples in source.splits.items():
        for sample in samples:
            if os.path.exists(sample.where):
                by_size[os.path.getsize(sample.where)].append((split, sample.where))
    found: list[Problem] = []
    for files in by_size.values():
        if len({split for split, _ in files}) > 1:
            found += _equal(files)
    return found


def _equal(files: Sequence[tuple[str, str]]) -> list[Problem]:
    first: dict[bytes, tuple[str, str]] = {}
    found = []
    for split, path in files:
        digest = hashlib.sha256(Path(path).read_bytes()).digest()
        other, twin = first.setdefault(digest, (split, path))
        if other != split:
            found.append(Problem(path, split, f"the same image as {os.path.basename(twin)} in {other}"))
    return found
