"""Where things lie on a machine. Never part of a trial: moving data or results changes no id."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mgsweep.guidance.datasets import DATASETS
from mgsweep.guidance.datasets.own import OwnData


@dataclass(frozen=True)
class Places:
    """Folders a worker reads and writes. `results` is the sweep's own folder in the store."""

    results: Path
    data: Mapping[str, Path | OwnData] = field(default_factory=dict)
    cache: Path = field(default_factory=lambda: _folder("MGSWEEP_CACHE", "~/.cache/mgsweep/data"))
    weights: Path = field(default_factory=lambda: _folder("MGSWEEP_WEIGHTS", "~/.cache/mgsweep/weights"))

    def root(self, dataset: str) -> Path | OwnData | None:
        """The folder of a data set, as the sweep says, else below MGSWEEP_DATA; None for a generated one.

        Of own data it is the sweep's description.
        """
        if not DATASETS[dataset].needs_root:
            return None
        folder = DATASETS[dataset].folder or dataset
        return self.data.get(dataset) or self.data.get(folder) or _folder("MGSWEEP_DATA", "data") / folder


def _folder(variable: str, default: str) -> Path:
    return Path(os.environ.get(variable) or default).expanduser().resolve()
