"""Decoded data sets: each is decoded once per machine and size, and shared by all trials through the page cache.

They lie in <cache>/<dataset>-<size>-<key>/<split>.<array>.npy, with a meta.json for people. A folder of that name is
complete: it was built beside its place and then renamed.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mgsweep.download import Progress, check_room
from mgsweep.durable import locked, sync_folder
from mgsweep.errors import InvalidInput, Problem
from mgsweep.guidance.contracts import SPLITS
from mgsweep.guidance.datasets import DATASETS
from mgsweep.guidance.datasets.decode import decode, workload
from mgsweep.guidance.datasets.own import OwnData
from mgsweep.guidance.datasets.samples import Source

VERSION = 2
"""To be raised whenever decoding or the arrays change, so that older caches are built again."""
ANNOTATED = 0xB0C5
"""Sets the draw of annotated images apart from other uses of a trial's seed."""


@dataclass(frozen=True)
class Split:
    """N images of size S x S with C classes, and their P pairs (image, class it is labelled with). Memory-mapped.

    Attributes:
        images: (N, 3, S, S) uint8, RGB.
        labels: (N, C) bool.
        pairs: (P, 2) int64, (image, class), sorted.
        pair_of: (N, C) int64, the row of `pairs`, or -1 where the image is not labelled with the class.
        boxes: (P, K, 4) int64 [xmin, ymin, xmax, ymax] in pixels within 0 ... S - 1, upper ends exclusive: the class's
            objects in the image, padded with zeros, which mark nothing.
        masks: (M, S, ceil(S / 8)) uint8, eight pixels a byte: the unions of the class's segmentation masks, where there
            are any; read them with `segmentation`. None for a split without.
        mask_of: (P,) int64, the row of `masks`, or -1 where a pair has none; None for a split without.
        groups: (N,) int64, for worst-group accuracy; None for a data set without, whose images may have many labels.
    """

    images: Tensor
    labels: Tensor
    pairs: Tensor
    pair_of: Tensor
    boxes: Tensor
    masks: Tensor | None = None
    mask_of: Tensor | None = None
    groups: Tensor | None = None

    def __len__(self) -> int:
        return len(self.images)

    def segmented(self, pairs: Tensor) -> Tensor:
        """Which of these rows of `pairs` have a segmentation mask: bool of the same shape. False for a row -1."""
        if self.mask_of is None:
            return torch.zeros_like(pairs, dtype=torch.bool)
        return (pairs >= 0) & (self.mask_of[pairs] >= 0)

    def segmentation(self, pairs: Tensor, device: torch.device) -> Tensor:
        """The masks (len(pairs), S, S) bool of rows of `pairs`, all of which have one; unpacked on the device."""
        assert self.masks is not None
        assert self.mask_of is not None
        packed = self.masks[self.mask_of[pairs]].to(device)
        bits = packed[..., None] >> torch.arange(7, -1, -1, dtype=torch.uint8, device=device) & 1
        return bits.flatten(2)[..., : self.images.shape[-1]].bool()


@dataclass(frozen=True)
class Data:
    """A decoded data set. `fingerprint` is its source's: equal ones mean equal images and annotations."""

    classes: tuple[str, ...]
    fingerprint: str
    train: Split
    val: Split
    test: Split


def prepare(
    name: str, root: Path | OwnData | None, image_size: int, cache: Path, progress: Progress = lambda done, total: None
) -> Data:
    """Open the decoded data set, after building it if it is not there. Safe to call from many processes at once.

    Args:
        name: a name of `DATASETS`.
        root: the data set's folder, or the description of own data; None for a generated one.
        image_size: side S of the square images, in pixels.
        cache: folder of all decoded data sets, on a local disk; made if missing.
        progress: told how many images and pairs are decoded, and how many there are, while it builds.

    Raises:
        UnknownName: no such data set.
        InvalidInput: every mistake in the data set, or in a second go every image that cannot be decoded, or why the
            cache folder cannot be used. Nothing is left in it.
    """
    source = DATASETS[name](root)
    key = hashlib.sha256(repr((source.fingerprint, image_size, VERSION)).encode()).hexdigest()[:16]
    folder = cache / f"{name}-{image_size}-{key}"
    try:
        if not folder.is_dir():
            _build(source, name, image_size, folder, progress)
        return Data(source.classes, source.fingerprint, *(_open(folder, split) for split in SPLITS))
    except (OSError, ValueError) as error:
        remedy = "remove this folder, make room for it, or set MGSWEEP_CACHE to another place, and start again"
        message = f"cannot use the decoded data set: {error}; {remedy}"
        raise InvalidInput.of(message, where=str(folder)) from error


