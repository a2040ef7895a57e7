"""Where things lie on a machine. Never part of a trial: moving data or results changes no id."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mgsweep.errors import InvalidInput
from mgsweep.guidance.datasets import DATASETS
from mgsweep.guidance.datasets.own import OwnData
from mgsweep.guidance.models.sources import WeightsFile, own, published
from mgsweep.guidance.validity import is_own_data
from mgsweep.trial import Trial


@dataclass(frozen=True)
class Places:
    """Folders a worker reads and writes. `results` is the sweep's own folder in the store."""

    results: Path
    data: Mapping[str, Path | OwnData] = field(default_factory=dict)
    cache: Path = field(default_factory=lambda: _folder("MGSWEEP_CACHE", "~/.cache/mgsweep/data"))
    weights: Path = field(default_factory=lambda: _folder("MGSWEEP_WEIGHTS", "~/.cache/mgsweep/weights"))
    own_weights: Mapping[str, Path] = field(default_factory=dict)

    def root(self, dataset: str) -> Path | OwnData | None:
        """The folder of a data set, as the sweep says, else below MGSWEEP_DATA; None for a generated one.

        Of own data it is the sweep's description.

        Raises:
            InvalidInput: the sweep describes no such data, or none any more.
        """
        if not DATASETS[dataset].needs_root:
            return None
        folder = DATASETS[dataset].folder or dataset
        found = self.data.get(dataset) or self.data.get(folder)
        if found is None and is_own_data(dataset):
            raise InvalidInput.of("the sweep file describes no such data, or they have changed since", where=dataset)
        return found or _folder("MGSWEEP_DATA", "data") / folder

    def weights_of(self, trial: Trial) -> WeightsFile | None:
        """The file that a baseline starts from, as published or the sweep's own; None for random weights.

        Raises:
            InvalidInput: it is not there.
        """
        if trial.weights == "random":
            return None
        if trial.weights == "imagenet":
            return published(trial.model, trial.backbone, self.weights)
        return own(trial.weights, self.own_weights)


def _folder(variable: str, default: str) -> Path:
    return Path(os.environ.get(variable) or default).expanduser().resolve()
