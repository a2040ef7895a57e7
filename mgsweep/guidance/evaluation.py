"""Measuring a network on a split: F1 of its decisions, EPG and IoU of its attributions. The same for every loss."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from mgsweep.guidance import boxes, metrics
from mgsweep.guidance.attributions import ATTRIBUTIONS
from mgsweep.guidance.datasets.cache import Split
from mgsweep.guidance.maps import upsample
from mgsweep.guidance.models.classifier import Classifier
from mgsweep.guidance.reading import Reading
from mgsweep.trial import Probe

Row = dict[str, Any]
"""Values by column of the store."""

BATCH_SIZE = 64


@torch.inference_mode()
def evaluate(
    model: Classifier, split: Split, probes: Sequence[Probe], device: torch.device, batch_size: int = BATCH_SIZE
) -> list[Row]:
    """One row for each probe, or a single one without a probe when there are none.

    EPG and IoU are means over all pairs (image, class it is labelled with), whether recognised or not; boxes are as
    annotated, never dilated. Nothing depends on the loss that was trained with, nor on `batch_size`.

    One forward pass of every image serves its classification and all of its pairs at all probes; each pair then costs
    a pullback. No autograd graph is built.
    """
    model.eval()
    logits = torch.empty(split.labels.shape, device=device)
    sums = torch.zeros(len(probes), 3, dtype=torch.float64, device=device)
    for index, pairs in _batches(split, batch_size):
        images = pixels(split, index, device)
        if pairs.shape[1] == 0 or not probes:
            logits[index.to(device)] = model(images)
            continue
        readings = model.read(images, [probe.depth for probe in probes])
        logits[index.to(device)] = readings[0].logits
        for slot in pairs.unbind(1):
            sums += _measured(readings, probes, split, slot, device)
    decided = _decisions(logits.cpu(), split.labels)
    if not probes:
        return [{**decided, "probe_attribution": None, "probe_depth": None}]
    totals = zip(probes, sums.tolist(), strict=True)
    return [{**decided, **_means(probe, total, len(split.pairs))} for probe, total in totals]


def _batches(split: Split, batch_size: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Images (B,) that have equally many pairs n, and those pairs (B, n): no pullback is wasted on an image."""
    counts = split.labels.sum(1)
    firsts = counts.cumsum(0) - counts  # pairs are sorted by image
    for count in counts.unique().tolist():
        for index in (counts == count).nonzero().squeeze(1).split(batch_size):
            yield index, firsts[index, None] + torch.arange(count)


def _measured(
    readings: Sequence[Reading], probes: Sequence[Probe], split: Split, pairs: Tensor, device: torch.device
) -> Tensor:
    """Sums (probes, 3) over one pair of each image: EPG, IoU, maps without positive attribution."""
    classes = split.pairs[pairs, 1].to(device)
    masks = boxes.masks(split.boxes[pairs].to(device), split.images.shape[-1])
    sums = []
    for probe, reading in zip(probes, readings, strict=True):
        maps = upsample(ATTRIBUTIONS[probe.attribution](reading, classes), masks)  # once: the metrics leave it as it is
        values = (metrics.epg(maps, masks), metrics.iou(maps, masks), ~metrics.has_energy(maps, masks))
        sums.append(torch.stack([value.double().sum() for value in values]))
    return torch.stack(sums)


def _means(probe: Probe, sums: Sequence[float], pairs: int) -> Row:
    epg, iou, undefined = sums
    means = {"epg": epg / pairs, "iou": iou / pairs} if pairs else {}
    keys = {"probe_attribution": probe.attribution, "probe_depth": probe.depth}
    return {**keys, **means, "pairs": pairs, "pairs_undefined": int(undefined)}


def _decisions(logits: Tensor, labels: Tensor) -> Row:
    counts = metrics.LabelCounts.of(logits, labels)
    entropy = torch.nn.functional.binary_cross_entropy_with_logits(logits.double(), labels.double())
    return {
        "f1": counts.f1(),
        "mean_ap": metrics.mean_average_precision(logits, labels),
        "class_loss": float(entropy),
        **{name: value.tolist() for name, value in vars(counts).items()},
    }


def pixels(split: Split, index: Tensor, device: torch.device) -> Tensor:
    """Images of the split as float (B, 3, H, W) in [0, 1] on the device; they travel as bytes."""
    return split.images[index].to(device).float() / 255
