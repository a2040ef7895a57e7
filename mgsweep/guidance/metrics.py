"""What is measured: EPG and IoU of maps, F1 and average precision of logits. Higher is better for all of them."""

from __future__ import annotations

from dataclasses import dataclass

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


def iou(maps: Tensor, masks: Tensor, threshold: float = 0.5) -> Tensor:
    """Intersection over union (B,) of mask and positive map, min-max scaled to [0, 1] and cut above `threshold`.

    A map whose values differ by less than 1e-7 is divided by its maximum instead; a map of zeros, or an empty union,
    counts 0. All as published.
    """
    prepared = positive(upsample(maps, masks))
    low, high = prepared.amin((1, 2), keepdim=True), prepared.amax((1, 2), keepdim=True)
    low = torch.where(high - low < UNDEFINED_ENERGY, 0.0, low)
    scaled = (prepared - low) / torch.where(high > low, high - low, 1.0)
    marked = scaled > threshold
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
