"""What each kind of component promises. Facts stand in the registry lines, code in the components' own files.

Adding a component is one new file and one line: models *have* traits, attributions *need* them, so no table of
allowed pairs has to be kept. Nothing here imports torch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from mgsweep.errors import InvalidInput
from mgsweep.registry import Component

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from mgsweep.guidance.datasets.own import OwnData
    from mgsweep.guidance.datasets.samples import Source
    from mgsweep.guidance.models.classifier import Classifier
    from mgsweep.guidance.reading import Reading

DEPTHS = ("input", "mid1", "mid2", "mid3", "final")
"""Where a network can be read, shallow to deep: the image, then the outputs of its four stages."""

SPLITS = ("train", "val", "test")


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
    """An attribution: (reading, classes) -> raw maps (B, h, w) of one class (B,) an image.

    It can be differentiated by the parameters if the reading can, and the gradient of the maps then reaches every
    convolution (`test_maps_reach_every_convolution_at_second_order`): maps that are constant in the weights cannot be
    guided. Tests compare it with its plain form, a line of `PLAIN` in tests/support/double_backward.py. `needs` are
    traits a model must have, `depths` the usable ones; `reason` completes "<name> needs ..." for the user.
    """

    needs: frozenset[str] = frozenset()
    depths: tuple[str, ...] = DEPTHS
    reason: str = ""

    def __call__(self, reading: Reading, classes: Tensor) -> Tensor:
        return cast("Tensor", self.load()(reading, classes))


@dataclass(frozen=True)
class Model(Component):
    """A model family: (backbone, num_classes) -> Classifier, freshly initialised.

    Traits: `homogeneous` (f(a x) = a f(x) up to the head's bias) and `dynamic_linear` (f(x) = W(x) x).
    `lacks` says in words why a trait is missing, for the plan's list of skipped trials.
    """

    backbones: tuple[str, ...] = ()
    traits: frozenset[str] = frozenset()
    lacks: str = ""

    def __call__(self, backbone: str, num_classes: int) -> Classifier:
        return cast("Classifier", self.load()(backbone, num_classes))


@dataclass(frozen=True)
class Dataset(Component):
    """A data set: (root) -> Source, listing its samples without decoding them.

    `root` is a folder, or for a user's own data their description. `needs_root`: whether it is read from files at all;
    `has_masks`: whether it knows segmentation masks; `folder`: the data set whose folder it reads, where not its own.
    """

    needs_root: bool = True
    has_masks: bool = False
    folder: str = ""

    def __call__(self, root: Path | OwnData | None) -> Source:
        if self.needs_root and root is None:
            raise InvalidInput.of(f"{self.name} is read from a folder, and none is given", key=self.name)
        return cast("Callable[[Path | OwnData | None], Source]", self.load())(root)
