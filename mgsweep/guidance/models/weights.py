"""Initial weights read from files: checked, translated to our names, and loaded into networks.

Files are opened with `weights_only=True` and nothing else, so that one from elsewhere cannot run code.
"""

from __future__ import annotations

import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mgsweep.errors import InvalidInput, Problem
from mgsweep.guidance.models import build
from mgsweep.guidance.models.classifier import Network
from mgsweep.guidance.models.sources import WeightsFile, verify

NESTED = ("state_dict", "model")
"""Keys under which training scripts keep the weights among other things."""


def initial(model: str, backbone: str, file: WeightsFile) -> dict[str, Tensor]:
    """The weights in a file under our names, without a head: what is trained on has other classes.

    Raises:
        InvalidInput: the file is not what it should be, cannot be read, or does not fit the network: all of it.
    """
    verify(file)
    with torch.device("meta"):
        network = build(model, backbone, 1000).network
    weights = translated(read(file.path), network)
    body = {name: value for name, value in weights.items() if not _of_head(name, network)}
    if wrong := misfits(network, body):
        raise InvalidInput(Problem(str(file.path), "weights", message) for message in wrong)
    return body


def read(path: Path) -> dict[str, Tensor]:
    """The tensors in a file, under its own names.

    Raises:
        InvalidInput: not a file of weights, or one that holds more than tensors.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        named = re.search(r"GLOBAL (\S+)", str(error))
        held = f"it asks for {named[1]}" if named else "it is damaged, or holds more than tensors"
        message = f"refused: {held}, and a file that may run code is not read; save a state dict of tensors"
        raise InvalidInput.of(message, where=str(path), key="weights") from None
    except (RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise InvalidInput.of(f"not a readable file of weights: {reason[0]}", where=str(path), key="weights") from None
    return _tensors(content, path)


def _tensors(content: Any, path: Path) -> dict[str, Tensor]:
    for key in NESTED:
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    if not isinstance(content, Mapping):
        message = f"expected a state dict, names and tensors, got a {type(content).__name__}"
        raise InvalidInput.of(message, where=str(path), key="weights")
    others = [str(name) for name, value in content.items() if not isinstance(value, Tensor)]
    if others or not content:
        message = f"expected a state dict, names and tensors, but {', '.join(others) or 'it is empty'}"
        message += " is no tensor" if len(others) == 1 else " are no tensors" if others else ""
        raise InvalidInput.of(message, where=str(path), key="weights")
    return dict(content)


def translated(weights: Mapping[str, Tensor], network: Network) -> dict[str, Tensor]:
    """Weights under the names of `network`: without the prefix of a wrapper, inside of the chain that B-cos ends with.

    B-cos networks stand in a chain before their logit bias, and are published with and without it.
    """
    named = {re.sub(r"^(module\.|network\.)+", "", name): value for name, value in weights.items()}
    chained = all(name.startswith("0.") for name in network.state_dict())
    if chained and not any(name.startswith("0.") for name in named):
        named = {f"0.{name}": value for name, value in named.items()}
    return named


def _of_head(name: str, network: Network) -> bool:
    return name.startswith(f"{network.head}.")


def misfits(network: Network, weights: Mapping[str, Tensor]) -> list[str]:
    """Everything that keeps weights from being loaded: missing and unknown names, shapes, values that are no numbers.

    Only the head may be missing.
    """
    own = network.state_dict()
    wrong = [f"{name} is missing" for name in own.keys() - weights.keys() if not _of_head(name, network)]
    wrong += [f"{name} is not a parameter of the network" for name in weights.keys() - own.keys()]
    for name in own.keys() & weights.keys():
        value = weights[name]
        if own[name].shape != value.shape:
            wrong.append(f"{name} has shape {tuple(value.shape)}, expected {tuple(own[name].shape)}")
        elif not value.isfinite().all():
            wrong.append(f"{name} holds values that are NaN or infinite")
    return sorted(wrong)


def load(network: Network, weights: Mapping[str, Tensor]) -> None:
    """Load initial weights into a bare network. Only its head may be missing: that keeps its fresh weights.

    Raises:
        InvalidInput: everything that does not fit.
    """
    if wrong := misfits(network, weights):
        raise InvalidInput(Problem("", "weights", message) for message in wrong)
    network.load_state_dict({**network.state_dict(), **weights})
