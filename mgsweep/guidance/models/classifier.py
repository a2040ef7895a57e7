"""What the families share: a network cut at its depths, and the classifier that encodes images for it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn

from mgsweep.errors import UnknownName
from mgsweep.guidance.contracts import DEPTHS

Step = Callable[[Tensor], Tensor]


class Network(nn.Module):
    """A bare network on encoded images (B, K, H, W): a chain of steps, cut at the depths it can be read at."""

    def steps(self) -> tuple[Step, ...]:
        """The network in its own forward order; the input of step i is what stands at `DEPTHS[i]`."""
        raise NotImplementedError

    def forward(self, encoded: Tensor) -> Tensor:
        """Logits (B, C)."""
        return run(self.steps(), encoded)

    def explaining(self) -> AbstractContextManager[None]:
        """See `contracts.Classifier.explaining`; a network without dynamic weights has nothing to hold constant."""
        return nullcontext()


def run(steps: tuple[Step, ...], x: Tensor) -> Tensor:
    """`x` after all `steps`."""
    for step in steps:
        x = step(x)
    return x


class Classifier(nn.Module):
    """`contracts.Classifier`: `network` behind the `encoding` of images in [0, 1]."""

    def __init__(self, network: Network, encoding: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.encoding = encoding

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, 3, H, W) in [0, 1] -> logits (B, C)."""
        logits: Tensor = self.network(self.encoding(images))
        return logits

    def read(self, images: Tensor, depth: str) -> tuple[Tensor, Tensor]:
        """Logits (B, C) and the features (B, K, h, w) at `depth` they were computed from, requiring grad.

        At `input` the features are the encoded image, as a leaf.

        Raises:
            UnknownName: no such depth.
        """
        if depth not in DEPTHS:
            raise UnknownName("depth", depth, DEPTHS)
        cut = DEPTHS.index(depth)
        steps = self.network.steps()
        # Nothing below requires grad at the input, or when the parameters are frozen for an evaluation.
        features = run(steps[:cut], self.encoding(images).detach()).requires_grad_()
        return run(steps[cut:], features), features

    def explaining(self) -> AbstractContextManager[None]:
        """While open, gradients of a dynamic-linear network treat its dynamic weights as constants."""
        return self.network.explaining()


class Normalise(nn.Module):
    """Images in [0, 1] with the mean and standard deviation of ImageNet's channels taken out."""

    mean: Tensor
    std: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, 3, H, W)."""
        return (images - self.mean) / self.std