def annotated(count: int, fraction: float, seed: int) -> Tensor:
    """Which of `count` images have usable boxes: (count,) bool, int(fraction * count) of them true, but at least one.

    Subsets of one seed are nested (1 % lies within 10 %) and the same for every other setting of a trial.
    """
    order = np.random.default_rng([seed, ANNOTATED]).permutation(count)
    chosen = torch.zeros(count, dtype=torch.bool)
    chosen[order[: max(fraction > 0, int(fraction * count))]] = True
    return chosen


def _build(source: Source, name: str, image_size: int, folder: Path, progress: Progress) -> None:
    splits = source.splits  # before anything is written: this finds the mistakes in the annotations
    work = [workload(splits[split], image_size) for split in SPLITS]
    total, size = (sum(amounts) for amounts in zip(*work, strict=True))
    part = folder.with_name(f"{folder.name}.part")
    with locked(folder.parent / f".{name}-{image_size}.lock"):
        for abandoned in folder.parent.glob(f"{name}-{image_size}-*.part"):
            if abandoned != part:  # of other data than today's; a living build would hold the lock
                shutil.rmtree(abandoned)
        if folder.is_dir():
            return
        if not part.is_dir():
            check_room(folder.parent, size)
            part.mkdir()
        try:
            _decode(source, image_size, part, progress, total)
            _describe(source, name, image_size, part)
            _sync(part)
            part.rename(folder)
            sync_folder(folder.parent)
        except Exception:
            shutil.rmtree(part, ignore_errors=True)
            raise


def _decode(source: Source, image_size: int, part: Path, progress: Progress, total: int) -> None:
    """All splits; what an interrupted build had decoded already is kept."""
    done = 0

    def tick(more: int) -> None:
        nonlocal done
        done += more
        progress(done, total)

    problems: list[Problem] = []
    for split in SPLITS:
        problems += decode(source.splits[split], len(source.classes), image_size, part / split, tick)
    if problems:
        raise InvalidInput(problems)
    for journal in part.glob("*.done"):
        journal.unlink()


def _describe(source: Source, name: str, image_size: int, folder: Path) -> None:
    counts = {split: len(samples) for split, samples in source.splits.items()}
    meta = {"dataset": name, "image_size": image_size, "classes": source.classes, "images": counts}
    (folder / "meta.json").write_text(json.dumps({**meta, "fingerprint": source.fingerprint}, indent=2) + "\n")


def _sync(folder: Path) -> None:
    for path in folder.iterdir():
        with path.open("rb") as file:
            os.fsync(file.fileno())
    sync_folder(folder)


def _open(folder: Path, split: str) -> Split:
    def tensor(name: str) -> Tensor:
        # Copy on write: pages are shared with all other readers, and no stray write can reach the file.
        return torch.from_numpy(np.load(folder / f"{split}.{name}.npy", mmap_mode="c"))

    def optional(name: str) -> Tensor | None:
        return tensor(name) if (folder / f"{split}.{name}.npy").exists() else None

    return Split(
        images=tensor("images"),
        labels=tensor("labels"),
        pairs=tensor("pairs"),
        pair_of=tensor("pair_of"),
        boxes=tensor("boxes"),
        masks=optional("masks"),
        mask_of=optional("mask_of"),
        groups=optional("groups"),
    )
