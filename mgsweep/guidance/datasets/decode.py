"""From samples to the arrays of a decoded split, written file by file so that no split has to fit into memory."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import DTypeLike, NDArray
from PIL import Image

from mgsweep.errors import InvalidInput, Problem
from mgsweep.guidance.datasets.samples import Sample

CHUNK = 32
"""Images that a thread decodes between two looks at whether the build goes on."""


def decode(samples: Sequence[Sample], classes: int, size: int, prefix: Path) -> list[Problem]:
    """Write <prefix>.<array>.npy for every array of `cache.Split`; returns what is wrong with which images.

    `masks` is written when every object of the split has one.
    """
    labels = _labels(samples, classes)
    pairs = np.argwhere(labels)
    pair_of = np.full(labels.shape, -1)
    pair_of[labels] = np.arange(len(pairs))
    small = {"labels": labels, "pairs": pairs, "pair_of": pair_of, "boxes": _boxes(samples, pairs, size)}
    for name, array in small.items():
        np.save(f"{prefix}.{name}.npy", array)
    if all(instance.mask is not None for sample in samples for instance in sample.instances):
        masks = _create(f"{prefix}.masks.npy", bool, (len(pairs), size, size))
        for row, mask in enumerate(_masks(samples, pairs)):
            masks[row] = np.asarray(Image.fromarray(mask).resize((size, size), Image.Resampling.NEAREST))
    images = _create(f"{prefix}.images.npy", np.uint8, (len(samples), 3, size, size))
    return _decode_images(samples, images)


def scaled(box: Sequence[float], native: tuple[int, int], size: int) -> list[int]:
    """A box of an image of `native` (width, height) in pixels of the size x size input, by the published rule.

    Corners are truncated and cut to [0, size - 1]; as upper ends are exclusive, the last row and column never lie
    inside, and a small box can lose its area (datasets/*/preprocess.py of the published code).
    """
    scales = (size / native[0], size / native[1]) * 2
    return [int(min(max(corner * scale, 0), size - 1)) for corner, scale in zip(box, scales, strict=True)]


def resized(sample: Sample, size: int) -> NDArray[np.uint8]:
    """The image as uint8 (3, size, size), resized as torchvision's Resize((size, size)) does a PIL image.

    Raises:
        InvalidInput: it cannot be decoded, or its size is not the annotated one, so that the boxes lie elsewhere.
    """
    pixels = sample.read()
    height, width, _ = pixels.shape
    if (width, height) != sample.size:
        message = "expected the annotated {} x {} pixels, the image has {} x {}; its boxes would lie elsewhere"
        raise InvalidInput.of(message.format(*sample.size, width, height), where=sample.where)
    image = Image.fromarray(pixels).resize((size, size), Image.Resampling.BILINEAR)
    return np.asarray(image).transpose(2, 0, 1)


def _labels(samples: Sequence[Sample], classes: int) -> NDArray[np.bool_]:
    labels = np.zeros((len(samples), classes), dtype=bool)
    for row, sample in zip(labels, samples, strict=True):
        row[[instance.label for instance in sample.instances]] = True
    return labels


def _boxes(samples: Sequence[Sample], pairs: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    ragged = [
        [scaled(instance.box, samples[n].size, size) for instance in samples[n].instances if instance.label == label]
        for n, label in pairs
    ]
    boxes = np.zeros((len(ragged), max(map(len, ragged), default=1), 4), dtype=np.int64)
    for row, corners in zip(boxes, ragged, strict=True):
        row[: len(corners)] = corners
    return boxes


def _masks(samples: Sequence[Sample], pairs: NDArray[np.int64]) -> Iterator[NDArray[np.bool_]]:
    """The union of the masks of each pair's objects, at the image's own size."""
    for n, label in pairs:
        masks = [instance.mask for instance in samples[n].instances if instance.label == label]
        yield np.logical_or.reduce(np.array(masks))


def _create(path: str, dtype: DTypeLike, shape: tuple[int, ...]) -> np.memmap[tuple[int, ...], np.dtype[np.generic]]:
    array = np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=shape)
    with open(path, "r+b") as file:
        # Without the blocks reserved, a full disk would kill the process at some later store into the map (SIGBUS).
        os.posix_fallocate(file.fileno(), 0, os.fstat(file.fileno()).st_size)
    return array


def _decode_images(samples: Sequence[Sample], images: NDArray[np.generic]) -> list[Problem]:
    def fill(chunk: range) -> list[Problem]:
        problems: list[Problem] = []
        for n in chunk:
            try:
                images[n] = resized(samples[n], images.shape[-1])
            except InvalidInput as error:
                problems += error.problems
        return problems

    chunks = [range(start, min(start + CHUNK, len(samples))) for start in range(0, len(samples), CHUNK)]
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:  # the decoders run outside of the interpreter's lock
        return [problem for problems in pool.map(fill, chunks) for problem in problems]
