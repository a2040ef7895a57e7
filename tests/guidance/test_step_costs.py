"""What a guided step may cost, counted instead of timed: floating-point operations, and waits for the device."""

from __future__ import annotations

import pytest
import torch
from golden import filled
from operations import Operations
from splits import CLASSES, random_split
from torch.nn.functional import binary_cross_entropy_with_logits

from mgsweep.guidance.attributions import ATTRIBUTIONS
from mgsweep.guidance.losses import LOSSES
from mgsweep.guidance.models import MODELS, build
from mgsweep.guidance.models.classifier import Classifier
from mgsweep.guidance.step import guided_loss
from mgsweep.trial import Trial

ATTRIBUTION = {"vanilla": "ixg", "xdnn": "ixg", "bcos": "bcos"}


def step(model: str, depth: str | None) -> Operations:
    """The operations of one training step of ResNet-50, guided at a depth or standard."""
    classifier = build(model, "resnet50", CLASSES).to("meta").train()
    images, labels = torch.empty(2, 3, 224, 224, device="meta"), torch.empty(2, CLASSES, device="meta")
    with Operations() as counted:
        if depth is None:
            binary_cross_entropy_with_logits(classifier(images), labels).backward()
            return counted
        (reading,) = classifier.read(images, [depth])
        maps = ATTRIBUTIONS[ATTRIBUTION[model]](reading, torch.empty(2, dtype=torch.int64, device="meta"))
        masks = torch.empty(2, 224, 224, dtype=torch.bool, device="meta")
        loss = binary_cross_entropy_with_logits(reading.logits, labels) + LOSSES["energy"](maps, masks).sum()
        loss.backward()
    return counted


@pytest.mark.parametrize(("depth", "limit"), [("input", 2.05), ("mid2", 1.6), ("final", 1.01)])
@pytest.mark.parametrize("model", MODELS)
def test_floating_point_operations_beside_a_standard_step(model: str, depth: str, limit: float) -> None:
    """The floor of exact gradients is 2.01 at the input: the attribution's pass, and its two derivatives."""
    standard = step(model, None).flops
    if model == "vanilla":
        assert standard == pytest.approx(2 * 24.29e9, rel=0.01)  # by another count of the same network
    assert 1 <= step(model, depth).flops / standard <= limit


WAITS = ("_local_scalar_dense", "nonzero", "item", "is_nonzero", "masked_select", "unique")


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("model", MODELS)
def test_no_operation_of_a_step_waits_for_the_device(model: str, loss: str) -> None:
    """Reading a value back stalls a GPU. What is decided on the host is decided before the step's first operation."""
    trial = Trial(
        dataset="shapes", model=model, backbone="resnet10", attribution=ATTRIBUTION[model], depth="input", loss=loss,
        lambda_loc=1, image_size=32, bbox_dilation=0.1,
    )  # fmt: skip
    split, index = random_split(1), torch.arange(4)
    classes, usable = split.labels[index].int().argmax(1), torch.tensor([True, False, True, True])
    classifier = filled(model, classes=CLASSES).train()
    with Operations() as counted:
        total, parts = guided_loss(trial, classifier, split, index, classes, usable, torch.device("cpu"))
        total.backward()
    # These are over `usable`, which lies on the host: it says which images are annotated, and which are not.
    assert {name: count for name, count in counted.calls.items() if name in WAITS} == {"nonzero": 3}
    assert parts.shape == (4,)


@pytest.mark.parametrize("model", MODELS)
def test_images_without_boxes_take_no_part_in_an_attribution_where_none_sees_another(model: str) -> None:
    """The same loss and gradients as with all of them, at the cost of a standard step for the others."""
    trial = Trial(
        dataset="shapes", model=model, backbone="resnet10", attribution=ATTRIBUTION[model], depth="input",
        loss="energy", lambda_loc=1, image_size=32,
    )  # fmt: skip
    split, index, usable = random_split(1), torch.arange(8), torch.arange(8) == 5
    classes, found = split.labels[index].int().argmax(1), {}
    for coupled in (True, False):
        classifier = filled(model, classes=CLASSES).eval()
        if coupled:
            classifier.__class__ = Coupled
        with Operations() as counted:
            loss, _ = guided_loss(trial, classifier, split, index, classes, usable, torch.device("cpu"))
            loss.backward()
        found[coupled] = counted.flops, [loss, *(weight.grad for weight in classifier.parameters())]
    assert found[False][0] < 0.65 * found[True][0]
    torch.testing.assert_close(found[False][1], found[True][1], rtol=1e-4, atol=1e-6)
    assert filled("vanilla").train().couples_images
    assert not filled("xdnn").train().couples_images


class Coupled(Classifier):
    couples_images = True
