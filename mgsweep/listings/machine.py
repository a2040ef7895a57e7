"""`mgsweep doctor`: what a run on this machine would have."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from pathlib import Path
from typing import Any

from mgsweep import __version__

Cells = dict[str, Any]


def machine(store: Path) -> list[Cells]:
    """What a run here would have: each thing looked at, and whether it is well."""
    from mgsweep.guidance.device import gpus
    from mgsweep.runner.places import Places

    places = Places(store)
    packages = ("torch", "torchvision", "ray", "optuna", "pandas", "pyarrow")
    rows = [{"what": name, "found": importlib.metadata.version(name)} for name in packages]
    return [
        {"what": "mgsweep", "found": __version__},
        {"what": "python", "found": platform.python_version()},
        *rows,
        {"what": "processors", "found": f"{os.cpu_count()} cores"},
        {"what": "GPUs", "found": ", ".join(gpus()) or "none; trials run on the CPU"},
        {"what": "store", "found": _folder(store)},
        {"what": "data cache", "found": _folder(places.cache)},
        {"what": "weights", "found": _folder(places.weights)},
    ]


def _folder(path: Path) -> str:
    """Whether files can be written there. Looks at the nearest folder that exists, and leaves nothing behind."""
    nearest = next(folder for folder in (path.resolve(), *path.resolve().parents) if folder.exists())
    if not (nearest.is_dir() and os.access(nearest, os.W_OK)):
        return f"{path}: cannot be written"
    return str(path) if path.exists() else f"{path}: will be made"
