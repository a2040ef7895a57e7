"""Measuring a network on a split: its decisions, and its attributions against the boxes. The same for every loss."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from mgsweep.guidance import boxes, metrics
from mgsweep.guidance.attributions import ATTRIBUTIONS
from mgsweep.guidance.datasets.cache import Split
from mgsweep.guidance.datasets.samples import GROUPS
from mgsweep.guidance.maps import positive, upsample
from mgsweep.guidance.models.classifier import Classifier
from mgsweep.guidance.reading import Reading
from mgsweep.trial import Probe

Row = dict[str, Any]
"""Values by column of the store."""

BATCH_SIZE = 64

SIZE_BINS = 10
"""Bins of equal width of the share of the image that a pair's boxes cover; of a square less its last row and column,
which no box reaches. Upper ends are inclusive only in the last."""
VALUES = ("epg", "pairs_undefined", "iou_adaptive", "on_object_epg", "pairs_segmented")
"""What is measured of each pair, followed by its IoU at each of `metrics.THRESHOLDS`."""


@torch.inference_mode()
def evaluate(
    model: Classifier, split: Split, probes: Sequence[Probe], device: torch.device, batch_size: int = BATCH_SIZE
) -> list[Row]:
    """One row for each probe, or a single one without a probe when there are none.

    EPG and IoU are means over all pairs (image, class it is labelled with), whether recognised or not; boxes are as
    annotated, never dilated. On-object EPG is the mean over the pairs with a segmentation mask. Nothing depends on the
    loss that was trained with, nor on `batch_size`.

    One forward pass of every image serves its classification and all of its pairs at all probes; each pair then costs
    a pullback. No autograd graph is built.
    """
    model.eval()
    logits = torch.empty(split.labels.shape, device=device)
    values = torch.zeros(len(probes), len(split.pairs), len(VALUES) + len(metrics.THRESHOLDS), device=device)
    covered = torch.zeros(len(split.pairs), dtype=torch.int64, device=device)
    for index, pairs in _batches(split, batch_size):
        images = pixels(split, index, device)
        if pairs.shape[1] == 0 or not probes:
            logits[index.to(device)] = model(images)
            continue
        readings = model.read(images, [probe.depth for probe in probes])
        logits[index.to(device)] = readings[0].logits
        for slot in pairs.unbind(1):
            masks = boxes.masks(split.boxes[slot].to(device), split.images.shape[-1])
            values[:, slot.to(device)] = _measured(readings, probes, split, slot, masks)
            covered[slot.to(device)] = masks.sum((1, 2))
    decided = _decisions(logits.cpu(), split)
    if not probes:
        return [{**decided, "probe_attribution": None, "probe_depth": None}]
    bins = _size_bins(covered.cpu(), split.images.shape[-1])
    measured = zip(probes, values.double().cpu(), strict=True)
    return [{**decided, **_keys(probe), **_summary(of_pairs, split, bins)} for probe, of_pairs in measured]


def _batches(split: Split, batch_size: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Images (B,) that have equally many pairs n, and those pairs (B, n): no pullback is wasted on an image."""
    counts = split.labels.sum(1)
    firsts = counts.cumsum(0) - counts  # pairs are sorted by image
    for count in counts.unique().tolist():
        for index in (counts == count).nonzero().squeeze(1).split(batch_size):
            yield index, firsts[index, None] + torch.arange(count)


def _measured(
    readings: Sequence[Reading], probes: Sequence[Probe], split: Split, pairs: Tensor, masks: Tensor
) -> Tensor:
    """Values (probes, B, `VALUES` and IoUs) of one pair of each image, whose boxes cover the masks."""
    device = masks.device
    classes = split.pairs[pairs, 1].to(device)
    segmented = split.segmented(pairs)
    rows = segmented.nonzero().squeeze(1).to(device)
    objects = split.segmentation(pairs[segmented], device) if len(rows) else None
    values = []
    for probe, reading in zip(probes, readings, strict=True):
        # Once: the metrics leave it as it is.
        maps = positive(upsample(ATTRIBUTIONS[probe.attribution](reading, classes), masks))
        on_object = maps.new_zeros(len(maps))
        if objects is not None:
            on_object[rows] = metrics.on_object_epg(maps[rows], masks[rows], objects)
        fixed, adaptive = metrics.ious(maps, masks)
        columns = (metrics.epg(maps, masks), ~metrics.has_energy(maps, masks), adaptive, on_object, segmented)
        of_pairs = torch.stack([column.to(device, torch.float32) for column in columns], dim=1)
        values.append(torch.cat([of_pairs, fixed], dim=1))
    return torch.stack(values)


