"""Random numbers by name: every draw of a trial has its own stream, so adding one never shifts the others.

A stream is made afresh for each epoch, which is why resuming needs no saved random state.
"""

from __future__ import annotations

import hashlib

import torch


def seed_of(seed: int, *names: object) -> int:
    """A 63-bit seed for one purpose of a trial."""
    digest = hashlib.sha256("/".join(map(str, (seed, *names))).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def generator(seed: int, *names: object) -> torch.Generator:
    """A fresh CPU generator for one purpose of a trial."""
    return torch.Generator().manual_seed(seed_of(seed, *names))
