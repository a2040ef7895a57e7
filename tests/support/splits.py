"""Small splits made by hand or at random, without a cache."""

from __future__ import annotations

import torch
from torch import Tensor

from mgsweep.guidance.datasets.cache import Split

SIZE, CLASSES = 32, 3


def split_of(images: Tensor, labels: Tensor, corners: list[list[list[int]]], masks: Tensor | None = None) -> Split:
    """A split whose pair i has the boxes `corners[i]`."""
    pairs = labels.nonzero()
    pair_of = torch.full(labels.shape, -1, dtype=torch.int64)
    pair_of[pairs[:, 0], pairs[:, 1]] = torch.arange(len(pairs))
    padded = torch.zeros(len(pairs), max(map(len, corners)), 4, dtype=torch.int64)
    for row, box in enumerate(corners):
        padded[row, : len(box)] = torch.tensor(box)
    return Split(images, labels, pairs, pair_of, padded, masks)


def random_split(seed: int, count: int = 12) -> Split:
    draw = torch.Generator().manual_seed(seed)
    images = torch.randint(0, 256, (count, 3, SIZE, SIZE), dtype=torch.uint8, generator=draw)
    labels = torch.rand(count, CLASSES, generator=draw) > 0.5
    labels[:, 0] |= ~labels.any(1)
    corners = torch.randint(0, SIZE - 12, (int(labels.sum()), 1, 2), generator=draw)
    masks = torch.rand(int(labels.sum()), SIZE, SIZE, generator=draw) > 0.7
    return split_of(images, labels, torch.cat([corners, corners + 10], dim=2).tolist(), masks)
