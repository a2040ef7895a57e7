"""Data sets. A new one is one file beside this and one line below; `contracts.Dataset` says what it promises."""

from mgsweep.guidance.contracts import Dataset
from mgsweep.registry import Registry

DATASETS = Registry(
    "dataset",
    Dataset("shapes", "mgsweep.guidance.datasets.shapes:shapes", needs_root=False, has_masks=True),
    Dataset("voc2007", "mgsweep.guidance.datasets.voc2007:voc2007"),
    Dataset("coco2014", "mgsweep.guidance.datasets.coco2014:coco2014"),
)
