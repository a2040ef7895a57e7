"""Model families: one suite for the contract, then each family against an independent implementation of it."""

from __future__ import annotations

import copy
import json

import pytest
import torch
import torchvision
from golden import CLASSES, GOLDEN, filled, published_bcos, random_images
from torch import Tensor, nn

from mgsweep.errors import UnknownName
from mgsweep.guidance.contracts import DEPTHS
from mgsweep.guidance.models import MODELS, build
from mgsweep.guidance.models.bcos_layers import BcosConv2d, ExplanationMode, _Cosine
from mgsweep.guidance.models.classifier import Classifier, Network
from mgsweep.guidance.models.layers import Layer
from mgsweep.guidance.models.resnet import LAYOUTS

QUICK = [layout for layout in LAYOUTS if layout != "resnet101"]
"""A ResNet-101 is a ResNet-50 with more blocks; torchvision's own is beside it below."""
PAIRS = [(model.name, backbone) for model in MODELS.values() for backbone in model.backbones if backbone != "resnet101"]
SHAPES = json.loads((GOLDEN / "state_dict_shapes.json").read_text())


def fresh(model: str, backbone: str = "resnet10", seed: int = 0) -> Classifier:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        classifier = build(model, backbone, CLASSES)
    assert isinstance(classifier, Classifier)
    return classifier


def input_gradient(model: Classifier, images: Tensor) -> Tensor:
    (reading,) = model.read(images, ["input"])
    return reading.gradient(torch.zeros(len(images), dtype=torch.int64)).detach()


# The contract


@pytest.mark.parametrize(("model", "backbone"), PAIRS)
def test_reading_gives_the_logits_and_what_they_follow_from(model: str, backbone: str) -> None:
    classifier = filled(model, backbone).eval()
    images = random_images()
    expected = classifier(images)
    assert expected.shape == (2, CLASSES)
    sides = {"resnet10": (64, 32, 16, 8, 8), "vitc_s": (64, 16, 8, 4, 4)}.get(backbone, (64, 16, 8, 4, 2))
    for side, reading in zip(sides, classifier.read(images, DEPTHS), strict=True):
        torch.testing.assert_close(reading.logits, expected)
        assert reading.features.shape[0] == 2
        assert reading.features.shape[2:] == (side, side)
        assert reading.gradient(torch.tensor([0, 1])).shape == reading.features.shape


STAGES = {
    "efficientnet_lite0": ("_blocks.2", "_blocks.4", "_blocks.10", "relu"),
    "densenet121": ("features.denseblock1", "features.denseblock2", "features.denseblock3", "features.norm5"),
    "vitc_s": (
        "to_patch_embedding.conv_stem.5",
        "to_patch_embedding.conv_stem.8",
        "to_patch_embedding.linear",
        "transformer",
    ),
}
"""The modules that end the stages; in a ResNet they are called layer1 to layer4."""


@pytest.mark.parametrize(("model", "backbone"), PAIRS)
def test_every_depth_is_the_output_of_its_stage(model: str, backbone: str) -> None:
    classifier, seen = filled(model, backbone).eval(), dict[str, Tensor]()
    prefix = "0." if model == "bcos" else ""
    names = [prefix + name for name in STAGES.get(backbone, [f"layer{number}" for number in range(1, 5)])]
    for name in names:
        module = classifier.network.get_submodule(name)
        module.register_forward_hook(lambda *call, name=name: seen.update({name: call[2]}))
    classifier(random_images())
    for name, reading in zip(names, classifier.read(random_images(), DEPTHS[1:]), strict=True):
        torch.testing.assert_close(reading.features, seen[name])


@pytest.mark.parametrize("model", MODELS)
def test_features_at_the_input_are_the_encoded_image(model: str) -> None:
    classifier, images = fresh(model), random_images()
    (reading,) = classifier.read(images, ["input"])
    assert not reading.features.requires_grad  # the gradient by the images is never formed in a backward
    if model == "bcos":
        torch.testing.assert_close(reading.features, torch.cat([images, 1 - images], 1))
    else:
        normalise = torchvision.transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
        torch.testing.assert_close(reading.features, normalise(images))


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("model", MODELS)
def test_explaining_without_gradients_keeps_no_graph(model: str, depth: str) -> None:
    classifier = filled(model).eval()
    with torch.inference_mode():
        (reading,) = classifier.read(random_images(), [depth])
        gradient = reading.gradient(torch.tensor([0, 1]))
    assert gradient.is_inference()
    assert gradient.abs().sum() > 0


