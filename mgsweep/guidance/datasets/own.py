"""A user's own data, described in the sweep file: images and boxes in the layout of PASCAL VOC or of COCO.

What is trained on is identified by what the files hold, not by where they lie: a data set is called by its name and a
fingerprint, `birds_3fa94c21d0b7`, so that a folder can be moved, and a changed annotation makes other trials.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from mgsweep.errors import InvalidInput, Problem
from mgsweep.guidance.contracts import SPLITS
from mgsweep.guidance.datasets import own_coco, own_voc
from mgsweep.guidance.datasets.samples import Sample, Source

LAYOUTS = {"voc": own_voc, "coco": own_coco}
WHOLE = ""
"""The part that is still to be split, where annotations do not come split by split."""


@dataclass(frozen=True)
class Cut:
    """Shares of the images that become val and test; which ones, the seed decides."""

    val: float
    test: float
    seed: int = 0


@dataclass(frozen=True)
class OwnData:
    """Own data, resolved. `images` and `annotations` are by part: by split, or one part `WHOLE` that is to be split.

    That is done by `lists` (split -> file with one image name a line) or by `cut`. `classes` are as listed, or empty
    until `identified` has found those of the annotations; it also sets `fingerprint`.
    """

    layout: str
    images: Mapping[str, Path]
    annotations: Mapping[str, Path]
    lists: Mapping[str, Path]
    cut: Cut | None = None
    classes: tuple[str, ...] = ()
    fingerprint: str = ""


def identified(data: OwnData) -> OwnData:
    """The same with its classes and the fingerprint of its content.

    The fingerprint covers layout, classes, lists or cut, every annotation byte, and names and sizes of the images.
    Pixels are not read for it: an image replaced by another of the very same size in bytes is not noticed.

    Raises:
        InvalidInput: everything that is missing, annotations that cannot be read, and classes that are not listed.
    """
    layout, problems = LAYOUTS[data.layout], list[Problem]()
    digest = hashlib.sha256(repr((data.layout, data.cut)).encode())
    found: dict[str, None] = dict.fromkeys(data.classes)
    expected = () if data.fingerprint else data.classes  # what was identified before has changed, if it has others
    for part, place in data.annotations.items():
        try:
            scan = layout.scan(data.images[part], place, expected)
        except InvalidInput as error:
            problems += error.problems
            continue
        digest.update(repr((part, scan.images)).encode() + scan.digest)
        if not data.classes:
            found |= dict.fromkeys(scan.classes)
    for split, path in data.lists.items():
        digest.update(repr((split, _names(path, problems))).encode())
    if not (problems or found):
        problems.append(Problem(str(next(iter(data.annotations.values()))), "", "no object has a class"))
    if problems:
        raise InvalidInput(problems)
    digest.update(repr(tuple(found)).encode())
    return replace(data, classes=tuple(found), fingerprint=digest.hexdigest())


def own(data: OwnData) -> Source:
    """Own data as a source of samples. All objects count; images without any are kept.

    Raises:
        InvalidInput: on reading `splits`, every mistake in lists and annotations, or that they are no longer what was
            identified.
    """
    return Source(data.classes, data.fingerprint, partial(_listing, data))


def _listing(data: OwnData) -> Mapping[str, Sequence[Sample]]:
    if identified(data).fingerprint != data.fingerprint:
        where = str(next(iter(data.annotations.values())))
        raise InvalidInput.of("the data have changed since the sweep was planned; start it again", where=where)
    problems: list[Problem] = []
    parts: dict[str, dict[str, Sample]] = {}
    for part, place in data.annotations.items():
        try:
            parts[part] = LAYOUTS[data.layout].samples(data.images[part], place, data.classes)
        except InvalidInput as error:
            problems += error.problems
    if problems:
        raise InvalidInput(problems)
    if data.cut:
        return _cut(parts[WHOLE], data.cut)
    if data.lists:
        return _listed(parts[WHOLE], data.lists)
    return _disjoint(parts, data.annotations)


def _cut(samples: Mapping[str, Sample], cut: Cut) -> dict[str, list[Sample]]:
    """By the SHA-256 of seed and name: the same on every machine, and hardly changed by an added image."""
    ranked = sorted(samples, key=lambda name: hashlib.sha256(f"{cut.seed} {name}".encode()).digest())
    val, test = int(cut.val * len(ranked)), int(cut.test * len(ranked))
    chosen = {"train": ranked[val + test :], "val": ranked[:val], "test": ranked[val : val + test]}
    if empty := [split for split in SPLITS if not chosen[split]]:
        message = f"{len(ranked)} images leave none for {', '.join(empty)}; raise its share"
        raise InvalidInput.of(message, key="splits")
    return {split: [samples[name] for name in sorted(names)] for split, names in chosen.items()}


def _listed(samples: Mapping[str, Sample], lists: Mapping[str, Path]) -> dict[str, list[Sample]]:
    problems: list[Problem] = []
    seen: dict[str, str] = {}
    splits: dict[str, list[Sample]] = {split: [] for split in SPLITS}
    for split in SPLITS:
        for line, name in _names(lists[split], problems):
            where = f"{lists[split]}:{line}"
            if name in seen:
                problems.append(Problem(where, name, f"listed before, at {seen[name]}; remove one of the two"))
            elif name not in samples:
                problems.append(Problem(where, name, "no image of that name is annotated; correct or remove it"))
            else:
                splits[split].append(samples[name])
            seen.setdefault(name, where)
    if problems:
        raise InvalidInput(problems)
    return splits


def _disjoint(parts: Mapping[str, Mapping[str, Sample]], where: Mapping[str, Path]) -> dict[str, list[Sample]]:
    """Annotations that came split by split. No image file may be in two: results would not be what they seem."""
    seen: dict[str, str] = {}
    problems = [
        Problem(str(where[split]), sample.name, f"the image is in {first}, too; remove one of the two")
        for split, samples in parts.items()
        for sample in samples.values()
        if (first := seen.setdefault(sample.where, split)) != split
    ]
    problems += [Problem(str(where[split]), "", "no images") for split, samples in parts.items() if not samples]
    if problems:
        raise InvalidInput(problems)
    return {split: list(samples.values()) for split, samples in parts.items()}


def _names(path: Path, problems: list[Problem]) -> Iterable[tuple[int, str]]:
    """(line, image name without its suffix) of a split's list."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        problems.append(Problem(str(path), "", f"cannot read the split's list: {reason}"))
        return []
    names = [(n, re.sub(r"\.(jpe?g|png)$", "", line.strip(), flags=re.I)) for n, line in enumerate(lines, start=1)]
    if not any(name for _, name in names):
        problems.append(Problem(str(path), "", "expected one image name a line, the list is empty"))
    return [(line, name) for line, name in names if name]
