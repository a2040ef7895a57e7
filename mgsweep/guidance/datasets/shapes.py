"""Shapes: a generated data set with a shortcut in it, to try everything in minutes and without a download.

Each image shows one or two shapes of different classes. Each class has a texture of its own, and the background nearly
always carries the textures of the classes present. A network that is not guided learns the background, which is larger
and tells the class sooner; the shapes alone would do as well. Boxes and masks are exact.

Only additions, multiplications, divisions and square roots are used. IEEE 754 rounds these exactly, so every machine
draws the same bytes.
"""

from __future__ import annotations

import hashlib
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mgsweep.guidance.datasets.samples import Instance, Sample, Source

VERSION = 1
"""To be raised whenever the images change, so that no cache of the old ones is taken for them."""
SEED = 20230321
SIZE = 64
COUNTS = {"train": 1024, "val": 256, "test": 256}
DIAMETERS = (22, 28)
"""Least and largest size of a shape in pixels: its box covers about a tenth of the image."""
CO_OCCURRENCE = 0.95
"""Probability that the background carries the texture of a class present; otherwise it is a random one."""
CELLS = 7
"""Cells of the background's mosaic."""
FILL, INK, LINE = 0xF0EADC, 0x2A2A32, 2.0
"""Colours of a shape and its outline, and the width of the outline in pixels; the same for all classes."""

Plane = NDArray[np.float64]
Y, X = np.mgrid[:SIZE, :SIZE] + 0.5  # pixel centres


class Place(NamedTuple):
    """The square around a shape, in pixels."""

    left: int
    top: int
    diameter: int


# Shapes: distance to the outline in pixels, negative inside; x and y from the centre, r half the diameter.


def circle(x: Plane, y: Plane, r: float) -> Plane:
    return np.sqrt(x * x + y * y) - 0.86 * r


def cross(x: Plane, y: Plane, r: float) -> Plane:
    long, short = np.maximum(abs(x), abs(y)), np.minimum(abs(x), abs(y))
    return np.maximum(long - 0.9 * r, short - 0.32 * r)


def square(x: Plane, y: Plane, r: float) -> Plane:
    return np.maximum(abs(x), abs(y)) - 0.77 * r


def star(x: Plane, y: Plane, r: float) -> Plane:
    # A point lies in the five-pointed star when it is on the inner side of at least four of its five lines.
    lines = [-y, 0.9511 * x - 0.3090 * y, -0.9511 * x - 0.3090 * y, 0.5878 * x + 0.8090 * y, -0.5878 * x + 0.8090 * y]
    second: Plane = np.partition(lines, -2, axis=0)[-2]
    return second - 0.309 * r


def triangle(x: Plane, y: Plane, r: float) -> Plane:
    return np.maximum((2 * abs(x) - y - 0.9 * r) / 5**0.5, y - 0.86 * r)


# Textures: how far from the darker to the lighter of two tones, cut off at -1 and 1.


def wave(u: Plane) -> Plane:
    """Triangle wave of period 1 between -1 and 1."""
    return 4 * abs(u - np.floor(u + 0.5)) - 1


def rows(x: Plane, y: Plane) -> Plane:
    return 3 * wave(y / 8)


def diagonals(x: Plane, y: Plane) -> Plane:
    return 3 * wave((x + y) / 11)


def checks(x: Plane, y: Plane) -> Plane:
    return 6 * wave(x / 12) * wave(y / 12)


def dots(x: Plane, y: Plane) -> Plane:
    across, down = wave(x / 10) + 1, wave(y / 10) + 1
    return 4.5 * (np.sqrt(across * across + down * down) - 1.1)


def chevrons(x: Plane, y: Plane) -> Plane:
    return 3 * wave((y + 3 * wave(x / 14)) / 9)


