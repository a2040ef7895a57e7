"""Attributions: one suite for the contract, then the published numbers and independent implementations."""

from __future__ import annotations

import functools

import captum.attr
import double_backward
import numpy as np
import pytest
import torch
from golden import GOLDEN, filled, published_bcos, random_images
from torch import Tensor, nn

from mgsweep.errors import UnknownName
from mgsweep.guidance.attributions import ATTRIBUTIONS, attribute
from mgsweep.guidance.contracts import DEPTHS
from mgsweep.guidance.losses import LOSSES
from mgsweep.guidance.models import MODELS
from mgsweep.guidance.models.bcos import LOGIT_BIAS
from mgsweep.guidance.models.classifier import Classifier

PROBES = [
    (model.name, method.name, depth)
    for model in MODELS.values()
    for method in ATTRIBUTIONS.values()
    for depth in method.depths
    if method.needs <= model.traits
]
every_probe = pytest.mark.parametrize(("model", "method", "depth"), PROBES)
STORED = np.load(GOLDEN / "models.npz")
LABELS = torch.tensor([0, 3, 4])


# The contract


@every_probe
def test_maps_have_the_features_size_and_hold_no_graph(model: str, method: str, depth: str) -> None:
    classifier, images = filled(model), random_images(3, 32)
    maps = attribute(classifier, images, LABELS, method, depth)
    (reading,) = classifier.read(images, [depth])
    assert maps.shape == (3, *reading.features.shape[2:])
    assert maps.isfinite().all()
    assert maps.abs().sum((1, 2)).gt(0).all()
    assert not maps.requires_grad


@every_probe
def test_a_batch_equals_its_images_one_by_one(model: str, method: str, depth: str) -> None:
    classifier, images = filled(model).double().eval(), random_images(3, 32).double()
    maps = attribute(classifier, images, LABELS, method, depth)
    for index in range(3):
        (alone,) = attribute(classifier, images[[index]], LABELS[[index]], method, depth)
        torch.testing.assert_close(maps[index], alone)


@every_probe
def test_several_classes_are_explained_from_one_reading(model: str, method: str, depth: str) -> None:
    classifier, images = filled(model).eval(), random_images(3, 32)
    with torch.inference_mode():
        *_, reading = classifier.read(images, ["final", depth])
        for label in (1, 2):
            classes = torch.full((3,), label)
            maps = ATTRIBUTIONS[method](reading, classes)
            torch.testing.assert_close(maps, attribute(classifier, images, classes, method, depth))


@every_probe
def test_maps_reach_every_convolution_at_second_order(model: str, method: str, depth: str) -> None:
    classifier, images = filled(model), random_images(3, 32)
    attribute(classifier, images, LABELS, method, depth, create_graph=True).square().sum().backward()
    weights = {name: weight for name, weight in classifier.network.named_parameters() if weight.dim() > 1}
    assert len(weights) == 4 * 2 + 3 + 2
    assert [name for name, weight in weights.items() if weight.grad is None or not weight.grad.any()] == []


@every_probe
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("loss", LOSSES)
def test_adjoints_equal_double_backward(model: str, method: str, depth: str, training: bool, loss: str) -> None:
    """Maps, and gradients of BCE plus a guidance loss by every parameter, to 1e-10 in double precision.

    A term dropped from the norm's adjoint, or dynamic weights detached in a pullback, fails here.
    """
    classifier, images = filled(model).double().train(training), random_images(3, 32).double()
    masks = torch.rand(3, 32, 32, generator=torch.Generator().manual_seed(0)) > 0.5
    parameters = dict(classifier.network.named_parameters())

    def gradients(logits: Tensor, maps: Tensor) -> list[Tensor]:
        total = logits.square().mean() + LOSSES[loss](maps, masks).sum()
        found = torch.autograd.grad(total, list(parameters.values()), allow_unused=True)
        return [torch.zeros(()) if g is None else g for g in found]

    (reading,) = classifier.read(images, [depth])
    ours = ATTRIBUTIONS[method](reading, LABELS)
    logits, theirs = double_backward.guided(classifier, images, LABELS, method, depth)
    close(ours, theirs, "maps")
    for name, mine, plain in zip(parameters, gradients(reading.logits, ours), gradients(logits, theirs), strict=True):
        close(mine, plain, name)


def close(ours: Tensor, theirs: Tensor, name: str) -> None:
    scale = max(theirs.abs().max().item(), 1e-12)
    assert (ours - theirs).abs().max().item() <= 1e-10 * scale, name


def test_an_attribution_without_a_plain_form_is_not_compared_with_another() -> None:
    with pytest.raises(
        LookupError, match="no plain form of the attribution 'lime' .* add it to PLAIN in .*backward.py"
    ):
        double_backward.guided(filled("vanilla"), random_images(1, 32), LABELS[:1], "lime", "input")


def test_unknown_methods_are_refused() -> None:
    with pytest.raises(UnknownName, match=r"unknown attribution 'lime'"):
        attribute(filled("vanilla"), random_images(1, 32), LABELS[:1], "lime", "input")


# The published numbers


