"""Where a row comes from: versions, commit, machine."""

from __future__ import annotations

import datetime
import importlib.metadata
import platform
import subprocess
from functools import cache
from typing import TYPE_CHECKING, Any

from mgsweep import __version__
from mgsweep.guidance.device import describe

if TYPE_CHECKING:
    import torch


def provenance(device: torch.device) -> dict[str, Any]:
    """The provenance columns of one attempt at a trial."""
    return {
        "device": describe(device),
        "host": platform.node(),
        "started": datetime.datetime.now(datetime.UTC),
        "mgsweep_version": __version__,
        "torch_version": torch_version(),
        **checkout(),
    }


@cache
def torch_version() -> str:
    """As it is installed, without importing it."""
    return importlib.metadata.version("torch")


@cache
def checkout() -> dict[str, Any]:
    """Commit and dirty flag of the working directory's git checkout; nulls outside of one."""
    commit = _git("rev-parse", "HEAD")
    dirty = bool(_git("status", "--porcelain", "--untracked-files=no")) if commit else None
    return {"git_commit": commit, "git_dirty": dirty}


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None