def _keys(probe: Probe) -> Row:
    return {"probe_attribution": probe.attribution, "probe_depth": probe.depth}


def _size_bins(covered: Tensor, size: int) -> Tensor:
    """The bin (P,) of pairs whose boxes cover so many pixels."""
    return (covered * SIZE_BINS // (size - 1) ** 2).clamp(max=SIZE_BINS - 1)


def _summary(values: Tensor, split: Split, bins: Tensor) -> Row:
    """Means over pairs, and sums and counts by class and by size of boxes; without pairs there are only counts."""
    count, named = len(values), dict(zip(VALUES, values.unbind(1), strict=False))
    undefined, segmented = (int(named[name].sum()) for name in ("pairs_undefined", "pairs_segmented"))
    row: Row = {"pairs": count, "pairs_undefined": undefined, "pairs_segmented": segmented}
    classes = (("class", split.pairs[:, 1], split.labels.shape[1]), ("size", bins, SIZE_BINS))
    for name, kind, kinds in classes:
        row[f"epg_by_{name}"] = torch.bincount(kind, named["epg"], kinds).tolist()
        row[f"pairs_by_{name}"] = torch.bincount(kind, minlength=kinds).tolist()
    if segmented:
        row["on_object_epg"] = float(named["on_object_epg"].sum()) / segmented
    if count:
        curve = values[:, len(VALUES) :].mean(0).tolist()
        row |= {"iou_by_threshold": curve, "iou": curve[metrics.THRESHOLDS.index(0.5)]}
        row |= {"epg": float(named["epg"].mean()), "iou_adaptive": float(named["iou_adaptive"].mean())}
    return row


def held_out(rows: Iterable[Row], validated: Iterable[Row]) -> None:
    """Add to rows their IoU at the threshold that is best on validation, at the same probe (the lowest of equals).

    The paper's rule: a threshold selected on held-out data. `validated` are validation rows of the same weights; the
    IoU of a validation row itself is therefore the best of its own.
    """
    curves = {_probe(row): row["iou_by_threshold"] for row in validated if row.get("iou_by_threshold")}
    for row in rows:
        if row.get("iou_by_threshold") and (curve := curves.get(_probe(row))):
            best = max(range(len(curve)), key=lambda place: (curve[place], -place))
            row |= {"iou_held_out": row["iou_by_threshold"][best], "iou_threshold": metrics.THRESHOLDS[best]}


def _probe(row: Row) -> tuple[str | None, str | None]:
    return row["probe_attribution"], row["probe_depth"]


def _decisions(logits: Tensor, split: Split) -> Row:
    labels = split.labels
    counts = metrics.LabelCounts.of(logits, labels)
    entropy = torch.nn.functional.binary_cross_entropy_with_logits(logits.double(), labels.double())
    return {
        "f1": counts.f1(),
        "mean_ap": metrics.mean_average_precision(logits, labels),
        "class_loss": float(entropy),
        **{name: value.tolist() for name, value in vars(counts).items()},
        **_accuracies(logits, split),
    }


def _accuracies(logits: Tensor, split: Split) -> Row:
    """Of a data set with groups, which has one label an image."""
    if split.groups is None:
        return {}
    counts = metrics.GroupCounts.of(logits, split.labels, split.groups, GROUPS)
    by_group = {name: value.tolist() for name, value in vars(counts).items()}
    return {"accuracy": counts.accuracy(), "worst_group_accuracy": counts.worst(), **by_group}


def pixels(split: Split, index: Tensor, device: torch.device) -> Tensor:
    """Images of the split as float (B, 3, H, W) in [0, 1] on the device; they travel as bytes."""
    return split.images[index.to(split.images.device)].to(device).float() / 255
