"""What each kind of component promises. Facts stand in the registry lines, code in the components' own files.

Adding a component is one new file and one line: models *have* traits, attributions *need* them, so no table of
allowed pairs has to be kept. Nothing here imports torch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, cast

from mgsweep.errors import InvalidInput
from mgsweep.registry import Component

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path

    from torch import Tensor, nn

    from mgsweep.guidance.datasets.samples import Source
    from mgsweep.guidance.models import classifier

DEPTHS = ("input", "mid1", "mid2", "mid3", "final")
"""Where a network can be read, shallow to deep: the image, then the outputs of its four stages."""

SPLITS = ("train", "val", "test")


class Classifier(Protocol):
    """A network with its input encoding, as `guidance.models.build` returns it (an `nn.Module`)."""

    @property
    def network(self) -> nn.Module:
        """The bare network on encoded images, with the state-dict names of the published checkpoints."""

    def __call__(self, images: Tensor) -> Tensor:
        """Images (B, 3, H, W) in [0, 1] -> logits (B, C)."""

    def read(self, images: Tensor, depth: str) -> tuple[Tensor, Tensor]:
        """Logits (B, C) and the features (B, K, h, w) at `depth`, joined by one graph so that one differentiates."""

    def explaining(self) -> AbstractContextManager[None]:
        """While open, gradients of a dynamic-linear network treat its dynamic weights as constants."""


@dataclass(frozen=True)
class Loss(Component):
    """A guidance loss: raw maps (B, h, w) and masks (B, H, W) bool -> one finite loss per image (B,).

    It prepares the maps itself (clamp, normalise, upsample to H x W; the order is part of the loss). A gradient reaches
    the maps, an empty mask gives no NaN, and a batch equals a loop over its images.
    """

    def __call__(self, maps: Tensor, masks: Tensor) -> Tensor:
        return cast("Tensor", self.load()(maps, masks))


@dataclass(frozen=True)
class Attribution(Component):
    """An attribution: (model, features, scores, create_graph) -> raw maps (B, h, w).

    `features` (B, K, h, w) and `scores` (B,), the chosen logits, come from one `Classifier.read`. With `create_graph`
    the maps can be differentiated again by the parameters. `needs` are traits a model must have, `depths` the usable
    ones; `reason` completes "<name> needs ..." for the user.
    """

    needs: frozenset[str] = frozenset()
    depths: tuple[str, ...] = DEPTHS
    reason: str = ""

    def __call__(self, model: Classifier, features: Tensor, scores: Tensor, create_graph: bool = False) -> Tensor:
        return cast("Tensor", self.load()(model, features, scores, create_graph))


@dataclass(frozen=True)
class Model(Component):
    """A model family: (backbone, num_classes) -> Classifier, freshly initialised.

    Traits: `homogeneous` (f(a x) = a f(x) up to the head's bias) and `dynamic_linear` (f(x) = W(x) x).
    `lacks` says in words why a trait is missing, for the plan's list of skipped trials.
    """

    backbones: tuple[str, ...] = ()
    traits: frozenset[str] = frozenset()
    lacks: str = ""

    def __call__(self, backbone: str, num_classes: int) -> classifier.Classifier:
        return cast("classifier.Classifier", self.load()(backbone, num_classes))


@dataclass(frozen=True)
class Dataset(Component):
    """A data set: (root) -> Source, listing its samples without decoding them.

    `needs_root`: whether it is read from a folder the user has; `has_masks`: whether it knows segmentation masks.
    """

    needs_root: bool = True
    has_masks: bool = False

    def __call__(self, root: Path | None) -> Source:
        if self.needs_root and root is None:
            raise InvalidInput.of(f"{self.name} is read from a folder, and none is given", key=self.name)
        return cast("Callable[[Path | None], Source]", self.load())(root)
