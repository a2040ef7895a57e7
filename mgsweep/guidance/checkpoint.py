"""States and weights as bytes. Read back with `weights_only`, so a file from elsewhere cannot run code."""

from __future__ import annotations

import io
import pickle
from dataclasses import replace
from typing import Any

import torch

from mgsweep.errors import StoreError
from mgsweep.guidance.training import State, Weights


def dump_state(state: State) -> bytes:
    """A state without the weights of its members, of which only the epochs are noted: those are kept file by file."""
    return _dump({**vars(replace(state, members={})), "members": list(state.members)})


def load_state(content: bytes, members: dict[int, Weights]) -> tuple[State, list[int]]:
    """A state with those of its members that are given, and the epochs of all it had.

    Raises:
        StoreError: not a state that this version wrote.
    """
    fields = _load(content)
    epochs = list(fields.pop("members"))
    return State(**fields, members={epoch: members[epoch] for epoch in epochs if epoch in members}), epochs


def dump_weights(weights: Weights) -> bytes:
    """A network's state dict."""
    return _dump(dict(weights))


def load_weights(content: bytes) -> Weights:
    """A network's state dict.

    Raises:
        StoreError: not a checkpoint, or one that holds more than tensors.
    """
    weights: Weights = _load(content)
    return weights


def _dump(value: Any) -> bytes:
    buffer = io.BytesIO()
    torch.save(value, buffer)
    return buffer.getvalue()


def _load(content: bytes) -> Any:
    try:
        return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, OSError, pickle.UnpicklingError) as error:
        raise StoreError(f"not a readable checkpoint: {str(error).splitlines()[0]}") from None
