"""Attribution maps of a few test images, small enough to keep with every trial: what the qualitative figures show."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from mgsweep.guidance import boxes, metrics
from mgsweep.guidance.attributions import ATTRIBUTIONS
from mgsweep.guidance.datasets.cache import Data, Split
from mgsweep.guidance.evaluation import pixels
from mgsweep.guidance.models import build
from mgsweep.guidance.models.weights import load
from mgsweep.guidance.training import Weights
from mgsweep.trial import Probe, Trial

Row = dict[str, Any]

IMAGES = 4
SIDE = 96
"""Pixels of a picture's side: larger images and maps are averaged down to it."""


def chosen(split: Split, count: int = IMAGES) -> list[int]:
    """The images of a split that every trial shows: of those with a label, the smallest by a hash of their number.

    No result decides, and the choice is the same for every trial and image size.
    """
    labelled = split.labels.any(1).nonzero().flatten().tolist()
    return sorted(sorted(labelled, key=lambda number: hashlib.sha256(str(number).encode()).digest())[:count])


@torch.inference_mode()
def pictures(
    trial: Trial, data: Data, weights: Weights, images: Iterable[int], probes: Sequence[Probe], device: torch.device
) -> Iterator[Row]:
    """The maps of some test images at every probe, each for the class whose boxes cover the most.

    Yields:
        For each image and probe a row with the columns of `store.gallery` that tell of them: `image`, `class`, its
        `probability`, `boxes` (shares of the side), `pixels` (S, S, 3) uint8, the probe, `epg` of the whole map, and
        `map` (s, s) float16 with its largest magnitude, `peak`, divided out.
    """
    model = build(trial.model, trial.backbone, len(data.classes))
    load(model.network, weights)
    model = model.to(device).eval()
    split, side = data.test, data.test.images.shape[-1]
    for image in images:
        number = torch.tensor([image])
        pair = _largest(split, image)
        label = split.pairs[pair, 1:2].to(device)
        mask = boxes.masks(split.boxes[pair : pair + 1].to(device), side)
        readings = model.read(pixels(split, number, device), [probe.depth for probe in probes])
        shown = {
            "image": image,
            "class": data.classes[int(label)],
            "boxes": _visible(split.boxes[pair], side),
            "pixels": _small(split.images[image].float())
            .round()
            .byte()
            .permute(1, 2, 0)
            .contiguous()
            .numpy()
            .tobytes(),
        }
        for probe, reading in zip(probes, readings, strict=True):
            attribution = ATTRIBUTIONS[probe.attribution](reading, label).float()
            yield {
                **shown,
                "probability": float(reading.logits[0, int(label)].sigmoid()),
                "probe_attribution": probe.attribution,
                "probe_depth": probe.depth,
                "epg": float(metrics.epg(attribution, mask)),
                **_map(attribution),
            }


def _largest(split: Split, image: int) -> int:
    """The pair of an image whose boxes cover the most pixels, the first of equals."""
    pairs = split.pair_of[image][split.labels[image]]
    covered = boxes.masks(split.boxes[pairs], split.images.shape[-1]).sum((1, 2))
    return int(pairs[int(covered.argmax())])


def _visible(padded: Tensor, side: int) -> list[float]:
    """The corners of the boxes one after the other, as shares of the side; padding is left out."""
    real = padded[(padded[:, 2] > padded[:, 0]) & (padded[:, 3] > padded[:, 1])]
    corners: list[float] = (real.double() / side).flatten().tolist()
    return corners


def _map(attribution: Tensor) -> Row:
    small = _small(attribution)[0].cpu()
    peak = float(small.abs().max())
    scaled = small / peak if peak > 0 else small
    return {"map": scaled.half().numpy().tobytes(), "side": small.shape[-1], "peak": peak}


def _small(planes: Tensor) -> Tensor:
    """(K, H, W) averaged down to SIDE, if it is larger."""
    return planes if planes.shape[-1] <= SIDE else adaptive_avg_pool2d(planes, SIDE)
