"""Networks with known weights: those behind the stored numbers of the published implementation."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import torch
from bcos.models import densenet, resnet, vit
from bcos.modules import BcosConv2d, BcosLinear, BcosSequential, DetachableGNLayerNorm2d, LogitLayer, norms
from torch import Tensor, nn

from mgsweep.guidance.models import build
from mgsweep.guidance.models.bcos import LOGIT_BIAS
from mgsweep.guidance.models.classifier import Classifier

GOLDEN = Path(__file__).parents[1] / "golden"
CLASSES = 5


def fill(network: nn.Module) -> None:
    """Load weights that follow from names and shapes alone into a bare network of any family."""
    random = np.random.RandomState(18)
    state = network.state_dict()
    for name in sorted(state):
        shape = tuple(state[name].shape)
        noise = random.standard_normal(shape)
        if not name.endswith("num_batches_tracked"):
            state[name] = torch.as_tensor(_weights(name, shape, noise)).to(state[name].dtype)
    network.load_state_dict(state)


def _weights(name: str, shape: tuple[int, ...], noise: np.ndarray) -> np.ndarray:
    if name.endswith("running_var"):
        return 1 + 0.2 * np.tanh(noise)
    if name.endswith("running_mean"):
        return 0.05 * noise
    if len(shape) >= 2:
        return noise * np.sqrt(2 / np.prod(shape[1:]))
    return 1 + 0.1 * np.tanh(noise) if name.endswith("weight") else 0.02 * noise


def filled(model: str, backbone: str = "resnet10", classes: int = CLASSES) -> Classifier:
    """A classifier with the weights of `fill`."""
    classifier = build(model, backbone, classes)
    assert isinstance(classifier, Classifier)
    fill(classifier.network)
    return classifier


def published_bcos(backbone: str) -> nn.Module:
    """The network of the `bcos` package with the weights of `filled`, in double precision."""
    state = filled("bcos", backbone).network.state_dict()
    if backbone == "vitc_s":
        network = _published_vit()
    else:
        build_network = densenet.densenet121 if backbone == "densenet121" else getattr(resnet, backbone)
        norm = norms.NoBias(norms.BatchNormUncentered2d)
        network = build_network(num_classes=CLASSES, norm_layer=norm, logit_bias=LOGIT_BIAS)
        state = {name.removeprefix("0."): tensor for name, tensor in state.items()}
    network.load_state_dict(state)
    return network.double()


def _published_vit() -> nn.Module:
    with warnings.catch_warnings(action="ignore"):  # it warns that the logit bias is missing, which is added here
        network = vit.vitc_s_patch1_14(
            num_classes=CLASSES,
            channels=6,
            linear_layer=BcosLinear,
            conv2d_layer=BcosConv2d,
            norm_layer=norms.NoBias(norms.DetachableLayerNorm),
            norm2d_layer=norms.NoBias(DetachableGNLayerNorm2d),
            act_layer=nn.Identity,
        )
    return BcosSequential(network, LogitLayer(logit_bias=LOGIT_BIAS))


def random_images(count: int = 2, size: int = 64) -> Tensor:
    """The same `count` images (count, 3, size, size) every time."""
    return torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(0))
