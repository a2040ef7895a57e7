"""Data sets. A new one is one file beside this and one line below; `contracts.Dataset` says what it promises."""

import re

from mgsweep.guidance.contracts import Dataset
from mgsweep.registry import Registry

OWN = Dataset("own", "mgsweep.guidance.datasets.own:own", has_masks=True)
"""The line of all data sets that a sweep file describes itself."""
FINGERPRINTED = re.compile(r"(?P<name>[a-z0-9_]+)_[0-9a-f]{12}")
"""What those are called: a name, and the beginning of their content's fingerprint."""


class Datasets(Registry[Dataset]):
    """The data sets that have a name of their own, and by their fingerprinted names those of users."""

    def __getitem__(self, name: str) -> Dataset:
        return OWN if FINGERPRINTED.fullmatch(name) else super().__getitem__(name)


DATASETS = Datasets(
    "dataset",
    Dataset("shapes", "mgsweep.guidance.datasets.shapes:shapes", needs_root=False, has_masks=True),
    Dataset("voc2007", "mgsweep.guidance.datasets.voc2007:voc2007", has_masks=True),
    Dataset("coco2014", "mgsweep.guidance.datasets.coco2014:coco2014", has_masks=True),
    Dataset("waterbirds", "mgsweep.guidance.datasets.waterbirds:waterbirds"),
    Dataset("waterbirds_reversed", "mgsweep.guidance.datasets.waterbirds:waterbirds_reversed", folder="waterbirds"),
)
