"""`mgsweep doctor`: what a run on this machine would have."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from pathlib import Path
from typing import Any

from mgsweep import __version__
from mgsweep.guidance.datasets import DATASETS
from mgsweep.runner.places import Places

Cells = dict[str, Any]


def machine(store: Path) -> list[Cells]:
    """What a run here would have: each thing looked at, and whether it is well."""
    from mgsweep.guidance.device import gpus

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
        {"what": "data sets", "found": _data(places)},
        {"what": "data cache", "found": _folder(places.cache)},
        {"what": "weights", "found": _folder(places.weights)},
    ]


def _data(places: Places) -> str:
    """Which data sets lie below MGSWEEP_DATA, where a sweep file does not say otherwise."""
    folders = {name: places.root(name) for name, dataset in DATASETS.items() if not dataset.folder}
    found = {name: folder for name, folder in folders.items() if isinstance(folder, Path)}
    there = ", ".join(name for name, folder in found.items() if folder.is_dir())
    return f"{next(iter(found.values())).parent}: {there or 'none of ' + ', '.join(found)}"


def _folder(path: Path) -> str:
    """Whether files can be written there. Looks at the nearest folder that exists, and leaves nothing behind."""
    nearest = next(folder for folder in (path.resolve(), *path.resolve().parents) if folder.exists())
    if not (nearest.is_dir() and os.access(nearest, os.W_OK)):
        return f"{path}: cannot be written"
    return str(path) if path.exists() else f"{path}: will be made"
