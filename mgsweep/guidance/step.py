"""The guided step: classification loss plus lambda times guidance loss (paper eq. 1), for one batch."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from mgsweep.guidance import boxes
from mgsweep.guidance.attributions import ATTRIBUTIONS
from mgsweep.guidance.augmentation import Crops
from mgsweep.guidance.datasets.cache import Split
from mgsweep.guidance.evaluation import pixels
from mgsweep.guidance.losses import LOSSES
from mgsweep.guidance.models.classifier import Classifier
from mgsweep.trial import Trial


def drawn_classes(labels: Tensor, draw: torch.Generator) -> Tensor:
    """One of each image's own classes, uniformly: labels (N, C) bool -> (N,) int64. Without a label it is class 0."""
    weights = labels.float()
    weights[~labels.any(1), 0] = 1
    return torch.multinomial(weights, 1, generator=draw).squeeze(1)


def guided_loss(
    trial: Trial,
    model: Classifier,
    split: Split,
    index: Tensor,
    classes: Tensor,
    usable: Tensor,
    device: torch.device,
    crops: Crops | None = None,
    share: float = 1.0,
) -> tuple[Tensor, Tensor]:
    """BCE (mean) + lambda * guidance loss (summed over images, as published: lambdas depend on it), paper eq. 1.

    Args:
        index, classes, usable: images of the step (B,), a class drawn for each, whether its boxes may be used.
        crops: how each of them is augmented.
        share: of the step's images that these are. The losses of micro-batches add up to the loss of their step.

    Returns:
        The loss, and for the epoch's row (BCE summed over images, guidance loss, images guided, masks empty).
    """
    images, labels = pixels(split, index, device), split.labels[index].to(device).float()
    if crops:
        images = crops.of_images(images)
    guided = usable.nonzero().squeeze(1)  # on the host, so that a step without annotated images is a standard step
    if not trial.guided or len(guided) == 0:
        entropy = binary_cross_entropy_with_logits(model(images), labels)
        return share * entropy, torch.stack(
            [entropy.detach().double() * len(index), *torch.zeros(3, device=device).double()]
        )
    pairs = split.pair_of[index[guided], classes[guided]]
    masks = guidance_masks(trial, split, pairs, device, crops and crops[guided])
    logits, maps = _explained(trial, model, images, classes.to(device), usable)
    entropy = binary_cross_entropy_with_logits(logits, labels)
    # A box can shrink to nothing at this resolution, or leave the crop. There is nothing to guide by then, whatever the
    # loss, and wherever to.
    seen = (~masks if trial.guidance_region == "outside" else masks).any(2).any(1)
    guidance = (LOSSES[trial.loss](maps, masks) * seen).sum()
    parts = (entropy.detach() * len(index), guidance.detach(), seen.sum(), (~seen).sum())
    return share * entropy + trial.lambda_loc * guidance, torch.stack([part.double() for part in parts])


def _explained(
    trial: Trial, model: Classifier, images: Tensor, classes: Tensor, usable: Tensor
) -> tuple[Tensor, Tensor]:
    """Logits (B, C) of all images, and maps of the usable ones.

    Where no image sees another, the others do not take part in the attribution: at few annotated images a guided step
    costs little more than a standard one. Batch norm in training couples them, and then all do.
    """
    guided, others = (which.nonzero().squeeze(1).to(images.device) for which in (usable, ~usable))
    alone = len(others) > 0 and not model.couples_images
    (reading,) = model.read(images[guided] if alone else images, [str(trial.depth)])
    maps = ATTRIBUTIONS[str(trial.attribution)](reading, classes[guided] if alone else classes)
    if not alone:
        return reading.logits, maps[guided]
    return torch.cat([reading.logits, model(images[others])])[torch.cat([guided, others]).argsort()], maps


def guidance_masks(
    trial: Trial, split: Split, pairs: Tensor, device: torch.device, crops: Crops | None = None
) -> Tensor:
    """Where the attributions of these pairs should lie: (len(pairs), size, size) bool. `crops` are of their images."""
    if trial.guidance_source == "mask":
        wanted = split.segmentation(pairs, device)
    else:
        corners = boxes.dilate(split.boxes[pairs].to(device), trial.bbox_dilation, split.images.shape[-1])
        wanted = boxes.masks(corners, split.images.shape[-1])
    if crops:
        wanted = crops.of_masks(wanted)
    return ~wanted if trial.guidance_region == "outside" else wanted
