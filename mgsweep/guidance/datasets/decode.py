"""From samples to the arrays of a decoded split, written file by file so that no split has to fit into memory."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mgsweep.durable import append
from mgsweep.errors import InvalidInput, Problem
from mgsweep.guidance.datasets.samples import Instance, Sample

CHUNK = 32
"""Images or masks that a thread decodes between two looks at whether the build goes on."""
BLOCK = 16 * CHUNK
"""Images or masks after which what is decoded is made durable, so that a build that is killed can go on from there."""

Array = np.memmap[tuple[int, ...], np.dtype[np.generic]]
Tick = Callable[[int], object]
"""Told how many more images or pairs are done."""


def decode(samples: Sequence[Sample], classes: int, size: int, prefix: Path, tick: Tick) -> list[Problem]:
    """Write <prefix>.<array>.npy for every array of `cache.Split`; returns what is wrong with which images.

    `masks` and `mask_of` are written when any pair has a mask, `groups` when the samples have one. Called again after
    it was stopped, with the same arguments, it goes on where it was.
    """
    labels = _labels(samples, classes)
    pairs = np.argwhere(labels)
    pair_of = np.full(labels.shape, -1)
    pair_of[labels] = np.arange(len(pairs))
    small = {"labels": labels, "pairs": pairs, "pair_of": pair_of, "boxes": _boxes(samples, pairs, size)}
    if samples and samples[0].group is not None:
        small["groups"] = np.array([sample.group for sample in samples], dtype=np.int64)
    for name, array in small.items():
        np.save(f"{prefix}.{name}.npy", array)
    return _decode_masks(samples, pairs, size, prefix, tick) + _decode_images(samples, size, prefix, tick)


def workload(samples: Sequence[Sample], size: int) -> tuple[int, int]:
    """(images and pairs to decode, bytes they take at most)."""
    pairs = sum(len({instance.label for instance in sample.instances}) for sample in samples)
    return len(samples) + pairs, len(samples) * 3 * size * size + pairs * size * -(-size // 8)


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


def _decode_masks(
    samples: Sequence[Sample], pairs: NDArray[np.int64], size: int, prefix: Path, tick: Tick
) -> list[Problem]:
    """Write the masks of the pairs all of whose objects have one, a bit a pixel: COCO's would else need 11 GB."""
    segmented = [row for row, pair in enumerate(pairs) if all(i.mask is not None for i in _objects(samples, pair))]
    tick(len(pairs) - len(segmented))
    if not segmented:
        return []
    mask_of = np.full(len(pairs), -1)
    mask_of[segmented] = np.arange(len(segmented))
    np.save(f"{prefix}.mask_of.npy", mask_of)

    def decoded(place: int) -> NDArray[np.uint8]:
        return np.packbits(_mask(samples, pairs[segmented[place]], size), axis=-1)

    return _fill(f"{prefix}.masks", (len(segmented), size, -(-size // 8)), decoded, tick)


def _objects(samples: Sequence[Sample], pair: NDArray[np.int64]) -> list[Instance]:
    number, label = pair
    return [instance for instance in samples[number].instances if instance.label == label]


def _mask(samples: Sequence[Sample], pair: NDArray[np.int64], size: int) -> NDArray[np.bool_]:
    """The union of the masks of the pair's objects, (size, size)."""
    union = np.logical_or.reduce([i.mask() for i in _objects(samples, pair) if i.mask is not None])
    return np.asarray(Image.fromarray(union).resize((size, size), Image.Resampling.NEAREST))


def _decode_images(samples: Sequence[Sample], size: int, prefix: Path, tick: Tick) -> list[Problem]:
    return _fill(f"{prefix}.images", (len(samples), 3, size, size), lambda n: resized(samples[n], size), tick)


def _fill(name: str, shape: tuple[int, ...], decoded: Callable[[int], NDArray[np.uint8]], tick: Tick) -> list[Problem]:
    """Fill the rows of <name>.npy by threads, as decoders run outside the interpreter's lock.

    <name>.done has a byte for each block that is safe on disk; those are not decoded again.
    """
    done = Path(f"{name}.done")
    done.touch()
    array = _open(f"{name}.npy", shape)
    finished = min(done.stat().st_size * BLOCK, len(array))
    tick(finished)
    problems: list[Problem] = []

    def fill(chunk: range) -> list[Problem]:
        return [problem for n in chunk for problem in _filled(array, n, decoded)]

    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        for start in range(finished, len(array), BLOCK):
            block = range(start, min(start + BLOCK, len(array)))
            chunks = [block[place : place + CHUNK] for place in range(0, len(block), CHUNK)]
            for chunk, found in zip(chunks, pool.map(fill, chunks), strict=True):
                problems += found
                tick(len(chunk))
            if not problems:  # a block with a mistake is looked at again, to tell it again
                array.flush()
                append(done, b".")
    return problems


def _filled(array: Array, n: int, decoded: Callable[[int], NDArray[np.uint8]]) -> Sequence[Problem]:
    try:
        array[n] = decoded(n)
    except InvalidInput as error:
        return error.problems
    return ()


def _open(path: str, shape: tuple[int, ...]) -> Array:
    """The array as a build that was stopped left it, or a new one."""
    if os.path.exists(path):
        return np.lib.format.open_memmap(path, mode="r+")
    draft = f"{path}.new"
    array = np.lib.format.open_memmap(draft, mode="w+", dtype=np.uint8, shape=shape)
    with open(draft, "r+b") as file:
        # Without the blocks reserved, a full disk would kill the process at some later store into the map (SIGBUS).
        os.posix_fallocate(file.fileno(), 0, os.fstat(file.fileno()).st_size)
    os.rename(draft, path)
    return array
