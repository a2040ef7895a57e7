"""ImageNet weights of the families, from the files their authors published. Users bring the files; none is fetched."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from mgsweep.errors import InvalidInput, Problem

FILES = {
    ("vanilla", "resnet18"): "resnet18-f37072fd.pth",
    ("vanilla", "resnet34"): "resnet34-b627a593.pth",
    ("vanilla", "resnet50"): "resnet50-0676ba61.pth",
    ("xdnn", "resnet50"): "xfixup_resnet50_model_best.pth.tar",
    ("bcos", "resnet50"): "resnet_50-f46c1a4159.pth",
}
"""Published names. Hex digits before the ending are the beginning of the file's sha256."""

SOURCES = {
    "vanilla": "torchvision, IMAGENET1K_V1",
    "xdnn": "fast-axiomatic-attribution",
    "bcos": "B-cos v2",
}


def imagenet(model: str, backbone: str, folder: Path) -> dict[str, Tensor]:
    """The published weights under our names, without the 1000-class head.

    Raises:
        InvalidInput: no weights are published for this network, the file is not in `folder`, or it is damaged.
    """
    file = locate(model, backbone, folder)
    digits = re.search(r"-([0-9a-f]{8,})\.", file.name)
    if digits and not hashlib.sha256(file.read_bytes()).hexdigest().startswith(digits[1]):
        raise InvalidInput.of("the checksum in its name does not fit its content; download it again", where=str(file))
    content = torch.load(file, map_location="cpu", weights_only=True)
    weights = content.get("state_dict", content)
    prefix = "0." if model == "bcos" else ""  # its network stands in a chain before the logit bias
    named = {prefix + name.removeprefix("module."): value for name, value in weights.items()}
    return {name: value for name, value in named.items() if not name.startswith(f"{prefix}fc.")}


def load(network: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Load initial weights into a bare network. Only its head may be missing: that keeps its fresh weights.

    Raises:
        InvalidInput: names or shapes that do not fit, all of them.
    """
    own = network.state_dict()
    wrong = [f"{name} is missing" for name in own.keys() - weights.keys() if "fc" not in name.split(".")]
    wrong += [f"{name} is not a parameter of the network" for name in weights.keys() - own.keys()]
    for name in own.keys() & weights.keys():
        if own[name].shape != weights[name].shape:
            wrong.append(f"{name} has shape {tuple(weights[name].shape)}, expected {tuple(own[name].shape)}")
    if wrong:
        raise InvalidInput(Problem("", "weights", message) for message in sorted(wrong))
    network.load_state_dict({**own, **weights})


def locate(model: str, backbone: str, folder: Path) -> Path:
    """Where the file is.

    Raises:
        InvalidInput: no weights are published for this network, or the file is not in `folder`.
    """
    name = FILES.get((model, backbone))
    if name is None:
        message = f"no ImageNet weights are published for {model} {backbone}; choose weights: random"
        raise InvalidInput.of(message, key="weights")
    if not (folder / name).is_file():
        message = (
            f"{name} ({SOURCES[model]}) is not there; put it there, or set MGSWEEP_WEIGHTS to the folder that has it"
        )
        raise InvalidInput.of(message, where=str(folder), key="weights")
    return folder / name
