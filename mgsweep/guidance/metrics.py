"""What is measured: EPG and IoU of maps, F1, average precision and accuracy of logits. Higher is better for all."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mgsweep.guidance.maps import positive, upsample

UNDEFINED_ENERGY = 1e-7
"""A map whose positive attribution sums to less has no energy to speak of (published threshold, on raw maps)."""


def energy_inside(energy: Tensor, masks: Tensor) -> Tensor:
    """Share (B,) of a non-negative energy (B, H, W) that lies in the masks (B, H, W) bool.

    Below `UNDEFINED_ENERGY` in total it is the energy inside itself: next to nothing, without dividing by nothing.
    """
    inside = (energy * masks).sum((1, 2))
    total = energy.sum((1, 2))
    return inside / torch.where(total < UNDEFINED_ENERGY, 1.0, total)


def has_energy(maps: Tensor, masks: Tensor) -> Tensor:
    """Whether EPG is defined for each map (B,) bool."""
    return positive(upsample(maps, masks)).sum((1, 2)) >= UNDEFINED_ENERGY


def epg(maps: Tensor, masks: Tensor) -> Tensor:
    """Energy pointing game (paper eq. 2): share of positive attribution inside the boxes, (B, h, w), (B, H, W) -> (B,).

    A map without positive attribution counts 0, as published.
    """
    defined = has_energy(maps, masks)
    return energy_inside(positive(upsample(maps, masks)), masks).where(defined, 0.0)


def on_object_epg(maps: Tensor, masks: Tensor, objects: Tensor) -> Tensor:
    """Share (B,) of the positive attribution inside the boxes that lies on the objects; both are (B, H, W) bool.

    A map without positive attribution inside the boxes counts 0, as in a reproduction. What an object's mask has
    outside of its boxes does not count: no box reaches the last row and column.
    """
    energy = positive(upsample(maps, masks)) * masks
    inside, on_objects = energy.sum((1, 2)), (energy * objects).sum((1, 2))
    return torch.where(inside < UNDEFINED_ENERGY, 0.0, on_objects / inside)


def iou(maps: Tensor, masks: Tensor, threshold: float = 0.5) -> Tensor:
    """Intersection over union (B,) of mask and positive map, min-max scaled to [0, 1] and cut above `threshold`.

    A map whose values differ by less than 1e-7 is divided by its maximum instead; a map of zeros, or an empty union,
    counts 0. All as published.
    """
    return _overlap(_scaled(maps, masks) > threshold, masks)


THRESHOLDS = (0.0, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
"""Where IoU is cut to choose a threshold on validation. Dense near 0, as B-cos maps at Input have few large values."""


def ious(maps: Tensor, masks: Tensor) -> tuple[Tensor, Tensor]:
    """`iou` at each of `THRESHOLDS` (B, len(THRESHOLDS)), and the adaptive IoU (B,), from two sorts of each map.

    The latter is cut above the value that begins the top tenth of the map's n different values, the n // 10 largest;
    with fewer than ten above the smallest. Both as in the reproduction that proposed it.
    """
    scaled = _scaled(maps, masks)
    values = _sorted(scaled.flatten(1))
    inside = _sorted(torch.where(masks, scaled, -1.0).flatten(1))  # what is outside comes first, and is above nothing
    fixed = values.new_tensor(THRESHOLDS).expand(len(values), -1)
    thresholds = torch.cat([fixed, _start_of_top_tenth(values)], dim=1)
    marked, both = (values.shape[1] - torch.searchsorted(each, thresholds, right=True) for each in (values, inside))
    union = marked + masks.sum((1, 2))[:, None] - both
    overlaps = both / union.clamp(min=1)
    return overlaps[:, :-1], overlaps[:, -1]


def _start_of_top_tenth(values: Tensor) -> Tensor:
    """Of rows of ascending values (B, P), the value (B, 1) that begins the top tenth of the different ones."""
    ranks = torch.nn.functional.pad((values[:, 1:] != values[:, :-1]).cumsum(1), (1, 0))
    different = ranks[:, -1:] + 1
    tenth = different // 10
    return values.gather(1, torch.searchsorted(ranks, torch.where(tenth > 0, different - tenth, 0)))


def _sorted(values: Tensor) -> Tensor:
    """Rows in ascending order. NumPy's sort takes a hundredth of the time of PyTorch's on a CPU."""
    if values.is_cuda:
        return values.sort(dim=1).values
    return torch.from_numpy(np.sort(values.detach().numpy(), axis=1))


def _scaled(maps: Tensor, masks: Tensor) -> Tensor:
    prepared = positive(upsample(maps, masks))
    low, high = prepared.amin((1, 2), keepdim=True), prepared.amax((1, 2), keepdim=True)
    low = torch.where(high - low < UNDEFINED_ENERGY, 0.0, low)
    return (prepared - low) / torch.where(high > low, high - low, 1.0)


def _overlap(marked: Tensor, masks: Tensor) -> Tensor:
    union = (marked | masks).sum((1, 2))
    return (marked & masks).sum((1, 2)) / union.clamp(min=1)


@dataclass
class LabelCounts:
    """Decisions per class, as integers (C,) that add up exactly over batches in any order."""

    true_positives: Tensor
    false_positives: Tensor
    false_negatives: Tensor

    @classmethod
    def of(cls, logits: Tensor, labels: Tensor) -> LabelCounts:
        """Count decisions: a logit >= 0 says the class is there. Both (N, C), labels bool."""
        said = logits >= 0
        return cls((said & labels).sum(0), (said & ~labels).sum(0), (~said & labels).sum(0))

    def f1(self) -> float:
        """Micro F1 over all image x class decisions; 0 when there is neither a label nor a decision for one."""
        hits, misses = int(self.true_positives.sum()), int((self.false_positives + self.false_negatives).sum())
        return 2 * hits / (2 * hits + misses) if hits + misses else 0.0


@dataclass
class GroupCounts:
    """Images by group, and those decided right: integers (G,). For data sets with one label an image."""

    group_correct: Tensor
    group_total: Tensor

    @classmethod
    def of(cls, logits: Tensor, labels: Tensor, groups: Tensor, count: int) -> GroupCounts:
        """Count decisions: the largest logit says the class. Logits and labels (N, C), groups (N,) below `count`."""
        correct = logits.argmax(1) == labels.int().argmax(1)
        return cls(torch.bincount(groups[correct], minlength=count), torch.bincount(groups, minlength=count))

    def accuracy(self) -> float:
        """Share of the images that are decided right."""
        return int(self.group_correct.sum()) / max(int(self.group_total.sum()), 1)

    def worst(self) -> float:
        """The lowest accuracy of a group that has images."""
        shares = self.group_correct / self.group_total
        return float(shares[self.group_total > 0].min())


def mean_average_precision(scores: Tensor, labels: Tensor) -> float:
    """Mean over the classes that have a label of the area under the precision-recall steps; (N, C) each.

    Images with equal scores share one step, so the order of the data does not matter. NaN without any label.
    """
    present = labels.any(0)
    precisions = [_average_precision(scores[:, c], labels[:, c]) for c in present.nonzero().flatten().tolist()]
    return sum(precisions) / len(precisions) if precisions else float("nan")


def _average_precision(scores: Tensor, labels: Tensor) -> float:
    order = scores.argsort(descending=True, stable=True)
    ranked, hits = scores[order], labels[order].double().cumsum(0)
    last_of_tie = torch.cat([ranked[1:] != ranked[:-1], ranked.new_ones(1, dtype=torch.bool)])
    steps = hits[last_of_tie]
    precision = steps / (last_of_tie.nonzero().flatten() + 1)
    gained = torch.diff(steps, prepend=steps.new_zeros(1))
    return float((precision * gained).sum() / hits[-1])