@pytest.mark.parametrize("model", MODELS)
def test_channels_lie_last_in_every_layer_and_on_the_way_back(model: str) -> None:
    """One layer that answered in another layout would have every later one copy what it is given."""
    classifier, others = filled(model), []

    def look(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        others.extend(type(module) for x in (*inputs, output) if x.dim() == 4 and not last(x))

    for module in classifier.network.modules():
        module.register_forward_hook(look)
    classifier(random_images())
    (reading,) = classifier.read(random_images(), ["input"])
    assert others == []
    assert last(reading.gradient(torch.tensor([0, 1])))


def last(x: Tensor) -> bool:
    return x.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("model", MODELS)
def test_initial_weights_follow_from_the_seed(model: str) -> None:
    first, again, other = (fresh(model, seed=seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)


@pytest.mark.parametrize(("model", "backbone"), PAIRS)
def test_fresh_networks_have_gradients_of_sane_size(model: str, backbone: str) -> None:
    gradient = input_gradient(fresh(model, backbone), random_images())
    assert gradient.isfinite().all()
    assert 1e-6 < gradient.abs().max() < 1e2


@pytest.mark.parametrize("model", MODELS)
def test_fresh_networks_learn(model: str) -> None:
    classifier, images = fresh(model), random_images(8, size=32)
    labels = torch.eye(CLASSES).repeat(2, 1)[:8]
    optimiser = torch.optim.Adam(classifier.parameters(), lr=3e-3)
    losses = []
    for _ in range(40):
        loss = nn.functional.binary_cross_entropy_with_logits(classifier(images), labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert min(losses[-5:]) < 0.4 * min(losses[0], 0.69)


def test_registered_backbones_are_the_known_layouts() -> None:
    others = {"vanilla": ("efficientnet_lite0",), "xdnn": (), "bcos": ("densenet121", "vitc_s")}
    assert {model.name: model.backbones for model in MODELS.values()} == {
        name: (*LAYOUTS, *more) for name, more in others.items()
    }


@pytest.mark.parametrize("model", MODELS)
def test_unknown_names_are_refused(model: str) -> None:
    with pytest.raises(UnknownName, match=r"unknown backbone 'resnet5'.*resnet50"):
        build(model, "resnet5", CLASSES)
    with pytest.raises(UnknownName, match=r"unknown depth 'mid4'.*mid3"):
        fresh(model).read(random_images(), ["mid4"])


@pytest.mark.parametrize("name", SHAPES)
def test_tensors_are_named_and_shaped_as_published(name: str) -> None:
    state = build(*name.split("_"), num_classes=20).network.state_dict()
    assert {key: list(tensor.shape) for key, tensor in state.items()} == SHAPES[name]


@pytest.mark.parametrize(("kind", "missing"), [(Layer, "vjp"), (Network, "steps")])
def test_a_block_or_network_without_its_own_part_is_refused_when_it_is_built(kind: type, missing: str) -> None:
    with pytest.raises(TypeError, match=f"abstract.*{missing}"):
        type("Incomplete", (kind,), {})()


@pytest.mark.parametrize("model", MODELS)
def test_the_classifier_stores_nothing_but_its_network(model: str) -> None:
    classifier = fresh(model)
    assert list(classifier.state_dict()) == [f"network.{name}" for name in classifier.network.state_dict()]


# vanilla


@pytest.mark.parametrize("backbone", ["resnet18", "resnet34", "resnet50", "resnet101"])
def test_vanilla_equals_torchvision(backbone: str) -> None:
    ours, referee = filled("vanilla", backbone).double(), getattr(torchvision.models, backbone)(num_classes=CLASSES)
    referee.double().load_state_dict(ours.network.state_dict())
    encoded = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0)).double()
    for training in (True, False):  # train first, so that eval sees the running statistics it left
        torch.testing.assert_close(ours.network.train(training)(encoded), referee.train(training)(encoded))


def test_vanilla_starts_as_torchvision_does() -> None:
    ours = fresh("vanilla", "resnet18").network
    with torch.random.fork_rng():
        torch.manual_seed(1)
        referee = torchvision.models.resnet18(num_classes=CLASSES)
    for name, weight in ours.named_parameters():
        if name != "fc.bias":  # too few values to compare how they spread
            assert deviation(weight) == pytest.approx(deviation(referee.get_parameter(name)), rel=0.05), name


def deviation(weight: Tensor) -> float:
    return weight.std().item()


# xdnn


@pytest.mark.parametrize("backbone", QUICK)
@pytest.mark.parametrize("factor", [0.01, 7.0])
def test_xdnn_is_homogeneous_up_to_its_bias(backbone: str, factor: float) -> None:
    network = filled("xdnn", backbone).network
    bias = network.get_parameter("fc.bias")
    encoded = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    expected = factor * (network(encoded) - bias)
    torch.testing.assert_close(network(factor * encoded) - bias, expected, rtol=1e-4, atol=1e-4 * factor)


@pytest.mark.parametrize(("backbone", "factor"), [("resnet18", 8 ** (-1 / 2)), ("resnet50", 16 ** (-1 / 4))])
def test_xdnn_starts_by_the_rule_of_fixup(backbone: str, factor: float) -> None:
    for name, weight in fresh("xdnn", backbone).network.named_parameters():
        if name.startswith("fc"):
            assert deviation(weight) > 0
        elif name.endswith("conv3.weight" if backbone == "resnet50" else "conv2.weight"):
            assert not weight.any()
        else:
            he = (2 / (weight.shape[0] * weight.shape[2] * weight.shape[3])) ** 0.5
            scale = factor if "layer" in name and "downsample" not in name else 1
            assert deviation(weight) == pytest.approx(scale * he, rel=0.1), name


# bcos


@pytest.mark.parametrize("backbone", ["resnet18", "resnet50"])
def test_bcos_equals_the_published_layers(backbone: str) -> None:
    ours, referee = filled("bcos", backbone), published_bcos(backbone)
    encoded = torch.rand(3, 6, 32, 32, dtype=torch.double, generator=torch.Generator().manual_seed(0))
    for training in (True, False):  # train first, so that eval sees the running statistics it left
        torch.testing.assert_close(ours.network.train(training).double()(encoded), referee.train(training)(encoded))
    for name, tensor in referee.state_dict().items():
        torch.testing.assert_close(ours.network.state_dict()[f"0.{name}"], tensor)


def test_patch_norms_are_the_lengths_of_the_patches_under_the_kernel() -> None:
    layer = BcosConv2d(4, 1, kernel=3, stride=2, mode=ExplanationMode())
    x = torch.randn(2, 4, 9, 9, generator=torch.Generator().manual_seed(0))
    patches = nn.functional.unfold(x, 3, padding=1, stride=2)
    *_, norms = _Cosine.apply(x, layer.linear.weight, layer.linear)
    torch.testing.assert_close(norms.flatten(2).squeeze(1), patches.norm(dim=1), atol=1e-5, rtol=1e-5)


def explained(model: Classifier, images: Tensor, constant: bool) -> Tensor:
    return model.read(images, ["input"])[0].gradient(torch.zeros(len(images), dtype=torch.int64), constant).detach()


def test_weights_are_constant_only_to_an_explanation_that_asks_for_it() -> None:
    model, images = filled("bcos").eval(), random_images(1, 32)
    plain, constant = explained(model, images, False), explained(model, images, True)
    assert (constant - plain).abs().max() > 0.1 * plain.abs().max()
    torch.testing.assert_close(explained(model, images, False), plain)
    with pytest.raises(ZeroDivisionError), model.network.explaining():
        raise ZeroDivisionError
    torch.testing.assert_close(explained(model, images, False), plain)


@pytest.mark.parametrize("copied", [True, False])
def test_explaining_one_model_leaves_others_alone(copied: bool) -> None:
    model, images = filled("bcos").eval(), random_images(1, 32)
    other = copy.deepcopy(model) if copied else filled("bcos").eval()
    plain, constant = explained(other, images, False), explained(other, images, True)
    with model.network.explaining():
        torch.testing.assert_close(explained(other, images, False), plain)
        torch.testing.assert_close(explained(other, images, True), constant)


@pytest.mark.parametrize("model", ["vanilla", "xdnn"])
def test_constant_weights_change_nothing_where_none_are_dynamic(model: str) -> None:
    classifier, images = filled(model).eval(), random_images(1, 32)
    torch.testing.assert_close(explained(classifier, images, True), explained(classifier, images, False))
