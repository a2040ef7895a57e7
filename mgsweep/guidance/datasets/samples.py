"""What a data set hands to the cache: samples that are listed at once and decoded one by one. No torch."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from mgsweep.errors import InvalidInput

MAX_PIXELS = 50_000_000
"""Largest image that is decoded; a PNG of a few kB can claim gigabytes."""

GROUPS = 4
"""Groups of a data set whose label has a companion: 2 x label + companion, as Sagawa et al. (ICLR 2020) count them."""


@dataclass(frozen=True)
class Instance:
    """One object of class `label` (an index). `box` is [xmin, ymin, xmax, ymax] in pixels of the image as it is stored.

    `mask` makes (height, width) bool over the object's pixels, or over those of its class where these are not told
    apart, as only their union is used; None where there is no segmentation. It raises `InvalidInput` when it cannot.
    """

    label: int
    box: tuple[float, float, float, float]
    mask: Callable[[], NDArray[np.bool_]] | None = None


@dataclass(frozen=True)
class Sample:
    """One image and what is known of it.

    `read` decodes it to uint8 (height, width, 3), RGB, and raises `InvalidInput` when it cannot; `size` is (width,
    height) in pixels as annotated; `where` names the file to look at when something is wrong. `group`, below `GROUPS`,
    is of a data set with one label an image and a companion of it: all of its samples have one.
    """

    name: str
    read: Callable[[], NDArray[np.uint8]]
    size: tuple[int, int]
    instances: tuple[Instance, ...]
    where: str
    group: int | None = None


@dataclass(frozen=True)
class Source:
    """A data set before decoding. Equal fingerprints promise equal samples.

    The fingerprint is cheap, as it is taken at every start of a trial; `listing` is called once, when `splits` is first
    read.
    """

    classes: tuple[str, ...]
    fingerprint: str
    listing: Callable[[], Mapping[str, Sequence[Sample]]]

    @cached_property
    def splits(self) -> Mapping[str, Sequence[Sample]]:
        """Samples of train, val and test.

        Raises:
            InvalidInput: every mistake found in the annotations.
        """
        return self.listing()


def read_image(path: str | os.PathLike[str]) -> NDArray[np.uint8]:
    """Decode a JPEG or PNG file to uint8 (height, width, 3), RGB. Orientation tags are ignored, as torchvision does.

    Raises:
        InvalidInput: the file is missing, empty, cut short, of another format, or larger than `MAX_PIXELS`.
    """
    with opened(path) as image:
        return np.asarray(image.convert("RGB"))


@contextmanager
def opened(path: str | os.PathLike[str]) -> Iterator[Image.Image]:
    """A JPEG or PNG file whose header was read; what goes wrong with it becomes one line for the user.

    Raises:
        InvalidInput: as of `read_image`.
    """
    where = os.fspath(path)
    try:
        # Two formats only: others reach for interpreters and codecs that have no business in a data set.
        with Image.open(path, formats=("JPEG", "PNG")) as image:
            if image.width * image.height <= MAX_PIXELS:
                yield image
                return
            reason = f"expected at most {MAX_PIXELS:,} pixels, got {image.width} x {image.height}"
    except MemoryError:
        raise
    except UnidentifiedImageError:
        reason = "the file is empty" if os.path.getsize(path) == 0 else "expected a JPEG or PNG file"
    except Exception as error:  # on a damaged file the decoders raise nearly anything
        reason = str(error)
    raise InvalidInput.of(f"cannot decode the image: {reason}; fetch it again or leave it out", where=where)
