"""Precision: fp32 is untouched, bf16 stays close to it, and what is measured is always measured in fp32."""

from __future__ import annotations

import pytest
import torch
from golden import filled, random_images
from splits import SIZE, random_split
from torch import Tensor

from mgsweep.guidance.attributions import ATTRIBUTIONS
from mgsweep.guidance.datasets.cache import Data
from mgsweep.guidance.models import MODELS
from mgsweep.guidance.models.efficientnet import SameConv2d
from mgsweep.guidance.models.layers import Conv2d
from mgsweep.guidance.precision import multiplying
from mgsweep.guidance.training import guided_training
from mgsweep.trial import Probe, Trial

METHOD = {"vanilla": "ixg", "xdnn": "ixg", "bcos": "bcos"}


def step(model: str, precision: str) -> tuple[Tensor, Tensor, Tensor]:
    """Logits, maps and all gradients of a guided step."""
    classifier = filled(model).train()
    with multiplying(classifier, precision):
        (reading,) = classifier.read(random_images(4, 64), ["input"])
        maps = ATTRIBUTIONS[METHOD[model]](reading, torch.tensor([0, 1, 2, 3]))
        (reading.logits.square().mean() + maps.square().sum()).backward()
    parameters = [p for p in classifier.parameters() if p.grad is not None]
    assert {reading.logits.dtype, maps.dtype, *(p.grad.dtype for p in parameters)} == {torch.float32}
    return reading.logits.detach(), maps.detach(), torch.cat([p.grad.flatten() for p in parameters])


def apart(ours: Tensor, theirs: Tensor) -> float:
    return float((ours - theirs).detach().norm() / theirs.detach().norm())


# Of logits, maps and gradients. bf16 has 8 bits, so a factor is off by up to 0.4 %. Maps suffer most where a ReLU or a
# maximum falls on the other side; a B-cos network has neither.
CLOSE = {"vanilla": (0.01, 0.3, 0.2), "xdnn": (0.01, 0.3, 0.05), "bcos": (0.001, 0.05, 0.05)}


@pytest.mark.parametrize("model", MODELS)
def test_half_precision_is_close(model: str) -> None:
    for lowered, full, limit in zip(step(model, "bf16"), step(model, "fp32"), CLOSE[model], strict=True):
        assert 0 < apart(lowered, full) < limit


@pytest.mark.parametrize("kind", [Conv2d, SameConv2d])
def test_a_convolution_is_lowered_forward_and_back(kind: type[Conv2d | SameConv2d]) -> None:
    layer, x = kind(4, 8, 3, 2), random_images(2, 9)[:, [0, 1, 2, 0]]
    full, through = layer.vjp(x)
    back = through(full)
    layer.factors = torch.bfloat16
    lowered, through = layer.vjp(x)
    assert 0 < apart(lowered, full) < 0.01
    assert 0 < apart(through(full), back) < 0.01


@pytest.mark.parametrize("model", MODELS)
def test_full_precision_changes_no_bit(model: str) -> None:
    """Nor does TF32 where no such GPU is."""
    classifier = filled(model).train()
    plain = classifier(random_images(4, 64))
    for precision in ("fp32", "tf32"):
        assert torch.equal(step(model, precision)[0], plain)


def test_measuring_is_in_full_precision() -> None:
    """At a vanishing learning rate both trials measure the same network."""
    data = Data(("a", "b", "c"), "none", random_split(1), random_split(2), random_split(3, 6))
    rows = {}
    for precision in ("fp32", "bf16"):
        given = Trial(
            dataset="shapes", model="xdnn", backbone="resnet10", attribution="ixg", depth="input", loss="energy",
            lambda_loc=1e-3, learning_rate=1e-30, epochs=1, image_size=SIZE, precision=precision,
            probes=(Probe("gradcam", "final"),),
        )  # fmt: skip
        rows[precision] = next(guided_training(given, data)).rows
    for key in ("f1", "epg", "iou", "class_loss"):
        assert rows["bf16"][1][key] == rows["fp32"][1][key]
    assert rows["bf16"][0]["class_loss"] != rows["fp32"][0]["class_loss"]


def test_the_mode_ends_with_the_training() -> None:
    classifier = filled("vanilla")
    with multiplying(classifier, "tf32"):
        assert torch.backends.cudnn.conv.fp32_precision == "tf32"
    assert torch.backends.cudnn.conv.fp32_precision == "ieee"
    with multiplying(classifier, "bf16"):
        assert {layer.factors for layer in classifier.network.steps()[0]} == {torch.bfloat16}
    assert {layer.factors for layer in classifier.network.steps()[0]} == {None}
