"""Small splits made by hand or at random, without a cache."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from mgsweep.guidance.datasets.cache import Split

SIZE, CLASSES = 32, 3


def split_of(
    images: Tensor,
    labels: Tensor,
    corners: list[list[list[int]]],
    masks: Tensor | None = None,
    segmented: Tensor | None = None,
) -> Split:
    """A split whose pair i has the boxes `corners[i]` and, where `segmented[i]` (by default everywhere), `masks[i]`."""
    pairs = labels.nonzero()
    pair_of = torch.full(labels.shape, -1, dtype=torch.int64)
    pair_of[pairs[:, 0], pairs[:, 1]] = torch.arange(len(pairs))
    padded = torch.zeros(len(pairs), max(map(len, corners)), 4, dtype=torch.int64)
    for row, box in enumerate(corners):
        padded[row, : len(box)] = torch.tensor(box)
    if masks is None:
        return Split(images, labels, pairs, pair_of, padded)
    segmented = torch.ones(len(pairs), dtype=torch.bool) if segmented is None else segmented
    mask_of = torch.where(segmented, segmented.cumsum(0) - 1, -1)
    packed = torch.from_numpy(np.packbits(masks[segmented].numpy(), axis=-1))
    return Split(images, labels, pairs, pair_of, padded, packed, mask_of)


def random_split(seed: int, count: int = 12, segmented: float = 1.0) -> Split:
    """Random images, labels and 10 x 10 boxes; about the share `segmented` of the pairs has a mask."""
    draw = torch.Generator().manual_seed(seed)
    images = torch.randint(0, 256, (count, 3, SIZE, SIZE), dtype=torch.uint8, generator=draw)
    labels = torch.rand(count, CLASSES, generator=draw) > 0.5
    labels[:, 0] |= ~labels.any(1)
    corners = torch.randint(0, SIZE - 12, (int(labels.sum()), 1, 2), generator=draw)
    masks = torch.rand(int(labels.sum()), SIZE, SIZE, generator=draw) > 0.7
    having = torch.rand(len(masks), generator=draw) < segmented
    return split_of(images, labels, torch.cat([corners, corners + 10], dim=2).tolist(), masks, having)


def grouped_split(seed: int, count: int = 12) -> Split:
    """One of two labels an image, and a group."""
    draw = torch.Generator().manual_seed(seed)
    images = torch.randint(0, 256, (count, 3, SIZE, SIZE), dtype=torch.uint8, generator=draw)
    groups = torch.randint(0, 4, (count,), generator=draw)
    labels = torch.nn.functional.one_hot(groups // 2, 2).bool()
    return replace(split_of(images, labels, [[[4, 4, 20, 20]]] * count), groups=groups)
