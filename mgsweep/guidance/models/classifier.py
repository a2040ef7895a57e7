"""What the families share: a network cut at its depths, and the classifier that encodes images and explains itself."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn

from mgsweep.errors import UnknownName
from mgsweep.guidance.contracts import DEPTHS
from mgsweep.guidance.models.layers import Layer, Pullback, chain, composed
from mgsweep.guidance.models.recomputing import recomputed
from mgsweep.guidance.reading import Reading


class Network(nn.Module, ABC):
    """A bare network on encoded images (B, K, H, W): a chain of layers, cut at the depths it can be read at."""

    head = "fc"
    """What the names of its classifying layer's parameters begin with: those that pretrained weights leave fresh."""

    @abstractmethod
    def steps(self) -> tuple[tuple[Layer, ...], ...]:
        """The network in its own forward order; the input of step i is what stands at `DEPTHS[i]`."""

    def forward(self, encoded: Tensor) -> Tensor:
        """Logits (B, C)."""
        for step in self.steps():
            for layer in step:
                encoded = layer(encoded)  # called as modules, so that hooks on them are heard
        return encoded

    def explaining(self) -> AbstractContextManager[None]:
        """While open, pullbacks of a dynamic-linear network treat its dynamic weights as constants."""
        return nullcontext()

    def as_now(self) -> Callable[[], AbstractContextManager[None]]:
        """What to open later for pullbacks to treat dynamic weights as they do now."""
        return nullcontext


class Classifier(nn.Module):
    """`network` behind the `encoding` of images in [0, 1].

    Weights and features lie in memory with their channels last: convolutions, sums over channels and statistics by
    channel are faster so, forward and back. It changes no shape.
    """

    def __init__(self, network: Network, encoding: nn.Module) -> None:
        super().__init__()
        self.network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stub lacks it
        self.encoding = encoding
        self.checkpoint_stages = False
        """Whether a step keeps the inputs of blocks alone and computes the rest again: less memory for more time."""

    @property
    def couples_images(self) -> bool:
        """Whether what an image gives depends on the others of its batch, as with batch norm in training."""
        return any(module.training for module in self.network.modules() if isinstance(module, nn.BatchNorm2d))

    def _encoded(self, images: Tensor) -> Tensor:
        encoded: Tensor = self.encoding(images)
        return encoded.contiguous(memory_format=torch.channels_last)

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, 3, H, W) in [0, 1] -> logits (B, C)."""
        if self._recomputes():
            return self.read(images, DEPTHS[-1:])[0].logits
        logits: Tensor = self.network(self._encoded(images))
        return logits

    def _recomputes(self) -> bool:
        return self.checkpoint_stages and torch.is_grad_enabled()

    def _vjp(self, x: Tensor, step: Sequence[Layer]) -> tuple[Tensor, Pullback]:
        return recomputed(x, step, self.network.as_now) if self._recomputes() else chain(x, *step)

    def read(self, images: Tensor, depths: Sequence[str]) -> list[Reading]:
        """One forward pass of images (B, 3, H, W) in [0, 1], read at each of the depths.

        Raises:
            UnknownName: no such depth.
        """
        cuts = [_cut(depth) for depth in depths]
        x, first = self._encoded(images), min(cuts)
        features, pulls = [], []
        for number, step in enumerate(self.network.steps()):
            features.append(x)
            x, pull = self._vjp(x, step)
            if number >= first:  # what lies below is never pulled through, and let go
                pulls.append(pull)
        return [Reading(x, features[cut], composed(pulls[cut - first :]), self.network.explaining) for cut in cuts]


def _cut(depth: str) -> int:
    if depth not in DEPTHS:
        raise UnknownName("depth", depth, DEPTHS)
    return DEPTHS.index(depth)


class Normalise(nn.Module):
    """Images in [0, 1] with a mean and a standard deviation of their channels taken out, by default ImageNet's."""

    mean: Tensor
    std: Tensor

    def __init__(
        self, mean: Sequence[float] = (0.485, 0.456, 0.406), std: Sequence[float] = (0.229, 0.224, 0.225)
    ) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(3, 1, 1), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, 3, H, W)."""
        return (images - self.mean) / self.std
