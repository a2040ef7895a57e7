"""Measuring a network on a split: F1 of its decisions, EPG and IoU of its attributions. The same for every loss."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from mgsweep.guidance import boxes, metrics
from mgsweep.guidance.attributions import attribute
from mgsweep.guidance.datasets.cache import Split
from mgsweep.guidance.models.classifier import Classifier
from mgsweep.trial import Probe

Row = dict[str, Any]
"""Values by column of the store."""

BATCH_SIZE = 64


def evaluate(
    model: Classifier, split: Split, probes: Sequence[Probe], device: torch.device, batch_size: int = BATCH_SIZE
) -> list[Row]:
    """One row for each probe, or a single one without a probe when there are none.

    EPG and IoU are means over all pairs (image, class it is labelled with), whether recognised or not; boxes are as
    annotated, never dilated. Nothing depends on the loss that was trained with, nor on `batch_size`.
    """
    model.eval()
    decided = classification(model, split, device, batch_size)
    if not probes:
        return [{**decided, "probe_attribution": None, "probe_depth": None}]
    return [
        {
            **decided,
            "probe_attribution": probe.attribution,
            "probe_depth": probe.depth,
            **localisation(model, split, probe, device, batch_size),
        }
        for probe in probes
    ]


@torch.inference_mode()
def classification(model: Classifier, split: Split, device: torch.device, batch_size: int = BATCH_SIZE) -> Row:
    """F1, average precision, cross entropy and the counts of decisions per class."""
    indices = torch.arange(len(split)).split(batch_size)
    logits = torch.cat([model(pixels(split, index, device)) for index in indices]).cpu()
    counts = metrics.LabelCounts.of(logits, split.labels)
    entropy = torch.nn.functional.binary_cross_entropy_with_logits(logits.double(), split.labels.double())
    return {
        "f1": counts.f1(),
        "mean_ap": metrics.mean_average_precision(logits, split.labels),
        "class_loss": float(entropy),
        **{name: value.tolist() for name, value in vars(counts).items()},
    }


def localisation(
    model: Classifier, split: Split, probe: Probe, device: torch.device, batch_size: int = BATCH_SIZE
) -> Row:
    """EPG and IoU over all pairs of the split, with how many there are and how many have no positive attribution."""
    sums = torch.zeros(3, dtype=torch.float64, device=device)
    for index in torch.arange(len(split.pairs)).split(batch_size):
        images, classes = split.pairs[index].unbind(1)
        maps = attribute(model, pixels(split, images, device), classes.to(device), *probe)
        masks = boxes.masks(split.boxes[index].to(device), split.images.shape[-1])
        measured = (metrics.epg(maps, masks), metrics.iou(maps, masks), ~metrics.has_energy(maps, masks))
        sums += torch.stack([values.double().sum() for values in measured])
    pairs = len(split.pairs)
    epg, iou, undefined = sums.tolist()
    means = {"epg": epg / pairs, "iou": iou / pairs} if pairs else {}
    return {**means, "pairs": pairs, "pairs_undefined": int(undefined)}


def pixels(split: Split, index: Tensor, device: torch.device) -> Tensor:
    """Images of the split as float (B, 3, H, W) in [0, 1] on the device; they travel as bytes."""
    return split.images[index].to(device).float() / 255