@functools.cache
def stored_network(model: str, backbone: str) -> Classifier:
    """In double precision, where the distance to the stored numbers is their own rounding alone."""
    return filled(model, backbone, classes=20).train(model == "bcos").double()


@pytest.mark.parametrize("name", [name for name in STORED.files if "resnet" in name])
def test_maps_and_logits_equal_the_published_implementation(name: str) -> None:
    model, backbone, *probe = name.lower().split("_")
    classifier, images = stored_network(model, backbone), torch.tensor(STORED["images"]).double()
    if probe == ["logits"]:
        ours = classifier(images)
    else:
        method, depth = probe
        ours = attribute(classifier, images, torch.tensor(STORED["classes"]), method, depth)
    expected = torch.tensor(STORED[name]).double()
    # In float32 one unit of this network lies within rounding (3e-8) of its ReLU's kink, and may fall on either side.
    tolerance = 5e-4 if name == "vanilla_resnet50_IxG_Input" else 1e-4
    torch.testing.assert_close(ours, expected, rtol=0, atol=tolerance * expected.abs().max().item())


# Referees


@pytest.mark.parametrize("model", MODELS)
def test_input_times_gradient_equals_captum(model: str) -> None:
    classifier, images = filled(model).eval(), random_images(3, 32)
    encoded = classifier.encoding(images).requires_grad_()
    theirs = captum.attr.InputXGradient(classifier.network).attribute(encoded, target=LABELS)
    torch.testing.assert_close(attribute(classifier, images, LABELS, "ixg", "input"), theirs.detach().sum(1))


@pytest.mark.parametrize("depth", ATTRIBUTIONS["gradcam"].depths)
@pytest.mark.parametrize("model", MODELS)
def test_gradcam_equals_captum(model: str, depth: str) -> None:
    classifier, images = filled(model).eval(), random_images(3, 32)
    prefix = "0.layer" if model == "bcos" else "layer"
    layer = classifier.network.get_submodule(f"{prefix}{DEPTHS.index(depth)}")
    referee = captum.attr.LayerGradCam(classifier.network, layer)
    theirs = referee.attribute(classifier.encoding(images), target=LABELS, relu_attributions=True)
    torch.testing.assert_close(attribute(classifier, images, LABELS, "gradcam", depth), theirs.detach().squeeze(1))


def test_integrated_gradients_equal_captum_on_a_homogeneous_network_only() -> None:
    images, distances = random_images(3, 32).double(), {}
    for model in ("xdnn", "vanilla"):
        classifier = filled(model).double().eval()
        path = captum.attr.IntegratedGradients(classifier.network)
        theirs = path.attribute(classifier.encoding(images), target=LABELS, n_steps=4).detach().sum(1)
        single = ATTRIBUTIONS["intgrad"](*classifier.read(images, ["input"]), LABELS).detach()
        distances[model] = ((single - theirs).abs().max() / theirs.abs().max()).item()
    assert distances["xdnn"] < 1e-9
    assert distances["vanilla"] > 0.1


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("backbone", ["resnet18", "resnet50"])
def test_bcos_contributions_equal_the_published_explanation_mode(backbone: str, training: bool) -> None:
    classifier, images = filled("bcos", backbone).double().train(training), random_images(3, 32).double()
    theirs = published_contributions(published_bcos(backbone).train(training), classifier.encoding(images))
    torch.testing.assert_close(attribute(classifier, images, LABELS, "bcos", "input"), theirs.detach())


def published_contributions(referee: nn.Module, encoded: Tensor) -> Tensor:
    """Maps (B, h, w) whose dynamic weights were detached in the forward pass already."""
    encoded = encoded.detach().requires_grad_()
    with referee.explanation_mode():
        scores = referee(encoded)[range(len(encoded)), LABELS]
        (gradient,) = torch.autograd.grad(scores.sum(), encoded, create_graph=True)
    return (encoded * gradient).sum(1)


# B-cos


@pytest.mark.parametrize("depth", ATTRIBUTIONS["bcos"].depths)
@pytest.mark.parametrize("training", [True, False])
def test_bcos_contributions_sum_to_the_evidence(depth: str, training: bool) -> None:
    classifier, images = filled("bcos").train(training), random_images(3, 32)
    maps = attribute(classifier, images, LABELS, "bcos", depth)
    evidence = classifier(images)[range(3), LABELS].detach() - LOGIT_BIAS
    torch.testing.assert_close(maps.sum((1, 2)), evidence, rtol=1e-4, atol=1e-6)


def test_weights_detached_in_the_forward_pass_would_give_another_guidance_gradient() -> None:
    classifier, referee = filled("bcos", "resnet18").double(), published_bcos("resnet18")
    images = random_images(3, 32).double()
    ours = attribute(classifier, images, LABELS, "bcos", "input", create_graph=True)
    theirs = published_contributions(referee, classifier.encoding(images))
    torch.testing.assert_close(ours, theirs)
    for maps in (ours, theirs):
        maps.square().sum().backward()
    for name in ("conv1.linear.weight", "layer4.1.conv2.linear.weight"):
        full, partial = classifier.network.get_parameter(f"0.{name}").grad, referee.get_parameter(name).grad
        assert full is not None
        assert partial is not None
        assert (full - partial).norm() > 0.1 * full.norm()
