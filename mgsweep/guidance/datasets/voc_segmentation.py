"""PASCAL VOC's segmentations: palette images of class numbers from 1, with 0 for background and 255 for borders."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mgsweep.errors import InvalidInput
from mgsweep.guidance.datasets.samples import Instance, opened


def with_masks(path: Path, size: tuple[int, int], instances: tuple[Instance, ...]) -> tuple[Instance, ...]:
    """The objects of an image of `size` (width, height) with the mask of their class in SegmentationClass/."""
    return tuple(replace(each, mask=partial(_class_mask, path, size, each.label)) for each in instances)


def _class_mask(path: Path, size: tuple[int, int], label: int) -> NDArray[np.bool_]:
    """Where the image says label + 1. The border around objects, which the annotators left undecided, is outside.

    Raises:
        InvalidInput: it cannot be decoded, is no palette image, or is not as large as its photograph.
    """
    with opened(path) as image:
        mode, numbers = image.mode, np.asarray(image)
    if mode not in ("P", "L"):
        message = f"expected a palette image of class numbers, got one of mode {mode}; fetch it again"
        raise InvalidInput.of(message, where=str(path))
    if numbers.shape != size[::-1]:
        message = "expected the annotated {} x {} pixels, the segmentation has {} x {}; fetch it again"
        raise InvalidInput.of(message.format(*size, *numbers.shape[::-1]), where=str(path))
    return np.asarray(numbers == label + 1)