CLASSES = {
    "circle": (circle, rows, (0x2F6F73, 0x6FB0A8)),
    "cross": (cross, diagonals, (0xA8763E, 0xD9B36C)),
    "square": (square, checks, (0x8F4A45, 0xC98474)),
    "star": (star, dots, (0x474B80, 0x8A8FC0)),
    "triangle": (triangle, chevrons, (0x5E6B3B, 0xA3AF78)),
}
"""Name -> shape, texture, and the texture's two tones."""
KINDS = tuple(CLASSES.values())


def shapes(root: Path | None = None) -> Source:
    """The generated data set, 64 x 64 pixels; `root` is not used. Images are drawn when they are read."""
    return Source(tuple(CLASSES), hashlib.sha256(f"shapes {VERSION}".encode()).hexdigest(), _listing)


def _listing() -> dict[str, list[Sample]]:
    return {
        split: [_sample(f"{split}/{index:04d}", np.random.default_rng([SEED, number, index])) for index in range(count)]
        for number, (split, count) in enumerate(COUNTS.items())
    }


def _sample(name: str, rng: np.random.Generator) -> Sample:
    labels = rng.permutation(len(KINDS))[: rng.integers(1, 3)].tolist()
    places = _places(len(labels), rng)
    textures = [k if rng.random() < CO_OCCURRENCE else int(rng.integers(len(KINDS))) for k in labels]
    instances = tuple(map(_instance, labels, places))
    read = partial(_draw, labels, places, textures, int(rng.integers(2**32)))
    return Sample(name, read, (SIZE, SIZE), instances, f"shapes/{name}")


def _places(count: int, rng: np.random.Generator) -> list[Place]:
    """Places that do not touch each other or the border, drawn until they fit."""
    while True:
        diameters = rng.integers(DIAMETERS[0], DIAMETERS[1] + 1, count)
        corners = rng.integers(1, SIZE - diameters, (2, count))
        apart = abs(np.diff(corners + diameters / 2)).max(axis=0)
        if (apart > diameters.max()).all():
            return [Place(*place) for place in np.vstack((corners, diameters)).T.tolist()]


def _distance(label: int, place: Place) -> Plane:
    r = place.diameter / 2
    return KINDS[label][0](X - place.left - r, Y - place.top - r, r)


def _covered(label: int, place: Place) -> NDArray[np.bool_]:
    return _distance(label, place) <= 0


def _instance(label: int, place: Place) -> Instance:
    mask = _covered(label, place)
    across, down = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
    box = (float(across[0]), float(down[0]), float(across[-1] + 1), float(down[-1] + 1))
    return Instance(label, box, partial(_covered, label, place))


def _draw(labels: list[int], places: list[Place], textures: list[int], seed: int) -> NDArray[np.uint8]:
    rng = np.random.default_rng(seed)
    image = _background(textures, rng)
    for label, place in zip(labels, places, strict=True):
        distance = _distance(label, place)[..., None]
        paint = np.where(distance < -LINE, _rgb(FILL) - 30 * rng.random(), _rgb(INK))
        image += np.clip(0.5 - distance, 0, 1) * (paint - image)
    grain = rng.integers(-8, 9, image.shape)
    return np.clip(image + grain, 0, 255).astype(np.uint8)


def _background(textures: list[int], rng: np.random.Generator) -> Plane:
    """A mosaic whose cells take turns among the textures."""
    nearest = np.argmin([(X - x) ** 2 + (Y - y) ** 2 for x, y in rng.random((CELLS, 2)) * SIZE], axis=0)
    painted = [_texture(k, rng) for k in dict.fromkeys(textures)]
    image: Plane = np.choose((nearest % len(painted))[..., None], painted)
    return image


def _texture(k: int, rng: np.random.Generator) -> Plane:
    _, texture, (dark, light) = KINDS[k]
    x, y = rng.random(2) * SIZE
    share = np.clip(0.5 + 0.5 * texture(X + x, Y + y), 0, 1)[..., None]
    return _rgb(dark) + share * (_rgb(light) - _rgb(dark))


def _rgb(colour: int) -> Plane:
    return np.array([colour >> 16, colour >> 8 & 255, colour & 255], dtype=float)
