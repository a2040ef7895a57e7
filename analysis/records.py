"""What figures and tables look at of a sweep: of a million rows 0.3 GB, where all there is takes 5."""

from __future__ import annotations

import pandas as pd

from analysis.classes import COUNTS
from analysis.figures.names import plain
from analysis.outputs import Kind
from analysis.progress import READ
from analysis.selection import METRICS, PROBE
from mgsweep.pareto import USUAL
from mgsweep.store import Store
from mgsweep.store.gallery import Gallery
from mgsweep.trial import CONFIG

KEY = ("id", *CONFIG, "epoch", "split", *PROBE)
RECORDS = (*KEY, *METRICS, "seconds", "peak_memory", "device")
CHOSEN_BY = ("f1", "accuracy")


def read(store: Store, kind: Kind) -> pd.DataFrame:
    """The rows that a figure or table of this kind is made from, with own data by their `names.plain`.

    Returns:
        `records`: RECORDS of `Store.frame()`, text as categories. `counts`: likewise KEY and CHOSEN_BY, of the test
        rows the lists by class and size, and the names of the classes in `attrs`. `stopped`:
        `Store.frame(stopped=True)`, as far as `progress` looks at it. `pictures`: `Gallery.frame()`, maps of a few
        images.
    """
    if kind == "pictures":
        return plain(Gallery(store.path).frame())
    if kind == "stopped":
        return plain(store.frame(stopped=True, columns=[*dict.fromkeys([*READ, *USUAL.objectives])]))
    if kind == "records":
        return plain(store.slim(RECORDS))
    frame = plain(store.slim([*KEY, *CHOSEN_BY], tested=COUNTS))
    # Records number the classes; their names come with the pictures.
    hung, firsts = Gallery(store.path), frame.groupby("dataset")["id"].first()
    frame.attrs["classes"] = {name: hung.classes(first) for name, first in firsts.items()}
    return frame
