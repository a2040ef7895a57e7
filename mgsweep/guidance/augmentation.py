"""Random crops and flips of training images, on their device and all of a batch at once; the guided region follows.

As torchvision's RandomResizedCrop and RandomHorizontalFlip draw them, on the square image that the network sees.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

SCALE, RATIO = (0.08, 1.0), (3 / 4, 4 / 3)
"""Bounds of a crop's share of the image and of its width over its height: torchvision's."""
ATTEMPTS = 10


@dataclass(frozen=True)
class Crops:
    """One crop for each of N square images: `boxes` (N, 4) int64 [top, left, height, width], `flipped` (N,) bool."""

    boxes: Tensor
    flipped: Tensor

    def __getitem__(self, index: Tensor) -> Crops:
        return Crops(self.boxes[index], self.flipped[index])

    def of_images(self, images: Tensor) -> Tensor:
        """Images (N, 3, S, S) cropped and stretched to S x S again: bilinear, never mixing in what lies outside."""
        size = images.shape[-1]
        down, across = (
            start + ((places + 0.5) * length / size - 0.5).clamp(min=0).minimum(length - 1)
            for start, length, places in self._axes(size, images.device)
        )
        # grid_sample counts from -1 to 1 between the outer edges of the outer pixels.
        grid = torch.stack([across[:, None, :].expand(-1, size, -1), down[:, :, None].expand(-1, -1, size)], dim=3)
        return functional.grid_sample(images, (2 * grid + 1) / size - 1, align_corners=False, padding_mode="border")

    def of_masks(self, masks: Tensor) -> Tensor:
        """Masks (N, S, S) likewise, each pixel from the nearest. One whose object leaves the crop becomes empty."""
        size = masks.shape[-1]
        rows, columns = (
            start + (2 * places + 1) * length // (2 * size) for start, length, places in self._axes(size, masks.device)
        )
        return masks[torch.arange(len(masks), device=masks.device)[:, None, None], rows[:, :, None], columns[:, None]]

    def _axes(self, size: int, device: torch.device) -> list[tuple[Tensor, Tensor, Tensor]]:
        """Of the vertical and the horizontal axis: first pixel and length (N, 1), and the output's pixels (N, S)."""
        top, left, height, width = self.boxes.to(device)[:, :, None].unbind(1)
        places = torch.arange(size, device=device).expand(len(self.boxes), -1)
        mirrored = torch.where(self.flipped.to(device)[:, None], size - 1 - places, places)
        return [(top, height, places), (left, width, mirrored)]


def draw(count: int, size: int, generator: torch.Generator) -> Crops:
    """Crops of `count` images of size x size pixels. The first of ten attempts that fits counts, else all is kept."""
    area = size**2 * torch.empty(count, ATTEMPTS).uniform_(*SCALE, generator=generator)
    ratio = torch.empty(count, ATTEMPTS).uniform_(*map(math.log, RATIO), generator=generator).exp()
    sides = torch.stack([(area / ratio).sqrt(), (area * ratio).sqrt()], dim=2).round().long()  # height, width
    fits = ((sides >= 1) & (sides <= size)).all(2)
    first = fits.int().argmax(1)
    chosen = torch.where(fits.any(1)[:, None], sides[torch.arange(count), first], size)
    corners = (torch.rand(count, 2, generator=generator) * (size - chosen + 1)).long()
    flipped = torch.rand(count, generator=generator) < 0.5
    return Crops(torch.cat([corners, chosen], dim=1), flipped)
